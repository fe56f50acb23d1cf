"""SQL over the lake: the models under `sql/`, and the questions people ask, on embedded DuckDB.

A model is one SELECT in `sql/<game>/<table>.sql` that makes the table of the same name. It names
the tables it reads as `game.table`, so its text alone tells what it depends on. Running it
binds parameters, shows every table it names as a view with the declared columns, and casts the
result to the declared types, refusing what a cast would change.

    model = SqlModel.load(folder / "demo" / "totals.sql", Totals, {"demo.goals": Goals})
    frame = run_model(model, {"demo.goals": ParquetSource(files, {"day": "DATE"})})

A model keeps to the SQL that means the same on Spark. `model_text.objections` knows the differences that are
easily met, and tests run every model on both engines. What neither sees is left to its author, who

- divides by nullif(x, 0): a zero there is infinite in DuckDB and an error on Spark;
- takes ln of what is above 0: of the rest Spark says null, DuckDB minus infinity or an error;
- sums fractions as DECIMAL wherever the last digit counts: a sum of DOUBLE follows the order of its rows;
- gives lower and upper plain letters: of the likes of ß and İ the engines make different ones.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import duckdb
import polars as pl
from duckdb import ColumnExpression, ConstantExpression, DuckDBPyConnection, DuckDBPyRelation
from polars import selectors

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.settings import Settings

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType
    from pyarrow.dataset import Dataset

    from gamestats_assets.lakehouse.table import Table

_NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})
_READ_PARQUET = """
    FROM read_parquet($files, hive_partitioning = true, union_by_name = true, hive_types = $hive_types)
"""


class SqlModelError(GamestatsError):
    """A SQL model cannot be read, or its result is not what its table declares."""


class QueryError(GamestatsError):
    """A question to the lake cannot be answered as it is written."""


# --- What a model or a query reads -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """Rows of one table in Parquet files on local disk.

    Attributes:
        files: paths of the files, as Delta lists them; none means no rows.
        hive_types: DuckDB type of each column that stands in the folder names
            (`{"day": "DATE"}`); empty when there is none.
        only: column to the values wanted; rows with another value are left out.
    """

    files: Sequence[str]
    hive_types: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, Collection[Any]] = field(default_factory=dict)


Source: TypeAlias = "ParquetSource | pl.LazyFrame | pl.DataFrame | Dataset"
"""What a table's rows can be read from.

A Dataset is read batch by batch, and is the way to read an object store; a LazyFrame is
collected first.
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """Limits of one DuckDB session; None leaves DuckDB's own default.

    Attributes:
        memory_limit: memory DuckDB may use before it spills, such as `"2GB"`.
        threads: worker threads.
        temp_directory: folder it spills to.
    """

    memory_limit: str | None = None
    threads: int | None = None
    temp_directory: Path | None = None

    def _config(self) -> dict[str, str | bool | int | float | list[str]]:
        chosen = {
            "memory_limit": self.memory_limit,
            "threads": self.threads,
            "temp_directory": str(self.temp_directory) if self.temp_directory else None,
        }
        # Off, so that no statement can make the engine download something.
        return {"autoinstall_known_extensions": "false"} | {k: v for k, v in chosen.items() if v is not None}


# --- Types -----------------------------------------------------------------------------------

_SQL_TYPES: Mapping[type[pl.DataType], str] = {
    pl.Boolean: "BOOLEAN",
    pl.Int8: "TINYINT",
    pl.Int16: "SMALLINT",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.Float32: "FLOAT",
    pl.Float64: "DOUBLE",
    pl.String: "VARCHAR",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMP WITH TIME ZONE",
}
# Bits of value an integer type can hold.
_INTEGER_BITS: Mapping[str, int] = {
    "TINYINT": 7,
    "UTINYINT": 8,
    "SMALLINT": 15,
    "USMALLINT": 16,
    "INTEGER": 31,
    "UINTEGER": 32,
    "BIGINT": 63,
    "UBIGINT": 64,
    "HUGEINT": 127,
}
_EXACT_BITS: Mapping[str, int] = {"FLOAT": 24, "DOUBLE": 53}
# Types that polars cannot take, also as part of a list or a struct.
_NOT_IN_FRAMES = re.compile(r"INTERVAL|UNION|BIT\b|BIGNUM|VARIANT|\bTIME WITH")
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


