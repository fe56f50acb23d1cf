"""The admin pages in a browser: the four screens without JavaScript, users and the log, and what axe-core finds."""

from __future__ import annotations

import re
from typing import Any

import httpx
import psycopg
from playwright.sync_api import Browser, Page, expect

from gamestats_assets_tests.pubg.tournament.season import SimulatedSeason
from gamestats_assets_tests.serving.simulated import Admin, sign_in
from gamestats_assets_tests.support.browsers import Shown, keep, obstacles


def at(browser: Browser, site: httpx.Client, admin: Admin, **settings: Any) -> Page:
    """A page of somebody who is signed in, at a browser without JavaScript unless the settings have it."""
    base = str(site.base_url).rstrip("/")
    context = browser.new_context(base_url=base, **{"java_script_enabled": False, **settings})
    context.add_cookies([{"name": "gamestats_session", "value": admin.token, "url": base}])
    page = context.new_page()
    page.set_default_timeout(10_000)
    return page


def test_a_walk_through_the_screens(browser: Browser, entered_site: httpx.Client, entered_url: str) -> None:
    ann, bob = (sign_in(entered_site, entered_url, name, "tournament_admin") for name in ("ann", "bob"))
    page, other = at(browser, entered_site, ann), at(browser, entered_site, bob)

    # The schedule: what was planned beside what was played; a slot is moved, and the second admin is told.
    page.goto("/admin")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tournaments")
    expect(page.get_by_text("6 matches need a decision")).to_be_visible()
    page.locator(".card").filter(has_text="fall-2026 · Div 1").get_by_role("link", name="Round 1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Round 1 schedule · Div 1")
    fourth = page.locator("#slot-114")
    expect(fourth).to_contain_text("Scheduled: 2026-10-18 00:15 Europe/Berlin, Vikendi")
    expect(fourth).to_contain_text("Actual: d1r1m4 (00:35, Vikendi) 20 min late")
    keep(page, "admin-schedule")
    schedule = page.url
    other.goto(schedule)
    fourth.get_by_text("Edit", exact=True).click()
    fourth.get_by_label("Start (Europe/Berlin)").fill("2026-10-18 00:20")
    fourth.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text(
        "Changed: match 4 of Round 1: scheduled_at 2026-10-18 00:15+02:00 -> 2026-10-18 00:20+02:00"
    )
    expect(fourth).to_contain_text("Scheduled: 2026-10-18 00:20 Europe/Berlin")
    seen = other.locator("#slot-114")
    expect(seen).to_contain_text("00:15")
    seen.get_by_text("Edit", exact=True).click()
    seen.get_by_label("Map; empty for any").fill("Rondo")
    seen.get_by_role("button", name="Save").click()
    expect(other.get_by_role("alert")).to_contain_text("ann changed it (")
    expect(other.get_by_role("alert")).to_contain_text("Nothing was overwritten.")
    # Bob's own change stands in the form over what ann saved; saved again, it is his alone.
    expect(other.get_by_label("Scheduled at")).to_have_value("2026-10-18 00:20")
    expect(other.get_by_label("Map")).to_have_value("Rondo")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("status").first).to_have_text("Changed: match 4 of Round 1: map_name Vikendi -> Rondo")
    for _ in range(2):
        other.get_by_role("button", name="Undo", exact=True).first.click()
        other.goto("/admin/tournaments/schedule/114")
    expect(other.get_by_label("Map")).to_have_value("Rondo")
    other.get_by_role("button", name="Undo", exact=True).nth(3).click()
    page.goto(schedule)
    expect(fourth).to_contain_text("Scheduled: 2026-10-18 00:15 Europe/Berlin, Vikendi")
    fourth.locator("summary", has_text="Delay").click()
    fourth.get_by_label("Minutes; with a minus, earlier").fill("soon")
    fourth.get_by_role("button", name="Delay").click()
    expect(page.get_by_role("alert")).to_contain_text("'soon' is not a number of minutes")

    # What needs somebody, a decision with its effect told before, and undone after.
    page.get_by_role("link", name="Matches", exact=True).click()
    page.get_by_role("link", name="Need a decision").click()
    warm_up = page.locator(".card").filter(has_text="warm-up")
    expect(warm_up).to_contain_text("7 teams of Div 1 played, at least 8 were expected")
    keep(page, "admin-validation")
    page.get_by_label("Division", exact=True).select_option("Div 2")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(re.compile("friendly"))
    page.get_by_role("link", name="friendly").click()
    page.go_back()
    page.goto("/admin/tournaments/matches?validation_status=remake_candidate")
    page.get_by_role("link", name="warm-up").click()
    page.get_by_label("Counts for").select_option(label="fall-2026, round 1 of Div 1, without a slot")
    page.get_by_label("Why").first.fill("it was meant to count")
    page.get_by_role("button", name="Preview the standings").click()
    preview = page.get_by_role("region", name="Preview", exact=True)
    expect(preview).to_contain_text("Created: override of match warm-up")
    expect(preview).to_contain_text(re.compile(r"\d+ lines of the standings would change"))
    plan = SimulatedSeason()
    [game] = [each for each in plan.games if each.match_id == "warm-up"]
    before = plan.table(1, "11")
    assert game.truth is not None
    game.truth.status, game.truth.round = "unscheduled", 11
    after, team = plan.table(1, "11"), 1
    line = preview.locator("tr").filter(has_text="Round 1").filter(has_text="Team 01")
    expect(line).to_contain_text(f"{before[team]['points']} → {after[team]['points']}")
    keep(page, "admin-preview")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text("Created: override of match warm-up")
    expect(page.get_by_text("The published standings follow within about 20 seconds")).to_be_visible()
    expect(page.locator(".card").filter(has_text="As published")).to_contain_text("is not published yet")
    expect(page.locator("#history").locator("..")).to_contain_text("ann")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_role("status").first).to_have_text("Removed: override of match warm-up")

    # A player: what there is of one, before and after the player is tracked.
    page.get_by_role("link", name="Players", exact=True).click()
    page.get_by_label("In-game name").fill("T05_Player1")
    page.get_by_role("button", name="Look up").click()
    expect(page.locator("dl.known")).to_have_text(re.compile(r"Historical matches found\s*2\d \(last 180 days\)"))
    expect(page.get_by_label("Backfill the history at once")).to_be_checked()
    page.get_by_role("button", name="Add player").click()
    tracked = page.locator("tr").filter(has_text="T05_Player1")
    expect(tracked).to_contain_text(re.compile(r"2\d found\s*queued"))
    expect(page.get_by_text("The published standings follow")).to_have_count(0)
    keep(page, "admin-players")
    page.get_by_role("button", name="Backfill the chosen").click()
    expect(page.get_by_role("alert")).to_have_text("Choose at least one player.")
    tracked.get_by_role("checkbox", name="Choose T05_Player1").check()
    page.get_by_label("Days of history").fill("30")
    page.get_by_role("button", name="Backfill the chosen").click()
    expect(page.get_by_role("status").first).to_have_text("1 backfill is requested.")
    page.get_by_role("link", name="2 backfills are going on or waiting").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.get_by_role("status").first).to_contain_text("The backfills are cancelled")
    page.get_by_role("link", name="T05_Player1").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Backfills of T05_Player1")
    expect(page.locator("tbody tr").filter(has_text="ann")).to_have_count(2)
    page.get_by_role("navigation", name="Administration").get_by_role("link", name="Players").click()
    tracked.get_by_role("button", name="Remove from tracking").click()
    expect(tracked.get_by_role("button", name="Track again")).to_be_visible()
    expect(page.get_by_role("link", name="No backfills are going on or waiting")).to_be_visible()

    # A round is copied; what a link in it would do is told, and what was written stands in the form still.
    page.goto(schedule)
    page.get_by_label("Number of the new round").fill("7")
    page.get_by_label("First day").fill("2026-11-21")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status").nth(6)).to_have_text(re.compile(r"And \d more\."))
    page.get_by_role("link", name="Round 7").click()
    first = page.locator(".card").filter(has=page.get_by_role("heading", name="Match 1"))
    expect(first).to_contain_text("Scheduled: 2026-11-21 22:00 Europe/Berlin")
    expect(first).to_contain_text("It is overdue without a match.")
    first.get_by_text("Link a match by hand").click()
    first.get_by_label("Id of the match").fill("friendly")
    first.locator("form:visible").get_by_role("button", name="Preview").click()
    expect(page.get_by_role("region", name="Preview", exact=True)).to_contain_text("override of match friendly")
    expect(first.get_by_label("Id of the match")).to_have_value("friendly")
    first.get_by_role("button", name="Link", exact=True).click()
    expect(first).to_contain_text("friendly (linked, not published yet)")

    # A file with mistakes, told by row.
    rows = b"division,round,match,scheduled_at\nDiv 1,1,1,yesterday\nDiv 1,8,1,2026-10-17 22:00\n"
    page.get_by_label("CSV file of fall-2026").set_input_files(
        {"name": "week.csv", "mimeType": "text/csv", "buffer": rows}
    )
    page.get_by_role("button", name="Import the file").click()
    mistakes = page.get_by_role("alert").get_by_role("listitem")
    expect(mistakes).to_have_text(
        [re.compile("Row 2, scheduled_at: 'yesterday'"), re.compile("Row 3, round: There is no")]
    )


