"""Schema `ops` on a real server: migrations, rules, versions, snapshots."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import dataframely as dy
import polars as pl
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import MigrationError, RefusedEntryError, entered_rows, migrate
from gamestats_assets.lakehouse.postgres.server import PostgresError, connect
from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.lakehouse.published.tables import postgres_types
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.tables import SNAPSHOTS
from gamestats_assets.pubg.tournament.tables import RosterEntries, RoundStatusChanges, ScheduledMatches, Seasons
from gamestats_assets.settings import shipped
from gamestats_assets_tests.lakehouse.processes import at_once

ENTERED = (
    "seasons",
    "divisions",
    "groups",
    "teams",
    "roster_entries",
    "rounds",
    "scheduled_matches",
    "match_overrides",
    "tracked_players",
)
DAY = date(2026, 10, 3)
ACCOUNTS = [f"account.{number:032x}" for number in range(3)]


@pytest.fixture
def url(ops_database: str) -> SecretStr:
    """An empty database with `ops` in it."""
    return SecretStr(ops_database)


@pytest.fixture
def conn(url: SecretStr) -> Iterator[psycopg.Connection]:
    """A connection to it, every statement a transaction."""
    with connect(url) as connection:
        yield connection


class Entry:
    """Things entered with as little as they need."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn

    def season(self, **values: Any) -> int:
        values = {"season": "fall", "name": "Fall", "time_zone": "Europe/Berlin", **values}
        return ops.insert(self.conn, "seasons", values)["season_id"]

    def division(self, season: int, name: str = "Division 1") -> int:
        return ops.insert(self.conn, "divisions", {"season_id": season, "division": name})["division_id"]

    def group(self, division: int, name: str = "A") -> int:
        return ops.insert(self.conn, "groups", {"division_id": division, "group_name": name})["group_id"]

    def team(self, division: int, name: str = "Alpha", **values: Any) -> int:
        return ops.insert(self.conn, "teams", {"division_id": division, "team_name": name, **values})["team_id"]

    def roster(self, team: int, player: str, first: date, last: date | None = None, **values: Any) -> int:
        row = {"team_id": team, "player_name": player, "valid_from": first, "valid_until": last, **values}
        return ops.insert(self.conn, "roster_entries", row)["roster_entry_id"]

    def round(self, division: int, number: int = 1, **values: Any) -> int:
        days = {"first_day": DAY, "last_day": DAY, "round_name": f"Round {number}"}
        row = {"division_id": division, "round_number": number, **days, **values}
        return ops.insert(self.conn, "rounds", row)["round_id"]

    def slot(self, round_id: int, number: int = 1, **values: Any) -> int:
        row = {"round_id": round_id, "match_number": number, "scheduled_at": datetime(2026, 10, 3, 16, tzinfo=UTC)}
        return ops.insert(self.conn, "scheduled_matches", {**row, **values})["scheduled_match_id"]


@pytest.fixture
def entry(conn: psycopg.Connection) -> Entry:
    return Entry(conn)


@pytest.fixture
def division(entry: Entry) -> int:
    return entry.division(entry.season())


@pytest.fixture
def everything(entry: Entry, division: int) -> None:
    """A row in every table that people enter."""
    group = entry.group(division)
    entry.roster(entry.team(division, group_id=group, tag="ALP"), "Kim", DAY, account_id=ACCOUNTS[0])
    slot = entry.slot(entry.round(division, group_id=group), map_name="Erangel")
    override = {"match_id": "m-1", "scheduled_match_id": slot, "reason": "late", "admin": "ada"}
    ops.insert(entry.conn, "match_overrides", override)
    ops.insert(entry.conn, "tracked_players", {"player_name": "Kim"})


