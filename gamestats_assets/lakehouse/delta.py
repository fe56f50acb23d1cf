"""The lake: Delta tables that are read lazily and written by replacement only.

Every write says what it replaces (partitions, or ids within partitions), puts its rows into files of its own (see
`data_files`), and adds them in the one commit that removes those they stand for. So running anything twice changes
nothing, and a process that dies leaves the old rows or the new ones. Rows that break the table's rules never get in:
they go to the game's quarantine, in the same call. What a commit made, and from what, stands in the commit itself (see
`ledger`); units whose rows are what they were are not written again.
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

from gamestats_assets.lakehouse.data_files import DataFiles, data_files
from gamestats_assets.lakehouse.delta_schema import delta_schema, partition_columns, refuse_incompatible
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.lake_reader import DamagedTableError, LakeReader
from gamestats_assets.lakehouse.ledger import (
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
    """A write holds rows of a partition or id that it does not replace."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What one replacement did.

    Attributes:
        version: Delta version of the table after the write.
        rows: rows that stand for what was replaced.
        written: those of them that had to be written, for their units had others before.
        rejections: what was quarantined instead.
        preview: up to five of the committed rows.
    """

    version: int
    rows: int
    written: int
    rejections: list[Rejection] = field(repr=False)
    preview: pl.DataFrame = field(repr=False)

    @property
    def rejected_rows(self) -> int:
        """Rows that went to the quarantine."""
        return sum(rejection.rejected_rows for rejection in self.rejections)


@dataclass(frozen=True, slots=True)
class Made:
    """What rows are made from: by partition key and unit (`WHOLE` where partitions are made whole) a fingerprint.

    Attributes:
        units: of every unit that was made, with or without rows.
        set_aside: units whose rows are left out, each with the check that blames it.
    """

    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    set_aside: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


NOTHING_KNOWN = Made()


@dataclass(slots=True)
class _NewRows:
    """Rows that may be committed: at hand, or in files that were written while they came."""

    height: int
    preview: pl.DataFrame
    at_hand: pl.DataFrame | None = None
    fingerprints: dict[str, dict[str, str]] = field(default_factory=dict)
    files: list[AddAction] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of a partition: the units whose rows are written, and those whose stored ones go; None is all."""

    written: Collection[str] | None
    replaced: Collection[str] | None


def _conflict(error: BaseException) -> bool:
    # A lost race over the first version or the next one; the writer reloads and tries again.
    return isinstance(error, CommitFailedError) or (
        isinstance(error, DeltaError) and any(word in str(error) for word in ("already exists", "conflict", "Conflict"))
    )


_retry_conflicts = tenacity.retry(
    retry=tenacity.retry_if_exception(_conflict),
    wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
    stop=tenacity.stop_after_attempt(12),
    reraise=True,
)


# Delta's own, which count again when a history was forgotten.
_RETENTION = {
    "delta.logRetentionDuration": "interval 30 days",
    "delta.deletedFileRetentionDuration": "interval 1 week",
}
# For commits of a schema. Whoever comes second starts from the first one's: Delta's own retry would commit the same
# schema once more, which breaks off the writers that have begun.
_FIRST_COME = CommitProperties(max_commit_retries=0)


