"""The user's skills, the rank played at and where it is heading, and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Annotated, Any

from psycopg import sql
from pydantic import BaseModel, Field

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.skills import SKILL
from gamestats_assets.rocket_league.serving.context import (
    CONTEXT_TABLES,
    Of,
    OfPlaylist,
    choose,
    cohort_of,
    of_playlist,
    own_answer,
    tier_words,
)
from gamestats_assets.rocket_league.serving.players.progress import Compared, Since, compared, router
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.serving.answers.lines import Lines, are_published, rows_of
from gamestats_assets.serving.answers.routes import Made
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.people.own import Scope

_RANK = Annotated[str | None, Field(description="Rank of the cohort, in words.", examples=["Champion I"])]
_SCORE_DIGITS, _PERCENT_DIGITS, _TIER_DIGITS = 3, 1, 2


# --------------------------------------------------------------------------- weaknesses

WEAKNESS_TABLES = (*CONTEXT_TABLES, t.Weaknesses, t.RankCohorts)


class Distribution(BaseModel):
    """The cohort of a skill, in units of the score: standard deviations between its players, from their mean."""

    from_tier: Annotated[int, Field(description="Lowest rank included.")]
    to_tier: Annotated[int, Field(description="Highest rank included.")]
    players: Annotated[int, Field(description="Players in it.")]
    matches: Annotated[int, Field(description="Their matches.")]
    p05: Annotated[float, Field(description="5th percentile of players' means over single matches.")]
    p25: Annotated[float, Field(description="25th percentile.")]
    p50: Annotated[float, Field(description="Median.")]
    p75: Annotated[float, Field(description="75th percentile.")]
    p95: Annotated[float, Field(description="95th percentile.")]
    own: Annotated[float, Field(description="Score of the player.")]
    own_low: Annotated[float, Field(description="Lower end of its 90% interval.")]
    own_high: Annotated[float, Field(description="Upper end of it.")]


_COLUMNS = ("state", "reason", "rank_tier", "cohort_players", "matches", "score", "percentile", "percentile_low")
_COLUMNS += ("percentile_high", "confidence", "is_weakness", "improvement_potential", "evidence")
WEAKNESS = Lines(
    "Weakness",
    t.Weaknesses,
    {
        "skill": "skill",
        **{name: name for name in _COLUMNS},
        "rank": _RANK,
        "distribution": Annotated[Distribution | None, Field(description="Distribution of the cohort.")],
    },
    digits={
        "score": _SCORE_DIGITS,
        **dict.fromkeys(("percentile", "percentile_low", "percentile_high"), _PERCENT_DIGITS),
        "confidence": _SCORE_DIGITS,
        "improvement_potential": _TIER_DIGITS,
    },
)
WeaknessList = own_answer("WeaknessList", of=Of, skills=list[WEAKNESS.model])


@router.asks("/weaknesses", "Skills within the rank", WeaknessList, WEAKNESS_TABLES, "player")
async def weaknesses(conn: Connection, asked: OfPlaylist, scope: Scope) -> Made:
    """The five skills of an account in a playlist compared with its rank, each measured or refused with a reason.

    A weakness is below the mean of the cohort beyond chance. `improvement_potential` is the number of ranks gained by
    reaching the middle of the cohort in this skill, by the model of ranks.
    """
    chosen = await choose(conn, asked.playlist, scope, [t.Weaknesses])
    rows = await of_playlist(conn, t.Weaknesses, chosen.bound) if chosen.played else []
    # The rank of the measurement, which may differ from the current one.
    tier = next((row["rank_tier"] for row in rows if row["rank_tier"] is not None), None)
    cohort = await cohort_of(conn, {**chosen.bound, "rank_tier": tier})
    lines = [
        WEAKNESS.line(
            row,
            rank=tier_words(row["rank_tier"]),
            distribution=_distribution(row, cohort.get(f"{SKILL}{row['skill']}", {})),
        )
        for row in sorted(rows, key=lambda row: SKILLS.index(row["skill"]))
    ]
    return {"data": {"of": chosen.described, "skills": lines}}


def _distribution(row: Mapping[str, Any], cohort: Mapping[str, Any]) -> dict[str, Any] | None:
    mean, spread = cohort.get("mean"), cohort.get("between_spread")
    if row["state"] != "measured" or not spread or mean is None:
        return None
    return {
        **{name: cohort[name] for name in ("from_tier", "to_tier", "players", "matches")},
        **{name: round((cohort[name] - mean) / spread, 3) for name in ("p05", "p25", "p50", "p75", "p95")},
        "own": round(row["score"], 3),
        "own_low": _score_at(row["percentile_low"]),
        "own_high": _score_at(row["percentile_high"]),
    }


def _score_at(percentile: float) -> float:
    """Returns the score of a percentile; at the ends, where it is infinite, a very large one."""
    return round(NormalDist().inv_cdf(min(max(percentile / 100, 1e-6), 1 - 1e-6)), 3)


# --------------------------------------------------------------------------- rank

PREDICTION_TABLES = (*CONTEXT_TABLES, t.RankModels)
_PREDICTED = ("predicted_tier", "predicted_tier_low", "predicted_tier_high")
_CHANGE = ("expected_change_tiers", "expected_change_low", "expected_change_high", "form_change_tiers")
_CHANGE += ("training_change_tiers",)
MODEL = Lines(
    "RankModel",
    t.RankModels,
    {
        name: name
        for name in (
            *("version", "trained_to_day", "players", "matches", "mean_error_tiers", "accuracy", "within_one_tier"),
            *("interval_coverage", "training_effect_tiers_per_hour", "training_effect_standard_error"),
        )
    },
    digits=dict.fromkeys(("mean_error_tiers", "accuracy", "within_one_tier", "interval_coverage"), _SCORE_DIGITS),
)
PREDICTION = Lines(
    "RankPrediction",
    t.RankPredictions,
    {
        **{name: name for name in ("state", "reason", "model_version", "matches", "known_tier")},
        "known_rank": Annotated[str | None, Field(description="Known rank, in words.")],
        **{name: name for name in _PREDICTED},
        "predicted_rank": Annotated[str | None, Field(description="Rank nearest to the predicted one, in words.")],
        **{name: name for name in ("drivers", "horizon_days", *_CHANGE, "change_note")},
    },
    digits=dict.fromkeys((*_PREDICTED, *_CHANGE), _TIER_DIGITS),
)
OnePrediction = own_answer(
    "OnePrediction",
    of=Of,
    prediction=Annotated[PREDICTION.model | None, Field(description="Null without matches.")],
    model=Annotated[MODEL.model | None, Field(description="Model of the prediction; null without a serving model.")],
)


@router.asks("/rank-prediction", "Rank played at, and where it is heading", OnePrediction, PREDICTION_TABLES, "player")
async def rank_prediction(conn: Connection, asked: OfPlaylist, scope: Scope) -> Made:
    """The rank at which an account plays in a playlist, its drivers, and the expected change.

    The rank and the expected change over `horizon_days` have 80% intervals; `change_note` gives the basis of the
    change. With too few matches `state` is refused, and `reason` says how many there are and how many are needed.
    `model` is the model of the prediction, with its errors in cross-validation.
    """
    chosen = await choose(conn, asked.playlist, scope, [])
    if not chosen.played:
        return {"data": {"of": chosen.described, "prediction": None, "model": None}}
    rows = await of_playlist(conn, t.RankPredictions, chosen.bound)
    line = model = None
    for row in rows:
        nearest = row["predicted_tier"] and min(max(round(row["predicted_tier"]), 1), 22)
        line = PREDICTION.line(row, known_rank=tier_words(row["known_tier"]), predicted_rank=tier_words(nearest))
        if row["model_version"] is not None and await are_published(conn, t.RankModels):
            versions = await rows_of(conn, _MODEL, {**chosen.bound, "version": row["model_version"]})
            model = MODEL.line(versions[0]) if versions else None
    return {"data": {"of": chosen.described, "prediction": line, "model": model}}


_MODEL = MODEL.select() + sql.SQL("""
    WHERE playlist = %(playlist)s AND is_simulated = %(is_simulated)s AND version = %(version)s
