"""User profiles: the result of all operations on a user's properties."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

import dataframely as dy
import msgspec
import polars as pl

from gamestats_assets.demo_data.tables import ActiveDays, Identities, UserOperations, UserProfiles

State = dict[str, Any]

_USER = ["product", "user_id"]
_IN_ORDER = ("occurred_at", "log_date", "log_file", "log_line", "operation_id")
_PROPERTIES = msgspec.json.Decoder(dict[str, Any])


def apply_operation(state: State, operation: str, properties: Mapping[str, Any]) -> int:
    """Applies one record to a user's properties; null values change nothing.

    Names of properties are compared without case, and the first spelling stays. Presets (`#zone_offset`) describe the
    record and are not properties of the user.

    - `user_set` sets a value, `user_setOnce` only if there is none.
    - `user_add` adds to a number; to 0 if there is none.
    - `user_unset` removes properties, `user_del` all of them.
    - `user_append` appends to a list; to an empty one if there is none. `user_uniq_append` then keeps only the first
      of equal items.

    Returns:
        The number of values that did not fit the property's value and were ignored.
    """
    if operation == "user_del":
        state.clear()
        return 0
    called = {name.lower(): name for name in state}
    if operation == "user_unset":
        for name in properties:
            state.pop(called.get(name.lower(), name), None)
        return 0
    misfits = 0
    for sent, value in properties.items():
        if value is None or sent.startswith("#"):
            continue
        name = called.setdefault(sent.lower(), sent)
        if operation == "user_set" or (operation == "user_setOnce" and name not in state):
            state[name] = value
        elif operation == "user_add":
            there = state.get(name, 0)
            if _is_number(there):
                state[name] = there + value
            else:
                misfits += 1
        elif operation in ("user_append", "user_uniq_append"):
            there = state.get(name, [])
            if isinstance(there, list):
                state[name] = [*there, *value] if operation == "user_append" else _distinct([*there, *value])
            else:
                misfits += 1
    return misfits


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _distinct(items: list[Any]) -> list[Any]:
    # Compared by their JSON: there 1 and true differ, and objects cannot be hashed.
    return list({msgspec.json.encode(item, order="deterministic"): item for item in items}.values())


def user_profiles(
    operations: dy.LazyFrame[UserOperations],
    identities: dy.LazyFrame[Identities],
    active_days: dy.LazyFrame[ActiveDays],
) -> dy.LazyFrame[UserProfiles]:
    """Returns one row per user with an event or a user operation, except deleted users without a later one.

    Operations apply in order of time; at the same instant in order of log, piece and line.
    """
    bound = identities.select("product", "distinct_id", pl.col("account_id").alias("bound_account"))
    of_user = (
        operations.join(bound, on=["product", "distinct_id"], how="left")
        .with_columns(
            user_id=pl.coalesce("account_id", "bound_account", "distinct_id"),
            is_anonymous=pl.col("account_id").is_null() & pl.col("bound_account").is_null(),
        )
        .sort(*_USER, *_IN_ORDER)
        .select(*_USER, "is_anonymous", "occurred_at", "operation", "properties")
        .collect()
    )
    states = [_state(user, list(rows)) for user, rows in groupby(of_user.iter_rows(), key=lambda row: row[:2])]
    stated = pl.LazyFrame(states, schema=_STATES, orient="row")
    seen = active_days.group_by(_USER).agg(
        pl.col("is_anonymous").all().alias("seen_anonymous"),
        pl.col("first_at").min().alias("first_event_at"),
        pl.col("last_at").max().alias("last_event_at"),
    )
    devices = identities.group_by("product", pl.col("account_id").alias("user_id")).agg(pl.len().alias("distinct_ids"))
    result = (
        stated.join(seen, on=_USER, how="full", coalesce=True)
        # A user whose last operation is the deletion stays only if an event follows.
        .filter((pl.col("deleted_at").is_null() | (pl.col("last_event_at") > pl.col("deleted_at"))).fill_null(False))
        .join(devices, on=_USER, how="left")
        .with_columns(is_anonymous=pl.all_horizontal(pl.col("stated_anonymous", "seen_anonymous").fill_null(True)))
        .select(
            *_USER,
            pl.when(~pl.col("is_anonymous")).then("user_id").alias("account_id"),
            pl.when("is_anonymous").then(1).otherwise(pl.col("distinct_ids").fill_null(0)).alias("distinct_ids"),
            pl.min_horizontal("first_operation_at", "first_event_at").alias("first_seen_at"),
            pl.max_horizontal("updated_at", "last_event_at").alias("last_seen_at"),
            "updated_at",
            pl.col("operations", "misfits").fill_null(0),
            pl.col("properties").fill_null("{}"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in UserProfiles.schema().items())
    )
    return typing.cast("dy.LazyFrame[UserProfiles]", result)


_STATES = {
    "product": pl.String,
    "user_id": pl.String,
    "stated_anonymous": pl.Boolean,
    "first_operation_at": pl.Datetime("us", "UTC"),
    "updated_at": pl.Datetime("us", "UTC"),
    "deleted_at": pl.Datetime("us", "UTC"),
    "operations": pl.Int64,
    "misfits": pl.Int64,
    "properties": pl.String,
}


def _state(user: tuple[str, str], rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Returns a row of `_STATES`: the result of one user's operations in order."""
    state: State = {}
    misfits = 0
    deleted_at: datetime | None = None
    for _, _, _, occurred_at, operation, properties in rows:
        misfits += apply_operation(state, operation, _PROPERTIES.decode(properties))
        deleted_at = occurred_at if operation == "user_del" else None
    properties = msgspec.json.encode(state, order="deterministic").decode()
    is_anonymous = all(row[2] for row in rows)
    return (*user, is_anonymous, rows[0][3], rows[-1][3], deleted_at, len(rows), misfits, properties)
