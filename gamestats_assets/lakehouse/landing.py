"""The landing zone: bytes exactly as received, each content once, never changed.

The path is the catalogue. A file stands at

    <root>/<game>/<day>/<unit>.<kind>.<content hash>.<suffix>

or, where a game has areas (a product, a server), at `<root>/<game>/<area>/<day>/...`,
so a day's files, their ids and their hashes are read from one directory listing, and
nothing beside the files can disagree with them. The hash is taken of the decompressed
content: the same document, plain or gzipped, is one file.

The day of a unit (a match, a log file) is claimed once, by the first writer, and
stays: files of the same unit that arrive later land on the same day whatever they say.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files import sync_folder
from gamestats_assets.lakehouse.objects import object_store
from gamestats_assets.lakehouse.unpacking import (
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
    """A file has other bytes than it had a moment ago: somebody is writing it."""


@dataclass(frozen=True, slots=True, order=True)
class LandedFile:
    """One file of the landing zone, as its path tells it; `game` is `game/area` where it stands in an area."""

    game: str
    day: str
    unit_id: str
    kind: str
    content_hash: str
    path: str

    @property
    def area(self) -> str:
        """The area of the game; empty where it has none."""
        return self.game.partition("/")[2]


def content_hash(content: bytes) -> str:
    """32 hexadecimal digits that name a decompressed content."""
    return hashlib.sha256(content).hexdigest()[:32]


def file_hash(path: Path, limits: ReadLimits | None = None) -> str:
    """As `content_hash`, of a file, which is read in pieces; one that is gzipped is named by its content.

    Raises:
        UnreadableContentError: when it is gzipped and damaged, or exceeds the limits.
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


def _refuse_changed(path: Path, copy: Path | BinaryIO, digest: str) -> None:
    """Raise `ChangedMeanwhileError` unless the copy of a file has the content that the file had."""
    try:
        with open(copy, "rb") if isinstance(copy, Path) else copy as file:
            copied = _hash_of(file, str(path), UNLIMITED)
    except UnreadableContentError:
        copied = ""
    if copied != digest:
        raise ChangedMeanwhileError(f"{path} changed while it was read; give it again when it is written to its end.")


