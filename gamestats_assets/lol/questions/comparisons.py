"""Comparison of the requested games with their eligible baseline; see `questions` for the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.lol.questions.answers import Comparison, count_games, games_are

_CELL = ("champion_id", "position", "patch", "queue_group")
_CORE = ("core_items_at_s", "core_items_team_gold_diff", "core_items_lane_gold_diff")
_STATE_OF_CORE = ("at_s", "team_gold_diff", "lane_gold_diff")
_MARKS = {600: "10", 900: "15", 1200: "20"}
"""Seconds at which every game's gold differences are known, by their names in columns."""
_AT_MARKS = tuple(f"{of}_gold_diff_at_{minute}" for of in ("team", "lane") for minute in _MARKS.values())
_STATE = ("team_gold_diff", "lane_gold_diff", "at_s", "since_s")
ASKED = (
    *("match_id", "participant_id", "duration_s", *_CELL, *_CORE, *_AT_MARKS),
    *("__treated__", "__narrowed__", "__metric__", "__at__", "__boots_at__"),
    *("__first_at__", "__gold_before__"),
)
_OF_CELL = "of the same champion, position, patch and queue"
_NOT_COMPARED = {
    "FEW_CLUSTERS": "Too few games to compare at an equal state of the game.",
    "NO_VARIATION": "All compared games have the same value, so there is no difference.",
    "SINGULAR": "At an equal state of the game only one side has games: the state determines which games were "
    "requested.",
}
"""Reasons for a missing comparison at an equal state."""
_FEWEST_COMPARED = 20
_FEWEST_PER_COEFFICIENT = 10
_DRAWN = 10
"""Smallest number of games to compare a moment with: with ten, the error is a twentieth above that of all games."""
_MOST_COMPARED = 500_000
"""Rows of moments in memory at a time; if all running games are more, some are drawn."""


Compare = Callable[[pl.DataFrame], "tuple[Comparison | None, list[str]]"]
"""Compares the games marked `treated`, which were requested, with the others; returns notes as well."""


def as_they_are(rows: pl.DataFrame) -> tuple[Comparison | None, list[str]]:
    """Compares games that meet the conditions with those of their cells that do not, or explains why it cannot."""
    found, notes = _naive(_both_arms(_by_cell(rows)), f"{_OF_CELL} that do not meet the conditions")
    unadjusted = (
        "The difference is naive, not adjusted for the state of the game. Only completed items (completed, in_order, "
        "core_item) and first objectives are compared at an equal state, with or without further conditions joined by "
        "and."
    )
    return found, notes or [unadjusted]


def at_the_first(
    rows: pl.DataFrame, *, first: str, took_first: bool, later: Sequence[str]
) -> tuple[Comparison | None, list[str]]:
    """Compares teams that took an objective first with those that did not, at equal gold difference and time before
    it."""
    words = f"{_OF_CELL} whose team {'did not take' if took_first else 'took'} the first {first}"
    state, unknown = ("__gold_before__", "__first_at__"), "the gold difference at that moment is"
    return _at_state(_by_cell(rows), state, words, unknown, later)


def at_equal_state(rows: pl.DataFrame, *, lacking: str, later: Sequence[str]) -> tuple[Comparison | None, list[str]]:
    """Compares games at the completion of items with games that had come as far, or explains why it cannot."""
    trials, drawn = _trials(rows)
    # Without positions there are no lanes, so no lane value is unknown.
    lane = pl.when(pl.col("position").is_null()).then(0.0).otherwise("lane_gold_diff")
    words = f"{_OF_CELL} that had come as far and {lacking}"
    if drawn:
        words += f" ({drawn} drawn by lot for each)"
    unknown = "the gold differences at that moment are"
    return _at_state(trials.with_columns(lane_gold_diff=lane), _STATE, words, unknown, later)


