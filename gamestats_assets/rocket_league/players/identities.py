"""Identities of players: one id per account, on every platform, in whatever form a file has it.

An id is `<platform>_<id on the platform>`, in lower case, such as `steam_76561190000000001`; it is also the key of a
player's partitions. Platforms are named as ballchasing names them.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gamestats_assets.lakehouse.errors import GamestatsError

PLATFORMS = ("steam", "epic", "ps4", "ps5", "xbox", "switch", "psynet", "qq")
"""Platforms with accounts."""
GUEST = "guest_"
"""Prefix of ids of players without an account: bots and shared-screen guests. They are valid within a match only."""
FORGOTTEN = "forgotten_"
"""Prefix of ids that replace forgotten players; one player has another id in every match."""
FORGOTTEN_NAME = "(forgotten)"
"""Replaces the names of forgotten players."""
_ID = re.compile(r"[a-z0-9_.-]{1,64}")
# Names of a replay parser.
_REMOTE = {
    "Steam": "steam",
    "Epic": "epic",
    "PlayStation": "ps4",
    "Xbox": "xbox",
    "Switch": "switch",
    "PsyNet": "psynet",
    "QQ": "qq",
}


class PlayerIdError(GamestatsError):
    """A text is not the id of a player."""


def player_id_of(platform: str, account: str) -> str:
    """Returns the id of an account on a platform.

    >>> player_id_of("Steam", "76561190000000001"), player_id_of("ps4", "Darko_oklm")
    ('steam_76561190000000001', 'ps4_darko_oklm')

    Raises:
        PlayerIdError: when the platform is unknown, or the account has characters that no account has.
    """
    platform, account = platform.strip().lower(), account.strip().lower()
    if platform not in PLATFORMS:
        raise PlayerIdError(f"{platform!r} is no platform; choose from: {', '.join(PLATFORMS)}.")
    if not _ID.fullmatch(account):
        raise PlayerIdError(f"{account!r} is no account on {platform}: accounts have letters, digits, _ . and - only.")
    return f"{platform}_{account}"


def parse_player_id(text: str) -> str:
    """Returns the id for a text that a person wrote, `steam:7656...` or `steam_7656...`.

    >>> parse_player_id("Steam:76561190000000001")
    'steam_76561190000000001'

    Raises:
        PlayerIdError: when the text is not an id.
    """
    platform, separator, account = text.strip().replace(":", "_", 1).partition("_")
    if not separator:
        raise PlayerIdError(f"{text!r} is no player; write the platform and the account: steam:76561190000000001.")
    return player_id_of(platform, account)


def written_id(player_id: str) -> str:
    """Returns an id as people write it, and as ballchasing's filters accept it.

    >>> written_id("steam_76561190000000001")
    'steam:76561190000000001'
    """
    platform, _, account = player_id.partition("_")
    return f"{platform}:{account}"


def guest_id(name: str) -> str:
    """Returns the id of a player without an account, from the name in the match.

    >>> guest_id("Armstrong")
    'guest_a7764896'
    """
    return f"{GUEST}{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def has_account(player_id: str) -> bool:
    """Whether an id belongs to an account, not to a guest or a forgotten player.

    >>> has_account("steam_76561190000000001"), has_account("guest_a7764896")
    (True, False)
    """
    return not player_id.startswith((GUEST, FORGOTTEN))


def distinct_names(names: Sequence[str | None]) -> list[str | None]:
    """Returns the display names of a match's players: several forgotten players are numbered.

    >>> distinct_names(["(forgotten)", "Ann", "(forgotten)"]), distinct_names(["(forgotten)", "Ann"])
    (['(forgotten 1)', 'Ann', '(forgotten 2)'], ['(forgotten)', 'Ann'])
    """
    if names.count(FORGOTTEN_NAME) < 2:
        return [*names]
    number = itertools.count(1)
    return [f"{FORGOTTEN_NAME[:-1]} {next(number)})" if name == FORGOTTEN_NAME else name for name in names]


def is_masked(name: str | None) -> bool:
    """Whether a name, as returned by `distinct_names`, belongs to a forgotten player.

    >>> is_masked("(forgotten)"), is_masked("(forgotten 2)"), is_masked("Ann")
    (True, True, False)
    """
    return (name or "").startswith(FORGOTTEN_NAME[:-1])


def player_id_in_replay(remote_id: Mapping[str, Any]) -> str | None:
    """Returns the id of an account in a replay; None for bots and shared-screen guests.

    On PlayStation the name is the account, as at ballchasing; for Xbox, ballchasing reverses the bytes of the number.

    >>> player_id_in_replay({"Xbox": "2535462716428144"})
    'xbox_70cf8d6afd010900'
    """
    for kind, value in remote_id.items():
        platform = _REMOTE.get(kind)
        if platform is None:
            continue
        try:
            account = value
            if isinstance(value, Mapping):
                account = value.get("name" if platform == "ps4" else "online_id")
            elif platform == "xbox":
                account = int(value).to_bytes(8, "little").hex()
            return player_id_of(platform, str(account or ""))
        except (PlayerIdError, TypeError, ValueError, OverflowError):
            return None
    return None
