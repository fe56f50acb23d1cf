"""The command line over data folders of several kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gamestats_assets.lakehouse.postgres.embedded import stop_embedded
from gamestats_assets_tests.cli.runner import Admin, Gamestats


@pytest.fixture
def gamestats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gamestats:
    """The command line over a folder where nothing ever happened, called in an empty one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Gamestats(tmp_path / "data")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Gamestats]:
    """The command line over a folder where nothing ever happened; what a command starts there is stopped."""
    gamestats = Gamestats(tmp_path / "data")
    yield gamestats
    stop_embedded(gamestats.stores.settings)


@pytest.fixture
def admin(tmp_path: Path, ops_database: str) -> Admin:
    """The command line of somebody who enters things, over a database of its own."""
    return Admin(tmp_path / "data", ops_database)
