"""Replays of the user's own matches: the newest, and moments from all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, LiteralString

from psycopg import sql
from pydantic import BaseModel, Field

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.skills import SKILL
from gamestats_assets.rocket_league.serving.context import NEXT, Newest, accounts, own_answer, rounded, tier_words
from gamestats_assets.rocket_league.serving.replays.replay import Kind
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.rocket_league.tables.replays import MISTAKES
from gamestats_assets.serving.answers.lines import Lines, are_published, rows_of
from gamestats_assets.serving.answers.routes import Made, Name
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.people.own import OwnRouter, Scope, show_matches

router = OwnRouter(GAME, "/replays")
"""Comes before the router of `replay`, which would take its paths for ids of replays."""
RECENT_TABLES = (t.Matches, t.PlayerStats)


class Board(BaseModel):
    """The scoreboard's row of the user's own account; null if unknown."""

    player_name: Annotated[str | None, Field(description="Name in this match.")]
    team: Annotated[str | None, Field(description="blue (team 0) or orange (team 1).")]
    score: Annotated[int | None, Field(description="Points.")]
    goals: Annotated[int | None, Field(description="Goals.")]
    assists: Annotated[int | None, Field(description="Assists.")]
    saves: Annotated[int | None, Field(description="Saves.")]
    shots: Annotated[int | None, Field(description="Shots on goal.")]
    is_mvp: Annotated[bool | None, Field(description="Whether the player was the best of the winning team.")]
    rank_tier: Annotated[int | None, Field(description="Rank at the time, 1 to 22.")]
    rank: Annotated[str | None, Field(description="The same in words.")]


class SkillInMatch(BaseModel):
    """A skill in one match."""

    skill: Annotated[str, Field(description="The skill.")]
    value: Annotated[float, Field(description="In standard deviations of matches of the rank; 0 is their mean.")]
    percentile: Annotated[
        float | None, Field(description="Share of the cohort's matches below, in per cent; null without a cohort.")
    ]


_MATCH = ("match_id", "player_id", "ballchasing_id", "playlist", "duration_s", "score_team_0", "score_team_1", "result")
_MATCH += ("is_simulated", "processed_at", "created_at")
REPLAY = Lines(
    "ReplayInList",
    t.Matches,
    {
        **{name: name for name in _MATCH},
        "board": Board,
        "skills": Annotated[list[SkillInMatch], Field(description="Skills with a known value in the match.")],
        "has_replay": Annotated[bool, Field(description="Whether its replay was read.")],
    },
    digits={"duration_s": 1},
)
RecentReplays = own_answer("RecentReplays", replays=list[REPLAY.model], next=NEXT)


class NewestReplays(Newest):
    """Matches, newest first."""

    playlist: Annotated[Name | None, Field(description="Only this playlist.")] = None


@router.asks("/recent", "The newest matches", RecentReplays, RECENT_TABLES, "player")
async def recent_replays(conn: Connection, asked: NewestReplays, scope: Scope) -> Made:
    """The matches of the user's accounts, newest first, with their scoreboard and skills in each."""
    rows: list[dict[str, Any]] = []
    if await are_published(conn, *RECENT_TABLES):
        bound = {**asked.place, "players": [*accounts(asked, scope)], "playlist": asked.playlist}
        rows = await rows_of(conn, _RECENT, bound)
    # If two own accounts played a match, each has a row.
    for row in rows:
        row["place"] = f"{row['match_id']}.{row['player_id']}"
    part, place = asked.part(rows, "created_at", "place")
    skills = await _skills(conn, part)
    return {"data": {"replays": [_replay(row, skills) for row in part], "next": place}}


_RECENT = REPLAY.select("replay_data") + sql.SQL("""
    WHERE player_id = ANY (%(players)s) AND (%(playlist)s::text IS NULL OR playlist = %(playlist)s)
        AND (%(before_at)s::timestamptz IS NULL
            OR (created_at, match_id || '.' || player_id) < (%(before_at)s, %(before_id)s))
    ORDER BY created_at DESC, match_id || '.' || player_id DESC LIMIT %(limit)s
""")
_SKILLS = """
    SELECT player_id, match_id, stat_type, value, rank_percentile
    FROM rocket_league.player_stats JOIN unnest(%(matches)s::text[]) AS part (match_id) USING (match_id)
    WHERE player_id = ANY (%(players)s) AND time BETWEEN %(first)s AND %(last)s AND stat_type = ANY (%(stats)s)
"""
_Skills = Mapping[tuple[str, str], Sequence[dict[str, Any]]]


