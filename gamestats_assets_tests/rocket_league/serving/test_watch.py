"""Watching replays: real ones, in a browser, as published; and to whom they are shown."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.replays.moments import player_mistakes
from gamestats_assets.rocket_league.tables.bronze import BALL
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.building import make, rows
from gamestats_assets_tests.rocket_league.support.linking import linked
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of
from gamestats_assets_tests.support.browsers import Shown, beside, chromium, keep, obstacles_in_looks
from gamestats_assets_tests.support.postgres_fixture import database

pytestmark = pytest.mark.timeout(240)
STANDARD, COME_AND_GO = real_files.PAIRS[1], real_files.COME_AND_GO
OF_MATCH = (t.MatchFacts, t.Participants, t.ReplayMoments, t.ReplayTracks)
STATE = "gamestatsReplay.state"
SMALL = {"width": 640, "height": 400}
SHOWN = """([cameras, times]) => cameras.flatMap((camera) => {
    gamestatsReplay.see(camera); return times.map((time) => gamestatsReplay.at(time)); })"""
WHOLE = "#replay[data-drawn=whole]"


@dataclass
class Watched:
    """The application over two published replays, both of which Ann played."""

    site: httpx.Client
    url: str
    frames: Mapping[str, Mapping[Any, pl.DataFrame]]
    ann: Mapping[str, str]
    """The account of hers in each match."""

    def path(self, name: str = STANDARD) -> str:
        return f"/rocket-league/replays/{self.match(name)}/watch"

    def match(self, name: str = STANDARD) -> str:
        return self.frames[name][t.MatchFacts].item(0, "match_id")

    def seats(self, name: str = STANDARD) -> list[str]:
        """The players in the order of the track."""
        found = self.frames[name][t.Participants]
        return sorted(found["player_id"], key=lambda each: (found.filter(player_id=each).item(0, "team"), each))


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str, realdata: Path
) -> Iterator[Watched]:
    data = str(tmp_path_factory.mktemp("watch"))
    frames = {name: real_files.silver(realdata, name) for name in (STANDARD, COME_AND_GO)}
    with database(postgres_url, ops_template) as url:
        objects = Objects(Path(data, "objects"))
        for table in OF_MATCH:
            frame = pl.concat([each[table] for each in frames.values()])
            days = frame["match_date"].unique().to_list()
            publish(url, table, days, frame, objects=objects)
        ann = {name: min(each[t.Participants].filter(team="blue")["player_id"]) for name, each in frames.items()}
        for name, player in ann.items():
            publish(url, t.Matches, [player], rows(t.Matches, _match(frames[name], player)))
            publish(url, t.PlayerMistakes, [player], _mistakes(frames[name], player))
        linked(url, "Ann", *ann.values())
        with served(url, data=data) as site:
            yield Watched(site, url, frames, ann)


def _mistakes(frames: Mapping[Any, pl.DataFrame], player: str) -> pl.DataFrame:
    tracked = rows(t.TrackedPlayers, {"player_id": player, "kept_from": date(2015, 7, 7)})
    return make(player_mistakes, {t.TrackedPlayers: tracked, t.Moments: frames[t.Moments]})


def _match(frames: Mapping[Any, pl.DataFrame], player: str) -> dict[str, Any]:
    fact = frames[t.MatchFacts].row(0, named=True)
    at = datetime(2026, 3, 10, 18, tzinfo=UTC)
    row = {"match_id": fact["match_id"], "playlist": fact["playlist"], "created_at": at, "processed_at": at}
    return {**row, "player_id": player, "is_simulated": False, "replay_data": json.dumps({"player_name": "Ann"})}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def plain(browser: Browser) -> Iterator[Browser]:
    """One that draws no 3D, which software does at length: for whatever is no matter of the picture."""
    with beside(browser, "--disable-3d-apis") as found:
        yield found


@contextmanager
def opened(
    browser: Browser, watched: Watched, path: str, *, track: bytes | None = None, **options: Any
) -> Iterator[Page]:
    """A page that Ann has opened, with all of the replay there; nothing of it may have gone wrong at the end.

    With a track, it is what the page gets in the place of the replay's, and need not be all of it.
    """
    context = browser.new_context(
        base_url=str(watched.site.base_url), **{"reduced_motion": "reduce", "viewport": SMALL, **options}
    )
    context.set_default_timeout(20_000)
    with closing(browser_of(watched.site, watched.url, "Ann")) as signed_in:
        for name, value in signed_in.cookies.items():
            context.add_cookies([{"name": name, "value": value, "url": str(watched.site.base_url)}])
    shown = Shown(context.new_page())
    if track is not None:
        shown.page.route("**/track", lambda route: route.fulfill(body=track))
    shown.page.goto(path)
    shown.page.wait_for_selector("#replay[data-drawn]" if track is not None else WHOLE)
    yield shown.page
    context.close()
    # What is said of the drawing in software is none of ours.
    assert [each for each in shown.troubles if "GPU stall" not in each] == []


def whole(page: Page) -> None:
    page.wait_for_selector(WHOLE)


def state(page: Page) -> dict[str, Any]:
    return page.evaluate(STATE)


def test_what_is_shown_is_where_the_frames_have_it_to_a_centimetre(browser: Browser, watched: Watched) -> None:
    frames = watched.frames[STANDARD][t.ReplayFrames]
    bodies = [BALL, *watched.seats()]
    chosen = frames["frame"].unique().sort().gather_every(240)
    of_frames = [
        {row["player_id"]: row for row in frames.filter(frame=frame).iter_rows(named=True)} for frame in chosen
    ]
    times = [round(each[BALL]["time_s"], 3) for each in of_frames]
    with opened(browser, watched, watched.path()) as page:
        shown = page.evaluate(SHOWN, [["orbit", "flat"], times])
    compared = 0
    for of_frame, places in zip([*of_frames, *of_frames], shown, strict=True):
        for body, place in zip(bodies, places, strict=True):
            assert place["isThere"] == (body in of_frame), (place, body)
            if row := of_frame.get(body):
                away = [row[f"{axis}_uu"] - place[axis] for axis in "xyz"]
                assert math.hypot(*away) < 1, (row, place)
                turned = sum(row[f"rotation_{part}"] * place["turn"][n] for n, part in enumerate("xyzw"))
                assert abs(turned) > 0.9999
                compared += 1
    assert compared > 150


def test_keys_and_the_line_of_time_go_where_one_wants(browser: Browser, watched: Watched) -> None:
    goal_s = watched.frames[STANDARD][t.ReplayMoments].filter(kind="goal").item(0, "time_s")
    with opened(browser, watched, f"{watched.path()}#t=83.2&player=3&camera=follow") as page:
        linked = state(page)
        assert (linked["time"], linked["chosen"], linked["view"], linked["isPlaying"]) == (83.2, 3, "follow", False)
        expect(page.locator(".player[aria-pressed=true] .who")).to_have_text(_name(watched, 2))
        keys = page.keyboard
        keys.press("ArrowRight")
        assert state(page)["time"] == pytest.approx(88.2)
        keys.press("ArrowLeft")
        for number, view in enumerate(("orbit", "top", "follow", "ball", "flat"), start=1):
            keys.press(str(number))
            assert state(page)["view"] == view
            keep(page, f"watch-{view}")
        before = state(page)["time"]
        keys.press(".")
        assert 0.02 < state(page)["time"] - before < 0.2
        keys.press(",")
        keys.press(",")
        assert state(page)["time"] < before
        page.get_by_label("Time in the replay").fill("120")
        assert state(page)["time"] == 120
        assert "t=120" in page.url
        keys.press("Space")
        page.wait_for_timeout(400)
        keys.press("Space")
        assert 120.1 < state(page)["time"] < 122
        # What is marked is jumped to a little before it happens.
        page.get_by_role("button", name="Goal").dispatch_event("click")
        assert state(page)["time"] == pytest.approx(goal_s - 4)
        # So is a moment of the table, and one that is linked to.
        page.locator("#moments a", has_text="0:").first.click()
        assert state(page)["time"] < 60
        keys.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        keys.press("1")
        assert state(page)["view"] == "flat"
        keys.press("Escape")


def _name(watched: Watched, seat: int) -> str:
    found = watched.frames[STANDARD][t.Participants]
    return found.filter(player_id=watched.seats()[seat]).item(0, "player_name")


def test_who_has_left_stands_after_the_others_and_is_not_there_afterwards(plain: Browser, watched: Watched) -> None:
    with opened(plain, watched, f"{watched.path(COME_AND_GO)}#t=55") as page:
        listed = page.locator("[data-players] li:not([hidden])")
        # Three a side at either time, of the thirteen who played; three of the first six left before the end.
        expect(listed).to_have_count(6)
        assert ["until" in each for each in listed.all_inner_texts()] == [False] * 3 + [True] * 3
        page.evaluate("gamestatsReplay.seek(300)")
        expect(listed.filter(has_text="until")).to_have_count(0)
        expect(listed).to_have_count(6)


def test_countdowns_and_the_time_after_a_goal_are_skipped_unless_one_wants_them(
    plain: Browser, watched: Watched
) -> None:
    goal_s = watched.frames[COME_AND_GO][t.ReplayMoments].filter(kind="goal")["time_s"].sort().item(0)
    live = watched.frames[COME_AND_GO][t.ReplayFrames].filter(pl.col("is_live") & (pl.col("time_s") > goal_s + 3))
    goes_on_s = live["time_s"].sort().item(0)
    with opened(plain, watched, f"{watched.path(COME_AND_GO)}#t={goal_s + 1.5:.2f}") as page:
        page.keyboard.press("Space")
        page.wait_for_timeout(1500)
        assert state(page)["time"] > goes_on_s - 0.7
        assert sorted(page.locator(".team b").all_inner_texts()) == ["0", "1"]
        page.get_by_label("Skip breaks").uncheck()
        page.get_by_label("Time in the replay").fill(f"{goal_s + 1.5:.2f}")
        page.wait_for_timeout(1500)
        assert state(page)["time"] < goes_on_s - 2


def test_the_field_is_drawn_flat_where_there_is_no_webgl_and_on_paper(plain: Browser, watched: Watched) -> None:
    with opened(plain, watched, f"{watched.path()}#t=20") as page:
        assert state(page)["isFlat"]
        expect(page.get_by_text("cannot draw 3D")).to_be_visible()
        expect(page.get_by_role("radio", name="Orbit")).to_be_disabled()
        # There is grass, and there are cars of both teams.
        colours = page.evaluate(
            """() => { const {data} = gamestatsReplay.flat.getContext("2d").getImageData(0, 0, 700, 400);
            const found = new Set(); for (let at = 0; at < data.length; at += 4)
            found.add(`${data[at]} ${data[at + 1]} ${data[at + 2]}`); return [...found]; }"""
        )
        assert {"47 134 255", "255 138 31"} <= {*colours}
        keep(page, "watch-flat")
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(page.locator("[data-paper]")).to_be_visible()
        expect(page.locator(".controls").first).to_be_hidden()
        keep(page, "watch-paper")


FLOOR = "() => { const {middle: [u, v], scale} = gamestatsReplay.top; return {u, v, scale}; }"
COLOURS = """(rows) => { const {ground} = gamestatsReplay.top, {width, height} = ground;
    const pixels = new Uint32Array(ground.getContext("2d").getImageData(0, 0, width, height).data.buffer);
    return rows.map((row) => row.map(([across, down]) => pixels[width * down + across])); }"""


def of_dropshot(track: bytes) -> bytes:
    """A track as one of dropshot's field."""
    length = int.from_bytes(track[4:8], "little")
    header = track[8 : 8 + length].replace(b'"field":"soccar"', b'"field":"dropshot"')
    return track[:4] + len(header).to_bytes(4, "little") + header + track[8 + length :]


