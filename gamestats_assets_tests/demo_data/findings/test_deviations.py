"""How far data are from rules, reckoned by hand, and whether corrected rules bring them nearer."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from gamestats_assets.demo_data.findings.deviations import Deviation, Deviations, corrected, deviations
from gamestats_assets.demo_data.findings.measure import measure
from gamestats_assets.demo_data.findings.measured import DirtFound, Funnel, Measured, Moments, Violations
from gamestats_assets.demo_data.generator.generate import generate
from gamestats_assets.demo_data.rules.configuration import Configuration, ConversionTruth
from gamestats_assets.demo_data.rules.model import (
    EventSequence,
    PropertyConstraint,
    PropertyRelationship,
    Rules,
    SegmentAnalysis,
    Step,
    Update,
    ValueRange,
)
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy
from gamestats_assets_tests.demo_data import small_shop
from gamestats_assets_tests.demo_data.findings.planted_logs import RULES, TAXONOMY


def found(**given: Any) -> Measured:
    """A measurement of nothing but what is given."""
    empty: dict[str, Any] = {field.name: None for field in dataclasses.fields(Measured)}
    nothing = {"numbers": {}, "choices": {}, "order": {}, "prerequisites": {}, "once": {}, "totals": {}}
    dirt = DirtFound(**{field.name: 0 for field in dataclasses.fields(DirtFound)})
    return Measured(
        **{
            **empty,
            **nothing,
            "configuration": Configuration(),
            "dirt": dirt,
            "funnels": [purchase(0, 0, 0)],
            "events_before": {},
            "sessions_before": 0,
            "users": MANY,
            **given,
        }
    )


MANY = 10**18
"""So often that chance explains nothing."""


def numbers(mean: float, n: int = MANY) -> Moments:
    return Moments(n, mean, 10, 0, 100)


def purchase(*reached: int) -> Funnel:
    tried = (reached[0], *reached[:-1])
    return Funnel("purchase", "funnel", ("look", "cart", "pay"), (0, 1, 2), tried, reached)


def rules(**changed: Any) -> Rules:
    return RULES.model_copy(update=changed)


def only(deviation_list: Deviations, kind: str) -> dict[tuple[str, str], Any]:
    return {
        (d.where, d.part): (pytest.approx(d.wanted), pytest.approx(d.found), pytest.approx(d.distance))
        for d in deviation_list.list
        if d.kind == kind
    }


# --------------------------------------------------------------------------- what is compared


def test_means_and_spreads_are_compared_in_widths_of_their_range() -> None:
    measured = found(numbers={"look/price": numbers(30, 3 * MANY), "pay/price": numbers(22)})
    result = deviations(measured, RULES, TAXONOMY)
    # 28 over both, wanted 20, from 0 to 100; the spread is that of both together: sqrt(100 + 3 * 64 / 16).
    assert only(result, "mean") == {("price", ""): (20, 28, 0.08)}
    assert only(result, "spread") == {("price", ""): (10, math.sqrt(112), (math.sqrt(112) - 10) / 100)}


def test_an_events_own_range_is_compared_by_itself() -> None:
    own = {**RULES.value_ranges, "pay/price": ValueRange(min=0, max=50)}
    measured = found(numbers={"look/price": numbers(20), "pay/price": numbers(35)})
    result = deviations(measured, rules(value_ranges=own), TAXONOMY)
    # Without a mean it is the middle; a spread that is not given is not compared.
    assert only(result, "mean") == {("price", ""): (20, 20, 0), ("pay/price", ""): (25, 35, 0.2)}
    assert set(only(result, "spread")) == {("price", "")}


def test_between_what_segments_want_everything_is_as_wanted() -> None:
    def with_mean(mean: float) -> SegmentAnalysis:
        own = {"price": ValueRange(min=0, max=200, mean=mean)}
        return RULES.segment_analysis["new_user"].model_copy(update={"property_ranges": own})

    segments = {**RULES.segment_analysis, "power_user": with_mean(80), "new_user": with_mean(40)}
    for mean, wanted, distance in ((50, 50, 0), (90, 80, 0.05), (10, 20, 0.05)):
        measured = found(numbers={"look/price": numbers(mean)})
        result = deviations(measured, rules(segment_analysis=segments), TAXONOMY)
        assert only(result, "mean") == {("price", ""): (wanted, mean, distance)}
        assert only(result, "spread") == {}


@pytest.mark.parametrize(
    "decided",
    [
        {"property_constraints": {"price": PropertyConstraint(copy_of="age")}},
        {"property_constraints": {"price": PropertyConstraint(counter={"start": 0})}},  # type: ignore[arg-type]
        {"property_constraints": {"price": PropertyConstraint(depends_on="colour", mapping={"red": [1]})}},
        {"property_relationships": {"look/price": PropertyRelationship(formula="age * 2")}},
        {"update_patterns": {"pay": {"price": Update(type="increment")}}},
        {"value_ranges": {}},
    ],
)
def test_numbers_that_follow_from_others_are_not_compared(decided: dict[str, Any]) -> None:
    measured = found(numbers={"look/price": numbers(90)})
    assert deviations(measured, rules(**decided), TAXONOMY) == Deviations([], 0.0)


def test_what_was_hardly_seen_is_not_compared() -> None:
    measured = found(
        numbers={"look/price": numbers(90, 29)},
        choices={"look/colour": {"blue": 29}},
        funnels=[purchase(29, 0, 0)],
        order={"cart": Violations(29, 29)},
    )
    assert deviations(measured, RULES, TAXONOMY).list == []


def test_shares_are_compared_with_weights_and_values_that_nobody_listed_count() -> None:
    measured = found(choices={"look/colour": {"red": 12 * MANY, "blue": 6 * MANY, "pink": 2 * MANY}})
    result = deviations(measured, RULES, TAXONOMY)
    assert only(result, "share") == {
        ("colour", "red"): (0.75, 0.6, 0.15),
        ("colour", "blue"): (0.25, 0.3, 0.05),
        ("colour", "pink"): (0, 0.1, 0.1),
    }


def test_values_are_the_same_however_they_are_written() -> None:
    properties = (
        Property(name="is_vip", type=PropertyType.BOOLEAN),
        Property(name="size", type=PropertyType.NUMBER),
    )
    taxonomy = Taxonomy(name="any", events=(Event(name="look", properties=properties),))
    constraints = {
        "is_vip": PropertyConstraint(values=["Y", "N"], weights=[1, 3]),
        "size": PropertyConstraint(values=[1.0, 2]),
    }
    measured = found(choices={"look/is_vip": {"true": 25, "false": 75}, "look/size": {"1": 50, "2": 50}})
    result = deviations(measured, rules(property_constraints=constraints), taxonomy)
    assert {(d.where, d.part) for d in result.list} == {("is_vip", "Y"), ("is_vip", "N"), ("size", "1"), ("size", "2")}
    assert result.distance == 0


@pytest.mark.parametrize(
    "name", ["country", "#country_code", "carrier", "os", "#os_version", "device_model", "language"]
)
def test_what_country_and_device_decide_is_not_compared(name: str) -> None:
    product = rules(property_constraints={name: PropertyConstraint(values=["a", "b"])})
    assert deviations(found(choices={f"look/{name}": {"a": MANY}}), product, TAXONOMY).list == []


def test_what_events_change_is_not_compared() -> None:
    product = rules(update_patterns={"pay": {"colour": Update(type="set", value="red")}})
    assert deviations(found(choices={"look/colour": {"red": MANY}}), product, TAXONOMY).list == []


def test_steps_are_compared_but_for_those_that_a_truth_decides() -> None:
    measured = found(funnels=[purchase(1000 * MANY, 450 * MANY, 225 * MANY)])
    result = only(deviations(measured, RULES, TAXONOMY), "step")
    assert result == {("purchase", "1"): (0.5, 0.45, 0.05), ("purchase", "2"): (0.4, 0.5, 0.1)}
    truth = ConversionTruth(from_event="look", to_event="cart", rate=0.45)
    planted = dataclasses.replace(measured, configuration=Configuration(truths=[truth]))
    assert set(only(deviations(planted, RULES, TAXONOMY), "step")) == {("purchase", "2")}
    constraints = RULES.event_constraints.model_copy(update={"session_start": ["look"]})
    fixed = deviations(measured, rules(event_constraints=constraints), TAXONOMY)
    assert set(only(fixed, "step")) == {("purchase", "2")}


def test_steps_whose_events_another_sequence_has_too_are_not_compared() -> None:
    """A look that leads to no cart may have begun the other sequence."""
    measured = found(funnels=[purchase(1000 * MANY, 450 * MANY, 225 * MANY)])
    for shared, compared in (("look", set()), ("cart", set()), ("pay", {("purchase", "1")})):
        other = EventSequence(name="other", steps=[Step(events=["talk"]), Step(events=[shared])])
        sequences = [*RULES.event_constraints.sequences, other]
        constraints = RULES.event_constraints.model_copy(update={"sequences": sequences})
        result = deviations(measured, rules(event_constraints=constraints), TAXONOMY)
        assert set(only(result, "step")) == compared


def likely(*typical: str, **probabilities: float) -> dict[str, SegmentAnalysis]:
    given = {"event_sequence": [*typical], "event_probabilities": probabilities}
    return {name: segment.model_copy(update=given) for name, segment in RULES.segment_analysis.items()}


def test_free_choices_are_compared_by_their_weights() -> None:
    product = rules(segment_analysis=likely(look=0.6, talk=0.2))
    result = deviations(found(events_before={"look": MANY, "talk": MANY, "pay": MANY}), product, TAXONOMY)
    assert only(result, "frequency") == {("look", "chosen"): (0.75, 0.5, 0.25), ("talk", "chosen"): (0.25, 0.5, 0.25)}
    line = "Of users' free choices, look should be 75.0% and is 50.0%: see its event_probabilities."
    assert line in result.lines()
    # Chosen as often as each other, with other weights, the two are nearer to what is wanted.
    again = corrected(product, result).segment_analysis["new_user"].event_probabilities
    assert again == {"look": pytest.approx(0.8), "talk": pytest.approx(0.02)}


def test_what_is_typical_of_a_session_is_compared_by_sessions() -> None:
    product = rules(segment_analysis=likely("look", look=0.5, talk=0.25))
    # One free choice in each session: talk, and for each of these two more looks than those of the sequence.
    seen = found(events_before={"look": 4 * MANY, "talk": MANY}, sessions_before=MANY)
    result = deviations(seen, product, TAXONOMY)
    assert only(result, "frequency")["look", "sessions"] == (2.5, 4, 1.5)
    assert "A session should have 2.5 of look on average and has 4." in result.lines()
    fewer = corrected(product, result).segment_analysis["new_user"].event_probabilities
    assert fewer["look"] == pytest.approx(0.05)


def test_events_out_of_order_count_unless_lost_records_explain_them() -> None:
    measured = found(
        order={"cart": Violations(1000, 30)},
        prerequisites={"talk": Violations(1000, 50)},
        once={"join": Violations(50, 1)},
        sign_ups=[300],
    )
    result = deviations(measured, RULES, TAXONOMY)
    assert {(d.where, d.found, d.distance) for d in result.list} == {
        ("cart", 0.03, 0.03), ("talk", 0.05, 0.05), ("join", 0.02, 0.02),
    }  # fmt: skip
    lossy = dataclasses.replace(measured, dirt=dataclasses.replace(measured.dirt, events=1000, unreadable=20))
    # Of 1,000 carts 20 can have lost their look, and by chance 13 more; a third of 300 users tells of the talks.
    assert {d.where for d in deviations(lossy, RULES, TAXONOMY).list if d.distance} == {"join"}
    worse = dataclasses.replace(lossy, order={"cart": Violations(1000, 40)})
    (cart,) = [d for d in deviations(worse, RULES, TAXONOMY).list if d.where == "cart"]
    assert cart.distance == pytest.approx(0.04 - 0.02 - 3 * math.sqrt(0.02 * 0.98 / 1000))


def test_chance_is_no_deviation() -> None:
    """Three standard errors are 1 of a mean with a spread of 10 in 900 values, 0.075 of a share of 3/4 in 300."""
    measured = found(
        numbers={"look/price": numbers(21, 900)},
        choices={"look/colour": {"red": 202, "blue": 98}},
        funnels=[purchase(900, 495, 198)],
    )
    result = {(d.kind, d.part): d.distance for d in deviations(measured, RULES, TAXONOMY).list}
    assert [result[key] for key in (("mean", ""), ("step", "1"), ("step", "2"))] == pytest.approx([0, 0, 0])
    red = 0.75 - 202 / 300 - 3 * math.sqrt(0.75 * 0.25 / 300)
    assert result["share", "red"] == pytest.approx(red, abs=1e-12)
    assert red > 0


# --------------------------------------------------------------------------- the distance, and words


def test_the_distance_is_the_root_mean_square_with_one_share_for_each_property() -> None:
    measured = found(
        numbers={"look/price": numbers(26)},
        choices={"look/colour": {"red": 67 * MANY, "blue": 33 * MANY}},
    )
    # The mean 0.06 off, the spread 0, the colour 0.08.
    assert deviations(measured, RULES, TAXONOMY).distance == pytest.approx(math.sqrt((0.06**2 + 0 + 0.08**2) / 3))


def test_what_is_off_is_reported_in_words_worst_first() -> None:
    measured = found(
        numbers={"look/price": numbers(26), "cart/items.count": numbers(2.01)},
        choices={"look/colour": {"red": 6 * MANY, "blue": 4 * MANY}},
        funnels=[purchase(100 * MANY, 40 * MANY, 16 * MANY)],
    )
    assert deviations(measured, RULES, TAXONOMY).lines() == [
        "colour should be 'blue' in 25.0% of cases and is in 40.0%.",
        "colour should be 'red' in 75.0% of cases and is in 60.0%.",
        "In the sequence purchase, step 2 should follow step 1 in 50.0% of cases and does in 40.0%.",
        "The mean of price should be 20 and is 26 (6.0% of the range's width off).",
    ]


# --------------------------------------------------------------------------- the answer


def one(kind: Any, where: str, wanted: float, seen: float, part: str = "") -> Deviations:
    return Deviations([Deviation(kind, where, part, wanted, seen, abs(wanted - seen))], abs(wanted - seen))


def test_a_mean_that_came_out_high_is_aimed_as_much_lower() -> None:
    assert corrected(RULES, one("mean", "price", 20, 26)).value_ranges["price"].mean == 14
    assert corrected(RULES, one("mean", "price", 20, 15)).value_ranges["price"].mean == 25
    assert corrected(RULES, one("mean", "price", 20, 20.001)) == RULES


def test_a_correction_stays_within_the_bounds_and_possible() -> None:
    price = corrected(RULES, one("mean", "price", 20, 55)).value_ranges["price"]
    # Not on the bound, where every value would be the same; and no more spread than there can be around 1.
    assert price.mean == 1
    assert price.spread == pytest.approx(math.sqrt((1 - 0) * (100 - 1)))
    tight = rules(value_ranges={"price": ValueRange(min=0, max=10, mean=2, spread=4, integer=False)})
    assert corrected(tight, one("mean", "price", 2, 3)).value_ranges["price"].spread == pytest.approx(3)
    certain = corrected(RULES, one("step", "purchase", 0.5, 0.1, "1"))
    assert certain.event_constraints.sequences[0].steps[1].probability == pytest.approx(0.9)
    capped = corrected(RULES, one("step", "purchase", 0.9, 0.2, "1"))
    assert capped.event_constraints.sequences[0].steps[1].probability == 1


def test_a_spread_is_corrected_the_other_way() -> None:
    assert corrected(RULES, one("spread", "price", 10, 12)).value_ranges["price"].spread == 8


def test_a_value_that_came_too_often_weighs_less() -> None:
    off = Deviations(
        [Deviation("share", "colour", "red", 0.75, 0.6, 0.15), Deviation("share", "colour", "blue", 0.25, 0.4, 0.15)],
        0.15,
    )
    weights = corrected(RULES, off).property_constraints["colour"].weights
    assert weights[0] / sum(weights) == pytest.approx(0.9)
    far = Deviations([Deviation("share", "colour", "blue", 0.25, 0.9, 0.65)], 0.65)
    assert 0 < corrected(RULES, far).property_constraints["colour"].weights[1] < 0.2


def test_ranges_of_segments_are_corrected_with_the_common_one() -> None:
    own = {"price": ValueRange(min=0, max=100, mean=40)}
    power = RULES.segment_analysis["power_user"].model_copy(update={"property_ranges": own})
    product = rules(segment_analysis={**RULES.segment_analysis, "power_user": power})
    again = corrected(product, one("mean", "price", 40, 45))
    assert again.segment_analysis["power_user"].property_ranges["price"].mean == 35
    assert again.value_ranges["price"].mean == 15


def test_data_of_corrected_rules_are_nearer_to_the_first_ones(tmp_path: Path) -> None:
    """Who is not in the club yet cannot buy, so that too few do at first."""
    funnel = EventSequence(
        name="shopping",
        kind="funnel",
        steps=[Step(events=["view"]), Step(events=["cart"], probability=0.6), Step(events=["buy"], probability=0.5)],
    )
    constraints = small_shop.RULES.event_constraints.model_copy(
        update={"sequences": [funnel], "prerequisites": {"buy": ["club"]}}
    )
    wanted = small_shop.RULES.model_copy(update={"event_constraints": constraints})
    configuration = Configuration(users=200, days=4, seed=5, segments={"new_user": 0.6, "active_user": 0.4})

    def run(chosen: Rules, folder: Path) -> Deviations:
        generate(small_shop.TAXONOMY, chosen, configuration, folder)
        measured = measure(folder, small_shop.TAXONOMY, wanted, configuration)
        return deviations(measured, wanted, small_shop.TAXONOMY)

    before = run(wanted, tmp_path / "first")
    assert any("step 3 should follow step 2 in 50.0% of cases" in line for line in before.lines())
    after = run(corrected(wanted, before), tmp_path / "second")
    assert before.distance > 0
    assert after.distance < 0.7 * before.distance
