"""What a person sees in the Dagster UI, in a real browser.

With GAMESTATS_PICTURES set to a folder, the pages are also kept there as pictures.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import httpx
import pytest
from playwright.sync_api import Page, expect

from gamestats_assets.cli.services.addresses import answers
from gamestats_assets.definitions import build_defs
from gamestats_assets.l2m.source import deliver
from gamestats_assets.lakehouse.postgres.embedded import stop_embedded
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.runs.dagster_home import dagster_environment
from gamestats_assets.settings import Settings, shipped
from gamestats_assets.simulators.l2m.logs import Plan
from gamestats_assets_tests.cli.runner import Gamestats
from gamestats_assets_tests.l2m.lake import simulated
from gamestats_assets_tests.serving.test_dagster import asked_by
from gamestats_assets_tests.support.browsers import chromium, keep

_PATIENCE_MS = 180_000


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A table that is made and published, and a day of an MMO whose rates have not come."""
    folder = Path(tempfile.mkdtemp(prefix="gamestats-ui-"))
    stores = Stores(Settings(data=str(folder)))
    try:
        gamestats = Gamestats(folder)
        first = gamestats("materialize", "--select", "+postgres.rocket_league.training_packs")
        assert first.exit_code == 0, first.output
        simulated(Plan(accounts=140, days=1, servers=2, guilds=3, actions=3.0), folder / "logs")
        (ds,) = (path.name for path in (folder / "logs").iterdir())
        (folder / "logs" / ds / "exchange_rates.csv").unlink()
        deliver([folder / "logs" / ds], stores.landing, day=date.fromisoformat(ds))
        second = gamestats("materialize", "--select", "l2m.etl_recharge", "--select", "l2m.recharge")
        assert second.exit_code == 1
        assert "every_payment_has_a_rate" in second.output
        yield folder
    finally:
        stop_embedded(stores.settings)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def client(data: Path) -> Iterator[httpx.Client]:
    """An admin's client of what serves, before a webserver; without the daemon, whose sensors would go on with what is
    behind.
    """
    stores = Stores(Settings(data=str(data)))
    place = data / "webserver"
    serve = "from gamestats_assets.orchestration.runs.long_running import listen_on_sockets; listen_on_sockets(); "
    webserver = [sys.executable, "-c", f"{serve}from dagster_webserver.cli import main; main()"]
    where = ["-h", str(place), "-p", "80", "-l", "/dagster", "-w", str(shipped("workspace.yaml"))]
    server = subprocess.Popen(
        [*webserver, *where],
        env={**os.environ, **dagster_environment(stores), "GAMESTATS_WORKERS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _PATIENCE_MS / 1000
        while not answers(place, "/dagster/server_info"):
            assert server.poll() is None, "it ended"
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.2)
        with asked_by(stores.postgres_url.get_secret_value(), place) as client:
            yield client
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture(scope="module")
def page(client: httpx.Client) -> Iterator[Page]:
    address = str(client.base_url.join("/dagster/"))
    cookies = [{"name": name, "value": value, "url": address} for name, value in client.cookies.items()]
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1500, "height": 950}, base_url=address)
        context.add_cookies(cookies)  # pyright: ignore[reportArgumentType]
        page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        yield page


def test_a_blocking_check_shows_rows_and_advice(page: Page) -> None:
    page.goto("assets/l2m/etl_recharge?view=checks")
    page.get_by_text("every_payment_has_a_rate").first.click()
    for text in ("Failed", "gamestats ingest l2m rates.csv"):
        expect(page.get_by_text(text).first).to_be_visible(timeout=_PATIENCE_MS)
    keep(page, "failed_check")


def test_a_table_shows_description_columns_rows_and_freshness(page: Page) -> None:
    page.goto("assets/l2m/etl_recharge")
    for text in ("Payments, as logged", "usd_per_unit", "primary key", "Freshness policy"):
        expect(page.get_by_text(text).first).to_be_visible(timeout=_PATIENCE_MS)
    keep(page, "table")


def test_runs_are_those_of_the_command_line(page: Page) -> None:
    # What happens in a run comes by a WebSocket.
    came: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: came.append(str(frame))))
    page.goto("runs")
    expect(page.get_by_text("Success").first).to_be_visible(timeout=_PATIENCE_MS)
    keep(page, "runs")
    page.locator("a[href*='/dagster/runs/']").first.click()
    expect(page.get_by_text("RUN_SUCCESS").first).to_be_visible(timeout=_PATIENCE_MS)
    assert any("pipelineRunLogs" in frame for frame in came)


def test_sensors_and_schedules_run_by_themselves(page: Page) -> None:
    page.goto("automation")
    for name in ("tracked_player_matches", "behind", "lake_maintenance_daily"):
        expect(page.get_by_text(name).first).to_be_visible(timeout=_PATIENCE_MS)
    switches = page.get_by_role("checkbox", checked=True)
    expect(switches.first).to_be_attached(timeout=_PATIENCE_MS)


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_defs()


def test_every_asset_is_described_in_a_small_group_with_its_publication(definitions: dg.Definitions) -> None:
    specs = definitions.resolve_all_asset_specs()
    assert [spec.key for spec in specs if not spec.description] == []
    group_of = {spec.key: spec.group_name for spec in specs}
    assert max(Counter(group_of.values()).values()) <= 25
    for key, group in group_of.items():
        if key.path[0] == "postgres" and dg.AssetKey(key.path[1:]) in group_of:
            assert group == group_of[dg.AssetKey(key.path[1:])], key


@pytest.mark.parametrize(
    ("asset", "first"),
    [("pubg/matches", "2017-03-23"), ("lol/matches", "2009-10-27"), ("rocket_league/match_facts", "2015-07-07")],
)
def test_days_of_a_game_begin_with_its_release(definitions: dg.Definitions, asset: str, first: str) -> None:
    partitions = definitions.resolve_asset_graph().get(dg.AssetKey(asset.split("/"))).partitions_def
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    assert partitions.get_first_partition_key() == first
