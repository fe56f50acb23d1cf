"""SQL models and queries over real Delta tables: what is read, refused, computed and cast."""

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
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse import sql
from gamestats_assets.lakehouse.model_text import objections
from gamestats_assets.lakehouse.sql import (
    Engine,
    ParquetSource,
    QueryError,
    Source,
    SqlModel,
    SqlModelError,
    check_types,
    keeps_every_value,
    query,
    run_model,
    sql_type,
    stream_model,
)
from gamestats_assets.lakehouse.table import Table


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
SELECT club, day, sum(goals) AS goals, count(DISTINCT player)::INTEGER AS players, max(goals) AS best
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
    """Loads a text as the model of a table (Totals unless told)."""

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
        "players": "1",
        "best": "goals",
    } | columns
    listed = ", ".join(f"{text} AS {name}" for name, text in given.items())
    return "SELECT ... FROM demo.goals".replace("...", listed)


def in_delta(folder: Path, frame: pl.DataFrame, partition: str, **only: Any) -> ParquetSource:
    write_deltalake(str(folder), frame.to_arrow(), partition_by=[partition], mode="append", schema_mode="merge")
    hive = sql_type(frame.schema[partition])
    return ParquetSource(DeltaTable(str(folder)).file_uris(), {partition: hive}, only)


@pytest.fixture
def lake(tmp_path: Path) -> dict[str, Source]:
    """demo.goals and demo.clubs as Delta tables on disk."""
    return {
        "demo.goals": in_delta(tmp_path / "goals", GOALS, "day"),
        "demo.clubs": in_delta(tmp_path / "clubs", CLUBS, "region"),
    }


# --- Loading ---------------------------------------------------------------------------------


def test_a_model_tells_what_it_reads_binds_and_says(load: Callable[..., SqlModel]) -> None:
    model = load(TOTALS)
    assert model.dependencies == ("demo.clubs", "demo.goals")
    assert model.parameters == ("since",)
    assert model.description.splitlines()[0] == "Goals of each club on each day,"
    assert "from the players' matches." in model.description
    assert "Clubs are as of today." in model.description
    assert "club of today" not in model.description
    assert model.text == TOTALS


def test_lineage_goes_through_ctes_joins_and_aggregates(load: Callable[..., SqlModel]) -> None:
    assert load(TOTALS).column_lineage == {
        "club": [("demo.clubs", "club")],
        "day": [("demo.goals", "day")],
        "goals": [("demo.goals", "goals")],
        "players": [("demo.goals", "player")],
        "best": [("demo.goals", "goals")],
    }


def test_lineage_names_every_origin_and_none_for_constants_or_series(load: Callable[..., SqlModel]) -> None:
    model = load(
        """
        WITH numbers AS (SELECT unnest(generate_series(1, 3)) AS n)
        SELECT coalesce(c.club, g.player) AS club, g.day, count(*) AS goals, 1 AS players,
               max(n)::SMALLINT AS best
        FROM demo.goals g LEFT JOIN demo.clubs c USING (player) CROSS JOIN numbers
        GROUP BY ALL
        """
    )
    assert model.dependencies == ("demo.clubs", "demo.goals")
    assert model.column_lineage["club"] == [("demo.clubs", "club"), ("demo.goals", "player")]
    assert model.column_lineage["goals"] == model.column_lineage["players"] == model.column_lineage["best"] == []


