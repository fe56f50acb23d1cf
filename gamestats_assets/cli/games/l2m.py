"""`gamestats l2m`: the whitelist of addresses, the quality of farmer detection, and simulated logs."""

from __future__ import annotations

import shlex
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gamestats_assets.cli.commands import Form, Output, day_option, entered_by, refuse_used
from gamestats_assets.cli.frames import format_for, write_frame
from gamestats_assets.cli.terminal import CarefulGroup, counted, say, status
from gamestats_assets.l2m.reference.entered import WHITELIST_ENTRY

app = typer.Typer(cls=CarefulGroup)
whitelist_app = typer.Typer(
    cls=CarefulGroup,
    no_args_is_help=True,
    help="""Addresses that many honest players share, such as cafes; they make no account a suspected farmer.

    An entry is the exact beginning of the addresses; it holds for every day.

        gamestats l2m whitelist add 103.7.0. --note "a cafe"
        gamestats l2m whitelist list
        gamestats l2m whitelist remove 103.7.0.
    """,
)
app.add_typer(whitelist_app, name="whitelist")
entered_by(whitelist_app, WHITELIST_ENTRY, add="take", remove="remove", list="list")


class LogFormat(StrEnum):
    """How simulated logs are written."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


@app.command("farmers")
def farmers(
    day: Annotated[datetime | None, day_option("Flags of that day; of any day without.")] = None,
    known: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV file of known farmers: user_id, and signal or not.")
    ] = None,
    form: Form = None,
    output: Output = None,
) -> None:
    """Tell how many accounts each signal of a farmer flags and, of known farmers, how many it finds.

    Known are those a studio has banned, say, or those that were planted in simulated logs. Precision is the known ones'
    share of the flagged, recall the flagged ones' of the known. Who is flagged, and why: l2m.farmers_snapshot.

    Examples:

        gamestats l2m farmers --day 2026-03-07
        gamestats l2m farmers --known banned.csv
    """
    import polars as pl

    from gamestats_assets.l2m.players.farmers import by_signal
    from gamestats_assets.l2m.tables import FarmersSnapshot
    from gamestats_assets.lakehouse.stores import Stores

    labels: pl.DataFrame | None = None
    if known is not None:
        try:
            labels = pl.read_csv(known.read_bytes(), infer_schema=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise typer.BadParameter(f"{known} cannot be read: {error}", param_hint="--known") from None
        if "user_id" not in labels.columns:
            raise typer.BadParameter(
                f"{known} has no column user_id; its columns: {', '.join(labels.columns)}.", param_hint="--known"
            )
    snapshot = Stores().lake.scan(FarmersSnapshot).collect()
    found = by_signal(snapshot, day.date() if day is not None else None, labels)
    write_frame(found.with_columns(pl.col(pl.Float64).round(3)), format_for(form, output), output)


@app.command("simulate")
def simulate_logs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the logs go; a folder for each day.")],
    accounts: Annotated[int, typer.Option(min=1, help="Accounts of the game.")] = 1000,
    days: Annotated[int, typer.Option(min=1, help="Days to simulate.")] = 7,
    start: Annotated[datetime | None, day_option("First UTC day; 2026-03-01 without.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another one gives other logs.")] = 7,
    format: Annotated[LogFormat, typer.Option(help="How they are written.")] = LogFormat.PARQUET,
    planted: Annotated[
        Path | None,
        typer.Option(
            "--farmers",
            metavar="FILE",
            help="CSV file for the planted farmers, as `gamestats l2m farmers --known` reads it.",
        ),
    ] = None,
) -> None:
    """Simulate the seven raw logs of an MMO, and each day's exchange rates: a week to try everything with.

    Farms of accounts behind one address, accounts that gain items and never leave the first level, and a cafe are
    planted in them. The same options give the same logs.

    Examples:

        gamestats l2m simulate l2m-logs
        gamestats l2m simulate l2m-logs --accounts 5000 --days 30 --start 2026-01-01 --format csv
        gamestats l2m simulate l2m-logs --farmers planted.csv
    """
    from gamestats_assets.simulators.l2m.logs import Plan, simulate

    refuse_used(folder)
    first_day = start.date() if start is not None else Plan.start
    try:
        plan = Plan(accounts=accounts, days=days, start=first_day, seed=seed)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--accounts") from None
    with status(f"Simulating {counted(days, 'day')}"):
        truth = simulate(plan, folder, format.value, rates=True)
    rows = sum(sum(day.rows.values()) for day in truth.days)
    say(f"{rows:,} rows of {counted(accounts, 'account')}, {first_day} to {truth.days[-1].ds}: {folder}", "bold")
    counts = dict(truth.farmers.get_column("signal").value_counts().iter_rows())
    say(
        f"Planted: {counted(counts['shared_ip'], 'account')} of farms, "
        f"{counted(counts['level_one'], 'account')} that stay at the first level, "
        f"and honest players of a cafe at {', '.join(truth.whitelist)}"
    )
    if planted is not None:
        truth.farmers.write_csv(planted)
        say(f"Who they are: {planted}")
    say(f"Next: gamestats ingest l2m {shlex.quote(str(folder))}")
    say(f'And:  gamestats l2m whitelist add {truth.whitelist[0]} --note "a cafe"')
