"""Sample tables for the kernel's tests, and frames that fit them."""

from collections.abc import Sequence
from datetime import date

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.table import Table

MARCH_1, MARCH_2 = date(2026, 3, 1), date(2026, 3, 2)
QUARANTINE = quarantine_of("demo")


class Goals(Table, key="demo/goals", layer="silver", partitioned_by="day", replaced_by="match_id", tolerance=0.25):
    """Goals of one player in one match."""

    match_id = dy.String(primary_key=True, description="Match id.")
    player = dy.String(primary_key=True, description="Player name.")
    day = dy.Date(primary_key=True, description="UTC day of the match.")
    goals = dy.Int16(min=0, max=20, description="Goals scored.")
    minute = dy.Float64(nullable=True, min=0, description="Minute of the first goal.")


class Clubs(Table, key="demo/clubs", layer="bronze"):
    """The city of each club."""

    club = dy.String(primary_key=True, description="Club name.")
    city = dy.String(min_length=1, description="City the club plays in.")


class Fans(Table, key="demo/fans", layer="bronze", partitioned_by="club"):
    """Fans of each club."""

    club = dy.String(primary_key=True, description="Club name.")
    fans = dy.Int64(description="Number of fans.")


class Sales(Table, key="demo/sales", layer="silver", partitioned_by="product_day", replaced_by="product"):
    """Sales of a product on a day."""

    product_day = dy.String(primary_key=True, description="Day and product.")
    product = dy.String(description="Product.")
    sale = dy.Int64(primary_key=True, description="Number of the sale.")
    cents = dy.Int64(min=0, description="Price in cents.")


def sales(partition: str, *cents: int) -> pl.DataFrame:
    """Rows of `Sales` in one partition."""
    rows = [(partition, partition.split("|")[1], number, price) for number, price in enumerate(cents)]
    return pl.DataFrame(rows, schema=Sales.schema(), orient="row")


def goals(day: date, *matches: str, players: int = 2, scored: int = 1) -> pl.DataFrame:
    """Rows of `Goals`: in each match, players p0, p1, ... scored so much."""
    return goal_rows([(match, f"p{n}", day, scored, None) for match in matches for n in range(players)])


def goal_rows(rows: Sequence[tuple[str | None, str | None, date | None, int | None, float | None]]) -> pl.DataFrame:
    """Rows of `Goals` as given: match, player, day, goals, minute."""
    return pl.DataFrame(rows, schema=Goals.schema(), orient="row")


def clubs(**cities: str) -> pl.DataFrame:
    """Rows of `Clubs`."""
    return pl.DataFrame({"club": list(cities), "city": list(cities.values())}, schema=Clubs.schema())


def stored(lake: Lake, table: type[Table]) -> pl.DataFrame:
    """What the lake holds of a table, in the order of its key."""
    return lake.scan(table).collect().sort(table.primary_key())
