"""What somebody does who comes to the trainer: signs in, drops a replay, watches it, takes everything along, leaves."""

from __future__ import annotations

import base64
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from playwright.sync_api import Page, expect

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets_tests.program.up import Up
from gamestats_assets_tests.serving.sign_in.sign_in_providers import SteamLike
from gamestats_assets_tests.support.browsers import keep

GOAL_LINE_UU, POST_UU, CROSSBAR_UU = 5120, 893, 643
_DROP = """([name, content]) => {
    const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], name));
    for (const kind of ["dragenter", "dragover", "drop"])
        document.body.dispatchEvent(new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true}));
}"""


def players_of(replay: Path) -> list[dict[str, Any]]:
    """Who played, as ballchasing tells it."""
    details = json.loads(replay.with_suffix(".ballchasing.json").read_text())
    return [player for team in ("blue", "orange") for player in details[team]["players"]]


def sign_in(page: Page, up: Up, steam: SteamLike, account: str) -> None:
    """Come as who has an account at Steam, to the trainer's first page."""
    steam.says = {name: f"{steam.issuer}/id/{account}" for name in ("claimed_id", "identity")}
    page.goto(f"{up.url}/rocket-league")
    page.get_by_role("link", name="Sign in").last.click()
    page.get_by_role("link", name="Sign in with Steam").click()


def begin_and_agree(page: Page) -> str:
    """See that Steam's account is linked, tell a rank, and allow everything; what the person is called here."""
    steps = page.locator("ol.steps > li")
    expect(steps.nth(0)).to_have_class("done")
    expect(steps.nth(1)).not_to_have_class("done")
    steps.nth(1).get_by_role("link").click()
    for box in page.locator("form[action*=consents] input[type=checkbox]").all():
        box.check()
    page.get_by_role("button", name="Save my choices").click()
    expect(page.get_by_role("status").first).to_contain_text("saved")
    page.get_by_label("Playlist").select_option(label="Ranked standard")
    page.get_by_label("Rank", exact=True).select_option(label="Grand Champion I")
    page.get_by_role("button", name="Save the rank").click()
    expect(page.get_by_role("status").first).to_contain_text("rank was saved")
    return page.get_by_label("What others see").input_value()


def drop(page: Page, replay: Path) -> float:
    """Drop a file on the trainer's first page; the moment at which its last byte was sent."""
    page.get_by_role("link", name="Dashboard").click()
    with page.expect_response("**/api/v1/replays/upload") as answered:
        page.evaluate(_DROP, [replay.name, base64.b64encode(replay.read_bytes()).decode()])
    assert answered.value.status == 202
    return time.monotonic()


def send_and_read(page: Page, replay: Path, name: str) -> float:
    """Drop the replay, and read what comes of it, under the name in the game; the seconds from the last byte on."""
    sent = drop(page, replay)
    expect(page.locator("#uploads progress")).to_be_visible()
    matches = page.locator("#last-replays tbody tr")
    matches.wait_for()
    seconds = time.monotonic() - sent
    keep(page, "journey-analysed")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(matches).to_contain_text("Won 1:0")
    said = page.locator("#content")
    expect(said).to_contain_text("Not enough matches yet: 1 of 10 in Ranked standard.")
    expect(said.get_by_text("Not enough matches yet: 1 of 5 with figures.")).to_have_count(1)
    for skill in ("aerials", "saves", "positioning", "rotation", "shooting"):
        expect(said.get_by_role("link", name=skill, exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="What to train next")).to_contain_text("once a skill is measured")
    return seconds


def watch_the_goal(page: Page) -> None:
    """Go from what became of the upload to the picture, jump to the goal, and see the ball cross the line."""
    page.get_by_role("link", name="See it").click()
    expect(page.locator("#content h1")).to_contain_text("1:0")
    page.get_by_role("link", name="Watch it in 3D").click()
    page.wait_for_selector("#replay[data-drawn=whole]")
    page.get_by_role("button", name="Goal").first.dispatch_event("click")
    before_s = page.evaluate("gamestatsReplay.state.time")
    balls = page.evaluate("(from) => [...Array(80)].map((_, n) => gamestatsReplay.at(from + n / 10)[0])", before_s)
    # Blue attacks upwards.
    assert any(
        at["isThere"] and at["y"] > GOAL_LINE_UU and abs(at["x"]) < POST_UU and at["z"] < CROSSBAR_UU for at in balls
    ), balls
    keep(page, "journey-goal")


def take_along(page: Page, up: Up, replay: Path, account: str) -> float:
    """Have an archive made, and look into it; the seconds until it can be downloaded."""
    page.goto(f"{up.url}/rocket-league/settings")
    page.get_by_role("button", name="Make an archive").click()
    asked = time.monotonic()
    ready = page.get_by_role("link", name="Download")
    ready.wait_for()
    seconds = time.monotonic() - asked
    with page.expect_download() as download:
        ready.click()
    with zipfile.ZipFile(download.value.path()) as archive:
        [sent] = [each for each in archive.namelist() if each.startswith("replays/")]
        assert archive.read(sent) == replay.read_bytes()
        features = pl.read_parquet(archive.read(f"players/steam_{account}/tables/player_match_features.parquet"))
        assert features["player_id"].to_list() == [f"steam_{account}"]
        assert json.loads(archive.read("account/identities.json"))[0]["subject"] == account
    return seconds


def leave(page: Page, up: Up, stores: Stores) -> float:
    """Remove everything, by a sign-in that is new; the seconds until all of it is said to be gone."""
    with psycopg.connect(stores.postgres_url.get_secret_value()) as conn:
        conn.execute("UPDATE accounts.sessions SET created_at = created_at - interval '11 minutes'")
    page.goto(f"{up.url}/rocket-league/settings")
    page.get_by_role("button", name="Sign out to sign in again").click()
    page.get_by_role("link", name="Sign in with Steam").click()
    page.get_by_label("Remove everything. I know").check()
    page.get_by_role("button", name="Remove everything for good").click()
    asked = time.monotonic()
    page.locator("#erasure .notice.good").wait_for()
    seconds = time.monotonic() - asked
    keep(page, "journey-gone")
    page.goto(f"{up.url}/rocket-league")
    expect(page.get_by_role("heading", level=1)).to_have_text("Rocket League trainer")
    return seconds
