"""Worker processes and the messages that they send."""

from __future__ import annotations

import multiprocessing
import sys

import pytest

from gamestats_assets.lakehouse import worker


def _count_to(number: int) -> int:
    for each in range(number):
        worker.tell(each)
    return number


def _refuse(number: int) -> None:
    raise ValueError(f"{number} is refused")


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_task_tells_is_heard_before_the_pool_is_left(processes: int) -> None:
    heard: list[int] = []
    with worker.pool(processes, heard.append) as pool:
        assert [task.result() for task in [pool.submit(_count_to, 3), pool.submit(_count_to, 5)]] == [3, 5]
    assert sorted(heard) == [0, 0, 1, 1, 2, 2, 3, 4]


def test_starting_guarded_processes_at_once_leaves_the_program_unchanged() -> None:
    program = sys.modules["__main__"]
    with worker.guarded_pool(4, worker.TaskLimits()) as pool:
        assert [task.result() for task in [pool.submit(_count_to, number) for number in range(8)]] == [*range(8)]
        for task in [pool.submit(_refuse, number) for number in range(8)]:
            with pytest.raises(ValueError, match="refused"):
                task.result()
    assert sys.modules["__main__"] is program
    worker.let_go()
    assert not [each for each in multiprocessing.active_children() if each.name == "guarded"]
