"""ThinkingData logs of the game as its seven raw logs.

A record of `#type` track whose event is called like one of the logs is a row of it. Values stay as they were sent:
whatever JSON type a property has, its column is text, so that casting is the reader's, and no amount passes through a
float.

Every line is accounted for: lines = rows + duplicates + not wanted + unreadable.
"""

from __future__ import annotations

import codecs
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from gamestats_assets.apis.thinkingdata import Moment, zone_hours
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.documents import LAST_MILLIS, UNREADABLE
from gamestats_assets.lakehouse.files.unpacking import ReadLimits, UnreadableContentError, decompressed, opened

_VISIT = ("server_id", "level", "ip", "device", "country", "time")
_ITEM = ("server_id", "item_id", "count", "reason_id", "level", "time")
_MONEY = (
    *("server_id", "money_type", "amount", "reason_id", "level"),
    *("balance_after", "guild_id", "guild_name", "time"),
)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    log: ("user_id", *columns)
    for log, columns in {
        "login": _VISIT,
        "logout": _VISIT,
        "recharge": ("server_id", "pmc", "currency", "amount"),
        "increase_item": _ITEM,
        "decrease_item": _ITEM,
        "increase_money": _MONEY,
        "decrease_money": _MONEY,
    }.items()
}
"""Columns of each log. `time` is in UTC, the others are text: `user_id` is `#account_id`, or without one
`#distinct_id`, `ip` is `#ip`, and the rest are properties."""

_OF_RECORDS = ("user_id", "ip", "time")
_OF_PROPERTIES = tuple(dict.fromkeys(c for columns in COLUMNS.values() for c in columns if c not in _OF_RECORDS))
_LOG, _UUID, _PLACE = "#log", "#uuid", "#place"
_BATCH_BYTES = 1024 * 1024
"""Of lines that are decoded together: small enough that what is made of them is in the processor's cache when used."""
_HELD_BATCHES = 64
"""Batches after which their records are divided among the logs."""
_TIME_LENGTHS = len("2026-01-01 10:00:00"), len("2026-01-01 10:00:00.123456")
_SHOWN = 80
_EPOCH = date(1970, 1, 1)
_DAY_US, _HOUR_US = 86_400_000_000, 3_600_000_000

_Ints = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]


class LogFileError(GamestatsError):
    """A log file cannot be read to its end."""


