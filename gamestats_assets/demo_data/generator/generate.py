"""A run: users in chunks, simulated by several processes, merged into one file per day in order of time.

A chunk's lines are spooled by day; then each day's spools are merged window by window, so that memory does not depend
on the number of users or days. A line's bytes and its place follow from the user and the configuration alone, so any
number of processes writes the same files.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc

from gamestats_assets.demo_data.generator import behaviour, wire
from gamestats_assets.demo_data.generator.behaviour import effective
from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array, Blueprint, blueprint
from gamestats_assets.demo_data.generator.day_files import DayFiles, WrittenFile
from gamestats_assets.demo_data.generator.random_streams import Streams, quantile_table
from gamestats_assets.demo_data.generator.state import places
from gamestats_assets.demo_data.generator.timing import gaps_s, times_ms
from gamestats_assets.demo_data.generator.users import SystemUsers, ids_of, make_users, planted_groups
from gamestats_assets.demo_data.rules.configuration import Configuration
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.rules.soundness import require_sound
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.lakehouse import worker
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import write_whole

GENERATOR_VERSION = 4
"""Raise this when the same inputs give other bytes."""
MANIFEST = "manifest.json"
_CHUNK_EVENTS = 500_000
"""Expected events of one chunk of users."""
_WINDOW_ROWS = 120_000
"""Lines that are merged at a time."""
_SPOOLED_ROWS = 4096
"""Lines of a spool that are read at a time."""
_ORDER = ("sort_ms", "user", "record")
"""Columns that decide the place of a line in its day's file."""
_SYSTEM_USERS = 2**62
"""First number of users that stand for the system."""

Progress = Callable[[str, int, int], None]
"""Receives the phase, the amount done, and the total."""


class GenerationError(GamestatsError):
    """A run cannot write its files."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Users that are simulated together."""

    first: int
    count: int
    system: bool = False


@dataclass(frozen=True, slots=True)
class Generated:
    """The result of a run.

    Attributes:
        folder: folder of the files.
        records: lines written; Parquet repeats them and does not count.
        tally: columns `type`, `name`, `segment`, `records`: generated records, before dirt.
        users: columns `segment`, `users`.
        seconds: wall clock.
    """

    folder: Path
    files: Sequence[WrittenFile]
    records: int
    tally: pl.DataFrame = field(repr=False)
    users: pl.DataFrame = field(repr=False)
    seconds: float = 0.0

    @property
    def size_bytes(self) -> int:
        """Size of all files, in bytes."""
        return sum(file.size_bytes for file in self.files)


# --------------------------------------------------------------------------- one chunk


def simulate(plan: Blueprint, chunk: Chunk) -> tuple[pl.DataFrame, pl.DataFrame, Array]:
    """Returns lines of a chunk's users (see `wire.lines`), the tally, and users by segment."""
    streams = Streams(plan.configuration.seed)
    history = _system(plan, streams) if chunk.system else _history(plan, streams, chunk)
    lines, tally = wire.lines(history)
    segment = history.users.segment
    return lines, tally, np.zeros(0) if chunk.system else np.bincount(segment, minlength=len(plan.segments))


def _history(plan: Blueprint, streams: Streams, chunk: Chunk) -> behaviour.History:
    users = make_users(plan, streams, chunk.first, chunk.count)
    active = behaviour.active_days(plan, streams, users)
    sessions = behaviour.sessions_of(plan, streams, users, active)
    found = effective(plan, streams, users, behaviour.happenings(plan, streams, users, sessions))
    ordinal = places(found.user)
    at_ms = times_ms(plan, streams, users, sessions, found, gaps_s(plan, streams, users, found, ordinal))
    # These files have nothing after the last midnight.
    inside = at_ms < plan.configuration.days * DAY_MS
    at_ms = at_ms[inside] + plan.start_ms
    return behaviour.History(plan, streams, users, sessions, found.take(inside), at_ms, ordinal[inside])


