"""What asked games are compared with, and at an equal state of the game."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from scipy import stats

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lol.questions import comparisons
from gamestats_assets.lol.questions.questions import ask
from gamestats_assets_tests.lol.questions.asked import (
    BOUGHT,
    MANAMUNE,
    MURAMANA,
    TRINITY_FORCE,
    Made,
    at_core_item,
    at_random,
    compared,
    interval,
    mean,
    of,
    one,
    standardised,
)


def long_games_are_lost(draw: random.Random) -> dict[str, Any]:
    """The item comes at a time drawn by lot, if the game lasts."""
    length, at = 1000 + draw.expovariate(1 / 500), draw.uniform(1000, 2200)
    row: dict[str, Any] = {"duration_s": length, "won": draw.random() < (0.75 if length < 1500 else 0.3)}
    if at < length and draw.random() < 0.7:
        row |= {"completed_item_ids": [MANAMUNE, MURAMANA], "completed_items_at_s": [900.0, at]}
    return row


def the_leading_get_it_and_win(draw: random.Random) -> dict[str, Any]:
    """Gold at the moment of a transformation is what was known last: after fifteen minutes."""
    gold = draw.gauss(0, 2000)
    share = 1 / (1 + math.exp(-gold / 1000))
    row = {"duration_s": 2400.0, "team_gold_diff_at_15": gold, "lane_gold_diff_at_15": 0.0,
           "core_items_at_s": [700.0], "won": draw.random() < share}  # fmt: skip
    if draw.random() < share:
        at = [700.0, draw.uniform(950, 1190)]
        row |= {"completed_item_ids": [MANAMUNE, MURAMANA], "completed_items_at_s": at}
    return row


def the_late_get_it_seldom_and_lose(draw: random.Random) -> dict[str, Any]:
    """How long ago the gold was known is part of the state."""
    last = draw.uniform(500, 1000)
    share = 0.9 - 0.8 * (last - 500) / 500
    row = {"duration_s": 2400.0, "core_items_at_s": [last], "won": draw.random() < share,
           **{f"team_gold_diff_at_{minute}": None for minute in (10, 15, 20)}}  # fmt: skip
    if draw.random() < share:
        at = [last, draw.uniform(1050, 1190)]
        row |= {"completed_item_ids": [MANAMUNE, MURAMANA], "completed_items_at_s": at}
    return row


def early_dragons_are_of_winners(draw: random.Random) -> dict[str, Any]:
    """The time of a first objective is part of the state."""
    at = draw.uniform(300, 900)
    share = 0.9 - 0.8 * (at - 300) / 600
    return {"team_first_dragon": draw.random() < share, "first_dragon_at_s": at,
            "team_gold_diff_before_first_dragon": draw.gauss(0, 500), "won": draw.random() < share}  # fmt: skip


@pytest.mark.parametrize(
    ("drawn", "seed", "question", "naive"),
    [
        (long_games_are_lost, 5, {"items": ["Muramana"]}, (-0.05, 0.05)),
        (the_leading_get_it_and_win, 6, {"items": ["Muramana"]}, (0.15, 1)),
        (the_late_get_it_seldom_and_lose, 12, {"items": ["Muramana"]}, (0.1, 1)),
        (early_dragons_are_of_winners, 13, {"where": "team_first_dragon"}, (0.1, 1)),
    ],
)
def test_what_does_nothing_has_no_effect_at_an_equal_state(
    made: Made,
    drawn: Callable[[random.Random], dict[str, Any]],
    seed: int,
    question: dict[str, Any],
    naive: tuple[float, float],
) -> None:
    draw = random.Random(seed)
    result = compared(one(made([drawn(draw) for _ in range(2_000)]), **question))
    low, high = interval(result)
    assert low < 0 < high
    assert high - low < 0.2
    assert naive[0] < result.naive_effect < naive[1]


def test_a_planted_item_is_better_at_an_equal_state_and_by_how_much(lake: Lake, games: list[dict[str, Any]]) -> None:
    answer = one(lake, champion="Ezreal", items=["Trinity Force"])
    result = compared(answer)
    assert result.effect is not None
    low, high = interval(result)
    assert result.p_value is not None
    # It was planted on the first core item alone; a comparison weighs as much as its arms can tell.
    weights = {
        order: len(has) * len(rest) / len(has + rest)
        for order in range(6)
        for has, rest in [at_core_item(of(games, champion_key="Ezreal"), order)]
        if has and rest
    }
    planted = 0.15 * weights[0] / sum(weights.values())
    error = (high - low) / (2 * 1.96)
    assert planted > 0.05
    assert abs(result.effect - planted) < 3 * error
    assert result.p_value < 0.01


def test_slices_narrow_the_baseline_as_well(lake: Lake, games: list[dict[str, Any]]) -> None:
    answer = one(lake, champion="Ezreal", patch="13.14", position="adc", queue="ranked_solo", items=["Trinity Force"])
    own = of(games, champion_key="Ezreal", patch="13.14")
    arms = [at_core_item(own, order) for order in range(6)]
    assert answer.games == sum(len(has) for has, _ in arms) == answer.comparison.asked_games  # type: ignore[union-attr]
    result = compared(answer)
    asked_value, value = standardised(arms, "won")
    assert result.games == len({game["match_id"] for _, rest in arms for game in rest})
    assert (result.asked_value, result.value) == (pytest.approx(asked_value), pytest.approx(value))
    assert result.naive_effect == pytest.approx(asked_value - value)
    # Of the other patch there are as many games again.
    assert result.games < 0.6 * len(of(games, champion_key="Ezreal"))


@pytest.mark.parametrize(
    ("low", "high", "question"),
    [
        ({"queue_group": "ranked_solo"}, {"queue_group": "aram"}, {"where": "queue_group in ('aram', 'Ranked_Solo')"}),
        ({}, {"champion_id": 99, "champion_key": "Lux"}, {}),
        ({}, {"position": "MIDDLE"}, {}),
        ({}, {"patch": "13.13"}, {}),
    ],
)
def test_what_differs_between_cells_is_no_effect_of_an_item(
    made: Made, low: dict[str, Any], high: dict[str, Any], question: dict[str, Any]
) -> None:
    # Where damage is twice as high the item is bought four times as often. Within each cell it takes 40.
    rows = []
    for number in range(1_000):
        is_high = number % 2 == 0
        has = number % 10 < 8 if is_high else number % 10 < 2
        state = at_random(number, dpm=1000.0 if is_high else 500.0)
        rows.append((high if is_high else low) | state | (BOUGHT if has else {}) | {"dpm": state["dpm"] - 40 * has})
    result = compared(one(made(rows), items=["Trinity Force"], metric="dpm", **question))
    assert result.effect == pytest.approx(-40, abs=15)
    assert result.naive_effect == pytest.approx(-40, abs=25)
    raw = [mean([row for row in rows if ("core_item_ids" in row) == has], "dpm") for has in (True, False)]
    assert raw[0] - raw[1] > 150


def test_games_whose_state_is_not_known_are_not_taken_for_even(made: Made) -> None:
    rows = [
        at_random(number)
        | (BOUGHT if number % 2 else {})
        | ({"core_items_lane_gold_diff": [None], "dpm": 9_999.0} if number % 8 < 2 else {})
        for number in range(400)
    ]
    answer = one(made(rows), items=["Trinity Force"], metric="dpm")
    result = compared(answer)
    assert (answer.games, result.asked_games, result.games) == (200, 150, 150)
    assert result.effect == pytest.approx(0, abs=20)
    assert any(note.startswith("100 games are in no comparison") for note in answer.notes)
    # Where there are no lanes nothing of them is unknown.
    aram = [row | {"position": None, "queue_group": "aram", "core_items_lane_gold_diff": [None]} for row in rows]
    result = compared(one(made(aram), items=["Trinity Force"], metric="dpm"))
    assert result.asked_games == 200


@pytest.mark.parametrize(("games_of_an_arm", "is_compared"), [(20, False), (35, False), (60, True)])
def test_too_few_games_are_not_compared_at_an_equal_state(made: Made, games_of_an_arm: int, is_compared: bool) -> None:
    rows = [at_random(number) | (BOUGHT if number % 2 else {}) for number in range(2 * games_of_an_arm)]
    rows = [row | {"core_items_at_s": [900.0 + number % 7]} for number, row in enumerate(rows)]
    rows = [row | ({"completed_items_at_s": row["core_items_at_s"]}) for row in rows]
    answer = one(made(rows), items=["Trinity Force"], metric="dpm")
    assert answer.games == games_of_an_arm
    assert None not in (answer.value, answer.low, answer.high)
    assert answer.comparison is not None
    assert (answer.comparison.effect is not None) == is_compared
    assert any("Too few games to compare" in note for note in answer.notes) != is_compared


def test_a_game_is_of_the_baseline_until_it_completes_the_items(made: Made) -> None:
    later = {
        "core_item_ids": [MANAMUNE, TRINITY_FORCE], "completed_item_ids": [MANAMUNE, TRINITY_FORCE],
        "core_items_at_s": [900.0, 1400.0], "completed_items_at_s": [900.0, 1400.0], "dpm": 800.0,
        "core_items_team_gold_diff": [0.0, 0.0], "core_items_lane_gold_diff": [0.0, 0.0],
    }  # fmt: skip
    rows = [BOUGHT | {"dpm": 600.0}] * 30 + [later] * 10 + [{"dpm": 500.0}] * 30
    result = compared(one(made(rows), items=["Trinity Force"], metric="dpm"))
    # At a second core item nobody is without it.
    assert (result.asked_games, result.asked_value, result.games) == (30, 600.0, 40)
    assert result.value == pytest.approx((10 * 800 + 30 * 500) / 40)


def test_both_differences_are_of_the_games_that_were_asked_for(made: Made) -> None:
    # Nearly everybody of the bottom lane has it, where it takes 100; in the middle half do, to whom it does nothing.
    draw, rows = random.Random(11), []
    for number in range(2_000):
        is_bottom = number % 2 == 0
        has = draw.random() < (0.9 if is_bottom else 0.5)
        row = at_random(number, dpm=600.0 if has and is_bottom else 500.0) | (BOUGHT if has else {})
        rows.append(row | {"position": "BOTTOM" if is_bottom else "MIDDLE"})
    has_it = [row["position"] for row in rows if "completed_item_ids" in row]
    expected = 100 * has_it.count("BOTTOM") / len(has_it)
    result = compared(one(made(rows), items=["Trinity Force"], metric="dpm"))
    low, high = interval(result)
    assert low < expected < high
    assert high - low < 20
    assert result.naive_effect == pytest.approx(expected, abs=15)


def test_of_an_order_the_baseline_are_those_who_did_not_complete_it_so(made: Made) -> None:
    def both(number: int, *items: int) -> dict[str, Any]:
        at = [900.0, 1400.0]
        gold = random.Random(number).gauss(0, 500)
        return {"core_item_ids": [*items], "completed_item_ids": [*items], "core_items": 2, "core_items_at_s": at,
                "completed_items_at_s": at, "core_items_team_gold_diff": [gold, gold],
                "core_items_lane_gold_diff": [0.0, 0.0]}  # fmt: skip

    rows = [both(number, TRINITY_FORCE, MANAMUNE) for number in range(60)]
    rows += [both(number, MANAMUNE, TRINITY_FORCE) for number in range(60, 100)]
    result = compared(one(made(rows), items=["Trinity Force", "Manamune"], in_order=True, metric="dpm"))
    assert (result.asked_games, result.games) == (60, 40)
    assert result.baseline.endswith("had not completed them in this order")


@pytest.mark.parametrize(
    ("won", "gold", "said"),
    [
        (lambda _number, _draw: True, lambda _number, draw: draw.gauss(0, 500), "the same value"),
        (
            lambda _number, draw: draw.random() < 0.5,
            lambda number, _draw: 1000.0 * (number % 2),
            "only one side has games",
        ),
    ],
)
def test_why_nothing_is_told_at_an_equal_state_is_said(
    made: Made, won: Callable[..., bool], gold: Callable[..., float], said: str
) -> None:
    draw = random.Random(14)
    rows = [
        (BOUGHT if number % 2 else {}) | {"won": won(number, draw), "core_items_team_gold_diff": [gold(number, draw)]}
        for number in range(400)
    ]
    answer = one(made(rows), items=["Trinity Force"])
    assert answer.comparison is not None
    assert answer.comparison.effect is None
    assert any(said in note for note in answer.notes)


def test_what_did_not_happen_is_in_no_arm(made: Made) -> None:
    nobody = [{"team_first_dragon": None, "won": True}] * 60
    rows = nobody + [{"team_first_dragon": number % 2 == 0, "won": number % 4 == 0} for number in range(200)]
    for arms in (rows, [row | {"queue_group": "aram"} for row in nobody] + rows):
        result = one(made(arms), where="team_first_dragon and queue_group in ('ranked_solo', 'aram')")
        left_out = len(arms) - 200
        assert result.comparison is not None
        assert (result.comparison.asked_games, result.comparison.games) == (100, 100)
        assert result.comparison.value == 0
        assert result.notes[0].startswith(f"{left_out} games are left out")
    unknown = one(made([{"dpm": None}] * 3 + [{"dpm": 100.0}] * 40), metric="dpm")
    assert (unknown.games, unknown.value) == (40, 100)
    assert unknown.notes == ("3 games are left out: dpm is unknown.",)


def test_where_there_are_too_many_games_some_are_drawn_which_is_said(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = one(lake, champion="Ezreal", items=["Muramana"]).comparison
    monkeypatch.setattr(comparisons, "_MOST_COMPARED", 0)
    drawn = one(lake, champion="Ezreal", items=["Muramana"])
    result = drawn.comparison
    assert whole is not None
    assert result is not None
    assert result.effect is not None
    assert whole.effect is not None
    assert result.baseline.endswith("(10 drawn by lot for each)")
    assert result.games < whole.games
    assert result.effect == pytest.approx(whole.effect, abs=0.1)
    assert one(lake, champion="Ezreal", items=["Muramana"]) == drawn


def test_asked_games_without_any_of_the_baseline_are_counted(made: Made) -> None:
    rows = [at_random(number) | (BOUGHT if number % 2 else {}) for number in range(200)]
    rows += [at_random(number) | BOUGHT | {"position": "TOP"} for number in range(3)]
    answer = one(made(rows), items=["Trinity Force"], metric="dpm")
    assert answer.comparison is not None
    assert (answer.games, answer.comparison.asked_games) == (103, 100)
    assert any(note.startswith("3 games are in no comparison: their cell has no other game") for note in answer.notes)


def test_what_a_team_took_first_is_compared_at_the_gold_just_before(made: Made) -> None:
    # Who is ahead takes the dragon, and does damage; the dragon takes 30.
    draw, rows = random.Random(9), []
    for _ in range(1_000):
        gold = draw.gauss(0, 1000)
        took = draw.random() < 1 / (1 + math.exp(-gold / 500))
        rows.append({"team_first_dragon": took, "first_dragon_at_s": draw.uniform(300, 900),
                     "team_gold_diff_before_first_dragon": gold,
                     "dpm": 500 + gold / 10 - 30 * took + draw.gauss(0, 20)})  # fmt: skip
    nobody: list[dict[str, Any]] = [{"team_first_dragon": None, "first_dragon_at_s": None, "dpm": 9_999.0}] * 7
    answer = one(made(rows + nobody), where="Team_First_Dragon", metric="dpm")
    result = compared(answer)
    assert result.effect == pytest.approx(-30, abs=6)
    assert result.naive_effect > 30
    assert result.asked_games == sum(row["team_first_dragon"] for row in rows)
    assert not any("naive" in note for note in answer.notes)
    assert answer.notes[0].startswith("7 games are left out")
    # In other words; what else is asked for narrows both sides, and the notes say what may have come later.
    mirrored = compared(one(made(rows), where="not team_first_dragon", metric="dpm"))
    assert mirrored.effect == pytest.approx(30, abs=6)
    assert "whose team took the first dragon" in mirrored.baseline
    for said in ("= true", "and position = 'BOTTOM'", "<> false"):
        where = f"team_first_dragon {said}"
        assert one(made(rows), where=where, metric="dpm").comparison == result, where
    half = [row | {"kills": number % 2} for number, row in enumerate(rows)]
    further = one(made(half), where="kills = 1 and team_first_dragon", metric="dpm")
    assert further.comparison is not None
    assert further.comparison.effect == pytest.approx(-30, abs=8)
    assert further.comparison.asked_games + further.comparison.games == 500
    assert any("kills also selected games of both sides" in note for note in further.notes)
    by_items = one(made(rows), where="team_first_dragon and not completed_by('Trinity Force', 12)", metric="dpm")
    assert any("items also selected games of both sides" in note for note in by_items.notes)
    plain = one(made(half), where="team_first_dragon or kills = 1", metric="dpm")
    assert plain.comparison is not None
    assert plain.comparison.effect is None
    assert any("naive" in note for note in plain.notes)


def test_groups_are_one_family_of_tests(lake: Lake) -> None:
    frame = ask(lake, items=["Trinity Force"], metric="dpm", by=["champion_key"]).frame()
    result = frame.drop_nulls("p_value")
    assert result.height > 1
    expected = stats.false_discovery_control(result.get_column("p_value").to_numpy())
    assert result.get_column("q_value").to_list() == pytest.approx(list(expected))
    assert "q_value" not in ask(lake, champion="Ezreal", items=["Trinity Force"], metric="dpm").frame().columns
