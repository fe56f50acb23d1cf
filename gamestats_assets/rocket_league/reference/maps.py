"""Names of maps by their codes in files.

The names are in `data/reference/rocket_league/maps.csv`, one line per code: a new map needs a line and no code.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from gamestats_assets.settings import shipped_rows


@functools.cache
def map_names() -> Mapping[str, str]:
    """Returns names of maps by code in lower case, as ballchasing writes them."""
    return {row["map_code"]: row["map_name"] for row in shipped_rows("data", "reference", "rocket_league", "maps.csv")}


def map_name(code: str) -> str:
    """Returns the name of a map; if it is unknown, its code.

    >>> map_name("street_p"), map_name("shattershot_p"), map_name("moon_p")
    ('Sovereign Heights (Dusk)', 'Core 707', 'moon_p')
    """
    return map_names().get(code.lower(), code)
