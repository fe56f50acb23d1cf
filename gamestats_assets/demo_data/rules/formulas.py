"""Formulas: how a number follows from others, written as people and language models write it.

A formula is text in a closed grammar. It is read by the parser below into a list of steps, and a step is a number, a
name, a random number or one of the operations listed here; there is nothing else that a text could make happen.

| written | meaning |
|---|---|
| `12`, `0.5`, `1e6` | a number |
| `level`, `items.count`, `#zone_offset` | the property of that name; `#year` is that in which the run begins |
| `{{price}}`, `{{items[3].count}}` | the same; what stands inside is the name, whatever it looks like |
| `+ - * / % **` and `-x` | arithmetic; `%` has the sign of the divisor, `**` is a power |
| `< <= > >= == !=` | 1 where it holds, 0 elsewhere |
| `and or not` | anything but 0 holds; the result is 1 or 0 |
| `min(a, b, ...)`, `max(a, b, ...)`, `clamp(x, low, high)` | the smallest, the largest, x kept within bounds |
| `round(x)`, `round(x, 2)`, `floor(x)`, `ceil(x)` | `round` takes the even one of two equally near numbers |
| `abs(x)`, `sqrt(x)`, `log(x)`, `exp(x)` | `log` is the natural logarithm |
| `if(condition, a, b)` | a where the condition is not 0, b elsewhere |
| `random(a-b)`, `random(a, b)` | any number between the two, each as likely |

`random` gives whole numbers, both bounds included, where both bounds are whole: `random(1-6)` is a die. Bounds written
with a decimal point, as in `random(0.0, 1.0)`, give numbers with decimals.

A result that is no finite number (after a division by zero, an overflow, the logarithm of a negative number) is 0.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gamestats_assets.lakehouse.errors import GamestatsError

Floats = npt.NDArray[np.float64]

LONGEST = 500
"""Characters that a formula has at most."""

DEEPEST = 50
"""How deep parentheses, signs and powers may be nested."""


class FormulaError(GamestatsError):
    """A formula cannot be read, or not be evaluated with the values given.

    Attributes:
        position: of the character that is wrong, from 0 on.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        start = max(0, position - 60)
        shown = "".join(" " if character.isspace() else character for character in text[start : start + 100])
        super().__init__(f"{message}, at character {position + 1}:\n  {shown}\n  {' ' * (position - start)}^")
        self.position = position


class _Step(NamedTuple):
    """What to do next with the stack of values.

    Attributes:
        kind: `number` and `name` push a value; `call` replaces its arguments by its result; `random` two bounds.
        what: the number, the name, the function, or how many `random` there were before.
        arguments: how many a function takes off the stack.
        position: where it is written.
        decimals: of `random`, whether a bound is written with a decimal point; of `round`, how many to keep.
    """

    kind: str
    what: Any
    arguments: int = 0
    position: int = 0
    decimals: int = 0


@dataclass(frozen=True)
class Formula:
    """A formula that has been read.

    Attributes:
        text: as it was written.
        names: the properties it uses.
        randoms: how many times it says `random`.
    """

    text: str
    names: frozenset[str]
    randoms: int
    _steps: tuple[_Step, ...]

    def evaluate(self, values: Mapping[str, npt.ArrayLike], uniform: Callable[[int], Floats]) -> Floats:
        """The results, in the shape to which the values broadcast; a single number where there are none.

        Args:
            values: numbers, or true and false, by name.
            uniform: random numbers from 0 to 1, for the first, second, ... `random` of the formula, counted from 0.

        Raises:
            FormulaError: when a name has no value, or one that is no number.
        """
        stack: list[Any] = []
        with np.errstate(all="ignore"):
            for step in self._steps:
                if step.kind == "number":
                    stack.append(np.float64(step.what))
                elif step.kind == "name":
                    stack.append(self._value(step, values))
                elif step.kind == "random":
                    high, low = stack.pop(), stack.pop()
                    stack.append(_random(low, high, np.asarray(uniform(step.what)), with_decimals=bool(step.decimals)))
                else:
                    arguments = stack[len(stack) - step.arguments :]
                    del stack[len(stack) - step.arguments :]
                    if step.what == "round":
                        arguments.append(step.decimals)
                    stack.append(_OPERATIONS[step.what](*arguments))
            result = np.asarray(stack.pop(), dtype=np.float64)
            return np.where(np.isfinite(result), result, 0.0) + 0.0  # -0.0 becomes 0.0

    def _value(self, step: _Step, values: Mapping[str, npt.ArrayLike]) -> Floats:
        if step.what not in values:
            raise FormulaError(
                f"the formula uses {step.what}, which has no value here; there are {_listed(values)}",
                self.text,
                step.position,
            )
        try:
            return np.asarray(values[step.what], dtype=np.float64)
        except (TypeError, ValueError):
            raise FormulaError(
                f"the formula calculates with {step.what}, whose values are no numbers", self.text, step.position
            ) from None


