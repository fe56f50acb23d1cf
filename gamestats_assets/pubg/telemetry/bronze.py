"""Decodes the landed files of matches to bronze, and selects the files that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.files.documents import without_nul
from gamestats_assets.lakehouse.landing.decoding import DecodedUnits, Decoder, Rejections, Unit
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, UnreadableContentError, decompressed
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.telemetry import telemetry
from gamestats_assets.pubg.telemetry.match_objects import DecodedMatch, UnreadableMatchError, decode_match
from gamestats_assets.pubg.telemetry.tables import RawMatches, RawParticipants, TelemetryFiles

TABLES: tuple[type[Table], ...] = (RawMatches, RawParticipants, TelemetryFiles, *telemetry.TABLES)
"""Every table fed by landed files."""

_EXPIRED_REASON = "The API no longer has the telemetry, and it never landed."


# --------------------------------------------------------------------------- one match


@dataclass(frozen=True, slots=True)
class _Telemetry:
    """One telemetry of a match: its row of `TelemetryFiles` and its other contents."""

    row: dict[str, Any]
    frames: dict[type[Table], pl.DataFrame]
    rejections: Rejections

    @property
    def preference(self) -> tuple[bool, int]:
        """Sort key: readable telemetry first, then most events."""
        return self.row["status"] != "processed", -self.row["events"]


def _read_telemetry(landing: Landing, unit: Unit, file: LandedFile) -> _Telemetry:
    payload = landing.read(file)
    row: dict[str, Any] = {
        "match_id": unit.unit_id,
        "match_date": unit.day,
        "status": "unreadable",
        "content_hash": file.content_hash,
        "size_bytes": len(payload),
        "events": 0,
    }
    try:
        content = decompressed(payload, landing.limits)
        row["size_bytes"] = len(content)
        decoded = telemetry.decode(without_nul(content), unit.unit_id, unit.day)
    except (UnreadableContentError, telemetry.UnreadableTelemetryError) as error:
        rejection = Rejection(unit.unit_id, "file", "unreadable_file", f"{file.path}: {error}", 0)
        return _Telemetry({**row, "reason": str(error)}, {}, {TelemetryFiles: [rejection]})
    facts = {name: getattr(decoded.facts, name) for name in telemetry.TelemetryFacts.__slots__}
    status = "processed" if decoded.unreadable_reason is None else "unreadable"
    return _Telemetry(
        {**row, **facts, "status": status, "reason": decoded.unreadable_reason}, decoded.frames, decoded.rejections
    )


def _take_telemetry(landing: Landing, unit: Unit, into: DecodedUnits) -> bool:
    """Decodes the telemetry of a match; returns whether there is none, or a readable one."""
    files = unit.newest_first(landing, "telemetry")
    if not files:
        if expired := unit.of_kind("expired"):
            into.add_frames({TelemetryFiles: _expired(unit, min(expired, key=lambda file: file.content_hash))})
        return True
    best: _Telemetry | None = None
    for file in files:
        found = _read_telemetry(landing, unit, file)
        best, worse = (found, best) if best is None or found.preference < best.preference else (best, found)
        if worse is not None and worse.row["status"] == "unreadable":
            into.add_rejections({TelemetryFiles: worse.rejections[TelemetryFiles]})
    assert best is not None
    row = {**best.row, "other_files": len(files) - 1}
    into.add_frames({**best.frames, TelemetryFiles: pl.DataFrame([row], schema=TelemetryFiles.schema())})
    into.add_rejections(best.rejections)
    return best.row["status"] == "processed"


def _expired(unit: Unit, marker: LandedFile) -> pl.DataFrame:
    row = {
        "match_id": unit.unit_id,
        "match_date": unit.day,
        "status": "expired",
        "reason": _EXPIRED_REASON,
        "content_hash": marker.content_hash,
        "other_files": 0,
        "size_bytes": 0,
        "events": 0,
    }
    return pl.DataFrame([row], schema=TelemetryFiles.schema())


def _take_match_object(landing: Landing, unit: Unit, into: DecodedUnits) -> bool:
    """Decodes the match object of a match; returns whether there is none, or a readable one.

    Of several the one with most participants counts, then the one that landed last.
    """
    files = unit.newest_first(landing, "match")
    best: DecodedMatch | None = None
    for file in files:
        try:
            found = decode_match(without_nul(landing.content(file)), unit.day, file.content_hash)
            if found.match_id != unit.unit_id:
                raise UnreadableMatchError(f"Expected match {unit.unit_id}, found {found.match_id}.")
        except (UnreadableContentError, UnreadableMatchError) as error:
            rejection = Rejection(unit.unit_id, "file", "unreadable_file", f"{file.path}: {error}", 0)
            into.add_rejections({RawMatches: [rejection]})
            continue
        if best is None or found.frames[RawParticipants].height > best.frames[RawParticipants].height:
            best = found
    if best is not None:
        others = pl.lit(len(files) - 1, dtype=RawMatches.schema()["other_files"])
        into.add_frames({**best.frames, RawMatches: best.frames[RawMatches].with_columns(other_files=others)})
        into.add_rejections(best.rejections)
    return not files or best is not None


def _decode_units(landing: Landing, units: Sequence[Unit]) -> DecodedUnits:
    decoded = DecodedUnits()
    for unit in units:
        has_match = _take_match_object(landing, unit, decoded)
        has_telemetry = _take_telemetry(landing, unit, decoded)
        kinds = {file.kind for file in unit.files}
        is_readable = (
            ("match" in kinds and has_match) or ("telemetry" in kinds and has_telemetry) or kinds == {"expired"}
        )
        decoded.unreadable += not is_readable
    return decoded


DECODER = Decoder("PUBG", TABLES, ("match", "telemetry", "expired"), _decode_units)
"""Match objects, telemetry files and expiry markers.

Of several telemetry contents of one match, the readable one with most events is used, then the one that landed last;
`other_files` counts the others. A match with permanently gone telemetry has a row in `TelemetryFiles` with this status.
"""
