"""First objectives and decision trees, counted again and fitted again."""

from __future__ import annotations

import math
import re
import statistics
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.statistics.arrays.regressions import basis
from gamestats_assets.lol.statistics.objective_stats import first_objective_stats, objective_decision_tree
from gamestats_assets_tests.lol.gold import (
    frames,
    make,
    wilson,
)
from gamestats_assets_tests.lol.scenario import rows

Row = dict[str, Any]


@pytest.fixture(scope="module")
def firsts() -> pl.DataFrame:
    return make(first_objective_stats, frames())


def first_taken() -> dict[tuple[str, str, str], list[Row]]:
    """The first of each objective in matches that count, by patch, queue and objective."""
    found: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in frames()[t.Objectives].sort("match_id").to_dicts():
        if row["in_statistics"] and row["number_in_match"] == 1:
            found[row["patch"], row["queue_group"], row["objective"]].append(row)
    return found


# --------------------------------------------------------------------------- first objectives


def test_first_objectives_are_counted_with_their_figures(firsts: pl.DataFrame) -> None:
    expected = {key: taken for key, taken in first_taken().items() if len(taken) >= 20}
    made = {(row["patch"], row["queue_group"], row["objective"]): row for row in firsts.to_dicts()}
    assert made.keys() == expected.keys()
    assert {key[1] for key in made} == {"ranked_solo", "aram"}
    for key, row in made.items():
        taken = expected[key]
        wins = sum(each["won"] for each in taken)
        lost = len(taken) - wins
        assert (row["games"], row["wins"]) == (len(taken), wins)
        assert row["win_rate"] == pytest.approx(wins / len(taken))
        assert (row["win_rate_low"], row["win_rate_high"]) == pytest.approx(wilson(wins, len(taken)))
        assert row["naive_effect"] == pytest.approx(wins / len(taken) - lost / len(taken))
        assert row["at_s"] == pytest.approx(statistics.median(each["at_s"] for each in taken))
        assert row["team_gold_diff_before"] == pytest.approx(
            statistics.fmean(each["team_gold_diff_before"] for each in taken)
        )


def test_adjusted_effect_is_the_average_marginal_effect_of_a_logistic_regression(firsts: pl.DataFrame) -> None:
    checked = 0
    for row in firsts.drop_nulls("adjusted_effect").to_dicts():
        taken = first_taken()[row["patch"], row["queue_group"], row["objective"]]
        sign = np.array([1 if each["team_id"] == 100 else -1 for each in taken])
        state = np.column_stack(
            [
                sign * np.array([each["team_gold_diff_before"] for each in taken], dtype=float),
                [each["at_s"] for each in taken],
            ]
        )
        by_blue = sign == 1
        blue_won = np.array([each["won"] for each in taken]) == by_blue
        smooth = np.column_stack([np.ones(len(taken)), basis(state)])
        design = np.column_stack([smooth, by_blue])
        fit = sm.Logit(blue_won.astype(float), design).fit(
            disp=0, tol=1e-12, method="newton", cov_type="cluster", cov_kwds={"groups": np.arange(len(taken))}
        )
        base = smooth @ fit.params[:-1]
        effect = (1 / (1 + np.exp(-base - fit.params[-1])) - 1 / (1 + np.exp(-base))).mean()
        assert row["adjusted_effect"] == pytest.approx(effect, abs=1e-6)
        # What each match contributes to the variance of the coefficient; the effective number of them less one.
        p = fit.predict()
        weights = p * (1 - p)
        result = (np.linalg.inv((design.T * weights) @ design)[-1] @ design.T) ** 2 * weights
        freedom = result.sum() ** 2 / (result @ result) - 1
        assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(fit.params[-1] / fit.bse[-1]), freedom), abs=1e-6)
        assert row["adjusted_low"] < row["adjusted_effect"] < row["adjusted_high"]
        assert (row["adjusted_low"] > 0 or row["adjusted_high"] < 0) == (row["p_value"] < 0.05)
        checked += 1
    assert checked >= 12


def dragons(games: int, *, won: Callable[[int], bool | None], **more: Any) -> pl.DataFrame:
    """A first dragon in each of some matches, taken by the teams in turn."""
    return rows(
        t.Objectives,
        *(
            {
                "match_id": f"NA1_{number}",
                "objective": "dragon",
                "number_in_match": 1,
                "number_of_team": 1,
                "team_id": 100 + 100 * (number % 2),
                "at_s": 400.0 + number % 7,
                "team_gold_diff_before": 100.0 * (number % 5 - 2),
                "won": won(number),
            }
            | more
            for number in range(games)
        ),
    )


