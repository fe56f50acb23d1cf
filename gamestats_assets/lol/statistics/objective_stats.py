"""Value of first objectives, and rules of objectives and leads that go with winning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import dataframely as dy
import numpy as np
import polars as pl

from gamestats_assets.lol.matches.features import taken_by
from gamestats_assets.lol.matches.tables import Objectives, ParticipantFeatures
from gamestats_assets.lol.patterns.patterns import compare_cells, objective_cells
from gamestats_assets.lol.statistics.tables import FirstObjectiveStats, ObjectiveDecisionTree

FEWEST_GAMES = 20
"""Number of games below which an objective of a queue has no row."""
_OF_QUEUE = ["patch", "queue_group"]


def first_objective_stats(objectives: dy.LazyFrame[Objectives]) -> dy.LazyFrame[FirstObjectiveStats]:
    """Returns per queue and objective how often the team that took it first won, and the effect at equal gold before.

    The naive effect is the win rate of teams that took it minus that of their opponents, which is one minus it.
    """
    from gamestats_assets.lol.statistics.arrays.discovery_rate import q_value
    from gamestats_assets.lol.statistics.arrays.intervals import wilson

    counted = pl.col("in_statistics") & (pl.col("number_in_match") == 1) & pl.col("won").is_not_null()
    known = objectives.filter(counted).collect()
    rows = (
        known.group_by(*_OF_QUEUE, "objective", maintain_order=True)
        .agg(
            games=pl.len(),
            wins=pl.col("won").sum(),
            at_s=pl.col("at_s").median(),
            team_gold_diff_before=pl.col("team_gold_diff_before").mean(),
        )
        .filter(pl.col("games") >= FEWEST_GAMES)
    )
    if rows.is_empty():
        return FirstObjectiveStats.create_empty(lazy=True)
    rates = wilson(rows.get_column("wins").to_numpy(), rows.get_column("games").to_numpy())
    win_rate = pl.col("wins") / pl.col("games")
    rows = rows.with_columns(
        win_rate=win_rate,
        naive_effect=2 * win_rate - 1,
        win_rate_low=pl.Series(rates.low),
        win_rate_high=pl.Series(rates.high),
    )
    adjusted = [
        compare_cells([*objective_cells(of.lazy(), minimum=1)], minimum=FEWEST_GAMES // 4).with_columns(
            patch=pl.lit(patch)
        )
        for (patch,), of in known.group_by("patch", maintain_order=True)
    ]
    effects = [
        each.select(
            *_OF_QUEUE,
            objective=pl.col("condition_key").str.strip_prefix("objective "),
            adjusted_effect="effect",
            adjusted_low="effect_low",
            adjusted_high="effect_high",
            p_value="p_value",
        )
        for each in adjusted
        if each.height
    ]
    nothing = pl.DataFrame(schema=FirstObjectiveStats.schema()).select(
        *_OF_QUEUE, "objective", "adjusted_effect", "adjusted_low", "adjusted_high", "p_value"
    )
    result = rows.join(pl.concat(effects) if effects else nothing, on=[*_OF_QUEUE, "objective"], how="left").fill_nan(
        None
    )
    result = result.with_columns(q_value=q_value(pl.col("p_value")).over("patch"))
    return FirstObjectiveStats.cast(result.lazy())


# --------------------------------------------------------------------------- decision tree

DEPTH = 4
_SMALLEST_LEAF = 0.02
_FEWEST_OF_LEAF = 20
_FEWEST_TEAMS = 200
_MINUTE = 15
_TAKEN: Mapping[str, str] = {
    "blood": "first blood",
    "dragon": "the first dragon",
    "herald": "the first herald",
    "grubs": "the first void grub",
    "tower": "the first tower",
}
_LEADS: Mapping[str, str] = {
    "team_gold_diff_at_10": "gold difference after 10 minutes",
    "team_gold_diff_at_15": "gold difference after 15 minutes",
}


def objective_decision_tree(features: dy.LazyFrame[ParticipantFeatures]) -> dy.LazyFrame[ObjectiveDecisionTree]:
    """Returns a tree of at most four decisions per queue, grown on one half of the matches and evaluated on the other.

    One row of input is the state of a team after 15 minutes; objectives that neither team had taken by then count as
    not taken.
    """
    teams = (
        features.filter(pl.col("has_timeline") & (pl.col("duration_s") >= 60 * _MINUTE))
        .with_columns(taken_by(name, _MINUTE).cast(pl.Float64).alias(name) for name in _TAKEN)
        .select("patch", "queue_group", "match_id", "team_id", "held_out", "won", *_TAKEN, *_LEADS)
        .unique(["match_id", "team_id"], keep="any")
        .drop_nulls([*_LEADS])
        .sort("match_id", "team_id")
        .collect()
    )
    found = [
        {"patch": patch, "queue_group": queue, **leaf}
        for (patch, queue), rows in teams.group_by(_OF_QUEUE, maintain_order=True)
        for leaf in _leaves(rows)
    ]
    if not found:
        return ObjectiveDecisionTree.create_empty(lazy=True)
    rows = pl.DataFrame(found, infer_schema_length=None).fill_nan(None)
    return ObjectiveDecisionTree.cast(rows.lazy())


def _leaves(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    from gamestats_assets.lol.statistics.arrays.intervals import wilson

    values = rows.select(*_TAKEN, *_LEADS).to_numpy()
    won = rows.get_column("won").to_numpy()
    held = rows.get_column("held_out").to_numpy()
    if min(held.sum(), (~held).sum()) < _FEWEST_TEAMS or len(np.unique(won[~held])) < 2:
        return
    # Takes a second to load, which few matches can do without.
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_depth=DEPTH,
        min_samples_leaf=max(_FEWEST_OF_LEAF, round(_SMALLEST_LEAF * (~held).sum())),
        random_state=0,
    )
    tree.fit(values[~held], won[~held])
    # Rounded to whole gold before counting, so that a rule matches its text.
    is_lead = tree.tree_.feature >= len(_TAKEN)
    tree.tree_.threshold[is_lead] = np.floor(tree.tree_.threshold[is_lead])
    accuracy = float(tree.score(values[held], won[held]))
    leaf_of = tree.apply(values)
    for number, (leaf, conditions) in enumerate(_paths(tree.tree_)):
        grown, tried = won[~held & (leaf_of == leaf)], won[held & (leaf_of == leaf)]
        rates = wilson([tried.sum()], [len(tried)])
        yield {
            "leaf": number,
            "rule": _rule(conditions),
            "depth": len(conditions),
            "games": len(tried),
            "wins": int(tried.sum()),
            "win_rate": float(tried.mean()) if len(tried) else None,
            "win_rate_low": float(rates.low[0]),
            "win_rate_high": float(rates.high[0]),
            "grown_games": len(grown),
            "grown_win_rate": float(grown.mean()),
            "accuracy": accuracy,
        }


_Condition = tuple[int, float, bool]


def _paths(
    tree: Any, node: int = 0, so_far: tuple[_Condition, ...] = ()
) -> Iterator[tuple[int, tuple[_Condition, ...]]]:
    """Yields each leaf with the conditions that lead to it: variable, threshold, and whether it is above."""
    if tree.children_left[node] < 0:
        yield node, so_far
        return
    variable, threshold = int(tree.feature[node]), float(tree.threshold[node])
    yield from _paths(tree, tree.children_left[node], (*so_far, (variable, threshold, False)))
    yield from _paths(tree, tree.children_right[node], (*so_far, (variable, threshold, True)))


def _rule(conditions: tuple[_Condition, ...]) -> str:
    """Returns conditions in words; several conditions on one lead become the narrowest range."""
    names = [*_TAKEN, *_LEADS]
    least: dict[str, float] = {}
    most: dict[str, float] = {}
    taken: dict[str, bool] = {}
    for variable, threshold, above in conditions:
        name = names[variable]
        if name in _TAKEN:
            taken[name] = above
        elif above:
            least[name] = max(threshold, least.get(name, threshold))
        else:
            most[name] = min(threshold, most.get(name, threshold))
    parts = [f"{'took' if has else 'did not take'} {_TAKEN[name]}" for name, has in taken.items()]
    for name, words in _LEADS.items():
        if name in least and name in most:
            parts.append(f"{words} between {least[name]:+,.0f} and {most[name]:+,.0f}")
        elif name in least:
            parts.append(f"{words} above {least[name]:+,.0f}")
        elif name in most:
            parts.append(f"{words} at most {most[name]:+,.0f}")
    return " and ".join(parts) or "every game"
