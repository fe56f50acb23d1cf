"""Kills and knocks: shape, doubles, and every rule of what counts as stolen."""

import gzip
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.kills import distinct_landings, lives, weapon_kills
from gamestats_assets_tests.pubg.scenario import START, at, file_row, frames_of, rows, run

KNOCK = {
    "t": 10,
    "dbno_id": 7,
    "attacker_account_id": "account.knocker",
    "attacker_team_id": 1,
    "victim_account_id": "account.victim",
    "victim_team_id": 9,
    "damage_causer_name": "WeapAK47_C",
    "distance_cm": 5000.0,
}
KILL = {
    "t": 20,
    "event_index": 100,
    "event_version": 2,
    "dbno_id": 7,
    "killer_account_id": "account.thief",
    "killer_team_id": 2,
    "finisher_account_id": "account.thief",
    "finisher_team_id": 2,
    "knocker_account_id": "account.knocker",
    "knocker_team_id": 1,
    "victim_account_id": "account.victim",
    "victim_team_id": 9,
    "damage_causer_name": "WeapKar98k_C",
    "damage_type_category": "Damage_Gun",
    "finish_damage_type_category": "Damage_Gun",
    "distance_cm": 12_345.0,
}
REVIVE = {"t": 15, "event_index": 50, "dbno_id": 7, "victim_account_id": "account.victim"}


def made(kills: Any = (), knocks: Any = (), revives: Any = (), **file: Any) -> pl.DataFrame:
    frames = frames_of({t.TelemetryKills: kills, t.TelemetryKnocks: knocks, t.TelemetryRevives: revives})
    return run(weapon_kills, frames | {t.TelemetryFiles: file_row(**file)})


