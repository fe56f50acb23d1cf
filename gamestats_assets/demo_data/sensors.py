"""What starts work on event logs: files that landed, and products that were entered."""

from typing import Any

import dagster as dg

from gamestats_assets.demo_data import tables
from gamestats_assets.demo_data.assets import LANDED, LOGS, followers, logs_behind
from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.entered import is_current
from gamestats_assets.orchestration.instance import ranges
from gamestats_assets.orchestration.landed import landed_sensor
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import partitions_of
from gamestats_assets.orchestration.requests import REQUESTED_BY_TAG, due_attempt, range_tags, request

PRODUCTS_SENSOR = "demo_data_products"


def new_logs() -> dg.SensorDefinition:
    """Watches the landing zone for log files."""
    return landed_sensor(
        "new_event_logs",
        LANDED,
        followers=[*followers()],
        description="Takes every day of a product that gained log files through to its sessions.",
    )


def products_entered() -> dg.SensorDefinition:
    """Takes up products that people entered, and generates the logs of those that are generated."""

    @dg.sensor(
        name=PRODUCTS_SENSOR,
        target=dg.AssetSelection.assets(asset_key(tables.Products), LOGS),
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Takes up products that were entered or changed, and has the logs of generated ones made.",
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> Any:
        migrate(stores.postgres_url)
        requests: list[dg.RunRequest] = []

        def ask(reason: str, assets: list[dg.AssetKey], tags: dict[str, str]) -> None:
            if (attempt := due_attempt(context.instance, reason)) is not None:
                told = {REQUESTED_BY_TAG: PRODUCTS_SENSOR, **tags}
                requests.append(request(reason, attempt, assets, tags=told))

        if not is_current(stores, tables.Products):
            from gamestats_assets.lakehouse.ops import versions

            ask(f"products {versions(stores.postgres_url).get('products', 0)}", [asset_key(tables.Products)], {})
        behind = logs_behind(stores)
        for span in ranges(partitions_of(tables.Events), behind, context.instance):
            if span is not None:
                first, last = span
                work = combined_hash(f"{key} {behind[key]}" for key in behind if key.partition("|")[2] in first)
                ask(f"generate {first} {last} {work}", [LOGS], range_tags(first, last))
        skip = None if requests else "No product was entered that is not taken up or on its way."
        return dg.SensorResult(run_requests=requests, skip_reason=skip)

    return sensor
