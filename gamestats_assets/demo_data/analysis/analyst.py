"""Makes rules from a taxonomy, without a key or a network, by reading the sheet as a person would.

The analyst reads the names of events and properties, their aliases, descriptions and tags in English, Korean and
Japanese, their order, types and value rules. The same taxonomy and product always give the same rules, and any
taxonomy gives rules in which `rules.soundness` finds no problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gamestats_assets.demo_data.analysis.evidence import order_of
from gamestats_assets.demo_data.analysis.formulas.equations import number_scopes
from gamestats_assets.demo_data.analysis.formulas.reckoning import (
    Reckoned,
    formulas,
    reckoned_ranges,
    relationships,
    unread_formulas,
    written,
)
from gamestats_assets.demo_data.analysis.formulas.times import durations, property_times
from gamestats_assets.demo_data.analysis.graph import Doubt, EventOrder
from gamestats_assets.demo_data.analysis.habits import AT_HOME, Habits, activity
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind
from gamestats_assets.demo_data.analysis.meaning.measures import (
    Measure,
    Place,
    industry_of,
    measure,
    of_segment,
    overall,
    places,
    rule_of,
)
from gamestats_assets.demo_data.analysis.meaning.reading import read_events
from gamestats_assets.demo_data.analysis.projections import event_constraints
from gamestats_assets.demo_data.analysis.states import shown_levels, states_shown
from gamestats_assets.demo_data.analysis.things import gathered
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
    """Returns the rules for a product's taxonomy: always the same ones, and free of problems."""
    return analysed(taxonomy, product)[0]


def analysed(taxonomy: Taxonomy, product: ProductInfo) -> tuple[Rules, list[Doubt]]:
    """Returns the rules for a product's taxonomy, and the readings that may be wrong.

    Each pass builds on those before it:

    1. events: their meanings and kinds, their sequences, prerequisites and stages;
    2. numbers: the measure of each;
    3. values: from the sheet, from names, from earlier events; levels and durations;
    4. updates of user states, and the measures of the sums they build up;
    5. formulas of numbers, which also change values, updates and ranges;
    6. ranges, including those of formula results;
    7. times, and the numbers that follow from them;
    8. habits of each segment; then remaining circles are cut.
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
    result = formulas(scopes, updates)
    values, updates = result.constraints(values), result.updates
    tables = [result.bounded(table, values) for table in _ranges(measures)]
    limits = {place.key: (m.low, m.high) for place, m in measures.items() if m.given}
    reckoned = reckoned_ranges(result.formulas, tables, limits)
    followed = [formula for formula in result.formulas if formula.place.key in reckoned[0]]
    tables[0] = {**identifiers, **tables[0]}
    # A number whose formula lacks an input here takes the range that the formula gives elsewhere.
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
"""Confidence from which a reading needs no review."""


def _doubts(order: EventOrder, reckoned: Iterable[Reckoned], of_updates: Iterable[Doubt]) -> list[Doubt]:
    """Returns the unsure readings of the order of events, of formulas and of updates, the least sure first."""
    own = "it has a value of its own"
    of_formulas = (Doubt(f"{r.place.key} = {r.formula}", r.why, r.confidence, own) for r in reckoned)
    found = [d for d in (*_doubts_of_order(order), *of_formulas, *of_updates) if d.confidence < _SURE]
    return sorted(dict.fromkeys(found), key=lambda d: (d.confidence, d.reading))


def _doubts_of_order(order: EventOrder) -> Iterator[Doubt]:
    """Yields for each event the surest evidence of its predecessor, with the surest alternative that was not taken."""
    arrivals = {r.name for r in order.of(EventKind.REGISTER, EventKind.INSTALL)}
    for event in order.readings:
        evidence = [e for e in order.edges if e.after == event and not {*e.before} <= arrivals]
        taken = [e for e in (order.next.get(event), *order.needs.get(event, ())) if e in evidence]
        if taken:
            best = max(taken, key=lambda edge: edge.confidence)
            known = {name for edge in taken for name in edge.before}
            other = next((str(e).removeprefix(event) for e in evidence if not {*e.before} & known), "")
            yield Doubt(str(best), best.why, best.confidence, f"it{other}" if other else "it happens on its own")


def payment_of(taxonomy: Taxonomy) -> tuple[str, str] | None:
    """Returns the names of the payment event and of its amount property, found by names and texts."""
    return payment(*_read(taxonomy, ProductInfo()))


def _read(taxonomy: Taxonomy, product: ProductInfo) -> tuple[EventOrder, list[Place], dict[Place, Measure]]:
    """Returns a product's events in order, its properties and their measures; guesses an industry that is not given."""
    if industry_of(product) == "other" and (likely := likely_industry(taxonomy)) != "other":
        product = product.model_copy(update={"industry": likely})
    order = order_of(taxonomy, product, is_game=industry_of(product) == "game")
    everywhere = list(dict.fromkeys(places(taxonomy, order.kinds)))
    return order, everywhere, _measures(everywhere, product)


