"""Decompresses files within limits that stop decompression bombs and nothing else.

There are two kinds of files. A document (a match, a timeline, a replay) is held in memory as a whole, so its size is
limited, compressed or not. A log is read in pieces and may have any size, but the ratio to which it unpacks is limited.
Both have a time limit.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from isal import igzip, isal_zlib

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.worker import TaskLimits

LARGEST_RATIO = 100
"""A compressed log larger than a document may unpack to this multiple of its size; real ones reach 30."""

# Includes the compression method, because other files also begin with the first two bytes.
_GZIP = b"\x1f\x8b\x08"
_SIZE, _TIME = "GAMESTATS_LARGEST_FILE_MB", "GAMESTATS_LONGEST_READ_S"
_CHUNK = 1024 * 1024
_MEGABYTE = 1_000_000


class UnreadableContentError(GamestatsError):
    """Compressed bytes end early, are damaged, or unpack to more than the limits allow."""


class LimitExceededError(UnreadableContentError):
    """A file is larger, or takes longer to read, than the limits allow."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Limits on reading one file.

    Attributes:
        megabytes: largest document, compressed or not; every compressed log may unpack to this size as well.
        seconds: longest time to read a file once.
        decoding: limits on decoding files of kinds that malicious input could make arbitrarily expensive.
    """

    megabytes: int = 128
    seconds: int = 600
    decoding: TaskLimits = field(default_factory=TaskLimits)

    @property
    def bytes(self) -> int:
        """The limit of a document in bytes."""
        return self.megabytes * _MEGABYTE

    def refuse_size(self, size: int) -> None:
        """Raises `LimitExceededError` if a document of so many bytes is too large."""
        if size > self.bytes:
            raise LimitExceededError(f"The file has {size:,} bytes; up to {self.megabytes:,} MB are read ({_SIZE}).")


UNLIMITED = ReadLimits(sys.maxsize // _MEGABYTE, sys.maxsize)
"""For content that has already been read within limits."""


class Watch:
    """Counts bytes and time while a file is read, from its creation on.

    Args:
        limits: the limits.
        most: most bytes to read; by default the limit of a document.
    """

    def __init__(self, limits: ReadLimits, most: int | None = None) -> None:
        self._limits = limits
        self._most = limits.bytes if most is None else most
        self._read = 0
        self._ends = time.monotonic() + limits.seconds

    def count(self, size: int) -> None:
        """Counts bytes that were read.

        Raises:
            LimitExceededError: if there are too many, or reading takes too long.
        """
        self._read += size
        if self._read > self._most:
            raise LimitExceededError(
                f"The file unpacks to more than {self._most // _MEGABYTE:,} MB, the most that is read of it ({_SIZE})."
            )
        if time.monotonic() > self._ends:
            raise LimitExceededError(
                f"Reading the file takes longer than {self._limits.seconds:,} s, the most that is allowed ({_TIME})."
            )


def decompressed(payload: bytes, limits: ReadLimits | None = None) -> bytes:
    """The content of a payload: plain, gzipped, or gzipped twice.

    Raises:
        UnreadableContentError: if a gzip stream is truncated or damaged, or the content exceeds the limits.
    """
    watch = Watch(limits or ReadLimits())
    for _ in range(2):
        if not is_gzip(payload):
            return payload
        stream = _Watched(io.BytesIO(payload), watch, is_packed=True)
        payload = b"".join(iter(partial(stream.read, _CHUNK), b""))
    return payload


def is_gzip(payload: bytes) -> bool:
    """Whether a payload begins like gzip, or is truncated within that beginning."""
    return len(payload) > 1 and _GZIP.startswith(payload[: len(_GZIP)])


class _Watched(io.RawIOBase):
    """A stream whose bytes are counted, and decompressed if needed."""

    def __init__(self, file: BinaryIO, watch: Watch, *, is_packed: bool) -> None:
        self._watch = watch
        self._stream = igzip.open(file, "rb") if is_packed else file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            part = self._stream.read(len(buffer))
        except EOFError:
            message = "The gzip stream ends early, or is followed by bytes that are no gzip. Fetch the file again."
            raise UnreadableContentError(message) from None
        except (igzip.BadGzipFile, isal_zlib.error) as error:  # pyright: ignore[reportGeneralTypeIssues] (the stubs call it an instance)
            raise UnreadableContentError(f"The gzip stream is damaged: {error}. Fetch the file again.") from None
        self._watch.count(len(part))
        buffer[: len(part)] = part
        return len(part)


def unpacked(file: BinaryIO, limits: ReadLimits | None = None) -> io.BufferedReader:
    """As `opened`, for an open, seekable file."""
    limits = limits or ReadLimits()
    packed = is_gzip(file.read(len(_GZIP)))
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    watch = Watch(limits, max(limits.bytes, size * LARGEST_RATIO) if packed else sys.maxsize)
    return io.BufferedReader(_Watched(file, watch, is_packed=packed), _CHUNK)


@contextmanager
def opened(path: Path, limits: ReadLimits | None = None) -> Iterator[io.BufferedReader]:
    """Opens a file of any size, plain or gzipped, to read its content in pieces.

    Reading raises `UnreadableContentError` if the compressed bytes end early or are damaged, or a limit is exceeded.

    Raises:
        OSError: if it cannot be opened.
    """
    with open(path, "rb") as file, unpacked(file, limits) as content:
        yield content
