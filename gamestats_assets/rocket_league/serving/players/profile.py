"""`/api/v1/users`: the user's accounts, statistics, entered ranks and retention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.encryption import EncryptionKeyError, Keys
from gamestats_assets.lakehouse.postgres.server import has_table
from gamestats_assets.rocket_league.players.entered import PLAYER, RANK
from gamestats_assets.rocket_league.reference.ranks import UnknownRankError, parse_rank, tier_id
from gamestats_assets.rocket_league.serving.context import (
    CONTEXT_TABLES,
    STATS,
    Of,
    OfDays,
    OfStatistic,
    OwnAccount,
    choose,
    describe_stat,
    model_of,
    own_answer,
    rounded,
    tier_words,
)
from gamestats_assets.rocket_league.serving.players.training import refuse_untracked
from gamestats_assets.rocket_league.serving.privacy.decisions import custody
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.rocket_league.tables import PlayerStats, RlRanks, Users
from gamestats_assets.serving.accounts import users
from gamestats_assets.serving.answers.formats import json_answer
from gamestats_assets.serving.answers.lines import Lines, rows_of
from gamestats_assets.serving.answers.routes import Made, Name
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.principal import Person, SignedIn
from gamestats_assets.serving.middleware.problems import only_known
from gamestats_assets.serving.people.own import OwnRouter, Scope

own = OwnRouter(GAME, "/users")
router = APIRouter(prefix="/users", tags=["users"], dependencies=[Depends(only_known)])


# --------------------------------------------------------------------------- profile

_RANK_COLUMNS = {name: name for name in ("playlist", "tier", "division", "updated_at")}
ENTERED_RANK = Lines("EnteredRank", RlRanks, {**_RANK_COLUMNS, "rank": Annotated[str, Field(description="In words.")]})
Account = model_of(
    "PlayerAccount",
    player_id=Annotated[str, Field(description="Platform and account.")],
    username=Annotated[str, Field(description="Display name.")],
    current_rank=Annotated[str | None, Field(description="Highest current rank in any playlist.")],
    current_rank_tier=Annotated[int | None, Field(description="The same as a number, 1 to 22.")],
    is_analysed=Annotated[bool, Field(description="Whether the account agreed to the analysis.")],
    ranks=Annotated[list[ENTERED_RANK.model], Field(description="Ranks that you entered.")],
)
Profile = model_of(
    "Profile",
    id=Annotated[int, Field(description="Number of the user.")],
    username=Annotated[str, Field(description="Name that others see.")],
    steam_id=Annotated[str | None, Field(description="Steam account; the first of several.")],
    epic_id=Annotated[str | None, Field(description="Epic account; the first of several.")],
    email=Annotated[str | None, Field(description="E-mail address, if entered; it is stored encrypted.")],
    current_rank=Annotated[str | None, Field(description="Highest current rank of all accounts.")],
    created_at=Annotated[datetime, Field(description="When the user was added.")],
    updated_at=Annotated[datetime, Field(description="When an account was last changed.")],
    players=Annotated[list[Account], Field(description="The accounts of the game.")],
)
ProfileAnswer = model_of("ProfileAnswer", data=Profile)


@router.get("/profile", responses={200: {"model": ProfileAnswer}}, summary="Your profile")
def own_profile(request: Request, person: SignedIn) -> Response:
    """The user, with accounts of the game, their current ranks and entered ranks."""
    with request.state.writing() as conn:
        return json_answer({"data": profile_of(conn, request.state.keys, person)})


def profile_of(conn: psycopg.Connection, keys: Keys, person: Person) -> dict[str, Any]:
    """Returns the profile of a user, from a connection that shows only the user's own rows."""
    [user] = ops.rows(conn, "SELECT name, created_at FROM accounts.users WHERE user_id = %s", [person.user_id])
    own = [[*person.players.get(GAME, ())]]
    query = "SELECT * FROM ops.rl_players WHERE player_id = ANY (%s)"
    entered = {row["player_id"]: row for row in ops.rows(conn, query, own)}
    ranks: dict[str, list[dict[str, Any]]] = {}
    query = "SELECT * FROM ops.rl_ranks WHERE player_id = ANY (%s) ORDER BY playlist"
    for row in ops.rows(conn, query, own):
        ranks.setdefault(row["player_id"], []).append(ENTERED_RANK.line(row, rank=tier_words(row["tier"])))
    highest_ranks: dict[str, ops.Row] = {}
    if has_table(conn, GAME, Users.spec.name):
        query = "SELECT player_id, current_rank, current_rank_tier FROM rocket_league.users WHERE player_id = ANY (%s)"
        highest_ranks = {row["player_id"]: row for row in ops.rows(conn, query, own)}
    accounts = [
        {
            "player_id": player,
            "username": entered.get(player, {}).get("username", player),
            "current_rank": highest_ranks.get(player, {}).get("current_rank"),
            "current_rank_tier": highest_ranks.get(player, {}).get("current_rank_tier"),
            "is_analysed": entered.get(player, {}).get("consented_at") is not None,
            "ranks": ranks.get(player, []),
        }
        for player in person.players.get(GAME, ())
    ]
    highest = max((each["current_rank_tier"] or 0 for each in accounts), default=0)
    return {
        "id": person.user_id,
        "username": user["name"],
        **{f"{kind}_id": _first(person, f"{kind}_") for kind in ("steam", "epic")},
        "email": email_of(conn, keys, own[0]),
        "current_rank": tier_id(highest) if highest else None,
        "created_at": user["created_at"],
        "updated_at": max([user["created_at"], *(row["updated_at"] for row in entered.values())]),
        "players": accounts,
    }


