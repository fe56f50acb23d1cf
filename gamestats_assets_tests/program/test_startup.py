"""What a process loads before it works: no more than its command needs, for what is loaded is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gamestats_assets.tables import GAMES

HEAVY = ("dagster", "sqlalchemy", "sqlglot", "httpx", "scipy", "sklearn", "plotly", "alembic", "faker")


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], set[str]]:
    """The heavy libraries and the games that are loaded after some code, in a process of its own."""

    def run(code: str) -> set[str]:
        environment = os.environ | {"GAMESTATS_DATA": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
        code = f"{code}\nimport sys; print('\\n', *sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        modules = set(done.stdout.splitlines()[-1].split())
        return modules & {*HEAVY, *(f"gamestats_assets.{game}" for game in GAMES)}

    return run


def test_a_query_loads_the_games_that_it_names(loaded: Callable[[str], set[str]]) -> None:
    ask = "from gamestats_assets.cli.lake.listing import query; query({!r})"
    assert loaded(ask.format("select 1")) == set()
    assert loaded("import gamestats_assets.lakehouse.postgres.server") == set()
    # The declaration of a table brings SQLAlchemy along.
    assert loaded(ask.format("from pubg.matches")) == {"gamestats_assets.pubg", "sqlalchemy"}


def test_dagster_s_daemon_and_webserver_load_nothing_of_tables(loaded: Callable[[str], set[str]]) -> None:
    storage = "import sys, gamestats_assets.orchestration.runs.storage; assert 'polars' not in sys.modules"
    assert loaded(storage) == {"dagster", "sqlalchemy", "alembic"}


def test_definitions_of_a_game_load_no_other_game(loaded: Callable[[str], set[str]], tmp_path: Path) -> None:
    build = "from gamestats_assets.definitions import build_defs; build_defs(games=['pubg'])"
    (tmp_path / "dagster").mkdir()
    assert loaded(build) == {"gamestats_assets.pubg", "dagster", "sqlalchemy", "sqlglot"}
    # Where lineage came from is kept by now.
    assert loaded(build) == {"gamestats_assets.pubg", "dagster", "sqlalchemy"}


def test_the_code_location_loads_every_game_and_little_else(loaded: Callable[[str], set[str]]) -> None:
    folder = Path(__file__).parents[2] / "gamestats_assets"
    assert {path.parent.name for path in folder.glob("*/definitions.py")} == set(GAMES)
    everything = loaded("from gamestats_assets.definitions import build_defs; build_defs()")
    assert everything == {*(f"gamestats_assets.{game}" for game in GAMES), "dagster", "sqlalchemy", "sqlglot"}
