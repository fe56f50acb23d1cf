"""The function or SELECT behind each League of Legends table, and the publications."""

import functools
from collections.abc import Generator, Mapping, Sequence

from gamestats_assets.lakehouse.delta.ledger import WHOLE, combined_hash, fingerprint
from gamestats_assets.lakehouse.landing.decoding import Decoded
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.models.sql import SqlModel
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import tables
from gamestats_assets.lol.matches import checks as matches_checks
from gamestats_assets.lol.matches.coordination import team_coordination
from gamestats_assets.lol.matches.features import participant_features
from gamestats_assets.lol.matches.item_builds import final_items, item_builds
from gamestats_assets.lol.matches.item_events import item_events
from gamestats_assets.lol.matches.matches import matches
from gamestats_assets.lol.matches.objectives import objectives
from gamestats_assets.lol.matches.participants import participants
from gamestats_assets.lol.matches.skill_orders import skill_orders
from gamestats_assets.lol.patterns import checks as patterns_checks
from gamestats_assets.lol.patterns.patterns import discovered_patterns, pattern_tests
from gamestats_assets.lol.reference import checks as reference_checks
from gamestats_assets.lol.reference import data_dragon
from gamestats_assets.lol.reference.csv_files import queues, queues_text
from gamestats_assets.lol.reference.items import champions, items
from gamestats_assets.lol.reference.patches import patches
from gamestats_assets.lol.source import GAME, refused
from gamestats_assets.lol.statistics import checks as statistics_checks
from gamestats_assets.lol.statistics.build_stats import item_build_stats, skill_order_stats
from gamestats_assets.lol.statistics.item_paths import item_path_sequences
from gamestats_assets.lol.statistics.objective_stats import first_objective_stats, objective_decision_tree
from gamestats_assets.lol.statistics.variables import outcome_models, variable_correlations, vision_survival
from gamestats_assets.lol.timelines import checks as timelines_checks
from gamestats_assets.orchestration.freshness.inputs import Fingerprints
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.game import Game
from gamestats_assets.settings import shipped

CHECKS: tuple[Check, ...] = (
    *timelines_checks.ALL,
    *matches_checks.ALL,
    *statistics_checks.ALL,
    *patterns_checks.ALL,
    *reference_checks.ALL,
)
DECODE_BATCH_SIZE = 1_000
"""Number of matches decoded and committed together: about a million events and 2 GB of memory."""
BATCH_SIZE = 4_000
"""Number of matches per step for the other tables, which read few columns of the events."""
KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in tables.ALL}
# Matches are independent of each other, but the Data Dragon version of a patch depends on the versions available.
BY_DATA_DRAGON = (matches,)
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


def _documents(snapshot: Snapshot) -> Mapping[str, str]:
    files = data_dragon.landed_documents(snapshot.stores.landing)
    return {WHOLE: fingerprint(*sorted(f"{file.kind} {file.content_hash}" for file in files))} if files else {}


def _read_documents(snapshot: Snapshot, keys: Sequence[str]) -> Decoded:
    found = data_dragon.read_documents(snapshot.stores.landing)
    frames = {tables.DataDragonItems: found.items.lazy(), tables.DataDragonChampions: found.champions.lazy()}
    return Decoded(frames, found.rejections)


def _decode(landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int) -> Generator[Decoded, None, None]:
    from gamestats_assets.lakehouse.landing.decoding import decode_batches
    from gamestats_assets.lol.timelines.bronze import DECODER

    return decode_batches(DECODER, landing, batches, workers=workers)


@functools.cache
def game() -> Game:
    """Returns every League of Legends table and its inputs: reference, bronze, silver, gold, and the publications."""
    lol = Game(GAME, tables.ALL, CHECKS)
    documents = Fingerprints("landed documents", _documents)
    lol.external((tables.DataDragonItems, tables.DataDragonChampions), [documents], _read_documents)
    lol.function(queues, code_version=combined_hash([queues_text()])[:8])
    for function in (items, champions):
        lol.function(function)
    raw = [table for table in tables.ALL if table.spec.made_by == "raw"]
    lol.landed(raw, _decode, refused=refused, batch_size=DECODE_BATCH_SIZE)
    for function in BY_DATA_DRAGON:
        lol.function(function, whole_partitions=True, batch_size=BATCH_SIZE)
    for function in BY_MATCH:
        lol.function(function, batch_size=BATCH_SIZE)
    lol.function(patches)
    for function in BY_PATCH:
        lol.function(function, made_from=tables.Patches)
    for table in SQL_TABLES:
        lol.sql(table, SqlModel.load(shipped("sql", GAME, f"{table.spec.name}.sql"), table, KNOWN))
    lol.publications()
    return lol
