"""Fixtures shared by all tests."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

from gamestats_assets_tests.instances import keep_connections
from gamestats_assets_tests.postgres_fixture import (
    fresh_database,
    ops_database,
    ops_template,
    postgres_settings,
    postgres_url,
)
from gamestats_assets_tests.s3_fixture import s3

__all__ = ["fresh_database", "ops_database", "ops_template", "postgres_settings", "postgres_url", "realdata", "s3"]

keep_connections()
# How long an example takes says how busy the machine is; speed is the benchmarks' affair. Examples are the same in
# every run, so that a change is what makes one fail; `--hypothesis-profile=explore` looks for new ones.
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of real files, from GAMESTATS_REALDATA; its tests are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "realdata"
    folder = Path(os.environ.get("GAMESTATS_REALDATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set GAMESTATS_REALDATA to a folder that holds them")
    return folder


# The files that take longest, the longest first: each is one worker's, and none may be begun last.
LONG = (
    "test_cli.py",
    "test_faults.py",
    "test_season.py",
    "test_players.py",
    "test_end_to_end.py",
    "test_up.py",
    "test_erasure_end_to_end.py",
    "test_erasure.py",
    "test_cli_rocket_league.py",
    "test_sensors.py",
    "test_bronze.py",
    "test_spark.py",
    "test_ui.py",
    "test_cli_tournament.py",
    "test_tournament_entry.py",
    "test_behaviour.py",
    "test_generate.py",
    "test_paired_partitions.py",
    "test_simulate.py",
    "test_discovery.py",
    "test_published.py",
    "test_delta.py",
    "test_postgres.py",
    "test_cli_generate.py",
    "test_summaries.py",
    "test_sql.py",
    "test_assets.py",
    "test_analyst_expectations.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, each in one piece."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def pytest_configure() -> None:
    """Look for no garbage while tests are collected: they all stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage in what comes after the tests only, and less often than every 700 objects."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def pytest_unconfigure() -> None:
    """Let everything go."""
    gc.unfreeze()