def sql_type(dtype: pl.DataType) -> str:
    """DuckDB's name of a declared column type.

    >>> sql_type(pl.List(pl.Decimal(12, 2)))
    'DECIMAL(12,2)[]'
    """
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision or 38},{dtype.scale})"
    if isinstance(dtype, pl.List):
        return f"{sql_type(cast(pl.DataType, dtype.inner))}[]"
    return _SQL_TYPES[dtype.base_type()]


def keeps_every_value(found: str, declared: str) -> bool:
    """Whether a cast between two DuckDB types either keeps a value exactly or fails on it.

    Integers and decimals of another width pass, since a value out of range fails the cast;
    what rounds, or reads a time zone into a timestamp, does not pass.

    >>> keeps_every_value("HUGEINT", "BIGINT"), keeps_every_value("DOUBLE", "BIGINT")
    (True, False)
    """
    if found == declared or found == '"NULL"':
        return True
    if found.endswith("[]") and declared.endswith("[]"):
        return keeps_every_value(found[:-2], declared[:-2])
    if declared == "VARCHAR":
        return found.startswith("ENUM(") and not found.endswith("[]")
    if declared in _EXACT_BITS:
        return (found == "FLOAT") or _INTEGER_BITS.get(found, 999) <= _EXACT_BITS[declared]
    scale_found, scale_declared = _scale(found), _scale(declared)
    return scale_found is not None and scale_declared is not None and scale_found <= scale_declared


def _scale(type_name: str) -> int | None:
    """Digits after the point of an exact number type; None for any other type."""
    if type_name in _INTEGER_BITS:
        return 0
    decimal = _DECIMAL.fullmatch(type_name)
    return int(decimal[2]) if decimal else None


# --- Models ----------------------------------------------------------------------------------

