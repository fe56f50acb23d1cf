"""What the logs are read with: small tables that travel with the program, and one that people enter."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.l2m.rows import text, usd
from gamestats_assets.lakehouse.table import Table


class VipTiers(Table, key="l2m/vip_tiers", subject="reference", layer="bronze"):
    """VIP tiers by what an account has paid in its life."""

    vip = text("Tier.", primary_key=True)
    from_usd = usd("Least lifetime revenue of the tier, in US dollars.")


class Countries(Table, key="l2m/countries", subject="reference", layer="bronze"):
    """Countries that are told apart; all others are Other."""

    country = text("Country, as ISO 3166-1 has it.", primary_key=True)
    name = text("Its name.")


class KeyItems(Table, key="l2m/key_items", subject="reference", layer="bronze"):
    """The items that progress hangs on, whose gain and spending is followed."""

    item_id = text("Item.", primary_key=True)
    name = text("Its name.")


class MoneyKinds(Table, key="l2m/money_kinds", subject="reference", layer="bronze"):
    """Which kinds of money are which, by patterns of their ids."""

    pattern = text("Pattern of money_type, as SQL's LIKE has it.", primary_key=True)
    kind = text("What money of such a type is.")


class IpWhitelist(Table, key="l2m/ip_whitelist", subject="reference", layer="bronze", made_by="whitelist"):
    """Addresses that many honest players share, such as cafes: nobody is taken for a farmer because of them."""

    ip_prefix = text("How the addresses begin, such as 103.7.0. (with its last point).", primary_key=True)
    note = dy.String(nullable=True, description="Whose addresses these are.")


REFERENCE: tuple[type[Table], ...] = (VipTiers, Countries, KeyItems, MoneyKinds)
"""Small tables that travel with the program, under data/reference/l2m."""
