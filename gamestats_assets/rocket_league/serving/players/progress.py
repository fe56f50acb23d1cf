"""Statistics of an account over time: by week, their trend, and the last 30 days compared with all before.

Matches of one player scatter around the player's level with the cohort's `within_spread` s, known from thousands of
matches. So the mean of n matches has the standard error s / sqrt(n), a difference of two means s * sqrt(1/n + 1/m), and
the slope of a straight line s / sqrt(sum of squared distances of their times from the mean time). Without a cohort s is
the player's own, from `TREND_MATCHES` on. Intervals stay within possible values. Matches of a good or a bad day are
assumed to be as independent as any others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import NormalDist
from typing import Annotated, Any

from psycopg import sql
from pydantic import BaseModel, Field, model_validator

from gamestats_assets.rocket_league.analysis.skills import SKILL, SKILL_FEATURES
from gamestats_assets.rocket_league.serving.context import (
    CONTEXT_TABLES,
    IN_PLAYLIST,
    STATS,
    Chosen,
    Of,
    OfDays,
    OfStatistic,
    choose,
    cohort_of,
    describe_stat,
    own_answer,
    rounded,
)
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.rocket_league.tables import PlayerStats, RankCohorts
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.serving.answers.lines import rows_of
from gamestats_assets.serving.answers.routes import Made, Name
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.people.own import OwnRouter, Scope

router = OwnRouter(GAME, "/analytics")
PROGRESS_TABLES = (*CONTEXT_TABLES, PlayerStats, RankCohorts)
TREND_MATCHES = 10
"""Matches needed for a trend."""
TREND_DAYS = 30
"""Days covered by a trend, and by the last period in comparisons with the past."""
SINCE_MATCHES = 5
"""Matches needed in both periods to compare the last days with those before."""
LEVEL = 0.9
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
_NOTHING = 1e-9


class Week(BaseModel):
    """The matches of a week."""

    week: Annotated[date, Field(description="Monday of the week, UTC.")]
    matches: Annotated[int, Field(description="Matches with a known value.")]
    mean: Annotated[float, Field(description="Mean over these.")]
    low: Annotated[float | None, Field(description="Lower end of its 90% interval; null without a measure of chance.")]
    high: Annotated[float | None, Field(description="Upper end of it.")]
    percentile: Annotated[
        float | None, Field(description="Average share of the cohort's matches below these, in per cent.")
    ]


class Trend(BaseModel):
    """Trend of a statistic: a straight line through single matches."""

    state: Annotated[str, Field(description="measured, or refused with a reason.")]
    reason: Annotated[str | None, Field(description="Reason of a refusal.")]
    days: Annotated[int, Field(description="Days that the change covers.")]
    change: Annotated[float | None, Field(description="Change in this number of days.")]
    low: Annotated[float | None, Field(description="Lower end of its 90% interval.")]
    high: Annotated[float | None, Field(description="Upper end of it.")]
    is_beyond_chance: Annotated[bool | None, Field(description="Whether the interval excludes 0.")]


class Course(OfStatistic):
    """A statistic over time."""

    cohort_mean: Annotated[float | None, Field(description="Mean of players of the rank; null without a cohort.")]
    matches: Annotated[int, Field(description="Matches with a known value.")]
    mean: Annotated[float, Field(description="Mean over these.")]
    percentile: Annotated[
        float | None, Field(description="Average share of the cohort's matches below these, in per cent.")
    ]
    trend: Trend
    weeks: list[Week]


class Since(OfStatistic):
    """A statistic in the 30 days up to the last match, and before."""

    state: Annotated[str, Field(description="measured, or refused with a reason.")]
    reason: Annotated[str | None, Field(description="Reason of a refusal.")]
    matches_before: Annotated[int, Field(description="Matches before this period with a known value.")]
    matches_since: Annotated[int, Field(description="Matches in this period with a known value.")]
    before: Annotated[float | None, Field(description="Mean over the matches before.")]
    since: Annotated[float | None, Field(description="Mean over the matches in this period.")]
    change: Annotated[float | None, Field(description="Difference.")]
    low: Annotated[float | None, Field(description="Lower end of its 90% interval.")]
    high: Annotated[float | None, Field(description="Upper end of it.")]
    is_beyond_chance: Annotated[bool | None, Field(description="Whether the interval excludes 0.")]


class Compared(OfStatistic):
    """A statistic of the account and of players of its rank."""

    own: Annotated[float, Field(description="Mean over own matches.")]
    matches: Annotated[int, Field(description="Own matches with a known value.")]
    percentile: Annotated[
        float | None,
        Field(description="Average share of the cohort's single matches below the own ones, in per cent."),
    ]
    median: Annotated[float | None, Field(description="Median of the cohort's players; null without a cohort.")]
    p25: Annotated[float | None, Field(description="25th percentile of the cohort's players.")]
    p75: Annotated[float | None, Field(description="75th percentile of the cohort's players.")]
    players: Annotated[int | None, Field(description="Number of players in the cohort.")]


class OfCourse(OfDays):
    """Statistics of an account in a playlist over time."""

    stat: Annotated[Name | None, Field(description="One statistic, such as save_share or skill_saves.")] = None
    skill: Annotated[Name | None, Field(description="A skill with its features; by default the five skills.")] = None

    @model_validator(mode="after")
    def _is_one(self) -> OfCourse:
        if self.stat is not None and self.skill is not None:
            raise ValueError("give one of stat and skill, not both")
        return self

    def names(self) -> list[str]:
        """Returns the names of the requested statistics.

        Raises:
            ProblemError: 404 for unknown ones.
        """
        if self.skill is not None:
            if self.skill not in SKILL_FEATURES:
                raise _unknown("skill", self.skill, SKILLS)
            return [f"{SKILL}{self.skill}", *(name for name, _ in SKILL_FEATURES[self.skill])]
        if self.stat is not None and self.stat not in STATS:
            raise _unknown("stat", self.stat, STATS)
        return [self.stat] if self.stat else [f"{SKILL}{skill}" for skill in SKILLS]


def _unknown(name: str, wanted: str, known: Sequence[str] | Mapping[str, Any]) -> ProblemError:
    detail = f"There is no {name} {wanted[:80]!r}; choose from {', '.join(known)}."
    return ProblemError(404, detail, errors=[{"name": name, "message": detail}])


Progress = own_answer("Progress", of=Of, stats=list[Course])


@router.asks("/progress", "Statistics over time", Progress, PROGRESS_TABLES, "player")
async def progress(conn: Connection, asked: OfCourse, scope: Scope) -> Made:
    """Statistics of an account in a playlist by week, each mean with its interval, and their trend.

    By default these are the five skills in single matches, measured by the cohort of the account's current rank. A
    trend needs ten matches.
    """
    names = asked.names()
    chosen = await choose(conn, asked.playlist, scope, [PlayerStats])
    stats: list[dict[str, Any]] = []
    if chosen.played:
        bound = {**chosen.bound, "every": "week", "stats": names, "from": asked.from_day, "to": asked.to_day}
        weeks = await sums_by_time(conn, bound)
        cohort = await cohort_of(conn, chosen.bound)
        stats = [_course(name, weeks[name], cohort.get(name, {})) for name in names if name in weeks]
    return {"data": {"of": chosen.described, "stats": stats}}


async def sums_by_time(conn: Connection, bound: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Returns sums over the matches of each week or day, by statistic and in order.

    Args:
        bound: see `Chosen.bound`; `every` week or day, the names of `stats`, and the days `from` and `to`, or None.
    """
    by_stat: dict[str, list[dict[str, Any]]] = {}
    # Sorted here, because PostgreSQL would sort all matches by statistic for it.
    for row in sorted(await rows_of(conn, _BY_TIME, bound), key=lambda row: row["start"]):
        by_stat.setdefault(row["stat_type"], []).append(row)
    return by_stat


