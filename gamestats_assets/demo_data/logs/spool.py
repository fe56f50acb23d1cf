"""Rows on disk, kept until all of them have been read and can be compared."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import polars as pl

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation


class Spool:
    """Tables of a temporary DuckDB database; memory does not grow with their rows.

    Args:
        tables: by name, the columns with their polars types.
    """

    def __init__(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        import duckdb

        self._folder = tempfile.TemporaryDirectory(prefix="gamestats-rows-")
        place = str(Path(self._folder.name, "rows.duckdb"))
        self._con = duckdb.connect(place, config={"autoinstall_known_extensions": "false"})
        self._con.execute("SET enable_progress_bar = false")
        for name, columns in tables.items():
            self._relation(pl.DataFrame(schema=dict(columns))).create(name)

    def add(self, table: str, rows: pl.DataFrame) -> None:
        """Appends rows to a table."""
        self._relation(rows).insert_into(table)

    def derive(self, table: str, sql: str, **parameters: Any) -> None:
        """Makes a table from a SELECT over the others."""
        self._con.sql(sql, params=parameters or None).create(table)

    def hold(self, table: str, sql: str, **parameters: Any) -> int:
        """Holds the result of a SELECT in memory under a name, replacing an earlier one; returns its number of rows."""
        rows = self.query(sql, **parameters)
        self._con.register(table, rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
        return rows.height

    def define(self, sql: str) -> None:
        """Defines a macro for later queries."""
        self._con.execute(sql)

    def pieces(self, sql: str, **parameters: Any) -> Iterator[pl.DataFrame]:
        """Yields the result of a SELECT over the tables, a piece at a time."""
        for batch in self._con.sql(sql, params=parameters or None).to_arrow_reader(65_536):
            yield cast(pl.DataFrame, pl.from_arrow(batch))

    def query(self, sql: str, **parameters: Any) -> pl.DataFrame:
        """Returns the result of a SELECT over the tables."""
        return cast(pl.DataFrame, pl.from_arrow(self._con.sql(sql, params=parameters or None).to_arrow_table()))

    def close(self) -> None:
        """Deletes everything."""
        self._con.close()
        self._folder.cleanup()

    def _relation(self, rows: pl.DataFrame) -> DuckDBPyRelation:
        return self._con.from_arrow(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
