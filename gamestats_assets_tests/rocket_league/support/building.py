"""Rows of Rocket League tables by hand, and what functions make of them; what a test does not say gets a default."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.lakehouse.quality import screen, table_inputs
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league import tables as t
from gamestats_assets_tests.support.frames import differences, rows_of

Frames = Mapping[Any, pl.DataFrame]
"""Frames by table."""
Row = dict[str, Any]
PLAYER = "steam_76561198385053346"
START = datetime(2026, 3, 14, 20, 0, tzinfo=UTC)
_DEFAULTS: dict[str, Any] = {
    "player_id": PLAYER,
    "match_date": START.date(),
    "started_at": START,
    "landed_at": START + timedelta(days=1),
    "created_at": START - timedelta(days=90),
    "updated_at": START - timedelta(days=60),
    "wanted_since": START - timedelta(days=90),
    "completed_at": START,
    "kept_from": date(2025, 1, 1),
    "playlist": "ranked-doubles",
    "team_size": 2,
    "stats_source": "ballchasing",
    "team": "blue",
    "username": "Somebody",
    "is_active": True,
    "retention_days": 730,
    "content_hash": "1",
    "state": "measured",
    "duration_s": 600,
    "players": 100,
    "matches": 1_000,
    "code": None,
}


def match_id(number: int) -> str:
    """The id of a match by its number."""
    return f"{number:032X}"


def rows(table: type[Table], *given: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of a table. What may be null is, but for what has a default here; matches are numbered as they come."""
    numbered = ({"match_id": match_id(number), "training_session_id": number} for number in range(len(given)))
    return rows_of(table, (numbers | dict(row) for numbers, row in zip(numbered, given, strict=True)), _DEFAULTS)


def filled(table: type[Table], frame: pl.DataFrame, **fixed: Any) -> pl.DataFrame:
    """Rows of a table from a frame; columns that are not given are null."""
    frame = frame.with_columns(**{name: pl.lit(value) for name, value in fixed.items()})
    schema = table.schema()
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    return frame.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def tracked(*players: str, kept_from: date = date(2020, 1, 1)) -> pl.DataFrame:
    """Tracked players whose matches are kept from a day on."""
    return rows(t.TrackedPlayers, *({"player_id": each, "kept_from": kept_from} for each in players))


def given_ranks(*ranks: tuple[str, str, int, datetime]) -> pl.DataFrame:
    """Ranks that players gave: player, playlist, rank, when."""
    names = ("player_id", "playlist", "tier", "updated_at")
    return rows(t.RlRanks, *(dict(zip(names, each, strict=True)) for each in ranks))


def sessions(*given: tuple[str, datetime, float]) -> pl.DataFrame:
    """Training sessions of shooting: player, end, hours."""
    return rows(
        t.TrainingSessions,
        *(
            {"player_id": player, "skill": "shooting", "completed_at": end, "duration_s": round(hours * 3600)}
            for player, end, hours in given
        ),
    )


def played(count: int, day: int = 0, **values: Any) -> list[Row]:
    """Matches one after another, an hour apart, from so many days after the first day on; sequences give one each."""
    begin = START + timedelta(days=day)
    found = []
    for number in range(count):
        at = begin + timedelta(hours=number)
        own = {name: each[number] if isinstance(each, (list, np.ndarray)) else each for name, each in values.items()}
        of_match = {"match_id": match_id(1000 * (day + 100) + number), "started_at": at, "match_date": at.date()}
        found.append(of_match | own)
    return found


def cohort(feature: str, matches: Sequence[float] | np.ndarray, tier: int = 16, **given: Any) -> Row:
    """The cohort of a rank of which single matches are known, each of a player of its own."""
    values = np.asarray(matches, dtype=float)
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    return {
        "feature": feature,
        "rank_tier": tier,
        "from_tier": tier,
        "to_tier": tier,
        "mean": float(values.mean()),
        "match_spread": spread,
        "within_spread": spread,
        "between_spread": spread,
        "match_quantiles": [float(each) for each in np.quantile(values, np.arange(21) / 20)],
    } | given


def make(function: Callable[..., Any], known: Frames) -> pl.DataFrame:
    """What a function makes of frames (tables not given are empty), by key; it keeps the table's rules."""
    inputs = {
        name: (known[table] if table in known else table.create_empty()).lazy()
        for name, table in table_inputs(function).items()
    }
    table: type[Table] = typing.get_args(typing.get_type_hints(function)["return"])[0]
    # As steps do.
    frame = function(**inputs).collect(engine="streaming")
    assert frame.schema == table.schema()
    assert screen(table, frame).rejections == []
    return frame.sort(table.primary_key())


def assert_order_does_not_matter(function: Callable[..., Any], known: Frames) -> None:
    """The rows are the same whichever order the rows of the inputs are in, and whenever they are made again."""
    table: type[Table] = typing.get_args(typing.get_type_hints(function)["return"])[0]
    made = make(function, known)
    shuffled = {each: frame.sample(fraction=1, shuffle=True, seed=5) for each, frame in known.items()}
    assert made.height
    assert differences(made, make(function, shuffled), table.primary_key()).rows() == []
    assert make(function, known).equals(made)
