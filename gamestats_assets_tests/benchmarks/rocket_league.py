"""How fast Rocket League replays go from landing to features and recommendations, and cohorts are made.

    python -m gamestats_assets_tests.benchmarks.rocket_league frames --replays FOLDER --matches 400
    python -m gamestats_assets_tests.benchmarks.rocket_league events --replays FOLDER --matches 100
    python -m gamestats_assets_tests.benchmarks.rocket_league single --replays FOLDER
    python -m gamestats_assets_tests.benchmarks.rocket_league cohorts --rows 1000000

FOLDER holds real replays. Each is landed again and again, as a match of its own by the ids in its header; landing is
not counted. `frames` and `events` materialise one day through Dagster as one run, validation, checks and commits to
Delta included, publication not: `frames` what headers, scoreboards and ten frames a second tell, up to features,
`events` every table by match. `single` lands one replay of a tracked player at a time, beside a lake that has the
player's history, cohorts and a model (of a simulated season, whose mark is taken off for this). In one process it times
the functions up to the player's recommendations, with cohorts and model as they stand (`functions_s`), and the runs
that commit all of that (`runs_s`: of the match, of everybody, of the player; a player's tables wait for cohorts and
models). `cohorts` makes profiles, cohorts and models of rows that are drawn. Each prints one JSON object; `cpu_s` is of
this process and its workers, user and system.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import json
import os
import resource
import statistics
import sys
import tempfile
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import dataframely as dy
import msgspec
import numpy as np
import polars as pl
import psycopg

from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.entries.ops import migrate
from gamestats_assets.lakehouse.landing.decoding import Unit
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.quality import screen, table_inputs
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import has_days, partitions_of
from gamestats_assets.orchestration.runs.instance import run_here
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.cohorts import player_profiles, rank_cohorts
from gamestats_assets.rocket_league.analysis.rank_versions import next_models
from gamestats_assets.rocket_league.analysis.skills import FEATURES
from gamestats_assets.rocket_league.analysis.training import training_progress, training_recommendations
from gamestats_assets.rocket_league.analysis.weaknesses import weaknesses
from gamestats_assets.rocket_league.assets import BY_MATCH
from gamestats_assets.rocket_league.players.entered import PLAYER, Custody
from gamestats_assets.rocket_league.replays.bronze import EVENTS_DECODER, RAW_DECODER
from gamestats_assets.rocket_league.replays.files import match_row, read_replay
from gamestats_assets.rocket_league.replays.network import UnreadableReplayError
from gamestats_assets.rocket_league.source import GAME, REPLAY, ingest, read_header
from gamestats_assets.rocket_league.tables.rows import RL_PLAYER
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.rocket_league.players import PLAYLISTS, Planted
from gamestats_assets.simulators.rocket_league.seasons import MARK, simulate_season
from gamestats_assets_tests.benchmarks.pubg import PeakMemory, stage_seconds
from gamestats_assets_tests.rocket_league.support import planted

DAY = date(2026, 3, 14)
BY_DAY = tuple(table for table in t.ALL if has_days(partitions_of(table)))
BY_FRAMES: tuple[type[Table], ...] = (
    t.RawReplays,
    t.RawPlayerStats,
    t.ReplayFrames,
    t.MatchFacts,
    t.Participants,
    t.FrameFigures,
    t.PlayerMatchFeatures,
)
"""What is made without a replay's updates."""
OF_ALL: tuple[type[Table], ...] = (t.PlayerProfiles, t.RankCohorts, t.RankModels, t.TrainingPacks, t.TrackedPlayers)
TO_RECOMMENDATIONS = (weaknesses, training_progress, training_recommendations)
"""What makes the tables of one player, each after those it is made from."""
SEASON_MATCHES, SEASON_PLAYERS, SEASON_DAYS = 3_000, 400, 14
"""The history of `single`."""
MATCHES_OF_A_PLAYER, RANK_EFFECT = 40, 0.1
"""The rows of `cohorts`: what a rank adds to a feature's mean, in standard deviations between players of a rank."""


# --------------------------------------------------------------------------- replays


@dataclass(frozen=True)
class Original:
    """A replay, and the ids that its header tells: that of the match comes last."""

    content: bytes
    ids: tuple[bytes, ...]

    def as_other_match(self, number: int) -> tuple[str, bytes]:
        """The id and the bytes of a replay that is the same but for the ids in its header, whose checksum is right."""
        size = int.from_bytes(self.content[:4], "little")
        header, new = self.content[8 : 8 + size], b""
        for old in self.ids:
            new = hashlib.sha256(f"{number} ".encode() + old).hexdigest()[:32].upper().encode()
            header = header.replace(old, new)
        changed = self.content[:4] + checksum(header).to_bytes(4, "little") + header + self.content[8 + size :]
        return new.decode(), changed


