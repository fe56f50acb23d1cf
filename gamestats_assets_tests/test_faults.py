"""Nothing is lost when processes die or work side by side."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from gamestats_assets_tests.faults import (
    finish,
    kill_at_random,
    lake_contents,
    postgres_contents,
    prepare,
    start,
    workers,
)


def test_tables_are_those_of_an_undisturbed_run_after_kills_at_ten_random_points(
    tmp_path: Path, fresh_database: str
) -> None:
    outcome = kill_at_random(tmp_path, fresh_database, kills=10, per_round=5)
    assert outcome.kills == 10
    assert outcome.differences == []


def test_two_processes_that_materialise_different_days_at_once_lose_nothing(
    tmp_path: Path, fresh_database: str
) -> None:
    days = [date(2026, 3, 14), date(2026, 3, 15)]
    names = [day.isoformat() for day in days]
    prepared = prepare(tmp_path, days=days, matches=2)
    context = workers()
    one_by_one, at_once = tmp_path / "one_by_one", tmp_path / "at_once"
    shutil.copytree(prepared, one_by_one)
    finish(start(context, one_by_one, fresh_database, names))
    expected = lake_contents(one_by_one) | postgres_contents(fresh_database)
    # What the first run published stays: the second one replaces it.
    shutil.copytree(prepared, at_once)
    for process in [start(context, at_once, fresh_database, [name]) for name in names]:
        finish(process)
    assert lake_contents(at_once) | postgres_contents(fresh_database) == expected
