"""Publications that crash, meet others, and are read meanwhile."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from typing import Any

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from psycopg import sql

from gamestats_assets.lakehouse.postgres.server import connect, query
from gamestats_assets.lakehouse.published.publication import counts, publish
from gamestats_assets_tests.lakehouse.published.results import DAY, NEW, NEXT, OLD, Results, by_id, results
from gamestats_assets_tests.support.published import published_hashes, read_published

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
        running = [pool.submit(publish, url, Results, [day], results(day, 50), before_commit=meet) for day in days]
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
        self._reading = [self._pool.submit(self._read, reconnect) for reconnect in (False, True)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for reading in self._reading:
            reading.result()
        self._pool.shutdown()

    def _connect(self) -> psycopg.Connection:
        # A wait for a lock is an error, however slow the machine is.
        return psycopg.connect(self._url, autocommit=True, options="-c lock_timeout=250 -c statement_timeout=10000")

    def _read(self, reconnect: bool) -> None:
        figures = sql.SQL("select day, count(*), sum(kills) from demo.results {} group by 1")
        conn, last = self._connect(), 0
        while not self._stop.wait(0.002):
            if reconnect:
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
