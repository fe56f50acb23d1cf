"""Which events follow each other within a session, found as a person would find them in the sheet.

An onboarding, funnels that end in a purchase or a subscription, processes that begin and have an outcome,
advertisements that are requested, shown and clicked, searches that lead to what is then looked at. An event may head
several sequences; otherwise it is in one at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gamestats_assets.demo_data.analysis.event_chains import (
    breaks_off,
    find_chains,
    goes_wrong,
    identifiers_of,
    is_particular,
    is_planned,
    lasts_days,
    numbered,
    outcomes_of,
    takes_days,
)
from gamestats_assets.demo_data.analysis.event_discoveries import find_choices, find_discoveries, find_exposures
from gamestats_assets.demo_data.analysis.event_funnels import commits, find_funnels
from gamestats_assets.demo_data.analysis.event_kinds import GROUPS, EventKind
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import Reading, concepts, pieces, word_set
from gamestats_assets.demo_data.rules.model import Step
from gamestats_assets.demo_data.taxonomies.model import Event, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between, Counter

Kind = EventKind

_LONG_LIVED = frozenset(
    {"friend", "subscribe", "trial", "season", "deliver", "ship", "follow", "account", "gift", "sleep", *GROUPS}
)
"""What lasts longer than a session: its end is no step after its beginning."""


def find_sequences(order: EventOrder) -> None:
    """Note the sequences of a product in its order."""
    _onboarding(order)
    _numbered(order)
    _written(order)
    chains = find_chains(order)
    find_funnels(order, chains)
    find_exposures(order)
    _processes(order)
    find_discoveries(order)
    find_choices(order, chains)
    _come_about(order)
    _on_screens(order)


_NUMBERED = re.compile(
    r"\bstep (\d+)\s?(?:of|/)\s?(\d+)|(?:^|\s)(\d+)\s?/\s?(\d+)\s?(?:단계|ステップ)|(\d+)단계\s?/\s?총?\s?(\d+)단계",
    re.IGNORECASE,
)


def _numbered(order: EventOrder) -> None:
    """Events whose descriptions number them as the steps of one process: `Step 2 of 4`."""
    found: dict[tuple[str, int], dict[int, Reading]] = {}
    for r in order.free():
        if match := _NUMBERED.search(order.taxonomy.event(r.name).description):
            number, of = map(int, filter(None, match.groups()))
            found.setdefault((r.tag, of), {}).setdefault(number, r)
    for (_, of), steps in found.items():
        if of > 1 and sorted(steps) == list(range(1, of + 1)):
            order.add("_".join(sorted(steps[1].topic)), "funnel", [_single(steps[n], 0.85) for n in sorted(steps)])


def _written(order: EventOrder) -> None:
    """Three events and more of which each description calls the one before by its name, up to the last deal."""
    free = {r.name: r for r in order.free() if order.kinds[r.name] not in _NO_PROCESS and not r.fails}
    before = {name: {m.event for m in order.told.get(name, ()) if m.by_name and m.event in free} for name in free}
    after = {name: [later for later, of in before.items() if of == {name}] for name in free}
    for head in [name for name in free if not before[name]]:
        line = [head]
        while len(after[line[-1]]) == 1 and after[line[-1]][0] not in line:
            line += after[line[-1]]
        deals = [place for place, name in enumerate(line) if commits(free[name])]
        line = line[: deals[-1] + 1] if deals else line
        if len(line) > 2:
            name = "_".join(sorted(free[line[-1]].topic)) or line[-1]
            order.add(name, "funnel", [_single(free[each], 0.75) for each in line])


def _come_about(order: EventOrder) -> None:
    """What the last step of a sequence brings about at once, as a description and a shared id tell: a policy."""
    for r in order.free():
        if r.action not in ("issue", "create") or r.fails or order.kinds[r.name] in _NO_PROCESS:
            continue
        ids = set(identifiers_of(order, r.name))
        told = {m.event for m in order.told.get(r.name, ()) if not (m.here or m.ongoing)}
        for place, sequence in enumerate(order.sequences):
            ends = [e for e in sequence.steps[-1].events if e in told and ids & order.readings[e].properties]
            if ends and not takes_days(order.taxonomy.event(r.name), order.readings[ends[0]].properties):
                follows = ends if len(sequence.steps[-1].events) > 1 else []
                step = Step(events=[r.name], probability=0.9, after_s=60, follows=follows)
                order.sequences[place] = sequence.model_copy(update={"steps": [*sequence.steps, step]})
                break


def _on_screens(order: EventOrder) -> None:
    """What begins on a screen, as its description says, comes after the look at it."""
    heads = [sequence.steps[0].events for sequence in order.sequences]
    for place, sequence in enumerate(order.sequences):
        head = sequence.steps[0].events[0]
        shown = [m.event for m in order.told.get(head, ()) if m.here and order.kinds[m.event] is Kind.BROWSE]
        alone = heads.count([head]) == 1 and sequence.kind != "onboarding"
        if shown and alone and not order.readings[shown[0]].says("home"):
            begun = sequence.steps[0].model_copy(update={"probability": 0.4})
            steps = [_single(order.readings[shown[0]], 1), begun, *sequence.steps[1:]]
            order.sequences[place] = sequence.model_copy(update={"kind": "funnel", "steps": steps})


# --------------------------------------------------------------------------- onboarding


def _onboarding(order: EventOrder) -> None:
    """A sign-up in several steps, then what introduces new users; a sign-up of one event needs no sequence."""
    sign_up = [r for r in order.of(Kind.REGISTER) if not r.says("character")]
    if steps := _as_told(order, [*sign_up, *order.of(Kind.ONBOARDING, Kind.VERIFY)]):
        order.add("onboarding", "onboarding", steps)
        return
    several = len(sign_up) > 1 and any(r.place is not None and r.place < 5 for r in sign_up)
    steps = _steps_in_order(sign_up, probability=0.93) if several else []
    near = [r.index for r in sign_up]
    contact = [
        r
        for r in order.of(Kind.VERIFY)
        if near and r.things & {"mail", "phone", "code"} and abs(r.index - near[-1]) <= 3 and not r.fails
    ]
    intro = order.of(Kind.ONBOARDING)
    done = next((r.index for r in sign_up if r.succeeds), None)
    for r in contact if several else ():
        early = done is not None and r.index < done
        steps.insert(len(steps) - 1 if early else len(steps), Step(events=[r.name], probability=0.9, after_s=40))
    steps = [*(steps or _arrivals(order, intro)), *_introduction(order, intro)]
    if steps:
        order.add("onboarding", "onboarding", steps)


def _arrivals(order: EventOrder, intro: Sequence[Reading]) -> list[Step]:
    """What the sheet files just above the introduction, unless it is a mere sign-up: a trial, an account enabled."""
    found: list[Step] = []
    rows = list(order.readings.values())
    for r in reversed(rows[: intro[0].index] if intro else []):
        account = order.kinds[r.name] is Kind.REGISTER or (r.action == "enable" and "account" in r.things)
        if r.fails or not (account or (r.says("trial") and r.phase in (None, "start", "request"))):
            break
        found.insert(0, _single(r, 0.95))
    return found if any(order.kinds[step.events[0]] is not Kind.REGISTER for step in found) else []


def _as_told(order: EventOrder, found: Sequence[Reading]) -> list[Step]:
    """A way to an account whose descriptions tell what comes after what; nothing where they do not."""
    told = {r.name for r in found if order.kinds[r.name] is Kind.REGISTER}
    while more := {m.event for name in told for m in order.told.get(name, ())} - told:
        told |= more
    rows = {r.name: r for r in order.readings.values() if r in found or r.name in told}
    before = {name: [m.event for m in order.told.get(name, ()) if m.event in rows] for name in rows}
    leads = {event for of_event in before.values() for event in of_event}
    registers = any(order.kinds[name] is Kind.REGISTER and before[name] for name in rows)
    rows = {name: r for name, r in rows.items() if before[name] or name in leads}
    if not registers or len(rows) < 3:
        return []

    def depth(name: str, seen: frozenset[str]) -> int:
        return max((1 + depth(event, seen | {name}) for event in before[name] if event not in seen), default=0)

    levels: dict[int, list[Reading]] = {}
    for name, r in rows.items():
        levels.setdefault(depth(name, frozenset({name})), []).append(r)
    steps: list[Step] = []
    for _, at in sorted(levels.items()):
        decided = any(r.fails for r in at) and any(not r.fails for r in at)
        steps += [_outcomes(at, 0.95)] if decided else [_single(r, 0.93) for r in at]
    return steps


def _introduction(order: EventOrder, intro: Sequence[Reading]) -> list[Step]:
    if len(intro) == 1:
        event = order.taxonomy.event(intro[0].name)
        return [Step(events=[event.name], probability=0.95, repeats=_repeats(event), after_s=45)]
    staged = [r for r in intro if r.place is not None]
    plain = [r for r in intro if r.place is None]
    begins = [r for r in plain if staged and r.index < staged[0].index]
    ends = [r for r in plain if r not in begins]
    steps = [_single(r, 0.95) for r in begins]
    for step in _steps_in_order(staged, probability=0.96):
        event = order.taxonomy.event(step.events[0])
        counts = len(step.events) == 1 and order.readings[event.name].step is None and _counts_steps(event)
        steps.append(step.model_copy(update={"repeats": _repeats(event)}) if counts else step)
    return [*steps, *(_single(r, 0.9) for r in ends)]


def _single(r: Reading, probability: float) -> Step:
    return Step(events=[r.name], probability=probability, after_s=40)


def _counts_steps(event: Event) -> bool:
    return any(_is_step(prop.name, prop.alias) for prop in event.properties if prop.type is PropertyType.NUMBER)


def _is_step(name: str, alias: str) -> bool:
    return "step" in name.lower() or "단계" in alias or "ステップ" in alias


def _repeats(event: Event) -> int:
    """How many steps a tutorial has whose event tells the number of the step."""
    for prop in event.properties:
        if _is_step(prop.name, prop.alias):
            if isinstance(prop.rule, Counter) and prop.rule.max is not None:
                steps = (prop.rule.max - prop.rule.start) / (prop.rule.step or 1)
                return int(min(max(steps, 1), 100))
            if isinstance(prop.rule, Between):
                return int(min(max(prop.rule.max - prop.rule.min + 1, 1), 100))
            if prop.type is PropertyType.NUMBER:
                return 5
    return 1


# --------------------------------------------------------------------------- processes


def _steps_in_order(found: Iterable[Reading], *, probability: float = 0.95) -> list[Step]:
    """Steps of a process by how far along they are; outcomes are alternatives."""
    found = list(found)
    has_success = any(r.succeeds or r.phase in ("end", "close", "result") for r in found)
    decided = has_success or any(r.phase in ("accept", "reject") for r in found)
    outcome_names = {r.name for r in found if _is_outcome(r, has_success=has_success, decided=decided)}
    if any(r.succeeds and r.phase != "confirm" for r in found):
        outcome_names -= {r.name for r in found if r.phase == "confirm"}
    if not any(r.name in outcome_names and (r.succeeds or r.phase == "accept") for r in found):
        # What merely ends is then the good outcome.
        outcome_names |= {r.name for r in found if r.place == 6} if outcome_names else set()
    places: dict[float, list[Reading]] = {}
    for r in found:
        place = 5.0 if r.name in outcome_names else 4.5 if r.phase == "confirm" else r.place
        if place is not None and (place < 7 or any(o.succeeds for o in found)):
            places.setdefault(place, []).append(r)
    steps: list[Step] = []
    for place in sorted(places):
        at = sorted(places[place], key=lambda r: r.index)
        if place == 5:
            steps.append(_outcomes(at, probability))
        elif 3 <= place < 4:
            steps += [Step(events=[r.name], probability=0.95, after_s=30) for r in at]
        else:
            steps.append(Step(events=[r.name for r in at], probability=0.95 if place < 7 else 0.85, after_s=10))
    return steps


def _is_outcome(r: Reading, *, has_success: bool, decided: bool) -> bool:
    if r.phase in ("accept", "submit") and r.step is None:
        return not (has_success if r.phase == "accept" else decided)
    return r.place == 5 or (r.fails and r.place is not None)


def _outcomes(found: Sequence[Reading], probability: float) -> Step:
    """Success, failure or an interruption; good outcomes are the more frequent ones."""
    weights = [_outcome_weight(r) for r in found]
    good = [r for r in found if not r.fails and r.phase != "pause"]
    bad = len(found) - len(good)
    scaled = [w / (len(good) if r in good else bad) for w, r in zip(weights, found, strict=True)] if good else weights
    return Step(
        events=[r.name for r in found],
        weights=[round(w, 3) for w in scaled] if len(found) > 1 else [],
        probability=0.97 if bad else probability,
        after_s=90,
    )


def _outcome_weight(r: Reading) -> float:
    if not r.fails and r.phase != "pause":
        return 0.7
    if r.says("pay", "transfer", "deposit", "withdraw", "login", "register", "verify", "order", "book"):
        return 0.1
    return {"skip": 0.12, "cancel": 0.15, "pause": 0.3, "timeout": 0.1, "reject": 0.25}.get(r.phase or "", 0.3)


def _key(r: Reading) -> frozenset[str]:
    """What a process is about."""
    about = r.things or r.topic
    return (about - {"reward", "result"}) or about


def _process_place(r: Reading, others: Sequence[Reading]) -> bool:
    """Whether an event can be a part of a process."""
    if r.place is not None:
        return True
    if r.action in ("view", "list"):
        return False
    if r.action == "enable" and any(o.things == r.things and o.phase in ("end", "timeout") for o in others):
        return True
    return (
        r.action == "play"
        or (r.action in ("join", "leave") and bool(_key(r) & {"room", "game_match", "live"}))
        or (not r.things and any(o is not r and o.topic == r.topic and o.fails for o in others))
    )


def _processes(order: EventOrder) -> None:
    """What begins, goes on and ends: fights, lessons, workouts, uploads, ..."""
    free = [r for r in order.free() if not _key(r) & _LONG_LIVED and order.kinds[r.name] not in _NO_PROCESS]
    staged = [r for r in free if _process_place(r, free)]
    clusters: list[list[Reading]] = []
    for r in staged:
        home = next((c for c in clusters if any(_same(r, other) and _one_life(order, r, other) for other in c)), None)
        if home is None:
            clusters.append([r])
        else:
            home.append(r)
    _join_loose_ends(clusters)
    for cluster in clusters:
        cluster += [replace(r, phase="abandon") for r in free if r not in staged and _leaves(order, r, cluster)]
        if cluster and _takes_days(order, cluster):
            continue
        taken = order.taken()  # by an earlier process, within which it stands
        _process(order, [_as_step(r) for r in cluster if r.name not in taken], free)


_NO_PROCESS = frozenset(
    {*(Kind.REGISTER, Kind.ONBOARDING, Kind.CRASH, Kind.GOODBYE, Kind.AFTER_SALE, Kind.SUBSCRIBE), Kind.SUPPORT}
)


def _one_life(order: EventOrder, a: Reading, b: Reading) -> bool:
    """Whether two events can be about one thing: a quest and a mission with ids of their own are not."""
    ids = [set(identifiers_of(order, r.name)) for r in (a, b)]
    spelt = [{piece for piece in pieces(r.name) if r.topic.intersection(concepts(piece))} for r in (a, b)]
    return not all(ids) or bool(ids[0] & ids[1]) or bool(spelt[0] & spelt[1])


def _leaves(order: EventOrder, r: Reading, cluster: Sequence[Reading]) -> bool:
    """Whether an event of no known phase stands among the outcomes of a process: a fight that is left."""
    ends = [o for o in cluster if o.place == 5 and abs(o.index - r.index) <= 2]
    begun = [o for o in cluster if o.place is not None and o.place < 3 and o.index < r.index]
    if begun and any((o.place or 0) >= 5 for o in cluster) and breaks_off(order, r, begun[0]):
        return bool(set(identifiers_of(order, r.name)) & begun[0].properties)
    alike = bool(begun) and begun[0].topic < r.topic and r.action is None and r.tag == begun[0].tag
    return bool(ends) and alike and bool(set(identifiers_of(order, r.name)) & begun[0].properties)


def _takes_days(order: EventOrder, cluster: Sequence[Reading]) -> bool:
    first, *rest = sorted(cluster, key=lambda r: (r.place or 0, r.index))
    ends = [order.taxonomy.event(r.name) for r in rest if (r.place or 0) >= 5 or r.phase in ("accept", "reject")]
    planned = is_planned(order, first) or lasts_days(order, first)
    return planned or any(takes_days(event, first.properties) for event in ends)


def _as_step(r: Reading) -> Reading:
    """An event that tells no phase, where it has a natural one: to play is to start."""
    if r.place is not None:
        return r
    return replace(
        r, phase={"play": "start", "enable": "start", "join": "enter", "leave": "exit"}.get(r.action or "", "attempt")
    )


def _same(a: Reading, b: Reading) -> bool:
    if _key(a) == _key(b):
        return True
    return bool(a.alias_topic) and a.alias_topic == b.alias_topic and a.place is not None and b.place is not None


def _join_loose_ends(clusters: list[list[Reading]]) -> None:
    """A beginning without an end, and an end without a beginning whose thing is a part of the other's."""
    for cluster in clusters:
        if not _begins(cluster) or _ends(cluster):
            continue
        for other in clusters:
            loose = other is not cluster and _ends(other) and not _begins(other)
            if loose and any(_key(a) < _key(b) or _key(b) < _key(a) for a in cluster for b in other):
                cluster += other
                other.clear()
                break


