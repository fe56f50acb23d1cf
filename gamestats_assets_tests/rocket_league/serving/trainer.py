"""Somebody who plays Rocket League, by hand: matches, statistics and all that is made of them, published and entered.

Ann has two accounts. In ranked doubles her first has twelve matches on as many days, whose saves get better by one
percent of the shots a match, from 20%; the cohort scatters by 6% from match to match around 30%. In ranked duels it has
three matches, and the second account has one match of doubles. Bob, who is in Ann's last match too, has one of his own.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import polars as pl
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.training_packs import training_packs
from gamestats_assets.rocket_league.players.entered import PLAYER, TRAINING_SESSION
from gamestats_assets_tests.rocket_league.support.building import rows
from gamestats_assets_tests.rocket_league.support.linking import linked
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of

ANN, ANNS_OTHER, BOB = "steam_76561190000000001", "epic_0123456789abcdef", "steam_76561190000000002"
FIRST = datetime(2026, 9, 1, 18, 0, tzinfo=UTC)
DOUBLES, DUELS = "ranked-doubles", "ranked-duels"
MATCHES = 12
LAST = f"{0xA00 + MATCHES - 1:032X}"
"""Ann's last match of doubles, which Bob played, too."""
PACK = "2E23-ABD5-20C6-DBD4"


def saves(number: int) -> float:
    """Share of the shots that Ann saves in a match of doubles."""
    return 0.20 + 0.01 * number


def began(number: int) -> datetime:
    """When a match of doubles began; the four last ones are of October, a month later."""
    return FIRST + timedelta(days=number if number < 8 else number + 30)


def _match(player: str, number: int, at: datetime, playlist: str = DOUBLES, **board: Any) -> dict[str, Any]:
    of_player = {"player_name": "Ann", "team": "blue", "goals": number % 4, "assists": 1, "saves": 2, "shots": 5}
    of_player |= {"score": 300 + number, "is_mvp": number % 2 == 0, "rank_tier": 16, "stats_source": "replay", **board}
    won = of_player["goals"] > 1
    return {
        "player_id": player,
        "match_id": f"{0xA00 + number:032X}",
        "playlist": playlist,
        "created_at": at,
        "processed_at": at + timedelta(hours=1),
        "duration_s": 330.04,
        "score_team_0": of_player["goals"],
        "score_team_1": 1,
        "result": "win" if won else "loss",
        "replay_data": json.dumps(of_player),
    }


def _stat(player: str, number: int, at: datetime, name: str, value: float, **more: Any) -> dict[str, Any]:
    row = {"player_id": player, "match_id": f"{0xA00 + number:032X}", "time": at, "playlist": DOUBLES}
    return {**row, "stat_type": name, "value": value, **more}


