"""A replay's network updates as arrays: positions whenever they were sent, and events.

A replay is the stream of a game server's updates about actors (cars, the ball, players, boost tanks). Attributes are
sent when they change, about 30 times a second for moving actors. After every kick-off and demolition a car is a new
actor. About every ten seconds a key frame repeats everything; unchanged attributes in it are not news. Units and
formats of vectors have changed over the years: https://github.com/rlrml/subtr-actor, replay-format-evolution.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.rocket_league.players.identities import guest_id, player_id_in_replay

SPAWN_BOOST, FULL_BOOST = 85.0, 255.0
"""Boost in the tank of a new car, and in a full one."""
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

_STATS = {"MatchShots": "shot", "MatchSaves": "save", "MatchAssists": "assist", "MatchGoals": "goal"}
_DEMOLITIONS = ("ReplicatedDemolish", "ReplicatedDemolish_CustomFX", "ReplicatedDemolishGoalExplosion",
                "ReplicatedDemolishExtended")  # fmt: skip
_BOOSTS = ("ReplicatedBoost", "ReplicatedBoostAmount")
# Attributes of the game, valid until sent again: its state, seconds until the kick-off, whether the ball was hit, and
# the clock; and attributes of cars with their fields.
_STATE, _COUNTDOWN, _HIT, _CLOCK = _OF_GAME = (
    "ReplicatedStateName", "ReplicatedGameStateTimeRemaining", "bBallHasBeenHit", "SecondsRemaining",
)  # fmt: skip
_OF_CARS = {"bReplicatedHandbrake": "brakes", "bHidden": "hidden"}
_AT_REST = (0.0, 0.0, 0.0)
# Older versions of the network format have positions in other units, and rotations as angles.
_UNITS_SINCE, _QUATERNIONS_SINCE = 5, 7
# A demolition is sent by several attributes, and repeated by key frames.
_SAME_DEMOLITION_S = 2.0


class UnreadableReplayError(GamestatsError):
    """A replay cannot be read: it is damaged, or of a season with an unknown format."""


@dataclass(frozen=True, slots=True)
class Player:
    """A player of a match.

    Attributes:
        player_id: platform and account; `guest_` and a hash for players without an account.
        name: name in the match.
        is_orange: the team.
        is_bot: whether it is a bot.
    """

    player_id: str
    name: str
    is_orange: bool
    is_bot: bool


def player_of(remote_id: Any, name: str, *, is_orange: bool, is_bot: bool) -> Player:
    """Returns a player from a replay's data of the account."""
    player_id = None if is_bot else player_id_in_replay(remote_id if isinstance(remote_id, dict) else {})
    return Player(player_id or guest_id(name), name or player_id or "?", is_orange, is_bot)


@dataclass(frozen=True, slots=True)
class Change:
    """An event in a frame.

    Attributes:
        frame: number of the frame.
        player: number of the player.
        kind: shot, save, assist, goal, demolition; pad_taken (a boost pad, as sent by the server); ball_cam_on and
            ball_cam_off (a camera starts or stops following the ball).
        other: the demolished player.
    """

    frame: int
    player: int | None
    kind: str
    other: int | None = None


@dataclass
class Network:
    """A replay of n frames and p players, in unreal units and seconds; `(n, p)` arrays are by frame and player.

    Attributes:
        players: the players, blue first, in order of arrival.
        time: time of each frame, as sent.
        step: time since the previous frame; 0 across a goal replay that was not recorded.
        in_countdown: whether the frame is in the three seconds before a kick-off.
        round: number of the frame's kick-off, from 1.
        is_live: whether the frame is after a kick-off's countdown and before a goal or the end.
        seconds_remaining: seconds on the game's clock.
        is_ball_hit: whether the ball was hit since the kick-off.
        ball, ball_velocity, ball_sent: `(n, 3)` and `(n)`: as last sent, and whether sent in the frame.
        touch: team whose touch of the ball was sent in the frame, else -1; the game sends only a team's first touch.
        life: number of the player's car, -1 without one.
        sent: whether the car was sent.
        position, velocity, rotation: as last sent; NaN before.
        boost: boost from 0 to 255, as last sent.
        boost_sent: whether boost was sent, or belongs to a new car.
        is_burning, brakes: whether boost burns, and whether the handbrake is held.
        changes: events, in order of frames.
        goals: frame and team of each goal, from the header.
    """

    players: Sequence[Player]
    time: Floats
    step: Floats
    in_countdown: Flags
    round: Numbers
    is_live: Flags
    seconds_remaining: Numbers
    is_ball_hit: Flags
    ball: Floats
    ball_velocity: Floats
    ball_sent: Flags
    touch: Numbers
    life: Numbers
    sent: Flags
    position: Floats
    velocity: Floats
    rotation: Floats
    boost: Floats
    boost_sent: Flags
    is_burning: Flags
    brakes: Flags
    changes: Sequence[Change]
    goals: Sequence[tuple[int, int]]

    @property
    def clock(self) -> Floats:
        """Returns the seconds played until each frame."""
        return np.cumsum(self.step)

    @property
    def is_orange(self) -> Flags:
        """Returns for each player whether the team is orange."""
        return np.array([player.is_orange for player in self.players], dtype=bool)


