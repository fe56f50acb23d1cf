"""Rules from a taxonomy, without a key or a network: what a person would read out of the sheet, found by rule.

The analyst reads the names of events and properties, their aliases, descriptions and tags in English, Korean and
Japanese, their order, types and value rules. The same taxonomy and product always give the same rules, and any
taxonomy gives rules that `rules.soundness` has nothing against.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gamestats_assets.demo_data.analysis.equations import number_scopes
from gamestats_assets.demo_data.analysis.evidence import order_of
from gamestats_assets.demo_data.analysis.graph import Doubt, EventOrder
from gamestats_assets.demo_data.analysis.habits import AT_HOME, Habits, activity
from gamestats_assets.demo_data.analysis.kinds import EventKind
from gamestats_assets.demo_data.analysis.measures import (
    Measure,
    Place,
    industry_of,
    measure,
    of_segment,
    overall,
    places,
    rule_of,
)
from gamestats_assets.demo_data.analysis.projections import event_constraints
from gamestats_assets.demo_data.analysis.reading import read_events
from gamestats_assets.demo_data.analysis.reckoning import (
    Reckoned,
    formulas,
    reckoned_ranges,
    relationships,
    unread_formulas,
    written,
)
from gamestats_assets.demo_data.analysis.states import shown_levels, states_shown
from gamestats_assets.demo_data.analysis.things import gathered
from gamestats_assets.demo_data.analysis.times import durations, property_times
from gamestats_assets.demo_data.analysis.updates import payment, update_patterns
from gamestats_assets.demo_data.analysis.values import property_constraints
from gamestats_assets.demo_data.rules.circles import circles
from gamestats_assets.demo_data.rules.model import (
    SEGMENTS,
    PropertyConstraint,
    Rules,
    SegmentAnalysis,
    ValueRange,
)
from gamestats_assets.demo_data.taxonomies.model import PropertyType, Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo


def analyse(taxonomy: Taxonomy, product: ProductInfo) -> Rules:
    """Rules for a product's taxonomy; always the same ones, and without problems."""
    return analysed(taxonomy, product)[0]


def analysed(taxonomy: Taxonomy, product: ProductInfo) -> tuple[Rules, list[Doubt]]:
    """Rules for a product's taxonomy, and what is not sure about them.

    Each pass builds on those before it:

    1. events: what they say and of what kind they are, their sequences, prerequisites and stages;
    2. numbers: what each of them measures;
    3. values: as the sheet says, as names say, as earlier events told; levels and durations;
    4. updates of what is known of users, and the measures of what these add up;
    5. formulas of numbers, which have their say on values, updates and ranges;
    6. ranges, those of what formulas give included;
    7. times, and the numbers that follow from them;
    8. habits of each segment; whatever is left in a circle goes.
    """
    order, everywhere, measures = _read(taxonomy, product)
    constraints = event_constraints(order)
    cart = gathered(order, constraints)
    values, identifiers = property_constraints(order, constraints, cart.prices)
    values = cart.constraints(values)
    values |= states_shown(taxonomy)
    values |= shown_levels(order, everywhere, measures)
    values |= durations(everywhere, constraints, values)
    updates, of_updates = update_patterns(order, everywhere, measures)

    counted = frozenset(_set_otherwise(everywhere, values))
    scopes = number_scopes(order, everywhere, measures, counted)
    for scope in scopes.values():
        written(scope)
    told = formulas(scopes, updates)
    values, updates = told.constraints(values), told.updates
    tables = [told.bounded(table, values) for table in _ranges(measures)]
    limits = {place.key: (m.low, m.high) for place, m in measures.items() if m.given}
    reckoned = reckoned_ranges(told.formulas, tables, limits)
    followed = [formula for formula in told.formulas if formula.place.key in reckoned[0]]
    tables[0] = {**identifiers, **tables[0]}
    # Where what a formula uses does not stand beside, its results lie where they do elsewhere.
    elsewhere = {key.rpartition("/")[2]: key for key in reversed(reckoned[0])}
    alike = {p.key: elsewhere[p.name] for p in everywhere if p.name in elsewhere and p.key not in limits}
    for table, found in zip(tables, reckoned, strict=True):
        table |= {key: found[source] for key, source in alike.items() if key in table} | found
    moved = {name for of in updates.values() for name in of}
    recalled = {key for key, constraint in values.items() if constraint.recalls}
    times = property_times(order, everywhere, scopes, moved, {*(f.place.key for f in followed)}, recalled)
    freed = {"elapsed": None, "same_as_before": False, "recalls": []}
    values |= {key: values.get(key, PropertyConstraint()).model_copy(update=freed) for key in times.lengths}
    tables = [table | times.lengths for table in tables]
    tables[0] |= times.ranges
    habits = Habits(order, constraints)
    overall_ranges, *ranges_of = _shortened(tables, everywhere)
    rules = Rules(
        property_constraints=values,
        event_constraints=constraints,
        property_relationships=relationships([*followed, *times.formulas], everywhere),
        value_ranges=overall_ranges,
        segment_analysis={
            segment: SegmentAnalysis(
                property_ranges=of_segment,
                event_sequence=habits.event_sequence(segment),
                event_probabilities=habits.event_probabilities(segment),
                activity=activity(segment, habits.product),
            )
            for segment, of_segment in zip(SEGMENTS, ranges_of, strict=True)
        },
        update_patterns=updates,
    )
    doubts = _doubts(order, [*followed, *times.formulas], of_updates)
    return _without_circles(rules, taxonomy), doubts


