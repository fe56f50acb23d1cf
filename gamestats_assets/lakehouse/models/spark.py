"""Runs the SQL models, unchanged, on Apache Spark, in a local session or any other.

    with spark_session(threads=2, memory="2g", folder=Path("spill")) as session:
        frame = run_on_spark(session, model, {"demo.goals": lake.source(Goals)})

PySpark is an extra, `pip install 'gamestats[spark]'`, and Spark needs Java 17 or later.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.models.sql import (
    ParquetSource,
    Source,
    SqlModel,
    SqlModelError,
    expect_declared,
    expect_given,
)
from gamestats_assets.lakehouse.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession  # pyright: ignore[reportMissingImports]

_NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})
# Settings with which queries mean the same on Spark as in DuckDB; a cluster needs them, too.
_MEANING = {
    "spark.sql.session.timeZone": "UTC",
    # Overflows and values that do not fit are errors, not nulls.
    "spark.sql.ansi.enabled": "true",
    # A product of decimals keeps its digits.
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    # A partition such as 007 stays a text.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}


class SparkUnavailableError(GamestatsError):
    """Spark cannot be started here."""


def spark_session(threads: int, memory: str, folder: Path) -> SparkSession:
    """Starts a local Spark session in which models mean the same as in DuckDB.

    It listens only on the loopback address, and ends with `stop()` or as a context manager. A process has one session
    at a time. Its Java machine stays, so the first session determines the memory.

    Args:
        threads: number of tasks at a time.
        memory: size of the Java heap, such as `"2g"`.
        folder: folder for spilled and written files; created if missing.

    Raises:
        SparkUnavailableError: if PySpark or Java is missing, or Java does not start Spark.
    """
    java = _java()
    from pyspark.errors import PySparkRuntimeError  # pyright: ignore[reportMissingImports]
    from pyspark.logger import PySparkLogger  # pyright: ignore[reportMissingImports]
    from pyspark.sql import SparkSession  # pyright: ignore[reportMissingImports]

    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = _MEANING | {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": memory,
        "spark.driver.extraJavaOptions": f'-Djava.io.tmpdir="{folder}"',
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        # More than threads, so that large sorts fit; Spark merges small partitions again.
        "spark.sql.shuffle.partitions": str(4 * threads),
        "spark.ui.enabled": "false",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.appName("gamestats").master(f"local[{threads}]").config(map=settings)
    # Otherwise Spark looks up the machine's own address.
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    try:
        session = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise SparkUnavailableError(
            f"Spark did not start with {java}: it needs Java 17 or later, and {memory} of memory. {error}"
        ) from error
    # This logger prints every error that is raised.
    PySparkLogger.getLogger("SQLQueryContextLogger").disabled = True
    return session


def _java() -> str:
    """The Java that PySpark will start; if either is missing, the error says how to get it."""
    try:
        import pyspark  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise SparkUnavailableError(
            "Spark needs PySpark, which is not installed: pip install 'gamestats[spark]'."
        ) from error
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    if java is None:
        raise SparkUnavailableError(
            "Spark needs Java 17 or later, and there is none: install it (apt-get install openjdk-17-jre-headless), "
            "and have it on the PATH, or its folder in JAVA_HOME."
        )
    return java


def run_on_spark(
    session: SparkSession,
    model: SqlModel,
    sources: Mapping[str, Source],
    parameters: Mapping[str, Any] = _NO_PARAMETERS,
) -> pl.DataFrame:
    """Runs a model and returns its rows, with the declared columns in declared order and type.

    Spark reads the Parquet files of a source itself. Other sources and the result pass through Parquet files in its
    folder, since a transfer through the memory of its Java machine hangs when that runs out.

    Args:
        session: a session of `spark_session`, or another with the same settings and access to the files.
        model: the model.
        sources: as in `run_model`.
        parameters: as in `run_model`.

    Raises:
        SqlModelError: as in `run_model`.
    """
    from py4j.protocol import Py4JError  # pyright: ignore[reportMissingImports]
    from pyspark.errors import PySparkException  # pyright: ignore[reportMissingImports]

    expect_given(model, sources, parameters)
    text = spark_sql(model)
    with TemporaryDirectory(prefix="model-", dir=session.conf.get("spark.local.dir")) as folder:
        try:
            for name, table in model.reads.items():
                rows = _rows(session, table, sources[name], Path(folder))
                rows.createOrReplaceTempView(_view(table.spec.game, table.spec.name))
            result = session.sql(text, args=dict(parameters))
            expect_declared(model, result.dtypes, _empty(session, model.table).dtypes)
            written = Path(folder) / "result"
            result.select(*model.table.columns()).write.parquet(str(written))
            return pl.read_parquet(written / "*.parquet")
        except (PySparkException, Py4JError) as error:
            message = str(error).strip() or type(error).__name__
            raise SqlModelError(f"{model.path}: Spark refuses the query: {message.splitlines()[0]}") from error
        finally:
            for table in model.reads.values():
                session.catalog.dropTempView(_view(table.spec.game, table.spec.name))


def spark_sql(model: SqlModel) -> str:
    """Translates a model's query into Spark's dialect; parameters become `:name`, and tables views `game__table`.

    Implicit behaviour of DuckDB is made explicit where Spark differs: DuckDB divides and averages decimals as DOUBLE,
    Spark to a few decimal places; and for the difference of two times, DuckDB counts how often an hour, day etc.
    begins, Spark the complete ones.

    Raises:
        SqlModelError: if the text is not a query, or Spark has no equivalent of something in it.
    """
    try:
        tree = sqlglot.parse_one(model.text, dialect="duckdb")
        # Innermost nodes first, because inserting a node into another expression copies it.
        for node in reversed(list(tree.walk())):
            match node:
                case exp.Div() if not isinstance(node.this, exp.Div):
                    node.set("this", exp.cast(node.this, exp.DType.DOUBLE))
                case exp.Avg():
                    node.set("this", exp.cast(node.this, exp.DType.DOUBLE))
                case exp.DateDiff() if (unit := node.text("unit").upper()) != "MICROSECOND":
                    for side in ("this", "expression"):
                        time = node.args[side]
                        day, truncated = (
                            exp.cast(time, exp.DType.DATE),
                            exp.TimestampTrunc(this=time, unit=exp.var(unit)),
                        )
                        node.set(side, day if unit in ("DAY", "WEEK") else truncated)
                case exp.Table() if node.db:
                    # The views of a Spark session have no schema.
                    view = exp.table_(_view(node.db, node.name), alias=node.alias_or_name)
                    for part in ("this", "db", "alias"):
                        node.set(part, view.args.get(part))
                case exp.Column():
                    node.set("db", None)
        return tree.sql("spark", pretty=True, unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise SqlModelError(f"{model.path}: cannot be written for Spark: {error}") from error


def _view(game: str, name: str) -> str:
    return f"{game}__{name}".lower()


def _rows(session: SparkSession, table: type[Table], source: Source, folder: Path) -> DataFrame:
    """The rows of a source with exactly the declared columns and types; older files lack newer columns."""
    from pyspark.sql.functions import decode, encode  # pyright: ignore[reportMissingImports]

    if not isinstance(source, ParquetSource) or not source.files:
        rows = pl.LazyFrame(schema=table.schema()) if isinstance(source, ParquetSource) else source.lazy()
        file = folder / f"{_view(table.spec.game, table.spec.name)}.parquet"
        rows.collect(engine="streaming").write_parquet(file)
        source = ParquetSource([str(file)])
    root = Path(source.files[0]).parents[1 if source.partitioned_by else 0]
    frame = session.read.schema(_empty(session, table).schema).option("basePath", str(root))
    # Escapes glob characters in paths.
    frame = frame.parquet(*(re.sub(r"([\\*?\[\]{}])", r"\\\1", file) for file in source.files))
    if (parted := source.partitioned_by) and dict(frame.dtypes)[parted] == "string":
        # Spark decodes a letter written %C3%BC in a folder name as two.
        frame = frame.withColumn(parted, decode(encode(parted, "ISO-8859-1"), "UTF-8"))
    for column, values in source.only.items():
        frame = frame.where(frame[column].isin(list(values)))
    return frame.select(*table.columns())


def _empty(session: SparkSession, table: type[Table]) -> DataFrame:
    """An empty frame with the declared columns."""
    return session.createDataFrame(pl.DataFrame(schema=table.schema()).to_arrow())
