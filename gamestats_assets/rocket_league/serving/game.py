"""Rocket League's part of the server."""

from __future__ import annotations

from pathlib import Path

from gamestats_assets.rocket_league.serving import pages
from gamestats_assets.rocket_league.serving.players import analytics, profile, training
from gamestats_assets.rocket_league.serving.players.accounts import ACCOUNTS
from gamestats_assets.rocket_league.serving.players.standings import skill_strip
from gamestats_assets.rocket_league.serving.privacy import decisions as privacy
from gamestats_assets.rocket_league.serving.privacy import objections, privacy_pages
from gamestats_assets.rocket_league.serving.replays import listing as replays
from gamestats_assets.rocket_league.serving.replays import replay, replay_page, shares, uploads, watch
from gamestats_assets.rocket_league.serving.words import WORDS
from gamestats_assets.rocket_league.tables import Matches
from gamestats_assets.serving.game import Game

ROCKET_LEAGUE = Game(
    "rocket_league",
    "Rocket League",
    Path(__file__).parent,
    words={**WORDS, "skill_strip": skill_strip},
    api=(
        *(uploads.router, shares.router, training.packs, training.own, training.acts, analytics.router),
        *(replays.router, replay.own, profile.own, profile.router, replay.router),
        *(privacy.router, privacy.status_router, objections.router, objections.admin_router),
    ),
    uploads=(uploads.UPLOAD_PATH, pages.SEND_PATH),
    synthetic=("rank_cohorts", "is_simulated"),
    pages=[*(pages.router, replay_page.router, watch.router), privacy_pages.router],
    admin=privacy_pages.SECTIONS,
    forms_for_anybody=("/objection", "/api/v1/objections"),
    start=pages.HOME,
    matches=(Matches, "is_simulated"),
    accounts=ACCOUNTS,
)
