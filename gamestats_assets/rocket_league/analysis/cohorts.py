"""Cohorts: the profile of each player, and the distribution of features and skills within a rank.

A cohort is the players of a playlist and rank; a player's rank is the last one from ballchasing. If fewer than 30 of a
rank have a feature, the ranks directly below and above are included, then the next two; at the ends of the scale, those
that exist. If there are still too few players, or if their mean rank is more than half a rank off because most are on
one side, the cohort has no row of the feature: it would be that of another rank.

**Estimates.** Let player i of N have n_i matches with a known value of the feature, with mean m_i and variance s_i^2.
Let the players' true means differ by `between_spread`, and a player's matches by `within_spread`. Each player counts
once:

    mean      = sum(m_i) / N,    mean_standard_error^2 = sum((m_i - mean)^2) / (N - 1) / N
    within^2  = sum((n_i - 1) s_i^2) / sum(n_i - 1)
    between^2 = (Q - within^2 (A - B / W)) / (W - V / W), never below 0
    match^2   = within^2 + between^2, the variance of a match of a random player

with weights w_i = n_i / (n_i + 9), W = sum(w_i), V = sum(w_i^2), A = sum(w_i / n_i), B = sum(w_i^2 / n_i) and
Q = sum(w_i (m_i - sum(w_i m_i) / W)^2). That is the method of moments for unequal numbers of matches: the expectation
of Q is between^2 (W - V / W) + within^2 (A - B / W) for any weights, with equal ones as in the analysis of variance
(Searle, Casella and McCulloch, Variance Components, 1992, chapter 3; DerSimonian and Kacker, Contemporary Clinical
Trials 28, 2007). These weights are near the best if a player's matches differ three times as much as players do, which
is usual here. Players with one match count for everything except within^2. If no player has two matches, neither spread
is known, and match^2 is the variance of the means.
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
from gamestats_assets.rocket_league.players.identities import FORGOTTEN, GUEST
from gamestats_assets.rocket_league.privacy.consents import allowing
from gamestats_assets.rocket_league.reference.ranks import HIGHEST_TIER, LOWEST_TIER, PLAYER, last_tier
from gamestats_assets.rocket_league.tables import PlayerMatchFeatures, PlayerProfiles, RankCohorts, Withheld
from gamestats_assets.rocket_league.tables.gold import SKILLS

COHORT_PLAYERS = 30
"""Players that a cohort needs for a feature."""
FARTHEST = 2
"""Largest number of ranks included below and above."""
MOST_OFF = 0.5
"""Largest deviation of the players' mean rank from the cohort's rank."""
_PRIOR_MATCHES = 9
_AT_ONCE = 10
_STEPS = 20
# Sums in another order differ in later digits: that must neither trigger rebuilds nor make constants vary.
_DIGITS, _NOTHING = 11, 1e-9
_PLAYLIST = ("is_simulated", "playlist")


def player_profiles(
    features: dy.LazyFrame[PlayerMatchFeatures], withheld: dy.LazyFrame[Withheld]
) -> dy.LazyFrame[PlayerProfiles]:
    """Returns the mean of every feature of every player with an account, over the matches of a playlist that have it.

    The rank is the last one from ballchasing there. Players who do not allow cohorts are left out.
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
    """Returns the distribution of each feature and skill in each cohort that has enough players; see the module.

    Skills are measured by the cohort's own means and spreads of the features. If neighbouring ranks are included, these
    apply to their players, too.
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
    """Returns matches of players with an account who allow cohorts."""
    player = pl.col("player_id")
    with_account = features.filter(~(player.str.starts_with(GUEST) | player.str.starts_with(FORGOTTEN)))
    return allowing(with_account, withheld, "cohorts")


def _players(rows: pl.LazyFrame, names: Sequence[str], by: Sequence[str], **more: pl.Expr) -> pl.DataFrame:
    """Returns a row per player, with the number of matches, mean and variance (from two on) of each column."""
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
    """Returns the players with values of one column: `matches`, `mean`, `variance`."""
    columns_of = {what: pl.col(f"{name} {what}") for what in ("matches", "mean", "variance")}
    return players.select(*columns, **columns_of).filter(pl.col("matches") > 0)


# --------------------------------------------------------------------------- who is in a cohort


def _around(players: pl.DataFrame) -> pl.DataFrame:
    """Returns, for each feature and rank, how many players have it in each rank that is close enough."""
    known = players.group_by(*_PLAYLIST, "tier").agg(
        (pl.col(f"{name} matches") > 0).sum().alias(name) for name in FEATURES
    )
    return _aimed(known).unpivot(on=FEATURES, index=[*COHORT, "step"], variable_name="feature", value_name="players")


def _around_knowing(players: pl.DataFrame, measures: pl.DataFrame) -> pl.DataFrame:
    """Returns the same for each skill: players who have one of the features by which the cohort can measure it."""
    counts: list[pl.DataFrame] = []
    for skill, of in SKILL_FEATURES.items():
        names = [name for name, _ in of]
        known = players.group_by(
            *_PLAYLIST, "tier", *(pl.col(f"{name} matches").gt(0).alias(name) for name in names)
        ).len()
        measured = pl.any_horizontal(pl.col(name) & pl.col(f"{name} spread").is_not_null() for name in names)
        counts.append(
            _aimed(known)
            .join(measures, on=COHORT)
            .group_by(*COHORT, "step")
            .agg(feature=pl.lit(skill), players=pl.col("len").filter(measured).sum())
        )
    return pl.concat(counts)


def _aimed(by_tier: pl.DataFrame) -> pl.DataFrame:
    """Returns rows of a rank, once for each `rank_tier` whose cohort may include it, with the `step` above it."""
    steps = pl.DataFrame({"step": range(-FARTHEST, FARTHEST + 1)}, schema={"step": pl.Int32})
    return (
        by_tier.join(steps, how="cross")
        .with_columns(rank_tier=pl.col("tier") - pl.col("step"))
        .filter(pl.col("rank_tier").is_between(LOWEST_TIER, HIGHEST_TIER))
    )


def _windows(around: pl.DataFrame) -> pl.DataFrame:
    """Returns the cohorts with enough players for a feature, with the included ranks, `from_tier` to `to_tier`."""

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
    """Returns the ranks (`tier`) in each cohort."""
    tiers = pl.int_ranges("from_tier", pl.col("to_tier") + 1, dtype=pl.Int32)
    return windows.select(*COHORT, "feature", tier=tiers).explode("tier")


# --------------------------------------------------------------------------- how they are distributed


def _described(players: pl.DataFrame, matches: pl.LazyFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """Returns the distribution of each column in each cohort: rows of `rank_cohorts`.

    Args:
        players: result of `_players`, with the rank `tier`, and with `rank_tier` if the columns are valid only for the
            cohort of that rank.
        matches: the matches, with the same additional columns.
        windows: the cohorts of each column.
    """
    on = [name for name in (*_PLAYLIST, "tier", "rank_tier") if name in players.columns]
    members = _members(windows).lazy()
    names = windows.get_column("feature").unique().sort().to_list()
    frames: list[pl.DataFrame] = []
    for start in range(0, len(names), _AT_ONCE):
        # All columns at once would not fit into memory, and single columns would repeat the join.
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
        # A skill can lose players who know its features: duels have no team skills.
        .filter(pl.col("players") >= COHORT_PLAYERS)
        .with_columns(correlations=pl.lit(None, pl.List(pl.Float64)))
        .select(name for name in RankCohorts.schema())
        .with_columns(pl.when(numbers.abs() < _NOTHING).then(numbers * 0).otherwise(numbers.round_sig_figs(_DIGITS)))
    )


def _quantiles(values: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the quantiles of single matches of each cohort."""
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
