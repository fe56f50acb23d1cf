"""Every table of the MMO. Each is declared with its subject: columns with descriptions and units, keys, rules."""

# ruff: noqa: F403, F405 (a table that a subject declares is a table of the game)

from __future__ import annotations

from gamestats_assets.l2m.economy.tables import *
from gamestats_assets.l2m.logs.tables import *
from gamestats_assets.l2m.players.tables import *
from gamestats_assets.l2m.reference.tables import *
from gamestats_assets.lakehouse.table import Table

MADE: tuple[type[Table], ...] = (
    *(StdActive, SharedAddresses, ActivityRhythms, MoneyBalances, GuildMembers),
    *(Recharge, CumulativeRevenue, UserProfile, FarmersSnapshot, GuildInfo, Active, ItemGain, ItemSpend, MoneyGain),
    *(MoneySpend, ServerPerformance, FarmersPerformance, KpiDaily, Retention, Ltv, EconomyBalance),
)
"""Tables that a SELECT makes, silver before gold."""
ALL: tuple[type[Table], ...] = (*REFERENCE, IpWhitelist, *LANDED_TABLES, *MADE)
