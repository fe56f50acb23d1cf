"""The subject of a tournament page: season, division, group, round, match, with defaults for missing ones."""

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
"""Levels of the selection, widest first: changing one resets those after it."""


class Chosen(Parameters):
    """Parameters of a tournament page."""

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
    """The selection, and the alternatives.

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
        """Parameters of an API request for it."""
        return {**self.whole, "match": self.match and self.match["match_number"]}

    @property
    def whole(self) -> dict[str, Any]:
        """The subset of them that applies to all matches of the round or the division."""
        of = {"season": self.season["season"], "division": self.division["division"], "group": self.group}
        return {**of, "round": self.round and self.round["round"]}

    @property
    def asked(self) -> dict[str, Any]:
        """The page's parameters, all explicit."""
        return {**self.context, "round": OVERALL if self.round is None else self.round["round"]}

    @property
    def was(self) -> str:
        """The current selection, for `after_change`."""
        return urlencode({name: value for name, value in self.asked.items() if value is not None})

    @property
    def is_live(self) -> bool:
        """Whether the selection has an active round."""
        return any(row["status"] == "active" for row in ([self.round] if self.round else self.rounds))

    @property
    def running(self) -> dict[str, Any] | None:
        """The current or next match of an active round: its slot, with the number of slots in `of`."""
        if self.round is None or self.round["status"] != "active":
            return None
        ahead = [slot for slot in self.matches if slot["actual_match_id"] is None and slot["status"] != "cancelled"]
        return {**ahead[0], "of": self.round["matches_scheduled"]} if ahead else None


def after_change(given: Mapping[str, str]) -> dict[str, str]:
    """Returns the parameters after a changed choice, with the levels below it reset.

    Args:
        given: the parameters of a form; `was` is the previous selection.
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
    """Returns the subject of a page; None if no season has a division.

    The defaults are the season being played, else the newest; the first division; and the active round, else the latest
    completed one, else all of them.

    Raises:
        ProblemError: 404 if a name or a number does not exist.
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
    # A group's own round takes precedence over one of the whole division.
    rounds = {row["round"]: row for row in every if row["group"] in (None, context.group)}
    played = _round(chosen.round, rounds)
    matches: list[dict[str, Any]] = []
    if played is not None:
        of_round = of_division.model_copy(update={"round": played["round"], "group": played["group"]})
        matches = (await plans.schedule(conn, of_round))["data"]["matches"]
    match = next((slot for slot in matches if slot["match_number"] == chosen.match), None)
    if chosen.match is not None and match is None:
        existing = ", ".join(str(slot["match_number"]) for slot in matches) or "none; choose a round first"
        detail = f"There is no match {chosen.match}; there is {existing}."
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
        existing = ", ".join(map(str, rounds)) or "none"
        detail = f"There is no round {asked}; there is {existing}."
        raise ProblemError(404, detail, errors=[{"name": "round", "message": detail}])
    of_status = {status: [row for row in rounds.values() if row["status"] == status] for status in _GOES_FIRST}
    return next((rows[-1] for rows in of_status.values() if rows), None)


_GOES_FIRST = ("active", "completed")
