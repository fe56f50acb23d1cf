"""Times as people write them, in a time zone with daylight saving time or with an offset.

>>> berlin = time_zone("Europe/Berlin")
>>> instant("2026-10-03 18:00", berlin)
datetime.datetime(2026, 10, 3, 16, 0, tzinfo=datetime.timezone.utc)
>>> instant("2026-10-25 02:30+01:00", berlin)
datetime.datetime(2026, 10, 25, 1, 30, tzinfo=datetime.timezone.utc)
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, available_timezones

from gamestats_assets.lakehouse.errors import GamestatsError

_WRITTEN = re.compile(r"(2\d{3}-\d{2}-\d{2})[ T]+(\d{2}:\d{2}(?::\d{2})?) ?(Z|[+-]\d{2}:?\d{2})?")
_DAY = re.compile(r"2\d{3}-\d{2}-\d{2}")


class LocalTimeError(GamestatsError):
    """A day, a time or a time zone is invalid, or a local time is skipped or ambiguous."""


def time_zone(name: str) -> ZoneInfo:
    """The time zone with a name such as Europe/Berlin.

    Raises:
        LocalTimeError: if there is none of that name; the message suggests similar ones.
    """
    known = available_timezones()
    if name in known and ("/" in name or name == "UTC"):
        return ZoneInfo(name)
    # Names are Area/City; people often write only the city.
    cities = {zone.rsplit("/", 1)[-1].lower(): zone for zone in sorted(known, reverse=True) if "/" in zone}
    wanted = name.rsplit("/", 1)[-1].replace(" ", "_").lower()
    close = [cities[city] for city in difflib.get_close_matches(wanted, cities, n=2, cutoff=0.8)]
    advice = f"did you mean {' or '.join(close)}?" if close else "write it as in Europe/Berlin, or UTC."
    raise LocalTimeError(f"{name!r} is not a time zone; {advice}")


def day(text: str) -> date:
    """Parses a day written YYYY-MM-DD.

    Raises:
        LocalTimeError: if it is written otherwise or does not exist.
    """
    try:
        return date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise LocalTimeError(f"{text!r} is not a valid day; write it as 2026-10-03.") from None


def instant(text: str, zone: ZoneInfo) -> datetime:
    """Parses a time written `2026-10-03 18:00`, in the zone or with its own offset; returns it in UTC.

    Raises:
        LocalTimeError: if it is invalid, or if clocks skip it or show it twice when they change. The message says what
            to write.
    """
    match = _WRITTEN.fullmatch(text)
    try:
        local = datetime.fromisoformat(f"{match[1]} {match[2]}") if match else None
        offset = datetime.fromisoformat(f"{match[1]} {match[2]}{match[3]}") if match and match[3] else None
    except ValueError:
        local = offset = None
    if local is None:
        raise LocalTimeError(f"{text!r} is not a valid time; write it as 2026-10-03 18:00, or 2026-10-03 18:00+02:00.")
    if offset is not None:
        return offset.astimezone(UTC)
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    if first < second:
        choices = f"{format_local(first, zone)} for the first or {format_local(second, zone)} for the second"
        raise LocalTimeError(f"{text} comes twice in {zone.key}, as the clocks go back; write {choices}.")
    # Interpreted with the offset before the change, a skipped time becomes the one that clocks show then.
    raise LocalTimeError(
        f"{text} does not exist in {zone.key}, as the clocks go forward over it; "
        f"write {format_local(second, zone)} or {format_local(first, zone)}."
    )


def format_local(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as the zone's clocks show it, with the offset.

    >>> format_local(datetime(2026, 10, 3, 16, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    '2026-10-03 18:00+02:00'
    """
    return moment.astimezone(zone).isoformat(sep=" ", timespec="minutes")
