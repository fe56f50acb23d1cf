"""How files of a game reach the landing zone: recognised by content, landed once, nothing lost.

The kind of a file is recognised from its bytes, plain or compressed, never from its name. Unreadable files land as
well, with the reason, so that they can be counted and examined. Files come from disks (`Source.ingest`) and from APIs,
whose clients report the outcome of each match in a `FetchReport`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Generic, Literal, TypeVar

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import files_within, shown
from gamestats_assets.lakehouse.files.unpacking import (
    LimitExceededError,
    ReadLimits,
    UnreadableContentError,
    decompressed,
)
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, content_hash
from gamestats_assets.lakehouse.quality import Rejection

Status = Literal["taken", "known", "quarantined", "refused"]
MASKED = "A player of this match was forgotten on request and stands masked in it."
"""Note on a file that landed without a forgotten player."""
_UNMASKED = "A player of this match was forgotten on request, and without that player nothing of the file can be kept."
Progress = Callable[[int, int], None]
_CLOCKS_DIFFER = timedelta(days=1)
_Player = TypeVar("_Player")


class UnrecognisedContentError(GamestatsError):
    """The content is not one of a game's files."""


class SourcePathError(GamestatsError):
    """A path given for ingestion contains nothing to ingest."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """Result of recognising a content.

    Attributes:
        kind: kind of file, such as `match`.
        match_id: id of the match it belongs to, if any.
        started_at: best known start of the match, UTC; None if the content has none.
        start_is_exact: whether the game itself recorded that start, rather than it being an estimate.
        suffix: file name suffix of such contents when uncompressed.
    """

    kind: str
    match_id: str | None
    started_at: datetime | None
    start_is_exact: bool
    suffix: str = "json"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """Outcome of one file.

    Attributes:
        name: the file as it was given.
        kind: kind of file; None if it is quarantined or a link.
        status: `taken` (new), `known` (the same content has landed before), `quarantined`, or `refused` (a known kind
            that must not be kept, or a link out of the given folder; nothing of it has landed).
        match_id: id of the match it belongs to, if any.
        day: its day in the landing zone, YYYY-MM-DD; None if it belongs to no match or is quarantined.
        landed_path: path in the landing zone; None if the file could not be read from its disk or is refused.
        reason: why it is quarantined or refused, or that a player is masked in it; empty otherwise.
    """

    name: str
    kind: str | None
    status: Status
    match_id: str | None = None
    day: str | None = None
    landed_path: str | None = None
    reason: str = ""

    def line(self) -> str:
        """The outcome in one line of text."""
        unknown = "link" if self.status == "refused" else "unreadable"
        subject = f"{self.kind} {self.match_id or ''}".rstrip() if self.kind else unknown
        day_text = f" on {self.day}" if self.day else ""
        reason_text = f": {self.reason}" if self.reason else ""
        return f"{self.status:<11} {subject}{day_text}  {shown(self.name)}{reason_text}"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Outcomes of all files, in the order of their paths; taken + known + quarantined + refused = files."""

    outcomes: tuple[FileOutcome, ...]

    def count(self, status: Status, kind: str | None = None) -> int:
        """Number of files with a status, of all kinds or of one."""
        return sum(o.status == status and kind in (None, o.kind) for o in self.outcomes)

    @property
    def files(self) -> int:
        """Number of files."""
        return len(self.outcomes)

    @property
    def taken(self) -> int:
        """Number of files that landed now."""
        return self.count("taken")

    @property
    def known(self) -> int:
        """Number of files whose content had landed before."""
        return self.count("known")

    @property
    def quarantined(self) -> int:
        """Number of unreadable files, new or known."""
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
        """Files by kind (`unreadable` for the quarantined, `link` for links) and status."""
        counts: Counter[tuple[str, Status]] = Counter(
            (o.kind or ("link" if o.status == "refused" else "unreadable"), o.status) for o in self.outcomes
        )
        return dict(sorted(counts.items()))


