"""Landed files of many matches to frames of every bronze table, decoded by several processes.

A worker takes a few matches at a time, reads and decodes their files, and spools one Arrow
file per table; the frames given back scan the spool, so this process never holds what a
worker decoded. Which of several contents of a match is used depends on the contents alone,
never on when they arrived.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import LandedFile, Landing, UnreadableContentError, decompressed
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.match_objects import DecodedMatch, UnreadableMatchError, decode_match
from gamestats_assets.pubg.telemetry import DecodedTelemetry, UnreadableTelemetryError, decode

TABLES: tuple[type[Table], ...] = tuple(table for table in t.ALL if table.spec.layer == "bronze")
_MATCHES_PER_TASK = 8


class WorkerDiedError(GamestatsError):
    """A decoding process was killed, most often for lack of memory."""


@dataclass
class Bronze:
    """Decoded files.

    Attributes:
        frames: rows per bronze table.
        rejections: what was rejected, by the table it was meant for.
        unreadable: matches of which nothing could be read.
    """

    frames: dict[type[Table], pl.LazyFrame]
    rejections: dict[type[Table], list[Rejection]] = field(default_factory=dict)
    unreadable: int = 0


@dataclass
class _Part:
    """What one task gives: spooled files, rejections, and matches of which nothing was read."""

    spool: dict[str, str] = field(default_factory=dict)
    rejections: dict[str, list[Rejection]] = field(default_factory=dict)
    unreadable: int = 0


@contextmanager
def decode_files(landing: Landing, files: Sequence[LandedFile], *, workers: int) -> Iterator[Bronze]:
    """Decode landed files; the frames can be read until the context ends.

    Args:
        files: match objects, telemetry and expiry marks, of one or several days.
        workers: processes; 1 decodes in this process.

    Raises:
        WorkerDiedError: when a worker was killed; nothing of it is used.
    """
    units: dict[str, list[LandedFile]] = {}
    for file in sorted(files):
        units.setdefault(file.unit_id, []).append(file)
    names = list(units)
    tasks = [[units[name] for name in names[n : n + _MATCHES_PER_TASK]] for n in range(0, len(names), _MATCHES_PER_TASK)]
    with tempfile.TemporaryDirectory(prefix="gamestats-") as spool:
        if workers == 1 or len(tasks) == 1:
            parts = [_decode_task(landing, task, spool, n) for n, task in enumerate(tasks)]
        else:
            parts = _in_processes(landing, tasks, spool, min(workers, len(tasks)))
        yield _together(parts)


def _in_processes(landing: Landing, tasks: list[list[list[LandedFile]]], spool: str, workers: int) -> list[_Part]:
    # Not fork: this process has threads of its own (polars, the Delta writer).
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_die_with_parent, initargs=(os.getpid(),)) as pool:
        futures = [pool.submit(_decode_task, landing, task, spool, n) for n, task in enumerate(tasks)]
        try:
            return [future.result() for future in futures]
        except BrokenProcessPool:
            paths = [file.path for task, future in zip(tasks, futures, strict=True) if not _succeeded(future) for unit in task for file in unit]
            raise WorkerDiedError(
                f"A decoding process was killed, probably for lack of memory. Nothing was committed; run it again, with "
                f"GAMESTATS_WORKERS=1 if memory is short. Not decoded: {', '.join(paths[:5])}"
                + (f" and {len(paths) - 5} more files." if len(paths) > 5 else ".")
            ) from None


def _succeeded(future: Any) -> bool:
    return future.done() and future.exception() is None


def _die_with_parent(parent: int) -> None:
    """End this worker when its parent ends, also when the parent is killed."""
    pl.Config()  # the library is loaded before work comes
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, Linux only
    except (OSError, AttributeError):
        return


def _together(parts: list[_Part]) -> Bronze:
    bronze = Bronze(frames={})
    for table in TABLES:
        paths = [part.spool[table.spec.name] for part in parts if table.spec.name in part.spool]
        bronze.frames[table] = pl.scan_ipc(paths) if paths else pl.LazyFrame(schema=table.schema())
        entries = [entry for part in parts for entry in part.rejections.get(table.spec.name, ())]
        if entries:
            bronze.rejections[table] = entries
    bronze.unreadable = sum(part.unreadable for part in parts)
    return bronze


def _decode_task(landing: Landing, units: list[list[LandedFile]], spool: str, number: int) -> _Part:
    part = _Part()
    frames: dict[type[Table], list[pl.DataFrame]] = {}
    for files in units:
        rejections: dict[type[Table], list[Rejection]] = {}
        read = _match(landing, files, frames, rejections) + _telemetry(landing, files, frames, rejections)
        part.unreadable += not read
        for table, entries in rejections.items():
            part.rejections.setdefault(table.spec.name, []).extend(entries)
    for table, pieces in frames.items():
        path = str(Path(spool, f"{table.spec.name}-{number}.arrow"))
        pl.concat(pieces).write_ipc(path)
        part.spool[table.spec.name] = path
    return part


def _match(
    landing: Landing,
    files: list[LandedFile],
    frames: dict[type[Table], list[pl.DataFrame]],
    rejections: dict[type[Table], list[Rejection]],
) -> bool:
    """Add the match object of one match: of several, the one with most participants."""
    read: list[tuple[int, str, DecodedMatch]] = []
    for file in files:
        if file.kind != "match":
            continue
        try:
            content = decompressed(landing.read(file))
            match = decode_match(content, file.unit_id, date.fromisoformat(file.day), file.content_hash)
        except (UnreadableMatchError, UnreadableContentError) as error:
            entry = Rejection(file.unit_id, "file", "match_readable", f"{file.path}: {error}", 1)
            rejections.setdefault(t.RawMatches, []).append(entry)
            continue
        read.append((-match.participants.height, file.content_hash, match))
    if not read:
        return False
    _, _, best = min(read, key=lambda found: found[:2])
    frames.setdefault(t.RawMatches, []).append(best.match)
    frames.setdefault(t.RawParticipants, []).append(best.participants)
    for table, entries in best.rejections.items():
        rejections.setdefault(table, []).extend(entries)
    return True


def _telemetry(
    landing: Landing,
    files: list[LandedFile],
    frames: dict[type[Table], list[pl.DataFrame]],
    rejections: dict[type[Table], list[Rejection]],
) -> bool:
    """Add the telemetry of one match: of several, the readable one with most events."""
    candidates: list[tuple[bool, int, str, LandedFile, int, DecodedTelemetry | str]] = []
    for file in files:
        if file.kind != "telemetry":
            continue
        size = 0
        try:
            content = decompressed(landing.read(file))
            size = len(content)
            found = decode(content, file.unit_id, date.fromisoformat(file.day))
        except (UnreadableTelemetryError, UnreadableContentError) as error:
            reason = f"{file.path}: {error}"
            candidates.append((True, 0, file.content_hash, file, size, reason))
            continue
        unreadable = found.unreadable_reason is not None
        candidates.append((unreadable, -found.events, file.content_hash, file, size, found))
    if candidates:
        unreadable, _, _, file, size, best = min(candidates, key=lambda candidate: candidate[:3])
        for is_bad, _, _, other, _, content_or_reason in candidates:
            if isinstance(content_or_reason, str):
                entry = Rejection(other.unit_id, "file", "telemetry_readable", content_or_reason, 1)
                rejections.setdefault(t.TelemetryFiles, []).append(entry)
            elif content_or_reason is best or is_bad:
                for table, entries in content_or_reason.rejections.items():
                    rejections.setdefault(table, []).extend(entries)
        frames.setdefault(t.TelemetryFiles, []).append(_file_row(file, size, best, len(candidates) - 1))
        if isinstance(best, DecodedTelemetry):
            for table, frame in best.frames.items():
                frames.setdefault(table, []).append(frame)
        return not unreadable
    for file in files:
        if file.kind == "expired":
            frames.setdefault(t.TelemetryFiles, []).append(_file_row(file, 0, None, 0))
            return True
    return False


def _file_row(file: LandedFile, size: int, found: DecodedTelemetry | str | None, others: int) -> pl.DataFrame:
    decoded = found if isinstance(found, DecodedTelemetry) else None
    reason = found if isinstance(found, str) else decoded.unreadable_reason if decoded else None
    row = {
        "match_id": file.unit_id,
        "match_date": date.fromisoformat(file.day),
        "status": "expired" if found is None else "unreadable" if reason else "processed",
        "reason": reason,
        "content_hash": file.content_hash,
        "other_files": others,
        "size_bytes": size,
        "events": decoded.events if decoded else 0,
        "started_at": decoded.started_at if decoded else None,
        "ended_at": decoded.ended_at if decoded else None,
        "map_id": decoded.map_id if decoded else None,
        "is_custom_match": decoded.is_custom_match if decoded else None,
        "team_size": decoded.team_size if decoded else None,
        "camera_view": decoded.camera_view if decoded else None,
        "weather_id": decoded.weather_id if decoded else None,
        "definition_id": decoded.definition_id if decoded else None,
    }
    return pl.DataFrame([row], schema=t.TelemetryFiles.schema())
