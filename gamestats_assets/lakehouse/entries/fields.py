"""Fields of the things that people enter, and the kinds of their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from gamestats_assets.lakehouse.entries import local_times
from gamestats_assets.lakehouse.errors import GamestatsError


class EntryError(GamestatsError):
    """An entry is invalid.

    Attributes:
        column: the invalid part, by its name in the table or the CSV file.
    """

    def __init__(self, message: str, column: str = "") -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    Attributes:
        type: its Python type.
        read: parses a text that a person wrote; raises `ValueError` or a `GamestatsError` if it is invalid.
        check: validates a value, given with the name of its field, and returns it as stored; raises `EntryError`.
        metavar: placeholder in the help of commands.
        least: least value of a number.
        words: for a few values, what people call each.
        options: for a few words, all of them.
        longest: most characters of a text.
    """

    type: Any
    read: Callable[[str], Any]
    check: Callable[[Any, str], Any] = lambda value, name: value
    metavar: str | None = None
    least: int | None = None
    words: Mapping[str, Any] = field(default_factory=dict)
    options: Sequence[str] = ()
    longest: int = 2_000


def visible_text(text: str, name: str) -> str:
    """Strips a text.

    Raises:
        EntryError: if it is empty or contains invisible characters.
    """
    stripped = text.strip()
    if not stripped or not stripped.isprintable():
        raise EntryError(f"{name} is empty or has characters that cannot be seen.", name)
    return stripped


def require_one_of(value: str, allowed: Iterable[str], name: str) -> str:
    """Returns a value that must be one of a few.

    Raises:
        EntryError: if it is not.
    """
    if value not in (known := list(allowed)):
        raise EntryError(f"{value!r} is none of {', '.join(known)}.", name)
    return value


def whole_number(least: int, most: int | None = None, noun: str = "whole number") -> Kind:
    """Whole numbers from the least to the most."""
    upto = f"to {most:,}" if most is not None else "on"

    def read(text: str) -> int:
        # A spreadsheet may write 3 as 3.0. Nothing here has numbers with more digits than these.
        digits = text.removesuffix(".0")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 7 and int(digits) >= least):
            raise EntryError(f"{text!r} is no {noun} from {least} {upto}.")
        return int(digits)

    def check(value: int, name: str) -> int:
        if value < least or (most is not None and value > most):
            raise EntryError(f"{value} is no {noun} from {least} {upto}.", name)
        return value

    return Kind(int, read, check, least=least)


def choice(*words: str, **values: Any) -> Kind:
    """One of a few words, or of a few named values."""
    if values:
        named = {word.replace("_", "-"): value for word, value in values.items()}
        kind = type(next(iter(values.values())))
        return Kind(kind, lambda text: named[require_one_of(text, named, "")], words=named, options=[*named])
    check = lambda value, name: require_one_of(value, words, name)  # noqa: E731
    return Kind(str, lambda text: require_one_of(text, words, ""), check, options=words)


def several(item: Kind, metavar: str) -> Kind:
    """Several values, separated by commas."""

    def read(text: str) -> list[Any]:
        return [item.read(word.strip()) for word in text.split(",") if word.strip()]

    def check(values: Sequence[Any], name: str) -> list[Any]:
        checked = [item.check(value, name) for value in values]
        if item.type is str and len({*checked}) < len(checked):
            raise EntryError(f"Something is named twice in {', '.join(checked)}.", name)
        return checked

    return Kind(list[item.type], read, check, metavar, longest=item.longest)


_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
TEXT = Kind(str, str, visible_text, longest=100)
"""Names and other short texts."""
PROSE = Kind(str, str, visible_text)
"""Reasons and notes."""
YES_NO = Kind(bool, lambda text: _YES_NO[require_one_of(text, _YES_NO, "")], options=("yes", "no"))
DAY = Kind(date, local_times.day, metavar="DAY")

Verb = Literal["add", "change", "remove"]


@dataclass(frozen=True, slots=True)
class Field:
    """A property of a thing, or a part of its name.

    Attributes:
        name: name in programs.
        help: explanation for people.
        kind: kind of its values.
        required: the verbs that require it.
        verbs: the verbs that accept it.
        lacks: whether it may be removed: it is None then, which commands call `none`.
        default: the default, in words.
        column: name in messages and files, if it differs.
        stored: column of the table, if its name differs; empty if no column contains the value as given.
        option: name in commands, if it differs.
        positional: whether commands take it without its name.
        secret: whether it is never shown; commands prompt for it if `-` is given.
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
    def label(self) -> str:
        """Its name in messages and files."""
        return self.column or self.name

    @property
    def flag(self) -> str:
        """Its option in commands."""
        return f"--{self.option or self.name.replace('_', '-')}"

    @property
    def in_table(self) -> str:
        """Its column in the table; empty if no column contains the value as given."""
        return self.name if self.stored is None else self.stored

    def checked(self, value: Any) -> Any:
        """Validates a value and returns it as stored.

        Raises:
            EntryError: if it is not of the kind or too long.
        """
        if value is None and self.lacks:
            return None
        if value is None:
            raise EntryError(f"{self.label} cannot be taken away.", self.label)
        for text in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(text, str) and len(text) > (longest := self.kind.longest):
                raise EntryError(
                    f"{self.label} has {len(text):,} characters; it may have at most {longest:,}.", self.label
                )
        return self.kind.check(value, self.label)
