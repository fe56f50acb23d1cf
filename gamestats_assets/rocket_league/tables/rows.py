"""What several Rocket League tables share: keywords, column types, and the columns that rows begin with.

Positions and distances are in unreal units (uu, one is a centimetre), speeds in uu per second. The field reaches from
-4096 to 4096 across (x), from -5120 to 5120 between the goal lines (y), and to 2044 (z); blue defends the goal at
y = -5120. Columns that are called `team_y` and the like are seen from the player's own team: its goal is at -5120.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table

DAILY: dict[str, Any] = {
    "partitioned_by": "match_date",
    "replaced_by": "match_id",
    "fresh_within": timedelta(days=1),
    "personal": True,
}
LANDED: dict[str, Any] = {**DAILY, "layer": "bronze", "made_by": "raw"}
"""One step reads the landed files of a match and feeds these tables."""
EVENTS: dict[str, Any] = {**DAILY, "layer": "bronze", "made_by": "raw_events"}
"""What a replay's events take to be read is ten times as long, so another step does it."""
SILVER: dict[str, Any] = {**DAILY, "layer": "silver"}
GOLD: dict[str, Any] = {**DAILY, "layer": "gold", "published": True}
RL_PLAYER = "rl_player"
"""Dynamic partitions: players that are tracked."""
BY_PLAYER: dict[str, Any] = {
    "layer": "gold",
    "partitioned_by": "player_id",
    "named": RL_PLAYER,
    "published": True,
    "personal": True,
}

MATCH_ID = r"^[0-9A-F]{32}$"
PLAYER_ID = r"^[a-z0-9]+_[a-z0-9_.-]+$"
TEAMS = ("blue", "orange")


def utc(description: str, *, nullable: bool = False, primary_key: bool = False) -> dy.Datetime:
    """A column of times in UTC, to the microsecond."""
    return dy.Datetime(
        time_unit="us", time_zone="UTC", nullable=nullable, primary_key=primary_key, description=description
    )


def text(description: str, *, nullable: bool = True) -> dy.String:
    """A column of names or ids."""
    return dy.String(nullable=nullable, description=description)


def count(description: str, *, nullable: bool = True, alias: str | None = None) -> dy.Int32:
    """A column that counts, or sums whole numbers; the alias names one that a table has something else called so."""
    return dy.Int32(nullable=nullable, min=0, description=description, alias=alias)


def number(description: str) -> dy.Int32:
    """A column of whole numbers that may be less than zero, or unknown."""
    return dy.Int32(nullable=True, description=description)


def real(description: str, *, minimum: float | None = None) -> dy.Float64:
    """A column of measured or computed numbers, or unknown."""
    return dy.Float64(nullable=True, min=minimum, description=description)


def sample(description: str) -> dy.Float32:
    """A column of what was measured many times a second, or unknown."""
    return dy.Float32(nullable=True, description=description)


def share(description: str, *, nullable: bool = True) -> dy.Float64:
    """A column of shares, from 0 to 1, or unknown."""
    return dy.Float64(nullable=nullable, min=0, max=1, description=description)


def seconds(description: str, *, nullable: bool = False) -> dy.Float64:
    """A column of times since the replay began, or of lengths."""
    return dy.Float64(nullable=nullable, min=0, description=f"{description} In seconds.")


def flag(description: str, *, nullable: bool = True) -> dy.Bool:
    """A column of yes and no."""
    return dy.Bool(nullable=nullable, description=description)


def team(description: str = "Team: blue or orange.", *, nullable: bool = False) -> dy.String:
    """A column of teams."""
    return dy.String(nullable=nullable, check=lambda column: column.is_in(TEAMS), description=description)


def player(description: str, *, nullable: bool = True, primary_key: bool = False) -> dy.String:
    """A column of players."""
    return dy.String(
        nullable=nullable and not primary_key, primary_key=primary_key, regex=PLAYER_ID, description=description
    )


class MatchRow(Table):
    """Columns of every table whose rows belong to one match."""

    match_id = dy.String(
        primary_key=True,
        regex=MATCH_ID,
        description="Match id: the game's own (MatchGUID), else that of the replay; 32 hexadecimal digits.",
    )
    match_date = dy.Date(description="UTC day the match is filed under; it never changes once claimed.")


class PlayerRow(MatchRow):
    """Columns of rows about one player in a match."""

    player_id = dy.String(
        primary_key=True, regex=PLAYER_ID, description="Player: platform and account, such as steam_76561198385053346."
    )
