"""Large cities of each country, and where they lie.

`data/reference/demo_data/cities.csv` has a line for each, the largest first: the English name, the one in the
country's own script, and the middle of the city in degrees.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass

from gamestats_assets.demo_data.taxonomies.value_rules import Scalar
from gamestats_assets.settings import shipped


@dataclass(frozen=True)
class City:
    """A city.

    Attributes:
        country: ISO 3166-1, two letters.
        local_name: in the country's own script; empty where that is Latin, or unknown.
    """

    country: str
    name: str
    local_name: str
    latitude: float
    longitude: float


@functools.cache
def cities() -> tuple[City, ...]:
    """All cities, by country."""
    with shipped("data", "reference", "demo_data", "cities.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            City(row["country"], row["city"], row["local_name"], float(row["latitude"]), float(row["longitude"]))
            for row in csv.DictReader(file)
        )


def cities_of(country: str) -> tuple[City, ...]:
    """Those of a country."""
    return tuple(city for city in cities() if city.country == country)


def city_named(text: str) -> City | None:
    """The city that a text names, with or without what follows: `서울특별시` is Seoul."""
    wanted = text.strip().lower()
    for city in cities():
        own = bool(city.local_name) and wanted.startswith(city.local_name)
        if wanted == city.name.lower() or own:
            return city
    return None


_POINTS = 24
_AROUND = 0.06
"""Degrees from the middle of a city to its edge."""


def degrees_in(city: City, *, latitude: bool) -> list[Scalar]:
    """Degrees of latitude, or of longitude, of places in a city: any two of them are a drive apart."""
    middle = city.latitude if latitude else city.longitude
    share = 0.754877 if latitude else 0.569840  # spread evenly, and in another order for each of the two
    return [round(middle + (2 * ((place + 1) * share % 1) - 1) * _AROUND, 5) for place in range(_POINTS)]
