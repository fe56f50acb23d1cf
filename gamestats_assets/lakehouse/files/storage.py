"""Files under one root, a folder or an object-store URL: each exists whole or not at all.

Names are paths within the root. A write is durable when it returns, and a killed one leaves behind at most a hidden
file that ends in `.tmp`, which no listing contains.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from gamestats_assets.lakehouse.files.local import sync_folder, temporary_file

_CHUNK = 256 * 1024
# A new folder may disappear before its file is written, since deleting a folder's last file may also delete the folder.
_ATTEMPTS = 5
# HTTP settings that deltalake accepts among the store's settings.
_CLIENT_OPTIONS = frozenset(
    ("allow_http", "allow_invalid_certificates", "connect_timeout", "timeout", "proxy_url", "user_agent")
)
_DELTA_ONLY = re.compile(r"locking_provider|unsafe_rename|dynamo|max_retries|retry_timeout|backoff_config")

Accept: TypeAlias = Callable[[BinaryIO], object]
"""Examines the copy of a file before it gets its name; raises if it must not."""


def storage(root: str | Path, options: Mapping[str, str] | None = None) -> Folder | Bucket:
    """The files under a folder or URL; `options` are those of the lake, unused for a folder."""
    return Bucket(object_store(str(root), options or {})) if "://" in str(root) else Folder(Path(root))


def object_store(url: str, options: Mapping[str, str]) -> Any:
    """Opens an object store with the lake's storage options, without those that only Delta knows."""
    import obstore.store

    config: dict[str, str] = {}
    client: dict[str, str] = {}
    for key, value in options.items():
        name = key.lower()
        if (bare := name.removeprefix("aws_")) in _CLIENT_OPTIONS:
            client[bare] = value
        elif not _DELTA_ONLY.search(name):
            config[name] = value
    return obstore.store.from_url(url, config=cast(Any, config), client_options=cast(Any, client))


