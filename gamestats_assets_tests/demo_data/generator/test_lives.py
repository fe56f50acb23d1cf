"""What holds over a user's whole life: ids that are recalled, what happens once a day, ends, times, and states."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.generator.blueprint import blueprint
from gamestats_assets.demo_data.rules.configuration import (
    Configuration,
    ConfigurationError,
    ConversionTruth,
    ProductInfo,
)
from gamestats_assets.demo_data.rules.model import (
    SEGMENTS,
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
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy, UpdateMode
from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
from gamestats_assets.demo_data.taxonomies.value_rules import Between
from gamestats_assets_tests.demo_data.generator.test_behaviour import simulated
from gamestats_assets_tests.demo_data.sheets import FOLDERS
from gamestats_assets_tests.demo_data.small_shop import at, by_user, number, sessions, text

Record = dict[str, Any]
RUN = Configuration(users=120, days=8, seed=3, segments={"new_user": 0.5, "power_user": 0.5})


def moment(name: str) -> Property:
    return Property(name=name, type=PropertyType.TIME)


TAXONOMY = Taxonomy(
    name="parcels",
    events=(
        Event(name="join", properties=(text("plan"), text("home"))),
        Event(name="open"),
        Event(name="order", properties=(text("parcel_id"), number("weight"), moment("due_at"), text("depot_id"))),
        Event(name="pick_up", properties=(text("parcel_id"), number("weight"), text("depot_id"))),
        Event(name="deliver", properties=(text("parcel"), moment("from_time"), moment("to_time"), number("took_min"))),
        Event(name="check_in"),
        Event(name="upgrade", properties=(text("plan"),)),
        Event(name="top_up", properties=(number("amount"),)),
        Event(name="pay", properties=(number("amount"),)),
        Event(name="close_account"),
        Event(name="close", properties=(number("session_minutes"),)),
    ),
    common_properties=(text("plan"),),
    user_properties=(
        text("plan", update=UpdateMode.SET),
        text("home", update=UpdateMode.SET_ONCE),
        number("wallet", update=UpdateMode.SET),
        Property(name="last_order", type=PropertyType.TIME, update=UpdateMode.SET),
    ),
)
RULES = Rules(
    property_constraints={
        "parcel_id": PropertyConstraint(recalls=["order"]),
        "weight": PropertyConstraint(recalls=["order"]),
        "deliver/parcel": PropertyConstraint(recalls=["order/parcel_id"]),
        "pick_up/depot_id": PropertyConstraint(recalls=["order"], per_user=True),
        "plan": PropertyConstraint(values=["free", "gold"], initial="free"),
        "upgrade/plan": PropertyConstraint(values=["gold"]),
        "join/plan": PropertyConstraint(values=["free"]),
        "home": PropertyConstraint(values=["north", "south"]),
        "took_min": PropertyConstraint(elapsed="flow", unit_s=60),
        "session_minutes": PropertyConstraint(elapsed="session", unit_s=60),
    },
    value_ranges={
        "due_at": ValueRange(min=86_400, max=3 * 86_400),
        "from_time": ValueRange(min=-7200, max=-3600),
        "took_min": ValueRange(min=2, max=9),
        "amount": ValueRange(min=1, max=50),
        "weight": ValueRange(min=1, max=30),
        "wallet": ValueRange(min=0, max=20),
    },
    property_relationships={"to_time": PropertyRelationship(depends_on=["from_time"], formula="from_time + 1800")},
    event_constraints=EventConstraints(
        session_start=["open"],
        session_end=["close"],
        once=["join"],
        daily=["check_in"],
        final=["close_account"],
        sequences=[EventSequence(name="way", steps=[Step(events=["pick_up"]), Step(events=["deliver"])])],
        prerequisites={"pick_up": ["order"], "deliver": ["order"]},
        stage_events={"join": LifecycleStage.REGISTERED},
    ),
    update_patterns={
        "join": {"plan": Update(type="set", value="{{plan}}"), "home": Update(type="set_once", value="{{home}}")},
        "upgrade": {"plan": Update(type="set", value="{{plan}}")},
        "top_up": {"wallet": Update(type="increment", value="{{amount}}")},
        "pay": {"wallet": Update(type="decrement", value="{{amount}}")},
        "order": {"last_order": Update(type="set", value="{{#time}}")},
    },
    segment_analysis={
        name: SegmentAnalysis(
            activity=Activity(daily_probability=0.9, sessions_per_day=2.5, events_per_session=8),
            event_probabilities={"close_account": 0.01, "check_in": 0.9, "upgrade": 0.1, "order": 0.8},
        )
        for name in SEGMENTS
    },
)


@pytest.fixture(scope="module")
def lives() -> dict[str, list[Record]]:
    """Records of each user, in order."""
    assert problems(RULES, TAXONOMY) == []
    return by_user(simulated(TAXONOMY, RULES, RUN))


def tracked(life: list[Record]) -> list[Record]:
    return [record for record in life if record["#type"] == "track"]


def moment_of(values: str) -> datetime:
    return datetime.fromisoformat(values)


def is_new(life: list[Record]) -> bool:
    return any(record.get("#event_name") == "join" for record in life)


def test_an_id_is_that_of_the_users_latest_order_in_whichever_session(lives: dict[str, list[Record]]) -> None:
    seen: Counter[str] = Counter()
    for life in lives.values():
        order: dict[str, Any] | None = None
        began: Record | None = None
        for record in tracked(life):
            name, values = record["#event_name"], record["properties"]
            if name == "order":
                order, began = values, record
            elif name in ("pick_up", "deliver") and order is not None and began is not None:
                assert values["parcel_id" if name == "pick_up" else "parcel"] == order["parcel_id"]
                assert name == "deliver" or values["weight"] == order["weight"]
                seen["later" if at(record) - at(began) > timedelta(hours=6) else "soon"] += 1
    assert min(seen["later"], seen["soon"]) > 20
    ids = [
        r["properties"]["parcel_id"] for life in lives.values() for r in tracked(life) if r["#event_name"] == "order"
    ]
    assert len(set(ids)) == len(ids), "orders have ids of their own"


def test_what_lasts_is_one_thing_for_who_had_it_before(lives: dict[str, list[Record]]) -> None:
    before: Counter[int] = Counter()
    for life in lives.values():
        depot, seen = None, list[str]()
        for record in tracked(life):
            if record["#event_name"] == "order":
                depot = record["properties"]["depot_id"]
            elif record["#event_name"] == "pick_up":
                if depot is None:
                    seen.append(record["properties"]["depot_id"])
                else:
                    assert record["properties"]["depot_id"] == depot
        assert len(set(seen)) <= 1
        before[len(seen)] += 1
    assert sum(times for seen, times in before.items() if seen > 1) > 2


@pytest.fixture(scope="module")
def players() -> dict[str, list[Record]]:
    """Records of each player of the shipped game, in order."""
    sheet = read_taxonomy(FOLDERS["game"])
    rules = analyse(sheet, ProductInfo(industry="game"))
    drawn = rules.property_constraints["drawn_heroes"].model_copy(update={"rows_by": "draw_count"})
    rules = rules.model_copy(update={"property_constraints": {**rules.property_constraints, "drawn_heroes": drawn}})
    return by_user(simulated(sheet, rules, RUN.model_copy(update={"users": 60})))


def test_nobody_was_there_on_more_days_than_since_the_sign_up(players: dict[str, list[Record]]) -> None:
    most: list[float] = []
    for life in players.values():
        signed_up, days = None, 0.0
        for record in life:
            values = record["properties"]
            signed_up = moment_of(values["sign_up_time"]) if "sign_up_time" in values else signed_up
            if record["#type"].startswith("user_") and "total_login_days" in values:
                days = values["total_login_days"] + (days if record["#type"] == "user_add" else 0)
                assert signed_up is not None
                assert days <= (at(record).date() - signed_up.date()).days + 1
        most.append(days)
    assert sum(days > RUN.days for days in most) > 10


def test_each_thing_of_a_player_has_a_count_of_its_own(players: dict[str, list[Record]]) -> None:
    again: Counter[str] = Counter()
    for life in players.values():
        heroes, equipment = dict[int, int](), dict[int, int]()
        for record in tracked(life):
            values = record["properties"]
            if record["#event_name"] == "hero_level_up":
                if values["hero_id"] in heroes:
                    assert values["hero_level"] == min(heroes[values["hero_id"]] + 1, 240)
                    again["hero"] += 1
                heroes[values["hero_id"]] = values["hero_level"]
            elif record["#event_name"] == "equipment_enhance":
                which, worked = values["equipment_id"], values["is_enhance_success"]
                assert values["enhance_level"] == equipment.get(which, 0) + worked
                again["failed"] += not worked
                equipment[which] = values["enhance_level"]
    assert min(again["hero"], again["failed"]) > 50


def test_a_draw_costs_and_brings_as_much_as_is_drawn(players: dict[str, list[Record]]) -> None:
    draws: Counter[int] = Counter()
    for record in (record for life in players.values() for record in tracked(life)):
        if record["#event_name"] == "gacha_draw":
            values = record["properties"]
            assert values["cost_diamond"] == 300 * values["draw_count"]
            assert len(values["drawn_heroes"]) == values["draw_count"]
            draws[values["draw_count"]] += 1
    assert draws.keys() == {1, 10}


def test_what_happens_once_a_day_happens_once_a_day(lives: dict[str, list[Record]]) -> None:
    checked_in = 0
    for life in lives.values():
        days = Counter(
            at(session[0]).date() for session in sessions(life) for r in session if r["#event_name"] == "check_in"
        )
        assert set(days.values()) <= {1}
        checked_in += len(days)
    assert checked_in > 200


def test_nothing_follows_the_end_of_a_life(lives: dict[str, list[Record]]) -> None:
    ended = 0
    for life in lives.values():
        names = [record["#event_name"] for record in tracked(life)]
        if "close_account" in names:
            assert names.index("close_account") == len(names) - 1
            ended += 1
    assert 5 < ended < 100


def test_times_lie_around_their_event_and_follow_from_each_other(lives: dict[str, list[Record]]) -> None:
    seen: Counter[str] = Counter()
    for record in (record for life in lives.values() for record in tracked(life)):
        values = record["properties"]
        if record["#event_name"] == "order":
            assert timedelta(days=1) <= moment_of(values["due_at"]) - at(record) <= timedelta(days=3)
        elif record["#event_name"] == "deliver":
            begin, end = moment_of(values["from_time"]), moment_of(values["to_time"])
            assert timedelta(hours=-2) <= begin - at(record) <= timedelta(hours=-1)
            assert end - begin == timedelta(minutes=30)
        seen[record["#event_name"]] += 1
    assert min(seen["order"], seen["deliver"]) > 50


def test_what_something_took_is_what_the_clock_says(lives: dict[str, list[Record]]) -> None:
    taken: list[float] = []
    for life in lives.values():
        for session in sessions(life):
            began = None
            for record in session:
                if record["#event_name"] == "pick_up":
                    began = at(record)
                elif record["#event_name"] == "deliver":
                    assert began is not None
                    minutes = (at(record) - began).total_seconds() / 60
                    assert abs(record["properties"]["took_min"] - minutes) <= 0.51
                    taken.append(minutes)
            if session[-1]["#event_name"] == "close":
                lasted = (at(session[-1]) - at(session[0])).total_seconds() / 60
                assert abs(session[-1]["properties"]["session_minutes"] - lasted) < 0.06
    assert all(1.9 <= minutes <= 9.1 for minutes in taken)
    assert len(taken) > 50


def test_a_state_begins_as_the_rules_say_and_is_what_the_events_said(lives: dict[str, list[Record]]) -> None:
    plans: Counter[str] = Counter()
    for life in lives.values():
        plan = "free" if is_new(life) else tracked(life)[0]["properties"]["plan"]
        for record in tracked(life):
            if record["#event_name"] in ("join", "upgrade"):
                plan = record["properties"]["plan"]
            assert record["properties"]["plan"] == plan
        plans[plan] += 1
        homes = [r["properties"]["home"] for r in life if r["#type"] == "user_setOnce" and "home" in r["properties"]]
        joined = [r["properties"]["home"] for r in tracked(life) if r["#event_name"] == "join"]
        if is_new(life):
            assert homes == joined, "nothing is known of it before"
        orders = [r for r in tracked(life) if r["#event_name"] == "order"]
        values = [r["properties"]["last_order"] for r in life if "last_order" in r["properties"]]
        assert [record["#time"] for record in orders] == (values if is_new(life) else values[-len(orders) :])[
            : len(orders)
        ]
    assert min(plans.values()) > 10


def test_what_is_spent_was_there(lives: dict[str, list[Record]]) -> None:
    spent = 0
    for life in lives.values():
        wallet: float | None = None
        for record in life:
            if record["#type"] == "user_set" and "wallet" in record["properties"]:
                after = record["properties"]["wallet"]
                if wallet is not None:
                    moved = [
                        r["properties"]["amount"] * (1 if r["#event_name"] == "top_up" else -1)
                        for r in tracked(life)
                        if r["#time"] == record["#time"] and r["#event_name"] in ("top_up", "pay")
                    ]
                    assert after == wallet + sum(moved)
                    spent += sum(move < 0 for move in moved)
                wallet = after
    assert spent > 50


def test_unsound_recalls_and_ends_are_reported() -> None:
    constraints = RULES.property_constraints | {
        "parcel_id": PropertyConstraint(recalls=["ordr"]),
        "deliver/parcel": PropertyConstraint(recalls=["order/parcel"]),
    }
    needs = RULES.event_constraints.model_copy(update={"prerequisites": {"pick_up": ["close_account"]}})
    values = "\n".join(
        problems(RULES.model_copy(update={"property_constraints": constraints, "event_constraints": needs}), TAXONOMY)
    )
    assert "property_constraints.parcel_id.recalls: there is no event 'ordr'" in values
    assert "property_constraints.deliver/parcel.recalls: the event 'order' has no property 'parcel'" in values
    assert "'close_account' is in final, so nothing follows it" in values


def test_truths_that_share_steps_are_refused() -> None:
    truths = [ConversionTruth(from_event="pick_up", to_event="deliver", rate=rate) for rate in (0.5, 0.6)]
    with pytest.raises(ConfigurationError, match="shares steps of the sequence 'way' with another planted truth"):
        blueprint(TAXONOMY, RULES, RUN.model_copy(update={"truths": truths}))


def test_every_record_tells_the_number_that_an_event_set_last_by_the_same_name() -> None:
    sheet = Taxonomy(
        name="clocks",
        events=(Event(name="open"), Event(name="set_clock", properties=(number("hour"),))),
        common_properties=(number("hour"),),
    )
    rules = RULES.model_copy(
        update={
            "property_constraints": {},
            "event_constraints": EventConstraints(session_start=["open"]),
            "property_relationships": {},
            "value_ranges": {"set_clock/hour": ValueRange(min=1, max=12, integer=True)},
            "update_patterns": {"set_clock": {"hour": Update(type="set", value="{{hour}}")}},
            "segment_analysis": {
                name: SegmentAnalysis(activity=Activity(daily_probability=0.9, events_per_session=8))
                for name in SEGMENTS
            },
        }
    )
    assert problems(rules, sheet) == []
    values: set[float] = set()
    for life in by_user(simulated(sheet, rules, RUN)).values():
        last = None
        for record in tracked(life):
            hour = record["properties"]["hour"]
            if record["#event_name"] == "set_clock":
                last = hour
                values.add(hour)
            elif last is not None:
                assert hour == last
    assert values == set(range(1, 13))


def test_what_only_rises_stops_at_the_limit_of_the_sheet() -> None:
    level = number("level", update=UpdateMode.SET, rule=Between(min=1, max=4, integer=True))
    sheet = Taxonomy(name="climb", events=(Event(name="go"),), user_properties=(level,), common_properties=(level,))
    rules = Rules(
        value_ranges={"level": ValueRange(min=1, max=4)},
        segment_analysis={name: SegmentAnalysis(activity=Activity(daily_probability=0.9)) for name in SEGMENTS},
        update_patterns={"go": {"level": Update(type="increment", value=1)}},
    )
    lives = by_user(simulated(sheet, rules, RUN)).values()
    values = [[r["properties"]["level"] for r in life if r["#type"] == "track"] for life in lives]
    assert all(levels == sorted(levels) for levels in values)
    assert {levels[-1] for levels in values if len(levels) > 3} == {4}
    changes = [[r["properties"]["level"] for r in life if r["#type"] == "user_set"] for life in lives]
    assert all(len(set(levels)) == len(levels) for levels in changes), "what does not change is not told"
