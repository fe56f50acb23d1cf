"""Real matches, each with its timeline: as bronze tables, and as the documents themselves."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.landing.decoding import decode_batches
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.quality import table_inputs
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.matches.coordination import team_coordination
from gamestats_assets.lol.matches.matches import matches
from gamestats_assets.lol.matches.objectives import objectives
from gamestats_assets.lol.matches.participants import participants
from gamestats_assets.lol.matches.skill_orders import skill_orders
from gamestats_assets.lol.reference.queues import queues
from gamestats_assets.lol.source import GAME, SOURCE
from gamestats_assets.lol.timelines.bronze import DECODER
from gamestats_assets_tests.lol.scenario import kept, rows

FUNCTIONS: tuple[tuple[type[Table], Callable[..., Any]], ...] = (
    (t.Queues, queues),
    (t.Matches, matches),
    (t.Participants, participants),
    (t.SkillOrders, skill_orders),
    (t.Objectives, objectives),
    (t.TeamCoordination, team_coordination),
)
VERSIONS = ("11.23.1", "12.21.1", "13.15.1", "13.24.1", "15.4.1")
"""Versions of Data Dragon that the real items are listed in."""


@dataclass(frozen=True)
class Pair:
    """One match: `info` of its match object, and `info` of its timeline."""

    match: dict[str, Any]
    timeline: dict[str, Any]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Events of the timeline, in order."""
        return [event for frame in self.timeline["frames"] for event in frame["events"]]

    def interpolated(self, at_ms: int, participants: Sequence[int], *keys: str) -> float | None:
        """What frames tell of some participants in all, at a time between two of them; None after the last."""
        for before, after in pairwise(self.timeline["frames"]):
            if before["timestamp"] <= at_ms <= after["timestamp"]:
                start, end = (
                    sum(frame["participantFrames"][str(number)][key] for number in participants for key in keys)
                    for frame in (before, after)
                )
                return start + (end - start) * (at_ms - before["timestamp"]) / (
                    after["timestamp"] - before["timestamp"]
                )
        return None

    def members(self, team_id: int) -> list[int]:
        """Participants of a team."""
        return [each["participantId"] for each in self.match["participants"] if each["teamId"] == team_id]


@functools.cache
def documents(realdata: Path) -> dict[str, Pair]:
    """Every real pair by match id, read plainly."""
    folder = realdata / "lol"
    return {
        path.name.partition(".")[0]: Pair(_info(path), _info(folder / "timelines" / path.name))
        for path in sorted((folder / "matches").glob("*.json.gz"))
    }


def _info(path: Path) -> dict[str, Any]:
    return json.loads(gzip.decompress(path.read_bytes()))["info"]


@functools.cache
def bronze(realdata: Path) -> dict[type[Table], pl.DataFrame]:
    """Every bronze table of the real pairs, landed and decoded as the pipeline does it; read once in a session."""
    folder = realdata / "lol"
    with tempfile.TemporaryDirectory() as zone:
        landing = Landing(zone)
        SOURCE.ingest([folder / "matches", folder / "timelines"], landing)
        files: list[LandedFile] = [file for day in landing.days(GAME) for file in landing.files(GAME, day)]
        with contextlib.closing(decode_batches(DECODER, landing, [files], workers=1, part=1000)) as batches:
            decoded = next(batches)
            assert decoded.unreadable == 0
            assert decoded.rejections == {}
            return {table: frame.collect().select(table.column_names()) for table, frame in decoded.frames.items()}


@functools.cache
def silver(realdata: Path) -> dict[type[Table], pl.DataFrame]:
    """What matches alone make of the real pairs: matches, participants, skills, objectives, coordination."""
    return derived(bronze(realdata))


def derived(raw: Mapping[type[Table], pl.DataFrame]) -> dict[type[Table], pl.DataFrame]:
    """The tables of `FUNCTIONS`, made of bronze tables; each keeps its declared rules."""
    listed = [{"version": version, "patch": version.rpartition(".")[0], "item_id": 1} for version in VERSIONS]
    known = dict(raw) | {t.Items: rows(t.Items, *listed), t.Champions: rows(t.Champions)}
    for table, function in FUNCTIONS:
        inputs = {name: known[source].lazy() for name, source in table_inputs(function).items()}
        known[table] = kept(table, function(**inputs))
    return {table: known[table] for table, _ in FUNCTIONS}
