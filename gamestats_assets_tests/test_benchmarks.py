"""The benchmark runs and its figures are of what it did; how fast it is, is nobody's test."""

from __future__ import annotations

from gamestats_assets_tests.benchmarks.pubg import benchmark


def test_the_benchmark_makes_every_table_of_its_matches_and_tells_its_figures() -> None:
    told = benchmark(1, None, None)
    assert (told["success"], told["matches"], told["checks_failed"]) == (True, 1, [])
    assert told["checks_passed"] > told["tables"] > 20
    figures = ("matches_per_s", "events_per_s", "peak_rss_mb", "landing_bytes_per_match", "delta_bytes_per_match")
    assert all(told[name] > 0 for name in figures)
    assert set(told["stage_seconds"]) > {"pubg_raw", "pubg__match_summaries"}
