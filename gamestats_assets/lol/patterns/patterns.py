"""Patterns: hypotheses about winning and damage, tested together on each patch.

Each is compared with its **eligible baseline**: games of the same champion, position, patch and queue that reached the
same point (completed as many core items, maxed a skill, saw a first dragon), at an equal state of the game at that
moment. Otherwise everything that leading teams do would look like a cause of winning. The naive difference is stored
next to it.

All hypotheses of a patch are one family: q-values are over all of them. All games together decide which patterns are
found, because they find most. Two halves of the matches, split by id, decide whether a pattern replicates: finds of the
discovery half alone, with their own q-values over the whole family, are tested on the held out half.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dataframely as dy
import numpy as np
import polars as pl

from gamestats_assets.lol.matches.features import is_held_out
from gamestats_assets.lol.matches.tables import Objectives, ParticipantFeatures
from gamestats_assets.lol.patterns.tables import DiscoveredPatterns, PatternTests
from gamestats_assets.lol.reference.names import champion_names, item_names, named_champions, named_items
from gamestats_assets.lol.reference.tables import Champions, Items, Patches
from gamestats_assets.lol.statistics.build_stats import CELL, positioned
from gamestats_assets.lol.statistics.tables import ALL_POSITIONS, ANY_CHAMPION, VisionSurvival

if TYPE_CHECKING:
    from gamestats_assets.lol.statistics.arrays.regressions import Comparisons

LEVEL = 0.05
"""Accepted share of false finds among all finds."""
SUPPORT = 200
"""Games that both arms of a comparison need: with fewer, only differences above ten points could be found, and every
test makes the others harder to find."""
WANTED_POWER = 0.9
POINTS = 0.03
"""Effect on the win rate for which the power of a test is reported."""
ORDINALS = ("1st", "2nd", "3rd")
_ORDINALS_KO = ("첫", "두", "세")
_LONGEST_PATH = 2


@dataclass(frozen=True)
class Cell:
    """Games to compare with one another, which all reached the same point.

    Attributes:
        of: queue group, position and champion; columns of `PatternTests`.
        family: the family.
        keys: by code, the key of each choice, such as `item 3078 1st`.
        choice: code of the choice made in each game; negative codes are not tested.
        covariates: state of the game at that point, one column each; nan if unknown.
        outcomes: outcomes by name (`win_rate`, `dpm`).
        clusters: number of each game's match.
        held_out: whether the match belongs to the held out half.
    """

    of: Mapping[str, Any]
    family: str
    keys: Sequence[str]
    choice: np.ndarray
    covariates: np.ndarray
    outcomes: Mapping[str, np.ndarray]
    clusters: np.ndarray
    held_out: np.ndarray

    def part(self, rows: np.ndarray, choice: np.ndarray) -> Cell:
        """Returns some of the games, with other choices."""
        outcomes = {name: values[rows] for name, values in self.outcomes.items()}
        return Cell(
            self.of, self.family, self.keys, choice[rows], self.covariates[rows], outcomes, self.clusters[rows],
            self.held_out[rows],
        )  # fmt: skip


def pattern_tests(
    features: dy.LazyFrame[ParticipantFeatures],
    objectives: dy.LazyFrame[Objectives],
    vision: dy.LazyFrame[VisionSurvival],
    patches: dy.LazyFrame[Patches],
    items: dy.LazyFrame[Items],
    champions: dy.LazyFrame[Champions],
) -> dy.LazyFrame[PatternTests]:
    """Returns every hypothesis with enough games, computed per patch.

    - `item`: an item as the 1st, 2nd or 3rd core item, on winning, given gold differences and time of its completion.
    - `item_path`: the first two core items in order, likewise.
    - `skill_order`: the max order at the time the first skill was maxed, on winning and on damage per minute, given
      gold difference and time at that moment. Later levels are excluded: whether a second skill is maxed at all depends
      on the length of the game, and so on the winner.
    - `objective`: taking the first objective of a kind rather than the other team, on winning, given the gold
      difference just before and the time.
    - `vision`: vision per minute and deaths, given the length of the game, as in `vision_survival`.

    Hypotheses that cannot be tested have a row with the `reason`.
    """
    numbers = patches.select("patch", "patch_number").collect()
    found = [
        family_of_tests(*(_of_patch(rows, patch) for rows in (features, objectives, vision))).with_columns(
            patch=pl.lit(patch), patch_number=pl.lit(number, pl.Int32)
        )
        for patch, number in numbers.iter_rows()
    ]
    found = [each for each in found if each.height]
    if not found:
        return PatternTests.create_empty(lazy=True)
    tests = named_champions(pl.concat(found, how="diagonal_relaxed"), champion_names(patches, champions))
    tests = _in_words(named_items(tests, "item_ids", item_names(patches, items)))
    return PatternTests.cast(tests.fill_nan(None).lazy())


def discovered_patterns(tests: dy.LazyFrame[PatternTests]) -> dy.LazyFrame[DiscoveredPatterns]:
    """Returns the patterns with a q-value of at most 0.05, with one sentence each."""
    found = tests.filter("is_found").collect()
    sentences = [sentence(row) for row in found.iter_rows(named=True)]
    rows = found.with_columns(sentence=pl.Series(sentences, dtype=pl.String)).lazy()
    return DiscoveredPatterns.cast(rows)


def _of_patch(rows: pl.LazyFrame, patch: str) -> pl.LazyFrame:
    return rows.filter(pl.col("patch") == patch)


# --------------------------------------------------------------------------- hypotheses


def participant_cells(features: pl.LazyFrame) -> Iterator[Cell]:
    """Yields the cells of items, item paths and skill orders."""
    columns = [
        "match_id", "held_out", "won", "dpm", "core_items", "core_item_ids", "core_items_at_s",
        "core_items_team_gold_diff", "core_items_lane_gold_diff", "skill_max_order", "skill_trigrams",
        "skill_first_maxed_at_s", "skill_first_maxed_team_gold_diff",
    ]  # fmt: skip
    of_cell = CELL[1:]
    known = (
        positioned(features)
        .select(*of_cell, *columns)
        .collect()
        .sort("match_id")
        .with_columns(match=pl.col("match_id").rle_id())
    )
    for order in range(1, len(ORDINALS) + 1):
        state = {
            name: pl.col(f"core_items_{name}").list.get(order - 1)
            for name in ("at_s", "team_gold_diff", "lane_gold_diff")
        }
        reached = known.filter(pl.col("core_items") >= order).select(
            *of_cell, "match", "held_out", "won", ids=pl.col("core_item_ids").list.head(order), **state
        )
        at_point = ["team_gold_diff", "lane_gold_diff", "at_s"]
        key = pl.format("item {} {}", pl.col("ids").list.last(), pl.lit(ORDINALS[order - 1]))
        yield from _cells(reached.with_columns(key=key), "item", at_point, {"win_rate": "won"})
        if order == _LONGEST_PATH:
            path = pl.format("path {}", pl.col("ids").cast(pl.List(pl.String)).list.join(">"))
            yield from _cells(reached.with_columns(key=path), "item_path", at_point, {"win_rate": "won"})
    maxed = known.filter(pl.col("skill_first_maxed_at_s").is_not_null()).select(
        *of_cell, "match", "held_out", "won", "dpm", "skill_first_maxed_team_gold_diff", "skill_first_maxed_at_s",
        key=pl.format("skill {}", order_when_first_maxed()),
    )  # fmt: skip
    at_point = ["skill_first_maxed_team_gold_diff", "skill_first_maxed_at_s"]
    yield from _cells(maxed, "skill_order", at_point, {"win_rate": "won", "dpm": "dpm"})


def order_when_first_maxed() -> pl.Expr:
    """Returns the max order of a wide row at the time its first skill was maxed.

    That skill comes first, then the others by rank at that moment; of equal ranks, the one reached first. Only the
    first nine levels are read, because on Summoner's Rift no skill is maxed before the ninth; levels between the ninth
    and a later moment do not count. Null for rows without levels.
    """
    ways = pl.concat_str(pl.col("skill_max_order").str.head(1), pl.col("skill_trigrams").list.join(""))
    # A million games have only some thousands of distinct sequences.
    return ways.map_batches(_orders_when_first_maxed, return_dtype=pl.String)


def _orders_when_first_maxed(ways: pl.Series) -> pl.Series:
    different = ways.filter(ways.str.len_chars() > 1).unique()
    orders = [_order_when_first_maxed(way[0], way[1::3] + way[-2:]) for way in different]
    return ways.replace_strict(different, orders, default=None, return_dtype=pl.String)


def _order_when_first_maxed(first: str, levels: str) -> str:
    # Some modes grant levels faster, so levels after that moment are cut off.
    by_then = levels[: levels.rfind(first) + 1]
    others = (skill for skill in "QWE" if skill != first)
    return first + "".join(sorted(others, key=lambda skill: (-by_then.count(skill), by_then.rfind(skill))))


def objective_cells(objectives: pl.LazyFrame, *, minimum: int = SUPPORT) -> Iterator[Cell]:
    """Yields the cells of first objectives: one row per match, from the blue team's view.

    Args:
        minimum: games that an arm needs.
    """
    sign = pl.when(pl.col("team_id") == 100).then(1.0).otherwise(-1.0)
    known = (
        objectives.filter(pl.col("in_statistics") & (pl.col("number_in_match") == 1) & pl.col("won").is_not_null())
        .select(
            "queue_group",
            "match_id",
            "objective",
            position=pl.lit(ALL_POSITIONS),
            champion_id=pl.lit(ANY_CHAMPION, pl.Int32),
            won=(pl.col("team_id") == 100) == pl.col("won"),
            by_blue=pl.col("team_id") == 100,
            gold_diff=pl.col("team_gold_diff_before") * sign,
            at_s="at_s",
        )
        .sort("queue_group", "objective", "match_id")
        .collect()
    )
    known = known.with_columns(
        match=pl.col("match_id").rank("dense"),
        held_out=pl.col("match_id").map_elements(is_held_out, return_dtype=pl.Boolean),
    )
    for (_, objective), rows in known.group_by("queue_group", "objective", maintain_order=True):
        # Objectives of the red team are the other arm of the same hypothesis.
        key = pl.when("by_blue").then(pl.lit(f"objective {objective}"))
        yield from _cells(rows.with_columns(key=key), "objective", ["gold_diff", "at_s"], {"win_rate": "won"}, minimum)


def _cells(
    rows: pl.DataFrame,
    family: str,
    covariates: Sequence[str],
    outcomes: Mapping[str, str],
    minimum: int = SUPPORT,
) -> Iterator[Cell]:
    """Yields a cell for each queue, position and champion in which two arms may have enough games."""
    of_cell = CELL[1:]
    counted = rows.with_columns(__games__=pl.len().over(*of_cell, "key"), __all__=pl.len().over(*of_cell))
    # Most choices are rare and only belong to the baseline of others.
    testable = (pl.col("__games__") >= minimum) & (pl.col("__all__") - pl.col("__games__") >= minimum)
    named = counted.with_columns(key=pl.when(testable & pl.col("key").is_not_null()).then("key"))
    named = named.filter(pl.col("key").is_not_null().any().over(of_cell))
    for of, part in named.partition_by(of_cell, as_dict=True, maintain_order=True).items():
        keys = part.get_column("key").drop_nulls().unique().sort()
        codes = part.get_column("key").replace_strict(keys, range(len(keys)), default=-1, return_dtype=pl.Int64)
        # A covariate that is unknown throughout is left out: in ARAM there are no opponents.
        state = [name for name in covariates if part.get_column(name).null_count() < part.height]
        yield Cell(
            dict(zip(of_cell, of, strict=True)),
            family,
            keys.to_list(),
            codes.to_numpy(),
            part.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in state).to_numpy(),
            {name: part.get_column(column).to_numpy() for name, column in outcomes.items()},
            part.get_column("match").to_numpy().astype(np.int64),
            part.get_column("held_out").to_numpy(),
        )


# --------------------------------------------------------------------------- the tests


def compare_cells(cells: Sequence[Cell], *, minimum: int = SUPPORT) -> pl.DataFrame:
    """Returns one row per choice and outcome of cells: both arms, the naive difference, the effect, its p.

    Games with an unknown state are in neither arm. Effects that cannot be estimated are null and have a `reason`.
    """
    from threadpoolctl import threadpool_limits

    from gamestats_assets.lol.statistics.arrays.regressions import Reason, compare

    tasks = [(number, cell, outcome) for number, cell in enumerate(cells) for outcome in cell.outcomes]

    def compared_of(task: tuple[int, Cell, str]) -> Comparisons:
        _, cell, outcome = task
        return compare(cell.choice, cell.covariates, cell.outcomes[outcome], cell.clusters, minimum=minimum)

    found: list[pl.DataFrame] = []
    # Cells are small: several at a time on one core each are faster than one at a time on all cores.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for (number, cell, outcome), compared in zip(tasks, pool.map(compared_of, tasks), strict=True):
            known = np.isfinite(cell.covariates).all(axis=1) & np.isfinite(cell.outcomes[outcome].astype(float))
            games = np.bincount(cell.choice[known & (cell.choice >= 0)], minlength=len(cell.keys))
            rows = pl.DataFrame(
                {
                    "code": np.arange(len(cell.keys)),
                    "condition_key": pl.Series(cell.keys, dtype=pl.String),
                    "games": games,
                    "baseline_games": known.sum() - games,
                    "games_left_out": compared.left_out,
                    "matches_played": len(np.unique(cell.clusters[known])),
                    **{name: _by_code(cell, compared, figure) for name, figure in _FIGURES.items()},
                }
            )
            constants = {"cell": number, "family": cell.family, "outcome": outcome, "effect_unit": outcome, **cell.of}
            found.append(rows.with_columns(pl.lit(value).alias(name) for name, value in constants.items()))
    if not found:
        return _NO_TESTS
    words = {Reason.FITTED.value: None} | {Reason[name].value: word for name, word in _REASONS.items()}
    reason = pl.col("reason").fill_nan(None).cast(pl.Int64).replace_strict(words, default=_TOO_FEW)
    return pl.concat(found, how="vertical_relaxed").with_columns(reason.cast(pl.String))


def _by_code(cell: Cell, compared: Comparisons, figure: str) -> np.ndarray:
    """Returns a figure of each choice; nan if an arm has too few games."""
    values = np.full(len(cell.keys), np.nan)
    values[compared.choice] = getattr(compared, figure)
    return values


_FIGURES: Mapping[str, str] = {
    "value": "mean",
    "baseline_value": "mean_rest",
    "effect_low": "low",
    "effect_high": "high",
    **{name: name for name in ("naive_effect", "effect", "p_value", "standard_error", "odds_ratio", "reason")},
}
"""Columns by the name they have in a comparison."""
_REASONS: Mapping[str, str] = {
    "NO_VARIATION": "every game had the same result",
    "SEPARATED": "all games with it, or all without it, were won or lost, or the state of the game determines the "
    "winner",
    "SINGULAR": "the state of the game determines who did it, so nothing is left to compare",
    "NOT_CONVERGED": "the regression did not converge",
    "FEW_CLUSTERS": "too few matches with it, or without it",
}
_TOO_FEW = "too few games with a known state, with it or without it"
_NO_CORRELATION = "vision or deaths are constant, or there are too few matches"
_NO_TESTS = pl.DataFrame(
    schema={
        "cell": pl.Int64,
        "code": pl.Int64,
        "outcome": pl.String,
        "games_left_out": pl.Int64,
        "reason": pl.String,
        **dict.fromkeys(("value", "baseline_value", "effect", "standard_error", "odds_ratio", "p_value"), pl.Float64),
        **dict.fromkeys(("discovery_effect", "discovery_p_value", "held_out_effect", "held_out_p_value"), pl.Float64),
    }
)
"""Columns that only some families have."""


def family_of_tests(features: pl.LazyFrame, objectives: pl.LazyFrame, vision: pl.LazyFrame) -> pl.DataFrame:
    """Returns every hypothesis of a patch, tested by `family_of_cells`.

    Args:
        features: rows of `ParticipantFeatures`, of one patch.
        objectives: rows of `Objectives`.
        vision: rows of `VisionSurvival`.

    Returns:
        The columns of `PatternTests` except those in words and the patch; fewer if nothing is tested.
    """
    cells = [*participant_cells(features), *objective_cells(objectives)]
    return family_of_cells(cells, _of_vision(vision.collect()))


def family_of_cells(cells: Sequence[Cell], others: pl.DataFrame = _NO_TESTS) -> pl.DataFrame:
    """Returns tests over all games, over the discovery half alone, and of that half's finds on the held out half.

    A hypothesis that cannot be tested counts as one without effect, because testability may depend on the outcome.

    Args:
        cells: games to compare.
        others: rows of tests that already contain their halves.
    """
    tests = pl.concat([_NO_TESTS, compare_cells(cells), others], how="diagonal_relaxed").fill_nan(None)
    if tests.is_empty():
        return tests
    half = compare_cells([cell.part(~cell.held_out, cell.choice) for cell in cells], minimum=SUPPORT // 2)
    tests = _with_half(tests, half, "discovery").with_columns(
        q_value=_q(pl.col("p_value")), discovery_half_q_value=_q(pl.col("discovery_p_value"))
    )
    is_found, is_tried = (
        (pl.col(name) <= LEVEL).fill_null(value=False) for name in ("q_value", "discovery_half_q_value")
    )
    tests = _with_half(tests, _held_out(cells, tests.filter(is_tried)), "held_out").with_columns(
        pl.when(is_tried).then(name).alias(name) for name in ("held_out_effect", "held_out_p_value")
    )
    # Decided by the discovery half alone: finds of all games depend on the held out half.
    same_sign = pl.col("held_out_effect").sign() == pl.col("discovery_effect").sign()
    tests = tests.with_columns(
        is_found=is_found,
        is_replicated=same_sign & (pl.col("held_out_p_value") <= LEVEL),
        tests=pl.lit(tests.height, pl.Int32),
        item_ids=pl.col("condition_key").str.extract_all(r"\b\d{4,}\b").cast(pl.List(pl.Int32)),
    )
    found = int(tests.get_column("is_found").sum())
    return _of_both_teams(_with_power(tests, LEVEL * max(found, 1) / tests.height))


def _q(p: pl.Expr) -> pl.Expr:
    from gamestats_assets.lol.statistics.arrays.discovery_rate import q_value

    return pl.when(p.is_not_null()).then(q_value(p.fill_null(1.0)))


def _held_out(cells: Sequence[Cell], tried: pl.DataFrame) -> pl.DataFrame:
    """Returns the tested hypotheses, compared on the held out half."""
    again: list[Cell] = []
    numbers: list[int] = []
    for (number,), of_cell in tried.drop_nulls("cell").group_by("cell", maintain_order=True):
        cell = cells[int(number)]
        wanted = of_cell.get_column("code").unique().to_list()
        again.append(cell.part(cell.held_out, np.where(np.isin(cell.choice, wanted), cell.choice, -1)))
        numbers.append(int(number))
    results = compare_cells(again, minimum=SUPPORT // 4)
    return results.with_columns(cell=pl.Series(numbers, dtype=pl.Int64).gather(results.get_column("cell")))


def _with_half(tests: pl.DataFrame, half: pl.DataFrame, name: str) -> pl.DataFrame:
    """Returns tests with additional columns for the effects and p-values of a half."""
    key = ["cell", "code", "outcome"]
    columns = {f"{name}_effect": "effect", f"{name}_p_value": "p_value"}
    of_half = half.select(
        *key, *(pl.col(column).fill_nan(None).alias(f"of_{half}") for half, column in columns.items())
    )
    return (
        tests.join(of_half, on=key, how="left", maintain_order="left")
        .with_columns(pl.coalesce(column, f"of_{column}") for column in columns)
        .drop(f"of_{column}" for column in columns)
    )


def _of_both_teams(tests: pl.DataFrame) -> pl.DataFrame:
    """Returns tests in which those of objectives cover every game with that objective, not only the blue team's
    view."""
    games = pl.col("games") + pl.col("baseline_games")
    lost_by_red = pl.col("baseline_value") * pl.col("baseline_games")
    value = (pl.col("value") * pl.col("games") + pl.col("baseline_games") - lost_by_red) / games
    figures = {"games": games, "baseline_games": 0, "value": value, "baseline_value": 1 - value,
            "naive_effect": 2 * value - 1}  # fmt: skip
    return tests.with_columns(
        pl.when(pl.col("family") == "objective").then(each).otherwise(name).alias(name)
        for name, each in figures.items()
    )


def _of_vision(vision: pl.DataFrame) -> pl.DataFrame:
    """Returns the tests of vision, without those of all positions together, which differ in both vision and deaths."""
    return vision.filter(pl.col("position") != ALL_POSITIONS).select(
        "queue_group",
        "position",
        champion_id=pl.lit(ANY_CHAMPION, pl.Int32),
        family=pl.lit("vision"),
        outcome=pl.lit("deaths"),
        effect_unit=pl.lit("correlation"),
        condition_key=pl.lit("vision"),
        games=pl.col("games"),
        baseline_games=pl.lit(0),
        matches_played=pl.col("matches_played"),
        naive_effect="spearman",
        effect="partial_spearman",
        effect_low="partial_low",
        effect_high="partial_high",
        p_value="p_value",
        reason=pl.when(pl.col("p_value").is_null()).then(pl.lit(_NO_CORRELATION)),
        discovery_effect="discovery_partial_spearman",
        discovery_p_value="discovery_p_value",
        held_out_effect="held_out_partial_spearman",
        held_out_p_value="held_out_p_value",
    )


def _with_power(tests: pl.DataFrame, alpha: float) -> pl.DataFrame:
    """Returns tests with the effects that so many games could find, in theory.

    Args:
        alpha: the largest p at which Benjamini and Hochberg's rule found, or would have found, a test.
    """
    from scipy.special import ndtri

    from gamestats_assets.lol.statistics.arrays.power import power_of_rates

    z = float(ndtri(WANTED_POWER) - ndtri(alpha / 2))
    # Correlations have only an interval.
    from_interval = (pl.col("effect_high") - pl.col("effect_low")) / (2 * float(ndtri(0.975)))
    error = pl.coalesce("standard_error", from_interval)
    is_rate = tests.get_column("effect_unit").to_numpy() == "win_rate"
    arms = [tests.get_column(name).to_numpy() for name in ("games", "baseline_games")]
    base = tests.get_column("baseline_value").to_numpy()
    power = np.where(is_rate, power_of_rates(POINTS, base, *arms, alpha=alpha), np.nan)
    return tests.with_columns(smallest_effect=z * error, power_at_3_points=pl.Series(power))


# --------------------------------------------------------------------------- in words

_OBJECTIVE_WORDS: Mapping[str, tuple[str, str]] = {
    "first_blood": ("drawing first blood", "선취점"),
    "dragon": ("taking the first dragon", "첫 드래곤"),
    "herald": ("taking the first herald", "첫 협곡의 전령"),
    "grubs": ("taking the first void grub", "첫 공허 유충"),
    "baron": ("taking the first baron", "첫 내셔 남작"),
    "atakhan": ("taking Atakhan", "아타칸"),
    "tower": ("taking the first tower", "첫 포탑"),
    "inhibitor": ("taking the first inhibitor", "첫 억제기"),
}


def _in_words(tests: pl.DataFrame) -> pl.DataFrame:
    rows = [
        (_pattern_id(row), *_words(row))
        for row in tests.select(
            "family", "queue_group", "position", "champion_id", "condition_key", "outcome", "names", "names_ko"
        ).iter_rows(named=True)
    ]
    return tests.with_columns(
        pl.DataFrame(
            rows,
            schema=dict.fromkeys(("pattern_id", "condition", "condition_ko", "baseline"), pl.String),
            orient="row",
        )
    )


def _pattern_id(row: Mapping[str, Any]) -> str:
    parts = (row[name] for name in ("queue_group", "position", "champion_id", "condition_key", "outcome"))
    return "/".join(str(part).replace(" ", "-") for part in parts)


def _words(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Returns a condition in English and Korean, and its baseline."""
    family, key = row["family"], row["condition_key"]
    names, names_ko = row["names"] or [""], row["names_ko"] or [""]
    if family == "item":
        ordinal = key.rsplit(" ", 1)[1]
        baseline = f"games with another {ordinal} core item, at equal gold differences and time of completion"
        korean = f"{names_ko[0]}, {_ORDINALS_KO[ORDINALS.index(ordinal)]} 번째 핵심 아이템"
        return f"{names[0]} as the {ordinal} core item", korean, baseline
    if family == "item_path":
        baseline = "games with other first two core items, at equal gold differences and time of completion"
        return f"{' then '.join(names)} as the first core items", " > ".join(names_ko), baseline
    if family == "skill_order":
        first, second, third = key.removeprefix("skill ")
        baseline = "other games in which a skill was maxed, at equal gold difference and time of the first one"
        english = f"maxing {first} first, with {second} ahead of {third} at that time"
        return english, f"{first} 먼저 마스터, 그때까지 {second} > {third}", baseline
    if family == "objective":
        words = _OBJECTIVE_WORDS[key.removeprefix("objective ")]
        return *words, "games in which the other team took it, at equal time and gold difference just before"
    return "a higher vision score per minute", "더 높은 분당 시야 점수", "games of equal length"


