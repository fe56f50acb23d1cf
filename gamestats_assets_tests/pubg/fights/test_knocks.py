"""Knocks, their outcomes and summaries: one test for every sentence of the rules."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.fights.knocks import finishing_summaries, knock_events
from gamestats_assets.pubg.fights.tables import KnockEvents
from gamestats_assets_tests.pubg.scenario import at, rows, run

KNOCK = {
    "t": 10,
    "event_index": 1,
    "event_kind": "knock",
    "dbno_id": 7,
    "killer_account_id": "account.knocker",
    "killer_name": "Knocker",
    "killer_team_id": 1,
    "killer_is_bot": False,
    "victim_account_id": "account.victim",
    "victim_name": "Victim",
    "victim_team_id": 9,
    "distance_m": 50.0,
}
DEATH = {
    "t": 20,
    "event_index": 100,
    "event_kind": "kill",
    "dbno_id": 7,
    "killer_account_id": "account.knocker",
    "killer_name": "Knocker",
    "killer_team_id": 1,
    "killer_is_bot": False,
    "finisher_account_id": "account.knocker",
    "victim_account_id": "account.victim",
    "victim_team_id": 9,
    "finish_damage_type_category": "Damage_Gun",
}
REVIVE = {
    "t": 15,
    "event_index": 50,
    "dbno_id": 7,
    "victim_account_id": "account.victim",
    "reviver_account_id": "account.mate",
    "reviver_name": "Mate",
    "reviver_team_id": 9,
}
FALLS = {"finish_damage_type_category": "Damage_Groggy"}
MATE_FALLS = DEATH | {"event_index": 101, "t": 20.004, "dbno_id": -1, "victim_account_id": "account.mate"}


def knocked(
    *knocks: Mapping[str, Any],
    deaths: Sequence[Mapping[str, Any]] = (),
    revives: Sequence[Mapping[str, Any]] = (),
    hits: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Knock events of hand-made kills; a negative `dbno_id` of a death is null among the kills of silver."""
    silver = [{**row, "dbno_id": None} if (row["dbno_id"] or 0) < 0 else row for row in (*knocks, *deaths)]
    frames: dict[type[Table], pl.DataFrame] = {
        t.WeaponKills: rows(t.WeaponKills, *silver),
        t.TelemetryKills: rows(t.TelemetryKills, *deaths),
        t.TelemetryRevives: rows(t.TelemetryRevives, *revives),
        t.DamageEvents: rows(t.DamageEvents, *hits),
    }
    made = run(knock_events, frames)
    return list(made.sort("occurred_at", "event_index").iter_rows(named=True))


def outcome(*deaths: Mapping[str, Any], knock_: Mapping[str, Any] = KNOCK, revives: Any = ()) -> str:
    return knocked(knock_, deaths=deaths, revives=revives)[0]["outcome"]


def test_a_finished_knock() -> None:
    (row,) = knocked(KNOCK, deaths=[DEATH])
    assert (row["outcome"], row["finished_by"], row["time_to_outcome_s"]) == ("killed", "knocker", 10)
    assert (row["ended_by_account_id"], row["ended_by_name"], row["ended_by_team_id"]) == (
        "account.knocker",
        "Knocker",
        1,
    )
    assert (row["ended_at"], row["ended_event_index"], row["ended_by_is_bot"]) == (at(20), 100, False)
    assert (row["knocker_account_id"], row["knocker_name"], row["victim_name"]) == (
        "account.knocker",
        "Knocker",
        "Victim",
    )


