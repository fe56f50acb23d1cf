"""Formulas: how a number follows from others, written as people and language models write it.

A formula is text in a closed grammar. Python's own parser says what binds tighter; the tree becomes a list of steps,
and a step is a number, a name, a random number or one of the operations listed here. Nothing else can happen.

| written | meaning |
|---|---|
| `12`, `0.5`, `1e6` | a number |
| `level`, `items.count`, `#zone_offset` | the property of that name; `#year` is that in which the run begins |
| `{{price}}`, `{{items[3].count}}` | the same; what stands inside is the name, whatever it looks like |
| `+ - * / % **` and `-x` | arithmetic; `%` has the sign of the divisor, `**` is a power |
| `< <= > >= == !=` | 1 where it holds, 0 elsewhere |
| `and or not` | anything but 0 holds; the result is 1 or 0; `a == (not b)` needs its parentheses |
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

import ast
import difflib
import functools
import itertools
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
        operation: a key of `_OPERATIONS`, or `number`, `name` and `random`.
        arguments: how many values the operation takes off the stack.
        value: the number, the name, how many `random` came before, or the decimals that `round` keeps.
        position: where the step is written.
    """

    operation: Any
    arguments: int
    value: Any
    position: int


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
                kept = len(stack) - step.arguments
                arguments: Any = stack[kept:]
                del stack[kept:]
                match step.operation:
                    case "number":
                        stack.append(np.float64(step.value))
                    case "name":
                        stack.append(self._value(step, values))
                    case "random" | "random with decimals":
                        draws = np.asarray(uniform(step.value))
                        low, high = arguments
                        stack.append(_random(low, high, draws, whole=step.operation == "random"))
                    case "round":
                        stack.append(np.round(arguments[0], step.value))
                    case operation:
                        stack.append(_OPERATIONS[operation](*arguments))
            result = np.asarray(stack.pop(), dtype=np.float64)
            return np.where(np.isfinite(result), result, 0.0) + 0.0  # -0.0 becomes 0.0

    def _value(self, step: _Step, values: Mapping[str, npt.ArrayLike]) -> Floats:
        if step.value not in values:
            known = ", ".join(sorted(values)[:20]) or "none"
            message = f"the formula uses {step.value}, which has no value here; there are {known}"
            raise FormulaError(message, self.text, step.position)
        try:
            return np.asarray(values[step.value], dtype=np.float64)
        except (TypeError, ValueError):
            message = f"the formula calculates with {step.value}, whose values are no numbers"
            raise FormulaError(message, self.text, step.position) from None


@functools.lru_cache(maxsize=4096)
def parse_formula(text: str) -> Formula:
    """Read a formula; the same text is read once.

    Raises:
        FormulaError: saying where the text stops being one, and what was expected there.
    """
    tokens = _tokens(text)
    _check_order(tokens, text)
    return _Compiler(text, tokens).formula()


# --------------------------------------------------------------------------- what it can do


def _truth(function: Callable[..., Any]) -> Callable[..., Floats]:
    return lambda *arguments: np.asarray(function(*arguments), dtype=np.float64)


def _random(low: Floats, high: Floats, uniform: Floats, *, whole: bool) -> Floats:
    low, high = np.minimum(low, high), np.maximum(low, high)
    between = low + uniform * (high - low)
    if not whole:
        return between
    die = np.minimum(low + np.floor(uniform * (high - low + 1)), high)
    return np.where((np.floor(low) == low) & (np.floor(high) == high), die, between)


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
"""By name, how many arguments a function takes, at least and at most; the bounds of `random` are read on their own."""

_OPERATIONS: dict[Any, Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.Lt: _truth(np.less),
    ast.LtE: _truth(np.less_equal),
    ast.Gt: _truth(np.greater),
    ast.GtE: _truth(np.greater_equal),
    ast.Eq: _truth(np.equal),
    ast.NotEq: _truth(np.not_equal),
    ast.And: _truth(np.logical_and),
    ast.Or: _truth(np.logical_or),
    ast.Not: _truth(np.logical_not),
    "min": lambda *arguments: functools.reduce(np.minimum, arguments),
    "max": lambda *arguments: functools.reduce(np.maximum, arguments),
    "floor": np.floor,
    "ceil": np.ceil,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "log": np.log,
    "exp": np.exp,
    "clamp": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "if": lambda condition, a, b: np.where(np.asarray(condition) != 0, a, b),
}


# --------------------------------------------------------------------------- how it is read

