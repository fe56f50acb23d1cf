"""Converts ballchasing's JSON of a replay to rows: its match, and all its statistics of every player."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from gamestats_assets.rocket_league.players.identities import PlayerIdError, guest_id, player_id_of
from gamestats_assets.rocket_league.reference.ranks import HIGHEST_TIER
from gamestats_assets.rocket_league.replays.network import UnreadableReplayError
from gamestats_assets.rocket_league.source import BALLCHASING, date_of, match_id_of
from gamestats_assets.rocket_league.tables.bronze import RawPlayerStats, RawReplays
from gamestats_assets.rocket_league.tables.rows import TEAMS
from gamestats_assets.settings import shipped_rows

Row = dict[str, Any]
SIMULATED = "gamestats_simulated"
"""Key in files made by a simulator."""

_CAMERA = ("fov", "height", "pitch", "distance", "stiffness", "swivel_speed", "transition_speed")
# Statistics that follow from others.
_DERIVED = ("percent_", "shooting_percentage", "avg_powerslide_duration", "avg_speed_percentage")
# No number in a replay's statistics is larger, and integer columns hold nothing larger.
_LARGEST = 2**31 - 1
_HIGHEST = {**dict.fromkeys(("rank_tier", "min_rank_tier", "max_rank_tier"), HIGHEST_TIER), "rank_division": 4}
_RANK = {"tier": "rank_tier", "division": "rank_division"}
_COLUMNS = {**RawReplays.schema(), **RawPlayerStats.schema()}


@functools.cache
def statistics_columns() -> Mapping[str, Mapping[str, str]]:
    """Returns the column of each key, by family of statistics: those of players and of a team's ball."""
    columns: dict[str, dict[str, str]] = {}
    for row in shipped_rows("data", "reference", "rocket_league", "ballchasing_statistics.csv"):
        columns.setdefault(row["family"], {})[row["key"]] = row["column"]
    return columns


class UnreadableBallchasingError(UnreadableReplayError):
    """A document is not ballchasing's JSON of a replay, or belongs to another match than its file name says."""


def decode(content: bytes, match_id: str, day: date, content_hash: str, landed_at: datetime) -> tuple[Row, list[Row]]:
    """Returns the row of `RawReplays` and the rows of `RawPlayerStats`.

    Args:
        content: the document, decompressed.
        match_id: the match under which it is filed.
        day: the day of the match.
        content_hash: hash of the file.
        landed_at: when it landed.

    Raises:
        UnreadableBallchasingError: when it cannot be read, or belongs to another match.
    """
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableBallchasingError(f"The JSON is damaged: {error}.") from None
    found_id = (
        match_id_of(parsed.get("match_guid"), parsed.get("rocket_league_id")) if isinstance(parsed, dict) else None
    )
    if found_id != match_id:
        raise UnreadableBallchasingError(f"Expected match {match_id}, found {found_id or 'none'}.")
    started_at = date_of(_text(parsed.get("date")))
    if started_at is None:
        raise UnreadableBallchasingError(f"Expected a date such as 2026-03-10T18:55:49Z, found {parsed.get('date')!r}.")
    keys: Row = {"match_id": match_id, "match_date": day, "source": BALLCHASING}
    players, uncounted = _players(parsed, keys)
    teams = {color: _of(parsed, color) for color in TEAMS}
    replay: Row = {
        **keys,
        "content_hash": content_hash,
        "other_files": 0,
        "landed_at": landed_at,
        "replay_id": match_id_of(None, parsed.get("rocket_league_id")),
        "ballchasing_id": _text(parsed.get("id")),
        "is_simulated": parsed.get(SIMULATED) is True,
        "started_at": started_at,
        "start_is_exact": False,
        "uploaded_at": date_of(_text(parsed.get("created"))),
        "title": _text(parsed.get("title")),
        "recorder": _text(parsed.get("recorder")),
        "map_code": (_text(parsed.get("map_code")) or "").lower() or None,
        "match_type": _text(parsed.get("match_type")),
        "playlist": _text(parsed.get("playlist_id")),
        "playlist_number": None,
        "team_size": _value("team_size", parsed.get("team_size")),
        "season": _value("season", parsed.get("season")),
        "season_type": _text(parsed.get("season_type")),
        "duration_s": _value("duration_s", parsed.get("duration")),
        "went_to_overtime": _value("went_to_overtime", parsed.get("overtime")),
        **{
            f"{color}_score": _value("blue_score", _of(_of(team, "stats"), "core").get("goals"))
            for color, team in teams.items()
        },
        "min_rank_tier": _value("min_rank_tier", _of(parsed, "min_rank").get("tier")),
        "max_rank_tier": _value("max_rank_tier", _of(parsed, "max_rank").get("tier")),
        "uncounted_keys": uncounted,
    }
    return replay, players


