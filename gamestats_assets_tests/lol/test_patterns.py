"""Patterns: what was planted is found with its size, what was not is not, and the naive rule is seen through."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, norm, spearmanr

from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.lol import simulate
from gamestats_assets.lol.features import is_held_out
from gamestats_assets.lol.patterns import (
    LEVEL,
    SUPPORT,
    Cell,
    compare_cells,
    discovered_patterns,
    family_of_tests,
    objective_cells,
    participant_cells,
    pattern_tests,
    sentence,
)
from gamestats_assets.lol.simulate import Effect, Plan
from gamestats_assets.lol.tables import DiscoveredPatterns, Patches, PatternTests
from gamestats_assets.lol.variables import vision_survival
from gamestats_assets_tests.benchmarks.lol_discovery import plan_of_errors
from gamestats_assets_tests.lol.discoveries import FEW_CHAMPIONS, discovered, false_share, wide

PATCH = (("13.14", 1.0),)
TRINITY_FORCE = Effect(kind="item", champion="Ezreal", position="BOTTOM", core_order=1, item=3078, points=0.12)
DRAGON = Effect(kind="objective", objective="dragon", points=0.12)
ORDER = Effect(kind="skill_order", champion="Lux", position="MIDDLE", order="EQW", dpm=80)
SEEING = Effect(kind="vision", position="UTILITY", correlation=-0.3)
PLAN = Plan(
    matches=6_000, patches=PATCH, seed=11, champions=FEW_CHAMPIONS, effects=(TRINITY_FORCE, DRAGON, ORDER, SEEING)
)


@pytest.fixture(scope="module")
def story() -> simulate.Story:
    return simulate.simulate(PLAN)


@pytest.fixture(scope="module")
def made(story: simulate.Story) -> dict[str, pl.DataFrame]:
    """The tests and patterns of the story, and what they are made from."""
    features, objectives = wide(story)
    silver = simulate.silver(story)
    vision = vision_survival(features).collect()
    patches = pl.DataFrame(
        {
            "patch": ["13.14"],
            "patch_number": [13014],
            "matches_played": [1],
            "matches_in_statistics": [1],
            "first_day": [PLAN.first_day],
            "last_day": [PLAN.first_day],
            "data_dragon_version": ["13.14.1"],
            "version_is": ["exact"],
            "content_hash": ["-"],
        },
        schema=Patches.schema(),
    )
    lists = [silver[name].lazy() for name in ("items", "champions")]
    tests = pattern_tests(features, objectives, vision.lazy(), patches.lazy(), *lists).collect()
    patterns = discovered_patterns(tests.lazy()).collect()
    return {"features": features.collect(), "objectives": objectives.collect(), "tests": tests, "patterns": patterns}


def of(tests: pl.DataFrame, **wanted: Any) -> dict[str, Any]:
    (row,) = tests.filter(pl.all_horizontal(pl.col(name) == value for name, value in wanted.items())).to_dicts()
    return row


def test_everything_keeps_the_rules_of_its_table(made: dict[str, pl.DataFrame]) -> None:
    assert not screen(PatternTests, made["tests"]).rejections
    assert not screen(DiscoveredPatterns, made["patterns"]).rejections
    assert made["tests"].get_column("pattern_id").n_unique() == made["tests"].height


def test_each_planted_effect_is_found_and_its_interval_holds_what_was_planted(
    made: dict[str, pl.DataFrame], story: simulate.Story
) -> None:
    truth = {row["kind"]: row for row in simulate.truth(story).iter_rows(named=True)}
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
        assert abs(row["effect"] - truth[kind]["realised"]) < 4 * error, kind
    assert found["item"]["games"] == truth["item"]["games"]
    assert found["item"]["baseline_games"] == truth["item"]["baseline_games"]
    assert found["item"]["naive_effect"] == pytest.approx(truth["item"]["naive_effect"])


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


def test_false_finds_stay_within_the_level_over_ten_data_sets() -> None:
    sets = [discovered(plan_of_errors(seed, 2_500)) for seed in range(10)]
    nulls = pl.concat([told.filter("is_null") for told in sets], how="diagonal_relaxed")
    found = sum(told.get_column("is_found").sum() for told in sets)
    # The planted ones are found, so that the rule is at work at all.
    assert found >= 15
    # In ten sets of which each has one to three finds, the mean share of false ones varies by some 0.03.
    assert float(np.mean([false_share(told) for told in sets])) < 0.05 + 0.09
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
    row = of(made["tests"], condition_key="item 3078 1st", champion_name="Ezreal")
    cells = [
        cell
        for cell in participant_cells(features.filter("held_out").lazy())
        if cell.of["champion_id"] == row["champion_id"] and "item 3078 1st" in cell.keys
    ]
    again = compare_cells(cells, minimum=50).filter(pl.col("condition_key") == "item 3078 1st").to_dicts()[0]
    assert row["held_out_effect"] == pytest.approx(again["effect"], abs=1e-9)
    assert row["held_out_p_value"] == pytest.approx(again["p_value"], abs=1e-9)
    assert row["is_replicated"] == (again["effect"] * row["effect"] > 0 and again["p_value"] <= LEVEL)
    assert made["tests"].filter(~pl.col("is_found")).get_column("is_replicated").null_count() > 0


def test_vision_is_spearmans_correlation_with_the_length_of_the_game_held(made: dict[str, pl.DataFrame]) -> None:
    row = of(made["tests"], family="vision", position="UTILITY")
    rows = made["features"].filter(pl.col("position") == "UTILITY").drop_nulls("vision_per_minute")
    seen, died, length = (rows.get_column(name).to_numpy() for name in ("vision_per_minute", "deaths", "duration_s"))
    plain = spearmanr(seen, died).statistic
    by_length = [spearmanr(each, length).statistic for each in (seen, died)]
    partial = (plain - by_length[0] * by_length[1]) / math.sqrt((1 - by_length[0] ** 2) * (1 - by_length[1] ** 2))
    assert row["naive_effect"] == pytest.approx(plain, abs=1e-9)
    assert row["effect"] == pytest.approx(partial, abs=1e-9)


def test_an_objective_says_the_same_of_blue_and_red(made: dict[str, pl.DataFrame]) -> None:
    objectives = made["objectives"]
    (cell,) = [cell for cell in objective_cells(objectives.lazy()) if cell.keys == ["objective dragon"]]
    mirrored = Cell(
        cell.of, cell.family, cell.keys, np.where(cell.choice == 0, -1, 0), cell.covariates * [-1, 1],
        {"win_rate": ~cell.outcomes["win_rate"]}, cell.clusters, cell.held_out,
    )  # fmt: skip
    (blue,), (red,) = compare_cells([cell]).to_dicts(), compare_cells([mirrored]).to_dicts()
    assert red["effect"] == pytest.approx(blue["effect"], abs=0.002)
    assert red["p_value"] == pytest.approx(blue["p_value"], rel=0.3, abs=1e-6)


def test_power_is_told_for_the_threshold_of_the_family(made: dict[str, pl.DataFrame]) -> None:
    tests = made["tests"]
    alpha = LEVEL * tests.get_column("is_found").sum() / tests.height
    row = of(tests, condition_key="item 3078 1st", champion_name="Ezreal")
    base = row["baseline_value"]
    error = math.sqrt(base * (1 - base) * (1 / row["games"] + 1 / row["baseline_games"]))
    # By hand, and roughly: both errors as if the rates were equal.
    by_hand = norm.sf(norm.isf(alpha / 2) - 0.03 / error)
    assert row["power_at_3_points"] == pytest.approx(by_hand, abs=0.02)
    z = norm.isf(alpha / 2) + norm.isf(0.1)
    assert row["smallest_effect"] == pytest.approx(z * error, rel=0.15)


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
    assert all(figure in said for figure in (*games, f"q = {row['q_value']:.2g}", "held out half"))
    assert f"naively {100 * row['naive_effect']:+.1f}" in said


def test_a_pattern_of_damage_can_be_read_too(made: dict[str, pl.DataFrame]) -> None:
    row = of(made["patterns"], condition_key="skill EQW", champion_name="Lux", outcome="dpm")
    assert f"maxing E > Q > W goes with {row['effect']:.1f} more damage per minute (95% interval" in row["sentence"]


def test_a_negative_pattern_that_did_not_hold_says_so(made: dict[str, pl.DataFrame]) -> None:
    row = {**of(made["patterns"], condition_key="objective dragon"), "effect": -0.05, "is_replicated": False}
    said = sentence(row)
    assert "5.0 points lower" in said
    assert "it did not hold on the held out half" in said


def test_too_few_games_make_no_tests_and_no_fuss() -> None:
    features, objectives = wide(simulate.simulate(Plan(matches=40, patches=PATCH)))
    tests = family_of_tests(features, objectives, vision_survival(features))
    # Vision needs few games, and choices have none of their two hundred.
    assert {*tests.get_column("family")} <= {"vision"} if tests.height else tests.is_empty()
    nothing = family_of_tests(features.clear(), objectives.clear(), vision_survival(features.clear()))
    assert nothing.is_empty()


def test_the_order_of_rows_changes_nothing(made: dict[str, pl.DataFrame]) -> None:
    shuffled = made["features"].sample(fraction=1, shuffle=True, seed=5)
    objectives = made["objectives"].sample(fraction=1, shuffle=True, seed=6)
    again = family_of_tests(shuffled.lazy(), objectives.lazy(), vision_survival(shuffled.lazy()))
    key = ["queue_group", "position", "champion_id", "condition_key", "outcome"]
    columns = ["games", "effect", "p_value", "q_value", "held_out_effect"]
    first = made["tests"].sort(key).select(columns)
    second = again.sort(key).select(columns)
    for name in columns:
        one, other = (each.get_column(name).fill_null(-9).to_list() for each in (first, second))
        assert one == pytest.approx(other, rel=1e-6), name