@functools.lru_cache(maxsize=4096)
def parse_formula(text: str) -> Formula:
    """Read a formula; the same text is read once.

    Raises:
        FormulaError: saying where the text stops being one, and what was expected there.
    """
    return _Parser(text).formula()


# --------------------------------------------------------------------------- what it can do


def _truth(function: Callable[..., Any]) -> Callable[..., Floats]:
    return lambda *arguments: np.asarray(function(*arguments), dtype=np.float64)


def _smallest(*arguments: Floats) -> Floats:
    return _folded(np.minimum, arguments)


def _largest(*arguments: Floats) -> Floats:
    return _folded(np.maximum, arguments)


def _folded(function: Callable[[Any, Any], Any], arguments: tuple[Floats, ...]) -> Floats:
    result = arguments[0]
    for argument in arguments[1:]:
        result = function(result, argument)
    return result


def _random(low: Floats, high: Floats, uniform: Floats, *, with_decimals: bool) -> Floats:
    low, high = np.minimum(low, high), np.maximum(low, high)
    between = low + uniform * (high - low)
    if with_decimals:
        return between
    whole = np.minimum(low + np.floor(uniform * (high - low + 1)), high)
    return np.where((np.floor(low) == low) & (np.floor(high) == high), whole, between)


_FUNCTIONS: dict[str, tuple[int, int | None]] = {
    "min": (2, None),
    "max": (2, None),
    "round": (1, 2),
    "floor": (1, 1),
    "ceil": (1, 1),
    "abs": (1, 1),
    "sqrt": (1, 1),
    "log": (1, 1),
    "exp": (1, 1),
    "clamp": (3, 3),
    "if": (3, 3),
}
"""By name, how many arguments a function takes, at least and at most; `random` is read on its own."""

_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
    "**": np.power,
    "negative": np.negative,
    "<": _truth(np.less),
    "<=": _truth(np.less_equal),
    ">": _truth(np.greater),
    ">=": _truth(np.greater_equal),
    "==": _truth(np.equal),
    "!=": _truth(np.not_equal),
    "and": _truth(np.logical_and),
    "or": _truth(np.logical_or),
    "not": _truth(np.logical_not),
    "min": _smallest,
    "max": _largest,
    "round": np.round,
    "floor": np.floor,
    "ceil": np.ceil,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "log": np.log,
    "exp": np.exp,
    "clamp": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "if": lambda condition, a, b: np.where(np.asarray(condition) != 0, a, b),
}

_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_BINDING: dict[str, int] = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(_COMPARISONS, 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "%"), 6),
    "**": 8,
}
"""How tightly an operator binds; `not` does between `and` and comparisons, a sign between `*` and `**`."""
_NOT, _SUM, _PRODUCT, _SIGN = 3, 5, 6, 7


# --------------------------------------------------------------------------- how it is read

_TOKEN = re.compile(
    r"""
    (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |\{\{(?P<reference>[^{}]*)\}\}
    |(?P<name>\#?[A-Za-z_][A-Za-z0-9_]*(?:\.\#?[A-Za-z_][A-Za-z0-9_]*)*)
    |(?P<operator>\*\*|<=|>=|==|!=|[-+*/%<>(),])
    """,
    re.VERBOSE,
)
_ADVICE = {"=": "; to compare, write ==", "^": "; a power is written **", "{": "; a reference is written {{name}}"}


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