class Lake(LakeReader):
    """Delta tables under one root: a folder, or an object-store URL."""

    @_retry_conflicts
    def note(self, table: type[Table], note: Note) -> None:
        """Enter in the ledger what changes no row; what stands there already is not entered again."""
        ledger = self.ledger(table)
        made_from = {key: told for key, told in note.made_from.items() if ledger[key].made_from != told}
        judged = {key: (told, note.warned.get(key, {})) for key, told in note.failed.items()}
        judged = {key: told for key, told in judged.items() if (ledger[key].failed, ledger[key].warned) != told}
        failed = {key: told for key, (told, _) in judged.items()}
        warned = {key: told for key, (_, told) in judged.items() if told}
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
        made: Made = NOTHING_KNOWN,
    ) -> Commit:
        """Replace partitions, or ids within partitions, by the frame's rows, in one commit.

        The frame may be empty: the partitions or ids then become empty. Rows that break the
        table's rules are quarantined (see `quality.screen`) together with the given
        rejections, which were made before there was a row.

        Frames that come one after another are never held together; they are one unit of quarantine, replace whole
        partitions, and see `quality.PieceScreening` for their keys.

        Args:
            partitions: values of the partition column that the write owns, or their keys;
                required for a partitioned table, refused for another.
            ids: values of the table's `replaced_by` column; None replaces whole partitions.
            rejections: read after the rows.
            partition_of: id to the partition key it belongs to, where it is known; it files the
                rejections of ids that have no row.
            made: what the rows are made from, for the ledger.

        Raises:
            MissingPredicateError: when it is not said what to replace.
            PartitionKeyError: when a partition is no value of the table's partition column.
            OutsidePredicateError: when a row belongs to none of the given partitions or ids.
            SchemaMismatchError: when the frame's columns or types are not the declared ones.
            IncompatibleSchemaError: when the stored table cannot take the declared columns.
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
        # A table that cannot take the rows must say so before anything is written or quarantined.
        refuse_incompatible(table, self._newest(table))
        partition_of = partition_of or {}
        if isinstance(frame, (pl.DataFrame, pl.LazyFrame)):
            eager = frame.lazy().collect()
            check_schema(table, eager.schema)
            eager = _rounded(table, eager)
            self._refuse_outsiders(table, eager, partitions, ids)
            good, found = (screened := screen(table, eager)).rows, screened.rejections
            rejected = [*rejections, *found]
            new = _NewRows(good.height, first_rows(good), good, row_fingerprints(table, good))
            made = self._condemned(table, eager, found, made)
            partition_of = {**self._partition_of_units(table, eager, partition_keys(table, partitions)), **partition_of}
        elif ids is None:
            new, rejected = self._written_as_they_come(table, frame, partitions, rejections)
        else:
            raise MissingPredicateError(f"{spec.key}: rows that come in pieces replace whole partitions, not ids.")
        self._replace_quarantine(table, partitions, ids, rejected, partition_of)
        version, written = self._commit(table, new, partitions, ids, made)
        return Commit(version, new.height, written, rejected, new.preview)

    @staticmethod
    def _condemned(table: type[Table], frame: pl.DataFrame, rejections: Iterable[Rejection], made: Made) -> Made:
        """As it was made, with units set aside that are rejected as a whole."""
        unit, partition = table.spec.replaced_by, table.spec.partitioned_by
        rules = {each.unit_id: each.rule for each in rejections if each.scope == "unit"}
        if unit is None or not rules:
            return made
        where = pl.col(partition) if partition else pl.lit(WHOLE)
        aside = {key: dict(units) for key, units in made.set_aside.items()}
        for name, of in frame.filter(pl.col(unit).is_in([*rules])).select(unit, where.alias("of")).unique().iter_rows():
            aside.setdefault(partition_key_of(of), {}).setdefault(name, rules[name])
        return Made(made.units, aside)

    def _written_as_they_come(
        self,
        table: type[Table],
        pieces: Iterable[pl.DataFrame],
        partitions: Sequence[PartitionValue] | None,
        rejections: Iterable[Rejection],
    ) -> tuple[_NewRows, list[Rejection]]:
        """Rows of one partition in files, and what is rejected; no file when that is everything."""
        [key], [value] = partition_keys(table, partitions), partitions or [None]
        screening, hashed, files = PieceScreening(table), RowsHash(), self._files(table)
        new = _NewRows(0, pl.DataFrame(schema=table.schema()))

        def good() -> Iterator[pl.DataFrame]:
            for piece in pieces:
                rows = screening.rows(_rounded(table, piece))
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
        """Commit those units that have other rows than they had; version and number of rows written."""
        delta, files, keys = self._prepared(table), self._files(table), partition_keys(table, partitions)
        if issubclass(table, QuarantineRow):
            note, changes = None, {key: _Change(None, ids) for key in keys}
        else:
            note, changes = _changes(table, self._ledger_of(table, delta), keys, new.fingerprints, ids, made)
        if not changes:
            files.discard(new.files)
            unchanged = note == Note()
            return self._kept(table, delta).version() if unchanged else self._transact(table, delta, note), 0
        added, removed, written = [*new.files], list[RemoveAction](), new.height
        if new.at_hand is not None:
            written = 0
            for value, rows in _by_partition(table, new.at_hand, partitions):
                change = changes.get(WHOLE if value is None else partition_key_of(value))
                if change is not None and change.written is not None:
                    rows = rows.filter(pl.col(str(table.spec.replaced_by)).is_in([*change.written]))
                if change is not None:
                    added += files.write(value, [_in_order(table, rows)])
                    written += rows.height
        for file in (seen := data_files(table, delta, partitions)):
            change = changes.get(WHOLE if file.partition is None else partition_key_of(file.partition))
            if change is None:
                continue
            if change.replaced is not None:
                rest = files.rest(file, change.replaced)
                if rest is None:
                    continue
                added += files.write(file.partition, rest)
            removed.append(files.removal(file))
        if note is None and not added and not removed:
            return self._kept(table, delta).version(), 0
        while True:
            version = delta.version()
            try:
                return self._transact(table, delta, note, [*added, *removed]), written
            except DeltaError as error:
                # Whoever came first with other partitions holds nobody up.
                delta.update_incremental()
                overtaken = delta.version() > version and data_files(table, delta, partitions) == seen
                if not _conflict(error) or not overtaken:
                    raise

    def _transact(
        self,
        table: type[Table],
        delta: DeltaTable,
        note: Note | None,
        actions: Sequence[AddAction | RemoveAction] = (),
    ) -> int:
        """Commit files and a note on the very version that they are made for; the version after it."""
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
        return self._kept(table, delta).version()

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
            if strangers := {*frame.get_column(column).unique()} - {None, *owned}:
                raise OutsidePredicateError(
                    f"{table.spec.key}: the write replaces {column} in {_few(owned)}, "
                    f"but the frame holds {_few(sorted(strangers))}. Nothing was written."
                )
        if (dimension := table.pair_dimension()) is not None:
            # A day's rows of one name are read by that name too.
            named = pl.col(str(table.spec.partitioned_by)).str.splitn("|", 2).struct.field("field_1")
            torn = frame.filter(named != pl.col(dimension))
            if torn.height:
                raise OutsidePredicateError(
                    f"{table.spec.key}: {torn.height} rows have another {dimension} than their "
                    f"{table.spec.partitioned_by} says; first: {torn.row(0, named=True)}. Nothing was written."
                )

    @_retry_conflicts
    def ensure(self, table: type[Table]) -> None:
        """Make the stored table, empty, unless there is one: made and without rows is not the same as never made."""
        delta = self._newest(table)
        if delta is None or _new_columns(table, delta):
            self._prepared(table)

    def _prepared(self, table: type[Table]) -> DeltaTable:
        """The stored table, made or extended to the declared schema, for one writer."""
        delta = self._newest(table)
        # Who looks meanwhile opens it for himself.
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
        # Rows without an id are entered as a unit of their own, which no caller names.
        units = None if ids is None else sorted({*ids, *rows.get_column("unit_id")})
        self._commit(quarantine, _NewRows(rows.height, rows, rows), places, units, NOTHING_KNOWN)

    @staticmethod
    def _partition_of_units(table: type[Table], frame: pl.DataFrame, keys: Sequence[str]) -> dict[str, str]:
        unit, partition = table.spec.replaced_by, table.spec.partitioned_by
        if len(keys) == 1 or unit is None or partition is None:
            return {}
        # A unit with rows in several partitions is entered under its first, whatever the order of rows.
        pairs = frame.select(unit, partition).unique().drop_nulls().sort(partition, descending=True)
        return {unit_id: partition_key_of(value) for unit_id, value in pairs.iter_rows()}

    @_retry_conflicts
    def rebuild(self, table: type[Table]) -> None:
        """Empty a stored table and give it the declared schema, in one commit.

        Earlier versions stay readable until the next vacuum; of a table whose log is damaged there are none.
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
        """Merge small files, drop files no version of the last `retain_hours` needs, write a checkpoint.

        Returns:
            Files before, after, and removed from storage.
        """
        delta = self.open(table)
        if delta is None:
            return {"files_before": 0, "files_after": 0, "files_removed": 0}
        before = len(delta.file_uris())
        delta.optimize.compact(writer_properties=WriterProperties(compression="ZSTD", compression_level=1))
        delta.update_incremental()
        # `full` finds the files of killed writers too, which no version of the log names.
        removed = delta.vacuum(retention_hours=retain_hours, dry_run=False, enforce_retention_duration=False, full=True)
        delta.update_incremental()
        self._opened.pop(table, None)
        if not issubclass(table, QuarantineRow):
            # So that nobody has to read the older notes, and their commits may go.
            self._transact(table, delta, self.ledger(table).as_note())
        delta.create_checkpoint()
        return {"files_before": before, "files_after": len(delta.file_uris()), "files_removed": len(removed)}

    @_retry_conflicts
    def forget_history(self, table: type[Table]) -> None:
        """Keep nothing but the newest version: no older row, file, folder or line of the log.

        For the erasure of what is held on a person: the log tells of every file that ever was by the values in it, and
        of every replacement by its predicate. Readers that began before may fail; running it again finishes what a
        killed process began.
        """
        delta = self.open(table)
        if delta is None:
            return
        delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
        delta.update_incremental()
        ledger = self.ledger(table)
        self._opened.pop(table, None)
        # What a checkpoint keeps of removed files, and which commits before it are kept, these say.
        delta.alter.set_table_properties(dict.fromkeys(_RETENTION, "interval 0 seconds"))
        delta = DeltaTable(self.uri(table), storage_options=self.storage_options)
        if not issubclass(table, QuarantineRow):
            self._transact(table, delta, ledger.as_note())
        delta.create_checkpoint()
        delta.cleanup_metadata()
        delta.alter.set_table_properties(_RETENTION)
        self._remove_empty_folders(table)

    def _remove_empty_folders(self, table: type[Table]) -> None:
        """Remove the folders of partitions without rows, which are named by them; object stores have none."""
        partition = table.spec.partitioned_by
        if self.is_remote or partition is None:
            return
        for folder in Path(self.uri(table)).glob(f"{partition}=*"):
            # One that a writer has filled meanwhile stays.
            with contextlib.suppress(OSError):
                folder.rmdir()


