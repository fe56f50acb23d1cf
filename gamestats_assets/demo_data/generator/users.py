"""Who the users are: segment, sign-up, country, device, identifiers; all looked up by the user's number alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from gamestats_assets.demo_data import locales
from gamestats_assets.demo_data.configuration import (
    COUNTRIES,
    ConfigurationError,
    SharedAddressTruth,
    StandstillTruth,
)
from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array, Blueprint
from gamestats_assets.demo_data.generator.columns import Coded, hex_texts
from gamestats_assets.demo_data.generator.random_streams import Streams

NEVER = 10**6
"""A day beyond every run."""
_SIGNED_UP = {
    "new_user": (1, 3),
    "active_user": (7, 90),
    "power_user": (30, 180),
    "churning_user": (14, 60),
    "churned_user": (30, 120),
    "returning_user": (60, 90),
}
"""Days before the run on which users of a segment signed up, from and to; new users may do so during the run."""
_KEENNESS = 0.9
"""Standard deviation of the logarithm of how much more or less than the mean of the segment a user does."""
_RELEASE_DAYS = 14
"""Days from one release of the app to the next."""
_UPDATE_DELAY_DAYS = 9
"""Mean days from a release to a user's update."""
_FIRST_RELEASE = date(2025, 1, 1).toordinal() // _RELEASE_DAYS
"""The one that is called 1.0.0."""


@dataclass(frozen=True)
class Users:
    """Some users, one position each.

    Attributes:
        number: among all users of the product; it looks up everything else.
        segment: number of the segment.
        truth: number of the configuration's truth that is planted in the user, -1 of the others.
        host: number of the user where one lives: oneself, or the first of those who share an address.
        variant: of the experiment, 0 is A.
        signed_up_day: of the run; negative is before it.
        away_from, back_on: days of the run from which the user is gone, and on which the user comes back.
        keenness: how much more or less than the mean of the segment the user does.
        utc_offset_s: of the user's time zone when the run begins.
        update_delay_days: from a release of the app to the user's update.
        country, locale, carrier, os, os_version, device_model, manufacturer, language: facets.
    """

    plan: Blueprint
    number: Array
    segment: Array
    truth: Array
    host: Array
    variant: Array
    signed_up_day: Array
    away_from: Array
    back_on: Array
    keenness: Array
    utc_offset_s: Array
    update_delay_days: Array
    country: Coded
    country_name: Coded
    locale: Coded
    carrier: Coded
    os: Coded
    os_version: Coded
    device_model: Coded
    manufacturer: Coded
    language: Coded
    time_zone: Coded
    accounts: pl.Series
    distincts: pl.Series

    def __len__(self) -> int:
        return self.number.size

    @cached_property
    def signed_up_ms(self) -> Array:
        """Midnight of the day of the sign-up, in ms since 1970."""
        return self.signed_up_day * DAY_MS + self.plan.start_ms

    @cached_property
    def experience(self) -> Array:
        """How much each user will have done before the run: place from 0 to 1 among those of the segment."""
        from scipy.special import ndtr, ndtri

        low, high = _signed_up_before(self.plan, self.segment)
        of_age = np.clip((-self.signed_up_day - low + 0.5) / (high - low + 1), 1e-6, 1 - 1e-6)
        return ndtr((ndtri(of_age) + np.log(self.keenness) / _KEENNESS + _KEENNESS / 2) / np.sqrt(2))

    @cached_property
    def shares_address(self) -> Array:
        """Whether each user is always at the host's address."""
        truths = self.plan.configuration.truths
        return np.isin(self.truth, [n for n, truth in enumerate(truths) if isinstance(truth, SharedAddressTruth)])

    @cached_property
    def facets(self) -> Mapping[str, Coded]:
        """What is known of users by itself, by the names under which products ask for it."""
        named: dict[str, Coded] = {}
        for names, column in (
            (("country_code", "country", "nation", "region_code"), self.country),
            (("country_name",), self.country_name),
            (("carrier", "telecom"), self.carrier),
            (("os", "platform_os", "os_name"), self.os),
            (("os_version",), self.os_version),
            (("device_model", "device", "device_name"), self.device_model),
            (("manufacturer", "device_manufacturer", "device_brand"), self.manufacturer),
            (("app_version", "client_version"), self.app_version),
            (("language", "system_language", "lang", "locale"), self.language),
            (("time_zone", "timezone"), self.time_zone),
        ):
            named |= dict.fromkeys(names, column)
        return named

    def release(self, user: Array, day: Array) -> Array:
        """Number of the app's release that users have on days of the run; it only ever rises."""
        return (self.plan.first_day + day - self.update_delay_days[user]) // _RELEASE_DAYS

    def newest_release(self, day: int) -> int:
        """Number of the app's latest release on a day of the run."""
        return (self.plan.first_day + day) // _RELEASE_DAYS

    @cached_property
    def app_version(self) -> Coded:
        """Version of the app that each user has when the run begins, or at the sign-up."""
        return app_versions(self.release(np.arange(len(self)), np.maximum(self.signed_up_day, 0)))


