"""Reference files of demo data in `data/reference/demo_data`: words, figures and facts, kept as data rather than
code."""

from __future__ import annotations

import functools
from typing import Any

from gamestats_assets.settings import shipped_facts, shipped_rows

_FOLDER = ("data", "reference", "demo_data")


@functools.cache
def facts(name: str) -> dict[str, Any]:
    """Returns the contents of `<name>.toml`."""
    return shipped_facts(*_FOLDER, f"{name}.toml")


def rows(name: str) -> list[dict[str, str]]:
    """Returns the lines of `<name>.csv`, each with its cells by column."""
    return shipped_rows(*_FOLDER, f"{name}.csv")
