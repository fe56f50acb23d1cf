"""How everybody plays: the profile of each player, and how features and skills are distributed within a rank.

A cohort is the players of a playlist and rank; a player is of the last rank that ballchasing gave. Where fewer than
30 of a rank have a feature, the rank below and the rank above are taken in, then the next two, at the ends of the scale
those that there are. Where they are too few then, or where the mean rank of those in it is more than half a rank
off, for most are of the ranks on one side, the cohort has no row of the feature: it would be that of another rank.

**Estimates.** Let player i of N have n_i matches in which the feature is known, with mean m_i and variance s_i^2, let
the players' true means differ by `between_spread`, and a player's matches by `within_spread`. Each player counts once:

    mean      = sum(m_i) / N,    mean_standard_error^2 = sum((m_i - mean)^2) / (N - 1) / N
    within^2  = sum((n_i - 1) s_i^2) / sum(n_i - 1)
    between^2 = (Q - within^2 (A - B / W)) / (W - V / W), never below 0
    match^2   = within^2 + between^2, the variance of a match of a player taken at random

with weights w_i = n_i / (n_i + 9), W = sum(w_i), V = sum(w_i^2), A = sum(w_i / n_i), B = sum(w_i^2 / n_i) and
Q = sum(w_i (m_i - sum(w_i m_i) / W)^2). That is the method of moments for unequal numbers of matches: the expectation
of Q is between^2 (W - V / W) + within^2 (A - B / W) for any weights, with equal ones as in the analysis of variance
(Searle, Casella and McCulloch, Variance Components, 1992, chapter 3; DerSimonian and Kacker, Contemporary Clinical
Trials 28, 2007). These weights are near the best where a player's matches differ three times as much as players do,
which is usual here. Who has one match counts for all but within^2; where nobody has two, neither spread is known, and
match^2 is the variance of the means.
"""

from __future__ import annotations

from collections.abc import Sequence

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.sums import exact_mean
from gamestats_assets.rocket_league.analysis.skills import (
    COHORT,
    FEATURES,
    SKILL,
    SKILL_FEATURES,
    correlations,
    scales,
    signed_features,
    skill_values,
)
from gamestats_assets.rocket_league.identities import FORGOTTEN, GUEST
from gamestats_assets.rocket_league.privacy.consents import allowing
from gamestats_assets.rocket_league.ranks import HIGHEST_TIER, LOWEST_TIER, PLAYER, last_tier
from gamestats_assets.rocket_league.tables import PlayerMatchFeatures, PlayerProfiles, RankCohorts, Withheld
from gamestats_assets.rocket_league.tables.gold import SKILLS

COHORT_PLAYERS = 30
"""Players below which a cohort tells nothing of a feature."""
FARTHEST = 2
"""Ranks below and above that a cohort takes in at most."""
MOST_OFF = 0.5
"""Ranks by which the mean rank of its players may be off at most."""
_PRIOR_MATCHES = 9
_AT_ONCE = 10
_STEPS = 20
# Sums in another order end in other digits: nothing is made again for those, nor does what is constant differ by them.
_DIGITS, _NOTHING = 11, 1e-9
_PLAYLIST = ("is_simulated", "playlist")


def player_profiles(
    features: dy.LazyFrame[PlayerMatchFeatures], withheld: dy.LazyFrame[Withheld]
) -> dy.LazyFrame[PlayerProfiles]:
    """The mean of every feature of every player with an account, over the matches in a playlist in which it is known.

    The rank is the last that ballchasing gave there. Who does not allow to be part of cohorts is left out.
    """
    players = _players(_in_cohorts(features, withheld), FEATURES, PLAYER, rank_tier=last_tier()).lazy()
    result = pl.concat(
        _of(players, name, *PLAYER, "rank_tier").select(
            *PLAYER, "rank_tier", "matches", "mean", feature=pl.lit(name), spread=pl.col("variance").sqrt()
        )
        for name in FEATURES
    )
    return PlayerProfiles.cast(result)


