"""How players move and stand by frames alone: each figure against plain counting over the same frames."""

from __future__ import annotations

import math
from statistics import pvariance
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.matches.frame_figures import frame_figures
from gamestats_assets.rocket_league.tables.bronze import BALL
from gamestats_assets_tests.rocket_league.support.scenario import (
    ANN,
    BEA,
    CAL,
    XAN,
    YVE,
    at_distances,
    frames,
    made,
    rows,
)

SHARES = {
    "by speed": ("supersonic_share", "boost_speed_share", "slow_share"),
    "by height": ("ground_share", "low_air_share", "high_air_share"),
    "by third": ("defensive_third_share", "neutral_third_share", "offensive_third_share"),
}


def figures(*given: pl.DataFrame) -> dict[str, dict[str, Any]]:
    found = made(frame_figures, pl.concat(given)).to_dicts()
    return {row["player_id"]: row for row in found}


def test_every_figure_is_what_counting_tells() -> None:
    at = [
        # Ball, then of each x, y, z, speed and boost.
        {BALL: (0, 0, 100), ANN: (100, -3000, 17, 1000, 0), BEA: (0, -100, 17, 0, 255), XAN: (-50, 500, 900, 2300, 51)},
        {BALL: (0, 0, 100), ANN: (-300, -1000, 17, 1410, 0), BEA: (0, -90, 17, 0, 255), XAN: (0, -2000, 17, 100, 102)},
        {BALL: (0, -500, 100), ANN: (500, 2000, 840, 2200, 255), BEA: (0, 0, 17, 0, 9), XAN: (0, 1000, 17, 0, 0.4)},
        {BALL: (0, 0, 100), ANN: (700, 1000, 841, 2199, 102), BEA: (9, 1500, 20, 0, 9), XAN: (0, -900, 17, 9, 254.6)},
    ]
    steps = [0.1, 0.1, 0.2, 0.1]
    found = figures(
        *(
            frames(each, step_s=step).with_columns(frame=pl.lit(number, pl.Int32))
            for number, (each, step) in enumerate(zip(at, steps, strict=True))
        )
    )

    ann = [each[ANN] for each in at]
    total = sum(steps)

    def mean(values: list[float]) -> float:
        return sum(value * step for value, step in zip(values, steps, strict=True)) / total

    assert found[ANN] == {
        "match_id": found[ANN]["match_id"],
        "match_date": found[ANN]["match_date"],
        "player_id": ANN,
        "counted_s": pytest.approx(0.5),
        "avg_x_uu": pytest.approx(mean([100, 300, 500, 700])),
        "avg_team_y_uu": pytest.approx(mean([-3000, -1000, 2000, 1000])),
        "avg_z_uu": pytest.approx(mean([17, 17, 840, 841])),
        "position_spread_uu": pytest.approx(
            math.sqrt(pvariance([place[0] for place in ann]) + pvariance([place[1] for place in ann]))
        ),
        "avg_speed_uu_s": pytest.approx(mean([1000, 1410, 2200, 2199])),
        "total_distance_uu": pytest.approx(1000 * 0.1 + 1410 * 0.1 + 2200 * 0.2 + 2199 * 0.1),
        "supersonic_share": pytest.approx(0.4),
        "boost_speed_share": pytest.approx(0.4),
        "slow_share": pytest.approx(0.2),
        "ground_share": pytest.approx(0.4),
        "low_air_share": pytest.approx(0.4),
        "high_air_share": pytest.approx(0.2),
        "defensive_third_share": pytest.approx(0.2),
        "neutral_third_share": pytest.approx(0.4),
        "offensive_third_share": pytest.approx(0.4),
        "defensive_half_share": pytest.approx(0.4),
        "behind_ball_share": pytest.approx(0.4),
        "avg_distance_to_ball_uu": pytest.approx(mean([math.dist(each[ANN][:3], each[BALL]) for each in at])),
        "avg_distance_to_mates_uu": pytest.approx(sum(math.dist(each[ANN][:3], each[BEA][:3]) for each in at) / 4),
        "most_back_share": pytest.approx(0.2 + 0.2 + 0.2),
        "most_forward_share": pytest.approx(0.4),
        "closest_to_ball_share": pytest.approx(0.2),
        "avg_boost": pytest.approx(mean([0, 0, 255, 102]) * 100 / 255),
        "zero_boost_share": pytest.approx(0.4),
        "full_boost_share": pytest.approx(0.4),
    }
    # Orange sees the field from the other side, and has no mate.
    xan = found[XAN]
    assert xan["avg_team_y_uu"] == pytest.approx(mean([-500, 2000, -1000, 900]))
    assert (xan["behind_ball_share"], xan["defensive_half_share"]) == (pytest.approx(0.6), pytest.approx(0.6))
    assert (xan["zero_boost_share"], xan["full_boost_share"]) == (pytest.approx(0.4), pytest.approx(0.2))
    for name in ("avg_distance_to_mates_uu", "most_back_share", "most_forward_share", "closest_to_ball_share"):
        assert xan[name] is None, name