class _LocalStore:
    """Files on a disk: temporary name, fsync, then a link that fails if the name is taken."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, path: str, payload: bytes | Path, digest: str = "") -> bool:
        target = self._root / path
        if target.exists():
            return False
        made = [folder for folder in target.parents if not folder.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".{os.getpid()}-{secrets.token_hex(8)}.tmp"
        try:
            with open(temporary, "xb") as file:
                if isinstance(payload, Path):
                    with open(payload, "rb") as source:
                        shutil.copyfileobj(source, file, _CHUNK)
                else:
                    file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            if isinstance(payload, Path):
                _refuse_changed(payload, temporary, digest)
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
        finally:
            temporary.unlink(missing_ok=True)
        # The name stands in the folder, and a new folder's name in the one above it.
        for folder in (target.parent, *(new.parent for new in made)):
            sync_folder(folder)
        return True

    def read(self, path: str) -> bytes:
        return (self._root / path).read_bytes()

    @contextmanager
    def on_disk(self, path: str) -> Iterator[Path]:
        yield self._root / path

    def exists(self, path: str) -> bool:
        return (self._root / path).exists()

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp((self._root / path).stat().st_mtime, UTC)

    def remove(self, path: str) -> None:
        target = self._root / path
        target.unlink(missing_ok=True)
        if target.parent.is_dir():
            sync_folder(target.parent)

    def _scan(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            entries = os.scandir(self._root / folder)
        except FileNotFoundError:
            return
        with entries:
            yield from entries

    def files(self, folder: str) -> list[str]:
        return sorted(entry.name for entry in self._scan(folder) if entry.is_file() and entry.name[0] != ".")

    def folders(self, folder: str) -> list[str]:
        return sorted(entry.name for entry in self._scan(folder) if entry.is_dir())

    def changed_at(self, folder: str) -> int | None:
        return (self._root / folder).stat().st_mtime_ns


class _ObjectStore:
    """Objects behind a URL: a conditional put is the write-once."""

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        self._store = object_store(url, options)

    def create(self, path: str, payload: bytes | Path, digest: str = "") -> bool:
        from obstore.exceptions import AlreadyExistsError

        content = payload.read_bytes() if isinstance(payload, Path) else payload
        if isinstance(payload, Path):
            _refuse_changed(payload, io.BytesIO(content), digest)
        try:
            # In one request, for only such a one can be refused where the name is taken.
            self._store.put(path, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def read(self, path: str) -> bytes:
        return bytes(self._store.get(path).bytes())

    @contextmanager
    def on_disk(self, path: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="gamestats-landing-") as folder:
            copy = Path(folder, path.rsplit("/", 1)[-1])
            with open(copy, "wb") as file:
                file.writelines(self._store.get(path))
            yield copy

    def exists(self, path: str) -> bool:
        try:
            self._store.head(path)
        except FileNotFoundError:
            return False
        return True

    def modified(self, path: str) -> datetime:
        return self._store.head(path)["last_modified"].astimezone(UTC)

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._store.delete(path)

    def files(self, folder: str) -> list[str]:
        objects = self._store.list_with_delimiter(folder)["objects"]
        return sorted(entry["path"].rsplit("/", 1)[-1] for entry in objects)

    def folders(self, folder: str) -> list[str]:
        prefixes = self._store.list_with_delimiter(folder)["common_prefixes"]
        return sorted(prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in prefixes)

    def changed_at(self, folder: str) -> int | None:
        return None


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
    """The landing zone under one root: a folder, or an object-store URL.

    Wherever a method takes a game it takes an area of it too, as `game/area`.

    Args:
        root: folder or URL; made when the first file lands.
        storage_options: options of the object store, the same as the lake's; unused for a folder.
        limits: how much of one file is read, and for how long.
    """

    def __init__(
        self,
        root: str | Path,
        storage_options: Mapping[str, str] | None = None,
        limits: ReadLimits | None = None,
    ) -> None:
        self.root = str(root)
        self.limits = limits or ReadLimits()
        is_remote = "://" in self.root
        self._store = _ObjectStore(self.root, storage_options or {}) if is_remote else _LocalStore(Path(root))

    def put(
        self, game: str, day: date, unit_id: str, kind: str, payload: bytes, content: bytes, suffix: str = "json"
    ) -> tuple[LandedFile, bool]:
        """Land a payload, under the day its unit already has or else under `day`.

        Args:
            payload: the bytes as received; they are stored unchanged.
            content: the payload decompressed; it names the file.
            suffix: what the file's name ends in, before the `.gz` of a gzipped payload.

        Returns:
            The file, and whether it is new (False: the same content has landed before).

        Raises:
            ValueError: when the unit, the kind or the suffix cannot be part of a landed file's name.
        """
        ending = f"{suffix}.gz" if is_gzip(payload) else suffix
        return self._put(game, day, unit_id, kind, content_hash(content), payload, ending)

    def put_file(
        self, game: str, day: date, unit_id: str, kind: str, path: Path, suffix: str, digest: str | None = None
    ) -> tuple[LandedFile, bool]:
        """As `put`, of a file of any size, whose landed name ends in the given suffix (`parquet`, `csv.gz`, ...).

        Args:
            digest: its `file_hash`, where it is known.

        Raises:
            UnreadableContentError: when the file is gzipped and damaged.
            ChangedMeanwhileError: when it is being written; nothing of it has landed then.
        """
        return self._put(game, day, unit_id, kind, digest or file_hash(path), path, suffix)

    def _put(
        self, game: str, day: date, unit_id: str, kind: str, digest: str, payload: bytes | Path, suffix: str
    ) -> tuple[LandedFile, bool]:
        _refuse_path_parts(game, unit_id, kind, suffix)
        return self._create(game, self.claim_day(game, unit_id, day), unit_id, kind, digest, payload, suffix)

    def put_undated(self, game: str, kind: str, payload: bytes, content: bytes) -> tuple[LandedFile, bool]:
        """Land a payload that belongs to no day, under the folder of its kind.

        Player lists stand here, and so do the payloads nobody could read (kind `unreadable`).
        """
        digest = content_hash(content)
        _refuse_path_parts(game, digest, kind)
        ending = "bin" if kind == "unreadable" else "json.gz" if is_gzip(payload) else "json"
        return self._create(game, kind, digest, kind, digest, payload, ending)

    def _create(
        self, game: str, folder: str, unit_id: str, kind: str, digest: str, payload: bytes | Path, suffix: str
    ) -> tuple[LandedFile, bool]:
        stem = f"{game}/{folder}/{unit_id}.{kind}.{digest}"
        # The same content may have landed in the other form, plain or gzipped.
        known_suffix = next((each for each in _SUFFIXES if self._store.exists(f"{stem}.{each}")), None)
        path = f"{stem}.{known_suffix or suffix}"
        is_new = known_suffix is None and self._store.create(path, payload, digest)
        return LandedFile(game, folder, unit_id, kind, digest, path), is_new

    def claim_day(self, game: str, unit_id: str, day: date) -> str:
        """The unit's day: `day` if nobody claimed one before, else the day claimed first."""
        _refuse_path_parts(game, unit_id)
        path = f"{game}/{_CLAIMS}/{unit_id[:2]}/{unit_id}"
        if self._store.create(path, day.isoformat().encode()):
            return day.isoformat()
        return self._store.read(path).decode()

    def day_of(self, game: str, unit_id: str) -> str | None:
        """The day claimed for a unit, or None when nothing of it has landed."""
        path = f"{game}/{_CLAIMS}/{unit_id[:2]}/{unit_id}"
        return self._store.read(path).decode() if self._store.exists(path) else None

    def areas(self, game: str) -> list[str]:
        """Areas of a game that hold files of days, in order."""
        # A folder of undated files has none in it; in an area a unit's day is claimed before its file lands.
        return [name for name in self._undated(game) if _CLAIMS in self._store.folders(f"{game}/{name}")]

    def _undated(self, game: str) -> list[str]:
        return [name for name in self._store.folders(game) if not _DAY.fullmatch(name) and name != _CLAIMS]

    def days(self, game: str) -> list[str]:
        """Days that hold files, in order, as YYYY-MM-DD."""
        return [folder for folder in self._store.folders(game) if _DAY.fullmatch(folder)]

    def changed_at(self, game: str, folder: str) -> int | None:
        """When the folder of a day gained or lost a file last, in nanoseconds; None where the store does not tell."""
        return self._store.changed_at(f"{game}/{folder}")

    def undated_kinds(self, game: str) -> list[str]:
        """Kinds of which undated files have landed, in order."""
        areas = self.areas(game)
        return [name for name in self._undated(game) if name not in areas]

    def held(self, game: str, unit_ids: Iterable[str]) -> dict[str, dict[str, list[LandedFile]]]:
        """Files of units by kind, empty for one of which nothing landed; one listing for each day they stand on."""
        by_unit: dict[str, dict[str, list[LandedFile]]] = {unit_id: {} for unit_id in unit_ids}
        days = {self.day_of(game, unit_id) for unit_id in by_unit if _PART.fullmatch(unit_id)}
        for day in sorted(day for day in days if day):
            for file in self.files(game, day):
                if file.unit_id in by_unit:
                    by_unit[file.unit_id].setdefault(file.kind, []).append(file)
        return by_unit

    def files(self, game: str, folder: str) -> list[LandedFile]:
        """Files of one day (YYYY-MM-DD) or of one kind of undated files, in a fixed order.

        Two processes can land the same content at the same moment, one plain and one gzipped;
        it is listed once.
        """
        distinct: dict[tuple[str, str, str], LandedFile] = {}
        for name in self._store.files(f"{game}/{folder}"):
            match = _NAME.fullmatch(name)
            if match:
                file = LandedFile(game, folder, match["unit"], match["kind"], match["hash"], f"{game}/{folder}/{name}")
                distinct.setdefault((file.unit_id, file.kind, file.content_hash), file)
        return sorted(distinct.values())

    def read(self, file: LandedFile) -> bytes:
        """The bytes as received; `content` gives them decompressed."""
        return self._store.read(file.path)

    def content(self, file: LandedFile) -> bytes:
        """The content of a file, decompressed.

        Raises:
            UnreadableContentError: when it is gzipped and damaged, or exceeds the limits.
        """
        return decompressed(self.read(file), self.limits)

    def landed_at(self, file: LandedFile) -> datetime:
        """When the file landed, by the clock of its disk or store."""
        return self._store.modified(file.path)

    def remove(self, file: LandedFile) -> None:
        """Delete a file, in every form in which its content landed.

        Nothing but the erasure of what is held on a person may call this: what has landed is the only copy that every
        table can be made from again. It may be gone already.
        """
        stem = f"{file.game}/{file.day}/{file.unit_id}.{file.kind}.{file.content_hash}"
        for suffix in _SUFFIXES:
            if self._store.exists(path := f"{stem}.{suffix}"):
                self._store.remove(path)

    def on_disk(self, file: LandedFile) -> AbstractContextManager[Path]:
        """A path of the file for as long as the context is open: its own, or a copy of what an object store holds."""
        return self._store.on_disk(file.path)