@dataclass(frozen=True, slots=True)
class MatchFetch:
    """Outcome of one requested match.

    Attributes:
        match_id: id of the match.
        status: `fetched`, `known` (nothing was missing), `expired` (the API no longer has it or one of its files),
            `passed_over` (of an unwanted type; nothing landed) or `failed`.
        files: files that landed or were known.
        reason: why it failed, was passed over or has expired; empty otherwise.
        is_delayed: whether it failed only because the API was in trouble or its limit was used up.
    """

    match_id: str
    status: Literal["fetched", "known", "expired", "passed_over", "failed"]
    files: tuple[FileOutcome, ...] = ()
    reason: str = ""
    is_delayed: bool = False

    def line(self) -> str:
        """The outcome in one line of text."""
        return f"{self.status:<11} match {self.match_id}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class FetchReport(Generic[_Player]):
    """Result of fetching players' matches.

    Attributes:
        players: players found.
        unknown_players: requested names that the API does not know.
        matches: every match of those players, once.
        failures: one message for each failed request for players.
    """

    players: tuple[_Player, ...]
    unknown_players: tuple[str, ...]
    matches: tuple[MatchFetch, ...]
    failures: tuple[str, ...]

    def count(self, status: str) -> int:
        """Number of matches with a status."""
        return sum(match.status == status for match in self.matches)

    @property
    def days(self) -> tuple[str, ...]:
        """Days that gained a file, in order, YYYY-MM-DD."""
        files = (file for match in self.matches for file in match.files)
        return tuple(sorted({file.day for file in files if file.status == "taken" and file.day}))


