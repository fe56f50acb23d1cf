"""Every check of the tournament tables passes on a sound season and finds the violation planted for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.tournament import checks as tournament_checks
from gamestats_assets_tests.pubg.scenario import derive
from gamestats_assets_tests.pubg.tournament.season import MADE, SimulatedSeason, account
from gamestats_assets_tests.support.checks import ChecksOfAGame
from gamestats_assets_tests.support.frames import Frames, Planted, breaking, changed, doubled, without

BY_NAME = {check.name: check for check in tournament_checks.ALL}


@pytest.fixture(scope="module")
def season() -> Frames:
    return derive(SimulatedSeason().frames(), MADE)


@pytest.fixture(scope="module")
def sound(season: Frames) -> Frames:
    """The season, with a team whose placement in a match nobody knows."""
    of_team_8 = pl.col("account_id").is_in([account(8, number) for number in range(4)])
    summaries = season[t.MatchSummaries].with_columns(placement=pl.when(~(of("d1r1m1") & of_team_8)).then("placement"))
    given = {table: frame for table, frame in season.items() if table not in MADE}
    made = derive(given | {t.MatchSummaries: summaries}, MADE)
    assert made[t.TournamentTeamResults]["placement"].null_count() == 1
    return made


def of(match_id: str) -> pl.Expr:
    return pl.col("match_id") == match_id


LAST = pl.col("snapshot") == "match:d1r3m6"
OVERALL = pl.col("scope") == "overall"

VIOLATIONS: list[tuple[str, Callable[[Frames], Planted]]] = [
    ("no_slot_is_used_twice", changed(t.MatchTournamentContext, of("second-in-slot"), scheduled_match_id=122)),
    ("no_slot_counts_twice", changed(t.MatchTournamentContext, of("d1r2m2"), scheduled_match_id=112)),
    ("winner_is_placed_first", changed(t.TournamentMatches, of("d1r1m1"), winner_team_id=None)),
    ("winner_is_placed_first", changed(t.TournamentMatches, of("d1r1m1"), winner_team_id=99)),
    ("winner_is_placed_first", changed(t.TournamentMatches, of("d1r2m6"), winner_team_id=1)),
    ("winner_is_placed_first", without(t.TournamentMatches, of("d1r1m1"))),
    ("one_winner_per_match", changed(t.TournamentTeamResults, of("d1r1m1") & (pl.col("placement") == 2), placement=1)),
    ("kills_of_teams_are_kills_of_their_players", changed(t.TournamentTeamResults, kills=pl.col("kills") + 1)),
    ("kills_of_teams_are_kills_of_their_players", changed(t.MatchSummaries, of("d1r1m1"), kills=pl.col("kills") + 1)),
    ("kills_of_teams_are_kills_of_their_players", without(t.TournamentLineups, of("d1r1m1"))),
    ("kills_of_teams_are_kills_of_their_players", without(t.TournamentTeamResults)),
    ("points_follow_the_rule", changed(t.TournamentTeamResults, placement_points=pl.col("placement_points") + 1)),
    ("points_follow_the_rule", changed(t.TournamentTeamResults, points=pl.col("points") + 1)),
    ("points_follow_the_rule", changed(t.TournamentTeamResults, pl.col("placement") == 1, placement=2)),
    (
        "points_follow_the_rule",
        changed(
            t.TournamentTeamResults,
            pl.col("placement").is_null(),
            placement_points=pl.lit(1),
            points=pl.col("points") + 1,
        ),
    ),
    *(
        ("standings_add_up_to_results", changed(t.TournamentTeamStandings, where, **{name: pl.col(name) + 1}))
        for name in ("points", "kills", "wins", "matches_played")
        for where in (OVERALL, ~OVERALL)
    ),
    ("standings_add_up_to_results", without(t.TournamentTeamStandings)),
    ("standings_add_up_to_results", without(t.TournamentTeamResults, pl.col("counts"))),
    ("standings_add_up_to_results", changed(t.TournamentTeamStandings, scope="99")),
    ("players_have_the_kills_of_their_teams", changed(t.TournamentPlayerStandings, kills=pl.col("kills") + 1)),
    ("players_have_the_kills_of_their_teams", without(t.TournamentPlayerStandings, pl.col("kills") > 0)),
    *(
        ("history_ends_with_the_standings", changed(t.TournamentTeamStandings, **{name: pl.col(name) + 1}))
        for name in ("rank", "points", "kills", "wins", "matches_played", "average_placement")
    ),
    (
        "history_ends_with_the_standings",
        changed(t.TournamentTeamStandings, recent_placements=pl.lit([1], pl.List(pl.Int16))),
    ),
    ("history_ends_with_the_standings", without(t.TournamentTeamStandings)),
    ("history_ends_with_the_standings", doubled(t.TournamentTeamStandings, team_id=99)),
]


class TestChecks(ChecksOfAGame):
    checks, violations, game = tournament_checks.ALL, VIOLATIONS, staticmethod(game)


@pytest.mark.parametrize("check", tournament_checks.ALL, ids=lambda check: check.name)
def test_a_season_in_which_every_placement_is_known_passes(season: Frames, check: Check) -> None:
    assert season[t.TournamentTeamResults]["placement"].null_count() == 0
    assert breaking(check, season).to_dicts() == []


def test_history_that_lags_behind_the_standings_is_found(sound: Frames) -> None:
    stale = sound[t.TournamentTeamStandingsHistory].filter(~LAST)
    found = breaking(BY_NAME["history_ends_with_the_standings"], {**sound, t.TournamentTeamStandingsHistory: stale})
    assert set(found["scope"]) <= {"13", "overall"}


def test_both_matches_of_a_slot_are_named(sound: Frames) -> None:
    planted = changed(t.MatchTournamentContext, of("second-in-slot"), scheduled_match_id=122)(sound)
    found = breaking(BY_NAME["no_slot_is_used_twice"], {**sound, **planted})
    assert sorted(found["match_id"]) == ["d1r2m2", "second-in-slot"]
    assert set(found["match_date"]) == {date(2026, 10, 24)}
