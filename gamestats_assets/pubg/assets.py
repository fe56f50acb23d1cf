"""The function or SELECT behind each PUBG table, and the publications."""

from __future__ import annotations

import functools
from collections.abc import Generator, Sequence

import polars as pl

from gamestats_assets.lakehouse.entries.ops import entered_rows
from gamestats_assets.lakehouse.landing.decoding import Decoded
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.models.sql import SqlModel
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.inputs import Fingerprints, names_in
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.game import Game
from gamestats_assets.pubg import tables
from gamestats_assets.pubg.fights import checks as fight_checks
from gamestats_assets.pubg.fights.fights import fight_participants, team_fights
from gamestats_assets.pubg.fights.knocks import finishing_summaries, knock_events
from gamestats_assets.pubg.matches import checks as match_checks
from gamestats_assets.pubg.matches.circles import circle_positions
from gamestats_assets.pubg.matches.damage import damage_events
from gamestats_assets.pubg.matches.kills import weapon_kills
from gamestats_assets.pubg.matches.matches import match_facts, matches
from gamestats_assets.pubg.matches.summaries import match_summaries
from gamestats_assets.pubg.players import checks as player_checks
from gamestats_assets.pubg.players.careers import player_advanced_career_stats, player_damage_stats, player_weapon_stats
from gamestats_assets.pubg.players.players import (
    player_backfill_status,
    player_circle_positions,
    player_damage_events,
    player_matches,
    wanted_matches,
    weapon_kill_events,
)
from gamestats_assets.pubg.source.files import refused
from gamestats_assets.pubg.tables import SNAPSHOTS
from gamestats_assets.pubg.telemetry import checks as telemetry_checks
from gamestats_assets.pubg.tournament import checks as tournament_checks
from gamestats_assets.pubg.tournament.context import match_tournament_context, tournament_lineups
from gamestats_assets.pubg.tournament.standings import (
    tournament_matches,
    tournament_player_standings,
    tournament_team_results,
    tournament_team_standings,
    tournament_team_standings_history,
)
from gamestats_assets.pubg.tournament.validation import match_validation
from gamestats_assets.settings import shipped

CHECKS: tuple[Check, ...] = (
    *telemetry_checks.ALL,
    *match_checks.ALL,
    *fight_checks.ALL,
    *tournament_checks.ALL,
    *player_checks.ALL,
)
KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in tables.ALL}
# Each match is independent.
BY_MATCH = (
    circle_positions,
    damage_events,
    weapon_kills,
    match_facts,
    match_summaries,
    knock_events,
    finishing_summaries,
    team_fights,
    fight_participants,
    matches,
    tournament_matches,
)
# Matches of an evening are built together, with the entered data.
BY_TOURNAMENT = (tournament_lineups, match_tournament_context, tournament_team_results, match_validation)
# All matches of a season.
BY_SEASON = (tournament_team_standings_history, tournament_team_standings, tournament_player_standings)
# One partition per tracked player; a sensor requests those who played.
BY_PLAYER = (
    player_circle_positions,
    player_damage_events,
    weapon_kill_events,
    player_backfill_status,
    player_damage_stats,
    player_weapon_stats,
    player_advanced_career_stats,
)
SQL_TABLES: tuple[type[Table], ...] = (
    tables.Landings,
    tables.Circles,
    tables.KillPositions,
    tables.PlayerMatchWeaponDistribution,
)


def _decode(landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int) -> Generator[Decoded, None, None]:
    from gamestats_assets.lakehouse.landing.decoding import decode_batches
    from gamestats_assets.pubg.telemetry.bronze import DECODER

    return decode_batches(DECODER, landing, batches, workers=workers)


def _rosters(snapshot: Snapshot, changed: pl.DataFrame) -> list[str]:
    """Returns the teams whose rosters these entries belong to."""
    teams = entered_rows(snapshot.stores.postgres_url, tables.Teams)
    named = teams.filter(pl.col("team_id").is_in(changed["team_id"].implode()))
    return [f"roster of {team}" for team in sorted(named["team_name"])]


@functools.cache
def game() -> Game:
    """Returns every PUBG table and its inputs: bronze, silver, gold, and the publications."""
    pubg = Game("pubg", tables.ALL, CHECKS)
    pubg.landed([table for table in tables.ALL if table.spec.made_by == "raw"], _decode, refused=refused)
    pubg.entered(SNAPSHOTS, {tables.RosterEntries: _rosters})
    for function in BY_MATCH:
        pubg.function(function)
    for function in BY_TOURNAMENT:
        pubg.function(function, whole_partitions=True, days_around=1)
    for function in BY_SEASON:
        pubg.function(function, names=names_in(tables.Seasons, "season"))
    wanted = Fingerprints("matches of tracked players", lambda snapshot: wanted_matches(snapshot.lake))
    pubg.function(player_matches, made_from=wanted)
    for function in BY_PLAYER:
        pubg.function(function)
    for table in SQL_TABLES:
        pubg.sql(table, SqlModel.load(shipped("sql", "pubg", f"{table.spec.name}.sql"), table, KNOWN))
    pubg.publications()
    return pubg
