"""ThinkingData's wire format: the keys of a record and their limits, for all that read, check or write logs.

A log has one JSON object per line. Its root holds `#type`, `#time`, `#account_id`, `#distinct_id`, `#event_name`,
`#ip`, `#uuid`, `#event_id` and `#first_check_id`; everything else is in `properties`. `#time` is the user's local time
where `#zone_offset` (hours, in the properties) says so, else UTC. A name that begins with # is a preset: it describes
the record, such as `#zone_offset`, and in a record of a user it is no property of the user.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

TRACK_TYPES = ("track", "track_first", "track_update", "track_overwrite")
"""Values of `#type` for events."""
USER_TYPES = ("user_set", "user_setOnce", "user_add", "user_unset", "user_append", "user_uniq_append", "user_del")
"""Values of `#type` for what changes a user's properties."""
APPENDING_TYPES = frozenset(("user_append", "user_uniq_append"))
"""Those of them whose properties are lists."""
COMPANIONS = {
    "#event_name": frozenset(TRACK_TYPES),
    "#event_id": frozenset(("track_update", "track_overwrite")),
    "#first_check_id": frozenset(("track_first",)),
}
"""By root key, the types that need it."""

ID_CHARACTERS = 128
TEXT_BYTES = 2048
LIST_ITEMS = 500
LIST_ITEM_BYTES = 255
OBJECT_KEYS = 100
LARGEST_NUMBER = 9_000_000_000_000_000
MOST_EVENTS = 500
"""Kinds of events that a project can have; `MOST_EVENT_PROPERTIES` and `MOST_USER_PROPERTIES` likewise."""
MOST_EVENT_PROPERTIES = 1000
MOST_USER_PROPERTIES = 500
ZONE_OFFSETS_H = (-12.0, 14.0)
"""The lowest and the highest `#zone_offset`."""

NAME = re.compile(r"[#a-zA-Z][a-zA-Z0-9_]{0,49}")
"""Names of events and properties, as a whole; of a nested property, each part. Capitals make no difference."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a line raises that is no record."""


class Record(msgspec.Struct, gc=False):
    """A record as its line has it; `type` is always there."""

    type: str = msgspec.field(default="", name="#type")
    time: str = msgspec.field(default="", name="#time")
    account_id: str | None = msgspec.field(default=None, name="#account_id")
    distinct_id: str | None = msgspec.field(default=None, name="#distinct_id")
    event_name: str | None = msgspec.field(default=None, name="#event_name")
    ip: str | None = msgspec.field(default=None, name="#ip")
    uuid: str | None = msgspec.field(default=None, name="#uuid")
    event_id: str | None = msgspec.field(default=None, name="#event_id")
    first_check_id: str | None = msgspec.field(default=None, name="#first_check_id")
    properties: dict[str, Any] | None = None

    @property
    def is_event(self) -> bool:
        """Whether it is an event, not a change of a user."""
        return self.type in COMPANIONS["#event_name"]


ROOT_KEYS = frozenset(field.encode_name for field in msgspec.structs.fields(Record))
"""The keys at the root; every other preset is a property."""


class ZoneOffset(msgspec.Struct, gc=False):
    """Of properties, the time zone alone."""

    zone_offset: Any = msgspec.field(default=None, name="#zone_offset")


class Moment(msgspec.Struct, gc=False):
    """Of a record, its time alone, which is quickly decoded."""

    time: str = msgspec.field(default="", name="#time")
    properties: ZoneOffset | None = None

    @property
    def zone_offset(self) -> Any:
        """The time zone as it is sent."""
        return self.properties and self.properties.zone_offset


def zone_hours(offset: object) -> float | None:
    """Hours of a `#zone_offset`, 0 where there is none; None where it is invalid. A number may be sent as text."""
    if offset is None:
        return 0.0
    if isinstance(offset, bool) or not isinstance(offset, (int, float, str)):
        return None
    try:
        hours = float(offset)
    except (ValueError, OverflowError):
        return None
    return hours if ZONE_OFFSETS_H[0] <= hours <= ZONE_OFFSETS_H[1] else None