def original(path: Path) -> Original:
    """A replay that can be read."""
    content = path.read_bytes()
    header = read_header(content)
    return Original(content, tuple(str(header[name]).encode() for name in ("Id", "MatchGUID") if header.get(name)))


def originals(folder: Path) -> list[Original]:
    """The replays of a folder, without those that cannot be read."""
    found: list[Original] = []
    for path in sorted(folder.glob("*.replay")):
        try:
            read_replay(path.read_bytes())
        except UnreadableReplayError:
            print(f"{path.name} cannot be read and is left out.", file=sys.stderr)
        else:
            found.append(original(path))
    if not found:
        raise SystemExit(f"Expected replays (*.replay) that can be read in {folder}, and found none.")
    return found


def _of_byte(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


_CHECKSUMS = [_of_byte(byte) for byte in range(256)]


def checksum(section: bytes) -> int:
    """What stands before a section of a replay: CRC-32 by 04C11DB7, highest bit first, begun with EFCBF201."""
    value = 0xEFCBF201 ^ 0xFFFFFFFF
    for byte in section:
        value = (value << 8 ^ _CHECKSUMS[value >> 24 ^ byte]) & 0xFFFFFFFF
    return value ^ 0xFFFFFFFF


def land(replays: Sequence[Original], landing: Landing, matches: int, first: int = 0) -> int:
    """Land so many matches of one day, numbered from `first` on; bytes that landed."""
    size = 0
    for number in range(first, first + matches):
        match_id, content = replays[number % len(replays)].as_other_match(number)
        landing.put(GAME, DAY, match_id, REPLAY, content, content, "replay")
        size += len(content)
    return size


# --------------------------------------------------------------------------- many matches


def cpu_s() -> float:
    """Seconds that this process and those that it has waited for were busy."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def of_a_day(selected: Sequence[type[Table]], replays: Path, matches: int, workers: int | None) -> dict[str, Any]:
    """Materialise tables of so many matches of one day."""
    with tempfile.TemporaryDirectory() as data, dg.DagsterInstance.ephemeral() as instance:
        stores = Stores(Settings(data=data, workers=workers) if workers else Settings(data=data))
        originally = originals(replays)
        size = land(originally, stores.landing, matches)
        definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)})
        selection = dg.AssetSelection.assets(*map(asset_key, selected))
        with PeakMemory() as memory:
            busy, started = cpu_s(), time.perf_counter()
            result = run_here(definitions, instance, selection, partitions=(DAY.isoformat(), DAY.isoformat()))
            seconds, busy = time.perf_counter() - started, cpu_s() - busy
        checks = result.get_asset_check_evaluations()
        made = stores.lake.state(t.PlayerMatchFeatures)
        return {
            "matches": matches,
            "distinct_replays": len(originally),
            "landed_mb": round(size / 2**20),
            "cores": os.cpu_count(),
            "workers": stores.settings.workers,
            "success": result.success,
            "seconds": round(seconds, 2),
            "replays_per_hour": round(3600 * matches / seconds),
            "cpu_s_per_replay": round(busy / matches, 4),
            "rows_of_features": made.rows if made else 0,
            "peak_rss_mb": round(memory.peak_mb),
            "checks_passed": sum(check.passed for check in checks),
            "checks_failed": sorted({f"{c.asset_key.path[-1]}: {c.check_name}" for c in checks if not c.passed}),
            "stage_seconds": stage_seconds(result),
        }


# --------------------------------------------------------------------------- one match


def write_history(folder: Path, playlist: str, account: str) -> list[date]:
    """Write a season in which a Steam account plays, as if it had been played; its days."""
    days = [DAY - timedelta(days=ago) for ago in range(SEASON_DAYS, 0, -1)]
    season = simulate_season(
        seed=7,
        players=SEASON_PLAYERS,
        matches=SEASON_MATCHES,
        first_day=days[0],
        days=SEASON_DAYS,
        playlists=(playlist,),
        tiers=(11, 15),
        # On which platform they play is drawn.
        planted=[Planted(f"Somebody {number}", tier=13, skills={"saves": -2.0}, matches=30) for number in range(8)],
    )
    simulated = next(player.account for player in season.players if player.platform == "steam").encode()
    for match in season.matches:
        del match[MARK]
        content = msgspec.json.encode(match).replace(simulated, account.encode())
        Path(folder, f"{match['id']}.json").write_bytes(content)
    return days


def _ranked(replays: Path) -> tuple[Original, str, str]:
    """A ranked replay, its playlist, and a Steam account that plays in it: who is simulated can have one, too."""
    for path in sorted(replays.glob("*.replay")):
        with contextlib.suppress(UnreadableReplayError):
            replay = read_replay(path.read_bytes())
            playlist = match_row(replay, "", DAY, "", datetime.now(UTC))["playlist"]
            steam = [p.player_id for p in replay.players if p.player_id.startswith("steam_")]
            if playlist in PLAYLISTS and steam:
                return original(path), playlist, steam[0].removeprefix("steam_")
    raise SystemExit(f"Expected a replay of {', '.join(PLAYLISTS)} with a player on Steam in {replays}, found none.")


def table_of(function: Callable[..., Any]) -> type[Table]:
    """The table that a function makes."""
    return typing.get_args(typing.get_type_hints(function)["return"])[0]


def _made(function: Callable[..., Any], known: Mapping[type[Table], pl.LazyFrame]) -> pl.DataFrame:
    """The rows of a table, screened as before a commit; inputs that are not known are empty."""
    table = table_of(function)
    inputs = {
        name: known[source] if source in known else source.create_empty().lazy()
        for name, source in table_inputs(function).items()
    }
    rows = function(**inputs).select(table.column_names()).collect(engine="streaming")
    return screen(table, rows).rows


def recommended(stores: Stores, unit: Unit) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Weaknesses and recommendations of tracked players after a landed match, by the functions that make the tables.

    What else they are made from is taken as it stands in the lake.
    """
    known: dict[type[Table], pl.LazyFrame] = {}
    for decoder in (RAW_DECODER, EVENTS_DECODER):
        decoded = decoder.decode(stores.landing, [unit])
        known |= {table: pl.concat(frames).lazy() for table, frames in decoded.frames.items()}
    for function in BY_MATCH:
        known[table_of(function)] = _made(function, known).lazy()
    for table in {source for function in TO_RECOMMENDATIONS for source in table_inputs(function).values()}:
        if stores.lake.version(table) is not None:
            of_match = [known[table]] if table is t.PlayerMatchFeatures else []
            known[table] = pl.concat([stores.lake.scan(table), *of_match])
    made: dict[type[Table], pl.DataFrame] = {}
    for function in TO_RECOMMENDATIONS:
        made[table_of(function)] = rows = _made(function, known)
        known[table_of(function)] = rows.lazy()
    return made[t.Weaknesses], made[t.TrainingRecommendations]


def single(replays: Path, rounds: int) -> dict[str, Any]:
    """Seconds from a landed replay to its player's recommendations."""
    replay, playlist, account = _ranked(replays)
    player_id = f"steam_{account}"
    with (
        tempfile.TemporaryDirectory() as data,
        tempfile.TemporaryDirectory() as raw,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        stores = Stores(Settings(data=data))
        definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)})

        def run(selected: Sequence[type[Table]], first: str = "", last: str = "") -> None:
            selection = dg.AssetSelection.assets(*map(asset_key, selected))
            result = run_here(definitions, instance, selection, partitions=(first, last or first) if first else None)
            if not result.success:
                failed = sorted(str(event.step_key) for event in result.all_events if event.is_step_failure)
                raise SystemExit(f"These steps failed: {', '.join(failed)}.")

        days = write_history(Path(raw), playlist, account)
        ingest([Path(raw)], stores.landing)
        run(BY_DAY, days[0].isoformat(), days[-1].isoformat())
        migrate(stores.postgres_url)
        with psycopg.connect(stores.postgres_url.get_secret_value()) as conn:
            now = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
            PLAYER.add(conn, player_id, context=Custody(now=now), consents=True)
        run(t.SNAPSHOTS)
        run(OF_ALL)
        instance.add_dynamic_partitions(RL_PLAYER, [player_id])
        of_player = [table_of(function) for function in TO_RECOMMENDATIONS]
        run(of_player, player_id)
        models = stores.lake.scan(t.RankModels).filter(pl.col("state") == "served").collect().height
        measured: list[dict[str, float]] = []
        skills, packs = t.Weaknesses.create_empty(), t.TrainingRecommendations.create_empty()
        for number in range(rounds + 1):
            land([replay], stores.landing, 1, first=number)
            (unit,) = (
                Unit(file.unit_id, DAY, (file,))
                for file in stores.landing.files(GAME, DAY.isoformat())
                if file.unit_id == replay.as_other_match(number)[0]
            )
            # The first round is in a process that is not warm.
            begun, busy = time.perf_counter(), cpu_s()
            skills, packs = recommended(stores, unit)
            told = {"functions_s": time.perf_counter() - begun, "functions_cpu_s": cpu_s() - busy}
            busy = cpu_s()
            steps: Mapping[str, Callable[[], None]] = {
                "match": lambda: run(BY_DAY, DAY.isoformat()),
                "everybody": lambda: run(OF_ALL),
                "player": lambda: run(of_player, player_id),
            }
            for name, step in steps.items():
                begun = time.perf_counter()
                step()
                told[f"runs_{name}_s"] = time.perf_counter() - begun
            told |= {"runs_s": sum(told[f"runs_{name}_s"] for name in steps), "runs_cpu_s": cpu_s() - busy}
            measured.append(told)
            counted = stores.lake.scan(t.Weaknesses).select(pl.col("matches").max()).collect().item()
            assert packs.height, "nothing is recommended"
            assert skills.get_column("matches").max() == counted, "functions and runs took other matches"
        warm = measured[1:]
        return {
            "rounds": rounds,
            "cores": os.cpu_count(),
            "players_in_the_match": len(read_replay(replay.content).players),
            "matches_of_the_player": skills.get_column("matches").max(),
            "history_matches": SEASON_MATCHES,
            "models": models,
            "recommendations": packs.height,
            "first_round": {name: round(value, 3) for name, value in measured[0].items()},
            "median": {name: round(statistics.median(each[name] for each in warm), 3) for name in warm[0]},
            "longest": {name: round(max(each[name] for each in warm), 3) for name in warm[0]},
        }


