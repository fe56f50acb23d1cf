"""Questions with several conditions: the mean of a metric, its interval, and the comparison with what was eligible.

    ask(lake, champion="Ezreal", items=["Trinity Force", "Muramana"], metric="dpm")

Who completed items is compared with **games that had come as far**: at each core item, those in which the items had
just been completed are set against those of the same champion, position, patch and queue that completed as many core
items without having all of them, at equal gold differences and time. A game can be of the baseline at one core item and
of the asked ones at a later one, as in a sequence of trials, which is why matches and not rows are counted.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lol.conditions import completed, completed_at, condition, nearest, question_columns
from gamestats_assets.lol.items import UnknownNameError, ids_of_name
from gamestats_assets.lol.tables import Champions, Items, ParticipantFeatures
from gamestats_assets.lol.tables.silver import POSITIONS

FEW_GAMES = 30
"""Games below which an answer says that they are few."""
MOST_GROUPS = 200
METRICS: Mapping[str, str] = {"win_rate": "won", "deaths_per_game": "deaths", "kills_per_game": "kills"}
"""Other names of metrics."""
_FEWEST_COMPARED = 20
_TRIALS = 6


class NothingToAskError(GamestatsError):
    """There are no rows to ask: nothing was materialised."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was asked for against its eligible baseline.

    Attributes:
        games: games of the baseline.
        value: the metric's mean (or rate) in them.
        naive_effect: the asked games' value less that.
        effect: difference at an equal state of the game; None where no state is known, or too few games.
        low: lower end of its interval.
        high: upper end.
        p_value: of the adjusted difference.
        baseline: what the baseline is, in words.
    """

    games: int
    value: float
    naive_effect: float
    effect: float | None
    low: float | None
    high: float | None
    p_value: float | None
    baseline: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer for one group, or for all games where none were asked for.

    Attributes:
        group: column to value.
        games: games of a player that meet the conditions.
        matches: matches of these.
        value: mean of the metric, or the rate of a yes or no.
        low: lower end of the 95% interval: Wilson's of a rate, by bootstrap of matches of a mean.
        high: upper end.
        comparison: against the eligible baseline; None where nothing is to be compared with, or too little is there.
        notes: what a reader should know: few games, no baseline.
    """

    group: Mapping[str, Any]
    games: int
    matches: int
    value: float | None
    low: float | None
    high: float | None
    comparison: Comparison | None
    notes: tuple[str, ...] = field(default=())

    def lines(self, unit: str) -> list[str]:
        """The answer in words.

        Args:
            unit: "%" of a rate.
        """
        if self.value is None:
            return []
        said = [f"{_told(self.value, unit)}{_between(self.low, self.high, unit)}, {self.games:,} games."]
        if (other := self.comparison) is not None:
            said.append(
                f"Baseline: {_told(other.value, unit)} in {other.games:,} {other.baseline}; naively a difference of "
                f"{_difference(other.naive_effect, unit)}."
            )
            if other.effect is not None and other.p_value is not None:
                said.append(
                    f"At an equal state of the game: {_difference(other.effect, unit)}"
                    f"{_between(other.low, other.high, unit, _difference)}, p = {other.p_value:.2g}."
                )
        return said


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked, in words, and the answer of each group.

    Attributes:
        unit: "%" where the metric is a rate, else nothing.
    """

    question: str
    metric: str
    unit: str
    groups: tuple[Answer, ...]

    def frame(self) -> pl.DataFrame:
        """One row for each group: its columns, `games`, `matches`, `value`, `low`, `high`, and the comparison."""
        rows: list[dict[str, Any]] = []
        for answer in self.groups:
            other = answer.comparison
            rows.append(
                {
                    **answer.group,
                    "games": answer.games,
                    "matches": answer.matches,
                    self.metric: answer.value,
                    "low": answer.low,
                    "high": answer.high,
                    "baseline_games": other.games if other else None,
                    "baseline": other.value if other else None,
                    "naive_effect": other.naive_effect if other else None,
                    "effect": other.effect if other else None,
                    "effect_low": other.low if other else None,
                    "effect_high": other.high if other else None,
                    "p_value": other.p_value if other else None,
                }
            )
        frame = pl.DataFrame(rows, infer_schema_length=None)
        # What no group has (no comparison was asked for) is no column.
        return frame.select(name for name in frame.columns if frame[name].null_count() < frame.height)

    def notes(self) -> list[str]:
        """Notes of all groups, each with the groups that it is of."""
        of: dict[str, list[str]] = {}
        for answer in self.groups:
            for note in answer.notes:
                said = "Few games: too few to say much." if note.startswith("Only ") and "say much" in note else note
                of.setdefault(said, []).append(" ".join(map(str, answer.group.values())))
        named = {note: ", ".join(groups[:5]) + (" and more" if len(groups) > 5 else "") for note, groups in of.items()}
        return [f"{groups}: {note}" for note, groups in named.items()]


def _told(value: float, unit: str) -> str:
    return f"{100 * value:.1f}%" if unit == "%" else f"{value:,.2f}" if abs(value) < 100 else f"{value:,.1f}"


def _difference(value: float, unit: str) -> str:
    return f"{100 * value:+.1f} points" if unit == "%" else f"{value:+,.2f}" if abs(value) < 100 else f"{value:+,.1f}"


def _between(low: float | None, high: float | None, unit: str, told: Callable[[float, str], str] = _told) -> str:
    return "" if low is None or high is None else f" (95% interval {told(low, unit)} to {told(high, unit)})"


class Names:
    """Champions and items by their names in English and Korean, at any version."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def champion(self, name: str) -> list[int]:
        """Ids of a champion.

        Raises:
            UnknownNameError: when none is called so.
        """
        listed = self._lake.scan(Champions).select("champion_id", "champion_key", "name", "name_ko")
        # Without any list there are the keys of those that were played.
        played = self._lake.scan(ParticipantFeatures).select(
            "champion_id", "champion_key", name="champion_key", name_ko=pl.lit(None, pl.String)
        )
        return ids_of_name(pl.concat([listed, played.unique()]).unique().collect(), "champion_id", name)

    def item(self, name: str) -> list[int]:
        """Ids of an item that can be completed; a number is an id.

        Raises:
            UnknownNameError: when none is called so, or the item is a component or used up.
        """
        listed = self._items
        if listed.is_empty():
            raise UnknownNameError(
                "No item is known by name yet: ingest Data Dragon's item.json with the matches, or fetch it: "
                "gamestats fetch lol"
            )
        ids = [int(name)] if name.strip().isdecimal() else ids_of_name(listed, "item_id", name)
        # The lowest is that of Summoner's Rift; the Arena lists components as whole items, under numbers of its own.
        if listed.filter((pl.col("item_id") == min(ids)) & pl.col("kind").is_in(["core", "boots"])).is_empty():
            raise UnknownNameError(
                f"{name} is neither a core item nor boots, so nobody completes it; questions are about completed items."
            )
        return ids

    @cached_property
    def _items(self) -> pl.DataFrame:
        return self._lake.scan(Items).select("item_id", "name", "name_ko", "kind").unique().collect()


