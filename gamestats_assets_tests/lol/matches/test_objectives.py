"""Objectives: which they are, who took them, and how the game stood just before."""

from typing import Any

import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.matches.objectives import objectives
from gamestats_assets_tests.lol.scenario import gold_frames, kept, rows, ten

# Blue leads by 5 times 100 after one minute, and by 5 times 300 after two.
FRAMES = gold_frames((0, 500, 500), (60_000, 600, 500), (120_000, 900, 600))


def monster(kind: str, killer: int, team: int | None, at: int = 90_000, **given: Any) -> dict[str, Any]:
    """The event of an epic monster."""
    result = {"monster_type": kind, "participant_id": killer, "killer_team_id": team, "timestamp_ms": at}
    return {"event_type": "ELITE_MONSTER_KILL"} | result | given


def building(loser: int | None, killer: int, kind: str = "TOWER_BUILDING", **given: Any) -> dict[str, Any]:
    """The event of a building."""
    result = {"building_type": kind, "participant_id": killer, "team_id": loser, "timestamp_ms": 90_000}
    return {"event_type": "BUILDING_KILL"} | result | given


def kill(killer: int, victim: int, at: int, **given: Any) -> dict[str, Any]:
    """The event of a champion's death."""
    result = {"participant_id": killer, "victim_id": victim, "timestamp_ms": at}
    return {"event_type": "CHAMPION_KILL"} | result | given


def announced(killer: int, at: int, kind: str = "KILL_FIRST_BLOOD") -> dict[str, Any]:
    """The announcement of a special kill."""
    return {"event_type": "CHAMPION_SPECIAL_KILL", "participant_id": killer, "timestamp_ms": at, "kill_type": kind}


def made(*events: dict[str, Any], winner: int | None = 100, **of_players: Any) -> list[dict[str, Any]]:
    """The objectives of one match, in the order of their events."""
    frame = objectives(
        rows(t.TimelineEvents, *events).lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.Matches, {"winning_team_id": winner}).lazy(),  # pyright: ignore[reportArgumentType]
        ten(**of_players).lazy(),  # pyright: ignore[reportArgumentType]
        FRAMES.lazy(),  # pyright: ignore[reportArgumentType]
    )
    return kept(t.Objectives, frame).rows(named=True)


@pytest.mark.parametrize(
    ("event", "objective", "sub_type", "team"),
    [
        (monster("DRAGON", 7, 200, monster_sub_type="FIRE_DRAGON"), "dragon", "FIRE_DRAGON", 200),
        (monster("RIFTHERALD", 2, 100), "herald", None, 100),
        (monster("HORDE", 2, 100), "grubs", None, 100),
        (monster("BARON_NASHOR", 2, 100), "baron", None, 100),
        (monster("ATAKHAN", 2, 100), "atakhan", None, 100),
        (monster("DRAGON", 7, None), "dragon", None, 200),
        (building(200, 1, tower_type="OUTER_TURRET"), "tower", "OUTER_TURRET", 100),
        (building(100, 9, "INHIBITOR_BUILDING"), "inhibitor", None, 200),
        (building(None, 9), "tower", None, 200),
        (building(200, 0), "tower", None, 100),
    ],
)
def test_what_was_taken_and_by_whom(event: dict[str, Any], objective: str, sub_type: str | None, team: int) -> None:
    [row] = made(event)
    assert (row["objective"], row["sub_type"], row["team_id"]) == (objective, sub_type, team)
    assert row["won"] == (team == 100)
    assert row["killer_participant_id"] == (event["participant_id"] or None)
    assert row["at_s"] == 90.0


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(monster("DRAGON", 0, 300), id="neither team"),
        pytest.param(monster("VILEMAW", 2, 100), id="a monster that is none of them"),
        pytest.param(monster("DRAGON", 0, None), id="nobody told"),
        pytest.param(building(200, 1, "FOUNTAIN_BUILDING"), id="a building that is none of them"),
        pytest.param({"event_type": "DRAGON_SOUL_GIVEN", "team_id": 0, "name": "Ocean"}, id="a soul announced"),
        pytest.param({"event_type": "TURRET_PLATE_DESTROYED", "team_id": 200, "participant_id": 1}, id="a plate"),
        pytest.param(monster("DRAGON", 2, 100, match_id="NA1_2"), id="a match without a match object"),
    ],
)
def test_what_is_no_objective(event: dict[str, Any]) -> None:
    assert made(event) == []


def test_members_are_those_of_the_taking_team() -> None:
    [row] = made(monster("DRAGON", 3, 100, assisting_participant_ids=[9, 2, 7, 2]))
    assert row["participant_ids"] == [2, 3]
    [row] = made(building(200, 0, assisting_participant_ids=[5, 4]))
    assert (row["participant_ids"], row["killer_participant_id"]) == ([4, 5], None)
    [row] = made(building(200, 0))
    assert row["participant_ids"] == []


def test_objectives_are_numbered_in_the_match_and_in_the_team() -> None:
    events = [
        monster("DRAGON", 2, 100, 10_000),
        monster("DRAGON", 7, 200, 30_000),
        monster("RIFTHERALD", 7, 200, 20_000),
        monster("DRAGON", 7, 200, 20_000),
        monster("DRAGON", 2, 100, 30_000),
        monster("DRAGON", 0, 300, 5_000),
    ]
    found = [(row["objective"], row["team_id"], row["number_in_match"], row["number_of_team"]) for row in made(*events)]
    assert found == [
        ("dragon", 100, 1, 1),
        ("dragon", 200, 3, 2),
        ("herald", 200, 1, 1),
        ("dragon", 200, 2, 1),
        ("dragon", 100, 4, 2),
    ]


@pytest.mark.parametrize(("at", "team", "expected"), [(59_999, 100, 0), (119_999, 200, -500), (120_000, 100, 1500)])
def test_gold_is_that_of_the_last_frame_before(at: int, team: int, expected: int) -> None:
    [row] = made(monster("DRAGON", 2, team, at))
    assert row["team_gold_diff_before"] == expected


def test_nobody_is_said_to_have_won_where_no_team_did() -> None:
    assert made(monster("DRAGON", 2, 100), winner=None)[0]["won"] is None


def test_the_arena_has_no_objectives() -> None:
    assert made(kill(2, 7, 50_000), announced(2, 50_000), monster("DRAGON", 2, 100), subteam_id=1) == []


# --------------------------------------------------------------------------- first blood


def test_first_blood_is_the_kill_that_is_announced() -> None:
    [row] = made(
        kill(8, 1, 40_000),
        kill(2, 7, 50_000, assisting_participant_ids=[3]),
        announced(2, 50_000, "KILL_MULTI"),
        announced(2, 50_000),
        kill(9, 2, 60_000),
    )
    assert (row["objective"], row["event_index"], row["team_id"]) == ("first_blood", 1, 100)
    assert (row["killer_participant_id"], row["participant_ids"], row["at_s"]) == (2, [2, 3], 50.0)


def test_without_an_announcement_it_is_the_first_kill_by_a_champion() -> None:
    [row] = made(kill(2, 7, 50_000), kill(0, 7, 30_000), kill(8, 1, 40_000), kill(9, 1, 40_000))
    assert (row["event_index"], row["killer_participant_id"]) == (2, 8)
    assert row["participant_ids"] == [8]


def test_an_announcement_without_its_kill_changes_nothing() -> None:
    [row] = made(kill(2, 7, 50_000), announced(3, 50_000))
    assert row["killer_participant_id"] == 2
    assert made(announced(3, 50_000), kill(0, 7, 50_000)) == []


# --------------------------------------------------------------------------- real matches
