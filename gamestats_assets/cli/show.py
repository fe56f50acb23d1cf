"""`gamestats tables` and `gamestats query`: what is there, and answers from it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from gamestats_assets.cli.frames import Format, format_for, write_frame
from gamestats_assets.cli.known import declared_tables, queryable_tables
from gamestats_assets.cli.terminal import err, quiet_warnings, say, show, status

if TYPE_CHECKING:
    import polars as pl

    from gamestats_assets.cli.overview import Overview, TableOverview

Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write to.", show_default=False)]


class On(StrEnum):
    """Where a query runs."""

    LAKE = "lake"
    POSTGRES = "postgres"


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One SELECT; tables are named as in pubg.matches.", show_default=False)
    ],
    on: Annotated[On, typer.Option(help="The lake (DuckDB dialect), or the published tables (PostgreSQL).")] = On.LAKE,
    form: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="By default a table, or what the file's name says.", show_default=False),
    ] = None,
    output: Output = None,
) -> None:
    """Answer a question in SQL.

    In the lake stand all tables of `gamestats tables`, and pubg.quarantine (what was
    rejected, and why) and the ledgers (pubg_ledger.raw, ...: what each step has processed).
    Queries read; they cannot change anything.

    Examples:

        gamestats query "select map_name, count(*) as matches from pubg.matches group by all order by matches desc"
        gamestats query "describe pubg.match_summaries"
        gamestats query "select * from pubg.matches" --output matches.parquet
        gamestats query "select count(*) from pubg.landings" --on postgres --format json
    """
    quiet_warnings()
    write_frame(_answer(sql, on), format_for(form, output), output)


def _answer(sql: str, on: On) -> pl.DataFrame:
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    if on is On.POSTGRES:
        from gamestats_assets.lakehouse import postgres

        return postgres.query(stores.postgres_url, sql)
    from gamestats_assets.lakehouse.sql import query as ask

    known = queryable_tables()
    return ask(sql, lambda name: stores.lake.source(known[name]), known)


def tables(
    form: Annotated[Format, typer.Option("--format", "-f", help="How the list is written.")] = Format.TABLE,
    output: Output = None,
) -> None:
    """List every table: layer, rows, last partition, freshness, checks, rows published.

    Nothing is started to answer. What PostgreSQL knows (checks, published rows) is shown as
    unknown while it does not run.

    Example:

        gamestats tables --format json
    """
    quiet_warnings()
    from gamestats_assets.cli.overview import overview
    from gamestats_assets.lakehouse.stores import Stores

    with status("Looking at the tables"):
        found = overview(Stores(), declared_tables())
    if form is Format.TABLE and output is None:
        show(_table_of(found))
    else:
        write_frame(_frame_of(found), form, output)
    if not found.postgres_runs:
        say(
            "PostgreSQL does not run, so checks and published rows are unknown; `gamestats up` starts it.",
            "dim",
            console=err(),
        )


_STYLES = {"fresh": "green", "stale": "yellow", "never": "dim", "no policy": ""}


def _table_of(found: Overview) -> RichTable:
    listed = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading, justify in (
        ("table", "left"),
        ("layer", "left"),
        ("rows", "right"),
        ("last partition", "left"),
        ("freshness", "left"),
        ("checks", "left"),
        ("published rows", "right"),
    ):
        listed.add_column(
            heading,
            justify=justify,  # type: ignore[arg-type]
            overflow="fold",
            no_wrap=heading in ("table", "last partition"),
        )
    now = datetime.now(UTC)
    for table in found.tables:
        listed.add_row(
            table.name,
            table.layer,
            "-" if table.rows is None else f"{table.rows:,}",
            table.last_partition or "-",
            _freshness(table, now),
            _checks(table),
            _published(table),
        )
    return listed


def _freshness(table: TableOverview, now: datetime) -> Text:
    from gamestats_assets.cli.overview import age

    ago = f", {age(table.materialised_at, now)} old" if table.materialised_at else ""
    return Text(f"{table.freshness}{ago}", style=_STYLES[table.freshness])


def _checks(table: TableOverview) -> Text:
    if table.checks is None:
        return Text("unknown", style="dim")
    style = "red" if table.checks.failed else "yellow" if table.checks.warned else "green"
    return Text(str(table.checks), style="dim" if table.checks.never == table.checks.total else style)


def _published(table: TableOverview) -> str:
    if not table.published:
        return ""
    return "unknown" if table.published_rows is None else f"{table.published_rows:,}"


def _frame_of(found: Overview) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(
        [
            {
                "table": table.name,
                "layer": table.layer,
                "rows": table.rows,
                "last_partition": table.last_partition,
                "materialised_at": table.materialised_at,
                "freshness": table.freshness,
                "checks": "unknown" if table.checks is None else str(table.checks),
                "published": table.published,
                "published_rows": table.published_rows,
            }
            for table in found.tables
        ],
        schema={
            "table": pl.String,
            "layer": pl.String,
            "rows": pl.Int64,
            "last_partition": pl.String,
            "materialised_at": pl.Datetime("us", "UTC"),
            "freshness": pl.String,
            "checks": pl.String,
            "published": pl.Boolean,
            "published_rows": pl.Int64,
        },
    )
