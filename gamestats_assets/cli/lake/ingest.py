"""`gamestats ingest`: takes raw files into the landing zone."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gamestats_assets.cli.commands import day_option, person
from gamestats_assets.cli.terminal import CarefulGroup, counted, days_named, few, out, say
from gamestats_assets.lakehouse.files.local import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from gamestats_assets.l2m.source import Report
    from gamestats_assets.lakehouse.landing.arrivals import IngestReport, Source

_QUIET_BEYOND = 20
"""More files than these are summed up instead of listed."""

ingest_app = typer.Typer(
    cls=CarefulGroup,
    no_args_is_help=True,
    help="Take raw files into the landing zone: recognised by content, kept as received, each once.",
)


@ingest_app.callback()
def tells_of_it(context: typer.Context) -> None:
    """Notifies the sensor of landed files when the command ends, however it ends."""
    context.call_on_close(_tell_landed)


def _tell_landed() -> None:
    from gamestats_assets.lakehouse.entries.ops import tell
    from gamestats_assets.lakehouse.postgres.embedded import is_available
    from gamestats_assets.lakehouse.postgres.server import PostgresError
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    # Without PostgreSQL no sensor listens; files without a notification are found later.
    if is_available(stores.settings):
        with suppress(PostgresError):
            tell(stores.postgres_url, "landed")


Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders to walk.")]
LogPaths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Log files, or folders to walk.")]
Every = Annotated[bool, typer.Option("--all", help="Print a line for every file, however many.")]

# Each game's source by the module that has it, with what its command says.
_SOURCES = {
    "pubg": (
        "gamestats_assets.pubg.source.files",
        """Take PUBG files: match objects, telemetry, player lists; plain, gzipped or gzipped twice.

        The kind of a file is read from its bytes; its name does not matter. Unreadable files are kept
        as well, counted and reported with the reason. Taking a file again changes nothing.

        Examples:

            gamestats ingest pubg ~/pubg-files
            gamestats ingest pubg match.json telemetry.json.gz
        """,
    ),
    "lol": (
        "gamestats_assets.lol.source",
        """Take League of Legends files: match objects and timelines of match-v5, items and champions of Data Dragon.

        The kind of a file is read from its bytes, plain, gzipped or gzipped twice. Only the language of a Data Dragon
        document is taken from the name of the file or a folder, as in 13.14.1_ko_KR_item.json or
        13.14.1/data/ko_KR/item.json. Unreadable files are kept as well, counted and reported with the reason. Taking
        a file again changes nothing.

        Examples:

            gamestats ingest lol ~/matches ~/timelines
            gamestats ingest lol dragontail/13.14.1/data/en_US/item.json
        """,
    ),
    "rocket-league": (
        "gamestats_assets.rocket_league.source",
        """Take Rocket League files: replays (.replay) as the game saves them, and ballchasing's JSON of a replay.

        The kind of a file is read from its bytes; its name does not matter. The two files of a match belong together:
        ranks come from ballchasing's, touches and the like from the replay. Unreadable files, such as a damaged
        replay or one of an unknown season, are kept as well, counted and reported with the reason. Taking a file again
        changes nothing.

        Examples:

            gamestats ingest rocket-league ~/replays
            gamestats ingest rocket-league match.replay match.ballchasing.json
        """,
    ),
}


def _add_ingest_command(name: str, module: str, text: str) -> None:
    def command(paths: Paths, every: Every = False) -> None:
        _ingest(import_module(module).SOURCE, paths, every=every)

    ingest_app.command(name, help=inspect.cleandoc(text))(command)


for _name, (_module, _text) in _SOURCES.items():
    _add_ingest_command(_name, _module, _text)


def _ingest(source: Source, paths: list[Path], *, every: bool) -> None:
    """Take files of a game and report the outcome; exit code 1 if none could be read."""
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    with counting("Taking files") as progress:
        report = source.ingest(paths, stores.landing, progress=progress)
    if report.quarantined:
        from gamestats_assets.orchestration.freshness.landed import file_refused

        file_refused(stores, source.game, source.refused(stores.landing))
    _print_outcomes(report.outcomes, "quarantined", every=every)
    _print_totals(report, source.game)
    if source.game == "lol" and any(each.status == "taken" and each.match_id is None for each in report.outcomes):
        say("Lists of items or champions came. Next: gamestats materialize")
    if report.files and report.quarantined == report.files:
        raise typer.Exit(1)


def _print_outcomes(outcomes: Sequence[Any], bad: str, *, every: bool) -> None:
    """A line for each outcome if they are few or all are asked for; always for what is quarantined or refused."""
    for outcome in outcomes:
        if every or len(outcomes) <= _QUIET_BEYOND or outcome.status == bad:
            say(outcome.line(), "yellow" if outcome.status == bad else "")


def _print_passed_over(paths: Sequence[Path], why: str, *, every: bool) -> None:
    if paths:
        names = [shown(str(path)) for path in paths]
        named = ", ".join(names) if every else few(names)
        passed_over = f"{counted(len(names), 'file')} passed over, for they are links out of the folder, "
        say(passed_over + why.format(named), "yellow")


def _print_days(
    game: str, days: Collection[str], gained: str, subject: Callable[[list[str]], str] = days_named
) -> None:
    """Say which days gained something, and what of it belongs to days that have no partitions.

    Args:
        gained: what is said of the days that have partitions; `{}` stands for them.
        subject: names what belongs to other days.
    """
    from gamestats_assets.orchestration.partitions import is_partition_day
    from gamestats_assets.tables import first_day

    first = first_day(game)
    if inside := [day for day in days if is_partition_day(day, first)]:
        say(f"{gained.format(days_named(inside))} Next: gamestats materialize")
    outside = [day for day in days if not is_partition_day(day, first)]
    for some, why in (
        (
            [day for day in outside if day < f"{first}"],
            f"before {first}, with which the tables begin: what landed is kept, and stands in no table",
        ),
        (
            [day for day in outside if day >= f"{first}"],
            "still to come: what landed is kept, and processed when its day is there",
        ),
    ):
        if some:
            say(f"{subject(some)}: {why}.", "yellow")


def _print_totals(report: IngestReport, game: str) -> None:
    if not report.files:
        say("There are no files in there.", "yellow")
        return
    kinds = sorted({kind for kind, _ in report.totals})
    width = max(len(kind) + 1 for kind in [*kinds, "unreadable"])
    for kind in kinds:
        by_status = [f"{n:,} {of}" for (found, of), n in report.totals.items() if found == kind]
        say(f"{kind:<{width}}{', '.join(by_status)}")
    refused = sum(n for (_, of), n in report.totals.items() if of == "refused")
    say(
        f"{counted(report.files, 'file')}: {report.taken:,} taken, {report.known:,} known, "
        f"{report.quarantined:,} quarantined{f', {refused:,} refused' if refused else ''}.",
        "bold",
    )
    if report.quarantined:
        say(f'What is quarantined, and why: gamestats query "from {game}.quarantine"')
    if report.days:
        matches = counted(len(report.matches), "match", "matches")
        say(f"{matches} on {days_named(report.days)} gained files. Next: gamestats materialize")
    elif report.taken:
        say("No match gained a file.")


@ingest_app.command("logs")
def ingest_logs(
    paths: LogPaths,
    product: Annotated[str, typer.Option(help="Short name of the product that sent them; added when there is none.")],
    every: Every = False,
) -> None:
    """Take ThinkingData logs of a product: JSON lines, plain or gzipped, of any days.

    Of a folder those files are taken that are called like logs (.jsonl, .json, .log, .gz, log.2026-01-01,
    log.2026-01-01_0) or begin with a JSON object. Lines are kept as they are and land under the day of
    their own time. Taking a file again changes nothing.

    Examples:

        gamestats ingest logs demo-game --product game
        gamestats ingest logs /var/log/app/log.2026-01-01 --product shop
    """
    from gamestats_assets.demo_data.logs.landing import land_logs
    from gamestats_assets.demo_data.products.entered import PRODUCT
    from gamestats_assets.lakehouse.entries.ops import entering
    from gamestats_assets.lakehouse.stores import Stores

    stores = Stores()
    with entering(stores.postgres_url, person()) as conn:
        if not PRODUCT.rows(conn, product=product):
            say(PRODUCT.add(conn, product).line(), "green")
    with counting("Taking files") as progress:
        report = land_logs(paths, product, stores.landing, progress=progress)
    _print_outcomes(report.outcomes, "refused", every=every)
    why = "or neither name nor content is a log's: {}. Name a file by itself to have it taken all the same."
    _print_passed_over(report.passed_over, why, every=every)
    if not report.files:
        say("There are no log files in there.", "yellow")
        return
    taken, known, refused = (report.count(status) for status in ("taken", "known", "refused"))
    say(
        f"{counted(report.files, 'file')}, {counted(report.lines, 'line')}: {taken:,} taken, {known:,} known, "
        f"{refused:,} refused.",
        "bold",
    )
    lines = {str(day): number for day, number in report.lines_by_day.items()}
    _print_days(
        "demo_data",
        report.days,
        f"{{}} of {product} gained lines.",
        lambda days: f"{sum(lines.get(day, 0) for day in days):,} of the lines ({days_named(days)})",
    )
    if refused == report.files:
        raise typer.Exit(1)


@ingest_app.command("l2m")
def ingest_l2m(
    paths: LogPaths,
    day: Annotated[datetime | None, day_option("UTC day of all the files.")] = None,
    log: Annotated[
        str | None, typer.Option(metavar="NAME", help="Log of all the files, such as login or item_gain.")
    ] = None,
    columns: Annotated[
        Path | None, typer.Option(metavar="FILE", help='JSON that tells your column names: {"*": {"user_id": "uid"}}.')
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="The files come to those delivered before, and do not replace them.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Print a line for every log of every day, however many.")
    ] = False,
) -> None:
    """Take raw logs of the MMO: Parquet, CSV or JSON lines, plain or gzipped; exchange rates; ThinkingData records.

    A file's name, or that of a folder, tells which log it is (login, logout, recharge, increase_item or item_gain,
    decrease_item or item_spend, increase_money or money_gain, decrease_money or money_spend, exchange_rates) and which
    day (2026-03-01 or 20260301). The files of a log of a day are one delivery: the same again changes nothing, and
    others replace what was delivered before, unless they are added.

    Examples:

        gamestats ingest l2m logs
        gamestats ingest l2m export.csv --day 2026-03-01 --log item_gain --columns columns.json
        gamestats ingest l2m late/2026-03-01/login-2.csv --add
    """
    from gamestats_assets.l2m.logs.columns import read_mapping
    from gamestats_assets.l2m.source import GAME, deliver, kept_logs, refused
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.orchestration.freshness.landed import file_refused

    stores = Stores()
    mapping = read_mapping(columns.read_bytes(), str(columns)) if columns is not None else None
    with counting("Taking files") as progress:
        report = deliver(
            paths,
            stores.landing,
            day=day.date() if day is not None else None,
            log=log,
            columns=mapping,
            add=add,
            progress=progress,
        )
    if report.count("refused"):
        file_refused(stores, GAME, refused(stores.landing))
    _print_deliveries(report, every=every)
    for kept_on, logs in kept_logs(stores.landing, report).items():
        say(f"{kept_on} keeps what was delivered before of {', '.join(logs)}.")
    if report.count("refused"):
        raise typer.Exit(1)


def _print_deliveries(report: Report, *, every: bool) -> None:
    _print_outcomes(report.outcomes, "refused", every=every)
    _print_passed_over(report.passed_over, "or their names are no logs': {}.", every=every)
    files = sum(outcome.files for outcome in report.outcomes)
    delivered, known, refused = (report.count(status) for status in ("delivered", "known", "refused"))
    logs = counted(len(report.outcomes), "daily log")
    say(f"{counted(files, 'file')}, {logs}: {delivered:,} delivered, {known:,} known, {refused:,} refused.", "bold")
    _print_days("l2m", report.days, "{} gained logs.")


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, driven by a callback (done, in all); nothing elsewhere."""
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        console=out(),
        transient=True,
        disable=not out().is_terminal,
    ) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
