"""Problems that need a person: doubtful assignments, and counting matches with missing data."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.context import tournament_day

NAMES_TOLD = 8
"""Names that an explanation lists before it only counts the others."""


def match_validation(
    context: dy.LazyFrame[t.MatchTournamentContext],
    matches: dy.LazyFrame[t.MatchFacts],
    tournament_matches: dy.LazyFrame[t.TournamentMatches],
    team_results: dy.LazyFrame[t.TournamentTeamResults],
    lineups: dy.LazyFrame[t.TournamentLineups],
    summaries: dy.LazyFrame[t.MatchSummaries],
    seasons: dy.LazyFrame[t.Seasons],
    overrides: dy.LazyFrame[t.MatchOverrides],
) -> dy.LazyFrame[t.MatchValidation]:
    """Returns problems that need a person: one row per match and concern.

    An override of the match settles concerns raised by a status.
    """
    known = (
        context.unique("match_id")
        .join(matches.unique("match_id").select("match_id", "started_at", "telemetry_status"), on="match_id")
        .join(seasons.select("season_id", "minimum_teams", "time_zone"), on="season_id", how="left")
        .with_columns(day=tournament_day("started_at", "time_zone"))
    )
    counting = tournament_matches.filter("counts").select("match_id", "winner_team_id").unique()
    counted = known.join(counting, on="match_id")
    results = team_results.unique(t.TournamentTeamResults.primary_key())
    concerns = [
        *_of_status(known.filter(~pl.col("is_overridden"))),
        _strangers(counted, lineups, summaries),
        _concern(
            counted.filter(pl.col("winner_team_id").is_null()),
            "no_winner",
            pl.lit(
                "The match counts, but no team of the division is placed first. Check the rosters of the team that "
                "won; if the match was aborted, override its status to remake_failed."
            ),
        ),
        _without_placement(counted, results),
        _two_winners(counted, results),
        _concern(
            counted.filter(pl.col("telemetry_status").is_in(["expired", "unreadable"])),
            "no_telemetry",
            pl.format(
                "The match counts, but its telemetry is {}: killsteals and weapons of its players are missing from the "
                "player standings. If the organiser has the file, put it into landing.",
                "telemetry_status",
            ),
        ),
        *_of_overrides(known, overrides),
    ]
    return t.MatchValidation.cast(pl.concat(concerns).unique(t.MatchValidation.primary_key()))


def _concern(rows: pl.LazyFrame, name: str, explanation: pl.Expr) -> pl.LazyFrame:
    return rows.with_columns(concern=pl.lit(name), explanation=explanation).select(t.MatchValidation.column_names())


def _of_status(known: pl.LazyFrame) -> list[pl.LazyFrame]:
    status, has_round = pl.col("validation_status"), pl.col("round_id").is_not_null()
    unscheduled = known.filter(status == "unscheduled")
    has_days = pl.col("day").is_not_null() | pl.col("time_zone").is_null()
    return [
        _concern(
            unscheduled.filter(has_round),
            "no_slot",
            pl.lit(
                "No free slot of the schedule fits the match's start and map; the match still counts for its round. "
                "Give it a slot, move a slot to its time, or override it as no tournament match."
            ),
        ),
        _concern(
            unscheduled.filter(~has_round & has_days),
            "no_round",
            pl.lit(
                "No round of the division and group is on the match's day, so the match does not count. Change the "
                "round's days, give the match a round, or override it as no tournament match."
            ),
        ),
        _concern(
            unscheduled.filter(~has_round & ~has_days),
            "unknown_time_zone",
            pl.format(
                "The time zone of season {} is {}, which is not a valid one such as Europe/Berlin, so the day of the "
                "match is unknown and it has no round. Correct it: gamestats tournament season change {} --time-zone "
                "ZONE",
                "season",
                "time_zone",
                "season",
            ),
        ),
        _concern(
            known.filter(status == "remake_candidate"),
            "few_teams",
            pl.format(
                "{} teams of {} played, at least {} were expected, so the match does not count. If it was valid, give "
                "it its slot or round; otherwise override it as no tournament match, or enter a remake.",
                "team_count",
                "division",
                "minimum_teams",
            ),
        ),
        _concern(
            known.filter(status == "mixed_division"),
            "mixed_division",
            pl.format(
                "People of one division and group were expected, found {}, so it is no tournament match. If a player "
                "stood in, add a stand-in to the roster for that day; if it was a friendly match, override it.",
                "lobby",
            ),
        ),
    ]


def _strangers(counted: pl.LazyFrame, lineups: pl.LazyFrame, summaries: pl.LazyFrame) -> pl.LazyFrame:
    names = pl.col("player_name").sort()
    more = pl.when(pl.len() > NAMES_TOLD).then(pl.format(" and {} more", pl.len() - NAMES_TOLD)).otherwise(pl.lit(""))
    unknown = (
        summaries.unique(t.MatchSummaries.primary_key())
        .join(lineups, on=["match_id", "account_id"], how="anti")
        .group_by("match_id")
        .agg(names=names.head(NAMES_TOLD).str.join(", "), more=more)
    )
    return _concern(
        counted.join(unknown, on="match_id"),
        "unmatched_players",
        pl.format(
            "People on a roster of that day were expected, found {} on none: {}{}. Add them to a roster (for one day, "
            "if they stood in), or leave it if they are guests.",
            "unmatched_player_count",
            "names",
            "more",
        ),
    )


def _without_placement(counted: pl.LazyFrame, results: pl.LazyFrame) -> pl.LazyFrame:
    unplaced = (
        results.filter(pl.col("placement").is_null())
        .group_by("match_id")
        .agg(teams=pl.col("team_name").sort().str.join(", "))
    )
    return _concern(
        counted.join(unplaced, on="match_id"),
        "no_placement",
        pl.format("No source contains the placement of {}; they get no placement points for this match.", "teams"),
    )


def _two_winners(counted: pl.LazyFrame, results: pl.LazyFrame) -> pl.LazyFrame:
    first = (
        results.filter(pl.col("placement") == 1)
        .group_by("match_id")
        .agg(winners=pl.len(), teams=pl.col("team_name").sort().str.join(", "))
        .filter(pl.col("winners") > 1)
    )
    return _concern(
        counted.join(first, on="match_id"),
        "several_winners",
        pl.format(
            "One team was expected in first place, found {}: their people played as one. Check the rosters; a "
            "stand-in for another team needs an entry there for that day.",
            "teams",
        ),
    )


def _of_overrides(known: pl.LazyFrame, overrides: pl.LazyFrame) -> list[pl.LazyFrame]:
    wanted = overrides.filter(pl.col("scheduled_match_id").is_not_null()).select(
        "match_id", wanted="scheduled_match_id"
    )
    return [
        _concern(
            known.filter(pl.col("is_tournament_match"))
            .join(wanted, on="match_id")
            .filter(pl.col("scheduled_match_id").ne_missing(pl.col("wanted"))),
            "slot_given_twice",
            pl.format(
                "Slot {} was assigned to this match by hand, and also to another one, which has it. Correct one of "
                "the two overrides.",
                "wanted",
            ),
        ),
        _concern(
            known.filter(pl.col("is_tournament_match") & pl.col("season").is_null()),
            "no_division",
            pl.lit(
                "An override declares it a tournament match, but no player in it is on a roster of that day, so its "
                "division is unknown and the match is left out. Add a round or a slot to the override."
            ),
        ),
    ]
