"""The public pages: in a browser, and as what a server answers to one without JavaScript."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect
from prometheus_client import REGISTRY
from psycopg.rows import dict_row

from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.pubg.tables import Matches
from gamestats_assets.pubg.tournament.tables import ScheduledMatches
from gamestats_assets_tests.serving import season
from gamestats_assets_tests.serving.season import DAYS, account, frame, publish_season, publish_standings
from gamestats_assets_tests.support.browsers import Shown, obstacles_in_looks
from gamestats_assets_tests.support.clocks import wait_until
from gamestats_assets_tests.support.postgres_fixture import database

BOARD = "/tournaments?season=fall&division=Division+1&round=overall"
PAGES = {
    "home": "/",
    "teams": BOARD,
    "players": f"{BOARD}&tab=players",
    "history": f"{BOARD}&tab=matches",
    "group": "/tournaments?division=Cup&group=South",
    "match": "/tournaments/matches/m-1",
    "team": "/tournaments/teams/1",
    "player": f"/tournaments/players/{account(1)}",
    "points": f"{BOARD}&view=points",
    "pair": "/tournaments/head-to-head?team=1&other=2",
    "search": "/tournaments/search?q=p",
    "past": f"{BOARD}&page=2",
    "overlay": f"{BOARD}&view=overlay",
    "nothing": "/tournaments/teams/999",
    "docs": "/api/v1/docs",
}
HOSTILE = {
    31: "<img src=x onerror=alert(1)>",
    32: "=cmd|' /C calc'!A0",
    33: "한국 팀 日本",
    34: "\u202eEvil",
    35: "x" * 10_000,
}
"""Names of the teams of the Cup."""
HTML = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture(scope="module")
def url(postgres_url: str, ops_template: str) -> Iterator[str]:
    with database(postgres_url, ops_template) as found, pytest.MonkeyPatch.context() as patch:
        for team, name in HOSTILE.items():
            patch.setitem(season.CUP_TEAMS, team, name)  # pyright: ignore[reportArgumentType]
        publish_season(found)
        with psycopg.connect(found) as conn:
            slots = conn.cursor(row_factory=dict_row).execute("SELECT * FROM pubg.scheduled_matches").fetchall()
        slots += [
            {"scheduled_match_id": 120 + number, "round_id": 12, "match_number": number, "is_remake": False}
            | {"scheduled_at": datetime(2026, 10, 10, 18 + number, tzinfo=UTC), "map_name": "Miramar", "status": status}
            for number, status in ((1, "scheduled"), (2, "cancelled"))
        ]
        publish(found, ScheduledMatches, None, frame(ScheduledMatches, slots))
        yield found


@contextmanager
def opened(browser: Browser, site: httpx.Client, **options: Any) -> Iterator[Shown]:
    """A page of a context of its own; nothing of it may have gone wrong at the end."""
    context = browser.new_context(
        base_url=str(site.base_url).rstrip("/"), **{"reduced_motion": "reduce", "locale": "en-GB", **options}
    )
    context.set_default_timeout(10_000)
    shown = Shown(context.new_page())
    yield shown
    context.close()
    assert [each for each in shown.troubles if "404" not in each] == []


def names(page: Page) -> list[str]:
    return page.locator("#board > tbody > tr:not(.detail) > th").all_inner_texts()


def test_everybody_can_use_every_page(browser: Browser, site: httpx.Client) -> None:
    with opened(browser, site) as shown:
        page = shown.page
        for name, path in PAGES.items():
            if name == "group":
                # It is made as that of a division is.
                continue
            page.goto(path)
            for opener in ("[data-radar]", "[data-map]"):
                if page.locator(opener).count():
                    page.locator(opener).first.click()
                    expect(page.locator(".radar canvas, .map svg").first).to_be_visible()
            for summary in page.locator("details:not([open]) > summary").all()[:1]:
                summary.click()
            # Tables scroll inside themselves, the page never sideways.
            assert obstacles_in_looks(page, f"page-{name}") == [], name


def test_a_choice_resets_what_stands_below_it_and_the_keyboard_does_it_all(
    browser: Browser, site: httpx.Client
) -> None:
    with opened(browser, site) as shown:
        page = shown.page
        # The round that is being played, of the first division of the season.
        page.goto("/tournaments")
        expect(page.get_by_label("Round")).to_have_value("2")
        page.get_by_label("Round").select_option("1")
        page.wait_for_url("**round=1**")
        page.get_by_label("Match").select_option("2")
        page.wait_for_url("**match=2**")
        expect(page.locator("#board tbody th").first).to_have_text("Beta")
        page.get_by_role("link", name="Player leaderboard").click()
        page.wait_for_url("**tab=players**")
        expect(page.get_by_label("Match")).to_have_value("2")
        page.get_by_label("Round").select_option("Overall")
        page.wait_for_url("**round=overall**")
        assert "match=" not in page.url
        expect(page.get_by_label("Match")).to_be_disabled()
        page.get_by_label("Division").select_option("Cup")
        page.wait_for_url("**division=Cup**")
        assert "round=overall" not in page.url
        expect(page.get_by_label("Group")).to_have_value("")

        page.goto(f"{BOARD}&tab=players")
        heading = page.get_by_role("link", name="Kills", exact=True)
        heading.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**sort=total_kills**")
        expect(page.locator("th[aria-sort=descending]")).to_contain_text("Kills")
        assert not [each for each in shown.asked if "radar" in each]
        weapons = page.get_by_role("button", name="Weapons P2")
        weapons.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("img", name="Weapons of P2")).to_be_visible()
        expect(weapons).to_have_attribute("aria-expanded", "true")
        # Of damage all is AR's; of kills, too, and so the table beside it says.
        expect(page.locator(".radar tbody tr").first).to_have_text(re.compile(r"AR.*1.*100%.*7"))
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Share of kills")).to_have_attribute("aria-pressed", "true")
        weapons.press("Enter")
        expect(page.locator(".radar")).to_have_count(0)

        # The map: what was so far, and the way of whom is tracked.
        page.goto(PAGES["match"])
        page.get_by_role("button", name="Show the map").press("Enter")
        slider = page.get_by_role("slider", name="Time")
        expect(slider).to_have_attribute("aria-valuetext", re.compile("2 alive"))
        expect(page.locator(".map .landing:not([hidden])").first).to_be_visible()
        slider.press("Home")
        expect(page.locator(".map .field .landing:not([hidden])")).to_have_count(0)
        expect(page.locator(".legend")).to_contain_text("Path of P1")


def test_a_running_round_is_kept_up_to_date(browser: Browser, site: httpx.Client, url: str) -> None:
    asked: list[Request] = []
    with opened(browser, site) as shown:
        page = shown.page
        page.clock.install(time=datetime(2026, 10, 10, 18, 30, tzinfo=UTC))
        page.goto(f"{BOARD}&tab=players&sort=player_name&order=desc")
        page.get_by_role("button", name="Weapons P2").click()
        expect(page.locator(".radar canvas")).to_be_visible()
        page.on("request", lambda request: asked.append(request) if request.resource_type == "fetch" else None)

        def after(seconds: float) -> list[Request]:
            asked.clear()
            page.clock.run_for(round(1000 * seconds))
            page.wait_for_timeout(300)
            return [*asked]

        assert len(after(31)) == 1
        expect(page.locator("#status")).to_have_text(re.compile(r"Updated \d\d:\d\d:3\d"))
        [again] = after(31)
        assert again.headers["if-none-match"]
        assert (again.response() or pytest.fail("no answer")).status == 304

        # The first team has 32 points.
        page.goto(BOARD)
        after(31)
        publish_standings(url, more_points=41)
        after(31)
        expect(page.locator("#news")).to_have_text("The figures have changed.")
        expect(page.locator("#board tbody tr").first).to_contain_text("Gamma73")

        # Sort, and the open chart, stay where they are.
        page.goto(f"{BOARD}&tab=players&sort=player_name&order=desc")
        page.get_by_role("button", name="Weapons P2").click()
        after(31)
        expect(page.locator(".radar canvas")).to_be_visible()
        expect(page.get_by_role("button", name="Weapons P2")).to_have_attribute("aria-expanded", "true")
        assert names(page) == ["P3", "P2", "P1"]

        # Nobody looks: nothing is asked, and at once when somebody does again.
        page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert after(300) == []
        page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert len(after(1)) == 1

        # What fails is asked for less and less often, and what was seen stays.
        def refuse(route: Route) -> None:
            route.fulfill(status=503, headers={"Retry-After": "2"}, body="")

        page.route("**/tournaments?**", refuse)
        counts = [len(after(60)) for _ in range(6)]
        assert counts[0] == 1
        assert sum(counts) <= 4
        expect(page.locator("#status")).to_contain_text("Not updated since")
        assert names(page) == ["P3", "P2", "P1"]
        page.unroute("**/tournaments?**")
        page.clock.fast_forward(301_000)
        expect(page.locator("#status")).to_contain_text("Updated")
        shown.troubles[:] = [each for each in shown.troubles if "503" not in each]
        # A round that is over is not asked for again.
        page.goto("/tournaments?season=fall&division=Division+1&round=1")
        assert after(300) == []


def test_all_works_without_javascript(browser: Browser, site: httpx.Client) -> None:
    with opened(browser, site, java_script_enabled=False) as shown:
        page = shown.page
        page.goto("/")
        page.get_by_role("link", name="See the tournament").click()
        page.get_by_label("Division").select_option("Cup")
        page.get_by_role("button", name="Show").click()
        page.get_by_label("Group").select_option("South")
        page.get_by_role("button", name="Show").click()
        page.get_by_label("Round").select_option("1")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#board tbody th").first).to_have_text(HOSTILE[33])
        page.get_by_role("link", name="Kills", exact=True).click()
        expect(page.locator("#board tbody th").nth(0)).to_have_text(HOSTILE[35])
        page.get_by_role("link", name="Match history").click()
        page.locator(".match h2 a").first.click()
        expect(page.get_by_role("heading", level=2, name="Results of the teams")).to_be_visible()
        page.goto(PAGES["match"])
        expect(page.get_by_text("The map needs JavaScript")).to_be_visible()
        expect(page.get_by_role("button", name="Show the map")).to_be_hidden()
        page.get_by_text("All 3 kills").click()
        expect(page.locator("#kills tbody tr")).to_have_count(3)
        page.get_by_role("link", name="Alpha").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Alpha")
        page.get_by_role("link", name="P1").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("P1")
        page.goto(PAGES["nothing"])
        expect(page.get_by_role("heading", level=1)).to_have_text("This page does not exist")
        expect(page.get_by_role("link", name="Go to the first page")).to_be_visible()


def test_the_schedule_stands_with_the_matches_and_is_had_as_files(browser: Browser, site: httpx.Client) -> None:
    with opened(browser, site, timezone_id="Asia/Seoul") as shown:
        page = shown.page
        page.goto(PAGES["history"])
        rows = page.locator("#slots tbody tr")
        # What is to come is first; of the rest the newest is.
        assert _cells(page, "slots") == [
            ["Round 2 · Match 1", "11 Oct 2026, 04:00 GMT+9", "Scheduled", "Miramar"],
            ["Round 2 · Match 2", "11 Oct 2026, 05:00 GMT+9", "Cancelled", "Miramar"],
            ["Round 1 · Match 2", "4 Oct 2026, 04:00 GMT+9", "Played Round 1 · Match 2", "any map"],
            ["Round 1 · Match 1", "4 Oct 2026, 03:00 GMT+9", "Played Round 1 · Match 1", "Erangel"],
        ]
        rows.nth(3).get_by_role("link", name="Played").click()
        page.wait_for_url("**/tournaments/matches/m-1")
        page.goto("/tournaments?division=Cup&round=2&tab=matches")
        played_again = page.locator("#slots tbody tr", has_text="Match 1")
        expect(played_again.get_by_text("Remake")).to_have_attribute("title", "server; crash")
        expect(played_again.get_by_role("link", name="first match")).to_have_attribute(
            "href", "/tournaments/matches/c-broken"
        )
        page.goto("/tournaments?season=fall&division=Division+1&round=1&match=2&tab=matches")
        assert rows.count() == 1
    found = {path: _files(site, path) for path in (PAGES["teams"], PAGES["players"], PAGES["history"], PAGES["points"])}
    assert [[*each] for each in found.values()] == [["CSV"], ["CSV"], ["Calendar", "Schedule as CSV", "CSV"], ["CSV"]]
    assert found[PAGES["history"]]["Calendar"].count("BEGIN:VEVENT") == 4
    lines = [text.splitlines() for each in found.values() for name, text in each.items() if name != "Calendar"]
    # Three teams, three players, four slots, three matches, three teams; and the heading of each.
    assert [len(each) for each in lines] == [4, 4, 5, 4, 4]


def _files(site: httpx.Client, path: str) -> dict[str, str]:
    """What is offered beside a table, by its name."""
    offered = re.findall(r'<a href="([^"]*)" download title="[^"]+">([^<]*)</a>', site.get(path, headers=HTML).text)
    found = {name: site.get(html.unescape(address), headers=HTML) for address, name in offered}
    assert {each.status_code for each in found.values()} == {200}
    return {name: each.text for name, each in found.items()}


def test_teams_and_players_are_sought_and_compared_without_javascript(browser: Browser, site: httpx.Client) -> None:
    with opened(browser, site, java_script_enabled=False) as shown:
        page = shown.page
        page.goto("/tournaments")
        page.get_by_role("searchbox", name="Team or player").fill("alph")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**/tournaments/search?q=alph")
        expect(page.locator("#found tbody tr")).to_have_text([re.compile(r"Alpha.*Team.*–.*Division 1.*fall")])
        page.get_by_role("searchbox").fill("p1")
        page.get_by_role("searchbox").press("Enter")
        page.get_by_role("link", name="P1").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("P1")
        page.goto("/tournaments/search?q=%3Cb%3Enobody")
        expect(page.get_by_text("No team or player has “<b>nobody” in its name.")).to_be_visible()
        page.goto("/tournaments/search?q=+")
        expect(page.get_by_text("Enter a part of the name")).to_be_visible()

        page.goto(PAGES["team"])
        others = page.get_by_label("Compare with")
        assert others.locator("option").all_inner_texts() == ["Choose a team", "<script>Gamma", "Beta"]
        others.select_option("Beta")
        page.get_by_role("button", name="Compare").click()
        page.wait_for_url("**/tournaments/head-to-head?team=1&other=2")
        # Of three matches one and two; 13 + 5 + 6 and 7 + 16 + 6 points; each killed one of the other in the first.
        assert _cells(page, "of-sides") == [["Alpha", "1", "24", "4", "1"], ["Beta", "2", "29", "7", "1"]]
        meetings = [row[:1] + row[2:] for row in _cells(page, "of-meetings")]
        assert meetings == [
            ["Round 2", "3 : 2", "6 : 6", "1 : 0"],
            ["Round 1 · Match 2", "3 : 1", "5 : 16", "0 : 6"],
            ["Round 1 · Match 1", "1 : 2", "13 : 7", "3 : 1"],
        ]
        page.goto("/tournaments/head-to-head?team=1&other=31")
        expect(page.get_by_text("No match of both has been counted yet.")).to_be_visible()

        page.goto(BOARD)
        page.get_by_role("link", name="Points by match").click()
        heads = page.locator("#board thead th a")
        assert heads.evaluate_all("all => all.map(each => each.title)") == [
            "Round 1 · Match 1 · Erangel",
            "Round 1 · Match 2",
            "Round 2 · Unscheduled",
        ]
        assert [row[:2] + row[3:] for row in _cells(page, "board")] == [
            ["1", "<script>Gamma", "5", "8", "19"],
            ["2", "Beta", "7", "16", "6"],
            ["3", "Alpha", "13", "5", "6"],
        ]
        # The choice is kept with another round, and the way back stands beside it.
        page.get_by_label("Round").select_option("1")
        page.get_by_role("button", name="Show").click()
        assert _cells(page, "board")[0] == ["1", "Beta", "23", "7", "16"]
        page.get_by_role("link", name="Standings").click()
        expect(page.locator("#board thead")).to_contain_text("WWCD")


def _cells(page: Page, table: str) -> list[list[str]]:
    rows = page.locator(f"#{table} > tbody > tr").all()
    return [[" ".join(cell.inner_text().split()) for cell in row.locator("th, td").all()] for row in rows]


def test_a_page_past_the_end_leads_to_the_first(browser: Browser, site: httpx.Client) -> None:
    with opened(browser, site) as shown:
        for tab in ("teams", "players", "matches"):
            shown.page.goto(f"{BOARD}&tab={tab}&page=2")
            expect(shown.page.locator(".empty")).to_have_text(re.compile("There is no page 2: there is 1 page."))
            shown.page.get_by_role("link", name="Go to page 1").click()
            expect(shown.page.locator("#board, .match").first).to_be_visible()


def test_a_link_that_a_service_added_to_is_the_same_page(site: httpx.Client) -> None:
    paths = [path for path in PAGES.values() if path.startswith("/tournaments") and path != PAGES["nothing"]]
    paths.append("/tournaments?was=season%3Dfall&division=Cup")
    plain = [site.get(path, headers=HTML, follow_redirects=True) for path in paths]
    made = REGISTRY.get_sample_value("cache_misses_total", {"key": "/tournaments"})
    assert made
    for number, (path, expected) in enumerate(zip(paths, plain, strict=True)):
        more = f"fbclid={number}&utm_source=a&utm_source=b"
        found = site.get(f"{path}{'&' if '?' in path else '?'}{more}", headers=HTML, follow_redirects=True)
        assert (found.status_code, found.headers["etag"]) == (200, expected.headers["etag"]), path
        assert "fbclid" not in found.text
    assert REGISTRY.get_sample_value("cache_misses_total", {"key": "/tournaments"}) == made
    assert site.get("/?utm_source=a", headers=HTML).status_code == 200
    # What it has is as strict as before, and so is the API.
    assert site.get("/tournaments?page=x", headers=HTML).status_code == 422
    assert site.get("/api/v1/tournaments/seasons?fbclid=1").status_code == 422


def test_the_first_load_is_small_and_all_of_this_site(browser: Browser, site: httpx.Client) -> None:
    with opened(browser, site) as shown:
        responses: list[Any] = []
        shown.page.on("response", lambda response: responses.append(response))
        shown.page.goto(BOARD, wait_until="networkidle")
        sizes = [response.request.sizes() for response in responses]
        assert sum(each["responseBodySize"] + each["responseHeadersSize"] for each in sizes) <= 120_000
        base = str(site.base_url).rstrip("/")
        assert {each.startswith(f"{base}/") for each in shown.asked} == {True}
        assert not [each for each in shown.asked if re.search(r"/(radar|map)-", each)]


def test_an_overlay_stands_on_nothing(browser: Browser, site: httpx.Client) -> None:
    with opened(browser, site, color_scheme="dark", viewport={"width": 600, "height": 400}) as shown:
        shown.page.goto(PAGES["overlay"])
        corner = {"x": 598, "y": 398, "width": 1, "height": 1}
        picture = shown.page.screenshot(omit_background=True, clip=corner)  # pyright: ignore[reportArgumentType]
        read = """async bytes => {
            const image = await createImageBitmap(new Blob([new Uint8Array(bytes)], {type: 'image/png'}));
            const context = new OffscreenCanvas(1, 1).getContext('2d');
            context.drawImage(image, 0, 0);
            return [...context.getImageData(0, 0, 1, 1).data];
        }"""
        assert shown.page.evaluate(read, [*picture])[3] == 0
        assert len(names(shown.page)) == 3


def test_names_are_harmless_and_whole(browser: Browser, site: httpx.Client) -> None:
    with opened(browser, site, viewport={"width": 360, "height": 800}) as shown:
        page = shown.page
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        for path in ("/tournaments?division=Cup&round=overall", "/tournaments?division=Cup&round=2&tab=matches"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            # What is cut has all of it as its title; what runs from the right does so in its own place.
            for name in page.locator("th.name bdi").all():
                assert name.evaluate("node => (node.closest('a') ?? node).title") == name.text_content()
        page.goto("/tournaments?division=Cup&round=overall")
        assert {*names(page)} == {*HOSTILE.values()}
        for team in HOSTILE:
            page.goto(f"/tournaments/teams/{team}")
            expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE[team])
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert dialogs == []


def test_a_link_that_is_shared_says_what_it_leads_to(site: httpx.Client) -> None:
    for path, title in {
        BOARD: "Team leaderboard: Fall 2026, Division 1",
        PAGES["match"]: "Match 1 · Erangel, Division 1, Round 1",
        PAGES["team"]: "Alpha, Fall 2026",
        PAGES["player"]: "P1",
    }.items():
        page = site.get(path, headers=HTML).text
        meta = dict(re.findall(r'<meta property="og:(\w+)" content="([^"]*)">', page))
        assert meta["title"] == title
        assert meta["url"] == f"{str(site.base_url).rstrip('/')}{path}".replace("&", "&amp;")
        picture = site.get(meta["image"])
        assert picture.headers["content-type"] == "image/png"
        # Width and height, as a PNG tells them.
        assert picture.content[16:24] == (1200).to_bytes(4) + (630).to_bytes(4)


def test_the_first_page_says_what_there_is(site: httpx.Client) -> None:
    page = site.get("/", headers=HTML).text
    titles = ["PUBG", "League of Legends", "Rocket League", "L2M", "Demo data"]
    assert [re.sub("<.*", "", each) for each in re.findall(r'<h2 id="game-\w+">(.*)</h2>', page)] == titles
    assert page.count("Nothing is published yet.") == 4
    row = re.search(r'title="pubg.tournament_team_standings">.*', page)
    assert row is not None
    assert re.search(r'datetime="20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"', row[0])
    assert "gamestats ingest rocket-league FOLDER" in page


def test_pages_of_simulated_matches_say_so(site: httpx.Client, url: str) -> None:
    paths = ("/", BOARD, PAGES["match"], PAGES["team"], PAGES["player"], PAGES["overlay"])

    def saying() -> list[str]:
        return [path for path in paths if "Synthetic data" in site.get(path, headers=HTML).text]

    assert saying() == []
    row = {"match_id": "m-1", "match_date": DAYS[0], "started_at": datetime(2026, 10, 3, 18, tzinfo=UTC)}
    row |= {"start_source": "api", "players": 3, "teams": 3, "bots": 0, "telemetry_status": "processed"}
    row |= {"is_tournament_match": True, "is_overridden": False, "season": "fall", "season_state": "progress"}
    publish(url, Matches, [DAYS[0]], frame(Matches, [row]))
    assert saying() == []
    publish(url, Matches, [DAYS[0]], frame(Matches, [{**row, "season_state": "simulated"}]))
    # The server hears of it a moment later.
    assert wait_until(lambda: saying() == [*paths]), "every page says that its matches are simulated"