def frames() -> dict[type[Table], list[dict[str, Any]]]:
    """Rows of published tables by player."""
    doubles = [_match(ANN, number, began(number)) for number in range(MATCHES)]
    duels = [_match(ANN, 100 + n, FIRST + timedelta(hours=n), DUELS, rank_tier=None) for n in range(3)]
    bobs = _match(BOB, MATCHES - 1, began(MATCHES - 1), player_name="Bob", team="orange")
    stats = [
        _stat(ANN, number, began(number), name, value, rank_percentile=percentile)
        for number in range(MATCHES)
        for name, value, percentile in (
            ("save_share", saves(number), 5.0 * number),
            ("skill_saves", (saves(number) - 0.3) / 0.06, 5.0 * number),
            ("avg_boost", 40.0, None),
        )
    ]
    of_doubles = {"playlist": DOUBLES, "rank_tier": 16, "cohort_players": 120}
    measured = {"score": -1.5, "percentile": 6.68, "percentile_low": 2.28, "percentile_high": 15.87}
    measured |= {"confidence": 0.8, "improvement_potential": 0.456, "matches": MATCHES}
    too_few = {"state": "refused", "score": None, "reason": "Not enough matches yet: 3 of 5 with figures."}
    skills = [
        {**of_doubles, "skill": skill, **measured, "is_weakness": skill == "saves", "evidence": f"Shows {skill}."}
        for skill in ("shooting", "saves", "positioning", "aerials")
    ]
    skills.append({**of_doubles, "skill": "rotation", "state": "refused", "reason": "Nothing is known.", "matches": 0})
    skills += [
        {"playlist": DUELS, "skill": skill, "matches": 3, **too_few}
        for skill in ("shooting", "saves", "positioning", "aerials")
    ]
    prediction = {"playlist": DOUBLES, "model_version": 3, "matches": MATCHES, "known_tier": 16}
    prediction |= {"predicted_tier": 15.624, "predicted_tier_low": 14.1, "predicted_tier_high": 17.2}
    prediction |= {"drivers": ["saves fewer shots (26% against 30% of the shots against): -0.4 ranks"]}
    prediction |= {"horizon_days": 30, "expected_change_tiers": 0.31, "expected_change_low": -0.1}
    prediction |= {"expected_change_high": 0.72, "form_change_tiers": 0.31, "change_note": "Form: twelve matches."}
    refused = {"playlist": DUELS, "matches": 3, "state": "refused"}
    refused |= {"reason": "Not enough matches yet: 3 of 10 in Ranked duels."}
    nearest = {"playlist": DOUBLES, "other_player_id": BOB, "other_matches": 20, "distance": 0.41234}
    nearest |= {"differences": ["saves 20% more shots (30% against 25% of the shots against)"]}
    trained = {"playlist": DOUBLES, "skill": "saves", "sessions": 3, "trained_s": 3600.0, "matches_before": 6}
    trained |= {"matches_since": 6, "skill_before": -1.2, "skill_since": -0.7, "change": 0.5}
    trained |= {"change_low": 0.1, "change_high": 0.9, "has_helped": True, "first_session_at": FIRST}
    advice = {"rank": 1, "code": PACK, "pack_name": "Saves", "skill": "saves", "playlist": DOUBLES, "difficulty": 8}
    advice |= {"reason": "A weakness: saves.", "times_trained": 1}
    return {
        t.Users: [
            {"player_id": ANN, "steam_id": ANN[6:], "username": "Ann", "current_rank": "champion-1"}
            | {"current_rank_tier": 16}
        ],
        t.Matches: [*doubles, *duels, _match(ANNS_OTHER, 200, began(3)), bobs],
        t.PlayerStats: [*stats, _stat(BOB, MATCHES - 1, began(MATCHES - 1), "save_share", 0.9)],
        t.PlayerMistakes: [
            _moment(2, "boost_starved", 60.0, ANN, end_s=64.5),
            _moment(3, "conceded", 90.25, ANN, BOB),
            _moment(4, "conceded", 120.0, BOB, ANN),
        ],
        t.Weaknesses: [
            *({"player_id": ANN, **row} for row in skills),
            {"player_id": BOB, "playlist": DOUBLES, "skill": "saves", "matches": 3, **too_few},
        ],
        t.RankPredictions: [{"player_id": ANN, **prediction}, {"player_id": ANN, **refused}],
        t.TrainingRecommendations: [{"player_id": ANN, **advice}],
        t.TrainingProgress: [{"player_id": ANN, **trained}],
        t.PlayerComparison: [
            {"player_id": ANN, **nearest, "of_next_rank": True, "place": 1, "other_rank_tier": 17},
            {"player_id": ANN, **nearest, "of_next_rank": False, "place": 1, "other_rank_tier": 16},
        ],
    }


def _features() -> list[dict[str, Any]]:
    """What is measured in Ann's matches of doubles and duels."""
    doubles = [
        {"player_id": ANN, "match_id": f"{0xA00 + number:032X}", "started_at": began(number), "playlist": DOUBLES}
        | {"match_date": began(number).date(), "rank_tier": 15 + (number > 7), "save_share": saves(number)}
        | {"played_s": 300.0, "defensive_third_share": 0.5, "neutral_third_share": 0.3, "offensive_third_share": 0.2}
        for number in range(MATCHES)
    ]
    duels = [
        {"player_id": ANN, "match_id": f"{0xA00 + 100 + number:032X}", "started_at": FIRST + timedelta(hours=number)}
        | {"match_date": FIRST.date(), "playlist": DUELS, "team_size": 1}
        for number in range(3)
    ]
    return [*doubles, *duels]


TRACK = gzip.compress(b"GST1 and what a viewer reads", mtime=0)
EVE, KID = "epic_eve", "xbl_kid"
"""Who else was in Ann's last match: Eve on Ann's side, the kid on Bob's."""


def _of_last(**values: Any) -> dict[str, Any]:
    return {"match_id": LAST, "match_date": began(MATCHES - 1).date(), **values}


