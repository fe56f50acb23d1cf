"""What produced logs hold, told by the files alone: nothing here knows how they were made.

One pass reads every line once and keeps who did what when in temporary files; then the lives of some people after the
other are summed up. Memory grows with the users, and hardly with the records.

Words used here: a user is a distinct id, or where a record has none an account id; people are users whose id does not
begin with `system-`. A day is a UTC day of the run, numbered from 0. A session ends with a break of half an hour. Who
signs up does so on the day of the first event, which then is a once-only one; everybody else was there before the run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from gamestats_assets.demo_data.configuration import Configuration
from gamestats_assets.demo_data.findings.lives import Lives
from gamestats_assets.demo_data.findings.log_reading import EPOCH, LogReading
from gamestats_assets.demo_data.findings.measured import DirtFound, Distribution, Measured, Violations
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
    lives = Lives(taxonomy, rules, configuration, log.people)
    for rows in log.events():
        lives.take(rows)
    return _measured(log, lives, taxonomy, configuration)


def _file_day(name: str) -> int:
    found = _NAME.fullmatch(name)
    try:
        return date(*map(int, found.groups() if found else ())).toordinal() - EPOCH
    except ValueError:
        raise MeasureError(f"{name} names no day: expected logs_YYYYMMDD.jsonl. Rename the file.") from None


def _measured(log: LogReading, lives: Lives, taxonomy: Taxonomy, configuration: Configuration) -> Measured:
    dirt = log.dirt
    unreadable = dirt["unreadable"]
    events = dirt["events"] - lives.duplicates + unreadable
    declared = dirt["with_properties"] + dirt["without_properties"]
    return Measured(
        configuration=configuration,
        records_by_type=dict(log.by_type.most_common()),
        records_by_event=dict(log.by_event.most_common()),
        size_bytes=log.size_bytes,
        users=lives.users,
        users_by_country=dict(log.countries.most_common()),
        users_by_os=dict(log.systems.most_common()),
        sign_ups=lives.sign_ups.tolist(),
        active_users=lives.active.tolist(),
        active_before=lives.active_before.tolist(),
        first_seen_before=lives.first_seen_before.tolist(),
        retained=lives.retained(),
        seen_again=lives.seen_again(),
        session_s=Distribution(lives.session_s),
        session_events=Distribution(lives.session_events),
        sessions_by_user=Distribution(lives.sessions_by_user),
        sessions_before=lives.sessions_before,
        events_before=dict(zip(taxonomy.event_names(), lives.events_before.tolist(), strict=False)),
        events_by_hour=lives.hours.tolist(),
        funnels=[path.funnel() for path in lives.paths],
        conversions=lives.conversions(log),
        variants=log.users_by_variant(),
        together=lives.together,
        numbers={key: log.numbers[key] for key in sorted(log.numbers)},
        choices={key: dict(log.choices[key].most_common()) for key in sorted(log.choices)},
        order=_violations(lives.order),
        prerequisites=_violations(lives.needs),
        once=_violations(lives.again),
        totals=_violations(log.totals.counts),
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
    )


def _violations(found: Mapping[str, list[int]]) -> dict[str, Violations]:
    return {name: Violations(*counts) for name, counts in sorted(found.items())}
