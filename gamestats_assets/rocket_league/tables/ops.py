"""Snapshots of people's entries in PostgreSQL's schema `ops`, which make them part of the lineage.

The migrations in `sql/postgres/` create the tables of `ops`; a snapshot has the columns of its table that influence
results, and no e-mail addresses. Nothing is ever written back.
"""

from __future__ import annotations

from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.rocket_league.tables.rows import PLAYER_ID, flag, text, utc

_ENTERED: dict[str, Any] = {"subject": "entered", "layer": "bronze", "made_by": "ops", "personal": True}


def _player() -> dy.String:
    return dy.String(primary_key=True, regex=PLAYER_ID, description="Player: platform and account.")


class RlPlayers(Table, key="rocket_league/rl_players", **_ENTERED):
    """Tracked players and their consents."""

    player_id = _player()
    username = text("Name as entered.", nullable=False)
    wanted_since = utc("Replays of earlier matches are not fetched.")
    is_active = flag("Whether gamestats looks for new replays, once the player agrees.", nullable=False)
    consented_at = utc("When the player agreed to the analysis; null without consent.", nullable=True)
    cohorts_at = utc("When the player agreed to be part of cohorts; null without consent.", nullable=True)
    models_at = utc("When the player agreed to the training of models; null without consent.", nullable=True)
    comparison_at = utc("When the player agreed to comparisons with others; null without consent.", nullable=True)
    retention_days = dy.Int32(min=1, description="Days after a match for which the player's tables contain it.")
    created_at = utc("When the player was first tracked.")
    updated_at = utc("When the entry was last changed.")


class RlRanks(Table, key="rocket_league/rl_ranks", **_ENTERED):
    """Ranks that players entered."""

    player_id = _player()
    playlist = dy.String(primary_key=True, description="Playlist, such as ranked-doubles.")
    tier = dy.Int32(min=1, max=22, description="Rank, 1 (bronze 1) to 22 (supersonic legend).")
    division = dy.Int32(nullable=True, min=1, max=4, description="Division.")
    updated_at = utc("When the rank was entered.")


class TrainingSessions(Table, key="rocket_league/training_sessions", **_ENTERED):
    """Training sessions of players."""

    training_session_id = dy.Int64(primary_key=True, description="Number of the session, given by PostgreSQL.")
    player_id = dy.String(regex=PLAYER_ID, description="Player.")
    code = text("Training pack; null without one, as in free play.")
    skill = dy.String(description=f"Trained skill ({', '.join(SKILLS)}), or another category of packs.")
    completed_at = utc("End of the session.")
    duration_s = dy.Int32(min=1, description="Length, in seconds.")
    attempts = dy.Int32(nullable=True, min=0, description="Attempts counted.")
    successes = dy.Int32(nullable=True, min=0, description="Successes among them.")


class Retention(Table, key="rocket_league/retention", subject="entered", layer="bronze", personal=True):
    """First day of matches in a tracked player's tables, as of the last materialization."""

    player_id = _player()
    kept_from = dy.Date(description="First UTC day.")


SNAPSHOTS: tuple[type[Table], ...] = (RlPlayers, RlRanks, TrainingSessions)
"""Tables of `ops` with a snapshot of the same name."""
