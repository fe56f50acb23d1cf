"""The simulated season, entered and published, and people who sign in to edit it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psycopg
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.postgres.embedded import start_embedded, stop_embedded
from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.tables import SNAPSHOTS, Matches, MatchFacts, MatchSummaries, PlayerMatchWeaponDistribution
from gamestats_assets.pubg.tournament.tables import RoundStatusChanges
from gamestats_assets.settings import Settings
from gamestats_assets_tests.pubg.scenario import derive
from gamestats_assets_tests.pubg.tournament.season import MADE, SimulatedSeason
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of, user_named
from gamestats_assets_tests.support.postgres_fixture import database

MATCHES = (MatchFacts, MatchSummaries, PlayerMatchWeaponDistribution)


def enter_and_publish(url: str, season: SimulatedSeason) -> None:
    """Enter what people entered of a season, with its numbers, and publish all that is made of it."""
    frames = season.frames()
    enter(url, frames)
    publish_all(url, frames)


def enter(url: str, frames: Mapping[type[Table], pl.DataFrame]) -> None:
    """Enter what people entered, with its numbers; PostgreSQL remembers the status of rounds by itself."""
    with ops.entering(SecretStr(url), "cid") as conn:
        # One who stands in is on two rosters of the plan that day.
        conn.execute("ALTER TABLE ops.roster_entries DISABLE TRIGGER one_roster_a_day")
        for table in SNAPSHOTS:
            if table in frames and table is not RoundStatusChanges:
                _insert(conn, table, frames[table])
        conn.execute("ALTER TABLE ops.roster_entries ENABLE TRIGGER one_roster_a_day")


def _insert(conn: psycopg.Connection, table: type[Table], frame: pl.DataFrame) -> None:
    name = sql.Identifier("ops", table.spec.name)
    query = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
        name,
        sql.SQL(", ").join(map(sql.Identifier, frame.columns)),
        sql.SQL(", ").join([sql.Placeholder()] * frame.width),
    )
    with conn.cursor() as cursor:
        cursor.executemany(query, frame.rows())
    [key] = table.primary_key()
    if frame.schema[key] == pl.Int64:
        last = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, %s), 1000)")
        conn.execute(last, [f"ops.{table.spec.name}", key])


def publish_all(url: str, frames: Mapping[type[Table], pl.DataFrame]) -> dict[type[Table], pl.DataFrame]:
    """Publish what is made of some frames."""
    made = derive(frames, [*MADE, Matches])
    for table, frame in made.items():
        if table.spec.published:
            by = table.spec.partitioned_by
            publish(url, table, frame[by].unique().to_list() if by else None, frame)
    return made


def as_entered(url: str, frames: Mapping[type[Table], pl.DataFrame]) -> dict[type[Table], pl.DataFrame]:
    """The matches of some frames, with what is entered now."""
    entered = {table: ops.entered_rows(SecretStr(url), table) for table in SNAPSHOTS if table in frames}
    return {**{table: frames[table] for table in MATCHES}, **entered}


@contextmanager
def own_server() -> Iterator[tuple[httpx.Client, str]]:
    """The simulated season, served: a client, and the address of PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="gamestats-fuzz-"))
    settings = Settings(data=str(folder), postgres_url=None)
    try:
        with database(start_embedded(settings)) as url:
            ops.migrate(SecretStr(url))
            enter_and_publish(url, SimulatedSeason())
            with served(url) as client:
                yield client, url
    finally:
        stop_embedded(settings)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Admin:
    """Somebody signed in at a browser.

    Attributes:
        http: sends the session's cookie and its CSRF token.
    """

    name: str
    token: str
    http: httpx.Client

    def ask(self, method: str, path: str, version: str | None = None, **given: Any) -> httpx.Response:
        """Ask the admin API."""
        headers = {"If-Match": f'"{version}"'} if version is not None else {}
        return self.http.request(method, f"/api/v1/admin/tournaments{path}", headers=headers, **given)


def sign_in(site: httpx.Client, url: str, name: str, role: str | None, **place: int) -> Admin:
    """Somebody who is signed in, with a role."""
    user_named(url, name, *([role] if role else []), **place)
    http = browser_of(site, url, name)
    return Admin(name, http.cookies["gamestats_session"], http)
