"""Replays that people send: through real HTTP to a worker, and from there to published tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from gamestats_assets.rocket_league.privacy.erasure import traces
from gamestats_assets.rocket_league.privacy.tombstones import bury
from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
from gamestats_assets.rocket_league.uploads import uploading
from gamestats_assets.rocket_league.uploads.uploading import read_upload
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.sending import REPLAY, Running, at_work, send, variant, zipped
from gamestats_assets_tests.rocket_league.uploads.hostile import HOSTILE, die_of_the_hostile
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of
from gamestats_assets_tests.support.postgres_fixture import database

pytestmark = pytest.mark.timeout(240)
DUEL_MATCH = "D6DB830411F143174D7A42BDF8FC2425"
ANNS_PLAYER = "ps4_adamboi04"
"""Who plays in it."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str) -> Iterator[Running]:
    with database(postgres_url, ops_template) as url, at_work(tmp_path_factory.mktemp("uploads") / "data", url) as it:
        yield it


def test_a_replay_is_taken_landed_analysed_and_published_with_who_played(running: Running, realdata: Path) -> None:
    content, match_id = variant(real_files.replay(realdata, real_files.DUEL), 5), f"{5:032X}"
    running.links("Ann", ANNS_PLAYER)
    with closing(running.browser("Ann")) as ann:
        answer = send(ann, ("C:\\replays\\mine.replay", content))
        assert answer.status_code == 202, answer.text
        data = answer.json()["data"]
        assert answer.headers["Location"] == data["status_url"] == f"/api/v1/replays/{data['replay_id']}"
        assert data["replays"][0]["file_name"] == "mine.replay"
        assert running.job(data)["state"] == "queued"
        running.work(makes_all=True)
        job = running.job(data)
        assert (job["state"], job["error"]) == ("done", None), (job, running.log)
        assert job["result"]["match_id"] == match_id
        assert job["result"]["playlist"] == "ranked-duels"
        assert job["result"]["own_players"] == [ANNS_PLAYER]
        assert len(job["result"]["players"]) == 2
        # What the pages need is published.
        features = running.rows("SELECT count(*) AS n FROM rocket_league.player_match_features WHERE match_id = %s",
                                [match_id])  # fmt: skip
        assert features == [{"n": 2}]
        assert running.rows("SELECT player_id, match_id FROM rocket_league.matches") == [
            {"player_id": ANNS_PLAYER, "match_id": match_id}
        ]
        assert running.rows("SELECT count(*) AS n FROM rocket_league.weaknesses")[0]["n"] > 0
        # Nothing waits any more, and the same file again is the same upload.
        assert running.stores.objects.list("uploads") == []
        again = send(ann, ("renamed.replay", content))
        assert again.status_code == 200
        assert again.json()["data"]["replay_id"] == data["replay_id"]


def test_a_match_is_landed_once_whoever_sends_it_and_no_other_takes_its_place(running: Running, realdata: Path) -> None:
    content = real_files.replay(realdata, real_files.DUEL)
    forged = variant(real_files.replay(realdata, real_files.PAIRS[1]), int(DUEL_MATCH, 16))
    with closing(running.browser("Bob")) as bob, closing(running.browser("Cleo")) as cleo:
        first, second = (send(each, ("duel.replay", content)).json()["data"] for each in (bob, cleo))
        assert first["replay_id"] != second["replay_id"]
        running.work()
        third = send(bob, ("forged.replay", forged)).json()["data"]
    running.work()
    assert [running.job(each)["state"] for each in (first, second, third)] == ["done", "done", "failed"]
    assert sum(DUEL_MATCH in path for path in running.landed()) == 1
    # Neither has an account that played, which is said and keeps nobody from watching it.
    assert running.job(first)["result"]["own_players"] == []
    assert "none of your accounts played in it" in running.job(first)["said"]
    assert "existing match with other players" in running.job(third)["error"]


def test_a_match_with_somebody_forgotten_is_analysed_and_the_player_masked(running: Running, realdata: Path) -> None:
    content = real_files.replay(realdata, real_files.PAIRS[0])
    found = read_upload(content)
    match_id, ((gone, (name, _)), (left, _), *_) = found.recognised.match_id, found.players.items()
    bury(running.stores.landing, "rocket_league", gone, date(2026, 11, 23))
    running.links("Carl", left)
    with closing(running.browser("Carl")) as carl:
        taken = send(carl, (f"{name}.replay", content)).json()["data"]
        running.work()
        job = running.job(taken)
        assert (job["state"], job["error"]) == ("done", None), (job, running.log)
        assert (job["result"]["match_id"], job["result"]["own_players"]) == (match_id, [left])
        assert job["result"]["note"] in job["said"]
        again = send(carl, ("again.replay", content))
        assert (again.status_code, again.json()["data"]["replay_id"]) == (200, taken["replay_id"])
    assert [path.split(".")[1] for path in running.landed() if str(match_id) in path] == ["masked"]
    assert running.published(str(match_id)) == 4
    assert traces(running.stores, [gone, name]) == []


