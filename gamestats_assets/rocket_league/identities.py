"""Who a player is: one id per account, on every platform, however a file writes it.

An id is `<platform>_<id on the platform>`, in lower case, such as `steam_76561190000000001`; it is the key of a
player's partitions too. Platforms are called as ballchasing calls them.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gamestats_assets.lakehouse.errors import GamestatsError

PLATFORMS = ("steam", "epic", "ps4", "ps5", "xbox", "switch", "psynet", "qq")
"""Platforms that have accounts."""
GUEST = "guest_"
"""What ids of players without an account begin with: bots, and who shares a screen. They hold in their match alone."""
FORGOTTEN = "forgotten_"
"""What stands for players who had everything of them removed begins with; in every match another for the same one."""
FORGOTTEN_NAME = "(forgotten)"
"""What stands for their names."""
_ID = re.compile(r"[a-z0-9_.-]{1,64}")
# As a parser of replays names them.
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
    """Something is no id of a player."""


def player_id_of(platform: str, account: str) -> str:
    """The id of an account on a platform.

    >>> player_id_of("Steam", "76561190000000001"), player_id_of("ps4", "Darko_oklm")
    ('steam_76561190000000001', 'ps4_darko_oklm')

    Raises:
        PlayerIdError: when the platform is none, or the account has characters no account has.
    """
    platform, account = platform.strip().lower(), account.strip().lower()
    if platform not in PLATFORMS:
        raise PlayerIdError(f"{platform!r} is no platform; these are: {', '.join(PLATFORMS)}.")
    if not _ID.fullmatch(account):
        raise PlayerIdError(f"{account!r} is no account on {platform}: letters, digits, _ . and - make one.")
    return f"{platform}_{account}"


def parse_player_id(text: str) -> str:
    """An id as people write it, `steam:7656...` or `steam_7656...`.

    >>> parse_player_id("Steam:76561190000000001")
    'steam_76561190000000001'

    Raises:
        PlayerIdError: when it is none.
    """
    platform, separator, account = text.strip().replace(":", "_", 1).partition("_")
    if not separator:
        raise PlayerIdError(f"{text!r} is no player; write the platform and the account: steam:76561190000000001.")
    return player_id_of(platform, account)


def written_id(player_id: str) -> str:
    """An id as people write it, and as ballchasing's filters take it.

    >>> written_id("steam_76561190000000001")
    'steam:76561190000000001'
    """
    platform, _, account = player_id.partition("_")
    return f"{platform}:{account}"


def guest_id(name: str) -> str:
    """What stands for a player without an account, by the name in the match.

    >>> guest_id("Armstrong")
    'guest_a7764896'
    """
    return f"{GUEST}{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def has_account(player_id: str) -> bool:
    """Whether an id is of an account, and not of a guest, or of somebody who is forgotten.

    >>> has_account("steam_76561190000000001"), has_account("guest_a7764896")
    (True, False)
    """
    return not player_id.startswith((GUEST, FORGOTTEN))


def distinct_names(names: Sequence[str | None]) -> list[str | None]:
    """Names of a match's players as they are shown: where several are forgotten, each has a number.

    >>> distinct_names(["(forgotten)", "Ann", "(forgotten)"]), distinct_names(["(forgotten)", "Ann"])
    (['(forgotten 1)', 'Ann', '(forgotten 2)'], ['(forgotten)', 'Ann'])
    """
    if names.count(FORGOTTEN_NAME) < 2:
        return [*names]
    number = itertools.count(1)
    return [f"{FORGOTTEN_NAME[:-1]} {next(number)})" if name == FORGOTTEN_NAME else name for name in names]


def is_masked(name: str | None) -> bool:
    """Whether a name, as `distinct_names` tells it, stands for somebody who is forgotten.

    >>> is_masked("(forgotten)"), is_masked("(forgotten 2)"), is_masked("Ann")
    (True, True, False)
    """
    return (name or "").startswith(FORGOTTEN_NAME[:-1])


def player_id_in_replay(remote_id: Mapping[str, Any]) -> str | None:
    """The id of an account as a replay tells it; None for bots, and for who shares a screen with another.

    On PlayStation the name is the account, as ballchasing has it; on Xbox it writes the bytes of the number backwards.

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
