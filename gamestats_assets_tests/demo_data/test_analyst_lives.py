"""What takes days: each stage needs the one before; what is taken back was done; who works rests at weekends."""

from __future__ import annotations

from functools import cache

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy

SHEETS = {
    "visa": """
        app_open | app | App opened |
        sign_up | account | Once per applicant | method
        application_submitted | visa | Applicant sends the form | application_id, country
        biometrics_taken | visa | Fingerprints taken at the centre | application_id
        decision_made | visa | Embassy decides | application_id, processing_days:n
        passport_returned | visa | Passport handed over | application_id
        application_withdrawn | visa | Applicant withdraws before the decision | application_id
    """,
    "repair": """
        AppLaunch | アプリ | アプリ起動時 |
        Register | 会員 | 会員登録完了時 | Method
        RepairRequest | 修理 | 修理を申し込んだ時 | RepairId, Model
        DeviceArrive | 修理 | 端末がセンターに到着した時 | RepairId
        EstimateSend | 修理 | 見積を提示した時 | RepairId, Price:n
        RepairComplete | 修理 | 修理が完了した時 | RepairId, 所要日数:n
        DeviceShip | 修理 | 端末を返送した時 | RepairId
        RepairCancel | 修理 | 修理をキャンセルした時 | RepairId, Reason
    """,
    "furniture": """
        app_start | 공통 | 앱 실행 |
        join | 회원 | 가입 완료 (계정당 1회) | type
        order_complete | 주문 | 주문 완료 | order_id, price:n
        order_pack | 배송 | 상품 포장 완료 | order_id
        ship_start | 배송 | 배송 출발 | order_id
        ship_delay | 배송 | 배송이 지연되면 전송 | order_id
        ship_complete | 배송 | 배송 완료 | order_id, 소요일수:n
    """,
    "freight": """
        Session_Started | Platform | Console opened |
        Booking_Confirmed | Freight | Carrier confirms the booking | Booking_No
        Container_Loaded | Freight | Container on board | Booking_No
        Vessel_Departed | Freight | Ship leaves the port | Booking_No
        Container_Damaged | Freight | Container found damaged | Booking_No
        Container_Repaired | Freight | Damaged container repaired | Booking_No
        Vessel_Arrived | Freight | Ship reaches the port | Booking_No, Transit_Days:n
        Invoice_Paid | Billing | Invoice of the company paid | Amount:n
        Colleague_Invited | Account | Colleague invited to the team | Role
    """,
    "tasks": """
        app_opened | app | App comes to the foreground |
        signed_up | account | Once per user | method
        task_created | tasks | Task added to the list | task_id
        task_assigned | tasks | Task given to somebody | task_id, member
        task_completed | tasks | Task ticked off | task_id, days_open:n
    """,
    "quiz": """
        gameOpened | app | App comes to the foreground |
        questionShown | quiz | A question is shown | questionId
        answerPicked | quiz | Player picks an answer | questionId, millis:n
        answerReverted | quiz | Player takes the answer back | questionId
    """,
    "board": """
        sign_up | account | Once per person |
        project_created | Projects | A project has been set up | project_id
        task_created | Tasks | A task has been added to a project | project_id, task_id
        project_archived | Projects | A project has been archived | project_id
    """,
    "training": """
        sign_up | account | Once per person |
        start_workout | Workouts | A workout begins | workout_type
        pause_workout | Workouts | The running workout is paused | workout_type
        resume_workout | Workouts | The paused workout goes on | workout_type
        finish_workout | Workouts | A workout has been carried out to its end | workout_type, workout_minutes:n
        abandon_workout | Workouts | A workout has been broken off | workout_type, workout_minutes:n
    """,
}
_TYPES = {"": PropertyType.STRING, "n": PropertyType.NUMBER}


@cache
def sheet(name: str) -> Taxonomy:
    """The taxonomy of a text whose lines are name, tag, description and properties of an event."""
    events = []
    for line in SHEETS[name].strip().splitlines():
        event, tag, description, properties = (part.strip() for part in line.split("|"))
        told = [text.partition(":") for text in properties.split(", ") if text]
        own = tuple(Property(name=prop, type=_TYPES[kind]) for prop, _, kind in told)
        events.append(Event(name=event, tag=tag, description=description, properties=own))
    return Taxonomy(name=name, events=tuple(events))


@cache
def rules_of(name: str) -> Rules:
    """What the analyst makes of it."""
    return analyse(sheet(name), ProductInfo(industry="other", name=name))


def asked(name: str, event: str) -> list[str]:
    """What must have happened before an event, directly."""
    return rules_of(name).event_constraints.prerequisites.get(event, [])


@pytest.mark.parametrize("name", SHEETS)
def test_rules_are_sound(name: str) -> None:
    assert problems(rules_of(name), sheet(name)) == []


@pytest.mark.parametrize(
    ("name", "stage", "before"),
    [
        ("visa", "decision_made", "biometrics_taken"),
        ("visa", "passport_returned", "decision_made"),
        ("repair", "DeviceArrive", "RepairRequest"),
        ("repair", "EstimateSend", "DeviceArrive"),
        ("repair", "RepairComplete", "EstimateSend"),
        ("repair", "DeviceShip", "RepairComplete"),
        ("furniture", "order_pack", "order_complete"),
        ("furniture", "ship_start", "order_pack"),
        ("furniture", "ship_complete", "ship_start"),
        ("freight", "Vessel_Departed", "Container_Loaded"),
        ("freight", "Container_Repaired", "Container_Damaged"),
        ("freight", "Vessel_Arrived", "Vessel_Departed"),
    ],
)
def test_stages_of_what_takes_days_need_the_one_before(name: str, stage: str, before: str) -> None:
    assert before in asked(name, stage)


@pytest.mark.parametrize(
    ("name", "event", "other"),
    [
        ("visa", "application_withdrawn", "decision_made"),
        ("repair", "RepairCancel", "RepairComplete"),
        ("freight", "Vessel_Arrived", "Container_Damaged"),
        ("freight", "Vessel_Arrived", "Container_Repaired"),
        ("tasks", "task_completed", "task_assigned"),
    ],
)
def test_no_life_needs_what_is_not_in_every_one(name: str, event: str, other: str) -> None:
    assert other not in asked(name, event)


def test_companies_rest_at_weekends() -> None:
    def week(name: str) -> list[float]:
        return rules_of(name).segment_analysis["active_user"].activity.weekday_weights

    assert max(week("freight")[5:]) < 0.5 * min(week("freight")[:5])
    assert max(week("quiz")[5:]) > 0.8 * min(week("quiz")[:5])


def test_how_long_it_took_is_told_by_each_way_in_which_it_ends() -> None:
    found = rules_of("training").property_constraints
    for event in ("finish_workout", "abandon_workout"):
        assert found[f"{event}/workout_type"].same_as_before
        told = found[f"{event}/workout_minutes"]
        assert (told.elapsed, told.unit_s, told.same_as_before) == ("flow", 60, False)
