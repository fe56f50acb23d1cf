"""Seeded players: whose matches are looked for, which were found, and what became of them.

People enter players in `ops.lol_seeded_players`. A look (`find`) asks the API for each player's new matches and enters
them in `ops.lol_matches_found`; they are fetched apart from it (`archive`), and stay wanted until they have landed, the
API has forgotten them, or they were given up. So a look or a run that dies loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
from pydantic import SecretStr

from gamestats_assets.lakehouse.arrivals import FetchReport, MatchFetch
from gamestats_assets.lakehouse.entries import Entered, EntryError, ExistsAlreadyError, UnknownNameError
from gamestats_assets.lakehouse.http import ApiError, NotFoundError, RateLimitedError, UnauthorisedError
from gamestats_assets.lakehouse.ops import delete, insert, rows, select, update
from gamestats_assets.lakehouse.postgres import connect
from gamestats_assets.lol.api import (
    Account,
    RefusedRequestError,
    RiotApi,
    RiotIdError,
    UnknownPlatformError,
    region_of,
    split_riot_id,
)

LOOK_EVERY = timedelta(minutes=10)
"""How often the API is asked for a player's matches."""
_TABLE = "lol_seeded_players"
# The API finds matches by when they began, and lists them when they are over.
_OVERLAP = timedelta(hours=6)
_MOST_ATTEMPTS = 5
_LONGEST_WAIT = timedelta(hours=6)
# While the API is in trouble, or a timeline has yet to come.
_DELAY = timedelta(minutes=30)


# ---------------------------------------------------------------- what people enter


def add_seed(conn: psycopg.Connection, riot_id: str, platform: str, *, days: int, now: datetime) -> Entered:
    """Look for the matches of a player from now on, and for those of the last days.

    Args:
        conn: of `ops`, in a transaction.
        riot_id: such as Hide on bush#KR1.
        platform: where they play, such as kr.
        days: how far back matches are wanted.
        now: the time.

    Raises:
        EntryError: when that is no Riot id, or no platform.
        ExistsAlreadyError: when the player is looked for already.
    """
    try:
        riot_id, platform = "#".join(split_riot_id(riot_id)), platform.strip().lower()
        region_of(platform)
    except (RiotIdError, UnknownPlatformError) as error:
        raise EntryError(str(error), "riot_id" if isinstance(error, RiotIdError) else "platform") from None
    what, since = f"seeded player {riot_id} ({platform})", now - timedelta(days=days)
    known = _seeds(conn, riot_id, platform)
    if not known:
        insert(conn, _TABLE, {"riot_id": riot_id, "platform": platform, "wanted_since": since})
        return Entered("seeded player", what, "created")
    (row,) = known
    if row["removed_at"] is None:
        raise ExistsAlreadyError(f"{riot_id} is a seeded player on {platform} already.", "riot_id")
    # What was listed before need not be listed again, unless more of it is wanted now.
    listed_at = row["listed_at"] if since >= row["wanted_since"] else None
    update(
        conn,
        _TABLE,
        {"seeded_player_id": row["seeded_player_id"]},
        {"removed_at": None, "wanted_since": min(since, row["wanted_since"]), "listed_at": listed_at, "asked_at": None},
    )
    return Entered("seeded player", what, "changed", ("removed -> looked for again",))


def remove_seed(conn: psycopg.Connection, riot_id: str, platform: str | None, *, now: datetime) -> Entered:
    """Look for a player's matches no more; what has landed is kept.

    Raises:
        UnknownNameError: when nobody of the name is looked for, or several on different platforms.
    """
    found = [row for row in _seeds(conn, riot_id, platform) if row["removed_at"] is None]
    if len(found) != 1:
        on = ", ".join(sorted(row["platform"] for row in found))
        problem = f"is on {on}: say which with --platform" if found else "is no seeded player"
        raise UnknownNameError(f"{riot_id} {problem}. Who is: gamestats lol seed list", "riot_id")
    (row,) = found
    where = {"seeded_player_id": row["seeded_player_id"]}
    if row["asked_at"] is None:
        delete(conn, _TABLE, where)
    else:
        update(conn, _TABLE, where, {"removed_at": now})
    return Entered("seeded player", f"seeded player {row['riot_id']} ({row['platform']})", "removed")


