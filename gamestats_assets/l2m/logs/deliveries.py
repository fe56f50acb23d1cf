"""What a studio delivers of a log: the document that lands with the files, and which delivery counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from gamestats_assets.l2m.logs.columns import COLUMNS
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.quality import Rejection

Format = Literal["parquet", "csv", "jsonl"]
FILE, DELIVERY, THINKINGDATA = "log", "delivery", "thinkingdata"
"""Kinds of landed files: a raw file, the document of a delivery, a day's lines of ThinkingData records."""


class DeliveredFile(msgspec.Struct, frozen=True):
    """A file of a delivery.

    Attributes:
        hash: of its content; it names the landed file.
        name: what it was called where it came from.
        format: how it is to be read.
    """

    hash: str
    name: str
    format: Format


class Delivery(msgspec.Struct, frozen=True):
    """What was delivered of one log of a day: the document that lands with the files.

    Attributes:
        number: of several deliveries of the log the one with the highest number counts.
        files: in their order.
        columns: our column's name to that of the files, where it is another.
        refused: why it could not be taken. It has the files of the one before then, and stops the day until the log is
            delivered again.
    """

    log: str
    day: str
    number: Annotated[int, msgspec.Meta(ge=1)]
    files: tuple[DeliveredFile, ...]
    columns: dict[str, str] = {}
    refused: str = ""

    def says_as(self, other: Delivery) -> bool:
        """Whether both deliver the same: the same contents, read in the same way, whatever they are called."""
        found, others = ({(file.hash, file.format) for file in each.files} for each in (self, other))
        return found == others and self.columns == other.columns and self.refused == other.refused

    def to_json(self) -> bytes:
        """The document."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1)

    @classmethod
    def from_json(cls, content: bytes) -> Delivery:
        """A document.

        Raises:
            ValueError: when it is none.
        """
        found = msgspec.json.decode(content, type=cls)
        if found.log not in COLUMNS:
            raise ValueError(f"there is no log {found.log!r}")
        return found


def in_force(landing: Landing, files: Sequence[LandedFile]) -> tuple[dict[str, Delivery], list[Rejection]]:
    """By log, the delivery of a day that counts: the one with the highest number, of equals that of the greatest hash.

    Documents that nobody can read are rejections.
    """
    found: dict[str, tuple[int, str, Delivery]] = {}
    unreadable: list[Rejection] = []
    for file in files:
        if file.kind != DELIVERY:
            continue
        try:
            delivery = Delivery.from_json(landing.read(file))
        except (ValueError, RecursionError) as error:
            unreadable.append(
                Rejection(_name(file), "file", "unreadable_delivery", f"Expected a delivery's document: {error}.", 0)
            )
            continue
        ranked = (delivery.number, file.content_hash, delivery)
        if delivery.log not in found or ranked[:2] > found[delivery.log][:2]:
            found[delivery.log] = ranked
    return {log: delivery for log, (_, _, delivery) in found.items()}, unreadable


def _name(file: LandedFile) -> str:
    return file.path.rsplit("/", 1)[-1]
