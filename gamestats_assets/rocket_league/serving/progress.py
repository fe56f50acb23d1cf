"""How statistics of an account move: week by week, their trend, and the last 30 days against all before.

Matches of one player scatter around his level with the cohort's `within_spread` s, which thousands of matches tell; so
the mean of n matches has the standard error s / sqrt(n), a difference of two means s * sqrt(1/n + 1/m), and the slope
of a straight line through them s / sqrt(sum of squared distances of their times from the mean time). Where no cohort
knows the statistic s is the player's own, from `TREND_MATCHES` on. Ends of intervals stay within what is possible. A
match that is one of a good or a bad day is taken to be as independent as any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import NormalDist
from typing import Annotated, Any

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from gamestats_assets.rocket_league.serving.context import (
    CONTEXT_TABLES,
    STATS,
    Chosen,
    Of,
    OfPlaylist,
    choose,
    told_of,
)
from gamestats_assets.rocket_league.skills import SKILL, SKILL_FEATURES
from gamestats_assets.rocket_league.tables import PlayerStats, RankCohorts
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.lines import answer_with, are_published, rows_of
from gamestats_assets.serving.own import Metadata, Scope
from gamestats_assets.serving.problems import ProblemError
from gamestats_assets.serving.routes import Day, Made, Name

PROGRESS_TABLES = (*CONTEXT_TABLES, PlayerStats, RankCohorts)
TREND_MATCHES = 10
"""Matches below which no trend is told."""
TREND_DAYS = 30
"""Days that a trend is told for, and that `since` sets against those before."""
SINCE_MATCHES = 5
"""Matches on either side below which the last days are not set against those before."""
LEVEL = 0.9
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
_DIGITS = 5


class Week(BaseModel):
    """The matches of a week."""

    week: Annotated[date, Field(description="Its Monday, UTC.")]
    matches: Annotated[int, Field(description="Matches in which it is known.")]
    mean: Annotated[float, Field(description="Mean over these.")]
    low: Annotated[float | None, Field(description="Lower end of its 90% interval; null where nothing tells chance.")]
    high: Annotated[float | None, Field(description="Upper end of it.")]
    percentile: Annotated[
        float | None, Field(description="Share of the cohort's matches below, in per cent, on average over these.")
    ]


class Trend(BaseModel):
    """Where a statistic is heading: a straight line through single matches."""

    state: Annotated[str, Field(description="measured, or refused with a reason.")]
    reason: Annotated[str | None, Field(description="Why it is refused.")]
    days: Annotated[int, Field(description="Days that the change is for.")]
    change: Annotated[float | None, Field(description="Change in so many days.")]
    low: Annotated[float | None, Field(description="Lower end of its 90% interval.")]
    high: Annotated[float | None, Field(description="Upper end of it.")]
    is_beyond_chance: Annotated[bool | None, Field(description="Whether the interval leaves out 0.")]


class Course(BaseModel):
    """A statistic over time."""

    stat_type: Annotated[str, Field(description="Feature, or skill_ and the name of a skill.")]
    description: Annotated[str, Field(description="What it is.")]
    unit: Annotated[str, Field(description="Of its values; a share is from 0 to 1.")]
    more_is_better: Annotated[bool | None, Field(description="Null where neither more nor less is.")]
    cohort_mean: Annotated[float | None, Field(description="Mean of players of the rank; null without a cohort.")]
    matches: Annotated[int, Field(description="Matches in which it is known.")]
    mean: Annotated[float, Field(description="Mean over these.")]
    percentile: Annotated[
        float | None, Field(description="Share of the cohort's matches below, in per cent, on average over these.")
    ]
    trend: Trend
    weeks: list[Week]


class Since(BaseModel):
    """A statistic in the 30 days up to the last match, and before."""

    stat_type: Annotated[str, Field(description="Feature, or skill_ and the name of a skill.")]
    description: Annotated[str, Field(description="What it is.")]
    unit: Annotated[str, Field(description="Of its values; a share is from 0 to 1.")]
    more_is_better: Annotated[bool | None, Field(description="Null where neither more nor less is.")]
    state: Annotated[str, Field(description="measured, or refused with a reason.")]
    reason: Annotated[str | None, Field(description="Why it is refused.")]
    matches_before: Annotated[int, Field(description="Matches before these days in which it is known.")]
    matches_since: Annotated[int, Field(description="Matches of these days in which it is known.")]
    before: Annotated[float | None, Field(description="Mean over the matches before.")]
    since: Annotated[float | None, Field(description="Mean over those of these days.")]
    change: Annotated[float | None, Field(description="Difference.")]
    low: Annotated[float | None, Field(description="Lower end of its 90% interval.")]
    high: Annotated[float | None, Field(description="Upper end of it.")]
    is_beyond_chance: Annotated[bool | None, Field(description="Whether the interval leaves out 0.")]


class OfCourse(OfPlaylist):
    """Statistics of an account in a playlist over time."""

    model_config = ConfigDict(serialize_by_alias=True)

    stat: Annotated[Name | None, Field(description="One statistic, such as save_share or skill_saves.")] = None
    skill: Annotated[Name | None, Field(description="A skill with its features; without both: the five skills.")] = None
    from_day: Annotated[Day | None, Field(alias="from", description="First day (UTC); all without it.")] = None
    to_day: Annotated[Day | None, Field(alias="to", description="Last day (UTC).")] = None

    @model_validator(mode="after")
    def _is_one(self) -> OfCourse:
        if self.stat is not None and self.skill is not None:
            raise ValueError("give one of stat and skill, not both")
        if self.from_day and self.to_day and self.from_day > self.to_day:
            raise ValueError("from should not be after to")
        return self

    def names(self) -> list[str]:
        """The statistics that are asked for.

        Raises:
            ProblemError: 404 for one that there is not.
        """
        if self.skill is not None:
            if self.skill not in SKILL_FEATURES:
                raise _unknown("skill", self.skill, SKILLS)
            return [f"{SKILL}{self.skill}", *(name for name, _ in SKILL_FEATURES[self.skill])]
        if self.stat is not None and self.stat not in STATS:
            raise _unknown("stat", self.stat, STATS)
        return [self.stat] if self.stat else [f"{SKILL}{skill}" for skill in SKILLS]


def _unknown(name: str, wanted: str, known: Sequence[str] | Mapping[str, Any]) -> ProblemError:
    detail = f"There is no {name} {wanted[:80]!r}; there are {', '.join(known)}."
    return ProblemError(404, detail, errors=[{"name": name, "message": detail}])


_ProgressData: type[BaseModel] = create_model("ProgressData", of=Of, stats=list[Course])
Progress = answer_with("Progress", _ProgressData, Metadata)


async def progress(conn: Connection, asked: OfCourse, scope: Scope) -> Made:
    """Statistics of an account in a playlist week by week, each mean with its interval, and their trend.

    Without `stat` and `skill` these are the five skills in single matches, measured by the cohort of the rank that the
    account has now. A trend needs ten matches.
    """
    names = asked.names()
    chosen = await choose(conn, asked.playlist, scope)
    found: list[dict[str, Any]] = []
    if chosen.played and await are_published(conn, *PROGRESS_TABLES):
        bound = {**chosen.bound, "stats": names, "from": asked.from_day, "to": asked.to_day}
        weeks: dict[str, list[dict[str, Any]]] = {}
        for row in await rows_of(conn, _WEEKS, bound):
            weeks.setdefault(row["stat_type"], []).append(row)
        whole = {row["stat_type"]: row for row in await rows_of(conn, _WHOLE, bound)}
        found = [_course(whole[name], weeks[name]) for name in names if name in whole]
    return {"data": {"of": chosen.told, "stats": found}}


_OWN = sql.SQL("""
    FROM rocket_league.player_stats
    WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(is_simulated)s
