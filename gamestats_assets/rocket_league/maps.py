"""What maps are called: files know them by a code.

The names stand in `data/reference/rocket_league/maps.csv`, one line per code, so that a new map is a line and no code.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from gamestats_assets.settings import shipped_rows


@functools.cache
def map_names() -> Mapping[str, str]:
    """Names of maps by their codes in lower case, as ballchasing writes them."""
    return {row["map_code"]: row["map_name"] for row in shipped_rows("data", "reference", "rocket_league", "maps.csv")}


def map_name(code: str) -> str:
    """The name of a map; of one that is not known, its code.

    >>> map_name("street_p"), map_name("shattershot_p"), map_name("moon_p")
    ('Sovereign Heights (Dusk)', 'Core 707', 'moon_p')
    """
    return map_names().get(code.lower(), code)
