"""How a player's skills and rank went, by week, or by day where the matches are of few weeks.

A skill is the mean of `player_stats` over the matches of a week, with its 90% interval by how matches of one player of
the cohort differ. Where nothing measures a skill, the main feature of it is followed instead, with an interval by
Student's distribution of the player's own matches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist
from typing import Any, NamedTuple

from gamestats_assets.rocket_league.analysis.skills import SKILL
from gamestats_assets.rocket_league.analysis.wording import day_words
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.charts import Point
from gamestats_assets.serving.lines import rows_of

LEVEL = 0.9
"""Of the intervals."""
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
_BY_DAY = 21
"""Days between the first and the last match up to which what happened is told by day."""


class Main(NamedTuple):
    """A feature that stands for a skill: its name, that for people, whether it is told in per cent, and what of."""

    feature: str
    title: str
    is_share: bool
    of: str


MAIN: Mapping[str, Main] = {
    "aerials": Main("high_air_share", "Time high in the air", True, "of the time"),
    "saves": Main("save_share", "Shots against that are saved", True, "of the shots"),
    "positioning": Main("behind_ball_share", "Time goal-side of the ball", True, "of the time"),
    "rotation": Main("role_imbalance", "Distance from an even rotation", True, "of the time"),
    "shooting": Main("shots_per_minute", "Shots on goal", False, "a minute"),
}
"""What is followed over time of a skill that nothing measures."""


class Span(NamedTuple):
    """A mean over the matches of a week or day, with its interval; `start` is its first day, UTC."""

    start: date
    value: float
    low: float | None
    high: float | None
    matches: int


@dataclass(frozen=True, slots=True)
class Course:
    """A skill, or the main feature of one, over time; `main` is that feature."""

    skill: str
    title: str
    main: Main | None
    every: str
    spans: Sequence[Span]

    @property
    def is_skill(self) -> bool:
        """Whether it is the skill itself."""
        return self.main is None

    @property
    def words(self) -> str:
        """From where to where it went."""
        first, last = self.spans[0], self.spans[-1]
        of = f" {self.main.of}" if self.main else ""
        when = f"{of} in the week of" if self.every == "week" else f"{of} on"
        if first is last:
            return f"{self.told(first)}{when} {day_words(first.start)}, the only {self.every}."
        return f"{self.told(first)}{when} {day_words(first.start)}, {self.told(last)}{when} {day_words(last.start)}."

    def told(self, span: Span) -> str:
        """A mean and its interval, in words."""
        form, sign = ("+z.2f", "") if self.main is None else ("z.1f", "%") if self.main.is_share else ("z.2f", "")
        ends = "" if span.low is None or span.high is None else f" ({span.low:{form}} to {span.high:{form}}{sign})"
        return f"{span.value:{form}}{sign}{ends}".replace("-", "−")

    @property
    def points(self) -> list[Point]:
        """What a chart is drawn of."""
        return [
            Point(
                span.start, span.value, span.low, span.high,
                f"{day_words(span.start)}: {self.told(span)}, {span.matches:,} match{'es' if span.matches > 1 else ''}",
            )
            for span in self.spans
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Courses:
    """How it went in a playlist.

    Attributes:
        every: week or day.
        starts: the first day of each in which matches are known.
        skills: what can be followed, in the order of skills.
        ranks: the last rank that was told in each of them.
    """

    every: str
    starts: Sequence[date]
    skills: Sequence[Course]
    ranks: Mapping[date, int]

    @property
    def lines(self) -> list[tuple[date, list[tuple[Course, Span | None]], int | None]]:
        """Week by week, or day by day: how far each skill was, and the rank."""
        known = [(course, {span.start: span for span in course.spans}) for course in self.skills]
        return [
            (start, [(course, spans.get(start)) for course, spans in known], self.ranks.get(start))
            for start in self.starts
        ]


_STARTS = """
    SELECT min(created_at)::date AS first_day, max(created_at)::date AS last_day
    FROM rocket_league.matches WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(simulated)s
