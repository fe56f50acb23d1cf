"""The users: segment, sign-up, country, device, identifiers; all looked up by the user's number alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array, Blueprint
from gamestats_assets.demo_data.generator.columns import Coded, hex_texts
from gamestats_assets.demo_data.generator.random_streams import Streams
from gamestats_assets.demo_data.reference import locales
from gamestats_assets.demo_data.rules.configuration import (
    COUNTRIES,
    ConfigurationError,
    SharedAddressTruth,
    StandstillTruth,
)

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
"""Smallest and largest number of days from sign-up to run, by segment; new users may sign up during the run."""
_KEENNESS = 0.9
"""Standard deviation of the logarithm of a user's activity relative to the segment's mean."""
_KEENEST = 8.0
_RELEASE_DAYS = 14
"""Days from one release of the app to the next."""
_UPDATE_DELAY_DAYS = 9
"""Mean days from a release to a user's update."""
_FIRST_RELEASE = date(2025, 1, 1).toordinal() // _RELEASE_DAYS
"""Number of release 1.0.0."""
_ASKED_AS = {
    "country": ("country_code", "country", "nation", "region_code"),
    "country_name": ("country_name",),
    "carrier": ("carrier", "telecom"),
    "os": ("os", "platform_os", "os_name"),
    "os_version": ("os_version",),
    "device_model": ("device_model", "device", "device_name"),
    "manufacturer": ("manufacturer", "device_manufacturer", "device_brand"),
    "app_version": ("app_version", "client_version"),
    "language": ("language", "system_language", "lang", "locale"),
    "time_zone": ("time_zone", "timezone"),
}
"""Names under which products ask for each attribute of users."""