@pytest.mark.parametrize(
    ("death", "finished_by"),
    [
        pytest.param({"finisher_account_id": "account.x", "finisher_team_id": 1}, "knockers_team", id="a team mate"),
        pytest.param({"finisher_account_id": "account.x", "finisher_team_id": 2}, "other_team", id="another team"),
        pytest.param(
            {"finisher_account_id": "account.x", "finisher_team_id": 9}, "victims_team", id="a mate of the victim"
        ),
        pytest.param({"finisher_account_id": "account.x", "finisher_team_id": None}, None, id="of unknown team"),
        pytest.param(
            {"finisher_account_id": None, "killer_account_id": "account.x", "killer_team_id": 2},
            "other_team",
            id="the killer, where no finisher is told",
        ),
    ],
)
def test_who_finished(death: dict[str, Any], finished_by: str | None) -> None:
    (row,) = knocked(KNOCK, deaths=[DEATH | death])
    assert (row["outcome"], row["finished_by"], row["ended_by_account_id"]) == ("killed", finished_by, "account.x")


def test_killsteals_are_those_of_the_kill() -> None:
    stolen = DEATH | {"is_killsteal": True, "is_finish_stolen": True}
    assert [(row["is_killsteal"], row["is_finish_stolen"]) for row in knocked(KNOCK, deaths=[stolen])] == [(True, True)]
    assert [(row["is_killsteal"], row["is_finish_stolen"]) for row in knocked(KNOCK)] == [(False, False)]


def test_a_revived_knock() -> None:
    (row,) = knocked(KNOCK, revives=[REVIVE], deaths=[DEATH])
    assert (row["outcome"], row["ended_by_account_id"], row["ended_by_name"]) == ("revived", "account.mate", "Mate")
    assert (row["time_to_outcome_s"], row["finished_by"]) == (5, None)
    assert outcome(revives=[REVIVE | {"dbno_id": None}]) == "revived"


def test_a_knock_ends_before_the_next() -> None:
    again = KNOCK | {"t": 18, "event_index": 60}
    first, second = knocked(KNOCK, again, revives=[REVIVE], deaths=[DEATH])
    assert (first["outcome"], second["outcome"], second["time_to_outcome_s"]) == ("revived", "killed", 2)
    first, second = knocked(KNOCK, again, deaths=[DEATH])
    assert (first["outcome"], second["outcome"]) == ("none", "killed")


OF_NO_TEAM = {"victim_team_id": None}


@pytest.mark.parametrize(
    ("deaths", "expected"),
    [
        pytest.param([DEATH | {"t": 10}], "killed", id="at the instant of the knock"),
        pytest.param([DEATH | {"t": 9.999}], "none", id="before it"),
        pytest.param([DEATH | {"dbno_id": 8}], "none", id="of another knock"),
        pytest.param([DEATH | {"dbno_id": -1}], "none", id="of somebody who stood"),
        pytest.param([DEATH | {"dbno_id": None}], "killed", id="that names no knock"),
        pytest.param([DEATH | {"match_id": "other"}], "none", id="of another match"),
        pytest.param([DEATH | {"victim_account_id": "account.other"}], "none", id="of another person"),
        pytest.param([DEATH, MATE_FALLS], "killed", id="a finish when the team falls"),
        pytest.param([DEATH | FALLS, MATE_FALLS], "team_wiped", id="a standing mate falls just after"),
        pytest.param([DEATH | FALLS, MATE_FALLS | {"t": 19.996}], "team_wiped", id="just before"),
        pytest.param([DEATH | FALLS, MATE_FALLS | {"t": 20.2}], "bled_out", id="later"),
        pytest.param([DEATH | FALLS, MATE_FALLS | {"victim_team_id": 8}], "bled_out", id="of another team"),
        pytest.param([DEATH | FALLS, MATE_FALLS | {"match_id": "other"}], "bled_out", id="a mate in another match"),
        pytest.param([DEATH | FALLS | OF_NO_TEAM, MATE_FALLS | OF_NO_TEAM], "bled_out", id="nobody's team is known"),
    ],
)
def test_how_a_death_ends_a_knock(deaths: list[dict[str, Any]], expected: str) -> None:
    assert outcome(*deaths) == expected


def test_an_end_without_the_id_of_a_knock() -> None:
    assert outcome(DEATH | {"dbno_id": -1}, knock_=KNOCK | {"dbno_id": -1}) == "killed"
    assert outcome(revives=[REVIVE | {"dbno_id": 8}]) == "none"


