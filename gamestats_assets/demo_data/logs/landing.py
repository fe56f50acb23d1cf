"""Lands log files: divides their lines by the day on which they happened, and loses nothing.

A log has lines of several days, because devices send late what they could not send at once. Lines are kept unchanged,
and land in pieces, each of one day and of at most `PIECE_BYTES`. A piece is named by the log's own day and by its
content, so that copies are recognised, and late lines show.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, Literal

from isal import igzip

from gamestats_assets.demo_data.logs.lines import is_near, time_of
from gamestats_assets.demo_data.rules.configuration import PRODUCT_NAME
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import files_within, shown
from gamestats_assets.lakehouse.files.unpacking import ReadLimits, UnreadableContentError, opened
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, content_hash

PIECE_BYTES = 64 * 1024 * 1024
"""Most bytes of a piece's content; it is in memory as a whole when it is landed and when it is read."""
HELD_BYTES = 256 * 1024 * 1024
"""Most bytes of lines in memory; beyond it the largest piece is landed before it is full."""
LONGEST_LINE = 8 * 1024 * 1024
"""Longest line in bytes; a longer one is divided, and unreadable as it would be undivided."""
KIND = "log"
"""The landing zone's kind of a piece."""

Status = Literal["taken", "known", "refused"]
Progress = Callable[[int, int], None]

_NAMED_DAY = re.compile(r"(?<!\d)(\d{4})(-?)(\d{2})\2(\d{2})(?!\d)", re.ASCII)
_CHUNK = 1024 * 1024
# `app.jsonl`, or names by LogBus and ThinkingData's SDKs: log.2026-01-01, log.2026-01-01_0, shop.2026-01-01.log.
_LOG_NAME = re.compile(r"(\.(jsonl?|log|gz)|(^|\.)log\.\d[^.]*)$", re.IGNORECASE)
# Files that `gamestats generate` writes beside its logs.
_OF_A_RUN = ("manifest.json", "rules.json", "run.json")
_LOG_BEGINNING = re.compile(rb"\s*(\[\s*)?\{")
_BEGINNING_BYTES = 4096
_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_NO_LINES = re.compile(rb"\n[ \t\r\n]*\n")
_ONE_LINE = str.maketrans("\r\n", "  ")


class LogPathError(GamestatsError):
    """A path given for landing has nothing to land."""


class ProductNameError(GamestatsError):
    """A product's name cannot be a partition key and a part of paths."""


class _DamagedFileError(Exception):
    """A file cannot be read to its end."""


@dataclass(frozen=True, slots=True)
class LogOutcome:
    """The outcome of one log file.

    Attributes:
        name: the given name of the file.
        status: `taken` (some of it is new), `known` (all of it has landed before) or `refused` (the file stays in its
            place).
        log_day: day of the log; None if it is refused.
        lines: lines that are not empty.
        undated_lines: lines without a usable time; they are in a piece of the log's own day.
        lines_by_day: lines by the day of their piece.
        pieces: all pieces of the file.
        new_pieces: pieces that had not landed before.
        reason: reason of a refusal; empty otherwise.
    """

    name: str
    status: Status
    log_day: date | None = None
    lines: int = 0
    undated_lines: int = 0
    lines_by_day: Mapping[date, int] = field(default_factory=dict)
    pieces: tuple[LandedFile, ...] = ()
    new_pieces: tuple[LandedFile, ...] = ()
    reason: str = ""

    def line(self) -> str:
        """Returns the outcome in one line of text."""
        if self.status == "refused":
            return f"{self.status:<8} {shown(self.name)}: {self.reason}"
        undated = f", {self.undated_lines} of them without a usable time" if self.undated_lines else ""
        return f"{self.status:<8} log of {self.log_day}, {self.lines} lines{undated}  {shown(self.name)}"


