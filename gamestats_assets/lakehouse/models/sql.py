"""SQL over the lake on embedded DuckDB: the models under `sql/`, and queries of people.

A model is one SELECT in `sql/<game>/<table>.sql` that makes the table of the same name. It names the tables that it
reads as `game.table`, so its text alone shows its dependencies. Running it binds parameters and creates a view with the
declared columns for every named table. The result must have exactly the columns and types that the model's table
declares; the model casts each of them, so that they do not depend on the engine.

    model = SqlModel.load(folder / "demo" / "totals.sql", Totals, {"demo.goals": Goals})
    frame = run_model(model, {"demo.goals": ParquetSource(files, "day")})

A model uses only SQL that means the same on Spark (`models.spark`). Tests report common differences and run every
model on both engines. The rest is up to the author of a model, who

- divides by nullif(x, 0): division by zero is infinite in DuckDB and an error on Spark;
- takes ln only of values above 0: otherwise Spark returns null, DuckDB minus infinity or an error;
- sums fractions as DECIMAL wherever the last digit counts: a sum of DOUBLE depends on the order of rows;
- applies lower and upper only to plain letters: the engines treat letters such as ß and İ differently.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import duckdb
import polars as pl
from duckdb import ColumnExpression, ConstantExpression, DuckDBPyConnection, DuckDBPyRelation, FunctionExpression
from duckdb.sqltypes import BOOLEAN, VARCHAR
from polars import selectors

from gamestats_assets.lakehouse.errors import GamestatsError

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.table import Table

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_READ_PARQUET = """
    FROM read_parquet($files, union_by_name = true, hive_partitioning = true, hive_types = $types)
"""


class SqlModelError(GamestatsError):
    """A SQL model cannot be read, or its result does not match its table's declaration."""


class QueryError(GamestatsError):
    """A query to the lake is invalid."""


# --- Sources of models and queries -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """Rows of one table in Parquet files on local disk.

    Attributes:
        files: paths of the files, as Delta lists them; none means no rows.
        partitioned_by: the column whose values are in the folder names, if any.
        only: values to keep, by column; rows with other values are left out.
    """

    files: Sequence[str]
    partitioned_by: str | None = None
    only: Mapping[str, Collection[Any]] = field(default_factory=dict)


Source: TypeAlias = "ParquetSource | pl.LazyFrame | pl.DataFrame"
"""A source of a table's rows. A LazyFrame is collected first."""


# --- Models ----------------------------------------------------------------------------------

