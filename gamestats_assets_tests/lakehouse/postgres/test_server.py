"""The PostgreSQL server: embedded or configured, restarts, secrets, privileges, people's queries."""

import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import polars as pl
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres.embedded import (
    EmbeddedPostgresError,
    is_running,
    start_embedded,
    stop_embedded,
)
from gamestats_assets.lakehouse.postgres.embedded import postgres_url as settings_url
from gamestats_assets.lakehouse.postgres.roles import READER_ROLE, ensure_reader, reading_url
from gamestats_assets.lakehouse.postgres.server import (
    PostgresError,
    PostgresUnavailableError,
    QueryError,
    connect,
    query,
)
from gamestats_assets.lakehouse.published.publication import counts, publish
from gamestats_assets.lakehouse.published.tables import ensure_table
from gamestats_assets.settings import Settings
from gamestats_assets_tests.lakehouse.published.results import (
    DAY,
    NEW,
    NEXT,
    OLD,
    Results,
    declared,
    results,
    text,
)
from gamestats_assets_tests.support.clocks import wait_until
from gamestats_assets_tests.support.published import published_rows


@pytest.fixture
def url(fresh_database: str) -> str:
    return fresh_database


# --- the embedded server ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A server that a test may stop and start, under a path too long for a unix socket."""
    folder = tmp_path_factory.mktemp("x" * 100)
    settings = Settings(data=str(folder), postgres_url=None)
    yield settings
    sockets = Path(parse_qs(urlsplit(start_embedded(settings)).query)["host"][0])
    stop_embedded(settings)
    sockets.rmdir()


def test_a_server_restarted_in_the_middle_of_a_publication_is_waited_for(own_server: Settings) -> None:
    url = settings_url(own_server)
    publish(url, Results, [DAY, NEXT], pl.concat([results(DAY, 300, kills=OLD), results(NEXT, 70)]))
    restarts: list[threading.Thread] = []

    def restart(_: psycopg.Cursor) -> None:
        if not restarts:
            assert stop_embedded(own_server)
            restarts.append(threading.Thread(target=lambda: (time.sleep(0.3), start_embedded(own_server))))
            restarts[0].start()

    publication = publish(url, Results, [DAY], results(DAY, 500, kills=NEW), before_commit=restart)
    restarts[0].join()

    assert publication.attempts >= 2
    assert (publication.rows_deleted, publication.rows_inserted) == (300, 500)
    with connect(url) as conn:
        assert counts(conn, Results) == {DAY: 500, NEXT: 70}


def test_a_server_killed_hard_is_recovered_by_the_next_to_ask(own_server: Settings) -> None:
    url = settings_url(own_server)
    publish(url, Results, [DAY], results(DAY, 200))
    with psycopg.connect(url.get_secret_value()) as conn:
        lines = (own_server.state_folder / "postgres" / "postmaster.pid").read_text().splitlines()
        assert conn.info.backend_pid != int(lines[0])
    os.kill(int(lines[0]), signal.SIGKILL)
    assert wait_until(lambda: not is_running(own_server)), "the death of the server"

    assert published_rows(settings_url(own_server), Results, DAY) == 200


def test_a_server_that_stays_away_is_reported_after_the_patience_given(own_server: Settings) -> None:
    url = settings_url(own_server)
    stop_embedded(own_server)

    started = time.monotonic()
    with pytest.raises(PostgresUnavailableError, match="does not take a connection"):
        publish(url, Results, [DAY], results(DAY, 10), patience=0.3)

    assert 0.3 <= time.monotonic() - started < 10


def _ask_for_a_server(folder: str, answers: Any) -> None:
    answers.put(start_embedded(Settings(data=folder, postgres_url=None)))


def test_processes_that_ask_at_once_get_one_server_which_outlives_them(own_server: Settings) -> None:
    stop_embedded(own_server)
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.Queue()
    askers = [spawn.Process(target=_ask_for_a_server, args=(own_server.data, answers)) for _ in range(3)]
    for asker in askers:
        asker.start()
    urls = {answers.get(timeout=60) for _ in askers}
    for asker in askers:
        asker.join(30)

    assert len(urls) == 1
    assert is_running(own_server)
    assert query(urls.pop(), "select 1 as one")["one"].item() == 1


