"""Every check passes on sound data and finds the violation planted for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.rocket_league import checks
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.assets import CHECKS, game
from gamestats_assets_tests.rocket_league.matches.test_features import STATS
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.files import header_of
from gamestats_assets_tests.rocket_league.support.scenario import (
    ANN,
    BEA,
    MATCH,
    OTHER_MATCH,
    XAN,
    YVE,
    at_distances,
    event,
    events,
    frames,
    goal,
    rows,
    touch,
)
from gamestats_assets_tests.support.checks import ChecksOfAGame
from gamestats_assets_tests.support.frames import Frames, Planted, breaking, changed, doubled, without

BY_NAME = {check.name: check for check in checks.ALL}
EVERYBODY = (ANN, BEA, XAN, YVE)
# The times by third, by half, by speed and by height of the features' rows are 200 s each.
BOARD = {"player_name": "Somebody", "score": 300, "goals": 1, "assists": 0, "saves": 1, "shots": 2}
THEIRS = STATS | BOARD | {"source": "ballchasing", "boost_collected_per_minute": 400.0}
PAD = {"pad_x_uu": 3072.0, "pad_y_uu": 4096.0, "is_big_pad": True, "boost_before": 0.0, "boost_after": 255.0}


def as_on_board(at: float, who: str) -> list[dict[str, Any]]:
    """A shot that an opponent saves, another one, and a goal, which for some is of none of these."""
    saver = EVERYBODY[(EVERYBODY.index(who) + 2) % 4]
    scored = goal(at + 3, who, kickoff_number=2 if who in (XAN, YVE) else 1)
    return [event("shot", at, who), event("save", at + 1, saver), event("shot", at + 2, who), scored]


@pytest.fixture(scope="module")
def sound() -> Frames:
    """A real match of which the replay and ballchasing tell, and a simulated one; and what is made of them."""
    replays = [
        {"source": "replay", "playlist": "ranked-doubles", "frames": 50, "replay_id": "C" * 32},
        {"source": "ballchasing", "playlist": "ranked-doubles"},
        {"source": "ballchasing", "playlist": "ranked-doubles", "match_id": OTHER_MATCH, "is_simulated": True},
    ]
    score = {"blue_score": 3, "orange_score": 2, "team_size": 2, "uncounted_keys": 0}
    stats = [
        *({"player_id": who} | BOARD for who in EVERYBODY),
        *({"player_id": who} | THEIRS for who in EVERYBODY),
        *({"player_id": who, "match_id": OTHER_MATCH} | THEIRS for who in EVERYBODY),
    ]
    raw = {
        t.RawReplays: rows(t.RawReplays, replays, **score),
        t.RawPlayerStats: rows(t.RawPlayerStats, stats),
        t.ReplayFigures: rows(t.ReplayFigures, ({"player_id": who} | STATS for who in EVERYBODY)),
        t.ReplayFrames: frames(*[at_distances({ANN: 100, BEA: 200, XAN: 150, YVE: 250})] * 50),
        t.ReplayEvents: events(
            touch(1, ANN),
            touch(2, XAN),
            # As much boost as ballchasing tells.
            *(event("boost_pickup", 3, who, **PAD) for who in EVERYBODY for _ in range(8)),
            # What the scoreboard says of everybody.
            *itertools.chain(*(as_on_board(10 * number, who) for number, who in enumerate(EVERYBODY, 1))),
        ),
    }
    of_all = {"is_simulated": False, "playlist": "ranked-doubles"}
    errors = {"mean_error_tiers": 1.0, "majority_mean_error_tiers": 3.0, "single_feature_mean_error_tiers": 2.0}
    compared = {"compared_mean_error_tiers": 1.0, "served_mean_error_tiers": 1.1}
    measured = {"state": "measured", "percentile": 40.0, "percentile_low": 20.0, "percentile_high": 60.0}
    return dict(real_files.derived(raw)) | {
        t.RankCohorts: rows(
            t.RankCohorts,
            [of_all | {"rank_tier": 16, "feature": "avg_speed_uu_s", "from_tier": 15, "to_tier": 17, "players": 4}],
        ),
        t.RankModels: rows(
            t.RankModels,
            [
                of_all | {"version": 1, "state": "superseded"} | errors,
                of_all | {"version": 2, "state": "served"} | errors | compared,
                of_all | {"version": 3, "state": "refused", "reason": "It is worse."},
                of_all | {"version": 1, "state": "served", "is_simulated": True} | errors,
            ],
        ),
        t.Weaknesses: rows(
            t.Weaknesses,
            [
                of_all | {"player_id": ANN, "skill": "saves"} | measured,
                of_all | {"player_id": ANN, "skill": "aerials", "state": "refused", "reason": "Too few matches."},
            ],
        ),
        t.TrackedPlayers: rows(t.TrackedPlayers, [{"player_id": ANN}]),
        t.PlayerStats: rows(t.PlayerStats, [of_all | {"player_id": ANN, "stat_type": "avg_speed_uu_s", "value": 1.0}]),
    }


# --------------------------------------------------------------------------- planting

REPLAY = (pl.col("source") == "replay") & (pl.col("player_id") == ANN)
SERVED = (pl.col("state") == "served") & ~pl.col("is_simulated")
MEASURED = pl.col("state") == "measured"
GOAL = pl.col("outcome") == "goal"


def far_out(frames: Frames) -> Planted:
    return {t.ReplayFrames: frames[t.ReplayFrames].with_columns(y_uu=pl.col("y_uu") * 100)}


def no_soccar(frames: Frames) -> Planted:
    return {t.MatchFacts: frames[t.MatchFacts].with_columns(is_soccar=False)}


def without_shots(frames: Frames) -> Planted:
    return {t.ShotsAndSaves: frames[t.ShotsAndSaves].clear()}


VIOLATIONS: list[tuple[str, Callable[[Frames], Planted]]] = [
    ("every_file_is_of_a_match", without(t.MatchFacts)),
    ("every_file_is_of_a_match", doubled(t.MatchFacts)),
    ("every_file_is_of_a_match", doubled(t.MatchFacts, match_id="F" * 32)),
    ("every_file_is_of_a_match", without(t.RawReplays, pl.col("match_id") == OTHER_MATCH)),
    ("everybody_who_is_listed_played", without(t.Participants)),
    ("everybody_who_is_listed_played", doubled(t.Participants)),
    ("everybody_who_is_listed_played", doubled(t.Participants, player_id="epic_9")),
    ("a_replay_is_of_one_match", doubled(t.MatchFacts, pl.col("match_id") == MATCH, match_id="F" * 32)),
    ("statistics_have_columns", changed(t.RawReplays, uncounted_keys=1)),
    ("every_goal_and_save_told_is_a_moment", without(t.ReplayMoments, pl.col("kind") == "goal")),
    ("every_goal_and_save_told_is_a_moment", doubled(t.ReplayMoments, pl.col("kind") == "save")),
    ("every_frame_is_in_a_track", without(t.ReplayTracks)),
    ("every_frame_is_in_a_track", changed(t.ReplayTracks, frames=49)),
    ("every_frame_is_in_a_track", changed(t.ReplayTracks, players=3)),
    ("goals_are_in_the_score", changed(t.Participants, goals=3)),
    *(
        ("goals_are_in_the_score", changed(t.MatchFacts, orange_score=1, playlist=playlist))
        for playlist in ("ranked-doubles", "unranked-chaos", "tournament")
    ),
    ("every_touch_told_is_a_touch", without(t.Touches)),
    ("every_touch_told_is_a_touch", doubled(t.Touches, touch_number=99)),
    ("every_touch_told_is_a_touch", doubled(t.Touches, match_id=OTHER_MATCH)),
    ("every_pickup_told_is_a_pickup", without(t.BoostPickups)),
    ("every_pickup_told_is_a_pickup", doubled(t.BoostPickups, pickup_number=99)),
    ("every_shot_told_is_a_shot", without(t.ShotsAndSaves)),
    ("every_shot_told_is_a_shot", doubled(t.ShotsAndSaves, shot_number=99)),
    ("every_shot_told_is_a_shot", changed(t.ShotsAndSaves, GOAL, outcome="missed")),
    ("every_shot_told_is_a_shot", without(t.ShotsAndSaves, GOAL & ~pl.col("is_counted"))),
    ("every_shot_told_is_a_shot", doubled(t.ShotsAndSaves, GOAL & ~pl.col("is_counted"), shot_number=99)),
    ("every_shot_told_is_a_shot", changed(t.ShotsAndSaves, GOAL & ~pl.col("is_counted"), is_counted=True)),
    ("cars_are_on_the_field", far_out),
    *(
        ("scoreboards_agree", changed(t.RawPlayerStats, REPLAY, **{name: 99}))
        for name in ("score", "goals", "assists", "saves", "shots")
    ),
    *(
        ("replays_agree_with_ballchasing", changed(t.PlayerMatchStats, REPLAY, **{name: pl.col(name) * factor}))
        for name in (
            "avg_speed_uu_s", "time_supersonic_s", "time_boost_speed_s", "time_slow_s", "time_ground_s",
            "time_low_air_s", "time_defensive_third_s", "time_neutral_third_s", "time_offensive_third_s",
            "time_behind_ball_s", "avg_distance_to_ball_uu", "avg_distance_to_mates_uu", "avg_boost",
            "boost_collected",
        )
        for factor in (1.031, 0.969)
    ),
    *(
        ("times_are_of_one_match", changed(t.PlayerMatchStats, **{name: pl.col(name) + 1.1}))
        for name in (
            "time_supersonic_s", "time_boost_speed_s", "time_slow_s", "time_ground_s", "time_low_air_s",
            "time_high_air_s", "time_defensive_third_s", "time_neutral_third_s", "time_offensive_third_s",
            "time_defensive_half_s", "time_offensive_half_s",
        )
    ),
    ("everybody_who_played_has_features", without(t.PlayerMatchFeatures)),
    ("everybody_who_played_has_features", doubled(t.PlayerMatchFeatures, player_id="epic_9")),
    ("everybody_who_played_has_features", changed(t.PlayerMatchFeatures, played_s=59.0)),
    ("everybody_who_played_has_features", no_soccar),
    *(
        ("shots_are_those_of_the_scoreboard", changed(t.Participants, pl.col("match_id") == MATCH, **values))
        for values in ({"shots": 3}, {"shots": 0}, {"goals": 2}, {"goals": 0}, {"saves": 0})
    ),
    ("shots_are_those_of_the_scoreboard", without(t.ShotsAndSaves, pl.col("outcome") == "saved")),
    ("shots_are_those_of_the_scoreboard", changed(t.ShotsAndSaves, pl.col("is_counted"), is_counted=False)),
    ("shots_are_those_of_the_scoreboard", changed(t.ShotsAndSaves, GOAL, outcome="missed")),
    ("shots_are_those_of_the_scoreboard", changed(t.ShotsAndSaves, GOAL & ~pl.col("is_counted"), player_id=ANN)),
    ("shots_are_those_of_the_scoreboard", changed(t.ShotsAndSaves, pl.col("saver_id") == XAN, saver_id=YVE)),
    ("shots_are_those_of_the_scoreboard", without_shots),
    ("simulated_stays_simulated", changed(t.PlayerMatchFeatures, pl.col("is_simulated"), is_simulated=False)),
    ("simulated_stays_simulated", changed(t.PlayerMatchFeatures, ~pl.col("is_simulated"), is_simulated=True)),
    ("cohorts_are_of_players_who_are_there", changed(t.RankCohorts, players=5)),
    ("cohorts_are_of_players_who_are_there", changed(t.RankCohorts, playlist="ranked-duels")),
    ("no_model_serves_that_is_worse", changed(t.RankModels, SERVED, mean_error_tiers=2.0)),
    ("no_model_serves_that_is_worse", changed(t.RankModels, SERVED, majority_mean_error_tiers=1.0)),
    ("no_model_serves_that_is_worse", changed(t.RankModels, SERVED, mean_error_tiers=None)),
    ("no_model_serves_that_is_worse", changed(t.RankModels, SERVED, compared_mean_error_tiers=1.2)),
    ("one_model_serves", changed(t.RankModels, pl.col("state") == "superseded", state="served")),
    *(
        ("percentiles_are_within_their_intervals", changed(t.Weaknesses, MEASURED, **values))
        for values in (
            {"percentile": 61.0}, {"percentile": 19.0}, {"percentile": None}, {"percentile_low": None},
            {"state": "refused", "reason": "Too few."}, {"state": "refused", "percentile": None},
        )
    ),
    ("only_who_agreed_has_rows", without(t.TrackedPlayers)),
    ("only_who_agreed_has_rows", changed(t.PlayerStats, player_id=XAN)),
]  # fmt: skip


# --------------------------------------------------------------------------- tests


class TestChecks(ChecksOfAGame):
    checks, violations, game = CHECKS, VIOLATIONS, staticmethod(game)


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("goals_are_in_the_score", changed(t.Participants, goals=None)),
        ("goals_are_in_the_score", changed(t.MatchFacts, blue_score=None)),
        # In private matches people change teams and take their goals along, and somebody sets the score.
        *(
            ("goals_are_in_the_score", changed(t.MatchFacts, orange_score=0, playlist=playlist))
            for playlist in ("private", "offline", "unknown", "playlist-99")
        ),
        ("scoreboards_agree", changed(t.RawPlayerStats, REPLAY, goals=None)),
        # Who left is on no scoreboard; and a save need not be of a shot.
        ("shots_are_those_of_the_scoreboard", changed(t.Participants, shots=None, goals=None, saves=None)),
        ("shots_are_those_of_the_scoreboard", changed(t.Participants, saves=2)),
        ("replays_agree_with_ballchasing", changed(t.PlayerMatchStats, REPLAY, avg_speed_uu_s=1500 * 1.029)),
        # Of short times a share says little.
        ("replays_agree_with_ballchasing", changed(t.PlayerMatchStats, time_supersonic_s=4.0)),
        ("times_are_of_one_match", changed(t.PlayerMatchStats, time_ground_s=None)),
        ("no_model_serves_that_is_worse", changed(t.RankModels, SERVED, served_mean_error_tiers=None)),
        ("one_model_serves", changed(t.RankModels, pl.col("state") == "superseded", state="refused")),
    ],
)
def test_what_is_no_violation(name: str, plant: Callable[[Frames], Planted], sound: Frames) -> None:
    assert breaking(BY_NAME[name], {**sound, **plant(sound)}).to_dicts() == []


def test_who_was_there_for_less_than_a_minute_by_one_of_two_sources_is_not_missed(sound: Frames) -> None:
    short = changed(t.PlayerMatchStats, REPLAY, counted_s=59.9)(sound)
    features = sound[t.PlayerMatchFeatures].filter(~((pl.col("player_id") == ANN) & (pl.col("match_id") == MATCH)))
    assert features.height == sound[t.PlayerMatchFeatures].height - 1
    check = BY_NAME["everybody_who_played_has_features"]
    assert breaking(check, {**sound, **short, t.PlayerMatchFeatures: features}).is_empty()


def test_a_wall_that_bulges_here_and_there_is_none_of_it(sound: Frames) -> None:
    few = sound[t.ReplayFrames].with_columns(y_uu=pl.when(pl.col("frame") < 20).then(6200).otherwise("y_uu"))
    check = BY_NAME["cars_are_on_the_field"]
    assert breaking(check, {**sound, t.ReplayFrames: few.cast(sound[t.ReplayFrames].schema)}).is_empty()  # type: ignore[arg-type]
    # Nor is another field.
    hoops = sound[t.RawReplays].with_columns(map_code=pl.lit("hoopsstadium_p"))
    assert breaking(check, {**sound, **far_out(sound), t.RawReplays: hoops}).is_empty()


def of_real(realdata: Path, *names: str) -> dict[str, list[Any]]:
    known = real_files.silver(realdata, *names)
    looked = [check for check in checks.ALL if known.keys() >= set(check.inputs.values())]
    assert len(looked) > 12
    return {check.name: found for check in looked if (found := breaking(check, known).to_dicts())}


def test_real_pairs_break_no_check(realdata: Path) -> None:
    assert of_real(realdata, *real_files.PAIRS) == {}


def test_players_who_come_and_go_break_no_blocking_check(realdata: Path) -> None:
    broken = of_real(realdata, real_files.COME_AND_GO)
    assert {name: found for name, found in broken.items() if BY_NAME[name].blocking} == {}


@pytest.mark.parametrize(
    ("names", "uncounted"), [(real_files.PAIRS, 1), ((real_files.COME_AND_GO,), 1), ((real_files.DROPSHOT,), 1)]
)
def test_every_goal_of_a_header_has_one_row_and_scoreboards_agree(
    names: tuple[str, ...], uncounted: int, realdata: Path
) -> None:
    known = real_files.silver(realdata, *names)
    headers = [header_of(path.read_bytes()) for path in real_files.paths(realdata, *names) if path.suffix == ".replay"]
    goals = [(line["PlayerName"], ("blue", "orange")[line["PlayerTeam"]]) for each in headers for line in each["Goals"]]
    shots, players = known[t.ShotsAndSaves], known[t.Participants].select("match_id", "player_id", "player_name")
    scored = shots.filter(GOAL).join(players, on=["match_id", "player_id"]).select("player_name", "team")
    assert sorted(scored.rows()) == sorted(goals)
    board = [(line["Name"], line["Shots"]) for each in headers for line in each["PlayerStats"] if line["Shots"]]
    counted = shots.filter("is_counted").join(players, on=["match_id", "player_id"]).group_by("player_name").len()
    assert sorted(counted.rows()) == sorted(board)
    assert shots.filter(~pl.col("is_counted"))["outcome"].to_list() == ["goal"] * uncounted
    assert breaking(BY_NAME["shots_are_those_of_the_scoreboard"], known).to_dicts() == []
