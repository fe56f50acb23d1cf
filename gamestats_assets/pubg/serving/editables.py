"""Tournament data and tracked players that can be edited over HTTP: each declared thing, and acts on several at once.

An act takes the connection of a transaction and the person; see `serving.editing.editor` for refusals.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from gamestats_assets.lakehouse.entries import local_times, ops
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.lakehouse.postgres.server import has_table
from gamestats_assets.pubg.players.entered import TRACKED_PLAYER
from gamestats_assets.pubg.players.entered.files import PLAYER_FILE
from gamestats_assets.pubg.serving.published_matches import PublishedMatches
from gamestats_assets.pubg.tournament.entered import DIVISION, GROUP, OVERRIDE, ROSTER_ENTRY, ROUND, SEASON, SLOT, TEAM
from gamestats_assets.pubg.tournament.entered.files import ROSTER_FILE, SCHEDULE_FILE
from gamestats_assets.pubg.tournament.entered.teams import zone_of_season
from gamestats_assets.pubg.tournament.serving.foreseen import Standings
from gamestats_assets.serving.editing.editor import Edit, Editable, Editor
from gamestats_assets.serving.middleware.principal import Person
from gamestats_assets.serving.middleware.problems import ProblemError

_DERIVED = """
    SELECT s.season_id, d.division_id FROM pubg.matches m JOIN ops.seasons s USING (season)
        LEFT JOIN ops.divisions d ON d.season_id = s.season_id AND d.division = m.division
    WHERE m.match_id = %s
"""


def _place_of_match(conn: psycopg.Connection, row: Row) -> Collection[tuple[int | None, int | None]]:
    """Returns the places of an override's match, by the override and before it."""
    places = {(row["season_id"], row["division_id"])} if row.get("division_id") is not None else set()
    if has_table(conn, "pubg", "matches"):
        found = ops.rows(conn, _DERIVED, [row["match_id"]])
        places |= {(each["season_id"], each["division_id"]) for each in found}
    return places or {(None, None)}


_ON_ROSTERS = """
    SELECT DISTINCT d.season_id, d.division_id
    FROM ops.roster_entries e JOIN ops.teams t USING (team_id) JOIN ops.divisions d USING (division_id)
    WHERE e.account_id = %s OR (e.account_id IS NULL AND e.player_name = %s)
"""


def _places_of_player(conn: psycopg.Connection, row: Row) -> Collection[tuple[int | None, int | None]]:
    """Returns the places with a tracked player on a roster."""
    found = ops.rows(conn, _ON_ROSTERS, [row["account_id"], row["player_name"]])
    return [(each["season_id"], each["division_id"]) for each in found] or [(None, None)]


_STANDINGS = Standings()
SEASONS = Editable(SEASON, "seasons", effects=_STANDINGS)
DIVISIONS = Editable(DIVISION, "divisions", effects=_STANDINGS)
GROUPS = Editable(GROUP, "groups", effects=_STANDINGS)
TEAMS = Editable(TEAM, "teams", effects=_STANDINGS)
ROSTERS = Editable(
    ROSTER_ENTRY,
    "rosters",
    known=PublishedMatches,
    effects=_STANDINGS,
    take=ROSTER_FILE.take,
    takes=ROSTER_FILE.asked,
)
ROUNDS = Editable(ROUND, "rounds", effects=_STANDINGS)
SLOTS = Editable(
    SLOT,
    "schedule",
    known=PublishedMatches,
    effects=_STANDINGS,
    take=SCHEDULE_FILE.take,
    takes=SCHEDULE_FILE.asked,
)
OVERRIDES = Editable(
    OVERRIDE,
    "overrides",
    known=PublishedMatches,
    belongs=_place_of_match,
    effects=_STANDINGS,
    left_out=("admin",),
)
PLAYERS = Editable(TRACKED_PLAYER, "players", known=PublishedMatches, belongs=_places_of_player, take=PLAYER_FILE.take)
ALL = (SEASONS, DIVISIONS, GROUPS, TEAMS, ROSTERS, ROUNDS, SLOTS, OVERRIDES, PLAYERS)

_DECISIONS = ("is_tournament_match", "validation_status", "notes")
_PLACE = ("season", "division", "round", "match", "group")


