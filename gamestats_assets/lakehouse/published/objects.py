"""Binary values of published rows as objects: PostgreSQL stores their names, which identify the content.

The name of a value is `<game>/<table>/<partition>/<unit>/<hash>`, so that the objects of a partition can be listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import quote

import polars as pl

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.lakehouse.table import PartitionValue, Table, partition_key_of


def folder_of(table: type[Table], partition: PartitionValue | None) -> str:
    """Folder of a partition's objects."""
    key = "all" if partition is None else quote(partition_key_of(partition), safe="")
    return f"{table.spec.game}/{table.spec.name}/{key}"


def with_names(
    table: type[Table], partitions: Sequence[PartitionValue] | None, frame: pl.DataFrame, objects: Objects | None
) -> pl.DataFrame:
    """Stores binary values as objects, and returns the rows with the objects' names instead."""
    if objects is None or not table.objects():
        return frame
    existing = {name for value in partitions or [None] for name in objects.list(folder_of(table, value))}

    def stored_name(content: bytes | None, folder: str) -> str | None:
        if content is None:
            return None
        name = f"{folder}/{hashlib.sha256(content).hexdigest()}"
        if name not in existing:
            objects.put(name, content)
        return name

    by, unit = table.spec.partitioned_by, table.spec.replaced_by
    folders = [folder_of(table, value) for value in (frame.get_column(by) if by else [None] * frame.height)]
    if unit is not None:
        folders = [
            f"{folder}/{quote(each, safe='')}" for folder, each in zip(folders, frame.get_column(unit), strict=True)
        ]
    return frame.with_columns(
        pl.Series(name, [*map(stored_name, frame.get_column(name), folders)], dtype=pl.String)
        for name in table.objects()
    )
