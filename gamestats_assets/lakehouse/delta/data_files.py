"""Parquet files of Delta tables: written whole, in folders named by partition, and read one by one.

A file belongs to its table once a commit adds it. If its writer dies first, a vacuum removes the file.
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

from gamestats_assets.lakehouse.files.storage import Bucket, Folder, object_store, storage
from gamestats_assets.lakehouse.table import PartitionValue, Table, partition_key_of

_MAX_FILE_BYTES = 128 * 1024 * 1024
_MAX_GROUP_ROWS = 1_048_576
# Streamed rows are written in groups of this size.
_ROWS_PER_WRITE = 500_000


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a table.

    Attributes:
        path: path within the table's folder.
        size: size in bytes.
        partition: value of the partition column; None if the table has none.
        least: least id in the file, if the table is replaced by ids and it is known.
        greatest: greatest id, likewise.
    """

    path: str
    size: int
    partition: PartitionValue | None
    least: str | None
    greatest: str | None

    def may_hold(self, ids: Collection[str] | None) -> bool:
        """Whether the file may contain rows of one of some ids; None means any id."""
        least, greatest = self.least, self.greatest
        return ids is None or least is None or greatest is None or any(least <= each <= greatest for each in ids)


def data_files(table: type[Table], delta: DeltaTable, partitions: Collection[PartitionValue] | None) -> list[DataFile]:
    """The files of some partitions or of all."""
    actions = pl.DataFrame(delta.get_add_actions(flatten=True))
    partition, unit = f"partition.{table.spec.partitioned_by}", table.spec.replaced_by
    if actions.is_empty():
        return []
    if partitions is not None:
        actions = actions.filter(pl.col(partition).is_in([*partitions]))
    names = ["path", "size_bytes", partition, f"min.{unit}", f"max.{unit}"]
    present = [pl.col(name) if name in actions.columns else pl.lit(None).alias(name) for name in names]
    # Paths in the log are URL-encoded.
    return [DataFile(unquote(path), *values) for path, *values in actions.select(present).iter_rows()]


def _schema(table: type[Table]) -> pl.Schema:
    """Columns of a table's files. The partition column is missing: folder names contain its value."""
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
        uri: folder or URL of the table.
        storage_options: options of the object store, as in `Lake`.
    """

    def __init__(self, table: type[Table], uri: str, storage_options: Mapping[str, str]) -> None:
        self._table, self._uri, self._options = table, uri, storage_options
        self._schema = _schema(table)

    def write(self, partition: PartitionValue | None, frames: Iterable[pl.DataFrame]) -> list[AddAction]:
        """Writes streamed rows of one partition. If the stream fails, no file is left."""
        groups, added = _in_large_frames(frames), list[AddAction]()
        try:
            while (first := next(groups, None)) is not None:
                added.append(self._write_file(partition, itertools.chain([first], groups)))
        except BaseException:
            self.discard(added)
            raise
        return added

    def _write_file(self, partition: PartitionValue | None, groups: Iterator[pl.DataFrame]) -> AddAction:
        """Writes one file from as many groups of rows as fit into it."""
        from pyarrow.parquet import ParquetWriter

        key = None if partition is None else partition_key_of(partition)
        folder = "" if key is None else f"{self._table.spec.partitioned_by}={quote(key, safe='')}/"
        path = f"{folder}part-{uuid.uuid4()}.zstd.parquet"
        unit, rows, ids = self._table.spec.replaced_by, 0, list[str]()
        with self._sink(path) as sink:
            schema = _arrow(self._schema.to_frame()).schema
            with ParquetWriter(sink, schema, **_writer_options(self._table)) as parquet:
                for group in groups:
                    parquet.write_table(_arrow(group.select(self._schema.names())), row_group_size=_MAX_GROUP_ROWS)
                    rows += group.height
                    if unit is not None:
                        ids += group.select(least=pl.min(unit), greatest=pl.max(unit)).row(0)
                    if sink.tell() > _MAX_FILE_BYTES:
                        break
            size = sink.tell()
        stats: dict[str, Any] = {"numRecords": rows}
        if unit is not None:
            stats |= {"minValues": {unit: min(ids)}, "maxValues": {unit: max(ids)}, "nullCount": {unit: 0}}
        values = {} if key is None else {str(self._table.spec.partitioned_by): key}
        return AddAction(path, size, values, _now_ms(), True, json.dumps(stats))

    @contextlib.contextmanager
    def _sink(self, path: str) -> Iterator[IO[bytes]]:
        """Opens a file for writing. The file exists afterwards only if nothing was raised."""
        if "://" in self._uri:
            with tempfile.TemporaryFile() as spool:
                yield spool
                spool.seek(0)
                object_store(self._uri, self._options).put(path, spool)
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
        """Removes files that no commit will add."""
        for action in added:
            self._storage().delete(action.path)

    def remaining_rows(self, file: DataFile, ids: Collection[str]) -> Iterator[pl.DataFrame] | None:
        """The rows of a file without those of some ids, in pieces; None if the file has no rows of these ids."""
        if not file.may_hold(ids):
            return None
        rows = scan_files(self._table, self._uri, [file], self._options)
        is_named = pl.col(str(self._table.spec.replaced_by)).is_in([*ids])
        if not rows.select(is_named.any()).collect().item():
            return None
        return rows.filter(~is_named).collect_batches(chunk_size=_ROWS_PER_WRITE, maintain_order=True)

    def removal(self, file: DataFile) -> RemoveAction:
        """The action that removes a file."""
        by = self._table.spec.partitioned_by
        values = {} if by is None or file.partition is None else {by: partition_key_of(file.partition)}
        return RemoveAction(file.path, True, _now_ms(), file.size, values)  # type: ignore[arg-type]

    def _storage(self) -> Folder | Bucket:
        return storage(self._uri, self._options)


def _in_large_frames(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Merges frames into frames that are large enough to write."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        held += [] if frame.is_empty() else [frame]
        if sum(each.height for each in held) >= _ROWS_PER_WRITE:
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
    # Measurements, times, numeric keys and binary values hardly ever repeat: a dictionary of them costs a quarter of
    # the write and saves nothing.
    last_key = table.primary_key()[-1]
    delta_encoded = [
        name
        for name, dtype in table.schema().items()
        if isinstance(dtype, pl.Datetime) or (dtype.is_integer() and name == last_key)
    ]
    dictionary_encoded = [
        f"{name}.list.element" if isinstance(dtype, pl.List) else name
        for name, dtype in table.schema().items()
        if not dtype.is_float() and dtype != pl.Binary and name not in delta_encoded
    ]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": dictionary_encoded,
        "column_encoding": dict.fromkeys(delta_encoded, "DELTA_BINARY_PACKED") or None,
        "store_schema": False,
    }