def test_lineage_covers_both_sides_of_a_union_and_stars(load: Callable[..., SqlModel]) -> None:
    model = load(
        "WITH u AS (SELECT player, day FROM demo.goals UNION ALL SELECT club, NULL FROM demo.clubs),"
        " t AS (SELECT * FROM u) SELECT player AS club, day, 1 AS goals, 1 AS players, NULL AS best FROM t"
    )
    assert model.column_lineage["club"] == [("demo.clubs", "club"), ("demo.goals", "player")]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('SELECT 1 FROM "demo"."goals", Demo . CLUBS', ("demo.clubs", "demo.goals")),
        ("SELECT 'demo.clubs', \"demo.clubs\", $$ demo.clubs $$ /* demo.clubs */ FROM demo.goals -- demo.clubs", 1),
        ("SELECT e'\\'' || 'it''s', goals.demo FROM demo.goals", 1),
    ],
)
def test_what_a_model_reads_is_what_it_names_outside_texts_and_comments(
    load: Callable[..., SqlModel], text: str, read: tuple[str, ...] | int
) -> None:
    assert load(text).dependencies == (("demo.goals",) if read == 1 else read)


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
        pytest.param(totals() + " WHERE day >= $sinse", "Did you mean since?", id="parameter-misspelt"),
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
        pytest.param(totals().replace("1 AS players", "1 + 1"), "gives '(1 + 1)', which is not declared", id="no-name"),
        pytest.param(totals().replace("SELECT", "SELECT day,"), "gives 'day' twice", id="column-twice"),
    ],
)
def test_a_wrong_model_is_refused_without_data_with_its_file(
    load: Callable[..., SqlModel], text: str, said: str
) -> None:
    with pytest.raises(SqlModelError) as refused:
        check_types(load(text))
    assert said in str(refused.value)
    assert str(Path("demo") / "totals.sql") in str(refused.value)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Dagster's files of this process would be; the folder is not there yet."""
    monkeypatch.setattr(sql, "_lineage_kept", lambda: (tmp_path / "state" / "lineage", "1"))
    return tmp_path / "state"


def test_lineage_is_kept_for_the_next_process_until_the_text_or_a_table_changes(
    load: Callable[..., SqlModel], state: Path
) -> None:
    state.mkdir()
    found = load(TOTALS).column_lineage
    (file,) = state.rglob("*.json")
    file.write_text(file.read_text().replace("demo.clubs", "demo.kept"))
    assert load(TOTALS).column_lineage == found | {"club": [("demo.kept", "club")]}
    assert load(TOTALS.replace("c.club", "g.player AS club")).column_lineage["club"] == [("demo.goals", "player")]
    for text in ('{"of": 1}', "no JSON", ""):
        file.write_text(text)
        assert load(TOTALS).column_lineage == found
    assert [*state.rglob("*.json*")] == [file]


def test_lineage_is_kept_only_where_dagster_has_a_folder(load: Callable[..., SqlModel], state: Path) -> None:
    assert load(TOTALS).column_lineage["club"] == [("demo.clubs", "club")]
    assert not state.exists()


def test_a_model_stands_under_the_name_of_its_table(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "other.sql"
    with pytest.raises(SqlModelError, match=r"expected at demo/totals\.sql"):
        SqlModel.load(path, Totals, KNOWN)
    with pytest.raises(SqlModelError, match="a SQL file in UTF-8 is expected there"):
        SqlModel.load(path.with_name("totals.sql"), Totals, KNOWN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT * FROM goals", "goals: not a table of the lake"),
        ("SELECT * FROM 'goals.parquet'", "goals.parquet: not a table of the lake"),
        ("SELECT * FROM read_parquet('x')", "not a table of the lake"),
        ("SELECT n FROM generate_series(1, 3) AS s (n)", "not a table of the lake"),
        ("WITH goals AS (...) SELECT demo.goals FROM goals AS demo".replace("...", totals()), None),
        ("SELECT demo.goals FROM (SELECT 1 AS goals) AS demo", "demo.goals: named in the text, and not read"),
        (totals() + " WHERE day >= ?", "bound by name"),
        (totals() + " WHERE day >= $1", "bound by name"),
        (totals() + " a ASOF JOIN demo.clubs c ON a.player = c.player AND a.goals >= c.player", "no ASOF JOIN"),
        (totals() + " a POSITIONAL JOIN demo.clubs c", "no POSITIONAL JOIN"),
        (totals(goals="median(goals)"), "MEDIAN(goals): Spark gets an approximation"),
        (totals(goals="quantile_cont(goals, 0.5)"), "approximation"),
        (totals(goals="mode(goals)"), "which row comes first"),
        (totals(best="any_value(goals)"), "use min or max"),
        (totals(day="current_date"), "bind a $parameter"),
        (totals(goals="random()::BIGINT"), "bind a $parameter"),
        (totals(day="now()::DATE"), "'now' has no known translation"),
        (totals(goals="dayofweek(day)"), "number days differently"),
        (totals(goals="log(goals)"), "log10 or ln"),
        (totals(club="regexp_replace(player, 'a', 'b')"), "add 'g'"),
        (totals(best="arg_max(goals, scored_at)"), "(time, row_number)"),
        (totals(goals="array_length(list(goals))"), "list_sort"),
        (totals(club="string_agg(player, ',')"), "add ORDER BY"),
        (totals(goals="(goals / 2)::BIGINT"), "round, floor or ceil"),
        (totals(best="sum(prize)::SMALLINT"), "round, floor or ceil"),
        (totals(goals="round(goals / 3, 2)"), "CAST it AS DECIMAL"),
        (totals(goals="day - DATE '2026-01-01'"), "date_diff"),
    ],
)
def test_what_a_model_should_not_say_is_told_with_the_reason(
    load: Callable[..., SqlModel], text: str, said: str | None
) -> None:
    found = objections(load(text))
    assert any(said in one for one in found) if said else not found


