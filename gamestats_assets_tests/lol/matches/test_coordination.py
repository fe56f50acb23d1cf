"""How teams acted together: fights, assists and objectives."""

from typing import Any

import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.matches.coordination import team_coordination
from gamestats_assets_tests.lol.scenario import kept, rows, ten

Kill = tuple[int, int, list[int]]
"""Killer, time in milliseconds, who assisted."""


def made(*kills: Kill, taken: list[dict[str, Any]] | None = None, players: int = 10, **given: Any) -> dict[int, Any]:
    """The two teams of one match, by team; `given` are columns of the participants."""
    events = [
        {
            "event_type": "CHAMPION_KILL",
            "participant_id": killer,
            "timestamp_ms": at,
            "assisting_participant_ids": helped,
        }
        for killer, at, helped in kills
    ]
    frame = team_coordination(
        rows(t.TimelineEvents, *events).lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.Matches, {}).lazy(),  # pyright: ignore[reportArgumentType]
        ten(**given).head(players).lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.Objectives, *(taken or [])).lazy(),  # pyright: ignore[reportArgumentType]
    )
    return {row["team_id"]: row for row in kept(t.TeamCoordination, frame).iter_rows(named=True)}


def objective(kind: str, team: int, *members: int) -> dict[str, Any]:
    return {
        "objective": kind,
        "team_id": team,
        "participant_ids": list(members),
        "number_in_match": 1,
        "number_of_team": 1,
    }


def test_kills_within_fifteen_seconds_are_one_fight() -> None:
    blue = made((1, 10_000, [2]), (2, 25_000, [3]), (1, 40_001, []), (6, 20_000, []), (6, 60_000, []))[100]
    assert (blue["kills"], blue["fights"]) == (3, 2)
    assert blue["kills_together_share"] == pytest.approx(2 / 3)
    # The first fight had three members, the second one.
    assert blue["members_per_fight"] == 2
    assert (blue["assists_per_kill"], blue["assisted_kill_share"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    # Three of ten pairs were together in two kills of three.
    assert blue["synchronisation"] == pytest.approx(0.3 * 2 / 3)
    assert blue["won"]


def test_kills_of_the_other_team_and_of_nobody_make_no_fight() -> None:
    teams = made((1, 10_000, []), (6, 20_000, [7, 8]), (0, 21_000, []), (1, 30_000, []))
    assert (teams[100]["fights"], teams[100]["kills_together_share"]) == (2, 0)
    assert (teams[200]["kills"], teams[200]["assists_per_kill"], teams[200]["won"]) == (1, 2, False)


def test_a_team_without_kills_has_a_row() -> None:
    red = made((1, 10_000, []))[200]
    assert (red["kills"], red["fights"], red["objectives"]) == (0, 0, 0)
    unknown = (
        "assists_per_kill",
        "assisted_kill_share",
        "kills_together_share",
        "members_per_fight",
        "synchronisation",
    )
    assert {red[name] for name in unknown} == {None}


def test_objectives_count_epic_monsters_towers_and_inhibitors() -> None:
    taken = [
        objective("first_blood", 100, 1),
        objective("dragon", 100, 1, 2, 3, 4, 5),
        objective("baron", 100, 1, 2),
        objective("tower", 100, 1),
        objective("inhibitor", 200, 6),
    ]
    teams = made(taken=taken)
    assert (teams[100]["objectives"], teams[100]["objective_participation"]) == (3, pytest.approx(0.7))
    assert (teams[200]["objectives"], teams[200]["objective_participation"]) == (1, None)


def test_members_are_a_share_of_the_team_there_is() -> None:
    blue = made((1, 0, [2]), players=3, taken=[objective("dragon", 100, 1, 2)])[100]
    assert (blue["synchronisation"], blue["objective_participation"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    alone = made((1, 0, []), players=1)[100]
    assert (alone["kills"], alone["synchronisation"]) == (1, None)


def test_the_arena_is_left_out() -> None:
    assert made((1, 0, [2]), subteam_id=1) == {}
