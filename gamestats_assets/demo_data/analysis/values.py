"""Constraints of property values: the sheet's rules, values by country, identifiers, usual choices.

A property without values in the sheet takes those of the same name elsewhere; a later step of a sequence repeats the
values of an earlier one. `data/reference/demo_data/choices.toml` has the usual values.
"""

from __future__ import annotations

import functools
import re
from collections import Counter as Tally
from collections.abc import Mapping, Sequence

from gamestats_assets.demo_data.analysis.catalogues import (
    Catalogues,
    by_country,
    changes,
    falling,
    invented,
    one_change,
    pair_of,
)
from gamestats_assets.demo_data.analysis.graph import EventOrder
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind
from gamestats_assets.demo_data.analysis.meaning.measures import (
    OWNED,
    UNIQUE,
    Place,
    industry_of,
    measure_words,
    places,
    rule_of,
)
from gamestats_assets.demo_data.analysis.meaning.reading import concepts, own_name, own_pieces
from gamestats_assets.demo_data.analysis.things import Recalls
from gamestats_assets.demo_data.reference import facts, locales, names
from gamestats_assets.demo_data.rules.model import (
    CounterRule,
    EventConstraints,
    EventSequence,
    PropertyConstraint,
    ValueRange,
)
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, UpdateMode
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Balance,
    Between,
    CopyOf,
    Counter,
    Example,
    FromEvent,
    OneOf,
    OneOfEach,
    Rows,
    Scalar,
    SharedCounter,
    TrueFirst,
    ValueRule,
)

Kind = EventKind
_NOTHING = PropertyConstraint()
_ANY_NUMBER = ValueRange(min=1, max=999_999_999, mean=500_000_000, spread=250_000_000)
"""Range of ids that are new each time."""
_SELF_IDS = re.compile(
    r"#?(user|account|player|member|customer|role|character|login|app_user|u|open)?_?(id|uid|account|no)"
)
_DONE_BY = re.compile(r"\w*(?:ed|en|sent|made|held|paid)_by|(?:assigned|given|handed|sold)_to")
_OF_FAKER = frozenset({"product_name", "item_name", "guild_name", "brand", "title"})
_COUNTRY = frozenset({"country", "country_code", "nation"})


@functools.cache
def _names(what: str) -> frozenset[str]:
    """Returns words of names by which a text is recognised."""
    return frozenset(facts("choices")["words"][what].split())


def property_constraints(
    order: EventOrder, events: EventConstraints, prices: Mapping[str, tuple[float, float]]
) -> tuple[dict[str, PropertyConstraint], dict[str, ValueRange]]:
    """Returns constraints by property, and the ranges of the numbers in identifiers."""
    maker = _Maker(order, prices)
    constraints = {place: maker.as_many(place, maker.constraint(place)) for place in maker.everywhere}
    by_name: dict[str, list[Place]] = {}
    for place in maker.everywhere:
        by_name.setdefault(place.name, []).append(place)
    found: dict[str, PropertyConstraint] = {}
    for name, where in by_name.items():
        plain = _usual([constraints[place] for place in where], [place.of_event for place in where])
        own = {*maker.catalogues.ids, *maker.paired}
        if plain.depends_on in own and not maker.catalogues.holds_everywhere(name, plain.depends_on):
            plain = next((constraints[place] for place in where if constraints[place].depends_on is None), _NOTHING)
        if plain != _NOTHING:
            found[name] = plain
        found.update(
            {place.key: constraints[place] for place in where if place.of_event and constraints[place] != plain}
        )
    _repeat_in_sequences(found, order, events.sequences)
    recalls = Recalls(order, events.prerequisites, found)
    for key, recalled in recalls.found().items():
        base = found.get(key, found.get(key.partition("/")[2], _NOTHING))
        more = {"recalls": recalled, "once_each": recalls.happens_once(key)}
        found[key] = base.model_copy(update=more | ({"per_user": True} if key in recalls.lying else {}))
    maker.number_ranges |= {name: _ANY_NUMBER for name in recalls.made if name in maker.number_ranges}
    return found, maker.number_ranges


