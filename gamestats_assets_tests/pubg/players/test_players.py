"""Tracked players from a row in PostgreSQL to published detail, over a real lake and PostgreSQL."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import dagster as dg
import polars as pl
import psycopg
import pytest

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.partitions import has_days, partitions_of
from gamestats_assets.orchestration.runs.behind import behind_of, partition_kind
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.players.players import player_matches
from gamestats_assets.pubg.players.tables import TRACKED_PLAYER
from gamestats_assets.pubg.sensors import by_priority, look_at_players
from gamestats_assets.simulators.pubg.matches import SimulatedMatch, simulate_match
from gamestats_assets.simulators.pubg.truth import MatchTruth
from gamestats_assets_tests.pubg.house import House, PubgInDagster
from gamestats_assets_tests.pubg.scenario import rows
from gamestats_assets_tests.support.postgres_fixture import database
from gamestats_assets_tests.support.published import read_published

DAY = date(2026, 3, 14)
ARCHIVED = (1, 2)
UNARCHIVED, LATER = 3, 4
DETAIL: dict[type[Table], tuple[type[Table], list[str]]] = {
    t.PlayerCirclePositions: (t.CirclePositions, ["account_id"]),
    t.PlayerDamageEvents: (t.DamageEvents, ["attacker_account_id", "victim_account_id"]),
    t.WeaponKillEvents: (
        t.WeaponKills,
        ["killer_account_id", "victim_account_id", "knocker_account_id", "finisher_account_id"],
    ),
}


class PlayersHouse(House):
    """A house of people who are tracked."""

    def land(self, number: int, *kinds: str) -> MatchTruth:
        """Land a match, or files of it."""
        match = simulated(number)
        for kind, content in (("match", match.match_json), ("telemetry", match.telemetry_json)):
            if not kinds or kind in kinds:
                self.stores.landing.put("pubg", DAY, match.truth.match_id, kind, content, content)
        return match.truth

    def enter(self, statement: LiteralString, *values: Any) -> None:
        """Change what stands in `ops`."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(statement, values)

    def track(self, account: str | None, name: str, *, added: date = DAY, days: int = 180) -> None:
        self.enter(
            "INSERT INTO ops.tracked_players (account_id, player_name, added_at, backfill_days)"
            " VALUES (%s, %s, %s, %s)",
            account,
            name,
            datetime(added.year, added.month, added.day, 12, tzinfo=UTC),
            days,
        )

    def enters(self) -> None:
        """Take a snapshot of what was entered, which comes before anything is asked for."""
        self.game.run(self.stores, t.SNAPSHOTS)
        with dg.DagsterInstance.ephemeral() as instance:
            look_at_players(self.stores, instance)
        self.game.run(self.stores, t.SNAPSHOTS)

    def behind(self, table: type[Table]) -> set[str]:
        """Players of whom a table is behind."""
        return {*self.game.graph.steps[table].behind(Snapshot(self.stores, game().graph))}

    def asked(self) -> list[tuple[list[str], str, str]]:
        """Whom runs are asked for together, and at which priority here and in Dagster's queue."""
        groups = by_priority(Snapshot(self.stores, game().graph), TRACKED_PLAYER, sorted(self.behind(t.PlayerMatches)))
        return [(sorted(keys), tags["gamestats/priority"], tags["dagster/priority"]) for keys, tags in groups]

    def follow(self) -> list[str]:
        """Bring everything up to date; the players whose tables were made."""
        self.enters()
        made = self.game.run(self.stores)
        return sorted(key for table, key in made if table == "player_matches")

    def versions(self) -> dict[str, int | None]:
        """Of each table of players' detail."""
        return {table.spec.name: self.stores.lake.version(table) for table in DETAIL}

    def rows_of(self, table: type[Table], account: str) -> pl.DataFrame:
        """Rows of a tracked player."""
        return self.rows(table).filter(pl.col(TRACKED_PLAYER) == account)


@functools.cache
def simulated(number: int) -> SimulatedMatch:
    """One of the matches of the day; many play in several of them."""
    start = datetime(DAY.year, DAY.month, DAY.day, 10 + number, tzinfo=UTC)
    seed = 16 + number  # people of one match are, and are not, in each other one
    return simulate_match(seed, start, match_type="custom", players=24, population=64)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str) -> Iterator[PlayersHouse]:
    """The tables of a day with two matches, and a third whose telemetry nobody has; nobody is tracked."""
    with database(postgres_url, ops_template) as url:
        house = PlayersHouse(tmp_path_factory.mktemp("made"), url)
        for number in ARCHIVED:
            house.land(number)
        house.land(UNARCHIVED, "match")
        assert house.follow() == []
        yield house


@pytest.fixture
def house(made: PlayersHouse, tmp_path: Path, postgres_url: str) -> Iterator[PlayersHouse]:
    """A copy of its own."""
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    with database(postgres_url, made.url) as url:
        yield PlayersHouse(tmp_path, url)


def everybodys(house: PlayersHouse, table: type[Table], account: str, matches: Sequence[str]) -> pl.DataFrame:
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