# ---------------------------------------------------------------- reading


@dataclass(slots=True)
class _Car:
    """A car's updates: frames with the values sent."""

    died: int = -1
    info: dict[str, Any] | None = None
    bodies: list[tuple[float, ...]] = field(default_factory=list)
    hidden: list[tuple[int, bool]] = field(default_factory=list)
    brakes: list[tuple[int, bool]] = field(default_factory=list)
    boosts: list[tuple[int, float]] = field(default_factory=list)
    burns: list[tuple[int, bool]] = field(default_factory=list)


@dataclass(slots=True)
class _Camera:
    """A camera's updates."""

    info: dict[str, Any] | None = None
    on_ball: list[tuple[int, bool]] = field(default_factory=list)


class _Reader:
    """Reads all frames once and keeps the relevant updates, by actor."""

    def __init__(self, replay: Mapping[str, Any]) -> None:
        self.objects: list[str] = replay["objects"]
        self.attributes = [name.rsplit(":", 1)[-1] for name in self.objects]
        self.names: list[str] = replay["names"]
        self.frames: list[Mapping[str, Any]] = replay["network_frames"]["frames"]
        self.repeats = {key["frame"] for key in replay["keyframes"]} - {0}
        net_version = replay.get("net_version") or 0
        self.place_unit, self.speed_unit = (1.0, 1.0) if net_version >= _UNITS_SINCE else (100.0, 10.0)
        self.has_quaternions = net_version >= _QUATERNIONS_SINCE
        self.kinds: dict[int, str] = {}
        self.last: dict[int, dict[int, Any]] = {}
        self.cars: dict[int, _Car] = {}
        self.all_cars: list[_Car] = []
        self.vehicles: dict[int, int] = {}
        self.waiting: dict[int, list[tuple[str, int, Any]]] = {}
        self.infos: dict[int, dict[str, Any]] = {}
        self.all_infos: list[dict[str, Any]] = []
        self.ball_bodies: list[tuple[float, ...]] = []
        self.touches: list[tuple[int, int]] = []
        self.game: dict[str, list[tuple[int, Any]]] = {name: [] for name in _OF_GAME}
        self.stats: list[tuple[int, dict[str, Any], str, int]] = []
        self.demolitions: list[tuple[int, _Car, _Car]] = []
        self.pads_taken: list[tuple[int, _Car]] = []
        self.cameras: dict[int, _Camera] = {}
        self.all_cameras: list[_Camera] = []

    def read(self) -> None:
        handlers = {
            "ReplicatedRBState": self._body,
            "PlayerReplicationInfo": self._driver,
            "Vehicle": self._vehicle,
            "ReplicatedActive": self._active,
            "HitTeamNum": self._touch,
            "PRI": self._looks_for,
            "bUsingSecondaryCamera": self._ball_cam,
            **{name: self._pad for name in ("ReplicatedPickupData", "NewReplicatedPickupData")},
            **{name: self._info for name in ("UniqueId", "PlayerName", "Team", "bBot")},
            **dict.fromkeys(_OF_CARS, self._of_car),
            **dict.fromkeys(_OF_GAME, self._of_game),
            **{name: self._boost for name in _BOOSTS},
            **{name: self._stat for name in _STATS},
            **{name: self._demolition for name in _DEMOLITIONS},
        }
        by_object = [handlers.get(name) for name in self.attributes]
        # Other actors than cars have the attribute PlayerReplicationInfo, too.
        for number, name in enumerate(self.objects):
            if name.endswith(":PlayerReplicationInfo") and not name.startswith("Engine.Pawn"):
                by_object[number] = None
        for frame, sent in enumerate(self.frames):
            for gone in sent["deleted_actors"]:
                self._delete(frame, gone)
            for new in sent["new_actors"]:
                self._create(frame, new["actor_id"], self.objects[new["object_id"]])
            is_repeat = frame in self.repeats
            for update in sent["updated_actors"]:
                number = update["object_id"]
                handler = by_object[number]
                if handler is None:
                    continue
                actor, attribute = update["actor_id"], update["attribute"]
                value = next(iter(attribute.values())) if isinstance(attribute, dict) else attribute
                last = self.last.setdefault(actor, {})
                news = not is_repeat or last.get(number) != value
                last[number] = value
                self.attribute = self.attributes[number]
                handler(frame, actor, value, news)

    def _delete(self, frame: int, actor: int) -> None:
        self.kinds.pop(actor, None)
        car = self.cars.pop(actor, None)
        if car is not None:
            car.died = frame
        for known in (self.vehicles, self.infos, self.waiting, self.last, self.cameras):
            known.pop(actor, None)

    def _create(self, frame: int, actor: int, kind: str) -> None:
        # Key frames list living actors again.
        if self.kinds.get(actor) == kind:
            return
        if actor in self.kinds:
            self._delete(frame, actor)
        self.kinds[actor] = kind
        if kind.startswith("Archetypes.Car.") and "PostGame" not in kind:
            self.cars[actor] = car = _Car()
            self.all_cars.append(car)

    def _body(self, frame: int, actor: int, value: Mapping[str, Any], news: bool) -> None:
        kind = self.kinds.get(actor, "")
        car = self.cars.get(actor)
        if car is None and ".Ball." not in kind:
            return
        place, turn = value["location"], value["rotation"]
        speed = value["linear_velocity"]
        unit, speed_unit = self.place_unit, self.speed_unit
        row = (
            frame, news, place["x"] * unit, place["y"] * unit, place["z"] * unit,
            *((speed["x"] * speed_unit, speed["y"] * speed_unit, speed["z"] * speed_unit) if speed else _AT_REST),
            turn["x"], turn["y"], turn["z"], turn["w"],
        )  # fmt: skip
        (self.ball_bodies if car is None else car.bodies).append(row)

    def _driver(self, frame: int, actor: int, value: Mapping[str, Any], news: bool) -> None:
        car = self.cars.get(actor)
        if car is not None and value["actor"] >= 0 and car.info is None:
            car.info = self._info_of(value["actor"])

    def _info_of(self, actor: int) -> dict[str, Any]:
        """Returns the data of a player, which may arrive after references to it."""
        if actor not in self.infos:
            self.infos[actor] = info = {}
            self.all_infos.append(info)
        return self.infos[actor]

    def _info(self, frame: int, actor: int, value: Any, news: bool) -> None:
        info = self._info_of(actor)
        if self.attribute == "UniqueId":
            info["remote_id"] = value["remote_id"]
        elif self.attribute == "PlayerName":
            info["name"] = str(value)
        elif self.attribute == "bBot":
            info["is_bot"] = bool(value)
        elif (kind := self.kinds.get(value["actor"], "")).startswith("Archetypes.Teams.Team"):
            info["is_orange"] = kind.endswith("1")

    def _vehicle(self, frame: int, actor: int, value: Mapping[str, Any], news: bool) -> None:
        if value["actor"] >= 0 and "CarComponent_Boost" in self.kinds.get(actor, ""):
            self.vehicles[actor] = value["actor"]
            for what, at, value in self.waiting.pop(actor, ()):
                self._of_tank(what, at, actor, value)

    def _of_tank(self, what: str, frame: int, actor: int, value: Any) -> None:
        if actor not in self.vehicles:
            # The tank was sent before its car.
            self.waiting.setdefault(actor, []).append((what, frame, value))
            return
        car = self.cars.get(self.vehicles[actor])
        if car is None:
            return
        if what == "boost":
            car.boosts.append((frame, value))
        else:
            car.burns.append((frame, value))

    def _boost(self, frame: int, actor: int, value: Any, news: bool) -> None:
        if news:
            self._of_tank("boost", frame, actor, float(value["boost_amount"] if isinstance(value, dict) else value))

    def _active(self, frame: int, actor: int, value: int, news: bool) -> None:
        if "CarComponent_Boost" in self.kinds.get(actor, ""):
            self._of_tank("burn", frame, actor, value % 2 == 1)

    def _of_car(self, frame: int, actor: int, value: bool, news: bool) -> None:
        if (car := self.cars.get(actor)) is not None:
            getattr(car, _OF_CARS[self.attribute]).append((frame, value))

    def _of_game(self, frame: int, actor: int, value: Any, news: bool) -> None:
        self.game[self.attribute].append((frame, value))

    def _touch(self, frame: int, actor: int, value: int, news: bool) -> None:
        if news and value in (0, 1):
            self.touches.append((frame, value))

    def _stat(self, frame: int, actor: int, value: int, news: bool) -> None:
        self.stats.append((frame, self._info_of(actor), _STATS[self.attribute], value))

    def _demolition(self, frame: int, actor: int, value: Mapping[str, Any], news: bool) -> None:
        if not news or not isinstance(value, dict):
            return
        attacker, victim = (self._car_of(value.get(role)) for role in ("attacker", "victim"))
        # Players who leave are sent in the same way, but without an attacker.
        if attacker is not None and victim is not None:
            self.demolitions.append((frame, attacker, victim))

    def _pad(self, frame: int, actor: int, value: Mapping[str, Any], news: bool) -> None:
        car = self._car_of(value["instigator"]) if news and value["instigator"] is not None else None
        if car is not None:
            self.pads_taken.append((frame, car))

    def _looks_for(self, frame: int, actor: int, value: Mapping[str, Any], news: bool) -> None:
        if value["actor"] >= 0 and "CameraSettingsActor" in self.kinds.get(actor, ""):
            self._camera(actor).info = self._info_of(value["actor"])

    def _ball_cam(self, frame: int, actor: int, value: bool, news: bool) -> None:
        self._camera(actor).on_ball.append((frame, value))

    def _camera(self, actor: int) -> _Camera:
        if actor not in self.cameras:
            self.cameras[actor] = camera = _Camera()
            self.all_cameras.append(camera)
        return self.cameras[actor]

    def _car_of(self, reference: Any) -> _Car | None:
        return self.cars.get(reference.get("actor", -1) if isinstance(reference, dict) else reference)

    # ------------------------------------------------------------ people

    def players(self) -> dict[str, Player]:
        """Returns all players by a unique key, in order of arrival, with the values sent last."""
        people: dict[str, dict[str, Any]] = {}
        for info in self.all_infos:
            key = _key(info)
            if key is not None:
                people.setdefault(key, {}).update(info)
        return {
            key: player_of(
                person.get("remote_id"),
                person.get("name", ""),
                is_orange=person.get("is_orange", False),
                is_bot=person.get("is_bot", False),
            )
            for key, person in people.items()
        }


