"""Publication to a real PostgreSQL server: definitions, replacement, crashes, races, readers."""

import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import dataframely as dy
import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from psycopg import sql

from gamestats_assets.lakehouse.postgres.own_rows import setting
from gamestats_assets.lakehouse.postgres.roles import SERVING_ROLE
from gamestats_assets.lakehouse.postgres.server import PostgresError, connect, query
from gamestats_assets.lakehouse.published.notes import CHANNEL
from gamestats_assets.lakehouse.published.publication import (
    Publication,
    ReconciliationError,
    counts,
    everything_published,
    forget_partition,
    publish,
)
from gamestats_assets.lakehouse.published.tables import (
    IncompatibleTableError,
    PublicationError,
    UnpublishableTableError,
    ensure_table,
    rebuild_table,
)
from gamestats_assets.lakehouse.quality import SchemaMismatchError
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.lakehouse.results import (
    DAY,
    NEW,
    NEXT,
    OLD,
    Everything,
    Results,
    by_id,
    declared,
    results,
    text,
)
from gamestats_assets_tests.support.published import published_hashes, published_rows, read_published


@pytest.fixture
def url(fresh_database: str) -> str:
    return fresh_database


# --- what comes back is what was sent ------------------------------------------------------------


def test_awkward_values_come_back_as_they_were(url: str) -> None:
    texts = [
        "", None, "NULL", "\\N", "\\.", "a,b", 'say "hi"', "two\nlines", "cr\r\nlf", "back\\slash", "{}",
        "ünï✓🎮",
        " spaces ", "'; DROP TABLE x; --", "%s %(a)s", "\t",
    ]  # fmt: skip
    n = len(texts)
    doubles = [0.1, None, float("nan"), float("inf"), float("-inf"), 1e308, 5e-324, -1.5, *[1 / 3] * (n - 8)]
    frame = pl.DataFrame(
        {
            "id": [f"{place:02}" for place in range(n)],
            "i8": [-128, 127] + [None] * (n - 2),
            "i16": [-(2**15), 2**15 - 1] + [None] * (n - 2),
            "i32": [-(2**31), 2**31 - 1] + [None] * (n - 2),
            "i64": [-(2**63), 2**63 - 1] + [None] * (n - 2),
            "whole": [2**40] * n,
            "f32": [0.1, float("nan"), float("-inf"), 3.4e38] + [None] * (n - 4),
            "f64": doubles,
            "money": [Decimal("-1234567890123456.7891"), Decimal("0.0001")] + [None] * (n - 2),
            "flag": [True, False, None] + [True] * (n - 3),
            "day": [date(1, 1, 1), date(9999, 12, 31), None] + [DAY] * (n - 3),
            "at": [datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)]
            + [None] * (n - 2),
            "code": texts,
            "names": [texts, [], None, [None], [""]] + [["x"]] * (n - 5),
            "scores": [doubles, [], None] + [[0.1, 1 / 3]] * (n - 3),
            "flags": [[True, None, False]] * n,
            "days": [[DAY, None]] * n,
            "instants": [[datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC), None]] * n,
        },
        schema=Everything.schema(),
    )

    publication = publish(url, Everything, None, frame)

    assert (publication.rows_deleted, publication.rows_inserted, publication.attempts) == (0, n, 1)
    assert_frame_equal(by_id(read_published(url, Everything), Everything), frame, check_exact=True)
    assert query(url, "select count(*) c from demo.everything where code is null")["c"].item() == 1
    assert query(url, "select count(*) c from demo.everything where code = ''")["c"].item() == 1


@pytest.mark.parametrize("seed", range(5))
def test_any_frame_the_declaration_allows_comes_back(url: str, seed: int) -> None:
    frame = Everything.sample(300, generator=dy.random.Generator(seed))

    publish(url, Everything, None, frame)

    assert_frame_equal(by_id(read_published(url, Everything), Everything), by_id(frame, Everything), check_exact=True)


def test_a_character_postgres_cannot_keep_is_replaced_and_stops_nothing(url: str) -> None:
    odd = results(DAY, 3).with_columns(note=pl.Series(["fine", "nul \0 inside", "fine"]))
    publish(url, Results, [DAY], odd)
    notes = read_published(url, Results).get_column("note").to_list()
    assert sorted(notes) == ["fine", "fine", "nul \N{REPLACEMENT CHARACTER} inside"]


# --- replacement ---------------------------------------------------------------------------------


def test_a_publication_replaces_its_partition_and_no_other(url: str) -> None:
    publish(url, Results, [DAY, NEXT], pl.concat([results(DAY, 250), results(NEXT, 150)]))

    publication = publish(url, Results, [DAY], results(DAY, 120, kills=7))

    assert (publication.rows_deleted, publication.rows_inserted) == (250, 120)
    assert_frame_equal(by_id(read_published(url, Results, [DAY]), Results), by_id(results(DAY, 120, kills=7), Results))
    assert_frame_equal(by_id(read_published(url, Results, [NEXT]), Results), by_id(results(NEXT, 150), Results))


def test_an_empty_frame_empties_the_partitions_named(url: str) -> None:
    publish(url, Results, [DAY, NEXT], pl.concat([results(DAY, 10), results(NEXT, 20)]))

    publication = publish(url, Results, [DAY], results(DAY, 0))

    assert (publication.rows_deleted, publication.rows_inserted) == (10, 0)
    with connect(url) as conn:
        assert counts(conn, Results) == {NEXT: 20}


def test_rows_of_another_partition_are_refused_before_anything_is_sent(url: str) -> None:
    unreachable = "postgresql://nobody@127.0.0.1:1/none"

    with pytest.raises(PublicationError, match=r"20 rows for demo\.results.*2026-03-15"):
        publish(unreachable, Results, [DAY], pl.concat([results(DAY, 10), results(NEXT, 20)]))


