"""How fast patterns are discovered, and how honest the discovery is: false finds, and power beside the theoretical.

    python -m gamestats_assets_tests.benchmarks.lol_discovery speed --matches 100000
    python -m gamestats_assets_tests.benchmarks.lol_discovery errors --sets 200
    python -m gamestats_assets_tests.benchmarks.lol_discovery power --sets 50

`speed` simulates matches straight to silver and times what is made of them: the wide rows, the tests and the patterns
(`discovery_s`), and every other statistic of the patch beside. `errors` simulates data sets with one planted item, one
planted objective and some two hundred true nulls each, and tells the share of false finds among what is found, with
its Monte Carlo error. `power` plants an item of 3 points at 15,000 games an arm, or one of 10 points at 2,000, and
tells how often it is found, beside what theory says. Each prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.lakehouse.quality import screen, table_inputs
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.matches.features import participant_features
from gamestats_assets.lol.patterns.patterns import LEVEL, discovered_patterns, is_tried, pattern_tests
from gamestats_assets.lol.reference.patches import FeaturesTaken, ObjectivesTaken, patches
from gamestats_assets.lol.statistics.arrays.power import power_of_rates
from gamestats_assets.lol.statistics.build_stats import item_build_stats, skill_order_stats
from gamestats_assets.lol.statistics.item_paths import item_path_sequences
from gamestats_assets.lol.statistics.objective_stats import first_objective_stats, objective_decision_tree
from gamestats_assets.lol.statistics.variables import outcome_models, variable_correlations, vision_survival
from gamestats_assets.lol.tables import ALL, ParticipantFeatures
from gamestats_assets.simulators.lol.plan import Effect, Plan
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets_tests.lol.patterns.discoveries import FEW_CHAMPIONS, discovered, false_share
from gamestats_assets_tests.lol.silver import silver

PATCH = (("13.14", 1.0),)
DISCOVERY = (participant_features, patches, vision_survival, pattern_tests, discovered_patterns)
"""What patterns are discovered by, from silver on."""
BESIDE = (
    item_build_stats,
    skill_order_stats,
    first_objective_stats,
    variable_correlations,
    outcome_models,
    objective_decision_tree,
    item_path_sequences,
)
ARMS = {"3 points": (0.03, 15_000), "10 points": (0.10, 2_000)}
"""Planted effects, and games in each arm."""


def make(function: Callable[..., Any], frames: dict[type[Table], pl.DataFrame]) -> pl.DataFrame:
    """Make a table of others, screened as before a commit, and put it with them."""
    table: type[Table] = typing.get_args(typing.get_type_hints(function)["return"])[0]
    rows = function(**{name: frames[source].lazy() for name, source in table_inputs(function).items()})
    screened = screen(table, rows.select(table.column_names()).collect(engine="streaming"))
    assert not screened.rejections, (table.spec.name, screened.rejections[0].reason)
    frames[table] = screened.rows
    return screened.rows


def speed(matches: int) -> dict[str, Any]:
    """Time of every table of a patch."""
    plan = Plan(matches=matches, patches=PATCH, effects=(Effect(kind="objective", objective="dragon", points=0.05),))
    frames = silver(simulate(plan))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seconds: dict[str, float] = {}
    peaks: dict[str, float] = {}
    for function in (*DISCOVERY, *BESIDE):
        if function is patches:
            _enter(frames)
        began = time.perf_counter()
        rows = make(function, frames).height
        seconds[function.__name__] = round(time.perf_counter() - began, 2)
        peaks[function.__name__] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
        print(f"{function.__name__}: {rows:,} rows in {seconds[function.__name__]} s", flush=True, file=sys.stderr)
    return {
        "matches": matches,
        "participants": frames[ParticipantFeatures].height,
        "tests": frames[_table("pattern_tests")].height,
        "found": frames[_table("discovered_patterns")].height,
        "discovery_s": round(sum(seconds[function.__name__] for function in DISCOVERY), 2),
        "all_statistics_s": round(sum(seconds.values()), 2),
        "seconds": seconds,
        "peak_gb": peaks,
        "simulation_peak_gb": round(before, 2),
        "cores": os.cpu_count(),
    }


def _table(name: str) -> type[Table]:
    return next(table for table in ALL if table.spec.name == name)


def _enter(frames: dict[type[Table], pl.DataFrame]) -> None:
    """The ledgers of wide rows and objectives, as their steps would leave them."""
    matches = frames[ParticipantFeatures].select("match_id", "match_date").unique()
    frames[FeaturesTaken] = frames[ObjectivesTaken] = matches.select(
        partition_key=pl.col("match_date").cast(pl.String), unit_id="match_id", rows_hash="match_id"
    )


def plan_of_errors(seed: int, matches: int) -> Plan:
    """A data set with two planted effects among some two hundred hypotheses."""
    return Plan(
        matches=matches,
        patches=PATCH,
        seed=seed,
        champions=FEW_CHAMPIONS,
        effects=(
            Effect(kind="item", champion="Ezreal", position="BOTTOM", core_order=1, item=3078, points=0.12),
            Effect(kind="objective", objective="dragon", points=0.15),
        ),
    )


def errors(sets: int, matches: int, first_seed: int = 0) -> dict[str, Any]:
    """The realised false discovery rate over data sets."""
    shares: list[float] = []
    nulls = tests = false = found = small = 0
    for seed in range(first_seed, first_seed + sets):
        told = discovered(plan_of_errors(seed, matches))
        shares.append(false_share(told))
        of_null = told.filter("is_null")
        tests, nulls = tests + told.height, nulls + of_null.height
        found, false = found + told.get_column("is_found").sum(), false + of_null.get_column("is_found").sum()
        small += (of_null.get_column("p_value") <= LEVEL).sum()
    return {
        "sets": sets,
        "matches_a_set": matches,
        "tests": tests,
        "true_nulls": nulls,
        "found": found,
        "falsely_found": false,
        "realised_false_discovery_rate": round(float(np.mean(shares)), 4),
        "monte_carlo_error": round(float(np.std(shares, ddof=1) / sets**0.5), 4) if sets > 1 else None,
        "level": LEVEL,
        "expected_of_benjamini_hochberg": round(LEVEL * nulls / tests, 4),
        "true_nulls_with_p_of_0.05_or_less": round(small / nulls, 4),
    }


def plan_of_power(points: float, games: int, seed: int) -> Plan:
    """One planted item with about so many games in each arm."""
    return Plan(
        # Of three champions two play; not all of them get to a first core item, and it is one of several.
        matches=int(games * 3 * 1.15),
        patches=PATCH,
        seed=seed,
        champions=FEW_CHAMPIONS,
        effects=(Effect(kind="item", champion="Ezreal", position="BOTTOM", core_order=1, item=3078, points=points),),
    )


def power(sets: int) -> dict[str, Any]:
    """How often planted effects are found, beside the theoretical power at the p that counts as found."""
    result: dict[str, Any] = {"sets": sets}
    for name, (points, games) in ARMS.items():
        found: list[bool] = []
        by_half: list[bool] = []
        replicated: list[bool] = []
        theory: list[float] = []
        estimates: list[float] = []
        sizes: list[float] = []
        for seed in range(sets):
            told = discovered(plan_of_power(points, games, seed))
            (row,) = told.filter(
                (pl.col("family") == "item") & (pl.col("condition_key") == "item 3078 1st") & ~pl.col("is_null")
            ).to_dicts()
            cut = LEVEL * max(told.get_column("is_found").sum(), 1) / told.height
            arms = (row["games"], row["baseline_games"])
            theory.append(float(power_of_rates(points, row["baseline_value"], *arms, alpha=cut)))
            found.append(row["is_found"])
            by_half.append(is_tried(row))
            replicated.append(bool(row["is_replicated"]))
            estimates.append(row["effect"])
            sizes += arms
        result[name] = {
            "games_in_each_arm": round(float(np.mean(sizes))),
            "power": float(np.mean(found)),
            "theoretical_power": round(float(np.mean(theory)), 3),
            "found_by_the_discovery_half_alone": float(np.mean(by_half)),
            "replicated_on_the_held_out_half": float(np.mean(replicated)),
            "mean_effect": round(float(np.mean(estimates)), 4),
        }
    return result


def main() -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for_speed = commands.add_parser("speed")
    for_speed.add_argument("--matches", type=int, default=100_000)
    for_errors = commands.add_parser("errors")
    for_errors.add_argument("--sets", type=int, default=200)
    for_errors.add_argument("--matches", type=int, default=3_000, help="matches of a set")
    for_power = commands.add_parser("power")
    for_power.add_argument("--sets", type=int, default=20)
    given = vars(parser.parse_args())
    runs: Mapping[str, Callable[..., dict[str, Any]]] = {"speed": speed, "errors": errors, "power": power}
    print(json.dumps(runs[given.pop("command")](**given), indent=2))


if __name__ == "__main__":
    main()
