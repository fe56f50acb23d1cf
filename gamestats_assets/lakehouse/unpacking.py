"""Packed bytes to their content, within limits: a small file that unpacks without end is stopped, and nothing else.

Two kinds of files come in. A document (a match, a timeline, a replay) is held in memory whole, so its size has a limit,
packed or not. A log is read in pieces and can be of any size; how much more than its own size it unpacks to has one.
Both have a limit of time.
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
"""How many times its own size a packed log may unpack to, beyond the limit of a document; real ones come to 30."""

# With the only method there is: the first two bytes alone begin other files, too.
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
    """How much of one file is read, and for how long.

    Attributes:
        megabytes: of a document, packed or not; so much a packed log may unpack to as well, whatever its own size.
        seconds: of reading a file once.
        decoding: what it may take to decode a file of a kind that can be made to take anything.
    """

    megabytes: int = 128
    seconds: int = 600
    decoding: TaskLimits = field(default_factory=TaskLimits)

    @property
    def bytes(self) -> int:
        """The limit of a document in bytes."""
        return self.megabytes * _MEGABYTE

    def refuse_size(self, size: int) -> None:
        """Raise `LimitExceededError` where a document of so many bytes is too large."""
        if size > self.bytes:
            raise LimitExceededError(f"The file has {size:,} bytes; up to {self.megabytes:,} MB are read ({_SIZE}).")


UNLIMITED = ReadLimits(sys.maxsize // _MEGABYTE, sys.maxsize)
"""For what has been read within limits before."""


class Watch:
    """Counts what is read of a file, and for how long; begun when it is made.

    Args:
        most: bytes that may be read.
    """

    def __init__(self, limits: ReadLimits, most: int | None = None) -> None:
        self._limits = limits
        self._most = limits.bytes if most is None else most
        self._read = 0
        self._ends = time.monotonic() + limits.seconds

    def count(self, size: int) -> None:
        """Count bytes that were read.

        Raises:
            LimitExceededError: when they are too many, or it is too late.
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
        UnreadableContentError: when a gzip stream is cut or damaged, or the content is larger than the limits allow.
    """
    watch = Watch(limits or ReadLimits())
    for _ in range(2):
        if not is_gzip(payload):
            return payload
        stream = _Watched(io.BytesIO(payload), watch, is_packed=True)
        payload = b"".join(iter(partial(stream.read, _CHUNK), b""))
    return payload


def is_gzip(payload: bytes) -> bool:
    """Whether a payload begins as gzip does, or is cut in that very beginning."""
    return len(payload) > 1 and _GZIP.startswith(payload[: len(_GZIP)])


class _Watched(io.RawIOBase):
    """The bytes of a stream, as they are counted."""

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
    """As `opened`, of a file that is open and can be sought in."""
    limits = limits or ReadLimits()
    packed = is_gzip(file.read(len(_GZIP)))
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    watch = Watch(limits, max(limits.bytes, size * LARGEST_RATIO) if packed else sys.maxsize)
    return io.BufferedReader(_Watched(file, watch, is_packed=packed), _CHUNK)


@contextmanager
def opened(path: Path, limits: ReadLimits | None = None) -> Iterator[io.BufferedReader]:
    """The content of a file of any size, plain or gzipped, to be read in pieces.

    Reading raises `UnreadableContentError` where the packed bytes end early or are damaged, there are too many of them,
    or it takes too long.

    Raises:
        OSError: when it cannot be opened.
    """
    with open(path, "rb") as file, unpacked(file, limits) as content:
        yield content
