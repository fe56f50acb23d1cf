"""What skills are: sums of features, in units of how matches of the same playlist and rank differ.

The skill of a player in one match is the sum of the signed features of `SKILL_FEATURES`, each as

    sign * (value in the match - mean of the cohort) / spread of single matches in the cohort,

over those features that are known in the match and that the cohort knows: in which it has enough players, and in which
its matches differ at all. It is divided by the standard deviation of such a sum, which is the root of the sum of all
correlations between these features in single matches, so that matches of which little is known are on one scale with
those of which much is. It is null where nothing is known. The cohort is that of the playlist and of the rank that the
player has now, so that all matches of a player are on one scale. More is better.

Which features are known goes with how a match went (a team that nothing is shot at has no share of saves), so the mean
of a skill in a cohort is near 0 and not quite 0; it is in `rank_cohorts` as that of every feature, under `skill_` and
the name of the skill.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import polars as pl

from gamestats_assets.rocket_league.ranks import PLAYER, known_tiers
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
"""The features of each skill, with 1 where more is better, and -1 where less is."""
TEAM_SKILLS = ("rotation",)
"""Skills that nobody has without team mates."""
SKILL = "skill_"
"""What the name of a skill begins with among the features of `rank_cohorts`."""
FEATURES: tuple[str, ...] = tuple(
    name
    for name, column in PlayerMatchFeatures.columns().items()
    if isinstance(column.dtype, pl.Float64) and name != "played_s"
)
"""What is measured of a player in a match: every number but the length."""
_LEAST = 0.1
COHORT = ("is_simulated", "playlist", "rank_tier")
"""What names a cohort."""
_USED: tuple[str, ...] = tuple(dict.fromkeys(name for of in SKILL_FEATURES.values() for name, _ in of))


def scales(cohorts: pl.LazyFrame) -> pl.LazyFrame:
    """What features are measured by in each cohort: one row per cohort, with columns of `COHORT`.

    For each feature of a skill the columns `<feature> mean` and `<feature> spread`; null where the cohort does not know
    it, or where its matches do not differ in it. For each skill `<skill> correlations`, as `rank_cohorts` has them.
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
    """The features of a skill in a match in units of the cohort, more being better; null where one is not known."""
    return [
        (sign * (pl.col(name) - pl.col(f"{name} mean")) / pl.col(f"{name} spread")).alias(name)
        for name, sign in SKILL_FEATURES[skill]
    ]


def correlations(skill: str) -> pl.Expr:
    """Of rows of matches with `signed_features`: the column `correlations` of `rank_cohorts`."""
    names = [name for name, _ in SKILL_FEATURES[skill]]
    both = [
        pl.corr(*(pl.col(each).filter(pl.all_horizontal(pl.col(pair).is_not_null())) for each in pair))
        for pair in itertools.combinations(names, 2)
    ]
    return pl.concat_list(each.fill_nan(0).fill_null(0) for each in both).list.eval(pl.element().round_sig_figs(9))


def skill_values(skills: Iterable[str] = SKILLS) -> list[pl.Expr]:
    """The skills in a match, one column each, of rows with features, `team_size` and the columns of `scales`."""

    def value(skill: str) -> pl.Expr:
        signed = signed_features(skill)
        known = [each.is_not_null().cast(pl.Float64) for each in signed]
        pairs = (
            2 * one * other * pl.col(f"{skill} correlations").list.get(at)
            for at, (one, other) in enumerate(itertools.combinations(known, 2))
        )
        # Of features that tell each other the opposite nothing would be left.
        variance = pl.sum_horizontal(*known, *pairs).clip(lower_bound=_LEAST)
        value = pl.when(pl.any_horizontal(each.is_not_null() for each in signed)).then(
            pl.sum_horizontal(signed) / variance.sqrt()
        )
        if skill in TEAM_SKILLS:
            value = pl.when(pl.col("team_size").ne_missing(1)).then(value)
        return value.alias(skill)

    return [value(skill) for skill in skills]


def match_skills(features: pl.LazyFrame, cohorts: pl.LazyFrame, ranks: pl.LazyFrame) -> pl.LazyFrame:
    """The skills of players in single matches, measured by the cohort of the rank that each has in the playlist now.

    Args:
        features: rows of `player_match_features`.
        cohorts: rows of `rank_cohorts`.
        ranks: rows of `rl_ranks`.

    Returns:
        Columns `is_simulated`, `playlist`, `player_id`, `match_id`, `started_at`, `rank_tier` (that it is measured
        by), `skill` and `value` (see the top of this module); one row for each skill that is known in a match.
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
