"""Measures produced logs from the files alone: nothing here knows how they were made.

Every line is read once into a temporary DuckDB database; SELECTs over it count what lines contain, and sum up users'
lives. Memory grows with the users, and hardly with the records.

Terms: a user is a distinct id, or an account id in records without one; people are users whose id does not begin with
`system-`. A day is a UTC day of the run, numbered from 0. A session ends with a break of half an hour. A sign-up within
the run is on the day of the user's first event, which is then a once-only event; all other users are from before the
run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from gamestats_assets.demo_data.findings.lives import Lives
from gamestats_assets.demo_data.findings.log_reading import EPOCH, LogReading
from gamestats_assets.demo_data.findings.measured import DirtFound, Measured
from gamestats_assets.demo_data.rules.configuration import Configuration
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.lakehouse.errors import GamestatsError

_NAME = re.compile(r"logs_(\d{4})(\d\d)(\d\d)(?:\.\d+)?\.jsonl(?:\.gz)?")


class MeasureError(GamestatsError):
    """A folder has nothing to measure."""


def measure(folder: Path, taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> Measured:
    """Measures the logs in a folder: files named `logs_YYYYMMDD.jsonl`, with a number before the ending if a day is
    divided, and `.gz` after it if compressed.

    Raises:
        MeasureError: when there is no such file.
    """
    names = sorted(path.name for path in folder.glob("logs_*") if _NAME.fullmatch(path.name))
    found = [(_file_day(name), folder / name) for name in names]
    if not found:
        raise MeasureError(
            f"{folder} has nothing to measure: expected files such as "
            f"logs_{configuration.start:%Y%m%d}.jsonl, found none. Give the folder that a run has written to."
        )
    start = configuration.start.toordinal() - EPOCH
    log = LogReading(taxonomy, rules, configuration)
    for file_day, path in found:
        log.read(path, file_day - start)
    figures = log.figures()
    lives = Lives(taxonomy, rules, configuration, log.rows)
    dirt = _dirt(log.dirt(), lives, taxonomy, figures["records_by_event"])
    measured = Measured(configuration=configuration, **figures, **lives.figures(), dirt=dirt)
    log.rows.close()
    return measured


def _file_day(name: str) -> int:
    found = _NAME.fullmatch(name)
    try:
        return date(*map(int, found.groups() if found else ())).toordinal() - EPOCH
    except ValueError:
        raise MeasureError(f"{name} has no day in its name: expected logs_YYYYMMDD.jsonl. Rename the file.") from None


def _dirt(dirt: Mapping[str, Any], lives: Lives, taxonomy: Taxonomy, records: Mapping[str, int]) -> DirtFound:
    events = dirt["events"] - lives.duplicates + dirt["unreadable"]
    declared = {event.name: bool(event.properties or taxonomy.common_properties) for event in taxonomy.events}
    known = {name: count for name, count in records.items() if name in declared}
    with_properties = sum(count for name, count in known.items() if declared[name])
    return DirtFound(
        events=events,
        with_properties=round(events * with_properties / sum(known.values())) if known else 0,
        late=lives.late,
        too_late=dirt["too_late"],
        duplicates=lives.duplicates,
        out_of_order=lives.out_of_order,
        visible_order=dirt["visible"] / dirt["in_order"] if dirt["in_order"] else 0.0,
        nulls=dirt["nulls"],
        drifted=dirt["drifted"],
        undeclared_properties=dirt["undeclared"],
        off_schema=dirt["off_schema"],
        unknown_events=dirt["unknown"],
        unreadable=dirt["unreadable"],
        outside=dirt["outside"],
    )
