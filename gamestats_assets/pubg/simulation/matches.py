"""Simulated PUBG matches: raw files as the API gives them, with the truth planted in them.

`simulate_match` makes one match object (JSON:API) and its telemetry; `simulate_day` fills a folder with a
day of matches. Everything follows from the seed. The truth returned beside the files is counted from the
events as they are written, by code that shares nothing with the pipeline: when tables and truth agree, that
proves something.

Three modules, three passes: `story` decides what happens, `telemetry` writes it down, this
one makes the match object, the truth and the files.
"""

from __future__ import annotations

import math
import os
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Literal

import msgspec
import numpy as np
from isal import igzip

from gamestats_assets.pubg.simulation.story import MAPS, Person, Story, stable_number
from gamestats_assets.pubg.simulation.telemetry import TICK, Tally, Telemetry, whole

_ENCODER = msgspec.json.Encoder()

# How often each map is played, in per cent: the mix of the 1,989 real matches, small maps and training aside.
_MAP_SHARES = {
    "Tiger_Main": 37,
    "Baltic_Main": 34,
    "Desert_Main": 14,
    "Neon_Main": 13,
    "DihorOtok_Main": 1,
    "Savage_Main": 1,
}
SIMULATED = "simulated"
"""State of the season that no match of the API has: it marks a match object as simulated."""
_TEAM_SIZES = {"solo": 1, "duo": 2, "squad": 4}
_API_TO_TELEMETRY_LAG = 115.0
"""Seconds between the end of a match and the upload of its telemetry: the mode of the 62 real match
objects."""


@dataclass(frozen=True)
class PlayerTruth:
    """What one human did in one match: the figures the pipeline must reproduce."""

    account_id: str
    player_name: str
    team_id: int
    placement: int
    """Team placement, 1 for the winner."""
    kills: int
    """Eliminations credited to the player (`killer`), bots included, own team and self excluded."""
    assists: int
    dbnos: int
    """Enemies knocked (LogPlayerMakeGroggy with the player as attacker), bots included."""
    headshot_kills: int
    """Credited kills whose credited damage was a HeadShot."""
    revives: int
    team_kills: int
    damage_dealt: float
    """Net damage to the health of others outside the own team, bots included. Hit points."""
    damage_received: float
    """All net damage to health, zone, falls and bleeding included. Hit points."""
    damage_received_from_players: float
    """Damage by other humans, team mates included, while standing. Hit points."""
    damage_received_from_bots: float
    """Damage by bots, part of `damage_received` only. Hit points."""
    killsteals: int
    """Kills of somebody knocked by another team. No bots, bleed-outs, zone, suicides or team kills
    involved."""
    finishes_stolen: int
    """Times the player finished (`finisher`) somebody another player had knocked, own team's knocks
    included; same exclusions. A file of version 1 does not name the finisher: there it is the killer."""
    heals_used: int
    boosts_used: int
    throwables_used: int
    """Tactical throwables thrown (snowballs and apples are not)."""
    smokes_thrown: int
    throwable_damage: float
    """Part of `damage_dealt` done by throwables and their fire."""
    time_survived_s: float
    """Seconds from LogMatchStart to elimination, or to the end of the match."""
    landing: tuple[float, float] | None
    """Parachute landing, metres from the map's upper left corner."""
    avg_distance_from_center: float | None
    """The five zone figures: metres against the blue circle, over the positions logged from the first zone
    (`isGame` >= 1) until the player is out; None without such a position."""
    max_distance_from_center: float | None
    avg_distance_from_edge: float | None
    min_distance_from_edge: float | None
    time_outside_zone_seconds: float
    """Blue zone ticks times 1.03."""
    weapons: dict[str, tuple[float, int, int]] = field(default_factory=dict)
    """By `damageCauserName`: damage dealt, kills credited, knocks."""


@dataclass(frozen=True)
class MatchTruth:
    """What one match contains."""

    match_id: str
    map_name: str
    started_at: datetime
    """LogMatchStart, to the millisecond."""
    ended_at: datetime
    """The last elimination."""
    match_date: date
    """UTC day of the start."""
    players: int
    """Humans."""
    teams: int
    bots: int
    event_counts: dict[str, int]
    players_truth: dict[str, PlayerTruth]
    """By account id; humans only."""
    kills: int
    """Elimination events of either version, whoever or whatever caused them."""
    knocks: int
    revives: int
    seed: int


@dataclass(frozen=True)
class SimulatedMatch:
    """One match as the API would give it, and its truth."""

    match_json: bytes
    """The document of `/matches/{id}`."""
    telemetry_json: bytes
    """The telemetry array, not compressed."""
    truth: MatchTruth


