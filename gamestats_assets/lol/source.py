"""How files of League of Legends reach the landing zone: match objects and timelines of match-v5, told by their content."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from gamestats_assets.lakehouse.arrivals import Recognised, Source, UnrecognisedContentError

GAME = "lol"
"""The game's folder in the landing zone."""
_TAKEN = "Match objects and timelines of Riot's match-v5 are taken."
_MATCH_ID = re.compile(r"[A-Z0-9]{2,6}_[0-9]{1,20}")
_NAMED = re.compile(r"(?<![A-Za-z0-9])([A-Z0-9]{2,6}_[0-9]{5,20})(?![0-9])", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLIS = 9_214_646_400_000
# The oldest matches of match-v5 are of 2019.
_FIRST_MILLIS = 1_230_768_000_000


class _Metadata(msgspec.Struct, rename="camel"):
    match_id: str


class _Event(msgspec.Struct, rename="camel", gc=False):
    type: str | None = None
    timestamp: int | None = None
    real_timestamp: int | None = None


class _Frame(msgspec.Struct, gc=False):
    events: list[_Event] | None = None


class _Info(msgspec.Struct, rename="camel"):
    frames: list[_Frame] | None = None
    participants: list[msgspec.Raw] | None = None
    game_duration: int | None = None
    game_start_timestamp: int | None = None
    game_creation: int | None = None


class _Document(msgspec.Struct):
    metadata: _Metadata
    info: _Info


_DOCUMENT = msgspec.json.Decoder(_Document)


def recognise(content: bytes, name: str = "") -> Recognised:
    """What a decompressed content is.

    Args:
        content: plain JSON; a byte order mark and white space around it do not matter.
        name: not looked at: both kinds of files tell their match.

    Raises:
        UnrecognisedContentError: when it is neither a match object nor a timeline, is cut, or tells no match or no time.
    """
    content = content.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
    if not content:
        raise UnrecognisedContentError("The file is empty.")
    try:
        document = _DOCUMENT.decode(content)
    except msgspec.ValidationError as error:
        raise UnrecognisedContentError(f"Expected a document with metadata and info: {error}. {_TAKEN}") from None
    except (ValueError, RecursionError) as error:
        raise UnrecognisedContentError(f"The JSON is cut or damaged: {error}.") from None
    match_id, info = document.metadata.match_id.upper(), document.info
    if not _MATCH_ID.fullmatch(match_id):
        raise UnrecognisedContentError(f"The match id {match_id[:80]!r} is none: one is such as NA1_4736000000.")
    if info.frames is not None:
        return Recognised("timeline", match_id, _start_of_timeline(match_id, info.frames), False)
    if info.game_duration is not None and info.participants is not None:
        return Recognised("match", match_id, _start_of_match(match_id, info), True)
    raise UnrecognisedContentError(f"Expected info.frames, or info.gameDuration and info.participants. {_TAKEN}")


def _start_of_match(match_id: str, info: _Info) -> datetime:
    for millis in (info.game_start_timestamp, info.game_creation):
        if millis is not None and _FIRST_MILLIS <= millis <= _LAST_MILLIS:
            return _EPOCH + timedelta(milliseconds=millis)
    raise UnrecognisedContentError(f"Match object {match_id} tells no usable gameStartTimestamp or gameCreation.")


def _start_of_timeline(match_id: str, frames: list[_Frame]) -> datetime:
    """The few events with a time by the clock tell it; the first is the start of the game itself."""
    told = [
        event.real_timestamp - (event.timestamp or 0)
        for frame in frames
        for event in frame.events or ()
        if event.real_timestamp is not None
    ]
    if told and _FIRST_MILLIS <= min(told) <= _LAST_MILLIS:
        return _EPOCH + timedelta(milliseconds=min(told))
    raise UnrecognisedContentError(
        f"The timeline of {match_id} tells no time by the clock (realTimestamp). Ingest its match object with it."
    )


def _belongs(payload: bytes, name: str) -> tuple[str, str] | None:
    """Of what cannot be read, the match that its name tells; a timeline is named so, or lies in a folder that is."""
    found = _NAMED.search(name)
    return ("timeline", found[1].upper()) if found and "timeline" in name.lower() else None


SOURCE = Source(GAME, recognise, first=("match",), belongs=_belongs)
"""What a match's own object tells of its start is landed before what its timeline does."""
ingest, ingest_payload, unreadable, refused = SOURCE.ingest, SOURCE.ingest_payload, SOURCE.unreadable, SOURCE.refused
