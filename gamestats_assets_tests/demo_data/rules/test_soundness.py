"""What the check of rules finds wrong, and says so with names and places."""

from __future__ import annotations

from typing import Any

import pytest

from gamestats_assets.demo_data.rules.model import SEGMENTS, Activity, Rules, SegmentAnalysis
from gamestats_assets.demo_data.rules.soundness import RulesError, problems, require_sound
from gamestats_assets.demo_data.taxonomies.value_rules import Between, OneOf
from gamestats_assets_tests.demo_data.analysis.analyst_sheets import event, prop, taxonomy

SHEET = taxonomy(
    "app_start",
    "battle_start",
    "battle_win",
    "server_report",
    event("purchase", "price:n", prop("quantity:n", Between(min=1, max=5, integer=True)), "method"),
    common=(prop("country", OneOf(values=("KR", "JP"))), "carrier"),
    users=("level:n", "xp:n", "power:n"),
)
ROOMS = taxonomy(event("view", "room_id"), event("book", "room_id"))
LEVELS = taxonomy(event("set", "level:n"), event("add", "level:n"), common=("level:n",))


def made(**parts: object) -> Rules:
    """Rules with nothing but what is given."""
    segment = SegmentAnalysis(activity=Activity(daily_probability=0.5))
    return Rules.model_validate({"segment_analysis": dict.fromkeys(SEGMENTS, segment), **parts})


def events(**constraints: object) -> dict[str, object]:
    """Constraints of events alone."""
    return {"event_constraints": constraints}


def flow(*steps: object, first: float = 1) -> list[object]:
    """One sequence, each step of which is the name of an event, or written out."""
    told: list[Any] = [{"events": [step]} if isinstance(step, str) else step for step in steps]
    return [{"name": "fight", "kind": "funnel", "steps": [{**told[0], "probability": first}, *told[1:]]}]


def values(**constraints: object) -> dict[str, object]:
    """Constraints of values by property."""
    return {"property_constraints": constraints}


def formulas(**texts: str) -> dict[str, object]:
    """Formulas by property."""
    return {"property_relationships": {name: {"formula": text} for name, text in texts.items()}}


WIDE = {"min": 0, "max": 9}
COMPLETED = {"battle_win": "onboarding_completed"}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (events(once=["batle_start"]), ["event_constraints.once", "did you mean 'battle_start'"]),
        ({"value_ranges": {"pric": WIDE}}, ["value_ranges", "did you mean 'price'"]),
        ({"value_ranges": {"purchase/pric": WIDE}}, ["value_ranges", "did you mean 'price'"]),
        (values(pric={"values": [1]}), ["property_constraints", "did you mean 'price'"]),
        ({"property_relationships": {"pric": {}}}, ["property_relationships", "did you mean 'price'"]),
        (
            events(prerequisites={"battle_start": ["battle_win"], "battle_win": ["battle_start"]}),
            ["battle_start -> battle_win -> battle_start"],
        ),
        (events(prerequisites={"purchase": ["purchase"]}), ["purchase -> purchase"]),
        (
            events(prerequisites={"purchase": ["server_report"]}, not_of_users=["server_report"]),
            ["purchase", "'server_report' is in not_of_users"],
        ),
        (
            events(sequences=flow("battle_start", "battle_win"), prerequisites={"battle_start": ["battle_win"]}),
            ["'battle_win' is after 'battle_start' in the sequence 'fight'"],
        ),
        (
            events(
                sequences=flow("battle_start", {"events": ["battle_win", "purchase"]}),
                prerequisites={"purchase": ["battle_win"]},
            ),
            ["in the same step as 'purchase'"],
        ),
        (
            events(prerequisites={"purchase": ["battle_win"]}, lifecycle=COMPLETED, stage_events=COMPLETED),
            ["it needs 'battle_win', which waits for the stage 'onboarding_completed'", "never reached"],
        ),
        (
            events(sequences=flow("battle_start", first=0.5)),
            ["its first step has probability 0.5; it must be 1"],
        ),
        (
            events(sequences=flow("battle_start", {"events": ["battle_win"], "follows": ["purchase"]})),
            ["follows 'purchase', which is not in the step before"],
        ),
        (
            events(
                sequences=flow("battle_start", "server_report", "app_start"),
                session_start=["app_start"],
                not_of_users=["server_report"],
            ),
            ["'server_report' is in not_of_users", "'app_start' is in session_start too"],
        ),
        (formulas(xp="level * 100", level="xp / 100"), ["level -> xp -> level"]),
        (values(level={"copy_of": "xp"}, xp={"copy_of": "level"}), ["level -> xp -> level"]),
        (
            values(country={"depends_on": "carrier", "mapping": {"SKT": ["KR"]}}, carrier={"copy_of": "country"}),
            ["carrier -> country -> carrier"],
        ),
        (
            {
                "property_relationships": {"purchase/price": {"formula": "level * 2"}},
                "update_patterns": {"purchase": {"level": {"type": "set", "value": "{{price}}"}}},
            },
            ["level -> purchase/price -> level"],
        ),
        ({"value_ranges": {"quantity": WIDE}}, ["0 to 9 is beyond 1 to 5"]),
        (values(carrier={"depends_on": "country", "mapping": {"FR": ["Orange"]}}), ["country is never 'FR'"]),
        (values(carrier={"depends_on": "cuntry", "mapping": {"KR": ["SKT"]}}), ["did you mean 'country'"]),
        (values(xp={"copy_of": "levl"}), ["no property 'levl'"]),
        (values(**{"purchase/price": {"counter": {"source": "prise"}}}), ["counter.source"]),
        (formulas(xp="level *"), ["property_relationships.xp.formula"]),
        (formulas(xp="price * 2"), ["users have no property 'price'"]),
        (
            {"update_patterns": {"purchase": {"levle": {"type": "increment"}}}},
            ["no user property or common property 'levle'; did you mean 'level'"],
        ),
        (
            {"update_patterns": {"battle_win": {"level": {"type": "set", "value": "{{price}}"}}}},
            ["'battle_win' has no property 'price' for {{price}}"],
        ),
    ],
)
def test_what_is_wrong_is_named(parts: dict[str, object], said: list[str]) -> None:
    found = problems(made(**parts), SHEET)
    assert found
    assert [text for text in said if not any(text in problem for problem in found)] == []


