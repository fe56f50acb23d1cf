"""What stands in a table and what it was made from, as the table's own Delta log tells.

Each commit of `Lake.replace` carries a note in its metadata: for every unit that it replaces (a match, a log file; ""
is a whole partition) a fingerprint of what the unit was made from and one of its rows; for every partition a
fingerprint of what it was made from as a whole, and which checks that stop it failed. Rows and note are one commit, so
they cannot part, whatever dies in between; and a note by itself costs two milliseconds. The ledger of a table is what
its notes say together, the newest last.

A commit without a note is somebody else's: what it wrote has a content that nobody knows, and checks that nobody made.

`ledger_of` shows a ledger as a table, for queries and for functions that ask what was made.
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
"""The unit of a table that is replaced by whole partitions; the partition of one that has none."""
_SET_ASIDE = "!"
# One of no rows: what was made and gave nothing is not what was never made.
NO_ROWS = "0"


def fingerprint(*parts: str) -> str:
    """A short text that names some texts in their order.

    >>> fingerprint("a", "b") == fingerprint("a", "b"), fingerprint("a", "b") == fingerprint("ab")
    (True, False)
    """
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def mapping_fingerprint(pairs: Mapping[str, str]) -> str:
    """A fingerprint of keys and values, whatever their order."""
    return fingerprint(*(part for pair in sorted(pairs.items()) for part in pair))


def combined_hash(parts: Iterable[str]) -> str:
    """One hash of several, whatever their order."""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32]


def step_version(tables: Iterable[type[Table]], own: str) -> str:
    """Version of a step: its own, and the columns it declares, so that a new column fills itself."""
    columns = (f"{table.spec.key} {name} {dtype}" for table in tables for name, dtype in table.schema().items())
    return f"{own}-{combined_hash(columns)[:8]}"


Units = dict[str, tuple[str, str]]
"""By unit, the fingerprints of what it was made from and of its rows."""


@dataclass(slots=True)
class Partition:
    """What the ledger holds of one partition.

    Attributes:
        units: by unit; None where somebody else wrote the rows.
        made_from: fingerprint of what the partition was made from as a whole, when all of it was made.
        failed: blocking checks that it breaks, each with its message; None where they were not evaluated yet.
        warned: other checks that it breaks, in the same way.
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
        """Fingerprint of all rows; "" where there was never anything."""
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
        """By unit the fingerprint of its rows, set-aside units included."""
        return {unit: rows for unit, (_, rows) in (self.units or {}).items()}


def set_aside(check: str) -> str:
    """What stands for the rows of a unit that a check blames."""
    return f"{_SET_ASIDE}{check}"


def is_set_aside(rows: str) -> bool:
    """Whether a unit is set aside, by the fingerprint of its rows."""
    return rows.startswith(_SET_ASIDE)


