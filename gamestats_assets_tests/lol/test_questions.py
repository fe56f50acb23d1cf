"""Questions: values by plain counting, honest comparisons, conditions of any depth, and names as people write them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lol import simulate
from gamestats_assets.lol.conditions import ConditionError, condition
from gamestats_assets.lol.items import UnknownNameError
from gamestats_assets.lol.questions import Answer, NothingToAskError, ask, metrics
from gamestats_assets.lol.simulate import Effect, Plan
from gamestats_assets.lol.tables import Champions, Items, ParticipantFeatures
from gamestats_assets_tests.lol.discoveries import FEW_CHAMPIONS, wide

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
    story = simulate.simulate(PLAN)
    silver = simulate.silver(story)
    lake = Lake(tmp_path_factory.mktemp("lake"))
    rows = wide(story)[0].collect()
    lake.replace(ParticipantFeatures, rows, partitions=rows.get_column("match_date").unique().to_list())
    lake.replace(Items, silver["items"])
    lake.replace(Champions, silver["champions"])
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
    assert answer == one(lake, champion="이즈리얼", items=["삼위일체", str(MURAMANA)], metric="dpm")
    assert answer == one(lake, champion="ezreal", items=["trinityforce", "MURAMANA"], metric="dpm")


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
    answer = one(lake, champion="Ezreal", items=["Trinity Force"], where="core_item(1, 'Trinity Force')")
    told = answer.comparison
    assert told is not None
    assert told.effect is not None
    assert told.low is not None
    assert told.high is not None
    assert told.p_value is not None
    error = (told.high - told.low) / (2 * 1.96)
    assert abs(told.effect - 0.15) < 4 * error
    assert told.p_value < 0.01
    with_it = [game for game in of(games, champion_key="Ezreal") if game["core_item_ids"][:1] == [TRINITY_FORCE]]
    assert (answer.games, answer.value) == (len(with_it), pytest.approx(mean(with_it, "won")))


def test_an_item_that_winners_complete_is_naively_better_and_at_an_equal_state_is_not(
    lake: Lake, games: list[dict[str, Any]]
) -> None:
    # Whoever has three items of Jinx' pool has won more; no item of hers does anything.
    pool = {item for game in of(games, champion_key="Jinx") for item in game["core_item_ids"][:3]}
    gaps = []
    for item in sorted(pool):
        answer = one(lake, champion="Jinx", items=[str(item)])
        told = answer.comparison
        if told is not None and told.effect is not None and told.low is not None and told.high is not None:
            error = (told.high - told.low) / (2 * 1.96)
            assert abs(told.effect) < 4 * error, item
            gaps.append(abs(told.naive_effect) - abs(told.effect))
    assert len(gaps) > 4
    assert max(gaps) > 0.08


def test_conditions_are_joined_by_and_or_not(lake: Lake, games: list[dict[str, Any]]) -> None:
    where = (
        "(position = 'TOP' or champion in ('Lux', '애니비아', 'Ahri')) and not team_first_dragon "
        "and kills between 2 and 9 and duration_s > 1200"
    ).replace(", '애니비아'", "")
    wanted = [
        game
        for game in games
        if (game["position"] == "TOP" or game["champion_key"] in ("Lux", "Ahri"))
        and game["team_first_dragon"] is False
        and 2 <= game["kills"] <= 9
        and game["duration_s"] > 1200
    ]
    answer = one(lake, metric="kda", where=where)
    assert (answer.games, answer.value) == (len(wanted), pytest.approx(mean(wanted, "kda")))
    assert answer.comparison is not None
    rest = [game for game in games if game not in wanted]
    assert answer.comparison.value == pytest.approx(mean(rest, "kda"))
    assert answer.comparison.effect is None
    assert any("not adjusted" in note for note in answer.notes)


def test_items_by_a_time_are_conditions_too(lake: Lake, games: list[dict[str, Any]]) -> None:
    def is_early(game: Mapping[str, Any]) -> bool:
        return any(
            item == TRINITY_FORCE and at <= 14 * 60
            for item, at in zip(game["completed_item_ids"], game["completed_items_at_s"], strict=True)
        )

    wanted = [game for game in of(games, champion_key="Ezreal") if is_early(game)]
    answer = one(lake, champion="Ezreal", where="completed_by('Trinity Force', 14)")
    assert answer.games == len(wanted) > 0


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
    with_it = [game for game in own if TRINITY_FORCE in game["completed_item_ids"]]
    assert answer.games == len(with_it)
    assert answer.comparison is not None
    assert answer.comparison.games <= len(own)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"champion": "Ezrael"}, "Ezreal"),
        ({"items": ["Trinty Force"]}, "Trinity Force"),
        ({"items": ["Sheen"]}, "nobody completes it"),
        ({"metric": "dmp"}, "Did you mean dpm"),
        ({"position": "TOPP"}, "Did you mean TOP"),
        ({"by": ["positon"]}, "Did you mean position"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(lake: Lake, question: dict[str, Any], said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        ask(lake, **question)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("kils > 3", "Did you mean kills"),
        ("kills >", "cannot be read"),
        ("bought('Trinity Force')", "there is no bought"),
        ("core_item('Trinity Force')", r"core_item\(1, 'Item'\)"),
        ("kills", "no yes or no"),
        ("kills = 'many'", "no number"),
        ("champion > 'Lux'", "= or <>"),
        ("kills > (select 1)", "no number"),
        ("1 = 1; drop table x", "not understood"),
        ("core_item_ids = 3", "no column"),
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
        condition(text, items=nothing, champions=nothing)


def test_few_games_say_so_and_none_too(lake: Lake, games: list[dict[str, Any]]) -> None:
    strong = max(game["kills"] for game in of(games, champion_key="Ezreal"))
    few = one(lake, champion="Ezreal", where=f"kills >= {strong}")
    assert few.games < 30
    assert any("too few" in note for note in few.notes)
    none = one(lake, champion="Ezreal", where=f"kills > {strong}")
    assert (none.games, none.value) == (0, None)
    assert none.notes == (f"None of {len(of(games, champion_key='Ezreal')):,} games meets the conditions.",)


def test_what_there_is_is_told_where_a_slice_is_empty(lake: Lake) -> None:
    with pytest.raises(NothingToAskError, match=r"13\.13, 13\.14"):
        ask(lake, patch="9.1")


def test_without_tables_the_answer_is_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToAskError, match="gamestats ingest lol"):
        ask(Lake(tmp_path), champion="Ezreal")


def test_every_metric_can_be_asked_for(lake: Lake) -> None:
    for metric in metrics():
        answer = one(lake, champion="Soraka", metric=metric)
        assert answer.games >= 0, metric


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
    assert answers.question == "win_rate of Ezreal with Trinity Force completed"
