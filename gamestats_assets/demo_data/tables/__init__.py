"""Every table of event logs, declared: columns with descriptions and units, keys, rules.

The logs are ThinkingData's, of any product. Bronze tables and tables of single days have one partition per day and
product, `2026-01-01|shop`, by the UTC day of the records' own time. Tables of all history have one partition per
product. A user is an account, or a distinct_id without a known account; an account and another user's distinct_id with
the same text count as one user.
"""

from __future__ import annotations

from gamestats_assets.demo_data.tables.bronze import (
    EVENT_TYPES,
    INVALID,
    JSON_TYPES,
    OPERATIONS,
    DemoLogs,
    DemoRules,
    DemoTaxonomy,
    DemoUsers,
    Events,
    LogFiles,
    Products,
    PropertyTypes,
    RecordCounts,
    UserOperations,
)
from gamestats_assets.demo_data.tables.gold import (
    LAST_DAY_NUMBER,
    SEGMENTS,
    DailyActiveUsers,
    Funnels,
    Retention,
    Revenue,
    Segments,
    UserProfiles,
)
from gamestats_assets.demo_data.tables.rows import Money
from gamestats_assets.demo_data.tables.silver import (
    ActiveDays,
    FunnelProgress,
    FunnelSteps,
    Identities,
    ObservedProperties,
    Payments,
    Sessions,
    UserDays,
)
from gamestats_assets.lakehouse.table import Table

ALL: tuple[type[Table], ...] = (
    Products,
    DemoTaxonomy,
    DemoRules,
    DemoUsers,
    DemoLogs,
    Events,
    UserOperations,
    RecordCounts,
    PropertyTypes,
    LogFiles,
    Identities,
    ObservedProperties,
    Sessions,
    Payments,
    UserDays,
    FunnelSteps,
    FunnelProgress,
    ActiveDays,
    UserProfiles,
    DailyActiveUsers,
    Retention,
    Funnels,
    Revenue,
    Segments,
)

__all__ = [
    "ALL",
    "EVENT_TYPES",
    "INVALID",
    "JSON_TYPES",
    "LAST_DAY_NUMBER",
    "OPERATIONS",
    "SEGMENTS",
    "ActiveDays",
    "DailyActiveUsers",
    "DemoLogs",
    "DemoRules",
    "DemoTaxonomy",
    "DemoUsers",
    "Events",
    "FunnelProgress",
    "FunnelSteps",
    "Funnels",
    "Identities",
    "LogFiles",
    "Money",
    "ObservedProperties",
    "Payments",
    "Products",
    "PropertyTypes",
    "RecordCounts",
    "Retention",
    "Revenue",
    "Segments",
    "Sessions",
    "UserDays",
    "UserOperations",
    "UserProfiles",
]
