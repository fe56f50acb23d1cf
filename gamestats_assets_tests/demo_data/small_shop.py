"""A small product for tests, with rules written by hand: what is expected of its data follows from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from gamestats_assets.demo_data.rules.model import (
    Activity,
    EventConstraints,
    EventSequence,
    LifecycleStage,
    PropertyConstraint,
    PropertyRelationship,
    Rules,
    SegmentAnalysis,
    Step,
    Update,
    ValueRange,
)
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy, UpdateMode

NUMBER, STRING, BOOLEAN, TIME = PropertyType.NUMBER, PropertyType.STRING, PropertyType.BOOLEAN, PropertyType.TIME


def number(name: str, **keywords: Any) -> Property:
    """A number."""
    return Property(name=name, type=NUMBER, **keywords)


def text(name: str, **keywords: Any) -> Property:
    """A text."""
    return Property(name=name, type=STRING, **keywords)


TAXONOMY = Taxonomy(
    name="small_shop",
    events=(
        Event(name="install"),
        Event(name="start"),
        Event(name="sign_up"),
        Event(name="tour", properties=(number("tour_step"),)),
        Event(name="view", properties=(text("item_id"), number("price"))),
        Event(name="cart", properties=(text("item_id"), number("price"), number("count"))),
        Event(
            name="buy",
            properties=(text("item_id"), number("price"), number("count"), number("total"), text("order_id")),
        ),
        Event(name="cancel", properties=(text("order_id"), text("reason"))),
        Event(name="earn", properties=(number("coins"), number("coins_after"))),
        Event(name="spend", properties=(number("coins"), number("coins_after"))),
        Event(name="club"),
        Event(name="club_talk"),
        Event(name="end", properties=(number("#duration"),)),
        Event(name="ad_report", properties=(number("cost"),)),
    ),
    common_properties=(text("shop"), number("level")),
    user_properties=(
        number("level", update=UpdateMode.SET),
        number("spent", update=UpdateMode.ADD),
        number("purchases", update=UpdateMode.ADD),
        Property(name="first_purchase", type=TIME, update=UpdateMode.SET_ONCE),
        number("coins", update=UpdateMode.SET),
        number("days", update=UpdateMode.ADD),
        text("nickname", update=UpdateMode.SET_ONCE),
    ),
)


def segment(probability: float, **activity: Any) -> SegmentAnalysis:
    """A segment that views, and does everything else now and then."""
    return SegmentAnalysis(
        activity=Activity(daily_probability=probability, **activity),
        event_sequence=["view"],
        event_probabilities={
            "view": 0.9, "earn": 0.6, "spend": 0.6, "club": 0.3, "club_talk": 0.5, "cancel": 0.0, "tour": 0.9,
        },
    )  # fmt: skip


SEGMENTS = {
    "new_user": segment(0.5),
    "active_user": segment(0.6),
    "power_user": segment(0.9, sessions_per_day=2, events_per_session=12),
    "churning_user": segment(0.5, decay_per_day=0.05, churn_per_day=0.05),
    "churned_user": segment(0.4),
    "returning_user": segment(0.5),
}

RULES = Rules(
    property_constraints={
        "order_id": PropertyConstraint(template="order-{n}"),
        "item_id": PropertyConstraint(values=["lamp", "chair", "table"], weights=[5, 3, 2]),
        "reason": PropertyConstraint(values=["late", "broken"]),
        "shop": PropertyConstraint(values=["north", "south"], per_user=True),
        "tour_step": PropertyConstraint(counter={"start": 0, "step": 1, "max": 4}),  # type: ignore[arg-type]
        "earn/coins_after": PropertyConstraint(counter={"start": 100, "source": "coins", "shared": "purse"}),  # type: ignore[arg-type]
        "spend/coins_after": PropertyConstraint(
            counter={"start": 100, "source": "coins", "sign": -1, "shared": "purse"}  # type: ignore[arg-type]
        ),
    },
    value_ranges={
        "price": ValueRange(min=1, max=100, mean=20, integer=False),
        "count": ValueRange(min=1, max=5, mean=2),
        "coins": ValueRange(min=1, max=200, mean=50),
        "level": ValueRange(min=1, max=50, mean=10),
        "cost": ValueRange(min=10, max=20),
    },
    property_relationships={
        "buy/total": PropertyRelationship(depends_on=["price", "count"], formula="price * count"),
    },
    event_constraints=EventConstraints(
        session_start=["start"],
        session_end=["end"],
        once=["install", "sign_up", "club"],
        sequences=[
            EventSequence(
                name="tour",
                kind="onboarding",
                steps=[Step(events=["tour"]), Step(events=["tour"], repeats=3, probability=0.95, after_s=15)],
            ),
            EventSequence(
                name="purchase",
                kind="funnel",
                steps=[
                    Step(events=["view"]),
                    Step(events=["cart"], probability=0.5),
                    Step(events=["buy", "cancel"], weights=[0.8, 0.2], probability=0.6),
                ],
            ),
        ],
        prerequisites={"club_talk": ["club"], "buy": ["sign_up"], "spend": ["earn"]},
        lifecycle={"club": LifecycleStage.ACTIVE, "earn": LifecycleStage.REGISTERED},
        stage_events={
            "install": LifecycleStage.INSTALLED,
            "start": LifecycleStage.FIRST_SESSION,
            "sign_up": LifecycleStage.REGISTERED,
            "tour": LifecycleStage.ONBOARDING_COMPLETED,
        },
        not_of_users=["ad_report"],
    ),
    segment_analysis=SEGMENTS,
    update_patterns={
        "buy": {
            "spent": Update(type="increment", value="{{total}}"),
            "purchases": Update(type="increment", value=1),
            "first_purchase": Update(type="set_once", value="{{#time}}"),
            "level": Update(type="increment", value=1),
        },
        "earn": {"coins": Update(type="set", value="{{coins_after}}")},
        "spend": {"coins": Update(type="set", value="{{coins_after}}")},
        "start": {"days": Update(type="increment", value=1, once_per_day=True)},
    },
)


QUIET = RULES.model_copy(
    update={
        "segment_analysis": {
            name: SegmentAnalysis(activity=Activity(daily_probability=0.5, events_per_session=0)) for name in SEGMENTS
        },
        "event_constraints": RULES.event_constraints.model_copy(update={"sequences": [], "session_end": []}),
    }
)
"""Rules by which users come and go and do next to nothing: to look at many of them."""


# --------------------------------------------------------------------------- plain reading


def records(folder: Path) -> list[dict[str, Any]]:
    """Every record of the plain files of a run, in the order of the files."""
    return [from_json(line) for path in sorted(folder.glob("logs_*.jsonl")) for line in path.open("rb")]


def at(record: Mapping[str, Any]) -> datetime:
    """When a record happened."""
    return datetime.fromisoformat(record["#time"])


def by_user(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Records of each distinct id, in order of their time."""
    users: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in found:
        users[record["#distinct_id"]].append(record)
    return {user: sorted(of_user, key=at) for user, of_user in users.items()}


def sessions(of_user: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """A user's events by half an hour without any."""
    session: list[dict[str, Any]] = []
    for record in of_user:
        if record["#type"] != "track":
            continue
        if session and at(record) - at(session[-1]) > timedelta(minutes=30):
            yield session
            session = []
        session.append(record)
    if session:
        yield session
