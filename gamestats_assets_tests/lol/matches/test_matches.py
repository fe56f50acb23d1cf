"""Matches: groups, lengths, remakes, and the version of Data Dragon that stands for their patch."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.matches.matches import matches
from gamestats_assets.lol.reference.queues import queues
from gamestats_assets_tests.lol.real_pairs import bronze, derived, documents, silver
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


def test_real_matches_are_aborted_when_their_winners_are_taken_away(realdata: Path) -> None:
    raw, pairs = bronze(realdata), documents(realdata)
    lost = {
        t.RawParticipants: raw[t.RawParticipants].with_columns(won=False),
        t.RawMatches: raw[t.RawMatches].with_columns(winning_team_id=pl.lit(None, pl.Int32)),
    }
    found = derived({**raw, **lost})
    assert found[t.Matches].filter("is_aborted").height == len(pairs)
    assert not found[t.Matches].get_column("in_statistics").any()
    assert not found[t.Objectives].get_column("in_statistics").any()


@pytest.mark.parametrize(("status", "expected"), [("processed", True), ("unreadable", False), (None, False)])
def test_whether_there_is_a_timeline(status: str | None, expected: bool) -> None:
    assert made({}, [], status)["has_timeline"] is expected


def test_every_real_match_is_what_a_plain_reading_gives(realdata: Path) -> None:
    pairs = documents(realdata)
    found = silver(realdata)[t.Matches]
    assert found.height == len(pairs)
    for row in found.iter_rows(named=True):
        info = pairs[row["match_id"]].match
        length = info["gameDuration"] if "gameEndTimestamp" in info else info["gameDuration"] / 1000
        assert row["duration_s"] == length
        last_frame = pairs[row["match_id"]].timeline["frames"][-1]["timestamp"] / 1000
        assert abs(last_frame - length) < 1.5
        assert row["patch"] == ".".join(info["gameVersion"].split(".")[:2])
        assert row["has_positions"] == any(each["teamPosition"] for each in info["participants"])
        winners = [each["teamId"] for each in info["teams"] if each["win"]]
        assert row["winning_team_id"] == (winners[0] if len(winners) == 1 else None)
        assert not row["is_aborted"]
        assert row["in_statistics"] == (info["queueId"] != 840)
        assert row["has_timeline"]
    eras = {row["patch"]: (row["data_dragon_version"], row["version_is"]) for row in found.iter_rows(named=True)}
    assert eras["10.25"] == ("11.23.1", "later")
    assert eras["11.23"] == ("11.23.1", "exact")
    assert eras["12.22"] == ("12.21.1", "earlier")
    assert eras["13.4"] == eras["13.10"] == eras["13.14"] == ("12.21.1", "earlier")


def test_what_comes_of_a_match_does_not_depend_on_other_matches_nor_on_the_order_of_rows(realdata: Path) -> None:
    raw, together = bronze(realdata), silver(realdata)
    shuffled = derived({table: frame.sample(fraction=1, shuffle=True, seed=7) for table, frame in raw.items()})
    for table, frame in together.items():
        assert shuffled[table].equals(frame), table.__name__
    for match_id in ("NA1_3720451304", "NA1_4583017440", "NA1_4721564112"):
        alone = derived({table: frame.filter(match_id=match_id) for table, frame in raw.items()})
        for table, frame in alone.items():
            if table is not t.Queues:
                assert frame.equals(together[table].filter(match_id=match_id)), table.__name__


@pytest.mark.parametrize(
    ("patch", "listed", "expected"),
    [
        pytest.param("13.10", ["13.9.1", "13.10.1", "13.11.1"], ("13.10.1", "exact"), id="the patch itself"),
        pytest.param("13.10", ["13.10.2", "13.10.10", "13.10.9"], ("13.10.10", "exact"), id="its highest version"),
        pytest.param("13.10", ["13.9.1", "13.2.1", "13.11.1"], ("13.9.1", "earlier"), id="numbers, not text"),
        pytest.param("13.1", ["12.23.1", "12.9.1", "13.10.1"], ("12.23.1", "earlier"), id="over the year's turn"),
        pytest.param("13.1", ["13.2.1", "13.10.1"], ("13.2.1", "later"), id="none before it"),
        pytest.param("13.1", [], (None, "none"), id="none at all"),
        pytest.param("13.1", ["lolpatch_7.20"], (None, "none"), id="no version"),
    ],
)
def test_which_version_stands_for_a_patch(patch: str, listed: list[str], expected: tuple[str | None, str]) -> None:
    match = made({"game_version": f"{patch}.500.1"}, None, "processed", *listed)
    assert (match["patch"], match["data_dragon_version"], match["version_is"]) == (patch, *expected)
