"""Results of tournament matches, and the standings computed from them.

A match counts in standings if its round is known and its status is confirmed or unscheduled. A team has a result in
every tournament match of its division with at least one of its people; in others it has no result and no points.

**Points** of a match: placement points from the season's list (none beyond its end or without a placement) plus the
season's kill points for every kill. A player's points are the player's kill points and, by the season's rule, the
team's placement points.

**Rank**: points, then the season's tie breakers in order, from `wins` (more is better), `kills` (more),
`latest_placement` (of the team's own last match in the table; lower is better, unknown is last) and `average_placement`
(lower). Teams equal in all of them share a rank, and the following ranks are skipped: 1, 1, 3. Names do not matter.

**Tables**: one per round and one overall for each division, with the teams that have played in it. They contain the
current names of teams, groups and rounds.

**History** contains the table of the round and the overall one at the end of each counting match and at each change of
a round's status, with all matches that had ended by then. The last table of a scope is its standings.
"""

from __future__ import annotations

from collections.abc import Sequence

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.sums import exact_sum
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.context import PLAYED, tournament_day
from gamestats_assets.pubg.tournament.tables import PAGE_CATEGORIES, TIE_BREAKERS

OVERALL = "overall"
RECENT = 6
"""Number of placements in a team's form."""
OTHER = "Other"

_TABLE = ("season", "division_id", "scope")
_IN_TIME = ("started_at", "match_id")


# --------------------------------------------------------------------------- matches and results


def tournament_team_results(
    context: dy.LazyFrame[t.MatchTournamentContext],
    matches: dy.LazyFrame[t.MatchFacts],
    lineups: dy.LazyFrame[t.TournamentLineups],
    summaries: dy.LazyFrame[t.MatchSummaries],
    seasons: dy.LazyFrame[t.Seasons],
) -> dy.LazyFrame[t.TournamentTeamResults]:
    """Returns each team's result in each tournament match of its division.

    The placement is the best one of the team's people, because players who left early may have none or a worse one.
    """
    at_place = pl.col("placement").cast(pl.Int64) - 1
    return t.TournamentTeamResults.cast(
        _tournament(context, matches)
        .join(lineups.unique(t.TournamentLineups.primary_key()), on=["match_id", "division_id"])
        .join(_deeds(summaries), on=["match_id", "account_id"])
        .group_by("match_id", "team_id")
        .agg(
            pl.col("placement").min(),
            pl.col("kills").sum(),
            exact_sum(pl.col("damage_dealt"), 6),
            pl.col(
                "match_date",
                "season",
                "division_id",
                "division",
                "group_name",
                "round_id",
                "round_number",
                "round_name",
                "match_number",
                "started_at",
                "ended_at",
                "counts",
                "team_name",
            ).first(),
            players=pl.len(),
        )
        .join(seasons.select("season", point_list="placement_points", a_kill="kill_points"), on="season")
        .with_columns(
            placement_points=pl.col("point_list").list.get(at_place, null_on_oob=True).fill_null(0),
            kill_points=pl.col("kills") * pl.col("a_kill"),
        )
        .with_columns(points=pl.col("placement_points") + pl.col("kill_points"))
    )


def tournament_matches(
    context: dy.LazyFrame[t.MatchTournamentContext],
    matches: dy.LazyFrame[t.MatchFacts],
    team_results: dy.LazyFrame[t.TournamentTeamResults],
) -> dy.LazyFrame[t.TournamentMatches]:
    """Returns tournament matches with a known division, with the winning team.

    If people of two teams won together, the winner is the team with more of them, then with more kills, then the one
    entered first.
    """
    winners = (
        team_results.filter(pl.col("placement") == 1)
        .sort("players", "kills", "team_id", descending=[True, True, False])
        .unique("match_id", keep="first", maintain_order=True)
        .select("match_id", winner_team_id="team_id", winner_team_name="team_name")
    )
    return t.TournamentMatches.cast(
        _tournament(context, matches)
        .join(winners, on="match_id", how="left")
        .rename({"override_admin": "overridden_by"})
    )


def _tournament(context: pl.LazyFrame, matches: pl.LazyFrame) -> pl.LazyFrame:
    """Returns contexts of tournament matches with a known division, with times, map and whether they count."""
    of_match = matches.unique("match_id").select(
        "match_id", "started_at", "map_name", ended_at=pl.coalesce("ended_at", "started_at")
    )
    return (
        context.unique("match_id")
        .filter(pl.col("is_tournament_match") & pl.col("season").is_not_null() & pl.col("division").is_not_null())
        .join(of_match, on="match_id")
        .with_columns(counts=pl.col("round_id").is_not_null() & pl.col("validation_status").is_in(PLAYED))
    )


