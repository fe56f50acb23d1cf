"""What is behind of a game, in the order in which it is to be made: for the sensor, the command line, and people."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import dagster as dg

from gamestats_assets.lakehouse.ledger import WHOLE, combined_hash
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness import Look, held, is_unmade, makes_before
from gamestats_assets.orchestration.game import Game, Node
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import day_of, dimensions, has_days, partitions_of

Chosen = Callable[[dg.PartitionsDefinition | None, str], bool]
"""Whether somebody chose a partition."""


def everywhere(partitions: dg.PartitionsDefinition | None, key: str) -> bool:
    """Chooses every partition."""
    return True


def on_days(days: Collection[str]) -> Chosen:
    """Chooses of what has days these, of each product too."""
    return lambda partitions, key: not has_days(partitions) or day_of(key) in days


def between(first: str, last: str) -> Chosen:
    """Chooses partitions from one to another, days of every name too, and what has no partitions.

    What has none may be what a day is made from, or be made from days that are chosen.
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
    """Assets of one kind of partitions that a run can make together.

    Attributes:
        partitions: their partitions.
        assets: those that are behind, and those of the same kind that follow from them.
        reasons: by partition that is behind, the first reason, which is the cause of the others.
        wanted: by partition that is behind, what is to be done in it.
    """

    partitions: dg.PartitionsDefinition | None
    assets: Sequence[dg.AssetKey]
    reasons: Mapping[str, str]
    wanted: Mapping[str, Sequence[str]]

    @property
    def keys(self) -> list[str]:
        """Partitions that are behind, in order."""
        return sorted(self.wanted)

    def why(self) -> str:
        """Why its partitions are behind, in a few words: what came first, most often."""
        reasons = [reason for reason, _ in Counter(self.reasons.values()).most_common()]
        return "; ".join(reasons if len(reasons) <= 2 else [*reasons[:2], "..."])

    def work(self, keys: Collection[str]) -> str:
        """Names all that is to be done in some partitions: the same work has the same name."""
        return combined_hash(f"{key} {combined_hash(self.wanted[key])}" for key in keys)


