"""Runs started here share Dagster's instance, and a killed one does not keep its tables."""

from __future__ import annotations

from gamestats_assets.orchestration.instance import consecutive


def test_days_are_grouped_into_ranges_of_consecutive_ones_across_months() -> None:
    assert consecutive(["2026-03-01", "2026-02-28", "2026-03-03", "2026-03-01"]) == [
        ("2026-02-28", "2026-03-01"),
        ("2026-03-03", "2026-03-03"),
    ]


def test_no_days_are_no_ranges() -> None:
    assert consecutive([]) == []