def test_only_what_is_live_counts_and_who_is_away_does_not() -> None:
    live = frames(at_distances({ANN: 100, BEA: 200}), at_distances({BEA: 100}))
    dead = frames(at_distances({ANN: 4000, BEA: 5000, CAL: 1}), is_live=False).with_columns(frame=pl.lit(2, pl.Int32))
    found = figures(live, dead)
    assert found.keys() == {ANN, BEA}
    assert (found[ANN]["counted_s"], found[BEA]["counted_s"]) == (pytest.approx(0.1), pytest.approx(0.2))
    assert (found[ANN]["avg_distance_to_ball_uu"], found[BEA]["avg_distance_to_ball_uu"]) == (100, 150)
    # Alone, nobody is first of a team.
    assert (found[ANN]["closest_to_ball_share"], found[BEA]["closest_to_ball_share"]) == (1, 0)
    assert (found[ANN]["avg_distance_to_mates_uu"], found[BEA]["avg_distance_to_mates_uu"]) == (100, 100)


def test_boost_that_is_not_known_is_not_nought() -> None:
    known = frames(at_distances({ANN: 100}))
    unknown = frames(at_distances({ANN: 100}), boost=None).with_columns(frame=pl.lit(1, pl.Int32))
    (found,) = figures(known, unknown).values()
    assert (found["avg_boost"], found["zero_boost_share"]) == (pytest.approx(100 * 85 / 255), 0)
    (found,) = figures(unknown).values()
    assert [found[name] for name in ("avg_boost", "zero_boost_share", "full_boost_share")] == [None] * 3


def test_of_two_as_near_the_first_by_name_is_nearest() -> None:
    found = figures(frames(at_distances({BEA: 100, ANN: 100})))
    assert [found[who]["closest_to_ball_share"] for who in (ANN, BEA)] == [1, 0]
    assert [found[who]["most_forward_share"] for who in (ANN, BEA)] == [0, 1]


def test_a_replay_without_a_live_frame_has_no_figures() -> None:
    assert made(frame_figures, frames(at_distances({ANN: 100}), is_live=False)).is_empty()
    assert made(frame_figures, frames(at_distances({ANN: 100}), step_s=0.0)).is_empty()
    assert made(frame_figures, rows(t.ReplayFrames, [])).is_empty()


_PLACE = st.tuples(
    st.floats(-4096, 4096), st.floats(-5120, 5120), st.floats(0, 2044), st.floats(0, 2300), st.floats(0, 255)
)


@settings(max_examples=20)
@given(st.lists(st.fixed_dictionaries({who: _PLACE for who in (BALL, ANN, BEA, XAN, YVE)}), min_size=1, max_size=8))
def test_shares_of_one_whole_sum_to_one(places: list[dict[str, tuple[float, ...]]]) -> None:
    found = figures(frames(*places))
    for who, row in found.items():
        for names in SHARES.values():
            assert sum(row[name] for name in names) == pytest.approx(1), who
        assert row["counted_s"] == pytest.approx(0.1 * len(places))
    for mates in ((ANN, BEA), (XAN, YVE)):
        for name in ("most_back_share", "most_forward_share", "closest_to_ball_share"):
            assert sum(found[who][name] for who in mates) == pytest.approx(1), name
