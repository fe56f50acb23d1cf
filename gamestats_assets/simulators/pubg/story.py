"""The decisions of a match: players, the ways of teams, and who fells, finishes, revives or robs whom, and when.

Units are metres, and seconds since LogMatchStart. People and teams are numbered from 0; -1 is no one, or the zone.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gamestats_assets.simulators.pubg.circles import Circles, Floats
from gamestats_assets.simulators.pubg.world import (
    BOT_BODY,
    FISTS,
    FRAG,
    GUNS,
    MAPS,
    MARKSMAN,
    MOLOTOV,
    RAMMING,
    SURVIVAL,
    THROWN,
    Person,
    Weapon,
    make_person,
)

PLANE_S, PLANE_S_OF_8KM = 34.0, 36.0
"""Seconds of the plane's flight over any map, and extra seconds over one of 8 km."""
ZONE = "BattleRoyaleModeController_Def_C"
"""Causer of the blue zone's damage."""
PARTS = {"TorsoShot": 0.42, "ArmShot": 0.18, "LegShot": 0.11, "PelvisShot": 0.12, "HeadShot": 0.17}
"""Parts of the body, and their shares of hits."""
_CAUSES = {"fight": 0.86, "zone": 0.105, "own grenade": 0.021, "friend": 0.014}
_FATES = {"revive": 0.43, "finish": 0.31, "bleed": 0.26}
_FATES_AFTER_S = {"revive": (10, 26), "finish": (2, 20), "bleed": (40, 95)}
_FIGHT_GOES_ON_S, _SAME_FIGHT = 55, 0.8
_NEAR_M, _THIEF_WITHIN_M = 130.0, 420.0
_STOLEN, _FINISHED_BY_MATE = 0.3, 0.2
_DBNO_IDS = 126
"""Knocks are numbered in the highest byte of 31 bits, as in files."""


@dataclass(eq=False, slots=True)
class Strike:
    """Hits of one person on another, or of the zone, the last of them at `t`.

    Attributes:
        number: place among all strikes.
        weapon: None for the zone and for bleeding.
        takes: all remaining health, some of it, none from a knocked person, or nothing by any hit.
        since: earliest time of the first hit.
        attack_id: id of the last hit, once it is known.
    """

    number: int
    t: float
    attacker: int
    victim: int
    weapon: Weapon | None
    category: str
    causer: str
    reason: str
    takes: Literal["all", "some", "none", "nothing"]
    since: float
    attack_id: int = -1


@dataclass(eq=False, slots=True)
class Knock:
    """A knock by a strike; its attacker is the victim after their own grenade."""

    number: int
    strike: Strike
    dbno_id: int
    helpers: list[int]
    over: bool = False


