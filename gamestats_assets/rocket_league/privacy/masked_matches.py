"""Matches with forgotten players: reads the rows of their files, and lands new files of them masked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from datetime import date

import polars as pl

from gamestats_assets.lakehouse.landing.arrivals import Recognised
from gamestats_assets.lakehouse.landing.decoding import Unit, decode_batches
from gamestats_assets.lakehouse.landing.spooling import spooled
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.rocket_league.privacy.masking import (
    TABLES,
    Rows,
    land_masked,
    masked,
    masked_rows,
    masked_together,
)
from gamestats_assets.rocket_league.replays.bronze import EVENTS_DECODER, RAW_DECODER
from gamestats_assets.rocket_league.source import BALLCHASING, GAME, MASKED
from gamestats_assets.rocket_league.tables import RawReplays

# Matches that are read together; all their frames are in memory.
_BATCH = 8


def rows_of_matches(landing: Landing, units: Sequence[Unit], *, workers: int = 1) -> Iterator[tuple[Unit, Rows]]:
    """Yields the bronze rows of matches as their steps would read them now: the lake may be behind or incomplete."""
    batches = [units[start : start + _BATCH] for start in range(0, len(units), _BATCH)]
    files = [[file for unit in batch for file in unit.files] for batch in batches]
    with (
        closing(decode_batches(RAW_DECODER, landing, files, workers=workers, part=1)) as raw,
        closing(decode_batches(EVENTS_DECODER, landing, files, workers=workers, part=1)) as events,
    ):
        for batch, of_raw, of_events in zip(batches, raw, events, strict=True):
            together = {**of_raw.frames, **of_events.frames}
            frames = {table: together[table].collect() for table in TABLES}
            for unit in batch:
                yield unit, {table: rows.filter(pl.col("match_id") == unit.unit_id) for table, rows in frames.items()}


def land_without(
    content: bytes, recognised: Recognised, day: date, players: Collection[str], landing: Landing
) -> tuple[LandedFile, bool] | None:
    """Land the rows of a file with its players masked, but nothing of the file itself.

    They are added as a new source: a further replay adds nothing to a match that has one, masked or not. Existing files
    stay, but do not count beside the masked one, which contains their rows.

    Args:
        content: the file, decompressed.
        recognised: its kind, match and start.
        day: day of the match, if no other file of it has landed.
        players: players to mask.
        landing: the landing zone.

    Returns:
        The file that counts, and whether it is new; None if the file cannot be read.
    """
    match_id = str(recognised.match_id)
    held = landing.held(GAME, [match_id])[match_id]
    files = tuple(file for of_kind in held.values() for file in of_kind)
    before: Rows | None = None
    if files:
        day = date.fromisoformat(files[0].day)
        before = _rows(landing, Unit(match_id, day, files))
        if ("ballchasing" if recognised.kind == BALLCHASING else "replay") in before[RawReplays]["source"]:
            return (masked_rows(landing, held[MASKED])[0] if MASKED in held else files[0]), False
    with spooled() as folder:
        aside = Landing(folder, limits=landing.limits)
        file, _ = aside.put(GAME, day, match_id, recognised.kind, content, content, recognised.suffix)
        new = _rows(aside, Unit(match_id, day, (file,)))
    if new[RawReplays].is_empty():
        return None
    rows = masked(new, players) if before is None else masked_together(before, new, players)
    # Meanwhile another file of the match may have landed, on another day.
    claimed = date.fromisoformat(landing.claim_day(GAME, match_id, day))
    dated = {table: frame.with_columns(match_date=pl.lit(claimed)) for table, frame in rows.items()}
    return land_masked(landing, match_id, claimed, dated), True


def _rows(landing: Landing, unit: Unit) -> Rows:
    ((_, rows),) = rows_of_matches(landing, [unit])
    return rows
