"""Orders of skills: which events are levels, and which skill was at its highest rank first."""

from typing import Any

import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.matches.skill_orders import skill_orders
from gamestats_assets_tests.lol.scenario import gold_frames, kept, rows, ten

FRAMES = gold_frames((0, 500, 500), (60_000, 600, 500), (1_200_000, 4600, 500))
USUAL, UDYR, JAYCE, YUUMI = 1, 77, 126, 350
Event = tuple[int, int, str | None]
"""Skill, time in milliseconds, and kind of a level."""


def made(
    *events: Event | str, champion: int = USUAL, ranks: list[int] | None = None, version: str = "13.14.1", **match: Any
) -> dict[str, Any]:
    """The order of participant 1.

    Args:
        events: an event; or a text such as QWE: one level a second.
        champion: the champion played.
        ranks: highest ranks that Data Dragon tells of the champion in a version.
        version: that version.
        match: columns of the match.
    """
    result: list[Event] = []
    for each in events:
        if isinstance(each, str):
            start = result[-1][1] if result else 0
            result += [("QWER".index(skill) + 1, start + 1000 * turn, "NORMAL") for turn, skill in enumerate(each, 1)]
        else:
            result.append(each)
    levels = [
        {
            "participant_id": 1,
            "event_type": "SKILL_LEVEL_UP",
            "skill_slot": slot,
            "timestamp_ms": at,
            "level_up_type": kind,
        }
        for slot, at, kind in result
    ]
    listed = [{"champion_id": champion, "version": version, "max_ranks": ranks}]
    frame = kept(
        t.SkillOrders,
        skill_orders(
            rows(t.TimelineEvents, *levels).lazy(),  # pyright: ignore[reportArgumentType]
            rows(t.Matches, {"data_dragon_version": "13.14.1"} | match).lazy(),  # pyright: ignore[reportArgumentType]
            ten(champion_id=champion).lazy(),  # pyright: ignore[reportArgumentType]
            rows(t.Champions, *(listed if ranks is not None else [])).lazy(),  # pyright: ignore[reportArgumentType]
            FRAMES.lazy(),  # pyright: ignore[reportArgumentType]
        ),
    )
    assert frame.height == 10
    return frame.row(0, named=True)


def test_the_order_of_a_whole_game() -> None:
    row = made("QEWQQRQEQEREEWWRWW")
    assert (row["levels"], row["first_levels"]) == ("QEWQQRQEQEREEWWRWW", "QEWQQR")
    assert (row["max_order"], row["is_complete"]) == ("QEW", True)
    assert (row["first_maxed"], row["first_maxed_at_s"], row["second_maxed_at_s"]) == ("Q", 9.0, 13.0)
    assert row["trigrams"] == ["QEW", "EWQ", "WQQ", "QQR", "QRQ", "RQE", "QEQ"]
    assert row["dropped_events"] == 0


def test_gold_of_the_teams_when_the_first_skill_was_maxed() -> None:
    # Blue is 5 times 100 ahead after a minute, and nothing before; the fifth level of Q is at 9 seconds.
    assert made("QEWQQRQEQ")["first_maxed_team_gold_diff"] == pytest.approx(500 * 9 / 60)


@pytest.mark.parametrize(
    ("levels", "expected", "is_complete"),
    [
        pytest.param("WQQQQQWEEEEER", "QEW", True, id="two maxed, the third had its ranks first"),
        pytest.param("QWEQQRQWQW", "QWE", False, id="one maxed, then by rank"),
        pytest.param("QWEQEWQEW", "QEW", False, id="equal ranks, by who had them first"),
        pytest.param("WEQWQE", "WQE", False, id="two of each"),
        pytest.param("E", "EQW", False, id="one level"),
        pytest.param("EW", "EWQ", False, id="untouched ones last"),
        pytest.param("R", "", False, id="none of the three"),
        pytest.param("", "", False, id="no levels"),
    ],
)
def test_which_skill_comes_first(levels: str, expected: str, is_complete: bool) -> None:
    row = made(levels)
    assert (row["levels"], row["max_order"], row["is_complete"]) == (levels, expected, is_complete)


# --------------------------------------------------------------------------- highest ranks


def test_champions_that_are_listed_have_other_highest_ranks() -> None:
    assert made("QQQQQQ", champion=UDYR)["first_maxed_at_s"] == 6.0
    assert made("RRRRRRQ", champion=UDYR)["levels"] == "RRRRRRQ"
    assert made("QQQQQ", champion=UDYR)["first_maxed"] is None
    assert made("WWWWWWRR", champion=JAYCE)["levels"] == "WWWWWWR"
    assert (made("QQQQQEEEEE", champion=YUUMI)["first_maxed"], made("QQQQQEEEEE")["first_maxed"]) == ("E", "Q")


def test_what_data_dragon_tells_of_the_version_counts_first() -> None:
    assert made("QQQQQQ", champion=UDYR, ranks=[5, 5, 5, 5])["levels"] == "QQQQQ"
    assert made("QQQ", ranks=[3, 5, 5, 3])["first_maxed"] == "Q"
    assert made("QQQ", ranks=[3, 5, 5, 3], version="13.15.1")["first_maxed"] is None
    assert made("QQQQQ", ranks=[3, 5])["levels"] == "QQQQQ"


def test_a_match_without_a_timeline_has_no_orders() -> None:
    frame = skill_orders(
        rows(t.TimelineEvents).lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.Matches, {"has_timeline": False}).lazy(),  # pyright: ignore[reportArgumentType]
        ten().lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.Champions).lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.TimelineFrames).lazy(),  # pyright: ignore[reportArgumentType]
    )
    assert kept(t.SkillOrders, frame).is_empty()
