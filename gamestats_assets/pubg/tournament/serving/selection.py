"""What a page of a tournament is about: season, division, group, round, match; those not asked for are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlencode

from pydantic import Field

from gamestats_assets.pubg.tournament.serving import plans
from gamestats_assets.pubg.tournament.serving.context import OfSeason, find, find_season
from gamestats_assets.serving.answers.routes import Nothing, Parameters
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.problems import ProblemError

OVERALL = "overall"
LEVELS = ("season", "division", "group", "round", "match")
"""What is chosen, from the widest to the narrowest: one that changes resets those after it."""


class Chosen(Parameters):
    """What may be asked of the page of a tournament."""

    season: str | None = None
    division: str | None = None
    group: str | None = None
    round: Annotated[str | None, Field(pattern=r"^(overall|[1-9]\d{0,5})$")] = None
    match: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    tab: Literal["teams", "players", "matches"] = "teams"
    sort: str | None = None
    order: Literal["asc", "desc"] | None = None
    page: Annotated[int, Field(ge=1, le=100_000)] = 1
    view: Literal["overlay", "points"] | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is chosen, and what else may be.

    Attributes:
        season, division, round: rows, as the API lists them; no round means all of them.
        group: name of the group; None is all groups.
        match: slot of the schedule; None is all matches.
        matches: slots of the round.
    """

    seasons: list[dict[str, Any]]
    season: dict[str, Any]
    divisions: list[dict[str, Any]]
    division: dict[str, Any]
    group: str | None
    rounds: list[dict[str, Any]]
    round: dict[str, Any] | None
    matches: list[dict[str, Any]]
    match: dict[str, Any] | None

    @property
    def context(self) -> dict[str, Any]:
        """The parameters that an API's question of it has."""
        return {**self.whole, "match": self.match and self.match["match_number"]}

    @property
    def whole(self) -> dict[str, Any]:
        """Those of them that all matches of the round, or of the division, have."""
        of = {"season": self.season["season"], "division": self.division["division"], "group": self.group}
        return {**of, "round": self.round and self.round["round"]}

    @property
    def asked(self) -> dict[str, Any]:
        """The parameters that the page has, each said."""
        return {**self.context, "round": OVERALL if self.round is None else self.round["round"]}

    @property
    def was(self) -> str:
        """What is chosen, for `after_change`."""
        return urlencode({name: value for name, value in self.asked.items() if value is not None})

    @property
    def is_live(self) -> bool:
        """Whether a round of it is being played."""
        return any(row["status"] == "active" for row in ([self.round] if self.round else self.rounds))

    @property
    def running(self) -> dict[str, Any] | None:
        """The match of an active round that is played, or is next; its slot, with `of`, how many there are."""
        if self.round is None or self.round["status"] != "active":
            return None
        ahead = [slot for slot in self.matches if slot["actual_match_id"] is None and slot["status"] != "cancelled"]
        return {**ahead[0], "of": self.round["matches_scheduled"]} if ahead else None


def after_change(given: Mapping[str, str]) -> dict[str, str]:
    """What is asked once somebody has changed a choice: what stood below it is reset.

    Args:
        given: the parameters of a form; `was` says what was chosen before.
    """
    was = {name: values[0] for name, values in parse_qs(given.get("was", "")).items()}
    kept: dict[str, str] = {}
    for level in LEVELS:
        value = given.get(level, "")
        if value:
            kept[level] = value
        if value != was.get(level, ""):
            break
    others = Chosen.model_fields.keys() - {*LEVELS, "page"}
    rest = {name: value for name, value in given.items() if name in others and value}
    return {**kept, **rest}


async def select(conn: Connection, chosen: Chosen) -> Selection | None:
    """What a page is about; None where there is no season with a division.

    Without a season it is the one that is being played, else the newest; without a division the first; without a round
    the active one, else the latest that is completed, else all of them.

    Raises:
        ProblemError: 404 when there is none of a name or a number.
    """
    seasons = (await plans.seasons(conn, Nothing()))["data"]["seasons"]
    if not seasons:
        return None
    name = chosen.season or await _current(conn, seasons)
    season = await find_season(conn, OfSeason(season=name))
    divisions = (await plans.divisions(conn, OfSeason(season=name)))["data"]["divisions"]
    if not divisions:
        return None
    context = await find(
        conn, plans.Rest(season=name, division=chosen.division or divisions[0]["division"], group=chosen.group)
    )
    [own] = [row for row in divisions if context.division and row["division_id"] == context.division["division_id"]]
    of_division = plans.Rest(season=name, division=own["division"])
    every = (await plans.rounds(conn, of_division))["data"]["rounds"]
    # A group's own round goes before one of the whole division.
    rounds = {row["round"]: row for row in every if row["group"] in (None, context.group)}
    played = _round(chosen.round, rounds)
    matches: list[dict[str, Any]] = []
    if played is not None:
        of_round = of_division.model_copy(update={"round": played["round"], "group": played["group"]})
        matches = (await plans.schedule(conn, of_round))["data"]["matches"]
    match = next((slot for slot in matches if slot["match_number"] == chosen.match), None)
    if chosen.match is not None and match is None:
        there = ", ".join(str(slot["match_number"]) for slot in matches) or "none; choose a round first"
        detail = f"There is no match {chosen.match}; there is {there}."
        raise ProblemError(404, detail, errors=[{"name": "match", "message": detail}])
    line = next(row for row in seasons if row["season_id"] == season["season_id"])
    return Selection(seasons, line, divisions, own, context.group, [*rounds.values()], played, matches, match)


async def _current(conn: Connection, seasons: list[dict[str, Any]]) -> str:
    query = """
        SELECT season FROM pubg.rounds JOIN pubg.divisions USING (division_id) JOIN pubg.seasons USING (season_id)
        WHERE status = 'active' ORDER BY season_id DESC LIMIT 1
    """
    active = await (await conn.execute(query)).fetchall()
    return (active or seasons)[0]["season"]


def _round(asked: str | None, rounds: dict[int, dict[str, Any]]) -> dict[str, Any] | None:
    if asked == OVERALL:
        return None
    if asked is not None:
        if int(asked) in rounds:
            return rounds[int(asked)]
        there = ", ".join(map(str, rounds)) or "none"
        detail = f"There is no round {asked}; there is {there}."
        raise ProblemError(404, detail, errors=[{"name": "round", "message": detail}])
    of_status = {status: [row for row in rounds.values() if row["status"] == status] for status in _GOES_FIRST}
    return next((rows[-1] for rows in of_status.values() if rows), None)


_GOES_FIRST = ("active", "completed")
