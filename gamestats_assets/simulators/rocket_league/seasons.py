"""Simulated seasons: who meets whom and when, and the files."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from gamestats_assets.simulators.rocket_league.documents import documents
from gamestats_assets.simulators.rocket_league.frames import figures, frames_document
from gamestats_assets.simulators.rocket_league.play import Played, play
from gamestats_assets.simulators.rocket_league.players import (
    HABITS,
    HIGHEST_TIER,
    LOWEST_TIER,
    MONTH_S,
    PLAYLISTS,
    SKILLS,
    Planted,
    Player,
    TrainingSession,
    cohort,
)
from gamestats_assets.simulators.rocket_league.statistics import derived, draw, height

MARK = "gamestats_simulated"
"""The key that marks a match as simulated."""
# From the minute before the longest match of a player to its end.
_BUSY_S = 660
# Relative number of players by hour of the day, UTC.
_BY_HOUR = np.array([4, 3, 2, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 10, 9, 8, 6], np.float64)
# Matches that are drawn at a time.
_CHUNK = 512


@dataclass(frozen=True)
class Lobbies:
    """The lobbies of matches: a row per match, a column per seat; the first half of a match's seats is blue."""

    ended_at: NDArray[np.int64]
    """Seconds since the epoch."""
    playlist: NDArray[np.int8]
    """Number in `PLAYLISTS`."""
    player: NDArray[np.int32]
    """Number among the players; -1 if the playlist has no such seat."""
    rating: NDArray[np.float64]
    """Rank and division as one number, such as 16.5 for Champion 1, division 3."""
    skill: NDArray[np.float64]
    """Per seat and skill, including training until then."""


