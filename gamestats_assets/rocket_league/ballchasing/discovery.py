"""Replays of tracked players at ballchasing: finds and fetches them, and registers the outcomes.

People enter players in `ops.rl_players`. A look (`find`) asks ballchasing for the replays of every active player who
consented, and enters them in `ops.rl_replays_found`; fetching is separate (`archive`). A player's first look lists the
whole history since `wanted_since`; later ones list uploads since the previous look, however long ago the matches were
played.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from gamestats_assets.apis.register import POLL_INTERVAL, PollResult, Register, due_before, poll_players
from gamestats_assets.lakehouse.entries.ops import Row, rows
from gamestats_assets.lakehouse.landing.arrivals import (
    FetchReport,
    MatchFetch,
    SourcePathError,
    UnrecognisedContentError,
)
from gamestats_assets.lakehouse.landing.zone import Landing, decompressed
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.rocket_league.ballchasing.api import BallchasingApi, Uploaded, Visibility
from gamestats_assets.rocket_league.source import BALLCHASING, REPLAY, forgotten, recognise

_REPLAYS = Register("rl_replays_found", "ballchasing_id")
# Ballchasing lists a replay under its players only after processing it.
_OVERLAP = timedelta(days=1)


def find(
    url: SecretStr,
    api: BallchasingApi,
    *,
    now: datetime,
    every: timedelta = POLL_INTERVAL,
    deadline: float = float("inf"),
) -> PollResult[str]:
    """Ask ballchasing for new replays of the players that are due, and enter them in the register.

    Among active players who agreed, the one whose last look is oldest comes first, so that a look that ends early
    continues with the others.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        api: the client.
        now: the time.
        every: shortest time between two looks at a player.
        deadline: time of `time.monotonic` after which no further player is asked for.

    Returns:
        The result, with players by id.

    Raises:
        UnauthorisedError: without a token, or with one that is not accepted.
    """
    with connect(url) as conn:
        due = rows(
            conn,
            "SELECT p.player_id, p.account, p.wanted_since,"
            " CASE WHEN l.listed_since <= p.wanted_since THEN l.listed_at END AS listed_at"
            " FROM ops.rl_players p LEFT JOIN ops.rl_looks l USING (player_id)"
            " WHERE p.is_active AND p.consented_at IS NOT NULL AND coalesce(l.asked_at <= %s, true)"
            " ORDER BY l.asked_at NULLS FIRST, p.player_id",
            [due_before(now, every)],
        )

    def ask(player: Row) -> tuple[str, list[str]]:
        uploaded_since = player["listed_at"] and player["listed_at"] - _OVERLAP
        # As entered: ballchasing does not document whether case matters.
        platform, _, account = player["player_id"].partition("_")
        asked = f"{platform}_{player['account'] or account}"
        listed = api.list_replays(asked, since=player["wanted_since"], uploaded_since=uploaded_since)
        return player["player_id"], [replay.id.strip().lower() for replay in listed]

    def note(player: Row, listed: str | None, error: str | None) -> None:
        # Players who were removed from the list have no state of looks.
        with connect(url) as conn:
            conn.execute(
                "INSERT INTO ops.rl_looks AS l (player_id, asked_at, listed_at, listed_since, last_error)"
                " SELECT player_id, %(now)s, %(listed_at)s, %(since)s, %(error)s FROM ops.rl_players"
                " WHERE player_id = %(player_id)s FOR KEY SHARE"
                " ON CONFLICT (player_id) DO UPDATE SET asked_at = excluded.asked_at,"
                " listed_at = coalesce(excluded.listed_at, l.listed_at),"
                " listed_since = coalesce(excluded.listed_since, l.listed_since), last_error = excluded.last_error",
                {
                    "player_id": player["player_id"],
                    "now": now,
                    "listed_at": now if listed else None,
                    "since": player["wanted_since"] if listed else None,
                    "error": error,
                },
            )

    return poll_players(due, "player_id", ask, lambda ids: _REPLAYS.add(url, ids), note, deadline)


pending = _REPLAYS.pending
"""Found replays that are due to be fetched, first found first."""


def take(url: SecretStr, api: BallchasingApi, ballchasing_ids: Sequence[str], *, files: bool) -> tuple[MatchFetch, ...]:
    """Fetch replays by id, as `archive` does; those that ballchasing still has to process stay wanted."""
    _REPLAYS.add(url, ballchasing_ids)
    return archive(url, api, ballchasing_ids, files=files)


def archive(
    url: SecretStr, api: BallchasingApi, ballchasing_ids: Collection[str], *, files: bool = False
) -> tuple[MatchFetch, ...]:
    """Fetch the missing data of replays into the landing zone, and enter the outcomes in the register.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        api: the client.
        ballchasing_ids: ballchasing's ids of the replays.
        files: whether to fetch their files besides their statistics.

    Raises:
        UnauthorisedError: without a token, or with one that is not accepted; unfetched replays stay wanted.
    """
    with connect(url) as conn:
        known = rows(
            conn,
            "SELECT ballchasing_id, match_id FROM ops.rl_replays_found"
            " WHERE ballchasing_id = ANY(%s) AND match_id IS NOT NULL",
            [list(ballchasing_ids)],
        )
    fetched = api.fetch_replays(
        ballchasing_ids, files=files, known={row["ballchasing_id"]: row["match_id"] for row in known}
    )
    landed = [
        (file.match_id, replay.match_id)
        for replay in fetched
        for file in replay.files
        if file.kind == BALLCHASING and file.match_id and file.status != "refused"
    ]
    with connect(url) as conn, conn.cursor() as cursor:
        cursor.executemany("UPDATE ops.rl_replays_found SET match_id = %s WHERE ballchasing_id = %s", landed)
    _REPLAYS.record_outcomes(url, fetched)
    return fetched


def share(
    url: SecretStr,
    api: BallchasingApi,
    landing: Landing,
    replay: Path,
    *,
    visibility: Visibility = "private",
    group: str | None = None,
) -> Uploaded:
    """Upload a replay to ballchasing, and register it so that its statistics are fetched later: they contain ranks.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        api: the client.
        landing: has the tombstones of forgotten players.
        replay: the file, plain or gzipped.
        visibility: who can see it at ballchasing.
        group: id of the group of replays that it joins.

    Raises:
        SourcePathError: when the file cannot be read.
        UnreadableContentError: when it is gzipped and damaged.
        UnrecognisedContentError: when it is not a replay, or names a forgotten player; then it is not sent.
        ApiError: see `BallchasingApi.upload`.
    """
    try:
        content = decompressed(replay.read_bytes())
    except OSError as error:
        raise SourcePathError(f"{replay} cannot be read: {error.strerror}.") from None
    recognised = recognise(content)
    if recognised.kind != REPLAY:
        raise UnrecognisedContentError("This is ballchasing's JSON or another file, not a replay.")
    if forgotten(content, recognised, landing):
        raise UnrecognisedContentError("A player of this match was forgotten on request, so the replay is not sent.")
    uploaded = api.upload(replay, visibility=visibility, group=group)
    _REPLAYS.add(url, [uploaded.id.lower()])
    return uploaded


def find_and_fetch(url: SecretStr, api: BallchasingApi, *, now: datetime, files: bool = False) -> FetchReport[str]:
    """Look for new replays of every active player who agreed, and fetch all that are due, however long it takes.

    Raises:
        UnauthorisedError: without a token, or with one that is not accepted.
    """
    look = find(url, api, now=now, every=timedelta())
    fetched: list[MatchFetch] = []
    while batch := pending(url):
        fetched += archive(url, api, [replay.match_id for replay in batch], files=files)
    return FetchReport(tuple(look.asked), tuple(look.unknown_names), tuple(fetched), tuple(look.errors))