def test_dropshot_has_a_floor_of_its_own(plain: Browser, watched: Watched) -> None:
    track = of_dropshot(gzip.decompress(watched.frames[STANDARD][t.ReplayTracks].item(0, "track")))
    with opened(plain, watched, watched.path(), track=track) as page:
        keep(page, "watch-dropshot-flat")
        drawn = page.evaluate(FLOOR)

        def at(y: float, xs: Iterable[float]) -> list[tuple[int, int]]:
            """Places on the floor; orange's goal is to the right."""
            return [(int(drawn["u"] + y * drawn["scale"]), int(drawn["v"] - x * drawn["scale"])) for x in xs]

        # Seven rows in each half, of thirteen tiles in the middle and of seven at the wall.
        ys = [128 + 768 * 3**0.5 / 2 * row for row in range(7)]
        middles = [[(tile - (tiles - 1) / 2) * 768 for tile in range(tiles)] for tiles in range(13, 6, -1)]
        of_blue = [at(-y, xs) for y, xs in zip(ys, middles, strict=True)]
        of_orange = [at(y, xs) for y, xs in zip(ys, middles, strict=True)]
        between = [at(-y, (x + 384 for x in xs[:-1])) for y, xs in zip(ys, middles, strict=True)]
        # Of soccar's circle there is nothing.
        circle = at(-949, [384])
        rows = [{*row} for row in page.evaluate(COLOURS, [*of_blue, circle, *of_orange, *between])]
    blue, orange, edges = rows[0], rows[8], set.union(*rows[15:])
    assert rows[:8] == [blue] * 8
    assert rows[8:15] == [orange] * 7
    assert len(blue) == len(orange) == 1
    assert orange != blue
    assert not blue & edges


