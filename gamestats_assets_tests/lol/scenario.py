"""Rows of tables by hand: what a test does not say gets a default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import tables as t
from gamestats_assets_tests.support.frames import rows_of

MATCH_ID = "NA1_1"
DAY = date(2026, 3, 14)
START = datetime(2026, 3, 14, 20, 0, tzinfo=UTC)
_DEFAULTS: dict[str, Any] = {
    "match_id": MATCH_ID,
    "match_date": DAY,
    "started_at": START,
    "game_version": "13.14.522.7601",
    "patch": "13.14",
    "queue_id": 420,
    "queue_group": "ranked_solo",
    "has_positions": True,
    "has_timeline": True,
    "in_statistics": True,
    "version_is": "exact",
    "kind": "core",
    "status": "processed",
}


def rows(table: type[Table], *given: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of a table, of match `MATCH_ID`; events are numbered in the order given. What may be null is."""
    return rows_of(table, ({"event_index": index} | dict(row) for index, row in enumerate(given)), _DEFAULTS)


def ten(**given: Any) -> pl.DataFrame:
    """Participants 1 to 10 of a match: 1 to 5 blue, 6 to 10 red, who lost; each five top to support."""
    return rows(t.Participants, *(player(number, **given) for number in range(1, 11)))


def player(number: int, **given: Any) -> dict[str, Any]:
    """One of ten participants."""
    is_blue = number <= 5
    return {
        "participant_id": number,
        "team_id": 100 if is_blue else 200,
        "won": is_blue,
        "champion_id": 1,
        "position": ("TOP", "JUNGLE", "MIDDLE", "BOTTOM", "UTILITY")[(number - 1) % 5],
        "opponent_participant_id": number + 5 if is_blue else number - 5,
    } | given


def gold_frames(*golds: tuple[int, int, int], players: int = 10) -> pl.DataFrame:
    """Timeline frames: of each its time in milliseconds, and the gold of every blue and of every red participant."""
    return rows(
        t.TimelineFrames,
        *(
            {
                "participant_id": number,
                "frame_index": index,
                "timestamp_ms": at,
                "total_gold": blue if number <= 5 else red,
            }
            for index, (at, blue, red) in enumerate(golds)
            for number in range(1, players + 1)
        ),
    )


def kept(table: type[Table], made: pl.LazyFrame) -> pl.DataFrame:
    """The rows made, in the order of their key; they have the declared columns and keep the table's rules."""
    frame = made.collect()
    assert frame.schema == table.schema(), table.__name__
    assert screen(table, frame).rejections == [], table.__name__
    return frame.sort(table.primary_key())