def _system(plan: Blueprint, streams: Streams) -> behaviour.History:
    """Returns the system's daily reports; each kind of event has a user of its own."""
    count, days = len(plan.daily_system), plan.configuration.days
    users = SystemUsers(plan, streams, _SYSTEM_USERS)
    user, day = np.repeat(np.arange(count), days), np.tile(np.arange(days), count)
    zero = np.zeros(user.size, np.int64)
    sessions = behaviour.Sessions(user, day, day, zero)
    events = np.repeat(np.array(plan.daily_system, np.int64), days)
    found = behaviour.Happenings(user, events, np.arange(user.size), zero, zero, zero - 1, np.zeros(user.size, bool))
    at_ms = plan.start_ms + day * DAY_MS + 23 * 3_600_000 + user * 1000
    return behaviour.History(plan, streams, users, sessions, found, at_ms, day)


def chunks(plan: Blueprint) -> list[Chunk]:
    """Returns all users in parts with about as many events each, whatever the number of processes."""
    configuration = plan.configuration
    per_day = sum(
        share
        * activity.daily_probability
        * activity.sessions_per_day
        * (len(plan.start) + len(plan.end) + activity.events_per_session * 2 + 2)
        for share, activity in zip(np.diff(plan.shares, prepend=0), plan.activities, strict=True)
    )
    size = int(np.clip(_CHUNK_EVENTS / max(per_day * configuration.days, 0.01), 16, 20_000))
    found = [Chunk(first, min(size, configuration.users - first)) for first in range(0, configuration.users, size)]
    return [*found, Chunk(0, 0, system=True)] if plan.daily_system else found


# --------------------------------------------------------------------------- processes


@dataclass(frozen=True, slots=True)
class _Task:
    """A worker's input, small enough to be sent."""

    taxonomy: str
    rules: str
    configuration: str
    spool: str
    folder: str


@cache
def _plan(task: _Task) -> Blueprint:
    taxonomy = Taxonomy.model_validate_json(task.taxonomy)
    rules = Rules.model_validate_json(task.rules)
    return blueprint(taxonomy, rules, Configuration.model_validate_json(task.configuration))


def _spool_chunk(task: _Task, number: int, chunk: Chunk) -> tuple[pl.DataFrame, list[int]]:
    lines, tally, in_segment = simulate(_plan(task), chunk)
    for (day,), of_day in lines.group_by("file_day"):
        path = Path(task.spool, f"{day:06d}", f"{number:06d}.arrow")
        path.parent.mkdir(exist_ok=True)
        ordered = of_day.drop("file_day").sort(*_ORDER).to_arrow(compat_level=pl.CompatLevel.oldest())
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, ordered.schema) as spool:
            spool.write_table(ordered, max_chunksize=_SPOOLED_ROWS)
        np.save(path.with_suffix(".npy"), ordered["sort_ms"].to_numpy())
    return tally, [int(count) for count in in_segment]


def _merge_day(task: _Task, day: int) -> list[WrittenFile]:
    configuration = _plan(task).configuration
    paths = sorted(Path(task.spool, f"{day:06d}").glob("*.arrow"))
    with DayFiles(Path(task.folder), configuration.start + timedelta(days=day), configuration) as files:
        for window in _windows(paths):
            files.write(window)
        for path in paths:
            path.unlink()
        return files.finish()


