"""Positions against the circles: interpolation, edges, who counts and until when."""

import math
from typing import Any

import polars as pl
import pytest

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.circles import circle_positions
from gamestats_assets_tests.pubg.scenario import file_row, frames_of, run


def state(second: float, x: float, radius: float, **given: Any) -> dict[str, Any]:
    """A state whose blue circle has its centre at (x, 0), in metres."""
    return {
        "t": second,
        "safety_zone_x_cm": x * 100,
        "safety_zone_y_cm": 0.0,
        "safety_zone_radius_cm": radius * 100,
        "poison_gas_warning_radius_cm": 0.0,
    } | given


def sample(second: float, x: float = 0.0, y: float = 0.0, **given: Any) -> dict[str, Any]:
    return {"t": second, "account_id": "account.p", "player_name": "P", "x_cm": x * 100, "y_cm": y * 100} | given


STATES = (state(10, 0, 1000), state(20, 100, 800))


def made(*samples: Any, states: Any = STATES, kills: Any = (), landings: Any = (), **file: Any) -> pl.DataFrame:
    given = {t.TelemetryPositions: samples, t.TelemetryGameStates: states, t.TelemetryKills: kills}
    frames = frames_of({**given, t.TelemetryLandings: landings})
    return run(circle_positions, frames | {t.TelemetryFiles: file_row(**file)}).sort("occurred_at")


@pytest.mark.parametrize(
    ("second", "x", "radius"),
    [
        pytest.param(15, 50, 900, id="half way"),
        pytest.param(12.5, 25, 950, id="a quarter"),
        pytest.param(10, 0, 1000, id="at a state"),
        pytest.param(20, 100, 800, id="at the last state"),
        pytest.param(3, 0, 1000, id="before the first state"),
        pytest.param(99, 100, 800, id="after the last state"),
    ],
)
def test_the_blue_circle_is_interpolated_in_time(second: float, x: float, radius: float) -> None:
    row = made(sample(second, 30, 40)).row(0, named=True)
    assert (row["blue_x_m"], row["blue_y_m"], row["blue_radius_m"]) == pytest.approx((x, 0, radius))
    distance = math.hypot(30 - x, 40)
    assert row["distance_from_blue_center_m"] == pytest.approx(distance)
    assert row["distance_from_blue_edge_m"] == pytest.approx(radius - distance)
    assert row["elapsed_time_s"] == second


def test_outside_is_negative() -> None:
    row = made(sample(10, 1500, 0)).row(0, named=True)
    assert (row["distance_from_blue_edge_m"], row["is_in_safe_zone"]) == (-500.0, False)
    assert made(sample(10, 1000, 0))["is_in_safe_zone"].item() is True


def test_the_white_circle_is_that_of_the_last_state_and_null_before_one_is_shown() -> None:
    white = {
        "poison_gas_warning_x_cm": 30_000.0,
        "poison_gas_warning_y_cm": 40_000.0,
        "poison_gas_warning_radius_cm": 10_000.0,
    }
    frame = made(sample(15), sample(25), states=[STATES[0], state(20, 0, 1000) | white])
    before, after = frame.iter_rows(named=True)
    assert (before["white_radius_m"], before["white_x_m"], before["distance_from_white_edge_m"]) == (None, None, None)
    assert (after["white_radius_m"], after["distance_from_white_center_m"]) == (100.0, 500.0)
    assert after["distance_from_white_edge_m"] == -400.0


def test_only_people_from_the_first_zone_on() -> None:
    frame = made(
        sample(11, phase=0.1),
        sample(12, phase=0.5),
        sample(13, phase=None),
        sample(14, phase=1.0),
        sample(15, phase=2.5),
        sample(16, account_id="ai.1"),
        sample(17, character_type="user_ai"),
    )
    assert frame["event_index"].to_list() == [3, 4]


def test_until_the_player_is_out_and_again_after_a_return() -> None:
    frame = made(
        *(sample(second) for second in (11, 12, 13, 30, 31)),
        sample(13, account_id="account.other"),
        kills=[{"t": 12, "victim_account_id": "account.p"}],
        landings=[
            {"t": 1, "account_id": "account.p", "parachute_distance_m": 300.0},
            {"t": 12.5, "account_id": "account.p", "parachute_distance_m": 300.0},
            {"t": 30.5, "account_id": "account.p", "parachute_distance_m": 250.0},
        ],
    )
    assert frame.select("event_index").to_series().sort().to_list() == [0, 1, 4, 5]


def test_without_a_start_the_first_state_tells_it() -> None:
    states = [state(10, 0, 1000, elapsed_time_s=9), STATES[1]]
    row = made(sample(15, player_name=None), states=states, started_at=None).row(0, named=True)
    assert (row["elapsed_time_s"], row["player_name"]) == (14.0, "account.p")
    assert made(sample(12), sample(15), started_at=None)["elapsed_time_s"].to_list() == [0.0, 3.0]
