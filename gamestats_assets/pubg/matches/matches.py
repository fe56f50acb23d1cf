"""One row per match: time, map, number of players, and status of its telemetry.

Also defines people, bots, accounts and seconds of a match for all later tables.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.sums import quotient
from gamestats_assets.pubg import reference
from gamestats_assets.pubg import tables as t

MATCH = ("match_id", "match_date")
"""Columns that begin every table of matches."""

_PERSON = ("match_id", "account_id")
_HEADCOUNT = ("players", "bots", "teams")
_ALLOWANCE = pl.duration(minutes=5)


def account(name: str) -> pl.Expr:
    """Returns the account in column `name`, under that name; null for the empty account that files write for no one."""
    return pl.when(pl.col(name) != "").then(pl.col(name)).alias(name)


def is_bot(account_column: str, type_column: str | None = None) -> pl.Expr:
    """Whether a character is a bot: its account starts with `ai.`, or its type is `user_ai`; false without a
    character."""
    by_account = pl.col(account_column).str.starts_with("ai.").fill_null(False)
    return by_account if type_column is None else by_account | pl.col(type_column).eq_missing("user_ai")


def count_by_match(frame: pl.LazyFrame, *by: str, name: str = "rows") -> pl.LazyFrame:
    """Returns the number of rows per match, or per value of further columns in it, in the column `name`."""
    return frame.group_by(*MATCH, *by).agg(pl.len().cast(pl.Int64).alias(name))


def unknown_values(frame: pl.LazyFrame, column: str, known: pl.DataFrame, key: str | None = None) -> pl.LazyFrame:
    """Returns rows with a value in a column that is missing in a catalogue (in its column `key`)."""
    return frame.filter(pl.col(column).is_not_null() & (pl.col(column) != "")).join(
        known.lazy(), left_on=column, right_on=key or column, how="anti"
    )


def metres(centimetres: pl.Expr) -> pl.Expr:
    """Returns centimetres in metres, more precisely than the game's own values."""
    return quotient(centimetres, 100, 8)


def seconds_since(start: str, at: str = "occurred_at") -> pl.Expr:
    """Returns the seconds from the time in column `start` to the time in column `at`; null if either is unknown."""
    return quotient((pl.col(at) - pl.col(start)).dt.total_microseconds(), 1_000_000, 6)


def estimated_start() -> pl.Expr:
    """Returns the start of a match from its match object alone.

    `created_at` is documented as the time of storing, so the start is one duration earlier. But telemetry is stored
    minutes after the end: if it was stored a whole duration or more after `created_at` (within five minutes),
    `created_at` must be the start itself. Without a duration, `created_at` counts as the start.
    """
    created, length = pl.col("created_at"), pl.duration(seconds=pl.col("duration_s").fill_null(0))
    holds_the_start = pl.col("telemetry_created_at") >= created + length - _ALLOWANCE
    return pl.when(holds_the_start.fill_null(False)).then(created).otherwise(created - length)


def participation(participants: pl.LazyFrame, characters: pl.LazyFrame) -> pl.LazyFrame:
    """Returns everyone who took part in each match, bots included: one row per match and account.

    Combines the participants of the match object and the list of characters at the start (at the end, if a file has no
    list of the start). Characters created in the lobby who did not start are in neither.

    Returns:
        `match_id`, `match_date`, `account_id`, `player_name` (the account where there is none), `team_id`, `team` (the
        team, or the roster where the team has no number), `is_bot`, `in_match_object`, `in_telemetry`.
    """
    known = characters.filter(pl.col("account_id") != "")
    has_start = (pl.col("moment") == "start").any().over("match_id")
    return (
        pl.concat(
            [
                participants.select(
                    *MATCH, "account_id", "player_name", "team_id", "roster_id", is_bot=is_bot("account_id"), source=0
                ),
                known.with_columns(is_listed=(pl.col("moment") == "start") | ~has_start)
                .filter("is_listed")
                .select(
                    *MATCH,
                    "account_id",
                    "player_name",
                    "team_id",
                    roster_id=pl.lit(None, pl.String),
                    is_bot=is_bot("account_id", "character_type"),
                    source=1,
                ),
            ]
        )
        .sort("source", maintain_order=True)
        .group_by(_PERSON, maintain_order=True)
        .agg(
            pl.col("match_date").first(),
            pl.col("player_name").drop_nulls().first(),
            pl.col("team_id").drop_nulls().first(),
            pl.col("roster_id").drop_nulls().first(),
            pl.col("is_bot").any(),
            in_match_object=(pl.col("source") == 0).any(),
            in_telemetry=(pl.col("source") == 1).any(),
        )
        .with_columns(
            pl.col("player_name").fill_null(pl.col("account_id")),
            team=pl.coalesce(pl.col("team_id").cast(pl.String), "roster_id"),
        )
        .drop("roster_id")
    )


