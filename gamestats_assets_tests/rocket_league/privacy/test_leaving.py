"""People who allow things, take everything along, and go: through real HTTP to a worker, and to all that is stored."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.jobs import Queue, enqueue
from gamestats_assets.rocket_league.jobs import KINDS
from gamestats_assets.rocket_league.players.identities import FORGOTTEN_NAME
from gamestats_assets.rocket_league.privacy.consents import newest_text
from gamestats_assets.rocket_league.privacy.erasure import traces
from gamestats_assets.rocket_league.privacy.jobs import Steps
from gamestats_assets.rocket_league.tables import Participants, Withheld
from gamestats_assets_tests.cli.runner import Admin
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.linking import linked
from gamestats_assets_tests.rocket_league.support.sending import Running, at_work, send
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of

pytestmark = pytest.mark.timeout(280)
ANNS, BOBS = "epic_98e4fc3adbbc464e8e45f68948129294", "ps4_adamboi04"
"""Players of a real replay; Ann's is called so in it, and by her as a user here."""
IN_GAME, CALLED = "OSIDE_SMURF", "Annabell Quant"
TEXTS = [ANNS, ANNS.partition("_")[2], IN_GAME, CALLED]
BY_HAND = "notes/by-hand.txt"
"""Something that nobody knows how to remove."""
STRANGER = "steam:76561198000000077"
ALL_OF_IT = {"analysis": True, "cohorts": True, "models": True, "comparison": True, "text_version": newest_text()}
USERS, ERASURES = "/api/v1/users", "/api/v1/erasures"


@dataclass
class Place(Running):
    """The application and a worker over stores with real replays in them, and the command line."""

    admin: Admin

    def browser(self, name: str, *roles: str) -> httpx.Client:
        return browser_of(self.site, self.url, name, *roles)

    def link(self, name: str, player_id: str) -> int:
        return linked(self.url, name, player_id)


@contextmanager
def place_over(folder: Path, url: str) -> Iterator[Place]:
    with at_work(folder, url, workers=1) as running:
        yield Place(**vars(running), admin=Admin(folder, url))


def test_somebody_takes_everything_along_and_goes_for_good(realdata: Path, tmp_path: Path, ops_database: str) -> None:
    (replay,) = real_files.paths(realdata, real_files.DUEL)
    with place_over(tmp_path / "data", ops_database) as place:
        assert "1 taken" in place.admin.does("ingest", "rocket-league", str(replay))
        ann_id, _ = place.link(CALLED, ANNS), place.link("Bob", BOBS)
        ann, bob = place.browser(CALLED), place.browser("Bob")
        for browser in (ann, bob):
            allowed = browser.put(f"{USERS}/consents", json=ALL_OF_IT)
            assert allowed.status_code == 200, allowed.text
            kept = browser.put(f"{USERS}/profile", json={"retention_days": 36_500})
            assert kept.status_code == 204, kept.text
        assert ann.put(f"{USERS}/profile", json={"email": "quant@example.org"}).status_code == 204
        assert place.some.follow("rocket_league", days=place.stores.landing.days("rocket_league")) == []
        upload_id = uploaded(place, ann_id, replay)
        expect_withdrawn(place, bob)

        archive = exported(place, ann)
        expect_everything(archive, upload_id)
        assert bob.get(f"{USERS}/export/{archive[0]}").status_code == 404, "it is nobody else's"
        assert bob.get(f"{USERS}/export/{archive[0]}/archive").status_code == 404
        assert {place_.partition(":")[0] for place_ in traces(place.stores, TEXTS)} >= {
            "landing", "lake", "objects", "PostgreSQL",
        }  # fmt: skip

        place.rows("UPDATE accounts.sessions SET created_at = now() - interval '11 minutes' RETURNING 1")
        refused = ann.delete(f"{USERS}/account")
        assert (refused.status_code, "within the last 10 minutes" in refused.text) == (403, True)
        with closing(place.browser(CALLED)) as fresh:
            found = fresh.delete(f"{USERS}/account")
        assert found.status_code == 202, found.text
        status = found.json()["data"]["status"]
        assert found.json()["data"]["state"] == "queued"
        assert ann.get("/api/v1/auth/me").status_code == 401, "all sessions end at once"
        place.work()
        ended = httpx.get(f"{place.site.base_url}{status}").json()["data"]
        assert (ended["state"], ended["left"], ended["matches"]) == ("done", {}, 1), ended
        assert ended["seconds"] < 60
        assert traces(place.stores, TEXTS) == []
        assert place.stores.objects.list("uploads") == place.stores.objects.list("exports") == []
        assert place.rows("SELECT payload, user_id FROM ops.jobs WHERE kind = 'erasure'") == [
            {"payload": {}, "user_id": None}
        ]
        assert place.rows("SELECT 1 FROM ops.jobs WHERE user_id = %s", [ann_id]) == []
        [act] = place.rows("SELECT * FROM accounts.audit_log WHERE act = 'user.remove'")
        assert (act["what"], act["before"]) == (f"user {ann_id}", {"roles": []})
        assert place.rows("SELECT name FROM accounts.users WHERE user_id = %s", [ann_id]) == [{"name": None}]
        names = place.stores.lake.scan(Participants).collect()["player_name"].to_list()
        assert FORGOTTEN_NAME in names
        assert BOBS in place.stores.lake.scan(Participants).collect()["player_id"], "the others stay"
        expect_gone_until_wanted(place, replay)


