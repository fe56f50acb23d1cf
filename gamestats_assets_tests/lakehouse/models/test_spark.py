"""SQL models on Spark: the same rows as on DuckDB, for every construct that is let through and every shipped model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import new_class
from typing import Any

import dataframely as dy
import numpy as np
import polars as pl
import pytest
from dataframely.random import Generator

from gamestats_assets.demo_data.tables.bronze import EVENT_TYPES, JSON_TYPES, OPERATIONS
from gamestats_assets.l2m.rows import FARMER_TYPES
from gamestats_assets.lakehouse.models.spark import run_on_spark
from gamestats_assets.lakehouse.models.sql import Source, SqlModel, run_model
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.patterns.tables import EFFECT_UNITS, FAMILIES
from gamestats_assets.settings import shipped
from gamestats_assets_tests.support.frames import KNOWN, differences, model

MODELS = sorted(f"{path.parent.name}.{path.stem}" for path in shipped("sql").glob("*/*.sql"))


# --- Constructs ------------------------------------------------------------------------------


class Readings(Table, key="demo/readings", layer="silver", partitioned_by="g"):
    """Values with ties, nulls, negative ones and ends of days."""

    id = dy.Int64(primary_key=True, description="Number of the row.")
    g = dy.String(description="Group.")
    i = dy.Int64(nullable=True, description="Whole number.")
    o = dy.Int32(nullable=True, description="Whole number.")
    f = dy.Float64(nullable=True, description="Fraction.")
    s = dy.String(nullable=True, description="Text.")
    b = dy.Bool(nullable=True, description="Yes or no.")
    d = dy.Date(nullable=True, description="Day.")
    t = dy.Datetime(time_unit="us", time_zone="UTC", nullable=True, description="Time.")
    m = dy.Decimal(20, 6, nullable=True, description="Amount.")
    n = dy.Decimal(12, 2, nullable=True, description="Amount.")


class Labels(Table, key="demo/labels", layer="silver"):
    """Labels of some groups."""

    g = dy.String(nullable=True, description="Group.")
    k = dy.Int64(primary_key=True, description="Number of the label.")


READINGS = pl.DataFrame(
    [
        (
            1,
            "a",
            1,
            3,
            1.5,
            "x",
            True,
            date(2026, 3, 1),
            datetime(2026, 3, 1, 23, 59, 59, 999999, UTC),
            "1.234567",
            "3",
        ),
        (2, "a", 2, 1, -2.5, "Y", False, date(2026, 3, 31), datetime(2026, 3, 2, tzinfo=UTC), "-0.000001", "0.01"),
        (
            3,
            "a",
            2,
            1,
            0.5,
            "a_b",
            None,
            date(2024, 2, 29),
            datetime(2026, 3, 1, 0, 0, 0, 1, UTC),
            "12345678.000005",
            "7",
        ),
        (
            4,
            "b",
            -7,
            2,
            None,
            "%q",
            True,
            date(2026, 1, 31),
            datetime(1969, 12, 31, 23, 59, 59, 500000, UTC),
            None,
            "1",
        ),
        (5, "b", None, 2, 2.0005, None, True, None, None, "0.5", None),
        (6, "c", None, None, None, None, None, None, None, None, None),
        (7, "c", None, None, None, None, None, None, None, None, None),
        (8, "d", 5, None, 1e300, "Äpfel", False, date(1969, 12, 31), datetime(2026, 6, 1, 12, tzinfo=UTC), "2.5", "2"),
    ],
    schema={name: pl.String if name in "mn" else dtype for name, dtype in Readings.schema().items()},
    orient="row",
).cast({"m": pl.Decimal(20, 6), "n": pl.Decimal(12, 2)})
LABELS = pl.DataFrame({"g": ["a", "b", "b", None, "z"], "k": [1, 2, 3, 4, 5]})
DEMO: Mapping[str, type[Table]] = {"demo.readings": Readings, "demo.labels": Labels}
FRAMES: Mapping[str, pl.DataFrame] = {"demo.readings": READINGS, "demo.labels": LABELS}
TYPES: Mapping[str, dy.Column] = {
    "BIGINT": dy.Int64(nullable=True, description="BIGINT"),
    "DOUBLE": dy.Float64(nullable=True, description="DOUBLE"),
    "VARCHAR": dy.String(nullable=True, description="VARCHAR"),
    "BOOLEAN": dy.Bool(nullable=True, description="BOOLEAN"),
    "DATE": dy.Date(nullable=True, description="DATE"),
    "TIMESTAMP WITH TIME ZONE": dy.Datetime(time_unit="us", time_zone="UTC", nullable=True, description="TIMESTAMP"),
    "DECIMAL(38, 12)": dy.Decimal(38, 12, nullable=True, description="DECIMAL"),
    "VARCHAR[]": dy.List(dy.String(nullable=True), nullable=True, description="VARCHAR[]"),
}
# What models say, and what is written out for Spark, by the type that it is cast to.
OF_ROWS: Mapping[str, Sequence[str]] = {
    "BIGINT": [
        *(
            f"date_diff('{unit}', t, TIMESTAMPTZ '2026-03-03 00:00:00')"
            for unit in ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
        ),
        *(f"date_diff('{unit}', TIMESTAMPTZ '1969-06-01 00:00:30', t)" for unit in ("millisecond", "microsecond")),
        *(f"date_diff('{unit}', d, DATE '2026-03-02')" for unit in ("year", "month", "week", "day")),
        *("hour(t)", "year(d)", "i // 2", "i % 3", "abs(i)", "CAST(b AS INTEGER)", "floor(m)", "ceil(n)", "round(m)"),
        *("greatest(i, NULL)", "least(i, o)", "coalesce(i, o, 0)", "nullif(i, 2)", "length(s)", "strpos(s, 'b')"),
        *("(SELECT max(k) FROM demo.labels AS l WHERE l.g = demo.readings.g)", "round(f / 1e300)"),
        "CASE WHEN i IN (SELECT o FROM demo.readings) THEN 1 ELSE 0 END",
    ],
    "DOUBLE": [
        *("i / 2", "m / n", "m / 3", "n / 3.0", "1.0 / 3", "f / 7", "m / n / 7", "1 / 3 * 3", "sqrt(abs(i))", "ln(2)"),
        *("CAST(m AS DOUBLE)", "m * CAST(0.1 AS DOUBLE)", "coalesce(f, 0)", "greatest(f, i)"),
    ],
    "DECIMAL(38, 12)": [
        *("m * n", "m + n", "m - n", "-m", "m * 0.1", "m % 2", "abs(m)", "round(m, 2)", "CAST(m AS DECIMAL(20, 4))"),
        *("CAST(m * n AS DECIMAL(20, 6))", "coalesce(m, n)", "CASE WHEN i > 0 THEN m ELSE n END", "m * n * n"),
        "CAST(CAST(1.0005 AS DOUBLE) AS DECIMAL(20, 6))",
    ],
    "VARCHAR": [
        *("lower(s)", "upper(s)", "substr(s, 1, 2)", "substr(s, -1)", "left(s, 2)", "right(s, 2)", "trim(s)", "s || g"),
        *("concat(s, NULL)", "concat_ws('-', s, g)", "s || i", "replace(s, 'a', 'b')", "split_part('a.b', '.', 2)"),
        *("regexp_extract(s, '(.)_(.)', 1)", "regexp_replace(s, '[a-z]', '-', 'g')", "strftime(t, '%Y-%m-%d')"),
        *("CAST(d AS VARCHAR)", "CAST(m AS VARCHAR)", "CAST(i AS VARCHAR)", "CAST(b AS VARCHAR)", "'it''s \\\\ \\n'"),
    ],
    "BOOLEAN": [
        *("s LIKE 'a_b'", "s NOT LIKE 'a%'", "s ILIKE 'y'", "s LIKE g || '%' ESCAPE '!'", "s LIKE 'a!_b' ESCAPE '!'"),
        *("starts_with(s, 'a')", "contains(s, 'b')", "regexp_matches(s, '^[aY]')", "s < 'a'", "'a' > 'B'"),
        *("i IS DISTINCT FROM o", "i IN (1, NULL)", "s NOT IN ('x', NULL)", "b OR i > 1", "b AND i > 1", "i = NULL"),
        *("d >= '2026-03-01'", "d < t", "m = 0.5", "CAST('nan' AS DOUBLE) > f"),
        "EXISTS (SELECT 1 FROM demo.labels AS l WHERE l.k = i)",
    ],
    "DATE": [
        *("d - INTERVAL 29 DAY", "d - 29", "d + INTERVAL 1 MONTH", "d + i * INTERVAL 1 DAY", "last_day(d)", "t"),
        *("date_trunc('week', d)", "date_trunc('month', t)", "greatest(d, DATE '2026-01-31')", "'2026-01-02'"),
    ],
    "TIMESTAMP WITH TIME ZONE": ["date_trunc('day', t)", "date_trunc('hour', t)", "t - INTERVAL 29 DAY", "d"],
}
OF_GROUPS: Mapping[str, Sequence[str]] = {
    "BIGINT": [
        *("count(*)", "count(DISTINCT i)", "count(DISTINCT (i, o))", "sum(i)", "max(i)", "count(*) FILTER (WHERE b)"),
        *("sum(i) FILTER (WHERE i > 100)", "sum(CASE WHEN b THEN 1 ELSE 0 END)", "date_diff('day', min(d), max(d))"),
        "arg_max(i, (o, id)) FILTER (WHERE i IS NOT NULL AND o IS NOT NULL)",
        "min_by(id, {'o': o, 'id': id}) FILTER (WHERE o > 1)",
    ],
    "DOUBLE": [
        *("avg(i)", "avg(m)", "avg(n)", "sum(m) / count(*)", "sum(i) / nullif(count(o), 0)", "stddev_samp(i)"),
        *("CAST(sum(m) AS DECIMAL(20, 6)) / nullif(count(DISTINCT i), 0)", "avg(m) FILTER (WHERE i > 0)", "max(f)"),
    ],
    "DECIMAL(38, 12)": ["sum(m)", "sum(m * n)", "coalesce(sum(m), 0)", "sum(m) - sum(n)", "round(sum(m), 2)", "max(m)"],
    "BOOLEAN": ["bool_or(b)", "bool_and(b)", "coalesce(bool_and(b), FALSE)"],
    "VARCHAR": ["max(s)", "min(s)"],
    "VARCHAR[]": ["coalesce(list_sort(list(DISTINCT s) FILTER (WHERE s IS NOT NULL)), [])"],
}
_BY_G = "PARTITION BY g ORDER BY o, i, id"
OF_WINDOWS: Mapping[str, Sequence[str]] = {
    "BIGINT": [
        *(f"{what} OVER ({_BY_G})" for what in ("lag(i)", "lead(i, 1, -1)", "row_number()", "first_value(i)")),
        *(f"{what} OVER ({_BY_G})" for what in ("last_value(i)", "lag(i IGNORE NULLS)", "sum(o)")),
        *(f"{what} OVER (ORDER BY i DESC)" for what in ("rank()", "dense_rank()", "count(*)", "sum(i)", "max(o)")),
        "row_number() OVER (PARTITION BY b ORDER BY f DESC NULLS FIRST, id)",
        "sum(i) OVER (ORDER BY d RANGE BETWEEN INTERVAL 29 DAY PRECEDING AND CURRENT ROW)",
        "sum(i) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
        "sum(i) FILTER (WHERE o > 1) OVER (PARTITION BY g)",
    ],
    "DOUBLE": ["avg(m) OVER (PARTITION BY g)", "i / sum(i) OVER ()"],
    "DATE": ["lead(d) OVER (ORDER BY d, id)"],
}
QUERIES = (
    "SELECT g AS k, sum(i) AS n FROM demo.readings GROUP BY GROUPING SETS ((g), (o), ())",
    "SELECT g AS k, i AS n FROM demo.readings QUALIFY row_number() OVER (PARTITION BY g ORDER BY o DESC, i, id) = 1",
    "SELECT g AS k, sum(i) AS n FROM demo.readings GROUP BY ALL HAVING sum(i) > 1",
    "SELECT upper(g) AS k, i + 1 AS n FROM demo.readings ORDER BY i DESC, id LIMIT 3",
    "SELECT g AS k, i AS n FROM demo.readings EXCEPT SELECT g, o FROM demo.readings",
    "SELECT g AS k, k AS n FROM demo.readings FULL JOIN demo.labels USING (g)",
    "SELECT r.g AS k, r.i AS n FROM demo.readings AS r ANTI JOIN demo.labels AS l ON l.g = r.g",
    "SELECT readings.g AS k, demo.readings.i AS n FROM demo.readings WHERE i NOT IN (SELECT o FROM demo.readings)",
    "SELECT r.g AS k, l.k AS n FROM demo.readings AS r"
    " LEFT JOIN demo.labels AS l ON l.g = r.g AND l.k BETWEEN r.i AND r.o",
    # Beside a count(DISTINCT ...) Spark fails over it.
    "SELECT string_agg(s || i, ',' ORDER BY i, id) FILTER (WHERE o > 1) AS k, max(i) AS n"
    " FROM demo.readings GROUP BY g",
    "SELECT 'x' AS k, unnest(generate_series(-1, 3)) AS n",
    "WITH sums AS (SELECT g, sum(i) AS n FROM demo.readings GROUP BY g)"
    " SELECT g AS k, n FROM sums WHERE n > (SELECT avg(n) FROM sums)",
)


def result_table(columns: Mapping[str, dy.Column], *key: str) -> type[Table]:
    """A table `demo.results` of these columns."""
    keyed = {name: dy.String(primary_key=True, description=name) for name in key}
    body = {"__doc__": "What a query gives.", "__module__": __name__, **keyed, **columns}
    keywords = {"key": "demo/results", "layer": "gold"}
    return new_class("Results", (Table,), keywords, lambda namespace: namespace.update(body))  # type: ignore[return-value]


def demo_model(folder: Path, text: str, table: type[Table], *parameters: str) -> SqlModel:
    """A text as the model of `demo.results`."""
    path = folder / "demo" / "results.sql"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return SqlModel.load(path, table, DEMO, parameters)


def of_both(
    session: Any, wanted: SqlModel, sources: Mapping[str, Source], **parameters: Any
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A model's rows on DuckDB and on Spark."""
    duckdb = run_model(wanted, sources, parameters, config={"threads": 2})
    return duckdb, run_on_spark(session, wanted, sources, parameters)


