"""Questions: values by plain counting, honest comparisons, conditions of any depth, and names as people write them."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from scipy import stats

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.quality import Rejection, destination, quarantine_frame, quarantine_of
from gamestats_assets.lol.questions import comparisons
from gamestats_assets.lol.questions.answers import Answer, Comparison
from gamestats_assets.lol.questions.conditions import ConditionError, read_condition
from gamestats_assets.lol.questions.questions import NothingToAskError, QuestionError, ask, metrics
from gamestats_assets.lol.reference.items import UnknownNameError
from gamestats_assets.lol.tables import Champions, Items, Matches, ParticipantFeatures, RawMatches
from gamestats_assets.simulators.lol.plan import Effect, Plan
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets_tests.lol.gold import cell_of
from gamestats_assets_tests.lol.patterns.discoveries import FEW_CHAMPIONS, wide
from gamestats_assets_tests.lol.scenario import rows
from gamestats_assets_tests.lol.silver import silver

TRINITY_FORCE, MANAMUNE, MURAMANA = 3078, 3004, 3042
PLAN = Plan(
    matches=2_500,
    patches=(("13.13", 1), ("13.14", 1)),
    days=2,
    champions=FEW_CHAMPIONS,
    effects=(Effect(kind="item", champion="Ezreal", position="BOTTOM", core_order=1, item=TRINITY_FORCE, points=0.15),),
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The wide rows of a simulated season, and its lists."""
    story = simulate(PLAN)
    frames = silver(story)
    lake = Lake(tmp_path_factory.mktemp("lake"))
    rows = wide(story)[0].collect()
    lake.replace(ParticipantFeatures, rows, partitions=rows.get_column("match_date").unique().to_list())
    lake.replace(Items, frames[Items])
    lake.replace(Champions, frames[Champions])
    return lake


@pytest.fixture(scope="module")
def games(lake: Lake) -> list[dict[str, Any]]:
    return lake.scan(ParticipantFeatures).collect().to_dicts()


def one(lake: Lake, **question: Any) -> Answer:
    (answer,) = ask(lake, **question).groups
    return answer


