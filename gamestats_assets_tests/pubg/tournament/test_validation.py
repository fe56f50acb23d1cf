"""What needs a person in a match, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gamestats_assets.pubg import tables as t
from gamestats_assets_tests.pubg.scenario import derive
from gamestats_assets_tests.pubg.tournament.test_standings import SECOND, WINNER, one_match


def concerns(people: Sequence[Mapping[str, Any]], **other: Any) -> dict[str, str]:
    found = derive(one_match(people, **other), [t.MatchValidation])[t.MatchValidation]
    return dict(found["concern", "explanation"].iter_rows())


def test_confirmed_match_needs_nobody() -> None:
    assert concerns([WINNER, SECOND]) == {}


@pytest.mark.parametrize(
    ("context", "concern"),
    [
        ({"validation_status": "unscheduled", "scheduled_match_id": None}, "no_slot"),
        ({"validation_status": "unscheduled", "scheduled_match_id": None, "round_id": None}, "no_round"),
        ({"validation_status": "remake_candidate", "round_id": None}, "few_teams"),
        ({"validation_status": "mixed_division", "is_tournament_match": False, "lobby": "x"}, "mixed_division"),
    ],
)
def test_doubtful_status_needs_a_person_until_an_override_settles_it(context: dict[str, Any], concern: str) -> None:
    assert concerns([WINNER, SECOND], context=context).keys() == {concern}
    assert concerns([WINNER, SECOND], context={**context, "is_overridden": True}) == {}


def test_unknown_time_zone_of_the_season_is_told_where_it_takes_the_round() -> None:
    context = {"validation_status": "unscheduled", "scheduled_match_id": None, "round_id": None}
    for zone, concern in (("europe/berlin", "unknown_time_zone"), ("Europe/Berlin", "no_round")):
        message = concerns([WINNER, SECOND], context=context, season={"time_zone": zone})
        assert message.keys() == {concern}
    message = concerns([WINNER, SECOND], context=context, season={"time_zone": "europe/berlin"})["unknown_time_zone"]
    assert "The time zone of season s is europe/berlin" in message
    assert "gamestats tournament season change s --time-zone" in message
    assert concerns([WINNER, SECOND], season={"time_zone": "europe/berlin"}) == {}


def test_team_without_placement_is_named() -> None:
    message = concerns([WINNER, {**SECOND, "placement": None}])
    assert message.keys() == {"no_placement"}
    assert "the placement of Team 2;" in message["no_placement"]


def test_two_teams_in_first_place_are_named() -> None:
    message = concerns([WINNER, {**SECOND, "placement": 1}])
    assert message.keys() == {"several_winners"}
    assert "Team 1, Team 2" in message["several_winners"]


@pytest.mark.parametrize(("status", "found"), [("expired", True), ("unreadable", True), ("pending", False)])
def test_match_that_counts_needs_its_telemetry(status: str, found: bool) -> None:
    message = concerns([WINNER, SECOND], match={"telemetry_status": status})
    assert (message.keys() == {"no_telemetry"}) is found
    assert concerns([WINNER, SECOND], match={"telemetry_status": status}, context={"round_id": None}) == {}


def test_many_unknown_people_are_counted_after_the_first_names() -> None:
    unknown = [{"account_id": f"x{n:02}", "team": None, "placement": 3} for n in range(12)]
    message = concerns([WINNER, SECOND, *unknown])["unmatched_players"]
    assert "found 12 on none: X00, X01, X02, X03, X04, X05, X06, X07 and 4 more." in message


def test_slot_given_by_hand_to_two_matches_is_told_to_the_one_without() -> None:
    given_ = {"match_id": "m", "scheduled_match_id": 7, "reason": "why", "admin": "kim"}
    context = {"is_overridden": True, "validation_status": "unscheduled", "scheduled_match_id": None}
    message = concerns([WINNER, SECOND], overrides=[given_], context=context)
    assert message.keys() == {"slot_given_twice"}
    assert message["slot_given_twice"].startswith("Slot 7 was assigned")
    assert concerns([WINNER, SECOND], overrides=[given_], context={**context, "scheduled_match_id": 7}) == {}


def test_override_that_leaves_the_division_unknown_is_told() -> None:
    context = {"is_overridden": True, "validation_status": "unscheduled", "season_id": None, "season": None}
    context |= {"division_id": None, "division": None, "round_id": None, "scheduled_match_id": None}
    assert concerns([{**WINNER, "team": None}], context=context).keys() == {"no_division"}
