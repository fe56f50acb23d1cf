"""The landing zone: bytes exactly as received, each content once, never changed.

The path is the catalogue. A file is at

    <root>/<game>/<day>/<unit>.<kind>.<content hash>.<suffix>

or, if a game has areas (a product, a server), at `<root>/<game>/<area>/<day>/...`. One directory listing thus returns a
day's files, their ids and their hashes, and no other catalogue can disagree. The hash is of the decompressed content:
the same document, plain or gzipped, is one file.

The first writer claims the day of a unit (a match, a log file) for good: later files of the unit land on the same day,
whatever their content says.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.storage import storage
from gamestats_assets.lakehouse.files.unpacking import (
    UNLIMITED,
    ReadLimits,
    UnreadableContentError,
    decompressed,
    is_gzip,
    unpacked,
)

_SUFFIXES = ("json", "json.gz", "bin", "parquet", "csv", "csv.gz", "jsonl", "jsonl.gz", "replay", "replay.gz", "zip")
_NAME = re.compile(
    rf"(?P<unit>[A-Za-z0-9_-]+)\.(?P<kind>[a-z_]+)\.(?P<hash>[0-9a-f]{{32}})\.(?:{'|'.join(map(re.escape, _SUFFIXES))})"
)
_PART = re.compile(r"[A-Za-z0-9_-]+")
_KIND = re.compile(r"[a-z_]+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CLAIMS = "_days"
_CHUNK = 1024 * 1024


class ChangedMeanwhileError(GamestatsError):
    """A file changed while it was read, because another process is writing it."""


@dataclass(frozen=True, slots=True, order=True)
class LandedFile:
    """One file of the landing zone, parsed from its path; `game` is `game/area` for a file of an area."""

    game: str
    day: str
    unit_id: str
    kind: str
    content_hash: str
    path: str

    @property
    def area(self) -> str:
        """The area of the game; empty if it has none."""
        return self.game.partition("/")[2]


def content_hash(content: bytes) -> str:
    """Hash of a decompressed content, as 32 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:32]


def file_hash(path: Path, limits: ReadLimits | None = None) -> str:
    """As `content_hash`, for a file, which is read in pieces and decompressed if it is gzipped.

    Raises:
        UnreadableContentError: if it is gzipped and damaged, or exceeds the limits.
    """
    with open(path, "rb") as file:
        return _hash_of(file, str(path), limits)


def _hash_of(file: BinaryIO, named: str, limits: ReadLimits | None) -> str:
    digest = hashlib.sha256()
    try:
        with unpacked(file, limits) as content:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
    except UnreadableContentError as error:
        raise UnreadableContentError(f"{named}: {error}") from None
    return digest.hexdigest()[:32]


def _refuse_changed(path: Path, digest: str, copy: BinaryIO) -> None:
    """Raises `ChangedMeanwhileError` unless the copy of a file has the content that the file had."""
    try:
        copied = _hash_of(copy, str(path), UNLIMITED)
    except UnreadableContentError:
        copied = ""
    if copied != digest:
        raise ChangedMeanwhileError(f"{path} changed while it was read; give it again when it is written to its end.")


def _refuse_path_parts(game: str, unit_id: str, kind: str = "any", suffix: str = "bin") -> None:
    name, *area = game.split("/", 1)
    for part in (name, *area, unit_id):
        if not _PART.fullmatch(part):
            raise ValueError(f"{part!r} cannot be part of a landing path; letters, digits, _ and - can.")
    if area and (_DAY.fullmatch(area[0]) or area[0] == _CLAIMS):
        raise ValueError(f"{area[0]!r} cannot be an area of {name}: the game's own files stand in a folder so called.")
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} cannot be the kind of a landed file; small letters and _ can.")

    if suffix not in _SUFFIXES:
        raise ValueError(f"{suffix!r} cannot be the ending of a landed file; these can: {', '.join(_SUFFIXES)}.")


