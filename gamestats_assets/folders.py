"""Data folders, under names that every program accepts.

People name folders as they like: `my games`, `josé`, `100%`, `a#b`, `[1]`, even with a line break. Each program that
works in them trips over other characters: shell commands that start PostgreSQL, glob patterns, URLs of tables. One rule
serves them all: if a path is not plain, programs get a plain link to it.

Delta resolves links and turns a path into a URL. It accepts letters of every language, blanks and most signs. If it
cannot accept a folder, the lake is placed beside the folder, with a link to it inside.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9/._+-]+")
# Delta's URLs cannot contain other signs; `%41` would be read as `A`, and `a=b` as a column.
_FOR_DELTA = re.compile(r"(?:[\w/ .+'\"#&;$`,()!~-]|%(?![0-9A-Fa-f]{2}))+")


def own_folder(folder: Path) -> Path:
    """Resolves all links in a folder's path, and creates the folder for its owner alone if it is missing.

    If it cannot be created, the first write into it fails.
    """
    resolved = folder.expanduser().resolve()
    with suppress(OSError):
        resolved.mkdir(mode=0o700, parents=True, exist_ok=True)
    return resolved


def plainly_named(folder: Path) -> Path:
    """The folder itself if its path is plain, otherwise a link to it, created if missing.

    Raises:
        FileExistsError: if something else exists at the link's path.
    """
    return (
        folder if _PLAIN.fullmatch(str(folder)) else _link(_link_folder() / f"gamestats-{_path_hash(folder)}", folder)
    )


def lake_folder(data: Path) -> Path:
    """Path of a data folder's lake: inside the folder if Delta can open that, otherwise beside it.

    Raises:
        OSError: if the folder beside it, or the link to that folder, cannot be created.
    """
    lake = data / "lake"
    if _FOR_DELTA.fullmatch(str(data)):
        return lake
    near = next(parent for parent in data.parents if _FOR_DELTA.fullmatch(str(parent)))
    outside = near / f".gamestats-lake-{_path_hash(data)}"
    if data.is_dir():
        outside.mkdir(mode=0o700, exist_ok=True)
        if lake.is_symlink() and os.readlink(lake) != str(outside):
            # This is a copy of another data folder, whose lake must not be written to.
            lake.unlink()
        _link(lake, outside)
    return outside


def _path_hash(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def _link_folder() -> Path:
    return next(Path(place) for place in (tempfile.gettempdir(), "/tmp") if _PLAIN.fullmatch(place))


def _link(link: Path, folder: Path) -> Path:
    # Another process may create it at the same time.
    with suppress(FileExistsError):
        if not link.is_symlink():
            link.symlink_to(folder)
    # In a shared folder, another user may have been first.
    if not link.is_symlink() or os.readlink(link) != str(folder) or link.lstat().st_uid != os.geteuid():
        raise FileExistsError(errno.EEXIST, f"This must be a link to {folder}; move away what is there", str(link))
    return link
