"""Whether log files are what ThinkingData takes: every rule of its wire format, line by line.

It knows the format and nothing of how the files were made, so that it can judge whoever made them.
Files are read as a stream. What must be compared across all lines (`#uuid`, the account of a
`#distinct_id`) goes to temporary files in pieces, so that memory does not grow with the number of lines.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import socket
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from isal import isal_zlib

from gamestats_assets.apis.thinkingdata import (
    APPENDING_TYPES,
    COMPANIONS,
    ID_CHARACTERS,
    LARGEST_NUMBER,
    LIST_ITEM_BYTES,
    LIST_ITEMS,
    MOST_EVENT_PROPERTIES,
    MOST_EVENTS,
    MOST_USER_PROPERTIES,
    NAME,
    OBJECT_KEYS,
    ROOT_KEYS,
    TEXT_BYTES,
    TRACK_TYPES,
    UNREADABLE,
    USER_TYPES,
)
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy
from gamestats_assets.lakehouse.errors import GamestatsError

if TYPE_CHECKING:
    import numpy as np

    from gamestats_assets.demo_data.logs.partitions import Partitions

EXAMPLES = 5
"""How many examples of a problem are kept."""

_KEY_RULE = "a letter or #, then up to 49 letters, digits or _"
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}").fullmatch
_TRACK_TYPES = frozenset(TRACK_TYPES)
_TYPE_NAMES = _TRACK_TYPES.union(USER_TYPES)
_ABSENT = object()
# A character has at most four bytes in UTF-8, so that shorter texts and items need not be encoded.
_SHORT_TEXT, _SHORT_ITEM = TEXT_BYTES // 4, LIST_ITEM_BYTES // 4
_CACHED_SHAPES = 4096
_RECENT_PAIRS = 100_000
_LINES_A_PIECE = 32_768
_ROWS_AT_ONCE = 1_000_000
_BUFFER = 1024 * 1024


DAMAGE: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, isal_zlib.error)  # pyright: ignore[reportAssignmentType]
"""What reading a damaged compressed file raises."""


class UnreadableLogError(GamestatsError):
    """A log file is not there or cannot be opened."""


class Problem(StrEnum):
    """What can be wrong with a line; `meaning` says it in a sentence."""

    NOT_JSON = "not_json", "The line is no JSON: cut off, empty or misspelt."
    NOT_UTF8 = "not_utf8", "The line is not in UTF-8."
    NOT_AN_OBJECT = "not_an_object", "The line is JSON, but no object."
    DAMAGED_FILE = "damaged_file", "The compressed file ends early or is damaged from here on."
    ROOT_KEY = "root_key", "A key stands beside the properties that must not; other presets belong among them."
    MISPLACED_KEY = "misplaced_key", "A key stands among the properties that must stand beside them."
    TYPE = "type", "#type is none that exists, or is spelt in another way."
    COMPANION = "companion", "A key that this #type needs is missing, or one is there that it must not have."
    NO_ID = "no_id", "Neither #account_id nor #distinct_id is there."
    ID = "id", "An id is no text, is empty, or is too long."
    OWNER = "owner", "A #distinct_id belongs to more than one account."
    EVENT_NAME = "event_name", "An event's name is not a valid one."
    TIME = "time", "#time is missing, in another format, or no time that exists."
    UUID = "uuid", "#uuid is no UUID."
    DUPLICATE_UUID = "duplicate_uuid", "A #uuid has come before."
    IP = "ip", "#ip is no address."
    PROPERTIES = "properties", "The properties are missing or no object."
    KEY = "key", "A property's name is not a valid one."
    DUPLICATE_KEY = "duplicate_key", "A key comes twice in one object, capital and small letters being the same."
    NULL = "null", "A value is null."
    NOT_FINITE = "not_finite", "A number is NaN or infinite, which JSON does not have."
    NUMBER_RANGE = "number_range", "A number is too large."
    TEXT_SIZE = "text_size", "A text is too long."
    LIST_SIZE = "list_size", "A list has too many items."
    LIST_ITEM = "list_item", "A list holds something else than texts alone or objects alone."
    LIST_ITEM_SIZE = "list_item_size", "A text in a list is too long."
    OBJECT_SIZE = "object_size", "An object has too many keys."
    OPERATION = "operation", "A value is of a type that this user operation cannot work with."
    TYPE_CHANGED = "type_changed", "A property's value is of another type than its first one."
    TOO_MANY_EVENTS = "too_many_events", "There are more kinds of events than a project can have."
    TOO_MANY_PROPERTIES = "too_many_properties", "There are more properties than a project can have."
    UNKNOWN_EVENT = "unknown_event", "The taxonomy has no such event."
    UNDECLARED_PROPERTY = "undeclared_property", "The taxonomy does not have this property here."
    DECLARED_TYPE = "declared_type", "A property's value is of another type than the taxonomy says."

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Problem:
        """A member with its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