def _deeds(summaries: pl.LazyFrame) -> pl.LazyFrame:
    """Returns each person's figures in a match for standings; unknown ones count as zero."""
    return summaries.unique(t.MatchSummaries.primary_key()).select(
        "match_id",
        "account_id",
        "player_name",
        "placement",
        pl.col("kills", "assists", "killsteals").fill_null(0),
        pl.col("damage_dealt").fill_null(0.0).clip(0.0),
    )


# --------------------------------------------------------------------------- team standings


def tournament_team_standings_history(
    team_results: dy.LazyFrame[t.TournamentTeamResults],
    seasons: dy.LazyFrame[t.Seasons],
    groups: dy.LazyFrame[t.Groups],
    teams: dy.LazyFrame[t.Teams],
    rounds: dy.LazyFrame[t.Rounds],
    round_status_changes: dy.LazyFrame[t.RoundStatusChanges],
) -> dy.LazyFrame[t.TournamentTeamStandingsHistory]:
    """Returns the tables of a round and overall after every match and at every change of the round's status."""
    scoped = _scoped(team_results)
    after_match = scoped.select(*_TABLE, taken_at="ended_at", snapshot=pl.format("match:{}", "match_id")).unique()
    changed = round_status_changes.join(rounds.select("round_id", "division_id"), on="round_id").select(
        "division_id",
        scope=pl.concat_list(pl.col("round_id").cast(pl.String), pl.lit(OVERALL)),
        taken_at="changed_at",
        snapshot=pl.format("status:{}", "round_status_change_id"),
    )
    # A division belongs to one season, which its results contain.
    at_change = (
        changed.explode("scope")
        .join(scoped.select(*_TABLE).unique(), on=["division_id", "scope"])
        .select(*_TABLE, "taken_at", "snapshot")
    )
    by_then = (
        pl.concat([after_match, at_change]).join(scoped, on=_TABLE).filter(pl.col("ended_at") <= pl.col("taken_at"))
    )
    return t.TournamentTeamStandingsHistory.cast(
        _team_tables(by_then, (*_TABLE, "snapshot", "taken_at"), seasons, groups, teams, rounds)
    )


def tournament_team_standings(
    team_results: dy.LazyFrame[t.TournamentTeamResults],
    history: dy.LazyFrame[t.TournamentTeamStandingsHistory],
    seasons: dy.LazyFrame[t.Seasons],
    groups: dy.LazyFrame[t.Groups],
    teams: dy.LazyFrame[t.Teams],
    rounds: dy.LazyFrame[t.Rounds],
    round_status_changes: dy.LazyFrame[t.RoundStatusChanges],
) -> dy.LazyFrame[t.TournamentTeamStandings]:
    """Returns the tables of every round and overall, with the ranks that each team gained.

    In a round: since the closing table of the previous round of the same division and group, without cancelled ones;
    that is the table at its completion, or its last one if not completed. Overall: since the last table before the
    latest tournament day with a counting match. Null for teams missing in that table, and without such a table.
    """
    earlier = pl.concat(
        [
            _closing_tables(history, rounds, round_status_changes),
            _tables_before_latest_day(team_results, history, seasons),
        ]
    )
    return t.TournamentTeamStandings.cast(
        team_tables(team_results, seasons, groups, teams, rounds)
        .join(earlier, on=[*_TABLE, "team_id"], how="left")
        .with_columns(rank_change=pl.col("earlier_rank") - pl.col("rank"))
    )


def _scoped(results: pl.LazyFrame) -> pl.LazyFrame:
    """Returns counting results, once for their round and once overall."""
    counting = results.unique(t.TournamentTeamResults.primary_key()).filter("counts")
    return pl.concat(
        [
            counting.with_columns(scope=pl.col("round_id").cast(pl.String)),
            counting.with_columns(scope=pl.lit(OVERALL), round_id=pl.lit(None, pl.Int64)),
        ]
    )


def team_tables(
    team_results: pl.LazyFrame, seasons: pl.LazyFrame, groups: pl.LazyFrame, teams: pl.LazyFrame, rounds: pl.LazyFrame
) -> pl.LazyFrame:
    """Returns the tables of every round and overall, without rank changes."""
    return _team_tables(_scoped(team_results), _TABLE, seasons, groups, teams, rounds)


