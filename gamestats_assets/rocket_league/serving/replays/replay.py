"""One replay: progress of its analysis, scoreboard, own analysis, moments, and the track for the viewer.

A replay is identified by its match or, for its sender, by the upload. It is visible to its players, to their guests,
and to its sender: the scoreboard and events of all, but analysis and mistakes only of these accounts.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from psycopg import sql
from pydantic import AfterValidator, Field
from starlette.responses import Response, StreamingResponse

from gamestats_assets.lakehouse.files.objects import MissingObjectError, Objects
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.players.identities import distinct_names
from gamestats_assets.rocket_league.serving.context import (
    STATS,
    OfStatistic,
    cohort_of,
    describe_stat,
    own_answer,
    rounded,
    tier_words,
)
from gamestats_assets.rocket_league.serving.replays.uploads import upload_status
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.rocket_league.tables.replays import KINDS_OF_MOMENT, MISTAKES
from gamestats_assets.serving.answers.lines import Lines, are_published, rows_of
from gamestats_assets.serving.answers.routes import Made, Name, ask
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.principal import SignedIn
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.people.own import OfPlayer, OwnRouter, Scope, reading, scope_of, show_matches

own = OwnRouter(GAME, "/replays")
SHOWN_TABLES = (t.MatchFacts, t.Participants)
"""Tables that a replay needs."""
REPLAY_TABLES = (
    *SHOWN_TABLES,
    t.Matches,
    t.PlayerStats,
    t.RankCohorts,
    t.RankPredictions,
    t.ReplayMoments,
    t.PlayerMistakes,
)
REPLAY_TABLES += (t.ReplayTracks,)
USUAL_MATCHES = 50
"""Number of latest other matches of the playlist; their mean is the usual value."""
FEWEST_USUAL = 5
"""Matches needed for a usual value."""
_FAR = 1.645
_MATCH_ID = re.compile(r"[0-9A-F]{32}")
_UPLOAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class OfReplay(OfPlayer):
    """A replay."""

    id: Annotated[
        Name,
        Field(description="Id of the match, or of an upload of yours.", examples=["4B7D3F0D11F0A1B2C3D4E5F60718293A"]),
    ]


@dataclass(frozen=True, slots=True)
class Found:
    """A replay that may be shown.

    Attributes:
        match_id: None until the upload has been read.
        players: accounts of the scope that played it, the requested one first.
        upload: row of `uploads.Status`; None if the user did not send it.
    """

    match_id: str | None
    players: Sequence[str]
    upload: Mapping[str, Any] | None


async def find_replay(conn: Connection, replay_id: str, scope: Scope) -> Found:
    """Returns the replay of a match or an upload; afterwards PostgreSQL shows all rows of its match.

    Raises:
        ProblemError: 404 if there is none that the user may see.
    """
    upload, match_id = None, replay_id.upper()
    if _UPLOAD_ID.fullmatch(replay_id.lower()):
        upload = await upload_status(conn, replay_id.lower(), scope)
        match_id = upload["match_id"] if upload else None
    elif _MATCH_ID.fullmatch(match_id):
        sent = await rows_of(conn, _SENT, [scope.user_id, match_id])
        upload = await upload_status(conn, sent[0]["upload_id"], scope) if sent else None
    else:
        match_id = None
    players: list[str] = []
    if match_id is not None and await are_published(conn, *SHOWN_TABLES):
        played = await rows_of(conn, _PLAYED, [match_id, [*scope.may_see]])
        players = [row["player_id"] for row in played]
    if not players and upload is None:
        raise ProblemError(404, f"You have no replay {replay_id[:80]!r}.")
    if match_id is not None:
        await show_matches(conn, [match_id])
    order = [scope.player, *scope.players]
    players.sort(key=lambda each: order.index(each) if each in order else len(order))
    return Found(match_id, players, upload)


_SENT = "SELECT upload_id FROM ops.rl_uploads WHERE user_id = %s AND match_id = %s ORDER BY created_at DESC LIMIT 1"
_PLAYED = """
    SELECT player_id FROM rocket_league.participants WHERE match_id = %s AND player_id = ANY (%s) ORDER BY player_id
