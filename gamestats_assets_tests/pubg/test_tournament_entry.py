"""What people enter, by names and by file: what is taken, what is refused, and what is said."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gamestats_assets.lakehouse import ops
from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.ops import RefusedEntryError
from gamestats_assets.pubg import tournament_entry as entry
from gamestats_assets.pubg import tournament_import as files
from gamestats_assets.pubg import tournament_lists as lists
from gamestats_assets.pubg.local_times import LocalTimeError, instant, time_zone, written_local
from gamestats_assets.pubg.tables import MatchSummaries
from gamestats_assets.pubg.tournament_entry import (
    EntryError,
    ExistsAlreadyError,
    Place,
    Player,
    Seen,
    UnknownNameError,
    seen_players,
)
from gamestats_assets.pubg.tournament_import import ImportRefusedError, Mistake

BERLIN = ZoneInfo("Europe/Berlin")
KIM, LEE, MIA = (f"account.{number:032x}" for number in (1, 2, 3))
FIRST = date(2026, 10, 1)


@pytest.fixture
def conn(fresh_database: str) -> Iterator[psycopg.Connection]:
    """A transaction in which ada enters things."""
    with ops.entering(SecretStr(fresh_database), "ada") as connection:
        yield connection


@pytest.fixture
def season(conn: psycopg.Connection) -> str:
    """A season with a division of two teams, one of them in a group, and a round over the end of summer time."""
    entry.create_season(conn, "fall", name="Fall 2026", time_zone="Europe/Berlin")
    entry.create_division(conn, "fall", "Division 1")
    entry.create_division(conn, "fall", "Division 2")
    entry.create_group(conn, "fall", "Division 1", "A")
    entry.create_team(conn, "fall", "Division 1", "Alpha", group="A", tag="ALP")
    entry.create_team(conn, "fall", "Division 1", "Beta")
    entry.create_round(conn, "fall", "Division 1", 1, first_day=date(2026, 10, 24), last_day=date(2026, 10, 25))
    return "fall"


def knows(**accounts: str) -> entry.LookUp:
    """A look-up that knows these names."""

    def look_up(players: Collection[str]) -> Seen:
        return Seen(accounts, {account: name for name, account in accounts.items()})

    return look_up


def all_rows(conn: psycopg.Connection) -> dict[str, list[dict[str, Any]]]:
    tables = ("seasons", "divisions", "groups", "teams", "roster_entries", "rounds", "scheduled_matches")
    return {table: ops.select(conn, table, {}) for table in (*tables, "match_overrides", "tracked_players", "changes")}


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-10-03 18:00", datetime(2026, 10, 3, 16)),
        ("2026-10-03T18:00:30", datetime(2026, 10, 3, 16, 0, 30)),
        ("2026-12-03 18:00", datetime(2026, 12, 3, 17)),
        ("2026-10-03 18:00-05:00", datetime(2026, 10, 3, 23)),
        ("2026-10-03 18:00 +0200", datetime(2026, 10, 3, 16)),
        ("2026-10-03T18:00Z", datetime(2026, 10, 3, 18)),
        ("2026-03-29 01:59", datetime(2026, 3, 29, 0, 59)),
        ("2026-03-29 03:00", datetime(2026, 3, 29, 1)),
        ("2026-10-25 01:59", datetime(2026, 10, 24, 23, 59)),
        ("2026-10-25 03:00", datetime(2026, 10, 25, 2)),
        ("2026-10-25 02:30+02:00", datetime(2026, 10, 25, 0, 30)),
        ("2026-10-25 02:30+01:00", datetime(2026, 10, 25, 1, 30)),
    ],
)
def test_a_time_is_read_in_its_zone_or_with_its_offset(written: str, moment: datetime) -> None:
    assert instant(written, BERLIN) == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "zone", "told"),
    [
        ("2026-03-29 02:00", "Europe/Berlin", "2026-03-29 01:00+01:00 or 2026-03-29 03:00+02:00"),
        ("2026-03-29 02:59", "Europe/Berlin", "does not exist"),
        ("2026-10-25 02:00", "Europe/Berlin", "2026-10-25 02:00+02:00 for the first or 2026-10-25 02:00+01:00"),
        ("2026-10-25 02:59", "Europe/Berlin", "comes twice"),
        ("2026-11-01 01:30", "America/New_York", "2026-11-01 01:30-04:00 for the first or 2026-11-01 01:30-05:00"),
        # Half an hour only: 01:30 to 02:00 comes twice.
        ("2026-04-05 01:45", "Australia/Lord_Howe", "2026-04-05 01:45+11:00 for the first"),
    ],
)
def test_a_time_that_the_clocks_skip_or_show_twice_is_refused_with_what_to_write(
    written: str, zone: str, told: str
) -> None:
    with pytest.raises(LocalTimeError) as caught:
        instant(written, ZoneInfo(zone))
    assert told in str(caught.value)
    for advice in str(caught.value).split("write ")[1].rstrip(".").split(" or "):
        instant(advice.split(" for ")[0], ZoneInfo(zone))


@pytest.mark.parametrize(
    "written",
    ["", "18:00", "3.10.2026 18:00", "2026-10-03", "2026-02-30 18:00", "2026-10-03 24:30", "0001-01-01 00:00"],
)
def test_what_is_no_time_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(LocalTimeError, match="write it as 2026-10-03 18:00"):
        instant(written, BERLIN)


@given(
    moment=st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)).map(
        lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC)
    ),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo", "UTC"]).map(
        ZoneInfo
    ),
)
def test_a_local_time_names_its_moment_or_is_refused_where_another_moment_shows_it_too(
    moment: datetime, zone: ZoneInfo
) -> None:
    written = written_local(moment, zone)
    assert instant(written, zone) == moment
    shown = moment.astimezone(zone).replace(tzinfo=None)
    others = [moment + timedelta(minutes=minutes) for minutes in (-60, -30, 30, 60)]
    twice = any(other.astimezone(zone).replace(tzinfo=None) == shown for other in others)
    if twice:
        with pytest.raises(LocalTimeError, match="comes twice"):
            instant(written[:16], zone)
    else:
        assert instant(written[:16], zone) == moment


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("Berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("CEST", "write it as in Europe/Berlin"),
        ("../UTC", "no time zone"),
    ],
)
def test_a_time_zone_that_is_none_is_refused_with_the_nearest(written: str, told: str) -> None:
    with pytest.raises(LocalTimeError) as caught:
        time_zone(written)
    assert told in str(caught.value)


# --- seasons, divisions, groups, teams -----------------------------------------------------------


def test_a_season_has_the_rules_given_and_else_those_of_super(conn: psycopg.Connection) -> None:
    entry.create_season(conn, "plain", time_zone="UTC")
    entry.create_season(
        conn,
        "cup",
        name="Cup",
        time_zone="Asia/Seoul",
        shard="kakao",
        placement_points=[15, 12],
        kill_points=2,
        player_points_with_placement=False,
        tie_breakers=["kills"],
        minimum_teams=4,
        slot_window_min=20,
    )
    rules = ("name", "shard", "time_zone", "placement_points", "kill_points", "player_points_with_placement")
    rules = (*rules, "tie_breakers", "minimum_teams", "slot_window_min")
    plain, cup = ([row[rule] for rule in rules] for row in ops.select(conn, "seasons", {}))
    assert plain[:7] == [
        "plain",
        "steam",
        "UTC",
        [10, 6, 5, 4, 3, 2, 1, 1],
        1,
        True,
        ["wins", "kills", "latest_placement"],
    ]
    assert plain[7] == 8
    assert cup == ["Cup", "kakao", "Asia/Seoul", [15, 12], 2, False, ["kills"], 4, 20]


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ({"season": "Fall"}, "season"),
        ({"time_zone": "Berlin"}, "time_zone"),
        ({"placement_points": [10, -1]}, "placement_points"),
        ({"tie_breakers": ["luck"]}, "tie_breakers"),
        ({"tie_breakers": ["wins", "wins"]}, "tie_breakers"),
        ({"name": " "}, "name"),
    ],
)
def test_a_season_with_a_wrong_field_is_refused(conn: psycopg.Connection, fields: dict[str, Any], column: str) -> None:
    with pytest.raises(EntryError) as caught:
        entry.create_season(conn, **{"season": "fall", "time_zone": "UTC", **fields})
    assert caught.value.column == column
    assert ops.select(conn, "seasons", {}) == []


def test_a_change_sets_what_differs_and_says_so_and_writes_nothing_else(conn: psycopg.Connection, season: str) -> None:
    done = entry.change_season(conn, season, kill_points=2, minimum_teams=8)
    assert (done.outcome, done.changes) == ("changed", ("kill_points 1 -> 2",))
    before = all_rows(conn)
    assert entry.change_season(conn, season, kill_points=2).outcome == "unchanged"
    assert all_rows(conn) == before


def test_names_are_found_whatever_their_capitals_and_cannot_be_given_twice(
    conn: psycopg.Connection, season: str
) -> None:
    entry.create_team(conn, season, "division 1", "Gamma", group="a")
    for create in (
        lambda: entry.create_season(conn, "fall", time_zone="UTC"),
        lambda: entry.create_division(conn, season, "DIVISION 1"),
        lambda: entry.create_group(conn, season, "Division 1", "a"),
        lambda: entry.create_team(conn, season, "Division 1", " gamma "),
        lambda: entry.create_round(conn, season, "Division 1", 1, first_day=FIRST),
    ):
        with pytest.raises(ExistsAlreadyError, match="exists already"):
            create()


def test_a_name_that_nothing_has_is_answered_with_the_nearest_or_with_what_there_is(
    conn: psycopg.Connection, season: str
) -> None:
    with pytest.raises(UnknownNameError, match="no season 'fal'; did you mean fall"):
        entry.create_division(conn, "fal", "X")
    with pytest.raises(UnknownNameError, match="no division 'Divison 1' in season fall; did you mean Division 1"):
        entry.create_team(conn, season, "Divison 1", "X")
    with pytest.raises(UnknownNameError, match="no group 'B' in Division 1; there is A"):
        entry.create_team(conn, season, "Division 1", "X", group="B")
    with pytest.raises(UnknownNameError, match="no group 'B' in Division 2; there is none yet"):
        entry.create_team(conn, season, "Division 2", "X", group="B")
    with pytest.raises(UnknownNameError, match="no round 2 in Division 1; it has round 1"):
        entry.change_round(conn, season, "Division 1", 2, status="active")
    with pytest.raises(UnknownNameError, match="no match 1 in Round 1; its schedule is empty"):
        entry.change_slot(conn, season, "Division 1", 1, 1, status="active")


def test_a_team_name_of_two_divisions_needs_the_division(conn: psycopg.Connection, season: str) -> None:
    entry.create_team(conn, season, "Division 2", "Alpha")
    with pytest.raises(UnknownNameError, match="Division 1 and Division 2; say which"):
        entry.change_team(conn, season, "Alpha", tag="A")
    entry.change_team(conn, season, "Alpha", division="Division 2", tag="A2")
    assert [row["tag"] for row in ops.select(conn, "teams", {"team_name": "Alpha"})] == ["ALP", "A2"]


def test_a_team_can_leave_its_group_and_lose_its_tag(conn: psycopg.Connection, season: str) -> None:
    entry.change_team(conn, season, "Alpha", group=None, tag=None, name="Alpha Esports")
    [row] = ops.select(conn, "teams", {"team_name": "Alpha Esports"})
    assert (row["group_id"], row["tag"]) == (None, None)


def test_divisions_and_groups_can_be_renamed(conn: psycopg.Connection, season: str) -> None:
    entry.change_group(conn, season, "Division 1", "A", name="Red")
    entry.change_division(conn, season, "Division 1", name="Elite")
    assert lists.list_groups(conn, season).rows() == [("fall", "Elite", "Red", 1)]
    with pytest.raises(RefusedEntryError, match="already exists"):
        entry.change_division(conn, season, "Elite", name="Division 2")


# --- players by name -----------------------------------------------------------------------------


def lake_with(folder: Path, *rows: tuple[str, str, date]) -> Lake:
    """A lake whose match summaries have (player, account, day)."""
    lake = Lake(folder)
    frame = pl.DataFrame(
        [
            {"match_id": f"m-{number}", "player_name": name, "account_id": account, "match_date": day}
            for number, (name, account, day) in enumerate(rows)
        ]
    )
    missing = [
        pl.lit(None if column.nullable else False).cast(column.dtype).alias(name)
        for name, column in MatchSummaries.columns().items()
        if name not in frame.columns
    ]
    frame = frame.with_columns(missing).select(MatchSummaries.schema().names()).cast(dict(MatchSummaries.schema()))
    committed = lake.replace(MatchSummaries, frame, partitions=frame["match_date"].unique().to_list())
    assert committed.rows == len(rows)
    return lake


def test_the_account_of_a_name_is_that_of_the_newest_match(tmp_path: Path) -> None:
    older, newer = date(2026, 9, 1), date(2026, 9, 2)
    lake = lake_with(
        tmp_path,
        ("Kim", LEE, older),
        ("Kim", KIM, newer),
        ("Mia", MIA, older),
        ("MiaPro", MIA, newer),
        ("Twin", KIM, newer),
        ("Twin", LEE, newer),
        ("other", LEE, newer),
    )
    seen = seen_players(lake, ["Kim", "Twin", "mia", MIA])
    assert seen.accounts == {"Kim": KIM, "Mia": MIA, "MiaPro": MIA}
    assert seen.names[MIA] == "MiaPro"
    assert seen.other_capitals("mia") == "Mia"
    assert seen_players(Lake(tmp_path / "empty"), ["Kim"]) == Seen({}, {})


def test_a_player_on_a_roster_gets_the_account_that_matches_know_unless_one_is_given(
    conn: psycopg.Connection, season: str
) -> None:
    look_up = knows(Kim=KIM, Lee=LEE)
    entry.create_roster_entry(conn, season, "Alpha", "Kim", valid_from=FIRST, look_up=look_up)
    entry.create_roster_entry(conn, season, "Alpha", "Lee", valid_from=FIRST, account_id=MIA, look_up=look_up)
    unknown = entry.create_roster_entry(conn, season, "Alpha", "Zoe", valid_from=FIRST, look_up=look_up)
    by_account = entry.create_roster_entry(conn, season, "Beta", LEE, valid_from=FIRST, look_up=look_up)
    found = ops.select(conn, "roster_entries", {})
    assert [(row["player_name"], row["account_id"]) for row in found] == [
        ("Kim", KIM),
        ("Lee", MIA),
        ("Zoe", None),
        ("Lee", LEE),
    ]
    assert (by_account.notes, "No match knows Zoe" in unknown.notes[0]) == ((), True)


@pytest.mark.parametrize("account", ["account.12", "shroud", "ai.332", KIM.upper()])
def test_what_is_no_account_id_is_refused(account: str) -> None:
    with pytest.raises(EntryError, match="is no account id") as caught:
        entry.player_of("Kim", account, Seen())
    assert caught.value.column == "account_id"


def test_a_name_written_with_other_capitals_is_pointed_out() -> None:
    told = entry.player_of("kim", None, Seen({"Kim": KIM}))
    assert told == Player("kim", None, ("No match knows kim, but one knows Kim; capitals matter.",))


# --- rosters -------------------------------------------------------------------------------------


def test_a_player_moves_to_another_team_with_a_last_day_and_a_first(conn: psycopg.Connection, season: str) -> None:
    entry.create_roster_entry(conn, season, "Alpha", "Kim", valid_from=FIRST)
    with pytest.raises(RefusedEntryError, match=r"Kim is on the roster of Alpha already from 2026-10-01 on"):
        entry.create_roster_entry(conn, season, "Beta", "Kim", valid_from=date(2026, 10, 11))
    entry.change_roster_entry(conn, season, "Alpha", "Kim", valid_until=date(2026, 10, 10))
    entry.create_roster_entry(conn, season, "Beta", "Kim", valid_from=date(2026, 10, 11))
    on = [lists.list_rosters(conn, season, on=date(2026, 10, day))["team"].to_list() for day in (10, 11)]
    assert on == [["Alpha"], ["Beta"]]


def test_of_several_entries_of_a_player_one_is_named_by_its_first_day(conn: psycopg.Connection, season: str) -> None:
    for day in (3, 10):
        entry.create_roster_entry(
            conn,
            season,
            "Alpha",
            "Kim",
            valid_from=date(2026, 10, day),
            valid_until=date(2026, 10, day),
            role="stand_in",
        )
    with pytest.raises(UnknownNameError, match="several times, from 2026-10-03, 2026-10-10; say which"):
        entry.change_roster_entry(conn, season, "Alpha", "Kim", role="player")
    entry.change_roster_entry(conn, season, "Alpha", "Kim", since=date(2026, 10, 10), role="player")
    entry.remove_roster_entry(conn, season, "Alpha", "kim", since=date(2026, 10, 3))
    assert lists.list_rosters(conn, season).select("role", "valid_from").rows() == [("player", date(2026, 10, 10))]


def test_a_roster_entry_with_a_wrong_field_is_refused(conn: psycopg.Connection, season: str) -> None:
    with pytest.raises(EntryError, match="valid_until 2026-09-30 is before valid_from 2026-10-01"):
        entry.create_roster_entry(conn, season, "Alpha", "Kim", valid_from=FIRST, valid_until=date(2026, 9, 30))
    with pytest.raises(EntryError, match="'coach' is none of player, substitute, stand_in"):
        entry.create_roster_entry(conn, season, "Alpha", "Kim", valid_from=FIRST, role="coach")
    entry.create_roster_entry(conn, season, "Alpha", "Kim", valid_from=FIRST)
    with pytest.raises(ExistsAlreadyError, match="on the roster of Alpha from 2026-10-01 already"):
        entry.create_roster_entry(conn, season, "Alpha", "KIM", valid_from=FIRST)
    with pytest.raises(UnknownNameError, match="'Kym' is not on the roster of Alpha; did you mean Kim"):
        entry.change_roster_entry(conn, season, "Alpha", "Kym", role="player")


# --- rounds and schedule -------------------------------------------------------------------------


def test_rounds_that_share_days_are_pointed_out(conn: psycopg.Connection, season: str) -> None:
    shared = entry.create_round(conn, season, "Division 1", 2, first_day=date(2026, 10, 25), group="A")
    assert "shares days with Round 1 (from 2026-10-24 to 2026-10-25)" in shared.notes[0]
    assert entry.create_round(conn, season, "Division 1", 3, first_day=date(2026, 10, 26)).notes == ()
    assert entry.create_round(conn, season, "Division 2", 1, first_day=date(2026, 10, 24)).notes == ()
    entry.change_round(conn, season, "Division 1", 1, status="cancelled")
    assert entry.create_round(conn, season, "Division 1", 4, first_day=date(2026, 10, 24)).notes == ()


def test_a_round_of_a_group_is_named_with_its_group(conn: psycopg.Connection, season: str) -> None:
    entry.create_round(conn, season, "Division 1", 2, first_day=FIRST, group="A")
    with pytest.raises(UnknownNameError, match=r"Round 2 of Division 1 is one of groups \(A\); say which"):
        entry.change_round(conn, season, "Division 1", 2, status="active")
    assert entry.change_round(conn, season, "Division 1", 2, group="A", status="active").outcome == "changed"


def test_a_slot_has_its_moment_its_map_in_words_and_its_place(conn: psycopg.Connection, season: str) -> None:
    entry.create_slot(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00", map_name="baltic_main")
    entry.create_slot(
        conn, season, "Division 1", 1, 2, scheduled_at="2026-10-24 17:35", time_zone="Europe/London", map_name="any"
    )
    found = ops.select(conn, "scheduled_matches", {})
    assert [(row["match_number"], row["scheduled_at"], row["map_name"], row["is_remake"]) for row in found] == [
        (1, datetime(2026, 10, 24, 16, tzinfo=UTC), "Erangel", False),
        (2, datetime(2026, 10, 24, 16, 35, tzinfo=UTC), None, False),
    ]
    assert lists.list_schedule(conn, season)["scheduled_at"].to_list() == [
        "2026-10-24 18:00+02:00",
        "2026-10-24 18:35+02:00",
    ]


@pytest.mark.parametrize(
    ("fields", "column", "told"),
    [
        ({"scheduled_at": "2026-10-25 02:30"}, "scheduled_at", "comes twice"),
        ({"scheduled_at": "2026-10-26 00:00"}, "scheduled_at", "outside Round 1, which is from 2026-10-24"),
        ({"scheduled_at": "2026-10-23 23:59"}, "scheduled_at", "outside Round 1"),
        ({"map_name": "Erangle"}, "map", "did you mean Erangel"),
        ({"status": "late"}, "status", "none of scheduled"),
        ({"original_match_id": "m 1"}, "original_match_id", "no match id"),
        ({"time_zone": "Berlin"}, "time_zone", "Europe/Berlin"),
    ],
)
def test_a_slot_with_a_wrong_field_is_refused(
    conn: psycopg.Connection, season: str, fields: dict[str, Any], column: str, told: str
) -> None:
    with pytest.raises(EntryError) as caught:
        entry.create_slot(conn, season, "Division 1", 1, 1, **{"scheduled_at": "2026-10-24 18:00", **fields})
    assert (caught.value.column, told in str(caught.value)) == (column, True)
    assert ops.select(conn, "scheduled_matches", {}) == []


def test_the_days_of_a_round_end_at_midnight_of_the_season_not_of_utc(conn: psycopg.Connection, season: str) -> None:
    for number, time in enumerate(("2026-10-24 00:00", "2026-10-25 23:59"), 1):
        entry.create_slot(conn, season, "Division 1", 1, number, scheduled_at=time)
    assert [row["scheduled_at"].day for row in ops.select(conn, "scheduled_matches", {})] == [23, 25]


def test_a_map_nobody_knows_is_taken_as_written(conn: psycopg.Connection, season: str) -> None:
    done = entry.create_slot(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00", map_name="Atlantis")
    assert "Atlantis is no map known here" in done.notes[0]
    assert ops.select(conn, "scheduled_matches", {})[0]["map_name"] == "Atlantis"


def test_a_slot_is_a_remake_while_it_has_the_match_that_failed_or_a_reason(
    conn: psycopg.Connection, season: str
) -> None:
    def slot() -> tuple[Any, ...]:
        [row] = ops.select(conn, "scheduled_matches", {})
        return row["is_remake"], row["original_match_id"], row["remake_reason"], row["map_name"]

    where = (conn, season, "Division 1", 1, 1)
    entry.create_slot(*where, scheduled_at="2026-10-24 18:00", map_name="Erangel")
    entry.change_slot(*where, original_match_id="m-1", remake_reason="crash")
    assert slot() == (True, "m-1", "crash", "Erangel")
    entry.change_slot(*where, scheduled_at="2026-10-24 19:00", map_name=None)
    assert slot() == (True, "m-1", "crash", None)
    entry.change_slot(*where, original_match_id=None, remake_reason=None)
    assert slot() == (False, None, None, None)


def test_moving_a_round_points_out_the_matches_left_outside(conn: psycopg.Connection, season: str) -> None:
    entry.create_slot(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00")
    entry.create_slot(conn, season, "Division 1", 1, 2, scheduled_at="2026-10-25 18:00")
    done = entry.change_round(conn, season, "Division 1", 1, first_day=date(2026, 10, 25))
    assert done.notes == ("Outside its days now: match 1. Change their times too.",)
    assert entry.change_slot(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-25 17:00").outcome == "changed"


# --- overrides -----------------------------------------------------------------------------------


def test_an_override_is_made_changed_and_taken_back(conn: psycopg.Connection, season: str) -> None:
    entry.create_slot(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00")
    place = Place(season, "Division 1", 1, 1)
    entry.create_override(conn, "m-1", reason="an hour late", admin="ada", place=place, is_tournament_match=True)
    row = lists.list_overrides(conn).row(0, named=True)
    named = [row[name] for name in ("season", "division", "round", "match", "is_tournament_match", "reason", "admin")]
    assert named == ["fall", "Division 1", 1, 1, True, "an hour late", "ada"]
    entry.change_override(conn, "m-1", reason="warm-up", admin="bob", place=None, is_tournament_match=False)
    [stored] = ops.select(conn, "match_overrides", {})
    assert (stored["round_id"], stored["scheduled_match_id"], stored["is_tournament_match"]) == (None, None, False)
    assert (stored["reason"], stored["admin"]) == ("warm-up", "bob")
    entry.remove_override(conn, "m-1")
    assert lists.list_overrides(conn).height == 0


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"reason": " ", "validation_status": "confirmed"}, "reason is empty"),
        ({"admin": "", "validation_status": "confirmed"}, "admin is empty"),
        ({}, "Nothing is decided"),
        ({"place": None, "validation_status": None}, "Nothing is decided"),
        ({"validation_status": "fine"}, "none of confirmed"),
        ({"is_tournament_match": False, "place": Place("fall", "Division 1", 1)}, "has no round"),
        ({"match_id": "m 1", "validation_status": "confirmed"}, "no match id"),
        ({"place": Place("fall", "Division 1", 1, 9)}, "no match 9 in Round 1"),
    ],
)
def test_an_override_with_a_wrong_field_is_refused(
    conn: psycopg.Connection, season: str, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(EntryError) as caught:
        entry.create_override(conn, **{"match_id": "m-1", "reason": "late", "admin": "ada", **fields})
    assert told in str(caught.value)
    assert ops.select(conn, "match_overrides", {}) == []


def test_a_match_has_one_override(conn: psycopg.Connection, season: str) -> None:
    entry.create_override(conn, "m-1", reason="r", admin="ada", validation_status="confirmed")
    with pytest.raises(ExistsAlreadyError):
        entry.create_override(conn, "m-1", reason="r", admin="ada", validation_status="confirmed")
    with pytest.raises(UnknownNameError, match="has no override"):
        entry.remove_override(conn, "m-2")


# --- tracked players -----------------------------------------------------------------------------


def test_players_are_tracked_by_name_or_account_once_each(conn: psycopg.Connection) -> None:
    look_up = knows(Kim=KIM)
    entry.track_player(conn, "Kim", look_up=look_up)
    entry.track_player(conn, "Zoe", shard="kakao", backfill_days=30)
    for again in ("Kim", KIM):
        with pytest.raises(ExistsAlreadyError, match="is tracked already"):
            entry.track_player(conn, again, look_up=look_up)
    with pytest.raises(ExistsAlreadyError, match=r"NewKim \(as Kim\) is tracked already"):
        entry.track_player(conn, "NewKim", account_id=KIM)
    with pytest.raises(ExistsAlreadyError):
        entry.track_player(conn, "Zoe", shard="kakao")
    entry.track_player(conn, "Zoe")  # somebody else, on another platform
    assert lists.list_tracked_players(conn).drop("added_at").rows() == [
        ("Kim", KIM, "steam", True, 180),
        ("Zoe", None, "kakao", True, 30),
        ("Zoe", None, "steam", True, 180),
    ]


def test_a_name_that_changed_hands_can_be_tracked_again(conn: psycopg.Connection) -> None:
    entry.track_player(conn, "Kim", account_id=KIM)
    entry.track_player(conn, "Kim", account_id=LEE)
    with pytest.raises(UnknownNameError, match="Several players named Kim"):
        entry.change_tracked_player(conn, "Kim", is_active=False)
    entry.change_tracked_player(conn, LEE, is_active=False)
    assert [row["is_active"] for row in ops.select(conn, "tracked_players", {})] == [True, False]


def test_an_inactive_player_keeps_the_row(conn: psycopg.Connection) -> None:
    entry.track_player(conn, "Kim")
    done = entry.change_tracked_player(conn, "Kim", is_active=False, account_id=KIM)
    assert done.outcome == "changed"
    with pytest.raises(ExistsAlreadyError, match="tracked already, but inactive"):
        entry.track_player(conn, "Kim")
    with pytest.raises(UnknownNameError, match="No player 'Kym' is tracked; did you mean Kim"):
        entry.change_tracked_player(conn, "Kym", is_active=True)


# --- files ---------------------------------------------------------------------------------------

ROSTERS = """\
division,group,team,tag,player,account_id,role,valid_from,valid_until
Division 1,A,Alpha,ALP,Kim,,,2026-10-01,
Division 1,A,Alpha,,Lee,{lee},substitute,,2026-12-01

