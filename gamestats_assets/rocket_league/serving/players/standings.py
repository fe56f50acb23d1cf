"""A player's standing in each playlist, from the published tables: rank, skills, training, similar players, and the
basis of the results. Pages and the report use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist
from typing import Any, NamedTuple

from markupsafe import Markup

from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.skills import SKILL
from gamestats_assets.rocket_league.analysis.wording import day_words
from gamestats_assets.rocket_league.reference.ranks import HIGHEST_TIER, LOWEST_TIER, rank_name
from gamestats_assets.rocket_league.serving.context import cohort_of, of_playlist
from gamestats_assets.rocket_league.serving.players.courses import Course, Courses, courses
from gamestats_assets.rocket_league.serving.words import session_words, short_rank
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.serving.answers.lines import are_published, rows_of
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.pages.charts import Point, course, strip

OWN_TABLES = (
    t.Matches,
    t.PlayerComparison,
    t.PlayerMatchFeatures,
    t.PlayerStats,
    t.RankPredictions,
    t.TrainingProgress,
    t.TrainingRecommendations,
    t.Weaknesses,
)
"""Published tables that a standing needs."""
TABLES = (*OWN_TABLES, t.RankCohorts, t.RankModels)
"""All published tables behind a standing."""
_NORMAL = NormalDist()
_QUANTILES = [_NORMAL.inv_cdf(share) for share in (0.05, 0.25, 0.5, 0.75, 0.95)]
_FARTHEST = 2.6
"""Standard deviations at which drawings end."""


class Thirds(NamedTuple):
    """Shares of the time in the thirds of the field, seen from the own goal, and the number of matches."""

    own: float
    middle: float
    opponents: float
    matches: int


@dataclass(frozen=True, slots=True)
class Standing:
    """All results in a playlist; tables without a row give None or nothing.

    Attributes:
        name: id of its part of a page.
        replays: number of matches whose replay was read.
        nearest: most similar players, of the same rank (False) and of the next one (True).
        cohorts: cohorts of the skills.
        model: model of ranks behind the prediction.
        sessions: sessions of the player, whatever the playlist.
    """

    name: str
    playlist: str
    is_simulated: bool
    matches: int
    replays: int
    days: int
    first_day: date
    last_day: date
    prediction: Row | None
    skills: Sequence[Row]
    training: Sequence[Row]
    nearest: Mapping[bool, Sequence[Row]]
    cohorts: Sequence[Row]
    model: Row | None
    courses: Courses
    thirds: Thirds | None
    sessions: Sequence[Row]

    @property
    def weak(self) -> list[Row]:
        """Returns the weaknesses, worst first."""
        return sorted((row for row in self.skills if row["is_weakness"]), key=lambda row: row["percentile"])

    @property
    def refused(self) -> dict[str, list[str]]:
        """Returns the refused skills, by reason."""
        by_reason: dict[str, list[str]] = {}
        for row in self.skills:
            if row["state"] == "refused":
                by_reason.setdefault(row["reason"], []).append(row["skill"])
        return by_reason

    @property
    def measured(self) -> list[Row]:
        """Returns the measured skills."""
        return [row for row in self.skills if row["state"] == "measured"]

    def chart(self, of: Course, label: str) -> Markup:
        """Returns the chart of a skill, with marks for the sessions that trained it."""
        marks = [(row["completed_at"].date(), session_words(row)) for row in self.sessions if row["skill"] == of.skill]
        return course(of.points, marks, label=label, day=day_words, middle=0.0 if of.is_skill else None)

    def ranks_chart(self, label: str) -> Markup:
        """Returns the chart of the rank."""
        return ranks_chart(self.courses.ranks, label)


def ranks_chart(ranks: Mapping[date, int], label: str) -> Markup:
    """Returns the chart of known ranks over days."""
    points = [Point(start, tier, None, None, f"{day_words(start)}: {rank_name(tier)}") for start, tier in ranks.items()]
    tiers = range(max(min(ranks.values()) - 1, LOWEST_TIER), min(max(ranks.values()) + 1, HIGHEST_TIER) + 1)
    return course(points, label=label, day=day_words, ticks={float(tier): short_rank(tier) for tier in tiers})


def skill_strip(row: Row, label: str) -> Markup:
    """Returns a skill drawn in the distribution of the cohort, in standard deviations between players."""
    low, high = (
        _NORMAL.inv_cdf(min(max(row[name] / 100, 1e-9), 1 - 1e-9)) for name in ("percentile_low", "percentile_high")
    )
    return strip(_QUANTILES, row["score"], low, high, label=label, ends=(-_FARTHEST, _FARTHEST))


# --------------------------------------------------------------------------- from the tables

_BASIS = """
    SELECT * FROM (
        SELECT count(*) AS matches, count(DISTINCT day) AS days, min(day) AS first_day, max(day) AS last_day
        FROM (
            SELECT (created_at AT TIME ZONE 'UTC')::date AS day FROM rocket_league.matches
            WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(is_simulated)s
        ) AS kept
    ) AS of_matches CROSS JOIN (
        SELECT count(*) FILTER (WHERE stats_source = 'replay') AS replays,
            sum(played_s * defensive_third_share) AS own_s, sum(played_s * neutral_third_share) AS middle_s,
            sum(played_s * offensive_third_share) AS opponents_s, count(defensive_third_share) AS known
        FROM rocket_league.player_match_features
        WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(is_simulated)s
    ) AS of_features