def metrics() -> dict[str, str]:
    """What can be asked for: metric to its description."""
    told = ParticipantFeatures.descriptions()
    numeric = {
        name: told[name]
        for name, dtype in question_columns().items()
        if (dtype.is_numeric() or dtype == pl.Boolean) and not name.endswith("_id")
    }
    return {**numeric, **{other: told[name] for other, name in METRICS.items()}}


def ask(
    lake: Lake,
    *,
    champion: str | None = None,
    items: Sequence[str] = (),
    metric: str = "win_rate",
    position: str | None = None,
    patch: str | None = None,
    queue: str | None = None,
    in_order: bool = False,
    where: str | None = None,
    by: Sequence[str] = (),
) -> Answers:
    """The mean of a metric over the games that meet every condition, with its interval and the eligible baseline.

    Args:
        lake: holds `lol.participant_features`.
        champion: name in any language at hand, or key.
        items: completed items, all of them; names in any language at hand, or ids.
        metric: one of `metrics()`.
        position: TOP, JUNGLE, MIDDLE, BOTTOM or UTILITY.
        patch: such as 13.14.
        queue: group of queues, such as ranked_solo.
        in_order: whether the items must have been completed in the order given.
        where: further conditions, see `conditions.condition`.
        by: columns to group by; `champion` is the champion's key.

    Raises:
        UnknownNameError: when a name is unknown.
        ConditionError: when `where` cannot be read.
        NothingToAskError: when there are no rows.
    """
    if lake.version(ParticipantFeatures) is None:
        raise NothingToAskError(
            "There are no games to ask about yet. Bring match and timeline files and make the tables: "
            "gamestats ingest lol PATH, then gamestats materialize"
        )
    names = Names(lake)
    column = _metric(metric)
    groups = [_group(name) for name in by]
    slice_, said = _slice(names, champion, position, patch, queue)
    ids = [names.item(name) for name in items]
    wanted = condition(where, items=names.item, champions=names.champion) if where else pl.lit(value=True)
    rows = (
        lake.scan(ParticipantFeatures)
        .filter(slice_)
        .with_columns(
            __items__=completed(ids, in_order=in_order) if ids else pl.lit(value=True),
            __where__=wanted.fill_null(value=False),
            __metric__=pl.col(column).cast(pl.Float64),
            __at__=pl.max_horizontal(completed_at(each) for each in ids) if ids else pl.lit(None, pl.Float64),
        )
        .select(
            "match_id",
            "participant_id",
            *groups,
            "__items__",
            "__where__",
            "__metric__",
            "__at__",
            *(f"core_items_{name}" for name in ("at_s", "team_gold_diff", "lane_gold_diff")),
        )
        .sort("match_id", "participant_id")
        .collect()
    )
    if rows.is_empty():
        raise NothingToAskError(f"There are no games of {said}. {_what_there_is(lake)}")
    order = " in this order" if in_order and len(items) > 1 else ""
    what = [f"with {' and '.join(items)} completed{order}"] if items else []
    what += [f"where {where}"] if where else []
    question = " ".join([f"{metric} of {said}", *what, *([f"by {', '.join(by)}"] if by else [])])
    is_rate = question_columns()[column] == pl.Boolean
    unit = "%" if is_rate else ""
    if not groups:
        return Answers(question, metric, unit, (_answer({}, rows, is_rate=is_rate, has_items=bool(ids), where=where),))
    parts = rows.partition_by(groups, as_dict=True, maintain_order=True)
    if len(parts) > MOST_GROUPS:
        raise UnknownNameError(f"{', '.join(by)} has {len(parts):,} values, more than {MOST_GROUPS}; group by less.")
    answers = [
        _answer(dict(zip(by, key, strict=True)), part, is_rate=is_rate, has_items=bool(ids), where=where)
        for key, part in sorted(parts.items(), key=lambda each: tuple(map(str, each[0])))
    ]
    return Answers(question, metric, unit, tuple(each for each in answers if each.games))


