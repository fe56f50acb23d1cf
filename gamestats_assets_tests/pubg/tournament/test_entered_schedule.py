"""Rounds, the schedule and overrides, as people enter them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.csv_files import ImportRefusedError
from gamestats_assets.lakehouse.entries.declared import ExistsAlreadyError, StillNeededError, UnknownNameError
from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.pubg.tournament.entered import DIVISION, GROUP, OVERRIDE, ROSTER_ENTRY, ROUND, SEASON, SLOT, TEAM
from gamestats_assets.pubg.tournament.entered.files import SCHEDULE_FILE
from gamestats_assets_tests.pubg.tournament.entering import (
    FIRST,
    Knows,
    all_rows,
    place,
)

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
    with pytest.raises(UnknownNameError, match=r"Round 2 of Division 1 is one of groups \(A\); choose one with"):
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
    ("fields", "column", "message"),
    [
        ({"scheduled_at": "2026-10-25 02:30"}, "scheduled_at", "comes twice"),
        ({"scheduled_at": "2026-10-26 05:00"}, "scheduled_at", "outside Round 1, which is from 2026-10-24"),
        ({"scheduled_at": "2026-10-23 23:59"}, "scheduled_at", "outside Round 1"),
        (
            {"scheduled_at": "2026-10-24 00:20"},
            "scheduled_at",
            "from 2026-10-24 to 2026-10-25: before 05:00 it still counts as the evening of 2026-10-23; change",
        ),
        ({"scheduled_at": "2026-10-24 04:59"}, "scheduled_at", "outside Round 1"),
        ({"scheduled_at": "2026-10-26 05:00"}, "scheduled_at", "to 2026-10-25; change"),
        ({"map_name": "Erangle"}, "map", "did you mean Erangel"),
        ({"status": "late"}, "status", "none of scheduled"),
        ({"original_match_id": "m 1"}, "original_match_id", "is not a match id"),
        ({"time_zone": "Berlin"}, "time_zone", "Europe/Berlin"),
    ],
)
def test_a_slot_with_a_wrong_field_is_refused(
    conn: psycopg.Connection, season: str, fields: dict[str, Any], column: str, message: str
) -> None:
    with pytest.raises(EntryError) as caught:
        SLOT.add(conn, season, "Division 1", 1, 1, **{"scheduled_at": "2026-10-24 18:00", **fields})
    assert (caught.value.column, message in str(caught.value)) == (column, True)
    assert ops.select(conn, "scheduled_matches", {}) == []


def test_a_slot_after_midnight_is_of_the_round_of_its_evening(conn: psycopg.Connection, season: str) -> None:
    ROUND.add(conn, season, "Division 1", 2, first_day=date(2026, 10, 3))
    where = (conn, season, "Division 1", 2, 1)
    SLOT.add(*where, scheduled_at="2026-10-04 00:20")
    message = "2026-10-03 00:20.02:00 is outside Round 2, which is on 2026-10-03: before 05:00 it still counts as the"
    with pytest.raises(EntryError, match=f"{message} evening of 2026-10-02"):
        SLOT.change(*where, scheduled_at="2026-10-03 00:20")
    moved = ROUND.change(conn, season, "Division 1", 2, first_day=date(2026, 10, 2), last_day=date(2026, 10, 2))
    assert moved.notes == ("Now outside its days: match 1. Change their times too, unless they are postponed.",)
    moved = ROUND.change(conn, season, "Division 1", 2, last_day=date(2026, 10, 3))
    assert moved.notes == ()


def test_a_map_nobody_knows_is_taken_as_written(conn: psycopg.Connection, season: str) -> None:
    done = SLOT.add(conn, season, "Division 1", 1, 1, scheduled_at="2026-10-24 18:00", map_name="Atlantis")
    assert "Atlantis is not a known map" in done.notes[0]
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
    with pytest.raises(ImportRefusedError, match="row 2, remake_reason: Give the reason for the remake of match m-1"):
        SCHEDULE_FILE.take(conn, season=season, file=write(text))
    assert all_rows(conn) == before
    SLOT.change(*where, 1, original_match_id="m-1", remake_reason="crash")
    with pytest.raises(EntryError, match="Give the reason"):
        SLOT.change(*where, 1, remake_reason=None)
    # The reason that is there holds for another match that failed.
    assert SCHEDULE_FILE.take(conn, season=season, file=write(text.replace("m-1", "m-2"))).counts == {
        ("slot", "changed"): 1
    }


def test_a_remake_of_no_match_that_landed_is_told(
    conn: psycopg.Connection, season: str, write: Callable[..., Path]
) -> None:
    where, landed = (conn, season, "Division 1", 1), Knows(landed=["m-1"])
    message = "No match m-2 has landed; if the id is correct, the match counts as failed once it lands."
    remake: dict[str, Any] = {"remake_reason": "crash", "context": landed}
    for number, (match_id, notes) in enumerate((("m-1", ()), ("M-2", (message,))), 1):
        at = f"2026-10-24 18:0{number}"
        assert SLOT.add(*where, number, scheduled_at=at, original_match_id=match_id, **remake).notes == notes
    assert SLOT.change(*where, 2, original_match_id="m-2", context=landed).notes == ()
    text = "division,round,match,scheduled_at,original_match_id\nDivision 1,1,1,2026-10-24 18:00,m-2\n"
    [slot] = SCHEDULE_FILE.take(conn, season=season, file=write(text), context=landed).entered
    assert slot.notes == (message,)


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
    assert done.notes == ("It counts for Round 1, although 2026-10-30 is not one of its days.",)
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
    message = "of Round 1, all groups are at the same time, 2026-10-24 18:00+02:00: only their maps distinguish them"
    assert SLOT.add(*where, 1, scheduled_at=six, map_name="Erangel").notes == ()
    assert f"Matches 1, 2 {message}" in SLOT.add(*where, 2, scheduled_at=six, map_name="Miramar").notes[0]
    assert SLOT.add(*where, 3, scheduled_at="2026-10-24 19:00").notes == ()
    assert f"Matches 1, 2, 3 {message}" in SLOT.change(*where, 3, scheduled_at=six).notes[0]
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


def test_what_is_done_to_a_round_says_of_which_group_it_is(conn: psycopg.Connection, season: str) -> None:
    day: dict[str, Any] = {"first_day": date(2026, 10, 24)}
    assert ROUND.add(conn, season, "Division 1", 1, group="a", **day).what == "round 1 of Division 1, group A"
    assert ROUND.add(conn, season, "Division 2", 1, **day).what == "round 1 of Division 2"
    of_all = ROUND.change(conn, season, "division 1", 1, status="active")
    assert of_all.what == "round 1 of Division 1, all groups"
    assert of_all.notes == ("Group A has a round 1 too, which --group selects.",)
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
    with pytest.raises(ExistsAlreadyError, match="Round 2 of Division 1, all groups already exists"):
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
    with pytest.raises(ExistsAlreadyError, match="Match 2 of Round 1, all groups already exists"):
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
    message = ("Matches already assigned there are assigned again.",)
    assert SLOT.remove(conn, season, "Division 1", 2, 1).notes == message
    assert ROUND.remove(conn, season, "Division 1", 2).notes == message


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
    for remove, message in refused:
        with pytest.raises(StillNeededError) as caught:
            remove()
        assert str(caught.value) == message
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
    for match_id, notes in (("m-1", ()), ("m-2", ("No match m-2 has landed; the override applies once it has.",))):
        done = OVERRIDE.add(conn, match_id, reason="r", admin="ada", validation_status="confirmed", context=landed)
        assert done.notes == notes
    message = OVERRIDE.list(conn, context=landed).select("match_id", "note").sort("match_id").rows()
    assert message == [("m-1", None), ("m-2", "no such match has landed")]


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
    ("fields", "message"),
    [
        ({"reason": " ", "validation_status": "confirmed"}, "reason is empty"),
        ({"admin": "", "validation_status": "confirmed"}, "admin is empty"),
        ({}, "The decision is empty"),
        ({"season": None, "validation_status": None}, "The decision is empty"),
        ({"validation_status": "fine"}, "none of confirmed"),
        ({"is_tournament_match": False, **place("fall", "Division 1", 1)}, "has no round"),
        ({"match_id": "m 1", "validation_status": "confirmed"}, "is not a match id"),
        (place("fall", "Division 1", 1, 9), "no match 9 in Round 1"),
    ],
)
def test_an_override_with_a_wrong_field_is_refused(
    conn: psycopg.Connection, season: str, fields: dict[str, Any], message: str
) -> None:
    values: dict[str, Any] = {"match_id": "m-1", "reason": "late", "admin": "ada", **fields}
    with pytest.raises(EntryError) as caught:
        OVERRIDE.add(conn, **values)
    assert message in str(caught.value)
    assert ops.select(conn, "match_overrides", {}) == []
