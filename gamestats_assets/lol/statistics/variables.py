"""Relations between the variables of the wide rows: correlations, vision and survival, and regressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import dataframely as dy
import numpy as np
import polars as pl

from gamestats_assets.lol.matches.features import taken_by
from gamestats_assets.lol.matches.tables import ParticipantFeatures
from gamestats_assets.lol.statistics.build_stats import position
from gamestats_assets.lol.statistics.tables import ALL_POSITIONS, OutcomeModels, VariableCorrelations, VisionSurvival

FEWEST_ROWS = 50
"""Number of rows below which a position of a queue has no correlations or models."""
VARIABLES = tuple(
    """
    assists champion_level control_wards_bought core_items cs_at_10 cs_at_15 cs_per_minute damage_share
    damage_taken_per_minute damage_to_objectives deaths deaths_per_minute dpm duration_s first_core_item_at_s
    gold_at_10 gold_at_15 gold_at_20 gold_per_minute kda kill_participation kills lane_gold_diff_at_10
    lane_gold_diff_at_15 objective_participation team_dragons team_first_blood team_first_dragon team_first_herald
    team_first_tower team_gold_diff_at_10 team_gold_diff_at_15 team_gold_diff_at_20 team_synchronisation team_towers
    time_dead_share vision_per_minute vision_score wards_killed wards_placed won xp_at_10 xp_at_15
    """.split()  # noqa: SIM905
)
"""Variables to correlate, in alphabetical order."""
_LANE_TERM = "lane_gold_diff_at_15"
_DERIVED = {
    "first_core_item_at_s": pl.col("core_items_at_s").list.first(),
    **{f"team_first_{name}_by_15": taken_by(name, 15) for name in ("dragon", "herald", "tower")},
}
_OF_POSITION = ["patch", "queue_group", "position"]


def _by_position(features: pl.LazyFrame, columns: Sequence[str]) -> Iterator[tuple[dict[str, str], pl.DataFrame]]:
    """Yields the rows of each position of each queue, then of all positions of each queue with several.

    In queues with positions, rows without one are only among all positions.
    """
    rows = (
        features.with_columns(position(), **_DERIVED)
        .select("match_id", "participant_id", *_OF_POSITION, *columns)
        .sort("match_id", "participant_id")
        .collect()
    )
    for (patch, queue, of), part in rows.sort(_OF_POSITION, maintain_order=True).group_by(
        _OF_POSITION, maintain_order=True
    ):
        if of != ALL_POSITIONS:
            yield {"patch": patch, "queue_group": queue, "position": of}, part
    for (patch, queue), part in rows.group_by(_OF_POSITION[:2], maintain_order=True):
        found = part.get_column("position").unique()
        if len(found) > 1 or ALL_POSITIONS in found:
            yield {"patch": patch, "queue_group": queue, "position": ALL_POSITIONS}, part


def _values(rows: pl.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Returns columns as numbers, NaN if unknown."""
    return rows.select(pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in columns).to_numpy()


def variable_correlations(features: dy.LazyFrame[ParticipantFeatures]) -> dy.LazyFrame[VariableCorrelations]:
    """Returns Pearson's and Spearman's correlation of every pair of `VARIABLES`, with q-values over all pairs of the
    patch.

    A variable that is constant or unknown in a position has no pairs there. Tests use the number of matches as the
    number of independent rows, because players of one match are not independent.
    """
    from gamestats_assets.lol.statistics.arrays.correlations import correlations
    from gamestats_assets.lol.statistics.arrays.discovery_rate import q_value

    upper = np.triu_indices(len(VARIABLES), k=1)
    found: list[pl.DataFrame] = []
    for of, rows in _by_position(features, VARIABLES):
        if rows.height < FEWEST_ROWS:
            continue
        matches = rows.get_column("match_id").n_unique()
        result = correlations(_values(rows, VARIABLES), matches)
        part = pl.DataFrame(
            {
                "variable": [VARIABLES[i] for i in upper[0]],
                "other_variable": [VARIABLES[j] for j in upper[1]],
                "rows": result.n[upper],
                "matches_played": np.floor(result.n[upper] * matches / rows.height),
                "pearson": result.pearson[upper],
                "pearson_p_value": result.pearson_p[upper],
                "spearman": result.spearman[upper],
                "spearman_p_value": result.spearman_p[upper],
            }
        )
        found.append(part.with_columns(pl.lit(value).alias(name) for name, value in of.items()))
    if not found:
        return VariableCorrelations.create_empty(lazy=True)
    pairs = pl.concat(found).fill_nan(None).drop_nulls(["pearson", "spearman"])
    found_q = {f"{name}_q_value": q_value(pl.col(f"{name}_p_value")).over("patch") for name in ("pearson", "spearman")}
    return VariableCorrelations.cast(pairs.with_columns(**found_q).lazy())


