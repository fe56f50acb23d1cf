"""Every check of event logs passes on sound data and finds the violation planted for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from gamestats_assets.demo_data import tables as t
from gamestats_assets.demo_data.assets import game
from gamestats_assets.demo_data.tables import checks
from gamestats_assets_tests.demo_data.log_scenario import DAY, derive, of_records, product, record, rows
from gamestats_assets_tests.support.checks import ChecksOfAGame
from gamestats_assets_tests.support.frames import Frames, Planted, breaking, changed, doubled, run_sql, without

BY_NAME = {check.name: check for check in checks.ALL}


def _visit(clock: str, user: str, day: int, *, price: float | None = None) -> list[dict[str, Any]]:
    ids = {"account_id": user, "distinct_id": f"device-{user}", "day": day}
    properties = {"level": 3, "#os": "iOS", "tags": ["x"]}
    found = [
        record(f"{clock}:{minute:02d}:00", name=name, properties=properties, **ids)
        for minute, name in enumerate(("start", "view"))
    ]
    if price is not None:
        found.append(record(f"{clock}:05:00", name="purchase", properties={"price": price}, **ids))
    return found


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Every table of a product with users of all kinds, whose logs break no rule."""
    records = [
        *_visit("10", "a", 0, price=9.99),
        *_visit("10", "a", 1, price=1.5),
        *_visit("12", "a", 1),
        *_visit("10", "b", 0),
        *_visit("23", "b", 1, price=3),
        *_visit("10", "c", 2),
        record("23:59:00", account_id="c", distinct_id="device-c", day=1),
        record("00:10:00", account_id="c", distinct_id="device-c", day=2),
        record("10:00:00", account_id=None, distinct_id="nobody", day=2),
        record("10:00:00", type="user_set", properties={"gold": 5}),
        record("11:00:00", type="user_add", properties={"gold": 5}),
        record("11:00:00", type="user_del", account_id="gone", distinct_id=None, day=1),
        record("10:00:00", type="track_update", name="quest", event_id="q", account_id="a", properties={"level": 1}),
        record("10:01:00", type="track_update", name="quest", event_id="q", account_id="a", properties={"level": 2}),
    ]
    bronze = of_records(tmp_path_factory.mktemp("logs"), *records)
    taxonomy = rows(
        t.DemoTaxonomy,
        *(
            {"scope": scope, "event_name": event, "property": name, "property_type": kind}
            for scope, event, name, kind in (
                *(("event", event, "", None) for event in ("start", "view", "purchase", "play", "quest")),
                ("event", "purchase", "price", "number"),
                ("common", "", "Level", "number"),
                ("common", "", "tags", "list"),
                ("user", "", "gold", "number"),
            )
        ),
    )
    settings = product(funnels='[["start", "view", "purchase"]]')
    # The log is of one day, so that what came after it is not late.
    return derive({**bronze, t.Products: settings, t.DemoTaxonomy: taxonomy})


# --------------------------------------------------------------------------- planting


def more(column: str, by: float = 1) -> dict[str, pl.Expr]:
    return {column: pl.col(column) + by}


TWO_SESSIONS = (pl.col("user_id") == "a") & (pl.col("day") == DAY + timedelta(days=1))
GOES_ON = (pl.col("user_id") == "c") & (pl.col("day") == DAY + timedelta(days=2))
PLAYED = pl.col("event_name") == "play"
PRICE = pl.col("property") == "price"
SECOND_STEP = pl.col("step") == 2
HALF_AN_HOUR = timedelta(minutes=30)

