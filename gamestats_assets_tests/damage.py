"""Documents of JSON with one thing in them damaged."""

from __future__ import annotations

import copy
from typing import Any

Place = tuple[Any, ...]
"""Keys and numbers that lead to a value."""
DROP = "drop"
"""Damage that takes a value out."""


def places(value: Any, path: Place = ()) -> list[Place]:
    """Where in a document a value stands, each before what is within it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, part in inner for place in ((*path, key), *places(part, (*path, key)))]


def damaged(document: Any, place: Place, garbage: Any) -> Any:
    """A copy of a document with something else at a place, or nothing."""
    document = copy.deepcopy(document)
    *parents, last = place
    holder = document
    for step in parents:
        holder = holder[step]
    if garbage == DROP:
        del holder[last]
    else:
        holder[last] = garbage
    return document
