"""Checks that span tables of event logs.

A blocking check means that records were lost, doubled or disagree. That is a fault of this code: the product's day (or,
for sums over all of its days, the product) is held back until it is fixed. The other checks report what logs can bring
at any time (a property of another type, an unknown event, late and duplicate records); the data stay usable, but
deserve a look.
"""

from __future__ import annotations

import functools
from datetime import timedelta

import dataframely as dy
import polars as pl

from gamestats_assets.demo_data.activity.days import INACTIVITY
from gamestats_assets.demo_data.tables import (
    INVALID,
    ActiveDays,
    DailyActiveUsers,
    DemoTaxonomy,
    Events,
    FunnelProgress,
    Funnels,
    Identities,
    LogFiles,
    ObservedProperties,
    Payments,
    Products,
    PropertyTypes,
    RecordCounts,
    Retention,
    Revenue,
    Segments,
    Sessions,
    UserDays,
    UserOperations,
    UserProfiles,
)
from gamestats_assets.lakehouse.quality import Check, breaking_rows, differ, unequal

LATE_SHARE = 0.05
"""Share of late records in a day that deserves a look."""
DUPLICATE_SHARE = 0.02
"""Share of duplicate records in a day that deserves a look."""
ROUNDING = 1e-9
"""Relative tolerance of sums, which add the same numbers in another order."""
DAY = ("product_day", "product", "day")
_NO_TYPE = ("null", "empty_list")
# Words in the names of payments, and words in the names of events that are no payments, or not completed ones.
_PAID = r"_(?:pay|paid|payment|purchased?|buy|bought|iap|charged|billed)_"
_NOT_PAID = (
    r"_(?:view(?:ed)?|page|screen|show|shown|open(?:ed)?|click(?:ed)?|button|popup|start(?:ed)?|begin|try|attempt|"
    r"request(?:ed)?|initiated?|created?|select(?:ed)?|add(?:ed)?|removed?|changed?|method|fail(?:ed)?|failure|error|"
    r"cancel(?:l?ed)?|declined?|refused?|reject(?:ed)?|abandon(?:ed)?|refund(?:ed)?|out)_"
)
_JSON_TYPE = {"time": "string"}
"""JSON types of declared types with another name."""


_unequal = functools.partial(unequal, within=ROUNDING)


# --------------------------------------------------------------------------- landed records


@breaking_rows(of=RecordCounts)
def every_line_is_counted(counts: dy.LazyFrame[RecordCounts], files: dy.LazyFrame[LogFiles]) -> pl.LazyFrame:
    """The records of a day, and its lines in quarantine, add up to the lines of its landed pieces."""
    return _unequal(
        files.group_by(DAY).agg(pl.col("lines").sum()),
        counts.group_by(DAY).agg(pl.col("records").sum().alias("counted")),
        DAY,
        [("lines", "counted")],
    )


def _rows_and_kept(counts: pl.LazyFrame, events: pl.LazyFrame, operations: pl.LazyFrame) -> pl.LazyFrame:
    """Returns by kind of record the rows of its table and the kept records."""
    kind = [*DAY, "event_type", "event_name"]
    rows = pl.concat(
        [
            events.select(kind),
            operations.select(*DAY, pl.col("operation").alias("event_type"), pl.lit("").alias("event_name")),
        ]
    )
    return (
        rows.group_by(kind)
        .agg(pl.len().cast(pl.Int64).alias("rows"))
        .join(counts.select(*kind, "kept"), on=kind, how="full", coalesce=True)
        .with_columns(pl.col("rows", "kept").fill_null(0))
    )


@breaking_rows(of=RecordCounts)
def no_more_rows_than_kept_records(
    counts: dy.LazyFrame[RecordCounts], events: dy.LazyFrame[Events], operations: dy.LazyFrame[UserOperations]
) -> pl.LazyFrame:
    """A table has no more rows of a kind than kept records of it."""
    return _rows_and_kept(counts, events, operations).filter(pl.col("rows") > pl.col("kept"))


