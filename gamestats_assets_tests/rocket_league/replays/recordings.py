"""Small replays made by hand, as the library parses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

GAME_EVENT, BLUE, ORANGE, BALL = range(100, 104)
"""Actors of the game, of the teams and of the ball."""
ANN, BOB, CEM = "76561198000000001", "76561198000000002", "76561198000000003"
PEOPLE = {1: ("Ann", ANN, BLUE), 2: ("Bob", BOB, ORANGE), 3: ("Cem", CEM, BLUE)}
"""By the number of their actor: name, account on Steam and team."""
STATES = ("Countdown", "Active", "PostGoalScored", "WaitingForPlayers")
Vector = tuple[float, float, float]


class Recording:
    """A replay as the library parses it, written by hand.

    Actors of players are numbers below 10; player n drives car 10 n, with tank 10 n + 1. Frames are a tenth of a second
    apart unless told otherwise.
    """

    def __init__(self, net_version: int | None = 10) -> None:
        self.net_version = net_version
        self.objects: list[str] = []
        self.frames: list[dict[str, Any]] = []
        self.keyframes: list[dict[str, Any]] = []
        self.goals: list[dict[str, Any]] = []
        self.frame(0.0, key=True)
        self.new(GAME_EVENT, "Archetypes.GameEvent.GameEvent_Soccar")
        self.new(BLUE, "Archetypes.Teams.Team0")
        self.new(ORANGE, "Archetypes.Teams.Team1")
        self.new(BALL, "Archetypes.Ball.Ball_Default")
        self.act("state Active")

    def parsed(self) -> dict[str, Any]:
        """What `parse_replay` would give."""
        return {
            "objects": self.objects,
            "names": list(STATES),
            "net_version": self.net_version,
            "network_frames": {"frames": self.frames},
            "keyframes": self.keyframes,
            "properties": {"Goals": self.goals},
        }

    def act(self, *acts: str) -> None:
        """Send what acts say, as in `recorded`."""
        for each in acts:
            kind, *words = each.split()
            _ACTS[kind](self, *map(_value, words))

    def frame(self, step: float = 0.1, *, key: bool = False) -> int:
        """Begin the next frame, so many seconds after the last one, and tell its number."""
        time = self.frames[-1]["time"] + step if self.frames else 7.5
        number = len(self.frames)
        self.frames.append({"time": time, "delta": step, "new_actors": [], "deleted_actors": [], "updated_actors": []})
        if key:
            self.keyframes.append({"frame": number, "time": time, "position": 0})
        return number

    def _object(self, name: str) -> int:
        if name not in self.objects:
            self.objects.append(name)
        return self.objects.index(name)

    def new(self, actor: int, kind: str) -> None:
        """An actor comes."""
        self.frames[-1]["new_actors"].append({"actor_id": actor, "name_id": 0, "object_id": self._object(kind)})

    def gone(self, *actors: int) -> None:
        """Actors go."""
        self.frames[-1]["deleted_actors"] += actors

    def say(self, actor: int, attribute: str, kind: str, value: Any) -> None:
        """An attribute of an actor is sent."""
        update = {"actor_id": actor, "object_id": self._object(attribute), "stream_id": 0, "attribute": {kind: value}}
        self.frames[-1]["updated_actors"].append(update)

    def refer(self, actor: int, attribute: str, to: int) -> None:
        """An attribute of an actor is sent that names another actor."""
        self.say(actor, attribute, "ActiveActor", {"active": to >= 0, "actor": to})

    def person(self, actor: int, name: str, *, team: int = BLUE, account: str | None = None, bot: bool = False) -> None:
        """Somebody comes, with a Steam account or none."""
        self.new(actor, "TAGame.Default__PRI_TA")
        self.say(actor, "Engine.PlayerReplicationInfo:PlayerName", "String", name)
        self.refer(actor, "Engine.PlayerReplicationInfo:Team", team)
        if account is not None:
            unique_id = {"local_id": 0, "remote_id": {"Steam": account}, "system_id": 1}
            self.say(actor, "Engine.PlayerReplicationInfo:UniqueId", "UniqueId", unique_id)
        if bot:
            self.say(actor, "Engine.PlayerReplicationInfo:bBot", "Boolean", True)

    def car(self, person: int, place: Vector = (0.0, 0.0, 17.0), velocity: Vector | None = None) -> int:
        """A player's car comes with its tank, and stands somewhere; its actor."""
        car = 10 * person
        self.new(car, "Archetypes.Car.Car_Default")
        self.refer(car, "Engine.Pawn:PlayerReplicationInfo", person)
        self.new(car + 1, "Archetypes.CarComponents.CarComponent_Boost")
        self.tank_of(car + 1, car)
        self.body(car, place, velocity)
        return car

    def tank_of(self, tank: int, car: int) -> None:
        """Which car a tank is of."""
        self.refer(tank, "TAGame.CarComponent_TA:Vehicle", car)

    def body(
        self, actor: int, place: Vector, velocity: Vector | None = None, turn: Sequence[float] = (0.0, 0.0, 0.0, 1.0)
    ) -> None:
        """Where a car or the ball is."""
        value = {
            "location": dict(zip("xyz", place, strict=True)),
            "linear_velocity": None if velocity is None else dict(zip("xyz", velocity, strict=True)),
            "angular_velocity": None,
            "rotation": dict(zip("xyzw", turn, strict=True)),
            "sleeping": velocity is None,
        }
        self.say(actor, "TAGame.RBActor_TA:ReplicatedRBState", "RigidBody", value)

    def demolition(self, attacker: int, victim: int) -> None:
        """A car demolishes another; it is told of the victim."""
        gone = {"active": False, "actor": -1}
        cars = {"attacker": {"active": attacker >= 0, "actor": attacker}, "victim": {"active": True, "actor": victim}}
        zero = {axis: 0.0 for axis in "xyz"}
        value = {
            **cars, "attacker_pri": gone, "goal_explosion_owner": gone, "self_demo": gone, "self_demolish": False,
            "attacker_velocity": zero, "victim_velocity": zero,
        }  # fmt: skip
        self.say(victim, "TAGame.Car_TA:ReplicatedDemolishExtended", "DemolishExtended", value)

    def camera(self, person: int, number: int = 1) -> int:
        """A player's camera comes; its actor."""
        camera = 10 * person + 4 + number
        self.new(camera, "TAGame.Default__CameraSettingsActor_TA")
        self.refer(camera, "TAGame.CameraSettingsActor_TA:PRI", person)
        return camera

    def pad(self, number: int, car: int | None, count: int) -> None:
        """A boost pad is taken by a car, or there again; the count of how often it was taken goes with it."""
        pad = 900 + number
        if all(new["actor_id"] != pad for frame in self.frames for new in frame["new_actors"]):
            self.new(pad, f"street_p.TheWorld:PersistentLevel.VehiclePickup_Boost_TA_{number}")
        value = {"instigator": car, "picked_up": count}
        self.say(pad, "TAGame.VehiclePickup_TA:NewReplicatedPickupData", "PickupNew", value)

    def goal(self, team: int, by: str = "?") -> None:
        """The header tells a goal in this frame."""
        self.goals.append({"frame": len(self.frames) - 1, "PlayerTeam": team, "PlayerName": by})


