"""Reads ThinkingData logs of the game as its seven raw logs.

A record of `#type` track whose event has the name of a log is a row of it. Values stay as they were sent: columns are
text whatever JSON type a property has, so that readers cast them, and no amount passes through a float.

Every line is accounted for: lines = rows + duplicates + not wanted + unreadable.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from operator import attrgetter
from pathlib import Path
from typing import IO, Any

import msgspec
import polars as pl

from gamestats_assets.apis.thinkingdata import Moment, zone_hours
from gamestats_assets.l2m.logs import columns
from gamestats_assets.l2m.logs.tables import LOGS
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.documents import LAST_MILLIS, UNREADABLE
from gamestats_assets.lakehouse.files.unpacking import ReadLimits, UnreadableContentError, decompressed, opened

COLUMNS: Mapping[str, tuple[str, ...]] = {
    log: tuple(column.name for column in columns.COLUMNS[log] if (log, column.name) != ("recharge", "time"))
    for log in LOGS
}
"""Columns of each log. `time` is in UTC, the others are text: `user_id` is `#account_id`, or else `#distinct_id`, `ip`
is `#ip`, and the rest are properties. Payments belong to the day, without a time."""

_ROOT_COLUMNS = ("user_id", "ip", "time")
_PROPERTIES = {log: [name for name in names if name not in _ROOT_COLUMNS] for log, names in COLUMNS.items()}
_BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of lines that are decoded together."""
_TIME = r"^\d{4}-\d\d-\d\d[ T]\d\d:[0-5]\d:[0-5]\d(\.\d{1,6})?$"
_SHOWN = 80
_EPOCH = date(1970, 1, 1)
_DAY_US, _HOUR_US = 86_400_000_000, 3_600_000_000


class LogFileError(GamestatsError):
    """A log file cannot be read to its end."""


@dataclass(frozen=True, slots=True)
class UnreadableLine:
    """A line without usable contents.

    Attributes:
        file: path of the file, or `payload 1` for the first of contents without a name.
        line: counted from 1.
        reason: for people: what was expected, and what was found.
        content: the line in the file, without its end.
    """

    file: str
    line: int
    reason: str
    content: bytes

    def __str__(self) -> str:
        """Place and reason in one line."""
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class DayLines:
    """The lines of a file by the day on which they happened; every line is in one place.

    Attributes:
        days: by UTC day, in order, its lines in the order of the file, each with an end.
        undated: lines without a usable time.
        lines: number of lines that are not empty.
    """

    days: Mapping[date, bytes]
    undated: tuple[UnreadableLine, ...]
    lines: int


@dataclass(frozen=True, slots=True)
class ThinkingDataLogs:
    """The contents of a group of files.

    Attributes:
        frames: by log the rows with its `COLUMNS`, in the order of the files; all seven logs, including empty ones.
        lines: lines of all files, without empty ones.
        duplicates: by log, records whose `#uuid` came before, in any log; they are not rows.
        not_wanted: readable records of no log.
        unreadable: lines without usable contents.
    """

    frames: Mapping[str, pl.DataFrame]
    lines: int
    duplicates: Mapping[str, int]
    not_wanted: int
    unreadable: tuple[UnreadableLine, ...]


# --------------------------------------------------------------------------- by day


_NOT_DATED = Moment()


def split_days(path: Path, limits: ReadLimits | None = None) -> DayLines:
    """Returns the lines of a file, plain or gzip, by the UTC day of their `#time`, unchanged.

    The lines are in memory about twice.

    Raises:
        LogFileError: when the file cannot be read to its end, or exceeds the limits; nothing of it should be used then.
    """
    days: dict[int, list[bytes]] = {}
    undated: list[UnreadableLine] = []
    decode = msgspec.json.Decoder(Moment, float_hook=str).decode
    for before, lines in _batches_of_file(path, limits):
        dated: list[Moment] = []
        for line in lines:
            try:
                dated.append(decode(line))
            except UNREADABLE:
                dated.append(_NOT_DATED)
        times = _utc([found.time for found in dated], [found.zone_offset for found in dated])
        for number, (line, day) in enumerate(zip(lines, times.dt.epoch("d"), strict=True), before + 1):
            if day is not None:
                days.setdefault(day, []).append(line)
            elif not line.isspace():
                undated.append(_unreadable(str(path), number, line))
    for of_day in days.values():
        of_day[-1] = of_day[-1].removesuffix(b"\n") + b"\n"  # the last line of a file may have no end
    count = sum(map(len, days.values())) + len(undated)
    by_day = {_EPOCH + timedelta(days=day): b"".join(days[day]) for day in sorted(days)}
    return DayLines(by_day, tuple(undated), count)