def _begins(cluster: Sequence[Reading]) -> bool:
    decided = any(r.phase in ("accept", "reject") for r in cluster)
    return any((p := _as_step(r).place) is not None and (p < 3 or (decided and r.phase == "submit")) for r in cluster)


def _ends(cluster: Sequence[Reading]) -> bool:
    return any(r.place is not None and 3.9 < r.place < 7 for r in cluster)


def _process(order: EventOrder, cluster: Sequence[Reading], free: Sequence[Reading]) -> None:
    numbered = [r for r in cluster if r.step is not None and r.place is not None]
    taken = order.taken()
    if not _begins(cluster) and (shown := _read_from(order, cluster, taken)):
        _reading(order, shown, cluster)
        return
    begins = _begins(cluster) and (
        _ends(cluster) or len({r.place for r in cluster}) > 1 or bool(_acts(cluster[0], free, taken))
    )
    if not (begins or len(numbered) > 1):
        return
    told = [r for r in cluster if r.phase != "resume"]
    views = [
        r
        for r in free
        if r.place is None and r.action == "view" and r.name not in taken and any(_key(r) == _key(c) for c in told)
    ]
    if len(told) == 1 and told[0].phase in ("open", "enter", "launch") and (acts := _acts(told[0], free, taken)):
        head, then = Step(events=[told[0].name]), Step(events=acts, probability=0.6, after_s=20)
        order.add("_".join(sorted(_key(told[0]))), "funnel", [head, then])
        return
    steps = _steps_in_order(told)
    if len(steps) < 2 and not (steps and views):
        return
    steps = _with_break(_with_inner(order, told, steps, [r for r in free if r not in views]), cluster)
    head = [Step(events=[r.name for r in views])] if views and not order.is_game else []
    name = "_".join(sorted(_key(cluster[0]))) or "process"
    order.add(name, "sequence", [*head, *(s.model_copy(update={"after_s": _pace(cluster, s)}) for s in steps)])


