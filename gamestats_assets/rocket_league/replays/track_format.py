"""The track of a replay: one binary object for the viewer, which can show it while it is still arriving.

    "GST1", the length of the header (uint32), the header (JSON, UTF-8), then chunks of 100 frames, the last one shorter

and all of it gzipped. Numbers are little-endian. The header:

    match_id, map, playlist, team_size, field   "soccar", "hoops" or "dropshot"
    duration_s, frames, chunk_frames            times are in seconds since the replay began, as in every table
    scale                                       whole numbers in a chunk for one unreal unit
    players     [{name, team, car_id, hitbox, camera: {fov_deg, height_uu, pitch_deg, distance_uu, stiffness} or null}]
    pads        [[x, y, z, is_big]]             boost pads, of a soccar field
    pad_events  [[pad, taken_s, back_s, player]]
    ball_cam    [[player, from_s, to_s]]        when a player's camera looked at the ball
    kickoffs    [[countdown_from_s, ball_hit_s or null]]
    goals       [[time_s, team, player or null, play_goes_on_s]]
    touches     [[time_s, player or null, is_orange, x, y, z, speed_uu_s, is_aerial]]   place and speed of the ball
    stints      [[player, role, from_s, to_s]]  1 is first man, nearest of the team to the ball

A player is an index into `players`, which are those of `participants`: blue first, then by player_id. A chunk of n
frames consists of columns, one after another:

    time_ms uint32[n], seconds_remaining int16[n], flags uint8[n]   1 countdown, 2 play is on, 4 the ball was hit
    for the ball: is_there uint8[n], x int16[n], y, z, qx int16[n], qy, qz, qw
    for each player the same, then boost uint8[n] (255 is a full tank), flags uint8[n]   1 jumping, 2 ball camera

Positions are in `scale`ths of unreal units, rotations quaternions in 32767ths. Absent players have zeros.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

MAGIC = b"GST1"
CHUNK_FRAMES, SCALE, TURN = 100, 4, 32767
"""Frames per chunk, and integers for one unreal unit and for a rotation of 1."""
COUNTDOWN, LIVE, BALL_HIT = 1, 2, 4
JUMPING, BALL_CAM = 1, 2
"""Bits of the flags of a frame, and of a player in it."""
_PIECE = 64 * 1024


def read_header(track: bytes) -> dict[str, Any]:
    """Returns the header of a gzipped track; unpacks as little of the chunks as possible.

    Raises:
        ValueError: when it is not a track.
    """
    unpacking, content = zlib.decompressobj(zlib.MAX_WBITS | 16), b""
    try:
        for start in range(0, len(track), _PIECE):
            content += unpacking.decompress(track[start : start + _PIECE])
            if content[:4] == MAGIC and len(content) >= 8:
                (length,) = struct.unpack_from("<I", content, 4)
                if len(content) >= 8 + length:
                    return json.loads(content[8 : 8 + length])
    except zlib.error as error:
        raise ValueError(f"The track cannot be unpacked: {error}.") from None
    raise ValueError(f"Expected a track, which begins with {MAGIC!r} and a whole header; found {content[:4]!r}.")
