"""A small MMO of three days, made once for all tests of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gamestats_assets_tests.l2m.lake import DAYS, PLAN, SmallLake, simulated
from gamestats_assets_tests.support.once import made_once


def _make(folder: Path) -> None:
    simulated(PLAN, folder / "logs")
    lake = SmallLake(folder)
    lake.take(folder / "logs", DAYS)
    lake.make(DAYS)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """All days of `PLAN` taken and made in one go; to change it, copy it."""
    return SmallLake(made_once(tmp_path_factory, "l2m", _make))


@pytest.fixture(scope="session")
def logs(small: SmallLake) -> Path:
    """Its logs, with a folder for each day."""
    return small.folder / "logs"
