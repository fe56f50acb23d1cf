"""Checks across the tournament tables, beyond each table's own rules.

As in `matches.checks`, a failed blocking check means that tables contradict each other; the other check reports a
possible result of entries or play.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows, unequal
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.matches import MATCH

TABLE = ("season", "division_id", "scope")
"""Columns that identify a standings table."""
_LINE = (
    "rank",
    "points",
    "placement_points",
    "kill_points",
    "kills",
    "wins",
    "matches_played",
    "average_placement",
    "recent_placements",
)


@breaking_rows(of=t.MatchTournamentContext, local=False)
def no_slot_is_used_twice(context: dy.LazyFrame[t.MatchTournamentContext]) -> pl.LazyFrame:
    """A slot of the schedule has at most one match among those of the same days."""
    return _sharing_a_slot(context).select(*MATCH, "season", "scheduled_match_id")


@breaking_rows(of=t.TournamentTeamStandings)
def no_slot_counts_twice(context: dy.LazyFrame[t.MatchTournamentContext]) -> pl.LazyFrame:
    """A slot of the schedule has at most one match in its season."""
    return _sharing_a_slot(context).select("season", "match_id", "scheduled_match_id")


def _sharing_a_slot(context: pl.LazyFrame) -> pl.LazyFrame:
    used = context.filter(pl.col("scheduled_match_id").is_not_null())
    return used.filter(pl.len().over("scheduled_match_id") > 1)


@breaking_rows(of=t.TournamentMatches)
def winner_is_placed_first(
    tournament_matches: dy.LazyFrame[t.TournamentMatches], team_results: dy.LazyFrame[t.TournamentTeamResults]
) -> pl.LazyFrame:
    """A match has a winner if and only if a team of its division is placed first, and the winner is such a team."""
    first = team_results.filter(pl.col("placement") == 1).group_by(MATCH).agg(placed_first=pl.col("team_id").sort())
    winner, placed = pl.col("winner_team_id"), pl.col("placed_first")
    right = pl.when(placed.is_null()).then(winner.is_null()).otherwise(placed.list.contains(winner))
    return (
        tournament_matches.select(*MATCH, "winner_team_id")
        .join(first, on=MATCH, how="full", coalesce=True)
        .filter(~right.fill_null(False))
    )


@breaking_rows(of=t.TournamentTeamResults, blocking=False)
def one_winner_per_match(team_results: dy.LazyFrame[t.TournamentTeamResults]) -> pl.LazyFrame:
    """No match is won by two teams of a division. Otherwise people of both played as one team, so a roster is wrong."""
    return (
        team_results.filter((pl.col("placement") == 1) & (pl.col("placement") == 1).sum().over(MATCH).gt(1))
        .select(*MATCH, "team_id", "team_name")
        .sort("match_id", "team_id")
    )


@breaking_rows(of=t.TournamentTeamResults)
def kills_of_teams_are_kills_of_their_players(
    team_results: dy.LazyFrame[t.TournamentTeamResults],
    lineups: dy.LazyFrame[t.TournamentLineups],
    summaries: dy.LazyFrame[t.MatchSummaries],
    context: dy.LazyFrame[t.MatchTournamentContext],
) -> pl.LazyFrame:
    """A team's players and kills in a match equal those in the summaries of the people who played for it."""
    team = [*MATCH, "team_id"]
    played_for = lineups.select(*MATCH, "account_id", "division_id", "team_id")
    of_players = (
        summaries.drop("team_id")
        .join(played_for, on=[*MATCH, "account_id"])
        .join(context.filter("is_tournament_match").select(*MATCH, "division_id"), on=[*MATCH, "division_id"])
        .group_by(team)
        .agg(pl.col("kills").fill_null(0).sum(), players=pl.len())
    )
    return unequal(team_results.select(*team, "kills", "players"), of_players, team, ["kills", "players"])


@breaking_rows(of=t.TournamentTeamResults)
def points_follow_the_rule(
    team_results: dy.LazyFrame[t.TournamentTeamResults], seasons: dy.LazyFrame[t.Seasons]
) -> pl.LazyFrame:
    """Points are the season's points for the placement plus its points for every kill."""
    of_placement = (
        seasons.select("season", due="placement_points")
        .explode("due")
        .with_columns(placement=pl.int_range(1, pl.len() + 1, dtype=pl.Int16).over("season"))
    )
    due = pl.col("due").fill_null(0) + pl.col("kills") * pl.col("a_kill")
    return (
        team_results.join(of_placement, on=["season", "placement"], how="left")
        .join(seasons.select("season", a_kill="kill_points"), on="season", how="left")
        .filter(
            pl.col("points").ne_missing(due) | (pl.col("points") != pl.col("placement_points") + pl.col("kill_points"))
        )
        .select(*MATCH, "team_id", "placement", "kills", "placement_points", "kill_points", "points")
    )


@breaking_rows(of=t.TournamentTeamStandings)
def standings_add_up_to_results(
    standings: dy.LazyFrame[t.TournamentTeamStandings], team_results: dy.LazyFrame[t.TournamentTeamResults]
) -> pl.LazyFrame:
    """Points, kills, wins and matches of each table equal those of the results that count for it."""
    return _sums_differ(standings, team_results, ["points", "kills", "wins", "matches_played"])


@breaking_rows(of=t.TournamentPlayerStandings)
def players_have_the_kills_of_their_teams(
    standings: dy.LazyFrame[t.TournamentPlayerStandings], team_results: dy.LazyFrame[t.TournamentTeamResults]
) -> pl.LazyFrame:
    """The kills in each table of players equal those of the team results that count for it."""
    return _sums_differ(standings, team_results, ["kills"])


def _sums_differ(standings: pl.LazyFrame, team_results: pl.LazyFrame, names: list[str]) -> pl.LazyFrame:
    """Returns tables whose sums differ from the results that count for them."""
    counting = team_results.filter("counts").with_columns(
        wins=(pl.col("placement") == 1).fill_null(False).cast(pl.Int64), matches_played=pl.lit(1, pl.Int64)
    )
    of_results = pl.concat(
        counting.with_columns(scope=scope) for scope in (pl.col("round_id").cast(pl.String), pl.lit("overall"))
    )
    table, results = [rows.group_by(TABLE).agg(pl.col(names).cast(pl.Int64).sum()) for rows in (standings, of_results)]
    return unequal(table, results, TABLE, names)


@breaking_rows(of=t.TournamentTeamStandings)
def history_ends_with_the_standings(
    standings: dy.LazyFrame[t.TournamentTeamStandings], history: dy.LazyFrame[t.TournamentTeamStandingsHistory]
) -> pl.LazyFrame:
    """The last table of each scope in the history equals that scope's standings, line by line."""
    line = [*TABLE, "team_id"]
    last = history.filter(pl.col("taken_at") == pl.col("taken_at").max().over(TABLE)).unique(line, keep="any")
    present, kept = standings.select(*line, *_LINE), last.select(*line, *_LINE, was_there=pl.lit(True))
    both = present.with_columns(is_there=pl.lit(True)).join(kept, on=line, how="full", coalesce=True, suffix="_before")
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in _LINE)
    return both.filter(pl.col("is_there").is_null() | pl.col("was_there").is_null() | differs).select(
        *line, "rank", "rank_before", "points", "points_before"
    )


ALL: tuple[Check, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Check))
"""Every check of the tournament tables, in the order of this module."""