def test_a_data_folder_copied_from_a_running_server_is_refused() -> None:
    with tempfile.TemporaryDirectory(prefix="gamestats-copy-") as folder:
        first, copy = (Settings(data=f"{folder}/{name}", postgres_url=None) for name in ("first", "copy"))
        url = settings_url(first)
        publish(url, Results, [DAY], results(DAY, 3))
        subprocess.run(["cp", "-a", first.data, copy.data], check=True)

        def is_refused() -> None:
            for work in (start_embedded, is_running, stop_embedded):
                with pytest.raises(EmbeddedPostgresError, match=f"{copy.data} is a copy of {first.data}, made while"):
                    work(copy)

        is_refused()
        os.kill(int((first.state_folder / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        assert wait_until(lambda: not is_running(first)), "the death of the server"
        is_refused()

        start_embedded(first)
        stop_embedded(first)
        shutil.rmtree(copy.data)
        subprocess.run(["cp", "-a", first.data, copy.data], check=True)
        try:
            assert published_rows(settings_url(copy), Results, DAY) == 3
            assert not is_running(first)
        finally:
            stop_embedded(copy)


def test_a_data_folder_for_its_owner_alone_moves_with_its_running_server() -> None:
    with tempfile.TemporaryDirectory(prefix="gamestats-move-") as folder:
        before, after = (Settings(data=f"{folder}/{name}", postgres_url=None) for name in ("before", "after"))
        publish(settings_url(before), Results, [DAY], results(DAY, 3))
        assert stat.S_IMODE(os.stat(before.data).st_mode) & ~stat.S_IXGRP == 0o700
        assert stat.S_IMODE(os.stat(f"{before.data}/postgres").st_mode) == 0o700
        Path(before.data).rename(after.data)
        try:
            assert published_rows(settings_url(after), Results, DAY) == 3
            Path(folder).chmod(0o700)  # closed meanwhile; it must stop all the same
        finally:
            assert stop_embedded(after)


def test_a_url_given_is_used_and_starts_nothing(tmp_path: Path) -> None:
    given = Settings(data=str(tmp_path), postgres_url=SecretStr("postgresql://u:p@db.example/x"))

    assert settings_url(given).get_secret_value() == "postgresql://u:p@db.example/x"
    assert list(tmp_path.iterdir()) == []


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr3t%2Fpart@127.0.0.1:1/x",
        "postgresql://u@127.0.0.1:1/x?password=s3cr3t%2Fpart",
        "postgresql://u:s3cr3t/part@127.0.0.1:1/x",
        "postgresql://u:s3cr3t@127.0.0.1:port/x",
        "postgresql://u:x@127.0.0.1:1/x?s3cr3t=1",
        "postgresql://u:x@s3cr3t@127.0.0.1:1/x",
        "mysql://u:s3cr3t@h/x",
        "host=localhost password=s3cr3t",
    ],
)
def test_no_message_carries_the_password(url: str) -> None:
    with pytest.raises(PostgresError) as raised:
        publish(SecretStr(url), Results, [DAY], results(DAY, 1), patience=0)

    error: BaseException | None = raised.value
    while error is not None:
        assert "s3cr3t" not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_refused_login_is_not_tried_again(url: str) -> None:
    wrong = urlunsplit(urlsplit(url)._replace(path="/no_such_database"))

    with pytest.raises(PostgresUnavailableError, match="no_such_database") as raised:
        publish(wrong, Results, [DAY], results(DAY, 1))

    assert not raised.value.transient


# --- who may read --------------------------------------------------------------------------------


def test_a_reader_reads_tables_present_and_future_and_writes_none(url: str) -> None:
    with connect(url) as conn:
        ensure_table(conn, Results)
        for _ in range(2):
            ensure_reader(conn, ["demo", "evolving"])
        ensure_table(conn, declared(a=text()))

        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(READER_ROLE)))
        for name in ("demo.results", "evolving.players"):
            schema, table = name.split(".")
            assert conn.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))).fetchall() == []
            for statement in ("DELETE FROM {}", "DROP TABLE {}", "TRUNCATE {}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(sql.SQL(statement).format(sql.Identifier(schema, table)))


@contextmanager
def login(url: str, name: str) -> Iterator[str]:
    """URL of a user who may make schemas and nothing more."""
    with psycopg.connect(url, autocommit=True) as conn:
        row = conn.execute("select current_database()").fetchone()
        assert row is not None
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        conn.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(row[0]), sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(url)._replace(netloc=f"{name}@"))
        finally:
            conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_user_who_may_not_make_roles_publishes_all_the_same(own_server: Settings) -> None:
    # On a server where nobody has made the role yet; databases share their roles.
    url = settings_url(own_server).get_secret_value()
    with psycopg.connect(url, autocommit=True) as conn:
        for schema in ("demo", "evolving"):
            conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
        conn.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(READER_ROLE)))

    with login(url, "plain") as plain:
        publication = publish(plain, Results, [DAY], results(DAY, 5))

    assert publication.rows_inserted == 5