@breaking_rows(of=RecordCounts, blocking=False)
def every_kept_record_is_a_row(
    counts: dy.LazyFrame[RecordCounts], events: dy.LazyFrame[Events], operations: dy.LazyFrame[UserOperations]
) -> pl.LazyFrame:
    """Every kept record has a row in its table. A missing one broke a rule of the table and is in quarantine."""
    return _rows_and_kept(counts, events, operations).filter(pl.col("rows") < pl.col("kept"))


@breaking_rows(of=Events)
def no_record_stands_twice(events: dy.LazyFrame[Events], operations: dy.LazyFrame[UserOperations]) -> pl.LazyFrame:
    """No two rows of a day are the same record, among events and user operations."""
    ids = [events.select(*DAY, "event_id"), operations.select(*DAY, pl.col("operation_id").alias("event_id"))]
    return pl.concat(ids).group_by(*DAY, "event_id").agg(pl.len().alias("rows")).filter(pl.col("rows") > 1)


@breaking_rows(of=RecordCounts, blocking=False, figures=("late", "records"))
def few_records_are_late(counts: dy.LazyFrame[RecordCounts]) -> pl.LazyFrame:
    """No more than 5 % of a day's records come in the log of a later day."""
    return _share_above(counts, "late", LATE_SHARE)


@breaking_rows(of=RecordCounts, blocking=False, figures=("duplicates", "records"))
def few_records_come_twice(counts: dy.LazyFrame[RecordCounts]) -> pl.LazyFrame:
    """No more than 2 % of a day's records had come before. They are dropped, but cost traffic."""
    return _share_above(counts, "duplicates", DUPLICATE_SHARE)


@breaking_rows(of=RecordCounts, blocking=False, figures=("differing", "duplicates", "records"))
def copies_say_the_same(counts: dy.LazyFrame[RecordCounts]) -> pl.LazyFrame:
    """No record came twice with different contents. The copy of the latest log counts, or the one of the earlier of two
    consecutive days; to correct records, send them again in a log of a later day.
    """
    return counts.filter(pl.col("differing") > 0).select(*DAY, "event_type", "event_name", "differing", "duplicates")


def _share_above(counts: pl.LazyFrame, column: str, most: float) -> pl.LazyFrame:
    return (
        counts.group_by(DAY)
        .agg(pl.col(column, "records").sum())
        .with_columns(share=pl.col(column) / pl.col("records"))
        .filter(pl.col("share") > most)
    )


@breaking_rows(of=RecordCounts, blocking=False)
def root_keys_are_known(counts: dy.LazyFrame[RecordCounts]) -> pl.LazyFrame:
    """No record has a root key that the format does not know: the record is read, but the value of the key is lost."""
    return counts.filter(pl.col("unknown_root_keys") > 0).select(
        *DAY, "event_type", "event_name", "unknown_root_keys", "records"
    )


# --------------------------------------------------------------------------- against the taxonomy


@breaking_rows(of=RecordCounts, blocking=False)
def events_are_declared(counts: dy.LazyFrame[RecordCounts], taxonomy: dy.LazyFrame[DemoTaxonomy]) -> pl.LazyFrame:
    """Every event of a product with a taxonomy is declared in it."""
    declared = taxonomy.filter(pl.col("scope") == "event").select("product", "event_name").unique()
    return (
        counts.filter((pl.col("event_name") != "") & (pl.col("event_type") != INVALID))
        .join(declared.select("product").unique(), on="product", how="semi")
        .join(declared, on=["product", "event_name"], how="anti")
        .group_by(*DAY, "event_name")
        .agg(pl.col("records").sum())
    )


def _declared(taxonomy: pl.LazyFrame) -> pl.LazyFrame:
    """Returns declared properties without nested ones: `product`, `event_name` (null: any), `name`, `declared_type`.

    Names are in small letters, because they are compared without case; user properties have an empty event name.
    """
    event_name = pl.when(pl.col("scope") == "user").then(pl.lit("")).when(pl.col("scope") == "event").then("event_name")
    return (
        taxonomy.filter((pl.col("property") != "") & ~pl.col("property").str.contains(".", literal=True))
        .select(
            "product",
            event_name.alias("event_name"),
            pl.col("property").str.to_lowercase().alias("name"),
            pl.col("property_type").replace(_JSON_TYPE).alias("declared_type"),
        )
        .unique(["product", "event_name", "name"], keep="any")
    )