def _usual(constraints: Sequence[PropertyConstraint], of_event: Sequence[bool]) -> PropertyConstraint:
    """Returns the constraint of a common or user property, else the most frequent one that is not empty."""
    filled = [constraint for constraint in constraints if constraint != _NOTHING]
    general = [c for c, own in zip(constraints, of_event, strict=True) if not own and c != _NOTHING]
    if general or not filled or not all(of_event):
        return general[0] if general else _NOTHING
    tally = Tally(constraint.model_dump_json() for constraint in filled)
    first = max(filled, key=lambda constraint: tally[constraint.model_dump_json()])
    # A count or a balance belongs to its own event, unless all events show the same one.
    if first.counter is not None and len(tally) + (len(filled) < len(constraints)) > 1:
        return next((c for c in filled if c.counter is None), _NOTHING)
    return first


class _Maker:
    """Makes the constraint of each property at each of its places."""

    def __init__(self, order: EventOrder, prices: Mapping[str, tuple[float, float]]) -> None:
        self.order, self.taxonomy, self.product = order, order.taxonomy, order.product
        self.everywhere = list(dict.fromkeys(places(order.taxonomy, order.kinds)))
        self.number_ranges: dict[str, ValueRange] = {}
        self.paired: set[str] = set()
        self.rules = {place: rule_of(place.prop) for place in self.everywhere}
        self._defined: dict[str, list[Place]] = {}
        for place in self.everywhere:
            if self.rules[place] is not None:
                self._defined.setdefault(place.name, []).append(place)
        countries = [place for place in self.everywhere if own_name(place.name) in _COUNTRY]
        self._countries = countries if all(p.prop.type is PropertyType.STRING for p in countries) else []
        kept = (PropertyType.STRING, PropertyType.NUMBER, PropertyType.BOOLEAN)
        users = [place for place in self.everywhere if place.event == "user" and place.prop.type in kept]
        self._once = {place.name: place for place in users if place.prop.update is UpdateMode.SET_ONCE}
        self.catalogues = Catalogues(order, self.everywhere, prices)

    def definition(self, place: Place) -> tuple[ValueRule | None, bool]:
        """Returns the sheet's rule here, or at the same property elsewhere; and whether it is here."""
        own = self.rules[place]
        if own is not None and not isinstance(own, Example):
            return own, True
        others = [other for other in self._defined.get(place.name, []) if other.prop.type is place.prop.type]
        others = [other for other in others if not isinstance(self.rules[other], Example | FromEvent)]
        if own is not None or not others:
            return own, True
        before = [other for other in others if self._row(other) <= self._row(place)]
        return self.rules[before[-1] if before else others[0]], False

    def _row(self, place: Place) -> int:
        return self.order.readings[place.event].index if place.of_event else -1

    def constraint(self, place: Place) -> PropertyConstraint:
        """Returns the constraint of the values here."""
        if (entry := self.catalogues.constraint(place, per_user=bool({*own_pieces(place.name)} & OWNED))) is not None:
            return entry
        rule, own = self.definition(place)
        if (paired := self._paired(place, rule)) is not None:
            self.paired |= {paired.depends_on} if paired.depends_on else set()
            return paired
        given = self._of_rule(place, rule, own=own) if rule is not None else None
        return self._kept(place, self._by_name(place) if given is None else given)

    def as_many(self, place: Place, constraint: PropertyConstraint) -> PropertyConstraint:
        """Gives a list as many texts as a number of the event that its description names."""
        if place.prop.type is not PropertyType.LIST or not place.of_event or "." in place.name:
            return constraint
        named_words = set(re.findall(r"\w+", place.prop.description, re.ASCII))
        named_words.add("_".join((*(piece.rstrip("s") for piece in own_pieces(place.name)), "count")))
        numbers = [p for p in self.everywhere if p.event == place.event and p.prop.type is PropertyType.NUMBER]
        named = [p.name for p in numbers if {p.name, own_name(p.name)} & named_words]
        return constraint.model_copy(update={"rows_by": named[0], "rows": None}) if len(named) == 1 else constraint

    def _kept(self, place: Place, constraint: PropertyConstraint) -> PropertyConstraint:
        """Lets events repeat a value that a user keeps for good."""
        once = self._once.get(place.name)
        if (
            once is None
            or once.prop.type is not place.prop.type
            or constraint.copy_of
            or constraint.counter
            or constraint.first_only
        ):
            return constraint
        rules = [rule for rule in (self.rules[once], self.rules[place]) if rule is not None]
        moves = any(isinstance(rule, FromEvent | Counter | Balance | SharedCounter) for rule in rules)
        return (
            constraint if moves or len({*map(repr, rules)}) == 2 else constraint.model_copy(update={"per_user": True})
        )

    # ----------------------------------------------------------------- dependent values

    def _paired(self, place: Place, rule: ValueRule | None) -> PropertyConstraint | None:
        """Returns the constraint of a value that depends on another: price on product, new plan on old plan."""
        if not place.of_event or "." in place.name or not isinstance(rule, OneOf | None):
            return None
        beside = [p for p in self.everywhere if p.event == place.event and "." not in p.name and p != place]
        texts = [(other.prop, self._texts(other)) for other in beside if self._texts(other)]
        if place.prop.type is PropertyType.STRING:
            return self._changed(place, texts)
        if place.prop.type is not PropertyType.NUMBER:
            return None
        listed = [(other.prop, self._listed(other)) for other in beside]
        return pair_of(place.prop, rule.values, listed) if rule is not None else None

    def _changed(self, place: Place, texts: Sequence[tuple[Property, list[str]]]) -> PropertyConstraint | None:
        """Returns the constraint of a listed state before or after a change."""
        own, event = self._texts(place), self.taxonomy.event(place.event)
        text = f"{event.name} {event.alias} {event.description}"
        for other, values in texts if own else ():
            if one_change(place.prop, other):
                kept: list[Scalar] = list(changes(own, values, text))
                return PropertyConstraint(values=kept) if kept else None
            if one_change(other, place.prop):
                mapping = changes(values, own, text)
                return PropertyConstraint(depends_on=other.name, mapping=mapping, values=list(own)) if mapping else None
        return None

    def _listed(self, place: Place) -> list[Scalar]:
        """Returns the values that the sheet lists, here or elsewhere."""
        rule, _ = self.definition(place)
        return list(rule.values) if isinstance(rule, OneOf) else []

    def _texts(self, place: Place) -> list[str]:
        return [str(value) for value in self._listed(place)] if place.prop.type is PropertyType.STRING else []

    # ----------------------------------------------------------------- by the sheet

    def _of_rule(self, place: Place, rule: ValueRule, *, own: bool) -> PropertyConstraint | None:
        match rule:
            case OneOf():
                return self._choice(place, rule)
            case OneOfEach() if rule.on:
                self.paired.add(rule.on)
                mapping: dict[str, list[Scalar]] = {label: list(values) for label, values in rule.values}
                return PropertyConstraint(depends_on=rule.on, mapping=mapping, values=list(rule.all_values))
            case Counter():
                return PropertyConstraint(counter=self._counter(place, rule, own=own))
            case SharedCounter():
                starter = next((r for o in self._defined[place.name] if isinstance(r := self.rules[o], Counter)), None)
                start, most = (starter.start, starter.max) if starter else (0, None)
                step = rule.step if own else 0
                return PropertyConstraint(counter=CounterRule(start=start, step=step, max=most, shared=place.name))
            case Balance():
                return PropertyConstraint(counter=self._balance(place, rule))
            case TrueFirst():
                return PropertyConstraint(first_only=True)
            case CopyOf():
                return PropertyConstraint(copy_of=rule.source)
            case Rows():
                return PropertyConstraint(rows=rule.count)
            case Example() if place.prop.type is PropertyType.STRING and 0 < len(rule.text) <= 60:
                single = "\n" not in rule.text and not re.search(r"[\[\]{}]", rule.text)
                return PropertyConstraint(values=[rule.text.strip()]) if single else None
            case Between() if place.prop.type is PropertyType.NUMBER:
                return _NOTHING if own else self._number(place)
            case _:
                return None

    def _choice(self, place: Place, rule: OneOf) -> PropertyConstraint:
        values: list[Scalar] = list(dict.fromkeys(rule.values))
        if place.prop.type is PropertyType.BOOLEAN:
            plain = self._boolean(place)
            if plain.first_only or _marks_first(place.prop):
                return PropertyConstraint(first_only=True, values=values)
            return plain.model_copy(update={"values": values, "weights": plain.weights if len(values) == 2 else []})
        if place.prop.type is PropertyType.LIST:
            return PropertyConstraint(values=values, rows=min(3, len(values)))
        last = own_name(place.name)
        if found := self._by_country(place, last, values) or self._system(place, last, values):
            return found
        return PropertyConstraint(values=values, per_user=_of_person(place, last))

    def _system(self, place: Place, last: str, values: list[Scalar]) -> PropertyConstraint | None:
        """Returns the constraint of an operating system, which follows the record's own."""
        if last not in _names("system_names") or place.prop.type is not PropertyType.STRING:
            return None
        ours = [str(value) for value in _chosen(facts("choices")["systems"][self.product.platform]).values]
        theirs = {str(value).lower(): value for value in values}
        if {*ours} <= {*map(str, values)}:
            return PropertyConstraint(copy_of="#os") if self.product.platform in ("mobile", "web") else None
        mapping = {name: [theirs[name.lower()]] for name in ours if name.lower() in theirs}
        constraint = PropertyConstraint(depends_on="#os", mapping=mapping, values=values, per_user=True)
        return constraint if len(mapping) == len(ours) else None

    def _counter(self, place: Place, rule: Counter, *, own: bool) -> CounterRule:
        shares = any(isinstance(self.rules[o], SharedCounter) for o in self._defined.get(place.name, []))
        shared = place.name if shares or not own else None
        has = {other.name for other in self.everywhere if other.event == place.event}
        group = rule.group_by if own and rule.group_by in has - {place.name} else None
        return CounterRule(start=rule.start, step=rule.step if own else 0, max=rule.max, shared=shared, group_by=group)

    def _balance(self, place: Place, rule: Balance) -> CounterRule | None:
        """Returns the rule of a balance, if the event, or the object it is in, has the number that moves it."""
        has = {other.name: self.rules[other] for other in self.everywhere if other.event == place.event}
        inside = not place.parent or rule.source.rpartition(".")[0] == place.parent
        moved = rule.source in has and not isinstance(has[rule.source], Balance)
        if not place.of_event or not inside or not moved or place.name in (rule.source, rule.group_by):
            return None
        grouped = rule.group_by in has and (not place.parent or str(rule.group_by).rpartition(".")[0] == place.parent)
        reading = self.order.readings[place.event]
        spends = place.kind is Kind.SPEND or reading.says("spend", "use", "sell") or "cost" in rule.source.lower()
        return CounterRule(
            start=rule.start,
            source=rule.source,
            sign=-1 if spends and place.kind is not Kind.EARN else 1,
            shared=place.name,
            group_by=rule.group_by if grouped else None,
        )

    # ----------------------------------------------------------------- by the name

    def _by_name(self, place: Place) -> PropertyConstraint:
        match place.prop.type:
            case PropertyType.BOOLEAN:
                return self._boolean(place)
            case PropertyType.STRING:
                return self._text(place)
            case PropertyType.NUMBER:
                return self._number(place)
            case PropertyType.LIST:
                pattern = names.pattern_of(place.name, PropertyType.LIST)
                base = re.sub(r"_?(list|ids|array)$", "", own_name(place.name)).rstrip("s") or "item"
                template = None if pattern else self._template(place, base, 30, 10)
                return PropertyConstraint(rows=3, faker=pattern, template=template)
            case PropertyType.OBJECT_GROUP:
                return PropertyConstraint(
                    rows=min(place.prop.description.count("{"), 5) or 3
                )  # as many as in the sample
            case _:
                return _NOTHING

    def _boolean(self, place: Place) -> PropertyConstraint:
        if _marks_first(place.prop):
            return PropertyConstraint(first_only=place.event != "user", per_user=place.event == "user")
        words = {*concepts(place.prop.name), *concepts(place.prop.alias)}
        share = next((share for of, share in facts("choices")["flags"].items() if words & {*of.split()}), 0.3)
        of_moment = place.event == "" and {*own_pieces(place.name)} & _names("of_the_moment")
        kept = not place.of_event and not of_moment
        return PropertyConstraint(values=[True, False], weights=[share, round(1 - share, 2)], per_user=kept)

    def _number(self, place: Place) -> PropertyConstraint:
        words = {piece for part in place.name.split(".") for piece in own_pieces(part)}
        own_id = measure_words(place.prop)[-1:] == ["id"] and words & OWNED
        of_user = any(other.name == place.name and not other.of_event for other in self.everywhere)
        born = of_user and "birth" in measure_words(place.prop)
        return self._degrees(place) or (PropertyConstraint(per_user=True) if own_id or born else _NOTHING)

    def _degrees(self, place: Place) -> PropertyConstraint | None:
        """Returns latitude or longitude of the user's city, or of the largest city of the country."""
        which = {"latitude", "longitude"} & set(measure_words(place.prop))
        if "." in place.name or len(which) != 1 or self.rules[place] is not None or not place.of_event:
            return None

        def degrees(city: locales.City) -> list[Scalar]:
            return list(locales.degrees_in(city, latitude=which == {"latitude"}))

        for city in dict.fromkeys(p.name for p in self.everywhere if own_name(p.name) in ("city", "home_city")):
            on = [p for p in self.everywhere if p.name == city and p.event in ("", place.event)]
            cities = self.constraint(on[0]) if on else _NOTHING
            values = [str(v) for v in (*cities.values, *(v for of in cities.mapping.values() for v in of))]
            mapping = {v: degrees(found) for v in values if (found := locales.city_named(v))}
            if mapping and mapping.keys() >= {*values}:
                return PropertyConstraint(depends_on=city, mapping=mapping)
        largest = {city.country: city for city in reversed(locales.cities())}
        mapping = {code: degrees(largest[code]) for code in locales.countries() if code in largest}
        return PropertyConstraint(depends_on="#country_code", mapping=mapping)

    def _text(self, place: Place) -> PropertyConstraint:
        last = own_name(place.name)
        for found in (self._by_country(place, last, []), self._identifier(place, last), self._outcome(place, last)):
            if found:
                return found
        person, pieces = _of_person(place, last), own_pieces(last)
        if "carrier" in last and place.kind is Kind.AFTER_SALE:  # parcel carriers
            return PropertyConstraint(values=["DHL", "UPS", "FedEx", "CJ Logistics"])
        if choices := self._usual_choices(place, last):
            return _chosen(choices, per_user=person)
        pattern = "name" if _DONE_BY.fullmatch(last) else names.pattern_of(last, PropertyType.STRING)
        if last in _COUNTRY:
            return PropertyConstraint(per_user=True)
        if pattern in names.INVENTED and pattern not in _OF_FAKER:
            values = invented(pattern, self.catalogues.locale, 20)
            return PropertyConstraint(values=values, weights=falling(len(values)), per_user=person)
        if pattern is not None:
            return PropertyConstraint(faker=pattern, per_user=person or pattern == "build")
        if pieces and pieces[-1] in _names("enumerated") | _names("named"):
            few = 5 if pieces[-1] in _names("enumerated") else 20
            return PropertyConstraint(template=self._template(place, last, few, 1 + few / 3), per_user=person)
        return PropertyConstraint(per_user=True) if person else _NOTHING

    def _template(self, place: Place, base: str, most: float, mean: float) -> str:
        """Returns a text with a number, and notes the number's range."""
        self.number_ranges.setdefault(place.name, ValueRange(min=1, max=most, mean=mean))
        return f"{base.lstrip('#')}_{{n}}"

    def _is_added(self, place: Place) -> bool:
        """Whether an event adds the thing of an id: then a device is one of several, not the user's phone."""
        carriers = [r for r in self.order.readings.values() if place.prop.name in r.properties]
        adds = [r for r in carriers if r.action in ("add", "connect", "register") and not r.fails]
        return place.of_event and len(carriers) > 2 and any(r.succeeds or r.place is None for r in adds)

    def _identifier(self, place: Place, last: str) -> PropertyConstraint | None:
        pieces = own_pieces(last)
        if last in _names("device_ids") and not self._is_added(place):
            return PropertyConstraint(copy_of="#distinct_id")
        if _SELF_IDS.fullmatch(last) and "." not in place.name and last not in ("id", "no", "_id"):
            return PropertyConstraint(copy_of="#account_id")
        spoken = names.pattern_of(last, PropertyType.STRING) in ("phone", "zip_code", "country_code", "coupon_code")
        if not pieces or pieces[-1] not in _names("id_endings") or spoken:
            return None
        base = "_".join(piece for piece in pieces if piece not in _names("no_part_of_a_name")) or "id"
        whose = {*pieces} if base != "id" else {*pieces, *re.split(r"[._]", place.name.lower())}
        if whose & (_names("others") | _names("persons")):
            role = next((word for word in reversed(pieces) if word in _names("at_work")), None)
            who = role or ("player" if self.order.is_game or "player" in whose else "user")
            return PropertyConstraint(template=self._template(place, who, 5000, 2000))
        if {*pieces} & UNIQUE:
            self.number_ranges.setdefault(place.name, _ANY_NUMBER)
        owned = bool({*pieces} & OWNED and not {*pieces} & UNIQUE)
        many = 60 if owned else 200 if {*pieces} & _names("many") else 50
        return PropertyConstraint(template=self._template(place, base, many, many * 0.36), per_user=owned)

    def _outcome(self, place: Place, last: str) -> PropertyConstraint | None:
        """Returns the constraint of results and reasons."""
        pieces, reading, data = own_pieces(last), self.order.readings.get(place.event), facts("choices")
        if reading is None or not pieces:
            return None
        if pieces[-1] in ("result", "outcome"):
            fights = reading.says("battle", "game_match", "pvp", "raid", "war", "boss", "tournament")
            good, bad = ("win", "lose") if fights else ("success", "fail")
            if reading.succeeds or reading.fails:
                return PropertyConstraint(values=[good if reading.succeeds else bad])
            return PropertyConstraint(values=[good, bad], weights=[0.7, 0.3])
        if pieces[-1] != "reason":
            return None
        words, known = {*reading.words, *concepts(" ".join(pieces[:-1]))}, data["reasons"]
        why = next((of for of in known.values() if words & {*of["words"].split()}), known["other"])
        return PropertyConstraint(values=why[self.catalogues.locale].split("|"))

    def _usual_choices(self, place: Place, last: str) -> str | None:
        data, platform = facts("choices"), self.product.platform
        if last in ("platform", "os", "os_name", "device_os"):
            return data["systems"][platform]
        if last in ("channel", "install_channel", "store", "app_store"):
            return data["channels"][platform]
        if last == "method" and place.kind not in (Kind.REGISTER, Kind.SESSION_START):
            pays = place.kind in (Kind.PAY, Kind.CHECKOUT, Kind.PAY_FAIL)
            return data["choices"]["payment_method"] if pays else None
        return data["choices_of"].get(industry_of(self.product), {}).get(last, data["choices"].get(last))

    # ----------------------------------------------------------------- by country

    def _by_country(self, place: Place, last: str, given: list[Scalar]) -> PropertyConstraint | None:
        """Returns the constraint of carrier, currency, language or city, which depend on the country."""
        ends = (last, *own_pieces(last)[-1:])
        what = next((w for w in ("carrier", "currency", "language", "city") if w in ends or last in _names(w)), None)
        if what is None or "." in place.name or (what == "carrier" and place.kind is Kind.AFTER_SALE):
            return None
        if what != "carrier" and not (what in ("currency", "city") and len(given) > 1):
            soft = what == "currency" and self.order.is_game and {*own_pieces(last)} & {"soft", "item"}
            alone = what == "currency" and place.prop.type is PropertyType.STRING
            if given or soft or not (self._countries or alone):
                return None
        on = self._country_beside(place)
        listed = [self.constraint(other).values for other in self._countries if on and other.name == on.name]
        return by_country(what, given, on.name if on else None, [str(value) for values in listed for value in values])

    def _country_beside(self, place: Place) -> Place | None:
        """Returns a country that stands at every place of a property."""
        events = {other.event for other in self.everywhere if other.name == place.name}
        for on in self._countries:
            present = {other.event for other in self._countries if other.name == on.name}
            if "user" in present or (events <= {"", *self.order.readings} and ("" in present or events <= present)):
                return on
        return None


