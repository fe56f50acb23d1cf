"""A database and a site over it, for each module of tests."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser

from gamestats_assets_tests.pubg.tournament.season import SimulatedSeason
from gamestats_assets_tests.serving.season import publish_season
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.simulated import enter_and_publish
from gamestats_assets_tests.support.browsers import chromium
from gamestats_assets_tests.support.postgres_fixture import database


@pytest.fixture(scope="module")
def url(postgres_url: str, ops_template: str) -> Iterator[str]:
    """A database in which nothing was entered or published."""
    with database(postgres_url, ops_template) as found:
        yield found


@pytest.fixture(scope="module")
def site(url: str) -> Iterator[httpx.Client]:
    """A client of every game's routes over it."""
    with served(url) as client:
        yield client


@pytest.fixture(scope="module")
def season_url(postgres_url: str, ops_template: str) -> Iterator[str]:
    """A database in which the small season is published."""
    with database(postgres_url, ops_template) as found:
        publish_season(found)
        yield found


@pytest.fixture(scope="module")
def client(season_url: str) -> Iterator[httpx.Client]:
    """A client over the small season."""
    with served(season_url) as client:
        yield client


@pytest.fixture(scope="module")
def entered_url(postgres_url: str, ops_template: str) -> Iterator[str]:
    """A database in which the simulated season is entered and published."""
    with database(postgres_url, ops_template) as found:
        enter_and_publish(found, SimulatedSeason())
        yield found


@pytest.fixture(scope="module")
def entered_site(entered_url: str) -> Iterator[httpx.Client]:
    """A client over the simulated season."""
    with served(entered_url) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    with chromium() as found:
        yield found
