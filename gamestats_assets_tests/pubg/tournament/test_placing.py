"""Which round and slot a match has, by division, time, map, remakes and overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from gamestats_assets.lakehouse.quality import table_inputs
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.context import (
    match_tournament_context,
)
from gamestats_assets_tests.pubg.tournament.evening import (
    EVENING,
    ROUND,
    SLOT,
    USUAL,
    entry,
    lined_up,
    override,
    placed,
    slot,
    status,
)


def test_people_of_two_divisions_make_no_tournament_match() -> None:
    row = placed({"of_teams": [1, 2, 3, 5]})["m"]
    assert (row["validation_status"], row["is_tournament_match"]) == ("mixed_division", False)
    assert (row["division_id"], row["round_id"], row["scheduled_match_id"]) == (None, None, None)
    assert (row["season"], row["lobby"]) == ("spring", "Div 1: 3, Div 2: 1")


GROUPED = [
    {**team, "group_id": (1 if team["team_id"] < 4 else 2) if team["team_id"] < 5 else None} for team in USUAL[t.Teams]
]
"""Teams 1 to 3 are of group A, team 4 is of group B."""


def test_people_of_two_groups_make_no_tournament_match() -> None:
    row = placed(entered={t.Teams: GROUPED})["m"]
    assert (row["validation_status"], row["lobby"]) == ("mixed_division", "Div 1 / A: 3, Div 1 / B: 1")


@pytest.mark.parametrize(
    ("rounds", "round_id"),
    [
        pytest.param([(1, None)], 1, id="a round of the division holds for its groups"),
        pytest.param([(1, None), (2, 1)], 2, id="the group's own round comes first"),
        pytest.param([(2, 2)], None, id="another group's round does not count"),
    ],
)
def test_round_is_that_of_the_group(rounds: list[tuple[int, int | None]], round_id: int | None) -> None:
    given_ = [{**ROUND, "round_id": number, "group_id": group} for number, group in rounds]
    row = placed({"of_teams": [1, 2, 3]}, entered={t.Teams: GROUPED, t.Rounds: given_, t.ScheduledMatches: []})["m"]
    assert (row["group_name"], row["round_id"]) == ("A", round_id)


def test_group_takes_its_own_slots_and_those_of_the_division() -> None:
    given_ = [
        {**ROUND, "round_id": 1, "group_id": 2},
        {**ROUND, "round_id": 2, "group_id": 1},
        {**ROUND, "round_id": 3},
    ]
    slots = [slot(1, 0, round_id=1), slot(2, 3, round_id=2), slot(3, 8, round_id=3)]

    def taken(*of: dict[str, Any]) -> int | None:
        entered = {t.Teams: GROUPED, t.Rounds: given_, t.ScheduledMatches: of}
        return placed({"of_teams": [1, 2, 3]}, entered=entered)["m"]["scheduled_match_id"]

    assert (taken(*slots), taken(slots[0], slots[2]), taken(slots[0])) == (2, 3, None)


def test_of_overlapping_rounds_the_one_that_began_last_counts() -> None:
    later = {**ROUND, "round_id": 2, "round_number": 2}
    earlier = {**ROUND, "first_day": date(2026, 3, 1)}
    for given_ in ([earlier, later], [later, earlier]):
        assert placed(entered={t.Rounds: given_, t.ScheduledMatches: []})["m"]["round_id"] == 2


def test_too_few_teams_may_have_been_a_warm_up() -> None:
    row = placed({"of_teams": [1, 2]})["m"]
    assert (row["validation_status"], row["is_tournament_match"], row["division"]) == (
        "remake_candidate",
        True,
        "Div 1",
    )
    assert (row["round_id"], row["scheduled_match_id"]) == (None, None)


def test_one_team_among_strangers_is_public_play() -> None:
    row = placed({"match_type": "competitive", "people": {"1": 1, "90": 2, "91": 3, "92": 4}})["m"]
    assert (row["validation_status"], row["is_tournament_match"]) == ("not_tournament", False)
    assert (row["scheduled_match_id"], row["unmatched_player_count"]) == (None, 3)


@pytest.mark.parametrize(
    ("match_type", "found"),
    [("custom", True), ("competitive", True), (None, True), ("Custom", True), ("official", False), ("event", False)],
)
def test_tournaments_are_played_as_custom_or_competitive_matches(match_type: str | None, found: bool) -> None:
    assert ("m" in placed({"match_type": match_type})) is found


def test_match_without_anybody_on_a_roster_has_no_row() -> None:
    assert placed({"people": {"90": 1, "91": 2}}) == {}


def test_who_found_a_match_is_no_question() -> None:
    assert {"discovered_by", "discovered_at"}.isdisjoint(t.MatchFacts.column_names())
    assert table_inputs(match_tournament_context).keys() == {
        "matches", "summaries", "seasons", "divisions", "groups", "teams", "roster_entries", "rounds",
        "scheduled_matches", "overrides",
    }  # fmt: skip


# slots


@pytest.mark.parametrize(("minutes", "expected"), [(30, 1), (-30, 1), (30.1, None), (-30.1, None)])
def test_slot_takes_matches_within_its_window(minutes: float, expected: int | None) -> None:
    assert placed({"minutes": minutes})["m"]["scheduled_match_id"] == expected


@pytest.mark.parametrize(
    ("scheduled", "map_id", "map_name", "taken"),
    [
        ("Erangel", "Baltic_Main", "Erangel", True),
        ("ERANGEL ", "Erangel_Main", "Erangel", True),
        ("baltic_main", "Baltic_Main", "Erangel", True),
        ("Erangel_Main", "Baltic_Main", "Erangel", True),
        (None, "Baltic_Main", "Erangel", True),
        ("Miramar", "Baltic_Main", "Erangel", False),
        ("Newland", "New_Main", "New_Main", False),
        ("new_main", "New_Main", "New_Main", True),
        ("Erangel", None, None, False),
        ("Erangel", None, "Erangel", True),
        (None, None, None, True),
    ],
)
def test_map_must_agree_where_the_slot_names_one(
    scheduled: str | None, map_id: str | None, map_name: str | None, taken: bool
) -> None:
    slots = {t.ScheduledMatches: [{**SLOT, "map_name": scheduled}]}
    found = status({"map_id": map_id, "map_name": map_name}, entered=slots)
    assert found == ("confirmed" if taken else "unscheduled")


@pytest.mark.parametrize("state", ["scheduled", "active", "completed", "cancelled"])
def test_slot_takes_a_match_unless_it_is_cancelled(state: str) -> None:
    found = status(entered={t.ScheduledMatches: [{**SLOT, "status": state}]})
    assert found == ("unscheduled" if state == "cancelled" else "confirmed")


def test_cancelled_round_takes_nothing() -> None:
    row = placed(entered={t.Rounds: [{**ROUND, "status": "cancelled"}]})["m"]
    assert (row["validation_status"], row["round_id"]) == ("unscheduled", None)


def test_of_two_matches_in_one_slot_the_nearer_has_it() -> None:
    for minutes in ((2, 9), (-9, 2), (9, -2)):
        found = placed(*({"match_id": f"m{n}", "minutes": each} for n, each in enumerate(minutes)))
        taken = [found[f"m{n}"]["scheduled_match_id"] for n in (0, 1)]
        assert taken == [1 if abs(minutes[n]) == 2 else None for n in (0, 1)]


def test_smallest_offset_of_the_evening_is_served_first() -> None:
    """The match at 22 is nearer to the slot at 40 than the one at 65, but that one is nearer to the slot at 70."""
    found = placed(
        {"match_id": "a", "minutes": 22},
        {"match_id": "b", "minutes": 65},
        entered={t.ScheduledMatches: [slot(1, 0), slot(2, 40), slot(3, 70)]},
    )
    assert {match: row["scheduled_match_id"] for match, row in found.items()} == {"a": 2, "b": 3}


def test_match_between_two_slots_takes_the_earlier_one() -> None:
    assert (
        placed({"minutes": 20}, entered={t.ScheduledMatches: [slot(7, 40), slot(8, 0)]})["m"]["scheduled_match_id"] == 8
    )


def test_of_two_matches_equally_near_the_smaller_id_has_the_slot() -> None:
    for first, second in (("a", "b"), ("b", "a")):
        found = placed({"match_id": first, "minutes": 10}, {"match_id": second, "minutes": -10})
        assert (found["a"]["scheduled_match_id"], found["b"]["scheduled_match_id"]) == (1, None)


def test_slot_outside_the_days_of_its_round_postpones_a_match() -> None:
    later = EVENING + timedelta(days=3)
    row = placed({"at": later}, entered={t.ScheduledMatches: [{**SLOT, "scheduled_at": later}]})["m"]
    assert (row["validation_status"], row["round_id"], row["match_date"]) == ("confirmed", 1, date(2026, 3, 17))


# remakes

REMADE = {**SLOT, "is_remake": True, "original_match_id": "a"}


@pytest.mark.parametrize("state", ["scheduled", "completed", "cancelled"])
def test_original_of_a_remake_has_failed_and_the_slot_goes_to_another_match(state: str) -> None:
    found = placed(
        {"match_id": "a"}, {"match_id": "b", "minutes": 15}, entered={t.ScheduledMatches: [{**REMADE, "status": state}]}
    )
    original, remake = found["a"], found["b"]
    assert (original["validation_status"], original["is_tournament_match"]) == ("remake_failed", True)
    assert (original["round_id"], original["scheduled_match_id"]) == (1, None)
    assert remake["scheduled_match_id"] == (None if state == "cancelled" else 1)


def test_original_with_few_teams_has_failed_too() -> None:
    assert (
        placed({"match_id": "a", "of_teams": [1, 2]}, entered={t.ScheduledMatches: [REMADE]})["a"]["validation_status"]
        == "remake_failed"
    )


def test_slot_that_is_no_remake_fails_nobody() -> None:
    found = placed({"match_id": "a"}, entered={t.ScheduledMatches: [{**REMADE, "is_remake": False}]})
    assert found["a"]["validation_status"] == "confirmed"


# overrides


def overridden(match: Mapping[str, Any] | None = None, slots: Sequence[Any] = (SLOT,), **values: Any) -> dict[str, Any]:
    return placed(match or {}, entered={t.MatchOverrides: [override(**values)], t.ScheduledMatches: slots})["m"]


def test_override_that_leaves_all_open_shows_and_changes_nothing() -> None:
    row = overridden()
    assert (row["validation_status"], row["scheduled_match_id"]) == ("confirmed", 1)
    assert (row["is_overridden"], row["override_reason"], row["override_admin"]) == (True, "why", "kim")


def test_override_makes_a_match_no_tournament_match_and_frees_its_slot() -> None:
    found = placed(
        {}, {"match_id": "n", "minutes": 20}, entered={t.MatchOverrides: [override(is_tournament_match=False)]}
    )
    row = found["m"]
    assert (row["validation_status"], row["is_tournament_match"]) == ("not_tournament", False)
    assert (row["round_id"], row["scheduled_match_id"], row["division"]) == (None, None, "Div 1")
    assert found["n"]["scheduled_match_id"] == 1


def test_slot_by_hand_is_taken_from_the_match_that_had_it_by_time() -> None:
    entered = {t.MatchOverrides: [override("far", scheduled_match_id=1)], t.ScheduledMatches: [SLOT, slot(2, 25)]}
    found = placed({}, {"match_id": "far", "minutes": 500, "map_id": "Desert_Main"}, entered=entered)
    assert (found["far"]["scheduled_match_id"], found["far"]["validation_status"]) == (1, "confirmed")
    assert (found["far"]["round_id"], found["far"]["slot_offset_s"]) == (1, 30_000.0)
    assert found["m"]["scheduled_match_id"] == 2


def test_slot_by_hand_is_lost_to_others_even_where_its_match_is_of_another_evening() -> None:
    assert status(entered={t.MatchOverrides: [override("elsewhere", scheduled_match_id=1)]}) == "unscheduled"


def test_slot_given_to_two_matches_by_hand_has_one() -> None:
    both = [override("b", scheduled_match_id=1), override("a", scheduled_match_id=1)]
    found = placed({"match_id": "b"}, {"match_id": "a", "minutes": 29}, entered={t.MatchOverrides: both})
    assert (found["a"]["scheduled_match_id"], found["b"]["scheduled_match_id"]) == (1, None)
    assert (found["b"]["validation_status"], found["b"]["round_id"]) == ("unscheduled", 1)


def test_slot_by_hand_of_no_tournament_match_stays_free() -> None:
    found = placed(
        {},
        {"match_id": "a"},
        entered={t.MatchOverrides: [override("a", scheduled_match_id=1, is_tournament_match=False)]},
    )
    assert (found["m"]["scheduled_match_id"], found["a"]["scheduled_match_id"]) == (1, None)


def test_round_by_hand_limits_the_slots_to_its_own() -> None:
    other = {**ROUND, "round_id": 2, "round_number": 2, "first_day": date(2026, 4, 1), "last_day": date(2026, 4, 1)}
    slots = [SLOT, slot(2, 10, round_id=2)]
    entered = {t.MatchOverrides: [override(round_id=2)], t.Rounds: [ROUND, other], t.ScheduledMatches: slots}
    row = placed(entered=entered)["m"]
    assert (row["round_id"], row["scheduled_match_id"], row["validation_status"]) == (2, 2, "confirmed")
    entered[t.ScheduledMatches] = [SLOT]
    row = placed(entered=entered)["m"]
    assert (row["round_id"], row["scheduled_match_id"], row["validation_status"]) == (2, None, "unscheduled")


@pytest.mark.parametrize(
    "values",
    [
        {"is_tournament_match": True},
        {"round_id": 1},
        {"scheduled_match_id": 1},
        {"validation_status": "confirmed"},
    ],
    ids=lambda values: next(iter(values)),
)
@pytest.mark.parametrize("teams", [[1, 2], [1, 2, 3, 5]], ids=["few teams", "mixed"])
def test_vouched_match_is_placed_whatever_speaks_against_it(values: dict[str, Any], teams: list[int]) -> None:
    row = overridden({"of_teams": teams}, **values)
    assert (row["validation_status"], row["is_tournament_match"]) == ("confirmed", True)
    assert (row["division"], row["round_id"], row["scheduled_match_id"]) == ("Div 1", 1, 1)


def test_vouched_match_of_another_type_and_of_strangers_is_placed_by_its_round() -> None:
    row = overridden({"match_type": "official", "people": {"90": 1}}, round_id=1)
    assert (row["division"], row["season"], row["team_count"]) == ("Div 1", "spring", 0)
    assert (row["validation_status"], row["scheduled_match_id"]) == ("confirmed", 1)


def test_vouched_match_of_strangers_without_round_has_no_division() -> None:
    row = overridden({"people": {"90": 1}}, is_tournament_match=True)
    assert (row["validation_status"], row["is_tournament_match"], row["season"]) == ("unscheduled", True, None)


@pytest.mark.parametrize("status_", ["remake_failed", "remake_candidate", "unscheduled"])
def test_status_by_hand_leaves_the_slot_to_the_next_match(status_: str) -> None:
    found = placed(
        {}, {"match_id": "n", "minutes": 20}, entered={t.MatchOverrides: [override(validation_status=status_)]}
    )
    assert (found["m"]["validation_status"], found["m"]["is_tournament_match"]) == (status_, True)
    assert found["m"]["scheduled_match_id"] is None
    assert found["n"]["scheduled_match_id"] == 1


@pytest.mark.parametrize("status_", ["mixed_division", "not_tournament"])
def test_status_by_hand_can_refuse_a_match(status_: str) -> None:
    row = overridden(validation_status=status_)
    assert (row["validation_status"], row["is_tournament_match"]) == (status_, False)
    assert (row["scheduled_match_id"], row["round_id"]) == (None, None)


def test_override_saves_the_original_of_a_remake() -> None:
    slots = [{**REMADE, "original_match_id": "m"}]
    assert overridden(slots=slots, is_tournament_match=True)["validation_status"] == "remake_failed"
    row = overridden(slots=slots, validation_status="confirmed")
    assert (row["validation_status"], row["round_id"]) == ("confirmed", 1)
    assert overridden(slots=slots, scheduled_match_id=1)["scheduled_match_id"] == 1


def test_vouched_mixed_match_takes_people_to_the_teams_of_its_division() -> None:
    """Player 5 could play for team 5, and on this day for team 1: the override's round decides."""
    more = [*USUAL[t.RosterEntries], entry(90, 1, "5", role="stand_in")]
    match = {"people": {"5": 1, "6": 6, "7": 7, "8": 8}}
    entered = {t.RosterEntries: more, t.Rounds: [ROUND, {**ROUND, "round_id": 2, "division_id": 2}]}
    assert lined_up(match, entered=entered)["account.5"] == 5
    assert lined_up(match, entered={**entered, t.MatchOverrides: [override(round_id=1)]})["account.5"] == 1