def _read_from(order: EventOrder, cluster: Sequence[Reading], taken: set[str]) -> Reading | None:
    """The look that outcomes are those of."""
    names = {r.name for r in cluster}
    for r in order.of(Kind.BROWSE):
        if r.name not in taken and {o.name for o in outcomes_of(order, r)} & names:
            return r
    return None


def _reading(order: EventOrder, shown: Reading, cluster: Sequence[Reading]) -> None:
    """What is looked at, read to the end or not, and then talked of."""
    ends = [r for r in cluster if (r.place or 0) >= 5]
    good = [r.name for r in ends if not goes_wrong(r)]
    ids = numbered(shown)
    talks = [
        r.name
        for r in order.free()
        if r.index > shown.index and ids <= r.properties and (r.action == "rate" or r.says("review", "comment"))
    ]
    steps = [Step(events=[shown.name]), _outcomes(ends, 0.9)]
    if talks and good:
        follows = good if len(good) < len(ends) else []
        steps.append(Step(events=talks, probability=0.12, after_s=40, follows=follows))
    order.add("_".join(sorted(_key(shown))), "sequence", steps)


def _acts(opener: Reading, free: Sequence[Reading], taken: set[str]) -> list[str]:
    """What is done in what has been opened, as it tells the same things of itself."""
    return [
        r.name
        for r in free
        if r.place is None and r.action in _DOING and r.name not in taken and _key(r) == _key(opener)
        if r.properties & opener.properties
    ]