def test_what_spark_has_no_word_for_is_told(load: Callable[..., SqlModel]) -> None:
    with pytest.raises(SqlModelError, match="Argument 'count' is not supported"):
        objections(load(totals(goals="list_sum(max(goals, 3))")))


def test_spark_gets_the_same_query_with_its_own_parameters(load: Callable[..., SqlModel]) -> None:
    model = load(
        """
        -- Best day.
        SELECT player AS club, day, sum(goals) FILTER (WHERE goals > 0)::BIGINT AS goals, 1 AS players,
               max(goals) AS best
        FROM demo.goals
        WHERE day >= $since
        GROUP BY player, day
        QUALIFY row_number() OVER (PARTITION BY player ORDER BY day DESC) = 1
        """
    )
    assert model.spark_sql == dedent(
        """\
        /* Best day. */
        SELECT
          club,
          day,
          goals,
          players,
          best
        FROM (
          /* Best day. */
          SELECT
            player AS club,
            day,
            CAST(SUM(goals) FILTER(WHERE
              goals > 0) AS BIGINT) AS goals,
            1 AS players,
            MAX(goals) AS best,
            ROW_NUMBER() OVER (PARTITION BY player ORDER BY day DESC) AS _w
          FROM demo.goals
          WHERE
            day >= :since
          GROUP BY
            player,
            day
        ) AS _t
        WHERE
          _w = 1"""
    )


