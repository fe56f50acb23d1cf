"""Which function or SELECT makes which PUBG table, and what is published."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import dagster as dg

from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.sql import SqlModel
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.assets import (
    Decoded,
    landed_tables,
    publication,
    sql_asset,
    table_asset,
    upstream_of,
)
from gamestats_assets.pubg import checks, tables
from gamestats_assets.pubg.circles import circle_positions
from gamestats_assets.pubg.damage import damage_events
from gamestats_assets.pubg.kills import weapon_kills
from gamestats_assets.pubg.matches import matches
from gamestats_assets.pubg.source import refused
from gamestats_assets.pubg.summaries import match_summaries
from gamestats_assets.settings import shipped

KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in tables.ALL}
PUBLISHED: tuple[type[Table], ...] = tuple(table for table in tables.ALL if table.spec.published)
SQL_TABLES: tuple[type[Table], ...] = (tables.Landings, tables.KillPositions, tables.PlayerMatchWeaponDistribution)


def _decode(landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int) -> Generator[Decoded, None, None]:
    from gamestats_assets.pubg.bronze import decode_batches

    return decode_batches(landing, batches, workers=workers)


def assets() -> list[dg.AssetsDefinition]:
    """Every PUBG asset: bronze, silver, gold, and the publications."""
    bronze = [table for table in tables.ALL if table.spec.layer == "bronze"]
    made = [
        landed_tables(bronze, _decode, refused=refused),
        *(
            table_asset(function)
            for function in (circle_positions, damage_events, weapon_kills, matches, match_summaries)
        ),
        *(sql_asset(table, _model(table), KNOWN) for table in SQL_TABLES),
    ]
    return [*made, *(publication(table, checks.ALL, upstream_of(table, made, KNOWN)) for table in PUBLISHED)]


def _model(table: type[Table]) -> SqlModel:
    return SqlModel.load(shipped("sql", table.spec.game, f"{table.spec.name}.sql"), table, KNOWN)