def list_seeds(conn: psycopg.Connection) -> pl.DataFrame:
    """Seeded players: riot_id, platform, wanted_since, listed_at, last_error, added_by, added_at; no removed ones."""
    when = pl.Datetime("us", "UTC")
    schema = {
        "riot_id": pl.String,
        "platform": pl.String,
        "wanted_since": when,
        "listed_at": when,
        "last_error": pl.String,
        "added_by": pl.String,
        "added_at": when,
    }
    found = select(conn, _TABLE, {"removed_at": None})
    return pl.DataFrame([{name: row[name] for name in schema} for row in found], schema=schema)


def _seeds(conn: psycopg.Connection, riot_id: str, platform: str | None) -> list[dict[str, Any]]:
    wanted = "#".join(part.strip() for part in riot_id.split("#")).lower()
    return [
        row
        for row in select(conn, _TABLE, {} if platform is None else {"platform": platform.strip().lower()})
        if row["riot_id"].lower() == wanted
    ]


# ---------------------------------------------------------------- looking


@dataclass(slots=True)
class Found:
    """What a look found.

    Attributes:
        due: players whose turn it was.
        asked: those of them the API listed matches of.
        unknown: Riot ids that nobody has.
        listed: ids of every match listed, once.
        new: those of them that were not in the register.
        troubles: one message for each other player the API did not list matches of.
    """

    due: int = 0
    asked: list[Account] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def find(
    url: SecretStr,
    api: RiotApi,
    *,
    now: datetime,
    every: timedelta = LOOK_EVERY,
    deadline: float = float("inf"),
) -> Found:
    """Ask the API for the new matches of players whose turn it is, and enter them in the register.

    Who was asked longest ago comes first, so that a look that ends early goes on with the next ones. A player the API
    does not answer for stops no other, unless its limit is used up or it does not answer at all.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        api: the client.
        now: the time.
        every: how long a player is left alone after a look.
        deadline: time of `time.monotonic` after which nobody is asked for.

    Raises:
        UnauthorisedError: without a key, or with one that is not accepted.
    """
    with connect(url) as conn:
        players = rows(
            conn,
            "SELECT * FROM ops.lol_seeded_players WHERE removed_at IS NULL AND coalesce(asked_at <= %s, true)"
            " ORDER BY asked_at NULLS FIRST, seeded_player_id",
            # A second early counts: ticks do not come to the second.
            [now - every + timedelta(seconds=1)],
        )
    found = Found(due=len(players))
    for player in players:
        if time.monotonic() >= deadline:
            break
        learnt: dict[str, Any] = {"asked_at": now}
        try:
            account, match_ids = _matches_of(api, player)
            found.new += _register(url, match_ids)
            found.listed += match_ids
            found.asked.append(account)
            learnt |= {"puuid": account.puuid, "listed_at": now, "last_error": None}
        except UnauthorisedError:
            raise
        except ApiError as error:
            if isinstance(error, NotFoundError):
                found.unknown.append(player["riot_id"])
            else:
                found.troubles.append(str(error))
            if isinstance(error, RateLimitedError):
                break
            learnt["last_error"] = str(error)
            _note(url, player, learnt)
            if error.is_passing:
                break
        else:
            _note(url, player, learnt)
    found.listed = list(dict.fromkeys(found.listed))
    return found


def _matches_of(api: RiotApi, player: dict[str, Any]) -> tuple[Account, list[str]]:
    since = player["wanted_since"]
    if player["listed_at"] is not None:
        since = max(since, player["listed_at"] - _OVERLAP)
    riot_id, platform = player["riot_id"], player["platform"]
    account = Account(riot_id, player["puuid"], platform) if player["puuid"] else api.account(riot_id, platform)
    try:
        return account, api.match_ids(account, since=since)
    except (RefusedRequestError, NotFoundError):
        if not player["puuid"]:
            raise
        # Another key was told another identity.
        account = api.account(riot_id, platform)
        return account, api.match_ids(account, since=since)


