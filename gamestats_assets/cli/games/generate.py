"""`gamestats generate`: demo data from an event taxonomy, without a lake."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.prompt import Confirm, IntPrompt, Prompt
from rich.table import Table as RichTable

from gamestats_assets.cli.terminal import counted, out, say, show

if TYPE_CHECKING:
    from gamestats_assets.demo_data.generator.generate import Generated
    from gamestats_assets.demo_data.generator.generate import Progress as ProgressCallback
    from gamestats_assets.demo_data.products.rule_making import RuleMaker
    from gamestats_assets.demo_data.products.run import Produced
    from gamestats_assets.demo_data.rules.configuration import Configuration
    from gamestats_assets.demo_data.taxonomies.model import Taxonomy as TaxonomyModel
    from gamestats_assets.settings import Settings

_SHOWN_EVENTS = 15
_HOLDS = {True: "[green]holds[/]", False: "[red]misses[/]", None: "[yellow]unknown[/]"}
ADVICE = "The taxonomies that come with gamestats: game, ecommerce, saas, health, l2m."

Users = Annotated[int | None, typer.Option(min=1, help="How many users.  [default: 1000]")]
Days = Annotated[int | None, typer.Option(min=1, help="How many days.  [default: 7]")]
Start = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day, UTC.  [default: 2026-01-01]")]
Seed = Annotated[int | None, typer.Option(min=0, help="Another seed, other users.  [default: 7]")]
RunFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Configuration of the run as JSON: segments, countries, planted truths, dirt. Options win over it.",
    ),
]
RulesFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Rules to use, as a run leaves them in rules.json.")
]
LanguageModel = Annotated[
    str | None,
    typer.Option(
        metavar="PROVIDER",
        help="Have the rules made by a language model: anthropic or openai. Without it the analyst makes them.",
    ),
]


def generate(
    taxonomy: Annotated[
        str | None,
        typer.Argument(
            metavar="[TAXONOMY]",
            help=f"An .xlsx file, a .csv file, a folder of .csv files, or the name of one that is shipped. {ADVICE}",
        ),
    ] = None,
    users: Users = None,
    days: Days = None,
    start: Start = None,
    seed: Seed = None,
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the files go.  [default: ./demo-NAME]")
    ] = None,
    config: RunFile = None,
    rules: RulesFile = None,
    ai: LanguageModel = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the language model again, cached or not.")] = False,
    refine: Annotated[
        bool,
        typer.Option("--refine", help="Measure the data against the rules, mend the rules, and make the data again."),
    ] = False,
    industry: Annotated[
        str | None,
        typer.Option(
            help="Industry of the product: game, ecommerce, saas, health, ...", show_default="what its events speak of"
        ),
    ] = None,
    platform: Annotated[str | None, typer.Option(help="Platform: mobile, web, pc or console.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the product, for the report.")] = None,
    description: Annotated[str | None, typer.Option(help="What the product is, for a language model.")] = None,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the files.")] = False,
    file_megabytes: Annotated[
        float | None, typer.Option("--file-megabytes", min=0.01, help="Divide a day's file above this size.")
    ] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write the same records as Parquet, too.")] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes; they change nothing but the time.", show_default="all cores")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the logs of another run in the folder.")
    ] = False,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Ask for what is missing.")] = False,
) -> None:
    """Generate days of believable ThinkingData logs from an event taxonomy.

    One file of JSON lines for each day, with users who sign up, come back and leave, sessions by hour of day,
    funnels, and properties that fit each other; and report.html, which shows them. The same options give the
    same bytes.

    Examples:

        gamestats generate game
        gamestats generate plan.xlsx --users 5000 --days 30 --start 2026-01-01 --seed 7 --out logs
        gamestats generate plan.xlsx --ai anthropic --refine
        gamestats generate --interactive
    """
    given = {
        "users": users,
        "days": days,
        "start": start.date() if start else None,
        "seed": seed,
        "gzip": gzip or None,
        "file_megabytes": file_megabytes,
        "parquet": parquet or None,
    }
    product = {"industry": industry, "platform": platform, "name": name, "description": description}
    if interactive:
        taxonomy, folder, ai, overwrite = _ask(taxonomy, given, product, folder, ai, overwrite)
    if taxonomy is None:
        raise typer.BadParameter(f"Give a TAXONOMY, or --interactive to be asked. {ADVICE}")
    if rules is not None and ai is not None:
        raise typer.BadParameter("Give --rules or --ai: rules that are there need no language model to make them.")
    from gamestats_assets.demo_data.products.run import produce, read_rules
    from gamestats_assets.settings import Settings

    settings = Settings()
    parsed = read_named(taxonomy)
    configuration = configuration_of(config, given, product, parsed, taxonomy_path(taxonomy))
    folder = folder or Path(f"demo-{parsed.name}")
    for day in (configuration.start, configuration.start + timedelta(days=configuration.days - 1)):
        if not is_taken(day):
            say(f"A receiver takes what is at most three years old or three days ahead; {day} is not.", "yellow")
    started = time.perf_counter()
    with bars() as progress:
        produced = produce(
            parsed,
            configuration,
            folder,
            maker=rule_maker(settings, ai, refresh=refresh),
            rules=read_rules(rules) if rules is not None else None,
            refine=refine,
            processes=processes or settings.workers,
            overwrite=overwrite,
            progress=progress,
        )
    if refine and produced.after is None:
        say("Nothing to refine: the data are as the rules want them.", "green")
    _close(produced, parsed, folder, time.perf_counter() - started)


def rule_maker(settings: Settings, ai: str | None, *, refresh: bool = False) -> RuleMaker:
    """Who makes the rules: the analyst, or the language model of a provider."""
    from gamestats_assets.demo_data.products.rule_making import RuleMaker
    from gamestats_assets.demo_data.rules.ai import AiSettings
    from gamestats_assets.demo_data.rules.cache import RulesCache

    cache = RulesCache(settings.state_folder / "rules")
    if ai is None:
        return RuleMaker(cache)
    if ai not in ("anthropic", "openai"):
        raise typer.BadParameter(f"--ai {ai!r} is no provider; give anthropic or openai, or leave it out.")
    provider = cast(Literal["anthropic", "openai"], ai)
    of_provider = AiSettings(
        key=settings.anthropic_api_key if provider == "anthropic" else settings.openai_api_key,
        base_url=settings.anthropic_base_url if provider == "anthropic" else settings.openai_base_url,
        model=settings.ai_model,
        timeout_s=settings.ai_timeout_s,
        requests_per_minute=settings.ai_requests_per_minute,
        max_output_tokens=settings.ai_max_output_tokens,
    )
    return RuleMaker(cache, provider, of_provider, refresh)


def taxonomy_path(text: str) -> Path:
    """A taxonomy's file or folder; a bare name is one of those that are shipped.

    Raises:
        typer.BadParameter: when there is none.
    """
    from gamestats_assets.settings import shipped

    path = Path(text)
    if path.exists():
        return path
    folder = shipped("data", "taxonomies", text)
    if "/" not in text and folder.is_dir():
        return folder
    raise typer.BadParameter(f"There is no taxonomy at {text}. {ADVICE}")


def read_named(text: str) -> Any:
    from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
    from gamestats_assets.lakehouse.stores import Stores

    return read_taxonomy(taxonomy_path(text), Stores().read_limits)


def _configuration_beside(taxonomy: Path, users: int | None) -> Path | None:
    """What a taxonomy's folder says of a run, such as truths to plant; None where nothing, or of more users."""
    from gamestats_assets.demo_data.rules.configuration import read_configuration

    path = taxonomy / "configuration.json"
    if not path.is_file():
        return None
    usual = read_configuration(path).get("users")
    if users is not None and isinstance(usual, int) and users < usual:
        say(f"Nothing is planted in so few users; give {usual:,} or more, or a --config of your own.", "yellow")
        return None
    return path


