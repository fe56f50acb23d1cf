"""The context of a request (season, division, group, round, match), found by name in one snapshot."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, LiteralString

from psycopg import sql
from pydantic import BaseModel, Field, model_validator

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.matches.tables import Matches
from gamestats_assets.pubg.tournament.tables import Divisions, Groups, Rounds, Seasons, TournamentMatches
from gamestats_assets.serving.answers.lines import are_published, rows_of
from gamestats_assets.serving.answers.routes import Name, Number, Page, Parameters
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.problems import ProblemError

CONTEXT_TABLES = (Seasons, Divisions, Groups, Rounds, TournamentMatches)
"""Tables from which a context is read."""


class OfSeason(Parameters):
    """A season, by its short name or its number."""

    season: Annotated[Name | None, Field(description="Short name of the season.", examples=["fall"])] = None
    season_id: Annotated[
        Number | None, Field(description="Number of the season; either `season` or `season_id` is required.")
    ] = None

    @model_validator(mode="after")
    def _is_one(self) -> OfSeason:
        if (self.season is None) == (self.season_id is None):
            raise ValueError("give either season or season_id")
        return self


class OfDivision(OfSeason):
    """A division of a season, and optionally a group or a round of it."""

    division: Annotated[Name, Field(description="Name of the division.", examples=["Division 1"])]
    group: Annotated[Name | None, Field(description="Name of a group.")] = None
    round: Annotated[Number | None, Field(ge=1, description="Number of a round; all rounds without it.")] = None


class OfAnyDivision(OfDivision):
    """A season, and optionally a division with a group or a round of it."""

    division: Annotated[Name | None, Field(description="Name of a division; all without it.")] = None  # pyright: ignore[reportIncompatibleVariableOverride]

    @model_validator(mode="after")
    def _has_its_division(self) -> OfAnyDivision:
        for name in ("group", "round"):
            if getattr(self, name) is not None and self.division is None:
                raise ValueError(f"{name} belongs to a division; give division, too")
        return self


class OfDivisionOrMatch(OfDivision):
    """A division of a season, and optionally a group, a round or one match of it."""

    match: Annotated[Number | None, Field(ge=1, description="Number of a match of the round; with `round`.")] = None
    match_id: Annotated[Name | None, Field(description="Id of a match of the round; with `round`.")] = None

    @model_validator(mode="after")
    def _has_its_round(self) -> OfDivisionOrMatch:
        for name in ("match", "match_id"):
            if getattr(self, name) is not None and self.round is None:
                raise ValueError(f"{name} belongs to a round; give round, too")
        if self.match is not None and self.match_id is not None:
            raise ValueError("give either match or match_id")
        return self


class Metadata(BaseModel):
    """The applied context."""

    season_id: Annotated[int, Field(description="Number of the season.")]
    season: Annotated[str, Field(description="Its short name.")]
    season_name: Annotated[str, Field(description="Its display name.")]
    division: Annotated[str | None, Field(description="Name of the division; null for all.")]
    group: Annotated[str | None, Field(description="Name of the group; null for all.")]
    round: Annotated[int | None, Field(description="Number of the round; null for all.")]
    round_name: Annotated[str | None, Field(description="Its display name.")]
    round_status: Annotated[str | None, Field(description="scheduled, active, completed or cancelled.")]
    match: Annotated[int | None, Field(description="Number of the match within its round; null for all.")]
    match_id: Annotated[str | None, Field(description="The match; null for all.")]
    filtered_by: Annotated[
        Literal["season", "division", "group", "round", "match"], Field(description="The narrowest context applied.")
    ]
    timestamp: Annotated[datetime, Field(description="Time of publication, UTC.")]
    data_as_of: Annotated[datetime | None, Field(description="End of the newest match that counts.")]
    page: Annotated[int | None, Field(description="Page number; null without pages.")]
    page_size: Annotated[int | None, Field(description="Rows per page.")]


@dataclass(frozen=True, slots=True)
class Context:
    """The context found: the season and, if requested, its division, group by name, round and match."""

    season: dict[str, Any]
    division: dict[str, Any] | None = None
    group: str | None = None
    round: dict[str, Any] | None = None
    match: dict[str, Any] | None = None

    @property
    def bound(self) -> dict[str, Any]:
        """Query parameters; values that were not requested are null."""
        return {
            "season": self.season["season"],
            "season_id": self.season["season_id"],
            "division": self.division and self.division["division_id"],
            "group": self.group,
            "round": self.round and self.round["round_id"],
            "match": self.match and self.match["match_id"],
            "scope": "overall" if self.round is None else str(self.round["round_id"]),
        }

    @property
    def narrowest(self) -> str:
        """The narrowest requested level."""
        return next(name for name in ("match", "round", "group", "division", "season") if getattr(self, name))


async def find(conn: Connection, asked: OfDivision | OfAnyDivision | OfDivisionOrMatch) -> Context:
    """Returns the context that a request names.

    Raises:
        ProblemError: 404 if a name does not exist, with the nearest one; 422 if several groups have the round and no
            group is given.
    """
    season = await find_season(conn, asked)
    if asked.division is None:
        return Context(season)
    found = await rows_of(conn, "SELECT * FROM pubg.divisions WHERE season_id = %s", [season["season_id"]])
    division = _named(found, "division", asked.division, "division")
    group = None
    if asked.group is not None:
        groups = await rows_of(conn, "SELECT * FROM pubg.groups WHERE division_id = %s", [division["division_id"]])
        group = _named(groups, "group_name", asked.group, "group")
    played = await _round(conn, division, group, asked.round) if asked.round is not None else None
    match = await _match(conn, played, asked) if played and isinstance(asked, OfDivisionOrMatch) else None
    return Context(season, division, group["group_name"] if group else None, played, match)


async def find_season(conn: Connection, asked: OfSeason) -> dict[str, Any]:
    """Returns the season that a request names.

    Raises:
        ProblemError: 404 if there is none.
    """
    seasons = await rows_of(conn, "SELECT * FROM pubg.seasons ORDER BY season_id", [])
    if asked.season is not None:
        return _named(seasons, "season", asked.season, "season")
    by_number = [row for row in seasons if row["season_id"] == asked.season_id]
    if not by_number:
        raise _missing("season_id", f"There is no season numbered {asked.season_id}.")
    return by_number[0]


async def _round(
    conn: Connection, division: dict[str, Any], group: dict[str, Any] | None, number: int
) -> dict[str, Any]:
    query = """
        SELECT r.*, g.group_name FROM pubg.rounds r LEFT JOIN pubg.groups g USING (group_id)
        WHERE r.division_id = %s ORDER BY r.round_number, r.group_id NULLS FIRST
    """
    rounds = await rows_of(conn, query, [division["division_id"]])
    numbered = [row for row in rounds if row["round_number"] == number]
    # A group's own round takes precedence over one of the whole division.
    fitting = [row for row in numbered if row["group_id"] in (None, group and group["group_id"])]
    if fitting:
        return fitting[-1]
    if numbered and group is None:
        groups = ", ".join(row["group_name"] for row in numbered)
        detail = f"Round {number} of {division['division']} exists in each group; add group: {groups}."
        raise ProblemError(422, detail, errors=[{"name": "group", "message": detail}])
    existing = ", ".join(dict.fromkeys(str(row["round_number"]) for row in rounds)) or "none"
    raise _missing("round", f"There is no round {number} in {division['division']}; there is {existing}.")


async def _match(conn: Connection, played: dict[str, Any], asked: OfDivisionOrMatch) -> dict[str, Any] | None:
    if asked.match is None and asked.match_id is None:
        return None
    query = """
        SELECT match_id, match_date, match_number, ended_at FROM pubg.tournament_matches
        WHERE round_id = %s AND counts ORDER BY match_number, started_at
    """
    matches = await rows_of(conn, query, [played["round_id"]])
    name, wanted = ("match", asked.match) if asked.match_id is None else ("match_id", asked.match_id.lower())
    column = {"match": "match_number", "match_id": "match_id"}[name]
    for row in matches:
        if row[column] == wanted:
            return row
    existing = ", ".join(str(row[column]) for row in matches if row[column] is not None) or "none yet"
    raise _missing(name, f"No match {wanted!r:.80} counts in {played['round_name']}; there is {existing}.")


def _named(found: Sequence[dict[str, Any]], column: str, wanted: str, what: str) -> dict[str, Any]:
    for row in found:
        if row[column].casefold() == wanted.strip().casefold():
            return row
    names = {row[column].casefold(): row[column] for row in found}
    near = difflib.get_close_matches(wanted.casefold(), names, n=1)
    advice = f"did you mean {names[near[0]]}?" if near else f"there is {', '.join(names.values()) or 'none yet'}."
    raise _missing(what, f"There is no {what} {wanted[:80]!r}; {advice}")


def _missing(name: str, detail: str) -> ProblemError:
    return ProblemError(404, detail, errors=[{"name": name, "message": detail}])


SIMULATED: LiteralString = "season_state = 'simulated'"
"""Condition of rows in `pubg.matches` that a simulator created."""


async def are_synthetic(conn: Connection, *, seasons: Iterable[str] = (), match_id: str | None = None) -> bool:
    """Whether a match of some seasons, or a match, was simulated."""
    if not await are_published(conn, Matches):
        return False
    query = sql.SQL("""
        SELECT EXISTS (SELECT FROM pubg.matches WHERE (season = ANY(%s) OR match_id = %s) AND {}) AS found
    """).format(sql.SQL(SIMULATED))
    return (await rows_of(conn, query, [[*seasons], match_id]))[0]["found"]


async def metadata(
    conn: Connection, context: Context, asked: Parameters, tables: Sequence[type[Table]]
) -> dict[str, Any]:
    """Returns the metadata of an answer: its context and its tables."""
    [row] = await rows_of(
        conn,
        """
        SELECT (SELECT max(published_at) FROM pubg.published_versions WHERE table_name = ANY(%(tables)s)) AS published,
               (SELECT max(ended_at) FROM pubg.tournament_matches WHERE season = %(season)s AND counts
                AND (%(division)s::bigint IS NULL OR division_id = %(division)s)
                AND (%(group)s::text IS NULL OR group_name IS NULL OR group_name = %(group)s)
                AND (%(round)s::bigint IS NULL OR round_id = %(round)s)
                AND (%(match)s::text IS NULL OR match_id = %(match)s)) AS newest
        """,
        {**context.bound, "tables": [table.spec.name for table in tables]},
    )
    of_round, of_match = context.round or {}, context.match or {}
    return {
        "season_id": context.season["season_id"],
        "season": context.season["season"],
        "season_name": context.season["name"],
        "division": context.division and context.division["division"],
        "group": context.group,
        "round": of_round.get("round_number"),
        "round_name": of_round.get("round_name"),
        "round_status": of_round.get("status"),
        "match": of_match.get("match_number"),
        "match_id": of_match.get("match_id"),
        "filtered_by": context.narrowest,
        "timestamp": row["published"],
        "data_as_of": row["newest"],
        "page": asked.page if isinstance(asked, Page) else None,
        "page_size": asked.page_size if isinstance(asked, Page) else None,
    }
