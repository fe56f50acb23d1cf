"""The real files as bronze tables, landed and decoded as the pipeline does it, and what is made of these."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.landing.decoding import decode_batches
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league.assets import BY_MATCH
from gamestats_assets.rocket_league.replays.bronze import EVENTS_DECODER, RAW_DECODER
from gamestats_assets.rocket_league.replays.files import network_of
from gamestats_assets.rocket_league.replays.network import Network
from gamestats_assets.rocket_league.source import GAME, SOURCE
from gamestats_assets_tests.rocket_league.support.building import make

PAIRS = ("recent-ranked-doubles-2026-03-10", "recent-ranked-standard-2026-03-10-a")
"""Files of which both the replay and ballchasing's JSON are there."""
DUEL = "post-eac-ranked-duel-2026-04-28-a"
LAN = "replay-format-2016-07-21-v868-12-net-none-lan"
COME_AND_GO = "replay-format-2017-11-22-v868-20-net2-legacy-vectors"
TOURNAMENT = "replay-format-2020-09-25-v868-29-net10-tournament"
DROPSHOT = "replay-format-2026-06-19-v868-32-net11-dropshot-breakout"
Frames = Mapping[Any, pl.DataFrame]


def paths(realdata: Path, *names: str) -> list[Path]:
    """The files of a name: the replay, and ballchasing's JSON where there is one."""
    return [path for name in names for path in sorted((realdata / GAME).glob(f"{name}.*"))]


@functools.cache
def replay(realdata: Path, name: str) -> bytes:
    """The replay of a name."""
    return (realdata / GAME / f"{name}.replay").read_bytes()


@functools.cache
def network(realdata: Path, name: str) -> Network:
    """What the walk over its updates makes of it; walked once in a session."""
    return network_of(replay(realdata, name))[0]


@functools.cache
def bronze(realdata: Path, *names: str) -> Frames:
    """Every bronze table of the files of these names; read once in a session."""
    return decoded(paths(realdata, *names))


def decoded(files: Iterable[Path]) -> Frames:
    """Every bronze table of files, all of which can be read."""
    with tempfile.TemporaryDirectory() as zone:
        landing = Landing(zone)
        assert SOURCE.ingest([*files], landing).quarantined == 0
        landed: list[LandedFile] = [file for day in landing.days(GAME) for file in landing.files(GAME, day)]
        known: dict[type[Table], pl.DataFrame] = {}
        for decoder in (RAW_DECODER, EVENTS_DECODER):
            with contextlib.closing(decode_batches(decoder, landing, [landed], workers=1, part=1000)) as batches:
                found = next(batches)
                assert found.rejections == {}
                known |= {
                    table: found.frames[table].collect().select(table.column_names())
                    if table in found.frames
                    else table.create_empty()
                    for table in decoder.tables
                }
        return known


def derived(raw: Frames) -> Frames:
    """Bronze tables, and every table by match that is made of them; each keeps its declared rules."""
    known: dict[Any, pl.DataFrame] = dict(raw)
    for function in BY_MATCH:
        known[made_by(function)] = make(function, known)
    return known


@functools.cache
def silver(realdata: Path, *names: str) -> Frames:
    """All of that of the files of these names."""
    return derived(bronze(realdata, *names))


def made_by(function: Callable[..., Any]) -> type[Table]:
    """The table that a function makes."""
    return typing.get_args(typing.get_type_hints(function)["return"])[0]