@dataclass(frozen=True, slots=True)
class UnreadableLine:
    """A line of which nothing can be used.

    Attributes:
        file: path of the file, or `payload 1` for the first of contents without a name.
        line: counted from 1.
        reason: for people: what was expected, and what was found.
        content: the line as it stands there, without its end.
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
    """The lines of a file by the day on which they happened; every line stands in one place.

    Attributes:
        days: by UTC day, in order, its lines in the order of the file, each with an end.
        undated: lines that tell no usable time.
        lines: how many there are that are not empty.
    """

    days: Mapping[date, bytes]
    undated: tuple[UnreadableLine, ...]
    lines: int


@dataclass(frozen=True, slots=True)
class ThinkingDataLogs:
    """What some files hold.

    Attributes:
        frames: by log the rows with its `COLUMNS`, in the order of the files; all seven logs, empty ones included.
        lines: of all files, empty ones left out.
        records: by log, readable records, copies included.
        duplicates: by log, records whose `#uuid` came before, in whichever log; they are no rows.
        differing: by log, those of the duplicates that say something else than the record that came first.
        not_wanted: readable records that are of no log, by `#type` and event; the event is empty for what is none.
        unreadable: lines of which nothing can be used.
    """

    frames: Mapping[str, pl.DataFrame]
    lines: int
    records: Mapping[str, int]
    duplicates: Mapping[str, int]
    differing: Mapping[str, int]
    not_wanted: Mapping[tuple[str, str], int]
    unreadable: tuple[UnreadableLine, ...]

    @property
    def rows(self) -> int:
        """Rows of all logs: lines less duplicates, what is not wanted, and unreadable lines."""
        return sum(frame.height for frame in self.frames.values())


# --------------------------------------------------------------------------- by day


_NOT_DATED = Moment()


def split_days(path: Path, limits: ReadLimits | None = None) -> DayLines:
    """The lines of a file, plain or gzip, by the UTC day of their `#time`, each as it stands there.

    The lines are held in memory, about twice.

    Raises:
        LogFileError: when the file cannot be read to its end, or exceeds the limits; nothing of it should be used then.
    """
    days: dict[date, list[bytes]] = {}
    undated: list[UnreadableLine] = []
    count = 0
    decode = msgspec.json.Decoder(Moment, float_hook=str).decode
    for before, lines in _batches_of_file(path, limits):
        dated: list[Moment] = []
        for line in lines:
            try:
                # An error costs more than the look at a line that has none.
                dated.append(decode(line) if len(line) > 2 else _NOT_DATED)
            except UNREADABLE:
                dated.append(_NOT_DATED)
        offsets = [found.zone_offset for found in dated]
        at_us, known = _utc_us([found.time for found in dated], offsets)
        day = at_us // _DAY_US
        for number in np.unique(day[known]).tolist():
            own = np.flatnonzero(known & (day == number)).tolist()
            days.setdefault(_EPOCH + timedelta(days=number), []).extend(lines[place] for place in own)
        unknown = [place for place in np.flatnonzero(~known).tolist() if not lines[place].isspace()]
        undated += [_unreadable(str(path), before + place + 1, lines[place]) for place in unknown]
        count += int(known.sum()) + len(unknown)
    for of_day in days.values():
        of_day[-1] = _without_end(of_day[-1]) + b"\n"  # the last line of a file may have no end
    return DayLines({day: b"".join(days[day]) for day in sorted(days)}, tuple(undated), count)


# --------------------------------------------------------------------------- by log


_Properties = msgspec.defstruct(
    "_Properties",
    [
        ("zone_offset", Any, msgspec.field(default=None, name="#zone_offset")),
        *((name, Any, None) for name in _OF_PROPERTIES),
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


# Of floats the digits as they stand there.
_RECORD = msgspec.json.Decoder(_Record, float_hook=str)


def read_logs(files: Sequence[Path | bytes]) -> ThinkingDataLogs:
    """The seven raw logs of some files, plain or gzip; of records with one `#uuid` the first one.

    Records without a `#uuid` are different ones, whatever they say.

    Args:
        files: paths, or their contents.

    Raises:
        LogFileError: when a file cannot be read to its end.
    """
    logs = _Logs()
    for number, file in enumerate(files, 1):
        logs.read(f"payload {number}" if isinstance(file, bytes) else str(file), _content(file))
    return logs.finished()


class _Logs:
    """Takes up file after file."""

    def __init__(self) -> None:
        self._codes = {log: code for code, log in enumerate(COLUMNS)}
        self._held: list[pl.DataFrame] = []
        self._frames: dict[str, list[pl.DataFrame]] = {log: [] for log in COLUMNS}
        self._lines = self._places = 0
        self._not_wanted: Counter[tuple[str, str]] = Counter()
        self._unreadable: list[UnreadableLine] = []

    def read(self, file: str, content: bytes) -> None:
        # The first of the two is much quicker, and enough for most logs.
        may_have_nul = b"\\" in content and b"\\u0000" in content
        bad: list[UnreadableLine] = []
        for before, lines in _batches(io.BytesIO(content)):
            unread = self._take(lines, may_have_nul=may_have_nul)
            bad += [_unreadable(file, before + place + 1, lines[place]) for place in unread]
        self._unreadable += sorted(bad, key=lambda line: line.line)

    def _take(self, lines: list[bytes], *, may_have_nul: bool) -> list[int]:
        """Take up some lines; gives the places of those that cannot be read."""
        decode, codes_of_logs = _RECORD.decode, self._codes
        records: list[_Record] = []
        codes: list[int] = []
        places: list[int] = []
        other: list[tuple[str, str | None]] = []
        refused: list[int] = []
        for place, line in enumerate(lines):
            try:
                record = decode(line)
            except UNREADABLE:
                refused.append(place)
                continue
            code = codes_of_logs.get(record.event_name or "")
            if code is not None and record.type == "track":
                records.append(record)
                codes.append(code)
                places.append(place)
            else:
                other.append((record.type, record.event_name))
        unread = [place for place in refused if not lines[place].isspace()]
        empty = len(refused) - len(unread)
        for (kind, event), count in Counter(other).items():
            self._not_wanted[kind, event or ""] += count
        if records:
            own = {_LOG: pl.Series(codes, dtype=pl.UInt8), _PLACE: pl.Series(places, dtype=pl.Int64) + self._places}
            frame, usable = _frame(records, **own)
            if may_have_nul:  # no database takes it
                has_nul = pl.any_horizontal(pl.col(pl.String).str.contains("\0", literal=True).fill_null(False))
                usable &= ~frame.select(has_nul).to_series()
            if not usable.all():
                unread += [places[row] for row in (~usable).arg_true().to_list()]
                frame = frame.filter(usable)
            self._hold(frame)
        self._lines += len(lines) - empty
        self._places += len(lines)
        return unread

    def _hold(self, frame: pl.DataFrame) -> None:
        """Keep records of all logs; after many of them, divide them among the logs."""
        self._held.append(frame)
        if len(self._held) >= _HELD_BATCHES:
            self._divide()

    def _divide(self) -> None:
        if self._held:
            every = pl.concat(self._held)
            for log, code in self._codes.items():
                own = every.select(*COLUMNS[log], _UUID, _PLACE).filter(every[_LOG] == code)
                self._frames[log].append(own)
            self._held.clear()

    def finished(self) -> ThinkingDataLogs:
        self._divide()
        frames = {log: pl.concat([_empty(log), *parts], rechunk=True) for log, parts in self._frames.items()}
        copies, firsts = _copies(frames)
        duplicates, differing = dict.fromkeys(COLUMNS, 0), dict.fromkeys(COLUMNS, 0)
        records = {log: frame.height for log, frame in frames.items()}
        for log, frame in frames.items():
            if copies.len():
                is_copy, is_first = (pl.col(_PLACE).is_in(places.implode()) for places in (copies, firsts))
                own = frame.filter(is_copy)
                duplicates[log], differing[log] = own.height, _differing(own, frame.filter(is_first), COLUMNS[log])
                frame = frame.filter(~is_copy)
            frames[log] = frame.drop(_UUID, _PLACE)
        return ThinkingDataLogs(
            frames=frames,
            lines=self._lines,
            records=records,
            duplicates=duplicates,
            differing=differing,
            not_wanted=dict(sorted(self._not_wanted.items())),
            unreadable=tuple(self._unreadable),
        )


def _frame(records: list[_Record], **more: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Records of whichever logs with all columns, and whether each can be used.

    Args:
        more: further columns.
    """
    told = zip(*[msgspec.structs.astuple(record.properties or _NOTHING) for record in records], strict=True)
    offsets, *properties = map(list, told)
    at_us, known = _utc_us([record.time for record in records], offsets)
    users = _texts([record.account_id or record.distinct_id or None for record in records])
    columns = {
        "user_id": users,
        "time": pl.Series(at_us).cast(pl.Datetime("us", "UTC")),
        "ip": _texts([record.ip for record in records]),
        _UUID: _texts([record.uuid or None for record in records]),
        **dict(zip(_OF_PROPERTIES, map(_texts, properties), strict=True)),
    }
    return pl.DataFrame({**columns, **more}), pl.Series(known) & users.is_not_null()


