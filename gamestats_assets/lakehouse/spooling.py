"""Folders of spooled frames: removed when their run ends, and by the next run where it was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "gamestats-spool-"


class Spool:
    """A new folder for frames, held by a lock until it is removed; those that killed runs left are removed first.

    The lock goes with its process, however that ends: a folder that can be locked is nobody's.

    Args:
        under: where to make it; the system's temporary folder without it.
    """

    def __init__(self, under: Path | None = None) -> None:
        for left in Path(under or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            if (lock := _locked(left)) is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)
        lock = None
        while lock is None:
            # Between the two calls another run may take it for one that was left.
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=under))
            lock = _locked(self.folder)
            if lock is not None and not self.folder.exists():
                os.close(lock)
                lock = None
        self._lock = lock

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


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
