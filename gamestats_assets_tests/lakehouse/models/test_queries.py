"""Queries of people over real Delta tables."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from gamestats_assets.lakehouse.models.sql import QueryError, Source, query
from gamestats_assets_tests.lakehouse.models.test_sql import CLUBS, GOALS, KNOWN, Clubs, Goals, in_delta


@pytest.fixture
def lake(tmp_path: Path) -> dict[str, Source]:
    """demo.goals and demo.clubs as Delta tables on disk."""
    return {
        "demo.goals": in_delta(tmp_path / "goals", GOALS, "day"),
        "demo.clubs": in_delta(tmp_path / "clubs", CLUBS, "region"),
    }


def test_a_query_opens_only_the_tables_it_names(lake: dict[str, Source]) -> None:
    opened: list[str] = []

    def sources(name: str) -> Source:
        opened.append(name)
        return lake[name]

    sql = "with t as (select player, sum(goals) n from demo.goals group by all) from t order by n desc, player"
    answer = query(sql, sources, KNOWN)
    assert opened == ["demo.goals"]
    assert answer.rows() == [("ann", Decimal(5)), ("cid", Decimal(1)), ("bob", Decimal(0))]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select g.day from demo.goals g join demo.clubs using (player)", ["demo.clubs", "demo.goals"]),
        ("select 1 from Demo.GOALS natural join demo.clubs limit 1", ["demo.clubs", "demo.goals"]),
        ("from memory.demo.goals", ["demo.goals"]),
        ("select (select count(*) from demo.clubs) n", ["demo.clubs"]),
        ("with goals as (from demo.clubs) from goals", ["demo.clubs"]),
        ("select * from (pivot demo.clubs on region in ('a b') using count(*))", ["demo.clubs"]),
        ("describe select * from demo.goals", ["demo.goals"]),
        # Whatever a text names may be read: query() does so.
        ("select 'demo.clubs' -- from \"demo\" . goals", ["demo.clubs", "demo.goals"]),
    ],
)
def test_tables_are_found_wherever_a_query_names_them(lake: dict[str, Source], sql: str, expected: list[str]) -> None:
    opened: list[str] = []

    def sources(name: str) -> Source:
        opened.append(name)
        return lake[name]

    query(sql, sources, KNOWN)
    assert opened == expected


@pytest.mark.parametrize(
    "sql",
    [
        "from query('select count(*) from demo.goals')",
        "select count(*) from query_table('demo.goals')",
        "select count(*) from query_table(['demo.goals'])",
        "from json_execute_serialized_sql(json_serialize_sql('select count(*) from demo.goals'))",
    ],
)
def test_a_table_that_a_text_names_is_read_too(lake: dict[str, Source], sql: str) -> None:
    assert query(sql, lake.__getitem__, KNOWN).item() == GOALS.height


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select count(*) from query('from demo.' || 'go' || 'als')", "does not exist.*Did you mean demo.goals"),
        ("select count(*) from query_table('demo.' || 'go' || 'als'), demo.clubs", "does not exist.*demo.goals"),
        ("select count(*) from duckdb_views(), query('from demo.' || 'go' || 'als')", "Write demo.goals in the query"),
    ],
)
def test_a_table_that_the_query_does_not_name_is_refused(lake: dict[str, Source], sql: str, said: str) -> None:
    with pytest.raises(QueryError, match=f"(?s){said}"):
        query(sql, lake.__getitem__, KNOWN)


def test_describe_summarize_and_show_are_answered(lake: dict[str, Source]) -> None:
    described = query("DESCRIBE demo.goals", lake.__getitem__, KNOWN)
    assert described["column_name"].to_list() == list(Goals.columns())
    assert query("SUMMARIZE demo.clubs", lake.__getitem__, KNOWN)["column_name"].to_list() == list(Clubs.columns())
    assert query("SHOW demo.clubs", lake.__getitem__, KNOWN).height == 3
    listed = query("SHOW ALL TABLES", _never, KNOWN)
    assert listed.select("schema", "name").rows() == [("demo", "clubs"), ("demo", "goals"), ("demo", "totals")]


def test_answers_polars_has_no_type_or_name_for_still_come(lake: dict[str, Source]) -> None:
    answer = query(
        "select interval 2 days as wait, [interval 1 day] as waits, a.player, b.player,"
        " timestamptz '2026-01-01' as t from demo.clubs a join demo.clubs b using (region)"
        " order by all limit 1",
        lake.__getitem__,
        KNOWN,
    )
    assert answer.rows() == [("2 days", "[1 day]", "ann", "ann", datetime(2026, 1, 1, tzinfo=UTC))]
    assert answer.columns == ["wait", "waits", "player", "player_1", "t"]


def test_an_unknown_table_is_refused_with_the_nearest_and_where_to_look() -> None:
    for text in ("from demo.gaols", "from demmo.goals", "from goals"):
        with pytest.raises(QueryError, match=r"Did you mean demo\.goals.*\? `gamestats tables`"):
            query(text, _never, KNOWN)
    with pytest.raises(QueryError, match=r"Tables are named game\.table\. `gamestats tables`"):
        query("from nothing_like_it", _never, KNOWN)


@pytest.mark.parametrize(
    "sql",
    [
        "insert into demo.goals values (1)",
        "delete from demo.goals",
        "create table x as select 1",
        "drop view demo.goals",
        "copy demo.goals to 'x.csv'",
        "attach 'x.db'",
        "install httpfs",
        "load httpfs",
        "set threads = 1",
        "pragma version",
        "explain analyze select 1",
        "call pragma_version()",
        "select 1; select 2",
        "pivot demo.goals on player using sum(goals)",
        "",
    ],
)
def test_anything_but_one_reading_statement_is_refused(sql: str) -> None:
    with pytest.raises(QueryError, match="Expected one SELECT"):
        query(sql, _never, KNOWN)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('{}')",
        "select * from read_text('{}')",
        "select * from read_blob('{}')",
        "select * from glob('{}')",
        "select * from '{}'",
        "select * from query('select * from read_text(''{}'')')",
        "select * from demo.goals, read_text('{}')",
    ],
)
def test_no_file_but_the_named_tables_can_be_read(lake: dict[str, Source], tmp_path: Path, sql: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhush\n")
    with pytest.raises(QueryError) as refused:
        query(sql.replace("{}", str(secret)), lake.__getitem__, KNOWN)
    assert "hush" not in str(refused.value)


def test_a_query_sees_no_python_variable() -> None:
    passwords = pl.DataFrame({"word": ["hush"]})
    assert passwords.height
    with pytest.raises(QueryError, match="passwords"):
        query("from passwords", _never, KNOWN)
    assert query("select current_setting('python_enable_replacements') as s", _never, KNOWN)["s"].to_list() == [False]


def test_a_wrong_query_gives_the_engines_words() -> None:
    with pytest.raises(QueryError, match="syntax error"):
        query("selec 1", _never, KNOWN)
    with pytest.raises(QueryError, match='"gaols" not found'):
        query("select gaols from demo.goals", lambda _: GOALS, KNOWN)


def test_a_query_may_spill_to_its_temporary_folder(tmp_path: Path) -> None:
    config = {"memory_limit": "100MB", "threads": 1, "temp_directory": str(tmp_path / "spill")}
    sql = (
        "select count(*) as n, max(r) as r"
        " from (select row_number() over (order by hash(x)) as r from range(8000000) t(x))"
    )
    assert query(sql, _never, KNOWN, config=config).rows() == [(8_000_000, 8_000_000)]


def _never(name: str) -> Source:
    raise AssertionError(f"{name} was opened")