def expect_withdrawn(place: Place, bob: httpx.Client) -> None:
    """What is taken back is taken out of the tables by the worker, and is said to be then."""

    def withdrawals() -> list[dict[str, Any]]:
        return bob.get(f"{USERS}/consents").json()["data"]["players"][0]["withdrawals"]

    assert withdrawals() == []
    bob.put(f"{USERS}/consents", json={"models": False})
    [found] = withdrawals()
    assert (found["purposes"], found["in_effect_at"], found["said"]) == (["models"], None, "waiting")
    place.work()
    [found] = withdrawals()
    assert found["in_effect_at"] > found["withdrawn_at"]
    assert (BOBS, "models") in place.stores.lake.scan(Withheld).collect().select("player_id", "purpose").rows()


def uploaded(place: Place, user_id: int, replay: Path) -> str:
    """What the upload of a replay that has been analysed leaves, and one that still waits."""
    content = replay.read_bytes()
    [unit] = {file.unit_id for day in place.stores.landing.days("rocket_league")
              for file in place.stores.landing.files("rocket_league", day)}  # fmt: skip
    with psycopg.connect(place.url) as conn:
        found = []
        for name, digest, match_id in (
            ("goal =1.replay", hashlib.sha256(content).hexdigest(), unit),
            (f"{IN_GAME}.replay", "0" * 64, None),
        ):
            job_id = enqueue(conn, "replay", "rocket_league", user_id, {"file": name})
            conn.execute("UPDATE ops.jobs SET state = 'done', finished_at = now() WHERE job_id = %s", [job_id])
            row = conn.execute(
                "INSERT INTO ops.rl_uploads (user_id, content_hash, file_name, bytes, job_id, match_id) "
                "VALUES (%s, %s, %s, %s, %s, %s) RETURNING upload_id::text",
                [user_id, digest, name, len(content), job_id, match_id],
            ).fetchone()
            found += row or ()
    place.stores.objects.put(f"uploads/{found[1]}", b"a replay that waits")
    return found[0]


def exported(place: Place, browser: httpx.Client) -> tuple[str, zipfile.ZipFile]:
    """The archive that somebody asks for, with the number of its job."""
    asked = browser.post(f"{USERS}/export")
    assert asked.status_code == 202, asked.text
    found = asked.json()["data"]
    assert browser.post(f"{USERS}/export").json()["data"]["job_id"] == found["job_id"], "one at a time"
    assert browser.get(f"{USERS}/export/{found['job_id']}/archive").status_code == 409
    place.work()
    ready = browser.get(f"{USERS}/export/{found['job_id']}").json()["data"]
    assert ready["state"] == "done", ready
    answer = browser.get(ready["archive"])
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.content) == ready["bytes"]
    return found["job_id"], zipfile.ZipFile(io.BytesIO(answer.content))


