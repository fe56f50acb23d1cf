"""Weaknesses beside planted truths: intervals, false finds, power, words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from statistics import NormalDist, variance
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from gamestats_assets.rocket_league.analysis.cohorts import player_profiles, rank_cohorts
from gamestats_assets.rocket_league.analysis.rank_models import predicted_tier
from gamestats_assets.rocket_league.analysis.skills import SKILL_FEATURES, match_skills
from gamestats_assets.rocket_league.analysis.weaknesses import weaknesses
from gamestats_assets.rocket_league.tables import (
    PlayerMatchFeatures,
    PlayerProfiles,
    RankCohorts,
    RankModels,
    RlRanks,
    TrackedPlayers,
    Weaknesses,
)
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets_tests.rocket_league.support.building import given_ranks, make, rows, tracked
from gamestats_assets_tests.rocket_league.support.planted import FIRST, MEANS, played, player_id, truths

Row = dict[str, Any]
OTHERS = 100_000
"""Number of the first tracked player, who is in no cohort: ballchasing knows no rank."""
# Features of skills, and those of them of which less is better.
USED = [name for name in MEANS if name not in ("avg_speed_uu_s", "boost_per_minute")]
LESS = {"goals_against_per_minute", "last_defender_conceded_share", "role_imbalance"}
# Features that ballchasing's JSON does not have.
OF_REPLAYS = (
    "aerial_touches_per_minute",
    "aerial_success_share",
    "rotation_efficiency",
    "double_commits_per_minute",
    "avg_shot_speed_uu_s",
)
OF_SKILL = {skill: [name for name, _ in of if name in USED] for skill, of in SKILL_FEATURES.items()}
NORMAL = NormalDist()


def case(*parts: pl.DataFrame, ids: Sequence[str] = (player_id(0),), **tables: pl.DataFrame) -> dict[Any, pl.DataFrame]:
    """What weaknesses are made from; every match is known to the cohorts, whoever is tracked."""
    frames: dict[Any, pl.DataFrame] = {PlayerMatchFeatures: pl.concat(parts), TrackedPlayers: tracked(*ids)}
    frames |= {RankCohorts: make(rank_cohorts, frames), PlayerProfiles: make(player_profiles, frames)}
    by_name = {table.__name__: table for table in (TrackedPlayers, RlRanks, RankModels)}
    return frames | {by_name[name]: frame for name, frame in tables.items()}


def against_cohorts(
    seed: int,
    *,
    cohorts: int,
    players: int,
    cohort_matches: Any,
    each: int,
    matches: Any,
    names: Sequence[str] = USED,
    true: float | None = None,
    noise: float = 3.0,
    has_replays: pl.Expr | None = None,
) -> tuple[pl.DataFrame, dict[str, np.ndarray]]:
    """The weaknesses of tracked players, so many for each cohort, and their true values.

    Args:
        cohorts: playlists with a cohort of so many `players`, who have so many matches each.
        each: tracked players in each of these, with so many `matches`.
        true: how good they are in each feature, in standard deviations; drawn as the cohort's are where it is None.
        noise: as in `played`.
        has_replays: in which matches `OF_REPLAYS` are known.
    """
    rng = np.random.default_rng(seed)
    playlists = np.array([f"playlist-{number:03}" for number in range(cohorts)])
    in_cohorts = truths(rng, cohorts * players, names)
    known = played(rng, in_cohorts, cohort_matches, playlist=np.repeat(playlists, players), noise=noise)
    values = truths(rng, cohorts * each, names)
    if true is not None:
        values = {name: np.full(cohorts * each, -true if name in LESS else true) for name in names}
    own = played(rng, values, matches, playlist=np.repeat(playlists, each), tier=None, first=OTHERS, noise=noise)
    if has_replays is not None:
        known, own = (
            frame.with_columns(pl.when(has_replays).then(name).alias(name) for name in OF_REPLAYS)
            for frame in (known, own)
        )
    ids = [player_id(OTHERS + number) for number in range(cohorts * each)]
    ranks = given_ranks(*((player, str(playlists[at // each]), 16, FIRST) for at, player in enumerate(ids)))
    found = make(weaknesses, case(known, own, ids=ids, RlRanks=ranks))
    assert found.height == cohorts * each * len(SKILLS)
    return found.sort("player_id"), values


def true_scores(skill: str, values: dict[str, np.ndarray]) -> np.ndarray:
    """The true skill in standard deviations of the cohort: features are independent, and equally noisy."""
    names = [name for name in OF_SKILL[skill] if name in values]
    return sum(((-1 if name in LESS else 1) * values[name] for name in names), np.zeros(1)) / math.sqrt(len(names))


def error(probability: float, number: int) -> float:
    """Four standard errors of a share."""
    return 4 * math.sqrt(probability * (1 - probability) / number)


# --------------------------------------------------------------------------- chance


def share_with_a_weakness(found: pl.DataFrame) -> float:
    """The share of players who have a weakness in any skill."""
    of_player = found.group_by("player_id").agg(pl.col("is_weakness").fill_null(value=False).any())
    return float(np.mean(of_player.get_column("is_weakness").to_numpy()))


@pytest.mark.parametrize(("players", "matches", "noise"), [(30, 5, 2.0), (80, 100, 0.3)])
def test_an_average_player_has_a_weakness_in_one_case_of_twenty_at_most(
    players: int, matches: int, noise: float
) -> None:
    # Many small cohorts, for all who are measured by one share its errors.
    found, _ = against_cohorts(
        11, cohorts=60, players=players, cohort_matches=4, each=10, matches=matches, true=0.0, noise=noise
    )
    refused = found.filter(state="refused").get_column("reason")
    assert refused.str.contains("no more than matches of one player do by chance").all()
    assert len(refused) < 0.3 * found.height
    share = share_with_a_weakness(found)
    assert share <= 0.05
    if matches > 20 * noise**2:
        # It is not kept by never finding anything.
        assert share > 0.01


def test_an_average_player_has_no_more_weaknesses_where_replays_and_json_mix() -> None:
    # Of most of the cohort, and of none who is asked about, a replay is known.
    number = pl.col("player_id").str.slice(-6).cast(pl.Int32)
    found, _ = against_cohorts(
        18, cohorts=30, players=60, cohort_matches=20, each=20, matches=60, names=[*USED, *OF_REPLAYS], true=0.0,
        has_replays=(number < OTHERS) & (number % 10 > 0),
    )  # fmt: skip
    assert set(found.get_column("state")) == {"measured"}
    assert 0.002 < share_with_a_weakness(found) <= 0.05


# --------------------------------------------------------------------------- intervals


@pytest.mark.parametrize(("cohorts", "players", "cohort_matches", "matches"), [(4, 400, 12, 5), (40, 50, 40, 100)])
def test_intervals_hold_the_truth_in_nine_of_ten(cohorts: int, players: int, cohort_matches: int, matches: int) -> None:
    each = 1_600 // cohorts
    found, values = against_cohorts(
        13, cohorts=cohorts, players=players, cohort_matches=cohort_matches, each=each, matches=matches
    )
    held: list[bool] = []
    for skill in SKILLS:
        of_skill = found.filter(skill=skill)
        truth = [100 * NORMAL.cdf(score) for score in true_scores(skill, values)]
        ends = of_skill.select("percentile_low", "percentile_high").iter_rows()
        held += [low <= each <= high for (low, high), each in zip(ends, truth, strict=True)]
    assert len(held) == 8_000
    # Players of a cohort share its errors, so they tell less than so many apart.
    assert np.mean(held) == pytest.approx(0.9, abs=error(0.9, 2_500))


# --------------------------------------------------------------------------- one case, by the formulas


def measured(frames: dict[Any, pl.DataFrame]) -> dict[tuple[str, str, str], Row]:
    """Weaknesses by player, playlist and skill."""
    made = make(weaknesses, frames)
    assert made.select(Weaknesses.primary_key()).is_unique().all()
    return {(row["player_id"], row["playlist"], row["skill"]): row for row in made.iter_rows(named=True)}


def some(seed: int = 1, players: int = 40, matches: Any = 8, **fixed: Any) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return played(rng, truths(rng, players, USED), matches, **fixed)


DOUBLES = (player_id(0), "ranked-doubles")


def test_a_row_is_that_of_the_formulas() -> None:
    frames = case(some(matches=np.arange(40) % 13 + 1, noise=1.0), ids=[player_id(11)])
    found = measured(frames)
    cohorts = {
        row["feature"]: row for row in frames[RankCohorts].filter(pl.col("rank_tier") == 16).iter_rows(named=True)
    }
    skills = match_skills(
        *(frame.lazy() for frame in (frames[PlayerMatchFeatures], frames[RankCohorts], given_ranks()))
    ).filter(pl.col("player_id") == player_id(11))
    assert len(found) == 5
    for (_, _, skill), row in found.items():
        values = skills.filter(pl.col("skill") == skill).collect().get_column("value").to_list()
        of_cohort = cohorts[f"skill_{skill}"]
        n, players = len(values), of_cohort["players"]
        own, of_mean = of_cohort["within_spread"] ** 2 / n, of_cohort["mean_standard_error"] ** 2
        between = of_cohort["between_spread"] ** 2
        c = between / (between + own + of_mean)
        score = c * (sum(values) / n - of_cohort["mean"]) / math.sqrt(between)
        v = min(1.0, (players * of_mean / between) ** 2 / (2 * (players - 1)))
        reach = NORMAL.inv_cdf(0.95) * math.sqrt(1 - c + (score * (1 - 2 * c)) ** 2 * v)
        freedom = (own + of_mean) ** 2 / (own**2 / (of_cohort["matches"] - players) + of_mean**2 / (players - 1))
        # Whose matches differ more than those of the cohort is weak by these.
        share = between / (between + max(own, variance(values) / n) + of_mean)
        expected = {
            "matches": n,
            "rank_tier": 16,
            "cohort_players": 40,
            "score": score,
            "confidence": c,
            "percentile": 100 * NORMAL.cdf(score),
            "percentile_low": 100 * NORMAL.cdf(score - reach),
            "percentile_high": 100 * NORMAL.cdf(score + reach),
            "is_weakness": bool(share * (score / c) + stats.t.ppf(0.99, freedom) * math.sqrt(1 - share) < 0),
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected)
        assert (row["state"], row["reason"], row["improvement_potential"]) == ("measured", None, None)


def test_where_players_do_not_differ_nothing_is_said_of_anybody() -> None:
    rng = np.random.default_rng(17)
    same = {name: np.zeros(60) for name in USED}
    frames = case(played(rng, same, 12), ids=[player_id(number) for number in range(60)])
    between = frames[RankCohorts].filter(pl.col("feature").str.starts_with("skill_"))
    nothing = {
        row["feature"].removeprefix("skill_") for row in between.iter_rows(named=True) if row["between_spread"] == 0
    }
    assert nothing
    for (_, _, skill), row in measured(frames).items():
        if skill in nothing:
            assert (row["state"], row["score"], row["percentile"], row["is_weakness"]) == ("refused", None, None, None)
            assert row["reason"] == (
                "The 60 players of the cohort differ no more than matches of one player do by chance, so players "
                "cannot be placed among them."
            )


def test_matches_in_which_a_skill_is_unknown_do_not_count() -> None:
    features = some(matches=12)
    holes = pl.int_range(pl.len()).over("player_id") < 5
    without = features.with_columns(
        pl.when(~holes).then(name).alias(name) for name in ("save_share", "goals_against_per_minute")
    )
    found = measured(case(without))
    assert {skill: found[*DOUBLES, skill]["matches"] for skill in SKILLS} == dict.fromkeys(SKILLS, 12) | {"saves": 7}


def test_matches_before_they_are_kept_do_not_count() -> None:
    features = some(matches=60)
    frames = case(features, TrackedPlayers=tracked(player_id(0), kept_from=(FIRST + timedelta(days=1)).date()))
    later = features.filter((pl.col("player_id") == player_id(0)) & (pl.col("started_at") >= FIRST + timedelta(days=1)))
    assert 0 < later.height < 60
    for row in measured(frames).values():
        assert row["matches"] == later.height


# --------------------------------------------------------------------------- who, where, apart


def test_rows_are_of_tracked_players_in_every_playlist_they_played() -> None:
    frames = case(
        some(), some(2, playlist="ranked-standard", team_size=3), ids=[player_id(0), player_id(7), player_id(999)]
    )
    expected = {
        (player_id(number), playlist, skill)
        for number in (0, 7)
        for playlist in ("ranked-doubles", "ranked-standard")
        for skill in SKILLS
    }
    assert measured(frames).keys() == expected


# --------------------------------------------------------------------------- refusals


def test_a_refused_skill_says_why_and_nothing_else() -> None:
    duels = some(3, playlist="ranked-duels", team_size=1)
    unranked = some(4, playlist="ranked-hoops", tier=None)
    lonely = some(5, players=29, playlist="ranked-rumble")
    few = some(6, matches=np.r_[4, np.full(39, 8)], playlist="ranked-standard", team_size=3)
    found = measured(case(duels, unranked, lonely, few))
    reasons = {
        "ranked-hoops": (8, "No rank in Ranked hoops is known, neither from ballchasing nor from the player."),
        "ranked-rumble": (
            8,
            "Not enough players to compare with in Ranked rumble: 29 with figures at Champion I, 29 from Diamond II to "
            "Champion III; a cohort needs 30.",
        ),
        "ranked-standard": (4, "Not enough matches yet: 4 of 5 with figures."),
    }
    for playlist, (matches, reason) in reasons.items():
        for skill in SKILLS:
            row = found[player_id(0), playlist, skill]
            assert (row["state"], row["matches"], row["reason"]) == ("refused", matches, reason)
    rotation = found[player_id(0), "ranked-duels", "rotation"]
    assert (rotation["state"], rotation["reason"]) == ("refused", "A duel has no team mates.")
    refused = [row for row in found.values() if row["state"] == "refused"]
    assert len(refused) == 3 * 5 + 1
    unknown = ("score", "percentile", "percentile_low", "percentile_high", "confidence", "is_weakness")
    assert all(row[name] is None for row in refused for name in (*unknown, "improvement_potential", "evidence"))
    assert all(
        found[player_id(0), "ranked-duels", skill]["state"] == "measured" for skill in SKILLS if skill != "rotation"
    )


FIRST_TWENTY = pl.col("player_id").str.slice(-6).cast(pl.Int32) < 20


@pytest.mark.parametrize(
    ("tiers", "tier", "hide", "reason"),
    [
        ({3: 40}, 16, [], "0 with figures at Champion I, 0 from Diamond II to Champion III; a cohort needs 30."),
        (
            {16: 1, 18: 1, 19: 90},
            16,
            [],
            "1 with figures at Champion I, 2 from Diamond II to Champion III; a cohort needs 30.",
        ),
        # At the ends there are ranks on one side.
        (
            {20: 5, 21: 5, 22: 5},
            22,
            [],
            "5 with figures at Supersonic Legend, 15 from Grand Champion II to Supersonic Legend; a cohort needs 30.",
        ),
        # Of 50 there are 40 one rank above, 5 two above and 5 there: 1 on average.
        (
            {16: 5, 17: 40, 18: 5},
            16,
            [],
            "5 with figures at Champion I, 50 from Diamond II to Champion III; a cohort needs 30 with a mean rank "
            "at most 0.5 ranks off, and that of these 50 is 1.00 ranks above.",
        ),
        (
            {14: 20, 15: 10, 16: 8},
            16,
            [],
            "8 with figures at Champion I, 38 from Diamond II to Champion III; a cohort needs 30 with a mean rank "
            "at most 0.5 ranks off, and that of these 38 is 1.32 ranks below.",
        ),
        *(
            (
                {16: 40},
                16,
                hide,
                "40 with figures at Champion I, 40 from Diamond II to Champion III; a cohort needs 30 with the same "
                "figure, a mean rank at most 0.5 ranks off and matches that differ in the figure.",
            )
            for hide in (
                # Players who know different figures, and matches that do not differ.
                [pl.when(FIRST_TWENTY).then("save_share"), pl.when(~FIRST_TWENTY).then("goals_against_per_minute")],
                [pl.lit(0.25).alias("save_share"), pl.lit(0.5).alias("goals_against_per_minute")],
            )
        ),
    ],
)
def test_why_there_is_no_cohort_is_said_with_the_players_there_are(
    tiers: dict[int, int], tier: int, hide: Sequence[pl.Expr], reason: str
) -> None:
    ranks = [each for each, number in tiers.items() for _ in range(number)]
    rng = np.random.default_rng(10)
    others = played(rng, truths(rng, len(ranks), OF_SKILL["saves"]), 2, tier=ranks).with_columns(hide)
    row = asked_of_others(others, tier)["saves"]
    assert (row["state"], row["matches"]) == ("refused", 9)
    assert row["reason"] == f"Not enough players to compare with in Ranked doubles: {reason}"


def asked_of_others(others: pl.DataFrame, tier: int = 16) -> dict[str, Row]:
    """By skill, what is said of a player of nine matches who gave a rank, beside others."""
    own, player = some(9, players=1, matches=9, first=OTHERS, tier=None), player_id(OTHERS)
    frames = case(others, own, ids=[player], RlRanks=given_ranks((player, "ranked-doubles", tier, FIRST)))
    return {skill: row for (_, _, skill), row in measured(frames).items()}


def test_a_cohort_without_two_matches_of_a_player_says_nothing_of_chance() -> None:
    for row in asked_of_others(some(8, matches=1)).values():
        assert (row["state"], row["matches"]) == ("refused", 9)
        assert row["reason"] == "No player in the cohort has two matches, so there is no measure of chance."


# --------------------------------------------------------------------------- words


def test_the_evidence_is_the_players_own_figures_against_those_of_the_cohort() -> None:
    features = some(20, matches=42)
    own = pl.col("player_id") == player_id(0)
    features = features.with_columns(
        save_share=pl.when(own).then(0.18).otherwise("save_share"),
        goals_against_per_minute=pl.when(own).then(0.4).otherwise("goals_against_per_minute"),
    )
    frames = case(features)
    found = measured(frames)
    cohort = frames[RankCohorts].filter(feature="save_share", rank_tier=16).row(0, named=True)
    low, middle, high = (round(100 * cohort[name]) for name in ("p25", "mean", "p75"))
    row = found[*DOUBLES, "saves"]
    saves = (
        f"Saves 18% of shots against; players at Champion I save {middle}% (middle half: {low}% to {high}%), "
        "over 42 matches."
    )
    goals = frames[RankCohorts].filter(feature="goals_against_per_minute", rank_tier=16).row(0, named=True)
    fewer = f"Concedes 0.40 goals a minute with the team; players at Champion I concede {goals['mean']:.2f}"
    # Conceding less is better: that is what the score says in the end, or it is not.
    if row["score"] < 0:
        assert row["evidence"] == saves
    else:
        assert row["evidence"].startswith(fewer)
        assert "Saves" not in row["evidence"]


def test_every_feature_of_a_skill_has_words() -> None:
    rng = np.random.default_rng(21)
    tiers = np.r_[16, np.repeat([15, 16, 17], [14, 11, 14])]
    parts, asked = list[pl.DataFrame](), list[tuple[str, str]]()
    # In a playlist for each feature, the player is good at it, and nothing else is known.
    for skill, names in SKILL_FEATURES.items():
        for name, sign in names:
            better = truths(rng, 40, [name])
            better[name][0] = 4 * sign
            asked.append((f"playlist-{len(asked)}", skill))
            parts.append(played(rng, better, 12, tier=tiers, playlist=asked[-1][0]))
    found = measured(case(*parts))
    for playlist, skill in asked:
        row = found[player_id(0), playlist, skill]
        assert row["state"] == "measured"
        assert row["score"] > 0
        assert "; players from Diamond III to Champion II " in row["evidence"]
        assert row["evidence"].endswith("over 12 matches.")
        assert "{" not in row["evidence"]


@pytest.mark.parametrize(
    ("saved", "conceded", "words"),
    [(-6, -1, ["Saves "]), (-6, 5, ["Saves ", "Concedes "]), (2, -6, ["Concedes ", "Saves "])],
)
def test_figures_are_named_by_what_they_add_to_the_score(saved: float, conceded: float, words: list[str]) -> None:
    rng = np.random.default_rng(22)
    true = truths(rng, 60, OF_SKILL["saves"])
    true["save_share"][0], true["goals_against_per_minute"][0] = saved, conceded
    row = measured(case(played(rng, true, 100)))[*DOUBLES, "saves"]
    assert (row["score"] > 0) == (saved > 0)
    evidence = row["evidence"]
    assert sorted((word for word in ("Saves ", "Concedes ") if word in evidence), key=evidence.index) == words


# --------------------------------------------------------------------------- potential


def model(**coefficients: float) -> pl.DataFrame:
    """A model that serves ranked-doubles, with features in units of a tenth of their mean."""
    names = list(coefficients)
    return rows(
        RankModels,
        {
            "version": 1,
            "state": "served",
            "tiers": [14, 15, 16, 17, 18],
            "tier_means": [14.0, 15.0, 16.0, 17.0, 18.0],
            "tier_edges": [13.5, 14.5, 15.5, 16.5, 17.5, 18.5],
            "features": names,
            "means": [MEANS[name] for name in names],
            "spreads": [MEANS[name] / 10 for name in names],
            "coefficients": [coefficients[name] for name in names],
            "thresholds": [-3.0, -1.0, 1.0, 3.0],
        },
    )


def test_the_potential_is_what_the_model_gives_for_the_middle_of_the_cohort() -> None:
    serving = model(save_share=2.0, goals_against_per_minute=-1.5, shot_accuracy=1.0, avg_speed_uu_s=1.0)
    frames = case(some(23), ids=[player_id(number) for number in range(40)], RankModels=serving)
    found = measured(frames)
    features = frames[PlayerMatchFeatures]
    means = {
        row["player_id"]: row for row in features.group_by("player_id").agg(pl.col(USED).mean()).iter_rows(named=True)
    }
    middle = {row["feature"]: row["mean"] for row in frames[RankCohorts].filter(rank_tier=16).iter_rows(named=True)}
    row = serving.row(0, named=True)
    for (player, _, skill), weakness in found.items():
        own = {name: means[player][name] for name in USED}
        better = dict(own)
        if skill == "saves":
            better["save_share"] = max(own["save_share"], middle["save_share"])
            better["goals_against_per_minute"] = min(
                own["goals_against_per_minute"], middle["goals_against_per_minute"]
            )
        elif skill == "shooting":
            better["shot_accuracy"] = max(own["shot_accuracy"], middle["shot_accuracy"])
        else:
            assert weakness["improvement_potential"] is None
            continue
        expected = predicted_tier(row, better) - predicted_tier(row, own)
        assert weakness["improvement_potential"] == pytest.approx(expected, abs=1e-9)
        assert weakness["improvement_potential"] >= 0
    potentials = [row["improvement_potential"] for (_, _, skill), row in found.items() if skill == "saves"]
    assert min(potentials) == 0 < max(potentials)


@pytest.mark.parametrize(
    ("gain", "change", "potential"),
    [
        (-2.0, {}, 0.0),
        (2.0, {"is_simulated": True}, None),
        (2.0, {"playlist": "ranked-duels"}, None),
        (2.0, {"state": "refused"}, None),
    ],
)
def test_a_model_that_does_not_serve_or_finds_worse_better_promises_nothing(
    gain: float, change: Row, potential: float | None
) -> None:
    other = model(save_share=gain).with_columns(**{name: pl.lit(value) for name, value in change.items()})
    assert measured(case(some(24), RankModels=other))[*DOUBLES, "saves"]["improvement_potential"] == potential


def test_a_given_rank_chooses_the_cohort() -> None:
    features = pl.concat([some(25, tier=16), some(26, first=500, tier=18)])
    later = FIRST + timedelta(days=30)
    frames = case(features, RlRanks=given_ranks((player_id(0), "ranked-doubles", 18, later)))
    assert {row["rank_tier"] for row in measured(frames).values()} == {18}
    assert {row["rank_tier"] for row in measured(case(features)).values()} == {16}
