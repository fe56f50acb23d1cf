"""The sensor that watches a game's landing zone.

The cursor holds one digest of the listing of every day already requested. A day whose
listing has another digest has gained files and is requested. The run key is the day and
its digest, so a lost cursor or a tick that died after the request repeats nothing, and a
file that lands while a tick runs changes the digest and is found by the next one.
"""

import json
from collections.abc import Mapping, Sequence

import dagster as dg

from gamestats_assets.lakehouse.landing import Landing
from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.stores import Stores

# Runs requested in one tick; the rest is found by the next tick.
_REQUESTS_PER_TICK = 50


def landed_days(landing: Landing, game: str) -> dict[str, str]:
    """Every day of the landing zone with a digest of the files it holds."""
    return {
        day: combined_hash(f"{file.unit_id} {file.kind} {file.content_hash}" for file in landing.files(game, day))[:16]
        for day in landing.days(game)
    }


def changed_days(seen: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Days whose digest is new or another one, in order."""
    return sorted(day for day, digest in found.items() if seen.get(day) != digest)


def landed_sensor(
    name: str, *, game: str, target: Sequence[dg.AssetKey], description: str, interval_s: int = 30
) -> dg.SensorDefinition:
    """A sensor that requests `target` for every day of the game's landing zone that gained files."""

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
        found = landed_days(stores.landing, game)
        days = changed_days(seen, found)[:_REQUESTS_PER_TICK]
        if not days:
            return dg.SkipReason(f"No new files among {len(found)} days.")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=f"{game} {day} {found[day]}",
                    partition_key=day,
                    asset_selection=list(target),
                    tags={"gamestats/requested_by": name},
                )
                for day in days
            ],
            cursor=json.dumps(seen | {day: found[day] for day in days}, sort_keys=True),
        )

    return sensor