def _key(info: Mapping[str, Any] | None) -> str | None:
    """Returns the key of a player: the account, or the name of a bot, which has no account."""
    if info is None:
        return None
    if info.get("is_bot"):
        return f"bot {info.get('name')}"
    remote_id = info.get("remote_id")
    if remote_id is None:
        return None
    return str(sorted(remote_id.items(), key=str)) if isinstance(remote_id, dict) else str(remote_id)


def read_network(replay: Mapping[str, Any]) -> Network:
    """Returns a parsed replay's frames as arrays.

    Args:
        replay: result of `subtr_actor.parse_replay`.

    Raises:
        UnreadableReplayError: when it has no frames.
    """
    if not (replay.get("network_frames") or {}).get("frames"):
        raise UnreadableReplayError("The replay has a header but no frames.")
    reader = _Reader(replay)
    reader.read()
    frames, n = reader.frames, len(reader.frames)
    # Spectators had no car.
    drove = {_key(car.info) for car in reader.all_cars if car.bodies}
    players = {key: player for key, player in reader.players().items() if key in drove}
    number_of: dict[str | None, int] = {
        key: number for number, key in enumerate(sorted(players, key=lambda key: players[key].is_orange))
    }
    p = len(number_of)
    time = np.array([frame["time"] for frame in frames], dtype=float)
    in_countdown = _filled(reader.game[_COUNTDOWN], n, 0) > 0
    round_number, step, is_live = phases(time, _filled(reader.game[_STATE], n, 0), in_countdown)
    network = Network(
        players=[players[key] for key in number_of if key is not None],
        time=time,
        step=step,
        in_countdown=in_countdown,
        round=round_number,
        is_live=is_live,
        seconds_remaining=_filled(reader.game[_CLOCK], n, 0).astype(np.int64),
        is_ball_hit=_filled(reader.game[_HIT], n, 0) > 0,
        ball=np.full((n, 3), np.nan),
        ball_velocity=np.full((n, 3), np.nan),
        ball_sent=np.zeros(n, dtype=bool),
        touch=np.full(n, -1, dtype=np.int64),
        life=np.full((n, p), -1, dtype=np.int64),
        sent=np.zeros((n, p), dtype=bool),
        position=np.full((n, p, 3), np.nan),
        velocity=np.full((n, p, 3), np.nan),
        rotation=np.full((n, p, 4), np.nan),
        boost=np.full((n, p), SPAWN_BOOST),
        boost_sent=np.zeros((n, p), dtype=bool),
        is_burning=np.zeros((n, p), dtype=bool),
        brakes=np.zeros((n, p), dtype=bool),
        changes=_changes(reader, number_of, time),
        goals=[
            (goal["frame"], int(goal.get("PlayerTeam") or 0))
            for goal in replay["properties"].get("Goals") or ()
            if "frame" in goal
        ],
    )
    _place_ball(network, reader.ball_bodies)
    for frame, team in reader.touches:
        network.touch[frame] = team
    for life, car in enumerate(reader.all_cars):
        if car.bodies and (number := number_of.get(_key(car.info))) is not None:
            _place_car(network, car, life, number, reader.has_quaternions)
    return network


