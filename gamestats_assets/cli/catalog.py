"""The catalogue of all tables, without loading Dagster, so that queries of the lake start quickly."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.tables import GAMES, tables_of

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.table import Table


class UnknownTableError(GamestatsError):
    """A table is named that is not declared."""


def declared_tables() -> tuple[type[Table], ...]:
    """The tables of every game, in the order of the layers within each."""
    return tables_of()


class _QueryableTables(Mapping[str, "type[Table]"]):
    """Every table that a query may name; of a name, its game alone is imported."""

    def __getitem__(self, name: str) -> type[Table]:
        # `pubg.matches` and `pubg_ledger.matches` are of the game pubg.
        for game in GAMES:
            if name.startswith(game) and (table := _queryable(game).get(name)):
                return table
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for game in GAMES for name in _queryable(game))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@functools.cache
def _queryable(game: str) -> dict[str, type[Table]]:
    from gamestats_assets.lakehouse.delta.ledger import ledger_of
    from gamestats_assets.lakehouse.quality import quarantine_of

    tables = tables_of(game)
    everything = [*tables, quarantine_of(game), *map(ledger_of, tables)]
    return {table.spec.dotted: table for table in everything}


def queryable_tables() -> Mapping[str, type[Table]]:
    """By `game.table`: the declared tables, every game's quarantine, every table's ledger."""
    return _QueryableTables()


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
    """Every game."""
    return sorted(GAMES)
