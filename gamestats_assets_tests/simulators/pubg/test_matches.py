"""Simulated matches: their files agree with themselves, with the truth, and in their keys with a real file.

That the figures of the truth are those of the files is tested with the tables that are made of both.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import math
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gamestats_assets.simulators.pubg.matches import SimulatedMatch, simulate_day, simulate_match
from gamestats_assets.simulators.pubg.world import MAPS

START = datetime(2026, 3, 14, 23, 50, 7, 123000, tzinfo=UTC)  # ends after midnight
Event = dict[str, Any]


@pytest.fixture(scope="module")
def matches() -> list[SimulatedMatch]:
    """Two official squad matches on large maps, and their truths."""
    return [simulate_match(seed, START, map_name=name) for seed, name in enumerate(("Baltic_Main", "Tiger_Main"))]


@pytest.fixture(scope="module")
def logs(matches: list[SimulatedMatch]) -> list[list[Event]]:
    """Their telemetry, parsed."""
    return [json.loads(match.telemetry_json) for match in matches]


def account(event: Event, key: str) -> str:
    """Account of a character that may be missing, null or nameless."""
    return (event.get(key) or {}).get("accountId") or ""


def seconds(event: Event) -> float:
    return (datetime.fromisoformat(event["_D"][:23] + "+00:00") - START).total_seconds()


def of_kind(log: list[Event], *kinds: str) -> list[Event]:
    return [event for event in log if event["_T"] in kinds]


def test_same_seed_same_bytes(matches: list[SimulatedMatch]) -> None:
    assert simulate_match(0, START, map_name="Baltic_Main") == matches[0]
    assert matches[0].truth.match_id != matches[1].truth.match_id


@pytest.mark.parametrize(
    ("mode", "kind", "players", "map_name"),
    [
        ("solo-fpp", "official", 96, "Savage_Main"),
        ("duo", "official", 98, "Summerland_Main"),
        ("squad-fpp", "competitive", 64, "Desert_Main"),
        ("esports-squad-fpp", "custom", 64, "Neon_Main"),
    ],
)
def test_other_modes_play_to_the_end(mode: str, kind: str, players: int, map_name: str) -> None:
    match = simulate_match(3, START, game_mode=mode, match_type=kind, players=players, map_name=map_name)
    document = json.loads(match.match_json)["data"]["attributes"]
    assert (document["gameMode"], document["matchType"], document["mapName"]) == (mode, kind, map_name)
    assert document["isCustomMatch"] == (kind == "custom")
    assert match.truth.players + match.truth.bots == players
    assert (match.truth.bots == 0) == (kind != "official")
    assert {p.placement for p in match.truth.players_truth.values()} <= set(range(1, match.truth.teams + 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"map_name": "Atlantis_Main"}, "Atlantis"),
        ({"players": 4, "bots": 1}, "two teams"),
        ({"match_type": "custom", "players": 16, "squads": [0, 1]}, "not 2 squads of 4"),
    ],
)
def test_what_cannot_be_played_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate_match(1, START, **options)


def test_file_is_shaped_like_the_real_ones(matches: list[SimulatedMatch], logs: list[list[Event]]) -> None:
    log, truth = logs[0], matches[0].truth
    assert log[0]["_T"] == "LogMatchDefinition"
    assert log[0]["MatchId"].endswith(truth.match_id)
    assert "common" not in log[0]
    assert all(len(e["_D"]) == 24 and e["_D"].endswith("Z") for e in log[1:])
    times = [seconds(e) for e in log]
    assert 0 < sum(b < a for a, b in pairwise(times)) <= 0.02 * len(log)
    start = of_kind(log, "LogMatchStart")[0]
    assert start["_D"] == "2026-03-14T23:50:07.123Z"
    assert {"character", "primaryWeaponFirst"} <= set(start["characters"][0])
    assert {0, 0.10000000149011612, 0.5, 1, 1.5, 2, 2.5} <= {e["common"]["isGame"] for e in log[1:]}


def test_every_figure_occurs() -> None:
    totals: Counter[str] = Counter()
    for seed in range(2):
        for player in simulate_match(seed, START).truth.players_truth.values():
            figures = dataclasses.asdict(player).items()
            totals.update({key: value for key, value in figures if isinstance(value, int | float)})
    assert {name for name, total in totals.items() if total <= 0} == set()


def test_old_tournament_files_have_the_old_events() -> None:
    match = simulate_match(11, START, telemetry_version="v1", match_type="custom", players=64, map_name="Desert_Main")
    log = json.loads(match.telemetry_json)
    assert of_kind(log, "LogPlayerKill")
    assert not of_kind(log, "LogPlayerKillV2", "LogPlayerUseThrowable")
    assert "accountId" in of_kind(log, "LogMatchStart")[0]["characters"][0]
    hits = of_kind(log, "LogPlayerTakeDamage")
    assert all(e["damage"] > 0 for e in hits if e["damageTypeCategory"] == "Damage_Groggy")


def test_nobody_acts_when_down_or_dead(matches: list[SimulatedMatch], logs: list[list[Event]]) -> None:
    for match, log in zip(matches, logs, strict=True):
        dead, down = set[str](), set[str]()
        for e in sorted(log[1:], key=lambda e: e["_D"]):
            victim = account(e, "victim")
            match e["_T"]:
                case "LogPlayerAttack" | "LogItemUse" | "LogHeal" | "LogVehicleRide" | "LogVaultStart":
                    who = account(e, "attacker") or account(e, "character")
                    assert who not in dead, e
                    assert who not in down or e["_T"] == "LogItemUse", e
                case "LogPlayerMakeGroggy":
                    assert victim not in down | dead
                    assert e["victim"]["health"] == 0
                    down.add(victim)
                case "LogPlayerRevive":
                    assert victim in down
                    assert account(e, "reviver") not in down | dead
                    down.discard(victim)
                case "LogPlayerKillV2":
                    assert victim not in dead
                    assert (e["dBNODamageInfo"]["damageTypeCategory"] != "Damage_None") == (victim in down)
                    dead.add(victim)
                case "LogPlayerTakeDamage":
                    assert victim not in dead
                    assert 0 <= e["damage"] <= e["victim"]["health"] + 1e-3
                case _:
                    pass
        assert len(dead) == match.truth.kills


def test_placements_and_alive_counts(matches: list[SimulatedMatch], logs: list[list[Event]]) -> None:
    for match, log in zip(matches, logs, strict=True):
        teams = defaultdict(set)
        for entry in of_kind(log, "LogMatchStart")[0]["characters"]:
            teams[entry["character"]["teamId"]].add(account(entry, "character"))
        death = {account(e, "victim"): seconds(e) for e in of_kind(log, "LogPlayerKillV2")}
        out = {team: max(death.get(a, math.inf) for a in members) for team, members in teams.items()}
        order = sorted(out, key=lambda team: -out[team])
        assert out[order[0]] == math.inf > out[order[1]]
        for p in match.truth.players_truth.values():
            assert order.index(p.team_id) + 1 == p.placement
        for e in of_kind(log, "LogGameStatePeriodic"):
            t, game = seconds(e), e["gameState"]
            assert game["numAlivePlayers"] == 100 - sum(d <= t + 0.003 for d in death.values())
            assert game["numAliveTeams"] == sum(o > t for o in out.values())
        ended = of_kind(log, "LogMatchEnd")[0]
        ranks = {c["character"]["teamId"]: c["character"]["ranking"] for c in ended["characters"]}
        assert ranks == {team: place for place, team in enumerate(order, 1)}


def test_everybody_stays_on_the_map(matches: list[SimulatedMatch], logs: list[list[Event]]) -> None:
    side = 100 * MAPS[matches[0].truth.map_name].side
    for e in of_kind(logs[0], "LogPlayerPosition"):
        if seconds(e) > 130:  # out of the plane
            at = e["character"]["location"]
            assert 0 <= min(at["x"], at["y"]) <= max(at["x"], at["y"]) <= side


def test_match_object_says_what_the_telemetry_says(matches: list[SimulatedMatch]) -> None:
    document, truth = json.loads(matches[0].match_json), matches[0].truth
    data, rows = document["data"], {row["id"]: row for row in document["included"]}
    assert data["id"] == truth.match_id
    assert abs(data["attributes"]["duration"] - (truth.ended_at - truth.started_at).total_seconds()) <= 1
    created = datetime.fromisoformat(data["attributes"]["createdAt"])
    assert timedelta(0) < created - truth.ended_at < timedelta(seconds=30)
    assert Counter(row["type"] for row in rows.values()) == {"participant": 100, "roster": 25, "asset": 1}
    assert [rows[r["id"]]["type"] for r in data["relationships"]["rosters"]["data"]] == ["roster"] * 25
    assert rows[data["relationships"]["assets"]["data"][0]["id"]]["attributes"]["URL"].startswith("https://")
    for roster in (row for row in rows.values() if row["type"] == "roster"):
        rank = roster["attributes"]["stats"]["rank"]
        assert roster["attributes"]["won"] == ("true" if rank == 1 else "false")
        for link in roster["relationships"]["participants"]["data"]:
            assert rows[link["id"]]["attributes"]["stats"]["winPlace"] == rank
    players = [row["attributes"]["stats"] for row in rows.values() if row["type"] == "participant"]
    assert sorted(p["killPlace"] for p in players) == list(range(1, 101))
    same = {"kills": "kills", "assists": "assists", "DBNOs": "dbnos", "heals": "heals_used", "boosts": "boosts_used",
            "revives": "revives", "winPlace": "placement", "headshotKills": "headshot_kills"}  # fmt: skip
    for stat in (stat for stat in players if not stat["playerId"].startswith("ai.")):
        p = truth.players_truth[stat["playerId"]]
        assert {name: stat[name] for name in same} == {name: getattr(p, own) for name, own in same.items()}
        assert stat["damageDealt"] == pytest.approx(p.damage_dealt, abs=1e-4)
        assert abs(stat["timeSurvived"] - p.time_survived_s) <= 0.51


def test_a_day_is_the_same_for_one_and_two_processes(tmp_path: Path) -> None:
    one = simulate_day(tmp_path / "one", date(2026, 3, 1), 2, 5, players=20)
    assert one == simulate_day(tmp_path / "two", date(2026, 3, 1), 2, 5, processes=2, players=20)
    files, again = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert files == again
    assert len(files) == 4
    assert {t.match_date for t in one} == {date(2026, 3, 1)}
    assert sorted(t.started_at for t in one) == [t.started_at for t in one]


# --------------------------------------------------------------------------- the real file


def shape(value: Any) -> Any:
    """Keys and kinds of a JSON value, numbers alike."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def misfit(real: Any, mine: Any, path: str = "") -> list[str]:
    """Where a simulated shape differs from every way a real one may look; nulls and absent keys are the same."""
    if "NoneType" in (real, mine):
        return []
    if isinstance(real, dict) and isinstance(mine, dict):
        optional = {"attacker", "killer", "finisher", "dBNOMaker", "vehicle"}
        odd = [f"{path}.{key} on one side" for key in (real.keys() ^ mine.keys()) - optional]
        return odd + [m for key in real.keys() & mine.keys() for m in misfit(real[key], mine[key], f"{path}.{key}")]
    return [] if real == mine else [f"{path}: {real} / {mine}"]