_SURE = 0.7
"""Confidence from which on nobody needs to look."""


def _doubts(order: EventOrder, reckoned: Iterable[Reckoned], of_updates: Iterable[Doubt]) -> list[Doubt]:
    """Everything that is less than sure about the order of events, formulas and updates; the least sure first."""
    own = "it has a value of its own"
    of_formulas = (Doubt(f"{r.place.key} = {r.formula}", r.why, r.confidence, own) for r in reckoned)
    found = [d for d in (*_doubts_of_order(order), *of_formulas, *of_updates) if d.confidence < _SURE]
    return sorted(dict.fromkeys(found), key=lambda d: (d.confidence, d.reading))


def _doubts_of_order(order: EventOrder) -> Iterator[Doubt]:
    """Of each event the surest evidence of what it comes after, and the surest other that was not taken."""
    arrivals = {r.name for r in order.of(EventKind.REGISTER, EventKind.INSTALL)}
    for event in order.readings:
        telling = [e for e in order.edges if e.after == event and not {*e.before} <= arrivals]
        taken = [e for e in (order.next.get(event), *order.needs.get(event, ())) if e in telling]
        if taken:
            best = max(taken, key=lambda edge: edge.confidence)
            known = {name for edge in taken for name in edge.before}
            other = next((str(e).removeprefix(event) for e in telling if not {*e.before} & known), "")
            yield Doubt(str(best), best.why, best.confidence, f"it{other}" if other else "it happens by itself")


def payment_of(taxonomy: Taxonomy) -> tuple[str, str] | None:
    """The event by which money comes in, and its property that is the amount, as names and texts tell them."""
    return payment(*_read(taxonomy, ProductInfo()))


def _read(taxonomy: Taxonomy, product: ProductInfo) -> tuple[EventOrder, list[Place], dict[Place, Measure]]:
    """A product's events, whose industry they tell where nobody else does; its properties; what numbers measure."""
    if industry_of(product) == "other" and (likely := likely_industry(taxonomy)) != "other":
        product = product.model_copy(update={"industry": likely})
    order = order_of(taxonomy, product, is_game=industry_of(product) == "game")
    everywhere = list(dict.fromkeys(places(taxonomy, order.kinds)))
    return order, everywhere, _measures(everywhere, product)


def contradictions(taxonomy: Taxonomy, rules: Rules) -> list[str]:
    """Formulas of the sheet that are not followed, because they need each other, contradict the sheet's limits, or
    cannot be read; in sentences.

    Args:
        rules: what the analyst made of the sheet.
    """
    scopes = number_scopes(*_read(taxonomy, ProductInfo()), frozenset())
    followed = {key for key, relation in rules.property_relationships.items() if relation.formula}
    found: list[str] = []
    for beside in scopes.values():
        for name, formula in written(beside).items():
            found.append(f"{beside.own[name].key} = {formula} needs its own result, by other formulas; it is left out")
        for name, (formula, _, _) in beside.found.items():
            place = beside.own[name]
            if beside.measure(name).given and not {place.key, place.name} & followed:
                found.append(f"{place.key} = {formula} gives nothing within the limits of {place.name}; it is left out")
        for name, text in unread_formulas(beside):
            found.append(
                f"{beside.own[name].key}: {text!r} looks like a formula, but is none of numbers that stand beside it; "
                "it is not followed"
            )
    return found


