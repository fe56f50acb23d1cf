"""Real files, from a folder to PostgreSQL, against figures read from the raw JSON by plain Python."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.cli.session import Session
from gamestats_assets.cli.steps import progress_loggers
from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.partitions import has_days, partitions_of
from gamestats_assets.orchestration.runs.behind import behind_of
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.source.files import ingest
from gamestats_assets.settings import Settings
from gamestats_assets_tests.support.published import read_published

Event = dict[str, Any]
TELEMETRY_MATCH, TELEMETRY_DAY = "c2fb5093-866c-4d6d-96bf-7abf755094af", "2025-07-12"


@pytest.fixture(scope="module")
def events(realdata: Path) -> list[Event]:
    path = realdata / "pubg" / "telemetry" / f"{TELEMETRY_MATCH}.json.gz"
    return json.loads(gzip.decompress(path.read_bytes()))


@pytest.fixture(scope="module")
def match_objects(realdata: Path) -> dict[str, Event]:
    """Every real match object by its id."""
    found: dict[str, Event] = {}
    for path in (realdata / "pubg" / "matches").rglob("*.json*"):
        payload = path.read_bytes()
        document = json.loads(gzip.decompress(payload) if path.suffix == ".gz" else payload)
        found[document["data"]["id"]] = document
    return found


@pytest.fixture(scope="module")
def processed(realdata: Path, tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Stores:
    """All real files landed, materialised and published; every run and blocking check passed."""
    data = tmp_path_factory.mktemp("real")
    stores = Stores(Settings(data=str(data), postgres_url=SecretStr(postgres_url), workers=1))
    report = ingest([realdata / "pubg" / "matches", realdata / "pubg" / "telemetry"], stores.landing)
    assert report.quarantined == 0
    with dg.DagsterInstance.ephemeral() as instance:
        definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)}, ["pubg"])
        session = Session(dg.Definitions.merge(definitions, progress_loggers()), instance, stores)
        outcomes = session.follow(dg.AssetSelection.all())
        assert [outcome for outcome in outcomes if not outcome.success] == []
        assert behind_of(game(), Snapshot(stores, game().graph, counted=True)).is_empty
    return stores


@pytest.fixture(scope="module")
def summaries(processed: Stores) -> dict[str, Event]:
    """The published rows of the match that has telemetry, by account."""
    frame = read_published(processed.postgres_url, t.MatchSummaries).filter(match_id=TELEMETRY_MATCH)
    return {row["account_id"]: row for row in frame.iter_rows(named=True)}


def of(events: list[Event], *kinds: str) -> list[Event]:
    return [event for event in events if event["_T"] in kinds]


def account(character: Event | None) -> str | None:
    return (character or {}).get("accountId") or None


def test_every_match_object_becomes_one_published_match(processed: Stores, match_objects: dict[str, Event]) -> None:
    matches = read_published(processed.postgres_url, t.Matches)
    rows = {row["match_id"]: row for row in matches.iter_rows(named=True)}
    assert rows.keys() == {*match_objects, TELEMETRY_MATCH}
    for match_id, document in match_objects.items():
        people = [i["attributes"]["stats"] for i in document["included"] if i["type"] == "participant"]
        bots = sum(stats["playerId"].startswith("ai.") for stats in people)
        row = rows[match_id]
        assert (row["players"], row["bots"]) == (len(people) - bots, bots)
        assert row["teams"] == sum(i["type"] == "roster" for i in document["included"])
        assert (row["game_mode"], row["map_id"]) == (
            document["data"]["attributes"]["gameMode"],
            document["data"]["attributes"]["mapName"],
        )
        assert (row["telemetry_status"], row["start_source"]) == ("pending", "api")
        assert row["duration_s"] == document["data"]["attributes"]["duration"]


def test_every_participant_has_its_statistics(processed: Stores, match_objects: dict[str, Event]) -> None:
    frame = read_published(processed.postgres_url, t.MatchSummaries).filter(pl.col("match_id") != TELEMETRY_MATCH)
    rows = {(row["match_id"], row["account_id"]): row for row in frame.iter_rows(named=True)}
    expected: dict[tuple[str, str], Event] = {}
    team_places: dict[tuple[str, str], int] = {}
    for match_id, document in match_objects.items():
        accounts = {
            included["id"]: included["attributes"]["stats"]["playerId"]
            for included in document["included"]
            if included["type"] == "participant"
        }
        for included in document["included"]:
            if included["type"] == "roster":
                for member in included["relationships"]["participants"]["data"]:
                    team_places[match_id, accounts[member["id"]]] = included["attributes"]["stats"]["rank"]
        for included in document["included"]:
            if included["type"] == "participant" and not included["attributes"]["stats"]["playerId"].startswith("ai."):
                expected[match_id, included["attributes"]["stats"]["playerId"]] = included["attributes"]["stats"]
    assert rows.keys() == expected.keys()
    for key, stats in expected.items():
        row = rows[key]
        assert (row["kills"], row["assists"], row["dbnos"], row["placement"], row["player_name"], row["revives"]) == (
            stats["kills"],
            stats["assists"],
            stats["DBNOs"],
            team_places[key],
            stats["name"],
            stats["revives"],
        )
        assert row["damage_dealt"] == pytest.approx(stats["damageDealt"], abs=1e-9)
        assert row["walk_distance_m"] == pytest.approx(stats["walkDistance"], abs=1e-9)
        assert row["time_survived_s"] == pytest.approx(stats["timeSurvived"], abs=1e-9)
        assert row["killsteals"] is None
        assert row["damage_received"] is None


def test_the_match_known_by_telemetry_alone(processed: Stores, events: list[Event]) -> None:
    row = read_published(processed.postgres_url, t.Matches).filter(match_id=TELEMETRY_MATCH).row(0, named=True)
    start = of(events, "LogMatchStart")[0]
    people = [entry["character"] for entry in start["characters"]]
    assert row["players"] == len({person["accountId"] for person in people}) == 36
    assert row["teams"] == len({person["teamId"] for person in people}) == 14
    assert row["started_at"].isoformat() == "2025-07-12T17:11:33.984000+00:00"
    assert (row["start_source"], row["telemetry_status"], row["map_name"]) == ("telemetry", "processed", "Erangel")
    assert row["is_custom_match"] is True


def test_players_of_the_telemetry(summaries: dict[str, Event], events: list[Event]) -> None:
    started = {entry["character"]["accountId"] for entry in of(events, "LogMatchStart")[0]["characters"]}
    assert summaries.keys() == started


def test_kills_knocks_and_revives_of_each_player(summaries: dict[str, Event], events: list[Event]) -> None:
    kills: Counter[str | None] = Counter()
    for event in of(events, "LogPlayerKillV2"):
        killer, victim = event.get("killer"), event["victim"]
        if killer and account(killer) != account(victim) and killer["teamId"] != victim["teamId"]:
            kills[account(killer)] += 1
    knocks = Counter(
        account(event["attacker"])
        for event in of(events, "LogPlayerMakeGroggy")
        if account(event.get("attacker")) and event["attacker"]["teamId"] != event["victim"]["teamId"]
    )
    revives = Counter(account(event["reviver"]) for event in of(events, "LogPlayerRevive"))
    assert sum(kills.values()) > 25
    for account_id, row in summaries.items():
        assert (row["kills"], row["dbnos"], row["revives"]) == (
            kills[account_id],
            knocks[account_id],
            revives[account_id],
        )


def test_damage_given_and_taken_by_each_player(summaries: dict[str, Event], events: list[Event]) -> None:
    given: dict[str, float] = defaultdict(float)
    taken: dict[str, float] = defaultdict(float)
    by_people: dict[str, float] = defaultdict(float)
    downs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    ends = [(account(e["victim"]), e["_D"]) for e in of(events, "LogPlayerRevive", "LogPlayerKillV2")]
    for knock in of(events, "LogPlayerMakeGroggy"):
        victim = str(account(knock["victim"]))
        until = min((at for who, at in ends if who == victim and at >= knock["_D"]), default="9999")
        downs[victim].append((knock["_D"], until))
    for event in of(events, "LogPlayerTakeDamage"):
        victim, attacker = str(account(event["victim"])), account(event.get("attacker"))
        taken[victim] += event["damage"]
        if attacker and attacker != victim:
            if event["attacker"]["teamId"] != event["victim"]["teamId"]:
                given[attacker] += event["damage"]
            if not any(start < event["_D"] <= end for start, end in downs[victim]):
                by_people[victim] += event["damage"]
    assert sum(given.values()) > 1000
    for account_id, row in summaries.items():
        assert row["damage_dealt"] == pytest.approx(given[account_id], abs=1e-6)
        assert row["damage_received"] == pytest.approx(taken[account_id], abs=1e-6)
        assert row["damage_received_from_players"] == pytest.approx(by_people[account_id], abs=1e-6)


def test_items_used_by_each_player(summaries: dict[str, Event], events: list[Event]) -> None:
    used = Counter((account(e["character"]), e["item"]["subCategory"]) for e in of(events, "LogItemUse"))
    thrown = Counter(account(e["attacker"]) for e in of(events, "LogPlayerUseThrowable"))
    smokes = Counter(
        account(e["attacker"])
        for e in of(events, "LogPlayerUseThrowable")
        if e["weapon"]["itemId"] == "Item_Weapon_SmokeBomb_C"
    )
    assert sum(thrown.values()) == 5
    for account_id, row in summaries.items():
        assert (row["heals_used"], row["boosts_used"]) == (used[account_id, "Heal"], used[account_id, "Boost"])
        assert (row["throwables_used"], row["smokes_thrown"]) == (thrown[account_id], smokes[account_id])


def test_time_in_the_blue_zone_of_each_player(summaries: dict[str, Event], events: list[Event]) -> None:
    ticks: dict[str, set[str]] = defaultdict(set)
    for event in of(events, "LogPlayerTakeDamage"):
        if event["damageTypeCategory"] == "Damage_BlueZone":
            ticks[str(account(event["victim"]))].add(event["_D"])
    for account_id, row in summaries.items():
        assert row["time_outside_zone_seconds"] == pytest.approx(1.03 * len(ticks[account_id]))


def test_distances_from_the_circle_of_each_player(summaries: dict[str, Event], events: list[Event]) -> None:
    def at(text: str) -> float:
        return datetime.fromisoformat(text).timestamp()

    states = sorted(
        (at(e["_D"]), s["safetyZonePosition"]["x"], s["safetyZonePosition"]["y"], s["safetyZoneRadius"])
        for e in of(events, "LogGameStatePeriodic")
        for s in [e["gameState"]]
    )
    death = {str(account(e["victim"])): at(e["_D"]) for e in of(events, "LogPlayerKillV2")}
    centre: dict[str, list[float]] = defaultdict(list)
    edge: dict[str, list[float]] = defaultdict(list)
    for event in of(events, "LogPlayerPosition"):
        who, when = str(account(event["character"])), at(event["_D"])
        if event["common"]["isGame"] < 1 or when > death.get(who, math.inf):
            continue
        before = max((s for s in states if s[0] <= when), default=states[0])
        after = min((s for s in states if s[0] >= when), default=states[-1])
        share = (when - before[0]) / (after[0] - before[0]) if after[0] > before[0] else 0.0
        x, y, radius = (b + share * (a - b) for b, a in zip(before[1:], after[1:], strict=True))
        distance = math.hypot(event["character"]["location"]["x"] - x, event["character"]["location"]["y"] - y)
        centre[who].append(distance / 100)
        edge[who].append((radius - distance) / 100)
    assert len(centre) > 20
    for account_id, row in summaries.items():
        if account_id not in centre:
            assert row["avg_distance_from_center"] is None
            continue
        assert row["avg_distance_from_center"] == pytest.approx(
            sum(centre[account_id]) / len(centre[account_id]), abs=1e-3
        )
        assert row["max_distance_from_center"] == pytest.approx(max(centre[account_id]), abs=1e-3)
        assert row["avg_distance_from_edge"] == pytest.approx(sum(edge[account_id]) / len(edge[account_id]), abs=1e-3)
        assert row["min_distance_from_edge"] == pytest.approx(min(edge[account_id]), abs=1e-3)


def test_landings_and_kill_positions_are_in_metres(processed: Stores, events: list[Event]) -> None:
    landings = read_published(processed.postgres_url, t.Landings).filter(match_id=TELEMETRY_MATCH)
    # The game logs a landing again, with the same distance flown, when the player is knocked.
    first: dict[tuple[str, float], float] = {}
    for event in sorted(of(events, "LogParachuteLanding"), key=lambda e: e["_D"]):
        key = (str(account(event["character"])), event["distance"])
        first.setdefault(key, event["character"]["location"]["x"] / 100)
    expected = sorted((who, x) for (who, _), x in first.items())
    assert len(expected) == 36
    found = sorted(landings.select("account_id", "x_m").rows())
    assert [who for who, _ in found] == [who for who, _ in expected]
    assert [x for _, x in found] == pytest.approx([x for _, x in expected])
    kills = read_published(processed.postgres_url, t.KillPositions).filter(match_id=TELEMETRY_MATCH)
    assert kills.height == len(of(events, "LogPlayerKillV2")) == 34
    for row in kills.iter_rows(named=True):
        raw = events[row["event_index"]]
        assert row["victim_x_m"] == pytest.approx(raw["victim"]["location"]["x"] / 100)
        if raw.get("killer"):
            assert row["distance_m"] == pytest.approx(raw["killerDamageInfo"]["distance"] / 100)


def test_every_event_is_accounted_for_in_the_lake(processed: Stores, events: list[Event]) -> None:
    counts = processed.lake.scan(t.TelemetryEventCounts).filter(match_id=TELEMETRY_MATCH).collect()
    assert dict(counts.select("event_type", "events").iter_rows()) == dict(Counter(e["_T"] for e in events))
    assert processed.lake.scan(quarantine_of("pubg")).collect().is_empty()


def test_published_rows_equal_the_lakes(processed: Stores) -> None:
    for table in t.ALL:
        if table.spec.published and has_days(partitions_of(table)):
            lake = processed.lake.scan(table).sort(table.primary_key()).collect()
            assert read_published(processed.postgres_url, table).sort(table.primary_key()).equals(lake), table.spec.key


def test_match_dates_are_the_utc_days_of_the_starts(processed: Stores) -> None:
    matches = processed.lake.scan(t.Matches).collect()
    days = matches.select((pl.col("started_at").dt.date() - pl.col("match_date")).alias("off")).get_column("off")
    assert set(days) == {timedelta(0)}