def test_replacing_a_partitioned_table_requires_its_partitions(url: str) -> None:
    with pytest.raises(PublicationError, match="the values of day that it replaces; none given"):
        publish(url, Results, None, results(DAY, 10))
    with pytest.raises(PublicationError, match="no partitions"):
        publish(url, Everything, ["x"], Everything.create_empty())


def test_a_frame_that_is_not_as_declared_is_refused(url: str) -> None:
    frame = results(DAY, 10).with_columns(kills=pl.lit("many")).drop("note").with_columns(extra=1)

    said = "column note is missing; column extra is not declared; column kills is String, declared Int16"
    with pytest.raises(SchemaMismatchError, match=said):
        publish(url, Results, [DAY], frame)


def test_no_partition_at_all_is_nothing_to_do() -> None:
    publication = publish("postgresql://nobody@127.0.0.1:1/none", Results, [], results(DAY, 0))

    assert (publication.rows_deleted, publication.rows_inserted) == (0, 0)


def test_more_partitions_than_there_are_locks(url: str) -> None:
    days = [date.fromordinal(date(2020, 1, 1).toordinal() + number) for number in range(1_500)]

    publish(url, Results, days, pl.concat([results(day, 1) for day in days]))

    assert published_rows(url, Results) == 1_500


def test_work_of_the_caller_is_committed_with_the_rows_or_not_at_all(url: str) -> None:
    def note(cursor: psycopg.Cursor) -> None:
        cursor.execute("create table public.noted as select count(*) as rows from demo.results")

    def fail(cursor: psycopg.Cursor) -> None:
        raise RuntimeError("the caller's check failed")

    publish(url, Results, [DAY], results(DAY, 10), before_commit=note)
    with pytest.raises(RuntimeError, match="the caller's check failed"):
        publish(url, Results, [DAY], results(DAY, 99), before_commit=fail)

    assert query(url, "select rows from public.noted")["rows"].item() == 10
    assert published_rows(url, Results, DAY) == 10


def test_rows_stand_in_the_order_of_the_key_however_they_come(url: str) -> None:
    publish(url, Results, [DAY], results(DAY, 300).sample(fraction=1, shuffle=True, seed=1))

    stored = query(url, "select match_id, player from demo.results order by ctid").rows()
    assert stored == sorted((f"m-2026-03-14-{row // 100}", f"p{row % 100}") for row in range(300))


def test_a_doubled_key_is_refused_and_named(url: str) -> None:
    with pytest.raises(PublicationError, match=r"demo\.results \[2026-03-14\].*\(m-2026-03-14-0, p0\)"):
        publish(url, Results, [DAY], pl.concat([results(DAY, 1), results(DAY, 1)]))


# --- what content is published -------------------------------------------------------------------


def test_the_hash_of_what_is_published_is_told(url: str) -> None:
    assert published_hashes(url, Results) == {}

    publish(url, Results, [DAY, NEXT], results(DAY, 10), content_hash={DAY: "a1", NEXT: "empty"})
    publish(url, Everything, None, Everything.create_empty(), content_hash={None: "e1"})
    publish(url, Results, [DAY], results(DAY, 7), content_hash={DAY: "a2"})

    assert published_hashes(url, Results) == {"2026-03-14": "a2", "2026-03-15": "empty"}
    assert published_hashes(url, Everything) == {"": "e1"}
    noted = query(url, "select partition_key, rows, now() - published_at < '1 minute' from demo.published_partitions")
    assert sorted(noted.rows()) == [("", 0, True), ("2026-03-14", 7, True), ("2026-03-15", 0, True)]


def test_a_publication_without_a_hash_leaves_none(url: str) -> None:
    publish(url, Results, [DAY, NEXT], results(DAY, 10), content_hash={DAY: "a", NEXT: "b"})

    publish(url, Results, [DAY], results(DAY, 10))
    assert published_hashes(url, Results) == {"2026-03-15": "b"}

    publish(url, Results, [DAY, NEXT], results(NEXT, 10), content_hash={DAY: "c"})
    assert published_hashes(url, Results) == {"2026-03-14": "c"}


def test_a_publication_that_fails_leaves_the_hash_with_the_rows_it_names(url: str) -> None:
    seen: list[dict[str, str]] = []

    def fail(_: psycopg.Cursor) -> None:
        seen.append(published_hashes(url, Results))
        raise RuntimeError("the caller's check failed")

    publish(url, Results, [DAY], results(DAY, 10), content_hash={DAY: "old"})
    with pytest.raises(RuntimeError):
        publish(url, Results, [DAY], results(DAY, 20), content_hash={DAY: "new"}, before_commit=fail)
    with pytest.raises(RuntimeError):
        publish(url, Results, [DAY], results(DAY, 20), before_commit=fail)

    assert seen == [{"2026-03-14": "old"}] * 2
    assert published_hashes(url, Results) == {"2026-03-14": "old"}
    assert published_rows(url, Results, DAY) == 10


def test_a_table_made_anew_has_no_hashes_of_the_old_one(url: str) -> None:
    publish(url, Results, [DAY], results(DAY, 10), content_hash={DAY: "a"})
    publish(url, Everything, None, Everything.create_empty(), content_hash={None: "e"})

    with connect(url) as conn:
        rebuild_table(conn, Results)
    assert published_hashes(url, Results) == {}

    publish(url, Results, [DAY], results(DAY, 10), content_hash={DAY: "a"})
    with connect(url) as conn:
        conn.execute("drop table demo.results")
        assert published_hashes(url, Results) == {}
        ensure_table(conn, Results)
    assert published_hashes(url, Results) == {}
    assert published_hashes(url, Everything) == {"": "e"}


def test_rows_that_lack_a_column_declared_later_have_no_hash(url: str) -> None:
    first, wider = declared(a=text()), declared(a=text(), b=text())
    publish(url, first, None, pl.DataFrame({"id": ["1"], "a": ["x"]}), content_hash={None: "h"})

    assert published_hashes(url, wider) == {}
    with connect(url) as conn:
        ensure_table(conn, wider)
    assert published_hashes(url, wider) == {}