def _filled(changes: Sequence[tuple[int, Any]], n: int, first: float) -> Floats:
    """Returns for each frame the last value sent in it or before."""
    return _last(np.arange(n), changes, first)


def _last(frames: Numbers, changes: Sequence[tuple[int, Any]], first: float) -> Floats:
    at = np.array([frame for frame, _ in changes], dtype=np.int64)
    values = np.array([first, *(value for _, value in changes)], dtype=float)
    return values[np.searchsorted(at, frames, side="right")]


def phases(time: Floats, state: Floats, in_countdown: Flags) -> tuple[Numbers, Floats, Flags]:
    """Returns for each frame its kick-off's number from 1, the seconds since the previous frame, and `is_live`.

    The state of the game during a countdown means before a kick-off, and the state that follows it means play. Goal
    replays were not recorded, so their seconds are left out.

    Args:
        time: time of each frame.
        state: state of the game in each frame, as a number.
        in_countdown: whether the game counts down.
    """
    step = np.maximum(np.diff(time, prepend=time[0]), 0)
    before = state == state[in_countdown.argmax()]
    after = np.flatnonzero(before[:-1] & ~before[1:]) + 1
    if not in_countdown.any() or not len(after):
        # A part of a match without a kick-off.
        numbers, counts = np.unique(state, return_counts=True)
        is_live = (state == numbers[counts.argmax()]) & ~in_countdown
        return np.ones(len(time), dtype=np.int64), step, is_live
    starts = before & ~np.r_[False, before[:-1]]
    is_live = state == state[after[0]]
    # After a goal, the next state (before a kick-off, or the goal replay's own) begins with the first recorded frame.
    ends = np.r_[False, ~(before | is_live)[:-1] & (state[1:] != state[:-1])]
    step[starts | ends] = 0
    # Play before the first recorded kick-off belongs to a kick-off, too.
    number = np.cumsum(starts) + int(is_live[: starts.argmax()].any())
    return np.maximum(number, 1), step, is_live