def rank_cohorts(
    features: dy.LazyFrame[PlayerMatchFeatures], withheld: dy.LazyFrame[Withheld]
) -> dy.LazyFrame[RankCohorts]:
    """How each feature and each skill is distributed in each cohort that knows it; see the top of this module.

    A skill is measured by the cohort's own means and spreads of its features. Where ranks around are taken in, their
    players are measured by those, too.
    """
    matches = _in_cohorts(features, withheld)
    players = _players(matches, FEATURES, PLAYER, tier=last_tier()).drop_nulls("tier")
    matches = matches.drop("rank_tier").join(players.lazy().select(*PLAYER, "tier"), on=PLAYER)
    by_feature = _described(players, matches, _windows(_around(players)))

    measures = scales(by_feature.lazy()).collect()
    windows = _windows(_around_knowing(players, measures))
    by_skill = [_of_skill(skill, matches, windows, measures) for skill in SKILLS]
    result = pl.concat([by_feature, *by_skill]).sort(*COHORT, "feature")
    return RankCohorts.cast(result.lazy())


def _of_skill(skill: str, matches: pl.LazyFrame, windows: pl.DataFrame, measures: pl.DataFrame) -> pl.DataFrame:
    names = [name for name, _ in SKILL_FEATURES[skill]]
    scale = measures.select(*COHORT, *(f"{name} {what}" for name in names for what in ("mean", "spread")))
    windows = windows.filter(pl.col("feature") == skill)
    known = matches.select(*PLAYER, "tier", "team_size", *names).collect(engine="streaming")
    measured = known.join(_members(windows).drop("feature"), on=[*_PLAYLIST, "tier"], maintain_order="left").join(
        scale, on=COHORT, maintain_order="left"
    )
    together = (
        measured.lazy().select(*COHORT, *signed_features(skill)).group_by(COHORT).agg(correlations=correlations(skill))
    )
    together = together.rename({"correlations": f"{skill} correlations"}).collect()
    values = (
        measured.join(together, on=COHORT, maintain_order="left")
        .select(*PLAYER, "rank_tier", "tier", *skill_values([skill]))
        .lazy()
    )
    players = _players(values, [skill], [*PLAYER, "rank_tier", "tier"])
    described = (
        _described(players, values, windows).with_columns(feature=SKILL + pl.col("feature")).drop("correlations")
    )
    together = together.rename({f"{skill} correlations": "correlations"})
    return RankCohorts.cast(described.join(together, on=COHORT, how="left", maintain_order="left"))


def _in_cohorts(features: pl.LazyFrame, withheld: pl.LazyFrame) -> pl.LazyFrame:
    """Matches of players with an account, less those of who does not allow it."""
    player = pl.col("player_id")
    with_account = features.filter(~(player.str.starts_with(GUEST) | player.str.starts_with(FORGOTTEN)))
    return allowing(with_account, withheld, "cohorts")


def _players(rows: pl.LazyFrame, names: Sequence[str], by: Sequence[str], **more: pl.Expr) -> pl.DataFrame:
    """A row per player, with the matches in which each column is known, its mean, and its variance from two on."""
    aggregates = (
        expression.alias(f"{name} {what}")
        for name in names
        for what, expression in (
            ("matches", pl.col(name).count()),
            ("mean", exact_mean(pl.col(name), 15).round_sig_figs(_DIGITS)),
            ("variance", pl.col(name).var().round_sig_figs(_DIGITS)),
        )
    )
    return rows.group_by(by).agg(*aggregates, **more).collect(engine="streaming").sort(by)


def _of(players: pl.LazyFrame, name: str, *columns: str) -> pl.LazyFrame:
    """Players in whose matches one column is known: `matches`, `mean`, `variance`."""
    columns_of = {what: pl.col(f"{name} {what}") for what in ("matches", "mean", "variance")}
    return players.select(*columns, **columns_of).filter(pl.col("matches") > 0)


