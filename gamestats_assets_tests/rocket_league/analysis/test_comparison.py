"""Comparison: who plays most like a player, and in what they differ, in words."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import date
from statistics import fmean
from typing import Any

import polars as pl
import pytest

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.comparison import difference_in_words, player_comparison
from gamestats_assets.rocket_league.analysis.rank_models import FEATURES
from gamestats_assets_tests.rocket_league.support import building
from gamestats_assets_tests.rocket_league.support import planted_ranks as planted
from gamestats_assets_tests.rocket_league.support.building import rows
from gamestats_assets_tests.rocket_league.support.planted_ranks import FIRST_DAY, PLAYLIST, SHAPES, world

Row = dict[str, Any]
TIER = 12


@pytest.fixture(scope="module")
def known() -> planted.World:
    """400 players, so that each rank has some."""
    return world(1, 400, matches=(4, 9))


def cohort(tiers: range = range(1, 23), **given: Any) -> pl.DataFrame:
    """RankCohorts with the planted spreads."""
    return rows(
        t.RankCohorts,
        *(
            {
                "rank_tier": tier, "feature": feature, "from_tier": tier, "to_tier": tier, "mean": mean,
                "between_spread": spread,
            }
            | given
            for tier in tiers
            for feature, (mean, spread) in SHAPES.items()
        ),
    )  # fmt: skip


def compare(
    features: pl.DataFrame,
    *players: str,
    cohorts: pl.DataFrame | None = None,
    ranks: pl.DataFrame | None = None,
    profiles: pl.DataFrame | None = None,
    tracked: pl.DataFrame | None = None,
    withheld: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The comparison of players."""
    frames: list[Any] = [
        building.tracked(*players) if tracked is None else tracked,
        features,
        planted.profiles_of(features) if profiles is None else profiles,
        cohort() if cohorts is None else cohorts,
        rows(t.RlRanks) if ranks is None else ranks,
        rows(t.Withheld) if withheld is None else withheld,
    ]
    made = player_comparison(*(frame.lazy() for frame in frames)).collect()
    return t.PlayerComparison.validate(made).sort("player_id", "is_simulated", "playlist", "of_next_rank", "place")


def someone(known: planted.World, tier: int = TIER) -> str:
    """The player of a rank with the most matches."""
    counts = known.features.filter(pl.col("rank_tier") == tier).group_by("player_id").len()
    return str(counts.sort("len", "player_id").item(-1, "player_id"))


def own_means(known: planted.World) -> dict[str, dict[str, float]]:
    """By player, the mean of each feature, in plain Python."""
    shown: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in known.features.iter_rows(named=True):
        for feature in SHAPES:
            shown[row["player_id"]][feature].append(row[feature])
    return {player: {name: fmean(values) for name, values in each.items()} for player, each in shown.items()}


def test_the_nearest_of_the_same_and_of_the_next_rank_are_named(known: planted.World) -> None:
    player = someone(known)
    means = own_means(known)
    matches = dict(known.features.group_by("player_id").len().iter_rows())
    tiers = dict(zip(known.players, known.tiers.tolist(), strict=True))

    def distance(other: str) -> float:
        return math.sqrt(fmean(((means[other][name] - means[player][name]) / SHAPES[name][1]) ** 2 for name in SHAPES))

    made = compare(known.features, player).to_dicts()
    for of_next in (False, True):
        others = [o for o in known.players if tiers[o] == TIER + of_next and matches[o] >= 5 and o != player]
        nearest = sorted(others, key=distance)[:5]
        named = [row for row in made if row["of_next_rank"] == of_next]
        assert len(others) > 5
        assert [row["other_player_id"] for row in named] == nearest
        assert [row["place"] for row in named] == [1, 2, 3, 4, 5]
        assert [row["distance"] for row in named] == pytest.approx([distance(other) for other in nearest])
        assert {row["other_rank_tier"] for row in named} == {TIER + of_next}
        assert [row["other_matches"] for row in named] == [matches[other] for other in nearest]
        for row, other in zip(named, nearest, strict=True):
            by_size = sorted(
                SHAPES, key=lambda name: -abs(means[other][name] - means[player][name]) / SHAPES[name][1]
            )  # fmt: skip
            assert row["differences"] == [
                difference_in_words(name, means[other][name], means[player][name]) for name in by_size[:3]
            ]


@pytest.mark.parametrize(
    ("feature", "value", "other", "words"),
    [
        ("boost_per_minute", 412.0, 335.0, "boosts 23% more (412 against 335 a minute)"),
        ("boost_per_minute", 335.0, 412.0, "boosts 19% less (335 against 412 a minute)"),
        ("avg_speed_uu_s", 1500.0, 1250.0, "drives 20% faster (54 against 45 km/h)"),
        ("save_share", 0.18, 0.27, "saves 33% fewer shots (18% against 27% of the shots against)"),
        ("supersonic_share", 0.09, 0.02, "spends far more time at supersonic speed (9.0% against 2.0% of the time)"),
        ("supersonic_share", 0.0, 0.02, "spends 100% less time at supersonic speed (0.0% against 2.0% of the time)"),
        (
            "role_imbalance",
            0.0,
            0.0,
            "rotates hardly less evenly (0.00% against 0.00% away from an even share of each role)",
        ),
        ("zero_boost_share", 0.1, 0.0, "spends far more time without boost (10% against 0% of the time)"),
        (
            "supersonic_share",
            0.3021,
            0.3001,
            "spends 1% more time at supersonic speed (30.2% against 30.0% of the time)",
        ),
        (
            "supersonic_share",
            0.3002,
            0.3,
            "spends hardly more time at supersonic speed (30.02% against 30.00% of the time)",
        ),
        ("shots_per_minute", 1.0, 0.8, "shoots 25% more (1.00 against 0.80 a minute)"),
        ("avg_distance_to_ball_uu", 2400.0, 3000.0, "stays 20% nearer to the ball (24 against 30 m)"),
    ],
)
def test_differences_in_words(feature: str, value: float, other: float, words: str) -> None:
    assert difference_in_words(feature, value, other) == words