@pytest.mark.parametrize(
    ("key", "expressions", "ending"),
    [
        pytest.param("CAST(id AS VARCHAR)", OF_ROWS, "", id="rows"),
        pytest.param("g", OF_GROUPS, "GROUP BY g", id="groups"),
        pytest.param("CAST(id AS VARCHAR)", OF_WINDOWS, "", id="windows"),
    ],
)
def test_what_models_say_means_the_same(
    quick: Any, tmp_path: Path, key: str, expressions: Mapping[str, Sequence[str]], ending: str
) -> None:
    listed = [
        (f"c{n}", kind, sql) for n, (kind, sql) in enumerate((k, sql) for k, e in expressions.items() for sql in e)
    ]
    selected = ",\n".join([f"{key} AS key", *(f"CAST({sql} AS {kind}) AS {name}" for name, kind, sql in listed)])
    table = result_table({name: TYPES[kind] for name, kind, _ in listed}, "key")
    wanted = demo_model(tmp_path, "SELECT ... FROM demo.readings ".replace("...", selected) + ending, table)
    duckdb, spark = of_both(quick, wanted, {name: FRAMES[name] for name in wanted.reads})
    assert duckdb.height == (8 if not ending else 4)
    found = differences(duckdb, spark, ["key"])
    assert found.join(pl.DataFrame(listed, schema=["column", "type", "sql"], orient="row"), on="column").rows() == []
    assert found.is_empty()


