"""Countries, carriers, time zones, addresses and devices: what is true of users, by where they live.

The facts are CSV files under `data/reference/demo_data`, one line each, so that another country or device is a line
and no code. They are read when first asked for. Shares are rounded public figures of 2025, to be believed as a
picture of a market, not as its statistics:

- `countries.csv`: name, region of the device market, Faker's locale, language (ISO 639-1), currency (ISO 4217), formats
  of mobile numbers (`#` any digit, `%` any but 0; of numbers kept for fiction where the country has such);
- `time_zones.csv`: share of the population by IANA time zone;
- `carriers.csv`: share of mobile subscribers by network;
- `ip_blocks.csv`: some large blocks of IPv4 addresses of the country's internet providers, from the registries;
- `devices.csv`: how devices describe themselves, and how common they are in each region; `model` is what a program
  reads from them, of the international variant, `name` what people call them;
- `os_versions.csv`, `browsers.csv`: shares among devices of an operating system;
- `cities.csv`: large cities of each country, the largest first, and where their middle lies;
- `words.csv`: words of the languages in which `names` has more than Faker.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.demo_data.reference import rows
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.settings import shipped

Platform = Literal["mobile", "web", "pc", "console"]
Shares = tuple[tuple[str, float], ...]
"""Names, each with a share; the shares of one thing sum to about 1."""

_ABOUT_A_DEVICE = (
    "platform",
    "manufacturer",
    "name",
    "model",
    "os",
    "screen_width",
    "screen_height",
    "os_from",
    "os_to",
)


class UnknownCountryError(GamestatsError):
    """Nothing is known about a country."""


@dataclass(frozen=True)
class Country:
    """A country.

    Attributes:
        code: ISO 3166-1, two letters.
        region: the market of devices that it belongs to, a key of `Device.popularity`.
        faker_locale: locale of names and addresses.
        language: ISO 639-1.
        currency: ISO 4217.
        mobile_numbers: formats, `#` being any digit and `%` any but 0.
        time_zones: IANA names with the share of the population.
        carriers: mobile networks with the share of subscribers.
        ip_blocks: some blocks of IPv4 addresses.
    """

    code: str
    name: str
    region: str
    faker_locale: str
    language: str
    currency: str
    mobile_numbers: tuple[str, ...]
    time_zones: Shares
    carriers: Shares
    ip_blocks: tuple[ipaddress.IPv4Network, ...]


@dataclass(frozen=True)
class Device:
    """A device.

    Attributes:
        manufacturer: empty where a browser does not tell.
        name: what people call it.
        model: what it calls itself.
        os_versions: those it can have, with their shares.
        screen_width, screen_height: pixels; in a browser those of the page's units.
        popularity: share of the platform's users, by region.
    """

    platform: Platform
    manufacturer: str
    name: str
    model: str
    os: str
    os_versions: Shares
    screen_width: int
    screen_height: int
    popularity: Mapping[str, float]


@dataclass(frozen=True)
class Browser:
    """A browser and its share among those of an operating system."""

    name: str
    version: str
    share: float


@dataclass(frozen=True)
class City:
    """A city.

    Attributes:
        country: ISO 3166-1, two letters.
        local_name: in the country's own script; empty where that is Latin, or unknown.
        latitude: of its middle; `longitude` likewise.
    """

    country: str
    name: str
    local_name: str
    latitude: float
    longitude: float


_POINTS = 24
_TO_THE_EDGE = 0.06
"""Degrees from the middle of a city to its edge."""


@functools.cache
def cities() -> tuple[City, ...]:
    """Large cities, by country, the largest first."""
    return tuple(
        City(row["country"], row["city"], row["local_name"], float(row["latitude"]), float(row["longitude"]))
        for row in rows("cities")
    )


def city_named(text: str) -> City | None:
    """The city that a text names, with or without what follows: `서울특별시` is Seoul."""
    wanted = text.strip().lower()
    found = (c for c in cities() if wanted == c.name.lower() or (c.local_name and wanted.startswith(c.local_name)))
    return next(found, None)


def degrees_in(city: City, *, latitude: bool) -> list[float]:
    """Degrees of latitude, or of longitude, of places in a city: any two of them are a drive apart."""
    middle = city.latitude if latitude else city.longitude
    share = 0.754877 if latitude else 0.569840  # spread evenly, and in another order for each of the two
    return [round(middle + (2 * ((place + 1) * share % 1) - 1) * _TO_THE_EDGE, 5) for place in range(_POINTS)]


@functools.cache
def countries() -> Mapping[str, Country]:
    """Every country of which anything is known, by its code."""
    zones, carriers = _shares("time_zones", "time_zone"), _shares("carriers", "carrier")
    blocks: dict[str, list[ipaddress.IPv4Network]] = {}
    for row in rows("ip_blocks"):
        blocks.setdefault(row["country_code"], []).append(ipaddress.IPv4Network(row["block"]))
    return MappingProxyType(
        {
            (code := row["country_code"]): Country(
                code=code,
                name=row["country_name"],
                region=row["region"],
                faker_locale=row["faker_locale"],
                language=row["language"],
                currency=row["currency"],
                mobile_numbers=tuple(row["mobile_numbers"].split(";")),
                time_zones=zones[code],
                carriers=carriers[code],
                ip_blocks=tuple(blocks[code]),
            )
            for row in rows("countries")
        }
    )


def country(code: str) -> Country:
    """The country of a code.

    Raises:
        UnknownCountryError: when nothing is known about it.
    """
    known = countries()
    if code not in known:
        raise UnknownCountryError(
            f"{code!r} is no country that demo data can be made for; there are {', '.join(known)} (ISO 3166-1 codes). "
            f"Another one is a line in each of countries, time_zones, carriers and ip_blocks under {_folder()}"
        )
    return known[code]


@functools.cache
def country_of_locale(locale: str) -> Country:
    """The country that a locale names (`ko_KR`), or else has; the United States for a locale that none has."""
    named = countries().get(locale.rpartition("_")[2])
    having = (each for each in countries().values() if each.faker_locale == locale)
    return named or next(having, country("US"))


@functools.cache
def devices(platform: Platform) -> tuple[Device, ...]:
    """Devices of a platform; of `web`, what a browser runs on.

    Their popularity sums to about 1 in every region.
    """
    return tuple(_device(row) for row in rows("devices") if row["platform"] == platform)


@functools.cache
def browsers(os: str) -> tuple[Browser, ...]:
    """Browsers of an operating system; none of one that has no browser worth counting."""
    return tuple(
        Browser(row["browser"], row["version"], float(row["share"])) for row in rows("browsers") if row["os"] == os
    )


def ip_addresses(code: str, uniform: npt.NDArray[np.float64]) -> pl.Series:
    """IPv4 addresses of a country, one for each number from 0, included, to 1, excluded.

    None is reserved or private, nor the first or the last of a network of 256.

    Raises:
        UnknownCountryError: when nothing is known about the country.
    """
    starts, ends = _networks(code)
    chosen = np.asarray(uniform, dtype=np.float64) * int(ends[-1]) * 254
    network, host = np.divmod(chosen.astype(np.int64), 254)
    block = np.searchsorted(ends, network, side="right")
    before = np.concatenate([[0], ends[:-1]])
    addresses = ((starts[block] + network - before[block]) << 8) + host + 1
    bytes_of = [pl.lit(pl.Series(addresses >> shift & 255)).cast(pl.String) for shift in (24, 16, 8, 0)]
    return pl.select(pl.concat_str(bytes_of, separator=".")).to_series()


@functools.cache
def _networks(code: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each block, the number of its first network of 256, and how many such networks there are up to its end."""
    blocks = country(code).ip_blocks
    starts = np.array([int(block.network_address) >> 8 for block in blocks], dtype=np.int64)
    return starts, np.cumsum([block.num_addresses >> 8 for block in blocks]).astype(np.int64)


