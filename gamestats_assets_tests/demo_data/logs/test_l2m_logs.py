"""The raw logs of an MMO, as the taxonomy `l2m` gives them: what its economy is reckoned from holds in every record."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse, likely_industry
from gamestats_assets.demo_data.findings.accounts import known_accounts
from gamestats_assets.demo_data.findings.measure import measure
from gamestats_assets.demo_data.findings.truths import verify
from gamestats_assets.demo_data.generator.generate import generate, read_manifest
from gamestats_assets.demo_data.logs.wire_check import check_files
from gamestats_assets.demo_data.rules.configuration import Configuration, configuration_from
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.demo_data.taxonomies.reader import check_taxonomy, read_taxonomy
from gamestats_assets_tests.demo_data.sheets import FOLDERS
from gamestats_assets_tests.demo_data.small_shop import by_user, records

TAXONOMY = read_taxonomy(FOLDERS["l2m"])
RULES = analyse(TAXONOMY, ProductInfo(industry=likely_industry(TAXONOMY)))
CURRENCIES = {"VN": "VND", "TH": "THB", "ID": "IDR", "PH": "PHP", "MY": "MYR", "SG": "SGD", "US": "USD"}

Record = dict[str, Any]


def shipped_run() -> Configuration:
    """The run with farmers that is shipped with the taxonomy, of fewer users and days."""
    shipped = json.loads((FOLDERS["l2m"] / "configuration.json").read_bytes())
    return configuration_from({**shipped, "users": 900, "days": 4, "seed": 3}, "the shipped configuration")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("l2m")
    generate(TAXONOMY, RULES, shipped_run(), folder)
    return folder


@pytest.fixture(scope="module")
def lives(logs: Path) -> dict[str, list[Record]]:
    """Events of each user, in order."""
    found = {user: [r for r in of if r["#type"] == "track"] for user, of in by_user(records(logs)).items()}
    assert len(found) > 500
    return found


def values_of(life: list[Record], name: str) -> list[Any]:
    """What a user's events say of a property."""
    return [record["properties"][name] for record in life if name in record["properties"]]


def test_the_sheet_is_read_without_a_doubt_and_its_logs_keep_the_receivers_rules(logs: Path) -> None:
    assert check_taxonomy(FOLDERS["l2m"]).warnings == ()
    report = check_files(sorted(logs.glob("logs_*.jsonl")), taxonomy=TAXONOMY)
    assert report.is_clean, "\n".join(report.lines_of_text())
    assert {name for kind, name in report.events if kind == "track"} == set(TAXONOMY.event_names())


def test_a_user_has_one_server_country_device_currency_and_clan(lives: dict[str, list[Record]]) -> None:
    for life in lives.values():
        assert all(len(set(values_of(life, name))) == 1 for name in ("server_id", "country", "device"))
        assert all(len(set(values_of(life, name))) < 2 for name in ("currency", "guild_id", "guild_name"))
        for currency in values_of(life, "currency"):
            assert currency == CURRENCIES[life[0]["properties"]["country"]]
    clans = {
        (r["guild_id"], r["guild_name"])
        for life in lives.values()
        for x in life
        if "guild_id" in (r := x["properties"])
    }
    assert len(clans) == len({clan for clan, _ in clans}) == len({name for _, name in clans}) > 20


def test_balances_are_what_came_and_went(lives: dict[str, list[Record]]) -> None:
    moved = 0
    for life in lives.values():
        balance: dict[str, float] = {}
        for record in life:
            said = record["properties"]
            if "balance_after" not in said:
                continue
            sign = 1 if record["#event_name"] == "increase_money" else -1
            before = balance.get(said["money_type"], 20_000)
            assert said["balance_after"] == before + sign * said["amount"] >= 0
            balance[said["money_type"]] = said["balance_after"]
            moved += 1
    assert moved > 10_000


def test_prices_are_those_of_the_currency_and_stores_those_of_the_device(lives: dict[str, list[Record]]) -> None:
    paid = [r["properties"] for life in lives.values() for r in life if r["#event_name"] == "recharge"]
    prices: defaultdict[str, set[float]] = defaultdict(set)
    for payment in paid:
        prices[payment["currency"]].add(payment["amount"])
        assert (payment["pmc"] == "app_store") <= (payment["#os"] == "iOS")
        assert (payment["pmc"] in ("google_play", "one_store")) <= (payment["#os"] == "Android")
    assert prices["VND"] <= {25000, 119000, 259000, 499000, 1290000, 2590000}
    assert prices["USD"] <= {0.99, 4.99, 9.99, 19.99, 49.99, 99.99}
    assert sum(map(len, prices.values())) > 15
    payers = [life for life in lives.values() if values_of(life, "pmc")]
    assert 0.01 < len(payers) / len(lives) < 0.3


def test_the_shipped_farmers_are_in_the_logs(logs: Path) -> None:
    configuration = shipped_run()
    measured = measure(logs, TAXONOMY, RULES, configuration)
    verdicts = verify(measured, configuration, known_accounts(read_manifest(logs)))
    assert [(verdict.truth, verdict.holds) for verdict in verdicts] == [
        ("shared_address", True),
        ("shared_address", True),
        ("standstill", True),
    ]
