"""Playlists: their numbers in replays, their names at ballchasing, which are ranked, and their game mode."""

from __future__ import annotations

import polars as pl

# Numbers as in replays, names as at ballchasing.
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
"""Name of each known number."""
UNKNOWN = "unknown"
"""An unknown playlist."""
_OTHER_GAMES = ("snowday", "hoops", "rumble", "dropshot", "rocketlabs", "heatseeker", "gridiron", "knockout")
# Modes whose goals, if they have any, may differ from soccar's.
_OTHER_GOALS = ("dropshot", "hoops", "rocketlabs", "gridiron", "knockout")
OTHER_FIELDS = ("shattershot", "hoops")
"""Prefixes of the maps of dropshot and hoops: private matches there have no playlist of their own."""


def playlist_of(number: int | None) -> str | None:
    """Returns ballchasing's name of a playlist number; `playlist-` and the number if it is unknown.

    >>> playlist_of(11), playlist_of(99), playlist_of(None)
    ('ranked-doubles', 'playlist-99', None)
    """
    return None if number is None else PLAYLISTS.get(number, f"playlist-{number}")


def playlist_name(playlist: str) -> str:
    """Returns the display name of a playlist.

    >>> playlist_name("ranked-doubles"), playlist_name("unranked-standard")
    ('Ranked doubles', 'Unranked standard')
    """
    return playlist.replace("-", " ").capitalize()


def is_soccar(playlist: pl.Expr) -> pl.Expr:
    """Whether a playlist has a ball, two goals and the usual field, without power-ups.

    >>> pl.select(is_soccar(pl.lit("ranked-standard")), dropshot=is_soccar(pl.lit("ranked-dropshot"))).row(0)
    (True, False)
    """
    return ~playlist.str.contains("|".join(_OTHER_GAMES))


def is_other_field(field: pl.Expr) -> pl.Expr:
    """Whether a map, which must not be null, is one of dropshot or hoops.

    >>> pl.select(is_other_field(pl.lit("hoopsstadium_p")), soccar=is_other_field(pl.lit("stadium_p"))).row(0)
    (True, False)
    """
    return field.str.contains(f"^({'|'.join(OTHER_FIELDS)})")


def has_soccar_goals(playlist: pl.Expr, field: pl.Expr) -> pl.Expr:
    """Whether the field has a goal at both ends, by the playlist and the map, which must not be null.

    >>> pl.select(has_soccar_goals(pl.lit("rumble"), pl.lit(""))).item()
    True
    >>> pl.select(has_soccar_goals(pl.lit("hoops"), pl.lit(""))).item()
    False
    """
    return ~(playlist.str.contains("|".join(_OTHER_GOALS)) | is_other_field(field))


def is_ranked(playlist: pl.Expr) -> pl.Expr:
    """Whether a playlist is ranked.

    >>> pl.select(is_ranked(pl.lit("ranked-duels")), private=is_ranked(pl.lit("private"))).row(0)
    (True, False)
    """
    return playlist.str.starts_with("ranked-") | (playlist == "tournament")


def is_matchmade(playlist: pl.Expr) -> pl.Expr:
    """Whether the game puts the teams together; then players stay in their team and no host sets the score.

    >>> pl.select(is_matchmade(pl.lit("unranked-duels")), private=is_matchmade(pl.lit("private"))).row(0)
    (True, False)
    """
    return is_ranked(playlist) | playlist.str.starts_with("unranked-")