@dataclass(frozen=True)
class Source:
    """A game's files.

    Attributes:
        game: the game's folder in the landing zone.
        recognise: recognises a decompressed content, given with its path; raises `UnrecognisedContentError`.
        first: kinds that land before other kinds which also only estimate their match's start.
        belongs: kind and match that an unreadable payload belongs to, by its bytes and path.
        forgotten: ids of players named in a recognised content who were forgotten on request. Such a content never
            lands unchanged.
        mask: lands such a content with these players masked, on a valid day. Returns the file and whether it is new;
            None if nothing of the content can be kept.
    """

    game: str
    recognise: Callable[[bytes, str], Recognised]
    first: tuple[str, ...] = ()
    belongs: Callable[[bytes, str], tuple[str, str] | None] = field(default=lambda payload, name: None, repr=False)
    forgotten: Callable[[bytes, Recognised, Landing], Collection[str]] = field(
        default=lambda content, recognised, landing: (), repr=False
    )
    mask: Callable[[bytes, Recognised, date, Collection[str], Landing], tuple[LandedFile, bool] | None] = field(
        default=lambda content, recognised, day, players, landing: None, repr=False
    )

    def ingest(self, paths: Iterable[Path], landing: Landing, *, progress: Progress | None = None) -> IngestReport:
        """Lands files and the files of folders, in any mix of kinds, plain or compressed.

        Only one file at a time is in memory. Files with a match's exact start land before files that estimate it, so
        that the match's day does not depend on the order of files. Running it again changes nothing. Folders are walked
        without the landing zone itself, and links that lead out of a folder are refused.

        Args:
            paths: files and folders.
            landing: the landing zone.
            progress: called after each file with the numbers of files done and of all files.

        Raises:
            SourcePathError: if a path does not exist, lies inside the landing zone, or is a folder that cannot be
                listed.
        """
        files, links = _regular_files(paths, landing)
        outcomes: dict[Path, FileOutcome] = {}

        def done(file: Path, outcome: FileOutcome) -> None:
            outcomes[file] = outcome
            if progress is not None:
                progress(len(outcomes), len(files))

        deferred: list[tuple[int, Path]] = []
        for file in files:
            arrival = self._arrival(file, landing.limits)
            if isinstance(arrival, _Recognised) and arrival.waits:
                deferred.append((0 if arrival.recognised.kind in self.first else 1, file))
            elif isinstance(arrival, _Refused) and arrival.belongs is not None:
                # Last, because another file of the batch may have the match's day.
                deferred.append((2, file))
            else:
                done(file, self._land(arrival, landing))
        for _, file in sorted(deferred):
            done(file, self._land(self._arrival(file, landing.limits), landing))
        reason = "It leads out of the folder; to ingest its target, name that directly."
        refused = [FileOutcome(str(link), None, "refused", reason=reason) for link in links]
        return IngestReport((*(outcomes[file] for file in files), *refused))

    def ingest_payload(
        self, payload: bytes, name: str, landing: Landing, *, match_id: str | None = None
    ) -> FileOutcome:
        """Lands one payload as received.

        Args:
            payload: the bytes.
            name: name for the report; it may contain the match id, as in `recognise`.
            landing: the landing zone.
            match_id: the requested match. A payload of another match is quarantined. So is an unreadable one, which is
                not filed with the match, since an intact file can still be fetched.
        """
        arrival = self._read(payload, name, landing.limits)
        if match_id is None:
            return self._land(arrival, landing)
        if isinstance(arrival, _Recognised):
            found_id = arrival.recognised.match_id or "no match"
            forgotten_players = self.forgotten(arrival.content, arrival.recognised, landing)
            if found_id.lower() == match_id.lower() or forgotten_players:
                return self._land(arrival, landing)
            arrival = _Refused(name, f"Expected a file of match {match_id}, found one of {found_id}.", payload)
        return self._quarantine(arrival, landing, owner=None)

    def land(self, content: bytes, name: str, recognised: Recognised, landing: Landing) -> FileOutcome:
        """Lands an uncompressed content that was already recognised elsewhere.

        Args:
            content: the content.
            name: name for the report.
            recognised: the result of recognising it.
            landing: the landing zone.
        """
        return self._land(_Recognised(name, recognised, content, content), landing)

    def is_whole(self, file: LandedFile, landing: Landing) -> bool:
        """Whether a landed file can be read. If it was truncated, the API may still have an intact one."""
        try:
            self.recognise(landing.content(file), f"{file.unit_id}.json")
        except (UnreadableContentError, UnrecognisedContentError):
            return False
        return True

    def refused(self, landing: Landing) -> list[Rejection]:
        """Unreadable payloads that landed, for the quarantine; the unit is the content's hash.

        If the same bytes arrived under several names, the alphabetically first one is reported.
        """
        reasons: dict[str, tuple[str, int, str]] = {}
        for file in landing.files(self.game, "unreadable_reason"):
            record = json.loads(landing.read(file))
            reason = shown(record["name"]), record["bytes"], shown(record["reason"])
            reasons[record["hash"]] = min(reason, reasons.get(record["hash"], reason))
        refused: list[Rejection] = []
        for file in landing.files(self.game, "unreadable"):
            name, size, reason = reasons.get(file.content_hash, ("A file", "some", "No reason was recorded."))
            record = f"{name} ({size} bytes, {file.path}): {reason}"
            refused.append(Rejection(file.content_hash, "file", "file_recognised", record, 0))
        return refused

    def _read(self, payload: bytes, name: str, limits: ReadLimits) -> _Recognised | _Refused:
        try:
            content = decompressed(payload, limits)
            return _Recognised(name, self.recognise(content, name), payload, content)
        except (UnreadableContentError, UnrecognisedContentError) as error:
            return _Refused(name, str(error), payload, self.belongs(payload, name))

    def _arrival(self, file: Path, limits: ReadLimits) -> _Recognised | _Refused:
        try:
            limits.refuse_size(file.stat().st_size)
            return self._read(file.read_bytes(), str(file), limits)
        except LimitExceededError as error:
            return _Refused(str(file), f"{error} It was left in place.", None)
        except OSError as error:
            return _Refused(str(file), f"The file cannot be read: {error.strerror}.", None)

    def _land(self, arrival: _Recognised | _Refused, landing: Landing) -> FileOutcome:
        if isinstance(arrival, _Refused):
            return self._quarantine(arrival, landing, owner=arrival.belongs)
        recognised, payload, content = arrival.recognised, arrival.payload, arrival.content
        if players := self.forgotten(content, recognised, landing):
            return self._land_masked(arrival, players, landing)
        if recognised.match_id is None:
            file, is_new = landing.put_undated(self.game, recognised.kind, payload, content)
            return FileOutcome(arrival.name, recognised.kind, "taken" if is_new else "known", landed_path=file.path)
        day = self._day(recognised, recognised.match_id, landing)
        if day is None:
            reason = (
                f"The {recognised.kind} of match {recognised.match_id} has no absolute time, and no other file of the "
                "match has landed that has one. Ingest its match object with it."
            )
            return self._quarantine(_Refused(arrival.name, reason, payload), landing, owner=None)
        if _is_in_future(day):
            # Once landed, the match and all its later files would stay on that day for ever.
            reason = f"The {recognised.kind} of match {recognised.match_id} is dated {day}, which is in the future."
            return self._quarantine(_Refused(arrival.name, reason, payload), landing, owner=None)
        file, is_new = landing.put(
            self.game, day, recognised.match_id, recognised.kind, payload, content, recognised.suffix
        )
        status: Status = "taken" if is_new else "known"
        return FileOutcome(arrival.name, recognised.kind, status, recognised.match_id, file.day, file.path)

    def _land_masked(self, arrival: _Recognised, players: Collection[str], landing: Landing) -> FileOutcome:
        """Lands a file with some players masked. It is never quarantined, because the quarantine would name them."""
        recognised = arrival.recognised
        day = None if recognised.match_id is None else self._day(recognised, recognised.match_id, landing)
        landed = None
        if day is not None and not _is_in_future(day):
            landed = self.mask(arrival.content, recognised, day, players, landing)
        if landed is None:
            return FileOutcome(arrival.name, recognised.kind, "refused", recognised.match_id, reason=_UNMASKED)
        file, is_new = landed
        status: Status = "taken" if is_new else "known"
        return FileOutcome(arrival.name, file.kind, status, recognised.match_id, file.day, file.path, MASKED)

    def _day(self, recognised: Recognised, match_id: str, landing: Landing) -> date | None:
        """The day on which a match started; if the content has no start, the day of the match's other files."""
        if recognised.started_at is not None:
            return recognised.started_at.date()
        day = landing.day_of(self.game, match_id)
        return None if day is None else date.fromisoformat(day)

    def _quarantine(self, refused: _Refused, landing: Landing, *, owner: tuple[str, str] | None) -> FileOutcome:
        payload = refused.payload
        if payload is None:
            return FileOutcome(refused.name, None, "quarantined", reason=refused.reason)
        day = landing.day_of(self.game, owner[1]) if owner is not None else None
        if owner is not None and day is not None:
            # Filed with its match; decoding then reports it as unreadable, with the reason.
            kind, match_id = owner
            file, _ = landing.put(self.game, date.fromisoformat(day), match_id, kind, payload, payload)
            return FileOutcome(refused.name, None, "quarantined", match_id, day, file.path, refused.reason)
        # The reason lands first, so that a crash in between leaves no payload without one.
        record = {
            "name": shown(Path(refused.name).name),
            "reason": shown(refused.reason),
            "bytes": len(payload),
            "hash": content_hash(payload),
        }
        reason = json.dumps(record, sort_keys=True).encode()
        landing.put_undated(self.game, "unreadable_reason", reason, reason)
        file, _ = landing.put_undated(self.game, "unreadable", payload, payload)
        return FileOutcome(refused.name, None, "quarantined", landed_path=file.path, reason=refused.reason)


