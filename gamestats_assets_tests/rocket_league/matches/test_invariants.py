"""What holds of every function that makes a table by match: the order of rows is nothing, and matches are apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.assets import BY_MATCH
from gamestats_assets.rocket_league.tables.bronze import BALL
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.building import assert_order_does_not_matter
from gamestats_assets_tests.rocket_league.support.scenario import (
    ANN,
    BEA,
    MATCH,
    OTHER_MATCH,
    TEAM,
    XAN,
    event,
    events,
    frames,
    goal,
    rows,
    touch,
)
from gamestats_assets_tests.support.frames import differences

PAD = {"pad_x_uu": 0.0, "pad_y_uu": 4240.0, "is_big_pad": False, "boost_before": 0.0, "boost_after": 31.0}
HAPPENED = (
    *(event("boost_pickup", 0.5, who, **PAD) for who in (ANN, XAN)),
    *(touch(at / 4, (ANN, XAN, BEA)[at % 3], vy=1000.0, player_z_uu=400.0) for at in range(2, 20)),
    *(each for at in (2, 4, 6) for each in (event("shot", at, ANN), event("save", at + 0.2, XAN))),
    goal(9, ANN),
    event("assist", 9.0, BEA),
    goal(12, None, kickoff_number=2),
)
MOVES = [
    {BALL: (0, 0, 93), ANN: (x, -2500, 17, 900, 0.0), BEA: (-x, -2500, 17, 900), XAN: (x, 4000, 17)} for x in range(90)
]


def bronze(match_id: str) -> dict[Any, pl.DataFrame]:
    """What files tell of a match, by a replay and by ballchasing."""
    sources, times = ("replay", "ballchasing"), dict.fromkeys(("ground", "low_air", "high_air"), 90.0)
    figures = {f"time_{name}_s": value for name, value in times.items()} | {"counted_s": 200.0}
    known = {
        t.RawReplays: rows(
            t.RawReplays, ({"source": each, "playlist": "ranked-doubles", "frames": 90} for each in sources)
        ),
        t.RawPlayerStats: rows(
            t.RawPlayerStats,
            ({"player_id": who, "source": each, "player_name": each} | figures for who in TEAM for each in sources),
        ),
        t.ReplayEvents: events(*HAPPENED),
        t.ReplayFigures: rows(t.ReplayFigures, ({"player_id": who} | figures for who in TEAM)),
        t.ReplayFrames: frames(*MOVES),
    }
    return {table: frame.with_columns(match_id=pl.lit(match_id)) for table, frame in known.items()}


@pytest.fixture(scope="module")
def apart() -> list[real_files.Frames]:
    """Two matches, each made alone."""
    return [real_files.derived(bronze(match_id)) for match_id in (MATCH, OTHER_MATCH)]


@pytest.mark.parametrize("function", BY_MATCH, ids=lambda function: function.__name__)
def test_the_order_of_rows_does_not_matter_and_matches_are_apart(
    apart: list[real_files.Frames], function: Callable[..., Any]
) -> None:
    table = real_files.made_by(function)
    together = {each: pl.concat([one[each] for one in apart]) for each in apart[0]}
    assert_order_does_not_matter(function, together)
    alone = pl.concat([real_files.make(function, one) for one in apart])
    assert differences(real_files.make(function, together), alone, table.primary_key()).rows() == []
