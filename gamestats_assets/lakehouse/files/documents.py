"""JSON documents: errors of unreadable ones, integers that fit into columns, and texts that PostgreSQL can store."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Errors of decoding invalid JSON, unexpected shapes, or too deep nesting."""

LAST_MILLIS = 9_214_646_400_000
"""The end of the year 2261 in unix milliseconds, the last time that every component can store in microseconds."""
LAST_YEAR = 2261
"""The same limit for times that are not written as numbers."""

Int16: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**15), le=2**15 - 1)]
Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Millis: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LAST_MILLIS)]
"""Unix milliseconds."""

# After an unescaped backslash, it is another text.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def without_nul(content: bytes) -> bytes:
    r"""Replaces U+0000 in a document's texts, which PostgreSQL cannot store, by U+FFFD.

    >>> without_nul(rb'{"name": "a\u0000b", "path": "c:\\u0000"}')
    b'{"name": "a\\ufffdb", "path": "c:\\\\u0000"}'
    """
    # The plain search is much faster, and enough for nearly every document.
    return _NUL.sub(rb"\1\\ufffd", content) if b"\\u0000" in content else content
