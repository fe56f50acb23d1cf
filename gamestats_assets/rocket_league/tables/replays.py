"""What a page about one replay and its viewer show."""

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
"""Kinds of moments that are the match's."""
MISTAKES = ("double_commit", "missed_rotation", "boost_starved", "missed_aerial", "conceded")
"""Kinds of moments that are a player's own mistakes."""
KINDS_OF_MOMENT = (*HAPPENED, *MISTAKES)


class _Moment(MatchRow):
    """Columns of every table of moments."""

    moment_number = number_of("Number in the match, by time, mistakes counted.")
    kind = one_of(KINDS_OF_MOMENT, f"One of {', '.join(KINDS_OF_MOMENT)}.")
    time_s = seconds("When, since the replay began; of what lasts, its beginning.")
    end_s = seconds("When it ended; null of what does not last.", nullable=True)
    player_id = player(
        "Whose moment it is: scorer, shooter, who saved, attacker, who made the mistake; may be unknown."
    )
    other_player_id = player(
        "Of a goal who assisted, of a shot who saved it, of a demolition the demolished, of a double commit the mate, "
        "of a goal conceded the scorer."
    )
    team = team("Team of the player.")
    x_uu = real("Where across the field: the ball of a goal, shot, save or double commit, else the player's car.")
    y_uu = real("Where along the field; blue's goal is at -5120.")
    z_uu = real("How high.")
    is_aerial = flag("Whether the player's car was in the air; null where that is not known.")
    speed_uu_s = real("Speed of the ball after a shot or a double commit's touch, and of a goal's.", minimum=0)


class Moments(_Moment, key="rocket_league/moments", **SILVER):
    """Moments of a replay that are worth being looked at: goals, shots, saves, demolitions, and players' own mistakes.

    Mistakes are told of soccar alone, and agree with what `player_match_features` counts:

    - double_commit: a touch within a second and ten metres of a mate's.
    - missed_rotation: a stint as first man after which the player did not go last; in a team of two, after which the
      player stayed in front of the ball, mostly, for two seconds and more.
    - boost_starved: three seconds and more of play with an empty tank.
    - missed_aerial: in the air near a ball that is in the air, without touching it.
    - conceded: a goal against the team while the player was its last.
    """


class ReplayMoments(_Moment, key="rocket_league/replay_moments", indexes=(("player_id", "kind"),), **GOLD):
    """What happened in a replay: goals, shots, saves, demolitions, of all who played."""


class PlayerMistakes(
    _Moment,
    key="rocket_league/player_mistakes",
    subject="players",
    **{**BY_PLAYER, "indexes": (("player_id", "kind"), ("match_id",))},
):
    """Mistakes of tracked players, as `moments` defines them; of nobody else any is shown."""

    player_id = dy.String(primary_key=True, regex=PLAYER_ID, description="Tracked player, who made the mistake.")


class ReplayTracks(
    MatchRow, key="rocket_league/replay_tracks", reconciled=("bytes",), **{**GOLD, "guarded_by": ("match_id",)}
):
    """What a viewer needs of a replay to show it, in one binary object: where everybody was ten times a second.

    The object is gzipped; `replays/track_format.py` says what is in it. It names the players and has no ids of theirs.
    """

    track = dy.Binary(metadata={**OBJECT}, description="The track: in PostgreSQL the name of an object.")
    bytes = count("Size of the track, as it is sent.", nullable=False)
    frames = count("Frames in it.", nullable=False)
    duration_s = seconds("Time from its first to its last frame.")
    players = count("Players in it.", nullable=False)


__all__ = ["HAPPENED", "KINDS_OF_MOMENT", "MISTAKES", "Moments", "PlayerMistakes", "ReplayMoments", "ReplayTracks"]