def _empty(log: str) -> pl.DataFrame:
    types = {column: pl.Datetime("us", "UTC") if column == "time" else pl.String() for column in COLUMNS[log]}
    return pl.DataFrame(schema={**types, _UUID: pl.String(), _PLACE: pl.Int64()})


def _copies(frames: Mapping[str, pl.DataFrame]) -> tuple[pl.Series, pl.Series]:
    """Places in the order of lines of records whose `#uuid` came before, and of the records that came first."""
    every = pl.concat([frame.select(_UUID, _PLACE) for frame in frames.values()]).drop_nulls(_UUID)
    if every[_UUID].n_unique() == every.height:
        return every[_PLACE].clear(), every[_PLACE].clear()
    again = every.filter(pl.col(_UUID).is_duplicated()).sort(_PLACE)
    first = again[_UUID].is_first_distinct()
    return again[_PLACE].filter(~first), again[_PLACE].filter(first)


def _differing(copies: pl.DataFrame, firsts: pl.DataFrame, columns: Sequence[str]) -> int:
    """How many copies say something else than the record that came first, or came first in another log."""
    both = copies.join(firsts, on=_UUID, how="left", suffix=" first")
    same = [pl.col(column).eq_missing(pl.col(f"{column} first")) for column in columns]
    return both.filter(pl.col(f"{_PLACE} first").is_null() | ~pl.all_horizontal(same)).height


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
    """Lines with their ends, some at a time, empty ones among them; and the number of lines before them."""
    before = 0
    while block := stream.read(_BATCH_BYTES) + stream.readline():
        # Millions of lines with nothing in them are quickly made, and slowly looked at one by one.
        if block.isspace():
            before += block.count(b"\n")
            continue
        lines = io.BytesIO(block).readlines()
        yield before, lines
        before += len(lines)


