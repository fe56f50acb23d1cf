"""The events of a simulated match as the API's telemetry has them, one table of events at a time.

Files are of the form of 2025 (LogPlayerKillV2, characters in an object of their own), or of old tournaments
(LogPlayerKill, plain characters, nulls where new files have no key, damage while bleeding, no LogPlayerUseThrowable).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from gamestats_assets.simulators.pubg.circles import Floats
from gamestats_assets.simulators.pubg.damage import Damage
from gamestats_assets.simulators.pubg.paths import LOGGED_AFTER_DEATH_S, Ints, Paths
from gamestats_assets.simulators.pubg.story import Kill, Story, Strike
from gamestats_assets.simulators.pubg.world import RAMMING, items
from gamestats_assets.simulators.templates import rows, template

Event = dict[str, Any]

_EVENTS, _PARTS = template("pubg", "events"), template("pubg", "parts")
_LOBBY_S, _EVERY_S = 60, 10.0
_LATE, _LATE_BY_S = 0.004, 0.32
"""Share of events that come late in the file, and by how much at most."""
_NULL_OF = 8
"""In new files one of so many nulls is written, the others have no key."""
_BURSTS_A_MINUTE, _THROWS_A_MINUTE, _OF_A_BOT = 0.35, 0.1, 0.35
_IDLE_IDS = 1 << 20
"""Attacks that concern nobody are numbered from here."""
_PLANE = {"vehicleType": "TransportAircraft", "vehicleId": "DummyTransportAircraft_C", "isEngineOn": False}


def fill(form: Mapping[str, Any], **columns: Sequence[Any]) -> list[Event]:
    """One document per row of some columns: the form with the row's values in it.

    >>> fill({"a": 1, "b": 2}, b=[3, 4])
    [{'a': 1, 'b': 3}, {'a': 1, 'b': 4}]
    """
    if unknown := columns.keys() - form.keys():
        raise KeyError(f"expected keys of the form ({', '.join(form)}), found {', '.join(sorted(unknown))}")
    return [{**form, **dict(zip(columns, values, strict=True))} for values in zip(*columns.values(), strict=True)]


def _points(x: Floats, y: Floats, z: Floats | None = None) -> list[Event]:
    """Places in metres as the centimetres of a file."""
    axes = [np.round(axis * 100, 2).tolist() for axis in (x, y, np.zeros(x.size) if z is None else z)]
    return [{"x": x, "y": y, "z": z} for x, y, z in zip(*axes, strict=True)]


@dataclass(frozen=True)
class MatchIdentity:
    """What a file says about its match as a whole."""

    name: str
    map_name: str
    start: datetime
    team_size: int
    is_custom: bool
    is_fpp: bool


class Telemetry:
    """The events of a finished story, and the tables that they were written from.

    Attributes:
        log: all events, in the file's order.
        ranks: the placement of each team.
        positions: who was where in which moment of the match, in metres.
        landings: place of each person's landing in metres, of those who landed.
        thrown: who threw which item.
        weapons_picked_up: who picked one up, once for each.
    """

    def __init__(self, story: Story, paths: Paths, damage: Damage, match: MatchIdentity, old: bool) -> None:
        self.story, self.paths, self.damage, self.match, self.old = story, paths, damage, match, old
        self._rng, self._keys, self._log = story.rng, list[Floats](), list[Event]()
        people, everybody = story.people, np.arange(len(story.people))
        order = sorted(story.teams, key=lambda team: -team.out)
        self.ranks = [order.index(team) + 1 for team in story.teams]
        self._team = np.array([person.team for person in people])
        self._rank = np.array(self.ranks)[self._team]
        self._out = np.array([team.out for team in story.teams])[self._team]
        self._own_rank = np.empty(len(people), dtype=np.int64)
        self._own_rank[np.argsort(-paths.death, kind="stable")] = everybody + 1
        self._bases = fill(
            _PARTS["character"],
            name=[person.name for person in people],
            teamId=[story.teams[person.team].team_id for person in people],
            accountId=[person.account_id for person in people],
            type=["user_ai" if person.is_bot else "user" for person in people],
        )
        self._minutes = np.maximum(paths.stop - paths.landing - 4, 0) / 60
        self._minutes *= [_OF_A_BOT if person.is_bot else 1.0 for person in people]
        self._begin(everybody)
        self._land(everybody)
        self._drive()
        self._fight()
        self._shoot()
        self._loot()
        self._be_somewhere(everybody)
        self._state()
        self._finish(everybody)
        in_order = np.argsort(np.concatenate(self._keys), kind="stable").tolist()
        self.log = [self._definition(), *(self._log[number] for number in in_order)]

    # ----------------------------------------------------------------- forms

    def _stamps(self, t: Floats) -> list[str]:
        milliseconds = np.round(t * 1000).astype("timedelta64[ms]")
        times = np.datetime64(self.match.start.replace(tzinfo=None), "ms") + milliseconds
        return [f"{text}Z" for text in np.datetime_as_string(times, unit="ms").tolist()]

    def emit(self, kind: str, t: Floats, **columns: Sequence[Any]) -> None:
        """Log a table of events: one of a kind per time, the values that differ from its form as columns."""
        form = {**_EVENTS[kind], "common": None, "_D": "", "_T": kind}
        games = [{"isGame": value} for value in self.story.circles.is_game(t).tolist()]
        events = fill(form, **columns, common=games, _D=self._stamps(t))
        for name in [name for name, value in _EVENTS[kind].items() if value is None and not self.old]:
            for number, event in enumerate(events):
                if event[name] is None and number % _NULL_OF:
                    del event[name]
        late = self._rng.random(t.size)
        self._keys.append(t + np.where(late < _LATE, late / _LATE * _LATE_BY_S, 0.0))
        self._log += events

    def characters(self, who: Sequence[int] | Ints, t: Floats, health: Floats | None = None) -> list[Any]:
        """The characters of some people as they are, each at a time; nothing for -1."""
        who = np.asarray(who, dtype=np.int64)
        x, y, z = self.paths.place(who, t)
        gone, dead = (
            (t >= self._out[who]) | (t >= self.story.end),
            t >= np.minimum(self.paths.death[who], self.story.end),
        )
        values = zip(
            who.tolist(),
            np.round(self.damage.health.at(who, t) if health is None else health, 4).tolist(),
            _points(x, y, z),
            np.where(gone, self._rank[who], 0).tolist(),
            np.where(dead, self._own_rank[who], 0).tolist(),
            self.paths.is_outside(who, t).tolist(),
            self.paths.rides_at(who, t).tolist(),
            strict=True,
        )
        characters = [
            {**self._bases[i], "health": health, "location": place, "ranking": rank, "individualRanking": own,
             "isInBlueZone": is_outside, "isInVehicle": rides}
            if i >= 0 else None
            for i, health, place, rank, own, is_outside, rides in values
        ]  # fmt: skip
        if self.old:
            return [one and {key: one[key] for key in _PARTS["character_v1"]} for one in characters]
        return characters

    def _wrapped(self, characters: list[Event]) -> list[Event]:
        return characters if self.old else fill(_PARTS["wrapped_character"], character=characters)

    def _vehicles(self, ids: Sequence[str | None], who: Ints, t: Floats) -> list[Event]:
        """The vehicles of some people, each at a time; the plane where there is no other."""
        places, seats = _points(*self.paths.place(who, t)), (who % 4).tolist()
        vehicles = fill(_PARTS["vehicle"], vehicleId=ids, seatIndex=seats, location=places)
        return [vehicle if vehicle["vehicleId"] else {**vehicle, **_PLANE} for vehicle in vehicles]

    def distances_cm(self, strikes: Sequence[Strike]) -> list[float]:
        """From the attacker to the victim of each strike; -1 where the zone struck."""
        t = np.array([strike.t for strike in strikes])
        of = [self.paths.place(np.array([strike.victim.index for strike in strikes]), t)]
        of.append(self.paths.place(np.array([_index(strike.attacker) for strike in strikes]), t))
        far = np.round(100 * np.sqrt(sum((a - b) ** 2 for a, b in zip(*of, strict=True))), 2).tolist()
        return [-1 if strike.attacker is None else distance for strike, distance in zip(strikes, far, strict=True)]

    def _infos(self, strikes: Sequence[Strike | None]) -> list[Event]:
        known = [strike for strike in strikes if strike is not None]
        filled = iter(
            fill(
                _PARTS["damage_info"],
                damageReason=[strike.reason for strike in known],
                damageTypeCategory=[strike.category for strike in known],
                damageCauserName=[strike.causer for strike in known],
                distance=self.distances_cm(known),
            )
        )
        return [_PARTS["damage_info"] if strike is None else next(filled) for strike in strikes]

    # ----------------------------------------------------------------- what happens

    def _definition(self) -> Event:
        stamp = self._stamps(np.array([0.031]))[0][:-1] + f"{int(self._rng.integers(1, 9999)):04d}Z"
        values = {"MatchId": self.match.name, "_D": stamp, "_T": "LogMatchDefinition"}
        return {**_EVENTS["LogMatchDefinition"], **values}

    def _begin(self, everybody: Ints) -> None:
        t = self._rng.uniform(-_LOBBY_S, -_LOBBY_S / 2, everybody.size)
        self.emit("LogPlayerCreate", t, character=self.characters(everybody, t))
        self.emit(
            "LogMatchStart",
            np.zeros(1),
            mapName=[self.match.map_name],
            characters=[self._wrapped(self.characters(everybody, t))],
            cameraViewBehaviour=["FpsOnly" if self.match.is_fpp else "FpsAndTps"],
            teamSize=[self.match.team_size],
            isCustomGame=[self.match.is_custom],
        )

    def _land(self, everybody: Ints) -> None:
        """Out of the plane and down to the ground, who lived to see it."""
        start, jump = np.full(everybody.size, 0.01), self.paths.jump
        for kind, t in (("LogVehicleRide", start), ("LogVehicleLeave", jump)):
            vehicles = self._vehicles([None] * t.size, everybody, t)
            self.emit(kind, t, character=self.characters(everybody, t), vehicle=vehicles)
        who = np.flatnonzero(self.paths.landing <= self.paths.stop)
        t = self.paths.landing[who]
        parachute = items("parachute").items * who.size
        self.emit("LogItemUnequip", t, character=self.characters(who, t), item=parachute)
        landed = self.characters(who, t)
        self.emit("LogParachuteLanding", t, character=landed)
        places = [(one["location"]["x"] / 100, one["location"]["y"] / 100) for one in landed]
        self.landings = dict(zip(who.tolist(), places, strict=True))

    def _drive(self) -> None:
        rides = self.paths.rides
        who, ids = np.array([ride[0] for ride in rides], dtype=np.int64), [ride[3] for ride in rides]
        for kind, column in (("LogVehicleRide", 1), ("LogVehicleLeave", 2)):
            t = np.array([ride[column] for ride in rides], dtype=float)
            self.emit(kind, t, character=self.characters(who, t), vehicle=self._vehicles(ids, who, t))

    def _fight(self) -> None:
        """Damage, knocks, revives and deaths, and what heals."""
        hits, uses, story = self.damage.hits, self.damage.uses, self.story
        t, victims = hits["t"], hits["victim"]
        self.emit(
            "LogPlayerTakeDamage",
            t,
            attackId=hits["attack_id"].tolist(),
            attacker=self.characters(hits["attacker"], t),
            victim=self.characters(victims, t, hits["health"]),
            damageTypeCategory=hits["category"].tolist(),
            damageReason=hits["reason"].tolist(),
            damage=hits["damage"].tolist(),
            damageCauserName=hits["causer"].tolist(),
        )
        t, who, used = uses["t"], uses["who"], uses["item"].tolist()
        self.emit("LogItemUse", t, character=self.characters(who, t - 0.001), item=used)
        self.emit("LogHeal", t, character=self.characters(who, t), healAmount=uses["healed"].tolist())
        strikes = [knock.strike for knock in story.knocks]
        t = np.array([strike.t for strike in strikes]) + 0.002
        self.emit(
            "LogPlayerMakeGroggy",
            t,
            attackId=[strike.attack_id for strike in strikes],
            attacker=self.characters([_index(strike.attacker) for strike in strikes], t),
            victim=self.characters([strike.victim.index for strike in strikes], t),
            damageReason=[strike.reason for strike in strikes],
            damageTypeCategory=[strike.category for strike in strikes],
            damageCauserName=[strike.causer for strike in strikes],
            victimWeapon=[strike.victim.guns[0].causer for strike in strikes],
            distance=self.distances_cm(strikes),
            isAttackerInVehicle=[strike.weapon is RAMMING for strike in strikes],
            dBNOId=[knock.dbno_id for knock in story.knocks],
        )
        t = np.array([revive.t for revive in story.revives])
        self.emit(
            "LogPlayerRevive",
            t,
            reviver=self.characters([revive.reviver.index for revive in story.revives], t),
            victim=self.characters([revive.knock.strike.victim.index for revive in story.revives], t),
            dBNOId=[revive.knock.dbno_id for revive in story.revives],
        )
        self._kill(story.kills)

    def _kill(self, kills: Sequence[Kill]) -> None:
        t = np.array([kill.t for kill in kills]) + 0.003
        victims = np.array([kill.victim.index for kill in kills])
        columns: dict[str, Sequence[Any]] = {
            "attackId": [kill.finish.attack_id for kill in kills],
            "dBNOId": [kill.knock.dbno_id if kill.knock else -1 for kill in kills],
            "victim": self.characters(victims, t),
            "killer": self.characters([_index(kill.killer) for kill in kills], t),
            "victimWeapon": [kill.victim.guns[0].causer for kill in kills],
            "victimGameResult": fill(
                _PARTS["game_result"],
                rank=np.where(t >= self._out[victims], self._rank[victims], 0).tolist(),
                teamId=[self.story.teams[kill.victim.team].team_id for kill in kills],
                accountId=[kill.victim.account_id for kill in kills],
            ),
        }
        finishes = self._infos([kill.finish for kill in kills])
        helpers = [assistants(kill, self.old) for kill in kills]
        if self.old:
            shown = ("damageReason", "damageTypeCategory", "damageCauserName", "distance")
            columns |= {name: [info[name] for info in finishes] for name in shown}
            columns["assistant"] = self.characters([helper[0].index if helper else -1 for helper in helpers], t)
            self.emit("LogPlayerKill", t, **columns)
            return
        credited = self._infos([kill.credited for kill in kills])
        blank = {**_PARTS["damage_info"], "damageReason": "", "damageTypeCategory": "", "damageCauserName": ""}
        knocks = [kill.knock.strike if kill.knock else None for kill in kills]
        columns |= {
            "dBNOMaker": self.characters([_index(strike.attacker) if strike else -1 for strike in knocks], t),
            "dBNODamageInfo": self._infos(knocks),
            "finisher": self.characters([_index(kill.finisher) for kill in kills], t),
            "finishDamageInfo": finishes,
            "killerDamageInfo": [info if kill.killer else blank for kill, info in zip(kills, credited, strict=True)],
            "assists_AccountId": [[helper.account_id for helper in helping] for helping in helpers],
            "teamKillers_AccountId": [
                [kill.killer.account_id] if kill.killer and is_team_kill(kill) else [] for kill in kills
            ],
            "isSuicide": [kill.killer is kill.victim for kill in kills],
        }
        self.emit("LogPlayerKillV2", t, **columns)

    def _moments(self, a_minute: float) -> tuple[Ints, Floats]:
        """People and times of what everybody does now and then while standing."""
        who = np.repeat(np.arange(self._minutes.size), self._rng.poisson(a_minute * self._minutes))
        begin, end = self.paths.landing[who] + 3, self.paths.stop[who] - 1
        t = begin + (end - begin) * self._rng.random(who.size)
        able = self.paths.stands(who, t)
        return who[able], t[able]

    def _shoot(self) -> None:
        """Shots and throws: those that hit, and those at nobody."""
        rng, shots = self._rng, self.damage.shots
        begun, first = self._moments(_BURSTS_A_MINUTE)
        count = rng.integers(2, 14, begun.size)
        number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        who, early = np.repeat(begun, count), np.repeat(first < 230, count)
        guns = [self.story.people[i].guns[2 if is_early else 0] for i, is_early in zip(who, early, strict=True)]
        t = np.repeat(first, count) + number * np.array([gun.interval_s for gun in guns])
        able = np.flatnonzero(self.paths.stands(who, t) & (t < self.paths.stop[who] - 1))
        ids = (who << 24) + _IDLE_IDS + np.arange(who.size)
        self._attack(
            np.concatenate([shots["t"], t[able]]),
            np.concatenate([shots["who"], who[able]]),
            [*shots["attack_id"].tolist(), *ids[able].tolist()],
            [*shots["item"].tolist(), *(guns[i].item for i in able.tolist())],
        )
        throws, pool = self.damage.throws, items("thrown plaything")
        idle, t = self._moments(_THROWS_A_MINUTE)
        ids = (idle << 24) + 2 * _IDLE_IDS + np.arange(idle.size)
        which = rng.choice(len(pool.items), idle.size, p=pool.shares)
        who = np.concatenate([throws["who"], idle])
        thrown = [*throws["item"].tolist(), *(pool.items[i] for i in which.tolist())]
        times = np.concatenate([throws["t"], t])
        attack_ids = [*throws["attack_id"].tolist(), *ids.tolist()]
        self._attack(times, who, attack_ids, thrown)
        if not self.old:
            attackers = self.characters(who, times)
            self.emit("LogPlayerUseThrowable", times, attackId=attack_ids, attacker=attackers, weapon=thrown)
        self.thrown = {"who": who, "item": np.array([item["itemId"] for item in thrown])}

    def _attack(self, t: Floats, who: Ints, ids: list[int], weapons: list[Event]) -> None:
        self.emit("LogPlayerAttack", t, attackId=ids, attacker=self.characters(who, t), weapon=weapons)

    def _loot(self) -> None:
        """What fills a file and concerns no fight: looting, doors, vaults."""
        for row in rows("pubg", "routine"):
            who, t = self._moments(float(row["a_minute"]))
            columns: dict[str, list[Any]] = {}
            if row["key"]:
                pool = items(row["roles"])
                which = self._rng.choice(len(pool.items), who.size, p=pool.shares).tolist()
                columns[row["key"]] = [pool.items[i] for i in which]
                if row["event_type"] == "LogItemPickup":
                    categories = [pool.items[i]["category"] for i in which]
                    self.weapons_picked_up = who[np.array(categories) == "Weapon"]
            self.emit(row["event_type"], t, character=self.characters(who, t), **columns)

    def _be_somewhere(self, everybody: Ints) -> None:
        """Everybody's place every ten seconds, from the lobby on; the dead are logged for some time."""
        phases = self._rng.uniform(0, _EVERY_S, (everybody.size, 1))
        times = phases + np.arange(-_LOBBY_S, self.story.end + LOGGED_AFTER_DEATH_S, _EVERY_S)
        times = np.round(times + self._rng.uniform(-0.02, 0.02, times.shape), 3)
        who, t = np.repeat(everybody, times.shape[1]), times.ravel()
        last = np.minimum(self.paths.death[who] + LOGGED_AFTER_DEATH_S, self.story.end)
        # None at the very moment of a death, where before and after would be a matter of rounding.
        kept = (t < last) & (np.abs(t - self.paths.death[who]) > 0.05)
        who, t = who[kept], t[kept]
        characters = self.characters(who, t)
        seats = {(i, second): vehicle for i, a, b, vehicle in self.paths.rides for second in range(int(a), int(b) + 1)}
        sits = np.flatnonzero(self.paths.rides_at(who, t))
        ids = [
            seats.get((i, second)) for i, second in zip(who[sits].tolist(), t[sits].astype(int).tolist(), strict=True)
        ]
        vehicles: list[Event | None] = [None] * who.size
        for number, vehicle in zip(sits.tolist(), self._vehicles(ids, who[sits], t[sits]), strict=True):
            vehicles[number] = vehicle
        self.emit(
            "LogPlayerPosition",
            t,
            character=characters,
            vehicle=vehicles,
            elapsedTime=np.maximum(np.round(t), 0).astype(int).tolist(),
            numAlivePlayers=self.paths.alive(t).tolist(),
        )
        x, y = (np.array([one["location"][axis] for one in characters]) / 100 for axis in ("x", "y"))
        in_game = (self.story.circles.is_game(t) >= 1) & (t < self.paths.death[who])
        self.positions = {"who": who[in_game], "t": t[in_game], "x": x[in_game], "y": y[in_game]}

    def _state(self) -> None:
        """Both circles every ten seconds, and once more at the end, so that all positions lie between two states."""
        story = self.story
        regular = np.arange(_EVERY_S, story.end - 0.05, _EVERY_S)
        regular += self._rng.uniform(0, 0.034, regular.size)
        t: Floats = np.append(regular, story.end).round(3)
        x, y, radius = story.circles.blue(t)
        white = story.circles.white(t)
        outs = np.sort([team.out for team in story.teams])
        people, teams = ([len(of)] * t.size for of in (story.people, story.teams))
        alive_teams = (len(story.teams) - np.searchsorted(outs, t, side="right")).tolist()
        states = fill(
            _PARTS["game_state"],
            elapsedTime=np.round(t).astype(int).tolist(),
            numAlivePlayers=self.paths.alive(t).tolist(),
            numAliveTeams=alive_teams,
            safetyZonePosition=_points(x, y),
            safetyZoneRadius=(radius * 100).tolist(),
            poisonGasWarningPosition=_points(white[:, 0], white[:, 1]),
            poisonGasWarningRadius=(white[:, 2] * 100).tolist(),
            **dict.fromkeys(("numJoinPlayers", "numStartPlayers", "numParticipatedPlayers"), people),
            **dict.fromkeys(("numStartTeams", "numParticipatedTeams"), teams),
        )
        self.emit("LogGameStatePeriodic", t, gameState=states)

    def _finish(self, everybody: Ints) -> None:
        end = np.full(everybody.size, self.story.end + 0.25)
        characters = self.characters(everybody, end)
        for i, character in enumerate(characters):
            if self.paths.death[i] < math.inf:
                character |= {"health": 0, "location": {"x": 0, "y": 0, "z": 0}}
        self.emit("LogMatchEnd", end[:1], characters=[self._wrapped(characters)])
        humans = [person.account_id for person in self.story.people if not person.is_bot]
        self.emit("LogPlayerLogout", end[0] + self._rng.uniform(0.5, 14, len(humans)), accountId=humans)


def _index(person: Any) -> int:
    return -1 if person is None else person.index


def assistants(kill: Kill, old: bool) -> list[Any]:
    """Who is given an assist; old files name one at most."""
    helpers = [one for one in dict.fromkeys(kill.helpers) if one not in (kill.killer, kill.victim) and not one.is_bot]
    return helpers[:1] if old else helpers


def is_team_kill(kill: Kill) -> bool:
    """Whether somebody killed a team mate."""
    return kill.killer is not None and kill.killer is not kill.victim and kill.killer.team == kill.victim.team
