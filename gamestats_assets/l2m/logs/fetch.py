"""Fetches a day's logs: from a folder where the studio drops them, and from tables of an Iceberg catalogue.

Both use `deliver`, so a day that was fetched before and has not changed lands nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from gamestats_assets.l2m.logs.columns import COLUMNS, read_mapping
from gamestats_assets.l2m.source import Outcome, Report, deliver
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import files_within
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.settings import Settings


class SourceSettingsError(GamestatsError):
    """The settings of a source of logs cannot be read."""


class IcebergSettings(BaseModel):
    """GAMESTATS_L2M_ICEBERG, as JSON.

    Attributes:
        catalogue: name of the catalogue.
        properties: options for opening it: type, uri, warehouse, credential, ...
        tables: table of each log, such as `{"login": "raw.login"}`.
        day_column: the tables' column for the day.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    catalogue: str = "default"
    properties: dict[str, SecretStr] = Field(default_factory=dict)
    tables: dict[str, str]
    day_column: str = "ds"


def mapping_of(settings: Settings) -> Mapping[str, Mapping[str, str]]:
    """Returns the column mapping of fetched logs; empty if no file is configured.

    Raises:
        SourceSettingsError: when the file does not exist.
        ColumnMappingError: when it is not a valid mapping.
    """
    path = settings.l2m_columns
    if path is None:
        return {}
    try:
        return read_mapping(path.expanduser().read_bytes(), str(path))
    except OSError as error:
        raise SourceSettingsError(f"GAMESTATS_L2M_COLUMNS names {path}, which cannot be read: {error}.") from None


def fetch_day(settings: Settings, landing: Landing, day: date, report: Callable[[str], object]) -> Report:
    """Lands what the configured sources have of a day; nothing if none is configured, or none has anything.

    Args:
        report: receives a message about each source without files.

    Raises:
        SourceSettingsError: when a setting cannot be read.
        GamestatsError: when a source is configured and cannot be reached.
    """
    columns = mapping_of(settings)
    outcomes: list[Outcome] = []
    if settings.l2m_inbox is not None:
        folder = settings.l2m_inbox.expanduser() / day.isoformat()
        if not folder.resolve().is_relative_to(settings.l2m_inbox.expanduser().resolve()):
            report(f"{folder} is a link that leads out of the inbox; nothing was taken.")
        elif folder.is_dir() and files_within(folder)[0]:
            outcomes += deliver([folder], landing, day=day, columns=columns).outcomes
        else:
            report(f"{folder} has nothing yet.")
    if settings.l2m_iceberg is not None:
        with tempfile.TemporaryDirectory(prefix="gamestats-iceberg-") as exported:
            outcomes += _from_iceberg(settings, landing, day, columns, Path(exported), report)
    return Report(tuple(outcomes))


def _from_iceberg(
    settings: Settings,
    landing: Landing,
    day: date,
    columns: Mapping[str, Mapping[str, str]],
    folder: Path,
    report: Callable[[str], object],
) -> list[Outcome]:
    from gamestats_assets.l2m.logs.iceberg import IcebergSource

    try:
        chosen = IcebergSettings.model_validate_json((settings.l2m_iceberg or SecretStr("")).get_secret_value())
    except ValidationError as error:
        found = error.errors(include_input=False)
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)
        raise SourceSettingsError(f"GAMESTATS_L2M_ICEBERG cannot be read: {wrong}.") from None
    if unknown := sorted({*chosen.tables} - {*COLUMNS}):
        raise SourceSettingsError(
            f"GAMESTATS_L2M_ICEBERG names a log {unknown[0]!r}, which does not exist. Logs: {', '.join(COLUMNS)}."
        )
    source = IcebergSource(chosen.catalogue, chosen.properties)
    outcomes: list[Outcome] = []
    for log, table in chosen.tables.items():
        (folder / log).mkdir()
        if source.export_day(table, day, folder / log, day_column=chosen.day_column):
            outcomes += deliver([folder / log], landing, day=day, log=log, columns=columns).outcomes
        else:
            report(f"{table} has nothing of {day} yet.")
    return outcomes
