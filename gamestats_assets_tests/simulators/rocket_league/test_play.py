"""Matches that are played out: ball and cars move as the game lets them, and what is counted is what happens."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gamestats_assets.simulators.rocket_league.play import AFTER_GOAL, COUNTDOWN, HZ, LIVE, PADS, Played, play

SECONDS = 45.0


def _play(seed: int) -> Played:
    return play(np.random.default_rng(seed), np.full(4, 0.6), np.zeros((4, 5)), SECONDS)


@pytest.fixture(scope="module")
def matches() -> list[Played]:
    return [_play(seed) for seed in range(8)]


def _stays(played: Played) -> np.ndarray:
    """Frames in which a player has the car of the frame before."""
    return (np.diff(played.life, axis=0, prepend=-1) == 0) & (played.life >= 0)


def test_nothing_leaves_the_field_and_nothing_is_faster_than_the_game_lets_it(matches: list[Played]) -> None:
    for played in matches:
        for rows, lowest in ((played.ball, 92), (played.cars[played.life >= 0], 17)):
            x, y, z = np.abs(rows[:, :3]).T
            assert (x <= 4096).all()
            # Goals are as wide as their posts.
            assert ((y <= 5120) | ((y <= 6000) & (x <= 893))).all()
            assert lowest <= z.min() <= z.max() <= 2044
        speed = np.linalg.norm(played.cars[..., 3:], axis=2)
        assert 1500 < speed.max() <= 2302
        moved = np.linalg.norm(np.diff(played.cars[..., :3], axis=0, prepend=0), axis=2)
        assert moved[_stays(played)].max() <= 2300 / HZ + 25
        assert not played.cars[played.phase == COUNTDOWN][..., 3:].any()


def test_a_ball_that_nobody_touches_falls_as_in_the_game(matches: list[Played]) -> None:
    for played in matches:
        touched = np.isin(np.arange(len(played.time)), played.events["frame"])
        flies = (played.phase == LIVE) & played.is_hit & ~touched & ~np.r_[False, touched[:-1]]
        fall = np.diff(played.ball[:, 5], prepend=0)[flies] * HZ
        assert np.median(fall) == pytest.approx(-650, abs=40)


def test_the_clock_runs_down_while_the_ball_is_in_play(matches: list[Played]) -> None:
    for played in matches:
        running = (played.phase == LIVE) & played.is_hit
        assert running.sum() / HZ - played.overtime_s == pytest.approx(SECONDS, abs=8)
        assert played.clock[0] == SECONDS


def test_goals_are_behind_the_line_and_of_who_touched_the_ball_last(matches: list[Played]) -> None:
    assert sum(len(played.goals) for played in matches) > 1
    for played in matches:
        over = played.phase == AFTER_GOAL
        begun = np.flatnonzero(over & ~np.r_[False, over[:-1]])
        found = [(frame, int(played.ball[frame, 1] < 0)) for frame in begun if abs(played.ball[frame, 1]) > 5120]
        assert found == played.goals.tolist()
        touches = played.events[played.events["kind"] == "touch"]
        for event in played.events[played.events["kind"] == "goal"]:
            assert touches["player"][touches["frame"] < event["frame"]][-1] == event["player"]
            assert (event["frame"], event["player"] // 2) in found
        kinds = Counter(played.events["kind"].tolist())
        assert kinds["goal"] + kinds["save"] == kinds["shot"]


def test_boost_comes_from_pads_that_are_there_and_never_beyond_a_full_tank(matches: list[Played]) -> None:
    for played in matches:
        assert 0 <= played.boost.min() <= played.boost.max() <= 100
        frames, players = np.nonzero(_stays(played) & (np.diff(played.boost, axis=0, prepend=0) > 1e-9))
        fetched = played.pickups[["frame", "player"]].tolist()
        assert sorted(fetched) == sorted(zip(frames.tolist(), players.tolist(), strict=True))
        rounds = np.cumsum((played.phase == COUNTDOWN) & np.r_[True, played.phase[:-1] != COUNTDOWN])
        latest: dict[tuple[int, int], int] = {}
        for frame, _, pad, _, _ in played.pickups.tolist():
            since = latest.get((rounds[frame], pad), -1000)
            assert frame - since >= (10 if PADS[pad, 2] else 4) * HZ
            latest[rounds[frame], pad] = frame


def test_who_is_demolished_is_away_for_three_seconds_or_until_the_kick_off(matches: list[Played]) -> None:
    demolitions = [
        (played, frame, other)
        for played in matches
        for frame, kind, _, other in played.events.tolist()
        if kind == "demolition"
    ]
    assert demolitions
    for played, frame, other in demolitions:
        gone = played.life[frame + 1 :, other] < 0
        away = int(np.flatnonzero(~np.r_[gone, False])[0])
        kick_offs = np.flatnonzero(played.phase[frame:] == COUNTDOWN)
        assert away == pytest.approx(3 * HZ, abs=3) or away >= min([*kick_offs, len(gone)]) - 2


def test_the_same_seed_plays_the_same_match(matches: list[Played]) -> None:
    again = _play(0)
    assert np.array_equal(again.cars, matches[0].cars)
    assert np.array_equal(again.events, matches[0].events)