def test_a_changed_definition_makes_a_partition_due_for_publication(url: str) -> None:
    plain, indexed = (declared(a=text(), indexes=indexes, partitioned_by="id") for indexes in ((), (("a",),)))
    rows = pl.DataFrame({"id": ["1", "2"], "a": ["x", "y"]})
    publish(url, plain, ["1", "2"], rows, content_hash={"1": "h", "2": "i"})
    assert published_hashes(url, plain) == {"1": "h", "2": "i"}

    assert published_hashes(url, indexed) == {"1": "h"}
    publish(url, indexed, ["2"], rows.tail(1), content_hash={"2": "i"})
    assert published_hashes(url, indexed) == {"1": "h", "2": "i"}


def test_a_partition_that_lost_rows_is_unknown_when_they_are_counted(url: str) -> None:
    publish(url, Results, [DAY, NEXT], results(DAY, 10), content_hash={DAY: "a", NEXT: "empty"})
    with psycopg.connect(url) as conn:
        conn.execute("delete from demo.results where player = 'p3'")

    assert published_hashes(url, Results) == {"2026-03-14": "a", "2026-03-15": "empty"}
    assert everything_published(url, [Everything, Results], counted=True) == {Results: {"2026-03-15": "empty"}}


@pytest.mark.parametrize("name", ["published_partitions", "published_versions"])
def test_no_table_may_take_the_name_of_the_notes(url: str, name: str) -> None:
    with connect(url) as conn, pytest.raises(UnpublishableTableError, match=f"'{name}' is taken"):
        ensure_table(conn, declared(name))


# --- versions ------------------------------------------------------------------------------------


def versions(url: str) -> dict[str, int]:
    return dict(query(url, "select table_name, version from demo.published_versions").rows())


def test_every_publication_raises_the_version_and_notifies_after_commit(url: str) -> None:
    publish(url, Results, [DAY], results(DAY, 10))
    publish(url, Everything, None, Everything.create_empty())
    first = versions(url)
    with psycopg.connect(url, autocommit=True) as listening:
        listening.execute(f"LISTEN {CHANNEL}")

        def refuse(cursor: psycopg.Cursor) -> None:
            raise RuntimeError

        with pytest.raises(RuntimeError):
            publish(url, Results, [DAY], results(DAY, 11), before_commit=refuse)
        assert versions(url) == first
        publish(url, Results, [NEXT], results(NEXT, 3))
        second = versions(url)
        [notification] = listening.notifies(timeout=5, stop_after=1)
    assert (second["results"] > first["results"], second["everything"]) == (True, first["everything"])
    assert notification.payload == f"demo.results {second['results']}"
    with connect(url) as conn:
        rebuild_table(conn, Results)
    assert versions(url)["results"] > second["results"]


def test_a_version_is_higher_than_the_last_whatever_the_clock_says(url: str) -> None:
    publish(url, Results, [DAY], results(DAY, 10))
    with psycopg.connect(url) as conn:
        conn.execute("update demo.published_versions set version = 9000000000000000")
    publish(url, Results, [DAY], results(DAY, 11))
    assert versions(url) == {"results": 9000000000000001}


def test_a_partition_that_is_forgotten_gives_its_table_another_version(url: str) -> None:
    publish(url, Results, [DAY], results(DAY, 10))
    before = versions(url)["results"]
    assert forget_partition(url, Results, DAY) == 10
    assert versions(url)["results"] > before


# --- reconciliation ------------------------------------------------------------------------------


def plant(url: str, body: str) -> None:
    """A trigger on the published table, as somebody might leave one there."""
    function = sql.SQL("create function public.spoil() returns trigger language plpgsql as {}")
    trigger = "create trigger spoil before insert on demo.results for each row execute function public.spoil()"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(function.format(sql.Literal(f"begin {body} end")))
        conn.execute(trigger)


@pytest.mark.parametrize(
    ("body", "difference"),
    [
        ("if new.player = 'p7' then return null; end if; return new;", r"rows 100 sent, 99 in the table"),
        (
            "if new.player = 'p7' then new.kills := new.kills + 1; end if; return new;",
            r"sum of kills 100 sent, 101",
        ),
        (
            "if new.player = 'p7' then new.damage := new.damage + 0.01; end if; return new;",
            r"sum of damage 495",
        ),
        (
            "if new.player = 'p7' then new.prize := new.prize + 0.01; end if; return new;",
            r"sum of prize 10.00 sent, 10.01",
        ),
        ("if new.player = 'p7' then new.ping := new.ping + 1; end if; return new;", r"sum of ping 34"),
        (
            "if new.player = 'p0' then new.damage := null; end if; return new;",
            r"nulls of damage 0 sent, 1 in",
        ),
        ("new.day := new.day + 1; return new;", r"rows 100 sent, 0 in the table"),
    ],
)
def test_what_arrives_changed_is_rolled_back(url: str, body: str, difference: str) -> None:
    publish(url, Results, [DAY], results(DAY, 40, kills=3))
    plant(url, body)

    with pytest.raises(ReconciliationError, match=rf"demo\.results \[2026-03-14\](.|\n)*2026-03-14: .*{difference}"):
        publish(url, Results, [DAY], results(DAY, 100))

    assert_frame_equal(by_id(read_published(url, Results), Results), by_id(results(DAY, 40, kills=3), Results))


def test_sums_that_are_not_finite_reconcile(url: str) -> None:
    for value in (float("nan"), float("inf"), float("-inf"), None):
        publish(url, Results, [DAY], results(DAY, 10).with_columns(damage=pl.lit(value, pl.Float64)))


# --- crashes and restarts ------------------------------------------------------------------------