def stolen(kill: dict[str, Any], knock: dict[str, Any] | None = None, *revives: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the kill is a killsteal, and whether its finish is stolen."""
    frame = made([KILL | kill], [KNOCK | (knock or {})], revives).filter(pl.col("event_kind") == "kill")
    return frame.select("is_killsteal", "is_finish_stolen").row(0)


def test_a_kill_of_somebody_another_team_knocked_is_stolen() -> None:
    assert stolen({}) == (True, True)


@pytest.mark.parametrize(
    ("kill", "knock", "expected"),
    [
        pytest.param({"killer_team_id": 1, "finisher_team_id": 1}, {}, (False, True), id="a team mate's finish"),
        pytest.param(
            {"killer_account_id": "account.knocker", "killer_team_id": 1},
            {},
            (False, True),
            id="credited to the knocker, finished by another",
        ),
        pytest.param(
            {
                "killer_account_id": "account.knocker",
                "killer_team_id": 1,
                "finisher_account_id": "account.knocker",
                "finisher_team_id": 1,
            },
            {},
            (False, False),
            id="the knocker's own kill",
        ),
        pytest.param({"dbno_id": -1}, {}, (False, False), id="killed standing"),
        pytest.param({"dbno_id": 8}, {}, (False, False), id="another knock"),
        pytest.param({"dbno_id": None}, {"dbno_id": None}, (True, True), id="a file without knock ids"),
        pytest.param({"finish_damage_type_category": "Damage_Groggy"}, {}, (False, False), id="bled out"),
        pytest.param({"finish_damage_type_category": "Damage_BlueZone"}, {}, (False, False), id="taken by the zone"),
        pytest.param({"killer_account_id": None}, {}, (False, False), id="nobody's kill"),
        pytest.param({"killer_account_id": "account.victim", "killer_team_id": 9}, {}, (False, False), id="suicide"),
        pytest.param({"killer_account_id": "account.mate", "killer_team_id": 9}, {}, (False, False), id="team kill"),
        pytest.param(
            {"knocker_account_id": "account.mate", "knocker_team_id": 9},
            {"attacker_account_id": "account.mate", "attacker_team_id": 9},
            (False, False),
            id="knocked by the victim's team",
        ),
        pytest.param({"victim_type": "user_ai"}, {}, (False, False), id="bot victim"),
        pytest.param({"killer_account_id": "ai.5"}, {}, (False, False), id="bot killer"),
        pytest.param({"finisher_account_id": "ai.5"}, {}, (False, False), id="bot finisher"),
        pytest.param({"knocker_account_id": "ai.5"}, {}, (False, False), id="bot knocker"),
        pytest.param({}, {"attacker_type": "user_ai"}, (False, False), id="bot knocker by type"),
        pytest.param({}, {"t": 30}, (False, False), id="knocked only later"),
    ],
)
def test_stolen_or_not(kill: dict[str, Any], knock: dict[str, Any], expected: tuple[bool, bool]) -> None:
    assert stolen(kill, knock) == expected


def test_a_revive_in_between_ends_the_knock() -> None:
    assert stolen({}, {}, REVIVE) == (False, False)
    assert stolen({}, {}, REVIVE | {"dbno_id": None}) == (False, False)
    assert stolen({}, {}, REVIVE | {"t": 5}) == (True, True)
    assert stolen({}, {}, REVIVE | {"t": 25}) == (True, True)
    assert stolen({}, {}, REVIVE | {"victim_account_id": "account.other"}) == (True, True)
    assert stolen({}, {}, REVIVE | {"match_id": "other"}) == (True, True)


def test_a_knock_id_used_again_is_the_later_knock() -> None:
    again = KNOCK | {"t": 18, "attacker_account_id": "account.thief", "attacker_team_id": 2, "event_index": 60}
    kill = KILL | {"knocker_account_id": None, "knocker_team_id": None}
    frame = made([kill], [KNOCK, again], [REVIVE]).filter(pl.col("event_kind") == "kill")
    assert frame.select("knocker_account_id", "is_killsteal").row(0) == ("account.thief", False)


def test_files_of_version_1_take_knocker_and_finisher_from_what_they_have() -> None:
    kill = {**KILL, "event_version": 1, "finish_damage_type_category": None}
    for name in ("finisher_account_id", "finisher_team_id", "knocker_account_id", "knocker_team_id"):
        kill[name] = None
    row = made([kill], [KNOCK]).filter(pl.col("event_kind") == "kill").row(0, named=True)
    assert (row["knocker_account_id"], row["finisher_account_id"]) == ("account.knocker", "account.thief")
    assert (row["is_killsteal"], row["is_finish_stolen"]) == (True, True)
    bled = made([kill | {"damage_type_category": "Damage_Groggy"}], [KNOCK]).filter(pl.col("event_kind") == "kill")
    assert bled.select("is_killsteal", "is_finish_stolen").row(0) == (False, False)


def test_shape_of_kills_and_knocks() -> None:
    frame = made([KILL | {"assist_account_ids": ["account.knocker"], "damage_reason": "HeadShot"}], [KNOCK])
    knock, kill = frame.sort("occurred_at").iter_rows(named=True)
    assert (knock["event_kind"], kill["event_kind"]) == ("knock", "kill")
    assert (knock["killer_account_id"], knock["finisher_account_id"], knock["knocker_account_id"]) == (
        "account.knocker",
        None,
        None,
    )
    assert (knock["weapon_category"], knock["weapon_name"], knock["distance_m"]) == ("AR", "AKM", 50.0)
    assert (kill["weapon_category"], kill["distance_m"], kill["elapsed_time_s"]) == ("SR", 123.45, 20.0)
    assert (kill["assist_account_ids"], kill["damage_reason"]) == (["account.knocker"], "HeadShot")
    assert (knock["is_killsteal"], knock["is_finish_stolen"], knock["is_suicide"]) == (False, False, False)


def test_a_death_by_the_zone_has_no_killer_and_tells_its_cause_by_the_finish() -> None:
    zone = KILL | {
        "killer_account_id": "",
        "killer_name": "",
        "killer_team_id": 0,
        "finisher_account_id": None,
        "knocker_account_id": None,
        "dbno_id": -1,
        "damage_causer_name": "",
        "damage_type_category": "",
        "distance_cm": -1.0,
        "finish_damage_causer_name": "BattleRoyaleModeController_Def_C",
        "finish_damage_type_category": "Damage_BlueZone",
    }
    row = made([zone]).row(0, named=True)
    assert (row["killer_account_id"], row["killer_name"], row["killer_team_id"], row["killer_is_bot"]) == (None,) * 4
    assert (row["dbno_id"], row["distance_m"]) == (None, None)
    assert (row["weapon_category"], row["damage_type_category"]) == ("Environment", "Damage_BlueZone")
    assert (row["is_suicide"], row["is_team_kill"]) == (False, False)


def test_suicides_and_team_kills() -> None:
    def flags(**kill: Any) -> tuple[bool, bool]:
        return made([KILL | kill]).select("is_suicide", "is_team_kill").row(0)

    assert flags() == (False, False)
    assert flags(killer_account_id="account.victim", killer_team_id=9) == (True, False)
    assert flags(killer_team_id=9) == (False, True)
    assert flags(killer_team_id=None) == (False, False)
    assert flags(killer_account_id=None, is_suicide=True) == (True, False)


def test_doubled_events_count_once() -> None:
    both_versions = [KILL, KILL | {"event_index": 101}, KILL | {"event_index": 99, "event_version": 1}]
    frame = made(both_versions, [KNOCK, KNOCK | {"event_index": 1}])
    assert frame.group_by("event_kind").len().sort("event_kind").rows() == [("kill", 1), ("knock", 1)]
    assert frame.filter(pl.col("event_kind") == "kill")["event_index"].to_list() == [100]


def test_matches_do_not_mix() -> None:
    other = {"match_id": "other"}
    frame = made([KILL], [KNOCK | other])
    assert frame.filter(pl.col("match_id") == "m").select("is_killsteal", "elapsed_time_s").row(0) == (False, 20.0)


def test_the_dead_return_by_parachute_and_a_flight_is_logged_once() -> None:
    landings = rows(
        t.TelemetryLandings,
        {"t": 1, "account_id": "account.victim", "parachute_distance_m": 300.0},
        {"t": 20, "account_id": "account.victim", "parachute_distance_m": 300.0},
        {"t": 60, "account_id": "account.victim", "parachute_distance_m": 250.0},
        {"t": 61, "account_id": "account.old_file"},
        {"t": 62, "account_id": "account.old_file"},
    ).lazy()
    kept = distinct_landings(landings).collect()
    assert sorted(kept["event_index"].to_list()) == [0, 2, 3, 4]
    changes = lives(rows(t.TelemetryKills, KILL).lazy(), landings).filter(pl.col("account_id") == "account.victim")
    assert changes.collect().select("occurred_at", "is_out").rows() == [(at(1), False), (at(20), True), (at(60), False)]


@pytest.mark.parametrize("kind", ["damage_type_category", "finish_damage_type_category"])
def test_bleeding_out_is_told_by_the_kill_or_by_the_finish(kind: str) -> None:
    assert stolen({kind: "Damage_Groggy"}) == (False, False)


def test_a_knock_without_an_id_belongs_to_a_death_that_has_one() -> None:
    assert stolen({}, {"dbno_id": None}) == (True, True)


def test_a_death_ends_the_knock_for_whoever_comes_back() -> None:
    nameless = KILL | {"dbno_id": None, "knocker_account_id": None, "knocker_team_id": None}
    frame = made([nameless, nameless | {"t": 300, "event_index": 200}], [KNOCK])
    deaths = frame.filter(pl.col("event_kind") == "kill").sort("occurred_at")
    assert deaths["is_killsteal"].to_list() == [True, False]
    assert deaths["knocker_account_id"].to_list() == ["account.knocker", None]


def real_events(realdata: Path) -> list[dict[str, Any]]:
    """Events of the one complete file, with the seconds from the scenarios' start to each as `t`."""
    [path] = (realdata / "pubg" / "telemetry").glob("*.json.gz")
    events = json.loads(gzip.decompress(path.read_bytes()))
    for index, event in enumerate(events):
        event |= {"t": (datetime.fromisoformat(event["_D"]) - START).total_seconds(), "event_index": index}
    return events


def character(role: str, found: dict[str, Any] | None) -> dict[str, Any]:
    found = found or {}
    names = {"account_id": "accountId", "name": "name", "team_id": "teamId", "type": "type"}
    return {f"{role}_{column}": found.get(key) for column, key in names.items()}


def instant(event: dict[str, Any]) -> dict[str, Any]:
    return {"t": event["t"], "event_index": event["event_index"]}


def test_kills_and_knocks_of_a_real_file(realdata: Path) -> None:
    events = real_events(realdata)
    deaths = [event for event in events if event["_T"] == "LogPlayerKillV2"]
    kills = [
        instant(event)
        | {"event_version": 2, "dbno_id": event["dBNOId"], "attack_id": event["attackId"]}
        | character("victim", event["victim"])
        | character("killer", event.get("killer"))
        | character("finisher", event.get("finisher"))
        | character("knocker", event.get("dBNOMaker"))
        | {
            "damage_causer_name": event["killerDamageInfo"]["damageCauserName"],
            "damage_type_category": event["killerDamageInfo"]["damageTypeCategory"],
            "distance_cm": event["killerDamageInfo"]["distance"],
            "finish_damage_causer_name": event["finishDamageInfo"]["damageCauserName"],
            "finish_damage_type_category": event["finishDamageInfo"]["damageTypeCategory"],
            "is_suicide": event["isSuicide"],
        }
        for event in deaths
    ]
    knocks = [
        instant(event)
        | {"dbno_id": event["dBNOId"], "damage_causer_name": event["damageCauserName"]}
        | character("victim", event["victim"])
        | character("attacker", event.get("attacker"))
        for event in events
        if event["_T"] == "LogPlayerMakeGroggy"
    ]
    revives = [
        instant(event) | {"dbno_id": event.get("dBNOId")} | character("victim", event["victim"])
        for event in events
        if event["_T"] == "LogPlayerRevive"
    ]
    frame = made(kills, knocks, revives)
    assert Counter(frame["event_kind"]) == {"kill": 34, "knock": 23}
    dead = frame.filter(pl.col("event_kind") == "kill")
    assert Counter(dead["killer_name"].drop_nulls()) == Counter(
        event["killer"]["name"] for event in deaths if event.get("killer")
    )
    assert dead.filter(pl.col("weapon_category") == "Environment").height == 4
    # Whoever was finished by another than the knocker, and whether that one is of another team.
    taken = {
        event["victim"]["name"]: event["killer"]["teamId"] != event["dBNOMaker"]["teamId"]
        for event in deaths
        if event.get("dBNOMaker") and event["finisher"]["accountId"] != event["dBNOMaker"]["accountId"]
    }
    assert taken.keys() == {"DreTheDisastah", "ApocalexxNow-"}
    assert dict(dead.filter("is_finish_stolen").select("victim_name", "is_killsteal").iter_rows()) == taken
    assert dead["is_killsteal"].sum() == sum(taken.values())