def test_who_dies_without_a_blow_bled_out() -> None:
    (row,) = knocked(KNOCK, deaths=[DEATH | FALLS])
    assert (row["outcome"], row["ended_by_account_id"], row["finished_by"]) == ("bled_out", None, None)
    assert row["time_to_outcome_s"] == 10
    old = {"finish_damage_type_category": None, "damage_type_category": "Damage_Groggy"}
    assert outcome(DEATH | old) == "bled_out"


def test_two_knocked_who_die_together_fall_with_nobody_standing() -> None:
    mate_knocked = KNOCK | {"event_index": 2, "dbno_id": 8, "victim_account_id": "account.mate"}
    made = knocked(KNOCK, mate_knocked, deaths=[DEATH | FALLS, MATE_FALLS | FALLS | {"dbno_id": 8}])
    assert [row["outcome"] for row in made] == ["bled_out", "bled_out"]


@pytest.mark.parametrize(
    "death",
    [
        pytest.param({"finish_damage_type_category": "Damage_BlueZone"}, id="the zone"),
        pytest.param({"killer_account_id": None, "finisher_account_id": None}, id="nobody"),
        pytest.param({"finisher_account_id": "account.victim"}, id="the victim"),
    ],
)
def test_what_nobody_did_is_a_hazard(death: dict[str, Any]) -> None:
    (row,) = knocked(KNOCK, deaths=[DEATH | death])
    assert (row["outcome"], row["ended_by_account_id"], row["finished_by"]) == ("hazard", None, None)


def test_a_knock_whose_end_is_not_told() -> None:
    (row,) = knocked(KNOCK)
    assert (row["outcome"], row["ended_at"], row["time_to_outcome_s"], row["ended_event_index"]) == (
        "none",
        None,
        None,
        None,
    )


def test_bots_are_named_as_knockers_and_finishers() -> None:
    bot = {"killer_account_id": "ai.1", "killer_is_bot": True}
    (row,) = knocked(KNOCK | bot, deaths=[DEATH | bot | {"finisher_account_id": "ai.1"}])
    assert (row["knocker_is_bot"], row["ended_by_is_bot"], row["finished_by"]) == (True, True, "knocker")


def test_a_knock_is_where_the_damage_was_that_knocked() -> None:
    blow = {
        "t": 9.999,
        "attacker_account_id": "account.knocker",
        "attacker_x_m": 1.0,
        "attacker_y_m": 2.0,
        "victim_account_id": "account.victim",
        "victim_x_m": 3.0,
        "victim_y_m": 4.0,
    }

    def place(*hits: dict[str, Any]) -> tuple[float | None, ...]:
        (row,) = knocked(KNOCK, hits=hits)
        return tuple(row[f"{side}_{axis}_m"] for side in ("knocker", "victim") for axis in "xy")

    assert place(blow) == (1, 2, 3, 4)
    assert place(blow | {"victim_x_m": 9.0, "t": 9.5}, blow) == (1, 2, 3, 4)
    assert place(blow, blow | {"t": 10.001, "victim_x_m": 9.0}) == (1, 2, 3, 4)
    nowhere = (None, None, None, None)
    assert place() == nowhere
    assert place(blow | {"t": 7.9}) == nowhere
    assert place(blow | {"attacker_account_id": "account.x"}) == nowhere
    assert place(blow | {"victim_x_m": None}) == nowhere


# --------------------------------------------------------------------------- summaries of finishing


