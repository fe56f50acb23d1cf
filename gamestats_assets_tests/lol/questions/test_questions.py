"""Questions: values by plain counting, conditions of any depth, and names as people write them."""

from __future__ import annotations

import contextlib
import string
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.quality import Rejection, destination, quarantine_frame, quarantine_of
from gamestats_assets.lol.questions.conditions import ConditionError, read_condition
from gamestats_assets.lol.questions.questions import NothingToAskError, QuestionError, ask, metrics
from gamestats_assets.lol.reference.items import UnknownNameError
from gamestats_assets.lol.tables import Champions, Matches, RawMatches
from gamestats_assets_tests.lol.questions.asked import (
    BOUGHT,
    MANAMUNE,
    MURAMANA,
    TRINITY_FORCE,
    WITHOUT_TIMELINE,
    Made,
    compared,
    mean,
    of,
    one,
)
from gamestats_assets_tests.lol.scenario import rows


def test_conditions_are_joined_by_and_or_not(lake: Lake, games: list[dict[str, Any]]) -> None:
    where = (
        "(position = 'TOP' or champion in ('Lux', 'Ahri')) and not (team_first_dragon or team_first_tower) "
        "and kills between 2 and 9 and duration_s > 1200"
    )
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
    assert compared(answer).effect is None
    assert any("not adjusted" in note for note in answer.notes)


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
    assert any("13.14: Few games: too few for reliable values." in note for note in by.notes())


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


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"champion": "Ezrael"}, "Ezreal"),
        ({"items": ["Trinty Force"]}, "Trinity Force"),
        ({"items": ["Sheen"]}, "is neither a core item nor boots"),
        ({"metric": "dmp"}, "Did you mean dpm"),
        ({"position": "TOPP"}, "Did you mean TOP"),
        ({"by": ["positon"]}, "Did you mean position"),
        ({"champion": "이즈라엘"}, "Did you mean 이즈리얼"),
        ({"champion": "Ez"}, "Did you mean Ezreal"),
        ({"queue": "ranked"}, "Did you mean .*ranked_solo"),
        ({"queue": "420"}, "420 is in the group ranked_solo"),
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
        ("kills", "is not a boolean"),
        ("kills = 'many'", "is not a number"),
        ("champion > 'Lux'", "= or <>"),
        ("kills > (select 1)", "is not a number"),
        ("1 = 1; drop table x", "not understood"),
        ("core_item_ids = 3", "no column"),
        ("core_item(9, 'Trinity Force')", "no available game has more than"),
        ("in_order('Manamune', 'manamune')", "names an item twice"),
        ("patch >= 'new'", "is not a patch"),
        ("", "is empty"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_place(lake: Lake, where: str, said: str) -> None:
    with pytest.raises(ConditionError, match=said):
        ask(lake, where=where)


@settings(max_examples=100)
@given(st.text(string.printable + "é트ß\0", max_size=40))
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
    assert answers.notes() == ["no position: Few games: too few for reliable values."]


def test_without_lists_champions_are_known_by_their_keys(made: Made) -> None:
    lake = made([{}] * 3)
    lake.replace(Champions, Champions.create_empty())
    assert one(lake, champion="ezreal").games == 3
    with pytest.raises(UnknownNameError, match=r"champion\.json"):
        ask(lake, champion="이즈리얼")


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
    assert str(refused.value) == "There are no games to ask about. None of the 2 landed matches counts in statistics."


def test_every_metric_can_be_asked_for(made: Made, games: list[dict[str, Any]]) -> None:
    every = of(games, champion_key="Soraka")[:200]
    lake = made(every)
    for metric in metrics():
        answer = one(lake, metric=metric)
        # Of all her games, or it is said of how many it is not known.
        unknown = [int(note.split()[0].replace(",", "")) for note in answer.notes if "is unknown" in note]
        assert answer.games + sum(unknown) == len(every), metric
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