# Tokens other than white space and comments: literals, quoted names, words, parameters, symbols.
_TOKENS = re.compile(
    r"""--[^\n]*|/\*.*?\*/|\s+|(e'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$|\$?\w+|.)""",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class SqlModel:
    """One SELECT that makes one table; made by `SqlModel.load`.

    Attributes:
        path: the file.
        table: the table that it makes.
        text: the file's text, in DuckDB's dialect.
        reads: the tables that it names, by `game.table`, in alphabetical order.
        parameters: names bound as `$name`, in alphabetical order.
        version: a short hash of the text without comments and white space.
    """

    path: Path
    table: type[Table]
    text: str
    reads: Mapping[str, type[Table]]
    parameters: tuple[str, ...]
    version: str

    @classmethod
    def load(
        cls, path: Path, table: type[Table], known: Mapping[str, type[Table]], parameters: Collection[str] = ()
    ) -> SqlModel:
        """Reads the model of a table. Only names are parsed; errors of the query show when an engine runs it.

        Args:
            path: `.../<game>/<table>.sql`.
            table: the table that it makes.
            known: every table that a model may name, by `game.table`.
            parameters: names that the caller will bind.

        Raises:
            SqlModelError: if the file cannot be read, has another table's name, reads the table that it makes, or names
                an unknown parameter.
        """
        if (path.parent.name, path.stem) != (table.spec.game, table.spec.name):
            raise SqlModelError(
                f"{path}: the model of {table.spec.dotted} is expected at {table.spec.key}.sql; "
                f"move the file, or load it for the table it makes."
            )
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SqlModelError(f"{path}: a SQL file in UTF-8 is expected there; {error}.") from error
        tokens = [token for token in _TOKENS.findall(text) if token]
        named = _dotted(token.strip('"') for token in tokens)
        if table.spec.dotted in named:
            raise SqlModelError(
                f"{path}: reads {table.spec.dotted}, the table it makes; read the tables it is made from."
            )
        bound = sorted({token[1:] for token in tokens if token[0] == "$" and token[1:].isidentifier()})
        if unknown := [name for name in bound if name not in parameters]:
            raise SqlModelError(
                f"{path}: the parameter ${unknown[0]} is not bound; bound are: {', '.join(parameters) or 'none'}. "
                f"Declare it where the model is made an asset, or take it out."
            )
        reads = {name: known[name] for name in sorted(named & known.keys())}
        version = hashlib.sha256(" ".join(tokens).encode()).hexdigest()[:8]
        return cls(path, table, text, reads, tuple(bound), version)


def _dotted(words: Iterable[str]) -> set[str]:
    """All `a.b` in a sequence of words."""
    lower = [word.lower() for word in words]
    return {f"{game}.{name}" for game, dot, name in zip(lower, lower[1:], lower[2:], strict=False) if dot == "."}


# --- Running ---------------------------------------------------------------------------------


def run_model(
    model: SqlModel,
    sources: Mapping[str, Source],
    parameters: Mapping[str, Any] = _EMPTY,
    *,
    config: Mapping[str, Any] = _EMPTY,
) -> pl.DataFrame:
    """Runs a model and returns its rows, with the declared columns in declared order and type.

    Args:
        model: the model.
        sources: rows of every table that the model names, by `game.table`.
        parameters: value of every `$name` of the model.
        config: settings of the DuckDB session, such as `{"memory_limit": "2GB", "threads": 2}`.

    Raises:
        SqlModelError: as in `stream_model`.
    """
    batches = stream_model(model, sources, parameters, config=config)
    return pl.concat([pl.DataFrame(schema=model.table.schema()), *batches], rechunk=True)


def stream_model(
    model: SqlModel,
    sources: Mapping[str, Source],
    parameters: Mapping[str, Any] = _EMPTY,
    *,
    config: Mapping[str, Any] = _EMPTY,
    batch_rows: int = 100_000,
) -> Iterator[pl.DataFrame]:
    """Runs a model and yields its rows in frames of about `batch_rows`, never all at once.

    The other arguments are those of `run_model`. It yields nothing if there are no rows. The session opens with the
    first request and closes after the last frame, on an error, or when the iterator is closed.

    Raises:
        SqlModelError: if sources or parameters are missing or unknown, if the engine refuses the query, or if columns
            or types are not the declared ones.
    """
    expect_given(model, sources, parameters)
    with _model_errors(model), _model_session(model, config) as con:
        _create_views(
            con, {table: _as_declared_columns(con, table, sources[name]) for name, table in model.reads.items()}
        )
        _expect_select(con, model.text)
        rows = con.sql(model.text, params=dict(parameters))
        expect_declared(model, _types(rows), _declared_types(con, model.table))
        rows = rows.select(*(ColumnExpression(name).alias(name) for name in model.table.columns()))
        for batch in cast(Iterable[Any], rows.to_arrow_reader(batch_rows)):
            yield cast(pl.DataFrame, pl.from_arrow(batch))


def expect_given(model: SqlModel, sources: Collection[str], parameters: Collection[str]) -> None:
    """Raises `SqlModelError` unless the sources and parameters are exactly those that a model names."""
    for kind, expected, given in (("source", model.reads, sources), ("parameter", model.parameters, parameters)):
        problems = [f"{kind} {name!r} is missing" for name in expected if name not in given]
        problems += [f"{kind} {name!r} is not used by the model" for name in given if name not in expected]
        if problems:
            raise SqlModelError(f"{model.path}: expected exactly the {kind}s the model names:{_bullets(problems)}")


def expect_declared(model: SqlModel, found: Sequence[tuple[str, str]], declared: Sequence[tuple[str, str]]) -> None:
    """Raises `SqlModelError` unless a result has the columns and types (in an engine's terms) of the model's table."""
    names, wanted = ([name for name, _ in columns] for columns in (found, declared))
    problems = [
        *(f"does not give {name!r}" for name in Counter(wanted) - Counter(names)),
        *(f"gives {name!r}, which is not declared, or twice" for name in Counter(names) - Counter(wanted)),
        *_type_differences(found, declared),
    ]
    if problems:
        raise SqlModelError(
            f"{model.path}: expected the columns that {model.table.spec.dotted} declares. Change the SELECT (each "
            f"column is a CAST to its declared type), or the declaration; the query{_bullets(problems)}"
        )


@contextmanager
def _model_errors(model: SqlModel) -> Iterator[None]:
    try:
        yield
    except (QueryError, duckdb.Error, OSError) as error:  # pyarrow raises OSError for failures within the stream
        raise SqlModelError(f"{model.path}: the engine refuses the query: {error}") from error


# --- Queries ---------------------------------------------------------------------------------

# Queries that list tables; only these see tables that they do not name.
_LISTS = re.compile(r"\b(show|information_schema|duckdb_\w+)\b", re.IGNORECASE)
# Types that polars cannot take, also as part of a list or a struct.
_NOT_IN_FRAMES = re.compile(r"INTERVAL|UNION|BIT\b|BIGNUM|VARIANT|\bTIME WITH")


def query(
    sql: str, sources: Callable[[str], Source], known: Mapping[str, type[Table]], *, config: Mapping[str, Any] = _EMPTY
) -> pl.DataFrame:
    """Runs one SELECT, DESCRIBE, SUMMARIZE or SHOW over tables of the lake.

    Only tables named in it are opened, and no other file can be reached. Types that polars lacks, such as INTERVAL,
    become text.

    Args:
        sql: the statement.
        sources: returns the rows of a table by its `game.table`.
        known: every table of the lake, by `game.table`.
        config: settings of the DuckDB session, as in `run_model`.

    Raises:
        QueryError: if it is not one such statement, names an unknown table, or the engine refuses it.
    """
    # Names in string literals count, too, because query() and query_table() read these.
    named = sorted(_dotted(re.findall(r"\w+|\.", sql)) & known.keys())
    try:
        with _session(config) as con:
            _expect_select(con, sql)
            opened = {name: sources(name) for name in named}
            views = {known[name]: _as_declared_columns(con, known[name], source) for name, source in opened.items()}
            for name in known.keys() - opened.keys() if _LISTS.search(sql) else ():
                unread = FunctionExpression("error", ConstantExpression(f"Write {name} in the query to read it."))
                views[known[name]] = _declared(con, known[name], 1).filter(unread.cast(BOOLEAN))
            _create_views(con, views)
            _restrict_files(con, [file for s in opened.values() if isinstance(s, ParquetSource) for file in s.files])
            return _as_frame(con.sql(sql))
    except duckdb.Error as error:
        raise QueryError(f"The query cannot be answered: {error}{_advice(str(error), known)}") from error


def _advice(message: str, known: Iterable[str]) -> str:
    """Advice after an unknown table name: which table may be meant, and how tables are named."""
    absent = re.search(r"Table with name \"?([\w.]+)", message)
    if absent is None:
        return ""
    named = {name: name if "." in absent[1] else name.partition(".")[2] for name in known}
    nearest = difflib.get_close_matches(absent[1], named.values(), n=1)
    suggestion = " or ".join(sorted(name for name, short_name in named.items() if short_name in nearest))
    question = f" Did you mean {suggestion}?" if suggestion else ""
    return (
        f"\nTables are named game.table.{question} `gamestats tables` lists them. "
        "A query reads those whose names stand in it."
    )


def _restrict_files(con: DuckDBPyConnection, files: Sequence[str]) -> None:
    """Restricts the session to the given files, permanently."""
    con.execute("SET allowed_paths = $files", {"files": list(files)})
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _as_frame(result: DuckDBPyRelation) -> pl.DataFrame:
    # This adds a suffix to columns with the same name, which a frame would refuse.
    result = result.set_alias("answer")
    columns: list[duckdb.Expression] = []
    for name, kind in _types(result):
        column = ColumnExpression(name)
        columns.append(column.cast(VARCHAR).alias(name) if _NOT_IN_FRAMES.search(kind) else column)
    return cast(pl.DataFrame, pl.from_arrow(cast(Any, result.select(*columns).to_arrow_table())))


# --- The engine ------------------------------------------------------------------------------


def _session(config: Mapping[str, Any]) -> DuckDBPyConnection:
    # In memory, since a DuckDB file has a single writer. No statement can make the session download extensions.
    con = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false", **config})
    # Days and hours are in UTC, whatever the machine's time zone.
    con.execute("SET TimeZone = 'UTC'")
    # A misspelt table must not find a Python variable of that name.
    con.execute("SET python_enable_replacements = false")
    # In a process without its own script, DuckDB would draw a progress bar on stdout.
    con.execute("SET enable_progress_bar = false")
    return con


_IDLE: list[DuckDBPyConnection] = []
"""Idle sessions for models: opening another takes longer than most models."""


@contextmanager
def _model_session(model: SqlModel, config: Mapping[str, Any]) -> Iterator[DuckDBPyConnection]:
    con = _IDLE.pop() if _IDLE and not config else _session(config)
    is_whole = False
    try:
        yield con
        for game in {table.spec.game for table in model.reads.values()}:
            con.execute(f"DROP SCHEMA IF EXISTS {ColumnExpression(game)} CASCADE")
        is_whole = not config  # sessions with other settings are not reused
    finally:
        if is_whole:
            _IDLE.append(con)
        else:  # it may have been interrupted
            con.close()


def _expect_select(con: DuckDBPyConnection, sql: str) -> None:
    kinds = [statement.type for statement in con.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        found = ", ".join(kind.name for kind in kinds) or "nothing"
        raise QueryError(
            f"Expected one SELECT, WITH, DESCRIBE, SHOW or SUMMARIZE statement, found {found}. "
            f"The lake is only read here; a PIVOT goes inside a SELECT, with its values in IN (...)."
        )


def _create_views(con: DuckDBPyConnection, rows: Mapping[type[Table], DuckDBPyRelation]) -> None:
    for game in {table.spec.game for table in rows}:
        # Uses the engine's own quoting, because a schema's name cannot be bound.
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {ColumnExpression(game)}")
        con.execute("SET schema = $schema", {"schema": game})
        for table, of_table in rows.items():
            if table.spec.game == game:
                of_table.create_view(table.spec.name)
    con.execute("SET schema = 'main'")


def _as_declared_columns(con: DuckDBPyConnection, table: type[Table], source: Source) -> DuckDBPyRelation:
    """The rows of a source with exactly the declared columns."""
    declared, rows = _declared_types(con, table), _rows(con, table, source)
    found = _types(rows)
    if found == declared:
        return rows
    if problems := _type_differences(found, declared):
        raise SqlModelError(
            f"{table.spec.dotted}: rows are stored as other types than declared; rebuild the table, or declare the "
            f"stored types:{_bullets(problems)}"
        )
    # Files from before a column was declared lack it.
    return rows.select(
        *(
            ColumnExpression(name) if name in rows.columns else ConstantExpression(None).cast(kind).alias(name)
            for name, kind in declared
        )
    )


def _rows(con: DuckDBPyConnection, table: type[Table], source: Source) -> DuckDBPyRelation:
    if not isinstance(source, ParquetSource):
        wanted = source.lazy().select(selectors.by_name(*table.columns(), require_all=False))
        return con.from_arrow(wanted.collect(engine="streaming").to_arrow())
    if not source.files:
        return _declared(con, table)
    # Given explicitly, because DuckDB would guess that a text partition such as 2026-01-01 is a date.
    types = {name: kind for name, kind in _declared_types(con, table) if name == source.partitioned_by}
    if types:
        rows = con.sql(_READ_PARQUET, params={"files": list(source.files), "types": types})
    else:
        rows = con.read_parquet(list(source.files), union_by_name=True, hive_partitioning=False)
    for column, values in source.only.items():
        wanted = pl.DataFrame({column: list(values)}, schema={column: table.schema()[column]}).unique()
        rows = rows.join(con.from_arrow(wanted.to_arrow()), column, how="semi")
    return rows


def _declared(con: DuckDBPyConnection, table: type[Table], rows: int = 0) -> DuckDBPyRelation:
    """The declared columns with no rows, or with some rows without values."""
    return con.from_arrow(pl.DataFrame(schema=table.schema()).clear(rows).to_arrow())


_TYPES: dict[type[Table], list[tuple[str, str]]] = {}


def _declared_types(con: DuckDBPyConnection, table: type[Table]) -> list[tuple[str, str]]:
    """The declared columns in the engine's terms, queried once."""
    if table not in _TYPES:
        _TYPES[table] = _types(_declared(con, table))
    return _TYPES[table]


def _types(rows: DuckDBPyRelation) -> list[tuple[str, str]]:
    return [(name, str(kind)) for name, kind in zip(rows.columns, rows.types, strict=True)]


def _type_differences(found: Sequence[tuple[str, str]], declared: Sequence[tuple[str, str]]) -> list[str]:
    """Describes columns that do not have the declared type."""
    wanted = dict(declared)
    return [
        f"column {name!r} is declared {wanted[name]}, found {kind}"
        for name, kind in found
        if kind != wanted.get(name, kind)
    ]


def _bullets(lines: Iterable[str]) -> str:
    return "".join(f"\n- {line}" for line in lines)
