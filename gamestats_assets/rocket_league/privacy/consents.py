"""What players allow, purpose by purpose, and what is made without those who do not allow it.

The texts that people agree to stand in `data/reference/rocket_league/consents.toml`, every version that ever was: what
somebody agreed to can be read for ever. A purpose that is not allowed counts from the next run on.
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
"""The column of `ops.rl_players` that says since when a player allows each purpose."""
BALLCHASING = "ballchasing"
"""The purpose of uploads to ballchasing, which has a visibility instead."""


@dataclass(frozen=True, slots=True)
class ConsentText:
    """What somebody agrees to.

    Attributes:
        title: what is allowed, in a few words.
        text: what is done then, and what is not done otherwise.
    """

    title: str
    text: str


@functools.cache
def consent_texts() -> Mapping[int, Mapping[str, ConsentText]]:
    """By version, the oldest first, the text of each purpose."""
    read = shipped_facts("data", "reference", "rocket_league", "consents.toml")
    return {
        each["version"]: {name: ConsentText(**each[name]) for name in (*PURPOSES, BALLCHASING)}
        for each in sorted(read["texts"], key=lambda each: each["version"])
    }


def newest_text() -> int:
    """The version of the texts that people are shown."""
    return max(consent_texts())


def withheld(players: dy.LazyFrame[RlPlayers]) -> dy.LazyFrame[Withheld]:
    """What tracked players do not allow; who tracks somebody has asked for nothing yet, and that allows nothing."""
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
    """Rows of players (`player_id`) less those of who does not allow a purpose."""
    return rows.join(withheld.filter(pl.col("purpose") == purpose), on="player_id", how="anti")
