"""Seasons, divisions, groups, teams, rosters and tracked players, as people enter them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.delta.ledger import NO_ROWS, Note
from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.csv_files import ImportRefusedError
from gamestats_assets.lakehouse.entries.declared import ExistsAlreadyError, StillNeededError, UnknownNameError
from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.lakehouse.entries.ops import RefusedEntryError
from gamestats_assets.pubg.players.entered import TRACKED_PLAYER
from gamestats_assets.pubg.players.entered.files import PLAYER_FILE
from gamestats_assets.pubg.players.entered.people import Player, Seen, player_of
from gamestats_assets.pubg.source.found_matches import count_not_fetched, list_discovered
from gamestats_assets.pubg.tables import PlayerCirclePositions, PlayerMatches, TournamentLineups
from gamestats_assets.pubg.tournament.entered import DIVISION, GROUP, ROSTER_ENTRY, ROUND, SEASON, SLOT, TEAM
from gamestats_assets.pubg.tournament.entered.files import ROSTER_FILE, SCHEDULE_FILE
from gamestats_assets_tests.pubg.tournament.entering import (
    FIRST,
    KIM,
    LEE,
    MIA,
    SCHEDULE,
    Knows,
    all_rows,
    in_lake,
    lake_holding,
    lake_with,
)

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
    with pytest.raises(UnknownNameError, match="Division 1 and Division 2; choose one with --division"):
        TEAM.change(conn, season, "Alpha", tag="A")
    TEAM.change(conn, season, "Alpha", division="Division 2", tag="A2")
    assert [row["tag"] for row in ops.select(conn, "teams", {"team_name": "Alpha"})] == ["ALP", "A2"]


def test_a_team_can_leave_its_group_and_lose_its_tag(conn: psycopg.Connection, season: str) -> None:
    done = TEAM.change(conn, season, "Alpha", group=None, tag=None, name="Alpha Esports")
    assert done.changes == ("tag ALP -> none", "team_name Alpha -> Alpha Esports", "group A -> none")
    [row] = ops.select(conn, "teams", {"team_name": "Alpha Esports"})
    assert (row["group_id"], row["tag"]) == (None, None)


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
    message = "season change fall --time-zone"
    where = (conn, wrong_zone, "Division 1", 1)
    with pytest.raises(EntryError, match=message):
        SLOT.add(*where, 2, scheduled_at="2026-10-24 18:00")
    with pytest.raises(EntryError, match=message):
        ROUND.change(*where, last_day=date(2026, 10, 26))
    with pytest.raises(ImportRefusedError, match=message):
        SCHEDULE_FILE.take(conn, season=wrong_zone, file=write(SCHEDULE))
    SEASON.change(conn, wrong_zone, time_zone="Europe/Berlin")
    SLOT.add(*where, 2, scheduled_at="2026-10-24 18:00")


# --- players by name -----------------------------------------------------------------------------


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
    seen = in_lake(lake).players(["Kim", "Twin", "mia", MIA])
    assert seen.accounts == {"Kim": KIM, "Mia": MIA, "MiaPro": MIA}
    assert seen.names[MIA] == "MiaPro"
    assert seen.other_capitals("mia") == "Mia"
    assert in_lake(Lake(tmp_path / "empty")).players(["Kim"]) == Seen({}, {})


def test_a_player_on_a_roster_gets_the_account_that_matches_know_unless_one_is_given(
    conn: psycopg.Connection, season: str
) -> None:
    look_up = Knows(Kim=KIM, Lee=LEE)
    ROSTER_ENTRY.add(conn, season, "Alpha", "Kim", valid_from=FIRST, context=look_up)
    ROSTER_ENTRY.add(conn, season, "Alpha", "Lee", valid_from=FIRST, account_id=MIA, context=look_up)
    unknown = ROSTER_ENTRY.add(conn, season, "Alpha", "Zoe", valid_from=FIRST, context=look_up)
    by_account = ROSTER_ENTRY.add(conn, season, "Beta", LEE, valid_from=FIRST, context=look_up)
    found = ops.select(conn, "roster_entries", {})
    assert [(row["player_name"], row["account_id"]) for row in found] == [
        ("Kim", KIM),
        ("Lee", MIA),
        ("Zoe", None),
        ("Lee", LEE),
    ]
    assert (by_account.notes, "Zoe is in no match yet" in unknown.notes[0]) == ((), True)


@pytest.mark.parametrize("account", ["account.12", "shroud", "ai.332", KIM.upper()])
def test_what_is_no_account_id_is_refused(account: str) -> None:
    with pytest.raises(EntryError, match="is not an account id") as caught:
        player_of("Kim", account, Seen())
    assert caught.value.column == "account_id"


def test_a_name_written_with_other_capitals_is_pointed_out() -> None:
    message = player_of("kim", None, Seen({"Kim": KIM}))
    assert message == Player("kim", None, ("kim is in no match, but Kim is; capitals matter.",))


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
    with pytest.raises(UnknownNameError, match="from 2026-10-03, 2026-10-10; choose one by its first day: --since 20"):
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
    with pytest.raises(ExistsAlreadyError, match="already on the roster of Alpha from 2026-10-01"):
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
        return ROSTER_ENTRY.remove(conn, season, "Alpha", player, context=Knows(lake)).notes

    assert "Kim played 3 matches for Alpha by this entry; they are counted again without it." in notes("Kim")[0]
    assert "Mia played 1 match for Alpha by this entry; it is counted again without it." in notes("Mia")[0]
    assert notes("Lee") == ()


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
        with pytest.raises(EntryError, match="contains a comma") as caught:
            refused()
        assert caught.value.column in ("player", "player_name")
    with pytest.raises(ImportRefusedError, match="row 2, player: 'Lee,Mia' contains a comma"):
        PLAYER_FILE.take(conn, file=write('player\n"Lee,Mia"\n'))
    with pytest.raises(ImportRefusedError, match="row 2, player: 'Lee,Mia' contains a comma"):
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
    TRACKED_PLAYER.add(conn, "Kim", context=look_up)
    TRACKED_PLAYER.add(conn, "Zoe", shard="kakao", backfill_days=30)
    for again in ("Kim", KIM):
        with pytest.raises(ExistsAlreadyError, match="is tracked already"):
            TRACKED_PLAYER.add(conn, again, context=look_up)
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

    done = TRACKED_PLAYER.remove(conn, "Shruod", context=Knows(held))
    assert (done.outcome, done.what) == ("removed", "player Shruod on steam")
    TRACKED_PLAYER.remove(conn, LEE, context=Knows(held))
    for player, matches in (("Kim", "1 match is"), ("Mia", "2 matches are")):
        message = (
            f"{player} on steam cannot be removed: {matches} already backfilled.* players change {player} --inactive"
        )
        with pytest.raises(StillNeededError, match=message):
            TRACKED_PLAYER.remove(conn, player, context=Knows(held))
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
            ("kakao", "wanted", "The API is down."),
            ("kakao", "failed", "The file is broken."),
            ("steam", "failed", "No answer."),
        ]
    ):
        found = {"discovered_by": "tournament", "found_at": datetime(2026, 10, 1 + number, tzinfo=UTC)}
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
    assert list_discovered(conn, ["wanted"]).select(columns).rows() == [("m-3", "kakao", "wanted", "The API is down.")]
    assert count_not_fetched(conn) == {"kakao": {"failed": 1}, "steam": {"failed": 2, "expired": 1}}
    with pytest.raises(EntryError, match="'lost' is none of wanted"):
        list_discovered(conn, ["lost"])
