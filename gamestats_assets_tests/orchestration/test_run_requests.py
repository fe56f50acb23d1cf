"""A run is requested once for a reason, and again, after growing waits, if it fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import dagster as dg
import pytest

from gamestats_assets.orchestration import run_requests
from gamestats_assets.orchestration.run_requests import REASON_TAG, due_attempt

Status = dg.DagsterRunStatus


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_requests, "_FIRST_WAIT", timedelta(0))


def run(instance: dg.DagsterInstance, status: Status, reason: str = "why") -> None:
    instance.add_run(dg.DagsterRun(job_name="j", run_id=str(uuid4()), tags={REASON_TAG: reason}, status=status))


@pytest.mark.parametrize("status", [Status.NOT_STARTED, Status.STARTING, Status.STARTED, Status.CANCELING])
@pytest.mark.usefixtures("no_waits")
def test_nothing_is_due_while_a_run_is_on_its_way(instance: dg.DagsterInstance, status: Status) -> None:
    run(instance, Status.FAILURE)
    run(instance, status)
    assert due_attempt(instance, "why") is None


def test_a_failed_run_is_tried_again_after_a_while(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(instance, Status.FAILURE)
    assert due_attempt(instance, "why") is None
    monkeypatch.setattr(run_requests, "_FIRST_WAIT", timedelta(0))
    assert due_attempt(instance, "why") == 1


@pytest.mark.usefixtures("no_waits")
def test_attempts_end_and_another_reason_begins_its_own(instance: dg.DagsterInstance) -> None:
    attempts: list[int] = []
    while (attempt := due_attempt(instance, "why")) is not None:
        attempts.append(attempt)
        run(instance, Status.FAILURE)
    assert attempts == [0, 1, 2, 3, 4]
    assert due_attempt(instance, "another") == 0


@pytest.mark.usefixtures("no_waits")
def test_what_a_person_cancelled_is_left_alone(instance: dg.DagsterInstance) -> None:
    run(instance, Status.CANCELED)
    assert due_attempt(instance, "why") is None