def summaries(*knocks: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    base = {
        "outcome": "none",
        "knocker_account_id": "account.k",
        "knocker_name": "K",
        "knocker_team_id": 1,
        "knocker_is_bot": False,
        "victim_account_id": "account.v",
        "victim_team_id": 9,
    }
    frames: dict[type[Table], pl.DataFrame] = {KnockEvents: rows(KnockEvents, *(base | dict(row) for row in knocks))}
    made = run(finishing_summaries, frames)
    return {row["account_id"]: row for row in made.iter_rows(named=True)}


def finished(by: str, account: str, seconds: float, team: int = 1) -> dict[str, Any]:
    return {
        "outcome": "killed",
        "finished_by": by,
        "ended_by_account_id": account,
        "ended_by_name": account[-1].upper(),
        "ended_by_team_id": team,
        "ended_by_is_bot": False,
        "time_to_outcome_s": seconds,
    }


def test_what_became_of_a_persons_knocks() -> None:
    made = summaries(
        finished("knocker", "account.k", 2),
        finished("knocker", "account.k", 4),
        finished("knockers_team", "account.m", 12),
        finished("other_team", "account.o", 50, team=2),
        finished("victims_team", "account.w", 50, team=9),
        {"outcome": "bled_out", "time_to_outcome_s": 90.0},
        {"outcome": "team_wiped"},
        {"outcome": "hazard"},
        {"outcome": "revived"},
        {"outcome": "none", "damage_reason": "HeadShot"},
        {"outcome": "revived", "victim_account_id": "ai.5", "victim_is_bot": True},
    )
    row = made["account.k"]
    assert (row["player_name"], row["team_id"], row["knocks"], row["headshot_knocks"]) == ("K", 1, 11, 1)
    assert {
        name: row[name] for name in row if name.startswith("knocks_") and not name.endswith(("_m", "distance"))
    } == {
        "knocks_finished_by_self": 2,
        "knocks_finished_by_team": 1,
        "knocks_stolen": 1,
        "knocks_finished_otherwise": 1,
        "knocks_bled_out": 1,
        "knocks_team_wiped": 1,
        "knocks_taken_by_hazard": 1,
        "knocks_revived": 2,
        "knocks_without_outcome": 1,
    }
    assert (row["avg_time_to_finish_s"], row["avg_time_to_own_finish_s"]) == (6, 3)
    keys = ("player_name", "team_id", "knocks", "team_mates_knocks_finished", "other_teams_knocks_finished")
    assert {name: tuple(made[name][key] for key in keys) for name in made if name != "account.k"} == {
        "account.m": ("M", 1, 0, 1, 0),
        "account.o": ("O", 2, 0, 0, 1),
    }


def test_knocks_by_distance() -> None:
    distances = [0, 9.99, 10, 49.99, 50, 99.99, 100, 199.99, 200, 800, None]
    row = summaries(*({"distance_m": distance} for distance in distances))["account.k"]
    bands = ("under_10_m", "10_to_50_m", "50_to_100_m", "100_to_200_m", "from_200_m", "at_unknown_distance")
    assert [row[f"knocks_{band}"] for band in bands] == [2, 2, 2, 2, 2, 1]
    assert row["max_knock_distance_m"] == 800
    assert row["avg_knock_distance_m"] == pytest.approx(sum(d for d in distances if d is not None) / 10)


@pytest.mark.parametrize(
    "given_",
    [
        pytest.param({"is_self_knock": True}, id="oneself"),
        pytest.param({"is_team_knock": True}, id="a team mate"),
        pytest.param({"knocker_account_id": None}, id="nobody"),
        pytest.param({"knocker_account_id": "ai.1", "knocker_is_bot": True}, id="a bot"),
    ],
)
def test_knocks_that_are_no_persons_of_an_enemy_do_not_count(given_: dict[str, Any]) -> None:
    assert summaries(given_) == {}


def test_finishing_what_a_bot_knocked_counts_for_the_finisher_and_a_bots_finish_for_none() -> None:
    by_bot = {"knocker_account_id": "ai.1", "knocker_is_bot": True}
    made = summaries(by_bot | finished("other_team", "account.o", 5, team=2))
    assert {name: row["other_teams_knocks_finished"] for name, row in made.items()} == {"account.o": 1}
    made = summaries(finished("other_team", "ai.2", 5, team=2) | {"ended_by_is_bot": True})
    assert {name: row["knocks_stolen"] for name, row in made.items()} == {"account.k": 1}