def test_an_objective_of_few_games_has_no_row() -> None:
    assert make(first_objective_stats, {t.Objectives: dragons(19, won=lambda number: True)}).is_empty()
    [row] = make(first_objective_stats, {t.Objectives: dragons(20, won=lambda number: number % 4 < 2)}).to_dicts()
    assert (row["games"], row["wins"], row["naive_effect"]) == (20, 10, 0.0)


def test_later_ones_and_matches_that_do_not_count_or_nobody_won_are_left_out() -> None:
    sound = dragons(40, won=lambda number: number % 4 < 2)
    others = [
        dragons(30, won=lambda number: True, number_in_match=2, event_index=1),
        dragons(30, won=lambda number: True, in_statistics=False).with_columns(match_id=pl.col("match_id") + "1000"),
        dragons(30, won=lambda number: None).with_columns(match_id=pl.col("match_id") + "2000"),
    ]
    made = make(first_objective_stats, {t.Objectives: pl.concat([sound, *others])})
    assert made.equals(make(first_objective_stats, {t.Objectives: sound}))


def test_whoever_takes_it_always_wins_then_nothing_is_adjusted() -> None:
    [row] = make(first_objective_stats, {t.Objectives: dragons(60, won=lambda number: True)}).to_dicts()
    assert (row["win_rate"], row["win_rate_high"], row["naive_effect"]) == (1.0, 1.0, 1.0)
    assert (row["adjusted_effect"], row["adjusted_low"], row["adjusted_high"], row["p_value"]) == (None,) * 4


def test_gold_that_nobody_knows_leaves_the_rest() -> None:
    objectives = dragons(200, won=lambda number: number % 3 > 0, team_gold_diff_before=None)
    [row] = make(first_objective_stats, {t.Objectives: objectives}).to_dicts()
    assert row["team_gold_diff_before"] is None
    assert row["adjusted_effect"] is not None


# --------------------------------------------------------------------------- decision trees

TAKEN = {
    "first blood": "first_blood",
    "the first dragon": "first_dragon",
    "the first herald": "first_herald",
    "the first void grub": "first_grubs",
    "the first tower": "first_tower",
}
SAID = re.compile(
    rf"(?P<taking>took|did not take) (?P<what>{'|'.join(TAKEN)})"
    r"|gold difference after (?P<minute>10|15) minutes (?P<how>above|at most|between) (?P<first>[+-][\d,]+)"
    r"(?: and (?P<second>[+-]\d[\d,]*))?"
)


def follows(rule: str) -> Callable[[Row], bool]:
    """A rule as people read it: a team takes what it says, and its leads are in the ranges."""
    tests: list[Callable[[Row], bool]] = []
    rest = rule
    while rest and rest != "every game":
        said = SAID.match(rest)
        assert said, f"{rest!r} of {rule!r}"
        rest = rest[said.end() :].removeprefix(" and ")
        if said["what"]:
            name, wanted = TAKEN[said["what"]], said["taking"] == "took"
            tests.append(lambda team, name=name, wanted=wanted: took_by_15(team, name) == wanted)
            continue
        first = float(said["first"].replace(",", ""))
        second = float((said["second"] or "0").replace(",", ""))
        low = first if said["how"] != "at most" else -math.inf
        high = {"above": math.inf, "at most": first, "between": second}[said["how"]]
        column = f"team_gold_diff_at_{said['minute']}"
        tests.append(lambda team, column=column, low=low, high=high: low < team[column] <= high)
    return lambda team: all(test(team) for test in tests)


def took_by_15(team: Row, name: str) -> bool:
    return bool(team[f"team_{name}"]) and team[f"{name}_at_s"] <= 900


def teams_of(features: pl.DataFrame) -> dict[tuple[str, str], list[Row]]:
    """Teams of games that lasted 15 minutes, by patch and queue."""
    found: dict[tuple[str, str], dict[tuple[str, int], Row]] = defaultdict(dict)
    for row in features.to_dicts():
        if row["has_timeline"] and row["duration_s"] >= 900 and row["team_gold_diff_at_15"] is not None:
            found[row["patch"], row["queue_group"]][row["match_id"], row["team_id"]] = row
    return {key: list(of.values()) for key, of in found.items()}


