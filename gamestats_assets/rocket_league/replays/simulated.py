"""Converts frames of simulated matches to the form of replays.

A simulator cannot write the game's own format. Its JSON document of a match contains the data of a replay's network
updates: ball, cars and clock in every frame, and the events. Everything made from replays can be made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from gamestats_assets.rocket_league.players.identities import PlayerIdError, player_id_of
from gamestats_assets.rocket_league.reference.playlists import PLAYLISTS
from gamestats_assets.rocket_league.replays.files import Replay
from gamestats_assets.rocket_league.replays.frames import frames_from_updates
from gamestats_assets.rocket_league.replays.network import (
    Change,
    Floats,
    Network,
    Numbers,
    Player,
    UnreadableReplayError,
    phases,
)
from gamestats_assets.rocket_league.source import date_of, match_id_of

_COUNTDOWN = 0
_TURN = 10_000
_LARGEST = 2**31 - 1
_KINDS = ("shot", "save", "assist", "goal", "demolition", "ball_cam_on", "ball_cam_off")
# No one plays longer than an hour, but documents are not trusted.
_MOST_FRAMES = 200_000


_Columns = dict[str, list[int]]


class _Frames(msgspec.Struct):
    time_ms: list[int]
    phase: list[int]
    clock_s: list[int]
    is_hit: list[int]
    ball: _Columns
    cars: list[_Columns]


class _Account(msgspec.Struct):
    platform: str
    id: str


class _Seat(msgspec.Struct, kw_only=True):
    id: _Account
    name: str
    team: str
    score: int
    goals: int
    assists: int
    saves: int
    shots: int
    car: dict[str, int | str] = {}
    camera: dict[str, float] = {}


class _Document(msgspec.Struct):
    rocket_league_id: str
    match_guid: str
    date: str
    title: str
    map_code: str
    match_type: str
    team_size: int
    playlist_id: str
    season: int
    season_type: str
    score: tuple[int, int]
    players: list[_Seat]
    happened: list[tuple[int, str, int, int | None]]
    goals: list[tuple[int, int]]
    turns: list[tuple[int, int]]
    frames: _Frames


_DECODER = msgspec.json.Decoder(_Document)
_ERAS = {"free2play": "FreeToPlay", "legacy": "Legacy"}


def read_simulated(content: bytes) -> tuple[Replay, Network]:
    """Returns the match of a decompressed document with ten frames a second, and with every frame.

    Raises:
        UnreadableReplayError: when it is damaged, or contains impossible values.
    """
    try:
        document = _DECODER.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnreadableReplayError(f"The document of simulated frames cannot be read: {error}.") from None
    players = _players(document)
    network = _network(document, players)
    meta: Mapping[str, Any] = {
        "game_type": {"playlist_id": next((n for n, name in PLAYLISTS.items() if name == document.playlist_id), None)},
        "season": {"number": document.season, "era": _ERAS.get(document.season_type)},
        "team_zero": [],
        "team_one": [],
    }
    frames = frames_from_updates(network)
    return Replay(_header(document, network), meta, players, frames, "updates", True, _cars(document, players)), network


def _cars(document: _Document, players: list[Player]) -> dict[str, Mapping[str, Any]]:
    """Returns car and camera by player, as in a replay's header."""
    return {
        player.player_id: {**seat.car, "camera": seat.camera and {**seat.camera, "angle": seat.camera.get("pitch")}}
        for seat, player in zip(document.players, players, strict=True)
    }


def _players(document: _Document) -> list[Player]:
    teams = [seat.team for seat in document.players]
    if not teams or teams != sorted(teams):
        raise UnreadableReplayError("Expected players, those of the blue team first.")
    try:
        ids = [player_id_of(seat.id.platform, seat.id.id) for seat in document.players]
    except PlayerIdError as error:
        raise UnreadableReplayError(str(error)) from None
    if len(set(ids)) < len(ids) or {*teams} - {"blue", "orange"}:
        raise UnreadableReplayError("Expected each player once, in the team blue or orange.")
    return [
        Player(player_id, seat.name, seat.team == "orange", False)
        for player_id, seat in zip(ids, document.players, strict=True)
    ]


