"""What survives when processes die: kill -9 at random points, then run again and compare.

    python -m gamestats_assets_tests.program.faults --kills 200

A small PUBG day goes from landing to PostgreSQL in a child process that is killed at a
random moment; the same work is then started again, on what the dead one left. After
every `--rounds` kills the work is left to end, and every table of the lake and of
PostgreSQL must equal those of an undisturbed run. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

DAY = date(2026, 3, 14)
MATCHES = 3


@dataclass
class Outcome:
    """What the kills did.

    Attributes:
        kills: processes killed while they worked.
        too_late: workers that had ended before their moment came.
        rounds: comparisons with the undisturbed run.
        differences: tables that differed, with what differed.
    """

    kills: int = 0
    too_late: int = 0
    rounds: int = 0
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Calm:
    """An undisturbed run.

    Attributes:
        prepared: the data folder it began with, as it was.
        days: of the work.
        selected: the tables that were made.
        contents: its tables, as `contents` tells them.
        seconds: how long it took.
        seconds_of_nothing: how long a process takes that finds everything done.
    """

    prepared: Path
    days: Sequence[str]
    selected: Sequence[str]
    contents: dict[str, str]
    seconds: float
    seconds_of_nothing: float


def prepare(folder: Path, *, days: Sequence[date] = (DAY,), matches: int = MATCHES, players: int = 16) -> Path:
    """A data folder with a few small landed matches on each of the days."""
    from gamestats_assets.lakehouse.landing.zone import Landing
    from gamestats_assets.pubg.source.files import ingest
    from gamestats_assets.simulators.pubg.matches import simulate_day

    raw, data = folder / "raw", folder / "prepared"
    raw.mkdir(parents=True)
    for day in days:
        simulate_day(raw, day, matches, seed=day.toordinal(), players=players)
    ingest([raw], Landing(data / "landing"))
    return data


def work(data: str, postgres_url: str, days: Sequence[str], selected: Sequence[str]) -> None:
    """What is selected of some days, from landing to PostgreSQL, in this process; exits 1 when it fails."""
    import dagster as dg
    from pydantic import SecretStr

    from gamestats_assets.cli.lake.materialize import resolve_selection
    from gamestats_assets.cli.session import Session
    from gamestats_assets.cli.steps import progress_loggers
    from gamestats_assets.definitions import build_defs
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.orchestration.runs.behind import on_days
    from gamestats_assets.settings import Settings

    stores = Stores(Settings(data=data, postgres_url=SecretStr(postgres_url), workers=1))
    made = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)}, ["pubg"])
    with dg.DagsterInstance.ephemeral() as instance:
        session = Session(dg.Definitions.merge(made, progress_loggers()), instance, stores)
        outcomes = session.follow(resolve_selection([*selected], session.definitions), chosen=on_days(days))
    if session.stopped or not all(outcome.success for outcome in outcomes):
        raise SystemExit(1)


def workers() -> ForkServerContext:
    """A server that has imported everything and forks a worker in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gamestats_assets_tests.program.faults_server"])
    return context


def start(
    context: ForkServerContext, data: Path, postgres_url: str, days: Sequence[str], selected: Sequence[str]
) -> BaseProcess:
    """A process that does the work."""
    process = context.Process(target=work, args=(str(data), postgres_url, list(days), list(selected)))
    process.start()
    return process


def finish(process: BaseProcess) -> None:
    """Wait for a worker; raises when it failed."""
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"The work ended with exit code {process.exitcode}; its log tells why.")


def lake_contents(data: Path) -> dict[str, str]:
    """Every table of the lake that was made, ledgers and quarantine included, as one digest of its sorted rows.

    Of each partition what it was made from, too: that it is done, and that its checks were evaluated.
    """
    from gamestats_assets.lakehouse.delta.lake import Lake
    from gamestats_assets.lakehouse.delta.ledger import ledger_of
    from gamestats_assets.lakehouse.quality import quarantine_of
    from gamestats_assets.pubg.tables import ALL

    lake = Lake(data / "lake")
    contents: dict[str, str] = {}
    made = [table for table in ALL if lake.version(table) is not None]
    for table in [*made, *map(ledger_of, made), quarantine_of("pubg")]:
        frame = lake.scan(table).sort(table.primary_key()).collect()
        contents[f"lake {table.spec.dotted}"] = _digest(frame)
    for table in made:
        partitions = lake.ledger(table).partitions
        output = {key: f"made from {of.made_from}, failed {of.failed}" for key, of in sorted(partitions.items())}
        contents[f"partitions of {table.spec.dotted}"] = json.dumps(output)
    return contents