_TOKEN = re.compile(
    r"""
    (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |\{\{(?P<reference>[^{}]*)\}\}
    |(?P<name>\#?[A-Za-z_][A-Za-z0-9_]*(?:\.\#?[A-Za-z_][A-Za-z0-9_]*)*)
    |(?P<symbol>\*\*|<=|>=|==|!=|[-+*/%<>(),])
    """,
    re.VERBOSE,
)
_ADVICE = {"=": "; to compare, write ==", "^": "; a power is written **", "{": "; a reference is written {{name}}"}
_VALUES = frozenset(("number", "name", "reference"))
_WORDS = frozenset(("and", "or", "not"))
_AFTER_VALUE = frozenset(("+", "-", "*", "/", "%", "**", "<", "<=", ">", ">=", "==", "!=", "and", "or", ",", ")"))
_WIDTH = 4
"""Characters that each token takes in what Python's parser reads, so that a column tells the token."""


class _Token(NamedTuple):
    """A number, name, reference or symbol (`and`, `or` and `not` among them), or the end."""

    kind: str
    text: str
    position: int

    @property
    def symbol(self) -> str:
        """What a symbol is; empty for all else."""
        return self.text if self.kind == "symbol" else ""


def _tokens(text: str) -> list[_Token]:
    if len(text) > LONGEST:
        raise FormulaError(f"a formula has at most {LONGEST} characters, this one {len(text)}", text, LONGEST)
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            advice = _ADVICE.get(text[position], "")
            raise FormulaError(f"{text[position]!r} is not a part of any formula{advice}", text, position)
        kind = str(match.lastgroup)
        word = match[kind].strip()
        if kind == "reference" and not word:
            raise FormulaError("a reference needs a name between {{ and }}", text, position)
        if kind == "number" and not np.isfinite(float(word)):
            raise FormulaError("this number is too large", text, position)
        if kind == "name" and word in _WORDS:
            kind = "symbol"
        tokens.append(_Token(kind, word, position))
        position = match.end()
    return [*tokens, _Token("end", "", len(text.rstrip()))]


def _check_order(tokens: list[_Token], text: str) -> None:
    """Refuse a token that cannot follow the one before it; Python's own message would name no expectation."""
    for before, token in itertools.pairwise([_Token("start", "", 0), *tokens]):
        found = "the end" if token.kind == "end" else repr(token.text)
        if before.kind in _VALUES or before.symbol == ")":
            follows = token.kind == "end" or token.symbol in _AFTER_VALUE
            follows = follows or (before.kind == "name" and token.symbol == "(")
            expected = "an operator or the end"
        else:
            follows = token.kind in _VALUES or token.symbol in ("(", "-", "not")
            follows = follows or (before.symbol == "(" and token.symbol == ")")
            expected = "a number, a name or '('"
        if not follows:
            raise FormulaError(f"expected {expected}, found {found}", text, token.position)


