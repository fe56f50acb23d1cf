"""What is said of things that people enter: fields, and the kinds of their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from gamestats_assets.lakehouse import local_times
from gamestats_assets.lakehouse.errors import GamestatsError


class EntryError(GamestatsError):
    """Something entered cannot stand.

    Attributes:
        column: the part of the entry that is wrong, by its name in the table or the CSV file.
    """

    def __init__(self, message: str, column: str = "") -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    Attributes:
        type: Python's type of it.
        read: a value from a text that a person wrote; raises `ValueError` where it is none, or a `GamestatsError`.
        check: a value as it is kept, given it and the name of its field; raises `EntryError`.
        metavar: what stands for it in the help of commands.
        least: of numbers.
        words: of a few values, what people call each.
        options: of a few words, which there are.
        longest: of texts, how many characters one may have.
    """

    type: Any
    read: Callable[[str], Any]
    check: Callable[[Any, str], Any] = lambda value, name: value
    metavar: str | None = None
    least: int | None = None
    words: Mapping[str, Any] = field(default_factory=dict)
    options: Sequence[str] = ()
    longest: int = 2_000


def filled(text: str, name: str) -> str:
    """A text without blanks around it.

    Raises:
        EntryError: when nothing is left, or something in it cannot be seen.
    """
    stripped = text.strip()
    if not stripped or not stripped.isprintable():
        raise EntryError(f"{name} is empty or has characters that cannot be seen.", name)
    return stripped


def one_of(value: str, allowed: Iterable[str], name: str) -> str:
    """A value that must be one of a few.

    Raises:
        EntryError: when it is none of them.
    """
    if value not in (known := list(allowed)):
        raise EntryError(f"{value!r} is none of {', '.join(known)}.", name)
    return value


def whole(least: int, most: int | None = None, told: str = "whole number") -> Kind:
    """Whole numbers from the least to the most."""
    upto = f"to {most:,}" if most is not None else "on"

    def read(text: str) -> int:
        # A spreadsheet may write 3 as 3.0; more digits than these are no number of anything here.
        digits = text.removesuffix(".0")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 7 and int(digits) >= least):
            raise EntryError(f"{text!r} is no {told} from {least} {upto}.")
        return int(digits)

    def check(value: int, name: str) -> int:
        if value < least or (most is not None and value > most):
            raise EntryError(f"{value} is no {told} from {least} {upto}.", name)
        return value

    return Kind(int, read, check, least=least)


def choice(*words: str, **values: Any) -> Kind:
    """One of a few words; of those given by name, the value that each stands for."""
    if values:
        named = {word.replace("_", "-"): value for word, value in values.items()}
        kind = type(next(iter(values.values())))
        return Kind(kind, lambda text: named[one_of(text, named, "")], words=named, options=[*named])
    known = lambda value, name: one_of(value, words, name)  # noqa: E731
    return Kind(str, lambda text: one_of(text, words, ""), known, options=words)


def several(of: Kind, metavar: str) -> Kind:
    """Several values, written with commas between them."""

    def read(text: str) -> list[Any]:
        return [of.read(word.strip()) for word in text.split(",") if word.strip()]

    def check(values: Sequence[Any], name: str) -> list[Any]:
        found = [of.check(value, name) for value in values]
        if of.type is str and len({*found}) < len(found):
            raise EntryError(f"Something is named twice in {', '.join(found)}.", name)
        return found

    return Kind(list[of.type], read, check, metavar, longest=of.longest)


_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
TEXT = Kind(str, str, filled, longest=100)
"""Names and other short texts."""
PROSE = Kind(str, str, filled)
"""Reasons and notes."""
YES_NO = Kind(bool, lambda text: _YES_NO[one_of(text, _YES_NO, "")], options=("yes", "no"))
DAY = Kind(date, local_times.day, metavar="DAY")

Verb = Literal["add", "change", "remove"]


@dataclass(frozen=True, slots=True)
class Field:
    """Something that is said of a thing, or a part of what it is named by.

    Attributes:
        name: as programs know it.
        help: what it is, for people.
        kind: of its values.
        required: the verbs for which it must be given.
        verbs: those with which it can be given.
        lacks: whether it may be taken away: it is None then, which commands call `none`.
        default: what holds when it is not given, in words.
        column: as messages and files call it, where not by its name.
        stored: column of the table, where it is not called so; empty where no column has it as it is given.
        option: as commands call it, where not by its name.
        positional: whether commands take it without its name.
        secret: whether nobody is shown it; commands ask for it where `-` is given.
    """

    name: str
    help: str
    kind: Kind = TEXT
    required: Sequence[Verb] = ()
    verbs: Sequence[Verb] = ("add", "change")
    lacks: bool = False
    default: str = ""
    column: str = ""
    stored: str | None = None
    option: str = ""
    positional: bool = False
    secret: bool = False

    @property
    def told(self) -> str:
        """As messages and files call it."""
        return self.column or self.name

    @property
    def flag(self) -> str:
        """As commands call it where it has a name."""
        return f"--{self.option or self.name.replace('_', '-')}"

    @property
    def in_table(self) -> str:
        """Its column; empty where no column has it as it is given."""
        return self.name if self.stored is None else self.stored

    def checked(self, value: Any) -> Any:
        """A value as it is kept.

        Raises:
            EntryError: when it is none of the kind, or too long.
        """
        if value is None and self.lacks:
            return None
        if value is None:
            raise EntryError(f"{self.told} cannot be taken away.", self.told)
        for text in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(text, str) and len(text) > (longest := self.kind.longest):
                raise EntryError(
                    f"{self.told} has {len(text):,} characters; it may have at most {longest:,}.", self.told
                )
        return self.kind.check(value, self.told)
