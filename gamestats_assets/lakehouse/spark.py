"""SQL models on Apache Spark: the models that DuckDB runs, unchanged, on a local session or on any other.

    with spark_session(threads=2, memory="2g", folder=Path("spill")) as session:
        frame = run_on_spark(session, model, {"demo.goals": lake.source(Goals)})

PySpark is an extra, `pip install 'gamestats[spark]'`, and Spark needs Java 17 or later.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl
import sqlglot
from sqlglot import exp

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.sql import (
    ParquetSource,
    Source,
    SqlModel,
    SqlModelError,
    declared_rows,
    declared_types,
    expect_given,
    refuse_lossy,
    sql_type,
)
from gamestats_assets.lakehouse.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession  # pyright: ignore[reportMissingImports]

_NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})
# What makes a query mean on Spark what it means in DuckDB; a cluster needs the same.
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
# DuckDB's names of the types that Spark calls something else.
_DUCKDB_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
    "void": '"NULL"',
}


class SparkUnavailableError(GamestatsError):
    """Spark cannot be started here."""


def spark_session(threads: int, memory: str, folder: Path) -> SparkSession:
    """A Spark session inside this machine, in which models mean what they mean in DuckDB.

    It listens on the loopback address only, and ends with `stop()` or as a context manager. A process has one
    at a time; its Java machine stays, so that the first session decides on the memory.

    Args:
        threads: tasks at a time.
        memory: size of the Java heap, such as `"2g"`.
        folder: where it spills and writes; made when it is absent.

    Raises:
        SparkUnavailableError: when PySpark or Java is missing, or the Java found does not start Spark.
    """
    refuse_without_spark()
    from pyspark.errors import PySparkRuntimeError  # pyright: ignore[reportMissingImports]
    from pyspark.logger import PySparkLogger  # pyright: ignore[reportMissingImports]
    from pyspark.sql import SparkSession  # pyright: ignore[reportMissingImports]

    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = _MEANING | {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": memory,
        "spark.driver.maxResultSize": "0",
        "spark.driver.extraJavaOptions": f'-Djava.io.tmpdir="{folder}" -Dderby.system.home="{folder}"',
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        # More than threads, so that a large sort fits; Spark joins small ones together again.
        "spark.sql.shuffle.partitions": str(4 * threads),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.appName("gamestats").master(f"local[{threads}]").config(map=settings)
    # Else it looks the machine's own address up.
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    try:
        session = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise SparkUnavailableError(
            f"Spark did not start with {_java()}: it needs Java 17 or later, and {memory} of memory. {error}"
        ) from error
    # It prints every error that is raised.
    PySparkLogger.getLogger("SQLQueryContextLogger").disabled = True
    return session


def refuse_without_spark() -> None:
    """Look whether PySpark and Java are here, without starting anything.

    Raises:
        SparkUnavailableError: when one is missing, with how to get it.
    """
    try:
        import pyspark  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise SparkUnavailableError(
            "Spark needs PySpark, which is not installed: pip install 'gamestats[spark]'."
        ) from error
    if _java() is None:
        raise SparkUnavailableError(
            "Spark needs Java 17 or later, and there is none: install it (apt-get install openjdk-17-jre-headless), "
            "and have it on the PATH, or its folder in JAVA_HOME."
        )


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")


def run_on_spark(
    session: SparkSession,
    model: SqlModel,
    sources: Mapping[str, Source],
    parameters: Mapping[str, Any] = _NO_PARAMETERS,
) -> pl.DataFrame:
    """The model's rows, with the declared columns in declared order and type.

    Spark reads the Parquet files of a source itself; other sources, and the result, go through Parquet files in
    its folder, because what goes through the memory of its Java machine waits for ever when that runs out.

    Args:
        session: of `spark_session`, or any other with the same settings that reaches the files.
        model: what to run.
        sources: rows of every table the model names, by `game.table`.
        parameters: value of every `$name` of the model.

    Raises:
        SqlModelError: as `run_model` does.
    """
    expect_given(model, sources, parameters)
    views = {name: f"{table.spec.game}__{table.spec.name}" for name, table in model.reads.items()}
    with (
        TemporaryDirectory(prefix="model-", dir=session.conf.get("spark.local.dir")) as folder,
        _blamed_on(model),
    ):
        try:
            for name, table in model.reads.items():
                _rows(session, table, sources[name], Path(folder)).createOrReplaceTempView(views[name])
            result = session.sql(_of_views(model, views), args=dict(parameters))
            refuse_lossy(model, {field.name: _duckdb_type(field.dataType.simpleString()) for field in result.schema})
            for field in result.schema:
                if field.dataType.typeName() == "void":
                    # Parquet has no such type.
                    result = result.withColumn(field.name, result[field.name].cast("string"))
            written = Path(folder) / "result"
            result.select(*model.table.columns()).write.parquet(str(written))
            return declared_types(pl.read_parquet(written / "*.parquet"), model)
        finally:
            for view in views.values():
                session.catalog.dropTempView(view)


def _of_views(model: SqlModel, views: Mapping[str, str]) -> str:
    """The model's Spark SQL with each table replaced by its view: Spark's views of a session have no schema."""
    tree = sqlglot.parse_one(model.spark_sql, dialect="spark")
    for node in tree.find_all(exp.Table):
        if node.db:
            view = exp.table_(views[f"{node.db}.{node.name}".lower()], alias=node.alias_or_name)
            for part in ("this", "db", "alias"):
                node.set(part, view.args.get(part))
    for column in tree.find_all(exp.Column):
        column.set("db", None)
    return tree.sql("spark")


def _rows(session: SparkSession, table: type[Table], source: Source, folder: Path) -> DataFrame:
    """A source with exactly the declared columns and types; older files lack newer columns."""
    from pyspark.sql.functions import decode, encode  # pyright: ignore[reportMissingImports]

    if not isinstance(source, ParquetSource) or not source.files:
        file = folder / f"{table.spec.game}__{table.spec.name}.parquet"
        declared_rows(table, source).write_parquet(file)
        source = ParquetSource([str(file)])
    files = list(source.files)
    root = Path(files[0]).parents[len(source.hive_types)]
    frame = (
        session.read.schema(", ".join(f"`{name}` {_spark_type(dtype)}" for name, dtype in table.schema().items()))
        .option("basePath", str(root))
        .parquet(*map(_literal, files))
    )
    for column, hive_type in source.hive_types.items():
        if hive_type == "VARCHAR":
            # Of a letter written %C3%BC in a folder's name Spark makes two.
            frame = frame.withColumn(column, decode(encode(column, "ISO-8859-1"), "UTF-8"))
    for column, values in source.only.items():
        frame = frame.where(frame[column].isin(list(values)))
    return frame.select(*table.columns())


def _literal(path: str) -> str:
    """A path whose brackets and stars are no pattern."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)


def _spark_type(dtype: pl.DataType) -> str:
    return exp.DataType.build(sql_type(dtype), dialect="duckdb").sql("spark")


def _duckdb_type(spark: str) -> str:
    """DuckDB's name of a type by Spark's.

    >>> _duckdb_type("array<decimal(12,2)>"), _duckdb_type("string")
    ('DECIMAL(12,2)[]', 'VARCHAR')
    """
    if spark.startswith("array<"):
        return f"{_duckdb_type(spark[6:-1])}[]"
    return _DUCKDB_TYPES.get(spark, spark.upper())


@contextmanager
def _blamed_on(model: SqlModel) -> Iterator[None]:
    from py4j.protocol import Py4JError  # pyright: ignore[reportMissingImports]
    from pyspark.errors import PySparkException  # pyright: ignore[reportMissingImports]

    try:
        yield
    except (PySparkException, Py4JError) as error:
        said = str(error).strip() or type(error).__name__
        raise SqlModelError(f"{model.path}: Spark refuses the query: {said.splitlines()[0]}") from error
