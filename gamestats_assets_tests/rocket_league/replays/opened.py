"""A track as a viewer reads it, written after the description of the format and not after the code that writes it."""

from __future__ import annotations

import gzip
import json
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Body:
    """The ball or a player: columns by frame."""

    is_there: list[int] = field(default_factory=list)
    place: list[tuple[float, ...]] = field(default_factory=list)
    turn: list[tuple[float, ...]] = field(default_factory=list)
    boost: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)


@dataclass
class Opened:
    """A whole track."""

    header: dict[str, Any]
    time_ms: list[int] = field(default_factory=list)
    clock: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    ball: Body = field(default_factory=Body)
    players: list[Body] = field(default_factory=list)


def opened(track: bytes) -> Opened:
    """Read a track to its last byte."""
    content = gzip.decompress(track)
    assert content[:4] == b"GST1"
    (length,) = struct.unpack_from("<I", content, 4)
    found = Opened(json.loads(content[8 : 8 + length].decode()))
    at, left = 8 + length, found.header["frames"]
    found.players = [Body() for _ in found.header["players"]]

    def column(form: str, n: int) -> list[int]:
        nonlocal at
        values = np.frombuffer(content, dtype=f"<{form}", count=n, offset=at)
        at += values.nbytes
        return values.tolist()

    while left:
        n = min(left, found.header["chunk_frames"])
        left -= n
        found.time_ms += column("u4", n)
        found.clock += column("i2", n)
        found.flags += column("u1", n)
        for body in (found.ball, *found.players):
            body.is_there += column("u1", n)
            x, y, z, *turn = (column("i2", n) for _ in range(7))
            body.place += [tuple(each / found.header["scale"] for each in place) for place in zip(x, y, z, strict=True)]
            body.turn += [tuple(each / 32767 for each in values) for values in zip(*turn, strict=True)]
            if body is not found.ball:
                body.boost += column("u1", n)
                body.flags += column("u1", n)
    assert at == len(content)
    return found
