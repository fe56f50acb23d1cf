"""Ledgers: the contents and inputs of a table, recorded in the table's own Delta log.

Each commit of `Lake.replace` carries a note in its metadata: for every unit that it replaces (a match, a log file; ""
is a whole partition), a fingerprint of the unit's inputs and one of its rows; for every partition, a fingerprint of its
inputs as a whole, and the blocking checks that failed. Rows and note are one commit, so a crash cannot separate them; a
note by itself costs two milliseconds. A table's ledger is the sum of its notes, of which newer ones override older.

A commit without a note is foreign: the content that it wrote is unknown, and its checks have not run.

`ledger_of` shows a ledger as a table, for queries and for functions that depend on what has been made.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.table import PartitionValue, Table, partition_key_of

NOTE = "gamestats"
"""Key of the note in a commit's metadata."""
WHOLE = ""
"""The unit of a table that is replaced by whole partitions; also the partition of an unpartitioned table."""
_SET_ASIDE = "!"
# Fingerprint of no rows, since a unit made without rows differs from one never made.
NO_ROWS = "0"


def fingerprint(*parts: str) -> str:
    """A short hash of some texts in their order.

    >>> fingerprint("a", "b") == fingerprint("a", "b"), fingerprint("a", "b") == fingerprint("ab")
    (True, False)
    """
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def mapping_fingerprint(pairs: Mapping[str, str]) -> str:
    """A fingerprint of keys and values, whatever their order."""
    return fingerprint(*(part for pair in sorted(pairs.items()) for part in pair))


def combined_hash(parts: Iterable[str]) -> str:
    """One hash of several texts, whatever their order."""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32]


def step_version(tables: Iterable[type[Table]], own: str) -> str:
    """Version of a step, declared columns included, so that adding a column makes its tables again."""
    columns = (f"{table.spec.key} {name} {dtype}" for table in tables for name, dtype in table.schema().items())
    return f"{own}-{combined_hash(columns)[:8]}"


Units = dict[str, tuple[str, str]]
"""The fingerprints of each unit's inputs and rows."""


@dataclass(slots=True)
class Partition:
    """The ledger's entry for one partition.

    Attributes:
        units: its units; None if a foreign commit wrote the rows.
        made_from: fingerprint of the inputs of the whole partition, once all of it was made.
        failed: blocking checks that it breaks, each with its message; None if they were not evaluated yet.
        warned: other checks that it breaks, likewise.
        written_by: the newest version that wrote rows of it.
    """

    units: Units | None = field(default_factory=dict)
    made_from: str = ""
    failed: Mapping[str, str] | None = None
    warned: Mapping[str, str] = field(default_factory=dict)
    written_by: int = 0
    _content: str | None = None

    @property
    def content(self) -> str:
        """Fingerprint of all rows; "" if there never were any."""
        if self._content is None:
            self._content = self._fingerprint()
        return self._content

    def _fingerprint(self) -> str:
        if self.units is None:
            return f"version {self.written_by}"
        if len(self.units) == 1 and WHOLE in self.units:
            return self.units[WHOLE][1]
        return mapping_fingerprint(self.rows_of) if self.units else ""

    @property
    def set_aside(self) -> dict[str, str]:
        """Units that a check blames, each with the check's name."""
        return {unit: rows[1:] for unit, (_, rows) in (self.units or {}).items() if rows.startswith(_SET_ASIDE)}

    @property
    def rows_of(self) -> dict[str, str]:
        """Fingerprint of each unit's rows, set-aside units included."""
        return {unit: rows for unit, (_, rows) in (self.units or {}).items()}


def set_aside(check: str) -> str:
    """The mark in place of a rows fingerprint for a unit that a check blames."""
    return f"{_SET_ASIDE}{check}"


def is_set_aside(rows: str) -> bool:
    """Whether a rows fingerprint is the mark of a set-aside unit."""
    return rows.startswith(_SET_ASIDE)


