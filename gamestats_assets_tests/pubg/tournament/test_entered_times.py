"""Times as people write them, and time zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.lakehouse.entries.local_times import LocalTimeError, format_local, instant, time_zone
from gamestats_assets_tests.pubg.tournament.entering import (
    BERLIN,
)

# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-10-03 18:00", datetime(2026, 10, 3, 16)),
        ("2026-10-03T18:00:30", datetime(2026, 10, 3, 16, 0, 30)),
        ("2026-12-03 18:00", datetime(2026, 12, 3, 17)),
        ("2026-10-03 18:00-05:00", datetime(2026, 10, 3, 23)),
        ("2026-10-03 18:00 +0200", datetime(2026, 10, 3, 16)),
        ("2026-10-03T18:00Z", datetime(2026, 10, 3, 18)),
        ("2026-03-29 01:59", datetime(2026, 3, 29, 0, 59)),
        ("2026-03-29 03:00", datetime(2026, 3, 29, 1)),
        ("2026-10-25 01:59", datetime(2026, 10, 24, 23, 59)),
        ("2026-10-25 03:00", datetime(2026, 10, 25, 2)),
        ("2026-10-25 02:30+02:00", datetime(2026, 10, 25, 0, 30)),
        ("2026-10-25 02:30+01:00", datetime(2026, 10, 25, 1, 30)),
    ],
)
def test_a_time_is_read_in_its_zone_or_with_its_offset(written: str, moment: datetime) -> None:
    assert instant(written, BERLIN) == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "zone", "message"),
    [
        ("2026-03-29 02:00", "Europe/Berlin", "2026-03-29 01:00+01:00 or 2026-03-29 03:00+02:00"),
        ("2026-03-29 02:59", "Europe/Berlin", "does not exist"),
        ("2026-10-25 02:00", "Europe/Berlin", "2026-10-25 02:00+02:00 for the first or 2026-10-25 02:00+01:00"),
        ("2026-10-25 02:59", "Europe/Berlin", "comes twice"),
        ("2026-11-01 01:30", "America/New_York", "2026-11-01 01:30-04:00 for the first or 2026-11-01 01:30-05:00"),
        # Half an hour only: 01:30 to 02:00 comes twice.
        ("2026-04-05 01:45", "Australia/Lord_Howe", "2026-04-05 01:45+11:00 for the first"),
    ],
)
def test_a_time_that_the_clocks_skip_or_show_twice_is_refused_with_what_to_write(
    written: str, zone: str, message: str
) -> None:
    with pytest.raises(LocalTimeError) as caught:
        instant(written, ZoneInfo(zone))
    assert message in str(caught.value)
    for advice in str(caught.value).split("write ")[1].rstrip(".").split(" or "):
        instant(advice.split(" for ")[0], ZoneInfo(zone))


@pytest.mark.parametrize(
    "written",
    ["", "18:00", "3.10.2026 18:00", "2026-10-03", "2026-02-30 18:00", "2026-10-03 24:30", "0001-01-01 00:00"],
)
def test_what_is_no_time_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(LocalTimeError, match="write it as 2026-10-03 18:00"):
        instant(written, BERLIN)


@given(
    moment=st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)).map(
        lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC)
    ),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo", "UTC"]).map(
        ZoneInfo
    ),
)
def test_a_local_time_names_its_moment_or_is_refused_where_another_moment_shows_it_too(
    moment: datetime, zone: ZoneInfo
) -> None:
    written = format_local(moment, zone)
    assert instant(written, zone) == moment
    shown = moment.astimezone(zone).replace(tzinfo=None)
    others = [moment + timedelta(minutes=minutes) for minutes in (-60, -30, 30, 60)]
    twice = any(other.astimezone(zone).replace(tzinfo=None) == shown for other in others)
    if twice:
        with pytest.raises(LocalTimeError, match="comes twice"):
            instant(written[:16], zone)
    else:
        assert instant(written[:16], zone) == moment


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("Berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("CEST", "write it as in Europe/Berlin"),
        ("../UTC", "is not a time zone"),
        ("europe/berlin", "did you mean Europe/Berlin"),
        ("Europe/Berlin2", "did you mean Europe/Berlin"),
        ("Europa/Berlin-1", "did you mean Europe/Berlin"),
    ],
)
def test_a_time_zone_that_is_none_is_refused_with_the_nearest(written: str, message: str) -> None:
    with pytest.raises(LocalTimeError) as caught:
        time_zone(written)
    assert message in str(caught.value)
