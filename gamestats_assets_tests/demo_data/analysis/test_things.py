"""What is done with one thing agrees: what ends began, ids are those of what was looked at, bought or begun before.

Sheets of a few rows, from which logs are made as well; expectations are what a person reads in the sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse, payment_of
from gamestats_assets.demo_data.rules.configuration import Configuration, ProductInfo
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets_tests.demo_data.analysis.analyst_sheets import event, taxonomy
from gamestats_assets_tests.demo_data.analysis.test_values import Row
from gamestats_assets_tests.demo_data.generator.test_behaviour import simulated
from gamestats_assets_tests.demo_data.small_shop import by_user, sessions

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


def sheet_of(rows: Sequence[Row]) -> Taxonomy:
    """The taxonomy of some rows."""
    return taxonomy(*(event(name, *properties, description=text) for name, text, properties in rows))


def logs(rows: Sequence[Row], **run: Any) -> list[list[Record]]:
    """Events of every user of a product that is told by a sheet."""
    sheet = sheet_of(rows)
    configuration = Configuration.model_validate({"users": 80, "days": 12, "seed": 3, **run})
    found = by_user(simulated(sheet, analyse(sheet, ProductInfo()), configuration))
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


def test_an_interview_that_did_not_take_place_leads_to_no_offer() -> None:
    for of_user in logs(HIRING, **NEWCOMERS):
        names = [record["#event_name"] for record in of_user]
        assert names.count("offer_receive") <= names.count("interview_complete") <= names.count("interview_schedule")


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


def test_a_payment_tells_what_was_paid_before_what_was_ordered() -> None:
    rows: list[Row] = [
        ("order_submit", "order of shares", ["order_id", "order_amount:n|1000-90000"]),
        ("premium_subscribe", "monthly fee paid", ["pay_amount:n|9-99", "currency"]),
    ]
    assert payment_of(sheet_of(rows)) == ("premium_subscribe", "pay_amount")