def test_queries_give_the_same_rows(quick: Any, tmp_path: Path) -> None:
    numbered = "SELECT '#' AS query, k, CAST(n AS BIGINT) AS n FROM (...) AS q#"
    selects = [numbered.replace("#", str(n)).replace("...", text) for n, text in enumerate(QUERIES)]
    table = result_table({"k": TYPES["VARCHAR"], "n": TYPES["BIGINT"]}, "query")
    duckdb, spark = of_both(quick, demo_model(tmp_path, "\nUNION ALL\n".join(selects), table), FRAMES)
    # One gives none: nothing is NOT IN what has a null.
    assert duckdb["query"].n_unique() == len(QUERIES) - 1
    for n, text in enumerate(QUERIES):
        left, right = (frame.filter(pl.col("query") == str(n)) for frame in (duckdb, spark))
        assert left.sort("k", "n").rows() == right.sort("k", "n").rows(), text


# --- Shipped models --------------------------------------------------------------------------

DAY = date(2026, 1, 10)
_DAYS_OF_AN_ACCOUNT = ("first_active_ds", "first_login_ds", "first_charge_ds", "country_since_ds", "valid_from")
# Values of columns that models join, group or look at: few, so that they meet.
POOLS: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "pubg": {
        "match_id": ["m1", "m2", "m3"],
        "event_index": range(80),
        "account_id": ["account.a", "account.b", "ai.1", "", "ü"],
        "killer_account_id": ["account.a", "account.b", "account.c"],
        "attacker_account_id": ["account.a", "account.b", "account.c"],
        "weapon_category": ["AR", "DMR"],
        "event_kind": ["kill", "knock"],
        "character_type": ["user", "user_ai"],
        "parachute_distance_m": [100.0, 250.5],
        "status": ["processed", "unreadable", "expired"],
    },
    "demo_data": {
        "product": ["shop", "game"],
        **{who: ["u1", "u2", "u3", "u4", "u5", "u6", "ü7", "U8"] for who in ("user_id", "account_id", "distinct_id")},
        "event_name": ["quit", "play", "pay"],
        "event_type": EVENT_TYPES,
        "operation": OPERATIONS,
        "property": ["price", "Price", "COLOR", "#os"],
        "json_type": JSON_TYPES,
        "funnel": [1, 2],
        "step": [1, 2, 3],
        "currency": ["USD", "KRW"],
    },
    "l2m": {
        # As far apart as retention looks back.
        **{name: [DAY - timedelta(days=n) for n in (30, 14, 7, 3, 1, 0, -1)] for name in ("ds", *_DAYS_OF_AN_ACCOUNT)},
        "user_id": [f"u{n}" for n in range(14)],
        **{name: ["s1", "s2"] for name in ("server_id", "first_server_id")},
        "row_number": range(1000),
        "ip": ["10.0.0.1", "10.0.1.1", "10.1.0.1"],
        "ip_prefix": ["10.1."],
        "country": ["TH", "VN", "th", "XX"],
        "item_id": ["i1", "i2", "i3"],
        "reason_id": ["1", "2"],
        "money_type": ["92", "912", "101"],
        "pattern": ["9%2", "1__", "9_"],
        "kind": ["diamonds", "gold"],
        "guild_id": ["g1", "g2"],
        "guild_name": ["Red", "Blue"],
        "pmc": ["google", "apple"],
        "currency": ["USD", "VND"],
        "vip": ["Free", "A", "B"],
        "farmer_type": FARMER_TYPES,
        "reasons": ["shared_ip", "shared_ip,level_one"],
        "active_hours": [11, 12, 20],
        "log_rows": [20, 100],
        "self_similarity": [0.95, 0.96, 0.99],
    },
    "lol": {
        "pattern_id": [f"p{n}" for n in range(40)],
        "patch": [f"13.{n}" for n in range(8, 15)],
        "family": FAMILIES,
        "effect_unit": EFFECT_UNITS,
        **{
            name: [0.001, 0.04, 0.5, 1.0]
            for name in (
                "q_value",
                "p_value",
                "held_out_p_value",
                "power_at_3_points",
                "discovery_half_q_value",
                "discovery_p_value",
            )
        },
    },
}
# Columns that follow from others.
DERIVED: Mapping[str, pl.Expr] = {
    "product_day": pl.col("day").dt.to_string("%Y-%m-%d") + "|" + pl.col("product"),
    "occurred_at": pl.col("day").cast(pl.Datetime("us", "UTC"))
    + (pl.col("occurred_at") - pl.col("occurred_at").dt.truncate("1d")),
    "match_date": pl.lit(DAY) + pl.duration(days=pl.col("match_id").str.slice(1).cast(pl.Int64)),
    "is_late": pl.col("log_date") > pl.col("day"),
    "first_day": pl.col("day").min().over("product", "user_id"),
    "time": pl.col("ds").cast(pl.Datetime("us", "UTC")) + (pl.col("time") - pl.col("time").dt.truncate("1d")),
    "valid_to": pl.col("valid_from").sort().shift(-1).over("user_id", order_by="valid_from"),
    "from_usd": pl.col("vip").replace_strict(["Free", "A", "B"], [0, 100, 500], return_dtype=pl.Int64),
    "patch_number": 13_000 + pl.col("patch").str.slice(3).cast(pl.Int64),
    "score": pl.col("reasons").str.count_matches(",") + 1,
}


