"""Tables whose ids are made together: on which days they are not as their inputs would have them now.

What one match is depends on others and on what people entered, so no ledger of inputs can tell whether
it is still right. Making it can: it is made of everything, and compared with the hashes that its ledger holds.
"""

from __future__ import annotations

import typing
from collections.abc import Callable

import polars as pl

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.ledger import Ledger, combined_hash, step_version, unit_hashes
from gamestats_assets.lakehouse.quality import table_inputs
from gamestats_assets.lakehouse.table import Table

Made = Callable[..., pl.LazyFrame]


def made_jointly(lake: Lake, function: Made, *, code_version: str = "1") -> tuple[type[Table], dict[str, str]]:
    """The table that a function makes, and by partition a hash of what is to be written there.

    Partitions that are as they should be are left out. The function is that of a `table_asset` with `jointly`.
    """
    table: type[Table] = typing.get_args(typing.get_type_hints(function)["return"])[0]
    frames = {name: lake.scan(source) for name, source in table_inputs(function).items()}
    found = unit_hashes(table, function(**frames).collect())
    ledger = Ledger(lake, table.spec.game, table.spec.step)
    work = ledger.work_everywhere(found, code_version=step_version([table], code_version))
    to_do = {
        key: [*(f"{unit} {digest}" for unit, digest in units.items()), *(f"{unit} gone" for unit in work.vanished[key])]
        for key, units in work.pending.items()
    }
    return table, {key: combined_hash(of_key) for key, of_key in to_do.items() if of_key}
