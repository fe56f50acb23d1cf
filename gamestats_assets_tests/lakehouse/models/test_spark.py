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
    return SqlModel.load(path, table, {"demo.readings": Readings}, parameters)


def of_both(
    session: Any, wanted: SqlModel, sources: Mapping[str, Source], **parameters: Any
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A model's rows on DuckDB and on Spark."""
    duckdb = run_model(wanted, sources, parameters, config={"threads": 2})
    return duckdb, run_on_spark(session, wanted, sources, parameters)


# --- Constructs ------------------------------------------------------------------------------


class Readings(Table, key="demo/readings", layer="silver", partitioned_by="g"):
    """Values with nulls, negative ones and ends of days."""

    id = dy.String(primary_key=True, description="Number of the row.")
    g = dy.String(description="Group.")
    i = dy.Int64(nullable=True, description="Whole number.")
    d = dy.Date(nullable=True, description="Day.")
    t = dy.Datetime(time_unit="us", time_zone="UTC", nullable=True, description="Time.")
    m = dy.Decimal(20, 6, nullable=True, description="Amount.")
    n = dy.Decimal(12, 2, nullable=True, description="Amount.")


READINGS = (
    pl.read_csv(
        b"""id,g,i,d,t,m,n
1,a,1,2026-03-01,2026-03-01 23:59:59.999999,1.234567,3
2,a,2,2026-03-31,2026-03-02 00:00:00.000000,-0.000001,0.01
3,a,2,2024-02-29,2026-03-01 00:00:00.000001,12345678.000005,7
4,b,-7,2026-01-31,1969-12-31 23:59:59.500000,,1
5,b,,,,0.5,
6,c,,,,,
7,d,5,1969-12-31,2026-06-01 12:00:00.000000,2.5,2
""",
        infer_schema=False,
    )
    .with_columns(pl.col("d").str.to_date(), pl.col("t").str.to_datetime("%Y-%m-%d %H:%M:%S%.6f", time_zone="UTC"))
    .cast(dict(Readings.schema()))
)
# What is written out for Spark, by the type that it is cast to.
OF_ROWS: Mapping[str, Sequence[str]] = {
    "BIGINT": [
        *(
            f"date_diff('{unit}', t, TIMESTAMPTZ '2026-03-03 00:00:00')"
            for unit in ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
        ),
        *(f"date_diff('{unit}', TIMESTAMPTZ '1969-06-01 00:00:30', t)" for unit in ("millisecond", "microsecond")),
        *(f"date_diff('{unit}', d, DATE '2026-03-02')" for unit in ("year", "month", "week", "day")),
    ],
    "DOUBLE": ["i / 2", "m / n", "m / 3", "n / 3.0", "1.0 / 3", "m / n / 7", "1 / 3 * 3"],
}
OF_GROUPS: Mapping[str, Sequence[str]] = {
    "BIGINT": ["date_diff('day', min(d), max(d))"],
    "DOUBLE": ["avg(i)", "avg(m)", "sum(m) / count(*)", "sum(i) / nullif(count(n), 0)", "avg(m) FILTER (WHERE i > 0)"],
}
TYPES: Mapping[str, dy.Column] = {
    "BIGINT": dy.Int64(nullable=True, description="BIGINT"),
    "DOUBLE": dy.Float64(nullable=True, description="DOUBLE"),
}


@pytest.mark.parametrize(
    ("key", "expressions", "ending", "rows"), [("id", OF_ROWS, "", 7), ("g", OF_GROUPS, "GROUP BY g", 4)]
)
def test_what_is_written_out_for_spark_means_the_same(
    quick: Any, tmp_path: Path, key: str, expressions: Mapping[str, Sequence[str]], ending: str, rows: int
) -> None:
    listed = [(kind, text) for kind, texts in expressions.items() for text in texts]
    columns = [f"CAST({text} AS {kind}) AS c{n}" for n, (kind, text) in enumerate(listed)]
    table = result_table({f"c{n}": TYPES[kind] for n, (kind, _) in enumerate(listed)}, "key")
    text = "SELECT ... FROM demo.readings ".replace("...", ", ".join([f"{key} AS key", *columns]))
    wanted = demo_model(tmp_path, text + ending, table)
    duckdb, spark = of_both(quick, wanted, {"demo.readings": READINGS})
    assert duckdb.height == rows
    assert [(listed[int(row["column"][1:])], row) for row in differences(duckdb, spark, ["key"]).to_dicts()] == []


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
