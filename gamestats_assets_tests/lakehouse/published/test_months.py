"""Published tables that are partitioned by month."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import dataframely as dy
import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from psycopg import sql

from gamestats_assets.lakehouse.postgres.server import connect, query
from gamestats_assets.lakehouse.published.publication import Publication, counts, publish
from gamestats_assets.lakehouse.published.tables import PublicationError, ensure_table
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.lakehouse.published.results import NEW, OLD, by_id
from gamestats_assets_tests.support.published import read_published


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