@dataclass(frozen=True, slots=True)
class LogIngestReport:
    """The outcome of every file, in the order of their paths; taken + known + refused = files.

    Attributes:
        passed_over: files of the folders that are not logs, by their names or their beginnings, and links that lead out
            of the folders.
    """

    outcomes: tuple[LogOutcome, ...]
    passed_over: tuple[Path, ...] = ()

    def count(self, status: Status) -> int:
        """Returns the number of files of one status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def files(self) -> int:
        """Number of given files."""
        return len(self.outcomes)

    @property
    def lines(self) -> int:
        """Lines of the files that were not refused."""
        return sum(outcome.lines for outcome in self.outcomes)

    @property
    def lines_by_day(self) -> Mapping[date, int]:
        """Lines of each day, in order."""
        found: Counter[date] = Counter()
        for outcome in self.outcomes:
            found.update(outcome.lines_by_day)
        return dict(sorted(found.items()))

    @property
    def days(self) -> tuple[str, ...]:
        """Days that gained a piece, in order, YYYY-MM-DD."""
        return tuple(sorted({piece.day for outcome in self.outcomes for piece in outcome.new_pieces}))


def landing_game(product: str) -> str:
    """Returns the folder of a product in the landing zone.

    Raises:
        ProductNameError: when the name is invalid.
    """
    if not PRODUCT_NAME.fullmatch(product):
        raise ProductNameError(
            f"{product!r} is not a valid name of a product: expected a small letter, then at most 49 small letters, "
            "digits, _ and -."
        )
    return f"demo_data/{product}"


def land_logs(
    paths: Iterable[Path], product: str, landing: Landing, progress: Progress | None = None
) -> LogIngestReport:
    """Lands log files and the logs in folders, plain or gzipped, of JSON lines or JSON arrays.

    Every line lands unchanged in exactly one piece: that of the UTC day on which it happened, or without a usable time
    that of the log's own day. The log's day is the one in the file's name (2026-01-01 or 20260101), else the day of
    most of its lines. The elements of a JSON array are its lines. A file that cannot be read to its end, or that has no
    day, is refused and not landed. Two pieces of a log that are identical are one, and everything in it came twice.

    A file is read twice, first for its day, and never held in memory as a whole. Landing it again changes nothing.

    Args:
        paths: files, or folders to walk; of folders, files are taken if they have the name of a log, or begin with a
            JSON object; hidden ones are not.
        product: product of the logs.
        landing: landing zone; a walk leaves out its folder.
        progress: called with the number of files done and the number of files, after each file.

    Raises:
        LogPathError: when a path does not exist, lies inside the landing zone, or is a folder that cannot be listed.
        ProductNameError: when the product's name is invalid.
    """
    game = landing_game(product)
    files, passed_over = log_files(paths, landing)
    outcomes: list[LogOutcome] = []
    for file in files:
        outcomes.append(_land(file, game, landing))
        if progress is not None:
            progress(len(outcomes), len(files))
    return LogIngestReport(tuple(outcomes), tuple(passed_over))


# --------------------------------------------------------------------------- one file


@dataclass(slots=True)
class _Pieces:
    """The pieces of one log that are being filled."""

    game: str
    log_day: date
    landing: Landing
    landed: list[tuple[LandedFile, bool]] = field(default_factory=list)
    _lines: defaultdict[date, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    _bytes: Counter[date] = field(default_factory=Counter)

    def add(self, day: date, line: bytes) -> None:
        size = len(line) + 1
        if self._bytes[day] + size > PIECE_BYTES:
            self.land(day)
        elif self._bytes.total() + size > HELD_BYTES:
            self.land(max(self._bytes, key=lambda held: (self._bytes[held], held)))
        self._lines[day].append(line)
        self._bytes[day] += size

    def land(self, day: date) -> None:
        lines = self._lines.pop(day, None)
        self._bytes.pop(day, None)
        if lines:
            content = b"\n".join([*lines, b""])
            unit = f"{self.log_day:%Y%m%d}-{content_hash(content)[:24]}"
            # The same bytes each time: the gzip has neither a name nor a time.
            payload = igzip.compress(content, 2, mtime=0)
            self.landed.append(self.landing.put(self.game, day, unit, KIND, payload, content))

    def land_all(self) -> None:
        for day in sorted(self._lines):
            self.land(day)


def _land(file: Path, game: str, landing: Landing) -> LogOutcome:
    try:
        days: Counter[date] = Counter()
        for line in _lines_of(file, landing.limits):
            occurred_at = time_of(line)
            if occurred_at is not None:
                days[occurred_at.date()] += 1
        log_day = _named_day(file.name) or min(days, key=lambda day: (-days[day], day), default=None)
        if log_day is None:
            raise _DamagedFileError("no line has a time (#time), and the name has no day (2026-01-01)")
        pieces = _Pieces(game, log_day, landing)
        by_day: Counter[date] = Counter()
        undated = 0
        for line in _lines_of(file, landing.limits):
            occurred_at = time_of(line)
            usable = occurred_at is not None and is_near(occurred_at, log_day)
            day = occurred_at.date() if occurred_at is not None and usable else log_day
            pieces.add(day, line)
            by_day[day] += 1
            undated += not usable
    except _DamagedFileError as error:
        return LogOutcome(str(file), "refused", reason=f"{error}; it stays in its place")
    pieces.land_all()
    new = tuple(piece for piece, is_new in pieces.landed if is_new)
    status: Status = "taken" if new else "known"
    landed = tuple(piece for piece, _ in pieces.landed)
    return LogOutcome(str(file), status, log_day, by_day.total(), undated, by_day, landed, new)


def _named_day(name: str) -> date | None:
    for found in _NAMED_DAY.finditer(name):
        try:
            return date(int(found[1]), int(found[3]), int(found[4]))
        except ValueError:
            continue
    return None


# --------------------------------------------------------------------------- lines


def _lines_of(file: Path, limits: ReadLimits) -> Iterator[bytes]:
    """Yields lines that are not empty, without their ends; or the elements of a JSON array.

    Raises:
        _DamagedFileError: when the file cannot be read to its end, or exceeds the limits.
    """
    try:
        with opened(file, limits) as stream:
            if stream.peek(3)[:3] == codecs.BOM_UTF8:
                stream.read(3)
            is_array = stream.peek(_CHUNK).lstrip()[:1] == b"["
            for line in _elements(stream) if is_array else _physical_lines(stream):
                if line.strip():
                    yield line
    except UnreadableContentError as error:
        raise _DamagedFileError(str(error).rstrip(".")) from None
    except OSError as error:
        raise _DamagedFileError(f"it cannot be read ({error.strerror or error})") from None


def _physical_lines(stream: IO[bytes]) -> Iterator[bytes]:
    while block := stream.read(_CHUNK) + stream.readline(LONGEST_LINE):
        # Millions of empty lines are quickly made, and slow to process one by one.
        for line in _NO_LINES.sub(b"\n", block).removesuffix(b"\n").split(b"\n"):
            for start in range(0, len(line), LONGEST_LINE):
                yield line[start : start + LONGEST_LINE]


def _elements(stream: IO[bytes]) -> Iterator[bytes]:
    """Yields the elements of a JSON array, each as one line; after an error, the remaining physical lines."""
    # Bytes that are not UTF-8 survive the conversion to a text and back.
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(stream.read(_CHUNK))
    at, wanted = text.index("[") + 1, _CHUNK
    while True:
        at = _after(_BETWEEN, text, at)
        end = _end_of_value(text, at)
        if end < len(text):
            yield _encoded(text[at:end].translate(_ONE_LINE))
            at, wanted = end, _CHUNK
            continue
        if text.startswith("]", at):
            at += 1
            break
        chunk = stream.read(wanted) if len(text) - at <= LONGEST_LINE else b""
        if not chunk:
            break
        text, at, wanted = text[at:] + decoder.decode(chunk), 0, wanted * 2
    *lines, begun = _encoded(text[at:] + decoder.decode(b"", True)).split(b"\n")
    yield from lines
    yield begun + stream.readline(LONGEST_LINE).removesuffix(b"\n")
    yield from _physical_lines(stream)


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _end_of_value(text: str, at: int) -> int:
    """Returns the end of the JSON value at a position; the end of the text if the value is incomplete or invalid."""
    try:
        return _DECODER.raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return len(text)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# --------------------------------------------------------------------------- files


def log_files(paths: Iterable[Path], landing: Landing | None = None) -> tuple[list[Path], list[Path]]:
    """Returns the files among files and folders, each once, in the order of their paths; of folders, only logs.

    Args:
        landing: landing zone, from which no logs are taken.

    Returns:
        The logs, and the other files of the folders, with links that lead out of these.

    Raises:
        LogPathError: when a path does not exist, or lies in the landing zone.
    """
    zone = None if landing is None or "://" in landing.root else Path(landing.root).resolve()
    files: dict[Path, Path] = {}
    passed_over: dict[Path, Path] = {}
    for path in paths:
        resolved = path.resolve()
        if not path.exists():
            raise LogPathError(f"No logs at {path}: there is no such file or folder.")
        if zone is not None and resolved.is_relative_to(zone):
            raise LogPathError(f"Nothing to land at {path}: it lies inside the landing zone {zone}.")
        if path.is_file():
            files.setdefault(resolved, path)
            continue
        inside, links = files_within(path, without=zone, unreadable=_refuse)
        for file in inside:
            (files if _is_log(file) else passed_over).setdefault(file.resolve(), file)
        passed_over.update({link: link for link in links})
    return [files[place] for place in sorted(files)], [passed_over[p] for p in sorted(passed_over) if p not in files]


def _is_log(file: Path) -> bool:
    if file.name.startswith(".") or (file.name in _OF_A_RUN and file.with_name("manifest.json").exists()):
        return False
    if _LOG_NAME.search(file.name):
        return True
    try:
        with opened(file) as stream:
            return _LOG_BEGINNING.match(stream.read(_BEGINNING_BYTES).removeprefix(codecs.BOM_UTF8)) is not None
    except (OSError, UnreadableContentError):
        # It may be a log: reading it shows its errors.
        return True


def _refuse(error: OSError) -> None:
    raise LogPathError(f"Folder {error.filename} cannot be read: {error.strerror}.") from None
