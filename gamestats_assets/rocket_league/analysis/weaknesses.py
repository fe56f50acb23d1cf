"""Measures a player's skills for the rank, and finds weaknesses beyond chance.

**Model.** Let y be the mean of a skill (see skills.py) over the n kept matches of a player with a known value, and let
the cohort of the playlist and rank (see cohorts.py) have N players with the mean m. The player's true skill is theta:

    y | theta ~ N(theta, within^2 / n),    theta ~ N(true mean, between^2),    m ~ N(true mean, mean_standard_error^2)

With e^2 = within^2 / n + mean_standard_error^2, the variance of chance, and c = between^2 / (between^2 + e^2), the
`confidence`, the true distance from the mean of the cohort, in units of between, is normal given the matches: its mean
is c (y - m) / between, the `score`, its variance 1 - c. `percentile` is the normal distribution function of the score.
With few matches the score and c are near 0: then only the cohort is known. If players do not differ (between = 0), the
score is 0.

The 90% interval of the percentile comes from that of the score. Its variance is 1 - c plus the uncertainty of the
estimate of between: (d score / d between)^2 var(between) = (score (1 - 2c))^2 v, with v = (N mean_standard_error^2 /
between^2)^2 / (2 (N - 1)), at most 1. This matters for players with many matches in small cohorts.

**Weakness.** A skill is a weakness when the upper end of a one-sided interval of 1 - 0.05/5 of the true distance is
below 0. This is Bonferroni's correction for five skills: an average player shows any weakness in a playlist in at most
one case of twenty, whatever the number of matches, and more rarely with fewer, because the score is shrunk towards 0.
The end uses Student's distribution with the degrees of freedom of e^2 (Satterthwaite, Biometrics Bulletin 2, 1946),
because small cohorts estimate spreads roughly. Score and percentile assume that a player's matches differ as those of
the cohort do. A weakness does not: if the player's own matches differ more, their spread replaces `within`. They do,
for example, if fewer features are known than in most of the cohort's matches, as in those with ballchasing's figures
only. Matches are assumed to be independent, although those of a good or a bad day are not.

**Potential.** The serving model's rank of the player with the skill's features raised to the cohort's mean if they are
worse, minus its rank of the player as is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.cohorts import COHORT_PLAYERS, FARTHEST, MOST_OFF
from gamestats_assets.rocket_league.analysis.rank_models import predicted_tier, served_models
from gamestats_assets.rocket_league.analysis.skills import (
    COHORT,
    FEATURES,
    SKILL,
    SKILL_FEATURES,
    TEAM_SKILLS,
    match_skills,
)
from gamestats_assets.rocket_league.analysis.wording import feature_words, is_share, players_unit
from gamestats_assets.rocket_league.reference.playlists import playlist_name
from gamestats_assets.rocket_league.reference.ranks import (
    HIGHEST_TIER,
    LOWEST_TIER,
    PLAYER,
    kept,
    known_tiers,
    rank_name,
    rank_range,
)
from gamestats_assets.rocket_league.tables.gold import SKILLS

WEAKNESS_MATCHES = 5
"""Matches needed to measure a skill."""
CHANCE = 0.05
"""Largest probability that an average player shows any weakness in a playlist."""
LEVEL = 0.9
"""Probability of the percentile's interval."""
_SENTENCES = 2
_WHOLE_PERCENT = 0.1

Floats = npt.NDArray[np.float64]


