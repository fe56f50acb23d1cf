"""Decodes landed files as steps do, for tests of the resulting tables."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

import polars as pl

from gamestats_assets.lakehouse.landing.decoding import Decoder, Rejections, decode_batches
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.table import Table


def landed_last(landing: Landing, file: LandedFile) -> None:
    """Make a file the last to land."""
    _LANDINGS.append(file)
    with landing.on_disk(file) as path:
        os.utime(path, (len(_LANDINGS) + 4e9, len(_LANDINGS) + 4e9))


_LANDINGS: list[LandedFile] = []
Collected = tuple[dict[type[Table], pl.DataFrame], Rejections, int]
"""Frames by table, rejections, and units of which nothing could be read."""


def decoded(
    decoder: Decoder, landing: Landing, files: Sequence[LandedFile], *, workers: int = 1, part: int = 8
) -> Collected:
    """What one batch of files gives."""
    with contextlib.closing(decode_batches(decoder, landing, [files], workers=workers, part=part)) as results:
        batch = next(results)
        frames = {table: frame.collect() for table, frame in batch.frames.items()}
        return frames, batch.rejections, batch.unreadable
