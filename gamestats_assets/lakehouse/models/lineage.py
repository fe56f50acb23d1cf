"""Column lineage of SQL models, as sqlglot derives it from their text.

Running a model does not need it; Dagster's UI shows it. Parsing a text takes tens of milliseconds, and loading sqlglot
longer, so results are cached among Dagster's files, by the hash of the text and of the columns that it reads.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gamestats_assets.lakehouse.files.local import write_whole
from gamestats_assets.lakehouse.models.sql import SqlModelError
from gamestats_assets.settings import Settings

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.models.sql import SqlModel


def column_lineage(model: SqlModel) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The (`game.table`, column) pairs from which each output column is computed.

    A column that is computed from no column, such as count(*), has an empty list.

    Raises:
        SqlModelError: if the text is not one SELECT over the declared columns of its inputs.
    """
    columns = {table.spec.dotted: [*table.columns()] for table in (model.table, *model.reads.values())}
    digest = hashlib.sha256(repr((model.text, columns)).encode()).hexdigest()
    cache = _folder(os.environ.get("GAMESTATS_DATA"), os.environ.get("GAMESTATS_STATE")) / f"{digest}.json"
    try:
        lineage = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        lineage = _parse_lineage(model)
        if cache.parent.parent.is_dir():
            with contextlib.suppress(OSError):
                write_whole(cache, json.dumps(lineage))
    return {name: [(table, column) for table, column in origins] for name, origins in lineage.items()}


@functools.lru_cache(maxsize=1)
def _folder(data: str | None, state: str | None) -> Path:
    """Folder of the cache. It is remembered, because reading all settings takes longer than reading the cache."""
    return Settings().state_folder / "dagster" / "lineage"


def _parse_lineage(model: SqlModel) -> dict[str, list[tuple[str, str]]]:
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage

    schema: dict[str, Any] = {}
    for table in model.reads.values():
        # Types do not matter for lineage.
        schema.setdefault(table.spec.game, {})[table.spec.name] = dict.fromkeys(table.columns(), "INT")
    try:
        roots = lineage(None, model.text, schema, dialect="duckdb", trim_selects=False)
    except SqlglotError as error:
        raise SqlModelError(f"{model.path}: cannot be read as DuckDB SQL: {error}") from error
    if absent := [name for name in model.table.columns() if name.lower() not in roots]:
        raise SqlModelError(f"{model.path}: does not give {', '.join(absent)}.")
    by_column: dict[str, list[tuple[str, str]]] = {}
    for name in model.table.columns():
        # A column may also come from a series or an unnested list, which belongs to no table.
        tables = ((node.source, node.name) for node in roots[name.lower()].walk() if isinstance(node.source, exp.Table))
        pairs = {(f"{table.db}.{table.name}", exp.to_column(column).name) for table, column in tables}
        by_column[name] = sorted(pair for pair in pairs if pair[0] in model.reads)
    return by_column
