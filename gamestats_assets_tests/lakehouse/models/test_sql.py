"""SQL models over real Delta tables: what is read, refused, computed and cast."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import unquote

import dataframely as dy
import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.models import sql
from gamestats_assets.lakehouse.models.sql import (
    ParquetSource,
    QueryError,
    Source,
    SqlModel,
    SqlModelError,
    query,
    run_model,
    stream_model,
)
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.support.frames import run_without_rows


class Goals(Table, key="demo/goals", layer="silver", partitioned_by="day", replaced_by="match_id"):
    """Goals of one player in one match."""

    match_id = dy.String(primary_key=True, description="Match id.")
    player = dy.String(primary_key=True, description="Player name.")
    day = dy.Date(description="UTC day of the match.")
    goals = dy.Int16(description="Goals scored.")
    scored_at = dy.Datetime(time_unit="us", time_zone="UTC", nullable=True, description="Time of the last goal.")
    prize = dy.Decimal(12, 2, nullable=True, description="Prize in euro; declared after the first files.")


class Clubs(Table, key="demo/clubs", layer="bronze", partitioned_by="region"):
    """The club of each player."""

    player = dy.String(primary_key=True, description="Player name.")
    club = dy.String(description="Club name.")
    region = dy.String(description="Region.")


class Totals(Table, key="demo/totals", layer="gold"):
    """Totals of a club on a day."""

    club = dy.String(primary_key=True, description="Club name.")
    day = dy.Date(primary_key=True, description="UTC day.")
    goals = dy.Int64(description="Goals scored.")
    players = dy.Int32(description="Players who scored or not.")
    best = dy.Int16(nullable=True, description="Most goals of one player in one match.")


KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in (Goals, Clubs, Totals)}

TOTALS = """\
-- Goals of each club on each day,
-- from the players' matches.

