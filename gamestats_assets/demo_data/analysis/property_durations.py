"""Numbers that tell how long something took, so that they agree with the clock of the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gamestats_assets.demo_data.analysis.measures import Place, measure_words, rule_of
from gamestats_assets.demo_data.rules.model import EventConstraints, PropertyConstraint
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between

_SHORT_S = 60
_UNITS_S = {"ms": 0.001, "seconds": 1.0, "minutes": 60.0, "hours": 3600.0}
_TAKES = frozenset({"duration", *_UNITS_S})
_NOT_TAKEN = frozenset({"total", "average", "count", "rate", "percent", "days", "limit", "price", "amount", "fee"})
_OF_SOMETHING_ELSE = (
    *("remain", "left", "cooldown", "limit", "eta", "estimate", "wait", "until", "max", "min_", "target", "goal"),
    *(
        "video",
        "content",
        "track",
        "length",
        "previous",
        "last_",
        "ping",
        "position",
        "latency",
        "load",
        "fare",
        "남은",
        "잔여",
        "残り",
    ),
)


def durations(
    everywhere: Iterable[Place], constraints: EventConstraints, values: Mapping[str, PropertyConstraint]
) -> dict[str, PropertyConstraint]:
    """Constraints of numbers that tell how long the session was, or the flow whose later step their event is."""
    later = {event for flow in constraints.sequences for step in flow.steps[1:] for event in step.events}
    heads = {event for flow in constraints.sequences for event in flow.steps[0].events}
    found: dict[str, PropertyConstraint] = {}
    everywhere = list(everywhere)
    keys = {place.key.lower() for place in everywhere}
    for place in everywhere:
        is_least = place.key.lower().endswith("min") and place.key.lower()[:-3] + "max" in keys  # and no minutes
        unit_s = None if is_least else _unit_s(place)
        if unit_s is None or place.key in values or not place.of_event or "." in place.name:
            continue
        if place.event in constraints.session_end and not _asks_for_long(place, unit_s):
            found[place.key] = PropertyConstraint(elapsed="session", unit_s=unit_s)
        elif place.event in later - heads:
            found[place.key] = PropertyConstraint(elapsed="flow", unit_s=unit_s)
    return found


def _asks_for_long(place: Place, unit_s: float) -> bool:
    """Whether the sheet allows no short durations, which the clock has too."""
    rule = rule_of(place.prop)
    return isinstance(rule, Between) and rule.min * unit_s > _SHORT_S


def _unit_s(place: Place) -> float | None:
    """Seconds of the unit in which a number tells how long something took; None where it tells something else."""
    words = set(measure_words(place.prop))
    text = f"{place.name} {place.prop.alias}".lower()
    is_other = words & _NOT_TAKEN or any(word in text for word in _OF_SOMETHING_ELSE)
    if place.prop.type is not PropertyType.NUMBER or not words & _TAKES or is_other:
        return None
    return next((unit_s for unit, unit_s in _UNITS_S.items() if unit in words), 1.0)
