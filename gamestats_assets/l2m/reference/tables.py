"""Tables with which logs are interpreted: small ones that ship with the program, and one that users enter."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.l2m.rows import text, usd
from gamestats_assets.lakehouse.table import Table


class VipTiers(Table, key="l2m/vip_tiers", subject="reference", layer="bronze"):
    """VIP tiers by an account's lifetime payments."""

    vip = text("Tier.", primary_key=True)
    from_usd = usd("Least lifetime payments of the tier, in US dollars.")


class Countries(Table, key="l2m/countries", subject="reference", layer="bronze"):
    """Countries with figures of their own; all others are Other."""

    country = text("Country, ISO 3166-1 code.", primary_key=True)
    name = text("Its name.")


class KeyItems(Table, key="l2m/key_items", subject="reference", layer="bronze"):
    """The items that progress depends on, whose gains and spendings are tracked."""

    item_id = text("Item.", primary_key=True)
    name = text("Its name.")


class MoneyKinds(Table, key="l2m/money_kinds", subject="reference", layer="bronze"):
    """Kinds of money, by patterns of their ids."""

    pattern = text("Pattern of money_type, as in SQL's LIKE.", primary_key=True)
    kind = text("Kind of money of these types.")


class IpWhitelist(Table, key="l2m/ip_whitelist", subject="reference", layer="bronze", made_by="whitelist"):
    """Addresses that many honest players share, such as cafes; these make no account a farmer."""

    ip_prefix = text("Beginning of the addresses, such as 103.7.0. (with its last point).", primary_key=True)
    note = dy.String(nullable=True, description="Owner of the addresses.")


REFERENCE: tuple[type[Table], ...] = (VipTiers, Countries, KeyItems, MoneyKinds)
"""Small tables that ship with the program, under data/reference/l2m."""
