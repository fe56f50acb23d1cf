"""Stints as first, second and third man, against plain counting over the same frames."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.matches.rotations import rotations
from gamestats_assets.rocket_league.tables.bronze import BALL
from gamestats_assets_tests.rocket_league.support.scenario import ANN, BEA, CAL, XAN, YVE, at_distances, frames, made

COLUMNS = ("role", "start_s", "end_s", "duration_s", "next_role")


def standing(*runs: tuple[int, tuple[str, ...]], **more: tuple[float, ...]) -> list[dict[str, tuple[float, ...]]]:
    """Frames in which players stand in an order from the ball, for a number of frames each."""
    return [
        at_distances({who: 100.0 * (place + 1) for place, who in enumerate(order)}, **more)
        for count, order in runs
        for _ in range(count)
    ]


def stints(found: pl.DataFrame, player: str) -> list[tuple[Any, ...]]:
    of = found.filter(player_id=player).sort("stint_number")
    assert of["stint_number"].to_list() == [*range(1, of.height + 1)]
    return [tuple(None if value is None else round(value, 3) for value in row) for row in of.select(COLUMNS).rows()]


def test_stints_follow_the_order_from_the_ball() -> None:
    found = made(rotations, frames(*standing((10, (ANN, BEA, CAL)), (10, (BEA, CAL, ANN)), (10, (CAL, ANN, BEA)))))
    assert stints(found, ANN) == [(1, 0, 1, 1, 3), (3, 1, 2, 1, 2), (2, 2, 3, 1, None)]
    assert stints(found, BEA) == [(2, 0, 1, 1, 1), (1, 1, 2, 1, 3), (3, 2, 3, 1, None)]
    assert stints(found, CAL) == [(3, 0, 1, 1, 2), (2, 1, 2, 1, 1), (1, 2, 3, 1, None)]
    assert {*found["team"]} == {"blue"}


def test_what_is_held_for_less_than_half_a_second_is_passed_over() -> None:
    found = made(rotations, frames(*standing((10, (ANN, BEA)), (4, (BEA, ANN)), (10, (ANN, BEA)), (5, (BEA, ANN)))))
    assert stints(found, ANN) == [(1, 0, 2.4, 2.4, 2), (2, 2.4, 2.9, 0.5, None)]


def test_a_kickoff_and_a_stop_end_a_stint() -> None:
    before = frames(*standing((10, (ANN, BEA))))
    stopped = frames(*standing((10, (ANN, BEA))), is_live=False)
    after = frames(*standing((10, (ANN, BEA))), kickoff_number=2)
    planted = [
        part.with_columns(frame=pl.col("frame") + 10 * number, time_s=pl.col("time_s") + number)
        for number, part in enumerate((before, stopped, after))
    ]
    found = made(rotations, pl.concat(planted).cast(t.ReplayFrames.schema()))  # type: ignore[arg-type]
    assert stints(found, BEA) == [(2, 0, 1, 1, None), (2, 2, 3, 1, None)]


def test_who_is_alone_has_no_role() -> None:
    assert made(rotations, frames(*standing((20, (ANN, XAN))))).is_empty()
    # While one of two is away, the other one's stint is not told either.
    found = made(rotations, frames(*standing((10, (ANN, BEA)), (10, (BEA,)), (10, (BEA, ANN)))))
    assert stints(found, ANN) == [(1, 0, 1, 1, 2), (2, 2, 3, 1, None)]
    assert stints(found, BEA) == [(2, 0, 1, 1, 1), (1, 2, 3, 1, None)]


def test_how_much_of_it_is_goal_side() -> None:
    planted = [
        {BALL: (0, y, 0), ANN: (0, -100, 0), BEA: (0, -3000, 0), XAN: (0, 100, 0), YVE: (0, 3000, 0)}
        for y in (0, 0, 0, -200, -200, 0, 0, 0, 0, 0)
    ]
    found = made(rotations, frames(*planted))
    shares = dict(found.select("player_id", "goal_side_share").rows())
    assert shares == {ANN: pytest.approx(0.8), BEA: 1, XAN: 1, YVE: 1}


_RUNS = st.lists(st.tuples(st.integers(1, 9), st.permutations([ANN, BEA, CAL])), min_size=1, max_size=8)


def counted(runs: list[tuple[int, list[str]]], player: str) -> list[tuple[Any, ...]]:
    """The stints of a player, by plain counting of tenths of seconds."""
    roles = [order.index(player) + 1 for count, order in runs for _ in range(count)]
    held: list[list[int]] = []
    at = 0
    for role, same in groupby(roles):
        length = len([*same])
        if length >= 5:
            if held and held[-1][0] == role:
                held[-1][2] = at + length
            else:
                held.append([role, at, at + length])
        at += length
    return [
        (role, start / 10, end / 10, (end - start) / 10, after)
        for (role, start, end), after in zip(held, [*(each[0] for each in held), None][1:], strict=True)
    ]


@settings(max_examples=20)
@given(_RUNS)
def test_stints_are_what_counting_tells_and_do_not_overlap(runs: list[tuple[int, list[str]]]) -> None:
    found = made(rotations, frames(*standing(*((count, tuple(order)) for count, order in runs))))
    for player in (ANN, BEA, CAL):
        of = stints(found, player)
        assert of == [pytest.approx(each) for each in counted(runs, player)]
        assert all(before[2] <= after[1] + 1e-6 for before, after in pairwise(of))