def weaknesses(
    tracked: dy.LazyFrame[t.TrackedPlayers],
    features: dy.LazyFrame[t.PlayerMatchFeatures],
    cohorts: dy.LazyFrame[t.RankCohorts],
    profiles: dy.LazyFrame[t.PlayerProfiles],
    ranks: dy.LazyFrame[t.RlRanks],
    models: dy.LazyFrame[t.RankModels],
) -> dy.LazyFrame[t.Weaknesses]:
    """Returns every skill of tracked players in every playlist with kept matches, measured or refused.

    Profiles provide the number of players if there are too few for a cohort. `matches` of a skill without a cohort
    counts those with any of its features. `improvement_potential` is null without a serving model, or if that model
    uses no feature of the skill. `evidence` names up to two features that support the score most.
    """
    own = kept(features, tracked)
    serving = served_models(models.collect())
    standing = _standings(own, cohorts, ranks)
    players = {_player(row): row for row in _means(own).iter_rows(named=True)}
    known, others = _of_features(cohorts, standing), _players_by_tier(profiles, standing)
    assessed: list[dict[str, Any]] = []
    for row in standing.iter_rows(named=True):
        mean, of_cohort = players[_player(row)], known.get((*_player(row)[:2], row["rank_tier"]), {})
        reason = _refusal(row, others.get((*_player(row)[:2], row["skill"]), {}))
        if reason is None:
            row["improvement_potential"] = _potential(row["skill"], mean, of_cohort, serving.get(_player(row)[:2]))
            row["evidence"] = _evidence(row["skill"], row["score"] < 0, mean, of_cohort)
        else:
            row |= dict.fromkeys(STANDING)
        assessed.append({**row, "state": "measured" if reason is None else "refused", "reason": reason})
    schema = {name: dtype for name, dtype in t.Weaknesses.schema().items()}
    result = pl.DataFrame([{name: row.get(name) for name in schema} for row in assessed], schema=schema)
    return t.Weaknesses.cast(result.lazy())


def _player(row: Mapping[str, Any]) -> tuple[bool, str, str]:
    return row["is_simulated"], row["playlist"], row["player_id"]


# --------------------------------------------------------------------------- where a player stands

STANDING = ("score", "percentile", "percentile_low", "percentile_high", "confidence", "is_weakness")


def _standings(own: pl.LazyFrame, cohorts: pl.LazyFrame, ranks: pl.LazyFrame) -> pl.DataFrame:
    """Returns a row for each player, playlist and skill, with the cohort's values and with `STANDING`, if known."""
    known = {
        skill: pl.any_horizontal(pl.col(name).is_not_null() for name, _ in of).sum()
        for skill, of in SKILL_FEATURES.items()
    }
    is_duel = (pl.col("team_size").max() == 1).fill_null(value=False) | pl.col("playlist").str.ends_with(
        "duels"
    ).first()
    values = (
        match_skills(own, cohorts, ranks)
        .group_by(*PLAYER, "skill")
        .agg(pl.col("value").sort().mean(), measured=pl.len(), own_spread=pl.col("value").sort().std())
    )
    of_skill = cohorts.filter(pl.col("feature").str.starts_with(SKILL)).select(
        *COHORT,
        pl.col("mean", "mean_standard_error", "within_spread", "between_spread"),
        skill=pl.col("feature").str.strip_prefix(SKILL),
        cohort_players="players",
        cohort_matches="matches",
    )
    rows = (
        own.group_by(PLAYER)
        .agg(is_duel.alias("is_duel"), **known)
        .unpivot(on=SKILLS, index=[*PLAYER, "is_duel"], variable_name="skill", value_name="matches")
        .join(known_tiers(own, ranks), on=PLAYER, how="left")
        .join(of_skill, on=[*COHORT, "skill"], how="left")
        .join(values, on=[*PLAYER, "skill"], how="left")
        .with_columns(
            matches=pl.when(pl.col("cohort_players").is_null())
            .then("matches")
            .otherwise(pl.col("measured").fill_null(0))
        )
        .sort(*PLAYER, pl.col("skill").cast(pl.Enum(SKILLS)))
        .collect()
    )
    return rows.with_columns(
        **standings(
            *(
                rows.get_column(name).cast(pl.Float64).to_numpy()
                for name in ("value", "matches", "mean", "mean_standard_error", "within_spread", "between_spread")
            ),
            own_spread=rows.get_column("own_spread").to_numpy(),
            players=rows.get_column("cohort_players").cast(pl.Float64).to_numpy(),
            cohort_matches=rows.get_column("cohort_matches").cast(pl.Float64).to_numpy(),
        )
    )