def _with_declaration(found: pl.LazyFrame, taxonomy: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `declared_type` to found properties: the event's, else the common one; null if there is none."""
    declared = _declared(taxonomy)
    of_event = declared.filter(pl.col("event_name").is_not_null())
    common = declared.filter(pl.col("event_name").is_null()).select("product", "name", common_type="declared_type")
    is_event = pl.col("event_name") != ""
    return (
        found.with_columns(name=pl.col("property").str.to_lowercase())
        .join(of_event, on=["product", "event_name", "name"], how="left")
        .join(common, on=["product", "name"], how="left")
        .with_columns(declared_type=pl.coalesce("declared_type", pl.when(is_event).then("common_type")))
        .drop("name", "common_type")
    )


@breaking_rows(of=RecordCounts, blocking=False)
def payments_are_recognised(
    counts: dy.LazyFrame[RecordCounts], types: dy.LazyFrame[PropertyTypes], products: dy.LazyFrame[Products]
) -> pl.LazyFrame:
    """A product with events that look like payments has settings for its payment event and the amount: without them it
    has no revenue. `gamestats product change` sets both.
    """
    known = products.filter(pl.col("payment_event").is_not_null())
    event = [*DAY, "event_name"]
    numbers = (
        types.filter((pl.col("json_type") == "number") & ~pl.col("property").str.starts_with("#"))
        .group_by(event)
        .agg(pl.col("property").sort().str.join(", ").alias("numbers"))
    )
    words = pl.col("event_name")
    for border in (r"([a-z0-9])([A-Z])", r"([A-Z])([A-Z][a-z])"):
        words = words.str.replace_all(border, "${1}_${2}")
    words = pl.format("_{}_", words.str.to_lowercase())
    return (
        counts.filter(
            (pl.col("event_type") != INVALID)
            & (pl.col("kept") > 0)
            & words.str.contains(_PAID)
            & ~words.str.contains(_NOT_PAID)
        )
        .join(known, on="product", how="anti")
        .group_by(event)
        .agg(pl.col("records").sum())
        .join(numbers, on=event, how="left")
    )


@breaking_rows(of=PropertyTypes, blocking=False)
def properties_are_declared(types: dy.LazyFrame[PropertyTypes], taxonomy: dy.LazyFrame[DemoTaxonomy]) -> pl.LazyFrame:
    """Every property of a declared event, or of users, is in the product's taxonomy, except presets (#...)."""
    events = taxonomy.select("product", "event_name").unique()
    return (
        _with_declaration(types, taxonomy)
        .filter(pl.col("declared_type").is_null() & ~pl.col("property").str.starts_with("#"))
        .join(events, on=["product", "event_name"], how="semi")
        .group_by(*DAY, "event_name", "property")
        .agg(pl.col("records").sum())
    )


@breaking_rows(of=PropertyTypes, blocking=False)
def properties_have_their_declared_type(
    types: dy.LazyFrame[PropertyTypes], taxonomy: dy.LazyFrame[DemoTaxonomy]
) -> pl.LazyFrame:
    """Every property has its declared type; null and empty lists fit every type."""
    return (
        _with_declaration(types, taxonomy)
        .filter(~pl.col("json_type").is_in(_NO_TYPE) & (pl.col("json_type") != pl.col("declared_type")))
        .select(*DAY, "event_name", "property", "declared_type", "json_type", "records")
    )


@breaking_rows(of=PropertyTypes, blocking=False)
def properties_have_one_type(types: dy.LazyFrame[PropertyTypes]) -> pl.LazyFrame:
    """On one day, a property has one type in all events, or in all user records."""
    name = pl.col("property").str.to_lowercase().alias("property")
    scope = (pl.col("event_name") == "").alias("is_of_users")
    return (
        types.filter(~pl.col("json_type").is_in(_NO_TYPE))
        .group_by(*DAY, scope, name)
        .agg(pl.col("json_type").unique().sort().alias("types"), pl.col("records").sum())
        .filter(pl.col("types").list.len() > 1)
        .with_columns(pl.col("types").list.join(", "))
    )


@breaking_rows(of=ObservedProperties, blocking=False)
def properties_keep_their_first_type(properties: dy.LazyFrame[ObservedProperties]) -> pl.LazyFrame:
    """On all days, a property keeps its first type."""
    return properties.filter(
        ~pl.col("json_type").is_in(_NO_TYPE) & (pl.col("json_type") != pl.col("first_type"))
    ).select("product", "event_name", "property", "first_type", "json_type", "records", "first_day", "last_day")


# --------------------------------------------------------------------------- users, sessions, payments


@breaking_rows(of=Identities, blocking=False)
def distinct_ids_have_one_account(identities: dy.LazyFrame[Identities]) -> pl.LazyFrame:
    """A distinct_id belongs to one account for ever. If it came with others, the first one counts."""
    return identities.filter(pl.col("accounts") > 1)


@breaking_rows(of=Sessions)
def sessions_are_apart(sessions: dy.LazyFrame[Sessions]) -> pl.LazyFrame:
    """Between two sessions of a user on one day there is a break of 30 minutes or more."""
    ended_before = pl.col("ended_at").shift().over(*DAY, "user_id", order_by="started_at")
    return (
        sessions.with_columns(ended_before=ended_before)
        .filter(pl.col("started_at") - pl.col("ended_before") < INACTIVITY)
        .select(*DAY, "user_id", "session_id", "started_at", "ended_before")
    )


@breaking_rows(of=UserDays)
def user_days_hold_every_event(user_days: dy.LazyFrame[UserDays], events: dy.LazyFrame[Events]) -> pl.LazyFrame:
    """The rows of a day's users add up to all of its events."""
    return _unequal(
        events.group_by(DAY).agg(pl.len().cast(pl.Int64).alias("logged")),
        user_days.group_by(DAY).agg(pl.col("events").sum()),
        DAY,
        [("logged", "events")],
    )


@breaking_rows(of=UserDays)
def sessions_hold_every_event(user_days: dy.LazyFrame[UserDays], sessions: dy.LazyFrame[Sessions]) -> pl.LazyFrame:
    """A user's sessions of a day have all events of the day, except events of a session from the day before.

    Such events exist only if the user's first event comes less than 30 minutes after midnight.
    """
    user = [*DAY, "user_id"]
    in_sessions = sessions.group_by(user).agg(
        (pl.col("events") - pl.col("events_next_day")).sum().alias("events_in_sessions"),
        pl.len().cast(pl.Int64).alias("sessions_found"),
        pl.col("duration_s").sum().alias("duration_s"),
        pl.col("started_at").min().alias("first_start"),
    )
    figures = user_days.select(*user, "events", "sessions", "session_s", "first_at")
    begins_at_once = (pl.col("first_start") == pl.col("first_at")).fill_null(False)
    midnight = pl.col("day").cast(pl.Datetime("us", "UTC"))
    goes_on = (pl.col("first_at") - midnight < INACTIVITY) & (pl.col("events_in_sessions") < pl.col("events"))
    is_whole = pl.when(begins_at_once).then(pl.col("events_in_sessions") == pl.col("events")).otherwise(goes_on)
    agrees = (pl.col("sessions") == pl.col("sessions_found")) & (
        (pl.col("session_s") - pl.col("duration_s")).abs() < 1e-3
    )
    return (
        figures.join(in_sessions, on=user, how="full", coalesce=True)
        .with_columns(pl.col("events_in_sessions", "sessions_found", "duration_s").fill_null(0))
        .filter(~(is_whole & agrees).fill_null(False))
        .select(*user, "events", "events_in_sessions", "sessions", "sessions_found", "first_at", "first_start")
    )


@breaking_rows(of=Payments)
def every_payment_event_is_a_payment(
    payments: dy.LazyFrame[Payments], events: dy.LazyFrame[Events], products: dy.LazyFrame[Products]
) -> pl.LazyFrame:
    """A day has as many payments as payment events by the product's settings."""
    settings = products.select("product", pl.col("payment_event").alias("event_name")).drop_nulls()
    logged = events.join(settings, on=["product", "event_name"], how="semi")
    return _unequal(
        logged.group_by(DAY).agg(pl.len().cast(pl.Int64).alias("payment_events")),
        payments.group_by(DAY).agg(pl.len().cast(pl.Int64).alias("payments")),
        DAY,
        [("payment_events", "payments")],
    )


@breaking_rows(of=Payments, blocking=False)
def payments_tell_an_amount(payments: dy.LazyFrame[Payments]) -> pl.LazyFrame:
    """Every payment has an amount. Without one it counts as zero."""
    return payments.filter(pl.col("amount").is_null()).select(*DAY, "event_id", "user_id", "paid_at")


@breaking_rows(of=UserDays)
def user_days_hold_every_payment(user_days: dy.LazyFrame[UserDays], payments: dy.LazyFrame[Payments]) -> pl.LazyFrame:
    """A user's payments of a day, and their sum, agree with the payments."""
    user = [*DAY, "user_id"]
    paid = payments.group_by(user).agg(
        pl.len().cast(pl.Int64).alias("paid_times"),
        pl.col("amount").sum().cast(pl.Float64).alias("paid"),
        (pl.col("currency").n_unique() > 1).alias("is_mixed"),
    )
    return (
        user_days.select(*user, "payments", pl.col("revenue").cast(pl.Float64))
        .join(paid, on=user, how="full", coalesce=True)
        .with_columns(pl.col("payments", "paid_times", "paid").fill_null(0), pl.col("is_mixed").fill_null(False))
        .filter(
            (pl.col("payments") != pl.col("paid_times"))
            | (pl.col("revenue").is_null() != pl.col("is_mixed"))
            | differ("revenue", "paid", within=ROUNDING).fill_null(False)
        )
    )


@breaking_rows(of=ActiveDays)
def active_days_hold_every_event(
    active_days: dy.LazyFrame[ActiveDays], user_days: dy.LazyFrame[UserDays]
) -> pl.LazyFrame:
    """A day has the same number of events and sessions after users are resolved."""
    by = ("product", "day")
    figures = ("events", "sessions")
    return _unequal(
        active_days.group_by(by).agg(pl.col(figures).sum()),
        user_days.group_by(by).agg(pl.col(name).sum().alias(f"{name}_before") for name in figures),
        by,
        [(name, f"{name}_before") for name in figures],
    )


@breaking_rows(of=UserProfiles)
def everybody_has_a_profile(
    profiles: dy.LazyFrame[UserProfiles],
    active_days: dy.LazyFrame[ActiveDays],
    identities: dy.LazyFrame[Identities],
    operations: dy.LazyFrame[UserOperations],
) -> pl.LazyFrame:
    """Every user with an event or a user operation has a profile, except users that were deleted."""
    user = ["product", "user_id"]
    bound = identities.select("product", "distinct_id", pl.col("account_id").alias("bound_account"))
    changed = operations.join(bound, on=["product", "distinct_id"], how="left").select(
        "product", pl.coalesce("account_id", "bound_account", "distinct_id").alias("user_id"), "operation"
    )
    deleted = changed.filter(pl.col("operation") == "user_del")
    return (
        pl.concat([active_days.select(user), changed.select(user)])
        .unique()
        .join(profiles, on=user, how="anti")
        .join(deleted, on=user, how="anti")
    )


@breaking_rows(of=UserProfiles, blocking=False)
def operations_fit_their_properties(profiles: dy.LazyFrame[UserProfiles]) -> pl.LazyFrame:
    """No operation adds to a value that is not a number, or appends to one that is not a list."""
    return profiles.filter(pl.col("misfits") > 0).select("product", "user_id", "misfits", "operations")


# --------------------------------------------------------------------------- published tables


@breaking_rows(of=DailyActiveUsers)
def active_users_add_up(daily: dy.LazyFrame[DailyActiveUsers], user_days: dy.LazyFrame[UserDays]) -> pl.LazyFrame:
    """New and returning users add up to the active ones. A day's users are among those of its week, and these among
    those of its month. Every day from the first to the last with users has a row with its events and sessions.
    """
    found = ["users_found", "events_found", "sessions_found"]
    known = user_days.group_by("product", "day").agg(
        pl.len().cast(pl.Int64).alias("users_found"),
        pl.col("events").sum().alias("events_found"),
        pl.col("sessions").sum().alias("sessions_found"),
    )
    sound = (
        (pl.col("dau") == pl.col("new_users") + pl.col("returning_users"))
        & (pl.col("dau") <= pl.col("wau"))
        & (pl.col("wau") <= pl.col("mau"))
        & pl.when(pl.col("mau") > 0)
        .then((pl.col("stickiness") - pl.col("dau") / pl.col("mau")).abs() < ROUNDING)
        .otherwise(pl.col("stickiness").is_null())
        & (pl.col("day") - pl.col("day_before") == timedelta(days=1)).fill_null(True)
        # Two ids of one day may resolve to one user.
        & (pl.col("dau") <= pl.col("users_found"))
        & (pl.col("events") == pl.col("events_found"))
        & (pl.col("sessions") == pl.col("sessions_found"))
    )
    return (
        daily.join(known, on=["product", "day"], how="full", coalesce=True)
        .with_columns(pl.col(found).fill_null(0), day_before=pl.col("day").shift().over("product", order_by="day"))
        .filter(~sound.fill_null(False))
    )


@breaking_rows(of=DailyActiveUsers)
def everybody_is_new_once(daily: dy.LazyFrame[DailyActiveUsers], active_days: dy.LazyFrame[ActiveDays]) -> pl.LazyFrame:
    """Over all days there are as many new users as users."""
    return _unequal(
        daily.group_by("product").agg(pl.col("new_users").sum()),
        active_days.group_by("product").agg(pl.col("user_id").n_unique().cast(pl.Int64).alias("users")),
        ["product"],
        [("new_users", "users")],
    )


@breaking_rows(of=Retention)
def retention_begins_with_everybody(
    retention: dy.LazyFrame[Retention], active_days: dy.LazyFrame[ActiveDays]
) -> pl.LazyFrame:
    """On day 0 a cohort is complete, and consists of the users with that first day."""
    by = ["product", "cohort_day"]
    first = retention.filter(pl.col("day_number") == 0).select(*by, "cohort_users", "strict_users", "rolling_users")
    users = (
        active_days.select("product", pl.col("first_day").alias("cohort_day"), "user_id")
        .unique()
        .group_by(by)
        .agg(pl.len().cast(pl.Int64).alias("users"))
    )
    columns = ("cohort_users", "strict_users", "rolling_users")
    return _unequal(first, users, by, [(column, "users") for column in columns])


@breaking_rows(of=Retention)
def retention_is_a_part_of_the_cohort(retention: dy.LazyFrame[Retention]) -> pl.LazyFrame:
    """Strict users are among rolling ones, rolling users never grow, and days after the data have no figures."""
    before = pl.col("rolling_users").shift().over("product", "cohort_day", order_by="day_number")
    unknown = [pl.col(name).is_null() for name in ("strict_users", "rolling_users", "strict_share", "rolling_share")]
    sound = (
        (pl.col("strict_users") <= pl.col("rolling_users")).fill_null(True)
        & (pl.col("rolling_users") <= pl.min_horizontal("cohort_users", "before")).fill_null(True)
        & (pl.all_horizontal(unknown) | ~pl.any_horizontal(unknown))
        & ((pl.col("strict_share") - pl.col("strict_users") / pl.col("cohort_users")).abs() < ROUNDING).fill_null(True)
        & ((pl.col("rolling_share") - pl.col("rolling_users") / pl.col("cohort_users")).abs() < ROUNDING).fill_null(
            True
        )
    )
    return retention.with_columns(before=before).filter(~sound)


@breaking_rows(of=Funnels)
def funnel_steps_never_grow(funnels: dy.LazyFrame[Funnels]) -> pl.LazyFrame:
    """No step has more users or attempts than the previous one, and conversions equal the figures of the next step."""
    group = ["product", "day", "funnel"]
    after = [
        pl.col(name).shift(-1).over(*group, order_by="step").alias(f"next_{name}") for name in ("users", "attempts")
    ]
    sound = (
        (pl.col("next_users") <= pl.col("users")).fill_null(True)
        & (pl.col("next_attempts") <= pl.col("attempts")).fill_null(True)
        & (pl.col("users") <= pl.col("attempts"))
        & pl.col("next_users").eq_missing(pl.col("converted_users"))
        & pl.col("next_attempts").eq_missing(pl.col("converted_attempts"))
    )
    return funnels.with_columns(after).filter(~sound)


@breaking_rows(of=Funnels)
def funnels_hold_every_attempt(funnels: dy.LazyFrame[Funnels], progress: dy.LazyFrame[FunnelProgress]) -> pl.LazyFrame:
    """A step has as many attempts as reached it on the day."""
    by = ["product", "day", "funnel", "step"]
    return _unequal(
        funnels.select(*by, "attempts"),
        progress.group_by(by).agg(pl.len().cast(pl.Int64).alias("reached")),
        by,
        [("attempts", "reached")],
    )


@breaking_rows(of=Revenue)
def revenue_holds_every_payment(revenue: dy.LazyFrame[Revenue], payments: dy.LazyFrame[Payments]) -> pl.LazyFrame:
    """A day's revenue in a currency is the sum of its payments; cumulative revenue is the sum up to the day."""
    by = ["product", "day", "currency"]
    ran_up = pl.col("revenue").cast(pl.Float64).cum_sum().over("product", "currency", order_by="day")
    figures = revenue.select(
        *by,
        pl.col("revenue").cast(pl.Float64),
        "payments",
        pl.col("cumulative_revenue").cast(pl.Float64),
        ran_up.alias("ran_up"),
    )
    paid = payments.group_by(by).agg(
        pl.col("amount").sum().cast(pl.Float64).alias("paid"), pl.len().cast(pl.Int64).alias("paid_times")
    )
    pairs = [("revenue", "paid"), ("payments", "paid_times"), ("cumulative_revenue", "ran_up")]
    return _unequal(figures, paid, by, pairs)


@breaking_rows(of=Revenue)
def payers_are_active_users(revenue: dy.LazyFrame[Revenue], active_days: dy.LazyFrame[ActiveDays]) -> pl.LazyFrame:
    """Payers are active users, payers pay at least once, and new payers are payers."""
    active = active_days.group_by("product", "day").agg(pl.len().cast(pl.Int64).alias("dau"))
    sound = (
        (pl.col("payers") <= pl.col("dau"))
        & (pl.col("payers") <= pl.col("payments"))
        & (pl.col("new_payers") <= pl.col("payers"))
    )
    return revenue.join(active, on=["product", "day"], how="left").filter(~sound.fill_null(False))


@breaking_rows(of=Segments)
def everybody_is_in_one_segment(
    segments: dy.LazyFrame[Segments], active_days: dy.LazyFrame[ActiveDays]
) -> pl.LazyFrame:
    """The segments of a day hold all users seen up to it, and their shares add up to 1."""
    by = ["product", "day"]
    is_first = (pl.col("day") == pl.col("first_day")).cast(pl.Int64)
    seen = (
        active_days.group_by(by)
        .agg(is_first.sum().alias("new_users"))
        .with_columns(users_seen=pl.col("new_users").cum_sum().over("product", order_by="day"), whole=pl.lit(1.0))
        .drop("new_users")
    )
    placed = segments.group_by(by).agg(pl.col("users").sum(), pl.col("share").sum())
    return _unequal(placed, seen, by, [("users", "users_seen"), ("share", "whole")])


ALL: tuple[Check, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Check))
"""Every check of event logs, in the order of this module."""