@dataclass(frozen=True, slots=True)
class _Recognised:
    name: str
    recognised: Recognised
    payload: bytes
    content: bytes

    @property
    def waits(self) -> bool:
        """Whether another file of the batch may have a better start of the match."""
        return self.recognised.match_id is not None and not self.recognised.start_is_exact


@dataclass(frozen=True, slots=True)
class _Refused:
    name: str
    reason: str
    payload: bytes | None
    belongs: tuple[str, str] | None = None


def _is_in_future(day: date) -> bool:
    return day > datetime.now(UTC).date() + _CLOCKS_DIFFER


def _regular_files(paths: Iterable[Path], landing: Landing) -> tuple[list[Path], list[Path]]:
    """The distinct files, and the links in folders that lead out of them."""
    zone = None if "://" in landing.root else Path(landing.root).resolve()
    files: dict[Path, Path] = {}
    links: list[Path] = []
    for path in paths:
        resolved = path.resolve()
        if not path.exists():
            raise SourcePathError(f"Nothing to ingest at {path}: there is no such file or folder.")
        if zone is not None and resolved.is_relative_to(zone):
            raise SourcePathError(f"Nothing to ingest at {path}: it lies inside the landing zone {zone}.")
        found, leading_out = ([path], []) if path.is_file() else files_within(path, without=zone, unreadable=_refuse)
        for file in found:
            files.setdefault(file.resolve(), file)
        links += leading_out
    return [file for _, file in sorted(files.items())], sorted({*links})


def _refuse(error: OSError) -> None:
    raise SourcePathError(f"Folder {error.filename} cannot be read: {error.strerror}.") from None