@pytest.mark.parametrize(
    ("duckdb_sql", "spark_sql"),
    [
        ("prize / goals", "CAST(prize AS DOUBLE) / goals"),
        ("1 / goals / 60", "CAST(1 AS DOUBLE) / goals / 60"),
        ("avg(prize) OVER ()", "AVG(CAST(prize AS DOUBLE)) OVER ()"),
        ("avg(DISTINCT prize)", "AVG(DISTINCT CAST(prize AS DOUBLE))"),
        ("date_diff('day', scored_at, $since)", "DATEDIFF(DAY, CAST(scored_at AS DATE), CAST(:since AS DATE))"),
        ("date_diff('week', day, $since)", "DATEDIFF(WEEK, CAST(day AS DATE), CAST(:since AS DATE))"),
        (
            "date_diff('hour', scored_at, day) / 24",
            "CAST(DATEDIFF(HOUR, DATE_TRUNC('HOUR', scored_at), DATE_TRUNC('HOUR', day)) AS DOUBLE) / 24",
        ),
        ("date_diff('microsecond', scored_at, day)", "DATEDIFF(MICROSECOND, scored_at, day)"),
        ("round(prize / goals)::BIGINT", "CAST(ROUND(CAST(prize AS DOUBLE) / goals) AS BIGINT)"),
        (
            "arg_max(goals, (scored_at, player))",
            "MAX_BY(goals, (scored_at IS NULL, scored_at, player IS NULL, player)) FILTER(WHERE NOT goals IS NULL)",
        ),
        (
            "min_by(goals, {'a': scored_at, 'b': day}) FILTER (WHERE prize > 1) OVER (PARTITION BY day)",
            "MIN_BY(goals, (scored_at IS NULL, scored_at, day IS NULL, day)) FILTER(WHERE prize > 1 AND "
            "NOT goals IS NULL) OVER (PARTITION BY day)",
        ),
        ("player NOT LIKE match_id", r"player NOT LIKE REPLACE(match_id, '\\', '\\\\')"),
        ("player LIKE 'a%'", "player LIKE 'a%'"),
        (r"player ILIKE 'a\_'", r"player ILIKE REPLACE('a\\_', '\\', '\\\\')"),
        (r"player LIKE match_id ESCAPE '\'", r"player LIKE match_id ESCAPE '\\'"),
    ],
)
def test_what_duckdb_does_on_its_own_accord_is_written_out_for_spark(
    load: Callable[..., SqlModel], duckdb_sql: str, spark_sql: str
) -> None:
    text = load(totals(goals=duckdb_sql)).spark_sql
    assert f"{spark_sql} AS goals" in " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        totals(best="round(prize)::SMALLINT"),
        totals(best="floor(goals / 2)::SMALLINT"),
        totals(best="CAST(prize AS DECIMAL(12, 0))::SMALLINT"),
        totals(club="prize::VARCHAR"),
        totals(goals="round(goals / 3, 0)::BIGINT"),
        totals(club="string_agg(DISTINCT player, ',' ORDER BY player)"),
        totals(club="array_to_string(coalesce(list_sort(list(player) FILTER (WHERE player IS NOT NULL)), []), ',')"),
        totals() + r" WHERE player LIKE match_id || '\_' ESCAPE '\'",
        totals() + " WHERE goals IN (...) OR player LIKE 'a%'".replace("...", "SELECT goals FROM demo.goals"),
        totals(goals="unnest(generate_series(1, 3))"),
    ],
)
def test_what_means_the_same_is_not_objected_to(load: Callable[..., SqlModel], text: str) -> None:
    assert objections(load(text)) == []


# --- Running ---------------------------------------------------------------------------------

