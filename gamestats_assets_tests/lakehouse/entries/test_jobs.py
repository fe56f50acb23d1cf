"""Jobs of people: one worker does each, the oldest first, whatever happens to workers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.jobs import JobContext, Kind, Queue, Task, enqueue, work_on
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets_tests.lakehouse.processes import at_once, killed
from gamestats_assets_tests.support.clocks import wait_until


def _nothing(context: JobContext, tasks: Sequence[Task]) -> None:
    """What leaves its tasks done."""


KIND = Kind("replay", "rocket_league", _nothing, at_once=3)
NO_WORKSHOP: Any = None


def put(url: str, *kinds: str) -> list[int]:
    """Jobs in the queue, in order: their numbers."""
    with psycopg.connect(url) as conn:
        ids = [enqueue(conn, kind, "rocket_league", None, {"n": n}) for n, kind in enumerate(kinds)]
        return [conn.execute("SELECT job_number FROM ops.jobs WHERE job_id = %s", [i]).fetchall()[0][0] for i in ids]


def jobs(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        return conn.execute("SELECT * FROM ops.jobs ORDER BY job_number").fetchall()


def taken(url: str, *kinds: Kind, dead_after_s: float = 30) -> list[int]:
    found = Queue(SecretStr(url), kinds, dead_after_s).take()
    return [task.job.job_number for task in found[1]] if found else []


def take_all(url: str) -> list[int]:
    queue, found = Queue(SecretStr(url), [KIND]), list[int]()
    while (some := queue.take()) is not None:
        for task in some[1]:
            found.append(task.job.job_number)
            task.done()
    return found


def test_two_workers_at_once_take_each_job_once(ops_database: str) -> None:
    numbers = put(ops_database, *["replay"] * 40)
    one, other = at_once(take_all, [(ops_database,), (ops_database,)])
    assert sorted([*one, *other]) == numbers
    assert one
    assert other
    assert one == sorted(one)


def take_and_hang(url: str, dead_after_s: float) -> None:
    queue = Queue(SecretStr(url), [KIND], dead_after_s)
    found = queue.take()
    assert found is not None
    with queue.alive(found[1]):
        time.sleep(60)


def test_jobs_of_a_worker_are_taken_over_only_after_its_death(ops_database: str) -> None:
    [number] = put(ops_database, "replay")
    assert killed(take_and_hang, ops_database, 1.0, after=2.5)
    # It said until its end that it lived.
    assert taken(ops_database, KIND, dead_after_s=1.0) == []
    time.sleep(1.2)
    assert taken(ops_database, KIND, dead_after_s=1.0) == [number]
    assert jobs(ops_database)[0]["attempts"] == 2


def test_those_who_wait_are_told_how_many_are_before_them(ops_database: str) -> None:
    put(ops_database, *["replay"] * 5)
    queue = Queue(SecretStr(ops_database), [KIND], 0.3)
    found = queue.take()
    assert found is not None

    def said(*before: int) -> bool:
        messages = [job["said"] for job in jobs(ops_database)][3:]
        return messages == [f"waiting: {number} other requests came before" for number in before]

    with queue.alive(found[1]):
        assert wait_until(lambda: said(3, 4), 20)
        found[1][0].done()
        assert wait_until(lambda: said(2, 3), 20)
        found[1][1].done()
        assert wait_until(lambda: jobs(ops_database)[3]["said"] == "waiting: another request came before", 20)
        found[1][2].done()
        assert wait_until(lambda: jobs(ops_database)[3]["said"] == "waiting", 20)


def test_a_job_that_kills_workers_is_given_up_after_three_attempts(ops_database: str) -> None:
    [number] = put(ops_database, "replay")
    for _ in range(3):
        assert taken(ops_database, KIND, dead_after_s=0) == [number]
    assert taken(ops_database, KIND, dead_after_s=0) == []
    [job] = jobs(ops_database)
    assert job["state"] == "failed"
    assert "begun 3 times" in job["error"]


def test_who_was_taken_for_dead_is_not_heard_any_more(ops_database: str) -> None:
    put(ops_database, "replay")
    [slow] = Queue(SecretStr(ops_database), [KIND], 0).take()[1]  # type: ignore[index]
    [quick] = Queue(SecretStr(ops_database), [KIND], 0).take()[1]  # type: ignore[index]
    slow.say("still at it")
    slow.fail("it went wrong")
    quick.done({"match_id": "A"})
    assert [(job["state"], job["said"], job["result"]) for job in jobs(ops_database)] == [
        ("done", "done", {"match_id": "A"})
    ]


def test_a_job_that_is_put_back_was_never_begun(ops_database: str) -> None:
    put(ops_database, "replay")
    [task] = Queue(SecretStr(ops_database), [KIND]).take()[1]  # type: ignore[index]
    task.put_back()
    [job] = jobs(ops_database)
    assert (job["state"], job["attempts"]) == ("queued", 0)


def _refuses(context: JobContext, tasks: Sequence[Task]) -> None:
    tasks[0].done()
    raise GamestatsError("The replay is cut.")


def _breaks(context: JobContext, tasks: Sequence[Task]) -> None:
    raise RuntimeError("secret internals")


@pytest.mark.parametrize(
    ("work", "states", "errors"),
    [
        (_nothing, ["done", "done"], [None, None]),
        (_refuses, ["done", "failed"], [None, "The replay is cut."]),
        (_breaks, ["queued", "queued"], [None, None]),
    ],
)
def test_jobs_end_whatever_their_work_raises(
    ops_database: str, work: Any, states: list[str], errors: list[str | None]
) -> None:
    put(ops_database, "replay", "replay")
    kind = Kind("replay", "rocket_league", work, at_once=2)
    found = Queue(SecretStr(ops_database), [kind]).take()
    assert found is not None
    log: list[str] = []
    work_on(kind, NO_WORKSHOP, found[1], log.append)
    assert [job["state"] for job in jobs(ops_database)] == states
    assert [job["error"] for job in jobs(ops_database)] == errors
    # Messages for people do not contain what is only for the log.
    assert any("secret internals" in line for line in log) == (work is _breaks)
