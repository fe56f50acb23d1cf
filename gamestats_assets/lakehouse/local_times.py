"""Times as people write them: in a time zone with daylight saving, or with an offset.

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
    """A day, a time or a time zone cannot be read, or names no moment or two."""


def time_zone(name: str) -> ZoneInfo:
    """The time zone of a name such as Europe/Berlin.

    Raises:
        LocalTimeError: when there is none of that name; the message names the nearest.
    """
    known = available_timezones()
    if name in known and ("/" in name or name == "UTC"):
        return ZoneInfo(name)
    # Names are Area/City; what people write is often the city alone.
    cities = {zone.rsplit("/", 1)[-1].lower(): zone for zone in sorted(known, reverse=True) if "/" in zone}
    wanted = name.rsplit("/", 1)[-1].replace(" ", "_").lower()
    near = [cities[city] for city in difflib.get_close_matches(wanted, cities, n=2, cutoff=0.8)]
    advice = f"did you mean {' or '.join(near)}?" if near else "write it as in Europe/Berlin, or UTC."
    raise LocalTimeError(f"{name!r} is no time zone; {advice}")


def day(text: str) -> date:
    """A day written YYYY-MM-DD.

    Raises:
        LocalTimeError: when it is written otherwise, or does not exist.
    """
    try:
        return date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise LocalTimeError(f"{text!r} is no day; write it as 2026-10-03.") from None


def instant(text: str, zone: ZoneInfo) -> datetime:
    """The moment in UTC of a time written `2026-10-03 18:00`, in the zone or with an offset of its own.

    Raises:
        LocalTimeError: when it cannot be read; when the clocks skip it, or show it twice, as they
            are put forward or back. The message says what to write.
    """
    written = _WRITTEN.fullmatch(text)
    try:
        local = datetime.fromisoformat(f"{written[1]} {written[2]}") if written else None
        offset = datetime.fromisoformat(f"{written[1]} {written[2]}{written[3]}") if written and written[3] else None
    except ValueError:
        local = offset = None
    if local is None:
        raise LocalTimeError(f"{text!r} is no time; write it as 2026-10-03 18:00, or 2026-10-03 18:00+02:00.")
    if offset is not None:
        return offset.astimezone(UTC)
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    if first < second:
        choices = f"{written_local(first, zone)} for the first or {written_local(second, zone)} for the second"
        raise LocalTimeError(f"{text} comes twice in {zone.key}, as the clocks go back; write {choices}.")
    # Read with the offset before the change, a skipped time is the one the clocks show then.
    raise LocalTimeError(
        f"{text} does not exist in {zone.key}, as the clocks go forward over it; "
        f"write {written_local(second, zone)} or {written_local(first, zone)}."
    )


def written_local(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as its zone's clocks show it, with the offset.

    >>> written_local(datetime(2026, 10, 3, 16, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    '2026-10-03 18:00+02:00'
    """
    return moment.astimezone(zone).isoformat(sep=" ", timespec="minutes")
