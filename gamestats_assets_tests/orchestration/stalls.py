"""Market stalls: a tiny game whose partitions are a day and a product, for tests of such partitions."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from datetime import date
from typing import Any

import dagster as dg
import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.landing.decoding import Decoded
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, decompressed
from gamestats_assets.lakehouse.models.sql import SqlModel
from gamestats_assets.lakehouse.quality import Rejection, breaking_rows
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.inputs import Fingerprints
from gamestats_assets.orchestration.game import Game

GAME = "stalls"
SINCE: dict[str, Any] = {"first_day": date(2024, 1, 1)}
DAILY: dict[str, Any] = {**SINCE, "partitioned_by": "product_day", "replaced_by": "product"}


class _ProductDay(Table):
    product_day = dy.String(primary_key=True, description="Day and product.")
    product = dy.String(description="Product.")
    day = dy.Date(description="UTC day.")


class RawSales(_ProductDay, key="stalls/raw_sales", layer="bronze", made_by="raw", tolerance=0.0, **DAILY):
    """Sales as landed."""

    sale = dy.Int64(primary_key=True, description="Position among the day's sales.")
    cents = dy.Int64(min=0, description="Price in cents.")


class RawFiles(_ProductDay, key="stalls/raw_files", layer="bronze", made_by="raw", **DAILY):
    """Files read of a day."""

    files = dy.Int64(min=1, description="Files.")


class Rates(Table, key="stalls/rates", layer="bronze", partitioned_by="product"):
    """Points that a cent of a product is worth."""

    product = dy.String(primary_key=True, description="Product.")
    rate = dy.Int64(description="Points per cent.")


class Weather(Table, key="stalls/weather", layer="bronze", partitioned_by="day", **SINCE):
    """The weather of a day, the same for all products."""

    day = dy.Date(primary_key=True, description="UTC day.")
    rain = dy.Bool(description="Whether it rained.")


class Takings(
    _ProductDay, key="stalls/takings", layer="silver", published=True, reconciled=("cents",), tolerance=0.0, **DAILY
):
    """What a product took in on a day."""

    cents = dy.Int64(description="Cents.")


class Points(_ProductDay, key="stalls/points", layer="silver", **DAILY):
    """Takings in points."""

    points = dy.Int64(description="Points.")


class Trend(_ProductDay, key="stalls/trend", layer="silver", **DAILY):
    """Takings of a day and of the days around it."""

    cents = dy.Int64(description="Cents of up to three days.")


class Totals(Table, key="stalls/totals", layer="gold", published=True, partitioned_by="product"):
    """All takings of a product."""

    product = dy.String(primary_key=True, description="Product.")
    cents = dy.Int64(description="Cents of all days.")
    days = dy.Int64(description="Days with takings.")


class Best(Table, key="stalls/best", layer="gold", partitioned_by="product"):
    """The best day of a product."""

    product = dy.String(primary_key=True, description="Product.")
    cents = dy.Int64(description="Most cents of a day.")


TABLES: tuple[type[Table], ...] = (RawSales, RawFiles, Rates, Takings, Points, Trend, Totals, Best)
"""The tables that are assets."""
KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in TABLES}
BEST_SQL = (
    "-- The best day of a product.\n"
    "select t.product, cast(max(t.cents) as bigint) as cents from stalls.takings t group by t.product"
)
RATES = {"quiz": 10, "shop": 2}
decoded: list[str] = []
"""The partition of every batch that was decoded."""
totalled: list[list[str]] = []
"""The partitions in the frames of every call of `totals`."""


def decode(landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int) -> Generator[Decoded, None, None]:
    """Landed files are JSON lists of prices; anything else is rejected."""
    for files in batches:
        yield _decoded(landing, files)


def _decoded(landing: Landing, files: Sequence[LandedFile]) -> Decoded:
    cents: list[int] = []
    rejections: list[Rejection] = []
    for file in files:
        try:
            cents += json.loads(decompressed(landing.read(file)))
        except ValueError as error:
            rejections.append(Rejection(file.unit_id, "file", "readable", f"{file.path}: {error}", 1))
    [(area, day)] = {(file.area, file.day) for file in files}
    key = (f"{day}|{area}", area, date.fromisoformat(day))
    decoded.append(key[0])
    return Decoded(
        {
            RawSales: pl.LazyFrame(
                [(*key, number, price) for number, price in enumerate(cents)], schema=RawSales.schema(), orient="row"
            ),
            RawFiles: pl.LazyFrame([(*key, len(files))], schema=RawFiles.schema(), orient="row"),
        },
        {RawFiles: rejections},
        int(len(rejections) == len(files)),
    )


def rates() -> dy.LazyFrame[Rates]:
    """The rate of every product."""
    return pl.LazyFrame(list(RATES.items()), schema=Rates.schema(), orient="row")  # type: ignore[return-value]


def takings(sales: dy.LazyFrame[RawSales], files: dy.LazyFrame[RawFiles]) -> dy.LazyFrame[Takings]:
    """Sums of a day; a day without sales took in nothing."""
    summed = sales.group_by("product_day").agg(pl.col("cents").sum())
    joined = files.join(summed, on="product_day", how="left")
    return joined.with_columns(pl.col("cents").fill_null(0)).select(Takings.column_names())  # type: ignore[return-value]


def points(taken: dy.LazyFrame[Takings], rates: dy.LazyFrame[Rates]) -> dy.LazyFrame[Points]:
    """Cents times the product's rate."""
    worth = taken.join(rates, on="product").with_columns(points=pl.col("cents") * pl.col("rate"))
    return worth.select(Points.column_names())  # type: ignore[return-value]


