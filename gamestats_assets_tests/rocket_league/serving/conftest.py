"""What is served of Ann, Bob and somebody new: the world of `trainer`, one for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets_tests.rocket_league.serving.trainer import (
    ANN,
    ANNS_OTHER,
    BOB,
    FIRST,
    PACK,
    link,
    publish_trainer,
    train,
)
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of
from gamestats_assets_tests.support.postgres_fixture import database


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder of the world."""
    return tmp_path_factory.mktemp("trainer")


@pytest.fixture(scope="module")
def url(postgres_url: str, ops_template: str, folder: Path) -> Iterator[str]:
    """Its database. Ann trained three times, a week apart, and hit 5, 6 and 9 of 10."""
    with database(postgres_url, ops_template) as found:
        publish_trainer(found, Objects(folder / "objects"))
        link(found, "ann", ANN, ANNS_OTHER)
        link(found, "bob", BOB)
        link(found, "new", "steam_76561190000000009")
        trained = {"code": PACK, "duration_s": 1200, "attempts": 10}
        for week, hits in enumerate((5, 6, 9)):
            train(found, ANN, {**trained, "successes": hits, "completed_at": FIRST + timedelta(days=7 * week)})
        train(found, BOB, {"skill": "saves", "duration_s": 60, "completed_at": FIRST})
        yield found


@pytest.fixture(scope="module")
def site(url: str, folder: Path) -> Iterator[httpx.Client]:
    """What serves it."""
    with served(url, data=str(folder), uploads_an_hour=None) as client:
        yield client


@pytest.fixture(scope="module")
def ann(site: httpx.Client, url: str) -> Iterator[httpx.Client]:
    """Ann's browser."""
    with closing(browser_of(site, url, "ann")) as browser:
        yield browser


@pytest.fixture(scope="module")
def new(site: httpx.Client, url: str) -> Iterator[httpx.Client]:
    """That of somebody of whom nothing is known yet."""
    with closing(browser_of(site, url, "new")) as browser:
        yield browser
