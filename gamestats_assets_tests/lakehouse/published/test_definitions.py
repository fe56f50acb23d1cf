"""Published tables as PostgreSQL defines them, and whose rows are shown."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import dataframely as dy
import polars as pl
import psycopg
import pytest
from psycopg import sql

from gamestats_assets.lakehouse.postgres.own_rows import setting
from gamestats_assets.lakehouse.postgres.roles import SERVING_ROLE
from gamestats_assets.lakehouse.postgres.server import PostgresError, connect, query
from gamestats_assets.lakehouse.published.notes import CHANNEL
from gamestats_assets.lakehouse.published.publication import (
    counts,
    forget_partition,
    publish,
)
from gamestats_assets.lakehouse.published.tables import (
    IncompatibleTableError,
    UnpublishableTableError,
    ensure_table,
    rebuild_table,
)
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.lakehouse.published.results import (
    DAY,
    NEXT,
    Everything,
    Results,
    declared,
    text,
)
from gamestats_assets_tests.lakehouse.published.test_months import timed
from gamestats_assets_tests.support.published import read_published

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
        doc="Players, described again.",
        a=text(description="A, described again."),
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
