"""What is written of requests and counted of them, and what is not."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from pydantic import SecretStr

from gamestats_assets.cli.services.logs import set_aside
from gamestats_assets.serving.app import create_app
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.middleware.logs import DailyFiles, JsonLines
from gamestats_assets.settings import Settings
from gamestats_assets_tests.serving.season import publish_season
from gamestats_assets_tests.serving.served import served

MATCHES = "/api/v1/tournaments/matches"


class Kept(logging.Handler):
    """Keeps the lines that are written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.text: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.text.append(self.format(record))

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text]


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler, log = Kept(), logging.getLogger("gamestats.serving")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)
    log.setLevel(before)


def test_a_request_is_logged_and_counted_without_personal_data(ops_database: str, kept: Kept) -> None:
    publish_season(ops_database)

    def figure(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0

    found = {"route": f"{MATCHES}/{{match_id}}", "method": "GET"}
    board = "/api/v1/tournaments/leaderboard/teams"
    counted = [figure("http_request_seconds_count", **found, status="404"), figure("cache_hits_total", key=board)]
    with served(ops_database) as client:
        kept.text.clear()
        asked = {"X-Request-Id": "abcdefgh-1", "Cookie": "session=hidden", "User-Agent": "hidden"}
        assert client.get(f"{MATCHES}/hidden-1?page=hidden", headers=asked).status_code == 422
        assert client.get(f"{MATCHES}/hidden-1", headers=asked).status_code == 404
        for _ in range(2):
            assert client.get(f"{board}?season=fall&division=Division+1").status_code == 200
        assert client.request("PROPFIND", "/hidden").status_code == 404
    first, second, *_, last = kept.lines()
    said = {"level": "info", "message": "request", "request_id": "abcdefgh-1", **found, "status": 422}
    assert first == {"at": first["at"], "took_ms": first["took_ms"], **said}
    assert datetime.now(UTC) - datetime.fromisoformat(second["at"]) < timedelta(minutes=1)
    assert (last["method"], last["route"]) == ("other", "")
    assert "hidden" not in "".join(kept.text)
    assert "127.0.0.1" not in "".join(kept.text)
    assert figure("http_request_seconds_count", **found, status="404") == counted[0] + 1
    assert figure("cache_hits_total", key=board) == counted[1] + 1
    assert figure("cache_misses_total", key=board) >= 1
    assert figure("db_query_seconds_count") > 0
    assert figure("db_pool_in_use", pool="answers") == 0


def test_an_unforeseen_error_is_answered_and_logged_without_its_message(kept: Kept, tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/broken/{name}")
    async def broken(name: str) -> None:
        raise KeyError(name)

    nowhere = SecretStr("postgresql:///nowhere")
    app = create_app(nowhere, nowhere, [Game("pubg", "PUBG", tmp_path, api=[router])], Settings())
    client = TestClient(app, base_url="http://localhost")
    answer = client.get("/api/v1/broken/hidden", headers={"X-Request-Id": "abcdefgh-2"})
    assert answer.status_code == 500
    assert (answer.json()["code"], answer.json()["request_id"]) == ("failed", "abcdefgh-2")
    assert answer.headers["x-request-id"] == "abcdefgh-2"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    *_, line = kept.lines()
    assert (line["level"], line["error"], line["route"]) == ("error", "builtins.KeyError", "/api/v1/broken/{name}")
    assert line["where"][-1].endswith(" broken")
    assert "hidden" not in kept.text[-1]


def test_a_day_of_lines_is_a_file_and_those_of_14_days_are_kept(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    names = {days: f"requests.{today - timedelta(days=days)}.log" for days in (0, 1, 14, 15, 400)}
    for days, name in names.items():
        (tmp_path / name).write_text(f"{days}\n")
    handler = DailyFiles(str(tmp_path))
    # As if the process had begun yesterday.
    handler._day = str(today - timedelta(days=1))  # pyright: ignore[reportPrivateUsage]
    for text in ("first", "second"):
        handler.emit(logging.LogRecord("name", logging.INFO, "", 0, text, None, None))
    handler.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[days] for days in (0, 1, 14))
    assert (tmp_path / names[0]).read_text() == "0\nfirst\nsecond\n"


def test_logs_of_processes_are_set_aside_by_day_for_14_days(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    names = {days: f"daemon.{today - timedelta(days=days)}.log" for days in (1, 14, 15)}
    for name in [*names.values(), f"other.{today - timedelta(days=15)}.log"]:
        (tmp_path / name).write_text("kept\n")
    log = tmp_path / "daemon.log"
    with log.open("a") as file:
        print("first", file=file, flush=True)
        set_aside(log, today - timedelta(days=1))
        print("second", file=file, flush=True)
    assert log.read_text() == "second\n"
    assert (tmp_path / names[1]).read_text() == "kept\nfirst\n"
    assert {path.name for path in tmp_path.glob("daemon.*")} == {"daemon.log", names[1], names[14]}
    assert len([*tmp_path.glob("other.*")]) == 1
