"""Landed files to frames: many files decoded in several processes, frames per table out.

Each worker reads a few units (matches, say) from the landing zone, decodes them and spools one Arrow file
per table; the parent scans the spool of a batch while the workers go on with the next. The
result depends on which files there are, never on their order or on the number of workers.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from gamestats_assets.lakehouse import worker
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.spooling import spooled
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lakehouse.worker import TaskDiedError, guarded, guarded_pool

Rejections = dict[type[Table], list[Rejection]]


class DecodeWorkerError(GamestatsError):
    """A process that decodes files died, for want of memory most likely."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The landed files of one day that are decoded together, such as those of a match, in the order of their names."""

    unit_id: str
    day: date
    files: tuple[LandedFile, ...]

    def of_kind(self, kind: str) -> list[LandedFile]:
        """Its files of one kind."""
        return [file for file in self.files if file.kind == kind]

    def newest_first(self, landing: Landing, kind: str) -> list[LandedFile]:
        """Its files of one kind, the last to land first: of contents as good as each other it is the mended one."""
        files = self.of_kind(kind)
        return sorted(files, key=landing.landed_at, reverse=True) if len(files) > 1 else files


@dataclass(slots=True)
class DecodedUnits:
    """What units gave: frames per table, rejections per table, units of which nothing could be read."""

    frames: dict[type[Table], list[pl.DataFrame]] = field(default_factory=dict)
    rejections: Rejections = field(default_factory=dict)
    unreadable: int = 0

    def add_frames(self, frames: Mapping[type[Table], pl.DataFrame]) -> None:
        """Take frames; empty ones are passed over."""
        for table, frame in frames.items():
            if frame.height:
                self.frames.setdefault(table, []).append(frame)

    def add_rejections(self, rejections: Mapping[type[Table], Sequence[Rejection]]) -> None:
        """Take what was rejected, by the table it was meant for."""
        for table, entries in rejections.items():
            if entries:
                self.rejections.setdefault(table, []).extend(entries)


@dataclass(frozen=True)
class Decoder:
    """What decodes the landed files of a game.

    Attributes:
        game: whose files they are; named in messages.
        tables: every table that the files feed.
        kinds: kinds of files that are decoded; others are passed over.
        decode: decodes some units; a function of a module, for it is called in other processes.
        part: units that are decoded together; a worker holds the frames of one part in memory.
        unit: what of a landed file names its unit: its `unit_id`, or the `area` of the game that it is of.
        is_guarded: whether a file can be made to break what decodes it. It is decoded in another process then, within
            limits of memory and time, and one that ends its process is a rejection; the others are decoded all the
            same.
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
    """A decoded part of a batch, whose frames stand in files."""

    paths: dict[type[Table], str]
    rejections: Rejections
    unreadable: int


class DecodedBatch:
    """One batch of decoded files; its lazy frames can be collected until the next batch is asked for.

    Attributes:
        frames: one lazy frame per table, with its declared columns.
        rejections: what could not be read, by the table it was meant for.
        unreadable: units of which nothing could be read.
    """

    def __init__(self, tables: Sequence[type[Table]], parts: Sequence[_Spooled]) -> None:
        self.unreadable = sum(part.unreadable for part in parts)
        self.rejections: Rejections = {}
        for part in parts:
            for table, entries in part.rejections.items():
                self.rejections.setdefault(table, []).extend(entries)
        self.frames: dict[type[Table], pl.LazyFrame] = {}
        for table in tables:
            paths = [part.paths[table] for part in parts if table in part.paths]
            self.frames[table] = pl.scan_ipc(paths) if paths else pl.LazyFrame(schema=table.schema())


def _spool_part(
    decode: Callable[[Landing, Sequence[Unit]], DecodedUnits],
    landing: Landing,
    units: Sequence[Unit],
    spool: str,
    number: int,
) -> _Spooled:
    _begun(spool, number).touch()
    decoded = decode(landing, units)
    paths: dict[type[Table], str] = {}
    for table, frames in decoded.frames.items():
        paths[table] = str(Path(spool, f"{table.spec.name}-{number:06d}.arrow"))
        pl.concat(frames).write_ipc(paths[table], compression="uncompressed")
    return _Spooled(paths, decoded.rejections, decoded.unreadable)


def _alone(decoder: Decoder, landing: Landing, unit: Unit, spool: str, number: int) -> _Spooled:
    """One unit in a process of its own, or its rejection when it ends that.

    Raises:
        DecodeWorkerError: when somebody else ended it: the unit may be a good one.
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


def _begun(spool: str, number: int) -> Path:
    """The file that says that a part was begun: when a worker dies, those without a result are suspect."""
    return Path(spool, f"{number:06d}.begun")


def _units_of(files: Sequence[LandedFile], decoder: Decoder) -> list[Unit]:
    grouped: dict[tuple[str, str], list[LandedFile]] = {}
    for file in sorted(set(files)):
        if file.kind in decoder.kinds:
            grouped.setdefault((file.day, getattr(file, decoder.unit)), []).append(file)
    return [Unit(unit_id, date.fromisoformat(day), tuple(of_unit)) for (day, unit_id), of_unit in grouped.items()]


def _parts(items: Sequence[Unit], size: int) -> list[Sequence[Unit]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


@dataclass(slots=True)
class _Batch:
    """A batch on its way: its parts of a few units each, and what they give."""

    spool: str
    parts: list[Sequence[Unit]]
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

    def decoded(self, decoder: Decoder, landing: Landing) -> DecodedBatch:
        """The decoded batch, once every part of it is done."""
        parts: list[_Spooled] = []
        for number, (units, result) in enumerate(zip(self.parts, self.results, strict=True)):
            try:
                parts.append(result.result())
            except TaskDiedError:
                # Which of its units ended the process shows when each has one of its own.
                first = len(self.parts) + sum(map(len, self.parts[:number]))
                parts += [_alone(decoder, landing, unit, self.spool, first + n) for n, unit in enumerate(units)]
        return DecodedBatch(decoder.tables, parts)

    def remove(self) -> None:
        """Remove the spooled frames."""
        shutil.rmtree(self.spool, ignore_errors=True)


def decode_batches(
    decoder: Decoder,
    landing: Landing,
    batches: Sequence[Sequence[LandedFile]],
    *,
    workers: int,
    part: int | None = None,
) -> Generator[DecodedBatch, None, None]:
    """Decode batches of landed files, of one or several days; while one is used the next are decoded.

    A file that cannot be read is a rejection, never an error. Close the generator when not all of it is read.

    Args:
        batches: all files of a unit are in one batch.
        workers: processes; a single part is decoded in this one, unless the decoder is guarded.
        part: units per task, where not as many as the decoder says.

    Raises:
        DecodeWorkerError: when a worker died. Nothing of the batches not yet given is kept.
    """
    waiting = [_parts(_units_of(files, decoder), part or decoder.part) for files in batches]
    processes = min(workers, sum(map(len, waiting)))
    running: list[_Batch] = []

    def start(executor: Executor, folder: Path) -> None:
        """Start the next batch, and as many after it as keep all processes busy while it is used."""
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
