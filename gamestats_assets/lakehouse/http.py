"""What HTTP answers say about when to ask again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that an answer asks to wait with Retry-After, in seconds or as a date; None where it asks nothing.

    Source: RFC 9110, section 10.2.3. Servers are met that send fractions of a second.

    Args:
        headers: of the answer; names in any case.
        now: unix time.
    """
    text = _told(headers, "Retry-After")
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]+)?", text):
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - server_time(headers, now), 0.0)
    except (ValueError, OverflowError):
        return None


def server_time(headers: Mapping[str, str], now: float) -> float:
    """Unix time on the server's own clock (Date) where it tells it: a local clock that is wrong is no matter."""
    try:
        return parsedate_to_datetime(_told(headers, "Date")).timestamp()
    except (ValueError, OverflowError):
        return now


def _told(headers: Mapping[str, str], name: str) -> str:
    return next((value.strip() for key, value in headers.items() if key.lower() == name.lower()), "")
