"""Folders that hold the data, under names that every program takes.

People name folders as they like: `my games`, `josé`, `100%`, `a#b`, `[1]`, even with a line break. The programs that
work in them each trip over other letters: shell commands that start PostgreSQL, patterns of files, URLs of tables. One
rule serves them all: where a path is not plain, programs are given a link to it that is.

Delta looks through links and turns a path into a URL. It takes letters of every language, blanks and most signs; of a
folder that it cannot take, the lake stands beside it, and a link in the folder leads there.
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
# Delta's URLs have no place for other signs; `%41` would be read as `A`, and `a=b` as a column.
_FOR_DELTA = re.compile(r"(?:[\w/ .+'\"#&;$`,()!~-]|%(?![0-9A-Fa-f]{2}))+")


def own_folder(folder: Path) -> Path:
    """A folder with all links in its path followed; made for its owner alone where there is none.

    One that cannot be made is told of by whoever writes in it.
    """
    resolved = folder.expanduser().resolve()
    with suppress(OSError):
        resolved.mkdir(mode=0o700, parents=True, exist_ok=True)
    return resolved


def plainly_named(folder: Path) -> Path:
    """The folder itself where its path is plain, else a link to it, made when missing.

    Raises:
        FileExistsError: when something else stands where the link is to be.
    """
    return folder if _PLAIN.fullmatch(str(folder)) else _link(_for_links() / f"gamestats-{_named(folder)}", folder)


def lake_folder(data: Path) -> Path:
    """Where the lake of a data folder stands: in it where Delta can open that, else beside it.

    Raises:
        OSError: when the folder beside it, or the link that leads there, cannot be made.
    """
    lake = data / "lake"
    if _FOR_DELTA.fullmatch(str(data)):
        return lake
    near = next(parent for parent in data.parents if _FOR_DELTA.fullmatch(str(parent)))
    beside = near / f".gamestats-lake-{_named(data)}"
    if data.is_dir():
        beside.mkdir(mode=0o700, exist_ok=True)
        if lake.is_symlink() and os.readlink(lake) != str(beside):
            # A copy of another data folder: what is in that one's lake is not to be written.
            lake.unlink()
        _link(lake, beside)
    return beside


def _named(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def _for_links() -> Path:
    return next(Path(place) for place in (tempfile.gettempdir(), "/tmp") if _PLAIN.fullmatch(place))


def _link(link: Path, folder: Path) -> Path:
    # Two processes may make it at once.
    with suppress(FileExistsError):
        if not link.is_symlink():
            link.symlink_to(folder)
    # In a folder for everybody somebody else may have been first.
    if not link.is_symlink() or os.readlink(link) != str(folder) or link.lstat().st_uid != os.geteuid():
        raise FileExistsError(errno.EEXIST, f"This is to be a link to {folder}; move away what stands there", str(link))
    return link
