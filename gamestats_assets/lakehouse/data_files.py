"""Parquet files of Delta tables: written whole, in folders named by their partition, and read one by one.

A file belongs to its table when a commit adds it. One that no commit adds, for its writer died, goes with a vacuum.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import tempfile
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from gamestats_assets.lakehouse.objects import object_store
from gamestats_assets.lakehouse.table import PartitionValue, Table, partition_key_of

_LARGEST_FILE = 128 * 1024 * 1024
_LARGEST_GROUP = 1_048_576
# Rows that come in pieces are written so many at a time.
_ROWS_TOGETHER = 500_000


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a table.

    Attributes:
        path: of the file, in the folder of the table.
        size: in bytes.
        partition: value of the partition column; None where the table has none.
        least: the least id in it, of a table that is replaced by ids, where that is known.
        greatest: the greatest.
    """

    path: str
    size: int
    partition: PartitionValue | None
    least: str | None
    greatest: str | None

    def may_hold(self, ids: Collection[str] | None) -> bool:
        """Whether rows of one of some ids, or of any, may be in it."""
        least, greatest = self.least, self.greatest
        return ids is None or least is None or greatest is None or any(least <= each <= greatest for each in ids)


def data_files(table: type[Table], delta: DeltaTable, partitions: Collection[PartitionValue] | None) -> list[DataFile]:
    """The files of some partitions, or of all."""
    actions = pl.DataFrame(delta.get_add_actions(flatten=True))
    partition, unit = f"partition.{table.spec.partitioned_by}", table.spec.replaced_by
    if actions.is_empty():
        return []
    if partitions is not None:
        actions = actions.filter(pl.col(partition).is_in([*partitions]))
    names = ["path", "size_bytes", partition, f"min.{unit}", f"max.{unit}"]
    present = [pl.col(name) if name in actions.columns else pl.lit(None).alias(name) for name in names]
    # The log has paths as URLs have them.
    return [DataFile(unquote(path), *values) for path, *values in actions.select(present).iter_rows()]


def _schema(table: type[Table]) -> pl.Schema:
    """Columns of the files of a table: the partition is in the names of their folders."""
    return pl.Schema({name: dtype for name, dtype in table.schema().items() if name != table.spec.partitioned_by})


def scan_files(
    table: type[Table], uri: str, files: Sequence[DataFile], storage_options: Mapping[str, str]
) -> pl.LazyFrame:
    """The rows of some files, without the partition column."""
    if not files:
        return pl.LazyFrame(schema=_schema(table))
    return pl.scan_parquet(
        [f"{uri}/{file.path}" for file in files],
        schema=_schema(table),
        missing_columns="insert",
        glob=False,
        hive_partitioning=False,
        storage_options=dict(storage_options) or None,
    )


