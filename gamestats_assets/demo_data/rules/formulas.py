"""Formulas: how a number follows from others, in the notation of people and language models.

A formula is text in a closed grammar. Python's own parser reads it; of its tree only the numbers, names and operations
listed here are evaluated, by NumPy. Nothing else can run.

| written | meaning |
|---|---|
| `12`, `0.5`, `1e6` | a number |
| `level`, `items.count`, `#zone_offset` | the property of that name; `#year` is the year in which the run begins |
| `{{price}}`, `{{items[3].count}}` | the same; everything inside the braces is the name |
| `+ - * / % **` and `-x` | arithmetic; `%` has the sign of the divisor, `**` is a power |
| `< <= > >= == !=` | 1 if it holds, else 0 |
| `and or not` | anything but 0 is true; the result is 1 or 0; `a == (not b)` needs its parentheses |
| `min(a, b, ...)`, `max(a, b, ...)`, `clamp(x, low, high)` | the smallest, the largest, x kept within bounds |
| `round(x)`, `round(x, 2)`, `floor(x)`, `ceil(x)` | `round` takes the even one of two equally near numbers |
| `abs(x)`, `sqrt(x)`, `log(x)`, `exp(x)` | `log` is the natural logarithm |
| `if(condition, a, b)` | a if the condition is not 0, else b |
| `random(a-b)`, `random(a, b)` | any number between the two, with equal probability |

`random` gives whole numbers, both bounds included, if both bounds are whole: `random(1-6)` is a die. Bounds with a
decimal point, as in `random(0.0, 1.0)`, give numbers with decimals.

A result that is not a finite number (after a division by zero, an overflow, the logarithm of a negative number) is 0.
"""

from __future__ import annotations

import ast
import difflib
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gamestats_assets.lakehouse.errors import GamestatsError

Floats = npt.NDArray[np.float64]

LONGEST = 500
"""Most characters of a formula."""


