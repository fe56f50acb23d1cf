"""Frames for tests of the PUBG logic: small scenarios by hand, or everything that real files give."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.landing.decoding import decode_batches
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.quality import screen, table_inputs
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.circles import circle_positions
from gamestats_assets.pubg.matches.damage import damage_events
from gamestats_assets.pubg.matches.kills import weapon_kills
from gamestats_assets.pubg.matches.matches import match_facts, matches
from gamestats_assets.pubg.matches.summaries import match_summaries
from gamestats_assets.pubg.telemetry.bronze import DECODER
from gamestats_assets.pubg.tournament.tables import MatchTournamentContext
from gamestats_assets_tests.support.frames import Frames, run_sql

FUNCTIONS: tuple[tuple[type[Table], Callable[..., Any]], ...] = (
    (t.CirclePositions, circle_positions),
    (t.DamageEvents, damage_events),
    (t.WeaponKills, weapon_kills),
    (t.MatchFacts, match_facts),
    (t.Matches, matches),
    (t.MatchSummaries, match_summaries),
)
MODELS: tuple[type[Table], ...] = (t.Landings, t.Circles, t.KillPositions, t.PlayerMatchWeaponDistribution)

DAY = date(2026, 3, 14)
START = datetime(2026, 3, 14, 20, 0, tzinfo=UTC)


def at(second: float) -> datetime:
    """A time of the hand-made match, by seconds since its start."""
    return START + timedelta(seconds=second)


def rows(table: type[Table], *given: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of a table of match `m`: what is not given gets a default, null where it may be.

    `t` stands for `occurred_at` in seconds since the start; events are numbered in the order given.
    """
    complete: list[dict[str, Any]] = []
    for index, row in enumerate(given):
        values: dict[str, Any] = {"match_id": "m", "match_date": DAY, "event_index": index, "phase": 1.0} | dict(row)
        values["occurred_at"] = at(values.pop("t", 0))
        complete.append({name: values.get(name, _default(column)) for name, column in table.columns().items()})
    return pl.DataFrame(complete, schema=table.schema())


def _default(column: dy.Column) -> Any:
    if column.nullable:
        return None
    if isinstance(column.dtype, pl.String):
        return ""
    return False if isinstance(column.dtype, pl.Boolean) else START if isinstance(column.dtype, pl.Datetime) else 0


def file_row(**given: Any) -> pl.DataFrame:
    """The telemetry file of match `m`, processed, one hundred seconds long."""
    usual = {
        "status": "processed",
        "content_hash": "h",
        "started_at": START,
        "ended_at": at(100),
        "map_id": "Baltic_Main",
        "is_custom_match": True,
    }
    return rows(t.TelemetryFiles, usual | given)


def bronze(folder: Path, *files: tuple[str, str, bytes], day: date = DAY) -> dict[type[Table], pl.DataFrame]:
    """Every bronze table of the given files, landed and decoded as the pipeline does it.

    Args:
        folder: an empty folder to land in.
        files: match id, kind (`match` or `telemetry`) and content of each.
    """
    landing = Landing(folder)
    for match_id, kind, content in files:
        landing.put("pubg", day, match_id, kind, content, content)
    with contextlib.closing(
        decode_batches(DECODER, landing, [landing.files("pubg", day.isoformat())], workers=1)
    ) as results:
        decoded = next(results)
        assert decoded.unreadable == 0
        return complete(
            {table: frame.collect().select(table.column_names()) for table, frame in decoded.frames.items()}
        )


def complete(given: Frames) -> dict[type[Table], pl.DataFrame]:
    """The given frames, and an empty one for every other bronze table, and for the tournament's context."""
    inputs = [*(table for table in t.ALL if table.spec.made_by == "raw"), MatchTournamentContext]
    return {table: pl.DataFrame(schema=table.schema()) for table in inputs} | dict(given)


def together(*matches_: Frames) -> dict[type[Table], pl.DataFrame]:
    """The frames of several matches as one set."""
    return {table: pl.concat([frames[table] for frames in matches_]) for table in matches_[0]}


def derive(frames: Frames) -> dict[type[Table], pl.DataFrame]:
    """Every table of the game from its bronze tables; each keeps its declared rules."""
    known = dict(frames)
    for table, function in FUNCTIONS:
        inputs = {name: known[source].lazy() for name, source in table_inputs(function).items()}
        made = function(**inputs).collect()
        assert made.columns == table.column_names(), table.__name__
        assert made.schema == table.schema(), table.__name__
        known[table] = made
    for table in MODELS:
        known[table] = run_sql(table, known)
    for table in (*(table for table, _ in FUNCTIONS), *MODELS):
        assert screen(table, known[table]).rejections == [], table.__name__
    return known
