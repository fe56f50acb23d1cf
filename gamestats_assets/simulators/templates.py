"""Templates of a game's documents: JSON and CSV files under `data/templates/<game>`, and a function that fills them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from gamestats_assets.settings import shipped, shipped_rows


@cache
def template(game: str, name: str) -> dict[str, Any]:
    """Returns the template `<name>.json` of a game, with every key that its documents can have."""
    return json.loads(shipped("data", "templates", game, f"{name}.json").read_text("utf-8"))


def rows(game: str, name: str) -> list[dict[str, str]]:
    """Returns the lines of `<name>.csv` of a game."""
    return shipped_rows("data", "templates", game, f"{name}.csv")


def filled(document: Any, values: Mapping[str, Any]) -> Any:
    """Returns a template with values for its `$names`, at any depth.

    A key whose value is None is left out, and so is one whose parts are all None.

    >>> filled({"id": "$number", "at": {"x": "$x", "y": 0}, "of": {"who": "$who"}}, {"number": 1, "x": 5, "who": None})
    {'id': 1, 'at': {'x': 5, 'y': 0}}
    """
    if isinstance(document, dict):
        found = {key: filled(each, values) for key, each in document.items()}
        return {key: each for key, each in found.items() if each is not None and (each != {} or document[key] == {})}
    if isinstance(document, list):
        return [filled(each, values) for each in document]
    return values[document[1:]] if isinstance(document, str) and document.startswith("$") else document
