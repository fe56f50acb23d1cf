"""Wording of days, counts and features, shared by the analysis and the pages.

The names of features are in `data/reference/rocket_league/feature_words.csv`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from gamestats_assets.rocket_league.tables import PlayerMatchFeatures
from gamestats_assets.settings import shipped_rows


def day_words(day: date) -> str:
    """Returns a day as pages write it, for texts outside a page's markup.

    >>> day_words(date(2026, 3, 9))
    '9 Mar 2026'
    """
    return f"{day:%-d %b %Y}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Returns a number with its noun; `many` is the plural, by default with an s.

    >>> counted(1, "match", "matches"), counted(2, "player")
    ('1 match', '2 players')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def players_unit(feature: str) -> tuple[float, str]:
    """Returns the factor from a feature's unit to one that players know, and that unit: 100 uu are a metre.

    >>> players_unit("avg_speed_uu_s"), players_unit("avg_z_uu"), players_unit("save_share")
    ((0.036, 'km/h'), (0.01, 'm'), (1, ''))
    """
    return (0.036, "km/h") if feature.endswith("_uu_s") else (0.01, "m") if feature.endswith("_uu") else (1, "")


def km_h(speed_uu_s: float) -> float:
    """Returns a speed in kilometres per hour.

    >>> round(km_h(2300), 1)
    82.8
    """
    return players_unit("speed_uu_s")[0] * speed_uu_s


class FeatureWords(NamedTuple):
    """Wording of a feature; empty if not needed, or if the column's name suffices.

    Attributes:
        name: name for people.
        own, others: sentences about a player and about others; {} stands for the figure.
        verb, more, less, of_what, unit: for comparisons: the action, how much, of what, and the figures' unit.
    """

    name: str = ""
    own: str = ""
    others: str = ""
    verb: str = ""
    more: str = ""
    less: str = ""
    of_what: str = ""
    unit: str = ""


@functools.cache
def feature_words() -> Mapping[str, FeatureWords]:
    """Returns the wording of features, by column."""
    rows = shipped_rows("data", "reference", "rocket_league", "feature_words.csv")
    return {row.pop("feature"): FeatureWords(**row) for row in rows}


def is_share(feature: str) -> bool:
    """Whether a feature is a share, from 0 to 1."""
    return getattr(PlayerMatchFeatures.columns()[feature], "max", None) == 1
