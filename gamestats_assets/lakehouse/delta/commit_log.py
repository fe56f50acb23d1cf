"""The log of a Delta table, commit by commit: metadata, and files added and removed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gamestats_assets.lakehouse.files.objects import object_store

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

    def _texts(self, versions: Sequence[int]) -> Iterator[tuple[int, str]]:
        if "://" not in self._uri:
            for version in versions:
                try:
                    yield version, self.file(version).read_text()
                except FileNotFoundError:
                    return
            return
        store = self._store()

        def read(version: int) -> bytes | None:
            try:
                return bytes(store.get(f"{version:020}.json").bytes())
            except FileNotFoundError:
                return None

        with ThreadPoolExecutor(_PARALLEL_READS) as pool:
            for start in range(0, len(versions), _PARALLEL_READS):
                chunk = versions[start : start + _PARALLEL_READS]
                for version, text in zip(chunk, pool.map(read, chunk), strict=True):
                    if text is None:
                        return
                    yield version, text.decode()

    def remove(self) -> None:
        """Removes the whole log. The table no longer exists then, and the next vacuum removes its files."""
        if "://" not in self._uri:
            shutil.rmtree(Path(self._uri, _FOLDER))
            return
        store = self._store()
        for listed in store.list():
            store.delete([entry["path"] for entry in listed])

    def _store(self) -> Any:
        return object_store(f"{self._uri}/{_FOLDER}", self._options)