def match_facts(
    raw: dy.LazyFrame[t.RawMatches],
    participants: dy.LazyFrame[t.RawParticipants],
    files: dy.LazyFrame[t.TelemetryFiles],
    characters: dy.LazyFrame[t.TelemetryCharacters],
) -> dy.LazyFrame[t.MatchFacts]:
    """Returns every match with a match object or a telemetry file that contains its start.

    Start, end and map come from the telemetry if available; mode, type and length from the match object. Players, bots
    and teams come from `participation`.
    """
    of_files = files.select(
        "match_id",
        "status",
        "started_at",
        "ended_at",
        file_match_date="match_date",
        file_map_id="map_id",
        file_is_custom_match="is_custom_match",
    )
    from_telemetry = pl.col("started_at").is_not_null()
    length = (pl.col("ended_at") - pl.col("started_at")).dt.total_seconds()
    return t.MatchFacts.cast(
        raw.join(of_files, on="match_id", how="full", coalesce=True)
        .with_columns(
            pl.coalesce("match_date", "file_match_date").alias("match_date"),
            pl.when(from_telemetry).then(pl.lit("telemetry")).otherwise(pl.lit("api")).alias("start_source"),
            pl.coalesce("started_at", estimated_start()).alias("started_at"),
            pl.coalesce("file_map_id", "map_id").alias("map_id"),
            pl.coalesce("is_custom_match", "file_is_custom_match").alias("is_custom_match"),
            pl.col("status").fill_null("pending").alias("telemetry_status"),
        )
        # A match known only by an unreadable file is left out, and a check reports it.
        .filter(pl.col("started_at").is_not_null())
        .with_columns(
            pl.coalesce("ended_at", pl.col("started_at") + pl.duration(seconds=pl.col("duration_s"))).alias("ended_at"),
            # A file that ends before it starts has no length; a check reports it.
            pl.coalesce("duration_s", pl.when(length >= 0).then(length)).alias("duration_s"),
            reference.map_name(pl.col("map_id")).alias("map_name"),
        )
        .join(_headcounts(participation(participants, characters)), on="match_id", how="left")
        .with_columns(pl.col(_HEADCOUNT).fill_null(0))
    )


def _headcounts(everybody: pl.LazyFrame) -> pl.LazyFrame:
    return everybody.group_by("match_id").agg(
        players=(~pl.col("is_bot")).sum(),
        bots=pl.col("is_bot").sum(),
        teams=pl.col("team").drop_nulls().n_unique(),
    )


def matches(
    facts: dy.LazyFrame[t.MatchFacts], context: dy.LazyFrame[t.MatchTournamentContext]
) -> dy.LazyFrame[t.Matches]:
    """Returns every match with its tournament context, and the admin and reason of an override."""
    counts_for = [name for name in t.Matches.column_names() if name not in t.MatchFacts.column_names()]
    return t.Matches.cast(
        facts.join(
            context.rename({"override_admin": "overridden_by"}).select("match_id", *counts_for),
            on="match_id",
            how="left",
        ).with_columns(pl.col("is_tournament_match", "is_overridden").fill_null(False))
    )