@dataclass(frozen=True, slots=True)
class Example:
    """One place where a problem stands.

    Attributes:
        file: as it was given.
        line: counted from 1.
        expected, found: for people.
    """

    file: str
    line: int
    expected: str
    found: str

    def __str__(self) -> str:
        """The example in one line."""
        return f"{self.file}:{self.line}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Finding:
    """How often a problem was met: `count` times, the first of them in `examples`."""

    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class WireReport:
    """What was found in some files.

    Attributes:
        files: how many.
        lines: of all files, whatever is wrong with them.
        bytes: of all lines, decompressed, their ends included.
        events: lines by `#type` and event name; the name is empty for user operations, and `(others)` beyond the
            number of events that a project can have.
        problems: by kind, in the order of `Problem`; a line may have several.
        duplicates: lines whose `#uuid` has come before.
        first_time, last_time: the earliest and the latest `#time`, as written; None without any.
    """

    files: int
    lines: int
    bytes: int
    events: Mapping[tuple[str, str], int]
    problems: Mapping[Problem, Finding]
    first_time: str | None
    last_time: str | None

    @property
    def is_clean(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.problems

    @property
    def duplicates(self) -> int:
        """Lines whose `#uuid` has come before."""
        found = self.problems.get(Problem.DUPLICATE_UUID)
        return found.count if found else 0

    def lines_of_text(self) -> Iterator[str]:
        """The report for people: what is there, then what is wrong with it."""
        times = f", {self.first_time} to {self.last_time}" if self.first_time else ""
        kinds = f"{len(self.problems)} kind{'s' if len(self.problems) > 1 else ''} of problems:"
        yield f"{self.lines:,} lines in {self.files:,} files, {self.bytes:,} bytes{times}"
        for (kind, name), count in sorted(self.events.items(), key=lambda item: (-item[1], item[0])):
            yield f"  {count:>12,}  {kind} {name}".rstrip()
        yield "No problems." if self.is_clean else kinds
        for problem, finding in self.problems.items():
            yield f"  {finding.count:>12,}  {problem}: {problem.meaning}"
            yield from (f"                {example}" for example in finding.examples)


def open_log(path: Path) -> io.BufferedReader[Any]:
    """The decompressed bytes of a log file, plain or gzip, which is told by its first bytes, not its name.

    Reading raises one of `DAMAGE` where the compressed bytes end early or are damaged.

    Raises:
        UnreadableLogError: when it cannot be opened.
    """
    from isal import igzip

    try:
        file = io.BufferedReader(io.FileIO(path), _BUFFER)
        if file.peek(2)[:2] != b"\x1f\x8b":
            return file
        file.close()
        return io.BufferedReader(igzip.IGzipFile(path, "rb"), _BUFFER)
    except OSError as error:
        raise UnreadableLogError(f"Expected a log file at {path}; it cannot be opened: {error.strerror}.") from None


def check_files(paths: Sequence[Path], *, taxonomy: Taxonomy | None = None) -> WireReport:
    """Every problem of some log files, counted, with examples.

    The files are one stream, in this order: what comes first fixes the type of a property. A property whose
    first value is a text in the format of a time holds times from then on.

    Args:
        paths: plain or gzip files of one JSON object per line.
        taxonomy: where given, events and properties must be declared in it and have its types. Presets
            (names that start with #) need no declaration.

    Raises:
        UnreadableLogError: when a file cannot be opened. Damage within a file is a problem, not an error.
    """
    check = _Check(taxonomy)
    for path in paths:
        with open_log(path) as file:
            check.file(str(path), file)
    return check.report()


# --------------------------------------------------------------------------- properties


class _Slot:
    """What is known of one property: its type once fixed, and what its objects hold."""

    __slots__ = ("declared", "inside", "kind", "name")

    def __init__(self, name: str, declared: Property | None = None) -> None:
        self.name = name
        self.declared = declared is not None
        self.kind = declared.type if declared else None
        self.inside: _Scope | None = None
        if declared and declared.properties:
            slots = {found.name.lower(): _Slot(f"{name}.{found.name}", found) for found in declared.properties}
            self.inside = _Scope(slots, frozenset(slots), parent=f"{name}.")


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a set of property names was judged: what is known of each, and what is wrong with the names."""

    slots: tuple[_Slot, ...]
    problems: tuple[tuple[Problem, str, str], ...]


class _Scope:
    """Names that may stand together: of events, of one event, of users, or within an object.

    Args:
        slots: by name in small letters; shared between the events.
        allowed: names in small letters that are declared; None allows all.
        most: how many names there may be.
        parent: dotted name of the object with a dot; empty beside it.
    """

    def __init__(
        self, slots: dict[str, _Slot], allowed: frozenset[str] | None, *, most: int = 1000, parent: str = ""
    ) -> None:
        self._slots = slots
        self._allowed = allowed
        self._most = most
        self._parent = parent
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def shape(self, names: tuple[str, ...]) -> _Shape:
        shape = self._shapes.get(names)
        if shape is None:
            if len(self._shapes) >= _CACHED_SHAPES:
                self._shapes.clear()
            shape = self._shapes[names] = self._judged(names)
        return shape

    def _judged(self, names: tuple[str, ...]) -> _Shape:
        slots: list[_Slot] = []
        problems: list[tuple[Problem, str, str]] = []
        seen: dict[str, str] = {}
        for name in names:
            small = name.lower()
            if small in seen:
                problems.append((Problem.DUPLICATE_KEY, "a key once", f"{seen[small]!r} and {name!r}"))
            seen[small] = name
            slots.append(self._slot(name, small, problems))
        return _Shape(tuple(slots), tuple(problems))

    def _slot(self, name: str, small: str, problems: list[tuple[Problem, str, str]]) -> _Slot:
        dotted = f"{self._parent}{name}"
        if not NAME.fullmatch(name):
            problems.append((Problem.KEY, _KEY_RULE, _shown(dotted)))
            return _Slot(dotted)
        if not self._parent and name in ROOT_KEYS:
            problems.append((Problem.MISPLACED_KEY, f"{name} beside the properties", "it among them"))
        elif self._allowed is not None and small not in self._allowed and not name.startswith("#"):
            problems.append((Problem.UNDECLARED_PROPERTY, "a property of the taxonomy", dotted))
        slot = self._slots.get(small)
        if slot is None:
            slot = _Slot(dotted)
            if len(self._slots) < self._most:
                self._slots[small] = slot
            elif not self._parent:
                problems.append((Problem.TOO_MANY_PROPERTIES, f"at most {self._most} properties", f"also {name}"))
        return slot


def _scopes(taxonomy: Taxonomy | None) -> tuple[dict[str, _Scope], _Scope, _Scope]:
    """By event, for events that are not in the taxonomy, and for users."""
    if taxonomy is None:
        return {}, _Scope({}, None, most=MOST_EVENT_PROPERTIES), _Scope({}, None, most=MOST_USER_PROPERTIES)
    of_events = (*taxonomy.common_properties, *(p for event in taxonomy.events for p in event.properties))
    slots = {name: _Slot(found.name, found) for name, found in _merged(of_events).items()}
    by_event = {
        event.name: _Scope(slots, _names(*taxonomy.common_properties, *event.properties), most=MOST_EVENT_PROPERTIES)
        for event in taxonomy.events
    }
    of_users = {name: _Slot(found.name, found) for name, found in _merged(taxonomy.user_properties).items()}
    users = _Scope(of_users, _names(*taxonomy.user_properties), most=MOST_USER_PROPERTIES)
    return by_event, _Scope(slots, None, most=MOST_EVENT_PROPERTIES), users


def _merged(properties: tuple[Property, ...]) -> dict[str, Property]:
    """By name in small letters; what several declarations of one object nest is nested in it together."""
    merged: dict[str, Property] = {}
    for found in properties:
        name = found.name.lower()
        if (known := merged.get(name)) is not None:
            nested = _merged((*known.properties, *found.properties))
            found = known.model_copy(update={"properties": tuple(nested.values())})
        merged[name] = found
    return merged


def _names(*properties: Property) -> frozenset[str]:
    return frozenset(found.name.lower() for found in properties)


# --------------------------------------------------------------------------- what is compared across lines


def _ledger() -> Partitions:
    """Rows of three 64-bit numbers, the last of them the line."""
    import numpy as np

    from gamestats_assets.demo_data.logs.partitions import Partitions

    return Partitions((np.uint64, 3))


def _note(ledger: Partitions, first: np.ndarray, second: np.ndarray, lines: list[int]) -> None:
    import numpy as np

    ledger.add(np.stack((first, second, np.array(lines, dtype=np.uint64)), axis=1), first)


def _heads(starts: np.ndarray) -> np.ndarray:
    """By row, the position of the first row of its group, from where groups start."""
    import numpy as np

    return np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))


def _repeated(rows: np.ndarray) -> np.ndarray:
    """Pairs of line and earlier line with the same two numbers."""
    import numpy as np

    rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
    starts = np.append(True, (rows[1:, :2] != rows[:-1, :2]).any(axis=1))
    return np.stack((rows[:, 2], rows[_heads(starts), 2]), axis=1)[~starts]


def _second_owners(rows: np.ndarray) -> np.ndarray:
    """Pairs of line and earlier line with the same first number and another second, once for each other one."""
    import numpy as np

    rows = rows[np.lexsort((rows[:, 2], rows[:, 0]))]
    starts = np.append(True, rows[1:, 0] != rows[:-1, 0])
    head = rows[_heads(starts)]
    strange = rows[:, 1] != head[:, 1]
    rows, head = rows[strange], head[strange]
    _, once = np.unique(rows[:, :2], axis=0, return_index=True)
    return np.stack((rows[once, 2], head[once, 2]), axis=1)


# --------------------------------------------------------------------------- lines


class _Check:
    def __init__(self, taxonomy: Taxonomy | None) -> None:
        self._event_scopes, self._other_events, self._users = _scopes(taxonomy)
        self._knows_events = taxonomy is not None
        self._decode = msgspec.json.Decoder().decode
        self._counts: Counter[Problem] = Counter()
        self._examples: dict[Problem, list[Example]] = {}
        self._events: Counter[tuple[str, str]] = Counter()
        self._event_names: set[str] = set()
        self._roots: dict[tuple[str, ...], tuple[tuple[Problem, str, str], ...]] = {}
        self._first_time, self._last_time = "~", ""
        self._bytes = 0
        self._line = 0  # of all files
        self._files: list[str] = []
        self._starts: list[int] = []
        self._keys = 0
        self._uuids: list[str] = []
        self._uuid_lines: list[int] = []
        self._uuid_ledger = _ledger()
        self._pairs: set[tuple[str, str]] = set()
        self._owned: list[tuple[int, int]] = []
        self._owned_lines: list[int] = []
        self._owner_ledger = _ledger()

    def file(self, name: str, lines: io.BufferedReader) -> None:
        self._files.append(name)
        self._starts.append(self._line)
        try:
            for raw in lines:
                self._line += 1
                self._bytes += len(raw)
                self._check(raw)
                if not self._line % _LINES_A_PIECE:
                    self._settle()
        except DAMAGE as error:
            self._at(self._line + 1, Problem.DAMAGED_FILE, "the rest of the file", str(error))
        self._settle()

    def report(self) -> WireReport:
        self._compare(self._uuid_ledger, _repeated, Problem.DUPLICATE_UUID, "another #uuid than that of {}", "the same")
        self._compare(
            self._owner_ledger, _second_owners, Problem.OWNER, "the account that its #distinct_id has in {}", "another"
        )
        return WireReport(
            files=len(self._files),
            lines=self._line,
            bytes=self._bytes,
            events=dict(sorted(self._events.items())),
            problems={
                problem: Finding(self._counts[problem], tuple(self._examples[problem]))
                for problem in Problem
                if self._counts[problem]
            },
            first_time=self._first_time if self._last_time else None,
            last_time=self._last_time or None,
        )

    # -- telling

    def _problem(self, problem: Problem, expected: str, found: str) -> None:
        self._at(self._line, problem, expected, found)

    def _at(self, line: int, problem: Problem, expected: str, found: str) -> None:
        self._counts[problem] += 1
        examples = self._examples.setdefault(problem, [])
        if len(examples) < EXAMPLES:
            examples.append(Example(*self._place(line), expected, found))

    def _place(self, line: int) -> tuple[str, int]:
        # A line is looked for among the files that start before it; empty ones start where the next does.
        at = bisect_right(self._starts, line - 1) - 1
        return self._files[at], line - self._starts[at]

    # -- across lines

    def _settle(self) -> None:
        """What is to be compared across lines goes to the ledgers."""
        import numpy as np

        if self._uuids:
            packed = bytes.fromhex("".join(self._uuids).replace("-", ""))
            numbers = np.frombuffer(packed, dtype=np.uint64).reshape(-1, 2)
            _note(self._uuid_ledger, numbers[:, 0], numbers[:, 1], self._uuid_lines)
            self._uuids.clear()
            self._uuid_lines.clear()
        if self._owned:
            numbers = np.array(self._owned, dtype=np.int64).view(np.uint64)
            _note(self._owner_ledger, numbers[:, 0], numbers[:, 1], self._owned_lines)
            self._owned.clear()
            self._owned_lines.clear()

    def _compare(
        self,
        ledger: Partitions,
        compare: Callable[[np.ndarray], np.ndarray],
        problem: Problem,
        expected: str,
        found: str,
    ) -> None:
        first: list[list[int]] = []
        count = 0
        for rows in ledger.taken(at_least=_ROWS_AT_ONCE):
            pairs = compare(rows)
            count += len(pairs)
            first = sorted([*first, *pairs[pairs[:, 0].argsort()][:EXAMPLES].tolist()])[:EXAMPLES]
        for line, earlier in first:
            file, number = self._place(earlier)
            self._at(line, problem, expected.format(f"{file}:{number}"), found)
        self._counts[problem] += count - len(first)

    # -- one line

    def _check(self, raw: bytes) -> None:
        try:
            record = self._decode(raw)
        except UNREADABLE as error:
            self._undecodable(raw, error)
            return
        if record.__class__ is not dict:
            self._problem(Problem.NOT_AN_OBJECT, "a JSON object", _shown(record))
            return
        kind = record.get("#type")
        if kind.__class__ is not str:
            kind = ""
        shape = (kind, *record)
        problems = self._roots.get(shape)
        if problems is None:
            problems = self._judged_root(kind, shape)
        for problem in problems:
            self._problem(*problem)
        self._root(record)
        name = ""
        if kind in _TRACK_TYPES:
            if "#event_name" in record:
                name = self._event(record["#event_name"])
            if kind != "track":
                self._id(record, "#event_id")
                self._id(record, "#first_check_id")
        self._events[kind if kind in _TYPE_NAMES else "(unknown)", name] += 1
        self._keys = len(record)
        properties = record.get("properties", _ABSENT)
        if properties.__class__ is dict:
            self._properties(kind, name, properties)
        elif kind != "user_del" or properties is not _ABSENT:
            self._problem(Problem.PROPERTIES, "an object of properties", _shown(properties))
        # A key that comes twice is decoded once; whatever makes the numbers differ is looked at closely,
        # and so is white space before a colon, which would hide one.
        if raw.count(b'":') != self._keys or b" :" in raw or b"\t" in raw or b"\r:" in raw:
            self._look_for_twins(raw)

    def _undecodable(self, raw: bytes, error: Exception) -> None:
        if isinstance(error, UnicodeDecodeError):
            self._problem(Problem.NOT_UTF8, "UTF-8", str(error))
            return
        # A laxer reader tells what it is that the strict one does not take.
        constants: list[str] = []
        numbers: list[str] = []
        try:
            json.loads(raw, parse_constant=constants.append, parse_float=numbers.append)
        except (ValueError, RecursionError):
            constants, numbers = [], []
        too_large = [number for number in numbers if math.isinf(float(number))]
        if constants:
            self._problem(Problem.NOT_FINITE, "a finite number", constants[0])
        elif too_large:
            self._problem(Problem.NUMBER_RANGE, f"a number within {LARGEST_NUMBER:.0e}", too_large[0])
        else:
            self._problem(Problem.NOT_JSON, "a JSON object", f"{_shown(raw[:60])}: {error}")

    def _judged_root(self, kind: str, shape: tuple[str, ...]) -> tuple[tuple[Problem, str, str], ...]:
        """What is wrong with the keys of a record; kept, for most records have the same ones."""
        problems: list[tuple[Problem, str, str]] = []
        keys = shape[1:]
        if kind not in _TYPE_NAMES:
            expected = f"#type to be one of {', '.join(sorted(_TYPE_NAMES))}"
            problems.append((Problem.TYPE, expected, _shown(kind) if kind else "no text"))
        for key in keys:
            if key not in ROOT_KEYS:
                problems.append((Problem.ROOT_KEY, "it among the properties", _shown(key)))
        if "#account_id" not in keys and "#distinct_id" not in keys:
            problems.append((Problem.NO_ID, "#account_id or #distinct_id", "neither"))
        for companion, kinds in COMPANIONS.items():
            if kind in kinds and companion not in keys:
                problems.append((Problem.COMPANION, f"{companion} with {kind}", "none"))
            elif kind in _TYPE_NAMES and kind not in kinds and companion in keys:
                problems.append((Problem.COMPANION, f"no {companion} with {kind}", "one"))
        if len(self._roots) >= _CACHED_SHAPES:
            self._roots.clear()
        self._roots[shape] = tuple(problems)
        return self._roots[shape]

    def _root(self, record: dict[str, Any]) -> None:
        account, distinct = record.get("#account_id"), record.get("#distinct_id")
        if isinstance(account, str) and isinstance(distinct, str) and (distinct, account) not in self._pairs:
            self._own(distinct, account)
        for key, value in (("#account_id", account), ("#distinct_id", distinct)):
            if not isinstance(value, str) or not 0 < len(value) <= ID_CHARACTERS:
                self._id(record, key)
        time = record.get("#time")
        if isinstance(time, str) and _TIME(time) and _is_day(time[:10]):
            if time < self._first_time:
                self._first_time = time
            if time > self._last_time:
                self._last_time = time
        else:
            self._problem(Problem.TIME, "#time as yyyy-MM-dd HH:mm:ss.SSS", _shown(record.get("#time", _ABSENT)))
        uuid = record.get("#uuid")
        if isinstance(uuid, str) and _UUID(uuid):
            self._uuids.append(uuid)
            self._uuid_lines.append(self._line)
        elif "#uuid" in record:
            self._problem(Problem.UUID, "#uuid as 8-4-4-4-12 hexadecimal digits", _shown(uuid))
        ip = record.get("#ip")
        if not (isinstance(ip, str) and _is_address(ip)) and "#ip" in record:
            self._problem(Problem.IP, "#ip to be an IPv4 or IPv6 address", _shown(ip))

    def _id(self, record: dict[str, Any], key: str) -> None:
        value = record.get(key, "")
        if key not in record or (isinstance(value, str) and 0 < len(value) <= ID_CHARACTERS):
            return
        found = f"{len(value)} characters" if isinstance(value, str) else _shown(value)
        self._problem(Problem.ID, f"{key} to be a text of 1 to {ID_CHARACTERS} characters", found)

    def _own(self, distinct: str, account: str) -> None:
        if len(self._pairs) >= _RECENT_PAIRS:
            self._pairs.clear()
        self._pairs.add((distinct, account))
        self._owned.append((hash(distinct), hash(account)))
        self._owned_lines.append(self._line)

    def _event(self, name: object) -> str:
        """The event's name as it is counted."""
        if not isinstance(name, str) or (name not in self._event_names and not NAME.fullmatch(name)):
            self._problem(Problem.EVENT_NAME, _KEY_RULE, _shown(name))
            return "(invalid)"
        if self._knows_events and name not in self._event_scopes:
            self._problem(Problem.UNKNOWN_EVENT, "an event of the taxonomy", name)
        if name not in self._event_names:
            if len(self._event_names) >= MOST_EVENTS:
                self._problem(Problem.TOO_MANY_EVENTS, f"at most {MOST_EVENTS} kinds of events", f"also {name}")
                return "(others)"
            self._event_names.add(name)
        return name

    def _look_for_twins(self, raw: bytes) -> None:
        def looked_at(pairs: list[tuple[str, object]]) -> None:
            for key, count in Counter(key for key, _ in pairs).items():
                if count > 1:
                    self._problem(Problem.DUPLICATE_KEY, "a key once", f"{_shown(key)} {count} times")

        json.loads(raw, object_pairs_hook=looked_at)

    # -- properties

    def _properties(self, kind: str, name: str, properties: dict[str, Any]) -> None:
        scope = self._users if kind.startswith("user_") else self._event_scopes.get(name, self._other_events)
        shape = scope.shape(tuple(properties))
        self._keys += len(properties)
        for problem in shape.problems:
            self._problem(*problem)
        if kind == "user_unset":
            # Whatever value stands there, only the name counts, and no type is fixed.
            shape = _Shape(tuple(map(_Slot, properties)), ())
        self._values(properties, shape)
        if kind == "user_add":
            self._operable(kind, properties, (int, float), "numbers")
        elif kind in APPENDING_TYPES:
            self._operable(kind, properties, (list,), "lists")

    def _operable(self, kind: str, properties: dict[str, Any], types: tuple[type, ...], what: str) -> None:
        for name, value in properties.items():
            if value.__class__ not in types and value is not None:
                self._problem(Problem.OPERATION, f"{what} with {kind}", f"{_shown(name)} = {_shown(value)}")

    def _values(self, content: dict[str, Any], shape: _Shape) -> None:
        # What most values are is seen here, everything else in _value: this is where the time goes.
        for value, slot in zip(content.values(), shape.slots):  # noqa: B905
            type_ = value.__class__
            if type_ is str:
                if slot.kind is _STRING and len(value) <= _SHORT_TEXT:
                    continue
            elif type_ is int or type_ is float:
                if slot.kind is _NUMBER and -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
                    continue
            elif type_ is bool and slot.kind is _BOOLEAN:
                continue
            self._value(slot, value)

    def _value(self, slot: _Slot, value: Any) -> None:
        if value is None:
            self._problem(Problem.NULL, f"{slot.name} to have a value", "null")
            return
        found = _type_of(value)
        if slot.kind is None:
            slot.kind = found
        elif found is not slot.kind and not _fits(slot.kind, found):
            problem = Problem.DECLARED_TYPE if slot.declared else Problem.TYPE_CHANGED
            self._problem(problem, f"{slot.name} to be of type {slot.kind}", _shown(value))
        if isinstance(value, str):
            if len(value) > _SHORT_TEXT and (size := len(value.encode())) > TEXT_BYTES:
                self._problem(Problem.TEXT_SIZE, f"{slot.name} to have at most {TEXT_BYTES} bytes", f"{size} bytes")
        elif isinstance(value, dict):
            self._object(slot, value)
        elif isinstance(value, list):
            self._list(slot, value)
        elif not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            self._problem(Problem.NUMBER_RANGE, f"{slot.name} within {LARGEST_NUMBER:.0e}", _shown(value))

    def _list(self, slot: _Slot, items: list[Any]) -> None:
        if len(items) > LIST_ITEMS:
            self._problem(Problem.LIST_SIZE, f"{slot.name} to have at most {LIST_ITEMS} items", f"{len(items)} items")
        if set(map(type, items)) == {dict}:
            for item in items:
                self._object(slot, item)
            return
        for item in items:
            if item is None:
                self._problem(Problem.NULL, f"{slot.name} to have a value", "null")
            elif not isinstance(item, str):
                self._keys += _keys_within(item)
                self._problem(Problem.LIST_ITEM, f"texts alone, or objects alone, in {slot.name}", _shown(item))
            elif len(item) > _SHORT_ITEM and (size := len(item.encode())) > LIST_ITEM_BYTES:
                self._problem(
                    Problem.LIST_ITEM_SIZE, f"items of at most {LIST_ITEM_BYTES} bytes in {slot.name}", f"{size} bytes"
                )

    def _object(self, slot: _Slot, content: dict[str, Any]) -> None:
        self._keys += len(content)
        if len(content) > OBJECT_KEYS:
            self._problem(
                Problem.OBJECT_SIZE, f"{slot.name} to have at most {OBJECT_KEYS} keys", f"{len(content)} keys"
            )
        if slot.inside is None:
            slot.inside = _Scope({}, None, parent=f"{slot.name}.")
        shape = slot.inside.shape(tuple(content))
        for problem in shape.problems:
            self._problem(*problem)
        self._values(content, shape)


_STRING, _NUMBER, _BOOLEAN = PropertyType.STRING, PropertyType.NUMBER, PropertyType.BOOLEAN
_TYPES = {bool: _BOOLEAN, int: _NUMBER, float: _NUMBER, dict: PropertyType.OBJECT}


def _type_of(value: Any) -> PropertyType | None:
    """The type of a value; None for an empty list, which may be of texts or of objects."""
    if isinstance(value, list):
        if not value:
            return None
        return PropertyType.OBJECT_GROUP if isinstance(value[0], dict) else PropertyType.LIST
    if isinstance(value, str):
        return PropertyType.TIME if _is_time(value) else _STRING
    return _TYPES[value.__class__]


def _fits(fixed: PropertyType, found: PropertyType | None) -> bool:
    """Whether a value of another type may stand there: a text may look like a time, and a list be empty."""
    if found is None:
        return fixed in (PropertyType.LIST, PropertyType.OBJECT_GROUP)
    return fixed is _STRING and found is PropertyType.TIME


def _is_time(text: str) -> bool:
    """Whether a text is in the format of a time, with or without milliseconds."""
    if len(text) == 19:
        text += ".000"
    return len(text) == 23 and _TIME(text) is not None and _is_day(text[:10])


@lru_cache(maxsize=4096)
def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=65536)
def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def _keys_within(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_keys_within, value.values()))
    return sum(map(_keys_within, value)) if isinstance(value, list) else 0


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "none"
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
