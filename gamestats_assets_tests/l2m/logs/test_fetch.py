"""A day's logs are fetched from where the settings say that a studio keeps them, each content once."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.l2m.logs.columns import ColumnMappingError
from gamestats_assets.l2m.logs.fetch import SourceSettingsError, fetch_day
from gamestats_assets.l2m.source import Report
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.settings import Settings
from gamestats_assets_tests.l2m.log_day import DAY, csv_bytes, put, read_day, rows
from gamestats_assets_tests.l2m.logs.test_iceberg import Studio

RATE = csv_bytes(rows("exchange_rates"))


class Fetching:
    """A landing zone, and the settings that logs are fetched by."""

    def __init__(self, folder: Path) -> None:
        self.landing, self.folder, self.messages = Landing(folder / "landing"), folder, list[str]()

    def __call__(self, day: Any = DAY, **settings: Any) -> Report:
        given = Settings(data=str(self.folder), **settings)
        return fetch_day(given, self.landing, day, self.messages.append)


@pytest.fixture
def fetch(tmp_path: Path) -> Fetching:
    return Fetching(tmp_path)


# --------------------------------------------------------------------------- a folder


def test_a_days_folder_is_delivered_once_and_again_when_it_has_changed(fetch: Fetching, tmp_path: Path) -> None:
    put(tmp_path / "inbox", "login.csv", csv_bytes(rows("login", 2)))
    put(tmp_path / "inbox", "exchange_rates.csv", RATE)
    first, again = (fetch(l2m_inbox=tmp_path / "inbox") for _ in range(2))
    assert (first.count("delivered"), first.count("known")) == (2, 0)
    assert (again.count("delivered"), again.count("known")) == (0, 2)
    put(tmp_path / "inbox", "login.csv", csv_bytes(rows("login", 5)))
    late = fetch(l2m_inbox=tmp_path / "inbox")
    assert (late.count("delivered"), late.count("known")) == (1, 1)
    assert read_day(fetch.landing).of("login").height == 5


def test_a_day_without_a_folder_or_with_an_empty_one_is_told(fetch: Fetching, tmp_path: Path) -> None:
    (tmp_path / "inbox" / DAY.isoformat()).mkdir(parents=True)
    put(tmp_path / "inbox" / "elsewhere", "login.csv", csv_bytes(rows("login")))
    assert fetch(l2m_inbox=tmp_path / "inbox").outcomes == ()
    assert fetch(DAY + timedelta(days=1), l2m_inbox=tmp_path / "inbox").outcomes == ()
    assert [DAY.isoformat() in messages or "2026-03-02" in messages for messages in fetch.messages] == [True, True]
    assert all("has nothing" in messages for messages in fetch.messages)


def test_a_days_folder_that_leads_out_of_the_inbox_is_told_and_left(fetch: Fetching, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    put(tmp_path / "elsewhere", "login.csv", csv_bytes(rows("login", 3)))
    (tmp_path / "inbox" / DAY.isoformat()).symlink_to(tmp_path / "elsewhere" / DAY.isoformat())

    assert fetch(l2m_inbox=tmp_path / "inbox").outcomes == ()
    assert ["leads out of the inbox" in messages for messages in fetch.messages] == [True]


def test_a_mapping_that_is_not_there_or_is_none_is_named(fetch: Fetching, tmp_path: Path) -> None:
    put(tmp_path / "inbox", "login.csv", csv_bytes(rows("login")))
    missing, broken = tmp_path / "missing.json", tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(SourceSettingsError, match=r"GAMESTATS_L2M_COLUMNS names .*missing\.json"):
        fetch(l2m_inbox=tmp_path / "inbox", l2m_columns=missing)
    with pytest.raises(ColumnMappingError, match=r"broken\.json"):
        fetch(l2m_inbox=tmp_path / "inbox", l2m_columns=broken)
    assert not fetch.landing.days("l2m")


# --------------------------------------------------------------------------- Iceberg


def setting(studio: Studio, **changed: Any) -> SecretStr:
    tables = {"recharge": "raw.recharge"}
    return SecretStr(json.dumps({"catalogue": "studio", "properties": studio.properties, "tables": tables} | changed))


def test_a_day_of_an_iceberg_table_is_delivered_once(fetch: Fetching, tmp_path: Path) -> None:
    studio = Studio(tmp_path / "studio")
    days = pl.DataFrame(
        [
            {**row, "ds": day}
            for day, number in ((DAY, 3), (DAY + timedelta(days=1), 4))
            for row in rows("recharge", number)
        ]
    )
    raw = days.rename({"user_id": "uid"}).to_arrow()
    table = studio.catalog.create_table("raw.recharge", raw.schema)
    table.append(raw)
    mapping = tmp_path / "columns.json"
    mapping.write_text(json.dumps({"recharge": {"user_id": "uid"}}))
    first, again = (fetch(l2m_iceberg=setting(studio), l2m_columns=mapping) for _ in range(2))
    assert (first.count("delivered"), again.count("delivered"), again.count("known")) == (1, 0, 1)
    put(tmp_path / "inbox", "exchange_rates.csv", RATE)
    fetch(l2m_inbox=tmp_path / "inbox")
    found = read_day(fetch.landing).of("recharge")
    assert found.select("user_id", "pmc", "currency").rows() == [(f"u{n}", "web_shop", "USD") for n in range(3)]
    assert fetch(DAY + timedelta(days=9), l2m_iceberg=setting(studio)).outcomes == ()
    assert fetch.messages[-1] == "raw.recharge has nothing of 2026-03-10 yet."


@pytest.mark.parametrize(
    ("changed", "messages"),
    [
        ({"tables": {"logins": "raw.login"}}, "names a log 'logins', which does not exist. Logs: login, logout,"),
        ({"tables": ["raw.login"]}, "tables: Input should be"),
        ({"table": "raw.login"}, "table: Extra inputs are not permitted"),
    ],
)
def test_a_setting_that_cannot_be_read_says_what_is_wrong_and_no_secret(
    fetch: Fetching, tmp_path: Path, changed: dict[str, Any], messages: str
) -> None:
    studio = Studio(tmp_path / "studio")
    wrong = setting(studio, **changed, properties={"type": "sql", "credential": "hush:hush"})
    with pytest.raises(SourceSettingsError) as refused:
        fetch(l2m_iceberg=wrong)
    assert messages in str(refused.value)
    assert "hush" not in str(refused.value)
    with pytest.raises(SourceSettingsError, match="GAMESTATS_L2M_ICEBERG cannot be read"):
        fetch(l2m_iceberg=SecretStr("{"))