class Users:
    """A group of users, one position each; facts about them are looked up on demand.

    Attributes:
        number: number among all users of the product; everything else follows from it.
    """

    def __init__(self, plan: Blueprint, streams: Streams, number: Array) -> None:
        self.plan, self.number, self._streams = plan, number, streams

    def __len__(self) -> int:
        return self.number.size

    # ----------------------------------------------------------------- lives

    @cached_property
    def segment(self) -> Array:
        """Number of the segment."""
        shares = self.plan.shares
        found = np.searchsorted(shares, self._streams.uniform("segment", self.number) * shares[-1], side="right")
        return np.minimum(found, shares.size - 1)

    def _is_like(self, segment: str) -> Array:
        """Returns whether each user's segment is like one of the six."""
        return np.array([kind == segment for kind in _kinds(self.plan)])[self.segment]

    @cached_property
    def _signed_up_before(self) -> tuple[Array, Array]:
        """Smallest and largest number of days from sign-up to run, for each user from before it."""
        low, high = np.array([_SIGNED_UP[kind] for kind in _kinds(self.plan)]).T
        return low[self.segment], high[self.segment]

    @cached_property
    def signed_up_day(self) -> Array:
        """Day of the run; negative before it."""
        low, high = self._signed_up_before
        before = -self._streams.integers("signed up", self.number, 0, low, high + 1)
        drawn = self._streams.uniform("signs up in run", self.number)
        in_run = self._is_like("new_user") & (drawn < self.plan.configuration.sign_up_share_in_run)
        days = self.plan.configuration.days
        return np.where(in_run, self._streams.integers("sign-up day", self.number, 0, 0, days), before)

    @cached_property
    def signed_up_ms(self) -> Array:
        """Midnight of the day of the sign-up, in ms since 1970."""
        return self.signed_up_day * DAY_MS + self.plan.start_ms

    @cached_property
    def away_from(self) -> Array:
        """Day of the run from which the user is gone."""
        latest = max(self.plan.configuration.days // 3, 1)
        leaves = self._streams.integers("leaves on", self.number, 0, 1, latest + 1)
        gone = np.where(self._is_like("churned_user"), leaves, NEVER)
        return np.where(self._is_like("returning_user"), 0, gone)

    @cached_property
    def back_on(self) -> Array:
        """Day of the run on which the user comes back."""
        returns = self._streams.integers("returns on", self.number, 0, 0, self.plan.configuration.days)
        return np.where(self._is_like("returning_user"), returns, NEVER)

    @cached_property
    def keenness(self) -> Array:
        """Activity relative to the segment's mean."""
        drawn = self._streams.normal("keenness", self.number, 0, -(_KEENNESS**2) / 2, _KEENNESS)
        return np.minimum(np.exp(drawn), _KEENEST)

    @cached_property
    def experience(self) -> Array:
        """Activity of each user before the run: place from 0 to 1 among the users of the segment."""
        from scipy.special import ndtr, ndtri

        low, high = self._signed_up_before
        of_age = np.clip((-self.signed_up_day - low + 0.5) / (high - low + 1), 1e-6, 1 - 1e-6)
        return ndtr((ndtri(of_age) + np.log(self.keenness) / _KEENNESS + _KEENNESS / 2) / np.sqrt(2))

    # ----------------------------------------------------------------- truths

    @cached_property
    def _planted(self) -> tuple[Array, Array]:
        truth, host = np.full(len(self), -1), self.number.copy()
        for group in planted_groups(self.plan, self._streams):
            own = np.isin(self.number, group.number)
            truth[own], host[own] = group.truth, group.number[0] if group.is_at_one_address else self.number[own]
        return truth, host

    @property
    def truth(self) -> Array:
        """Number of the configuration's truth that is planted in the user; -1 without one."""
        return self._planted[0]

    @property
    def host(self) -> Array:
        """Number of the user at whose address each user lives: oneself, or the first of those who share it."""
        return self._planted[1]

    @cached_property
    def shares_address(self) -> Array:
        """Whether each user is always at the host's address."""
        truths = self.plan.configuration.truths
        return np.isin(self.truth, [n for n, truth in enumerate(truths) if isinstance(truth, SharedAddressTruth)])

    @cached_property
    def variant(self) -> Array:
        """Variant of the experiment; 0 is A."""
        return self._streams.integers("variant", self.number, 0, 0, 2)

    # ----------------------------------------------------------------- facts

    @cached_property
    def facets(self) -> Mapping[str, Coded]:
        """Facts about users, by the names under which products ask for them."""
        return {name: getattr(self, fact) for fact, names in _ASKED_AS.items() for name in names}

    @cached_property
    def accounts(self) -> pl.Series:
        """Account ids."""
        return ids_of(self._streams, self.number)[0]

    @cached_property
    def distincts(self) -> pl.Series:
        """Distinct ids."""
        return ids_of(self._streams, self.number)[1]

    @cached_property
    def country(self) -> Coded:
        """Code of the country of each user's host."""
        return home_countries(self.plan, self._streams, self.host)

    @cached_property
    def _homes(self) -> list[locales.Country]:
        return [locales.country(str(code)) for code in self.country.values]

    @cached_property
    def country_name(self) -> Coded:
        """Name of the country."""
        return Coded(self.country.codes, tuple(home.name for home in self._homes))

    @cached_property
    def locale(self) -> Coded:
        """Faker's locale of the country."""
        return Coded(self.country.codes, tuple(home.faker_locale for home in self._homes))

    @cached_property
    def language(self) -> Coded:
        """Language of the country."""
        return Coded(self.country.codes, tuple(home.language for home in self._homes))

    @cached_property
    def time_zone(self) -> Coded:
        """IANA name."""
        return self._one_of("time zone", self.country.codes, [home.time_zones for home in self._homes])

    @cached_property
    def utc_offset_s(self) -> Array:
        """Offset of the user's time zone at the beginning of the run."""
        at = datetime.combine(self.plan.configuration.start, datetime.min.time(), UTC)
        offsets = [at.astimezone(ZoneInfo(str(name))).utcoffset() for name in self.time_zone.values]
        return np.array([int(offset.total_seconds()) if offset else 0 for offset in offsets])[self.time_zone.codes]

    @cached_property
    def carrier(self) -> Coded:
        """Mobile network."""
        return self._one_of("carrier", self.country.codes, [_carriers(self.plan, home) for home in self._homes])

    @cached_property
    def _devices(self) -> Sequence[locales.Device]:
        return locales.devices(self.plan.configuration.product.platform)

    @cached_property
    def _device(self) -> Array:
        which = np.zeros(len(self), np.int64)
        for place, home in enumerate(self._homes):
            own = np.flatnonzero(self.country.codes == place)
            popularity = np.cumsum([device.popularity.get(home.region, 0.0) for device in self._devices])
            which[own] = self._streams.choice("device", self.number[own], 0, popularity)
        return which

    @cached_property
    def os(self) -> Coded:
        """Operating system."""
        return Coded(self._device, tuple(device.os for device in self._devices))

    @cached_property
    def os_version(self) -> Coded:
        """Version of the operating system."""
        return self._one_of("os version", self._device, [device.os_versions for device in self._devices])

    @cached_property
    def device_model(self) -> Coded:
        """Name that the device reports."""
        return Coded(self._device, tuple(device.model for device in self._devices))

    @cached_property
    def manufacturer(self) -> Coded:
        """Maker of the device."""
        return Coded(self._device, tuple(device.manufacturer for device in self._devices))

    @cached_property
    def _update_delay_days(self) -> Array:
        """Days from a release of the app to the user's update."""
        return self._streams.exponential("update delay", self.number, 0, _UPDATE_DELAY_DAYS).astype(np.int64)

    @cached_property
    def app_version(self) -> Coded:
        """Version of the app that each user has at the beginning of the run, or at the sign-up."""
        return app_versions(self.release(np.arange(len(self)), np.maximum(self.signed_up_day, 0)))

    def release(self, user: Array, day: Array) -> Array:
        """Returns the number of the app's release that users have on days of the run; it only ever rises."""
        return (self.plan.first_day + day - self._update_delay_days[user]) // _RELEASE_DAYS

    def newest_release(self, day: int) -> int:
        """Returns the number of the app's latest release on a day of the run."""
        return (self.plan.first_day + day) // _RELEASE_DAYS

    def _one_of(self, stream: str, place: Array, choices: Sequence[locales.Shares]) -> Coded:
        """Returns one of the values of each user's place, by their weights."""
        codes = np.zeros(len(self), np.int64)
        values: list[Any] = []
        for number, shares in enumerate(choices):
            own = np.flatnonzero(place == number)
            names, weights = zip(*(shares or (("", 1.0),)), strict=True)
            codes[own] = len(values) + self._streams.choice(stream, self.number[own], 0, np.cumsum(weights))
            values += names
        return Coded(codes, tuple(values))


class SystemUsers(Users):
    """Users that stand for the system, one for each event; their numbers are those of the events, from `first` on."""

    def __init__(self, plan: Blueprint, streams: Streams, first: int) -> None:
        super().__init__(plan, streams, np.array(plan.daily_system, np.uint64) + np.uint64(first))
        texts = pl.Series([f"system-{plan.event_names[event]}" for event in plan.daily_system], dtype=pl.String)
        self.accounts = self.distincts = texts
        self.signed_up_day = np.full(len(self), -1000)


def _kinds(plan: Blueprint) -> list[str]:
    """Returns for each segment the one of the six that it is like."""
    custom = plan.configuration.custom_segments
    return [custom[name].like if name in custom else name for name in plan.segments]


def make_users(plan: Blueprint, streams: Streams, first: int, count: int) -> Users:
    """Returns the users from one number on."""
    return Users(plan, streams, np.arange(first, first + count, dtype=np.uint64))


def app_versions(release: Array) -> Coded:
    """Returns the names of releases: 1.9.0, 1.9.1, 1.9.2, 1.10.0 follow each other."""
    distinct, codes = np.unique(np.maximum(release - _FIRST_RELEASE, 0), return_inverse=True)
    return Coded(codes, tuple(f"1.{number // 3}.{number % 3}" for number in distinct.tolist()))


def ids_of(streams: Streams, number: Array) -> tuple[pl.Series, pl.Series]:
    """Returns account and distinct ids of users."""
    digits = hex_texts(streams.bits("account", number)).str.head(14)
    account = pl.select(pl.concat_str(pl.lit("u"), pl.lit(digits))).to_series()
    return account, hex_texts(streams.bits("distinct", number, 0), streams.bits("distinct", number, 1), dashes=True)


def home_countries(plan: Blueprint, streams: Streams, host: Array) -> Coded:
    """Returns countries of users, by the numbers of their hosts."""
    weights = _countries(plan)
    return Coded(streams.choice("country", host, 0, np.cumsum(list(weights.values()))), tuple(weights))


def _countries(plan: Blueprint) -> dict[str, float]:
    """Returns countries with weights: the configuration's, or those that the taxonomy lists."""
    known, asked = locales.countries(), plan.configuration.countries
    for name in ("country", "country_code", "nation", "#country", "#country_code") if asked is None else ():
        constraint = plan.rules.property_constraints.get(name)
        if constraint is not None and (name in plan.user_properties or name in plan.common_types):
            listed = [str(value) for value in constraint.values]
            if listed and all(code in known for code in listed):
                return dict(zip(listed, constraint.weights or [1.0] * len(listed), strict=True))
    return {code: weight for code, weight in (asked or COUNTRIES).items() if weight}


def _carriers(plan: Blueprint, home: locales.Country) -> locales.Shares:
    """Returns the carriers of a country: those that the taxonomy lists, else the real ones."""
    for name in ("carrier", "telecom", "#carrier"):
        constraint = plan.rules.property_constraints.get(name)
        if constraint is not None and home.code in constraint.mapping:
            return tuple((str(value), 1.0) for value in constraint.mapping[home.code])
    return home.carriers


# --------------------------------------------------------------------------- users with planted truths


@dataclass(frozen=True, slots=True)
class PlantedGroup:
    """Users who share one planted truth.

    Attributes:
        truth: number of the truth in the configuration.
        is_at_one_address: whether they share an address.
        number: numbers of the users among all of the product.
    """

    truth: int
    is_at_one_address: bool
    number: Array


def planted_groups(plan: Blueprint, streams: Streams) -> list[PlantedGroup]:
    """Returns the groups of users with planted truths: lowest numbers first, no user in two groups.

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
    """Returns the first users of a truth's segment from before the run, without those already taken."""
    chosen = np.zeros(0, np.uint64)
    for first in range(0, plan.configuration.users, _LOOKED_AT):
        users = make_users(plan, streams, first, min(_LOOKED_AT, plan.configuration.users - first))
        fits = (users.signed_up_day < 0) & ~np.isin(users.number, taken)
        if truth.segment is not None:
            fits &= users.segment == plan.segments.index(truth.segment)
        chosen = np.concatenate([chosen, users.number[fits]])
        if chosen.size >= count:
            return chosen[:count]
    segment = f" of the segment {truth.segment!r}" if truth.segment is not None else ""
    raise ConfigurationError(
        f"The planted {truth.kind} needs {count:,} users{segment} from before the run without another planted "
        f"truth; of {plan.configuration.users:,} users {chosen.size:,} qualify. Give the run more users, or "
        "plant fewer."
    )


_LOOKED_AT = 8192
"""Users that are looked up at a time."""
