"""Playlists: what a replay's number is called at ballchasing, which count for ranks, and what is played there."""

from __future__ import annotations

import polars as pl

# Numbers as replays hold them, names as ballchasing's.
PLAYLISTS: dict[int, str] = {
    1: "unranked-duels",
    2: "unranked-doubles",
    3: "unranked-standard",
    4: "unranked-chaos",
    6: "private",
    7: "season",
    8: "offline",
    10: "ranked-duels",
    11: "ranked-doubles",
    12: "ranked-solo-standard",
    13: "ranked-standard",
    15: "snowday",
    16: "rocketlabs",
    17: "hoops",
    18: "rumble",
    22: "tournament",
    23: "dropshot",
    27: "ranked-hoops",
    28: "ranked-rumble",
    29: "ranked-dropshot",
    30: "ranked-snowday",
    31: "dropshot-rumble",
    34: "tournament",
}
"""Name of each number that is known."""
UNKNOWN = "unknown"
"""Where nothing tells the playlist."""
_OTHER_GAMES = ("snowday", "hoops", "rumble", "dropshot", "rocketlabs", "heatseeker", "gridiron", "knockout")
OTHER_FIELDS = ("shattershot", "hoops")
"""What maps of dropshot and hoops begin with: private matches there have no playlist of their own to tell by."""


def playlist_of(number: int | None) -> str | None:
    """What ballchasing calls the playlist of a number; `playlist-` and the number of one that is not known.

    >>> playlist_of(11), playlist_of(99), playlist_of(None)
    ('ranked-doubles', 'playlist-99', None)
    """
    return None if number is None else PLAYLISTS.get(number, f"playlist-{number}")


def is_soccar(playlist: pl.Expr) -> pl.Expr:
    """Whether a ball is played into two goals on the usual field, without power-ups.

    >>> pl.select(is_soccar(pl.lit("ranked-standard")), dropshot=is_soccar(pl.lit("ranked-dropshot"))).row(0)
    (True, False)
    """
    return ~playlist.str.contains("|".join(_OTHER_GAMES))


def is_ranked(playlist: pl.Expr) -> pl.Expr:
    """Whether a playlist counts for ranks.

    >>> pl.select(is_ranked(pl.lit("ranked-duels")), private=is_ranked(pl.lit("private"))).row(0)
    (True, False)
    """
    return playlist.str.starts_with("ranked-") | (playlist == "tournament")
