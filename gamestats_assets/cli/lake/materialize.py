"""`gamestats materialize` and `gamestats rebuild`: from the landing zone through to PostgreSQL, without the UI."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamestats_assets.cli.catalog import games
from gamestats_assets.cli.terminal import counted, days_named, err, few, quiet_warnings, say, status
from gamestats_assets.lakehouse.errors import GamestatsError

if TYPE_CHECKING:
    import dagster as dg

    from gamestats_assets.cli.session import Session
    from gamestats_assets.cli.steps import Outcome
    from gamestats_assets.lakehouse.landing.zone import Landing
    from gamestats_assets.lakehouse.stores import Stores

_NAME = re.compile(r"(?P<before>\d*\+)?(?P<name>[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)(?P<after>\+\d*)?")


class SelectionError(GamestatsError):
    """A selection names nothing that could be materialised."""


class PartitionChoiceError(GamestatsError):
    """Days are chosen in a way that makes no sense."""


Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        "-s",
        help="What to materialise: pubg (all of a game, through to PostgreSQL), pubg.matches, postgres.pubg.matches, "
        "pubg.matches+ (and all after it), or Dagster's own syntax. Can be given several times.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show Dagster's log, and tracebacks of failures.")]


def materialize(
    select: Select = None,
    partition: Annotated[
        str | None,
        typer.Option(
            "--partition",
            "-p",
            metavar="KEY",
            help="One partition: a day (YYYY-MM-DD), a season, or a day of a product (2026-01-01|shop).",
        ),
    ] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last day.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="Make everything again, behind or not.")] = False,
    verbose: Verbose = False,
) -> None:
    """Bring tables up to date with what landed and what was entered, through to PostgreSQL.

    It finds by itself what is behind and why, and makes that, with every check: days first, then what is made of
    many days. All days that are behind go into one run, however scattered. Running it again does nothing.

    Examples:

        gamestats materialize
        gamestats materialize --from 2026-03-01 --to 2026-03-07
        gamestats materialize --select l2m --from 2025-01-01 --to 2025-12-31
        gamestats materialize --select pubg.matches --partition 2026-03-14
        gamestats materialize --partition "2026-01-01|shop"
        gamestats materialize --select "pubg.weapon_kills+" --everything

    Exits with 1 when a step or a blocking check failed.
    """
    chosen = chosen_range(partition, first, last)
    quiet_warnings()
    with status("Loading"):
        from gamestats_assets.cli.session import games_selected, opened
        from gamestats_assets.orchestration.runs.behind import between, every_partition
    selected = games_selected(select or [])
    with opened(games=selected) as session:
        selection = resolve_selection(select or [], session.definitions)
        if chosen is not None:
            _must_be_there(session, selection, chosen)
        where = between(*chosen) if chosen is not None else every_partition
        outcomes = session.follow(selection, everything=everything, chosen=where, verbose=verbose)
        if not outcomes and not session.stopped:
            say(_nothing_to_do(session.stores.landing, chosen, selected or games()))
        for line in _left_out(session.stores, selected or games()):
            say(line, "yellow")
    if outcomes:
        finish(outcomes)
    if session.stopped:
        raise typer.Exit(1)


def _must_be_there(session: Session, selection: dg.AssetSelection, chosen: tuple[str, str]) -> None:
    """Refuse partitions that none of the selected assets can have.

    Raises:
        PartitionChoiceError: when none of them can.
    """
    from gamestats_assets.orchestration.partitions import days_of
    from gamestats_assets.orchestration.runs.instance import may_have

    session.add_names(selection)
    graph = session.definitions.resolve_asset_graph()
    kinds = [graph.get(key).partitions_def for key in selection.resolve(graph)]
    if not any(all(may_have(kind, key, session.instance) for key in chosen) for kind in kinds):
        days = [found for kind in kinds if (found := days_of(kind)) is not None]
        first = min((f"{each.get_first_partition_key()}" for each in days), default="")
        last = max((f"{each.get_last_partition_key()}" for each in days), default="")
        raise PartitionChoiceError(
            f"{' to '.join(dict.fromkeys(chosen))} is no partition of the selected tables. "
            f"{f'Days are written YYYY-MM-DD, from {first} to {last}, and those' if days else 'Days'} of a product "
            "2026-01-01|shop; `gamestats tables` shows the last partition of every table."
        )


def _nothing_to_do(landing: Landing, chosen: tuple[str, str] | None, selected: Collection[str]) -> str:
    if chosen is not None:
        return f"Nothing is behind of {' to '.join(dict.fromkeys(chosen))}. To make it again all the same: --everything"
    from gamestats_assets.orchestration.freshness.landed import landed_keys
    from gamestats_assets.orchestration.partitions import day_of, is_partition_day
    from gamestats_assets.tables import first_day

    keys = {(game, key) for game in selected for key in landed_keys(landing, game)}
    if not keys:
        return "Nothing has landed yet. Bring files: gamestats ingest pubg PATH, or see it at work: gamestats demo"
    landed = {day_of(key) for game, key in keys if is_partition_day(key, first_day(game))}
    return f"Everything is up to date: {counted(len(landed), 'day')} landed, processed and published."


def _left_out(stores: Stores, of_games: Collection[str]) -> list[str]:
    """What of some games stays undone because its day is no partition, in words."""
    from gamestats_assets.orchestration.freshness.landed import outside
    from gamestats_assets.orchestration.partitions import day_of
    from gamestats_assets.tables import first_day

    landed = sorted(key for game in of_games for key in outside(stores.landing, game, first_day(game)))
    generated: list[str] = []
    if "demo_data" in of_games:
        from gamestats_assets.demo_data.assets import logs_outside

        generated = logs_outside(stores)

    today = datetime.now(UTC).date().isoformat()

    def is_before(key: str) -> bool:
        return day_of(key) < today

    found = (
        ([key for key in landed if is_before(key)], "Landed and in no table, for their days are before the first"),
        ([key for key in landed if not is_before(key)], "Landed, and processed when their days have come"),
        ([key for key in generated if is_before(key)], "Not generated, for these days are before the first"),
        ([key for key in generated if not is_before(key)], "Generated when these days have come"),
    )
    return [f"{what}: {_named(keys)}." for keys, what in found if keys]


def _named(keys: list[str]) -> str:
    """Days, and days of products, in a few words."""
    days: dict[str, list[str]] = {}
    for key in keys:
        day, _, product = key.partition("|")
        days.setdefault(product, []).append(day)
    return few([f"{product} {days_named(of)}".strip() for product, of in sorted(days.items())])


def finish(outcomes: list[Outcome]) -> None:
    """Sum up the runs, with their warnings; exit with 1 when one of them failed."""
    from gamestats_assets.cli.steps import print_warnings

    print_warnings(outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    failed = [outcome for outcome in outcomes if not outcome.success]
    passed = sum(check.passed for outcome in outcomes for check in outcome.checks)
    total = sum(len(outcome.checks) for outcome in outcomes)
    did = f"{counted(len(outcomes), 'run')} in {seconds:.1f} s, {passed} of {counted(total, 'check')} passed"
    if failed:
        ids = ", ".join(outcome.run_id[:8] for outcome in failed)
        say(f"{did}; {counted(len(failed), 'run')} failed: {ids}", "red", console=err())
        raise typer.Exit(1)
    say(f"{did}.", "green")


# --------------------------------------------------------------------------- what and when


def chosen_range(partition: str | None, first: str | None, last: str | None) -> tuple[str, str] | None:
    """First and last partition asked for; None when none was asked for.

    Raises:
        PartitionChoiceError: when the options contradict each other or are no days.
    """
    from gamestats_assets.lakehouse.table import is_day

    if partition is not None and (first is not None or last is not None):
        raise PartitionChoiceError("Give either --partition, or --from and --to.")
    if (first is None) != (last is None):
        raise PartitionChoiceError("--from and --to belong together; for one day give --partition.")
    if partition is not None:
        return partition, partition
    if first is None or last is None:
        return None
    for text in (first, last):
        if not is_day(text):
            raise PartitionChoiceError(f"{text!r} is not a day; write it as YYYY-MM-DD.")
    if first > last:
        raise PartitionChoiceError(f"--from {first} is after --to {last}.")
    return first, last


def resolve_selection(texts: list[str], definitions: dg.Definitions) -> dg.AssetSelection:
    """The assets that `--select` names; all assets when it names none.

    Raises:
        SelectionError: when a text names no asset, or is no selection.
    """
    import dagster as dg

    graph = definitions.resolve_asset_graph()
    known = {".".join(key.path): key for key in graph.materializable_asset_keys}
    selection = dg.AssetSelection.assets()
    for text in texts or ["*"]:
        try:
            part = dg.AssetSelection.from_string(_in_dagsters_words(text.strip(), known))
            found = part.resolve(graph)
        except dg.DagsterError as error:
            raise SelectionError(f"--select {text!r} cannot be read: {str(error).strip()}") from None
        if not found:
            raise SelectionError(f"--select {text!r} names no asset. Tables are named as in pubg.matches.")
        selection = selection | part
    # Tables of one step are made together or not at all.
    return selection.required_multi_asset_neighbors()


def _in_dagsters_words(text: str, known: dict[str, Any]) -> str:
    """`pubg.matches+` as `key:"pubg/matches"+`; what is no such name is left as it is."""
    match = _NAME.fullmatch(text)
    if match is None:
        return text
    name = match["name"]
    # A game is all of its tables, and what is published of them.
    under = [other for other in known if other.startswith((f"{name}.", f"postgres.{name}."))]
    if name not in known and not under:
        near = difflib.get_close_matches(name, known, n=3)
        near = near or [other for other in known if other.endswith(f".{name}")]
        advice = f"Did you mean {' or '.join(near)}?" if near else "`gamestats tables` lists the tables."
        raise SelectionError(f"There is no table or game {name!r} to materialise. {advice}")
    keys = [name] if name in known else under
    named = " or ".join(f'key:"{"/".join(known[key].path)}"' for key in keys)
    return f"{match['before'] or ''}({named}){match['after'] or ''}"


# --------------------------------------------------------------------------- rebuild


def rebuild(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The table, such as pubg.matches.")],
    verbose: Verbose = False,
) -> None:
    """Rebuild a table from the landing zone, after its declaration changed incompatibly, or its log was damaged.

    Empties the Delta table to the declared columns, and materialises every day of it
    again, with what follows from it. Earlier versions of the
    Delta table stay readable until the next vacuum. A quarantine, or a ledger, is filled by every table of its
    game: these are all made again.

    Examples:

        gamestats rebuild pubg.match_summaries
        gamestats rebuild pubg.quarantine
    """
    from gamestats_assets.cli.catalog import declared_table, declared_tables, queryable_tables

    kept_beside = {*queryable_tables()} - {other.spec.dotted for other in declared_tables()}
    declared = queryable_tables()[table] if table in kept_beside else declared_table(table)
    quiet_warnings()
    with status("Loading"):
        import dagster as dg

        from gamestats_assets.cli.session import opened
        from gamestats_assets.orchestration.metadata import asset_key
    with opened(games=[declared.spec.game]) as session:
        stores, spec = session.stores, declared.spec
        if table in kept_beside:
            game = spec.game.removesuffix("_ledger")
            if game == spec.game:
                stores.lake.rebuild(declared)
            selection = resolve_selection([game], session.definitions)
            finish(session.follow(selection, everything=True, verbose=verbose))
            return
        stores.lake.rebuild(declared)
        say(f"{spec.dotted} is empty and has the declared columns.")
        together = [
            asset_key(other)
            for other in declared_tables()
            if (other.spec.game, other.spec.step) == (spec.game, spec.step)
        ]
        selection = dg.AssetSelection.assets(*together).downstream()
        outcomes = session.follow(selection, verbose=verbose)
    if not outcomes:
        say("Nothing has landed, so there is nothing to fill it with.")
        return
    finish(outcomes)