def postgres_contents(postgres_url: str) -> dict[str, str]:
    """Every table that was published by day as one digest of its sorted rows."""
    from gamestats_assets.lakehouse.published.publication import everything_published
    from gamestats_assets.orchestration.partitions import has_days, partitions_of
    from gamestats_assets.pubg.tables import ALL
    from gamestats_assets_tests.support.published import read_published

    published = [table for table in ALL if table.spec.published and has_days(partitions_of(table))]
    return {
        f"postgres {table.spec.dotted}": _digest(read_published(postgres_url, table).sort(table.primary_key()))
        for table, partitions in everything_published(postgres_url, published).items()
        if partitions
    }


def contents(data: Path, postgres_url: str) -> dict[str, str]:
    """Every table of the lake and every one published by day, as digests."""
    return lake_contents(data) | postgres_contents(postgres_url)


def _digest(frame: pl.DataFrame) -> str:
    import polars as pl
    from polars import selectors

    frame = frame.with_columns(selectors.list().cast(pl.List(pl.String)).list.join(","))
    return f"{frame.height} rows {hashlib.sha256(frame.write_csv(float_precision=9).encode()).hexdigest()[:16]}"


def forget_published(postgres_url: str) -> None:
    """Drop what was published."""
    from gamestats_assets.lakehouse.postgres.server import connect

    with connect(postgres_url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS pubg CASCADE")


def undisturbed(
    prepared: Path,
    postgres_url: str,
    days: Sequence[str] = (DAY.isoformat(),),
    selected: Sequence[str] = ("pubg",),
) -> Calm:
    """Do the work on a copy of a data folder, and nobody dies."""
    data, context = prepared.with_name("calm"), workers()
    shutil.copytree(prepared, data)
    # The server of processes imports what it does before the first process, which is not the work's time.
    nothing = context.Process(target=time.sleep, args=(0,))
    nothing.start()
    nothing.join()
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        finish(start(context, data, postgres_url, days, selected))
        seconds.append(time.monotonic() - began)
    return Calm(prepared, days, selected, contents(data, postgres_url), *seconds)


def kill_at_random(
    calm: Calm, postgres_url: str, *, kills: int, per_round: int = 2, seed: int | None = None
) -> Outcome:
    """Kill workers at random moments, restart them, and compare with an undisturbed run.

    What a worker did is not done again, so each is left to go on for a random part of the work, of such a length
    that the kills of a round spread over all of it.

    Args:
        calm: the undisturbed run; the work is done beside it.
        kills: processes to kill in all.
        per_round: kills before the work is left to end and its result compared.
    """
    chance = random.Random(seed)
    began = time.monotonic()
    context = workers()
    outcome = Outcome()
    work_of_each = (calm.seconds - calm.seconds_of_nothing) / per_round
    while outcome.kills < kills:
        outcome.rounds += 1
        data = calm.prepared.with_name(f"round{outcome.rounds}")
        shutil.copytree(calm.prepared, data)
        forget_published(postgres_url)
        for _ in range(min(per_round, kills - outcome.kills)):
            process = start(context, data, postgres_url, calm.days, calm.selected)
            process.join(chance.uniform(0.0, calm.seconds_of_nothing + 1.5 * work_of_each))
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGKILL)
                process.join()
                outcome.kills += 1
            else:
                outcome.too_late += 1
        finish(start(context, data, postgres_url, calm.days, calm.selected))
        found = contents(data, postgres_url)
        outcome.differences += [
            f"round {outcome.rounds}: {name} has {found.get(name)}, undisturbed {expected}"
            for name, expected in calm.contents.items()
            if found.get(name) != expected
        ]
        shutil.rmtree(data)
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


def main() -> None:
    """Command line of the fault test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--per-round", type=int, default=2, help="kills before a result is compared")
    parser.add_argument("--seed", type=int, help="seed of the moments; another one each time without it")
    arguments = parser.parse_args()
    from gamestats_assets.lakehouse.postgres.embedded import start_embedded, stop_embedded
    from gamestats_assets.settings import Settings

    with tempfile.TemporaryDirectory() as temporary:
        settings = Settings(data=temporary)
        try:
            url = start_embedded(settings)
            outcome = kill_at_random(
                undisturbed(prepare(Path(temporary, "work")), url),
                url,
                kills=arguments.kills,
                per_round=arguments.per_round,
                seed=arguments.seed,
            )
        finally:
            stop_embedded(settings)
    print(json.dumps(asdict(outcome), indent=2))
    raise SystemExit(1 if outcome.differences else 0)


if __name__ == "__main__":
    main()