""")


# --------------------------------------------------------------------------- comparison

COMPARISON_TABLES = (*CONTEXT_TABLES, t.PlayerStats, t.RankCohorts, t.PlayerComparison)


NEAREST = Lines(
    "Nearest",
    t.PlayerComparison,
    {
        **{name: name for name in ("of_next_rank", "place", "other_rank_tier")},
        "other_rank": Annotated[str | None, Field(description="Rank of the other player, in words.")],
        **{name: name for name in ("other_matches", "distance", "differences")},
    },
    digits={"distance": _SCORE_DIGITS},
)
Comparison = own_answer("Comparison", of=Of, stats=list[Compared], nearest=list[NEAREST.model], past=list[Since])


@router.asks("/comparison", "Similar players and your past", Comparison, COMPARISON_TABLES, "player")
async def comparison(conn: Connection, asked: OfPlaylist, scope: Scope) -> Made:
    """An account compared with players of its rank, with the most similar players, and with its own past.

    `stats` has its means and the cohort's quantiles; `nearest` the most similar players of the same and the next rank,
    anonymously; `past` the 30 days up to its last match compared with all before.
    """
    chosen = await choose(conn, asked.playlist, scope, [t.PlayerStats])
    stats: list[dict[str, Any]] = []
    nearest: list[dict[str, Any]] = []
    past: list[dict[str, Any]] = []
    if chosen.played:
        stats, past = await compared(conn, chosen)
        known = await of_playlist(conn, t.PlayerComparison, chosen.bound)
        nearest = [NEAREST.line(row, other_rank=tier_words(row["other_rank_tier"])) for row in known]
    return {"data": {"of": chosen.described, "stats": stats, "nearest": nearest, "past": past}}
