"""Deliveries of a studio's logs: the document that lands with the files, and the delivery that counts."""

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
        hash: hash of its content, which names the landed file.
        name: name at its origin.
        format: format of the content.
    """

    hash: str
    name: str
    format: Format


class Delivery(msgspec.Struct, frozen=True):
    """A delivery of one log of a day: the document that lands with the files.

    Attributes:
        number: of several deliveries of the log, the one with the highest number counts.
        files: files in order.
        columns: from the name here to the name in the files, if it differs.
        refused: why it could not be taken. Then it has the files of the previous delivery, and stops the day until the
            log is delivered again.
    """

    log: str
    day: str
    number: Annotated[int, msgspec.Meta(ge=1)]
    files: tuple[DeliveredFile, ...]
    columns: dict[str, str] = {}
    refused: str = ""

    def says_as(self, other: Delivery) -> bool:
        """Whether both deliver the same contents, read in the same way, whatever the files' names."""
        found, others = ({(file.hash, file.format) for file in each.files} for each in (self, other))
        return found == others and self.columns == other.columns and self.refused == other.refused

    def to_json(self) -> bytes:
        """Returns the document."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1)

    @classmethod
    def from_json(cls, content: bytes) -> Delivery:
        """Reads a document.

        Raises:
            ValueError: when it is not a valid one.
        """
        found = msgspec.json.decode(content, type=cls)
        if found.log not in COLUMNS:
            raise ValueError(f"there is no log {found.log!r}")
        return found


def in_force(landing: Landing, files: Sequence[LandedFile]) -> tuple[dict[str, Delivery], list[Rejection]]:
    """Returns by log the delivery of a day that counts: that with the highest number, among equals the greatest hash.

    Unreadable documents become rejections.
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
