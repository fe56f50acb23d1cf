"""Ballchasing's figures: each against a value computed by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from gamestats_assets.rocket_league.replays.figures import counted_s, figures, last_touch, team_figures
from gamestats_assets.rocket_league.replays.network import Network, read_network
from gamestats_assets_tests.rocket_league.replays.test_network import ANYTHING, read, recording_of
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.files import header_of
from gamestats_assets_tests.rocket_league.support.real_files import COME_AND_GO

PER_CENT = 100 / 255


def alone(*path: tuple[float, float, float, float, float]) -> dict[str, Any]:
    """Figures of Ann alone, who is sent a tenth of a second apart: x, y, z, her speed, and y of the ball."""
    frames = [f"body ann {x},{y},{z} {speed},0,0; ball 0,{ball_y},93" for x, y, z, speed, ball_y in path]
    return figures(read(frames[0].replace("body", "driver"), *frames[1:]), 0)


def picked(found: dict[str, Any], *names: str) -> list[Any]:
    """Some of the figures."""
    return [found[name] for name in names]


# --- Movement -------------------------------------------------------------------------------------


def test_time_goes_to_the_speed_at_its_end() -> None:
    found = alone(
        (0, 0, 17, 2300, 0), (0, 0, 17, 1409.9, 0), (0, 0, 17, 1410, 0), (0, 0, 17, 2199.9, 0), (0, 0, 17, 2200, 0)
    )
    speeds = picked(found, "time_slow_s", "time_boost_speed_s", "time_supersonic_s")
    assert speeds == pytest.approx([0.1, 0.2, 0.1])
    assert found["avg_speed_uu_s"] == pytest.approx((2300 + 1409.9 + 1410 + 2199.9 + 2200) / 5)


def test_time_goes_to_the_height_at_its_end() -> None:
    found = alone((0, 0, 900, 0, 0), (0, 0, 19.9, 0, 0), (0, 0, 20, 0, 0), (0, 0, 840, 0, 0), (0, 0, 840.1, 0, 0))
    assert picked(found, "time_ground_s", "time_low_air_s", "time_high_air_s") == pytest.approx([0.1, 0.2, 0.1])


def test_distance_is_that_of_straight_lines_between_updates() -> None:
    assert alone((0, 0, 17, 0, 0), (3, 4, 17, 0, 0), (3, 4, 29, 0, 0))["total_distance_uu"] == pytest.approx(5 + 12)


def test_what_a_car_does_not_send_is_left_out_and_so_is_the_time_without_one() -> None:
    # Half a second of silence goes to the update that ends it; the way to where the next car appears is none.
    network = read(
        "driver ann", "0.5:", "0.5: body ann 0,0,500 1500,0,0", "2:", "0.1: wreck ann", "3: car ann 4000,0,17",
        "0.25: body ann 4000,30,17 2200,0,0",
    )  # fmt: skip
    found = figures(network, 0)
    assert picked(found, "time_low_air_s", "time_ground_s") == pytest.approx([1.0, 0.25])
    assert found["total_distance_uu"] == pytest.approx((500 - 17) + 30)


def test_countdowns_and_celebrations_count_but_goal_replays_do_not() -> None:
    still = "body ann 0,0,17 0,0,0"
    network = read(
        "state Countdown; countdown 3; driver ann", f"1: state Active; countdown 0; {still}",
        f"2: state PostGoalScored; {still}", f"30: state Countdown; countdown 3; {still}", f"4: {still}",
    )  # fmt: skip
    assert figures(network, 0)["time_slow_s"] == pytest.approx(1 + 2 + 4)
    # A minute's shares are of less: the countdown is out.
    assert counted_s(network) == pytest.approx(1 + 2)


@pytest.mark.parametrize(
    ("frames", "count", "seconds"),
    [
        # Brake, and whether on the ground, frame by frame; each frame's time goes on to the next.
        ("bg bg -g -g", 1, 0.2),
        ("-g bg -g bg bg", 2, 0.2),
        # Held in the air, it begins on landing.
        ("ba ba bg -g", 1, 0.1),
        # Let go on landing counts, for no time.
        ("ba -g -g", 1, 0.0),
        ("-a ba -a -g", 0, 0.0),
        # Taking off: the brake is read before the place.
        ("-g ba -a", 1, 0.0),
        ("bg ba bg -g", 2, 0.2),
    ],
)
def test_powerslides(frames: str, count: int, seconds: float) -> None:
    lines = [
        f"body ann 0,0,{17 if where == 'g' else 100} 0,0,0; brake ann {int(brake == 'b')}"
        for brake, where in frames.split()
    ]
    found = figures(read(lines[0].replace("body", "driver"), *lines[1:]), 0)
    assert found["powerslides"] == count
    assert found["time_powerslide_s"] == pytest.approx(seconds)


# --- Positions ------------------------------------------------------------------------------------


def test_thirds_halves_and_sides_of_the_ball_are_seen_from_the_own_goal() -> None:
    places = (-1714.1, -1714.0, -0.1, 0.0, 1714.0, 1714.1)
    moves = (f"body ann 0,{y},17 0,0,0; body bob 0,{y},17 0,0,0" for y in places)
    network = read("driver ann; driver bob; ball 0,0,93", *moves)
    parts = ("defensive_third", "neutral_third", "offensive_third", "defensive_half", "offensive_half", "behind_ball",
             "in_front_of_ball")  # fmt: skip
    names = [f"time_{part}_s" for part in parts]
    assert picked(figures(network, 0), *names) == pytest.approx([0.1, 0.4, 0.1, 0.3, 0.3, 0.3, 0.3])
    # Orange defends the other end; nought is in the opponents' half, and in front of the ball, for both.
    assert picked(figures(network, 1), *names) == pytest.approx([0.1, 0.4, 0.1, 0.2, 0.4, 0.2, 0.4])


def test_the_ball_is_where_it_was_last_sent() -> None:
    found = alone((0, 0, 93, 0, 300), (0, 0, 93, 0, 300), (0, 0, 93, 0, -400))
    assert found["avg_distance_to_ball_uu"] == pytest.approx((300 + 300 + 400) / 3)
    assert picked(found, "time_behind_ball_s", "time_in_front_of_ball_s") == pytest.approx([0.1, 0.1])


def _touched(*touches: tuple[int, int], frames: int = 8, goal: int | None = None) -> Network:
    """Blue stands 100 from the ball in the first frame, 200 in the second, and so on; frames and teams of touches."""
    lines = [f"body ann {100 * (number + 1)},0,93 0,0,0" for number in range(frames)]
    for frame, team in touches:
        lines[frame] += f"; touch {team}"
    if goal is not None:
        lines[goal] += "; goal 0"
    return read("driver ann 100,0,93; driver bob 100,0,93; ball 0,0,93", *lines[1:])


def test_possession_begins_after_a_teams_touch_and_ends_with_the_other_teams() -> None:
    network = _touched((2, 0), (4, 1), (6, 0))
    assert last_touch(network).tolist() == [-1, -1, -1, 0, 0, 1, 1, -1]
    found = figures(network, 0)
    assert found["avg_distance_to_ball_possession_uu"] == pytest.approx((400 + 500) / 2)
    assert found["avg_distance_to_ball_no_possession_uu"] == pytest.approx((600 + 700) / 2)


def test_after_the_last_touch_the_ball_is_a_teams_only_if_a_goal_follows() -> None:
    assert last_touch(_touched((2, 0), goal=5)).tolist() == [-1, -1, -1, 0, 0, 0, 0, 0]
    assert last_touch(_touched((6, 1), goal=5)).tolist() == [-1] * 8
    assert last_touch(_touched()).tolist() == [-1] * 8


def test_a_teams_possession_lasts_from_touch_to_touch_of_a_round() -> None:
    network = _touched((1, 0), (3, 0), (4, 1), (6, 0))
    # What follows the last touch is nobody's.
    assert team_figures(network, is_orange=False)["team_possession_s"] == pytest.approx(0.3)
    assert team_figures(network, is_orange=True)["team_possession_s"] == pytest.approx(0.2)


def test_a_possession_ends_with_its_round() -> None:
    count, play = "state Countdown; countdown 1", "state Active; countdown 0; touch 0"
    network = read(f"driver ann; {count}", play, play, "state PostGoalScored; countdown 0", count, play, play)
    assert team_figures(network, is_orange=False)["team_possession_s"] == pytest.approx(0.1 + 0.1)


def test_the_ball_is_in_the_half_where_its_update_finds_it() -> None:
    network = read(*("" if y is None else f"ball 0,{y},93 0,0,1" for y in (0, -10, None, -30, 5, 0, None)))
    assert team_figures(network, is_orange=False)["team_ball_in_own_half_s"] == pytest.approx(0.1 + 0.2)
    assert team_figures(network, is_orange=True)["team_ball_in_own_half_s"] == pytest.approx(0.1)


# --- The team -------------------------------------------------------------------------------------


def _three(*frames: tuple[float | None, float | None, float | None], countdown: int = 0) -> list[dict[str, Any]]:
    """Figures of three of blue by how far up the field each is, a tenth of a second apart; None: no car any more.

    The ball lies on blue's goal line, so that the last is nearest to it. The first frames may be a countdown.
    """
    lines = ["ball 0,-5120,17; person ann; person bob blue; person cem"]
    before: tuple[float | None, ...] = (None, None, None)
    for number, places in enumerate(frames):
        acts = [f"countdown {3 if number < countdown else 0}"]
        for person, (was, y) in enumerate(zip(before, places, strict=True), 1):
            if y is None and was is not None:
                acts.append(f"wreck {person}")
            elif y is not None:
                acts.append(f"car {person} 0,{y},17" if was is None else f"body {person} 0,{y},17 0,0,0")
        lines[number:] = ["; ".join(lines[number:] + acts)]
        before = places
    network = read(*lines)
    return [figures(network, player) for player in range(3)]


RANKS = ("time_most_back_s", "time_most_forward_s", "time_closest_to_ball_s", "time_farthest_from_ball_s")


def test_last_foremost_nearest_and_farthest_of_the_team() -> None:
    found = _three((0, 1, 2), (0, 1, 2), (5, 3, 4), (1, 1, 9))
    assert picked(found[0], *RANKS) == pytest.approx([0.2, 0.1, 0.2, 0.1])
    # A tie counts for both.
    assert picked(found[1], *RANKS) == pytest.approx([0.2, 0.0, 0.2, 0.0])
    assert picked(found[2], *RANKS) == pytest.approx([0.0, 0.2, 0.0, 0.2])


def test_countdowns_make_nobody_last() -> None:
    found = _three((0, 1, 2), (0, 1, 2), (0, 1, 2), (0, 1, 2), countdown=3)
    assert picked(found[0], *RANKS) == pytest.approx([0.1, 0.0, 0.1, 0.0])


def test_who_is_away_is_no_rival_and_gets_the_time_where_the_next_car_appears() -> None:
    found = _three((0, 1, 2), (0, 1, 2), (None, 1, 2), (None, 1, 2), (9, 1, 2), (9, 1, 2))
    assert picked(found[1], *RANKS) == pytest.approx([0.4, 0.0, 0.4, 0.0])
    assert picked(found[0], *RANKS) == pytest.approx([0.1, 0.4, 0.1, 0.4])


def test_distance_to_team_mates_is_the_mean_over_mates_while_both_are_there() -> None:
    found = _three((0, 10, 100), (0, 20, 100), (0, None, 100), (0, None, 100))
    # To Bob 10 and 20, to Cem always 100.
    assert found[0]["avg_distance_to_mates_uu"] == pytest.approx((15 + 100) / 2)
    assert found[1]["avg_distance_to_mates_uu"] == pytest.approx((15 + 85) / 2)
    assert found[2]["avg_distance_to_mates_uu"] == pytest.approx((85 + 100) / 2)


def test_who_has_no_mates_has_no_place_among_them() -> None:
    found = alone((0, 0, 17, 0, 0), (0, 0, 17, 0, 0))
    assert not {*RANKS, "avg_distance_to_mates_uu"} & set(found)


# --- Boost ----------------------------------------------------------------------------------------


def _tank(*sent: int | str, speed: float = 0.0) -> dict[str, Any]:
    """Figures of a player of whom the tank is sent a tenth of a second apart; `burn` begins a burn after the last."""
    lines = [f"driver ann 0,0,17 {speed},0,0"]
    for each in sent:
        if each == "burn":
            lines[-1] += "; burn ann 1"
        else:
            lines.append(f"body ann 0,0,17 {speed},0,0; boost ann {each}")
    return figures(read(*lines), 0)


def test_quarters_of_the_tank_go_by_the_value_that_ends_an_interval() -> None:
    # 63 of 255 is less than a quarter, 64 more; 127 less than half, 128 more.
    found = _tank(63, 64, 127, 128, 191, 192, 255, 0)
    quarters = [f"time_boost_{name}_s" for name in ("0_25", "25_50", "50_75", "75_100")]
    assert picked(found, *quarters) == pytest.approx([0.2, 0.2, 0.2, 0.2])
    assert found["avg_boost"] == pytest.approx((85 + 63 + 64 + 127 + 128 + 191 + 192 + 255 + 0) / 9 * PER_CENT)


def test_an_empty_tank_is_empty_until_the_next_word_and_a_full_one_full() -> None:
    found = _tank(0, 0, 100, 255, 255, 200)
    assert picked(found, "time_zero_boost_s", "time_full_boost_s") == pytest.approx([0.2, 0.2])


@pytest.mark.parametrize(
    ("tank", "speed", "figure", "value"),
    [
        # A full tank that is filled again in the middle of a burn was not full.
        ((255, "burn", 255, 200), 0.0, "time_full_boost_s", 0.1),
        # 85 -> 60 -> 90 -> 40: 75 lost in 0.3 s.
        ((60, 90, 40), 0.0, "boost_per_minute", 75 * PER_CENT * 60 / 0.3),
        ((85, 100), 0.0, "boost_per_minute", 0),
        ((60, 90, 40), 2200.0, "boost_used_while_supersonic", 75 * PER_CENT),
        ((60, 90, 40), 2199.0, "boost_used_while_supersonic", 0),
    ],
)
def test_boost_is_used_as_the_tank_falls(tank: tuple[int | str, ...], speed: float, figure: str, value: float) -> None:
    assert _tank(*tank, speed=speed)[figure] == pytest.approx(value)


def test_a_tank_that_is_not_sent_has_no_figures() -> None:
    found = alone((0, 0, 17, 0, 0), (0, 0, 17, 0, 0))
    assert not any("boost" in name for name in found if name != "time_boost_speed_s")


# --- All of it ------------------------------------------------------------------------------------


def test_of_a_player_who_was_sent_once_there_are_no_figures() -> None:
    assert figures(read("driver ann", ""), 0) == {}


@given(ANYTHING)
def test_whatever_is_sent_figures_are_finite_and_parts_make_up_the_whole(acts: list[tuple[str, int]]) -> None:
    network = read_network(recording_of(acts).parsed())
    for player in range(len(network.players)):
        found = figures(network, player)
        assert all(value is None or (math.isfinite(value) and value >= 0) for value in found.values())
        if found:
            speeds = sum(picked(found, "time_slow_s", "time_boost_speed_s", "time_supersonic_s"))
            heights = sum(picked(found, "time_ground_s", "time_low_air_s", "time_high_air_s"))
            halves = sum(picked(found, "time_defensive_half_s", "time_offensive_half_s"))
            thirds = sum(picked(found, *(f"time_{part}_third_s" for part in ("defensive", "neutral", "offensive"))))
            assert [heights, halves, thirds] == pytest.approx([speeds] * 3)
            assert speeds <= network.step.sum() + 1e-9
    for is_orange in (False, True):
        assert all(0 <= value <= network.step.sum() + 1e-9 for value in team_figures(network, is_orange).values())


def test_bots_and_leavers_of_a_real_match_have_figures_of_their_own_time(realdata: Path) -> None:
    network = real_files.network(realdata, COME_AND_GO)
    whole = float(network.step.sum())
    stayed = {row["Name"] for row in header_of(real_files.replay(realdata, COME_AND_GO))["PlayerStats"]}
    for number, player in enumerate(network.players):
        found = figures(network, number)
        there = float(network.step[network.life[:, number] >= 0].sum())
        driven = sum(picked(found, "time_slow_s", "time_boost_speed_s", "time_supersonic_s"))
        assert there - 20 < driven <= there + 1e-6, player
        assert 0 < driven < whole
    assert {player.name for player in network.players} > stayed
    assert np.isfinite([figures(network, number)["avg_speed_uu_s"] for number in range(len(network.players))]).all()
