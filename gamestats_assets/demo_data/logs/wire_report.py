"""What a check of log files finds: kinds of problems, how often each was met, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Problem(StrEnum):
    """What can be wrong with a line, what landing would refuse first; `meaning` says it in a sentence."""

    JSON = "json", "The line is no JSON object: cut off, empty, misspelt, not in UTF-8, or with a number that is none."
    NUL_CHARACTER = "nul_character", "A text holds the character U+0000."
    RECORD_SHAPE = "record_shape", "The line is no object, or one of its keys is of another type than the format's."
    TYPE = "type", "#type is none that exists, or is spelt in another way."
    ID = "id", "An id is missing or too long."
    TIME = "time", "#time is missing, in another format, or no time that exists."
    ZONE_OFFSET = "zone_offset", "#zone_offset is no number of hours that exists."
    EVENT_NAME = "event_name", "An event's name is missing or not a valid one."
    EVENT_ID = "event_id", "#event_id is missing, which this #type needs."
    FIRST_CHECK_ID = "first_check_id", "#first_check_id is missing, which this #type needs."
    OPERATION = "operation", "A value is of a type that this user operation cannot work with."
    PROPERTY_NAME = "property_name", "A property's name is not a valid one."
    PROPERTY_VALUE = "property_value", "A value is too large, or has too many items, keys or levels."
    DAMAGED_FILE = "damaged_file", "The compressed file ends early or is damaged from here on."
    ROOT_KEY = "root_key", "A key stands beside the properties that must not; other presets belong among them."
    MISPLACED_KEY = "misplaced_key", "A key stands among the properties that must stand beside them."
    COMPANION = "companion", "A key is there that this #type must not have."
    OWNER = "owner", "A #distinct_id belongs to more than one account."
    UUID = "uuid", "#uuid is no UUID."
    DUPLICATE_UUID = "duplicate_uuid", "A #uuid has come before."
    IP = "ip", "#ip is no address."
    PROPERTIES = "properties", "The properties are missing."
    DUPLICATE_KEY = "duplicate_key", "A key comes twice in one object, capital and small letters being the same."
    NULL = "null", "A value is null."
    LIST_ITEM = "list_item", "A list holds something else than texts alone or objects alone."
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
            number of events that a project can have; lines that landing would refuse are `(invalid)`.
        problems: by kind, in the order of `Problem`; a line may have several, unless landing would refuse it.
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
