"""Published tables as PostgreSQL defines them, how they follow their declarations, and whose rows are shown."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import dataframely as dy
import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from psycopg import sql

from gamestats_assets.lakehouse.postgres.own_rows import setting
from gamestats_assets.lakehouse.postgres.roles import SERVING_ROLE
from gamestats_assets.lakehouse.postgres.server import connect, query
from gamestats_assets.lakehouse.published.notes import CHANNEL
from gamestats_assets.lakehouse.published.publication import Part, forget_partition, publish, rebuild
from gamestats_assets.lakehouse.published.tables import (
    OutdatedTableError,
    PublicationError,
    UnpublishableTableError,
    ensure_table,
)
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.lakehouse.published.results import DAY, NEXT, Everything, Results, declared, text, timed
from gamestats_assets_tests.support.published import published_hashes, read_published

NOVEMBER = datetime(2026, 11, 5, 20, tzinfo=UTC)


def definition(url: str, table: str = "evolving.players") -> dict[str, Any]:
    """Columns, key, indexes and comments of a table, according to PostgreSQL's catalogue."""
    with psycopg.connect(url) as conn:
        columns = conn.execute(
            "select attname, format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum)"
            " from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
            [table],
        ).fetchall()
        schema, name = table.split(".")
        indexes = conn.execute(
            "select indexdef from pg_indexes where schemaname = %s and tablename = %s", [schema, name]
        ).fetchall()
        comment = conn.execute("select obj_description(%s::regclass, 'pg_class')", [table]).fetchone()
    return {
        "columns": [f"{column} {kind}{' not null' if required else ''}" for column, kind, required, _ in columns],
        "comments": {column: text for column, *_, text in columns} | {"": comment[0] if comment else None},
        "indexes": sorted(each.split(" USING btree ")[1] for (each,) in indexes),
    }


def test_the_declaration_becomes_the_definition(url: str) -> None:
    with connect(url) as conn:
        ensure_table(conn, Everything)
        ensure_table(conn, Results)

    assert definition(url, "demo.everything")["columns"] == [
        "id text not null",
        "i8 smallint",
        "i16 smallint",
        "i32 integer",
        "i64 bigint",
        "whole bigint",
        "f32 real",
        "f64 double precision",
        "money numeric(20,4)",
        "flag boolean",
        "day date",
        "at timestamp with time zone",
        "code text",
        "names text[]",
        "scores double precision[]",
        "flags boolean[]",
        "days date[]",
        "instants timestamp with time zone[]",
    ]
    found = definition(url, "demo.results")
    assert found["indexes"] == ["(day)", "(match_id, player) WITH (deduplicate_items=off)", "(player, at)"]
    described = "One player's result\nin one match; \"quoted\" and it's described."
    assert found["comments"] == {**Results.descriptions(), "": described}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (declared(deep=dy.List(dy.List(dy.Int64()), nullable=True, description="Lists.")), "column 'deep' is List"),
        (declared("n" * 64), "longer than 63 bytes"),
        (declared("n" * 56, at=dy.Datetime(time_unit="us", time_zone="UTC", primary_key=True, description="Time."),
                  months_of="at"), "_9999_12' is longer than 63 bytes"),
        (declared("published_partitions"), "'published_partitions' is taken"),
        (declared("published_versions"), "'published_versions' is taken"),
    ],
)  # fmt: skip
def test_tables_that_postgresql_cannot_keep_are_refused(url: str, table: type[Table], message: str) -> None:
    with connect(url) as conn, pytest.raises(UnpublishableTableError, match=message):
        ensure_table(conn, table)


def test_a_table_that_is_up_to_date_is_left_alone(url: str) -> None:
    with connect(url) as conn:
        ensure_table(conn, Results)
        conn.execute("create index made_by_an_administrator on demo.results (note)")
        before = query(url, "select max(xmin::text::bigint) x from pg_class")["x"].item()
        ensure_table(conn, Results)
    assert query(url, "select max(xmin::text::bigint) x from pg_class")["x"].item() == before


