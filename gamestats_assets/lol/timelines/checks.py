"""Checks across the tables of landed files, beyond each table's own rules.

A failed blocking check means that rows were lost, duplicated or contradictory. It sets the match aside or, if no match
is to blame, stops the table. The others report possible changes at the source: a new kind of event, a timeline with
less than its match object.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.lol.matches.game_state import MATCH, PARTICIPANT
from gamestats_assets.lol.timelines.tables import (
    RawMatches,
    RawParticipants,
    TimelineEventCounts,
    TimelineEvents,
    TimelineFiles,
    TimelineFrames,
)

GOLD, DAMAGE = 0.02, 0.02
"""Largest relative differences between a timeline's last frame and the match object."""


@breaking_rows(of=TimelineEventCounts)
def every_event_of_a_timeline_is_counted(
    counts: dy.LazyFrame[TimelineEventCounts], files: dy.LazyFrame[TimelineFiles]
) -> pl.LazyFrame:
    """The counts by kind of event add up to the number of events of a timeline."""
    counted = counts.group_by(MATCH).agg(counted_events=pl.col("events").sum())
    return (
        files.filter(pl.col("status") == "processed")
        .select(*MATCH, "events")
        .join(counted, on=MATCH, how="left")
        .filter(pl.col("counted_events").fill_null(0) != pl.col("events"))
    )


@breaking_rows(of=TimelineEventCounts)
def no_more_rows_than_events(
    counts: dy.LazyFrame[TimelineEventCounts], events: dy.LazyFrame[TimelineEvents]
) -> pl.LazyFrame:
    """A match has no more rows of a kind of event than its timeline had readable events, so none is duplicated."""
    return _kept_and_rows(counts, events).filter(pl.col("rows") > pl.col("kept"))


@breaking_rows(of=TimelineEventCounts, blocking=False)
def every_event_is_a_row(
    counts: dy.LazyFrame[TimelineEventCounts], events: dy.LazyFrame[TimelineEvents]
) -> pl.LazyFrame:
    """Every readable event is a row. Missing ones broke a rule of the table and are in quarantine."""
    return _kept_and_rows(counts, events).filter(pl.col("rows") < pl.col("kept"))


def _kept_and_rows(counts: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    kind = [*MATCH, "event_type"]
    rows = events.group_by(kind).agg(rows=pl.len().cast(pl.Int64))
    kept = counts.group_by(kind).agg(kept=(pl.col("events") - pl.col("quarantined")).sum().cast(pl.Int64))
    return kept.join(rows, on=kind, how="full", coalesce=True).with_columns(pl.col("rows", "kept").fill_null(0))


@breaking_rows(of=TimelineEventCounts, blocking=False)
def kinds_of_events_are_known(counts: dy.LazyFrame[TimelineEventCounts]) -> pl.LazyFrame:
    """All kinds of events are known. Events of a new kind become rows too, but no later table reads them."""
    return counts.filter(~pl.col("is_known"))


@breaking_rows(of=RawParticipants, blocking=False)
def every_participant_is_a_row(
    participants: dy.LazyFrame[RawParticipants], matches: dy.LazyFrame[RawMatches]
) -> pl.LazyFrame:
    """A match has as many participants as its match object lists; the others are in quarantine."""
    rows = participants.group_by(MATCH).agg(rows=pl.len())
    listed = matches.select(*MATCH, listed=pl.col("participants").cast(pl.Int64))
    return listed.join(rows, on=MATCH, how="left").filter(pl.col("rows").fill_null(0) != pl.col("listed"))


@breaking_rows(of=TimelineFrames, blocking=False)
def timelines_end_as_match_objects_tell(
    frames: dy.LazyFrame[TimelineFrames], raw: dy.LazyFrame[RawParticipants], matches: dy.LazyFrame[RawMatches]
) -> pl.LazyFrame:
    """Gold and damage to champions in a timeline's last frame equal those of the match object, within 2%."""
    last = frames.group_by(PARTICIPANT).agg(
        gold=pl.col("total_gold").sort_by("timestamp_ms").last(),
        damage=pl.col("damage_to_champions").sort_by("timestamp_ms").last(),
    )
    recorded = raw.select(*PARTICIPANT, "gold_earned", recorded_damage="damage_to_champions")

    def differ(here: str, there: str, share: float) -> pl.Expr:
        return (pl.col(here) - pl.col(there)).abs() > (share * pl.col(there)).clip(lower_bound=50)

    return last.join(recorded, on=PARTICIPANT).filter(
        differ("gold", "gold_earned", GOLD) | differ("damage", "recorded_damage", DAMAGE)
    )


@breaking_rows(of=TimelineEvents, blocking=False)
def kills_of_timelines_are_those_of_match_objects(
    events: dy.LazyFrame[TimelineEvents], raw: dy.LazyFrame[RawParticipants], files: dy.LazyFrame[TimelineFiles]
) -> pl.LazyFrame:
    """A participant has as many kills in the timeline as in the match object."""
    kills = (
        events.filter((pl.col("event_type") == "CHAMPION_KILL") & (pl.col("participant_id") > 0))
        .group_by(PARTICIPANT)
        .agg(in_timeline=pl.len().cast(pl.Int64))
    )
    processed = files.filter(pl.col("status") == "processed").select(MATCH)
    return (
        raw.join(processed, on=MATCH, how="semi")
        .select(*PARTICIPANT, recorded=pl.col("kills").cast(pl.Int64))
        .join(kills, on=PARTICIPANT, how="left")
        .with_columns(pl.col("in_timeline").fill_null(0))
        .filter(pl.col("in_timeline") != pl.col("recorded"))
    )


ALL: tuple[Check, ...] = tuple(value for value in globals().values() if isinstance(value, Check))
"""Every check, in the order of this file."""
