"""Finds the accounts that files of Rocket League name.

Listing all accounts of a replay means reading its network updates, which takes a second or more. Looking for one
account searches the replay's bits in hundredths of a second; bits, because beyond the header nothing is aligned to
bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from gamestats_assets.rocket_league.players.identities import PlayerIdError, player_id_in_replay, player_id_of

# Shorter accounts may be ordinary words.
_DISTINCT = 8
_NO_CHANCE = 6
_PLAYSTATION_BYTES = 16


def accounts_in_ballchasing(content: bytes) -> set[str]:
    """Returns the ids of all accounts in ballchasing's JSON of a replay, uploader included; empty if it is no JSON."""
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
    """Returns the ids of all accounts in a replay: players, leavers, latecomers, spectators, party leaders.

    Raises:
        Exception: the library's own, when the replay cannot be read.
    """
    import subtr_actor

    accounts: set[str] = set()
    for frame in subtr_actor.parse_replay(content)["network_frames"]["frames"]:
        for update in frame["updated_actors"]:
            attribute = update["attribute"]
            # Some attributes are a bare word.
            if not isinstance(attribute, dict):
                continue
            unique_id = attribute.get("UniqueId") or attribute.get("PartyLeader")
            if unique_id is None and (reservation := attribute.get("Reservation")) is not None:
                unique_id = reservation["unique_id"]
            if unique_id is not None and (player_id := player_id_in_replay(unique_id["remote_id"])) is not None:
                accounts.add(player_id)
    return accounts


def names_account(content: bytes, player_id: str) -> bool:
    """Whether a replay, JSON or damaged content names an account; True in doubt."""
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
    """Returns an account as replays write it, in lower case."""
    if platform == "epic":
        return account.encode()
    if platform in ("ps4", "ps5"):
        return account.encode().ljust(_PLAYSTATION_BYTES, b"\0")[:_PLAYSTATION_BYTES].lower()
    try:
        number = bytes.fromhex(account) if platform == "xbox" else int(account).to_bytes(8, "little")
    except (ValueError, OverflowError):
        return None
    # Two bytes or less would be found by chance.
    return number.lower() if len(number.strip(b"\0")) > 2 else None


def _shifts(content: bytes) -> Iterator[bytes]:
    """Yields a content shifted by 0 to 7 bits, lowest bit of a byte first; in lower case."""
    yield content.lower()
    whole = np.frombuffer(content + b"\0", np.uint8)
    for bits in range(1, 8):
        yield ((whole[:-1] >> bits) | (whole[1:] << np.uint8(8 - bits))).astype(np.uint8).tobytes().lower()


def holds_text(content: bytes, text: str) -> bool:
    """Whether a content contains a text as a word, at any bit offset, whatever its case.

    Texts of less than six bytes are not searched: they would be found by chance.
    """
    encoded = {text.lower().encode(coding, "ignore") for coding in ("utf-8", "utf-16-le", "cp1252")}
    forms = sorted(form for form in encoded if len(form) >= _NO_CHANCE)
    pattern = re.compile(rb"(?<!\w)(?:" + b"|".join(map(re.escape, forms)) + rb")(?!\w)")
    # A pattern is searched much more slowly than plain bytes.
    return bool(forms) and any(
        any(form in shifted for form in forms) and pattern.search(shifted) for shifted in _shifts(content)
    )