def test_admins_give_roles_and_see_what_was_done(
    browser: Browser, entered_site: httpx.Client, entered_url: str
) -> None:
    adam = sign_in(entered_site, entered_url, "adam", "admin")
    page = at(browser, entered_site, adam)
    page.goto("/admin/users")
    page.get_by_label("Name (required)").fill("newcomer")
    page.get_by_role("button", name="Add user").click()
    newcomer = page.locator("tr").filter(has_text="newcomer")
    newcomer.get_by_label("Role for newcomer").select_option("tournament_admin")
    newcomer.get_by_label("Of what, for newcomer").select_option(label="fall-2026, Div 2")
    newcomer.get_by_role("button", name="Give").click()
    expect(newcomer).to_contain_text("tournament_admin of fall-2026, Div 2")
    newcomer.get_by_role("button", name="Make a link").click()
    assert re.search(r"/sign-in/link\?token=\S{30,}", page.get_by_role("status").inner_text())
    newcomer.get_by_role("button", name="Take").click()
    expect(newcomer).to_contain_text("none")
    own = page.locator("tr").filter(has_text="adam")
    own.get_by_role("button", name="Take").click()
    expect(page.get_by_role("alert")).to_contain_text("adam is the last admin")
    page.get_by_role("link", name="Audit log").click()
    expect(page.locator("tbody tr").first).to_contain_text("role.take")
    expect(page.locator("tbody tr").first).to_contain_text("(newcomer)")
    page.get_by_role("link", name="Users").click()
    newcomer.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove newcomer").click()
    expect(page.get_by_role("status").first).to_have_text("newcomer is removed.")
    expect(newcomer).to_have_count(0)
    assert sign_in(entered_site, entered_url, "tom", "tournament_admin").http.get("/admin/users").status_code == 403