def _person(recording: Recording, who: int, *given: Any) -> None:
    """Somebody comes: `orange`, `blue` and `bot` say what is not as in `PEOPLE`; another number is who it is."""
    name, account, team = PEOPLE.get(
        next((each for each in given if isinstance(each, int)), who), ("X", str(who), BLUE)
    )
    team = ORANGE if "orange" in given else BLUE if "blue" in given else team
    recording.person(who, name, team=team, account=None if "bot" in given else account, bot="bot" in given)


def _driver(recording: Recording, who: int, *given: Any) -> None:
    """Somebody comes, in a car at a place and with a velocity."""
    _person(recording, who, *(each for each in given if not isinstance(each, tuple)))
    recording.car(who, *(each for each in given if isinstance(each, tuple)))


def _camera(recording: Recording, who: int, is_on: int, number: int = 1) -> None:
    camera = 10 * who + 4 + number
    if all(new["actor_id"] != camera for frame in recording.frames for new in frame["new_actors"]):
        recording.camera(who, number)
    recording.say(camera, "TAGame.CameraSettingsActor_TA:bUsingSecondaryCamera", "Boolean", bool(is_on))


def _stat(recording: Recording, who: int, name: str, count: int) -> None:
    recording.say(who, f"TAGame.PRI_TA:Match{name}", "Int", count)


