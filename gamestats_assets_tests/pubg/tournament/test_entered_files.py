"""Files of what people enter: what is taken, what is refused, and what is said."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.csv_files import Import, ImportRefusedError, Mistake
from gamestats_assets.pubg.players.entered.files import PLAYER_FILE
from gamestats_assets.pubg.tournament.entered import ROSTER_ENTRY, TEAM
from gamestats_assets.pubg.tournament.entered.files import ROSTER_FILE, SCHEDULE_FILE
from gamestats_assets_tests.pubg.tournament.entering import (
    FIRST,
    KIM,
    LEE,
    SCHEDULE,
    Knows,
    all_rows,
)

# --- files ---------------------------------------------------------------------------------------

ROSTERS = """\
division,group,team,tag,player,account_id,role,valid_from,valid_until
Division 1,A,Alpha,ALP,Kim,,,2026-10-01,
Division 1,A,Alpha,,Lee,{lee},substitute,,2026-12-01

Division 2,,Gamma,GAM,"Mia",,stand_in,2026-10-03,2026-10-03
""".format(lee=LEE)  # noqa: UP032
TRANSFERS = """\
Division 1,Alpha,Kim,,2026-10-01,2026-10-10
Division 1,Beta,Kim,{kim},2026-10-11,2026-10-20
Division 2,Gamma,Kim,{kim},2026-10-21,
Division 1,Beta,Lee,,2026-10-01,2026-10-10
Division 1,Beta,Lee,,2026-10-21,
Division 1,Alpha,Lee,,2026-10-11,2026-10-20
""".format(kim=KIM).splitlines()  # noqa: UP032


@pytest.mark.parametrize("seed", range(3))
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
    message = (
        "Kim is on the roster of Alpha already from 2026-10-01 to 2026-10-10; one player may be on one roster a day."
    )
    assert caught.value.mistakes == (Mistake(2, "player", message),)
    assert all_rows(conn) == before


def mistakes_of(caught: pytest.ExceptionInfo[ImportRefusedError]) -> list[tuple[int, str]]:
    return [(mistake.row, mistake.column) for mistake in caught.value.mistakes]


def test_a_roster_file_makes_teams_and_entries(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    done = ROSTER_FILE.take(conn, season=season, file=write(ROSTERS), valid_from=FIRST, context=Knows(Kim=KIM))
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
    done = ROSTER_FILE.take(conn, season=season, file=write(text, "utf-8-sig"), context=Knows(Kim=KIM))
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
    with pytest.raises(ImportRefusedError, match="12 mistakes; nothing was imported") as caught:
        SCHEDULE_FILE.take(conn, season=season, file=write(text))
    assert mistakes_of(caught) == [
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
    ]
    assert all_rows(conn) == before


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
