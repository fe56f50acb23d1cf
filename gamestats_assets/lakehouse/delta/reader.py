"""Reads the lake's Delta tables: their newest versions, rows, state and ledgers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from gamestats_assets.lakehouse.delta.commit_log import CommitLog
from gamestats_assets.lakehouse.delta.data_files import data_files, scan_files
from gamestats_assets.lakehouse.delta.ledger import NOTE, WHOLE, Ledger, LedgerRow, Note
from gamestats_assets.lakehouse.delta.schema import delta_schema, partition_columns, refuse_incompatible
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.table import PartitionValue, Table, partition_key_of

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.models.sql import Source

_UNREADABLE_LOG = re.compile(r"Json error|contiguous commit|metadata or protocol|[Cc]heckpoint")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class StoreUnavailableError(GamestatsError):
    """The object store cannot be reached or denies access."""


class DamagedTableError(GamestatsError):
    """The log of a stored table cannot be read."""


@dataclass(frozen=True, slots=True)
class TableState:
    """The state of a table according to its Delta log."""

    version: int
    rows: int
    size_bytes: int
    files: int
    rows_per_partition: Mapping[str, int]


class _LocalTable(DeltaTable):
    """A table on a disk. The library returns URL-encoded paths, with %20 for a blank; this class decodes them."""

    def file_uris(self, partition_filters: Any = None, *, file_pruning_predicate: Any = None) -> list[str]:
        """Paths of the files of the newest version."""
        url = urlsplit(self.table_uri).path.rstrip("/")
        root = unquote(url)
        uris = super().file_uris(partition_filters, file_pruning_predicate=file_pruning_predicate)
        return [root + uri.removeprefix(url) for uri in uris]


class LakeReader:
    """Reads Delta tables under one root: a folder, or an object-store URL.

    Args:
        root: folder or URL; tables are at `<root>/<game>/<table>`.
        storage_options: options of the object store, passed on to deltalake. For S3: `aws_endpoint_url`, `aws_region`,
            `aws_access_key_id`, `aws_secret_access_key`, and `aws_allow_http` = `true` for an endpoint without TLS.
            The environment's AWS variables are the defaults. Commits are conditional puts, which S3, R2 and MinIO
            support; no lock table is needed.
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.root = str(root).rstrip("/")
        self.storage_options = dict(storage_options or {})
        self._opened: dict[type[Table], tuple[DeltaTable, int, tuple[int, int] | None]] = {}
        self._ledgers: dict[type[Table], tuple[str, Ledger]] = {}

    @property
    def is_remote(self) -> bool:
        """Whether the lake is in an object store."""
        return "://" in self.root

    @property
    def _kind(self) -> type[DeltaTable]:
        return DeltaTable if self.is_remote else _LocalTable

    def uri(self, table: type[Table]) -> str:
        """Folder or URL of a table."""
        return f"{self.root}/{table.spec.key}"

    def _log(self, table: type[Table]) -> CommitLog:
        return CommitLog(self.uri(table), self.storage_options)

    def open(self, table: type[Table]) -> DeltaTable | None:
        """The table's newest version, or None if nothing was ever written.

        Raises:
            DamagedTableError: if its log cannot be read.
            StoreUnavailableError: if the object store does not answer.
        """
        if self.is_remote:
            return self._load(table)
        if not Path(self.uri(table), "_delta_log").is_dir():
            return None
        delta = self._load(table)
        # The library ignores an empty commit, as a crash may leave it, and would show the rows that it replaced.
        newest = None if delta is None else self._log(table).file(delta.version())
        if newest is not None and newest.exists() and not newest.stat().st_size:
            raise DamagedTableError(_damage(table, f"{newest.name} is empty"))
        return delta

    def _load(self, table: type[Table], *, retry: bool = True) -> DeltaTable | None:
        try:
            return self._kind(self.uri(table), storage_options=self.storage_options)
        except TableNotFoundError:
            return None
        except DeltaError as error:
            if retry:
                # Forgetting history removes files of the log, possibly while it is read.
                return self._load(table, retry=False)
            first_line = _ANSI.sub("", str(error)).strip().splitlines()[0]
            if self.is_remote and not _UNREADABLE_LOG.search(first_line):
                raise  # it may be a temporary problem of the store
            raise DamagedTableError(_damage(table, first_line)) from None
        except OSError as error:
            if not self.is_remote:
                raise
            # The last line of the library's long message is the cause.
            cause = _ANSI.sub("", str(error)).strip().splitlines()[-1].strip(" \u21b3")
            raise StoreUnavailableError(
                f"The object store of {self.root} does not answer: {cause} Check GAMESTATS_DATA and "
                "GAMESTATS_STORAGE_OPTIONS (aws_region, aws_access_key_id, aws_secret_access_key, aws_endpoint_url)."
            ) from None

    def _newest(self, table: type[Table]) -> DeltaTable | None:
        """The table's newest version, for reading only; cached until something is committed.

        Opening a table costs milliseconds, and a step examines dozens.
        """
        if self.is_remote:
            return self.open(table)
        if (cached := self._opened.get(table)) is not None:
            delta, at, written = cached
            log = self._log(table)
            if not log.file(at + 1).exists() and log.identity(at) == written is not None:
                return delta
        delta = self.open(table)
        return None if delta is None else self._cache(table, delta)

    def _cache(self, table: type[Table], delta: DeltaTable) -> DeltaTable:
        """Caches a table at its newest version for readers. It must not be used for writing any more."""
        if not self.is_remote:
            self._opened[table] = delta, delta.version(), self._log(table).identity(delta.version())
        return delta

    def version(self, table: type[Table]) -> int | None:
        """Number of the table's newest version, or None if nothing was ever written."""
        delta = self._newest(_stored(table))
        return None if delta is None else delta.version()

    def committed_at(self, table: type[Table]) -> datetime | None:
        """When the newest version was committed, or None if nothing was ever written."""
        delta = self._newest(table)
        return None if delta is None else datetime.fromtimestamp(delta.history(1)[0]["timestamp"] / 1000, UTC)

    def scan(
        self, table: type[Table], partitions: Sequence[PartitionValue] | None = None, ids: Sequence[str] | None = None
    ) -> pl.LazyFrame:
        """A lazy frame with the declared columns, limited to the given partitions and ids.

        A table that was never written is empty; a column declared since the last write is null. A ledger (`ledger_of`)
        is read from the log of its table.
        """
        if issubclass(table, LedgerRow):
            ledger = self.ledger(table.of).frame(None if partitions is None else map(partition_key_of, partitions))
            return ledger.lazy() if ids is None else ledger.lazy().filter(pl.col("unit_id").is_in(list(ids)))
        delta = self._newest(table)
        if delta is None:
            return pl.LazyFrame(schema=table.schema())
        frame = self._scan_files(table, delta, partitions, ids)
        if frame is None:
            frame = pl.scan_delta(delta)
            if partitions is not None and table.spec.partitioned_by:
                frame = frame.filter(pl.col(table.spec.partitioned_by).is_in(list(partitions)))
        if ids is not None and table.spec.replaced_by:
            frame = frame.filter(pl.col(table.spec.replaced_by).is_in(list(ids)))
        present = {column.name for column in delta.schema().fields}
        return frame.select(
            pl.col(name).cast(dtype) if name in present else pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in table.schema().items()
        )

    def _scan_files(
        self,
        table: type[Table],
        delta: DeltaTable,
        partitions: Sequence[PartitionValue] | None,
        ids: Sequence[str] | None,
    ) -> pl.LazyFrame | None:
        """Scans the files of one partition or of an unpartitioned table, in a third of the time of `scan_delta`.

        None in all other cases, and if the files do not have exactly the declared columns.
        """
        partition, wanted = table.spec.partitioned_by, list(dict.fromkeys(partitions or ()))
        if self.is_remote or (partition and len(wanted) != 1) or delta.schema() != delta_schema(table):
            return None
        files = [file for file in data_files(table, delta, wanted if partition else None) if file.may_hold(ids)]
        rows = scan_files(table, self.uri(table), files, self.storage_options)
        if partition:
            rows = rows.with_columns(pl.lit(wanted[0], dtype=table.schema()[partition]).alias(partition))
        return rows

    def source(
        self, table: type[Table], partitions: Sequence[PartitionValue] | None = None, ids: Sequence[str] | None = None
    ) -> Source:
        """The source from which a SQL model reads a table, limited to partitions and ids.

        On a disk, these are the Parquet files; in an object store, the rows.
        """
        from gamestats_assets.lakehouse.models.sql import ParquetSource

        delta = None if self.is_remote or issubclass(table, LedgerRow) else self._newest(table)
        if delta is None:
            return self.scan(table, partitions, ids)
        spec = table.spec
        only: dict[str, Sequence[PartitionValue]] = {}
        filters = None
        if spec.partitioned_by and partitions is not None:
            filters = [(spec.partitioned_by, "in", [partition_key_of(value) for value in partitions])]
        if spec.replaced_by and ids is not None:
            only[spec.replaced_by] = list(ids)
        # Delta would take an empty list of partitions for no filter.
        return ParquetSource([] if partitions == [] else delta.file_uris(filters), spec.partitioned_by, only)

    def state(self, table: type[Table]) -> TableState | None:
        """Version, rows, bytes and rows per partition, or None if nothing was ever written.

        Raises:
            IncompatibleSchemaError: if the stored table has other partitions than the declared one.
        """
        delta = self._newest(table)
        if delta is None:
            return None
        partition = table.spec.partitioned_by
        if delta.metadata().partition_columns != partition_columns(table):
            refuse_incompatible(table, delta)
        actions = pl.DataFrame(delta.get_add_actions(flatten=True))
        per_partition: dict[str, int] = {}
        if partition and actions.height:
            grouped = actions.group_by(f"partition.{partition}").agg(pl.col("num_records").sum())
            per_partition = {partition_key_of(value): rows for value, rows in grouped.sort(pl.first()).iter_rows()}
        return TableState(
            version=delta.version(),
            rows=int(actions.get_column("num_records").sum()) if actions.height else 0,
            size_bytes=int(actions.get_column("size_bytes").sum()) if actions.height else 0,
            files=actions.height,
            rows_per_partition=per_partition,
        )

    # ----------------------------------------------------------------- the ledger

    def ledger(self, table: type[Table]) -> Ledger:
        """Contents and inputs of the newest version of a table, for reading only.

        After the first read, only new commits are read.
        """
        delta = self._newest(table)
        return Ledger() if delta is None else self._ledger_of(table, delta)

    def _ledger_of(self, table: type[Table], delta: DeltaTable) -> Ledger:
        identity = str(delta.metadata().id)
        known, ledger = self._ledgers.get(table, ("", Ledger()))
        head = delta.version()
        if known == identity and ledger.version == head:
            return ledger
        if known != identity or ledger.version > head:
            ledger = Ledger()
        for version, note, keys in self._notes(table, delta, ledger.version):
            if note is not None:
                ledger.take(version, note)
            elif keys:
                ledger.take_unknown(version, keys)
        ledger.version = head
        self._ledgers[table] = identity, ledger
        return ledger

    def _notes(self, table: type[Table], delta: DeltaTable, since: int) -> list[tuple[int, Note | None, list[str]]]:
        """Commits after a version, in order, each with its note and the partitions that it wrote."""
        notes: list[tuple[int, Note | None, list[str]]] = []
        partition = str(table.spec.partitioned_by)
        for version, info, files in self._log(table).commits(range(delta.version(), since, -1)):
            note = Note.loads(info[NOTE]) if NOTE in info else None
            keys = {file.get("partitionValues", {}).get(partition) or WHOLE for file in files if file["dataChange"]}
            notes.append((version, note, sorted(keys)))
            if note is not None and note.everything:
                break
        else:
            first = notes[-1][0] if notes else delta.version()
            if since < 0 and first > 0:
                # The log no longer has the older commits, so their rows count as foreign.
                state = self.state(table)
                notes.append((first, None, [*state.rows_per_partition] if state else []))
        return notes[::-1]


def _stored(table: type[Table]) -> type[Table]:
    """The table whose log has the content: for a ledger, the table that it describes."""
    return table.of if issubclass(table, LedgerRow) else table


def _damage(table: type[Table], cause: str) -> str:
    return (
        f"The log of {table.spec.dotted} is damaged: {cause.rstrip('.')}. "
        f"Make the table again: gamestats rebuild {table.spec.dotted}"
    )
