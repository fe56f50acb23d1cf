"""Tournament context: a whole season against its plan, and every rule by itself."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.quality import screen, table_inputs
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.matches.tables import MatchFacts, MatchSummaries
from gamestats_assets.pubg.tournament.context import (
    day_of,
    match_tournament_context,
    tournament_day,
    tournament_lineups,
)
from gamestats_assets.pubg.tournament.tables import (
    Divisions,
    Groups,
    MatchOverrides,
    MatchTournamentContext,
    RosterEntries,
    Rounds,
    ScheduledMatches,
    Seasons,
    Teams,
    TournamentLineups,
)
from gamestats_assets_tests.pubg.scenario import rows
from gamestats_assets_tests.pubg.tournament.season import SEASON, SimulatedSeason, account, round_named, run, slot_of
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


def test_people_and_teams_are_those_of_the_plan(season: SimulatedSeason, context: pl.DataFrame) -> None:
    found = {row["match_id"]: row for row in context.to_dicts()}
    for game in season.games:
        if game.truth is not None:
            row = found[game.match_id]
            on_rosters = [person.team for person in game.people if person.team is not None]
            assert row["team_count"] == len(set(on_rosters)), game.match_id
            assert row["tournament_players"] == len(on_rosters), game.match_id
            assert row["unmatched_player_count"] == len(game.people) - len(on_rosters), game.match_id


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
    assert lineups.schema == TournamentLineups.schema()
    assert screen(TournamentLineups, lineups).rejections == []


def test_context_keeps_its_declaration(context: pl.DataFrame) -> None:
    assert context.schema == MatchTournamentContext.schema()
    assert screen(MatchTournamentContext, context).rejections == []


def test_overrides_are_told_with_reason_and_admin(context: pl.DataFrame) -> None:
    told = context.filter("is_overridden").select("match_id", "override_reason", "override_admin").sort("match_id")
    assert told.rows() == [
        ("d1r3m4", "about d1r3m4", "kim"),
        ("d2r3m2", "about d2r3m2", "kim"),
        ("for-fun", "about for-fun", "kim"),
    ]


def test_changed_schedule_places_the_affected_matches_anew_and_no_others() -> None:
    before, after = (
        run(match_tournament_context, SimulatedSeason(moved=moved).frames()).sort("match_id") for moved in (False, True)
    )
    differing = {
        first["match_id"] for first, second in zip(before.to_dicts(), after.to_dicts(), strict=True) if first != second
    }
    assert differing == {"d2r2m5", "d2r2m6"}


def test_changed_roster_touches_the_matches_of_its_days_and_no_others(frames: Frames, context: pl.DataFrame) -> None:
    entries = frames[RosterEntries].filter(pl.col("role") != "stand_in")
    changed = run(match_tournament_context, {**frames, RosterEntries: entries})
    same = context.join(changed, on=context.columns, how="semi", nulls_equal=True)
    touched = set(context["match_id"]) - set(same["match_id"])
    assert touched == {"broken", *(f"d1r1m{n}" for n in range(1, 7))}
    assert set(changed.filter(pl.col("match_id").is_in(list(touched)))["validation_status"]) == {"mixed_division"}


def test_new_override_touches_its_match_and_the_one_it_takes_the_slot_from(
    frames: Frames, context: pl.DataFrame
) -> None:
    given_ = rows(MatchOverrides, override("second-in-slot", scheduled_match_id=slot_of(1, 2, 2)))
    changed = run(match_tournament_context, {**frames, MatchOverrides: pl.concat([frames[MatchOverrides], given_])})
    same = context.join(changed, on=context.columns, how="semi", nulls_equal=True)
    assert set(context["match_id"]) - set(same["match_id"]) == {"second-in-slot", "d1r2m2"}


@given(order=st.randoms(use_true_random=False), twice=st.booleans())
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_context_depends_neither_on_order_nor_on_seeing_matches_twice(
    frames: Frames, context: pl.DataFrame, order: random.Random, twice: bool
) -> None:
    given_ = dict(frames)
    if twice:
        given_ |= {table: pl.concat([frames[table]] * 2) for table in (MatchFacts, MatchSummaries)}
    shuffled = {
        table: frame.sample(fraction=1, shuffle=True, seed=order.getrandbits(32)) for table, frame in given_.items()
    }
    assert_frame_equal(run(match_tournament_context, shuffled), context, check_row_order=False)


@given(data=st.data())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_context_of_a_day_needs_its_neighbours_and_no_other_days(
    frames: Frames, context: pl.DataFrame, data: st.DataObject
) -> None:
    days = sorted(set(frames[MatchFacts]["match_date"]))
    day = data.draw(st.sampled_from(days))
    near = {day + timedelta(days=n) for n in (-1, 0, 1)}
    given_ = near | set(data.draw(st.lists(st.sampled_from(days))))
    some = {table: frames[table].filter(pl.col("match_date").is_in(given_)) for table in (MatchFacts, MatchSummaries)}
    found = run(match_tournament_context, {**frames, **some}).filter(pl.col("match_date") == day)
    assert_frame_equal(found, context.filter(pl.col("match_date") == day), check_row_order=False)


def test_nothing_entered_and_nothing_played_give_no_rows(frames: Frames) -> None:
    nobody = {table: frame.clear() for table, frame in frames.items()}
    assert run(match_tournament_context, nobody).is_empty()
    assert run(match_tournament_context, {**nobody, MatchFacts: frames[MatchFacts]}).is_empty()


# --------------------------------------------------------------------------- one evening, rule by rule

EVENING = datetime(2026, 3, 14, 19, 0, tzinfo=UTC)
"""20:00 in Berlin."""
PLAYER = {"role": "player", "valid_from": date(2026, 1, 1)}
USUAL: dict[type[Table], list[dict[str, Any]]] = {
    Seasons: [
        {
            "season_id": 1,
            "season": "spring",
            "shard": "steam",
            "time_zone": "Europe/Berlin",
            "placement_points": [10],
            "kill_points": 1,
            "tie_breakers": ["wins"],
            "minimum_teams": 3,
            "slot_window_min": 30,
        }
    ],
    Divisions: [{"division_id": n, "season_id": 1, "division": f"Div {n}"} for n in (1, 2)],
    Groups: [{"group_id": n, "division_id": 1, "group_name": "AB"[n - 1]} for n in (1, 2)],
    # Teams 1 to 4 are of division 1, teams 5 to 8 of division 2.
    Teams: [{"team_id": n, "division_id": 1 + (n > 4), "team_name": f"Team {n}"} for n in range(1, 9)],
    RosterEntries: [
        {"roster_entry_id": n, "team_id": n, "account_id": f"account.{n}", "player_name": f"P{n}", **PLAYER}
        for n in range(1, 9)
    ],
    Rounds: [
        {
            "round_id": 1,
            "division_id": 1,
            "round_number": 1,
            "first_day": EVENING.date(),
            "last_day": EVENING.date(),
            "status": "active",
        }
    ],
    ScheduledMatches: [
        {"scheduled_match_id": 1, "round_id": 1, "match_number": 1, "scheduled_at": EVENING, "status": "scheduled"}
    ],
    MatchOverrides: [],
}
SLOT = USUAL[ScheduledMatches][0]
ROUND = USUAL[Rounds][0]


def slot(number: int, minutes: float, **other: Any) -> dict[str, Any]:
    """A slot some minutes after the evening began."""
    at = EVENING + timedelta(minutes=minutes)
    return {**SLOT, "scheduled_match_id": number, "match_number": number, "scheduled_at": at, **other}


def override(match_id: str = "m", **values: Any) -> dict[str, Any]:
    return {"match_id": match_id, "reason": "why", "admin": "kim", **values}


def entry(number: int, team: int, who: str, **other: Any) -> dict[str, Any]:
    return {
        "roster_entry_id": number,
        "team_id": team,
        "account_id": f"account.{who}",
        "player_name": f"P{who}",
        **PLAYER,
        **other,
    }


def placed(
    *matches: Mapping[str, Any], entered: Mapping[type[Table], Sequence[Mapping[str, Any]]] | None = None
) -> dict[str, dict[str, Any]]:
    """Contexts by match.

    A match is given by `minutes` after the evening began (or `at`), and `of_teams` or `people` as account: side.
    """
    found = run(match_tournament_context, _played(matches, entered or {}))
    return {row["match_id"]: row for row in found.to_dicts()}


def lined_up(*matches: Mapping[str, Any], entered: Mapping[type[Table], Sequence[Mapping[str, Any]]]) -> dict[str, int]:
    """Teams by account."""
    found = run(tournament_lineups, _played(matches, entered))
    return dict(found["account_id", "team_id"].iter_rows())


def _played(matches: Sequence[Mapping[str, Any]], entered: Mapping[type[Table], Sequence[Mapping[str, Any]]]) -> Frames:
    all_matches: list[dict[str, Any]] = []
    summaries: list[dict[str, Any]] = []
    for match in matches or ({},):
        at = match.get("at", EVENING + timedelta(minutes=match.get("minutes", 0)))
        of = {"match_id": match.get("match_id", "m"), "match_date": at.date()}
        usual = {"map_id": "Baltic_Main", "map_name": "Erangel", "match_type": "custom", "shard_id": "steam"}
        all_matches.append({**usual, **match, **of, "started_at": at})
        people = match.get("people", {str(n): n for n in match.get("of_teams", range(1, 5))})
        summaries += [
            {**of, "account_id": f"account.{who}", "player_name": f"P{who}", "team_id": side}
            for who, side in people.items()
        ]
    given_ = {**USUAL, **entered}
    return {
        MatchFacts: rows(MatchFacts, *all_matches),
        MatchSummaries: rows(MatchSummaries, *summaries),
        **{table: rows(table, *given_[table]) for table in USUAL},
    }


def status(*matches: Mapping[str, Any], **entered: Any) -> str:
    return placed(*matches, **entered)["m"]["validation_status"]


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
    Rounds: [{**ROUND, "round_id": 7, "round_number": 2, "round_name": "Semi-final"}],
    ScheduledMatches: [slot(1, 0, round_id=7)],
}


@pytest.mark.parametrize(
    "entered",
    [
        pytest.param({}, id="by its slot"),
        pytest.param({ScheduledMatches: []}, id="by its day"),
        pytest.param(
            {
                Rounds: [{**SEVENTH[Rounds][0], "status": "cancelled"}],
                ScheduledMatches: [],
                MatchOverrides: [override(round_id=7)],
            },
            id="by hand, though it is cancelled",
        ),
        pytest.param(
            {ScheduledMatches: [slot(1, 0, round_id=7, is_remake=True, original_match_id="m")]}, id="as it failed"
        ),
    ],
)
def test_round_is_told_with_its_number_and_name(entered: dict[type[Table], Any]) -> None:
    row = placed(entered={**SEVENTH, **entered})["m"]
    assert (row["round_id"], row["round_number"], row["round_name"]) == (7, 2, "Semi-final")


def test_match_without_a_round_tells_none() -> None:
    for found in (placed(entered={Rounds: []}), placed({"of_teams": [1, 2]}, entered=SEVENTH)):
        row = found["m"]
        assert (row["round_id"], row["round_number"], row["round_name"]) == (None, None, None)


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


def test_tournament_day_is_told_in_each_seasons_own_zone() -> None:
    at = datetime(2026, 3, 15, 6, 0, tzinfo=UTC)
    frame = pl.DataFrame({"at": [at, at], "zone": ["Asia/Seoul", "America/Los_Angeles"]}).cast(
        {"at": pl.Datetime("us", "UTC")}
    )
    days = frame.lazy().select(tournament_day("at", "zone")).collect().to_series().to_list()
    assert days == [date(2026, 3, 15), date(2026, 3, 14)]


@pytest.mark.parametrize(("minutes", "round_id"), [(-901, None), (-900, 1), (260, 1), (539, 1), (540, None)])
def test_round_is_that_of_the_tournament_day(minutes: float, round_id: int | None) -> None:
    """The evening began at 20:00, so 05:00 was 900 minutes before it and will be 540 minutes after it."""
    row = placed({"minutes": minutes}, entered={ScheduledMatches: []})["m"]
    assert (row["validation_status"], row["round_id"]) == ("unscheduled", round_id)


@pytest.mark.parametrize("zone", ["europe/berlin", "Europe/Berlin2", "Europa/Berlin-1"])
def test_season_of_an_unknown_time_zone_has_no_rounds_and_leaves_the_others_alone(zone: str) -> None:
    """Teams 5 to 8 play in a season of their own, whose round and slot are of this very evening."""
    wrong = {**USUAL[Seasons][0], "season_id": 2, "season": "wrong", "time_zone": zone}
    entered = {
        Seasons: [USUAL[Seasons][0], wrong],
        Divisions: [USUAL[Divisions][0], {"division_id": 2, "season_id": 2, "division": "Div 2"}],
        Rounds: [ROUND, {**ROUND, "round_id": 2, "division_id": 2}],
        ScheduledMatches: [SLOT, slot(2, 0, round_id=2)],
    }
    of_wrong = {"match_id": "n", "of_teams": range(5, 9)}
    found = placed({}, of_wrong, entered=entered)
    assert found["m"] == placed(entered={**entered, Seasons: [USUAL[Seasons][0]]})["m"]
    assert (found["m"]["validation_status"], found["m"]["scheduled_match_id"]) == ("confirmed", 1)
    row = found["n"]
    assert (row["season"], row["division"], row["team_count"]) == ("wrong", "Div 2", 4)
    assert (row["validation_status"], row["round_id"], row["scheduled_match_id"]) == ("unscheduled", None, None)
    by_hand = placed(of_wrong, entered={**entered, MatchOverrides: [override("n", scheduled_match_id=2)]})["n"]
    assert (by_hand["validation_status"], by_hand["round_id"]) == ("confirmed", 2)


def test_tournament_day_is_unknown_in_a_zone_that_is_none() -> None:
    at = datetime(2026, 3, 14, 19, tzinfo=UTC)
    frame = pl.DataFrame({"at": [at, at], "zone": ["Europe/Berlin2", "UTC"]}).cast({"at": pl.Datetime("us", "UTC")})
    days = frame.lazy().select(tournament_day("at", "zone")).collect().to_series().to_list()
    assert days == [None, date(2026, 3, 14)]


def test_slot_after_midnight_belongs_to_the_evening() -> None:
    row = placed({"minutes": 262}, entered={ScheduledMatches: [slot(1, 260)]})["m"]
    assert (row["validation_status"], row["scheduled_match_id"], row["slot_offset_s"]) == ("confirmed", 1, 120.0)


def test_match_and_slot_of_two_evenings_do_not_meet() -> None:
    """04:50 is of one evening and 05:10 of the next, near as they are."""
    assert status({"minutes": 530}, entered={ScheduledMatches: [slot(1, 550)]}) == "unscheduled"


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
    changed = {**USUAL[RosterEntries][0], "valid_from": valid_from, "valid_until": valid_until}
    row = placed({"minutes": 260}, entered={RosterEntries: [changed, *USUAL[RosterEntries][1:]]})["m"]
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
    changed = {**USUAL[RosterEntries][0], **changes}
    row = placed(entered={RosterEntries: [changed, *USUAL[RosterEntries][1:]]})["m"]
    assert row["tournament_players"] == players


@pytest.mark.parametrize(("shard", "players"), [("steam", 4), ("Steam", 4), (None, 4), ("psn", 3)])
def test_name_holds_on_the_seasons_shard(shard: str | None, players: int) -> None:
    nameless = {**USUAL[RosterEntries][0], "account_id": None}
    row = placed({"shard_id": shard}, entered={RosterEntries: [nameless, *USUAL[RosterEntries][1:]]})["m"]
    assert row["tournament_players"] == players


@pytest.mark.parametrize("role", ["substitute", "stand_in", "player"])
def test_whoever_is_on_the_roster_counts_as_the_team(role: str) -> None:
    more = [*USUAL[RosterEntries], entry(90, 1, "90", role=role)]
    row = placed({"people": {"1": 1, "90": 1, "2": 2, "3": 3}}, entered={RosterEntries: more})["m"]
    assert (row["team_count"], row["tournament_players"], row["validation_status"]) == (3, 4, "confirmed")


def test_regular_of_one_division_who_stands_in_for_another_counts_where_the_match_is() -> None:
    """Player 5 of division 2 stands in for team 1 on this day, and plays for the own team too."""
    more = [*USUAL[RosterEntries], entry(90, 1, "5", role="stand_in")]
    first = {"people": {"5": 1, "2": 2, "3": 3, "4": 4}}
    second = {"match_id": "n", "minutes": 200, "people": {"5": 5, "6": 6, "7": 7, "8": 8}}
    later = {**ROUND, "round_id": 2, "division_id": 2}
    entered = {RosterEntries: more, Rounds: [ROUND, later]}
    both = placed(first, second, entered=entered)
    assert [both[m]["division_id"] for m in "mn"] == [1, 2]
    assert [both[m]["round_id"] for m in "mn"] == [1, 2]
    assert lined_up(first, entered=entered)["account.5"] == 1
    assert lined_up(second, entered=entered)["account.5"] == 5


def test_player_of_two_teams_counts_for_the_one_on_whose_side_the_others_are() -> None:
    more = [*USUAL[RosterEntries], entry(90, 2, "1"), entry(91, 1, "91"), entry(92, 2, "92")]
    people = {"1": 7, "91": 7, "2": 8, "92": 8, "3": 9}
    assert lined_up({"people": people}, entered={RosterEntries: more})["account.1"] == 1
    assert lined_up({"people": {**people, "1": 8}}, entered={RosterEntries: more})["account.1"] == 2


def test_stand_in_comes_before_the_regular_place_where_nothing_else_decides() -> None:
    more = [*USUAL[RosterEntries], entry(90, 2, "1", role="stand_in")]
    assert lined_up({"people": {"1": 9, "3": 3, "4": 4}}, entered={RosterEntries: more})["account.1"] == 2


def _second_season(**season: Any) -> dict[type[Table], list[dict[str, Any]]]:
    """A season with the same players in teams 11 to 14 of division 11, entered before season 1."""
    other = {**USUAL[Seasons][0], "season_id": 0, "season": "cup", **season}
    return {
        Seasons: [*USUAL[Seasons], other],
        Divisions: [{"division_id": 0, "season_id": 0, "division": "Cup"}, *USUAL[Divisions]],
        Teams: [
            *USUAL[Teams],
            *({"team_id": 10 + n, "division_id": 0, "team_name": f"Cup {n}"} for n in range(1, 5)),
        ],
        RosterEntries: [*USUAL[RosterEntries], *(entry(100 + n, 10 + n, str(n)) for n in range(1, 5))],
    }


def test_of_two_seasons_the_one_that_plays_that_evening_has_the_match() -> None:
    cup_round = {
        **ROUND,
        "round_id": 2,
        "division_id": 0,
        "first_day": date(2026, 3, 20),
        "last_day": date(2026, 3, 20),
    }
    both = {**_second_season(), Rounds: [ROUND, cup_round]}
    found = placed({}, {"match_id": "n", "at": EVENING + timedelta(days=6)}, entered=both)
    assert (found["m"]["season"], found["m"]["round_id"]) == ("spring", 1)
    assert (found["n"]["season"], found["n"]["round_id"]) == ("cup", 2)


def test_of_two_seasons_the_one_of_the_matchs_shard_has_it() -> None:
    found = placed({"shard_id": "kakao"}, entered=_second_season(shard="kakao"))
    assert found["m"]["season"] == "cup"


def test_of_two_seasons_the_one_with_most_of_the_people_has_it() -> None:
    both = {**_second_season(), Rounds: [], ScheduledMatches: []}
    both[RosterEntries] = [each for each in both[RosterEntries] if each["roster_entry_id"] != 4]
    assert placed(entered=both)["m"]["season"] == "cup"


def test_of_two_seasons_alike_in_everything_the_division_entered_last_has_it() -> None:
    both = {**_second_season(), Rounds: [], ScheduledMatches: []}
    assert placed(entered=both)["m"]["season"] == "spring"


def test_seasons_with_other_players_run_side_by_side() -> None:
    """Division 2 as a season of its own in Seoul, on the same instant."""
    seoul = {**USUAL[Seasons][0], "season_id": 2, "season": "seoul", "time_zone": "Asia/Seoul", "minimum_teams": 2}
    day = date(2026, 3, 14)  # 04:00 on the 15th, still the night of the 14th
    entered = {
        Seasons: [*USUAL[Seasons], seoul],
        Divisions: [USUAL[Divisions][0], {"division_id": 2, "season_id": 2, "division": "Seoul"}],
        Rounds: [ROUND, {**ROUND, "round_id": 2, "division_id": 2, "first_day": day, "last_day": day}],
        ScheduledMatches: [SLOT, slot(2, 0, round_id=2)],
    }
    found = placed({}, {"match_id": "n", "of_teams": range(5, 7)}, entered=entered)
    assert [(found[m]["season"], found[m]["scheduled_match_id"]) for m in "mn"] == [("spring", 1), ("seoul", 2)]


# divisions, groups, numbers


def test_people_of_two_divisions_make_no_tournament_match() -> None:
    row = placed({"of_teams": [1, 2, 3, 5]})["m"]
    assert (row["validation_status"], row["is_tournament_match"]) == ("mixed_division", False)
    assert (row["division_id"], row["round_id"], row["scheduled_match_id"]) == (None, None, None)
    assert (row["season"], row["lobby"]) == ("spring", "Div 1: 3, Div 2: 1")


GROUPED = [
    {**team, "group_id": (1 if team["team_id"] < 4 else 2) if team["team_id"] < 5 else None} for team in USUAL[Teams]
]
"""Teams 1 to 3 are of group A, team 4 is of group B."""


def test_people_of_two_groups_make_no_tournament_match() -> None:
    row = placed(entered={Teams: GROUPED})["m"]
    assert (row["validation_status"], row["lobby"]) == ("mixed_division", "Div 1 / A: 3, Div 1 / B: 1")


@pytest.mark.parametrize(
    ("rounds", "round_id"),
    [
        pytest.param([(1, None)], 1, id="a round of the division holds for its groups"),
        pytest.param([(1, None), (2, 1)], 2, id="the group's own round comes first"),
        pytest.param([(2, 2)], None, id="another group's round does not count"),
    ],
)
def test_round_is_that_of_the_group(rounds: list[tuple[int, int | None]], round_id: int | None) -> None:
    given_ = [{**ROUND, "round_id": number, "group_id": group} for number, group in rounds]
    row = placed({"of_teams": [1, 2, 3]}, entered={Teams: GROUPED, Rounds: given_, ScheduledMatches: []})["m"]
    assert (row["group_name"], row["round_id"]) == ("A", round_id)


def test_group_takes_its_own_slots_and_those_of_the_division() -> None:
    given_ = [
        {**ROUND, "round_id": 1, "group_id": 2},
        {**ROUND, "round_id": 2, "group_id": 1},
        {**ROUND, "round_id": 3},
    ]
    slots = [slot(1, 0, round_id=1), slot(2, 3, round_id=2), slot(3, 8, round_id=3)]

    def taken(*of: dict[str, Any]) -> int | None:
        entered = {Teams: GROUPED, Rounds: given_, ScheduledMatches: of}
        return placed({"of_teams": [1, 2, 3]}, entered=entered)["m"]["scheduled_match_id"]

    assert (taken(*slots), taken(slots[0], slots[2]), taken(slots[0])) == (2, 3, None)


def test_of_overlapping_rounds_the_one_that_began_last_counts() -> None:
    later = {**ROUND, "round_id": 2, "round_number": 2}
    earlier = {**ROUND, "first_day": date(2026, 3, 1)}
    for given_ in ([earlier, later], [later, earlier]):
        assert placed(entered={Rounds: given_, ScheduledMatches: []})["m"]["round_id"] == 2


def test_too_few_teams_may_have_been_a_warm_up() -> None:
    row = placed({"of_teams": [1, 2]})["m"]
    assert (row["validation_status"], row["is_tournament_match"], row["division"]) == (
        "remake_candidate",
        True,
        "Div 1",
    )
    assert (row["round_id"], row["scheduled_match_id"]) == (None, None)


def test_few_teams_leave_the_slot_to_the_real_match() -> None:
    found = placed({"match_id": "warm-up", "of_teams": [1, 2]}, {"minutes": 25})
    assert (found["m"]["scheduled_match_id"], found["warm-up"]["scheduled_match_id"]) == (1, None)


def test_one_team_among_strangers_is_public_play() -> None:
    row = placed({"match_type": "competitive", "people": {"1": 1, "90": 2, "91": 3, "92": 4}})["m"]
    assert (row["validation_status"], row["is_tournament_match"]) == ("not_tournament", False)
    assert (row["scheduled_match_id"], row["unmatched_player_count"]) == (None, 3)


@pytest.mark.parametrize(
    ("match_type", "found"),
    [("custom", True), ("competitive", True), (None, True), ("Custom", True), ("official", False), ("event", False)],
)
def test_tournaments_are_played_as_custom_or_competitive_matches(match_type: str | None, found: bool) -> None:
    assert ("m" in placed({"match_type": match_type})) is found


def test_match_without_anybody_on_a_roster_has_no_row() -> None:
    assert placed({"people": {"90": 1, "91": 2}}) == {}


def test_who_found_a_match_is_no_question() -> None:
    assert {"discovered_by", "discovered_at"}.isdisjoint(MatchFacts.column_names())
    assert table_inputs(match_tournament_context).keys() == {
        "matches", "summaries", "seasons", "divisions", "groups", "teams", "roster_entries", "rounds",
        "scheduled_matches", "overrides",
    }  # fmt: skip


# slots


@pytest.mark.parametrize(("minutes", "expected"), [(30, 1), (-30, 1), (30.1, None), (-30.1, None)])
def test_slot_takes_matches_within_its_window(minutes: float, expected: int | None) -> None:
    assert placed({"minutes": minutes})["m"]["scheduled_match_id"] == expected


@pytest.mark.parametrize(
    ("scheduled", "map_id", "map_name", "taken"),
    [
        ("Erangel", "Baltic_Main", "Erangel", True),
        ("ERANGEL ", "Erangel_Main", "Erangel", True),
        ("baltic_main", "Baltic_Main", "Erangel", True),
        ("Erangel_Main", "Baltic_Main", "Erangel", True),
        (None, "Baltic_Main", "Erangel", True),
        ("Miramar", "Baltic_Main", "Erangel", False),
        ("Newland", "New_Main", "New_Main", False),
        ("new_main", "New_Main", "New_Main", True),
        ("Erangel", None, None, False),
        ("Erangel", None, "Erangel", True),
        (None, None, None, True),
    ],
)
def test_map_must_agree_where_the_slot_names_one(
    scheduled: str | None, map_id: str | None, map_name: str | None, taken: bool
) -> None:
    slots = {ScheduledMatches: [{**SLOT, "map_name": scheduled}]}
    found = status({"map_id": map_id, "map_name": map_name}, entered=slots)
    assert found == ("confirmed" if taken else "unscheduled")


@pytest.mark.parametrize("state", ["scheduled", "active", "completed", "cancelled"])
def test_slot_takes_a_match_unless_it_is_cancelled(state: str) -> None:
    found = status(entered={ScheduledMatches: [{**SLOT, "status": state}]})
    assert found == ("unscheduled" if state == "cancelled" else "confirmed")


def test_cancelled_round_takes_nothing() -> None:
    row = placed(entered={Rounds: [{**ROUND, "status": "cancelled"}]})["m"]
    assert (row["validation_status"], row["round_id"]) == ("unscheduled", None)


def test_of_two_matches_in_one_slot_the_nearer_has_it() -> None:
    for minutes in ((2, 9), (-9, 2), (9, -2)):
        found = placed(*({"match_id": f"m{n}", "minutes": each} for n, each in enumerate(minutes)))
        taken = [found[f"m{n}"]["scheduled_match_id"] for n in (0, 1)]
        assert taken == [1 if abs(minutes[n]) == 2 else None for n in (0, 1)]


def test_smallest_offset_of_the_evening_is_served_first() -> None:
    """The match at 22 is nearer to the slot at 40 than the one at 65, but that one is nearer to the slot at 70."""
    found = placed(
        {"match_id": "a", "minutes": 22},
        {"match_id": "b", "minutes": 65},
        entered={ScheduledMatches: [slot(1, 0), slot(2, 40), slot(3, 70)]},
    )
    assert {match: row["scheduled_match_id"] for match, row in found.items()} == {"a": 2, "b": 3}


def test_match_between_two_slots_takes_the_earlier_one() -> None:
    assert (
        placed({"minutes": 20}, entered={ScheduledMatches: [slot(7, 40), slot(8, 0)]})["m"]["scheduled_match_id"] == 8
    )


def test_of_two_matches_equally_near_the_smaller_id_has_the_slot() -> None:
    for first, second in (("a", "b"), ("b", "a")):
        found = placed({"match_id": first, "minutes": 10}, {"match_id": second, "minutes": -10})
        assert (found["a"]["scheduled_match_id"], found["b"]["scheduled_match_id"]) == (1, None)


def test_slot_outside_the_days_of_its_round_postpones_a_match() -> None:
    later = EVENING + timedelta(days=3)
    row = placed({"at": later}, entered={ScheduledMatches: [{**SLOT, "scheduled_at": later}]})["m"]
    assert (row["validation_status"], row["round_id"], row["match_date"]) == ("confirmed", 1, date(2026, 3, 17))


# remakes

REMADE = {**SLOT, "is_remake": True, "original_match_id": "a"}


@pytest.mark.parametrize("state", ["scheduled", "completed", "cancelled"])
def test_original_of_a_remake_has_failed_and_the_slot_goes_to_another_match(state: str) -> None:
    found = placed(
        {"match_id": "a"}, {"match_id": "b", "minutes": 15}, entered={ScheduledMatches: [{**REMADE, "status": state}]}
    )
    original, remake = found["a"], found["b"]
    assert (original["validation_status"], original["is_tournament_match"]) == ("remake_failed", True)
    assert (original["round_id"], original["scheduled_match_id"]) == (1, None)
    assert remake["scheduled_match_id"] == (None if state == "cancelled" else 1)


def test_original_with_few_teams_has_failed_too() -> None:
    assert (
        placed({"match_id": "a", "of_teams": [1, 2]}, entered={ScheduledMatches: [REMADE]})["a"]["validation_status"]
        == "remake_failed"
    )


def test_original_takes_no_other_slot() -> None:
    found = placed({"match_id": "a"}, entered={ScheduledMatches: [REMADE, slot(2, 1)]})
    assert found["a"]["scheduled_match_id"] is None


def test_slot_that_is_no_remake_fails_nobody() -> None:
    found = placed({"match_id": "a"}, entered={ScheduledMatches: [{**REMADE, "is_remake": False}]})
    assert found["a"]["validation_status"] == "confirmed"


# overrides


def overridden(match: Mapping[str, Any] | None = None, slots: Sequence[Any] = (SLOT,), **values: Any) -> dict[str, Any]:
    return placed(match or {}, entered={MatchOverrides: [override(**values)], ScheduledMatches: slots})["m"]


def test_override_that_leaves_all_open_shows_and_changes_nothing() -> None:
    row = overridden()
    assert (row["validation_status"], row["scheduled_match_id"]) == ("confirmed", 1)
    assert (row["is_overridden"], row["override_reason"], row["override_admin"]) == (True, "why", "kim")


def test_override_makes_a_match_no_tournament_match_and_frees_its_slot() -> None:
    entered = {MatchOverrides: [override(is_tournament_match=False)]}
    found = placed({}, {"match_id": "n", "minutes": 20}, entered=entered)
    row = found["m"]
    assert (row["validation_status"], row["is_tournament_match"]) == ("not_tournament", False)
    assert (row["round_id"], row["scheduled_match_id"], row["division"]) == (None, None, "Div 1")
    assert found["n"]["scheduled_match_id"] == 1


def test_slot_by_hand_is_taken_from_the_match_that_had_it_by_time() -> None:
    entered = {MatchOverrides: [override("far", scheduled_match_id=1)], ScheduledMatches: [SLOT, slot(2, 25)]}
    found = placed({}, {"match_id": "far", "minutes": 500, "map_id": "Desert_Main"}, entered=entered)
    assert (found["far"]["scheduled_match_id"], found["far"]["validation_status"]) == (1, "confirmed")
    assert (found["far"]["round_id"], found["far"]["slot_offset_s"]) == (1, 30_000.0)
    assert found["m"]["scheduled_match_id"] == 2


def test_slot_by_hand_is_lost_to_others_even_where_its_match_is_of_another_evening() -> None:
    assert status(entered={MatchOverrides: [override("elsewhere", scheduled_match_id=1)]}) == "unscheduled"


def test_slot_given_to_two_matches_by_hand_has_one() -> None:
    both = [override("b", scheduled_match_id=1), override("a", scheduled_match_id=1)]
    found = placed({"match_id": "b"}, {"match_id": "a", "minutes": 29}, entered={MatchOverrides: both})
    assert (found["a"]["scheduled_match_id"], found["b"]["scheduled_match_id"]) == (1, None)
    assert (found["b"]["validation_status"], found["b"]["round_id"]) == ("unscheduled", 1)


def test_slot_by_hand_of_no_tournament_match_stays_free() -> None:
    entered = {MatchOverrides: [override("a", scheduled_match_id=1, is_tournament_match=False)]}
    found = placed({}, {"match_id": "a"}, entered=entered)
    assert (found["m"]["scheduled_match_id"], found["a"]["scheduled_match_id"]) == (1, None)


def test_cancelled_slot_can_be_given_by_hand() -> None:
    assert overridden(slots=[{**SLOT, "status": "cancelled"}], scheduled_match_id=1)["validation_status"] == "confirmed"


def test_round_by_hand_limits_the_slots_to_its_own() -> None:
    other = {**ROUND, "round_id": 2, "round_number": 2, "first_day": date(2026, 4, 1), "last_day": date(2026, 4, 1)}
    slots = [SLOT, slot(2, 10, round_id=2)]
    entered = {MatchOverrides: [override(round_id=2)], Rounds: [ROUND, other], ScheduledMatches: slots}
    row = placed(entered=entered)["m"]
    assert (row["round_id"], row["scheduled_match_id"], row["validation_status"]) == (2, 2, "confirmed")
    entered[ScheduledMatches] = [SLOT]
    row = placed(entered=entered)["m"]
    assert (row["round_id"], row["scheduled_match_id"], row["validation_status"]) == (2, None, "unscheduled")


@pytest.mark.parametrize(
    "values",
    [
        {"is_tournament_match": True},
        {"round_id": 1},
        {"scheduled_match_id": 1},
        {"validation_status": "confirmed"},
    ],
    ids=lambda values: next(iter(values)),
)
@pytest.mark.parametrize("teams", [[1, 2], [1, 2, 3, 5]], ids=["few teams", "mixed"])
def test_vouched_match_is_placed_whatever_speaks_against_it(values: dict[str, Any], teams: list[int]) -> None:
    row = overridden({"of_teams": teams}, **values)
    assert (row["validation_status"], row["is_tournament_match"]) == ("confirmed", True)
    assert (row["division"], row["round_id"], row["scheduled_match_id"]) == ("Div 1", 1, 1)


def test_vouched_match_of_another_type_and_of_strangers_is_placed_by_its_round() -> None:
    row = overridden({"match_type": "official", "people": {"90": 1}}, round_id=1)
    assert (row["division"], row["season"], row["team_count"]) == ("Div 1", "spring", 0)
    assert (row["validation_status"], row["scheduled_match_id"]) == ("confirmed", 1)


def test_vouched_match_of_strangers_without_round_has_no_division() -> None:
    row = overridden({"people": {"90": 1}}, is_tournament_match=True)
    assert (row["validation_status"], row["is_tournament_match"], row["season"]) == ("unscheduled", True, None)


@pytest.mark.parametrize("status_", ["remake_failed", "remake_candidate", "unscheduled"])
def test_status_by_hand_leaves_the_slot_to_the_next_match(status_: str) -> None:
    entered = {MatchOverrides: [override(validation_status=status_)]}
    found = placed({}, {"match_id": "n", "minutes": 20}, entered=entered)
    assert (found["m"]["validation_status"], found["m"]["is_tournament_match"]) == (status_, True)
    assert found["m"]["scheduled_match_id"] is None
    assert found["n"]["scheduled_match_id"] == 1


@pytest.mark.parametrize("status_", ["mixed_division", "not_tournament"])
def test_status_by_hand_can_refuse_a_match(status_: str) -> None:
    row = overridden(validation_status=status_)
    assert (row["validation_status"], row["is_tournament_match"]) == (status_, False)
    assert (row["scheduled_match_id"], row["round_id"]) == (None, None)


def test_override_saves_the_original_of_a_remake() -> None:
    slots = [{**REMADE, "original_match_id": "m"}]
    assert overridden(slots=slots, is_tournament_match=True)["validation_status"] == "remake_failed"
    row = overridden(slots=slots, validation_status="confirmed")
    assert (row["validation_status"], row["round_id"]) == ("confirmed", 1)
    assert overridden(slots=slots, scheduled_match_id=1)["scheduled_match_id"] == 1


def test_vouched_mixed_match_takes_people_to_the_teams_of_its_division() -> None:
    """Player 5 could play for team 5, and on this day for team 1: the override's round decides."""
    more = [*USUAL[RosterEntries], entry(90, 1, "5", role="stand_in")]
    match = {"people": {"5": 1, "6": 6, "7": 7, "8": 8}}
    entered = {RosterEntries: more, Rounds: [ROUND, {**ROUND, "round_id": 2, "division_id": 2}]}
    assert lined_up(match, entered=entered)["account.5"] == 5
    assert lined_up(match, entered={**entered, MatchOverrides: [override(round_id=1)]})["account.5"] == 1


def test_planned_season_has_all_that_it_is_to_prove(season: SimulatedSeason) -> None:
    statuses = {truth.status for truth in season.contexts().values()}
    assert statuses == {
        "confirmed", "unscheduled", "remake_candidate", "remake_failed", "mixed_division", "not_tournament",
    }  # fmt: skip
    by_id = {game.match_id: game for game in season.games}
    assert by_id["d1r1m4"].truth == season.contexts()["d1r1m4"]
    assert season.contexts()["d1r1m4"].offset_min == 20
    assert by_id["d1r2m1"].bots == 8
    assert {game.start.date() for game in season.games if game.match_id.startswith("d1r3")} == {
        date(2026, 10, 31), date(2026, 11, 1),
    }  # fmt: skip
    assert season.slots[slot_of(1, 1, 3)]["original_match_id"] == "broken"
    assert any(person.account == account(17, 0) and person.team == 1 for person in by_id["d1r1m1"].people)