def vision_survival(features: dy.LazyFrame[ParticipantFeatures]) -> dy.LazyFrame[VisionSurvival]:
    """Returns the correlation of vision score per minute and deaths at equal length of the game, per position and
    queue.

    Longer games have more deaths and more wards, so the plain correlation reflects length more than vision.
    """
    from gamestats_assets.lol.statistics.arrays.correlations import partial_spearman
    from gamestats_assets.lol.statistics.arrays.discovery_rate import q_value

    columns = ("vision_per_minute", "deaths", "deaths_per_minute", "duration_s", "held_out")
    found: list[Mapping[str, object]] = []
    for of, rows in _by_position(features, columns):
        known = rows.drop_nulls(columns)
        if known.height < FEWEST_ROWS:
            continue
        vision, deaths, _, duration, _ = _values(known, columns).T
        clusters = known.get_column("match_id").rank("dense").to_numpy()
        plain = partial_spearman(vision, deaths, None, clusters)
        partial = partial_spearman(vision, deaths, duration[:, None], clusters)
        held = known.get_column("held_out").to_numpy()
        discovery, held_out = (
            partial_spearman(vision[half], deaths[half], duration[half, None], clusters[half])
            if half.sum() >= FEWEST_ROWS
            else None
            for half in (~held, held)
        )
        found.append(
            {
                **of,
                "games": known.height,
                "matches_played": known.get_column("match_id").n_unique(),
                "vision_per_minute": vision.mean(),
                "deaths": deaths.mean(),
                "deaths_per_minute": known.get_column("deaths_per_minute").mean(),
                "spearman": plain.coefficient,
                "partial_spearman": partial.coefficient,
                "partial_low": partial.low,
                "partial_high": partial.high,
                "p_value": partial.p_value,
                "discovery_partial_spearman": discovery.coefficient if discovery else None,
                "discovery_p_value": discovery.p_value if discovery else None,
                "held_out_partial_spearman": held_out.coefficient if held_out else None,
                "held_out_p_value": held_out.p_value if held_out else None,
            }
        )
    if not found:
        return VisionSurvival.create_empty(lazy=True)
    rows = pl.LazyFrame(found, infer_schema_length=None).fill_nan(None)
    rows = rows.with_columns(q_value=q_value(pl.col("p_value")).over("patch"))
    return VisionSurvival.cast(rows)


# --------------------------------------------------------------------------- regressions

WIN_TERMS: Mapping[str, tuple[float, str]] = {
    "team_gold_diff_at_15": (1000, "1,000 gold"),
    "lane_gold_diff_at_15": (1000, "1,000 gold"),
    "team_first_dragon_by_15": (1, "taken"),
    "team_first_herald_by_15": (1, "taken"),
    "team_first_tower_by_15": (1, "taken"),
}
"""Terms of the model of winning, all known after 15 minutes, with the size of one unit and its name."""
DPM_TERMS: Mapping[str, tuple[float, str]] = {
    "gold_at_15": (1000, "1,000 gold"),
    "team_gold_diff_at_15": (1000, "1,000 gold"),
    "kill_participation": (0.1, "10 points"),
    "cs_per_minute": (1, "1 a minute"),
    "duration_s": (60, "1 minute"),
}
"""Terms of the model of damage per minute."""
_Family = Literal["logistic", "linear"]
_MODELS: Sequence[tuple[str, _Family, str, Mapping[str, tuple[float, str]]]] = (
    ("win_given_lead_at_15", "logistic", "won", WIN_TERMS),
    ("dpm", "linear", "dpm", DPM_TERMS),
)
_FEWEST_IN_MODEL = 200
_INTERCEPT = "intercept"


