"""What landed: the input of the steps that read raw files, and the sensor that watches for it.

Files of a day are of the partition of that day; where a game has areas (products), files of an area are of the
partition of both, `2026-01-01|shop`.

The sensor's cursor holds one digest of the listing of every partition that was processed or
requested. One whose listing has another digest has gained files, or the day before has where rows
depend on that (`after_day_before`). It is requested unless the step that reads them has already done
so, and again when its run failed. The reason of a run is the partition and its digest (see `requests`),
so a lost cursor repeats nothing, and a file that lands while a tick runs changes the digest and is found
by the next one.
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
from gamestats_assets.orchestration.instance import ranges_behind
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import (
    dimensions,
    is_paired,
    is_partition_day,
    key_of_day_before,
    partitions_of,
)
from gamestats_assets.orchestration.requests import REQUESTED_BY_TAG, due_attempt, is_on_its_way, range_tags, request

AREA_TAG = "gamestats/area"
"""Tag of runs that take up files of one area of the landing zone."""
# Runs requested in one tick; the rest is found by the next tick.
_REQUESTS_PER_TICK = 50


def landed_keys(landing: Landing, game: str) -> list[str]:
    """Partition keys that files landed for: days, and days of areas; also the `outside` ones."""
    areas = [(f"{game}/{area}", f"|{area}") for area in landing.areas(game)]
    return [f"{day}{name}" for place, name in [(game, ""), *areas] for day in landing.days(place)]


def landed_units(landing: Landing, game: str, key: str) -> dict[str, list[LandedFile]]:
    """Files of one partition by the id they belong to; those of an area's day all belong to the area."""
    day, _, area = key.partition("|")
    units: dict[str, list[LandedFile]] = {}
    for file in landing.files(f"{game}/{area}" if area else game, day):
        units.setdefault(area or file.unit_id, []).append(file)
    return units


def outside(landing: Landing, game: str) -> list[str]:
    """Those of the `landed_keys` that are no partitions: days before the first one, or in the future."""
    return [key for key in landed_keys(landing, game) if not is_partition_day(key)]


def landed_inputs(landing: Landing, game: str) -> dict[str, dict[str, str]]:
    """What the steps of a game have as input: per partition key, id to one hash of all its files."""
    keys = filter(is_partition_day, landed_keys(landing, game))
    return {key: landed_hashes(landed_units(landing, game, key)) for key in keys}


def inputs_of(table: type[Table], inputs: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """Those of its game's `landed_inputs` that are of a table's kind of partitions.

    Where rows depend on what landed for the day before, too, that adds to the hash.
    """
    paired = is_paired(partitions_of(table))
    of_kind = {key: units for key, units in inputs.items() if ("|" in key) == paired}
    if not table.spec.after_day_before:
        return of_kind
    return {
        key: {
            unit: combined_hash([digest, f"before {before[unit]}"]) if unit in before else digest
            for unit, digest in units.items()
        }
        for key, units in of_kind.items()
        for before in [of_kind.get(key_of_day_before(key), {})]
    }


def add_areas(instance: dg.DagsterInstance, landing: Landing, table: type[Table]) -> None:
    """Make the areas that files landed in partitions of a table by day and name; other tables have none."""
    if is_paired(partitions_of(table)):
        _, name = dimensions(partitions_of(table))
        new = set(landing.areas(table.spec.game)) - set(instance.get_dynamic_partitions(name))
        if new:
            instance.add_dynamic_partitions(name, sorted(new))


def landed_hashes(units: Mapping[str, Sequence[LandedFile]]) -> dict[str, str]:
    """Id to one hash of all its files: what the step that reads them has as input."""
    return {unit: combined_hash(f"{file.kind} {file.content_hash}" for file in files) for unit, files in units.items()}


def changed_days(seen: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Days (or days of areas) whose digest is new or another one, in order."""
    return sorted(key for key, digest in found.items() if seen.get(key) != digest)


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
    """A sensor that requests tables for every partition of their game's landing zone that gained files.

    Areas of the landing zone that are new become partitions. Days of an area that are behind together are one run, and
    so are days of tables that are replaced whole.

    Args:
        tables: the tables that one `landed_tables` step makes, or several that read the same files.
        followers: assets of the same partitions that are made from them; the same run makes them, so that a new
            match goes all the way at once.
        tags: tags of a run by the ids it is for, such as its priority in the queue.
        code_version: those steps'.
    """
    game = tables[0].spec.game
    target = [*(asset_key(table) for table in tables), *followers]
    versions = {
        step: step_version([table for table in tables if table.spec.step == step], code_version)
        for step in dict.fromkeys(table.spec.step for table in tables)
    }

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
        add_areas(context.instance, stores.landing, tables[0])
        landed = inputs_of(tables[0], landed_inputs(stores.landing, game))
        found = {
            key: combined_hash(f"{unit} {digest}" for unit, digest in units.items())[:16]
            for key, units in landed.items()
        }
        changed = changed_days(seen, found)
        works = [
            Ledger(stores.lake, game, step).work({key: landed[key] for key in changed}, code_version=version)
            for step, version in versions.items()
        ]
        pending = {key: {unit for work in works for unit in work.pending[key]} for key in changed}
        requests: list[dg.RunRequest] = []
        done = [key for key in changed if not pending[key]]
        for key in done:
            seen[key] = found[key]
            requested.pop(key, None)
        behind = [key for key in changed if pending[key]]
        # Days that are made whole; of others a run of a day takes the new ids alone.
        if tables[0].spec.replaced_by is None or is_paired(partitions_of(tables[0])):
            requests = _ranges_requested(context.instance, name, tables[0], target, {key: found[key] for key in behind})
            behind = []
        for key in behind:
            reason = f"{game} {key} {found[key]}"
            attempt = due_attempt(context.instance, reason, asked=requested.get(key) == found[key])
            if attempt is not None and len(requests) < _REQUESTS_PER_TICK:
                requested[key] = found[key]
                told_of = {REQUESTED_BY_TAG: name, **tags(stores, pending[key])}
                requests.append(request(reason, attempt, target, partition_key=key, tags=told_of))
        cursor = json.dumps({"seen": seen, "requested": requested}, sort_keys=True)
        if not requests:
            said = f"No new files among {len(found)} days."
            if beyond := outside(stores.landing, game):
                said += f" {len(beyond)} more are no partitions (in the future?), such as {beyond[0]}."
            return dg.SensorResult(skip_reason=said, cursor=cursor)
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return sensor


def _ranges_requested(
    instance: dg.DagsterInstance,
    name: str,
    table: type[Table],
    target: Sequence[dg.AssetKey],
    behind: Mapping[str, str],
) -> list[dg.RunRequest]:
    """Consecutive days, or those of a name, as one run each: what is made of days around needs them together.

    While such a run is on its way nothing more of it is asked for: what that does not take is found afterwards.
    """
    requests: list[dg.RunRequest] = []
    for first, last, work in ranges_behind(partitions_of(table), behind, instance):
        reason = f"{table.spec.game} {first} {last} {work}"
        area = first.partition("|")[2]
        of_name = {REQUESTED_BY_TAG: name, **({AREA_TAG: area} if area else {})}
        if is_on_its_way(instance, of_name):
            continue
        attempt = due_attempt(instance, reason)
        if attempt is not None and len(requests) < _REQUESTS_PER_TICK:
            told_of = {**of_name, **range_tags(first, last)}
            requests.append(request(reason, attempt, target, tags=told_of))
    return requests
