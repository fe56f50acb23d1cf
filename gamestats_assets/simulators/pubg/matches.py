"""Simulated PUBG matches: raw files in the API's format, with a planted truth.

    match = simulate_match(7, datetime(2026, 3, 14, 20, tzinfo=UTC))
    match.telemetry_json, match.match_json      # what the API would return
    match.truth                                 # the expected figures

Everything follows from the seed, and no code is shared with the pipeline, so that agreement of tables and truth proves
something.
"""

from __future__ import annotations

import functools
import math
import multiprocessing
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl
from isal import igzip

from gamestats_assets.simulators.pubg.damage import Damage
from gamestats_assets.simulators.pubg.paths import Paths
from gamestats_assets.simulators.pubg.story import Story
from gamestats_assets.simulators.pubg.telemetry import MatchIdentity, Telemetry
from gamestats_assets.simulators.pubg.truth import MatchTruth, PlayerTruth, match_truth, player_truths
from gamestats_assets.simulators.pubg.world import MAPS, stable_number
from gamestats_assets.simulators.templates import filled, template

_ENCODER = msgspec.json.Encoder()
_TEAM_SIZES = {"solo": 1, "duo": 2, "squad": 4}
_UPLOADED_AFTER_S = 49
"""Seconds from the end of a match to the upload of its telemetry."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class SimulatedMatch:
    """One match as the API would return it, with its truth.

    Attributes:
        match_json: the document of `/matches/{id}`.
        telemetry_json: the telemetry array, not compressed.
    """

    match_json: bytes
    telemetry_json: bytes
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
    squads: Sequence[int] | None = None,
) -> SimulatedMatch:
    """Simulates one match.

    Args:
        seed: Decides everything else, including the match id.
        started_at: LogMatchStart; a naive time is taken as UTC, fractions below a millisecond are dropped.
        map_name: One of `MAPS`; drawn by the seed when None.
        game_mode: `solo`, `duo`, `squad`, with `-fpp` and prefixes such as `esports-` as in the API.
        match_type: `official` matches have the public circles, all others the competitive ones.
        players: Participants, including bots.
        bots: Number of bots; by default 4 or 8 in official matches, else none.
        telemetry_version: `v1` writes the format of old tournament files.
        population: Number of people from whom the players are drawn, so that they meet again in other matches.
        squads: Numbers of the squads of the population that play; drawn by the seed when None.

    Raises:
        ValueError: For an unknown map, squads that do not match the number of players, or too small a match.
    """
    rng = np.random.default_rng(stable_number("match", seed))
    if map_name is None:
        shares = np.array([each.share for each in MAPS.values()])
        map_name = list(MAPS)[int(rng.choice(len(MAPS), p=shares / shares.sum()))]
    if map_name not in MAPS:
        raise ValueError(f"no such map to simulate: {map_name!r}; known: {', '.join(MAPS)}")
    team_size = next((size for word, size in _TEAM_SIZES.items() if word in game_mode), 4)
    is_official = match_type == "official"
    if bots is None:
        bots = int(rng.choice((4, 8))) if is_official and players >= 40 else 0  # whole squads of bots
    if players - bots <= team_size:
        raise ValueError(f"{players} players with {bots} bots are not enough for two teams")
    if squads is not None and len(squads) != math.ceil((players - bots) / team_size):
        raise ValueError(f"{players - bots} players are not {len(squads)} squads of {team_size}")
    started_at = started_at.replace(tzinfo=UTC) if started_at.tzinfo is None else started_at.astimezone(UTC)
    started_at = started_at.replace(microsecond=started_at.microsecond // 1000 * 1000)
    match_id = _uuid(rng)
    story = Story(
        rng,
        map_name,
        competitive=not is_official,
        players=players,
        bots=bots,
        team_size=team_size,
        population=max(population, players + 40),
        squads=squads,
    )
    paths, old = Paths(story), telemetry_version == "v1"
    identity = MatchIdentity(
        _match_name(rng, match_id, started_at, game_mode, match_type),
        map_name,
        started_at,
        team_size,
        match_type == "custom",
        "fpp" in game_mode,
    )
    telemetry = Telemetry(story, paths, Damage(story, paths, old), identity, old)
    everybody = player_truths(telemetry)
    truth = match_truth(telemetry, match_id, everybody)
    document = _match_document(telemetry, truth, everybody, game_mode, match_type)
    return SimulatedMatch(_ENCODER.encode(document), _ENCODER.encode(telemetry.log), truth)


def _uuid(rng: np.random.Generator, version: int = 4) -> str:
    return str(uuid.UUID(bytes=rng.bytes(16), version=version))


def _match_name(rng: np.random.Generator, match_id: str, start: datetime, mode: str, match_type: str) -> str:
    season = f"pc-2018-{36 + (start.year - 2025) * 6 + start.month // 2}"
    of = rng.bytes(16).hex() if match_type == "custom" else season
    return f"match.bro.{match_type}.{of}.steam.{mode}.as.{start:%Y.%m.%d.%H}.{match_id}"


def _participants(telemetry: Telemetry, everybody: Sequence[PlayerTruth]) -> list[dict[str, Any]]:
    """Returns all participants with their statistics, as in the API since 2019."""
    story, count = telemetry.story, len(everybody)
    by_others = telemetry.kills.filter(pl.col("killer") >= 0, pl.col("killer") != pl.col("victim"))
    longest = dict(by_others.group_by("killer").agg(pl.col("distance_m").max()).iter_rows())
    by_vehicle = Counter(by_others.filter(category="Damage_VehicleHit")["killer"])
    weapons = Counter(telemetry.pickups.filter(category="Weapon")["who"])
    ended_by = ["alive"] * count
    for killer, victim in telemetry.kills.select("killer", "victim").iter_rows():
        other = "suicide" if killer == victim else "byplayer"
        ended_by[victim] = "byzone" if killer < 0 else other
    order = sorted(range(count), key=lambda i: (-everybody[i].kills, everybody[i].placement, i))
    return [
        filled(
            template("pubg", "match")["participant"],
            {
                **vars(truth),
                "id": _uuid(story.rng),
                "damage_dealt": round(truth.damage_dealt, 5),
                "ended_by": ended_by[i],
                "kill_place": order.index(i) + 1,
                "longest_kill_m": round(longest.get(i, 0.0), 5),
                "ridden_m": round(float(telemetry.paths.ridden[i]), 4),
                "walked_m": round(float(telemetry.paths.walked[i]), 4),
                "road_kills": by_vehicle[i],
                "survived_s": round(truth.time_survived_s),
                "weapons_acquired": weapons[i],
            },
        )
        for i, truth in enumerate(everybody)
    ]


def _match_document(
    telemetry: Telemetry, truth: MatchTruth, everybody: Sequence[PlayerTruth], mode: str, match_type: str
) -> dict[str, Any]:
    """Returns the JSON:API document: match, participants, rosters, and the asset that names the telemetry."""
    story, forms = telemetry.story, template("pubg", "match")
    rng, duration_s = story.rng, round(story.end)
    stored = truth.started_at + timedelta(seconds=duration_s + int(rng.integers(2, 20)))
    uploaded = truth.started_at + timedelta(seconds=duration_s + _UPLOADED_AFTER_S + int(rng.integers(5)))
    participants = _participants(telemetry, everybody)
    rosters = [
        filled(
            forms["roster"],
            {
                "id": _uuid(rng),
                "rank": rank,
                "won": "true" if rank == 1 else "false",
                "team_id": story.team_ids[team],
                "links": _links(participants[i] for i in np.flatnonzero(story.team == team).tolist()),
            },
        )
        for team, rank in enumerate(telemetry.ranks.tolist())
    ]
    asset_id, folder = _uuid(rng, version=1), f"{uploaded:%Y/%m/%d/%H/%M}"
    url = f"https://telemetry-cdn.pubg.com/bluehole-pubg/steam/{folder}/{asset_id}-telemetry.json"
    asset = filled(forms["asset"], {"id": asset_id, "created_at": f"{uploaded:{_TIME}}", "url": url})
    included = [*participants, *rosters, asset]
    values = {
        "match_id": truth.match_id,
        "map_name": truth.map_name,
        "is_custom": match_type == "custom",
        "match_type": match_type,
        "game_mode": mode,
        "created_at": f"{stored:{_TIME}}",
        "duration_s": duration_s,
        "roster_links": _links(rosters),
        "asset_links": _links([asset]),
        "link": f"https://api.pubg.com/shards/steam/matches/{truth.match_id}",
        "included": [included[number] for number in rng.permutation(len(included)).tolist()],
    }
    return filled(forms["document"], values)


def _links(documents: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"type": document["type"], "id": document["id"]} for document in documents]


# --------------------------------------------------------------------------- files


def write_match(folder: Path, seed: int, started_at: datetime, **options: Any) -> MatchTruth:
    """Writes one match into a folder: `<match_id>.match.json` and `<match_id>.telemetry.json.gz`.

    Args:
        folder: The folder.
        seed: As in `simulate_match`.
        started_at: As in `simulate_match`.
        options: Passed to `simulate_match`.
    """
    match = simulate_match(seed, started_at, **options)
    _write(folder / f"{match.truth.match_id}.match.json", match.match_json)
    # No time in the header: the same seed gives the same bytes.
    packed = igzip.compress(match.telemetry_json, compresslevel=1, mtime=0)
    _write(folder / f"{match.truth.match_id}.telemetry.json.gz", packed)
    return match.truth


def _write(path: Path, content: bytes) -> None:
    """Writes under a temporary name, then renames, so that readers never see half a file."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def simulate_day(
    folder: Path, day: date, matches: int, seed: int, *, processes: int = 1, **options: Any
) -> list[MatchTruth]:
    """Writes a day of matches into a folder: `<match_id>.match.json` and `<match_id>.telemetry.json.gz` each.

    Starts are spread over the UTC day. The files depend only on the seed, the day and the options, not on `processes`.

    Args:
        folder: Created if missing.
        day: The UTC day on which the matches start.
        matches: Number of matches.
        seed: Decides the matches; with the same seed, two days have the same matches.
        processes: Worker processes.
        options: Passed to `simulate_match`.

    Returns:
        The truths, in order of start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    one = functools.partial(_one_of_day, folder, day, matches, seed, options)
    return mapped(one, range(matches), processes)


def mapped(make: Callable[[Any], MatchTruth], tasks: Sequence[Any], processes: int) -> list[MatchTruth]:
    """Returns the results of a function for all tasks, computed by so many processes."""
    if processes <= 1:
        return [make(task) for task in tasks]
    # Not forked: the threads of Polars do not survive in a copy of the process.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(make, tasks))


def _one_of_day(folder: Path, day: date, matches: int, seed: int, options: dict[str, Any], index: int) -> MatchTruth:
    number = stable_number("day", seed, index)
    share = (index + Random(number).uniform(0.02, 0.98)) / matches
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(milliseconds=int(share * 86_400_000))
    return write_match(folder, number, start, **options)