def test_processes_that_create_the_same_tables_at_once_all_succeed(url: str) -> None:
    def make(_: int) -> None:
        with connect(url) as conn:
            for table in (Results, Everything, declared(a=text())):
                ensure_table(conn, table)

    with ThreadPoolExecutor(8) as pool:
        assert len([*pool.map(make, range(8))]) == 8


# --- changed declarations ------------------------------------------------------------------------

BEFORE = {"at": timed(), "a": text(), "b": text()}


def rows_of(table: type[Table], number: int = 1) -> pl.DataFrame:
    row = {"id": f"{number}", "at": NOVEMBER, "a": "1", "b": "y"}
    return pl.DataFrame([row], schema={**dict.fromkeys(row, pl.String), "at": BEFORE["at"].dtype}).select(
        pl.col(name).cast(dtype) if name in row else pl.lit(None, dtype).alias(name)
        for name, dtype in table.schema().items()
    )


def whole(frame: pl.DataFrame) -> Part:
    return Part(None, frame, {None: "new"}, {})


def test_changed_descriptions_change_comments_and_nothing_else(url: str) -> None:
    publish(url, declared(**BEFORE), None, rows_of(declared(**BEFORE)), content_hash={None: "a"})
    described = declared(**{**BEFORE, "a": text(description="A, described again.")}, doc="Players, described again.")
    assert published_hashes(url, described) == {}, "so that its publication is requested"
    publish(url, described, None, rows_of(described), content_hash={None: "a"})
    assert published_hashes(url, described) == {"": "a"}
    comments = definition(url)["comments"]
    assert (comments["a"], comments[""]) == ("A, described again.", "Players, described again.")


@pytest.mark.parametrize(
    ("columns", "keywords"),
    [
        pytest.param({"a": dy.Int32(nullable=True, description="A.")}, {}, id="another type"),
        pytest.param({"a": text(nullable=False)}, {}, id="not nullable"),
        pytest.param({"c": text()}, {}, id="a new column"),
        pytest.param({"b": None}, {}, id="a column less"),
        pytest.param({"a": dy.String(primary_key=True, description="A.")}, {}, id="another key"),
        pytest.param({}, {"indexes": (("a", "b"),)}, id="an index"),
        pytest.param({}, {"months_of": "at"}, id="months"),
        pytest.param({}, {"guarded_by": ("id",)}, id="row security"),
    ],
)
@pytest.mark.parametrize("is_reverted", [False, True])
def test_a_changed_table_is_made_beside_the_old_one(
    url: str, columns: dict[str, Any], keywords: dict[str, Any], is_reverted: bool
) -> None:
    changed = {name: column for name, column in {**BEFORE, **columns}.items() if column is not None}
    old, new = declared(**BEFORE, indexes=(("b",),) if not columns else ()), declared(**changed, **keywords)
    old, new = (new, old) if is_reverted else (old, new)
    publish(url, old, None, rows_of(old), content_hash={None: "old"})
    assert published_hashes(url, new) == {}
    with pytest.raises(OutdatedTableError, match=r"evolving\.players in PostgreSQL is not as declared"):
        publish(url, new, None, rows_of(new))
    frame = pl.concat([rows_of(new), rows_of(new, 2)])

    assert rebuild(url, new, lambda: [whole(frame)]) == 2
    assert rebuild(url, new, lambda: [whole(frame)]) == 0, "it is up to date"

    assert_frame_equal(read_published(url, new).sort("id"), frame)
    assert published_hashes(url, new) == {"": "new"}
    rebuilt = definition(url)
    publish(url, new, None, frame)
    with connect(url) as conn:
        conn.execute("drop table evolving.players")
        ensure_table(conn, new)
    assert definition(url) == rebuilt
    assert published_hashes(url, new) == {}, "the new table has no rows"


