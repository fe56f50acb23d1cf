"""Scope of an answer: the user's own accounts, and the requested or most played playlist."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, LiteralString

from fastapi import Depends, Request
from psycopg import sql
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league.analysis.skills import FEATURES, SKILL, SKILL_FEATURES
from gamestats_assets.rocket_league.analysis.wording import is_share
from gamestats_assets.rocket_league.reference.ranks import LOWEST_TIER, playlists, rank_name
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.rocket_league.tables import Matches, PlayerMatchFeatures, RankCohorts, RankPredictions
from gamestats_assets.serving.answers.lines import answer_with, are_published, rows_of
from gamestats_assets.serving.answers.routes import Day, Name, Number
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.principal import SignedIn
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.people.own import OfPlayer, OneOfYours, OwnMetadata, Scope, scope_of

CONTEXT_TABLES = (Matches, RankPredictions)
"""Tables from which playlists are found."""


def model_of(name: str, **fields: Any) -> type[BaseModel]:
    """Returns a model with fields whose types come from the tables' declarations."""
    return create_model(name, **fields)


def own_answer(name: str, **fields: Any) -> type[BaseModel]:
    """Returns the model of an answer about the user, whose data have these fields."""
    return answer_with(name, model_of(f"{name}Data", **fields), OwnMetadata)


class OfPlaylist(OfPlayer):
    """A playlist of one account."""

    playlist: Annotated[
        Name | None, Field(description="Playlist; by default the most played ranked one.", examples=["ranked-doubles"])
    ] = None


class OfDays(OfPlaylist):
    """A playlist of one account, from one day to another."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_day: Annotated[Day | None, Field(alias="from", description="First day (UTC); all days by default.")] = None
    to_day: Annotated[Day | None, Field(alias="to", description="Last day (UTC).")] = None

    @model_validator(mode="after")
    def _is_in_order(self) -> OfDays:
        if self.from_day and self.to_day and self.from_day > self.to_day:
            raise ValueError("from should not be after to")
        return self


class Played(BaseModel):
    """A playlist with matches."""

    playlist: Annotated[str, Field(description="Name at ballchasing.", examples=["ranked-doubles"])]
    is_simulated: Annotated[bool, Field(description="Whether its matches are simulated.")]
    matches: Annotated[int, Field(description="Kept matches.")]
    first_at: Annotated[datetime, Field(description="When the first of them began.")]
    last_at: Annotated[datetime, Field(description="When the last of them began.")]
    rank_tier: Annotated[int | None, Field(description="Rank in the playlist, 1 to 22; null if unknown.")]
    rank: Annotated[str | None, Field(description="The same in words.", examples=["Champion I"])]


class Of(BaseModel):
    """Scope of an answer."""

    player_id: Annotated[str | None, Field(description="The account; null without one.")]
    playlist: Annotated[str | None, Field(description="The playlist; null without matches.")]
    is_simulated: Annotated[bool | None, Field(description="Whether its matches are simulated.")]
    matches: Annotated[int, Field(description="Kept matches of the account in the playlist.")]
    rank_tier: Annotated[int | None, Field(description="Rank in the playlist, 1 to 22; null if unknown.")]
    rank: Annotated[str | None, Field(description="The same in words.")]
    playlists: Annotated[list[Played], Field(description="All played playlists; the first is the default.")]
    note: Annotated[str | None, Field(description="Why the answer is empty; null if it is not.")]


@dataclass(frozen=True, slots=True)
class Chosen:
    """An account and a playlist.

    Attributes:
        playlists: all playlists of the account.
        played: the chosen one; None if the account has no match in it.
    """

    player_id: str | None
    playlist: str | None
    playlists: Sequence[dict[str, Any]]
    played: dict[str, Any] | None

    @property
    def bound(self) -> dict[str, Any]:
        """Returns the parameters of queries."""
        played = self.played or {}
        return {
            "player": self.player_id,
            "playlist": self.playlist,
            "is_simulated": played.get("is_simulated", False),
            "rank_tier": played.get("rank_tier"),
        }

    @property
    def note(self) -> str | None:
        """Returns why the answer is empty; None if it is not."""
        if self.player_id is None:
            return "No account of the game is linked to you yet: sign in with Steam or Epic, or add your account."
        if not self.playlists:
            return f"No match of {self.player_id} has been analysed yet: agree to the analysis, and upload a replay."
        if self.played is None:
            return f"No match of {self.player_id} in {self.playlist} has been analysed yet."
        return None

    @property
    def described(self) -> dict[str, Any]:
        """Returns the scope of the answer, with the fields of `Of`."""
        played = self.played or {}
        return {
            "player_id": self.player_id,
            "playlist": self.playlist,
            "is_simulated": played.get("is_simulated"),
            "matches": played.get("matches", 0),
            "rank_tier": played.get("rank_tier"),
            "rank": played.get("rank"),
            "playlists": [*self.playlists],
            "note": self.note,
        }


async def own_account(request: Request, person: SignedIn, player: OneOfYours = None) -> str:
    """Returns one of the user's own accounts, the requested or the main one; a dependency.

    Raises:
        ProblemError: 404 if the account is not the user's.
    """
    scope = await scope_of(request, person, GAME, player)
    if scope.player is None or not scope.is_own:
        raise ProblemError(404, f"You have no account {player}." if player else "You have no account of the game yet.")
    return scope.player


OwnAccount = Annotated[str, Depends(own_account)]


def accounts(asked: OfPlayer, scope: Scope) -> tuple[str, ...]:
    """Returns the accounts of a list: the requested one, or else all of the user's."""
    return scope.players if asked.player is None or scope.player is None else (scope.player,)