class _Parser:
    """A Pratt parser: an operand, then operators as long as they bind tightly enough."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._read()
        self._next = 0
        self._depth = 0
        self._randoms = 0
        self._steps: list[_Step] = []

    def formula(self) -> Formula:
        self._expression(0)
        token = self._peek()
        if token.kind != "end":
            raise self._error("expected an operator or the end", token)
        names = frozenset(step.what for step in self._steps if step.kind == "name")
        return Formula(self._text, names, self._randoms, tuple(self._steps))

    # ---- characters

    def _read(self) -> list[_Token]:
        if len(self._text) > LONGEST:
            length = len(self._text)
            raise FormulaError(f"a formula has at most {LONGEST} characters, this one {length}", self._text, LONGEST)
        tokens: list[_Token] = []
        position = 0
        while position < len(self._text):
            character = self._text[position]
            if character.isspace():
                position += 1
                continue
            match = _TOKEN.match(self._text, position)
            if match is None:
                advice = _ADVICE.get(character, "")
                raise FormulaError(f"{character!r} is not a part of any formula{advice}", self._text, position)
            kind = str(match.lastgroup)
            tokens.append(_Token(kind, match[kind].strip(), position))
            position = match.end()
        return [*tokens, _Token("end", "", len(self._text.rstrip()))]

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += token.kind != "end"
        return token

    def _accept(self, operator: str) -> bool:
        token = self._peek()
        found = token.kind == "operator" and token.text == operator
        self._next += found
        return found

    def _expect(self, operator: str, where: str) -> None:
        if not self._accept(operator):
            raise self._error(f"expected {operator!r} {where}", self._peek())

    def _error(self, expected: str, token: _Token) -> FormulaError:
        found = "the end" if token.kind == "end" else repr(token.text)
        return FormulaError(f"{expected}, found {found}", self._text, token.position)

    # ---- expressions

    def _expression(self, power: int) -> None:
        """An operand and all operators after it that bind at least as tightly as `power`."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise FormulaError(f"a formula is nested {DEEPEST} deep at most", self._text, self._peek().position)
        self._operand()
        self._operators(power)
        self._depth -= 1

    def _operators(self, power: int) -> None:
        """Operators, each with its right side, that apply to what has been read."""
        while True:
            token = self._peek()
            binding = _BINDING.get(token.text, 0) if token.kind in ("operator", "name") else 0
            if not binding or binding < power:
                return
            self._take()
            # A power applies to the power on its right, and to a sign there: 2 ** -1.
            self._expression(_SIGN if token.text == "**" else binding + 1)
            self._step("call", token.text, token, arguments=2)
            if token.text in _COMPARISONS and self._peek().text in _COMPARISONS:
                raise self._error("expected and: two values are compared at a time", self._peek())

    def _operand(self) -> None:
        token = self._take()
        if token.kind == "number":
            if not np.isfinite(float(token.text)):
                raise FormulaError("this number is too large", self._text, token.position)
            self._step("number", float(token.text), token)
        elif token.kind == "reference":
            if not token.text:
                raise FormulaError("a reference needs a name between {{ and }}", self._text, token.position)
            self._step("name", token.text, token)
        elif token.kind == "operator" and token.text == "-":
            self._expression(_SIGN)
            self._step("call", "negative", token, arguments=1)
        elif token.kind == "operator" and token.text == "(":
            self._expression(0)
            self._expect(")", "to close the parenthesis")
        elif token.kind == "name" and token.text == "not":
            self._expression(_NOT)
            self._step("call", "not", token, arguments=1)
        elif token.kind == "name" and token.text not in ("and", "or"):
            self._named(token)
        else:
            raise self._error("expected a number, a name or '('", token)

    def _named(self, token: _Token) -> None:
        """A property, or a function with its arguments."""
        if not self._accept("("):
            self._step("name", token.text, token)
        elif token.text == "random":
            self._random(token)
        elif token.text in _FUNCTIONS:
            self._call(token)
        else:
            near = difflib.get_close_matches(token.text.lower(), [*_FUNCTIONS, "random"], n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join([*_FUNCTIONS, 'random'])}"
            raise FormulaError(f"there is no function {token.text}; {advice}", self._text, token.position)

    def _call(self, token: _Token) -> None:
        least, most = _FUNCTIONS[token.text]
        count, decimals = 0, 0
        if not self._accept(")"):
            while True:
                start = len(self._steps)
                self._expression(0)
                count += 1
                if token.text == "round" and count == 2:
                    decimals = self._decimals(start)
                if not self._accept(","):
                    break
            self._expect(")", f"or ',' after an argument of {token.text}")
        if count < least or (most is not None and count > most):
            wanted = str(least) if least == most else f"{least} or more" if most is None else f"{least} or {most}"
            raise FormulaError(f"{token.text} takes {wanted} arguments, not {count}", self._text, token.position)
        self._step("call", token.text, token, arguments=1 if token.text == "round" else count, decimals=decimals)

    def _decimals(self, start: int) -> int:
        """The second argument of `round`, which is a plain number, as it is the same for all values."""
        written = self._steps[start:]
        del self._steps[start:]
        kinds = [step.what if step.kind == "call" else step.kind for step in written]
        if kinds not in (["number"], ["number", "negative"]) or written[0].what not in range(16):
            message = "the second argument of round is how many decimals to keep, a whole number up to 15"
            raise FormulaError(message, self._text, written[0].position)
        decimals = int(written[0].what)
        return decimals if kinds == ["number"] else -decimals

    def _random(self, token: _Token) -> None:
        """`random(a-b)` or `random(a, b)`; the minus between two bounds is no subtraction if nothing follows it."""
        index, first = self._randoms, self._next
        self._randoms += 1
        self._expression(_PRODUCT)
        between = self._peek()
        if self._accept("-"):
            self._expression(_PRODUCT)
            if not self._accept(")"):
                self._step("call", "-", between, arguments=2)
                self._second_bound()
        else:
            self._second_bound()
        written = self._tokens[first : self._next]
        with_decimals = any(part.kind == "number" and "." in part.text for part in written)
        self._step("random", index, token, decimals=with_decimals)

    def _second_bound(self) -> None:
        self._operators(0)
        self._expect(",", "or '-' between the two bounds of random, as in random(1-6) or random(a, b)")
        self._expression(0)
        self._expect(")", "after the two bounds of random")

    def _step(self, kind: str, what: Any, token: _Token, *, arguments: int = 0, decimals: int = 0) -> None:
        self._steps.append(_Step(kind, what, arguments, token.position, decimals))


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(sorted(values)[:20]) or "none"
