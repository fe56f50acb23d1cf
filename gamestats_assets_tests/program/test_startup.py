"""What a process loads before it works: no more than its command needs, for what is loaded is waited for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gamestats_assets.tables import GAMES

HEAVY = ("dagster", "sqlalchemy", "sqlglot", "httpx", "scipy", "sklearn", "plotly", "alembic", "faker")
BUILD = "from gamestats_assets.definitions import build_defs; build_defs({})"


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., list[set[str]]]:
    """The heavy libraries and the games that are loaded after each of some lines, in one process of its own."""
    (tmp_path / "dagster").mkdir()

    def run(*lines: str) -> list[set[str]]:
        environment = os.environ | {"GAMESTATS_DATA": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
        tell = "import sys, json; print('LOADED', json.dumps([*sys.modules]))"
        code = "\n".join(part for line in lines for part in (line, tell))
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        told = [line.removeprefix("LOADED ") for line in done.stdout.splitlines() if line.startswith("LOADED ")]
        counted = {*HEAVY, *(f"gamestats_assets.{game}" for game in GAMES)}
        return [counted.intersection(json.loads(modules)) for modules in told]

    return run


def test_a_query_loads_the_games_that_it_names(loaded: Callable[..., list[set[str]]]) -> None:
    ask = "from gamestats_assets.cli.lake.listing import query; query({!r})"
    lines = (
        "import gamestats_assets.lakehouse.postgres.server",
        ask.format("select 1"),
        ask.format("from pubg.matches"),
    )
    # The declaration of a table brings SQLAlchemy along.
    assert loaded(*lines) == [set(), set(), {"gamestats_assets.pubg", "sqlalchemy"}]


def test_definitions_load_the_games_that_they_are_of(loaded: Callable[..., list[set[str]]]) -> None:
    folder = Path(__file__).parents[2] / "gamestats_assets"
    assert {path.parent.name for path in folder.glob("*/definitions.py")} == set(GAMES)
    of_game = {"gamestats_assets.pubg", "dagster", "sqlalchemy"}
    of_all = {*of_game, *(f"gamestats_assets.{game}" for game in GAMES)}
    pubg, everything = BUILD.format("games=['pubg']"), BUILD.format("")
    assert loaded(pubg, everything) == [{*of_game, "sqlglot"}, {*of_all, "sqlglot"}]
    # Where lineage comes from is kept by now. Dagster's daemon and webserver load nothing of tables.
    storage = "import sys, gamestats_assets.orchestration.runs.storage; assert 'polars' not in sys.modules"
    assert loaded(storage, pubg) == [{"dagster", "sqlalchemy", "alembic"}, {*of_game, "alembic"}]