@pytest.fixture(scope="module")
def leaves() -> pl.DataFrame:
    return make(objective_decision_tree, frames())


def test_every_team_is_in_one_leaf_by_the_rule_as_it_reads(leaves: pl.DataFrame) -> None:
    of_queue = teams_of(frames()[t.ParticipantFeatures])
    assert {key[:2] for key in leaves.select("patch", "queue_group").iter_rows()} == {
        ("13.13", "ranked_solo"), ("13.14", "ranked_solo"),
    }  # fmt: skip
    for (patch, queue), own in leaves.group_by("patch", "queue_group"):
        teams = of_queue[str(patch), str(queue)]
        result: dict[int, list[Row]] = defaultdict(list)
        tests = {row["leaf"]: follows(row["rule"]) for row in own.to_dicts()}
        assert len(tests) == own.get_column("rule").n_unique() > 4
        for team in teams:
            [leaf] = [number for number, test in tests.items() if test(team)]
            result[leaf].append(team)
        right = 0
        for row in own.to_dicts():
            tried = [team["won"] for team in result[row["leaf"]] if team["held_out"]]
            grown = [team["won"] for team in result[row["leaf"]] if not team["held_out"]]
            assert (row["games"], row["wins"], row["grown_games"]) == (len(tried), sum(tried), len(grown))
            assert row["grown_win_rate"] == pytest.approx(statistics.fmean(grown))
            if tried:
                assert row["win_rate"] == pytest.approx(statistics.fmean(tried))
                assert (row["win_rate_low"], row["win_rate_high"]) == pytest.approx(wilson(sum(tried), len(tried)))
            right += sum(tried) if row["grown_win_rate"] > 0.5 else len(tried) - sum(tried)
        held_out = sum(team["held_out"] for team in teams)
        assert own.get_column("games").sum() == held_out
        assert own.get_column("grown_games").sum() == len(teams) - held_out
        [accuracy] = own.get_column("accuracy").unique().to_list()
        assert accuracy == pytest.approx(right / held_out)
        assert accuracy > 0.6, "leads tell who wins better than a coin"


def test_trees_are_small_and_leaves_are_not(leaves: pl.DataFrame) -> None:
    assert leaves.get_column("depth").is_between(1, 4).all()
    for _, own in leaves.group_by("patch", "queue_group"):
        assert own.get_column("leaf").to_list() == list(range(own.height))
        # Whole gold in the rules moves a team or two.
        assert own.get_column("grown_games").min() >= max(20, 0.02 * own.get_column("grown_games").sum()) - 3  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]


def of_teams(matches: int, **every: Any) -> pl.DataFrame:
    """Wide rows, one for each team; who leads after 15 minutes wins."""
    return rows(
        t.ParticipantFeatures,
        *(
            {
                "match_id": f"NA1_{number}",
                "participant_id": 1 + 5 * side,
                "team_id": 100 + 100 * side,
                "won": side == number % 2,
                "held_out": number % 4 < 2,
                "duration_s": 1800.0,
                "team_gold_diff_at_10": 0.0,
                "team_gold_diff_at_15": (1 if side == number % 2 else -1) * float(number % 9),
            }
            | every
            for number in range(matches)
            for side in (0, 1)
        ),
    )


def test_a_lead_that_decides_is_the_only_rule() -> None:
    made = make(objective_decision_tree, {t.ParticipantFeatures: of_teams(900)})
    by_lead = {row["rule"]: row for row in made.to_dicts()}
    lost, won = (f"gold difference after 15 minutes {what}" for what in ("at most -1", "above +0"))
    assert by_lead[lost]["win_rate"] == 0.0
    assert by_lead[won]["win_rate"] == 1.0
    [even] = by_lead.keys() - {lost, won}
    assert even == "gold difference after 15 minutes between -1 and +0"


def test_short_games_unknown_leads_and_small_halves_grow_no_tree() -> None:
    assert make(objective_decision_tree, {t.ParticipantFeatures: of_teams(900)}).height
    for without in (
        of_teams(900, duration_s=899.0),
        of_teams(900, has_timeline=False),
        of_teams(900, team_gold_diff_at_10=None),
        of_teams(190),
        of_teams(900, held_out=True),
        of_teams(900, won=True),
    ):
        assert make(objective_decision_tree, {t.ParticipantFeatures: without}).is_empty()
