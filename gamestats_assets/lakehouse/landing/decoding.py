"""Decodes landed files into one frame per table, in several processes.

Each worker reads a few units, such as matches, from the landing zone, decodes them and spools one Arrow file per table.
The parent scans the spool of a batch while the workers decode the next one. The result depends only on the set of
files, never on their order or on the number of workers.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lakehouse import worker
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing.spooling import spooled
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lakehouse.worker import TaskDiedError, guarded, guarded_pool

Rejections = dict[type[Table], list[Rejection]]


Rows = pl.LazyFrame | Iterable[pl.DataFrame]


@dataclass(slots=True)
class Decoded:
    """A batch of rows from files, or from anything else.

    The rows can be read until the next batch is requested. A stream of frames can be consumed once, two tables at a
    time; the stream of the last table starts when all others are exhausted. A stream's rejections are known at its end.

    Attributes:
        frames: rows by table.
        rejections: by the table that the rows were meant for.
        unreadable: number of completely unreadable units.
    """

    frames: dict[type[Table], Any]
    rejections: Rejections = field(default_factory=dict)
    unreadable: int = 0


class DecodeWorkerError(GamestatsError):
    """A process that decodes files died, most likely for lack of memory."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Landed files of one day that are decoded together, such as those of a match, in the order of their names."""

    unit_id: str
    day: date
    files: tuple[LandedFile, ...]

    def of_kind(self, kind: str) -> list[LandedFile]:
        """Its files of one kind."""
        return [file for file in self.files if file.kind == kind]

    def newest_first(self, landing: Landing, kind: str) -> list[LandedFile]:
        """Its files of one kind, the last to land first: of equally good contents, it is the corrected one."""
        files = self.of_kind(kind)
        return sorted(files, key=landing.landed_at, reverse=True) if len(files) > 1 else files


@dataclass(slots=True)
class DecodedUnits:
    """Result of decoding units: frames and rejections by table, and the number of unreadable units."""

    frames: dict[type[Table], list[pl.DataFrame]] = field(default_factory=dict)
    rejections: Rejections = field(default_factory=dict)
    unreadable: int = 0

    def add_frames(self, frames: Mapping[type[Table], pl.DataFrame]) -> None:
        """Adds frames; empty ones are skipped."""
        for table, frame in frames.items():
            if frame.height:
                self.frames.setdefault(table, []).append(frame)

    def add_rejections(self, rejections: Mapping[type[Table], Sequence[Rejection]]) -> None:
        """Adds rejections by the table that they were meant for."""
        for table, entries in rejections.items():
            if entries:
                self.rejections.setdefault(table, []).extend(entries)


@dataclass(frozen=True)
class Decoder:
    """How the landed files of a game are decoded.

    Attributes:
        game: the game; named in messages.
        tables: every table that the files feed.
        kinds: kinds of files to decode; others are skipped.
        decode: decodes some units; must be a module-level function, since other processes call it.
        part: units decoded together; a worker holds the frames of one part in memory.
        unit: attribute of a landed file that names its unit: `unit_id`, or `area` for an area of the game.
        is_guarded: whether a malicious file could break its decoder. Such files are decoded in another process with
            limits on memory and time. A file that crashes its process is rejected; the others are decoded.
    """

    game: str
    tables: tuple[type[Table], ...]
    kinds: Collection[str]
    decode: Callable[[Landing, Sequence[Unit]], DecodedUnits]
    part: int = 4
    unit: str = "unit_id"
    is_guarded: bool = False


@dataclass(frozen=True, slots=True)
class _Spooled:
    """A decoded part of a batch, with its frames in files."""

    paths: dict[type[Table], str]
    rejections: Rejections
    unreadable: int


def _joined(tables: Sequence[type[Table]], parts: Sequence[_Spooled]) -> Decoded:
    """The parts of a batch together: one lazy frame per table, with its declared columns."""
    joined = Decoded({}, {}, sum(part.unreadable for part in parts))
    for table in tables:
        paths = [part.paths[table] for part in parts if table in part.paths]
        joined.frames[table] = pl.scan_ipc(paths) if paths else pl.LazyFrame(schema=table.schema())
    for part in parts:
        for table, entries in part.rejections.items():
            joined.rejections.setdefault(table, []).extend(entries)
    return joined


def _spool_part(
    decode: Callable[[Landing, Sequence[Unit]], DecodedUnits],
    landing: Landing,
    units: Sequence[Unit],
    spool: str,
    number: int,
) -> _Spooled:
    _start_marker(spool, number).touch()
    decoded = decode(landing, units)
    paths: dict[type[Table], str] = {}
    for table, frames in decoded.frames.items():
        paths[table] = str(Path(spool, f"{table.spec.name}-{number:06d}.arrow"))
        pl.concat(frames).write_ipc(paths[table], compression="uncompressed")
    return _Spooled(paths, decoded.rejections, decoded.unreadable)


