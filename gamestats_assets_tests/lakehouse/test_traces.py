"""Finding texts in everything that is stored, and removing remains of deleted rows from PostgreSQL."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.postgres.server import forget_dead_rows
from gamestats_assets.lakehouse.published.publication import forget_partition, publish
from gamestats_assets.lakehouse.traces import Sought, files_with, rows_with
from gamestats_assets_tests.lakehouse.declared import MARCH_1, MARCH_2, Goals, goals
from gamestats_assets_tests.support.published import published_hashes

if TYPE_CHECKING:
    from gamestats_assets_tests.support.s3_fixture import S3


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("hawk", b'{"name": "hawk"}'),
        ("Hawk", b"HAWK-eye"),
        ("hawk", "hawk".encode("utf-16-le")),
        ("Zoé", "by Zoé.".encode()),
        ("Zoé", "by Zoé.".encode("cp1252")),
        ("Zoé", json.dumps("Zoé").encode()),
        ("Zoé", json.dumps(json.dumps("Zoé")).encode()),
        ("a b.c", b"=a b.c"),
        ('say "hi"', json.dumps('say "hi"').encode()),
    ],
)
def test_a_text_is_found_in_every_spelling(text: str, content: bytes) -> None:
    assert Sought([text]).is_in(content)


@given(st.text(min_size=1).filter(str.strip), st.binary(max_size=20), st.binary(max_size=20))
def test_whatever_it_is_it_is_found_among_anything(text: str, before: bytes, after: bytes) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert Sought([text]).is_in(before + b"\0" + text.encode() + b"\0" + after)


def parquet(*values: str) -> bytes:
    """A file whose bytes hide its values."""
    file = io.BytesIO()
    texts = [f"so {n}" for n in range(1000)]
    frame = pl.DataFrame({"text": texts, "list": [[text] for text in texts]})
    frame.vstack(pl.DataFrame({"text": values, "list": [[*values]] * len(values)})).write_parquet(
        file, statistics=False
    )
    assert not any(value.encode() in file.getvalue() for value in values)
    return file.getvalue()


def zipped(content: bytes) -> bytes:
    """A zip archive with a file in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", content)
    return file.getvalue()


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """Root and options of an empty store."""
    if request.param == "folder":
        return str(tmp_path), {}
    s3: S3 = request.getfixturevalue("s3")
    return s3.empty(), s3.storage_options


def test_files_are_looked_through_by_name_bytes_and_what_they_hold(place: tuple[str, dict[str, str]]) -> None:
    root, options = place
    store = Landing(root, options)._store
    found = {
        "a/hawk.json": b"",
        "a/.hidden": b"the hawk",
        "a/packed.gz": gzip.compress(b"a hawk " * 9),
        "a/columns": parquet("so a hawk"),
        "a/archive": zipped(gzip.compress(parquet("so a hawk"))),
    }
    other = {"b/plain": b"hawkeye", "b/columns": parquet("so an owl"), "b/broken.gz": gzip.compress(b"hawk" * 99)[:20]}
    for path, content in {**found, **other, "b/secret": b"known to the game alone"}.items():
        store.create(path, content)
    sought = Sought(["hawk"])
    assert files_with(root, sought, options) == sorted(found)
    assert files_with(root, sought, options, inside=lambda content: b"alone" in content) == [*sorted(found), "b/secret"]


def test_every_column_of_every_schema_is_looked_through(fresh_database: str) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA one; CREATE TABLE one.people (name text, more jsonb)")
        conn.execute("CREATE TABLE lists (names text[])")
        conn.execute(
            "INSERT INTO one.people VALUES ('hawkeye', '{}'), ('x', '{\"a\": \"Hawk (1)\"}'), ('hawk (1)', null)"
        )
        conn.execute("INSERT INTO lists VALUES (ARRAY['owl', 'hawk (1)'])")
    assert rows_with(fresh_database, Sought(["hawk (1)"])) == {"one.people": 2, "public.lists": 1}
    assert rows_with(fresh_database, Sought([])) == {}


def test_deleted_rows_are_gone_from_statistics_too(fresh_database: str) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA one; CREATE TABLE one.people (name text); CREATE TABLE one.empty (name text)")
        for table in ("people", "empty"):
            conn.execute(f"INSERT INTO one.{table} SELECT 'hawk' FROM generate_series(1, 100)")  # noqa: S608
            conn.execute(f"INSERT INTO one.{table} SELECT 'owl' FROM generate_series(1, 100)")  # noqa: S608
            conn.execute(f"ANALYZE one.{table}")
        conn.execute("DELETE FROM one.people WHERE name = 'hawk'; DELETE FROM one.empty")
        assert rows_with(fresh_database, Sought(["hawk"])) == {
            "statistics of one.empty.name": 1,
            "statistics of one.people.name": 1,
        }
        before = conn.execute("SELECT pg_relation_filepath('one.people')").fetchone()
        assert forget_dead_rows(fresh_database, ["one", "nowhere"]) == []
        assert conn.execute("SELECT pg_relation_filepath('one.people')").fetchone() != before
        assert conn.execute("SELECT count(*) FROM one.people").fetchone() == (100,)
        assert conn.execute("SELECT pg_relation_size('one.empty')").fetchone() == (0,)
    assert rows_with(fresh_database, Sought(["hawk"])) == {}


class Published(Goals, key="demo/published_goals", layer="gold", partitioned_by="day", published=True):
    """Goals, published."""


def test_a_forgotten_partition_is_published_no_more(fresh_database: str) -> None:
    rows = pl.concat([goals(MARCH_1, "m1"), goals(MARCH_2, "m2", "m3")])
    names = {MARCH_1: "one", MARCH_2: "two"}
    assert forget_partition(fresh_database, Published, MARCH_1) == 0
    publish(fresh_database, Published, [MARCH_1, MARCH_2], rows, content_hash=names)
    assert forget_partition(fresh_database, Published, MARCH_2) == 4
    assert published_hashes(fresh_database, Published) == {"2026-03-01": "one"}
    assert rows_with(fresh_database, Sought(["m1"])) == {"demo.published_goals": 2}
    assert rows_with(fresh_database, Sought(["m2", "m3"])) == {}
    assert forget_partition(fresh_database, Published, MARCH_2) == 0
