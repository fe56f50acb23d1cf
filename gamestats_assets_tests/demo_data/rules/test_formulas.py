"""Formulas: what they give, what is refused, and that nothing else happens."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.demo_data.rules.formulas import LONGEST, FormulaError, parse_formula

VALUES: dict[str, Any] = {
    "level": np.array([3, 10, 7]),
    "price": np.array([9.99, 0.0, -4.5]),
    "items.count": np.array([1, 2, 3]),
    "#zone_offset": 9,
    "items[3].count": np.array([5, 0, 5]),
    "is_first": np.array([True, False, True]),
    "min": 100,
}


CASES: dict[str, list[Any]] = tomllib.loads(Path(__file__).with_name("formulas.toml").read_text(encoding="utf-8"))


def no_random(index: int) -> np.ndarray:
    raise AssertionError(f"no random number {index} was asked for")


def evaluated(text: str, *uniform: Any) -> Any:
    draws = [np.asarray(draw, dtype=float) for draw in uniform]
    return parse_formula(text).evaluate(VALUES, draws.__getitem__ if draws else no_random).tolist()


# --------------------------------------------------------------------------- what they give


@pytest.mark.parametrize(("text", "expected"), CASES["gives"])
def test_what_a_formula_gives(text: str, expected: Any) -> None:
    assert evaluated(text) == pytest.approx(expected)


def test_zero_has_no_sign() -> None:
    assert str(evaluated("-0")) == "0.0"
    assert str(evaluated("0 * -level")) == "[0.0, 0.0, 0.0]"


@pytest.mark.parametrize(("text", "expected"), CASES["random"])
def test_random_numbers(text: str, expected: list[float]) -> None:
    assert evaluated(text, [0.0, 0.5, 0.999]) == pytest.approx(expected)


def test_each_random_has_its_own_numbers_in_the_order_of_the_text() -> None:
    assert evaluated("random(0-9) * 100 + random(0-9)", [0.25], [0.75]) == [207]
    # The outer one is the first; the inner one, 2, is its lower bound.
    assert evaluated("random(random(1-2)-10)", [0.0], [0.999]) == [2]
    assert parse_formula("random(random(1-2)-10) + random(1-2)").randoms == 3


def test_whole_random_numbers_are_equally_likely() -> None:
    draws = (np.arange(60_000) + 0.5) / 60_000
    found = parse_formula("random(1-6)").evaluate({}, lambda index: draws)
    assert np.bincount(found.astype(int)).tolist() == [0, *[10_000] * 6]


def test_names_are_those_of_properties() -> None:
    formula = parse_formula("if({{obj[3].child}} > level, max(items.count, level), #zone_offset) + random(0-level)")
    assert formula.names == {"obj[3].child", "level", "items.count", "#zone_offset"}
    assert formula.text.startswith("if(")


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("text", "position", "message"), CASES["refused"])
def test_what_is_no_formula(text: str, position: int, message: str) -> None:
    with pytest.raises(FormulaError) as error:
        parse_formula(text)
    assert message in str(error.value)
    assert error.value.position == position
    *_, shown, caret = str(error.value).split("\n")
    assert (shown, caret) == ("  " + text, "  " + " " * position + "^")


def test_the_caret_of_a_long_formula_stands_under_the_place() -> None:
    text = "1 + " * 100 + "* 2"
    with pytest.raises(FormulaError) as error:
        parse_formula(text)
    *_, shown, caret = str(error.value).split("\n")
    assert shown[caret.index("^")] == "*"
    assert len(shown) < 110


def test_a_formula_has_a_largest_length() -> None:
    longest = "1+" * (LONGEST // 2 - 1) + "11"
    assert evaluated(longest) == LONGEST // 2 - 1 + 11
    for text, message in ((longest + "1", "at most 500 characters"), ("(" * 240 + "1" + ")" * 240, "at character")):
        with pytest.raises(FormulaError, match=message):
            parse_formula(text)


def test_a_name_without_a_value() -> None:
    with pytest.raises(FormulaError, match="uses lvl, which has no value here; there are level, price") as error:
        parse_formula("2 * lvl").evaluate({"level": 1, "price": 2}, no_random)
    assert error.value.position == 4


@pytest.mark.parametrize("texts", [np.array(["KR"]), ["a", "b"], [None, {}], [object()]])
def test_a_name_whose_values_are_no_numbers(texts: Any) -> None:
    with pytest.raises(FormulaError, match="calculates with country, whose values are not numbers"):
        parse_formula("country + 1").evaluate({"country": texts}, no_random)


# --------------------------------------------------------------------------- for any text

PIECES = [
    "1",
    "2.5",
    "level",
    "{{x}}",
    "min",
    "random",
    "round",
    "if",
    "not",
    "and",
    "or",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "<",
    "==",
    ".",
    "#",
    "{",
    "}",
    "é",
    "e5",
    "0x1",
    "__import__",
]
ALPHABET = st.sampled_from([*PIECES, " ", "\n"])


@given(st.one_of(st.text(max_size=60), st.lists(ALPHABET, max_size=40).map("".join)))
@settings(max_examples=120)
def test_any_text_is_a_formula_or_an_error_that_shows_where(text: str) -> None:
    try:
        formula = parse_formula(text)
    except FormulaError as raised:
        formula = raised
    if isinstance(formula, FormulaError):
        assert 0 <= formula.position <= len(text)
        return
    result = formula.evaluate(dict.fromkeys(formula.names, np.array([0.0, 3.0])), lambda index: np.array([0.2, 0.9]))
    assert np.isfinite(result).all()


@st.composite
def pairs(draw: st.DrawFn, depth: int = 3) -> tuple[str, str]:
    """A formula, and an expression of Python that means the same, its numbers being Python's own."""
    kind = draw(st.integers(0, 9)) if depth else 0
    if kind <= 1:
        number = draw(st.one_of(st.integers(0, 99), st.floats(0, 99).map(lambda value: round(value, 3))))
        return (f"{number}", f"{number}") if draw(st.booleans()) else ("level", "level")

    def inner() -> tuple[str, str]:
        return draw(pairs(depth=depth - 1))

    (a, pa), (b, pb) = inner(), inner()
    space = draw(st.sampled_from(["", " "]))
    if kind <= 4:
        operator = draw(st.sampled_from(["+", "-", "*", "<", "<=", ">", ">=", "==", "!="]))
        if operator in "+-*":
            return f"{a}{space}{operator}{space}{b}", f"{pa}{operator}{pb}"
        return f"(({a}){operator}({b}))", f"float(({pa}){operator}({pb}))"
    if kind == 5:
        return f"-{space}{a}", f"-{pa}"
    if kind == 6:
        operator = draw(st.sampled_from(["and", "or"]))
        return f"(({a}) {operator} ({b}))", f"float(bool({pa}) {operator} bool({pb}))"
    if kind == 7:
        return f"({a})", f"({pa})"
    if kind == 8:
        name = draw(st.sampled_from(["min", "max"]))
        return f"{name}({a},{b})", f"{name}({pa},{pb})"
    c, pc = inner()
    return f"if({c},{a},{b})", f"(({pa}) if ({pc}) else ({pb}))"


@given(pairs(), st.integers(-20, 20))
@settings(max_examples=60)
def test_arithmetic_means_what_it_means_in_python(pair: tuple[str, str], level: int) -> None:
    text, python = pair
    if len(text) > LONGEST:
        return
    expected = float(
        eval(python, {"__builtins__": {"float": float, "bool": bool, "min": min, "max": max}, "level": level})
    )
    found = parse_formula(text).evaluate({"level": np.array([level])}, no_random)
    assert np.broadcast_to(found, (1,))[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)
