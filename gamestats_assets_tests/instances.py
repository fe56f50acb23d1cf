"""Ephemeral instances of Dagster that keep their connections."""

from __future__ import annotations

from dagster._core.storage.event_log import in_memory
from sqlalchemy.pool import SingletonThreadPool


def keep_connections() -> None:
    """Let ephemeral instances of this process keep one connection per thread to the events in their memory.

    Left to themselves they connect anew for each of the thousands of events of a run.
    """
    setattr(in_memory, "NullPool", SingletonThreadPool)  # noqa: B010
