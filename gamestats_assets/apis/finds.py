"""What an API lists of players is found by looks, entered in a register of `ops`, and fetched apart from it.

Whatever stands in a register stays wanted until it has landed, the API has it no more, or it was given up. So a look or
a run that dies loses nothing.
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
from gamestats_assets.lakehouse.arrivals import MatchFetch
from gamestats_assets.lakehouse.ops import SCHEMA, Row
from gamestats_assets.lakehouse.postgres import connect

LOOK_EVERY = timedelta(minutes=10)
"""How often an API is asked for a player."""
_MOST_ATTEMPTS = 5
_LONGEST_WAIT = timedelta(hours=6)
_SHORTEST_DELAY, _LONGEST_DELAY = timedelta(minutes=2), timedelta(hours=1)
_Player = TypeVar("_Player")


# ---------------------------------------------------------------- looking


@dataclass(slots=True)
class Found(Generic[_Player]):
    """What a look found.

    Attributes:
        due: players whose turn it was.
        asked: those of them the API listed something of.
        unknown: names of those that it does not know.
        listed: ids of everything listed, once.
        new: those of them that were not in the register.
        troubles: one message for each other player the API listed nothing of.
    """

    due: int = 0
    asked: list[_Player] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def asked_before(now: datetime, every: timedelta) -> datetime:
    """Whose turn it is: who was asked for then or before."""
    # A second early counts: ticks do not come to the second.
    return now - every + timedelta(seconds=1)


def look(
    due: Sequence[Row],
    name: str,
    ask: Callable[[Row], tuple[_Player, Sequence[str]]],
    enter: Callable[[Sequence[str]], list[str]],
    note: Callable[[Row, _Player | None, str | None], None],
    deadline: float = float("inf"),
) -> Found[_Player]:
    """Ask an API for players, one after the other, and enter what it lists.

    A player the API does not answer for stops no other, unless its limit is used up or it does not answer at all. What
    is listed is entered before the player is noted as asked for.

    Args:
        due: players, who was asked for longest ago at the front, with their names in the column `name`.
        ask: the player as the API knows it, and the ids that it lists.
        enter: enters ids in the register, and tells the new ones.
        note: keeps that the player was asked for: the player as the API knows it, or else why it told nothing.
        deadline: time of `time.monotonic` after which nobody is asked for.

    Raises:
        UnauthorisedError: without a key, or with one that is not accepted.
    """
    found: Found[_Player] = Found(due=len(due))
    for row in due:
        if time.monotonic() >= deadline:
            break
        try:
            player, ids = ask(row)
        except UnauthorisedError:
            raise
        except ApiError as error:
            if isinstance(error, NotFoundError):
                found.unknown.append(row[name])
            else:
                found.troubles.append(str(error))
            if isinstance(error, RateLimitedError):
                break
            note(row, None, str(error))
            if error.is_passing:
                break
        else:
            found.new += enter(ids)
            found.listed += ids
            found.asked.append(player)
            note(row, player, None)
    found.listed = list(dict.fromkeys(found.listed))
    return found


# ---------------------------------------------------------------- the register


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be fetched, by the id it is asked for by; `next_at` changes with every attempt."""

    match_id: str
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Register:
    """A register in `ops`: columns of an id, `found_at`, `state`, `attempts`, `next_at`, `last_error`.

    Attributes:
        table: its name.
        key: column of the id.
    """

    table: str
    key: str

    def enter(self, url: SecretStr, ids: Iterable[str]) -> list[str]:
        """Enter what was found; what of it is new."""
        statement = self._sql(
            "INSERT INTO {table} ({key}) SELECT unnest(%s::text[]) ON CONFLICT ({key}) DO NOTHING RETURNING {key}"
        )
        with connect(url) as conn:
            return [new for (new,) in conn.execute(statement, [sorted(set(ids))]).fetchall()]

    def wanted(self, url: SecretStr, most: int = 200) -> list[Wanted]:
        """What was found and whose time to be fetched has come, that found first at the front."""
        query = self._sql(
            "SELECT {key}, next_at FROM {table} WHERE state = 'wanted' AND next_at <= clock_timestamp()"
            " ORDER BY found_at, {key} LIMIT %s"
        )
        with connect(url) as conn:
            found = conn.execute(query, [most]).fetchall()
        return [Wanted(match_id, next_at.astimezone(UTC)) for match_id, next_at in found]

    def settle(self, url: SecretStr, fetched: Collection[MatchFetch]) -> None:
        """Enter what became of what was asked for.

        A failure is tried again some times, later and later, and then given up. An API that is down or has yet to make
        it, or whose limit is used up, is no attempt: then the wait is as long as it has been known, an hour at most.
        What another process has archived stays so.
        """
        query = self._sql(
            "SELECT {key}, attempts, clock_timestamp() - found_at FROM {table}"
            " WHERE {key} = ANY(%s) AND state <> 'archived' ORDER BY {key} FOR UPDATE"
        )
        change = self._sql(
            "UPDATE {table} SET state = %s, attempts = %s, next_at = clock_timestamp() + %s,"
            " last_error = nullif(%s, '') WHERE {key} = %s"
        )
        told = {match.match_id: match for match in fetched}
        with connect(url) as conn, conn.transaction(), conn.cursor() as cursor:
            known = cursor.execute(query, [list(told)]).fetchall()
            cursor.executemany(
                change,
                [[*_became(told[key], attempts, age), told[key].reason, key] for key, attempts, age in known],
            )

    def _sql(self, text: LiteralString) -> sql.Composed:
        return sql.SQL(text).format(table=sql.Identifier(SCHEMA, self.table), key=sql.Identifier(self.key))


def _became(match: MatchFetch, attempts: int, age: timedelta) -> tuple[str, int, timedelta]:
    """State, attempts and the wait until the next one."""
    if match.status in ("fetched", "known"):
        return "archived", attempts, timedelta()
    if match.status == "expired":
        return "expired", attempts, timedelta()
    if match.is_delayed:
        return "wanted", attempts, min(max(age, _SHORTEST_DELAY), _LONGEST_DELAY)
    tried = attempts + 1
    state = "failed" if tried >= _MOST_ATTEMPTS else "wanted"
    return state, tried, min(timedelta(minutes=4**tried), _LONGEST_WAIT)
