"""What starts work on event logs: files that landed, and products that were entered."""

import dagster as dg

from gamestats_assets.demo_data import tables
from gamestats_assets.demo_data.assets import LANDED, LANDED_VERSION, LOGS, followers, logs_behind
from gamestats_assets.orchestration.entered import entered_sensor
from gamestats_assets.orchestration.landed import landed_sensor

PRODUCTS_SENSOR = "demo_data_products"


def new_logs() -> dg.SensorDefinition:
    """Watches the landing zone for log files."""
    return landed_sensor(
        "new_event_logs",
        LANDED,
        followers=[*followers()],
        code_version=LANDED_VERSION,
        description="Takes every day of a product that gained log files through to its sessions.",
    )


def products_entered() -> dg.SensorDefinition:
    """Takes up products that people entered, and generates the logs of those that are generated."""
    return entered_sensor(
        PRODUCTS_SENSOR,
        (tables.Products,),
        [LOGS],
        logs_behind,
        behind_of=tables.Events,
        description="Takes up products that were entered or changed, and has the logs of generated ones made.",
    )