def expect_everything(archive: tuple[str, zipfile.ZipFile], upload_id: str) -> None:
    _, held = archive
    account = {name.split("/")[1]: json.loads(held.read(name))
               for name in held.namelist() if name.startswith("account/") and name.endswith(".json")}  # fmt: skip
    assert account["user.json"][0]["name"] == CALLED
    assert [each["player_id"] for each in account["players.json"]] == [ANNS]
    assert len(account["uploads.json"]) == 2
    assert {each["kind"] for each in account["jobs.json"]} == {"replay", "export"}
    assert len(account["sessions.json"]) >= 1
    assert "token" not in str(account["sessions.json"])
    uploads = pl.read_csv(held.read("account/uploads.csv"))
    assert uploads["file_name"].to_list() == ["goal =1.replay", f"{IN_GAME}.replay"]
    assert held.read("account/shares.csv").decode().strip() == "game,match_id,token,created_at", "there are none"
    entry = json.loads(held.read(f"players/{ANNS}/entry.json"))
    assert entry["email"] == "quant@example.org"
    assert {(each["purpose"], each["is_given"], each["text_version"]) for each in entry["consents"]} == {
        (purpose, True, newest_text()) for purpose in ("analysis", "cohorts", "models", "comparison")
    }
    assert "analysis" in json.loads(held.read("consent_texts.json"))["version 1"]
    rows = pl.read_csv(held.read(f"players/{ANNS}/tables/participants.csv"))
    assert rows["player_id"].to_list() == [ANNS]
    assert len(held.read(f"replays/{upload_id}/goal _1.replay")) > 100_000
    assert "replays that you uploaded" in held.read("README.txt").decode()


def expect_gone_until_wanted(place: Place, replay: Path) -> None:
    """Who signs in again begins anew; the player stays masked until the person wants it otherwise."""
    assert "0 taken, 1 known" in place.admin("ingest", "rocket-league", str(replay)).output
    with closing(place.browser("Somebody new")) as again, closing(place.browser("Carl")) as carl:
        assert again.get(f"{USERS}/consents").json()["data"]["players"] == []
        place.link("Somebody new", ANNS)
        [player] = again.get(f"{USERS}/consents").json()["data"]["players"]
        assert (player["is_forgotten"], player["analysis"]) == (True, None)
        content = replay.read_bytes()
        taken = [send(each, (f"{IN_GAME}.replay", content)).json()["data"]["status_url"] for each in (carl, again)]
        place.work()
        found = carl.get(taken[0]).json()["data"]
        assert (found["status"], found["error"]) == ("done", None)
        assert "stands masked in it" in found["said"]
        assert FORGOTTEN_NAME in {player["player_name"] for player in found["players"]}
        assert "stands masked in it" in carl.get("/rocket-league/replays").text
        assert "no longer stored here" in carl.get(f"/rocket-league/replays/{found['match']['match_id']}").text
        found = again.get(taken[1]).json()["data"]
        assert (found["status"], "You asked to be forgotten" in found["error"]) == ("failed", True)
        assert traces(place.stores, [IN_GAME]) == []
        kept_out = again.put(f"{USERS}/consents", json=ALL_OF_IT)
        assert (kept_out.status_code, "take_me_back" in kept_out.text) == (409, True)
        back = again.put(f"{USERS}/consents", json={**ALL_OF_IT, "take_me_back": True})
        assert back.json()["data"]["players"][0]["is_forgotten"] is False
    assert "1 taken" in place.admin.does("ingest", "rocket-league", str(replay))


def test_the_job_says_which_step_it_does_and_what_it_waits_for(ops_database: str) -> None:
    url = SecretStr(ops_database)
    with psycopg.connect(ops_database) as conn:
        enqueue(conn, "erasure", "rocket_league", None, {})
    taken = Queue(url, KINDS).take()
    assert taken is not None
    steps = Steps(taken[1][0], accounts=2, matches=0)

    def said() -> tuple[Any, ...]:
        with psycopg.connect(ops_database) as conn:
            return conn.execute("SELECT said, result ->> 'step', result ->> 'steps' FROM ops.jobs").fetchall()[0]

    steps.tell("Looking for PostgreSQL")
    assert said() == ("Step 1 of 12: looking for PostgreSQL", "1", "12")
    # Of the first account nothing was held: its other steps are passed over.
    steps.begin(1)
    steps.tell("Making tables")
    assert said() == ("Step 7 of 12: making tables", "7", "12")
    steps.waits(2)
    assert said()[0] == "Step 7 of 12: waiting for 2 runs that make tables"
    steps.waits(1)
    assert said()[0] == "Step 7 of 12: waiting for a run that makes tables"


