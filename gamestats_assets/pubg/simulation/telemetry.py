"""Writes a simulated match down as telemetry, and counts the truth while writing.

Second pass of the simulator (see `matches`): a `Story` becomes events shaped like those of the real files
of 2025 (`LogPlayerKillV2`, wrapped characters) or of older tournament files (`LogPlayerKill`, plain
characters). Whatever the truth counts is counted at the moment its event is written, from the very numbers
written.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import numpy as np

from gamestats_assets.pubg.simulation.story import (
    BLUEZONE_GRENADE,
    FISTS,
    FRAG,
    MOLOTOV,
    RAMMING,
    Chip,
    Kill,
    Knock,
    Person,
    Revive,
    Story,
    Weapon,
)

Event = dict[str, Any]

TICK = 1.03
"""Seconds between two ticks of blue zone damage, as in the real file."""
LOBBY = 66.0
"""Seconds the lobby is open before LogMatchStart, as in the real file."""
AFTERLIFE = 60.0
"""Seconds a dead player's position goes on being logged, as in the real file."""

# Chance and strength of a hit by body part; a vest weakens torso and pelvis, a helmet the head.
_PARTS = ("TorsoShot", "ArmShot", "LegShot", "PelvisShot", "HeadShot")
_PART_SHARES = (44, 19, 12, 13, 12)
_PART_STRENGTH = {"TorsoShot": 1.0, "ArmShot": 0.6, "LegShot": 0.55, "PelvisShot": 1.0, "HeadShot": 2.35}

# Events that tell of no fight, per minute of a living player. The real custom match (an early brawl of 5.5
# minutes) has 2.5 pickups, 2.2 equips, 1.1 unequips, 0.6 object interactions, 0.23 vaults, 0.33 loot box
# pickups; long matches calm down, so the looting rates are lower here.
_ROUTINE_RATES = {
    "pickup": 1.5, "equip": 0.85, "unequip": 0.45, "ammo": 0.5, "door": 0.6, "vault": 0.24, "lootbox": 0.34,
    "attach": 0.28, "detach": 0.06, "drop": 0.22, "boost": 0.21, "throw": 0.09, "burst": 0.3, "window": 0.1,
    "swim": 0.012, "carepackage": 0.012,
}  # fmt: skip

_AMMO = ("556mm", "762mm", "9mm", "45ACP", "12Guage")
_ATTACHMENTS = (
    "Item_Attach_Weapon_Upper_ACOG_01_C",
    "Item_Attach_Weapon_Upper_Aimpoint_C",
    "Item_Attach_Weapon_Upper_Holosight_C",
    "Item_Attach_Weapon_Upper_Scope3x_C",
    "Item_Attach_Weapon_Upper_Scope6x_C",
    "Item_Attach_Weapon_Lower_Foregrip_C",
    "Item_Attach_Weapon_Lower_HalfGrip_C",
    "Item_Attach_Weapon_Muzzle_Compensator_Large_C",
    "Item_Attach_Weapon_Muzzle_FlashHider_Large_C",
    "Item_Attach_Weapon_Magazine_Extended_Large_C",
    "Item_Attach_Weapon_Magazine_ExtendedQuickDraw_Large_C",
    "Item_Attach_Weapon_Stock_AR_Composite_C",
)


def _item(item_id: str, count: int, category: str, sub: str, attached: list[str] | None = None) -> Event:
    return {
        "itemId": item_id,
        "stackCount": count,
        "category": category,
        "subCategory": sub,
        "attachedItems": attached or [],
    }


_PARACHUTE = _item("Item_Back_B_01_StartParachutePack_C", 1, "Equipment", "backpack")
_FIRST_AID = _item("Item_Heal_FirstAid_C", 1, "Use", "Heal")
_BANDAGE = _item("Item_Heal_Bandage_C", 5, "Use", "Heal")
_MED_KIT = _item("Item_Heal_MedKit_C", 1, "Use", "Heal")
_BOOSTS = (
    _item("Item_Boost_EnergyDrink_C", 1, "Use", "Boost"),
    _item("Item_Boost_PainKiller_C", 1, "Use", "Boost"),
)
_ADRENALINE = _item("Item_Boost_AdrenalineSyringe_C", 1, "Use", "Boost")
_SMOKE = _item("Item_Weapon_SmokeBomb_C", 1, "Equipment", "Throwable")
_TACTICAL = (
    (_SMOKE, 52), (_item("Item_Weapon_Grenade_C", 1, "Equipment", "Throwable"), 26),
    (_item("Item_Weapon_FlashBang_C", 1, "Equipment", "Throwable"), 8),
    (_item("Item_Weapon_Molotov_C", 1, "Equipment", "Throwable"), 7),
    (_item("Item_Weapon_DecoyGrenade_C", 1, "Equipment", "Throwable"), 3),
    (_item("Item_Weapon_StickyGrenade_C", 1, "Equipment", "Throwable"), 2),
    (_item("Item_Weapon_C4_C", 1, "Equipment", "Throwable"), 1),
    (_item("Item_Weapon_BluezoneGrenade_C", 1, "Equipment", "Throwable"), 1),
)  # fmt: skip
_PLAYTHINGS = (
    _item("Item_Weapon_Apple_C", 1, "Equipment", "Throwable"),
    _item("Item_Weapon_Snowball_C", 1, "Equipment", "Throwable"),
)
_NO_ITEM = _item("", 0, "", "")
_GEAR = (
    _item("Item_Armor_E_01_Lv1_C", 1, "Equipment", "Vest"),
    _item("Item_Armor_D_01_Lv2_C", 1, "Equipment", "Vest"),
    _item("Item_Head_E_01_Lv1_C", 1, "Equipment", "Headgear"),
    _item("Item_Head_F_01_Lv2_C", 1, "Equipment", "Headgear"),
    _item("Item_Back_E_01_Lv1_C", 1, "Equipment", "Backpack"),
    _item("Item_Back_F_01_Lv2_C", 1, "Equipment", "Backpack"),
)
_LOOT = (
    *(_item(f"Item_Ammo_{a}_C", 30, "Ammunition", "None") for a in _AMMO),
    *_GEAR,
    _FIRST_AID,
    _BANDAGE,
    *_BOOSTS,
    _SMOKE,
    *(_item(a, 1, "Attachment", "None") for a in _ATTACHMENTS[:6]),
)
_CARE_PACKAGE = [
    _item("Item_Weapon_AWM_C", 1, "Weapon", "Main"),
    _item("Item_Ammo_300Magnum_C", 20, "Ammunition", "None"),
    _item("Item_Armor_C_01_Lv3_C", 1, "Equipment", "Vest"),
    _item("Item_Head_G_01_Lv3_C", 1, "Equipment", "Headgear"),
]
_NO_VEHICLE = {
    "vehicleType": "",
    "vehicleId": "",
    "seatIndex": -1,
    "healthPercent": 0,
    "feulPercent": 0,
    "altitudeAbs": 0,
    "altitudeRel": 0,
    "velocity": 0,
    "isWheelsInAir": False,
    "isInWaterVolume": False,
    "isEngineOn": True,
    "location": {"x": 0, "y": 0, "z": 0},
}
_NO_DAMAGE = {
    "damageReason": "NonSpecific",
    "damageTypeCategory": "Damage_None",
    "damageCauserName": "None",
    "additionalInfo": [],
    "distance": -1,
    "isThroughPenetrableWall": False,
}
_BLANK_DAMAGE = {
    "damageReason": "",
    "damageTypeCategory": "",
    "damageCauserName": "",
    "additionalInfo": [],
    "distance": -1,
    "isThroughPenetrableWall": False,
}
_NOBODY = {
    "name": "",
    "teamId": 0,
    "health": 0,
    "location": {"x": 0, "y": 0, "z": 0},
    "ranking": 0,
    "individualRanking": 0,
    "accountId": "",
    "isInBlueZone": False,
    "isInRedZone": False,
    "inSpecialZone": "None",
    "isInVehicle": False,
    "zone": [],
    "type": "user",
}
_NOWHERE = {"x": 0, "y": 0, "z": 0}


def widened(value: float) -> float:
    """A value as the game writes it: single precision shown as double."""
    return float(np.float32(value))


def whole(value: float) -> float | int:
    """The files write 100, not 100.0."""
    return int(value) if value == int(value) else value