def _place_ball(network: Network, bodies: Sequence[tuple[float, ...]]) -> None:
    if not bodies:
        return
    rows = np.array(bodies, dtype=float)
    at = rows[:, 0].astype(np.int64)
    network.ball_sent[at[rows[:, 1] > 0]] = True
    held = np.searchsorted(at, np.arange(len(network.time)), side="right") - 1
    known = held >= 0
    network.ball[known], network.ball_velocity[known] = rows[held[known], 2:5], rows[held[known], 5:8]


def _place_car(network: Network, car: _Car, life: int, player: int, has_quaternions: bool) -> None:
    n = len(network.time)
    rows = np.array(car.bodies, dtype=float)
    at = rows[:, 0].astype(np.int64)
    frames = np.arange(at[0], car.died if car.died >= 0 else n)
    # The very first frame may mark a visible car as hidden.
    visible = (_last(frames, car.hidden, 0.0) == 0) | (frames == 0)
    frames = frames[visible]
    held = np.searchsorted(at, frames, side="right") - 1
    network.life[frames, player] = life
    network.position[frames, player] = rows[held, 2:5]
    network.velocity[frames, player] = rows[held, 5:8]
    turns = rows[:, 8:12] if has_quaternions else _quaternions(rows[:, 8:11])
    network.rotation[frames, player] = turns[held]
    sent = np.zeros(n, dtype=bool)
    sent[at[rows[:, 1] > 0]] = True
    network.sent[frames, player] = sent[frames]
    network.brakes[frames, player] = _last(frames, car.brakes, 0.0) > 0
    network.is_burning[frames, player] = _last(frames, car.burns, 0.0) > 0
    network.boost[frames, player] = _last(frames, car.boosts, SPAWN_BOOST)
    tanks = np.zeros(n, dtype=bool)
    tanks[[frame for frame, _ in car.boosts]] = True
    network.boost_sent[frames, player] = tanks[frames]
    if len(frames):
        network.boost_sent[frames[0], player] = True