class FormulaError(GamestatsError):
    """A formula cannot be read, or not be evaluated with the given values.

    Attributes:
        position: position of the wrong character, from 0.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        start = max(0, position - 60)
        shown = "".join(" " if character.isspace() else character for character in text[start : start + 100])
        super().__init__(f"{message}, at character {position + 1}:\n  {shown}\n  {' ' * (position - start)}^")
        self.position = position


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """A formula that can be evaluated.

    Attributes:
        names: names of the properties that it uses.
    """

    text: str
    names: frozenset[str]
    _tree: ast.expr
    _words: Mapping[int, str]

    def evaluate(self, values: Mapping[str, npt.ArrayLike], uniform: Callable[[int], Floats]) -> Floats:
        """Returns the results, in the shape to which the values broadcast; a single number without values.

        Args:
            values: numbers or truth values, by name.
            uniform: random numbers from 0 to 1, for the first, second, ... `random` of the formula, counted from 0.

        Raises:
            FormulaError: when a name has no value, or a value that is not a number.
        """
        randoms = self._randoms()

        def of(node: ast.expr) -> Any:
            word = self._words.get(node.col_offset, "")
            match node:
                case ast.Constant():
                    return np.float64(node.value)  # type: ignore[arg-type]
                case ast.Name():
                    return self._named(word, node.col_offset, values)
                case ast.UnaryOp():
                    return _OPERATIONS[type(node.op)](of(node.operand))
                case ast.BinOp():
                    return _OPERATIONS[type(node.op)](of(node.left), of(node.right))
                case ast.BoolOp():
                    return functools.reduce(_OPERATIONS[type(node.op)], map(of, node.values))
                case ast.Compare():
                    return _OPERATIONS[type(node.ops[0])](of(node.left), of(node.comparators[0]))
                case ast.Call() if word == "random":
                    low, high = map(of, _bounds(node))
                    whole = not any(isinstance(found, float) for found in _constants(node))
                    return _random(low, high, np.asarray(uniform(randoms.index(node.col_offset))), whole=whole)
                case ast.Call() if word == "round" and len(node.args) == 2:
                    return np.round(of(node.args[0]), ast.literal_eval(node.args[1]))
                case ast.Call():
                    return _FUNCTIONS[word][2](*map(of, node.args))
                case _:
                    raise AssertionError(f"{ast.dump(node)} was let through")

        with np.errstate(all="ignore"):
            result = np.asarray(of(self._tree), dtype=np.float64)
            return np.where(np.isfinite(result), result, 0.0) + 0.0  # -0.0 becomes 0.0

    @property
    def randoms(self) -> int:
        """Number of `random` calls."""
        return len(self._randoms())

    def _randoms(self) -> list[int]:
        calls = (node for node in ast.walk(self._tree) if isinstance(node, ast.Call))
        return sorted(call.col_offset for call in calls if self._words.get(call.col_offset) == "random")

    def _named(self, name: str, position: int, values: Mapping[str, npt.ArrayLike]) -> Floats:
        if name not in values:
            known = ", ".join(sorted(values)[:20]) or "none"
            raise FormulaError(
                f"the formula uses {name}, which has no value here; there are {known}", self.text, position
            )
        try:
            return np.asarray(values[name], dtype=np.float64)
        except (TypeError, ValueError):
            message = f"the formula calculates with {name}, whose values are not numbers"
            raise FormulaError(message, self.text, position) from None


@functools.lru_cache(maxsize=4096)
def parse_formula(text: str) -> Formula:
    """Reads a formula; equal texts are read once.

    Raises:
        FormulaError: when the text is not a formula, with the position and the reason.
    """
    text = text.strip()
    words = _words(text)
    # Every name becomes x's of the same length, so that a column of the tree is a position in the text.
    spelt = list("".join(" " if character.isspace() else character for character in text))
    for place, (word, length) in words.items():
        if word not in _OPERATORS:
            spelt[place : place + length] = "x".ljust(length)
    try:
        tree = ast.parse("".join(spelt), mode="eval").body
    except SyntaxError as error:
        place = min(max((error.offset or 1) - 1, 0), len(text))
        reason = error.msg if "'" in (error.msg or "") else "this cannot stand here, or something is missing before it"
        raise FormulaError(str(reason) if text.strip() else "a formula is empty", text, place) from None
    except (RecursionError, MemoryError):
        raise FormulaError("a formula is nested too deep", text, 0) from None
    named = {place: word for place, (word, _) in words.items()}
    names: set[str] = set()
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and id(node) not in called:
            _check(node, named, text)
            names |= {named[node.col_offset]} if isinstance(node, ast.Name) else set()
    return Formula(text, frozenset(names), tree, named)


# --------------------------------------------------------------------------- functions and operations


def _truth(function: Callable[..., Any]) -> Callable[..., Floats]:
    return lambda *arguments: np.asarray(function(*arguments), dtype=np.float64)


def _random(low: Floats, high: Floats, uniform: Floats, *, whole: bool) -> Floats:
    low, high = np.minimum(low, high), np.maximum(low, high)
    between = low + uniform * (high - low)
    if not whole:
        return between
    die = np.minimum(low + np.floor(uniform * (high - low + 1)), high)
    return np.where((np.floor(low) == low) & (np.floor(high) == high), die, between)


_OPERATIONS: Mapping[type, Callable[..., Any]] = {
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
}
_FUNCTIONS: Mapping[str, tuple[int, int | None, Callable[..., Any]]] = {
    "min": (2, None, lambda *numbers: functools.reduce(np.minimum, numbers)),
    "max": (2, None, lambda *numbers: functools.reduce(np.maximum, numbers)),
    "round": (1, 2, np.round),
    "floor": (1, 1, np.floor),
    "ceil": (1, 1, np.ceil),
    "abs": (1, 1, np.abs),
    "sqrt": (1, 1, np.sqrt),
    "log": (1, 1, np.log),
    "exp": (1, 1, np.exp),
    "clamp": (3, 3, lambda x, low, high: np.minimum(np.maximum(x, low), high)),
    "if": (3, 3, lambda condition, a, b: np.where(np.asarray(condition) != 0, a, b)),
    "random": (1, 2, _random),
}
"""By function name: smallest and largest number of arguments, and the implementation."""


# --------------------------------------------------------------------------- reading

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    |(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
    |\{\{(?P<reference>[^{}]*)\}\}
    |(?P<name>\#?[A-Za-z_][A-Za-z0-9_]*(?:\.\#?[A-Za-z_][A-Za-z0-9_]*)*)
    |(?P<symbol>\*\*|<=|>=|==|!=|[-+*/%<>(),])
    """,
    re.VERBOSE,
)
_ADVICE = {"=": "; to compare, write ==", "^": "; a power is written **", "{": "; a reference is written {{name}}"}
_OPERATORS = frozenset(("and", "or", "not"))


