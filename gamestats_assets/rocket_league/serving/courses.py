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
from typing import Any, NamedTuple

from gamestats_assets.rocket_league.analysis.skills import SKILL
from gamestats_assets.rocket_league.analysis.wording import counted, day_words
from gamestats_assets.rocket_league.serving.progress import LEVEL, Z, interval, sums_by_time
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.serving.answers.lines import rows_of
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.pages.charts import Point

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
            return f"{self.text_of(first)}{when} {day_words(first.start)}, the only {self.every}."
        return (
            f"{self.text_of(first)}{when} {day_words(first.start)}, {self.text_of(last)}{when} {day_words(last.start)}."
        )

    def text_of(self, span: Span) -> str:
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
                f"{day_words(span.start)}: {self.text_of(span)}, {counted(span.matches, 'match', 'matches')}",
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
    """How a player's skills and rank went in a playlist.

    Args:
        of: `player`, `playlist` and `is_simulated`.
        cohort: that the player is measured against, by feature and skill.
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
    made = [_course(skill, every, sums, within.get(SKILL + skill)) for skill in SKILLS]
    last_ranks = {row["start"]: row["rank_tier"] for row in ranks if row["rank_tier"] is not None}
    return Courses(every, [row["start"] for row in ranks], [each for each in made if each is not None], last_ranks)


def _course(
    skill: str, every: str, sums: Mapping[str, Sequence[Mapping[str, Any]]], within: float | None
) -> Course | None:
    """A skill, or its main feature where nothing measures it; None for what is known in no match."""
    if rows := sums.get(SKILL + skill):
        reach = None if within is None else Z * within
        return Course(skill, skill.capitalize(), None, every, [_span(row, reach) for row in rows])
    main = MAIN[skill]
    rows = sums.get(main.feature)
    if not rows:
        return None
    reach = _own_reach(rows)
    # Shares are told in per cent, all else per minute.
    spans = [_span(row, reach, 100.0 if main.is_share else 1.0) for row in rows]
    return Course(skill, f"{main.title} ({skill})", main, every, spans)


def _own_reach(rows: Sequence[Mapping[str, Any]]) -> float | None:
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
    return float(stdtrit(count - 1, (1 + LEVEL) / 2)) * math.sqrt(variance)


def _span(row: Mapping[str, Any], reach: float | None, scale: float = 1.0) -> Span:
    mean = row["total"] / row["matches"]
    low, high = (
        None if end is None else scale * end for end in interval(row["stat_type"], mean, reach, row["matches"])
    )
    return Span(row["start"], scale * mean, low, high, row["matches"])
