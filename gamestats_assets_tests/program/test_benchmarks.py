"""The benchmark runs and its figures are of what it did; how fast it is, is nobody's test."""

from __future__ import annotations

from gamestats_assets_tests.benchmarks import publication
from gamestats_assets_tests.benchmarks.pubg import benchmark


def test_the_benchmark_makes_every_table_and_reports_figures() -> None:
    told = benchmark(1, None, None)
    assert (told["success"], told["matches"], told["checks_failed"]) == (True, 1, [])
    assert told["checks_passed"] > told["tables"] > 20
    figures = ("matches_per_s", "events_per_s", "peak_rss_mb", "landing_bytes_per_match", "delta_bytes_per_match")
    assert all(told[name] > 0 for name in figures)
    assert set(told["stage_seconds"]) > {"pubg_raw", "pubg__match_summaries"}


def test_the_benchmark_of_publication_tells_shares_of_a_bare_copy() -> None:
    told = publication.benchmark(rows=2_000, rounds=1, other_days=1)
    speeds = told["rows_per_s"]
    assert 1_900 < told["rows"] <= 2_000
    assert set(speeds) == {
        *("bare_copy", "bare_copy_in_key_order"),
        *("first_load", "replaced_day", "day_replaced_again"),
    }
    assert all(speed > 0 for speed in speeds.values())
    for way, share in told["share_of_bare_copy"].items():
        assert abs(share - speeds[way] / speeds["bare_copy"]) < 0.01
