"""Every check of the tournament tables passes on a sound season and finds the violation planted for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from gamestats_assets.lakehouse.quality import table_inputs
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import checks, tournament_checks
from gamestats_assets.pubg.tables.results import MatchSummaries
from gamestats_assets.pubg.tables.tournament import (
    MatchTournamentContext,
    TournamentLineups,
    TournamentMatches,
    TournamentPlayerStandings,
    TournamentTeamResults,
    TournamentTeamStandings,
    TournamentTeamStandingsHistory,
)
from gamestats_assets_tests.frames import Frames, Planted, breaking, changed, doubled, without
from gamestats_assets_tests.pubg.season import FUNCTIONS, SimulatedSeason, account, derived

BY_NAME = {check.name: check for check in tournament_checks.ALL}


@pytest.fixture(scope="module")
def sound() -> Frames:
    return derived(SimulatedSeason().frames())


def of(match_id: str) -> pl.Expr:
    return pl.col("match_id") == match_id


LAST = pl.col("snapshot") == "match:d1r3m6"
OVERALL = pl.col("scope") == "overall"

VIOLATIONS: list[tuple[str, Callable[[Frames], Planted]]] = [
    ("no_slot_is_used_twice", changed(MatchTournamentContext, of("second-in-slot"), scheduled_match_id=122)),
    ("no_slot_counts_twice", changed(MatchTournamentContext, of("d1r2m2"), scheduled_match_id=112)),
    ("winner_is_placed_first", changed(TournamentMatches, of("d1r1m1"), winner_team_id=None)),
    ("winner_is_placed_first", changed(TournamentMatches, of("d1r1m1"), winner_team_id=99)),
    ("winner_is_placed_first", changed(TournamentMatches, of("d1r2m6"), winner_team_id=1)),
    ("winner_is_placed_first", without(TournamentMatches, of("d1r1m1"))),
    ("one_winner_per_match", changed(TournamentTeamResults, of("d1r1m1") & (pl.col("placement") == 2), placement=1)),
    ("kills_of_teams_are_kills_of_their_players", changed(TournamentTeamResults, kills=pl.col("kills") + 1)),
    ("kills_of_teams_are_kills_of_their_players", changed(MatchSummaries, of("d1r1m1"), kills=pl.col("kills") + 1)),
    ("kills_of_teams_are_kills_of_their_players", without(TournamentLineups, of("d1r1m1"))),
    ("kills_of_teams_are_kills_of_their_players", without(TournamentTeamResults)),
    ("points_follow_the_rule", changed(TournamentTeamResults, placement_points=pl.col("placement_points") + 1)),
    ("points_follow_the_rule", changed(TournamentTeamResults, points=pl.col("points") + 1)),
    ("points_follow_the_rule", changed(TournamentTeamResults, pl.col("placement") == 1, placement=2)),
    (
        "points_follow_the_rule",
        changed(
            TournamentTeamResults,
            pl.col("placement").is_null(),
            placement_points=pl.lit(1),
            points=pl.col("points") + 1,
        ),
    ),
    *(
        ("standings_add_up_to_results", changed(TournamentTeamStandings, where, **{name: pl.col(name) + 1}))
        for name in ("points", "kills", "wins", "matches_played")
        for where in (OVERALL, ~OVERALL)
    ),
    ("standings_add_up_to_results", without(TournamentTeamStandings)),
    ("standings_add_up_to_results", without(TournamentTeamResults, pl.col("counts"))),
    ("standings_add_up_to_results", changed(TournamentTeamStandings, scope="99")),
    ("players_have_the_kills_of_their_teams", changed(TournamentPlayerStandings, kills=pl.col("kills") + 1)),
    ("players_have_the_kills_of_their_teams", without(TournamentPlayerStandings, pl.col("kills") > 0)),
    *(
        ("history_ends_with_the_standings", changed(TournamentTeamStandings, **{name: pl.col(name) + 1}))
        for name in ("rank", "points", "kills", "wins", "matches_played", "average_placement")
    ),
    (
        "history_ends_with_the_standings",
        changed(TournamentTeamStandings, recent_placements=pl.lit([1], pl.List(pl.Int16))),
    ),
    ("history_ends_with_the_standings", without(TournamentTeamStandings)),
    ("history_ends_with_the_standings", doubled(TournamentTeamStandings, team_id=99)),
]


@pytest.fixture(scope="module")
def unplaced(sound: Frames) -> Frames:
    """The same, with a team whose placement in a match nobody knows."""
    of_team_8 = pl.col("account_id").is_in([account(8, number) for number in range(4)])
    summaries = sound[MatchSummaries].with_columns(placement=pl.when(~(of("d1r1m1") & of_team_8)).then("placement"))
    return derived({**sound, MatchSummaries: summaries})


@pytest.mark.parametrize("check", tournament_checks.ALL, ids=lambda check: check.name)
def test_sound_season_passes(sound: Frames, unplaced: Frames, check: checks.Check) -> None:
    assert breaking(check, sound).to_dicts() == []
    assert unplaced[TournamentTeamResults]["placement"].null_count() == 1
    assert breaking(check, unplaced).to_dicts() == []


@pytest.mark.parametrize(("name", "plant"), VIOLATIONS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(VIOLATIONS)])
def test_planted_violation_is_found(
    unplaced: Frames, name: str, plant: Callable[[Frames], dict[type[Table], pl.DataFrame]]
) -> None:
    found = breaking(BY_NAME[name], {**unplaced, **plant(unplaced)})
    assert found.height > 0
    assert BY_NAME[name].table.spec.partitioned_by in found.columns


def test_every_check_has_a_violation_and_is_told() -> None:
    assert {name for name, _ in VIOLATIONS} == BY_NAME.keys()
    assert all(check.description for check in tournament_checks.ALL)
    assert not BY_NAME.keys() & {check.name for check in checks.ALL}


def test_history_that_lags_behind_the_standings_is_found(sound: Frames) -> None:
    stale = sound[TournamentTeamStandingsHistory].filter(~LAST)
    found = breaking(BY_NAME["history_ends_with_the_standings"], {**sound, TournamentTeamStandingsHistory: stale})
    assert set(found["scope"]) <= {"13", "overall"}


def test_both_matches_of_a_slot_are_named(sound: Frames) -> None:
    planted = changed(MatchTournamentContext, of("second-in-slot"), scheduled_match_id=122)(sound)
    found = breaking(BY_NAME["no_slot_is_used_twice"], {**sound, **planted})
    assert sorted(found["match_id"]) == ["d1r2m2", "second-in-slot"]
    assert set(found["match_date"]) == {date(2026, 10, 24)}


def test_checks_look_at_nothing_beside_or_below_their_table() -> None:
    sources = {table: set(table_inputs(function).values()) for table, function in FUNCTIONS}

    def upstream(table: type[Table]) -> set[type[Table]]:
        return {table}.union(*(upstream(source) for source in sources.get(table, set())))

    for check in tournament_checks.ALL:
        assert set(check.inputs.values()) <= upstream(check.table), check.name


def test_no_rows_at_all_break_nothing(sound: Frames) -> None:
    empty = {table: frame.clear() for table, frame in sound.items()}
    assert [check.name for check in tournament_checks.ALL if breaking(check, empty).height] == []
