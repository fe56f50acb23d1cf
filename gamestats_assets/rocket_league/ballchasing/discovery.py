"""Replays of tracked players: which ballchasing has, and what became of them.

People enter players in `ops.rl_players`. A look (`find`) asks ballchasing for the replays of everybody who is
active and consented, and enters them in `ops.rl_replays_found`; they are fetched apart from it (`archive`). The first
look lists the player's history, all since `wanted_since`; the later ones what was uploaded since the last, however long
ago it was played.
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
# Who plays in a replay is known once ballchasing has read it, and until then it is in nobody's list.
_OVERLAP = timedelta(days=1)


def find(
    url: SecretStr,
    api: BallchasingApi,
    *,
    now: datetime,
    every: timedelta = POLL_INTERVAL,
    deadline: float = float("inf"),
) -> PollResult[str]:
    """Ask ballchasing for the new replays of players whose turn it is, and enter them in the register.

    Of those who are active and agreed to it, who was asked for longest ago comes first, so that a look that ends early
    goes on with the next ones.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        api: the client.
        now: the time.
        every: how long a player is left alone after a look.
        deadline: time of `time.monotonic` after which nobody is asked for.

    Returns:
        Players by id.

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
        # As it was entered: whether capitals matter to ballchasing is not documented.
        platform, _, account = player["player_id"].partition("_")
        asked = f"{platform}_{player['account'] or account}"
        listed = api.list_replays(asked, since=player["wanted_since"], uploaded_since=uploaded_since)
        return player["player_id"], [replay.id.strip().lower() for replay in listed]

    def note(player: Row, listed: str | None, error: str | None) -> None:
        # Who is not in the list of players any more has no state of looks.
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
"""Found replays whose time to be fetched has come, those found first at the front."""


def take(url: SecretStr, api: BallchasingApi, ballchasing_ids: Sequence[str], *, files: bool) -> tuple[MatchFetch, ...]:
    """Fetch replays that somebody named, as `archive` does; those that ballchasing has yet to read stay wanted."""
    _REPLAYS.add(url, ballchasing_ids)
    return archive(url, api, ballchasing_ids, files=files)


def archive(
    url: SecretStr, api: BallchasingApi, ballchasing_ids: Collection[str], *, files: bool = False
) -> tuple[MatchFetch, ...]:
    """Fetch what is missing of replays into the landing zone, and enter in the register what became of them.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        api: the client.
        ballchasing_ids: ballchasing's ids of the replays.
        files: whether their files are wanted beside their statistics.

    Raises:
        UnauthorisedError: without a token, or with one that is not accepted; what was not fetched stays wanted.
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
    """Upload a replay to ballchasing, and have its statistics fetched once ballchasing has read it: they tell ranks.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        api: the client.
        landing: knows who was forgotten.
        replay: the file, plain or gzipped.
        visibility: who may see it there.
        group: id of the group of replays to put it in.

    Raises:
        SourcePathError: when the file cannot be read.
        UnreadableContentError: when it is gzipped and damaged.
        UnrecognisedContentError: when it is no replay, or names somebody who was forgotten: it is not sent.
        ApiError: see `BallchasingApi.upload`.
    """
    try:
        content = decompressed(replay.read_bytes())
    except OSError as error:
        raise SourcePathError(f"{replay} cannot be read: {error.strerror}.") from None
    found = recognise(content)
    if found.kind != REPLAY:
        raise UnrecognisedContentError("It is no replay but what ballchasing tells of one.")
    if forgotten(content, found, landing):
        raise UnrecognisedContentError("A player of this match was forgotten on request, so it is not sent.")
    uploaded = api.upload(replay, visibility=visibility, group=group)
    _REPLAYS.add(url, [uploaded.id.lower()])
    return uploaded


def find_and_fetch(url: SecretStr, api: BallchasingApi, *, now: datetime, files: bool = False) -> FetchReport[str]:
    """Look for new replays of every active player who agreed to it, and fetch those that wait, however long that takes.

    Raises:
        UnauthorisedError: without a token, or with one that is not accepted.
    """
    found = find(url, api, now=now, every=timedelta())
    fetched: list[MatchFetch] = []
    while batch := pending(url):
        fetched += archive(url, api, [replay.match_id for replay in batch], files=files)
    return FetchReport(tuple(found.asked), tuple(found.unknown_names), tuple(fetched), tuple(found.errors))
