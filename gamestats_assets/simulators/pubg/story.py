"""Who plays a match, which way each team takes, and who fells, finishes, revives or robs whom, and when.

Units are metres, and seconds since LogMatchStart.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

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
"""Seconds that the plane flies over any map, and besides over one of 8 km."""
ZONE = "BattleRoyaleModeController_Def_C"
"""Causer of the blue zone's damage."""
PARTS = {"TorsoShot": 0.42, "ArmShot": 0.18, "LegShot": 0.11, "PelvisShot": 0.12, "HeadShot": 0.17}
"""Parts of the body, and the shares of hits on them."""
_CAUSES = {"fight": 0.92, "zone": 0.045, "own grenade": 0.021, "friend": 0.014}
_FATES = {"revive": 0.43, "finish": 0.31, "bleed": 0.26}
_FATES_AFTER_S = {"revive": (10, 26), "finish": (2, 20), "bleed": (40, 95)}
_FIGHT_GOES_ON_S, _SAME_FIGHT = 55, 0.8
_NEAR_M, _THIEF_WITHIN_M = 130.0, 420.0
_STOLEN, _FINISHED_BY_MATE = 0.3, 0.2
_DBNO_IDS = 126
"""Knocks are numbered in the highest byte of 31 bits, as in files."""


@dataclass(eq=False)
class Team:
    """A team: its number in the game, its people, and when it landed and was out."""

    index: int
    team_id: int
    members: list[Person]
    landing: float
    out: float = math.inf

    def standing(self) -> list[Person]:
        """Members who are alive and not knocked."""
        return [person for person in self.members if person.stands]

    def alive(self) -> list[Person]:
        """Members who are alive, knocked or not."""
        return [person for person in self.members if person.death == math.inf]


@dataclass(eq=False)
class Strike:
    """Hits of one person on another that end at `t`.

    Attributes:
        attacker: None where the zone strikes.
        weapon: None for the zone and for bleeding.
        category: `damageTypeCategory`.
        causer: `damageCauserName`.
        reason: `damageReason` of the last hit.
        takes: all health that is left, some of it, or none from somebody who lies.
        since: the first hit comes no earlier.
        attack_id: of the last hit, once that is known.
    """

    t: float
    attacker: Person | None
    victim: Person
    weapon: Weapon | None
    category: str
    causer: str
    reason: str
    takes: Literal["all", "some", "none"]
    since: float
    attack_id: int = -1


@dataclass(eq=False)
class Knock:
    """Somebody goes down by a strike; its attacker is the victim where it was their own grenade."""

    number: int
    strike: Strike
    dbno_id: int
    helpers: list[Person]
    over: bool = False


@dataclass(eq=False)
class Kill:
    """Somebody is out.

    Attributes:
        credited: the strike that counts: of the knock, or the last one where there was none or somebody stole the kill.
        finish: the strike that ended it.
    """

    t: float
    victim: Person
    killer: Person | None
    finisher: Person | None
    knock: Knock | None
    credited: Strike
    finish: Strike
    helpers: list[Person]


@dataclass(eq=False)
class Revive:
    """Somebody is helped up."""

    t: float
    reviver: Person
    knock: Knock


