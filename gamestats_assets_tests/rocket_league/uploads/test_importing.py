"""Replays that come from ballchasing for a person, or go there, over real HTTP, a real worker and real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.jobs import enqueue
from gamestats_assets.rocket_league.privacy.tombstones import bury
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.ballchasing_server import ANN, TOKEN, BallchasingServer, details
from gamestats_assets_tests.rocket_league.support.sending import Running, at_work, send
from gamestats_assets_tests.support.postgres_fixture import database

pytestmark = pytest.mark.timeout(240)
IMPORT = "/api/v1/replays/ballchasing"


@pytest.fixture(scope="module")
def server() -> Iterator[BallchasingServer]:
    with BallchasingServer() as running:
        yield running


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str, server: BallchasingServer
) -> Iterator[Running]:
    key: dict[str, Any] = {"ballchasing_api_key": SecretStr(TOKEN), "ballchasing_api_url": server.url}
    with (
        database(postgres_url, ops_template) as url,
        at_work(tmp_path_factory.mktemp("imports") / "data", url, **key) as it,
    ):
        yield it


def ask(browser: httpx.Client, **wanted: Any) -> httpx.Response:
    return browser.post(IMPORT, json=wanted)


def test_a_replay_is_fetched_by_its_address_and_analysed(running: Running, server: BallchasingServer) -> None:
    replay_id = server.add(details(1))
    with closing(running.browser("Ann")) as ann:
        answer = ask(ann, ballchasing_id=f"https://ballchasing.com/replay/{replay_id.upper()}#watch")
        assert answer.status_code == 202, answer.text
        assert ann.get(answer.headers["location"]).json()["data"]["state"] == "queued"
        running.work()
        found = ann.get(answer.headers["location"]).json()["data"]
        assert (found["state"], found["kind"], found["error"]) == ("done", "ballchasing", None)
        assert ann.get("/api/v1/jobs").json()["data"]["jobs"] == [found]
    job = running.job(answer.json()["data"])
    assert (job["state"], job["error"]) == ("done", None), running.log
    assert job["result"]["matches"] == [f"{1 + 2**64:032X}"]
    assert running.rows("SELECT state FROM ops.rl_replays_found WHERE ballchasing_id = %s", [replay_id]) != []


def test_ones_own_are_those_of_the_linked_accounts_since_a_day(running: Running, server: BallchasingServer) -> None:
    running.links("Bea", f"steam_{ANN}")
    old, new = (server.add(details(n, date=f"2026-03-{day}T10:00:00Z")) for n, day in ((2, "01"), (3, "20")))
    with closing(running.browser("Bea")) as bea:
        taken = ask(bea, mine=True, since="2026-03-15T00:00:00Z").json()["data"]
    running.work()
    job = running.job(taken)
    assert (job["state"], job["result"]["fetched"]) == ("done", 1), (job, running.log)
    known = {row["ballchasing_id"] for row in running.rows("SELECT ballchasing_id FROM ops.rl_replays_found")}
    assert new in known
    assert old not in known


def test_why_nothing_was_fetched_is_said_in_words(running: Running, server: BallchasingServer) -> None:
    gils = "steam_76561198000000099"
    running.links("Gil", gils)
    bury(running.stores.landing, "rocket_league", gils, date(2026, 11, 23))
    with closing(running.browser("Cleo")) as cleo, closing(running.browser("Gil")) as gil:
        forgotten = ask(gil, mine=True).json()["data"]
        nobodys = ask(cleo, mine=True).json()["data"]
        gone = ask(cleo, ballchasing_id="00000000-0000-4000-8000-00000000dead").json()["data"]
        wrong = ask(cleo, ballchasing_id="not an id")
        both = ask(cleo, ballchasing_id="00000000-0000-4000-8000-00000000dead", mine=True)
    running.work()
    assert "None of your accounts is linked" in running.job(nobodys)["error"]
    assert "You asked to be forgotten" in running.job(forgotten)["error"]
    assert "404" in running.job(gone)["error"] or "no such" in running.job(gone)["error"]
    assert wrong.status_code == both.status_code == 422


def test_a_match_is_analysed_for_who_is_linked_shared_as_wanted_and_forgotten(
    running: Running, server: BallchasingServer, realdata: Path
) -> None:
    content, match_id = real_files.replay(realdata, real_files.DUEL), "D6DB830411F143174D7A42BDF8FC2425"
    of_eva, of_fay = "ps4_adamboi04", "epic_98e4fc3adbbc464e8e45f68948129294"
    taken: dict[str, Any] = {}
    running.links("Eva", of_eva, "unlisted")
    for name in ("Eva", "Fay"):
        with closing(running.browser(name)) as browser:
            taken[name] = send(browser, ("mine.replay", content)).json()["data"]
    running.work()
    assert {running.job(each)["state"] for each in taken.values()} == {"done"}, running.log
    # It goes to ballchasing for Eva alone, who wants that.
    assert [each.sent[1] for each in server.replays.values() if each.sent] == ["unlisted"]

    assert running.job(taken["Fay"])["result"]["own_players"] == []
    assert not any(of_fay in names for _, names in running.some.wanted)
    running.links("Fay", of_fay)
    with psycopg.connect(running.url) as conn:
        enqueue(conn, "backfill", "rocket_league", None, {"player_id": of_fay})
        # Eva's account is to be forgotten in the match.
        eva = conn.execute("SELECT user_id FROM accounts.players WHERE player_id = %s", [of_eva]).fetchone()
        assert eva is not None
        enqueue(conn, "forget_match", "rocket_league", eva[0], {"match_id": match_id, "player_ids": [of_eva]})
    running.work()
    # Fay's tables are made now, and the upload says so; then those of the day and of Eva are made without her.
    assert running.some.wanted[-2:] == [(set(), {of_fay}), ({"2026-04-28"}, {of_eva})]
    assert (running.job(taken["Fay"])["said"], running.job(taken["Fay"])["result"]["own_players"]) == ("done", [of_fay])
    forgetting = running.rows("SELECT state, error FROM ops.jobs WHERE kind = 'forget_match'")
    assert forgetting == [{"state": "done", "error": None}], running.log
    assert (running.published(match_id), running.published(match_id, of_eva)) == (2, 0)
    assert running.rows("SELECT 1 FROM ops.rl_uploads WHERE user_id = %s", [eva[0]]) == []
