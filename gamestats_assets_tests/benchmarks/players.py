"""How fast the history of a newly tracked player is taken up, and what keeping detail for tracked players saves.

    python -m gamestats_assets_tests.benchmarks.players --matches 100

Distinct full-size matches are simulated (and kept in --raw, if given), one person is put into every one of them, and
they are landed and processed. Then the player is tracked, and the run that the sensor would request is timed: every
table of the player with its checks and the copies in PostgreSQL. Beside it, the bytes of positions per match: those of
everybody in `circle_positions`, and those of the tracked players alone, one in eight. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg

from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.entries.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.partitions import has_days
from gamestats_assets.orchestration.runs.instance import run_here
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.players.tables import TRACKED_PLAYER
from gamestats_assets.pubg.source.files import ingest
from gamestats_assets.settings import Settings
from gamestats_assets_tests.benchmarks.pubg import DAY, raw_matches, stage_seconds

PLAYER = "account." + "0" * 31 + "1"
ONE_IN = 8
"""Of so many players one is tracked, where storage is compared."""


def with_player(raw: Path, folder: Path) -> None:
    """Copies of the matches in which the first person of each is `PLAYER`."""
    for path in sorted(raw.glob("*.match.json")):
        text = path.read_text()
        found = min(
            p["attributes"]["stats"]["playerId"] for p in json.loads(text)["included"] if p["type"] == "participant"
        )
        (folder / path.name).write_text(text.replace(found, PLAYER))
        telemetry = path.name.replace(".match.json", ".telemetry.json.gz")
        events = gzip.decompress((raw / telemetry).read_bytes()).replace(found.encode(), PLAYER.encode())
        (folder / telemetry).write_bytes(gzip.compress(events, 1))


def track(stores: Stores, accounts: list[str]) -> None:
    """Enter players as tracked since the day after the matches."""
    added = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) + timedelta(days=1)
    with psycopg.connect(stores.postgres_url.get_secret_value(), autocommit=True) as conn:
        conn.cursor().executemany(
            "INSERT INTO ops.tracked_players (account_id, player_name, added_at) VALUES (%s, %s, %s)",
            [(account, account, added) for account in accounts],
        )


def benchmark(matches: int, raw: Path | None) -> dict[str, Any]:
    """Take up one player's history; the figures of the module's docstring."""
    with (
        raw_matches(raw, matches) as files,
        tempfile.TemporaryDirectory() as data,
        tempfile.TemporaryDirectory() as own,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        stores = Stores(Settings(data=data))
        with_player(files, Path(own))
        ingest([Path(own)], stores.landing)
        definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)})
        graph = definitions.resolve_asset_graph()
        read = [t.MatchSummaries, t.CirclePositions, t.DamageEvents, t.WeaponKills]
        upstream = (
            dg.AssetSelection.assets(*map(asset_key, read)).upstream().required_multi_asset_neighbors().resolve(graph)
        )
        by_day = dg.AssetSelection.assets(*(key for key in upstream if has_days(graph.get(key).partitions_def)))
        by_player = [table for table in t.ALL if table.spec.partitioned_by == TRACKED_PLAYER]
        target = [asset_key(table) for table in by_player]
        target += [publication_key(table) for table in by_player if table.spec.published]
        assert run_here(definitions, instance, by_day, partitions=(str(DAY), str(DAY))).success
        migrate(stores.postgres_url)
        snapshots = dg.AssetSelection.assets(*map(asset_key, t.SNAPSHOTS))

        track(stores, [PLAYER])
        assert run_here(definitions, instance, snapshots).success
        started = time.perf_counter()
        result = run_here(definitions, instance, dg.AssetSelection.assets(*target), partitions=(PLAYER, PLAYER))
        seconds = time.perf_counter() - started
        positions = stores.lake.state(t.PlayerCirclePositions)

        people = stores.lake.scan(t.MatchSummaries).select("account_id").unique().collect().to_series().sort()
        others = [account for account in people if account != PLAYER][::ONE_IN]
        track(stores, others)
        assert run_here(definitions, instance, snapshots).success
        keys = instance.get_dynamic_partitions(TRACKED_PLAYER)
        taken = dg.AssetSelection.assets(asset_key(t.PlayerMatches), asset_key(t.PlayerCirclePositions))
        assert run_here(definitions, instance, taken, partitions=(keys[1], keys[-1])).success
        everybodys, tracked = stores.lake.state(t.CirclePositions), stores.lake.state(t.PlayerCirclePositions)
        assert positions is not None
        assert everybodys is not None
        assert tracked is not None
        own_rows = positions.rows
        return {
            "matches": matches,
            "cores": os.cpu_count(),
            "success": result.success,
            "seconds": round(seconds, 2),
            "matches_per_s": round(matches / seconds, 1),
            "rows_of_positions": own_rows,
            "players": people.len(),
            "tracked": len(keys),
            "positions_bytes_per_match_everybody": everybodys.size_bytes // matches,
            "positions_bytes_per_match_tracked": tracked.size_bytes // matches,
            "positions_rows_everybody": everybodys.rows,
            "positions_rows_tracked": tracked.rows,
            "rows_saved_percent": round(100 - 100 * tracked.rows / everybodys.rows, 1),
            "bytes_saved_percent": round(100 - 100 * tracked.size_bytes / everybodys.size_bytes, 1),
            "stage_seconds": stage_seconds(result),
        }


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matches", type=int, default=100)
    parser.add_argument("--raw", type=Path, help="folder of simulated files to use, and to fill when it lacks them")
    arguments = parser.parse_args()
    print(json.dumps(benchmark(arguments.matches, arguments.raw), indent=2))


if __name__ == "__main__":
    main()
