"""A simulated tournament: its matches are played by those on the rosters, at the times of the schedule."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from gamestats_assets.simulators.pubg.tournament import SHORT_OF_TEAMS, Tournament, simulate_tournament

DAY = date(2026, 3, 14)
TEAMS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tournament")


@pytest.fixture(scope="module")
def tournament(folder: Path) -> Tournament:
    return simulate_tournament(folder, first_day=DAY, seed=5, teams=TEAMS, played=1)


def test_two_divisions_have_two_rounds_of_six_slots(tournament: Tournament) -> None:
    per_round = Counter((slot.division, slot.round_number) for slot in tournament.slots)

    assert per_round == {(f"Division {division}", round_): 6 for division in (1, 2) for round_ in (1, 2)}
    assert [len(division.teams) for division in tournament.divisions] == [TEAMS, TEAMS]


def test_a_match_is_played_by_the_rosters_of_its_division(tournament: Tournament) -> None:
    rosters = {
        division.name: {account for team in division.teams for account, _ in team.players}
        for division in tournament.divisions
    }
    assert not rosters["Division 1"] & rosters["Division 2"]
    for match in tournament.matches:
        people = set(match.truth.players_truth)
        if match.status == "remake_candidate":
            assert people < rosters[match.division]
            assert match.truth.teams == SHORT_OF_TEAMS
        else:
            assert people == rosters[match.division]


def test_the_first_round_is_over_and_the_second_is_under_way(tournament: Tournament) -> None:
    played = Counter((match.division, match.round_number) for match in tournament.by_status("confirmed"))

    assert played == {("Division 1", 1): 6, ("Division 2", 1): 6, ("Division 1", 2): 1, ("Division 2", 2): 1}


def test_one_match_was_remade_one_was_for_fun_and_one_had_too_few_teams(tournament: Tournament) -> None:
    (failed,) = tournament.by_status("remake_failed")
    (slot,) = [slot for slot in tournament.slots if slot.failed]

    assert slot.failed == failed.truth.match_id
    assert (slot.division, slot.round_number) == (failed.division, failed.round_number)
    assert len(tournament.by_status("not_tournament")) == len(tournament.by_status("remake_candidate")) == 1
