"""The pages of a player: what they tell, what is done on them, and that they are nobody else's; in a browser, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.rocket_league import tables as t
from gamestats_assets_tests.rocket_league.serving.trainer import (
    ANN,
    ANNS_OTHER,
    BOB,
    DOUBLES,
    DUELS,
    EVE,
    KID,
    LAST,
    PACK,
    began,
    link,
)
from gamestats_assets_tests.rocket_league.support.building import rows
from gamestats_assets_tests.rocket_league.support.linking import linked
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of
from gamestats_assets_tests.support.browsers import Shown, chromium, keep, obstacles_in_looks

HOME = "/rocket-league"
PAGES = {
    "dashboard": HOME,
    "duels": f"{HOME}?playlist={DUELS}",
    "skill": f"{HOME}/skills/saves",
    "playlist": f"{HOME}/playlists/{DOUBLES}",
    "compare": f"{HOME}/compare",
    "training": f"{HOME}/training",
    "packs": f"{HOME}/packs?q=save",
    "replays": f"{HOME}/replays",
    "replay": f"{HOME}/replays/{LAST}",
    "clips": f"{HOME}/clips",
    "settings": f"{HOME}/settings",
}
HTML = {"Accept": "text/html"}


def page_of(browser: httpx.Client, path: str, status: int = 200) -> str:
    """What a browser is answered."""
    answer = browser.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    return answer.text


def words_of(html: str) -> str:
    """What a reader reads."""
    plain = re.sub(r"(?s)<(script|style|title).*?</\1>", "", html)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", plain))).replace(" ,", ",").replace(" .", ".")


def read(browser: httpx.Client, path: str) -> str:
    return words_of(page_of(browser, path))


def post(browser: httpx.Client, path: str, **given: str) -> httpx.Response:
    """Send a form, as a page of ours would."""
    token = browser.headers["X-CSRF-Token"]
    return browser.post(path, data={"csrf_token": token, **given}, headers=HTML)


# --------------------------------------------------------------------------- what they tell


def test_the_dashboard_tells_rank_skills_what_to_train_and_the_last_matches(ann: httpx.Client) -> None:
    page = page_of(ann, HOME)
    words = words_of(page)
    for phrase in (
        "Ann Ranked doubles, 12 matches", "Known rank Champion I", "Plays like Champion I (15.6)",
        "80% interval Diamond II (14.1) to Champion II (17.2)", "In 30 days +0.3 ranks 80% interval −0.1 to +0.7",
        "The interval contains 0", "Form: twelve matches.", "Saves weakness 7% 2–16",
        "Not measured: rotation. Nothing is known.",
        "It trains saves, one of your weaknesses: only 7% of players of your rank are worse. You trained it once.",
        "A weakness: saves.", "Won 3:1", "↓ saves 20%",
    ):  # fmt: skip
        assert phrase in words, phrase
    # Saves by week, with the session that was logged.
    assert re.search(r'<figure id="p1-saves">.*?<g class="mark"><title>1 Sep 2026: 20 minutes in Saves,', page, re.S)
    assert f'href="{HOME}/replays/{LAST}"' in page


def test_a_playlist_with_few_matches_says_how_many_it_takes(ann: httpx.Client) -> None:
    words = read(ann, f"{HOME}?playlist={DUELS}")
    assert "Not measured: aerials, saves, positioning, shooting. Not enough matches yet: 3 of 5 with figures." in words
    assert words.count("of 5 with figures") == 1
    assert "Not predicted. Not enough matches yet: 3 of 10 in Ranked duels." in words
    assert ann.get(f"{HOME}?playlist=ranked-hoops", headers=HTML).status_code == 404


def test_where_no_skill_is_measured_yet_mistakes_say_what_to_look_at(site: httpx.Client, url: str) -> None:
    with closing(browser_of(site, url, "bob")) as bob:
        page = page_of(bob, HOME)
    assert "Until then, watch your mistakes so far: Goals conceded: 1" in words_of(page)
    assert f'href="{HOME}/clips?kind=conceded"' in page


def test_a_skill_a_playlist_a_comparison_and_training_tell_all_of_it(ann: httpx.Client) -> None:
    skill = read(ann, PAGES["skill"])
    assert "7% of the 120 players around Champion I are worse (90% interval: 2 to 16%)." in skill
    # The mean of 20 to 31%, beside the cohort.
    assert "Shots against that were saved 25.5% median 30.1%" in skill
    assert "moved by +0.50 standard deviations" in skill
    assert "This is an improvement beyond chance." in skill
    assert "15 Sep 2026: 20 minutes in Saves, 9 of 10 attempts succeeded" in skill
    assert "It trains saves, one of your weaknesses: only 7% of players of your rank are worse." in skill
    playlist = read(ann, PAGES["playlist"])
    assert "Time in play: 50.0% in the own third" in playlist
    assert "Version 3 (served), trained on 900 players" in playlist
    assert "saves 20% more shots" in playlist
    compare = read(ann, PAGES["compare"])
    # The last four matches, of October, are the last 30 days.
    assert "Before 23.5% 8 matches" not in compare
    assert re.search(r"Shots against that were saved .*?25\.5%", compare)
    training = read(ann, PAGES["training"])
    assert "20 min 10 50.0% Remove" in training
    assert "Saves 3 sessions, 1.0 hours" in training


def test_a_replay_page_has_players_moments_and_ones_own_mistakes_alone(ann: httpx.Client) -> None:
    page = page_of(ann, PAGES["replay"])
    words = words_of(page)
    assert "Ranked doubles Won 3:1" in words
    assert "5:30 · DFH Stadium" in words
    assert "Goal of Ann assisted by Eve" in words
    assert "Ann out of boost for 4.5 s" in words
    assert "Goal conceded with Ann as the last defender scored by Bob" in words
    assert "Goal conceded with Bob" not in words
    assert "&lt;i&gt;kid" in page
    assert "<i>kid" not in page
    # Each mark leads into the viewer, three seconds before.
    marks = re.findall(r'<svg class="lanes" role="group".*?</svg>', page, re.S)[0]
    assert f'<a href="{HOME}/replays/{LAST}/watch#t=28.5" aria-label="0:31 Goal of Ann">' in marks
    assert re.search(r"Shots against that were saved Saves divided by shots against the team[^.]*\. 31\.0%", words)
    assert "nothing to compare" not in words
    assert "Other users who played this match see it among their own" in words
    watch = page_of(ann, f"{PAGES['replay']}/watch")
    assert "<h2>Players</h2>" in watch
    assert "Out of boost" in words_of(watch)
    assert "Out of boost 1 " in read(ann, PAGES["clips"])


def test_own_goals_come_first_and_what_is_unknown_is_said_once(ann: httpx.Client, url: str) -> None:
    day, match_id = began(3).date(), f"{0xA00 + 200:032X}"
    of_match = {"match_id": match_id, "match_date": day}
    facts = {"playlist": DOUBLES, "started_at": began(3), "duration_s": 300.0, "map_code": "moon_p"}
    facts |= {"blue_score": 5, "orange_score": 2, "is_soccar": True}
    own = {"player_id": ANNS_OTHER, "player_name": "Ann", "team": "orange", "result": "loss"}
    others = [{"player_id": f"forgotten_{each}", "player_name": "(forgotten)", "team": "blue"} for each in (1, 2)]
    stats = [
        {"player_id": ANNS_OTHER, "match_id": match_id, "time": began(3), "playlist": DOUBLES, "stat_type": name}
        | {"value": value}
        for name, value in (("avg_boost", 40.0), ("touches_per_minute", 2.5))
    ]
    publish(url, t.MatchFacts, [day], rows(t.MatchFacts, {**of_match, **facts}))
    publish(url, t.Participants, [day], rows(t.Participants, *({**of_match, **each} for each in (own, *others))))
    publish(url, t.PlayerStats, [ANNS_OTHER], rows(t.PlayerStats, *stats))
    page = page_of(ann, f"{HOME}/replays/{match_id}")
    words = words_of(page)
    assert "Ranked doubles Lost 2:5" in words
    # Nobody has named this map yet.
    assert "5:00 · moon_p" in words
    assert "Ann You Orange – " in words
    assert re.search(r"\(forgotten 1\) Blue .*\(forgotten 2\) Blue .* A player named \(forgotten\) is no longer", words)
    assert "The file that you sent" not in words
    assert re.search(r"2 figures with nothing to compare them with .*Touches per minute\. 2\.50", words)
    assert 'id="features-table"' not in page
    assert "Ranked doubles, Lost 2:5" in read(ann, f"{HOME}/replays/{match_id}/watch")
    # What Ann tells, and what became of a file of hers.
    rank = {"playlist": DOUBLES, "rank": "gold-2"}
    ann.put("/api/v1/users/ranks", params={"player": ANNS_OTHER}, json=rank).raise_for_status()
    send(ann, url, match_id)
    words = read(ann, f"{HOME}/replays/{match_id}")
    assert "Ann You Orange Gold II " in words
    assert "The file that you sent was deleted because it names that player; its data on the match is kept." in words


def send(browser: httpx.Client, url: str, match_id: str) -> None:
    """Send a replay, which turns out to be of a match."""
    name = f"{match_id}.replay"
    sent = browser.post("/api/v1/replays/upload", files={"file": (name, f"TAGame.Replay_Soccar_TA{match_id}".encode())})
    upload = sent.raise_for_status().json()["data"]
    with psycopg.connect(url) as conn:
        conn.execute("UPDATE ops.rl_uploads SET match_id = %s WHERE upload_id = %s", [match_id, upload["replay_id"]])
        done = "UPDATE ops.jobs SET state = 'done', finished_at = now() WHERE job_id = %s"
        conn.execute(done, [upload["job_id"]])


def test_who_sent_a_replay_of_nobody_known_says_on_its_page_which_player_it_is(
    site: httpx.Client, url: str, ann: httpx.Client
) -> None:
    link(url, "bobby", "xbox_0000000000000001")
    with closing(browser_of(site, url, "ina")) as ina, closing(browser_of(site, url, "bobby")) as bobby:
        send(ina, url, LAST)
        home = page_of(ina, HOME)
        assert "A replay that you sent has arrived: say on its page which player you are." in words_of(home)
        assert "Upload replays. done" in words_of(home)
        assert f'href="{PAGES["replay"]}#board"' in home
        page = page_of(ina, PAGES["replay"])
        assert "None of your accounts played this match. If you did, say which player you are" in words_of(page)
        assert re.findall(r'name="place" value="(\d)">This is me<span class="unseen">: (.+?)</span>', page) == [
            ("1", "Ann"), ("0", "Eve"), ("2", "Bob"), ("3", "&lt;i&gt;kid"),
        ]  # fmt: skip
        assert not any(player in page for player in (ANN, BOB, EVE, KID))
        done = post(ina, f"{PAGES['replay']}/claim", place="0")
        assert "The account is waiting for an administrator" in read(ina, done.headers["location"])
        [account] = ina.get("/api/v1/users/players").json()["data"]["players"]
        assert (account["player_id"], account["state"]) == (EVE, "claimed")
        assert "Eve Waiting Blue Champion I" in read(ina, PAGES["replay"])
        assert page_of(ina, PAGES["replay"]).count('name="place"') == 3
        assert "epic:eve is waiting for an administrator" in read(ina, HOME)
        assert post(ina, f"{PAGES['replay']}/claim", place="4").status_code == 404
        # Neither who played it nor who did not send it is anybody else of it.
        for other in (ann, bobby):
            assert post(other, f"{PAGES['replay']}/claim", place="0").status_code == 404
    send(ann, url, LAST)
    assert "This is me" not in read(ann, PAGES["replay"])
    assert post(ann, f"{PAGES['replay']}/claim", place="0").status_code == 404


def test_a_new_user_sees_three_steps_and_how_far(site: httpx.Client, url: str) -> None:
    with closing(browser_of(site, url, "somebody new")) as new:
        for path in (HOME, f"{HOME}/training", f"{HOME}/skills/saves", f"{HOME}/playlists/{DOUBLES}"):
            words = read(new, path)
            assert "Link an account" in words
            assert "Read and agree" not in words
    link(url, "somebody linked", "xbox_0123456789abcdef")
    with closing(browser_of(site, url, "somebody linked")) as linked:
        words = read(linked, HOME)
        assert "Link your account. done" in words
        assert "Agree to the analysis. done" in words


def test_before_anything_is_published_every_page_says_how_to_begin(ops_database: str, tmp_path: Path) -> None:
    link(ops_database, "first", ANN)
    with served(ops_database, data=str(tmp_path)) as site, closing(browser_of(site, ops_database, "first")) as first:
        assert "Upload replays." in read(first, HOME)
        for path in ("replays", "training", "compare", "skills/saves", "clips", "packs", "settings"):
            page_of(first, f"{HOME}/{path}")


def test_visitors_see_the_welcome_page_and_the_packs(site: httpx.Client) -> None:
    assert "Sign in" in read(site, HOME)
    assert "Drop your replays" in read(site, HOME)
    assert "1 pack" in read(site, f"{HOME}/packs?code={PACK}")
    for path in (f"{HOME}/replays", PAGES["replay"]):
        page_of(site, path, 401)


# --------------------------------------------------------------------------- what is done


def test_a_session_is_logged_and_taken_out_by_forms(ann: httpx.Client) -> None:
    done = post(ann, f"{HOME}/training", code=PACK, minutes="30", player=ANN, next=HOME)
    assert (done.status_code, done.headers["location"]) == (303, f"{HOME}?done=logged")
    assert "The session is logged." in read(ann, f"{HOME}?done=logged")
    page = page_of(ann, PAGES["training"])
    assert "30 min" in words_of(page)
    newest = re.findall(rf'action="({HOME}/training/\d+/remove)"', page)[0]
    assert post(ann, newest).headers["location"] == f"{HOME}/training?done=taken"
    assert "30 min –" not in read(ann, PAGES["training"])
    for given, message in (
        ({"minutes": "soon", "code": PACK}, "Say how long it was"),
        ({"minutes": "20"}, "Neither a pack nor a skill is given"),
        (
            {"minutes": "20", "code": PACK, "attempts": "3", "successes": "5"},
            "There were 5 successes, but only 3 attempts.",
        ),
    ):
        answer = post(ann, f"{HOME}/training", player=ANN, **given)
        assert message in words_of(answer.text)
    assert post(ann, f"{HOME}/training", player=BOB, code=PACK, minutes="30").status_code == 404
    # Where it leads on is never another site.
    away = post(ann, f"{HOME}/training", code=PACK, minutes="1", player=ANN, next="//evil.example/")
    assert away.headers["location"].startswith("/?done=")


def test_a_replay_is_shared_by_link_until_it_is_not(ann: httpx.Client, site: httpx.Client) -> None:
    assert "/shared/" not in page_of(ann, PAGES["replay"])
    post(ann, f"{PAGES['replay']}/share")
    [address] = set(re.findall(r"(/rocket-league/shared/[\w-]+)", page_of(ann, PAGES["replay"])))
    words = read(site, address)
    assert "Goal of Ann assisted by Eve" in words
    for kept in ("out of boost", "Out of boost", "conceded", "Your skills", "Save 31.0%"):
        assert kept not in words
    seen = "A visitor with the link"
    page_of(ann, address)
    assert page_of(ann, f"{HOME}/settings").count(seen) == 1, "who is told of it is not counted"
    post(ann, f"{PAGES['replay']}/unshare")
    page_of(site, address, 404)


def test_a_coach_sees_the_pages_and_changes_nothing_until_it_is_taken_back(
    site: httpx.Client, url: str, ann: httpx.Client
) -> None:
    with closing(browser_of(site, url, "carl")) as carl:
        page_of(carl, f"{HOME}?player={ANN}", 404)
        token = ann.post("/api/v1/users/invitations", json={}).json()["data"]["token"]
        carl.post("/api/v1/users/invitations/accept", json={"token": token}).raise_for_status()
        page = page_of(carl, f"{HOME}?player={ANN}")
        assert "These are the pages of Ann, who shares them with you." in words_of(page)
        # Links stay with the player, and nothing can be done.
        assert f'href="{HOME}/skills/saves?playlist={DOUBLES}&amp;player={ANN}"' in page
        assert "Log a session" not in page
        page_of(carl, f"{PAGES['replay']}?player={ANN}")
        assert post(carl, f"{HOME}/training", player=ANN, code=PACK, minutes="30").status_code == 404
        [number] = [row["invitation_id"] for row in ann.get("/api/v1/users/invitations").json()["data"]["invitations"]]
        ann.delete(f"/api/v1/users/invitations/{number}").raise_for_status()
        page_of(carl, f"{HOME}?player={ANN}", 404)
        page_of(carl, f"{PAGES['replay']}", 404)
    with closing(browser_of(site, url, "bob")) as bob:
        # Bob played that match, too, and sees his own mistakes in it.
        assert "Goal conceded with Bob as the last defender" in read(bob, PAGES["replay"])


# --------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def signed_in(browser: Browser, site: httpx.Client, url: str, name: str, **how: object) -> Page:
    """A page of a browser in which somebody is signed in."""
    context = browser.new_context(base_url=str(site.base_url), **how)  # pyright: ignore[reportArgumentType]
    with closing(browser_of(site, url, name)) as found:
        cookies = [{"name": key, "value": value, "url": str(site.base_url)} for key, value in found.cookies.items()]
    context.add_cookies(cookies)  # pyright: ignore[reportArgumentType]
    return context.new_page()


def test_replays_are_dropped_and_a_session_is_logged_by_two_clicks(
    browser: Browser, site: httpx.Client, url: str
) -> None:
    page = signed_in(browser, site, url, "ann")
    shown = Shown(page)
    page.goto(HOME)
    page.evaluate(
        """() => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(20), "TAGame.Replay_Soccar_TA", "x".repeat(5000)], "a.replay"));
            files.items.add(new File(["It is a letter."], "letter.txt"));
            for (const kind of ["dragenter", "dragover", "drop"]) {
                const told = { dataTransfer: files, bubbles: true, cancelable: true };
                document.body.dispatchEvent(new DragEvent(kind, told));
            }
        }"""
    )
    expect(page.locator("#sending .error")).to_contain_text("letter.txt This is not a replay.", use_inner_text=True)
    expect(page.locator("#uploads li").first).to_contain_text("a.replay")
    expect(page.locator("#uploads progress")).to_have_count(1)
    with psycopg.connect(url) as conn:
        conn.execute("UPDATE ops.rl_uploads SET match_id = %s WHERE file_name = 'a.replay'", [LAST])
        conn.execute("UPDATE ops.jobs SET state = 'done', finished_at = now() WHERE kind = 'replay'")
    expect(page.locator("#uploads a").first).to_have_attribute("href", f"{HOME}/replays/{LAST}")
    # The page was shown anew: what has been done stands in it, and nothing was lost.
    expect(page.get_by_role("heading", name="Five skills against your rank")).to_be_visible()
    page.locator(".next summary", has_text="Log a session").first.click()
    page.locator(".next").get_by_role("button", name="20 min").first.click()
    expect(page.locator(".notice.good")).to_contain_text("The session is logged.")
    keep(page, "trainer_dashboard")
    complaints = [each for each in shown.troubles if "415" not in each]
    assert complaints == []
    assert [each for each in shown.asked if not each.startswith(str(site.base_url))] == []


def test_pages_fit_and_have_no_obstacles_in_light_and_dark(browser: Browser, site: httpx.Client, url: str) -> None:
    page = signed_in(browser, site, url, "ann")
    for name, path in PAGES.items():
        page.goto(path)
        assert obstacles_in_looks(page, f"trainer-{name}", "moderate") == [], name
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(HOME)
    box = page.locator(".drop").bounding_box()
    assert box, "where replays are sent is shown"
    assert box["height"] < 200, "it is as tall as what is in it, whatever stands beside"


def test_pages_can_be_read_and_used_without_javascript(browser: Browser, site: httpx.Client, url: str) -> None:
    page = signed_in(browser, site, url, "ann", java_script_enabled=False)
    page.goto(PAGES["replay"])
    page.locator("summary", has_text="as a table").click()
    expect(page.locator("#moments-table tbody tr")).to_have_count(3)
    page.goto(f"{HOME}/replays")
    expect(page.locator("input[type=file]")).to_be_visible()
    replay: FilePayload = {
        "name": "b.replay",
        "mimeType": "application/octet-stream",
        "buffer": b"\0" * 20 + b"TAGame.Replay_ b",
    }
    page.locator("input[type=file]").set_input_files(replay)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator(".notice.good")).to_contain_text("The replays are sent.")
    expect(page.locator("#uploads-table")).to_contain_text("b.replay")
    page.goto(PAGES["training"])
    page.get_by_label("Trained skill").select_option("shooting")
    page.get_by_label("Successes").fill("5")
    page.get_by_role("button", name="Log it").click()
    expect(page.locator("form .error")).to_contain_text("attempts")
    page.get_by_label("Attempts").fill("8")
    page.get_by_role("button", name="Log it").click()
    newest = page.locator("#sessions-table tbody tr").first
    expect(newest).to_contain_text("62.5%")
    newest.get_by_role("button", name="Remove").click()
    expect(page.locator(".notice.good")).to_contain_text("The session is removed.")


def test_a_match_is_removed_by_a_job(ann: httpx.Client) -> None:
    post(ann, f"{PAGES['replay']}/remove")
    jobs = ann.get("/api/v1/jobs").json()["data"]["jobs"]
    assert [(job["kind"], job["state"]) for job in jobs if job["kind"] == "forget_match"] == [
        ("forget_match", "queued")
    ]


def test_who_has_no_account_sees_what_was_sent_and_what_was_refused(site: httpx.Client, url: str) -> None:
    with closing(browser_of(site, url, "dora")) as dora:
        page_of(dora, f"{HOME}/replays")
        files = [("file", ("mine.replay", b"TAGame.Replay_Soccar_TA")), ("file", ("notes.txt", b"nothing"))]
        words = words_of(dora.post(f"{HOME}/replays", files=files, headers=HTML).text)
        assert "mine.replay" in words
        assert "A file was rejected. Accepted files are listed below. notes.txt : This is not a replay." in words
        alone = dora.post(f"{HOME}/replays", files=files[1:], headers=HTML)
        assert "notes.txt : This is not a replay." in words_of(alone.text)
        assert '<form class="drop"' in alone.text
        with psycopg.connect(url) as conn:
            conn.execute(
                "UPDATE ops.jobs SET state = 'done', result = '{\"own_players\": []}' FROM ops.rl_uploads u "
                "WHERE u.job_id = jobs.job_id AND file_name = 'mine.replay'"
            )
        assert "See it None of your accounts played in it" in read(dora, f"{HOME}/replays")


@pytest.mark.parametrize("page", ["clips", "compare"])
def test_pages_without_the_analysis_lead_to_the_consents(site: httpx.Client, url: str, page: str) -> None:
    with closing(browser_of(site, url, f"nora of {page}")) as nora:
        linked(url, f"nora of {page}", f"steam_nora_{page}")
        assert f'href="{HOME}/settings#consents"' in page_of(nora, f"{HOME}/{page}")
