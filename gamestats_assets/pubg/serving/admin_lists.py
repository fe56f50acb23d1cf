"""Lists for tournament admins: validation of matches, facts about players, and progress of backfills."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

import psycopg
from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.lakehouse.postgres.server import has_table
from gamestats_assets.pubg.players.entered.backfills import Found, cancel_backfills, request_backfill
from gamestats_assets.pubg.serving.published_matches import history_of
from gamestats_assets.pubg.tournament.serving.context import Page
from gamestats_assets.pubg.tournament.tables import VALIDATION_STATUSES
from gamestats_assets.serving.accounts.audit import audit
from gamestats_assets.serving.answers.routes import Day
from gamestats_assets.serving.middleware.principal import Person
from gamestats_assets.serving.middleware.problems import ProblemError

_RUNNING_S = 120
"""A backfill counts as running if its progress was recorded within these seconds."""

# --- matches -------------------------------------------------------------------------------------


class MatchesAsked(Page):
    """Filters of matches."""

    validation_status: Annotated[
        Literal[VALIDATION_STATUSES] | None, Field(description="Only matches with this status.")  # type: ignore[valid-type]
    ] = None
    needs_attention: Annotated[bool, Field(description="Only matches that need a person.")] = False
    season: Annotated[str | None, Field(max_length=100, description="Short name of the season.")] = None
    division: Annotated[str | None, Field(max_length=200, description="Name of the division.")] = None
    round: Annotated[int | None, Field(ge=1, le=999_999, description="Number of the round.")] = None
    date_from: Annotated[Day | None, Field(description="First UTC day.")] = None
    date_to: Annotated[Day | None, Field(description="Last UTC day.")] = None


class Concern(BaseModel):
    """A problem that needs a person, with its reason."""

    concern: Annotated[str, Field(examples=["few_teams"])]
    explanation: str


class ValidatedMatch(BaseModel):
    """A match with its tournament context."""

    match_id: str
    started_at: datetime
    map_name: str | None
    players: int
    team_count: int | None
    unmatched_player_count: int | None
    validation_status: str
    is_tournament_match: bool
    season: str | None
    time_zone: Annotated[str | None, Field(description="Time zone of the season.", examples=["Europe/Berlin"])]
    division: str | None
    group_name: str | None
    round_id: int | None
    round: int | None
    round_name: str | None
    scheduled_match_id: int | None
    match_number: int | None
    is_overridden: bool
    override_reason: str | None
    overridden_by: str | None
    concerns: list[Concern]


class _Matches(BaseModel):
    matches: list[ValidatedMatch]
    total_count: int


class Validation(BaseModel):
    """The answer."""

    data: _Matches


_OF_PLACES = sql.SQL("""
    (%(everywhere)s OR s.season_id = ANY(%(seasons)s::bigint[]) OR EXISTS (
        SELECT FROM ops.divisions d
        WHERE d.season_id = s.season_id AND d.division = m.division AND d.division_id = ANY(%(divisions)s::bigint[])))
""")
_MATCHES = sql.SQL("""
    SELECT m.match_id, m.started_at, m.map_name, m.players, m.team_count, m.unmatched_player_count, m.validation_status,
           m.is_tournament_match, m.season, m.division, m.group_name, m.round_id, r.round_number AS round, r.round_name,
           m.scheduled_match_id, m.match_number, m.is_overridden, m.override_reason, m.overridden_by,
           s.time_zone, coalesce(v.concerns, '[]') AS concerns, count(*) OVER () AS total
    FROM pubg.matches m LEFT JOIN ops.rounds r USING (round_id) LEFT JOIN ops.seasons s ON s.season = m.season
        LEFT JOIN LATERAL (
            SELECT jsonb_agg(jsonb_build_object('concern', concern, 'explanation', explanation) ORDER BY concern)
                AS concerns
            FROM pubg.match_validation c WHERE c.match_id = m.match_id AND c.match_date = m.match_date
        ) v ON true
    WHERE m.validation_status IS NOT NULL AND {of_places}
        AND (%(validation_status)s::text IS NULL OR m.validation_status = %(validation_status)s)
        AND (NOT %(needs_attention)s OR v.concerns IS NOT NULL)
        AND (%(season)s::text IS NULL OR m.season = %(season)s)
        AND (%(division)s::text IS NULL OR lower(m.division) = lower(%(division)s) OR m.division IS NULL)
        AND (%(round)s::integer IS NULL OR r.round_number = %(round)s)
        AND (%(match_id)s::text IS NULL OR m.match_id = %(match_id)s)
        AND (%(date_from)s::date IS NULL OR m.started_at >= %(date_from)s)
        AND (%(date_to)s::date IS NULL OR m.started_at < %(date_to)s::date + 1)
    ORDER BY m.started_at DESC, m.match_id LIMIT %(limit)s OFFSET %(offset)s
