"""Skills: sums of features, in units of the differences between matches of the same playlist and rank.

The skill of a player in one match is the sum of the signed features of `SKILL_FEATURES`, each as

    sign * (value in the match - mean of the cohort) / spread of single matches in the cohort,

over the features that are known in the match and usable in the cohort, which needs enough players with the feature and
differences between its matches. The sum is divided by its standard deviation, the root of the sum of all correlations
between these features in single matches, so that matches with few known features and matches with many are on one
scale. It is null if no feature is known. The cohort is that of the playlist and the player's current rank, so that all
matches of a player are on one scale. More is better.

Which features are known depends on the match (without shots against the team there is no share of saves), so the mean
of a skill in a cohort is near 0 but not exactly 0; `rank_cohorts` has it like that of a feature, under `skill_` and the
name of the skill.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import polars as pl

from gamestats_assets.rocket_league.reference.ranks import PLAYER, known_tiers
from gamestats_assets.rocket_league.tables import PlayerMatchFeatures
from gamestats_assets.rocket_league.tables.gold import SKILLS

SKILL_FEATURES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "aerials": (
        ("high_air_share", 1),
        ("low_air_share", 1),
        ("aerial_touches_per_minute", 1),
        ("aerial_success_share", 1),
    ),
    "saves": (("save_share", 1), ("goals_against_per_minute", -1)),
    "positioning": (("behind_ball_share", 1), ("last_defender_conceded_share", -1)),
    "rotation": (("role_imbalance", -1), ("rotation_efficiency", 1), ("double_commits_per_minute", -1)),
    "shooting": (("shot_accuracy", 1), ("shots_per_minute", 1), ("avg_shot_speed_uu_s", 1)),
}
"""The features of each skill, with 1 if more is better, and -1 if less is better."""
TEAM_SKILLS = ("rotation",)
"""Skills that need team mates."""
SKILL = "skill_"
"""Prefix of skills among the features of `rank_cohorts`."""
FEATURES: tuple[str, ...] = tuple(
    name
    for name, column in PlayerMatchFeatures.columns().items()
    if isinstance(column.dtype, pl.Float64) and name != "played_s"
)
"""Features of a player in a match: every number except its length."""
_LEAST = 0.1
COHORT = ("is_simulated", "playlist", "rank_tier")
"""Columns that identify a cohort."""
_USED: tuple[str, ...] = tuple(dict.fromkeys(name for of in SKILL_FEATURES.values() for name, _ in of))


def scales(cohorts: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the scales of features in each cohort: one row per cohort, with columns of `COHORT`.

    For each feature of a skill there are the columns `<feature> mean` and `<feature> spread`, null if the cohort lacks
    the feature or its matches do not differ in it; for each skill `<skill> correlations`, as in `rank_cohorts`.
    """
    differs = pl.col("match_spread") > 0
    return cohorts.group_by(COHORT).agg(
        *(
            pl.col(column).filter((pl.col("feature") == name) & differs).first().alias(f"{name} {what}")
            for name in _USED
            for what, column in (("mean", "mean"), ("spread", "match_spread"))
        ),
        *(
            pl.col("correlations").filter(pl.col("feature") == SKILL + skill).first().alias(f"{skill} correlations")
            for skill in SKILLS
        ),
    )


def signed_features(skill: str) -> list[pl.Expr]:
    """Returns the features of a skill in a match in units of the cohort, with more being better; null if unknown."""
    return [
        (sign * (pl.col(name) - pl.col(f"{name} mean")) / pl.col(f"{name} spread")).alias(name)
        for name, sign in SKILL_FEATURES[skill]
    ]


def correlations(skill: str) -> pl.Expr:
    """Returns the column `correlations` of `rank_cohorts`, for rows of matches with `signed_features`."""
    names = [name for name, _ in SKILL_FEATURES[skill]]
    both = [
        pl.corr(*(pl.col(each).filter(pl.all_horizontal(pl.col(pair).is_not_null())) for each in pair))
        for pair in itertools.combinations(names, 2)
    ]
    return pl.concat_list(each.fill_nan(0).fill_null(0) for each in both).list.eval(pl.element().round_sig_figs(9))


def skill_values(skills: Iterable[str] = SKILLS) -> list[pl.Expr]:
    """Returns the skills in a match as columns, for rows with features, `team_size` and the columns of `scales`."""

    def value(skill: str) -> pl.Expr:
        signed = signed_features(skill)
        known = [each.is_not_null().cast(pl.Float64) for each in signed]
        pairs = (
            2 * one * other * pl.col(f"{skill} correlations").list.get(at)
            for at, (one, other) in enumerate(itertools.combinations(known, 2))
        )
        # Perfectly opposed features would leave no variance.
        variance = pl.sum_horizontal(*known, *pairs).clip(lower_bound=_LEAST)
        value = pl.when(pl.any_horizontal(each.is_not_null() for each in signed)).then(
            pl.sum_horizontal(signed) / variance.sqrt()
        )
        if skill in TEAM_SKILLS:
            value = pl.when(pl.col("team_size").ne_missing(1)).then(value)
        return value.alias(skill)

    return [value(skill) for skill in skills]


def match_skills(features: pl.LazyFrame, cohorts: pl.LazyFrame, ranks: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the skills of players in single matches, measured by the cohort of each player's current rank.

    Args:
        features: rows of `player_match_features`.
        cohorts: rows of `rank_cohorts`.
        ranks: rows of `rl_ranks`.

    Returns:
        Columns `is_simulated`, `playlist`, `player_id`, `match_id`, `started_at`, `rank_tier` (of the cohort), `skill`
        and `value` (see the top of this module); one row for each known skill in a match.
    """
    of_match = [*PLAYER, "match_id", "started_at", "rank_tier"]
    return (
        features.drop("rank_tier")
        .join(known_tiers(features, ranks), on=PLAYER)
        .join(scales(cohorts), on=COHORT)
        .select(*of_match, *skill_values())
        .unpivot(on=SKILLS, index=of_match, variable_name="skill")
        .drop_nulls("value")
    )