# --------------------------------------------------------------------------- who is in a cohort


def _around(players: pl.DataFrame) -> pl.DataFrame:
    """For each feature and rank, how many players know it in each rank that is not too many steps away."""
    known = players.group_by(*_PLAYLIST, "tier").agg(
        (pl.col(f"{name} matches") > 0).sum().alias(name) for name in FEATURES
    )
    return _aimed(known).unpivot(on=FEATURES, index=[*COHORT, "step"], variable_name="feature", value_name="players")


def _around_knowing(players: pl.DataFrame, measures: pl.DataFrame) -> pl.DataFrame:
    """The same of each skill: a player knows it who knows one of the features that the cohort can measure it by."""
    found: list[pl.DataFrame] = []
    for skill, of in SKILL_FEATURES.items():
        names = [name for name, _ in of]
        known = players.group_by(
            *_PLAYLIST, "tier", *(pl.col(f"{name} matches").gt(0).alias(name) for name in names)
        ).len()
        measured = pl.any_horizontal(pl.col(name) & pl.col(f"{name} spread").is_not_null() for name in names)
        found.append(
            _aimed(known)
            .join(measures, on=COHORT)
            .group_by(*COHORT, "step")
            .agg(feature=pl.lit(skill), players=pl.col("len").filter(measured).sum())
        )
    return pl.concat(found)


def _aimed(by_tier: pl.DataFrame) -> pl.DataFrame:
    """Rows of a rank, once for each rank (`rank_tier`) whose cohort may take it in, with how many steps it is above."""
    steps = pl.DataFrame({"step": range(-FARTHEST, FARTHEST + 1)}, schema={"step": pl.Int32})
    return (
        by_tier.join(steps, how="cross")
        .with_columns(rank_tier=pl.col("tier") - pl.col("step"))
        .filter(pl.col("rank_tier").is_between(LOWEST_TIER, HIGHEST_TIER))
    )


def _windows(around: pl.DataFrame) -> pl.DataFrame:
    """The cohorts that have enough players of a feature, with the ranks from `from_tier` to `to_tier` in them."""

    def is_enough(far: int) -> pl.Expr:
        players = pl.col("players").filter(pl.col("step").abs() <= far)
        off = (pl.col("players") * pl.col("step")).filter(pl.col("step").abs() <= far).sum() / players.sum()
        return (players.sum() >= COHORT_PLAYERS) & (off.abs() <= MOST_OFF)

    far = pl.coalesce(pl.when(is_enough(far)).then(pl.lit(far, pl.Int32)) for far in range(FARTHEST + 1))
    return (
        around.group_by(*COHORT, "feature")
        .agg(far=far)
        .drop_nulls("far")
        .select(
            *COHORT,
            "feature",
            from_tier=(pl.col("rank_tier") - pl.col("far")).clip(lower_bound=LOWEST_TIER),
            to_tier=(pl.col("rank_tier") + pl.col("far")).clip(upper_bound=HIGHEST_TIER),
        )
    )


def _members(windows: pl.DataFrame) -> pl.DataFrame:
    """The ranks (`tier`) that are in each cohort."""
    tiers = pl.int_ranges("from_tier", pl.col("to_tier") + 1, dtype=pl.Int32)
    return windows.select(*COHORT, "feature", tier=tiers).explode("tier")


# --------------------------------------------------------------------------- how they are distributed