""").format(of_places=_OF_PLACES)


def matches(
    conn: psycopg.Connection, person: Person, asked: MatchesAsked, match_id: str | None = None
) -> tuple[list[Row], int]:
    """Returns a page of the requested matches that the person may decide on, with their number; or only the one with an
    id."""
    if not has_table(conn, "pubg", "match_validation") or not has_table(conn, "pubg", "matches"):
        return [], 0
    span = {"limit": asked.page_size, "offset": (asked.page - 1) * asked.page_size}
    found = ops.rows(conn, _MATCHES, {**asked.model_dump(), **span, "match_id": match_id, **_places(person)})
    total = found[0]["total"] if found else 0
    return [{name: value for name, value in row.items() if name != "total"} for row in found], total


def counts(conn: psycopg.Connection, person: Person) -> Mapping[str, int]:
    """Returns the number of matches per validation status that the person may decide on."""
    if not has_table(conn, "pubg", "matches"):
        return {}
    return {row["validation_status"]: row["matches"] for row in ops.rows(conn, _COUNTS, _places(person))}


_COUNTS = sql.SQL("""
    SELECT m.validation_status, count(*) AS matches FROM pubg.matches m LEFT JOIN ops.seasons s ON s.season = m.season
    WHERE m.validation_status IS NOT NULL AND {of_places} GROUP BY m.validation_status
""").format(of_places=_OF_PLACES)


def _places(person: Person) -> dict[str, Any]:
    places = person.places("tournament_admin")
    return {"everywhere": places.everywhere, "seasons": [*places.seasons], "divisions": [*places.divisions]}


def played_in(conn: psycopg.Connection, round_id: int) -> Mapping[int, Row]:
    """Returns the match of each slot of a round.

    Returns:
        `match_id`, `started_at`, `map_name` and `validation_status` (null while it is not published), `by_hand`.
    """
    by_hand = {
        row["scheduled_match_id"]: {**row, "started_at": None, "map_name": None, "validation_status": None}
        for row in ops.rows(conn, _BY_HAND, [round_id])
    }
    if not has_table(conn, "pubg", "matches"):
        return by_hand
    published = {row["scheduled_match_id"]: row for row in ops.rows(conn, _PLAYED, [round_id])}
    # Recently linked matches are not published yet.
    return {
        slot: published[slot] if slot in published and published[slot]["match_id"] == row["match_id"] else row
        for slot, row in {**published, **by_hand}.items()
    }


_BY_HAND = """
    SELECT scheduled_match_id, match_id, true AS by_hand FROM ops.match_overrides o
    WHERE scheduled_match_id IN (SELECT scheduled_match_id FROM ops.scheduled_matches WHERE round_id = %s)
"""
_PLAYED = """
    SELECT m.scheduled_match_id, m.match_id, m.started_at, m.map_name, m.validation_status,
           EXISTS (SELECT FROM ops.match_overrides o
                   WHERE o.match_id = m.match_id AND o.scheduled_match_id = m.scheduled_match_id) AS by_hand
    FROM pubg.matches m
    WHERE m.is_tournament_match
        AND m.scheduled_match_id IN (SELECT scheduled_match_id FROM ops.scheduled_matches WHERE round_id = %s)
"""

# --- tracked players -----------------------------------------------------------------------------


class PlayerPreview(BaseModel):
    """Facts about a player."""

    name: str
    account_id: Annotated[str | None, Field(description="Account of the name, if a match has it.")]
    player_name: Annotated[str | None, Field(description="Name in the newest match.")]
    did_you_mean: Annotated[str | None, Field(description="The name with other capitals, if one is known.")]
    from_day: date
    to_day: date
    matches_found: int
    telemetry_available: int
    expired: Annotated[int, Field(description="Matches whose telemetry is gone.")]


class Preview(BaseModel):
    """The answer."""

    data: PlayerPreview


def preview(conn: psycopg.Connection, name: str, days: int) -> Row:
    """Returns facts about a player's last days."""
    last = datetime.now(UTC).date()
    first = last - timedelta(days=days)
    return {"name": name, "from_day": first, "to_day": last, **history_of(conn, name.strip(), first, last)}