def of(games: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    return [game for game in games if all(game[name] == value for name, value in wanted.items())]


def mean(games: list[dict[str, Any]], metric: str) -> float:
    values = [game[metric] for game in games if game[metric] is not None]
    return sum(values) / len(values)


def compared(answer: Answer) -> Comparison:
    """What an answer is compared with: there is something."""
    assert answer.comparison is not None
    return answer.comparison


def interval(given: Comparison) -> tuple[float, float]:
    """Both ends of the adjusted difference: there is one."""
    assert given.low is not None
    assert given.high is not None
    return given.low, given.high


def at_core_item(games: list[dict[str, Any]], order: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Games whose core item of an order is Trinity Force, and those that got so far without it."""
    so_far = [game for game in games if len(game["core_item_ids"]) > order]
    has = [game for game in so_far if game["core_item_ids"][order] == TRINITY_FORCE]
    return has, [game for game in so_far if TRINITY_FORCE not in game["core_item_ids"][: order + 1]]


def standardised(arms: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]], metric: str) -> tuple[float, float]:
    """Means of both arms over the strata that have both, each weighing as much as its first arm."""
    both = [(has, rest) for has, rest in arms if has and rest]
    treated = sum(len(has) for has, _ in both)
    return (
        sum(len(has) * mean(has, metric) for has, _ in both) / treated,
        sum(len(has) * mean(rest, metric) for has, rest in both) / treated,
    )


def test_the_average_dpm_of_ezreal_with_trinity_force_and_muramana(lake: Lake, games: list[dict[str, Any]]) -> None:
    wanted = [
        game for game in of(games, champion_key="Ezreal") if {TRINITY_FORCE, MURAMANA} <= {*game["completed_item_ids"]}
    ]
    answer = one(lake, champion="Ezreal", items=["Trinity Force", "Muramana"], metric="dpm")
    assert answer.games == len(wanted) > 30
    assert answer.matches == len({game["match_id"] for game in wanted})
    assert answer.value == pytest.approx(mean(wanted, "dpm"))
    assert answer.low is not None
    assert answer.high is not None
    assert answer.low < answer.value < answer.high  # type: ignore[operator]
    # Who bought it has it, who does not know its other name finds it.
    assert answer.comparison is not None
    for champion, items in (("이즈리얼", ["삼위일체", str(MURAMANA)]), ("ezreal", ["trinityforce", "MURAMANA"])):
        same = one(lake, champion=champion, items=items, metric="dpm")
        assert (same.games, same.value, same.low, same.high) == (answer.games, answer.value, answer.low, answer.high)
        assert same.comparison is not None
        # Sums of another order differ in their last digit.
        assert same.comparison.effect == pytest.approx(answer.comparison.effect, rel=1e-9)


def test_items_in_order_are_those_completed_one_after_the_other(lake: Lake, games: list[dict[str, Any]]) -> None:
    def at(game: Mapping[str, Any], item: int) -> float | None:
        times = [
            time
            for each, time in zip(game["completed_item_ids"], game["completed_items_at_s"], strict=True)
            if each == item
        ]
        return min(times, default=None)

    both = [game for game in of(games, champion_key="Ezreal") if at(game, TRINITY_FORCE) and at(game, MANAMUNE)]
    first = [game for game in both if at(game, TRINITY_FORCE) < at(game, MANAMUNE)]  # type: ignore[operator]
    answer = one(lake, champion="Ezreal", items=["Trinity Force", "Manamune"], in_order=True)
    assert answer.games == len(first)
    assert answer.value == pytest.approx(mean(first, "won"))
    other = one(lake, champion="Ezreal", items=["Manamune", "Trinity Force"], in_order=True)
    assert other.games == len(both) - len(first)


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


def test_an_item_that_winners_complete_is_naively_better_and_at_an_equal_state_is_not(
    lake: Lake, games: list[dict[str, Any]]
) -> None:
    # Whoever has three items of Jinx' pool has won more; no item of hers does anything.
    pool = {item for game in of(games, champion_key="Jinx") for item in game["core_item_ids"][:3]}
    gaps = []
    for item in sorted(pool):
        answer = one(lake, champion="Jinx", items=[str(item)])
        result = answer.comparison
        if result is not None and result.effect is not None and result.low is not None and result.high is not None:
            error = (result.high - result.low) / (2 * 1.96)
            assert abs(result.effect) < 4 * error, item
            gaps.append(abs(result.naive_effect) - abs(result.effect))
    assert len(gaps) > 4
    assert max(gaps) > 0.08


def test_conditions_are_joined_by_and_or_not(lake: Lake, games: list[dict[str, Any]]) -> None:
    where = (
        "(position = 'TOP' or champion in ('Lux', '애니비아', 'Ahri')) and not (team_first_dragon or team_first_tower) "
        "and kills between 2 and 9 and duration_s > 1200"
    ).replace(", '애니비아'", "")
    wanted = [
        game
        for game in games
        if (game["position"] == "TOP" or game["champion_key"] in ("Lux", "Ahri"))
        and game["team_first_dragon"] is game["team_first_tower"] is False
        and 2 <= game["kills"] <= 9
        and game["duration_s"] > 1200
    ]
    answer = one(lake, metric="kda", where=where)
    assert (answer.games, answer.value) == (len(wanted), pytest.approx(mean(wanted, "kda")))
    result = compared(answer)
    # Who is neither in the top lane nor one of these cannot meet them, and no cell of theirs has both.
    meets = {(game["match_id"], game["participant_id"]) for game in wanted}
    cells: dict[tuple[Any, ...], tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {}
    unknown = 0
    for game in games:
        cell = cells.setdefault(cell_of(game), ([], []))
        eligible = game["position"] == "TOP" or game["champion_key"] in ("Lux", "Ahri")
        firsts = {game["team_first_dragon"], game["team_first_tower"]}
        if True not in firsts and None in firsts and eligible and 2 <= game["kills"] <= 9 and game["duration_s"] > 1200:
            unknown += 1
            continue
        cell[(game["match_id"], game["participant_id"]) not in meets].append(game)
    both = [cell for cell in cells.values() if cell[0] and cell[1]]
    asked_value, value = standardised(both, "kda")
    assert (result.asked_games, result.games) == (sum(len(has) for has, _ in both), sum(len(rest) for _, rest in both))
    assert (result.asked_value, result.value) == (pytest.approx(asked_value), pytest.approx(value))
    assert result.naive_effect == pytest.approx(asked_value - value)
    assert result.effect is None
    assert any(note.startswith(f"{unknown:,} games are left out") for note in answer.notes) == (unknown > 0)
    assert any("not adjusted" in note for note in answer.notes)


def test_groups_are_answered_one_by_one(lake: Lake, games: list[dict[str, Any]]) -> None:
    answers = ask(lake, champion="Ezreal", metric="dpm", by=["patch", "won"])
    assert {tuple(answer.group.values()) for answer in answers.groups} == {
        (patch, won) for patch in ("13.13", "13.14") for won in (True, False)
    }
    for answer in answers.groups:
        wanted = of(games, champion_key="Ezreal", **answer.group)
        assert (answer.games, answer.value) == (len(wanted), pytest.approx(mean(wanted, "dpm")))
    frame = answers.frame()
    assert frame.columns[:4] == ["patch", "won", "games", "matches"]
    assert frame.get_column("dpm").to_list() == [answer.value for answer in answers.groups]


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


# ---------------------------------------------------------------- rows made by hand


Made = Callable[[list[dict[str, Any]]], Lake]
"""A lake of rows, each said by what it differs in from a game of Ezreal's who bought one core item after 900 s."""


@pytest.fixture
def made(tmp_path: Path, lake: Lake, games: list[dict[str, Any]]) -> Made:
    usual = of(games, champion_key="Ezreal")[0] | {
        "patch": "13.14", "queue_group": "ranked_solo", "duration_s": 1800.0, "has_timeline": True, "kills": 5,
        "core_items": 1, "core_item_ids": [MANAMUNE], "core_items_at_s": [900.0],
        "core_items_team_gold_diff": [0.0], "core_items_lane_gold_diff": [0.0],
        "completed_item_ids": [MANAMUNE], "completed_items_at_s": [900.0],
    }  # fmt: skip

    def of_rows(rows: list[dict[str, Any]]) -> Lake:
        whole = [usual | {"match_id": f"NA1_{number:09d}"} | row for number, row in enumerate(rows)]
        frame = pl.DataFrame(whole, schema=ParticipantFeatures.schema())
        other = Lake(tmp_path / "made")
        other.replace(ParticipantFeatures, frame, partitions=frame.get_column("match_date").unique().to_list())
        for table in (Items, Champions):
            other.replace(table, lake.scan(table).collect())
        return other

    return of_rows


BOUGHT: dict[str, Any] = {"core_item_ids": [TRINITY_FORCE], "completed_item_ids": [TRINITY_FORCE]}
WITHOUT_TIMELINE: dict[str, Any] = {
    "has_timeline": False,
    **{name: None for name in ParticipantFeatures.column_names() if name.startswith(("core_item", "completed_item"))},
}


def at_random(number: int, **spread: float) -> dict[str, Any]:
    """State of a game, and its damage without any item."""
    draw = random.Random(number)
    gold = draw.gauss(0, 1000)
    return {
        "core_items_team_gold_diff": [gold],
        "core_items_lane_gold_diff": [draw.gauss(0, 300)],
        "dpm": spread.get("dpm", 500.0) + gold / 20 + draw.gauss(0, 50),
    }


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


def test_queues_are_mixed_only_where_a_question_does_it(made: Made) -> None:
    rows = [{"queue_group": "aram", "position": None, "dpm": 2000.0}] * 60 + [{"dpm": 700.0}] * 40
    mixed = made(rows)
    answers = ask(mixed, champion="Ezreal", metric="dpm")
    assert [(answer.games, answer.value) for answer in answers.groups] == [(40, 700.0)]
    assert "in ranked_solo" in answers.question
    assert "aram (60 games)" in answers.remark
    assert answers.frame().get_column("queue_group").to_list() == ["ranked_solo"]
    assert one(mixed, metric="dpm", queue="ARAM").value == 2000.0
    by_queue = ask(mixed, metric="dpm", by=["queue_group"])
    assert [(each.group["queue_group"], each.value) for each in by_queue.groups] == [
        ("aram", 2000.0), ("ranked_solo", 700.0)
    ]  # fmt: skip
    assert by_queue.remark == ""
    assert one(mixed, metric="dpm", where="queue_group <> 'ranked_flex'").games == 100
    only_aram = ask(made(rows[:60]), metric="dpm")
    assert (only_aram.groups[0].value, only_aram.queue_group, only_aram.remark) == (2000.0, "aram", "")


def test_conditions_narrow_the_games_with_the_items_and_those_without(made: Made) -> None:
    rows = []
    for number in range(400):
        has, many = number % 2 == 0, number % 4 < 2
        state = at_random(number, dpm=500.0 if many else 50.0)
        rows.append(state | {"kills": 9 if many else 1} | (BOUGHT if has else {}))
    answer = one(made(rows), items=["Trinity Force"], metric="dpm", where="kills >= 5")
    result = answer.comparison
    rest = [row for row in rows if row["kills"] == 9 and "core_item_ids" not in row]
    assert result is not None
    assert (answer.games, result.asked_games, result.games) == (100, 100, 100)
    assert result.value == pytest.approx(mean(rest, "dpm"))
    assert result.effect == pytest.approx(0, abs=25)


def test_what_an_item_turns_into_is_compared_with_games_that_lasted_as_long(made: Made) -> None:
    # Long games are lost. The item comes at a time drawn by lot, if the game lasts: it does nothing.
    draw = random.Random(5)
    rows = []
    for _ in range(4_000):
        length, at = 1000 + draw.expovariate(1 / 500), draw.uniform(1000, 2200)
        row: dict[str, Any] = {"duration_s": length, "won": draw.random() < (0.75 if length < 1500 else 0.3)}
        if at < length and draw.random() < 0.7:
            row |= {"completed_item_ids": [MANAMUNE, MURAMANA], "completed_items_at_s": [900.0, at]}
        rows.append(row)
    answer = one(made(rows), items=["Muramana"])
    result = compared(answer)
    assert result.effect is not None
    low, high = interval(result)
    assert low < 0 < high
    assert high - low < 0.1
    assert abs(result.naive_effect) < 0.05
    raw = mean([row for row in rows if "completed_item_ids" not in row], "won")
    assert (answer.value or 0) - raw < -0.15


def test_at_the_moment_of_a_transformation_gold_is_what_was_known_last(made: Made) -> None:
    # Who is ahead after fifteen minutes gets it sooner, and wins; the item does nothing.
    draw = random.Random(6)
    rows = []
    for _ in range(3_000):
        gold = draw.gauss(0, 2000)
        row: dict[str, Any] = {
            "duration_s": 2400.0,
            "team_gold_diff_at_15": gold,
            "lane_gold_diff_at_15": 0.0,
            "core_items_at_s": [700.0],
            "won": draw.random() < 1 / (1 + math.exp(-gold / 1000)),
        }
        if draw.random() < 1 / (1 + math.exp(-gold / 1000)):
            at = [700.0, draw.uniform(950, 1190)]
            row |= {"completed_item_ids": [MANAMUNE, MURAMANA], "completed_items_at_s": at}
        rows.append(row)
    result = compared(one(made(rows), items=["Muramana"]))
    low, high = interval(result)
    assert low < 0 < high
    assert result.naive_effect > 0.15


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


def test_games_without_a_timeline_are_left_out_of_questions_about_items(made: Made) -> None:
    rows = [WITHOUT_TIMELINE] * 30 + [BOUGHT] * 20 + [{}] * 50
    some = made(rows)
    for question, wanted in {
        "not completed('Trinity Force')": 50,
        "not core_item(1, 'Trinity Force')": 50,
        "not completed_by('Trinity Force', 5)": 70,
        "not in_order('Manamune', 'Trinity Force')": 70,
        "not completed('Trinity Force') or has_timeline = false": 80,
    }.items():
        answer = one(some, where=question)
        assert answer.games == wanted, question
        assert any(note.startswith("30 games are left out") for note in answer.notes) == (wanted < 80), question
    answer = one(some, items=["Trinity Force"])
    assert (answer.games, answer.comparison and answer.comparison.games) == (20, 50)
    assert any(note.startswith("30 games are left out") for note in answer.notes)


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


def test_how_long_ago_the_gold_was_known_is_part_of_the_state(made: Made) -> None:
    # Who completed the last core item lately gets the item seldom, and wins seldom; the item does nothing.
    draw, rows = random.Random(12), []
    for _ in range(4_000):
        last = draw.uniform(500, 1000)
        share = 0.9 - 0.8 * (last - 500) / 500
        row: dict[str, Any] = {
            "duration_s": 2400.0, "core_items_at_s": [last], "won": draw.random() < share,
            "team_gold_diff_at_10": None, "team_gold_diff_at_15": None, "team_gold_diff_at_20": None,
        }  # fmt: skip
        if draw.random() < share:
            at = [last, draw.uniform(1050, 1190)]
            row |= {"completed_item_ids": [MANAMUNE, MURAMANA], "completed_items_at_s": at}
        rows.append(row)
    result = compared(one(made(rows), items=["Muramana"]))
    low, high = interval(result)
    assert low < 0 < high
    assert high - low < 0.1
    assert result.naive_effect > 0.1


def test_the_time_of_a_first_objective_is_part_of_the_state(made: Made) -> None:
    # An early dragon is taken by those who win, a late one by those who lose; it does nothing.
    draw, rows = random.Random(13), []
    for _ in range(3_000):
        at = draw.uniform(300, 900)
        share = 0.9 - 0.8 * (at - 300) / 600
        rows.append(
            {
                "team_first_dragon": draw.random() < share,
                "first_dragon_at_s": at,
                "team_gold_diff_before_first_dragon": draw.gauss(0, 500),
                "won": draw.random() < share,
            }
        )
    result = compared(one(made(rows), where="team_first_dragon"))
    low, high = interval(result)
    assert low < 0 < high
    assert result.naive_effect > 0.1


@pytest.mark.parametrize(
    ("won", "gold", "said"),
    [
        (lambda _number, _draw: True, lambda _number, draw: draw.gauss(0, 500), "the same value"),
        (lambda _number, draw: draw.random() < 0.5, lambda number, _draw: 1000.0 * (number % 2), "no games of both"),
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


def test_players_of_few_matches_are_few(made: Made) -> None:
    # Six matches of five of a team, of which one has won as often as the other team.
    rows = [
        {"match_id": f"NA1_{match:09d}", "participant_id": player + 1, "team_id": 100 if player < 5 else 200,
         "team_first_dragon": player < 5, "won": player < 5}
        for match in range(6)
        for player in range(10)
    ]  # fmt: skip
    lake = made(rows)
    answers = ask(lake, where="team_first_dragon")
    (answer,) = answers.groups
    assert (answer.games, answer.matches, answer.comparison) == (30, 6, None)
    assert any(note.startswith("Only 30 games of 6 matches: too few") for note in answer.notes)
    assert answer.lines(answers.unit)[0].endswith("30 games of 6 matches.")
    # All have won: of six matches that is no certainty. By Wilson's: n / (n + z^2).
    assert (answer.value, answer.high) == (1.0, pytest.approx(1.0))
    assert answer.low == pytest.approx(6 / (6 + 1.959964**2), abs=1e-6)
    by = ask(lake, where="team_first_dragon", by=["patch"])
    assert any("13.14: Few games: too few to say much." in note for note in by.notes())


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("Position = 'mid'", 3),
        ("position in ('TOP', 'adc')", 5),
        ("position <> 'Support'", 8),
        ("champion_key = 'ezreal'", 8),
        ("queue_group = 'Ranked_Solo'", 8),
        ("queue_group = 'aram'", 0),
    ],
)
def test_values_are_recognised_in_capitals_or_not(made: Made, where: str, wanted: int) -> None:
    assert one(made([{"position": "MIDDLE"}] * 3 + [{}] * 5), where=where).games == wanted


# ---------------------------------------------------------------- names, words and refusals


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"champion": "Ezrael"}, "Ezreal"),
        ({"items": ["Trinty Force"]}, "Trinity Force"),
        ({"items": ["Sheen"]}, "nobody completes it"),
        ({"metric": "dmp"}, "Did you mean dpm"),
        ({"position": "TOPP"}, "Did you mean TOP"),
        ({"by": ["positon"]}, "Did you mean position"),
        ({"champion": "이즈라엘"}, "Did you mean 이즈리얼"),
        ({"champion": "Ez"}, "Did you mean Ezreal"),
        ({"queue": "ranked"}, "Did you mean .*ranked_solo"),
        ({"queue": "420"}, "420 is of the group ranked_solo"),
        ({"queue": "99999"}, "by their group, not by number"),
        ({"where": "position = 'TOPP'"}, "Did you mean TOP"),
        ({"where": "queue_group = 'ranked_sol'"}, "Did you mean ranked_solo"),
        ({"where": "champion_key in ('Ezrael', 'Jinx')"}, "Did you mean Ezreal"),
        ({"where": "patch = '13.1'"}, r"There are 13\.13, 13\.14\."),
        ({"where": "queue_group = 'ranked'"}, "Did you mean .*ranked_solo"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(lake: Lake, question: dict[str, Any], said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        ask(lake, **question)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("kils > 3", "Did you mean kills"),
        ("positon = 'MIDDLE'", "there is no column 'positon'. Did you mean position"),
        ("champion_name = 'Ezreal'", "Write champion"),
        ("drop table", "cannot be read: Join conditions"),
        ("kills >", "cannot be read"),
        ("bought('Trinity Force')", "there is no bought"),
        ("core_item('Trinity Force')", r"core_item\(1, 'Item'\)"),
        ("core_item(0, 'Trinity Force')", "counted from 1"),
        ("core_item(-1, 'Trinity Force')", r"core_item\(1, 'Item'\)"),
        ("kills", "no yes or no"),
        ("kills = 'many'", "no number"),
        ("champion > 'Lux'", "= or <>"),
        ("kills > (select 1)", "no number"),
        ("1 = 1; drop table x", "not understood"),
        ("core_item_ids = 3", "no column"),
        ("core_item(9, 'Trinity Force')", "no game at hand has more than"),
        ("in_order('Manamune', 'manamune')", "names an item twice"),
        ("patch >= 'new'", "no patch"),
        ("", "is empty"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_place(lake: Lake, where: str, said: str) -> None:
    with pytest.raises(ConditionError, match=said):
        ask(lake, where=where)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=40))
def test_no_text_of_a_condition_raises_anything_else(text: str) -> None:
    def nothing(name: str) -> list[int]:
        raise UnknownNameError(name)

    with contextlib.suppress(ConditionError, UnknownNameError):
        read_condition(text, SimpleNamespace(item=nothing, champion=nothing, values=lambda column: ()))


def test_few_games_say_so_and_none_too(lake: Lake, games: list[dict[str, Any]]) -> None:
    strong = max(game["kills"] for game in of(games, champion_key="Ezreal"))
    few = one(lake, champion="Ezreal", where=f"kills >= {strong}")
    assert few.games < 30
    assert any("too few" in note for note in few.notes)
    none = one(lake, champion="Ezreal", where=f"kills > {strong}")
    assert (none.games, none.value) == (0, None)
    assert none.notes == (f"None of {len(of(games, champion_key='Ezreal')):,} games meets the conditions.",)


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
    assert unknown.notes == ("3 games are left out: dpm is not known of them.",)


@pytest.mark.parametrize(
    "question",
    [
        {"by": ["patch", "patch"]},
        {"by": ["champion", "Champion"]},
        {"by": ["champion", "champion_key"]},
        {"items": ["Trinity Force", "삼위일체"]},
    ],
)
def test_what_is_named_twice_is_refused(lake: Lake, question: dict[str, Any]) -> None:
    with pytest.raises(QuestionError, match="is named twice: "):
        ask(lake, **question)


@pytest.mark.parametrize("items", [[], ["Trinity Force"]])
def test_an_order_needs_two_items(lake: Lake, items: list[str]) -> None:
    with pytest.raises(QuestionError, match="two items or more"):
        ask(lake, items=items, in_order=True)


def test_patches_are_ordered_by_number(made: Made) -> None:
    lake = made([{"patch": patch} for patch in ("13.10", "13.9", "13.6", "13.13", "9.24", "13.6")])
    for where, wanted in {
        "patch >= '13.6'": 5, "patch > 13.9": 2, "patch < '13.10'": 4, "patch between '13.7' and '13.12'": 2,
        "patch = '13.6'": 2, "patch <> '13.10'": 5,
    }.items():  # fmt: skip
        assert one(lake, where=where).games == wanted, where
    by_patch = ask(lake, by=["Patch"]).groups
    assert [answer.group["patch"] for answer in by_patch] == ["9.24", "13.6", "13.9", "13.10", "13.13"]
    with pytest.raises(NothingToAskError, match=r"patches 9\.24, 13\.6, 13\.9, 13\.10, 13\.13 "):
        ask(lake, patch="99.1")
    with pytest.raises(UnknownNameError, match=r"There are 9\.24, 13\.6, 13\.9, 13\.10, 13\.13\."):
        ask(lake, where="patch = '99.9'")


def test_an_item_that_another_turned_into_stands_in_its_place(made: Made) -> None:
    both = {"core_item_ids": [TRINITY_FORCE, MANAMUNE], "core_items": 2, "core_items_at_s": [900.0, 1200.0],
            "core_items_team_gold_diff": [0.0, 0.0], "core_items_lane_gold_diff": [0.0, 0.0]}  # fmt: skip
    not_yet = {"completed_item_ids": [TRINITY_FORCE, MANAMUNE], "completed_items_at_s": [900.0, 1200.0]}
    turned = {name: [*values, end] for (name, values), end in zip(not_yet.items(), (MURAMANA, 1500.0), strict=True)}
    lake = made([both | turned] * 3 + [both | not_yet] * 4 + [{}] * 2)
    assert one(lake, where="core_item(2, 'Muramana')").games == 3
    assert one(lake, where="core_item(2, 'Manamune')").games == 7
    assert one(lake, where="core_item(1, 'Muramana')").games == 0


def test_names_of_metrics_and_positions_are_those_that_players_write(lake: Lake) -> None:
    assert one(lake, metric="DPM", position="jgl") == one(lake, metric="dpm", position="JUNGLE")


def test_where_a_champion_is_not_played_the_positions_there_are_are_told(lake: Lake) -> None:
    with pytest.raises(NothingToAskError, match=r"no games of Ezreal \(JUNGLE\).*games of BOTTOM \([\d,]+ games\)\."):
        ask(lake, champion="Ezreal", position="jungle")
    with pytest.raises(NothingToAskError, match="no games of any champion on patch"):
        ask(lake, patch="99.1")


def test_what_cannot_be_is_in_no_interval(made: Made) -> None:
    lake = made([{"kda": 1.0, "team_gold_diff_at_15": 10.0}, {"kda": 11.5, "team_gold_diff_at_15": 9_000.0}])
    kda = one(lake, metric="kda")
    assert (kda.value, kda.low) == (6.25, 0)
    # Of what can be below nought the interval goes there.
    assert (one(lake, metric="team_gold_diff_at_15").low or 0) < 0


def test_a_rate_that_could_not_be_another_says_so(lake: Lake) -> None:
    def says_so(**question: Any) -> bool:
        return any("by construction" in note for note in one(lake, **question).notes)

    assert says_so()
    assert says_so(position="JUNGLE")
    assert not says_so(champion="Ezreal")
    assert not says_so(metric="team_first_dragon")


@pytest.mark.parametrize(
    ("where", "question"),
    [
        ("completed('Trinity Force') and completed('Muramana')", {"items": ["Trinity Force", "Muramana"]}),
        ("completed('트리니티 포스') = true and (completed('Muramana'))", {"items": ["Trinity Force", "Muramana"]}),
        ("in_order('Trinity Force', 'Manamune')", {"items": ["Trinity Force", "Manamune"], "in_order": True}),
        ("team_first_dragon and completed('Muramana')", {"items": ["Muramana"], "where": "team_first_dragon"}),
        ("champion = '이즈리얼' and completed('Trinity Force')", {"items": ["Trinity Force"]}),
        ("patch = '13.14' and completed('Trinity Force')", {"items": ["Trinity Force"], "patch": "13.14"}),
    ],
)
def test_a_question_in_other_words_has_the_same_answer(lake: Lake, where: str, question: dict[str, Any]) -> None:
    where = where.replace("트리니티 포스", "삼위일체")
    same, answer = one(lake, champion="Ezreal", where=where), one(lake, champion="Ezreal", **question)
    assert same.comparison is not None
    assert answer.comparison is not None
    assert (same.games, same.value) == (answer.games, answer.value)
    for name in ("asked_games", "asked_value", "games", "value", "naive_effect", "effect", "low", "high", "p_value"):
        assert getattr(same.comparison, name) == pytest.approx(getattr(answer.comparison, name), rel=1e-9), name


def test_a_group_without_a_name_is_a_group_too(made: Made) -> None:
    answers = ask(made([{"position": None, "queue_group": "aram"}] * 5), metric="dpm", by=["position"])
    assert answers.frame().select("position", "games").rows() == [(None, 5)]
    assert answers.notes() == ["no position: Few games: too few to say much."]


def test_without_lists_champions_are_known_by_their_keys(made: Made) -> None:
    lake = made([{}] * 3)
    lake.replace(Champions, Champions.create_empty())
    assert one(lake, champion="ezreal").games == 3
    with pytest.raises(UnknownNameError, match=r"champion\.json"):
        ask(lake, champion="이즈리얼")


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
    assert any(note.startswith("3 games are in no comparison: there is no other game") for note in answer.notes)


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
    assert any("chosen by kills too" in note for note in further.notes)
    by_items = one(made(rows), where="team_first_dragon and not completed_by('Trinity Force', 12)", metric="dpm")
    assert any("chosen by items too" in note for note in by_items.notes)
    plain = one(made(half), where="team_first_dragon or kills = 1", metric="dpm")
    assert plain.comparison is not None
    assert plain.comparison.effect is None
    assert any("naive" in note for note in plain.notes)


def test_one_game_is_no_games(made: Made) -> None:
    answers = ask(made([{"kills": 9}] + [{"kills": 1, "position": "TOP"}] * 40), metric="kda", where="kills > 5")
    (answer,) = answers.groups
    said = " ".join([*answer.lines(answers.unit), *answer.notes])
    assert "1 game." in said
    assert "1 games" not in said
    assert said.startswith("Mean ")


def test_a_table_reads_as_the_sentences_do(lake: Lake) -> None:
    answers = ask(lake, champion="Ezreal", items=["Trinity Force"], metric="won", by=["patch"])
    assert answers.question.startswith("win_rate of Ezreal")
    rows = answers.table().to_dicts()
    for row, answer in zip(rows, answers.groups, strict=True):
        assert row["patch"] == answer.group["patch"]
        assert row["games"] == answer.games
        assert row["won"].strip() == f"{100 * (answer.value or 0):.1f}%"
        assert answer.comparison is not None
        assert row["naive_effect"].strip() == f"{100 * answer.comparison.naive_effect:+.1f} points"


def test_groups_are_one_family_of_tests(lake: Lake) -> None:
    frame = ask(lake, items=["Trinity Force"], metric="dpm", by=["champion_key"]).frame()
    result = frame.drop_nulls("p_value")
    assert result.height > 1
    expected = stats.false_discovery_control(result.get_column("p_value").to_numpy())
    assert result.get_column("q_value").to_list() == pytest.approx(list(expected))
    assert "q_value" not in ask(lake, champion="Ezreal", items=["Trinity Force"], metric="dpm").frame().columns


def test_without_tables_the_answer_is_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToAskError, match="gamestats ingest lol"):
        ask(Lake(tmp_path), champion="Ezreal")


