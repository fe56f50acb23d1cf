"""What a check of log files finds: kinds of problems, how often each was met, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


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