def _new_columns(table: type[Table], delta: DeltaTable) -> list[Field]:
    stored = {column.name for column in delta.schema().fields}
    return [column for column in delta_schema(table).fields if column.name not in stored]


def _changes(
    table: type[Table],
    ledger: Ledger,
    keys: Sequence[str],
    found: Mapping[str, Mapping[str, str]],
    ids: Sequence[str] | None,
    made: Made,
) -> tuple[Note, dict[str, _Change]]:
    """What rows of some fingerprints change: the note that says it, and by partition what is to be written."""
    unit, note, changes = table.spec.replaced_by, Note(), dict[str, _Change]()
    for key in keys:
        before, of, aside = ledger[key].units, made.units.get(key, {}), made.set_aside.get(key, {})
        now: Units = {each: (made_from, NO_ROWS) for each, made_from in of.items()}
        now |= {each: (of.get(each, ""), content) for each, content in found.get(key, {}).items()}
        now |= {each: (of.get(each, ""), set_aside(check)) for each, check in aside.items()}
        if before is None or (unit is None and not now):
            note.whole.append(key)
            note.units[key] = now
            if before is None or before:
                # Nobody knows which units had these rows.
                changes[key] = _Change(None, ids)
            continue
        gone = [each for each in before if each not in now and (ids is None or each in ids)]
        if gone:
            note.gone[key] = gone
        if new := {each: entry for each, entry in now.items() if before.get(each) != entry}:
            note.units[key] = new
        others = {each for each, (_, content) in new.items() if before.get(each, ("", ""))[1] != content}
        if others or gone:
            # Rows that came in pieces are nobody's in particular.
            replaced = {*gone, *(others if WHOLE in before else others & before.keys())}
            is_whole = unit is None or WHOLE in now or replaced >= before.keys()
            changes[key] = _Change(others if unit and WHOLE not in now else None, None if is_whole else replaced)
    return note, changes


def _rounded(table: type[Table], rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with as many digits as the table keeps, all at once or part by part."""
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


def _in_order(table: type[Table], rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of one partition, those of one id side by side: later reads and replacements by id skip row groups."""
    unit = table.spec.replaced_by
    # Mostly ids come in order: looking costs a tenth of sorting.
    return rows if unit is None or rows.get_column(unit).is_sorted() else rows.sort(unit)


def first_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Up to five rows, in memory of their own: a slice would keep all rows in memory as long as it lives."""
    return pl.DataFrame(rows.head(5).rows(), schema=rows.schema, orient="row")


def _few(values: Sequence[object]) -> str:
    shown = ", ".join(str(value) for value in list(values)[:5])
    return f"{shown}, ... ({len(values)} in all)" if len(values) > 5 else shown
