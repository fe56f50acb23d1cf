"""Recognises PUBG files by their content and lands each once, without losing any.

A file is a match object, a telemetry or a player object, recognised by its bytes, plain or compressed, never by its
name. Unreadable files land too, with the reason, so that they can be counted and examined.
"""

from __future__ import annotations

import json
import re
import zlib
from contextlib import suppress
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
_UPLOAD_SLACK = timedelta(minutes=5)  # real uploads come up to four minutes before createdAt plus duration
_FIRST_YEAR = 2017  # release of the game
_HEAD = 64 * 1024
_T = TypeVar("_T")


_TAKEN = "Accepted are match objects, telemetry and player objects of the PUBG API."


# ---------------------------------------------------------------- recognising


class _Resource(msgspec.Struct):
    type: str
    id: str
    # Raw, because files may contain anything, including large useless values.
    attributes: dict[str, msgspec.Raw] | None = None


class _Document(msgspec.Struct):
    data: _Resource | list[_Resource]
    included: list[_Resource] = []


class _Event(msgspec.Struct, gc=False):
    """An event of a telemetry; with values of any type, because files may contain anything."""

    type: Any = msgspec.field(default=None, name="_T")
    time: Any = msgspec.field(default=None, name="_D")
    match_id: Any = msgspec.field(default=None, name="MatchId")


_DOCUMENT = msgspec.json.Decoder(_Document)
_EVENTS = msgspec.json.Decoder(list[_Event])
_EVENT = msgspec.json.Decoder(_Event)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


def recognise(content: bytes, name: str = "") -> Recognised:
    """Recognises a decompressed file; only types and times of a telemetry's events are decoded.

    Args:
        content: plain JSON; a byte order mark and surrounding white space are ignored.
        name: file name or path, which determines the match id of a telemetry without its own.

    Raises:
        UnrecognisedContentError: if it is no match object, telemetry or player object, is truncated, or lacks its match
            id or time.
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
        raise UnrecognisedContentError(f"The JSON is truncated or damaged: {error}.") from None
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
        raise UnrecognisedContentError(f"The match id {match.id[:80]!r} contains invalid characters.")
    uploads = [_instant(_attribute(resource, "createdAt", str)) for resource in included if resource.type == "asset"]
    uploaded = max((time for time in uploads if time is not None), default=None)
    started_at = _estimated_start(_attribute(match, "createdAt", str), _attribute(match, "duration", float), uploaded)
    if started_at is None:
        raise UnrecognisedContentError(f"Match object {match.id} has no usable createdAt and duration.")
    return Recognised("match", match.id.lower(), started_at, False)


def _attribute(resource: _Resource, name: str, type: type[_T]) -> _T | None:
    """Returns an attribute; None if it is missing or of another type."""
    raw = (resource.attributes or {}).get(name)
    try:
        return None if raw is None else msgspec.json.decode(raw, type=type)
    except (ValueError, RecursionError):
        return None


def _estimated_start(created_at: str | None, duration: float | None, uploaded: datetime | None) -> datetime | None:
    """Returns the start of a match from its match object.

    createdAt is documented as the time of storing, which is `duration` after the start. In real official match objects
    it is the start itself: their telemetry was uploaded about two minutes after createdAt plus duration. So the time of
    upload decides, if there is one.
    """
    created = _instant(created_at)
    if created is None or duration is None or not 0 <= duration <= 86_400:
        return None
    length = timedelta(seconds=duration)
    if uploaded is not None and uploaded >= created + length - _UPLOAD_SLACK:
        return created
    return created - length


def _telemetry(content: bytes, name: str) -> Recognised:
    events = _events(content)
    if not events or not isinstance(events[0].type, str):
        message = f"Expected a telemetry: the array's first element is not an event with a type (_T). {_TAKEN}"
        raise UnrecognisedContentError(message)
    nothing = _Event()
    definition = next((event for event in events if event.type == "LogMatchDefinition"), nothing)
    match_id = _match_id(definition.match_id) or _named_match_id(name)
    if match_id is None:
        raise UnrecognisedContentError(
            "The telemetry has no match id: no LogMatchDefinition contains one. Name the file <match id>.json."
        )
    started_at = _instant(next((event for event in events if event.type == "LogMatchStart"), nothing).time)
    if started_at is not None:
        return Recognised("telemetry", match_id, started_at, True)
    # The definition is logged at the start, the events before it in the lobby, a minute earlier.
    times = [time for event in events if (time := _instant(event.time)) is not None]
    estimate = _instant(definition.time) or min(times, default=None)
    if estimate is None:
        raise UnrecognisedContentError(f"The telemetry of match {match_id} has no time (_D) in its events.")
    return Recognised("telemetry", match_id, estimate, False)


def _events(content: bytes) -> list[_Event]:
    """Returns types and times of a telemetry's events; elements that are no objects are left out.

    Raises:
        UnrecognisedContentError: if the array is truncated or damaged.
    """
    try:
        try:
            return _EVENTS.decode(content)
        except msgspec.ValidationError:
            events: list[_Event] = []
            for raw in _ELEMENTS.decode(content):
                with suppress(msgspec.ValidationError):
                    events.append(_EVENT.decode(raw))
            return events
    except UnicodeDecodeError:
        return _events(content.decode("utf-8", "replace").encode())
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnrecognisedContentError(f"The telemetry is truncated or damaged: {error}.") from None


def _match_id(value: object) -> str | None:
    found = value.rsplit(".", 1)[-1].lower() if isinstance(value, str) else ""
    return found if _MATCH_ID.fullmatch(found) else None


def _named_match_id(name: str) -> str | None:
    # Folder names are arbitrary.
    found = _NAMED_MATCH.search(PurePath(name).name)
    return found[1].lower() if found else None


def _instant(value: object) -> datetime | None:
    """Returns a time of the API (3 or 7 fractional digits, Z or an offset); None for impossible times of matches."""
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        time = datetime.fromisoformat(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time if _FIRST_YEAR <= time.year <= LAST_YEAR else None


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
"""Match objects, telemetry and player objects; files with a match's exact start land first."""
ingest, ingest_payload, is_whole = SOURCE.ingest, SOURCE.ingest_payload, SOURCE.is_whole
refused = SOURCE.refused


def mark_expired(landing: Landing, match_id: str, day: date, *, status: int = 403) -> bool:
    """Lands the marker that a match's telemetry is no longer available; returns True if it is new.

    Args:
        landing: where to land.
        match_id: id of the match.
        day: UTC day of the start, for a match without landed files.
        status: HTTP status of the answer.
    """
    content = json.dumps({"match_id": match_id, "status": status}, sort_keys=True).encode()
    _, is_new = landing.put(GAME, day, match_id, "expired", content, content)
    return is_new
