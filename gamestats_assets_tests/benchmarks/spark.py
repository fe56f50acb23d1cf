"""How long a game's SQL models take on DuckDB and on Spark over the same files, and whether they give the same rows.

    python -m gamestats_assets_tests.benchmarks.spark --lake data/lake --game l2m --threads 2 --memory 6g

Every model in `sql/<game>` runs over all partitions of the tables it reads, as they stand in the lake: first on DuckDB,
then on Spark on this machine, each with the same threads and memory; the results are compared row by row. What Spark
takes to start is told apart; `--repeat 2` leaves out what its first run takes to compile. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.models.spark import run_on_spark, spark_session
from gamestats_assets.lakehouse.models.sql import SqlModel, SqlModelError, run_model
from gamestats_assets.lakehouse.table import is_day
from gamestats_assets.settings import shipped
from gamestats_assets_tests.support.frames import KNOWN, differences

_EXAMPLES = 5


def compare(
    session: Any,
    lake: Lake,
    game: str,
    config: Mapping[str, Any],
    parameters: Mapping[str, Any] | None = None,
    *,
    only: str | None = None,
    repeat: int = 1,
) -> list[dict[str, Any]]:
    """Run the models of a game on both engines.

    Args:
        session: of `spark_session`.
        lake: where the tables are that the models read.
        game: folder of `sql/`.
        config: settings of DuckDB, such as its limits.
        parameters: values that models may bind; each takes those that it names.
        only: name of a single table whose model is run.
        repeat: times each runs; the shortest counts.

    Returns:
        For each model: rows read and made, seconds on either engine, `ratio` (Spark's seconds by DuckDB's), whether
        all rows are equal, the number of differences and the first of them; or the `error` of the engine that
        could not run it.
    """
    given = parameters or {}
    told: list[dict[str, Any]] = []
    for path in sorted(shipped("sql", game).glob(f"{only or '*'}.sql")):
        table = KNOWN[f"{game}.{path.stem}"]
        model = SqlModel.load(path, table, KNOWN, given)
        sources = {name: lake.source(read) for name, read in model.reads.items()}
        bound = {name: given[name] for name in model.parameters}
        states = [state for read in model.reads.values() if (state := lake.state(read)) is not None]
        said = {"model": table.spec.dotted, "input_rows": sum(state.rows for state in states)}
        try:
            duckdb, duckdb_s = _timed(lambda: run_model(model, sources, bound, config=config), repeat)  # noqa: B023
            spark, spark_s = _timed(lambda: run_on_spark(session, model, sources, bound), repeat)  # noqa: B023
        except SqlModelError as error:
            told.append(said | {"equal": False, "error": str(error)})
            continue
        found = differences(duckdb, spark, table.primary_key())
        told.append(
            said
            | {
                "rows": duckdb.height,
                "duckdb_s": round(duckdb_s, 3),
                "spark_s": round(spark_s, 3),
                "ratio": round(spark_s / duckdb_s, 2),
                "equal": found.is_empty(),
                "different_values": found.height,
                "differences": [[str(value) for value in row] for row in found.head(_EXAMPLES).rows()],
            }
        )
    return told


def _timed(run: Callable[[], pl.DataFrame], repeat: int) -> tuple[pl.DataFrame, float]:
    frame, best = pl.DataFrame(), float("inf")
    for _ in range(repeat):
        started = time.perf_counter()
        frame = run()
        best = min(best, time.perf_counter() - started)
    return frame, best


def _value(text: str) -> Any:
    """A day where it is written as one; a number, or else the text itself."""
    if is_day(text):
        return pl.Series([text]).str.to_date()[0]
    try:
        return json.loads(text)
    except ValueError:
        return text


def report(
    lake: Path,
    game: str,
    parameters: Mapping[str, Any],
    threads: int,
    memory: str,
    spill: Path | None = None,
    only: str | None = None,
    repeat: int = 1,
) -> dict[str, Any]:
    """What the benchmark prints, see the module's docstring and `compare`."""
    with tempfile.TemporaryDirectory(dir=spill) as folder:
        limit = f"{memory.rstrip('bB')}B".upper()
        config = {"memory_limit": limit, "threads": threads, "temp_directory": folder}
        started = time.perf_counter()
        with spark_session(threads, memory, Path(folder, "spark")) as session:
            start_s = time.perf_counter() - started
            models = compare(session, Lake(lake), game, config, parameters, only=only, repeat=repeat)
    return {
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "pyspark": version("pyspark"),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory": memory,
        "game": game,
        "spark_start_s": round(start_s, 2),
        "equal": all(one["equal"] for one in models),
        "models": models,
    }


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", type=Path, required=True, help="folder of the Delta tables")
    parser.add_argument("--game", required=True, help="folder of sql/")
    parser.add_argument("--only", help="the model of this table alone")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a value that models bind"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--memory", default="4g", help="of either engine, such as 4g")
    parser.add_argument("--repeat", type=int, default=1, help="times each model runs; the shortest counts")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the engines spill")
    given = parser.parse_args()
    parameters = {name: _value(text) for name, _, text in (one.partition("=") for one in given.parameter)}
    told = report(
        given.lake, given.game, parameters, given.threads, given.memory, given.folder, given.only, given.repeat
    )
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