def test_a_persons_query_on_the_embedded_server_is_the_readers(postgres_settings: Settings) -> None:
    url = settings_url(postgres_settings)
    publish(url, Results, [DAY], results(DAY, 3))
    reading = reading_url(postgres_settings)

    assert query(reading, "select session_user::text, count(*) from demo.results group by 1").rows() == [
        (READER_ROLE, 3)
    ]
    for escape in (
        "copy (select 1) to program 'true'",
        "select pg_read_file('/etc/hostname')",
        "do $$ begin execute 'reset role'; execute 'select pg_read_file(''/etc/hostname'')'; end $$",
    ):
        with pytest.raises(QueryError, match="permission denied"):
            query(reading, escape)


def test_a_persons_query_on_a_server_of_ones_own_is_never_a_superusers(url: str) -> None:
    with connect(url) as conn:
        ensure_reader(conn, [])
    with pytest.raises(QueryError, match=r"postgres is a superuser.*GAMESTATS_POSTGRES_READER_URL"):
        reading_url(Settings(postgres_url=SecretStr(url)))
    with pytest.raises(QueryError, match="superuser"):
        reading_url(Settings(postgres_reader_url=SecretStr(url)))

    with login(url, "writer") as writer, connect(url) as conn:
        settings = Settings(postgres_url=SecretStr(writer))
        with pytest.raises(QueryError, match=f"GRANT {READER_ROLE} TO writer"):
            reading_url(settings)
        conn.execute(sql.SQL("GRANT {} TO writer").format(sql.Identifier(READER_ROLE)))
        assert query(reading_url(settings), "select current_user::text").item() == READER_ROLE
        named = Settings(postgres_url=SecretStr(url), postgres_reader_url=SecretStr(writer))
        assert query(reading_url(named), "select current_user::text").item() == "writer"


# --- reading -------------------------------------------------------------------------------------


def test_a_query_answers_in_types_of_its_own(url: str) -> None:
    answer = query(
        url,
        """select 1::smallint a, 2::bigint a, 1.50::numeric n, sum(x) total, 'NaN'::numeric odd, true b,
                  null t, '{"k": 1}'::jsonb j, array[1, null] xs, timestamptz '2026-03-14 12:00+02' at,
                  date '2026-03-14' d, '100%' pct, interval '1 h' dur,
                  '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid u, array[0.5] ns
           from generate_series(1, 3) x""",
    )

    assert answer.columns == ["a", "a_2", "n", "total", "odd", "b", "t", "j", "xs", "at", "d", "pct", "dur", "u", "ns"]
    assert answer["n"].item() == Decimal("1.50")
    assert (answer["a_2"].dtype, answer["total"].item(), answer["b"].item(), answer["t"].item()) == (
        pl.Int64,
        6,
        True,
        None,
    )
    assert answer["at"].item() == datetime(2026, 3, 14, 10, tzinfo=UTC)
    assert (answer["j"].item(), answer["pct"].item(), answer["xs"].to_list()) == ('{"k": 1}', "100%", [[1, None]])
    assert answer["u"].item() == "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    assert answer["ns"].to_list() == [[0.5]]
    assert query(url, "select array['[1]'::jsonb] js, array[[1, 2], [3, 4]] xss, 10::numeric ^ 50 n").rows() == [
        (["[1]"], "[[1, 2], [3, 4]]", "1" + "0" * 50)
    ]
    assert query(url, "select 1::int a, 'x' b where false").schema == {"a": pl.Int32, "b": pl.String}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("select nothing from nowhere", "nowhere"),
        ("delete from demo.results", "read-only"),
        ("create table demo.t (a int)", "read-only"),
        ("commit; delete from demo.results", "multiple commands"),
        ("set transaction read write; delete from demo.results", "multiple commands"),
        ("with gone as (delete from demo.results returning 1) select * from gone", "read-only"),
    ],
)
def test_a_query_that_is_wrong_or_would_write_is_refused(url: str, statement: str, message: str) -> None:
    publish(url, Results, [DAY], results(DAY, 3))

    with pytest.raises(QueryError, match=message):
        query(url, statement)

    assert published_rows(url, Results) == 3