def trend(taken: dy.LazyFrame[Takings]) -> dy.LazyFrame[Trend]:
    """Sums over the day before, the day and the day after, of days with takings."""
    around = [taken.with_columns(pl.col("day").dt.offset_by(f"{offset}d")) for offset in (-1, 0, 1)]
    summed = pl.concat(around).group_by("product", "day").agg(pl.col("cents").sum())
    joined = taken.drop("cents").join(summed, on=["product", "day"])
    return joined.select(Trend.column_names())  # type: ignore[return-value]


def totals(taken: dy.LazyFrame[Takings]) -> dy.LazyFrame[Totals]:
    """Sums over all days."""
    totalled.append(sorted(taken.select("product_day").collect().to_series()))
    return taken.group_by("product").agg(pl.col("cents").sum(), days=pl.len().cast(pl.Int64))  # type: ignore[return-value]


@breaking_rows(of=Takings, local=False)
def takings_are_moderate(taken: dy.LazyFrame[Takings]) -> pl.LazyFrame:
    """A product takes in less than a million cents a day."""
    return taken.filter(pl.col("cents") >= 1_000_000)


@breaking_rows(of=Totals)
def totals_are_of_all_days(totals: dy.LazyFrame[Totals], taken: dy.LazyFrame[Takings]) -> pl.LazyFrame:
    """A product's total is the sum of its days."""
    summed = taken.group_by("product").agg(expected=pl.col("cents").sum())
    return totals.join(summed, on="product", how="full", coalesce=True).filter(
        pl.col("cents").ne_missing(pl.col("expected"))
    )


CHECKS = (takings_are_moderate, totals_are_of_all_days)


def game(model: SqlModel, fetched: dg.AssetKey) -> Game:
    """The game; `fetched` stands for a step that fetches files."""
    stalls = Game(GAME, TABLES, CHECKS)
    stalls.landed([RawSales, RawFiles], decode, deps=[fetched])
    entered = Fingerprints("rates", lambda snapshot: {name: str(rate) for name, rate in RATES.items()})
    stalls.function(rates, made_from=entered)
    for function in (takings, points, totals):
        stalls.function(function)
    stalls.function(trend, whole_partitions=True, days_around=1)
    stalls.sql(Best, model)
    stalls.publications()
    return stalls


def land(landing: Landing, product: str, day: str, prices: object, name: str = "") -> None:
    """Lands one file of a product, named after its content."""
    content = prices if isinstance(prices, bytes) else json.dumps(prices).encode()
    unit = name or f"{day}_{content.hex()}"
    landing.put(f"{GAME}/{product}", date.fromisoformat(day), unit, "log", content, content)
