"""What landed: the input of the steps that read raw files, and the sensor that watches for it.

The sensor's cursor holds one digest of the listing of every day it has dealt with. A day
whose listing has another digest has gained files; it is requested unless the step that
reads them has already done so. The run key is the day and its digest, so a lost cursor or a
tick that died after the request repeats nothing, and a file that lands while a tick runs
changes the digest and is found by the next one.
"""

import json
from collections.abc import Mapping, Sequence

import dagster as dg

from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import Ledger, combined_hash, step_version
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.metadata import asset_key

# Runs requested in one tick; the rest is found by the next tick.
_REQUESTS_PER_TICK = 50


def landed_units(landing: Landing, game: str, day: str) -> dict[str, list[LandedFile]]:
    """Files of one day by the id they belong to."""
    units: dict[str, list[LandedFile]] = {}
    for file in landing.files(game, day):
        units.setdefault(file.unit_id, []).append(file)
    return units


def landed_hashes(units: Mapping[str, Sequence[LandedFile]]) -> dict[str, str]:
    """Id to one hash of all its files: what the step that reads them has as input."""
    return {unit: combined_hash(f"{file.kind} {file.content_hash}" for file in files) for unit, files in units.items()}


def changed_days(seen: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Days whose digest is new or another one, in order."""
    return sorted(day for day, digest in found.items() if seen.get(day) != digest)


def landed_sensor(
    name: str, tables: Sequence[type[Table]], *, description: str, code_version: str = "1", interval_s: int = 30
) -> dg.SensorDefinition:
    """A sensor that requests tables for every day of their game's landing zone that gained files.

    Args:
        tables: the tables that one `landed_tables` step makes.
        code_version: that step's.
    """
    game, step = tables[0].spec.game, tables[0].spec.step
    target = [asset_key(table) for table in tables]
    version = step_version(tables, code_version)

    @dg.sensor(
        name=name,
        target=dg.AssetSelection.assets(*target),
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(
        context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]
    ) -> dg.SensorResult | dg.SkipReason:
        seen: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
        landed = {day: landed_hashes(landed_units(stores.landing, game, day)) for day in stores.landing.days(game)}
        found = {
            day: combined_hash(f"{unit} {digest}" for unit, digest in units.items())[:16]
            for day, units in landed.items()
        }
        changed = changed_days(seen, found)
        work = Ledger(stores.lake, game, step).work({day: landed[day] for day in changed}, code_version=version)
        behind = [day for day in changed if work.pending[day]][:_REQUESTS_PER_TICK]
        dealt_with = [day for day in changed if not work.pending[day]] + behind
        cursor = json.dumps(seen | {day: found[day] for day in dealt_with}, sort_keys=True)
        if not behind:
            return dg.SensorResult(skip_reason=f"No new files among {len(found)} days.", cursor=cursor)
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=f"{game} {day} {found[day]}",
                    partition_key=day,
                    asset_selection=target,
                    tags={"gamestats/requested_by": name},
                )
                for day in behind
            ],
            cursor=cursor,
        )

    return sensor
