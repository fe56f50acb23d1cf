"""Entries of people reach the lake after changes, and new names become partitions."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, LiteralString

import dagster as dg
import dataframely as dy
import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.ops import entering, migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.inputs import names_in
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.runs.behind import behind_of
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.tables import Divisions, Seasons, TournamentTeamStandings
from gamestats_assets.pubg.tournament.entered import DIVISION, ROSTER_ENTRY, SEASON, TEAM
from gamestats_assets.pubg.tournament.tables import RosterEntries
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration.bare import BareGame


@pytest.fixture
def stores(tmp_path: Path, fresh_database: str) -> Stores:
    return Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(fresh_database)))


@pytest.fixture
def pubg() -> BareGame:
    pubg = BareGame("pubg", (Seasons, Divisions), ())
    pubg.entered([Seasons])
    pubg.entered([Divisions])
    return pubg


def execute(stores: Stores, statement: LiteralString, *values: Any) -> None:
    with psycopg.connect(stores.postgres_url.get_secret_value(), autocommit=True) as conn:
        conn.execute(statement, values)


def enter_season(stores: Stores, season: str) -> None:
    migrate(stores.postgres_url)
    execute(stores, "INSERT INTO ops.seasons (season, name, time_zone) VALUES (%s, 'S', 'UTC')", season)


def column(stores: Stores, table: type[Table], name: str) -> list[Any]:
    return stores.lake.scan(table).collect().get_column(name).to_list()


def test_only_edited_tables_are_made_again(stores: Stores, pubg: BareGame) -> None:
    assert pubg.run(stores) == [("seasons", ""), ("divisions", "")], "the first time, empty as they are"
    assert pubg.run(stores) == []
    enter_season(stores, "s1")
    assert pubg.behind(stores) == {("seasons", ""): "1 row of seasons changed"}
    assert pubg.run(stores) == [("seasons", "")]
    assert column(stores, Seasons, "season") == ["s1"]
    execute(stores, "UPDATE ops.seasons SET kill_points = 2")
    assert pubg.run(stores) == [("seasons", "")]
    assert column(stores, Seasons, "kill_points") == [2]
    execute(stores, "UPDATE ops.seasons SET kill_points = 2")
    assert pubg.run(stores) == [], "an edit that left the rows unchanged"
    execute(stores, "DELETE FROM ops.seasons")
    assert pubg.run(stores) == [("seasons", "")]
    assert column(stores, Seasons, "season") == []
    assert pubg.run(stores) == []


def test_the_reason_names_the_changed_roster(stores: Stores) -> None:
    pubg = BareGame.of(game())
    [entered] = [step for step in pubg.steps if RosterEntries in step.tables]
    ada = SecretStr(stores.postgres_url.get_secret_value())
    with entering(ada, "ada") as conn:
        SEASON.add(conn, "fall", time_zone="UTC")
        DIVISION.add(conn, "fall", "D")
        for team, player in (("Alpha", "Kim"), ("Beta", "Lee")):
            TEAM.add(conn, "fall", "D", team)
            ROSTER_ENTRY.add(conn, "fall", team, player, valid_from=date(2026, 10, 1))
    pubg.make(stores, entered, [""])
    assert entered.behind(pubg.snapshot(stores)) == {}
    with entering(ada, "ada") as conn:
        ROSTER_ENTRY.change(conn, "fall", "Beta", "Lee", valid_until=date(2026, 10, 9))
    assert entered.behind(pubg.snapshot(stores)) == {"": "roster of Beta changed"}
    with entering(ada, "ada") as conn:
        ROSTER_ENTRY.remove(conn, "fall", "Alpha", "Kim")
    assert entered.behind(pubg.snapshot(stores)) == {"": "roster of Alpha, roster of Beta changed"}


def test_entries_are_read_only_after_an_edit(stores: Stores, pubg: BareGame, monkeypatch: pytest.MonkeyPatch) -> None:
    enter_season(stores, "s1")
    pubg.run(stores)
    assert pubg.behind(stores) == {}
    monkeypatch.setattr(
        "gamestats_assets.orchestration.freshness.snapshot.entered_rows", lambda *_: pytest.fail("it was read")
    )
    assert pubg.behind(stores) == {}


def test_a_season_becomes_a_partition_and_stays_one(stores: Stores) -> None:
    pubg = BareGame("pubg", (Seasons, TournamentTeamStandings), ())
    pubg.entered([Seasons])
    pubg.function(no_standings, names=names_in(Seasons, "season"))
    with dg.DagsterInstance.ephemeral() as instance:
        for season in ("s1", "s2"):
            enter_season(stores, season)
            pubg.run(stores, [Seasons])
            behind_of(pubg, Snapshot(stores, pubg.graph)).add_names(instance)
        assert list(instance.get_dynamic_partitions("season")) == ["s1", "s2"]


def no_standings(seasons: dy.LazyFrame[Seasons]) -> dy.LazyFrame[TournamentTeamStandings]:
    """Never called."""
    raise NotImplementedError