def _first(person: Person, platform: str) -> str | None:
    accounts = (player for player in person.players.get(GAME, ()) if player.startswith(platform))
    return next((player.removeprefix(platform) for player in accounts), None)


def email_of(conn: psycopg.Connection, keys: Keys, players: Sequence[str]) -> str | None:
    """Returns the e-mail address of some accounts; None if it cannot be decrypted."""
    query = "SELECT email_encrypted FROM ops.rl_players WHERE player_id = ANY (%s) AND email_encrypted IS NOT NULL"
    for row in ops.rows(conn, query, [[*players]]):
        with suppress(EncryptionKeyError):
            return keys.decrypt(row["email_encrypted"])
    return None


class ProfileChanged(BaseModel):
    """Changes of the profile."""

    model_config = ConfigDict(extra="forbid")
    username: Annotated[
        str | None, Field(max_length=users.LONGEST_NAME, description="Name that others see.", examples=["Kim"])
    ] = None
    email: Annotated[str | None, Field(max_length=255, description="Stored encrypted; empty to remove it.")] = None
    retention_days: Annotated[
        int | None, Field(ge=1, le=36_500, description="Days for which your matches are kept.", examples=[365])
    ] = None


@router.put("/profile", summary="Change your profile", status_code=204)
def put_profile(request: Request, person: SignedIn, player: OwnAccount, given: ProfileChanged) -> None:
    """Change your name, your e-mail address, or how long your matches are kept.

    Older matches are removed every night: a masked player takes your place in them.
    """
    with request.state.writing() as conn:
        change_profile(conn, request, person, player, given.model_dump(exclude_none=True))


def change_profile(
    conn: psycopg.Connection, request: Request, person: Person, player: str, given: Mapping[str, Any]
) -> None:
    """Change the given fields of `ProfileChanged`."""
    if "username" in given:
        users.rename_user(conn, person.user_id, given["username"])
    if values := {name: given[name] for name in ("email", "retention_days") if name in given}:
        PLAYER.change(conn, player, context=custody(request), **values)


# --------------------------------------------------------------------------- ranks


def _is_rank(given: str) -> str:
    try:
        parse_rank(given)
    except UnknownRankError as error:
        raise ValueError(str(error)) from None
    return given


class RankGiven(BaseModel):
    """The rank of an account in a playlist."""

    model_config = ConfigDict(extra="forbid")

    playlist: Annotated[str, Field(max_length=50, description="The playlist.", examples=["ranked-doubles"])]
    rank: Annotated[
        str, AfterValidator(_is_rank), Field(max_length=50, description="The rank.", examples=["champion-2"])
    ]
    division: Annotated[int | None, Field(ge=1, le=4, description="Division of the rank.", examples=[3])] = None


_RankList = model_of("RankList", ranks=list[ENTERED_RANK.model])
_RanksAnswer = model_of("RanksAnswer", data=_RankList)


