"""JSON texts: what is none, and what PostgreSQL can store."""

from __future__ import annotations

import re

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Errors of decoding what is no JSON text, not of the expected shape, or nested too deeply."""

# After an unescaped backslash, it is another text.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def without_nul(content: bytes) -> bytes:
    r"""Replaces U+0000 in a document's texts, which PostgreSQL cannot store, by U+FFFD.

    >>> without_nul(rb'{"name": "a\u0000b", "path": "c:\\u0000"}')
    b'{"name": "a\\ufffdb", "path": "c:\\\\u0000"}'
    """
    # The plain search is much faster, and enough for nearly every document.
    return _NUL.sub(rb"\1\\ufffd", content) if b"\\u0000" in content else content