def _publish_slowly(url: str, at: str, reached: Any) -> None:
    def stand_still(*_: object) -> None:
        reached.set()
        time.sleep(60)

    write = psycopg.Copy.write

    def write_some(copy: Any, data: Any) -> None:
        write(copy, bytes(data)[: len(data) // 2])
        copy.connection.pgconn.flush()
        stand_still()

    if at == "in the COPY":
        psycopg.Copy.write = write_some  # pyright: ignore[reportAttributeAccessIssue]
    before_commit = stand_still if at == "before the commit" else None
    publish(url, Results, [DAY], results(DAY, 5_000, kills=NEW), before_commit=before_commit)


@contextmanager
def publisher_to_kill(url: str, at: str) -> Iterator[Any]:
    """A publisher in a process of its own, killed hard on leaving; the event given is set at the point."""
    spawn = multiprocessing.get_context("spawn")
    reached = spawn.Event()
    process = spawn.Process(target=_publish_slowly, args=(url, at, reached), daemon=True)
    process.start()
    try:
        yield reached
    finally:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()


@pytest.mark.parametrize("at", ["in the COPY", "before the commit"])
def test_a_publisher_killed_before_its_commit_leaves_the_old_rows(url: str, at: str) -> None:
    publish(url, Results, [DAY], results(DAY, 3_000, kills=OLD))

    with publisher_to_kill(url, at) as reached:
        assert reached.wait(30)

    assert_frame_equal(by_id(read_published(url, Results), Results), by_id(results(DAY, 3_000, kills=OLD), Results))
    assert publish(url, Results, [DAY], results(DAY, 5_000, kills=NEW)).rows_deleted == 3_000
    assert_frame_equal(by_id(read_published(url, Results), Results), by_id(results(DAY, 5_000, kills=NEW), Results))


def test_a_session_ended_by_an_administrator_is_tried_again(url: str) -> None:
    publish(url, Results, [DAY], results(DAY, 3_000, kills=OLD))
    ended: list[bool] = []

    def end_own_session(cursor: psycopg.Cursor) -> None:
        if len(ended) < 2:
            with psycopg.connect(url, autocommit=True) as conn:
                ended.append(
                    conn.execute("select pg_terminate_backend(%s)", [cursor.connection.info.backend_pid]) is not None
                )
            cursor.execute("select pg_sleep(1)")

    publication = publish(
        url, Results, [DAY], results(DAY, 5_000, kills=NEW), content_hash={DAY: "a"}, before_commit=end_own_session
    )

    assert publication.attempts == 3
    assert published_hashes(url, Results) == {"2026-03-14": "a"}
    assert (publication.rows_deleted, publication.rows_inserted) == (3_000, 5_000)
    assert_frame_equal(by_id(read_published(url, Results), Results), by_id(results(DAY, 5_000, kills=NEW), Results))


def test_a_deadlock_is_tried_again(url: str) -> None:
    publish(url, Results, [DAY, NEXT], pl.concat([results(DAY, 10), results(NEXT, 10)]))
    both = threading.Barrier(2)
    entered: list[date] = []

    def take_the_others_row(own: date, other: date) -> Callable[[psycopg.Cursor], None]:
        def step(cursor: psycopg.Cursor) -> None:
            cursor.execute("select pg_advisory_xact_lock(%s)", [own.toordinal()])
            if own not in entered:
                entered.append(own)
                both.wait(30)
            cursor.execute("select pg_advisory_xact_lock(%s)", [other.toordinal()])

        return step

    with ThreadPoolExecutor() as pool:
        first = pool.submit(
            publish, url, Results, [DAY], results(DAY, 20), before_commit=take_the_others_row(DAY, NEXT)
        )
        second = pool.submit(
            publish, url, Results, [NEXT], results(NEXT, 30), before_commit=take_the_others_row(NEXT, DAY)
        )

    assert sorted([first.result().attempts, second.result().attempts]) == [1, 2]
    with connect(url) as conn:
        assert counts(conn, Results) == {DAY: 20, NEXT: 30}


def test_a_data_error_is_not_tried_again(url: str) -> None:
    tries: list[int] = []

    def divide(cursor: psycopg.Cursor) -> None:
        tries.append(1)
        cursor.execute("select 1 / 0")

    with pytest.raises(PublicationError, match="division by zero"):
        publish(url, Results, [DAY], results(DAY, 10), before_commit=divide)

    assert tries == [1]


# --- several at once -----------------------------------------------------------------------------


def test_publishers_of_one_partition_wait_for_each_other(url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        running = [
            pool.submit(publish, url, Results, [DAY], results(DAY, 100 * number, kills=number))
            for number in range(1, 7)
        ]
        publications = [future.result() for future in running]

    assert all(publication.attempts == 1 for publication in publications)
    (kills, rows), *others = query(url, "select kills, count(*) from demo.results group by 1").rows()
    assert (rows, others) == (100 * kills, [])
    # Every publication but the first deleted exactly what another one had inserted.
    assert sorted(p.rows_deleted for p in publications) == sorted({0, *(100 * n for n in range(1, 7))} - {rows})


def test_publishers_of_different_partitions_do_not_wait(url: str) -> None:
    together = threading.Barrier(3)

    def meet(_: psycopg.Cursor) -> None:
        together.wait(20)

    days = [date(2026, 3, day) for day in (1, 2, 3)]

    with ThreadPoolExecutor(3) as pool:
        running = [
            pool.submit(
                publish,
                url,
                Results,
                [day],
                results(day, 50),
                before_commit=meet,
            )
            for day in days
        ]
        assert [future.result().rows_inserted for future in running] == [50, 50, 50]

    with connect(url) as conn:
        assert counts(conn, Results) == dict.fromkeys(days, 50)


ALL_DAYS = (DAY, NEXT, date(2026, 3, 16))


def rows_of(number: int) -> int:
    return 200 + 10 * (number % 7)


def version(day: date, number: int) -> pl.DataFrame:
    """A version of a day: the kills of a row tell which."""
    return results(day, rows_of(number), kills=1 + number, match=f"v{number % 3}")


class Watch:
    """Readers on connections of their own, one of them new for every look, until they are stopped.

    Attributes:
        wrong: what a reader of whole days must never see.
        looks: how often they looked.
        versions: versions seen of the first day.
    """

    def __init__(self, url: str) -> None:
        self.wrong: list[str] = []
        self.looks = 0
        self.versions: set[int] = set()
        self._url = url
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(2)

    def __enter__(self) -> "Watch":
        self._reading = [self._pool.submit(self._read, anew) for anew in (False, True)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for reading in self._reading:
            reading.result()
        self._pool.shutdown()

    def _connect(self) -> psycopg.Connection:
        # A wait for a lock is an error, however slow the machine is.
        return psycopg.connect(self._url, autocommit=True, options="-c lock_timeout=250 -c statement_timeout=10000")

    def _read(self, anew: bool) -> None:
        figures = sql.SQL("select day, count(*), sum(kills) from demo.results {} group by 1")
        conn, last = self._connect(), 0
        while not self._stop.wait(0.002):
            if anew:
                conn.close()
                conn = self._connect()
            try:
                one = conn.execute(figures.format(sql.SQL("where day = %s")), [DAY]).fetchall()
                every = conn.execute(figures.format(sql.SQL(""))).fetchall()
            except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
                self.wrong.append(f"waited: {error.diag.message_primary}")
                continue
            seen = [[day for day, *_ in days] for days in (one, every)]
            self.wrong += [f"missing {day}" for day in ALL_DAYS if day not in seen[1]]
            self.wrong += [] if seen[0] else [f"missing {DAY} alone"]
            for day, rows, kills in one + every:
                number = kills // rows - 1
                if (rows, kills) != (rows_of(number), rows_of(number) * (1 + number)):
                    self.wrong.append(f"{day}: {rows} rows, {kills} kills")
                elif day == DAY:
                    if number < last:
                        self.wrong.append(f"{day}: version {number} after {last}")
                    last = number
                    self.versions.add(number)
            self.looks += 1
        conn.close()


def test_readers_never_see_less_or_more_than_a_whole_day_and_never_wait(url: str) -> None:
    publish(url, Results, ALL_DAYS, pl.concat([version(day, 0) for day in ALL_DAYS]))
    done = threading.Event()

    def publish_other(day: date) -> int:
        number = 0
        while not done.wait(0.05):
            number += 1
            publish(url, Results, [day], version(day, number % 90))
        return number

    with Watch(url) as watch, ThreadPoolExecutor() as pool:
        others = [pool.submit(publish_other, day) for day in ALL_DAYS[1:]]
        try:
            for number in range(1, 101):
                assert publish(url, Results, [DAY], version(DAY, number)).attempts == 1
        finally:
            done.set()

    assert watch.wrong == []
    assert watch.looks > 50
    assert len(watch.versions) > 20
    assert all(other.result() > 10 for other in others)


# --- definitions ---------------------------------------------------------------------------------


def test_the_declaration_becomes_the_definition(url: str) -> None:
    with connect(url) as conn:
        changes = ensure_table(conn, Everything)
        ensure_table(conn, Results)

    types = query(
        url,
        """select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute
           where attrelid = 'demo.everything'::regclass and attnum > 0 order by attnum""",
    ).rows()
    assert "table demo.everything made" in changes
    assert types == [
        ("id", "text", True),
        ("i8", "smallint", False),
        ("i16", "smallint", False),
        ("i32", "integer", False),
        ("i64", "bigint", False),
        ("whole", "bigint", False),
        ("f32", "real", False),
        ("f64", "double precision", False),
        ("money", "numeric(20,4)", False),
        ("flag", "boolean", False),
        ("day", "date", False),
        ("at", "timestamp with time zone", False),
        ("code", "text", False),
        ("names", "text[]", False),
        ("scores", "double precision[]", False),
        ("flags", "boolean[]", False),
        ("days", "date[]", False),
        ("instants", "timestamp with time zone[]", False),
    ]
    indexes = query(url, "select indexdef from pg_indexes where schemaname = 'demo' and tablename = 'results'")
    assert sorted(definition.split(" USING btree ")[1] for definition in indexes["indexdef"]) == [
        "(day)",
        "(match_id, player) WITH (deduplicate_items=off)",
        "(player, at)",
    ]


def test_descriptions_become_comments(url: str) -> None:
    with connect(url) as conn:
        ensure_table(conn, Results)

    table = query(url, "select obj_description('demo.results'::regclass, 'pg_class') as description")
    columns = query(
        url,
        """select attname, d.description from pg_attribute a
           join pg_description d on d.objoid = attrelid and d.objsubid = attnum
           where attrelid = 'demo.results'::regclass and attnum > 0""",
    )
    assert table["description"].item() == "One player's result\nin one match; \"quoted\" and it's described."
    assert dict(columns.iter_rows()) == dict(Results.descriptions())


def test_a_definition_that_holds_is_left_alone(url: str) -> None:
    with connect(url) as conn:
        ensure_table(conn, Results)
        conn.execute("create index made_by_an_administrator on demo.results (note)")
        before = query(url, "select max(xmin::text::bigint) x from pg_class")["x"].item()

        assert ensure_table(conn, Results) == ()

    assert query(url, "select max(xmin::text::bigint) x from pg_class")["x"].item() == before


def test_what_loses_nothing_is_applied_and_rows_stay(url: str) -> None:
    first = declared(a=text(), b=text(nullable=False), indexes=(("a",),))
    second = declared(
        doc="Players, described anew.",
        a=text(description="A, described anew."),
        b=text(),
        c=dy.Int32(nullable=True, description="New."),
        indexes=(("b", "c"),),
    )
    publish(url, first, None, pl.DataFrame({"id": ["1"], "a": ["x"], "b": ["y"]}))

    with connect(url) as conn:
        changes = ensure_table(conn, second)
        again = ensure_table(conn, second)

    assert sorted(changes) == [
        "column a described",
        "column b may be null",
        "column c added, integer",
        "column c described",
        "index on a dropped",
        "index on b, c made",
        "table described",
    ]
    assert again == ()
    assert read_published(url, second).rows() == [("1", "x", "y", None)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": dy.Int32(nullable=True, description="A."), "b": text()}, "a: declared integer, found text"),
        ({"a": text()}, "b: declared none, found text"),
        ({"a": text(nullable=False), "b": text()}, "a: declared text not null, found text"),
        (
            {"a": text(), "b": text(), "c": text(nullable=False)},
            "c: declared text not null, found none",
        ),
        (
            {"a": dy.String(primary_key=True, description="A."), "b": text()},
            "a: declared text not null, found text\n- primary key: declared id, a, found id",
        ),
    ],
)
def test_what_would_lose_something_is_refused_until_rebuilt(url: str, columns: dict[str, Any], message: str) -> None:
    before = declared(a=text(), b=text())
    after = declared(**columns)
    publish(url, before, None, pl.DataFrame({"id": ["1"], "a": ["x"], "b": ["y"]}))

    with connect(url) as conn:
        with pytest.raises(IncompatibleTableError) as raised:
            ensure_table(conn, after)
        assert counts(conn, before) == {None: 1}

        rebuild_table(conn, after)
        assert counts(conn, after) == {}
        assert ensure_table(conn, after) == ()

    assert message in str(raised.value)
    assert str(raised.value).endswith("run: gamestats rebuild evolving.players")


def test_a_rebuild_under_a_view_says_so(url: str) -> None:
    table = declared(a=text())
    with connect(url) as conn:
        ensure_table(conn, table)
        conn.execute("create view evolving.seen as select * from evolving.players")

        with pytest.raises(PostgresError, match=r"rebuilding evolving\.players.*view evolving\.seen depends on"):
            rebuild_table(conn, table)


def test_tables_postgres_could_not_keep_are_refused(url: str) -> None:
    nested = declared(deep=dy.List(dy.List(dy.Int64()), nullable=True, description="Lists of lists."))
    long = declared("n" * 64)

    with connect(url) as conn:
        with pytest.raises(UnpublishableTableError, match="column 'deep' is List"):
            ensure_table(conn, nested)
        with pytest.raises(UnpublishableTableError, match="longer than 63 bytes"):
            ensure_table(conn, long)


def test_two_who_make_the_same_tables_at_once_both_succeed(url: str) -> None:
    tables = [Results, Everything, declared(a=text())]

    def make(_: int) -> int:
        with connect(url) as conn:
            return sum(len(ensure_table(conn, table)) > 0 for table in tables)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == len(tables)


# --- months --------------------------------------------------------------------------------------


class Touches(
    Table,
    key="demo/touches",
    layer="silver",
    partitioned_by="player",
    published=True,
    months_of="at",
    indexes=(("speed",),),
    reconciled=("speed",),
):
    """Touches of a ball, by player."""

    player = dy.String(primary_key=True, description="Player.")
    at = dy.Datetime(time_unit="us", time_zone="UTC", primary_key=True, description="Time of the touch, UTC.")
    speed = dy.Int32(description="Speed of the ball.")


NOVEMBER, DECEMBER = datetime(2026, 11, 5, 20, tzinfo=UTC), datetime(2026, 12, 6, 20, tzinfo=UTC)


def touches(player: str, *times: datetime, speed: int = 1) -> pl.DataFrame:
    return pl.DataFrame([(player, at, speed) for at in times], schema=Touches.schema(), orient="row")


def timed(**more: Any) -> Any:
    return dy.Datetime(time_unit="us", time_zone="UTC", primary_key=True, description="Time.", **more)


def with_options(url: str, options: str) -> str:
    """The URL with settings of its sessions."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=f"{parts.query}&options={quote(options)}".lstrip("&")))


def months_of(url: str, table: str = "demo.touches") -> dict[str, int]:
    """Tables that inherit from the one named, and their rows."""
    with psycopg.connect(url) as conn:
        found = conn.execute("select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass", [table])
        names = sorted(name for (name,) in found)
        rows = [
            conn.execute(sql.SQL("select count(*) from only {}").format(sql.Identifier(*name.split(".")))).fetchone()
            for name in names
        ]
        return {name: row[0] for name, row in zip(names, rows, strict=True) if row is not None}


def test_rows_go_to_their_month_in_every_time_zone(url: str) -> None:
    microsecond = timedelta(microseconds=1)
    edges = [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]
    frame = touches("ada", *edges, *(edge - microsecond for edge in edges))

    for timezone in ("Asia/Tokyo", "America/Los_Angeles"):
        publication = publish(with_options(url, f"-c timezone={timezone}"), Touches, ["ada"], frame)

    landed = query(url, "select tableoid::regclass::text as month, at from demo.touches order by at").rows()
    assert landed == [
        ("demo.touches_2026_10", edges[0] - microsecond),
        ("demo.touches_2026_11", edges[0]),
        ("demo.touches_2026_11", edges[1] - microsecond),
        ("demo.touches_2026_12", edges[1]),
        ("demo.touches_2026_12", edges[2] - microsecond),
        ("demo.touches_2027_01", edges[2]),
    ]
    assert publication.rows_deleted == 6
    assert_frame_equal(by_id(read_published(url, Touches), Touches), by_id(frame, Touches))


def test_every_year_that_can_be_read_back_has_months(url: str) -> None:
    frame = touches(
        "ada",
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1899, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1900, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    )

    publish(url, Touches, ["ada"], frame)

    assert months_of(url) == {f"demo.touches_{month}": 1 for month in ("0001_01", "1899_12", "1900_01", "9999_12")}
    assert_frame_equal(by_id(read_published(url, Touches), Touches), frame)


@pytest.mark.parametrize(("microseconds", "year"), [(-62_135_596_800_000_001, 0), (253_402_300_800_000_000, 10_000)])
def test_a_year_past_those_is_refused_before_anything_is_sent(microseconds: int, year: int) -> None:
    unreachable = "postgresql://nobody@127.0.0.1:1/none"
    odd = touches("ada", NOVEMBER).with_columns(at=pl.lit(microseconds).cast(Touches.schema()["at"]))

    with pytest.raises(PublicationError, match=rf"demo\.touches have times in the year {year} in column at"):
        publish(unreachable, Touches, ["ada"], odd, patience=0)


def test_a_partition_is_replaced_across_months_and_no_other(url: str) -> None:
    january = datetime(2027, 1, 7, tzinfo=UTC)
    bob = touches("bob", NOVEMBER, DECEMBER)
    publish(url, Touches, ["ada", "bob"], pl.concat([touches("ada", NOVEMBER, DECEMBER), bob]))

    ada = touches("ada", DECEMBER, january, speed=7)
    publication = publish(url, Touches, ["ada"], ada.reverse())

    assert (publication.rows_deleted, publication.rows_inserted) == (2, 2)
    assert_frame_equal(by_id(read_published(url, Touches, ["ada"]), Touches), ada)
    assert_frame_equal(by_id(read_published(url, Touches, ["bob"]), Touches), bob)
    assert months_of(url) == {"demo.touches_2026_11": 1, "demo.touches_2026_12": 2, "demo.touches_2027_01": 1}

    publish(url, Touches, ["ada", "bob"], touches("ada"))
    with connect(url) as conn:
        assert counts(conn, Touches) == {}


def test_a_range_of_time_reads_its_months_alone(url: str) -> None:
    publish(url, Touches, ["ada"], touches("ada", *(datetime(2026, month, 3, tzinfo=UTC) for month in range(1, 13))))

    with connect(url) as conn:
        span = "explain select * from demo.touches where at >= '2026-04-30 12:00+00' and at < '2026-06-01 00:00+00'"
        plan = "\n".join(line for (line,) in conn.execute(span))

    assert sorted(set(re.findall(r"touches_\d{4}_\d\d\b", plan))) == ["touches_2026_04", "touches_2026_05"]


def test_publishers_who_need_the_same_new_months_at_once_all_succeed(url: str) -> None:
    with connect(url) as conn:
        ensure_table(conn, Touches)
    together = threading.Barrier(6)
    times = [datetime(2026, month, 3, tzinfo=UTC) for month in range(1, 7)]

    def publish_own(number: int) -> Publication:
        together.wait(20)
        return publish(url, Touches, [f"p{number}"], touches(f"p{number}", *times))

    with ThreadPoolExecutor(6) as pool:
        publications = list(pool.map(publish_own, range(6)))

    assert [publication.attempts for publication in publications] == [1] * 6
    assert sum(len(publication.changes) for publication in publications) == 6
    assert months_of(url) == {f"demo.touches_2026_{month:02}": 6 for month in range(1, 7)}


def test_a_new_month_blocks_no_reader_and_readers_see_old_or_new(url: str) -> None:
    publish(url, Touches, ["ada"], touches("ada", NOVEMBER, speed=OLD))
    hasty = with_options(url, "-c lock_timeout=250")
    figures = "select speed, count(*) from demo.touches group by 1"
    seen: list[list[tuple[Any, ...]]] = []

    with psycopg.connect(hasty) as reader:
        seen.append(reader.execute(figures).fetchall())
        # The reader's transaction is still open and holds its lock on the table.
        publish(
            hasty,
            Touches,
            ["ada"],
            touches("ada", NOVEMBER, DECEMBER, speed=NEW),
            before_commit=lambda _: seen.append(query(hasty, figures).rows()),
        )
        seen.append(reader.execute(figures).fetchall())

    assert seen == [[(OLD, 1)], [(OLD, 1)], [(NEW, 2)]]


def test_what_postgres_refuses_of_a_row_is_told(url: str) -> None:
    with pytest.raises(PublicationError, match=r"demo\.touches \[ada\].*\(ada, 2026-11-05 20:00:00\+00\)"):
        publish(with_options(url, "-c timezone=UTC"), Touches, ["ada"], touches("ada", NOVEMBER, NOVEMBER))
    with pytest.raises(PublicationError, match=r"demo\.touches \[ada\].*\(at\) = \(null\)"):
        publish(url, Touches, ["ada"], touches("ada", NOVEMBER).with_columns(at=pl.lit(None, Touches.schema()["at"])))


def test_a_month_whose_name_is_taken_is_refused_and_named(url: str) -> None:
    with connect(url) as conn:
        ensure_table(conn, Touches)
        conn.execute("create table demo.touches_2026_12 (somebody_elses text)")

    publish(url, Touches, ["ada"], touches("ada", NOVEMBER))
    with pytest.raises(PublicationError, match='"touches_2026_12" already exists'):
        publish(url, Touches, ["bob"], touches("bob", NOVEMBER, DECEMBER))


def test_a_changed_declaration_reaches_existing_and_future_months(url: str) -> None:
    first = declared(at=timed(), a=text(), b=text(nullable=False), indexes=(("a",),), months_of="at")
    second = declared(
        doc="Players, described anew.", at=timed(), a=text(), b=text(), c=text(), indexes=(("b", "c"),), months_of="at"
    )
    publish(url, first, None, pl.DataFrame([("1", NOVEMBER, "x", "y")], schema=first.schema(), orient="row"))
    with connect(url) as conn:
        conn.execute("alter table evolving.players add constraint made_by_an_administrator check (id <> '')")

    rows = [("1", NOVEMBER, "x", "y", None), ("1", DECEMBER, "x", None, "z")]
    changes = publish(url, second, None, pl.DataFrame(rows, schema=second.schema(), orient="row")).changes

    assert sorted(changes) == [
        "column b may be null",
        "column c added, text",
        "column c described",
        "index on a dropped",
        "index on b, c made",
        "month players_2026_12 made",
        "table described",
    ]
    assert sorted(read_published(url, second).rows()) == rows
    assert months_of(url, "evolving.players") == {"evolving.players_2026_11": 1, "evolving.players_2026_12": 1}
    definitions = query(url, "select tablename, indexdef from pg_indexes where tablename like 'players%' order by 1")
    of_each = {
        table: sorted(definition.split(" USING btree ")[1] for definition in its["indexdef"])
        for (table,), its in definitions.group_by("tablename", maintain_order=True)
    }
    indexes = ["(b, c)", "(id, at) WITH (deduplicate_items=off)"]
    assert of_each == {"players": indexes, "players_2026_11": indexes, "players_2026_12": indexes}
    with connect(url) as conn:
        assert ensure_table(conn, second) == ()
        row = conn.execute("select obj_description('evolving.players'::regclass, 'pg_class')").fetchone()
    assert row == ("Players, described anew.",)


@pytest.mark.parametrize(("before", "after"), [(None, "at"), ("at", None), ("at", "until")])
def test_a_table_gets_or_loses_its_months_when_it_is_rebuilt(url: str, before: str | None, after: str | None) -> None:
    old = declared(at=timed(), until=timed(), months_of=before)
    new = declared(at=timed(), until=timed(), months_of=after)
    frame = pl.DataFrame([("1", NOVEMBER, DECEMBER)], schema=old.schema(), orient="row")
    publish(url, old, None, frame, content_hash={None: "a"})

    message = rf"months of: declared {after or 'none'}, found {before or 'none'}\n.*gamestats rebuild evolving\.players"
    with pytest.raises(IncompatibleTableError, match=message):
        publish(url, new, None, frame, content_hash={None: "a"})
    assert published_hashes(url, new) == {}
    assert_frame_equal(read_published(url, old), frame)

    with connect(url) as conn:
        rebuild_table(conn, new)
    publish(url, new, None, frame, content_hash={None: "a"})

    month = {None: [], "at": ["evolving.players_2026_11"], "until": ["evolving.players_2026_12"]}[after]
    assert list(months_of(url, "evolving.players")) == month
    assert published_hashes(url, new) == {"": "a"}
    assert_frame_equal(read_published(url, new), frame)


def test_a_table_whose_months_would_have_too_long_a_name_is_refused(url: str) -> None:
    with connect(url) as conn:
        assert ensure_table(conn, declared("n" * 55, at=timed(), months_of="at"))
        with pytest.raises(UnpublishableTableError, match="_9999_12' is longer than 63 bytes"):
            ensure_table(conn, declared("n" * 56, at=timed(), months_of="at"))


# --- whose rows are shown ------------------------------------------------------------------------


def seen_by_serving(url: str, table: str, **settings: str) -> list[str]:
    with psycopg.connect(url) as conn:
        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(SERVING_ROLE)))
        conn.execute(*setting(settings))
        named = sql.Identifier("evolving", table)
        return sorted(name for (name,) in conn.execute(sql.SQL("SELECT id FROM {}").format(named)))


def test_row_security_follows_the_declaration_in_all_months(url: str) -> None:
    plain = declared(at=timed(), months_of="at")
    guarded = declared(at=timed(), months_of="at", guarded_by=("id",))
    at = [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)]
    frame = pl.DataFrame({"id": ["a", "b"], "at": at}, schema=plain.schema())
    publish(url, plain, None, frame)
    assert seen_by_serving(url, "players") == ["a", "b"]
    with connect(url) as conn:
        assert ensure_table(conn, guarded) == ("rows are guarded by id",)
        assert ensure_table(conn, guarded) == ()
    later = pl.DataFrame({"id": ["c"], "at": [datetime(2027, 1, 1, tzinfo=UTC)]}, schema=plain.schema())
    publish(url, guarded, None, pl.concat([frame, later]))
    assert seen_by_serving(url, "players") == []
    assert seen_by_serving(url, "players", own_id="a,c") == ["a", "c"]
    for month in ("2026_11", "2027_01"):
        # Nobody comes around the policy by a month of its own.
        assert seen_by_serving(url, f"players_{month}", own_id="a,c") == []
    assert query(url, "select count(*) n from evolving.players")["n"].item() == 3
    with connect(url) as conn:
        assert ensure_table(conn, plain) == ("rows are not guarded any more",)
    assert seen_by_serving(url, "players") == ["a", "b", "c"]


class Plays(Table, key="demo/plays", layer="gold", partitioned_by="day", published=True, guarded_by=("player_id",)):
    """What players did."""

    player_id = dy.String(primary_key=True, description="Player.")
    day = dy.Date(primary_key=True, description="Day.")


def plays(day: date, *players: str) -> pl.DataFrame:
    return pl.DataFrame({"player_id": players, "day": [day] * len(players)}, schema=Plays.schema())


def test_notifications_name_the_affected_players_unless_they_are_too_many(url: str) -> None:
    publish(url, Plays, [DAY, NEXT], pl.concat([plays(DAY, "ann", "bob"), plays(NEXT, "cid")]))
    with psycopg.connect(url, autocommit=True) as listening:
        listening.execute(f"LISTEN {CHANNEL}")
        publish(url, Plays, [DAY], plays(DAY, "bob", "dan"))
        forget_partition(url, Plays, NEXT)
        publish(url, Plays, [DAY], plays(DAY, *(f"player-{number:04}" for number in range(1000))))
        payloads = [each.payload.split(" ")[2:] for each in listening.notifies(timeout=5, stop_after=3)]
    assert payloads == [['["ann","bob","dan"]'], ['["cid"]'], []]
