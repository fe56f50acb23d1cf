"""Where each column of a SQL model comes from, as sqlglot reads it in the text.

Running a model needs none of it. Reading a text takes tens of milliseconds, and loading sqlglot more: what was found
is kept with Dagster's files, whose UI shows it, by the hash of the text and of the columns that it reads.
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

from gamestats_assets.lakehouse.files import write_whole
from gamestats_assets.lakehouse.sql import SqlModelError
from gamestats_assets.settings import Settings

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.sql import SqlModel


def column_lineage(model: SqlModel) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Output column to the (`game.table`, column) pairs its value is computed from.

    A column computed from no column, such as count(*), has an empty list.

    Raises:
        SqlModelError: when the text is not one SELECT of the declared columns of what it reads.
    """
    columns = {table.spec.dotted: [*table.columns()] for table in (model.table, *model.reads.values())}
    of = hashlib.sha256(repr((model.text, columns)).encode()).hexdigest()
    kept = _folder(os.environ.get("GAMESTATS_DATA"), os.environ.get("GAMESTATS_STATE")) / f"{of}.json"
    try:
        found = json.loads(kept.read_bytes())
    except (OSError, ValueError):
        found = _read_in_text(model)
        if kept.parent.parent.is_dir():
            with contextlib.suppress(OSError):
                write_whole(kept, json.dumps(found))
    return {name: [(table, column) for table, column in origins] for name, origins in found.items()}


@functools.lru_cache(maxsize=1)
def _folder(data: str | None, state: str | None) -> Path:
    """Where lineage is kept; to read all settings takes longer than a model's lineage."""
    return Settings().state_folder / "dagster" / "lineage"


def _read_in_text(model: SqlModel) -> dict[str, list[tuple[str, str]]]:
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage

    schema: dict[str, Any] = {}
    for table in model.reads.values():
        # No type tells where a column comes from.
        schema.setdefault(table.spec.game, {})[table.spec.name] = dict.fromkeys(table.columns(), "INT")
    try:
        roots = lineage(None, model.text, schema, dialect="duckdb", trim_selects=False)
    except SqlglotError as error:
        raise SqlModelError(f"{model.path}: cannot be read as DuckDB SQL: {error}") from error
    if absent := [name for name in model.table.columns() if name.lower() not in roots]:
        raise SqlModelError(f"{model.path}: does not give {', '.join(absent)}.")
    found: dict[str, list[tuple[str, str]]] = {}
    for name in model.table.columns():
        # A column may also come from a series or an unnested list, which no table holds.
        tables = ((node.source, node.name) for node in roots[name.lower()].walk() if isinstance(node.source, exp.Table))
        pairs = {(f"{table.db}.{table.name}", exp.to_column(column).name) for table, column in tables}
        found[name] = sorted(pair for pair in pairs if pair[0] in model.reads)
    return found
