"""Nothing is lost when processes die or work side by side."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from gamestats_assets_tests.program.faults import (
    DAY,
    Calm,
    contents,
    finish,
    kill_at_random,
    prepare,
    start,
    undisturbed,
    workers,
)
from gamestats_assets_tests.support.postgres_fixture import database

NEXT_DAY = date(2026, 3, 15)


@dataclass
class Published:
    """An undisturbed run, and the database it published to."""

    calm: Calm
    url: str


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Published]:
    """Two days landed and the first one's work done."""
    prepared = prepare(tmp_path_factory.mktemp("faults"), days=[DAY, NEXT_DAY], matches=2)
    with database(postgres_url) as url:
        yield Published(undisturbed(prepared, url), url)


def test_kills_at_random_points_change_no_table(first_day: Published, fresh_database: str) -> None:
    outcome = kill_at_random(first_day.calm, fresh_database, kills=4, per_round=4)
    assert outcome.kills == 4
    assert outcome.differences == []


SIDE_BY_SIDE = {
    "pubg.raw_matches",
    "pubg.seasons",
    "pubg.circle_positions",
    "pubg.match_facts",
    "pubg.match_summaries",
    "pubg.matches",
}
"""Tables of every kind: landed, entered, by a function and by a query, published, and made of all of these."""


def test_two_processes_on_different_days_at_once_lose_nothing(first_day: Published) -> None:
    calm, url, context = first_day.calm, first_day.url, workers()
    both = [DAY.isoformat(), NEXT_DAY.isoformat()]
    selected = ["+pubg.matches", "+postgres.pubg.match_summaries"]

    def held(data: Path) -> dict[str, str]:
        found = contents(data, url)
        return {name: found[name] for name in found if name.split()[-1].replace("_ledger", "") in SIDE_BY_SIDE}

    # The first day is placed beside the second one: it is looked at once more.
    finish(start(context, calm.data, url, both[::-1], selected))
    expected = held(calm.data)
    assert {name.split()[0] for name in expected} == {"lake", "partitions", "postgres"}
    assert {name for name, output in expected.items() if output.startswith("0 rows")} == {"lake pubg.seasons"}
    # What the first run published stays: the second one replaces it.
    at_once = calm.prepared.with_name("at_once")
    shutil.copytree(calm.prepared, at_once)
    for process in [start(context, at_once, url, [day], selected) for day in both]:
        finish(process)
    finish(start(context, at_once, url, both, selected))
    assert held(at_once) == expected
