"""Documents of simulated matches in ballchasing's format, filled from templates."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gamestats_assets.simulators.rocket_league.players import HIGHEST_TIER, Player
from gamestats_assets.simulators.templates import filled, template

GAME = "rocket_league"
_RANKS = ("Bronze", "Silver", "Gold", "Platinum", "Diamond", "Champion", "Grand Champion")
# Start of the first free-to-play season; a season takes about three months.
_FREE_TO_PLAY, _SEASON_DAYS = datetime(2020, 9, 23, tzinfo=UTC), 96
# Statistics that ballchasing leaves out if they are zero.
_LEFT_OUT = (("positioning", "goals_against_while_last_defender"), ("movement", "avg_powerslide_duration"))


def documents(
    rng: np.random.Generator,
    playlist: str,
    drawn: Mapping[str, Any],
    ended_at: NDArray[np.int64],
    rating: NDArray[np.float64],
    players: Sequence[Sequence[Player]],
) -> Iterator[dict[str, Any]]:
    """Yields matches of one playlist as ballchasing's JSON.

    Args:
        rng: source of the remaining random values: ids, maps, servers.
        playlist: the playlist.
        drawn: all statistics, by ballchasing's names.
        ended_at: end of each match, in seconds since the epoch.
        rating: rank and division of each match and seat as one number.
        players: players of each match and seat, blue first.
    """
    of_player = _families("player", drawn, np.ravel)
    goals, shots = (drawn[name].sum(2, keepdims=True) for name in ("goals", "shots"))
    by_team = {name: drawn[name][..., :1] for name in ("shots_against", "goals_against")}
    by_team["shooting_percentage"] = 100 * goals / np.maximum(shots, 1)
    of_team = _families("team", {**drawn, **by_team}, _sums)
    size = rating.shape[1] // 2
    for number, seats in enumerate(players):
        stats = of_player[2 * size * number :][: 2 * size]
        teams = [
            {"ball": {name: _whole(drawn[name][number, team].item()) for name in ("possession_time", "time_in_side")}}
            | of_team[2 * number + team]
            for team in (0, 1)
        ]
        yield _match(rng, playlist, number, drawn, stats, teams, int(ended_at[number]), rating[number].tolist(), seats)


def _families(of: str, drawn: Mapping[str, Any], values: Any) -> list[dict[str, dict[str, Any]]]:
    """Returns families of statistics, one after another of every player or team."""
    families = template(GAME, "statistics")[of]
    of_family = [
        [
            dict(zip(names, row, strict=True))
            for row in zip(*(_numbers(values(drawn[name])) for name in names), strict=True)
        ]
        for names in families.values()
    ]
    rows = [dict(zip(families, row, strict=True)) for row in zip(*of_family, strict=True)]
    for row in rows if of == "player" else ():
        for family, name in _LEFT_OUT:
            if not row[family][name]:
                del row[family][name]
        if drawn["goals"].shape[2] == 1:
            del row["positioning"]["avg_distance_to_mates"]
    return rows


def _sums(values: NDArray[Any]) -> NDArray[Any]:
    return np.round(values.sum(2), 4).ravel()


def _numbers(values: NDArray[Any]) -> list[Any]:
    return [_whole(value) for value in values.tolist()] if values.dtype.kind == "f" else values.tolist()


def _whole(value: float) -> float | int:
    """Returns a number as ballchasing writes it: whole ones without a fraction."""
    return int(value) if value.is_integer() else value


def _match(
    rng: np.random.Generator,
    playlist: str,
    number: int,
    drawn: Mapping[str, Any],
    stats: Sequence[dict[str, Any]],
    teams: Sequence[dict[str, Any]],
    ended_at: int,
    ratings: Sequence[float],
    players: Sequence[Player],
) -> dict[str, Any]:
    size, chance = len(players) // 2, rng.random(len(players) + 1)
    # Sometimes ballchasing knows the ranks of some players, or of none.
    has_rank = (chance[:-1] > 0.02) & (chance[-1] > 0.005)
    end = _whole(drawn["end"][number].item())
    seats = [
        filled(
            template(GAME, "player"),
            {
                **_setup(player), "end_time": end, "name": player.name, "platform": player.platform,
                "account": player.account, "mvp": of_seat["core"]["mvp"] or None,
                "rank": _rank(rating) if ranked else None, "stats": of_seat,
            },
        )
        for player, of_seat, rating, ranked in zip(players, stats, ratings, has_rank, strict=True)
    ]  # fmt: skip
    known = sorted(rating for rating, has in zip(ratings, has_rank, strict=True) if has)
    recorder = int(rng.integers(len(players)))
    result = "Win" if recorder // size == int(drawn["won"][number]) else "Loss"
    date = datetime.fromtimestamp(ended_at, UTC)
    created = date + timedelta(seconds=1, microseconds=int(rng.integers(1, 600_000_000)))
    name, words = playlist.replace("-", " ").title(), template(GAME, "words")
    played_on = words["maps"][int(rng.integers(len(words["maps"])))]
    region = words["regions"][int(rng.integers(len(words["regions"])))]
    server, service = int(rng.integers(1, 10)), words["servers"][int(rng.integers(len(words["servers"])))]
    own_id = str(uuid.UUID(bytes=rng.bytes(16), version=4))
    values = {
        **_uploader(players[recorder]),
        **played_on,
        "id": own_id,
        "link": f"https://ballchasing.com/api/replays/{own_id}",
        "created": created.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "rocket_league_id": rng.bytes(16).hex().upper(),
        "match_guid": rng.bytes(16).hex().upper(),
        "title": f"{date:%Y-%m-%d.%H.%M} {players[recorder].name} {name} {result}",
        "team_size": size,
        "playlist_id": playlist,
        "playlist_name": name,
        "duration": int(end),
        "overtime": bool(drawn["overtime"][number]),
        "overtime_seconds": int(drawn["overtime_seconds"][number]) if drawn["overtime"][number] else None,
        "season": (date - _FREE_TO_PLAY).days // _SEASON_DAYS + 1,
        "date": date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "min_rank": _rank(known[0]) if known else None,
        "max_rank": _rank(known[-1]) if known else None,
        "blue": seats[:size],
        "orange": seats[size:],
        "blue_stats": teams[0],
        "orange_stats": teams[1],
        "region": region,
        "server": f"{region}{server}-{rng.bytes(8).hex().upper()}{server}-{service}{server}",
    }
    return filled(template(GAME, "match"), values)


def _rank(rating: float) -> dict[str, Any]:
    tier, division = int(rating), int(rating % 1 * 4) + 1
    if tier == HIGHEST_TIER:
        return {"id": "supersonic-legend", "tier": tier, "division": 1, "name": "Supersonic Legend"}
    name, step = _RANKS[(tier - 1) // 3], (tier - 1) % 3 + 1
    text = f"{name} {'I' * step} Division {division}"
    return {"id": f"{name.lower().replace(' ', '-')}-{step}", "tier": tier, "division": division, "name": text}


def _setup(player: Player) -> dict[str, Any]:
    """Returns a player's car and camera, always the same."""
    draw = hashlib.sha1(player.player_id.encode(), usedforsecurity=False).digest()
    cars = template(GAME, "words")["cars"]
    return {
        **cars[draw[0] % len(cars)],
        "fov": (110, 110, 110, 109)[draw[1] % 4],
        "height": (90, 100, 110)[draw[2] % 3],
        "pitch": -3 - draw[3] % 3,
        "distance": (260, 270, 270, 280)[draw[4] % 4],
        "stiffness": _whole(draw[5] % 13 / 20),
        "swivel_speed": _whole((20 + draw[6] % 60) / 10),
        "transition_speed": _whole((10 + draw[7] % 9) / 10),
        "steering_sensitivity": _whole((20 + draw[8] % 30) / 20),
    }


def _uploader(player: Player) -> dict[str, str]:
    """Returns the Steam account by which a player uploads; only Steam accounts can."""
    draw = hashlib.sha1(player.player_id.encode(), usedforsecurity=False).hexdigest()
    account = player.account if player.platform == "steam" else str(76561202160265728 + int(draw[:7], 16) % 94_000_000)
    return {
        "steam_id": account,
        "recorder": player.name,
        "profile_url": f"https://steamcommunity.com/profiles/{account}/",
        "avatar": f"https://avatars.steamstatic.com/{draw}.jpg",
    }
