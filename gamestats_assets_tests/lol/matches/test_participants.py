"""Participants, and how a game stands at a moment."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.matches.game_state import team_gold_differences, with_gold_differences
from gamestats_assets.lol.matches.participants import MINUTES, participants
from gamestats_assets_tests.lol.scenario import MATCH_ID, gold_frames, kept, player, rows, ten

POSITIONS = ("TOP", "JUNGLE", "MIDDLE", "BOTTOM", "UTILITY")
# Twenty-five minutes: blue earns 400 a minute and red 300, each.
FRAMES = gold_frames(*((60_000 * minute, 500 + 400 * minute, 500 + 300 * minute) for minute in range(26)))


def raw_player(number: int, **given: Any) -> dict[str, Any]:
    """A participant of a match object, with round numbers."""
    usual = player(number)
    return {
        **{name: usual[name] for name in ("participant_id", "team_id", "won", "champion_id")},
        "team_position": usual["position"],
        "kills": 2,
        "deaths": 4,
        "assists": 3,
        "gold_earned": 10_000,
        "damage_to_champions": 15_000,
        "damage_taken": 20_000,
        "lane_minions_killed": 150,
        "neutral_minions_killed": 30,
        "vision_score": 45,
        "time_dead_s": 150,
    } | given


def made(
    *changed: dict[str, Any],
    frames: pl.DataFrame = FRAMES,
    listed: int = 10,
    champions: Sequence[dict[str, Any]] = (),
    **match: Any,
) -> dict[int, dict[str, Any]]:
    """Participants of one match of 25 minutes by their number; `changed` are some of the ten, by `participant_id`."""
    by_number = {each["participant_id"]: each for each in changed}
    players = [raw_player(number) | by_number.get(number, {}) for number in range(1, 11)]
    usual = {"duration_s": 1500.0, "participants": listed}
    frame = participants(
        rows(t.RawParticipants, *(each for each in players if each.get("team_id"))).lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.Matches, usual | match).lazy(),  # pyright: ignore[reportArgumentType]
        frames.lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.Champions, *champions).lazy(),  # pyright: ignore[reportArgumentType]
    )
    return {row["participant_id"]: row for row in kept(t.Participants, frame).iter_rows(named=True)}


# --------------------------------------------------------------------------- what stands in the match object


def test_rates_and_shares() -> None:
    row = made()[1]
    assert row["kda"] == 5 / 4
    assert row["kill_participation"] == 5 / 10
    assert row["damage_share"] == 1 / 5
    assert (row["dpm"], row["gold_per_minute"], row["damage_taken_per_minute"]) == (600, 400, 800)
    assert (row["cs"], row["cs_per_minute"], row["vision_per_minute"]) == (180, 7.2, 1.8)
    assert (row["deaths_per_minute"], row["time_dead_share"]) == (0.16, 0.1)


def test_what_is_not_told_is_null() -> None:
    row = made({"participant_id": 1, "vision_score": None, "neutral_minions_killed": None, "time_dead_s": None})[1]
    assert [row[name] for name in ("vision_per_minute", "cs", "cs_per_minute", "time_dead_share")] == [None] * 4
    assert made(duration_s=0.0)[1]["dpm"] is None


def test_shares_of_a_team_that_did_nothing_are_null() -> None:
    row = made(*({"participant_id": number, "kills": 0, "damage_to_champions": 0} for number in range(1, 6)))[1]
    assert (row["kill_participation"], row["damage_share"]) == (None, None)


def test_a_share_above_one_is_none() -> None:
    found = made({"participant_id": 1, "assists": 40, "time_dead_s": 1501})[1]
    assert (found["kill_participation"], found["time_dead_share"]) == (None, None)


def test_where_a_participant_could_not_be_read_nothing_is_said_of_the_team() -> None:
    found = made({"participant_id": 3, "team_id": 0})
    assert sorted(found) == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    for row in found.values():
        assert (row["kill_participation"], row["damage_share"], row["team_gold_diff_at_15"]) == (None, None, None)
    assert found[8]["opponent_participant_id"] is None
    assert found[1]["gold_at_15"] == 6500


def test_in_the_arena_a_team_is_a_pair() -> None:
    pairs = [{"participant_id": number, "subteam_id": (number + 1) // 2, "placement": 1} for number in range(1, 11)]
    row = made(*pairs, has_positions=False)[1]
    assert (row["subteam_id"], row["placement"], row["damage_share"]) == (1, 1, 1 / 2)
    assert [row[name] for name in ("kill_participation", "time_dead_share", "team_gold_diff_at_10")] == [None] * 3
    elsewhere = made({"participant_id": 1, "subteam_id": 0, "placement": 0})[1]
    assert (elsewhere["subteam_id"], elsewhere["placement"], elsewhere["damage_share"]) == (None, None, 1 / 5)


@pytest.mark.parametrize(
    ("name", "tagline", "summoner", "expected"),
    [
        ("Name", "TAG", "Old", "Name#TAG"),
        ("", "", "Old", "Old"),
        (None, None, "Old", "Old"),
        (None, "TAG", "", None),
        ("Name", None, "Old", "Name"),
    ],
)
def test_the_riot_id_is_the_summoner_name_of_older_matches(
    name: str | None, tagline: str | None, summoner: str, expected: str | None
) -> None:
    result = {"participant_id": 1, "riot_id_name": name, "riot_id_tagline": tagline, "summoner_name": summoner}
    assert made(result)[1]["riot_id"] == expected


def test_champions_are_called_what_data_dragon_calls_them() -> None:
    found = made(
        {"participant_id": 1, "champion_name": "FiddleSticks"}, {"participant_id": 2, "champion_name": "MonkeyKing"}
    )
    assert [found[number]["champion_key"] for number in (1, 2, 3)] == ["Fiddlesticks", "MonkeyKing", None]


# --------------------------------------------------------------------------- positions


def test_opponents_have_the_same_position() -> None:
    found = made({"participant_id": 6, "team_position": "JUNGLE"}, {"participant_id": 7, "team_position": "TOP"})
    opponents = {number: row["opponent_participant_id"] for number, row in found.items()}
    assert opponents == {1: 7, 7: 1, 2: 6, 6: 2, 3: 8, 8: 3, 4: 9, 9: 4, 5: 10, 10: 5}


def test_a_position_that_a_team_has_twice_or_lacks_has_no_opponents() -> None:
    found = made({"participant_id": 2, "team_position": "TOP"})
    opponents = {number: row["opponent_participant_id"] for number, row in found.items()}
    assert [opponents[number] for number in (1, 2, 6, 7)] == [None] * 4
    assert (opponents[3], opponents[10]) == (8, 5)
    assert (found[1]["position"], found[1]["lane_gold_diff_at_15"]) == ("TOP", None)


def test_there_are_no_positions_where_the_queue_has_none() -> None:
    found = made(has_positions=False)
    assert {(row["position"], row["opponent_participant_id"]) for row in found.values()} == {(None, None)}
    assert {row["position"] for row in made({"participant_id": 1, "team_position": ""}).values()} == {None, *POSITIONS}


# --------------------------------------------------------------------------- after some minutes


def test_gold_after_minutes() -> None:
    blue, red = (made()[number] for number in (1, 6))
    assert [blue[f"gold_at_{minute}"] for minute in MINUTES] == [4500, 6500, 8500]
    assert [red[f"lane_gold_diff_at_{minute}"] for minute in MINUTES] == [-1000, -1500, -2000]
    assert [blue[f"team_gold_diff_at_{minute}"] for minute in MINUTES] == [5000, 7500, 10_000]


def test_moments_between_frames_are_interpolated_by_time() -> None:
    frames = gold_frames((0, 500, 500), (540_000, 4000, 4000), (660_000, 5200, 4000))
    assert made(frames=frames)[1]["gold_at_10"] == 4600
    drifted = gold_frames((0, 500, 500), (570_000, 4000, 4000), (660_000, 5200, 4000))
    found = made(frames=drifted)[1]
    assert found["gold_at_10"] == pytest.approx(4000 + 1200 * 30 / 90, rel=1e-12)
    assert found["team_gold_diff_at_10"] == pytest.approx(5 * 1200 * 30 / 90, rel=1e-12)


def test_nothing_is_known_after_the_last_frame() -> None:
    frames = gold_frames((0, 500, 500), (600_000, 4000, 4000), (899_999, 5200, 4000))
    row = made(frames=frames, duration_s=900.0)[1]
    assert (row["gold_at_10"], row["gold_at_15"], row["lane_gold_diff_at_15"]) == (4000, None, None)


def test_a_participant_whom_the_timeline_lacks_has_no_moments() -> None:
    found = made(frames=FRAMES.filter(pl.col("participant_id") != 4))
    assert (found[4]["gold_at_15"], found[9]["gold_at_15"]) == (None, 5000)
    assert (found[9]["lane_gold_diff_at_15"], found[8]["lane_gold_diff_at_15"]) == (None, -1500)
    assert {row["team_gold_diff_at_15"] for row in found.values()} == {None}


def test_a_champion_without_a_known_id_is_known_by_name() -> None:
    listed = [
        {"version": version, "champion_id": number, "champion_key": key}
        for version in ("11.1.1", "11.2.1")
        for number, key in ((62, "MonkeyKing"), (9, "Fiddlesticks"), (81, "Ezreal"))
    ]
    result = [
        {"participant_id": 1, "champion_id": 37_225_015, "champion_name": "MonkeyKing"},
        {"participant_id": 2, "champion_id": 37_225_015, "champion_name": "FiddleSticks"},
        {"participant_id": 3, "champion_id": 62, "champion_name": "Ezreal"},
        {"participant_id": 4, "champion_id": 999, "champion_name": "Newcomer"},
    ]
    found = made(*result, champions=listed)
    assert [found[number]["champion_id"] for number in (1, 2, 3, 4)] == [62, 9, 62, 999]
    assert len(found) == 10
    assert [made(*result)[number]["champion_id"] for number in (1, 2)] == [37_225_015] * 2


# --------------------------------------------------------------------------- how a game stands at a moment


def test_differences_of_teams_pass_over_a_frame_that_lacks_a_participant() -> None:
    frames = FRAMES.filter((pl.col("frame_index") != 10) | (pl.col("participant_id") != 1))
    found = team_gold_differences(frames.lazy(), ten().lazy()).collect()
    blue = dict(found.filter(team_id=100).select("timestamp_ms", "team_gold_diff").iter_rows())
    assert blue == {60_000 * minute: 500 * minute for minute in range(26) if minute != 10}
    assert found.filter(team_id=200, timestamp_ms=60_000).get_column("team_gold_diff").to_list() == [-500]


def test_gold_differences_at_moments_of_participants() -> None:
    moments = pl.LazyFrame(
        [(MATCH_ID, 1, 90_000), (MATCH_ID, 7, 90_000), (MATCH_ID, 7, 9_000_000)],
        schema={"match_id": pl.String, "participant_id": pl.Int16, "timestamp_ms": pl.Int64},
        orient="row",
    )
    found = with_gold_differences(moments, FRAMES.lazy(), ten().lazy()).collect().sort("participant_id", "timestamp_ms")
    assert found.select("team_gold_diff", "lane_gold_diff").rows() == [(750, 150), (-750, -150), (None, None)]
