"""How good one's skills are, at which rank one plays and where that is heading, and how one compares."""

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
from gamestats_assets.rocket_league.serving.progress import Compared, Since, compared, router
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.serving.answers.lines import Lines, are_published, rows_of
from gamestats_assets.serving.answers.routes import Made
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.people.own import Scope

_RANK = Annotated[str | None, Field(description="Rank that it is measured against, in words.", examples=["Champion I"])]
_SCORE_DIGITS, _PERCENT_DIGITS, _TIER_DIGITS = 3, 1, 2


# --------------------------------------------------------------------------- weaknesses

WEAKNESS_TABLES = (*CONTEXT_TABLES, t.Weaknesses, t.RankCohorts)


class Distribution(BaseModel):
    """The cohort of a skill, in units of the score: standard deviations between its players, from their mean."""

    from_tier: Annotated[int, Field(description="Lowest rank taken in.")]
    to_tier: Annotated[int, Field(description="Highest rank taken in.")]
    players: Annotated[int, Field(description="Players in it.")]
    matches: Annotated[int, Field(description="Their matches.")]
    p05: Annotated[float, Field(description="5th percentile of its players, by their means over single matches.")]
    p25: Annotated[float, Field(description="25th percentile.")]
    p50: Annotated[float, Field(description="Median.")]
    p75: Annotated[float, Field(description="75th percentile.")]
    p95: Annotated[float, Field(description="95th percentile.")]
    own: Annotated[float, Field(description="The player: the score.")]
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
        "distribution": Annotated[Distribution | None, Field(description="Where that is among the cohort.")],
    },
    digits={
        "score": _SCORE_DIGITS,
        **dict.fromkeys(("percentile", "percentile_low", "percentile_high"), _PERCENT_DIGITS),
        "confidence": _SCORE_DIGITS,
        "improvement_potential": _TIER_DIGITS,
    },
)
WeaknessList = own_answer("WeaknessList", of=Of, skills=list[WEAKNESS.model])


@router.asks("/weaknesses", "Skills against players of the rank", WeaknessList, WEAKNESS_TABLES, "player")
async def weaknesses(conn: Connection, asked: OfPlaylist, scope: Scope) -> Made:
    """The five skills of an account in a playlist against players of its rank, each measured or refused with a reason.

    A skill that is a weakness is below the mean of the cohort beyond chance. `improvement_potential` is how many ranks
    the middle of the cohort in this skill would be worth, by the model of ranks.
    """
    chosen = await choose(conn, asked.playlist, scope, [t.Weaknesses])
    found = await of_playlist(conn, t.Weaknesses, chosen.bound) if chosen.played else []
    # What skills are measured against is the rank that they were measured with.
    tier = next((row["rank_tier"] for row in found if row["rank_tier"] is not None), None)
    cohort = await cohort_of(conn, {**chosen.bound, "rank_tier": tier})
    lines = [
        WEAKNESS.line(
            row,
            rank=tier_words(row["rank_tier"]),
            distribution=_distribution(row, cohort.get(f"{SKILL}{row['skill']}", {})),
        )
        for row in sorted(found, key=lambda row: SKILLS.index(row["skill"]))
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
    """The score of which a percentile is told; at the very ends, where none is, one that is as far as any."""
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
        "known_rank": Annotated[str | None, Field(description="The rank that is known, in words.")],
        **{name: name for name in _PREDICTED},
        "predicted_rank": Annotated[str | None, Field(description="The nearest rank to the predicted one, in words.")],
        **{name: name for name in ("drivers", "horizon_days", *_CHANGE, "change_note")},
    },
    digits=dict.fromkeys((*_PREDICTED, *_CHANGE), _TIER_DIGITS),
)
OnePrediction = own_answer(
    "OnePrediction",
    of=Of,
    prediction=Annotated[PREDICTION.model | None, Field(description="Null where nothing is played.")],
    model=Annotated[MODEL.model | None, Field(description="The model that was asked; null where none serves.")],
)


@router.asks("/rank-prediction", "Rank played at, and where it is heading", OnePrediction, PREDICTION_TABLES, "player")
async def rank_prediction(conn: Connection, asked: OfPlaylist, scope: Scope) -> Made:
    """At which rank an account plays in a playlist, what drives that, and the change that is expected.

    The rank has an 80% interval, and so has the expected change over `horizon_days`; `change_note` says what that
    rests on. Where matches are too few, `state` is refused, and `reason` says how many there are and how many it takes.
    `model` is the model that was asked, with how far off it was in cross-validation.
    """
    chosen = await choose(conn, asked.playlist, scope, [])
    if not chosen.played:
        return {"data": {"of": chosen.described, "prediction": None, "model": None}}
    found = await of_playlist(conn, t.RankPredictions, chosen.bound)
    line = model = None
    for row in found:
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
        "other_rank": Annotated[str | None, Field(description="Rank of the other, in words.")],
        **{name: name for name in ("other_matches", "distance", "differences")},
    },
    digits={"distance": _SCORE_DIGITS},
)
Comparison = own_answer("Comparison", of=Of, stats=list[Compared], nearest=list[NEAREST.model], past=list[Since])


@router.asks("/comparison", "Beside similar players and one's own past", Comparison, COMPARISON_TABLES, "player")
async def comparison(conn: Connection, asked: OfPlaylist, scope: Scope) -> Made:
    """An account beside players of its rank, beside those who play most like it, and beside its own past.

    `stats` are its means and where the cohort's players are; `nearest` those of the same and of the next rank who play
    most like it, who are not named; `past` the 30 days up to its last match against all before.
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
