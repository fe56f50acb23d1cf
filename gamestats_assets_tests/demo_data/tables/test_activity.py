"""Sessions, payments and what each user did on a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gamestats_assets.demo_data import tables as t
from gamestats_assets.demo_data.activity.days import payments, sessions, user_days
from gamestats_assets.demo_data.activity.funnel_progress import FunnelSettingsError, funnel_progress, funnel_steps
from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.demo_data.log_scenario import DAY, at, complete, product, rows, run
from gamestats_assets_tests.support.frames import Frames


def events(*given: tuple[str, int, str, str | None, str | None] | dict[str, Any]) -> pl.DataFrame:
    """Events: time, day after `DAY`, name, account, distinct_id; or rows as they are."""
    made: list[dict[str, Any]] = []
    for number, one in enumerate(given):
        if isinstance(one, tuple):
            clock, day, name, account, device = one
            one = {"at": at(clock, day), "event_name": name, "account_id": account, "distinct_id": device}
        occurred_at = one["at"]
        account, device = one.get("account_id"), one.get("distinct_id")
        made.append(
            {
                "event_id": f"e{number}",
                "event_type": "track",
                "event_name": "play",
                "properties": "{}",
                "user_id": account or device,
                **one,
                "occurred_at": occurred_at,
                "day": occurred_at.date(),
            }
        )
    return rows(t.Events, *made)


def of(function: Callable[..., Any], frames: Frames) -> pl.DataFrame:
    table = {sessions: t.Sessions, payments: t.Payments, user_days: t.UserDays, funnel_progress: t.FunnelProgress}[
        function
    ]
    frame = run(function, complete(frames))
    assert frame.schema == table.schema()
    assert screen(table, frame).rejections == []
    return frame


def found_sessions(*given: Any) -> list[tuple[Any, ...]]:
    frame = of(sessions, {t.Events: events(*given)}).sort("started_at", "user_id")
    return frame.select("day", "user_id", "started_at", "ended_at", "events", "events_next_day").rows()


# --------------------------------------------------------------------------- sessions


def test_half_an_hour_without_an_event_ends_a_session() -> None:
    assert found_sessions(
        ("10:00:00", 0, "x", "a", "d"),
        ("10:29:59", 0, "x", "a", "d"),
        ("10:59:58.999", 0, "x", "a", "d"),
        ("11:28:58.999", 0, "x", "a", "d"),
        ("11:58:58.999", 0, "x", "a", "d"),
        ("10:05:00", 0, "x", "b", "e"),
    ) == [
        (DAY, "a", at("10:00:00"), at("11:28:58.999"), 4, 0),
        (DAY, "b", at("10:05:00"), at("10:05:00"), 1, 0),
        (DAY, "a", at("11:58:58.999"), at("11:58:58.999"), 1, 0),
    ]


def test_a_session_is_of_the_day_it_starts_on() -> None:
    assert found_sessions(
        ("23:50:00", 0, "x", "a", "d"),
        ("00:10:00", 1, "x", "a", "d"),
        ("00:35:00", 1, "x", "a", "d"),
        ("01:05:00", 1, "x", "a", "d"),
    ) == [
        (DAY, "a", at("23:50:00"), at("00:35:00", 1), 3, 2),
        (DAY + timedelta(days=1), "a", at("01:05:00", 1), at("01:05:00", 1), 1, 0),
    ]


def test_whoever_never_stops_begins_a_new_session_after_each_whole_day() -> None:
    # From 23:00 on day 0 to 02:40 on day 4: days 1 to 3 have no break.
    every = [at("23:00:00") + timedelta(minutes=20 * n) for n in range(3 + 24 * 3 * 3 + 9)]
    of_day = {day: [time for time in every if time.date() == DAY + timedelta(days=day)] for day in range(5)}
    assert found_sessions(*({"at": time, "account_id": "a"} for time in every)) == [
        (DAY, "a", every[0], of_day[1][-1], 3 + 72, 72),
        (DAY + timedelta(days=2), "a", of_day[2][0], of_day[2][-1], 72, 0),
        (DAY + timedelta(days=3), "a", of_day[3][0], of_day[3][-1], 72, 0),
        (DAY + timedelta(days=4), "a", of_day[4][0], every[-1], 9, 0),
    ]


def test_a_break_on_the_day_lets_a_session_go_on_past_midnight() -> None:
    until = [at("00:00:00") + timedelta(minutes=20 * n) for n in range(24 * 3 + 3)]
    times = [time for time in until if time != at("12:00:00")]
    assert [(row[2], row[3]) for row in found_sessions(*({"at": time, "account_id": "a"} for time in times))] == [
        (at("00:00:00"), at("11:40:00")),
        (at("12:20:00"), at("00:40:00", 1)),
    ]


def test_no_event_falls_between_the_sessions_of_an_account_and_of_its_device() -> None:
    # d is a's only from the second day on, when a has gone on with it across midnight.
    given_ = [
        ("23:50:00", 0, "x", "a", "e"),
        ("00:05:00", 1, "x", None, "d"),
        ("10:00:00", 2, "x", "a", "d"),
    ]
    assert [row[:2] + row[4:] for row in found_sessions(*given_)] == [
        (DAY, "a", 2, 1),
        (DAY + timedelta(days=2), "a", 1, 0),
    ]


def test_a_session_tells_where_and_with_what_it_was() -> None:
    frame = of(
        sessions,
        {
            t.Events: events(
                {"at": at("10:00:00"), "account_id": "a", "event_name": "start"},
                {"at": at("10:01:00"), "account_id": "a", "country": "Korea", "os": "iOS"},
                {"at": at("10:02:00"), "account_id": "a", "country": "Japan", "country_code": "JP", "app_version": "2"},
                {"at": at("10:03:30.500"), "account_id": "a", "event_name": "end", "os": "Android"},
            )
        },
    )
    [row] = frame.to_dicts()
    assert row["session_id"] == f"a@{int(at('10:00:00').timestamp()) * 1_000_000}"
    assert (row["first_event"], row["last_event"], row["duration_s"]) == ("start", "end", 210.5)
    assert (row["country"], row["os"], row["app_version"]) == ("Korea", "iOS", "2")


def test_an_anonymous_record_is_of_the_account_that_its_device_gets_within_a_day() -> None:
    day = timedelta(days=1)
    found = found_sessions(
        ("10:00:00", -1, "x", None, "d"),
        ("10:00:00", 0, "x", None, "d"),
        ("10:05:00", 0, "x", "a", "d"),
        ("10:06:00", 0, "x", "b", "d"),
        ("10:07:00", 0, "x", None, "d"),
        ("10:08:00", 0, "x", "a", None),
        ("10:00:00", 1, "x", None, "d"),
        ("10:00:00", 2, "x", None, "d"),
    )
    assert [(row[0], row[1], row[4]) for row in found] == [
        (DAY - day, "a", 1),
        (DAY, "a", 4),
        (DAY, "b", 1),
        (DAY + day, "a", 1),
        (DAY + 2 * day, "d", 1),
    ]


# --------------------------------------------------------------------------- payments


def paid(*given: dict[str, Any], settings_: pl.DataFrame | None = None) -> list[tuple[Any, ...]]:
    made = (
        {"at": at("10:00:00") + timedelta(seconds=n), "account_id": "a", "event_name": "purchase", **one}
        for n, one in enumerate(given)
    )
    frame = of(payments, {t.Events: events(*made), t.Products: product() if settings_ is None else settings_})
    return frame.sort("paid_at").select("amount", "currency").rows()


def test_amounts_and_currencies_of_payments() -> None:
    assert paid(
        {"properties": '{"price":9.99,"currency":"EUR"}'},
        {"properties": '{"price":"12.5","currency":" krw "}'},
        {"properties": '{"price":1e3,"currency":""}'},
        {"properties": '{"price":0.00005,"currency":null}'},
        {"properties": '{"price":-3}'},
        {"properties": '{"price":9000000000000000}'},
        {"properties": '{"price":true}'},
        {"properties": '{"price":"free"}'},
        {"properties": '{"price":null}'},
        {"properties": '{"other":{"price":1}}'},
        {"event_name": "play", "properties": '{"price":1}'},
    ) == [
        (Decimal("9.9900"), "EUR"),
        (Decimal("12.5000"), "KRW"),
        (Decimal("1000.0000"), "USD"),
        (Decimal("0.0000"), "USD"),
        (Decimal("-3.0000"), "USD"),
        (Decimal("9000000000000000.0000"), "USD"),
        *[(None, "USD")] * 4,
    ]


def test_settings_say_which_properties_they_are() -> None:
    nested = product(amount_property="#order.sum", currency_property="#order.in", currency=None)
    assert paid({"properties": '{"#order":{"sum":2,"in":"jpy"}}'}, {}, settings_=nested) == [
        (Decimal("2.0000"), "JPY"),
        (None, "XXX"),
    ]
    assert paid({"properties": '{"price":1}'}, settings_=product(amount_property=None, currency_property=None)) == [
        (None, "USD")
    ]
    assert paid({}, settings_=product(payment_event=None)) == []
    assert paid({}, settings_=product(product="other")) == []


def test_amounts_and_currencies_are_found_whatever_the_case_of_their_names() -> None:
    assert paid({"properties": '{"PRICE":2.5,"Currency":"eur","name":"Ü"}'}) == [(Decimal("2.5000"), "EUR")]
    nested = product(amount_property="Order.Sum", currency_property="Order.In")
    assert paid({"properties": '{"order":{"sum":2E1,"IN":"jpy"}}'}, settings_=nested) == [(Decimal("20.0000"), "JPY")]


def test_settings_that_name_no_property_are_refused() -> None:
    for name in ("two words", "a..b", "']", ""):
        assert screen(t.Products, product(amount_property=name)).rejected_rows == 1
    assert screen(t.Products, product(amount_property="#a.b_c")).rejected_rows == 0


# --------------------------------------------------------------------------- user days


def days_of(frames: Frames) -> dict[str, dict[str, Any]]:
    """Rows of user days by user, from events, operations and the settings; a test has one day."""
    known = complete({t.Products: product(), **frames})
    known[t.Sessions], known[t.Payments] = run(sessions, known), run(payments, known)
    return {row["user_id"]: row for row in of(user_days, known).to_dicts()}


def test_a_day_of_a_user() -> None:
    found = days_of(
        {
            t.Events: events(
                {"at": at("10:00:00"), "distinct_id": "d", "event_type": "track_first", "os": "iOS"},
                {"at": at("10:10:00"), "account_id": "a", "distinct_id": "d", "country_code": "KR"},
                {"at": at("12:00:00"), "account_id": "a", "event_name": "purchase", "properties": '{"price":1.1}'},
                {"at": at("12:00:30"), "account_id": "a", "event_name": "purchase", "properties": '{"price":2.2}'},
                {"at": at("12:00:00"), "distinct_id": "e"},
            )
        }
    )
    assert found.keys() == {"a", "e"}
    a = found["a"]
    assert (a["events"], a["sessions"], a["session_s"], a["is_anonymous"]) == (4, 2, 630.0, False)
    assert (a["payments"], a["revenue"], a["currency"]) == (2, Decimal("3.3000"), "USD")
    assert (a["first_at"], a["last_at"]) == (at("10:00:00"), at("12:00:30"))
    assert (a["os"], a["country"], a["app_version"], a["is_new_hint"]) == ("iOS", "KR", None, True)
    e = found["e"]
    assert (e["payments"], e["revenue"], e["currency"], e["is_new_hint"], e["is_anonymous"]) == (
        0,
        0,
        None,
        False,
        True,
    )


def test_amounts_in_several_currencies_are_not_added() -> None:
    found = days_of(
        {
            t.Events: events(
                *(
                    {"at": at("10:00:00"), "account_id": "a", "event_name": "purchase", "properties": text}
                    for text in ('{"price":1,"currency":"EUR"}', '{"price":1}')
                )
            )
        }
    )
    assert (found["a"]["payments"], found["a"]["revenue"], found["a"]["currency"]) == (2, None, None)


def test_setting_something_once_is_a_hint_at_a_new_user() -> None:
    operation = {"occurred_at": at("10:00:00"), "operation": "user_setOnce", "distinct_id": "d", "account_id": None}
    found = days_of(
        {
            t.Events: events(("10:00:00", 0, "x", "a", "d"), ("10:00:00", 0, "x", "b", "e")),
            t.UserOperations: rows(
                t.UserOperations, operation, operation | {"operation": "user_set", "distinct_id": "e"}
            ),
        }
    )
    assert {user: row["is_new_hint"] for user, row in found.items()} == {"a": True, "b": False}


def test_a_session_of_the_day_before_is_not_counted_again() -> None:
    frames: Frames = {t.Events: events(("23:50:00", 0, "x", "a", None), ("00:05:00", 1, "x", "a", None))}
    known = complete({t.Products: product(), **frames})
    known[t.Sessions] = run(sessions, known)
    frame = of(user_days, known).sort("day")
    assert frame.select("day", "events", "sessions", "session_s").rows() == [
        (DAY, 1, 1, 900.0),
        (DAY + timedelta(days=1), 1, 0, 0.0),
    ]


# --------------------------------------------------------------------------- whatever is made at once

Event = tuple[int, str, str | None, str | None]
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 5 * 86_400 - 1) | st.integers(-3, 3).map(lambda n: 2 * 86_400 + n * 900),
        st.sampled_from(["view", "cart", "purchase"]),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from(["d", "e"]),
    ),
    min_size=1,
    max_size=40,
)


def made_events(given: Sequence[Event]) -> pl.DataFrame:
    start = at("00:00:00")
    made = (
        {"at": start + timedelta(seconds=s), "event_name": n, "account_id": a, "distinct_id": d} for s, n, a, d in given
    )
    return events(*made)


def by_hand(frame: pl.DataFrame, target: date) -> set[tuple[str, datetime, datetime, int]]:
    """Sessions that start on a day, by a plain reading: each record's user from the three days around the record's."""
    times: dict[str, list[datetime]] = defaultdict(list)
    every = frame.sort("occurred_at", "event_id").to_dicts()
    for row in every:
        around = [other for other in every if abs((other["day"] - row["day"]).days) <= 1]
        together = [
            (other["occurred_at"], other["account_id"])
            for other in around
            if other["account_id"] and other["distinct_id"] == row["distinct_id"]
        ]
        bound = min(together)[1] if together else row["distinct_id"]
        times[row["account_id"] or bound].append(row["occurred_at"])
    found: set[tuple[str, datetime, datetime, int]] = set()
    for user, of_user in times.items():
        runs: list[list[datetime]] = []
        for time in of_user:
            if not runs or time - runs[-1][-1] >= timedelta(minutes=30):
                runs.append([])
            runs[-1].append(time)
        found |= {(user, run_[0], run_[-1], len(run_)) for run_ in runs if run_[0].date() == target}
    return found


@settings(max_examples=12)
@given(EVENTS)
def test_sessions_are_those_of_a_plain_reading(given_: list[Event]) -> None:
    frame = made_events(given_)
    made = of(sessions, {t.Events: frame})
    for day in range(5):
        target = DAY + timedelta(days=day)
        of_day = made.filter(day=target).select("user_id", "started_at", "ended_at", "events").rows()
        assert set(of_day) == by_hand(frame, target)
        assert len(set(of_day)) == len(of_day)


@settings(max_examples=6)
@given(EVENTS)
def test_a_day_is_the_same_made_alone_or_with_others(given_: list[Event]) -> None:
    whole = made_events(given_)
    settings_ = product(payment_event="purchase", funnels='[["view", "cart", "purchase"]]')
    steps = run(funnel_steps, {t.Products: settings_})

    def made(frame: pl.DataFrame) -> dict[type[Table], pl.DataFrame]:
        known = complete({t.Events: frame, t.Products: settings_, t.FunnelSteps: steps})
        for table, function in ((t.Sessions, sessions), (t.Payments, payments), (t.FunnelProgress, funnel_progress)):
            known[table] = run(function, known)
        known[t.UserDays] = run(user_days, known)
        return known

    together = made(whole)
    for day in range(5):
        target = DAY + timedelta(days=day)
        around = pl.col("day").is_between(target - timedelta(days=2), target + timedelta(days=2))
        alone = made(whole.filter(around))
        for table in (t.Sessions, t.Payments, t.UserDays, t.FunnelProgress):
            key = table.primary_key()
            assert_frame_equal(together[table].filter(day=target).sort(key), alone[table].filter(day=target).sort(key))


# --------------------------------------------------------------------------- funnels


def reached(funnels: str, *given: Any) -> list[tuple[Any, ...]]:
    known = {t.Products: product(funnels=funnels), t.Events: events(*given)}
    known[t.FunnelSteps] = run(funnel_steps, known)
    frame = of(funnel_progress, known).sort("funnel", "attempt_id", "step")
    return frame.select("funnel", "attempt_id", "step", "event_name", "user_id", "after_s").rows()


def test_steps_are_reached_in_their_order_within_a_session() -> None:
    assert reached(
        '[["view", "cart", "purchase"]]',
        ("09:59:00", 0, "cart", "a", None),
        ("10:00:00", 0, "view", "a", None),
        ("10:00:30", 0, "purchase", "a", None),
        ("10:01:00", 0, "cart", "a", None),
        ("10:01:30", 0, "cart", "a", None),
        ("10:02:00", 0, "purchase", "a", None),
        ("10:03:00", 0, "purchase", "a", None),
        ("10:04:00", 0, "view", "a", None),
        ("11:00:00", 0, "cart", "a", None),
        ("10:00:01", 0, "cart", "b", None),
    ) == [
        (1, "e1", 1, "view", "a", None),
        (1, "e1", 2, "cart", "a", 60.0),
        (1, "e1", 3, "purchase", "a", 60.0),
        (1, "e7", 1, "view", "a", None),
    ]


def test_a_new_first_event_begins_a_new_attempt() -> None:
    assert reached(
        '[["view", "cart"]]',
        ("10:00:00", 0, "view", "a", None),
        ("10:01:00", 0, "view", "a", None),
        ("10:02:00", 0, "cart", "a", None),
    ) == [(1, "e0", 1, "view", "a", None), (1, "e1", 1, "view", "a", None), (1, "e1", 2, "cart", "a", 60.0)]


def test_an_event_can_be_of_several_funnels() -> None:
    found = reached(
        '[["view", "purchase"], ["cart", "purchase"]]',
        ("10:00:00", 0, "view", "a", None),
        ("10:01:00", 0, "cart", "a", None),
        ("10:02:00", 0, "purchase", "a", None),
    )
    assert [(row[0], row[2], row[5]) for row in found] == [(1, 1, None), (1, 2, 120.0), (2, 1, None), (2, 2, 60.0)]


def test_an_attempt_is_of_the_day_on_which_its_session_starts() -> None:
    known = {
        t.Products: product(funnels='[["view", "cart"]]'),
        t.Events: events(
            ("23:55:00", 0, "x", "a", None), ("00:05:00", 1, "view", "a", None), ("00:06:00", 1, "cart", "a", None)
        ),
    }
    known[t.FunnelSteps] = run(funnel_steps, known)
    assert of(funnel_progress, known)["day"].to_list() == [DAY, DAY]


def test_steps_of_the_settings() -> None:
    frame = run(funnel_steps, {t.Products: product(funnels='[["a", "b"], ["c", "d", "e"]]')})
    assert frame.select("funnel", "step", "steps", "event_name").rows() == [
        (1, 1, 2, "a"),
        (1, 2, 2, "b"),
        (2, 1, 3, "c"),
        (2, 2, 3, "d"),
        (2, 3, 3, "e"),
    ]
    assert run(funnel_steps, {t.Products: product(funnels=None)}).height == 0


@pytest.mark.parametrize("text", ["{}", "[", '["a", "b"]', '[["a"]]', '[["a", "a"]]', '[["a", ""]]', "[[1, 2]]"])
def test_settings_that_are_no_funnels_are_reported(text: str) -> None:
    with pytest.raises(FunnelSettingsError, match=r"shop.*funnel"):
        run(funnel_steps, {t.Products: product(funnels=text)})