def _of_person(place: Place, last: str) -> bool:
    """Whether a user's text stays the same for life."""
    acquired = {*own_pieces(last)} & {"install", "acquisition", "attribution"}
    if acquired and last.endswith(("source", "channel", "campaign")):
        return True
    keep = _names("kept") | (_names("home") if not place.of_event else set())
    return last.removeprefix("home_") in keep and place.kind is not Kind.SYSTEM


def _marks_first(prop: Property) -> bool:
    """Whether a flag marks a first time: `first` in the name, 최초 or 첫 in the alias."""
    return "first" in own_pieces(prop.name) or bool(re.search(r"최초|첫|初回|first", prop.alias.lower()))


def _chosen(choices: str, *, per_user: bool = False) -> PropertyConstraint:
    """Returns usual values, with weights if these differ."""
    parts = [part.partition(":") for part in (choices.split("|") if "|" in choices else choices.split())]
    weights = [float(weight or 1) for _, _, weight in parts]
    values: list[Scalar] = [value for value, _, _ in parts]
    return PropertyConstraint(values=values, weights=weights if len(set(weights)) > 1 else [], per_user=per_user)


# --------------------------------------------------------------------------- within a sequence

_OWN_TO_EACH_STEP = ("duration", "result", "outcome", "reason", "status", "elapsed", "playtime", "clear_time", "step")


