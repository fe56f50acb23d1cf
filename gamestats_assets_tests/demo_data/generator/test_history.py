"""What belongs together does: past and present, a ride's way and time, a plan and its fee, a sheet's limits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.rules.configuration import Configuration, ProductInfo
from gamestats_assets.demo_data.rules.model import (
    SEGMENTS,
    Activity,
    CounterRule,
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
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy, UpdateMode
from gamestats_assets.demo_data.taxonomies.value_rules import Between
from gamestats_assets_tests.demo_data.generator.test_behaviour import simulated
from gamestats_assets_tests.demo_data.small_shop import at, by_user, number, text

Record = dict[str, Any]
PRICE, FEES = 10, {"free": 0, "silver": 5, "gold": 9}
RUN = Configuration(users=300, days=14, seed=8, segments={"power_user": 0.7, "new_user": 0.3})


def moment(name: str, **keywords: Any) -> Property:
    return Property(name=name, type=PropertyType.TIME, **keywords)


TAXONOMY = Taxonomy(
    name="bikes",
    events=(
        Event(name="join"),
        Event(name="open"),
        Event(name="buy", properties=(number("price"),)),
        Event(name="rise", properties=(number("rank"),)),
        Event(name="change_plan", properties=(text("plan"),)),
        Event(name="renew", properties=(number("fee"),)),
        Event(name="ride_started", properties=(moment("start_time"),)),
        Event(
            name="ride_completed",
            properties=(moment("start_time"), moment("end_time"), number("took_min"), number("distance_km")),
        ),
    ),
    user_properties=(
        moment("joined", update=UpdateMode.SET_ONCE),
        number("spent", update=UpdateMode.ADD),
        number("purchases", update=UpdateMode.ADD),
        moment("first_purchase", update=UpdateMode.SET_ONCE),
        number("rank", update=UpdateMode.SET),
        text("plan", update=UpdateMode.SET),
    ),
)
RULES = Rules(
    property_constraints={
        "buy/price": PropertyConstraint(values=[PRICE]),
        "rank": PropertyConstraint(counter=CounterRule(start=1, max=60)),
        "plan": PropertyConstraint(values=list(FEES), initial="free"),
        "renew/fee": PropertyConstraint(depends_on="plan", mapping={plan: [fee] for plan, fee in FEES.items()}),
        "ride_completed/start_time": PropertyConstraint(recalls=["ride_started"]),
    },
    property_relationships={"took_min": PropertyRelationship(formula="(end_time - start_time) / 60")},
    value_ranges={
        "rank": ValueRange(min=1, max=60, mean=20),
        "distance_km": ValueRange(min=0.3, max=20, mean=4, integer=False),
        "start_time": ValueRange(min=0, max=0),
        "end_time": ValueRange(min=0, max=0),
        "took_min": ValueRange(min=0, max=1440, integer=False),
    },
    event_constraints=EventConstraints(
        session_start=["open"],
        once=["join"],
        stage_events={"join": LifecycleStage.REGISTERED},
        sequences=[EventSequence(name="ride", steps=[Step(events=["ride_started"]), Step(events=["ride_completed"])])],
    ),
    segment_analysis={
        name: SegmentAnalysis(
            activity=Activity(daily_probability=0.5, sessions_per_day=1.3, events_per_session=4),
            event_probabilities={"buy": 0.08, "rise": 0.1, "ride_started": 0.6, "change_plan": 0.1, "renew": 0.2},
        )
        for name in SEGMENTS
    },
    update_patterns={
        "join": {"joined": Update(type="set_once", value="{{#time}}")},
        "buy": {
            "spent": Update(type="increment", value="{{price}}"),
            "purchases": Update(type="increment", value=1),
            "first_purchase": Update(type="set_once", value="{{#time}}"),
        },
        "rise": {"rank": Update(type="set", value="{{rank}}")},
        "change_plan": {"plan": Update(type="set", value="{{plan}}")},
    },
)


@pytest.fixture(scope="module")
def lives() -> list[list[Record]]:
    assert problems(RULES, TAXONOMY) == []
    return list(by_user(simulated(TAXONOMY, RULES, RUN)).values())


def tracked(life: list[Record], *names: str) -> list[Record]:
    return [record for record in life if record.get("#event_name") in names]


def test_who_was_there_before_bought_and_rose_as_one_who_goes_on_to(lives: list[list[Record]]) -> None:
    begins = datetime.combine(RUN.start, datetime.min.time())
    ages, ranks, bought, bought_before = [], [], 0, 0
    for life in lives:
        opening = [record for record in life if record["#type"] != "track" and record["#time"] == life[0]["#time"]]
        values = {name: value for record in opening for name, value in record["properties"].items()}
        if "joined" not in values or datetime.fromisoformat(values["joined"]) >= begins:
            continue
        first_is_buy = life[0]["#event_name"] == "buy"
        before = values.get("purchases", 0) - first_is_buy
        assert values.get("spent", 0) == PRICE * (before + first_is_buy)
        if not first_is_buy:
            assert ("first_purchase" in values) == (before > 0)
        if before:
            assert values["joined"] <= values["first_purchase"] < begins.isoformat(" ")
        ages.append((begins - datetime.fromisoformat(values["joined"])).days + 1)
        ranks.append(values["rank"])
        bought_before += before
        bought += len(tracked(life, "buy"))
    per_day = bought / len(ages) / RUN.days
    assert len(ages) > 150
    assert bought > 200
    assert bought_before / sum(ages) == pytest.approx(per_day, rel=0.2)
    assert stats.spearmanr(ages, ranks).statistic > 0.4


def test_a_ride_takes_as_long_as_its_way(lives: list[list[Record]]) -> None:
    speeds: list[float] = []
    for life in lives:
        for record in tracked(life, "ride_completed"):
            values = record["properties"]
            began = datetime.fromisoformat(values["start_time"])
            assert any(abs(at(r) - began) < timedelta(seconds=1) for r in tracked(life, "ride_started"))
            assert values["took_min"] == pytest.approx((at(record) - began).total_seconds() / 60, abs=0.01)
            if values["distance_km"] < 5:
                speeds.append(values["distance_km"] / (values["took_min"] / 60))
    assert len(speeds) > 200
    assert np.percentile(speeds, [1, 99]) == pytest.approx(25, rel=0.1)


def test_a_fee_is_that_of_the_plan_that_the_user_has_by_then(lives: list[list[Record]]) -> None:
    paid: set[int] = set()
    for life in lives:
        plan = None
        for record in life:
            plan = record["properties"].get("plan", plan)
            if record.get("#event_name") == "renew" and plan is not None:
                assert record["properties"]["fee"] == FEES[plan]
                paid.add(record["properties"]["fee"])
    assert paid == set(FEES.values())


def test_the_limits_of_a_sheet_hold() -> None:
    eta = number("eta_min", rule=Between(min=1, max=15, integer=False))
    taxonomy = Taxonomy(name="rides", events=(Event(name="app_open"), Event(name="driver_matched", properties=(eta,))))
    rules = analyse(taxonomy, ProductInfo(industry="ride_hailing"))
    values = [r["properties"].get("eta_min") for r in simulated(taxonomy, rules, Configuration(users=40, days=5))]
    found = [value for value in values if value is not None]
    assert len(found) > 100
    assert 1 <= min(found) <= max(found) <= 15


def test_values_follow_from_objects_copies_and_facts() -> None:
    items = Property(name="items", type=PropertyType.OBJECT_GROUP, properties=(text("kind"), number("count")))
    craft = Event(name="craft", properties=(items, number("parts"), number("again"), text("who"), text("app_version")))
    taxonomy = Taxonomy(
        name="crafts", events=(Event(name="open"), craft), user_properties=(number("made"), number("wheels"))
    )
    rules = RULES.model_copy(
        update={
            "property_constraints": {
                "items": PropertyConstraint(rows=3),
                "items.kind": PropertyConstraint(values=["wheel", "frame"]),
                "again": PropertyConstraint(copy_of="parts"),
                "who": PropertyConstraint(copy_of="#account_id"),
                "app_version": PropertyConstraint(values=["1.9", "1.10"]),
            },
            "property_relationships": {"parts": PropertyRelationship(formula="items.count * 2")},
            "value_ranges": {"items.count": ValueRange(min=1, max=5)},
            "event_constraints": EventConstraints(session_start=["open"]),
            "segment_analysis": dict.fromkeys(SEGMENTS, SegmentAnalysis(activity=Activity(daily_probability=0.9))),
            "update_patterns": {
                "craft": {
                    "made": Update(type="increment", value="{{items.count}}"),
                    "wheels": Update(type="set", value="{{items[wheel].count}}"),
                }
            },
        }
    )
    assert problems(rules, taxonomy) == []
    crafted = 0
    for life in by_user(simulated(taxonomy, rules, RUN.model_copy(update={"users": 60}))).values():
        added, wheels = [], None
        for record in life:
            values = record["properties"]
            if record["#type"] == "user_add":
                added.append(values["made"])
            elif record["#type"] == "user_set":
                wheels = values.get("wheels", wheels)
            elif record["#event_name"] == "craft":
                counts = [item["count"] for item in values["items"]]
                assert len(counts) == 3
                assert values["parts"] == values["again"] == 2 * sum(counts)
                assert values["who"] == record["#account_id"]
                assert values["app_version"] in ("1.9", "1.10")
                crafted += 1
        made = [sum(item["count"] for item in r["properties"]["items"]) for r in tracked(life, "craft")]
        assert added[-len(made) :][1:] == made[1:], "the first may tell what was made before, too"
        last = [r["properties"]["items"] for r in tracked(life, "craft")]
        of_wheels = [[item["count"] for item in each if item["kind"] == "wheel"] for each in last]
        if any(of_wheels):
            assert wheels == sum(next(counts for counts in reversed(of_wheels) if counts))
    assert crafted > 300
