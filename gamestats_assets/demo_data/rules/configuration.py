"""The configuration of a run: users, days, truths, dirt.

A taxonomy, rules and a configuration decide every byte that is generated.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gamestats_assets.demo_data.rules.model import SEGMENTS, Activity, Rules, SegmentAnalysis, Share, ValueRange
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.demo_data.taxonomies.value_rules import Scalar
from gamestats_assets.lakehouse.errors import GamestatsError, violations

PRODUCT_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")
"""Names of products, which are partition keys and parts of paths."""


class ConfigurationError(GamestatsError):
    """A run's configuration cannot be read or contradicts itself."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class CustomSegment(_Part):
    """A custom segment, as the difference from one of the six.

    Attributes:
        like: the segment that it is otherwise like.
        activity: replaces that segment's.
        property_ranges: added to that segment's, over which they prevail.
        event_probabilities: likewise.
    """

    like: Literal["new_user", "active_user", "power_user", "churning_user", "churned_user", "returning_user"]
    activity: Activity | None = None
    property_ranges: dict[str, ValueRange] = Field(default_factory=dict)
    event_probabilities: dict[str, Share] = Field(default_factory=dict)


# --------------------------------------------------------------------------- truths


class RetentionTruth(_Part):
    """The share of users who are active again on the n-th day after their sign-up.

    Attributes:
        curve: share by day n. Between two days it follows a power law of n, a straight line on two logarithmic axes, so
            that it falls steepest first; beyond the last day it continues like this, but never rises. Day 0 is 1; from
            there to the first day (and beyond, if there is only one) it is a power law of n + 1. To or from a share of
            0 it is straight in the logarithm of n.
    """

    kind: Literal["retention"] = "retention"
    curve: dict[Annotated[int, Field(ge=1)], Share] = Field(min_length=1)

    def share(self, day: int) -> float:
        """Returns the share on the n-th day, planted, interpolated or extrapolated."""
        known = {0: 1.0, **self.curve}
        if day in known:
            return known[day]
        planted = sorted(self.curve)
        place = min(bisect(planted, day), len(planted) - 1)
        low, high = planted[place - 1] if place else 0, planted[place]
        first, last = known[low], known[high]
        if day > high and last >= first:
            return last
        shift = 0 if low else 1  # day 0 has no logarithm
        along = math.log((day + shift) / (low + shift)) / math.log((high + shift) / (low + shift))
        if first and last:
            return first * (last / first) ** along
        return max(first + (last - first) * along, 0.0)


class ConversionTruth(_Part):
    """The share of `from_event` that is followed by `to_event` in the same session, before the next `from_event`.

    Attributes:
        from_event, to_event: two steps of one sequence, adjacent or further apart.
    """

    kind: Literal["conversion"] = "conversion"
    from_event: str
    to_event: str
    rate: Share


