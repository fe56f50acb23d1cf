"""What a person sees in the Dagster UI, in a real browser.

With GAMESTATS_PICTURES set to a folder, the pages are also kept there as pictures.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from deltalake import write_deltalake
from playwright.sync_api import Page, expect, sync_playwright

from gamestats_assets.lakehouse.embedded_postgres import stop_embedded
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.simulate import simulate_day
from gamestats_assets.pubg.source import ingest
from gamestats_assets.settings import Settings
from gamestats_assets_tests.test_cli import Gamestats

DAY = "2026-03-14"
_PATIENCE_MS = 60_000
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

pytestmark = pytest.mark.skipif(_CHROMIUM is None, reason="no Chromium on this machine; install Debian's `chromium`")


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A day of two small matches, published; then a row doubled in the lake, and its table made once more."""
    folder = Path(tempfile.mkdtemp(prefix="gamestats-ui-"))
    stores = Stores(Settings(data=str(folder)))
    try:
        simulate_day(folder / "raw", date.fromisoformat(DAY), 2, seed=3, players=16)
        ingest([folder / "raw"], stores.landing)
        gamestats = Gamestats(folder)
        first = gamestats(
            "materialize", "--select", "+postgres.pubg.match_summaries", "--select", "+postgres.pubg.matches"
        )
        assert first.exit_code == 0, first.output
        doubled = stores.lake.scan(t.Matches).head(1).collect()
        write_deltalake(stores.lake.uri(t.Matches), doubled, mode="append")
        second = gamestats("materialize", "--select", "pubg.matches+", "--partition", DAY)
        assert second.exit_code == 1
        assert "declared_rules" in second.output
        yield folder
    finally:
        stop_embedded(stores.settings)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def address(data: Path) -> Iterator[str]:
    """The UI of `gamestats up`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    up = subprocess.Popen(
        [sys.executable, "-m", "gamestats_assets.cli", "up", "--port", str(port)],
        env={**os.environ, "GAMESTATS_DATA": str(data), "GAMESTATS_WORKERS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert up.stdout is not None
        told = [up.stdout.readline()]
        while up.poll() is None and "gamestats is up" not in told[-1]:
            told.append(up.stdout.readline())
        assert up.poll() is None, "".join(told)
        yield f"http://127.0.0.1:{port}"
    finally:
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 0


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_QUIET)
        page = browser.new_page(viewport={"width": 1500, "height": 950}, base_url=address)
        page.set_default_timeout(_PATIENCE_MS)
        yield page
        browser.close()


def keep(page: Page, name: str) -> None:
    """Keep a picture of the page where the environment asks for it."""
    folder = os.environ.get("GAMESTATS_PICTURES")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(3000)
        page.screenshot(path=str(Path(folder, f"{name}.png")))


def test_a_failed_blocking_check_is_shown_and_nothing_was_published_after_it(page: Page, data: Path) -> None:
    page.goto("/assets/pubg/matches?view=checks")
    page.get_by_text("declared_rules").first.click()
    expect(page.get_by_text("This is a blocking asset check").first).to_be_visible(timeout=_PATIENCE_MS)
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible(timeout=_PATIENCE_MS)
    expect(page.get_by_text("doubled").first).to_be_visible(timeout=_PATIENCE_MS)
    keep(page, "failed_check")
    answer = Gamestats(data).answer("select count(*) as matches from pubg.matches", "--on", "postgres")
    assert answer == [{"matches": 2}]


def test_a_table_shows_description_columns_rows_and_freshness(page: Page) -> None:
    page.goto("/assets/pubg/match_summaries")
    expect(page.get_by_text("One person's result in one match").first).to_be_visible(timeout=_PATIENCE_MS)
    expect(page.get_by_text("killsteals").first).to_be_visible(timeout=_PATIENCE_MS)
    expect(page.get_by_text("primary key").first).to_be_visible(timeout=_PATIENCE_MS)
    expect(page.get_by_text("Freshness policy").first).to_be_visible(timeout=_PATIENCE_MS)
    keep(page, "table")


def test_the_run_that_failed_names_the_step(page: Page) -> None:
    page.goto("/runs")
    expect(page.get_by_text("Failure").first).to_be_visible(timeout=_PATIENCE_MS)
    keep(page, "runs")


def test_the_graph_goes_from_telemetry_to_postgres(page: Page) -> None:
    page.goto("/assets/postgres/pubg/match_summaries?view=lineage&lineageScope=upstream&lineageDepth=4")
    for name in ("telemetry_kills", "weapon_kills", "match_summaries"):
        expect(page.get_by_text(name).first).to_be_visible(timeout=_PATIENCE_MS)
    keep(page, "graph")


def test_sensors_and_schedules_run_by_themselves(page: Page) -> None:
    page.goto("/automation")
    for name in ("new_pubg_matches", "pubg_behind", "lake_maintenance_daily"):
        expect(page.get_by_text(name).first).to_be_visible(timeout=_PATIENCE_MS)
    switches = page.get_by_role("checkbox", checked=True)
    expect(switches.first).to_be_attached(timeout=_PATIENCE_MS)


def test_every_asset_is_described() -> None:
    from gamestats_assets.definitions import build_defs

    for spec in build_defs().resolve_all_asset_specs():
        assert spec.description, spec.key
        assert isinstance(spec.key, dg.AssetKey)
