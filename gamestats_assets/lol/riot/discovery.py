"""Seeded players, the matches found for them, and the result of fetching each match.

Users enter players in `ops.lol_seeded_players`. `find` asks the API for each player's new matches and enters them in
`ops.lol_matches_found`; `archive` fetches them separately. They stay pending until they have landed, the API no longer
has them, or fetching was given up. An interrupted step therefore loses nothing.
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
# The API filters matches by their start, but lists them only after their end.
_OVERLAP = timedelta(hours=6)


# ---------------------------------------------------------------- seeded players


def add_seed(conn: psycopg.Connection, riot_id: str, platform: str, *, days: int, now: datetime) -> Entered:
    """Starts looking for the matches of a player, including those of the last days.

    Args:
        conn: connection to `ops`, in a transaction.
        riot_id: such as Hide on bush#KR1.
        platform: platform of the player, such as kr.
        days: number of past days to include.
        now: current time.

    Raises:
        EntryError: if the Riot id or platform is invalid.
        ExistsAlreadyError: if the player is already seeded.
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
        raise ExistsAlreadyError(f"{riot_id} is already a seeded player on {platform}.", "riot_id")
    # Matches that were already listed are not listed again, unless more of them are wanted now.
    listed_at = row["listed_at"] if since >= row["wanted_since"] else None
    update(
        conn,
        _TABLE,
        {"seeded_player_id": row["seeded_player_id"]},
        {"removed_at": None, "wanted_since": min(since, row["wanted_since"]), "listed_at": listed_at, "asked_at": None},
    )
    return Entered("seeded player", what, "changed", ("removed -> active",))


def remove_seed(conn: psycopg.Connection, riot_id: str, platform: str | None, *, now: datetime) -> Entered:
    """Stops looking for a player's matches; landed files are kept.

    Raises:
        UnknownNameError: if no player has the name, or several on different platforms do.
    """
    found = [row for row in _seeds(conn, riot_id, platform) if row["removed_at"] is None]
    if len(found) != 1:
        on = ", ".join(sorted(row["platform"] for row in found))
        problem = f"is on {on}: choose one with --platform" if found else "is not a seeded player"
        raise UnknownNameError(f"{riot_id} {problem}. All of them: gamestats lol seed list", "riot_id")
    (row,) = found
    where = {"seeded_player_id": row["seeded_player_id"]}
    if row["asked_at"] is None:
        delete(conn, _TABLE, where)
    else:
        update(conn, _TABLE, where, {"removed_at": now})
    return Entered("seeded player", f"seeded player {row['riot_id']} ({row['platform']})", "removed")


def list_seeds(conn: psycopg.Connection) -> pl.DataFrame:
    """Returns the seeded players without removed ones: riot_id, platform, wanted_since, listed_at, last_error,
    added_by, added_at."""
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


# ---------------------------------------------------------------- finding and fetching


def find(
    url: SecretStr,
    api: RiotApi,
    *,
    now: datetime,
    every: timedelta = POLL_INTERVAL,
    deadline: float = float("inf"),
) -> PollResult[Account]:
    """Asks the API for the new matches of players who are due, and registers them.

    Starts with the player who was checked longest ago, so after an early end the next call continues with the others.

    Args:
        url: PostgreSQL with a migrated schema `ops`.
        api: the client.
        now: current time.
        every: smallest interval between two checks of a player.
        deadline: time of `time.monotonic` after which no further player is checked.

    Raises:
        UnauthorisedError: if the key is missing or not accepted.
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
        # Another key has another puuid of the player.
        account = api.account(riot_id, platform)
        return account, api.match_ids(account, since=since)


pending = _MATCHES.pending
"""Found matches that are due for fetching, earliest found first."""


def archive(url: SecretStr, api: RiotApi, match_ids: Collection[str]) -> tuple[MatchFetch, ...]:
    """Fetches missing files of matches into the landing zone and registers the results.

    Raises:
        UnauthorisedError: if the key is missing or not accepted; unfetched matches stay pending.
    """
    fetched = api.fetch_matches(match_ids)
    _MATCHES.record_outcomes(url, fetched)
    return fetched


def find_and_fetch(url: SecretStr, api: RiotApi, *, now: datetime) -> FetchReport[Account]:
    """Looks for new matches of every seeded player, and fetches all pending ones, however long that takes.

    Raises:
        UnauthorisedError: if the key is missing or not accepted.
    """
    found = find(url, api, now=now, every=timedelta())
    fetched: list[MatchFetch] = []
    while batch := pending(url):
        fetched += archive(url, api, [match.match_id for match in batch])
    return FetchReport(tuple(found.asked), tuple(found.unknown_names), tuple(fetched), tuple(found.errors))
