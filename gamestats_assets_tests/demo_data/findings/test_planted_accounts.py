"""Truths about some accounts: planted by the generator, named in the manifest, and found again in the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gamestats_assets.demo_data.findings.accounts import KnownAccounts, known_accounts
from gamestats_assets.demo_data.findings.measure import measure
from gamestats_assets.demo_data.findings.truths import Verdict, verify
from gamestats_assets.demo_data.generator import generate as generating
from gamestats_assets.demo_data.generator.blueprint import blueprint
from gamestats_assets.demo_data.generator.generate import generate, read_manifest
from gamestats_assets.demo_data.generator.random_streams import Streams
from gamestats_assets.demo_data.generator.users import planted_groups
from gamestats_assets.demo_data.rules.configuration import (
    Configuration,
    ConfigurationError,
    CustomSegment,
    SharedAddressTruth,
    StandstillTruth,
    Truth,
    configuration_from,
)
from gamestats_assets.demo_data.rules.model import Activity, Rules, Update
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets_tests.demo_data.findings import planted_logs
from gamestats_assets_tests.demo_data.small_shop import RULES, TAXONOMY, by_user, records

FARM = SharedAddressTruth(addresses=2, accounts=(12, 15), segment="farm")
STILL = StandstillTruth(property="level", value=1, event="earn", users=20, segment="farm")
SHARED = {
    "users": 300,
    "days": 4,
    "seed": 5,
    "segments": {"active_user": 0.6, "new_user": 0.2, "farm": 0.2},
    "custom_segments": {"farm": CustomSegment(like="power_user", activity=Activity(daily_probability=1))},
}
RISING = RULES.model_copy(
    update={"update_patterns": {**RULES.update_patterns, "club_talk": {"level": Update(type="increment", value=1)}}}
)
"""With an event that does nothing but raise the level."""


def run(*truths: Truth, **more: Any) -> Configuration:
    return Configuration(**{**SHARED, "truths": list(truths), **more})


def tracked(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [record for record in found if record["#type"] == "track"]


def people(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {user: of for user, of in by_user(records(folder)).items() if not user.startswith("system-")}


def accounts_of(manifest: Mapping[str, Any], kind: str) -> list[set[str]]:
    """Distinct ids of each group of a kind, in the manifest."""
    groups = [named["accounts"] for named in manifest["known"] if named["kind"] == kind]
    return [{account["distinct_id"] for account in accounts} for accounts in groups]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with both truths."""
    folder = tmp_path_factory.mktemp("planted")
    generate(TAXONOMY, RISING, run(FARM, STILL), folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run without them."""
    folder = tmp_path_factory.mktemp("plain")
    generate(TAXONOMY, RISING, run(), folder)
    return folder


# --------------------------------------------------------------------------- what is planted


def test_accounts_of_a_group_send_one_address_and_live_in_one_country(planted: Path) -> None:
    manifest, found = read_manifest(planted), people(planted)
    groups = accounts_of(manifest, "shared_address")
    named = [known["address"] for known in manifest["known"] if known["kind"] == "shared_address"]
    assert len(groups) == len(set(named)) == 2
    for address, group in zip(named, groups, strict=True):
        assert 12 <= len(group) <= 15
        records_of = [record for user in group for record in found[user]]
        assert {record["#ip"] for record in records_of} == {address}
        assert len({record["properties"]["#country_code"] for record in tracked(records_of)}) == 1
        assert all(len({record["#time"][:10] for record in found[user]}) == 4 for user in group), "every day"
    elsewhere = {r["#ip"] for user, of_user in found.items() if user not in set().union(*groups) for r in of_user}
    assert elsewhere.isdisjoint(named)


def test_a_property_stays_at_its_value_while_the_event_happens_in_every_session(planted: Path) -> None:
    (still,) = accounts_of(read_manifest(planted), "standstill")
    found = people(planted)
    assert len(still) == 20
    for user in still:
        levels = [r["properties"]["level"] for r in found[user] if "level" in r["properties"]]
        assert set(levels) == {1}
        names = [record["#event_name"] for record in tracked(found[user])]
        assert names.count("earn") >= names.count("start") > 0
        assert "club_talk" not in names, "it does nothing but raise the level"
        assert "buy" not in names or any("purchases" in r["properties"] for r in found[user]), "it does other things"
    others = {user: of for user, of in found.items() if user not in still}
    assert any("club_talk" in {r.get("#event_name") for r in of_user} for of_user in others.values())
    assert any(len({r["properties"]["level"] for r in tracked(of_user)}) > 1 for of_user in others.values())


def test_accounts_are_named_with_both_ids_and_nobody_is_in_two_truths(planted: Path) -> None:
    manifest, found = read_manifest(planted), people(planted)
    assert [named["truth"] for named in manifest["known"]] == [0, 0, 1]
    standstill = manifest["known"][2]
    assert (standstill["property"], standstill["value"], standstill["event"]) == ("level", 1, "earn")
    accounts = [account for named in manifest["known"] for account in named["accounts"]]
    assert len({account["distinct_id"] for account in accounts}) == len(accounts)
    for account in accounts:
        assert {r["#account_id"] for r in found[account["distinct_id"]]} == {account["account_id"]}


def test_records_of_all_others_are_what_they_are_without_the_truths(planted: Path, plain: Path) -> None:
    chosen = set().union(*(group.accounts for group in known_accounts(read_manifest(planted))))
    with_truths, without = people(planted), people(plain)
    assert with_truths.keys() == without.keys()
    assert {user for user, of_user in with_truths.items() if of_user != without[user]} == chosen
    assert "known" not in read_manifest(plain)


def test_the_same_accounts_are_chosen_whoever_else_there_is(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generating, "_CHUNK_EVENTS", 6000)
    generate(TAXONOMY, RISING, run(FARM, STILL, users=340), tmp_path, processes=1)
    assert read_manifest(tmp_path)["known"] == read_manifest(planted)["known"]
    few, many = people(planted), people(tmp_path)
    assert all(many[user] == of_user for user, of_user in few.items())


def test_whatever_has_the_property_stays_at_the_value(tmp_path: Path) -> None:
    values: dict[str, Any] = {"shop": "north", "nickname": "nobody", "item_id": "lamp", "price": 9.5, "coins": 7}
    truths = [StandstillTruth(property=name, value=values[name], event="view", users=15) for name in values]
    generate(TAXONOMY, RULES, run(*truths, users=120), tmp_path)
    groups, found = accounts_of(read_manifest(tmp_path), "standstill"), people(tmp_path)
    for (name, value), still in zip(values.items(), groups, strict=True):
        of_still = [
            r["properties"][name] for user in still & found.keys() for r in found[user] if name in r["properties"]
        ]
        assert set(of_still) == {value}
        others = found.keys() - still
        assert {r["properties"].get(name) for user in others for r in found[user]} - {None, value}


# --------------------------------------------------------------------------- what cannot be planted


@pytest.mark.parametrize(
    ("truth", "why"),
    [
        (StandstillTruth(property="rank", value=1, event="earn", users=1), "neither users nor events"),
        (
            StandstillTruth(property="level", value="one", event="earn", users=1),
            "which excludes 'one'",
        ),
        (
            StandstillTruth(property="level", value=True, event="earn", users=1),
            "which excludes True",
        ),
        (StandstillTruth(property="first_purchase", value=1, event="earn", users=1), "its type is time"),
        (StandstillTruth(property="level", value=1, event="fly", users=1), "'fly' is not an event that users from"),
        (StandstillTruth(property="level", value=1, event="buy", users=1), "'buy' is not an event that users from"),
        (StandstillTruth(property="level", value=1, event="club", users=1), "'club' is not an event that users from"),
    ],
)
def test_a_standstill_that_cannot_be_is_reported(truth: StandstillTruth, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        blueprint(TAXONOMY, RULES, run(truth))


def test_more_accounts_than_there_are_is_reported_before_anything_is_written(tmp_path: Path) -> None:
    crowd = run(FARM.model_copy(update={"addresses": 9}))
    with pytest.raises(ConfigurationError, match=r"needs \d+ users of the segment 'farm'.*of 300 users \d+ qualify"):
        generate(TAXONOMY, RULES, crowd, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("truth", "why"),
    [
        ({"kind": "shared_address", "addresses": 1, "accounts": [20, 12]}, "the smaller number comes first"),
        ({"kind": "shared_address", "addresses": 1, "accounts": [3, 5]}, "truths.0.shared_address.accounts"),
        ({"kind": "shared_address", "addresses": 1, "segment": "bots"}, "bots, which has no share in segments"),
        ({"kind": "standstill", "property": "level", "value": 1, "users": 3}, "truths.0.standstill.event"),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(truth: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        configuration_from({"truths": [truth]}, "a test")


def test_an_event_with_a_fixed_place_in_every_session_needs_no_flow() -> None:
    truth = StandstillTruth(property="level", value=1, event="start", users=3)
    assert blueprint(TAXONOMY, RULES, run(truth)).always == {}


def test_users_are_chosen_from_those_who_were_there_before() -> None:
    truth = StandstillTruth(property="level", value=1, event="earn", users=30, segment="new_user")
    configuration = run(truth, users=3000)
    plan = blueprint(TAXONOMY, RULES, configuration)
    (group,) = planted_groups(plan, Streams(configuration.seed))
    assert group.number.size == 30
    assert group.number.max() > 150, "one in twenty is new and signed up before the run"


# --------------------------------------------------------------------------- what is found


def verdicts(folder: Path, taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> list[Verdict]:
    known = known_accounts(read_manifest(folder))
    return verify(measure(folder, taxonomy, rules, configuration), configuration, known)


def test_what_the_generator_plants_is_found(planted: Path) -> None:
    found = verdicts(planted, TAXONOMY, RISING, run(FARM, STILL))
    assert [(v.truth, v.holds, v.found) for v in found] == [
        ("shared_address", True, 1.0),
        ("shared_address", True, 1.0),
        ("standstill", True, 1.0),
    ]
    groups = accounts_of(read_manifest(planted), "shared_address")
    assert [v.n for v in found] == [len(groups[0] | groups[1])] * 2 + [20]


def test_what_is_not_in_the_data_is_refused(plain: Path, planted: Path) -> None:
    known = known_accounts(read_manifest(planted))
    configuration = run(FARM, STILL)
    found = verify(measure(plain, TAXONOMY, RISING, configuration), configuration, known)
    assert [verdict.holds for verdict in found] == [False, None, False]


ADDRESS = "203.0.113.9"
HALF = SharedAddressTruth(addresses=1, accounts=(10, 10))
QUIET = StandstillTruth(property="price", value=5, event="look", users=3)


def visits(group: Iterable[str], address: str, price: float = 5.0, name: str = "look") -> list[dict[str, Any]]:
    """A visit of each account on each of three days."""
    return [
        {**planted_logs.record(user, f"2026-01-0{day} 10:00:00", name, price=price), "#ip": address}
        for user in group
        for day in (1, 2, 3)
    ]


def judged(folder: Path, found: list[dict[str, Any]], *truths: Truth, known: list[KnownAccounts]) -> list[Verdict]:
    planted_logs.write_by_day(folder, found)
    configuration = Configuration(users=40, days=3, start=planted_logs.START, truths=list(truths))
    return verify(measure(folder, planted_logs.TAXONOMY, planted_logs.RULES, configuration), configuration, known)


def named(truth: int, accounts: Iterable[str]) -> list[KnownAccounts]:
    return [KnownAccounts(truth, frozenset(accounts))]


TEN = [f"user-{n}" for n in range(10)]
OTHERS = [f"other-{n}" for n in range(20)]


def apart(users: list[str]) -> list[dict[str, Any]]:
    return [record for n, user in enumerate(users) for record in visits([user], f"198.51.100.{n}", price=7)]


@pytest.mark.parametrize(
    ("found", "verdicts_"),
    [
        (visits(TEN, ADDRESS) + apart(OTHERS), [(True, 1.0), (True, 1.0)]),
        # An account that was elsewhere once is missed.
        (visits(TEN, ADDRESS) + visits(TEN[:1], "198.51.100.77")[:1], [(False, 0.9), (True, 1.0)]),
        # Accounts that nobody planted are told.
        (visits(TEN, ADDRESS) + visits(OTHERS[:6], "203.0.113.10"), [(True, 1.0), (False, 10 / 16)]),
        # Of a group of which too few came nothing can be said.
        (visits(TEN[:4], ADDRESS) + apart(OTHERS), [(None, None), (None, None)]),
    ],
)
def test_accounts_at_one_address(tmp_path: Path, found: list[dict[str, Any]], verdicts_: list[tuple[Any, Any]]) -> None:
    judgements = judged(tmp_path, found, HALF, known=named(0, TEN))
    assert [(v.holds, None if v.holds is None else v.found) for v in judgements] == verdicts_


def test_without_the_names_of_the_accounts_nothing_is_reported(tmp_path: Path) -> None:
    found = judged(tmp_path, visits(TEN, ADDRESS), HALF, QUIET, known=[])
    assert [verdict.holds for verdict in found] == [None, None, None]


def test_two_groups_that_share_one_address_are_one_too_many(tmp_path: Path) -> None:
    """Each group has an address of its own; here the second one's accounts are spread."""
    known = named(0, TEN) + named(0, OTHERS[:10])
    spread = visits(OTHERS[:5], "203.0.113.10") + visits(OTHERS[5:10], "203.0.113.11")
    first, second = judged(tmp_path, visits(TEN, ADDRESS) + spread, HALF, known=known)
    assert (first.holds, first.found, first.n) == (False, 15 / 20, 20)
    assert second.holds


@pytest.mark.parametrize(
    ("more", "holds", "share"),
    [
        ([], True, 1.0),
        (visits(TEN[:1], ADDRESS, price=6), False, 2 / 3),
        (visits(TEN[:1], ADDRESS, price=6, name="pay"), False, 2 / 3),
        (visits(OTHERS[:1], ADDRESS, price=6), True, 1.0),
    ],
)
def test_a_value_that_was_ever_another_is_refused(
    tmp_path: Path, more: list[dict[str, Any]], holds: bool, share: float
) -> None:
    (found,) = judged(tmp_path, visits(TEN[:3], ADDRESS) + more, QUIET, known=named(0, TEN[:3]))
    assert (found.holds, found.found, found.n) == (holds, share, 3)


def test_what_users_are_reported_to_be_counts_and_what_is_added_does_not(tmp_path: Path) -> None:
    truth = StandstillTruth(property="age", value=30, event="look", users=2)
    changes: list[dict[str, Any]] = []
    for kind, user, age in (("user_set", TEN[0], 30), ("user_set", TEN[1], 31), ("user_add", TEN[0], 1)):
        changes.append({**planted_logs.record(user, "2026-01-02 11:00:00", "", age=age), "#type": kind})
    found = judged(tmp_path, visits(TEN[:2], ADDRESS) + changes, truth, known=named(0, TEN[:2]))
    assert [(verdict.holds, verdict.found) for verdict in found] == [(False, 0.5)]


def test_a_number_sent_as_a_text_and_a_null_are_no_other_value(tmp_path: Path) -> None:
    drifted = [
        {**visit, "properties": {**visit["properties"], "price": p}}
        for visit, p in zip(visits(TEN[:3], ADDRESS), ["5", None, 5.0] * 3, strict=True)
    ]
    found = judged(tmp_path, drifted, QUIET, known=named(0, TEN[:3]))
    assert [verdict.holds for verdict in found if verdict.truth == "standstill"] == [True]
