"""Decodes the landed files of matches to bronze, and selects the files that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.files.documents import without_nul
from gamestats_assets.lakehouse.landing.decoding import DecodedUnits, Decoder, Rejections, Unit
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, UnreadableContentError, decompressed
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.timelines import match_objects, timeline
from gamestats_assets.lol.timelines.tables import RawMatches, RawParticipants, TimelineFiles

TABLES: tuple[type[Table], ...] = (*match_objects.TABLES, TimelineFiles, *timeline.TABLES)
"""Every table fed by landed files."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One timeline of a match: its row of `TimelineFiles`, its contents, and its rejections."""

    row: dict[str, Any]
    timeline: timeline.DecodedTimeline | None
    rejections: Rejections

    @property
    def preference(self) -> tuple[bool, int]:
        """Sort key: readable timelines first, then most events."""
        return self.row["status"] != "processed", -self.row["events"]


@dataclass(slots=True)
class _Taken:
    """Accepted contents of several units, until tables are built from all of them at once."""

    matches: list[match_objects.DecodedMatch] = field(default_factory=list)
    other_files: list[int] = field(default_factory=list)
    timelines: list[timeline.DecodedTimeline] = field(default_factory=list)
    timeline_files: list[dict[str, Any]] = field(default_factory=list)


def _read_timeline(landing: Landing, unit: Unit, file: LandedFile) -> _Read:
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
        content = decompressed(payload, landing.limits)
        row["size_bytes"] = len(content)
        decoded = timeline.decode(without_nul(content), unit.unit_id, unit.day)
    except (UnreadableContentError, timeline.UnreadableTimelineError) as error:
        rejection = Rejection(unit.unit_id, "file", "unreadable_file", f"{file.path}: {error}", 0)
        return _Read({**row, "reason": str(error)}, None, {TimelineFiles: [rejection]})
    status = "processed" if decoded.unreadable_reason is None else "unreadable"
    row |= {**decoded.facts, "status": status, "reason": decoded.unreadable_reason}
    rejections = {
        table: [
            replace(each, reason=f"{file.path}: {each.reason}") if each.scope == "file" else each for each in rejected
        ]
        for table, rejected in decoded.rejections.items()
    }
    return _Read(row, decoded, rejections)


def _take_timeline(landing: Landing, unit: Unit, taken: _Taken, into: DecodedUnits) -> bool:
    """Decodes the timeline of a match; returns whether one is readable."""
    files = unit.newest_first(landing, "timeline")
    if not files:
        return False
    best, *others = sorted((_read_timeline(landing, unit, file) for file in files), key=lambda read: read.preference)
    taken.timeline_files.append({**best.row, "other_files": len(others)})
    if best.timeline is not None:
        taken.timelines.append(best.timeline)
    into.add_rejections(best.rejections)
    for other in others:
        into.add_rejections({table: rejected for table, rejected in other.rejections.items() if table is TimelineFiles})
    return best.row["status"] == "processed"


def _take_match_object(landing: Landing, unit: Unit, taken: _Taken, into: DecodedUnits) -> bool:
    """Decodes the match object of a match; returns whether one is readable.

    Of several the one with most participants counts, then the one that landed last.
    """
    read: list[match_objects.DecodedMatch] = []
    files = unit.newest_first(landing, "match")
    for file in files:
        try:
            found = match_objects.decode_match(without_nul(landing.content(file)), unit.day, file.content_hash)
            if found.match_id != unit.unit_id:
                raise match_objects.UnreadableMatchError(f"Expected match {unit.unit_id}, found {found.match_id}.")
        except (UnreadableContentError, match_objects.UnreadableMatchError) as error:
            rejection = Rejection(unit.unit_id, "file", "unreadable_file", f"{file.path}: {error}", 0)
            into.add_rejections({RawMatches: [rejection]})
            continue
        read.append(found)
    if not read:
        return False
    best = max(read, key=lambda found: len(found.rows[RawParticipants]))
    taken.matches.append(best)
    taken.other_files.append(len(files) - 1)
    into.add_rejections(best.rejections)
    return True


def _decode_units(landing: Landing, units: Sequence[Unit]) -> DecodedUnits:
    decoded, taken = DecodedUnits(), _Taken()
    for unit in units:
        has_match = _take_match_object(landing, unit, taken, decoded)
        has_timeline = _take_timeline(landing, unit, taken, decoded)
        decoded.unreadable += not (has_match or has_timeline)
    matches = match_objects.rows_of(taken.matches)
    others = pl.Series("other_files", taken.other_files, dtype=RawMatches.schema()["other_files"])
    decoded.add_frames({**matches, RawMatches: matches[RawMatches].with_columns(others)})
    decoded.add_frames(timeline.rows_of(taken.timelines))
    decoded.add_frames({TimelineFiles: pl.DataFrame(taken.timeline_files, schema=TimelineFiles.schema())})
    return decoded


DECODER = Decoder("League of Legends", TABLES, ("match", "timeline"), _decode_units, part=100)
"""Decodes match objects and timelines; of several files of a match one counts, and `other_files` counts the others."""