class Backfill(BaseModel):
    """A backfill, with its player's progress."""

    backfill_id: int
    tracked_player_id: int
    player_name: str
    account_id: str | None
    from_day: date
    to_day: date
    requested_at: datetime
    requested_by: str
    cancelled_at: datetime | None
    cancelled_by: str | None
    state: Literal[
        "waits for the account", "inactive", "queued", "running", "waits for telemetry", "completed", "cancelled"
    ]
    matches_done: Annotated[int, Field(description="Matches of the player whose details were copied.")]
    matches_total: Annotated[int, Field(description="Matches whose details are wanted and available.")]
    percent: Annotated[int, Field(description="Rounded down; 100 when nothing is left.")]
    expired: Annotated[int, Field(description="Matches whose telemetry is gone or unreadable.")]
    matches_found: Annotated[
        int | None,
        Field(description="Matches on its days at the time of the request, else now; null without an account."),
    ]
    seconds_left: Annotated[int | None, Field(description="Estimate from the speed so far; null if unknown.")]


class _Backfills(BaseModel):
    backfills: list[Backfill]
    total_count: int


class Backfills(BaseModel):
    """The answer."""

    data: _Backfills


class NewBackfill(BaseModel):
    """Requested days of history."""

    model_config = ConfigDict(extra="forbid")
    days: Annotated[int | None, Field(ge=1, le=3650, description="Number of days back from the last day.")] = None
    from_day: Annotated[Day | None, Field(description="First UTC day, instead of days.")] = None
    to_day: Annotated[Day | None, Field(description="Last UTC day; today by default.")] = None


_BACKFILLS = """
    SELECT b.backfill_id, tracked_player_id, t.player_name, t.account_id, t.is_active, b.from_day, b.to_day,
           b.requested_at, b.requested_by, b.cancelled_at, b.cancelled_by,
           p.taken, p.to_take, p.pending, p.expired, p.unreadable, p.measured_at > now() - make_interval(secs => %s)
               AS is_fresh, b.matches_found, p.taken - p.began_taken AS taken_since, p.measured_at - p.began_at AS since
    FROM ops.backfills b JOIN ops.tracked_players t USING (tracked_player_id)
        LEFT JOIN ops.backfill_progress p USING (tracked_player_id)
    WHERE tracked_player_id = ANY(%s)
    ORDER BY b.requested_at DESC, b.backfill_id DESC
"""
_FOUND = """
    SELECT b.backfill_id, count(DISTINCT s.match_id) AS matches
    FROM ops.backfills b JOIN ops.tracked_players t USING (tracked_player_id)
        LEFT JOIN pubg.match_summaries s
            ON s.account_id = t.account_id AND s.match_date BETWEEN b.from_day AND b.to_day
    WHERE b.backfill_id = ANY(%s) AND t.account_id IS NOT NULL GROUP BY b.backfill_id
"""
_PUBLISHED = """
    SELECT tracked_player, count(*) FILTER (WHERE backfill_status = 'completed') AS taken,
           count(*) FILTER (WHERE backfill_status = 'pending' AND telemetry_status = 'processed') AS to_take,
           count(*) FILTER (WHERE backfill_status = 'pending' AND telemetry_status <> 'processed') AS pending,
           count(*) FILTER (WHERE backfill_status IN ('expired', 'unreadable')) AS expired
    FROM pubg.player_backfill_status WHERE tracked_player = ANY(%s) GROUP BY tracked_player
"""


