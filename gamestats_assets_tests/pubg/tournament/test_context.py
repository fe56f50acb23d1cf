"""Tournament context: a whole season against its plan; days, clocks and people."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.context import (
    day_of,
    match_tournament_context,
    tournament_day,
    tournament_lineups,
)
from gamestats_assets_tests.pubg.scenario import run
from gamestats_assets_tests.pubg.tournament.evening import (
    EVENING,
    ROUND,
    SLOT,
    USUAL,
    entry,
    lined_up,
    override,
    placed,
    slot,
    status,
)
from gamestats_assets_tests.pubg.tournament.season import (
    SEASON,
    SimulatedSeason,
    round_named,
)
from gamestats_assets_tests.support.frames import Frames

# --------------------------------------------------------------------------- a whole season


@pytest.fixture(scope="module")
def season() -> SimulatedSeason:
    return SimulatedSeason()


@pytest.fixture(scope="module")
def frames(season: SimulatedSeason) -> Frames:
    return season.frames()


@pytest.fixture(scope="module")
def context(frames: Frames) -> pl.DataFrame:
    return run(match_tournament_context, frames)


@pytest.mark.parametrize("moved", [True, False])
def test_every_match_of_a_season_is_placed_as_planned(moved: bool) -> None:
    planned = SimulatedSeason(seed=3, moved=moved)
    found = {row["match_id"]: row for row in run(match_tournament_context, planned.frames()).to_dicts()}
    assert found.keys() == planned.contexts().keys()
    for match_id, truth in planned.contexts().items():
        row = found[match_id]
        assert row["validation_status"] == truth.status, match_id
        assert row["is_tournament_match"] == truth.is_tournament, match_id
        assert (row["division_id"], row["round_id"], row["scheduled_match_id"]) == (
            truth.division,
            truth.round,
            truth.slot,
        ), match_id
        assert {name: row[name] for name in ("round_number", "round_name")} == round_named(truth.round), match_id
        assert row["is_overridden"] == truth.overridden, match_id
        assert row["season"] == SEASON
        offset = row["slot_offset_s"]
        assert (offset is None) == (truth.offset_min is None), match_id
        assert offset is None or offset / 60 == pytest.approx(truth.offset_min), match_id


def test_everybody_plays_for_the_planned_team(season: SimulatedSeason, frames: Frames) -> None:
    lineups = run(tournament_lineups, frames)
    found = {(match, who): team for match, who, team in lineups["match_id", "account_id", "team_id"].iter_rows()}
    planned = {
        (game.match_id, person.account): person.team
        for game in season.games
        for person in game.people
        if game.truth is not None and person.team is not None
    }
    assert found == planned
    assert lineups.schema == t.TournamentLineups.schema()
    assert screen(t.TournamentLineups, lineups).rejections == []


def test_changed_roster_touches_the_matches_of_its_days_and_no_others(frames: Frames, context: pl.DataFrame) -> None:
    entries = frames[t.RosterEntries].filter(pl.col("role") != "stand_in")
    changed = run(match_tournament_context, {**frames, t.RosterEntries: entries})
    same = context.join(changed, on=context.columns, how="semi", nulls_equal=True)
    touched = set(context["match_id"]) - set(same["match_id"])
    assert touched == {"broken", *(f"d1r1m{n}" for n in range(1, 7))}
    assert set(changed.filter(pl.col("match_id").is_in(list(touched)))["validation_status"]) == {"mixed_division"}


@given(data=st.data())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_context_of_a_day_needs_its_neighbours_and_no_other_days(
    frames: Frames, context: pl.DataFrame, data: st.DataObject
) -> None:
    days = sorted(set(frames[t.MatchFacts]["match_date"]))
    day = data.draw(st.sampled_from(days))
    near = {day + timedelta(days=n) for n in (-1, 0, 1)}
    given_ = near | set(data.draw(st.lists(st.sampled_from(days))))
    some = {
        table: frames[table].filter(pl.col("match_date").is_in(given_)) for table in (t.MatchFacts, t.MatchSummaries)
    }
    found = run(match_tournament_context, {**frames, **some}).filter(pl.col("match_date") == day)
    assert_frame_equal(found, context.filter(pl.col("match_date") == day), check_row_order=False)


# --------------------------------------------------------------------------- one evening, rule by rule


def test_usual_evening_is_confirmed() -> None:
    row = placed()["m"]
    assert (row["validation_status"], row["season"], row["division"], row["group_name"]) == (
        "confirmed",
        "spring",
        "Div 1",
        None,
    )
    assert (row["round_id"], row["scheduled_match_id"], row["match_number"], row["slot_offset_s"]) == (1, 1, 1, 0.0)
    assert (row["team_count"], row["tournament_players"], row["unmatched_player_count"]) == (4, 4, 0)
    assert row["lobby"] == "Div 1: 4"


SEVENTH: dict[type[Table], list[dict[str, Any]]] = {
    t.Rounds: [{**ROUND, "round_id": 7, "round_number": 2, "round_name": "Semi-final"}],
    t.ScheduledMatches: [slot(1, 0, round_id=7)],
}


@pytest.mark.parametrize(
    "entered",
    [
        pytest.param({}, id="by its slot"),
        pytest.param({t.ScheduledMatches: []}, id="by its day"),
        pytest.param(
            {
                t.Rounds: [{**SEVENTH[t.Rounds][0], "status": "cancelled"}],
                t.ScheduledMatches: [],
                t.MatchOverrides: [override(round_id=7)],
            },
            id="by hand, though it is cancelled",
        ),
        pytest.param(
            {t.ScheduledMatches: [slot(1, 0, round_id=7, is_remake=True, original_match_id="m")]}, id="as it failed"
        ),
    ],
)
def test_round_is_told_with_its_number_and_name(entered: dict[type[Table], Any]) -> None:
    row = placed(entered={**SEVENTH, **entered})["m"]
    assert (row["round_id"], row["round_number"], row["round_name"]) == (7, 2, "Semi-final")


# days and clocks


@pytest.mark.parametrize(
    ("zone", "at", "day"),
    [
        ("Europe/Berlin", datetime(2026, 3, 14, 22, 59, tzinfo=UTC), date(2026, 3, 14)),
        ("Europe/Berlin", datetime(2026, 3, 14, 23, 20, tzinfo=UTC), date(2026, 3, 14)),  # 00:20 on the 15th
        ("Europe/Berlin", datetime(2026, 3, 15, 3, 59, tzinfo=UTC), date(2026, 3, 14)),
        ("Europe/Berlin", datetime(2026, 3, 15, 4, 0, tzinfo=UTC), date(2026, 3, 15)),
        # Clocks go back on 2026-10-25 at 01:00 UTC and forward on 2026-03-29: the day begins at five by the clock.
        ("Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), date(2026, 10, 24)),
        ("Europe/Berlin", datetime(2026, 10, 25, 1, 30, tzinfo=UTC), date(2026, 10, 24)),
        ("Europe/Berlin", datetime(2026, 10, 25, 3, 59, tzinfo=UTC), date(2026, 10, 24)),
        ("Europe/Berlin", datetime(2026, 10, 25, 4, 0, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Berlin", datetime(2026, 3, 29, 2, 59, tzinfo=UTC), date(2026, 3, 28)),
        ("Europe/Berlin", datetime(2026, 3, 29, 3, 0, tzinfo=UTC), date(2026, 3, 29)),
        ("America/Los_Angeles", datetime(2026, 3, 15, 3, 0, tzinfo=UTC), date(2026, 3, 14)),  # 20:00 on the 14th
        ("Asia/Seoul", datetime(2026, 3, 14, 19, 59, tzinfo=UTC), date(2026, 3, 14)),  # 04:59 on the 15th
        ("Asia/Seoul", datetime(2026, 3, 14, 20, 0, tzinfo=UTC), date(2026, 3, 15)),
        ("UTC", datetime(2026, 3, 15, 0, 20, tzinfo=UTC), date(2026, 3, 14)),
    ],
)
def test_tournament_day_lasts_until_five_by_the_local_clock(zone: str, at: datetime, day: date) -> None:
    frame = pl.DataFrame({"at": [at, None], "zone": [zone, None]}, schema={"at": pl.Datetime("us", "UTC"), "zone": str})
    assert frame.select(tournament_day("at", "zone")).to_series().to_list() == [day, None]
    assert day_of(at, ZoneInfo(zone)) == day


@pytest.mark.parametrize(("minutes", "round_id"), [(-901, None), (-900, 1), (260, 1), (539, 1), (540, None)])
def test_round_is_that_of_the_tournament_day(minutes: float, round_id: int | None) -> None:
    """The evening began at 20:00, so 05:00 was 900 minutes before it and will be 540 minutes after it."""
    row = placed({"minutes": minutes}, entered={t.ScheduledMatches: []})["m"]
    assert (row["validation_status"], row["round_id"]) == ("unscheduled", round_id)


@pytest.mark.parametrize("zone", ["europe/berlin", "Europe/Berlin2", "Europa/Berlin-1"])
def test_season_of_an_unknown_time_zone_has_no_rounds_and_leaves_the_others_alone(zone: str) -> None:
    """Teams 5 to 8 play in a season of their own, whose round and slot are of this very evening."""
    wrong = {**USUAL[t.Seasons][0], "season_id": 2, "season": "wrong", "time_zone": zone}
    entered = {
        t.Seasons: [USUAL[t.Seasons][0], wrong],
        t.Divisions: [USUAL[t.Divisions][0], {"division_id": 2, "season_id": 2, "division": "Div 2"}],
        t.Rounds: [ROUND, {**ROUND, "round_id": 2, "division_id": 2}],
        t.ScheduledMatches: [SLOT, slot(2, 0, round_id=2)],
    }
    of_wrong = {"match_id": "n", "of_teams": range(5, 9)}
    found = placed({}, of_wrong, entered=entered)
    assert found["m"] == placed(entered={**entered, t.Seasons: [USUAL[t.Seasons][0]]})["m"]
    assert (found["m"]["validation_status"], found["m"]["scheduled_match_id"]) == ("confirmed", 1)
    row = found["n"]
    assert (row["season"], row["division"], row["team_count"]) == ("wrong", "Div 2", 4)
    assert (row["validation_status"], row["round_id"], row["scheduled_match_id"]) == ("unscheduled", None, None)
    by_hand = placed(of_wrong, entered={**entered, t.MatchOverrides: [override("n", scheduled_match_id=2)]})["n"]
    assert (by_hand["validation_status"], by_hand["round_id"]) == ("confirmed", 2)


def test_slot_after_midnight_belongs_to_the_evening() -> None:
    row = placed({"minutes": 262}, entered={t.ScheduledMatches: [slot(1, 260)]})["m"]
    assert (row["validation_status"], row["scheduled_match_id"], row["slot_offset_s"]) == ("confirmed", 1, 120.0)


def test_match_and_slot_of_two_evenings_do_not_meet() -> None:
    """04:50 is of one evening and 05:10 of the next, near as they are."""
    assert status({"minutes": 530}, entered={t.ScheduledMatches: [slot(1, 550)]}) == "unscheduled"


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "players"),
    [
        (date(2026, 3, 14), date(2026, 3, 14), 4),
        (date(2026, 3, 15), None, 3),
        (date(2026, 3, 1), date(2026, 3, 13), 3),
        (date(2026, 3, 1), None, 4),
    ],
)
def test_roster_entry_holds_on_its_days_until_the_night_is_over(
    valid_from: date, valid_until: date | None, players: int
) -> None:
    changed = {**USUAL[t.RosterEntries][0], "valid_from": valid_from, "valid_until": valid_until}
    row = placed({"minutes": 260}, entered={t.RosterEntries: [changed, *USUAL[t.RosterEntries][1:]]})["m"]
    assert (row["tournament_players"], row["unmatched_player_count"]) == (players, 4 - players)


# people


@pytest.mark.parametrize(
    ("changes", "players"),
    [
        pytest.param({"account_id": None, "player_name": "p1"}, 4, id="a name in any case, without account"),
        pytest.param({"account_id": None, "player_name": "p11"}, 3, id="another name"),
        pytest.param({"account_id": "account.other"}, 3, id="the name of another account"),
        pytest.param({"player_name": "OldName"}, 4, id="an account whose name has changed"),
    ],
)
def test_account_decides_and_the_name_only_without_one(changes: dict[str, Any], players: int) -> None:
    changed = {**USUAL[t.RosterEntries][0], **changes}
    row = placed(entered={t.RosterEntries: [changed, *USUAL[t.RosterEntries][1:]]})["m"]
    assert row["tournament_players"] == players


@pytest.mark.parametrize(("shard", "players"), [("steam", 4), ("Steam", 4), (None, 4), ("psn", 3)])
def test_name_holds_on_the_seasons_shard(shard: str | None, players: int) -> None:
    nameless = {**USUAL[t.RosterEntries][0], "account_id": None}
    row = placed({"shard_id": shard}, entered={t.RosterEntries: [nameless, *USUAL[t.RosterEntries][1:]]})["m"]
    assert row["tournament_players"] == players


def test_regular_of_one_division_who_stands_in_for_another_counts_where_the_match_is() -> None:
    """Player 5 of division 2 stands in for team 1 on this day, and plays for the own team too."""
    more = [*USUAL[t.RosterEntries], entry(90, 1, "5", role="stand_in")]
    first = {"people": {"5": 1, "2": 2, "3": 3, "4": 4}}
    second = {"match_id": "n", "minutes": 200, "people": {"5": 5, "6": 6, "7": 7, "8": 8}}
    later = {**ROUND, "round_id": 2, "division_id": 2}
    entered = {t.RosterEntries: more, t.Rounds: [ROUND, later]}
    both = placed(first, second, entered=entered)
    assert [both[m]["division_id"] for m in "mn"] == [1, 2]
    assert [both[m]["round_id"] for m in "mn"] == [1, 2]
    assert lined_up(first, entered=entered)["account.5"] == 1
    assert lined_up(second, entered=entered)["account.5"] == 5


def test_player_of_two_teams_counts_for_the_one_on_whose_side_the_others_are() -> None:
    more = [*USUAL[t.RosterEntries], entry(90, 2, "1"), entry(91, 1, "91"), entry(92, 2, "92")]
    people = {"1": 7, "91": 7, "2": 8, "92": 8, "3": 9}
    assert lined_up({"people": people}, entered={t.RosterEntries: more})["account.1"] == 1
    assert lined_up({"people": {**people, "1": 8}}, entered={t.RosterEntries: more})["account.1"] == 2


def test_stand_in_comes_before_the_regular_place_where_nothing_else_decides() -> None:
    more = [*USUAL[t.RosterEntries], entry(90, 2, "1", role="stand_in")]
    assert lined_up({"people": {"1": 9, "3": 3, "4": 4}}, entered={t.RosterEntries: more})["account.1"] == 2


def _second_season(**season: Any) -> dict[type[Table], list[dict[str, Any]]]:
    """A season with the same players in teams 11 to 14 of division 11, entered before season 1."""
    other = {**USUAL[t.Seasons][0], "season_id": 0, "season": "cup", **season}
    return {
        t.Seasons: [*USUAL[t.Seasons], other],
        t.Divisions: [{"division_id": 0, "season_id": 0, "division": "Cup"}, *USUAL[t.Divisions]],
        t.Teams: [
            *USUAL[t.Teams],
            *({"team_id": 10 + n, "division_id": 0, "team_name": f"Cup {n}"} for n in range(1, 5)),
        ],
        t.RosterEntries: [*USUAL[t.RosterEntries], *(entry(100 + n, 10 + n, str(n)) for n in range(1, 5))],
    }


def test_of_two_seasons_the_one_that_plays_that_evening_has_the_match() -> None:
    cup_round = {
        **ROUND,
        "round_id": 2,
        "division_id": 0,
        "first_day": date(2026, 3, 20),
        "last_day": date(2026, 3, 20),
    }
    both = {**_second_season(), t.Rounds: [ROUND, cup_round]}
    found = placed({}, {"match_id": "n", "at": EVENING + timedelta(days=6)}, entered=both)
    assert (found["m"]["season"], found["m"]["round_id"]) == ("spring", 1)
    assert (found["n"]["season"], found["n"]["round_id"]) == ("cup", 2)


def test_of_two_seasons_the_one_of_the_matchs_shard_has_it() -> None:
    found = placed({"shard_id": "kakao"}, entered=_second_season(shard="kakao"))
    assert found["m"]["season"] == "cup"


def test_of_two_seasons_the_one_with_most_of_the_people_has_it() -> None:
    both = {**_second_season(), t.Rounds: [], t.ScheduledMatches: []}
    both[t.RosterEntries] = [each for each in both[t.RosterEntries] if each["roster_entry_id"] != 4]
    assert placed(entered=both)["m"]["season"] == "cup"


def test_of_two_seasons_alike_in_everything_the_division_entered_last_has_it() -> None:
    both = {**_second_season(), t.Rounds: [], t.ScheduledMatches: []}
    assert placed(entered=both)["m"]["season"] == "spring"


def test_seasons_with_other_players_run_side_by_side() -> None:
    """Division 2 as a season of its own in Seoul, on the same instant."""
    seoul = {**USUAL[t.Seasons][0], "season_id": 2, "season": "seoul", "time_zone": "Asia/Seoul", "minimum_teams": 2}
    day = date(2026, 3, 14)  # 04:00 on the 15th, still the night of the 14th
    entered = {
        t.Seasons: [*USUAL[t.Seasons], seoul],
        t.Divisions: [USUAL[t.Divisions][0], {"division_id": 2, "season_id": 2, "division": "Seoul"}],
        t.Rounds: [ROUND, {**ROUND, "round_id": 2, "division_id": 2, "first_day": day, "last_day": day}],
        t.ScheduledMatches: [SLOT, slot(2, 0, round_id=2)],
    }
    found = placed({}, {"match_id": "n", "of_teams": range(5, 7)}, entered=entered)
    assert [(found[m]["season"], found[m]["scheduled_match_id"]) for m in "mn"] == [("spring", 1), ("seoul", 2)]