def _words(text: str) -> dict[int, tuple[str, int]]:
    """Returns names and word operators by their position in the text, each with its length there."""
    if len(text) > LONGEST:
        raise FormulaError(f"a formula has at most {LONGEST} characters, this one {len(text)}", text, LONGEST)
    found: dict[int, tuple[str, int]] = {}
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            advice = _ADVICE.get(text[place], "")
            raise FormulaError(f"{text[place]!r} is not a part of any formula{advice}", text, place)
        if match.lastgroup in ("name", "reference"):
            word = match[match.lastgroup].strip()
            if not word:
                raise FormulaError("a reference needs a name between {{ and }}", text, place)
            found[place] = word, len(match[0])
        place = match.end()
    return found


def _check(node: ast.expr, words: Mapping[int, str], text: str) -> None:
    """Refuses what Python's parser accepts but formulas do not have."""
    message = None
    match node:
        case ast.Constant():
            message = None if np.isfinite(node.value) else "this number is too large"  # type: ignore[call-overload]
        case ast.Compare():
            message = "two values are compared at a time; join comparisons with and" if len(node.ops) > 1 else None
        case ast.Call():
            plain = isinstance(node.func, ast.Name) and not node.keywords
            message = _wrong_call(node, words.get(node.col_offset, "")) if plain else "a function is called by its name"
        case ast.UnaryOp() | ast.BinOp() | ast.BoolOp():
            message = None if type(node.op) in _OPERATIONS else "there is no such operation"
        case ast.Name():
            pass
        case _:
            message = "lists of values are only allowed as arguments of functions"
    if message is not None:
        raise FormulaError(message, text, node.col_offset)


def _wrong_call(node: ast.Call, function: str) -> str | None:
    """Returns the error in a function call, if any."""
    if function not in _FUNCTIONS:
        near = difflib.get_close_matches(function.lower(), _FUNCTIONS, n=1, cutoff=0.5)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(_FUNCTIONS)}"
        return f"there is no function {function}; {advice}"
    least, most, _ = _FUNCTIONS[function]
    count = len(node.args)
    if function == "random" and len(_bounds(node)) != 2:
        return "random takes two bounds, as in random(1-6) or random(a, b)"
    if count < least or (most is not None and count > most):
        wanted = str(least) if least == most else f"{least} or more" if most is None else f"{least} or {most}"
        return f"{function} takes {wanted} argument{'' if wanted == '1' else 's'}, not {count}"
    if function == "round" and count == 2:
        decimals = re.fullmatch(r"-?[0-9]{1,2}", ast.unparse(node.args[1]))
        if decimals is None or abs(int(decimals[0])) > 15:
            return "the second argument of round is the number of decimals, a whole number up to 15"
    return None


def _bounds(node: ast.Call) -> list[ast.expr]:
    """Returns the bounds of `random(a, b)` or of `random(a-b)`, whose minus is not a subtraction."""
    match node.args:
        case [ast.BinOp(op=ast.Sub()) as pair]:
            return [pair.left, pair.right]
        case arguments:
            return arguments


def _constants(node: ast.expr) -> list[Any]:
    """Returns the numbers written in an expression; those with a decimal point are not whole."""
    return [found.value for found in ast.walk(node) if isinstance(found, ast.Constant)]