class ExperimentTruth(_Part):
    """An A/B test: half of the users have variant B, and convert differently.

    Attributes:
        name: part of the common property `ab_test` before the variant: `name:A`, `name:B`.
        rate_a: conversion, as in `ConversionTruth`, of variant A.
        lift: relative change in variant B: 0.2 is one fifth more.
    """

    kind: Literal["experiment"] = "experiment"
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    from_event: str
    to_event: str
    rate_a: Share
    lift: float = Field(gt=-1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.rate_a * (1 + self.lift) > 1:
            raise ValueError(f"variant B would convert at {self.rate_a * (1 + self.lift):.2f}, which is above 1")
        return self

    @property
    def rate_b(self) -> float:
        """Conversion of variant B."""
        return self.rate_a * (1 + self.lift)


class SeasonalityTruth(_Part):
    """The effect of the weekday on the number of active users.

    Attributes:
        weekday: seven relative levels, Monday first; only their ratios count.
    """

    kind: Literal["seasonality"] = "seasonality"
    weekday: list[Annotated[float, Field(gt=0)]] = Field(min_length=7, max_length=7)


class SharedAddressTruth(_Part):
    """Accounts that share an address: whenever one of them is active, its records have their common `#ip`.

    The accounts are in one country and from before the run. The manifest names them.

    Attributes:
        addresses: number of addresses.
        accounts: smallest and largest number of accounts per address; others may share one by chance.
        segment: their segment, which decides how often they are active; None takes users of any.
    """

    kind: Literal["shared_address"] = "shared_address"
    addresses: int = Field(ge=1, le=10_000)
    accounts: tuple[Annotated[int, Field(ge=10, le=1000)], Annotated[int, Field(le=1000)]] = (12, 20)
    segment: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.accounts[0] > self.accounts[1]:
            raise ValueError(f"from {self.accounts[0]} to {self.accounts[1]} accounts: the smaller number comes first")
        return self

    @property
    def fewest(self) -> int:
        """Accounts that an address must have to be found, above what chance explains, even if some are inactive."""
        return (self.accounts[0] + 1) // 2


class StandstillTruth(_Part):
    """Users for whom a property stays at a value while they do an event in each of their sessions.

    No event changes the property. The users are from before the run. The manifest names them.

    Attributes:
        property: property of users, common or of events: a number, a text, or true and false.
        event: an event that users may do at any time.
        users: number of users.
        segment: their segment; None takes users of any.
    """

    kind: Literal["standstill"] = "standstill"
    property: str
    value: Scalar
    event: str
    users: int = Field(ge=1, le=1_000_000)
    segment: str | None = None


Truth = Annotated[
    RetentionTruth | ConversionTruth | ExperimentTruth | SeasonalityTruth | SharedAddressTruth | StandstillTruth,
    Field(discriminator="kind"),
]


# --------------------------------------------------------------------------- dirt


class Dirt(_Part):
    """Errors on the way, as shares of all records.

    Attributes:
        late: records that arrive one to three days later, in the file of that day.
        duplicate: records that arrive twice, with the same `#uuid`.
        out_of_order: records moved back in their file by up to an hour of events.
        null: records with one null property.
        schema_drift: records with one number sent as a text, or with an undeclared property.
        unknown_event: records of an event that is not in the taxonomy.
        truncated: records cut off in the middle, and so unreadable.
    """

    late: Share = 0
    duplicate: Share = 0
    out_of_order: Share = 0
    null: Share = 0
    schema_drift: Share = 0
    unknown_event: Share = 0
    truncated: Share = 0

    @model_validator(mode="after")
    def _leaves_most(self) -> Self:
        if self.total > 0.5:
            raise ValueError(f"more than half of all records would be dirty ({self.total:.0%})")
        return self

    @property
    def total(self) -> float:
        """Share of dirty records; a record has at most one kind of dirt."""
        return sum(getattr(self, name) for name in type(self).model_fields)


# --------------------------------------------------------------------------- the run


COUNTRIES = {"KR": 0.4, "JP": 0.25, "US": 0.25, "DE": 0.05, "BR": 0.05}
"""Default weights of users' countries."""


class Configuration(_Part):
    """A run.

    Attributes:
        users: number of users, including sign-ups during the run.
        days: number of days from `start` on, in UTC.
        seed: any whole number; another one gives other data of the same kind.
        segments: share of each segment; they sum to 1.
        custom_segments: segments beyond the six, by name; each needs a share.
        countries: relative weights by ISO code; None takes those that the taxonomy lists, or `COUNTRIES`.
        sign_up_share_in_run: share of new users who sign up during the run; the others did so up to three days before.
        file_megabytes: size above which a day's file is divided; None never divides.
        parquet: whether to write the same records as Parquet beside the lines.
    """

    product: ProductInfo = Field(default_factory=ProductInfo)
    users: int = Field(default=1000, ge=1, le=100_000_000)
    days: int = Field(default=7, ge=1, le=3653)
    start: date = date(2026, 1, 1)
    seed: int = Field(default=7, ge=0, lt=2**63)
    segments: dict[str, Share] = Field(
        default_factory=lambda: {
            "new_user": 0.28,
            "active_user": 0.37,
            "power_user": 0.09,
            "churning_user": 0.13,
            "churned_user": 0.08,
            "returning_user": 0.05,
        }
    )
    custom_segments: dict[str, CustomSegment] = Field(default_factory=dict)
    countries: dict[str, Annotated[float, Field(ge=0)]] | None = None
    sign_up_share_in_run: Share = 0.8
    truths: list[Truth] = Field(default_factory=list)
    dirt: Dirt = Field(default_factory=Dirt)
    gzip: bool = False
    file_megabytes: float | None = Field(default=None, gt=0)
    parquet: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        total = sum(self.segments.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of the segments sum to {total:g}, not to 1")
        known = {*SEGMENTS, *self.custom_segments}
        unknown = sorted(set(self.segments) - known)
        if unknown:
            raise ValueError(f"segments names {', '.join(unknown)}, not among {', '.join(sorted(known))}")
        unused = sorted(name for name in self.custom_segments if not self.segments.get(name))
        if unused:
            raise ValueError(f"custom segment {', '.join(unused)} has no share in segments")
        if self.countries is not None and not sum(self.countries.values()):
            raise ValueError("countries has no weight above 0")
        homes = {truth.segment for truth in self.truths if isinstance(truth, SharedAddressTruth | StandstillTruth)}
        if empty := sorted(name for name in homes if name is not None and not self.segments.get(name)):
            raise ValueError(f"a truth is planted in the segment {', '.join(empty)}, which has no share in segments")
        curves = [truth.curve for truth in self.truths if isinstance(truth, RetentionTruth)]
        planted = max((day for curve in curves for day in curve), default=0)
        if planted >= self.days:
            raise ValueError(
                f"retention is planted for day {planted}, but sign-ups in a run of {self.days} days get no "
                f"further than day {self.days - 1}: give days {planted + 1} or more, or leave that day out"
            )
        return self

    def analyses(self, rules: Rules) -> dict[str, SegmentAnalysis]:
        """Returns how the users of each segment with a share behave by the rules, in the order of `segments`."""
        found = dict(rules.segment_analysis)
        for name, custom in self.custom_segments.items():
            base = found[custom.like]
            found[name] = base.model_copy(
                update={
                    "activity": custom.activity or base.activity,
                    "property_ranges": {**base.property_ranges, **custom.property_ranges},
                    "event_probabilities": {**base.event_probabilities, **custom.event_probabilities},
                }
            )
        return {name: found[name] for name, share in self.segments.items() if share}


def configuration_from(values: Mapping[str, Any], where: str) -> Configuration:
    """Returns a configuration from the values of a file or of options.

    Args:
        where: source of the values, for the error.

    Raises:
        ConfigurationError: when fields are invalid; names all of them.
    """
    try:
        return Configuration.model_validate(values)
    except ValidationError as error:
        lines = [f"- {line}" for line in violations(error)]
        raise ConfigurationError(f"A run cannot be configured by {where}:\n" + "\n".join(lines)) from None


def read_configuration(path: Path) -> dict[str, Any]:
    """Returns the configuration values of a JSON file, which may be incomplete.

    Raises:
        ConfigurationError: when it cannot be read, or is not a JSON object.
    """
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path} is not a configuration of a run: expected a JSON object.")
    return values
