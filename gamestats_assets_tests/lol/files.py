"""Match objects, timelines and Data Dragon documents, as small as they can be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

BEGAN = datetime(2023, 7, 14, 23, 50, tzinfo=UTC)
BEGAN_MS = int(BEGAN.timestamp() * 1000)


def match_object(match_id: str = "NA1_47101", *, version: str = "13.14.522.7601", **info: Any) -> bytes:
    """A match object that tells what the landing zone looks for; `None` leaves a key out."""
    result = {
        "gameCreation": BEGAN_MS - 60_000,
        "gameStartTimestamp": BEGAN_MS,
        "gameDuration": 1500,
        "gameVersion": version,
        "participants": [],
        **info,
    }
    result = {key: value for key, value in result.items() if value is not None}
    return json.dumps({"metadata": {"matchId": match_id, "participants": []}, "info": result}).encode()


def timeline(match_id: str = "NA1_47101", *, began_ms: int | None = BEGAN_MS) -> bytes:
    """A timeline of one frame; without a time by the clock where `began_ms` is None."""
    event: dict[str, Any] = {"type": "PAUSE_END", "timestamp": 30}
    if began_ms is not None:
        event["realTimestamp"] = began_ms + 30
    frames = [{"timestamp": 0, "events": [event], "participantFrames": {}}]
    document = {"metadata": {"matchId": match_id}, "info": {"frameInterval": 60_000, "frames": frames}}
    return json.dumps(document).encode()


def item(name: str = "Boots", **more: Any) -> dict[str, Any]:
    """An item as a document lists it."""
    gold = {"base": 300, "total": 300, "sell": 210, "purchasable": True}
    return {"name": name, "plaintext": "", "gold": gold, "tags": [], "maps": {"11": True}, **more}


def items(version: str = "13.14.1", **entries: Any) -> bytes:
    """A document of items; keys are written `i1001`."""
    data = {key.removeprefix("i"): entry for key, entry in (entries or {"i1001": item()}).items()}
    return json.dumps({"type": "item", "version": version, "basic": {}, "data": data}).encode()


def champion(key: str, number: int, name: str | None = None, ranks: Sequence[int] | None = None) -> dict[str, Any]:
    """A champion as a document lists it."""
    spells = {} if ranks is None else {"spells": [{"id": "spell", "maxrank": rank} for rank in ranks]}
    return {"id": key, "key": str(number), "name": name or key, "tags": ["Fighter"], **spells}


def champions(*listed: dict[str, Any], version: str = "13.14.1") -> bytes:
    """A document of champions: a full one where they have spells."""
    listed = listed or (champion("Annie", 1, ranks=(5, 5, 5, 3)),)
    form = "full" if "spells" in listed[0] else "standAloneComplex"
    data = {entry["id"]: entry for entry in listed}
    return json.dumps({"type": "champion", "format": form, "version": version, "data": data}).encode()
