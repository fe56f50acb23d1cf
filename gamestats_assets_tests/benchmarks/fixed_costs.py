"""What commands and small runs cost: seconds from the start of a process to its end, each time in a fresh process.

    python -m gamestats_assets_tests.benchmarks.fixed_costs --rounds 5
    python -m gamestats_assets_tests.benchmarks.fixed_costs --only pubg_match tables

Everything stands in a temporary data folder with an embedded PostgreSQL that runs already. Commands are timed over the
tables of all games. Runs are `gamestats materialize` after something has landed, through to PostgreSQL with every
check: of a new match on a day that has some (in each of three games), of another day of an MMO with 1,000 rows, and of
50 matches of League of Legends on 50 days spread over four years. `up` is timed until it says that all answers.
`code_location`
is all imports and `build_defs`, which every process of the UI begins with. A first round, in which Python compiles, is
not counted. Prints one JSON object: medians of the rounds, of the time on the wall and of the processor's, which says
more where others work on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from gamestats_assets.l2m.source import deliver
from gamestats_assets.lakehouse.postgres.embedded import start_embedded, stop_embedded
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lol.source import ingest as ingest_lol
from gamestats_assets.pubg.source.files import ingest as ingest_pubg
from gamestats_assets.rocket_league.source import ingest as ingest_rocket_league
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.l2m.logs import Plan, simulate
from gamestats_assets.simulators.lol.seasons import write_season as write_lol
from gamestats_assets.simulators.pubg.matches import simulate_day
from gamestats_assets.simulators.rocket_league.seasons import simulate_season
from gamestats_assets.simulators.rocket_league.seasons import write_season as write_rocket_league

DAY = date(2026, 3, 14)
GAMESTATS = [sys.executable, "-m", "gamestats_assets.cli"]
COMMANDS: Mapping[str, Sequence[str]] = {
    "help": [*GAMESTATS, "--help"],
    "query_select_1": [*GAMESTATS, "query", "select 1"],
    "query_count_on_lake": [*GAMESTATS, "query", "select count(*) from pubg.matches"],
    "query_on_postgres": [*GAMESTATS, "query", "select 1", "--on", "postgres"],
    "tables": [*GAMESTATS, "tables"],
    "code_location": [sys.executable, "-c", "from gamestats_assets.definitions import build_defs; build_defs()"],
}
SCATTERED = 50

Bring = Callable[[], object]
"""Lands the next match or day."""


def pubg_matches(folder: Path, stores: Stores, rounds: int) -> Iterator[Bring]:
    """Eight matches of a day, and then one after another."""
    simulate_day(folder, DAY, 8 + rounds, 7)
    matches = [
        [path, path.with_name(path.name.replace(".match.json", ".telemetry.json.gz"))]
        for path in sorted(folder.glob("*.match.json"))
    ]
    yield lambda: ingest_pubg([file for match in matches[:8] for file in match], stores.landing)
    for match in matches[8:]:
        yield lambda match=match: ingest_pubg(match, stores.landing)


def lol_matches(folder: Path, stores: Stores, rounds: int) -> Iterator[Bring]:
    """As `pubg_matches`."""
    write_lol(folder, matches=8 + rounds, first_day=DAY, days=1)
    names = sorted(path.name for path in (folder / "matches").iterdir())
    matches = [[folder / "matches" / name, folder / "timelines" / name] for name in names]
    lists = [*(folder / "datadragon").iterdir()]
    yield lambda: ingest_lol([*lists, *(file for match in matches[:8] for file in match)], stores.landing)
    for match in matches[8:]:
        yield lambda match=match: ingest_lol(match, stores.landing)


def rocket_league_matches(folder: Path, stores: Stores, rounds: int) -> Iterator[Bring]:
    """As `pubg_matches`, of matches that ballchasing shows."""
    season = simulate_season(seed=7, players=60, matches=8 + rounds, first_day=DAY, days=1)
    paths = write_rocket_league(folder, season)
    yield lambda: ingest_rocket_league(paths[:8], stores.landing)
    for path in paths[8:]:
        yield lambda path=path: ingest_rocket_league([path], stores.landing)


def l2m_days(folder: Path, stores: Stores, rounds: int) -> Iterator[Bring]:
    """One day after another, of about 1,000 rows each."""
    plan = Plan(accounts=150, days=1 + rounds, start=DAY, actions=6.0, farms=1, level_one=5)
    simulate(plan, folder, rates=True)
    for number in range(1 + rounds):
        yield lambda number=number: deliver([folder / str(DAY + timedelta(days=number))], stores.landing)


def scattered_matches(folder: Path, stores: Stores, rounds: int) -> Iterator[Bring]:
    """A match, and then fifty on as many days within four years."""
    for number in range(1 + SCATTERED):
        write_lol(folder / str(number), matches=1, first_day=DAY - timedelta(days=29 * number), days=1, seed=number)
    yield lambda: ingest_lol([folder / "0"], stores.landing)
    yield lambda: ingest_lol([folder / str(number) for number in range(1, 1 + SCATTERED)], stores.landing)


RUNS: Mapping[str, tuple[str, Callable[[Path, Stores, int], Iterator[Bring]]]] = {
    "pubg_match": ("pubg", pubg_matches),
    "lol_match": ("lol", lol_matches),
    "rocket_league_match": ("rocket_league", rocket_league_matches),
    "l2m_day": ("l2m", l2m_days),
    "lol_50_scattered_days": ("lol", scattered_matches),
}
Seconds = tuple[float, float]
"""On the wall, and of the processor."""


def benchmark(rounds: int, only: Sequence[str] = ()) -> dict[str, Any]:
    """Times of commands and runs, of all or of those named.

    Raises:
        subprocess.CalledProcessError: when a command fails.
    """
    taken: dict[str, list[Seconds]] = {}
    with tempfile.TemporaryDirectory(prefix="gamestats-fixed-costs-") as name:
        base = Path(name)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPYCACHEPREFIX": str(base / "compiled")}
        for run, (game, bring) in RUNS.items():
            if not only or run in only:
                times = 1 if run == "lol_50_scattered_days" else 1 + rounds
                taken[run] = _runs(base / run, environment, game, bring, times)
        if not only or {*only} & {*COMMANDS, "up_ready"}:
            taken |= _commands(base / "commands", environment, rounds, only)
    return {
        "cores": os.cpu_count(),
        "rounds": rounds,
        "wall_s": {name: round(statistics.median(wall for wall, _ in each), 3) for name, each in taken.items()},
        "cpu_s": {name: round(statistics.median(cpu for _, cpu in each), 3) for name, each in taken.items()},
    }


def _runs(
    folder: Path,
    environment: Mapping[str, str],
    game: str,
    bring: Callable[[Path, Stores, int], Iterator[Bring]],
    times: int,
) -> list[Seconds]:
    """Of `materialize` after each time that something has landed; the first of several is not counted."""
    stores = Stores(Settings(data=str(folder / "data"), postgres_url=None))
    found: list[Seconds] = []
    try:
        start_embedded(stores.settings)
        for land in bring(folder / "files", stores, times):
            land()
            command = [*GAMESTATS, "materialize", "--select", game]
            found.append(_seconds(command, {**environment, "GAMESTATS_DATA": stores.settings.data}))
    finally:
        stop_embedded(stores.settings)
    return found[2:] or found[1:]


def _commands(
    folder: Path, environment: Mapping[str, str], rounds: int, only: Sequence[str]
) -> dict[str, list[Seconds]]:
    """Of the commands, over a match or a day of every game."""
    stores = Stores(Settings(data=str(folder / "data"), postgres_url=None))
    environment = {**environment, "GAMESTATS_DATA": stores.settings.data}
    taken: dict[str, list[Seconds]] = {}
    try:
        start_embedded(stores.settings)
        for game, bring in RUNS.values():
            next(bring(folder / game, stores, 0))()
        subprocess.run([*GAMESTATS, "materialize"], env=environment, check=True, capture_output=True)
        for name, command in COMMANDS.items():
            if not only or name in only:
                taken[name] = [_seconds(command, environment) for _ in range(1 + rounds)][1:]
        if not only or "up_ready" in only:
            taken["up_ready"] = [_until_ready(environment) for _ in range(1 + rounds)][1:]
    finally:
        stop_embedded(stores.settings)
    return taken


def _seconds(command: Sequence[str], environment: Mapping[str, str]) -> Seconds:
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, env=dict(environment), check=True, capture_output=True)
    return _since(before, started)


def _since(before: os.times_result, started: float) -> Seconds:
    wall, after = time.perf_counter() - started, os.times()
    return wall, (after.children_user + after.children_system) - (before.children_user + before.children_system)


def _until_ready(environment: Mapping[str, str]) -> Seconds:
    """Of `gamestats up` until it says that it is up; the processor's time is that until all of it has ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    before, started = os.times(), time.perf_counter()
    process = subprocess.Popen(
        [*GAMESTATS, "up", "--port", str(port)], env=dict(environment), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "is up" in line:
            break
    wall = time.perf_counter() - started
    process.send_signal(signal.SIGINT)
    process.communicate()
    if code := process.returncode:
        raise subprocess.CalledProcessError(code, "gamestats up")
    return wall, _since(before, started)[1]


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=[*RUNS, *COMMANDS, "up_ready"], default=[])
    arguments = parser.parse_args()
    print(json.dumps(benchmark(arguments.rounds, arguments.only), indent=2))


if __name__ == "__main__":
    main()