""")
_ASKED = _OWN + sql.SQL("""
    AND stat_type = ANY (%(stats)s) AND (%(from)s::date IS NULL OR time >= %(from)s)
    AND (%(to)s::date IS NULL OR time < %(to)s::date + 1)
""")
_COHORT = sql.SQL("""
    LEFT JOIN rocket_league.rank_cohorts c
        ON c.is_simulated = %(is_simulated)s AND c.playlist = %(playlist)s AND c.rank_tier = %(rank_tier)s
        AND c.feature = own.stat_type
""")
_WEEKS = sql.SQL("""
    SELECT stat_type, date_trunc('week', time)::date AS week, count(*)::int AS matches, avg(value) AS mean,
        avg(rank_percentile) AS percentile
    {} GROUP BY 1, 2 ORDER BY 1, 2
""").format(_ASKED)
_WHOLE = sql.SQL("""
    SELECT own.*, c.within_spread, c.mean AS cohort_mean FROM (
        SELECT stat_type, count(*)::int AS matches, avg(value) AS mean, avg(rank_percentile) AS percentile,
            stddev_samp(value) AS spread, regr_slope(value, extract(epoch FROM time) / 86400) AS per_day,
            regr_sxx(value, extract(epoch FROM time) / 86400) AS squares
        {} GROUP BY 1
    ) AS own {}
