"""Polls APIs for new matches of players and registers them in `ops`; runs fetch them separately.

A registered match stays pending until it has landed, has expired at the API, or is given up. A poll or run that dies
therefore loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Generic, LiteralString, TypeVar

from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.apis.http import ApiError, NotFoundError, RateLimitedError, UnauthorisedError
from gamestats_assets.lakehouse.entries.ops import SCHEMA, Row
from gamestats_assets.lakehouse.landing.arrivals import MatchFetch
from gamestats_assets.lakehouse.postgres.server import connect

POLL_INTERVAL = timedelta(minutes=10)
"""Time between two polls for the same player."""
_MOST_ATTEMPTS = 5
_LONGEST_WAIT = timedelta(hours=6)
_SHORTEST_DELAY = timedelta(minutes=2)
_Player = TypeVar("_Player")


# ---------------------------------------------------------------- polling


@dataclass(slots=True)
class PollResult(Generic[_Player]):
    """Result of polling an API.

    Attributes:
        due: number of players who were due.
        asked: players for whom the API answered.
        unknown_names: names of players whom the API does not know.
        listed: distinct ids of all listed matches.
        new: listed ids that were not registered before.
        errors: one message for each other player for whom the poll failed.
    """

    due: int = 0
    asked: list[_Player] = field(default_factory=list)
    unknown_names: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def due_before(now: datetime, every: timedelta) -> datetime:
    """Players last polled at or before this time are due."""
    # A second of tolerance, since ticks are not exact.
    return now - every + timedelta(seconds=1)


def poll_players(
    due: Sequence[Row],
    name: str,
    fetch_player: Callable[[Row], tuple[_Player, Sequence[str]]],
    add: Callable[[Sequence[str]], list[str]],
    record_poll: Callable[[Row, _Player | None, str | None], None],
    deadline: float = float("inf"),
) -> PollResult[_Player]:
    """Polls an API for players one by one and registers the matches that it lists.

    An error for one player does not stop the others, unless the limit is used up or the API does not answer at all.
    Matches are registered before the player is recorded as polled.

    Args:
        due: players, those polled longest ago first.
        name: column of the player's name.
        fetch_player: returns the player as the API knows it and the listed ids.
        add: registers ids and returns the new ones.
        record_poll: records the poll of a player, with the player as the API knows it or else the error.
        deadline: time of `time.monotonic` after which no more players are polled.

    Raises:
        UnauthorisedError: if the key is missing or refused.
    """
    result: PollResult[_Player] = PollResult(due=len(due))
    for row in due:
        if time.monotonic() >= deadline:
            break
        try:
            player, ids = fetch_player(row)
        except UnauthorisedError:
            raise
        except ApiError as error:
            if isinstance(error, NotFoundError):
                result.unknown_names.append(row[name])
            else:
                result.errors.append(str(error))
            if isinstance(error, RateLimitedError):
                break
            record_poll(row, None, str(error))
            if error.is_passing:
                break
        else:
            result.new += add(ids)
            result.listed += ids
            result.asked.append(player)
            record_poll(row, player, None)
    result.listed = list(dict.fromkeys(result.listed))
    return result


# ---------------------------------------------------------------- the register


@dataclass(frozen=True, slots=True)
class PendingMatch:
    """A match to fetch, with the id for the request; `next_at` changes with every attempt."""

    match_id: str
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Register:
    """A table of `ops` with an id, `found_at`, `state`, `attempts`, `next_at` and `last_error`.

    Attributes:
        table: name of the table.
        key: column of the id.
        longest_delay: longest wait for a match that the API holds up.
    """

    table: str
    key: str
    longest_delay: timedelta = timedelta(hours=1)

    def add(self, url: SecretStr, ids: Iterable[str]) -> list[str]:
        """Registers ids and returns the new ones."""
        statement = self._sql(
            "INSERT INTO {table} ({key}) SELECT unnest(%s::text[]) ON CONFLICT ({key}) DO NOTHING RETURNING {key}"
        )
        with connect(url) as conn:
            return [new for (new,) in conn.execute(statement, [sorted(set(ids))]).fetchall()]

    def pending(self, url: SecretStr, most: int = 200, **where: str) -> list[PendingMatch]:
        """Registered matches that are due to be fetched, those found first in front.

        Args:
            url: PostgreSQL, with the schema `ops` migrated.
            most: largest number of matches.
            where: values of further columns.
        """
        conditions = sql.SQL("").join(sql.SQL(" AND {} = %s").format(sql.Identifier(column)) for column in where)
        query = self._sql("SELECT {key}, next_at FROM {table} WHERE state = 'wanted' AND next_at <= clock_timestamp()")
        query += conditions + self._sql(" ORDER BY found_at, {key} LIMIT %s")
        with connect(url) as conn:
            result = conn.execute(query, [*where.values(), most]).fetchall()
        return [PendingMatch(match_id, next_at.astimezone(UTC)) for match_id, next_at in result]

    def record_outcomes(self, url: SecretStr, fetched: Collection[MatchFetch]) -> None:
        """Records the outcomes of fetches.

        A failed match is tried again a few times, after growing waits, and then given up. It does not count as an
        attempt if the API is down, its limit is used up, or it has not prepared the match yet: then the wait is the
        time since the match was found, up to `longest_delay`. A match that another process has archived stays archived.
        """
        query = self._sql(
            "SELECT {key}, attempts, clock_timestamp() - found_at FROM {table}"
            " WHERE {key} = ANY(%s) AND state <> 'archived' ORDER BY {key} FOR UPDATE"
        )
        change = self._sql(
            "UPDATE {table} SET state = %s, attempts = %s, next_at = clock_timestamp() + %s,"
            " last_error = nullif(%s, '') WHERE {key} = %s"
        )
        by_id = {match.match_id: match for match in fetched}
        with connect(url) as conn, conn.transaction(), conn.cursor() as cursor:
            registered = cursor.execute(query, [list(by_id)]).fetchall()
            cursor.executemany(
                change,
                [
                    [*_next_state(by_id[key], attempts, age, self.longest_delay), by_id[key].reason, key]
                    for key, attempts, age in registered
                ],
            )

    def _sql(self, text: LiteralString) -> sql.Composed:
        return sql.SQL(text).format(table=sql.Identifier(SCHEMA, self.table), key=sql.Identifier(self.key))


def _next_state(match: MatchFetch, attempts: int, age: timedelta, longest: timedelta) -> tuple[str, int, timedelta]:
    """State, number of attempts, and the wait until the next attempt."""
    if match.status in ("fetched", "known"):
        return "archived", attempts, timedelta()
    if match.status in ("expired", "passed_over"):
        return match.status, attempts, timedelta()
    if match.is_delayed:
        return "wanted", attempts, min(max(age, _SHORTEST_DELAY), longest)
    tried = attempts + 1
    if tried >= _MOST_ATTEMPTS:
        return "failed", tried, timedelta()
    return "wanted", tried, min(timedelta(minutes=4**tried), _LONGEST_WAIT)