def sampled(table: type[Table], seed: int, rows: int = 300) -> pl.DataFrame:
    """Random rows that keep the table's rules, from the pools and small ranges where models look at a column."""
    draw = np.random.default_rng([seed, *table.spec.key.encode()])
    drawn: dict[str, list[Any]] = {}
    for name, column in table.columns().items():
        values = _drawn(name, column, POOLS[table.spec.game], draw, rows)
        if values is not None:
            missing = draw.random(rows) < 0.15 if column.nullable else [False] * rows
            drawn[name] = [None if gone else value for value, gone in zip(values, missing, strict=True)]
    frame = pl.DataFrame(drawn, schema={name: table.schema()[name] for name in drawn})
    derived = [
        expression.cast(table.schema()[name]).alias(name)
        for name, expression in DERIVED.items()
        if name in table.columns() and set(expression.meta.root_names()) <= set(drawn)
    ]
    # A key may hold what is derived; what is derived of several rows is of those that remain.
    keyed = frame.with_columns(derived)
    keyed = keyed.unique([name for name in table.primary_key() if name in keyed.columns], maintain_order=True)
    frame = keyed.with_columns(derived)
    with dy.Config(max_sampling_iterations=20):
        return table.sample(overrides=frame.to_dict(as_series=False), generator=Generator(seed))