@router.put("/ranks", responses={200: {"model": _RanksAnswer}}, summary="Enter a rank")
def tell_rank(request: Request, player: OwnAccount, given: RankGiven) -> Response:
    """Enter the current rank of an account: replays do not contain it. A later one from ballchasing replaces it."""
    with request.state.writing() as conn:
        refuse_untracked(conn, player)
        RANK.take(conn, player, given.playlist, rank=given.rank, division=given.division)
        return json_answer({"data": {"ranks": entered_ranks(conn, player)}})


@router.delete("/ranks", status_code=204, summary="Remove a rank")
def take_back_rank(
    request: Request,
    player: OwnAccount,
    playlist: Annotated[Name, Query(description="Playlist, such as ranked-doubles.")],
) -> None:
    """Remove the entered rank in a playlist."""
    with request.state.writing() as conn:
        refuse_untracked(conn, player)
        RANK.remove(conn, player, playlist)


def entered_ranks(conn: psycopg.Connection, player: str) -> list[dict[str, Any]]:
    """Returns the ranks that a player entered."""
    return [ENTERED_RANK.line(row, rank=tier_words(row["tier"])) for row in RANK.rows(conn, player_id=player)]


# --------------------------------------------------------------------------- statistics

STATS_TABLES = (*CONTEXT_TABLES, PlayerStats)


class OfStats(OfDays):
    """Statistics of an account in a playlist."""

    stat: Annotated[Name | None, Field(description="One statistic, such as save_share; all by default.")] = None


class Statistic(OfStatistic):
    """A feature or a skill of the account."""

    matches: Annotated[int, Field(description="Matches with a known value.")]
    newest: Annotated[float, Field(description="Value in the newest of them.")]
    newest_at: Annotated[datetime, Field(description="When that match began.")]
    mean: Annotated[float, Field(description="Mean over them.")]
    rank_percentile: Annotated[
        float | None,
        Field(description="Average share of the cohort's single matches below, in per cent; null without a cohort."),
    ]


StatList = own_answer("StatList", of=Of, stats=list[Statistic])


@own.asks("/stats", "Your statistics", StatList, STATS_TABLES, "player")
async def user_stats(conn: Connection, asked: OfStats, scope: Scope) -> Made:
    """Every statistic of an account in a playlist: the newest value, the mean, and its place within the rank."""
    chosen = await choose(conn, asked.playlist, scope, [PlayerStats])
    stats: dict[str, dict[str, Any]] = {}
    if chosen.played:
        bound = {**chosen.bound, "stat": asked.stat, "from": asked.from_day, "to": asked.to_day}
        stats = {row["stat_type"]: row for row in await rows_of(conn, _STATS, bound)}
        times = [*{row["newest_at"] for row in stats.values()}]
        for row in await rows_of(conn, _NEWEST, {**bound, "times": times}):
            if row["stat_type"] in stats and row["time"] == stats[row["stat_type"]]["newest_at"]:
                stats[row["stat_type"]]["newest"] = row["value"]
    lines = [_statistic(stats[name]) for name in STATS if name in stats]
    return {"data": {"of": chosen.described, "stats": lines}}


_STATS = """
    SELECT stat_type, max(time) AS newest_at, avg(value) AS mean, count(*)::int AS matches,
        avg(rank_percentile) AS rank_percentile
    FROM rocket_league.player_stats
    WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(is_simulated)s
        AND (%(stat)s::text IS NULL OR stat_type = %(stat)s) AND (%(from)s::date IS NULL OR time >= %(from)s)
        AND (%(to)s::date IS NULL OR time < %(to)s::date + 1)
    GROUP BY 1
"""
_NEWEST = """
    SELECT stat_type, time, value FROM rocket_league.player_stats
    WHERE player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(is_simulated)s
        AND time = ANY (%(times)s) ORDER BY time, match_id
"""


def _statistic(row: Mapping[str, Any]) -> dict[str, Any]:
    percentile = rounded(row["rank_percentile"], 1)
    newest = {"matches": row["matches"], "newest": round(row["newest"], 5), "newest_at": row["newest_at"]}
    return {**describe_stat(row["stat_type"]), **newest, "mean": round(row["mean"], 5), "rank_percentile": percentile}
