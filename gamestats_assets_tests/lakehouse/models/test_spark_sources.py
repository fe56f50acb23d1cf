"""What Spark reads, gives and refuses."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import psutil
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.models.spark import SparkUnavailableError, run_on_spark, spark_session, spark_sql
from gamestats_assets.lakehouse.models.sql import ParquetSource, SqlModel, SqlModelError
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.lakehouse.models.test_spark import result_table


class Scores(Table, key="demo/scores", layer="silver", partitioned_by="day", replaced_by="match_id"):
    """Points of a player in a match."""

    match_id = dy.String(primary_key=True, description="Match.")
    day = dy.Date(description="UTC day.")
    points = dy.Int64(nullable=True, description="Points.")
    prize = dy.Decimal(12, 2, nullable=True, description="Prize in euro.")


class OlderScores(Table, key="demo/scores", layer="silver", partitioned_by="day", replaced_by="match_id"):
    """Points of a player in a match, before there were prizes."""

    match_id = dy.String(primary_key=True, description="Match.")
    day = dy.Date(description="UTC day.")
    points = dy.Int64(nullable=True, description="Points.")


class Clubs(Table, key="demo/clubs", layer="bronze", partitioned_by="region"):
    """The region of each club."""

    club = dy.String(primary_key=True, description="Club.")
    region = dy.String(description="Region.")


DAYS = [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 2)]
SCORES = pl.DataFrame(
    {"match_id": ["m1", "m2", "m3"], "day": DAYS, "points": [1, None, 3]}, schema=OlderScores.schema()
)
SAME = "SELECT match_id, day, points, prize FROM demo.scores"


def scores_model(folder: Path, text: str = SAME, *parameters: str) -> SqlModel:
    """A model over `demo.scores`, with its columns."""
    columns = {name: column for name, column in Scores.columns().items() if name != "match_id"}
    path = folder / "demo" / "results.sql"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    known: Mapping[str, type[Table]] = {"demo.scores": Scores}
    return SqlModel.load(path, result_table(columns, "match_id"), known, parameters)


def test_spark_reads_partitions_and_files_older_than_a_column(session: Any, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.replace(OlderScores, SCORES, partitions=[DAYS[0], DAYS[1]])
    newer = SCORES.head(1).with_columns(match_id=pl.lit("m4"), day=date(2026, 3, 3), prize=Decimal("1.50"))
    lake = Lake(tmp_path / "lake")
    lake.replace(Scores, newer.cast({"prize": pl.Decimal(12, 2)}), partitions=[date(2026, 3, 3)])
    # A file that was replaced stands on the disk still.
    lake.replace(
        Scores,
        newer.with_columns(points=9).cast({"points": pl.Int64, "prize": pl.Decimal(12, 2)}),
        partitions=[date(2026, 3, 3)],
    )
    wanted = scores_model(tmp_path)
    frame = run_on_spark(session, wanted, {"demo.scores": lake.source(Scores)})
    assert frame.sort("match_id").rows() == [
        ("m1", DAYS[0], 1, None),
        ("m2", DAYS[1], None, None),
        ("m3", DAYS[1], 3, None),
        ("m4", date(2026, 3, 3), 9, Decimal("1.50")),
    ]
    assert frame.schema == Scores.schema()
    only = run_on_spark(session, wanted, {"demo.scores": lake.source(Scores, [DAYS[1]], ["m1", "m3"])})
    assert only["match_id"].to_list() == ["m3"]
    assert run_on_spark(session, wanted, {"demo.scores": ParquetSource([])}).is_empty()


def test_partition_values_come_back_as_written(session: Any, tmp_path: Path) -> None:
    regions = [
        "2026-01-01",
        "007",
        "[a]*?",
        "{b}",
        "it's",
        "ü",
        "50%/x=é",
        "2026-01-01|shop",
        "a b",
        "대한",
        "#h",
        "a:b",
    ]
    clubs = pl.DataFrame({"club": [f"c{n}" for n in range(len(regions))], "region": regions})
    lake = Lake(tmp_path / "lake")
    lake.replace(Clubs, clubs, partitions=regions)
    path = tmp_path / "demo" / "results.sql"
    path.parent.mkdir()
    path.write_text("SELECT club, region FROM demo.clubs")
    wanted = SqlModel.load(path, result_table({"region": Clubs.columns()["region"]}, "club"), {"demo.clubs": Clubs})
    frame = run_on_spark(session, wanted, {"demo.clubs": lake.source(Clubs)})
    assert_frame_equal(frame, clubs, check_row_order=False)
    assert run_on_spark(session, wanted, {"demo.clubs": lake.source(Clubs, ["ü"])}).rows() == [("c5", "ü")]


def test_parameters_are_bound(session: Any, tmp_path: Path) -> None:
    wanted = scores_model(
        tmp_path, f"{SAME} WHERE day = $day AND match_id <> $other AND points <= $most", "day", "other", "most"
    )
    given = {"day": DAYS[1], "other": "m1' OR 1 = 1 --", "most": Decimal("3.5")}
    assert run_on_spark(session, wanted, {"demo.scores": SCORES}, given)["match_id"].to_list() == ["m3"]
    with pytest.raises(SqlModelError, match="parameter 'most' is missing"):
        run_on_spark(session, wanted, {"demo.scores": SCORES}, {"day": DAYS[1], "other": ""})
    with pytest.raises(SqlModelError, match=r"source 'demo\.scores' is missing"):
        run_on_spark(session, wanted, {}, given)


def test_what_spark_has_no_word_for_names_the_file(tmp_path: Path) -> None:
    wanted = scores_model(tmp_path, "SELECT list_sum(max(points, 3)) AS points FROM demo.scores")
    with pytest.raises(SqlModelError, match=r"results\.sql: cannot be written for Spark: Argument 'count'"):
        spark_sql(wanted)


def test_another_type_than_declared_is_refused(session: Any, tmp_path: Path) -> None:
    other = scores_model(tmp_path, "SELECT match_id, day, points * 0.5 AS points, prize FROM demo.scores")
    with pytest.raises(SqlModelError, match=r"column 'points' is declared bigint, found decimal\(2\d,1\)"):
        run_on_spark(session, other, {"demo.scores": SCORES})
    drifted = SCORES.with_columns(pl.col("points").cast(pl.Float64))
    with pytest.raises(SqlModelError, match=r"results\.sql: Spark refuses the query"):
        run_on_spark(session, scores_model(tmp_path), {"demo.scores": drifted})


def test_an_error_names_the_file_and_leaves_nothing_behind(session: Any, tmp_path: Path) -> None:
    wanted = scores_model(tmp_path, "SELECT match_id, day, CAST(match_id AS BIGINT) AS points, prize FROM demo.scores")
    with pytest.raises(SqlModelError, match=r"results\.sql: Spark refuses the query: .*The value 'm\d'"):
        run_on_spark(session, wanted, {"demo.scores": SCORES})
    assert run_on_spark(session, scores_model(tmp_path), {"demo.scores": SCORES}).height == 3
    assert session.catalog.listTables() == []
    assert list(Path(session.conf.get("spark.local.dir")).glob("model-*")) == []


def test_nobody_outside_reaches_the_session(session: Any) -> None:
    machines = [process for process in psutil.Process().children(recursive=True) if process.name() == "java"]
    addresses = {c.laddr.ip for process in machines for c in process.net_connections() if c.status == "LISTEN"}
    assert addresses
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_a_missing_extra_or_java_names_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyspark", None)
        with pytest.raises(SparkUnavailableError, match=r"pip install 'gamestats\[spark\]'"):
            spark_session(1, "1g", tmp_path)
    pytest.importorskip("pyspark")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SparkUnavailableError, match="needs Java 17 or later, and there is none"):
        spark_session(1, "1g", tmp_path)
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SparkUnavailableError, match="JAVA_HOME"):
        spark_session(1, "1g", tmp_path)
