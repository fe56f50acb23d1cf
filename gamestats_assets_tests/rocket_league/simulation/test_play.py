"""Matches that are played out: ball and cars move as in the game, and what is counted is what happens."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gamestats_assets.rocket_league.simulation.field import pad
from gamestats_assets.rocket_league.simulation.play import AFTER_GOAL, COUNTDOWN, HZ, LIVE, Played, play

SECONDS = 45.0


def _play(seed: int = 1) -> list[Played]:
    return play(np.random.default_rng(seed), 2, np.full((3, 4), 0.6), np.zeros((3, 4, 5)), SECONDS)


@pytest.fixture(scope="module")
def matches() -> list[Played]:
    return _play()


def _stays(played: Played, player: int) -> np.ndarray:
    """Frames in which a player has the same car as in the frame before."""
    life = played.life[:, player]
    return np.r_[False, (life[1:] == life[:-1]) & (life[1:] >= 0)]


def test_nothing_leaves_the_field(matches: list[Played]) -> None:
    for played in matches:
        for rows, radius in ((played.ball, 92), (played.cars.reshape(-1, 6), 17)):
            x, y, z = np.abs(rows[:, :3]).T
            assert (x <= 4096).all()
            # Goals are 880 deep, as wide as their posts, and 643 high.
            assert ((y <= 5120) | ((y <= 6000) & (x <= 893) & (z <= 643))).all()
            assert (z >= radius).all()
            assert (z <= 2044).all()


def test_a_car_is_no_faster_than_the_game_lets_it(matches: list[Played]) -> None:
    speed = np.concatenate([np.linalg.norm(played.cars[..., 3:], axis=2).ravel() for played in matches])

    assert 1500 < speed.max() <= 2302


def test_a_car_moves_by_its_speed_and_jumps_nowhere(matches: list[Played]) -> None:
    played = matches[0]
    for player in range(4):
        moved = np.linalg.norm(np.diff(played.cars[:, player, :3], axis=0, prepend=played.cars[:1, player, :3]), axis=1)
        assert moved[_stays(played, player)].max() <= 2300 / HZ + 25


def test_a_car_turns_no_tighter_than_the_game_lets_it(matches: list[Played]) -> None:
    played = matches[0]
    for player in range(4):
        yaw, car = played.angles[:, player, 0], played.cars[:, player]
        turned = np.abs((np.diff(yaw, prepend=yaw[0]) + np.pi) % (2 * np.pi) - np.pi) * HZ
        fast = (np.linalg.norm(car[:, 3:5], axis=1) > 2000) & (car[:, 2] < 18) & _stays(played, player)
        # Curvature 0.00088 at 2,300 uu/s; more with the handbrake.
        assert turned[fast & ~played.brakes[:, player]].max(initial=0) < 2.6


def test_a_ball_in_the_air_falls_as_in_the_game(matches: list[Played]) -> None:
    played = matches[0]
    touched = {frame for frame, kind, _, _ in played.events if kind == "touch"}
    z, vz, x, y = (played.ball[:, column] for column in (2, 5, 0, 1))
    free = [
        frame
        for frame in range(2, len(z))
        if played.phase[frame - 2 : frame + 1].tolist() == [LIVE] * 3
        and 250 < z[frame] < 1800
        and abs(x[frame]) < 2600
        and abs(y[frame]) < 4000
        and not touched.intersection(range(frame - 3, frame + 2))
        and np.linalg.norm(played.cars[frame, :, :3] - played.ball[frame, :3], axis=1).min() > 400
    ]
    fall = np.array([vz[frame] - vz[frame - 1] for frame in free]) * HZ

    assert len(free) > 50
    assert np.median(fall) == pytest.approx(-650, abs=40)


def test_cars_stand_still_while_the_game_counts_down(matches: list[Played]) -> None:
    for played in matches:
        assert not played.cars[played.phase == COUNTDOWN][..., 3:].any()


def test_the_clock_runs_down_while_the_ball_is_in_play(matches: list[Played]) -> None:
    for played in matches:
        running = (played.phase == LIVE) & played.is_hit
        regular = running.sum() / HZ - played.overtime_s
        assert regular == pytest.approx(SECONDS, abs=8)
        assert played.clock[0] == SECONDS


def test_a_goal_is_counted_where_the_ball_is_behind_the_line(matches: list[Played]) -> None:
    goals = 0
    for played in matches:
        over = played.phase == AFTER_GOAL
        for frame in np.flatnonzero(over & ~np.r_[False, over[:-1]]):
            y = played.ball[frame, 1]
            if abs(y) > 5120:
                assert (frame, int(y < 0)) in played.goals
                goals += 1
        assert goals or not played.goals
    assert goals == sum(len(played.goals) for played in matches) > 0


def test_who_scored_touched_the_ball_and_is_of_the_team(matches: list[Played]) -> None:
    for played in matches:
        team_of = dict(played.goals)
        for frame, kind, player, _ in played.events:
            if kind == "goal":
                assert int(player >= 2) == team_of[frame]
                assert any(k == "touch" and who == player and at <= frame for at, k, who, _ in played.events)


def test_every_goal_has_a_shot_and_every_save_was_of_one(matches: list[Played]) -> None:
    for played in matches:
        kinds = Counter(kind for _, kind, _, _ in played.events)
        assert kinds["goal"] + kinds["save"] <= kinds["shot"]


def test_boost_comes_from_pads_alone_and_never_beyond_a_full_tank(matches: list[Played]) -> None:
    for played in matches:
        assert played.boost.min() >= 0
        assert played.boost.max() <= 100
        for player in range(4):
            rises = np.flatnonzero(_stays(played, player) & (np.diff(played.boost[:, player], prepend=0) > 1e-9))
            assert set(rises) <= {frame for frame, who, *_ in played.pickups if who == player}


def test_a_pad_that_was_taken_is_back_only_after_its_time(matches: list[Played]) -> None:
    for played in matches:
        latest: dict[int, int] = {}
        for frame, _, number, _, _ in played.pickups:
            wait = 10 if pad(number)[2] else 4
            since_kickoff = np.flatnonzero(played.phase[:frame] == COUNTDOWN)[-1]
            if latest.get(number, -1) > since_kickoff:
                assert frame - latest[number] >= wait * HZ - 2
            latest[number] = frame


def test_who_is_demolished_is_away_for_three_seconds(matches: list[Played]) -> None:
    away = [
        (played, frame, other) for played in matches for frame, kind, _, other in played.events if kind == "demolition"
    ]

    assert away
    for played, frame, other in away:
        gone = played.life[frame + 1 :, other] < 0
        back = int(np.flatnonzero(~np.r_[gone, False])[0])
        until_kickoff = np.flatnonzero(played.phase[frame:] == COUNTDOWN)
        assert back == pytest.approx(3 * HZ, abs=3) or back >= min([*until_kickoff, len(gone)]) - 2


def test_the_same_seed_plays_the_same_match(matches: list[Played]) -> None:
    again = _play()

    assert all(np.array_equal(a.cars, b.cars) and a.events == b.events for a, b in zip(matches, again, strict=True))


def test_there_are_34_pads_6_of_them_big() -> None:
    pads = [pad(number) for number in range(34)]

    assert sum(is_big for _, _, is_big in pads) == 6
    assert (3072, 4096, True) in pads
    assert (0, 2816, False) in pads
