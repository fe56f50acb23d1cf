"""The report: what stands in it, and that a browser shows it without errors and without a network.

With GAMESTATS_PICTURES set to a folder, it is also kept there as pictures.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from gamestats_assets.demo_data.findings.deviations import Deviation, Deviations
from gamestats_assets.demo_data.findings.measure import measure
from gamestats_assets.demo_data.findings.measured import Measured
from gamestats_assets.demo_data.findings.report import figures, write_report
from gamestats_assets.demo_data.findings.truths import verify
from gamestats_assets.demo_data.rules.configuration import Configuration, Dirt, RetentionTruth, SeasonalityTruth
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets_tests.demo_data.findings.planted_logs import (
    CURVE,
    DAYS,
    RATES,
    RULES,
    START,
    TAXONOMY,
    WEEKDAY,
    planted_stall,
    write_soiled,
)
from gamestats_assets_tests.support.browsers import Shown, chromium, keep

CONFIGURATION = Configuration(
    product=ProductInfo(name="Stall </script><b>& more</b>", industry="ecommerce"),
    users=300,
    days=DAYS,
    start=START,
    truths=[RetentionTruth(curve={**CURVE, DAYS - 1: 0.1}), SeasonalityTruth(weekday=WEEKDAY)],
    dirt=Dirt(**{**RATES, "late": 0.2}),
)
GENERATED = {
    "taxonomy": "stall", "rules_by": "cache (analyst)", "segments": {"new_user": 100, "power_user": 200},
    "seconds": 2.0, "files": 17,
}  # fmt: skip
BEFORE = Deviations([Deviation("mean", "price", "", 20, 26, 0.06)], 0.06)
AFTER = Deviations([Deviation("mean", "price", "", 20, 21, 0.01)], 0.01)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("logs")
    write_soiled(folder, planted_stall(seed=2, users=300), seed=3)
    return measure(folder, TAXONOMY, RULES, CONFIGURATION)


@pytest.fixture(scope="module")
def report(measured: Measured, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "new" / "report.html"
    write_report(path, measured, verify(measured, CONFIGURATION), GENERATED, BEFORE, AFTER)
    return path


def text(path: Path) -> str:
    """The page without its scripts."""
    return re.sub(r"(?s)<script.*?</script>", "", path.read_text())


def test_the_report_has_every_section_and_names_the_product_safely(report: Path, measured: Measured) -> None:
    page = text(report)
    for section in ("tiles", "pictures", "truths", "dirt", "refine"):
        assert f'<section class="tiles" id="{section}"' in page or f'<section id="{section}"' in page
    assert "Stall &lt;/script&gt;&lt;b&gt;&amp; more&lt;/b&gt;" in page
    assert "<b>& more" not in page
    assert "Rules made by: cache (analyst)" in page
    assert f"{measured.records:,}" in page
    assert [path.name for path in report.parent.iterdir()] == ["report.html"]


def test_every_verdict_stands_in_the_tables(report: Path, measured: Measured) -> None:
    verdicts = verify(measured, CONFIGURATION)
    rows = re.findall(r"(?s)<tr>.*?</tr>", text(report))
    (last,) = [row for row in rows if f"day {DAYS - 1} after" in row]
    assert "undecided" in last
    (late,) = [row for row in rows if "In the file of a later day" in row]
    assert "missed" in late
    assert "20.0 %" in late
    judged = [verdict for verdict in verdicts if verdict.holds is not None]
    right = sum(bool(verdict.holds) for verdict in judged)
    assert f"{right} of {len(judged)}" in text(report)
    assert text(report).count("✓ found") == right


def test_the_distance_is_reported_before_and_after(report: Path, measured: Measured, tmp_path: Path) -> None:
    assert all(words in text(report) for words in ("0.0600", "0.0100", "✓ nearer", "The mean of price should be 20"))
    write_report(tmp_path / "plain.html", measured, [], {})
    plain = text(tmp_path / "plain.html")
    assert 'id="refine"' not in plain
    assert "Rules made by: unknown" in plain
    assert "None was planted" in plain


def test_pictures_are_what_was_measured_with_titles_and_units(measured: Measured) -> None:
    from plotly import graph_objects as go

    found = {figure["id"]: figure for figure in figures(measured, GENERATED)}
    assert list(found) == [
        "days",
        "retention",
        "hours",
        "sessions",
        "segments",
        "countries",
        "funnel-purchase",
        "events",
    ]
    for figure in found.values():
        drawn = json.loads(json.dumps(figure).replace('"--series-1"', '"red"').replace('"--series-2"', '"blue"'))
        go.Figure({"data": drawn["data"], "layout": drawn["layout"]})  # raises where Plotly knows no such thing
        assert figure["title"]
        assert figure["layout"]["xaxis"]["title"]["text"]
    assert found["hours"]["data"][0]["y"] == measured.events_by_hour
    assert sum(found["sessions"]["data"][0]["y"]) == measured.session_s.n
    assert [a + b for a, b in zip(*(bars["y"] for bars in found["days"]["data"]), strict=True)] == measured.active_users
    shares, planted = found["retention"]["data"]
    users, active = measured.retained[1]
    assert (shares["x"][0], shares["y"][0]) == (1, 100 * active / users)
    # 50 * 2 ** (log(.35 / .5) / log(3))
    assert dict(zip(planted["x"], planted["y"], strict=True))[2] == pytest.approx(
        39.92, abs=0.01
    )  # 50 * 2 ** (log(.35 / .5) / log(3))
    assert found["funnel-purchase"]["data"][0]["x"] == list(measured.funnels[0].reached)
    assert "Share of users (%)" in found["retention"]["layout"]["yaxis"]["title"]["text"]


def test_retention_is_of_everybody_where_nothing_tells_who_signed_up(measured: Measured) -> None:
    nobody = dataclasses.replace(measured, sign_ups=[0] * len(measured.sign_ups))
    found = next(f for f in figures(nobody, GENERATED) if f["id"] == "retention")
    users, active = measured.seen_again[1]
    assert users > measured.retained[1][0]
    assert found["data"][0]["y"][0] == pytest.approx(100 * active / users)
    assert "all users" in found["note"]


def test_a_run_without_anybody_has_a_report(tmp_path: Path, measured: Measured) -> None:
    (tmp_path / "logs_20260101.jsonl").write_text("")
    nobody = measure(tmp_path, TAXONOMY, RULES, CONFIGURATION)
    write_report(tmp_path / "report.html", nobody, verify(nobody, CONFIGURATION), {})
    assert "0 of 0" in text(tmp_path / "report.html")
    assert dataclasses.asdict(nobody)["users"] == 0


# --------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def shown(report: Path) -> Iterator[Shown]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        found = Shown(page)
        page.goto(report.as_uri())
        yield found


def test_a_browser_shows_every_picture_and_asks_nobody_for_anything(shown: Shown, report: Path) -> None:
    page = shown.page
    expect(page.locator("html[data-drawn='8']")).to_have_count(1)
    assert page.locator(".picture:has(.main-svg)").count() == 8
    assert page.locator("h1").inner_text() == "Stall </script><b>& more</b>"
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    keep(page, "demo_data_report_wide")
    assert shown.troubles == []
    assert shown.asked == [report.as_uri()]