def place_of(conn: psycopg.Connection, round_id: int | None, scheduled_match_id: int | None) -> dict[str, Any]:
    """Returns the names of a round or a slot, by its id; empty without an id.

    Raises:
        ProblemError: 422 if the id does not exist.
    """
    if round_id is None and scheduled_match_id is None:
        return dict.fromkeys(_PLACE)
    thing, number = (ROUND, round_id) if scheduled_match_id is None else (SLOT, scheduled_match_id)
    found = thing.rows(conn, **{thing.key: number})
    if not found:
        name = "round_id" if thing is ROUND else "scheduled_match_id"
        message = f"There is no {thing.kind} numbered {number}."
        raise ProblemError(422, message, errors=[{"name": name, "message": message}])
    row = found[0]
    return {
        "season": row["season"],
        "division": row["division"],
        "round": row["round_number"],
        "match": row.get("match_number"),
        "group": row["group_name"],
    }


# --- overrides -----------------------------------------------------------------------------------


def decide(conn: psycopg.Connection, person: Person, match_id: str, version: str, **given: Any) -> Edit:
    """Decides on a match, replacing an earlier decision; fields that are not given keep their derived values.

    Args:
        version: version of the existing override; empty without one.
    """
    editor = Editor(OVERRIDES, conn, person)
    found = OVERRIDE.rows(conn, match_id=match_id)
    if not found and not version:
        return editor.add(match_id=match_id, **given)
    nothing = dict.fromkeys((*_DECISIONS, *_PLACE))
    return editor.change(match_id, version, **{**nothing, **given})


def linked_to(conn: psycopg.Connection, slot: Row) -> Row | None:
    """Returns the match of a slot: `match_id`, and whether `by_hand`."""
    by_hand = OVERRIDE.rows(conn, scheduled_match_id=slot[SLOT.key])
    if by_hand:
        return {"match_id": by_hand[0]["match_id"], "by_hand": True}
    if not has_table(conn, "pubg", "matches"):
        return None
    query = """
        SELECT match_id, false AS by_hand FROM pubg.matches
        WHERE scheduled_match_id = %s AND is_tournament_match ORDER BY started_at LIMIT 1
    """
    return next(iter(ops.rows(conn, query, [slot[SLOT.key]])), None)


def link(conn: psycopg.Connection, person: Person, number: int, match_id: str, version: str, reason: str) -> Edit:
    """Assigns a match to a slot by hand.

    Args:
        version: version of the match's override; empty without one.
    """
    slot = Editor(SLOTS, conn, person).hold(number)
    place = place_of(conn, None, number)
    for other in OVERRIDE.rows(conn, scheduled_match_id=number):
        if other["match_id"] != match_id.strip().lower():
            message = f"{SLOT.describe(slot)} is assigned to match {other['match_id']} by {other['admin']}."
            raise ProblemError(409, f"{message[0].upper()}{message[1:]} Unlink that one first.")
    reason = reason or f"linked to {SLOT.describe(slot)} by hand"
    if not OVERRIDE.rows(conn, match_id=match_id.strip().lower()):
        return decide(conn, person, match_id, "", reason=reason, **place)
    return Editor(OVERRIDES, conn, person).change(match_id.strip().lower(), version, reason=reason, **place)


def unlink(conn: psycopg.Connection, person: Person, number: int, reason: str) -> Edit:
    """Removes a slot's match. A match assigned by time gets an override without a slot.

    Raises:
        ProblemError: 409 if the slot has no match.
    """
    slot = Editor(SLOTS, conn, person).hold(number)
    found = linked_to(conn, slot)
    if found is None:
        raise ProblemError(409, f"No match is linked to {SLOT.describe(slot)}.")
    editor, reason = Editor(OVERRIDES, conn, person), reason or f"unlinked from {SLOT.describe(slot)}"
    if not found["by_hand"]:
        [version] = [row["version"] for row in editor.rows(match_id=found["match_id"])] or [""]
        if version:
            return editor.change(found["match_id"], version, validation_status="unscheduled", reason=reason)
        return editor.add(match_id=found["match_id"], validation_status="unscheduled", reason=reason)
    [row] = editor.rows(match_id=found["match_id"])
    if row["is_tournament_match"] is None and row["validation_status"] is None:
        return editor.remove(row["match_id"], row["version"])
    return editor.change(row["match_id"], row["version"], reason=reason, **dict.fromkeys(_PLACE))


