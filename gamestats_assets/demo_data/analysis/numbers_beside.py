"""Numbers that stand together, of an event, an object or a user, and the formulas found among them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gamestats_assets.demo_data.analysis.event_words import own_name
from gamestats_assets.demo_data.analysis.measures import Measure, Place, rule_of
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import PropertyConstraint
from gamestats_assets.demo_data.taxonomies.model import Property
from gamestats_assets.demo_data.taxonomies.value_rules import Between

USABLE_NAME = re.compile(
    r"(?!(?:and|or|not|if|min|max|random|round|floor|ceil|abs|sqrt|log|exp|clamp)$)#?[A-Za-z_][A-Za-z0-9_]*"
)
"""Names that can stand in a formula as they are."""
_PIECES = re.compile(r"[a-z]+|\d+")


@functools.lru_cache(maxsize=4096)
def ordered_pieces(name: str) -> tuple[str, ...]:
    """Words of a name in order, whatever its style: `maxAge`, `Max_Age`, `max_age`."""
    return tuple(_PIECES.findall(own_name(name)))


@functools.lru_cache(maxsize=4096)
def pieces(name: str) -> frozenset[str]:
    """Words of a name."""
    return frozenset(ordered_pieces(name))


def texts_of(prop: Property) -> str:
    """What the sheet says about a property besides its name, in small letters."""
    return f"{prop.alias} {prop.description}".lower()


def label_of(prop: Property) -> str:
    """What a property is called besides its name: its alias, or a description of a few words."""
    return prop.alias or (prop.description if len(prop.description) <= 24 else "")


@dataclass(frozen=True)
class Around:
    """What stands around numbers.

    Attributes:
        event: its name; empty of common properties, `user` of users.
        said: name, alias and description of the event in small letters, its name as separate words.
        outer: common numbers that an event can use as well.
        users: numbers of users, likewise.
        others: the properties beside that are no numbers.
        ends_well: whether the event tells that something was done to its end.
    """

    event: str = ""
    said: str = ""
    outer: Mapping[str, Place] = field(default_factory=dict)
    users: Mapping[str, Place] = field(default_factory=dict)
    others: Sequence[Place] = ()
    ends_well: bool = False


class Beside:
    """Numbers that stand together: of an event, an object, or a user.

    Attributes:
        own: by name.
        found: formulas by name.
        least: by name, a lower bound that a formula needs of what it uses.
        fixed: by name, the only value.
        values: by name, a constraint that a formula needs.
        borrowed: keys of numbers whose values are listed for another event alone; the sheet's words go before these.
    """

    def __init__(
        self,
        places: Sequence[Place],
        measures: Mapping[Place, Measure],
        counted: frozenset[str] = frozenset(),
        around: Around | None = None,
        borrowed: frozenset[str] = frozenset(),
    ) -> None:
        self.measures, self.counted, self.borrowed = measures, counted, borrowed
        self.around = around or Around()
        self.own = {place.prop.name: place for place in places if USABLE_NAME.fullmatch(place.prop.name)}
        self.found: dict[str, str] = {}
        self.least: dict[str, float] = {}
        self.fixed: dict[str, float] = {}
        self.values: dict[str, PropertyConstraint] = {}

    def one(self, *needs: str, without: str = "", whole: bool = False) -> str | None:
        """Name of the first number that has all words of one of `needs`, and none of `without`."""
        for need in needs:
            wanted, excluded = set(need.split()), set(without.split())
            for name in self.own:
                said = pieces(name)
                if said >= wanted and not said & excluded and (not whole or said == wanted):
                    return name
        return None

    def measure(self, name: str) -> Measure:
        """What a number of its own measures."""
        return self.measures[self.own[name]]

    def visible(self) -> dict[str, Place]:
        """Everything a formula here can use, by name; what is nearer wins."""
        return {**self.around.users, **self.around.outer, **self.own}

    def is_free(self, name: str, *, said: bool = False) -> bool:
        """Whether a number can follow a formula: the sheet gives it no more than limits, and nothing else decides.

        Args:
            said: whether it is the sheet that says what the number follows from.
        """
        place = self.own[name]
        rule = rule_of(place.prop)
        decided = place.key in self.counted or (place.key in self.borrowed and not said)
        return (rule is None or isinstance(rule, Between)) and not decided

    def is_open(self, name: str, *, said: bool = False) -> bool:
        """Whether a number is free and has no formula yet."""
        return self.is_free(name, said=said) and name not in self.found and name not in self.fixed

    def give(self, name: str | None, formula: str, *, said: bool = False) -> bool:
        """Note a formula, if its property is free to follow one; whether it is noted."""
        if name is None or not self.is_open(name, said=said):
            return False
        if self.circular(name, parse_formula(formula).names):
            return False
        self.found[name] = formula
        return True

    def circular(self, name: str, uses: Iterable[str]) -> bool:
        """Whether what a formula would use needs its result."""
        return any(self._reaches(use, name) for use in uses)

    def _reaches(self, start: str, goal: str) -> bool:
        if start == goal:
            return True
        uses = parse_formula(self.found[start]).names if start in self.found else ()
        return any(self._reaches(use, goal) for use in uses)