# Days since a recent day, so that no digits are lost in their squares.
_BY_TIME = sql.SQL("""
    SELECT named.stat_type, spans.*
    FROM unnest(%(stats)s::text[]) AS named (stat_type)
    -- One statistic after another, so that the statistic's index is used.
    CROSS JOIN LATERAL (
        SELECT date_trunc(%(every)s, time)::date AS start, count(*)::int AS matches, sum(value) AS total,
            sum(value * value) AS squares, sum(day) AS days, sum(day * day) AS day_squares,
            sum(day * value) AS products, sum(rank_percentile) AS percentiles, count(rank_percentile)::int AS ranked
        FROM (
            SELECT *, extract(epoch FROM time)::double precision / 86400 - 20000 AS day
            FROM rocket_league.player_stats
            WHERE {} AND stat_type = named.stat_type AND (%(from)s::date IS NULL OR time >= %(from)s)
                AND (%(to)s::date IS NULL OR time < %(to)s::date + 1)
        ) AS own GROUP BY 1
    ) AS spans
""").format(sql.SQL(IN_PLAYLIST))
_SUMS = ("matches", "total", "squares", "days", "day_squares", "products", "percentiles", "ranked")
_SINCE = sql.SQL("""
    SELECT stat_type, count(*)::int AS matches, avg(value) AS mean, avg(rank_percentile) AS percentile,
        stddev_samp(value) AS spread, (count(*) FILTER (WHERE time > %(after)s))::int AS matches_since,
        avg(value) FILTER (WHERE time > %(after)s) AS since, avg(value) FILTER (WHERE time <= %(after)s) AS before
    FROM rocket_league.player_stats WHERE {} GROUP BY 1
""").format(sql.SQL(IN_PLAYLIST))


def _course(name: str, weeks: Sequence[Mapping[str, Any]], cohort: Mapping[str, Any]) -> dict[str, Any]:
    whole = {column: math.fsum(week[column] or 0 for week in weeks) for column in _SUMS}
    matches = int(whole["matches"])
    mean, middle = whole["total"] / matches, whole["days"] / matches
    own = (max(whole["squares"] - matches * mean**2, 0) / (matches - 1)) ** 0.5 if matches > 1 else None
    scatter = _scatter(cohort.get("within_spread"), own, matches)
    far = whole["day_squares"] - matches * middle**2
    per_day = (whole["products"] - matches * middle * mean) / far if far > _NOTHING else 0.0
    return {
        **describe_stat(name),
        "cohort_mean": rounded(cohort.get("mean")),
        "matches": matches,
        "mean": rounded(mean),
        "percentile": _percentile(whole),
        "trend": _trend(matches, per_day, far, scatter),
        "weeks": [_week(week, scatter) for week in weeks],
    }