@dataclass(frozen=True)
class Behind:
    """What is behind of a game.

    Attributes:
        look: what was seen.
        why: by asset and partition, why it is; "" is the partition of what has none.
        held: by asset and partition, what keeps it as it is; these are not asked for.
        wanted: by asset and partition, what it is to be made from, and in place of which rows: what is taken back and
            comes again is other work.
    """

    game: Game
    look: Look
    why: Mapping[dg.AssetKey, Mapping[str, str]]
    held: Mapping[dg.AssetKey, Mapping[str, str]]
    wanted: Mapping[dg.AssetKey, Mapping[str, str]]

    def within(
        self, assets: Collection[dg.AssetKey], chosen: Chosen, without: Collection[tuple[dg.AssetKey, str]]
    ) -> Behind:
        """Of some assets and partitions that are chosen alone; what is in `without` is not asked for."""
        kinds = partitions_by_asset(self.game)

        def of(found: Mapping[dg.AssetKey, Mapping[str, str]]) -> dict[dg.AssetKey, dict[str, str]]:
            return {
                key: {part: text for part, text in found.get(key, {}).items() if chosen(kinds[key], part)}
                for key in sorted(assets)
            }

        asked = {
            key: {part: text for part, text in parts.items() if (key, part) not in without}
            for key, parts in of(self.why).items()
        }
        return replace(self, why=asked, held=of(self.held))

    def stopped(self, chosen: Chosen) -> dict[str, list[str]]:
        """What checks keep everybody from reading: by the check in words, the partitions."""
        found: dict[str, list[str]] = {}
        for table in (table for table in self.game.tables if asset_key(table) in self.why):
            for key, partition in self.look.ledger(table).partitions.items():
                for name, message in (partition.failed or {}).items() if chosen(partitions_of(table), key) else ():
                    found.setdefault(f"{table.spec.dotted} breaks the check {name}: {message}", []).append(key)
        return found

    def left(self) -> dict[str, list[dg.AssetKey]]:
        """The assets that stay as they are: by the reason in words."""
        found: dict[str, list[dg.AssetKey]] = {}
        for key, parts in self.held.items():
            for why in dict.fromkeys(parts.values()):
                found.setdefault(why, []).append(key)
        return found

    def everything(self, but: Collection[tuple[dg.AssetKey, str]] = ()) -> Behind:
        """As if all that is there were behind, but for what was made again already."""
        again = {
            key: {part: "asked for" for part in parts if (key, part) not in but} | dict(self.why[key])
            for key, parts in self.wanted.items()
        }
        return replace(self, why=again)

    @property
    def is_empty(self) -> bool:
        """Whether everything is up to date."""
        return not any(self.why.values()) and not any(self.held.values())

    def why_nothing(self) -> str:
        """Why there is nothing to ask for, in words."""
        first = next((why for keys in self.held.values() for why in keys.values()), None)
        if first is not None and not any(self.why.values()):
            return f"{sum(map(len, self.held.values()))} partitions stay as they are. {first}"
        return "Everything is up to date, or on its way."

    def add_names(self, instance: dg.DagsterInstance) -> None:
        """Make names that are new (seasons, players, patches, products) partitions."""
        found: dict[str, set[str]] = {}
        for key, partitions in partitions_by_asset(self.game).items():
            if isinstance(partitions, (dg.DynamicPartitionsDefinition, dg.MultiPartitionsDefinition)):
                names = {each.rpartition("|")[2] for each in (*self.why.get(key, ()), *self.wanted.get(key, ()))}
                found.setdefault(dimensions(partitions)[-1], set()).update(names - {WHOLE})
        for dimension, names in found.items():
            if new := sorted(names - {*instance.get_dynamic_partitions(dimension)}) if names else []:
                instance.add_dynamic_partitions(dimension, new)

    def stages(self) -> Iterator[Stage]:
        """What to make, by kind of partitions, in order; what has none comes before and after."""
        upstream = upstream_of(self.game)
        nodes = sorted(self.game.nodes, key=lambda node: (len(upstream[node.keys[0]]), node.keys))
        left = [node for node in nodes if any(key in self.why for key in node.keys)]
        while left:
            # Of the first kind that has any, those that wait for no other kind.
            by_kind: dict[str, list[Node]] = {}
            for node in left:
                waits_for = [up for up in left if upstream[node.keys[0]].intersection(up.keys)]
                if all(kind_of(up.partitions) == kind_of(node.partitions) for up in waits_for):
                    by_kind.setdefault(_rank(node.partitions), []).append(node)
            of_kind = by_kind[min(by_kind)]
            left = [node for node in left if node not in of_kind]
            if (stage := self._stage(of_kind, upstream)) is not None:
                yield stage

    def _stage(self, nodes: Sequence[Node], upstream: Mapping[dg.AssetKey, frozenset[dg.AssetKey]]) -> Stage | None:
        chosen = {key for node in nodes for key in node.keys if self.why.get(key)}
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
        wanted: dict[str, list[str]] = {}
        # In the order in which they are made.
        for key in (key for key in assets if key in chosen):
            for partition, why in self.why[key].items():
                reasons.setdefault(partition, why)
                wanted.setdefault(partition, []).append(f"{key.to_user_string()} {self.wanted[key].get(partition, '')}")
        return Stage(nodes[0].partitions, assets, reasons, wanted)

    def _waiting(self, chosen: Collection[dg.AssetKey]) -> set[dg.AssetKey]:
        """Assets that need a table that was never made, and is not about to be."""
        return {
            asset_key(table)
            for step in self.game.steps
            for table in step.tables
            if any(is_unmade(self.look, each.source) and asset_key(each.source) not in chosen for each in step.reads)
        }


