"""Frames for tests of the PUBG logic: small scenarios by hand, or everything that real files give."""

from __future__ import annotations

import contextlib
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.landing.decoding import decode_batches
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.quality import screen, table_inputs
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import BY_MATCH, BY_SEASON, BY_TOURNAMENT, SQL_TABLES
from gamestats_assets.pubg.telemetry.bronze import DECODER
from gamestats_assets.pubg.tournament.tables import MatchTournamentContext
from gamestats_assets_tests.support.frames import Frames, model, rows_of, run_sql

Function = Callable[..., Any]


def made_by(function: Function) -> type[Table]:
    """The table that a function makes."""
    return typing.get_args(typing.get_type_hints(function)["return"])[0]


MAKERS: dict[type[Table], Function] = {
    made_by(function): function for function in (*BY_MATCH, *BY_TOURNAMENT, *BY_SEASON)
}
OF_MATCHES = (*(table for table in map(made_by, BY_MATCH) if table is not t.TournamentMatches), *SQL_TABLES)

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
        complete.append(values)
    return rows_of(table, complete, typed={pl.Datetime: START})


def frames_of(given: Mapping[type[Table], Iterable[Mapping[str, Any]]]) -> dict[type[Table], pl.DataFrame]:
    """Tables of such rows."""
    return {table: rows(table, *some) for table, some in given.items()}


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


def run(function: Function, frames: Frames) -> pl.DataFrame:
    """What a function makes of the frames of its tables, an empty one where none is given; it keeps its rules."""
    inputs = {name: frames.get(of, of.create_empty()).lazy() for name, of in table_inputs(function).items()}
    return _sound(made_by(function), function(**inputs).collect())


def derive(frames: Frames, tables: Iterable[type[Table]] = OF_MATCHES) -> dict[type[Table], pl.DataFrame]:
    """The given frames with those of some tables, and of what these are made of; each keeps its declared rules."""
    known = dict(frames)

    def make(table: type[Table]) -> None:
        if table in known:
            return
        function = MAKERS.get(table)
        for source in (table_inputs(function) if function else model(table).reads).values():
            make(source)
        known[table] = run(function, known) if function else _sound(table, run_sql(table, known))

    for table in tables:
        make(table)
    return known


def _sound(table: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
    assert list(frame.schema.items()) == list(table.schema().items()), table.__name__
    assert screen(table, frame).rejections == [], table.__name__
    return frame
