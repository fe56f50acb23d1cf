"""Whom files of Rocket League name.

Who all is named in a replay is read from its network updates, which takes a second or more; whether somebody is, is
looked for in its bits, which takes hundredths of a second: a replay is no whole bytes beyond its header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from gamestats_assets.rocket_league.identities import PlayerIdError, player_id_in_replay, player_id_of

# Shorter accounts are words that may mean something else.
_DISTINCT = 8
_NO_CHANCE = 6
_PLAYSTATION_BYTES = 16


def accounts_in_ballchasing(content: bytes) -> set[str]:
    """Ids of all accounts that ballchasing's JSON of a replay names, who uploaded it too; none where it is no JSON."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return set()
    return {player_id for pair in _pairs(document) if (player_id := _id_of(*pair)) is not None}


def _pairs(document: Any) -> Iterator[tuple[Any, Any]]:
    waiting = [document]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each.get("platform"), each.get("id")
            yield "steam", each.get("steam_id")
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _id_of(platform: Any, account: Any) -> str | None:
    try:
        return player_id_of(str(platform or ""), str(account or ""))
    except PlayerIdError:
        return None


def accounts_in_replay(content: bytes) -> set[str]:
    """Ids of all accounts that a replay names: who played, left, came too late, watched, or led a party.

    Raises:
        Exception: the library's own, when the replay cannot be read.
    """
    import subtr_actor

    found: set[str] = set()
    for frame in subtr_actor.parse_replay(content)["network_frames"]["frames"]:
        for update in frame["updated_actors"]:
            attribute = update["attribute"]
            # Some are a bare word.
            if not isinstance(attribute, dict):
                continue
            unique_id = attribute.get("UniqueId") or attribute.get("PartyLeader")
            if unique_id is None and (reservation := attribute.get("Reservation")) is not None:
                unique_id = reservation["unique_id"]
            if unique_id is not None and (player_id := player_id_in_replay(unique_id["remote_id"])) is not None:
                found.add(player_id)
    return found


def names_account(content: bytes, player_id: str) -> bool:
    """Whether a content names an account, be it a replay, JSON, or damaged: where in doubt, it does."""
    platform, _, account = player_id.partition("_")
    lowered = content.lower()
    if account.encode() in lowered:
        if len(account) >= _DISTINCT or player_id in accounts_in_ballchasing(content):
            return True
        if re.search(rb'"id"\s*:\s*"' + re.escape(account.encode()) + b'"', lowered):
            return not accounts_in_ballchasing(content)
    form = _in_bits(platform, account)
    return form is not None and any(form in shifted for shifted in _shifts(content))


def _in_bits(platform: str, account: str) -> bytes | None:
    """An account as replays write it, small letters for capital ones too."""
    if platform == "epic":
        return account.encode()
    if platform in ("ps4", "ps5"):
        return account.encode().ljust(_PLAYSTATION_BYTES, b"\0")[:_PLAYSTATION_BYTES].lower()
    try:
        number = bytes.fromhex(account) if platform == "xbox" else int(account).to_bytes(8, "little")
    except (ValueError, OverflowError):
        return None
    # Less than a word of it would be found by chance.
    return number.lower() if len(number.strip(b"\0")) > 2 else None


def _shifts(content: bytes) -> Iterator[bytes]:
    """A content as it reads from each of its first eight bits on, the lowest bit of a byte first; in small letters."""
    yield content.lower()
    whole = np.frombuffer(content + b"\0", np.uint8)
    for bits in range(1, 8):
        yield ((whole[:-1] >> bits) | (whole[1:] << np.uint8(8 - bits))).astype(np.uint8).tobytes().lower()


def holds_text(content: bytes, text: str) -> bool:
    """Whether a text stands in a content as a word, from whichever bit on, in small letters or capital ones.

    Texts of less than six bytes are not looked for: they would be found by chance.
    """
    forms = {text.lower().encode(coding, "ignore") for coding in ("utf-8", "utf-16-le", "cp1252")}
    wanted = b"|".join(re.escape(form) for form in sorted(forms) if len(form) >= _NO_CHANCE)
    pattern = re.compile(rb"(?<!\w)(?:" + wanted + rb")(?!\w)")
    return bool(wanted) and any(pattern.search(shifted) for shifted in _shifts(content))