def _header(document: _Document, network: Network) -> Mapping[str, Any]:
    """Returns the header that a replay would have."""
    started_at = date_of(document.date)
    match_id = match_id_of(None, document.rocket_league_id)
    if started_at is None or match_id is None:
        raise UnreadableReplayError(f"Expected date and rocket_league_id, found {document.date!r}.")
    return {
        "Id": match_id,
        "MatchStartEpoch": int(started_at.timestamp()),
        "ReplayName": document.title,
        "MapName": document.map_code,
        "MatchType": document.match_type,
        "TeamSize": document.team_size,
        "Team0Score": document.score[0],
        "Team1Score": document.score[1],
        "NumFrames": len(network.time),
        "PlayerStats": [
            {"Name": seat.name, "Team": int(seat.team == "orange"), "Score": seat.score, "Goals": seat.goals,
             "Assists": seat.assists, "Saves": seat.saves, "Shots": seat.shots}
            for seat in document.players
        ],
    }  # fmt: skip


def _network(document: _Document, players: list[Player]) -> Network:
    frames, n = document.frames, len(document.frames.time_ms)
    if not 2 <= n <= _MOST_FRAMES or len(frames.cars) != len(players):
        raise UnreadableReplayError(
            f"Expected 2 to {_MOST_FRAMES} frames and a car for each of {len(players)} players."
        )

    def column(values: list[int] | None) -> Numbers:
        if not values or len(values) != n or not all(abs(value) <= _LARGEST for value in (min(values), max(values))):
            raise UnreadableReplayError(f"Expected {n} numbers of at most {_LARGEST} in each column of the frames.")
        return np.array(values, dtype=np.int64)

    def columns(of: _Columns, *names: str) -> Floats:
        return np.stack([column(of.get(name)) for name in names], axis=1).astype(float)

    def cars(*names: str) -> Floats:
        return np.stack([columns(car, *names) for car in frames.cars], axis=1)

    for frame, *_ in (*document.happened, *document.goals, *document.turns):
        if not 0 <= frame < n:
            raise UnreadableReplayError(f"An event is in frame {frame}, but there are only {n} frames.")
    state, time = column(frames.phase), column(frames.time_ms) / 1000
    number, step, is_live = phases(time, state.astype(float), state == _COUNTDOWN)
    life, boost, is_burning, brakes = (cars(name)[:, :, 0] for name in ("life", "boost", "is_burning", "brakes"))
    touch = np.full(n, -1, dtype=np.int64)
    for frame, team in document.turns:
        touch[frame] = team
    away = life < 0
    return Network(
        players=players,
        time=time,
        step=step,
        in_countdown=state == _COUNTDOWN,
        round=number,
        is_live=is_live,
        seconds_remaining=column(frames.clock_s),
        is_ball_hit=column(frames.is_hit) > 0,
        ball=columns(frames.ball, "x", "y", "z"),
        ball_velocity=columns(frames.ball, "vx", "vy", "vz"),
        ball_sent=np.ones(n, dtype=bool),
        touch=touch,
        life=np.where(away, -1, life).astype(np.int64),
        sent=~away,
        position=np.where(away[..., None], np.nan, cars("x", "y", "z")),
        velocity=np.where(away[..., None], np.nan, cars("vx", "vy", "vz")),
        rotation=cars("qx", "qy", "qz", "qw") / _TURN,
        boost=boost,
        boost_sent=~away,
        is_burning=is_burning > 0,
        brakes=brakes > 0,
        changes=_changes(document, len(players)),
        goals=[(frame, int(team == 1)) for frame, team in document.goals],
    )


def _changes(document: _Document, players: int) -> list[Change]:
    for _, kind, player, other in document.happened:
        if kind not in _KINDS or not 0 <= player < players or not 0 <= (other or 0) < players:
            raise UnreadableReplayError(f"Expected one of {', '.join(_KINDS)} by one of {players} players.")
    return [Change(frame, player, kind, other) for frame, kind, player, other in document.happened]
