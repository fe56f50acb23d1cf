"""Tables behind the page of a replay and its viewer."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.lakehouse.table import OBJECT
from gamestats_assets.rocket_league.tables.rows import (
    BY_PLAYER,
    GOLD,
    PLAYER_ID,
    SILVER,
    MatchRow,
    count,
    flag,
    number_of,
    one_of,
    player,
    real,
    seconds,
    team,
)

HAPPENED = ("goal", "shot", "save", "demolition")
"""Kinds of moments that belong to the match."""
MISTAKES = ("double_commit", "missed_rotation", "boost_starved", "missed_aerial", "conceded")
"""Kinds of moments that are a player's own mistakes."""
KINDS_OF_MOMENT = (*HAPPENED, *MISTAKES)


class _Moment(MatchRow):
    """Columns of every table of moments."""

    moment_number = number_of("Number in the match, by time, mistakes counted.")
    kind = one_of(KINDS_OF_MOMENT, f"One of {', '.join(KINDS_OF_MOMENT)}.")
    time_s = seconds("Time since the replay began; for moments that last, their beginning.")
    end_s = seconds("End; null for moments that do not last.", nullable=True)
    player_id = player(
        "Player of the moment: scorer, shooter, saver, attacker, or the player at fault; null if unknown."
    )
    other_player_id = player(
        "Assisting player of a goal, saver of a shot, demolished player, mate in a double commit, scorer of a conceded "
        "goal."
    )
    team = team("Team of the player.")
    x_uu = real("Position across the field: of the ball for goal, shot, save, double commit, else of the car.")
    y_uu = real("Position along the field; blue's goal is at -5120.")
    z_uu = real("Height.")
    is_aerial = flag("Whether the player's car was in the air; null if unknown.")
    speed_uu_s = real("Speed of the ball after a shot, the touch of a double commit or a goal.", minimum=0)


class Moments(_Moment, key="rocket_league/moments", **SILVER):
    """Moments of a replay worth watching: goals, shots, saves, demolitions, and players' own mistakes.

    Mistakes exist in soccar alone, and agree with the counts of `player_match_features`:

    - double_commit: a touch within a second and ten metres of a mate's.
    - missed_rotation: a stint as first man after which the player did not rotate to last; in a team of two, after which
      the player mostly stayed in front of the ball for at least two seconds.
    - boost_starved: at least three seconds of play with an empty tank.
    - missed_aerial: in the air near an airborne ball, without touching it.
    - conceded: a goal against the team while the player was its last defender.
    """


class ReplayMoments(_Moment, key="rocket_league/replay_moments", indexes=(("player_id", "kind"),), **GOLD):
    """Events of a replay: goals, shots, saves and demolitions of all players."""


class PlayerMistakes(
    _Moment,
    key="rocket_league/player_mistakes",
    subject="players",
    **{**BY_PLAYER, "indexes": (("player_id", "kind"), ("match_id",))},
):
    """Mistakes of tracked players, as defined by `moments`; mistakes of other players are never shown."""

    player_id = dy.String(primary_key=True, regex=PLAYER_ID, description="Tracked player, who made the mistake.")


class ReplayTracks(
    MatchRow, key="rocket_league/replay_tracks", reconciled=("bytes",), **{**GOLD, "guarded_by": ("match_id",)}
):
    """All that the viewer needs of a replay, in one binary object: all positions, ten times a second.

    The object is gzipped; `replays/track_format.py` defines its format. It has the players' names, but not their ids.
    """

    track = dy.Binary(metadata={**OBJECT}, description="The track; in PostgreSQL the name of an object.")
    bytes = count("Size of the track as sent.", nullable=False)
    frames = count("Frames in it.", nullable=False)
    duration_s = seconds("Time between its first and last frame.")
    players = count("Players in it.", nullable=False)


__all__ = ["HAPPENED", "KINDS_OF_MOMENT", "MISTAKES", "Moments", "PlayerMistakes", "ReplayMoments", "ReplayTracks"]
