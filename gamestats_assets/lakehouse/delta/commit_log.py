"""The log of a Delta table, commit by commit: metadata, and files added and removed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from gamestats_assets.lakehouse.files.storage import Bucket, Folder, storage

_PARALLEL_READS = 16
_FOLDER = "_delta_log"


class CommitLog:
    """The log of one table.

    Args:
        uri: folder or URL of the table.
        storage_options: options of the object store, as in `Lake`.
    """

    def __init__(self, uri: str, storage_options: Mapping[str, str]) -> None:
        self._uri, self._options = uri, storage_options

    def file(self, version: int) -> Path:
        """File of a commit, if the table is on a disk."""
        return Path(self._uri, _FOLDER, f"{version:020}.json")

    def identity(self, version: int) -> tuple[int, int] | None:
        """Distinguishes a commit's file from another of the same name, since a table may be removed and recreated."""
        try:
            status = self.file(version).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    def commits(self, versions: Sequence[int]) -> Iterator[tuple[int, dict[str, Any], list[dict[str, Any]]]]:
        """Version, `commitInfo`, and added and removed files of commits, up to the first that no longer exists."""
        for version, text in self._texts(versions):
            actions = [json.loads(line) for line in text.splitlines()]
            info = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
            files = [action.get("add") or action.get("remove") for action in actions]
            yield version, info, [file for file in files if file]

    def _texts(self, versions: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        store = self._storage()

        def read(version: int) -> bytes | None:
            try:
                return store.read(f"{version:020}.json")
            except FileNotFoundError:
                return None

        with ThreadPoolExecutor(_PARALLEL_READS) if "://" in self._uri else nullcontext() as pool:
            size = 1 if pool is None else _PARALLEL_READS
            for start in range(0, len(versions), size):
                chunk = versions[start : start + size]
                texts = map(read, chunk) if pool is None else pool.map(read, chunk)
                for version, text in zip(chunk, texts, strict=True):
                    if text is None:
                        return
                    yield version, text

    def remove(self) -> None:
        """Removes the whole log. The table no longer exists then, and the next vacuum removes its files."""
        store = self._storage()
        for name in [*store.names("")]:
            store.delete(name, with_folders=True)

    def _storage(self) -> Folder | Bucket:
        return storage(f"{self._uri}/{_FOLDER}", self._options)
