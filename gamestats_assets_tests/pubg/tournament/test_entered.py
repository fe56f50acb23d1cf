"""What people enter, by names and by file: what is taken, what is refused, and what is said."""

from __future__ import annotations

import random
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

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.delta.ledger import NO_ROWS, Note
from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.csv_files import Column, Import, ImportRefusedError, Mistake
from gamestats_assets.lakehouse.entries.declared import ExistsAlreadyError, StillNeededError, UnknownNameError
from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.lakehouse.entries.local_times import LocalTimeError, format_local, instant, time_zone
from gamestats_assets.lakehouse.entries.ops import RefusedEntryError
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.players.entered import TRACKED_PLAYER
from gamestats_assets.pubg.players.entered.files import PLAYER_FILE
from gamestats_assets.pubg.players.entered.people import Matches, Player, Seen, player_of
from gamestats_assets.pubg.players.lake_matches import LakeMatches
from gamestats_assets.pubg.source.found_matches import count_not_fetched, list_discovered
from gamestats_assets.pubg.tables import MatchSummaries, PlayerCirclePositions, PlayerMatches, TournamentLineups
from gamestats_assets.pubg.tournament.entered import DIVISION, GROUP, OVERRIDE, ROSTER_ENTRY, ROUND, SEASON, SLOT, TEAM
from gamestats_assets.pubg.tournament.entered.files import ROSTER_FILE, SCHEDULE_FILE

BERLIN = ZoneInfo("Europe/Berlin")
KIM, LEE, MIA = (f"account.{number:032x}" for number in (1, 2, 3))
FIRST = date(2026, 10, 1)


@pytest.fixture
def conn(ops_database: str) -> Iterator[psycopg.Connection]:
    """A transaction in which ada enters things."""
    with ops.entering(SecretStr(ops_database), "ada") as connection:
        yield connection


@pytest.fixture
def season(conn: psycopg.Connection) -> str:
    """A season with a division of two teams, one of them in a group, and a round over the end of summer time."""
    SEASON.add(conn, "fall", name="Fall 2026", time_zone="Europe/Berlin")
    DIVISION.add(conn, "fall", "Division 1")
    DIVISION.add(conn, "fall", "Division 2")
    GROUP.add(conn, "fall", "Division 1", "A")
    TEAM.add(conn, "fall", "Division 1", "Alpha", group="A", tag="ALP")
    TEAM.add(conn, "fall", "Division 1", "Beta")
    ROUND.add(conn, "fall", "Division 1", 1, first_day=date(2026, 10, 24), last_day=date(2026, 10, 25))
    return "fall"


class Knows(Matches):
    """Knows some names, which matches landed, and a lake."""

    def __init__(self, lake: Lake | None = None, landed: Collection[str] | None = None, **accounts: str) -> None:
        super().__init__()
        self._lake, self._landed, self._accounts = lake, landed, accounts

    def players(self, names: Collection[str]) -> Seen:
        return Seen(self._accounts, {account: name for name, account in self._accounts.items()})

    def has_landed(self, match_id: str) -> bool:
        return self._landed is None or match_id in self._landed

    def played_by(self, roster_entry_id: int) -> int:
        return 0 if self._lake is None else _in_lake(self._lake).played_by(roster_entry_id)

    def taken_of(self, tracked: ops.Row) -> int:
        return 0 if self._lake is None else _in_lake(self._lake).taken_of(tracked)


def _in_lake(lake: Lake) -> LakeMatches:
    return LakeMatches(lake, Landing(f"{lake.root}/landing"))


def place(season: str, division: str, round: int, match: int | None = None) -> dict[str, Any]:
    """Where an override puts a match."""
    return {"season": season, "division": division, "round": round, "match": match}


def lake_holding(folder: Path, table: type[Table], *rows: dict[str, Any]) -> Lake:
    """A lake whose table has these rows, what they do not say being nothing."""
    lake = Lake(folder)
    missing = {
        name: None if column.nullable else {pl.String: "-", pl.Boolean: False, pl.Date: FIRST}.get(column.dtype, 0)
        for name, column in table.columns().items()
        if not isinstance(column.dtype, pl.Datetime)
    }
    moments = {name: datetime(2026, 10, 1, tzinfo=UTC) for name in table.columns() if name not in missing}
    frame = pl.DataFrame([{**missing, **moments, **row} for row in rows], schema=table.schema())
    column = table.spec.partitioned_by
    assert column is not None
    assert lake.replace(table, frame, partitions=frame[column].unique().to_list()).rows == len(rows)
    return lake


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
    written = format_local(moment, zone)
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
        ("europe/berlin", "did you mean Europe/Berlin"),
        ("Europe/Berlin2", "did you mean Europe/Berlin"),
        ("Europa/Berlin-1", "did you mean Europe/Berlin"),
    ],
)
def test_a_time_zone_that_is_none_is_refused_with_the_nearest(written: str, told: str) -> None:
    with pytest.raises(LocalTimeError) as caught:
        time_zone(written)
    assert told in str(caught.value)


# --- seasons, divisions, groups, teams -----------------------------------------------------------