def remake(
    conn: psycopg.Connection,
    person: Person,
    number: int,
    version: str,
    reason: str,
    new_match_id: str | None = None,
    failed_match_id: str | None = None,
) -> Edit:
    """Records that a slot's match failed and is played again: it is kept but no longer counts.

    Args:
        version: version of the slot.
        new_match_id: the match played instead, if known.
        failed_match_id: the match that failed, if it is not the slot's.

    Raises:
        ProblemError: 409 if the slot has no match.
    """
    editor = Editor(SLOTS, conn, person)
    slot = editor.hold(number)
    found = linked_to(conn, slot)
    failed = failed_match_id or (found["match_id"] if found else None)
    if failed is None:
        raise ProblemError(409, f"No match is linked to {SLOT.describe(slot)}, so none can be remade.")
    done = editor.change(number, version, original_match_id=failed, remake_reason=reason)
    if found and found["by_hand"] and found["match_id"] == failed:
        unlink(conn, person, number, f"failed: {reason}")
    if new_match_id is not None:
        of_other = Editor(OVERRIDES, conn, person).rows(match_id=new_match_id.strip().lower())
        link(conn, person, number, new_match_id, of_other[0]["version"] if of_other else "", f"played again: {reason}")
    return done


# --- schedules -----------------------------------------------------------------------------------


def delay(
    conn: psycopg.Connection, person: Person, number: int, version: str, minutes: int, *, following: bool
) -> list[Edit]:
    """Moves a slot by some minutes and, if requested, the later ones of that day.

    Args:
        version: version of the slot.
    """
    editor = Editor(SLOTS, conn, person)
    slot = editor.hold(number)
    zone = zone_of_season(slot)
    moved: list[Row] = [{**slot, "version": version}]
    if following:
        day = slot["scheduled_at"].astimezone(zone).date()
        moved += [
            row
            for row in editor.rows(round_id=slot["round_id"])
            if row["scheduled_at"] > slot["scheduled_at"]
            and row["scheduled_at"].astimezone(zone).date() == day
            and row["status"] in ("scheduled", "active")
        ]
    by = timedelta(minutes=minutes)
    return [
        editor.change(
            row[SLOT.key], row["version"], scheduled_at=local_times.format_local(row["scheduled_at"] + by, zone)
        )
        for row in moved
    ]


def copy_round(conn: psycopg.Connection, person: Person, number: int, to: int, first_day: date) -> list[Edit]:
    """Adds a round with the schedule of another one, shifted by whole days, at the same local times.

    Raises:
        ProblemError: if the round already exists, or a time does not exist on its day.
    """
    rounds, slots = Editor(ROUNDS, conn, person), Editor(SLOTS, conn, person)
    source = rounds.row(number)
    later = first_day - source["first_day"]
    names = {"season": source["season"], "division": source["division"], "group": source["group_name"]}
    last_day = source["last_day"] + later
    done = [rounds.add(**names, round=to, first_day=first_day, last_day=last_day)]
    zone = zone_of_season(source)
    for slot in slots.rows(round_id=number):
        at = (slot["scheduled_at"].astimezone(zone).replace(tzinfo=None) + later).isoformat(" ", "minutes")
        given = {} if slot["map_name"] is None else {"map_name": slot["map_name"]}
        done.append(slots.add(**names, round=to, match=slot["match_number"], scheduled_at=at, **given))
    return done


# --- tracked players -----------------------------------------------------------------------------


def track(
    conn: psycopg.Connection,
    person: Person,
    *,
    auto_backfill: bool = True,
    team_id: int | None = None,
    valid_from: date | None = None,
    **given: Any,
) -> list[Edit]:
    """Tracks a player and, if a team is given, adds the player to its roster.

    Args:
        auto_backfill: whether the days before are backfilled too.
        valid_from: first day on the roster; today by default.
        given: fields of the player, as `TRACKED_PLAYER` declares them.

    Raises:
        ProblemError: 422 if there is no such team.
    """
    if not auto_backfill:
        given = {**given, "backfill_days": 0}
    done = []
    # Admins of one division may track players on its rosters.
    if team_id is not None:
        teams = TEAM.rows(conn, team_id=team_id)
        if not teams:
            raise ProblemError(422, f"There is no team numbered {team_id}.")
        names = {"season": teams[0]["season"], "team": teams[0]["team_name"], "division": teams[0]["division"]}
        today = datetime.now(UTC).astimezone(zone_of_season(teams[0])).date()
        account = {} if given.get("account_id") is None else {"account_id": given["account_id"]}
        roster = Editor(ROSTERS, conn, person)
        done.append(roster.add(**names, player=given["player"], valid_from=valid_from or today, **account))
    return [Editor(PLAYERS, conn, person).add(**given), *done]


def untrack(conn: psycopg.Connection, person: Person, number: int, version: str) -> Edit:
    """Stops tracking a player. Backfilled matches are kept; a player without known matches is removed."""
    editor = Editor(PLAYERS, conn, person)
    row = editor.row(number)
    if row["account_id"] is None:
        return editor.remove(number, version)
    return editor.change(number, version, is_active=False)