VIOLATIONS: list[tuple[str, Callable[[Frames], Planted]]] = [
    ("every_line_is_counted", changed(t.LogFiles, **more("lines"))),
    ("every_line_is_counted", without(t.RecordCounts)),
    ("every_line_is_counted", without(t.LogFiles)),
    ("no_more_rows_than_kept_records", doubled(t.Events)),
    ("no_more_rows_than_kept_records", doubled(t.UserOperations)),
    ("no_more_rows_than_kept_records", without(t.RecordCounts, PLAYED)),
    ("every_kept_record_is_a_row", without(t.Events)),
    ("every_kept_record_is_a_row", without(t.UserOperations)),
    ("no_record_stands_twice", doubled(t.Events, PLAYED, event_name="view")),
    ("no_record_stands_twice", doubled(t.UserOperations)),
    ("few_records_are_late", changed(t.RecordCounts, late=pl.col("records"))),
    ("few_records_come_twice", changed(t.RecordCounts, duplicates=pl.col("records"))),
    ("copies_say_the_same", changed(t.RecordCounts, duplicates=1, differing=1)),
    ("root_keys_are_known", changed(t.RecordCounts, unknown_root_keys=1)),
    ("events_are_declared", changed(t.RecordCounts, PLAYED, event_name="never_heard_of")),
    ("events_are_declared", without(t.DemoTaxonomy, PLAYED)),
    ("payments_are_recognised", changed(t.Products, payment_event=None, amount_property=None)),
    ("payments_are_recognised", changed(t.Products, product="other")),
    ("properties_are_declared", changed(t.PropertyTypes, PRICE, property="prize")),
    ("properties_are_declared", without(t.DemoTaxonomy, pl.col("property") == "Level")),
    ("properties_are_declared", changed(t.PropertyTypes, pl.col("property") == "gold", property="silver")),
    ("properties_have_their_declared_type", changed(t.PropertyTypes, PRICE, json_type="string")),
    ("properties_have_their_declared_type", changed(t.DemoTaxonomy, PRICE, property_type="time")),
    (
        "properties_have_their_declared_type",
        changed(t.PropertyTypes, pl.col("property") == "tags", json_type="object_group"),
    ),
    ("properties_have_their_declared_type", changed(t.PropertyTypes, pl.col("property") == "gold", json_type="list")),
    (
        "properties_have_one_type",
        doubled(t.PropertyTypes, PRICE, property="PRICE", event_name="view", json_type="boolean"),
    ),
    ("properties_keep_their_first_type", changed(t.ObservedProperties, PRICE, json_type="string")),
    ("distinct_ids_have_one_account", changed(t.Identities, accounts=2)),
    (
        "sessions_are_apart",
        changed(t.Sessions, TWO_SESSIONS, ended_at=pl.col("ended_at") + timedelta(hours=1, minutes=40)),
    ),
    ("user_days_hold_every_event", without(t.UserDays)),
    ("user_days_hold_every_event", changed(t.UserDays, **more("events"))),
    ("user_days_hold_every_event", without(t.Events)),
    ("sessions_hold_every_event", without(t.Sessions)),
    ("sessions_hold_every_event", without(t.Sessions, TWO_SESSIONS)),
    ("sessions_hold_every_event", without(t.UserDays)),
    ("sessions_hold_every_event", changed(t.Sessions, **more("events"))),
    ("sessions_hold_every_event", changed(t.Sessions, events_next_day=1)),
    ("sessions_hold_every_event", changed(t.UserDays, **more("sessions"))),
    ("sessions_hold_every_event", changed(t.UserDays, **more("session_s"))),
    ("sessions_hold_every_event", changed(t.UserDays, GOES_ON, first_at=pl.col("first_at") + HALF_AN_HOUR)),
    ("sessions_hold_every_event", changed(t.UserDays, GOES_ON, events=2)),
    ("every_payment_event_is_a_payment", without(t.Payments)),
    ("every_payment_event_is_a_payment", doubled(t.Payments, event_id="another")),
    ("payments_tell_an_amount", changed(t.Payments, amount=None)),
    ("user_days_hold_every_payment", changed(t.UserDays, pl.col("payments") == 1, **more("revenue"))),
    ("user_days_hold_every_payment", changed(t.UserDays, **more("payments"))),
    ("user_days_hold_every_payment", changed(t.UserDays, revenue=None)),
    ("user_days_hold_every_payment", doubled(t.Payments, currency="EUR")),
    ("active_days_hold_every_event", without(t.ActiveDays)),
    ("active_days_hold_every_event", changed(t.ActiveDays, **more("sessions"))),
    ("active_days_hold_every_event", changed(t.UserDays, **more("events"))),
    ("everybody_has_a_profile", without(t.UserProfiles, pl.col("user_id") == "nobody")),
    ("everybody_has_a_profile", without(t.UserProfiles, pl.col("user_id") == "a")),
    ("everybody_has_a_profile", doubled(t.UserOperations, account_id="silent", operation="user_add")),
    ("operations_fit_their_properties", changed(t.UserProfiles, misfits=1)),
    ("active_users_add_up", without(t.DailyActiveUsers)),
    ("active_users_add_up", doubled(t.DailyActiveUsers, day=DAY + timedelta(days=9))),
    ("active_users_add_up", changed(t.DailyActiveUsers, **more("new_users"))),
    ("active_users_add_up", changed(t.DailyActiveUsers, wau=pl.col("dau") - 1)),
    ("active_users_add_up", changed(t.DailyActiveUsers, mau=pl.col("wau") - 1)),
    ("active_users_add_up", changed(t.DailyActiveUsers, stickiness=0.1)),
    (
        "active_users_add_up",
        changed(t.DailyActiveUsers, **more("dau", 5), **more("new_users", 5), **more("wau", 5), **more("mau", 5)),
    ),
    ("active_users_add_up", changed(t.DailyActiveUsers, **more("events"))),
    ("active_users_add_up", changed(t.DailyActiveUsers, **more("sessions"))),
    ("everybody_is_new_once", changed(t.DailyActiveUsers, **more("new_users"))),
    ("everybody_is_new_once", without(t.ActiveDays, pl.col("user_id") == "nobody")),
    ("retention_begins_with_everybody", changed(t.Retention, strict_users=0)),
    ("retention_begins_with_everybody", changed(t.Retention, rolling_users=0)),
    ("retention_begins_with_everybody", changed(t.Retention, **more("cohort_users"))),
    ("retention_begins_with_everybody", without(t.Retention)),
    (
        "retention_is_a_part_of_the_cohort",
        changed(t.Retention, pl.col("day_number") == 1, strict_users=pl.col("rolling_users") + 1),
    ),
    (
        "retention_is_a_part_of_the_cohort",
        changed(t.Retention, pl.col("day_number") == 2, rolling_users=pl.col("cohort_users") + 1),
    ),
    ("retention_is_a_part_of_the_cohort", changed(t.Retention, pl.col("day_number") == 90, strict_users=0)),
    ("retention_is_a_part_of_the_cohort", changed(t.Retention, pl.col("day_number") == 1, strict_share=0.9)),
    ("retention_is_a_part_of_the_cohort", changed(t.Retention, pl.col("day_number") == 1, rolling_share=0.9)),
    ("funnel_steps_never_grow", changed(t.Funnels, SECOND_STEP, **more("users", 5))),
    ("funnel_steps_never_grow", changed(t.Funnels, SECOND_STEP, **more("attempts", 5))),
    ("funnel_steps_never_grow", changed(t.Funnels, users=pl.col("attempts") + 1)),
    ("funnel_steps_never_grow", changed(t.Funnels, **more("converted_users"))),
    ("funnel_steps_never_grow", changed(t.Funnels, converted_attempts=None)),
    ("funnels_hold_every_attempt", without(t.Funnels)),
    ("funnels_hold_every_attempt", without(t.FunnelProgress)),
    ("funnels_hold_every_attempt", changed(t.Funnels, SECOND_STEP, **more("attempts"))),
    ("revenue_holds_every_payment", without(t.Revenue)),
    ("revenue_holds_every_payment", changed(t.Revenue, revenue=Decimal("10"))),
    ("revenue_holds_every_payment", changed(t.Revenue, **more("payments"))),
    ("revenue_holds_every_payment", changed(t.Revenue, cumulative_revenue=Decimal("10"))),
    ("revenue_holds_every_payment", doubled(t.Payments, currency="EUR")),
    ("payers_are_active_users", changed(t.Revenue, payers=3, payments=9)),
    ("payers_are_active_users", changed(t.Revenue, pl.col("payers") == 1, payments=0)),
    ("payers_are_active_users", changed(t.Revenue, **more("new_payers", 5))),
    ("payers_are_active_users", changed(t.Revenue, day=DAY + timedelta(days=9))),
    ("everybody_is_in_one_segment", changed(t.Segments, **more("users"))),
    ("everybody_is_in_one_segment", changed(t.Segments, share=0.5)),
    ("everybody_is_in_one_segment", without(t.Segments, pl.col("users") > 0)),
]


