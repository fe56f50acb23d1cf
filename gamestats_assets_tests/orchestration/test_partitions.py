"""Partitions by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from gamestats_assets.orchestration.partitions import days_from


@pytest.mark.parametrize("days_ago", [3500, 1, 0])
def test_days_are_those_from_the_first_to_today_as_dagster_lists_them(days_ago: int) -> None:
    today = datetime.now(UTC).date()
    first: date = today - timedelta(days=days_ago)
    listed = days_from(first).get_partition_keys()
    assert listed == dg.DailyPartitionsDefinition(str(first), timezone="UTC", end_offset=1).get_partition_keys()
    assert listed == [str(first + timedelta(days=number)) for number in range(days_ago + 1)]