# --------------------------------------------------------------------------- by log


_Properties = msgspec.defstruct(
    "_Properties",
    [
        ("zone_offset", Any, msgspec.field(default=None, name="#zone_offset")),
        *((name, Any, None) for name in dict.fromkeys(name for names in _PROPERTIES.values() for name in names)),
    ],
    gc=False,
)
_NOTHING: Any = _Properties()


class _Record(msgspec.Struct, gc=False):
    type: str = msgspec.field(name="#type")
    time: str = msgspec.field(default="", name="#time")
    account_id: Any = msgspec.field(default=None, name="#account_id")
    distinct_id: Any = msgspec.field(default=None, name="#distinct_id")
    event_name: str | None = msgspec.field(default=None, name="#event_name")
    ip: Any = msgspec.field(default=None, name="#ip")
    uuid: Any = msgspec.field(default=None, name="#uuid")
    properties: _Properties | None = None  # pyright: ignore[reportInvalidTypeForm] (a class, made above)


# Keeps the digits of floats as they are written.
_RECORD = msgspec.json.Decoder(_Record, float_hook=str)


def read_logs(files: Sequence[Path | bytes]) -> ThinkingDataLogs:
    """Returns the seven raw logs of files, plain or gzip; of records with one `#uuid` the first one.

    Records without a `#uuid` are different ones, whatever they contain.

    Args:
        files: paths, or their contents.

    Raises:
        LogFileError: when a file cannot be read to its end.
    """
    parts = {log: [_frame(log, [], [])] for log in COLUMNS}
    unreadable: list[UnreadableLine] = []
    count = not_wanted = 0
    for number, file in enumerate(files, 1):
        name = f"payload {number}" if isinstance(file, bytes) else str(file)
        bad: list[tuple[int, bytes]] = []
        for before, lines in _batches(io.BytesIO(_content(file))):
            held: dict[str, list[_Record]] = {log: [] for log in COLUMNS}
            places: dict[str, list[int]] = {log: [] for log in COLUMNS}
            for place, line in enumerate(lines):
                try:
                    record = _RECORD.decode(line)
                except UNREADABLE:
                    if not line.isspace():
                        bad.append((before + place + 1, line))
                        count += 1
                    continue
                count += 1
                log = record.event_name or ""
                if record.type == "track" and log in COLUMNS:
                    held[log].append(record)
                    places[log].append(place)
                else:
                    not_wanted += 1
            for log, records in held.items():
                frame = _frame(log, records, places[log])
                usable = frame["user_id"].is_not_null() & frame["at"].is_not_null() & ~_has_nul(frame)
                bad += [(before + place + 1, lines[place]) for place in frame["place"].filter(~usable)]
                placed = (pl.lit(number), pl.col("place") + before)
                parts[log].append(frame.filter(usable).with_columns(file=placed[0], place=placed[1]))
        unreadable += [_unreadable(name, place, line) for place, line in sorted(bad)]
    frames = {log: pl.concat(of_log, how="diagonal", rechunk=True) for log, of_log in parts.items()}
    copies = _copies(frames)
    return ThinkingDataLogs(
        frames={
            log: frame.join(copies, on=["file", "place"], how="anti", maintain_order="left")
            .with_columns(time="at")
            .select(COLUMNS[log])
            for log, frame in frames.items()
        },
        lines=count,
        duplicates={log: frame.join(copies, on=["file", "place"], how="semi").height for log, frame in frames.items()},
        not_wanted=not_wanted,
        unreadable=tuple(unreadable),
    )


def _frame(log: str, records: Sequence[_Record], places: Sequence[int]) -> pl.DataFrame:
    """Returns records of a log with its columns, `at`, `uuid` and `place`; unusable `user_id` and `at` are null."""
    names = ("zone_offset", *_PROPERTIES[log])
    values = attrgetter(*names)
    rows = [values(record.properties or _NOTHING) for record in records]
    offsets, *properties = map(list, zip(*rows, strict=True)) if rows else [[] for _ in names]
    return pl.DataFrame(
        {
            "user_id": _texts([record.account_id or record.distinct_id or None for record in records]),
            "at": _utc([record.time for record in records], offsets),
            "ip": _texts([record.ip for record in records]),
            "uuid": _texts([record.uuid or None for record in records]),
            "place": pl.Series(places, dtype=pl.Int64),
            "file": pl.zeros(len(records), dtype=pl.Int32, eager=True),
            **dict(zip(names[1:], map(_texts, properties), strict=True)),
        }
    )


