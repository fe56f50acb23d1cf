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
from gamestats_assets.simulators.pubg.telemetry import fill
from gamestats_assets.simulators.pubg.world import MAPS

START = datetime(2026, 3, 14, 23, 50, 7, 123000, tzinfo=UTC)  # ends after midnight
MAPS_OF_8KM = ("Baltic_Main", "Tiger_Main", "Desert_Main", "Neon_Main")


@pytest.fixture(scope="module")
def matches() -> list[SimulatedMatch]:
    """Four official squad matches on large maps, and their truths."""
    return [simulate_match(seed, START, map_name=MAPS_OF_8KM[seed]) for seed in range(4)]


@pytest.fixture(scope="module")
def logs(matches: list[SimulatedMatch]) -> list[list[dict[str, Any]]]:
    """Their telemetry, parsed."""
    return [json.loads(match.telemetry_json) for match in matches]


def account(event: dict[str, Any], key: str) -> str:
    """Account of a character that may be missing, null or nameless."""
    return (event.get(key) or {}).get("accountId") or ""


def seconds(event: dict[str, Any], start: datetime) -> float:
    return (datetime.fromisoformat(event["_D"][:23] + "+00:00") - start).total_seconds()


# ---------------------------------------------------------------------------------------------- the files
# themselves


def test_same_seed_same_bytes(matches: list[SimulatedMatch]) -> None:
    assert simulate_match(0, START, map_name=MAPS_OF_8KM[0]) == matches[0]
    assert len({match.truth.match_id for match in matches}) == len(matches)


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


def test_unknown_maps_and_empty_matches_are_refused() -> None:
    with pytest.raises(ValueError, match="Atlantis"):
        simulate_match(1, START, map_name="Atlantis_Main")
    with pytest.raises(ValueError, match="two teams"):
        simulate_match(1, START, players=4, bots=1)


def test_file_is_shaped_like_the_real_ones(matches: list[SimulatedMatch], logs: list[list[dict[str, Any]]]) -> None:
    for match, log in zip(matches, logs, strict=True):
        truth = match.truth
        assert Counter(e["_T"] for e in log) == truth.event_counts
        definition = log[0]
        assert definition["_T"] == "LogMatchDefinition"
        assert definition["MatchId"].endswith(truth.match_id)
        assert len(definition["_D"].split(".")[1]) == 8
        assert "common" not in definition
        assert all(len(e["_D"]) == 24 and e["_D"].endswith("Z") for e in log[1:])
        times = [seconds(e, truth.started_at) for e in log]
        backward = sum(b < a for a, b in pairwise(times))
        assert 0 < backward <= 0.02 * len(log)
        assert log[-1]["_T"] != "LogMatchEnd"
        start = next(e for e in log if e["_T"] == "LogMatchStart")
        assert start["_D"] == truth.started_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        assert {"character", "primaryWeaponFirst"} <= set(start["characters"][0])
        assert isinstance(json.loads(start["blueZoneCustomOptions"]), list)
        games = {e["common"]["isGame"] for e in log[1:]}
        assert {0, 0.10000000149011612, 0.5, 1, 1.5, 2, 2.5} <= games


# ---------------------------------------------------------------------------------------------- truth


def test_every_figure_occurs(matches: list[SimulatedMatch]) -> None:
    totals: Counter[str] = Counter()
    for match in matches:
        for player in match.truth.players_truth.values():
            totals.update(
                {key: value for key, value in dataclasses.asdict(player).items() if isinstance(value, int | float)}
            )
    assert {name for name, total in totals.items() if total <= 0} == set()


def test_old_tournament_files_have_the_old_events() -> None:
    match = simulate_match(11, START, telemetry_version="v1", match_type="custom", players=64, map_name="Desert_Main")
    log = json.loads(match.telemetry_json)
    types = {e["_T"] for e in log}
    assert "LogPlayerKill" in types
    assert not types & {"LogPlayerKillV2", "LogPlayerUseThrowable"}
    assert "accountId" in next(e for e in log if e["_T"] == "LogMatchStart")["characters"][0]
    bleeding = [e for e in log if e["_T"] == "LogPlayerTakeDamage" and e["damageTypeCategory"] == "Damage_Groggy"]
    assert all(e["damage"] > 0 for e in bleeding)


