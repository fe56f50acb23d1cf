"""What people enter, and what became of it: the words that every game's entries share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gamestats_assets.lakehouse.errors import GamestatsError

Outcome = Literal["created", "changed", "unchanged", "removed"]


class EntryError(GamestatsError):
    """Something entered cannot stand.

    Attributes:
        column: the part of the entry that is wrong, by its name in the table or the CSV file.
    """

    def __init__(self, message: str, column: str = "") -> None:
        super().__init__(message)
        self.column = column


class UnknownNameError(EntryError):
    """A name is given that nothing has, or more than one thing."""


class ExistsAlreadyError(EntryError):
    """Something is to be created that is there."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What an entry did.

    Attributes:
        kind: what sort of thing, such as `roster entry`.
        what: which one, in words.
        outcome: what was done to it.
        changes: `column: before -> after` of a change.
        notes: what the person should know.
    """

    kind: str
    what: str
    outcome: Outcome
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def line(self) -> str:
        """One line for a person."""
        return f"{self.outcome:<10}{self.what}" + (f": {'; '.join(self.changes)}" if self.changes else "")