def _metric(name: str) -> str:
    column = METRICS.get(name, name)
    if name not in metrics():
        raise UnknownNameError(f"There is no metric {name!r}. {nearest(name, metrics())}")
    return column


def _group(name: str) -> str:
    column = "champion_key" if name == "champion" else name
    if column not in question_columns():
        raise UnknownNameError(f"There is no column {name!r} to group by. {nearest(name, question_columns())}")
    return column


def _slice(
    names: Names, champion: str | None, position: str | None, patch: str | None, queue: str | None
) -> tuple[pl.Expr, str]:
    """The games that a question is about, whatever was done in them, and the same in words."""
    conditions = [pl.lit(value=True)]
    said = [champion or "every champion"]
    if champion is not None:
        conditions.append(pl.col("champion_id").is_in([*names.champion(champion)]))
    if position is not None:
        wanted = {"MID": "MIDDLE", "BOT": "BOTTOM", "ADC": "BOTTOM", "SUPPORT": "UTILITY"}.get(
            position.upper(), position.upper()
        )
        if wanted not in POSITIONS:
            near = difflib.get_close_matches(wanted, POSITIONS, n=1, cutoff=0.3)
            raise UnknownNameError(
                f"There is no position {position!r}. {f'Did you mean {near[0]}? ' if near else ''}"
                f"There are {', '.join(POSITIONS)}."
            )
        conditions.append(pl.col("position") == wanted)
        said.append(f"({wanted})")
    for column, value in (("patch", patch), ("queue_group", queue)):
        if value is not None:
            conditions.append(pl.col(column) == value)
            said.append(f"on patch {value}" if column == "patch" else f"in {value}")
    return pl.all_horizontal(conditions), " ".join(said)


def _what_there_is(lake: Lake) -> str:
    rows = (
        lake.scan(ParticipantFeatures)
        .select(
            patches=pl.col("patch").unique().sort().str.join(", "),
            queues=pl.col("queue_group").unique().sort().str.join(", "),
        )
        .collect()
    )
    return f"There are patches {rows['patches'][0]} and queues {rows['queues'][0]}." if rows.height else ""


# --------------------------------------------------------------------------- answers


def _answer(
    group: Mapping[str, Any], rows: pl.DataFrame, *, is_rate: bool, has_items: bool, where: str | None
) -> Answer:
    from gamestats_assets.lol.statistics.intervals import mean_interval, wilson

    asked = rows.filter(pl.col("__items__") & pl.col("__where__") & pl.col("__metric__").is_not_null())
    notes: list[str] = []
    if not asked.height:
        return Answer(group, 0, 0, None, None, None, None, (f"None of {rows.height:,} games meets the conditions.",))
    values = asked.get_column("__metric__").to_numpy()
    matches = asked.get_column("match_id").n_unique()
    value: float = float(values.mean())
    if is_rate and matches == len(values):
        rates = wilson([values.sum()], [len(values)])
        low, high = float(rates.low[0]), float(rates.high[0])
    elif len(values) > 1:
        ends = mean_interval(values, asked.get_column("match_id").rle_id().to_numpy())
        low, high = (None, None) if np.isnan(ends.low) else (ends.low, ends.high)
    else:
        low = high = None
    if asked.height < FEW_GAMES:
        notes.append(f"Only {asked.height} game{'s' if asked.height > 1 else ''}: too few to say much.")
    comparison = None
    if has_items or where:
        baseline = _trials(rows) if has_items else None
        comparison, why = _compared(rows, asked, baseline, is_rate=is_rate)
        notes += [why] if why else []
    return Answer(group, asked.height, matches, value, low, high, comparison, tuple(notes))


