"""A player planted by hand, with all that is published and entered of him: what pages and the report are to show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.users import player_stats
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets_tests.rocket_league.support.building import PLAYER, START, Row, make, match_id, played, rows

EVIL_NAME = "Evil </script><script>alert(1)</script><b>& co"
EVIL_PACK = 'Pack <img src=x onerror=alert(1)> & "quotes" \''
EVIL_REASON = "Because <a href='http://evil.example'>of it</a>"
OTHERS = ("steam_76561198000000042", "ps4_darko_oklm", "epic_256ba1e6b73847539c5aa6f60267684f")
Frames = dict[type[Table], pl.DataFrame]
AIR = [0.03, 0.05, 0.02, 0.06, 0.04, 0.05, 0.03, 0.08, 0.07, 0.06, 0.04, 0.05]
SHOTS = [0.5, 0.25, 0.75, 0.5, 1.0, 0.5, 0.25, 0.5, 0.75, 0.5, 0.25, 1.0]
# Matches 0 to 3 are of one week, 4 to 7 of one two weeks later, 8 to 11 of one two weeks after that.
DAYS = (0, 14, 28)


def planted_features() -> pl.DataFrame:
    doubles = [
        row | {"match_id": match_id(number), "stats_source": "replay" if number < 2 else "ballchasing"}
        for number, row in enumerate(
            row
            for place, day in enumerate(DAYS)
            for row in played(
                4,
                day,
                high_air_share=AIR[4 * place : 4 * place + 4],
                shots_per_minute=SHOTS[4 * place : 4 * place + 4],
                save_share=0.25,
                played_s=300.0,
                defensive_third_share=[0.5, 0.4, 0.5, 0.6],
                neutral_third_share=0.3,
                offensive_third_share=[0.2, 0.3, 0.2, 0.1],
                rank_tier=15 + (place > 0),
            )
        )
    ]
    duels = played(3, 1, playlist="ranked-duels", team_size=1, behind_ball_share=[0.5, 0.6, 0.7])
    simulated = played(2, 2, is_simulated=True, high_air_share=0.04, rank_tier=16)
    return rows(t.PlayerMatchFeatures, *doubles, *duels, *simulated)


def skill(name: str, percentile: float | None = None, **given: Any) -> Row:
    """A row of `weaknesses`, measured where there is a percentile."""
    if percentile is None:
        return {"skill": name, "state": "refused", "matches": 3} | given
    return {
        "skill": name, "rank_tier": 16, "cohort_players": 321, "matches": 12, "score": (percentile - 50) / 30,
        "percentile": percentile, "percentile_low": percentile / 2, "percentile_high": (percentile + 100) / 2,
        "confidence": 0.625, "is_weakness": percentile < 10, "evidence": f"Evidence of {name}.",
    } | given  # fmt: skip


def planted_tables() -> Frames:
    duel: Row = {"playlist": "ranked-duels", "reason": "No rank in Ranked duels is known: ballchasing told none."}
    weak = [
        skill("aerials", 4.4, improvement_potential=1.25),
        skill("saves", 61.0),
        skill("positioning", reason="Too <few> players at Champion I are known."),
        skill("rotation", reason="Not enough matches yet: 3 of 5 with figures."),
        skill("shooting", 83.0, improvement_potential=0.0),
        *(skill(name, **duel) for name in SKILLS),
        skill("aerials", 37.0, is_simulated=True),
    ]
    prediction = {
        "model_version": 2, "matches": 12, "known_tier": 16, "predicted_tier": 15.34, "predicted_tier_low": 14.51,
        "predicted_tier_high": 16.49, "drivers": ["drives 9% slower (47 against 51 km/h): -0.8 ranks"],
        "horizon_days": 30, "expected_change_tiers": 0.432, "expected_change_low": -0.211,
        "expected_change_high": 1.083, "form_change_tiers": 0.321, "training_change_tiers": 0.111,
        "change_note": "Form: 12 matches.",
    }  # fmt: skip
    model = {
        "players": 456, "matches": 7_890, "trained_to_day": date(2026, 3, 27), "mean_error_tiers": 1.234,
        "accuracy": 0.3123, "within_one_tier": 0.7456, "interval_coverage": 0.8111, "majority_mean_error_tiers": 3.456,
        "majority_accuracy": 0.0987, "single_feature": "supersonic_share", "single_feature_mean_error_tiers": 2.345,
        "training_data_hash": "-",
    }  # fmt: skip
    progress = {
        "sessions": 2, "trained_s": 5400.0, "attempts": 140, "success_share": 0.6125, "improvement_score": -0.055,
        "first_session_at": START + timedelta(days=5), "last_session_at": START + timedelta(days=9),
        "matches_before": 4, "matches_since": 8,
    }  # fmt: skip
    nearest = {
        "other_rank_tier": 16,
        "differences": ["boosts 23% more (412 against 335 a minute)", "<i>shoots</i> more"],
    }
    frames: Frames = {
        t.RlPlayers: rows(t.RlPlayers, {"username": EVIL_NAME, "consented_at": START}),
        t.TrackedPlayers: rows(t.TrackedPlayers, {"matches": 17}),
        t.Users: rows(t.Users, {"username": EVIL_NAME, "current_rank": "champion-1", "current_rank_tier": 16}),
        t.PlayerMatchFeatures: planted_features(),
        t.RankCohorts: rows(
            t.RankCohorts,
            {"feature": "high_air_share", "rank_tier": 16, "from_tier": 16, "to_tier": 16, "mean": 0.05,
             "match_spread": 0.02},
            {"feature": "skill_aerials", "rank_tier": 15, "from_tier": 14, "to_tier": 16, "players": 99,
             "within_spread": 0.1},
            {"feature": "skill_aerials", "rank_tier": 16, "from_tier": 15, "to_tier": 17, "players": 321,
             "matches": 6_543, "mean": 0.0, "within_spread": 0.8},
        ),
        t.RankModels: rows(
            t.RankModels,
            model | {"version": 1, "state": "superseded", "players": 111},
            model | {"version": 2, "state": "served"},
        ),
        t.Weaknesses: rows(t.Weaknesses, *weak),
        t.RankPredictions: rows(
            t.RankPredictions,
            prediction,
            {"playlist": "ranked-duels", "state": "refused", "matches": 3, "reason": "3 matches; it needs 10."},
        ),
        t.TrainingRecommendations: rows(
            t.TrainingRecommendations,
            {"rank": 1, "code": "17F2-309A-8FA5-13BE", "pack_name": EVIL_PACK, "skill": "aerials", "difficulty": 7,
             "reason": EVIL_REASON},
            {"rank": 2, "code": "2195-C0DC-6CAB-B547", "pack_name": "Second", "skill": "saves", "difficulty": 8,
             "reason": "It is new to you."},
        ),
        t.TrainingProgress: rows(
            t.TrainingProgress,
            progress | {"skill": "aerials", "skill_before": -0.51, "skill_since": 0.23, "change": 0.74,
                        "change_low": 0.12, "change_high": 1.36, "has_helped": True},
            progress | {"skill": "saves", "state": "refused", "sessions": 1, "trained_s": 1200.0, "attempts": None,
                        "success_share": None, "improvement_score": None, "reason": "Known of saves: 1 match."},
        ),
        t.TrainingSessions: rows(
            t.TrainingSessions,
            {"training_session_id": 1, "skill": "aerials", "completed_at": START + timedelta(days=5),
             "duration_s": 1800, "attempts": 60, "successes": 41, "code": "17F2-309A-8FA5-13BE"},
            {"training_session_id": 2, "skill": "aerials", "completed_at": START + timedelta(days=9),
             "duration_s": 3600},
            {"training_session_id": 3, "skill": "saves", "completed_at": START + timedelta(days=6),
             "duration_s": 1200},
        ),
        t.PlayerComparison: rows(
            t.PlayerComparison,
            *(
                nearest | {"place": place, "other_player_id": other, "other_matches": 10 * place,
                           "distance": 0.71 + place / 4}
                for place, other in enumerate(OTHERS, 1)
            ),
        ),
    }  # fmt: skip
    return derived(frames)


def derived(frames: Frames) -> Frames:
    """With the matches and the statistics that follow from the features."""
    features = frames[t.PlayerMatchFeatures].to_dicts()
    matches = [
        {name: row[name] for name in ("match_id", "playlist", "is_simulated", "player_id")}
        | {"created_at": row["started_at"], "processed_at": row["started_at"], "result": "win", "replay_data": "{}"}
        | {"score_team_0": 3, "score_team_1": 1, "duration_s": 330.0}
        for row in features
    ]
    return {**frames, t.Matches: rows(t.Matches, *matches), t.PlayerStats: make(player_stats, frames)}


def publish_and_enter(url: str, frames: Mapping[type[Table], pl.DataFrame]) -> None:
    """Publish what is published of some frames, and enter what is entered; again, where it was before."""
    for table, frame in frames.items():
        if table.spec.published:
            by = table.spec.partitioned_by
            frame = frame.select(table.column_names())
            nobody = [PLAYER if by == "player_id" else START.date()]
            publish(url, table, (sorted(frame[by].unique()) or nobody) if by else None, frame)
    with psycopg.connect(url) as conn:
        for table in (t.RlPlayers, t.RlRanks, t.TrainingSessions):
            for row in frames[table].to_dicts() if table in frames else ():
                query = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
                    sql.Identifier("ops", table.spec.name),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join([sql.Placeholder()] * len(row)),
                )
                conn.execute(query, [*row.values()])


__all__ = ["EVIL_NAME", "OTHERS", "PLAYER", "planted_tables", "publish_and_enter"]