def standings(
    value: Floats,
    matches: Floats,
    mean: Floats,
    mean_standard_error: Floats,
    within_spread: Floats,
    between_spread: Floats,
    *,
    own_spread: Floats,
    players: Floats,
    cohort_matches: Floats,
) -> dict[str, Any]:
    """Returns the columns of `STANDING`, by the formulas at the top of this module; NaN and false if an input is NaN.

    Args:
        value: means over players' matches; `matches` is their number.
        mean: mean of the cohort; the next three are the cohort's, too.
        own_spread: standard deviation between the player's own matches.
        players: number of players in the cohort; `cohort_matches` is the number of their matches.
    """
    from scipy.special import ndtr, ndtri, stdtrit

    # Unknown values and divisions by zero become NaN.
    with np.errstate(divide="ignore", invalid="ignore"):
        own, of_mean = within_spread**2 / matches, mean_standard_error**2
        chance, between = own + of_mean, between_spread**2
        confidence = np.where(between == 0, 0 * chance, between / (between + chance))
        score = np.where(between == 0, 0 * value, confidence * (value - mean) / between_spread)
        spread = np.sqrt(1 - confidence)
        freedom = chance**2 / (own**2 / (cohort_matches - players) + of_mean**2 / (players - 1))
        of_between = np.fmin((of_mean * players / between) ** 2 / (2 * (players - 1)), 1)
        reach = ndtri((1 + LEVEL) / 2) * np.sqrt(spread**2 + (score * (1 - 2 * confidence)) ** 2 * of_between)
        own_chance = np.fmax(within_spread, own_spread) ** 2 / matches + of_mean
        share = between / (between + own_chance)
        quantile = stdtrit(freedom, 1 - CHANCE / len(SKILLS))
        highest = share * (value - mean) / between_spread + quantile * np.sqrt(1 - share)
    return {
        "score": score,
        "percentile": 100 * ndtr(score),
        "percentile_low": 100 * ndtr(score - reach),
        "percentile_high": 100 * ndtr(score + reach),
        "confidence": confidence,
        "is_weakness": highest < 0,
    }


def _refusal(row: Mapping[str, Any], players: Mapping[int, int]) -> str | None:
    """Returns why a skill is refused, given the players with figures by rank; None if it is not.

    The reason does not name the skill, so that several skills can share it.
    """
    playlist, tier, matches = playlist_name(row["playlist"]), row["rank_tier"], row["matches"]
    if row["skill"] in TEAM_SKILLS and row["is_duel"]:
        return "A duel has no team mates."
    if matches < WEAKNESS_MATCHES:
        return f"Not enough matches yet: {matches} of {WEAKNESS_MATCHES} with figures."
    if tier is None:
        return f"No rank in {playlist} is known, neither from ballchasing nor from the player."
    if row["cohort_players"] is None:
        return f"Not enough players to compare with in {playlist}: {_too_few(tier, players)}"
    if row["within_spread"] is None:
        return "No player in the cohort has two matches, so there is no measure of chance."
    if not row["confidence"]:
        return (
            f"The {row['cohort_players']} players of the cohort differ no more than matches of one player do by "
            "chance, so players cannot be placed among them."
        )
    return None


def _too_few(tier: int, players: Mapping[int, int]) -> str:
    """Returns how many players of a rank and its neighbours there are, and why they do not suffice."""

    def within(far: int) -> tuple[int, float]:
        near = {each: players.get(each, 0) for each in range(tier - far, tier + far + 1)}
        total = sum(near.values())
        return total, sum(each * number for each, number in near.items()) / max(total, 1) - tier

    (here, _), *_, (total, off) = windows = [within(far) for far in range(FARTHEST + 1)]
    around = rank_range(max(tier - FARTHEST, LOWEST_TIER), min(tier + FARTHEST, HIGHEST_TIER))
    known = f"{here} with figures at {rank_name(tier)}, {total} {around.removeprefix('players ')}"
    counts = f"{known}; a cohort needs {COHORT_PLAYERS}"
    if total < COHORT_PLAYERS:
        return f"{counts}."
    if any(number >= COHORT_PLAYERS and abs(each) <= MOST_OFF for number, each in windows):
        return (
            f"{counts} with the same figure, a mean rank at most {MOST_OFF} ranks off and matches that differ in the "
            "figure."
        )
    side = "above" if off > 0 else "below"
    return (
        f"{counts} with a mean rank at most {MOST_OFF} ranks off, and that of these {total} is {abs(off):.2f} ranks "
        f"{side}."
    )