# --------------------------------------------------------------------------- everybody


def drawn(rows: int) -> pl.DataFrame:
    """Rows of `PlayerMatchFeatures`, 40 of each player, whose features go with the rank; every feature is known."""
    rng = np.random.default_rng(20260314)
    players = rows // MATCHES_OF_A_PLAYER
    tiers = rng.integers(1, 23, players)
    true = {name: rng.normal(size=players) + RANK_EFFECT * (tiers - 11.5) for name in FEATURES}
    playlists = rng.choice([*PLAYLISTS], players)
    return planted.played(rng, true, MATCHES_OF_A_PLAYER, tier=tiers, playlist=playlists)


def cohorts(rows: int) -> dict[str, Any]:
    """Seconds and memory of profiles, cohorts and models."""
    features = drawn(rows)
    lazy = typing.cast("dy.LazyFrame[t.PlayerMatchFeatures]", features.lazy())
    nothing_withheld = t.Withheld.create_empty().lazy()
    sessions, standing = t.TrainingSessions.create_empty().lazy(), t.RankModels.create_empty().lazy()
    told: dict[str, Any] = {
        "rows": features.height,
        "players": features.get_column("player_id").n_unique(),
        "features": len(FEATURES),
        "cores": os.cpu_count(),
        "features_mb": round(features.estimated_size("mb")),
    }
    profiles = t.PlayerProfiles.create_empty()

    def make_profiles() -> pl.DataFrame:
        nonlocal profiles
        profiles = player_profiles(lazy, nothing_withheld).collect()
        return profiles

    steps: Mapping[str, Callable[[], pl.DataFrame]] = {
        "player_profiles": make_profiles,
        "rank_cohorts": lambda: rank_cohorts(lazy, nothing_withheld).collect(),
        "rank_models": lambda: next_models(standing, profiles.lazy(), lazy, sessions, nothing_withheld).collect(),
    }
    for name, step in steps.items():
        with PeakMemory() as memory:
            busy, started = cpu_s(), time.perf_counter()
            made = step().height
            told[name] = {
                "rows": made,
                "seconds": round(time.perf_counter() - started, 2),
                "cpu_s": round(cpu_s() - busy, 2),
                "peak_rss_mb": round(memory.peak_mb),
            }
    return told


def main() -> None:
    """Run one of the four."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, matches in (("frames", 400), ("events", 100)):
        command = commands.add_parser(name)
        command.add_argument("--replays", type=Path, required=True, help="folder of real replays")
        command.add_argument("--matches", type=int, default=matches)
        command.add_argument("--workers", type=int, help="processes that decode; as the settings say by default")
    for_single = commands.add_parser("single")
    for_single.add_argument("--replays", type=Path, required=True, help="folder of real replays")
    for_single.add_argument("--rounds", type=int, default=5)
    commands.add_parser("cohorts").add_argument("--rows", type=int, default=1_000_000)
    given = vars(parser.parse_args())
    runs: Mapping[str, Callable[..., dict[str, Any]]] = {
        "frames": functools.partial(of_a_day, BY_FRAMES),
        "events": functools.partial(of_a_day, BY_DAY),
        "single": single,
        "cohorts": cohorts,
    }
    print(json.dumps(runs[given.pop("command")](**given), indent=2))


if __name__ == "__main__":
    main()
