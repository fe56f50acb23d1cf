"""Named binary objects in a folder or an object store; each exists whole or not at all.

They are too large for rows of PostgreSQL and are always read whole: values of published binary columns (see
`published`), and files that wait to be processed. Reading them needs neither the lake nor its libraries.

    >>> import tempfile
    >>> objects = Objects(tempfile.mkdtemp())
    >>> objects.put("demo/pictures/a", b"...")
    >>> objects.list("demo"), objects.get("demo/pictures/a")
    (['demo/pictures/a'], b'...')
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import sync_folder, write_whole

_PART = re.compile(r"[A-Za-z0-9_~%-][A-Za-z0-9._~%-]*")
_CHUNK = 256 * 1024
# A new folder may disappear before its file is written, since whoever deletes a folder's last object removes it.
_ATTEMPTS = 5


class MissingObjectError(GamestatsError):
    """There is no object with this name."""


# HTTP settings that deltalake accepts among the store's settings.
_CLIENT_OPTIONS = frozenset(
    ("allow_http", "allow_invalid_certificates", "connect_timeout", "timeout", "proxy_url", "user_agent")
)
_DELTA_ONLY = re.compile(r"locking_provider|unsafe_rename|dynamo|max_retries|retry_timeout|backoff_config")


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


class Objects:
    """Objects under one root: a folder or an object-store URL. Names are paths such as `game/table/...`.

    Args:
        root: folder or URL; created with the first object.
        storage_options: options of the object store, as for the lake; unused for a folder.
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.root = str(root)
        remote = object_store(self.root, storage_options or {}) if "://" in self.root else None
        self._store: _Folder | _Remote = _Folder(Path(root)) if remote is None else _Remote(remote)

    def put(self, name: str, content: bytes) -> None:
        """Stores an object durably, replacing any with the same name.

        Raises:
            ValueError: if the name is not a relative path of letters, digits and . _ ~ % -.
        """
        self._store.put(_require_name(name), content)

    def put_file(self, name: str, path: Path) -> None:
        """As `put`, with the content of a file, which need not fit into memory."""
        self._store.put(_require_name(name), path)

    def get(self, name: str) -> bytes:
        """The bytes of an object.

        Raises:
            MissingObjectError: if it does not exist; it may just have been replaced by one with another name.
        """
        return b"".join(self.stream(name))

    def stream(self, name: str) -> Iterator[bytes]:
        """The bytes of an object in pieces; raises like `get`, before the first piece."""
        try:
            return self._store.stream(_require_name(name))
        except FileNotFoundError:
            raise MissingObjectError(f"There is no object {name!r} under {self.root}.") from None

    def delete(self, name: str) -> None:
        """Removes an object if it exists."""
        self._store.delete(_require_name(name))

    def list(self, prefix: str) -> list[str]:
        """Names of the objects under a prefix, in order."""
        return sorted(name for name in self._store.names(_require_name(prefix)) if _is_name(name))

    def keep_only(self, prefix: str, names: Collection[str]) -> list[str]:
        """Removes everything under a prefix except some names, including leftovers of killed writers.

        No other process may store objects there meanwhile.

        Returns:
            The removed names.
        """
        removed = sorted({*self._store.names(_require_name(prefix))} - {*names})
        for name in removed:
            self._store.delete(name)
        return removed


def _is_name(name: str) -> bool:
    return all(_PART.fullmatch(part) for part in name.split("/"))


def _require_name(name: str) -> str:
    if not _is_name(name):
        raise ValueError(f"{name!r} cannot name an object; expected parts of letters, digits and . _ ~ % - between /.")
    return name


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, name: str, content: bytes | Path) -> None:
        path, attempts = self._root / name, 0
        while True:
            new_folders = [folder for folder in path.parents if not folder.exists()]
            try:
                write_whole(path, content)
                break
            except FileNotFoundError:
                attempts += 1
                if attempts == _ATTEMPTS:
                    raise
        # Names must be durable, too: the file's in its folder, and a new folder's in its parent.
        for folder in (path.parent, *(new.parent for new in new_folders)):
            sync_folder(folder)

    def stream(self, name: str) -> Iterator[bytes]:
        file = open(self._root / name, "rb")  # noqa: SIM115 (open as long as it is read)

        def pieces() -> Iterator[bytes]:
            with file:
                while piece := file.read(_CHUNK):
                    yield piece

        return pieces()

    def delete(self, name: str) -> None:
        path = self._root / name
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self._root:
                break
            try:
                folder.rmdir()
            except OSError:
                # It has other objects, or never existed.
                with suppress(FileNotFoundError):
                    sync_folder(folder)
                break

    def names(self, prefix: str) -> Iterator[str]:
        for path in (self._root / prefix).rglob("*"):
            if path.is_file():
                yield path.relative_to(self._root).as_posix()


class _Remote:
    def __init__(self, store: Any) -> None:
        self._store = store

    def put(self, name: str, content: bytes | Path) -> None:
        self._store.put(name, content)

    def stream(self, name: str) -> Iterator[bytes]:
        result = self._store.get(name)
        return (bytes(piece) for piece in result.stream(min_chunk_size=_CHUNK))

    def delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._store.delete(name)

    def names(self, prefix: str) -> Iterator[str]:
        for batch in self._store.list(prefix):
            yield from (entry["path"] for entry in batch)