def _by_cell(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(stratum=pl.struct(_CELL).rank("dense"))


def _at_state(
    rows: pl.DataFrame, state: Sequence[str], words: str, unknown: str, later: Sequence[str]
) -> tuple[Comparison | None, list[str]]:
    """Compares both arms as they are and, with enough games, at an equal state; or explains why it cannot.

    Args:
        rows: rows of both arms; those with an unknown state are left out and counted, and so are strata with a single
            arm.
        state: columns of the state.
        words: the baseline in words.
        unknown: the possibly unknown part of the state, with its verb.
        later: columns that selected the games and may depend on later events.
    """
    from gamestats_assets.lol.statistics.arrays.regressions import Reason, compare_within

    eligible = _both_arms(rows)
    known = _both_arms(eligible.drop_nulls(state))
    without = eligible.filter(pl.any_horizontal(pl.col(*state).is_null())).join(known, on="game", how="anti")
    notes: list[str] = []
    if lost := without.get_column("game").n_unique():
        notes.append(f"{games_are(lost)} in no comparison: {unknown} not known.")
    alone = rows.filter("treated").join(eligible.filter("treated"), on="game", how="anti").get_column("game").n_unique()
    if alone and eligible.height:
        notes.append(f"{games_are(alone)} in no comparison: their cell has no other game.")
    naive, why = _naive(known, words)
    if naive is None:
        return None, [*notes, *why]
    found = compare_within(
        known.get_column("treated").to_numpy(),
        known.select(pl.col(name).cast(pl.Float64) for name in state).to_numpy(),
        known.get_column("__metric__").to_numpy(),
        known.get_column("match_id").rank("dense").to_numpy(),
        known.get_column("stratum").rank("dense").to_numpy() - 1,
        fewest_per_coefficient=_FEWEST_PER_COEFFICIENT,
    )
    if isinstance(found, Reason):
        return naive, [*notes, _NOT_COMPARED[found.name]]
    if later:
        chosen = f"{', '.join(later[:3])}{' and more' if len(later) > 3 else ''}"
        notes.append(f"{chosen} also selected games of both sides, and may depend on events after that moment.")
    return replace(naive, effect=found.effect, low=found.low, high=found.high, p_value=found.p_value), notes


def _both_arms(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns the rows of strata with both arms."""
    return rows.filter(pl.col("treated").any().over("stratum") & ~pl.col("treated").all().over("stratum"))


def _naive(rows: pl.DataFrame, words: str) -> tuple[Comparison | None, list[str]]:
    """Compares both arms as they are, with each stratum weighted by its treated rows."""
    arms = {arm: part.get_column("game").n_unique() for (arm,), part in rows.group_by("treated")}
    if not (others := arms.get(False, 0)):
        return None, [f"There are no games {words}, so there is no comparison."]
    matches = rows.filter(~pl.col("treated")).get_column("match_id").n_unique()
    if matches < _FEWEST_COMPARED:
        return None, [f"Only {count_games(others, matches)} {words}: too few for a comparison."]
    mean = rows.group_by("stratum", maintain_order=True).agg(
        treated=pl.col("treated").sum(),
        value=pl.col("__metric__").filter("treated").mean(),
        base=pl.col("__metric__").filter(~pl.col("treated")).mean(),
    )
    weights = mean.get_column("treated").to_numpy()
    value, base = (float(np.average(mean.get_column(name).to_numpy(), weights=weights)) for name in ("value", "base"))
    return Comparison(arms[True], value, arms[False], base, value - base, None, None, None, None, words), []


def _trials(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Returns moments at which items were completed, and the same moments of games that had come as far without them.

    Returns:
        Columns: `game`, `match_id`, `position`, `__metric__`, `treated`, `stratum` (the unit of comparison), `at_s`,
        the latest known gold differences, and `since_s`, their age. Also returns how many games were drawn per moment,
        0 if all eligible ones are included.
    """
    done, at, boots = pl.col("__at__"), pl.col("at_s"), pl.col("__boots_at__")
    games = rows.with_columns(cell=pl.struct(_CELL).rank("dense")).select(
        "game", "match_id", "position", "__metric__", "__at__", "__boots_at__", "duration_s", "cell", *_AT_MARKS, *_CORE
    )
    core = games.explode(_CORE).rename(dict(zip(_CORE, _STATE_OF_CORE, strict=True))).drop_nulls("at_s")
    core = core.unique(["game", "at_s"], keep="last", maintain_order=True)
    core = core.with_columns(order=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("game"))
    at_core = core.filter(done.is_null() | (at <= done)).with_columns(
        treated=(at == done).fill_null(value=False), moment=pl.lit(0, pl.Int64), since_s=pl.lit(0.0)
    )
    # Stages: the time with a number of core items, until the next item, the end of the game, or the requested items.
    start = games.drop(_CORE).with_columns(at_s=0.0, order=pl.lit(0, pl.Int64))
    stages = pl.concat([start, core], how="diagonal").sort("game", "order")
    until = at.shift(-1).over("game").fill_null(pl.col("duration_s"))
    stages = stages.with_columns(until=pl.min_horizontal(until, done)).filter(at < pl.col("until"))
    got_boots = (at <= boots) & ((boots < pl.col("until")) | ((boots == done) & (boots == pl.col("until"))))
    at_boots = stages.filter(got_boots).with_columns(
        treated=(boots == done).fill_null(value=False), moment=pl.lit(-1, pl.Int64), moment_s=boots
    )
    at_once = pl.concat([each.filter("treated").select("game") for each in (at_core, at_boots)])
    cases = stages.filter(pl.col("until") == done).join(at_once, on="game", how="anti", maintain_order="left")
    running, drawn = _running(stages, cases)
    chosen = pl.concat([at_boots, running], how="diagonal")
    for mark, minute in _MARKS.items():
        team = pl.col(f"team_gold_diff_at_{minute}")
        is_newer = (at < mark) & (pl.col("moment_s") >= mark) & team.is_not_null()
        newer = {"at_s": pl.lit(float(mark)), **{each: pl.col(f"{each}_at_{minute}") for each in _STATE[:2]}}
        chosen = chosen.with_columns(
            pl.when(is_newer).then(known).otherwise(name).alias(name) for name, known in newer.items()
        )
    chosen = chosen.with_columns(at_s="moment_s", since_s=pl.col("moment_s") - at)
    stratum = pl.struct("cell", "order", "moment").alias("stratum")
    wanted = ("game", "match_id", "position", "__metric__", "treated", stratum, *_STATE)
    return pl.concat([at_core.select(wanted), chosen.select(wanted)]), drawn


def _running(stages: pl.DataFrame, cases: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Returns some stages in which games completed the items, each with running stages of other games that were as far.

    Returns:
        The stages have the columns `treated`, `moment` (number of the case, from 1) and `moment_s`. Also returns how
        many were drawn per case, 0 if all are included.
    """
    parts: list[pl.DataFrame] = []
    # Draws depend on the order of rows only, so they are reproducible.
    as_far = stages.join(cases, on=["cell", "order"], how="semi", maintain_order="left")
    pools = as_far.partition_by("cell", "order", as_dict=True, maintain_order=True)
    most = max(_DRAWN, _MOST_COMPARED // max(cases.height, 1))
    random, number, is_drawn = np.random.default_rng(0), 0, False
    for key, part in cases.partition_by("cell", "order", as_dict=True, maintain_order=True).items():
        pool = pools[key]
        begin, end = (pool.get_column(name).to_numpy() for name in ("at_s", "until"))
        rows: list[npt.NDArray[np.int64]] = []
        for moment_s in part.get_column("__at__"):
            running = np.flatnonzero((begin <= moment_s) & (moment_s < end))
            if running.size > most:
                running, is_drawn = random.choice(running, most, replace=False), True
            rows.append(running)
        moments = pl.DataFrame({"moment": np.arange(number + 1, number + 1 + part.height), "moment_s": part["__at__"]})
        number += part.height
        others = moments[np.repeat(np.arange(part.height), [each.size for each in rows])]
        parts.append(part.hstack(moments).with_columns(treated=pl.lit(value=True)))
        parts.append(pool[np.concatenate(rows)].hstack(others).with_columns(treated=pl.lit(value=False)))
    return (pl.concat(parts) if parts else stages.clear()), most if is_drawn else 0
