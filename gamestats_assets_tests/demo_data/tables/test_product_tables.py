"""What is told of all days of a product: identities, activity, retention, funnels, revenue, segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.demo_data import tables as t
from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.demo_data.log_scenario import DAY, at, complete, rows
from gamestats_assets_tests.support.frames import run_sql

Visit = tuple[str, int]


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def made(table: type[Table], frames: Mapping[type[Table], pl.DataFrame]) -> pl.DataFrame:
    """Rows of a table made by SQL, in the order of their keys; they keep the declared rules."""
    frame = run_sql(table, complete(frames))
    assert screen(table, frame).rejections == []
    return frame.sort(table.primary_key())


def visits(*given_: Visit | tuple[str, int, int], events: int = 1) -> pl.DataFrame:
    """Active days: user, day after `DAY`, and events where it is not one."""
    whole = [(*one, events)[:3] for one in given_]
    days = rows(t.UserDays, *({"user_id": user, "day": number, "events": n} for user, number, n in whole))
    return made(t.ActiveDays, {t.UserDays: days})


# --------------------------------------------------------------------------- identities


def test_a_distinct_id_belongs_to_the_first_account_for_ever() -> None:
    def seen(clock: str, account: str | None, device: str | None = "d", day_: int = 0) -> dict[str, Any]:
        return {
            "event_id": clock + str(account) + str(device),
            "occurred_at": at(clock, day_),
            "day": day_,
            "account_id": account,
            "distinct_id": device,
        }

    events = rows(
        t.Events,
        seen("12:00:00", "b"),
        seen("13:00:00", "b"),
        seen("10:00:00", None),
        seen("12:00:00", "z", "tie"),
        seen("12:00:00", "y", "tie"),
        seen("12:00:00", "a", None),
    )
    operations = rows(
        t.UserOperations, seen("11:00:00", "a"), seen("09:00:00", "c", day_=1), seen("10:00:00", "b", "e")
    )
    frame = made(t.Identities, {t.Events: events, t.UserOperations: operations})
    assert frame.drop("product").rows() == [
        ("d", "a", at("11:00:00"), 3, 3),
        ("e", "b", at("10:00:00"), 1, 0),
        ("tie", "y", at("12:00:00"), 2, 1),
    ]


# --------------------------------------------------------------------------- properties


def test_types_of_properties_over_all_days() -> None:
    def seen(event: str, name: str, kind: str, records: int, clock: str, day_: int = 0) -> dict[str, Any]:
        return {
            "event_name": event,
            "property": name,
            "json_type": kind,
            "records": records,
            "first_at": at(clock, day_),
            "day": day_,
        }

    types = rows(
        t.PropertyTypes,
        seen("play", "price", "null", 1, "08:00:00"),
        seen("play", "price", "number", 4, "10:00:00"),
        seen("play", "Price", "number", 4, "10:00:00", 2),
        seen("play", "price", "string", 2, "11:00:00", 1),
        seen("end", "price", "string", 3, "09:30:00", 3),
        seen("", "price", "boolean", 1, "07:00:00"),
        seen("end", "tags", "empty_list", 1, "07:00:00"),
    )
    frame = made(t.ObservedProperties, {t.PropertyTypes: types})
    columns = ("event_name", "property", "json_type", "records", "first_day", "last_day", "first_type")
    assert frame.select(columns).rows() == [
        ("", "price", "boolean", 1, day(0), day(0), "boolean"),
        ("end", "price", "string", 3, day(3), day(3), "number"),
        ("end", "tags", "empty_list", 1, day(0), day(0), None),
        ("play", "price", "null", 1, day(0), day(0), "number"),
        ("play", "price", "number", 8, day(0), day(2), "number"),
        ("play", "price", "string", 2, day(1), day(1), "number"),
    ]
    assert frame["share_of_records"].to_list() == pytest.approx([1, 1, 1, 1 / 11, 8 / 11, 2 / 11])


# --------------------------------------------------------------------------- active days


def test_days_of_a_device_become_days_of_its_account() -> None:
    def of(
        user: str, number: int, events: int, *, is_anonymous: bool = False, first: str = "10:00:00"
    ) -> dict[str, Any]:
        return {
            "user_id": user,
            "day": number,
            "events": events,
            "sessions": 1,
            "session_s": 60.0,
            "is_anonymous": is_anonymous,
            "first_at": at(first, number),
            "last_at": at("20:00:00", number),
        }

    days = rows(
        t.UserDays,
        of("d", 0, 2, is_anonymous=True),
        of("a", 5, 3, first="09:00:00"),
        of("d", 5, 4, is_anonymous=True),
        of("e", 5, 1, is_anonymous=True),
    )
    identities = rows(
        t.Identities, {"distinct_id": "d", "account_id": "a"}, {"distinct_id": "a", "account_id": "not a device's"}
    )
    frame = made(t.ActiveDays, {t.UserDays: days, t.Identities: identities})
    assert frame.drop("product", "last_at").rows() == [
        ("a", day(0), False, day(0), None, 2, 1, 60.0, at("10:00:00")),
        ("a", day(5), False, day(0), 4, 7, 2, 120.0, at("09:00:00", 5)),
        ("e", day(5), True, day(5), None, 1, 1, 60.0, at("10:00:00", 5)),
    ]


# --------------------------------------------------------------------------- active users


def test_a_day_without_users_has_those_of_its_week_and_month() -> None:
    frame = made(t.DailyActiveUsers, {t.ActiveDays: visits(("a", 0), ("b", 1), ("a", 33))})
    columns = ("dau", "wau", "mau", "stickiness", "events", "sessions", "new_users", "returning_users")
    found = dict(zip(frame["day"], frame.select(columns).rows(), strict=True))
    assert list(found) == [day(n) for n in range(34)]
    assert found[day(6)] == (0, 2, 2, 0.0, 0, 0, 0, 0)
    assert found[day(7)] == (0, 1, 2, 0.0, 0, 0, 0, 0)
    assert found[day(8)] == (0, 0, 2, 0.0, 0, 0, 0, 0)
    assert found[day(30)] == (0, 0, 1, 0.0, 0, 0, 0, 0)
    assert found[day(31)] == found[day(32)] == (0, 0, 0, None, 0, 0, 0, 0)
    assert found[day(33)][:4] == (1, 1, 1, 1.0)
    assert frame.filter(dau=0)["mean_session_min"].null_count() == 31


def test_sessions_of_a_day() -> None:
    days = rows(
        t.UserDays,
        {"user_id": "a", "sessions": 2, "session_s": 600.0},
        {"user_id": "b", "sessions": 1, "session_s": 300.0},
        {"user_id": "b", "day": 1, "sessions": 0, "session_s": 0.0},
    )
    active = made(t.ActiveDays, {t.UserDays: days})
    frame = made(t.DailyActiveUsers, {t.ActiveDays: active})
    assert frame.select("sessions", "mean_session_min").rows() == [(3, 5.0), (0, None)]


VISITS = st.sets(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 12) | st.sampled_from([28, 29, 30, 31, 40, 95, 100])),
    min_size=1,
    max_size=40,
)


@settings(max_examples=8)
@given(VISITS)
def test_active_users_are_those_of_sets(given_: set[Visit]) -> None:
    frame = made(t.DailyActiveUsers, {t.ActiveDays: visits(*given_)})

    def users(first: int, last: int) -> set[str]:
        return {user for user, number in given_ if first <= number <= last}

    given_numbers = [number for _, number in given_]
    expected = [
        (day(n), len(users(n, n)), len(users(n - 6, n)), len(users(n - 29, n)), len(users(n, n) - users(0, n - 1)))
        for n in range(min(given_numbers), max(given_numbers) + 1)
    ]
    assert frame.select("day", "dau", "wau", "mau", "new_users").rows() == expected


# --------------------------------------------------------------------------- retention


def test_retention_of_a_cohort() -> None:
    active = visits(("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 2), ("d", 2), ("a", 3))
    frame = made(t.Retention, {t.ActiveDays: active})
    assert frame.height == 2 * 91
    columns = ("day_number", "cohort_users", "strict_users", "rolling_users")
    first = frame.filter(cohort_day=day(0))
    assert first.select(columns).rows()[:5] == [
        (0, 3, 3, 3),
        (1, 3, 1, 2),
        (2, 3, 1, 2),
        (3, 3, 1, 1),
        (4, 3, None, None),
    ]
    assert first["strict_share"].to_list()[:4] == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3])
    assert first["rolling_share"].to_list()[:4] == pytest.approx([1, 2 / 3, 2 / 3, 1 / 3])
    assert frame.filter(cohort_day=day(2)).select(columns).rows()[:3] == [
        (0, 1, 1, 1),
        (1, 1, 0, 0),
        (2, 1, None, None),
    ]


@settings(max_examples=8)
@given(VISITS)
def test_retention_is_that_of_sets(given_: set[Visit]) -> None:
    frame = made(t.Retention, {t.ActiveDays: visits(*given_)})
    first = {user: min(number for other, number in given_ if other == user) for user, _ in given_}
    last = max(number for _, number in given_)
    expected: list[tuple[Any, ...]] = []
    for cohort in sorted(set(first.values())):
        users = {user for user, number in first.items() if number == cohort}
        for n in range(91):
            strict = {user for user in users if (user, cohort + n) in given_}
            rolling = {user for user, number in given_ if user in users and number >= cohort + n}
            known = cohort + n <= last
            expected.append((day(cohort), n, len(users), *((len(strict), len(rolling)) if known else (None, None))))
    assert frame.select("cohort_day", "day_number", "cohort_users", "strict_users", "rolling_users").rows() == expected


# --------------------------------------------------------------------------- funnels


def test_conversion_of_a_funnel() -> None:
    steps = rows(
        t.FunnelSteps,
        *(
            {"funnel": 1, "step": n, "steps": 3, "event_name": name}
            for n, name in enumerate(("view", "cart", "buy"), 1)
        ),
        {"funnel": 2, "step": 1, "steps": 2, "event_name": "never"},
    )

    def reached(attempt: str, user: str, *after: float | None, day_: int = 0) -> list[dict[str, Any]]:
        return [
            {"funnel": 1, "attempt_id": attempt, "step": n, "user_id": user, "after_s": s, "day": day_}
            for n, s in enumerate((None, *after), 1)
        ]

    progress = rows(
        t.FunnelProgress,
        *reached("e1", "a", 10.0, 5.0),
        *reached("e2", "a", 20.0),
        *reached("e3", "b"),
        *reached("e4", "b"),
        *reached("e5", "c", 60.0),
        *reached("e6", "c", day_=1),
    )
    frame = made(t.Funnels, {t.FunnelSteps: steps, t.FunnelProgress: progress})
    columns = ("day", "step", "event_name", "users", "attempts", "converted_users", "converted_attempts", "mean_s")
    assert frame.select(columns).rows() == [
        (day(0), 1, "view", 3, 5, 2, 3, None),
        (day(0), 2, "cart", 2, 3, 1, 1, 30.0),
        (day(0), 3, "buy", 1, 1, None, None, 5.0),
        (day(1), 1, "view", 1, 1, 0, 0, None),
        (day(1), 2, "cart", 0, 0, 0, 0, None),
        (day(1), 3, "buy", 0, 0, None, None, None),
    ]
    assert frame["step_conversion"].to_list() == pytest.approx([None, 3 / 5, 1 / 3, None, 0, None])
    assert frame["overall_conversion"].to_list() == pytest.approx([1, 3 / 5, 1 / 5, 1, 0, 0])
    assert frame["user_conversion"].to_list() == pytest.approx([1, 2 / 3, 1 / 3, 1, 0, 0])


# --------------------------------------------------------------------------- revenue


def test_revenue_by_day_and_currency() -> None:
    active = visits(("a", 0), ("b", 0), ("c", 0), ("d", 0), ("a", 1), ("b", 2))
    identities = rows(t.Identities, {"distinct_id": "dev", "account_id": "a"})

    def paid(event: str, user: str, amount: str | None, day_: int, currency: str = "USD") -> dict[str, Any]:
        return {
            "event_id": event,
            "user_id": user,
            "is_anonymous": user == "dev",
            "amount": None if amount is None else Decimal(amount),
            "currency": currency,
            "day": day_,
        }

    payments = rows(
        t.Payments,
        paid("1", "a", "9.99", 0),
        paid("2", "dev", "0.01", 0),
        paid("3", "b", None, 0),
        paid("4", "a", "1000", 1, "KRW"),
        paid("5", "b", "5.5", 2),
    )
    frames: dict[type[Table], pl.DataFrame] = {t.ActiveDays: active, t.Identities: identities, t.Payments: payments}
    frame = made(t.Revenue, frames)
    columns = ("day", "currency", "revenue", "payments", "payers", "new_payers", "arpu", "arppu", "cumulative_revenue")
    nothing, ten, thousand = Decimal("0.0000"), Decimal("10.0000"), Decimal("1000.0000")
    assert frame.select(columns).rows() == [
        (day(0), "KRW", nothing, 0, 0, 0, 0.0, None, nothing),
        (day(0), "USD", ten, 3, 2, 2, 2.5, 5.0, ten),
        (day(1), "KRW", thousand, 1, 1, 0, 1000.0, 1000.0, thousand),
        (day(1), "USD", nothing, 0, 0, 0, 0.0, None, ten),
        (day(2), "KRW", nothing, 0, 0, 0, 0.0, None, thousand),
        (day(2), "USD", Decimal("5.5000"), 1, 1, 0, 5.5, 5.5, Decimal("15.5000")),
    ]


# --------------------------------------------------------------------------- segments


def segments_of(active: pl.DataFrame, number: int) -> dict[str, int]:
    """Segments with somebody in them on a day."""
    frame = made(t.Segments, {t.ActiveDays: active}).filter(day=day(number))
    assert frame["share"].sum() == pytest.approx(1)
    return {segment: users for segment, users in frame.select("segment", "users").rows() if users}


def every(user: str, days: Sequence[int]) -> list[Visit]:
    return [(user, number) for number in days]


@pytest.mark.parametrize(
    ("days", "segment"),
    [
        ([18], "new"),
        ([20], "new"),
        ([17], "active"),
        ([0, 13], "churned"),
        ([0, 14], "returning"),
        ([6, 13, 20], "active"),
        ([6, 14], "returning"),
        ([7, 14], "active"),
        ([0, 12, 20], "returning"),
        ([0, 11, 12, 13, 20], "churning"),
        ([0, 11, 12, 13, 15, 20], "active"),
        ([0, 7, 9, 11, 13, 15, 20], "active"),
        ([0, 7, 8, 9, 11, 13, 15, 20], "churning"),
    ],
)
def test_the_segment_of_a_user_at_the_end_of_day_20(days: list[int], segment: str) -> None:
    # A system user makes sure that the day has data; it is one of the active.
    others = every("zz", range(21))
    expected = Counter([segment, "active"])
    assert segments_of(visits(*every("a", days), *others), 20) == expected


def by_hand(given_: set[Visit], number: int) -> Counter[str]:
    """Segments at the end of a day, by a plain reading of the rules; every visit has one event."""
    found: Counter[str] = Counter()
    staying: list[tuple[int, int, str, int]] = []
    for user in sorted({user for user, seen in given_ if seen <= number}):
        days = sorted(seen for other, seen in given_ if other == user and seen <= number)
        this_week = [seen for seen in days if seen > number - 7]
        last_week = [seen for seen in days if number - 14 < seen <= number - 7]
        gaps = [later - earlier - 1 for earlier, later in pairwise(days) if later in this_week]
        if number - days[0] < 3:
            found["new"] += 1
        elif not this_week:
            found["churned"] += 1
        elif max(gaps, default=0) >= 7:
            found["returning"] += 1
        else:
            staying.append((-len(this_week), -len(this_week), user, len(last_week)))
    for place, (_, days_negative, _, last) in enumerate(sorted(staying), 1):
        power = place <= len(staying) // 10
        found["power" if power else "churning" if -days_negative * 2 < last else "active"] += 1
    return found


@settings(max_examples=8)
@given(
    st.sets(st.tuples(st.sampled_from([f"u{n:02d}" for n in range(24)]), st.integers(0, 25)), min_size=1, max_size=150)
)
def test_segments_are_those_of_a_plain_reading(given_: set[Visit]) -> None:
    frame = made(t.Segments, {t.ActiveDays: visits(*given_)})
    for number in sorted({number for _, number in given_}):
        found = {s: users for s, users in frame.filter(day=day(number)).select("segment", "users").rows() if users}
        assert found == by_hand(given_, number)
    assert frame.height == 6 * len({number for _, number in given_})


# --------------------------------------------------------------------------- products


def test_products_are_apart() -> None:
    days = rows(
        t.UserDays,
        {"user_id": "a", "is_anonymous": True},
        {"user_id": "a", "day": 1, "product": "game", "is_anonymous": True},
        {"user_id": "b", "day": 3, "product": "game"},
    )
    identities = rows(t.Identities, {"distinct_id": "a", "account_id": "b", "product": "game"})
    active = made(t.ActiveDays, {t.UserDays: days, t.Identities: identities})
    assert active.select("product", "user_id", "first_day", "days_away").rows() == [
        ("game", "b", day(1), None),
        ("game", "b", day(1), 1),
        ("shop", "a", day(0), None),
    ]
    frames: dict[type[Table], pl.DataFrame] = {t.ActiveDays: active}
    daily = made(t.DailyActiveUsers, frames)
    assert daily.select("product", "day", "dau", "mau").rows() == [
        ("game", day(1), 1, 1),
        ("game", day(2), 0, 1),
        ("game", day(3), 1, 1),
        ("shop", day(0), 1, 1),
    ]
    known = made(t.Retention, frames).filter(pl.col("strict_users").is_not_null())
    assert known.group_by("product").len().sort("product").rows() == [("game", 3), ("shop", 1)]
    segments = made(t.Segments, frames).filter(pl.col("users") > 0)
    assert segments.select("product", "day", "segment").rows() == [
        ("game", day(1), "new"),
        ("game", day(3), "new"),
        ("shop", day(0), "new"),
    ]
