"""`gamestats taxonomy`, `logs` and `report`: checks taxonomies and logs, uploads logs, measures generated data."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table as RichTable

from gamestats_assets.cli.games.generate import ADVICE, bars, is_taken, read_named, taxonomy_path
from gamestats_assets.cli.terminal import CarefulGroup, counted, err, say, show, status

taxonomy_app = typer.Typer(cls=CarefulGroup, no_args_is_help=True, help="Look at an event taxonomy.")
logs_app = typer.Typer(
    cls=CarefulGroup, no_args_is_help=True, help="Check ThinkingData logs, and bring them to a receiver."
)

Taxonomy = Annotated[
    str,
    typer.Argument(
        metavar="TAXONOMY",
        help=f"An .xlsx file, a .csv file, a folder of .csv files, or the name of one that is shipped. {ADVICE}",
    ),
]


@taxonomy_app.command("check")
def check_taxonomy(taxonomy: Taxonomy) -> None:
    """List every mistake of a taxonomy, with sheet, row and column; and what looks doubtful.

    Exits with 1 when there are mistakes.

    Example:

        gamestats taxonomy check plan.xlsx
    """
    from gamestats_assets.demo_data.analysis.analyst import analyse, contradictions
    from gamestats_assets.demo_data.taxonomies.model import flattened
    from gamestats_assets.demo_data.taxonomies.product import ProductInfo
    from gamestats_assets.demo_data.taxonomies.reader import check_taxonomy as check
    from gamestats_assets.lakehouse.stores import Stores

    report = check(taxonomy_path(taxonomy), Stores().read_limits)
    read = report.taxonomy
    for warning in [*report.warnings, *(contradictions(read, analyse(read, ProductInfo())) if read else ())]:
        say(f"Doubtful: {warning}", "yellow")
    for mistake in report.mistakes:
        say(f"Mistake: {mistake}", "red", console=err())
    if read is not None:
        properties = sum(len(list(flattened(event.properties))) for event in read.events)
        say(
            f"{read.name}: {counted(len(read.events), 'event')} with {properties} properties, "
            f"{len(list(flattened(read.common_properties)))} common ones, "
            f"{len(list(flattened(read.user_properties)))} of users.",
            "bold",
        )
    if report.mistakes:
        say(f"{counted(len(report.mistakes), 'mistake')}.", "red", console=err())
        raise typer.Exit(1)


@taxonomy_app.command("rules")
def rules_of_taxonomy(
    taxonomy: Taxonomy,
    industry: Annotated[
        str, typer.Option(help="Industry of the product; other is what its events speak of.")
    ] = "other",
    platform: Annotated[str, typer.Option(help="Platform of the product.")] = "mobile",
) -> None:
    """Print the rules that the analyst reads out of a taxonomy, as JSON, to be edited and given to `generate --rules`.

    What it was unsure of is listed beside them, on standard error: how sure it is, why, and the next best reading.

    Example:

        gamestats taxonomy rules plan.xlsx > rules.json
    """
    from gamestats_assets.demo_data.analysis.analyst import analysed
    from gamestats_assets.demo_data.taxonomies.product import ProductInfo

    parsed = read_named(taxonomy)
    product = ProductInfo.model_validate({"industry": industry, "platform": platform, "name": parsed.name})
    rules, doubts = analysed(parsed, product)
    typer.echo(rules.model_dump_json(indent=2, exclude_defaults=True))
    if doubts:
        table = RichTable("sure", "reading", "because", "or else", title="Unsure", box=box.SIMPLE)
        for doubt in doubts:
            table.add_row(f"{doubt.confidence:.0%}", *map(escape, (doubt.reading, doubt.why, doubt.instead)))
        show(table, err())


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `generate` filled.")],
    to: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to.  [default: DIR/report.html]")
    ] = None,
) -> None:
    """Measure the logs of a run again, and write its report: one HTML file with pictures.

    Example:

        gamestats report demo-game
    """
    from gamestats_assets.demo_data.products.run import report_again

    with status("Measuring"):
        path = report_again(folder, to)
    say(f"Written: {path}")


@logs_app.command("check")
def check_logs(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Log files, or folders.")],
    taxonomy: Annotated[str | None, typer.Option(help="Taxonomy that the logs should keep to.")] = None,
) -> None:
    """Check ThinkingData logs, line by line, against the rules of the receiver.

    Exits with 1 when something is wrong.

    Example:

        gamestats logs check demo-game --taxonomy game
    """
    from gamestats_assets.demo_data.logs.wire_check import check_files

    with status("Checking"):
        found = check_files(_logs(paths), taxonomy=read_named(taxonomy) if taxonomy else None)
    for line in found.lines_of_text():
        say(line)
    for moment in (found.first_time, found.last_time):
        if moment and not is_taken(date.fromisoformat(moment[:10])):
            say(
                f"A receiver takes what is at most three years old or three days ahead; {moment[:10]} is not.", "yellow"
            )
    if not found.is_clean:
        raise typer.Exit(1)


def _logs(paths: list[Path]) -> list[Path]:
    """The log files among files and folders, those that `gamestats ingest logs` takes.

    Raises:
        typer.BadParameter: when no log is among them.
    """
    from gamestats_assets.demo_data.logs.landing import log_files

    found, _ = log_files(paths)
    if not found:
        raise typer.BadParameter("There are no logs in there: neither a file's name nor its beginning is that of one.")
    return found


@logs_app.command("upload")
def upload_logs(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Log files, or folders.")],
    receiver: Annotated[str, typer.Option(metavar="URL", help="Address of the receiver.")],
    app_id: Annotated[str, typer.Option(envvar="THINKINGDATA_APP_ID", help="App id of the project.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; say what would be sent.")] = False,
    batch_records: Annotated[int, typer.Option(min=1, help="Records in one request, at most.")] = 1000,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Remembers what was sent; a new one sends everything.  [default: one for each receiver and project]",
        ),
    ] = None,
) -> None:
    """Send logs to a ThinkingData receiver; what was sent is remembered, and an interrupted upload goes on.

    It goes on, too, behind what was sent of files that have grown since.

    Example:

        gamestats logs upload demo-game --receiver https://receiver.example.com --app-id ... --dry-run
    """
    from gamestats_assets.demo_data.logs.upload import upload
    from gamestats_assets.settings import Settings

    files = _logs(paths)
    if state is None:
        name = hashlib.sha256(f"{receiver} {app_id}".encode()).hexdigest()[:16]
        state = Settings().state_folder / "uploads" / f"{name}.json"
    with bars() as progress:
        done = upload(
            files,
            receiver=receiver,
            app_id=app_id,
            state=state,
            dry_run=dry_run,
            batch_records=batch_records,
            progress=lambda read, total: progress("Uploading", read, total),
        )
    for line in done.lines_of_text():
        say(line)


@logs_app.command("logbus")
def configure_logbus(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the logs.")],
    push_url: Annotated[str, typer.Option(metavar="URL", help="Address of the receiver.")],
    app_id: Annotated[str, typer.Option(envvar="THINKINGDATA_APP_ID", help="App id of the project.")],
    to: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the configuration goes.")] = Path(
        "daemon.json"
    ),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another configuration.")] = False,
) -> None:
    """Write the configuration with which LogBus2 uploads a folder of logs.

    Example:

        gamestats logs logbus demo-game --push-url https://receiver.example.com --app-id ... --out conf/daemon.json
    """
    from gamestats_assets.demo_data.logs.logbus import daemon_configuration, write_daemon_configuration

    configuration = daemon_configuration(folder, app_id=app_id, push_url=push_url)
    for note in write_daemon_configuration(to, configuration, overwrite=overwrite):
        say(note, "yellow")
    say(f"Written: {to}")
