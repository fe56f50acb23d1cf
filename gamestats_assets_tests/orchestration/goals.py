"""A tiny game for tests of the orchestration: tables, decoding, checks and functions."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from datetime import date
from typing import Any

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.landing.decoding import Decoded
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, decompressed
from gamestats_assets.lakehouse.quality import Rejection, breaking_rows
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.game import Game

DAILY: dict[str, Any] = {"partitioned_by": "day", "replaced_by": "match_id"}


class RawGoals(Table, key="demo/raw_goals", layer="bronze", made_by="raw", **DAILY):
    """Goals as landed: one row per goal."""

    match_id = dy.String(primary_key=True, description="Match.")
    goal = dy.Int64(primary_key=True, description="Position in the file.")
    day = dy.Date(description="UTC day.")
    minute = dy.Int64(min=0, description="Minute of the goal.")


class RawFiles(Table, key="demo/raw_files", layer="bronze", made_by="raw", **DAILY):
    """Files read: one row per match."""

    match_id = dy.String(primary_key=True, description="Match.")
    day = dy.Date(description="UTC day.")
    goals = dy.Int64(min=0, description="Goals in the file.")


class MatchGoals(Table, key="demo/match_goals", layer="gold", published=True, reconciled=("goals",), **DAILY):
    """Goals per match."""

    match_id = dy.String(primary_key=True, description="Match.")
    day = dy.Date(description="UTC day.")
    goals = dy.Int64(min=0, description="Goals.")
    last_minute = dy.Int64(nullable=True, description="Minute of the last goal.")


class DayGoals(Table, key="demo/day_goals", layer="gold", published=True, partitioned_by="day"):
    """Goals per day; replaced by whole days."""

    day = dy.Date(primary_key=True, description="UTC day.")
    goals = dy.Int64(description="Goals.")


TABLES: tuple[type[Table], ...] = (RawGoals, RawFiles, MatchGoals, DayGoals)
calls: list[list[str]] = []
"""The match ids of every call of `match_goals`, to test what is processed again."""


def decode(landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int) -> Generator[Decoded, None, None]:
    """Landed files are JSON lists of minutes; the longest list of a match counts; anything else is rejected."""
    for files in batches:
        yield _decoded(landing, files)


def _decoded(landing: Landing, files: Sequence[LandedFile]) -> Decoded:
    best: dict[tuple[str, date], list[int]] = {}
    rejections: list[Rejection] = []
    for file in files:
        day = date.fromisoformat(file.day)
        try:
            minutes = json.loads(decompressed(landing.read(file)))
        except ValueError as error:
            rejections.append(Rejection(file.unit_id, "file", "readable", f"{file.path}: {error}", 1))
            continue
        best[file.unit_id, day] = max(minutes, best.get((file.unit_id, day), []), key=len)
    goals = [
        (match_id, n, day, minute) for (match_id, day), longest in best.items() for n, minute in enumerate(longest)
    ]
    read_files = [(match_id, day, len(longest)) for (match_id, day), longest in best.items()]
    return Decoded(
        {
            RawGoals: pl.LazyFrame(goals, schema=RawGoals.schema(), orient="row"),
            RawFiles: pl.LazyFrame(read_files, schema=RawFiles.schema(), orient="row"),
        },
        {RawFiles: rejections},
        len(rejections),
    )


def match_goals(goals: dy.LazyFrame[RawGoals], files: dy.LazyFrame[RawFiles]) -> dy.LazyFrame[MatchGoals]:
    """Goals and last minute of every match, those without goals included."""
    calls.append(sorted(files.select("match_id").collect().get_column("match_id")))
    last = goals.group_by("match_id").agg(last_minute=pl.col("minute").max())
    return files.join(last, on="match_id", how="left").select(MatchGoals.column_names())  # type: ignore[return-value]


def day_goals(matches: dy.LazyFrame[MatchGoals]) -> dy.LazyFrame[DayGoals]:
    """Goals of every day."""
    return matches.group_by("day").agg(pl.col("goals").sum())  # type: ignore[return-value]


@breaking_rows(of=MatchGoals)
def goals_are_few(goals: dy.LazyFrame[MatchGoals]) -> pl.LazyFrame:
    """A match has fewer than 100 goals."""
    return goals.filter(pl.col("goals") >= 100)


@breaking_rows(of=MatchGoals, local=False)
def days_are_quiet(goals: dy.LazyFrame[MatchGoals]) -> pl.LazyFrame:
    """On a day there are fewer than 1,000 goals."""
    return goals.group_by("day").agg(pl.col("goals").sum()).filter(pl.col("goals") >= 1000)


@breaking_rows(of=MatchGoals, blocking=False)
def goals_are_regular(goals: dy.LazyFrame[MatchGoals]) -> pl.LazyFrame:
    """The last goal falls within 120 minutes; later ones are worth a look."""
    return goals.filter(pl.col("last_minute") > 120)


CHECKS = (goals_are_few, days_are_quiet, goals_are_regular)


def game(*, published: bool = False) -> Game:
    """The game: landed files, goals by match and by day."""
    demo = Game("demo", TABLES, CHECKS)
    demo.landed([RawGoals, RawFiles], decode)
    demo.function(match_goals)
    demo.function(day_goals)
    if published:
        demo.publications()
    return demo


def land(landing: Landing, match_id: str, day: str, minutes: object) -> None:
    """Lands one match file."""
    content = minutes if isinstance(minutes, bytes) else json.dumps(minutes).encode()
    landing.put("demo", date.fromisoformat(day), match_id, "match", content, content)