def _decode_alone(decoder: Decoder, landing: Landing, unit: Unit, spool: str, number: int) -> _Spooled:
    """Decodes one unit in its own process; rejects the unit if it crashes the process.

    Raises:
        DecodeWorkerError: if the process was killed from outside, in which case the unit may be good.
    """
    limits = landing.limits.decoding
    try:
        return guarded(limits, _spool_part, decoder.decode, landing, [unit], spool, number)
    except TaskDiedError as error:
        files = ", ".join(file.path for file in unit.files)
        if error.was_killed:
            raise DecodeWorkerError(_died(decoder, 1, files)) from None
        reason = f"{files}: decoding was given up: {error}."
        return _Spooled({}, {decoder.tables[0]: [Rejection(unit.unit_id, "file", "decoding_ends", reason, 0)]}, 1)


def _died(decoder: Decoder, files: int, names: str) -> str:
    return (
        f"A process that decodes files of {decoder.game} died while at most {files} files were being "
        f"read: {names}. Nothing of these was used. If memory ran out, lower GAMESTATS_WORKERS."
    )


def _start_marker(spool: str, number: int) -> Path:
    """Marks a part as started: when a worker dies, started parts without a result are suspects."""
    return Path(spool, f"{number:06d}.begun")


def _group_units(files: Sequence[LandedFile], decoder: Decoder) -> list[Unit]:
    grouped: dict[tuple[str, str], list[LandedFile]] = {}
    for file in sorted(set(files)):
        if file.kind in decoder.kinds:
            grouped.setdefault((file.day, getattr(file, decoder.unit)), []).append(file)
    return [Unit(unit_id, date.fromisoformat(day), tuple(of_unit)) for (day, unit_id), of_unit in grouped.items()]


def _parts(items: Sequence[Unit], size: int) -> list[Sequence[Unit]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


@dataclass(slots=True)
class _Batch:
    """A batch in progress: its parts of a few units each, and their results."""

    spool: str
    parts: list[Sequence[Unit]]
    results: list[Future[_Spooled]] = field(default_factory=list)

    def suspects(self) -> list[str]:
        """Files that were being read when a worker died."""
        return [
            file.path
            for number, (part, result) in enumerate(zip(self.parts, self.results, strict=False))
            if _start_marker(self.spool, number).exists() and (result.exception() if result.done() else True)
            for unit in part
            for file in unit.files
        ]

    def decoded(self, decoder: Decoder, landing: Landing) -> Decoded:
        """The decoded batch, once every part of it is done."""
        parts: list[_Spooled] = []
        for number, (units, result) in enumerate(zip(self.parts, self.results, strict=True)):
            try:
                parts.append(result.result())
            except TaskDiedError:
                # Decodes each unit in its own process to find the one that crashed it.
                first = len(self.parts) + sum(map(len, self.parts[:number]))
                parts += [_decode_alone(decoder, landing, unit, self.spool, first + n) for n, unit in enumerate(units)]
        return _joined(decoder.tables, parts)

    def remove(self) -> None:
        """Removes the spooled frames."""
        shutil.rmtree(self.spool, ignore_errors=True)


def decode_batches(
    decoder: Decoder,
    landing: Landing,
    batches: Sequence[Sequence[LandedFile]],
    *,
    workers: int,
    part: int | None = None,
) -> Generator[Decoded, None, None]:
    """Decodes batches of landed files of one or several days; decodes ahead while a batch is used.

    An unreadable file is a rejection, never an error. Close the generator if you do not exhaust it.

    Args:
        decoder: how to decode the files.
        landing: the landing zone.
        batches: batches of files; all files of a unit are in one batch.
        workers: number of processes; a single part is decoded in this process unless the decoder is guarded.
        part: units per task; by default the decoder's.

    Raises:
        DecodeWorkerError: if a worker died. Nothing of the remaining batches is kept.
    """
    waiting = [_parts(_group_units(files, decoder), part or decoder.part) for files in batches]
    processes = min(workers, sum(map(len, waiting)))
    running: list[_Batch] = []

    def start(executor: Executor, folder: Path) -> None:
        """Starts the next batch, and as many more as keep all processes busy while it is used."""
        while waiting and (not running or sum(len(batch.parts) for batch in running[1:]) < processes):
            batch = _Batch(tempfile.mkdtemp(dir=folder), waiting.pop(0))
            running.append(batch)
            for number, units in enumerate(batch.parts):
                batch.results.append(executor.submit(_spool_part, decoder.decode, landing, units, batch.spool, number))

    with spooled() as folder:
        try:
            guard = guarded_pool(processes, landing.limits.decoding) if decoder.is_guarded else worker.pool(processes)
            with guard as executor:
                while waiting or running:
                    start(executor, folder)
                    yield running[0].decoded(decoder, landing)
                    running.pop(0).remove()
        except BrokenProcessPool:
            suspects = [path for batch in running for path in batch.suspects()]
            raise DecodeWorkerError(_died(decoder, len(suspects), ", ".join(suspects))) from None