# What stands in a text besides white space and comments: texts, quoted names, words, parameters, signs.
_TOKENS = re.compile(
    r"""--[^\n]*|/\*.*?\*/|\s+|(e'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$|\$?\w+|.)""",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class SqlModel:
    """One SELECT that makes one table; made by `SqlModel.load`.

    Attributes:
        path: the file.
        table: the table its rows become.
        text: the file's text, DuckDB dialect.
        description: the comment block at the head of the file, or "".
        reads: the tables it names, by `game.table`, in alphabetical order.
        parameters: names bound as `$name`, in alphabetical order.
        version: a short hash of the text without comments and white space.
    """

    path: Path
    table: type[Table]
    text: str
    description: str
    reads: Mapping[str, type[Table]]
    parameters: tuple[str, ...]
    version: str

    @classmethod
    def load(
        cls,
        path: Path,
        table: type[Table],
        known: Mapping[str, type[Table]],
        parameters: Collection[str] = (),
    ) -> SqlModel:
        """Read the model of a table, without understanding more of it than the names that stand in it.

        What is wrong with a query shows when an engine runs it, and in `check_types` without data.

        Args:
            path: `.../<game>/<table>.sql`.
            table: the table the model makes.
            known: every table a model may name, by `game.table`.
            parameters: names the caller will bind.

        Raises:
            SqlModelError: when the file cannot be read, stands under another table's name, reads the table it
                makes, or names an unknown parameter.
        """
        if (path.parent.name, path.stem) != (table.spec.game, table.spec.name):
            raise SqlModelError(
                f"{path}: the model of {table.spec.dotted} is expected at {table.spec.key}.sql; "
                f"move the file, or load it for the table it makes."
            )
        text = _text_of(path)
        tokens = [token for token in _TOKENS.findall(text) if token]
        words = [token.strip('"').lower() for token in tokens]
        named = {f"{game}.{name}" for game, dot, name in zip(words, words[1:], words[2:], strict=False) if dot == "."}
        if table.spec.dotted in named:
            raise SqlModelError(
                f"{path}: reads {table.spec.dotted}, the table it makes; read the tables it is made from."
            )
        bound = sorted({token[1:] for token in tokens if token[0] == "$" and token[1:].isidentifier()})
        for name in bound:
            if name not in parameters:
                raise SqlModelError(
                    f"{path}: nobody binds the parameter ${name}. {_nearest(name, parameters, 'Parameters')} "
                    f"Declare it where the model is made an asset, or take it out."
                )
        reads = {name: known[name] for name in sorted(named & known.keys())}
        version = hashlib.sha256(" ".join(tokens).encode()).hexdigest()[:8]
        return cls(path, table, text, _leading_comment(text), reads, tuple(bound), version)

    @property
    def dependencies(self) -> tuple[str, ...]:
        """The tables it names, as `game.table`, in alphabetical order."""
        return tuple(self.reads)

    @cached_property
    def spark_sql(self) -> str:
        """The same query in Spark's dialect; parameters become `:name`. Translated at first use.

        Raises:
            SqlModelError: when it cannot be translated.
        """
        from gamestats_assets.lakehouse import model_text

        return model_text.spark_sql(self)

    @cached_property
    def column_lineage(self) -> Mapping[str, list[tuple[str, str]]]:
        """Output column to the (`game.table`, column) pairs its value is computed from.

        A column computed from no column, such as count(*), has an empty list. Computed at first use, and kept in
        Dagster's folder for the next process.

        Raises:
            SqlModelError: when the text is not one SELECT of the declared columns of what it reads.
        """
        folder, reader = _lineage_kept()
        columns = {table.spec.dotted: [*table.columns()] for table in (self.table, *self.reads.values())}
        of = hashlib.sha256(repr((reader, self.text, columns)).encode()).hexdigest()
        file = folder / f"{self.table.spec.dotted}.json"
        try:
            kept = json.loads(file.read_bytes())
            if kept["of"] == of:
                return {name: [(table, column) for table, column in origins] for name, origins in kept["from"].items()}
        except (OSError, ValueError, KeyError, TypeError):
            pass  # None kept, or none of ours: computed as if it were not there.
        from gamestats_assets.lakehouse import model_text

        found = model_text.column_lineage(self)
        # Kept with Dagster's files, whose UI shows it, where there are any.
        if folder.parent.is_dir():
            with contextlib.suppress(OSError):
                folder.mkdir(exist_ok=True)
                part = file.with_name(f"{file.name}.{os.getpid()}")
                part.write_text(json.dumps({"of": of, "from": found}))
                part.replace(file)
        return found


@functools.cache
def _lineage_kept() -> tuple[Path, str]:
    """Folder of the lineages kept, and the version of what reads them; looked up once, for that takes longer."""
    return Settings().state_folder / "dagster" / "lineage", metadata.version("sqlglot")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SqlModelError(f"{path}: a SQL file in UTF-8 is expected there; {error}.") from error


def _leading_comment(text: str) -> str:
    block = re.match(r"(?:\s*(?:--[^\n]*(?:\n|\Z)|/\*.*?\*/))+", text, re.DOTALL)
    if not block:
        return ""
    lines = (re.sub(r"^\s*(?:--+|/\*+|\*(?!/))? ?|\s*\*+/\s*$", "", line) for line in block[0].strip().splitlines())
    return "\n".join(line.rstrip() for line in lines).strip()


# --- Running ---------------------------------------------------------------------------------


def run_model(
    model: SqlModel,
    sources: Mapping[str, Source],
    parameters: Mapping[str, Any] = _NO_PARAMETERS,
    *,
    engine: Engine = Engine(),
    connection: DuckDBPyConnection | None = None,
) -> pl.DataFrame:
    """The model's rows, with the declared columns in declared order and type.

    Args:
        model: what to run.
        sources: rows of every table the model names, by `game.table`.
        parameters: value of every `$name` of the model.
        engine: limits of the DuckDB session.
        connection: a session to run in instead of a new one. It is left open with its clock set to UTC
            and a view for each table; `engine` is then not looked at.

    Raises:
        SqlModelError: as `stream_model` does.
    """
    batches = stream_model(model, sources, parameters, engine=engine, connection=connection)
    return pl.concat([pl.DataFrame(schema=model.table.schema()), *batches], rechunk=True)


def stream_model(
    model: SqlModel,
    sources: Mapping[str, Source],
    parameters: Mapping[str, Any] = _NO_PARAMETERS,
    *,
    engine: Engine = Engine(),
    connection: DuckDBPyConnection | None = None,
    batch_rows: int = 100_000,
) -> Iterator[pl.DataFrame]:
    """The model's rows in frames of about `batch_rows`, never held all at once.

    The other arguments are those of `run_model`. Nothing is yielded when there are no rows. The session
    opens with the first frame asked for and closes after the last, on an error, or when the
    iterator is closed.

    Raises:
        SqlModelError: when sources or parameters are missing or unknown, when the engine refuses
            the query, when a column's type is not the declared one and a cast could change
            values, or when a value does not fit the declared type.
    """
    expect_given(model, sources, parameters)
    with _blamed_on(model), _session(engine, connection) as con:
        for name, table in model.reads.items():
            _create_view(con, table, sources[name])
        kinds = [statement.type for statement in con.extract_statements(model.text)]
        if kinds != [duckdb.StatementType.SELECT]:
            found = ", ".join(kind.name for kind in kinds) or "nothing"
            raise SqlModelError(f"{model.path}: expected exactly one SELECT, CTEs welcome; found {found}.")
        result = _declared_columns(con.sql(model.text, params=dict(parameters)), model)
        for batch in cast(Iterable[Any], result.to_arrow_reader(batch_rows)):
            yield declared_types(cast(pl.DataFrame, pl.from_arrow(batch)), model)


def expect_given(model: SqlModel, sources: Collection[str], parameters: Collection[str]) -> None:
    """Refuse to run a model without exactly the sources and the parameters that it names.

    Raises:
        SqlModelError: with the missing, or else the unknown names.
    """
    for kind, expected, given in (("source", model.reads, sources), ("parameter", model.parameters, parameters)):
        problems = [f"{kind} {name!r} is missing" for name in expected if name not in given]
        problems += [f"{kind} {name!r} is not used by the model" for name in given if name not in expected]
        if problems:
            raise SqlModelError(f"{model.path}: expected exactly the {kind}s the model names:{_bullets(problems)}")


def declared_rows(table: type[Table], source: Source) -> pl.DataFrame:
    """The rows of a source with exactly the declared columns and types, as a model is shown them.

    Raises:
        SqlModelError: when a column is stored as a type whose cast could change values.
    """
    with _session(Engine(), None) as con:
        _create_view(con, table, source)
        rows = con.view(table.spec.dotted)
        return cast(pl.DataFrame, pl.from_arrow(rows.to_arrow_table(), schema=dict(table.schema())))


def check_types(model: SqlModel) -> None:
    """Let the engine read the model over empty tables, so that type errors show without data.

    Raises:
        SqlModelError: as `stream_model` does.
    """
    empty = {name: pl.DataFrame(schema=table.schema()) for name, table in model.reads.items()}
    run_model(model, empty, dict.fromkeys(model.parameters))


def query(
    sql: str,
    sources: Callable[[str], Source],
    known: Mapping[str, type[Table]],
    *,
    engine: Engine = Engine(),
) -> pl.DataFrame:
    """Answer one SELECT, DESCRIBE, SUMMARIZE or SHOW over tables of the lake.

    Only the tables it names are opened, and no other file can be reached. Types that polars lacks
    (INTERVAL and the like) come as text.

    Args:
        sql: the question, DuckDB dialect, tables named `game.table`.
        sources: gives the rows of a table by its `game.table`.
        known: every table of the lake, by `game.table`.
        engine: limits of the DuckDB session.

    Raises:
        QueryError: when it is something else than one such statement, names an unknown table, or
            the engine refuses it.
    """
    try:
        with _session(engine, None) as con:
            named = _tables_asked_for(con, sql, known)
            opened = {name: sources(name) for name in named}
            for name, source in opened.items():
                _create_view(con, known[name], source)
            if not named and re.search(r"\b(show|duckdb_\w+)\b", sql, re.IGNORECASE):
                # SHOW ALL TABLES lists the lake, without opening any of it.
                for table in known.values():
                    _create_view(con, table, pl.DataFrame(schema=table.schema()))
            _shut_off(con, [file for s in opened.values() if isinstance(s, ParquetSource) for file in s.files])
            return _as_frame(con.sql(sql))
    except duckdb.Error as error:
        raise QueryError(f"The query cannot be answered: {error}") from error


# Functions whose argument names the tables: none of them would be opened.
_READ_BY_TEXT = frozenset(("query", "query_table", "json_execute_serialized_sql"))


def _tables_asked_for(con: DuckDBPyConnection, sql: str, known: Mapping[str, type[Table]]) -> list[str]:
    kinds = [statement.type for statement in con.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        found = ", ".join(kind.name for kind in kinds) or "nothing"
        raise QueryError(
            f"Expected one SELECT, WITH, DESCRIBE, SHOW or SUMMARIZE statement, found {found}. "
            f"The lake is only read here; a PIVOT goes inside a SELECT, with its values in IN (...)."
        )
    # The engine's own reading, which looks nothing up: names alone decide what is opened.
    parsed = con.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchall()[0][0]
    nodes = list(_objects(json.loads(parsed)))
    ctes = {entry["key"].lower() for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    if hidden := sorted({str(node.get("function_name", "")).lower() for node in nodes} & _READ_BY_TEXT):
        raise QueryError(f"{hidden[0]}() reads what a text names, which cannot be opened; name tables after FROM.")
    tables = [node for node in nodes if node.get("type") == "BASE_TABLE"]
    named = sorted(
        {
            f"{table['schema_name']}.{table['table_name']}".removeprefix(".").lower()
            for table in tables
            if table["schema_name"] or table["table_name"].lower() not in ctes
        }
    )
    for name in named:
        if name not in known:
            raise QueryError(
                f"There is no table {name!r}. {_nearest(name, known)} "
                f"Tables are named game.table; `gamestats tables` lists them."
            )
    return named


def _objects(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object anywhere in a JSON value."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from _objects(part)


def _shut_off(con: DuckDBPyConnection, files: Sequence[str]) -> None:
    """Leave the session the given files and nothing else of the disk, for good."""
    con.execute("SET allowed_paths = $files", {"files": list(files)})
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


@contextmanager
def _session(engine: Engine, connection: DuckDBPyConnection | None) -> Iterator[DuckDBPyConnection]:
    con = connection or duckdb.connect(":memory:", config=engine._config())
    try:
        # Days and hours are cut at UTC, whatever the machine's own time zone.
        con.execute("SET TimeZone = 'UTC'")
        # A misspelt table must not find a Python variable of that name.
        con.execute("SET python_enable_replacements = false")
        # In a process without a script of its own DuckDB would draw a bar, into whatever stdout is.
        con.execute("SET enable_progress_bar = false")
        yield con
    finally:
        if connection is None:
            con.close()


def _create_view(con: DuckDBPyConnection, table: type[Table], source: Source) -> None:
    """Show a source as `game.table`, with exactly the declared columns."""
    relation = _relation(con, table, source)
    found = {name.lower(): str(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}
    columns: list[duckdb.Expression] = []
    for name, dtype in table.schema().items():
        declared = sql_type(dtype)
        stored = found.get(name.lower())
        if stored is not None and not keeps_every_value(stored, declared):
            raise SqlModelError(
                f"{table.spec.dotted}: column {name!r} is declared {declared} and stored as {stored}; "
                f"rebuild the table, or declare the stored type."
            )
        # Files written before a column was declared lack it.
        column = ColumnExpression(name) if stored is not None else ConstantExpression(None)
        columns.append(column.cast(cast("DuckDBPyType", declared)).alias(name))
    # The engine's own quoting; a schema's name cannot be bound.
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {ColumnExpression(table.spec.game)}")
    con.execute("SET schema = $schema", {"schema": table.spec.game})
    relation.select(*columns).create_view(table.spec.name, replace=True)
    con.execute("SET schema = 'main'")


def _relation(con: DuckDBPyConnection, table: type[Table], source: Source) -> DuckDBPyRelation:
    if isinstance(source, ParquetSource):
        return _parquet(con, source, table.schema())
    if isinstance(source, pl.LazyFrame):
        source = source.select(selectors.by_name(*table.columns(), require_all=False)).collect(engine="streaming")
    return con.from_arrow(source.to_arrow() if isinstance(source, pl.DataFrame) else source)


def _parquet(con: DuckDBPyConnection, source: ParquetSource, schema: pl.Schema) -> DuckDBPyRelation:
    files = list(source.files)
    if not files:
        return con.from_arrow(pl.DataFrame(schema=schema).to_arrow())
    if source.hive_types:
        # Told, not guessed: a text partition such as 2026-01-01 would be taken for a date.
        relation = con.sql(_READ_PARQUET, params={"files": files, "hive_types": dict(source.hive_types)})
    else:
        relation = con.read_parquet(files, union_by_name=True)
    for column, values in source.only.items():
        wanted = pl.DataFrame({column: list(values)}, schema={column: schema[column]}).unique()
        relation = relation.join(con.from_arrow(wanted.to_arrow()), column, how="semi")
    return relation


def _declared_columns(result: DuckDBPyRelation, model: SqlModel) -> DuckDBPyRelation:
    """The result with declared columns in declared order, refused where a cast could change values."""
    _expect_columns(model, result.columns)
    refuse_lossy(model, {name: str(kind) for name, kind in zip(result.columns, result.types, strict=True)})
    return result.select(*(ColumnExpression(name).alias(name) for name in model.table.columns()))


def _expect_columns(model: SqlModel, given: Sequence[str]) -> None:
    found = [name.lower() for name in given]
    declared = {name.lower(): name for name in model.table.columns()}
    problems = [
        *(f"gives {name!r} twice" for name in dict.fromkeys(found) if found.count(name) > 1),
        *(f"does not give {name!r}" for lower, name in declared.items() if lower not in found),
        *(f"gives {name!r}, which is not declared" for name in dict.fromkeys(given) if name.lower() not in declared),
    ]
    if problems:
        raise SqlModelError(
            f"{model.path}: the columns are not those {model.table.__name__} declares for {model.table.spec.dotted}. "
            f"Change the SELECT or the declaration; the query{_bullets(problems)}"
        )


def refuse_lossy(model: SqlModel, types: Mapping[str, str]) -> None:
    """Refuse a result whose cast to the declared types could change values.

    Args:
        model: whose result it is.
        types: DuckDB type of each column of the result.

    Raises:
        SqlModelError: with every such column.
    """
    found = {name.lower(): kind for name, kind in types.items()}
    problems = [
        f"column {name!r} is declared {sql_type(dtype)}, found {found[name.lower()]}"
        for name, dtype in model.table.schema().items()
        if not keeps_every_value(found[name.lower()], sql_type(dtype))
    ]
    if problems:
        raise SqlModelError(
            f"{model.path}: a cast to the declared type could change values. Write the CAST in the model, "
            f"or declare the type found:{_bullets(problems)}"
        )


def declared_types(batch: pl.DataFrame, model: SqlModel) -> pl.DataFrame:
    """Rows of a model's result, cast to the declared types.

    Raises:
        SqlModelError: when a value does not fit.
    """
    columns: list[pl.Series] = []
    for name, dtype in model.table.schema().items():
        try:
            columns.append(batch.get_column(name).cast(dtype, strict=True))
        except pl.exceptions.InvalidOperationError as error:
            raise SqlModelError(
                f"{model.path}: column {name!r} has values that do not fit the declared {sql_type(dtype)}: "
                f"{str(error).strip().splitlines()[0]}. Mend the model, or declare a wider type."
            ) from error
    return pl.DataFrame(columns)


def _as_frame(result: DuckDBPyRelation) -> pl.DataFrame:
    # Columns of one name get a suffix each this way, where a frame would refuse them.
    result = result.set_alias("answer")
    columns: list[duckdb.Expression] = []
    for name, kind in zip(result.columns, result.types, strict=True):
        column = ColumnExpression(name)
        if _NOT_IN_FRAMES.search(str(kind)):
            column = column.cast(cast("DuckDBPyType", "VARCHAR")).alias(name)
        columns.append(column)
    return cast(pl.DataFrame, pl.from_arrow(cast(Any, result.select(*columns).to_arrow_table())))


# --- Messages --------------------------------------------------------------------------------


@contextmanager
def _blamed_on(model: SqlModel) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:  # pyarrow turns what fails amid the stream into an OSError
        raise SqlModelError(f"{model.path}: the engine refuses the query: {error}") from error


def _nearest(name: str, among: Iterable[str], heading: str | None = None) -> str:
    """Advice on a name that does not exist; with a heading, all names when none is near."""
    names = list(among)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    near += [other for other in names if other.split(".")[-1] == name and other not in near]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"{heading}: {', '.join(sorted(names)) or 'none'}." if heading else ""


def _bullets(lines: Iterable[str]) -> str:
    return "".join(f"\n- {line}" for line in lines)
