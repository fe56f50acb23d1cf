"""Days of tables in a real Iceberg catalogue, exported to Parquet: what comes out is what their snapshots hold."""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal
from pydantic import SecretStr
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent, ManifestWriterV2
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import DayTransform, IdentityTransform, Transform
from pyiceberg.typedef import Record
from pyiceberg.types import (
    DateType,
    DecimalType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
)

from gamestats_assets.l2m.logs.iceberg import (
    IcebergNotInstalledError,
    IcebergSource,
    IcebergTableError,
    IcebergUnavailableError,
)

DAYS = (date(2026, 3, 13), date(2026, 3, 14), date(2026, 3, 15))
DAY = DAYS[1]


class Studio:
    """A catalogue of raw tables as a studio keeps them, in SQLite and a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.properties = {
            "type": "sql",
            "uri": f"sqlite:///{folder}/catalog.db",
            "warehouse": f"file://{folder}/warehouse",
        }
        self.catalog = SqlCatalog("studio", **self.properties)
        self.catalog.create_namespace("raw")
        self.source = IcebergSource("studio", self.properties)

    def recharges(
        self,
        name: str = "raw.etl_recharge",
        *,
        ds: IcebergType | None = None,
        partitioned: Transform[Any, Any] | None = None,
        format_version: int = 2,
    ) -> Table:
        schema = Schema(
            NestedField(1, "ds", ds or DateType(), required=False),
            NestedField(2, "user_id", StringType(), required=True),
            NestedField(3, "amount", DecimalType(18, 2), required=False),
            NestedField(4, "level", IntegerType(), required=False, doc="Level of the character."),
            NestedField(5, "time", TimestamptzType(), required=False),
        )
        spec = PartitionSpec(PartitionField(1, 1000, partitioned, "ds_part")) if partitioned else PartitionSpec()
        properties = {"format-version": str(format_version)}
        return self.catalog.create_table(name, schema, partition_spec=spec, properties=properties)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "studio")


def rows(day: date, count: int, *, first: int = 0) -> pl.DataFrame:
    """Recharges of a day, in the order of their users."""
    return pl.DataFrame(
        {
            "ds": [day] * count,
            "user_id": [f"u{first + number:06}" for number in range(count)],
            "amount": [Decimal(number) / 100 if number % 5 else None for number in range(count)],
            "level": [number % 80 for number in range(count)],
            "time": [datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=n) for n in range(count)],
        },
        schema={
            "ds": pl.Date,
            "user_id": pl.String,
            "amount": pl.Decimal(18, 2),
            "level": pl.Int32,
            "time": pl.Datetime("us", "UTC"),
        },
    )


def append(table: Table, frame: pl.DataFrame) -> None:
    table.append(arrow(table, frame))


def arrow(table: Table, frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow().cast(table.schema().as_arrow())


def exported(paths: list[Path]) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in paths])


def digests(paths: list[Path]) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


# --- which rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("partitioned", [None, IdentityTransform()])
def test_a_day_is_exported_and_no_other(
    studio: Studio, tmp_path: Path, partitioned: Transform[Any, Any] | None
) -> None:
    table = studio.recharges(partitioned=partitioned)
    append(table, pl.concat([rows(day, 40) for day in DAYS]))
    append(table, pl.concat([rows(day, 10, first=100) for day in DAYS]))

    paths = studio.source.export_day("raw.etl_recharge", DAY, tmp_path / "out" / "deep")

    assert [path.name for path in paths] == ["raw.etl_recharge-2026-03-14-00000.parquet"]
    assert sorted((tmp_path / "out" / "deep").iterdir()) == paths
    found = exported(paths).sort("user_id")
    assert_frame_equal(found, pl.concat([rows(DAY, 40), rows(DAY, 10, first=100)]))


TEXTS: dict[str, Callable[[date], Any]] = {"YYYY-MM-DD": date.isoformat, "YYYYMMDD": lambda day: day.strftime("%Y%m%d")}


@pytest.mark.parametrize("partitioned", [None, IdentityTransform()])
@pytest.mark.parametrize("written", TEXTS)
def test_the_day_may_be_a_text(
    studio: Studio, tmp_path: Path, written: str, partitioned: Transform[Any, Any] | None
) -> None:
    table = studio.recharges(ds=StringType(), partitioned=partitioned)
    for day in DAYS:
        append(table, rows(day, 5).with_columns(ds=pl.lit(TEXTS[written](day))))

    found = exported(studio.source.export_day("raw.etl_recharge", DAY, tmp_path))

    assert found["ds"].to_list() == [TEXTS[written](DAY)] * 5


@pytest.mark.parametrize("partitioned", [None, DayTransform()])
@pytest.mark.parametrize("kind", [TimestampType(), TimestamptzType()])
def test_of_a_timestamp_the_utc_day_counts(
    studio: Studio, tmp_path: Path, kind: IcebergType, partitioned: Transform[Any, Any] | None
) -> None:
    midnight = datetime(2026, 3, 14, tzinfo=UTC if isinstance(kind, TimestamptzType) else None)
    moments = [
        midnight - timedelta(microseconds=1),
        midnight,
        midnight + timedelta(hours=13),
        midnight + timedelta(days=1, microseconds=-1),
        midnight + timedelta(days=1),
    ]
    table = studio.recharges(ds=kind, partitioned=partitioned)
    for day, of_day in zip(DAYS, (moments[:1], moments[1:4], moments[4:]), strict=True):
        # pyiceberg itself cannot write rows by the day of a time, but takes in files that were written so.
        path = tmp_path / f"{day}.parquet"
        pq.write_table(arrow(table, rows(day, len(of_day)).with_columns(ds=pl.Series(of_day))), path)
        table.add_files([str(path)])

    found = exported(studio.source.export_day("raw.etl_recharge", DAY, tmp_path / "out"))

    assert found["ds"].to_list() == moments[1:4]


def delete_beside(
    monkeypatch: pytest.MonkeyPatch, table: Table, kind: DataFileContent, content: pa.Table, **more: Any
) -> None:
    """Add a file of deletes to the table, as other engines do that leave the data files alone."""
    path = f"{table.location()}/data/deletes.parquet"
    pq.write_table(content, path.removeprefix("file://"))
    deletes = DataFile.from_args(
        content=kind,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=content.num_rows,
        file_size_in_bytes=Path(path.removeprefix("file://")).stat().st_size,
        **more,
    )
    deletes.spec_id = 0
    # A manifest of deletes says so of itself; pyiceberg writes none.
    meta = ManifestWriterV2._meta
    monkeypatch.setattr(ManifestWriterV2, "content", lambda _: ManifestContent.DELETES)
    monkeypatch.setattr(
        ManifestWriterV2, "_meta", property(lambda writer: {**meta.__get__(writer), "content": "deletes"})
    )
    with table.transaction() as transaction, transaction.update_snapshot().fast_append() as added:
        added.append_data_file(deletes)
    monkeypatch.undo()


def test_rows_deleted_beside_the_data_stay_away(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = studio.recharges()
    append(table, rows(DAY, 20))
    (task,) = table.scan().plan_files()
    path, position = (NestedField(2147483546, "file_path", StringType()), NestedField(2147483545, "pos", LongType()))
    positions = pa.table({"file_path": [task.file.file_path] * 3, "pos": [0, 7, 19]})
    listed = positions.cast(Schema(path, position).as_arrow())
    delete_beside(monkeypatch, table, DataFileContent.POSITION_DELETES, listed)
    append(table, rows(DAY, 2, first=30))

    found = exported(studio.source.export_day("raw.etl_recharge", DAY, tmp_path)).sort("user_id")

    kept = [number for number in [*range(20), 30, 31] if number not in (0, 7, 19)]
    assert found["user_id"].to_list() == [f"u{number:06}" for number in kept]


def test_deletes_that_cannot_be_read_are_refused_rather_than_ignored(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = studio.recharges()
    append(table, rows(DAY, 20))
    equal = pa.table({"user_id": ["u000003"]}).cast(Schema(NestedField(2, "user_id", StringType())).as_arrow())
    delete_beside(monkeypatch, table, DataFileContent.EQUALITY_DELETES, equal, equality_ids=[2])

    with pytest.raises(IcebergUnavailableError, match=r"equality deletes.*let the table's owner compact it"):
        studio.source.export_day("raw.etl_recharge", DAY, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


# --- the same again ------------------------------------------------------------------------------


def test_the_same_day_gives_the_same_bytes_whatever_was_added_to_others(studio: Studio, tmp_path: Path) -> None:
    table = studio.recharges(partitioned=IdentityTransform())
    for first in (0, 1000, 2000):
        append(table, pl.concat([rows(day, 500, first=first) for day in DAYS]))
    before = studio.source.export_day("raw.etl_recharge", DAY, tmp_path / "a", rows_per_file=400)

    append(table, rows(DAYS[2], 70, first=5000))
    again = IcebergSource("studio", studio.properties)
    after = again.export_day("raw.etl_recharge", DAY, tmp_path / "b", rows_per_file=400)

    assert len(before) == 4
    assert digests(before) == digests(after)


def test_a_day_exported_again_replaces_its_files_and_no_others(studio: Studio, tmp_path: Path) -> None:
    table = studio.recharges(partitioned=IdentityTransform())
    append(table, pl.concat([rows(day, 90) for day in DAYS]))
    for day in DAYS:
        studio.source.export_day("raw.etl_recharge", day, tmp_path / "out", rows_per_file=30)
    stays = digests([path for path in (tmp_path / "out").iterdir() if "2026-03-14" not in path.name])

    table.overwrite(arrow(table, rows(DAY, 40, first=500)), overwrite_filter=f"ds == '{DAY}'")
    paths = studio.source.export_day("raw.etl_recharge", DAY, tmp_path / "out", rows_per_file=30)

    assert_frame_equal(exported(paths), rows(DAY, 40, first=500))
    assert digests([path for path in (tmp_path / "out").iterdir() if path not in paths]) == stays
    assert (len(paths), len(stays)) == (2, 6)


def test_an_export_that_fails_leaves_the_files_of_the_one_before(studio: Studio, tmp_path: Path) -> None:
    table = studio.recharges()
    append(table, rows(DAY, 9))
    append(table, rows(DAY, 9, first=20))
    before = digests(studio.source.export_day("raw.etl_recharge", DAY, tmp_path / "out", rows_per_file=4))

    lost = sorted(task.file.file_path for task in table.scan().plan_files())[-1]
    Path(lost.removeprefix("file://")).unlink()
    with pytest.raises(IcebergUnavailableError, match=r"cannot read raw\.etl_recharge of 2026-03-14: .*parquet"):
        studio.source.export_day("raw.etl_recharge", DAY, tmp_path / "out", rows_per_file=3)

    assert digests(sorted((tmp_path / "out").iterdir())) == before


def test_memory_does_not_grow_with_the_day(studio: Studio, tmp_path: Path) -> None:
    table = studio.recharges()
    part = arrow(table, rows(DAY, 1).select(pl.all().repeat_by(200_000).explode()))
    for _ in range(12):
        table.append(part)
    usual = pa.default_memory_pool()
    counted = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(counted)
    try:
        paths = studio.source.export_day("raw.etl_recharge", DAY, tmp_path / "out")
    finally:
        pa.set_memory_pool(usual)

    assert [pq.read_metadata(path).num_rows for path in paths] == [1_000_000, 1_000_000, 400_000]
    assert counted.max_memory() < 4 * part.nbytes


# --- what goes wrong -----------------------------------------------------------------------------


def test_a_table_that_is_not_there_is_told_with_those_that_are(studio: Studio, tmp_path: Path) -> None:
    studio.recharges("raw.etl_login")
    studio.recharges("raw.etl_logout")

    with pytest.raises(
        IcebergTableError, match=r"no table raw\.login .*studio; tables of raw: raw\.etl_login, raw\.etl"
    ):
        studio.source.export_day("raw.login", DAY, tmp_path / "out")
    with pytest.raises(IcebergTableError, match=r"there is no namespace rew; namespaces: raw\."):
        studio.source.export_day("rew.etl_login", DAY, tmp_path / "out")
    for nameless in ("etl_login", "raw.", ""):
        with pytest.raises(IcebergTableError, match="write namespace and table, such as"):
            studio.source.export_day(nameless, DAY, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_column_that_tells_no_day_is_told_with_its_type(studio: Studio, tmp_path: Path) -> None:
    studio.recharges()

    with pytest.raises(IcebergTableError, match=r"no column 'day'; its columns: ds, user_id, amount, level, time\."):
        studio.source.export_day("raw.etl_recharge", DAY, tmp_path, day_column="day")
    with pytest.raises(IcebergTableError, match=r"column 'level' is of type int, which has no days"):
        studio.source.export_day("raw.etl_recharge", DAY, tmp_path, day_column="level")


def test_a_catalogue_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.db"
    source = IcebergSource("studio", {"type": "sql", "uri": f"sqlite:///{wrong}", "warehouse": f"file://{tmp_path}"})

    with pytest.raises(IcebergUnavailableError, match=r"catalogue studio: cannot read its catalogue: .*wrong\.db"):
        source.export_day("raw.etl_recharge", DAY, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []

    wrong.touch()
    with pytest.raises(IcebergUnavailableError, match=r"cannot read table raw\.etl_recharge: .*no such table"):
        source.export_day("raw.etl_recharge", DAY, tmp_path / "out")
    assert wrong.read_bytes() == b""


def test_the_missing_extra_names_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = IcebergSource("studio", {"type": "sql", "uri": "sqlite:///none.db"})
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyiceberg"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyiceberg", None)

    with pytest.raises(IcebergNotInstalledError, match=r"pip install 'gamestats\[iceberg\]'"):
        source.export_day("raw.etl_recharge", DAY, tmp_path)


# --- a catalogue behind HTTP, and secrets --------------------------------------------------------


def everything_told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_no_secret_is_shown(tmp_path: Path) -> None:
    source = IcebergSource(
        "studio",
        {
            "type": "stone",
            "uri": "postgresql+psycopg2://reader:pass%2Fword@db.example/iceberg",
            "credential": "client:hush-4711",
            "s3.secret-access-key": "aws-secret",
            "s3.region": "ap-southeast-1",
            "signer": SecretStr("given-as-secret"),
        },
    )

    with pytest.raises(IcebergUnavailableError) as raised:
        source.export_day("raw.etl_recharge", DAY, tmp_path)
    shown = repr(source) + everything_told(raised.value)
    for secret in ("pass%2Fword", "pass/word", "hush-4711", "aws-secret", "given-as-secret"):
        assert secret not in shown
    assert "postgresql+psycopg2://reader:***@db.example/iceberg" in repr(source)
    assert "ap-southeast-1" in repr(source)
