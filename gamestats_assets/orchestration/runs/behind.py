"""Everything in a game that is behind, in the order in which it must be made."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import dagster as dg

from gamestats_assets.lakehouse.delta.ledger import WHOLE, combined_hash
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.blocking import cutoff_day, held_reason, is_unmade
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.game import Game, Node
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import day_of, dimensions, has_days, partitions_of

PartitionFilter = Callable[[dg.PartitionsDefinition | None, str], bool]
"""Says whether a partition is chosen."""


def every_partition(partitions: dg.PartitionsDefinition | None, key: str) -> bool:
    """Chooses every partition."""
    return True


def on_days(days: Collection[str]) -> PartitionFilter:
    """Chooses these days, for every name, and all partitions that have no day."""
    return lambda partitions, key: not has_days(partitions) or day_of(key) in days


def between(first: str, last: str) -> PartitionFilter:
    """Chooses a range of partitions (of every name, if it is a range of days), and everything without partitions.

    An unpartitioned table may be an input of a chosen day, or made from chosen days.
    """

    def is_chosen(partitions: dg.PartitionsDefinition | None, key: str) -> bool:
        if partitions is None or key in (first, last):
            return True
        if not has_days(partitions):
            return False
        name = first.partition("|")[2]
        return day_of(first) <= day_of(key) <= day_of(last) and (not name or key.endswith(f"|{name}"))

    return is_chosen


@dataclass(frozen=True)
class Stage:
    """Assets with the same kind of partitions, which one run can make together.

    Attributes:
        partitions: the partitions of all these assets.
        assets: assets that are behind, and assets of the same kind downstream of them.
        reasons: the first reason why each partition is behind; it causes the others.
        tasks: the work in each stale partition.
    """

    partitions: dg.PartitionsDefinition | None
    assets: Sequence[dg.AssetKey]
    reasons: Mapping[str, str]
    tasks: Mapping[str, Sequence[str]]

    @property
    def keys(self) -> list[str]:
        """Partitions that are behind, in order."""
        return sorted(self.tasks)

    def why(self) -> str:
        """The most frequent reasons why its partitions are behind, in a few words."""
        reasons = [reason for reason, _ in Counter(self.reasons.values()).most_common()]
        return "; ".join(reasons if len(reasons) <= 2 else [*reasons[:2], "..."])

    def work(self, keys: Collection[str]) -> str:
        """Identifies the work in some partitions: the same work has the same hash."""
        return combined_hash(f"{key} {combined_hash(self.tasks[key])}" for key in keys)


@dataclass(frozen=True)
class Behind:
    """Everything in a game that is behind. All mappings are by asset and partition; "" stands for no partitions.

    Attributes:
        snapshot: the state of the game that was examined.
        reasons: why each is behind.
        held: reason why each must stay as it is; these are not requested.
        expected: the expected inputs of each, and the version of the rows to replace. Data that is withdrawn and comes
            back is therefore new work.
    """

    game: Game
    snapshot: Snapshot
    reasons: Mapping[dg.AssetKey, Mapping[str, str]]
    held: Mapping[dg.AssetKey, Mapping[str, str]]
    expected: Mapping[dg.AssetKey, Mapping[str, str]]

    def restricted_to(
        self, assets: Collection[dg.AssetKey], chosen: PartitionFilter, without: Collection[tuple[dg.AssetKey, str]]
    ) -> Behind:
        """Limits this to some assets and chosen partitions, except those in `without`."""
        kinds = partitions_by_asset(self.game)

        def choose(texts: Mapping[dg.AssetKey, Mapping[str, str]]) -> dict[dg.AssetKey, dict[str, str]]:
            return {
                key: {part: text for part, text in texts.get(key, {}).items() if chosen(kinds[key], part)}
                for key in sorted(assets)
            }

        reasons = {
            key: {part: text for part, text in parts.items() if (key, part) not in without}
            for key, parts in choose(self.reasons).items()
        }
        return replace(self, reasons=reasons, held=choose(self.held))

    def blocked(self, chosen: PartitionFilter) -> dict[str, list[str]]:
        """Partitions that no one may read, by the sentence that says which check they break."""
        partitions: dict[str, list[str]] = {}
        for table in (table for table in self.game.tables if asset_key(table) in self.reasons):
            for key, partition in self.snapshot.ledger(table).partitions.items():
                for name, message in (partition.failed or {}).items() if chosen(partitions_of(table), key) else ():
                    sentence = f"{table.spec.dotted} breaks the check {name}: {message}"
                    partitions.setdefault(sentence, []).append(key)
        return partitions

    def held_assets(self) -> dict[str, list[dg.AssetKey]]:
        """The assets that stay as they are, by reason."""
        assets: dict[str, list[dg.AssetKey]] = {}
        for key, parts in self.held.items():
            for reason in dict.fromkeys(parts.values()):
                assets.setdefault(reason, []).append(key)
        return assets

    def with_everything(self, except_for: Collection[tuple[dg.AssetKey, str]] = ()) -> Behind:
        """The same, with everything that exists marked as behind, except for partitions already made again."""
        again = {
            key: {part: "asked for" for part in parts if (key, part) not in except_for} | dict(self.reasons[key])
            for key, parts in self.expected.items()
        }
        return replace(self, reasons=again)

    @property
    def is_empty(self) -> bool:
        """Whether everything is up to date."""
        return not any(self.reasons.values()) and not any(self.held.values())

    def why_nothing(self) -> str:
        """Explains why there is nothing to request."""
        first = next((reason for parts in self.held.values() for reason in parts.values()), None)
        if first is not None and not any(self.reasons.values()):
            return f"{sum(map(len, self.held.values()))} partitions stay as they are. {first}"
        return "Everything is up to date, or on its way."

    def add_names(self, instance: dg.DagsterInstance) -> None:
        """Adds new names (seasons, players, patches, products) as partitions."""
        by_dimension: dict[str, set[str]] = {}
        for key, partitions in partitions_by_asset(self.game).items():
            if isinstance(partitions, (dg.DynamicPartitionsDefinition, dg.MultiPartitionsDefinition)):
                parts = (*self.reasons.get(key, ()), *self.expected.get(key, ()))
                names = {each.rpartition("|")[2] for each in parts} - {WHOLE}
                by_dimension.setdefault(dimensions(partitions)[-1], set()).update(names)
        for dimension, names in by_dimension.items():
            if new := sorted(names - {*instance.get_dynamic_partitions(dimension)}) if names else []:
                instance.add_dynamic_partitions(dimension, new)

    def stages(self) -> Iterator[Stage]:
        """The work in order, by kind of partitions; unpartitioned assets come before and after."""
        upstream = upstream_of(self.game)
        nodes = sorted(self.game.nodes, key=lambda node: (len(upstream[node.keys[0]]), node.keys))
        left = [node for node in nodes if any(key in self.reasons for key in node.keys)]
        while left:
            # From the first kind that has any: nodes that wait for no other kind.
            by_kind: dict[str, list[Node]] = {}
            for node in left:
                waits_for = [up for up in left if upstream[node.keys[0]].intersection(up.keys)]
                if all(partition_kind(up.partitions) == partition_kind(node.partitions) for up in waits_for):
                    by_kind.setdefault(_kind_order(node.partitions), []).append(node)
            of_kind = by_kind[min(by_kind)]
            left = [node for node in left if node not in of_kind]
            if (stage := self._stage(of_kind, upstream)) is not None:
                yield stage

    def _stage(self, nodes: Sequence[Node], upstream: Mapping[dg.AssetKey, frozenset[dg.AssetKey]]) -> Stage | None:
        chosen = {key for node in nodes for key in node.keys if self.reasons.get(key)}
        if not chosen:
            return None
        waiting = self._waiting(chosen)
        together = [
            node
            for node in nodes
            if chosen.intersection(node.keys)
            or (upstream[node.keys[0]] & chosen and not waiting & {*node.keys, *upstream[node.keys[0]]} - chosen)
        ]
        assets = [key for node in together for key in node.keys]
        reasons: dict[str, str] = {}
        tasks: dict[str, list[str]] = {}
        # In the order of making.
        for key in (key for key in assets if key in chosen):
            for partition, reason in self.reasons[key].items():
                reasons.setdefault(partition, reason)
                task = f"{key.to_user_string()} {self.expected[key].get(partition, '')}"
                tasks.setdefault(partition, []).append(task)
        return Stage(nodes[0].partitions, assets, reasons, tasks)

    def _waiting(self, chosen: Collection[dg.AssetKey]) -> set[dg.AssetKey]:
        """Assets that read a table which was never made and is not about to be."""
        return {
            asset_key(table)
            for step in self.game.steps
            for table in step.tables
            if any(
                is_unmade(self.snapshot, each.source) and asset_key(each.source) not in chosen for each in step.reads
            )
        }


def behind_of(game: Game, snapshot: Snapshot) -> Behind:
    """Finds everything in a game that is behind, and why."""
    reasons: dict[dg.AssetKey, dict[str, str]] = {}
    held: dict[dg.AssetKey, dict[str, str]] = {}
    expected: dict[dg.AssetKey, dict[str, str]] = {}
    for step in game.steps:
        behind = step.behind(snapshot)
        held_here = {key: reason for key in behind if (reason := held_reason(snapshot, step, key)) is not None}
        # An unpartitioned table can still be made from the days before the first one that must not be read.
        if WHOLE in held_here and cutoff_day(snapshot, step) is not None:
            del held_here[WHOLE]
        for table in step.tables:
            key = asset_key(table)
            reasons[key] = {part: reason for part, reason in behind.items() if part not in held_here}
            held[key] = held_here
            expected[key] = _work_by_partition(snapshot, table, step.expected(snapshot), behind)
    for other in game.others:
        reasons[other.key] = dict(other.behind(snapshot))
        expected[other.key] = _work_by_partition(
            snapshot, other.partitions_like, other.expected(snapshot), reasons[other.key]
        )
    return Behind(game, snapshot, reasons, held, expected)


def _work_by_partition(
    snapshot: Snapshot, table: type[Table], expected: Mapping[str, str], behind: Collection[str]
) -> dict[str, str]:
    ledger, scope = snapshot.ledger(table), snapshot.keys_in_scope(table)
    keys = [*expected] if scope is None else [key for key in scope if key in expected]
    return {key: f"{expected.get(key, '')} {ledger[key].written_by}" for key in dict.fromkeys([*keys, *behind])}


MadePartitions = tuple[Sequence[str], bool]
"""The partitions of a run, and whether the run succeeded."""


def follow(
    game: Game,
    stores: Stores,
    instance: dg.DagsterInstance,
    assets: Collection[dg.AssetKey],
    make: Callable[[Stage], Iterable[MadePartitions]],
    *,
    chosen: PartitionFilter = every_partition,
    everything: bool = False,
    snapshot: Callable[[], Snapshot] | None = None,
) -> tuple[Behind, bool]:
    """Brings assets up to date: makes stale partitions stage by stage, then those that became stale by it.

    Args:
        assets: assets of the game.
        make: makes a stage, one run after another.
        chosen: says which partitions to make.
        everything: also makes existing partitions that are up to date.
        snapshot: examines the game; by default all of it, with published rows counted.

    Returns:
        The remaining stale partitions, and whether all runs succeeded. Partitions that a run left unchanged are not
        tried again.
    """
    tried: set[str] = set()
    failed: set[tuple[dg.AssetKey, str]] = set()
    made: set[tuple[dg.AssetKey, str]] = set()
    while True:
        found = behind_of(game, snapshot() if snapshot else Snapshot(stores, game.graph, counted=True))
        found = found.with_everything(made) if everything else found
        found.add_names(instance)
        found = found.restricted_to(assets, chosen, failed)
        # Skips work that was tried before and left unchanged.
        stage = next((stage for stage in found.stages() if stage.work(stage.keys) not in tried), None)
        if stage is None:
            return found, not failed
        tried.add(stage.work(stage.keys))
        for part, success in make(stage):
            in_run = {(key, each) for key in stage.assets for each in part or [WHOLE]}
            made |= in_run
            if not success:
                failed |= in_run


# --------------------------------------------------------------------------- a game's assets


def partition_kind(partitions: dg.PartitionsDefinition | None) -> str:
    """The kind of partitions in a word, such as `day`, `season` or `day_product`; "" for none."""
    return "_".join(dimensions(partitions))


def _kind_order(partitions: dg.PartitionsDefinition | None) -> str:
    return (
        "0" if partitions is None else "1" if partition_kind(partitions) == "day" else f"2 {partition_kind(partitions)}"
    )


def partitions_by_asset(game: Game) -> dict[dg.AssetKey, dg.PartitionsDefinition | None]:
    """The partitions of every asset of a game."""
    return {key: node.partitions for node in game.nodes for key in node.keys}


def upstream_of(game: Game) -> dict[dg.AssetKey, frozenset[dg.AssetKey]]:
    """Every asset that each asset is made from, directly or indirectly."""
    direct = {key: node.upstream for node in game.nodes for key in node.keys}

    @functools.cache
    def find(key: dg.AssetKey) -> frozenset[dg.AssetKey]:
        own = direct.get(key, frozenset())
        return own.union(*map(find, own))

    return {key: find(key) for key in direct}
