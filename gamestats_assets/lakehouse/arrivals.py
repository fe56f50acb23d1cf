"""How files of a game reach the landing zone: recognised by content, landed once, nothing lost.

What a file is, is read from its bytes, never from its name, plain or compressed. What nobody can read is landed as
well, with the reason, so that it can be counted and looked at. Files come in from disks (`Source.ingest`), and from
APIs, whose clients tell with a `FetchReport` what became of each match.
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
from gamestats_assets.lakehouse.files import files_within, shown
from gamestats_assets.lakehouse.landing import LandedFile, Landing, content_hash
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.unpacking import LimitExceededError, ReadLimits, UnreadableContentError, decompressed

Status = Literal["taken", "known", "quarantined", "refused"]
MASKED = "A player of this match was forgotten on request and stands masked in it."
"""What is said of a file of which all but a player was taken."""
_UNMASKED = "A player of this match was forgotten on request, and without that player nothing of the file can be kept."
Progress = Callable[[int, int], None]
_CLOCKS_DIFFER = timedelta(days=1)
_Player = TypeVar("_Player")


class UnrecognisedContentError(GamestatsError):
    """The content is none of a game's files."""


class SourcePathError(GamestatsError):
    """A path given for ingestion holds nothing that could be ingested."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a content is.

    Attributes:
        kind: what kind of file, such as `match`.
        match_id: id of the match it belongs to; None where it belongs to none.
        started_at: best start of the match the content tells, UTC; None where it belongs to none or tells none.
        start_is_exact: whether that is the start the game itself tells, not an estimate.
        suffix: what the names of such files end in, where they are plain.
    """

    kind: str
    match_id: str | None
    started_at: datetime | None
    start_is_exact: bool
    suffix: str = "json"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file.

    Attributes:
        name: the file as it was given.
        kind: what kind of file; None when it is quarantined, or a link.
        status: `taken` (new), `known` (the same content has landed before), `quarantined`, or `refused` (of a kind that
            is known, and not to be kept, or a link out of the folder that was given: nothing of it has landed).
        match_id: id of the match, where it belongs to one.
        day: day it stands on in the landing zone, YYYY-MM-DD; None for what belongs to no match and
            the quarantined.
        landed_path: path in the landing zone; None when the file could not be read from its disk, or is refused.
        reason: why it is quarantined or refused, or that somebody is masked in what landed; empty otherwise.
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
        what = f"{self.kind} {self.match_id or ''}".rstrip() if self.kind else unknown
        where = f" on {self.day}" if self.day else ""
        why = f": {self.reason}" if self.reason else ""
        return f"{self.status:<11} {what}{where}  {shown(self.name)}{why}"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of every file, in the order of their paths; taken + known + quarantined + refused = files."""

    outcomes: tuple[FileOutcome, ...]

    def count(self, status: Status, kind: str | None = None) -> int:
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
        """Files by kind (`unreadable` for the quarantined, `link` for links) and status."""
        counts: Counter[tuple[str, Status]] = Counter(
            (o.kind or ("link" if o.status == "refused" else "unreadable"), o.status) for o in self.outcomes
        )
        return dict(sorted(counts.items()))


@dataclass(frozen=True, slots=True)
class MatchFetch:
    """What became of one match that was asked for.

    Attributes:
        match_id: id of the match.
        status: `fetched`, `known` (nothing was missing), `expired` (the API has forgotten it, or a file of it),
            `passed_over` (of a type that was not wanted; nothing landed) or `failed`.
        files: what landed, or was known.
        reason: why it failed, was passed over or cannot be had any more; empty otherwise.
        is_delayed: whether it failed only because the API was in trouble, or its limit used up.
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
    """What a fetch of players' matches gave.

    Attributes:
        players: players found.
        unknown_players: those asked for whom the API does not know by that name.
        matches: every match of those players, once.
        failures: one message for each request for players that failed.
    """

    players: tuple[_Player, ...]
    unknown_players: tuple[str, ...]
    matches: tuple[MatchFetch, ...]
    failures: tuple[str, ...]

    def count(self, status: str) -> int:
        """Matches of one status."""
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
        recognise: tells what a decompressed content is, with the path it came under; raises
            `UnrecognisedContentError`.
        first: kinds that are landed before others which estimate their match's start as well.
        belongs: of a payload that cannot be read, the kind and the match it would be of, by its bytes and its path.
        forgotten: ids of players whom a recognised content names, and who were forgotten on request: it lands nowhere
            as it is.
        mask: lands what such a content tells of its match, these players masked, on a day that is good. Tells the
            file, and whether it is new; None where nothing of the content can be kept.
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
        """Land files and the files of folders, in any mix of kinds, plain or compressed.

        One file at a time is held in memory. What tells a match's exact start is landed before
        what estimates it, so that the match's day does not depend on the order of the files.
        Running it again changes nothing. The landing zone itself is left out of a walk; a link that leads out of a
        folder is refused.

        Args:
            progress: called with files done and files in all, after each file.

        Raises:
            SourcePathError: when a path does not exist, lies inside the landing zone, or is a folder
                that cannot be listed.
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
                # Last: another file of the batch may tell the match's day.
                deferred.append((2, file))
            else:
                done(file, self._land(arrival, landing))
        for _, file in sorted(deferred):
            done(file, self._land(self._arrival(file, landing.limits), landing))
        reason = "It leads out of the folder; to have it taken, name what it leads to."
        refused = [FileOutcome(str(link), None, "refused", reason=reason) for link in links]
        return IngestReport((*(outcomes[file] for file in files), *refused))

    def ingest_payload(
        self, payload: bytes, name: str, landing: Landing, *, match_id: str | None = None
    ) -> FileOutcome:
        """Land one payload as it was received.

        Args:
            name: name to report it under; it may give the match id, as in `recognise`.
            match_id: the match it was asked for. A payload of another match is quarantined; so is one that nobody
                can read, and not filed with the match, whose whole file can still be had where this was asked for.
        """
        arrival = self._read(payload, name, landing.limits)
        if match_id is None:
            return self._land(arrival, landing)
        if isinstance(arrival, _Recognised):
            found = arrival.recognised.match_id or "no match"
            names = self.forgotten(arrival.content, arrival.recognised, landing)
            if found.lower() == match_id.lower() or names:
                return self._land(arrival, landing)
            arrival = _Refused(name, f"Expected a file of match {match_id}, found one of {found}.", payload)
        return self._quarantine(arrival, landing, of=None)

    def land(self, content: bytes, name: str, recognised: Recognised, landing: Landing) -> FileOutcome:
        """Land a plain content that was recognised already, elsewhere.

        Args:
            name: name to report it under.
        """
        return self._land(_Recognised(name, recognised, content, content), landing)

    def is_whole(self, file: LandedFile, landing: Landing) -> bool:
        """Whether a landed file can be read: one can have come cut, and the API may still have a whole one."""
        try:
            self.recognise(landing.content(file), f"{file.unit_id}.json")
        except (UnreadableContentError, UnrecognisedContentError):
            return False
        return True

    def refused(self, landing: Landing) -> list[Rejection]:
        """Payloads that landed though nobody could read them, for the quarantine; the unit is the content's hash.

        The same bytes can have arrived under several names: the first in the alphabet is given.
        """
        reasons: dict[str, tuple[str, int, str]] = {}
        for file in landing.files(self.game, "unreadable_reason"):
            told = json.loads(landing.read(file))
            reason = shown(told["name"]), told["bytes"], shown(told["reason"])
            reasons[told["hash"]] = min(reason, reasons.get(told["hash"], reason))
        refused: list[Rejection] = []
        for file in landing.files(self.game, "unreadable"):
            name, size, reason = reasons.get(file.content_hash, ("A file", "some", "No reason was recorded."))
            told = f"{name} ({size} bytes, {file.path}): {reason}"
            refused.append(Rejection(file.content_hash, "file", "file_recognised", told, 0))
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
            return _Refused(str(file), f"{error} It stays where it is.", None)
        except OSError as error:
            return _Refused(str(file), f"The file cannot be read: {error.strerror}.", None)

    def _land(self, arrival: _Recognised | _Refused, landing: Landing) -> FileOutcome:
        if isinstance(arrival, _Refused):
            return self._quarantine(arrival, landing, of=arrival.belongs)
        found, payload, content = arrival.recognised, arrival.payload, arrival.content
        if players := self.forgotten(content, found, landing):
            return self._land_masked(arrival, players, landing)
        if found.match_id is None:
            file, is_new = landing.put_undated(self.game, found.kind, payload, content)
            return FileOutcome(arrival.name, found.kind, "taken" if is_new else "known", landed_path=file.path)
        day = self._day(found, found.match_id, landing)
        if day is None:
            reason = (
                f"The {found.kind} of match {found.match_id} tells no time by the clock, and nothing of the match has "
                "landed that does. Ingest its match object with it."
            )
            return self._quarantine(_Refused(arrival.name, reason, payload), landing, of=None)
        if _is_to_come(day):
            # Once landed, the match would be filed there for ever, and so would what is right about it.
            reason = f"The {found.kind} of match {found.match_id} tells {day}, a day that is still to come."
            return self._quarantine(_Refused(arrival.name, reason, payload), landing, of=None)
        file, is_new = landing.put(self.game, day, found.match_id, found.kind, payload, content, found.suffix)
        status: Status = "taken" if is_new else "known"
        return FileOutcome(arrival.name, found.kind, status, found.match_id, file.day, file.path)

    def _land_masked(self, arrival: _Recognised, players: Collection[str], landing: Landing) -> FileOutcome:
        """Land what a file tells without some players. It is not quarantined either: what is there names them."""
        found = arrival.recognised
        day = None if found.match_id is None else self._day(found, found.match_id, landing)
        landed = None
        if day is not None and not _is_to_come(day):
            landed = self.mask(arrival.content, found, day, players, landing)
        if landed is None:
            return FileOutcome(arrival.name, found.kind, "refused", found.match_id, reason=_UNMASKED)
        file, is_new = landed
        status: Status = "taken" if is_new else "known"
        return FileOutcome(arrival.name, file.kind, status, found.match_id, file.day, file.path, MASKED)

    def _day(self, found: Recognised, match_id: str, landing: Landing) -> date | None:
        """The day of a match's start; where the content does not tell it, the one that its other files stand on."""
        if found.started_at is not None:
            return found.started_at.date()
        told = landing.day_of(self.game, match_id)
        return None if told is None else date.fromisoformat(told)

    def _quarantine(self, refused: _Refused, landing: Landing, *, of: tuple[str, str] | None) -> FileOutcome:
        payload = refused.payload
        if payload is None:
            return FileOutcome(refused.name, None, "quarantined", reason=refused.reason)
        day = landing.day_of(self.game, of[1]) if of is not None else None
        if of is not None and day is not None:
            # Filed with its match, whose file then counts as unreadable, with the reason in the quarantine.
            kind, match_id = of
            file, _ = landing.put(self.game, date.fromisoformat(day), match_id, kind, payload, payload)
            return FileOutcome(refused.name, None, "quarantined", match_id, day, file.path, refused.reason)
        # The reason lands first, so that dying in between leaves no payload without one.
        told = {
            "name": shown(Path(refused.name).name),
            "reason": shown(refused.reason),
            "bytes": len(payload),
            "hash": content_hash(payload),
        }
        reason = json.dumps(told, sort_keys=True).encode()
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
        """Whether another file of the batch may know the match's start better."""
        return self.recognised.match_id is not None and not self.recognised.start_is_exact


@dataclass(frozen=True, slots=True)
class _Refused:
    name: str
    reason: str
    payload: bytes | None
    belongs: tuple[str, str] | None = None


def _is_to_come(day: date) -> bool:
    return day > datetime.now(UTC).date() + _CLOCKS_DIFFER


def _regular_files(paths: Iterable[Path], landing: Landing) -> tuple[list[Path], list[Path]]:
    """The files, each once, and the links of folders that lead out of these."""
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
