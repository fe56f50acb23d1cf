"""What produced logs hold, told by the files alone: nothing here knows how they were made.

One pass reads every line once, counts what it tells by itself, and stores who did what when in a temporary DuckDB
database; SELECTs over it sum up people's lives. Memory grows with the users, and hardly with the records.

Words used here: a user is a distinct id, or where a record has none an account id; people are users whose id does not
begin with `system-`. A day is a UTC day of the run, numbered from 0. A session ends with a break of half an hour. Who
signs up does so on the day of the first event, which then is a once-only one; everybody else was there before the run.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from gamestats_assets.demo_data.configuration import Configuration
from gamestats_assets.demo_data.findings.lives import Lives
from gamestats_assets.demo_data.findings.log_reading import EPOCH, LogReading
from gamestats_assets.demo_data.findings.measured import DirtFound, Measured, Violations
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.lakehouse.errors import GamestatsError

_NAME = re.compile(r"logs_(\d{4})(\d\d)(\d\d)(?:\.\d+)?\.jsonl(?:\.gz)?")


class MeasureError(GamestatsError):
    """There is nothing to measure."""


def measure(folder: Path, taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> Measured:
    """Measure the logs in a folder: files named `logs_YYYYMMDD.jsonl`, with a number before the ending where a day
    is divided, and `.gz` behind it where compressed.

    Raises:
        MeasureError: when there is no such file.
    """
    names = sorted(path.name for path in folder.glob("logs_*") if _NAME.fullmatch(path.name))
    found = [(_file_day(name), folder / name) for name in names]
    if not found:
        raise MeasureError(
            f"There is nothing to measure in {folder}: expected files such as "
            f"logs_{configuration.start:%Y%m%d}.jsonl, found none. Give the folder that a run has written to."
        )
    start = configuration.start.toordinal() - EPOCH
    log = LogReading(taxonomy, rules, configuration)
    for file_day, path in found:
        log.read(path, file_day - start)
    lives = Lives(taxonomy, rules, configuration, log)
    measured = _measured(log, lives, configuration)
    log.rows.close()
    return measured


def _file_day(name: str) -> int:
    found = _NAME.fullmatch(name)
    try:
        return date(*map(int, found.groups() if found else ())).toordinal() - EPOCH
    except ValueError:
        raise MeasureError(f"{name} names no day: expected logs_YYYYMMDD.jsonl. Rename the file.") from None


def _measured(log: LogReading, lives: Lives, configuration: Configuration) -> Measured:
    dirt = log.dirt
    unreadable = dirt["unreadable"]
    events = dirt["events"] - lives.duplicates + unreadable
    declared = dirt["with_properties"] + dirt["without_properties"]
    return Measured(
        configuration=configuration,
        records_by_type=dict(log.by_type.most_common()),
        records_by_event=dict(log.by_event.most_common()),
        size_bytes=log.size_bytes,
        users_by_country=dict(log.countries.most_common()),
        users_by_os=dict(log.systems.most_common()),
        variants=log.users_by_variant(),
        numbers={key: log.numbers[key] for key in sorted(log.numbers)},
        choices={key: dict(log.choices[key].most_common()) for key in sorted(log.choices)},
        totals={name: Violations(*counts) for name, counts in sorted(log.totals.counts.items())},
        address_of=log.accounts.address_of,
        standstills=log.accounts.standstills,
        dirt=DirtFound(
            events=events,
            with_properties=round(events * dirt["with_properties"] / declared) if declared else 0,
            late=lives.late,
            too_late=dirt["too_late"],
            duplicates=lives.duplicates,
            out_of_order=lives.out_of_order,
            visible_order=log.visible / log.in_order if log.in_order else 0.0,
            nulls=dirt["nulls"],
            drifted=dirt["drifted"],
            undeclared_properties=dirt["undeclared"],
            off_schema=dirt["off_schema"],
            unknown_events=dirt["unknown"],
            unreadable=unreadable,
            outside=dirt["outside"],
        ),
        **lives.figures(),
    )
