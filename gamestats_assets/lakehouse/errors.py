"""The base of all errors that gamestats raises on purpose.

Each subclass is defined in the module that raises it. A message says what was expected, what was found, where, and what
to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class GamestatsError(Exception):
    """An expected failure with a message for the person who encounters it."""


def violations(error: ValidationError) -> list[str]:
    """The problems of user input, one line per field."""
    lines: list[str] = []
    for found in error.errors(include_url=False):
        place = ".".join(map(str, found["loc"]))
        message = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            message = "there is no field of this name"
        lines.append(f"{place}: {message}" if place else message)
    return lines
