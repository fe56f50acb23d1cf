"""A match by hand: players, what they did and where they were; what a test does not say gets a default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.tables.bronze import BALL
from gamestats_assets_tests.rocket_league.support import building

Row = dict[str, Any]
MATCH, OTHER_MATCH = building.match_id(0xA), building.match_id(0xB)
ANN, BEA, CAL = "steam_1", "steam_2", "steam_3"
XAN, YVE, ZOE = "epic_1", "epic_2", "epic_3"
TEAM = {ANN: "blue", BEA: "blue", CAL: "blue", XAN: "orange", YVE: "orange", ZOE: "orange"}
SIDE = {"blue": 1, "orange": -1}
START = datetime(2026, 3, 14, 20, 0, tzinfo=UTC)


def rows(table: type[Table], given: Iterable[Mapping[str, Any]], **fixed: Any) -> pl.DataFrame:
    """Rows of a table, of `MATCH`; what may be null is, but for teams, which are those of the players."""
    complete = []
    for number, row in enumerate(given):
        own = {"match_id": MATCH, "event_number": number, "player_id": None, "source": "replay"} | fixed | dict(row)
        complete.append({"team": TEAM.get(own["player_id"] or "", "blue"), **own})
    return building.rows(table, *complete)


def events(*given: Mapping[str, Any]) -> pl.DataFrame:
    """Events in their order, after the first kick-off while play is on."""
    return rows(t.ReplayEvents, given, kickoff_number=1, is_live=True)


def touch(at: float, player: str | None, *, team: str | None = None, vy: float = 0.0, **more: Any) -> Row:
    """A touch in mid-field; `vy` is how fast the ball leaves it along the field."""
    row = {"kind": "touch", "time_s": at, "player_id": player, "ball_x_uu": 0.0, "ball_y_uu": 0.0, "ball_z_uu": 93.0}
    row |= {"player_z_uu": 17.0, "ball_vx_after_uu_s": 0.0, "ball_vy_after_uu_s": vy, "ball_vz_after_uu_s": 0.0}
    row |= {"ball_vx_before_uu_s": 0.0, "ball_vy_before_uu_s": 0.0, "ball_vz_before_uu_s": 0.0}
    return row | ({"team": team} if team else {}) | more


def event(kind: str, at: float, player: str | None, **more: Any) -> Row:
    """Another event."""
    return {"kind": kind, "time_s": at, "player_id": player} | more


def goal(at: float, player: str | None, *, team: str | None = None, **more: Any) -> Row:
    """A goal; `team` is that which scored, where it is not the player's."""
    return event("goal", at, player, **({"team": team} if team else {}), **more)


def made(function: Callable[..., Any], *frames: pl.DataFrame, **known: pl.DataFrame) -> pl.DataFrame:
    """What a function makes of frames, which are of the tables that their columns say; others are empty."""
    by_columns = {tuple(table.column_names()): table for table in t.ALL}
    return building.make(function, {by_columns[tuple(frame.columns)]: frame for frame in frames})


def dicts(frame: pl.DataFrame, *columns: str) -> list[Row]:
    """Rows as dictionaries, of some columns."""
    return frame.select(columns).to_dicts()


def frames(*at_each: Mapping[str, tuple[float, ...]], step_s: float = 0.1, **fixed: Any) -> pl.DataFrame:
    """Frames one after another: of each, where the ball and the players are (x, y, z and, of players, speed, boost)."""
    planted: list[Row] = []
    for number, places in enumerate(at_each):
        for who, (x, y, z, *more) in places.items():
            planted.append(
                {
                    "frame": number, "player_id": who, "team": TEAM.get(who),
                    "time_s": (number + 1) * step_s, "step_s": step_s, "kickoff_number": 1, "is_live": True,
                    "x_uu": x, "y_uu": y, "z_uu": z, "vx_uu_s": more[0] if more else 0.0, "vy_uu_s": 0.0,
                    "vz_uu_s": 0.0, "boost": more[1] if len(more) > 1 else 85.0, **fixed,
                }
            )  # fmt: skip
    return rows(t.ReplayFrames, planted)


def at_distances(distances: Mapping[str, float], **more: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    """Where everybody is when the ball lies in the middle: so far from it, towards the own goal."""
    return (
        {BALL: (0.0, 0.0, 0.0)}
        | {who: (0.0, -distance * SIDE[TEAM[who]], 0.0) for who, distance in distances.items()}
        | more
    )


def later(seconds: float) -> datetime:
    """A moment after the match began."""
    return START + timedelta(seconds=seconds)