_DOING = word_set("draw buy use create edit upgrade levelup exchange sell claim equip play write")


def _with_break(steps: list[Step], cluster: Sequence[Reading]) -> list[Step]:
    """What was paused may go on, and then has an outcome after all."""
    paused = [r.name for r in cluster if r.phase == "pause"]
    resumed = [r.name for r in cluster if r.phase == "resume"]
    last = steps[-1] if steps else None
    if not resumed or last is None or not set(paused) & set(last.events):
        return steps
    again = Step(events=resumed, probability=0.9, follows=paused, after_s=60)
    rest = [event for event in last.events if event not in paused]
    weights = [weight for event, weight in zip(last.events, last.weights, strict=False) if event not in paused]
    end = last.model_copy(update={"events": rest, "weights": weights if len(rest) > 1 else [], "follows": resumed})
    return [*steps, again, end] if rest else [*steps, again]


def _pace(cluster: Sequence[Reading], step: Step) -> float:
    """Seconds until an outcome: what is exercised, played or watched takes longer than what is filled in."""
    if step.after_s != 90:
        return step.after_s
    long = {"workout", "sleep", "video", "lesson", "course", "quiz", "ride", "meal", "episode", "raid", "game_match"}
    return 420 if any(_key(r) & long for r in cluster) else 120 if step.weights else 60


