"""Which function or SELECT makes which League of Legends table, and what is published."""

import functools
from collections.abc import Generator, Sequence

import dagster as dg

from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.sql import SqlModel
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import checks, data_dragon, reference, tables
from gamestats_assets.lol.build_stats import item_build_stats, skill_order_stats
from gamestats_assets.lol.coordination import team_coordination
from gamestats_assets.lol.features import participant_features
from gamestats_assets.lol.item_builds import final_items, item_builds
from gamestats_assets.lol.item_events import item_events
from gamestats_assets.lol.item_paths import item_path_sequences
from gamestats_assets.lol.items import champions, items
from gamestats_assets.lol.matches import matches, queues
from gamestats_assets.lol.objective_stats import first_objective_stats, objective_decision_tree
from gamestats_assets.lol.objectives import objectives
from gamestats_assets.lol.participants import participants
from gamestats_assets.lol.patches import patches
from gamestats_assets.lol.patterns import discovered_patterns, pattern_tests
from gamestats_assets.lol.skill_orders import skill_orders
from gamestats_assets.lol.source import GAME, refused
from gamestats_assets.lol.variables import outcome_models, variable_correlations, vision_survival
from gamestats_assets.orchestration.assets import (
    Decoded,
    landed_tables,
    publication,
    settled_asset,
    table_asset,
    upstream_of,
)
from gamestats_assets.orchestration.documents import Documents, Frames, Rejections
from gamestats_assets.orchestration.settled import Settled
from gamestats_assets.settings import shipped

CHECKS: tuple[Check, ...] = checks.ALL
DECODED_BATCH = 1_000
"""Matches that are decoded and committed together: a million events, and 2 GB of memory."""
BATCH = 4_000
"""Matches of which other tables are made together: those take few columns of the events."""
KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in tables.ALL}
PUBLISHED: tuple[type[Table], ...] = tuple(table for table in tables.ALL if table.spec.published)
# Each match by itself; which version of Data Dragon stands for its patch depends on those that are at hand.
JOINTLY = (matches,)
BY_MATCH = (
    participants,
    item_events,
    item_builds,
    final_items,
    skill_orders,
    objectives,
    team_coordination,
    participant_features,
)
BY_PATCH = (
    item_build_stats,
    skill_order_stats,
    first_objective_stats,
    vision_survival,
    variable_correlations,
    outcome_models,
    objective_decision_tree,
    item_path_sequences,
    pattern_tests,
    discovered_patterns,
)
SQL_TABLES: tuple[type[Table], ...] = (tables.PatternHistory,)


def _read_documents(landing: Landing) -> tuple[Frames, Rejections]:
    found = data_dragon.read_documents(landing)
    return {tables.DataDragonItems: found.items, tables.DataDragonChampions: found.champions}, found.rejections


DOCUMENTS = Documents(
    (tables.DataDragonItems, tables.DataDragonChampions), data_dragon.landed_documents, _read_documents
)
"""The step that reads Data Dragon's documents."""


def _decode(landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int) -> Generator[Decoded, None, None]:
    from gamestats_assets.lakehouse.decoding import decode_batches
    from gamestats_assets.lol.bronze import DECODER

    return decode_batches(DECODER, landing, batches, workers=workers)


@functools.cache
def settled() -> tuple[Settled, ...]:
    """Every table that follows its inputs as a whole or by patch, each after those it is made from."""
    made: dict[type[Table], Settled] = {}

    def add(each: Settled) -> None:
        made[each.table] = each

    add(Settled.of(tables.Queues, queues, KNOWN, code_version=combined_hash([reference.text_of_queues()])[:8]))
    for function, table in ((items, tables.Items), (champions, tables.Champions), (patches, tables.Patches)):
        add(Settled.of(table, function, KNOWN, made=made))
    for function in BY_PATCH:
        table = KNOWN[f"{GAME}.{function.__name__}"]
        add(Settled.of(table, function, KNOWN, made=made, told_by=tables.Patches))
    for table in SQL_TABLES:
        model = SqlModel.load(shipped("sql", GAME, f"{table.spec.name}.sql"), table, KNOWN)
        add(Settled.of(table, model, KNOWN, made=made))
    return tuple(made.values())


def assets() -> list[dg.AssetsDefinition]:
    """Every League of Legends asset: reference, bronze, silver, gold, and the publications."""
    raw = [table for table in tables.ALL if table.spec.made_by == "raw"]
    # A sensor knows which days another list concerns.
    lists = [tables.Queues, tables.Items, tables.Champions]
    made = [
        DOCUMENTS.asset(),
        landed_tables(raw, _decode, refused=refused, at_once=DECODED_BATCH),
        *(table_asset(function, jointly=True, days_around=0, unasked=lists, at_once=BATCH) for function in JOINTLY),
        *(table_asset(function, unasked=lists, at_once=BATCH) for function in BY_MATCH),
        *(settled_asset(each, CHECKS) for each in settled()),
    ]
    by_table = {each.table: each for each in settled()}
    return [
        *made,
        *(
            publication(table, CHECKS, upstream_of(table, made, KNOWN), settled=by_table.get(table))
            for table in PUBLISHED
        ),
    ]
