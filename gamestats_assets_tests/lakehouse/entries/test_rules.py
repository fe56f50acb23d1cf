"""What the database refuses of what people enter."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import RefusedEntryError, entered_rows
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.pubg.tournament.tables import RosterEntries, RoundStatusChanges
from gamestats_assets_tests.lakehouse.entries.entry import ACCOUNTS, DAY, Entry

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


def test_the_database_refuses(entry: Entry, everything: None) -> None:
    season = ops.select(entry.conn, "seasons", {})[0]["season_id"]
    entry.round(entry.division(season, "Division 2"))
    accepted = []
    for case, (table, values) in REFUSED.items():
        try:
            ops.insert(entry.conn, table, values)
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