EXPECTED = pl.DataFrame(
    [
        ("Blue", date(2026, 3, 2), 1, 1, 1),
        ("Red", date(2026, 3, 1), 2, 2, 2),
        ("Red", date(2026, 3, 2), 3, 1, 3),
    ],
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


@pytest.mark.parametrize("form", ["frame", "lazy", "dataset"])
def test_every_kind_of_source_gives_the_same_rows(
    load: Callable[..., SqlModel], lake: dict[str, Source], tmp_path: Path, form: str
) -> None:
    sources: dict[str, dict[str, Source]] = {
        "frame": {"demo.goals": GOALS, "demo.clubs": CLUBS},
        "lazy": {"demo.goals": GOALS.lazy().with_columns(noise=1), "demo.clubs": CLUBS.lazy()},
        "dataset": {
            name: DeltaTable(str(tmp_path / name.split(".")[1])).to_pyarrow_dataset()
            for name in ("demo.goals", "demo.clubs")
        },
    }
    result = run_model(load(TOTALS), sources[form], SINCE)
    assert_frame_equal(result.sort("club", "day"), EXPECTED)


def test_no_files_are_no_rows(load: Callable[..., SqlModel], lake: dict[str, Source]) -> None:
    empty: dict[str, Source] = {
        "demo.goals": ParquetSource([], {"day": "DATE"}),
        "demo.clubs": lake["demo.clubs"],
    }
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
            from gamestats_assets.lakehouse.sql import query
            from gamestats_assets_tests.lakehouse.test_sql import GOALS, KNOWN
            sql = '''select match_id, scored_at, scored_at::date as day, hour(scored_at) as hour,
                     date_trunc('day', scored_at) as midnight from demo.goals where goals > 1 order by all'''
            print(query(sql, lambda _: GOALS, KNOWN).rows())
            """
        )
    )
    outputs = set()
    for zone in ("UTC", "America/New_York", "Asia/Tokyo"):
        done = subprocess.run(
            [sys.executable, str(script)],
            env=os.environ | {"TZ": zone, "PYTHONPATH": str(Path(__file__).parents[2])},
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
        ({"goals": "avg(goals) OVER ()"}, "column 'goals' is declared BIGINT, found DOUBLE"),
        ({"goals": "goals * 1.5"}, "column 'goals' is declared BIGINT, found DECIMAL"),
        ({"club": "goals"}, "column 'club' is declared VARCHAR, found SMALLINT"),
        ({"day": "scored_at"}, "column 'day' is declared DATE, found TIMESTAMP WITH TIME ZONE"),
        ({"players": "player"}, "column 'players' is declared INTEGER, found VARCHAR"),
        ({"best": "goals > 1"}, "column 'best' is declared SMALLINT, found BOOLEAN"),
    ],
)
def test_a_type_a_cast_could_change_is_refused(
    load: Callable[..., SqlModel], columns: dict[str, str], said: str
) -> None:
    model = load(totals(**columns))
    with pytest.raises(SqlModelError, match="Write the CAST in the model") as refused:
        run_model(model, {"demo.goals": GOALS})
    assert said in str(refused.value)
    with pytest.raises(SqlModelError, match="Write the CAST in the model"):
        check_types(model)


def test_a_sum_of_integers_is_cast_and_a_value_out_of_range_names_its_column(
    load: Callable[..., SqlModel],
) -> None:
    sums = load(totals(goals="sum(goals) OVER ()", best="sum(goals) OVER ()"))
    check_types(sums)
    assert run_model(sums, {"demo.goals": GOALS})["best"].to_list() == [6] * 4
    high = GOALS.with_columns(goals=pl.lit(32767, pl.Int16))
    with pytest.raises(SqlModelError, match=r"'best' has values that do not fit the declared SMALLINT.*131068"):
        run_model(sums, {"demo.goals": high})


@pytest.mark.parametrize(
    ("found", "declared", "kept"),
    [
        ("INTEGER", "INTEGER", True),
        ("UTINYINT", "TINYINT", True),
        ("HUGEINT", "BIGINT", True),
        ("DECIMAL(38,0)", "BIGINT", True),
        ("BIGINT", "DECIMAL(12,2)", True),
        ("DECIMAL(5,1)", "DECIMAL(12,2)", True),
        ("DECIMAL(12,2)", "DECIMAL(12,1)", False),
        ("DECIMAL(12,2)", "BIGINT", False),
        ("DECIMAL(12,2)", "DOUBLE", False),
        ("INTEGER", "DOUBLE", True),
        ("BIGINT", "DOUBLE", False),
        ("SMALLINT", "FLOAT", True),
        ("INTEGER", "FLOAT", False),
        ("FLOAT", "DOUBLE", True),
        ("DOUBLE", "FLOAT", False),
        ('"NULL"', "DATE", True),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", False),
        ("DATE", "TIMESTAMP WITH TIME ZONE", False),
        ("ENUM('a', 'b')", "VARCHAR", True),
        ("UUID", "VARCHAR", False),
        ("BIGINT[]", "SMALLINT[]", True),
        ("DOUBLE[]", "BIGINT[]", False),
        ("ENUM('a')[]", "VARCHAR", False),
        ("BOOLEAN", "TINYINT", False),
    ],
)
def test_which_casts_keep_every_value(found: str, declared: str, kept: bool) -> None:
    assert keeps_every_value(found, declared) is kept


def test_stored_columns_of_another_type_are_refused(load: Callable[..., SqlModel]) -> None:
    drifted = GOALS.with_columns(goals=pl.col("goals").cast(pl.Float64))
    with pytest.raises(SqlModelError, match="'goals' is declared SMALLINT and stored as DOUBLE; rebuild"):
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


def test_the_session_is_closed_whatever_happens(load: Callable[..., SqlModel], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[duckdb.DuckDBPyConnection] = []
    connect = duckdb.connect

    def remember(*args: Any, **kwargs: Any) -> duckdb.DuckDBPyConnection:
        opened.append(connect(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(duckdb, "connect", remember)
    run_model(load(totals()), {"demo.goals": GOALS})
    with pytest.raises(SqlModelError):
        run_model(load(totals(best="player::SMALLINT")), {"demo.goals": GOALS})
    stream = stream_model(load(totals()), {"demo.goals": GOALS}, batch_rows=1)
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    with pytest.raises(QueryError):
        query("select nothing from demo.goals", lambda _: GOALS, KNOWN)
    assert len(opened) == 4
    for connection in opened:
        with pytest.raises(duckdb.ConnectionException):
            connection.execute("select 1")


def test_a_given_connection_is_used_again_and_left_open(load: Callable[..., SqlModel]) -> None:
    with duckdb.connect(":memory:") as connection:
        for frame in (GOALS, GOALS.head(1)):
            result = run_model(load(totals()), {"demo.goals": frame}, connection=connection)
            assert result.height == frame.height
        assert connection.execute("select count(*) from demo.goals").fetchall() == [(1,)]


def test_a_stream_holds_a_batch_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    numbers = "WITH numbers AS (SELECT unnest(generate_series(1, 1500000)) AS n) "
    text = totals(club="g.player || lpad(n::VARCHAR, 80, '0')", day="g.day", goals="n", best="g.goals")
    (folder / "totals.sql").write_text(numbers + text + " AS g CROSS JOIN numbers")
    script = tmp_path / "stream.py"
    script.write_text(
        dedent(
            f"""
            import resource
            from pathlib import Path
            from gamestats_assets.lakehouse.sql import Engine, SqlModel, check_types, stream_model
            from gamestats_assets_tests.lakehouse.test_sql import GOALS, KNOWN, Totals
            model = SqlModel.load(Path({str(folder / "totals.sql")!r}), Totals, KNOWN)
            peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            engine = Engine(threads=2, memory_limit="300MB", temp_directory=Path({str(tmp_path)!r}))
            next(stream_model(model, {{"demo.goals": GOALS.head(1)}}, engine=engine))
            before, rows, size = peak(), 0, 0
            for frame in stream_model(model, {{"demo.goals": GOALS}}, engine=engine, batch_rows=50_000):
                rows += frame.height
                size += frame.estimated_size() / 1e6
            print(rows, size, peak() - before)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    rows, megabytes, grown = map(float, done.stdout.split())
    assert rows == 6_000_000
    assert megabytes > 500
    assert grown < 150


# Small alphabets, so that joins and groups meet.
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["m1", "m2", "m3"]),
        st.sampled_from(["ann", "bob", "cid", "dot"]),
        st.dates(date(2026, 2, 27), date(2026, 3, 3)),
        st.integers(-300, 300),
    ),
    max_size=30,
)


