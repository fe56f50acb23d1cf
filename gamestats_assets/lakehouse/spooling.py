"""Folders of spooled frames: removed when their run ends, and by the next run where it was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "gamestats-spool-"


@contextmanager
def spooled() -> Iterator[Path]:
    """A new folder for frames, held by a lock until it is removed; those that killed runs left are removed first.

    The lock goes with its process, however that ends: a folder that can be locked is nobody's.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if (lock := _locked(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # Between the two calls another run may take it for one that was left.
        lock = _locked(folder)
        if lock is not None and folder.exists():
            break
        if lock is not None:
            os.close(lock)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked(folder: Path) -> int | None:
    """A descriptor that holds a folder's lock; None where another process does, or it is not ours."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
