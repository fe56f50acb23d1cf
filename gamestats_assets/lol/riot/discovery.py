"""Seeded players: whose matches are looked for, which were found, and what became of them.

People enter players in `ops.lol_seeded_players`. A look (`find`) asks the API for each player's new matches and enters
them in `ops.lol_matches_found`; they are fetched apart from it (`archive`), and stay wanted until they have landed, the
API has forgotten them, or they were given up. So a look or a run that dies loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import polars as pl
import psycopg
from pydantic import SecretStr

from gamestats_assets.apis.http import NotFoundError
from gamestats_assets.apis.register import POLL_INTERVAL, PollResult, Register, due_before, poll_players
from gamestats_assets.lakehouse.entries.declared import Entered, ExistsAlreadyError, UnknownNameError
from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.lakehouse.entries.ops import Row, delete, insert, rows, select, update
from gamestats_assets.lakehouse.landing.arrivals import FetchReport, MatchFetch
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.lol.riot.api import (
    Account,
    RefusedRequestError,
    RiotApi,
    RiotIdError,
    UnknownPlatformError,
    region_of,
    split_riot_id,
)

_TABLE = "lol_seeded_players"
_MATCHES = Register("lol_matches_found", "match_id")
# The API finds matches by when they began, and lists them when they are over.
_OVERLAP = timedelta(hours=6)


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


def _seeds(conn: psycopg.Connection, riot_id: str, platform: str | None) -> list[Row]:
    wanted = "#".join(part.strip() for part in riot_id.split("#")).lower()
    return [
        row
        for row in select(conn, _TABLE, {} if platform is None else {"platform": platform.strip().lower()})
        if row["riot_id"].lower() == wanted
    ]


# ---------------------------------------------------------------- looking and fetching


def find(
    url: SecretStr,
    api: RiotApi,
    *,
    now: datetime,
    every: timedelta = POLL_INTERVAL,
    deadline: float = float("inf"),
) -> PollResult[Account]:
    """Ask the API for the new matches of players whose turn it is, and enter them in the register.

    Who was asked longest ago comes first, so that a look that ends early goes on with the next ones.

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
        due = rows(
            conn,
            "SELECT * FROM ops.lol_seeded_players WHERE removed_at IS NULL AND coalesce(asked_at <= %s, true)"
            " ORDER BY asked_at NULLS FIRST, seeded_player_id",
            [due_before(now, every)],
        )

    def note(player: Row, account: Account | None, error: str | None) -> None:
        learnt: Row = {"puuid": account.puuid, "listed_at": now} if account else {}
        with connect(url) as conn:
            where = {"seeded_player_id": player["seeded_player_id"]}
            update(conn, _TABLE, where, {"asked_at": now, "last_error": error, **learnt})

    return poll_players(
        due, "riot_id", lambda player: _matches_of(api, player), lambda ids: _MATCHES.add(url, ids), note, deadline
    )


def _matches_of(api: RiotApi, player: Row) -> tuple[Account, list[str]]:
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


pending = _MATCHES.pending
"""Found matches whose time to be fetched has come, those found first at the front."""


def archive(url: SecretStr, api: RiotApi, match_ids: Collection[str]) -> tuple[MatchFetch, ...]:
    """Fetch what is missing of matches into the landing zone, and enter in the register what became of them.

    Raises:
        UnauthorisedError: without a key, or with one that is not accepted; what was not fetched stays wanted.
    """
    fetched = api.fetch_matches(match_ids)
    _MATCHES.record_outcomes(url, fetched)
    return fetched


def find_and_fetch(url: SecretStr, api: RiotApi, *, now: datetime) -> FetchReport[Account]:
    """Look for new matches of every seeded player, and fetch those that wait, however long that takes.

    Raises:
        UnauthorisedError: without a key, or with one that is not accepted.
    """
    found = find(url, api, now=now, every=timedelta())
    fetched: list[MatchFetch] = []
    while batch := pending(url):
        fetched += archive(url, api, [match.match_id for match in batch])
    return FetchReport(tuple(found.asked), tuple(found.unknown_names), tuple(fetched), tuple(found.errors))
