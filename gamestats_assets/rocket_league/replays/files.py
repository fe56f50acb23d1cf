"""Converts replays to rows: the match and its scoreboard from the header, and the frames."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from gamestats_assets.rocket_league.reference.playlists import playlist_of
from gamestats_assets.rocket_league.replays.frames import CAR, FPS, WORLD, frames_from_matrix, frames_from_updates
from gamestats_assets.rocket_league.replays.network import (
    Network,
    Player,
    UnreadableReplayError,
    player_of,
    read_network,
)
from gamestats_assets.rocket_league.source import REPLAY, match_id_of, on_disk, started_at_of, why_unreadable

Row = dict[str, Any]
# A longer length in a header cannot be a real match.
_LONGEST_S = 4 * 3600


@dataclass(frozen=True)
class Replay:
    """The contents of a replay.

    Attributes:
        header: properties of its header.
        meta: the library's summary of the header.
        players: the players.
        frames: rows of `ReplayFrames` without the columns of the match.
        frames_method: `matrix`, or `updates` if players came and went.
        is_simulated: whether a simulator made it.
        cars: car and camera, by player.
    """

    header: Mapping[str, Any]
    meta: Mapping[str, Any]
    players: list[Player]
    frames: pl.DataFrame
    frames_method: str
    is_simulated: bool = False
    cars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_replay(content: bytes) -> Replay:
    """Returns the header and ten frames a second of a decompressed replay.

    Raises:
        UnreadableReplayError: when the replay is damaged, or of a season with an unknown format.
    """
    import subtr_actor

    with on_disk(content) as path:
        try:
            info, matrix = subtr_actor.get_ndarray_with_info_from_replay_filepath(path, WORLD, CAR, fps=FPS)
            meta = info["replay_meta"]
            players = _players(meta)
            frames = frames_from_matrix(matrix, players)
            return Replay(dict(meta["all_headers"]), meta, players, frames, "matrix", cars=_cars(meta))
        except Exception:  # noqa: BLE001 (mostly that players come and go; what else is wrong shows below)
            pass
        try:
            meta = subtr_actor.get_replay_meta(path)["replay_meta"]
        except Exception as error:  # noqa: BLE001 (the library raises nothing more precise)
            raise UnreadableReplayError(why_unreadable(error)) from None
    network, _ = network_of(content)
    frames = frames_from_updates(network)
    return Replay(dict(meta["all_headers"]), meta, list(network.players), frames, "updates", cars=_cars(meta))


def network_of(content: bytes) -> tuple[Network, Mapping[str, Any]]:
    """Returns every update of a decompressed replay, and the properties of its header.

    The latest results are cached, because several steps read the same replay.

    Raises:
        UnreadableReplayError: as `read_replay` does.
    """
    digest = hashlib.sha256(content).digest()
    if digest not in _READ_LAST:
        _READ_LAST[digest] = _read_network_of(content)
        while len(_READ_LAST) > _MOST_KEPT:
            del _READ_LAST[next(iter(_READ_LAST))]
    return _READ_LAST[digest]


# One takes 6 MB for a match of five minutes.
_MOST_KEPT = 16
_READ_LAST: dict[bytes, tuple[Network, Mapping[str, Any]]] = {}


def _read_network_of(content: bytes) -> tuple[Network, Mapping[str, Any]]:
    import subtr_actor

    try:
        with _without_garbage_collection():
            parsed = subtr_actor.parse_replay(content)
            network, properties = read_network(parsed), parsed["properties"]
            # Free it before the collector would traverse all of it.
            del parsed
            return network, properties
    except UnreadableReplayError:
        raise
    except Exception as error:  # noqa: BLE001 (the library raises nothing more precise)
        raise UnreadableReplayError(why_unreadable(error)) from None


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Parsing makes a million small objects and no garbage; collecting would take as long as the parsing itself."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def recorded_frames(header: Mapping[str, Any]) -> int:
    """Returns the number of frames in a recording's header; of several recordings of a match, the longest counts."""
    return _whole(header, "NumFrames") or 0


def _whole(values: Mapping[str, Any], name: str) -> int | None:
    value = values.get(name)
    return value if isinstance(value, int) else None


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) and value else None


def _players(meta: Mapping[str, Any]) -> list[Player]:
    return [_player(entry, is_orange=side == "team_one") for side in ("team_zero", "team_one") for entry in meta[side]]


