"""What a request asks of a tournament: season, division, group, round; found by name, in one snapshot."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, LiteralString

from psycopg import sql
from pydantic import BaseModel, Field, model_validator

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.tables.ops import Divisions, Groups, Rounds, Seasons
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.problems import ProblemError
from gamestats_assets.serving.routes import Page, Parameters

CONTEXT_TABLES = (Seasons, Divisions, Groups, Rounds)
"""Tables that a context is found in."""


class OfSeason(Parameters):
    """A season, by its short name or its number."""

    season: Annotated[str | None, Field(description="Short name of the season.", examples=["fall-2026"])] = None
    season_id: Annotated[int | None, Field(description="Number of the season.", examples=[1])] = None

    @model_validator(mode="after")
    def _is_one(self) -> OfSeason:
        if (self.season is None) == (self.season_id is None):
            raise ValueError("give the season by season or by season_id, one of both")
        return self


class OfDivision(OfSeason):
    """A division of a season, and of it a group or a round."""

    division: Annotated[str, Field(description="Name of the division.", examples=["Division 1"])]
    group: Annotated[str | None, Field(description="Name of a group.", examples=["A"])] = None
    round: Annotated[int | None, Field(ge=1, description="Number of a round; all rounds without it.")] = None


class Metadata(BaseModel):
    """Which context was applied."""

    season_id: Annotated[int, Field(examples=[1])]
    season: Annotated[str, Field(description="Short name.", examples=["fall-2026"])]
    season_name: Annotated[str, Field(examples=["Fall 2026"])]
    division: Annotated[str, Field(examples=["Division 1"])]
    group: Annotated[str | None, Field(examples=[None])]
    round: Annotated[int | None, Field(examples=[1])]
    round_name: Annotated[str | None, Field(examples=["Round 1"])]
    round_status: Annotated[str | None, Field(examples=["active"])]
    filtered_by: Annotated[Literal["division", "group", "round"], Field(description="The narrowest context applied.")]
    timestamp: Annotated[datetime, Field(description="When the data were published, UTC.")]
    data_as_of: Annotated[datetime | None, Field(description="End of the newest match that counts.")]
    page: int
    page_size: int


@dataclass(frozen=True, slots=True)
class Context:
    """What was found: rows of the season, the division and the round, and the group's name as it is written."""

    season: dict[str, Any]
    division: dict[str, Any]
    group: str | None
    round: dict[str, Any] | None

    @property
    def bound(self) -> dict[str, Any]:
        """What queries are bound to; of a group or round that was not asked for, null."""
        return {
            "season": self.season["season"],
            "division": self.division["division_id"],
            "group": self.group,
            "round": self.round and self.round["round_id"],
        }

    @property
    def scope(self) -> str:
        """Of standings: all rounds, or one."""
        return "overall" if self.round is None else str(self.round["round_id"])


async def find(conn: Connection, asked: OfDivision) -> Context:
    """The context that a request names.

    Raises:
        ProblemError: 404 when there is none of that name; the answer says which is nearest.
    """
    season = await find_season(conn, asked)
    found = await rows_of(conn, "SELECT * FROM pubg.divisions WHERE season_id = %s", [season["season_id"]])
    division = _named(found, "division", asked.division, "division")
    group = None
    if asked.group is not None:
        groups = await rows_of(conn, "SELECT * FROM pubg.groups WHERE division_id = %s", [division["division_id"]])
        group = _named(groups, "group_name", asked.group, "group")
    played = None
    if asked.round is not None:
        of_division = "SELECT * FROM pubg.rounds WHERE division_id = %s ORDER BY group_id NULLS FIRST"
        rounds = await rows_of(conn, of_division, [division["division_id"]])
        of_group = [row for row in rounds if row["group_id"] in (None, group["group_id"] if group else None)]
        # A group's own round goes before one of the whole division.
        numbered = [row for row in of_group if row["round_number"] == asked.round]
        if not numbered:
            there = ", ".join(str(row["round_number"]) for row in of_group) or "none"
            detail = f"There is no round {asked.round} in {division['division']}; there is {there}."
            raise ProblemError(404, detail, errors=[{"name": "round", "message": detail}])
        played = numbered[-1]
    return Context(season, division, group["group_name"] if group else None, played)


async def find_season(conn: Connection, asked: OfSeason) -> dict[str, Any]:
    """The season that a request names.

    Raises:
        ProblemError: 404 when there is none.
    """
    seasons = await rows_of(conn, "SELECT * FROM pubg.seasons ORDER BY season_id", [])
    if asked.season is not None:
        return _named(seasons, "season", asked.season, "season")
    by_number = [row for row in seasons if row["season_id"] == asked.season_id]
    if not by_number:
        detail = f"There is no season numbered {asked.season_id}."
        raise ProblemError(404, detail, errors=[{"name": "season_id", "message": detail}])
    return by_number[0]


def _named(found: Sequence[dict[str, Any]], column: str, wanted: str, what: str) -> dict[str, Any]:
    for row in found:
        if row[column].casefold() == wanted.strip().casefold():
            return row
    names = {row[column].casefold(): row[column] for row in found}
    near = difflib.get_close_matches(wanted.casefold(), names, n=1)
    there = f"did you mean {names[near[0]]}?" if near else f"there is {', '.join(names.values()) or 'none yet'}."
    detail = f"There is no {what} {wanted[:80]!r}; {there}"
    raise ProblemError(404, detail, errors=[{"name": what, "message": detail}])


async def rows_of(
    conn: Connection, query: LiteralString | sql.SQL | sql.Composed, values: Sequence[Any] | Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The rows that a query finds."""
    return await (await conn.execute(query, values)).fetchall()


async def metadata(conn: Connection, context: Context, page: Page, tables: Sequence[type[Table]]) -> dict[str, Any]:
    """What every answer says of its context, and of the tables that it is made of."""
    row = await rows_of(
        conn,
        """
        SELECT (SELECT max(published_at) FROM pubg.published_versions WHERE table_name = ANY(%(tables)s)) AS published,
               (SELECT max(ended_at) FROM pubg.tournament_matches WHERE division_id = %(division)s AND counts
                AND (%(round)s::bigint IS NULL OR round_id = %(round)s)) AS newest
        """,
        {**context.bound, "tables": [table.spec.name for table in tables]},
    )
    narrowest = "round" if context.round else "group" if context.group else "division"
    return {
        "season_id": context.season["season_id"],
        "season": context.season["season"],
        "season_name": context.season["name"],
        "division": context.division["division"],
        "group": context.group,
        "round": context.round and context.round["round_number"],
        "round_name": context.round and context.round["round_name"],
        "round_status": context.round and context.round["status"],
        "filtered_by": narrowest,
        "timestamp": row[0]["published"],
        "data_as_of": row[0]["newest"],
        "page": page.page,
        "page_size": page.page_size,
    }