def _of(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = values.get(key)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str | None:
    """Returns a text; lone surrogates, which JSON can hold and a table cannot, are replaced."""
    return value.encode(errors="replace").decode() if isinstance(value, str) and value else None


def _value(column: str, value: object) -> Any:
    """Returns a value in its column's type; None for other types, and for ranks that do not exist."""
    dtype = _COLUMNS[column]
    if value is None:
        return None
    if dtype.is_numeric():
        largest = _HIGHEST.get(column, _LARGEST)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= largest:
            return None
        return float(value) if dtype.is_float() else round(value)
    if isinstance(value, bool):
        return value
    return None


def _players(document: Mapping[str, Any], keys: Row) -> tuple[list[Row], int]:
    rows: list[Row] = []
    uncounted: set[str] = set()
    for color in TEAMS:
        team = _of(document, color)
        ball = _of(_of(team, "stats"), "ball")
        of_team = {column: _value(column, ball.get(key)) for key, column in statistics_columns()["ball"].items()}
        listed = team.get("players")
        for player in listed if isinstance(listed, list) else ():
            if isinstance(player, dict):
                row, unknown = _player(player, {**keys, "team": color, **of_team})
                rows.append(row)
                uncounted.update(unknown)
    return [*_once(rows)], len(uncounted)


def _once(rows: list[Row]) -> Iterator[Row]:
    """Returns one row per player; of a player who left and came back, the row with the longer stay."""
    best: dict[str, Row] = {}
    for row in rows:
        known = best.get(row["player_id"])
        if known is None or _stay_s(row) > _stay_s(known):
            best[row["player_id"]] = row
    yield from best.values()


def _stay_s(row: Row) -> float:
    return (row["end_time_s"] or 0.0) - (row["start_time_s"] or 0.0)


def _player(player: Mapping[str, Any], keys: Row) -> tuple[Row, set[str]]:
    who, camera, rank, stats = (_of(player, part) for part in ("id", "camera", "rank", "stats"))
    try:
        player_id = player_id_of(str(who.get("platform") or ""), str(who.get("id") or ""))
    except PlayerIdError:
        player_id = guest_id(_text(player.get("name")) or "")
    row: Row = {
        **keys,
        "player_id": player_id,
        "player_name": _text(player.get("name")) or player_id,
        "is_bot": None,
        "start_time_s": _value("start_time_s", player.get("start_time")),
        "end_time_s": _value("end_time_s", player.get("end_time")),
        **{column: _value(column, rank.get(key)) for key, column in _RANK.items()},
        "car_name": _text(player.get("car_name")),
        "car_id": _value("car_id", player.get("car_id")),
        "steering_sensitivity": _value("steering_sensitivity", player.get("steering_sensitivity")),
        **{f"camera_{name}": _value(f"camera_{name}", camera.get(name)) for name in _CAMERA},
    }
    unknown = {f"rank.{key}" for key, column in _RANK.items() if rank.get(key) is not None and row[column] is None}
    for group in stats:
        columns = statistics_columns().get(group, {})
        for key, value in _of(stats, group).items():
            if key in columns:
                row[columns[key]] = _value(columns[key], value)
                if value is not None and row[columns[key]] is None:
                    unknown.add(f"{group}.{key}")
            elif not key.startswith(_DERIVED):
                unknown.add(f"{group}.{key}")
    # Ballchasing leaves out zeros and false values.
    if "core" in stats:
        row["is_mvp"] = bool(row.get("is_mvp"))
    if "positioning" in stats and row.get("goals_against") is not None:
        row.setdefault("goals_against_while_last_defender", 0)
    return row, unknown
