"""The tables made by SQL: landings, kill positions, weapon distribution."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.reference import weapons
from gamestats_assets.simulators.pubg.matches import simulate_match
from gamestats_assets_tests.pubg.scenario import at, bronze, derive, file_row, rows
from gamestats_assets_tests.support.frames import Frames, run_sql

REAL = "c2fb5093-866c-4d6d-96bf-7abf755094af"
Event = dict[str, Any]


@pytest.fixture(scope="module")
def events(realdata: Path) -> list[Event]:
    return json.loads(gzip.decompress((realdata / "pubg" / "telemetry" / f"{REAL}.json.gz").read_bytes()))


@pytest.fixture(scope="module")
def real(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Frames:
    content = gzip.decompress((realdata / "pubg" / "telemetry" / f"{REAL}.json.gz").read_bytes())
    return derive(bronze(tmp_path_factory.mktemp("real"), (REAL, "telemetry", content)))


# --------------------------------------------------------------------------- landings


def landings(*given: dict[str, Any], **file: Any) -> pl.DataFrame:
    landed = rows(t.TelemetryLandings, *({"account_id": "account.a", "player_name": "A"} | row for row in given))
    frame = run_sql(t.Landings, {t.TelemetryLandings: landed, t.TelemetryFiles: file_row(**file)})
    assert screen(t.Landings, frame).rejections == []
    return frame.sort("match_id", "account_id", "landing_number")


def test_landings_are_numbered_in_order_of_time() -> None:
    frame = landings(
        {"t": 300, "parachute_distance_m": 250.0},
        {"t": 40.5, "parachute_distance_m": 300.0, "x_cm": 123_400.0, "y_cm": 50.0, "z_cm": 700.0},
        {"t": 41, "account_id": "account.b", "player_name": None},
    )
    assert frame.select("account_id", "landing_number", "landed_at").rows() == [
        ("account.a", 1, at(40.5)),
        ("account.a", 2, at(300)),
        ("account.b", 1, at(41)),
    ]
    first = frame.row(0, named=True)
    assert (first["x_m"], first["y_m"], first["z_m"], first["elapsed_time_s"]) == (1234.0, 0.5, 7.0, 40.5)
    assert frame["player_name"].to_list() == ["A", "A", "account.b"]


def test_a_flight_is_one_landing_however_often_it_is_logged() -> None:
    flight = {"parachute_distance_m": 300.0}
    assert landings({"t": 40} | flight, {"t": 55} | flight, {"t": 40} | flight)["landed_at"].to_list() == [at(40)]
    old = landings({"t": 40}, {"t": 40}, {"t": 55})
    assert old["landed_at"].to_list() == [at(40), at(55)]
    elsewhere = landings({"t": 40} | flight, {"t": 55, "match_id": "other"} | flight)
    assert elsewhere["landing_number"].to_list() == [1, 1]


def test_bots_have_no_landings() -> None:
    frame = landings(
        {"account_id": "ai.1"}, {"character_type": "user_ai"}, {"account_id": ""}, {"character_type": "user"}
    )
    assert frame.height == 1


def test_a_file_without_a_start_still_has_landings() -> None:
    assert landings({"t": 40}, started_at=None)["elapsed_time_s"].to_list() == [None]


def test_real_landings(real: Frames, events: list[Event]) -> None:
    first: dict[str, Event] = {}
    for event in events:
        if event["_T"] == "LogParachuteLanding":
            first.setdefault(event["character"]["accountId"], event)
    found = {row["account_id"]: row for row in real[t.Landings].iter_rows(named=True)}
    assert real[t.Landings].height == len(found) == len(first) == 36
    for person, event in first.items():
        place = event["character"]["location"]
        assert found[person]["x_m"] == pytest.approx(place["x"] / 100)
        assert found[person]["y_m"] == pytest.approx(place["y"] / 100)
        assert found[person]["parachute_distance_m"] == pytest.approx(event["distance"])


# --------------------------------------------------------------------------- circles


def test_real_circles(real: Frames, events: list[Event]) -> None:
    states = {
        index: event["gameState"]
        for index, event in enumerate(events)
        if event["_T"] == "LogGameStatePeriodic" and event["common"]["isGame"] >= 1
    }
    found = {row["event_index"]: row for row in real[t.Circles].iter_rows(named=True)}
    assert found.keys() == states.keys()
    for index, state in states.items():
        row, blue, white = found[index], state["safetyZonePosition"], state["poisonGasWarningPosition"]
        assert row["elapsed_time_s"] == state["elapsedTime"]
        assert (row["blue_x_m"], row["blue_y_m"]) == pytest.approx((blue["x"] / 100, blue["y"] / 100))
        assert row["blue_radius_m"] == pytest.approx(state["safetyZoneRadius"] / 100)
        radius = state["poisonGasWarningRadius"] / 100
        told = (white["x"] / 100, white["y"] / 100, radius) if radius else None
        seen = (row["white_x_m"], row["white_y_m"], row["white_radius_m"])
        assert seen == (None, None, None) if told is None else seen == pytest.approx(told)


# --------------------------------------------------------------------------- kill positions


def test_real_kill_positions(real: Frames, events: list[Event]) -> None:
    deaths = {index: event for index, event in enumerate(events) if event["_T"] == "LogPlayerKillV2"}
    found = {row["event_index"]: row for row in real[t.KillPositions].iter_rows(named=True)}
    assert found.keys() == deaths.keys()
    for index, event in deaths.items():
        row, victim, killer = found[index], event["victim"], event.get("killer")
        assert row["victim_account_id"] == victim["accountId"]
        assert (row["victim_x_m"], row["victim_y_m"]) == pytest.approx(
            (victim["location"]["x"] / 100, victim["location"]["y"] / 100)
        )
        if killer is None:
            assert (row["killer_account_id"], row["killer_x_m"], row["distance_m"]) == (None, None, None)
            assert row["weapon_category"] == "Environment"
        else:
            assert row["killer_x_m"] == pytest.approx(killer["location"]["x"] / 100)
            assert row["distance_m"] == pytest.approx(event["killerDamageInfo"]["distance"] / 100)


def test_knocks_and_doubled_deaths_have_no_position_of_their_own() -> None:
    death = {"event_version": 2, "victim_account_id": "account.v", "victim_x_cm": 100.0}
    kills = rows(t.TelemetryKills, death, death)
    silver = rows(
        t.WeaponKills,
        {"event_kind": "kill", "victim_account_id": "account.v", "weapon_category": "AR"},
        {"event_kind": "knock", "victim_account_id": "account.v", "weapon_category": "AR"},
    )
    frame = run_sql(t.KillPositions, {t.TelemetryKills: kills, t.WeaponKills: silver})
    assert frame.select("event_index", "victim_x_m").rows() == [(0, 1.0)]


# --------------------------------------------------------------------------- weapon distribution


def test_what_counts_in_the_distribution() -> None:
    hit = {
        "attacker_account_id": "account.a",
        "attacker_name": "A",
        "attacker_is_bot": False,
        "damage": 10.0,
        "weapon_category": "AR",
        "is_given": True,
    }
    damage = rows(
        t.DamageEvents,
        hit,
        hit,
        hit | {"weapon_category": "DMR", "damage": 5.0},
        hit | {"weapon_category": "SMG", "damage": 0.0},
        hit | {"is_given": False},
        hit | {"attacker_account_id": "ai.1", "attacker_is_bot": True},
        hit | {"attacker_account_id": None, "attacker_is_bot": None},
        hit | {"match_id": "other"},
    )
    kill = {
        "event_kind": "kill",
        "killer_account_id": "account.a",
        "killer_name": "A",
        "killer_is_bot": False,
        "weapon_category": "AR",
    }
    kills = rows(
        t.WeaponKills,
        kill,
        kill | {"event_kind": "knock", "weapon_category": "Throwable"},
        kill | {"is_suicide": True},
        kill | {"is_team_kill": True},
        kill | {"killer_account_id": None, "killer_is_bot": None},
        kill | {"killer_account_id": "ai.1", "killer_is_bot": True},
        kill | {"killer_account_id": "account.b", "killer_name": None},
    )
    frame = run_sql(t.PlayerMatchWeaponDistribution, {t.DamageEvents: damage, t.WeaponKills: kills})
    assert screen(t.PlayerMatchWeaponDistribution, frame).rejections == []
    columns = ("match_id", "account_id", "player_name", "weapon_category", "total_damage", "total_kills", "knock_downs")
    assert frame.select(columns).sort(columns).rows() == [
        ("m", "account.a", "A", "AR", 20.0, 1, 0),
        ("m", "account.a", "A", "DMR", 5.0, 0, 0),
        ("m", "account.a", "A", "Throwable", 0.0, 0, 1),
        ("m", "account.b", "account.b", "AR", 0.0, 1, 0),
        ("other", "account.a", "A", "AR", 10.0, 0, 0),
    ]


def test_real_weapon_distribution(real: Frames, events: list[Event]) -> None:
    category = dict(weapons().select("weapon_id", "category").iter_rows())
    expected: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0, 0])
    for event in events:
        if event["_T"] == "LogPlayerTakeDamage":
            attacker, victim = event.get("attacker"), event["victim"]
            if attacker and attacker["teamId"] != victim["teamId"]:
                expected[attacker["accountId"], category[event["damageCauserName"]]][0] += event["damage"]
        elif event["_T"] == "LogPlayerKillV2" and event.get("killer"):
            expected[event["killer"]["accountId"], category[event["killerDamageInfo"]["damageCauserName"]]][1] += 1
        elif event["_T"] == "LogPlayerMakeGroggy" and event["attacker"]["accountId"]:
            expected[event["attacker"]["accountId"], category[event["damageCauserName"]]][2] += 1
    expected = {key: value for key, value in expected.items() if any(value)}
    names = ("total_damage", "total_kills", "knock_downs")
    found = {
        (row["account_id"], row["weapon_category"]): [row[name] for name in names]
        for row in real[t.PlayerMatchWeaponDistribution].iter_rows(named=True)
    }
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value), key


# --------------------------------------------------------------------------- simulated matches


@pytest.mark.parametrize(("seed", "version"), [(31, "v2"), (32, "v1")])
def test_a_full_match_agrees_with_its_truth(seed: int, version: Literal["v1", "v2"], tmp_path: Path) -> None:
    match = simulate_match(seed, datetime(2026, 3, 14, 20, tzinfo=UTC), telemetry_version=version)
    truth = match.truth
    frames = derive(bronze(tmp_path, (truth.match_id, "telemetry", match.telemetry_json)))

    first = frames[t.Landings].filter(landing_number=1)
    landed = {row["account_id"]: (row["x_m"], row["y_m"]) for row in first.iter_rows(named=True)}
    places = {one.account_id: one.landing for one in truth.players_truth.values() if one.landing is not None}
    assert landed.keys() == places.keys()
    for account, place in places.items():
        assert landed[account] == pytest.approx(place, abs=0.02)

    assert frames[t.KillPositions].height == truth.kills

    category = dict(weapons().select("weapon_id", "category").iter_rows())
    planted: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0, 0])
    for player in truth.players_truth.values():
        for weapon, figures in player.weapons.items():
            sums = planted[player.account_id, category[weapon]]
            for number, figure in enumerate(figures):
                sums[number] += figure
    found = {
        (row["account_id"], row["weapon_category"]): (row["total_damage"], row["total_kills"], row["knock_downs"])
        for row in frames[t.PlayerMatchWeaponDistribution].iter_rows(named=True)
    }
    assert found.keys() == planted.keys()
    for key, sums in planted.items():
        assert found[key] == pytest.approx(tuple(sums), abs=1e-4), key
