"""Checks across the tables of landed files, beyond each table's own rules.

As in `matches.checks`, a failed blocking check means lost or duplicated rows; the others report possible changes at the
source.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import reference
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.matches import MATCH, count_by_match, is_bot, unknown_values
from gamestats_assets.pubg.telemetry.events import EVENTS

# --------------------------------------------------------------------------- what landed


@breaking_rows(of=t.TelemetryEventCounts)
def every_event_of_a_file_is_counted(
    counts: dy.LazyFrame[t.TelemetryEventCounts], files: dy.LazyFrame[t.TelemetryFiles]
) -> pl.LazyFrame:
    """The counts by event type add up to the number of events of a telemetry file."""
    counted = counts.group_by(MATCH).agg(pl.col("events").sum().alias("counted_events"))
    return (
        files.filter(pl.col("status") == "processed")
        .select(*MATCH, "events")
        .join(counted, on=MATCH, how="left")
        .filter(pl.col("counted_events").fill_null(0) != pl.col("events"))
    )


_COUNTED: dict[str, type[Table]] = {
    "counts": t.TelemetryEventCounts,
    **{rows.table.spec.name: rows.table for rows in EVENTS.values()},
}


@breaking_rows(of=t.TelemetryEventCounts, inputs=_COUNTED)
def no_more_rows_than_kept_events(counts: dy.LazyFrame[t.TelemetryEventCounts], **tables: pl.LazyFrame) -> pl.LazyFrame:
    """A telemetry table has at most as many rows of a match as events were kept for it, so none is duplicated."""
    return _kept_against_rows(counts, tables).filter(pl.col("rows") > pl.col("kept"))


@breaking_rows(of=t.TelemetryEventCounts, inputs=_COUNTED, blocking=False)
def every_kept_event_is_a_row(counts: dy.LazyFrame[t.TelemetryEventCounts], **tables: pl.LazyFrame) -> pl.LazyFrame:
    """Every kept event is a row of its table. Missing ones broke a rule of the table and are in quarantine."""
    return _kept_against_rows(counts, tables).filter(pl.col("rows") < pl.col("kept"))


def _kept_against_rows(counts: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Returns events kept and rows made, by event type."""
    found = pl.concat(
        count_by_match(
            tables[rows.table.spec.name].filter(
                pl.lit(True), *(pl.col(column) == value for column, value in rows.constants.items())
            )
        ).with_columns(event_type=pl.lit(name))
        for name, rows in EVENTS.items()
    )
    kept = counts.filter(pl.col("event_type").is_in(list(EVENTS))).select(*MATCH, "event_type", "kept")
    return kept.join(found, on=[*MATCH, "event_type"], how="full", coalesce=True).with_columns(
        pl.col("kept", "rows").fill_null(0)
    )


@breaking_rows(of=t.TelemetryEventCounts, blocking=False)
def event_types_are_known(counts: dy.LazyFrame[t.TelemetryEventCounts]) -> pl.LazyFrame:
    """All event types are known. Events of a new type are only counted until a table takes them."""
    return unknown_values(counts.filter(~pl.col("is_wanted")), "event_type", reference.event_types()).select(
        *MATCH, "event_type", "events"
    )


@breaking_rows(of=t.TelemetryFiles, blocking=False)
def telemetry_ends_after_it_starts(files: dy.LazyFrame[t.TelemetryFiles]) -> pl.LazyFrame:
    """A processed telemetry file has a start and an end, in this order."""
    return files.filter(
        (pl.col("status") == "processed") & ~(pl.col("started_at") <= pl.col("ended_at")).fill_null(False)
    ).select(*MATCH, "started_at", "ended_at")


@breaking_rows(of=t.RawParticipants)
def participants_belong_to_a_match_object(
    participants: dy.LazyFrame[t.RawParticipants], raw_matches: dy.LazyFrame[t.RawMatches]
) -> pl.LazyFrame:
    """Every participant's match has a match object under the same day."""
    return count_by_match(participants.join(raw_matches, on=MATCH, how="anti"), name="participants")


@breaking_rows(of=t.RawParticipants, blocking=False)
def match_objects_have_all_their_participants(
    participants: dy.LazyFrame[t.RawParticipants], raw_matches: dy.LazyFrame[t.RawMatches]
) -> pl.LazyFrame:
    """A match object has as many participants as it lists. Missing ones are in quarantine."""
    return (
        raw_matches.select(*MATCH, "participants")
        .join(count_by_match(participants), on=MATCH, how="left")
        .with_columns(pl.col("rows").fill_null(0))
        .filter(pl.col("rows") != pl.col("participants"))
    )


@breaking_rows(of=t.RawParticipants, blocking=False)
def accounts_take_part_once(participants: dy.LazyFrame[t.RawParticipants]) -> pl.LazyFrame:
    """No person is listed twice in a match object. Of two entries, the one with the longer survival counts."""
    return count_by_match(participants.filter(~is_bot("account_id")), "account_id").filter(pl.col("rows") > 1)


@breaking_rows(of=t.TelemetryAttacks, blocking=False)
def throwables_are_known(attacks: dy.LazyFrame[t.TelemetryAttacks]) -> pl.LazyFrame:
    """Every throwable is in the catalogue. A new one counts as tactical until it is added."""
    thrown = attacks.filter((pl.col("sub_category") == "Throwable") | (pl.col("event_type") == "LogPlayerUseThrowable"))
    return count_by_match(unknown_values(thrown, "item_id", reference.throwables()), "item_id", name="events")


@breaking_rows(of=t.RawMatches, blocking=False)
def match_objects_agree(raw_matches: dy.LazyFrame[t.RawMatches]) -> pl.LazyFrame:
    """A match has one match object; only one of several different ones is used, which deserves a look."""
    return raw_matches.filter(pl.col("other_files") > 0).select("match_date", "match_id", "content_hash", "other_files")


ALL: tuple[Check, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Check))
"""Every check of landed files, in the order of this module."""