def with_games_set_aside(lake: Lake, landed: int, *aside: int) -> Lake:
    """The same lake, in which so many games landed, and some of them are in quarantine."""
    raw = rows(RawMatches, *({"match_id": f"NA1_{number:09d}"} for number in range(landed)))
    lake.replace(RawMatches, raw, partitions=raw.get_column("match_date").unique().to_list())
    rejections = [Rejection(f"NA1_{number:09d}", "unit", "a_check", "It is odd.", 1) for number in aside]
    entries = quarantine_frame(Matches, "2023-07-15", rejections)
    lake.replace(quarantine_of("lol"), entries, partitions=[destination(Matches, "2023-07-15")])
    return lake


def test_an_answer_says_which_games_are_set_aside(made: Made) -> None:
    games = [{}] * 40
    assert ask(made(games), champion="Ezreal").set_aside == ""
    result = ask(with_games_set_aside(made(games), 42, 40, 41), champion="Ezreal").set_aside
    assert result.startswith("2 of 42 games are set aside: 2 by a_check. ")


def test_where_no_game_counts_nobody_is_told_to_bring_some(tmp_path: Path) -> None:
    with pytest.raises(NothingToAskError) as refused:
        ask(with_games_set_aside(Lake(tmp_path), 2), champion="Ezreal")
    assert str(refused.value) == "There are no games to ask about. Of 2 that were brought none counts in statistics."