def _repeat_in_sequences(
    found: dict[str, PropertyConstraint], order: EventOrder, sequences: Sequence[EventSequence]
) -> None:
    """Lets a later step repeat the values of an earlier one before it: the order's id, its amount, the opponents."""
    for sequence in sequences:
        before: dict[str, dict[str, Property]] = {}
        for step in sequence.steps:
            earlier = {
                name: given for event in reversed(step.follows or [*before]) for name, given in before[event].items()
            }
            before = {}
            for name in step.events:
                own = order.taxonomy.event(name).properties
                for prop in own:
                    key = f"{name}/{prop.name}"
                    base = found.get(key, found.get(prop.name, _NOTHING))
                    fixed = base.copy_of or base.first_only or base.counter
                    if prop.name in earlier and not fixed and _repeats(prop, earlier[prop.name]):
                        found[key] = base.model_copy(update={"same_as_before": True})
                before[name] = {prop.name: prop for prop in own} | earlier


def _repeats(prop: Property, earlier: Property) -> bool:
    """Whether a later step repeats a property of an earlier one."""
    own = any(word in prop.name.lower() for word in _OWN_TO_EACH_STEP) or prop.type is PropertyType.TIME
    return not own and prop.type is earlier.type and rule_of(prop) in (None, rule_of(earlier))
