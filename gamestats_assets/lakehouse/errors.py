"""The root of every error gamestats raises on purpose.

Each subclass lives in the module that raises it. A message says what was
expected, what was found, where, and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class GamestatsError(Exception):
    """An expected failure with a message meant for the person who meets it."""


def violations(error: ValidationError) -> list[str]:
    """What is wrong with what somebody wrote, a line for each field."""
    lines: list[str] = []
    for found in error.errors(include_url=False):
        place = ".".join(map(str, found["loc"]))
        said = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            said = "there is no field of this name"
        lines.append(f"{place}: {said}" if place else said)
    return lines