def test_a_tracked_player_gets_exactly_the_own_rows_of_the_history_published(house: PlayersHouse) -> None:
    account = min(people_of(1) & people_of(2) & people_of(3))
    assert house.asked() == []
    house.track(account, "Somebody", added=DAY + timedelta(days=5), days=30)
    house.enters()
    assert house.asked() == [([account], "low", "-10")]
    with dg.DagsterInstance.ephemeral() as instance:
        dagster = PubgInDagster(house.folder, house.url, instance)
        behind = behind_of(game(), Snapshot(house.stores, game().graph))
        behind.add_names(instance)
        [assets] = [each.assets for each in behind.stages() if partition_kind(each.partitions) == TRACKED_PLAYER]
        dagster.run(dg.RunRequest(partition_key=account, asset_selection=[*assets]))

    ids = [match_of(number) for number in ARCHIVED]
    for table in DETAIL:
        made = house.rows_of(table, account).sort("match_id", "event_index")
        expected = everybodys(house, table, account, ids)
        assert expected.height > 0
        assert made.drop(TRACKED_PLAYER).equals(expected.select(made.drop(TRACKED_PLAYER).columns)), table
        published = read_published(house.stores.postgres_url, table).sort("match_id", "event_index")
        assert published.equals(made)
    status = dict(house.rows_of(t.PlayerBackfillStatus, account).select("match_id", "backfill_status").iter_rows())
    assert status == {**dict.fromkeys(ids, "completed"), match_of(UNARCHIVED): "pending"}
    kills = sum(simulated(number).truth.players_truth[account].kills for number in (*ARCHIVED, UNARCHIVED))
    career = house.rows_of(t.PlayerAdvancedCareerStats, account).filter(match_type="all")
    assert career.select("matches_played", "matches_with_telemetry", "total_kills").row(0) == (3, 2, kills)
    versions = house.versions()
    house.land(ARCHIVED[0])
    assert house.follow() == []
    assert house.versions() == versions


def test_files_that_land_refresh_the_active_players_in_them_and_no_others(house: PlayersHouse) -> None:
    before = people_of(1) - people_of(2) - people_of(UNARCHIVED)
    playing, inactive = sorted(before & people_of(LATER))[:2]
    absent = min(before - people_of(LATER))
    unarchived = min(people_of(UNARCHIVED) - people_of(1) - people_of(2) - people_of(LATER))
    for account in (playing, inactive, absent, unarchived):
        house.track(account, account)
    assert house.follow() == sorted([playing, inactive, absent, unarchived])
    kept = {account: house.rows_of(t.PlayerCirclePositions, account) for account in (inactive, absent)}
    assert all(found.height for found in kept.values())
    assert house.rows_of(t.PlayerDamageEvents, unarchived).is_empty()

    house.enter("UPDATE ops.tracked_players SET is_active = false WHERE account_id = %s", inactive)
    house.land(LATER)
    house.land(UNARCHIVED, "telemetry")
    house.enters()
    of_matches = [table for table in t.ALL if has_days(partitions_of(table))]
    house.game.run(house.stores, of_matches)
    assert house.asked() == [(sorted([playing, unarchived]), "normal", "0")]
    assert house.behind(t.PlayerMatches) == {playing, unarchived}
    assert house.behind(t.PlayerCirclePositions) <= {playing, unarchived}
    assert house.follow() == sorted([playing, unarchived])
    assert set(house.rows_of(t.PlayerCirclePositions, playing)["match_id"]) == {match_of(1), match_of(LATER)}
    made = house.rows_of(t.PlayerDamageEvents, unarchived)
    assert made.height == everybodys(house, t.PlayerDamageEvents, unarchived, [match_of(UNARCHIVED)]).height > 0
    for account, before_ in kept.items():
        assert house.rows_of(t.PlayerCirclePositions, account).equals(before_)

    house.enter("UPDATE ops.tracked_players SET is_active = true")
    assert house.follow() == [inactive]
    assert house.rows_of(t.PlayerMatches, inactive).height == 2


@pytest.mark.parametrize(
    ("added", "from_day", "cancelled", "active", "taken", "found"),
    [
        (DAY, None, False, True, False, True),
        (DAY + timedelta(days=1), None, False, True, False, False),
        (DAY + timedelta(days=20), DAY, False, True, False, True),
        (DAY + timedelta(days=20), DAY + timedelta(days=1), False, True, False, False),
        (DAY + timedelta(days=20), DAY, True, True, False, False),
        (DAY + timedelta(days=20), DAY, True, True, True, True),
        (DAY, DAY, False, False, False, False),
        (DAY, DAY, False, False, True, True),
    ],
    ids=[
        "since added",
        "before",
        "asked for",
        "not so far",
        "cancelled",
        "cancelled late",
        "inactive",
        "inactive late",
    ],
)
def test_history_reaches_as_far_as_asked_for_and_what_was_taken_stays(
    added: date, from_day: date | None, cancelled: bool, active: bool, taken: bool, found: bool
) -> None:
    at_noon = datetime(added.year, added.month, added.day, 12, tzinfo=UTC)
    player = {"tracked_player_id": 1, "account_id": "a", "is_active": active, "added_at": at_noon}
    asked = {"tracked_player_id": 1, "from_day": from_day, "to_day": DAY + timedelta(days=7)}
    asked |= {"cancelled_at": at_noon if cancelled else None}
    given = (
        rows(t.TrackedPlayers, player),
        rows(t.Backfills, *([asked] if from_day else [])),
        rows(t.MatchSummaries, {"account_id": "a"}, {"account_id": "b"}),
        rows(t.MatchFacts, {"started_at": at_noon}),
        pl.DataFrame({"partition_key": ["a"], "unit_id": ["m" if taken else "another"]}),
    )
    made = player_matches(*(frame.lazy() for frame in given)).collect()  # pyright: ignore[reportArgumentType]
    assert made.select("tracked_player", "match_id").rows() == ([("a", "m")] if found else [])


def test_a_player_known_by_name_gets_the_account_of_a_match(house: PlayersHouse) -> None:
    account = only_in_the_first()
    house.track(None, simulated(1).truth.players_truth[account].player_name)
    house.enters()
    assert [keys for keys, *_ in house.asked()] == [[account]]
    with psycopg.connect(house.url) as conn:
        assert conn.execute("SELECT account_id FROM ops.tracked_players").fetchall() == [(account,)]