"""


# --------------------------------------------------------------------------- what is answered

FACTS = Lines(
    "MatchOfReplay",
    t.MatchFacts,
    {
        **{name: name for name in ("match_id", "replay_id", "ballchasing_id", "started_at", "map_code", "playlist")},
        **{name: name for name in ("is_ranked", "is_soccar", "team_size", "season", "duration_s", "went_to_overtime")},
        "score_team_0": "blue_score",
        "score_team_1": "orange_score",
        "result": Annotated[str | None, Field(description="win, loss or draw of the account.")],
        "is_simulated": "is_simulated",
        "processed_at": "landed_at",
        "has_frames": "has_frames",
        "has_track": Annotated[bool, Field(description="Whether the viewer can show it.")],
    },
    digits={"duration_s": 1},
)
_BOARD = ("player_name", "team", "rank_tier", "score", "goals", "assists", "saves", "shots", "demos_inflicted")
_BOARD += ("demos_taken", "is_mvp")
PLAYER = Lines(
    "PlayerOfReplay",
    t.Participants,
    {
        "place": Annotated[int, Field(description="Index among the players, from 0, as in the track.")],
        "is_own": Annotated[bool, Field(description="Whether you may see this account.")],
        **{name: name for name in _BOARD},
        "rank": Annotated[
            str | None,
            Field(description="Rank in words; for your accounts the entered rank if no other is known."),
        ],
    },
)


class Feature(OfStatistic):
    """A statistic of the account in the match, compared with its usual value and with players of its rank."""

    value: Annotated[float, Field(description="Value in this match.")]
    usual: Annotated[
        float | None, Field(description=f"Mean over the latest other matches of the playlist, at most {USUAL_MATCHES}.")
    ]
    usual_spread: Annotated[float | None, Field(description="Standard deviation between these.")]
    usual_matches: Annotated[int, Field(description="Number of these matches.")]
    is_unusual: Annotated[
        bool | None, Field(description="Whether it is farther from the usual value than nine of ten matches.")
    ]
    cohort_mean: Annotated[float | None, Field(description="Mean of players of the rank; null without a cohort.")]
    cohort_players: Annotated[int | None, Field(description="Number of these players.")]
    percentile: Annotated[float | None, Field(description="Share of the cohort's matches below it, in per cent.")]


_PLACE = Annotated[int | None, Field(description="Index of the player among the players; null if unknown.")]
MOMENT = Lines(
    "Moment",
    t.Moments,
    {
        **{name: name for name in ("moment_number", "kind", "time_s", "end_s")},
        "player": _PLACE,
        "other_player": Annotated[int | None, Field(description="Index of the other player among the players.")],
        "is_own": Annotated[bool, Field(description="Whether you may see this account.")],
        "is_mistake": Annotated[bool, Field(description="Whether it is a mistake of the player.")],
        **{name: name for name in ("team", "x_uu", "y_uu", "z_uu", "is_aerial", "speed_uu_s")},
    },
    digits={"time_s": 3, "end_s": 3, "x_uu": 0, "y_uu": 0, "z_uu": 0, "speed_uu_s": 0},
)
OneReplay = own_answer(
    "OneReplay",
    status=Annotated[Literal["queued", "processing", "done", "failed"], Field(description="State of the analysis.")],
    said=Annotated[str | None, Field(description="Progress, in words.")],
    error=Annotated[str | None, Field(description="Why the analysis failed.")],
    upload_id=Annotated[str | None, Field(description="The upload, if it is yours.")],
    file_name=Annotated[str | None, Field(description="Name of the uploaded file.")],
    match=Annotated[FACTS.model | None, Field(description="The match; null until it has been read.")],
    players=Annotated[list[PLAYER.model], Field(description="The scoreboard: blue first.")],
    player=Annotated[int | None, Field(description="Index of the analysed account among the players.")],
    analysis=Annotated[list[Feature], Field(description="How the account played.")],
    moments=Annotated[list[MOMENT.model], Field(description="Events, and the account's own mistakes.")],
    note=Annotated[str | None, Field(description="Why there is no analysis; null if there is one.")],
)


@own.asks("/{id}", "One replay", OneReplay, REPLAY_TABLES, "never", needs_player=False)
async def one_replay(conn: Connection, asked: OfReplay, scope: Scope) -> Made:
    """A replay: progress of its analysis, the scoreboard, own analysis, and events.

    The analysis compares each feature with the usual value, the mean over the latest other matches of the playlist, and
    with matches of players of the rank. Other players have only the scoreboard and events.

    Raises:
        ProblemError: 404 if there is none that the user may see.
    """
    shown = await find_replay(conn, asked.id, scope)
    upload = shown.upload or {}
    data: dict[str, Any] = {
        "status": "done",
        "said": upload.get("said"),
        "error": upload.get("error"),
        "upload_id": str(upload["replay_id"]) if upload else None,
        "file_name": upload.get("file_name"),
        **await shown_replay(conn, shown.match_id, shown.players),
    }
    if data["match"] is None or upload.get("state") in ("queued", "processing"):
        data["status"] = upload.get("state", "processing")
    return {"data": data, "about": {"is_simulated": bool(data["match"] and data["match"]["is_simulated"])}}


async def shown_replay(conn: Connection, match_id: str | None, players: Sequence[str]) -> dict[str, Any]:
    """Returns the data of a match, in a transaction that may see it (`show_matches`).

    Args:
        players: accounts whose analysis and mistakes are shown, the requested one first.
    """
    empty: dict[str, Any] = {"match": None, "players": [], "player": None, "analysis": [], "moments": [], "note": None}
    if match_id is None or not await are_published(conn, *SHOWN_TABLES):
        return empty
    has_tracks = await are_published(conn, t.ReplayTracks, t.ReplayMoments)
    facts = await rows_of(conn, _FACTS, [match_id])
    if not facts:
        return empty
    board = await board_of(conn, match_id, players)
    board = await _with_entered_ranks(conn, board, facts[0]["playlist"])
    own = next((row for row in board if players and row["player_id"] == players[0]), None)
    has_track = has_tracks and bool(await rows_of(conn, _HAS_TRACK, [match_id]))
    analysis = await _analysis(conn, match_id, players[0]) if own else []
    note = None
    if own is None:
        note = "None of your accounts played this match, so only the scoreboard and the timeline are shown."
    elif not analysis:
        note = _WITHOUT[bool(facts[0]["is_soccar"])]
    return {
        "match": FACTS.line(facts[0], result=own and own["result"], has_track=has_track),
        "players": [PLAYER.line(row, rank=tier_words(row["rank_tier"])) for row in board],
        "player": own and own["place"],
        "analysis": analysis,
        "moments": await _moments(conn, match_id, board) if has_tracks else [],
        "note": note,
    }


_WITHOUT = {
    True: "The account's own tables do not exist yet, or the account has not agreed to the analysis.",
    False: "This mode is not played with a ball and two goals, as features require.",
}
_FACTS = FACTS.select("is_soccar") + sql.SQL(" WHERE match_id = %s")
_HAS_TRACK = "SELECT 1 FROM rocket_league.replay_tracks WHERE match_id = %s"


async def board_of(conn: Connection, match_id: str, players: Sequence[str]) -> list[dict[str, Any]]:
    """Returns the players of a match in the order of tracks: blue first, then by account."""
    rows = await rows_of(conn, _PLAYERS, [match_id])
    names = distinct_names([row["player_name"] for row in rows])
    return [
        {**row, "place": place, "player_name": name, "is_own": row["player_id"] in players}
        for place, (row, name) in enumerate(zip(rows, names, strict=True))
    ]


async def _with_entered_ranks(
    conn: Connection, board: Sequence[Mapping[str, Any]], playlist: str
) -> list[dict[str, Any]]:
    """Returns the board, with entered ranks of own accounts if no other is known."""
    unknown = [row["player_id"] for row in board if row["is_own"] and row["rank_tier"] is None]
    rows = await rows_of(conn, _ENTERED_RANKS, [unknown, playlist]) if unknown else []
    tiers = {row["player_id"]: row["tier"] for row in rows}
    return [{**row, "rank_tier": tiers.get(row["player_id"], row["rank_tier"])} for row in board]


_ENTERED_RANKS = "SELECT player_id, tier FROM ops.rl_ranks WHERE player_id = ANY (%s) AND playlist = %s"
_PLAYERS = sql.SQL(
    "SELECT player_id, result, {} FROM rocket_league.participants WHERE match_id = %s "
    'ORDER BY team, player_id COLLATE "C"'
).format(sql.SQL(", ").join(map(sql.Identifier, _BOARD)))


async def _analysis(conn: Connection, match_id: str, player: str) -> list[dict[str, Any]]:
    if not await are_published(conn, t.Matches, t.PlayerStats, t.RankPredictions):
        return []
    bound: dict[str, Any] = {"player": player, "match": match_id, "most": USUAL_MATCHES}
    this = await rows_of(conn, _THIS, bound)
    if not this:
        return []
    bound |= this[0]
    # Separate statements, so that PostgreSQL knows which monthly partitions to read.
    others = await rows_of(conn, _OTHERS, bound)
    values = await rows_of(conn, _VALUES, bound)
    times = [row["created_at"] for row in others] or [bound["created_at"]]
    bound |= {"others": [row["match_id"] for row in others], "first": min(times), "last": max(times)}
    usual = {row["stat_type"]: row for row in await rows_of(conn, _USUAL, bound)}
    cohort = await cohort_of(conn, bound)
    nothing = {"usual": None, "usual_spread": None, "usual_matches": 0}
    of_match = {row["stat_type"]: row for row in values}
    return [
        _feature({**nothing, **usual.get(name, {}), **of_match[name]}, cohort.get(name, {}))
        for name in STATS
        if name in of_match
    ]


_THIS = """
    SELECT m.playlist, m.is_simulated, m.created_at, p.known_tier AS rank_tier
    FROM rocket_league.matches m
    LEFT JOIN rocket_league.rank_predictions p
        ON p.player_id = m.player_id AND p.playlist = m.playlist AND p.is_simulated = m.is_simulated
    WHERE m.player_id = %(player)s AND m.match_id = %(match)s