def _windows(paths: Sequence[Path]) -> Iterator[pl.DataFrame]:
    """Yields a day's lines in order of time, a window at a time."""
    times = [np.load(path.with_suffix(".npy"), mmap_mode="r") for path in paths]
    total = sum(found.size for found in times)
    step = max(1, total // 20_000)
    sample = np.sort(np.concatenate([found[::step] for found in times]))
    count = max(1, -(-total // _WINDOW_ROWS))
    bounds = np.unique(sample[(np.arange(1, count) * sample.size) // count]) if count > 1 else sample[:0]
    cuts = [np.concatenate([[0], np.searchsorted(found, bounds), [found.size]]) for found in times]
    for window in range(bounds.size + 1):
        parts = [
            _rows(path, int(cut[window]), int(cut[window + 1]))
            for path, cut in zip(paths, cuts, strict=True)
            if cut[window + 1] > cut[window]
        ]
        if parts:
            yield pl.concat(parts).sort(*_ORDER)


def _rows(path: Path, first: int, last: int) -> pl.DataFrame:
    """Returns rows of a spool, without the last one; reads only the batches that hold them."""
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_file(file) as spool:
        batches = range(first // _SPOOLED_ROWS, (last - 1) // _SPOOLED_ROWS + 1)
        table = pa.Table.from_batches([spool.get_batch(number) for number in batches])
    return pl.DataFrame(pl.from_arrow(table.slice(first - batches[0] * _SPOOLED_ROWS, last - first)))


# --------------------------------------------------------------------------- the run


def generate(
    taxonomy: Taxonomy,
    rules: Rules,
    configuration: Configuration,
    folder: Path,
    *,
    processes: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generated:
    """Generates a run's files in a folder.

    Files get their names only when they are complete; the manifest is written last.

    Raises:
        RulesError: when the rules contradict themselves or the taxonomy.
        GenerationError: when the folder holds other logs, or the disk is full.
        ConfigurationError: when a truth cannot be planted.
        CyclicRulesError: when values need each other.
    """
    started = time.perf_counter()
    require_sound(rules, taxonomy)
    plan = blueprint(taxonomy, rules, configuration)
    _refuse_impossible(plan)
    folder.mkdir(parents=True, exist_ok=True)
    identity = run_identity(taxonomy, rules, configuration)
    stale = _refuse_other_logs(folder, identity, overwrite)
    parts = chunks(plan)
    with _spool(folder) as spool, _failures_explained(folder):
        task = _Task(
            taxonomy.model_dump_json(),
            rules.model_dump_json(),
            configuration.model_dump_json(),
            str(spool),
            str(folder),
        )
        with worker.pool(min(processes, max(len(parts), configuration.days))) as executor:
            tallies, in_segment = _simulate_all(executor, task, parts, progress)
            files = _merge_all(executor, task, spool, progress)
    tally = pl.concat(tallies).group_by("type", "name", "segment").agg(pl.col("records").sum()).sort(pl.all())
    named = pl.Series(list(plan.segments), dtype=pl.String)
    tally = tally.with_columns(segment=named.gather(tally["segment"]))
    users = pl.DataFrame({"segment": named, "users": in_segment})
    written = sum(f.records for f in files if not f.name.endswith(".parquet"))
    result = Generated(folder, files, written, tally, users, time.perf_counter() - started)
    _write_manifest(result, identity, plan)
    for name in stale - {file.name for file in files}:
        (folder / name).unlink(missing_ok=True)
    return result


@contextmanager
def _failures_explained(folder: Path) -> Iterator[None]:
    """Adds advice to the errors of a process that died, or of a full disk."""
    try:
        yield
    except BrokenProcessPool:
        raise GenerationError(
            "A process that simulates users died, most likely for lack of memory. No partial files are left; "
            "run it again with fewer processes."
        ) from None
    except OSError as error:
        if not _is_full(error):
            raise
        raise GenerationError(
            f"The disk of {folder} is full ({error}). Unfinished files were removed; make room (generation needs twice "
            "the size of the logs) and run it again."
        ) from None


def _is_full(error: OSError) -> bool:
    # Polars raises its own error without a number.
    return error.errno in _FULL or any(os.strerror(number) in str(error) for number in _FULL)


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _simulate_all(
    executor: Executor, task: _Task, parts: Sequence[Chunk], progress: Progress | None
) -> tuple[list[pl.DataFrame], list[int]]:
    waiting = [executor.submit(_spool_chunk, task, number, chunk) for number, chunk in enumerate(parts)]
    tallies: list[pl.DataFrame] = []
    in_segment: list[int] = []
    for done, future in enumerate(waiting, start=1):
        tally, counts = future.result()
        tallies.append(tally)
        if counts:
            in_segment = [a + b for a, b in zip(in_segment or [0] * len(counts), counts, strict=True)]
        if progress:
            progress("Simulating users", done, len(parts))
    return tallies, in_segment


def _merge_all(executor: Executor, task: _Task, spool: Path, progress: Progress | None) -> list[WrittenFile]:
    days = sorted(int(path.name) for path in spool.iterdir())
    waiting = [executor.submit(_merge_day, task, day) for day in days]
    files: list[WrittenFile] = []
    for done, future in enumerate(waiting, start=1):
        files += future.result()
        if progress:
            progress("Writing days", done, len(days))
    return files


def _refuse_impossible(plan: Blueprint) -> None:
    """Evaluates one user of each kind, so that impossible rules are reported before anything is written."""
    for ranges in (plan.rules.value_ranges, *(analysis.property_ranges for analysis in plan.analyses)):
        for found in ranges.values():
            quantile_table(found)
    simulate(plan, Chunk(0, min(plan.configuration.users, 16)))


def run_identity(taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> str:
    """Returns 32 hexadecimal digits that identify everything that decides a run's bytes."""
    parts = (
        str(GENERATOR_VERSION), taxonomy.model_dump_json(), rules.model_dump_json(), configuration.model_dump_json(),
    )  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _refuse_other_logs(folder: Path, identity: str, overwrite: bool) -> set[str]:
    """Returns the names of an earlier run's files that may be replaced."""
    manifest = read_manifest(folder)
    known = {file["name"] for file in manifest.get("files", ())}
    logs = {path.name for path in folder.glob("logs_*")}
    if not logs or overwrite:
        return known | logs
    if manifest.get("run") == identity and logs <= known:
        return known
    raise GenerationError(
        f"{folder} already has logs of another run ({len(logs)} files, such as {min(logs)}). "
        "Give another folder with --out, or --overwrite to replace them."
    )


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """Returns the manifest of a run in a folder; empty if there is none."""
    try:
        return json.loads((folder / MANIFEST).read_text())
    except (FileNotFoundError, ValueError):
        return {}


def known_accounts(plan: Blueprint) -> list[dict[str, Any]]:
    """Returns the accounts of the configuration's truths, as the manifest has them.

    One entry for each group of accounts, with `truth` (the truth's number in the configuration), `kind`, and `accounts`
    with `account_id` and `distinct_id`, active in the run or not; for a shared address also `address`, for a standstill
    `property`, `value` and `event`.
    """
    streams = Streams(plan.configuration.seed)
    entries: list[dict[str, Any]] = []
    for group in planted_groups(plan, streams):
        truth = plan.configuration.truths[group.truth]
        about = truth.model_dump(mode="json", include={"property", "value", "event"})
        if group.is_at_one_address:
            about = {"address": wire.home_addresses(plan, streams, group.number[:1])[0]}
        account, distinct = ids_of(streams, group.number)
        accounts = pl.DataFrame({"account_id": account, "distinct_id": distinct}).to_dicts()
        entries.append({"truth": group.truth, "kind": truth.kind, **about, "accounts": accounts})
    return entries


def _write_manifest(result: Generated, identity: str, plan: Blueprint) -> None:
    taxonomy = plan.taxonomy
    known = known_accounts(plan)
    manifest = {
        "run": identity,
        "taxonomy": {"name": taxonomy.name, "hash": taxonomy.content_hash()},
        "configuration": plan.configuration.model_dump(mode="json"),
        **({"known": known} if known else {}),
        "records": result.records,
        "users": {name: count for name, count in result.users.iter_rows()},
        "files": [asdict(file) for file in result.files],
    }
    write_whole(result.folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")


@contextmanager
def _spool(folder: Path) -> Iterator[Path]:
    """Yields a folder for unfinished work on the same disk; removes it afterwards, and folders of killed runs as
    well."""
    for left in (*folder.glob(".spool-*"), *folder.glob(".logs_*.tmp")):
        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
    spool = Path(tempfile.mkdtemp(prefix=".spool-", dir=folder))
    try:
        yield spool
    finally:
        shutil.rmtree(spool, ignore_errors=True)
        for left in folder.glob(".logs_*.tmp"):
            left.unlink(missing_ok=True)
