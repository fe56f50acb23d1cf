"""The application and a worker over the same stores, to which people send replays.

The worker makes some tables alone, from those that are read to those that tell who played: what follows from these is
no different for what people sent, and takes fifty steps.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
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
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.assets import landed
from gamestats_assets.rocket_league.jobs import KINDS
from gamestats_assets.settings import Settings
from gamestats_assets_tests.rocket_league.support import files
from gamestats_assets_tests.rocket_league.support.linking import linked
from gamestats_assets_tests.serving.served import KEY, served
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of

UPLOAD = "/api/v1/replays/upload"
WHO_PLAYED = {table.spec.name for table in (t.MatchFacts, t.Participants, t.RlPlayers, t.Withheld)}
WHO_PLAYED |= {table.spec.name for step in ("raw", "raw_events") for table in landed(step)}


@dataclass
class OfSome:
    """A job's context that makes some tables alone, of those that are wanted; it keeps what was wanted."""

    whole: JobContext
    tables: Collection[str]
    wanted: list[tuple[set[str], set[str]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def follow(
        self, game: str, *, days: Collection[str] = (), names: Collection[str] = (), only: Collection[str] | None = None
    ) -> list[str]:
        """Make them, of days and names."""
        self.wanted.append(({*days}, {*names}))
        return self.whole.follow(game, days=days, names=names, only={*self.tables}.intersection(only or self.tables))


@dataclass
class Running:
    """The application and a worker over the same stores.

    Attributes:
        context: what jobs are done with, of all tables.
        some: the same, of those that tell who played.
    """

    site: httpx.Client
    url: str
    stores: Stores
    context: JobContext
    some: OfSome
    log: list[str]

    def browser(self, name: str) -> httpx.Client:
        return browser_of(self.site, self.url, name)

    def work(self, *, makes_all: bool = False) -> None:
        """Do all that is asked for."""
        context: Any = self.context if makes_all else self.some
        worker = Worker(self.stores.postgres_url, KINDS, lambda: context, idle_s=60, log=self.log.append)
        worker.run_until_empty()

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as conn:
            return conn.execute(query, parameters).fetchall()  # pyright: ignore[reportArgumentType, reportCallIssue]

    def job(self, taken: Mapping[str, Any]) -> dict[str, Any]:
        return self.rows("SELECT * FROM ops.jobs WHERE job_id = %s", [taken["job_id"]])[0]

    def published(self, match_id: str, player_id: str | None = None) -> int:
        """Who played in a match as PostgreSQL has it: how many, of all or of one."""
        count = "SELECT count(*) AS n FROM rocket_league.participants WHERE match_id = %s AND player_id LIKE %s"
        return self.rows(count, [match_id, player_id or "%"])[0]["n"]

    def landed(self) -> list[str]:
        return [file.path for file in files.landed(self.stores.landing)]

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
        context = job_context(stores, stack)
        yield Running(site, url, stores, context, OfSome(context, WHO_PLAYED), log)


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