def _note(url: SecretStr, player: dict[str, Any], learnt: dict[str, Any]) -> None:
    with connect(url) as conn:
        update(conn, _TABLE, {"seeded_player_id": player["seeded_player_id"]}, learnt)


def _register(url: SecretStr, match_ids: Sequence[str]) -> list[str]:
    """Enter found matches; those that are new."""
    with connect(url) as conn:
        new = rows(
            conn,
            "INSERT INTO ops.lol_matches_found (match_id) SELECT unnest(%s::text[])"
            " ON CONFLICT (match_id) DO NOTHING RETURNING match_id",
            [sorted(set(match_ids))],
        )
    return [row["match_id"] for row in new]


# ---------------------------------------------------------------- fetching


@dataclass(frozen=True, slots=True)
class Wanted:
    """A match that is to be fetched; `next_at` changes with every attempt."""

    match_id: str
    next_at: datetime


def wanted(url: SecretStr, *, most: int = 200) -> list[Wanted]:
    """Found matches whose time to be fetched has come, those found first at the front."""
    with connect(url) as conn:
        found = rows(
            conn,
            "SELECT match_id, next_at FROM ops.lol_matches_found"
            " WHERE state = 'wanted' AND next_at <= clock_timestamp() ORDER BY found_at, match_id LIMIT %s",
            [most],
        )
    return [Wanted(row["match_id"], row["next_at"].astimezone(UTC)) for row in found]


def archive(url: SecretStr, api: RiotApi, match_ids: Collection[str]) -> tuple[MatchFetch, ...]:
    """Fetch what is missing of matches into the landing zone, and enter in the register what became of them.

    A failure is tried again some times, later and later, and then given up. An API that is down, or whose limit is used
    up, is no attempt.

    Raises:
        UnauthorisedError: without a key, or with one that is not accepted; what was not fetched stays wanted.
    """
    fetched = api.fetch_matches(match_ids)
    with connect(url) as conn, conn.transaction():
        attempts = {
            row["match_id"]: row["attempts"]
            for row in rows(
                conn,
                "SELECT match_id, attempts FROM ops.lol_matches_found WHERE match_id = ANY(%s)"
                " ORDER BY match_id FOR UPDATE",
                [[match.match_id for match in fetched]],
            )
        }
        for match in fetched:
            if match.match_id not in attempts:
                continue
            state, tried, wait = _became(match, attempts[match.match_id])
            conn.execute(
                "UPDATE ops.lol_matches_found SET state = %s, attempts = %s, next_at = clock_timestamp() + %s,"
                " last_error = nullif(%s, '') WHERE match_id = %s",
                [state, tried, wait, match.reason, match.match_id],
            )
    return fetched


def _became(match: MatchFetch, attempts: int) -> tuple[str, int, timedelta]:
    """State, attempts and the wait until the next one."""
    if match.status in ("fetched", "known"):
        return "archived", attempts, timedelta()
    if match.status == "expired":
        return "expired", attempts, timedelta()
    if match.is_delayed:
        return "wanted", attempts, _DELAY
    tried = attempts + 1
    state = "failed" if tried >= _MOST_ATTEMPTS else "wanted"
    return state, tried, min(timedelta(minutes=4**tried), _LONGEST_WAIT)


def find_and_fetch(url: SecretStr, api: RiotApi, *, now: datetime) -> FetchReport[Account]:
    """Look for new matches of every seeded player, and fetch those that wait, however long that takes.

    Raises:
        UnauthorisedError: without a key, or with one that is not accepted.
    """
    found = find(url, api, now=now, every=timedelta())
    fetched: list[MatchFetch] = []
    while batch := wanted(url):
        fetched += archive(url, api, [match.match_id for match in batch])
    return FetchReport(tuple(found.asked), tuple(found.unknown), tuple(fetched), tuple(found.troubles))
