"""The damage of each strike: hits, shots and throws, and the healing between them, as tables.

One pass in order of time tracks everyone's health, so that felled people have lost exactly what they had.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.simulators.pubg.paths import Latest, Paths
from gamestats_assets.simulators.pubg.story import ZONE, Story, Strike
from gamestats_assets.simulators.pubg.world import items

TICK_S = 1.03
"""Seconds between two ticks of the blue zone."""
_LEFT_BY_ZONE, _LEFT_BY_SHOTS = 5.0, 4.0
"""Hit points that ticks and shots leave to people whom they do not fell."""
_REVIVED_WITH = 10.0
_FIRST_AID_TO = 75.0
_ARMOUR = (1.0, 0.7, 0.6, 0.45)
_STRENGTH = {"HeadShot": 2.35, "ArmShot": 0.6, "LegShot": 0.55}
_BLEEDS_OLD = (0.8, 1.9)
"""Damage per second of bleeding in old files; new ones have none."""
_THROWN_BEFORE_S = 2.6

_SHOT = {"t": pl.Float64, "who": pl.Int64, "attack_id": pl.Int64, "item": pl.String}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "hits": {"t": pl.Float64, "attacker": pl.Int64, "victim": pl.Int64, "attack_id": pl.Int64, "damage": pl.Float64,
             "category": pl.String, "reason": pl.String, "causer": pl.String, "health": pl.Float64},
    "shots": _SHOT,
    "throws": _SHOT,
    "uses": {"t": pl.Float64, "who": pl.Int64, "item": pl.String, "healed": pl.Float64},
}  # fmt: skip


class Damage:
    """Tables of a match's damage.

    Attributes:
        hits: each damage event; `health` is the victim's before it.
        shots: each shot and blow that hit.
        throws: each throw.
        uses: each use of a healing item, and how much it healed at once.
        health: everyone's health, by time.
    """

    def __init__(self, story: Story, paths: Paths, old: bool) -> None:
        self._story, self._paths, self._rng, self._old = story, paths, story.rng, old
        count = len(story.people)
        self._health, self._touched, self._fired = [100.0] * count, story.landing.tolist(), [0] * count
        self._changes: list[tuple[int, float, float]] = [(i, -1000.0, 100.0) for i in range(count)]
        self._rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _SCHEMAS}
        self._heals, self._boosts = items("heal"), items("boost")
        for t, what, about in sorted(self._touches(), key=lambda touch: touch[:2]):
            if isinstance(about, Strike):
                self._strike(about)
            elif what == "revive":
                self._set(about, t, _REVIVED_WITH)
            else:
                self._suffer(t, about, what)
        for i in range(count):
            self._recover(i, float(paths.stop[i]))
        self.hits, self.shots, self.throws, self.uses = (
            pl.DataFrame(self._rows[name], schema=schema, orient="row") for name, schema in _SCHEMAS.items()
        )
        self.health = Latest(*map(np.array, zip(*self._changes, strict=True)))

    def _touches(self) -> list[tuple[float, str, Any]]:
        """Returns everything that affects health: strikes, revives, ticks of the zone, bleeding and falls."""
        story, paths, rng = self._story, self._paths, self._rng
        everybody = np.arange(len(story.people))
        touches: list[tuple[float, str, Any]] = [(t, "revive", knock.strike.victim) for t, _, knock in story.revives]
        for strike in story.strikes:
            who, t = np.array([strike.attacker, strike.victim]), np.full(2, strike.t)
            able = (t > paths.landing[who] + 4) & (t < paths.stop[who]) & paths.stands(who, t)
            if strike.takes in ("all", "none") or (strike.takes == "some" and able.all()):
                touches.append((strike.t, "strike", strike))
        first = max(story.circles.spans[0][1], float(paths.landing.min()))
        ticks = first + np.arange(0, max(story.end - first, 0), TICK_S)
        t, who = (ticks + rng.random((everybody.size, 1))).ravel(), np.repeat(everybody, ticks.size)
        hurts = paths.is_outside(who, t) & (t < paths.stop[who] - 0.05) & (t > paths.landing[who] + 1)
        touches += [(at, "tick", i) for at, i in zip(t[hurts].tolist(), who[hurts].tolist(), strict=True)]
        for i, begin, end in story.downs:
            touches += [(at, "bleed", i) for at in np.arange(begin + 2, min(end, paths.stop[i]) - 0.1).tolist()]
        falls = rng.uniform(paths.landing + 15, np.maximum(paths.stop - 5, paths.landing + 16))
        fell = (rng.random(everybody.size) < 0.06) & paths.stands(everybody, falls) & (falls < paths.stop)
        return touches + [(float(falls[i]), "fall", i) for i in np.flatnonzero(fell).tolist()]

    def _set(self, i: int, t: float, health: float) -> None:
        self._health[i] = health
        self._touched[i] = t
        self._changes.append((i, t, health))

    def _take(self, t: float, victim: int, damage: float, *facts: Any, attacker: int = -1, attack_id: int = -1) -> None:
        """Notes a damage event, and takes its damage; bleeding takes none without health left."""
        health = self._health[victim]
        self._rows["hits"].append((t, attacker, victim, attack_id, damage, *facts, health))
        if damage > 0 and health > 0:
            left = health - damage
            self._set(victim, t, left if left > 1e-6 else 0.0)

    def _suffer(self, t: float, i: int, what: str) -> None:
        """Applies a tick of the zone, a second of bleeding, or a fall."""
        health, body = self._health[i], self._story.people[i].body
        if what == "tick":
            damage = float(self._story.circles.damage(np.array([t]))[0]) * TICK_S
            damage = min(damage, max(health - _LEFT_BY_ZONE, 0.0))
            self._take(t, i, round(damage, 4), "Damage_BlueZone", "NonSpecific", ZONE)
        elif what == "bleed":
            damage = round(self._rng.uniform(*_BLEEDS_OLD), 4) if self._old else 0.0
            self._take(t, i, damage, "Damage_Groggy", "None", body, attacker=i)
        elif health > 40:
            damage = round(self._rng.uniform(2, 22), 4)
            self._take(t, i, damage, "Damage_Instant_Fall", "NonSpecific", body, attacker=i)

    def _next_id(self, i: int) -> int:
        self._fired[i] += 1
        return (i << 24) + self._fired[i]

    def _strike(self, strike: Strike) -> None:
        """Notes all hits of a strike, which share its damage."""
        victim, attacker, weapon = strike.victim, strike.attacker, strike.weapon
        if strike.takes != "none":
            self._recover(victim, strike.t - 2)
        if weapon is None:
            self._take(strike.t, victim, self._health[victim], strike.category, strike.reason, strike.causer)
            return
        blows = self._blows(strike)
        since = max(strike.since, self._touched[victim] if strike.takes != "none" else strike.since) + 0.01
        apart = min(weapon.interval_s * 1.5, max(strike.t - since, 0.0) / len(blows)) if blows else 0.0
        pellets = min(weapon.pellets, 5)
        shots = math.ceil(len(blows) / pellets)
        if not weapon.is_shot and blows:
            strike.attack_id = self._next_id(attacker)
            if weapon.is_thrown:
                at = max(strike.t - apart * shots - _THROWN_BEFORE_S, strike.since + 0.005)
                row = (min(at, strike.t - apart * shots), attacker, strike.attack_id, weapon.item["itemId"])
                self._rows["throws"].append(row)
        for number, (damage, reason) in enumerate(blows):
            t = strike.t - apart * (shots - 1 - number // pellets)
            if weapon.is_shot and number % pellets == 0:
                strike.attack_id = self._next_id(attacker)
                self._rows["shots"].append((t - 0.004, attacker, strike.attack_id, weapon.item["itemId"]))
            facts = (strike.category, reason, strike.causer)
            self._take(t, victim, damage, *facts, attacker=attacker, attack_id=strike.attack_id)

    def _blows(self, strike: Strike) -> list[tuple[float, str]]:
        """Returns damage and part of the body of each hit; the last one has the strike's."""
        weapon, rng, left = strike.weapon, self._rng, self._health[strike.victim]
        assert weapon is not None
        if strike.takes == "none":
            return [(0.0, strike.reason)] * int(rng.integers(1, 5))
        if strike.takes == "some":
            left = min(left - _LEFT_BY_SHOTS, float(rng.lognormal(math.log(42), 0.65)), 95.0)
        blows: list[tuple[float, str]] = []
        for _ in range(40):
            reason = self._story.pick(("TorsoShot", "ArmShot", "LegShot")) if weapon.is_shot else strike.reason
            damage = weapon.damage * _STRENGTH.get(reason, 1.0) * float(rng.uniform(0.9, 1.05))
            damage = round(damage * self._story.pick(_ARMOUR) if weapon.is_shot else damage, 4)
            if damage >= left or (not weapon.is_shot and weapon.damage > 20):
                break
            blows.append((damage, reason))
            left -= damage
        if strike.takes == "all":
            blows.append((left, strike.reason))
        return blows

    def _recover(self, i: int, until: float) -> None:
        """Lets a hurt person heal since the last harm, if there was time."""
        t, health = self._touched[i] + float(self._rng.uniform(9, 20)), self._health[i]
        if self._story.is_bot[i] or not 0 < health < 95:
            return
        if health < _FIRST_AID_TO and t < until:
            health = self._use(i, t, self._heals, _FIRST_AID_TO)
        t += 8
        if t < until and self._rng.random() < 0.6:
            self._use(i, t, self._boosts, min(health + 15, 100.0))

    def _use(self, i: int, t: float, of: tuple[list[Any], list[float]], health: float) -> float:
        item = self._story.pick(*of)
        self._rows["uses"].append((t, i, item["itemId"], health - self._health[i]))
        self._set(i, t, health)
        return health