class Folder:
    """Files in a folder, which is created with the first of them."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, name: str, content: bytes | Path, accept: Accept | None = None) -> bool:
        """Writes a file unless there is one; returns whether it did. Of several writers at once, one succeeds."""
        return not self.exists(name) and self._write(name, content, os.link, accept)

    def put(self, name: str, content: bytes | Path) -> None:
        """Writes a file in place of any with the same name."""
        self._write(name, content, os.replace)

    def _write(
        self, name: str, content: bytes | Path, give_name: Callable[[Path, Path], object], accept: Accept | None = None
    ) -> bool:
        path, attempts = self._root / name, 0
        while True:
            new_folders = [folder for folder in path.parents if not folder.exists()]
            try:
                with temporary_file(path, content) as temporary:
                    if accept is not None:
                        with open(temporary, "rb") as copy:
                            accept(copy)
                    give_name(temporary, path)
                break
            except FileExistsError:
                if not path.exists():
                    raise
                return False
            except FileNotFoundError:
                attempts += 1
                if attempts == _ATTEMPTS or (isinstance(content, Path) and not content.exists()):
                    raise
        # Names must be durable, too: the file's in its folder, and a new folder's in its parent.
        for folder in (path.parent, *(new.parent for new in new_folders)):
            sync_folder(folder)
        return True

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        return (self._root / name).read_bytes()

    def stream(self, name: str) -> Iterator[bytes]:
        """The bytes of a file in pieces; a missing file raises before the first."""
        file = open(self._root / name, "rb")  # noqa: SIM115 (open as long as it is read)

        def pieces() -> Iterator[bytes]:
            with file:
                while piece := file.read(_CHUNK):
                    yield piece

        return pieces()

    def on_disk(self, name: str) -> AbstractContextManager[Path]:
        """A local path of a file, while the context is open."""
        return nullcontext(self._root / name)

    def exists(self, name: str) -> bool:
        """Whether there is a file."""
        return (self._root / name).exists()

    def modified(self, name: str) -> datetime:
        """When a file was written."""
        return datetime.fromtimestamp((self._root / name).stat().st_mtime, UTC)

    def delete(self, name: str, *, with_folders: bool = False) -> None:
        """Deletes a file if it exists, and if asked the folders that then are empty, since names may show too much."""
        path = self._root / name
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if not with_folders or folder == self._root:
                break
            try:
                folder.rmdir()
            except OSError:
                # It has other files, or never existed.
                break
        left = next(folder for folder in path.parents if folder.exists())
        sync_folder(left)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / folder) as entries:
                return sorted((each for each in entries if each.name[0] != "."), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []

    def files(self, folder: str) -> list[str]:
        """Names of the files directly in a folder, without the folder, in order."""
        return [entry.name for entry in self._entries(folder) if entry.is_file()]

    def folders(self, folder: str) -> list[str]:
        """Names of the folders directly in a folder, in order."""
        return [entry.name for entry in self._entries(folder) if entry.is_dir()]

    def names(self, prefix: str) -> Iterator[str]:
        """All files under a folder, leftovers of killed writers included."""
        for path in (self._root / prefix).rglob("*"):
            if path.is_file():
                yield path.relative_to(self._root).as_posix()

    def changed_at(self, folder: str) -> int | None:
        """When a folder last gained or lost a file, in nanoseconds."""
        return (self._root / folder).stat().st_mtime_ns


class Bucket:
    """Files in an object store; methods as in `Folder`. Conditional puts make `create` happen only once."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def create(self, name: str, content: bytes | Path, accept: Accept | None = None) -> bool:
        """As in `Folder`."""
        from obstore.exceptions import AlreadyExistsError

        content = content.read_bytes() if isinstance(content, Path) else content
        if accept is not None:
            accept(io.BytesIO(content))
        try:
            # A single request, because only such a put can be refused if the name is taken.
            self._store.put(name, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def put(self, name: str, content: bytes | Path) -> None:
        """As in `Folder`."""
        self._store.put(name, content)

    def read(self, name: str) -> bytes:
        """As in `Folder`."""
        return bytes(self._store.get(name).bytes())

    def stream(self, name: str) -> Iterator[bytes]:
        """As in `Folder`."""
        result = self._store.get(name)
        return (bytes(piece) for piece in result.stream(min_chunk_size=_CHUNK))

    @contextmanager
    def on_disk(self, name: str) -> Iterator[Path]:
        """As in `Folder`: the path of a copy."""
        with tempfile.TemporaryDirectory(prefix="gamestats-copy-") as folder:
            copy = Path(folder, name.rsplit("/", 1)[-1])
            with open(copy, "wb") as file:
                file.writelines(self.stream(name))
            yield copy

    def exists(self, name: str) -> bool:
        """As in `Folder`."""
        try:
            self._store.head(name)
        except FileNotFoundError:
            return False
        return True

    def modified(self, name: str) -> datetime:
        """As in `Folder`."""
        return self._store.head(name)["last_modified"].astimezone(UTC)

    def delete(self, name: str, *, with_folders: bool = False) -> None:
        """As in `Folder`."""
        with suppress(FileNotFoundError):
            self._store.delete(name)

    def files(self, folder: str) -> list[str]:
        """As in `Folder`."""
        objects = self._store.list_with_delimiter(folder)["objects"]
        return sorted(entry["path"].rsplit("/", 1)[-1] for entry in objects)

    def folders(self, folder: str) -> list[str]:
        """As in `Folder`."""
        prefixes = self._store.list_with_delimiter(folder)["common_prefixes"]
        return sorted(prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in prefixes)

    def names(self, prefix: str) -> Iterator[str]:
        """As in `Folder`."""
        for batch in self._store.list(prefix):
            yield from (entry["path"] for entry in batch)

    def changed_at(self, folder: str) -> int | None:
        """None: an object store has no folders."""
        return None