def test_one_whose_right_is_of_a_division_tracks_the_people_on_its_rosters(
    browser: Browser, entered_site: httpx.Client, entered_url: str
) -> None:
    page = at(browser, entered_site, sign_in(entered_site, entered_url, "dora", "tournament_admin", division_id=2))
    page.goto("/admin/tournaments/tracking?player=T05_Player1")
    teams = page.get_by_label("Team whose roster").locator("option").all_inner_texts()
    assert teams
    assert all("Div 2" in each for each in teams)
    page.goto("/admin/tournaments/teams/new")
    page.get_by_label("Season").fill("fall-2026")
    page.get_by_label("Division").fill("Div 2")
    page.get_by_label("Team").fill("x" * 101)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("team has 101 characters; it may have at most 100.").first).to_be_visible()
    # A mark says so where a simulator made what is published.
    expect(page.get_by_text("Synthetic data")).to_have_count(0)
    with psycopg.connect(entered_url) as conn:
        conn.execute("UPDATE pubg.matches SET season_state = 'simulated' WHERE match_id = 'friendly'")
    page.goto("/admin/tournaments/tracking")
    expect(page.get_by_text("Synthetic data")).to_be_visible()


def test_nothing_is_in_anybodys_way(browser: Browser, entered_site: httpx.Client, entered_url: str) -> None:
    addresses = [
        f"/admin/{path}"
        for path in (
            *("users", "log", "tournaments", "tournaments/rounds/11/schedule", "tournaments/matches"),
            *("tournaments/matches/warm-up", "tournaments/tracking?player=T05_Player1", "tournaments/rosters"),
            *("tournaments/tracking/backfills", "tournaments/seasons/1", "tournaments/teams/new"),
        )
    ]
    addresses.append("/account")
    eve = sign_in(entered_site, entered_url, "eve", "admin")
    page = at(
        *(browser, entered_site, eve),
        java_script_enabled=True,
        color_scheme="dark",
        viewport={"width": 360, "height": 800},
        reduced_motion="reduce",
    )
    shown = Shown(page)
    for address in addresses:
        page.goto(address)
        page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
        keep(page, f"admin-narrow-{re.sub('[^a-z]+', '-', address)}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
        assert obstacles(page) == [], address
        if "matches" in address:
            tabs = page.locator(".tabs a").evaluate_all("all => all.map(each => [each.innerText, each.offsetHeight])")
            assert [text for text, height in tabs if height > 70] == [], address
    # The keyboard alone gets from the beginning to a form and sends it.
    page.goto("/admin/users")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for _ in range(page.locator(".tabs a").count() + 1):
        page.keyboard.press("Tab")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("by keyboard was added")
    page.context.clear_cookies()
    page.goto("/sign-in?next=/admin")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert obstacles(page) == []
    assert shown.troubles == []