# ---------------------------------------------------------------- objections


def unfinished(root: httpx.Client) -> dict[str, Any]:
    """The one removal after which something is found still."""
    found = [each for each in root.get("/api/v1/admin/objections").json()["data"]["removals"] if each["left"]]
    assert len(found) == 1
    return found[0]


def test_who_never_signed_in_objects_and_an_admin_decides(realdata: Path, tmp_path: Path, ops_database: str) -> None:
    (replay,) = real_files.paths(realdata, real_files.DUEL)
    with place_over(tmp_path / "data", ops_database) as place:
        place.admin.does("ingest", "rocket-league", str(replay))
        place.admin.does("materialize", "--select", "rocket_league.raw_player_stats")
        anybody = httpx.Client(base_url=place.site.base_url, timeout=30)
        said = {"player": ANNS.replace("_", ":", 1), "reason": "That is me.", "contact": "me@example.org"}
        assert anybody.post("/api/v1/objections", json={**said, "player": "ann"}).status_code == 422
        forged = anybody.post("/api/v1/objections", json=said, headers={"Origin": "https://evil.example"})
        assert forged.status_code == 403
        numbers = [
            anybody.post("/api/v1/objections", json=each).json()["data"]["objection_id"]
            for each in (said, {**said, "player": BOBS, "reason": "Not me."}, {**said, "player": STRANGER})
        ]
        assert not [row for row in place.rows("SELECT o::text AS t FROM ops.rl_objections o") if "me@ex" in row["t"]]
        assert anybody.get("/api/v1/admin/objections").status_code == 401
        assert place.browser("kim").get("/api/v1/admin/objections").status_code == 403
        place.stores.objects.put(BY_HAND, f"{IN_GAME} scored".encode())
        root = place.browser("root", "admin")
        [first, *_] = listed = root.get("/api/v1/admin/objections").json()["data"]["objections"]
        assert [each["objection_id"] for each in listed] == numbers
        assert (first["player_id"], first["contact"]) == (ANNS, "me@example.org")

        for number, decision in zip(numbers, ("grant", "refuse", "grant"), strict=True):
            answer = root.post(f"/api/v1/admin/objections/{number}/{decision}", json={"note": "seen"})
            assert answer.status_code == 204, answer.text
            assert root.post(f"/api/v1/admin/objections/{number}/{decision}").status_code == 404, "decided once"
        place.work()
        assert traces(place.stores, [ANNS, IN_GAME]) == [f"objects: {BY_HAND}"]
        assert traces(place.stores, [BOBS]) != []
        removal = unfinished(root)
        assert (removal["objection_id"], removal["left"]) == (numbers[0], {"objects": 1})
        assert root.post(f"/api/v1/admin/removals/{removal['job_id']}/again").status_code == 204
        place.work()
        assert unfinished(root)["left"] == {"objects": 1}, "the name is known still, though no table tells it any more"
        after = {
            each["objection_id"]: each for each in root.get("/api/v1/admin/objections").json()["data"]["objections"]
        }
        assert [(after[each]["state"], after[each]["player_id"]) for each in numbers] == [
            ("granted", None), ("refused", BOBS), ("granted", None),
        ]  # fmt: skip
        acts = [each["act"] for each in place.rows("SELECT act FROM accounts.audit_log ORDER BY audit_id")]
        assert acts[-4:] == ["objection.grant", "objection.refuse", "objection.grant", "objection.again"]
        assert "0 taken, 1 known" in place.admin("ingest", "rocket-league", str(replay)).output
        assert "forgotten on request" in place.admin.fails("rocket-league", "track", STRANGER), (
            "though nothing was held"
        )
