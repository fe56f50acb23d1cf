"""The application and a worker over the same stores, to which people send replays."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from gamestats_assets.cli.services.work import job_context
from gamestats_assets.lakehouse.entries.jobs import JobContext
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.jobs.worker import Worker
from gamestats_assets.rocket_league.jobs import KINDS
from gamestats_assets.settings import Settings
from gamestats_assets_tests.rocket_league.linking import linked
from gamestats_assets_tests.serving.served import KEY, served
from gamestats_assets_tests.serving.signing_in import browser_of

UPLOAD = "/api/v1/replays/upload"


@dataclass
class Running:
    """The application and a worker over the same stores."""

    site: httpx.Client
    url: str
    stores: Stores
    context: JobContext
    log: list[str]

    def browser(self, name: str) -> httpx.Client:
        return browser_of(self.site, self.url, name)

    def work(self) -> None:
        worker = Worker(self.stores.postgres_url, KINDS, lambda: self.context, idle_s=60, log=self.log.append)
        worker.run_until_empty()

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as conn:
            return conn.execute(query, parameters).fetchall()  # pyright: ignore[reportArgumentType, reportCallIssue]

    def job(self, taken: Mapping[str, Any]) -> dict[str, Any]:
        return self.rows("SELECT * FROM ops.jobs WHERE job_id = %s", [taken["job_id"]])[0]

    def landed(self) -> list[str]:
        landing = self.stores.landing
        return [file.path for day in landing.days("rocket_league") for file in landing.files("rocket_league", day)]

    def links(self, name: str, player_id: str, share_at_ballchasing: str | None = None) -> None:
        """Have an account of the game be somebody's, who agrees to the analysis."""
        linked(self.url, name, player_id)
        with psycopg.connect(self.url) as conn:
            conn.execute(
                "INSERT INTO ops.rl_players"
                " (player_id, username, wanted_since, consented_at, retention_days, share_at_ballchasing)"
                " VALUES (%s, %s, '2015-07-07', now(), 36500, %s)",
                [player_id, name, share_at_ballchasing],
            )


@contextmanager
def at_work(folder: Path, url: str, **settings: Any) -> Iterator[Running]:
    """The application and a worker over a folder and a database."""
    data, log = str(folder), list[str]()
    given = {"encryption_key": KEY, **settings}
    stores = Stores(Settings(data=data, postgres_url=url, **given))  # pyright: ignore[reportArgumentType]
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patched:
        site = stack.enter_context(served(url, data=data, files_an_hour=1000, **settings))
        patched.setenv("GAMESTATS_DATA", data)
        patched.setenv("GAMESTATS_POSTGRES_URL", url)
        yield Running(site, url, stores, job_context(stores, stack), log)


def send(browser: httpx.Client, *files: tuple[str, bytes]) -> httpx.Response:
    return browser.post(UPLOAD, files=[("file", (name, content)) for name, content in files], timeout=60)


def zipped(**files: bytes) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return into.getvalue()


REPLAY = b"TAGame.Replay_Soccar_TA" + b"x" * 100


def variant(content: bytes, number: int) -> bytes:
    """The replay of another match: of a replay whose header tells the match's id, with another one."""
    match_id = f"{number:032X}".encode()
    found = re.search(rb"MatchGUID\0.{4}StrProperty\0.{12}([0-9A-F]{32})", content, re.DOTALL)
    assert found is not None
    return content[: found.start(1)] + match_id + content[found.end(1) :]
