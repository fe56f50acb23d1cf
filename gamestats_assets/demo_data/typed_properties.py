"""A product's own properties as typed columns, beside the core columns that every event has."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from gamestats_assets.demo_data.tables import Events

_TIME = "%Y-%m-%d %H:%M:%S%.f"


def typed_columns(taxonomy: pl.LazyFrame, events: pl.LazyFrame) -> pl.LazyFrame:
    """Events with one more column for each property that a product declares for events.

    A column has the property's name; where a core column has it already, `property_` comes before it. Numbers are
    Float64, texts String, times Datetime in UTC (as `#time`, they are local where the record tells a zone offset),
    lists of values List(String); objects stay JSON. A value of another type is null, but for a number or a truth
    value sent as a text. Of a property that is declared with several types, the first in the sheet counts.

    Args:
        taxonomy: rows of `DemoTaxonomy` of one product.
        events: rows of `Events` of the same product.
    """
    declared = (
        taxonomy.filter(
            pl.col("scope").is_in(["event", "common"])
            & (pl.col("property") != "")
            & ~pl.col("property").str.contains(".", literal=True)
        )
        .sort("position", "scope", "event_name")
        .unique("property", keep="first", maintain_order=True)
        .select("property", "property_type")
        .collect()
    )
    return events.with_columns(
        _typed(name, kind).alias(f"property_{name}" if name in Events.column_names() else name)
        for name, kind in declared.iter_rows()
    )


def _typed(name: str, kind: str) -> pl.Expr:
    text = pl.col("properties").str.json_path_match(f"$['{name}']")
    match kind:
        case "number":
            return text.cast(pl.Float64, strict=False)
        case "boolean":
            return pl.when(text == "true").then(True).when(text == "false").then(False)
        case "time":
            local = text.str.to_datetime(_TIME, strict=False, time_unit="us", time_zone="UTC")
            return local - pl.col("zone_offset_h").fill_null(0) * timedelta(hours=1)
        case "list":
            is_list = text.str.starts_with("[") & ~text.str.contains("[\\[,]\\s*[\\[{]")
            return pl.when(is_list).then(text).str.json_decode(pl.List(pl.String))
        case _:
            return text
