"""The benchmark runs and its figures are of what it did; how fast it is, is nobody's test."""

from __future__ import annotations

from gamestats_assets_tests.benchmarks import publication
from gamestats_assets_tests.benchmarks.pubg import benchmark


def test_the_benchmark_makes_every_table_and_reports_figures() -> None:
    output = benchmark(1, None, None)
    assert (output["success"], output["matches"], output["checks_failed"]) == (True, 1, [])
    assert output["checks_passed"] > output["tables"] > 20
    figures = ("matches_per_s", "events_per_s", "peak_rss_mb", "landing_bytes_per_match", "delta_bytes_per_match")
    assert all(output[name] > 0 for name in figures)
    assert set(output["stage_seconds"]) > {"pubg_raw", "pubg__match_summaries"}


def test_the_benchmark_of_publication_tells_shares_of_a_bare_copy() -> None:
    output = publication.benchmark(rows=2_000, rounds=1, other_days=1)
    speeds = output["rows_per_s"]
    assert 1_900 < output["rows"] <= 2_000
    assert set(speeds) == {
        *("bare_copy", "bare_copy_in_key_order"),
        *("first_load", "replaced_day", "day_replaced_again"),
    }
    assert all(speed > 0 for speed in speeds.values())
    for way, share in output["share_of_bare_copy"].items():
        assert abs(share - speeds[way] / speeds["bare_copy"]) < 0.01