def test_a_malformed_replay_fails_with_the_reason_and_nothing_of_it_is_kept(running: Running, realdata: Path) -> None:
    before = running.landed()
    with closing(running.browser("Dan")) as dan:
        content = real_files.replay(realdata, "malformed_fuzz-large-object-id")
        # Sent again it is tried again, as the same upload.
        for _ in range(2):
            answer = send(dan, ("broken.replay", content))
            assert answer.status_code == 202
            running.work()
            job = running.job(answer.json()["data"])
            assert job["state"] == "failed"
            assert "it is damaged, or from an unknown version of the game." in job["error"]
    assert running.rows("SELECT count(*) AS n FROM ops.rl_uploads WHERE file_name = 'broken.replay'") == [{"n": 1}]
    assert running.landed() == before
    assert running.stores.objects.list("uploads") == []


def test_a_replay_that_ends_its_process_fails_alone(
    running: Running, realdata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "read_upload", die_of_the_hostile)
    with closing(running.browser("Eve")) as eve:
        answer = send(
            eve, ("hostile.replay", HOSTILE), ("duel.replay", variant(real_files.replay(realdata, real_files.DUEL), 6))
        )
        taken = answer.json()["data"]["replays"]
        running.work()
        assert [running.job(each)["state"] for each in taken] == ["failed", "done"]
        assert "MB of memory" in running.job(taken[0])["error"]
    assert running.stores.objects.list("uploads") == []


class KilledError(BaseException):
    """The worker's end."""


def test_nothing_is_lost_or_doubled_when_the_worker_is_killed(
    running: Running, realdata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KilledError

    content = variant(real_files.replay(realdata, real_files.DUEL), 7)
    with closing(running.browser("Jon")) as jon:
        taken = send(jon, ("sent.replay", content)).json()["data"]
    with monkeypatch.context() as patched:
        patched.setattr(uploading, "linked_players", killed)
        with pytest.raises(KilledError):
            running.work()
    running.work()
    # It seems to live.
    assert running.job(taken)["state"] == "processing"
    with psycopg.connect(running.url) as conn:
        conn.execute("UPDATE ops.jobs SET alive_at = now() - interval '1 hour' WHERE state = 'processing'")
    running.work()
    job = running.job(taken)
    assert (job["state"], job["attempts"], job["error"]) == ("done", 2, None)
    match_id = job["result"]["match_id"]
    assert sum(match_id in path for path in running.landed()) == 1
    assert running.published(match_id) == 2
    assert running.stores.objects.list("uploads") == []


def test_replays_of_a_zip_are_taken_and_other_files_refused(running: Running) -> None:
    packed = zipped(**{
        "season__one.replay": REPLAY + b"1",
        "..__..__etc__two.replay": REPLAY + b"2",
        "MACOSX": b"no replay",
        "inner.zip": zipped(**{"three.replay": REPLAY}),
    })  # fmt: skip
    with closing(running.browser("Fay")) as fay:
        data = send(fay, ("many.zip", packed)).json()["data"]
    assert [each["file_name"] for each in data["replays"]] == ["one.replay", "two.replay"]
    assert [(each["file_name"], each["status"]) for each in data["refused"]] == [
        ("many.zip: MACOSX", 415),
        ("many.zip: inner.zip", 415),
    ]
    running.work()
    assert {running.job(each)["state"] for each in data["replays"]} == {"failed"}


@pytest.mark.parametrize(
    ("name", "content", "status", "found"),
    [
        ("notes.txt", b"just text", 415, "not a replay"),
        ("empty.replay", b"", 415, "not a replay"),
        ("large.replay", REPLAY + b"0" * 2_000_000, 413, "larger than 1 MB"),
        ("bomb.zip", zipped(bomb=REPLAY + b"0" * 50_000_000), 413, "larger than 1 MB"),
        ("cut.zip", zipped(one=REPLAY)[:60], 415, "damaged"),
        ("none.zip", zipped(), 415, "contains no files"),
    ],
    # A zip holds the time at which it was made.
    ids=["text", "empty", "large", "bomb", "cut", "none"],
)
def test_what_is_no_replay_or_too_large_is_refused_at_once(
    small: tuple[httpx.Client, str], name: str, content: bytes, status: int, found: str
) -> None:
    site, url = small
    with closing(browser_of(site, url, "Gus")) as gus:
        answer = send(gus, (name, content))
        assert answer.status_code == status
        assert found in answer.json()["detail"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str) -> Iterator[Any]:
    """An application that takes little, and its database."""
    data = str(tmp_path_factory.mktemp("small") / "data")
    with (
        database(postgres_url, ops_template) as url,
        served(
            url, data=data, largest_replay_mb=1, largest_upload_mb=4, largest_request_mb=1, files_an_hour=10
        ) as site,
    ):
        yield site, url


def test_more_may_be_sent_to_uploads_than_elsewhere_and_not_without_end(small: tuple[httpx.Client, str]) -> None:
    site, url = small
    with closing(browser_of(site, url, "Hal")) as hal:
        assert hal.post("/api/v1/auth/token", content=b"0" * 1_500_000).status_code == 413
        for path in ROCKET_LEAGUE.uploads:
            answer = hal.post(path, files={"file": ("a.replay", b"0" * 1_500_000)})
            # The page tells at its form what is refused.
            assert answer.status_code == (415 if path.startswith("/api/") else 200), path
        assert send(hal, ("a.replay", b"0" * 5_000_000)).status_code == 413


def test_sending_takes_signing_in(small: tuple[httpx.Client, str]) -> None:
    assert send(small[0], ("one.replay", REPLAY)).status_code == 401
