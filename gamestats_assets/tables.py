"""Every table of every game, known without loading Dagster."""

from __future__ import annotations

from gamestats_assets.demo_data import tables as demo_data
from gamestats_assets.l2m import tables as l2m
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import tables as lol
from gamestats_assets.pubg import tables as pubg
from gamestats_assets.rocket_league import tables as rocket_league

ALL: tuple[type[Table], ...] = (*pubg.ALL, *demo_data.ALL, *l2m.ALL, *lol.ALL, *rocket_league.ALL)