def test_nobody_acts_when_down_or_dead(matches: list[SimulatedMatch], logs: list[list[dict[str, Any]]]) -> None:
    for match, log in zip(matches, logs, strict=True):
        dead: set[str] = set()
        down: set[str] = set()
        for e in sorted(log[1:], key=lambda e: e["_D"]):
            kind = e["_T"]
            if kind in ("LogPlayerAttack", "LogItemUse", "LogHeal", "LogVehicleRide", "LogVaultStart"):
                who = account(e, "attacker") or account(e, "character")
                assert who not in dead, e
                assert who not in down or kind == "LogItemUse", e
            elif kind == "LogPlayerMakeGroggy":
                assert account(e, "victim") not in down | dead
                down.add(account(e, "victim"))
                assert e["victim"]["health"] == 0
            elif kind == "LogPlayerRevive":
                assert account(e, "victim") in down
                assert account(e, "reviver") not in down | dead
                down.discard(account(e, "victim"))
            elif kind == "LogPlayerKillV2":
                assert account(e, "victim") not in dead
                dead.add(account(e, "victim"))
                assert (e["dBNODamageInfo"]["damageTypeCategory"] != "Damage_None") == (account(e, "victim") in down)
            elif kind == "LogPlayerTakeDamage":
                assert account(e, "victim") not in dead
                assert 0 <= e["damage"] <= e["victim"]["health"] + 1e-3
        assert len(dead) == match.truth.kills


def test_placements_and_alive_counts(matches: list[SimulatedMatch], logs: list[list[dict[str, Any]]]) -> None:
    for match, log in zip(matches, logs, strict=True):
        truth = match.truth
        start = next(e for e in log if e["_T"] == "LogMatchStart")
        teams = defaultdict(set)
        for entry in start["characters"]:
            teams[entry["character"]["teamId"]].add(account(entry, "character"))
        death = {account(e, "victim"): seconds(e, truth.started_at) for e in log if e["_T"] == "LogPlayerKillV2"}
        out = {team: max(death.get(a, math.inf) for a in members) for team, members in teams.items()}
        order = sorted(out, key=lambda team: -out[team])
        assert out[order[0]] == math.inf
        assert out[order[1]] < math.inf
        for p in truth.players_truth.values():
            assert order.index(p.team_id) + 1 == p.placement
        for e in log:
            if e["_T"] == "LogGameStatePeriodic":
                t = seconds(e, truth.started_at)
                game = e["gameState"]
                assert game["numAlivePlayers"] == 100 - sum(d <= t + 0.003 for d in death.values())
                assert game["numAliveTeams"] == sum(o > t for o in out.values())
        ended = next(e for e in log if e["_T"] == "LogMatchEnd")
        ranks = {c["character"]["teamId"]: c["character"]["ranking"] for c in ended["characters"]}
        assert ranks == {team: place for place, team in enumerate(order, 1)}


def test_positions_are_on_the_map_and_nobody_teleports(
    matches: list[SimulatedMatch], logs: list[list[dict[str, Any]]]
) -> None:
    jumps, steps = 0, 0
    for match, log in zip(matches, logs, strict=True):
        side = MAPS[match.truth.map_name].side
        last: dict[str, tuple[float, float, float]] = {}
        for e in sorted((e for e in log if e["_T"] == "LogPlayerPosition"), key=lambda e: e["_D"]):
            t = seconds(e, match.truth.started_at)
            if t < 130:  # plane and parachute
                continue
            at = e["character"]["location"]
            x, y = at["x"] / 100, at["y"] / 100
            assert 0 <= x <= side
            assert 0 <= y <= side
            a = account(e, "character")
            if a in last and t > last[a][0]:
                steps += 1
                jumps += math.hypot(x - last[a][1], y - last[a][2]) / (t - last[a][0]) > 40
            last[a] = t, x, y
    assert jumps < 0.002 * steps


def test_match_object_says_what_the_telemetry_says(matches: list[SimulatedMatch]) -> None:
    for match in matches:
        document, truth = json.loads(match.match_json), match.truth
        data, included = document["data"], document["included"]
        assert data["id"] == truth.match_id
        assert abs(data["attributes"]["duration"] - (truth.ended_at - truth.started_at).total_seconds()) <= 1
        created = datetime.fromisoformat(data["attributes"]["createdAt"])
        assert timedelta(0) < created - truth.ended_at < timedelta(seconds=30)
        kinds = Counter(row["type"] for row in included)
        assert kinds == {"participant": 100, "roster": 25, "asset": 1}
        rows = {row["id"]: row for row in included}
        assert [rows[r["id"]]["type"] for r in data["relationships"]["rosters"]["data"]] == ["roster"] * 25
        assert rows[data["relationships"]["assets"]["data"][0]["id"]]["attributes"]["URL"].startswith("https://")
        won = 0
        for roster in (row for row in included if row["type"] == "roster"):
            rank = roster["attributes"]["stats"]["rank"]
            assert roster["attributes"]["won"] == ("true" if rank == 1 else "false")
            won += rank == 1
            for link in roster["relationships"]["participants"]["data"]:
                assert rows[link["id"]]["attributes"]["stats"]["winPlace"] == rank
        assert won == 1
        players = [row["attributes"]["stats"] for row in included if row["type"] == "participant"]
        assert sorted(p["killPlace"] for p in players) == list(range(1, 101))
        for stat in players:
            assert len(stat) == 23
            p = truth.players_truth.get(stat["playerId"])
            if p is None:
                assert stat["playerId"].startswith("ai.")
                continue
            assert (stat["kills"], stat["assists"], stat["DBNOs"]) == (p.kills, p.assists, p.dbnos)
            assert (stat["heals"], stat["boosts"], stat["revives"]) == (
                p.heals_used,
                p.boosts_used,
                p.revives,
            )
            assert (stat["winPlace"], stat["headshotKills"]) == (p.placement, p.headshot_kills)
            assert stat["damageDealt"] == pytest.approx(p.damage_dealt, abs=1e-4)
            assert abs(stat["timeSurvived"] - p.time_survived_s) <= 0.51
    opened = json.loads(simulate_match(0, START, map_name="Baltic_Main", created_at="opened").match_json)
    assert datetime.fromisoformat(opened["data"]["attributes"]["createdAt"]) < START


