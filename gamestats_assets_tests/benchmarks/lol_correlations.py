"""How fast all pairs of many variables are correlated, both ways and with p-values, and the memory it takes.

    python -m gamestats_assets_tests.benchmarks.lol_correlations --rows 1000000 --variables 300

Prints one JSON object. The variables are float32 and go together more or less; every third is of whole numbers, and
of every tenth a twentieth is missing. Memory is that of the whole process, the variables included, so each layout is
measured in a process of its own: a variable's values side by side as in a column store, or a row's. Some pairs are
held against SciPy's coefficients of the same values.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import platform
import resource
import time
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Layout = Literal["columns", "rows"]
PLAYERS_OF_A_MATCH = 10
_CHECKED = 5
"""Pairs that are held against SciPy's."""


def variables(rows: int, count: int, layout: Layout, seed: int = 0) -> npt.NDArray[np.float32]:
    """Such variables: (rows, count); the same for the same seed."""
    random = np.random.default_rng(seed)
    values = np.empty((count, rows), np.float32).T if layout == "columns" else np.empty((rows, count), np.float32)
    shared = random.standard_normal(rows, dtype=np.float32)
    for index in range(count):
        column = random.standard_normal(rows, dtype=np.float32) + shared * (index % 7 / 7)
        if index % 3 == 1:
            column = np.floor(3 * np.exp(column))
        if index % 10 == 0:
            column[random.random(rows) < 0.05] = np.nan
        values[:, index] = column
    return values


def measure(rows: int, count: int, layout: Layout) -> dict[str, Any]:
    """One layout, in this process."""
    from scipy import stats

    from gamestats_assets.lol.statistics.arrays.correlations import correlations

    values = variables(rows, count, layout)
    started, used = time.perf_counter(), time.process_time()
    told = correlations(values, rows / PLAYERS_OF_A_MATCH)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    whole = [index for index in range(count) if index % 10][: _CHECKED + 1]
    off = [0.0]
    for first, second in itertools.pairwise(whole):
        x, y = values[:, first].astype(float), values[:, second].astype(float)
        off += [
            abs(float(np.corrcoef(x, y)[0, 1]) - told.pearson[first, second]),
            abs(float(np.asarray(stats.spearmanr(x, y))[0]) - told.spearman[first, second]),
        ]
    pairs = count * (count - 1) // 2
    return {
        "layout": layout,
        "pairs": pairs,
        "seconds": round(seconds, 2),
        "cpu_s": round(cpu, 2),
        "pairs_per_minute": round(pairs / seconds * 60),
        "variables_mb": round(values.nbytes / 2**20),
        "peak_memory_mb": round(peak),
        "largest_difference_from_scipy": max(off),
    }


def benchmark(rows: int, count: int) -> dict[str, Any]:
    """Each layout in a process of its own."""
    context, runs = multiprocessing.get_context("spawn"), []
    layouts: tuple[Layout, ...] = ("columns", "rows")
    for layout in layouts:
        with context.Pool(1) as pool:
            runs.append(pool.apply(measure, (rows, count, layout)))
    return {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "rows": rows,
        "variables": count,
        "runs": runs,
    }


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--variables", type=int, default=300)
    given = parser.parse_args()
    print(json.dumps(benchmark(given.rows, given.variables), indent=1))


if __name__ == "__main__":
    main()
