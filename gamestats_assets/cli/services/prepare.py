"""Creates Dagster's tables and closes abandoned runs; `gamestats up` runs it as a process."""

from __future__ import annotations

import sys

from gamestats_assets.lakehouse.errors import GamestatsError


def prepare() -> None:
    """Open Dagster's instance once."""
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.orchestration.runs.instance import dagster_instance

    with dagster_instance(Stores()):
        pass


if __name__ == "__main__":
    try:
        prepare()
    except GamestatsError as error:
        sys.exit(str(error))
