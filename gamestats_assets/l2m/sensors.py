"""What starts work on the MMO: logs that landed, days that are behind, the whitelist, and the end of a day."""

import dagster as dg

from gamestats_assets.l2m import tables
from gamestats_assets.l2m.assets import GAME, LANDED_VERSION, PUBLISHED, settled
from gamestats_assets.orchestration.entered import entered_sensor
from gamestats_assets.orchestration.landed import landed_sensor
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.settling import settling_sensor

LOGS_LANDED, WHITELIST_ENTERED = "new_l2m_logs", "l2m_whitelist"


def new_logs() -> dg.SensorDefinition:
    """Requests every day that gained or changed logs, from its extracts to PostgreSQL."""
    made = [asset_key(each.table) for each in settled()]
    return landed_sensor(
        LOGS_LANDED,
        tables.LANDED_TABLES,
        followers=[*made, *map(publication_key, PUBLISHED)],
        code_version=LANDED_VERSION,
        description="Watches the landing zone and takes every day that gained logs, late ones too, from its extracts "
        "to PostgreSQL.",
    )


def days_behind() -> dg.SensorDefinition:
    """Requests the later days that a changed day concerns."""
    return settling_sensor(
        f"{GAME}_days_behind",
        settled(),
        [*map(publication_key, PUBLISHED)],
        after=[LOGS_LANDED],
        description="Requests every day that is not what its logs and the days before make of it, such as those after "
        "a corrected one, until none is.",
    )


def whitelist_entered() -> dg.SensorDefinition:
    """Takes up addresses that people whitelist."""
    return entered_sensor(
        WHITELIST_ENTERED,
        (tables.IpWhitelist,),
        [],
        lambda stores: {},
        behind_of=tables.Active,
        description="Takes up addresses that were whitelisted, or are no more.",
    )
