"""Matches: groups, lengths, remakes, and the version of Data Dragon that stands for their patch."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.matches.matches import matches
from gamestats_assets.lol.reference.csv_files import queues
from gamestats_assets_tests.lol.scenario import START, kept, rows

USUAL = {"game_duration": 1800, "ended_at": START + timedelta(minutes=30), "participants": 10, "winning_team_id": 100}
ARENA = [
    {"participant_id": number, "team_id": 100 * (1 + number % 2), "subteam_id": (number + 1) // 2, "placement": place,
     "won": place <= 2}
    for number, place in enumerate((3, 3, 1, 1, 4, 4, 2, 2), 1)
]  # fmt: skip
"""Subteams of two, members of either team; half of them win."""


def made(
    match: dict[str, Any], players: list[dict[str, Any]] | None = None, status: str | None = "processed", *versions: str
) -> dict[str, Any]:
    """The one match that comes of a match object, of its participants and of its timeline's status."""
    return kept(t.Matches, made_of(match, players or [], status, *versions)).row(0, named=True)


def made_of(match: dict[str, Any], players: list[dict[str, Any]], status: str | None, *versions: str) -> pl.LazyFrame:
    """What `matches` makes of them."""
    return matches(
        rows(t.RawMatches, USUAL | match).lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.RawParticipants, *players).lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.TimelineFiles, *([{"status": status}] if status else [])).lazy(),  # pyright: ignore[reportArgumentType]
        queues(),
        rows(t.Items, *({"version": each} for each in versions)).lazy(),  # pyright: ignore[reportArgumentType]
    )


@pytest.mark.parametrize(
    ("queue_id", "group", "counts"),
    [
        (420, "ranked_solo", True),
        (440, "ranked_flex", True),
        (400, "normal", True),
        (430, "normal", True),
        (480, "quickplay", True),
        (490, "quickplay", True),
        (450, "aram", True),
        (700, "clash", True),
        (900, "urf", True),
        (1700, "arena", True),
        (830, "bots", False),
        (840, "bots", False),
        (850, "bots", False),
        (0, "custom", False),
    ],
)
def test_groups_of_queues(queue_id: int, group: str, counts: bool) -> None:
    match = made({"queue_id": queue_id})
    assert (match["queue_group"], match["in_statistics"]) == (group, counts)


def test_a_queue_that_is_not_listed_is_a_group_of_its_own_and_in_no_statistics() -> None:
    match = made({"queue_id": 98765}, [{"participant_id": 1, "team_position": "TOP"}])
    assert (match["queue_group"], match["in_statistics"], match["has_positions"]) == ("queue_98765", False, True)
    assert not made({"queue_id": 98765}, [{"participant_id": 1, "team_position": ""}])["has_positions"]


def test_the_length_is_in_milliseconds_until_the_end_is_told() -> None:
    assert made({"game_duration": 1_212_780, "ended_at": None})["duration_s"] == 1212.78
    assert made({"game_duration": 1213})["duration_s"] == 1213.0


@pytest.mark.parametrize(
    ("match", "gave_up_early", "expected"),
    [
        pytest.param({}, False, False, id="a whole game"),
        pytest.param({"game_duration": 299}, False, True, id="under five minutes"),
        pytest.param({"game_duration": 300}, False, False, id="five minutes"),
        pytest.param({"game_duration": 299_900, "ended_at": None}, False, True, id="told in milliseconds"),
        pytest.param({}, True, True, id="an early surrender"),
        pytest.param({}, None, False, id="nothing told of a surrender"),
    ],
)
def test_remakes_are_in_no_statistics(match: dict[str, Any], gave_up_early: bool | None, expected: bool) -> None:
    players = [
        {"participant_id": 1, "won": True},
        {"participant_id": 2, "game_ended_in_early_surrender": gave_up_early},
    ]
    row = made(match, players)
    assert (row["is_remake"], row["in_statistics"]) == (expected, not expected)


def ten(*winners: int) -> list[dict[str, Any]]:
    """Ten participants; those of some teams won."""
    teams = [100] * 5 + [200] * 5
    return [{"participant_id": n, "team_id": team, "won": team in winners} for n, team in enumerate(teams, 1)]


@pytest.mark.parametrize(
    ("match", "players", "expected"),
    [
        pytest.param({}, ten(100), False, id="won"),
        pytest.param({"winning_team_id": 200}, ten(200), False, id="won by red"),
        pytest.param({"end_of_game_result": "GameComplete"}, ten(100), False, id="told as whole"),
        pytest.param({"end_of_game_result": "SomethingNew"}, ten(100), False, id="told as something new"),
        pytest.param({"end_of_game_result": "Abort_Unexpected"}, ten(100), False, id="told as aborted, and won"),
        pytest.param({"end_of_game_result": "AbortedSomehow"}, ten(), True, id="told as aborted, and won by nobody"),
        pytest.param({"winning_team_id": None}, ten(), True, id="won by nobody, nothing told"),
        pytest.param({"winning_team_id": None, "end_of_game_result": "GameComplete"}, ten(), True, id="told as whole, "
                     "won by nobody"),
        pytest.param({"winning_team_id": None}, ten(100, 200), True, id="won by both teams"),
        pytest.param({"winning_team_id": None}, [{**each, "placement": 0} for each in ten(100, 200)], True,
                     id="won by both teams, and told of no placements"),
        pytest.param({"winning_team_id": None}, ten(100), False, id="a team that could not be read"),
        pytest.param({}, ten(), True, id="won by a team, but none of its members"),
        pytest.param({}, [], False, id="no participants, won by a team"),
        pytest.param({"winning_team_id": None}, [], True, id="no participants, won by nobody"),
        pytest.param({"queue_id": 1700, "winning_team_id": None}, ARENA, False, id="the Arena"),
        pytest.param({"queue_id": 1700}, [{**each, "won": False} for each in ARENA], True, id="an Arena nobody won"),
        pytest.param({"queue_id": 1700, "winning_team_id": None}, [{**each, "placement": 0} for each in ten()], True,
                     id="an Arena without placements"),
    ],
)  # fmt: skip
def test_aborted_matches_are_in_no_statistics(
    match: dict[str, Any], players: list[dict[str, Any]], expected: bool
) -> None:
    row = made(match, players)
    assert (row["is_aborted"], row["is_remake"], row["in_statistics"]) == (expected, False, not expected)


@pytest.mark.parametrize(
    ("raw", "is_match"),
    [
        pytest.param({"game_version": "", "participants": 0}, False, id="neither a version nor participants"),
        pytest.param({"game_version": "", "participants": 10}, True, id="participants"),
        pytest.param({"participants": 0}, True, id="a version"),
    ],
)
def test_a_game_that_was_never_played_is_no_match(raw: dict[str, Any], is_match: bool) -> None:
    found = made_of(raw, [], "processed").collect()
    assert found.height == is_match
