"""Rocket League's files for tests: where the real ones are, and what their headers say."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets_tests.rocket_league.support.real_files import COME_AND_GO, DROPSHOT, DUEL, LAN, PAIRS, TOURNAMENT

REPLAYS = tuple(f"{name}.replay" for name in (*PAIRS, DUEL, LAN, COME_AND_GO, TOURNAMENT, DROPSHOT))
"""Every replay that is sound."""


def real_folder() -> Path:
    """The folder of real files, as the fixture `realdata` finds it; it may not be there."""
    default = Path(__file__).resolve().parents[4] / "shared" / "realdata"
    return Path(os.environ.get("GAMESTATS_REALDATA", default))


def landed(landing: Landing) -> list[LandedFile]:
    """Every file that has landed with a match."""
    return [file for day in landing.days(GAME) for file in landing.files(GAME, day)]


# ---------------------------------------------------------------- headers, read plainly


class _Bytes:
    def __init__(self, content: bytes, at: int) -> None:
        self.content, self.at = content, at

    def take(self, form: str) -> Any:
        (value,) = struct.unpack_from(f"<{form}", self.content, self.at)
        self.at += struct.calcsize(f"<{form}")
        return value

    def text(self) -> str:
        length = self.take("i")
        size, encoding = (length, "windows-1252") if length >= 0 else (-2 * length, "utf-16-le")
        found = self.content[self.at : self.at + size].decode(encoding, errors="replace")
        self.at += size
        return found.rstrip("\0")

    def properties(self) -> dict[str, Any]:
        return dict(iter(self._property, ("None", None)))

    def _property(self) -> tuple[str, Any]:
        name = self.text()
        if name == "None":
            return name, None
        kind, size = self.text(), self.take("Q")
        if kind == "ArrayProperty":
            return name, [self.properties() for _ in range(self.take("I"))]
        if kind == "StructProperty":
            # Ids of accounts; the same stands in other properties.
            self.text()
            self.at += size
            return name, None
        if kind == "ByteProperty":
            what = self.text()
            return name, what if what.startswith("OnlinePlatform_") else self.text()
        if kind in ("StrProperty", "NameProperty"):
            return name, self.text()
        return name, self.take(
            {"IntProperty": "i", "FloatProperty": "f", "QWordProperty": "Q", "BoolProperty": "B"}[kind]
        )


def header_of(content: bytes) -> dict[str, Any]:
    """The properties in a replay's header, read byte by byte; `net_version` too."""
    data = _Bytes(content, 8)
    major, minor = data.take("I"), data.take("I")
    net_version = data.take("I") if (major, minor) >= (868, 18) else None
    data.text()
    return data.properties() | {"net_version": net_version}
