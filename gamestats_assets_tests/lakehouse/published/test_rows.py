"""Publication to a real PostgreSQL server: what comes back, what is replaced, what is recorded of it."""

from datetime import UTC, date, datetime
from decimal import Decimal

import dataframely as dy
import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from psycopg import sql

from gamestats_assets.lakehouse.postgres.server import query
from gamestats_assets.lakehouse.published.notes import CHANNEL
from gamestats_assets.lakehouse.published.publication import ReconciliationError, everything_published, publish
from gamestats_assets.lakehouse.published.tables import PublicationError
from gamestats_assets_tests.lakehouse.published.results import DAY, NEXT, Everything, Results, by_id, results
from gamestats_assets_tests.support.published import published_hashes, published_rows, read_published

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


@pytest.mark.parametrize("seed", range(2))
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


def test_rows_of_another_partition_are_refused_before_anything_is_sent(url: str) -> None:
    unreachable = "postgresql://nobody@127.0.0.1:1/none"

    with pytest.raises(PublicationError, match=r"rows for demo\.results have day 2026-03-15"):
        publish(unreachable, Results, [DAY], pl.concat([results(DAY, 10), results(NEXT, 20)]))


def test_more_partitions_than_there_are_locks(url: str) -> None:
    days = [date.fromordinal(date(2020, 1, 1).toordinal() + number) for number in range(1_500)]

    publish(url, Results, days, pl.concat([results(day, 1) for day in days]))

    assert published_rows(url, Results) == 1_500


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


def test_a_partition_that_lost_rows_is_unknown_when_they_are_counted(url: str) -> None:
    publish(url, Results, [DAY, NEXT], results(DAY, 10), content_hash={DAY: "a", NEXT: "empty"})
    with psycopg.connect(url) as conn:
        conn.execute("delete from demo.results where player = 'p3'")

    assert published_hashes(url, Results) == {"2026-03-14": "a", "2026-03-15": "empty"}
    assert everything_published(url, [Everything, Results], counted=True) == {Results: {"2026-03-15": "empty"}}


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


def test_a_version_is_higher_than_the_last_whatever_the_clock_says(url: str) -> None:
    publish(url, Results, [DAY], results(DAY, 10))
    with psycopg.connect(url) as conn:
        conn.execute("update demo.published_versions set version = 9000000000000000")
    publish(url, Results, [DAY], results(DAY, 11))
    assert versions(url) == {"results": 9000000000000001}


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
        ("if new.player = 'p7' then new.kills := new.kills + 1; end if; return new;", r"sum of kills 100 sent, 101"),
        ("if new.player = 'p7' then new.damage := new.damage + 0.01; end if; return new;", r"sum of damage 495"),
        (
            "if new.player = 'p7' then new.prize := new.prize + 0.01; end if; return new;",
            r"sum of prize 10.00 sent, 10.01",
        ),
        ("if new.player = 'p7' then new.ping := new.ping + 1; end if; return new;", r"sum of ping 34"),
        ("if new.player = 'p0' then new.damage := null; end if; return new;", r"nulls of damage 0 sent, 1 in"),
        ("new.day := new.day + 1; return new;", r"rows 100 sent, 0 in the table"),
    ],
)
def test_what_arrives_changed_is_rolled_back(url: str, body: str, difference: str) -> None:
    publish(url, Results, [DAY], results(DAY, 40, kills=3))
    plant(url, body)

    with pytest.raises(ReconciliationError, match=rf"demo\.results \[2026-03-14\](.|\n)*2026-03-14: .*{difference}"):
        publish(url, Results, [DAY], results(DAY, 100))

    assert_frame_equal(by_id(read_published(url, Results), Results), by_id(results(DAY, 40, kills=3), Results))