def _has_nul(frame: pl.DataFrame) -> pl.Series:
    """Marks rows with a text that PostgreSQL cannot store."""
    nul = pl.col(pl.String).exclude("uuid").str.contains("\0", literal=True).fill_null(False)
    return frame.select(pl.any_horizontal(nul)).to_series()


def _copies(frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Returns file and place of records whose `#uuid` came before."""
    every = pl.concat([frame.select("uuid", "file", "place") for frame in frames.values()]).drop_nulls("uuid")
    again = every.filter(pl.col("uuid").is_duplicated()).sort("file", "place")
    return again.filter(~pl.col("uuid").is_first_distinct()).drop("uuid")


# --------------------------------------------------------------------------- lines


def _content(file: Path | bytes) -> bytes:
    try:
        content = decompressed(file if isinstance(file, bytes) else file.read_bytes())
    except UnreadableContentError as error:
        name = "The payload" if isinstance(file, bytes) else str(file)
        raise LogFileError(f"{name} cannot be read to its end. {error}") from None
    except OSError as error:
        raise LogFileError(f"Expected a log file at {file}; it cannot be read: {error.strerror}.") from None
    return content.removeprefix(codecs.BOM_UTF8)


def _batches_of_file(path: Path, limits: ReadLimits | None) -> Iterator[tuple[int, list[bytes]]]:
    try:
        with opened(path, limits) as stream:
            if stream.peek(len(codecs.BOM_UTF8)).startswith(codecs.BOM_UTF8):
                stream.read(len(codecs.BOM_UTF8))
            yield from _batches(stream)
    except UnreadableContentError as error:
        raise LogFileError(f"{path} cannot be read to its end. {error}") from None
    except OSError as error:
        raise LogFileError(f"Expected a log file at {path}; it cannot be read: {error.strerror}.") from None


def _batches(stream: IO[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Yields lines with their ends, some at a time, including empty ones, and the number of lines before them."""
    before = 0
    while block := stream.read(_BATCH_BYTES) + stream.readline():
        # Millions of empty lines are quickly made, and slow to process one by one.
        if block.isspace():
            before += block.count(b"\n")
            continue
        lines = io.BytesIO(block).readlines()
        yield before, lines
        before += len(lines)


def _unreadable(file: str, number: int, line: bytes) -> UnreadableLine:
    return UnreadableLine(file, number, _why(line), line.removesuffix(b"\n"))


def _why(line: bytes) -> str:
    """Returns the reason why a line has nothing usable."""
    try:
        record = _RECORD.decode(line)
    except msgspec.ValidationError as error:
        return f"expected a record of the format: {error}"[:400]
    except UNREADABLE as error:
        return f"expected a JSON object, found none: {error}"[:400]
    offset = record.properties and record.properties.zone_offset
    if _utc([record.time], [None])[0] is None:
        return f"#time: expected yyyy-MM-dd HH:mm:ss.SSS, found {record.time[:_SHOWN]!r}"
    if zone_hours(offset) is None:
        return f"#zone_offset: expected hours from -12 to 14, found {str(offset)[:_SHOWN]!r}"
    if not record.account_id and not record.distinct_id:
        return "expected #account_id or #distinct_id, found neither"
    return "expected texts without the character U+0000, found one with it"


# --------------------------------------------------------------------------- values


def _texts(values: Sequence[Any]) -> pl.Series:
    """Returns values as text: texts unchanged, anything else as its JSON, null as null."""
    try:
        return pl.Series(values, dtype=pl.String)
    except (TypeError, OverflowError):  # Polars raises the second for integers beyond 128 bits
        texts = [v if v is None or v.__class__ is str else msgspec.json.encode(v).decode() for v in values]
        return pl.Series(texts, dtype=pl.String)


def _utc(times: Sequence[str], zone_offsets: Sequence[Any]) -> pl.Series:
    """Returns times in UTC; null if a time or its offset cannot be read, or its year cannot be stored."""
    texts = pl.Series("at", times, dtype=pl.String)
    plain = texts.str.replace("T", " ", literal=True)
    shift_us = pl.Series("shift", [zone_hours(offset) for offset in zone_offsets], dtype=pl.Float64) * _HOUR_US
    # Tables have no days of other years.
    known = pl.col("at").is_between(0, LAST_MILLIS * 1000)
    local = pl.when(texts.str.contains(_TIME)).then(plain).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False)
    return (
        pl.select(local.cast(pl.Int64) - shift_us.round().cast(pl.Int64))
        .select(pl.when(known).then("at").cast(pl.Datetime("us", "UTC")))
        .to_series()
    )