def _team_tables(
    results: pl.LazyFrame,
    table: Sequence[str],
    seasons: pl.LazyFrame,
    groups: pl.LazyFrame,
    teams: pl.LazyFrame,
    rounds: pl.LazyFrame,
) -> pl.LazyFrame:
    """Returns sums and rank of each team in each of the tables identified by the columns `table`."""
    placements = pl.col("placement").sort_by(*_IN_TIME)
    sums = (
        results.group_by(*table, "team_id")
        .agg(
            pl.col("points", "placement_points", "kill_points", "kills").sum(),
            pl.col("division", "team_name").sort_by(*_IN_TIME).last(),
            pl.col("round_id").first(),
            wins=(pl.col("placement") == 1).sum(),
            matches_played=pl.len(),
            average_placement=pl.col("placement").mean(),
            latest_placement=placements.last(),
            recent_placements=placements.tail(RECENT),
        )
        .join(seasons.select("season", "tie_breakers"), on="season", how="left")
    )
    return _ranked(sums, table, ["points", *_deciding()]).pipe(_named, groups, teams, rounds)


def _deciding() -> list[pl.Expr]:
    """Returns the deciding figure for each position in a season's list of tie breakers; more is better."""
    figures = {
        "wins": pl.col("wins"),
        "kills": pl.col("kills"),
        "latest_placement": -pl.col("latest_placement"),
        "average_placement": -pl.col("average_placement"),
    }
    deciding: list[pl.Expr] = []
    for place in range(len(TIE_BREAKERS)):
        chosen = pl.col("tie_breakers").list.get(place, null_on_oob=True)
        figure = pl.lit(0.0)
        for name, column in figures.items():
            figure = pl.when(chosen == name).then(column.cast(pl.Float64)).otherwise(figure)
        deciding.append(figure.alias(f"tie_{place}"))
    return deciding


def _ranked(rows: pl.LazyFrame, table: Sequence[str], by: Sequence[str | pl.Expr]) -> pl.LazyFrame:
    """Adds `rank` within each table: the highest `by` first, unknown last; equals share a rank."""
    names = [f"by_{number}" for number in range(len(by))]
    expressions = [pl.col(each) if isinstance(each, str) else each for each in by]
    return (
        rows.with_columns(each.alias(name) for each, name in zip(expressions, names, strict=True))
        .sort(names, descending=True, nulls_last=True)
        .with_columns(line=pl.int_range(1, pl.len() + 1).over(table))
        .with_columns(rank=pl.col("line").min().over(*table, *names))
    )


def _named(standings: pl.LazyFrame, groups: pl.LazyFrame, teams: pl.LazyFrame, rounds: pl.LazyFrame) -> pl.LazyFrame:
    """Adds each team's current name and group, and the round's current number and name."""
    present = teams.join(groups.select("group_id", "group_name"), on="group_id", how="left").select(
        "team_id", "group_name", present_name="team_name"
    )
    return (
        standings.join(present, on="team_id", how="left")
        .join(rounds.select("round_id", "round_number", "round_name"), on="round_id", how="left")
        .with_columns(team_name=pl.coalesce("present_name", "team_name"))
    )


def _closing_tables(history: pl.LazyFrame, rounds: pl.LazyFrame, changes: pl.LazyFrame) -> pl.LazyFrame:
    """Returns for each round the ranks in the closing table of the previous round: _TABLE, team_id, earlier_rank."""
    last_change = (
        changes.sort("changed_at", "round_status_change_id")
        .unique("round_id", keep="last", maintain_order=True)
        .filter(pl.col("status") == "completed")
        .select("round_id", closed_by=pl.format("status:{}", "round_status_change_id"))
    )
    # The previous round in each division and group, with this round's scope.
    follows = (
        rounds.filter(pl.col("status") != "cancelled")
        .sort("round_number", "round_id")
        .with_columns(next_round=pl.col("round_id").shift(-1).over("division_id", "group_id"))
        .filter(pl.col("next_round").is_not_null())
        .select("round_id", next_scope=pl.col("next_round").cast(pl.String))
    )
    closing = (
        history.filter(pl.col("scope") != OVERALL)
        .join(follows, on="round_id")
        .join(last_change, on="round_id", how="left")
        .filter((pl.col("snapshot") == pl.col("closed_by")) | pl.col("closed_by").is_null())
        .with_columns(scope="next_scope")
    )
    return _last_ranks(closing)