def _cars(meta: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {
        _player(entry, is_orange=side == "team_one").player_id: {
            "id": entry.get("car_body_id"),
            "hitbox": (entry.get("car_hitbox_family") or "").lower() or None,
            "camera": entry.get("camera_settings") or {},
        }
        for side in ("team_zero", "team_one")
        for entry in meta[side]
    }


def _player(entry: Mapping[str, Any], *, is_orange: bool) -> Player:
    is_bot = bool((entry.get("stats") or {}).get("bBot"))
    return player_of(entry["remote_id"], entry["name"], is_orange=is_orange, is_bot=is_bot)


def _on_board(entry: Mapping[str, Any]) -> str:
    """Returns the player of a row of the header's scoreboard, which lists the players at the end."""
    name, account = _text(entry, "Name") or "", entry.get("OnlineID")
    platform, unique_id = (entry.get(each) for each in ("Platform", "PlayerID"))
    epic = (unique_id.get("fields") or {}).get("EpicAccountId") if isinstance(unique_id, Mapping) else None
    remote_ids = {
        "OnlinePlatform_Steam": {"Steam": account},
        "OnlinePlatform_Epic": {"Epic": epic},
        "OnlinePlatform_Dingo": {"Xbox": account},
        "OnlinePlatform_PS4": {"PlayStation": {"name": name}},
        "OnlinePlatform_NNX": {"Switch": {"online_id": account}},
    }
    remote_id = remote_ids.get(platform.get("value", "") if isinstance(platform, Mapping) else "")
    return player_of(remote_id, name, is_orange=False, is_bot=bool(entry.get("bBot"))).player_id


def match_row(replay: Replay, match_id: str, day: date, content_hash: str, landed_at: datetime) -> Row:
    """Returns the row of `RawReplays`.

    Raises:
        UnreadableReplayError: when the header has no time.
    """
    header, meta = replay.header, replay.meta
    started = started_at_of(dict(header))
    if started is None:
        raise UnreadableReplayError(f"The header has no usable time; Date is {header.get('Date')!r}.")
    game_type, season = meta.get("game_type") or {}, meta.get("season") or {}
    # In frame order: sums of 32-bit numbers depend on it.
    duration_s = replay.frames.unique("frame", keep="first", maintain_order=True).get_column("step_s").sum()
    played_s = header.get("TotalSecondsPlayed")
    return {
        "match_id": match_id,
        "match_date": day,
        "source": REPLAY,
        "content_hash": content_hash,
        "other_files": 0,
        "landed_at": landed_at,
        "replay_id": match_id_of(None, header.get("Id")),
        "is_simulated": replay.is_simulated,
        "started_at": started[0],
        "start_is_exact": started[1],
        "title": _text(header, "ReplayName"),
        "recorder": _text(header, "PlayerName"),
        "map_code": (_text(header, "MapName") or "").lower() or None,
        "match_type": _text(header, "MatchType"),
        "playlist": playlist_in(header, game_type),
        "playlist_number": game_type.get("playlist_id"),
        "team_size": _whole(header, "TeamSize"),
        "season": season.get("number"),
        "season_type": {"FreeToPlay": "free2play", "Legacy": "legacy"}.get(season.get("era") or ""),
        "build_version": _text(header, "BuildVersion"),
        "duration_s": float(duration_s),
        "played_s": played_s if isinstance(played_s, float) and 0 <= played_s < _LONGEST_S else None,
        "went_to_overtime": _overtime(replay.frames),
        "was_forfeited": bool(header.get("bForfeit")),
        "blue_score": _whole(header, "Team0Score") or 0,
        "orange_score": _whole(header, "Team1Score") or 0,
        "frames": replay.frames.get_column("frame").n_unique(),
        "frames_method": replay.frames_method,
    }


def _overtime(frames: pl.DataFrame) -> bool:
    """Whether there was a kick-off after the clock had run down: overtime counts upwards from there.

    Matches without a time limit have a clock that counts upwards from the beginning.
    """
    clock = pl.col("seconds_remaining")
    first = pl.col("kickoff_number") == 1
    over = frames.filter(pl.col("is_countdown") & ~first & (clock <= 0))
    return over.height > 0 and frames.filter(first & (clock > 0)).height > 0


def playlist_in(header: Mapping[str, Any], game_type: Mapping[str, Any]) -> str | None:
    """Returns the playlist, from a header and the library's summary of it."""
    if header.get("MatchType") in ("LAN", "Private") or game_type.get("game_type") in ("Lan", "Private"):
        return "private"
    if header.get("MatchType") == "Offline":
        return "offline"
    return playlist_of(game_type.get("playlist_id"))


def player_rows(replay: Replay, match_id: str, day: date) -> list[Row]:
    """Returns rows of `RawPlayerStats`: all players, with the scoreboard's figures if the header has them."""
    header = replay.header
    rows: dict[str, Row] = {}
    listed = header.get("PlayerStats")
    board = {_on_board(entry): entry for entry in (listed if isinstance(listed, list) else ())}
    ids = {player.player_id for player in replay.players}
    # The scoreboard may spell an account's name differently.
    others = {entry.get("Name"): entry for player_id, entry in board.items() if player_id not in ids}
    score = [_whole(header, name) or 0 for name in ("Team0Score", "Team1Score")]
    shots = [
        sum(_whole(entry, "Shots") or 0 for entry in board.values() if entry.get("Team") == side) for side in (0, 1)
    ]
    won = int(score[1] > score[0]) if score[0] != score[1] else None
    best = max((_whole(entry, "Score") or 0 for entry in board.values() if entry.get("Team") == won), default=None)
    for player in replay.players:
        entry, car = (
            board.get(player.player_id) or others.get(player.name) or {},
            replay.cars.get(player.player_id) or {},
        )
        camera = car.get("camera") or {}
        side = int(player.is_orange)
        is_known = bool(entry)
        rows[player.player_id] = {
            "match_id": match_id,
            "match_date": day,
            "source": REPLAY,
            "player_id": player.player_id,
            "player_name": player.name,
            "team": "orange" if player.is_orange else "blue",
            "is_bot": player.is_bot,
            "is_mvp": is_known and side == won and (_whole(entry, "Score") or 0) == best,
            "car_id": car.get("id"),
            "car_hitbox": car.get("hitbox"),
            **{
                f"camera_{name}": camera.get(key)
                for name, key in (
                    ("fov", "fov"), ("height", "height"), ("pitch", "angle"), ("distance", "distance"),
                    ("stiffness", "stiffness"), ("swivel_speed", "swivel_speed"),
                    ("transition_speed", "transition_speed"),
                )
            },
            **{
                column: _whole(entry, name)
                for column, name in (
                    ("score", "Score"), ("goals", "Goals"), ("assists", "Assists"), ("saves", "Saves"),
                    ("shots", "Shots"),
                )
            },
            "shots_against": shots[1 - side] if is_known else None,
            "goals_against": score[1 - side] if is_known else None,
        }  # fmt: skip
    return list(rows.values())