"""
_OTHERS = """
    SELECT match_id, created_at FROM rocket_league.matches
    WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(is_simulated)s
        AND match_id <> %(match)s
    ORDER BY created_at DESC LIMIT %(most)s
"""
_VALUES = """
    SELECT stat_type, value, rank_percentile AS percentile FROM rocket_league.player_stats
    WHERE player_id = %(player)s AND time = %(created_at)s AND match_id = %(match)s
"""
_USUAL = """
    SELECT stat_type, avg(value) AS usual, stddev_samp(value) AS usual_spread, count(*)::int AS usual_matches
    FROM rocket_league.player_stats JOIN unnest(%(others)s::text[]) AS others (match_id) USING (match_id)
    WHERE player_id = %(player)s AND time BETWEEN %(first)s AND %(last)s
    GROUP BY 1
"""


def _feature(row: Mapping[str, Any], cohort: Mapping[str, Any]) -> dict[str, Any]:
    is_usual = row["usual_matches"] >= FEWEST_USUAL
    usual, spread = (row[name] if is_usual else None for name in ("usual", "usual_spread"))
    return {
        **describe_stat(row["stat_type"]),
        "value": rounded(row["value"]),
        "usual": rounded(usual),
        "usual_spread": rounded(spread),
        "usual_matches": row["usual_matches"],
        "is_unusual": None if usual is None or not spread else abs(row["value"] - usual) > _FAR * spread,
        "cohort_mean": cohort.get("mean"),
        "cohort_players": cohort.get("players"),
        "percentile": rounded(row["percentile"], 1),
    }


# --------------------------------------------------------------------------- moments


def _is_kind(given: str) -> str:
    if given not in KINDS_OF_MOMENT:
        raise ValueError(f"should be one of {', '.join(KINDS_OF_MOMENT)}")
    return given


Kind = Annotated[str, AfterValidator(_is_kind), Field(json_schema_extra={"enum": [*KINDS_OF_MOMENT]})]
"""A kind of moments."""


class OfMoments(OfReplay):
    """Moments of a replay."""

    kind: Annotated[Kind | None, Field(description="Only this kind.")] = None


MomentList = own_answer("MomentList", match_id=str, players=list[PLAYER.model], moments=list[MOMENT.model])


@own.asks("/{id}/moments", "Moments of a replay", MomentList, REPLAY_TABLES, "never", needs_player=False)
async def replay_moments(conn: Connection, asked: OfMoments, scope: Scope) -> Made:
    """Goals, shots, saves and demolitions of a replay, and the user's own mistakes, by time.

    Raises:
        ProblemError: 404 if the replay does not exist or has not been read yet.
    """
    shown = await find_replay(conn, asked.id, scope)
    if shown.match_id is None:
        raise ProblemError(404, "The replay has not been read yet; GET /replays/{id} shows the progress.")
    board = await board_of(conn, shown.match_id, shown.players)
    has_moments = await are_published(conn, t.ReplayMoments)
    moments = await _moments(conn, shown.match_id, board, asked.kind) if has_moments else []
    players = [PLAYER.line(row, rank=tier_words(row["rank_tier"])) for row in board]
    return {"data": {"match_id": shown.match_id, "players": players, "moments": moments}}


async def _moments(
    conn: Connection, match_id: str, board: Sequence[Mapping[str, Any]], kind: str | None = None
) -> list[dict[str, Any]]:
    own = [row["player_id"] for row in board if row["is_own"]]
    places = {row["player_id"]: row["place"] for row in board}
    bound = {"match": match_id, "kind": kind, "own": own}
    rows = await rows_of(conn, _HAPPENED, bound)
    if own and await are_published(conn, t.PlayerMistakes):
        rows = [*rows, *await rows_of(conn, _MISTAKES, bound)]
    return [
        MOMENT.line(
            row,
            player=places.get(row["player_id"]),
            other_player=places.get(row["other_player_id"]),
            is_own=row["player_id"] in own,
            is_mistake=row["kind"] in MISTAKES,
        )
        for row in sorted(rows, key=lambda row: row["moment_number"])
    ]


_HAPPENED, _MISTAKES = (
    MOMENT.select("player_id", "other_player_id", of=table)
    + sql.SQL(" WHERE match_id = %(match)s AND (%(kind)s::text IS NULL OR kind = %(kind)s)")
    for table in (t.ReplayMoments, t.PlayerMistakes)
)
_MISTAKES += sql.SQL(" AND player_id = ANY (%(own)s)")


# --------------------------------------------------------------------------- the track

router = APIRouter(prefix="/replays", tags=["replays"])
_TRACK = "SELECT track, bytes FROM rocket_league.replay_tracks WHERE match_id = %s"
_BINARY: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.get(
    "/{id}/track",
    summary="The viewer's track of a replay",
    operation_id="replay_track",
    response_class=Response,
    responses={200: {"content": _BINARY, "description": "The track, gzipped; replays/track_format.py describes it."}},
)
async def track(
    request: Request, person: SignedIn, id: Annotated[Name, Path(description="Id of a match, or of your upload.")]
) -> Response:
    """All positions ten times a second, as one binary object that can be shown while it arrives."""
    asked = ask(OfReplay, request)
    scope = await scope_of(request, person, GAME, asked.player, needs_player=False)
    async with reading(request, scope) as conn:
        shown = await find_replay(conn, asked.id, scope)
        return await track_of(request, conn, shown.match_id)


async def track_of(request: Request, conn: Connection, match_id: str | None) -> Response:
    """Returns the track of a match that may be shown, as a stream; 304 if the browser has it already.

    Raises:
        ProblemError: 404 if there is none, 503 while it is being replaced.
    """
    has_tracks = match_id is not None and await are_published(conn, t.ReplayTracks)
    rows = await rows_of(conn, _TRACK, [match_id]) if has_tracks else []
    if not rows:
        raise ProblemError(404, "There is no track of this replay: it has not been read yet, or has no frames.")
    name, size = rows[0]["track"], rows[0]["bytes"]
    objects: Objects = request.state.objects
    tag = f'"{name.rpartition("/")[2]}"'
    # Permission may end any time, so browsers must revalidate; the content under a tag never changes.
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    has = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if tag in has:
        return Response(None, 304, headers)
    try:
        pieces = objects.stream(name)
    except MissingObjectError:
        detail = "The track was replaced a moment ago. Try again."
        raise ProblemError(503, detail, headers={"Retry-After": "1"}) from None
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers |= {"Content-Encoding": "gzip", "Content-Length": str(size)}
    else:
        pieces = _unpacked(pieces)
    return StreamingResponse(pieces, 200, headers, "application/octet-stream")


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for piece in pieces:
        yield unpacking.decompress(piece)
    yield unpacking.flush()