def _players_by_tier(profiles: pl.LazyFrame, standing: pl.DataFrame) -> dict[tuple[bool, str, str], dict[int, int]]:
    """Returns players with a feature by rank, for each playlist and skill without a cohort."""
    skills = {name: skill for skill, of in SKILL_FEATURES.items() for name, _ in of}
    missing = standing.lazy().filter(pl.col("cohort_players").is_null()).select("is_simulated", "playlist").unique()
    rows = (
        profiles.filter(pl.col("feature").is_in([*skills]) & pl.col("rank_tier").is_not_null())
        .join(missing, on=["is_simulated", "playlist"], how="semi")
        .group_by("is_simulated", "playlist", "rank_tier", skill=pl.col("feature").replace_strict(skills))
        .agg(pl.col("player_id").n_unique())
        .collect(engine="streaming")
    )
    by_skill: dict[tuple[bool, str, str], dict[int, int]] = {}
    for is_simulated, playlist, tier, skill, players in rows.iter_rows():
        by_skill.setdefault((is_simulated, playlist, skill), {})[tier] = players
    return by_skill


# --------------------------------------------------------------------------- what it rests on, and what it is worth


def _means(own: pl.LazyFrame) -> pl.DataFrame:
    """Returns the mean of each feature of each player, and the number of matches (`<feature> matches`) with it."""
    names = pl.col(FEATURES)
    return own.group_by(PLAYER).agg(names.mean(), names.count().name.suffix(" matches")).collect()


def _of_features(
    cohorts: pl.LazyFrame, standing: pl.DataFrame
) -> dict[tuple[bool, str, int], dict[str, dict[str, Any]]]:
    """Returns rows of `rank_cohorts` by cohort and feature, for features in which matches differ."""
    used = [name for of in SKILL_FEATURES.values() for name, _ in of]
    rows = (
        cohorts.filter(pl.col("feature").is_in(used) & (pl.col("match_spread") > 0))
        .join(standing.lazy().select(COHORT).unique(), on=COHORT, how="semi")
        .drop("match_quantiles")
        .collect()
    )
    by_cohort: dict[tuple[bool, str, int], dict[str, dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        by_cohort.setdefault((row["is_simulated"], row["playlist"], row["rank_tier"]), {})[row["feature"]] = row
    return by_cohort


def _potential(
    skill: str, mean: Mapping[str, Any], of_cohort: Mapping[str, Mapping[str, Any]], model: Mapping[str, Any] | None
) -> float | None:
    signs = dict(SKILL_FEATURES[skill])
    if model is None or not signs.keys() & {*model["features"]}:
        return None
    better = {
        name: of_cohort[name]["mean"]
        for name, sign in signs.items()
        if name in of_cohort and mean[name] is not None and sign * (mean[name] - of_cohort[name]["mean"]) < 0
    }
    as_is = {name: mean[name] for name in FEATURES}
    return max(0.0, predicted_tier(model, as_is | better) - predicted_tier(model, as_is))


def _evidence(
    skill: str, is_below: bool, mean: Mapping[str, Any], of_cohort: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Returns the player's figures compared with the cohort's, in words."""
    known = [(name, sign) for name, sign in SKILL_FEATURES[skill] if name in of_cohort and mean[name] is not None]
    sides = {
        name: sign * (mean[name] - of_cohort[name]["mean"]) / of_cohort[name]["match_spread"] * (-1 if is_below else 1)
        for name, sign in known
    }
    strongest = sorted(sides, key=lambda name: (-sides[name], name))
    # Features that contradict the score would confuse, unless there are no others.
    named = [name for name in strongest[:_SENTENCES] if sides[name] > 0] or strongest[:1]

    def sentence(name: str) -> str:
        words, row, matches = feature_words()[name], of_cohort[name], mean[f"{name} matches"]
        own, others, low, high = (_figure(name, value) for value in (mean[name], row["mean"], row["p25"], row["p75"]))
        return (
            f"{words.own.format(own)}; {rank_range(row['from_tier'], row['to_tier'])} {words.others.format(others)} "
            f"(middle half: {low} to {high}), over {matches} match{'es' if matches > 1 else ''}."
        )

    return " ".join(map(sentence, named)) or None


def _figure(feature: str, value: float) -> str:
    if is_share(feature):
        return f"{value:.0%}" if value >= _WHOLE_PERCENT else f"{value:.1%}"
    factor, unit = players_unit(feature)
    return f"{factor * value:,.0f}" if unit else f"{value:.2f}"
