"""Rocket League's tables: the function behind each, and the publications."""

import functools
from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime

import polars as pl

from gamestats_assets.lakehouse.delta.ledger import WHOLE, combined_hash, fingerprint
from gamestats_assets.lakehouse.entries.ops import migrate
from gamestats_assets.lakehouse.landing.decoding import Decoded
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.execution import Decode
from gamestats_assets.orchestration.freshness.inputs import Fingerprints
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.game import Game
from gamestats_assets.rocket_league import checks, tables
from gamestats_assets.rocket_league.analysis import training_packs
from gamestats_assets.rocket_league.analysis.cohorts import player_profiles, rank_cohorts
from gamestats_assets.rocket_league.analysis.comparison import player_comparison
from gamestats_assets.rocket_league.analysis.predictions import rank_predictions
from gamestats_assets.rocket_league.analysis.rank_versions import next_models
from gamestats_assets.rocket_league.analysis.tracking import tracked_players
from gamestats_assets.rocket_league.analysis.training import training_progress, training_recommendations
from gamestats_assets.rocket_league.analysis.users import matches, player_stats, users
from gamestats_assets.rocket_league.analysis.weaknesses import weaknesses
from gamestats_assets.rocket_league.matches.facts import match_facts, participants
from gamestats_assets.rocket_league.matches.features import player_match_features
from gamestats_assets.rocket_league.matches.frame_figures import frame_figures
from gamestats_assets.rocket_league.matches.play import boost_pickups, shots_and_saves
from gamestats_assets.rocket_league.matches.rotations import rotations
from gamestats_assets.rocket_league.matches.stats import player_match_stats
from gamestats_assets.rocket_league.matches.touches import challenges, possessions, touches
from gamestats_assets.rocket_league.privacy.consents import withheld
from gamestats_assets.rocket_league.privacy.erasure import kept_from
from gamestats_assets.rocket_league.replays.moments import moments, player_mistakes, replay_moments
from gamestats_assets.rocket_league.replays.tracks import replay_tracks
from gamestats_assets.rocket_league.source import GAME, refused

CHECKS: tuple[Check, ...] = checks.ALL
BATCH_SIZE = 100
"""Matches processed together: two million rows of frames."""
KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in tables.ALL}
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
    moments,
    replay_moments,
    replay_tracks,
)
# Over all players.
OF_ALL = (
    (tables.Withheld, withheld),
    (tables.PlayerProfiles, player_profiles),
    (tables.RankCohorts, rank_cohorts),
    (tables.RankModels, next_models),
)
# By tracked player, each after its inputs.
BY_PLAYER = (
    users,
    matches,
    player_stats,
    player_mistakes,
    weaknesses,
    rank_predictions,
    training_progress,
    training_recommendations,
    player_comparison,
)


def _decoding(decoder: str) -> Decode:
    """Returns a function that decodes landed files with a decoder of `replays.bronze`, imported when needed."""

    def decode(
        landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int
    ) -> Generator[Decoded, None, None]:
        from gamestats_assets.lakehouse.landing.decoding import decode_batches
        from gamestats_assets.rocket_league.replays import bronze

        return decode_batches(getattr(bronze, decoder), landing, batches, workers=workers)

    return decode


def landed(step: str) -> list[type[Table]]:
    """Returns the tables that one step reads from landed files: `raw` or `raw_events`."""
    return [table for table in tables.ALL if table.spec.made_by == step]


def _kept_from(snapshot: Snapshot) -> Mapping[str, str]:
    migrate(snapshot.stores.postgres_url)
    days = kept_from(snapshot.stores, datetime.now(UTC).date())
    return {WHOLE: fingerprint(*(f"{player} {day}" for player, day in sorted(days.items())))}


def _retention(snapshot: Snapshot, keys: Sequence[str]) -> Decoded:
    """Mask tracked players in matches past their retention, and remove these matches from the players' tables.

    Archives, records of requests, reply addresses of objections and views of pages are kept for a limited time, too;
    old ones are deleted here.
    """
    from gamestats_assets.rocket_league.jobs import forget_old_jobs
    from gamestats_assets.rocket_league.privacy.erasure import enforce_retention
    from gamestats_assets.rocket_league.privacy.user_export import forget_old_exports, forget_old_notes

    forget_old_exports(snapshot.stores)
    forget_old_jobs(snapshot.stores)
    forget_old_notes(snapshot.stores)
    kept = enforce_retention(snapshot.stores, datetime.now(UTC).date())
    rows = [(player_id, first) for player_id, first, _ in kept]
    return Decoded({tables.Retention: pl.LazyFrame(rows, schema=tables.Retention.schema(), orient="row")})


@functools.cache
def game() -> Game:
    """Returns the game: all Rocket League tables with their inputs, from bronze to gold, and the publications."""
    league = Game(GAME, tables.ALL, CHECKS)
    league.entered(tables.SNAPSHOTS)
    league.external((tables.Retention,), [Fingerprints("how long matches are kept", _kept_from)], _retention)
    league.landed(landed("raw"), _decoding("RAW_DECODER"), refused=refused, batch_size=BATCH_SIZE)
    league.landed(landed("raw_events"), _decoding("EVENTS_DECODER"), batch_size=BATCH_SIZE, code_version="2")
    for function in BY_MATCH:
        league.function(function, batch_size=BATCH_SIZE)
    version = combined_hash([training_packs.text_of_training_packs()])[:8]
    league.function(training_packs.catalogue, code_version=version)
    for table, function in OF_ALL:
        league.function(function, table=table)
    league.function(tracked_players)
    for function in BY_PLAYER:
        league.function(function, made_from=tables.TrackedPlayers)
    league.publications()
    return league