def _folder() -> str:
    return str(shipped("data", "reference", "demo_data"))


def _shares(name: str, column: str) -> dict[str, Shares]:
    found: dict[str, list[tuple[str, float]]] = {}
    for row in rows(name):
        found.setdefault(row["country_code"], []).append((row[column], float(row["share"])))
    return {code: tuple(shares) for code, shares in found.items()}


@functools.cache
def _os_versions(os: str) -> Shares:
    return tuple((row["version"], float(row["share"])) for row in rows("os_versions") if row["os"] == os)


def _device(row: Mapping[str, str]) -> Device:
    oldest, newest = int(row["os_from"] or 0), int(row["os_to"] or 10**9)
    versions = [(name, share) for name, share in _os_versions(row["os"]) if oldest <= _major(name) <= newest]
    total = sum(share for _, share in versions)
    return Device(
        platform=row["platform"],  # pyright: ignore[reportArgumentType]
        manufacturer=row["manufacturer"],
        name=row["name"],
        model=row["model"],
        os=row["os"],
        os_versions=tuple((name, share / total) for name, share in versions),
        screen_width=int(row["screen_width"]),
        screen_height=int(row["screen_height"]),
        popularity={name: float(row[name]) for name in row if name not in _ABOUT_A_DEVICE},
    )


def _major(version: str) -> int:
    """Number before the first point; 1 of a version that is a name."""
    first = version.split(".")[0]
    return int(first) if first.isdecimal() else 1