async def choose(conn: Connection, playlist: str | None, scope: Scope, tables: Sequence[type[Table]]) -> Chosen:
    """Returns the account and the playlist of an answer; without playlists until the tables are published.

    Args:
        playlist: the requested one; None for the ranked one with most matches, or without any the one with most.
        tables: tables that the answer needs besides `CONTEXT_TABLES`.
    """
    published = await are_published(conn, *tables)
    playlists = await playlists_of(conn, scope.player) if published else []
    wanted = playlists[:1] if playlist is None else [row for row in playlists if row["playlist"] == playlist]
    played = wanted[0] if wanted else None
    return Chosen(scope.player, played["playlist"] if played else playlist, playlists, played)


async def playlists_of(conn: Connection, player_id: str | None) -> list[dict[str, Any]]:
    """Returns the playlists of an account, with the fields of `Played`: simulated ones last, ranked ones first, then by
    matches. Empty until `CONTEXT_TABLES` are published.
    """
    if player_id is None or not await are_published(conn, *CONTEXT_TABLES):
        return []
    rows = await rows_of(conn, _PLAYLISTS, {"player": player_id, "ranked": [*playlists()]})
    return [{**row, "rank": tier_words(row["rank_tier"])} for row in rows]


_PLAYLISTS: LiteralString = """
    SELECT playlist, is_simulated, played.matches, first_at, last_at, known_tier AS rank_tier
    FROM (
        SELECT playlist, is_simulated, count(*)::int AS matches, min(created_at) AS first_at, max(created_at) AS last_at
        FROM rocket_league.matches WHERE player_id = %(player)s GROUP BY 1, 2
    ) AS played
    LEFT JOIN (
        SELECT playlist, is_simulated, known_tier FROM rocket_league.rank_predictions WHERE player_id = %(player)s
    ) AS predicted
        USING (playlist, is_simulated)
    ORDER BY is_simulated, (playlist = ANY (%(ranked)s)) DESC, played.matches DESC, playlist
"""


IN_PLAYLIST: LiteralString = "player_id = %(player)s AND playlist = %(playlist)s AND is_simulated = %(is_simulated)s"
"""The condition of rows about an account in a playlist; see `Chosen.bound`."""