class Story:
    """A match as decisions, played to its end.

    Attributes:
        team_ids: number of each team in the game.
        x, y: position of each team in each second, one row per team.
        flight: begin and end of the plane's way.
        landing, death: second of each person's landing and elimination; infinite for survivors.
        downs: person, begin and end of each time spent knocked.
        out: second in which each team is out.
        kills: rows of eliminations: t, victim, killer, finisher, knocker, helpers, and numbers of strikes: `credited`
            counts (that of the knock, unless there was none or the kill was stolen), `finish` ended it, `knock` felled;
            -1 for none.
        revives: time, reviver and knock.
        end: second of the last elimination.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        map_name: str,
        *,
        competitive: bool,
        players: int,
        bots: int,
        team_size: int,
        population: int,
        squads: Sequence[int] | None,
    ) -> None:
        """Seats everyone, lets each team find its way through the circles, and plays.

        Args:
            squads: the numbers of the squads of the population that play; None draws them.
        """
        self.rng, self.map = rng, MAPS[map_name]
        rules = self.map.competitive if competitive else self.map.public
        self.flight_s = PLANE_S + PLANE_S_OF_8KM * self.map.side / 8160
        self.circles = Circles(rules, self.map.side, self.flight_s, rng)
        self.strikes, self.knocks, self.kills = list[Strike](), list[Knock](), list[dict[str, Any]]()
        self.revives: list[tuple[float, int, Knock]] = []
        self._pending: list[tuple[float, int, Knock, str]] = []
        self._fights: list[tuple[int, int, float]] = []
        self._dbno = rng.permutation(_DBNO_IDS) + 1
        self._board(players - bots, bots, team_size, population, squads)
        count = len(self.people)
        self.death, self.out = np.full(count, math.inf), np.full(len(self.team_ids), math.inf)
        self._lies = np.full(count, -1)
        self._up_since = self.landing.copy()
        self.downs: list[list[Any]] = []
        self._travel()
        length = rng.normal(rules.duration_s["mean"], rules.duration_s["spread"])
        length = min(max(length, rules.duration_s["least"]), rules.duration_s["greatest"])
        ranks = ((np.arange(count) + 0.5) / count) ** rng.uniform(0.97, 1.25)
        self._play(np.interp(100 * ranks, *SURVIVAL) * length)

    def pick(self, among: Sequence[Any], shares: Sequence[float] | None = None) -> Any:
        """Draws one of these."""
        if shares is None:
            return among[int(self.rng.integers(len(among)))]
        ends = np.cumsum(shares)
        return among[int(np.searchsorted(ends, self.rng.random() * ends[-1], side="right"))]

    # ----------------------------------------------------------------- before the first shot

    def _board(self, humans: int, bots: int, team_size: int, population: int, squads: Sequence[int] | None) -> None:
        """Seats the people in teams, and drops every team near the plane's way."""
        rng, side = self.rng, self.map.side
        needed = math.ceil(humans / team_size)
        drawn = rng.choice(max(population // 4, needed), needed, replace=False) if squads is None else squads
        seats: list[tuple[int, int | None]] = [
            (place, int(squad) * 4 + i) for place, squad in enumerate(drawn) for i in range(team_size)
        ]
        seats = [*seats[:humans], *((needed + i // team_size, None) for i in range(bots))]
        count = seats[-1][0] + 1
        angle = rng.uniform(0, 2 * math.pi)
        ahead, aside = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
        middle, reach = side / 2 + rng.uniform(-0.25, 0.25) * side * aside, side * 0.62
        self.flight = (middle - ahead * reach, middle + ahead * reach)
        # Most squads jump into a few hot places, the others anywhere along the line.
        along, off = rng.uniform(-0.76, 0.76, count + 6) * reach, rng.uniform(-0.2, 0.2, count + 6) * side
        near = middle + along[:, None] * ahead + off[:, None] * aside
        hot = near[count:][rng.integers(6, size=count)] + rng.normal(0, 90, (count, 2))
        places = np.where(rng.random((count, 1)) < 0.62, hot, near[:count])
        self._places = np.clip(places, 0.05 * side, 0.95 * side)
        jumps = np.clip(((self._places - self.flight[0]) @ ahead) / (2 * reach), 0, 1) * self.flight_s
        away = np.abs((self._places - middle) @ aside)
        self._landings = np.clip(jumps, 8, self.flight_s - 2) + 26 + np.minimum(away / 25, 32)
        self.team_ids = (rng.permutation(needed + 5) + 1)[:needed].tolist() + [200 + i for i in range(count - needed)]
        shares = [np.array([getattr(gun, name) for gun in GUNS]) for name in ("share", "share", "early_share")]
        guns = np.stack([rng.choice(len(GUNS), len(seats), p=share / share.sum()) for share in shares], axis=1)
        self.people: list[Person] = []
        for index, (seat, number) in enumerate(seats):
            bot = (f"ai.{332 + index}", f"Bot_{int(rng.integers(1000)):03d}", 0.12, BOT_BODY)
            account_id, name, skill, body = bot if number is None else make_person(number)
            main, second, early = (GUNS[gun] for gun in guns[index].tolist())
            self.people.append(Person(account_id, name, seat, number is None, skill, body, (main, second, early)))
        self.team = np.array([seat for seat, _ in seats])
        self.is_bot = np.array([person.is_bot for person in self.people])
        self.landing = self._landings[self.team] + rng.uniform(0, 6, len(seats))

    def _travel(self) -> None:
        """Draws every team's way: in each phase to a place in the white circle, early or late."""
        rng, side, count = self.rng, self.map.side, len(self.team_ids)
        seconds = np.arange(int(self.circles.spans[-1][2]) + 600.0)
        at = self._places
        moments, points = [self._landings], [at]
        for phase, (shown, moves, closed) in enumerate(self.circles.spans):
            x, y, r = self.circles.whites[phase + 1]
            angle = np.arctan2(at[:, 1] - y, at[:, 0] - x) + rng.normal(0, 1.2, count)
            far = 0.85 * r * np.sqrt(rng.random(count))
            to = np.stack([x + far * np.cos(angle), y + far * np.sin(angle)], axis=1)
            inside = np.hypot(at[:, 0] - x, at[:, 1] - y) < 0.85 * r
            stays = (inside & (rng.random(count) < 0.7))[:, None]
            to = np.where(stays, at + rng.normal(0, min(60.0, 0.1 * r), (count, 2)), to)
            to = np.clip(to, 0.02 * side, 0.98 * side)
            way = np.hypot(*(to - at).T)
            # Many are late while the zone hurts little, and pay for it.
            late = rng.random(count) < (0.75 if phase < 3 else 0.4)
            early = rng.uniform(shown + 0.4 * (moves - shown), closed - 4, count)
            due = np.where(late, closed + rng.uniform(-10, 90 if phase < 3 else 20, count), early)
            arrive = np.maximum(due, moments[-1] + 1 + way / 26)
            leave = np.maximum(moments[-1] + 0.5, arrive - way / np.where(way > 500, 15.0, 4.5))
            moments += [leave, arrive]
            points += [at, to]
            at = to
        times, ways = np.array(moments), np.array(points)
        self.x, self.y = (
            np.stack([np.interp(seconds, times[:, i], ways[:, i, axis]) for i in range(count)]) for axis in (0, 1)
        )

    def _places_at(self, t: float) -> Floats:
        """Returns the places of the teams: one row per team."""
        return np.stack([self.x[:, int(t)], self.y[:, int(t)]], axis=1)

    def _gap(self, a: int, b: int, t: float) -> float:
        return math.dist(*self._places_at(t)[[a, b]])

    def _meet(self, a: int, b: int, t: float) -> None:
        """Bends the ways of two teams so that they are within a fight's distance at `t`."""
        gap, wanted = self._gap(a, b, t), min(max(self.rng.lognormal(math.log(24), 1.0), 4.0), 380.0)
        if gap > 1.3 * wanted:
            spots = self._places_at(t)
            toward = (1 - wanted / gap) / 2 * (spots[b] - spots[a])
            self._bend(a, t, toward)
            self._bend(b, t, -toward)

    def _bend(self, team: int, t: float, way: Floats) -> None:
        """Moves a team's place at `t`, and its places before and after less and less."""
        seconds = np.arange(self.x.shape[1])
        share = np.clip(1 - np.abs(seconds - int(t)) / max(8.0, math.hypot(*way) / 8), 0, 1)
        share[: int(self._landings[team]) + 1] = 0
        self.x[team] += share * way[0]
        self.y[team] += share * way[1]

    # ----------------------------------------------------------------- fighting

    @property
    def _alive(self) -> npt.NDArray[np.bool_]:
        return self.death == math.inf

    @property
    def _stand(self) -> npt.NDArray[np.bool_]:
        return self._alive & (self._lies < 0)

    def _standing(self, team: int) -> list[int]:
        return np.flatnonzero(self._stand & (self.team == team)).tolist()

    def _play(self, due: Floats) -> None:
        """Plays until one team is left; `due` are the seconds in which people are felled."""
        now = 0.0
        while (self.out == math.inf).sum() > 1:
            felled = min(int((~self._stand).sum()), due.size - 1)
            now = max(due[felled] * self.rng.uniform(0.985, 1.01), now + self.rng.uniform(0.6, 4.0))
            if self._pending and self._pending[0][0] <= now:
                now, _, knock, fate = heapq.heappop(self._pending)
                self._resolve(knock, fate, now)
            else:
                self._strike(now)
        self.end = float(self.death[~self._alive].max()) + 0.1
        for down in self.downs:
            down[2] = min(down[2], self.death[down[0]], self.end + 300)

    def _strike(self, t: float) -> None:
        """Fells a person: by an enemy, the zone, a friend, or their own grenade."""
        cause = self.pick(list(_CAUSES), list(_CAUSES.values()))
        ready = np.flatnonzero(self._stand & (t > self._landings[self.team] + 25)).tolist()
        if cause == "zone":
            ready = [i for i in ready if self._is_hurt_by_zone(int(self.team[i]), t)]
        victim = self.pick(ready) if ready else -1
        friends = [mate for mate in self._standing(int(self.team[victim])) if mate != victim]
        if victim >= 0 and cause == "own grenade":
            self._fell(t, victim, victim, FRAG, [])
        elif victim >= 0 and cause == "zone":
            self._fell(t, -1, victim, None, [])
        elif victim >= 0 and cause == "friend" and len(friends) > 1:
            friend = self.pick(friends)
            self._fell(t, friend, victim, self.people[friend].guns[0], [])
        else:
            self._fight(t)

    def _is_hurt_by_zone(self, team: int, t: float) -> bool:
        at = np.array([t])
        x, y, radius = self.circles.blue(at)
        return bool(self.circles.damage(at)[0] > 0 and math.dist(self._places_at(t)[team], (x[0], y[0])) > radius[0])

    def _fight(self, t: float) -> None:
        """Lets one of two nearby teams fell a member of the other; both shoot."""
        teams = self._opponents(t)
        if teams is None:
            return
        a, b = teams
        skill = [person.skill for person in self.people]
        strength = [sum(skill[i] for i in self._standing(team)) ** 1.5 for team in (a, b)]
        if self.rng.random() > strength[0] / sum(strength):
            a, b = b, a
        shooters, targets = self._standing(a), self._standing(b)
        shooter = self.pick(shooters, [skill[i] ** 1.15 for i in shooters])
        victim = self.pick(targets)
        helpers = [i for i in shooters if i != shooter and not self.is_bot[i] and self.rng.random() < 0.17]
        for helper in helpers:
            self._hit(t - self.rng.uniform(2.2, 5), helper, victim, self.people[helper].guns[0], "some")
        for attackers, others in ((shooters, targets), (targets, shooters)):  # shots that fell no one
            for _ in range(self.pick((0, 1, 2, 3), (26, 33, 25, 16))):
                attacker = self.pick(attackers)
                gun = MOLOTOV if self.rng.random() < 0.02 else self.people[attacker].guns[0 if t > 230 else 2]
                self._hit(t + self.rng.uniform(-9, 9), attacker, self.pick(others), gun, "some")
        self._fell(t, shooter, victim, self._gun(shooter, t, self._gap(a, b, t)), helpers)

    def _opponents(self, t: float) -> tuple[int, int] | None:
        """Returns two teams that go on fighting, or start because they are near each other."""
        able = np.unique(self.team[self._stand])
        able = able[t > self._landings[able] + 14]
        self._fights = [
            (a, b, last) for a, b, last in self._fights if t - last < _FIGHT_GOES_ON_S and {a, b} <= {*able.tolist()}
        ]
        if self._fights and self.rng.random() < _SAME_FIGHT:
            a, b, last = self.pick(self._fights)
            self._fights.remove((a, b, last))
        elif able.size < 2:
            return None
        else:
            places = self._places_at(t)[able]
            gap = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
            bots = np.isin(able, self.team[self.is_bot])
            fewer = np.where(bots[:, None] & bots, 1e-6, np.where(bots[:, None] | bots, 0.35, 1.0))
            likely = np.triu(np.exp(-gap / _NEAR_M) * fewer + 1e-9 / (1 + gap), 1).ravel()
            i, j = divmod(self.pick(range(likely.size), likely.tolist()), able.size)
            a, b = int(able[i]), int(able[j])
        self._fights.append((a, b, t))
        self._meet(a, b, t)
        return a, b

    def _gun(self, shooter: int, t: float, distance: float) -> Weapon:
        """Returns what a person shoots, throws or drives with at this distance and time."""
        u = self.rng.random()
        if distance < 45 and u < 0.05:
            return self.pick(THROWN, [weapon.share for weapon in THROWN])
        if distance < 60 and u < 0.058 and t > 150:
            return RAMMING
        if distance < 40 and u > 0.97 and t < 230:
            return FISTS
        main, second, early = self.people[shooter].guns
        at_hand = (early, early, main) if t < 230 else (main, main, second)
        return self.pick([gun for gun in at_hand if gun.reach_m >= distance] or [MARKSMAN])

    def _hit(self, t: float, attacker: int, victim: int, weapon: Weapon | None, takes: Any) -> Strike:
        """Notes a strike; it may be dropped later if it takes only some health."""
        category, causer, reason, since = "Damage_BlueZone", ZONE, "NonSpecific", self._up_since[victim]
        if weapon is not None:
            category, causer, since = weapon.category, weapon.causer, max(since, self._up_since[attacker])
            reason = self.pick(list(PARTS), list(PARTS.values())) if weapon.is_shot else reason
            causer = self.people[attacker].body if weapon is FISTS and not self.is_bot[attacker] else causer
            causer = self.pick(self.map.vehicles) if weapon is RAMMING else causer
        facts = (weapon, category, causer, reason, takes, float(since))
        self.strikes.append(Strike(len(self.strikes), t, attacker, victim, *facts))
        return self.strikes[-1]

    def _fell(self, t: float, maker: int, victim: int, weapon: Weapon | None, helpers: list[int]) -> None:
        """Takes the victim's last health: knocked while a team mate stands, otherwise out with the team."""
        strike, team = self._hit(t, maker, victim, weapon, "all"), self.team[victim]
        if self._standing(team) == [victim]:
            self._eliminate(t, victim, maker, maker, None, strike, strike, helpers)
            for number, mate in enumerate(np.flatnonzero(self._alive & (self.team == team)).tolist()):
                self._bleed_out(self.knocks[self._lies[mate]], t + 0.004 * (number + 1))
            return
        turn, slot = divmod(len(self.knocks), _DBNO_IDS)
        knock = Knock(len(self.knocks), strike, -1 if maker < 0 else (int(self._dbno[slot]) << 24) + turn, helpers)
        self.knocks.append(knock)
        self._lies[victim] = knock.number
        self.downs.append([victim, t, math.inf])
        fate = self.pick(list(_FATES), list(_FATES.values())) if maker >= 0 else "bleed"
        after = _FATES_AFTER_S[fate] if maker >= 0 else (4, 12)
        heapq.heappush(self._pending, (t + self.rng.uniform(*after), knock.number, knock, fate))

    def _end_knock(self, knock: Knock, t: float) -> None:
        victim = knock.strike.victim
        knock.over, self._lies[victim], self._up_since[victim] = True, -1, t
        next(down for down in reversed(self.downs) if down[0] == victim)[2] = t

    def _resolve(self, knock: Knock, fate: str, t: float) -> None:
        """Decides the fate of a knocked person, unless the team was wiped before."""
        if knock.over:
            return
        victim, maker = knock.strike.victim, knock.strike.attacker
        if fate == "revive":
            self.revives.append((t, self.pick(self._standing(int(self.team[victim]))), knock))
            self._end_knock(knock, t)
            return
        if fate == "bleed" or maker in (-1, victim):
            self._bleed_out(knock, t)
            return
        mates = [mate for mate in self._standing(int(self.team[maker])) if mate not in (maker, victim)]
        is_enemy, maker_stands = self.team[maker] != self.team[victim], bool(self._stand[maker])
        thieves = self._third_party(knock, t) if is_enemy else []
        if thieves and self.rng.random() < _STOLEN:
            # An outsider takes the kill, and the knocker is left with an assist.
            thief = self.pick(thieves)
            finish = self._hit(t, thief, victim, self.people[thief].guns[0], "none")
            self._eliminate(t, victim, thief, thief, knock, finish, finish, [maker])
            return
        by_mate = bool(mates) and is_enemy and (not maker_stands or self.rng.random() < _FINISHED_BY_MATE)
        if not by_mate and not maker_stands:
            self._bleed_out(knock, t)
            return
        finisher = self.pick(mates) if by_mate else maker
        finish = self._hit(t, finisher, victim, self.people[finisher].guns[0], "none")
        self._eliminate(t, victim, maker, finisher, knock, knock.strike, finish, knock.helpers)

    def _third_party(self, knock: Knock, t: float) -> list[int]:
        """Returns humans of the nearest team within reach that is neither the victim's nor the knocker's."""
        teams = self.team[[knock.strike.victim, knock.strike.attacker]]
        gaps = np.hypot(*(self._places_at(t) - self._places_at(t)[teams[0]]).T)
        near = (gaps < _THIEF_WITHIN_M) & (t > self._landings + 20) & ~np.isin(np.arange(gaps.size), teams)
        able = self._stand & ~self.is_bot & near[self.team]
        nearest = np.where(able, gaps[self.team], math.inf)
        return np.flatnonzero(able & (nearest == nearest.min())).tolist()

    def _bleed_out(self, knock: Knock, t: float) -> None:
        """Lets a knocked person die without a shot; the kill is the knocker's if there is one."""
        victim, maker = knock.strike.victim, knock.strike.attacker
        by_zone = ("Damage_BlueZone", ZONE, "NonSpecific")
        facts = by_zone if maker < 0 else ("Damage_Groggy", self.people[victim].body, "None")
        self.strikes.append(Strike(len(self.strikes), t, maker, victim, None, *facts, "nothing", t))
        self._eliminate(t, victim, maker, maker, knock, knock.strike, self.strikes[-1], knock.helpers)

    def _eliminate(
        self,
        t: float,
        victim: int,
        killer: int,
        finisher: int,
        knock: Knock | None,
        credited: Strike,
        finish: Strike,
        helpers: list[int],
    ) -> None:
        self.death[victim] = t
        if knock is not None:
            self._end_knock(knock, t)
        strikes = {"credited": credited.number, "finish": finish.number, "knock": knock.strike.number if knock else -1}
        knocked = {"knocker": knock.strike.attacker if knock else -1, "dbno_id": knock.dbno_id if knock else -1}
        own = [i for i in dict.fromkeys(helpers) if i not in (killer, victim) and not self.is_bot[i]]
        people = {"victim": victim, "killer": killer, "finisher": finisher, "helpers": own}
        self.kills.append({"t": t, **people, **knocked, **strikes})
        team = self.team[victim]
        if not (self._alive & (self.team == team)).any():
            self.out[team] = t