Division 2,,Gamma,GAM,"Mia",,stand_in,2026-10-03,2026-10-03
""".format(lee=LEE)  # noqa: UP032
SCHEDULE = """\
division,round,match,scheduled_at,time_zone,map,status
Division 1,1,1,2026-10-24 18:00,,Erangel,
Division 1,1,2,2026-10-24 17:35,Europe/London,,active
Division 1,1,3,2026-10-25 02:30+01:00,,Tiger_Main,
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file."""

    def written(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "entered.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return written


def mistakes_of(caught: pytest.ExceptionInfo[ImportRefusedError]) -> list[tuple[int, str]]:
    return [(mistake.row, mistake.column) for mistake in caught.value.mistakes]


def test_a_roster_file_makes_teams_and_entries(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    done = files.import_rosters(conn, season, write(ROSTERS), valid_from=FIRST, look_up=knows(Kim=KIM))
    assert done.counts == {("team", "unchanged"): 1, ("team", "created"): 1, ("roster entry", "created"): 3}
    assert lists.list_rosters(conn, season).drop("season").rows() == [
        ("Division 1", "Alpha", "Kim", KIM, "player", FIRST, None),
        ("Division 1", "Alpha", "Lee", LEE, "substitute", FIRST, date(2026, 12, 1)),
        ("Division 2", "Gamma", "Mia", None, "stand_in", date(2026, 10, 3), date(2026, 10, 3)),
    ]
    assert lists.list_teams(conn, season).drop("season").rows() == [
        ("Division 1", None, "Beta", None, 0),
        ("Division 1", "A", "Alpha", "ALP", 2),
        ("Division 2", None, "Gamma", "GAM", 1),
    ]


@pytest.mark.parametrize("kind", ["rosters", "schedule", "players"])
def test_taking_a_file_again_changes_nothing(
    conn: psycopg.Connection, season: str, write: Callable[..., Path], kind: str
) -> None:
    def take() -> files.Import:
        if kind == "rosters":
            return files.import_rosters(conn, season, write(ROSTERS), valid_from=FIRST)
        if kind == "schedule":
            return files.import_schedule(conn, season, write(SCHEDULE))
        return files.import_players(conn, write("player,active,shard\nKim,,\nLee,no,kakao\n"))

    assert "created" in {outcome for _, outcome in take().counts}
    before = all_rows(conn)
    assert {outcome for _, outcome in take().counts} == {"unchanged"}
    assert all_rows(conn) == before


def test_a_roster_file_changes_what_it_says_and_leaves_the_rest(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    files.import_rosters(conn, season, write(ROSTERS), valid_from=FIRST)
    text = "division;team;player;tag;valid_from;valid_until\nDivision 1;Alpha;Kim;AL;2026-10-01;2026-11-01\n"
    done = files.import_rosters(conn, season, write(text, "utf-8-sig"), look_up=knows(Kim=KIM))
    assert done.counts == {("team", "changed"): 1, ("roster entry", "changed"): 1}
    assert lists.list_rosters(conn, season).select("player", "account_id", "role", "valid_until").rows() == [
        ("Kim", KIM, "player", date(2026, 11, 1)),
        ("Lee", LEE, "substitute", date(2026, 12, 1)),
        ("Mia", None, "stand_in", date(2026, 10, 3)),
    ]


def test_every_mistake_of_a_roster_file_is_told_and_nothing_is_taken(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    before = all_rows(conn)
    text = "\n".join(
        [
            "division,group,team,tag,player,account_id,role,valid_from,valid_until",
            "Division 1,,Gamma,GAM,Kim,,,2026-10-01,",
            "Divison 1,,Gamma,,Ann,,,,",
            "Division 1,Z,Delta,,Bob,account.1,coach,1.10.2026,2026-10-41",
            "Division 1,,Gamma,GAMMA,Cat,,,2026-10-01,",
            "Division 1,,Beta,,Kim,,,2026-11-01,",
            ",,,,,,,,",
            "Division 1,,Gamma,,Kim,,,2026-10-01,",
            "Division 1,,Beta,,Dan,,,2026-10-02,2026-10-01",
            "Division 1,,,,,,,2026-10-02,",
            "Division 1,,Beta,,Eve,,,2026-10-02,,,surplus",
        ]
    )
    with pytest.raises(ImportRefusedError) as caught:
        files.import_rosters(conn, season, write(text))
    assert mistakes_of(caught) == [
        (3, "division"),
        (3, "valid_from"),
        (4, "account_id"),
        (4, "group"),
        (4, "role"),
        (4, "valid_from"),
        (4, "valid_until"),
        (5, "tag"),
        (6, "player"),
        (8, "player"),
        (9, "valid_until"),
        (10, "player"),
        (10, "team"),
        (11, ""),
    ]
    assert "row 6, player: Kim is on the roster of Gamma already from 2026-10-01 on" in str(caught.value)
    assert "row 8, player: Kim from 2026-10-01 stands in row 2 already." in str(caught.value)
    assert all_rows(conn) == before


def test_a_schedule_file_makes_slots_in_the_zone_of_the_season_of_the_row_or_by_offset(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    files.import_schedule(conn, season, write(SCHEDULE))
    found = ops.select(conn, "scheduled_matches", {})
    assert [(row["match_number"], row["scheduled_at"], row["map_name"], row["status"]) for row in found] == [
        (1, datetime(2026, 10, 24, 16, tzinfo=UTC), "Erangel", "scheduled"),
        (2, datetime(2026, 10, 24, 16, 35, tzinfo=UTC), None, "active"),
        (3, datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Taego", "scheduled"),
    ]


def test_every_mistake_of_a_schedule_file_is_told_and_nothing_is_taken(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    before = all_rows(conn)
    text = "\n".join(
        [
            "division\tround\tmatch\tscheduled_at\tmap\tstatus\ttime_zone\tgroup",
            "Division 1\t1\t1\t2026-10-24 18:00\tErangel\t\t\t",
            "Division 1\t1\t1\t2026-10-24 18:35\tErangel\t\t\t",
            "Division 1\t1\t2\t2026-10-25 02:30\tErangle\tlate\t\t",
            "Division 1\t7\t2\t2026-10-24 18:00\t\t\t\t",
            "Division 1\tone\t0\t2026-10-24 18:00\t\t\tBerlin\t",
            "Division 1\t1\t3\t2026-10-30 18:00\t\t\t\t",
            "Division 1\t1\t\t\t\t\t\t",
            "Division 1\t1\t4\t2026-10-24 18:00\t\t\t\tB",
        ]
    )
    with pytest.raises(ImportRefusedError, match="12 mistakes; nothing of it was taken") as caught:
        files.import_schedule(conn, season, write(text))
    assert (
        mistakes_of(caught)
        == [
            (3, "match"),
            (4, "map"),
            (4, "scheduled_at"),
            (4, "status"),
            (5, "round"),
            (6, "match"),
            (6, "round"),
            (6, "time_zone"),
            (7, "scheduled_at"),
            (8, "match"),
            (8, "scheduled_at"),
            (9, "group"),
        ][: len(mistakes_of(caught))]
    )
    assert all_rows(conn) == before


def test_a_schedule_file_can_say_that_a_match_is_played_again(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    files.import_schedule(conn, season, write(SCHEDULE))
    text = "division,round,match,scheduled_at,original_match_id,remake_reason\n"
    text += "Division 1,1,1,2026-10-24 19:00,m-1,server crash\n"
    done = files.import_schedule(conn, season, write(text))
    assert done.counts == {("slot", "changed"): 1}
    [row] = ops.select(conn, "scheduled_matches", {"match_number": 1})
    assert (row["is_remake"], row["original_match_id"], row["map_name"]) == (True, "m-1", "Erangel")


def test_every_mistake_of_a_players_file_is_told_and_nothing_is_taken(
    conn: psycopg.Connection, write: Callable[..., Path]
) -> None:
    text = "player,account_id,shard,backfill_days,active\n"
    text += f"Kim,,,,\nLee,nonsense,,,\nMia,,Steam!,-3,perhaps\n{KIM},,,,\nZoe,{KIM},,,\nKim,,,,\n"
    with pytest.raises(ImportRefusedError) as caught:
        files.import_players(conn, write(text))
    assert mistakes_of(caught) == [
        (3, "account_id"),
        (4, "active"),
        (4, "backfill_days"),
        (6, "player"),
        (7, "player"),
    ]
    assert ops.select(conn, "tracked_players", {}) == []


@pytest.mark.parametrize(
    ("text", "encoding", "mistake"),
    [
        ("", "utf-8", Mistake(1, "player", "this column is missing.")),
        ("name\nKim\n", "utf-8", Mistake(1, "player", "this column is missing.")),
        (
            "player,acount_id\nKim,\n",
            "utf-8",
            Mistake(1, "acount_id", "no such column is known; did you mean account_id?"),
        ),
        ("player,player\nKim,\n", "utf-8", Mistake(1, "player", "stands 2 times in the heading.")),
        ("player\nJörg\n", "latin-1", Mistake(1, "", "the file is not UTF-8; save it as `CSV UTF-8`.")),
        ('player\nKim\n"Lee\n', "utf-8", Mistake(3, "", "cannot be read as CSV: unexpected end of data.")),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused(
    conn: psycopg.Connection, write: Callable[..., Path], text: str, encoding: str, mistake: Mistake
) -> None:
    with pytest.raises(ImportRefusedError) as caught:
        files.import_players(conn, write(text, encoding))
    assert mistake in caught.value.mistakes
    assert ops.select(conn, "tracked_players", {}) == []


def test_a_dry_run_finds_mistakes_and_writes_nothing(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    before = all_rows(conn)
    done = files.import_rosters(conn, season, write(ROSTERS), valid_from=FIRST, dry_run=True)
    assert done.counts[("roster entry", "created")] == 3
    assert all_rows(conn) == before
    with pytest.raises(ImportRefusedError):
        files.import_rosters(conn, season, write(ROSTERS), dry_run=True)


@pytest.mark.parametrize(
    ("columns", "command"),
    [
        (files.ROSTER_COLUMNS, ["tournament", "roster", "import"]),
        (files.SCHEDULE_COLUMNS, ["tournament", "schedule", "import"]),
        (files.PLAYER_COLUMNS, ["players", "import"]),
    ],
    ids=["rosters", "schedule", "players"],
)
def test_the_help_tells_every_column_of_a_file(columns: tuple[files.Column, ...], command: list[str]) -> None:
    from typer.testing import CliRunner

    from gamestats_assets.cli import app

    shown = " ".join(CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "500"}).stdout.split())
    for column in columns:
        assert f"{column.name}: {column.told}" in shown.replace("`", "")
