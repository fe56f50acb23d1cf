"""Binary objects by name, in a folder or an object store: each is there whole, or not at all.

What is too large for a row of PostgreSQL and is asked for whole stands here: the values of published binary columns
(see `published`), and files that wait to be read. The lake is not needed to read them, nor any of its libraries.

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
from gamestats_assets.lakehouse.files import sync_folder, write_whole

_PART = re.compile(r"[A-Za-z0-9_~%-][A-Za-z0-9._~%-]*")
_CHUNK = 256 * 1024
# A folder that is made anew may go again before the file is in it: whoever deletes its last object removes it.
_TRIES = 5


class MissingObjectError(GamestatsError):
    """There is no object of a name."""


# Spellings that deltalake takes beside the store's own settings.
_CLIENT_OPTIONS = frozenset(
    ("allow_http", "allow_invalid_certificates", "connect_timeout", "timeout", "proxy_url", "user_agent")
)
_DELTA_ONLY = re.compile(r"locking_provider|unsafe_rename|dynamo|max_retries|retry_timeout|backoff_config")


def object_store(url: str, options: Mapping[str, str]) -> Any:
    """The objects behind a URL, with the lake's storage options: HTTP settings apart, Delta's own left out."""
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
    """The objects under one root: a folder, or an object-store URL. Names are paths, as `game/table/...`.

    Args:
        root: folder or URL; made when the first object is put.
        storage_options: options of the object store, the same as the lake's; unused for a folder.
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.root = str(root)
        remote = object_store(self.root, storage_options or {}) if "://" in self.root else None
        self._store: _Folder | _Remote = _Folder(Path(root)) if remote is None else _Remote(remote)

    def put(self, name: str, content: bytes) -> None:
        """Keep an object, in place of what has the name; it lasts when this returns.

        Raises:
            ValueError: when the name is no relative path of letters, digits and . _ ~ % -.
        """
        self._store.put(_checked(name), content)

    def put_file(self, name: str, path: Path) -> None:
        """As `put`, of what a file holds, which need not fit into memory."""
        self._store.put(_checked(name), path)

    def get(self, name: str) -> bytes:
        """The bytes of an object.

        Raises:
            MissingObjectError: when there is none; its name may have been replaced by another a moment ago.
        """
        return b"".join(self.stream(name))

    def stream(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, in pieces; raises as `get`, before the first one."""
        try:
            return self._store.stream(_checked(name))
        except FileNotFoundError:
            raise MissingObjectError(f"There is no object {name!r} under {self.root}.") from None

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""
        self._store.delete(_checked(name))

    def list(self, prefix: str) -> list[str]:
        """Names of the objects within a folder of names, in order."""
        return sorted(name for name in self._store.names(_checked(prefix)) if _is_name(name))

    def keep_only(self, prefix: str, names: Collection[str]) -> list[str]:
        """Remove what is within a folder of names and has none of some names; also what killed writers left there.

        Nobody else may be putting objects there meanwhile.

        Returns:
            What was removed.
        """
        removed = sorted({*self._store.names(_checked(prefix))} - {*names})
        for name in removed:
            self._store.delete(name)
        return removed


def _is_name(name: str) -> bool:
    return all(_PART.fullmatch(part) for part in name.split("/"))


def _checked(name: str) -> str:
    if not _is_name(name):
        raise ValueError(f"{name!r} cannot name an object; expected parts of letters, digits and . _ ~ % - between /.")
    return name


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, name: str, content: bytes | Path) -> None:
        path, tries = self._root / name, 0
        while True:
            made = [folder for folder in path.parents if not folder.exists()]
            try:
                write_whole(path, content)
                break
            except FileNotFoundError:
                tries += 1
                if tries == _TRIES:
                    raise
        # The name stands in the folder, and a new folder's name in the one above it.
        for folder in (path.parent, *(new.parent for new in made)):
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
                # Other objects are in it, or nothing ever was.
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
        found = self._store.get(name)
        return (bytes(piece) for piece in found.stream(min_chunk_size=_CHUNK))

    def delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._store.delete(name)

    def names(self, prefix: str) -> Iterator[str]:
        for batch in self._store.list(prefix):
            yield from (entry["path"] for entry in batch)