def _of(actor: int, attribute: str, kind: str, value: Callable[[Any], Any]) -> Callable[..., None]:
    """Sending an attribute of the game or of the ball."""
    return lambda recording, given: recording.say(actor, attribute, kind, value(given))


def _of_car(part: int, attribute: str, kind: str, value: Callable[[Any], Any]) -> Callable[..., None]:
    """Sending an attribute of somebody's car (0) or of its tank (1)."""
    return lambda recording, who, given: recording.say(10 * who + part, attribute, kind, value(given))


def _tank(amount: int) -> dict[str, int]:
    return {"boost_amount": amount, "grant_count": 0, "unused1": 0, "unused2": 0}


_ACTS: dict[str, Callable[..., Any]] = {
    "person": _person,
    "driver": _driver,
    "name": lambda recording, who, name: recording.say(who, "Engine.PlayerReplicationInfo:PlayerName", "String", name),
    "car": Recording.car,
    "body": lambda recording, who, *values: recording.body(10 * who, *values),
    "ball": lambda recording, *values: recording.body(BALL, *values),
    "gone": Recording.gone,
    "wreck": lambda recording, who: recording.gone(10 * who, 10 * who + 1),
    "leave": lambda recording, who: recording.gone(who, 10 * who, 10 * who + 1),
    "boost": _of_car(1, "TAGame.CarComponent_Boost_TA:ReplicatedBoost", "ReplicatedBoost", _tank),
    # The same as it was sent in earlier years.
    "old_boost": _of_car(1, "TAGame.CarComponent_Boost_TA:ReplicatedBoostAmount", "Byte", int),
    # A burn begins with an odd count, and ends with an even one.
    "burn": _of_car(1, "TAGame.CarComponent_TA:ReplicatedActive", "Byte", int),
    "brake": _of_car(0, "TAGame.Vehicle_TA:bReplicatedHandbrake", "Boolean", bool),
    "hidden": _of_car(0, "Engine.Actor:bHidden", "Boolean", bool),
    "demolition": lambda recording, by, of: recording.demolition(10 * by, 10 * of),
    "camera": _camera,
    "pad": lambda recording, number, who, count: recording.pad(number, who and 10 * who, count),
    "state": _of(GAME_EVENT, "TAGame.GameEvent_TA:ReplicatedStateName", "Int", STATES.index),
    "countdown": _of(GAME_EVENT, "TAGame.GameEvent_TA:ReplicatedGameStateTimeRemaining", "Int", int),
    "clock": _of(GAME_EVENT, "TAGame.GameEvent_Soccar_TA:SecondsRemaining", "Int", int),
    # Whether the ball was hit since the kick-off, and which team (0 blue, 1 orange) touched it.
    "hit": _of(GAME_EVENT, "TAGame.GameEvent_Soccar_TA:bBallHasBeenHit", "Boolean", bool),
    "touch": _of(BALL, "TAGame.Ball_TA:HitTeamNum", "Byte", int),
    "stat": _stat,
    "goal": Recording.goal,
}


def _value(word: str) -> Any:
    """A person's number, none (`-`), a vector (`1,2,3`), a number or a word."""
    people = {name.lower(): number for number, (name, _, _) in PEOPLE.items()}
    if word == "-" or word in people:
        return people.get(word)
    if "," in word:
        return tuple(map(float, word.split(",")))
    try:
        return int(word)
    except ValueError:
        return word


def recorded(*frames: str, net_version: int | None = 10) -> Recording:
    """A replay by a line for each frame: seconds since the last one and whether it is a key frame, then what is sent.

    `recorded("driver ann", "boost ann 200; touch 0", "0.5 key: wreck ann")`: people stand for their actors and cars, as
    `Recording` numbers them.
    """
    recording = Recording(net_version)
    for number, line in enumerate(frames):
        head, _, acts = line.rpartition(":")
        steps = [float(word) for word in head.split() if word != "key"]
        if number:
            recording.frame(*steps, key="key" in head)
        recording.act(*filter(None, map(str.strip, acts.split(";"))))
    return recording


def updates(parsed: dict[str, Any]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Every update of a parsed replay: its frame, the attribute's name, and the value by its kind."""
    for number, frame in enumerate(parsed["network_frames"]["frames"]):
        for update in frame["updated_actors"]:
            yield number, parsed["objects"][update["object_id"]], update["attribute"]
