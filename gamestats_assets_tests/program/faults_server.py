"""Imported by the server of processes of `faults`: what every worker imports and builds is there before the fork."""

from __future__ import annotations

import dagster as dg

from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.published import publication as published
from gamestats_assets_tests.program import faults
from gamestats_assets_tests.support.instances import keep_connections

__all__ = ["faults", "published"]

keep_connections()
build_defs(games=["pubg"]).resolve_asset_graph()
with dg.DagsterInstance.ephemeral():
    """Its storage imports much."""