def behind_of(game: Game, look: Look) -> Behind:
    """Everything of a game that is behind, and why."""
    why: dict[dg.AssetKey, dict[str, str]] = {}
    kept: dict[dg.AssetKey, dict[str, str]] = {}
    wanted: dict[dg.AssetKey, dict[str, str]] = {}
    for step in game.steps:
        behind = step.behind(look)
        stays = {key: reason for key in behind if (reason := held(look, step, key)) is not None}
        # What has no partitions can be made of the days before one that must not be read.
        if WHOLE in stays and makes_before(look, step) is not None:
            del stays[WHOLE]
        for table in step.tables:
            key = asset_key(table)
            why[key] = {part: reason for part, reason in behind.items() if part not in stays}
            kept[key] = stays
            wanted[key] = _in_place_of(look, table, step.wanted(look), behind)
    for other in game.others:
        why[other.key] = dict(other.behind(look))
        wanted[other.key] = _in_place_of(look, other.like, other.wanted(look), why[other.key])
    return Behind(game, look, why, kept, wanted)


def _in_place_of(look: Look, table: type[Table], wanted: Mapping[str, str], behind: Collection[str]) -> dict[str, str]:
    held, asked = look.ledger(table), look.asked(table)
    keys = [*wanted] if asked is None else [key for key in asked if key in wanted]
    return {key: f"{wanted.get(key, '')} {held[key].written_by}" for key in dict.fromkeys([*keys, *behind])}


Made = tuple[Sequence[str], bool]
"""Partitions of a run, and whether it succeeded."""


def follow(
    game: Game,
    stores: Stores,
    instance: dg.DagsterInstance,
    assets: Collection[dg.AssetKey],
    make: Callable[[Stage], Iterable[Made]],
    *,
    chosen: Chosen = everywhere,
    everything: bool = False,
    look: Callable[[], Look] | None = None,
) -> tuple[Behind, bool]:
    """Bring assets up to date: stage by stage what is behind of them is made, and what that leaves behind in turn.

    Args:
        assets: of the game.
        make: makes a stage, a run after another.
        chosen: of which partitions.
        everything: make everything again that is there, behind or not.
        look: looks at the game; without it at all of it, and what is published is counted.

    Returns:
        What is left, and whether all runs succeeded. What a run left as it was is not tried again.
    """
    tried: set[str] = set()
    failed: set[tuple[dg.AssetKey, str]] = set()
    made: set[tuple[dg.AssetKey, str]] = set()
    while True:
        found = behind_of(game, look() if look else Look(stores, game.graph, counted=True))
        found = found.everything(made) if everything else found
        found.add_names(instance)
        found = found.within(assets, chosen, failed)
        # What was tried before and is left as it was is passed over.
        stage = next((stage for stage in found.stages() if stage.work(stage.keys) not in tried), None)
        if stage is None:
            return found, not failed
        tried.add(stage.work(stage.keys))
        for part, success in make(stage):
            of_run = {(key, each) for key in stage.assets for each in part or [WHOLE]}
            made |= of_run
            if not success:
                failed |= of_run


# --------------------------------------------------------------------------- a game's assets


def kind_of(partitions: dg.PartitionsDefinition | None) -> str:
    """What partitions are, in a word: `day`, `season`, `day_product`; nothing where there are none."""
    return "_".join(dimensions(partitions))


def _rank(partitions: dg.PartitionsDefinition | None) -> str:
    return "0" if partitions is None else "1" if kind_of(partitions) == "day" else f"2 {kind_of(partitions)}"


def partitions_by_asset(game: Game) -> dict[dg.AssetKey, dg.PartitionsDefinition | None]:
    """Partitions of every asset of a game."""
    return {key: node.partitions for node in game.nodes for key in node.keys}


def upstream_of(game: Game) -> dict[dg.AssetKey, frozenset[dg.AssetKey]]:
    """By asset, every asset that it is made from, directly or not."""
    direct = {key: node.upstream for node in game.nodes for key in node.keys}

    @functools.cache
    def find(key: dg.AssetKey) -> frozenset[dg.AssetKey]:
        own = direct.get(key, frozenset())
        return own.union(*map(find, own))

    return {key: find(key) for key in direct}
