"""What an admin decides on a page, and a match that lands, are soon on the public page, with `gamestats up` at work.

Everything is real: files, runs, PostgreSQL, browser. How many matches a team has played is known of the tournament.
"""

from __future__ import annotations

import shutil
import signal
import socket
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page

from gamestats_assets.cli.demo.games import SEASON, Plan, enter
from gamestats_assets.lakehouse.postgres.embedded import is_running, start_embedded
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.pubg.source.files import ingest
from gamestats_assets.simulators.pubg.tournament import simulate_tournament
from gamestats_assets_tests.program.test_up import Up, folder, processes_of, run, settings_of, start
from gamestats_assets_tests.support.browsers import chromium

__all__ = ["folder", "start"]

pytestmark = pytest.mark.timeout(400)
DAY = date(2026, 3, 14)
SOON_S = 20.0
"""Seconds that an organiser waits for what he decided."""
BY_OTHERS = 3.0
"""How many times longer it may take here, where other tests take most of the machine."""


def until(page: Page, address: str, team: str, played: int, seconds: float) -> None:
    """Wait until the public page says that a team has played so many matches."""
    deadline = time.monotonic() + seconds
    seen: list[str] = []
    while time.monotonic() < deadline:
        page.goto(address)
        row = page.locator("tr[data-key^=team-]").filter(has_text=team)
        seen = row.locator("td").all_inner_texts() if row.count() else []
        if seen and seen[-1] == str(played):
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"{team} has not played {played} matches after {seconds:.0f} s; the page says {seen}")


def test_decisions_and_new_matches_reach_the_standings_soon(
    start: Callable[[], Up], folder: Path, tmp_path: Path
) -> None:
    tournament = simulate_tournament(tmp_path, first_day=DAY, seed=5, teams=5, played=0)
    first, second, third = (
        match.truth.match_id
        for match in tournament.matches
        if match.division == "Division 1" and match.status == "confirmed" and match.match_number in (1, 2, 4)
    )
    team = tournament.divisions[0].teams[0].name

    def land(match_id: str) -> None:
        shutil.move(tmp_path / f"{match_id}.match.json", folder / "new")
        shutil.move(tmp_path / f"{match_id}.telemetry.json.gz", folder / "new")

    (folder / "new").mkdir()
    start_embedded(settings_of(folder))
    stores = Stores(settings_of(folder))
    enter("pubg", stores, Plan(), tournament)
    land(first)
    land(second)
    ingest([folder / "new"], stores.landing)
    up = start()
    table = f"{up.url}/tournaments?season={SEASON}&division=Division+1&round=overall"
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(30_000)
        page.goto(up.link)
        page.get_by_role("button", name="Sign in").click()
        until(page, table, team, 2, 120 * BY_OTHERS)
        page.goto(f"{up.url}/admin/tournaments/matches/{first}")
        page.get_by_label("Tournament match").select_option("no")
        page.get_by_label("Why").first.fill("a scrim, they say")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("status").first.wait_for()
        until(page, table, team, 1, SOON_S * BY_OTHERS)

        land(third)
        assert run(folder, "ingest", "pubg", str(folder / "new")).returncode == 0
        until(page, table, team, 2, SOON_S * BY_OTHERS)

    up.process.send_signal(signal.SIGINT)
    rest, _ = up.process.communicate(timeout=60)
    assert (up.process.returncode, "Traceback" in rest) == (0, False), rest
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", up.port))
    # PostgreSQL ran before, and runs on until it is stopped.
    assert is_running(stores.settings)
    assert "PostgreSQL was stopped" in run(folder, "down").stdout
    assert processes_of(folder) == []
