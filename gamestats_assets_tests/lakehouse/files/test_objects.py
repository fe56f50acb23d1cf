"""Named objects in a folder and in an object store, and objects of published rows despite crashes and readers."""

from __future__ import annotations

import hashlib
import multiprocessing
from datetime import date
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.files.objects import MissingObjectError, Objects
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.lakehouse.published.publication import publish, sweep
from gamestats_assets.lakehouse.table import OBJECT, Table
from gamestats_assets_tests.support.s3_fixture import S3

DAY, NEXT = date(2026, 3, 14), date(2026, 3, 15)


class Pictures(Table, key="demo/pictures", layer="gold", partitioned_by="day", replaced_by="match_id", published=True):
    """A picture of each match."""

    match_id = dy.String(primary_key=True, description="Match id.")
    day = dy.Date(description="UTC day.")
    picture = dy.Binary(nullable=True, metadata={**OBJECT}, description="The picture.")


def pictures(day: date, **contents: bytes | None) -> pl.DataFrame:
    rows = [(match_id, day, content) for match_id, content in contents.items()]
    return pl.DataFrame(rows, schema=Pictures.schema(), orient="row")


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return Objects(tmp_path / "objects")
    s3: S3 = request.getfixturevalue("s3")
    return Objects(s3.empty(), s3.storage_options)


def published(url: str) -> dict[str, str]:
    with connect(url) as conn:
        return dict(conn.execute("SELECT match_id, picture FROM demo.pictures").fetchall())


def contents(url: str, objects: Objects) -> dict[str, bytes | None]:
    """What somebody finds who follows the names that stand in PostgreSQL."""
    return {match_id: objects.get(name) if name else None for match_id, name in published(url).items()}


# --- objects by name -----------------------------------------------------------------------------


def test_an_object_is_what_was_put_last_until_it_is_deleted(objects: Objects) -> None:
    objects.put("game/pictures/a", b"first")
    objects.put("game/pictures/a", bytes(600_000) + b"second")
    objects.put("game/other/b", b"")

    assert objects.get("game/pictures/a") == bytes(600_000) + b"second"
    assert len([*objects.stream("game/pictures/a")]) > 1
    assert objects.list("game") == ["game/other/b", "game/pictures/a"]
    assert objects.list("game/pict") == []
    objects.delete("game/pictures/a")
    objects.delete("game/pictures/a")
    assert (objects.list("game"), objects.get("game/other/b")) == (["game/other/b"], b"")
    with pytest.raises(MissingObjectError, match="no object 'game/pictures/a'"):
        objects.stream("game/pictures/a")


@pytest.mark.parametrize("name", ["", "/etc/passwd", "a/../b", "a//b", ".hidden", "a/", "a b", "a\\b"])
def test_what_is_no_relative_path_names_no_object(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name an object"):
        Objects(tmp_path).put(name, b"")


def test_files_of_a_killed_writer_are_no_objects_and_are_swept(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    objects.put("game/a", b"kept")
    objects.put("game/deeper/b", b"not")
    (tmp_path / "game" / ".c-0123.tmp").write_bytes(b"half")

    assert objects.list("game") == ["game/a", "game/deeper/b"]
    assert objects.keep_only("game", {"game/a"}) == ["game/.c-0123.tmp", "game/deeper/b"]
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["game", "game/a"]


# --- objects of published rows -------------------------------------------------------------------


def test_the_lake_holds_the_bytes_and_postgresql_the_name_of_an_object(
    fresh_database: str, objects: Objects, tmp_path: Path
) -> None:
    lake = Lake(tmp_path / "lake")
    lake.replace(Pictures, pictures(DAY, a=b"\0\xff", b=None), partitions=[DAY])
    stored = lake.scan(Pictures, [DAY]).collect().sort("match_id")
    assert_frame_equal(stored, pictures(DAY, a=b"\0\xff", b=None))

    publish(fresh_database, Pictures, [DAY], stored, objects=objects)

    name = f"demo/pictures/2026-03-14/a/{hashlib.sha256(bytes([0, 255])).hexdigest()}"
    assert published(fresh_database) == {"a": name, "b": None}
    assert objects.get(name) == b"\0\xff"


def test_a_publication_replaces_the_objects_of_its_partition_and_no_others(
    fresh_database: str, objects: Objects
) -> None:
    publish(fresh_database, Pictures, [DAY], pictures(DAY, a=b"same", b=b"old", gone=b"old"), objects=objects)
    publish(fresh_database, Pictures, [NEXT], pictures(NEXT, c=b"old"), objects=objects)

    publish(fresh_database, Pictures, [DAY], pictures(DAY, a=b"same", b=b"new"), objects=objects)

    assert contents(fresh_database, objects) == {"a": b"same", "b": b"new", "c": b"old"}
    assert sorted(published(fresh_database).values()) == objects.list("demo")


def test_a_publication_that_is_refused_leaves_every_name_an_object(fresh_database: str, tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    publish(fresh_database, Pictures, [DAY], pictures(DAY, a=b"old"), objects=objects)

    def refuse(cursor: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        publish(fresh_database, Pictures, [DAY], pictures(DAY, a=b"new"), objects=objects, before_commit=refuse)

    assert contents(fresh_database, objects) == {"a": b"old"}
    assert sweep(fresh_database, Pictures, [DAY], objects) == 1
    assert contents(fresh_database, objects) == {"a": b"old"}


def test_who_cleans_up_waits_for_a_publisher_whose_rows_nobody_sees_yet(fresh_database: str, tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    publish(fresh_database, Pictures, [DAY], pictures(DAY, a=b"old"), objects=objects)
    spawn = multiprocessing.get_context("spawn")
    swept = spawn.Event()

    def meanwhile(cursor: object) -> None:
        # The objects are there, the commit is not.
        process = spawn.Process(target=_sweep, args=(fresh_database, str(tmp_path), swept), daemon=True)
        process.start()
        assert not swept.wait(2)

    publish(fresh_database, Pictures, [DAY], pictures(DAY, a=b"new"), objects=objects, before_commit=meanwhile)

    assert swept.wait(30)
    assert contents(fresh_database, objects) == {"a": b"new"}


def _sweep(url: str, root: str, swept: Any) -> None:
    sweep(url, Pictures, [DAY], Objects(root))
    swept.set()
