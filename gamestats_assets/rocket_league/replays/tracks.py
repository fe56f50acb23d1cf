"""Builds the track of each replay: all data for the viewer, in the format of `track_format`."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import dataframely as dy
import numpy as np
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.players.identities import distinct_names
from gamestats_assets.rocket_league.reference.playlists import OTHER_FIELDS
from gamestats_assets.rocket_league.replays import track_format as form
from gamestats_assets.rocket_league.replays.events import PADS
from gamestats_assets.rocket_league.replays.network import Flags, Floats
from gamestats_assets.rocket_league.source import REPLAY
from gamestats_assets.rocket_league.tables.bronze import BALL

SMALL_PAD_BACK_S, BIG_PAD_BACK_S = 4.0, 10.0
"""Seconds after which a taken boost pad returns; at a kick-off all pads return."""
HITBOXES = ("octane", "dominus", "plank", "breakout", "hybrid", "merc")
_PAD_Z_UU, _BIG_PAD_Z_UU = 70, 73
# The hit box of most cars.
_USUAL_HITBOX = "octane"
_PLACE = {(x, y): number for number, (x, y, _) in enumerate(PADS.tolist())}
_CAMERA = {
    "fov_deg": "camera_fov", "height_uu": "camera_height", "pitch_deg": "camera_pitch",
    "distance_uu": "camera_distance", "stiffness": "camera_stiffness",
}  # fmt: skip
_OF_FRAMES = (
    "match_id", "frame", "player_id", "time_s", "seconds_remaining", "kickoff_number", "is_countdown", "is_live",
    "is_ball_hit", "x_uu", "y_uu", "z_uu", "rotation_x", "rotation_y", "rotation_z", "rotation_w", "boost",
    "is_jumping",
)  # fmt: skip
_LEVEL = 6
Row = dict[str, Any]


def replay_tracks(
    facts: dy.LazyFrame[t.MatchFacts],
    participants: dy.LazyFrame[t.Participants],
    stats: dy.LazyFrame[t.RawPlayerStats],
    frames: dy.LazyFrame[t.ReplayFrames],
    events: dy.LazyFrame[t.ReplayEvents],
    touches: dy.LazyFrame[t.Touches],
    rotations: dy.LazyFrame[t.Rotations],
) -> dy.LazyFrame[t.ReplayTracks]:
    """Returns one row per match with frames."""
    of_car = [*_CAMERA.values(), "car_id", "car_hitbox"]
    setups = stats.group_by("match_id", "player_id").agg(
        pl.col(name).sort_by(pl.col("source") != REPLAY).drop_nulls().first() for name in of_car
    )
    players = participants.join(setups, on=["match_id", "player_id"], how="left").sort("match_id", "team", "player_id")
    happened = (
        events.filter(pl.col("kind").is_in(["goal", "boost_pickup", "pad_taken", "ball_cam_on", "ball_cam_off"]))
        .sort("match_id", "event_number")
        .select("match_id", "kind", "time_s", "player_id", "team", "pad_x_uu", "pad_y_uu", "is_big_pad")
    )
    collected = pl.collect_all(
        [
            players,
            frames.select(_OF_FRAMES).sort("match_id", "frame", "player_id"),
            happened,
            touches.sort("match_id", "touch_number"),
            rotations.sort("match_id", "player_id", "stint_number"),
        ]
    )
    parts = [(_by(frame, "match_id"), frame.clear()) for frame in collected]
    rows: list[Row] = []
    for fact in facts.sort("match_id").collect().iter_rows(named=True):
        of_match = [by_match.get(fact["match_id"], nothing) for by_match, nothing in parts]
        if not (of_match[0].is_empty() or of_match[1].is_empty()):
            rows.append(_Track(fact, *of_match).row())
    tracks = pl.LazyFrame(rows, schema=t.ReplayTracks.schema())
    return t.ReplayTracks.cast(tracks)


def field_of(map_code: str | None) -> str:
    """Returns the kind of field of a map.

    >>> field_of("stadium_p"), field_of("hoopsstadium_p"), field_of("shattershot_p")
    ('soccar', 'hoops', 'dropshot')
    """
    names = dict(zip(OTHER_FIELDS, ("dropshot", "hoops"), strict=True))
    return next((field for begin, field in names.items() if (map_code or "").startswith(begin)), "soccar")


class _Track:
    """The track of one match, from its rows; it has players and frames."""

    def __init__(
        self,
        fact: Mapping[str, Any],
        players: pl.DataFrame,
        frames: pl.DataFrame,
        happened: pl.DataFrame,
        touches: pl.DataFrame,
        stints: pl.DataFrame,
    ) -> None:
        self.fact, self.players, self.frames = fact, players, frames
        self.touches, self.stints = touches, stints
        self.happened = happened.rows(named=True)
        self.number = {player_id: number for number, player_id in enumerate(players.get_column("player_id"))}
        self.each = frames.unique("frame", keep="first", maintain_order=True)
        self.time = self.each.get_column("time_s").to_numpy().astype(np.float64)
        self.end_s = float(self.time[-1])
        self.countdowns = self._first_times(pl.col("is_countdown"))
        self.ball_cam = self._ball_cam()

    def row(self) -> Row:
        """Returns the row of `ReplayTracks`."""
        header = json.dumps(self.header(), ensure_ascii=False, separators=(",", ":")).encode()
        content = b"".join([form.MAGIC, struct.pack("<I", len(header)), header, *self.chunks()])
        # Without a timestamp, equal rows make equal bytes.
        track = gzip.compress(content, _LEVEL, mtime=0)
        return {
            "match_id": self.fact["match_id"],
            "match_date": self.fact["match_date"],
            "track": track,
            "bytes": len(track),
            "frames": len(self.time),
            "duration_s": self.end_s,
            "players": len(self.number),
        }

    # ------------------------------------------------------------ header

    def header(self) -> Row:
        field = field_of(self.fact["map_code"])
        return {
            "match_id": self.fact["match_id"],
            "map": self.fact["map_code"],
            "playlist": self.fact["playlist"],
            "team_size": self.fact["team_size"],
            "duration_s": _seconds(self.end_s),
            "frames": len(self.time),
            "chunk_frames": form.CHUNK_FRAMES,
            "scale": form.SCALE,
            "field": field,
            "players": [
                _player({**row, "player_name": name})
                for row, name in zip(
                    self.players.iter_rows(named=True),
                    distinct_names(self.players.get_column("player_name").to_list()),
                    strict=True,
                )
            ],
            "pads": _pads() if field == "soccar" else [],
            "pad_events": self._pad_events() if field == "soccar" else [],
            "ball_cam": [[player, _seconds(begin), _seconds(end)] for player, begin, end in self.ball_cam],
            "kickoffs": self._kickoffs(),
            "goals": self._goals(),
            "touches": self._touches(),
            "stints": self._stints(),
        }

    def _first_times(self, where: pl.Expr) -> dict[int, float]:
        """Returns for each kick-off the time of its first frame where something holds."""
        times = self.each.filter(where).group_by("kickoff_number", maintain_order=True).agg(pl.col("time_s").first())
        return dict(times.iter_rows())

    def _next_countdown(self, after_s: float) -> float:
        return min((at for at in self.countdowns.values() if at > after_s), default=self.end_s)

    def _kickoffs(self) -> list[list[float | None]]:
        hits = self._first_times(pl.col("is_ball_hit") & pl.col("is_live"))
        return [[_seconds(at), _seconds(hits.get(number))] for number, at in self.countdowns.items()]

    def _goals(self) -> list[list[Any]]:
        return [
            [
                _seconds(row["time_s"]),
                row["team"],
                self.number.get(row["player_id"]),
                _seconds(self._next_countdown(row["time_s"])),
            ]
            for row in self.happened
            if row["kind"] == "goal"
        ]

    def _pad_events(self) -> list[list[Any]]:
        kinds = {row["kind"] for row in self.happened}
        # If the server sent no pads, filled tanks show most of them.
        kind = "pad_taken" if "pad_taken" in kinds else "boost_pickup"
        rows: list[list[Any]] = []
        for row in self.happened:
            if row["kind"] != kind:
                continue
            back_s = row["time_s"] + (BIG_PAD_BACK_S if row["is_big_pad"] else SMALL_PAD_BACK_S)
            back_s = min(back_s, self._next_countdown(row["time_s"]))
            pad, player = _PLACE[row["pad_x_uu"], row["pad_y_uu"]], self.number.get(row["player_id"])
            rows.append([pad, _seconds(row["time_s"]), _seconds(back_s), player])
        return rows

    def _ball_cam(self) -> list[tuple[int, float, float]]:
        since: dict[int, float] = {}
        spans: list[tuple[int, float, float]] = []
        for row in self.happened:
            player = self.number.get(row["player_id"])
            if player is None or not row["kind"].startswith("ball_cam"):
                continue
            begin = since.pop(player, None)
            if begin is not None:
                spans.append((player, begin, row["time_s"]))
            if row["kind"] == "ball_cam_on":
                since[player] = row["time_s"]
        spans += [(player, begin, self.end_s) for player, begin in since.items()]
        return sorted(spans)

    def _touches(self) -> list[list[Any]]:
        return [
            [
                _seconds(row["time_s"]),
                self.number.get(row["player_id"]),
                int(row["team"] == "orange"),
                *(_whole(row[f"ball_{axis}_uu"]) for axis in "xyz"),
                _whole(row["ball_speed_after_uu_s"]),
                int(row["is_aerial"] or False),
            ]
            for row in self.touches.iter_rows(named=True)
        ]

    def _stints(self) -> list[list[Any]]:
        return [
            [self.number[row["player_id"]], row["role"], _seconds(row["start_s"]), _seconds(row["end_s"])]
            for row in self.stints.iter_rows(named=True)
            if row["player_id"] in self.number
        ]

    # ------------------------------------------------------------ chunks

    def chunks(self) -> Iterator[bytes]:
        columns = [*self._of_frames(), *self._of_bodies()]
        for start in range(0, len(self.time), form.CHUNK_FRAMES):
            yield b"".join(column[start : start + form.CHUNK_FRAMES].tobytes() for column in columns)

    def _of_frames(self) -> Iterator[np.ndarray]:
        flags = sum(
            bit * self.each.get_column(name).fill_null(False).to_numpy().astype(np.uint8)
            for bit, name in ((form.COUNTDOWN, "is_countdown"), (form.LIVE, "is_live"), (form.BALL_HIT, "is_ball_hit"))
        )
        clock = self.each.get_column("seconds_remaining").fill_null(0).to_numpy()
        yield np.rint(self.time * 1000).astype("<u4")
        yield np.clip(clock, -(2**15), 2**15 - 1).astype("<i2")
        yield np.asarray(flags, dtype=np.uint8)

    def _of_bodies(self) -> Iterator[np.ndarray]:
        bodies = _by(self.frames, "player_id")
        numbers = self.each.get_column("frame").to_numpy()
        nowhere = self.frames.clear()
        for player_id in (BALL, *self.number):
            body = bodies.get(player_id, nowhere)
            at = np.searchsorted(numbers, body.get_column("frame").to_numpy())
            yield from _placed(body, at, len(numbers))
            if player_id != BALL:
                yield _spread(body.get_column("boost").fill_null(0).to_numpy(), at, len(numbers), 255, np.uint8)
                jumps = _spread(
                    body.get_column("is_jumping").fill_null(False).to_numpy(), at, len(numbers), 1, np.uint8
                )
                looks = form.BALL_CAM * self._looks_at_ball(self.number[player_id])
                yield (form.JUMPING * jumps + looks).astype(np.uint8)

    def _looks_at_ball(self, player: int) -> Flags:
        on = np.zeros(len(self.time), dtype=bool)
        for number, begin, end in self.ball_cam:
            if number == player:
                on |= (self.time >= begin) & ((self.time < end) | (end == self.end_s))
        return on


def _by(frame: pl.DataFrame, column: str) -> dict[str, pl.DataFrame]:
    return {str(value): rows for (value,), rows in frame.partition_by(column, as_dict=True).items()}


def _placed(body: pl.DataFrame, at: np.ndarray, n: int) -> Iterator[np.ndarray]:
    """Yields presence, position and rotation of a body."""
    places = body.select("x_uu", "y_uu", "z_uu").to_numpy().astype(np.float64)
    turns = body.select("rotation_x", "rotation_y", "rotation_z", "rotation_w").fill_null(0).to_numpy().astype(float)
    # Old replays lack the ball's rotation.
    turns[~turns.any(axis=1), 3] = 1.0
    present = ~np.isnan(places).any(axis=1)
    at, places, turns = at[present], places[present], turns[present]
    yield _spread(np.ones(len(at)), at, n, 1, np.uint8)
    for number in range(3):
        yield _spread(places[:, number] * form.SCALE, at, n, 2**15 - 1, "<i2")
    for number in range(4):
        yield _spread(turns[:, number] * form.TURN, at, n, form.TURN, "<i2")


def _spread(values: Floats, at: np.ndarray, n: int, largest: int, dtype: Any) -> np.ndarray:
    """Returns values as integers in their frames, with 0 in all others."""
    column = np.zeros(n, dtype=dtype)
    column[at] = np.clip(np.rint(values), -largest if np.dtype(dtype).kind == "i" else 0, largest)
    return column


def _player(row: Mapping[str, Any]) -> Row:
    camera = {name: row[column] for name, column in _CAMERA.items()}
    is_known = None not in camera.values()
    return {
        "name": row["player_name"],
        "team": row["team"],
        "car_id": row["car_id"],
        "hitbox": row["car_hitbox"] if row["car_hitbox"] in HITBOXES else _USUAL_HITBOX,
        "camera": {name: _rounded(value) for name, value in camera.items()} if is_known else None,
    }


def _pads() -> list[list[int]]:
    return [[int(x), int(y), _BIG_PAD_Z_UU if is_big else _PAD_Z_UU, int(is_big)] for x, y, is_big in PADS.tolist()]


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


def _rounded(value: float) -> float:
    # Sent as 32-bit numbers.
    return round(float(value), 4)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
