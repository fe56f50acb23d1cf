"""Workers' tools: waiting for current runs."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status

from gamestats_assets.orchestration.jobs import context
from gamestats_assets.orchestration.jobs.context import DagsterJobContext

NOTHING: Any = None


def run(instance: dg.DagsterInstance, game: str, status: Status) -> str:
    """A run that makes a table of a game."""
    keys = frozenset({dg.AssetKey([game, "matches"])})
    found = dg.DagsterRun(job_name="j", run_id=str(uuid4()), asset_selection=keys, status=status)
    return instance.add_run(found).run_id


def test_only_current_runs_of_the_game_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    notified: list[int] = []
    with dg.DagsterInstance.ephemeral() as instance:
        going = [run(instance, "rocket_league", status) for status in (Status.STARTED, Status.STARTING)]
        run(instance, "pubg", Status.STARTED)
        run(instance, "rocket_league", Status.SUCCESS)

        def one_ends(seconds: float) -> None:
            instance.delete_run(going.pop())

        monkeypatch.setattr(context.time, "sleep", one_ends)
        DagsterJobContext(NOTHING, instance, NOTHING, NOTHING).let_runs_end("rocket_league", notified.append)
        assert notified == [2, 1]


def test_waiting_for_a_run_ends_after_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(context, "_POLL_S", 0.02)
    notified: list[int] = []
    with dg.DagsterInstance.ephemeral() as instance:
        run(instance, "rocket_league", Status.STARTED)
        DagsterJobContext(NOTHING, instance, NOTHING, NOTHING).let_runs_end("rocket_league", notified.append)
    assert notified == [1]