class Landing:
    """The landing zone under one root: a folder or an object-store URL.

    Wherever a method takes a game, it also takes one of its areas, as `game/area`.

    Args:
        root: folder or URL; created with the first file.
        storage_options: options of the object store, as for the lake; unused for a folder.
        limits: limits on the size of one file and on the time to read it.
    """

    def __init__(
        self, root: str | Path, storage_options: Mapping[str, str] | None = None, limits: ReadLimits | None = None
    ) -> None:
        self.root = str(root)
        self.limits = limits or ReadLimits()
        self._store = storage(root, storage_options)

    def put(
        self, game: str, day: date, unit_id: str, kind: str, payload: bytes, content: bytes, suffix: str = "json"
    ) -> tuple[LandedFile, bool]:
        """Lands a payload on the day that its unit already has, or otherwise on `day`.

        Args:
            game: the game, or one of its areas.
            day: the day to claim if the unit has none.
            unit_id: the unit.
            kind: kind of file.
            payload: the bytes as received; they are stored unchanged.
            content: the decompressed payload; its hash names the file.
            suffix: suffix of the file's name, before the `.gz` of a gzipped payload.

        Returns:
            The file, and whether it is new (False: the same content has landed before).

        Raises:
            ValueError: if the unit, the kind or the suffix cannot be part of a landed file's name.
        """
        ending = f"{suffix}.gz" if is_gzip(payload) else suffix
        return self._put(game, day, unit_id, kind, content_hash(content), payload, ending)

    def put_file(
        self, game: str, day: date, unit_id: str, kind: str, path: Path, suffix: str, digest: str | None = None
    ) -> tuple[LandedFile, bool]:
        """As `put`, for a file of any size; its landed name gets the given suffix (`parquet`, `csv.gz`, ...).

        Args:
            game: as in `put`.
            day: as in `put`.
            unit_id: as in `put`.
            kind: as in `put`.
            path: the file.
            suffix: suffix of the landed name.
            digest: its `file_hash`, if known.

        Raises:
            UnreadableContentError: if the file is gzipped and damaged.
            ChangedMeanwhileError: if it is being written; then nothing of it has landed.
        """
        return self._put(game, day, unit_id, kind, digest or file_hash(path), path, suffix)

    def _put(
        self, game: str, day: date, unit_id: str, kind: str, digest: str, payload: bytes | Path, suffix: str
    ) -> tuple[LandedFile, bool]:
        _refuse_path_parts(game, unit_id, kind, suffix)
        return self._create(game, self.claim_day(game, unit_id, day), unit_id, kind, digest, payload, suffix)

    def put_undated(self, game: str, kind: str, payload: bytes, content: bytes) -> tuple[LandedFile, bool]:
        """Lands a payload that belongs to no day in the folder of its kind.

        Examples are lists of players, and unreadable payloads (kind `unreadable`).
        """
        digest = content_hash(content)
        _refuse_path_parts(game, digest, kind)
        ending = "bin" if kind == "unreadable" else "json.gz" if is_gzip(payload) else "json"
        return self._create(game, kind, digest, kind, digest, payload, ending)

    def _create(
        self, game: str, folder: str, unit_id: str, kind: str, digest: str, payload: bytes | Path, suffix: str
    ) -> tuple[LandedFile, bool]:
        stem = f"{game}/{folder}/{unit_id}.{kind}.{digest}"
        # The same content may have landed with another suffix, plain or gzipped.
        known_suffix = next((each for each in _SUFFIXES if self._store.exists(f"{stem}.{each}")), None)
        path = f"{stem}.{known_suffix or suffix}"
        unchanged = partial(_refuse_changed, payload, digest) if isinstance(payload, Path) else None
        is_new = known_suffix is None and self._store.create(path, payload, unchanged)
        return LandedFile(game, folder, unit_id, kind, digest, path), is_new

    def claim_day(self, game: str, unit_id: str, day: date) -> str:
        """Claims a day for a unit; returns the day that was claimed first."""
        _refuse_path_parts(game, unit_id)
        path = f"{game}/{_CLAIMS}/{unit_id[:2]}/{unit_id}"
        if self._store.create(path, day.isoformat().encode()):
            return day.isoformat()
        return self._store.read(path).decode()

    def day_of(self, game: str, unit_id: str) -> str | None:
        """The day claimed for a unit, or None if nothing of it has landed."""
        path = f"{game}/{_CLAIMS}/{unit_id[:2]}/{unit_id}"
        return self._store.read(path).decode() if self._store.exists(path) else None

    def areas(self, game: str) -> list[str]:
        """Areas of a game that have files of days, in order."""
        # An area has claims, because a unit's day is claimed before its file lands; a folder of undated files has none.
        return [name for name in self._undated(game) if _CLAIMS in self._store.folders(f"{game}/{name}")]

    def _undated(self, game: str) -> list[str]:
        return [name for name in self._store.folders(game) if not _DAY.fullmatch(name) and name != _CLAIMS]

    def days(self, game: str) -> list[str]:
        """Days that have files, in order, as YYYY-MM-DD."""
        return [folder for folder in self._store.folders(game) if _DAY.fullmatch(folder)]

    def changed_at(self, game: str, folder: str) -> int | None:
        """When the folder of a day last gained or lost a file, in nanoseconds; None if the store does not know."""
        return self._store.changed_at(f"{game}/{folder}")

    def undated_kinds(self, game: str) -> list[str]:
        """Kinds of undated files that have landed, in order."""
        areas = self.areas(game)
        return [name for name in self._undated(game) if name not in areas]

    def held(self, game: str, unit_ids: Iterable[str]) -> dict[str, dict[str, list[LandedFile]]]:
        """Landed files of units, by kind; takes one listing for each of their days."""
        by_unit: dict[str, dict[str, list[LandedFile]]] = {unit_id: {} for unit_id in unit_ids}
        days = {self.day_of(game, unit_id) for unit_id in by_unit if _PART.fullmatch(unit_id)}
        for day in sorted(day for day in days if day):
            for file in self.files(game, day):
                if file.unit_id in by_unit:
                    by_unit[file.unit_id].setdefault(file.kind, []).append(file)
        return by_unit

    def files(self, game: str, folder: str) -> list[LandedFile]:
        """Files of one day (YYYY-MM-DD) or of one kind of undated files, in a fixed order.

        If two processes land the same content at the same time, one plain and one gzipped, it is listed once.
        """
        distinct: dict[tuple[str, str, str], LandedFile] = {}
        for name in self._store.files(f"{game}/{folder}"):
            match = _NAME.fullmatch(name)
            if match:
                file = LandedFile(game, folder, match["unit"], match["kind"], match["hash"], f"{game}/{folder}/{name}")
                distinct.setdefault((file.unit_id, file.kind, file.content_hash), file)
        return sorted(distinct.values())

    def read(self, file: LandedFile) -> bytes:
        """The bytes as received; `content` decompresses them."""
        return self._store.read(file.path)

    def content(self, file: LandedFile) -> bytes:
        """The content of a file, decompressed.

        Raises:
            UnreadableContentError: if it is gzipped and damaged, or exceeds the limits.
        """
        return decompressed(self.read(file), self.limits)

    def landed_at(self, file: LandedFile) -> datetime:
        """When the file landed, according to its disk or store."""
        return self._store.modified(file.path)

    def remove(self, file: LandedFile) -> None:
        """Deletes a file, in every form in which its content landed, if it exists.

        Only the erasure of personal data may call this: the landing zone has the only copy from which tables can be
        made again.
        """
        stem = f"{file.game}/{file.day}/{file.unit_id}.{file.kind}.{file.content_hash}"
        for suffix in _SUFFIXES:
            if self._store.exists(path := f"{stem}.{suffix}"):
                self._store.delete(path)

    def on_disk(self, file: LandedFile) -> AbstractContextManager[Path]:
        """A local path of the file while the context is open: its own, or that of a copy from the object store."""
        return self._store.on_disk(file.path)
