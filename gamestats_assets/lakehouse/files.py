"""Files that are put in place whole or not at all, folders to be gone through, and texts made harmless."""

from __future__ import annotations

import itertools
import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def write_whole(path: Path, content: str | bytes | Path) -> None:
    """Write a file in place of what stands there: a reader sees the old content or the new, never a part.

    A path is that of a file whose content it is to have.

    Folders that it needs are made. What a killed process leaves behind has a hidden name that ends in `.tmp`.

    Raises:
        OSError: when the disk does not take it; what stood there still does.
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
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def sync_folder(folder: Path) -> None:
    """Have the disk keep which names stand in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def files_within(
    folder: Path, *, without: Path | None = None, unreadable: Callable[[OSError], object] | None = None
) -> tuple[list[Path], list[Path]]:
    """The files of a folder and of those in it, in order; and apart the links that lead out of it.

    Nobody follows these: who may put a file into a folder must not choose what else of the disk is read.

    Args:
        without: a folder that is left out.
        unreadable: called with the error of a folder that cannot be listed; without it such a folder has no files.
    """
    inside = folder.resolve()
    files: list[Path] = []
    leading_out: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=unreadable):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if _leads_to(Path(parent) / name) != without)
        for name in sorted([*names, *links]):
            path = Path(parent) / name
            if path.is_symlink() and not _leads_to(path).is_relative_to(inside):
                leading_out.append(path)
            elif path.is_file():
                files.append(path)
    return files, leading_out


def _leads_to(path: Path) -> Path:
    """Where a path leads in the end; of links that lead to each other, nowhere within any folder."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return Path(os.devnull)


# Of the control characters the first 32 and the last have pictures. Surrogates are bytes of a name that is no UTF-8;
# what changes the direction of writing can make a name look like another.
_SHOWN = {number: 0x2400 + number for number in range(32)} | {0x7F: 0x2421}
_OTHERS = (range(0x80, 0xA0), range(0xD800, 0xE000), range(0x2028, 0x202F), range(0x2066, 0x206A))
_SHOWN |= dict.fromkeys(itertools.chain(*_OTHERS), 0xFFFD)
_SHOWN_IN_TEXT = {number: picture for number, picture in _SHOWN.items() if chr(number) not in "\n\t"}


def shown(name: str) -> str:
    """A name on one line, as any terminal, table and file can hold it.

    >>> shown("a\\x1b[2Jb")
    'a␛[2Jb'
    """
    return name.translate(_SHOWN)


def shown_text(text: str) -> str:
    """As `shown`, of a text that may have several lines."""
    return text.translate(_SHOWN_IN_TEXT)


_FORMULA = r"^[=+\-@\t\r]"


def without_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame whose texts no spreadsheet takes for formulas: those that begin as one get a ' before them."""
    import polars as pl

    return frame.with_columns(pl.col(pl.String).str.replace(_FORMULA, "'${0}"))


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula.

    >>> harmless("=cmd|' /C calc'!A0"), harmless("a=b")
    ("'=cmd|' /C calc'!A0", 'a=b')
    """
    return f"'{text}" if re.match(_FORMULA, text) else text
