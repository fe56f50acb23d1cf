"""`gamestats tables` and `gamestats query`: what is there, and answers from it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from gamestats_assets.cli.catalog import declared_tables, games, queryable_tables
from gamestats_assets.cli.frames import Format, format_for, write_frame
from gamestats_assets.cli.lake.overview import Overview, TableOverview, age, overview
from gamestats_assets.cli.terminal import counted, err, few, out, quiet_warnings, say, show, status

if TYPE_CHECKING:
    import polars as pl

    from gamestats_assets.lakehouse.landing.zone import Landing

Harmless = Annotated[
    bool | None,
    typer.Option(
        "--no-formulas/--formulas",
        help="CSV: a ' before texts that a spreadsheet would run, such as =1+1. By default in files, not on stdout.",
    ),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write to.")]


_NOT_PUBLISHED = r"(relation|schema) .* does not exist|permission denied for (table|view|schema)"


class On(StrEnum):
    """Where a query runs."""

    LAKE = "lake"
    POSTGRES = "postgres"


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; tables are named as in pubg.matches.")],
    on: Annotated[On, typer.Option(help="The lake (DuckDB dialect), or the published tables (PostgreSQL).")] = On.LAKE,
    form: Annotated[
        Format | None, typer.Option("--format", "-f", help="By default a table, or what the file's name says.")
    ] = None,
    output: Output = None,
    harmless: Harmless = None,
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
    write_frame(_answer(sql, on), format_for(form, output), output, harmless=harmless)
    _say_what_is_set_aside(sql)


def _say_what_is_set_aside(sql: str) -> None:
    """Say of which games the answer may lack something; who asks for the quarantine knows."""
    named = [game for game in games() if re.search(rf"\b{game}\W+\w", sql)]
    if not named or re.search(r"\bquarantine\b", sql):
        return
    from gamestats_assets.lakehouse.delta.set_aside import units_set_aside, where_to_look
    from gamestats_assets.lakehouse.stores import Stores

    lake = Stores().lake
    for game in named:
        if count := units_set_aside(lake, game):
            units = counted(count, "match or log", "matches or logs")
            said = f"{units} of {game} {'is' if count == 1 else 'are'} set aside. {where_to_look(game)}"
            say(said, "yellow", console=err())


def _answer(sql: str, on: On) -> pl.DataFrame:
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    if on is On.POSTGRES:
        from gamestats_assets.lakehouse.postgres import server as postgres
        from gamestats_assets.lakehouse.postgres.roles import reading_url

        try:
            return postgres.query(reading_url(stores.settings), sql)
        except postgres.QueryError as error:
            if not re.search(_NOT_PUBLISHED, str(error)):
                raise
            raise postgres.QueryError(
                f"{error} Only gold tables are published, once they are materialised: `gamestats tables` shows "
                "which; without --on postgres the same SQL reads every table of the lake."
            ) from None
    from gamestats_assets.lakehouse.models.sql import query as ask

    known = queryable_tables()
    return ask(sql, lambda name: stores.lake.source(known[name]), known)


def tables(
    form: Annotated[Format, typer.Option("--format", "-f", help="How the list is written.")] = Format.TABLE,
    output: Output = None,
) -> None:
    """List every table: rows, last partition, freshness, what is behind and why, checks, rows published.

    Nothing is started to answer. While PostgreSQL does not run, it is unknown what is behind and published.
    What is in quarantine as a whole (a match, a log file) is named below.

    Example:

        gamestats tables --format json
    """
    quiet_warnings()
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    with status("Looking at the tables"):
        found = overview(stores, declared_tables())
    if form is Format.TABLE and output is None:
        show(_table_of(found, is_narrow=out().is_terminal and out().width < _WIDTH))
        _say_why(found)
        _say_what_is_quarantined(found.quarantined)
        say(_landed(stores.landing), "dim", console=err())
    else:
        write_frame(_frame_of(found), form, output)
    if not found.postgres_runs:
        say(
            "PostgreSQL does not run, so it is unknown what is behind and published; `gamestats up` starts it.",
            "dim",
            console=err(),
        )


def _say_what_is_quarantined(found: pl.DataFrame) -> None:
    """Name what is in quarantine as a whole, some of each table."""
    for (table,), entries in found.group_by("table", maintain_order=True):
        units = [
            f"{unit} ({partition})" if partition else unit
            for unit, partition in entries.select("unit", "partition").iter_rows()
        ]
        game = str(table).partition(".")[0]
        say(f"In quarantine of {table}: {few(units)}. {entries['reason'][0]}", "yellow")
        say(f'  All of it: gamestats query "from {game}.quarantine"', "dim")


def _landed(landing: Landing) -> str:
    """What the landing zone holds, which is files and no table."""
    days: list[str] = []
    for game in games():
        own, areas = len(landing.days(game)), landing.areas(game)
        days += [f"{game} {counted(own, 'day')}"] if own else []
        days += [f"{game} {area} {counted(len(landing.days(f'{game}/{area}')), 'day')}" for area in areas]
    return (
        f"Landed files, which are no tables: {few(days) or 'none'}. "
        "Those of generated products are made by demo_data.demo_logs."
    )


# Columns of a terminal that the whole overview needs.
_WIDTH = 130
_LONGEST_STATE = 60
_STATES = {"up to date": "green", "unknown": "dim"}
_STYLES = {"fresh": "green", "stale": "yellow", "never": "dim", "no policy": ""}


def _table_of(found: Overview, *, is_narrow: bool) -> RichTable:
    """The overview; on a narrow terminal without what can be spared, so that a table stays a line."""
    now = datetime.now(UTC)
    columns: dict[str, Callable[[TableOverview], str | Text]] = {
        "table": lambda table: table.name,
        "rows": lambda table: "-" if table.rows is None else f"{table.rows:,}",
        "last partition": lambda table: table.last_partition or "-",
        "freshness": lambda table: _freshness(table, now),
        "state": _state,
        "checks": _checks,
        "published rows": _published,
    }
    if is_narrow:
        columns = {
            "table": columns["table"],
            "rows": columns["rows"],
            "last": columns["last partition"],
            "state": _state,
            "checks": lambda table: _checks(table, is_short=True),
        }
    listed = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1 if is_narrow else 2, 0, 0))
    for heading in columns:
        listed.add_column(heading, justify="right" if "rows" in heading else "left", no_wrap=True, overflow="ellipsis")
    for table in found.tables:
        listed.add_row(*(text_of(table) for text_of in columns.values()))
    return listed


def _state(table: TableOverview) -> Text:
    text = textwrap.shorten(table.state, _LONGEST_STATE, placeholder=" ...")
    return Text(text, style=_STATES.get(table.state, "yellow"))


def _say_why(found: Overview) -> None:
    """Say once, with the tables, each state that is too long for its column."""
    tables: dict[str, list[str]] = {}
    for table in found.tables:
        if len(table.state) > _LONGEST_STATE:
            tables.setdefault(table.state, []).append(table.name)
    for state, names in tables.items():
        say(f"{few(names)}: {state}", "yellow")


def _freshness(table: TableOverview, now: datetime) -> Text:
    ago = f", {age(table.made_at, now)} old" if table.made_at else ""
    return Text(f"{table.freshness}{ago}", style=_STYLES[table.freshness])


def _checks(table: TableOverview, *, is_short: bool = False) -> Text:
    style = "red" if table.checks.failed else "yellow" if table.checks.warned else "green"
    text = f"{table.checks.passed}/{table.checks.total}" if is_short else str(table.checks)
    text += f"; {table.set_aside} set aside" if table.set_aside and not is_short else ""
    return Text(text, style=style if table.checks.is_known else "dim")


def _published(table: TableOverview) -> str:
    if not table.published:
        return ""
    return "unknown" if table.published_rows is None else f"{table.published_rows:,}"


def _frame_of(found: Overview) -> pl.DataFrame:
    import polars as pl

    texts = ("name", "layer", "last_partition", "freshness", "state", "checks")
    types = {"made_at": pl.Datetime("us", "UTC"), "published": pl.Boolean} | dict.fromkeys(texts, pl.String())
    columns = [field.name for field in fields(TableOverview)]
    rows = [{name: getattr(table, name) for name in columns} | {"checks": str(table.checks)} for table in found.tables]
    schema = {name: types.get(name, pl.Int64()) for name in columns}
    return pl.DataFrame(rows, schema=schema).rename({"name": "table"})