@dataclass(slots=True)
class Note:
    """What one commit tells; partitions by key.

    Attributes:
        units: entries of units that are new or others.
        gone: units that are there no more.
        whole: partitions whose units are all told; those before are gone.
        made_from: of partitions.
        failed: of partitions; of those that the note writes and that stand not here, checks are owed.
        warned: of some of these.
        everything: whether the note tells of all the table; what was told before is void.
    """

    units: dict[str, Units] = field(default_factory=dict)
    gone: dict[str, list[str]] = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)
    made_from: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Mapping[str, str]] = field(default_factory=dict)
    warned: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    everything: bool = False

    def dumps(self) -> str:
        """As it stands in a commit."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return json.dumps({name: value for name, value in values.items() if value}, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> Note:
        """From a commit."""
        return cls(**json.loads(text))


@dataclass(slots=True)
class Ledger:
    """The ledger of one table in one version; `Lake.ledger` gives it."""

    version: int = -1
    partitions: dict[str, Partition] = field(default_factory=dict)

    def take(self, version: int, note: Note) -> None:
        """Take the note of the next commit."""
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
            # Until the note of its end, a partition is half made and nobody has checked it.
            partition.made_from, partition.failed, partition.warned, partition.written_by = "", None, {}, version
            partition._content = None
        for key, made_from in note.made_from.items():
            self._partition(key).made_from = made_from
        for key, failed in note.failed.items():
            self._partition(key).failed, self._partition(key).warned = failed, note.warned.get(key, {})
        # What has no rows, was never made as a whole and breaks nothing is nothing.
        for key in dict.fromkeys((*note.whole, *note.gone)):
            if not self.partitions[key].units and not self.partitions[key].made_from:
                del self.partitions[key]

    def take_unknown(self, version: int, keys: Iterable[str]) -> None:
        """Take a commit without a note that wrote rows of some partitions."""
        for key in keys:
            self.partitions[key] = Partition(units=None, written_by=version)

    def _partition(self, key: str) -> Partition:
        return self.partitions.setdefault(key, Partition())

    def __getitem__(self, key: str) -> Partition:
        return self.partitions.get(key) or Partition()

    def content(self) -> dict[str, str]:
        """By partition, the fingerprint of its rows; partitions without any are left out."""
        return {key: partition.content for key, partition in self.partitions.items() if partition.content}

    def as_note(self) -> Note:
        """A note that tells all of it; nothing of what nobody knows."""
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
        """As the table of `ledger_of`, of some partitions or all."""
        wanted = self.partitions.keys() if keys is None else keys
        rows = [
            (key, unit, made_from, content)
            for key in wanted
            for unit, (made_from, content) in (self[key].units or {}).items()
        ]
        return pl.DataFrame(rows, schema=LedgerRow.schema(), orient="row")


def row_fingerprints(table: type[Table], rows: pl.DataFrame) -> dict[str, dict[str, str]]:
    """By partition key and unit, a fingerprint of rows, whatever their order.

    Another release of polars may give others; what is made from the rows is then made once more.
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
    """As `row_fingerprints`, of the rows of one partition that come in pieces."""

    def __init__(self) -> None:
        self._figures = [0, 0, 0]

    def add(self, rows: pl.DataFrame) -> None:
        """Take the declared columns of some rows."""
        if not rows.is_empty():
            hashes = rows.hash_rows(seed=7)
            new = (rows.height, int((hashes // 2**32).sum()), int((hashes % 2**32).sum()))
            self._figures = [known + more for known, more in zip(self._figures, new, strict=True)]

    def fingerprint(self) -> str:
        """The fingerprint of all of them."""
        return fingerprint(*map(str, self._figures)) if self._figures[0] else NO_ROWS


# --------------------------------------------------------------------------- as a table


class LedgerRow(Table):
    """Columns of every ledger; `ledger_of` declares the one of a table."""

    of: ClassVar[type[Table]]
    partition_key = dy.String(primary_key=True, description="Partition, as Dagster writes it; empty where none is.")
    unit_id = dy.String(primary_key=True, description="Match or log file; empty where partitions are made whole.")
    input_hash = dy.String(description="Fingerprint of what it was made from.")
    rows_hash = dy.String(
        description="Fingerprint of its rows; 0 where it has none. A unit that is set aside has a ! and the check."
    )


@functools.cache
def ledger_of(table: type[Table]) -> type[LedgerRow]:
    """A table's ledger as a table, `<game>_ledger.<table>`, which `Lake.scan` reads; nothing of it is stored apart."""

    class TableLedger(
        LedgerRow,
        key=f"{table.spec.game}_ledger/{table.spec.name}",
        layer="bronze",
        partitioned_by="partition_key",
        replaced_by="unit_id",
    ):
        """What a table holds, and from what each unit of it was made."""

        of = table

    return TableLedger


def partition_keys(table: type[Table], partitions: Sequence[PartitionValue] | None) -> list[str]:
    """Keys of the partitions that a write owns; that of a table without any is `WHOLE`."""
    return [partition_key_of(value) for value in partitions] if partitions is not None else [WHOLE]