def _described(players: pl.DataFrame, matches: pl.LazyFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """The distribution of each column in each cohort: rows of `rank_cohorts`.

    Args:
        players: as `_players` gives them, with the rank `tier`, and with `rank_tier` where the columns hold for the
            cohort of that rank alone.
        matches: the matches, with the same columns besides.
        windows: the cohorts of each column.
    """
    on = [name for name in (*_PLAYLIST, "tier", "rank_tier") if name in players.columns]
    members = _members(windows).lazy()
    names = windows.get_column("feature").unique().sort().to_list()
    frames: list[pl.DataFrame] = []
    for start in range(0, len(names), _AT_ONCE):
        # Many columns at once would not fit into memory, and each by itself would have to be joined again.
        some = names[start : start + _AT_ONCE]
        values = matches.select(*on, *some).collect(engine="streaming").lazy()
        for name in some:
            of_column = members.filter(pl.col("feature") == name).drop("feature")
            means = _of(players.lazy(), name, *on).join(of_column, on=on, maintain_order="left")
            means = means.group_by(COHORT, maintain_order=True).agg(**_moments())
            singles = values.select(*on, value=name).drop_nulls("value").join(of_column, on=on)
            both = means.join(_quantiles(singles), on=COHORT).with_columns(feature=pl.lit(name))
            frames.append(both.collect())
    if not frames:
        return RankCohorts.create_empty()
    return RankCohorts.cast(
        pl.concat(frames).join(windows, on=[*COHORT, "feature"]).lazy().pipe(_with_spreads).collect()
    )


def _moments() -> dict[str, pl.Expr]:
    matches, mean = pl.col("matches"), pl.col("mean")
    weight = matches / (matches + _PRIOR_MATCHES)
    middle = (weight * mean).sum() / weight.sum()
    return {
        "players": pl.len(),
        "matches": matches.sum(),
        "mean": mean.mean(),
        "variance_of_means": mean.var(),
        "squares": (pl.col("variance") * (matches - 1)).sum(),
        "freedom": (matches - 1).sum(),
        "Q": (weight * (mean - middle) ** 2).sum(),
        "W": weight.sum(),
        "V": (weight**2).sum(),
        "A": (weight / matches).sum(),
        "B": (weight**2 / matches).sum(),
        **{f"p{percent:02}": mean.quantile(percent / 100, "linear") for percent in (5, 25, 50, 75, 95)},
    }


def _with_spreads(sums: pl.LazyFrame) -> pl.LazyFrame:
    within = pl.when(pl.col("freedom") > 0).then(pl.col("squares") / pl.col("freedom"))
    between = (pl.col("Q") - pl.col("within") * (pl.col("A") - pl.col("B") / pl.col("W"))) / (
        pl.col("W") - pl.col("V") / pl.col("W")
    )
    spreads = ("within", "between", "match")
    numbers = pl.col(pl.Float64)
    return (
        sums.with_columns(within=within)
        .with_columns(between=between.clip(lower_bound=0))
        .with_columns(match=pl.coalesce(pl.col("within") + pl.col("between"), "variance_of_means"))
        .with_columns(
            mean_standard_error=(pl.col("variance_of_means") / pl.col("players")).sqrt(),
            **{f"{name}_spread": pl.col(name).sqrt() for name in spreads},
        )
        # Those of a skill are counted by what they know, and a duel has no skill of teams.
        .filter(pl.col("players") >= COHORT_PLAYERS)
        .with_columns(correlations=pl.lit(None, pl.List(pl.Float64)))
        .select(name for name in RankCohorts.schema())
        .with_columns(pl.when(numbers.abs() < _NOTHING).then(numbers * 0).otherwise(numbers.round_sig_figs(_DIGITS)))
    )


def _quantiles(values: pl.LazyFrame) -> pl.LazyFrame:
    """The quantiles of single matches of each cohort."""
    place = {step: (pl.col("count") - 1) * (step / _STEPS) for step in range(_STEPS + 1)}

    def at(where: pl.Expr) -> pl.Expr:
        below = pl.col("values").list.get(where.floor().cast(pl.Int64))
        above = pl.col("values").list.get(where.ceil().cast(pl.Int64))
        return below + (above - below) * (where - where.floor())

    return (
        values.group_by(COHORT)
        .agg(values=pl.col("value").sort(), count=pl.len())
        .select(*COHORT, match_quantiles=pl.concat_list(at(where) for where in place.values()))
    )
