"""ThinkingData's wire format: the keys of a record and their limits, for all code that reads, checks or writes logs.

A log has one JSON object per line. Its root holds `#type`, `#time`, `#account_id`, `#distinct_id`, `#event_name`,
`#ip`, `#uuid`, `#event_id` and `#first_check_id`; everything else is in `properties`. `#time` is the user's local time
if the properties have a `#zone_offset` (in hours), otherwise UTC. A name that begins with # is a preset, such as
`#zone_offset`: it describes the record and is not a property of the user.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

TRACK_TYPES = ("track", "track_first", "track_update", "track_overwrite")
"""Values of `#type` for events."""
USER_TYPES = ("user_set", "user_setOnce", "user_add", "user_unset", "user_append", "user_uniq_append", "user_del")
"""Values of `#type` for changes of a user's properties."""
APPENDING_TYPES = frozenset(("user_append", "user_uniq_append"))
"""User types whose properties are lists."""
COMPANIONS = {
    "#event_name": frozenset(TRACK_TYPES),
    "#event_id": frozenset(("track_update", "track_overwrite")),
    "#first_check_id": frozenset(("track_first",)),
}
"""The types that require each root key."""

ID_CHARACTERS = 128
TEXT_BYTES = 2048
LIST_ITEMS = 500
LIST_ITEM_BYTES = 255
OBJECT_KEYS = 100
LARGEST_NUMBER = 9_000_000_000_000_000
MOST_EVENTS = 500
"""Most events of a project; `MOST_EVENT_PROPERTIES` and `MOST_USER_PROPERTIES` likewise."""
MOST_EVENT_PROPERTIES = 1000
MOST_USER_PROPERTIES = 500
ZONE_OFFSETS_H = (-12.0, 14.0)
"""The lowest and the highest `#zone_offset`."""

NAME = re.compile(r"[#a-zA-Z][a-zA-Z0-9_]{0,49}")
"""Matches the whole name of an event or property, or each part of a nested property's. Case is ignored."""


class Record(msgspec.Struct, gc=False):
    """A record as its line contains it; `type` is always present."""

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
        """Whether it is an event rather than a change of a user."""
        return self.type in COMPANIONS["#event_name"]


ROOT_KEYS = frozenset(field.encode_name for field in msgspec.structs.fields(Record))
"""The root keys; every other preset is a property."""


class ZoneOffset(msgspec.Struct, gc=False):
    """The time zone among the properties."""

    zone_offset: Any = msgspec.field(default=None, name="#zone_offset")


class Moment(msgspec.Struct, gc=False):
    """Only the time of a record, which decodes fast."""

    time: str = msgspec.field(default="", name="#time")
    properties: ZoneOffset | None = None

    @property
    def zone_offset(self) -> Any:
        """The time zone as sent."""
        return self.properties and self.properties.zone_offset


def zone_hours(offset: object) -> float | None:
    """Hours of a `#zone_offset`: 0 if there is none, None if it is invalid. A number may be sent as text."""
    if offset is None:
        return 0.0
    if isinstance(offset, bool) or not isinstance(offset, (int, float, str)):
        return None
    try:
        hours = float(offset)
    except (ValueError, OverflowError):
        return None
    return hours if ZONE_OFFSETS_H[0] <= hours <= ZONE_OFFSETS_H[1] else None
