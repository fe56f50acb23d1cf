"""Correlations, vision and survival, and regressions, against SciPy and statsmodels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.statistics.objective_stats import first_objective_stats
from gamestats_assets.lol.statistics.variables import outcome_models, variable_correlations, vision_survival
from gamestats_assets_tests.lol.gold import (
    Frames,
    frames,
    make,
    position_of,
)

Row = dict[str, Any]
Key = tuple[str, str, str]
LANES = {"TOP", "JUNGLE", "MIDDLE", "BOTTOM", "UTILITY"}
FUNCTIONS = (variable_correlations, vision_survival, outcome_models)


@functools.cache
def some() -> Frames:
    """Wide rows of the later patch."""
    features = frames()[t.ParticipantFeatures]
    return {t.ParticipantFeatures: features.filter(pl.col("patch") == "13.14")}


@functools.cache
def groups() -> dict[Key, list[Row]]:
    """Wide rows of the later patch by position, and of all positions of a queue together."""
    found: dict[Key, list[Row]] = {}
    for row in some()[t.ParticipantFeatures].sort("match_id", "participant_id").to_dicts():
        for position in {position_of(row), "ALL"}:
            found.setdefault((row["patch"], row["queue_group"], position), []).append(row)
    return found


def value(row: Row, name: str) -> float:
    if name == "first_core_item_at_s":
        known = row["core_items_at_s"][0] if row["core_items_at_s"] else None
    else:
        known = row[name]
    return float("nan") if known is None else float(known)


def keyed(made: pl.DataFrame) -> Iterator[tuple[Key, pl.DataFrame]]:
    for key, own in made.group_by("patch", "queue_group", "position"):
        yield (str(key[0]), str(key[1]), str(key[2])), own


@functools.cache
def made_of_some(function: Callable[..., Any]) -> pl.DataFrame:
    """A table of the later patch."""
    return make(function, some())


def test_positions_and_all_of_them_are_told_of_each_queue() -> None:
    for function in FUNCTIONS:
        result = {key for key, _ in keyed(made_of_some(function))}
        assert result == {("13.14", "ranked_solo", lane) for lane in LANES | {"ALL"}} | {("13.14", "aram", "ALL")}


# --------------------------------------------------------------------------- correlations


@pytest.fixture(scope="module")
def pairs() -> pl.DataFrame:
    return made_of_some(variable_correlations)


def test_correlations_are_those_of_scipy(pairs: pl.DataFrame) -> None:
    incomplete = 0
    for key, own in keyed(pairs):
        rows = groups()[key]
        matches = len({row["match_id"] for row in rows})
        for row in own.sort("variable", "other_variable").gather_every(41).to_dicts():
            first, second = (
                np.array([value(each, row[name]) for each in rows]) for name in ("variable", "other_variable")
            )
            both = np.isfinite(first) & np.isfinite(second)
            incomplete += not both.all()
            assert row["rows"] == both.sum()
            assert row["pearson"] == pytest.approx(stats.pearsonr(first[both], second[both])[0], abs=1e-9)
            # Ranked among all rows that know the one variable, and compared where both are known.
            ranks = [stats.rankdata(np.where(np.isfinite(x), x, np.inf)) for x in (first, second)]
            rho = stats.pearsonr(*(x[both] for x in ranks))[0]
            assert row["spearman"] == pytest.approx(rho, abs=1e-6)
            if both.all():
                assert row["spearman"] == pytest.approx(stats.spearmanr(first, second)[0], abs=1e-6)
            # Several rows of a match count for one.
            freedom = both.sum() * matches / len(rows) - 2
            for name in ("pearson", "spearman"):
                r = row[name]
                statistic = abs(r) * np.sqrt(freedom / max(1 - r * r, 1e-300))
                assert row[f"{name}_p_value"] == pytest.approx(2 * stats.t.sf(statistic, freedom), rel=1e-3, abs=1e-12)
            assert row["matches_played"] == int(both.sum() * matches / len(rows) + 1e-9)
    assert incomplete > 10


@pytest.mark.parametrize("function", [vision_survival, outcome_models, first_objective_stats])
def test_q_values_are_over_all_that_is_tested_of_the_patch(function: Callable[..., Any]) -> None:
    made = make(function, frames())
    assert set(made.get_column("patch").unique()) == {"13.13", "13.14"}
    for _, own in made.group_by("patch"):
        tested = own.filter(pl.col("term") != "intercept") if "term" in own.columns else own
        tested = tested.drop_nulls("p_value")
        assert tested.height > 1
        q = stats.false_discovery_control(tested.get_column("p_value").to_numpy())
        np.testing.assert_allclose(tested.get_column("q_value").to_numpy(), q, rtol=1e-9)
        assert own.get_column("q_value").count() == tested.height


# --------------------------------------------------------------------------- vision


def partial(vision: np.ndarray, deaths: np.ndarray, length: np.ndarray) -> float:
    """Correlation of what ranks of length leave of the ranks of the two."""
    held = np.column_stack([np.ones(len(length)), stats.rankdata(length)])
    left = [
        ranks - held @ np.linalg.lstsq(held, ranks)[0] for ranks in (stats.rankdata(vision), stats.rankdata(deaths))
    ]
    return float(np.corrcoef(*left)[0, 1])


def test_vision_goes_with_deaths_as_ranks_tell() -> None:
    for key, own in keyed(made_of_some(vision_survival)):
        [row] = own.to_dicts()
        games = groups()[key]
        vision, deaths, length = (
            np.array([game[name] for game in games], float) for name in ("vision_per_minute", "deaths", "duration_s")
        )
        assert (row["games"], row["matches_played"]) == (len(games), len({game["match_id"] for game in games}))
        assert row["vision_per_minute"] == pytest.approx(vision.mean())
        assert row["deaths"] == pytest.approx(deaths.mean())
        assert row["deaths_per_minute"] == pytest.approx(np.mean([game["deaths_per_minute"] for game in games]))
        assert row["spearman"] == pytest.approx(stats.spearmanr(vision, deaths)[0], abs=1e-9)
        assert row["partial_spearman"] == pytest.approx(partial(vision, deaths, length), abs=1e-9)
        assert row["partial_low"] < row["partial_spearman"] < row["partial_high"]
        assert (row["p_value"] < 0.05) == (row["partial_low"] > 0 or row["partial_high"] < 0)
        held = np.array([game["held_out"] for game in games])
        for half, name in ((~held, "discovery_partial_spearman"), (held, "held_out_partial_spearman")):
            assert row[name] == pytest.approx(partial(vision[half], deaths[half], length[half]), abs=1e-9)


# --------------------------------------------------------------------------- regressions

WIN = {
    "team_gold_diff_at_15": 1000,
    "lane_gold_diff_at_15": 1000,
    "team_first_dragon_by_15": 1,
    "team_first_herald_by_15": 1,
    "team_first_tower_by_15": 1,
}
DPM = {
    "gold_at_15": 1000,
    "team_gold_diff_at_15": 1000,
    "kill_participation": 0.1,
    "cs_per_minute": 1,
    "duration_s": 60,
}


@pytest.fixture(scope="module")
def models() -> pl.DataFrame:
    return made_of_some(outcome_models)


def with_15(row: Row) -> Row:
    """A row with what its team had taken after 15 minutes."""
    taken = {
        f"team_first_{name}_by_15": bool(row[f"team_first_{name}"]) and row[f"first_{name}_at_s"] <= 900
        for name in ("dragon", "herald", "tower")
    }
    return row | taken


def fitted(key: Key, outcome: str, units: Mapping[str, float]) -> tuple[list[str], Any, list[Row]]:
    """The model by statsmodels: its terms, the fit, and its rows."""
    lasted = [with_15(row) for row in groups()[key] if row["team_gold_diff_at_15"] is not None]
    units = {name: unit for name, unit in units.items() if key[2] != "ALL" or not name.startswith("lane_")}
    result = [name for name in units if sum(row[name] is None for row in lasted) < len(lasted) / 2]
    rows = [row for row in lasted if all(row[name] is not None for name in result)]
    result = [name for name in result if len({row[name] for row in rows}) > 1]
    design = np.array([[1.0, *(float(row[name]) / units[name] for name in result)] for row in rows])
    target = np.array([float(row[outcome]) for row in rows])
    clusters = np.unique([row["match_id"] for row in rows], return_inverse=True)[1]
    how: dict[str, Any] = {"cov_type": "cluster", "cov_kwds": {"groups": clusters}, "use_t": False}
    if outcome == "won":
        return result, sm.Logit(target, design).fit(disp=0, tol=1e-12, method="newton", **how), rows
    return result, sm.OLS(target, design).fit(**how), rows


@pytest.mark.parametrize(
    ("model", "outcome", "units"), [("win_given_lead_at_15", "won", WIN), ("dpm", "dpm", DPM)], ids=["win", "dpm"]
)
def test_models_are_those_of_statsmodels(
    models: pl.DataFrame, model: str, outcome: str, units: Mapping[str, float]
) -> None:
    for key, own in keyed(models.filter(pl.col("model") == model)):
        result, fit, rows = fitted(key, outcome, units)
        terms = {row["term"]: row for row in own.to_dicts()}
        assert terms.keys() == {"intercept", *result}
        low, high = fit.conf_int().T
        for place, name in enumerate(["intercept", *result]):
            row = terms[name]
            assert row["outcome"] == outcome
            assert (row["rows"], row["matches_played"]) == (len(rows), len({each["match_id"] for each in rows}))
            got = [row[column] for column in ("coefficient", "coefficient_low", "coefficient_high", "p_value")]
            wanted = [fit.params[place], low[place], high[place], fit.pvalues[place]]
            assert got == pytest.approx(wanted, rel=1e-6, abs=1e-6)
            if outcome == "won":
                assert row["family"] == "logistic"
                assert row["odds_ratio"] == pytest.approx(np.exp(fit.params[place]), rel=1e-6)
                assert row["fit"] == pytest.approx(fit.prsquared, abs=1e-9)
            else:
                assert row["family"] == "linear"
                assert (row["odds_ratio"], row["auc"]) == (None, None)
                assert row["fit"] == pytest.approx(fit.rsquared, abs=1e-9)


def test_the_area_under_the_curve_is_of_matches_the_model_has_not_seen(models: pl.DataFrame) -> None:
    for key, own in keyed(models.filter(pl.col("family") == "logistic")):
        result, _, rows = fitted(key, "won", WIN)
        design = np.array([[1.0, *(float(row[name]) / WIN[name] for name in result)] for row in rows])
        won, held = (np.array([row[name] for row in rows]) for name in ("won", "held_out"))
        seen = sm.Logit(won[~held].astype(float), design[~held]).fit(disp=0, tol=1e-12, method="newton")
        score = design[held] @ seen.params
        above = stats.mannwhitneyu(score[won[held]], score[~won[held]]).statistic
        expected = above / won[held].sum() / (~won[held]).sum()
        assert own.get_column("auc").unique().to_list() == [pytest.approx(expected, abs=1e-9)]
        assert 0.5 < expected < 1


def test_games_that_did_not_last_are_in_no_model() -> None:
    features = some()[t.ParticipantFeatures]
    moments = [name for name in features.columns if name.endswith("_at_15")]
    is_short = pl.col("match_id").hash(3) % 5 < 3
    short = features.with_columns(pl.when(~is_short).then(name).alias(name) for name in moments)
    made = make(outcome_models, {t.ParticipantFeatures: short})
    assert made.height
    assert made.equals(make(outcome_models, {t.ParticipantFeatures: short.filter(~is_short)}))
    nobody = features.with_columns(pl.lit(None, pl.Float64).alias(name) for name in moments)
    assert make(outcome_models, {t.ParticipantFeatures: nobody}).is_empty()


# --------------------------------------------------------------------------- everything


def test_few_rows_have_no_statistics() -> None:
    features = some()[t.ParticipantFeatures].filter(pl.col("position") == "TOP")
    for count, result in ((49, False), (50, True)):
        few = {t.ParticipantFeatures: features.head(count)}
        assert (make(vision_survival, few).height > 0) == result
        assert (make(variable_correlations, few).height > 0) == result
        assert make(outcome_models, few).is_empty()