def backfills(conn: psycopg.Connection, players: Collection[int]) -> list[Row]:
    """Returns backfills of tracked players, given by their ids, newest first, with their players' progress."""
    found = ops.rows(conn, _BACKFILLS, [_RUNNING_S, [*players]])
    published: dict[str, Row] = {}
    if has_table(conn, "pubg", "player_backfill_status"):
        accounts = [row["account_id"] for row in found if row["taken"] is None]
        published = {row["tracked_player"]: row for row in ops.rows(conn, _PUBLISHED, [accounts])}
    uncounted = [row["backfill_id"] for row in found if row["matches_found"] is None]
    if uncounted and has_table(conn, "pubg", "match_summaries"):
        found_by_backfill = {row["backfill_id"]: row["matches"] for row in ops.rows(conn, _FOUND, [uncounted])}
        found = [
            {**row, "matches_found": found_by_backfill.get(row["backfill_id"], row["matches_found"])} for row in found
        ]
    return [_progress(row, published.get(row["account_id"])) for row in found]


def backfill_detail(conn: psycopg.Connection, player: Row) -> list[Row]:
    """Returns the number of a tracked player's matches by status: `backfill_status`, `telemetry_status`, `matches`,
    `first_day`, `last_day`."""
    if not has_table(conn, "pubg", "player_backfill_status"):
        return []
    query = """
        SELECT backfill_status, telemetry_status, count(*) AS matches, min(match_date) AS first_day,
            max(match_date) AS last_day
        FROM pubg.player_backfill_status WHERE tracked_player = %s GROUP BY 1, 2 ORDER BY matches DESC, 1, 2
    """
    return ops.rows(conn, query, [player["account_id"]])


def _progress(row: Row, published: Row | None) -> Row:
    """Returns a backfill with its progress; computed from the tables if none was recorded."""
    is_known = row["taken"] is not None or published is not None
    measured = row if row["taken"] is not None else published or {}
    done, to_take, pending = (measured.get(name) or 0 for name in ("taken", "to_take", "pending"))
    lost = (measured.get("expired") or 0) + (measured.get("unreadable") or 0)
    total = done + to_take + pending
    going = bool(row["is_fresh"] and row["taken_since"] and to_take)
    state = (
        "cancelled" if row["cancelled_at"]
        else "waits for the account" if row["account_id"] is None
        else "inactive" if not row["is_active"]
        else "running" if going
        else "queued" if to_take or not is_known
        else "waits for telemetry" if pending
        else "completed"
    )  # fmt: skip
    left = math.ceil(row["since"].total_seconds() / row["taken_since"] * to_take) if going and row["since"] else None
    columns = ("backfill_id", "tracked_player_id", "player_name", "account_id", "from_day", "to_day", "requested_at")
    columns += ("requested_by", "cancelled_at", "cancelled_by", "matches_found")
    figures = {"matches_done": done, "matches_total": total, "expired": lost, "seconds_left": left}
    percent = 100 * done // total if total else 100 if state == "completed" else 0
    return {**{name: row[name] for name in columns}, "state": state, "percent": percent, **figures}


def start(conn: psycopg.Connection, person: Person, row: Row, asked: NewBackfill) -> int:
    """Requests days of history of a tracked player; returns the id of the backfill.

    Raises:
        ProblemError: if the account is unknown, or the days are invalid.
    """
    if row["account_id"] is None:
        raise ProblemError(
            409, f"The account of {row['player_name']} is unknown, because no match contains the player yet."
        )
    if asked.days is not None and asked.from_day is not None:
        raise ProblemError(
            422, "Give days, or from_day and to_day.", errors=[{"name": "days", "message": "Give one of them."}]
        )
    last = asked.to_day or datetime.now(UTC).date()
    first = asked.from_day or last - timedelta(days=asked.days or row["backfill_days"])
    history = history_of(conn, row["account_id"], first, last)
    found = Found(history["matches_found"], history["telemetry_available"], history["expired"])
    try:
        number = request_backfill(conn, row, first, last, found)
    except EntryError as error:
        raise ProblemError(422, str(error), errors=[{"name": error.column, "message": str(error)}]) from None
    after = {"backfill_id": number, "from_day": first, "to_day": last}
    audit(conn, person, "backfill.start", f"player {row['player_name']}", after=after)
    return number


def cancel(conn: psycopg.Connection, person: Person, row: Row) -> int:
    """Cancels the backfills of a tracked player; returns their number. Their runs are then ended by a sensor."""
    cancelled = cancel_backfills(conn, row, person.name)
    if cancelled:
        audit(conn, person, "backfill.cancel", f"player {row['player_name']}", after={"cancelled": cancelled})
    return cancelled
