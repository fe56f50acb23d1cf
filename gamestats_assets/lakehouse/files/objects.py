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
from pathlib import Path

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.storage import storage

_PART = re.compile(r"[A-Za-z0-9_~%-][A-Za-z0-9._~%-]*")


class MissingObjectError(GamestatsError):
    """There is no object with this name."""


class Objects:
    """Objects under one root: a folder or an object-store URL. Names are paths such as `game/table/...`.

    Args:
        root: folder or URL; created with the first object.
        storage_options: options of the object store, as for the lake; unused for a folder.
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.root = str(root)
        self._store = storage(root, storage_options)

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
        self._store.delete(_require_name(name), with_folders=True)

    def list(self, prefix: str) -> list[str]:
        """Names of the objects under a prefix, in order."""
        return sorted(name for name in self._store.names(_require_name(prefix)) if _is_name(name))

    def keep_only(self, prefix: str, names: Collection[str]) -> list[str]:
        """Removes everything under a prefix except some names, including leftovers of killed writers.

        No other process may store objects there at the same time.

        Returns:
            The removed names.
        """
        removed = sorted({*self._store.names(_require_name(prefix))} - {*names})
        for name in removed:
            self._store.delete(name, with_folders=True)
        return removed


def _is_name(name: str) -> bool:
    return all(_PART.fullmatch(part) for part in name.split("/"))


def _require_name(name: str) -> str:
    if not _is_name(name):
        raise ValueError(f"{name!r} cannot name an object; expected parts of letters, digits and . _ ~ % - between /.")
    return name
