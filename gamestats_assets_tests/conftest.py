"""Fixtures shared by all tests."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

from gamestats_assets_tests.support.instances import (
    keep_certificates,
    keep_commands,
    keep_connections,
    keep_no_revisions,
)
from gamestats_assets_tests.support.postgres_fixture import (
    fresh_database,
    ops_database,
    ops_template,
    postgres_settings,
    postgres_url,
)
from gamestats_assets_tests.support.s3_fixture import s3

__all__ = [
    "fresh_database",
    "ops_database",
    "ops_template",
    "postgres_settings",
    "postgres_url",
    "realdata",
    "s3",
]

# Folders of tests that run the whole program.
_WHOLE_PROGRAM = {"cli", "program"}

keep_connections()
keep_no_revisions()
keep_certificates()
keep_commands()
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, for none may be begun last and each is one worker's.

    These are the tests of commands and of the whole program, then those that need PostgreSQL. The rest goes backwards:
    tests of generated products, of which there are most and the shortest, end it.
    """
    of_postgres = {item.path for item in items if "postgres_settings" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path, reverse=True)
    items.sort(key=lambda item: (item.path.parent.name not in _WHOLE_PROGRAM, item.path not in of_postgres))


def pytest_configure() -> None:
    """Look for no garbage while tests are collected: they all stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage in what comes after the tests only, and less often than every 700 objects."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def pytest_unconfigure() -> None:
    """Let everything go: of what stays to the end a library says that it was lost."""
    gc.unfreeze()
