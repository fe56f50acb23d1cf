"""Payments: the events that a product's settings name, with amount and currency."""

from __future__ import annotations

import typing

import dataframely as dy
import polars as pl

from gamestats_assets.demo_data.activity.known_users import IDS, in_product_days, resolved
from gamestats_assets.demo_data.tables import Events, Money, Payments, Products

NO_CURRENCY = "XXX"
"""ISO 4217's own code for no currency."""


def payments(events: dy.LazyFrame[Events], products: dy.LazyFrame[Products]) -> dy.LazyFrame[Payments]:
    """Every payment of each day.

    The amount is the number in the property that the settings name, rounded to four places; a number that is sent as a
    text is one. The currency is the text in its property, else that of the settings. Names that differ in no more than
    case are one property.
    """
    settings = products.filter(pl.col("payment_event").is_not_null()).select(
        "product",
        pl.col("payment_event").alias("event_name"),
        _path("amount_property"),
        _path("currency_property"),
        pl.col("currency").alias("usual_currency"),
    )
    needed = events.select("product", "day", "event_id", "occurred_at", "event_name", *IDS, "properties")
    paid = resolved(needed.join(settings, on=["product", "event_name"]), events)
    sent = _value("currency_property").str.strip_chars().str.to_uppercase()
    result = in_product_days(paid).select(
        "product_day",
        "product",
        "day",
        "user_id",
        "is_anonymous",
        "event_id",
        pl.col("occurred_at").alias("paid_at"),
        _value("amount_property").cast(Money, strict=False).alias("amount"),
        pl.coalesce(
            pl.when(sent != "").then(sent),
            pl.col("usual_currency").str.to_uppercase(),
            pl.lit(NO_CURRENCY),
        ).alias("currency"),
    )
    return typing.cast("dy.LazyFrame[Payments]", result)


def _path(setting: str) -> pl.Expr:
    """JSON path of a property in small letters, a.b being the property b of the object a."""
    names = pl.col(setting).str.to_lowercase().str.replace_all(".", "']['", literal=True)
    return pl.concat_str(pl.lit("$['"), names, pl.lit("']")).alias(setting)


def _value(setting: str) -> pl.Expr:
    # Neither numbers nor currencies say anything else in small letters.
    return pl.col("properties").str.to_lowercase().str.json_path_match(pl.col(setting))
