"""Log files of the processes of `gamestats up`: a current one, and one for each earlier day."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

KEPT_DAYS = 14
"""Days for which logs are kept."""


def today() -> date:
    """The day, in UTC."""
    return datetime.now(UTC).date()


def set_aside(log: Path, day: date | None = None) -> None:
    """Move what is in a log, `daemon.log`, to the end of that of a day, `daemon.2026-11-24.log`.

    A process may have it open for appending, and goes on with an empty file. What is older than 14 days is removed.

    Args:
        day: when it was written; the day of its last line unless given.
    """
    if log.exists() and (status := log.stat()).st_size:
        day = day or datetime.fromtimestamp(status.st_mtime, UTC).date()
        with log.open("rb") as source, log.with_name(f"{log.stem}.{day}.log").open("ab") as kept:
            shutil.copyfileobj(source, kept)
        os.truncate(log, 0)
    oldest = f"{log.stem}.{today() - timedelta(days=KEPT_DAYS)}.log"
    for path in log.parent.glob(f"{log.stem}.????-??-??.log"):
        if path.name < oldest:
            path.unlink(missing_ok=True)