/* Clubs are as of today. */
WITH scored AS (
    SELECT g.day, g.player, g.match_id, g.goals, c.club  -- the club of today
    FROM demo.goals AS g
    JOIN demo.clubs AS c USING (player)
    WHERE g.day >= $since
)
SELECT club, day, sum(goals)::BIGINT AS goals, count(DISTINCT player)::INTEGER AS players, max(goals) AS best
FROM scored
GROUP BY club, day
"""

GOALS = pl.DataFrame(
    [
        ("m1", "ann", date(2026, 3, 1), 2, datetime(2026, 3, 1, 23, 30, tzinfo=UTC)),
        ("m1", "bob", date(2026, 3, 1), 0, None),
        ("m2", "ann", date(2026, 3, 2), 3, datetime(2026, 3, 2, 0, 30, tzinfo=UTC)),
        ("m3", "cid", date(2026, 3, 2), 1, datetime(2026, 3, 2, 12, tzinfo=UTC)),
    ],
    schema={k: v for k, v in Goals.schema().items() if k != "prize"},
    orient="row",
)
CLUBS = pl.DataFrame(
    {"player": ["ann", "bob", "cid"], "club": ["Red", "Red", "Blue"], "region": ["a b", "a b", "50%/x=é"]}
)
SINCE = {"since": date(2026, 3, 1)}


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., SqlModel]:
    """Loads a text as the model of a table (Totals by default)."""

    def _load(text: str, table: type[Table] = Totals, parameters: tuple[str, ...] = ("since",)) -> SqlModel:
        path = tmp_path / "sql" / table.spec.game / f"{table.spec.name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return SqlModel.load(path, table, KNOWN, parameters)

    return _load


def totals(**columns: str) -> str:
    """A model of Totals reading demo.goals, with some output expressions replaced."""
    given = {
        "club": "player",
        "day": "day",
        "goals": "goals::BIGINT",
        "players": "1::INTEGER",
        "best": "goals",
    } | columns
    listed = ", ".join(f"{text} AS {name}" for name, text in given.items())
    return "SELECT ... FROM demo.goals".replace("...", listed)


def in_delta(folder: Path, frame: pl.DataFrame, partition: str | None, **only: Any) -> ParquetSource:
    write_deltalake(str(folder), frame.to_arrow(), partition_by=partition, mode="append", schema_mode="merge")
    return ParquetSource(DeltaTable(str(folder)).file_uris(), partition, only)


@pytest.fixture
def lake(tmp_path: Path) -> dict[str, Source]:
    """demo.goals and demo.clubs as Delta tables on disk."""
    return {
        "demo.goals": in_delta(tmp_path / "goals", GOALS, "day"),
        "demo.clubs": in_delta(tmp_path / "clubs", CLUBS, "region"),
    }


# --- Loading ---------------------------------------------------------------------------------


def test_a_model_tells_what_it_reads_and_binds(load: Callable[..., SqlModel]) -> None:
    model = load(TOTALS)
    assert list(model.reads) == ["demo.clubs", "demo.goals"]
    assert model.parameters == ("since",)
    assert model.text == TOTALS


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('SELECT 1 FROM "demo"."goals", Demo . CLUBS', ["demo.clubs", "demo.goals"]),
        (
            "SELECT 'demo.clubs', \"demo.clubs\", $$ demo.clubs $$ /* demo.clubs */ FROM demo.goals -- demo.clubs",
            ["demo.goals"],
        ),
        ("SELECT e'\\'' || 'it''s', goals.demo FROM demo.goals", ["demo.goals"]),
    ],
)
def test_what_a_model_reads_is_what_it_names_outside_texts_and_comments(
    load: Callable[..., SqlModel], text: str, read: list[str]
) -> None:
    assert list(load(text).reads) == read


def test_the_version_of_a_model_is_of_its_words(load: Callable[..., SqlModel]) -> None:
    version = load("SELECT a, 'x  y' FROM demo.goals WHERE b>=$since").version
    assert len(version) == 8
    assert load("-- Said.\nSELECT a , 'x  y'\nFROM demo.goals /* so */ WHERE b >= $since\n").version == version
    others = ("SELECT a, 'x y' FROM demo.goals WHERE b>=$since", "SELECT a, 'x  y' FROM demo.goals WHERE b>$since")
    assert len({load(text).version for text in others} | {version}) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("SELECT * FROM demo.totals", "the table it makes", id="itself"),
        pytest.param(totals() + " WHERE day >= $sinse", "bound are: since", id="parameter-misspelt"),
    ],
)
def test_a_model_that_cannot_be_an_asset_is_not_loaded(load: Callable[..., SqlModel], text: str, said: str) -> None:
    with pytest.raises(SqlModelError, match=re.escape(said)):
        load(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "found nothing", id="empty"),
        pytest.param("SELECT 1; SELECT 2", "found SELECT, SELECT", id="two-statements"),
        pytest.param("DELETE FROM demo.goals", "found DELETE", id="no-select"),
        pytest.param("SELECT player, FROM WHERE", "syntax error", id="no-sql"),
        pytest.param("SELECT * FROM demo.goal, demo.clubs", "Table with name goal does not exist", id="table-misspelt"),
        pytest.param(totals(club="plaier"), 'Candidate bindings: "player"', id="column-misspelt"),
        pytest.param(totals(extra="1"), "gives 'extra', which is not declared", id="extra-column"),
        pytest.param(totals().replace("day AS day, ", ""), "does not give 'day'", id="missing-column"),
        pytest.param(totals().replace("1::INTEGER AS players", "1 + 1"), "gives '(1 + 1)'", id="no-name"),
        pytest.param(totals().replace("SELECT", "SELECT day,"), "gives 'day', which is", id="column-twice"),
    ],
)
def test_a_wrong_model_is_refused_without_data_with_its_file(
    load: Callable[..., SqlModel], text: str, said: str
) -> None:
    with pytest.raises(SqlModelError) as refused:
        run_without_rows(load(text))
    assert said in str(refused.value)
    assert str(Path("demo") / "totals.sql") in str(refused.value)


# --- Running ---------------------------------------------------------------------------------

EXPECTED = pl.DataFrame(
    [("Blue", date(2026, 3, 2), 1, 1, 1), ("Red", date(2026, 3, 1), 2, 2, 2), ("Red", date(2026, 3, 2), 3, 1, 3)],
    schema=Totals.schema(),
    orient="row",
)


def test_a_model_runs_over_delta_tables_and_gives_the_declared_types(
    load: Callable[..., SqlModel], lake: dict[str, Source]
) -> None:
    result = run_model(load(TOTALS), lake, SINCE)
    assert result.schema == Totals.schema()
    assert_frame_equal(result.sort("club", "day"), EXPECTED)


def test_parameters_are_bound(load: Callable[..., SqlModel], lake: dict[str, Source]) -> None:
    result = run_model(load(TOTALS), lake, {"since": date(2026, 3, 2)})
    assert_frame_equal(result.sort("club", "day"), EXPECTED.filter(pl.col("day") == date(2026, 3, 2)))
    hostile = load(totals() + " WHERE player = $since")
    goals = {"demo.goals": lake["demo.goals"]}
    assert run_model(hostile, goals, {"since": "ann' OR 1 = 1 --"}).is_empty()
    assert run_model(hostile, goals, {"since": "ann"}).height == 2


def test_no_files_are_no_rows(load: Callable[..., SqlModel], lake: dict[str, Source]) -> None:
    empty: dict[str, Source] = {"demo.goals": ParquetSource([], "day"), "demo.clubs": lake["demo.clubs"]}
    result = run_model(load(TOTALS), empty, SINCE)
    assert result.is_empty()
    assert result.schema == Totals.schema()
    assert list(stream_model(load(TOTALS), empty, SINCE)) == []


def test_only_the_wanted_partitions_and_ids_are_read(load: Callable[..., SqlModel], tmp_path: Path) -> None:
    model = load(totals())

    def clubs(**only: list[Any]) -> list[str]:
        source = in_delta(tmp_path / str(len(only)) / "-".join(only), GOALS, "day", **only)
        return sorted(run_model(model, {"demo.goals": source})["club"])

    assert clubs() == ["ann", "ann", "bob", "cid"]
    assert clubs(day=[date(2026, 3, 2)]) == ["ann", "cid"]
    assert clubs(match_id=["m1", "m3", "m3"], day=[date(2026, 3, 2)]) == ["cid"]
    assert clubs(match_id=[]) == []


def test_a_column_declared_later_reads_as_null_in_older_files(load: Callable[..., SqlModel], tmp_path: Path) -> None:
    model = load(totals(best="round(prize * 100)::SMALLINT"))
    old = in_delta(tmp_path / "goals", GOALS, "day")
    assert run_model(model, {"demo.goals": old})["best"].to_list() == [None] * 4
    newer = GOALS.head(1).with_columns(match_id=pl.lit("m9"), prize=pl.lit(Decimal("1.50"), pl.Decimal(12, 2)))
    both = in_delta(tmp_path / "goals", newer, "day")
    assert sorted(run_model(model, {"demo.goals": both})["best"], key=str) == [150, None, None, None, None]


def test_partition_values_come_back_as_written(lake: dict[str, Source], tmp_path: Path) -> None:
    clubs = lake["demo.clubs"]
    assert isinstance(clubs, ParquetSource)
    assert any("%" in Path(file).parent.name for file in clubs.files)
    assert any(unquote(file) != file for file in clubs.files)
    answer = query("select player, region from demo.clubs order by player", lambda name: lake[name], KNOWN)
    assert answer["region"].to_list() == ["a b", "a b", "50%/x=é"]
    awkward = ["2026-01-01", "007", "[a]*?", "{b}", "it's", "ü"]
    frame = pl.DataFrame({"player": list("abcdef"), "club": "x", "region": awkward})
    source = in_delta(tmp_path / "awkward", frame, "region")
    assert (
        query("select region from demo.clubs order by player", lambda _: source, KNOWN)["region"].to_list() == awkward
    )
    # Alone, this one would be taken for a date if its type were guessed.
    lone = in_delta(tmp_path / "lone", frame.head(1), "region")
    assert query("select region from demo.clubs", lambda _: lone, KNOWN)["region"].to_list() == ["2026-01-01"]


def test_the_machines_time_zone_changes_nothing(tmp_path: Path) -> None:
    script = tmp_path / "zone.py"
    script.write_text(
        dedent(
            """
            from datetime import date
            from gamestats_assets.lakehouse.models.sql import query
            from gamestats_assets_tests.lakehouse.models.test_sql import GOALS, KNOWN
            sql = '''select match_id, scored_at, scored_at::date as day, hour(scored_at) as hour,
                     date_trunc('day', scored_at) as midnight from demo.goals where goals > 1 order by all'''
            print(query(sql, lambda _: GOALS, KNOWN).rows())
            """
        )
    )
    outputs = set()
    for zone in ("America/New_York", "Asia/Tokyo"):
        done = subprocess.run(
            [sys.executable, str(script)],
            env=os.environ | {"TZ": zone, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(done.stdout)
    (output,) = outputs
    assert "datetime.date(2026, 3, 1), 23" in output
    assert "datetime.date(2026, 3, 2), 0" in output
    assert "zoneinfo.ZoneInfo(key='UTC')" in output


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"goals": "sum(goals) OVER ()"}, "column 'goals' is declared BIGINT, found HUGEINT"),
        ({"goals": "goals * 1.5"}, "column 'goals' is declared BIGINT, found DECIMAL"),
        ({"day": "scored_at"}, "column 'day' is declared DATE, found TIMESTAMP WITH TIME ZONE"),
        ({"best": "NULL"}, "column 'best' is declared SMALLINT, found \"NULL\""),
    ],
)
def test_another_type_than_declared_is_refused_without_data(
    load: Callable[..., SqlModel], columns: dict[str, str], said: str
) -> None:
    with pytest.raises(SqlModelError, match="is a CAST to its declared type") as refused:
        run_without_rows(load(totals(**columns)))
    assert said in str(refused.value)


def test_stored_columns_of_another_type_are_refused(load: Callable[..., SqlModel]) -> None:
    drifted = GOALS.with_columns(goals=pl.col("goals").cast(pl.Float64))
    with pytest.raises(SqlModelError, match=r"rebuild the table.*\s- column 'goals' is declared SMALLINT, found"):
        run_model(load(totals()), {"demo.goals": drifted})


def test_sources_and_parameters_must_be_exactly_those_named(load: Callable[..., SqlModel]) -> None:
    model = load(TOTALS)
    with pytest.raises(SqlModelError, match=r"source 'demo\.clubs' is missing"):
        run_model(model, {"demo.goals": GOALS}, SINCE)
    with pytest.raises(SqlModelError, match=r"source 'demo\.totals' is not used"):
        run_model(model, {"demo.goals": GOALS, "demo.clubs": CLUBS, "demo.totals": EXPECTED}, SINCE)
    with pytest.raises(SqlModelError, match="parameter 'since' is missing"):
        run_model(model, {"demo.goals": GOALS, "demo.clubs": CLUBS})
    with pytest.raises(SqlModelError, match="parameter 'until' is not used"):
        run_model(model, {"demo.goals": GOALS, "demo.clubs": CLUBS}, SINCE | {"until": 1})


def test_an_engine_error_names_the_file_also_amid_a_stream(load: Callable[..., SqlModel]) -> None:
    model = load(totals(best="player::SMALLINT"))
    with pytest.raises(SqlModelError, match=r"demo.totals\.sql: the engine refuses the query"):
        run_model(model, {"demo.goals": GOALS})
    many = GOALS.with_columns(player=pl.lit("7")).sample(400_000, with_replacement=True, seed=1).vstack(GOALS)
    with pytest.raises(SqlModelError, match="Could not convert string"):
        for _ in stream_model(model, {"demo.goals": many}, batch_rows=10_000):
            pass


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[duckdb.DuckDBPyConnection]:
    """Every connection to DuckDB that a test opens; no model has left one behind."""
    found: list[duckdb.DuckDBPyConnection] = []
    connect = duckdb.connect

    def remember(*args: Any, **kwargs: Any) -> duckdb.DuckDBPyConnection:
        found.append(connect(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(duckdb, "connect", remember)
    monkeypatch.setattr(sql, "_IDLE", [])
    return found


def test_a_session_that_breaks_off_is_closed(
    load: Callable[..., SqlModel], opened: list[duckdb.DuckDBPyConnection]
) -> None:
    with pytest.raises(SqlModelError):
        run_model(load(totals(best="player::SMALLINT")), {"demo.goals": GOALS})
    stream = stream_model(load(totals()), {"demo.goals": GOALS}, batch_rows=1)
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    with pytest.raises(QueryError):
        query("select nothing from demo.goals", lambda _: GOALS, KNOWN)
    assert len(opened) == 3
    for connection in opened:
        with pytest.raises(duckdb.ConnectionException):
            connection.execute("select 1")


def test_a_stream_holds_a_batch_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    numbers = "WITH numbers AS (SELECT unnest(generate_series(1, 600000)) AS n) "
    text = totals(club="g.player || lpad(n::VARCHAR, 80, '0')", day="g.day", goals="n", best="g.goals")
    (folder / "totals.sql").write_text(numbers + text + " AS g CROSS JOIN numbers")
    script = tmp_path / "stream.py"
    script.write_text(
        dedent(
            f"""
            import resource
            from pathlib import Path
            from gamestats_assets.lakehouse.models.sql import SqlModel, stream_model
            from gamestats_assets_tests.lakehouse.models.test_sql import GOALS, KNOWN, Totals
            model = SqlModel.load(Path({str(folder / "totals.sql")!r}), Totals, KNOWN)
            peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            config = {{"threads": 2, "memory_limit": "300MB", "temp_directory": {str(tmp_path)!r}}}
            next(stream_model(model, {{"demo.goals": GOALS.head(1)}}, config=config))
            before, rows, size = peak(), 0, 0
            for frame in stream_model(model, {{"demo.goals": GOALS}}, config=config, batch_rows=50_000):
                rows += frame.height
                size += frame.estimated_size() / 1e6
            print(rows, size, peak() - before)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    rows, megabytes, grown = map(float, done.stdout.split())
    assert rows == 2_400_000
    assert megabytes > 200
    assert grown < 150
