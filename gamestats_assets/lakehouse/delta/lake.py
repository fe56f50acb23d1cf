"""The lake: Delta tables that are read lazily and written only by replacement.

Every write names the part that it replaces (partitions, or ids within partitions), writes its rows to new files (see
`data_files`), and adds these in the same commit that removes the old ones. Running anything twice therefore changes
nothing, and a process that dies leaves the old rows or the new ones. Rows that break the table's rules go to the game's
quarantine in the same call. The commit itself records the inputs of the rows (see `ledger`), and units with unchanged
rows are not written again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import polars as pl
import tenacity
from deltalake import CommitProperties, DeltaTable, Field, WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from gamestats_assets.lakehouse.delta.data_files import DataFiles, data_files
from gamestats_assets.lakehouse.delta.ledger import (
    NO_ROWS,
    NOTE,
    WHOLE,
    Ledger,
    Note,
    RowsHash,
    Units,
    partition_keys,
    row_fingerprints,
    set_aside,
)
from gamestats_assets.lakehouse.delta.reader import DamagedTableError, LakeReader
from gamestats_assets.lakehouse.delta.schema import delta_schema, partition_columns, refuse_incompatible
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.quality import (
    PieceScreening,
    QuarantineRow,
    Rejection,
    check_schema,
    destination,
    quarantine_frame,
    quarantine_of,
    screen,
)
from gamestats_assets.lakehouse.table import PartitionValue, Table, partition_key_of


class MissingPredicateError(GamestatsError):
    """A write does not say which rows it replaces."""


class OutsidePredicateError(GamestatsError):
    """A write contains rows of a partition or id that it does not replace."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Result of one replacement.

    Attributes:
        version: Delta version of the table after the write.
        rows: number of rows now in the replaced part.
        written: number of these that had to be written, because their units changed.
        rejections: rows that were quarantined instead.
        preview: up to five of the committed rows.
    """

    version: int
    rows: int
    written: int
    rejections: list[Rejection] = field(repr=False)
    preview: pl.DataFrame = field(repr=False)

    @property
    def rejected_rows(self) -> int:
        """Number of rows that went to the quarantine."""
        return sum(rejection.rejected_rows for rejection in self.rejections)


@dataclass(frozen=True, slots=True)
class Made:
    """Inputs of rows, by partition key and unit (`WHOLE` if partitions are made whole).

    Attributes:
        units: fingerprint of the inputs of every unit that was made, with or without rows.
        set_aside: units whose rows are left out, each with the check that blames it.
    """

    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    set_aside: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


MADE_UNKNOWN = Made()


@dataclass(slots=True)
class _NewRows:
    """Rows that may be committed: in memory, or in files that were written while they streamed in."""

    height: int
    preview: pl.DataFrame
    in_memory: pl.DataFrame | None = None
    fingerprints: dict[str, dict[str, str]] = field(default_factory=dict)
    files: list[AddAction] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Change:
    """Change of a partition: the units to write, and the units whose stored rows are removed; None means all."""

    written: Collection[str] | None
    replaced: Collection[str] | None


def _is_conflict(error: BaseException) -> bool:
    # The writer lost a race for the first or the next version; it reloads and tries again.
    return isinstance(error, CommitFailedError) or (
        isinstance(error, DeltaError) and any(word in str(error) for word in ("already exists", "conflict", "Conflict"))
    )


_retry_conflicts = tenacity.retry(
    retry=tenacity.retry_if_exception(_is_conflict),
    wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
    stop=tenacity.stop_after_attempt(12),
    reraise=True,
)


# Delta's defaults, which apply again after a history was forgotten.
_RETENTION = {"delta.logRetentionDuration": "interval 30 days", "delta.deletedFileRetentionDuration": "interval 1 week"}
# For commits of a schema. The second of two writers starts again from the first one's commit: Delta's own retry would
# commit the same schema once more, which aborts writers that have started.
_FIRST_COME = CommitProperties(max_commit_retries=0)


class Lake(LakeReader):
    """Delta tables under one root: a folder, or an object-store URL."""

    @_retry_conflicts
    def note(self, table: type[Table], note: Note) -> None:
        """Records facts in the ledger without changing rows. Facts that it already contains are not recorded again."""
        ledger = self.ledger(table)
        made_from = {key: value for key, value in note.made_from.items() if ledger[key].made_from != value}
        judged = {key: (value, note.warned.get(key, {})) for key, value in note.failed.items()}
        judged = {key: value for key, value in judged.items() if (ledger[key].failed, ledger[key].warned) != value}
        failed = {key: value for key, (value, _) in judged.items()}
        warned = {key: value for key, (_, value) in judged.items() if value}
        new = replace(note, made_from=made_from, failed=failed, warned=warned)
        if new != Note():
            self._transact(table, self._prepared(table), new)

    # ----------------------------------------------------------------- writing

    def replace(
        self,
        table: type[Table],
        frame: pl.DataFrame | pl.LazyFrame | Iterable[pl.DataFrame],
        *,
        partitions: Sequence[PartitionValue] | None = None,
        ids: Sequence[str] | None = None,
        rejections: Iterable[Rejection] = (),
        partition_of: Mapping[str, str] | None = None,
        made: Made = MADE_UNKNOWN,
    ) -> Commit:
        """Replaces partitions, or ids within partitions, by the frame's rows, in one commit.

        The frame may be empty; the partitions or ids then become empty. Rows that break the table's rules are
        quarantined (see `quality.screen`) together with the given rejections, which arose before there were rows.

        An iterable of frames is streamed and never held in memory as a whole. It replaces whole partitions and is one
        unit of quarantine; `quality.PieceScreening` defines the conditions on its keys.

        Args:
            table: the table.
            frame: the new rows.
            partitions: values of the partition column that the write owns, or their keys; required for a partitioned
                table, refused for another.
            ids: values of the table's `replaced_by` column; None replaces whole partitions.
            rejections: further rejections, read after the rows.
            partition_of: the partition key of each id, if known; it files the rejections of ids that have no row.
            made: inputs of the rows, for the ledger.

        Raises:
            MissingPredicateError: if the write does not name the part to replace.
            PartitionKeyError: if a partition is not a value of the table's partition column.
            OutsidePredicateError: if a row belongs to none of the given partitions or ids.
            SchemaMismatchError: if the frame's columns or types are not the declared ones.
            IncompatibleSchemaError: if the stored table cannot accept the declared columns.
        """
        spec = table.spec
        if spec.partitioned_by and not partitions:
            raise MissingPredicateError(f"{spec.key}: say which values of {spec.partitioned_by} this write replaces.")
        if partitions is not None and not spec.partitioned_by:
            raise MissingPredicateError(f"{spec.key} has no partitions; it is replaced whole or by ids.")
        if ids is not None and not spec.replaced_by:
            raise MissingPredicateError(f"{spec.key} is replaced by whole partitions; it takes no ids.")
        if ids is not None and not ids:
            raise MissingPredicateError(f"{spec.key}: the list of ids to replace is empty; do not write at all.")
        if partitions is not None:
            partitions = [table.partition_value(partition_key_of(value)) for value in partitions]
        # Fails before anything is written or quarantined.
        refuse_incompatible(table, self._newest(table))
        partition_of = partition_of or {}
        if isinstance(frame, (pl.DataFrame, pl.LazyFrame)):
            rows = frame.lazy().collect()
            check_schema(table, rows.schema)
            rows = _round_floats(table, rows)
            self._refuse_outsiders(table, rows, partitions, ids)
            valid, broken = (screened := screen(table, rows)).rows, screened.rejections
            rejected = [*rejections, *broken]
            new = _NewRows(valid.height, first_rows(valid), valid, row_fingerprints(table, valid))
            made = self._with_rejected_units(table, rows, broken, made)
            partition_of = {**self._partition_of_units(table, rows, partition_keys(table, partitions)), **partition_of}
        elif ids is None:
            new, rejected = self._write_stream(table, frame, partitions, rejections)
        else:
            raise MissingPredicateError(f"{spec.key}: rows that come in pieces replace whole partitions, not ids.")
        self._replace_quarantine(table, partitions, ids, rejected, partition_of)
        version, written = self._commit(table, new, partitions, ids, made)
        return Commit(version, new.height, written, rejected, new.preview)

    @staticmethod
    def _with_rejected_units(
        table: type[Table], frame: pl.DataFrame, rejections: Iterable[Rejection], made: Made
    ) -> Made:
        """Returns the inputs with units set aside that are rejected as a whole."""
        unit, partition = table.spec.replaced_by, table.spec.partitioned_by
        rules = {each.unit_id: each.rule for each in rejections if each.scope == "unit"}
        if unit is None or not rules:
            return made
        where = pl.col(partition) if partition else pl.lit(WHOLE)
        aside = {key: dict(units) for key, units in made.set_aside.items()}
        for name, of in frame.filter(pl.col(unit).is_in([*rules])).select(unit, where.alias("of")).unique().iter_rows():
            aside.setdefault(partition_key_of(of), {}).setdefault(name, rules[name])
        return Made(made.units, aside)

    def _write_stream(
        self,
        table: type[Table],
        pieces: Iterable[pl.DataFrame],
        partitions: Sequence[PartitionValue] | None,
        rejections: Iterable[Rejection],
    ) -> tuple[_NewRows, list[Rejection]]:
        """Streams rows of one partition into files; returns these and the rejections. If all is rejected, no file."""
        [key], [value] = partition_keys(table, partitions), partitions or [None]
        screening, hashed, files = PieceScreening(table), RowsHash(), self._files(table)
        new = _NewRows(0, pl.DataFrame(schema=table.schema()))

        def good() -> Iterator[pl.DataFrame]:
            for piece in pieces:
                rows = screening.rows(_round_floats(table, piece))
                self._refuse_outsiders(table, rows, partitions, None)
                if not rows.is_empty():
                    new.height += rows.height
                    new.preview = first_rows(rows)
                    hashed.add(rows)
                    yield rows

        new.files = files.write(value, good())
        before = [*rejections]
        accepted, found = screening.verdict(before)
        if not accepted:
            files.discard(new.files)
            new = _NewRows(0, new.preview.clear())
        elif new.height:
            new.fingerprints = {key: {WHOLE: hashed.fingerprint()}}
        return new, [*before, *found]

    @_retry_conflicts
    def _commit(
        self,
        table: type[Table],
        new: _NewRows,
        partitions: Sequence[PartitionValue] | None,
        ids: Sequence[str] | None,
        made: Made,
    ) -> tuple[int, int]:
        """Commits the units whose rows changed; returns the version and the number of rows written."""
        delta, files, keys = self._prepared(table), self._files(table), partition_keys(table, partitions)
        if issubclass(table, QuarantineRow):
            note, changes = None, {key: _Change(None, ids) for key in keys}
        else:
            note, changes = _changes(table, self._ledger_of(table, delta), keys, new.fingerprints, ids, made)
        if not changes:
            files.discard(new.files)
            unchanged = note == Note()
            return self._cache(table, delta).version() if unchanged else self._transact(table, delta, note), 0
        added, removed, written = [*new.files], list[RemoveAction](), new.height
        if new.in_memory is not None:
            written = 0
            for value, rows in _by_partition(table, new.in_memory, partitions):
                change = changes.get(WHOLE if value is None else partition_key_of(value))
                if change is not None and change.written is not None:
                    rows = rows.filter(pl.col(str(table.spec.replaced_by)).is_in([*change.written]))
                if change is not None:
                    added += files.write(value, [_sort_by_unit(table, rows)])
                    written += rows.height
        for file in (seen := data_files(table, delta, partitions)):
            change = changes.get(WHOLE if file.partition is None else partition_key_of(file.partition))
            if change is None:
                continue
            if change.replaced is not None:
                remaining_rows = files.remaining_rows(file, change.replaced)
                if remaining_rows is None:
                    continue
                added += files.write(file.partition, remaining_rows)
            removed.append(files.removal(file))
        if note is None and not added and not removed:
            return self._cache(table, delta).version(), 0
        while True:
            version = delta.version()
            try:
                return self._transact(table, delta, note, [*added, *removed]), written
            except DeltaError as error:
                # Retries if the writer who came first changed only other partitions.
                delta.update_incremental()
                overtaken = delta.version() > version and data_files(table, delta, partitions) == seen
                if not _is_conflict(error) or not overtaken:
                    raise

    def _transact(
        self, table: type[Table], delta: DeltaTable, note: Note | None, actions: Sequence[AddAction | RemoveAction] = ()
    ) -> int:
        """Commits files and a note to exactly the version that they were prepared for; returns the new version."""
        delta.create_write_transaction(
            [*actions],
            mode="append",
            schema=delta.schema(),
            partition_by=partition_columns(table) or None,
            commit_properties=CommitProperties(
                custom_metadata={NOTE: note.dumps()} if note else None, max_commit_retries=0
            ),
        )
        delta.update_incremental()
        return self._cache(table, delta).version()

    def _files(self, table: type[Table]) -> DataFiles:
        return DataFiles(table, self.uri(table), self.storage_options)

    def _refuse_outsiders(
        self,
        table: type[Table],
        frame: pl.DataFrame,
        partitions: Sequence[PartitionValue] | None,
        ids: Sequence[str] | None,
    ) -> None:
        for column, owned in ((table.spec.partitioned_by, partitions), (table.spec.replaced_by, ids)):
            if column is None or owned is None:
                continue
            if outsiders := {*frame.get_column(column).unique()} - {None, *owned}:
                raise OutsidePredicateError(
                    f"{table.spec.key}: the write replaces {column} in {_shorten(owned)}, "
                    f"but the frame holds {_shorten(sorted(outsiders))}. Nothing was written."
                )
        if (dimension := table.pair_dimension()) is not None:
            # Rows by day and name are also read by the name column.
            named = pl.col(str(table.spec.partitioned_by)).str.splitn("|", 2).struct.field("field_1")
            mismatched = frame.filter(named != pl.col(dimension))
            if mismatched.height:
                raise OutsidePredicateError(
                    f"{table.spec.key}: {mismatched.height} rows have another {dimension} than their "
                    f"{table.spec.partitioned_by} says; first: {mismatched.row(0, named=True)}. Nothing was written."
                )

    @_retry_conflicts
    def ensure(self, table: type[Table]) -> None:
        """Creates the stored table, empty, unless it exists: a table without rows differs from one never made."""
        delta = self._newest(table)
        if delta is None or _new_columns(table, delta):
            self._prepared(table)

    def _prepared(self, table: type[Table]) -> DeltaTable:
        """The stored table for one writer, created or extended to the declared schema."""
        delta = self._newest(table)
        # Readers open the table separately in the meantime.
        self._opened.pop(table, None)
        if delta is None:
            return self._create(table, mode="error")
        refuse_incompatible(table, delta)
        if added := _new_columns(table, delta):
            delta.alter.add_columns(added, commit_properties=_FIRST_COME)
            delta.update_incremental()
        return delta

    def _create(self, table: type[Table], mode: Literal["error", "overwrite"]) -> DeltaTable:
        return self._kind.create(
            self.uri(table),
            schema=delta_schema(table),
            mode=mode,
            partition_by=partition_columns(table) or None,
            name=table.spec.dotted,
            description=table.description(),
            storage_options=self.storage_options,
            commit_properties=CommitProperties(
                max_commit_retries=0, custom_metadata={NOTE: Note(everything=True).dumps()}
            ),
        )

    def _replace_quarantine(
        self,
        table: type[Table],
        partitions: Sequence[PartitionValue] | None,
        ids: Sequence[str] | None,
        rejections: Sequence[Rejection],
        partition_of: Mapping[str, str],
    ) -> None:
        if issubclass(table, QuarantineRow):
            return
        quarantine = quarantine_of(table.spec.game)
        keys = [partition_key_of(value) for value in partitions] if partitions else ["all"]
        places = [destination(table, key) for key in keys]
        state = self.state(quarantine)
        if not rejections and (state is None or not any(place in state.rows_per_partition for place in places)):
            return
        rows = pl.concat(
            [
                quarantine_frame(table, key, [r for r in rejections if partition_of.get(r.unit_id, keys[0]) == key])
                for key in keys
            ]
        )
        # Rows without an id form their own unit, which no caller names.
        units = None if ids is None else sorted({*ids, *rows.get_column("unit_id")})
        self._commit(quarantine, _NewRows(rows.height, rows, rows), places, units, MADE_UNKNOWN)

    @staticmethod
    def _partition_of_units(table: type[Table], frame: pl.DataFrame, keys: Sequence[str]) -> dict[str, str]:
        unit, partition = table.spec.replaced_by, table.spec.partitioned_by
        if len(keys) == 1 or unit is None or partition is None:
            return {}
        # A unit with rows in several partitions is filed under the first, whatever the order of rows.
        pairs = frame.select(unit, partition).unique().drop_nulls().sort(partition, descending=True)
        return {unit_id: partition_key_of(value) for unit_id, value in pairs.iter_rows()}

    @_retry_conflicts
    def rebuild(self, table: type[Table]) -> None:
        """Empties a stored table and gives it the declared schema, in one commit.

        Earlier versions stay readable until the next vacuum, unless the log was damaged.
        """
        self._opened.pop(table, None)
        try:
            found = self.open(table)
        except DamagedTableError:
            self._log(table).remove()
            self._create(table, mode="error")
            return
        if found is not None:
            self._create(table, mode="overwrite")

    # ----------------------------------------------------------------- maintenance

    @_retry_conflicts
    def compact(self, table: type[Table], *, retain_hours: int = 168) -> dict[str, int]:
        """Merges small files, removes files that no version of the last `retain_hours` needs, writes a checkpoint.

        Returns:
            Numbers of files before, after, and removed from storage.
        """
        delta = self.open(table)
        if delta is None:
            return {"files_before": 0, "files_after": 0, "files_removed": 0}
        before = len(delta.file_uris())
        delta.optimize.compact(writer_properties=WriterProperties(compression="ZSTD", compression_level=1))
        delta.update_incremental()
        # `full` also finds files of killed writers, which no version of the log names.
        removed = delta.vacuum(retention_hours=retain_hours, dry_run=False, enforce_retention_duration=False, full=True)
        delta.update_incremental()
        self._opened.pop(table, None)
        if not issubclass(table, QuarantineRow):
            # Older notes are then no longer read, so their commits can be removed.
            self._transact(table, delta, self.ledger(table).as_note())
        delta.create_checkpoint()
        return {"files_before": before, "files_after": len(delta.file_uris()), "files_removed": len(removed)}

    @_retry_conflicts
    def forget_history(self, table: type[Table]) -> None:
        """Removes everything but the newest version: older rows, files, folders and lines of the log.

        Erasure of a person's data needs this, since the log describes every file by values in it and every replacement
        by its predicate. Readers that started before may fail. Running it again completes the work of a killed process.
        """
        delta = self.open(table)
        if delta is None:
            return
        delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
        delta.update_incremental()
        ledger = self.ledger(table)
        self._opened.pop(table, None)
        # These decide which removed files a checkpoint keeps, and which earlier commits.
        delta.alter.set_table_properties(dict.fromkeys(_RETENTION, "interval 0 seconds"))
        delta = DeltaTable(self.uri(table), storage_options=self.storage_options)
        if not issubclass(table, QuarantineRow):
            self._transact(table, delta, ledger.as_note())
        delta.create_checkpoint()
        delta.cleanup_metadata()
        delta.alter.set_table_properties(_RETENTION)
        self._remove_empty_folders(table)

    def _remove_empty_folders(self, table: type[Table]) -> None:
        """Removes the folders of partitions without rows, since their names show the partition."""
        partition = table.spec.partitioned_by
        if self.is_remote or partition is None:
            return
        for folder in Path(self.uri(table)).glob(f"{partition}=*"):
            # A folder that a writer has filled in the meantime stays.
            with contextlib.suppress(OSError):
                folder.rmdir()


def _new_columns(table: type[Table], delta: DeltaTable) -> list[Field]:
    stored = {column.name for column in delta.schema().fields}
    return [column for column in delta_schema(table).fields if column.name not in stored]


def _changes(
    table: type[Table],
    ledger: Ledger,
    keys: Sequence[str],
    fingerprints: Mapping[str, Mapping[str, str]],
    ids: Sequence[str] | None,
    made: Made,
) -> tuple[Note, dict[str, _Change]]:
    """Compares new fingerprints with the ledger; returns the note for the commit and the change of each partition."""
    unit, note, changes = table.spec.replaced_by, Note(), dict[str, _Change]()
    for key in keys:
        before, made_from_by_unit, aside = ledger[key].units, made.units.get(key, {}), made.set_aside.get(key, {})
        now: Units = {each: (made_from, NO_ROWS) for each, made_from in made_from_by_unit.items()}
        now |= {each: (made_from_by_unit.get(each, ""), content) for each, content in fingerprints.get(key, {}).items()}
        now |= {each: (made_from_by_unit.get(each, ""), set_aside(check)) for each, check in aside.items()}
        if before is None or (unit is None and not now):
            note.whole.append(key)
            note.units[key] = now
            if before is None or before:
                # The old rows cannot be attributed to units.
                changes[key] = _Change(None, ids)
            continue
        gone = [each for each in before if each not in now and (ids is None or each in ids)]
        if gone:
            note.gone[key] = gone
        if new := {each: entry for each, entry in now.items() if before.get(each) != entry}:
            note.units[key] = new
        changed = {each for each, (_, content) in new.items() if before.get(each, ("", ""))[1] != content}
        if changed or gone:
            # Streamed rows are not attributed to units.
            replaced = {*gone, *(changed if WHOLE in before else changed & before.keys())}
            is_whole = unit is None or WHOLE in now or replaced >= before.keys()
            changes[key] = _Change(changed if unit and WHOLE not in now else None, None if is_whole else replaced)
    return note, changes


def _round_floats(table: type[Table], rows: pl.DataFrame) -> pl.DataFrame:
    """Rounds floats to the number of significant digits that the table keeps."""
    digits = table.spec.significant_digits
    return rows if digits is None else rows.with_columns(pl.selectors.float().round_sig_figs(digits))


def _by_partition(
    table: type[Table], rows: pl.DataFrame, partitions: Sequence[PartitionValue] | None
) -> Iterator[tuple[PartitionValue | None, pl.DataFrame]]:
    """The rows of each partition."""
    if partitions is None or len(partitions) == 1:
        yield (partitions or [None])[0], rows
    else:
        for (value,), part in rows.partition_by(str(table.spec.partitioned_by), as_dict=True).items():
            yield value, part  # type: ignore[misc]


def _sort_by_unit(table: type[Table], rows: pl.DataFrame) -> pl.DataFrame:
    """Sorts rows of one partition by id, so that later reads and replacements by id skip row groups."""
    unit = table.spec.replaced_by
    # Ids usually come in order, and checking costs a tenth of sorting.
    return rows if unit is None or rows.get_column(unit).is_sorted() else rows.sort(unit)


def first_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Copies up to five rows. A slice would keep all rows in memory."""
    return pl.DataFrame(rows.head(5).rows(), schema=rows.schema, orient="row")


def _shorten(values: Sequence[object]) -> str:
    shown = ", ".join(str(value) for value in list(values)[:5])
    return f"{shown}, ... ({len(values)} in all)" if len(values) > 5 else shown
