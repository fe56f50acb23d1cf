"""Landed files to bronze: many files decoded in several processes, frames per table out.

Each worker reads a batch of matches from the landing zone, decodes them and spools one Arrow
file per table; the parent scans the spool. The result depends on which files there are,
never on their order or on the number of workers.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import LandedFile, Landing, UnreadableContentError, decompressed
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import telemetry, worker
from gamestats_assets.pubg.match_objects import DecodedMatch, UnreadableMatchError, decode_match
from gamestats_assets.pubg.tables import RawMatches, RawParticipants, TelemetryFiles

TABLES: tuple[type[Table], ...] = (RawMatches, RawParticipants, TelemetryFiles, *telemetry.TABLES)
"""Every table that landed files feed."""

Rejections = dict[type[Table], list[Rejection]]
Progress = Callable[[int, int], None]
_Item = TypeVar("_Item")

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
    """A decoded batch whose frames stand in files."""

    paths: dict[type[Table], str]
    rejections: Rejections
    unreadable: int


_Results = Generator[tuple[int, _Spooled], None, None]


class Bronze:
    """Decoded files, as long as the context is open: leaving it removes the spooled frames.

    Attributes:
        frames: one lazy frame per bronze table, with its declared columns.
        rejections: what could not be read, by the table it was meant for.
        units: match id to one hash of all its landed files.
        unreadable: matches none of whose match objects and telemetry files could be read.
    """

    def __init__(self, spool: Path, batches: Sequence[_Spooled], units: dict[str, str]) -> None:
        self._spool = spool
        self.units = units
        self.unreadable = sum(batch.unreadable for batch in batches)
        self.rejections: Rejections = {}
        for batch in batches:
            for table, entries in batch.rejections.items():
                self.rejections.setdefault(table, []).extend(entries)
        self.frames: dict[type[Table], pl.LazyFrame] = {}
        for table in TABLES:
            paths = [batch.paths[table] for batch in batches if table in batch.paths]
            self.frames[table] = pl.scan_ipc(paths) if paths else pl.LazyFrame(schema=table.schema())

    def __enter__(self) -> Bronze:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the spooled frames; the lazy frames cannot be collected afterwards."""
        shutil.rmtree(self._spool, ignore_errors=True)


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


def _spool_batch(landing: Landing, units: Sequence[_Unit], spool: str, number: int) -> _Spooled:
    decoded = _decode_units(landing, units)
    paths: dict[type[Table], str] = {}
    for table, frames in decoded.frames.items():
        paths[table] = str(Path(spool, f"{table.spec.name}-{number:06d}.arrow"))
        pl.concat(frames).write_ipc(paths[table], compression="uncompressed")
    return _Spooled(paths, decoded.rejections, decoded.unreadable)


def _units_of(files: Sequence[LandedFile]) -> list[_Unit]:
    grouped: dict[tuple[str, str], list[LandedFile]] = {}
    for file in sorted(set(files)):
        if file.kind in ("match", "telemetry", "expired"):
            grouped.setdefault((file.day, file.unit_id), []).append(file)
    return [_Unit(match_id, date.fromisoformat(day), tuple(of_unit)) for (day, match_id), of_unit in grouped.items()]


def _parts(items: Sequence[_Item], size: int) -> list[Sequence[_Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _in_processes(landing: Landing, batches: Sequence[Sequence[_Unit]], spool: str, workers: int) -> _Results:
    """Decode batches in worker processes; gives them by number as they are done.

    Raises:
        DecodeWorkerError: when a worker died; the batches it may have had are named.
    """
    # Spawned, not forked: the parent may have threads, and a fork would copy their locks.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, context, initializer=worker.start)
    waiting = iter(enumerate(batches))
    running: dict[Future[_Spooled], int] = {}
    try:
        while True:
            # No more batches than workers are out: when one dies, few files are suspect.
            while len(running) < workers and (next_batch := next(waiting, None)):
                number, units = next_batch
                running[executor.submit(_spool_batch, landing, units, spool, number)] = number
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                yield running.pop(future), result
    except BrokenProcessPool:
        suspects = [file.path for number in sorted(running.values()) for unit in batches[number] for file in unit.files]
        raise DecodeWorkerError(
            f"A process that decodes PUBG files died while at most {len(suspects)} files were being read: "
            f"{', '.join(suspects)}. Nothing of this call was used. If memory ran out, lower GAMESTATS_WORKERS "
            "or decode the files of fewer matches at once."
        ) from None
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _in_this_process(landing: Landing, batches: Sequence[Sequence[_Unit]], spool: str) -> _Results:
    for number, units in enumerate(batches):
        yield number, _spool_batch(landing, units, spool, number)


def decode_files(
    landing: Landing,
    files: Sequence[LandedFile],
    *,
    workers: int,
    batch: int = 4,
    progress: Progress | None = None,
    spool: Path | None = None,
) -> Bronze:
    """Decode landed files of one or several days; use the result as a context manager.

    Of several telemetry contents of one match, the readable one with most events is used, then
    the one with the smallest hash; `other_files` counts the rest. A match whose telemetry is
    gone for good has a row in `TelemetryFiles` that says so. A file that cannot be read is a
    rejection, never an error.

    Args:
        landing: where the files stand; each worker opens it itself.
        files: match objects, telemetry files and expiry markers; other kinds are passed over.
        workers: processes; a single batch is decoded in this one.
        batch: matches per batch; a worker holds the frames of one batch in memory.
        progress: called with the matches done and all matches, after each batch.
        spool: folder under which frames are spooled; the system's temporary folder without it.

    Raises:
        DecodeWorkerError: when a worker died. Nothing of the call is kept.
    """
    # Imported here: the workers do without the lake's libraries.
    from gamestats_assets.lakehouse.ledger import combined_hash

    units = _units_of(files)
    batches = _parts(units, batch)
    folder = Path(tempfile.mkdtemp(prefix="gamestats-pubg-", dir=spool))
    processes = min(workers, len(batches))
    done: dict[int, _Spooled] = {}
    matches_done = 0
    try:
        results = (
            _in_processes(landing, batches, str(folder), processes)
            if processes > 1
            else _in_this_process(landing, batches, str(folder))
        )
        with contextlib.closing(results):
            for number, result in results:
                done[number] = result
                matches_done += len(batches[number])
                if progress is not None:
                    progress(matches_done, len(units))
        hashes: dict[str, str] = {
            unit.match_id: combined_hash(f"{file.kind} {file.content_hash}" for file in unit.files) for unit in units
        }
        return Bronze(folder, [done[number] for number in sorted(done)], hashes)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
