"""Which days are behind: landed and not processed, or processed and not published.

The steps' own ledgers answer the first, in the same way as the steps themselves do when
they run. The second is answered by Dagster's record of materialisations, and by counting
rows in PostgreSQL, so that a table somebody dropped is published again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster as dg

from gamestats_assets.cli.known import declared_tables
from gamestats_assets.lakehouse.ledger import Ledger, merged
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table, partition_key_of
from gamestats_assets.orchestration.landed import landed_hashes, landed_units
from gamestats_assets.orchestration.metadata import asset_key, publication_key


@dataclass(frozen=True, slots=True)
class Pending:
    """What is behind.

    Attributes:
        landed: every day of every game's landing zone.
        days: by asset, the days on which it is behind.
    """

    landed: frozenset[str]
    days: Mapping[dg.AssetKey, frozenset[str]]

    def of(self, keys: Iterable[dg.AssetKey]) -> list[str]:
        """Days on which at least one of the assets is behind, in order."""
        return sorted(frozenset().union(*(self.days.get(key, frozenset()) for key in keys)))


def pending(definitions: dg.Definitions, instance: dg.DagsterInstance, stores: Stores) -> Pending:
    """Compare landing zone, ledgers, Dagster's records and PostgreSQL."""
    graph = definitions.resolve_asset_graph()
    by_key = {asset_key(table): table for table in declared_tables()}
    landed: set[str] = set()
    days: dict[dg.AssetKey, frozenset[str]] = {}
    for game in sorted({table.spec.game for table in by_key.values()}):
        inputs = {day: landed_hashes(landed_units(stores.landing, game, day)) for day in stores.landing.days(game)}
        landed |= inputs.keys()
        for key, table in by_key.items():
            if table.spec.game != game:
                continue
            node = graph.get(key)
            parents = [by_key[parent] for parent in node.parent_keys if parent in by_key]
            version = node.code_version or ""
            if not parents:
                days[key] = _behind_ledger(stores, table, inputs, version)
            elif table.spec.replaced_by and any(p.spec.replaced_by == table.spec.replaced_by for p in parents):
                steps = sorted({p.spec.step for p in parents if p.spec.replaced_by == table.spec.replaced_by})
                entries = ((step, Ledger(stores.lake, game, step).entries()) for step in steps)
                days[key] = _behind_ledger(stores, table, merged(entries), version)
            else:
                days[key] = _behind_parents(instance, key, node.parent_keys, inputs)
            if table.spec.published:
                days[publication_key(table)] = _behind_parents(
                    instance, publication_key(table), {key}, inputs
                ) | _differently_published(stores, table)
    return Pending(frozenset(landed), days)


def _behind_ledger(
    stores: Stores, table: type[Table], inputs: Mapping[str, Mapping[str, str]], version: str
) -> frozenset[str]:
    ledger = Ledger(stores.lake, table.spec.game, table.spec.step)
    # Days that only the ledger knows hold rows whose input is gone.
    gone = {day: {} for day in ledger.entries()}
    work = ledger.work({**gone, **inputs}, code_version=version)
    return frozenset(day for found in (work.pending, work.vanished) for day, units in found.items() if units)


def _behind_parents(
    instance: dg.DagsterInstance, key: dg.AssetKey, parents: Iterable[dg.AssetKey], days: Iterable[str]
) -> frozenset[str]:
    """Days never materialised, or before one of the parents last was."""
    own = _last_materialised(instance, key)
    newest: dict[str, int] = {}
    for parent in parents:
        for day, at in _last_materialised(instance, parent).items():
            newest[day] = max(newest.get(day, 0), at)
    return frozenset(day for day in {*days, *newest} if own.get(day, -1) < newest.get(day, 0))


def _last_materialised(instance: dg.DagsterInstance, key: dg.AssetKey) -> Mapping[str, int]:
    return instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)


def _differently_published(stores: Stores, table: type[Table]) -> frozenset[str]:
    from gamestats_assets.lakehouse.postgres import connect, counts

    state = stores.lake.state(table)
    in_lake = {day: rows for day, rows in (state.rows_per_partition if state else {}).items() if rows}
    with connect(stores.postgres_url) as connection:
        found = counts(connection, table)
    published = {partition_key_of(day): rows for day, rows in found.items() if day is not None}
    return frozenset(day for day in {*in_lake, *published} if in_lake.get(day, 0) != published.get(day, 0))
