"""Countries, carriers, time zones, addresses and devices: facts about users by where they live.

The facts are CSV files under `data/reference/demo_data`, so that another country or device takes lines and no code.
They are read on first use. Shares are rounded public figures of 2025, meant as a plausible picture of a market rather
than its statistics:

- `countries.csv`: name, region of the device market, Faker's locale, language (ISO 639-1), currency (ISO 4217), formats
  of mobile numbers (`#` any digit, `%` any but 0; numbers reserved for fiction if the country has such);
- `time_zones.csv`: share of the population by IANA time zone;
- `carriers.csv`: share of mobile subscribers by network;
- `ip_blocks.csv`: some large blocks of IPv4 addresses of the country's internet providers, from the registries;
- `devices.csv`: how devices describe themselves, and how common they are in each region; `model` is the name that
  programs read, of the international variant, `name` the name that people use;
- `os_versions.csv`, `browsers.csv`: shares among devices of an operating system;
- `cities.csv`: large cities of each country, the largest first, with their centres;
- `words.csv`: words of the languages for which `names` has more than Faker.
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
"""Names with shares; the shares of one thing sum to about 1."""

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
    """Demo data do not know a country."""


@dataclass(frozen=True)
class Country:
    """A country.

    Attributes:
        code: ISO 3166-1, two letters.
        region: its market of devices, a key of `Device.popularity`.
        faker_locale: locale of names and addresses.
        language: ISO 639-1.
        currency: ISO 4217.
        mobile_numbers: formats; `#` is any digit and `%` any but 0.
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
        manufacturer: empty if a browser does not report it.
        name: name that people use.
        model: name that the device reports.
        os_versions: possible versions, with their shares.
        screen_width, screen_height: pixels; in a browser, units of the page.
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
    """A browser with its share on an operating system."""

    name: str
    version: str
    share: float


@dataclass(frozen=True)
class City:
    """A city.

    Attributes:
        country: ISO 3166-1, two letters.
        local_name: in the country's own script; empty if that is Latin, or unknown.
        latitude: latitude of its centre; `longitude` likewise.
    """

    country: str
    name: str
    local_name: str
    latitude: float
    longitude: float


_POINTS = 24
_TO_THE_EDGE = 0.06
"""Degrees from the centre of a city to its edge."""


@functools.cache
def cities() -> tuple[City, ...]:
    """Returns large cities, by country, the largest first."""
    return tuple(
        City(row["country"], row["city"], row["local_name"], float(row["latitude"]), float(row["longitude"]))
        for row in rows("cities")
    )


def city_named(text: str) -> City | None:
    """Returns the city at the beginning of a text: `서울특별시` is Seoul."""
    wanted = text.strip().lower()
    found = (c for c in cities() if wanted == c.name.lower() or (c.local_name and wanted.startswith(c.local_name)))
    return next(found, None)


def degrees_in(city: City, *, latitude: bool) -> list[float]:
    """Returns degrees of latitude, or of longitude, of places in a city, any two of them a drive apart."""
    middle = city.latitude if latitude else city.longitude
    share = 0.754877 if latitude else 0.569840  # spread evenly, in different orders for the two
    return [round(middle + (2 * ((place + 1) * share % 1) - 1) * _TO_THE_EDGE, 5) for place in range(_POINTS)]


@functools.cache
def countries() -> Mapping[str, Country]:
    """Returns every known country by its code."""
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
    """Returns the country of a code.

    Raises:
        UnknownCountryError: when the country is unknown.
    """
    known = countries()
    if code not in known:
        raise UnknownCountryError(
            f"{code!r} is not a country that demo data know; known ones are {', '.join(known)} (ISO 3166-1 codes). "
            f"To add one, add a line to each of countries, time_zones, carriers and ip_blocks under {_folder()}"
        )
    return known[code]


@functools.cache
def country_of_locale(locale: str) -> Country:
    """Returns the country that a locale names (`ko_KR`), or the one that has it; otherwise the United States."""
    named = countries().get(locale.rpartition("_")[2])
    having = (each for each in countries().values() if each.faker_locale == locale)
    return named or next(having, country("US"))


@functools.cache
def devices(platform: Platform) -> tuple[Device, ...]:
    """Returns the devices of a platform; for `web`, those that browsers run on.

    Their popularity sums to about 1 in every region.
    """
    return tuple(_device(row) for row in rows("devices") if row["platform"] == platform)


@functools.cache
def browsers(os: str) -> tuple[Browser, ...]:
    """Returns the browsers of an operating system; none if it has no common browser."""
    return tuple(
        Browser(row["browser"], row["version"], float(row["share"])) for row in rows("browsers") if row["os"] == os
    )


def ip_addresses(code: str, uniform: npt.NDArray[np.float64]) -> pl.Series:
    """Returns IPv4 addresses of a country, one for each number from 0, included, to 1, excluded.

    None is reserved or private, or the first or last of a network of 256.

    Raises:
        UnknownCountryError: when the country is unknown.
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
    """Returns for each block the number of its first network of 256, and the cumulative count of networks up to its
    end."""
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
    """Returns the number before the first point; 1 for a version that is a name."""
    first = version.split(".")[0]
    return int(first) if first.isdecimal() else 1