def _with_inner(order: EventOrder, told: Sequence[Reading], steps: list[Step], free: Sequence[Reading]) -> list[Step]:
    """Rows between the first and the last of a process that share its own properties are a part of it."""
    row = {r.name: r.index for r in told}
    first, last = min(row.values()), max(row.values())
    if last - first > 8:
        return steps
    taken = order.taken() | row.keys()
    own = _particular(order, frozenset().union(*(r.properties for r in told)), (first, last))
    words = frozenset().union(*(_key(r) for r in told))
    end = min(row[event] for event in steps[-1].events)
    inner = [r for r in free if first < r.index < end and r.name not in taken]
    inner = [r for r in inner if not r.fails and order.kinds[r.name] in _INNER]
    related = {r.name for r in inner if _key(r) & words or r.properties & own}
    more = _particular(order, frozenset().union(*(r.properties for r in inner if r.name in related)), (first, last))
    inner = [r for r in inner if r.name in related or r.properties & more]
    if not inner:
        return steps
    begun = [min(row[event] for event in step.events) for step in steps]
    added = [(r.index, Step(events=[r.name], probability=0.9, after_s=30)) for r in inner]
    if begun != sorted(begun):  # a sheet that does not list the process in its order
        return [*steps[:-1], *(step for _, step in added), steps[-1]]
    placed = sorted([*zip(begun, steps, strict=True), *added], key=lambda item: item[0])
    return [step for _, step in placed]


_INNER = frozenset({Kind.CORE, Kind.OTHER, Kind.CHECKOUT, Kind.GROWTH, Kind.SPEND, Kind.BROWSE, Kind.ADVANCED})


def _particular(order: EventOrder, names: frozenset[str], rows: tuple[int, int]) -> frozenset[str]:
    """Properties that few events have, or none but those of some rows."""
    others = [r for r in order.readings.values() if not rows[0] <= r.index <= rows[1]]
    return frozenset(n for n in names if is_particular(order, n) or not any(n in r.properties for r in others))