"""
_RANKS = """
    SELECT date_trunc(%(every)s, started_at)::date AS start,
        (array_agg(rank_tier ORDER BY started_at DESC, match_id DESC)
            FILTER (WHERE rank_tier BETWEEN 1 AND 22))[1] AS rank_tier
    FROM rocket_league.player_match_features
    WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(simulated)s
    GROUP BY start ORDER BY start
"""
_MEANS = """
    SELECT named.stat_type, spans.* FROM unnest(%(types)s::text[]) AS named (stat_type)
    -- One after another, as then the index of the statistic is read.
    CROSS JOIN LATERAL (
        SELECT date_trunc(%(every)s, time)::date AS start, avg(value) AS value, count(*) AS matches,
            sum(value * value) AS squares, sum(value) AS total
        FROM rocket_league.player_stats
        WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(simulated)s
            AND stat_type = named.stat_type
        GROUP BY start
    ) AS spans ORDER BY stat_type, start
"""


async def courses(conn: Connection, of: Mapping[str, Any], cohort: Mapping[str, Mapping[str, Any]]) -> Courses:
    """How a player's skills and rank went in a playlist.

    Args:
        of: `player`, `playlist` and `simulated`.
        cohort: that the player is measured against, by feature and skill.
    """
    asked = {**of}
    [whole] = await rows_of(conn, _STARTS, asked)
    if whole["first_day"] is None:
        return Courses("week", [], [], {})
    asked["every"] = "week" if (whole["last_day"] - whole["first_day"]).days > _BY_DAY else "day"
    asked["types"] = [*(SKILL + skill for skill in SKILLS), *(main.feature for main in MAIN.values())]
    ranks = await rows_of(conn, _RANKS, asked)
    means: dict[str, list[dict[str, Any]]] = {}
    for row in await rows_of(conn, _MEANS, asked):
        means.setdefault(row["stat_type"], []).append(row)
    within = {name: row["within_spread"] for name, row in cohort.items()}
    made = [_course(skill, asked["every"], means, within.get(SKILL + skill)) for skill in SKILLS]
    followed = [course for course in made if course is not None]
    told = {row["start"]: row["rank_tier"] for row in ranks if row["rank_tier"] is not None}
    return Courses(asked["every"], [row["start"] for row in ranks], followed, told)


def _course(
    skill: str, every: str, means: Mapping[str, Sequence[Mapping[str, Any]]], within: float | None
) -> Course | None:
    """A skill, or its main feature where nothing measures it; None for what is known in no match."""
    if rows := means.get(SKILL + skill):
        reach = None if within is None else _Z * within
        return Course(skill, skill.capitalize(), None, every, [_span(row, 1, reach) for row in rows])
    main = MAIN[skill]
    rows = means.get(main.feature)
    if not rows:
        return None
    # Shares are told in per cent, all else per minute.
    scale, most = (100.0, 100.0) if main.is_share else (1.0, math.inf)
    reach = _own_reach(rows, scale)
    spans = [_span(row, scale, reach, 0.0, most) for row in rows]
    return Course(skill, f"{main.title} ({skill})", main, every, spans)


def _own_reach(rows: Sequence[Mapping[str, Any]], scale: float) -> float | None:
    """Half of the interval of a single match, by how the player's own differ; None where they are all alike."""
    from scipy.special import stdtrit

    count = sum(row["matches"] for row in rows)
    if count < 2:
        return None
    total = math.fsum(row["total"] for row in rows)
    variance = (math.fsum(row["squares"] for row in rows) - total * total / count) / (count - 1)
    # What rounding leaves of matches that are all alike is no spread.
    if variance <= 1e-12 * (total / count) ** 2:
        return None
    return float(stdtrit(count - 1, (1 + LEVEL) / 2)) * math.sqrt(variance) * scale


def _span(
    row: Mapping[str, Any], scale: float, reach: float | None, least: float = -math.inf, most: float = math.inf
) -> Span:
    """Of a row of a query the mean; intervals end at what is possible."""
    value, matches = scale * row["value"], row["matches"]
    half = None if reach is None else reach / math.sqrt(matches)
    low = None if half is None else max(value - half, least)
    high = None if half is None else min(value + half, most)
    return Span(row["start"], value, low, high, matches)
