"""How files of PUBG reach the landing zone: recognised by content, landed once, nothing lost.

A file is a match object, a telemetry or a player object; which one is read from its
bytes, never from its name, plain or compressed. What nobody can read is landed as well,
with the reason, so that it can be counted and looked at.
"""

from __future__ import annotations

import json
import re
import zlib
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePath
from typing import Any, Literal, TypeVar

import msgspec

from gamestats_assets.lakehouse.files.documents import LAST_YEAR
from gamestats_assets.lakehouse.landing.arrivals import Recognised, Source, UnrecognisedContentError
from gamestats_assets.lakehouse.landing.zone import Landing

GAME = "pubg"
"""The game's folder in the landing zone."""
Kind = Literal["match", "telemetry", "players"]

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_MATCH_ID = re.compile(_UUID)
# The API's own telemetry files are named <asset id>-telemetry.json: that id is not the match's.
_NAMED_MATCH = re.compile(rf"(?<![0-9a-f])({_UUID})(?!-telemetry|[0-9a-f])", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
# The `{` of an array element: what an event of a telemetry starts with, and few of its inner objects.
_ELEMENT = re.compile(r"[\[,]\s*\{")
_TIME = re.compile(rb'"_D"\s*:\s*"([^"\\]{1,40})"')
_UPLOAD_SLACK = timedelta(minutes=5)  # real uploads come up to four minutes before createdAt plus duration
_FIRST_YEAR = 2017  # the game came out
_HEAD = 64 * 1024
# How far around a marker its event is looked for: most fit the first window, a full lobby the second.
_WINDOWS = (32 * 1024, 256 * 1024, 2 * 1024 * 1024)
_MOST_ATTEMPTS = 4000
_MOST_MARKERS = 8
_DECODER = json.JSONDecoder()
_T = TypeVar("_T")


_TAKEN = "Match objects, telemetry and player objects of the PUBG API are taken."


# ---------------------------------------------------------------- recognising


class _Resource(msgspec.Struct):
    type: str
    id: str
    # Raw, for a file of any content is looked at, and what is of no use here may be large.
    attributes: dict[str, msgspec.Raw] | None = None


class _Document(msgspec.Struct):
    data: _Resource | list[_Resource]
    included: list[_Resource] = []


_DOCUMENT = msgspec.json.Decoder(_Document)


def recognise(content: bytes, name: str = "") -> Recognised:
    """What a decompressed content is; cheap also for a telemetry of 15 MB, of which a few events are decoded.

    Args:
        content: plain JSON; a byte order mark and white space around it do not matter.
        name: file name, or path; it gives the match id of a telemetry that does not tell its own.

    Raises:
        UnrecognisedContentError: when it is no match object, telemetry or player object, is cut,
            or tells no match id or no time.
    """
    content = content.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
    if content.startswith(b"["):
        return _telemetry(content, name)
    if content.startswith(b"{"):
        return _document(content)
    if not content:
        raise UnrecognisedContentError("The file is empty.")
    raise UnrecognisedContentError(f"Expected JSON that starts with [ or {{, found {content[:16]!r}. {_TAKEN}")


def _document(content: bytes) -> Recognised:
    try:
        document = _DOCUMENT.decode(content)
    except msgspec.ValidationError as error:
        raise UnrecognisedContentError(f"Expected a JSON:API document of the PUBG API: {error}. {_TAKEN}") from None
    except (ValueError, RecursionError) as error:
        raise UnrecognisedContentError(f"The JSON is cut or damaged: {error}.") from None
    data = document.data
    if isinstance(data, _Resource) and data.type == "match":
        return _match(data, document.included)
    types = {resource.type for resource in (data if isinstance(data, list) else [data])}
    if types == {"player"}:
        return Recognised("players", None, None, False)
    found = ", ".join(sorted(types)[:5]) or "none"
    raise UnrecognisedContentError(f"Expected a match object or player objects, found resources of type: {found[:80]}.")


def _match(match: _Resource, included: list[_Resource]) -> Recognised:
    if not _ID.fullmatch(match.id):
        raise UnrecognisedContentError(f"The match id {match.id[:80]!r} has characters no match id has.")
    uploads = [_instant(_attribute(resource, "createdAt", str)) for resource in included if resource.type == "asset"]
    uploaded = max((time for time in uploads if time is not None), default=None)
    started_at = _estimated_start(_attribute(match, "createdAt", str), _attribute(match, "duration", float), uploaded)
    if started_at is None:
        raise UnrecognisedContentError(f"Match object {match.id} has no usable createdAt and duration.")
    return Recognised("match", match.id.lower(), started_at, False)


def _attribute(resource: _Resource, name: str, type: type[_T]) -> _T | None:
    """An attribute; None where it is of another type, or there is none."""
    raw = (resource.attributes or {}).get(name)
    try:
        return None if raw is None else msgspec.json.decode(raw, type=type)
    except (ValueError, RecursionError):
        return None


def _estimated_start(created_at: str | None, duration: float | None, uploaded: datetime | None) -> datetime | None:
    """Start of a match as its match object tells it.

    createdAt is documented as the time of storing, which is `duration` after the start. In the
    official match objects at hand it is the start itself: the telemetry was uploaded about two
    minutes after createdAt plus duration. So the upload decides, where there is one.
    """
    created = _instant(created_at)
    if created is None or duration is None or not 0 <= duration <= 86_400:
        return None
    length = timedelta(seconds=duration)
    if uploaded is not None and uploaded >= created + length - _UPLOAD_SLACK:
        return created
    return created - length


def _telemetry(content: bytes, name: str) -> Recognised:
    first = _first_event(content)
    if first is None or not isinstance(first.get("_T"), str):
        message = f"Expected a telemetry: the array's first element is no event with a type (_T). {_TAKEN}"
        raise UnrecognisedContentError(message)
    if not _is_whole(content):
        raise UnrecognisedContentError("The telemetry is cut: it does not end with a whole event and a closing ].")
    definition = _event(content, "LogMatchDefinition") or {}
    match_id = _match_id(definition.get("MatchId")) or _named_match_id(name)
    if match_id is None:
        raise UnrecognisedContentError(
            "The telemetry tells no match id: no LogMatchDefinition with one. Name the file <match id>.json."
        )
    started_at = _instant((_event(content, "LogMatchStart") or {}).get("_D"))
    if started_at is not None:
        return Recognised("telemetry", match_id, started_at, True)
    # The definition is logged at the start, the events before it in the lobby, a minute earlier.
    estimate = _instant(definition.get("_D")) or _earliest_time(content[:_HEAD])
    if estimate is None:
        raise UnrecognisedContentError(f"The telemetry of match {match_id} tells no time (_D) in its first events.")
    return Recognised("telemetry", match_id, estimate, False)


def _match_id(value: object) -> str | None:
    found = value.rsplit(".", 1)[-1].lower() if isinstance(value, str) else ""
    return found if _MATCH_ID.fullmatch(found) else None


def _named_match_id(name: str) -> str | None:
    # Folders may be named by anything.
    found = _NAMED_MATCH.search(PurePath(name).name)
    return found[1].lower() if found else None


def _instant(value: object) -> datetime | None:
    """A time of the API (3 or 7 fractional digits, Z or an offset); None also where no match can be."""
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        time = datetime.fromisoformat(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time if _FIRST_YEAR <= time.year <= LAST_YEAR else None


def _earliest_time(head: bytes) -> datetime | None:
    times = [time for found in _TIME.finditer(head) if (time := _instant(found[1].decode("utf-8", "replace")))]
    return min(times, default=None)


def _decoded(text: str, start: int) -> tuple[Any, int]:
    """The JSON value at a position and its end; (None, start) when there is none."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start


def _first_event(content: bytes) -> dict[str, Any] | None:
    for window in _WINDOWS:
        text = content[:window].decode("utf-8", "replace")
        event, _ = _decoded(text, len(text) - len(text[1:].lstrip(" \t\r\n")))
        if isinstance(event, dict):
            return event
        if window >= len(content):
            break
    return None


def _event(content: bytes, event_type: str) -> dict[str, Any] | None:
    """The first event of a type, found by its bytes."""
    marker = f'"{event_type}"'.encode()
    at = content.find(marker)
    for _ in range(_MOST_MARKERS):
        if at < 0:
            return None
        for window in _WINDOWS:
            event = _enclosing_event(content, at, window)
            if event is not None:
                if event["_T"] == event_type:
                    return event
                break  # another event's: a player can have any name
            if at - window <= 0 and at + window >= len(content):
                break
        at = content.find(marker, at + 1)
    return None


def _enclosing_event(content: bytes, at: int, window: int) -> dict[str, Any] | None:
    """The event around a position, or None when it does not fit the window."""
    # Each side is decoded on its own, so that the position is known in characters too.
    before = content[max(0, at - window) : at].decode("utf-8", "replace")
    text = before + content[at : at + window].decode("utf-8", "replace")
    starts = [found.end() - 1 for found in _ELEMENT.finditer(before)]
    for start in reversed(starts[-_MOST_ATTEMPTS:]):
        value, end = _decoded(text, start)
        if end > len(before) and isinstance(value, dict) and isinstance(value.get("_T"), str):
            return value
    return None


def _is_whole(content: bytes) -> bool:
    """Whether the array's last element is a whole event: a cut file can end with the ] of an inner array."""
    body = content[1:-1].rstrip(b" \t\r\n")
    if not (content.endswith(b"]") and body.endswith(b"}")):
        return False
    for window in _WINDOWS:
        text = ("" if window < len(body) else "[") + body[-window:].decode("utf-8", "replace")
        starts = [found.end() - 1 for found in _ELEMENT.finditer(text)]
        for start in reversed(starts[-_MOST_ATTEMPTS:]):
            value, end = _decoded(text, start)
            if end == len(text) and isinstance(value, dict) and isinstance(value.get("_T"), str):
                return True
        if window >= len(body):
            break
    return False


# ---------------------------------------------------------------- landing


def _begins_as_telemetry(payload: bytes) -> bool:
    head = payload[:_HEAD]
    for _ in range(2):
        if head.startswith(b"\x1f\x8b"):
            try:
                head = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
            except zlib.error:
                return False
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and b'"_T"' in head


def _belongs(payload: bytes, name: str) -> tuple[str, str] | None:
    match_id = _named_match_id(name) if _begins_as_telemetry(payload) else None
    return None if match_id is None else ("telemetry", match_id)


SOURCE = Source(GAME, recognise, first=("telemetry",), belongs=_belongs)
"""Match objects, telemetry and player objects; what tells a match's exact start is landed first."""
ingest, ingest_payload, is_whole = SOURCE.ingest, SOURCE.ingest_payload, SOURCE.is_whole
refused = SOURCE.refused


def mark_expired(landing: Landing, match_id: str, day: date, *, status: int = 403) -> bool:
    """Land the fact that a match's telemetry cannot be had any more; True when it is new.

    Args:
        landing: where to land.
        match_id: id of the match.
        day: UTC day of its start, for a match of which nothing has landed.
        status: HTTP status of the answer.
    """
    content = json.dumps({"match_id": match_id, "status": status}, sort_keys=True).encode()
    _, is_new = landing.put(GAME, day, match_id, "expired", content, content)
    return is_new
