"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

from gamestats_assets_tests.postgres_fixture import fresh_database, postgres_settings, postgres_url

__all__ = ["fresh_database", "postgres_settings", "postgres_url", "realdata"]


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of real files, from GAMESTATS_REALDATA; its tests are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "realdata"
    folder = Path(os.environ.get("GAMESTATS_REALDATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set GAMESTATS_REALDATA to a folder that holds them")
    return folder


# Files whose tests share something that takes a minute to make: a lake of real files, a demo, a server.
LONG = ("test_cli.py", "test_end_to_end.py", "test_faults.py", "test_ui.py", "test_up.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first and each on one worker, so that none is made twice or begun last."""
    for item in items:
        if item.path.name in LONG:
            item.add_marker(pytest.mark.xdist_group(item.path.name))
    items.sort(key=lambda item: item.path.name not in LONG)
