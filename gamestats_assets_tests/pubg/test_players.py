"""Tracked players from a row in PostgreSQL to published detail: through Dagster, a real lake and PostgreSQL."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import dagster as dg
import polars as pl
import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.cli.pending import pending
from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.postgres import read_published
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration import requests
from gamestats_assets.orchestration.instance import run_here
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import DAYS
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.sensors import tracked_player_details
from gamestats_assets.pubg.simulate import MatchTruth, SimulatedMatch, simulate_match
from gamestats_assets.pubg.tables.players import TRACKED_PLAYER
from gamestats_assets.settings import Settings
from gamestats_assets_tests.instances import copy_of
from gamestats_assets_tests.postgres_fixture import database

DAY = date(2026, 3, 14)
ARCHIVED = (1, 2)
UNARCHIVED, LATER = 3, 4
DETAIL = {
    t.PlayerCirclePositions: (t.CirclePositions, ["account_id"]),
    t.PlayerDamageEvents: (t.DamageEvents, ["attacker_account_id", "victim_account_id"]),
    t.WeaponKillEvents: (
        t.WeaponKills,
        ["killer_account_id", "victim_account_id", "knocker_account_id", "finisher_account_id"],
    ),
}


class House:
    """A lake, a PostgreSQL and a Dagster instance."""

    def __init__(self, folder: Path, postgres_url: str, instance: dg.DagsterInstance) -> None:
        self.folder, self.url = folder, postgres_url
        self.stores = Stores(Settings(data=str(folder), postgres_url=SecretStr(postgres_url), workers=1))
        self.instance = instance
        self.definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(self.stores)})
        migrate(self.stores.postgres_url)

    def land(self, number: int, *kinds: str) -> MatchTruth:
        """Land a match, or files of it."""
        match = simulated(number)
        for kind, content in (("match", match.match_json), ("telemetry", match.telemetry_json)):
            if not kinds or kind in kinds:
                self.stores.landing.put("pubg", DAY, match.truth.match_id, kind, content, content)
        return match.truth

    def run_days(self) -> None:
        """Make the day tables that players' tables are made from."""
        graph = self.definitions.resolve_asset_graph()
        read = [t.MatchSummaries, *(source for source, _ in DETAIL.values())]
        selection = dg.AssetSelection.assets(*map(asset_key, read)).upstream().required_multi_asset_neighbors()
        by_day = [key for key in selection.resolve(graph) if graph.get(key).partitions_def == DAYS]
        assert self.run(dg.AssetSelection.assets(*by_day), str(DAY))

    def enter(self, statement: LiteralString, *values: Any) -> None:
        """Change what stands in `ops`, and take the snapshots of it."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(statement, values)
        assert self.run(dg.AssetSelection.assets(*map(asset_key, t.SNAPSHOTS)))

    def track(self, account: str | None, name: str, *, added: date = DAY, days: int = 180) -> None:
        self.enter(
            "INSERT INTO ops.tracked_players (account_id, player_name, added_at, backfill_days)"
            " VALUES (%s, %s, %s, %s)",
            account,
            name,
            datetime(added.year, added.month, added.day, 12, tzinfo=UTC),
            days,
        )

    def run(
        self,
        selection: dg.AssetSelection,
        key: str | None = None,
        *,
        last: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> bool:
        span = (key, last or key) if key else None
        return run_here(
            self.definitions, self.instance, selection, partitions=span, tags=tags, log_level="CRITICAL"
        ).success

    def tick(self) -> list[dg.RunRequest]:
        """What the sensor requests now."""
        self.cursor = getattr(self, "cursor", None)
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"stores": self.stores}, sensor_name="tracked"
        )
        result = tracked_player_details()(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return list(result.run_requests or [])

    def follow(self) -> list[str]:
        """Run what the sensor requests; the players it was for."""
        accounts: list[str] = []
        known = list(self.instance.get_dynamic_partitions(TRACKED_PLAYER))
        for request in self.tick():
            assert request.asset_selection
            first, last = (
                request.partition_key or request.tags[f"dagster/asset_partition_range_{end}"]
                for end in ("start", "end")
            )
            tags = {name: value for name, value in request.tags.items() if not name.startswith("dagster/")}
            assert self.run(dg.AssetSelection.assets(*request.asset_selection), first, last=last, tags=tags)
            accounts += known[known.index(first) : known.index(last) + 1]
        return accounts

    def rows(self, table: type[Any], account: str | None = None) -> pl.DataFrame:
        frame = self.stores.lake.scan(table).collect()
        return frame if account is None else frame.filter(pl.col(TRACKED_PLAYER) == account)

    def versions(self) -> dict[str, int | None]:
        return {table.spec.name: self.stores.lake.version(table) for table in DETAIL}


@functools.cache
def simulated(number: int) -> SimulatedMatch:
    """One of the matches of the day; many play in several of them."""
    start = datetime(DAY.year, DAY.month, DAY.day, 10 + number, tzinfo=UTC)
    return simulate_match(number, start, match_type="custom", players=24, population=64)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[House]:
    """The tables of a day with two matches, and a third whose telemetry nobody has; nobody is tracked."""
    with database(postgres_url) as url, dg.DagsterInstance.ephemeral() as instance:
        house = House(tmp_path_factory.mktemp("made"), url, instance)
        for number in ARCHIVED:
            house.land(number)
        house.land(UNARCHIVED, "match")
        house.run_days()
        yield house


@pytest.fixture
def house(made: House, tmp_path: Path, postgres_url: str) -> Iterator[House]:
    """A copy of its own."""
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    with database(postgres_url, made.url) as url, copy_of(made.instance) as instance:
        yield House(tmp_path, url, instance)


def everybodys(house: House, table: type[Any], account: str, matches: Sequence[str]) -> pl.DataFrame:
    """The rows of a player in the day table, read independently."""
    source, people = DETAIL[table]
    rows = house.rows(source)
    return rows.filter(
        pl.col("match_id").is_in(list(matches))
        & pl.any_horizontal((pl.col(name) == account).fill_null(False) for name in people)
    ).sort("match_id", "event_index")


def people_of(number: int) -> set[str]:
    return {*simulated(number).truth.players_truth}


def only_in_the_first() -> str:
    return min(people_of(1) - people_of(2) - people_of(UNARCHIVED))


def match_of(number: int) -> str:
    return simulated(number).truth.match_id


def test_a_tracked_player_gets_exactly_the_own_rows_of_the_history_published(house: House) -> None:
    account = min(people_of(1) & people_of(2) & people_of(3))
    assert house.tick() == []
    house.track(account, "Somebody", added=DAY + timedelta(days=5), days=30)

    [request] = house.tick()
    assert (request.partition_key, request.tags["gamestats/priority"], request.tags["dagster/priority"]) == (
        account,
        "low",
        "-10",
    )
    house.cursor = None
    assert house.follow() == [account]

    ids = [match_of(number) for number in ARCHIVED]
    for table in DETAIL:
        made = house.rows(table, account).sort("match_id", "event_index")
        expected = everybodys(house, table, account, ids)
        assert expected.height > 0
        assert made.drop(TRACKED_PLAYER).equals(expected.select(made.drop(TRACKED_PLAYER).columns)), table
        published = read_published(house.stores.postgres_url, table).sort("match_id", "event_index")
        assert published.equals(made)
    status = dict(house.rows(t.PlayerBackfillStatus, account).select("match_id", "backfill_status").iter_rows())
    assert status == {**dict.fromkeys(ids, "completed"), match_of(UNARCHIVED): "pending"}
    kills = sum(simulated(number).truth.players_truth[account].kills for number in (*ARCHIVED, UNARCHIVED))
    career = house.rows(t.PlayerAdvancedCareerStats, account).filter(match_type="all")
    assert career.select("matches_played", "matches_with_telemetry", "total_kills").row(0) == (3, 2, kills)
    assert house.follow() == []


def test_a_new_match_refreshes_the_tracked_players_in_it_and_no_others(house: House) -> None:
    new = house.land(LATER).match_id
    before = people_of(1) - people_of(2)
    playing, absent = min(before & people_of(LATER)), min(before - people_of(LATER))
    house.track(playing, "Playing")
    house.track(absent, "Absent")
    assert sorted(map(str, house.follow())) == sorted([playing, absent])
    kept = house.rows(t.PlayerCirclePositions, absent)

    house.run_days()
    [request] = house.tick()
    assert (request.partition_key, request.tags["gamestats/priority"]) == (playing, "normal")
    behind = pending(house.definitions, house.instance, house.stores, {"pubg"})
    assert behind.partitions[asset_key(t.PlayerCirclePositions)] <= {playing}
    assert behind.partitions[asset_key(t.PlayerMatches)] == {playing}
    house.cursor = None
    assert house.follow() == [playing]
    assert set(house.rows(t.PlayerCirclePositions, playing)["match_id"]) == {match_of(1), new}
    assert house.rows(t.PlayerCirclePositions, absent).equals(kept)


def test_processing_again_changes_nothing_and_telemetry_that_lands_later_is_taken(house: House) -> None:
    account = min(people_of(UNARCHIVED) - people_of(1) - people_of(2))
    house.track(account, "Somebody")
    assert house.follow() == [account]
    assert house.rows(t.PlayerDamageEvents).is_empty()

    house.land(UNARCHIVED, "telemetry")
    house.run_days()
    assert house.follow() == [account]
    made = house.rows(t.PlayerDamageEvents, account)
    assert made.height == everybodys(house, t.PlayerDamageEvents, account, [match_of(UNARCHIVED)]).height > 0
    versions = house.versions()
    house.run_days()
    assert house.follow() == []
    graph = house.definitions.resolve_asset_graph()
    by_player = [key for key in graph.get_all_asset_keys() if graph.get(key).partitions_def not in (None, DAYS)]
    mine = [key for key in by_player if TRACKED_PLAYER in str(graph.get(key).partitions_def)]
    assert house.run(dg.AssetSelection.assets(*mine), account)
    assert house.versions() == versions


def test_an_inactive_player_keeps_the_data_and_is_refreshed_no_more(house: House) -> None:
    account = min(people_of(1) & people_of(LATER) - people_of(2) - people_of(UNARCHIVED))
    house.track(account, "Somebody")
    house.follow()
    kept = house.rows(t.PlayerCirclePositions, account)
    assert not kept.is_empty()
    house.enter("UPDATE ops.tracked_players SET is_active = false")
    house.land(LATER)
    house.run_days()
    assert house.follow() == []
    assert house.rows(t.PlayerCirclePositions, account).equals(kept)
    house.enter("UPDATE ops.tracked_players SET is_active = true")
    assert house.follow() == [account]
    assert house.rows(t.PlayerMatches, account).height == 2


def test_history_is_taken_up_as_far_as_was_asked_for_and_a_cancelled_backfill_no_further(house: House) -> None:
    account = only_in_the_first()
    house.track(account, "Somebody", added=DAY + timedelta(days=20), days=10)
    house.follow()
    assert house.rows(t.PlayerMatches, account).is_empty()

    house.enter("UPDATE ops.tracked_players SET backfill_days = 30")
    house.enter("UPDATE ops.backfills SET cancelled_at = now(), cancelled_by = 'me' WHERE from_day < '2026-03-14'")
    assert house.follow() == []
    assert house.rows(t.PlayerMatches, account).is_empty()

    house.enter(
        "INSERT INTO ops.backfills (tracked_player_id, from_day, to_day)"
        " SELECT tracked_player_id, '2026-03-14', '2026-03-14' FROM ops.tracked_players"
    )
    assert house.follow() == [account]
    assert house.rows(t.PlayerMatches, account)["match_id"].to_list() == [match_of(1)]
    house.enter("UPDATE ops.backfills SET cancelled_at = now(), cancelled_by = 'me' WHERE cancelled_at IS NULL")
    assert house.follow() == []
    assert house.rows(t.PlayerMatches, account).height == 1


def test_players_who_are_refreshed_at_once_share_a_run_and_when_it_failed_have_one_each(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = sorted(people_of(1) - people_of(2))[:2]
    for account in both:
        house.track(account, account[-6:])
    [request] = house.tick()
    span = [request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
    assert span == both
    monkeypatch.setattr(requests, "_FIRST_WAIT", timedelta(0))
    going = dg.DagsterRun(job_name="j", run_id=str(uuid4()), tags=dict(request.tags))
    house.instance.add_run(going)
    house.cursor = None
    assert house.tick() == [], "whatever it has done by now"
    house.instance.report_run_failed(going)
    assert [request.partition_key for request in house.tick()] == both
    assert house.follow() == both
    for account in both:
        assert set(house.rows(t.PlayerCirclePositions, account)["match_id"]) == {match_of(1)}
    assert house.follow() == []


def test_a_run_that_failed_is_requested_again_and_a_backfill_asked_for_again_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(requests: list[dg.RunRequest], status: dg.DagsterRunStatus) -> None:
        for request in requests:
            run = dg.DagsterRun(job_name="j", run_id=str(uuid4()), tags=dict(request.tags), status=status)
            house.instance.add_run(run)

    account = only_in_the_first()
    house.track(account, "Somebody", added=DAY + timedelta(days=1))
    [first] = house.tick()
    end([first], dg.DagsterRunStatus.FAILURE)
    assert house.tick() == [], "not at once"
    monkeypatch.setattr(requests, "_FIRST_WAIT", timedelta(0))
    [second] = house.tick()
    assert (second.partition_key, second.run_key == first.run_key) == (account, False)
    end([second], dg.DagsterRunStatus.CANCELED)
    assert house.tick() == []
    house.enter("UPDATE ops.backfills SET cancelled_at = now(), cancelled_by = 'me'")
    assert house.tick() == []
    house.enter(
        "INSERT INTO ops.backfills (tracked_player_id, from_day, to_day, requested_by)"
        " SELECT tracked_player_id, from_day, to_day, 'me' FROM ops.backfills"
    )
    [third] = house.tick()
    assert (third.partition_key, third.run_key in (first.run_key, second.run_key)) == (account, False)


def test_a_player_known_by_name_gets_the_account_of_a_match_and_keeps_the_history_when_renamed(house: House) -> None:
    account = only_in_the_first()
    house.track(None, simulated(1).truth.players_truth[account].player_name)
    assert house.tick() == []
    with psycopg.connect(house.url) as conn:
        assert conn.execute("SELECT account_id FROM ops.tracked_players").fetchall() == [(account,)]
    house.enter("UPDATE ops.tracked_players SET player_name = 'Renamed'")
    assert house.follow() == [account]
    assert house.rows(t.PlayerMatches, account).height == 1


def test_a_match_of_several_tracked_players_is_kept_for_each_whatever_the_batches(house: House) -> None:
    pair = sorted(people_of(1) & people_of(2) - people_of(UNARCHIVED))[:2]
    for account in pair:
        house.track(account, account)
    steps = {f"pubg__{table.spec.name}": {"config": {"batch_size": 1}} for table in (t.PlayerMatches, *DETAIL)}
    keys = house.instance.get_dynamic_partitions(TRACKED_PLAYER)
    selection = dg.AssetSelection.assets(*map(asset_key, (t.PlayerMatches, *DETAIL)))
    result = run_here(
        house.definitions, house.instance, selection, partitions=(keys[0], keys[-1]), config={"ops": steps}
    )
    assert result.success
    ids = [match_of(number) for number in ARCHIVED]
    for account in pair:
        assert sorted(house.rows(t.PlayerMatches, account)["match_id"]) == sorted(ids)
        for table in DETAIL:
            assert house.rows(table, account).height == everybodys(house, table, account, ids).height > 0
    assert house.tick() == []