def _percentile(sums: Mapping[str, Any]) -> float | None:
    return rounded(sums["percentiles"] / sums["ranked"], 1) if sums["ranked"] else None


def _scatter(within: float | None, own: float | None, matches: int) -> float | None:
    """Returns the standard deviation between single matches: the cohort's, or without a cohort the account's own."""
    if within:
        return within
    # Rounding leaves a tiny spread when all matches are alike.
    return own if own and own > _NOTHING and matches >= TREND_MATCHES else None


def interval(name: str, mean: float, reach: float | None, matches: int) -> tuple[float | None, float | None]:
    """Returns the interval of a mean over matches, within possible values; None without a measure of chance.

    Args:
        reach: half the interval of a single match.
    """
    if reach is None:
        return None, None
    stat, half = STATS[name], reach / math.sqrt(matches)
    low = mean - half if stat.least is None else max(mean - half, stat.least)
    high = mean + half if stat.most is None else min(mean + half, stat.most)
    return low, high


def _week(row: Mapping[str, Any], scatter: float | None) -> dict[str, Any]:
    mean = row["total"] / row["matches"]
    low, high = interval(row["stat_type"], mean, None if scatter is None else Z * scatter, row["matches"])
    fields = {"week": row["start"], "matches": row["matches"], "mean": rounded(mean)}
    return {**fields, "low": rounded(low), "high": rounded(high), "percentile": _percentile(row)}


_NO_CHANGE = {"change": None, "low": None, "high": None, "is_beyond_chance": None}


def _trend(matches: int, per_day: float, far: float, scatter: float | None) -> dict[str, Any]:
    """Returns the trend from the slope of the line and the squared distances of the matches' days from their mean."""
    reason = None
    if matches < TREND_MATCHES:
        reason = f"Not enough matches yet: {matches} of {TREND_MATCHES} with figures."
    elif scatter is None or far <= _NOTHING:
        reason = "All matches are from the same moment or alike, so there is no trend."
    if reason is not None or scatter is None:
        return {"state": "refused", "reason": reason, "days": TREND_DAYS, **_NO_CHANGE}
    change = _change(TREND_DAYS * per_day, Z * scatter * TREND_DAYS / far**0.5)
    return {"state": "measured", "reason": None, "days": TREND_DAYS, **change}


def _change(change: float, reach: float) -> dict[str, Any]:
    """Returns a change with the ends of its interval."""
    ends = {"low": rounded(change - reach), "high": rounded(change + reach)}
    return {"change": rounded(change), **ends, "is_beyond_chance": abs(change) > reach}


async def compared(conn: Connection, chosen: Chosen) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns every statistic compared with players of the rank (`Compared`), and with the player's past (`Since`)."""
    if chosen.played is None:
        return [], []
    bound = {**chosen.bound, "after": chosen.played["last_at"] - timedelta(days=TREND_DAYS)}
    own = {row["stat_type"]: row for row in await rows_of(conn, _SINCE, bound)}
    cohort = await cohort_of(conn, chosen.bound)
    pairs = [(own[name], cohort.get(name, {})) for name in STATS if name in own]
    return [_compared(*pair) for pair in pairs], [_since(*pair) for pair in pairs]


def _compared(row: Mapping[str, Any], cohort: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **describe_stat(row["stat_type"]),
        "own": rounded(row["mean"]),
        "matches": row["matches"],
        "percentile": rounded(row["percentile"], 1),
        "median": rounded(cohort.get("p50")),
        **{name: rounded(cohort.get(name)) for name in ("p25", "p75")},
        "players": cohort.get("players"),
    }


def _since(row: Mapping[str, Any], cohort: Mapping[str, Any]) -> dict[str, Any]:
    before, now = row["matches"] - row["matches_since"], row["matches_since"]
    scatter = _scatter(cohort.get("within_spread"), row["spread"], row["matches"])
    reason, change = None, _NO_CHANGE
    if min(before, now) < SINCE_MATCHES:
        reason = (
            f"Not enough matches yet: {now} of the last {TREND_DAYS} days and {before} before; {SINCE_MATCHES} of each "
            "are needed."
        )
    elif scatter is None:
        reason = "All matches are alike, so there is no measure of chance."
    else:
        change = _change(row["since"] - row["before"], Z * scatter * (1 / before + 1 / now) ** 0.5)
    return {
        **describe_stat(row["stat_type"]),
        "state": "measured" if reason is None else "refused",
        "reason": reason,
        "matches_before": before,
        "matches_since": now,
        "before": rounded(row["before"]),
        "since": rounded(row["since"]),
        **change,
    }
