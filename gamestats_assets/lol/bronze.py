"""The landed files of matches to bronze: which of a match's files count, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.decoding import DecodedUnits, Decoder, Rejections, Unit
from gamestats_assets.lakehouse.landing import LandedFile, Landing, UnreadableContentError, decompressed
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import match_objects, timeline
from gamestats_assets.lol.tables import RawMatches, RawParticipants, TimelineFiles

TABLES: tuple[type[Table], ...] = (*match_objects.TABLES, TimelineFiles, *timeline.TABLES)
"""Every table that landed files feed."""

_Read = tuple[dict[str, Any], dict[type[Table], pl.DataFrame], Rejections]


def _read_timeline(landing: Landing, unit: Unit, file: LandedFile) -> _Read:
    """The row of `TimelineFiles` for one content, and what else it gave."""
    payload = landing.read(file)
    row: dict[str, Any] = {
        "match_id": unit.unit_id,
        "match_date": unit.day,
        "status": "unreadable",
        "content_hash": file.content_hash,
        "size_bytes": len(payload),
        "frames": 0,
        "events": 0,
    }
    try:
        content = decompressed(payload)
        row["size_bytes"] = len(content)
        decoded = timeline.decode(content, unit.unit_id, unit.day)
    except (UnreadableContentError, timeline.UnreadableTimelineError) as error:
        rejection = Rejection(unit.unit_id, "file", "unreadable_file", f"{file.path}: {error}", 0)
        return {**row, "reason": str(error)}, {}, {TimelineFiles: [rejection]}
    status = "processed" if decoded.unreadable_reason is None else "unreadable"
    row |= {**decoded.facts, "status": status, "reason": decoded.unreadable_reason}
    return row, decoded.frames, decoded.rejections


def _preference(read: _Read) -> tuple[bool, int, str]:
    """Sorts first: what can be read, then most events, then the smallest hash."""
    row = read[0]
    return row["status"] != "processed", -row["events"], row["content_hash"]


def _take_timeline(landing: Landing, unit: Unit, into: DecodedUnits) -> bool:
    """Decode the timeline of a match; whether one can be read."""
    files = unit.of_kind("timeline")
    if not files:
        return False
    best, *others = sorted((_read_timeline(landing, unit, file) for file in files), key=_preference)
    row = {**best[0], "other_files": len(others)}
    into.add_frames({**best[1], TimelineFiles: pl.DataFrame([row], schema=TimelineFiles.schema())})
    into.add_rejections(best[2])
    for other in others:
        into.add_rejections({TimelineFiles: other[2].get(TimelineFiles, [])})
    return row["status"] == "processed"


def _take_match_object(landing: Landing, unit: Unit, into: DecodedUnits) -> bool:
    """Decode the match object of a match; whether one can be read.

    Of several the one with most participants counts, then the one with the smallest hash.
    """
    read: list[tuple[int, str, match_objects.DecodedMatch]] = []
    files = unit.of_kind("match")
    for file in files:
        try:
            found = match_objects.decode_match(decompressed(landing.read(file)), unit.day, file.content_hash)
            if found.match_id != unit.unit_id:
                raise match_objects.UnreadableMatchError(f"Expected match {unit.unit_id}, found {found.match_id}.")
        except (UnreadableContentError, match_objects.UnreadableMatchError) as error:
            rejection = Rejection(unit.unit_id, "file", "unreadable_file", f"{file.path}: {error}", 0)
            into.add_rejections({RawMatches: [rejection]})
            continue
        read.append((-found.frames[RawParticipants].height, file.content_hash, found))
    if not read:
        return False
    best = min(read, key=lambda each: each[:2])[2]
    others = pl.lit(len(files) - 1, dtype=RawMatches.schema()["other_files"])
    into.add_frames({**best.frames, RawMatches: best.frames[RawMatches].with_columns(other_files=others)})
    into.add_rejections(best.rejections)
    return True


def _decode_units(landing: Landing, units: Sequence[Unit]) -> DecodedUnits:
    decoded = DecodedUnits()
    for unit in units:
        has_match, has_timeline = _take_match_object(landing, unit, decoded), _take_timeline(landing, unit, decoded)
        decoded.unreadable += not (has_match or has_timeline)
    return decoded


DECODER = Decoder("League of Legends", TABLES, ("match", "timeline"), _decode_units)
"""Match objects and timelines; of several of a match one counts, and `other_files` counts the rest."""
