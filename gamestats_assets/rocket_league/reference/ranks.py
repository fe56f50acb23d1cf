"""Ranks: their order, their names, and the rank of a player.

Every ranked playlist has the same 22, numbered from 1 (Bronze I) to 22 (Supersonic Legend). Unranked players, number 0
at ballchasing, have none.
"""

from __future__ import annotations

import difflib
import re

import polars as pl

from gamestats_assets.lakehouse.entries.declared import UnknownNameError

_LEAGUES = ("bronze", "silver", "gold", "platinum", "diamond", "champion", "grand-champion")
_ROMAN = ("I", "II", "III")
TIER_IDS: tuple[str, ...] = (*(f"{name}-{step}" for name in _LEAGUES for step in (1, 2, 3)), "supersonic-legend")
"""Ranks as ballchasing calls them, lowest first."""
LOWEST_TIER, HIGHEST_TIER = 1, len(TIER_IDS)
_PLAYLISTS = (
    "ranked-duels",
    "ranked-doubles",
    "ranked-standard",
    "ranked-solo-standard",
    "ranked-hoops",
    "ranked-rumble",
    "ranked-dropshot",
    "ranked-snowday",
    "tournament",
)
PLAYER = ("is_simulated", "playlist", "player_id")
"""Columns that identify a rank."""


class UnknownRankError(UnknownNameError):
    """A text is not a rank; the message suggests similar ones."""


def playlists() -> tuple[str, ...]:
    """Returns the playlists with ranks, as ballchasing calls them; tournaments have their own ranks."""
    return _PLAYLISTS


def tier_id(tier: int) -> str:
    """Returns a rank as ballchasing calls it.

    >>> tier_id(17), tier_id(22)
    ('champion-2', 'supersonic-legend')

    Raises:
        UnknownRankError: when there is no such rank.
    """
    if not LOWEST_TIER <= tier <= HIGHEST_TIER:
        raise UnknownRankError(
            f"{tier} is no rank; ranks are numbered from {LOWEST_TIER} ({TIER_IDS[0]}) "
            f"to {HIGHEST_TIER} ({TIER_IDS[-1]}).",
            "rank",
        )
    return TIER_IDS[tier - 1]


def rank_name(tier: int) -> str:
    """Returns a rank in words.

    >>> rank_name(17), rank_name(19), rank_name(22)
    ('Champion II', 'Grand Champion I', 'Supersonic Legend')

    Raises:
        UnknownRankError: when there is no such rank.
    """
    *words, last = tier_id(tier).split("-")
    return " ".join([*(word.title() for word in words), _ROMAN[int(last) - 1] if last.isdigit() else last.title()])


def parse_rank(text: str) -> int:
    """Returns the number of a rank in ballchasing's or the game's words.

    >>> parse_rank("champion-2"), parse_rank("Grand Champion III"), parse_rank("supersonic legend")
    (17, 21, 22)

    Raises:
        UnknownRankError: when the text is not a rank.
    """
    wanted = "-".join(re.split(r"[\s_-]+", text.strip().lower()))
    wanted = re.sub(r"-(i{1,3})$", lambda roman: f"-{len(roman[1])}", wanted)
    if wanted in TIER_IDS:
        return TIER_IDS.index(wanted) + 1
    near = [each for each in TIER_IDS if each.startswith(f"{wanted}-")] or difflib.get_close_matches(wanted, TIER_IDS)
    hint = f"similar ranks are {', '.join(near)}" if near else f"ranks are {', '.join(TIER_IDS)}"
    raise UnknownRankError(f"{text!r} is no rank; {hint}.", "rank")


def rank_range(from_tier: int, to_tier: int) -> str:
    """Returns the players of consecutive ranks, in words.

    >>> rank_range(16, 16), rank_range(15, 17)
    ('players at Champion I', 'players from Diamond III to Champion II')
    """
    if from_tier == to_tier:
        return f"players at {rank_name(from_tier)}"
    return f"players from {rank_name(from_tier)} to {rank_name(to_tier)}"


def kept(rows: pl.LazyFrame, tracked: pl.LazyFrame) -> pl.LazyFrame:
    """Returns those rows by player and match that belong to tracked players and are within their retention."""
    since = tracked.select("player_id", "kept_from")
    return rows.join(since, on="player_id").filter(pl.col("match_date") >= pl.col("kept_from")).drop("kept_from")


def last_tier() -> pl.Expr:
    """Returns, for a group of rows of `player_match_features`, the last rank from ballchasing; null without one.

    Of matches that began at the same moment, the match with the greatest id counts.
    """
    is_ranked = pl.col("rank_tier").is_between(LOWEST_TIER, HIGHEST_TIER)
    return (
        pl.col("rank_tier")
        .filter(is_ranked)
        .sort_by(*(pl.col(name).filter(is_ranked) for name in ("started_at", "match_id")))
        .last()
    )


def known_tiers(features: pl.LazyFrame, ranks: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the rank of every player in every playlist with matches of the player.

    A rank that the player entered counts if it is newer than the start of the player's last match with a rank from
    ballchasing; else the rank of that match counts. Entered ranks apply to real and simulated matches.

    Args:
        features: rows of `player_match_features`.
        ranks: rows of `rl_ranks`.

    Returns:
        Columns `is_simulated`, `playlist`, `player_id`, `rank_tier` (Int32): one row for each known rank.
    """
    is_ranked = pl.col("rank_tier").is_between(LOWEST_TIER, HIGHEST_TIER)
    given = ranks.select("player_id", "playlist", "updated_at", tier=pl.col("tier").cast(pl.Int32))
    return (
        features.group_by(PLAYER)
        .agg(last_tier(), seen_at=pl.col("started_at").filter(is_ranked).max())
        .join(given, on=["player_id", "playlist"], how="left")
        .select(
            *PLAYER,
            rank_tier=pl.when(pl.col("updated_at") > pl.col("seen_at"))
            .then("tier")
            .otherwise(pl.coalesce("rank_tier", "tier")),
        )
        .drop_nulls("rank_tier")
    )
