"""Tombstones of forgotten players: they keep future files from naming them, without naming them themselves.

A tombstone is a file in the landing zone with a salt, the day of the request, and a digest of the player's id that
takes long to compute (scrypt). Files with an account whose digest matches land with that player masked.
"""

from __future__ import annotations

import functools
import hashlib
import json
import secrets
from collections.abc import Iterable
from datetime import date

from gamestats_assets.lakehouse.landing.zone import Landing

TOMBSTONE = "tombstone"
"""Kind of the files."""


def bury(landing: Landing, game: str, player_id: str, day: date) -> bool:
    """Create the tombstone of a player, unless it exists; returns whether it is new.

    Args:
        landing: the landing zone.
        game: folder of the game.
        player_id: the player to be forgotten.
        day: day of the request.
    """
    known = _tombstones(landing, game)
    if _is_buried(known, player_id):
        return False
    # One salt for all, because each salt costs a digest of every account.
    salt = min(known) if known else secrets.token_hex(16)
    tombstone = {"salt": salt, "digest": _digest(salt, player_id), "day": day.isoformat()}
    content = json.dumps(tombstone, sort_keys=True).encode()
    landing.put_undated(game, TOMBSTONE, content, content)
    return True


def unbury(landing: Landing, game: str, player_id: str) -> bool:
    """Remove the tombstone of a player who wants to be included again; returns whether it existed."""
    existed = False
    for file in landing.files(game, TOMBSTONE):
        tombstone = json.loads(landing.read(file))
        if tombstone["digest"] == _digest(tombstone["salt"], player_id):
            landing.remove(file)
            existed = True
    return existed


def buried(landing: Landing, game: str, player_ids: Iterable[str]) -> set[str]:
    """Returns those players who were forgotten on request."""
    known = _tombstones(landing, game)
    return {player_id for player_id in player_ids if _is_buried(known, player_id)}


def any_buried(landing: Landing, game: str, player_ids: Iterable[str]) -> bool:
    """Whether one of the players was forgotten on request."""
    return bool(buried(landing, game, player_ids))


def are_any(landing: Landing, game: str) -> bool:
    """Whether any player was forgotten on request; costs one listing of a folder."""
    return bool(landing.files(game, TOMBSTONE))


def _is_buried(known: dict[str, set[str]], player_id: str) -> bool:
    return any(_digest(salt, player_id) in digests for salt, digests in known.items())


def _tombstones(landing: Landing, game: str) -> dict[str, set[str]]:
    """Returns digests by salt."""
    by_salt: dict[str, set[str]] = {}
    for file in landing.files(game, TOMBSTONE):
        tombstone = json.loads(landing.read(file))
        by_salt.setdefault(tombstone["salt"], set()).add(tombstone["digest"])
    return by_salt


@functools.lru_cache(maxsize=100_000)
def _digest(salt: str, player_id: str) -> str:
    return hashlib.scrypt(player_id.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()
