"""Nothing is lost when processes die or work side by side."""

from __future__ import annotations

import shutil
from datetime import date

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

DAYS = (DAY.isoformat(), DAY.replace(day=DAY.day + 1).isoformat())
SELECTED = ("+pubg.matches", "+postgres.pubg.match_summaries")
"""With what they are made from, tables of every kind: landed, entered, by a function and by a query, published, and
made of all of these."""


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Calm:
    """Two days landed, and what an undisturbed process makes of them."""
    prepared = prepare(tmp_path_factory.mktemp("faults"), days=[*map(date.fromisoformat, DAYS)], matches=1)
    with database(postgres_url) as url:
        calm = undisturbed(prepared, url, DAYS, SELECTED)
    assert {name.split()[0] for name in calm.contents} == {"lake", "partitions", "postgres"}
    full = {name.partition(" ")[2] for name, output in calm.contents.items() if not output.startswith("0 rows")}
    assert full >= {
        "pubg.raw_matches",
        "pubg.circle_positions",
        "pubg.match_facts",
        "pubg.match_summaries",
        "pubg.matches",
    }
    return calm


def test_kills_at_random_points_change_no_table(calm: Calm, fresh_database: str) -> None:
    outcome = kill_at_random(calm, fresh_database, kills=4, per_round=4)
    assert outcome.kills == 4
    assert outcome.differences == []


def test_two_processes_on_different_days_at_once_lose_nothing(calm: Calm, fresh_database: str) -> None:
    data, context = calm.prepared.with_name("at_once"), workers()
    shutil.copytree(calm.prepared, data)
    for process in [start(context, data, fresh_database, [day], SELECTED) for day in DAYS]:
        finish(process)
    # What is of no day is looked at once more.
    finish(start(context, data, fresh_database, DAYS, SELECTED))
    assert contents(data, fresh_database) == calm.contents
