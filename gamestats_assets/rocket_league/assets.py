"""Which function makes which Rocket League table, and what is published."""

import functools
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.assets import (
    Decoded,
    common_definition,
    landed_tables,
    publication,
    settled_asset,
    table_asset,
    upstream_of,
)
from gamestats_assets.orchestration.entered import entered_tables
from gamestats_assets.orchestration.io_manager import Replacement
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.settled import Settled
from gamestats_assets.rocket_league import checks, tables, training_packs
from gamestats_assets.rocket_league.cohorts import player_profiles, rank_cohorts
from gamestats_assets.rocket_league.comparison import player_comparison
from gamestats_assets.rocket_league.features import player_match_features
from gamestats_assets.rocket_league.frame_figures import frame_figures
from gamestats_assets.rocket_league.matches import match_facts, participants
from gamestats_assets.rocket_league.play import boost_pickups, shots_and_saves
from gamestats_assets.rocket_league.predictions import rank_predictions
from gamestats_assets.rocket_league.rank_models import next_models
from gamestats_assets.rocket_league.rotations import rotations
from gamestats_assets.rocket_league.source import GAME, refused
from gamestats_assets.rocket_league.stats import player_match_stats
from gamestats_assets.rocket_league.touches import challenges, possessions, touches
from gamestats_assets.rocket_league.tracking import tracked_players
from gamestats_assets.rocket_league.training import training_progress, training_recommendations
from gamestats_assets.rocket_league.users import matches, player_stats, users
from gamestats_assets.rocket_league.weaknesses import weaknesses

CHECKS: tuple[Check, ...] = checks.ALL
BATCH = 100
"""Matches of which tables are made together: two million rows of frames."""
KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in tables.ALL}
PUBLISHED: tuple[type[Table], ...] = tuple(table for table in tables.ALL if table.spec.published)
BY_MATCH = (
    match_facts,
    participants,
    frame_figures,
    boost_pickups,
    touches,
    possessions,
    shots_and_saves,
    challenges,
    rotations,
    player_match_stats,
    player_match_features,
)
# Of everybody.
OF_ALL = (
    (tables.PlayerProfiles, player_profiles),
    (tables.RankCohorts, rank_cohorts),
    (tables.RankModels, next_models),
)
# Of one tracked player, each after those it is made from.
BY_PLAYER = (
    users,
    matches,
    player_stats,
    weaknesses,
    rank_predictions,
    training_progress,
    training_recommendations,
    player_comparison,
)


def _decode_raw(
    landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int
) -> Generator[Decoded, None, None]:
    from gamestats_assets.lakehouse.decoding import decode_batches
    from gamestats_assets.rocket_league.bronze import RAW_DECODER

    return decode_batches(RAW_DECODER, landing, batches, workers=workers)


def _decode_events(
    landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int
) -> Generator[Decoded, None, None]:
    from gamestats_assets.lakehouse.decoding import decode_batches
    from gamestats_assets.rocket_league.bronze import EVENTS_DECODER

    return decode_batches(EVENTS_DECODER, landing, batches, workers=workers)


def landed(step: str) -> list[type[Table]]:
    """The tables that one step reads from landed files: `raw` or `raw_events`."""
    return [table for table in tables.ALL if table.spec.made_by == step]


@functools.cache
def settled() -> tuple[Settled, ...]:
    """Every table that follows its inputs as a whole or by player, each after those it is made from."""
    made: dict[type[Table], Settled] = {}

    def add(each: Settled) -> None:
        made[each.table] = each

    version = combined_hash([training_packs.text_of_training_packs()])[:8]
    add(Settled.of(tables.TrainingPacks, training_packs.catalogue, KNOWN, code_version=version))
    for table, function in OF_ALL:
        add(Settled.of(table, function, KNOWN, made=made))
    add(Settled.of(tables.TrackedPlayers, tracked_players, KNOWN, made=made))
    for function in BY_PLAYER:
        table = KNOWN[f"{GAME}.{function.__name__}"]
        add(Settled.of(table, function, KNOWN, made=made, told_by=tables.TrackedPlayers))
    return tuple(made.values())


@dg.asset(
    key=asset_key(tables.Retention),
    io_manager_key="lake",
    required_resource_keys={"stores"},
    pool=f"{GAME}_retention",
    **common_definition(tables.Retention, {"python"}),
)
def retention(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Take matches that are kept no longer out of players' tables, and the players out of these matches."""
    from gamestats_assets.rocket_league.erasure import enforce_retention

    stores: Stores = context.resources.stores
    migrate(stores.postgres_url)
    told = enforce_retention(stores, datetime.now(UTC).date())
    masked = sum(matches for _, _, matches in told)
    context.log.info(f"{masked} matches of {len(told)} players were older than these are kept.")
    rows = [(player_id, kept_from) for player_id, kept_from, _ in told]
    yield dg.Output(Replacement(pl.DataFrame(rows, schema=tables.Retention.schema(), orient="row")))


def assets() -> list[dg.AssetsDefinition]:
    """Every Rocket League asset: bronze, silver, gold, and the publications."""
    made = [
        entered_tables(tables.SNAPSHOTS, by_conditions=False),
        retention,
        landed_tables(landed("raw"), _decode_raw, refused=refused, at_once=BATCH),
        landed_tables(landed("raw_events"), _decode_events, at_once=BATCH),
        *(table_asset(function, at_once=BATCH) for function in BY_MATCH),
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
