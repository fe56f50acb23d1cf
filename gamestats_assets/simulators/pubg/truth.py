"""What the pipeline must make of a simulated match, counted from the tables that its events were written from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from gamestats_assets.simulators.pubg.damage import TICK_S
from gamestats_assets.simulators.pubg.story import Kill, Strike
from gamestats_assets.simulators.pubg.telemetry import Telemetry, assistants, is_team_kill
from gamestats_assets.simulators.pubg.world import THROWN

_TACTICAL = {weapon.item["itemId"] for weapon in THROWN} | {
    f"Item_Weapon_{name}_C" for name in ("SmokeBomb", "FlashBang", "DecoyGrenade")
}
_SMOKE = "Item_Weapon_SmokeBomb_C"
_THROWN_DAMAGE = {weapon.category for weapon in THROWN}
_UNCLEAN = ("Damage_Groggy", "Damage_BlueZone")
"""Nobody takes a kill from somebody who bleeds out, or whom the zone finishes."""


@dataclass(frozen=True)
class PlayerTruth:
    """What one human did in one match: the figures the pipeline must reproduce.

    Attributes:
        placement: of the team, 1 for the winner.
        kills: eliminations credited to the player (`killer`), bots included, own team and self excluded.
        dbnos: enemies knocked, bots included.
        headshot_kills: credited kills whose credited damage was a HeadShot.
        damage_dealt: net damage to the health of others outside the own team, bots included, in hit points.
        damage_received: all net damage to health, zone, falls and bleeding included.
        damage_received_from_players: by other humans, team mates included, while standing.
        damage_received_from_bots: part of `damage_received` only.
        killsteals: kills of somebody knocked by another team; no bots, bleed-outs, zone, suicides or team kills.
        finishes_stolen: times the player finished somebody whom another player had knocked, own team's knocks included;
            same exclusions. An old file does not name the finisher: there it is the killer.
        throwables_used: tactical throwables; snowballs and apples are none.
        throwable_damage: part of `damage_dealt` done by throwables and their fire.
        time_survived_s: from LogMatchStart to the elimination, or to the end of the match.
        landing: of the parachute, in metres from the map's upper left corner.
        avg_distance_from_center: the five zone figures are metres against the blue circle, over the positions from the
            first zone (`isGame` >= 1) until the player is out; None without such a position.
        time_outside_zone_seconds: ticks of the blue zone times 1.03.
        weapons: by `damageCauserName`: damage dealt, kills credited, knocks.
    """

    account_id: str
    player_name: str
    team_id: int
    placement: int
    kills: int
    assists: int
    dbnos: int
    headshot_kills: int
    revives: int
    team_kills: int
    damage_dealt: float
    damage_received: float
    damage_received_from_players: float
    damage_received_from_bots: float
    killsteals: int
    finishes_stolen: int
    heals_used: int
    boosts_used: int
    throwables_used: int
    smokes_thrown: int
    throwable_damage: float
    time_survived_s: float
    landing: tuple[float, float] | None
    avg_distance_from_center: float | None
    max_distance_from_center: float | None
    avg_distance_from_edge: float | None
    min_distance_from_edge: float | None
    time_outside_zone_seconds: float
    weapons: dict[str, tuple[float, int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class MatchTruth:
    """What one match contains.

    Attributes:
        started_at: LogMatchStart, to the millisecond.
        ended_at: the last elimination.
        match_date: UTC day of the start.
        players: humans.
        players_truth: by account id; humans only.
        kills: eliminations, whoever or whatever caused them.
    """

    match_id: str
    map_name: str
    started_at: datetime
    ended_at: datetime
    match_date: date
    players: int
    teams: int
    bots: int
    event_counts: dict[str, int]
    players_truth: dict[str, PlayerTruth]
    kills: int
    knocks: int
    revives: int
    seed: int


def match_truth(telemetry: Telemetry, match_id: str, seed: int, everybody: Sequence[PlayerTruth]) -> MatchTruth:
    """The truth of a whole match."""
    story, start = telemetry.story, telemetry.match.start
    humans = {
        truth.account_id: truth
        for truth, person in zip(everybody, story.people, strict=True)
        if not person.is_bot
    }  # fmt: skip
    return MatchTruth(
        match_id=match_id,
        map_name=story.map_name,
        started_at=start,
        ended_at=start + timedelta(milliseconds=round(story.end * 1000)),
        match_date=start.date(),
        players=len(humans),
        teams=len(story.teams),
        bots=len(story.people) - len(humans),
        event_counts=dict(Counter(event["_T"] for event in telemetry.log)),
        players_truth=humans,
        kills=len(story.kills),
        knocks=len(story.knocks),
        revives=len(story.revives),
        seed=seed,
    )


def credited(kill: Kill, old: bool) -> Strike:
    """The strike whose weapon a file gives the kill to; an old one knows the last only."""
    return kill.finish if old else kill.credited


def player_truths(telemetry: Telemetry) -> list[PlayerTruth]:
    """The figures of everybody, bots included, in the order of the people."""
    story, damage, old = telemetry.story, telemetry.damage, telemetry.old
    people, count = story.people, len(story.people)
    is_bot, team = np.array([person.is_bot for person in people]), np.array([person.team for person in people])

    def total(who: Any, amount: Any = None) -> list[Any]:
        who = np.asarray(who, dtype=np.int64)
        return np.bincount(who, weights=amount, minlength=count).tolist()

    attacker, victim = (damage.hits[name] for name in ("attacker", "victim"))
    taken, category = damage.hits["damage"], damage.hits["category"]
    by_other = (attacker >= 0) & (attacker != victim)
    given = by_other & (team[attacker] != team[victim])
    by_bot, thrown = by_other & is_bot[attacker], given & np.isin(category, list(_THROWN_DAMAGE))
    used = damage.uses["who"]
    kind_used = np.array([item["subCategory"] for item in damage.uses["item"]])
    threw, what = telemetry.thrown["who"], telemetry.thrown["item"]
    kills = [kill for kill in story.kills if kill.killer not in (None, kill.victim) and not is_team_kill(kill)]
    knocks = [knock.strike for knock in story.knocks if _is_given(knock.strike)]
    steals, finishes = _stolen(kills, old)
    figures: dict[str, list[Any]] = {
        "kills": total([kill.killer.index for kill in kills if kill.killer]),
        "assists": total([helper.index for kill in story.kills for helper in assistants(kill, old)]),
        "dbnos": total([strike.attacker.index for strike in knocks if strike.attacker]),
        "headshot_kills": total(
            [kill.killer.index for kill in kills if kill.killer and credited(kill, old).reason == "HeadShot"]
        ),
        "revives": total([revive.reviver.index for revive in story.revives]),
        "team_kills": total([kill.killer.index for kill in story.kills if kill.killer and is_team_kill(kill)]),
        "damage_dealt": total(attacker[given], taken[given]),
        "damage_received": total(victim, taken),
        "damage_received_from_players": total(victim[by_other & ~by_bot], taken[by_other & ~by_bot]),
        "damage_received_from_bots": total(victim[by_bot], taken[by_bot]),
        "killsteals": total(steals),
        "finishes_stolen": total(finishes),
        "heals_used": total(used[kind_used == "Heal"]),
        "boosts_used": total(used[kind_used == "Boost"]),
        "throwables_used": total(threw[np.isin(what, list(_TACTICAL))]),
        "smokes_thrown": total(threw[what == _SMOKE]),
        "throwable_damage": total(attacker[thrown], taken[thrown]),
        "time_outside_zone_seconds": [TICK_S * ticks for ticks in total(victim[category == "Damage_BlueZone"])],
    }
    hits = (attacker[given].tolist(), damage.hits["causer"][given].tolist(), taken[given].tolist())
    weapons = _weapons(zip(*hits, strict=True))
    for number, done in ((1, [(kill.killer, credited(kill, old)) for kill in kills]),
                         (2, [(strike.attacker, strike) for strike in knocks])):  # fmt: skip
        for person, strike in done:
            assert person is not None
            weapons[person.index][strike.causer][number] += 1
    zone = _zone_figures(telemetry, count)
    return [
        PlayerTruth(
            account_id=person.account_id,
            player_name=person.name,
            team_id=story.teams[person.team].team_id,
            placement=telemetry.ranks[person.team],
            time_survived_s=min(person.death + 0.003, story.end),
            landing=telemetry.landings.get(person.index),
            weapons={causer: (d, int(k), int(n)) for causer, (d, k, n) in weapons[person.index].items()},
            **{name: values[person.index] for name, values in figures.items()},
            **zone[person.index],
        )
        for person in people
    ]


def _is_given(strike: Strike) -> bool:
    return strike.attacker is not None and strike.attacker.team != strike.victim.team


def _stolen(kills: Sequence[Kill], old: bool) -> tuple[list[int], list[int]]:
    """Who took a kill from the knocker's team, and who finished another's knock."""
    steals: list[int] = []
    finishes: list[int] = []
    for kill in kills:
        finisher = kill.killer if old else kill.finisher
        if kill.knock is None or kill.killer is None or finisher is None or kill.finish.category in _UNCLEAN:
            continue
        knocker = kill.knock.strike.attacker
        if knocker is None or not _is_given(kill.knock.strike):
            continue
        if any(person.is_bot for person in (knocker, kill.killer, finisher, kill.victim)):
            continue
        if kill.killer.team != knocker.team:
            steals.append(kill.killer.index)
        if finisher is not knocker:
            finishes.append(finisher.index)
    return steals, finishes


def _weapons(hits: Any) -> dict[int, dict[str, list[float]]]:
    weapons: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0, 0]))
    for who, causer, damage in hits:
        if damage > 0:
            weapons[who][causer][0] += damage
    return weapons


def _zone_figures(telemetry: Telemetry, count: int) -> list[dict[str, Any]]:
    """Distances of each person's positions from the centre and the edge of the blue circle."""
    where = telemetry.positions
    x, y, radius = telemetry.story.circles.blue(where["t"])
    center = np.hypot(where["x"] - x, where["y"] - y)
    of: npt.NDArray[np.int64] = where["who"]
    figures: list[dict[str, Any]] = []
    for i in range(count):
        mine = of == i
        away, edge = center[mine], (radius - center)[mine]
        seen = bool(mine.any())
        figures.append(
            {
                "avg_distance_from_center": float(away.mean()) if seen else None,
                "max_distance_from_center": float(away.max()) if seen else None,
                "avg_distance_from_edge": float(edge.mean()) if seen else None,
                "min_distance_from_edge": float(edge.min()) if seen else None,
            }
        )
    return figures
