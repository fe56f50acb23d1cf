"""Which partitions are behind: landed and not processed, or processed and not published.

The steps' own ledgers answer the first, in the same way as the steps themselves do when
they run. The second is answered by Dagster's record of materialisations, and by counting
rows in PostgreSQL, so that a table somebody dropped is published again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from gamestats_assets.cli.known import declared_tables
from gamestats_assets.demo_data.assets import LOGS, logs_behind
from gamestats_assets.l2m.assets import settled as settled_of_l2m
from gamestats_assets.lakehouse.ledger import Ledger, follows_ids, input_hashes
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table, partition_key_of
from gamestats_assets.lol.assets import DOCUMENTS as DOCUMENTS_OF_LOL
from gamestats_assets.lol.assets import JOINTLY as JOINTLY_OF_LOL
from gamestats_assets.lol.assets import settled as settled_of_lol
from gamestats_assets.orchestration.entered import not_current
from gamestats_assets.orchestration.joint import made_jointly
from gamestats_assets.orchestration.landed import add_areas, inputs_of, landed_inputs
from gamestats_assets.orchestration.metadata import (
    DAYS_AROUND,
    FROM_LANDING,
    FROM_PEOPLE,
    SETTLED,
    asset_key,
    publication_key,
)
from gamestats_assets.orchestration.partitions import (
    dimensions,
    is_paired,
    part_of,
    shared_dimensions,
    with_days_around,
)
from gamestats_assets.orchestration.settled import Contents, Settled, published_contents
from gamestats_assets.orchestration.settling import add_names
from gamestats_assets.pubg.assets import BY_TOURNAMENT
from gamestats_assets.pubg.players import players_behind
from gamestats_assets.pubg.tables import PlayerMatches
from gamestats_assets.rocket_league.assets import settled as settled_of_rocket_league
from gamestats_assets.rocket_league.erasure import retention_is_due
from gamestats_assets.rocket_league.tables import Retention

# By partition, the last materialisation of an asset; "" where it has no partitions.
_Last = Callable[[dg.AssetKey], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Pending:
    """What is behind.

    Attributes:
        landed: every day of every game's landing zone, and every `2026-01-01|area`.
        partitions: by asset, the partitions in which it is behind; "" where it has none.
    """

    landed: frozenset[str]
    partitions: Mapping[dg.AssetKey, frozenset[str]]

    def of(self, keys: Iterable[dg.AssetKey]) -> list[str]:
        """Partitions in which at least one of the assets is behind, in order."""
        return sorted(frozenset().union(*(self.partitions.get(key, frozenset()) for key in keys)))

    def all_of(self, partitions: dg.PartitionsDefinition | None, instance: dg.DagsterInstance) -> list[str]:
        """Every partition that there is something for, behind or not."""
        if partitions is None:
            return [""]
        if isinstance(partitions, dg.DynamicPartitionsDefinition):
            return list(partitions.get_partition_keys(dynamic_partitions_store=instance))
        if is_paired(partitions):
            names = {*instance.get_dynamic_partitions(dimensions(partitions)[1])}
            return sorted(key for key in self.landed if key.partition("|")[2] in names)
        return sorted(key for key in self.landed if "|" not in key)


def pending(
    definitions: dg.Definitions, instance: dg.DagsterInstance, stores: Stores, games: Collection[str]
) -> Pending:
    """Compare landing zone, ledgers, Dagster's records and PostgreSQL; areas that landed become partitions.

    Args:
        games: whose tables are looked at.
    """
    graph = definitions.resolve_asset_graph()
    last = functools.cache(functools.partial(_last_materialised, instance, graph))
    by_key = {asset_key(table): table for table in declared_tables() if table.spec.game in games}
    settled = {each.table: each for each in (*settled_of_l2m(), *settled_of_lol(), *settled_of_rocket_league())}
    contents = Contents(stores.lake)
    jointly = dict(
        made_jointly(stores.lake, function)
        for game, functions in {"pubg": BY_TOURNAMENT, "lol": JOINTLY_OF_LOL}.items()
        for function in functions
        if game in games
    )
    landed: set[str] = set()
    behind: dict[dg.AssetKey, frozenset[str]] = {}
    for game in sorted({table.spec.game for table in by_key.values()}):
        inputs = landed_inputs(stores.landing, game)
        landed |= inputs.keys()
        for key, table in by_key.items():
            if table.spec.game != game:
                continue
            node = graph.get(key)
            parents = [by_key[parent] for parent in node.parent_keys if parent in by_key]
            version = node.code_version or ""
            if FROM_LANDING in node.tags:
                add_areas(instance, stores.landing, table)
                if node.partitions_def is None:
                    behind[key] = frozenset([""] if DOCUMENTS_OF_LOL.behind(stores) else [])
                else:
                    behind[key] = _behind_ledger(stores, table, inputs_of(table, inputs), version)
            elif FROM_PEOPLE in node.tags:
                behind[key] = frozenset(not_current(stores, table, instance))
            elif SETTLED in node.tags:
                found = settled[table].behind(stores.lake, contents)
                add_names(instance, settled[table], found)
                behind[key] = frozenset(found if settled[table].has_partitions else ([""] if found else []))
            elif table is Retention:
                is_due = not last(key) or retention_is_due(stores, datetime.now(UTC).date())
                behind[key] = frozenset([""] if is_due else [])
            elif table is PlayerMatches:
                # Each new day could concern every player; whom it does concern is cheap to tell.
                behind[key] = frozenset(players_behind(stores.lake))
            elif table in jointly:
                behind[key] = frozenset(jointly[table])
            elif follows_ids(table, parents) and DAYS_AROUND not in node.tags:
                behind[key] = _behind_ledger(stores, table, input_hashes(stores.lake, table, parents), version)
            else:
                behind[key] = _behind_parents(instance, graph, last, key, inputs_of(table, inputs))
            if table in settled:
                if table.spec.published:
                    behind[publication_key(table)] = _unpublished(stores, settled[table], contents)
            elif table.spec.published:
                behind[publication_key(table)] = _behind_parents(
                    instance, graph, last, publication_key(table), inputs_of(table, inputs)
                ) | _differently_published(stores, table)
    if LOGS.path[0] in games:
        behind[LOGS] = frozenset(logs_behind(stores))
    return Pending(frozenset(landed), behind)


def _behind_ledger(
    stores: Stores, table: type[Table], inputs: Mapping[str, Mapping[str, str]], version: str
) -> frozenset[str]:
    work = Ledger(stores.lake, table.spec.game, table.spec.step).work_everywhere(inputs, code_version=version)
    return frozenset(day for found in (work.pending, work.vanished) for day, units in found.items() if units)


def _behind_parents(
    instance: dg.DagsterInstance, graph: Any, last: _Last, key: dg.AssetKey, landed: Iterable[str]
) -> frozenset[str]:
    """Partitions never materialised, or before one of the parents' last was that they are made from.

    A parent with other partitions counts by the newest one of the same day, or name; without any in common by its
    newest one, for it is read whole.
    """
    node = graph.get(key)
    partitions = node.partitions_def
    own = last(key)
    newest: list[tuple[list[str], dict[tuple[str, ...], int]]] = []
    known = {""} if partitions is None else {*landed}
    for parent in node.parent_keys:
        theirs = graph.get(parent).partitions_def
        shared = shared_dimensions(partitions, theirs)
        found = last(parent)
        if theirs == partitions:
            known |= found.keys()
        # A day around that has nothing of its own stays out: what is made jointly is made of the day's own ids.
        around = int(node.tags.get(DAYS_AROUND, 0)) if theirs == partitions else 0
        latest: dict[tuple[str, ...], int] = {}
        for partition, at in found.items():
            for each in with_days_around([partition], around) if around else [partition]:
                part = part_of(theirs, each, shared)
                latest[part] = max(latest.get(part, 0), at)
        newest.append((shared, latest))
    if isinstance(partitions, dg.DynamicPartitionsDefinition):
        known = {*instance.get_dynamic_partitions(dimensions(partitions)[0])}
    return frozenset(
        each
        for each in known
        if own.get(each, -1) < max([0, *(at.get(part_of(partitions, each, shared), 0) for shared, at in newest)])
    )


def _last_materialised(instance: dg.DagsterInstance, graph: Any, key: dg.AssetKey) -> Mapping[str, int]:
    if graph.get(key).partitions_def is not None:
        return instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
    records = instance.fetch_materializations(key, limit=1).records
    return {"": records[0].storage_id} if records and records[0].partition_key is None else {}


def _unpublished(stores: Stores, settled: Settled, contents: Contents) -> frozenset[str]:
    """Partitions of a settled table whose content is not what PostgreSQL was given."""
    from gamestats_assets.lakehouse.postgres import published_hashes

    held = published_contents(settled, contents)
    published = published_hashes(stores.postgres_url, settled.table)
    return frozenset(key for key in {*held, *published} if held.get(key) != published.get(key)) | (
        _differently_published(stores, settled.table)
    )


def _differently_published(stores: Stores, table: type[Table]) -> frozenset[str]:
    from gamestats_assets.lakehouse.postgres import connect, counts

    state = stores.lake.state(table)
    in_lake = {day: rows for day, rows in (state.rows_per_partition if state else {}).items() if rows}
    with connect(stores.postgres_url) as connection:
        found = counts(connection, table)
    published = {partition_key_of(day): rows for day, rows in found.items() if day is not None}
    return frozenset(day for day in {*in_lake, *published} if in_lake.get(day, 0) != published.get(day, 0))