def app_versions(release: Array) -> Coded:
    """What releases are called, one after the other 1.9.0, 1.9.1, 1.9.2, 1.10.0."""
    distinct, codes = np.unique(np.maximum(release - _FIRST_RELEASE, 0), return_inverse=True)
    return Coded(codes, tuple(f"1.{number // 3}.{number % 3}" for number in distinct.tolist()))


def make_users(plan: Blueprint, streams: Streams, first: int, count: int) -> Users:
    """The users from one number on."""
    number = np.arange(first, first + count, dtype=np.uint64)
    configuration = plan.configuration
    segment = _segments(plan, streams, number)
    truth, host = np.full(count, -1), number.copy()
    for group in planted_groups(plan, streams):
        own = np.isin(number, group.number)
        truth[own], host[own] = group.truth, group.number[0] if group.is_at_one_address else number[own]
    countries = home_countries(plan, streams, host)
    country, facts = countries.codes, [locales.country(code) for code in countries.values]
    zone = _by_country(streams, "time zone", number, country, [found.time_zones for found in facts])
    carrier = _by_country(streams, "carrier", number, country, [_carriers(plan, found) for found in facts])
    device, os_version = _devices(plan, streams, number, country, countries.values)
    signed_up, away, back = _lives(plan, streams, number, segment)
    accounts, distincts = ids_of(streams, number)
    at = datetime.combine(configuration.start, datetime.min.time(), UTC)
    offsets = np.array([_offset_s(str(name), at) for name in zone.values])
    return Users(
        plan=plan,
        number=number,
        segment=segment,
        truth=truth,
        host=host,
        variant=streams.integers("variant", number, 0, 0, 2),
        signed_up_day=signed_up,
        away_from=away,
        back_on=back,
        keenness=np.minimum(np.exp(streams.normal("keenness", number, 0, -(_KEENNESS**2) / 2, _KEENNESS)), 8.0),
        utc_offset_s=offsets[zone.codes],
        update_delay_days=streams.exponential("update delay", number, 0, _UPDATE_DELAY_DAYS).astype(np.int64),
        country=countries,
        country_name=Coded(country, tuple(found.name for found in facts)),
        locale=Coded(country, tuple(found.faker_locale for found in facts)),
        carrier=carrier,
        os=device["os"],
        os_version=os_version,
        device_model=device["model"],
        manufacturer=device["manufacturer"],
        language=Coded(country, tuple(found.language for found in facts)),
        time_zone=zone,
        accounts=accounts,
        distincts=distincts,
    )


def _segments(plan: Blueprint, streams: Streams, number: Array) -> Array:
    segment = np.searchsorted(plan.shares, streams.uniform("segment", number) * plan.shares[-1], side="right")
    return np.minimum(segment, len(plan.segments) - 1)


# --------------------------------------------------------------------------- in whom truths are planted


@dataclass(frozen=True, slots=True)
class PlantedGroup:
    """Users in whom a truth is planted together.

    Attributes:
        truth: its number among the configuration's.
        is_at_one_address: whether they share one.
        number: of the users among all of the product.
    """

    truth: int
    is_at_one_address: bool
    number: Array


def planted_groups(plan: Blueprint, streams: Streams) -> list[PlantedGroup]:
    """Users in whom the truths about some users are planted: those of the lowest numbers, nobody in two truths.

    Raises:
        ConfigurationError: when a run has too few users for a truth.
    """
    found: list[PlantedGroup] = []
    taken = np.zeros(0, np.uint64)
    for place, truth in enumerate(plan.configuration.truths):
        if isinstance(truth, SharedAddressTruth):
            low, high = truth.accounts
            sizes = streams.integers("accounts at an address", place, np.arange(truth.addresses), low, high + 1)
        elif isinstance(truth, StandstillTruth):
            sizes = np.array([truth.users])
        else:
            continue
        chosen = _first_users(plan, streams, truth, int(sizes.sum()), taken)
        taken = np.concatenate([taken, chosen])
        for number in np.split(chosen, np.cumsum(sizes)[:-1]):
            found.append(PlantedGroup(place, isinstance(truth, SharedAddressTruth), number))
    return found


def _first_users(
    plan: Blueprint, streams: Streams, truth: SharedAddressTruth | StandstillTruth, count: int, taken: Array
) -> Array:
    """The first so many users of a truth's segment who were there before the run, without those who are taken."""
    chosen = np.zeros(0, np.uint64)
    for first in range(0, plan.configuration.users, _LOOKED_AT):
        number = np.arange(first, min(first + _LOOKED_AT, plan.configuration.users), dtype=np.uint64)
        segment = _segments(plan, streams, number)
        signed_up, *_ = _lives(plan, streams, number, segment)
        fits = (signed_up < 0) & ~np.isin(number, taken)
        if truth.segment is not None:
            fits &= segment == plan.segments.index(truth.segment)
        chosen = np.concatenate([chosen, number[fits]])
        if chosen.size >= count:
            return chosen[:count]
    whose = f" of the segment {truth.segment!r}" if truth.segment is not None else ""
    raise ConfigurationError(
        f"The planted {truth.kind} needs {count:,} users{whose} who were there before the run and in whom no other "
        f"truth is planted; of {plan.configuration.users:,} users {chosen.size:,} are. Give the run more users, or "
        "plant fewer."
    )


