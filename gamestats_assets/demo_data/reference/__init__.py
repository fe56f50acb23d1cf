"""Reference files of demo data, `data/reference/demo_data`: words, figures and facts that are data and no code."""

from __future__ import annotations

import functools
from typing import Any

from gamestats_assets.settings import shipped_facts, shipped_rows

_FOLDER = ("data", "reference", "demo_data")


@functools.cache
def facts(name: str) -> dict[str, Any]:
    """What `<name>.toml` says."""
    return shipped_facts(*_FOLDER, f"{name}.toml")


def rows(name: str) -> list[dict[str, str]]:
    """The lines of `<name>.csv`, each with its cells by column."""
    return shipped_rows(*_FOLDER, f"{name}.csv")