def _quaternions(angles: Floats) -> Floats:
    """Returns quaternions (x, y, z, w) for pitch, yaw and roll in half turns, with roll the other way round."""
    from scipy.spatial.transform import Rotation

    pitch, yaw, roll = angles.T * np.pi
    return Rotation.from_euler("ZYX", np.stack([yaw, pitch, -roll], axis=1)).as_quat()


def _changes(reader: _Reader, number_of: Mapping[str | None, int], time: Floats) -> list[Change]:
    changes: list[Change] = []
    counters: dict[tuple[int, str], int] = {}
    for frame, info, kind, count in reader.stats:
        player = number_of.get(_key(info))
        if player is None:
            continue
        before = counters.get((player, kind), 0)
        counters[player, kind] = max(count, before)
        # Counts in the first frame are events before it.
        changes += [Change(frame, player, kind)] * (count - before if frame else 0)
    seen: dict[tuple[int | None, int], float] = {}
    for frame, *cars in reader.demolitions:
        attacker, victim = (number_of.get(_key(car.info)) for car in cars)
        if victim is None:
            continue
        if time[frame] - seen.get((attacker, victim), -np.inf) > _SAME_DEMOLITION_S:
            changes.append(Change(frame, attacker, "demolition", victim))
        seen[attacker, victim] = float(time[frame])
    changes += [
        Change(frame, player, "pad_taken")
        for frame, car in reader.pads_taken
        if (player := number_of.get(_key(car.info))) is not None
    ]
    looks: dict[int, dict[int, bool]] = {}
    for camera in reader.all_cameras:
        if (player := number_of.get(_key(camera.info))) is not None:
            looks.setdefault(player, {}).update(camera.on_ball)
    for player, looked in looks.items():
        is_on = False
        for frame, now in sorted(looked.items()):
            if now != is_on:
                changes.append(Change(frame, player, "ball_cam_on" if now else "ball_cam_off"))
            is_on = now
    return sorted(changes, key=lambda change: (change.frame, change.kind, change.player or 0))


def lives(network: Network, player: int) -> Iterator[tuple[int, int]]:
    """Yields the first and last frame of each of a player's cars."""
    life = network.life[:, player]
    edges = np.flatnonzero(np.diff(np.r_[-1, life, -1]))
    for first, after in itertools.pairwise(edges):
        if life[first] >= 0:
            yield int(first), int(after) - 1
