"""Damage events: what counts as given, who it is from, and whether the victim was down."""

from typing import Any

import polars as pl
import pytest

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.damage import damage_events
from gamestats_assets_tests.pubg.scenario import file_row, frames_of, run

HIT = {
    "t": 10,
    "attack_id": 5,
    "attacker_account_id": "account.a",
    "attacker_name": "A",
    "attacker_team_id": 1,
    "victim_account_id": "account.v",
    "victim_team_id": 2,
    "damage": 20.0,
    "damage_causer_name": "WeapHK416_C",
    "damage_type_category": "Damage_Gun",
}


def made(*hits: dict[str, Any], knocks: Any = (), revives: Any = (), kills: Any = ()) -> pl.DataFrame:
    given = {t.TelemetryKnocks: knocks, t.TelemetryRevives: revives, t.TelemetryKills: kills}
    frames = frames_of({t.TelemetryDamage: [HIT | hit for hit in hits], **given})
    return run(damage_events, frames | {t.TelemetryFiles: file_row()}).sort("event_index")


@pytest.mark.parametrize(
    ("hit", "is_given", "is_from_other_player"),
    [
        pytest.param({}, True, True, id="an enemy"),
        pytest.param({"attacker_team_id": 2}, False, True, id="a team mate"),
        pytest.param({"attacker_account_id": "ai.1"}, True, False, id="a bot"),
        pytest.param({"attacker_type": "user_ai"}, True, False, id="a bot by type"),
        pytest.param({"attacker_account_id": None, "attacker_team_id": None}, False, False, id="nobody"),
        pytest.param({"attacker_account_id": "", "attacker_team_id": 0}, False, False, id="nobody, nameless"),
        pytest.param(
            {
                "attacker_account_id": "account.v",
                "attacker_team_id": 2,
                "damage_causer_name": "PlayerMale_A_C",
                "damage_type_category": "Damage_Instant_Fall",
            },
            False,
            False,
            id="a fall names the victim",
        ),
        pytest.param({"attacker_team_id": None}, True, True, id="a team that is not told"),
    ],
)
def test_what_damage_counts_as(hit: dict[str, Any], is_given: bool, is_from_other_player: bool) -> None:
    row = made(hit).row(0, named=True)
    assert (row["is_given"], row["is_from_other_player"]) == (is_given, is_from_other_player)


def test_down_from_the_knock_until_revive_or_death() -> None:
    frame = made(
        *({"t": second} for second in (9, 10, 10.001, 15, 20, 20.001, 25, 30, 31, 41)),
        {"t": 15, "victim_account_id": "account.w"},
        {"t": 15, "match_id": "other"},
        knocks=[{"t": second, "victim_account_id": "account.v"} for second in (10, 30)],
        revives=[{"t": 20, "victim_account_id": "account.v"}],
        kills=[{"t": 40, "victim_account_id": "account.v"}],
    )
    down = dict(frame.select("event_index", "victim_was_down").iter_rows())
    assert [down[index] for index in range(10)] == [
        False,
        False,  # the blow that knocks
        True,
        True,
        True,
        False,
        False,
        False,
        True,
        False,
    ]
    assert (down[10], down[11]) == (False, False)


def test_events_out_of_order_are_put_in_order_of_time() -> None:
    frame = made({"t": 30}, {"t": 5}, knocks=[{"t": 10, "victim_account_id": "account.v"}])
    assert frame["victim_was_down"].to_list() == [True, False]


def test_equal_pellets_all_count() -> None:
    frame = made({}, {}, {})
    assert frame.height == 3
    assert frame["damage"].sum() == 60.0


def test_places_and_distance_are_in_metres() -> None:
    places = {
        "attacker_x_cm": 100_000.0,
        "attacker_y_cm": 200_000.0,
        "attacker_z_cm": 1_200.0,
        "victim_x_cm": 100_300.0,
        "victim_y_cm": 200_400.0,
        "victim_z_cm": 0.0,
    }
    hit, flat, zone = made(places, places | {"victim_z_cm": None}, places | {"attacker_account_id": None}).iter_rows(
        named=True
    )
    assert (hit["attacker_x_m"], hit["attacker_y_m"], hit["victim_x_m"]) == (1000.0, 2000.0, 1003.0)
    assert hit["distance_m"] == pytest.approx(13.0)
    assert flat["distance_m"] == pytest.approx(5.0)
    assert (zone["distance_m"], zone["attacker_x_m"], zone["attacker_is_bot"]) == (None, None, None)
    assert hit["elapsed_time_s"] == 10.0


def test_categories() -> None:
    causers = ["WeapHK416_C", "ProjGrenade_C", "TslGameMode_LandmarkBP_C", "WeapFuture_C", None]
    frame = made(*({"damage_causer_name": causer} for causer in causers))
    assert frame["weapon_category"].to_list() == ["AR", "Throwable", "Environment", "Other", "Other"]