def configuration_of(
    path: Path | None, given: Mapping[str, Any], product: Mapping[str, Any], taxonomy: TaxonomyModel, folder: Path
) -> Configuration:
    """A configuration from a file, and options that win over it; an industry that is not given is read off the events.

    Args:
        path: the file; without, the one that stands beside the taxonomy.
        folder: where the taxonomy stands.

    Raises:
        ConfigurationError: naming every field that cannot be read.
    """
    from gamestats_assets.demo_data.analysis.analyst import likely_industry
    from gamestats_assets.demo_data.rules.configuration import configuration_from, read_configuration

    path = path or _configuration_beside(folder, given["users"])
    settings = read_configuration(path) if path is not None else {}
    settings |= {key: value for key, value in given.items() if value is not None}
    of_product = {**settings.get("product", {}), **{key: value for key, value in product.items() if value is not None}}
    if "industry" not in of_product:
        of_product["industry"] = likely_industry(taxonomy)
        say(f"By its events the product's industry is taken to be: {of_product['industry']}.", "dim")
    of_product.setdefault("name", taxonomy.name.replace("_", " ").title())
    return configuration_from({**settings, "product": of_product}, str(path) if path else "the options")


def _ask(
    taxonomy: str | None,
    given: dict[str, Any],
    product: dict[str, Any],
    folder: Path | None,
    ai: str | None,
    overwrite: bool,
) -> tuple[str, Path, str | None, bool]:
    """Ask a person for what no option says; an empty answer takes what is in brackets.

    What cannot be used is asked for again at once, and not found out after the last question.
    """
    from gamestats_assets.demo_data.analysis.analyst import likely_industry
    from gamestats_assets.lakehouse.errors import GamestatsError

    console = out()
    say("A few questions; Enter takes what is in brackets.", "dim")
    while taxonomy is None:
        answer = Prompt.ask(
            "Taxonomy (a file, a folder, or game, ecommerce, saas, health, l2m)", default="game", console=console
        )
        try:
            read_named(answer)
            taxonomy = answer
        except (typer.BadParameter, GamestatsError) as error:
            say(str(error), "yellow")
    for key, question, default in (("users", "How many users", 1000), ("days", "How many days", 7)):
        while given[key] is None:
            answered = IntPrompt.ask(question, default=default, console=console)
            given[key] = answered if answered > 0 else None
    while given["start"] is None:
        try:
            given["start"] = date.fromisoformat(Prompt.ask("First day", default="2026-01-01", console=console))
        except ValueError:
            say("Write it as YYYY-MM-DD.", "yellow")
    if given["seed"] is None:
        given["seed"] = IntPrompt.ask("Seed", default=7, console=console)
    if product["industry"] is None:
        product["industry"] = Prompt.ask("Industry", default=likely_industry(read_named(taxonomy)), console=console)
    if product["platform"] is None:
        product["platform"] = Prompt.ask(
            "Platform", choices=["mobile", "web", "pc", "console"], default="mobile", console=console
        )
    if product["name"] is None:
        product["name"] = Prompt.ask("Name of the product", default=Path(taxonomy).stem, console=console)
    if product["description"] is None:
        product["description"] = Prompt.ask("What it is, in a sentence", default="", console=console)
    if ai is None and Confirm.ask("Have the rules made by a language model?", default=False, console=console):
        ai = Prompt.ask("Provider", choices=["anthropic", "openai"], default="anthropic", console=console)
    while folder is None:
        folder = Path(Prompt.ask("Folder for the files", default=f"demo-{Path(taxonomy).stem}", console=console))
        if not overwrite and any(folder.glob("logs_*")):
            overwrite = Confirm.ask(f"{folder} holds logs already. Replace them?", default=False, console=console)
            folder = folder if overwrite else None
    return taxonomy, folder, ai, overwrite


