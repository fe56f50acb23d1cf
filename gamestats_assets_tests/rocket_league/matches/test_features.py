"""Features of players in matches: each column against what its description says, of rows by hand and of real files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.matches.features import player_match_features
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.building import make
from gamestats_assets_tests.rocket_league.support.scenario import ANN, BEA, CAL, MATCH, START, XAN, YVE, ZOE, rows

Row = dict[str, Any]
BOARD: Row = {
    "player_name": "Ann", "result": "win", "rank_tier": 16, "goals": 1, "shots": 4, "saves": 2, "shots_against": 5,
    "goals_against": 2, "demos_inflicted": 3, "demos_taken": 1,
}  # fmt: skip
TIMES: Row = {
    "time_defensive_third_s": 100.0, "time_neutral_third_s": 60.0, "time_offensive_third_s": 40.0,
    "time_defensive_half_s": 150.0, "time_offensive_half_s": 50.0, "time_behind_ball_s": 120.0,
    "time_in_front_of_ball_s": 80.0, "time_supersonic_s": 20.0, "time_boost_speed_s": 60.0, "time_slow_s": 120.0,
    "time_ground_s": 100.0, "time_low_air_s": 90.0, "time_high_air_s": 10.0,
}  # fmt: skip
STATS: Row = TIMES | {
    "counted_s": 120.0, "time_most_back_s": 72.0, "time_most_forward_s": 36.0, "time_closest_to_ball_s": 48.0,
    "time_zero_boost_s": 12.0, "time_full_boost_s": 6.0, "avg_distance_to_ball_uu": 3000.0,
    "avg_distance_to_ball_possession_uu": 2500.0, "avg_distance_to_ball_no_possession_uu": 3500.0,
    "avg_distance_to_mates_uu": 3600.0, "avg_speed_uu_s": 1500.0, "boost_per_minute": 400.0, "avg_boost": 50.0,
    "boost_collected": 800.0, "boost_overfill": 200.0, "boost_stolen": 240.0, "boost_collected_small": 320.0,
    "boost_used_while_supersonic": 80.0, "powerslides": 5, "goals_against_while_last_defender": 1,
}  # fmt: skip
"""Two minutes that count, within 200 s."""
FROM_STATS: Row = {
    "played_s": 120, "defensive_third_share": 0.5, "neutral_third_share": 0.3, "offensive_third_share": 0.2,
    "defensive_half_share": 0.75, "behind_ball_share": 0.6, "avg_distance_to_ball_uu": 3000,
    "avg_distance_to_ball_possession_uu": 2500, "avg_distance_to_ball_no_possession_uu": 3500,
    "avg_distance_to_mates_uu": 3600, "most_back_share": 0.6, "most_forward_share": 0.3,
    "closest_to_ball_share": 0.4, "role_imbalance": (0.1 + 0.2 + 0.1) / 3, "last_defender_conceded_share": 0.5,
    "avg_speed_uu_s": 1500, "supersonic_share": 0.1, "boost_speed_share": 0.3, "slow_share": 0.6,
    "ground_share": 0.5, "low_air_share": 0.45, "high_air_share": 0.05, "powerslides_per_minute": 2.5,
    "shots_per_minute": 2, "shot_accuracy": 0.25, "saves_per_minute": 1, "save_share": 0.4, "goals_per_minute": 0.5,
    "goals_against_per_minute": 1, "shots_against_per_minute": 2.5, "boost_per_minute": 400,
    "boost_collected_per_minute": 400, "avg_boost": 50, "zero_boost_share": 0.1, "full_boost_share": 0.05,
    "boost_overfill_share": 0.2, "boost_stolen_share": 0.3, "small_pad_share": 0.4,
    "demos_inflicted_per_minute": 1.5, "demos_taken_per_minute": 0.5,
}  # fmt: skip
"""What these are as features."""
OF_EVENTS = (
    "touches_per_minute", "aerial_touches_per_minute", "aerial_success_share", "turnover_share", "possession_share",
    "double_commits_per_minute", "challenges_per_minute", "challenge_win_share", "kickoff_win_share",
    "avg_shot_speed_uu_s",
)  # fmt: skip
OF_FRAMES = ("avg_x_uu", "avg_team_y_uu", "avg_z_uu", "position_spread_uu")
OF_ROTATIONS = ("rotations_per_minute", "rotation_efficiency", "first_man_stint_s")
FACTS: Row = {"playlist": "ranked-doubles", "is_ranked": True, "is_soccar": True, "team_size": 2, "started_at": START}


def tables(
    stats: list[Row],
    players: tuple[str, ...] = (ANN, BEA, XAN, YVE),
    board: Row = BOARD,
    facts: Row = FACTS,
    **more: tuple[type[Any], list[Row]],
) -> dict[Any, pl.DataFrame]:
    given = {table: rows(table, rows_of) for table, rows_of in more.values()}
    return {
        t.MatchFacts: rows(t.MatchFacts, [facts]),
        t.Participants: rows(t.Participants, ({"player_id": who} | board for who in players)),
        t.PlayerMatchStats: rows(t.PlayerMatchStats, ({"player_id": ANN} | row for row in stats)),
    } | given


def features(stats: list[Row], **more: Any) -> dict[str, Row]:
    found = make(player_match_features, tables(stats, **more))
    return {row["player_id"]: row for row in found.to_dicts()}


def close(values: Row) -> Row:
    return {name: pytest.approx(value) for name, value in values.items()}


# ---------------------------------------------------------------------------------------------- what statistics tell


def test_what_ballchasing_alone_tells() -> None:
    ((who, found),) = features([STATS | {"source": "ballchasing"}]).items()
    wasted = {"boost_wasted_supersonic_share": 80 / (400 * 2)}
    expected = FROM_STATS | wasted
    assert {name: found[name] for name in expected} == close(expected)
    unknown = (*OF_EVENTS, *OF_FRAMES, *OF_ROTATIONS)
    assert {name: found[name] for name in unknown} == dict.fromkeys(unknown)
    named = {
        "match_id": MATCH, "match_date": START.date(), "player_id": ANN, "playlist": "ranked-doubles",
        "is_simulated": False, "started_at": START, "stats_source": "ballchasing", "team_size": 2, "rank_tier": 16,
        "won": True,
    }  # fmt: skip
    assert (who, {name: found[name] for name in named}) == (ANN, named)
    # Nothing is left out.
    assert {*expected, *unknown, *named} == {*t.PlayerMatchFeatures.column_names()}


def test_what_a_replay_alone_tells() -> None:
    (found,) = features([STATS | {"source": "replay"}]).values()
    assert {name: found[name] for name in FROM_STATS} == close(FROM_STATS)
    assert (found["stats_source"], found["boost_wasted_supersonic_share"]) == ("replay", None)


FRAMES: Row = {
    "player_id": ANN, "counted_s": 110.0, "avg_x_uu": 1900.0, "avg_team_y_uu": -900.0, "avg_z_uu": 150.0,
    "position_spread_uu": 3000.0, "avg_speed_uu_s": 1490.0, "total_distance_uu": 1.0, "avg_boost": 49.0,
    "avg_distance_to_ball_uu": 2990.0, "avg_distance_to_mates_uu": 3590.0,
} | {name: 0.3 for name in t.FrameFigures.column_names() if name.endswith("_share")}  # fmt: skip


def test_updates_come_before_frames_and_frames_before_ballchasing() -> None:
    ours, theirs = STATS | {"source": "replay"}, STATS | {"source": "ballchasing", "avg_speed_uu_s": 1400.0}
    theirs |= {"counted_s": 121.0, "avg_distance_to_ball_possession_uu": 2400.0, "time_supersonic_s": 25.0}
    frames = (t.FrameFigures, [FRAMES])
    (found,) = features([ours, theirs], frames=frames).values()
    assert (found["avg_speed_uu_s"], found["played_s"], found["supersonic_share"]) == (1500, 120, pytest.approx(0.1))
    assert {name: found[name] for name in OF_FRAMES} == {name: FRAMES[name] for name in OF_FRAMES}
    assert found["boost_wasted_supersonic_share"] == pytest.approx(80 / (400 * 121 / 60))

    # What frames do not tell is ballchasing's then.
    (found,) = features([theirs], frames=frames).values()
    assert (found["stats_source"], found["played_s"], found["avg_speed_uu_s"]) == ("replay", 110, 1490)
    assert (found["supersonic_share"], found["zero_boost_share"]) == (0.3, 0.3)
    assert (found["avg_distance_to_ball_possession_uu"], found["powerslides_per_minute"]) == (2400, 5 / (110 / 60))

    (found,) = features([], frames=frames).values()
    assert (found["stats_source"], found["avg_distance_to_ball_possession_uu"]) == ("replay", None)

    # Column by column: what updates do not tell, frames do.
    (found,) = features([ours | {"avg_boost": None}, theirs | {"avg_boost": 7.0}], frames=frames).values()
    assert found["avg_boost"] == 49


def test_ratios_of_nothing_are_null() -> None:
    nothing = dict.fromkeys(("goals", "shots", "saves", "shots_against", "goals_against"), 0)
    zero = {"boost_collected": 0.0, "boost_overfill": 0.0, "boost_stolen": 0.0, "boost_per_minute": 0.0}
    zero |= {"boost_collected_small": 0.0, "goals_against_while_last_defender": 0}
    for board in (nothing, dict.fromkeys(nothing)):
        (found,) = features([STATS | {"source": "ballchasing"} | zero], board=BOARD | board).values()
        ratios = (
            "shot_accuracy", "save_share", "last_defender_conceded_share", "boost_overfill_share",
            "boost_wasted_supersonic_share", "boost_stolen_share", "small_pad_share",
        )  # fmt: skip
        assert {name: found[name] for name in ratios} == dict.fromkeys(ratios)
    assert found["shots_per_minute"] is None
    still = dict.fromkeys(TIMES, 0.0) | {"time_ground_s": 100.0}
    (found,) = features([STATS | {"source": "ballchasing"} | still]).values()
    assert (found["supersonic_share"], found["behind_ball_share"], found["ground_share"]) == (None, None, 1)


def test_more_saves_than_shots_are_all_of_them() -> None:
    (found,) = features([STATS | {"source": "ballchasing"}], board=BOARD | {"saves": 6}).values()
    assert found["save_share"] == 1


@pytest.mark.parametrize(("result", "won"), [("win", True), ("loss", False), ("draw", False), (None, None)])
def test_who_won(result: str | None, won: bool | None) -> None:
    (found,) = features([STATS], board=BOARD | {"result": result}).values()
    assert found["won"] is won


# ---------------------------------------------------------------------------------------------- who has features


@pytest.mark.parametrize(
    ("times", "played_s"),
    [
        ({"counted_s": 60.0}, 60),
        ({"counted_s": 59.9}, None),
        # Who came late or left: what is counted is of the match.
        ({"counted_s": 300.0, "time_ground_s": 40.0, "time_low_air_s": 15.0, "time_high_air_s": 4.9}, None),
        ({"counted_s": 300.0, "time_ground_s": 40.0, "time_low_air_s": 15.0, "time_high_air_s": 5.0}, 60),
        # Who collected no boost, of whom ballchasing tells no time that counts.
        ({"counted_s": None}, 200),
        ({"counted_s": None, "time_ground_s": None}, None),
    ],
)
@pytest.mark.parametrize("source", ["replay", "ballchasing"])
def test_who_played_less_than_a_minute_has_no_features(source: str, times: Row, played_s: float | None) -> None:
    found = features([STATS | times | {"source": source}])
    assert [row["played_s"] for row in found.values()] == ([] if played_s is None else [pytest.approx(played_s)])


def test_shares_and_rates_of_who_left_are_of_the_time_there() -> None:
    there = {"time_ground_s": 60.0, "time_low_air_s": 30.0, "time_high_air_s": 0.0, "time_most_back_s": 45.0}
    (found,) = features([STATS | there | {"source": "replay", "counted_s": 300.0}]).values()
    assert (found["most_back_share"], found["boost_collected_per_minute"]) == (0.5, pytest.approx(800 / 1.5))
    assert found["goals_per_minute"] == pytest.approx(1 / 1.5)


def test_a_match_that_is_no_soccar_has_no_features() -> None:
    assert features([STATS], facts=FACTS | {"is_soccar": False}) == {}
    # Nor has who is listed nowhere, or of whom nothing is known but the scoreboard.
    assert features([STATS], players=(BEA,)) == {}
    assert features([]) == {}


@pytest.mark.parametrize(
    ("header", "players", "team_size"),
    [
        (2, (ANN, BEA, XAN, YVE), 2),
        # The header of a private match says what it could have been.
        (4, (ANN, BEA, CAL, XAN, YVE, ZOE), 3),
        (3, (ANN, XAN, YVE, ZOE), 1),
        # Who came for one who left is listed beside that one.
        (2, (ANN, BEA, CAL, XAN, YVE), 2),
        (None, (ANN, BEA, CAL, XAN), 3),
    ],
)
def test_how_many_play_a_side(header: int | None, players: tuple[str, ...], team_size: int) -> None:
    (found,) = features([STATS], players=players, facts=FACTS | {"team_size": header}).values()
    assert found["team_size"] == team_size
    shares = (0.6, 0.3, 0.4)
    even = sum(abs(share - 1 / team_size) for share in shares) / 3 if team_size > 1 else None
    assert found["role_imbalance"] == (even if even is None else pytest.approx(even))


def test_nobody_has_mates_in_a_duel() -> None:
    alone = dict.fromkeys(
        ("time_most_back_s", "time_most_forward_s", "time_closest_to_ball_s", "avg_distance_to_mates_uu")
    )
    (found,) = features(
        [STATS | alone | {"source": "replay"}], players=(ANN, XAN), facts=FACTS | {"playlist": "ranked-duels"}
    ).values()
    names = (
        "most_back_share", "most_forward_share", "closest_to_ball_share", "role_imbalance",
        "avg_distance_to_mates_uu", *OF_ROTATIONS,
    )  # fmt: skip
    assert {name: found[name] for name in names} == dict.fromkeys(names)
    assert (found["team_size"], found["behind_ball_share"]) == (1, pytest.approx(0.6))


# ---------------------------------------------------------------------------------------------- what events tell


def touched(*touches: tuple[float, str | None, Row]) -> tuple[type[Any], list[Row]]:
    """Touches: when, by whom, and what else is told of them."""
    place = {"ball_x_uu": 0.0, "ball_y_uu": 0.0, "is_aerial": False}
    return t.Touches, [
        {"touch_number": number, "time_s": at, "player_id": who} | place | more
        for number, (at, who, more) in enumerate(touches, 1)
    ]


AERIAL = {"is_aerial": True}
KICKOFF = {"is_kickoff": True}


def by_touches(*touches: tuple[float, str | None, Row], **more: Any) -> dict[str, Row]:
    """Features of Ann and Xan, who both played for two minutes."""
    stats = [STATS | {"player_id": who, "source": "replay"} for who in (ANN, XAN)]
    return features(stats, touches=touched(*touches), **more)


def test_touches_and_what_follows_them() -> None:
    found = by_touches(
        (1, ANN, AERIAL),
        (2, BEA, {}),
        (4, ANN, {}),
        (6, XAN, AERIAL),
        (7, None, {"team": "blue"}),
        (8, ANN, AERIAL),
        (9, YVE, {}),
        # What is followed by a kick-off is followed by nobody.
        (10, ANN, AERIAL),
        (20, XAN, KICKOFF),
        (21, ANN, {}),
    )
    assert (found[ANN]["touches_per_minute"], found[XAN]["touches_per_minute"]) == (2.5, 1)
    assert (found[ANN]["aerial_touches_per_minute"], found[XAN]["aerial_touches_per_minute"]) == (1.5, 0.5)
    # By Bea, and by Yve.
    assert found[ANN]["aerial_success_share"] == 0.5
    assert found[XAN]["aerial_success_share"] == 0, "somebody of blue touched next"
    # By Bea, Xan and Yve; the last is followed by nobody.
    assert found[ANN]["turnover_share"] == pytest.approx(2 / 3)
    assert found[XAN]["turnover_share"] == 1


def test_who_never_touched_has_nought_and_no_shares() -> None:
    found = by_touches((1, BEA, {}), (2, YVE, {}))[ANN]
    counts = (
        "touches_per_minute", "aerial_touches_per_minute", "double_commits_per_minute", "challenges_per_minute",
        "possession_share",
    )  # fmt: skip
    assert {name: found[name] for name in counts} == dict.fromkeys(counts, 0)
    shares = ("aerial_success_share", "turnover_share", "challenge_win_share", "kickoff_win_share")
    assert {name: found[name] for name in (*shares, "avg_shot_speed_uu_s")} == dict.fromkeys(
        (*shares, "avg_shot_speed_uu_s")
    )


def test_the_ball_is_the_player_s_until_the_next_touch_or_the_end_of_the_possession() -> None:
    held = [
        {"possession_number": 1, "team": "blue", "start_s": 1.0, "end_s": 9.0},
        {"possession_number": 2, "team": "orange", "start_s": 9.0, "end_s": 15.0},
        {"possession_number": 3, "team": "blue", "start_s": 30.0, "end_s": 30.0},
    ]
    possessions = (t.Possessions, held)
    found = by_touches(
        (1, ANN, {}), (4, BEA, {}), (6, ANN, {}), (9, XAN, {}), (30, ANN, KICKOFF), possessions=possessions
    )
    assert found[ANN]["possession_share"] == pytest.approx((3 + 3) / 120)
    # Until the goal.
    assert found[XAN]["possession_share"] == pytest.approx(6 / 120)


@pytest.mark.parametrize(
    ("before", "is_double"),
    [
        ((9.0, BEA, {}), True),
        ((8.9, BEA, {}), False),
        ((9.5, BEA, {"ball_x_uu": 600.0, "ball_y_uu": -800.0}), True),
        # A pass.
        ((9.5, BEA, {"ball_x_uu": 601.0, "ball_y_uu": -800.0}), False),
        ((9.5, ANN, {}), False),
        ((9.5, XAN, {}), False),
        ((9.5, None, {"team": "blue"}), False),
    ],
)
def test_touches_of_two_mates_at_once_are_a_double_commit(
    before: tuple[float, str | None, Row], is_double: bool
) -> None:
    found = by_touches(before, (10, ANN, {}))
    assert found[ANN]["double_commits_per_minute"] == 0.5 * is_double


def test_challenges_count_for_both_and_kickoffs_apart() -> None:
    fought = [
        (ANN, XAN, "blue", False), (ANN, XAN, "orange", False), (ANN, YVE, "blue", False), (ANN, XAN, None, False),
        (BEA, XAN, "blue", False), (ANN, XAN, "orange", True), (ANN, None, "blue", True), (None, XAN, None, True),
    ]  # fmt: skip
    challenges = [
        {"challenge_number": number, "blue_player_id": blue, "orange_player_id": orange, "winner": winner,
         "team": None, "is_kickoff": is_kickoff}
        for number, (blue, orange, winner, is_kickoff) in enumerate(fought, 1)
    ]  # fmt: skip
    found = by_touches((1, ANN, {}), challenges=(t.Challenges, challenges))
    names = ("challenges_per_minute", "challenge_win_share", "kickoff_win_share")
    assert [found[ANN][name] for name in names] == [3, pytest.approx(2 / 3), 0.5]
    assert [found[XAN][name] for name in names] == [3, pytest.approx(1 / 3), 1]


def test_shots_are_as_hard_as_the_ball_is_fast() -> None:
    shots = [
        {"shot_number": number, "player_id": who, "shot_speed_uu_s": speed, "is_counted": True}
        for number, (who, speed) in enumerate([(ANN, 1000.0), (ANN, None), (ANN, 2000.0), (XAN, None)], 1)
    ]
    # What the game counts as none is none.
    shots += [{"shot_number": 5, "player_id": ANN, "shot_speed_uu_s": 9000.0, "is_counted": False, "outcome": "goal"}]
    found = by_touches((1, ANN, {}), shots=(t.ShotsAndSaves, shots))
    assert (found[ANN]["avg_shot_speed_uu_s"], found[XAN]["avg_shot_speed_uu_s"]) == (1500, None)


def stinted(roles: str, player: str = ANN, first: int = 1, length: float = 2.0) -> list[Row]:
    """Stints of a player; a dash is a stop of play."""
    stints: list[Row] = []
    for place, role in enumerate(roles):
        if role != "-":
            after = roles[place + 1 : place + 2]
            next_role = int(after) if after.isdigit() else None
            stints.append(
                {"player_id": player, "stint_number": first + len(stints), "role": int(role), "start_s": 2.0 * place,
                 "end_s": 2.0 * place + length, "duration_s": length, "next_role": next_role}
            )  # fmt: skip
    return stints


@pytest.mark.parametrize(
    ("roles", "efficiency"),
    [
        ("13", 1.0),
        ("123", 1.0),
        ("121", 0.0),
        ("13121", 0.5),
        # Play stopped before that was told.
        ("12-13", 1.0),
        ("1-3", None),
        ("12-3", None),
        ("232", None),
    ],
)
def test_who_was_first_man_and_then_last_has_rotated(roles: str, efficiency: float | None) -> None:
    # The mates show that there are three.
    mates = [*stinted("2", BEA), *stinted("3", CAL)]
    found = by_touches((1, ANN, {}), rotations=(t.Rotations, [*stinted(roles), *mates]))[ANN]
    assert found["rotation_efficiency"] == efficiency
    changes = sum(before.isdigit() and after.isdigit() for before, after in pairwise(roles))
    assert found["rotations_per_minute"] == pytest.approx(changes / 2)


def test_in_a_team_of_two_every_change_is_a_rotation() -> None:
    stints = [*stinted("1212"), *stinted("2121", BEA)]
    found = by_touches((1, ANN, {}), rotations=(t.Rotations, stints))[ANN]
    assert (found["rotation_efficiency"], found["rotations_per_minute"]) == (None, 1.5)


def test_how_long_somebody_is_first_man() -> None:
    stints = [*stinted("1", length=1.0), *stinted("212", first=2, length=4.0), *stinted("2", BEA)]
    assert by_touches((1, ANN, {}), rotations=(t.Rotations, stints))[ANN]["first_man_stint_s"] == 2.5


# ---------------------------------------------------------------------------------------------- real files


MEANS = ("avg_speed_uu_s", "avg_distance_to_ball_uu", "avg_distance_to_mates_uu")
SHARES = tuple(name for name in FROM_STATS if name in FRAMES and name.endswith("_share"))


def test_frames_tell_nearly_what_every_update_tells(realdata: Path) -> None:
    known = real_files.silver(realdata, *real_files.PAIRS)
    frames = {row["player_id"]: row for row in known[t.FrameFigures].to_dicts()}
    exact = {row["player_id"]: row for row in known[t.PlayerMatchFeatures].to_dicts()}
    assert len(exact) == 10
    assert len(SHARES) == 16
    assert exact.keys() == frames.keys()
    # Shares are of all the time: 5% of it. Frames leave countdowns and celebrations out.
    off = {
        (who, name): (frames[who][name], exact[who][name])
        for who in exact
        for name in (*MEANS, *SHARES)
        if abs(frames[who][name] - exact[who][name]) > 0.05 * (exact[who][name] if name in MEANS else 1)
    }
    assert off == {}
