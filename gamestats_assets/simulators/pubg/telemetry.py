"""The events of a simulated match in the format of the API's telemetry, one table of events at a time.

Files have the format of 2025 (LogPlayerKillV2, characters in an object of their own), or of old tournaments
(LogPlayerKill, plain characters, nulls where new files lack the key, damage while bleeding, no LogPlayerUseThrowable).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.simulators.pubg.circles import Floats
from gamestats_assets.simulators.pubg.damage import Damage
from gamestats_assets.simulators.pubg.paths import LOGGED_AFTER_DEATH_S, Ints, Paths
from gamestats_assets.simulators.pubg.story import Story, Strike
from gamestats_assets.simulators.pubg.world import ITEMS, RAMMING, items
from gamestats_assets.simulators.templates import rows, template

Event = dict[str, Any]

_EVENTS, _PARTS = template("pubg", "events"), template("pubg", "parts")
_LOBBY_S, _EVERY_S = 60, 10.0
_LATE, _LATE_BY_S = 0.004, 0.32
"""Share of events that come late in the file, and their largest delay."""
_NULL_OF = 8
"""In new files one null in so many is written; the others have no key."""
_BURSTS_A_MINUTE, _THROWS_A_MINUTE, _OF_A_BOT = 0.35, 0.1, 0.35
_IDLE_IDS = 1 << 20
"""First number of attacks that hit no one."""
_SHOWN = ("damageReason", "damageTypeCategory", "damageCauserName", "distance")
_PLANE = {"vehicleType": "TransportAircraft", "vehicleId": "DummyTransportAircraft_C", "isEngineOn": False}


def fill(form: Mapping[str, Any], **columns: Sequence[Any]) -> list[Event]:
    """Returns one document per row of columns: the form with the row's values in it.

    >>> fill({"a": 1, "b": 2}, b=[3, 4])
    [{'a': 1, 'b': 3}, {'a': 1, 'b': 4}]
    """
    if unknown := columns.keys() - form.keys():
        raise KeyError(f"expected keys of the form ({', '.join(form)}), found {', '.join(sorted(unknown))}")
    return [{**form, **dict(zip(columns, values, strict=True))} for values in zip(*columns.values(), strict=True)]


def _points(x: Floats, y: Floats, z: Floats | None = None) -> list[Event]:
    """Returns places in metres as the centimetres of a file."""
    axes = [np.round(axis * 100, 2).tolist() for axis in (x, y, np.zeros(x.size) if z is None else z)]
    return [{"x": x, "y": y, "z": z} for x, y, z in zip(*axes, strict=True)]


@dataclass(frozen=True)
class MatchIdentity:
    """Facts about the match as a whole."""

    name: str
    map_name: str
    start: datetime
    team_size: int
    is_custom: bool
    is_fpp: bool


class Telemetry:
    """The events of a story, and the tables behind them, in which people are numbered from 0.

    Attributes:
        log: all events, in the file's order.
        ranks: the placement of each team.
        kills: those of the story, with the facts of the strike that counts, and `finish_category`.
        knocks: strikes that knocked a person.
        throws: thrower and item.
        positions: people's places in metres at moments of the match.
        landings: place of each landing in metres, for people who landed.
        pickups: person and category of the picked-up item.
    """

    throws: pl.DataFrame
    positions: pl.DataFrame
    landings: pl.DataFrame
    pickups: pl.DataFrame

    def __init__(self, story: Story, paths: Paths, damage: Damage, match: MatchIdentity, old: bool) -> None:
        self.story, self.paths, self.damage, self.match, self.old = story, paths, damage, match, old
        self._rng, self._keys, self._log = story.rng, list[Floats](), list[Event]()
        people, everybody = story.people, np.arange(len(story.people))
        self.ranks = np.argsort(np.argsort(-story.out, kind="stable"), kind="stable") + 1
        self._rank, self._out = self.ranks[story.team], story.out[story.team]
        self._own_rank = np.argsort(np.argsort(-story.death, kind="stable"), kind="stable") + 1
        self._bases = fill(
            _PARTS["character"],
            name=[person.name for person in people],
            teamId=[story.team_ids[person.team] for person in people],
            accountId=[person.account_id for person in people],
            type=["user_ai" if person.is_bot else "user" for person in people],
        )
        self._minutes = np.maximum(paths.stop - paths.landing - 4, 0) / 60 * np.where(story.is_bot, _OF_A_BOT, 1.0)
        self._infos = self._damage_infos(story.strikes)
        self.kills, self.knocks = self._tables_of_fights()
        self._begin(everybody)
        self._land(everybody)
        self._drive()
        self._fight()
        self._kill()
        self._shoot()
        self._loot()
        self._be_somewhere(everybody)
        self._state()
        self._finish(everybody)
        in_order = np.argsort(np.concatenate(self._keys), kind="stable").tolist()
        self.log = [self._definition(), *(self._log[number] for number in in_order)]

    # ----------------------------------------------------------------- tables of fights

    def _damage_infos(self, strikes: Sequence[Strike]) -> list[Event]:
        """Returns a file's facts about each strike; the zone has no distance."""
        t = np.array([strike.t for strike in strikes])
        victims, attackers = (
            self.paths.place(np.array([getattr(strike, role) for strike in strikes]), t)
            for role in ("victim", "attacker")
        )
        apart = np.sqrt(sum((a - b) ** 2 for a, b in zip(victims, attackers, strict=True)))
        by_zone = np.array([strike.attacker < 0 for strike in strikes])
        return fill(
            _PARTS["damage_info"],
            damageReason=[strike.reason for strike in strikes],
            damageTypeCategory=[strike.category for strike in strikes],
            damageCauserName=[strike.causer for strike in strikes],
            distance=np.where(by_zone, -1.0, np.round(100 * apart, 2)).tolist(),
        )

    def _tables_of_fights(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Returns kills and knocks; an old file has only the last strike, no other finisher, and one assistant."""
        story = self.story
        names = ("number", "t", "attacker", "victim", "category", "reason", "causer", "attack_id")
        strikes = pl.DataFrame(
            [[getattr(strike, name) for name in names] for strike in story.strikes], names, orient="row"
        )
        strikes = strikes.with_columns(distance_m=pl.Series([info["distance"] / 100 for info in self._infos]))
        kills = pl.DataFrame(story.kills, schema_overrides={"helpers": pl.List(pl.Int64)}, infer_schema_length=None)
        if self.old:
            kills = kills.with_columns(pl.col("helpers").list.head(1), credited="finish", finisher="killer")
        facts = strikes.select("category", "reason", "causer", "distance_m", credited="number")
        ends = strikes.select("attack_id", finish="number", finish_category="category")
        kills = kills.join(facts, on="credited", maintain_order="left").join(ends, on="finish", maintain_order="left")
        return kills, strikes[[knock.strike.number for knock in story.knocks]]

    # ----------------------------------------------------------------- forms

    def _stamps(self, t: Floats) -> list[str]:
        milliseconds = np.round(t * 1000).astype("timedelta64[ms]")
        times = np.datetime64(self.match.start.replace(tzinfo=None), "ms") + milliseconds
        return [f"{text}Z" for text in np.datetime_as_string(times, unit="ms").tolist()]

    def emit(self, kind: str, t: Floats, **columns: Sequence[Any]) -> None:
        """Logs a table of events: one of a kind per time, with values that differ from its form as columns."""
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
        """Returns the characters of people at their times; None for -1."""
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
        """Returns the vehicles of people, each at a time; the plane if there is no other."""
        places, seats = _points(*self.paths.place(who, t)), (who % 4).tolist()
        vehicles = fill(_PARTS["vehicle"], vehicleId=ids, seatIndex=seats, location=places)
        return [vehicle if vehicle["vehicleId"] else {**vehicle, **_PLANE} for vehicle in vehicles]

    # ----------------------------------------------------------------- events

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
        """Logs leaving the plane and landing, for those who live to do so."""
        start, jump = np.full(everybody.size, 0.01), self.paths.jump
        for kind, t in (("LogVehicleRide", start), ("LogVehicleLeave", jump)):
            vehicles = self._vehicles([None] * t.size, everybody, t)
            self.emit(kind, t, character=self.characters(everybody, t), vehicle=vehicles)
        who = np.flatnonzero(self.paths.landing <= self.paths.stop)
        t = self.paths.landing[who]
        parachute = items("parachute")[0] * who.size
        self.emit("LogItemUnequip", t, character=self.characters(who, t), item=parachute)
        landed = self.characters(who, t)
        self.emit("LogParachuteLanding", t, character=landed)
        self.landings = _where(who, t, landed)

    def _drive(self) -> None:
        rides = self.paths.rides
        who, ids = np.array([ride[0] for ride in rides], dtype=np.int64), [ride[3] for ride in rides]
        for kind, column in (("LogVehicleRide", 1), ("LogVehicleLeave", 2)):
            t = np.array([ride[column] for ride in rides], dtype=float)
            self.emit(kind, t, character=self.characters(who, t), vehicle=self._vehicles(ids, who, t))

    def _fight(self) -> None:
        """Logs damage, knocks, revives and healing."""
        hits, uses, story, weapons = self.damage.hits, self.damage.uses, self.story, self._weapons
        t = hits["t"].to_numpy()
        self.emit(
            "LogPlayerTakeDamage",
            t,
            attackId=hits["attack_id"].to_list(),
            attacker=self.characters(hits["attacker"].to_numpy(), t),
            victim=self.characters(hits["victim"].to_numpy(), t, hits["health"].to_numpy()),
            damageTypeCategory=hits["category"].to_list(),
            damageReason=hits["reason"].to_list(),
            damage=hits["damage"].to_list(),
            damageCauserName=hits["causer"].to_list(),
        )
        t, who, used = uses["t"].to_numpy(), uses["who"].to_numpy(), [ITEMS[item] for item in uses["item"]]
        self.emit("LogItemUse", t, character=self.characters(who, t - 0.001), item=used)
        self.emit("LogHeal", t, character=self.characters(who, t), healAmount=uses["healed"].to_list())
        strikes = [knock.strike for knock in story.knocks]
        infos = [self._infos[strike.number] for strike in strikes]
        t = self.knocks["t"].to_numpy() + 0.002
        self.emit(
            "LogPlayerMakeGroggy",
            t,
            attackId=self.knocks["attack_id"].to_list(),
            attacker=self.characters(self.knocks["attacker"].to_numpy(), t),
            victim=self.characters(self.knocks["victim"].to_numpy(), t),
            victimWeapon=[weapons[strike.victim] for strike in strikes],
            isAttackerInVehicle=[strike.weapon is RAMMING for strike in strikes],
            dBNOId=[knock.dbno_id for knock in story.knocks],
            **{name: [info[name] for info in infos] for name in _SHOWN},
        )
        t = np.array([t for t, _, _ in story.revives])
        self.emit(
            "LogPlayerRevive",
            t,
            reviver=self.characters([reviver for _, reviver, _ in story.revives], t),
            victim=self.characters([knock.strike.victim for _, _, knock in story.revives], t),
            dBNOId=[knock.dbno_id for _, _, knock in story.revives],
        )

    @property
    def _weapons(self) -> list[str]:
        """Returns the weapon in each person's hand."""
        return [person.guns[0].causer for person in self.story.people]

    def _kill(self) -> None:
        kills, weapons, people = self.kills, self._weapons, self.story.people
        t = kills["t"].to_numpy() + 0.003
        victims = kills["victim"].to_numpy()
        columns: dict[str, Sequence[Any]] = {
            "attackId": kills["attack_id"].to_list(),
            "dBNOId": kills["dbno_id"].to_list(),
            "victim": self.characters(victims, t),
            "killer": self.characters(kills["killer"].to_numpy(), t),
            "victimWeapon": [weapons[victim] for victim in victims.tolist()],
            "victimGameResult": fill(
                _PARTS["game_result"],
                rank=np.where(t >= self._out[victims], self._rank[victims], 0).tolist(),
                teamId=[self._bases[victim]["teamId"] for victim in victims.tolist()],
                accountId=[people[victim].account_id for victim in victims.tolist()],
            ),
        }
        finishes = [self._infos[number] for number in kills["finish"].to_list()]
        if self.old:
            columns |= {name: [info[name] for info in finishes] for name in _SHOWN}
            columns["assistant"] = self.characters(kills["helpers"].list.first().fill_null(-1).to_numpy(), t)
            self.emit("LogPlayerKill", t, **columns)
            return
        none = _PARTS["damage_info"]
        blank = {**none, "damageReason": "", "damageTypeCategory": "", "damageCauserName": ""}
        rows = kills.to_dicts()
        columns |= {
            "dBNOMaker": self.characters(kills["knocker"].to_numpy(), t),
            "dBNODamageInfo": [none if row["knock"] < 0 else self._infos[row["knock"]] for row in rows],
            "finisher": self.characters(kills["finisher"].to_numpy(), t),
            "finishDamageInfo": finishes,
            "killerDamageInfo": [blank if row["killer"] < 0 else self._infos[row["credited"]] for row in rows],
            "assists_AccountId": [[people[helper].account_id for helper in row["helpers"]] for row in rows],
            "teamKillers_AccountId": [
                [people[row["killer"]].account_id] if self._is_team_kill(row["killer"], row["victim"]) else []
                for row in rows
            ],
            "isSuicide": [row["killer"] == row["victim"] for row in rows],
        }
        self.emit("LogPlayerKillV2", t, **columns)

    def _is_team_kill(self, killer: int, victim: int) -> bool:
        return killer not in (-1, victim) and bool(self.story.team[killer] == self.story.team[victim])

    def _moments(self, a_minute: float) -> tuple[Ints, Floats]:
        """Returns people and times of occasional actions of those who stand."""
        who = np.repeat(np.arange(self._minutes.size), self._rng.poisson(a_minute * self._minutes))
        begin, end = self.paths.landing[who] + 3, self.paths.stop[who] - 1
        t = begin + (end - begin) * self._rng.random(who.size)
        able = self.paths.stands(who, t)
        return who[able], t[able]

    def _shoot(self) -> None:
        """Logs shots and throws: those that hit, and those at no one."""
        rng, shots = self._rng, self.damage.shots
        begun, first = self._moments(_BURSTS_A_MINUTE)
        count = rng.integers(2, 14, begun.size)
        number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        who, early = np.repeat(begun, count), np.repeat(first < 230, count)
        guns = [self.story.people[i].guns[2 if is_early else 0] for i, is_early in zip(who, early, strict=True)]
        t = np.repeat(first, count) + number * np.array([gun.interval_s for gun in guns])
        able = np.flatnonzero(self.paths.stands(who, t) & (t < self.paths.stop[who] - 1))
        ids = (who << 24) + _IDLE_IDS + np.arange(who.size)
        bursts = _shots(t[able], who[able], ids[able], [guns[i].item["itemId"] for i in able.tolist()])
        self._attack(pl.concat([shots, bursts]))
        pool, shares = items("thrown plaything")
        idle, t = self._moments(_THROWS_A_MINUTE)
        which = rng.choice(len(pool), idle.size, p=shares)
        ids = (idle << 24) + 2 * _IDLE_IDS + np.arange(idle.size)
        thrown = _shots(t, idle, ids, [pool[i]["itemId"] for i in which.tolist()])
        self.throws = pl.concat([self.damage.throws, thrown])
        self._attack(self.throws)
        if not self.old:
            self._attack(self.throws, "LogPlayerUseThrowable")

    def _attack(self, shots: pl.DataFrame, kind: str = "LogPlayerAttack") -> None:
        t, weapons = shots["t"].to_numpy(), [ITEMS[item] for item in shots["item"]]
        attackers = self.characters(shots["who"].to_numpy(), t)
        self.emit(kind, t, attackId=shots["attack_id"].to_list(), attacker=attackers, weapon=weapons)

    def _loot(self) -> None:
        """Logs what fills a file apart from fights: looting, doors, vaults."""
        for row in rows("pubg", "routine"):
            who, t = self._moments(float(row["a_minute"]))
            columns: dict[str, list[Any]] = {}
            if row["key"]:
                pool, shares = items(row["roles"])
                columns[row["key"]] = [pool[i] for i in self._rng.choice(len(pool), who.size, p=shares).tolist()]
            if row["event_type"] == "LogItemPickup":
                self.pickups = pl.DataFrame({"who": who, "category": [item["category"] for item in columns["item"]]})
            self.emit(row["event_type"], t, character=self.characters(who, t), **columns)

    def _be_somewhere(self, everybody: Ints) -> None:
        """Logs everyone's place every ten seconds, from the lobby on; the dead for some time longer."""
        phases = self._rng.uniform(0, _EVERY_S, (everybody.size, 1))
        times = phases + np.arange(-_LOBBY_S, self.story.end + LOGGED_AFTER_DEATH_S, _EVERY_S)
        times = np.round(times + self._rng.uniform(-0.02, 0.02, times.shape), 3)
        who, t = np.repeat(everybody, times.shape[1]), times.ravel()
        last = np.minimum(self.paths.death[who] + LOGGED_AFTER_DEATH_S, self.story.end)
        # None at the very moment of a death, where rounding would decide between before and after.
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
        in_game = (self.story.circles.is_game(t) >= 1) & (t < self.paths.death[who])
        self.positions = _where(who, t, characters).filter(in_game)

    def _state(self) -> None:
        """Logs both circles every ten seconds, and once more at the end, so that all positions lie between two
        states."""
        story = self.story
        regular = np.arange(_EVERY_S, story.end - 0.05, _EVERY_S)
        regular += self._rng.uniform(0, 0.034, regular.size)
        t: Floats = np.append(regular, story.end).round(3)
        x, y, radius = story.circles.blue(t)
        white = story.circles.white(t)
        outs = np.sort(story.out)
        people, teams = ([len(of)] * t.size for of in (story.people, story.team_ids))
        alive_teams = (len(story.team_ids) - np.searchsorted(outs, t, side="right")).tolist()
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


def _where(who: Ints, t: Floats, characters: list[Event]) -> pl.DataFrame:
    """Returns people's places in metres, as in a file."""
    places = {axis: np.array([one["location"][axis] for one in characters]) / 100 for axis in ("x", "y")}
    return pl.DataFrame({"who": who, "t": t, **places})


def _shots(t: Floats, who: Ints, ids: Ints, weapons: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"t": t, "who": who, "attack_id": ids, "item": weapons}, schema_overrides={"item": pl.String})
