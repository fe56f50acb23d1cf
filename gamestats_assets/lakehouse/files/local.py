"""Writes files whole or not at all, walks folders, and makes texts harmless."""

from __future__ import annotations

import itertools
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@contextmanager
def temporary_file(path: Path, content: str | bytes | Path) -> Iterator[Path]:
    """Writes content (or a copy of a file) durably beside a path, under a hidden name that is removed at the end.

    Creates missing folders. A killed process leaves behind a file whose name ends in `.tmp`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            if isinstance(content, Path):
                with open(content, "rb") as read:
                    shutil.copyfileobj(read, file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_whole(path: Path, content: str | bytes | Path) -> None:
    """Replaces a file by content or a copy of a file: a reader sees the old content or the new, never a part.

    Raises:
        OSError: if the disk does not accept it; the old file is unchanged.
    """
    with temporary_file(path, content) as temporary:
        temporary.replace(path)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def files_within(
    folder: Path, *, without: Path | None = None, unreadable: Callable[[OSError], object] | None = None
) -> tuple[list[Path], list[Path]]:
    """The files in a folder and its subfolders, in order, and separately the links that lead out of it.

    These links are not followed: users who may put a file into a folder must not choose other files on the disk.

    Args:
        folder: the folder.
        without: a subfolder to leave out.
        unreadable: called with the error of a folder that cannot be listed; by default such a folder counts as empty.
    """
    inside = folder.resolve()
    files: list[Path] = []
    outward_links: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=unreadable):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if _target_of(Path(parent) / name) != without)
        for name in sorted([*names, *links]):
            path = Path(parent) / name
            if path.is_symlink() and not _target_of(path).is_relative_to(inside):
                outward_links.append(path)
            elif path.is_file():
                files.append(path)
    return files, outward_links


def _target_of(path: Path) -> Path:
    """The final target of a path; for circular links, a path outside any folder."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return Path(os.devnull)


# Unicode has pictures for the first 32 control characters and for DEL. Surrogates are bytes of a name that is not
# UTF-8; characters that change the writing direction can make a name look like another.
_SHOWN = {number: 0x2400 + number for number in range(32)} | {0x7F: 0x2421}
_UNSAFE = (range(0x80, 0xA0), range(0xD800, 0xE000), range(0x2028, 0x202F), range(0x2066, 0x206A))
_SHOWN |= dict.fromkeys(itertools.chain(*_UNSAFE), 0xFFFD)
_SHOWN_IN_TEXT = {number: picture for number, picture in _SHOWN.items() if chr(number) not in "\n\t"}


def shown(name: str) -> str:
    """A name on one line that is safe in any terminal, table or file.

    >>> shown("a\\x1b[2Jb")
    'a␛[2Jb'
    """
    return name.translate(_SHOWN)


def shown_text(text: str) -> str:
    """As `shown`, for a text that may have several lines."""
    return text.translate(_SHOWN_IN_TEXT)


_FORMULA = r"^[=+\-@\t\r]"


def without_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Prefixes texts with ' where a spreadsheet would take them for formulas."""
    import polars as pl

    return frame.with_columns(pl.col(pl.String).str.replace(_FORMULA, "'${0}"))


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula.

    >>> harmless("=cmd|' /C calc'!A0"), harmless("a=b")
    ("'=cmd|' /C calc'!A0", 'a=b')
    """
    return f"'{text}" if re.match(_FORMULA, text) else text