class DataFiles:
    """Writes and reads the files of one table.

    Args:
        table: the table.
        uri: folder or URL where it stands.
        storage_options: of the object store, as `Lake` takes them.
    """

    def __init__(self, table: type[Table], uri: str, storage_options: Mapping[str, str]) -> None:
        self._table, self._uri, self._options = table, uri, storage_options
        self._schema = _schema(table)

    def write(self, partition: PartitionValue | None, frames: Iterable[pl.DataFrame]) -> list[AddAction]:
        """Write rows of one partition as they come; when one of them cannot be had, no file is left."""
        groups, added = _together(frames), list[AddAction]()
        try:
            while (first := next(groups, None)) is not None:
                added.append(self._write_file(partition, itertools.chain([first], groups)))
        except BaseException:
            self.discard(added)
            raise
        return added

    def _write_file(self, partition: PartitionValue | None, groups: Iterator[pl.DataFrame]) -> AddAction:
        """Write one file, of as many groups of rows as it takes."""
        from pyarrow.parquet import ParquetWriter

        key = None if partition is None else partition_key_of(partition)
        folder = "" if key is None else f"{self._table.spec.partitioned_by}={quote(key, safe='')}/"
        path = f"{folder}part-{uuid.uuid4()}.zstd.parquet"
        unit, rows, ids = self._table.spec.replaced_by, 0, list[str]()
        with self._sink(path) as sink:
            schema = _arrow(self._schema.to_frame()).schema
            with ParquetWriter(sink, schema, **_writer_options(self._table)) as parquet:
                for group in groups:
                    parquet.write_table(_arrow(group.select(self._schema.names())), row_group_size=_LARGEST_GROUP)
                    rows += group.height
                    if unit is not None:
                        ids += group.select(least=pl.min(unit), greatest=pl.max(unit)).row(0)
                    if sink.tell() > _LARGEST_FILE:
                        break
            size = sink.tell()
        stats: dict[str, Any] = {"numRecords": rows}
        if unit is not None:
            stats |= {"minValues": {unit: min(ids)}, "maxValues": {unit: max(ids)}, "nullCount": {unit: 0}}
        values = {} if key is None else {str(self._table.spec.partitioned_by): key}
        return AddAction(path, size, values, _now_ms(), True, json.dumps(stats))

    @contextlib.contextmanager
    def _sink(self, path: str) -> Iterator[IO[bytes]]:
        """What a file is written into, which is there when nothing was raised."""
        if "://" in self._uri:
            with tempfile.TemporaryFile() as spool:
                yield spool
                spool.seek(0)
                self._store().put(path, spool)
            return
        file = Path(self._uri, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("xb") as sink:
                yield sink
        except BaseException:
            file.unlink()
            raise

    def discard(self, added: Iterable[AddAction]) -> None:
        """Remove files that no commit will add."""
        for action in added:
            if "://" in self._uri:
                self._store().delete(action.path)
            else:
                Path(self._uri, action.path).unlink()

    def rest(self, file: DataFile, ids: Collection[str]) -> Iterator[pl.DataFrame] | None:
        """The rows of a file that are of none of some ids, in pieces; None where all of them are."""
        if not file.may_hold(ids):
            return None
        rows = scan_files(self._table, self._uri, [file], self._options)
        is_named = pl.col(str(self._table.spec.replaced_by)).is_in([*ids])
        if not rows.select(is_named.any()).collect().item():
            return None
        return rows.filter(~is_named).collect_batches(chunk_size=_ROWS_TOGETHER, maintain_order=True)

    def removal(self, file: DataFile) -> RemoveAction:
        """The action that removes a file."""
        by = self._table.spec.partitioned_by
        values = {} if by is None or file.partition is None else {by: partition_key_of(file.partition)}
        return RemoveAction(file.path, True, _now_ms(), file.size, values)  # type: ignore[arg-type]

    def _store(self) -> Any:
        return object_store(self._uri, self._options)


def _together(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The rows of some frames, in frames that are worth being written."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        held += [] if frame.is_empty() else [frame]
        if sum(each.height for each in held) >= _ROWS_TOGETHER:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)


def _arrow(rows: pl.DataFrame) -> Any:
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@functools.cache
def _writer_options(table: type[Table]) -> Mapping[str, Any]:
    # Measured figures, times, numbers that are keys and binary values hardly ever repeat: a dictionary of them costs a
    # quarter of the write and saves nothing.
    last_key = table.primary_key()[-1]
    differences = [
        name
        for name, dtype in table.schema().items()
        if isinstance(dtype, pl.Datetime) or (dtype.is_integer() and name == last_key)
    ]
    repeating = [
        f"{name}.list.element" if isinstance(dtype, pl.List) else name
        for name, dtype in table.schema().items()
        if not dtype.is_float() and dtype != pl.Binary and name not in differences
    ]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": repeating,
        "column_encoding": dict.fromkeys(differences, "DELTA_BINARY_PACKED") or None,
        "store_schema": False,
    }
