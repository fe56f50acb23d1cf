"""Consents of players by purpose, and tables without the players who do not consent.

All versions of the texts are in `data/reference/rocket_league/consents.toml`, so that people can always read the text
that they agreed to. A withdrawal takes effect with the next run.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league.tables import RlPlayers, Withheld
from gamestats_assets.settings import shipped_facts

PURPOSES: Mapping[str, str] = {
    "analysis": "consented_at",
    "cohorts": "cohorts_at",
    "models": "models_at",
    "comparison": "comparison_at",
}
"""Column of `ops.rl_players` with the time of the consent, by purpose."""
BALLCHASING = "ballchasing"
"""The purpose of uploads to ballchasing; it has a visibility instead of a time."""


@dataclass(frozen=True, slots=True)
class ConsentText:
    """The text of a consent.

    Attributes:
        title: the purpose, in a few words.
        text: consequences of consenting and of not consenting.
    """

    title: str
    text: str


@functools.cache
def consent_texts() -> Mapping[int, Mapping[str, ConsentText]]:
    """Returns the text of each purpose, by version, oldest first."""
    read = shipped_facts("data", "reference", "rocket_league", "consents.toml")
    return {
        each["version"]: {name: ConsentText(**each[name]) for name in (*PURPOSES, BALLCHASING)}
        for each in sorted(read["texts"], key=lambda each: each["version"])
    }


def newest_text() -> int:
    """Returns the version of the texts that people see now."""
    return max(consent_texts())


def withheld(players: dy.LazyFrame[RlPlayers]) -> dy.LazyFrame[Withheld]:
    """Returns the purposes that tracked players do not allow; tracking alone allows nothing."""
    allowed = {name: pl.col(column).is_not_null() for name, column in PURPOSES.items() if name != "analysis"}
    rows = (
        players.select("player_id", **allowed)
        .unpivot(on=[*allowed], index="player_id", variable_name="purpose", value_name="is_allowed")
        .filter(~pl.col("is_allowed"))
        .select("player_id", "purpose")
        .sort("player_id", "purpose")
    )
    return Withheld.cast(rows)


def allowing(rows: pl.LazyFrame, withheld: pl.LazyFrame, purpose: str) -> pl.LazyFrame:
    """Returns rows by player (`player_id`), without players who do not allow a purpose."""
    return rows.join(withheld.filter(pl.col("purpose") == purpose), on="player_id", how="anti")