@dataclass(slots=True)
class Note:
    """The note of one commit; all mappings are by partition key.

    Attributes:
        units: entries of new and changed units.
        gone: units that no longer exist.
        whole: partitions whose entries are complete; earlier ones are void.
        made_from: fingerprints of partitions' inputs.
        failed: blocking checks that partitions break; checks of written partitions that are missing here are due.
        warned: other checks that they break.
        everything: whether the note describes the whole table, so that earlier notes are void.
    """

    units: dict[str, Units] = field(default_factory=dict)
    gone: dict[str, list[str]] = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)
    made_from: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Mapping[str, str]] = field(default_factory=dict)
    warned: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    everything: bool = False

    def dumps(self) -> str:
        """Serialises the note for a commit."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return json.dumps({name: value for name, value in values.items() if value}, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> Note:
        """Parses the note of a commit."""
        return cls(**json.loads(text))


@dataclass(slots=True)
class Ledger:
    """The ledger of one version of a table; see `Lake.ledger`."""

    version: int = -1
    partitions: dict[str, Partition] = field(default_factory=dict)

    def take(self, version: int, note: Note) -> None:
        """Applies the note of the next commit."""
        if note.everything:
            self.partitions.clear()
        for key in note.whole:
            self.partitions[key] = Partition()
        for key in dict.fromkeys((*note.whole, *note.gone, *note.units)):
            partition = self._partition(key)
            partition.units = {} if partition.units is None else partition.units
            for unit in note.gone.get(key, ()):
                partition.units.pop(unit, None)
            partition.units.update(
                (unit, (made_from, rows)) for unit, (made_from, rows) in note.units.get(key, {}).items()
            )
            # Until the final note, a partition is incomplete and unchecked.
            partition.made_from, partition.failed, partition.warned, partition.written_by = "", None, {}, version
            partition._content = None
        for key, made_from in note.made_from.items():
            self._partition(key).made_from = made_from
        for key, failed in note.failed.items():
            self._partition(key).failed, self._partition(key).warned = failed, note.warned.get(key, {})
        # A partition without units that was never completed does not exist.
        for key in dict.fromkeys((*note.whole, *note.gone)):
            if not self.partitions[key].units and not self.partitions[key].made_from:
                del self.partitions[key]

    def take_unknown(self, version: int, keys: Iterable[str]) -> None:
        """Applies a foreign commit, which has no note and wrote rows of some partitions."""
        for key in keys:
            self.partitions[key] = Partition(units=None, written_by=version)

    def _partition(self, key: str) -> Partition:
        return self.partitions.setdefault(key, Partition())

    def __getitem__(self, key: str) -> Partition:
        return self.partitions.get(key) or Partition()

    def content(self) -> dict[str, str]:
        """Fingerprint of each partition's rows; partitions without rows are left out."""
        return {key: partition.content for key, partition in self.partitions.items() if partition.content}

    def as_note(self) -> Note:
        """A note with the whole ledger, except for partitions of unknown content."""
        known = {key: partition for key, partition in self.partitions.items() if partition.units is not None}
        return Note(
            units={key: dict(partition.units or {}) for key, partition in known.items()},
            whole=[*known],
            made_from={key: partition.made_from for key, partition in known.items() if partition.made_from},
            failed={key: partition.failed for key, partition in known.items() if partition.failed is not None},
            warned={key: partition.warned for key, partition in known.items() if partition.warned},
            everything=True,
        )

    def frame(self, keys: Iterable[str] | None = None) -> pl.DataFrame:
        """The ledger as a table (see `ledger_of`), of some partitions or all."""
        wanted = self.partitions.keys() if keys is None else keys
        rows = [
            (key, unit, made_from, content)
            for key in wanted
            for unit, (made_from, content) in (self[key].units or {}).items()
        ]
        return pl.DataFrame(rows, schema=LedgerRow.schema(), orient="row")


def row_fingerprints(table: type[Table], rows: pl.DataFrame) -> dict[str, dict[str, str]]:
    """Fingerprint of the rows of each partition and unit, whatever their order.

    Another release of polars may compute other values; everything downstream is then made once more.
    """
    spec = table.spec
    if rows.is_empty():
        return {}
    names = {
        "partition": pl.col(spec.partitioned_by) if spec.partitioned_by else pl.lit(WHOLE),
        "unit": pl.col(spec.replaced_by) if spec.replaced_by else pl.lit(WHOLE),
    }
    hashes = rows.select(table.column_names()).hash_rows(seed=7)
    # In halves, so that no sum overflows.
    sums = (
        rows.with_columns(**names)
        .select("partition", "unit", high=hashes // 2**32, low=hashes % 2**32)
        .group_by("partition", "unit")
        .agg(pl.len(), pl.col("high", "low").sum())
    )
    by_key: dict[str, dict[str, str]] = {}
    for partition, unit, *figures in sums.iter_rows():
        by_key.setdefault(partition_key_of(partition), {})[unit] = fingerprint(*map(str, figures))
    return by_key


class RowsHash:
    """As `row_fingerprints`, for streamed rows of one partition."""

    def __init__(self) -> None:
        self._figures = [0, 0, 0]

    def add(self, rows: pl.DataFrame) -> None:
        """Adds the declared columns of some rows."""
        if not rows.is_empty():
            hashes = rows.hash_rows(seed=7)
            new = (rows.height, int((hashes // 2**32).sum()), int((hashes % 2**32).sum()))
            self._figures = [known + more for known, more in zip(self._figures, new, strict=True)]

    def fingerprint(self) -> str:
        """The fingerprint of all rows."""
        return fingerprint(*map(str, self._figures)) if self._figures[0] else NO_ROWS


# --------------------------------------------------------------------------- as a table


class LedgerRow(Table):
    """Columns of every ledger; `ledger_of` declares the ledger of a table."""

    of: ClassVar[type[Table]]
    partition_key = dy.String(
        primary_key=True, description="Partition, as Dagster writes it; empty without partitions."
    )
    unit_id = dy.String(primary_key=True, description="Match or log file; empty if partitions are made whole.")
    input_hash = dy.String(description="Fingerprint of its inputs.")
    rows_hash = dy.String(
        description="Fingerprint of its rows; 0 without rows. A unit that is set aside has a ! and the check."
    )


@functools.cache
def ledger_of(table: type[Table]) -> type[LedgerRow]:
    """A table's ledger as a table, `<game>_ledger.<table>`, which `Lake.scan` reads from the table's log."""

    class TableLedger(
        LedgerRow,
        key=f"{table.spec.game}_ledger/{table.spec.name}",
        layer="bronze",
        partitioned_by="partition_key",
        replaced_by="unit_id",
    ):
        """Contents of a table, with the inputs of each unit."""

        of = table

    return TableLedger


def partition_keys(table: type[Table], partitions: Sequence[PartitionValue] | None) -> list[str]:
    """Keys of the partitions that a write owns; the key of an unpartitioned table is `WHOLE`."""
    return [partition_key_of(value) for value in partitions] if partitions is not None else [WHOLE]
