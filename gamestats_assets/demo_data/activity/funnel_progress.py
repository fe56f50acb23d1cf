"""Funnels: how far each attempt at a series of events gets."""

from __future__ import annotations

import typing

import dataframely as dy
import msgspec
import polars as pl

from gamestats_assets.demo_data.activity.days import SESSION, in_product_days, in_sessions
from gamestats_assets.demo_data.tables import Events, FunnelProgress, FunnelSteps, Products
from gamestats_assets.lakehouse.errors import GamestatsError

_ATTEMPT = (*SESSION, "funnel", "attempt")


class FunnelSettingsError(GamestatsError):
    """The settings of a product's funnels are invalid."""


def funnel_steps(products: dy.LazyFrame[Products]) -> dy.LazyFrame[FunnelSteps]:
    """Returns the steps of every funnel in the settings of its product.

    Raises:
        FunnelSettingsError: when settings are not a list of lists of at least two different event names.
    """
    rows = [
        {"product": product, "funnel": funnel, "step": step, "steps": len(names), "event_name": name}
        for product, text in products.select("product", "funnels").collect().iter_rows()
        for funnel, names in enumerate(_read(product, text), 1)
        for step, name in enumerate(names, 1)
    ]
    return typing.cast("dy.LazyFrame[FunnelSteps]", pl.LazyFrame(rows, schema=FunnelSteps.schema()))


def _read(product: str, text: str | None) -> list[list[str]]:
    try:
        funnels = msgspec.json.decode(text or "[]", type=list[list[str]])
    except msgspec.DecodeError as error:
        raise FunnelSettingsError(
            f'Product {product}: expected funnels such as [["view", "purchase"]], found {str(text)[:200]}: {error}.'
        ) from None
    for names in funnels:
        if len(set(names)) < max(len(names), 2) or not all(names):
            raise FunnelSettingsError(
                f"Product {product}: a funnel has at least two events, each of them once; found {names}. "
                "Correct its settings."
            )
    return funnels


def funnel_progress(events: dy.LazyFrame[Events], steps: dy.LazyFrame[FunnelSteps]) -> dy.LazyFrame[FunnelProgress]:
    """Returns each step that attempts reached in the sessions that start on each day."""
    most = steps.select(pl.col("step").max()).collect().item() or 0
    of_funnels = (
        in_sessions(events, "event_name")
        .with_row_index("place")
        .join(steps.select("product", "funnel", "step", "event_name"), on=["product", "event_name"])
        .sort("place", "funnel")
        .with_columns(attempt=(pl.col("step") == 1).cum_sum().over(*SESSION, "funnel"))
        .filter(pl.col("attempt") > 0)
        .with_columns(attempt_id=pl.col("event_id").first().over(_ATTEMPT))
        # Collected at once: every step joins the one before, and would be computed again for each later step.
        .collect()
    )
    reached = [of_funnels.filter(pl.col("step") == 1).with_columns(after_s=pl.lit(None, pl.Float64))]
    for step in range(2, most + 1):
        before = reached[-1].select(*_ATTEMPT, pl.col("place").alias("place_before"), pl.col("occurred_at").alias("at"))
        reached.append(
            of_funnels.filter(pl.col("step") == step)
            .join(before, on=_ATTEMPT)
            .filter(pl.col("place") > pl.col("place_before"))
            .sort("place")
            .unique(_ATTEMPT, keep="first", maintain_order=True)
            .with_columns(after_s=(pl.col("occurred_at") - pl.col("at")).dt.total_microseconds() / 1e6)
            .drop("place_before", "at")
        )
    rows = in_product_days(
        pl.concat(reached)
        .lazy()
        .with_columns(pl.col("occurred_at").alias("reached_at"), day=pl.col("started_at").dt.date())
    )
    result = rows.select(pl.col(name).cast(dtype) for name, dtype in FunnelProgress.schema().items())
    return typing.cast("dy.LazyFrame[FunnelProgress]", result)
