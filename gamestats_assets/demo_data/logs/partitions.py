"""Rows spread over temporary files, so that all that belong together can be looked at in little memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_PARTITIONS = 61
_IN_MEMORY_BYTES = 256 * 1024


class Partitions:
    """Rows by a key: those with the same key are in the same partition, in the order in which they were added.

    Args:
        dtype: of a row.
    """

    def __init__(self, dtype: Any) -> None:
        self._dtype = np.dtype(dtype)
        self._files = [tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) for _ in range(_PARTITIONS)]  # noqa: SIM115

    def add(self, rows: Array, keys: Array) -> None:
        """Take up rows with a whole number as the key of each."""
        partition = (keys % _PARTITIONS).astype(np.int64)
        ends = np.cumsum(np.bincount(partition, minlength=_PARTITIONS))
        for file, piece in zip(
            self._files, np.split(rows[np.argsort(partition, kind="stable")], ends[:-1]), strict=True
        ):
            file.write(piece.tobytes())

    def taken(self, at_least: int = 1) -> Iterator[Array]:
        """The rows, whole partitions at a time; they are gone afterwards.

        Args:
            at_least: how many rows make it worth while; the last ones may be fewer, none are left out.
        """
        held: list[Array] = []
        for file in self._files:
            with file:
                file.seek(0)
                held.append(np.frombuffer(file.read(), dtype=self._dtype))
            if sum(map(len, held)) >= at_least:
                yield np.concatenate(held)
                held.clear()
        if sum(map(len, held)):
            yield np.concatenate(held)
