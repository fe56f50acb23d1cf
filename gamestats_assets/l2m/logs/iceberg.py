"""Exports one day of a raw Iceberg table as Parquet files: needs its catalogue, but no query engine.

Needs the extra `iceberg`. The files have the day's rows in the table's current snapshot, in the columns of its current
schema. Rows are in the order of the data files' names, and within a file in its own order; the format of the files is
fixed. So with one version of pyarrow a day whose data files did not change gives the same bytes again, and landing
recognises them.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pydantic import SecretStr

from gamestats_assets.lakehouse.errors import GamestatsError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import DataScan, Table

_ROWS_PER_GROUP = 100_000
_NAMES_TOLD = 20
_SECRET = re.compile(r"credential|token|password|secret|key|session|authorization|connection-string", re.IGNORECASE)
_HIDDEN = "***"


class IcebergError(GamestatsError):
    """A day of a table cannot be exported from Iceberg."""


class IcebergNotInstalledError(IcebergError):
    """The extra that reads Iceberg is not installed."""


class IcebergUnavailableError(IcebergError):
    """The catalogue, or the files it names, cannot be reached or read."""


class IcebergTableError(IcebergError):
    """The table does not exist, or its day column is missing or has no days."""


class IcebergSource:
    """The tables of an Iceberg catalogue, read a day at a time.

    The catalogue is first contacted when the first day is exported.

    Args:
        name: name of the catalogue. A SQL catalogue may have several; otherwise it only serves to tell catalogues
            apart.
        properties: pyiceberg's options for opening it, such as `{"type": "sql", "uri": "sqlite:///catalog.db"}`, or
            `{"type": "rest", "uri": "https://...", "warehouse": ..., "credential": SecretStr("client:secret")}`, and
            those of its file storage (`s3.endpoint`, `s3.access-key-id`, ...). Secrets are given as `SecretStr`;
            properties with the name of a secret, and passwords in URLs, are hidden as well.
    """

    def __init__(self, name: str, properties: Mapping[str, str | SecretStr]) -> None:
        self.name = name
        self._properties = {
            key: value if isinstance(value, SecretStr) or not _SECRET.search(key) else SecretStr(value)
            for key, value in properties.items()
        }

    def __repr__(self) -> str:
        shown = {
            key: _HIDDEN if isinstance(value, SecretStr) else self._redacted(value)
            for key, value in self._properties.items()
        }
        return f"IcebergSource({self.name!r}, {shown})"

    def export_day(
        self,
        table_identifier: str,
        day: date,
        folder: Path,
        *,
        day_column: str = "ds",
        rows_per_file: int = 1_000_000,
    ) -> list[Path]:
        """Writes the rows of one day to Parquet files in a folder, replacing those of an earlier export of the day.

        Data files are read in pieces, one file after the other, so memory does not grow with the rows of the day. The
        folder does not change before all are read.

        Args:
            table_identifier: namespace and table, such as `raw.etl_login`.
            day: day to export.
            folder: folder of the files, `raw.etl_login-2026-03-14-00000.parquet` and so on; created if missing.
            day_column: column for the day: a date, a text written YYYY-MM-DD or YYYYMMDD, or a timestamp, by its UTC
                day (without a zone it is taken as UTC).
            rows_per_file: rows of every file but the last.

        Returns:
            The files in the order of their rows; none if the day has no rows.

        Raises:
            IcebergNotInstalledError: when the extra `iceberg` is missing.
            IcebergUnavailableError: when the catalogue or a file of the table cannot be reached or read.
            IcebergTableError: when the table or the column does not exist, or the column has no days.
        """
        table = self._table(table_identifier)
        scan = table.scan(row_filter=_of_day(table_identifier, table, day_column, day))
        stem = f"{re.sub(r'[^A-Za-z0-9_.]', '_', table_identifier)}-{day.isoformat()}"
        folder.mkdir(parents=True, exist_ok=True)
        written = Path(tempfile.mkdtemp(prefix=f".{stem}-", dir=folder))
        try:
            batches = self._batches(scan, f"{table_identifier} of {day.isoformat()}")
            names = _write(batches, _schema(scan), written, stem, rows_per_file)
            earlier = re.compile(rf"{re.escape(stem)}-[0-9]{{5,}}\.parquet")
            for path in folder.iterdir():
                if earlier.fullmatch(path.name):
                    path.unlink()
            return [(written / name).replace(folder / name) for name in names]
        finally:
            shutil.rmtree(written)

    @cached_property
    def _catalog(self) -> Catalog:
        try:
            from pyiceberg.catalog import load_catalog
        except ImportError as error:
            raise IcebergNotInstalledError(
                f"Reading from Iceberg needs a package that is not installed ({error.name}): "
                "pip install 'gamestats[iceberg]'."
            ) from None
        plain = {
            key: value.get_secret_value() if isinstance(value, SecretStr) else value
            for key, value in self._properties.items()
        }
        from sqlalchemy import make_url

        with self._explained("its catalogue"):
            uri = plain.get("uri", "")
            database = make_url(uri).database if uri.startswith("sqlite") else None
            # SQLite would create an empty database at a wrong path.
            if database and not database.startswith((":", "file:")) and not Path(database).is_file():
                raise FileNotFoundError(f"there is no file {database}")
            # Reading must not create the tables of a SQL catalogue.
            return load_catalog(self.name, **{"init_catalog_tables": "false", **plain})

    def _table(self, identifier: str) -> Table:
        catalog = self._catalog
        from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

        if len(identifier.split(".")) < 2 or not all(identifier.split(".")):
            raise IcebergTableError(f"{identifier!r} is no table: write namespace and table, such as raw.etl_login.")
        with self._explained(f"table {identifier}"):
            try:
                return catalog.load_table(identifier)
            except (NoSuchTableError, NoSuchNamespaceError):
                pass
            namespace = identifier.rpartition(".")[0]
            try:
                found = [".".join(name) for name in catalog.list_tables(namespace)]
                there = f"tables of {namespace}: {_listed(found)}"
            except NoSuchNamespaceError:
                found = [".".join(name) for name in catalog.list_namespaces()]
                there = f"there is no namespace {namespace}; namespaces: {_listed(found)}"
        raise IcebergTableError(
            f"There is no table {identifier} in Iceberg catalogue {self.name}; {there}. "
            "Check the names of table and catalogue."
        )

    def _batches(self, scan: DataScan, what: str) -> Iterator[pa.RecordBatch]:
        """Yields the rows of a scan, one data file after the other in the order of their names."""
        from pyiceberg.io import pyarrow as reading

        reader = reading.ArrowScan(
            scan.table_metadata, scan.io, scan.projection(), scan.row_filter, case_sensitive=scan.case_sensitive
        )
        with self._explained(what):
            for task in sorted(scan.plan_files(), key=lambda task: task.file.file_path):
                # The public method holds all rows of a file, and reads further files even if they are not consumed: a
                # day of logs does not fit in memory.
                deletes = reading._read_all_delete_files(scan.io, [task])
                yield from reader._record_batches_from_scan_tasks_and_deletes([task], deletes)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turns failures of the catalogue, its network and its files into one kind of error, without secrets."""
        import pyarrow as pa
        from pyiceberg import exceptions
        from sqlalchemy.exc import SQLAlchemyError

        # These errors have no common base class; those of HTTP are OSErrors, those of invalid input ValueErrors.
        own = [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)]
        outside = (*own, SQLAlchemyError, pa.ArrowException, OSError, ValueError, ImportError, NotImplementedError)
        try:
            yield
        except outside as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            message = self._redacted(lines[0])
            advice = "Check its properties, and that it can be reached from here."
            if "equality deletes" in message:
                advice = (
                    "Deleted rows are stored beside the data in an unsupported way: let the table's owner compact it."
                )
            text = f"Iceberg catalogue {self.name}: cannot read {what}: {message}. {advice}"
            raise IcebergUnavailableError(text) from None

    def _redacted(self, text: str) -> str:
        secrets: set[str] = set()
        for value in self._properties.values():
            if isinstance(value, SecretStr):
                # Either half of a credential `client:secret` may be quoted alone.
                secrets |= {value.get_secret_value(), value.get_secret_value().partition(":")[2]}
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            if "://" in plain and "@" in plain:
                password = plain.partition("://")[2].rpartition("@")[0].partition(":")[2]
                secrets |= {password, unquote(password)}
        for secret in sorted(secrets - {""}, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text


def _listed(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _NAMES_TOLD} more" if len(every) > _NAMES_TOLD else ""
    return (", ".join(every[:_NAMES_TOLD]) or "none") + more


def _of_day(identifier: str, table: Table, column: str, day: date) -> BooleanExpression:
    """Returns the condition for rows of the day, in the type of the column."""
    from pyiceberg import expressions
    from pyiceberg.types import DateType, StringType, TimestampType, TimestamptzType

    # Type checkers do not know the arguments of these classes.
    filters: Any = expressions
    types = {field.name: field.field_type for field in table.schema().fields}
    if column not in types:
        raise IcebergTableError(
            f"{identifier} has no column {column!r}; its columns: {', '.join(types)}. "
            "Name the one with the day (day_column)."
        )
    match types[column]:
        case DateType():
            return filters.EqualTo(column, day.isoformat())
        case StringType():
            return filters.In(column, {day.isoformat(), day.strftime("%Y%m%d")})
        case TimestampType() | TimestamptzType() as kind:
            zone = "+00:00" if isinstance(kind, TimestamptzType) else ""
            midnight = datetime.combine(day, time())
            begin, end = (moment.isoformat() + zone for moment in (midnight, midnight + timedelta(days=1)))
            return filters.And(filters.GreaterThanOrEqual(column, begin), filters.LessThan(column, end))
        case other:
            raise IcebergTableError(
                f"{identifier}: column {column!r} is of type {other}, which has no days; use a date, a string or a "
                "timestamp in microseconds (day_column)."
            )


def _schema(scan: DataScan) -> pa.Schema:
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return schema_to_pyarrow(scan.projection(), include_field_ids=False).remove_metadata()


def _write(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path, stem: str, rows_per_file: int
) -> list[str]:
    """Writes rows to files, cut into row groups of one size wherever batches end; returns the files' names in order."""
    import pyarrow.dataset as ds

    files: list[str] = []
    ds.write_dataset(
        (batch.cast(schema) for batch in batches),
        folder,
        basename_template=f"{stem}-{{i}}.parquet",
        format="parquet",
        file_options=ds.ParquetFileFormat().make_write_options(compression="zstd", compression_level=3),
        schema=schema,
        preserve_order=True,
        max_rows_per_file=rows_per_file,
        min_rows_per_group=min(_ROWS_PER_GROUP, rows_per_file),
        max_rows_per_group=min(_ROWS_PER_GROUP, rows_per_file),
        file_visitor=lambda file: files.append(file.path),
    )
    names: list[str] = []
    for number, written in enumerate(sorted(files, key=lambda path: int(path.rpartition("-")[2].split(".")[0]))):
        names.append(f"{stem}-{number:05}.parquet")
        Path(written).replace(folder / names[-1])
    return names