def test_everybody_can_watch(browser: Browser, watched: Watched) -> None:
    with opened(browser, watched, f"{watched.path()}#t=24&player=1") as page:
        page.keyboard.press("?")
        assert obstacles_in_looks(page, "watch-keys", "moderate") == []
        page.keyboard.press("Escape")
        assert obstacles_in_looks(page, "watch", "moderate") == []


def test_of_a_track_that_is_cut_off_what_came_can_be_watched(plain: Browser, watched: Watched) -> None:
    content = gzip.decompress(watched.frames[STANDARD][t.ReplayTracks].item(0, "track"))
    with opened(plain, watched, watched.path(), track=content[: len(content) // 2]) as page:
        expect(page.get_by_text("The rest of the replay could not be loaded")).to_be_visible()
        assert page.get_attribute("#replay", "data-drawn") == "some"
        page.keyboard.press("ArrowRight")
        assert state(page)["time"] == 5
        page.unroute("**/track")
        page.reload()
        whole(page)


def test_clips_of_several_replays_follow_each_other(plain: Browser, watched: Watched) -> None:
    with opened(plain, watched, "/rocket-league/clips/watch?kind=boost_starved") as page:
        found = [
            row["time_s"]
            for name, player in watched.ann.items()
            for row in watched.frames[name][t.Moments].iter_rows(named=True)
            if row["kind"] == "boost_starved" and row["player_id"] == player
        ]
        assert page.locator("[data-clip]").count() == len(found) > 2
        expect(page.locator("[data-clip]").first).to_have_attribute("aria-current", "true")
        page.evaluate("gamestatsReplay.seek(1e9)")
        page.evaluate("gamestatsReplay.play(true); gamestatsReplay.seek(1e9)")
        expect(page.locator("[data-clip]").nth(1)).to_have_attribute("aria-current", "true")
        page.get_by_role("button", name="Next clip").click()
        expect(page.locator("[data-clip]").nth(2)).to_have_attribute("aria-current", "true")
        whole(page)
        page.locator("[data-clip]").last.click()
        expect(page.locator("[data-clip]").last).to_have_attribute("aria-current", "true")
        whole(page)
        assert state(page)["clip"] == len(found) - 1


def test_who_may_see_no_replay_finds_none(watched: Watched) -> None:
    track = f"/api/v1/replays/{watched.match()}/track"
    for path in (watched.path(), track):
        assert watched.site.get(path, follow_redirects=False).status_code in (303, 401)
        with closing(browser_of(watched.site, watched.url, "Bob")) as bob:
            assert bob.get(path).status_code == 404
    with closing(browser_of(watched.site, watched.url, "Ann")) as ann:
        answer = ann.get(track)
        assert answer.content[:4] == b"GST1"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert ann.get(track, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
        assert ann.get(f"/api/v1/replays/{'0' * 32}/track").status_code == 404


def test_without_javascript_moments_are_a_table_and_nobody_elses_mistakes_are_in_it(watched: Watched) -> None:
    moments = watched.frames[STANDARD][t.Moments]
    with closing(browser_of(watched.site, watched.url, "Ann")) as ann:
        page = ann.get(watched.path()).text
    own = moments.filter(pl.col("player_id") == watched.ann[STANDARD])
    assert page.count("<td>Missed rotation</td>") == own.filter(kind="missed_rotation").height > 0
    assert page.count("<td>Shot</td>") == moments.filter(kind="shot").height
    assert "needs JavaScript" in page
    # Nobody's account is told.
    assert not any(player in page for player in watched.seats())


def test_who_has_the_link_of_a_shared_replay_watches_it_without_anybodys_mistakes(watched: Watched) -> None:
    with closing(browser_of(watched.site, watched.url, "Ann")) as ann:
        address = ann.post(f"/api/v1/replays/{watched.match()}/share").json()["data"]["address"]
    page = watched.site.get(f"{address}/watch")
    assert page.status_code == 200
    assert "<td>Shot</td>" in page.text
    assert "<td>Missed rotation</td>" not in page.text
    fact = watched.frames[STANDARD][t.MatchFacts].row(0, named=True)
    assert f"<h1>Ranked standard, Blue {fact['blue_score']}:{fact['orange_score']} Orange</h1>" in page.text
    assert watched.site.get(f"{address}/track").content[:4] == b"GST1"
    assert watched.site.get(f"{address}x/track").status_code == 404
