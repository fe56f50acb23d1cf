"""Lines of answers: columns of a published table under the names that the API gives them.

The model of a line comes from the declaration of the table, so a column is described once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, LiteralString, TypeVar

import polars as pl
from psycopg import sql
from pydantic import BaseModel, Field, create_model

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.serving.answers.routes import Page
from gamestats_assets.serving.database import Connection

_TYPES: Mapping[Any, type] = {
    pl.Boolean: bool,
    pl.Int16: int,
    pl.Int32: int,
    pl.Int64: int,
    pl.Float64: float,
    pl.String: str,
    pl.Date: date,
    pl.Datetime: datetime,
}
Order = Annotated[Literal["asc", "desc"], Field(description="Which way.")]


Data = TypeVar("Data")


class Answer(BaseModel, Generic[Data]):
    """The answer."""

    data: Data


def named(*columns: str) -> dict[str, str]:
    """Columns that keep their names in answers."""
    return {column: column for column in columns}


class Lines:
    """Rows of a table in answers.

    Args:
        name: name of the model.
        table: the table with the rows.
        columns: by name in the answer, the column; or the type of a value that the route adds.
        digits: digits to which figures are rounded, by name in the answer.
    """

    def __init__(
        self,
        name: str,
        table: type[Table],
        columns: Mapping[str, str | Any],
        *,
        digits: Mapping[str, int] | None = None,
    ) -> None:
        self.table, self.digits = table, digits or {}
        self.columns = {given: column for given, column in columns.items() if isinstance(column, str)}
        fields: dict[str, Any] = {
            given: _field(table, column) if isinstance(column, str) else column for given, column in columns.items()
        }
        self.model: type[BaseModel] = create_model(name, __doc__=table.description(), **fields)

    def select(self, *columns: str, of: type[Table] | None = None, **expressions: LiteralString) -> sql.Composed:
        """Returns the query of the rows. Conditions use names of the table, orders use names of the answer.

        Args:
            columns: further columns of the table that the route needs.
            of: another table with the same columns, to read instead.
            expressions: by name, values that are no columns of the table, or replace one.
        """
        spec = (of or self.table).spec
        named = self.columns | {column: column for column in columns}
        named = {name: column for name, column in named.items() if name not in expressions}
        listed = [
            sql.SQL("{} AS {}").format(sql.Identifier(spec.name, column), sql.Identifier(name))
            for name, column in named.items()
        ]
        listed += [sql.SQL(text) + sql.SQL(" AS ") + sql.Identifier(name) for name, text in expressions.items()]
        whole = sql.Identifier(spec.game, spec.name)
        return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(listed), whole)

    def line(self, row: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Returns a row of the answer, with the values that are no columns of the table."""
        found = {**row, **more}
        for name, digits in self.digits.items():
            found[name] = None if found[name] is None else round(found[name], digits)
        # In the order of the model; optional values are left out if absent.
        return {name: found[name] for name in self.model.model_fields if name in found}


def _field(table: type[Table], column: str) -> Any:
    declared = table.columns()[column]
    kind = _type(declared.dtype)
    return Annotated[kind | None if declared.nullable else kind, Field(description=declared.description)]


def _type(dtype: Any) -> Any:
    return list[_type(dtype.inner)] if isinstance(dtype, pl.List) else _TYPES[type(dtype)]


class Published(BaseModel):
    """Metadata of every answer."""

    timestamp: Annotated[datetime | None, Field(description="When the data were published, UTC.")]


def answer_of(
    name: str, lines: Mapping[str, type[BaseModel]], *, metadata: type[BaseModel] = Published, counted: bool = False
) -> type[BaseModel]:
    """Returns the model of an answer that lists lines.

    Args:
        lines: the listed lines, by name.
        metadata: model of the metadata.
        counted: whether it is one page and gives the total number of lines.
    """
    total: dict[str, Any] = (
        {"total_count": Annotated[int, Field(ge=0, description="Number of lines on all pages.")]} if counted else {}
    )
    listed: dict[str, Any] = {key: list[line] for key, line in lines.items()}
    return answer_with(name, create_model(f"{name}Data", **{**listed, **total}), metadata)


def answer_with(name: str, data: type[BaseModel], metadata: type[BaseModel] = Published) -> type[BaseModel]:
    """Returns the model of an answer: its data and its metadata."""
    return create_model(name, metadata=metadata, data=data)


def ordered(names: Sequence[str], order: str) -> sql.Composed:
    """Returns an order: by the first name up or down, then by the others; nulls last."""
    direction = sql.SQL("DESC NULLS LAST" if order == "desc" else "ASC NULLS LAST")
    rest = sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(name)) for name in names[1:])
    return sql.SQL(" ORDER BY {} {}{}").format(sql.Identifier(names[0]), direction, rest)


async def rows_of(
    conn: Connection, query: LiteralString | sql.SQL | sql.Composed, values: Sequence[Any] | Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Returns the rows of a query."""
    return await (await conn.execute(query, values)).fetchall()


async def are_published(conn: Connection, *tables: type[Table]) -> bool:
    """Whether tables exist in PostgreSQL; those of a game do not before its first data have landed.

    Once they exist, it is not asked again: a rebuilt table replaces the old one in one transaction.
    """
    where = (conn.info.host, conn.info.port, conn.info.dbname)
    named = {(*where, table.spec.dotted) for table in tables}
    if named <= _THERE:
        return True
    query = "SELECT bool_and(to_regclass(name) IS NOT NULL) AS are_there FROM unnest(%s::text[]) AS named (name)"
    are_there = (await rows_of(conn, query, [[table.spec.dotted for table in tables]]))[0]["are_there"]
    if are_there:
        _THERE.update(named)
    return are_there


_THERE: set[tuple[Any, ...]] = set()
"""Tables known to exist, by server, database and name."""


async def page_of(
    conn: Connection, query: sql.Composable, bound: Mapping[str, Any], page: Page, order: sql.Composable
) -> tuple[list[dict[str, Any]], int]:
    """Returns the rows of a page, and the total number of rows."""
    count = sql.SQL("SELECT count(*) AS found FROM ({}) AS rows").format(query)
    [total] = await rows_of(conn, count, bound)
    limited = query + order + sql.SQL(" LIMIT %(limit)s OFFSET %(offset)s")
    span = {"limit": page.page_size, "offset": (page.page - 1) * page.page_size}
    return await rows_of(conn, limited, {**bound, **span}), total["found"]