""").format(_ASKED, _COHORT)
_SINCE = sql.SQL("""
    SELECT own.*, c.within_spread FROM (
        SELECT stat_type, stddev_samp(value) AS spread, count(*)::int AS matches,
            (count(*) FILTER (WHERE time > %(after)s))::int AS matches_since,
            avg(value) FILTER (WHERE time > %(after)s) AS since,
            avg(value) FILTER (WHERE time <= %(after)s) AS before
        {} GROUP BY 1
    ) AS own {}
""").format(_OWN, _COHORT)


def _course(row: Mapping[str, Any], weeks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    scatter = _scatter(row)
    return {
        **told_of(row["stat_type"]),
        "cohort_mean": _rounded(row["cohort_mean"]),
        "matches": row["matches"],
        "mean": _rounded(row["mean"]),
        "percentile": _rounded(row["percentile"], 1),
        "trend": _trend(row, scatter),
        "weeks": [_week(week, scatter) for week in weeks],
    }


def _scatter(row: Mapping[str, Any]) -> float | None:
    """Standard deviation between single matches: the cohort's, or where none is known the player's own."""
    if row["within_spread"]:
        return row["within_spread"]
    return row["spread"] if row["matches"] >= TREND_MATCHES and row["spread"] else None


def _week(row: Mapping[str, Any], scatter: float | None) -> dict[str, Any]:
    stat, low, high = STATS[row["stat_type"]], None, None
    if scatter is not None:
        reach = _Z * scatter / row["matches"] ** 0.5
        low, high = row["mean"] - reach, row["mean"] + reach
        low = low if stat.least is None else max(low, stat.least)
        high = high if stat.most is None else min(high, stat.most)
    told = {"week": row["week"], "matches": row["matches"], "mean": _rounded(row["mean"])}
    return {**told, "low": _rounded(low), "high": _rounded(high), "percentile": _rounded(row["percentile"], 1)}


_NO_CHANGE = {"change": None, "low": None, "high": None, "is_beyond_chance": None}


def _trend(row: Mapping[str, Any], scatter: float | None) -> dict[str, Any]:
    reason = None
    if row["matches"] < TREND_MATCHES:
        reason = f"Not enough matches yet: {row['matches']} of {TREND_MATCHES} in which it is known."
    elif not row["squares"] or scatter is None:
        reason = "All matches are of the same moment or alike, so that nothing tells a trend."
    if reason is not None or scatter is None:
        return {"state": "refused", "reason": reason, "days": TREND_DAYS, **_NO_CHANGE}
    change = TREND_DAYS * row["per_day"]
    told = _change(change, _Z * scatter * TREND_DAYS / row["squares"] ** 0.5)
    return {"state": "measured", "reason": None, "days": TREND_DAYS, **told}


def _change(change: float, reach: float) -> dict[str, Any]:
    """A change with the ends of its interval."""
    ends = {"low": _rounded(change - reach), "high": _rounded(change + reach)}
    return {"change": _rounded(change), **ends, "is_beyond_chance": abs(change) > reach}


async def since(conn: Connection, chosen: Chosen) -> list[dict[str, Any]]:
    """Statistics in the 30 days up to the last match against those before, in the order of `STATS`."""
    if chosen.played is None:
        return []
    bound = {**chosen.bound, "after": chosen.played["last_at"] - timedelta(days=TREND_DAYS)}
    found = {row["stat_type"]: row for row in await rows_of(conn, _SINCE, bound)}
    return [_since(found[name]) for name in STATS if name in found]


def _since(row: Mapping[str, Any]) -> dict[str, Any]:
    before, now, scatter = row["matches"] - row["matches_since"], row["matches_since"], _scatter(row)
    reason, told = None, _NO_CHANGE
    if min(before, now) < SINCE_MATCHES:
        reason = (
            f"Not enough matches yet: {now} of the last {TREND_DAYS} days and {before} before; {SINCE_MATCHES} of each "
            "are needed."
        )
    elif scatter is None:
        reason = "All matches are alike, so that nothing tells chance."
    else:
        told = _change(row["since"] - row["before"], _Z * scatter * (1 / before + 1 / now) ** 0.5)
    return {
        **told_of(row["stat_type"]),
        "state": "measured" if reason is None else "refused",
        "reason": reason,
        "matches_before": before,
        "matches_since": now,
        "before": _rounded(row["before"]),
        "since": _rounded(row["since"]),
        **told,
    }


def _rounded(value: float | None, digits: int = _DIGITS) -> float | None:
    return None if value is None else round(value, digits)