class _Compiler:
    """Steps from Python's syntax tree of the symbols, with `x` for each name and 0 for each number.

    Where a node stands among the tokens says which name or number it is.
    """

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        spelt = [token.symbol or {"number": "0", "end": ""}.get(token.kind, "x") for token in tokens]
        try:
            self._body = ast.parse("".join(word.ljust(_WIDTH) for word in spelt), mode="eval").body
        except SyntaxError as error:
            token = self._tokens[((error.offset or 1) - 1) // _WIDTH]
            message = "put parentheses around not and what it negates" if token.symbol == "not" else error.msg
            raise FormulaError(message, text, token.position) from None
        self._randoms = [
            index
            for index, (token, following) in enumerate(itertools.pairwise(tokens))
            if token == ("name", "random", token.position) and following.symbol == "("
        ]
        self._steps: list[_Step] = []

    def formula(self) -> Formula:
        """The formula with its steps."""
        self._visit(self._body, 1)
        names = frozenset(step.value for step in self._steps if step.operation == "name")
        return Formula(self._text, names, len(self._randoms), tuple(self._steps))

    def _visit(self, node: ast.expr, depth: int) -> None:
        """Add the steps that leave a node's value on the stack."""
        if depth > DEEPEST:
            raise self._error(f"a formula is nested {DEEPEST} deep at most", node)
        match node:
            case ast.Constant():
                self._add(node, "number", value=float(self._token(node).text))
            case ast.Name():
                self._add(node, "name", value=self._token(node).text)
            case ast.UnaryOp():
                self._visit(node.operand, depth + 1)
                self._add(node, type(node.op), 1)
            case ast.BinOp():
                self._fold(node, type(node.op), [node.left, node.right], depth)
            case ast.BoolOp():
                self._fold(node, type(node.op), node.values, depth)
            case ast.Compare(comparators=[_, second, *_]):
                raise self._error("two values are compared at a time; join comparisons with and", second)
            case ast.Compare():
                self._fold(node, type(node.ops[0]), [node.left, *node.comparators], depth)
            case ast.Call():
                self._call(node, depth)
            case _:
                raise self._error("a list of values is the arguments of a function; this is none", node)

    def _fold(self, node: ast.expr, operation: type, operands: list[ast.expr], depth: int) -> None:
        """Add one operation after the other, from the left; a long sum is not nested."""
        self._visit(operands[0], depth)
        for operand in operands[1:]:
            self._visit(operand, depth + 1)
            self._add(node, operation, 2)

    def _call(self, node: ast.Call, depth: int) -> None:
        operation, arguments, value = self._token(node).text, node.args, None
        if operation == "random":
            value = self._randoms.index(self._place(node))
            arguments = self._bounds(node)
            if self._has_decimals(node):
                operation = "random with decimals"
        else:
            self._check_call(node, operation)
        if operation == "round":
            value = self._decimals(arguments[1]) if len(arguments) == 2 else 0
            arguments = arguments[:1]
        for argument in arguments:
            self._visit(argument, depth + 1)
        self._add(node, operation, len(arguments), value)

    def _check_call(self, node: ast.Call, function: str) -> None:
        """Refuse a function that there is not, or that takes another number of arguments."""
        if function not in _FUNCTIONS:
            near = difflib.get_close_matches(function.lower(), [*_FUNCTIONS, "random"], n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join([*_FUNCTIONS, 'random'])}"
            raise self._error(f"there is no function {function}; {advice}", node)
        (least, most), count = _FUNCTIONS[function], len(node.args)
        if count < least or (most is not None and count > most):
            wanted = str(least) if least == most else f"{least} or more" if most is None else f"{least} or {most}"
            plural = "" if wanted == "1" else "s"
            raise self._error(f"{function} takes {wanted} argument{plural}, not {count}", node)

    def _decimals(self, node: ast.expr) -> int:
        """The second argument of `round`, which is a plain number, as it is the same for all values."""
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        number = node.operand if isinstance(node, ast.UnaryOp) and negative else node
        decimals = float(self._token(number).text) if isinstance(number, ast.Constant) else -1
        if decimals not in range(16):
            raise self._error(
                "the second argument of round is how many decimals to keep, a whole number up to 15", node
            )
        return -int(decimals) if negative else int(decimals)

    def _bounds(self, node: ast.Call) -> list[ast.expr]:
        """The bounds of `random(a, b)` or of `random(a-b)`, whose minus is no subtraction."""
        if len(node.args) == 2:
            return node.args
        if len(node.args) != 1:
            message = f"random takes two bounds, as in random(1-6) or random(a, b), not {len(node.args)}"
            raise self._error(message, node)
        pair = node.args[0]
        if isinstance(pair, ast.BinOp) and isinstance(pair.op, ast.Sub) and self._place(pair) == self._place(node) + 2:
            first = pair.left
            is_sum = isinstance(first, ast.BinOp) and isinstance(first.op, (ast.Add, ast.Sub))
            if not is_sum or self._place(first) > self._place(pair):  # in parentheses of its own
                return [first, pair.right]
        raise self._error(
            "random needs a ',' or one '-' between its two bounds, as in random(1-6) or random(a, b)", node
        )

    def _has_decimals(self, call: ast.Call) -> bool:
        """Whether a number in a call is written with a decimal point."""
        end = (call.end_col_offset or 0) // _WIDTH
        return any(token.kind == "number" and "." in token.text for token in self._tokens[self._place(call) : end])

    def _place(self, node: ast.expr) -> int:
        """Which token a node begins with."""
        return node.col_offset // _WIDTH

    def _token(self, node: ast.expr) -> _Token:
        return self._tokens[self._place(node)]

    def _add(self, node: ast.expr, operation: Any, arguments: int = 0, value: Any = None) -> None:
        self._steps.append(_Step(operation, arguments, value, self._token(node).position))

    def _error(self, message: str, node: ast.expr) -> FormulaError:
        return FormulaError(message, self._text, self._token(node).position)
