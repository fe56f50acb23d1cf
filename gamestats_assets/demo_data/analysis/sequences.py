"""The graph of precedence laid out as sequences: what follows each other within a session."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gamestats_assets.demo_data.analysis.graph import EventOrder, anchor
from gamestats_assets.demo_data.analysis.kinds import EventKind
from gamestats_assets.demo_data.analysis.reading import Reading
from gamestats_assets.demo_data.rules.model import EventSequence, Step
from gamestats_assets.demo_data.taxonomies.model import Event, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Between, Counter

Kind = EventKind

_SECONDS: Mapping[EventKind, float] = {
    Kind.SEARCH: 20, Kind.BROWSE: 25, Kind.CART: 45, Kind.CHECKOUT: 35, Kind.PAY: 40, Kind.PAY_FAIL: 40, Kind.AD: 12,
    Kind.EXPOSURE: 15, Kind.AFTER_SALE: 90, Kind.GACHA: 20, Kind.ONBOARDING: 40, Kind.VERIFY: 40,
}  # fmt: skip
"""Mean seconds that an event comes after the one before."""
_GO_ON: Mapping[EventKind, float] = {
    Kind.BROWSE: 0.7, Kind.CART: 0.4, Kind.CHECKOUT: 0.65, Kind.PAY: 0.85, Kind.PAY_FAIL: 0.85, Kind.AD: 0.9,
    Kind.AFTER_SALE: 0.6, Kind.SHARE: 0.3, Kind.SOCIAL: 0.5, Kind.EXPOSURE: 0.3, Kind.SUBSCRIBE: 0.15, Kind.CREATE: 0.4,
}  # fmt: skip
"""How many go on to an event of a kind."""
_FUNNEL = frozenset({Kind.BROWSE, Kind.CART, Kind.CHECKOUT, Kind.PAY, Kind.SEARCH, Kind.AD, Kind.GACHA})
_BAD_WEIGHTS: Mapping[str, float] = {"skip": 0.12, "cancel": 0.15, "pause": 0.3, "timeout": 0.1, "reject": 0.25}
_DEALS = ("pay", "transfer", "deposit", "withdraw", "login", "register", "verify", "order", "book", "buy")


class Sequences:
    """Lays the graph's edges of `next` out as sequences: a tree of which each branch is a line of steps.

    A later step stands in one sequence alone, and its event begins none, so that it always follows. Of several branches
    the longest goes on; single outcomes are alternatives of one step; whatever happens any number of times in between
    is one repeated step; other branches begin by themselves, with a prerequisite.
    """

    def __init__(self, order: EventOrder) -> None:
        self.order, self.readings = order, order.readings
        free = {r.name for r in order.free}
        self.parents = {
            event: edge.before for event, edge in order.next.items() if event in free and {*edge.before} <= free
        }
        self.children: dict[str, list[str]] = {}
        for event in self.readings:
            for before in self.parents.get(event, ()):
                self.children.setdefault(before, []).append(event)
        self.placed: set[str] = set()
        self.apart: list[frozenset[str]] = []
        self.sequences: list[EventSequence] = []

    def found(self) -> list[EventSequence]:
        """The sequences, an onboarding first."""
        self._onboarding()
        while heads := self._heads():
            for head in heads:
                if not head & self.placed:
                    self._begin(sorted(head, key=lambda name: self.readings[name].index))
        return self.sequences

    def _heads(self) -> list[frozenset[str]]:
        """What begins something, alone or as one of several ways, and follows nothing that is still to be placed."""
        found = [cluster for cluster in self.apart if not cluster & self.placed]
        for name in self.readings:
            if any(name in cluster for cluster in found):
                continue
            if name in self.placed or name not in self.children or name in self.parents:
                continue
            ways = next(
                (frozenset(self.parents[c]) for c in self.children[name] if len(self.parents.get(c, ())) > 1), None
            )
            ways = ways if ways and not any(w in self.parents or w in self.placed for w in ways) else frozenset({name})
            if ways not in found:
                found.append(ways)
        return found

    def _begin(self, head: list[str]) -> None:
        """The sequences that events begin: the longest line first, then other branches from the same head."""
        lines = 0
        while True:
            steps = self._line(head)
            if len(steps) < 2:
                if len(head) > 1 and not lines:
                    self._add(steps)  # one of several outcomes of what is no step
                break
            self._add(steps)
            lines += 1
        self.placed.update(head)

    def _line(self, head: list[str]) -> list[Step]:
        steps = [self._step(head, 1.0)]
        current = list(head)
        while True:
            waiting = [
                c
                for name in current
                for c in self.children.get(name, ())
                if c in self.parents and c not in self.placed and c not in head
            ]
            waiting = list(dict.fromkeys(waiting))
            waiting = sorted(waiting, key=lambda name: self.readings[name].index)
            if not waiting:
                return steps
            inner = self._inner(waiting, alone=len(steps) == 1 and len(head) == 1)
            outer = [name for name in waiting if name not in inner]
            clusters = self._clusters(outer)
            loop = self._loop(inner) if inner and (clusters or len(steps) > 0) else []
            best = max(clusters, key=self._size, default=[])
            first = len(steps) == 1
            for cluster in clusters:
                if cluster is best or (first and len(head) == 1):
                    continue
                leaves = not any(self.children.get(name) for name in cluster)
                same = {self.parents[n] for n in cluster} == {self.parents[n] for n in best}
                if (
                    leaves
                    and same
                    and not {"optional"} & self.readings[cluster[0]].flags
                    and (self._are_choices(cluster, best))
                ):
                    best = [*best, *cluster]
                else:
                    self._release(cluster)
            if loop:
                steps.append(self._step(loop, 0.9, repeats=self._times(loop)))
                self.placed.update(loop)
            if not best:
                return steps
            self.placed.update(best)
            leading = [name for name in current if any(name in self.parents[b] for b in best)]
            follows = leading if not loop and 0 < len(leading) < len(steps[-1].events) else []
            steps.append(self._step(best, self._chance(best), follows=follows))
            current = [name for name in best if self.children.get(name)] or best
            if not any(self.children.get(name) for name in best):
                return steps

    def _release(self, cluster: Sequence[str]) -> None:
        """Branches that stand by themselves: they need what they would follow."""
        for name in cluster:
            self.parents.pop(name, None)
        if len(cluster) > 1:
            self.apart.append(frozenset(cluster))

    def _inner(self, waiting: Sequence[str], *, alone: bool) -> list[str]:
        """What happens any number of times meanwhile; a single thing only if it is told to repeat."""
        repeated = [
            n for n in waiting if self._is_inner(n) and ("repeated" in self.readings[n].flags or self._progresses(n))
        ]
        during = [n for n in waiting if self._is_inner(n) and n not in repeated]
        both = [*repeated, *(during if repeated or (len(during) > 1 and not alone) else [])]
        return [n for n in waiting if n in both]

    def _progresses(self, name: str) -> bool:
        return self.readings[name].phase == "progress"

    def _is_inner(self, name: str, depth: int = 0) -> bool:
        flags, r = self.readings[name].flags, self.readings[name]
        if r.wrong or r.opinion or r.phase == "pause" or depth > 3:
            return False
        if depth == 0 and not ({"repeated", "during"} & flags or self._progresses(name)):
            return False
        ended = r.place is not None and r.place >= 5 and "repeated" not in flags
        if (depth == 0 and ended) or (depth == 0 and "repeated" not in flags and r.place is not None and r.place < 3):
            return False
        return all(self._is_inner(c, depth + 1) for c in self.children.get(name, ()) if c in self.parents)

    def _loop(self, inner: Sequence[str]) -> list[str]:
        """What happens in between, with what follows it."""
        found = list(inner)
        for name in found:
            found += [c for c in self.children.get(name, ()) if c in self.parents and c not in {*found, *self.placed}]
        return sorted(found, key=lambda name: self.readings[name].index)

    def _times(self, loop: Sequence[str]) -> int:
        return max(_repeats(self.order.events[name]) for name in loop) if len(loop) == 1 else min(3 * len(loop), 12)

    def _clusters(self, found: Sequence[str]) -> list[list[str]]:
        """Events of which one happens, together; the others alone."""
        clusters: list[list[str]] = []
        for name in found:
            r = self.readings[name]
            home = next(
                (
                    c
                    for c in clusters
                    if any(self._parallel(r, self.readings[o]) for o in c if self.parents[o] == self.parents[name])
                ),
                None,
            )
            if home is None:
                clusters.append([name])
            else:
                home.append(name)
        return clusters

    def _parallel(self, r: Reading, o: Reading) -> bool:
        partners = self.order.partners
        of_r, of_o = (partners.get(x.name, x.name if x.name in partners.values() else "") for x in (r, o))
        if "pause" in (r.phase, o.phase) or (of_r and of_o and of_r != of_o):
            return False
        if self.order.is_instead(r.name, o.name):
            return True
        ended = [(x.place or 0) >= 5 or x.phase in ("accept", "match_found") or x.wrong for x in (r, o)]
        outcomes = all(ended) and (r.wrong or o.wrong) and not {"optional"} & r.flags
        return outcomes and (r.topic == o.topic or bool({*r.ids} & {*o.ids})) and not (r.regrets and o.regrets)

    def _are_choices(self, one: Sequence[str], other: Sequence[str]) -> bool:
        """Whether two leaves are what may be done with the same thing."""
        a, b = self.readings[one[0]], self.readings[other[0]]
        return not any(self.children.get(n) for n in other) and (a.opinion == b.opinion) and a.tag == b.tag

    def _size(self, cluster: Sequence[str]) -> tuple[float, int]:
        """How far a branch leads; what goes wrong alone leads nowhere."""
        seen, waiting = set[str](), list(cluster)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += self.children.get(name, ())
        before = {b for name in cluster for b in self.parents.get(name, ())}
        of_it = any(self.readings[name].topic == self.readings[b].topic for name in cluster for b in before)
        if of_it and len(cluster) > 1 and any((self.readings[name].place or 0) >= 5 for name in cluster):
            return (99, -self.readings[cluster[0]].index)
        good = any(not self.readings[name].wrong for name in cluster)
        decided = any((self.readings[name].place or 0) >= 5 for name in cluster)
        return (good * (len(seen) + decided), -self.readings[cluster[0]].index)

    def _chance(self, events: Sequence[str]) -> float:
        found = [r for r in map(self.readings.__getitem__, events)]
        if any((r.place or 0) >= 5 for r in found) or len(found) > 1:
            return 0.95
        return _GO_ON.get(self.order.kinds[events[0]], 0.9) if not found[0].opinion else 0.35

    def _step(self, events: Sequence[str], chance: float, *, repeats: int = 1, follows: Sequence[str] = ()) -> Step:
        found = [self.readings[name] for name in events]
        good = [r for r in found if not r.wrong and r.phase != "pause"]
        weights = [0.7 / len(good) if r in good else _bad_weight(r) / (len(found) - len(good)) for r in found]
        seconds = max(
            _SECONDS.get(self.order.kinds[name], 90.0 if (self.readings[name].place or 0) >= 5 else 30.0)
            for name in events
        )
        return Step(
            events=list(events),
            weights=[round(w, 3) for w in weights] if len(set(weights)) > 1 else [],
            probability=chance,
            repeats=repeats,
            after_s=seconds,
            follows=list(follows),
        )

    def _add(self, steps: list[Step], kind: str = "") -> None:
        if not kind:
            funnel = any(self.order.kinds[e] in _FUNNEL for e in steps[0].events) or len(steps) > 3
            kind = "funnel" if funnel else "sequence"
        if (
            kind != "onboarding"
            and len(steps[0].events) == 1
            and self.readings[steps[0].events[0]].name in self.parents
        ):
            return
        first = self.readings[steps[0].events[0]]
        name = "onboarding" if kind == "onboarding" else "_".join(sorted(first.things or first.topic)) or first.name
        known = {sequence.name for sequence in self.sequences}
        name = next(n for n in (name, *(f"{name}_{i}" for i in range(2, 1000))) if n not in known)
        self.sequences.append(EventSequence.model_validate({"name": name, "kind": kind, "steps": steps}))

    # ----------------------------------------------------------------- the onboarding

    def _onboarding(self) -> None:
        """A sign-up in several steps, then what introduces new users; a sign-up of one event needs no sequence."""
        order = self.order
        registers = [r for r in order.of(Kind.REGISTER) if not r.says("character") and r.name not in order.legacy]
        account = anchor(registers)
        way = []
        if account is not None:
            leading = {b for e in order.needs.get(account.name, ()) for b in e.before}
            way = [
                r
                for r in order.free
                if r.name in leading and order.kinds[r.name] in (Kind.VERIFY, Kind.REGISTER, Kind.CORE)
            ]
            way += [self.readings[b] for r in way for b in self.parents.get(r.name, ()) if self.readings[b] not in way]
            way += [r for r in registers if r not in way and r is not account and r.place is not None and r.place < 5]
            way = sorted(way, key=lambda r: ((r.place or 9) if order.kinds[r.name] is Kind.REGISTER else 5, r.index))
            way = sorted(way, key=lambda r: r.index)
        intro = [r for r in order.of(Kind.ONBOARDING) if r.name not in order.legacy]
        leading = self._introduction(way) if account is not None else []
        if leading and account is not None:
            good = [e for e in leading[-1].events if not self.readings[e].wrong]
            follows = good if 0 < len(good) < len(leading[-1].events) else []
            leading.append(self._step([account.name], 0.93, follows=follows))
        steps = [*leading, *self._introduction(intro)]
        if steps:
            steps[0] = steps[0].model_copy(update={"probability": 1.0})
            self.placed.update(event for step in steps for event in step.events)
            for step in steps:
                self._release(step.events)
            self._add(steps, "onboarding")

    def _introduction(self, intro: Sequence[Reading]) -> list[Step]:
        line: list[Reading] = []
        for r in sorted(intro, key=lambda r: r.index):
            later = [
                n
                for n, o in enumerate(line)
                if o.topic == r.topic and (o.place or 0) > (r.place if r.place is not None else 9)
            ]
            line.insert(later[0] if later else len(line), r)
        steps: list[Step] = []
        for r in line:
            if r.name in {e for step in steps for e in step.events}:
                continue
            both = [r, *(o for o in line if o is not r and self.order.is_instead(r.name, o.name))]
            event = self.order.events[r.name]
            counted = r.phase == "progress" or _counts_steps(event) or "repeated" in r.flags
            counted = (counted and r.step is None and not r.succeeds) or _counts_steps(event)
            counted = counted and len(both) == 1
            both.sort(key=lambda o: o.index)
            good = [e for e in steps[-1].events if not self.readings[e].wrong] if steps else []
            follows = good if steps and 0 < len(good) < len(steps[-1].events) else []
            steps.append(
                self._step([o.name for o in both], 0.95, repeats=_repeats(event) if counted else 1, follows=follows)
            )
        return steps


def _bad_weight(r: Reading) -> float:
    return 0.1 if r.says(*_DEALS) else _BAD_WEIGHTS.get(r.phase or "", 0.3)


def _counts_steps(event: Event) -> bool:
    return any(_is_step(p.name, p.alias) for p in event.properties if p.type is PropertyType.NUMBER)


def _is_step(name: str, alias: str) -> bool:
    return "step" in name.lower() or "단계" in alias or "ステップ" in alias


_TOLD_TIMES = re.compile(
    r"(?:there are|최대|총|total of|up to|of)\s?(\d{1,2})\b"
    r"|\b(\d{1,2}) (?:rounds|steps|screens|waves|times)|(\d{1,2})(?:단계|웨이브|ステップ|回)"
)


def _repeats(event: Event) -> int:
    """How often an event happens in a row, as its count or its text tells."""
    for prop in event.properties:
        if isinstance(prop.rule, Counter) and prop.rule.max is not None:
            return int(min(max((prop.rule.max - prop.rule.start) / (prop.rule.step or 1), 1), 100))
        if _is_step(prop.name, prop.alias) and isinstance(prop.rule, Between):
            return int(min(max(prop.rule.max - prop.rule.min + 1, 1), 100))
    told = _TOLD_TIMES.search(event.description.lower())
    times = int(next(filter(None, told.groups()))) if told else 5
    return min(max(times, 2), 100)