@contextmanager
def bars() -> Iterator[ProgressCallback]:
    """A bar for each phase on a terminal; nothing elsewhere."""
    with Progress(
        TextColumn("{task.description:<18}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=out(),
        transient=True,
        disable=not out().is_terminal,
    ) as progress:
        tasks: dict[str, Any] = {}

        def tell(phase: str, done: int, total: int) -> None:
            if phase not in tasks or (done <= 1 and progress.tasks[tasks[phase]].finished):
                tasks[phase] = progress.add_task(phase, total=total)
            progress.update(tasks[phase], completed=done, total=total)

        yield tell


def _close(produced: Produced, taxonomy: TaxonomyModel, folder: Path, seconds: float) -> None:
    """The closing report: events by type, users by segment, truths, files, speed."""
    import polars as pl

    from gamestats_assets.demo_data.analysis.analyst import contradictions
    from gamestats_assets.demo_data.products.run import details

    generated = produced.generated
    by_event = generated.tally.group_by("type", "name").agg(pl.col("records").sum())
    by_event = by_event.sort("records", "type", "name", descending=[True, False, False])
    listed = _table("records", "type", "event")
    for type_, event, records in by_event.head(_SHOWN_EVENTS).iter_rows():
        listed.add_row(f"{records:,}", type_, event)
    if by_event.height > _SHOWN_EVENTS:
        rest = by_event.slice(_SHOWN_EVENTS)
        listed.add_row(f"{rest['records'].sum():,}", "", f"{counted(rest.height, 'more kind', 'more kinds')}")
    show(listed)
    say("")
    segments = _table("users", "segment", "records")
    records = dict(generated.tally.group_by("segment").agg(pl.col("records").sum()).iter_rows())
    for segment, users in generated.users.iter_rows():
        segments.add_row(f"{users:,}", segment, f"{records.get(segment, 0):,}")
    show(segments)
    if produced.verdicts:
        say("")
        truths = _table("planted", "found", "interval", "", "truth")
        for verdict in produced.verdicts:
            truths.add_row(
                f"{verdict.planted:.3f}",
                f"{verdict.found:.3f}",
                f"{verdict.low:.3f} to {verdict.high:.3f}",
                _HOLDS[verdict.holds],
                verdict.what,
            )
        show(truths)
    say("")
    _files(generated)
    origin = {"ai": "a language model", "cache": "a language model, cached", "analyst": "the analyst", "file": "a file"}
    say(f"Rules: {origin[produced.made.origin]}. {details(produced.made)}".rstrip())
    if produced.made.origin == "analyst":
        for warning in contradictions(taxonomy, produced.made.rules):
            say(f"Doubtful: {warning}", "yellow")
    if produced.after is not None:
        say(
            f"Refined: distance to the rules {produced.before.distance:.4f} before, "
            f"{produced.after.distance:.4f} after."
        )
    say(
        f"{counted(generated.records, 'record')} in {generated.seconds:.1f} s, "
        f"{generated.records / max(generated.seconds, 1e-9):,.0f} a second; {seconds:.1f} s with everything.",
        "bold",
    )
    say(f"Look at it: {folder / 'report.html'}")


def _files(generated: Generated) -> None:
    listed = _table("megabytes", "records", "file", right=2)
    for file in generated.files[:10]:
        listed.add_row(f"{file.size_bytes / 1e6:,.1f}", f"{file.records:,}", file.name)
    if len(generated.files) > 10:
        rest = generated.files[10:]
        size, records = sum(f.size_bytes for f in rest), sum(f.records for f in rest)
        listed.add_row(f"{size / 1e6:,.1f}", f"{records:,}", f"{len(rest)} more")
    show(listed)


def _table(*headings: str, right: int = 1) -> RichTable:
    table = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place < right else "left")
    return table


def is_taken(day: date) -> bool:
    """Whether a receiver takes records of a day: from three years ago to three days ahead."""
    today = datetime.now(UTC).date()
    return today - timedelta(days=3 * 365) <= day <= today + timedelta(days=3)