def test_every_metric_can_be_asked_for(lake: Lake) -> None:
    every = one(lake, champion="Soraka").games
    for metric in metrics():
        answer = one(lake, champion="Soraka", metric=metric)
        # Of all her games, or it is said of how many it is not known.
        unknown = [int(note.split()[0].replace(",", "")) for note in answer.notes if "is not known" in note]
        assert answer.games + sum(unknown) == every, metric
        assert (answer.value is None) == (answer.games == 0), metric


def test_rates_have_wilsons_interval_and_several_players_of_a_match_count_as_one(lake: Lake) -> None:
    alone = one(lake, champion="Ezreal")
    n, rate, z = alone.games, alone.value or 0.0, 1.959964
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (rate * (1 - rate) / n + z * z / (4 * n * n)) ** 0.5
    assert (alone.low, alone.high) == (pytest.approx(middle - half, abs=1e-6), pytest.approx(middle + half, abs=1e-6))
    # Of both junglers of every match one wins, so that nothing is left to be unsure of.
    both = one(lake, position="JUNGLE")
    assert both.games == 2 * both.matches
    assert both.value == pytest.approx(0.5)
    assert (both.high or 0) - (both.low or 0) < 0.001


def test_an_answer_reads_as_a_sentence(lake: Lake) -> None:
    answers = ask(lake, champion="Ezreal", items=["Trinity Force"])
    (answer,) = answers.groups
    first, baseline, adjusted = answer.lines(answers.unit)
    assert first == f"{100 * (answer.value or 0):.1f}% (95% interval {100 * (answer.low or 0):.1f}% to " \
        f"{100 * (answer.high or 0):.1f}%), {answer.games:,} games."  # fmt: skip
    assert "naively a difference of" in baseline
    assert adjusted.startswith("At an equal state of the game: ")
    assert answers.question == "win_rate of Ezreal in ranked_solo with Trinity Force completed"
