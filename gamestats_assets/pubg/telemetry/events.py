"""Telemetry events and their tables: one declaration per event type.

A declaration names the source of each column as a path of keys, such as `victim.location.x`; `a|b` is the first of two
keys that has a value. Types follow from the table: a key is required if its column is not nullable, and so are the
objects around it. An optional person without an account is missing: files of 2018 write the environment like that. The
parser skips keys that are not declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
import polars as pl

from gamestats_assets.lakehouse.files.documents import Int16, Int32, Int64
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.telemetry import tables as t

Columns: TypeAlias = dict[str, list[Any]]
_TYPES: dict[type[pl.DataType], Any] = {
    pl.String: str,
    pl.Float64: float,
    pl.Boolean: bool,
    pl.Int16: Int16,
    pl.Int32: Int32,
    pl.Int64: Int64,
    pl.List: list[str | None],
}


# --------------------------------------------------------------------------- declarations' format


@dataclass(frozen=True)
class EventRows:
    """Events of one type that each become one row.

    Attributes:
        table: table of the rows.
        columns: path of keys, by column.
        constants: value by column, the same for all events.
        required: objects that must be present although no column needs them.
        derived: columns computed from one value, by name: its path and the function.
    """

    table: type[Table]
    columns: Mapping[str, str]
    constants: Mapping[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    derived: Mapping[str, tuple[str, Callable[[Any], Any]]] = field(default_factory=dict)


def _person(path: str, role: str = "") -> dict[str, str]:
    """Returns columns that identify a person."""
    name = f"{role}name" if role else "player_name"
    return {f"{role}account_id": f"{path}.accountId", name: f"{path}.name", f"{role}team_id": f"{path}.teamId"}


def _place(path: str, role: str = "") -> dict[str, str]:
    return {f"{role}{axis}_cm": f"{path}.location.{axis}" for axis in "xyz"}


def _actor(path: str, role: str = "") -> dict[str, str]:
    """Returns columns that identify a person and their kind."""
    return {**_person(path, role), f"{role or 'character_'}type": f"{path}.type"}


def _cause(path: str = "", prefix: str = "") -> dict[str, str]:
    keys = {"damage_causer_name": "damageCauserName", "damage_type_category": "damageTypeCategory"}
    return {f"{prefix}{column}": f"{path}{key}" for column, key in keys.items()}


def _item(path: str) -> dict[str, str]:
    return {"item_id": f"{path}.itemId", "category": f"{path}.category", "sub_category": f"{path}.subCategory"}


def _circle(column: str, key: str) -> dict[str, str]:
    centre = {f"{column}_{axis}_cm": f"gameState.{key}Position.{axis}" for axis in "xy"}
    return {**centre, f"{column}_radius_cm": f"gameState.{key}Radius"}


# --------------------------------------------------------------------------- the declarations

_ATTACK = {"attack_id": "attackId|atackId"}
_KNOCK = {"dbno_id": "dBNOId"}
_KILL = {
    **_ATTACK,
    **_KNOCK,
    **_actor("victim", "victim_"),
    **_place("victim", "victim_"),
    "victim_ranking": "victim.ranking",
    **_actor("killer", "killer_"),
    **_place("killer", "killer_"),
}
_DAMAGE = {**_cause(), "damage_reason": "damageReason"}
_SHOT = {**_ATTACK, **_person("attacker"), "attack_type": "attackType", **_item("weapon")}

EVENTS: dict[str, EventRows] = {
    "LogPlayerPosition": EventRows(
        t.TelemetryPositions,
        {
            **_actor("character"),
            **_place("character"),
            "health": "character.health",
            "ranking": "character.ranking",
            "is_in_vehicle": "character.isInVehicle",
            "is_in_blue_zone": "character.isInBlueZone",
            "elapsed_time_s": "elapsedTime",
            "alive_players": "numAlivePlayers",
        },
    ),
    "LogGameStatePeriodic": EventRows(
        t.TelemetryGameStates,
        {
            "elapsed_time_s": "gameState.elapsedTime",
            "alive_teams": "gameState.numAliveTeams",
            "alive_players": "gameState.numAlivePlayers",
            **_circle("safety_zone", "safetyZone"),
            **_circle("poison_gas_warning", "poisonGasWarning"),
            **_circle("red_zone", "redZone"),
        },
        required=("gameState",),
    ),
    "LogPlayerKill": EventRows(
        t.TelemetryKills,
        {**_KILL, **_DAMAGE, "distance_cm": "distance"},
        constants={"event_version": 1},
        derived={"assist_account_ids": ("assistant.accountId", lambda account: [account] if account else [])},
    ),
    "LogPlayerKillV2": EventRows(
        t.TelemetryKills,
        {
            **_KILL,
            **_person("finisher", "finisher_"),
            **_person("dBNOMaker", "knocker_"),
            **_cause("killerDamageInfo."),
            "damage_reason": "killerDamageInfo.damageReason",
            "distance_cm": "killerDamageInfo.distance",
            **_cause("finishDamageInfo|finisherDamageInfo.", "finish_"),
            "is_suicide": "isSuicide",
            "assist_account_ids": "assists_AccountId",
            "team_killer_account_ids": "teamKillers_AccountId",
        },
        constants={"event_version": 2},
    ),
    "LogPlayerMakeGroggy": EventRows(
        t.TelemetryKnocks,
        {
            **_ATTACK,
            **_KNOCK,
            **_actor("victim", "victim_"),
            **_actor("attacker", "attacker_"),
            **_DAMAGE,
            "distance_cm": "distance",
        },
    ),
    "LogPlayerRevive": EventRows(
        t.TelemetryRevives, {**_KNOCK, **_person("reviver", "reviver_"), **_person("victim", "victim_")}
    ),
    "LogPlayerTakeDamage": EventRows(
        t.TelemetryDamage,
        {
            **_ATTACK,
            **_actor("attacker", "attacker_"),
            **_place("attacker", "attacker_"),
            **_actor("victim", "victim_"),
            **_place("victim", "victim_"),
            "victim_health": "victim.health",
            "damage": "damage",
            **_DAMAGE,
        },
    ),
    "LogPlayerAttack": EventRows(t.TelemetryAttacks, _SHOT, constants={"event_type": "LogPlayerAttack"}),
    "LogPlayerUseThrowable": EventRows(t.TelemetryAttacks, _SHOT, constants={"event_type": "LogPlayerUseThrowable"}),
    "LogItemUse": EventRows(
        t.TelemetryItemUses, {**_person("character"), **_item("item"), "stack_count": "item.stackCount"}
    ),
    "LogParachuteLanding": EventRows(
        t.TelemetryLandings,
        {
            **_actor("character"),
            **_place("character"),
            "parachute_distance_m": "distance",
        },
    ),
}
"""How events become rows, by event type."""


# --------------------------------------------------------------------------- events without rows


class Common(msgspec.Struct, gc=False):
    """Common fields of most events."""

    is_game: float | None = msgspec.field(default=None, name="isGame")


class Event(msgspec.Struct, gc=False, kw_only=True, tag_field="_T"):
    """A wanted event; the class has the name of its type."""

    time: str = msgspec.field(name="_D")
    common: Common | None = None

    @property
    def phase(self) -> float | None:
        """`isGame`, as in the file."""
        return self.common.is_game if self.common else None


class Character(msgspec.Struct, gc=False, rename="camel"):
    """An entry of `characters`: the character itself, or since 2025 an object around it."""

    account_id: str | None = None
    name: str | None = None
    team_id: Int32 | None = None
    type: str | None = None
    ranking: Int16 | None = None
    individual_ranking: Int16 | None = None
    health: float | None = None
    character: Character | None = None

    def __post_init__(self) -> None:
        if self.listed.account_id is None:
            raise ValueError("Expected an accountId in every entry of characters, found one without")

    @property
    def listed(self) -> Character:
        """The character."""
        return self.character or self


class LogMatchDefinition(Event):
    """Names the match."""

    match_id: str | None = msgspec.field(default=None, name="MatchId")


class LogMatchEnd(Event):
    """Lists all characters at the end of the match."""

    characters: list[Character] | None = None


class LogMatchStart(Event):
    """Lists all characters at the start of the match."""

    characters: list[Character] | None = None
    map_id: str | None = msgspec.field(default=None, name="mapName")
    is_custom_match: bool | None = msgspec.field(default=None, name="isCustomGame")
    team_size: Int16 | None = msgspec.field(default=None, name="teamSize")
    camera_view: str | None = msgspec.field(default=None, name="cameraViewBehaviour")
    weather_id: str | None = msgspec.field(default=None, name="weatherId")


# --------------------------------------------------------------------------- declarations to code


@dataclass
class _Object:
    """An object within an event, with its keys and objects by name: `a|b` is the first of two that is present."""

    is_required: bool = False
    keys: dict[str, tuple[Any, bool]] = field(default_factory=dict)
    objects: dict[str, _Object] = field(default_factory=dict)
    empty: msgspec.Struct | None = None

    def add(self, path: str, kind: Any, *, is_required: bool) -> None:
        """Adds the key at the end of a path."""
        first, _, rest = path.partition(".")
        if not rest:
            self.keys[first] = (kind, is_required)
            return
        part = self.objects.setdefault(first, _Object())
        part.is_required |= is_required
        part.add(rest, kind, is_required=is_required)

    def struct(self, name: str, base: type[msgspec.Struct] = msgspec.Struct, **options: Any) -> type[msgspec.Struct]:
        """Returns the class that the parser fills."""
        parts = {names: (part.struct(names.split("|")[0]), part.is_required) for names, part in self.objects.items()}
        fields = [
            (key, kind) if is_required else (key, kind | None, None)
            for names, (kind, is_required) in (self.keys | parts).items()
            for key in names.split("|")
        ]
        made = msgspec.defstruct(name, fields, bases=(base,), gc=False, kw_only=True, **options)
        self.empty = None if self.is_required else made()
        return made

    def read(self, holders: Sequence[Any], path: str, into: Columns) -> None:
        """Collects the values of every key, by path, from objects of this kind."""
        for names in self.keys:
            into[f"{path}{names}"] = _first_of(holders, names)
        for names, part in self.objects.items():
            found = _first_of(holders, names)
            if not part.is_required:
                is_person, empty = "accountId" in part.keys, part.empty
                found = [one if one is not None and (not is_person or one.accountId) else empty for one in found]
            part.read(found, f"{path}{names}.", into)


def _first_of(holders: Sequence[Any], names: str) -> list[Any]:
    """Returns for each object the first of several keys with a value."""
    first, *others = ([*map(attrgetter(name), holders)] for name in names.split("|"))
    for other in others:
        first = [value if value is not None else instead for value, instead in zip(first, other, strict=True)]
    return first


def _tree(rows: EventRows) -> _Object:
    root = _Object(is_required=True)
    declared = rows.table.columns()
    for column, path in rows.columns.items():
        root.add(path, _TYPES[type(declared[column].dtype)], is_required=not declared[column].nullable)
    for path, _ in rows.derived.values():
        root.add(path, str, is_required=False)
    for name in rows.required:
        root.objects[name].is_required = True
    return root


_TREES = {name: _tree(rows) for name, rows in EVENTS.items()}
CLASSES: dict[str, type[Event]] = {
    **{name: tree.struct(name, Event, tag=name) for name, tree in _TREES.items()},
    **{event.__name__: event for event in (LogMatchStart, LogMatchEnd, LogMatchDefinition)},
}  # pyright: ignore[reportAssignmentType]
"""The class of every wanted event, by type."""
TABLE_OF: dict[str, type[Table]] = {
    **{name: rows.table for name, rows in EVENTS.items()},
    "LogMatchStart": t.TelemetryCharacters,
    "LogMatchEnd": t.TelemetryCharacters,
    "LogMatchDefinition": t.TelemetryFiles,
}
"""The table for which events of a type are wanted."""


def columns_of(event_type: str, events: Sequence[Event]) -> Columns:
    """Returns columns of the rows of events of one type; `time` is the text of `_D`."""
    rows, values = EVENTS[event_type], Columns()
    _TREES[event_type].read(events, "", values)
    return {
        "time": [event.time for event in events],
        "phase": [event.phase for event in events],
        **{column: values[path] for column, path in rows.columns.items()},
        **{column: [value] * len(events) for column, value in rows.constants.items()},
        **{column: [make(value) for value in values[path]] for column, (path, make) in rows.derived.items()},
    }
