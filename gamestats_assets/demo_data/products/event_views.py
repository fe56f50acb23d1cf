"""A view of each product's published events, with a typed column for every property of its taxonomy.

`demo_data.events_demo_shop` has the core columns of `demo_data.events` and one column per declared property: numbers,
truth values, times and texts as such, lists and objects as JSON. A value that does not have the declared type is null,
except that number columns accept numbers sent as texts, and text columns hold every value as text.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import psycopg
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.demo_data.tables import Events
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.lakehouse.published.tables import DERIVED_VIEW, ensure_table

_LONGEST_NAME = 63
# PostgreSQL refuses a whole query for one text that it cannot convert, so these let only convertible texts through.
# Their bounds are far beyond the numbers that the wire format allows.
_NUMBER = r"^-?[0-9]{1,40}(\.[0-9]{1,100})?([eE][-+]?[0-9]{1,2})?$"
_TIME = (
    r"^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]) "
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?$"
)
# The month may have fewer days than the text has.
_TIMESTAMP = sql.SQL(
    "CASE WHEN {0} ~ {1} THEN CASE "
    "WHEN substr({0}, 9, 2)::int <= extract(day FROM (left({0}, 7) || '-01')::date + interval '1 month -1 day') "
    "THEN ({0})::timestamp END END"
)


class ViewNameError(GamestatsError):
    """The views of two products would have the same name."""


def view_name(product: str) -> str:
    """Returns the name of a product's view, with `_` for `-`.

    >>> view_name("demo-shop")
    'events_demo_shop'
    """
    return f"events_{product.replace('-', '_')}"[:_LONGEST_NAME]


def declared_columns(taxonomy: pl.DataFrame) -> list[tuple[str, str, str]]:
    """Returns column, property and type of each property that a product declares for events.

    A common property keeps its own type, whatever single events declare. A name that only events declare, in several
    types, gets a text column, which holds all of them.

    Args:
        taxonomy: rows of one product's `DemoTaxonomy`.
    """
    core = {name.lower() for name in Events.column_names()}
    columns: dict[str, tuple[str, str]] = {}
    types: dict[str, dict[str, list[str]]] = {}
    declared = taxonomy.filter(
        pl.col("scope").is_in(["event", "common"])
        & (pl.col("property") != "")
        & ~pl.col("property").str.contains(".", literal=True)
    ).sort("position")
    for scope, name, kind in declared.select("scope", "property", "property_type").iter_rows():
        column = f"property_{name}" if name.lower() in core else name
        key = column.lower()[:_LONGEST_NAME]
        columns.setdefault(key, (column, name))
        types.setdefault(key, {}).setdefault(scope, []).append(kind)
    return [(*named, _one_type(**types[key])) for key, named in columns.items()]


def _one_type(common: Sequence[str] = (), event: Sequence[str] = ()) -> str:
    if common:
        return common[0]
    return event[0] if len(set(event)) == 1 else "string"


def replace_view(url: SecretStr, product: str, taxonomy: pl.DataFrame, content: str = "") -> int:
    """Replaces a product's view; returns the number of columns it adds.

    Args:
        content: fingerprint of the taxonomy, for `contents_of_views`.

    Raises:
        ViewNameError: when another product's view has this name.
        PostgresError: when PostgreSQL refuses the view.
    """
    columns = declared_columns(taxonomy)
    named = view_name(product)
    with connect(url) as conn, conn.transaction():
        ensure_table(conn, Events)
        _refuse_other(conn, named, product)
        view = sql.Identifier(Events.spec.game, named)
        conn.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(view))
        core = [sql.Identifier(column) for column in Events.column_names()]
        typed = [
            sql.SQL("{} AS {}").format(_typed(prop, kind), sql.Identifier(column)) for column, prop, kind in columns
        ]
        statement = sql.SQL(
            "CREATE VIEW {} AS SELECT {} FROM (SELECT *, properties::jsonb AS p FROM {}) e WHERE product = {}"
        )
        events = sql.Identifier(Events.spec.game, Events.spec.name)
        conn.execute(statement.format(view, sql.SQL(", ").join([*core, *typed]), events, sql.Literal(product)))
        comment = sql.Literal(f"{DERIVED_VIEW}events of {product} {content}")
        conn.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(view, comment))
    return len(columns)


def contents_of_views(url: SecretStr) -> dict[str, str]:
    """Returns by product with a view the fingerprint of the view's taxonomy.

    Raises:
        PostgresError: when PostgreSQL cannot be reached.
    """
    begins = f"{DERIVED_VIEW}events of "
    query = """
        SELECT obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relkind = 'v' AND starts_with(obj_description(c.oid, 'pg_class'), %s)
    """
    with connect(url) as conn:
        comments = [text for (text,) in conn.execute(query, [Events.spec.game, begins]).fetchall()]
    parts = (text.removeprefix(begins).partition(" ") for text in comments)
    return {product: content for product, _, content in parts}


def _refuse_other(conn: psycopg.Connection, name: str, product: str) -> None:
    comment = conn.execute(
        "SELECT obj_description(to_regclass(%s), 'pg_class')", [f'{Events.spec.game}."{name}"']
    ).fetchone()
    if (
        comment is not None
        and comment[0] is not None
        and not comment[0].startswith(f"{DERIVED_VIEW}events of {product} ")
    ):
        raise ViewNameError(
            f"The view {Events.spec.game}.{name} of {product} has the name of another relation ({comment[0]}). "
            "Rename one of them."
        )


def _typed(name: str, kind: str) -> sql.Composed:
    """Returns the SQL of a property's column."""
    value, text = (sql.SQL("p {} {}").format(sql.SQL(way), sql.Literal(name)) for way in ("->", "->>"))
    match kind:
        case "number":
            return sql.SQL(
                "CASE WHEN jsonb_typeof({0}) = 'number' OR jsonb_typeof({0}) = 'string' AND {1} ~ {2} "
                "THEN ({1})::double precision END"
            ).format(value, text, sql.Literal(_NUMBER))
        case "boolean":
            return sql.SQL("CASE {} WHEN 'true' THEN true WHEN 'false' THEN false END").format(text)
        case "time":
            return _TIMESTAMP.format(text, sql.Literal(_TIME))
        case "list" | "object" | "object_group":
            return sql.SQL("{}").format(value)
        case _:
            return sql.SQL("{}").format(text)
