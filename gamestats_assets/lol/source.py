"""Recognises League of Legends files by their content and lands them.

- Match objects and timelines of Riot's match-v5, landed under the day of their match.
- Items and champions of Data Dragon (`item.json`, `champion.json`, `championFull.json`), which belong to no day. Their
  content contains the version but not the language, so the language comes from the file's path and becomes part of the
  landed kind: `items_ko_kr`. `document_kind` and `document_of` translate.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePath
from typing import Literal

import msgspec

from gamestats_assets.lakehouse.files.documents import LAST_MILLIS
from gamestats_assets.lakehouse.landing.arrivals import Recognised, Source, UnrecognisedContentError
from gamestats_assets.lakehouse.landing.zone import Landing

GAME = "lol"
"""The game's folder in the landing zone."""
Document = Literal["items", "champions"]
TIMELINE_GONE = "timeline_gone"
"""Kind of the marker for a match whose timeline the API no longer has."""

_TAKEN = "Accepted are match objects and timelines of match-v5, and items and champions of Data Dragon."
_DOCUMENTS: dict[str, Document] = {"item": "items", "champion": "champions"}
_LANGUAGE = re.compile(r"(?<![A-Za-z0-9])([a-z]{2})[_-]([A-Z]{2})(?![A-Za-z0-9])")
_KIND = re.compile(r"(items|champions)_([a-z]{2})_([a-z]{2})")
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,6})*")
_MATCH_ID = re.compile(r"[A-Z0-9]{2,6}_[0-9]{1,20}")
_NAMED = re.compile(r"(?<![A-Za-z0-9])([A-Z0-9]{2,6}_[0-9]{5,20})(?![0-9])", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    game_end_timestamp: int | None = None


class _File(msgspec.Struct):
    metadata: _Metadata | None = None
    info: _Info | None = None
    type: str | None = None
    version: str | None = None
    data: dict[str, msgspec.Raw] | None = None


_FILE = msgspec.json.Decoder(_File)


def recognise(content: bytes, name: str = "") -> Recognised:
    """Recognises a decompressed file.

    Args:
        content: plain JSON; a byte order mark and surrounding white space are ignored.
        name: path of the file, which determines the language of a Data Dragon document.

    Raises:
        UnrecognisedContentError: if it is none of these files, is truncated, or lacks its match, time, version or
            language.
    """
    content = content.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
    if not content:
        raise UnrecognisedContentError("The file is empty.")
    try:
        file = _FILE.decode(content)
    except msgspec.ValidationError as error:
        raise UnrecognisedContentError(f"Expected an object with metadata and info: {error}. {_TAKEN}") from None
    except (ValueError, RecursionError) as error:
        raise UnrecognisedContentError(f"The JSON is truncated or damaged: {error}.") from None
    if file.metadata is not None and file.info is not None:
        return _of_match(file.metadata, file.info)
    if file.type is not None and file.data is not None:
        return _of_data_dragon(file.type, file.version, name)
    raise UnrecognisedContentError(f"Expected an object with metadata and info, or with type and data. {_TAKEN}")


def _of_match(metadata: _Metadata, info: _Info) -> Recognised:
    match_id = metadata.match_id.upper()
    if not _MATCH_ID.fullmatch(match_id):
        raise UnrecognisedContentError(f"{match_id[:80]!r} is not a match id such as NA1_4736000000.")
    if info.frames is not None:
        return Recognised("timeline", match_id, _start_of_timeline(info.frames), False)
    if info.game_duration is not None and info.participants is not None:
        return Recognised("match", match_id, _start_of_match(match_id, info), True)
    raise UnrecognisedContentError(f"Expected info.frames, or info.gameDuration and info.participants. {_TAKEN}")


def _start_of_match(match_id: str, info: _Info) -> datetime:
    # A game that was aborted before it began has only an end.
    for millis in (info.game_start_timestamp, info.game_creation, info.game_end_timestamp):
        if millis is not None and _FIRST_MILLIS <= millis <= LAST_MILLIS:
            return _EPOCH + timedelta(milliseconds=millis)
    raise UnrecognisedContentError(f"Match object {match_id} has no usable start or end time.")


def _start_of_timeline(frames: list[_Frame]) -> datetime | None:
    """Returns the start of the game, computed from the events with a wall-clock time, if any."""
    starts = [
        event.real_timestamp - (event.timestamp or 0)
        for frame in frames
        for event in frame.events or ()
        if event.real_timestamp is not None
    ]
    if starts and _FIRST_MILLIS <= min(starts) <= LAST_MILLIS:
        return _EPOCH + timedelta(milliseconds=min(starts))
    return None


def _of_data_dragon(kind: str, version: str | None, name: str) -> Recognised:
    if kind not in _DOCUMENTS:
        raise UnrecognisedContentError(f"Expected a document of type item or champion, found {kind[:80]!r}. {_TAKEN}")
    if version is None or not is_version(version):
        raise UnrecognisedContentError(
            f"Expected a version of Data Dragon such as 13.14.1, found {version[:80] if version else version!r}."
        )
    language = _language(name)
    if language is None:
        raise UnrecognisedContentError(
            f"The {kind} document of version {version} does not contain its language. Put it in the file's or a "
            f"folder's name, with these capitals: {version}_en_US_{kind}.json, or ko_KR/{kind}.json."
        )
    return Recognised(document_kind(_DOCUMENTS[kind], language), None, None, False)


def _language(name: str) -> str | None:
    """Returns the language in a path: from the file's name, else from the nearest folder's."""
    for part in reversed(PurePath(name).parts):
        if found := _LANGUAGE.findall(part):
            return "_".join(found[-1])
    return None


def is_version(text: str) -> bool:
    """Whether a text is a version of Data Dragon, such as 13.14.1; the oldest, such as lolpatch_3.7, are not
    accepted."""
    return bool(_VERSION.fullmatch(text))


def document_kind(document: Document, language: str) -> str:
    """Returns the kind under which a document of Data Dragon lands.

    >>> document_kind("items", "ko_KR")
    'items_ko_kr'
    """
    return f"{document}_{language.lower()}"


def document_of(kind: str) -> tuple[Document, str] | None:
    """Returns the Data Dragon document and language of a landed kind; None for other kinds.

    >>> document_of("items_ko_kr"), document_of("match")
    (('items', 'ko_KR'), None)
    """
    found = _KIND.fullmatch(kind)
    if found is None:
        return None
    return ("items" if found[1] == "items" else "champions"), f"{found[2]}_{found[3].upper()}"


def _belongs(payload: bytes, name: str) -> tuple[str, str] | None:
    """Returns kind and match of an unreadable timeline from its path: a match id in the name, and `timeline` in the
    name or folder."""
    path = PurePath(name)
    found = _NAMED.search(path.name)
    return ("timeline", found[1].upper()) if found and "timeline" in "/".join(path.parts[-2:]).lower() else None


SOURCE = Source(GAME, recognise, first=("match",), belongs=_belongs)
"""Match objects land before timelines, because their start time takes precedence."""
ingest, ingest_payload, is_whole = SOURCE.ingest, SOURCE.ingest_payload, SOURCE.is_whole
refused = SOURCE.refused


def mark_timeline_gone(landing: Landing, match_id: str, day: date) -> bool:
    """Lands the marker that the API no longer has a match's timeline; returns True if it is new.

    Args:
        landing: where to land.
        match_id: id of the match.
        day: UTC day of the start, for a match without landed files.
    """
    content = msgspec.json.encode({"match_id": match_id})
    _, is_new = landing.put(GAME, day, match_id, TIMELINE_GONE, content, content)
    return is_new