class Matches:
    """The matches of a season in time order, made on demand; every pass over them gives the same."""

    def __init__(
        self, seed: int, players: Sequence[Player], lobbies: Lobbies, in_play: Collection[int], clock_s: float
    ) -> None:
        """Matches of these players, who meet as in `lobbies`; those `in_play` are played out by the given clock."""
        self._seed, self._players, self._lobbies = seed, players, lobbies
        self._in_play, self._clock_s = sorted(in_play), clock_s

    def __len__(self) -> int:
        """Number of matches."""
        return len(self._lobbies.ended_at)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yields each match as ballchasing's JSON."""
        for chunk, first in enumerate(range(0, len(self), _CHUNK)):
            rows = np.arange(first, min(first + _CHUNK, len(self)))
            made: dict[int, dict[str, Any]] = {}
            for number, playlist in enumerate(PLAYLISTS):
                of_playlist = rows[self._lobbies.playlist[rows] == number]
                if len(of_playlist):
                    rng = np.random.default_rng([self._seed, 1, chunk, number])
                    made |= zip(of_playlist.tolist(), self._made(rng, playlist, of_playlist), strict=True)
            for row in rows.tolist():
                yield made[row]

    def _made(self, rng: np.random.Generator, playlist: str, rows: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
        """Yields the matches of one playlist in these rows."""
        lobbies, size = self._lobbies, PLAYLISTS[playlist]
        shape = (len(rows), 2, size)
        seats, rating = lobbies.player[rows, : 2 * size], lobbies.rating[rows, : 2 * size]
        skill = lobbies.skill[rows, : 2 * size].reshape(*shape, len(SKILLS))
        habit = np.array([[player.habits.get(each, 0.0) for each in HABITS] for player in self._players])[seats]
        drawn = draw(rng, size, height(rating).reshape(shape), skill, habit.reshape(*shape, len(HABITS)))
        for number in np.flatnonzero(np.isin(rows, self._in_play)):
            for name, value in figures(self.played[int(rows[number])]).items():
                drawn[name][number] = value
        who = [[self._players[seat] for seat in of_match] for of_match in seats.tolist()]
        yield from documents(rng, playlist, drawn | derived(drawn), lobbies.ended_at[rows], rating, who)

    @cached_property
    def played(self) -> dict[int, Played]:
        """Matches that are played out, by their number from 0."""
        found: dict[int, Played] = {}
        for row in self._in_play:
            seats = np.flatnonzero(self._lobbies.player[row] >= 0)
            rng = np.random.default_rng([self._seed, 2, row])
            rating, skill = self._lobbies.rating[row, seats], self._lobbies.skill[row, seats]
            found[row] = play(rng, height(rating), skill, self._clock_s)
        return found


@dataclass(frozen=True)
class Season:
    """A simulated season with its truth."""

    players: tuple[Player, ...]
    """Planted players first, in their order."""
    sessions: tuple[TrainingSession, ...]
    """By time."""
    matches: Matches
    """By time."""

    def skill_at(self, player: Player, skill: str, when: datetime) -> float:
        """Returns a player's skill at a time: the first one plus the effect of finished training."""
        hours = sum(
            session.duration_s / 3600
            for session in self.sessions
            if session.player_id == player.player_id
            and session.skill == skill
            and session.started_at + timedelta(seconds=session.duration_s) <= when
        )
        return player.skills[skill] + player.training_effect_per_hour[skill] * hours


def simulate_season(
    *,
    seed: int,
    players: int,
    matches: int,
    first_day: date,
    days: int,
    playlists: Sequence[str] = tuple(PLAYLISTS),
    tiers: tuple[int, int] = (LOWEST_TIER, HIGHEST_TIER),
    planted: Sequence[Planted] = (),
    in_play: int = 0,
    clock_s: float = 300.0,
) -> Season:
    """Simulates a season of matches among players of nearly the same rank.

    Everything follows from the arguments: the same ones give the same bytes.

    Args:
        seed: not negative.
        players: number of players, including the planted ones.
        matches: number of matches, over `days` from `first_day` (UTC).
        playlists: some of `PLAYLISTS`; doubles are played most.
        tiers: lowest and highest rank of drawn players, 1 to 22.
        planted: fixed players.
        in_play: number of matches that are played out and so have frames: the first planted player's, or else any,
            spread over the season.
        clock_s: seconds on the clock of these matches.

    Raises:
        ValueError: when that is impossible; says what would be possible.
    """
    if unknown := sorted(set(playlists).difference(PLAYLISTS)):
        raise ValueError(f"playlist {', '.join(unknown)} is not simulated; {', '.join(PLAYLISTS)} are")
    if not playlists or seed < 0 or days < 1 or matches < 0:
        raise ValueError("expected at least one playlist and one day, and neither seed nor matches below 0")
    if not LOWEST_TIER <= tiers[0] <= tiers[1] <= HIGHEST_TIER:
        raise ValueError(
            f"tiers are {tiers}; expected the lowest and the highest, from {LOWEST_TIER} to {HIGHEST_TIER}"
        )
    needed = max(2 * max(PLAYLISTS[playlist] for playlist in playlists), len(planted))
    if players < needed:
        raise ValueError(f"{players} players are too few for {', '.join(playlists)}; it takes {needed}")
    if (wanted := sum(plan.matches for plan in planted)) > matches:
        raise ValueError(f"planted players need {wanted} matches, and the season has {matches}")
    rng = np.random.default_rng([seed, 0])
    # The order of the caller's playlists does not matter.
    ordered = [playlist for playlist in PLAYLISTS if playlist in playlists]
    who, sessions = cohort(
        rng, players=players, playlists=ordered, tiers=tiers, first_day=first_day, days=days, planted=planted
    )
    lobbies = _meet(rng, who, sessions, ordered, matches, first_day, days, [plan.matches for plan in planted])
    candidates = np.flatnonzero((lobbies.player == 0).any(1)) if planted else np.arange(matches)
    if in_play > len(candidates):
        raise ValueError(f"{in_play} matches cannot be played out: there are {len(candidates)} candidates")
    chosen = candidates[np.linspace(0, len(candidates) - 1, in_play).astype(int)].tolist()
    return Season(who, sessions, Matches(seed, who, lobbies, chosen, clock_s))


def write_season(folder: Path, season: Season) -> list[Path]:
    """Writes each match as a file of its own, `<id>.json`, and its frames, if any, as `<id>.frames.json.gz`.

    Returns the paths by time; the folder is created if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    encoder = msgspec.json.Encoder()
    for row, match in enumerate(season.matches):
        path = folder / f"{match['id']}.json"
        path.write_bytes(encoder.encode(match))
        paths.append(path)
        if (played := season.matches.played.get(row)) is not None:
            path = folder / f"{match['id']}.frames.json.gz"
            path.write_bytes(igzip.compress(encoder.encode(frames_document(match, played)), compresslevel=1, mtime=0))
            paths.append(path)
    return paths


def _meet(
    rng: np.random.Generator,
    players: Sequence[Player],
    sessions: Sequence[TrainingSession],
    playlists: Sequence[str],
    matches: int,
    first_day: date,
    days: int,
    wanted: Sequence[int],
) -> Lobbies:
    """Returns the lobbies, with ranks and skills at the time.

    Players of a match are within a tier of the one it is made for, or two if too few are not in another match.
    """
    begin = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC).timestamp()
    hours = rng.choice(24, size=matches, p=_BY_HOUR / _BY_HOUR.sum())
    ended_at = begin + rng.integers(0, days, matches) * 86_400 + hours * 3600 + rng.integers(0, 3600, matches)
    ended_at = np.sort(ended_at).astype(np.int64)
    numbers = [list(PLAYLISTS).index(playlist) for playlist in playlists]
    often = np.array([(0.2, 0.45, 0.35)[number] for number in numbers])
    playlist = rng.choice(numbers, size=matches, p=often / often.sum()).astype(np.int8)

    seats = 2 * max(PLAYLISTS[each] for each in playlists)
    lobbies = Lobbies(
        ended_at=ended_at,
        playlist=playlist,
        player=np.full((matches, seats), -1, np.int32),
        rating=np.zeros((matches, seats)),
        skill=np.zeros((matches, seats, len(SKILLS))),
    )
    made_for = np.full(matches, -1)
    slots = rng.permutation(matches)[: sum(wanted)]
    made_for[slots] = np.repeat(np.arange(len(wanted)), wanted)

    index = {player.player_id: number for number, player in enumerate(players)}
    skill = np.array([[player.skills[each] for each in SKILLS] for player in players])
    trend = np.array([player.trend for player in players])
    at_first = np.zeros((len(PLAYLISTS), len(players)))
    for each, number in zip(playlists, numbers, strict=True):
        at_first[number] = [player.tiers[each] + (player.divisions[each] - 0.5) / 4 for player in players]
    active = rng.lognormal(0, 0.7, len(players))
    free_at = np.zeros(len(players), np.int64)
    ends = sorted(
        (s.started_at.timestamp() + s.duration_s, index[s.player_id], SKILLS.index(s.skill), s.duration_s / 3600)
        for s in sessions
    )
    effect = np.array([[player.training_effect_per_hour[each] for each in SKILLS] for player in players])
    ended, waiting = 0, deque[int]()
    rating = at_first
    for match in range(matches):
        now = int(ended_at[match])
        while ended < len(ends) and ends[ended][0] <= now - _BUSY_S:
            _, who, what, length = ends[ended]
            skill[who, what] += effect[who, what] * length
            ended += 1
        if match == 0 or now // 86_400 != int(ended_at[match - 1]) // 86_400:
            rating = np.clip(at_first + trend * (now - begin) / MONTH_S, LOWEST_TIER, HIGHEST_TIER + 0.99)
        ratings = rating[playlist[match]]
        tier = ratings.astype(np.int64)
        if made_for[match] >= 0:
            waiting.append(int(made_for[match]))
        free = free_at <= now - _BUSY_S
        keys = rng.exponential(size=len(players)) / active
        first = next((each for each in waiting if free[each]), None)
        if first is None:
            first = int(np.argmin(np.where(free, keys, np.inf)) if free.any() else np.argmin(keys))
        else:
            waiting.remove(first)
        size = 2 * PLAYLISTS[list(PLAYLISTS)[playlist[match]]]
        lobby = rng.permutation(_lobby(first, size, tier, free, keys))
        free_at[lobby] = now
        lobbies.player[match, :size] = lobby
        lobbies.rating[match, :size] = ratings[lobby]
        lobbies.skill[match, :size] = skill[lobby]
    return lobbies


def _lobby(first: int, size: int, tier: Any, free: Any, keys: Any) -> list[int]:
    away = np.abs(tier - tier[first])
    away[first] = HIGHEST_TIER * 9
    for near in ((away <= 1) & free, (away <= 2) & free, away <= 2):
        if near.sum() >= size - 1:
            others = np.flatnonzero(near)
            return [first, *others[np.argsort(keys[others])[: size - 1]].tolist()]
    return [first, *np.lexsort((keys, away))[: size - 1].tolist()]
