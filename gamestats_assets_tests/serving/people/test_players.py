"""Whose accounts of games are whose, who else may see them, and which matches are shared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from gamestats_assets.settings import SignInProvider
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.sign_in_providers import SteamLike
from gamestats_assets_tests.serving.sign_in.signing_in import SIGN_IN, browser_of, user_named
from gamestats_assets_tests.support.postgres_fixture import database

STEAM = "steam_76561197960287930"
"""Whom the provider vouches for."""
XBOX, EPIC = "xbox_70cf8d6afd010900", "epic_abc"
PLAYERS, INVITATIONS, CLAIMS = "/api/v1/users/players", "/api/v1/users/invitations", "/api/v1/admin/players"
MATCH = "A" * 32
steam = SteamLike()


@pytest.fixture
def url(postgres_url: str, ops_template: str) -> Iterator[str]:
    with database(postgres_url, ops_template) as found:
        yield found


@pytest.fixture
def site(url: str) -> Iterator[httpx.Client]:
    with steam.running():
        provider = SignInProvider(name="steam", issuer=steam.issuer, platform="steam")
        with served(url, sign_in=(provider,)) as client:
            yield client


def rows(url: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        return conn.execute(query).fetchall()  # pyright: ignore[reportArgumentType, reportCallIssue]


def by_steam(site: httpx.Client, browser: httpx.Client | None = None, **asked: str) -> httpx.Client:
    """A browser that signs in by Steam, or adds that account to who is signed in there."""
    browser = browser or httpx.Client(base_url=site.base_url, timeout=30)
    sent = browser.get(f"{SIGN_IN}/with/steam", params=asked)
    back = browser.get(httpx.get(sent.headers["location"]).headers["location"])
    assert back.status_code == 303, back.text
    browser.headers["X-CSRF-Token"] = browser.get("/api/v1/auth/me").json()["csrf_token"]
    return browser


def own(browser: httpx.Client) -> dict[str, str]:
    return {row["player_id"]: row["state"] for row in browser.get(PLAYERS).json()["data"]["players"]}


def jobs(url: str) -> list[tuple[str, str]]:
    found = rows(url, "SELECT kind, payload ->> 'player_id' AS player FROM ops.jobs ORDER BY job_number")
    return [(row["kind"], row["player"]) for row in found]


def consents(url: str, player: str) -> tuple[bool, bool]:
    """Whether a player is looked for, and allows anything."""
    [row] = [row for row in rows(url, "SELECT * FROM ops.rl_players") if row["player_id"] == player]
    allows = any(row[f"{purpose}_at"] for purpose in ("consented", "cohorts", "models", "comparison"))
    return row["is_active"], allows


def allow_all(url: str, player: str) -> None:
    with psycopg.connect(url) as conn:
        conn.execute(
            "UPDATE ops.rl_players SET consented_at = now(), cohorts_at = now(), share_at_ballchasing = 'public' "
            "WHERE player_id = %s",
            [player],
        )


def test_signing_in_by_steam_links_the_player_once(site: httpx.Client, url: str) -> None:
    for _ in range(2):
        with closing(by_steam(site)) as browser:
            assert own(browser) == {STEAM: "linked"}
    assert jobs(url) == [("backfill", STEAM)]
    assert consents(url, STEAM) == (True, False)
    assert [row["told_by"] for row in rows(url, "SELECT told_by FROM accounts.players")] == ["sign_in"]


def test_an_account_taken_back_allows_nothing_and_returns_on_request(site: httpx.Client, url: str) -> None:
    with closing(by_steam(site)) as browser:
        allow_all(url, STEAM)
        assert browser.delete(f"{PLAYERS}/{STEAM}").status_code == 204
        assert own(browser) == {}
        assert consents(url, STEAM) == (False, False)
        withdrawn = rows(url, "SELECT purpose, is_given, by FROM ops.rl_consents WHERE NOT is_given ORDER BY 1")
        assert [row["purpose"] for row in withdrawn] == ["analysis", "ballchasing", "cohorts"]
        assert browser.delete(f"{PLAYERS}/{STEAM}").status_code == 404
    with closing(by_steam(site)) as browser:
        assert own(browser) == {}
        # The sign-in proves it, so nobody needs to decide.
        assert browser.post(PLAYERS, json={"player": "steam:76561197960287930"}).status_code == 201
        assert own(browser) == {STEAM: "linked"}
    assert consents(url, STEAM) == (True, False)


def test_what_nothing_proves_is_claimed_until_an_admin_decides(site: httpx.Client, url: str) -> None:
    ann_id = user_named(url, "ann")["user_id"]
    with closing(browser_of(site, url, "ann")) as ann, closing(browser_of(site, url, "boss", "admin")) as boss:
        assert ann.post(PLAYERS, json={"player": "Xbox:70cf8d6afd010900"}).status_code == 201
        assert own(ann) == {XBOX: "claimed"}
        assert ann.post(PLAYERS, json={"player": "gamecube:1"}).status_code == 422
        assert ann.post(PLAYERS, json={"player": XBOX, "game": "chess"}).status_code == 422
        # Nothing follows yet.
        assert (jobs(url), rows(url, "SELECT 1 FROM ops.rl_players")) == ([], [])
        assert ann.get(CLAIMS).status_code == 403
        [claim] = boss.get(CLAIMS).json()["data"]["players"]
        assert (claim["name"], claim["player_id"], claim["state"]) == ("ann", XBOX, "claimed")
        decided = {"user_id": ann_id, "player": XBOX, "state": "linked"}
        assert boss.put(CLAIMS, json=decided).status_code == 200
        assert own(ann) == {XBOX: "linked"}
        assert jobs(url) == [("backfill", XBOX)]
        assert boss.put(CLAIMS, json={**decided, "player": EPIC}).status_code == 404
        # By the page, too.
        page = boss.post("/admin/players", data={"of": f"{ann_id} {XBOX}", "game": "rocket_league", "act": "refuse"})
        assert page.status_code == 303
        assert (own(ann), consents(url, XBOX)) == ({}, (False, False))
        assert "<bdi>xbox:70cf8d6afd010900</bdi>" in boss.get("/admin/players", headers={"Accept": "text/html"}).text
    acts = rows(url, "SELECT act, what FROM accounts.audit_log WHERE act LIKE 'player.%' ORDER BY audit_id")
    assert [row["act"] for row in acts] == ["player.link", "player.refuse"]


def test_an_account_is_of_one_user_and_a_claim_tells_nothing_of_that(site: httpx.Client, url: str) -> None:
    bob_id = user_named(url, "bob")["user_id"]
    with (
        closing(browser_of(site, url, "boss", "admin")) as boss,
        closing(browser_of(site, url, "bob")) as bob,
        closing(by_steam(site)) as real,
    ):
        allow_all(url, STEAM)
        assert bob.post(PLAYERS, json={"player": STEAM}).status_code == 201
        assert own(bob) == {STEAM: "claimed"}
        answer = boss.put(CLAIMS, json={"user_id": bob_id, "player": STEAM, "state": "linked"})
        assert (answer.status_code, "linked to another user" in answer.text) == (409, True)
        # Who claims it cannot take anything of it back, and neither does an admin who refuses.
        assert boss.put(CLAIMS, json={"user_id": bob_id, "player": STEAM, "state": "refused"}).status_code == 200
        assert (consents(url, STEAM), own(real), own(bob)) == ((True, True), {STEAM: "linked"}, {})


def test_who_proves_to_have_it_takes_it_from_who_was_only_said_to(site: httpx.Client, url: str) -> None:
    bob_id = user_named(url, "bob")["user_id"]
    with closing(browser_of(site, url, "boss", "admin")) as boss, closing(browser_of(site, url, "bob")) as bob:
        bob.post(PLAYERS, json={"player": STEAM})
        assert boss.put(CLAIMS, json={"user_id": bob_id, "player": STEAM, "state": "linked"}).status_code == 200
        allow_all(url, STEAM)
        with closing(by_steam(site)) as real:
            assert (own(real), own(bob)) == ({STEAM: "linked"}, {})
        # What bob allowed was not his to allow.
        assert consents(url, STEAM) == (True, False)


def test_a_user_has_several_accounts(site: httpx.Client, url: str) -> None:
    with closing(browser_of(site, url, "boss", "admin")) as boss, closing(by_steam(site)) as ann:
        ann.post(PLAYERS, json={"player": XBOX})
        user_id = ann.get("/api/v1/auth/me").json()["user_id"]
        boss.put(CLAIMS, json={"user_id": user_id, "player": XBOX, "state": "linked"})
        assert own(ann) == {STEAM: "linked", XBOX: "linked"}
        assert jobs(url) == [("backfill", STEAM), ("backfill", XBOX)]


# --- coaches -------------------------------------------------------------------------------------


def test_an_invitation_is_accepted_once_and_ended_by_either(site: httpx.Client, url: str) -> None:
    def coaching(browser: httpx.Client) -> list[tuple[bool, str | None]]:
        return [(row["is_mine"], row["name"]) for row in browser.get(INVITATIONS).json()["data"]["invitations"]]

    with (
        closing(browser_of(site, url, "ann")) as ann,
        closing(browser_of(site, url, "coach")) as coach,
        closing(browser_of(site, url, "eve")) as eve,
    ):
        for end in (ann, coach):
            made = ann.post(INVITATIONS).json()["data"]
            assert made["address"].endswith(f"/invitation?token={made['token']}")
            accepted = {"token": made["token"]}
            assert ann.post(f"{INVITATIONS}/accept", json=accepted).status_code == 404
            assert coach.post(f"{INVITATIONS}/accept", json=accepted).status_code == 204
            assert eve.post(f"{INVITATIONS}/accept", json=accepted).status_code == 404
            assert (coaching(ann), coaching(coach), coaching(eve)) == ([(True, "coach")], [(False, "ann")], [])
            assert eve.delete(f"{INVITATIONS}/{made['invitation_id']}").status_code == 404
            assert end.delete(f"{INVITATIONS}/{made['invitation_id']}").status_code == 204
            assert coaching(ann) == coaching(coach) == []
        late = ann.post(INVITATIONS).json()["data"]
        with psycopg.connect(url) as conn:
            conn.execute("UPDATE accounts.invitations SET expires_at = now()")
            assert conn.execute("SELECT count(*) FROM accounts.invitations WHERE token_hash = %s::bytea",
                                [late["token"]]).fetchone() == (0,)  # fmt: skip
        assert coach.post(f"{INVITATIONS}/accept", json={"token": late["token"]}).status_code == 404


# --- shared matches ------------------------------------------------------------------------------


def test_a_match_is_shared_by_who_played_or_sent_it_until_it_is_not(site: httpx.Client, url: str) -> None:
    ann_id = user_named(url, "ann")["user_id"]
    with psycopg.connect(url) as conn:
        sent = conn.execute(
            "WITH j AS (INSERT INTO ops.jobs (kind, game, user_id) VALUES ('replay', 'rocket_league', %(u)s) "
            "RETURNING job_id) INSERT INTO ops.rl_uploads (user_id, content_hash, file_name, bytes, job_id, match_id) "
            "SELECT %(u)s, repeat('a', 64), 'x.replay', 1, job_id, %(m)s FROM j RETURNING upload_id",
            {"u": ann_id, "m": MATCH},
        ).fetchone()
    assert sent is not None
    with closing(browser_of(site, url, "ann")) as ann, closing(browser_of(site, url, "bob")) as bob:
        path = f"/api/v1/replays/{MATCH}/share"
        assert bob.post(path).status_code == bob.delete(path).status_code == ann.delete(path).status_code == 404
        first = ann.post(path).json()["data"]["address"]
        assert ann.post(f"/api/v1/replays/{str(sent[0]).upper()}/share").json()["data"]["address"] == first
        token = first.rpartition("/")[2]
        assert [row["match_id"] for row in rows(url, "SELECT * FROM accounts.shares")] == [MATCH]
        assert len(token) >= 22
        assert bob.delete(path).status_code == 404
        assert ann.delete(path).status_code == 204
        assert rows(url, "SELECT * FROM accounts.shares") == []
        assert ann.post(path).json()["data"]["address"] != first