@dataclass
class Tally:
    """What one participant did, counted from the events as they are written."""

    kills: int = 0
    assists: int = 0
    dbnos: int = 0
    headshot_kills: int = 0
    road_kills: int = 0
    revives: int = 0
    team_kills: int = 0
    dealt: float = 0.0
    received: float = 0.0
    received_from_players: float = 0.0
    received_from_bots: float = 0.0
    killsteals: int = 0
    finishes_stolen: int = 0
    heals: int = 0
    boosts: int = 0
    throwables: int = 0
    smokes: int = 0
    throwable_damage: float = 0.0
    zone_ticks: int = 0
    weapons_acquired: int = 0
    longest_kill: float = 0.0
    death_type: str = "alive"
    kill_times: list[float] = field(default_factory=list)
    landing: tuple[float, float] | None = None
    zone_samples: list[tuple[float, float, float]] = field(default_factory=list)
    """(second, x, y) in metres of every position logged from the first zone until the player is out."""
    weapon_damage: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    weapon_kills: Counter[str] = field(default_factory=Counter)
    weapon_knocks: Counter[str] = field(default_factory=Counter)


class Telemetry:
    """Turns a finished story into a list of events; `write` once, then read `events`, `tallies`, `walked`,
    `ridden`."""

    def __init__(
        self,
        story: Story,
        start: datetime,
        match_name: str,
        match_id: str,
        map_name: str,
        rng: Random,
        old: bool,
        team_size: int,
        custom: bool,
        fpp: bool,
    ) -> None:
        self.story, self.start, self.rng, self.old = story, start, rng, old
        self.match_name, self.match_id, self.map_name = match_name, match_id, map_name
        self.team_size, self.custom, self.fpp = team_size, custom, fpp
        self.people, self.zone, self.end = story.people, story.zone, story.end
        self.log: list[tuple[float, int, Event]] = []
        self.tallies = [Tally() for _ in self.people]
        self.ranks = self._rank_teams()
        self._common = {s.is_game: {"isGame": whole(s.is_game)} for s in self.zone.states}
        first = -int(LOBBY) - 10
        self._first = first
        seconds = int(self.end) + 200
        self._stamps = [(start + timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M:%S.") for s in range(first, seconds)]
        self._shots = [2000 + rng.randrange(800) for _ in self.people]
        self._fired: Counter[tuple[int, str]] = Counter()
        self._health = [100.0 for _ in self.people]
        self._health_times: list[list[float]] = [[-1000.0] for _ in self.people]
        self._health_values: list[list[float]] = [[100.0] for _ in self.people]
        self._touched = [p.landing for p in self.people]
        self._knock_infos: dict[int, Event] = {}
        self._out_order = {p.index: i for i, p in enumerate(sorted(self.people, key=lambda p: -min(p.death, 1e9)))}
        self._deaths = sorted(p.death for p in self.people if p.death < math.inf)
        self._team_outs = sorted(t.out for t in story.teams if t.out < math.inf)
        self.jumps: dict[int, float] = {}
        self._walk()

    def _rank_teams(self) -> list[int]:
        """Placement of every team: 1 for the last one living, then by time of elimination, latest first."""
        order = sorted(self.story.teams, key=lambda team: -team.out)
        ranks = [0] * len(order)
        for place, team in enumerate(order, 1):
            ranks[team.index] = place
        return ranks

    # ------------------------------------------------------------------ where everybody is

    def _walk(self) -> None:
        """Everybody's position for every second, in metres, and who sits in a vehicle when."""
        story, people = self.story, self.people
        noise = np.random.default_rng(self.rng.getrandbits(63))
        seconds = np.arange(0, int(self.end) + int(AFTERLIFE) + 12, dtype=float)
        bx, by, br = self.zone.blue(seconds)
        n, m = len(people), len(seconds)
        self._x, self._y = np.empty((n, m)), np.empty((n, m))
        self._z = np.empty((n, m))
        self.rides: list[list[tuple[float, float, str]]] = [[] for _ in people]
        marks = np.arange(0, m + 18, 18.0)
        scale = np.minimum(20.0, 0.28 * np.interp(marks, seconds, br))
        x0, y0, x1, y1 = story.flight
        self.walked, self.ridden = np.zeros(n), np.zeros(n)
        for team in story.teams:
            tx, ty = (
                np.interp(seconds, team.route.ts, team.route.xs),
                np.interp(seconds, team.route.ts, team.route.ys),
            )
            speed = np.hypot(np.gradient(tx), np.gradient(ty))
            fast = (speed > 8.5) & (seconds > team.landing + 5) & (seconds < self.end)
            edges = np.flatnonzero(np.diff(fast.astype(np.int8)))
            spans = [(float(a + 1), float(b + 1)) for a, b in pairwise(edges) if fast[a + 1] and b - a >= 8]
            cars = [self.rng.choice(story.map.vehicles) for _ in spans]
            for p in team.members:
                i = p.index
                ox = np.interp(seconds, marks, noise.normal(0, 1, len(marks)) * scale)
                oy = np.interp(seconds, marks, noise.normal(0, 1, len(marks)) * scale)
                calm = np.clip((seconds - team.landing) / 20 + 0.4, 0.4, 1.0)
                x, y = tx + ox * calm, ty + oy * calm
                for a, b in p.exiles:  # outside the circle, to die there
                    s = min(int(a), m - 2)
                    angle = math.atan2(y[s] - by[s], x[s] - bx[s])
                    far = br[s] + 60 + 20 * noise.random()
                    edge = [bx[s] + far * math.cos(angle), by[s] + far * math.sin(angle)]
                    if not all(0 < v < story.map.side for v in edge):  # no land there: go out on the middle's side
                        angle = math.atan2(story.map.side / 2 - by[s], story.map.side / 2 - bx[s])
                    f = np.clip((seconds - a) / 4, 0, 1) * (seconds < b)
                    x += f * (bx[s] + far * math.cos(angle) - x)
                    y += f * (by[s] + far * math.sin(angle) - y)
                for a, b in p.downs:  # somebody on the ground stays there, then catches up
                    s, e = min(int(a), m - 1), min(int(b) + 1, m - 1)
                    x[s:e], y[s:e] = x[s], y[s]
                    back = min(e + 12, m)
                    f = np.linspace(0, 1, back - e) if back > e else np.zeros(0)
                    x[e:back] = x[s] + f * (x[e:back] - x[s])
                    y[e:back] = y[s] + f * (y[e:back] - y[s])
                if p.death < math.inf:
                    s = min(int(p.death), m - 1)
                    x[s:], y[s:] = x[s], y[s]
                np.clip(x, 0, story.map.side, out=x)
                np.clip(y, 0, story.map.side, out=y)
                # plane, then the way down
                jump = max(4.0, p.landing - 30.0 - noise.random() * 8)
                jump = min(jump, story.flight_time)
                s = min(int(p.landing) + 1, m - 1)
                f = np.clip(seconds / story.flight_time, 0, 1)
                px, py = x0 + f * (x1 - x0), y0 + f * (y1 - y0)
                g = np.clip((seconds - jump) / max(p.landing - jump, 1.0), 0, 1)[: s + 1]
                jx, jy = np.interp(jump, seconds, px), np.interp(jump, seconds, py)
                lx, ly = x[s], y[s]
                flying = seconds[: s + 1] <= jump
                x[: s + 1] = np.where(flying, px[: s + 1], jx + g * (lx - jx))
                y[: s + 1] = np.where(flying, py[: s + 1], jy + g * (ly - jy))
                ground = 4.0 + 30.0 * noise.random()
                z = np.full(m, ground) + 3 * np.sin(seconds / 37 + i)
                z[: s + 1] = np.where(flying, 1500.0, 1500.0 + g * (ground - 1500.0))
                self._x[i], self._y[i], self._z[i] = x, y, z
                stop = int(min(p.death, self.end))
                step = np.hypot(np.diff(x[s:stop]), np.diff(y[s:stop])) if stop > s + 1 else np.zeros(0)
                riding = np.zeros(max(stop - s - 1, 0), dtype=bool)
                for (a, b), car in zip(spans, cars, strict=True):
                    if not p.standing_at(a) or a < p.landing + 3 or any(u < a < v for u, v in p.exiles):
                        continue
                    b = min(
                        [
                            b,
                            p.death - 1,
                            *(u - 1 for u, _ in p.downs if u > a),
                            *(u for u, _ in p.exiles if u > a),
                        ]
                    )
                    if b > a + 4:
                        self.rides[i].append((a, b, car))
                        riding[max(int(a) - s, 0) : max(int(b) - s, 0)] = True
                self.ridden[i] = step[riding].sum()
                self.walked[i] = np.minimum(step[~riding], 6.0).sum()
                self.jumps[i] = jump
        inside = np.hypot(self._x - bx, self._y - by) <= br
        self._outside = ~inside
        # single precision in centimetres: multiples of 1/16 are exact below 2**20
        self._cx = (np.round(self._x * 1600) / 16).tolist()
        self._cy = (np.round(self._y * 1600) / 16).tolist()
        self._cz = (np.round(self._z * 1600) / 16).tolist()
        self._out_of_blue = self._outside.tolist()
        self._ride_starts = [[a for a, _, _ in rides] for rides in self.rides]

    def _ride(self, i: int, t: float) -> tuple[float, float, str] | None:
        """The ride person `i` is on at `t`."""
        k = bisect_right(self._ride_starts[i], t) - 1
        if k >= 0 and t < self.rides[i][k][1]:
            return self.rides[i][k]
        return None

    def health_at(self, i: int, t: float) -> float:
        """Health of person `i` at `t`."""
        return self._health_values[i][bisect_right(self._health_times[i], t) - 1]

    def character(
        self, p: Person, t: float, health: float | None = None, at: tuple[float, float] | None = None
    ) -> Event:
        """A Character as it stands in an event at `t`; `at` gives an exact place in centimetres."""
        i = p.index
        if t < 0:
            x, y, z = 606000.0 + 37.5 * i, 493000.0 + 22.25 * (i * 7 % 100), 465.125
            blue = False
            zone: list[str] = []
        else:
            s = min(int(t), len(self._cx[i]) - 1)
            x, y = at or (self._cx[i][s], self._cy[i][s])
            z = self._cz[i][s]
            blue = self._out_of_blue[i][s]
            regions = self.story.map.regions
            cell = int(x // 60000) * 5 + int(y // 60000) * 3
            zone = [regions[cell % len(regions)]] if cell % 3 and z < 10000 else []
        if health is None:
            health = self.health_at(i, t)
        team = self.story.teams[p.team]
        out = {
            "name": p.name,
            "teamId": team.team_id,
            "health": whole(health),
            "location": {"x": whole(x), "y": whole(y), "z": whole(z)},
            "ranking": self.ranks[p.team] if t >= team.out or t >= self.end else 0,
        }
        if self.old:
            out |= {"accountId": p.account_id, "isInBlueZone": blue, "isInRedZone": False, "zone": zone}
            return out
        out["individualRanking"] = self._out_order[i] + 1 if t >= p.death or t >= self.end else 0
        out["accountId"] = p.account_id
        out["isInBlueZone"] = blue
        out["isInRedZone"] = False
        out["inSpecialZone"] = "None"
        out["isInVehicle"] = 0 <= t < self.jumps[i] or self._ride(i, t) is not None
        out["zone"] = zone
        out["type"] = "user_ai" if p.is_bot else "user"
        return out

    # ------------------------------------------------------------------ writing

    def stamp(self, t: float) -> str:
        """`_D` with milliseconds."""
        ms = round(t * 1000) + self.start.microsecond // 1000
        return f"{self._stamps[ms // 1000 - self._first]}{ms % 1000:03d}Z"

    def add(self, t: float, kind: str, body: Event, before: bool = False) -> None:
        """Log an event. A few are logged a little late, so the file is only roughly in order."""
        state = self.zone.state(t - 0.05 if before else t)
        body["common"] = self._common[state.is_game]
        body["_D"] = self.stamp(t)
        body["_T"] = kind
        late = self.rng.random()
        self.log.append((t + (late * 80 if late < 0.004 else 0.0), len(self.log), body))

    def absent(self, body: Event, key: str) -> None:
        """A null: mostly no key at all, sometimes the key with null."""
        if self.old or self.rng.random() < 0.12:
            body[key] = None

    def write(self) -> list[Event]:
        """All events of the match in file order."""
        self._lobby()
        self._flight()
        self._fights()
        self._routine()
        self._vehicles()
        self._positions()
        self._states()
        self._world()
        self._close()
        self.log.sort(key=lambda entry: entry[:2])
        return [self._definition(), *(event for _, _, event in self.log)]

    def _definition(self) -> Event:
        return {
            "MatchId": self.match_name,
            "PingQuality": "low" if self.rng.random() < 0.5 else "",
            "_D": self.stamp(0.031)[:-1] + f"{self.rng.randrange(1, 9999):04d}Z",
            "_T": "LogMatchDefinition",
        }

    def _wrapped(self, p: Person, t: float, ended: bool = False) -> Event:
        c = self.character(p, t, self._health[p.index] if ended else 100.0)
        if ended and p.death < math.inf:
            c["health"], c["location"] = 0, dict(_NOWHERE)
        if self.old:
            return c
        return {
            "character": c,
            "primaryWeaponFirst": p.main.item if ended else "",
            "primaryWeaponSecond": "",
            "secondaryWeapon": "",
            "spawnKitIndex": 0,
        }

    def _lobby(self) -> None:
        rng = self.rng
        ghosts = []
        for g in range(rng.randint(2, 6)):  # more are created than start: some leave before the plane
            account = f"account.{rng.getrandbits(128):032x}"
            ghosts.append(
                Person(
                    0,
                    account,
                    f"Left_early{g}",
                    rng.randrange(len(self.story.teams)),
                    False,
                    1,
                    "",
                    FISTS,
                    FISTS,
                    FISTS,
                )
            )
        for p in [*self.people, *ghosts]:
            t = -LOBBY + rng.uniform(0, 34)
            if not p.is_bot:
                self.add(t, "LogPlayerLogin", {"accountId": p.account_id})
            self.add(t + rng.uniform(0.1, 1.5), "LogPlayerCreate", {"character": self.character(p, t, 100.0)})
            if p in ghosts:
                self.add(rng.uniform(-20, -3), "LogPlayerLogout", {"accountId": p.account_id})
                continue
            if p.is_bot:
                continue
            for _ in range(rng.choices((0, 1, 3), (70, 22, 8))[0]):
                t = rng.uniform(-28, -2)
                if rng.random() < 0.5:
                    self._throw(p, t, rng.choice(_PLAYTHINGS))
                else:  # fists in the lobby have no item, and a stack count nobody has set
                    weapon = _item("", rng.randrange(1 << 27), "", "")
                    self._shots[p.index] += 1
                    self.add(
                        t,
                        "LogPlayerAttack",
                        {
                            "attackId": rng.randrange(200),
                            "fireWeaponStackCount": rng.randrange(1 << 30),
                            "attacker": self.character(p, t, 100.0),
                            "attackType": "Weapon",
                            "weapon": weapon,
                        },
                    )
        options = [
            {
                "phaseNum" if self.old else "blueZonePhase": k,
                "startDelay": 0,
                "warningDuration": 0,
                "releaseDuration": 0,
                "poisonGasDamagePerSecond" if self.old else "blueZoneDamagePerSecond": 0,
                "radiusRate": 0,
                "spreadRatio": 0,
                "landRatio": 0,
                "circleAlgorithm": 0,
            }
            for k in range(9)
        ]
        self.add(
            0.0,
            "LogMatchStart",
            {
                "mapName": self.map_name,
                "weatherId": "Clear",
                "characters": [self._wrapped(p, -1.0) for p in self.people],
                "cameraViewBehaviour": "FpsOnly" if self.fpp else "FpsAndTps",
                "teamSize": self.team_size,
                "isCustomGame": self.custom,
                "isEventMode": False,
                "blueZoneCustomOptions": msgspec.json.encode(options).decode(),
            },
        )
        self.add(0.024, "LogPlayerLogout", {"accountId": ""})

    def _plane(self, p: Person, t: float, velocity: float) -> Event:
        s = int(t)
        x, y = self._cx[p.index][s], self._cy[p.index][s]
        return {
            **_NO_VEHICLE,
            "vehicleType": "TransportAircraft",
            "vehicleId": "DummyTransportAircraft_C",
            "seatIndex": 0,
            "velocity": velocity,
            "isEngineOn": False,
            "location": {"x": whole(x), "y": whole(y), "z": 150000},
        }

    def _flight(self) -> None:
        rng = self.rng
        for p in self.people:
            t = rng.uniform(0.005, 0.06)
            jump = self.jumps[p.index]
            self.add(
                t,
                "LogVehicleRide",
                {
                    "character": self.character(p, 0.0),
                    "vehicle": self._plane(p, 0, 0),
                    "seatIndex": 0,
                    "fellowPassengers": [],
                },
            )
            self.add(t, "LogItemEquip", {"character": self.character(p, 0.0), "item": _PARACHUTE})
            self.add(t, "LogItemPickup", {"character": self.character(p, 0.0), "item": _PARACHUTE})
            self.add(
                jump,
                "LogVehicleLeave",
                {
                    "character": self.character(p, jump),
                    "vehicle": self._plane(p, jump, 1799.8707275390625),
                    "rideDistance": 0,
                    "seatIndex": 0,
                    "maxSpeed": widened(60 + 25 * rng.random()),
                    "fellowPassengers": [],
                },
            )
            if p.landing > min(p.death, self.end):
                continue
            i, t = p.index, p.landing
            s = min(int(t) + 1, len(self._cx[i]) - 1)
            place = self._cx[i][s], self._cy[i][s]
            self.add(t, "LogItemUnequip", {"character": self.character(p, t), "item": _PARACHUTE})
            self.add(
                t,
                "LogParachuteLanding",
                {"character": self.character(p, t, at=place), "distance": widened(280 + 160 * rng.random())},
            )
            self.tallies[i].landing = (place[0] / 100, place[1] / 100)

    # ------------------------------------------------------------------ health

    def _set_health(self, i: int, t: float, value: float) -> None:
        self._health[i] = value
        self._health_times[i].append(max(t, self._health_times[i][-1]))
        self._health_values[i].append(value)

    def _fights(self) -> None:
        """Everything that touches somebody's health, in order of time."""
        story, rng = self.story, self.rng
        touches: list[tuple[float, int, Any]] = []
        for things in (story.knocks, story.kills, story.revives, story.chips):
            touches += [(thing.t, len(touches) + k, thing) for k, thing in enumerate(things)]
        extra: list[tuple[float, Any]] = []
        fatal = {k.victim.index: k.t for k in story.kills if k.how == "zone"}
        zone_ends: dict[int, list[float]] = defaultdict(list)
        for k in story.knocks:
            if k.maker is None:
                zone_ends[k.victim.index].append(k.t)
        for i, t in fatal.items():
            zone_ends[i].append(t)
        self._zone_ends = zone_ends
        first_move = story.zone.spans[0][1]
        for p in self.people:
            i = p.index
            stop = min(p.death, self.end)
            flags = self._outside[i]
            s = int(max(first_move, p.landing + 1))
            edges = np.flatnonzero(np.diff(flags[s : int(stop) + 1].astype(np.int8), prepend=0, append=0)) + s
            for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
                t = a + rng.uniform(0.05, 0.9)
                while t < min(b, stop - 0.05):
                    extra.append((t, ("tick", p)))
                    t += TICK + rng.uniform(-0.004, 0.004)
            for a, b in p.downs:
                t, b = a + 2.0, min(b, stop)
                b -= 8 if b < p.death else 0.1
                while t < b:
                    extra.append((t, ("groggy", p)))
                    t += rng.uniform(0.99, 1.012)
            if rng.random() < 0.06 and stop > p.landing + 40:
                extra.append((rng.uniform(p.landing + 15, stop - 5), ("fall", p)))
        touches += [(t, 100000 + k, thing) for k, (t, thing) in enumerate(extra)]
        touches.sort(key=lambda touch: touch[:2])
        for t, _, thing in touches:
            if isinstance(thing, Chip):
                self._chip(thing)
            elif isinstance(thing, Knock):
                self._knock(thing)
            elif isinstance(thing, Kill):
                self._kill(thing)
            elif isinstance(thing, Revive):
                self._revive(thing)
            elif thing[0] == "tick":
                self._tick(t, thing[1])
            elif thing[0] == "groggy":
                self._groggy(t, thing[1])
            else:
                self._fall(t, thing[1])
        for p in self.people:
            self._rest(p, min(p.death, self.end))

    def _rest(self, p: Person, until: float) -> None:
        """Since the last harm, somebody hurt has patched themselves up, if there was time."""
        rng, i = self.rng, p.index
        t, health = self._touched[i], self._health[i]
        if health >= 95 or health <= 0 or p.is_bot or not p.standing_at(until - 0.1):
            return
        t += rng.uniform(3, 14)
        tally = self.tallies[i]
        if health < 74 and t + 10 < until and rng.random() < 0.95:
            if health < 40 and t + 16 < until and rng.random() < 0.25:
                item, steps, cast = _MED_KIT, [100 - health], 8.0
            elif rng.random() < (0.75 if health > 55 else 0.35):
                item, steps, cast = _BANDAGE, [10.0] * math.ceil((75 - health) / 10), 4.0
            else:
                item, steps, cast = _FIRST_AID, [15.0] * math.ceil((75 - health) / 15), 6.0
            for n, step in enumerate(steps):
                if n == 0 or item is _BANDAGE:  # every step of a bandage is a use of its own
                    t += cast
                    if t > until - 1:
                        break
                    self.add(t, "LogItemUse", {"character": self.character(p, t, health), "item": item})
                    tally.heals += 1
                top = 100.0 if item is _MED_KIT else 75.0
                amount = widened(min(step, top - health))
                if amount <= 0.01:
                    break
                t += 0.03 if item is _MED_KIT else rng.uniform(0.42, 0.48)
                self.add(
                    t,
                    "LogHeal",
                    {"character": self.character(p, t, health), "item": item, "healAmount": whole(amount)},
                )
                health = min(widened(health + amount), 100.0)
                self._set_health(i, t, health)
        if health < 100 and t + 18 < until and rng.random() < 0.6:
            t += 7
            boost = rng.choices((*_BOOSTS, _ADRENALINE), (6, 4, 0.4))[0]
            self.add(t, "LogItemUse", {"character": self.character(p, t, health), "item": boost})
            tally.boosts += 1
            for _ in range(rng.randint(3, 9)):
                t += 8.0
                amount = widened(min(rng.choice((2.0, 2.0, 3.0)), 100.0 - health))
                if amount <= 0.01 or t >= until - 0.5:
                    break
                # the item of a boost's heal is memory nobody has set: no id, now and then an absurd count
                item = _NO_ITEM if rng.random() < 0.6 else _item("", rng.randrange(1 << 30), "", "")
                self.add(
                    t,
                    "LogHeal",
                    {"character": self.character(p, t, health), "item": item, "healAmount": whole(amount)},
                )
                health = widened(health + amount)
                self._set_health(i, t, health)
        self._touched[i] = max(self._touched[i], min(t, until))

    def _hit(
        self,
        t: float,
        attacker: Person | None,
        victim: Person,
        attack_id: int,
        damage: float,
        category: str,
        reason: str,
        causer: str,
    ) -> None:
        """Write one damage event and count it."""
        i = victim.index
        body: Event = {"attackId": attack_id}
        if attacker is None:
            self.absent(body, "attacker")
        else:
            body["attacker"] = self.character(attacker, t)
        health = self._health[i]
        body["victim"] = self.character(victim, t, health)
        body["damageTypeCategory"] = category
        body["damageReason"] = reason
        body["damage"] = whole(damage)
        body["damageCauserName"] = causer
        if not self.old:
            body["isThroughPenetrableWall"] = self.rng.random() < 0.01
        self.add(t, "LogPlayerTakeDamage", body)
        if damage <= 0:
            return
        tally = self.tallies[i]
        tally.received += damage
        if category != "Damage_Groggy":
            left = health - damage
            self._set_health(i, t, widened(left) if left > 0.001 else 0.0)
            self._touched[i] = max(self._touched[i], t)
        if attacker is None or attacker is victim:
            return
        if attacker.is_bot:
            tally.received_from_bots += damage
        else:
            tally.received_from_players += damage
        if attacker.team != victim.team:
            own = self.tallies[attacker.index]
            own.dealt += damage
            own.weapon_damage[causer] += damage
            if category in (
                "Damage_Explosion_Grenade",
                "Damage_Molotov",
                "Damage_Explosion_StickyBomb",
                "Damage_Explosion_C4",
                "Damage_BlueZoneGrenade",
            ):
                own.throwable_damage += damage

    def _fire(self, t: float, attacker: Person, weapon: Weapon) -> int:
        """One shot at `t`; returns its attack id."""
        i = attacker.index
        self._shots[i] += 1
        attack_id = (i << 24) + self._shots[i]
        attached = [_ATTACHMENTS[(i * 5 + k * 3) % len(_ATTACHMENTS)] for k in range(min(int(t // 200), 3))]
        item = _item(
            weapon.item,
            1,
            "Weapon" if weapon.item else "",
            weapon.sub_category if weapon.item else "",
            attached,
        )
        body = {
            "attackId": attack_id,
            "fireWeaponStackCount": 1 if weapon.item else 0,
            "attacker": self.character(attacker, t),
            "attackType": "Weapon",
            "weapon": item,
        }
        if self.old:
            body["vehicle"] = None
        self.add(t, "LogPlayerAttack", body)
        if weapon.ammo:
            self._fired[i, weapon.item] += 1
            count = self._fired[i, weapon.item]
            if count % 10 == 0:
                self.add(
                    t,
                    "LogWeaponFireCount",
                    {"character": self.character(attacker, t), "weaponId": weapon.item, "fireCount": count},
                )
        return attack_id

    def _throw(self, p: Person, t: float, item: Event) -> int:
        """Throw something; both events of a throw carry the same attack id. Old files have only one of
        them."""
        i = p.index
        self._shots[i] += 1
        attack_id = (i << 24) + self._shots[i]
        body = {
            "attackId": attack_id,
            "fireWeaponStackCount": 1,
            "attacker": self.character(p, t),
            "attackType": "Weapon",
            "weapon": item,
        }
        self.add(t, "LogPlayerAttack", {**body, "vehicle": None} if self.old else dict(body))
        if not self.old:
            self.add(t, "LogPlayerUseThrowable", body)
        if item not in _PLAYTHINGS:
            self.tallies[i].throwables += 1
            self.tallies[i].smokes += item is _SMOKE
        return attack_id

    def _misses(self, t: float, attacker: Person, weapon: Weapon) -> None:
        """Shots just before `t` that hit nobody."""
        if weapon.category != "Damage_Gun":
            return
        count = min(int(self.rng.expovariate(1 / (3.6 if weapon.interval < 0.12 else 1.2))), 14)
        for k in range(count):
            s = t - (count - k) * weapon.interval
            if attacker.standing_at(s):
                self._fire(s, attacker, weapon)

    def _blow(self, weapon: Weapon, t: float, part: str) -> float:
        """Hit points one hit takes, armour considered."""
        rng = self.rng
        if weapon in (FRAG, MOLOTOV, BLUEZONE_GRENADE) or weapon.sub_category == "Throwable":
            return weapon.damage * rng.uniform(0.3, 1.1) if weapon.damage > 20 else weapon.damage
        strength = _PART_STRENGTH[part] * rng.uniform(0.9, 1.05)
        if part in ("TorsoShot", "PelvisShot", "HeadShot"):
            strength *= rng.choice((1.0, 1.0, 0.7, 0.6) if t < 170 else (0.7, 0.6, 0.6, 0.45))
        return weapon.damage * strength

    def _volley(
        self, t: float, attacker: Person, victim: Person, weapon: Weapon, budget: float, lethal: bool
    ) -> tuple[Event, int]:
        """Hits on a standing victim. Lethal ones end exactly at `t` with nothing left; others leave a few
        hit points.

        Returns the damage info of the last hit and its attack id.
        """
        rng, i = self.rng, victim.index
        category, causer = weapon.category, weapon.causer
        if weapon is FISTS:
            causer = attacker.body if attacker.body in ("PlayerMale_A_C", "PlayerFemale_A_C") else "PlayerMale_A_C"
        if weapon is RAMMING:
            causer = rng.choice(self.story.map.vehicles)
        shooting = category in ("Damage_Gun", "Damage_Melee", "Damage_Punch")
        health = self._health[i]
        blows: list[tuple[float, str, int]] = []  # damage, part, shot number
        left, shot = budget if not lethal else health, 0
        single = weapon is RAMMING or (weapon.sub_category == "Throwable" and weapon.damage > 20)
        while left > 0 and len(blows) < 60:
            part = rng.choices(_PARTS, _PART_SHARES)[0] if shooting else "NonSpecific"
            if shooting and lethal and left < 45 and rng.random() < 0.1:
                part = "HeadShot"  # the felling shot is a head shot more often than the others
            blow = widened(self._blow(weapon, t, part if shooting else "TorsoShot"))
            if single and lethal:
                blow = 1000.0
            pellets = rng.randint(2, weapon.pellets) if weapon.pellets > 1 else 1
            if weapon.pellets > 1:
                blow = widened(min(blow, 26.0))
            for _ in range(pellets):
                if left <= 0:
                    break
                blows.append((blow, part, shot))
                left -= blow
            shot += 1
            if single:
                break
        spacing = max(weapon.interval * rng.uniform(1.2, 3.0), 0.05)
        last = self._health_times[i][-1]
        first = t - spacing * (shot - 1) if lethal else t
        last = max([last, *(b + 0.05 for _, b in attacker.downs if b <= t)])
        if first <= last + 0.01:
            first = min(last + 0.01, t)
            spacing = (t - first) / max(shot - 1, 1) if lethal else spacing
        attack_id, fired, info = -1, -1, _BLANK_DAMAGE
        if weapon.sub_category == "Throwable":
            item = next(x for x, _ in _TACTICAL if x["itemId"] == weapon.item)
            thrown = (
                first - 2.6 if attacker.standing_at(first - 2.6) and first - 2.6 > attacker.landing else first - 0.05
            )
            attack_id = self._throw(attacker, thrown, item)
        elif weapon is RAMMING:
            self._shots[attacker.index] += 1
            attack_id = (attacker.index << 24) + self._shots[attacker.index]
        for n, (blow, part, shot) in enumerate(blows):
            when = first + spacing * shot
            if lethal and n == len(blows) - 1:
                when = t
            if not lethal and (
                not victim.standing_at(when + 0.05)
                or not attacker.standing_at(when)
                or when > self.end
                or self._health[i] - blow < 4
            ):
                break
            if shooting and shot != fired:
                self._misses(when - 0.02, attacker, weapon)
                attack_id, fired = self._fire(when - 0.004, attacker, weapon), shot
            damage = min(blow, self._health[i])
            if lethal and n == len(blows) - 1:
                damage = self._health[i]
            if damage <= 0:
                break
            name = causer
            if weapon is MOLOTOV and n % 3 == 0:
                name = "BP_FireEffectController_C"
            reason = part if shooting else "NonSpecific"
            self._hit(when, attacker, victim, attack_id, damage, category, reason, name)
            if part in ("TorsoShot", "HeadShot") and rng.random() < 0.06:
                self._armour(when, attacker, victim, attack_id, part, name, category)
            info = self._info(when, attacker, victim, reason, category, name)
        return info, attack_id

    def _armour(
        self,
        t: float,
        attacker: Person,
        victim: Person,
        attack_id: int,
        part: str,
        causer: str,
        category: str,
    ) -> None:
        item = _GEAR[1] if part == "TorsoShot" else _GEAR[3]
        self.add(
            t + 0.001,
            "LogArmorDestroy",
            {
                "attackId": attack_id,
                "attacker": self.character(attacker, t),
                "victim": self.character(victim, t),
                "damageTypeCategory": category,
                "damageReason": part,
                "damageCauserName": causer,
                "item": item,
                "distance": self._distance(t, attacker, victim),
            },
        )

    def _distance(self, t: float, a: Person, b: Person) -> float:
        """Distance in centimetres, as the events give it."""
        s = min(int(t), len(self._cx[0]) - 1)
        return widened(
            math.dist(
                (self._cx[a.index][s], self._cy[a.index][s], self._cz[a.index][s]),
                (self._cx[b.index][s], self._cy[b.index][s], self._cz[b.index][s]),
            )
        )

    def _info(self, t: float, attacker: Person, victim: Person, reason: str, category: str, causer: str) -> Event:
        return {
            "damageReason": reason,
            "damageTypeCategory": category,
            "damageCauserName": causer,
            "additionalInfo": [],
            "distance": self._distance(t, attacker, victim),
            "isThroughPenetrableWall": False,
        }

    def _chip(self, chip: Chip) -> None:
        a, v, t = chip.attacker, chip.victim, chip.t
        early = t < max(a.landing, v.landing) + 4 or t > self.end
        if early or not a.standing_at(t) or not v.standing_at(t) or not a.standing_at(t - 0.3):
            return
        self._rest(v, t)
        if self._health[v.index] < 12:
            return
        self._volley(t, a, v, chip.weapon, min(chip.budget, self._health[v.index] - 4), lethal=False)

    def _tick(self, t: float, p: Person) -> None:
        """One tick of the blue zone."""
        i = p.index
        if t >= p.death or t > self.end:
            return
        ends = [e for e in self._zone_ends.get(i, ()) if t < e < t + 130]
        if not p.standing_at(t):
            damage = 0.0
        else:
            damage = self.zone.state(t).damage * TICK
            if ends:
                if ends[0] - t < 0.9:
                    return
                damage = self._health[i] / ((ends[0] - t) / TICK + 1)
            elif self._health[i] - damage < 12:
                self._rest(p, t)
                if self._health[i] - damage < 6:
                    return
        self.tallies[i].zone_ticks += 1
        self._hit(
            t,
            None,
            p,
            -1,
            widened(damage),
            "Damage_BlueZone",
            "NonSpecific",
            "BattleRoyaleModeController_Def_C",
        )

    def _groggy(self, t: float, p: Person) -> None:
        """Bleeding: no net damage in files of 2025, some in older ones."""
        if p.standing_at(t) or t >= p.death:
            return
        self._hit(
            t,
            p,
            p,
            -1,
            widened(self.rng.uniform(0.8, 1.9)) if self.old else 0.0,
            "Damage_Groggy",
            "None",
            p.body,
        )

    def _fall(self, t: float, p: Person) -> None:
        if p.standing_at(t) and p.standing_at(t + 0.1) and self._health[p.index] > 40:
            self._hit(t, p, p, -1, widened(self.rng.uniform(2, 22)), "Damage_Instant_Fall", "NonSpecific", p.body)

    def _revive(self, revive: Revive) -> None:
        t, victim = revive.t, revive.victim
        self._set_health(victim.index, t, 10.0)
        self._touched[victim.index] = t
        body = {
            "reviver": self.character(revive.reviver, t),
            "victim": self.character(victim, t, 10.0),
            "dBNOId": revive.knock.dbno_id,
        }
        if not self.old:
            body["useTraumaBag"] = False
        self.add(t, "LogPlayerRevive", body)
        self.tallies[revive.reviver.index].revives += 1

    def _zone_blow(self, t: float, p: Person) -> None:
        self.tallies[p.index].zone_ticks += 1
        self._hit(
            t,
            None,
            p,
            -1,
            self._health[p.index],
            "Damage_BlueZone",
            "NonSpecific",
            "BattleRoyaleModeController_Def_C",
        )

    def _fell(
        self, t: float, maker: Person | None, victim: Person, weapon: Weapon | None, helpers: list[Person]
    ) -> None:
        """Take what health the victim has left, by whatever does it; helpers hit first."""
        self._rest(victim, t - 2.0)
        for helper in helpers:
            room = self._health[victim.index] - 20
            before = t - self.rng.uniform(2.2, 5)
            if room > 15 and before > self._health_times[victim.index][-1] and helper.standing_at(before - 0.5):
                self._volley(before, helper, victim, helper.main, min(room, 40), lethal=False)
        if maker is None or weapon is None:
            self._zone_blow(t, victim)
            self._last_info = {
                **_NO_DAMAGE,
                "damageTypeCategory": "Damage_BlueZone",
                "damageCauserName": "BattleRoyaleModeController_Def_C",
            }
            self._last_id = -1
            return
        self._last_info, self._last_id = self._volley(t, maker, victim, weapon, 0.0, lethal=True)

    def _knock(self, knock: Knock) -> None:
        t, victim, maker = knock.t, knock.victim, knock.maker
        self._fell(t, maker, victim, knock.weapon, knock.helpers)
        info = self._last_info
        self._knock_infos[knock.number] = info
        t += 0.002
        body: Event = {"attackId": self._last_id}
        if maker is None:
            # the real file gives the zone's knocks a nameless attacker instead of none
            if self.old or self.rng.random() < 0.3:
                self.absent(body, "attacker")
            else:
                body["attacker"] = dict(_NOBODY)
        else:
            body["attacker"] = self.character(maker, t)
        body |= {
            "victim": self.character(victim, t, 0.0),
            "damageReason": info["damageReason"] if maker else "",
            "damageTypeCategory": info["damageTypeCategory"],
            "damageCauserName": info["damageCauserName"],
            "damageCauserAdditionalInfo": [],
            "victimWeapon": f"{victim.main.causer}_{victim.index % 4}",
            "victimWeaponAdditionalInfo": [],
            "distance": info["distance"],
            "isAttackerInVehicle": knock.weapon is RAMMING,
            "dBNOId": knock.dbno_id,
        }
        if not self.old:
            body["isThroughPenetrableWall"] = False
        self.add(t, "LogPlayerMakeGroggy", body)
        if maker is not None and maker.team != victim.team:
            self.tallies[maker.index].dbnos += 1
            self.tallies[maker.index].weapon_knocks[info["damageCauserName"]] += 1

    def _kill(self, kill: Kill) -> None:
        t, victim, killer, finisher, knock = kill.t, kill.victim, kill.killer, kill.finisher, kill.knock
        i = victim.index
        knock_info = self._knock_infos[knock.number] if knock else _NO_DAMAGE
        attack_id = -1
        if kill.how in ("gun", "suicide", "zone") and knock is None:
            self._fell(t, killer, victim, kill.weapon, kill.helpers)
            finish_info, attack_id = self._last_info, self._last_id
        elif kill.how == "finish" and finisher is not None and kill.weapon is not None:
            # shots into somebody on the ground take no health
            weapon, hits = kill.weapon, self.rng.randint(1, 5)
            part = "TorsoShot"
            for k in range(hits):
                when = t - (hits - 1 - k) * max(weapon.interval, 0.06)
                if when <= victim.downs[-1][0] + 0.05 or not finisher.standing_at(when - 0.01):
                    continue
                attack_id = self._fire(when - 0.004, finisher, weapon)
                part = self.rng.choices(_PARTS, _PART_SHARES)[0]
                self._hit(when, finisher, victim, attack_id, 0.0, weapon.category, part, weapon.causer)
            finish_info = self._info(t, finisher, victim, part, weapon.category, weapon.causer)
        elif kill.how == "zone_down":
            finish_info = {
                **_NO_DAMAGE,
                "damageTypeCategory": "Damage_BlueZone",
                "damageCauserName": "BattleRoyaleModeController_Def_C",
            }
        else:
            source = finisher if finisher is not None else victim
            finish_info = self._info(t, source, victim, "None", "Damage_Groggy", victim.body)
        if self._health[i] > 0:
            self._set_health(i, t, 0.0)
        stolen = knock is not None and killer is not None and killer is not knock.maker
        credited = finish_info if knock is None or stolen else knock_info
        if killer is None:
            credited = _BLANK_DAMAGE
        assists = [p for p in dict.fromkeys(kill.helpers) if p is not killer and not p.is_bot and p is not victim]
        friendly = killer is not None and killer is not victim and killer.team == victim.team
        t += 0.003
        team = self.story.teams[victim.team]
        rank = self.ranks[victim.team] if kill.t >= team.out else 0
        suicide = killer is victim
        result = {
            "rank": rank,
            "gameResult": "",
            "teamId": team.team_id,
            "stats": {
                "killCount": self.tallies[i].kills,
                "distanceOnFoot": widened(self.walked[i]),
                "distanceOnSwim": 0,
                "distanceOnVehicle": widened(self.ridden[i]),
                "distanceOnParachute": 331.5,
                "distanceOnFreefall": 262.25,
                "bpRewardDetail": {
                    "byPlayTime": 0,
                    "byRanking": 0,
                    "byKills": 0,
                    "byDamageDealt": 0,
                    "boostAmount": 0,
                    "byModeScore": 0,
                },
                "arcadeRewardDetail": {"byPlayTime": 0},
                "statTrakDataPairs": [],
                "headshotStatTrakDataPairs": [],
            },
            "accountId": victim.account_id,
            "isRewardAbuse": False,
        }
        dead = self.character(victim, t, 0.0)
        body: Event = {"attackId": attack_id, "dBNOId": knock.dbno_id if knock else -1}
        if self.old:
            shown = finish_info if killer is not None else {**finish_info, "distance": -1}
            if killer is None:
                body["killer"] = None
            else:
                body["killer"] = self.character(killer, t)
            body |= {
                "victim": dead,
                "assistant": self.character(assists[0], t) if assists else None,
                "damageReason": shown["damageReason"],
                "damageTypeCategory": shown["damageTypeCategory"],
                "damageCauserName": shown["damageCauserName"],
                "damageCauserAdditionalInfo": [],
                "victimWeapon": victim.main.causer,
                "victimWeaponAdditionalInfo": [],
                "distance": shown["distance"],
                "victimGameResult": result,
            }
            credited = shown
            assists = assists[:1]
            self.add(t, "LogPlayerKill", body)
        else:
            body["victimGameResult"] = result
            body["victim"] = dead
            body["victimVehicle"] = _NO_VEHICLE
            body["victimWeapon"] = "" if knock else f"{victim.main.causer}_{i % 4}"
            body["victimWeaponAdditionalInfo"] = []
            if knock is not None and knock.maker is not None:
                body["dBNOMaker"] = self.character(knock.maker, t)
            else:
                self.absent(body, "dBNOMaker")
            body["dBNODamageInfo"] = knock_info
            for key, who in (("finisher", finisher), ("killer", killer)):
                if who is None:
                    self.absent(body, key)
                else:
                    body[key] = self.character(who, t)
                if key == "finisher":
                    body["finishDamageInfo"] = finish_info
            body |= {
                "killerDamageInfo": credited,
                "killerVehicle": _NO_VEHICLE,
                "assists_AccountId": [p.account_id for p in assists],
                "teamKillers_AccountId": [killer.account_id] if friendly and killer else [],
                "isSuicide": suicide,
            }
            self.add(t, "LogPlayerKillV2", body)
        self._count_kill(kill, credited, finish_info, assists)

    def _count_kill(self, kill: Kill, credited: Event, finish_info: Event, assists: list[Person]) -> None:
        """Truth of one elimination."""
        victim, killer, finisher, knock = kill.victim, kill.killer, kill.finisher, kill.knock
        tally = self.tallies[victim.index]
        tally.death_type = "byzone" if killer is None else "suicide" if killer is victim else "byplayer"
        for p in assists:
            self.tallies[p.index].assists += 1
        if killer is None or killer is victim:
            return
        own = self.tallies[killer.index]
        if killer.team == victim.team:
            own.team_kills += 1
            return
        own.kills += 1
        own.kill_times.append(kill.t)
        own.weapon_kills[credited["damageCauserName"]] += 1
        own.headshot_kills += credited["damageReason"] == "HeadShot"
        own.road_kills += credited["damageTypeCategory"] == "Damage_VehicleHit"
        own.longest_kill = max(own.longest_kill, credited["distance"] / 100)
        if knock is None or knock.maker is None or knock.maker.team == victim.team:
            return
        if finish_info["damageTypeCategory"] in ("Damage_Groggy", "Damage_BlueZone"):
            return
        taker = killer if self.old else finisher
        if taker is None or any(p.is_bot for p in (victim, killer, taker, knock.maker)):
            return
        own.killsteals += killer.team != knock.maker.team
        self.tallies[taker.index].finishes_stolen += taker is not knock.maker

    # ------------------------------------------------------------------ everything else

    def _routine(self) -> None:
        """Looting, doors, vaults, reloads, throws at nobody."""
        rng = self.rng
        kinds, weights = list(_ROUTINE_RATES), list(_ROUTINE_RATES.values())
        rate = sum(weights)
        throws, throw_weights = zip(*_TACTICAL, strict=True)
        loot = list(_LOOT)
        for p in self.people:
            i = p.index
            first, last = p.landing + 3, min(p.death, self.end) - 1
            if last <= first:
                continue
            minutes = (last - first) / 60 * (0.35 if p.is_bot else 1.0)
            # the first minutes are for looting
            opening = int(min(1.0, minutes / 3) * 11)
            tally = self.tallies[i]
            for n in range(opening + int(minutes * rate + rng.random())):
                if n < opening:
                    t = min(first + rng.expovariate(1 / 45), last)
                    kind = "pickup" if n % 2 else "equip"
                else:
                    t = first + (last - first) * rng.random()
                    kind = rng.choices(kinds, weights)[0]
                if not p.standing_at(t):
                    continue
                if kind == "burst":
                    if not p.is_bot:
                        gun = p.main if t > 230 else p.early
                        if gun.ammo:
                            for k in range(rng.randint(2, 14 if gun.interval < 0.12 else 4)):
                                if p.standing_at(t + k * gun.interval) and t + k * gun.interval < last:
                                    self._fire(t + k * gun.interval, p, gun)
                    continue
                if kind == "throw":
                    if not p.is_bot:
                        self._throw(p, t, rng.choices(throws, throw_weights)[0])
                    continue
                if kind == "boost":
                    if p.is_bot or rng.random() > 0.4 + 0.9 * t / self.end:
                        continue
                    tally.boosts += 1
                    self.add(t, "LogItemUse", {"character": self.character(p, t), "item": rng.choice(_BOOSTS)})
                    continue
                who = {"character": self.character(p, t)}
                if kind in ("pickup", "equip", "unequip", "drop"):
                    if kind in ("equip", "unequip") or rng.random() < 0.33:
                        gun = rng.choice((p.early, p.main, p.second))
                        item = (
                            rng.choice(_GEAR) if rng.random() < 0.4 else _item(gun.item, 1, "Weapon", gun.sub_category)
                        )
                        tally.weapons_acquired += kind == "pickup" and item["category"] == "Weapon"
                    else:
                        item = rng.choice(loot)
                    names = {"pickup": "LogItemPickup", "equip": "LogItemEquip", "unequip": "LogItemUnequip"}
                    self.add(t, names.get(kind, "LogItemDrop"), {**who, "item": item})
                elif kind == "lootbox":
                    other = rng.choice(self.people)
                    self.add(
                        t,
                        "LogItemPickupFromLootBox",
                        {
                            **who,
                            "item": rng.choice(loot),
                            "ownerTeamId": self.story.teams[other.team].team_id,
                            "creatorAccountId": other.account_id,
                        },
                    )
                elif kind == "carepackage":
                    self.add(
                        t,
                        "LogItemPickupFromCarepackage",
                        {**who, "item": rng.choice(_CARE_PACKAGE), "carePackageUniqueId": rng.randrange(12)},
                    )
                elif kind == "ammo":
                    self.add(t, "LogItemUse", {**who, "item": loot[rng.randrange(len(_AMMO))]})
                elif kind == "door":
                    self.add(
                        t,
                        "LogObjectInteraction",
                        {
                            **who,
                            "objectType": "Door",
                            "objectTypeStatus": rng.choice(("Opening", "Opening", "Closing")),
                            "objectTypeAdditionalInfo": [],
                        },
                    )
                elif kind == "window":
                    self.add(
                        t,
                        "LogObjectDestroy",
                        {
                            **who,
                            "objectType": "Window",
                            "objectLocation": dict(_NOWHERE),
                            "damageCauserName": "",
                        },
                    )
                elif kind == "vault":
                    self.add(
                        t,
                        "LogVaultStart",
                        {**who, "isLedgeGrab": rng.random() < 0.1, "isVaultOnVehicle": False},
                    )
                elif kind == "swim":
                    self.add(t, "LogSwimStart", dict(who))
                    until = min(t + rng.uniform(4, 40), last)
                    self.add(
                        until,
                        "LogSwimEnd",
                        {
                            "character": self.character(p, until),
                            "swimDistance": widened(2.2 * (until - t)),
                            "maxSwimDepthOfWater": widened(1 + rng.random()),
                        },
                    )
                else:
                    gun = p.main if t > 230 else p.early
                    child = rng.choice(_ATTACHMENTS)
                    parent = _item(gun.item, 1, "Weapon", gun.sub_category, [child] if kind == "detach" else None)
                    self.add(
                        t,
                        "LogItemAttach" if kind == "attach" else "LogItemDetach",
                        {**who, "parentItem": parent, "childItem": _item(child, 1, "Attachment", "None")},
                    )

    def _car(self, i: int, t: float, ride: tuple[float, float, str]) -> Event:
        s = min(int(t), len(self._cx[i]) - 1)
        return {
            "vehicleType": "WheeledVehicle",
            "vehicleId": ride[2],
            "seatIndex": i % 4,
            "healthPercent": 92.5,
            "feulPercent": widened(max(70 - 0.04 * t, 5)),
            "altitudeAbs": whole(self._cz[i][s] / 100),
            "altitudeRel": 0.5,
            "velocity": 56.25,
            "isWheelsInAir": False,
            "isInWaterVolume": False,
            "isEngineOn": True,
            "location": {"x": whole(self._cx[i][s]), "y": whole(self._cy[i][s]), "z": whole(self._cz[i][s])},
        }

    def _vehicles(self) -> None:
        rng = self.rng
        for p in self.people:
            i = p.index
            for ride in self.rides[i]:
                a, b, _ = ride
                fellows = [
                    self.character(q, a)
                    for q in self.story.teams[p.team].members
                    if q is not p and self._ride(q.index, a + 0.5) and q.standing_at(a)
                ][:3]
                self.add(
                    a,
                    "LogVehicleRide",
                    {
                        "character": self.character(p, a),
                        "vehicle": self._car(i, a, ride),
                        "seatIndex": i % 4,
                        "fellowPassengers": fellows,
                    },
                )
                end = b - 0.01
                far = widened(
                    float(np.hypot(np.diff(self._x[i, int(a) : int(b)]), np.diff(self._y[i, int(a) : int(b)])).sum())
                )
                self.add(
                    end,
                    "LogVehicleLeave",
                    {
                        "character": self.character(p, end),
                        "vehicle": self._car(i, end, ride),
                        "rideDistance": far,
                        "seatIndex": i % 4,
                        "maxSpeed": widened(70 + 30 * rng.random()),
                        "fellowPassengers": fellows,
                    },
                )
                if rng.random() < 0.06:
                    shooter = rng.choice(self.people)
                    t = (a + b) / 2
                    if shooter.team != p.team and shooter.standing_at(t):
                        body = {
                            "attackId": -1,
                            "attacker": self.character(shooter, t),
                            "vehicle": self._car(i, t, ride),
                            "damageTypeCategory": "Damage_Gun",
                            "damageCauserName": shooter.main.causer,
                        }
                        self.add(t, "LogVehicleDamage", {**body, "damage": 14.5, "distance": 5200.5})
                        if rng.random() < 0.4:
                            self.add(t, "LogWheelDestroy", dict(body))
                        if rng.random() < 0.25:
                            self.add(t, "LogVehicleDestroy", {**body, "distance": 5200.5})

    def _alive(self, t: float) -> int:
        return len(self.people) - bisect_right(self._deaths, t)

    def _positions(self) -> None:
        """Everybody's place every ten seconds; the dead keep being logged for a minute."""
        rng = self.rng
        first_zone = self.zone.spans[0][0]
        seconds = np.arange(self._x.shape[1], dtype=float)
        for p in self.people:
            i = p.index
            phase = rng.random() * 10
            count = len(self.people)
            for k in range(6, 0, -1):
                t = phase - 10 * k
                if t > -LOBBY + 36 or rng.random() < 0.7:
                    self.add(
                        t,
                        "LogPlayerPosition",
                        {
                            "character": self.character(p, t, 100.0),
                            "elapsedTime": 0,
                            "numAlivePlayers": count,
                        },
                    )
            stop = min(p.death + AFTERLIFE, self.end)
            ts = np.arange(phase, stop, 10.0)
            ts = np.round(ts + np.array([rng.uniform(-0.02, 0.02) for _ in range(len(ts))]), 3)
            # none at the very moment of death, where before and after would be a matter of rounding
            ts = ts[(ts >= 0) & (ts < stop) & (np.abs(ts - p.death) > 0.05)]
            xs = (np.round(np.interp(ts, seconds, self._x[i]) * 1600) / 16).tolist()
            ys = (np.round(np.interp(ts, seconds, self._y[i]) * 1600) / 16).tolist()
            samples = self.tallies[i].zone_samples
            for t, x, y in zip(ts.tolist(), xs, ys, strict=True):
                body: Event = {
                    "character": self.character(p, t, at=(x, y)),
                    "elapsedTime": round(t),
                    "numAlivePlayers": self._alive(t),
                }
                ride = self._ride(i, t)
                if ride:
                    body["vehicle"] = self._car(i, t, ride)
                elif t < self.jumps[i]:
                    body["vehicle"] = self._plane(p, t, 1799.8707275390625)
                elif self.old:
                    body["vehicle"] = None
                self.add(t, "LogPlayerPosition", body)
                if first_zone <= t < p.death:
                    samples.append((t, x / 100, y / 100))

    def _states(self) -> None:
        """Both circles every ten seconds, and the phase changes."""
        rng, teams, n = self.rng, len(self.story.teams), len(self.people)
        times = [round(10 * k + rng.uniform(0, 0.034), 3) for k in range(1, int((self.end - 0.05) / 10) + 1)]
        # one more at the very end, which the real file does not have: the last positions lie between two
        # states too
        for t in [*times, round(self.end, 3)]:
            state = self.zone.state(t)
            x, y, r = self.zone.blue_at(t)
            wx, wy, wr = state.white
            red = 450 < t < 900 and int(t / 90) % 4 == 0
            game: Event = {"elapsedTime": round(t)}
            if not self.old:
                game["numStartTeams"] = teams
            game["numAliveTeams"] = teams - bisect_right(self._team_outs, t)
            if not self.old:
                game["numParticipatedTeams"] = teams
            game |= {"numJoinPlayers": n, "numStartPlayers": n, "numAlivePlayers": self._alive(t)}
            if not self.old:
                game["numParticipatedPlayers"] = n
            game |= {
                "safetyZonePosition": {"x": whole(widened(x * 100)), "y": whole(widened(y * 100)), "z": 0},
                "safetyZoneRadius": whole(widened(r * 100)),
                "poisonGasWarningPosition": {
                    "x": whole(widened(wx * 100)),
                    "y": whole(widened(wy * 100)),
                    "z": 0,
                },
                "poisonGasWarningRadius": whole(widened(wr * 100)),
                "redZonePosition": {"x": whole(widened(x * 90)), "y": whole(widened(y * 110)), "z": 0}
                if red
                else dict(_NOWHERE),
                "redZoneRadius": 50000 if red else 0,
            }
            if not self.old:
                game |= {"blackZonePosition": dict(_NOWHERE), "blackZoneRadius": 0}
            self.add(t, "LogGameStatePeriodic", {"gameState": game})
        for k, (shown, moves, _) in enumerate(self.zone.spans):
            wx, wy, wr = self.zone.circles[k + 1]
            for t in (shown, moves):
                if t < self.end:
                    s = int(t)
                    inside = [
                        p.account_id
                        for p in self.people
                        if p.death > t and math.hypot(self._x[p.index, s] - wx, self._y[p.index, s] - wy) <= wr
                    ]
                    self.add(t + 0.11, "LogPhaseChange", {"phase": k + 1, "playersInWhiteCircle": inside})

    def _world(self) -> None:
        """Care packages and red zones."""
        rng = self.rng
        for k in range(6):
            t = self.zone.spans[0][1] + k * 150 + rng.uniform(0, 60)
            if t + 60 < self.end:
                x, y, r = self.zone.blue_at(t)
                place = {
                    "x": whole(widened((x + rng.uniform(-0.4, 0.4) * r) * 100)),
                    "y": whole(widened((y + rng.uniform(-0.4, 0.4) * r) * 100)),
                }
                package = {
                    "itemPackageId": "Carapackage_RedBox_C",
                    "location": {**place, "z": 30000},
                    "items": _CARE_PACKAGE,
                }
                self.add(t, "LogCarePackageSpawn", {"itemPackage": package})
                self.add(
                    t + 55,
                    "LogCarePackageLand",
                    {"itemPackage": {**package, "location": {**place, "z": 420.5}}},
                )
        for t in (540.0, 900.0):
            if t < self.end:
                self.add(t, "LogRedZoneEnded", {"drivers": []})

    def _close(self) -> None:
        rng, end = self.rng, self.end + 0.25
        winners = [p for p in self.people if self.ranks[p.team] == 1]
        body: Event = {"characters": [self._wrapped(p, end, ended=True) for p in self.people]}
        if not self.old:
            body["gameResultOnFinished"] = {
                "results": [
                    {
                        "rank": 1,
                        "gameResult": "",
                        "teamId": self.story.teams[p.team].team_id,
                        "stats": {
                            "killCount": self.tallies[p.index].kills,
                            "distanceOnFoot": widened(self.walked[p.index]),
                            "distanceOnSwim": 0,
                            "distanceOnVehicle": widened(self.ridden[p.index]),
                        },
                        "accountId": p.account_id,
                        "isRewardAbuse": False,
                    }
                    for p in winners
                ]
            }
            body["allWeaponStats"] = [
                {
                    "accountId": p.account_id,
                    "stats": [
                        {
                            "weapon": w,
                            "damage": int(d),
                            "dBNODamage": 0,
                            "shots": 0,
                            "hits": 0,
                            "dBNOHits": 0,
                            "holdingTime": 60,
                            "hitDetails": [],
                        }
                        for w, d in self.tallies[p.index].weapon_damage.items()
                    ],
                }
                for p in winners
                if not p.is_bot
            ]
        self.add(end, "LogMatchEnd", body)
        for p in self.people:  # the file goes on after the end
            if p.is_bot:
                continue
            gone = rng.random() < 0.7 and p.death < end - 60
            t = rng.uniform(p.death + 3, p.death + 50) if gone else end + rng.uniform(0.5, 14)
            self.add(t, "LogPlayerLogout", {"accountId": p.account_id})
        for p in winners:
            if p.death == math.inf and not p.is_bot:
                t = end + rng.uniform(0.3, 1.5)
                self.add(
                    t,
                    "LogItemUnequip",
                    {
                        "character": self.character(p, t),
                        "item": _item(p.main.item, 1, "Weapon", p.main.sub_category),
                    },
                )
                if self._health[p.index] and self._health[p.index] < 96:
                    t += 5
                    self.add(t, "LogHeal", {"character": self.character(p, t), "item": _NO_ITEM, "healAmount": 2})
