"""What the database refuses of what people enter."""

from __future__ import annotations

import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import RefusedEntryError, entered_rows
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.pubg.tournament.tables import RosterEntries, RoundStatusChanges
from gamestats_assets_tests.lakehouse.entries.entry import ACCOUNTS, DAY, Entry

# --- what the database refuses -------------------------------------------------------------------

REFUSED = tomllib.loads(Path(__file__).with_name("refused.toml").read_text())


def test_the_database_refuses(entry: Entry, everything: None) -> None:
    season = ops.select(entry.conn, "seasons", {})[0]["season_id"]
    entry.round(entry.division(season, "Division 2"))
    accepted = []
    for case, row in REFUSED.items():
        values = {name: value for name, value in row.items() if name != "table"}
        try:
            ops.insert(entry.conn, row["table"], values)
        except RefusedEntryError:
            continue
        accepted.append(case)
    assert accepted == []


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
