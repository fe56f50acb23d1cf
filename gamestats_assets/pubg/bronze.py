"""Landed files to bronze: many files decoded in several processes, frames per table out.

Each worker reads a few matches from the landing zone, decodes them and spools one Arrow file
per table; the parent scans the spool of a batch while the workers go on with the next. The
result depends on which files there are, never on their order or on the number of workers.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lakehouse import worker
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import LandedFile, Landing, UnreadableContentError, decompressed
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import telemetry
from gamestats_assets.pubg.match_objects import DecodedMatch, UnreadableMatchError, decode_match
from gamestats_assets.pubg.tables import RawMatches, RawParticipants, TelemetryFiles

TABLES: tuple[type[Table], ...] = (RawMatches, RawParticipants, TelemetryFiles, *telemetry.TABLES)
"""Every table that landed files feed."""

Rejections = dict[type[Table], list[Rejection]]

_EXPIRED_REASON = "The API no longer has the telemetry, and none landed while it had."


class DecodeWorkerError(GamestatsError):
    """A process that decodes files died, for want of memory most likely."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """The landed files of one match."""

    match_id: str
    match_date: date
    files: tuple[LandedFile, ...]

    def of_kind(self, kind: str) -> list[LandedFile]:
        return [file for file in self.files if file.kind == kind]


@dataclass(slots=True)
class _Decoded:
    """What files gave: frames per table, rejections per table, matches of which nothing could be read."""

    frames: dict[type[Table], list[pl.DataFrame]] = field(default_factory=dict)
    rejections: Rejections = field(default_factory=dict)
    unreadable: int = 0

    def add_frames(self, frames: Mapping[type[Table], pl.DataFrame]) -> None:
        for table, frame in frames.items():
            if frame.height:
                self.frames.setdefault(table, []).append(frame)

    def add_rejections(self, rejections: Mapping[type[Table], Sequence[Rejection]]) -> None:
        for table, entries in rejections.items():
            self.rejections.setdefault(table, []).extend(entries)


@dataclass(frozen=True, slots=True)
class _Spooled:
    """A decoded part of a batch, whose frames stand in files."""

    paths: dict[type[Table], str]
    rejections: Rejections
    unreadable: int


class Bronze:
    """One batch of decoded files; its lazy frames can be collected until the next batch is asked for.

    Attributes:
        frames: one lazy frame per bronze table, with its declared columns.
        rejections: what could not be read, by the table it was meant for.
        unreadable: matches none of whose match objects and telemetry files could be read.
    """

    def __init__(self, parts: Sequence[_Spooled]) -> None:
        self.unreadable = sum(part.unreadable for part in parts)
        self.rejections: Rejections = {}
        for part in parts:
            for table, entries in part.rejections.items():
                self.rejections.setdefault(table, []).extend(entries)
        self.frames: dict[type[Table], pl.LazyFrame] = {}
        for table in TABLES:
            paths = [part.paths[table] for part in parts if table in part.paths]
            self.frames[table] = pl.scan_ipc(paths) if paths else pl.LazyFrame(schema=table.schema())


# --------------------------------------------------------------------------- one match


@dataclass(frozen=True, slots=True)
class _Telemetry:
    """One telemetry content of a match: its row of `TelemetryFiles` and what else it gave."""

    row: dict[str, Any]
    frames: dict[type[Table], pl.DataFrame]
    rejections: Rejections

    @property
    def preference(self) -> tuple[bool, int, str]:
        """Sorts first: what can be read, then most events, then the smallest hash."""
        return self.row["status"] != "processed", -self.row["events"], self.row["content_hash"]


def _read_telemetry(landing: Landing, unit: _Unit, file: LandedFile) -> _Telemetry:
    payload = landing.read(file)
    row: dict[str, Any] = {
        "match_id": unit.match_id,
        "match_date": unit.match_date,
        "status": "unreadable",
        "content_hash": file.content_hash,
        "size_bytes": len(payload),
        "events": 0,
    }
    try:
        content = decompressed(payload)
        row["size_bytes"] = len(content)
        decoded = telemetry.decode(content, unit.match_id, unit.match_date)
    except (UnreadableContentError, telemetry.UnreadableTelemetryError) as error:
        rejection = Rejection(unit.match_id, "file", "unreadable_file", f"{file.path}: {error}", 0)
        return _Telemetry({**row, "reason": str(error)}, {}, {TelemetryFiles: [rejection]})
    facts = {name: getattr(decoded.facts, name) for name in telemetry.TelemetryFacts.__slots__}
    status = "processed" if decoded.unreadable_reason is None else "unreadable"
    return _Telemetry(
        {**row, **facts, "status": status, "reason": decoded.unreadable_reason}, decoded.frames, decoded.rejections
    )


def _take_telemetry(landing: Landing, unit: _Unit, into: _Decoded) -> bool:
    """Decode the telemetry of a match; whether there is none, or some that can be read."""
    files = unit.of_kind("telemetry")
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


def _expired(unit: _Unit, marker: LandedFile) -> pl.DataFrame:
    row = {
        "match_id": unit.match_id,
        "match_date": unit.match_date,
        "status": "expired",
        "reason": _EXPIRED_REASON,
        "content_hash": marker.content_hash,
        "other_files": 0,
        "size_bytes": 0,
        "events": 0,
    }
    return pl.DataFrame([row], schema=TelemetryFiles.schema())


def _take_match_object(landing: Landing, unit: _Unit, into: _Decoded) -> bool:
    """Decode the match object of a match; whether there is none, or one that can be read.

    Of several the one with most participants counts, then the one with the smallest hash.
    """
    files = unit.of_kind("match")
    best: tuple[int, str, DecodedMatch] | None = None
    for file in files:
        try:
            found = decode_match(decompressed(landing.read(file)), unit.match_date, file.content_hash)
            if found.match_id != unit.match_id:
                raise UnreadableMatchError(f"Expected match {unit.match_id}, found {found.match_id}.")
        except (UnreadableContentError, UnreadableMatchError) as error:
            rejection = Rejection(unit.match_id, "file", "unreadable_file", f"{file.path}: {error}", 0)
            into.add_rejections({RawMatches: [rejection]})
            continue
        candidate = (-found.frames[RawParticipants].height, file.content_hash, found)
        if best is None or candidate[:2] < best[:2]:
            best = candidate
    if best is not None:
        others = pl.lit(len(files) - 1, dtype=RawMatches.schema()["other_files"])
        into.add_frames({**best[2].frames, RawMatches: best[2].frames[RawMatches].with_columns(other_files=others)})
        into.add_rejections(best[2].rejections)
    return not files or best is not None


def _decode_units(landing: Landing, units: Sequence[_Unit]) -> _Decoded:
    decoded = _Decoded()
    for unit in units:
        has_match = _take_match_object(landing, unit, decoded)
        has_telemetry = _take_telemetry(landing, unit, decoded)
        kinds = {file.kind for file in unit.files}
        told = ("match" in kinds and has_match) or ("telemetry" in kinds and has_telemetry) or kinds == {"expired"}
        decoded.unreadable += not told
    return decoded


# --------------------------------------------------------------------------- many matches


def _spool_part(landing: Landing, units: Sequence[_Unit], spool: str, number: int) -> _Spooled:
    _begun(spool, number).touch()
    decoded = _decode_units(landing, units)
    paths: dict[type[Table], str] = {}
    for table, frames in decoded.frames.items():
        paths[table] = str(Path(spool, f"{table.spec.name}-{number:06d}.arrow"))
        pl.concat(frames).write_ipc(paths[table], compression="uncompressed")
    return _Spooled(paths, decoded.rejections, decoded.unreadable)


def _begun(spool: str, number: int) -> Path:
    """The file that says that a part was begun: when a worker dies, those without a result are suspect."""
    return Path(spool, f"{number:06d}.begun")


def _units_of(files: Sequence[LandedFile]) -> list[_Unit]:
    grouped: dict[tuple[str, str], list[LandedFile]] = {}
    for file in sorted(set(files)):
        if file.kind in ("match", "telemetry", "expired"):
            grouped.setdefault((file.day, file.unit_id), []).append(file)
    return [_Unit(match_id, date.fromisoformat(day), tuple(of_unit)) for (day, match_id), of_unit in grouped.items()]


def _parts(items: Sequence[_Unit], size: int) -> list[Sequence[_Unit]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


@dataclass(slots=True)
class _Batch:
    """A batch on its way: its parts of a few matches each, and what they give."""

    spool: str
    parts: list[Sequence[_Unit]]
    results: list[Future[_Spooled]] = field(default_factory=list)

    def suspects(self) -> list[str]:
        """Files that were being read when a worker died."""
        return [
            file.path
            for number, (part, result) in enumerate(zip(self.parts, self.results, strict=False))
            if _begun(self.spool, number).exists() and (result.exception() if result.done() else True)
            for unit in part
            for file in unit.files
        ]

    def bronze(self) -> Bronze:
        """The decoded batch, once every part of it is done."""
        return Bronze([result.result() for result in self.results])

    def remove(self) -> None:
        """Remove the spooled frames."""
        shutil.rmtree(self.spool, ignore_errors=True)


def decode_batches(
    landing: Landing,
    batches: Sequence[Sequence[LandedFile]],
    *,
    workers: int,
    part: int = 4,
    spool: Path | None = None,
) -> Generator[Bronze, None, None]:
    """Decode batches of landed files, of one or several days; while one is used the next is decoded.

    Of several telemetry contents of one match, the readable one with most events is used, then
    the one with the smallest hash; `other_files` counts the rest. A match whose telemetry is
    gone for good has a row in `TelemetryFiles` that says so. A file that cannot be read is a
    rejection, never an error. Close the generator when not all of it is read.

    Args:
        landing: where the files stand; each worker opens it itself.
        batches: match objects, telemetry files and expiry markers; other kinds are passed over.
            All files of a match are in one batch.
        workers: processes; a single part is decoded in this one.
        part: matches per task; a worker holds the frames of one part in memory.
        spool: folder under which frames are spooled; the system's temporary folder without it.

    Raises:
        DecodeWorkerError: when a worker died. Nothing of the batches not yet given is kept.
    """
    folder = tempfile.mkdtemp(prefix="gamestats-pubg-", dir=spool)
    waiting = [
        _Batch(str(Path(folder, str(number))), _parts(_units_of(files), part)) for number, files in enumerate(batches)
    ]
    processes = min(workers, sum(len(batch.parts) for batch in waiting))
    running: list[_Batch] = []

    def start_next(executor: Executor) -> None:
        if waiting:
            batch = waiting.pop(0)
            running.append(batch)
            Path(batch.spool).mkdir()
            for number, units in enumerate(batch.parts):
                batch.results.append(executor.submit(_spool_part, landing, units, batch.spool, number))

    try:
        with worker.pool(processes) as executor:
            start_next(executor)
            while running:
                start_next(executor)
                yield running[0].bronze()
                running.pop(0).remove()
    except BrokenProcessPool:
        suspects = [path for batch in running for path in batch.suspects()]
        raise DecodeWorkerError(
            f"A process that decodes PUBG files died while at most {len(suspects)} files were being read: "
            f"{', '.join(suspects)}. Nothing of these was used. If memory ran out, lower GAMESTATS_WORKERS."
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
