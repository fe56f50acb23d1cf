"""Training: progress against plain Python and planted effects, and what recommendations promise."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.training import (
    difficulties_of_tier,
    training_progress,
    training_recommendations,
)
from gamestats_assets.rocket_league.analysis.training_packs import training_packs
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets_tests.rocket_league.support.building import (
    PLAYER,
    START,
    Row,
    cohort,
    make,
    match_id,
    played,
    rows,
)

OTHER = "epic_0123456789abcdef0123456789abcdef"
DAY = timedelta(days=1)
Z90 = 1.6448536269514722


# --------------------------------------------------------------------------- progress

SHARE, SPREAD = 0.6, 0.08
"""Mean and standard deviation of the time goal-side of the ball in the planted cohorts."""
WITHIN = 0.9


def positioning(tier: int = 16, **given: Any) -> list[Row]:
    """A cohort in which positioning is known by the time goal-side of the ball alone."""
    numbers = [SHARE - SPREAD, SHARE, SHARE + SPREAD]
    return [
        cohort("behind_ball_share", numbers, tier, mean=SHARE, match_spread=SPREAD, **given),
        cohort("skill_positioning", [-1.0, 0.0, 1.0], tier, within_spread=WITHIN, **given),
    ]


def frames_of(
    features: list[Row], sessions: list[Row], cohorts: list[Row] | None = None, players: Iterable[str] = (PLAYER,)
) -> dict[Any, pl.DataFrame]:
    return {
        t.TrackedPlayers: rows(t.TrackedPlayers, *({"player_id": each} for each in players)),
        t.PlayerMatchFeatures: rows(t.PlayerMatchFeatures, *features),
        t.TrainingSessions: rows(t.TrainingSessions, *sessions),
        t.RankCohorts: rows(t.RankCohorts, *(positioning() if cohorts is None else cohorts)),
    }


def progress(*given: Any, **named: Any) -> list[Row]:
    return make(training_progress, frames_of(*given, **named)).to_dicts()


def session(day: float, skill: str = "positioning", **given: Any) -> Row:
    return {"skill": skill, "completed_at": START + day * DAY, "duration_s": 1_800} | given


def test_progress_is_what_a_plain_reading_gives() -> None:
    rng = np.random.default_rng(2)
    before, since = rng.normal(0.55, 0.05, 8), rng.normal(0.65, 0.05, 13)
    features = [
        *played(8, rank_tier=16, behind_ball_share=before),
        *played(13, day=2, rank_tier=16, behind_ball_share=since),
        *played(3, day=4, rank_tier=16),
    ]
    counted = [(10, 2), (20, 5), (0, 0), (10, 5), (None, None), (30, 20), (5, 4), (25, 20), (12, 9)]
    sessions = [session(1 + number, attempts=tried, successes=done) for number, (tried, done) in enumerate(counted)]
    (row,) = progress(features, sessions)
    assert (row["sessions"], row["trained_s"]) == (9, 9 * 1_800)
    assert (row["attempts"], row["success_share"]) == (112, pytest.approx(65 / 112))
    # Seven sessions have attempts: a third of them are two.
    assert row["improvement_score"] == pytest.approx((20 + 9) / (25 + 12) - (2 + 5) / (10 + 20))
    assert (row["first_session_at"], row["last_session_at"]) == (START + DAY, START + 9 * DAY)
    assert (row["state"], row["reason"], row["matches_before"], row["matches_since"]) == ("measured", None, 8, 13)
    skill_before = sum((each - SHARE) / SPREAD for each in before) / 8
    skill_since = sum((each - SHARE) / SPREAD for each in since) / 13
    half = Z90 * WITHIN * math.sqrt(1 / 8 + 1 / 13)
    assert [row[name] for name in ("skill_before", "skill_since", "change", "change_low", "change_high")] == (
        pytest.approx(
            [
                skill_before,
                skill_since,
                skill_since - skill_before,
                skill_since - skill_before - half,
                skill_since - skill_before + half,
            ]
        )
    )
    assert row["has_helped"] is True


def test_a_match_that_begins_as_the_first_session_ends_is_one_since() -> None:
    features = played(20, rank_tier=16, behind_ball_share=0.6)
    (row,) = progress(features, [session(0, completed_at=features[7]["started_at"])])
    assert (row["matches_before"], row["matches_since"]) == (7, 13)


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ([(10, 1), (10, 9)], None),
        ([(10, 1), (10, 5), (10, 9)], 0.8),
        ([(10, 1), (10, 9), (10, 1), (10, 9), (10, 2)], 0.1),
        ([(10, 0), (30, 6), (1, 1), (1, 1), (10, 2), (30, 24)], 26 / 40 - 6 / 40),
    ],
)
def test_the_improvement_score_is_the_last_third_of_sessions_less_the_first(counted: Any, expected: Any) -> None:
    sessions = [session(day, attempts=tried, successes=done) for day, (tried, done) in enumerate(counted)]
    random.Random(1).shuffle(sessions)
    (row,) = progress(played(1, rank_tier=16), sessions)
    assert row["improvement_score"] == (None if expected is None else pytest.approx(expected))


def test_sessions_without_attempts_have_no_share() -> None:
    (row,) = progress(played(1), [session(0), session(1, attempts=5), session(2, attempts=0, successes=0)])
    assert (row["sessions"], row["attempts"], row["success_share"], row["improvement_score"]) == (3, None, None, None)


GOAL_SIDE: Row = {"rank_tier": 16, "behind_ball_share": 0.6, "role_imbalance": 0.1}
DUEL: Row = {**GOAL_SIDE, "playlist": "ranked-duels", "team_size": 1}


@pytest.mark.parametrize(
    ("before", "since", "of_match", "skill", "cohorts", "reason"),
    [
        *(
            (
                *(before, since, GOAL_SIDE, "positioning", positioning()),
                f"Matches with positioning: {before} {matches} before the first session and {since} since; 5 on either "
                "side are needed.",
            )
            for before, since, matches in ((4, 30, "matches"), (30, 4, "matches"), (30, 0, "matches"), (1, 1, "match"))
        ),
        (
            *(9, 9, {**GOAL_SIDE, "rank_tier": None}, "positioning", positioning()),
            "No rank in Ranked doubles is known, so there is no one to compare with.",
        ),
        (
            *(9, 9, {**GOAL_SIDE, "rank_tier": 17}, "positioning", positioning()),
            "There is no cohort of Champion II in Ranked doubles to measure positioning against.",
        ),
        (
            *(9, 9, DUEL, "rotation", positioning(playlist="ranked-duels")),
            "A duel has no team mates, so there is no rotation in it.",
        ),
        (
            *(9, 9, GOAL_SIDE, "positioning", [row | {"within_spread": None} for row in positioning()]),
            "There is no cohort of Champion I in Ranked doubles to measure positioning against.",
        ),
    ],
)
def test_a_change_is_refused_with_the_reason(
    before: int, since: int, of_match: Row, skill: str, cohorts: list[Row], reason: str
) -> None:
    features = [*played(before, **of_match), *played(since, day=3, **of_match)]
    (row,) = progress(features, [session(2, skill)], cohorts)
    assert (row["state"], row["reason"]) == ("refused", reason)
    figures = ("skill_before", "skill_since", "change", "change_low", "change_high", "has_helped")
    assert [row[name] for name in figures] == [None] * 6


def test_rows_are_of_playlists_with_matches_and_skills_with_sessions() -> None:
    features = [
        *played(2, rank_tier=16),
        *played(1, day=1, playlist="ranked-duels", team_size=1),
        *played(1, day=2, is_simulated=True),
        *played(1, day=3, playlist="hoops", player_id=OTHER),
    ]
    sessions = [session(0), session(1, "saves"), session(2, "dribbling"), session(0, player_id=OTHER)]
    made = {
        (row["player_id"], row["is_simulated"], row["playlist"], row["skill"]) for row in progress(features, sessions)
    }
    assert made == {
        (PLAYER, simulated, playlist, skill)
        for simulated, playlist in ((False, "ranked-doubles"), (False, "ranked-duels"), (True, "ranked-doubles"))
        for skill in ("positioning", "saves")
    }


def test_matches_from_before_they_are_kept_count_for_nothing() -> None:
    features = [
        *played(6, day=-100, rank_tier=16, behind_ball_share=0.1),
        *played(6, rank_tier=16, behind_ball_share=0.6),
        *played(6, day=3, rank_tier=16, behind_ball_share=0.6),
    ]
    known = frames_of(features, [session(2)])
    known[t.TrackedPlayers] = rows(t.TrackedPlayers, {"kept_from": START.date() - 9 * DAY})
    (row,) = make(training_progress, known).to_dicts()
    assert (row["matches_before"], row["change"]) == (6, pytest.approx(0.0))


def planted(players: int, effect: float, seed: int) -> pl.DataFrame:
    """Progress of many players whose skill is better by `effect` from their first session on, and noise."""
    rng = np.random.default_rng(seed)
    ids = [f"steam_{number}" for number in range(players)]
    matches = []
    for number, player in enumerate(ids):
        level, first = rng.normal(0, 0.4), int(rng.integers(5, 40))
        count = first + int(rng.integers(5, 40))
        skill = level + rng.normal(0, WITHIN, count) + effect * (np.arange(count) >= first)
        matches.append(
            pl.DataFrame(
                {
                    "player_id": player,
                    "match_id": [match_id(100 * number + each) for each in range(count)],
                    "started_at": [START + timedelta(hours=each - first) for each in range(count)],
                    "behind_ball_share": SHARE + SPREAD * skill,
                }
            )
        )
    columns = rows(t.PlayerMatchFeatures, {"rank_tier": 16})
    known = frames_of([], [session(0, player_id=player) for player in ids], players=ids)
    known[t.PlayerMatchFeatures] = pl.concat(matches).join(
        columns.drop("player_id", "match_id", "started_at", "behind_ball_share"), how="cross"
    ).select(pl.col(columns.columns)).cast(columns.schema)  # fmt: skip
    made = make(training_progress, known)
    assert made.height == players
    return made


@pytest.mark.parametrize("effect", [0.0, 0.7])
def test_the_interval_holds_the_planted_effect_in_nine_of_ten_players(effect: float) -> None:
    made = planted(1_500, effect, seed=4)
    error = made.get_column("change").to_numpy() - effect
    held = made.select(pl.lit(effect).is_between(pl.col("change_low"), pl.col("change_high")).mean()).item()
    assert held == pytest.approx(0.9, abs=3.5 * math.sqrt(0.09 / 1_500))
    assert error.mean() == pytest.approx(0, abs=4 * float(error.std()) / math.sqrt(1_500))
    # How often it is found, by the formula of the power of this test.
    half = made.select(pl.col("change") - pl.col("change_low")).to_series().to_numpy()
    power = np.mean([0.5 * math.erfc((Z90 - effect / (each / Z90)) / math.sqrt(2)) for each in half])
    helped = made.get_column("has_helped").mean()
    assert helped == pytest.approx(power, abs=3.5 * math.sqrt(power * (1 - power) / 1_500))
    if not effect:
        assert power == pytest.approx(0.05)


# --------------------------------------------------------------------------- recommendations

MIDDLES = [1] * 3 + [2] * 3 + [3] * 3 + [5] * 3 + [6] * 3 + [8] * 3 + [9] * 3 + [10]
"""Difficulty of packs for each rank, Bronze I first."""


def window(tier: int, steps: int = 0) -> range:
    """The difficulties that suit a rank, read off the table above."""
    middle = min(max(MIDDLES[tier - 1] + steps, 1), 10)
    return range(max(middle - 1, 1), min(middle + 1, 10) + 1)


def code(number: int) -> str:
    text = f"{number:016X}"
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def pack(number: int, category: str, difficulty: int) -> Row:
    return {"code": code(number), "name": f"Pack {number}", "category": category, "difficulty": difficulty}


def weak(skill: str, percentile: float | None = 30.0, **given: Any) -> Row:
    refused = {"state": "refused", "reason": "Too few."} if percentile is None else {}
    row = {"skill": skill, "percentile": percentile, "rank_tier": 16, "is_weakness": False, "evidence": f"Of {skill}."}
    return row | {"percentile_low": 1.0, "percentile_high": 80.0, "matches": 30} | refused | given


FULL = [
    pack(100 * place + 10 * difficulty + copy, skill, difficulty)
    for place, skill in enumerate(SKILLS)
    for difficulty in range(1, 11)
    for copy in range(4)
]
"""Four packs of every skill and difficulty."""


def recommended(
    weaknesses: list[Row], packs: list[Row] | None = None, sessions: Iterable[Row] = (), known: Iterable[Row] = ()
) -> list[Row]:
    players = {row.get("player_id", PLAYER) for row in weaknesses} - {"steam_untracked"}
    frames = {
        t.TrackedPlayers: rows(t.TrackedPlayers, *({"player_id": each} for each in players)),
        t.Weaknesses: rows(t.Weaknesses, *weaknesses),
        t.TrainingPacks: rows(t.TrainingPacks, *(FULL if packs is None else packs)),
        t.TrainingSessions: rows(t.TrainingSessions, *sessions),
        t.TrainingProgress: rows(t.TrainingProgress, *known),
    }
    return make(training_recommendations, frames).sort("player_id", "is_simulated", "rank").to_dicts()


def test_difficulties_are_those_of_the_rank() -> None:
    for tier in range(1, 23):
        for steps in (-1, 0, 1):
            low, high = difficulties_of_tier(tier, steps)
            assert [*range(low, high + 1)] == [*window(tier, steps)], (tier, steps)


@pytest.mark.parametrize(
    ("weaknesses", "skills"),
    [
        # The worst weakness gets two packs of three, and the second the third.
        (
            [
                weak("aerials", 4.0, is_weakness=True, improvement_potential=0.3),
                weak("saves", 9.0, is_weakness=True, improvement_potential=1.2),
                weak("shooting", 1.0),
                weak("rotation", 2.0, is_weakness=True),
            ],
            ["saves", "saves", "aerials"] * 3 + ["saves"],
        ),
        # Of weaknesses that promise the same the lower percentile comes first.
        *(
            (
                [weak(skill, percentile, is_weakness=True, improvement_potential=potential)
                 for skill, percentile in (("aerials", 7.0), ("saves", 3.0))],
                ["saves", "saves", "aerials"],
            )
            for potential in (None, 0.0, 0.4)
        ),
        # A weakness comes before what is none, whatever that promises.
        (
            [weak("aerials", 1.0, improvement_potential=2.0), weak("saves", 9.0, is_weakness=True)],
            ["saves", "saves", "aerials"],
        ),
        # Where nothing is a weakness the lowest are trained.
        (
            [weak("aerials", 55.0, improvement_potential=3.0), weak("saves", 40.0), weak("rotation")],
            ["rotation", "rotation", "saves"],
        ),
    ],
)  # fmt: skip
def test_the_worst_skill_gets_two_packs_of_three(weaknesses: list[Row], skills: list[str]) -> None:
    made = recommended(weaknesses)
    assert [row["skill"] for row in made[: len(skills)]] == skills
    assert [row["rank"] for row in made] == [*range(1, 11)]
    assert {row["difficulty"] for row in made} <= {7, 8, 9}
    assert made[0]["difficulty"] == 8, "the middle of the window comes first"
    says_so = [row["reason"].startswith("No skill is a weakness, so this trains the lowest: ") for row in made]
    assert says_so == [not any(row["is_weakness"] for row in weaknesses)] * 10


def test_the_second_skill_is_another_one_even_from_another_playlist() -> None:
    made = recommended(
        [
            weak("saves", 3.0, is_weakness=True, rank_tier=4),
            weak("saves", 5.0, is_weakness=True, playlist="ranked-duels", rank_tier=7),
            weak("shooting", 40.0, playlist="ranked-duels", rank_tier=7),
        ]
    )
    assert [(row["skill"], row["playlist"]) for row in made[:3]] == [
        ("saves", "ranked-doubles"),
        ("saves", "ranked-doubles"),
        ("shooting", "ranked-duels"),
    ]
    assert all(row["difficulty"] in window(4 if row["skill"] == "saves" else 7) for row in made)
    assert made[2]["reason"].startswith(
        "Not a weakness, but the lowest skill after saves: shooting, in which 40% of players "
    )


def test_without_a_measured_skill_nothing_is_recommended() -> None:
    assert recommended([weak(skill, None) for skill in SKILLS]) == []
    assert recommended([]) == []
    assert recommended([weak("saves", player_id="steam_untracked"), weak("saves", None)]) == []
    made = recommended([weak("saves", 50.0), *(weak(skill, None) for skill in SKILLS if skill != "saves")])
    assert {row["skill"] for row in made} == {"saves"}


def done(number: int, day: float, tried: int | None = None, succeeded: int | None = None, **given: Any) -> Row:
    return session(day, "saves", code=code(number), attempts=tried, successes=succeeded) | given


def test_packs_never_trained_come_first_then_those_trained_longest_ago() -> None:
    packs = [pack(number, "saves", 8) for number in range(1, 7)]
    sessions = [done(1, 5), done(2, 3), done(3, 1), done(3, 9), done(4, 4), done(9, 0), session(0, "saves")]
    sessions += [done(5, 8, player_id=OTHER)]
    made = recommended([weak("saves")], packs, sessions)
    assert [(row["code"], row["times_trained"]) for row in made] == [
        (code(5), 0), (code(6), 0), (code(2), 1), (code(4), 1), (code(1), 1), (code(3), 2),
    ]  # fmt: skip
    assert made[0]["reason"].endswith("It is new to you.")
    assert made[2]["reason"].endswith("You trained it once, last on 17 Mar 2026.")
    assert made[5]["reason"].endswith("You trained it 2 times, last on 23 Mar 2026.")


@pytest.mark.parametrize(
    ("tried", "succeeded", "steps"),
    [(20, 17, 1), (20, 16, 0), (20, 6, 0), (20, 5, -1), (19, 19, 0), (19, 0, 0), (None, None, 0), (40, None, 0)],
)
def test_success_in_packs_that_suit_the_rank_moves_the_difficulty(tried: Any, succeeded: Any, steps: int) -> None:
    in_window = next(each for each in FULL if each["category"] == "saves" and each["difficulty"] == 8)
    number = int(in_window["code"].replace("-", ""), 16)
    made = recommended([weak("saves")], sessions=[done(number, 0, tried, succeeded)])
    assert {row["difficulty"] for row in made} <= {*window(16, steps)}
    assert made[0]["difficulty"] == 8 + steps
    share = f"{succeeded / tried:.0%} of {tried} attempts" if steps else "attempts"
    assert all((share in row["reason"]) is bool(steps) for row in made)


@pytest.mark.parametrize(("tier", "difficulty", "succeeded"), [(22, 10, 20), (1, 1, 0)])
def test_at_the_ends_of_the_scale_the_difficulty_stays(tier: int, difficulty: int, succeeded: int) -> None:
    packs = [pack(number, "saves", difficulty) for number in range(3)]
    for row in recommended([weak("saves", rank_tier=tier)], packs, [done(1, 0, 20, succeeded)]):
        assert f"Its difficulty of {difficulty} is right for " in row["reason"]


def test_success_in_packs_of_another_difficulty_or_skill_moves_nothing() -> None:
    for other in (pack(1, "saves", 3), pack(1, "aerials", 8)):
        made = recommended([weak("saves")], [*FULL, other], [done(1, 0, 100, 99)])
        assert made[0]["difficulty"] == 8


def test_without_a_pack_that_suits_the_nearest_stand_in() -> None:
    packs = [pack(1, "saves", 3), pack(2, "saves", 5), pack(3, "saves", 5), pack(4, "shooting", 8)]
    made = recommended([weak("saves")], packs)
    assert [row["code"] for row in made] == [code(2), code(3)]
    assert "Its difficulty of 5 is the nearest available to 7 to 9." in made[0]["reason"]


def test_one_skill_fills_the_places_that_the_other_leaves() -> None:
    packs = [pack(1, "saves", 8), *(pack(number, "shooting", 8) for number in range(2, 20))]
    made = recommended([weak("saves", 2.0, is_weakness=True), weak("shooting", 20.0)], packs)
    assert [row["skill"] for row in made] == ["saves"] + ["shooting"] * 9


def test_the_reason_says_what_is_weak_and_what_training_has_shown() -> None:
    given = {"is_weakness": True, "improvement_potential": 0.84, "percentile_low": 2.2, "percentile_high": 17.6}
    trained = {"skill": "saves", "sessions": 4, "trained_s": 5_400.0, "has_helped": True}
    (row, *_) = recommended([weak("saves", 7.7, **given)], known=[trained])
    assert row["reason"] == (
        "A weakness: saves, in which 8% of players at Champion I in Ranked doubles are worse "
        "(90% interval: 2% to 18%). "
        "Of saves. Reaching the middle of them in saves would be worth 0.8 ranks. "
        "Matches since the first of 4 sessions of saves (1.5 hours) show a gain. "
        "Its difficulty of 8 is right for Champion I. It is new to you."
    )
    (row, *_) = recommended([weak("saves", 7.7, **given)], known=[trained | {"has_helped": False, "sessions": 1}])
    assert "Matches since the session of saves (1.5 hours) show no gain beyond chance." in row["reason"]
    (row, *_) = recommended([weak("saves", 0.02, percentile_low=0.0, percentile_high=99.5)])
    assert "saves, in which less than 1% of players" in row["reason"]
    assert "(90% interval: less than 1% to more than 99%)" in row["reason"]
    (row, *_) = recommended(
        [weak("saves", 7.7, evidence=None, **given)], known=[trained | {"playlist": "ranked-duels"}]
    )
    assert "Matches since" not in row["reason"]
    assert "(90% interval: 2% to 18%). Reaching the middle" in row["reason"]


@pytest.mark.parametrize("tier", [1, 8, 16, 22])
def test_the_catalogue_has_packs_for_every_rank(tier: int) -> None:
    packs = training_packs().to_dicts()
    for skill in SKILLS:
        other = next(each for each in SKILLS if each != skill)
        made = recommended([weak(skill, 1.0, rank_tier=tier), weak(other, 2.0, rank_tier=tier)], packs)
        assert len(made) >= 3
        inside = {each: {row["code"] for row in packs if row["category"] == each and row["difficulty"] in window(tier)}
                  for each in (skill, other)}  # fmt: skip
        assert all(row["code"] in inside[row["skill"]] for row in made if inside[row["skill"]])