# --------------------------------------------------------------------------- tests


def test_the_sound_data_hold_what_the_checks_look_at(sound: Frames) -> None:
    assert all(sound[table].height for table in t.ALL if table not in (t.DemoRules, t.DemoUsers, t.DemoLogs))
    assert sound[t.Payments].height == 3
    assert sound[t.UserDays].filter(GOES_ON)["events"].item() == 3
    assert sound[t.Sessions].filter(TWO_SESSIONS).height == 2


class TestChecks(ChecksOfAGame):
    checks, violations, game = checks.ALL, VIOLATIONS, staticmethod(game)


def test_what_a_log_can_bring_stops_nothing() -> None:
    warnings = {check.name for check in checks.ALL if not check.blocking}
    assert warnings == {
        "every_kept_record_is_a_row",
        "few_records_are_late",
        "few_records_come_twice",
        "copies_say_the_same",
        "root_keys_are_known",
        "events_are_declared",
        "payments_are_recognised",
        "properties_are_declared",
        "properties_have_their_declared_type",
        "properties_have_one_type",
        "properties_keep_their_first_type",
        "distinct_ids_have_one_account",
        "payments_tell_an_amount",
        "operations_fit_their_properties",
    }


@pytest.mark.parametrize(
    ("name", "looks_like_one"),
    [
        ("buy", True),
        ("IAPPurchase", True),
        ("subscriptionPurchased", True),
        ("Invoice_Paid", True),
        ("buyer_rated", False),
        ("payment_method_added", False),
        ("purchaseFailed", False),
        ("Claim_Paid_Out", False),
        ("display", False),
    ],
)
def test_what_looks_like_a_payment_is_reported_while_nobody_says_which_event_is_one(
    name: str, looks_like_one: bool, sound: Frames
) -> None:
    named = pl.when(pl.col("event_name") == "purchase").then(pl.lit(name)).otherwise("event_name")
    frames = {**sound, t.Products: product(payment_event=None, amount_property=None)}
    for table in (t.RecordCounts, t.PropertyTypes):
        frames[table] = sound[table].with_columns(event_name=named)
    found = breaking(BY_NAME["payments_are_recognised"], frames).sort("day")
    expected = [(DAY, name, 1, "price"), (DAY + timedelta(days=1), name, 2, "price")]
    assert found.select("day", "event_name", "records", "numbers").rows() == (expected if looks_like_one else [])


def test_a_day_without_users_has_its_row(sound: Frames) -> None:
    frames = {**sound, t.UserDays: rows(t.UserDays, {"user_id": "a"}, {"user_id": "a", "day": 2})}
    for table in (t.ActiveDays, t.DailyActiveUsers):
        frames[table] = run_sql(table, frames)
    check = BY_NAME["active_users_add_up"]
    assert breaking(check, frames).height == 0
    nobody = pl.col("dau") == 0
    for plant in (without(t.DailyActiveUsers, nobody), changed(t.DailyActiveUsers, nobody, stickiness=None)):
        assert breaking(check, {**frames, **plant(frames)}).height == 1