def test_every_event_has_the_keys_of_the_real_one(realdata: Path, logs: list[list[Event]]) -> None:
    paths = sorted((realdata / "pubg" / "telemetry").glob("*.json.gz"))
    if not paths:
        pytest.skip("no real telemetry found")
    real: dict[str, Event] = {}
    for e in json.loads(gzip.decompress(paths[0].read_bytes())):
        real.setdefault(e["_T"], shape(e))
    compared = [e for e in logs[0] if e["_T"] in real and e["_T"] != "LogMatchEnd"]
    assert {f"{e['_T']}{m}" for e in compared for m in misfit(real[e["_T"]], shape(e))} == set()
    assert len({e["_T"] for e in compared}) >= 20


def test_names_are_the_official_ones(realdata: Path, logs: list[list[Event]]) -> None:
    files = {"damageCauserName": "damageCauserName", "damageTypeCategory": "damageTypeCategory",
             "itemId": "item__itemId", "vehicleId": "vehicle__vehicleId"}  # fmt: skip
    found: dict[str, set[str]] = defaultdict(set)
    for e in (e for log in logs for e in log):
        for part in (e, *(value for value in e.values() if isinstance(value, dict))):
            for key in files.keys() & part.keys():
                found[key].add(part[key])
    for key, name in files.items():
        known = json.loads((realdata / "pubg" / "dictionaries" / f"telemetry__{name}.json").read_text())
        assert found[key] - {"", "None", *known} == set()
