"""Snapshots of what people enter in PostgreSQL's schema `ops`, so that lineage shows it.

The tables of `ops` are made by the migrations in `sql/postgres/`; a snapshot has the columns of its table that decide
something. E-mail addresses are not among them. Nothing is ever written back.
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
    """Tracked players, and what they agreed to."""

    player_id = _player()
    username = text("Name as entered.", nullable=False)
    wanted_since = utc("Replays of matches before are not fetched.")
    is_active = flag("Whether new replays are looked for, once the player agrees.", nullable=False)
    consented_at = utc("When the player agreed to the analysis; null: not, or not any more.", nullable=True)
    cohorts_at = utc("When the player agreed to be part of cohorts; null: not, or not any more.", nullable=True)
    models_at = utc("The same of the training of models.", nullable=True)
    comparison_at = utc("The same of being compared with others.", nullable=True)
    retention_days = dy.Int32(min=1, description="Days after a match for which it stands in the player's tables.")
    created_at = utc("When the player was tracked first.")
    updated_at = utc("When the entry was changed last.")


class RlRanks(Table, key="rocket_league/rl_ranks", **_ENTERED):
    """Ranks that players gave."""

    player_id = _player()
    playlist = dy.String(primary_key=True, description="Playlist, such as ranked-doubles.")
    tier = dy.Int32(min=1, max=22, description="Rank, 1 (bronze 1) to 22 (supersonic legend).")
    division = dy.Int32(nullable=True, min=1, max=4, description="Division.")
    updated_at = utc("When it was given.")


class TrainingSessions(Table, key="rocket_league/training_sessions", **_ENTERED):
    """What players trained."""

    training_session_id = dy.Int64(primary_key=True, description="Number of the session, given by PostgreSQL.")
    player_id = dy.String(regex=PLAYER_ID, description="Player.")
    code = text("Training pack; null for free play and the like.")
    skill = dy.String(description=f"What was trained: a skill ({', '.join(SKILLS)}), or another category of packs.")
    completed_at = utc("When it was over.")
    duration_s = dy.Int32(min=1, description="Length, in seconds.")
    attempts = dy.Int32(nullable=True, min=0, description="Attempts counted.")
    successes = dy.Int32(nullable=True, min=0, description="Successes among them.")


class Retention(Table, key="rocket_league/retention", subject="entered", layer="bronze", personal=True):
    """From which day on matches of a tracked player stand in the player's tables, as of the last time this was made."""

    player_id = _player()
    kept_from = dy.Date(description="First UTC day.")


SNAPSHOTS: tuple[type[Table], ...] = (RlPlayers, RlRanks, TrainingSessions)
"""Every table of `ops` that has a snapshot; the snapshot has its name."""
