"""Which ids of a partition a step has processed, and from what input.

A step that replaces by ids (matches, log files) writes its ledger last: the rows of an id
first, then the entry. A step that dies in between does the id again, with the same result.
What is left to do is what the inputs' ledgers hold and this one does not, or holds from
another input: a corrected file is found as surely as a new one, and an id that gave no
rows is not done twice.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.table import Table, partition_key_of

# An entry takes as long as the rows of a small partition. With a step that is killed, at most so many partitions or so
# many seconds of work are lost, or one batch.
_ENTERED_TOGETHER = 10
_ENTERED_WITHIN_S = 5.0


class LedgerRow(Table):
    """Columns of every ledger; `ledger_of` declares the one of a step."""

    partition_key = dy.String(primary_key=True, description="Partition, as Dagster writes it.")
    unit_id = dy.String(primary_key=True, description="Match or log file that was processed.")
    input_hash = dy.String(description="Hash of all inputs of the id and of the version of the code.")


@functools.cache
def ledger_of(game: str, step: str) -> type[LedgerRow]:
    """The ledger table of a step, `<game>_ledger/<step>`."""

    class StepLedger(
        LedgerRow, key=f"{game}_ledger/{step}", layer="bronze", partitioned_by="partition_key", replaced_by="unit_id"
    ):
        """Ids that a step has processed, and from what input."""

    return StepLedger


@dataclass(frozen=True, slots=True)
class Work:
    """What a step has to do in some partitions.

    Attributes:
        pending: per partition key, id to input hash, of what is new or changed.
        vanished: per partition key, ids that the inputs no longer hold; their rows must go.
        total: ids that the inputs hold.
    """

    pending: Mapping[str, Mapping[str, str]]
    vanished: Mapping[str, Sequence[str]]
    total: int

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it should be."""
        return not any(self.pending.values()) and not any(self.vanished.values())

    @property
    def count(self) -> int:
        """Ids to process."""
        return sum(len(units) for units in self.pending.values())

    def batches(self, size: int) -> Iterable[Mapping[str, Mapping[str, str]]]:
        """The pending ids in parts of at most `size`, in a fixed order, each as {partition: {id: hash}}."""
        flat = [
            (key, unit, digest) for key in sorted(self.pending) for unit, digest in sorted(self.pending[key].items())
        ]
        for start in range(0, len(flat), size):
            batch: dict[str, dict[str, str]] = {}
            for key, unit, digest in flat[start : start + size]:
                batch.setdefault(key, {})[unit] = digest
            yield batch


def combined_hash(parts: Iterable[str]) -> str:
    """One hash of several, whatever their order."""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32]


def step_version(tables: Iterable[type[Table]], own: str) -> str:
    """Version of a step: its own, and the columns it declares, so that a new column fills itself."""
    columns = (f"{table.spec.key} {name} {dtype}" for table in tables for name, dtype in table.schema().items())
    return f"{own}-{combined_hash(columns)[:8]}"


