"""Results of a check of log files: kinds of problems with their counts and places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gamestats_assets.demo_data.reference import facts

MEANINGS: Mapping[str, str] = facts("wire_problems")["meanings"]
"""Meaning of each kind of problem, in a sentence; the ones that landing refuses come first."""


@dataclass(frozen=True, slots=True)
class Example:
    """One occurrence of a problem.

    Attributes:
        file: name as given.
        line: counted from 1.
        expected, found: for people.
    """

    file: str
    line: int
    expected: str
    found: str

    def __str__(self) -> str:
        """Returns the example in one line."""
        return f"{self.file}:{self.line}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Count of a problem, with its first occurrences in `examples`."""

    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class WireReport:
    """Results of checking files.

    Attributes:
        files: number of files.
        lines: lines of all files, valid or not.
        bytes: bytes of all lines, decompressed, including their ends.
        events: lines by `#type` and event name; the name is empty for user operations, and `(others)` beyond the number
            of events that a project can have; lines that landing refuses are `(invalid)`.
        problems: by kind, in the order of `MEANINGS`; a line may have several, unless landing refuses it.
        duplicates: lines whose `#uuid` came before.
        first_time, last_time: the earliest and the latest `#time`, as written; None without any.
    """

    files: int
    lines: int
    bytes: int
    events: Mapping[tuple[str, str], int]
    problems: Mapping[str, Finding]
    first_time: str | None
    last_time: str | None

    @property
    def is_clean(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    @property
    def duplicates(self) -> int:
        """Lines whose `#uuid` came before."""
        found = self.problems.get("duplicate_uuid")
        return found.count if found else 0

    def lines_of_text(self) -> Iterator[str]:
        """Yields the report for people: the contents, then the problems."""
        times = f", {self.first_time} to {self.last_time}" if self.first_time else ""
        kinds = f"{len(self.problems)} kind{'s' if len(self.problems) > 1 else ''} of problems:"
        yield f"{self.lines:,} lines in {self.files:,} files, {self.bytes:,} bytes{times}"
        for (kind, name), count in sorted(self.events.items(), key=lambda item: (-item[1], item[0])):
            yield f"  {count:>12,}  {kind} {name}".rstrip()
        yield "No problems." if self.is_clean else kinds
        for problem, finding in self.problems.items():
            yield f"  {finding.count:>12,}  {problem}: {MEANINGS[problem]}"
            yield from (f"                {example}" for example in finding.examples)