def simulate_match(
    seed: int,
    started_at: datetime,
    *,
    map_name: str | None = None,
    game_mode: str = "squad-fpp",
    match_type: str = "official",
    players: int = 100,
    bots: int | None = None,
    telemetry_version: Literal["v2", "v1"] = "v2",
    population: int = 400,
    created_at: Literal["stored", "opened"] = "stored",
    squads: Sequence[int] | None = None,
) -> SimulatedMatch:
    """Simulate one match.

    Args:
        seed: Decides everything else, the match id included.
        started_at: LogMatchStart; a naive time is taken as UTC, fractions below a millisecond are dropped.
        map_name: One of `MAPS`; drawn by the seed when None.
        game_mode: `solo`, `duo`, `squad`, with `-fpp` and prefixes such as `esports-` as the API has them.
        match_type: `official` is played by the public circles, every other type by the competitive ones.
        players: Participants, bots included.
        bots: How many of them are bots; by default 4 or 8 in official matches, else none.
        telemetry_version: `v1` writes LogPlayerKill, plain characters, explicit nulls, damage while bleeding,
            and no LogPlayerUseThrowable.
        population: Number of people the players are drawn from, so that they meet again in other matches.
        created_at: What `createdAt` of the match object says: the end (`stored`), or the opening of the lobby
            before the start (`opened`), which is what the upload times in the real match objects point to.
        squads: Which squads of the population play, by number; drawn by the seed when None.

    Raises:
        ValueError: For an unknown map, squads that are not as many as the players need, or a match too small to be
            played.
    """
    rng = Random(stable_number("match", seed))
    if map_name is None:
        map_name = rng.choices(list(_MAP_SHARES), list(_MAP_SHARES.values()))[0]
    if map_name not in MAPS:
        raise ValueError(f"no such map to simulate: {map_name!r}; known: {', '.join(MAPS)}")
    team_size = next((size for word, size in _TEAM_SIZES.items() if word in game_mode), 4)
    official = match_type == "official"
    if bots is None:
        bots = rng.choice((4, 8)) if official and players >= 40 else 0  # whole squads, the humans' stay full
    if players - bots <= team_size:
        raise ValueError(f"{players} players with {bots} bots are not enough for two teams")
    if started_at.tzinfo is None:
        started_at = started_at.replace(tzinfo=UTC)
    started_at = started_at.astimezone(UTC)
    started_at = started_at.replace(microsecond=started_at.microsecond // 1000 * 1000)

    match_id = _uuid(rng)
    if squads is not None and len(squads) != math.ceil((players - bots) / team_size):
        raise ValueError(f"{players - bots} players are not {len(squads)} squads of {team_size}")
    story = Story(rng, map_name, not official, players, bots, team_size, max(population, players + 40), squads)
    story.run()
    custom = match_type == "custom"
    name = _match_name(rng, match_id, started_at, game_mode, match_type)
    telemetry = Telemetry(
        story,
        started_at,
        name,
        match_id,
        map_name,
        rng,
        telemetry_version == "v1",
        team_size,
        custom,
        "fpp" in game_mode,
    )
    events = telemetry.write()
    truth = _truth(story, telemetry, match_id, map_name, started_at, seed, events)
    document = _match_document(story, telemetry, truth, rng, game_mode, match_type, created_at)
    return SimulatedMatch(_ENCODER.encode(document), _ENCODER.encode(events), truth)


def _uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _match_name(rng: Random, match_id: str, start: datetime, mode: str, match_type: str) -> str:
    day = f"{start:%Y.%m.%d.%H}"
    if match_type == "custom":
        return f"match.bro.custom.{rng.getrandbits(128):032x}.steam.{mode}.as.{day}.{match_id}"
    season = 36 + (start.year - 2025) * 6 + start.month // 2
    return f"match.bro.{match_type}.pc-2018-{season}.steam.{mode}.as.{day}.{match_id}"


def _truth(
    story: Story,
    telemetry: Telemetry,
    match_id: str,
    map_name: str,
    start: datetime,
    seed: int,
    events: list[dict[str, Any]],
) -> MatchTruth:
    counts = Counter(event["_T"] for event in events)
    truths = {p.account_id: _player_truth(p, telemetry) for p in story.people if not p.is_bot}
    return MatchTruth(
        match_id=match_id,
        map_name=map_name,
        started_at=start,
        ended_at=start + timedelta(milliseconds=round(story.end * 1000)),
        match_date=start.date(),
        players=len(truths),
        teams=len(story.teams),
        bots=len(story.people) - len(truths),
        event_counts=dict(counts),
        players_truth=truths,
        kills=counts["LogPlayerKillV2"] + counts["LogPlayerKill"],
        knocks=counts["LogPlayerMakeGroggy"],
        revives=counts["LogPlayerRevive"],
        seed=seed,
    )


def _player_truth(p: Person, telemetry: Telemetry) -> PlayerTruth:
    tally = telemetry.tallies[p.index]
    center = edge = np.zeros(0)
    if tally.zone_samples:
        samples = np.array(tally.zone_samples)
        x, y, r = telemetry.zone.blue(samples[:, 0])
        center = np.hypot(samples[:, 1] - x, samples[:, 2] - y)
        edge = r - center
    causers = dict.fromkeys([*tally.weapon_damage, *tally.weapon_kills, *tally.weapon_knocks])
    return PlayerTruth(
        account_id=p.account_id,
        player_name=p.name,
        team_id=telemetry.story.teams[p.team].team_id,
        placement=telemetry.ranks[p.team],
        kills=tally.kills,
        assists=tally.assists,
        dbnos=tally.dbnos,
        headshot_kills=tally.headshot_kills,
        revives=tally.revives,
        team_kills=tally.team_kills,
        damage_dealt=tally.dealt,
        damage_received=tally.received,
        damage_received_from_players=tally.received_from_players,
        damage_received_from_bots=tally.received_from_bots,
        killsteals=tally.killsteals,
        finishes_stolen=tally.finishes_stolen,
        heals_used=tally.heals,
        boosts_used=tally.boosts,
        throwables_used=tally.throwables,
        smokes_thrown=tally.smokes,
        throwable_damage=tally.throwable_damage,
        time_survived_s=_survived(p, telemetry),
        landing=tally.landing,
        avg_distance_from_center=float(center.mean()) if len(center) else None,
        max_distance_from_center=float(center.max()) if len(center) else None,
        avg_distance_from_edge=float(edge.mean()) if len(edge) else None,
        min_distance_from_edge=float(edge.min()) if len(edge) else None,
        time_outside_zone_seconds=tally.zone_ticks * TICK,
        weapons={c: (tally.weapon_damage.get(c, 0.0), tally.weapon_kills[c], tally.weapon_knocks[c]) for c in causers},
    )


def _survived(p: Person, telemetry: Telemetry) -> float:
    return p.death + 0.003 if p.death < math.inf else telemetry.end


def _kill_streak(times: list[float]) -> int:
    """The longest run of kills less than half a minute apart."""
    best = run = 1 if times else 0
    for a, b in pairwise(times):
        run = run + 1 if b - a < 30 else 1
        best = max(best, run)
    return best


def _statistics(p: Person, telemetry: Telemetry, kill_place: int) -> dict[str, Any]:
    """The 23 statistics of a participant, as the API has them since 2019."""
    tally: Tally = telemetry.tallies[p.index]
    return {
        "DBNOs": tally.dbnos,
        "assists": tally.assists,
        "boosts": tally.boosts,
        "damageDealt": whole(round(tally.dealt, 5)),
        "deathType": tally.death_type,
        "headshotKills": tally.headshot_kills,
        "heals": tally.heals,
        "killPlace": kill_place,
        "killStreaks": _kill_streak(tally.kill_times),
        "kills": tally.kills,
        "longestKill": whole(round(tally.longest_kill, 5)),
        "name": p.name,
        "playerId": p.account_id,
        "revives": tally.revives,
        "rideDistance": whole(round(float(telemetry.ridden[p.index]), 4)),
        "roadKills": tally.road_kills,
        "swimDistance": 0,
        "teamKills": tally.team_kills,
        "timeSurvived": round(_survived(p, telemetry)),
        "vehicleDestroys": 0,
        "walkDistance": whole(round(float(telemetry.walked[p.index]), 4)),
        "weaponsAcquired": tally.weapons_acquired,
        "winPlace": telemetry.ranks[p.team],
    }


def _match_document(
    story: Story,
    telemetry: Telemetry,
    truth: MatchTruth,
    rng: Random,
    mode: str,
    match_type: str,
    created: str,
) -> dict[str, Any]:
    """The JSON:API document: match, participants, rosters, and the asset that names the telemetry."""
    duration = round(story.end)
    opened = truth.started_at - timedelta(seconds=66)
    stored = truth.started_at + timedelta(seconds=duration + rng.randint(2, 20))
    uploaded = truth.started_at + timedelta(seconds=duration + _API_TO_TELEMETRY_LAG - 66 + rng.randint(0, 4))
    order = sorted(
        story.people,
        key=lambda p: (
            -telemetry.tallies[p.index].kills,
            telemetry.ranks[p.team],
            -_survived(p, telemetry),
            p.index,
        ),
    )
    places = {p.index: place for place, p in enumerate(order, 1)}
    people = {p.index: _uuid(rng) for p in story.people}
    participants = [
        {
            "type": "participant",
            "id": people[p.index],
            "attributes": {
                "stats": _statistics(p, telemetry, places[p.index]),
                "actor": "",
                "shardId": "steam",
            },
        }
        for p in story.people
    ]
    rosters = [
        {
            "type": "roster",
            "id": _uuid(rng),
            "attributes": {
                "stats": {"rank": telemetry.ranks[team.index], "teamId": team.team_id},
                "won": "true" if telemetry.ranks[team.index] == 1 else "false",
                "shardId": "steam",
            },
            "relationships": {
                "team": {"data": None},
                "participants": {"data": [{"type": "participant", "id": people[p.index]} for p in team.members]},
            },
        }
        for team in story.teams
    ]
    asset = str(uuid.UUID(int=rng.getrandbits(128), version=1))
    asset_row = {
        "type": "asset",
        "id": asset,
        "attributes": {
            "name": "telemetry",
            "description": "",
            "createdAt": f"{uploaded:%Y-%m-%dT%H:%M:%SZ}",
            "URL": "https://telemetry-cdn.pubg.com/bluehole-pubg/steam/"
            f"{uploaded:%Y/%m/%d/%H/%M}/{asset}-telemetry.json",
        },
    }
    included: list[dict[str, Any]] = [*participants, *rosters, asset_row]
    rng.shuffle(included)
    link = f"https://api.pubg.com/shards/steam/matches/{truth.match_id}"
    return {
        "data": {
            "type": "match",
            "id": truth.match_id,
            "attributes": {
                "stats": None,
                "shardId": "steam",
                "tags": None,
                "mapName": truth.map_name,
                "isCustomMatch": match_type == "custom",
                "matchType": match_type,
                "gameMode": mode,
                "titleId": "bluehole-pubg",
                "seasonState": SIMULATED,
                "createdAt": f"{stored if created == 'stored' else opened:%Y-%m-%dT%H:%M:%SZ}",
                "duration": duration,
            },
            "relationships": {
                "rosters": {"data": [{"type": "roster", "id": roster["id"]} for roster in rosters]},
                "assets": {"data": [{"type": "asset", "id": asset}]},
            },
            "links": {"self": link, "schema": ""},
        },
        "included": included,
        "links": {"self": link},
        "meta": {},
    }


def _write(path: Path, content: bytes) -> None:
    """Write under a temporary name, then rename: a reader never sees half a file."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def _one_of_day(folder: str, day: date, index: int, matches: int, seed: int, options: dict[str, Any]) -> MatchTruth:
    number = stable_number("day", seed, index)
    rng = Random(number)
    slot = 86_400_000 / matches
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(
        milliseconds=int((index + rng.uniform(0.02, 0.98)) * slot)
    )
    return write_match(Path(folder), number, start, **options)


def write_match(folder: Path, seed: int, started_at: datetime, **options: Any) -> MatchTruth:
    """Write one match into a folder: `<match_id>.match.json` and `<match_id>.telemetry.json.gz`.

    Args:
        folder: The folder.
        seed: As `simulate_match` has it.
        started_at: As `simulate_match` has it.
        options: Passed to `simulate_match`.
    """
    match = simulate_match(seed, started_at, **options)
    stem = folder / match.truth.match_id
    _write(stem.with_name(f"{stem.name}.match.json"), match.match_json)
    packed = igzip.compress(
        match.telemetry_json, compresslevel=1, mtime=0
    )  # no clock in the header: same seed, same bytes
    _write(stem.with_name(f"{stem.name}.telemetry.json.gz"), packed)
    return match.truth


def simulate_day(
    folder: Path,
    day: date,
    matches: int,
    seed: int,
    *,
    processes: int = 1,
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> list[MatchTruth]:
    """Write a day of matches into a folder: `<match_id>.match.json` and `<match_id>.telemetry.json.gz` each.

    Starts are spread over the UTC day. The files depend on the seed, the day and the options only, not on
    `processes`.

    Args:
        folder: Made if missing.
        day: The UTC day the matches start on.
        matches: How many.
        seed: Decides the matches; give every day its own, or the same matches happen again.
        processes: Worker processes.
        progress: Called with the number of matches written so far.
        options: Passed to `simulate_match`.

    Returns:
        The truths, in order of start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truths: dict[int, MatchTruth] = {}
    if processes <= 1:
        for index in range(matches):
            truths[index] = _one_of_day(str(folder), day, index, matches, seed, options)
            if progress:
                progress(len(truths))
    else:
        with ProcessPoolExecutor(processes) as pool:
            futures = {
                pool.submit(_one_of_day, str(folder), day, index, matches, seed, options): index
                for index in range(matches)
            }
            for future in as_completed(futures):
                truths[futures[future]] = future.result()
                if progress:
                    progress(len(truths))
    return [truths[index] for index in range(matches)]