"""
_MODEL = """
    SELECT * FROM rocket_league.rank_models
    WHERE playlist = %(playlist)s AND is_simulated = %(is_simulated)s AND (version = %(version)s OR state = 'served')
    ORDER BY (version = %(version)s) DESC NULLS LAST, version DESC LIMIT 1
"""
_SESSIONS = """
    SELECT * FROM ops.training_sessions WHERE player_id = %s ORDER BY completed_at, training_session_id
"""
_PACK_NAMES = "SELECT code, name FROM rocket_league.training_packs WHERE code = ANY (%s)"
_RECOMMENDATIONS = """
    SELECT * FROM rocket_league.training_recommendations WHERE player_id = %s ORDER BY is_simulated, rank
"""


async def sessions(conn: Connection, player: str) -> list[Row]:
    """Returns the training sessions of a player, oldest first."""
    return await with_packs(conn, await rows_of(conn, _SESSIONS, [player]))


async def with_packs(conn: Connection, trained: Sequence[Row]) -> list[Row]:
    """Returns sessions with the names of their packs, as `pack_name`; None for packs outside the catalogue."""
    names: dict[str, str] = {}
    if trained and await are_published(conn, t.TrainingPacks):
        named = await rows_of(conn, _PACK_NAMES, [[row["code"] for row in trained]])
        names = {row["code"]: row["name"] for row in named}
    return [{**row, "pack_name": names.get(row["code"] or "")} for row in trained]


async def recommendations(conn: Connection, player: str) -> list[Row]:
    """Returns training packs for a player, the most useful first."""
    return [*await rows_of(conn, _RECOMMENDATIONS, [player])]


async def helped(conn: Connection, player: str, of: Row) -> list[Row]:
    """Returns the training of each skill, and the skill in matches of a playlist before and since.

    Args:
        of: a row of `playlists_of`.
    """
    asked = {"player": player, "playlist": of["playlist"], "is_simulated": of["is_simulated"]}
    return await of_playlist(conn, t.TrainingProgress, asked)


async def standing(conn: Connection, player: str, of: Row, trained: Sequence[Row], name: str = "p1") -> Standing:
    """Returns a player's standing in a playlist.

    Args:
        of: a row of `playlists_of`.
        trained: rows of `sessions`.
    """
    asked: dict[str, Any] = {"player": player, "playlist": of["playlist"], "is_simulated": of["is_simulated"]}
    prediction = next(iter(await of_playlist(conn, t.RankPredictions, asked)), None)
    skills = await of_playlist(conn, t.Weaknesses, asked)
    tier = next((row["rank_tier"] for row in skills if row["rank_tier"] is not None), None)
    cohort = await cohort_of(conn, {**asked, "rank_tier": tier})
    model = []
    if await are_published(conn, t.RankModels):
        model = await rows_of(conn, _MODEL, {**asked, "version": prediction and prediction["model_version"]})
    nearest = await of_playlist(conn, t.PlayerComparison, asked)
    order = {skill: place for place, skill in enumerate(SKILLS)}
    [basis] = await rows_of(conn, _BASIS, asked)
    whole = sum(basis[part] or 0 for part in ("own_s", "middle_s", "opponents_s"))
    return Standing(
        name=name,
        playlist=of["playlist"],
        is_simulated=of["is_simulated"],
        **{key: basis[key] for key in ("matches", "replays", "days", "first_day", "last_day")},
        prediction=prediction,
        skills=sorted(skills, key=lambda row: order[row["skill"]]),
        training=await helped(conn, player, of),
        nearest={is_next: [row for row in nearest if row["of_next_rank"] == is_next] for is_next in (False, True)},
        cohorts=[
            {**cohort[SKILL + row["skill"]], "skill": row["skill"]}
            for row in sorted(skills, key=lambda row: order[row["skill"]])
            if row["state"] == "measured" and SKILL + row["skill"] in cohort
        ],
        model=next(iter(model), None),
        courses=await courses(conn, asked, cohort),
        thirds=Thirds(basis["own_s"] / whole, basis["middle_s"] / whole, basis["opponents_s"] / whole, basis["known"])
        if whole
        else None,
        sessions=trained,
    )


_FEATURES = """
    SELECT stat_type AS feature, avg(value) AS value, count(*) AS matches
    FROM rocket_league.player_stats
    WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(is_simulated)s
        AND stat_type = ANY (%(names)s)
    GROUP BY 1
"""
_NOBODY = dict.fromkeys(("p05", "p25", "p50", "p75", "p95"))


async def features(conn: Connection, asked: Mapping[str, Any], names: Sequence[str], tier: int | None) -> list[Row]:
    """Returns the means of features over a player's matches, with their distribution among players of a rank.

    Args:
        asked: `player`, `playlist` and `is_simulated`.
    """
    cohort = await cohort_of(conn, {**asked, "rank_tier": tier})
    rows = await rows_of(conn, _FEATURES, {**asked, "names": [*names]})
    with_cohort = [{**_NOBODY, **cohort.get(row["feature"], {}), **row} for row in rows]
    return sorted(with_cohort, key=lambda row: names.index(row["feature"]))