class Ledger:
    """The ledger of one step."""

    def __init__(self, lake: Lake, game: str, step: str) -> None:
        self._lake = lake
        self.table = ledger_of(game, step)
        self.step = step

    def entries(self, partition_keys: Sequence[str] | None = None) -> dict[str, dict[str, str]]:
        """Per partition key, id to input hash."""
        entries: dict[str, dict[str, str]] = {key: {} for key in partition_keys or ()}
        frame = self._lake.scan(self.table, partition_keys).select("partition_key", "unit_id", "input_hash").collect()
        for key, unit, digest in frame.iter_rows():
            entries.setdefault(key, {})[unit] = digest
        return entries

    def record(
        self, batch: Mapping[str, Mapping[str, str]], vanished: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Enter processed ids, and strike out vanished ones, in one commit."""
        new = {(key, unit): digest for key, units in batch.items() for unit, digest in units.items()}
        gone = {(key, unit) for key, units in (vanished or {}).items() for unit in units}
        if not new and not gone:
            return
        keys, ids = ({pair[place] for pair in (*new, *gone)} for place in (0, 1))
        # The write replaces every one of the ids in every one of the partitions; an id may be of several.
        there = {
            (key, unit): digest
            for key, units in self.entries(sorted(keys)).items()
            for unit, digest in units.items()
            if unit in ids and (key, unit) not in gone
        }
        rows = [(*pair, digest) for pair, digest in {**there, **new}.items()]
        self._lake.replace(
            self.table,
            pl.DataFrame(rows, schema=self.table.schema(), orient="row"),
            partitions=sorted(keys),
            ids=sorted(ids),
        )

    @contextmanager
    def entering(self) -> Iterator[Callable[..., None]]:
        """A function that enters what `record` takes, in one commit for some partitions or some seconds' work.

        What is left is entered at the end, be it an error. What a killed step had not entered is done again.
        """
        done: dict[str, dict[str, str]] = {}
        gone: dict[str, list[str]] = {}
        recorded = time.monotonic()

        def record() -> None:
            nonlocal recorded
            self.record(done, gone)
            done.clear()
            gone.clear()
            recorded = time.monotonic()

        def enter(batch: Mapping[str, Mapping[str, str]], vanished: Mapping[str, Sequence[str]] | None = None) -> None:
            for key, units in batch.items():
                done.setdefault(key, {}).update(units)
            for key, ids in (vanished or {}).items():
                gone.setdefault(key, []).extend(ids)
            if len({*done, *gone}) >= _ENTERED_TOGETHER or time.monotonic() - recorded > _ENTERED_WITHIN_S:
                record()

        try:
            yield enter
        finally:
            record()

    def forget(self) -> None:
        """Strike everything out: the step will process every id again."""
        self._lake.rebuild(self.table)

    def work(self, inputs: Mapping[str, Mapping[str, str]], *, code_version: str, everything: bool = False) -> Work:
        """What is left to do, given per partition key what the inputs hold (id to hash).

        Args:
            code_version: version of the step's code; another version does everything again.
            everything: do everything again whatever the ledger says.
        """
        return _work(self.entries(list(inputs)), inputs, code_version, everything=everything)

    def work_everywhere(self, inputs: Mapping[str, Mapping[str, str]], *, code_version: str) -> Work:
        """As `work`, in the partitions that only the ledger knows too: these hold rows whose input is gone."""
        done = self.entries()
        return _work(done, {**{key: {} for key in done}, **inputs}, code_version)


def _work(
    done: Mapping[str, Mapping[str, str]],
    inputs: Mapping[str, Mapping[str, str]],
    code_version: str,
    *,
    everything: bool = False,
) -> Work:
    """What the inputs hold and a ledger does not."""
    wanted = {
        key: {unit: combined_hash([digest, f"code {code_version}"]) for unit, digest in units.items()}
        for key, units in inputs.items()
    }
    pending = {
        key: {unit: digest for unit, digest in units.items() if everything or done.get(key, {}).get(unit) != digest}
        for key, units in wanted.items()
    }
    vanished = {key: sorted(done.get(key, {}).keys() - units.keys()) for key, units in wanted.items()}
    return Work(pending, vanished, sum(len(units) for units in wanted.values()))


def merged(entries: Iterable[tuple[str, Mapping[str, Mapping[str, str]]]]) -> dict[str, dict[str, str]]:
    """What several ledgers hold together: per partition key, id to one hash of all of them.

    Args:
        entries: (name of the step, its entries).
    """
    parts: dict[str, dict[str, list[str]]] = {}
    for step, partitions in entries:
        for key, units in partitions.items():
            of_key = parts.setdefault(key, {})
            for unit, digest in units.items():
                of_key.setdefault(unit, []).append(f"{step} {digest}")
    return {key: {unit: combined_hash(hashes) for unit, hashes in units.items()} for key, units in parts.items()}


def follows_ids(table: type[Table], sources: Iterable[type[Table]]) -> bool:
    """Whether what its sources' ledgers tell is enough to make a table, id by id: see `input_hashes`.

    One source must have the table's partitions and ids. Of a pair (`product_day`) all must: its id is the whole
    day of a name, so that a change in any other source would be overlooked.
    """
    spec = table.spec
    alike = [(s.spec.partitioned_by, s.spec.replaced_by) == (spec.partitioned_by, spec.replaced_by) for s in sources]
    return spec.replaced_by is not None and any(alike) and (all(alike) or not table.pair_dimension())


def input_hashes(
    lake: Lake, table: type[Table], sources: Iterable[type[Table]], partition_keys: Sequence[str] | None = None
) -> dict[str, dict[str, str]]:
    """What a table is to be made from: per partition key, id to one hash of all its inputs, as their ledgers tell.

    Which ids a partition has, its sources with the same partitions say. Sources by the same ids in other
    partitions (a player's matches are taken out of days) add to the hash, so what changes there is done again.

    Args:
        sources: tables it is made from; those that are not replaced by the same ids are passed over.
        partition_keys: partitions of the table; None is all that the sources have.
    """
    by_ids = [source for source in sources if source.spec.replaced_by == table.spec.replaced_by]
    alike = {s.spec.step for s in by_ids if s.spec.partitioned_by == table.spec.partitioned_by}
    elsewhere = {source.spec.step for source in by_ids} - alike
    found = merged((step, Ledger(lake, table.spec.game, step).entries(partition_keys)) for step in sorted(alike))
    if not elsewhere:
        return found
    others: dict[str, list[str]] = {}
    for step in sorted(elsewhere):
        for units in Ledger(lake, table.spec.game, step).entries().values():
            for unit, digest in units.items():
                others.setdefault(unit, []).append(f"{step} {digest}")
    return {
        key: {unit: combined_hash([digest, *others.get(unit, ())]) for unit, digest in units.items()}
        for key, units in found.items()
    }


def unit_hashes(table: type[Table], rows: pl.DataFrame) -> dict[str, dict[str, str]]:
    """Per partition key, id to one hash of all its rows, whatever their order."""
    partition, unit = table.spec.partitioned_by, table.spec.replaced_by
    assert partition is not None
    assert unit is not None
    lines = rows.select(partition, unit, line=pl.struct(table.column_names()).struct.json_encode())
    lines = lines.sort(partition, unit, "line")
    found: dict[str, dict[str, str]] = {}
    start = 0
    for value, unit_id, count in lines.group_by(partition, unit, maintain_order=True).len().iter_rows():
        digest = hashlib.sha256()
        rows_of_unit = lines.get_column("line").slice(start, count)
        start += count
        # A unit may be millions of rows, which must not all be in Python's hands at once.
        for first in range(0, count, 10_000):
            digest.update(("\n" * bool(first) + "\n".join(rows_of_unit.slice(first, 10_000))).encode())
        found.setdefault(partition_key_of(value), {})[unit_id] = digest.hexdigest()[:32]
    return found