def rows_of(conn: psycopg.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of `ops`, with where PostgreSQL keeps it and which transaction wrote it."""
    tables = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'ops' ORDER BY 1").fetchall()
    return {
        name: conn.execute(
            sql.SQL("SELECT ctid::text, xmin::text, t::text FROM {} t ORDER BY 1").format(sql.Identifier("ops", name))
        ).fetchall()
        for (name,) in tables
    }


# --- migrations ----------------------------------------------------------------------------------


def test_processes_that_migrate_at_once_all_find_it_done(fresh_database: str) -> None:
    url = SecretStr(fresh_database)
    at_once(migrate, [(url,)] * 3)
    assert ops.current_revision(url) == ops.known_revisions()[-1]
    assert set(ENTERED) < ops.versions(url).keys()


def test_going_back_drops_everything_and_coming_again_makes_it_anew(
    conn: psycopg.Connection, url: SecretStr, everything: None
) -> None:
    ops.downgrade(url)
    assert ops.current_revision(url) is None
    left = conn.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE nspname = 'ops' AND relkind IN ('r', 'v', 'S') "
        "UNION ALL SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE nspname = 'ops'"
    ).fetchall()
    assert left == [("alembic_version",)]
    migrate(url)
    assert ops.versions(url)["seasons"] == 0
    Entry(conn).season()


def test_every_revision_can_be_taken_back_alone(url: SecretStr) -> None:
    for revision in reversed(["base", *ops.known_revisions()[:-1]]):
        ops.downgrade(url, revision)
        assert ops.current_revision(url) == (None if revision == "base" else revision)
    migrate(url)


def test_the_newest_revision_is_told_by_the_names_of_the_files() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(shipped("sql", "postgres")))
    config.set_main_option("path_separator", "newline")
    scripts = ScriptDirectory.from_config(config)
    in_order = [script.revision for script in scripts.walk_revisions()][::-1]
    assert ops.known_revisions() == in_order


def test_what_a_newer_gamestats_has_migrated_is_left_alone(conn: psycopg.Connection, url: SecretStr) -> None:
    conn.execute("UPDATE ops.alembic_version SET version_num = '9999'")
    with pytest.raises(MigrationError, match=r"revision 9999.*upgrade this one"):
        migrate(url)
    assert ops.current_revision(url) == "9999"


def test_a_migration_says_nothing_and_leaves_the_logging_as_it_was(
    fresh_database: str, capfd: pytest.CaptureFixture[str]
) -> None:
    root, alembic = logging.getLogger(), logging.getLogger("alembic")
    before = (root.level, list(root.handlers), alembic.level, list(alembic.handlers), alembic.disabled)
    migrate(SecretStr(fresh_database))
    assert capfd.readouterr() == ("", "")
    assert (root.level, list(root.handlers), alembic.level, list(alembic.handlers), alembic.disabled) == before


def test_a_user_who_may_not_migrate_is_told_without_the_password(fresh_database: str) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS nobody_much")
        admin.execute("CREATE ROLE nobody_much LOGIN PASSWORD 'tell-no-one'")
    parts = urlsplit(fresh_database)
    host = parse_qs(parts.query).get("host", [parts.hostname])[0]
    url = urlunsplit(
        parts._replace(netloc="nobody_much:tell-no-one@", query=f"host={host}")
        if parts.query
        else parts._replace(netloc=f"nobody_much:tell-no-one@{host}")
    )
    try:
        with pytest.raises(PostgresError, match="permission denied") as caught:
            migrate(SecretStr(url))
        assert "tell-no-one" not in str(caught.value)
        assert ops.current_revision(SecretStr(fresh_database)) is None
    finally:
        with psycopg.connect(fresh_database, autocommit=True) as admin:
            admin.execute("DROP ROLE nobody_much")


def test_readers_may_read_what_people_enter_and_not_write_it(conn: psycopg.Connection, everything: None) -> None:
    conn.execute("SET ROLE gamestats_reader")
    for table in (*ENTERED, "round_status_changes", "backfills", "changes"):
        conn.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("ops", table)))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("UPDATE ops.seasons SET name = 'mine'")


# --- the declared snapshots ----------------------------------------------------------------------


@pytest.mark.parametrize("table", SNAPSHOTS, ids=lambda table: table.spec.name)
def test_every_declared_column_is_in_ops_with_its_type(conn: psycopg.Connection, table: type[Table]) -> None:
    found = {
        name: (kind, nullable)
        for name, kind, nullable in conn.execute(
            "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [f"ops.{table.spec.name}"],
        )
    }
    declared = {name: (kind, bool(table.columns()[name].nullable)) for name, kind in postgres_types(table).items()}
    assert {name: found.get(name) for name in declared} == declared
    keys = conn.execute(
        "SELECT attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = indrelid AND attnum = ANY (indkey) "
        "WHERE indrelid = %s::regclass AND indisprimary",
        [f"ops.{table.spec.name}"],
    ).fetchall()
    assert [name for (name,) in keys] == table.primary_key()


def test_what_is_entered_passes_the_rules_of_its_snapshot(url: SecretStr, everything: None) -> None:
    for table in SNAPSHOTS:
        frame = entered_rows(url, table)
        assert frame.height == 1
        table.validate(frame)


def test_a_snapshot_has_moments_in_utc_and_lists(url: SecretStr, everything: None) -> None:
    with psycopg.connect(url.get_secret_value(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("ALTER DATABASE {} SET timezone = 'Asia/Tokyo'").format(sql.Identifier(admin.info.dbname))
        )
    assert entered_rows(url, ScheduledMatches)["scheduled_at"].to_list() == [datetime(2026, 10, 3, 16, tzinfo=UTC)]
    assert entered_rows(url, Seasons).select("placement_points", "tie_breakers").row(0) == (
        [10, 6, 5, 4, 3, 2, 1, 1],
        ["wins", "kills", "latest_placement"],
    )


def test_before_the_first_migration_nothing_is_entered(fresh_database: str) -> None:
    url = SecretStr(fresh_database)
    assert entered_rows(url, Seasons).equals(pl.DataFrame(schema=Seasons.schema()))
    assert ops.versions(url) == {}


def test_a_snapshot_that_lacks_a_column_says_which(conn: psycopg.Connection, url: SecretStr) -> None:
    conn.execute("ALTER TABLE ops.seasons DROP COLUMN shard")
    with pytest.raises(PostgresError, match=r'snapshot of ops\.seasons.*"shard"'):
        entered_rows(url, Seasons)


class Results(Table, key="demo/results", layer="gold", partitioned_by="day", published=True):
    """Results."""

    match_id = dy.String(primary_key=True, description="Match.")
    day = dy.Date(description="Day.")


def test_publishing_touches_nothing_that_people_entered(
    conn: psycopg.Connection, url: SecretStr, everything: None
) -> None:
    before = rows_of(conn)
    frame = pl.DataFrame({"match_id": ["m-1"], "day": [DAY]}, schema=Results.schema())
    for _ in range(2):
        publish(url, Results, [DAY], frame)
    assert rows_of(conn) == before


# --- versions ------------------------------------------------------------------------------------


def test_every_statement_that_changes_an_entered_table_raises_its_version(
    conn: psycopg.Connection, url: SecretStr, everything: None
) -> None:
    for table in ENTERED:
        name = sql.Identifier("ops", table)
        before = ops.versions(url)
        conn.execute(sql.SQL("UPDATE {} SET created_by = 'x'").format(name))
        assert ops.versions(url) == {**before, table: before[table] + 1}
        conn.execute(sql.SQL("UPDATE {} SET created_by = 'x' WHERE false").format(name))
        assert ops.versions(url)[table] == before[table] + 1
    assert ops.versions(url)["match_overrides"] == 2
    conn.execute("DELETE FROM ops.match_overrides")
    assert ops.versions(url)["match_overrides"] == 3
    conn.execute("TRUNCATE ops.match_overrides")
    assert ops.versions(url)["match_overrides"] == 4


def test_what_is_rolled_back_raises_no_version(conn: psycopg.Connection, url: SecretStr, entry: Entry) -> None:
    with conn.transaction(force_rollback=True):
        entry.season()
    assert ops.versions(url)["seasons"] == 0


def test_who_writes_and_when_is_kept(url: SecretStr, everything: None) -> None:
    with ops.entering(url, "ada") as conn:
        [row] = ops.update(conn, "teams", {"team_name": "Alpha"}, {"tag": "A"})
        [same] = ops.update(conn, "divisions", {"division": "Division 1"}, {"division": "Division 1"})
    assert (row["changed_by"], row["updated_at"] > row["created_at"]) == ("ada", True)
    assert same["updated_at"] == same["created_at"]
    with connect(url) as conn:
        [by_sql] = ops.select(conn, "seasons", {})
        login = conn.execute("SELECT session_user").fetchone()
    assert (by_sql["created_by"],) == login


# --- what the database refuses -------------------------------------------------------------------

REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "a short name with capitals": ("seasons", {"season": "Fall", "name": "F", "time_zone": "UTC"}),
    "a second season of the name": ("seasons", {"season": "fall", "name": "F", "time_zone": "UTC"}),
    "an unknown time zone": ("seasons", {"season": "a", "name": "F", "time_zone": "Europe/Berln"}),
    "an abbreviated time zone": ("seasons", {"season": "a", "name": "F", "time_zone": "CEST"}),
    "points below nothing": (
        "seasons",
        {"season": "a", "name": "F", "time_zone": "UTC", "placement_points": [10, -1]},
    ),
    "points that are missing": (
        "seasons",
        {"season": "a", "name": "F", "time_zone": "UTC", "placement_points": [10, None]},
    ),
    "an unknown tie breaker": ("seasons", {"season": "a", "name": "F", "time_zone": "UTC", "tie_breakers": ["luck"]}),
    "one team as a minimum": ("seasons", {"season": "a", "name": "F", "time_zone": "UTC", "minimum_teams": 1}),
    "no slot window": ("seasons", {"season": "a", "name": "F", "time_zone": "UTC", "slot_window_min": 0}),
    "a second division of the name": ("divisions", {"season_id": 1, "division": "Division 1"}),
    "a division of no season": ("divisions", {"season_id": 99, "division": "Division 9"}),
    "an empty name": ("divisions", {"season_id": 1, "division": " "}),
    "a second group of the name": ("groups", {"division_id": 1, "group_name": "A"}),
    "a second team of the name": ("teams", {"division_id": 1, "team_name": "Alpha"}),
    "a team in a group of another division": ("teams", {"division_id": 2, "team_name": "Beta", "group_id": 1}),
    "an unknown role": (
        "roster_entries",
        {"team_id": 1, "player_name": "Lee", "valid_from": DAY, "role": "coach"},
    ),
    "a last day before the first": (
        "roster_entries",
        {"team_id": 1, "player_name": "Lee", "valid_from": DAY, "valid_until": date(2026, 10, 2)},
    ),
    "a bot on a roster": (
        "roster_entries",
        {"team_id": 1, "player_name": "Lee", "valid_from": DAY, "account_id": "ai.332"},
    ),
    "a second round of the number": (
        "rounds",
        {"division_id": 1, "group_id": 1, "round_number": 1, "round_name": "R", "first_day": DAY, "last_day": DAY},
    ),
    "a round number of nothing": (
        "rounds",
        {"division_id": 1, "round_number": 0, "round_name": "R", "first_day": DAY, "last_day": DAY},
    ),
    "a round that ends before it begins": (
        "rounds",
        {
            "division_id": 1,
            "round_number": 2,
            "round_name": "R",
            "first_day": DAY,
            "last_day": date(2026, 10, 2),
        },
    ),
    "an unknown status of a round": (
        "rounds",
        {
            "division_id": 1,
            "round_number": 2,
            "round_name": "R",
            "first_day": DAY,
            "last_day": DAY,
            "status": "done",
        },
    ),
    "a second slot of the number": (
        "scheduled_matches",
        {"round_id": 1, "match_number": 1, "scheduled_at": datetime(2026, 10, 3, tzinfo=UTC)},
    ),
    "an unknown status of a slot": (
        "scheduled_matches",
        {"round_id": 1, "match_number": 2, "scheduled_at": datetime(2026, 10, 3, tzinfo=UTC), "status": "late"},
    ),
    "a remade match of a slot that is no remake": (
        "scheduled_matches",
        {
            "round_id": 1,
            "match_number": 2,
            "scheduled_at": datetime(2026, 10, 3, tzinfo=UTC),
            "original_match_id": "m-0",
        },
    ),
    "a second override of a match": (
        "match_overrides",
        {"match_id": "m-1", "is_tournament_match": True, "reason": "r", "admin": "a"},
    ),
    "an override without a reason": (
        "match_overrides",
        {"match_id": "m-2", "is_tournament_match": True, "reason": " ", "admin": "a"},
    ),
    "an override of nobody": (
        "match_overrides",
        {"match_id": "m-2", "is_tournament_match": True, "reason": "r", "admin": ""},
    ),
    "an override that decides nothing": ("match_overrides", {"match_id": "m-2", "reason": "r", "admin": "a"}),
    "a round for a match outside the tournament": (
        "match_overrides",
        {"match_id": "m-2", "is_tournament_match": False, "round_id": 1, "reason": "r", "admin": "a"},
    ),
    "a slot of another round": (
        "match_overrides",
        {"match_id": "m-2", "round_id": 2, "scheduled_match_id": 1, "reason": "r", "admin": "a"},
    ),
    "an unknown status of an override": (
        "match_overrides",
        {"match_id": "m-2", "validation_status": "fine", "reason": "r", "admin": "a"},
    ),
    "a name tracked twice while its account is unknown": ("tracked_players", {"player_name": "Kim"}),
    "history of less than no days": ("tracked_players", {"player_name": "Lee", "backfill_days": -1}),
    "an unknown priority": (
        "matches_discovered",
        {"match_id": "m", "shard": "steam", "discovered_by": "x", "priority": "urgent"},
    ),
    "an unknown state of a find": (
        "matches_discovered",
        {"match_id": "m", "shard": "steam", "discovered_by": "x", "state": "lost"},
    ),
    "a backfill that ends before it begins": (
        "backfills",
        {"tracked_player_id": 1, "from_day": DAY, "to_day": DAY - timedelta(days=1)},
    ),
    "a backfill cancelled by nobody": (
        "backfills",
        {"tracked_player_id": 1, "from_day": DAY, "to_day": DAY, "cancelled_at": datetime(2026, 3, 1, tzinfo=UTC)},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_database_refuses(entry: Entry, everything: None, case: str) -> None:
    season = ops.select(entry.conn, "seasons", {})[0]["season_id"]
    entry.round(entry.division(season, "Division 2"))
    table, values = REFUSED[case]
    before = ops.select(entry.conn, table, {})
    with pytest.raises(RefusedEntryError):
        ops.insert(entry.conn, table, values)
    assert ops.select(entry.conn, table, {}) == before


def test_numbers_and_names_are_unique_only_where_they_must_be(entry: Entry, everything: None) -> None:
    season = ops.select(entry.conn, "seasons", {})[0]["season_id"]
    second = entry.division(season, "Division 2")
    entry.team(second, "Alpha")
    entry.group(second, "A")
    entry.slot(entry.round(second, 1), 1)
    entry.round(ops.select(entry.conn, "divisions", {})[0]["division_id"], 1)  # that of group A stands beside it
    ops.insert(entry.conn, "tracked_players", {"player_name": "Kim", "shard": "kakao"})
    ops.insert(entry.conn, "tracked_players", {"player_name": "Kim", "account_id": ACCOUNTS[0]})
    with pytest.raises(RefusedEntryError):
        ops.insert(entry.conn, "tracked_players", {"player_name": "Lee", "account_id": ACCOUNTS[0]})


def test_two_rounds_of_the_whole_division_cannot_have_one_number(entry: Entry, division: int) -> None:
    entry.round(division, 1)
    with pytest.raises(RefusedEntryError):
        entry.round(division, 1)


def test_tracked_players_are_never_deleted(entry: Entry, everything: None) -> None:
    with pytest.raises(RefusedEntryError, match="is_active = false for Kim"):
        ops.delete(entry.conn, "tracked_players", {"player_name": "Kim"})


def test_what_hangs_on_a_season_stays_in_it(entry: Entry, everything: None) -> None:
    other = entry.season(season="spring")
    elsewhere = entry.division(other, "Division 1")
    team = entry.team(ops.select(entry.conn, "divisions", {})[0]["division_id"], "Beta")
    with pytest.raises(RefusedEntryError, match="cannot move to another season"):
        ops.update(entry.conn, "teams", {"team_id": team}, {"division_id": elsewhere})
    with pytest.raises(RefusedEntryError, match="cannot move to another season"):
        ops.update(entry.conn, "divisions", {"division_id": elsewhere}, {"season_id": 1})
    near = entry.division(ops.select(entry.conn, "seasons", {"season": "fall"})[0]["season_id"], "Division 2")
    ops.update(entry.conn, "teams", {"team_id": team}, {"division_id": near})


def test_values_are_bound_and_never_part_of_a_statement(entry: Entry) -> None:
    name = "x'); DROP TABLE ops.seasons; --"
    season = entry.season(name=name)
    assert ops.select(entry.conn, "seasons", {"name": name})[0]["season_id"] == season


# --- rounds --------------------------------------------------------------------------------------


def test_every_status_of_a_round_is_remembered_the_first_too(entry: Entry, division: int, url: SecretStr) -> None:
    round_id = entry.round(division)
    for values in ({"status": "active"}, {"status": "active"}, {"round_name": "Final"}, {"status": "completed"}):
        ops.update(entry.conn, "rounds", {"round_id": round_id}, values)
    changes = entered_rows(url, RoundStatusChanges)
    assert changes["status"].to_list() == ["scheduled", "active", "completed"]
    assert changes["round_id"].unique().to_list() == [round_id]
    assert changes["changed_at"].is_sorted()


# --- one roster a day ----------------------------------------------------------------------------


@pytest.fixture
def teams(entry: Entry, division: int) -> tuple[int, int]:
    """Two teams of two divisions of one season."""
    season = ops.select(entry.conn, "seasons", {})[0]["season_id"]
    return entry.team(division, "Alpha"), entry.team(entry.division(season, "Division 2"), "Beta")


@pytest.mark.parametrize(
    ("first", "last", "refused"),
    [
        (date(2026, 10, 1), date(2026, 10, 9), False),
        (date(2026, 10, 1), date(2026, 10, 10), True),
        (date(2026, 10, 20), date(2026, 10, 20), True),
        (date(2026, 10, 21), None, False),
        (date(2026, 9, 1), None, True),
        (date(2026, 10, 12), date(2026, 10, 13), True),
    ],
)
def test_a_player_is_on_one_roster_a_day_both_days_included(
    entry: Entry, teams: tuple[int, int], first: date, last: date | None, refused: bool
) -> None:
    entry.roster(teams[0], "Kim", date(2026, 10, 10), date(2026, 10, 20))
    if refused:
        with pytest.raises(RefusedEntryError, match=r"Kim is on the roster of Alpha already.*one roster a day"):
            entry.roster(teams[1], "Kim", first, last)
    else:
        entry.roster(teams[1], "Kim", first, last)


@pytest.mark.parametrize(
    ("mine", "other", "refused"),
    [
        (("Kim", ACCOUNTS[0]), ("Lee", ACCOUNTS[0]), True),  # renamed
        (("Kim", ACCOUNTS[0]), ("Kim", ACCOUNTS[1]), False),  # the name changed hands
        (("Kim", ACCOUNTS[0]), ("Kim", None), True),
        (("Kim", None), ("KIM", None), True),
        (("Kim", None), ("Lee", ACCOUNTS[0]), False),
    ],
)
def test_a_player_is_known_by_account_and_by_name_where_it_is_unknown(
    entry: Entry, teams: tuple[int, int], mine: tuple[str, str | None], other: tuple[str, str | None], refused: bool
) -> None:
    entry.roster(teams[0], mine[0], DAY, account_id=mine[1])
    if refused:
        with pytest.raises(RefusedEntryError):
            entry.roster(teams[1], other[0], DAY, account_id=other[1])
    else:
        entry.roster(teams[1], other[0], DAY, account_id=other[1])


def test_one_statement_cannot_put_a_player_on_two_rosters(conn: psycopg.Connection, teams: tuple[int, int]) -> None:
    with pytest.raises(psycopg.errors.ExclusionViolation):
        conn.execute(
            "INSERT INTO ops.roster_entries (team_id, player_name, valid_from) VALUES (%s, 'Kim', %s), (%s, 'Kim', %s)",
            [teams[0], DAY, teams[1], DAY],
        )


def test_changing_an_entry_or_learning_its_account_is_checked_too(entry: Entry, teams: tuple[int, int]) -> None:
    entry.roster(teams[0], "Kim", DAY, date(2026, 10, 10), account_id=ACCOUNTS[0])
    later = entry.roster(teams[1], "Kim", date(2026, 10, 11), account_id=ACCOUNTS[0])
    with pytest.raises(RefusedEntryError):
        ops.update(entry.conn, "roster_entries", {"roster_entry_id": later}, {"valid_from": DAY})
    unknown = entry.roster(teams[1], "Lee", DAY)
    with pytest.raises(RefusedEntryError):
        ops.update(entry.conn, "roster_entries", {"roster_entry_id": unknown}, {"account_id": ACCOUNTS[0]})


def test_two_players_can_change_places_in_one_transaction(
    conn: psycopg.Connection, entry: Entry, teams: tuple[int, int], url: SecretStr
) -> None:
    kim, lee = entry.roster(teams[0], "Kim", DAY), entry.roster(teams[1], "Lee", DAY)
    with conn.transaction():
        conn.execute("SET CONSTRAINTS ALL DEFERRED")
        ops.update(conn, "roster_entries", {"roster_entry_id": kim}, {"player_name": "Lee"})
        ops.update(conn, "roster_entries", {"roster_entry_id": lee}, {"player_name": "Kim"})
    assert entered_rows(url, RosterEntries)["player_name"].to_list() == ["Lee", "Kim"]


def _put_on_roster(url: SecretStr, team: int) -> str:
    with connect(url) as conn:
        try:
            Entry(conn).roster(team, "Kim", DAY)
        except RefusedEntryError as error:
            return str(error)
        return "entered"


def test_of_two_who_enter_a_player_at_once_the_second_waits_and_is_refused(
    conn: psycopg.Connection, url: SecretStr, teams: tuple[int, int]
) -> None:
    with ThreadPoolExecutor(1) as other, connect(url) as watching:
        with conn.transaction():
            Entry(conn).roster(teams[0], "Kim", DAY)
            second = other.submit(_put_on_roster, url, teams[1])
            deadline = time.monotonic() + 30
            while not _waiting(watching):
                assert not second.done()
                assert time.monotonic() < deadline
                time.sleep(0.01)
        assert "Kim is on the roster of Alpha already" in second.result(30)
    assert entered_rows(url, RosterEntries).height == 1


def _waiting(conn: psycopg.Connection) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return conn.execute(query).fetchone() is not None


def test_versions_reuse_one_connection_and_replace_a_broken_one(conn: psycopg.Connection, url: SecretStr) -> None:
    def servers() -> list[int]:
        query = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%FROM ops.changes' AND datname = current_database()"
        return [pid for (pid,) in conn.execute(query)]

    known = ops.versions(url)
    assert known
    (first,) = servers()
    assert ops.versions(url) == known
    assert servers() == [first]
    conn.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    assert ops.versions(url) == known