def test_a_day_is_the_same_for_one_and_two_processes(tmp_path: Path) -> None:
    counted: list[int] = []
    one = simulate_day(tmp_path / "one", date(2026, 3, 1), 3, 5, progress=counted.append, players=40)
    two = simulate_day(tmp_path / "two", date(2026, 3, 1), 3, 5, processes=2, players=40)
    assert one == two
    assert counted == [1, 2, 3]
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert files == sorted(p.name for p in (tmp_path / "two").iterdir())
    assert len(files) == 6
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)
    assert [t.match_date for t in one] == [date(2026, 3, 1)] * 3
    assert sorted(t.started_at for t in one) == [t.started_at for t in one]
    log = json.loads(gzip.decompress((tmp_path / "one" / f"{one[0].match_id}.telemetry.json.gz").read_bytes()))
    assert Counter(e["_T"] for e in log) == one[0].event_counts


# ---------------------------------------------------------------------------------------------- the real file


def shape(value: Any) -> Any:
    """Keys and kinds of a JSON value, numbers alike."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def misfit(real: Any, mine: Any, path: str = "") -> list[str]:
    """Where a simulated shape differs from every way a real one may look; nulls and absent keys are the
    same."""
    if "NoneType" in (real, mine):
        return []
    if isinstance(real, dict) and isinstance(mine, dict):
        optional = {"attacker", "killer", "finisher", "dBNOMaker", "vehicle"}
        missing = [f"{path}.{k} missing" for k in real.keys() - mine.keys() - optional]
        extra = [f"{path}.{k} not in real files" for k in mine.keys() - real.keys() - optional]
        return missing + extra + [m for k in real.keys() & mine.keys() for m in misfit(real[k], mine[k], f"{path}.{k}")]
    return [] if real == mine else [f"{path}: {real} / {mine}"]


def test_every_event_has_the_keys_of_the_real_one(realdata: Path, logs: list[list[dict[str, Any]]]) -> None:
    paths = sorted((realdata / "pubg" / "telemetry").glob("*.json.gz"))
    if not paths:
        pytest.skip("no real telemetry found")
    real: dict[str, dict[str, Any]] = {}
    for e in json.loads(gzip.decompress(paths[0].read_bytes())):
        real.setdefault(e["_T"], shape(e))
    wrong: Counter[str] = Counter()
    compared: set[str] = set()
    for e in logs[0]:
        if e["_T"] in real and e["_T"] != "LogMatchEnd":
            compared.add(e["_T"])
            wrong.update(f"{e['_T']}{m}" for m in misfit(real[e["_T"]], shape(e)))
    assert not wrong
    assert len(compared) >= 20


def test_names_are_the_official_ones(realdata: Path, logs: list[list[dict[str, Any]]]) -> None:
    folder = realdata / "pubg" / "dictionaries"
    known = {
        key: {"", *json.loads((folder / f"telemetry__{name}.json").read_text())}
        for key, name in (
            ("damageCauserName", "damageCauserName"),
            ("damageTypeCategory", "damageTypeCategory"),
            ("itemId", "item__itemId"),
            ("vehicleId", "vehicle__vehicleId"),
        )
    }
    found: dict[str, set[str]] = defaultdict(set)
    for e in (e for log in logs for e in log):
        for part in (e, *(value for value in e.values() if isinstance(value, dict))):
            for key in known.keys() & part.keys():
                found[key].add(part[key])
    assert {key: found[key] - known[key] - {"None"} for key in known} == {key: set() for key in known}


def test_a_key_that_its_form_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError, match="attackId"):
        fill({"attacker": None}, attackId=[1])
