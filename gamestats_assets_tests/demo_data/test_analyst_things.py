"""What is done with one thing agrees: what ends began, ids are those of what was looked at, bought or begun before.

Sheets of a few rows, from which logs are made as well; expectations are what a person reads in the sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from gamestats_assets.demo_data import names
from gamestats_assets.demo_data.analysis.analyst import analyse, payment_of
from gamestats_assets.demo_data.configuration import Configuration, ProductInfo
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import Event, Taxonomy
from gamestats_assets_tests.demo_data.small_shop import at, by_user, sessions
from gamestats_assets_tests.demo_data.test_analyst_values import Row, constraint, prop, rules_of
from gamestats_assets_tests.demo_data.test_behaviour import simulated

Record = dict[str, Any]

LEARNING: list[Row] = [
    ("class_view", "page of a class", ["class_id"]),
    ("class_enroll", "signed up for a class", ["class_id", "price:n|0-200"]),
    ("lecture_start", "lecture begun", ["class_id", "lecture_id"]),
    ("lecture_complete", "lecture seen", ["class_id", "lecture_id"]),
    ("exam_submit", "exam handed in", ["class_id", "score:n|0-100", "passed:b"]),
    ("class_complete", "class finished", ["class_id"]),
    ("diploma_download", "diploma saved", ["class_id"]),
]
CANTEEN: list[Row] = [
    ("app_open", "opened", []),
    ("menu_view", "menu of a kitchen", ["kitchen_id"]),
    ("dish_add", "dish added to the basket", ["kitchen_id", "dish_id", "dish_price:n|3-40", "quantity:n|1-5"]),
    ("order_place", "order placed", ["order_id", "kitchen_id", "subtotal:n|3-200"]),
    ("order_deliver", "order delivered", ["order_id"]),
    ("rate_order", "stars given", ["order_id", "stars:n|1-5"]),
]
FLATS: list[Row] = [
    ("flat_search", "search", ["region"]),
    ("flat_view", "page of a flat", ["flat_id", "asking_price:n|50000-900000"]),
    ("save_flat", "kept", ["flat_id"]),
    ("unsave_flat", "removed from saved", ["flat_id"]),
    ("book_viewing", "viewing booked", ["flat_id", "viewing_date:t"]),
    ("cancel_viewing", "viewing called off", ["flat_id"]),
]
GARAGE: list[Row] = [
    ("vehicle_add", "vehicle added", ["vehicle_id"]),
    ("vehicle_remove", "vehicle removed", ["vehicle_id"]),
    ("gate_enter", "car drives in", ["parking_id", "vehicle_id"]),
    ("parking_extend", "time extended", ["parking_id", "extra_hours:n|1-4"]),
    ("gate_exit", "car drives out", ["parking_id", "minutes_parked:n|10-720"]),
]
HIRING: list[Row] = [
    ("job_search", "search", ["keyword"]),
    ("job_view", "posting opened", ["job_id", "job_title", "salary_min:n|20000-90000", "salary_max:n|25000-99000"]),
    ("job_apply", "application sent", ["application_id", "job_id"]),
    ("interview_schedule", "interview agreed", ["application_id", "interview_date:t"]),
    ("interview_complete", "interview took place", ["application_id"]),
    ("offer_receive", "offer received", ["application_id"]),
    ("skills_update", "skills edited", ["skills:l|sql, excel, design, sales", "skill_count:n|1-4"]),
]
WALLET: list[Row] = [
    ("asset_view", "page of an asset", ["asset_id"]),
    ("asset_buy", "asset bought", ["trade_id", "asset_id", "quantity:n|1-20"]),
    ("asset_sell", "asset sold", ["trade_id", "asset_id", "quantity:n|1-20"]),
    ("stake_start", "staking begun", ["stake_id", "lock_days:n|7-90"]),
    ("stake_end", "staking ended", ["stake_id"]),
]
STAYS: list[Row] = [
    ("member_enroll", "joins the programme", ["tier"]),
    ("hotel_search", "search", ["city", "checkin_date:t"]),
    ("hotel_view", "page of a hotel", ["hotel_id"]),
    ("booking_create", "stay booked", ["booking_id", "hotel_id", "checkin_date:t"]),
    ("hotel_checkin", "guest arrives", ["booking_id"]),
    ("room_service_order", "meal ordered", ["booking_id"]),
    ("hotel_checkout", "guest leaves", ["booking_id"]),
    ("stay_review", "stay reviewed", ["booking_id", "stars:n|1-5"]),
]


def logs(rows: Sequence[Row], **run: Any) -> list[list[Record]]:
    """Events of every user of a product that is told by a sheet."""
    events = tuple(Event(name=n, description=d, properties=tuple(map(prop, p))) for n, d, p in rows)
    taxonomy = Taxonomy(name="sheet", events=events)
    configuration = Configuration.model_validate({"users": 80, "days": 12, "seed": 3, **run})
    found = by_user(simulated(taxonomy, analyse(taxonomy, ProductInfo()), configuration))
    return [[record for record in of_user if record["#type"] == "track"] for of_user in found.values()]


def told_before(users: Sequence[Sequence[Record]], event: str, source: str, name: str) -> tuple[int, int]:
    """How often an event tells an id, and how often of those its user had told it before by another event."""
    told = known = 0
    for of_user in users:
        seen: set[Any] = set()
        for record in of_user:
            if record["#event_name"] == source:
                seen.add(record["properties"][name])
            elif record["#event_name"] == event:
                told, known = told + 1, known + (record["properties"][name] in seen)
    return told, known


NEWCOMERS = {"users": 250, "segments": {"new_user": 1}, "sign_up_share_in_run": 1}


@pytest.mark.parametrize(
    ("rows", "event", "source", "name"),
    [
        (LEARNING, "class_enroll", "class_view", "class_id"),
        (CANTEEN, "order_place", "dish_add", "kitchen_id"),
        (FLATS, "unsave_flat", "save_flat", "flat_id"),
        (GARAGE, "gate_exit", "gate_enter", "parking_id"),
        (GARAGE, "vehicle_remove", "vehicle_add", "vehicle_id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_new_users_tell_the_id_of_what_an_earlier_event_gave(
    rows: Sequence[Row], event: str, source: str, name: str
) -> None:
    told, known = told_before(logs(rows, **NEWCOMERS), event, source, name)
    assert told >= 5
    assert known == told


@pytest.mark.parametrize(
    ("numbers", "says"),
    [(["score:n|0-100"], "score >= 60"), (["score:n|0-10", "passing_score:n|5-8"], "score >= passing_score")],
)
def test_passing_follows_the_score(numbers: list[str], says: str) -> None:
    rules = rules_of("education", [("exam_submit", "exam handed in", [*numbers, "is_passed:b"])])
    formulas = {key: told.formula for key, told in rules.property_relationships.items()}
    assert formulas.get("exam_submit/is_passed", formulas.get("is_passed")) == says


def test_who_has_enough_points_has_passed() -> None:
    exams = [r["properties"] for user in logs(LEARNING) for r in user if r["#event_name"] == "exam_submit"]
    assert {told["passed"] for told in exams} == {True, False}
    assert all(told["passed"] == (told["score"] >= 60) for told in exams)


def test_what_is_put_into_a_basket_by_its_description_is_what_is_ordered() -> None:
    rules = rules_of("food delivery", CANTEEN)
    total = constraint(rules, "order_place/subtotal").totals
    assert total is not None
    assert total.adds == {"dish_add": "dish_price * quantity"}
    assert total.until[0] == "order_place"  # and not the stars for the order
    assert "dish_add" in rules.event_constraints.prerequisites["order_place"]


def test_a_viewing_is_booked_for_later_and_a_flat_has_one_price() -> None:
    users = logs(FLATS)
    booked = [record for user in users for record in user if record["#event_name"] == "book_viewing"]
    assert len(booked) > 10
    assert all(datetime.fromisoformat(r["properties"]["viewing_date"]) > at(r) for r in booked)
    seen = [record["properties"] for user in users for record in user if record["#event_name"] == "flat_view"]
    prices: dict[str, set[float]] = {}
    for told in seen:
        prices.setdefault(told["flat_id"], set()).add(told["asking_price"])
    assert len(prices) > 10
    assert all(len(of_flat) == 1 for of_flat in prices.values())


def sequences(rules: Rules) -> list[list[list[str]]]:
    return [[step.events for step in sequence.steps] for sequence in rules.event_constraints.sequences]


def test_an_interview_that_did_not_take_place_leads_to_no_offer() -> None:
    for of_user in logs(HIRING, **NEWCOMERS):
        names = [record["#event_name"] for record in of_user]
        assert names.count("offer_receive") <= names.count("interview_complete") <= names.count("interview_schedule")


def test_a_salary_from_and_to_is_no_duration() -> None:
    assert constraint(rules_of("recruiting", HIRING), "job_view/salary_min").elapsed is None


def test_a_list_has_as_many_entries_as_the_number_beside_says_and_none_twice() -> None:
    assert constraint(rules_of("recruiting", HIRING), "skills_update/skills").rows_by == "skill_count"
    edited = [r["properties"] for user in logs(HIRING) for r in user if r["#event_name"] == "skills_update"]
    assert len({told["skill_count"] for told in edited}) > 2
    assert all(len(told["skills"]) == len(set(told["skills"])) == told["skill_count"] for told in edited)


def test_who_leaves_the_onboarding_and_can_do_nothing_else_does_not_come_back() -> None:
    rows: list[Row] = [
        ("app_open", "opened", []),
        ("tutorial_start", "tutorial begun", []),
        ("tutorial_step", "one step of the tutorial", ["step:n|1-8"]),
        ("tutorial_complete", "tutorial finished", []),
        ("mission_start", "mission begun", ["mission_id"]),
        ("mission_clear", "mission won", ["mission_id"]),
    ]
    left = 0
    for of_user in logs(rows, **NEWCOMERS):
        names = {record["#event_name"] for record in of_user}
        if "tutorial_complete" not in names and "mission_start" not in names:
            left += 1
            assert len(list(sessions(of_user))) == 1
    assert left > 5


def test_a_posting_is_of_one_employer_and_titles_are_those_of_jobs() -> None:
    seen = ("job_view", "posting opened", ["job_id", "job_title", "company_name"])
    rules = rules_of("recruiting", [*[row for row in HIRING if row[0] != "job_view"], seen])
    for name, pattern in (("job_title", "job"), ("company_name", "company")):
        told = constraint(rules, f"job_view/{name}")
        assert told.depends_on == "job_id"
        assert {value for values in told.mapping.values() for value in values} <= {*names.pool(pattern, "en_US")}


def test_pay_is_what_a_person_earns_however_long_they_are_users() -> None:
    profile = ("profile_complete", "", ["desired_salary:n|20000-250000", "years_experience:n|0-40"])
    rules = rules_of("recruiting", [("app_open", "opened", []), profile, *HIRING])
    for name in ("desired_salary", "years_experience"):
        found = {
            (own.min, own.max, own.mean)
            for analysis in rules.segment_analysis.values()
            if (own := analysis.property_ranges.get(name) or rules.value_ranges[name])
        }
        assert len(found) == 1
        assert found.pop()[1] == rules.value_ranges[name].max


def test_a_membership_is_on_from_its_purchase_to_its_end() -> None:
    sheet = Taxonomy(
        name="sheet",
        events=(Event(name="app_open"), Event(name="buy_premium"), Event(name="cancel_premium")),
        common_properties=(prop("is_premium:b"),),
        user_properties=(prop("is_premium:b"),),
    )
    updates = analyse(sheet, ProductInfo()).update_patterns
    assert {event: updates[event]["is_premium"].value for event in updates} == {
        "buy_premium": True, "cancel_premium": False,
    }  # fmt: skip


def test_a_payment_tells_what_was_paid_before_what_was_ordered() -> None:
    rows: list[Row] = [
        ("order_submit", "order of shares", ["order_id", "order_amount:n|1000-90000"]),
        ("premium_subscribe", "monthly fee paid", ["pay_amount:n|9-99", "currency"]),
    ]
    sheet = Taxonomy(
        name="sheet",
        events=tuple(Event(name=n, description=d, properties=tuple(map(prop, of))) for n, d, of in rows),
    )
    assert payment_of(sheet) == ("premium_subscribe", "pay_amount")


def test_cash_is_what_was_there_and_what_came_or_went() -> None:
    sheet = Taxonomy(
        name="sheet",
        events=(
            Event(name="deposit", properties=tuple(map(prop, ["deposit_krw:n|10000-50000000", "cash_after:n"]))),
            Event(
                name="withdraw",
                properties=tuple(map(prop, ["withdraw_krw:n|10000-20000000", "cash_before:n", "cash_after:n"])),
            ),
        ),
        user_properties=(prop("cash:n"),),
    )
    rules = analyse(sheet, ProductInfo(industry="finance"))
    checked = 0
    for life in by_user(simulated(sheet, rules, Configuration(users=60, days=5, seed=3))).values():
        for record in life:
            told = record["properties"]
            if record.get("#event_name") == "withdraw":
                assert told["cash_after"] == pytest.approx(told["cash_before"] - told["withdraw_krw"], abs=1)
                checked += 1
            elif record.get("#event_name") == "deposit":
                assert told["cash_after"] >= told["deposit_krw"]
    assert checked > 10
