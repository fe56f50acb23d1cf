"""Patterns: what was planted is found with its size, what was not is not, and the naive rule is seen through."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, norm

from gamestats_assets.lol.matches.features import is_held_out
from gamestats_assets.lol.patterns.patterns import (
    LEVEL,
    SUPPORT,
    Cell,
    compare_cells,
    discovered_patterns,
    family_of_cells,
    family_of_tests,
    order_when_first_maxed,
    participant_cells,
    pattern_tests,
    sentence,
)
from gamestats_assets.lol.statistics.variables import vision_survival
from gamestats_assets.lol.tables import Objectives, ParticipantFeatures, PatternTests, VisionSurvival
from gamestats_assets.simulators.lol.plan import Effect, Plan
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets.simulators.lol.story import Story
from gamestats_assets.simulators.lol.truth import truth
from gamestats_assets_tests.benchmarks.lol_discovery import plan_of_errors
from gamestats_assets_tests.lol.gold import make, with_features
from gamestats_assets_tests.lol.patterns.discoveries import FEW_CHAMPIONS, discovered, false_share, wide
from gamestats_assets_tests.lol.silver import silver as simulated_silver

PATCH = (("13.14", 1.0),)
TRINITY_FORCE = Effect(kind="item", champion="Ezreal", position="BOTTOM", core_order=1, item=3078, points=0.12)
DRAGON = Effect(kind="objective", objective="dragon", points=0.12)
ORDER = Effect(kind="skill_order", champion="Lux", position="MIDDLE", order="EQW", dpm=80)
SEEING = Effect(kind="vision", position="UTILITY", correlation=-0.3)
PLAN = Plan(
    matches=6_000, patches=PATCH, seed=11, champions=FEW_CHAMPIONS, effects=(TRINITY_FORCE, DRAGON, ORDER, SEEING)
)


@pytest.fixture(scope="module")
def story() -> Story:
    return simulate(PLAN)


@pytest.fixture(scope="module")
def made(story: Story) -> dict[str, pl.DataFrame]:
    """The tests and patterns of the story, and what they are made from."""
    frames = with_features(simulated_silver(story))
    frames[VisionSurvival] = make(vision_survival, frames)
    frames[PatternTests] = make(pattern_tests, frames)
    tables = {"features": ParticipantFeatures, "objectives": Objectives, "tests": PatternTests}
    patterns = make(discovered_patterns, frames)
    return {"patterns": patterns, **{name: frames[table] for name, table in tables.items()}}


def of(tests: pl.DataFrame, **wanted: Any) -> dict[str, Any]:
    (row,) = tests.filter(pl.all_horizontal(pl.col(name) == value for name, value in wanted.items())).to_dicts()
    return row


def test_each_planted_effect_is_found_and_its_interval_holds_what_was_planted(
    made: dict[str, pl.DataFrame], story: Story
) -> None:
    result = {row["kind"]: row for row in truth(story).iter_rows(named=True)}
    found = {
        "item": of(made["tests"], condition_key="item 3078 1st", champion_name="Ezreal", outcome="win_rate"),
        "objective": of(made["tests"], condition_key="objective dragon"),
        "skill_order": of(made["tests"], condition_key="skill EQW", champion_name="Lux", outcome="dpm"),
        "vision": of(made["tests"], family="vision", position="UTILITY"),
    }
    for kind, row in found.items():
        assert row["is_found"], kind
        # Four standard errors: four of these intervals at 95% would fail one run in five.
        error = (row["effect_high"] - row["effect_low"]) / (2 * 1.96)
        assert abs(row["effect"] - result[kind]["realised"]) < 4 * error, kind
    for kind in ("item", "skill_order"):
        for name in ("games", "baseline_games"):
            assert found[kind][name] == result[kind][name], kind
        assert found[kind]["naive_effect"] == pytest.approx(result[kind]["naive_effect"]), kind


def test_values_and_naive_effects_are_plain_means(made: dict[str, pl.DataFrame]) -> None:
    features = made["features"]
    tested = made["tests"].filter(pl.col("family") == "item").sort("pattern_id")
    for row in tested.gather_every(17).iter_rows(named=True):
        item, order = re.fullmatch(r"item (\d+) (\d)..", row["condition_key"]).groups()  # type: ignore[union-attr]
        games = [
            (ids[int(order) - 1] == int(item), won)
            for champion, position, ids, won in features.select(
                "champion_id", "position", "core_item_ids", "won"
            ).iter_rows()
            if champion == row["champion_id"] and position == row["position"] and len(ids) >= int(order)
        ]
        with_it = [won for has, won in games if has]
        without = [won for has, won in games if not has]
        assert (row["games"], row["baseline_games"]) == (len(with_it), len(without))
        assert row["value"] == pytest.approx(sum(with_it) / len(with_it))
        assert row["baseline_value"] == pytest.approx(sum(without) / len(without))
        assert row["naive_effect"] == pytest.approx(row["value"] - row["baseline_value"])
        assert min(row["games"], row["baseline_games"]) >= SUPPORT
    of_rates = made["tests"].drop_nulls("value").select("naive_effect", "value", "baseline_value").rows()
    assert [naive for naive, *_ in of_rates] == pytest.approx([value - other for _, value, other in of_rates])
    assert sum(naive < 0 for naive, *_ in of_rates) > 100


def test_first_objectives_are_told_of_every_game_in_which_somebody_took_one(made: dict[str, pl.DataFrame]) -> None:
    firsts = made["objectives"].filter(objective="dragon", number_in_match=1).get_column("won").to_list()
    row = of(made["tests"], condition_key="objective dragon")
    assert (row["games"], row["baseline_games"], row["matches_played"]) == (len(firsts), 0, len(firsts))
    assert row["value"] == pytest.approx(sum(firsts) / len(firsts))
    assert row["baseline_value"] == pytest.approx(1 - sum(firsts) / len(firsts))
    assert row["naive_effect"] == pytest.approx((sum(firsts) - firsts.count(False)) / len(firsts))
    assert row["baseline"] == "games in which the other team took it, at equal time and gold difference just before"
    error = math.sqrt(4 * row["value"] * row["baseline_value"] / len(firsts))
    alpha = LEVEL * made["tests"].get_column("is_found").sum() / made["tests"].height
    assert row["power_at_3_points"] == pytest.approx(norm.sf(norm.isf(alpha / 2) - 0.03 / error), abs=0.02)


def test_every_choice_with_enough_games_in_both_arms_is_tested(made: dict[str, pl.DataFrame]) -> None:
    games: dict[tuple[int, str, int, int], int] = {}
    reached: dict[tuple[int, str, int], int] = {}
    for champion, position, ids in made["features"].select("champion_id", "position", "core_item_ids").iter_rows():
        for order, item in enumerate(ids[:3], 1):
            games[champion, position, order, item] = games.get((champion, position, order, item), 0) + 1
            reached[champion, position, order] = reached.get((champion, position, order), 0) + 1
    wanted = {
        (champion, position, f"item {item} {('1st', '2nd', '3rd')[order - 1]}")
        for (champion, position, order, item), n in games.items()
        if n >= SUPPORT and reached[champion, position, order] - n >= SUPPORT
    }
    tested = made["tests"].filter(pl.col("family") == "item")
    assert {*tested.select("champion_id", "position", "condition_key").iter_rows()} == wanted


def test_q_values_are_benjamini_and_hochbergs_over_everything_tested(made: dict[str, pl.DataFrame]) -> None:
    p = made["tests"].get_column("p_value").to_list()
    order = sorted(range(len(p)), key=p.__getitem__)
    q = [0.0] * len(p)
    least = 1.0
    for rank in range(len(p), 0, -1):
        place = order[rank - 1]
        least = min(least, p[place] * len(p) / rank)
        q[place] = least
    assert made["tests"].get_column("q_value").to_list() == pytest.approx(q, rel=1e-9)
    assert made["tests"].get_column("tests").unique().to_list() == [len(p)]
    assert {*made["tests"].get_column("family")} == {"item", "item_path", "skill_order", "objective", "vision"}
    assert made["tests"].get_column("is_found").to_list() == [each <= LEVEL for each in q]


def test_a_confounded_null_is_what_the_naive_rule_reports_and_this_one_does_not(
    made: dict[str, pl.DataFrame],
) -> None:
    nulls = made["tests"].filter((pl.col("family") == "item") & (pl.col("champion_name") != "Ezreal"))
    pooled = (pl.col("value") * pl.col("games") + pl.col("baseline_value") * pl.col("baseline_games")) / (
        pl.col("games") + pl.col("baseline_games")
    )
    error = (pooled * (1 - pooled) * (1 / pl.col("games") + 1 / pl.col("baseline_games"))).sqrt()
    naive = nulls.with_columns(z=(pl.col("naive_effect") / error).abs())
    naively_reported = naive.filter(pl.col("z") > norm.isf(0.025)).height
    # Winning makes leads, and leads make items: a quarter of what is naively "significant" would not be chance.
    assert naively_reported > 0.15 * nulls.height
    strongest = naive.sort("z").tail(1)
    assert strongest["z"][0] > 5
    assert not strongest["is_found"][0]
    assert nulls.get_column("is_found").sum() <= 1


def test_false_finds_stay_within_the_level_over_several_data_sets() -> None:
    sets = [discovered(plan_of_errors(seed, 2_500)) for seed in range(4)]
    nulls = pl.concat([result.filter("is_null") for result in sets], how="diagonal_relaxed")
    found = sum(result.get_column("is_found").sum() for result in sets)
    # The planted ones are found, so that the rule is at work at all.
    assert found >= 6
    # In four sets of which each has one to three finds, the mean share of false ones varies by some 0.05.
    assert float(np.mean([false_share(result) for result in sets])) < 0.05 + 0.15
    small = int((nulls.get_column("p_value") <= 0.05).sum())
    # The p-values of true nulls are uniform; those of one cell go together, so that twice the spread is allowed.
    spread = binom(nulls.height, 0.05).std()
    assert abs(small - 0.05 * nulls.height) < 2 * 3.3 * spread


def test_the_held_out_half_is_told_by_the_match_alone_and_replication_is_of_that_half(
    made: dict[str, pl.DataFrame],
) -> None:
    features = made["features"]
    halves = dict(features.select("match_id", "held_out").unique().iter_rows())
    assert all(is_held_out(match_id) == held for match_id, held in halves.items())
    assert abs(sum(halves.values()) / len(halves) - 0.5) < 4 * 0.5 / math.sqrt(len(halves))
    row = of(made["tests"], condition_key="skill EQW", champion_name="Lux", outcome="dpm")
    cells = [
        cell
        for cell in participant_cells(features.filter("held_out").lazy())
        if cell.of["champion_id"] == row["champion_id"] and "skill EQW" in cell.keys
    ]
    again = compare_cells(cells, minimum=50).filter(condition_key="skill EQW", outcome="dpm").to_dicts()[0]
    assert row["held_out_effect"] == pytest.approx(again["effect"], abs=1e-9)
    assert row["held_out_p_value"] == pytest.approx(again["p_value"], rel=1e-6)
    assert row["is_replicated"] == (again["effect"] * row["discovery_effect"] > 0 and again["p_value"] <= LEVEL)
    tried = pl.col("discovery_half_q_value") <= LEVEL
    untried = made["tests"].filter(tried.not_() | tried.is_null())
    result = untried.select("is_replicated", "held_out_effect", "held_out_p_value")
    assert untried.height > 300
    assert {*result.iter_rows()} == {(None, None, None)}


def test_a_pattern_can_be_read(made: dict[str, pl.DataFrame]) -> None:
    row = of(made["patterns"], condition_key="item 3078 1st", champion_name="Ezreal")
    assert row["pattern_id"] == "ranked_solo/BOTTOM/81/item-3078-1st/win_rate"
    assert row["condition"] == "Trinity Force as the 1st core item"
    assert row["condition_ko"] == "삼위일체, 첫 번째 핵심 아이템"
    said = row["sentence"]
    assert said.startswith(
        "Ezreal (BOTTOM), ranked_solo, patch 13.14: Trinity Force as the 1st core item goes with a win rate "
        f"{100 * row['effect']:.1f} points higher"
    )
    games = (f"{row['games']:,} games", f"{row['baseline_games']:,}")
    assert all(figure in said for figure in (*games, f"q = {row['q_value']:.2g}"))
    assert f"naively {100 * row['naive_effect']:+.1f}" in said


@pytest.mark.parametrize(
    ("q_of_half", "is_replicated", "said"),
    [
        (0.05, True, "; found by half of the matches alone, it held on the held out half."),
        (0.05, False, "; found by half of the matches alone, it did not hold on the held out half."),
        (0.05, None, "; found by half of the matches alone, but not testable on the held out half."),
        (0.051, None, "; found only by all games together, so not tested on the held out half."),
        (None, None, "; found only by all games together, so not tested on the held out half."),
    ],
)
def test_a_sentence_says_of_the_halves_what_is_true(
    made: dict[str, pl.DataFrame], q_of_half: float | None, is_replicated: bool | None, said: str
) -> None:
    row = of(made["patterns"], condition_key="objective dragon")
    result = sentence({**row, "discovery_half_q_value": q_of_half, "is_replicated": is_replicated})
    assert result.endswith(said)
    # Nothing else of the sentence tells of the halves.
    assert result.removesuffix(said) == row["sentence"].rpartition(";")[0]


def test_too_few_games_make_no_tests_and_no_fuss() -> None:
    features, objectives = wide(simulate(Plan(matches=40, patches=PATCH)))
    tests = family_of_tests(features, objectives, vision_survival(features))
    # Vision needs few games, and choices have none of their two hundred.
    assert {*tests.get_column("family")} == {"vision"}
    named = {"pattern_id", "patch", "patch_number", "champion_name", "champion_name_ko", "condition", "condition_ko"}
    assert {*PatternTests.column_names()} <= {*tests.columns} | named | {"baseline"}
    nothing = family_of_tests(features.clear(), objectives.clear(), vision_survival(features.clear()))
    assert nothing.is_empty()


# --------------------------------------------------------------------------- cells by hand

Wins = Mapping[tuple[bool, bool], float]
"""Share of games won, by whether the choice was made and whether the match is held out."""


def a_cell(wins: Wins, games: int = 200, *, held_out_games: int | None = None, key: str = "item 1001 1st") -> Cell:
    """Two arms in two halves with so many games each, of which so many are won; no state."""
    groups = [
        (has, held, games if held_out_games is None or not held else held_out_games, share)
        for (has, held), share in wins.items()
    ]
    sizes = [size for _, _, size, _ in groups]
    won = np.concatenate([np.arange(size) < round(share * size) for _, _, size, share in groups])
    return Cell(
        {"queue_group": "ranked_solo", "position": "TOP", "champion_id": 1},
        "item",
        [key],
        np.repeat([0 if has else -1 for has, *_ in groups], sizes),
        np.empty((sum(sizes), 0)),
        {"win_rate": won},
        np.arange(sum(sizes)),
        np.repeat([held for _, held, *_ in groups], sizes),
    )


def halves(discovery: tuple[float, float], held_out: tuple[float, float]) -> Wins:
    """With it and without it, in either half."""
    return {(True, False): discovery[0], (False, False): discovery[1], (True, True): held_out[0],
            (False, True): held_out[1]}  # fmt: skip


def test_a_pattern_is_replicated_where_the_half_that_did_not_find_it_bears_it_out() -> None:
    cells = [
        a_cell(halves((0.65, 0.45), (0.65, 0.45))),
        a_cell(halves((0.65, 0.45), (0.55, 0.50))),
        a_cell(halves((0.65, 0.45), (0.35, 0.60))),
        a_cell(halves((0.65, 0.45), (0.65, 0.45)), held_out_games=40),
        a_cell(halves((0.56, 0.48), (0.65, 0.40))),
        a_cell(halves((0.40, 0.60), (0.40, 0.60))),
    ]
    tests = family_of_cells(cells)
    half_p = [
        compare_cells([a_cell({key: share for key, share in wins.items() if not key[1]})], minimum=1)["p_value"][0]
        for wins in (halves((0.65, 0.45), (0, 0)), halves((0.56, 0.48), (0, 0)), halves((0.40, 0.60), (0, 0)))
    ]
    # Of six hypotheses five have smaller ones, and of these the last the greatest.
    by_half = tests.get_column("discovery_half_q_value").to_list()
    assert by_half[4] == pytest.approx(half_p[1])
    assert by_half[4] > LEVEL
    assert half_p[0] < half_p[2] < half_p[0] * 5 / 4
    assert [*by_half[:4], by_half[5]] == pytest.approx([half_p[2] * 6 / 5] * 5)
    assert tests.get_column("is_found").to_list() == [True, True, False, True, True, True]
    assert tests.get_column("is_replicated").to_list() == [True, False, False, None, None, True]
    assert tests.get_column("held_out_p_value").is_null().to_list() == [False, False, False, True, True, False]


def test_what_always_wins_is_counted_and_said_to_be_untested() -> None:
    sound = a_cell(halves((0.58, 0.48), (0.58, 0.48)))
    sure = a_cell(halves((1.0, 0.48), (1.0, 0.48)), key="item 1002 1st")
    (alone,) = family_of_cells([sound]).to_dicts()
    tested, untested = family_of_cells([sound, sure]).to_dicts()
    assert (untested["games"], untested["baseline_games"], untested["value"]) == (400, 400, 1.0)
    assert untested["naive_effect"] == pytest.approx(0.52)
    assert untested["reason"].startswith("all games with it")
    nothing = ("effect", "p_value", "q_value", "discovery_half_q_value", "is_replicated")
    assert [untested[name] for name in nothing] == [None] * 5
    assert untested["is_found"] is False
    assert (tested["reason"], tested["tests"], untested["tests"]) == (None, 2, 2)
    # It shows nothing, yet it makes the others no surer.
    assert tested["q_value"] == pytest.approx(2 * alone["p_value"])


# --------------------------------------------------------------------------- skill orders


def levelled(levels: Sequence[str], *, second_maxed: Sequence[bool] | None = None) -> dict[str, pl.Series]:
    """What wide rows tell of games with these levels, the first of them until the first skill was maxed at the latest.

    Args:
        levels: of each game.
        second_maxed: whether it lasted until a second skill was.
    """
    trigrams = [[of[start : start + 3] for start in range(min(len(of), 9) - 2)] for of in levels]
    ranks = [sorted("QWE", key=lambda skill, of=of: (-of.count(skill), of.rfind(skill))) for of in levels]
    return {
        "skill_trigrams": pl.Series(trigrams, dtype=pl.List(pl.String)),
        "skill_max_order": pl.Series(["".join(order) for order in ranks]),
        "skill_order_is_complete": pl.Series([True] * len(levels) if second_maxed is None else list(second_maxed)),
    }


@pytest.mark.parametrize(
    ("levels", "order"),
    [
        ("QWEQQRQWQ", "QWE"),
        ("QWEQQRQEQ", "QEW"),
        # Of equal ranks the one that had its rank first; a third rank that came later changes nothing.
        ("EWQEEREWEQQ", "EWQ"),
        ("QWEWWQWEW", "WQE"),
        ("EQWEEWEQEWW", "EWQ"),
        # Levels that are handed out faster, as in Arena: the ninth comes after the moment.
        ("QWEQRQQQE", "QWE"),
    ],
)
def test_a_max_order_is_read_as_it_stood_when_the_first_skill_was_maxed(levels: str, order: str) -> None:
    result = pl.DataFrame(levelled([levels])).with_columns(skill_max_order=pl.lit(order[0] + "??"))
    assert result.select(order_when_first_maxed()).item() == order


def a_lottery_of_orders(made: pl.DataFrame, points: float) -> pl.DataFrame:
    """Games in which a lot tells which of two orders is taken; one wins more, and when it does so, often early."""
    own = made.filter(champion_id=81)
    own = pl.concat([own, own.with_columns(match_id=pl.col("match_id") + "b")])
    random = np.random.default_rng(0)
    has, lead = random.random(own.height) < 0.5, random.normal(0, 1500, own.height)
    won = random.random(own.height) < np.clip(0.45 + points * has + lead / 15_000, 0, 1)
    short = np.where(has & won, random.random(own.height) < 0.5, random.random(own.height) < 0.1)
    return own.with_columns(
        won=pl.Series(won),
        skill_first_maxed_at_s=pl.Series(random.normal(800, 30, own.height)),
        skill_first_maxed_team_gold_diff=pl.Series(lead),
        **levelled(["QEWQQRQEQ" if each else "QWEQQRQWQ" for each in has], second_maxed=[*~short]),
    )


def test_an_order_that_wins_before_a_second_skill_is_maxed_has_its_whole_effect(made: dict[str, pl.DataFrame]) -> None:
    features = a_lottery_of_orders(made["features"], points=0.10)
    row = win_rate_of(features, "skill")
    assert (row["games"] + row["baseline_games"], row["games_left_out"]) == (features.height, 0)
    assert abs(row["effect"] - 0.10) < 3 * row["standard_error"] < 0.06
    assert row["p_value"] < 1e-6
    # Among games with a complete order alone it would seem to do nothing, or harm.
    of_complete = win_rate_of(features.filter("skill_order_is_complete"), "skill")
    assert of_complete["effect"] < 0.10 - 5 * of_complete["standard_error"]
    assert of_complete["effect"] < 0.01


# --------------------------------------------------------------------------- the state of the game

STATES = ["core_items_team_gold_diff", "core_items_lane_gold_diff", "core_items_at_s",
          "skill_first_maxed_team_gold_diff", "skill_first_maxed_at_s"]  # fmt: skip


def by_state(features: pl.DataFrame, state: str) -> pl.DataFrame:
    """Games in which one thing of the state alone makes both an item or a max order, and a win."""
    of = features.filter(champion_id=81)
    random = np.random.default_rng(3)
    state_of = {name: pl.Series(random.normal(1000, 100, of.height)) for name in STATES}
    by = (state_of[state].to_numpy() - 1000) / 100
    has, won = (by + random.normal(0, 0.7, of.height) > 0 for _ in range(2))
    return of.with_columns(
        *(
            (pl.concat_list(values) if name.startswith("core") else values).alias(name)
            for name, values in state_of.items()
        ),
        won=pl.Series(won),
        core_items=pl.lit(1, pl.Int16),
        core_item_ids=pl.concat_list(pl.Series(np.where(has, 3078, 6672).astype(np.int32))),
        **levelled(["QEWQQRQEQ" if each else "EQWEEREQE" for each in has]),
    )


def win_rate_of(features: pl.DataFrame, state: str) -> dict[str, Any]:
    key = "item 3078 1st" if state.startswith("core") else "skill QEW"
    cells = [*participant_cells(features.lazy())]
    return of(compare_cells(cells), condition_key=key, outcome="win_rate")


@pytest.mark.parametrize("state", STATES)
def test_what_the_state_of_the_game_does_is_not_put_down_to_the_choice(
    made: dict[str, pl.DataFrame], state: str
) -> None:
    row = win_rate_of(by_state(made["features"], state), state)
    assert row["naive_effect"] > 0.3
    assert abs(row["effect"]) < 4 * row["standard_error"] < 0.1


@pytest.mark.parametrize("state", STATES[1:4])
def test_games_whose_state_is_unknown_are_in_neither_arm_and_counted(made: dict[str, pl.DataFrame], state: str) -> None:
    whole = by_state(made["features"], state).with_row_index("row")
    # Where it was chosen and won, one does not know the state half of the time.
    lost = (pl.col("row") % 2 == 0) & (pl.col("core_item_ids").list.first() == 3078) & pl.col("won")
    unknown = pl.lit([None], pl.List(pl.Float64)) if state.startswith("core") else pl.lit(None, pl.Float64)
    known = whole.filter(~lost)
    if state == "skill_first_maxed_team_gold_diff":
        lost = lost & pl.col(state).is_not_null()
    row = win_rate_of(whole.with_columns(pl.when(lost).then(unknown).otherwise(state).alias(state)), state)
    expected = win_rate_of(known, state)
    assert row["games_left_out"] == whole.height - known.height > 200
    assert (row["games"], row["baseline_games"]) == (expected["games"], expected["baseline_games"])
    for name in ("value", "effect", "p_value"):
        assert row[name] == pytest.approx(expected[name], abs=1e-9)
