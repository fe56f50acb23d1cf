"""The sheets of the taxonomies that the analyst is tested with, read plainly: without the project's reader."""

from __future__ import annotations

import csv
from pathlib import Path

_SHIPPED = Path(__file__).resolve().parents[2] / "data" / "taxonomies"
_UNSEEN = Path(__file__).resolve().parent / "taxonomies"

FOLDERS = {path.name: path for parent in (_SHIPPED, _UNSEEN) for path in sorted(parent.iterdir()) if path.is_dir()}
"""Of every taxonomy, by its name."""

_EVENT_HEADINGS = ("event_name", "Event Name (required)", "이벤트 이름 (필수)")


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a sheet."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def listed_events(name: str) -> set[str]:
    """Names of a taxonomy's events."""
    sheets = [rows_of(path) for path in FOLDERS[name].glob("*.csv")]
    return {row[heading] for sheet in sheets for row in sheet for heading in _EVENT_HEADINGS if row.get(heading)}