def sentence(row: Mapping[str, Any]) -> str:
    """Returns a pattern in one sentence: who, what, how much with its interval, the baseline, and the certainty."""
    who = row["champion_name"] or "Teams" if row["family"] != "vision" else "Players"
    where = "" if row["position"] == ALL_POSITIONS else f" ({row['position']})"
    scale = 100 if row["effect_unit"] == "win_rate" else 1
    effect, low, high = (row[name] * scale for name in ("effect", "effect_low", "effect_high"))
    if row["effect_unit"] == "correlation":
        finding = (
            f"{row['condition']} goes with {'more' if effect > 0 else 'fewer'} deaths: rank correlation {effect:+.3f} "
            f"(95% interval {low:+.3f} to {high:+.3f})"
        )
    else:
        higher, more = ("higher", "more") if effect > 0 else ("lower", "less")
        rate, damage = f"a win rate {abs(effect):.1f} points {higher}", f"{abs(effect):.1f} {more} damage per minute"
        what = rate if row["effect_unit"] == "win_rate" else damage
        finding = f"{row['condition']} goes with {what} (95% interval {low:+.1f} to {high:+.1f})"
    naive = f"{row['naive_effect'] * scale:+.3f}" if scale == 1 and row["effect_unit"] == "correlation" else (
        f"{row['naive_effect'] * scale:+.1f}"
    )  # fmt: skip
    games = f"{row['games']:,} games" + (f" against {row['baseline_games']:,}" if row["baseline_games"] else "")
    return (
        f"{who}{where}, {row['queue_group']}, patch {row['patch']}: {finding} than {row['baseline']}; "
        f"naively {naive}; {games}, q = {row['q_value']:.2g}; {_held_again(row)}."
    ).replace(" than games of equal length", " at equal length of the game")


def _held_again(row: Mapping[str, Any]) -> str:
    if not is_tried(row):
        return "found only by all games together, so not tested on the held out half"
    if row["is_replicated"] is None:
        return "found by half of the matches alone, but not testable on the held out half"
    held = "held" if row["is_replicated"] else "did not hold"
    return f"found by half of the matches alone, it {held} on the held out half"


def is_tried(row: Mapping[str, Any]) -> bool:
    """Whether the discovery half alone finds a row of `PatternTests`."""
    return row["discovery_half_q_value"] is not None and row["discovery_half_q_value"] <= LEVEL