@pytest.fixture(scope="module")
def shared_totals(tmp_path_factory: pytest.TempPathFactory) -> SqlModel:
    """The model of Totals, loaded once for many examples."""
    path = tmp_path_factory.mktemp("sql") / "demo" / "totals.sql"
    path.parent.mkdir()
    path.write_text(TOTALS)
    return SqlModel.load(path, Totals, KNOWN, ["since"])


@settings(max_examples=25)
@given(rows=ROWS)
def test_a_model_agrees_with_the_same_thing_said_in_polars(
    shared_totals: SqlModel, rows: list[tuple[Any, ...]]
) -> None:
    goals = pl.DataFrame(
        rows, schema={k: Goals.schema()[k] for k in ("match_id", "player", "day", "goals")}, orient="row"
    )
    expected = (
        goals.filter(pl.col("day") >= SINCE["since"])
        .join(CLUBS, on="player")
        .group_by("club", "day")
        .agg(
            pl.col("goals").cast(pl.Int64).sum(),
            players=pl.col("player").n_unique().cast(pl.Int32),
            best=pl.col("goals").max(),
        )
    )
    result = run_model(shared_totals, {"demo.goals": goals, "demo.clubs": CLUBS}, SINCE)
    assert_frame_equal(result, expected.select(result.columns), check_row_order=False)


