"""Small facts that no log holds: VIP tiers, countries, key items, kinds of money, currencies.

They are CSV files under `data/reference/l2m`, one line each, so that a studio's own items or tiers are lines and no
code. All but the currencies are tables of the lake too, for SQL models join them.
"""

from __future__ import annotations

import functools

import dataframely as dy
import polars as pl

from gamestats_assets.l2m.tables import Countries, KeyItems, MoneyKinds, VipTiers
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.settings import shipped


@functools.cache
def currencies() -> tuple[str, ...]:
    """Currencies that payments may be in."""
    return tuple(pl.read_csv(_path("currencies")).get_column("currency"))


def vip_tiers() -> dy.LazyFrame[VipTiers]:
    """VIP tiers."""
    return VipTiers.cast(_read(VipTiers))


def countries() -> dy.LazyFrame[Countries]:
    """Countries that are told apart."""
    return Countries.cast(_read(Countries))


def key_items() -> dy.LazyFrame[KeyItems]:
    """The key items."""
    return KeyItems.cast(_read(KeyItems))


def money_kinds() -> dy.LazyFrame[MoneyKinds]:
    """Which kinds of money are diamonds."""
    return MoneyKinds.cast(_read(MoneyKinds))


def _path(name: str):
    return shipped("data", "reference", "l2m", f"{name}.csv")


def _read(table: type[Table]) -> pl.LazyFrame:
    return pl.read_csv(_path(table.spec.name), infer_schema=False).lazy()


def text_of(table: type[Table]) -> str:
    """The file of a table, which a change of makes the table anew."""
    return _path(table.spec.name).read_text(encoding="utf-8")
