"""A player's skills and rank over time: by week, or by day if the matches span few weeks.

A skill is the mean of `player_stats` over the matches of a week, with its 90% interval from the spread between matches
of one player of the cohort. A skill without measurements is replaced by its main feature, with an interval by Student's
distribution from the player's own matches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from gamestats_assets.rocket_league.analysis.skills import SKILL
from gamestats_assets.rocket_league.analysis.wording import counted, day_words
from gamestats_assets.rocket_league.serving.players.progress import LEVEL, Z, interval, sums_by_time
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.serving.answers.lines import rows_of
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.pages.charts import Point

_BY_DAY = 21
"""Largest number of days between the first and the last match that is shown day by day."""


class Main(NamedTuple):
    """A feature that represents a skill: its name, its title, whether it is shown in per cent, and per cent of what."""

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
"""Feature shown over time for a skill without measurements."""


class Span(NamedTuple):
    """A mean over the matches of a week or day, with its interval; `start` is its first day, UTC."""

    start: date
    value: float
    low: float | None
    high: float | None
    matches: int


@dataclass(frozen=True, slots=True)
class Course:
    """A skill over time, or its main feature; `main` is that feature."""

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
        """Returns the first and the last value in words."""
        first, last = self.spans[0], self.spans[-1]
        of = f" {self.main.of}" if self.main else ""
        when = f"{of} in the week of" if self.every == "week" else f"{of} on"
        if first is last:
            return f"{self.text_of(first)}{when} {day_words(first.start)}, the only {self.every}."
        return (
            f"{self.text_of(first)}{when} {day_words(first.start)}, {self.text_of(last)}{when} {day_words(last.start)}."
        )

    def text_of(self, span: Span) -> str:
        """Returns a mean and its interval, in words."""
        form, sign = ("+z.2f", "") if self.main is None else ("z.1f", "%") if self.main.is_share else ("z.2f", "")
        ends = "" if span.low is None or span.high is None else f" ({span.low:{form}} to {span.high:{form}}{sign})"
        return f"{span.value:{form}}{sign}{ends}".replace("-", "−")

    @property
    def points(self) -> list[Point]:
        """Returns the points of the chart."""
        return [
            Point(
                span.start, span.value, span.low, span.high,
                f"{day_words(span.start)}: {self.text_of(span)}, {counted(span.matches, 'match', 'matches')}",
            )
            for span in self.spans
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Courses:
    """Skills and ranks over time in a playlist.

    Attributes:
        every: week or day.
        starts: first days of all weeks or days with matches.
        skills: charts that have data, in the order of skills.
        ranks: last known rank in each week or day.
    """

    every: str
    starts: Sequence[date]
    skills: Sequence[Course]
    ranks: Mapping[date, int]

    @property
    def lines(self) -> list[tuple[date, list[tuple[Course, Span | None]], int | None]]:
        """Returns the values of each skill, and the rank, by week or day."""
        known = [(course, {span.start: span for span in course.spans}) for course in self.skills]
        return [
            (start, [(course, spans.get(start)) for course, spans in known], self.ranks.get(start))
            for start in self.starts
        ]


_STARTS = """
    SELECT min(created_at)::date AS first_day, max(created_at)::date AS last_day
    FROM rocket_league.matches
    WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(is_simulated)s
"""
_RANKS = """
    SELECT date_trunc(%(every)s, started_at)::date AS start,
        (array_agg(rank_tier ORDER BY started_at DESC, match_id DESC)
            FILTER (WHERE rank_tier BETWEEN 1 AND 22))[1] AS rank_tier
    FROM rocket_league.player_match_features
    WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(is_simulated)s
    GROUP BY start ORDER BY start
"""


async def courses(conn: Connection, of: Mapping[str, Any], cohort: Mapping[str, Mapping[str, Any]]) -> Courses:
    """Returns a player's skills and rank over time in a playlist.

    Args:
        of: `player`, `playlist` and `is_simulated`.
        cohort: the player's cohort, by feature and skill.
    """
    [whole] = await rows_of(conn, _STARTS, of)
    if whole["first_day"] is None:
        return Courses("week", [], [], {})
    every = "week" if (whole["last_day"] - whole["first_day"]).days > _BY_DAY else "day"
    names = [*(SKILL + skill for skill in SKILLS), *(main.feature for main in MAIN.values())]
    bound = {**of, "every": every, "stats": names, "from": None, "to": None}
    ranks = await rows_of(conn, _RANKS, bound)
    sums = await sums_by_time(conn, bound)
    within = {name: row["within_spread"] for name, row in cohort.items()}
    charts = [_course(skill, every, sums, within.get(SKILL + skill)) for skill in SKILLS]
    last_ranks = {row["start"]: row["rank_tier"] for row in ranks if row["rank_tier"] is not None}
    return Courses(every, [row["start"] for row in ranks], [each for each in charts if each is not None], last_ranks)


def _course(
    skill: str, every: str, sums: Mapping[str, Sequence[Mapping[str, Any]]], within: float | None
) -> Course | None:
    """Returns a skill, or its main feature if it has no measurements; None without known values."""
    if rows := sums.get(SKILL + skill):
        reach = None if within is None else Z * within
        return Course(skill, skill.capitalize(), None, every, [_span(row, reach) for row in rows])
    main = MAIN[skill]
    rows = sums.get(main.feature)
    if not rows:
        return None
    reach = _own_reach(rows)
    # Shares are shown in per cent, others per minute.
    spans = [_span(row, reach, 100.0 if main.is_share else 1.0) for row in rows]
    return Course(skill, f"{main.title} ({skill})", main, every, spans)


def _own_reach(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Returns half the interval of a single match, from the player's own matches; None if they are all alike."""
    from scipy.special import stdtrit

    count = sum(row["matches"] for row in rows)
    if count < 2:
        return None
    total = math.fsum(row["total"] for row in rows)
    variance = (math.fsum(row["squares"] for row in rows) - total * total / count) / (count - 1)
    # Rounding leaves a tiny variance when all matches are alike.
    if variance <= 1e-12 * (total / count) ** 2:
        return None
    return float(stdtrit(count - 1, (1 + LEVEL) / 2)) * math.sqrt(variance)


def _span(row: Mapping[str, Any], reach: float | None, scale: float = 1.0) -> Span:
    mean = row["total"] / row["matches"]
    low, high = (
        None if end is None else scale * end for end in interval(row["stat_type"], mean, reach, row["matches"])
    )
    return Span(row["start"], scale * mean, low, high, row["matches"])