def _tables_before_latest_day(results: pl.LazyFrame, history: pl.LazyFrame, seasons: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the ranks in the last overall table before each division's latest day: _TABLE, team_id, earlier_rank."""
    league = ("season", "division_id")
    day = pl.col("day")
    latest_day = (
        results.filter("counts")
        .join(seasons.select("season", "time_zone"), on="season")
        .with_columns(day=tournament_day("started_at", "time_zone"))
        .filter(day == day.max().over(league))
        .group_by(league)
        .agg(first_end=pl.col("ended_at").min())
    )
    return _last_ranks(
        history.filter(pl.col("scope") == OVERALL)
        .join(latest_day, on=league)
        .filter(pl.col("taken_at") < pl.col("first_end"))
    )


def _last_ranks(tables: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the ranks in the last table of each scope; a team in one table is in every later one."""
    return (
        tables.sort("taken_at", "snapshot")
        .unique([*_TABLE, "team_id"], keep="last", maintain_order=True)
        .select(*_TABLE, "team_id", earlier_rank="rank")
    )


# --------------------------------------------------------------------------- player standings


def tournament_player_standings(
    team_results: dy.LazyFrame[t.TournamentTeamResults],
    lineups: dy.LazyFrame[t.TournamentLineups],
    summaries: dy.LazyFrame[t.MatchSummaries],
    distribution: dy.LazyFrame[t.PlayerMatchWeaponDistribution],
    seasons: dy.LazyFrame[t.Seasons],
    groups: dy.LazyFrame[t.Groups],
    teams: dy.LazyFrame[t.Teams],
    rounds: dy.LazyFrame[t.Rounds],
) -> dy.LazyFrame[t.TournamentPlayerStandings]:
    """Returns players of every round and overall; a stand-in appears with the team last played for."""
    with_placement = pl.when(pl.col("player_points_with_placement")).then("placement_points").otherwise(0)
    team_columns = (*_TABLE, *_IN_TIME, "round_id", "division", "team_id", "placement_points")
    played = (
        _scoped(team_results)
        .select(*team_columns, "team_name", team_won=pl.col("placement") == 1)
        .join(
            lineups.unique(t.TournamentLineups.primary_key()).select("match_id", "account_id", "team_id"),
            on=["match_id", "team_id"],
        )
        .join(_deeds(summaries), on=["match_id", "account_id"])
        .join(seasons.select("season", "player_points_with_placement", a_kill="kill_points"), on="season")
        .with_columns(points=pl.col("kills") * pl.col("a_kill") + with_placement)
    )
    person = (*_TABLE, "account_id")
    sums = (
        played.group_by(person)
        .agg(
            pl.col("points", "kills", "assists", "killsteals").sum(),
            exact_sum(pl.col("damage_dealt"), 6),
            pl.col("division", "player_name", "team_id", "team_name").sort_by(*_IN_TIME).last(),
            pl.col("round_id").first(),
            wins=pl.col("team_won").fill_null(False).sum(),
            matches_played=pl.len(),
        )
        .with_columns(average_damage=pl.col("damage_dealt") / pl.col("matches_played"))
    )
    weapons = _by_category(played.select(*person, "match_id"), person, distribution)
    return t.TournamentPlayerStandings.cast(
        _ranked(sums, _TABLE, ["points", "kills", "damage_dealt"])
        .pipe(_named, groups, teams, rounds)
        .join(weapons, on=person, how="left")
        .with_columns(
            weapon_damage=pl.col("weapon_damage").fill_null([0.0] * len(PAGE_CATEGORIES)),
            weapon_kills=pl.col("weapon_kills").fill_null([0] * len(PAGE_CATEGORIES)),
            weapon_categories=pl.lit(list(PAGE_CATEGORIES), pl.List(pl.String)),
        )
    )


def _by_category(played: pl.LazyFrame, person: Sequence[str], distribution: pl.LazyFrame) -> pl.LazyFrame:
    """Returns damage and kills of each person in each table by the page's categories; all others are Other."""
    category = pl.col("weapon_category")
    done = distribution.unique(t.PlayerMatchWeaponDistribution.primary_key()).select(
        "match_id",
        "account_id",
        "total_damage",
        "total_kills",
        category=pl.when(category.is_in(PAGE_CATEGORIES)).then(category).otherwise(pl.lit(OTHER)),
    )
    sums = (
        played.join(done, on=["match_id", "account_id"])
        .group_by(*person, "category")
        .agg(
            damage=exact_sum(pl.col("total_damage"), 6),
            kills=pl.col("total_kills").sum(),
        )
    )

    def of(figure: str, name: str) -> pl.Expr:
        return pl.col(figure).filter(pl.col("category") == name).sum().alias(f"{figure}_{name}")

    wide = sums.group_by(person).agg(of(figure, name) for figure in ("damage", "kills") for name in PAGE_CATEGORIES)
    return wide.select(
        *person,
        weapon_damage=pl.concat_list(f"damage_{name}" for name in PAGE_CATEGORIES),
        weapon_kills=pl.concat_list(f"kills_{name}" for name in PAGE_CATEGORIES),
    )
