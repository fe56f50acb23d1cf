"""Pages on which people decide about what is held on them: as forms without JavaScript, and in Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from gamestats_assets.lakehouse.entries.jobs import enqueue
from gamestats_assets.rocket_league.privacy.consents import consent_texts, newest_text
from gamestats_assets_tests.rocket_league.support.linking import linked
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of, link_for
from gamestats_assets_tests.support.browsers import Shown, chromium, obstacles_in_looks
from gamestats_assets_tests.support.postgres_fixture import database

SETTINGS, KIM = "/rocket-league/settings", "steam_76561190000000001"


@pytest.fixture(scope="module")
def url(postgres_url: str, ops_template: str) -> Iterator[str]:
    with database(postgres_url, ops_template) as found:
        linked(found, "kim", KIM)
        yield found


@pytest.fixture(scope="module")
def site(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with served(url, data=str(tmp_path_factory.mktemp("data"))) as client:
        yield client


@pytest.fixture
def kim(site: httpx.Client, url: str) -> Iterator[httpx.Client]:
    with closing(browser_of(site, url, "kim")) as browser:
        browser.headers.pop("X-CSRF-Token")
        yield browser


def rows(url: str, query: Any) -> list[dict[str, Any]]:
    with psycopg.connect(url) as conn:
        return conn.cursor(row_factory=dict_row).execute(query).fetchall()


def sent(browser: httpx.Client, part: str, **fields: str) -> str:
    """The page after a form of the settings was sent with the token that stands in it."""
    page = browser.get(SETTINGS)
    [token] = {*re.findall(r'name="csrf_token" value="(\w+)"', page.text)}
    answer = browser.post(f"{SETTINGS}/{part}", data={"csrf_token": token, **fields}, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_settings_need_a_sign_in_and_refuse_forged_forms(site: httpx.Client, kim: httpx.Client) -> None:
    answer = site.get(SETTINGS)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Frocket-league%2Fsettings")
    for part in ("accounts", "consents", "ranks", "profile", "coach", "export", "erase"):
        assert kim.post(f"{SETTINGS}/{part}", data={"sure": "true"}).status_code == 403, part
        assert site.post(f"{SETTINGS}/{part}").status_code == 401, part


def test_what_somebody_decides_on_the_page_is_kept(url: str, kim: httpx.Client) -> None:
    newest = newest_text()
    texts = consent_texts()[newest]
    page = kim.get(SETTINGS).text
    assert all(each.title in page for each in texts.values())
    answered = sent(
        kim, "consents", analysis="true", models="true", share_at_ballchasing="private", text_version=str(newest)
    )
    assert "Your choices are saved" in answered
    sent(kim, "consents", analysis="true", cohorts="true", text_version=str(newest))
    [row] = rows(url, "SELECT * FROM ops.rl_players")
    allowed = {name for name in ("consented", "cohorts", "models", "comparison") if row[f"{name}_at"]}
    assert (allowed, row["consent_text"], row["share_at_ballchasing"]) == (
        {"consented", "cohorts"},
        newest_text(),
        None,
    )
    assert "Read the texts first" in sent(kim, "consents", comparison="true", text_version="7")
    log = rows(url, "SELECT purpose, is_given FROM ops.rl_consents ORDER BY consent_id")
    assert [(each["purpose"], each["is_given"]) for each in log] == [
        ("analysis", True), ("models", True), ("ballchasing", True),
        ("cohorts", True), ("models", False), ("ballchasing", False),
    ]  # fmt: skip

    assert "The rank was saved" in sent(kim, "ranks", playlist="ranked-duels", rank="gold-2", division="3")
    assert "<strong>Gold II</strong> division 3" in kim.get(SETTINGS).text
    assert "<strong>Gold II</strong>" not in sent(kim, "ranks", playlist="ranked-duels", act="take")
    assert rows(url, "SELECT 1 FROM ops.rl_ranks") == []

    sent(kim, "profile", username="kim", email="kim@example.org", retention_days="90")
    assert 'value="kim@example.org"' in kim.get(SETTINGS).text
    [row] = rows(url, "SELECT retention_days, email_encrypted FROM ops.rl_players")
    assert (row["retention_days"], "example" in row["email_encrypted"]) == (90, False)
    assert "is no e-mail address" in sent(kim, "profile", username="kim", email="nobody", retention_days="90")
    assert "0 is no whole number" in sent(kim, "profile", username="kim", email="", retention_days="-5")

    answered = sent(kim, "accounts", account="xbox:70cf8d6afd010900", act="add")
    assert "Waiting" in answered
    assert "<bdi>xbox:70cf8d6afd010900</bdi>" in answered
    assert "xbox_70cf8d6afd010900" not in sent(kim, "accounts", account="xbox_70cf8d6afd010900", act="take")
    assert "Look again" in sent(kim, "export")


def test_a_coach_opens_the_link_and_sees_who_invites(site: httpx.Client, url: str, kim: httpx.Client) -> None:
    [address] = re.findall(r"http://[^<\s]*/invitation\?token=[\w-]+", sent(kim, "coach", act="invite"))
    assert "Not accepted yet" in kim.get(SETTINGS).text
    assert "can see your pages" not in kim.get(SETTINGS).text
    assert kim.get(address).text.count("your own invitation") == 1
    path = address.removeprefix(str(site.base_url).rstrip("/"))
    assert site.get(path).headers["location"].startswith("/sign-in?next=%2Finvitation")
    with closing(browser_of(site, url, "lee")) as lee:
        assert "kim" in lee.get(path).text
        done = lee.post("/invitation", data={"token": path.partition("=")[2]})
        assert (done.status_code, done.headers["location"]) == (303, "/rocket-league")
        assert lee.get(path).status_code == 404, "it works once"
        assert "No visits." in kim.get(SETTINGS).text
        for _ in range(2):
            lee.get("/rocket-league", params={"player": KIM})
    assert rows(url, "SELECT u.name FROM accounts.views v JOIN accounts.users u ON u.user_id = guest_id") == [
        {"name": "lee"}
    ]
    assert "<bdi>lee</bdi>" in kim.get(SETTINGS).text.split('id="views"')[1]
    [number] = {row["invitation_id"] for row in rows(url, "SELECT * FROM accounts.invitations WHERE guest_id > 0")}
    sent(kim, "coach", act="take", invitation_id=str(number))
    assert rows(url, "SELECT 1 FROM accounts.invitations WHERE guest_id IS NOT NULL") == []


def test_nothing_is_removed_unless_it_is_meant_by_who_signed_in_just_now(url: str, kim: httpx.Client) -> None:
    assert "Tick the box to confirm" in sent(kim, "erase")
    assert "Remove everything for good" in kim.get(SETTINGS).text
    with psycopg.connect(url) as conn:
        conn.execute("UPDATE accounts.sessions SET created_at = now() - interval '1 hour'")
    page = kim.get(SETTINGS).text
    assert "Remove everything for good" not in page
    assert "Sign out to sign in again" in page
    assert "within the last 10 minutes" in sent(kim, "erase", sure="true")
    assert rows(url, "SELECT 1 FROM ops.jobs WHERE kind = 'erasure'") == []
    [token] = {*re.findall(r'name="csrf_token" value="(\w+)"', page)}
    out = kim.post("/account/sign-out", data={"csrf_token": token, "next": SETTINGS})
    assert out.headers["location"] == "/sign-in?out=true&next=%2Frocket-league%2Fsettings"


def test_an_objection_is_sent_by_anybody_and_decided_by_an_admin(site: httpx.Client, url: str) -> None:
    wrong = site.post("/objection", data={"player": "nobody", "reason": " ", "contact": "me@example.org"})
    assert wrong.status_code == 422
    assert "is no player" in wrong.text or "Fill this in" in wrong.text
    assert 'value="me@example.org"' in wrong.text, "what was filled in stays"
    filled = {"player": "epic:256ba1e6b73847539c5aa6f60267684f", "reason": "<b>me</b>", "contact": ""}
    assert site.post("/objection", data=filled, headers={"Origin": "https://evil.example"}).status_code == 403
    received = site.post("/objection", data=filled)
    assert "received your objection, number" in received.text
    with closing(browser_of(site, url, "root", "admin")) as root:
        page = root.get("/admin/objections").text
        assert "&lt;b&gt;me&lt;/b&gt;" in page
        [act] = re.findall(r'value="(refuse \d+)"', page)
        done = root.post("/admin/objections", data={"act": act, "note": "somebody else"}, follow_redirects=True)
        assert "is refused" in done.text
        assert "somebody else" in done.text
    assert rows(url, "SELECT state FROM ops.rl_objections") == [{"state": "refused"}]


def test_an_admin_follows_a_removal_and_has_it_tried_again(site: httpx.Client, url: str) -> None:
    site.post("/objection", data={"player": "steam:76561190000000077", "reason": "That is me.", "contact": ""})
    [numbered] = rows(url, "SELECT objection_id FROM ops.rl_objections WHERE state = 'open'")
    number = numbered["objection_id"]
    with closing(browser_of(site, url, "root", "admin")) as root:

        def told() -> tuple[dict[str, Any], str]:
            [removal] = root.get("/api/v1/admin/objections").json()["data"]["removals"]
            assert removal["objection_id"] == number
            return removal, root.get("/admin/objections").text.partition('id="decided"')[2]

        def becomes(state: str, said: str, **more: Any) -> tuple[dict[str, Any], str]:
            values = {"state": state, "said": said, "result": None, "error": None, "payload": None, **more}
            values |= {name: values[name] and Jsonb(values[name]) for name in ("result", "payload")}
            with psycopg.connect(url) as conn:
                conn.execute(
                    "UPDATE ops.jobs SET state = %(state)s, said = %(said)s, result = %(result)s, error = %(error)s, "
                    "payload = coalesce(%(payload)s, payload), "
                    "finished_at = CASE WHEN %(state)s IN ('done', 'failed') THEN now() END WHERE kind = 'objection'",
                    values,
                )
            return told()

        root.post("/admin/objections", data={"act": f"grant {number}", "note": ""})
        removal, page = told()
        assert (removal["state"], removal["can_be_tried_again"]) == ("queued", False)
        assert f"Objection {number}" in page
        assert "waiting" in page
        removal, page = becomes("processing", "Step 2 of 6: x", result={"step": 2, "steps": 6})
        assert (removal["step"], removal["steps"], removal["finished_at"]) == (2, 6, None)
        assert "Step 2 of 6: x" in page
        assert "every 3s" in page
        removal, page = becomes("done", "Removed; but", result={"left": {"objects": 2}, "matches": 3})
        assert (removal["left"], removal["can_be_tried_again"]) == ({"objects": 2}, True)
        assert "Traces in objects (2)" in page
        [act] = re.findall(r'value="(again [\w-]+)"', page)
        assert "tried again" in root.post("/admin/objections", data={"act": act}, follow_redirects=True).text
        assert (told()[0]["state"], told()[0]["left"]) == ("queued", None)
        assert rows(url, "SELECT result FROM ops.jobs WHERE kind = 'objection'") == [{"result": {"matches": 3}}]
        assert root.post("/admin/objections", data={"act": act}).status_code == 404, "it waits"
        removal, page = becomes("failed", "failed", error="Why.")
        assert (removal["said"], removal["can_be_tried_again"]) == ("Why.", True)
        assert root.post("/admin/objections", data={"act": act}).status_code == 303
        removal, page = becomes("done", "Nothing.", result={"left": {}}, payload={"objection_id": number})
        assert removal["can_be_tried_again"] is False
        assert "Try again" not in page
        assert page.count(">removed<") == 2, "at the decision, too"


def test_a_removal_shows_its_step_what_is_left_and_what_it_waits_for(site: httpx.Client, url: str) -> None:
    said = "waiting: 2 other requests came before"
    with psycopg.connect(url) as conn:
        job_id = enqueue(conn, "erasure", "rocket_league", None, {})
        conn.execute("UPDATE ops.jobs SET said = %s WHERE job_id = %s", [said, job_id])
    page = site.get(f"/erasure/{job_id}").text
    assert "Waiting: 2 other requests came before" in page
    assert "starts automatically after earlier requests" in page
    for step, left in ((4, "2 steps are left"), (5, "1 step is left"), (6, "the last step")):
        result = Jsonb({"step": step, "steps": 6})
        with psycopg.connect(url) as conn:
            conn.execute(
                "UPDATE ops.jobs SET state = 'processing', said = 'Step: PostgreSQL', result = %s WHERE job_id = %s",
                [result, job_id],
            )
        page = site.get(f"/erasure/{job_id}").text
        assert "Step: PostgreSQL" in page
        assert f'<progress value="{step - 1}" max="6"' in page
        assert left in page
    erasure = site.get(f"/api/v1/erasures/{job_id}").json()["data"]
    assert (erasure["step"], erasure["steps"], erasure["state"]) == (6, 6, "processing")


def test_what_is_taken_back_says_whether_it_is_in_effect_until_it_is_allowed_again(url: str, kim: httpx.Client) -> None:
    newest = str(newest_text())

    def shown(**allowed: str) -> str:
        page = sent(kim, "consents", text_version=newest, **allowed)
        return page.partition('id="withdrawals"')[2].partition("</ul>")[0]

    shown(analysis="true", cohorts="true", models="true")
    page = shown(analysis="true")
    titles = {name: each.title for name, each in consent_texts()[newest_text()].items()}
    assert f"{titles['cohorts']}, {titles['models']}" in page
    assert "not in effect yet" in page
    assert "waiting" in page
    assert "every 2s" in page
    done = "UPDATE ops.jobs SET state = 'done', finished_at = now() WHERE kind = 'withdrawal' RETURNING payload"
    assert [row["payload"]["purposes"] for row in rows(url, done)][-1] == ["cohorts", "models"]
    page = shown(analysis="true", models="true")
    assert titles["cohorts"] in page
    assert titles["models"] not in page, "it is allowed again"
    assert "in effect</span> since" in page
    assert "every 2s" not in page
    assert len(rows(url, "SELECT 1 FROM ops.jobs WHERE kind = 'withdrawal'")) == len(rows(url, done)), "none anew"


@pytest.mark.timeout(120)
def test_pages_fit_and_have_no_obstacles_in_light_and_dark(site: httpx.Client, url: str) -> None:
    base = str(site.base_url).rstrip("/")
    with chromium() as browser:
        shown = Shown(browser.new_page())
        shown.page.goto(f"{base}/sign-in/link?token={link_for(url, 'kim')}")
        shown.page.click("main button")
        for path in (SETTINGS, "/privacy", "/objection"):
            shown.page.goto(base + path)
            assert obstacles_in_looks(shown.page, f"privacy{path.replace('/', '-')}", "moderate") == [], path
        assert shown.troubles == []