async def of_playlist(conn: Connection, table: type[Table], bound: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the rows of a published table about an account in a playlist, by key; empty until it is published."""
    if not await are_published(conn, table):
        return []
    query = sql.SQL("SELECT * FROM {} WHERE {} ORDER BY {}").format(
        sql.Identifier(table.spec.game, table.spec.name),
        sql.SQL(IN_PLAYLIST),
        sql.SQL(", ").join(map(sql.Identifier, table.primary_key())),
    )
    return await rows_of(conn, query, bound)


async def cohort_of(conn: Connection, bound: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the cohort of a playlist and rank, by feature and skill; empty if there is none yet.

    Args:
        bound: `playlist`, `is_simulated` and `rank_tier`.
    """
    if bound["rank_tier"] is None or not await are_published(conn, RankCohorts):
        return {}
    return {row["feature"]: row for row in await rows_of(conn, _COHORT, bound)}


_COHORT: LiteralString = """
    SELECT feature, from_tier, to_tier, players, matches, mean, within_spread, between_spread, p05, p25, p50, p75, p95
    FROM rocket_league.rank_cohorts
    WHERE is_simulated = %(is_simulated)s AND playlist = %(playlist)s AND rank_tier = %(rank_tier)s
"""


def tier_words(tier: int | None) -> str | None:
    """Returns a rank in words; None if unknown."""
    return rank_name(tier) if tier is not None and tier >= LOWEST_TIER else None


# --------------------------------------------------------------------------- lists, the newest first


def _place(given: str) -> tuple[datetime, str]:
    at, _, key = given.partition("~")
    return datetime.fromisoformat(at), key


def _is_place(value: Any) -> Any:
    if isinstance(value, str):
        try:
            is_one = _PLACE.fullmatch(value) and _place(value)
        except ValueError:
            is_one = False
        if not is_one:
            raise ValueError("should be the `next` of an answer")
    return value


_PLACE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z~[A-Za-z0-9_.-]{1,200}", re.ASCII)


Limit = Annotated[Number, Field(ge=1, le=100, description="Maximum number of items.")]
"""Number of items in an answer."""


class Newest(OfPlayer):
    """A part of a list, newest first. New items come before it, so that pages do not shift."""

    limit: Limit = 20
    before: Annotated[
        str | None,
        BeforeValidator(_is_place),
        Field(description="`next` of an answer: continues after its last item."),
    ] = None

    @property
    def place(self) -> dict[str, Any]:
        """Returns query parameters: `before_at` and `before_id`, null at the beginning, and `limit` plus one."""
        at, key = _place(self.before) if self.before else (None, None)
        return {"before_at": at, "before_id": key, "limit": self.limit + 1}

    def part(self, rows: Sequence[dict[str, Any]], at: str, key: str) -> tuple[Sequence[dict[str, Any]], str | None]:
        """Returns the rows of the answer, from one row more than requested, and its `next`; None at the end."""
        if len(rows) <= self.limit:
            return rows, None
        last = rows[self.limit - 1]
        return rows[: self.limit], f"{last[at]:%Y-%m-%dT%H:%M:%S.%f}Z~{last[key]}"


NEXT = Annotated[str | None, Field(description="`before` of the next part; null at the end.")]


# --------------------------------------------------------------------------- statistics


_SIGNS = {name: sign > 0 for of in SKILL_FEATURES.values() for name, sign in of}
_UNITS = (("_per_minute", "per minute"), ("_share", "share"), ("_uu_s", "uu/s"), ("_uu", "uu"), ("_s", "s"))


@dataclass(frozen=True, slots=True)
class Stat:
    """A feature or a skill, as named by statistics.

    Attributes:
        unit: unit of its values; a `share` is from 0 to 1.
        more_is_better: None if neither more nor less is better.
        least, most: limits of possible values.
    """

    name: str
    description: str
    unit: str
    more_is_better: bool | None
    least: float | None
    most: float | None


class OfStatistic(BaseModel):
    """A feature or a skill."""

    stat_type: Annotated[str, Field(description="Feature, or skill_ and the name of a skill.")]
    description: Annotated[str, Field(description="Its meaning.")]
    unit: Annotated[str, Field(description="Unit of its values; a share is from 0 to 1.")]
    more_is_better: Annotated[bool | None, Field(description="Null if neither more nor less is better.")]


def _stats() -> dict[str, Stat]:
    stats: dict[str, Stat] = {}
    for skill in SKILL_FEATURES:
        description = f"The skill {skill} in single matches; 0 is the mean of the cohort."
        stats[f"{SKILL}{skill}"] = Stat(f"{SKILL}{skill}", description, "standard deviations", True, None, None)
    columns = PlayerMatchFeatures.columns()
    for name in FEATURES:
        column = columns[name]
        unit = next((unit for end, unit in _UNITS if name.endswith(end)), "")
        least, most = getattr(column, "min", None), getattr(column, "max", None)
        unit = "share" if is_share(name) else unit
        stats[name] = Stat(name, column.description or "", unit, _SIGNS.get(name), least, most)
    return stats


STATS = _stats()
"""Statistics by name."""


def describe_stat(name: str) -> dict[str, Any]:
    """Returns the description of a statistic."""
    stat = STATS[name]
    fields = {"stat_type": stat.name, "description": stat.description, "unit": stat.unit}
    return {**fields, "more_is_better": stat.more_is_better}


def rounded(value: float | None, digits: int = 5) -> float | None:
    """Returns a figure rounded for answers; None if unknown."""
    return None if value is None else round(value, digits)