def test_every_feature_has_words() -> None:
    for feature in FEATURES:
        more, less = difference_in_words(feature, 0.6, 0.5), difference_in_words(feature, 0.4, 0.5)
        assert "20%" in more
        assert "20%" in less
        assert more.split(" (")[0] != less.split(" (")[0]
        assert "  " not in more
        assert " )" not in more


def test_there_is_no_row_without_a_cohort(known: planted.World) -> None:
    player = someone(known)
    assert compare(known.features, player, cohorts=cohort().clear()).height == 0
    assert compare(known.features, player, cohorts=cohort(range(TIER + 1, 23))).height == 0
    assert compare(known.features, player, cohorts=cohort(range(TIER, TIER + 1))).height == 10
    assert compare(known.features, player, cohorts=cohort(playlist="ranked-duels")).height == 0


def test_players_need_a_rank_and_five_matches(known: planted.World) -> None:
    player = someone(known)
    own = pl.col("player_id") == player
    unranked = known.features.with_columns(rank_tier=pl.when(~own).then("rank_tier"))
    assert compare(unranked, player).height == 0
    compared = compare(unranked, player, ranks=building.given_ranks((player, PLAYLIST, 8, FIRST_DAY)))
    assert set(compared.get_column("other_rank_tier")) == {8, 9}
    five = known.features.filter(own).head(5).get_column("match_id")
    rest = known.features.filter(~own)
    assert compare(pl.concat([rest, known.features.filter(pl.col("match_id").is_in(five.implode()))]), player).height
    four = known.features.filter(pl.col("match_id").is_in(five.head(4).implode()))
    assert compare(pl.concat([rest, four]), player).height == 0
    later = building.tracked(player, kept_from=date(2030, 1, 1))
    assert compare(known.features, tracked=later).height == 0


def test_above_the_highest_rank_there_is_nobody(known: planted.World) -> None:
    made = compare(known.features, someone(known, 22))
    assert made.get_column("of_next_rank").to_list() == [False] * 5


def test_others_with_half_of_the_features_unknown_are_left_out(known: planted.World) -> None:
    player = someone(known)
    nearest = compare(known.features, player).item(0, "other_player_id")
    own = pl.col("player_id") == nearest

    def without(*features: str) -> list[str]:
        profiles = planted.profiles_of(known.features).filter(~(own & pl.col("feature").is_in(features)))
        return compare(known.features, player, profiles=profiles).get_column("other_player_id").to_list()

    names = list(SHAPES)
    assert nearest not in without(*names[:4])
    assert nearest not in without(*names)
    # Of three of six the distance is that of the three.
    profiles = planted.profiles_of(known.features).filter(~(own & pl.col("feature").is_in(names[:3])))
    compared = compare(known.features, player, profiles=profiles).filter(pl.col("other_player_id") == nearest)
    means = own_means(known)
    squares = [((means[nearest][name] - means[player][name]) / SHAPES[name][1]) ** 2 for name in names[3:]]
    assert compared.height == 0 or compared.item(0, "distance") == pytest.approx(math.sqrt(fmean(squares)))


def test_a_feature_in_which_the_cohort_does_not_differ_takes_no_part(known: planted.World) -> None:
    player = someone(known)
    flat = cohort().with_columns(
        between_spread=pl.when(pl.col("feature") != "save_share").then("between_spread").otherwise(0.0)
    )
    made = compare(known.features, player, cohorts=flat)
    absent = compare(known.features, player, cohorts=cohort().filter(pl.col("feature") != "save_share"))
    assert made.height == 10
    assert made.equals(absent)
    assert not any(words.startswith("saves") for row in made.get_column("differences") for words in row)


def test_who_does_not_allow_it_is_neither_compared_nor_shown_to_others(known: planted.World) -> None:
    me = someone(known)
    usual = compare(known.features, me)
    near = str(usual.item(0, "other_player_id"))
    without = compare(known.features, me, near, withheld=refusing(near))
    assert near not in {*without["other_player_id"], *without["player_id"]}
    others = [each for each in usual.filter(~pl.col("of_next_rank"))["other_player_id"] if each != near]
    assert without.filter(~pl.col("of_next_rank"))["other_player_id"].to_list()[:4] == others
    assert compare(known.features, me, withheld=refusing(me)).is_empty()
    assert compare(known.features, me, withheld=refusing(near, purpose="models")).equals(usual)


def refusing(player: str, purpose: str = "comparison") -> pl.DataFrame:
    return rows(t.Withheld, {"player_id": player, "purpose": purpose})