def _board(player: str, name: str, team: str, goals: int) -> dict[str, Any]:
    row = _of_last(player_id=player, player_name=name, team=team, has_account=True, goals=goals, assists=0, saves=1)
    return {**row, "shots": 4, "score": 100 * goals, "result": "win" if team == "blue" else "loss", "rank_tier": 16}


def _moment(number: int, kind: str, at: float, player: str, other: str | None = None, **more: Any) -> dict[str, Any]:
    row = _of_last(moment_number=number, kind=kind, time_s=at, player_id=player, other_player_id=other)
    return {**row, "team": "orange" if player in (BOB, KID) else "blue", **more}


OF_MATCH: Mapping[type[Table], Sequence[dict[str, Any]]] = {
    t.MatchFacts: [
        _of_last(playlist=DOUBLES, team_size=2, started_at=began(MATCHES - 1), duration_s=330.04, blue_score=3)
        | {"orange_score": 1, "has_frames": True, "is_soccar": True, "is_ranked": True, "map_code": "stadium_p"}
    ],
    t.Participants: [
        _board(BOB, "Bob", "orange", 1),
        _board(ANN, "Ann", "blue", 3),
        _board(EVE, "Eve", "blue", 0),
        _board(KID, "<i>kid", "orange", 0),
    ],
    t.ReplayMoments: [_moment(1, "goal", 31.5, ANN, EVE, speed_uu_s=2345.6, y_uu=5200.04)],
    t.ReplayTracks: [_of_last(track=TRACK, bytes=len(TRACK), frames=3300, duration_s=330.0, players=4)],
}
"""Ann's last match of doubles."""
COHORT = {"playlist": DOUBLES, "rank_tier": 16, "from_tier": 15, "to_tier": 17, "players": 120, "matches": 2400}
WHOLE: Mapping[type[Table], Sequence[dict[str, Any]]] = {
    t.RankCohorts: [
        {**COHORT, "feature": "save_share", "mean": 0.3, "within_spread": 0.06, "between_spread": 0.02}
        | {"p05": 0.26, "p25": 0.29, "p50": 0.301, "p75": 0.31, "p95": 0.34},
        {**COHORT, "feature": "skill_saves", "mean": 0.1, "within_spread": 1.0, "between_spread": 0.4}
        | {"p05": -0.7, "p25": -0.18, "p50": 0.1, "p75": 0.38, "p95": 0.9},
    ],
    t.RankModels: [
        {"playlist": DOUBLES, "version": version, "state": state, "training_data_hash": "-", "players": 900}
        | {"matches": 18_000, "mean_error_tiers": 1.2345, "accuracy": 0.31, "within_one_tier": 0.7}
        | {"interval_coverage": 0.81}
        for version, state in ((2, "superseded"), (3, "served"))
    ],
}


def publish_trainer(url: str, objects: Objects) -> None:
    """Publish all of it; the packs are those of the catalogue."""
    for table, given in OF_MATCH.items():
        publish(url, table, [began(MATCHES - 1).date()], rows(table, *given), objects=objects)
    measured = rows(t.PlayerMatchFeatures, *_features())
    publish(url, t.PlayerMatchFeatures, sorted(measured["match_date"].unique()), measured)
    for table, given in frames().items():
        frame = rows(table, *given)
        publish(url, table, sorted({row["player_id"] for row in given}), frame)
    for table, given in WHOLE.items():
        publish(url, table, None, rows(table, *given))
    packs = training_packs()
    publish(url, t.TrainingPacks, None, packs.select(pl.col(name) for name in t.TrainingPacks.schema()))


def link(url: str, name: str, *players: str) -> int:
    """Somebody whose accounts these are, who agreed to the analysis; the user's number."""
    user_id = linked(url, name, *players)
    with ops.entering(SecretStr(url), "tests") as conn:
        for player in players:
            PLAYER.add(conn, player, consents=True)
    return user_id


def train(url: str, player: str, *given: Mapping[str, Any]) -> None:
    """Training sessions."""
    with ops.entering(SecretStr(url), "tests") as conn:
        for each in given:
            TRAINING_SESSION.add(conn, player, **each)


def trained_by(site: httpx.Client, url: str, objects: Objects) -> httpx.Client:
    """Ann's browser, of whom all of it is published."""
    publish_trainer(url, objects)
    link(url, "ann", ANN, ANNS_OTHER)
    return browser_of(site, url, "ann")
