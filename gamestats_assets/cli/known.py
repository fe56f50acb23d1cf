"""Every table there is, found without loading Dagster: questions to the lake should be answered at once."""

from __future__ import annotations

import difflib
import functools
from typing import TYPE_CHECKING

from gamestats_assets.lakehouse.errors import GamestatsError

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.table import Table


class UnknownTableError(GamestatsError):
    """A table is named that is not declared."""


@functools.cache
def declared_tables() -> tuple[type[Table], ...]:
    """The tables of every game, in the order of the layers."""
    from gamestats_assets.tables import ALL

    return ALL


@functools.cache
def queryable_tables() -> dict[str, type[Table]]:
    """By `game.table`: the declared tables, every game's quarantine, every step's ledger."""
    from gamestats_assets.lakehouse.ledger import ledger_of
    from gamestats_assets.lakehouse.quality import quarantine_of

    tables = declared_tables()
    games = sorted({table.spec.game for table in tables})
    steps = sorted({(table.spec.game, table.spec.step) for table in tables})
    everything = [*tables, *(quarantine_of(game) for game in games), *(ledger_of(*step) for step in steps)]
    return {table.spec.dotted: table for table in everything}


def declared_table(name: str) -> type[Table]:
    """The table of a name such as `pubg.matches`.

    Raises:
        UnknownTableError: when there is none of that name; the message names the nearest.
    """
    known = {table.spec.dotted: table for table in declared_tables()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or [other for other in known if other.endswith(f".{name}")]
        advice = f"Did you mean {' or '.join(near)}?" if near else "`gamestats tables` lists them."
        raise UnknownTableError(f"There is no table {name!r}. {advice}")
    return known[name]


def games() -> list[str]:
    """Every game that has tables."""
    return sorted({table.spec.game for table in declared_tables()})
