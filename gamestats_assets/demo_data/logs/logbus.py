"""Configures LogBus2, ThinkingData's own agent, to upload a folder of log files.

The program itself is ThinkingData's and not part of this project; this module makes its `conf/daemon.json`. LogBus2
tracks in its `runtime` folder how far it has read each file, by name: a file that is renamed after its upload counts as
new and is uploaded again. `notes` has further advice for users.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import write_whole

PATTERN = "*.jsonl"
"""Names of the files that are uploaded."""

_WILDCARD = re.compile(r"[*?\[\]{}\\]")


class LogBusError(GamestatsError):
    """LogBus2 could not work with a configuration."""


def daemon_configuration(
    folder: Path,
    *,
    app_id: str,
    push_url: str,
    gzip: bool = True,
    cpu_limit: int | None = None,
    remove_after_days: int | None = None,
    pattern: str = PATTERN,
) -> dict[str, Any]:
    """Returns the `conf/daemon.json` with which LogBus2 uploads a folder.

    Args:
        folder: folder of the log files; made absolute, as LogBus2 requires.
        app_id: app id of the project.
        push_url: address of the receiver, without a path: LogBus2 adds its own.
        gzip: whether LogBus2 compresses what it sends; the files themselves must be plain.
        cpu_limit: most cores it may use; None leaves that to LogBus2.
        remove_after_days: LogBus2 deletes uploaded files after so many days; None never deletes.
        pattern: names of the files to upload, with the wildcards of a shell.

    Raises:
        LogBusError: when the app id is empty, the address is invalid, or the folder's name has wildcards.
    """
    place = folder.resolve()
    if not app_id.strip():
        raise LogBusError("Expected the app id of a project, found none; it is in the project's settings.")
    address = urlsplit(push_url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise LogBusError(f"Expected the receiver's address to start with http:// or https://, found {push_url!r}.")
    if _WILDCARD.search(str(place)):
        raise LogBusError(f"LogBus2 would read {place} as a pattern: choose a folder without any of *?[]{{}}\\.")
    source: dict[str, Any] = {
        "type": "file",
        "app_id": app_id.strip(),
        "file_patterns": [f"{place.as_posix()}/{pattern}"],
        "http_compress": "gzip" if gzip else "none",
    }
    if remove_after_days is not None:
        if remove_after_days < 1:
            raise LogBusError(f"Expected files to be kept for 1 day or more, found {remove_after_days}.")
        source |= {"unit_remove": "day", "offset_remove": remove_after_days}
    configuration: dict[str, Any] = {"datasource": [source], "push_url": push_url.rstrip("/")}
    return configuration if cpu_limit is None else configuration | {"cpu_limit": cpu_limit}


def write_daemon_configuration(path: Path, configuration: dict[str, Any], *, overwrite: bool = False) -> list[str]:
    """Writes a configuration as a whole or not at all; returns advice for its user.

    Args:
        path: usually `conf/daemon.json` of an unpacked LogBus2.
        configuration: result of `daemon_configuration`.
        overwrite: whether a different configuration may be replaced.

    Raises:
        LogBusError: when there is a different configuration, which may be another user's, or it cannot be written.
    """
    text = json.dumps(configuration, indent=2, ensure_ascii=False) + "\n"
    try:
        if not overwrite and path.exists() and path.read_text(encoding="utf-8") != text:
            raise LogBusError(f"{path} has another configuration. Move it away, or allow it to be overwritten.")
        write_whole(path, text)
    except OSError as error:
        raise LogBusError(f"{path} cannot be written: {error.strerror}.") from None
    return notes(configuration)


def notes(configuration: dict[str, Any]) -> list[str]:
    """Returns advice for the user of a configuration, a sentence or two each."""
    advice = [
        "Start it with `./logbus start` in LogBus2's own folder; `./logbus progress` shows how far it is.",
        "Do not rename a file that has been uploaded: LogBus2 takes it for a new one and uploads it again.",
        "Leave LogBus2's runtime folder alone: it tracks how far each file has been read.",
        "Use an app id in one data source only.",
        "The receiver accepts records from three years ago to three days ahead; a run's days must lie within.",
    ]
    for source in configuration["datasource"]:
        advice += _notes_on(source)
    return advice


def _notes_on(source: dict[str, Any]) -> list[str]:
    advice: list[str] = []
    if "offset_remove" in source:
        advice.append(f"LogBus2 deletes uploaded files after {source['offset_remove']} days.")
    for pattern in source["file_patterns"]:
        folder, _, names = pattern.rpartition("/")
        compressed = sorted(path.name for path in Path(folder).glob(f"{names.removesuffix('.gz')}.gz"))
        if compressed:
            advice.append(
                f"LogBus2 skips compressed files: {len(compressed)} in {folder} ({compressed[0]}, ...) would not"
                " be uploaded. Unpack them, make the logs without compression, or upload them directly."
            )
        elif not any(Path(folder).glob(names)):
            advice.append(f"No file in {folder} matches {names} yet.")
    return advice