def _drawn(
    name: str, column: dy.Column, pools: Mapping[str, Sequence[Any]], draw: np.random.Generator, rows: int
) -> list[Any] | None:
    """Values of a column; None where any valid ones will do."""
    least = getattr(column, "min", None)
    match column.dtype:
        case _ if name in pools:
            return [pools[name][n] for n in draw.integers(len(pools[name]), size=rows)]
        case pl.Date():
            return [DAY + timedelta(days=int(n)) for n in draw.integers(45, size=rows)]
        case pl.Datetime():
            start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
            return [start + timedelta(microseconds=int(n)) for n in draw.integers(86_400 * 10**6, size=rows)]
        case pl.Decimal(scale=scale):
            return [Decimal(int(n)).scaleb(-scale) for n in draw.integers(10**9, size=rows)]
        case dtype if dtype.is_integer():
            return [int(n) for n in draw.integers(least or 0, (least or 0) + 12, size=rows)]
        case dtype if dtype.is_float():
            return [float(x) for x in draw.uniform(-5000 if least is None else least, 5000, size=rows).round(3)]
        case _:
            return None


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_gives_the_same_rows_on_spark(quick: Any, name: str) -> None:
    wanted = model(KNOWN[name])
    sources = {source: sampled(table, seed=1) for source, table in wanted.reads.items()}
    duckdb, spark = of_both(quick, wanted, sources, **dict.fromkeys(wanted.parameters, DAY))
    assert not duckdb.is_empty()
    assert differences(duckdb, spark, KNOWN[name].primary_key()).rows() == []
