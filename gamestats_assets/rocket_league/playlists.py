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
# Whose goals, where they have any, need not be those of a soccar field.
_OTHER_GOALS = ("dropshot", "hoops", "rocketlabs", "gridiron", "knockout")
OTHER_FIELDS = ("shattershot", "hoops")
"""What maps of dropshot and hoops begin with: private matches there have no playlist of their own to tell by."""


def playlist_of(number: int | None) -> str | None:
    """What ballchasing calls the playlist of a number; `playlist-` and the number of one that is not known.

    >>> playlist_of(11), playlist_of(99), playlist_of(None)
    ('ranked-doubles', 'playlist-99', None)
    """
    return None if number is None else PLAYLISTS.get(number, f"playlist-{number}")


def playlist_name(playlist: str) -> str:
    """What people are told of a playlist.

    >>> playlist_name("ranked-doubles"), playlist_name("unranked-standard")
    ('Ranked doubles', 'Unranked standard')
    """
    return playlist.replace("-", " ").capitalize()


def is_soccar(playlist: pl.Expr) -> pl.Expr:
    """Whether a ball is played into two goals on the usual field, without power-ups.

    >>> pl.select(is_soccar(pl.lit("ranked-standard")), dropshot=is_soccar(pl.lit("ranked-dropshot"))).row(0)
    (True, False)
    """
    return ~playlist.str.contains("|".join(_OTHER_GAMES))


def is_other_field(field: pl.Expr) -> pl.Expr:
    """Whether a map, which is not null, is one of dropshot or hoops.

    >>> pl.select(is_other_field(pl.lit("hoopsstadium_p")), soccar=is_other_field(pl.lit("stadium_p"))).row(0)
    (True, False)
    """
    return field.str.contains(f"^({'|'.join(OTHER_FIELDS)})")


def has_soccar_goals(playlist: pl.Expr, field: pl.Expr) -> pl.Expr:
    """Whether goals are scored at both ends of the field, by the playlist and the map, which is not null.

    >>> pl.select(has_soccar_goals(pl.lit("rumble"), pl.lit(""))).item()
    True
    >>> pl.select(has_soccar_goals(pl.lit("hoops"), pl.lit(""))).item()
    False
    """
    return ~(playlist.str.contains("|".join(_OTHER_GOALS)) | is_other_field(field))


def is_ranked(playlist: pl.Expr) -> pl.Expr:
    """Whether a playlist counts for ranks.

    >>> pl.select(is_ranked(pl.lit("ranked-duels")), private=is_ranked(pl.lit("private"))).row(0)
    (True, False)
    """
    return playlist.str.starts_with("ranked-") | (playlist == "tournament")


def is_matchmade(playlist: pl.Expr) -> pl.Expr:
    """Whether the game put the teams together, so that nobody changes teams and no host sets the score.

    >>> pl.select(is_matchmade(pl.lit("unranked-duels")), private=is_matchmade(pl.lit("private"))).row(0)
    (True, False)
    """
    return is_ranked(playlist) | playlist.str.starts_with("unranked-")