def test_readers_see_the_old_table_until_the_new_one_is_complete(url: str) -> None:
    old, new = declared(**BEFORE), declared(**BEFORE, c=text())
    publish(url, old, None, rows_of(old))
    hasty = f"{url}{'&' if '?' in url else '?'}options=-c%20lock_timeout%3D250"
    seen: list[pl.DataFrame] = []

    def parts() -> list[Part]:
        seen.append(read_published(hasty, old))
        return [whole(rows_of(new, 2))]

    def fail(_: psycopg.Cursor) -> None:
        raise RuntimeError("killed before the commit")

    with pytest.raises(RuntimeError):
        rebuild(url, new, parts, before_commit=fail)
    seen.append(read_published(url, old))
    assert [frame.equals(rows_of(old)) for frame in seen] == [True, True]
    assert query(url, "select count(*) n from pg_namespace where nspname ~ '^gamestats_'")["n"].item() == 0

    with ThreadPoolExecutor(4) as pool:
        made = [*pool.map(lambda _: rebuild(url, new, parts), range(4))]
    assert sorted(made) == [0, 0, 0, 1], "one works, and the others wait for it"
    assert_frame_equal(read_published(url, new), rows_of(new, 2))


def test_a_view_of_somebody_else_is_named_and_nothing_changes(url: str) -> None:
    old, new = declared(**BEFORE), declared(**BEFORE, c=text())
    publish(url, old, None, rows_of(old))
    with connect(url) as conn:
        conn.execute("create view evolving.seen as select * from evolving.players")
    with pytest.raises(PublicationError, match=r"rebuilding evolving\.players.*view evolving\.seen depends on"):
        rebuild(url, new, lambda: [whole(rows_of(new))])
    assert query(url, "select count(*) n from evolving.seen")["n"].item() == 1


def test_a_table_of_an_earlier_release_is_rebuilt(url: str) -> None:
    publish(url, Results, [DAY], Results.create_empty())
    with psycopg.connect(url) as conn:
        conn.execute("alter table demo.published_versions drop column definition")
        conn.execute("alter table demo.published_partitions drop column units")
    assert published_hashes(url, Results) == {}
    with pytest.raises(OutdatedTableError):
        publish(url, Results, [DAY], Results.create_empty())
    rebuild(url, Results, lambda: [Part([DAY], Results.create_empty(), {DAY: "a"}, {})])
    assert published_hashes(url, Results) == {DAY.isoformat(): "a"}


# --- whose rows are shown ------------------------------------------------------------------------


def seen_by_serving(url: str, table: str, **settings: str) -> list[str]:
    with psycopg.connect(url) as conn:
        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(SERVING_ROLE)))
        conn.execute(*setting(settings))
        named = sql.Identifier("evolving", table)
        return sorted(name for (name,) in conn.execute(sql.SQL("SELECT id FROM {}").format(named)))


@pytest.mark.parametrize("is_rebuilt", [False, True])
def test_row_security_follows_the_declaration_in_all_months(url: str, is_rebuilt: bool) -> None:
    plain, guarded = declared(at=timed(), months_of="at"), declared(at=timed(), months_of="at", guarded_by=("id",))
    at = [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)]
    frame = pl.DataFrame({"id": ["a", "b"], "at": at}, schema=plain.schema())
    if is_rebuilt:
        publish(url, plain, None, frame)
        assert seen_by_serving(url, "players") == ["a", "b"]
        rebuild(url, guarded, lambda: [whole(frame)])
    later = pl.DataFrame({"id": ["c"], "at": [datetime(2027, 1, 1, tzinfo=UTC)]}, schema=plain.schema())
    publish(url, guarded, None, pl.concat([frame, later]))
    assert seen_by_serving(url, "players") == []
    assert seen_by_serving(url, "players", own_id="a,c") == ["a", "c"]
    for month in ("2026_11", "2027_01"):
        # Nobody comes around the policy by a month of its own.
        assert seen_by_serving(url, f"players_{month}", own_id="a,c") == []
    assert query(url, "select count(*) n from evolving.players")["n"].item() == 3


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