@pytest.mark.parametrize(
    "parts",
    [
        {"value_ranges": {"quantity": {"min": 1, "max": 5}}},
        values(xp={"copy_of": "#account_id"}),
        {
            "update_patterns": {
                "purchase": {
                    "level": {"type": "increment", "value": "{{price}} * 2"},
                    "xp": {"type": "set", "value": "{{#time}}"},
                }
            }
        },
    ],
)
def test_what_is_right_is_no_problem(parts: dict[str, object]) -> None:
    assert problems(made(**parts), SHEET) == []


def test_a_step_cannot_recall_what_a_later_one_repeats_of_it() -> None:
    rules = made(
        **values(**{"view/room_id": {"recalls": ["book"]}, "book/room_id": {"same_as_before": True}}),
        **events(sequences=flow("view", "book")),
    )
    assert problems(rules, ROOMS) == [
        "These values need each other, so none of them can be made: book/room_id -> view/room_id -> book/room_id"
    ]


def test_a_state_cannot_be_changed_by_what_shows_it() -> None:
    updates = {
        name: {"level": {"type": how, "value": "{{level}}"}} for name, how in (("set", "set"), ("add", "increment"))
    }
    (found,) = problems(made(update_patterns=updates), LEVELS)
    assert "update_patterns.add.level" in found


def test_limits_hold_in_segments_too() -> None:
    segments = {**made().segment_analysis}
    wide = segments["new_user"].model_copy(update={"property_ranges": {"purchase/quantity": WIDE}})
    rules = Rules.model_validate({"segment_analysis": {**segments, "new_user": wide.model_dump()}})
    (found,) = problems(rules, SHEET)
    assert "segment_analysis.new_user.property_ranges.purchase/quantity: 0 to 9 is beyond 1 to 5" in found


def test_all_problems_are_raised_together() -> None:
    with pytest.raises(RulesError) as caught:
        require_sound(made(**events(once=["nope", "nada"]), value_ranges={"quantity": WIDE}), SHEET)
    assert len(caught.value.problems) == 3
    assert all(word in str(caught.value) for word in ("nope", "nada", "quantity", "3 problems", "'sheet'"))
