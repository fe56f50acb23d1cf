"""What the small rules of a description cell mean, and which texts are none."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Between,
    OneOf,
    ValueRule,
    ValueRuleError,
    parse_value_rule,
)


def cases(name: str) -> Iterator[tuple[str, PropertyType, str]]:
    """Cell, type of its property, and what is to come out."""
    with Path(__file__).with_name(f"{name}.csv").open(encoding="utf-8", newline="") as file:
        for cell, type_, expected in list(csv.reader(file))[1:]:
            yield cell, PropertyType(type_), expected


@pytest.mark.parametrize(("cell", "type_", "rule"), cases("value_rules"))
def test_a_cell_is_the_rule_that_a_person_reads_in_it(cell: str, type_: PropertyType, rule: str) -> None:
    expected = TypeAdapter(ValueRule).validate_json(rule) if rule else None
    assert parse_value_rule(cell, type_) == expected


@pytest.mark.parametrize(("cell", "type_", "message"), cases("refused_rules"))
def test_half_a_rule_is_refused(cell: str, type_: PropertyType, message: str) -> None:
    with pytest.raises(ValueRuleError, match=message):
        parse_value_rule(cell, type_)


RULE_LIKE = st.text(st.sampled_from("[]{}|+-=,/~>.#:()'\" 0159xyab등예시값\n"), max_size=25)


@given(st.one_of(st.text(max_size=60), RULE_LIKE), st.sampled_from(PropertyType))
def test_any_text_is_a_rule_a_text_or_refused(text: str, type_: PropertyType) -> None:
    try:
        rule = parse_value_rule(text, type_)
    except ValueRuleError:
        return
    if isinstance(rule, OneOf):
        assert rule.values
        assert all(value != "" for value in rule.values)
    if isinstance(rule, Between):
        assert rule.min <= rule.max
    if rule is not None:
        assert parse_value_rule(f"  {text}\n", type_) == rule


WORDS = ("일상", "주간 퀘스트", "검", "가을 마을", "Tiktok Ads", "gold", "iOS", "a-1_b", "기타", "3성", "LG U+")


@given(
    st.lists(st.sampled_from(WORDS), min_size=2, max_size=8, unique=True),
    st.sampled_from([",", ", ", "，", "、", " / "]),
    st.sampled_from(["", " 등", ", etc.", "..."]),
)
def test_values_between_separators_are_a_choice(words: list[str], separator: str, ending: str) -> None:
    rule = OneOf(values=tuple(words), open_ended=bool(ending))
    assert parse_value_rule(separator.join(words) + ending.replace(", ", separator), PropertyType.STRING) == rule
