"""What users gather, such as in a cart: totals and lists follow from it; what would change nothing does not happen."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.findings.deviations import deviations
from gamestats_assets.demo_data.findings.measure import measure
from gamestats_assets.demo_data.generator.generate import generate
from gamestats_assets.demo_data.rules.configuration import Configuration, ProductInfo
from gamestats_assets.demo_data.rules.model import (
    SEGMENTS,
    Activity,
    CounterRule,
    EventConstraints,
    EventSequence,
    PropertyConstraint,
    Rules,
    SegmentAnalysis,
    Step,
    TotalRule,
    Update,
    ValueRange,
)
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy
from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
from gamestats_assets.settings import shipped
from gamestats_assets_tests.demo_data.generator.test_behaviour import simulated
from gamestats_assets_tests.demo_data.small_shop import by_user, number, text

Record = dict[str, Any]
RUN = Configuration(users=80, days=6, seed=5, segments={"new_user": 0.5, "power_user": 0.5})
LINES = Property(name="lines", type=PropertyType.OBJECT_GROUP, properties=(text("sku"), number("cost")))
TAXONOMY = Taxonomy(
    name="basket",
    events=(
        Event(name="open"),
        Event(name="put", properties=(text("sku"), number("cost"), number("pieces"))),
        Event(name="drop", properties=(text("sku"), number("pieces"))),
        Event(name="pay", properties=(number("due"), number("lots"), LINES)),
        Event(name="level_up", properties=(number("reached"),)),
    ),
    user_properties=(number("level"), number("spent")),
)


def rule(formula: str) -> PropertyConstraint:
    return PropertyConstraint(totals=TotalRule(adds={"put": formula}, takes=["drop"], until=["pay"]))


RULES = Rules(
    property_constraints={
        "sku": PropertyConstraint(template="sku_{n}"),
        "drop/sku": PropertyConstraint(recalls=["put"]),
        "drop/pieces": PropertyConstraint(recalls=["put"]),
        "due": rule("cost * pieces"),
        "lots": rule("1"),
        "lines.sku": rule("sku"),
        "lines.cost": rule("cost"),
        "reached": PropertyConstraint(counter=CounterRule(start=1, max=4)),
    },
    value_ranges={
        "cost": ValueRange(min=0.5, max=20, integer=False),
        "pieces": ValueRange(min=1, max=4),
        "level": ValueRange(min=1, max=4),
    },
    event_constraints=EventConstraints(
        session_start=["open"],
        sequences=[
            EventSequence(
                name="pay", kind="funnel", steps=[Step(events=["put"]), Step(events=["pay"], probability=0.3)]
            )
        ],
    ),
    segment_analysis={
        name: SegmentAnalysis(
            activity=Activity(daily_probability=0.9, events_per_session=12),
            event_probabilities={"put": 0.9, "drop": 0.9, "level_up": 0.4},
        )
        for name in SEGMENTS
    },
    update_patterns={
        "pay": {"spent": Update(type="increment", value="{{due}}")},
        "level_up": {"level": Update(type="set", value="{{reached}}")},
    },
)


@pytest.fixture(scope="module")
def baskets() -> dict[str, list[Record]]:
    assert problems(RULES, TAXONOMY) == []
    return by_user(simulated(TAXONOMY, RULES, RUN))


def test_an_order_is_the_sum_and_the_list_of_what_is_in_the_basket(baskets: dict[str, list[Record]]) -> None:
    sizes: Counter[int] = Counter()
    for of_user in baskets.values():
        basket: list[dict[str, Any]] = []
        for record in of_user:
            values = record["properties"]
            match record.get("#event_name"):
                case "put":
                    basket.append(values)
                case "drop":
                    # Nothing is taken out of an empty basket, and what is taken out was put in last.
                    last = basket.pop()
                    assert (values["sku"], values["pieces"]) == (last["sku"], last["pieces"])
                case "pay":
                    assert values["due"] == pytest.approx(sum(line["cost"] * line["pieces"] for line in basket))
                    assert values["lots"] == len(basket)
                    assert values["lines"] == [{"sku": line["sku"], "cost": line["cost"]} for line in basket]
                    sizes[len(basket)] += 1
                    basket = []
                case _:
                    pass
    assert sizes[1] > 20
    assert sum(count for size, count in sizes.items() if size > 2) > 20
    assert 0 not in sizes


def test_what_users_spent_is_the_sum_of_their_orders(baskets: dict[str, list[Record]]) -> None:
    for of_user in baskets.values():
        paid = sum(record["properties"]["due"] for record in of_user if record.get("#event_name") == "pay")
        added = [r["properties"]["spent"] for r in of_user if r["#type"] == "user_add" and "spent" in r["properties"]]
        # The first record of who was there before tells what was spent before, too.
        assert sum(added) >= paid - 1e-6
        if of_user[0]["#time"] != next((r["#time"] for r in of_user if "spent" in r["properties"]), ""):
            assert sum(added) == pytest.approx(paid)


def test_nobody_rises_beyond_the_last_level(baskets: dict[str, list[Record]]) -> None:
    reached = {
        user: [record["properties"]["reached"] for record in of_user if record.get("#event_name") == "level_up"]
        for user, of_user in baskets.items()
    }
    assert max(levels[-1] for levels in reached.values() if levels) == 4
    for levels in reached.values():
        assert levels == list(range(levels[0], levels[-1] + 1)) if levels else True


def test_measuring_finds_totals_that_are_wrong(tmp_path: Path) -> None:
    generate(TAXONOMY, RULES, RUN, tmp_path)
    found = measure(tmp_path, TAXONOMY, RULES, RUN)
    paid = found.records_by_event["pay"]
    assert {key: (v.checked, v.broken) for key, v in found.totals.items()} == dict.fromkeys(
        ("pay/due", "pay/lots", "pay/lines.sku", "pay/lines.cost"), (paid, 0)
    )
    for path in tmp_path.glob("logs_*.jsonl"):
        values = [json.loads(line) for line in path.read_text().splitlines()]
        for record in values:
            if record.get("#event_name") == "pay":
                record["properties"]["due"] += 1
        path.write_text("".join(json.dumps(record) + "\n" for record in values))
    found = measure(tmp_path, TAXONOMY, RULES, RUN)
    assert (found.totals["pay/due"].broken, found.totals["pay/lots"].broken) == (paid, 0)
    worst = next(d for d in deviations(found, RULES, TAXONOMY).list if d.where == "pay/due")
    assert worst.distance == 1


@pytest.mark.parametrize(
    ("key", "totals", "said"),
    [
        ("due", TotalRule(adds={"putt": "cost"}), "there is no event 'putt'; did you mean 'put'?"),
        ("due", TotalRule(adds={"put": "coast"}), "the event 'put' has no property 'coast'; did you mean 'cost'?"),
        ("due", TotalRule(adds={"put": "cost *"}), "property_constraints.due.totals.adds.put: "),
        ("due", TotalRule(adds={"put": "sku"}), "'sku' is not a number"),
        ("due", TotalRule(adds={"put": "cost"}, takes=["put"]), "'put' cannot both add and take a thing"),
        ("lines.sku", TotalRule(adds={"put": "sku"}), "lines.cost needs a total of the same events"),
        ("put/sku", TotalRule(adds={"put": "cost"}), "put/sku is neither a number"),
        ("spent", TotalRule(adds={"put": "cost"}), "only properties of events can be totals"),
        ("put/cost", TotalRule(adds={"put": "cost"}), "need each other"),
    ],
)
def test_totals_that_cannot_be_made_are_reported(key: str, totals: TotalRule, said: str) -> None:
    changed = RULES.property_constraints | {key: PropertyConstraint(totals=totals)}
    found = problems(RULES.model_copy(update={"property_constraints": changed}), TAXONOMY)
    assert any(said in problem for problem in found), found


def test_each_task_is_completed_once_and_only_one_that_there_is() -> None:
    taxonomy = Taxonomy(
        name="tasks",
        events=(
            Event(name="open"),
            Event(name="create", properties=(text("task_id"), number("size"))),
            Event(name="finish", properties=(text("task_id"), number("size"))),
        ),
    )
    rules = RULES.model_copy(
        update={
            "property_constraints": {
                "task_id": PropertyConstraint(template="task_{n}"),
                "finish/task_id": PropertyConstraint(recalls=["create"], once_each=True, template="task_{n}"),
                "finish/size": PropertyConstraint(recalls=["create"]),
            },
            "value_ranges": {"size": ValueRange(min=1, max=10**9)},
            "event_constraints": EventConstraints(session_start=["open"], prerequisites={"finish": ["create"]}),
            "segment_analysis": {
                name: SegmentAnalysis(
                    activity=Activity(daily_probability=0.9, events_per_session=12),
                    event_probabilities={"create": 0.5, "finish": 0.9},
                )
                for name in SEGMENTS
            },
            "update_patterns": {},
        }
    )
    assert problems(rules, taxonomy) == []
    finished = 0
    joining = RUN.model_copy(update={"segments": {"new_user": 1}, "sign_up_share_in_run": 1})
    for of_user in by_user(simulated(taxonomy, rules, joining)).values():
        left: dict[str, float] = {}
        for record in of_user:
            values = record["properties"]
            if record.get("#event_name") == "create":
                left[values["task_id"]] = values["size"]
            elif record.get("#event_name") == "finish":
                assert left.pop(values["task_id"]) == values["size"]
                finished += 1
    assert finished > 50


def test_telling_once_belongs_to_what_an_event_recalls() -> None:
    with pytest.raises(ValueError, match="once_each belongs to recalls"):
        PropertyConstraint(once_each=True)
    changed = {"sku": PropertyConstraint(recalls=["put"], once_each=True)}
    found = problems(RULES.model_copy(update={"property_constraints": changed}), TAXONOMY)
    assert any("it belongs to the property of one event" in problem for problem in found)


def test_what_happened_to_users_before_the_run_did_so_in_order() -> None:
    taxonomy = read_taxonomy(shipped("data", "taxonomies", "ecommerce"))
    rules = analyse(taxonomy, ProductInfo(industry="ecommerce"))
    known = 0
    for of_user in by_user(simulated(taxonomy, rules, Configuration(users=80, days=2, seed=4))).values():
        values: dict[str, str] = {}
        for record in of_user[:4]:
            values |= record["properties"] if record["#type"].startswith("user_") else {}
        names = ("register_time", "first_purchase_time", "last_purchase_time")
        if all(name in values for name in names) and values["last_purchase_time"] < "2026-01-01":
            assert values["register_time"] <= values["first_purchase_time"] <= values["last_purchase_time"]
            known += 1
    assert known > 10


# --------------------------------------------------------------------------- found in a sheet


def totals_of(taxonomy: Taxonomy) -> dict[str, TotalRule]:
    constraints = analyse(taxonomy, ProductInfo(industry="ecommerce")).property_constraints
    return {key: found.totals for key, found in constraints.items() if found.totals}


def test_the_value_of_an_order_is_found_to_be_that_of_the_cart() -> None:
    found = totals_of(read_taxonomy(shipped("data", "taxonomies", "ecommerce")))
    value = TotalRule(
        adds={"add_to_cart": "price * quantity"}, takes=["remove_from_cart"], until=["purchase", "open_app"]
    )
    assert found["purchase/order_value"] == found["begin_checkout/cart_value"] == value
    assert found["purchase/cart_items.unit_price"].adds == {"add_to_cart": "price"}
    assert "purchase/shipping_fee" not in found
    assert "purchase/discount_amount" not in found


def shop(*events: Event) -> Taxonomy:
    opening = (Event(name="app_open"), Event(name="product_view", properties=(text("product_id"), number("price"))))
    return Taxonomy(name="shop", events=(*opening, *events, Event(name="app_close")))


ADD = Event(name="add_to_cart", properties=(text("product_id"), number("price"), number("quantity")))
PURCHASE = Event(name="purchase", properties=(number("total_amount"), number("item_count"), number("shipping_fee")))
CHECKOUT = Event(name="checkout_start", properties=(number("cart_total"),))


def test_counts_and_totals_are_found_by_what_they_are_called() -> None:
    found = totals_of(shop(ADD, CHECKOUT, PURCHASE))
    assert {key: rule.adds["add_to_cart"] for key, rule in found.items()} == {
        "checkout_start/cart_total": "price * quantity",
        "purchase/total_amount": "price * quantity",
        "purchase/item_count": "quantity",
    }
    assert found["purchase/total_amount"].until[0] == "purchase"


def test_without_a_cart_an_order_has_a_value_of_its_own() -> None:
    assert totals_of(shop(CHECKOUT, PURCHASE)) == {}


def test_a_product_has_one_price_wherever_it_is_seen() -> None:
    taxonomy = read_taxonomy(shipped("data", "taxonomies", "ecommerce"))
    rules = analyse(taxonomy, ProductInfo(industry="ecommerce"))
    known: dict[str, set[tuple[Any, ...]]] = {}
    for record in simulated(taxonomy, rules, Configuration(users=60, days=4)):
        values = record["properties"]
        if "product_id" in values and "price" in values:
            known.setdefault(values["product_id"], set()).add((values["price"], values["category"]))
    assert len(known) > 20
    assert all(len(found) == 1 for found in known.values())
    assert len({price for found in known.values() for price, _ in found}) > 10
