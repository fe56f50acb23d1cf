"""Tables of files as the pipeline makes them, without Dagster: landed, decoded, and made of one another."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from pathlib import Path

import polars as pl

from gamestats_assets.lakehouse.landing.decoding import decode_batches
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.assets import BY_DATA_DRAGON, BY_MATCH
from gamestats_assets.lol.reference.csv_files import queues
from gamestats_assets.lol.reference.data_dragon import read_documents
from gamestats_assets.lol.reference.items import champions, items
from gamestats_assets.lol.source import GAME, SOURCE
from gamestats_assets.lol.timelines.bronze import DECODER
from gamestats_assets_tests.lol.gold import make, table_of
from gamestats_assets_tests.support.frames import Frames


def tables_of(*folders: Path) -> Frames:
    """Every table of files up to the wide rows; each keeps its declared rules."""
    with tempfile.TemporaryDirectory() as zone:
        landing = Landing(zone)
        SOURCE.ingest(folders, landing)
        documents = read_documents(landing)
        files = [file for day in landing.days(GAME) for file in landing.files(GAME, day)]
        with contextlib.closing(decode_batches(DECODER, landing, [files], workers=1, part=1000)) as batches:
            decoded = next(batches)
            assert (decoded.unreadable, decoded.rejections) == (0, {})
            known: dict[type, pl.DataFrame] = {
                table: frame.collect().select(table.column_names()) for table, frame in decoded.frames.items()
            }
    known |= {t.DataDragonItems: documents.items, t.DataDragonChampions: documents.champions}
    for function in (queues, items, champions, *BY_DATA_DRAGON, *BY_MATCH):
        known[table_of(function)] = make(function, known)
    return known


@functools.cache
def real_tables(realdata: Path) -> Frames:
    """The tables of the real matches, read once in a session."""
    return tables_of(*(realdata / "lol" / kind for kind in ("matches", "timelines", "datadragon")))
