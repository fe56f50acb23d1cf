"""What landed: the input of the steps that read raw files, and the sensor that watches for it.

The sensor's cursor holds one digest of the listing of every day that was processed or
requested. A day whose listing has another digest has gained files; it is requested unless
the step that reads them has already done so, and again when its run failed. The reason of a run
is the day and its digest (see `requests`), so a lost cursor repeats nothing, and a file that lands
while a tick runs changes the digest and is found by the next one.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import Ledger, combined_hash, step_version
from gamestats_assets.lakehouse.quality import Rejection, quarantine_frame, quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.requests import REQUESTED_BY_TAG, due_attempt, request

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


def file_refused(stores: Stores, game: str, refused: Sequence[Rejection]) -> None:
    """Enter the files that belong to no match, and that nobody could read, in the game's quarantine."""
    quarantine = quarantine_of(game)
    place = "landing@unreadable"
    state = stores.lake.state(quarantine)
    if len(refused) == (state.rows_per_partition.get(place, 0) if state else 0):
        return
    rows = quarantine_frame(quarantine, "unreadable", refused).with_columns(
        destination=pl.lit(place), table_name=pl.lit("landing")
    )
    stores.lake.replace(quarantine, rows, partitions=[place])


def landed_sensor(
    name: str,
    tables: Sequence[type[Table]],
    *,
    description: str,
    followers: Sequence[dg.AssetKey] = (),
    tags: Callable[[Stores, Collection[str]], Mapping[str, str]] = lambda stores, ids: {},
    code_version: str = "1",
    interval_s: int = 15,
) -> dg.SensorDefinition:
    """A sensor that requests tables for every day of their game's landing zone that gained files.

    Args:
        tables: the tables that one `landed_tables` step makes.
        followers: assets of the same partitions that are made from them; the same run makes them, so that a new
            match goes all the way at once.
        tags: tags of a run by the ids it is for, such as its priority in the queue.
        code_version: that step's.
    """
    game, step = tables[0].spec.game, tables[0].spec.step
    target = [*(asset_key(table) for table in tables), *followers]
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
        told = json.loads(context.cursor) if context.cursor else {}
        seen, requested = dict(told.get("seen", {})), dict(told.get("requested", {}))
        landed = {day: landed_hashes(landed_units(stores.landing, game, day)) for day in stores.landing.days(game)}
        found = {
            day: combined_hash(f"{unit} {digest}" for unit, digest in units.items())[:16]
            for day, units in landed.items()
        }
        changed = changed_days(seen, found)
        work = Ledger(stores.lake, game, step).work({day: landed[day] for day in changed}, code_version=version)
        requests: list[dg.RunRequest] = []
        for day in changed:
            reason = f"{game} {day} {found[day]}"
            if not work.pending[day]:
                seen[day] = found[day]
                requested.pop(day, None)
                continue
            attempt = due_attempt(context.instance, reason, asked=requested.get(day) == found[day])
            if attempt is not None and len(requests) < _REQUESTS_PER_TICK:
                requested[day] = found[day]
                told_of = {REQUESTED_BY_TAG: name, **tags(stores, work.pending[day].keys())}
                requests.append(request(reason, attempt, target, partition_key=day, tags=told_of))
        cursor = json.dumps({"seen": seen, "requested": requested}, sort_keys=True)
        if not requests:
            return dg.SensorResult(skip_reason=f"No new files among {len(found)} days.", cursor=cursor)
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return sensor
