"""How files of PUBG reach the landing zone: recognised by content, landed once, nothing lost.

A file is a match object, a telemetry or a player object; which one is read from its
bytes, never from its name, plain or compressed. What nobody can read is landed as well,
with the reason, so that it can be counted and looked at.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import msgspec

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import LandedFile, Landing, UnreadableContentError, content_hash, decompressed
from gamestats_assets.lakehouse.quality import Rejection

GAME = "pubg"
"""The game's folder in the landing zone."""

LARGEST_FILE = 512 * 1024 * 1024
"""Bytes above which a file is reported and left where it stands; a telemetry has about 15 MB plain."""

Kind = Literal["match", "telemetry", "players"]
Status = Literal["taken", "known", "quarantined"]
Progress = Callable[[int, int], None]

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_MATCH_ID = re.compile(_UUID)
# The API's own telemetry files are named <asset id>-telemetry.json: that id is not the match's.
_NAMED_MATCH = re.compile(rf"(?<![0-9a-f])({_UUID})(?!-telemetry|[0-9a-f])", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
# The `{` of an array element: what an event of a telemetry starts with, and few of its inner objects.
_ELEMENT = re.compile(r"[\[,]\s*\{")
_TIME = re.compile(rb'"_D"\s*:\s*"([^"\\]{1,40})"')
_UPLOAD_SLACK = timedelta(minutes=5)  # real uploads come up to four minutes before createdAt plus duration
_FIRST_YEAR = 2017
_HEAD = 64 * 1024
# How far around a marker its event is looked for: most fit the first window, a full lobby the second.
_WINDOWS = (32 * 1024, 256 * 1024, 2 * 1024 * 1024)
_MOST_ATTEMPTS = 4000
_MOST_MARKERS = 8
_DECODER = json.JSONDecoder()


_TAKEN = "Match objects, telemetry and player objects of the PUBG API are taken."


class UnrecognisedContentError(GamestatsError):
    """The content is no match object, telemetry or player object of PUBG."""


class SourcePathError(GamestatsError):
    """A path given for ingestion holds nothing that could be ingested."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a content is.

    Attributes:
        kind: `match`, `telemetry` or `players`.
        match_id: id of the match; None for players.
        started_at: best start of the match the content tells, UTC; None for players.
        start_is_exact: whether that is the start the game logged (LogMatchStart), not an estimate.
    """

    kind: Kind
    match_id: str | None
    started_at: datetime | None
    start_is_exact: bool


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file.

    Attributes:
        name: the file as it was given.
        kind: `match`, `telemetry` or `players`; None when it is quarantined.
        status: `taken` (new), `known` (the same content has landed before) or `quarantined`.
        match_id: id of the match, where it belongs to one.
        day: day it stands on in the landing zone, YYYY-MM-DD; None for players and the quarantined.
        landed_path: path in the landing zone; None when the file could not be read from its disk.
        reason: why it is quarantined; empty otherwise.
    """

    name: str
    kind: Kind | None
    status: Status
    match_id: str | None = None
    day: str | None = None
    landed_path: str | None = None
    reason: str = ""

    def line(self) -> str:
        """The outcome in one line of text."""
        what = f"{self.kind} {self.match_id or ''}".rstrip() if self.kind else "unreadable"
        where = f" on {self.day}" if self.day else ""
        why = f": {self.reason}" if self.reason else ""
        return f"{self.status:<11} {what}{where}  {self.name}{why}"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of every file, in the order of their paths; taken + known + quarantined = files."""

    outcomes: tuple[FileOutcome, ...]

    def count(self, status: Status, kind: Kind | None = None) -> int:
        """Files of one status, of all kinds or of one."""
        return sum(o.status == status and kind in (None, o.kind) for o in self.outcomes)

    @property
    def files(self) -> int:
        """Files that came in."""
        return len(self.outcomes)

    @property
    def taken(self) -> int:
        """Files that landed now."""
        return self.count("taken")

    @property
    def known(self) -> int:
        """Files whose content had landed before."""
        return self.count("known")

    @property
    def quarantined(self) -> int:
        """Files nobody could read, now or when they came before."""
        return self.count("quarantined")

    @property
    def matches(self) -> tuple[str, ...]:
        """Ids of the matches that gained a file, in order."""
        return tuple(sorted({o.match_id for o in self.outcomes if o.status == "taken" and o.match_id}))

    @property
    def days(self) -> tuple[str, ...]:
        """Days that gained a file, in order, YYYY-MM-DD."""
        return tuple(sorted({o.day for o in self.outcomes if o.status == "taken" and o.day}))

    @property
    def totals(self) -> dict[tuple[str, Status], int]:
        """Files by kind (`unreadable` for the quarantined) and status."""
        counts: Counter[tuple[str, Status]] = Counter((o.kind or "unreadable", o.status) for o in self.outcomes)
        return dict(sorted(counts.items()))

    def lines(self) -> Iterator[str]:
        """One line of text for each file."""
        return (outcome.line() for outcome in self.outcomes)


@dataclass(frozen=True, slots=True, order=True)
class UnreadableFile:
    """A payload that landed though nobody could read it.

    Attributes:
        path: path in the landing zone.
        name: file name it arrived under.
        reason: why it could not be read.
        bytes: its size.
        hash: hash of the bytes, as in the path.
    """

    path: str
    name: str
    reason: str
    bytes: int
    hash: str


# ---------------------------------------------------------------- recognising


class _Resource(msgspec.Struct):
    type: str
    id: str
    attributes: dict[str, Any] | None = None


class _Document(msgspec.Struct):
    data: _Resource | list[_Resource]
    included: list[_Resource] = []


_DOCUMENT = msgspec.json.Decoder(_Document)


def recognise(content: bytes, *, name: str = "") -> Recognised:
    """What a decompressed content is; cheap also for a telemetry of 15 MB, of which a few events are decoded.

    Args:
        content: plain JSON; a byte order mark and white space around it do not matter.
        name: file name; it gives the match id of a telemetry that does not tell its own.

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
    attributes = match.attributes or {}
    uploads = [
        _instant((resource.attributes or {}).get("createdAt")) for resource in included if resource.type == "asset"
    ]
    uploaded = max((time for time in uploads if time is not None), default=None)
    started_at = _estimated_start(attributes.get("createdAt"), attributes.get("duration"), uploaded)
    if started_at is None:
        raise UnrecognisedContentError(f"Match object {match.id} has no usable createdAt and duration.")
    return Recognised("match", match.id.lower(), started_at, False)


def _estimated_start(created_at: object, duration: object, uploaded: datetime | None) -> datetime | None:
    """Start of a match as its match object tells it.

    createdAt is documented as the time of storing, which is `duration` after the start. In the
    official match objects at hand it is the start itself: the telemetry was uploaded about two
    minutes after createdAt plus duration. So the upload decides, where there is one.
    """
    created = _instant(created_at)
    if created is None or isinstance(duration, bool) or not isinstance(duration, int | float):
        return None
    if not 0 <= duration <= 86_400:
        return None
    length = timedelta(seconds=duration)
    if uploaded is not None and uploaded >= created + length - _UPLOAD_SLACK:
        return created
    return created - length


def _telemetry(content: bytes, name: str) -> Recognised:
    first = _first_event(content)
    if first is None or not isinstance(first.get("_T"), str):
        told = f"Expected a telemetry: the array's first element is no event with a type (_T). {_TAKEN}"
        raise UnrecognisedContentError(told)
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
    found = _NAMED_MATCH.search(name)
    return found[1].lower() if found else None


def _instant(value: object) -> datetime | None:
    """A time of the API (3 or 7 fractional digits, Z or an offset); None also before the game existed."""
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        time = datetime.fromisoformat(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time if time.year >= _FIRST_YEAR else None


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


def ingest(paths: Iterable[Path], landing: Landing, *, progress: Progress | None = None) -> IngestReport:
    """Land files and the files of folders, in any mix of kinds, plain or compressed.

    One file at a time is held in memory. What tells a match's exact start is landed before
    what estimates it, so that the match's day does not depend on the order of the files.
    Running it again changes nothing. The landing zone itself is left out of a walk.

    Args:
        paths: files, or folders to walk.
        landing: where to land.
        progress: called with files done and files in all, after each file.

    Raises:
        SourcePathError: when a path does not exist, lies inside the landing zone, or is a folder
            that cannot be listed.
    """
    files = _regular_files(paths, landing)
    outcomes: dict[Path, FileOutcome] = {}

    def done(file: Path, outcome: FileOutcome) -> None:
        outcomes[file] = outcome
        if progress is not None:
            progress(len(outcomes), len(files))

    deferred: list[tuple[int, Path]] = []
    for file in files:
        arrival = _arrival(file)
        if isinstance(arrival, _Recognised) and arrival.waits:
            deferred.append((1 if arrival.recognised.kind == "match" else 0, file))
        elif isinstance(arrival, _Refused) and arrival.match_id is not None:
            # Last: another file of the batch may tell the match's day.
            deferred.append((2, file))
        else:
            done(file, _land(arrival, landing))
    for _, file in sorted(deferred):
        done(file, _land(_arrival(file), landing))
    return IngestReport(tuple(outcomes[file] for file in files))


def ingest_payload(payload: bytes, name: str, landing: Landing, *, match_id: str | None = None) -> FileOutcome:
    """Land one payload as it was received.

    Args:
        payload: plain or compressed bytes.
        name: name to report it under; it may give the match id, as in `recognise`.
        landing: where to land.
        match_id: the match it was asked for. A payload of another match is quarantined; so is one that nobody
            can read, and not filed with the match, whose whole file can still be had where this was asked for.
    """
    arrival = _read(payload, name)
    if isinstance(arrival, _Recognised) and match_id is not None and arrival.recognised.match_id != match_id.lower():
        found = arrival.recognised.match_id or "no match"
        arrival = _Refused(name, f"Expected a file of match {match_id}, found one of {found}.", payload)
    if isinstance(arrival, _Refused) and match_id is not None:
        return _quarantine(arrival, landing, of_match=None)
    return _land(arrival, landing)


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


def unreadable(landing: Landing) -> list[UnreadableFile]:
    """Payloads that landed though nobody could read them, each once, in the order of their paths.

    The same bytes can have arrived under several names: the first in the alphabet is given.
    """
    return _explained(landing, landing.files(GAME, "unreadable"))


def _explained(landing: Landing, files: Iterable[LandedFile]) -> list[UnreadableFile]:
    reasons: dict[str, tuple[str, str, int]] = {}
    for file in landing.files(GAME, "unreadable_reason"):
        told = json.loads(landing.read(file))
        reason = (told["name"], told["reason"], told["bytes"])
        reasons[told["hash"]] = min(reason, reasons.get(told["hash"], reason))
    found: list[UnreadableFile] = []
    for file in files:
        name, reason, size = reasons.get(file.content_hash) or (
            "",
            "No reason was recorded.",
            len(landing.read(file)),
        )
        found.append(UnreadableFile(file.path, name, reason, size, file.content_hash))
    return found


def refused(landing: Landing) -> Sequence[Rejection]:
    """The same payloads as `unreadable` gives, as entries for the quarantine; the unit is the content's hash.

    Their number costs one listing; files are read only once an entry is looked at.
    """
    return _Refusals(landing)


class _Refusals(Sequence[Rejection]):
    def __init__(self, landing: Landing) -> None:
        self._landing = landing

    @cached_property
    def _files(self) -> list[LandedFile]:
        return self._landing.files(GAME, "unreadable")

    @cached_property
    def _entries(self) -> list[Rejection]:
        return [
            Rejection(
                file.hash,
                "file",
                "file_recognised",
                f"{file.name} ({file.bytes} bytes, {file.path}): {file.reason}",
                0,
            )
            for file in _explained(self._landing, self._files)
        ]

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> Rejection: ...
    @overload
    def __getitem__(self, index: slice) -> list[Rejection]: ...
    def __getitem__(self, index: int | slice) -> Rejection | list[Rejection]:
        return self._entries[index]


@dataclass(frozen=True, slots=True)
class _Recognised:
    name: str
    recognised: Recognised
    payload: bytes
    content: bytes

    @property
    def waits(self) -> bool:
        """Whether another file of the batch may know the match's start better."""
        return self.recognised.kind != "players" and not self.recognised.start_is_exact


@dataclass(frozen=True, slots=True)
class _Refused:
    name: str
    reason: str
    payload: bytes | None

    @property
    def match_id(self) -> str | None:
        """The match whose telemetry this would be, by its name and its first bytes."""
        if self.payload is None or not _begins_as_telemetry(self.payload):
            return None
        return _named_match_id(Path(self.name).name)


def _begins_as_telemetry(payload: bytes) -> bool:
    head = payload[:_HEAD]
    for _ in range(2):
        if head.startswith(b"\x1f\x8b"):
            try:
                head = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
            except zlib.error:
                return False
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and b'"_T"' in head


def _read(payload: bytes, name: str) -> _Recognised | _Refused:
    try:
        content = decompressed(payload)
        return _Recognised(name, recognise(content, name=Path(name).name), payload, content)
    except (UnreadableContentError, UnrecognisedContentError) as error:
        return _Refused(name, str(error), payload)


def _arrival(file: Path) -> _Recognised | _Refused:
    try:
        size = file.stat().st_size
        if size > LARGEST_FILE:
            reason = f"The file has {size} bytes; up to {LARGEST_FILE} are read. It stays where it is."
            return _Refused(str(file), reason, None)
        return _read(file.read_bytes(), str(file))
    except OSError as error:
        return _Refused(str(file), f"The file cannot be read: {error.strerror}.", None)


def _land(arrival: _Recognised | _Refused, landing: Landing) -> FileOutcome:
    if isinstance(arrival, _Refused):
        return _quarantine(arrival, landing, of_match=arrival.match_id)
    found, payload, content = arrival.recognised, arrival.payload, arrival.content
    if found.match_id is None or found.started_at is None:
        file, is_new = landing.put_undated(GAME, found.kind, payload, content)
        return FileOutcome(arrival.name, found.kind, "taken" if is_new else "known", landed_path=file.path)
    file, is_new = landing.put(GAME, found.started_at.date(), found.match_id, found.kind, payload, content)
    status: Status = "taken" if is_new else "known"
    return FileOutcome(arrival.name, found.kind, status, found.match_id, file.day, file.path)


def _quarantine(refused: _Refused, landing: Landing, *, of_match: str | None) -> FileOutcome:
    payload = refused.payload
    if payload is None:
        return FileOutcome(refused.name, None, "quarantined", reason=refused.reason)
    day = landing.day_of(GAME, of_match) if of_match is not None else None
    if of_match is not None and day is not None:
        # Filed with its match, whose telemetry then counts as unreadable, with the reason in the quarantine.
        file, _ = landing.put(GAME, date.fromisoformat(day), of_match, "telemetry", payload, payload)
        return FileOutcome(refused.name, None, "quarantined", of_match, day, file.path, refused.reason)
    # The reason lands first, so that dying in between leaves no payload without one.
    told = {
        "name": Path(refused.name).name,
        "reason": refused.reason,
        "bytes": len(payload),
        "hash": content_hash(payload),
    }
    reason = json.dumps(told, sort_keys=True).encode()
    landing.put_undated(GAME, "unreadable_reason", reason, reason)
    file, _ = landing.put_undated(GAME, "unreadable", payload, payload)
    return FileOutcome(refused.name, None, "quarantined", landed_path=file.path, reason=refused.reason)


def _regular_files(paths: Iterable[Path], landing: Landing) -> list[Path]:
    zone = None if "://" in landing.root else Path(landing.root).resolve()
    files: dict[Path, Path] = {}
    for path in paths:
        resolved = path.resolve()
        if not path.exists():
            raise SourcePathError(f"Nothing to ingest at {path}: there is no such file or folder.")
        if zone is not None and resolved.is_relative_to(zone):
            raise SourcePathError(f"Nothing to ingest at {path}: it lies inside the landing zone {zone}.")
        for file in [path] if path.is_file() else _walk(path, zone):
            files.setdefault(file.resolve(), file)
    return [file for _, file in sorted(files.items())]


def _walk(folder: Path, zone: Path | None) -> Iterator[Path]:
    def unreadable_folder(error: OSError) -> None:
        raise SourcePathError(f"Folder {error.filename} cannot be read: {error.strerror}.") from None

    for parent, folders, names in os.walk(folder, onerror=unreadable_folder):
        folders[:] = sorted(name for name in folders if (Path(parent) / name).resolve() != zone)
        yield from (file for name in sorted(names) if (file := Path(parent) / name).is_file())