def _trials(rows: pl.DataFrame) -> pl.DataFrame:
    """Games at each of their core items: whether the asked ones had just been completed, and the state then."""
    numbered = rows.with_row_index("game")
    # The core item with which, or after which, the last of the items came.
    before = (pl.col("core_items_at_s").list.get(slot, null_on_oob=True) <= pl.col("__at__") for slot in range(_TRIALS))
    number = pl.sum_horizontal(each.fill_null(value=False) for each in before).cast(pl.Int64)
    reached = pl.when("__items__").then(number)
    numbered = numbered.with_columns(reached=reached)
    found: list[pl.DataFrame] = []
    for order in range(1, _TRIALS + 1):
        got_so_far = pl.col("core_items_at_s").list.len() >= order
        here = numbered.filter(got_so_far & (pl.col("reached").is_null() | (pl.col("reached") >= order)))
        treated = pl.col("reached").eq_missing(order)
        if here.filter(treated & pl.col("__where__")).is_empty():
            continue
        found.append(
            here.select(
                "game",
                "match_id",
                "__metric__",
                treated=treated & pl.col("__where__"),
                order=pl.lit(order),
                at_s=pl.col("core_items_at_s").list.get(order - 1),
                team_gold_diff=pl.col("core_items_team_gold_diff").list.get(order - 1),
                lane_gold_diff=pl.col("core_items_lane_gold_diff").list.get(order - 1),
            )
        )
    return pl.concat(found) if found else pl.DataFrame()


def _compared(
    rows: pl.DataFrame, asked: pl.DataFrame, trials: pl.DataFrame | None, *, is_rate: bool
) -> tuple[Comparison | None, str]:
    """Against the eligible baseline, or why there is none."""
    value = float(asked.get_column("__metric__").to_numpy().mean())
    if trials is None or trials.is_empty():
        others = rows.filter(~(pl.col("__items__") & pl.col("__where__")) & pl.col("__metric__").is_not_null())
        if others.height < _FEWEST_COMPARED:
            return None, f"Only {others.height} other games: too few to compare with."
        base = float(others.get_column("__metric__").to_numpy().mean())
        told = Comparison(others.height, base, value - base, None, None, None, None, "games that do not meet them")
        return told, "The difference is not adjusted for the state of the game: no moment belongs to the conditions."
    from gamestats_assets.lol.statistics.regressions import compare

    known = trials.drop_nulls("__metric__")
    rest = known.filter(~pl.col("treated")).unique("game", maintain_order=True)
    if rest.height < _FEWEST_COMPARED:
        return None, f"Only {rest.height} games came as far without them: too few to compare with."
    base = float(rest.get_column("__metric__").to_numpy().mean())
    words = "games that completed as many core items without them, at equal gold differences and time"
    arms = [known.filter("treated").height, known.height - known.filter("treated").height]
    naive = Comparison(rest.height, base, value - base, None, None, None, None, words)
    if min(arms) < _FEWEST_COMPARED:
        return naive, "Too few games to adjust for the state of the game."
    state = [
        name for name in ("team_gold_diff", "lane_gold_diff", "at_s", "order")
        if known.get_column(name).null_count() < known.height / 2 and known.get_column(name).n_unique() > 1
    ]  # fmt: skip
    outcome = known.get_column("__metric__").to_numpy()
    result = compare(
        known.get_column("treated").cast(pl.Int64).to_numpy() - 1,
        known.select(pl.col(name).cast(pl.Float64).fill_null(0) for name in state).to_numpy(),
        outcome > 0 if is_rate else outcome,
        known.get_column("match_id").rle_id().to_numpy().astype(np.int64),
        minimum=_FEWEST_COMPARED,
    )
    if not len(result.effect) or np.isnan(result.effect[0]):
        return naive, "The difference at an equal state of the game cannot be estimated from these games."
    effect, low, high, p = (float(each[0]) for each in (result.effect, result.low, result.high, result.p_value))
    return Comparison(rest.height, base, value - base, effect, low, high, p, words), ""