def _without_end(line: bytes) -> bytes:
    return line.removesuffix(b"\n")


def _unreadable(file: str, number: int, line: bytes) -> UnreadableLine:
    return UnreadableLine(file, number, _why(line), _without_end(line))


def _why(line: bytes) -> str:
    """What is wrong with a line that tells nothing usable."""
    try:
        record = _RECORD.decode(line)
    except msgspec.ValidationError as error:
        return f"expected a record of the format: {error}"[:400]
    except UNREADABLE as error:
        return f"expected a JSON object, found none: {error}"[:400]
    offset = record.properties and record.properties.zone_offset
    if not _utc_us([record.time], [None])[1][0]:
        return f"#time: expected yyyy-MM-dd HH:mm:ss.SSS, found {record.time[:_SHOWN]!r}"
    if zone_hours(offset) is None:
        return f"#zone_offset: expected hours from -12 to 14, found {str(offset)[:_SHOWN]!r}"
    if not record.account_id and not record.distinct_id:
        return "expected #account_id or #distinct_id, found neither"
    return "expected texts without the character U+0000, found one with it"


# --------------------------------------------------------------------------- values


# Of integers beyond 128 bits Polars says the second.
_NO_SERIES = (TypeError, OverflowError)


def _texts(values: list[Any]) -> pl.Series:
    """Values as text: a text as it is, anything else as its JSON, null as null."""
    try:
        return pl.Series(values, dtype=pl.String)
    except _NO_SERIES:
        pass
    if set(map(type, values)) <= {int, type(None)}:
        try:
            return pl.Series(values, dtype=pl.Int64).cast(pl.String)
        except _NO_SERIES:
            pass  # too large for 64 bits
    texts = [v if v is None or v.__class__ is str else msgspec.json.encode(v).decode() for v in values]
    return pl.Series(texts, dtype=pl.String)


def _utc_us(times: list[str], zone_offsets: list[Any]) -> tuple[_Ints, _Flags]:
    """Times in UTC as microseconds since 1970, and whether each could be read."""
    shortest, longest = _TIME_LENGTHS
    lengths = set(map(len, times))
    fits = shortest <= min(lengths) and max(lengths) <= longest
    texts = times if fits else [time if shortest <= len(time) <= longest else None for time in times]
    local = _parsed(pl.Series(texts, dtype=pl.String).to_arrow(compat_level=pl.CompatLevel.oldest()))
    if set(map(type, zone_offsets)) <= {int, str, type(None)}:
        hours_of = {offset: zone_hours(offset) for offset in set(zone_offsets)}
        hours = pl.Series([hours_of[offset] for offset in zone_offsets], dtype=pl.Float64)
    else:
        hours = pl.Series(list(map(zone_hours, zone_offsets)), dtype=pl.Float64)
    shift = (hours.fill_null(0.0) * _HOUR_US).round().cast(pl.Int64)
    at_us = local.fill_null(0) - shift
    # Of other years there are no days to count from and to.
    known = local.is_not_null() & hours.is_not_null() & at_us.is_between(0, LAST_MILLIS * 1000)
    return at_us.to_numpy(), known.to_numpy()


def _parsed(texts: pa.Array) -> pl.Series:
    """Times as microseconds since 1970; null where a text is none."""
    try:
        return pl.Series(texts.cast(pa.timestamp("us")).cast(pa.int64()), dtype=pl.Int64)
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return pl.Series([None], dtype=pl.Int64)
        half = len(texts) // 2
        return pl.concat([_parsed(texts.slice(0, half)), _parsed(texts.slice(half))])
