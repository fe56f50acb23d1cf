"""Every PUBG table. Each is declared with its subject: columns with descriptions and units, keys, rules.

Bronze keeps the units of the source (centimetres, origin top left of the map); silver
and gold are in metres. `account_id` is a person; bots have ids that start with `ai.`.
`match_date`, the partition, is the UTC day claimed for a match when its first file landed.
"""

# ruff: noqa: F403 (a table that a subject declares is a table of the game)

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.fights.tables import *
from gamestats_assets.pubg.matches.rows import *
from gamestats_assets.pubg.matches.tables import *
from gamestats_assets.pubg.players.tables import *
from gamestats_assets.pubg.telemetry.tables import *
from gamestats_assets.pubg.tournament.tables import *

ALL: tuple[type[Table], ...] = tuple(
    value
    for value in list(globals().values())
    if isinstance(value, type) and issubclass(value, Table) and "spec" in vars(value)
)
SNAPSHOTS: tuple[type[Table], ...] = tuple(table for table in ALL if table.spec.made_by == "ops")
"""Every table of `ops` that has a snapshot; the snapshot has its name."""