_LOOKED_AT = 8192
"""Users that are looked at together."""


def ids_of(streams: Streams, number: Array) -> tuple[pl.Series, pl.Series]:
    """Account and distinct ids of users."""
    digits = hex_texts(streams.bits("account", number)).str.head(14)
    account = pl.select(pl.concat_str(pl.lit("u"), pl.lit(digits))).to_series()
    return account, hex_texts(streams.bits("distinct", number, 0), streams.bits("distinct", number, 1), dashes=True)


def _carriers(plan: Blueprint, found: locales.Country) -> locales.Shares:
    """Carriers of a country: those that the taxonomy lists, else those that there are."""
    for name in ("carrier", "telecom", "#carrier"):
        constraint = plan.rules.property_constraints.get(name)
        if constraint is not None and found.code in constraint.mapping:
            return tuple((str(value), 1.0) for value in constraint.mapping[found.code])
    return found.carriers


def home_countries(plan: Blueprint, streams: Streams, host: Array) -> Coded:
    """Countries of users, by the numbers of their hosts."""
    weights = countries_of(plan)
    return Coded(streams.choice("country", host, 0, np.cumsum(list(weights.values()))), tuple(weights))


def countries_of(plan: Blueprint) -> dict[str, float]:
    """Countries with their weights: the configuration's, or those that the taxonomy lists."""
    configuration = plan.configuration
    known = locales.countries()
    if configuration.countries is None:
        for name in ("country", "country_code", "nation", "#country", "#country_code"):
            is_of_users = name in plan.user_properties or name in plan.common_types
            constraint = plan.rules.property_constraints.get(name) if is_of_users else None
            listed = [str(value) for value in constraint.values] if constraint else []
            if listed and all(code in known for code in listed):
                weights = constraint.weights if constraint and constraint.weights else [1.0] * len(listed)
                return dict(zip(listed, weights, strict=True))
    return {code: weight for code, weight in (configuration.countries or COUNTRIES).items() if weight}


def _by_country(
    streams: Streams, stream: str, number: Array, country: Array, choices: Sequence[locales.Shares]
) -> Coded:
    """One of the values of each user's country, by their weights."""
    codes = np.zeros(number.size, np.int64)
    values: list[Any] = []
    for place, shares in enumerate(choices):
        own = country == place
        names, weights = zip(*(shares or (("", 1.0),)), strict=True)
        if own.any():
            codes[own] = len(values) + streams.choice(stream, number[own], 0, np.cumsum(weights))
        values += names
    return Coded(codes, tuple(values))


def _offset_s(zone: str, at: datetime) -> int:
    offset = at.astimezone(ZoneInfo(zone)).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _lives(plan: Blueprint, streams: Streams, number: Array, segment: Array) -> tuple[Array, Array, Array]:
    """When each user signed up, leaves and comes back, as days of the run."""
    days = plan.configuration.days
    kinds = [_kind(plan, name) for name in plan.segments]
    low, high = _signed_up_before(plan, segment)
    signed_up = -streams.integers("signed up", number, 0, low, high + 1)
    new = np.array([kind == "new_user" for kind in kinds])[segment]
    in_run = new & (streams.uniform("signs up in run", number) < plan.configuration.sign_up_share_in_run)
    signed_up = np.where(in_run, streams.integers("sign-up day", number, 0, 0, days), signed_up)
    churned = np.array([kind == "churned_user" for kind in kinds])[segment]
    returning = np.array([kind == "returning_user" for kind in kinds])[segment]
    away = np.where(churned, streams.integers("leaves on", number, 0, 1, max(days // 3, 1) + 1), NEVER)
    away = np.where(returning, 0, away)
    back = np.where(returning, streams.integers("returns on", number, 0, 0, days), NEVER)
    return signed_up, away, back


def _signed_up_before(plan: Blueprint, segment: Array) -> tuple[Array, Array]:
    """From how many days before the run to how many its users of before signed up."""
    bounds = np.array([_SIGNED_UP[_kind(plan, name)] for name in plan.segments])[segment]
    return bounds[:, 0], bounds[:, 1]


def _kind(plan: Blueprint, segment: str) -> str:
    custom = plan.configuration.custom_segments.get(segment)
    return custom.like if custom else segment


def _devices(
    plan: Blueprint, streams: Streams, number: Array, country: Array, codes: Sequence[str]
) -> tuple[dict[str, Coded], Coded]:
    devices = locales.devices(plan.configuration.product.platform)
    regions = [locales.country(code).region for code in codes]
    which = np.zeros(number.size, np.int64)
    for place, region in enumerate(regions):
        own = country == place
        if own.any():
            which[own] = streams.choice(
                "device", number[own], 0, np.cumsum([device.popularity.get(region, 0.0) for device in devices])
            )
    versions = _by_country(streams, "os version", number, which, [device.os_versions for device in devices])
    told = {
        name: Coded(which, tuple(getattr(device, name) for device in devices))
        for name in ("os", "model", "manufacturer")
    }
    return told, versions