async def _skills(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> _Skills:
    """Returns the known skills, by match and account."""
    by_match: dict[tuple[str, str], list[dict[str, Any]]] = {}
    if not rows:
        return by_match
    times = [row["created_at"] for row in rows]
    bound = {"first": min(times), "last": max(times), "stats": [f"{SKILL}{skill}" for skill in SKILLS]}
    bound |= {"players": [*{row["player_id"] for row in rows}], "matches": [*{row["match_id"] for row in rows}]}
    for row in await rows_of(conn, _SKILLS, bound):
        percentile = rounded(row["rank_percentile"], 1)
        line = {"skill": row["stat_type"].removeprefix(SKILL), "value": round(row["value"], 3)}
        by_match.setdefault((row["match_id"], row["player_id"]), []).append({**line, "percentile": percentile})
    return by_match


def _replay(row: Mapping[str, Any], skills: _Skills) -> dict[str, Any]:
    data: Mapping[str, Any] = row["replay_data"]
    board = {name: data.get(name) for name in Board.model_fields}
    of_match = sorted(skills.get((row["match_id"], row["player_id"]), ()), key=lambda each: SKILLS.index(each["skill"]))
    return REPLAY.line(
        row,
        board={**board, "rank": tier_words(board["rank_tier"])},
        skills=of_match,
        has_replay=data.get("stats_source") == "replay",
    )


# --------------------------------------------------------------------------- moments over matches

CLIP_TABLES = (t.ReplayMoments, t.PlayerMistakes, t.Matches, t.Participants)
BEFORE_S, AFTER_S = 5.0, 3.0
"""Seconds that a clip shows before and after its moment."""
_CLIP = ("match_id", "moment_number", "kind", "time_s", "end_s", "is_aerial", "x_uu", "y_uu", "z_uu", "speed_uu_s")
CLIP = Lines(
    "Clip",
    t.Moments,
    {
        **{name: name for name in _CLIP},
        "player_id": Annotated[str, Field(description="The account.")],
        "player": Annotated[int | None, Field(description="Index among the players, as in the track.")],
        "started_at": Annotated[datetime, Field(description="When the match began.")],
        "playlist": Annotated[str, Field(description="Playlist of the match.")],
        "from_s": Annotated[float, Field(description="Beginning of the clip, in seconds since the replay began.")],
        "to_s": Annotated[float, Field(description="End of the clip.")],
    },
    digits={"time_s": 3, "end_s": 3, "x_uu": 0, "y_uu": 0, "z_uu": 0, "speed_uu_s": 0},
)
ClipList = own_answer("ClipList", clips=list[CLIP.model], next=NEXT)


class NewestClips(NewestReplays):
    """Moments of one kind, newest first."""

    kind: Annotated[Kind, Field(description="Kind of moments.", examples=["conceded"])]


@router.asks("/clips", "Your moments of one kind", ClipList, CLIP_TABLES, "tables")
async def clips(conn: Connection, asked: NewestClips, scope: Scope) -> Made:
    """The user's moments of one kind from all matches, newest first, as a list to watch."""
    rows: list[dict[str, Any]] = []
    if await are_published(conn, *CLIP_TABLES):
        bound = {**asked.place, "players": [*accounts(asked, scope)], "kind": asked.kind, "playlist": asked.playlist}
        rows = await rows_of(conn, _CLIPS[t.PlayerMistakes if asked.kind in MISTAKES else t.ReplayMoments], bound)
    part, place = asked.part(rows, "started_at", "key")
    places: dict[tuple[str, str], int] = {}
    if part:
        # A user with a moment in a match may see the whole match.
        await show_matches(conn, [*{row["match_id"] for row in part}])
        seats = await rows_of(conn, _PLACES, [[row["match_id"] for row in part]])
        places = {(row["match_id"], row["player_id"]): row["place"] for row in seats}
    lines = [
        CLIP.line(
            row,
            player=places.get((row["match_id"], row["player_id"])),
            from_s=round(max(row["time_s"] - BEFORE_S, 0), 3),
            to_s=round((row["end_s"] or row["time_s"]) + AFTER_S, 3),
        )
        for row in part
    ]
    return {"data": {"clips": lines, "next": place}}


_KEY: LiteralString = "match_id || '.' || lpad(moment_number::text, 6, '0')"
_CLIPS = {
    table: CLIP.select(
        of=table,
        match_id="match_id",
        player_id="player_id",
        started_at="m.created_at",
        playlist="m.playlist",
        key=_KEY,
        player="NULL",
        from_s="NULL",
        to_s="NULL",
    )
    + sql.SQL("""
    JOIN rocket_league.matches m USING (player_id, match_id)
    WHERE player_id = ANY (%(players)s) AND kind = %(kind)s
        AND (%(playlist)s::text IS NULL OR m.playlist = %(playlist)s)
        AND (%(before_at)s::timestamptz IS NULL OR (m.created_at, {key}) < (%(before_at)s, %(before_id)s))
    ORDER BY m.created_at DESC, {key} DESC LIMIT %(limit)s
""").format(key=sql.SQL(_KEY))
    for table in (t.ReplayMoments, t.PlayerMistakes)
}
_PLACES = """
    SELECT match_id, player_id,
        (row_number() OVER (PARTITION BY match_id ORDER BY team, player_id COLLATE "C"))::int - 1 AS place
    FROM rocket_league.participants WHERE match_id = ANY (%s)
"""
