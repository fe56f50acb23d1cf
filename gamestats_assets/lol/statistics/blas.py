"""Matrix products on one thread."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[object]:
    """While it is open, no matrix product of this process shares itself among threads.

    Threads of small products mostly wait for each other, and they wait at work: a cell's regressions take half as long
    again with two of them. On a machine that is busy besides, large products suffer the same.
    """
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