@dataclass
class Story:
    """A match as decisions: call `run` once, then read the lists.

    Attributes:
        squads: the numbers of the squads of the population that play; drawn where None.
        x, y: where each team is in each second, one row per team.
        flight: begin and end of the plane's way.
    """

    rng: np.random.Generator
    map_name: str
    competitive: bool
    players: int
    bots: int
    team_size: int
    population: int
    squads: Sequence[int] | None = None
    people: list[Person] = field(default_factory=list)
    teams: list[Team] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)
    knocks: list[Knock] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    revives: list[Revive] = field(default_factory=list)
    end: float = 0.0

    def __post_init__(self) -> None:
        """Seat everybody, and let each team find its way through the circles."""
        self.map = MAPS[self.map_name]
        rules = self.map.competitive if self.competitive else self.map.public
        self.flight_s = PLANE_S + PLANE_S_OF_8KM * self.map.side / 8160
        self.circles = Circles(rules, self.map.side, self.flight_s, self.rng)
        self._pending: list[tuple[float, int, Knock, str]] = []
        self._fights: list[tuple[Team, Team, float]] = []
        self._dbno = self.rng.permutation(_DBNO_IDS) + 1
        self._board()
        self._travel()
        length = self.rng.normal(rules.duration_s["mean"], rules.duration_s["spread"])
        length = min(max(length, rules.duration_s["least"]), rules.duration_s["greatest"])
        ranks = ((np.arange(len(self.people)) + 0.5) / len(self.people)) ** self.rng.uniform(0.97, 1.25)
        self._due = np.interp(100 * ranks, *SURVIVAL) * length

    def pick(self, among: Sequence[Any], shares: Sequence[float] | None = None) -> Any:
        """One of some things."""
        if shares is None:
            return among[int(self.rng.integers(len(among)))]
        ends = np.cumsum(shares)
        return among[int(np.searchsorted(ends, self.rng.random() * ends[-1], side="right"))]

    # ----------------------------------------------------------------- before the first shot

    def _board(self) -> None:
        """Seat the people in teams, and drop every team somewhere near the plane's way."""
        rng, side = self.rng, self.map.side
        humans = self.players - self.bots
        needed = math.ceil(humans / self.team_size)
        if self.squads is None:
            squads = rng.choice(max(self.population // 4, needed), needed, replace=False)
        else:
            squads = rng.permutation(list(self.squads))
        seats = [(place, int(squad) * 4 + i) for place, squad in enumerate(squads) for i in range(self.team_size)]
        seats = [*seats[:humans], *((needed + i // self.team_size, None) for i in range(self.bots))]
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
        landings = np.clip(jumps, 8, self.flight_s - 2) + 26 + np.minimum(away / 25, 32) + rng.uniform(0, 5, count)
        numbers = (rng.permutation(needed + 5) + 1)[:needed].tolist() + [200 + i for i in range(count - needed)]
        self.teams = [Team(i, numbers[i], [], float(landings[i])) for i in range(count)]
        shares = [np.array([getattr(gun, name) for gun in GUNS]) for name in ("share", "share", "early_share")]
        guns = [rng.choice(len(GUNS), len(seats), p=share / share.sum()) for share in shares]
        for index, (seat, number) in enumerate(seats):
            if number is None:
                who = (f"ai.{332 + index}", f"Bot_{int(rng.integers(1000)):03d}", 0.12, BOT_BODY)
            else:
                who = make_person(number)
            account_id, name, skill, body = who
            main, second, early = (GUNS[int(drawn[index])] for drawn in guns)
            landing = self.teams[seat].landing + rng.uniform(0, 6)
            person = Person(index, account_id, name, seat, number is None, skill, body, (main, second, early), landing)
            self.people.append(person)
            self.teams[seat].members.append(person)

    def _travel(self) -> None:
        """Every team's way: in each phase to a place in the white circle, early or late."""
        rng, side, count = self.rng, self.map.side, len(self.teams)
        seconds = np.arange(int(self.circles.spans[-1][2]) + 600.0)
        at = self._places
        moments = [np.array([team.landing for team in self.teams])]
        points = [at]
        for phase, (shown, moves, closed) in enumerate(self.circles.spans):
            x, y, r = self.circles.whites[phase + 1]
            to_team = np.arctan2(at[:, 1] - y, at[:, 0] - x)
            angle = to_team + rng.normal(0, 1.2, count)
            far = 0.85 * r * np.sqrt(rng.random(count))
            to = np.stack([x + far * np.cos(angle), y + far * np.sin(angle)], axis=1)
            inside = np.hypot(at[:, 0] - x, at[:, 1] - y) < 0.85 * r
            stays = (inside & (rng.random(count) < 0.7))[:, None]
            to = np.where(stays, at + rng.normal(0, min(60.0, 0.1 * r), (count, 2)), to)
            to = np.clip(to, 0.02 * side, 0.98 * side)
            way = np.hypot(*(to - at).T)
            # Many are late while the zone hurts little, and pay.
            late = rng.random(count) < (0.75 if phase < 3 else 0.4)
            due = np.where(
                late,
                closed + rng.uniform(-10, 90 if phase < 3 else 20, count),
                rng.uniform(shown + 0.4 * (moves - shown), closed - 4, count),
            )
            arrive = np.maximum(due, moments[-1] + 1 + way / 26)
            leave = np.maximum(moments[-1] + 0.5, arrive - way / np.where(way > 500, 15.0, 4.5))
            moments += [leave, arrive]
            points += [at, to]
            at = to
        times, ways = np.array(moments), np.array(points)
        self.x, self.y = (
            np.stack([np.interp(seconds, times[:, i], ways[:, i, axis]) for i in range(count)]) for axis in (0, 1)
        )

    def place(self, team: Team, t: float) -> tuple[float, float]:
        """Where a team is."""
        return float(self.x[team.index, int(t)]), float(self.y[team.index, int(t)])

    def _meet(self, a: Team, b: Team, t: float) -> None:
        """Bend the ways of two teams so that they are within a fight's distance at `t`."""
        spots = np.array([self.place(a, t), self.place(b, t)])
        gap = math.dist(*spots)
        wanted = min(max(self.rng.lognormal(math.log(24), 1.0), 4.0), 380.0)
        if gap <= 1.3 * wanted:
            return
        toward = (1 - wanted / gap) / 2 * (spots[::-1] - spots)
        for team, way in zip((a, b), toward, strict=True):
            self._bend(team, t, way)

    def _bend(self, team: Team, t: float, way: Floats) -> None:
        """Move a team's place at `t`, and less and less what lies before and after it."""
        seconds = np.arange(self.x.shape[1])
        share = np.clip(1 - np.abs(seconds - int(t)) / max(8.0, math.hypot(*way) / 8), 0, 1)
        share[: int(team.landing) + 1] = 0
        self.x[team.index] += share * way[0]
        self.y[team.index] += share * way[1]

    def _leave_circle(self, team: Team, t: float) -> bool:
        """Lead a team out of the blue circle where it already hurts; whether there is land outside."""
        if self.circles.damage(np.array([t]))[0] == 0:
            return False
        x, y, radius = (float(values[0]) for values in self.circles.blue(np.array([t])))
        at, center = np.array(self.place(team, t)), np.array([x, y])
        for toward in (at, np.full(2, self.map.side / 2)):
            out = (toward - center) / max(math.dist(toward, center), 1.0) * max(radius + 60, math.dist(at, center))
            if np.all((center + out > 0) & (center + out < self.map.side)):
                self._bend(team, t, center + out - at)
                return True
        return False

    # ----------------------------------------------------------------- fighting

    def run(self) -> None:
        """Play the match to its end."""
        now = 0.0
        while sum(team.out == math.inf for team in self.teams) > 1:
            felled = sum(not person.stands for person in self.people)
            due = self._due[min(felled, len(self._due) - 1)] * self.rng.uniform(0.985, 1.01)
            now = max(due, now + self.rng.uniform(0.6, 4.0))
            if self._pending and self._pending[0][0] <= now:
                now, _, knock, fate = heapq.heappop(self._pending)
                self._resolve(knock, fate, now)
            else:
                self._strike(now)
        self.end = max(kill.t for kill in self.kills) + 0.1
        for person in self.people:
            for span in person.downs:
                span[1] = min(span[1], person.death, self.end + 300)

    def _strike(self, t: float) -> None:
        """Somebody is felled: by an enemy, the zone, a friend, or their own grenade."""
        cause = self.pick(list(_CAUSES), list(_CAUSES.values()))
        ready = [person for person in self.people if person.stands and t > self.teams[person.team].landing + 25]
        victim = self.pick(ready) if ready else None
        if victim is not None and cause == "own grenade":
            self._fell(t, victim, victim, FRAG, [])
        elif victim is not None and cause == "zone" and self._leave_circle(self.teams[victim.team], t):
            self._fell(t, None, victim, None, [])
        elif victim is not None and cause == "friend" and len(self.teams[victim.team].standing()) > 2:
            friend = self.pick([one for one in self.teams[victim.team].standing() if one is not victim])
            self._fell(t, friend, victim, friend.guns[0], [])
        else:
            self._fight(t)

    def _fight(self, t: float) -> None:
        """One of two teams that are near each other fells somebody of the other; both shoot."""
        teams = self._opponents(t)
        if teams is None:
            return
        a, b = teams
        strength = [sum(person.skill for person in team.standing()) ** 1.5 for team in (a, b)]
        if self.rng.random() > strength[0] / sum(strength):
            a, b = b, a
        shooters = a.standing()
        shooter = self.pick(shooters, [person.skill**1.15 for person in shooters])
        victim = self.pick(b.standing())
        mates = [person for person in shooters if person is not shooter and not person.is_bot]
        helpers = [person for person in mates if self.rng.random() < 0.17]
        for helper in helpers:
            self._hit(t - self.rng.uniform(2.2, 5), helper, victim, helper.guns[0], "some")
        for attackers, targets in ((a, b), (b, a)):  # shots that fell nobody
            for _ in range(self.pick((0, 1, 2, 3), (26, 33, 25, 16))):
                attacker, target = self.pick(attackers.standing()), self.pick(targets.standing())
                gun = MOLOTOV if self.rng.random() < 0.02 else attacker.guns[0 if t > 230 else 2]
                self._hit(t + self.rng.uniform(-9, 9), attacker, target, gun, "some")
        distance = math.dist(self.place(a, t), self.place(b, t))
        self._fell(t, shooter, victim, self._gun(shooter, t, distance), helpers)

    def _opponents(self, t: float) -> tuple[Team, Team] | None:
        """Two teams that go on fighting, or begin because they are near each other."""
        self._fights = [
            (a, b, last) for a, b, last in self._fights
            if t - last < _FIGHT_GOES_ON_S and a.standing() and b.standing()
        ]  # fmt: skip
        if self._fights and self.rng.random() < _SAME_FIGHT:
            a, b, last = self.pick(self._fights)
            self._fights.remove((a, b, last))
        else:
            teams = [team for team in self.teams if team.standing() and t > team.landing + 14]
            if len(teams) < 2:
                return None
            index = [team.index for team in teams]
            x, y = self.x[index, int(t)], self.y[index, int(t)]
            gap = np.hypot(x[:, None] - x, y[:, None] - y)
            bots = np.array([team.members[0].is_bot for team in teams])
            fewer = np.where(bots[:, None] & bots, 1e-6, np.where(bots[:, None] | bots, 0.35, 1.0))
            likely = np.triu(np.exp(-gap / _NEAR_M) * fewer + 1e-9 / (1 + gap), 1).ravel()
            i, j = divmod(self.pick(range(likely.size), likely.tolist()), len(teams))
            a, b = teams[i], teams[j]
        self._fights.append((a, b, t))
        self._meet(a, b, t)
        return a, b

    def _gun(self, shooter: Person, t: float, distance: float) -> Weapon:
        """What somebody shoots, throws or drives with at this distance and time."""
        u = self.rng.random()
        if distance < 45 and u < 0.05:
            return self.pick(THROWN, [weapon.share for weapon in THROWN])
        if distance < 60 and u < 0.058 and t > 150:
            return RAMMING
        if distance < 40 and u > 0.97 and t < 230:
            return FISTS
        main, second, early = shooter.guns
        fitting = [
            gun for gun in ((early, early, main) if t < 230 else (main, main, second)) if gun.reach_m >= distance
        ]
        return self.pick(fitting) if fitting else MARKSMAN

    def _hit(self, t: float, attacker: Person | None, victim: Person, weapon: Weapon | None, takes: Any) -> Strike:
        """Note a strike; it may be dropped later where it takes only some health."""
        category, causer, reason = "Damage_BlueZone", ZONE, "NonSpecific"
        since = victim.up_since
        if weapon is not None and attacker is not None:
            category, causer, since = weapon.category, weapon.causer, max(since, attacker.up_since)
            reason = self.pick(list(PARTS), list(PARTS.values())) if weapon.is_shot else reason
            causer = attacker.body if weapon is FISTS and not attacker.is_bot else causer
            causer = self.pick(self.map.vehicles) if weapon is RAMMING else causer
        strike = Strike(t, attacker, victim, weapon, category, causer, reason, takes, since)
        self.strikes.append(strike)
        return strike

    def _fell(
        self, t: float, maker: Person | None, victim: Person, weapon: Weapon | None, helpers: list[Person]
    ) -> None:
        """The victim has no health left: down while somebody of the team stands, else out with the team."""
        strike = self._hit(t, maker, victim, weapon, "all")
        team = self.teams[victim.team]
        if len(team.standing()) == 1:
            self._out(Kill(t, victim, maker, maker, None, strike, strike, helpers))
            for number, person in enumerate(team.alive()):
                self._bleed_out(self.knocks[person.knock], t + 0.004 * (number + 1))
            return
        turn, slot = divmod(len(self.knocks), _DBNO_IDS)
        dbno_id = -1 if maker is None else (int(self._dbno[slot]) << 24) + turn
        knock = Knock(len(self.knocks), strike, dbno_id, helpers)
        self.knocks.append(knock)
        victim.knock = knock.number
        victim.downs.append([t, math.inf])
        fate = self.pick(list(_FATES), list(_FATES.values())) if maker is not None else "bleed"
        after = _FATES_AFTER_S[fate] if maker is not None else (4, 12)
        heapq.heappush(self._pending, (t + self.rng.uniform(*after), knock.number, knock, fate))

    def _resolve(self, knock: Knock, fate: str, t: float) -> None:
        """What becomes of somebody who lies, unless the team was wiped before."""
        if knock.over:
            return
        victim, maker = knock.strike.victim, knock.strike.attacker
        if fate == "revive":
            self.revives.append(Revive(t, self.pick(self.teams[victim.team].standing()), knock))
            knock.over, victim.knock = True, -1
            victim.downs[-1][1] = t
            return
        if fate == "bleed" or maker is None or maker is victim:
            self._bleed_out(knock, t)
            return
        mates = [person for person in self.teams[maker.team].standing() if person not in (maker, victim)]
        is_enemy = maker.team != victim.team
        thieves = self._third_party(knock, t) if is_enemy else []
        if thieves and self.rng.random() < _STOLEN:
            # An outsider takes the kill, and the knocker is left with an assist.
            thief = self.pick(thieves)
            finish = self._hit(t, thief, victim, thief.guns[0], "none")
            self._out(Kill(t, victim, thief, thief, knock, finish, finish, [] if maker.is_bot else [maker]))
        elif mates and is_enemy and (not maker.stands or self.rng.random() < _FINISHED_BY_MATE):
            mate = self.pick(mates)
            finish = self._hit(t, mate, victim, mate.guns[0], "none")
            self._out(Kill(t, victim, maker, mate, knock, knock.strike, finish, knock.helpers))
        elif maker.stands:
            finish = self._hit(t, maker, victim, maker.guns[0], "none")
            self._out(Kill(t, victim, maker, maker, knock, knock.strike, finish, knock.helpers))
        else:
            self._bleed_out(knock, t)

    def _third_party(self, knock: Knock, t: float) -> list[Person]:
        """Humans of the nearest team within reach that is neither the victim's nor the knocker's."""
        victim, maker = knock.strike.victim, knock.strike.attacker
        at = self.place(self.teams[victim.team], t)
        near = [
            (math.dist(at, self.place(team, t)), team.index)
            for team in self.teams
            if team.index not in (victim.team, maker.team if maker else -1) and t > team.landing + 20
        ]
        people = [
            [person for person in self.teams[index].standing() if not person.is_bot]
            for gap, index in sorted(near) if gap < _THIEF_WITHIN_M
        ]  # fmt: skip
        return next(filter(None, people), [])

    def _bleed_out(self, knock: Knock, t: float) -> None:
        """Somebody who lies dies without a shot; the kill is the knocker's where there is one."""
        victim, maker = knock.strike.victim, knock.strike.attacker
        category, causer = ("Damage_BlueZone", ZONE) if maker is None else ("Damage_Groggy", victim.body)
        reason = "NonSpecific" if maker is None else "None"
        finish = Strike(t, maker, victim, None, category, causer, reason, "none", t)
        self._out(Kill(t, victim, maker, maker, knock, knock.strike, finish, knock.helpers))

    def _out(self, kill: Kill) -> None:
        """Somebody is out."""
        victim = kill.victim
        victim.death = kill.t
        if kill.knock is not None:
            kill.knock.over, victim.knock = True, -1
            victim.downs[-1][1] = kill.t
        self.kills.append(kill)
        team = self.teams[victim.team]
        if not team.alive():
            team.out = kill.t