def outcome_models(features: dy.LazyFrame[ParticipantFeatures]) -> dy.LazyFrame[OutcomeModels]:
    """Returns regressions per position and queue, over games that lasted 15 minutes: winning, and damage per minute.

    Errors are clustered by match. For all positions together there is no lane term: the leads of a team's lanes add up
    to the team's lead, and its players win together. A term that is constant, or unknown in most rows, is left out; if
    it is unknown in some rows, these are left out. The area under the curve is measured on held out matches, with a
    model of the others.
    """
    from gamestats_assets.lol.statistics.arrays.discovery_rate import q_value

    found: list[pl.DataFrame] = []
    columns = ["won", "dpm", "held_out", *dict.fromkeys([*WIN_TERMS, *DPM_TERMS])]
    lasted = features.filter(pl.col("team_gold_diff_at_15").is_not_null())
    for of, rows in _by_position(lasted, columns):
        for model, family, outcome, terms in _MODELS:
            of_all = of["position"] == ALL_POSITIONS
            known = {name: unit for name, unit in terms.items() if not (of_all and name == _LANE_TERM)}
            part = _model(rows, family, outcome, known)
            if part is not None:
                named = {**of, "model": model, "family": family, "outcome": outcome}
                found.append(part.with_columns(pl.lit(value).alias(name) for name, value in named.items()))
    if not found:
        return OutcomeModels.create_empty(lazy=True)
    # A test of an intercept against 0 has no use.
    asked = pl.when(pl.col("term") != _INTERCEPT).then("p_value")
    rows = pl.concat(found).fill_nan(None).with_columns(q_value=q_value(asked).over("patch"))
    return OutcomeModels.cast(rows.lazy())


def _model(
    rows: pl.DataFrame, family: _Family, outcome: str, terms: Mapping[str, tuple[float, str]]
) -> pl.DataFrame | None:
    from gamestats_assets.lol.statistics.arrays.regressions import Reason, regression

    # In positions without opponents, or games without heralds, the term is unknown throughout.
    known_terms = [name for name in terms if rows.get_column(name).null_count() < rows.height / 2]
    known = rows.drop_nulls([outcome, *known_terms])
    known_terms = [name for name in known_terms if known.get_column(name).n_unique() > 1]
    if known.height < _FEWEST_IN_MODEL or not known_terms:
        return None
    values = _values(known, known_terms) / [terms[name][0] for name in known_terms]
    design = np.column_stack([np.ones(len(values)), values])
    target = known.get_column(outcome).cast(pl.Float64).to_numpy()
    clusters = known.get_column("match_id").rle_id().to_numpy()
    is_logistic = family == "logistic"
    fitted = regression(design, target, clusters, family=family)
    if fitted.reason is not Reason.FITTED:
        return None
    low, high = fitted.interval()
    return pl.DataFrame(
        {
            "term": [_INTERCEPT, *known_terms],
            "unit": ["", *(terms[name][1] for name in known_terms)],
            "coefficient": fitted.coefficients,
            "coefficient_low": low,
            "coefficient_high": high,
            "odds_ratio": np.exp(fitted.coefficients) if is_logistic else [None] * (1 + len(known_terms)),
            "p_value": fitted.p_values,
            "rows": fitted.rows,
            "matches_played": fitted.clusters,
            "fit": fitted.r_squared,
            "auc": _held_out_auc(known, design, target) if is_logistic else None,
        },
        schema_overrides={"odds_ratio": pl.Float64, "auc": pl.Float64},
    )


def _held_out_auc(known: pl.DataFrame, design: np.ndarray, target: np.ndarray) -> float | None:
    """Returns the area under the ROC curve in the held out half, for a model of the other."""
    from gamestats_assets.lol.statistics.arrays.regressions import Reason, regression

    held = known.get_column("held_out").to_numpy()
    model = regression(design[~held], target[~held], family="logistic")
    if model.reason is not Reason.FITTED or len(np.unique(target[held])) < 2:
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(target[held], design[held] @ model.coefficients))
