"""Every table of every game, known without loading Dagster."""

from __future__ import annotations

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as pubg

ALL: tuple[type[Table], ...] = (*pubg.ALL,)
