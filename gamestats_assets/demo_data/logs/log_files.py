"""Opens log files, plain or compressed."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

from isal import isal_zlib

from gamestats_assets.lakehouse.errors import GamestatsError

_BUFFER = 1024 * 1024

DAMAGE: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, isal_zlib.error)  # pyright: ignore[reportAssignmentType]
"""Errors of reading a damaged compressed file."""


class UnreadableLogError(GamestatsError):
    """A log file does not exist or cannot be opened."""


def open_log(path: Path) -> io.BufferedReader[Any]:
    """Opens the decompressed bytes of a log file, plain or gzip by its first bytes, whatever its name.

    Reading raises one of `DAMAGE` if the compressed bytes end early or are damaged.

    Raises:
        UnreadableLogError: when it cannot be opened.
    """
    from isal import igzip

    try:
        file = io.BufferedReader(io.FileIO(path), _BUFFER)
        if file.peek(2)[:2] != b"\x1f\x8b":
            return file
        file.close()
        return io.BufferedReader(igzip.IGzipFile(path, "rb"), _BUFFER)
    except OSError as error:
        raise UnreadableLogError(f"Expected a log file at {path}; it cannot be opened: {error.strerror}.") from None