# --- Queries ---------------------------------------------------------------------------------


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
        ("select 'demo.clubs' -- from demo.goals", []),
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
        "select * from query('select count(*) from demo.goals')",
        "select count(*) from QUERY_TABLE('demo.goals'), demo.clubs",
        "from demo.clubs where exists (from query_table(['demo.goals']))",
        "select * from json_execute_serialized_sql(json_serialize_sql('select count(*) from demo.goals'))",
    ],
)
def test_a_table_that_only_a_text_names_is_refused_and_not_shown_empty(sql: str) -> None:
    with pytest.raises(QueryError, match=r"(query|query_table|json_execute_\w+)\(\).*name tables after FROM"):
        query(sql, _never, KNOWN)


def test_describe_summarize_and_show_are_answered(lake: dict[str, Source]) -> None:
    described = query("DESCRIBE demo.goals", lake.__getitem__, KNOWN)
    assert described["column_name"].to_list() == list(Goals.columns())
    assert query("SUMMARIZE demo.clubs", lake.__getitem__, KNOWN)["column_name"].to_list() == list(Clubs.columns())
    assert query("SHOW demo.clubs", lake.__getitem__, KNOWN).height == 3
    listed = query("SHOW ALL TABLES", lake.__getitem__, KNOWN)
    assert listed.select("schema", "name").rows() == [
        ("demo", "clubs"),
        ("demo", "goals"),
        ("demo", "totals"),
    ]


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


def test_the_order_asked_for_is_the_order_given() -> None:
    many = GOALS.sample(400_000, with_replacement=True, seed=1)
    answer = query("select row_number() over () as n, goals from demo.goals order by n desc", lambda _: many, KNOWN)
    assert answer["n"].is_sorted(descending=True)
    assert answer.height == 400_000


def test_an_unknown_table_is_refused_with_the_nearest_and_where_to_look() -> None:
    with pytest.raises(QueryError, match=r"no table 'demo\.gaols'\. Did you mean demo\.goals.*`gamestats tables`"):
        query("select * from demo.gaols", _never, KNOWN)
    with pytest.raises(QueryError, match=r"no table 'goals'\. Did you mean demo\.goals"):
        query("select * from goals", _never, KNOWN)


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


def test_no_bar_of_progress_is_drawn_into_what_a_program_says() -> None:
    # DuckDB draws one where the process runs no script, as workers do not.
    asked = "select current_setting('enable_progress_bar') as s"
    code = f"""
import duckdb
from gamestats_assets.lakehouse.sql import query
assert duckdb.execute({asked!r}).fetchall() == [(True,)]
print(query({asked!r}, {{}}.__getitem__, {{}})["s"].to_list())
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["[False]"], told.stderr


def test_a_wrong_query_gives_the_engines_words() -> None:
    with pytest.raises(QueryError, match="syntax error"):
        query("selec 1", _never, KNOWN)
    with pytest.raises(QueryError, match='"gaols" not found'):
        query("select gaols from demo.goals", lambda _: GOALS, KNOWN)


def test_a_query_may_spill_to_its_temporary_folder(tmp_path: Path) -> None:
    engine = Engine(memory_limit="100MB", threads=1, temp_directory=tmp_path / "spill")
    sql = (
        "select count(*) as n, max(r) as r"
        " from (select row_number() over (order by hash(x)) as r from range(8000000) t(x))"
    )
    assert query(sql, _never, KNOWN, engine=engine).rows() == [(8_000_000, 8_000_000)]


def _never(name: str) -> Source:
    raise AssertionError(f"{name} was opened")