def contradictions(taxonomy: Taxonomy, rules: Rules) -> list[str]:
    """Returns a sentence for each formula of the sheet that the rules do not follow: it needs its own result,
    contradicts the sheet's limits, or cannot be read.

    Args:
        rules: the analyst's rules for the taxonomy.
    """
    scopes = number_scopes(*_read(taxonomy, ProductInfo()), frozenset())
    followed = {key for key, relation in rules.property_relationships.items() if relation.formula}
    found: list[str] = []
    for beside in scopes.values():
        for name, formula in written(beside).items():
            found.append(f"{beside.own[name].key} = {formula} needs its own result through others; it is left out")
        for name, (formula, _, _) in beside.found.items():
            place = beside.own[name]
            if beside.measure(name).given and not {place.key, place.name} & followed:
                found.append(f"{place.key} = {formula} gives nothing within the limits of {place.name}; it is left out")
        for name, text in unread_formulas(beside):
            found.append(
                f"{beside.own[name].key}: {text!r} looks like a formula, but not of the numbers beside it; "
                "it is left out"
            )
    return found


def _without_circles(rules: Rules, taxonomy: Taxonomy) -> Rules:
    """Cuts circles of values that need each other: first relations the analyst added, then those of the sheet."""
    while found := circles(rules, taxonomy):
        keys = {key for name in found[0] for key in (name, name.rpartition("/")[2])}
        relationships = {
            key: r for key, r in rules.property_relationships.items() if r.formula is None or key not in keys
        }
        values = rules.property_constraints
        updates = rules.update_patterns
        if len(relationships) == len(rules.property_relationships):
            kept = {key: value for key, value in values.items() if key not in keys}
            if len(kept) == len(values):
                states = {name for name in found[0] if "/" not in name}
                updates = {e: {n: u for n, u in of.items() if n not in states} for e, of in updates.items()}
            values = kept
        rules = rules.model_copy(
            update={"property_relationships": relationships, "property_constraints": values, "update_patterns": updates}
        )
    return rules


def likely_industry(taxonomy: Taxonomy) -> str:
    """Returns the industry that most events name, else the one most descriptions name, else `other`."""
    readings = read_events(taxonomy.events)
    for words_of_events in ([frozenset(r.words) for r in readings], [r.description for r in readings]):
        count = {name: sum(bool(words & of_event) for of_event in words_of_events) for name, words in AT_HOME.items()}
        likely = max(count, key=lambda name: count[name])
        if count[likely] >= max(2, len(readings) * 0.15):
            return likely
    return "other"


def _measures(everywhere: Sequence[Place], product: ProductInfo) -> dict[Place, Measure]:
    """Returns every number's measure; a number without limits takes those of the same name elsewhere in the sheet."""
    found = {place: measure(place, product) for place in everywhere if place.prop.type is PropertyType.NUMBER}
    first = {place.name: measured for place, measured in reversed(found.items()) if measured.given}
    above: dict[str, Measure] = {}
    for place, measured in list(found.items()):
        if measured.given:
            above[place.name] = measured
        elif place.name in first and rule_of(place.prop) is None:
            found[place] = above.get(place.name, first[place.name])
    return found


def _set_otherwise(everywhere: Sequence[Place], values: Mapping[str, PropertyConstraint]) -> set[str]:
    """Keys of numbers whose values a constraint decides."""
    constraints = ((p.key, values.get(p.key, values.get(p.name))) for p in everywhere)
    return {key for key, c in constraints if c and (c.totals or c.counter or c.copy_of or c.values or c.mapping)}


def _ranges(measures: Mapping[Place, Measure]) -> list[dict[str, ValueRange]]:
    """Returns ranges by key, overall and per segment; a limited common property prevails over a user's of that name."""
    common = {place.name for place, m in measures.items() if place.event == "" and m.given}
    by_key = {p.key: m for p, m in measures.items() if p.event != "user" or p.name not in common}
    of_segments = ({key: of_segment(m, segment) for key, m in by_key.items()} for segment in SEGMENTS)
    return [{key: overall(m) for key, m in by_key.items()}, *of_segments]


def _shortened(tables: Sequence[dict[str, ValueRange]], everywhere: Sequence[Place]) -> list[dict[str, ValueRange]]:
    """Keeps under the plain name the most usual range, under an event's key the ranges that differ in any table."""
    by_name: dict[str, list[str]] = {}
    for place in everywhere:
        if place.key in tables[0] and place.key not in by_name.setdefault(place.name, []):
            by_name[place.name].append(place.key)
    kept: dict[str, str] = {}
    for name, keys in by_name.items():
        ranges = {key: [table.get(key) for table in tables] for key in keys}
        usual = max(keys, key=lambda key: sum(other == ranges[key] for other in ranges.values()))
        kept[name] = plain = name if name in tables[0] else usual
        kept |= {key: key for key in keys if ranges[key] != ranges.get(plain)}
    plain_names = {name: name for table in tables for name in table if "/" not in name and name not in kept}
    kept = plain_names | kept
    return [{name: table[source] for name, source in kept.items() if source in table} for table in tables]