def test_a_season_has_the_rules_given_and_else_those_of_super(conn: psycopg.Connection) -> None:
    SEASON.add(conn, "plain", time_zone="UTC")
    SEASON.add(
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
    values: dict[str, Any] = {"season": "fall", "time_zone": "UTC", **fields}
    with pytest.raises(EntryError) as caught:
        SEASON.add(conn, **values)
    assert caught.value.column == column
    assert ops.select(conn, "seasons", {}) == []


def test_a_change_sets_what_differs_and_says_so_and_writes_nothing_else(conn: psycopg.Connection, season: str) -> None:
    done = SEASON.change(conn, season, kill_points=2, minimum_teams=8)
    assert (done.outcome, done.changes) == ("changed", ("kill_points 1 -> 2",))
    before = all_rows(conn)
    assert SEASON.change(conn, season, kill_points=2).outcome == "unchanged"
    assert all_rows(conn) == before


def test_names_are_found_whatever_their_capitals_and_cannot_be_given_twice(
    conn: psycopg.Connection, season: str
) -> None:
    TEAM.add(conn, season, "division 1", "Gamma", group="a")
    for create in (
        lambda: SEASON.add(conn, "fall", time_zone="UTC"),
        lambda: DIVISION.add(conn, season, "DIVISION 1"),
        lambda: GROUP.add(conn, season, "Division 1", "a"),
        lambda: TEAM.add(conn, season, "Division 1", " gamma "),
        lambda: ROUND.add(conn, season, "Division 1", 1, first_day=FIRST),
    ):
        with pytest.raises(ExistsAlreadyError, match="exists already"):
            create()


def test_a_name_that_nothing_has_is_answered_with_the_nearest_or_with_what_there_is(
    conn: psycopg.Connection, season: str
) -> None:
    with pytest.raises(UnknownNameError, match="no season 'fal'; did you mean fall"):
        DIVISION.add(conn, "fal", "X")
    with pytest.raises(UnknownNameError, match="no division 'Divison 1' in season fall; did you mean Division 1"):
        TEAM.add(conn, season, "Divison 1", "X")
    with pytest.raises(UnknownNameError, match="no group 'B' in Division 1; there is A"):
        TEAM.add(conn, season, "Division 1", "X", group="B")
    with pytest.raises(UnknownNameError, match="no group 'B' in Division 2; there is none yet"):
        TEAM.add(conn, season, "Division 2", "X", group="B")
    with pytest.raises(UnknownNameError, match="no round 2 in Division 1; there is 1"):
        ROUND.change(conn, season, "Division 1", 2, status="active")
    with pytest.raises(UnknownNameError, match="no match 1 in Round 1; there is none yet"):
        SLOT.change(conn, season, "Division 1", 1, 1, status="active")


def test_a_team_name_of_two_divisions_needs_the_division(conn: psycopg.Connection, season: str) -> None:
    TEAM.add(conn, season, "Division 2", "Alpha")
    with pytest.raises(UnknownNameError, match="Division 1 and Division 2; say which with --division"):
        TEAM.change(conn, season, "Alpha", tag="A")
    TEAM.change(conn, season, "Alpha", division="Division 2", tag="A2")
    assert [row["tag"] for row in ops.select(conn, "teams", {"team_name": "Alpha"})] == ["ALP", "A2"]


def test_a_team_can_leave_its_group_and_lose_its_tag(conn: psycopg.Connection, season: str) -> None:
    done = TEAM.change(conn, season, "Alpha", group=None, tag=None, name="Alpha Esports")
    assert done.changes == ("tag ALP -> none", "team_name Alpha -> Alpha Esports", "group A -> none")
    [row] = ops.select(conn, "teams", {"team_name": "Alpha Esports"})
    assert (row["group_id"], row["tag"]) == (None, None)


def test_divisions_and_groups_can_be_renamed(conn: psycopg.Connection, season: str) -> None:
    GROUP.change(conn, season, "Division 1", "A", name="Red")
    DIVISION.change(conn, season, "Division 1", name="Elite")
    assert GROUP.list(conn, season).rows() == [("fall", "Elite", "Red", 1)]
    with pytest.raises(RefusedEntryError, match="already exists"):
        DIVISION.change(conn, season, "Elite", name="Division 2")


NO_EXACT_ZONES = ["europe/berlin", "EUROPE/BERLIN", "Europe/Berlin2", "Europa/Berlin-1", "posix/Europe/Berlin", "utc"]


@pytest.mark.parametrize("zone", NO_EXACT_ZONES)
def test_a_season_entered_by_sql_has_the_exact_name_of_a_time_zone(conn: psycopg.Connection, zone: str) -> None:
    with pytest.raises(RefusedEntryError):
        ops.insert(conn, "seasons", {"season": "sql", "name": "S", "time_zone": zone})
    for exact in ("Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC"):
        ops.insert(conn, "seasons", {"season": exact.lower().replace("/", "-"), "name": "S", "time_zone": exact})
    with pytest.raises(RefusedEntryError):
        ops.update(conn, "seasons", {"season": "utc"}, {"time_zone": zone})
    ops.update(conn, "seasons", {"season": "utc"}, {"kill_points": 2})


def test_postgresql_says_which_time_zone_is_meant(conn: psycopg.Connection) -> None:
    with pytest.raises(RefusedEntryError, match="europe/berlin is no name of the time zone database; write Europe/Be"):
        ops.insert(conn, "seasons", {"season": "sql", "name": "S", "time_zone": "europe/berlin"})


@pytest.fixture
def wrong_zone(conn: psycopg.Connection, season: str) -> str:
    """The season with a slot, and the time zone that could be entered by SQL once."""
    SLOT.add(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00")
    conn.execute("ALTER TABLE ops.seasons DISABLE TRIGGER exact_time_zone")
    ops.update(conn, "seasons", {"season": season}, {"time_zone": "europe/berlin"})
    conn.execute("ALTER TABLE ops.seasons ENABLE TRIGGER exact_time_zone")
    return season


def test_a_season_with_a_wrong_time_zone_is_listed_and_says_how_to_correct_it(
    conn: psycopg.Connection, wrong_zone: str, write: Callable[..., Path]
) -> None:
    assert SLOT.list(conn)["scheduled_at"].to_list() == ["2026-10-24 16:00+00:00"]
    told = "season change fall --time-zone"
    where = (conn, wrong_zone, "Division 1", 1)
    with pytest.raises(EntryError, match=told):
        SLOT.add(*where, 2, scheduled_at="2026-10-24 18:00")
    with pytest.raises(EntryError, match=told):
        ROUND.change(*where, last_day=date(2026, 10, 26))
    with pytest.raises(ImportRefusedError, match=told):
        SCHEDULE_FILE.take(conn, season=wrong_zone, file=write(SCHEDULE))
    SEASON.change(conn, wrong_zone, time_zone="Europe/Berlin")
    SLOT.add(*where, 2, scheduled_at="2026-10-24 18:00")


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
    frame = frame.with_columns(missing).select(MatchSummaries.schema().names()).cast(pl.Schema(MatchSummaries.schema()))
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
    seen = _in_lake(lake).players(["Kim", "Twin", "mia", MIA])
    assert seen.accounts == {"Kim": KIM, "Mia": MIA, "MiaPro": MIA}
    assert seen.names[MIA] == "MiaPro"
    assert seen.other_capitals("mia") == "Mia"
    assert _in_lake(Lake(tmp_path / "empty")).players(["Kim"]) == Seen({}, {})


def test_a_player_on_a_roster_gets_the_account_that_matches_know_unless_one_is_given(
    conn: psycopg.Connection, season: str
) -> None:
    look_up = Knows(Kim=KIM, Lee=LEE)
    ROSTER_ENTRY.add(conn, season, "Alpha", "Kim", valid_from=FIRST, known=look_up)
    ROSTER_ENTRY.add(conn, season, "Alpha", "Lee", valid_from=FIRST, account_id=MIA, known=look_up)
    unknown = ROSTER_ENTRY.add(conn, season, "Alpha", "Zoe", valid_from=FIRST, known=look_up)
    by_account = ROSTER_ENTRY.add(conn, season, "Beta", LEE, valid_from=FIRST, known=look_up)
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
        player_of("Kim", account, Seen())
    assert caught.value.column == "account_id"


def test_a_name_written_with_other_capitals_is_pointed_out() -> None:
    told = player_of("kim", None, Seen({"Kim": KIM}))
    assert told == Player("kim", None, ("No match knows kim, but one knows Kim; capitals matter.",))


# --- rosters -------------------------------------------------------------------------------------


def test_a_player_moves_to_another_team_with_a_last_day_and_a_first(conn: psycopg.Connection, season: str) -> None:
    ROSTER_ENTRY.add(conn, season, "Alpha", "Kim", valid_from=FIRST)
    with pytest.raises(RefusedEntryError, match=r"Kim is on the roster of Alpha already from 2026-10-01 on"):
        ROSTER_ENTRY.add(conn, season, "Beta", "Kim", valid_from=date(2026, 10, 11))
    ROSTER_ENTRY.change(conn, season, "Alpha", "Kim", valid_until=date(2026, 10, 10))
    ROSTER_ENTRY.add(conn, season, "Beta", "Kim", valid_from=date(2026, 10, 11))
    on = [ROSTER_ENTRY.list(conn, season, on=date(2026, 10, day))["team"].to_list() for day in (10, 11)]
    assert on == [["Alpha"], ["Beta"]]


def test_of_several_entries_of_a_player_one_is_named_by_its_first_day(conn: psycopg.Connection, season: str) -> None:
    for day in (3, 10):
        ROSTER_ENTRY.add(
            conn,
            season,
            "Alpha",
            "Kim",
            valid_from=date(2026, 10, day),
            valid_until=date(2026, 10, day),
            role="stand_in",
        )
    with pytest.raises(UnknownNameError, match="from 2026-10-03, 2026-10-10; say which by its first day: --since 20"):
        ROSTER_ENTRY.change(conn, season, "Alpha", "Kim", role="player")
    ROSTER_ENTRY.change(conn, season, "Alpha", "Kim", since=date(2026, 10, 10), role="player")
    ROSTER_ENTRY.remove(conn, season, "Alpha", "kim", since=date(2026, 10, 3))
    assert ROSTER_ENTRY.list(conn, season).select("role", "valid_from").rows() == [("player", date(2026, 10, 10))]


def test_a_roster_entry_with_a_wrong_field_is_refused(conn: psycopg.Connection, season: str) -> None:
    with pytest.raises(EntryError, match="valid_until 2026-09-30 is before valid_from 2026-10-01"):
        ROSTER_ENTRY.add(conn, season, "Alpha", "Kim", valid_from=FIRST, valid_until=date(2026, 9, 30))
    with pytest.raises(EntryError, match="'coach' is none of player, substitute, stand_in"):
        ROSTER_ENTRY.add(conn, season, "Alpha", "Kim", valid_from=FIRST, role="coach")
    ROSTER_ENTRY.add(conn, season, "Alpha", "Kim", valid_from=FIRST)
    with pytest.raises(ExistsAlreadyError, match="on the roster of Alpha from 2026-10-01 already"):
        ROSTER_ENTRY.add(conn, season, "Alpha", "KIM", valid_from=FIRST)
    with pytest.raises(UnknownNameError, match="'Kym' is not on the roster of Alpha; did you mean Kim"):
        ROSTER_ENTRY.change(conn, season, "Alpha", "Kym", role="player")


def test_removing_somebody_who_has_played_tells_how_many_matches_are_counted_anew(
    conn: psycopg.Connection, season: str, tmp_path: Path
) -> None:
    numbers: dict[str, int] = {}
    for player in ("Kim", "Lee", "Mia"):
        ROSTER_ENTRY.add(conn, season, "Alpha", player, valid_from=FIRST)
        numbers[player] = ops.select(conn, "roster_entries", {"player_name": player})[0]["roster_entry_id"]
    lineups = [
        {"match_id": f"m-{match}", "match_date": FIRST, "account_id": account, "roster_entry_id": numbers[player]}
        for player, account, matches in (("Kim", KIM, 3), ("Mia", MIA, 1))
        for match in range(matches)
    ]
    lake = lake_holding(tmp_path, TournamentLineups, *lineups)

    def notes(player: str) -> tuple[str, ...]:
        return ROSTER_ENTRY.remove(conn, season, "Alpha", player, known=Knows(lake)).notes

    assert "Kim played 3 matches for Alpha by this entry; they are counted anew without it." in notes("Kim")[0]
    assert "Mia played 1 match for Alpha by this entry; it is counted anew without it." in notes("Mia")[0]
    assert notes("Lee") == ()


# --- rounds and schedule -------------------------------------------------------------------------


def test_rounds_that_share_days_are_pointed_out(conn: psycopg.Connection, season: str) -> None:
    shared = ROUND.add(conn, season, "Division 1", 2, first_day=date(2026, 10, 25), group="A")
    assert "shares days with Round 1 (from 2026-10-24 to 2026-10-25)" in shared.notes[0]
    assert ROUND.add(conn, season, "Division 1", 3, first_day=date(2026, 10, 26)).notes == ()
    assert ROUND.add(conn, season, "Division 2", 1, first_day=date(2026, 10, 24)).notes == ()
    ROUND.change(conn, season, "Division 1", 1, status="cancelled")
    assert ROUND.add(conn, season, "Division 1", 4, first_day=date(2026, 10, 24)).notes == ()


def test_a_round_of_a_group_is_named_with_its_group(conn: psycopg.Connection, season: str) -> None:
    ROUND.add(conn, season, "Division 1", 2, first_day=FIRST, group="A")
    with pytest.raises(UnknownNameError, match=r"Round 2 of Division 1 is one of groups \(A\); say which with --group"):
        ROUND.change(conn, season, "Division 1", 2, status="active")
    assert ROUND.change(conn, season, "Division 1", 2, group="A", status="active").outcome == "changed"


def test_a_slot_has_its_moment_its_map_in_words_and_its_place(conn: psycopg.Connection, season: str) -> None:
    SLOT.add(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00", map_name="baltic_main")
    SLOT.add(
        conn, season, "Division 1", 1, 2, scheduled_at="2026-10-24 17:35", time_zone="Europe/London", map_name="any"
    )
    found = ops.select(conn, "scheduled_matches", {})
    assert [(row["match_number"], row["scheduled_at"], row["map_name"], row["is_remake"]) for row in found] == [
        (1, datetime(2026, 10, 24, 16, tzinfo=UTC), "Erangel", False),
        (2, datetime(2026, 10, 24, 16, 35, tzinfo=UTC), None, False),
    ]
    assert SLOT.list(conn, season)["scheduled_at"].to_list() == [
        "2026-10-24 18:00+02:00",
        "2026-10-24 18:35+02:00",
    ]


@pytest.mark.parametrize(
    ("fields", "column", "told"),
    [
        ({"scheduled_at": "2026-10-25 02:30"}, "scheduled_at", "comes twice"),
        ({"scheduled_at": "2026-10-26 05:00"}, "scheduled_at", "outside Round 1, which is from 2026-10-24"),
        ({"scheduled_at": "2026-10-23 23:59"}, "scheduled_at", "outside Round 1"),
        (
            {"scheduled_at": "2026-10-24 00:20"},
            "scheduled_at",
            "from 2026-10-24 to 2026-10-25: before 05:00 it is still the evening of 2026-10-23; change",
        ),
        ({"scheduled_at": "2026-10-24 04:59"}, "scheduled_at", "outside Round 1"),
        ({"scheduled_at": "2026-10-26 05:00"}, "scheduled_at", "to 2026-10-25; change"),
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
        SLOT.add(conn, season, "Division 1", 1, 1, **{"scheduled_at": "2026-10-24 18:00", **fields})
    assert (caught.value.column, told in str(caught.value)) == (column, True)
    assert ops.select(conn, "scheduled_matches", {}) == []


def test_the_days_of_a_round_last_until_five_by_the_clock_of_the_season(conn: psycopg.Connection, season: str) -> None:
    # The clocks go back in the night from the 24th to the 25th.
    for number, time in enumerate(("2026-10-24 05:00", "2026-10-25 00:20", "2026-10-26 04:59"), 1):
        SLOT.add(conn, season, "Division 1", 1, number, scheduled_at=time)
    assert [row["scheduled_at"] for row in ops.select(conn, "scheduled_matches", {})] == [
        datetime(2026, 10, 24, 3, 0, tzinfo=UTC),
        datetime(2026, 10, 24, 22, 20, tzinfo=UTC),
        datetime(2026, 10, 26, 3, 59, tzinfo=UTC),
    ]


def test_a_slot_after_midnight_is_of_the_round_of_its_evening(conn: psycopg.Connection, season: str) -> None:
    ROUND.add(conn, season, "Division 1", 2, first_day=date(2026, 10, 3))
    where = (conn, season, "Division 1", 2, 1)
    SLOT.add(*where, scheduled_at="2026-10-04 00:20")
    told = "2026-10-03 00:20.02:00 is outside Round 2, which is on 2026-10-03: before 05:00 it is still the evening of "
    with pytest.raises(EntryError, match=f"{told}2026-10-02"):
        SLOT.change(*where, scheduled_at="2026-10-03 00:20")
    moved = ROUND.change(conn, season, "Division 1", 2, first_day=date(2026, 10, 2), last_day=date(2026, 10, 2))
    assert moved.notes == ("Outside its days now: match 1. Change their times too, unless they are postponed.",)
    moved = ROUND.change(conn, season, "Division 1", 2, last_day=date(2026, 10, 3))
    assert moved.notes == ()


def test_a_map_nobody_knows_is_taken_as_written(conn: psycopg.Connection, season: str) -> None:
    done = SLOT.add(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00", map_name="Atlantis")
    assert "Atlantis is no map known here" in done.notes[0]
    assert ops.select(conn, "scheduled_matches", {})[0]["map_name"] == "Atlantis"


def test_a_slot_is_a_remake_while_it_has_the_match_that_failed_or_a_reason(
    conn: psycopg.Connection, season: str
) -> None:
    def slot() -> tuple[Any, ...]:
        [row] = ops.select(conn, "scheduled_matches", {})
        return row["is_remake"], row["original_match_id"], row["remake_reason"], row["map_name"]

    where = (conn, season, "Division 1", 1, 1)
    SLOT.add(*where, scheduled_at="2026-10-24 18:00", map_name="Erangel")
    SLOT.change(*where, original_match_id="m-1", remake_reason="crash")
    assert slot() == (True, "m-1", "crash", "Erangel")
    SLOT.change(*where, scheduled_at="2026-10-24 19:00", map_name=None)
    assert slot() == (True, "m-1", "crash", None)
    SLOT.change(*where, original_match_id=None, remake_reason=None)
    assert slot() == (False, None, None, None)


def test_a_match_that_is_played_again_has_a_reason(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    where = (conn, season, "Division 1", 1)
    at: dict[str, Any] = {"scheduled_at": "2026-10-24 18:00"}
    SLOT.add(*where, 1, **at)
    before = all_rows(conn)
    for refused in (
        lambda: SLOT.add(*where, 2, **at, original_match_id="m-1"),
        lambda: SLOT.change(*where, 1, original_match_id="m-1"),
        lambda: SLOT.change(*where, 1, original_match_id="m-1", remake_reason=None),
        lambda: SLOT.change(*where, 1, original_match_id="m-1", remake_reason=" "),
    ):
        with pytest.raises(EntryError) as caught:
            refused()
        assert caught.value.column == "remake_reason"
    text = "division,round,match,scheduled_at,original_match_id\nDivision 1,1,1,2026-10-24 18:00,m-1\n"
    with pytest.raises(ImportRefusedError, match="row 2, remake_reason: Say why match m-1 is played again"):
        SCHEDULE_FILE.take(conn, season=season, file=write(text))
    assert all_rows(conn) == before
    SLOT.change(*where, 1, original_match_id="m-1", remake_reason="crash")
    with pytest.raises(EntryError, match="Say why"):
        SLOT.change(*where, 1, remake_reason=None)
    # The reason that is there holds for another match that failed.
    assert SCHEDULE_FILE.take(conn, season=season, file=write(text.replace("m-1", "m-2"))).counts == {
        ("slot", "changed"): 1
    }


def test_a_remake_of_no_match_that_landed_is_told(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    where, landed = (conn, season, "Division 1", 1), Knows(landed=["m-1"])
    told = "No match m-2 has landed; if the id is right, one that is to land counts as failed."
    remake: dict[str, Any] = {"remake_reason": "crash", "known": landed}
    for number, (match_id, notes) in enumerate((("m-1", ()), ("M-2", (told,))), 1):
        at = f"2026-10-24 18:0{number}"
        assert SLOT.add(*where, number, scheduled_at=at, original_match_id=match_id, **remake).notes == notes
    assert SLOT.change(*where, 2, original_match_id="m-2", known=landed).notes == ()
    text = "division,round,match,scheduled_at,original_match_id\nDivision 1,1,1,2026-10-24 18:00,m-2\n"
    [slot] = SCHEDULE_FILE.take(conn, season=season, file=write(text), known=landed).entered
    assert slot.notes == (told,)


def test_a_match_is_postponed_only_when_it_is_said(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    where = (conn, season, "Division 1", 1)
    later: dict[str, Any] = {"scheduled_at": "2026-10-30 18:00"}
    with pytest.raises(EntryError) as caught:
        SLOT.add(*where, 1, **later)
    assert "--postponed" not in str(caught.value)
    SLOT.add(*where, 1, scheduled_at="2026-10-24 18:00")
    with pytest.raises(EntryError, match=r"outside Round 1, which is .* schedule change ... --postponed"):
        SLOT.change(*where, 1, **later)
    done = SLOT.change(*where, 1, postponed=True, **later)
    assert done.notes == ("It counts for Round 1, though 2026-10-30 is none of its days.",)
    assert SLOT.list(conn)["scheduled_at"].to_list() == ["2026-10-30 18:00+01:00"]
    # What stands is not asked about again.
    assert SLOT.change(*where, 1, map_name="Erangel", **later).outcome == "changed"
    assert ROUND.change(conn, season, "Division 1", 1, status="active").notes == ()
    text = "division,round,match,scheduled_at\nDivision 1,1,1,{}\n"
    assert SCHEDULE_FILE.take(conn, season=season, file=write(text.format("2026-10-30 18:00"))).counts == {
        ("slot", "unchanged"): 1
    }
    with pytest.raises(ImportRefusedError, match=r"row 2, scheduled_at: .* schedule change ... --postponed"):
        SCHEDULE_FILE.take(conn, season=season, file=write(text.format("2026-10-31 18:00")))


def test_slots_of_one_time_are_pointed_out(conn: psycopg.Connection, season: str, write: Callable[..., Path]) -> None:
    where, six = (conn, season, "Division 1", 1), "2026-10-24 18:00"
    told = "of Round 1, all groups are at the same time, 2026-10-24 18:00+02:00: only its map can tell"
    assert SLOT.add(*where, 1, scheduled_at=six, map_name="Erangel").notes == ()
    assert f"Matches 1, 2 {told}" in SLOT.add(*where, 2, scheduled_at=six, map_name="Miramar").notes[0]
    assert SLOT.add(*where, 3, scheduled_at="2026-10-24 19:00").notes == ()
    assert f"Matches 1, 2, 3 {told}" in SLOT.change(*where, 3, scheduled_at=six).notes[0]
    assert SLOT.change(*where, 3, map_name="Taego").notes == ()
    assert SLOT.change(*where, 3, status="cancelled").notes == ()
    assert "Matches 1, 2, 3" in SLOT.change(*where, 3, status="scheduled").notes[0]
    SLOT.change(*where, 3, scheduled_at="2026-10-24 19:00")
    # In a file the rows count together: two that change places are never at one time.
    text = "division,round,match,scheduled_at\nDivision 1,1,2,2026-10-24 {}\nDivision 1,1,3,2026-10-24 {}\n"
    assert SCHEDULE_FILE.take(conn, season=season, file=write(text.format("19:00", "20:00"))).notes == ()
    assert SCHEDULE_FILE.take(conn, season=season, file=write(text.format("20:00", "19:00"))).notes == ()
    [note] = SCHEDULE_FILE.take(conn, season=season, file=write(text.format("19:00", "19:00"))).notes
    assert note.startswith("Matches 2, 3 of Round 1")


def test_a_change_of_a_slot_tells_times_by_the_clock_of_the_season(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    SLOT.add(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00")
    done = SLOT.change(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-25 17:00Z")
    assert done.changes == ("scheduled_at 2026-10-24 18:00+02:00 -> 2026-10-25 18:00+01:00",)
    text = "division,round,match,scheduled_at,time_zone\nDivision 1,1,1,2026-10-24 18:00,Europe/London\n"
    [done] = SCHEDULE_FILE.take(conn, season=season, file=write(text)).entered
    assert done.changes == ("scheduled_at 2026-10-25 18:00+01:00 -> 2026-10-24 19:00+02:00",)


def test_what_is_done_to_a_round_says_of_which_group_it_is(conn: psycopg.Connection, season: str) -> None:
    day: dict[str, Any] = {"first_day": date(2026, 10, 24)}
    assert ROUND.add(conn, season, "Division 1", 1, group="a", **day).what == "round 1 of Division 1, group A"
    assert ROUND.add(conn, season, "Division 2", 1, **day).what == "round 1 of Division 2"
    of_all = ROUND.change(conn, season, "division 1", 1, status="active")
    assert of_all.what == "round 1 of Division 1, all groups"
    assert of_all.notes == ("Group A has a round 1 too; --group means that one.",)
    of_group = ROUND.change(conn, season, "division 1", 1, group="a", status="active")
    assert (of_group.what, of_group.notes) == ("round 1 of Division 1, group A", ())
    slots = [
        SLOT.add(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00", group=group).what
        for group in (None, "A")
    ]
    assert slots == [
        "match 1 of Round 1, all groups, 2026-10-24 18:00+02:00",
        "match 1 of Round 1, group A, 2026-10-24 18:00+02:00",
    ]


def test_a_round_gets_another_number_that_is_free_in_its_place(conn: psycopg.Connection, season: str) -> None:
    day: dict[str, Any] = {"first_day": date(2026, 10, 24)}
    ROUND.add(conn, season, "Division 1", 2, name="Final", **day)
    ROUND.add(conn, season, "Division 1", 1, group="A", **day)
    with pytest.raises(ExistsAlreadyError, match="Round 2 of Division 1, all groups exists already"):
        ROUND.change(conn, season, "Division 1", 1, new_number=2)
    with pytest.raises(EntryError, match="0 is no number"):
        ROUND.change(conn, season, "Division 1", 1, new_number=0)
    ROUND.change(conn, season, "Division 1", 1, group="A", new_number=2)
    ROUND.change(conn, season, "Division 1", 2, new_number=9)
    assert ROUND.change(conn, season, "Division 1", 9, new_number=9).outcome == "unchanged"
    named = {(row["round_number"], row["round_name"]) for row in ops.select(conn, "rounds", {})}
    assert named == {(1, "Round 1"), (9, "Final"), (2, "Round 2")}


def test_a_slot_gets_another_number_that_is_free_in_its_round(conn: psycopg.Connection, season: str) -> None:
    where = (conn, season, "Division 1", 1)
    for number in (1, 2):
        SLOT.add(*where, number, scheduled_at=f"2026-10-24 1{number}:00")
    with pytest.raises(ExistsAlreadyError, match="Match 2 of Round 1, all groups exists already"):
        SLOT.change(*where, 1, new_number=2)
    done = SLOT.change(*where, 1, new_number=3, scheduled_at="2026-10-24 12:00")
    assert "match_number 1 -> 3" in done.changes
    assert "Matches 2, 3" in done.notes[0]
    assert SLOT.list(conn)["match"].to_list() == [2, 3]


def test_a_schedule_that_was_a_mistake_is_removed_from_its_end(conn: psycopg.Connection, season: str) -> None:
    where = (conn, season, "Division 1", 1)
    for number in (1, 2):
        SLOT.add(*where, number, scheduled_at=f"2026-10-24 1{number}:00")
    OVERRIDE.add(conn, "m-1", reason="late", admin="ada", **place(season, "Division 1", 1, 1))
    with pytest.raises(
        StillNeededError, match=r"Match 1 of Round 1.*: override of match m-1 .*override change MATCH_ID --match none"
    ):
        SLOT.remove(*where, 1)
    with pytest.raises(StillNeededError) as caught:
        ROUND.remove(*where)
    assert "; matches 1, 2 (gamestats tournament schedule remove fall 'Division 1' 1 MATCH)" in str(caught.value)
    OVERRIDE.remove(conn, "m-1")
    for number in (1, 2):
        done = SLOT.remove(*where, number)
        assert (done.outcome, done.what) == ("removed", f"match {number} of Round 1, all groups")
    assert ROUND.remove(*where).what == "round 1 of Division 1, all groups"
    assert ops.select(conn, "rounds", {}) == ops.select(conn, "round_status_changes", {}) == []
    with pytest.raises(UnknownNameError, match="no round 1"):
        ROUND.remove(*where)


def test_what_was_played_by_a_removed_slot_or_round_is_placed_anew(conn: psycopg.Connection, season: str) -> None:
    ROUND.add(conn, season, "Division 1", 2, first_day=date(2025, 3, 1))
    SLOT.add(conn, season, "Division 1", 2, 1, scheduled_at="2025-03-01 18:00")
    told = ("If matches were placed there, they are placed anew.",)
    assert SLOT.remove(conn, season, "Division 1", 2, 1).notes == told
    assert ROUND.remove(conn, season, "Division 1", 2).notes == told


def test_a_season_that_was_a_mistake_is_removed_from_its_end(conn: psycopg.Connection, season: str) -> None:
    ROUND.add(conn, season, "Division 1", 1, first_day=FIRST, group="A")
    ROSTER_ENTRY.add(conn, season, "Alpha", "Kim", valid_from=FIRST)
    refused: list[tuple[Callable[[], Any], str]] = [
        (
            lambda: SEASON.remove(conn, "FALL"),
            "Season fall cannot be removed while something refers to it: divisions Division 1, Division 2 "
            "(gamestats tournament division remove fall DIVISION)",
        ),
        (
            lambda: DIVISION.remove(conn, season, "division 1"),
            "Division Division 1 of season fall cannot be removed while something refers to it: "
            "rounds 1 of all groups, 1 of group A (gamestats tournament round remove fall 'Division 1' ROUND); "
            "teams Beta, Alpha (gamestats tournament team remove fall TEAM --division 'Division 1'); "
            "group A (gamestats tournament group remove fall 'Division 1' GROUP)",
        ),
        (
            lambda: GROUP.remove(conn, season, "Division 1", "a"),
            "Group A of Division 1 cannot be removed while something refers to it: "
            "round 1 of group A (gamestats tournament round remove fall 'Division 1' ROUND --group A); team Alpha "
            "(gamestats tournament team change fall TEAM --division 'Division 1' --group none, or remove it)",
        ),
        (
            lambda: TEAM.remove(conn, season, "alpha"),
            "Team Alpha of Division 1 cannot be removed while something refers to it: "
            "roster entry Kim (gamestats tournament roster remove fall Alpha PLAYER --division 'Division 1')",
        ),
    ]
    before = all_rows(conn)
    for remove, told in refused:
        with pytest.raises(StillNeededError) as caught:
            remove()
        assert str(caught.value) == told
    assert all_rows(conn) == before
    ROSTER_ENTRY.remove(conn, season, "Alpha", "Kim")
    for team in ("Alpha", "Beta"):
        assert TEAM.remove(conn, season, team).outcome == "removed"
    ROUND.remove(conn, season, "Division 1", 1, group="A")
    ROUND.remove(conn, season, "Division 1", 1)
    GROUP.remove(conn, season, "Division 1", "A")
    for division in ("Division 1", "Division 2"):
        DIVISION.remove(conn, season, division)
    assert SEASON.remove(conn, season).what == "season fall"
    assert [rows for table, rows in all_rows(conn).items() if table != "changes" and rows] == []


def test_moving_a_round_points_out_the_matches_left_outside(conn: psycopg.Connection, season: str) -> None:
    SLOT.add(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00")
    SLOT.add(conn, season, "Division 1", 1, 2, scheduled_at="2026-10-25 18:00")
    done = ROUND.change(conn, season, "Division 1", 1, first_day=date(2026, 10, 25))
    assert done.notes == ("Outside its days now: match 1. Change their times too, unless they are postponed.",)
    assert SLOT.change(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-25 17:00").outcome == "changed"


def test_the_match_that_failed_is_written_as_matches_write_it(conn: psycopg.Connection, season: str) -> None:
    where = (conn, season, "Division 1", 1, 1)
    remake: dict[str, Any] = {"original_match_id": " 3FA39C78-AB ", "remake_reason": "crash"}
    SLOT.add(*where, scheduled_at="2026-10-24 18:00", **remake)
    [row] = ops.select(conn, "scheduled_matches", {})
    assert row["original_match_id"] == "3fa39c78-ab"
    assert SLOT.change(*where, original_match_id="3fa39c78-AB").outcome == "unchanged"
    [row] = ops.update(conn, "scheduled_matches", {}, {"original_match_id": "M-2 "})
    assert row["original_match_id"] == "m-2"


# --- overrides -----------------------------------------------------------------------------------


def test_the_match_of_an_override_is_written_as_matches_write_it(conn: psycopg.Connection) -> None:
    decided: dict[str, Any] = {"reason": "late", "admin": "ada"}
    done = OVERRIDE.add(conn, " 3FA39C78-AB ", validation_status="confirmed", **decided)
    assert done.what == "override of match 3fa39c78-ab"
    with pytest.raises(ExistsAlreadyError):
        OVERRIDE.add(conn, "3fa39c78-aB", validation_status="confirmed", **decided)
    OVERRIDE.change(conn, "3FA39C78-ab", validation_status="unscheduled", **decided)
    [row] = ops.select(conn, "match_overrides", {})
    assert (row["match_id"], row["validation_status"]) == ("3fa39c78-ab", "unscheduled")
    OVERRIDE.remove(conn, " 3FA39C78-AB")
    assert ops.select(conn, "match_overrides", {}) == []
    row = ops.insert(conn, "match_overrides", {"match_id": "M-2 ", "is_tournament_match": True, **decided})
    assert row["match_id"] == "m-2"


def test_an_override_of_no_match_that_landed_is_told(conn: psycopg.Connection) -> None:
    landed = Knows(landed=["m-1"])
    for match_id, notes in (("m-1", ()), ("m-2", ("No match m-2 has landed; the override waits for one.",))):
        done = OVERRIDE.add(conn, match_id, reason="r", admin="ada", validation_status="confirmed", known=landed)
        assert done.notes == notes
    told = OVERRIDE.list(conn, known=landed).select("match_id", "note").sort("match_id").rows()
    assert told == [("m-1", None), ("m-2", "no such match landed")]


def test_an_override_is_made_changed_and_taken_back(conn: psycopg.Connection, season: str) -> None:
    SLOT.add(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00")
    OVERRIDE.add(
        conn, "m-1", reason="an hour late", admin="ada", **place(season, "Division 1", 1, 1), is_tournament_match=True
    )
    row = OVERRIDE.list(conn).row(0, named=True)
    named = [row[name] for name in ("season", "division", "round", "match", "is_tournament_match", "reason", "admin")]
    assert named == ["fall", "Division 1", 1, 1, True, "an hour late", "ada"]
    OVERRIDE.change(conn, "m-1", reason="warm-up", admin="bob", season=None, is_tournament_match=False)
    [stored] = ops.select(conn, "match_overrides", {})
    assert (stored["round_id"], stored["scheduled_match_id"], stored["is_tournament_match"]) == (None, None, False)
    assert (stored["reason"], stored["admin"]) == ("warm-up", "bob")
    OVERRIDE.remove(conn, "m-1")
    assert OVERRIDE.list(conn).height == 0


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"reason": " ", "validation_status": "confirmed"}, "reason is empty"),
        ({"admin": "", "validation_status": "confirmed"}, "admin is empty"),
        ({}, "Nothing is decided"),
        ({"season": None, "validation_status": None}, "Nothing is decided"),
        ({"validation_status": "fine"}, "none of confirmed"),
        ({"is_tournament_match": False, **place("fall", "Division 1", 1)}, "has no round"),
        ({"match_id": "m 1", "validation_status": "confirmed"}, "no match id"),
        (place("fall", "Division 1", 1, 9), "no match 9 in Round 1"),
    ],
)
def test_an_override_with_a_wrong_field_is_refused(
    conn: psycopg.Connection, season: str, fields: dict[str, Any], told: str
) -> None:
    values: dict[str, Any] = {"match_id": "m-1", "reason": "late", "admin": "ada", **fields}
    with pytest.raises(EntryError) as caught:
        OVERRIDE.add(conn, **values)
    assert told in str(caught.value)
    assert ops.select(conn, "match_overrides", {}) == []


def test_a_name_comes_back_from_a_list_that_was_made_for_spreadsheets(
    conn: psycopg.Connection, write: Callable[..., Path]
) -> None:
    PLAYER_FILE.take(conn, file=write("player\n'-Alpha-\n'quoted\n"))
    names = conn.execute("select player_name from ops.tracked_players order by 1").fetchall()
    assert names == [("'quoted",), ("-Alpha-",)]


def test_a_match_has_one_override(conn: psycopg.Connection, season: str) -> None:
    OVERRIDE.add(conn, "m-1", reason="r", admin="ada", validation_status="confirmed")
    with pytest.raises(ExistsAlreadyError):
        OVERRIDE.add(conn, "m-1", reason="r", admin="ada", validation_status="confirmed")
    with pytest.raises(UnknownNameError, match="has no override"):
        OVERRIDE.remove(conn, "m-2")


# --- tracked players -----------------------------------------------------------------------------


def test_a_name_that_the_api_cannot_be_asked_for_is_refused(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    """The API takes names with commas between them: with `Kim,Lee` it is asked for two others."""
    TRACKED_PLAYER.add(conn, "Kim")
    ROSTER_ENTRY.add(conn, season, "Alpha", "Kim", valid_from=FIRST)
    before = all_rows(conn)
    for refused in (
        lambda: TRACKED_PLAYER.add(conn, "Kim,Lee"),
        lambda: TRACKED_PLAYER.change(conn, "Kim", player_name="Kim, Lee"),
        lambda: ROSTER_ENTRY.add(conn, season, "Alpha", "Kim,Lee", valid_from=FIRST),
        lambda: ROSTER_ENTRY.change(conn, season, "Alpha", "Kim", player_name="Kim,"),
    ):
        with pytest.raises(EntryError, match="has a comma") as caught:
            refused()
        assert caught.value.column in ("player", "player_name")
    with pytest.raises(ImportRefusedError, match="row 2, player: 'Lee,Mia' has a comma"):
        PLAYER_FILE.take(conn, file=write('player\n"Lee,Mia"\n'))
    with pytest.raises(ImportRefusedError, match="row 2, player: 'Lee,Mia' has a comma"):
        ROSTER_FILE.take(
            conn, season=season, file=write("division;team;player\nDivision 1;Beta;Lee,Mia\n"), valid_from=FIRST
        )
    for name in ("Kim,Lee", "Kim\tLee", "Kim\nLee"):
        with pytest.raises(RefusedEntryError, match="name_without_comma"):
            ops.insert(conn, "tracked_players", {"player_name": name})
        with pytest.raises(RefusedEntryError, match="name_without_comma"):
            ops.update(conn, "roster_entries", {"player_name": "Kim"}, {"player_name": name})
    assert all_rows(conn) == before
    # Whom the game may have, on any platform.
    for name in ("xX_Kim-99_Xx", "Kim Lee", "김선수", "Kim;Lee", "Kim#1234"):
        TRACKED_PLAYER.add(conn, name)


def test_players_are_tracked_by_name_or_account_once_each(conn: psycopg.Connection) -> None:
    look_up = Knows(Kim=KIM)
    TRACKED_PLAYER.add(conn, "Kim", known=look_up)
    TRACKED_PLAYER.add(conn, "Zoe", shard="kakao", backfill_days=30)
    for again in ("Kim", KIM):
        with pytest.raises(ExistsAlreadyError, match="is tracked already"):
            TRACKED_PLAYER.add(conn, again, known=look_up)
    with pytest.raises(ExistsAlreadyError, match=r"NewKim \(as Kim\) is tracked already"):
        TRACKED_PLAYER.add(conn, "NewKim", account_id=KIM)
    with pytest.raises(ExistsAlreadyError):
        TRACKED_PLAYER.add(conn, "Zoe", shard="kakao")
    TRACKED_PLAYER.add(conn, "Zoe")  # somebody else, on another platform
    assert TRACKED_PLAYER.list(conn).drop("added_at").rows() == [
        ("Kim", KIM, "steam", True, 180),
        ("Zoe", None, "kakao", True, 30),
        ("Zoe", None, "steam", True, 180),
    ]


def test_a_name_that_changed_hands_can_be_tracked_again(conn: psycopg.Connection) -> None:
    TRACKED_PLAYER.add(conn, "Kim", account_id=KIM)
    TRACKED_PLAYER.add(conn, "Kim", account_id=LEE)
    with pytest.raises(UnknownNameError, match="Several players named Kim"):
        TRACKED_PLAYER.change(conn, "Kim", is_active=False)
    TRACKED_PLAYER.change(conn, LEE, is_active=False)
    assert [row["is_active"] for row in ops.select(conn, "tracked_players", {})] == [True, False]


def test_an_inactive_player_keeps_the_row(conn: psycopg.Connection) -> None:
    TRACKED_PLAYER.add(conn, "Kim")
    done = TRACKED_PLAYER.change(conn, "Kim", is_active=False, account_id=KIM)
    assert done.outcome == "changed"
    with pytest.raises(ExistsAlreadyError, match="tracked already, but inactive"):
        TRACKED_PLAYER.add(conn, "Kim")
    with pytest.raises(UnknownNameError, match="No player 'Kym' is tracked; did you mean Kim"):
        TRACKED_PLAYER.change(conn, "Kym", is_active=True)


def test_a_tracked_player_who_was_a_mistake_is_removed_while_nothing_was_taken_up(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    for player, account in (("Shruod", None), ("Kim", KIM), ("Lee", LEE), ("Mia", MIA)):
        TRACKED_PLAYER.add(conn, player, account_id=account)
    held = lake_holding(tmp_path, PlayerMatches, {"tracked_player": KIM, "account_id": KIM, "match_id": "m-1"})
    held.note(PlayerCirclePositions, Note(units={MIA: {f"m-{number}": ("", NO_ROWS) for number in (1, 2)}}))

    done = TRACKED_PLAYER.remove(conn, "Shruod", known=Knows(held))
    assert (done.outcome, done.what) == ("removed", "player Shruod on steam")
    TRACKED_PLAYER.remove(conn, LEE, known=Knows(held))
    for player, matches in (("Kim", "1 match was"), ("Mia", "2 matches were")):
        told = f"{player} on steam cannot be removed: {matches} taken .* players change {player} --inactive"
        with pytest.raises(StillNeededError, match=told):
            TRACKED_PLAYER.remove(conn, player, known=Knows(held))
    assert [row["player_name"] for row in ops.select(conn, "tracked_players", {})] == ["Kim", "Mia"]
    assert len(ops.select(conn, "backfills", {})) == 2
    with pytest.raises(UnknownNameError, match="No player 'Shruod' is tracked"):
        TRACKED_PLAYER.remove(conn, "Shruod")


def test_removing_one_tracked_player_does_not_let_another_be_deleted(conn: psycopg.Connection) -> None:
    for player in ("Kim", "Lee"):
        TRACKED_PLAYER.add(conn, player)
    TRACKED_PLAYER.remove(conn, "Kim")
    ops.delete(conn, "backfills", {})
    with pytest.raises(RefusedEntryError, match=r"is_active = false for Lee.*players remove"):
        ops.delete(conn, "tracked_players", {"player_name": "Lee"})


# --- discovery -----------------------------------------------------------------------------------


def test_matches_that_were_found_and_cannot_be_had_are_listed_with_the_reason(conn: psycopg.Connection) -> None:
    for number, (shard, state, reason) in enumerate(
        [
            ("steam", "failed", "The file is broken."),
            ("steam", "expired", None),
            ("steam", "archived", None),
            ("kakao", "registered", "The API is down."),
            ("kakao", "failed", "The file is broken."),
            ("steam", "failed", "No answer."),
        ]
    ):
        found = {"discovered_by": "tournament", "discovered_at": datetime(2026, 10, 1 + number, tzinfo=UTC)}
        ops.insert(
            conn,
            "matches_discovered",
            {"match_id": f"m-{number}", "shard": shard, "state": state, "last_error": reason, **found},
        )
    columns = ("match_id", "shard", "state", "reason")
    assert list_discovered(conn).select(columns).rows() == [
        ("m-5", "steam", "failed", "No answer."),
        ("m-4", "kakao", "failed", "The file is broken."),
        ("m-1", "steam", "expired", "The API has forgotten it."),
        ("m-0", "steam", "failed", "The file is broken."),
    ]
    assert list_discovered(conn, ["registered"]).select(columns).rows() == [
        ("m-3", "kakao", "registered", "The API is down.")
    ]
    assert count_not_fetched(conn) == {"kakao": {"failed": 1}, "steam": {"failed": 2, "expired": 1}}
    with pytest.raises(EntryError, match="'lost' is none of registered"):
        list_discovered(conn, ["lost"])


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


TRANSFERS = """\
Division 1,Alpha,Kim,,2026-10-01,2026-10-10
Division 1,Beta,Kim,{kim},2026-10-11,2026-10-20
Division 2,Gamma,Kim,{kim},2026-10-21,
Division 1,Beta,Lee,,2026-10-01,2026-10-10
Division 1,Beta,Lee,,2026-10-21,
Division 1,Alpha,Lee,,2026-10-11,2026-10-20
""".format(kim=KIM).splitlines()  # noqa: UP032


@pytest.mark.parametrize("seed", range(8))
def test_the_order_of_the_rows_of_a_roster_file_does_not_matter(
    conn: psycopg.Connection, season: str, write: Callable[..., Path], seed: int
) -> None:
    ROSTER_ENTRY.add(conn, season, "Alpha", "Kim", valid_from=FIRST)
    ROSTER_ENTRY.add(conn, season, "Beta", "Lee", valid_from=FIRST)
    rows = TRANSFERS[::-1] if seed == 0 else random.Random(seed).sample(TRANSFERS, len(TRANSFERS))
    text = "\n".join(["division,team,player,account_id,valid_from,valid_until", *rows])
    done = ROSTER_FILE.take(conn, season=season, file=write(text))
    assert done.counts[("roster entry", "changed")] == 2
    assert done.counts[("roster entry", "created")] == 4
    on = {
        (player, team, first.day, last and last.day)
        for player, team, first, last in ROSTER_ENTRY.list(conn, season)
        .select("player", "team", "valid_from", "valid_until")
        .rows()
    }
    assert on == {
        ("Kim", "Alpha", 1, 10),
        ("Kim", "Beta", 11, 20),
        ("Kim", "Gamma", 21, None),
        ("Lee", "Beta", 1, 10),
        ("Lee", "Alpha", 11, 20),
        ("Lee", "Beta", 21, None),
    }


def test_a_transfer_that_is_not_whole_is_told_by_its_row(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    ROSTER_ENTRY.add(conn, season, "Alpha", "Kim", valid_from=FIRST)
    ROSTER_ENTRY.add(conn, season, "Alpha", "Lee", valid_from=FIRST)
    before = all_rows(conn)
    text = "division,team,player,valid_from,valid_until\n"
    text += "Division 1,Beta,Kim,2026-10-10,\nDivision 1,Beta,Lee,2026-10-11,\n"
    text += "Division 1,Alpha,Kim,2026-10-01,2026-10-10\nDivision 1,Alpha,Lee,2026-10-01,2026-10-10\n"
    with pytest.raises(ImportRefusedError) as caught:
        ROSTER_FILE.take(conn, season=season, file=write(text))
    told = "Kim is on the roster of Alpha already from 2026-10-01 to 2026-10-10; one player may be on one roster a day."
    assert caught.value.mistakes == (Mistake(2, "player", told),)
    assert all_rows(conn) == before


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
    done = ROSTER_FILE.take(conn, season=season, file=write(ROSTERS), valid_from=FIRST, known=Knows(Kim=KIM))
    assert done.counts == {("team", "unchanged"): 1, ("team", "created"): 1, ("roster entry", "created"): 3}
    assert ROSTER_ENTRY.list(conn, season).drop("season").rows() == [
        ("Division 1", "Alpha", "Kim", KIM, "player", FIRST, None),
        ("Division 1", "Alpha", "Lee", LEE, "substitute", FIRST, date(2026, 12, 1)),
        ("Division 2", "Gamma", "Mia", None, "stand_in", date(2026, 10, 3), date(2026, 10, 3)),
    ]
    assert TEAM.list(conn, season).drop("season").rows() == [
        ("Division 1", None, "Beta", None, 0),
        ("Division 1", "A", "Alpha", "ALP", 2),
        ("Division 2", None, "Gamma", "GAM", 1),
    ]


@pytest.mark.parametrize("kind", ["rosters", "schedule", "players"])
def test_taking_a_file_again_changes_nothing(
    conn: psycopg.Connection, season: str, write: Callable[..., Path], kind: str
) -> None:
    def take() -> Import:
        if kind == "rosters":
            return ROSTER_FILE.take(conn, season=season, file=write(ROSTERS), valid_from=FIRST)
        if kind == "schedule":
            return SCHEDULE_FILE.take(conn, season=season, file=write(SCHEDULE))
        return PLAYER_FILE.take(conn, file=write("player,active,shard\nKim,,\nLee,no,kakao\n"))

    assert "created" in {outcome for _, outcome in take().counts}
    before = all_rows(conn)
    assert {outcome for _, outcome in take().counts} == {"unchanged"}
    assert all_rows(conn) == before


def test_a_roster_file_changes_what_it_says_and_leaves_the_rest(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    ROSTER_FILE.take(conn, season=season, file=write(ROSTERS), valid_from=FIRST)
    text = "division;team;player;tag;valid_from;valid_until\nDivision 1;Alpha;Kim;AL;2026-10-01;2026-11-01\n"
    done = ROSTER_FILE.take(conn, season=season, file=write(text, "utf-8-sig"), known=Knows(Kim=KIM))
    assert done.counts == {("team", "changed"): 1, ("roster entry", "changed"): 1}
    assert ROSTER_ENTRY.list(conn, season).select("player", "account_id", "role", "valid_until").rows() == [
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
        ROSTER_FILE.take(conn, season=season, file=write(text))
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
    assert "row 8, player: row 2 says it already: Kim on the roster of Gamma, from 2026-10-01 on." in str(caught.value)
    assert all_rows(conn) == before


def test_a_mistake_that_several_rows_have_is_told_once_with_the_rows(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    text = "division,team,player,role\n" + "".join(f"Division 1,Alpha,P{number},\n" for number in range(2, 32))
    text += "Divison 1,Alpha,Kim,coach\n\nDivision 1,Alpha,Lee,\nDivision 1,Beta,Mia,coach\n"
    with pytest.raises(ImportRefusedError) as caught:
        ROSTER_FILE.take(conn, season=season, file=write(text))
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(": ")[0] for line in lines] == [
        "- rows 2 to 32, 34 to 35, valid_from",
        "- row 32, division",
        "- rows 32, 35, role",
    ]
    assert lines[0].endswith("is empty; write the first day, or give one for all with --valid-from.")


def test_a_schedule_file_makes_slots_in_the_zone_of_the_season_of_the_row_or_by_offset(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    SCHEDULE_FILE.take(conn, season=season, file=write(SCHEDULE))
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
        SCHEDULE_FILE.take(conn, season=season, file=write(text))
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
    SCHEDULE_FILE.take(conn, season=season, file=write(SCHEDULE))
    text = "division,round,match,scheduled_at,original_match_id,remake_reason\n"
    text += "Division 1,1,1,2026-10-24 19:00,M-1,server crash\n"
    done = SCHEDULE_FILE.take(conn, season=season, file=write(text))
    assert done.counts == {("slot", "changed"): 1}
    [row] = ops.select(conn, "scheduled_matches", {"match_number": 1})
    assert (row["is_remake"], row["original_match_id"], row["map_name"]) == (True, "m-1", "Erangel")


def test_every_mistake_of_a_players_file_is_told_and_nothing_is_taken(
    conn: psycopg.Connection, write: Callable[..., Path]
) -> None:
    text = "player,account_id,shard,backfill_days,active\n"
    text += f"Kim,,,,\nLee,nonsense,,,\nMia,,Steam!,-3,perhaps\n{KIM},,,,\nZoe,{KIM},,,\nKim,,,,\n"
    with pytest.raises(ImportRefusedError) as caught:
        PLAYER_FILE.take(conn, file=write(text))
    assert mistakes_of(caught) == [
        (3, "account_id"),
        (4, "active"),
        (4, "backfill_days"),
        (4, "shard"),
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
        PLAYER_FILE.take(conn, file=write(text, encoding))
    assert mistake in caught.value.mistakes
    assert ops.select(conn, "tracked_players", {}) == []


def test_a_dry_run_finds_mistakes_and_writes_nothing(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    before = all_rows(conn)
    done = ROSTER_FILE.take(conn, season=season, file=write(ROSTERS), valid_from=FIRST, dry_run=True)
    assert done.counts[("roster entry", "created")] == 3
    assert all_rows(conn) == before
    with pytest.raises(ImportRefusedError):
        ROSTER_FILE.take(conn, season=season, file=write(ROSTERS), dry_run=True)


@pytest.mark.parametrize(
    ("columns", "command"),
    [
        (ROSTER_FILE.columns, ["tournament", "roster", "import"]),
        (SCHEDULE_FILE.columns, ["tournament", "schedule", "import"]),
        (PLAYER_FILE.columns, ["players", "import"]),
    ],
    ids=["rosters", "schedule", "players"],
)
def test_the_help_tells_every_column_of_a_file(columns: tuple[Column, ...], command: list[str]) -> None:
    from typer.testing import CliRunner

    from gamestats_assets.cli import app

    shown = " ".join(CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "500"}).stdout.split())
    for column in columns:
        assert f"{column.name}: {column.hint}" in shown.replace("`", "")


# --- what was entered before ---------------------------------------------------------------------


def test_what_was_entered_before_names_had_to_be_exact_does_not_stand_in_the_way(fresh_database: str) -> None:
    url = SecretStr(fresh_database)
    ops.migrate(url)
    ops.downgrade(url, "0002")
    decided = {"is_tournament_match": True, "reason": "r", "admin": "ada"}
    with connect(url) as conn:
        ops.insert(conn, "seasons", {"season": "old", "name": "Old", "time_zone": "europe/berlin"})
        DIVISION.add(conn, "old", "D")
        TEAM.add(conn, "old", "D", "T")
        team = ops.select(conn, "teams", {})[0]["team_id"]
        ops.insert(conn, "roster_entries", {"team_id": team, "player_name": "a,b", "valid_from": FIRST})
        ops.insert(conn, "tracked_players", {"player_name": "a,b"})
        for match_id in ("M-1", "M-2", "m-2", "M-A", "m-A", "m-4"):
            ops.insert(conn, "match_overrides", {"match_id": match_id, **decided})
    ops.migrate(url)
    with connect(url) as conn:
        # Of two overrides of one match, that in small letters was in force; else the newer one is, or that alone.
        overridden = [row["match_id"] for row in ops.select(conn, "match_overrides", {})]
        assert sorted(overridden) == ["M-2", "M-A", "m-1", "m-2", "m-4", "m-a"]
        OVERRIDE.remove(conn, "M-2")
        assert ops.select(conn, "match_overrides", {"match_id": "m-2"}) != []
        assert ops.select(conn, "seasons", {})[0]["time_zone"] == "europe/berlin"
        TRACKED_PLAYER.change(conn, "a,b", is_active=False)
        with pytest.raises(RefusedEntryError, match="name_without_comma"):
            TRACKED_PLAYER.change(conn, "a,b", is_active=True)
        ROSTER_ENTRY.remove(conn, "old", "T", "a,b")
        SEASON.change(conn, "old", time_zone="Europe/Berlin")
