"""The tables made by SQL: landings, kill positions, weapon distribution."""

from __future__ import annotations

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
from gamestats_assets_tests.support.frames import run_sql

REAL = "c2fb5093-866c-4d6d-96bf-7abf755094af"
Event = dict[str, Any]


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


# --------------------------------------------------------------------------- circles


def test_circles_from_the_first_zone_on() -> None:
    blue = {"safety_zone_x_cm": 100.0, "safety_zone_y_cm": 200.0, "safety_zone_radius_cm": 300.0}
    white = {"poison_gas_warning_x_cm": 400.0, "poison_gas_warning_y_cm": 500.0}
    states = rows(
        t.TelemetryGameStates,
        blue | {"phase": 0.5},
        blue | {"t": 12.5, "safety_zone_radius_cm": None},
        blue | white | {"t": 12.5, "poison_gas_warning_radius_cm": 0.0},
        blue | white | {"phase": 1.5, "elapsed_time_s": 20, "poison_gas_warning_radius_cm": 60.0, "alive_teams": 7},
    )
    frame = run_sql(t.Circles, {t.TelemetryGameStates: states, t.TelemetryFiles: file_row()}).sort("event_index")
    columns = ("event_index", "elapsed_time_s", "alive_teams", "blue_x_m", "blue_y_m", "blue_radius_m")
    columns += ("white_x_m", "white_y_m", "white_radius_m")
    assert frame.select(columns).rows() == [
        (2, 12.5, None, 1.0, 2.0, 3.0, None, None, None),
        (3, 20.0, 7, 1.0, 2.0, 3.0, 4.0, 5.0, 0.6),
    ]


# --------------------------------------------------------------------------- kill positions


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