def _without_circles(rules: Rules, taxonomy: Taxonomy) -> Rules:
    """Sheets may ask for values that need each other; what the analyst added goes first, then what the sheet says."""
    while found := circles(rules, taxonomy):
        keys = {key for name in found[0] for key in (name, name.rpartition("/")[2])}
        told = {key: r for key, r in rules.property_relationships.items() if r.formula is None or key not in keys}
        values = rules.property_constraints
        updates = rules.update_patterns
        if len(told) == len(rules.property_relationships):
            kept = {key: value for key, value in values.items() if key not in keys}
            if len(kept) == len(values):
                states = {name for name in found[0] if "/" not in name}
                updates = {e: {n: u for n, u in of.items() if n not in states} for e, of in updates.items()}
            values = kept
        rules = rules.model_copy(
            update={"property_relationships": told, "property_constraints": values, "update_patterns": updates}
        )
    return rules


def likely_industry(taxonomy: Taxonomy) -> str:
    """The industry that most of a taxonomy's events speak of, by name, else by description; `other` where none does."""
    readings = read_events(taxonomy.events)
    for said in ([frozenset(r.words) for r in readings], [r.description for r in readings]):
        count = {name: sum(bool(words & of_event) for of_event in said) for name, words in AT_HOME.items()}
        likely = max(count, key=lambda name: count[name])
        if count[likely] >= max(2, len(readings) * 0.15):
            return likely
    return "other"


def _measures(everywhere: Sequence[Place], product: ProductInfo) -> dict[Place, Measure]:
    """What every number measures; one without limits has those of the same name elsewhere in the sheet."""
    found = {place: measure(place, product) for place in everywhere if place.prop.type is PropertyType.NUMBER}
    first = {place.name: told for place, told in reversed(found.items()) if told.given}
    above: dict[str, Measure] = {}
    for place, told in list(found.items()):
        if told.given:
            above[place.name] = told
        elif place.name in first and rule_of(place.prop) is None:
            found[place] = above.get(place.name, first[place.name])
    return found


def _set_otherwise(everywhere: Sequence[Place], values: Mapping[str, PropertyConstraint]) -> set[str]:
    """Keys of numbers whose values a constraint decides."""
    told = ((p.key, values.get(p.key, values.get(p.name))) for p in everywhere)
    return {key for key, c in told if c and (c.totals or c.counter or c.copy_of or c.values or c.mapping)}


def _ranges(measures: Mapping[Place, Measure]) -> list[dict[str, ValueRange]]:
    """Ranges by key, overall and of each segment; where users and events share a name, those of the common property."""
    common = {place.name for place, told in measures.items() if place.event == "" and told.given}
    told = {p.key: m for p, m in measures.items() if p.event != "user" or p.name not in common}
    of_segments = ({key: of_segment(m, segment) for key, m in told.items()} for segment in SEGMENTS)
    return [{key: overall(m) for key, m in told.items()}, *of_segments]


def _shortened(tables: Sequence[dict[str, ValueRange]], everywhere: Sequence[Place]) -> list[dict[str, ValueRange]]:
    """Under the plain name what holds for most, under the event's what differs in any of the tables."""
    by_name: dict[str, list[str]] = {}
    for place in everywhere:
        if place.key in tables[0] and place.key not in by_name.setdefault(place.name, []):
            by_name[place.name].append(place.key)
    kept: dict[str, str] = {}
    for name, keys in by_name.items():
        told = {key: [table.get(key) for table in tables] for key in keys}
        usual = max(keys, key=lambda key: sum(other == told[key] for other in told.values()))
        kept[name] = plain = name if name in tables[0] else usual
        kept |= {key: key for key in keys if told[key] != told.get(plain)}
    plain_names = {name: name for table in tables for name in table if "/" not in name and name not in kept}
    kept = plain_names | kept
    return [{name: table[source] for name, source in kept.items() if source in table} for table in tables]
