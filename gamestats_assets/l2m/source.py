"""Lands logs: deliveries of raw files, ThinkingData records, and rates.

A delivery is one log of one day: its files unchanged, and a small document with their hashes, a number and the column
names. Of several deliveries of a log the last one counts, so a new delivery replaces the earlier one of the day, whose
files stay. Delivering the same again changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from isal import igzip, isal_zlib

from gamestats_assets.l2m.logs.columns import NAMES
from gamestats_assets.l2m.logs.deliveries import DELIVERY, FILE, THINKINGDATA, DeliveredFile, Delivery, Format, in_force
from gamestats_assets.l2m.logs.tables import ETL
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import files_within, shown
from gamestats_assets.lakehouse.landing.zone import Landing, UnreadableContentError, file_hash
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import is_day

GAME = "l2m"
UNREADABLE = "unreadable"
"""Kind of landed lines that belong to no day."""
_ENDINGS: Mapping[str, Format] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
}
_DAY = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)", re.ASCII)
_RECORD = re.compile(rb'\s*\{.*"#(?:event_name|type|time)"', re.DOTALL)
_BEGINNING_BYTES = 64 * 1024
_GZIP, _PARQUET, _BOM = b"\x1f\x8b", b"PAR1", b"\xef\xbb\xbf"
_DAMAGED_GZIP = (EOFError, OSError, isal_zlib.error)

Progress = Callable[[int, int], None]
Status = Literal["delivered", "known", "refused"]


class LogPathError(GamestatsError):
    """A path given for delivery does not exist, or the log or day of its files is unknown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of the files of one log and day.

    Attributes:
        log: the log; `thinkingdata` for records of all of them; empty for a file of unknown days.
        day: the day, as YYYY-MM-DD; empty for a file of unknown days.
        files: number of files.
        number: number of the delivery that counts now; 0 without one.
        reason: why nothing was delivered.
    """

    status: Status
    log: str
    day: str
    files: int = 1
    number: int = 0
    reason: str = ""

    def line(self) -> str:
        """Returns the outcome in one line of text."""
        if self.status == "refused":
            return f"{self.status:<10}{shown(self.reason)}"
        named = f"delivery {self.number}, " if self.number else ""
        return f"{self.status:<10}{self.log} of {self.day}: {named}{self.files} file{'s' * (self.files != 1)}"


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of all files.

    Attributes:
        outcomes: outcome of each log of each day.
        passed_over: files of the folders that are not logs by their names, and links that lead out of the folders.
    """

    outcomes: tuple[Outcome, ...] = ()
    passed_over: tuple[Path, ...] = field(default=())

    @property
    def days(self) -> list[str]:
        """Days that gained files, in order."""
        return sorted({outcome.day for outcome in self.outcomes if outcome.status == "delivered"})

    def count(self, status: Status) -> int:
        """Returns the number of logs of days with a status."""
        return sum(outcome.status == status for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class _Found:
    """A file to be delivered, with its name within the given path."""

    path: Path
    name: str


def deliver(
    paths: Sequence[Path],
    landing: Landing,
    *,
    day: date | None = None,
    log: str | None = None,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    add: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Lands files, each log of each day as one delivery.

    A file's log is in its name or that of its folder (`login-000.parquet`, `login/part-0.csv`), and the day is the name
    of a folder. ThinkingData records are recognised by their first line, and each belongs to the day of its own time.

    Args:
        paths: files, or folders to walk.
        day: day of all the files.
        log: log of all the files.
        columns: per log, from the name here to the name in the files (see `columns.read_mapping`).
        add: add the files to the earlier delivery instead of replacing it.
        progress: called with the number of files done and the number of files.

    Raises:
        LogPathError: when a path does not exist, a log is unknown, or the log or day of a file is; then nothing has
            landed.
    """
    if log is not None and log not in NAMES:
        raise LogPathError(f"There is no log {log!r}. Logs: {', '.join(NAMES)}.")
    found, passed_over = _walked(paths)
    outcomes: list[Outcome] = []
    groups: dict[tuple[str, str], list[_Found]] = {}
    records: list[Path] = []
    for file in found:
        if log is None and _holds_records(file.path):
            records.append(file.path)
            continue
        groups.setdefault((_log_of(file.path, log), _day_of(file.path, day).isoformat()), []).append(file)
    done = 0

    def advance(files: int) -> None:
        nonlocal done
        done += files
        if progress is not None:
            progress(done, len(found))

    for (of, on), files in sorted(groups.items()):
        outcomes.append(_deliver(landing, of, date.fromisoformat(on), files, (columns or {}).get(of, {}), add=add))
        advance(len(files))
    for path in records:
        outcomes += _land_records(landing, path)
        advance(1)
    return Report(tuple(outcomes), tuple(passed_over))


def _deliver(
    landing: Landing, log: str, day: date, files: Sequence[_Found], columns: Mapping[str, str], *, add: bool
) -> Outcome:
    on = day.isoformat()

    def refused(why: str) -> Outcome:
        return Outcome("refused", log, on, len(files), reason=f"{why} Nothing of the {log} log of {on} was delivered.")

    landed = landing.files(GAME, on)
    before = in_force(landing, landed)[0].get(log)
    number, named = (before.number if before else 0) + 1, dict(columns)
    delivered: dict[str, DeliveredFile] = {}
    paths: dict[str, Path] = {}
    for file in sorted(files, key=lambda file: file.name):
        try:
            digest, format = file_hash(file.path, landing.limits), _format_of(file.path)
        except UnreadableContentError as error:
            # Half of a delivery would count as all of it; and a day with a broken log is incomplete.
            held = (before.files, before.columns) if before is not None else ((), {})
            why = shown(str(error).replace(str(file.path), file.name))
            broken = Delivery(log, on, number, *held, refused=why)
            if before is None or not broken.says_as(before):
                _land(landing, day, broken)
            return refused(f"{error} Repair it, or leave it out: the day is not made until the log is delivered.")
        delivered.setdefault(digest, DeliveredFile(digest, file.name, format))
        paths.setdefault(digest, file.path)
    if add and before is not None:
        named = named or before.columns
        if named != before.columns:
            return refused(
                f"Files cannot be added to a delivery with other column names ({before.columns or 'as ours'}); "
                "deliver them all again, without --add."
            )
        delivered = {**{file.hash: file for file in before.files}, **delivered}
    delivery = Delivery(log, on, number, tuple(delivered.values()), named)
    same = before if before is not None and delivery.says_as(before) else None
    if same is not None and {*delivered} <= {file.content_hash for file in landed if file.kind == FILE}:
        return Outcome("known", log, on, len(files), same.number)
    for digest, path in paths.items():
        suffix = delivered[digest].format + (".gz" if delivered[digest].format != "parquet" and _is_gzip(path) else "")
        landing.put_file(GAME, day, on, FILE, path, suffix, digest)
    if same is not None:
        # Only some of its files were missing.
        return Outcome("delivered", log, on, len(files), same.number)
    # Written last: a delivery counts when all of it has landed.
    _land(landing, day, delivery)
    return Outcome("delivered", log, on, len(files), number)


def _land(landing: Landing, day: date, delivery: Delivery) -> None:
    document = delivery.to_json()
    landing.put(GAME, day, delivery.day, DELIVERY, document, document)


def _land_records(landing: Landing, path: Path) -> list[Outcome]:
    from gamestats_assets.l2m.logs.thinkingdata import split_days

    try:
        split = split_days(path, landing.limits)
    except GamestatsError as error:
        return [Outcome("refused", "", "", reason=str(error))]
    outcomes: list[Outcome] = []
    for day, content in sorted(split.days.items()):
        _, is_new = landing.put(GAME, day, day.isoformat(), THINKINGDATA, content, content)
        outcomes.append(Outcome("delivered" if is_new else "known", THINKINGDATA, day.isoformat()))
    if split.undated:
        lines = b"\n".join(line.content for line in split.undated)
        landing.put_undated(GAME, UNREADABLE, lines, lines)
        reason = f"{len(split.undated)} of {split.lines} lines have no usable time, such as {split.undated[0]}"
        outcomes.append(Outcome("refused", "", "", reason=reason))
    return outcomes


def delivered_logs(landing: Landing, day: date) -> set[str]:
    """Returns the logs of a day that have come and are usable; ThinkingData records count for every log."""
    files = landing.files(GAME, day.isoformat())
    if any(file.kind == THINKINGDATA for file in files):
        return {*ETL}
    return {log for log, delivery in in_force(landing, files)[0].items() if log in ETL and not delivery.refused}


def kept_logs(landing: Landing, report: Report) -> dict[str, list[str]]:
    """Returns by day that gained files the logs that were delivered before but not now, and stay."""
    found: dict[str, list[str]] = {}
    for day in report.days:
        held = in_force(landing, landing.files(GAME, day))[0].keys()
        found[day] = sorted(held - {outcome.log for outcome in report.outcomes if outcome.day == day})
    return {day: logs for day, logs in found.items() if logs}


def refused(landing: Landing) -> list[Rejection]:
    """Returns landed lines of no day as entries for the quarantine; the unit is the content's hash."""
    return [
        Rejection(file.content_hash, "file", "undated_lines", f"Lines without a usable #time: {file.path}", 0)
        for file in landing.files(GAME, UNREADABLE)
    ]


# --------------------------------------------------------------------------- formats, logs and days of files


def _walked(paths: Sequence[Path]) -> tuple[list[_Found], list[Path]]:
    """Returns the files to be delivered, each once, and the other files of the folders."""
    found: dict[Path, _Found] = {}
    passed_over: list[Path] = []
    for given in paths:
        if not given.exists():
            raise LogPathError(f"{given} does not exist.")
        if given.is_file():
            if _ending(given) is None and not _holds_records(given):
                raise LogPathError(
                    f"{given}: expected a file that ends in {', '.join(_ENDINGS)}, or ThinkingData records."
                )
            found.setdefault(given.resolve(), _Found(given, shown(given.name)))
            continue
        # Names of files that Spark and others write beside theirs, or while they write them.
        files, links = files_within(given)
        inside = [
            path for path in files if not any(part.startswith((".", "_")) for part in path.relative_to(given).parts)
        ]
        taken = [path for path in inside if _ending(path) is not None or _holds_records(path)]
        if not taken:
            raise LogPathError(f"{given} has no file that ends in {', '.join(_ENDINGS)}, and no ThinkingData records.")
        passed_over += [*(path for path in inside if path not in {*taken}), *links]
        for path in taken:
            found.setdefault(path.resolve(), _Found(path, shown(path.relative_to(given).as_posix())))
    return [*found.values()], passed_over


def _ending(path: Path) -> Format | None:
    name = path.name.lower()
    return next((format for ending, format in _ENDINGS.items() if name.endswith(ending)), None)


def _format_of(path: Path) -> Format:
    """Returns the format of a file, by its content or else its name.

    Raises:
        UnreadableContentError: when it is called Parquet but is not, is incomplete, or is gzipped twice.
    """
    beginning, named = _beginning(path), _ending(path) or "jsonl"
    if beginning.startswith(_GZIP):
        raise UnreadableContentError(f"{path}: it is gzipped twice.")
    if beginning.startswith(_PARQUET):
        if _is_gzip(path):
            raise UnreadableContentError(f"{path}: a Parquet file that is gzipped; unpack it.")
        _expect_whole_parquet(path)
        return "parquet"
    if named == "parquet":
        raise UnreadableContentError(f"{path}: expected a Parquet file, which begins with {_PARQUET.decode()}.")
    return "jsonl" if beginning.removeprefix(_BOM).lstrip().startswith(b"{") else named


def _expect_whole_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.read_metadata(path)
    # A column may have a name that is not text.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UnreadableContentError(f"{path}: an incomplete Parquet file: {error}") from None


def _is_gzip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def _beginning(path: Path) -> bytes:
    """Returns the first bytes of a file's content, or the raw ones of a damaged gzip."""
    with open(path, "rb") as file:
        raw = file.read(_BEGINNING_BYTES)
    if not raw.startswith(_GZIP):
        return raw
    try:
        with igzip.open(path) as unzipped:
            return bytes(unzipped.read(_BEGINNING_BYTES))  # type: ignore[arg-type]  (as the file is opened)
    except _DAMAGED_GZIP:  # pyright: ignore[reportGeneralTypeIssues] (the stubs call one of them an instance)
        return raw


def _holds_records(path: Path) -> bool:
    if path.name.lower().endswith((".parquet", ".csv", ".csv.gz")):
        return False
    return bool(_RECORD.match(_beginning(path).removeprefix(_BOM).split(b"\n", 1)[0]))


def _log_of(path: Path, log: str | None) -> str:
    if log is not None:
        return NAMES[log]
    for part in reversed(path.absolute().parts):
        words = re.sub(r"[^a-z]+", "_", part.lower())
        named = {name for name in NAMES if re.search(rf"(?:^|_){name}(?:_|$)", words)}
        # Names within a longer one do not count: exchange_rates.csv has no log called rates.
        logs = {NAMES[name] for name in named if not any(name != other and name in other for other in named)}
        if len(logs) > 1:
            raise LogPathError(f"{path}: {part} names more than one log: {', '.join(sorted(logs))}. Give --log.")
        if logs:
            return logs.pop()
    raise LogPathError(
        f"{path}: neither its name nor a folder names its log. Name it, such as login-000{path.suffix}, or "
        f"give --log. Logs: {', '.join(NAMES)}."
    )


def _day_of(path: Path, day: date | None) -> date:
    if day is not None:
        return day
    for part in reversed(path.absolute().parts):
        for match in _DAY.finditer(part):
            if is_day(text := "-".join(match.groups())):
                return date.fromisoformat(text)
    raise LogPathError(f"{path}: neither its name nor a folder names the day (YYYY-MM-DD). Give --day.")
