"""How days, numbers of things and features are put into sentences, by the analysis and by the pages alike.

What a feature is called stands in `data/reference/rocket_league/feature_words.csv`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from gamestats_assets.rocket_league.tables import PlayerMatchFeatures
from gamestats_assets.settings import shipped_rows


def day_words(day: date) -> str:
    """A day as pages write it, for texts that are no part of a page's markup.

    >>> day_words(date(2026, 3, 9))
    '9 Mar 2026'
    """
    return f"{day:%-d %b %Y}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number of things; `many` is what several are called, with an s at its end by itself.

    >>> counted(1, "match", "matches"), counted(2, "player")
    ('1 match', '2 players')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def players_unit(feature: str) -> tuple[float, str]:
    """The factor from a feature's unit to one that players know, and that unit: 100 uu are a metre.

    >>> players_unit("avg_speed_uu_s"), players_unit("avg_z_uu"), players_unit("save_share")
    ((0.036, 'km/h'), (0.01, 'm'), (1, ''))
    """
    return (0.036, "km/h") if feature.endswith("_uu_s") else (0.01, "m") if feature.endswith("_uu") else (1, "")


def km_h(speed_uu_s: float) -> float:
    """A speed in kilometres per hour.

    >>> round(km_h(2300), 1)
    82.8
    """
    return players_unit("speed_uu_s")[0] * speed_uu_s


class FeatureWords(NamedTuple):
    """What a feature is called; empty where nobody needs the words, or the name of the column tells them.

    Attributes:
        name: of the feature, for people.
        own, others: sentences about a player and about others; {} is the figure.
        verb, more, less, of_what, unit: of a comparison: what is done, by how much, of what, and the figures' unit.
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
    """What features are called, by their columns."""
    rows = shipped_rows("data", "reference", "rocket_league", "feature_words.csv")
    return {row.pop("feature"): FeatureWords(**row) for row in rows}


def is_share(feature: str) -> bool:
    """Whether a feature is a share, from 0 to 1."""
    return getattr(PlayerMatchFeatures.columns()[feature], "max", None) == 1
