"""Users as they are: what all operations on their properties come to."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from gamestats_assets.demo_data import tables as t
from gamestats_assets.demo_data.activity.profiles import apply_operation, user_profiles
from gamestats_assets.lakehouse.quality import screen
from gamestats_assets_tests.demo_data.log_scenario import DAY, at, complete, rows, run

Operation = tuple[str, dict[str, Any]]


def state_after(*operations: Operation) -> tuple[dict[str, Any], int]:
    state: dict[str, Any] = {}
    misfits = sum(apply_operation(state, name, properties) for name, properties in operations)
    return state, misfits


# --------------------------------------------------------------------------- operations


@pytest.mark.parametrize(
    ("operations", "state"),
    [
        ([("user_set", {"a": 1}), ("user_set", {"a": 2, "b": "x"})], {"a": 2, "b": "x"}),
        ([("user_set", {"a": 1}), ("user_set", {"a": None})], {"a": 1}),
        ([("user_setOnce", {"a": 1}), ("user_setOnce", {"a": 2, "b": 3})], {"a": 1, "b": 3}),
        ([("user_set", {"a": 1}), ("user_setOnce", {"a": 2})], {"a": 1}),
        ([("user_setOnce", {"a": 1}), ("user_set", {"a": 2})], {"a": 2}),
        ([("user_add", {"a": 5}), ("user_add", {"a": -2.5})], {"a": 2.5}),
        ([("user_set", {"a": 10}), ("user_add", {"a": 1, "b": 1})], {"a": 11, "b": 1}),
        ([("user_set", {"a": 1, "b": 2}), ("user_unset", {"a": 0, "c": 0})], {"b": 2}),
        ([("user_set", {"a": 1}), ("user_unset", {"a": 0}), ("user_setOnce", {"a": 3})], {"a": 3}),
        ([("user_set", {"a": 1}), ("user_unset", {"a": None})], {}),
        ([("user_append", {"l": ["x"]}), ("user_append", {"l": ["x", "y"]})], {"l": ["x", "x", "y"]}),
        ([("user_append", {"l": ["x"]}), ("user_uniq_append", {"l": ["y", "x", "y"]})], {"l": ["x", "y"]}),
        ([("user_append", {"l": ["x", "x"]}), ("user_uniq_append", {"l": ["z"]})], {"l": ["x", "z"]}),
        ([("user_uniq_append", {"l": [1, True, 1.0, {"k": [1]}, {"k": [1]}]})], {"l": [1, True, 1.0, {"k": [1]}]}),
        ([("user_set", {"a": 1}), ("user_del", {})], {}),
        ([("user_set", {"a": 1, "#zone_offset": 9}), ("user_add", {"a": 1, "#zone_offset": "9"})], {"a": 2}),
        ([("user_append", {"l": ["x"], "#os": "iOS"}), ("user_setOnce", {"#os": "iOS"})], {"l": ["x"]}),
        ([("user_set", {"a": 1}), ("user_del", {}), ("user_add", {"a": 1})], {"a": 1}),
        ([("user_set", {"Level": 1}), ("user_add", {"level": 2}), ("user_setOnce", {"LEVEL": 9})], {"Level": 3}),
        ([("user_set", {"Level": 1, "b": 1}), ("user_unset", {"level": 0})], {"b": 1}),
    ],
)
def test_what_operations_come_to(operations: list[Operation], state: dict[str, Any]) -> None:
    found, misfits = state_after(*operations)
    assert json.dumps(found) == json.dumps(state)
    assert misfits == 0


@pytest.mark.parametrize(
    ("there", "operation", "value"),
    [
        ("text", "user_add", 1),
        (True, "user_add", 1),
        (["x"], "user_add", 1),
        (1, "user_append", ["x"]),
        ("x", "user_uniq_append", ["x"]),
    ],
)
def test_what_does_not_fit_changes_nothing_and_is_counted(there: Any, operation: str, value: Any) -> None:
    assert state_after(("user_set", {"a": there}), (operation, {"a": value, "b": value})) == (
        {"a": there, "b": value},
        1,
    )


# --------------------------------------------------------------------------- profiles


def operations(*given_: tuple[str, str, dict[str, Any]] | dict[str, Any]) -> pl.DataFrame:
    """Operations: time, name and properties, of account `a`; or rows as they are."""
    made: list[dict[str, Any]] = []
    for number, one in enumerate(given_):
        if isinstance(one, tuple):
            one = {"occurred_at": at(one[0]), "operation": one[1], "properties": json.dumps(one[2]), "account_id": "a"}
        made.append({"operation_id": f"o{number}", "log_line": number + 1, "log_file": "f", **one})
    return rows(t.UserOperations, *made)


def active(user: str, first: datetime, last: datetime, *, is_anonymous: bool = False) -> dict[str, Any]:
    return {
        "user_id": user,
        "day": first.date(),
        "first_day": first.date(),
        "first_at": first,
        "last_at": last,
        "is_anonymous": is_anonymous,
    }


def bound(device: str, account: str) -> dict[str, Any]:
    return {"distinct_id": device, "account_id": account}


def profiles(
    made: pl.DataFrame, *days: dict[str, Any], devices: tuple[dict[str, Any], ...] = ()
) -> dict[str, dict[str, Any]]:
    known = complete(
        {t.UserOperations: made, t.ActiveDays: rows(t.ActiveDays, *days), t.Identities: rows(t.Identities, *devices)}
    )
    frame = run(user_profiles, known)
    assert frame.schema == t.UserProfiles.schema()
    assert screen(t.UserProfiles, frame).rejections == []
    return {row["user_id"]: row for row in frame.to_dicts()}


def test_a_profile() -> None:
    made = operations(
        ("12:00:00", "user_set", {"level": 3, "name": "김"}),
        ("11:00:00", "user_set", {"level": 1}),
        ("13:00:00", "user_add", {"name": 1}),
    )
    days = (active("a", at("10:00:00"), at("10:30:00")), active("a", at("14:00:00", 1), at("15:00:00", 1)))
    [row] = profiles(made, *days, devices=(bound("d", "a"), bound("e", "a"))).values()
    assert row == {
        "product": "shop",
        "user_id": "a",
        "account_id": "a",
        "distinct_ids": 2,
        "first_seen_at": at("10:00:00"),
        "last_seen_at": at("15:00:00", 1),
        "updated_at": at("13:00:00"),
        "operations": 3,
        "misfits": 1,
        "properties": '{"level":3,"name":"김"}',
    }


def test_operations_of_one_instant_count_in_the_order_of_logs_and_lines() -> None:
    def set_to(value: int, log_day: int, file: str, line: int) -> dict[str, Any]:
        return {
            "occurred_at": at("12:00:00"),
            "log_date": DAY + timedelta(days=log_day),
            "log_file": file,
            "log_line": line,
            "operation": "user_set",
            "properties": json.dumps({"v": value}),
            "account_id": "a",
        }

    places = [(0, "f", 9), (0, "f", 10), (0, "g", 1), (1, "e", 1)]
    made = [set_to(value, *place) for value, place in enumerate(places)]
    for last in range(1, 5):
        found = profiles(operations(*reversed(made[:last])))
        assert json.loads(found["a"]["properties"]) == {"v": last - 1}


def test_what_a_device_did_before_it_had_an_account_is_of_the_account() -> None:
    before = {"occurred_at": at("10:00:00"), "operation": "user_add", "properties": '{"n":1}', "distinct_id": "d"}
    made = operations(before, ("11:00:00", "user_add", {"n": 2}), before | {"distinct_id": "e", "account_id": None})
    found = profiles(made, devices=(bound("d", "a"),))
    assert {user: row["properties"] for user, row in found.items()} == {"a": '{"n":3}', "e": '{"n":1}'}
    assert (found["e"]["account_id"], found["e"]["distinct_ids"]) == (None, 1)
    assert (found["a"]["first_seen_at"], found["a"]["last_seen_at"]) == (at("10:00:00"), at("11:00:00"))


def test_a_user_without_operations_has_an_empty_profile() -> None:
    [row] = profiles(operations(), active("d", at("10:00:00"), at("11:00:00"), is_anonymous=True)).values()
    assert (row["account_id"], row["updated_at"], row["operations"], row["properties"]) == (None, None, 0, "{}")


def test_a_deleted_user_is_gone_unless_something_follows() -> None:
    deleted = operations(("10:00:00", "user_set", {"x": 1}), ("11:00:00", "user_del", {}))
    assert profiles(deleted, active("a", at("09:00:00"), at("11:00:00"))) == {}
    [seen] = profiles(deleted, active("a", at("09:00:00"), at("11:00:01"))).values()
    assert (seen["properties"], seen["first_seen_at"], seen["operations"]) == ("{}", at("09:00:00"), 2)
    again = operations(("11:00:00", "user_del", {}), ("12:00:00", "user_set", {"y": 2}))
    [row] = profiles(again).values()
    assert row["properties"] == '{"y":2}'
