"""Questions with several conditions: the mean of a metric, its interval, and the comparison with what was eligible.

    ask(lake, champion="Ezreal", items=["Trinity Force", "Muramana"], metric="dpm")

Like is compared with like: within a cell, which is a champion, position, patch and queue group. Cells without games of
both sides tell nothing. Who completed items is compared with **games that had come as far**:

- An item that was the last one needed and is a core item: at the completion of as many core items, those in which the
  items had just been completed are set against those that did not have all of them yet.
- First boots: likewise at the completion of the first boots, with as many core items.
- What an item turned into: at the moment of its completion, each such game is set against those that were still running
  then, with as many core items, and without having completed all of the items yet.

All at equal gold differences and time. Items may be named by `completed`, `in_order` and `core_item` in a condition
too; what else stands beside them, joined by and, narrows the games of both sides. Without items, what a team took first
(`team_first_dragon`) is compared with games whose team did not, at the gold difference just before it and its time.
Other conditions have no state to be compared at, so that their difference stays naive, which the answer says.

Both differences are of the games that were asked for: a cell weighs as much as its asked games do. A game can be of the
baseline at one moment and of the asked ones at a later one, as in a sequence of trials (nothing that comes later
decides who is compared), which is why errors are by match.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.delta.set_aside import set_aside
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lol.matches.tables import ParticipantFeatures
from gamestats_assets.lol.questions.conditions import (
    ConditionError,
    completed,
    completed_at,
    in_order_of_patches,
    nearest,
    position_called,
    question_columns,
    read_condition,
    value_called,
)
from gamestats_assets.lol.reference.csv_files import queues
from gamestats_assets.lol.reference.items import UnknownNameError, ids_of_name
from gamestats_assets.lol.reference.tables import Champions, Items
from gamestats_assets.lol.reference.versions import patch_number
from gamestats_assets.lol.timelines.tables import RawMatches

FEW_MATCHES = 30
"""Matches below which an answer says that they are few."""
MOST_GROUPS = 200
METRICS: Mapping[str, str] = {"win_rate": "won", "deaths_per_game": "deaths", "kills_per_game": "kills"}
"""Other names of metrics."""
USUAL_QUEUE = "ranked_solo"
"""What is answered for where no queue is asked for, and there are games of it."""
_CELL = ("champion_id", "position", "patch", "queue_group")
_CORE = ("core_items_at_s", "core_items_team_gold_diff", "core_items_lane_gold_diff")
_STATE_OF_CORE = ("at_s", "team_gold_diff", "lane_gold_diff")
_MARKS = {600: "10", 900: "15", 1200: "20"}
"""Seconds at which gold differences are known of every game, and their names in columns."""
_AT_MARKS = tuple(f"{of}_gold_diff_at_{minute}" for of in ("team", "lane") for minute in _MARKS.values())
_STATE = ("team_gold_diff", "lane_gold_diff", "at_s", "since_s")
_ASKED = (
    *("match_id", "participant_id", "duration_s", *_CELL, *_CORE, *_AT_MARKS),
    *("__treated__", "__narrowed__", "__metric__", "__at__", "__boots_at__"),
    *("__first_at__", "__gold_before__"),
)
_KNOWN_BEFORE = frozenset(
    """
    match_id match_date participant_id puuid riot_id team_id subteam_id champion_id champion_key position
    opponent_participant_id keystone_id summoner1_id summoner2_id patch queue_id queue_group platform_id has_timeline
    held_out
    """.split()  # noqa: SIM905
)
"""Columns that are known when a game begins, or say nothing of its course."""
_NOTHING_YET = (
    "There are no games to ask about yet. Bring match and timeline files and make the tables: "
    "gamestats ingest lol PATH, then gamestats materialize"
)
_T = TypeVar("_T")
_ALL_CHAMPIONS = "all champions"
_OF_CELL = "of the same champion, position, patch and queue"
_NOT_COMPARED = {
    "FEW_CLUSTERS": "Too few games to compare at an equal state of the game.",
    "NO_VARIATION": "All games that are compared have the same value, so that there is no difference to tell.",
    "SINGULAR": "At an equal state of the game there are no games of both sides: the state tells which were asked for.",
}
"""Why there is no comparison at an equal state, by the name of the reason."""
_FEWEST_COMPARED = 20
_FEWEST_PER_COEFFICIENT = 10
_DRAWN = 10
"""Games at least that one moment is set against: with as many, the error is a twentieth above that of all."""
_MOST_COMPARED = 500_000
"""Rows of moments in memory at a time; where all that were running then are more, some are drawn."""


_Compare = Callable[[pl.DataFrame], "tuple[Comparison | None, list[str]]"]
"""Compares games, of which `treated` says which were asked for, with the others; notes."""


class NothingToAskError(GamestatsError):
    """There are no rows to ask: nothing was materialised."""


class QuestionError(GamestatsError):
    """A question says something twice, or something that it has no use for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was asked for against its eligible baseline: games of cells in which there are both.

    Attributes:
        asked_games: games that were asked for, of those cells.
        asked_value: the metric's mean (or rate) in them.
        games: games of the baseline.
        value: the metric's mean in them, each cell weighing as much as its asked games do.
        naive_effect: the asked games' value less that.
        effect: difference at an equal state of the game, each cell weighing as in the naive one; None where no state is
            known, or too few games.
        low: lower end of its interval.
        high: upper end.
        p_value: of the adjusted difference.
        baseline: what the baseline is, in words.
    """

    asked_games: int
    asked_value: float
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
        mean = "" if unit == "%" else "Mean "
        between = _between(self.low, self.high, unit)
        said = [f"{mean}{_told(self.value, unit)}{between}, {_games(self.games, self.matches)}."]
        if (other := self.comparison) is not None:
            said.append(
                f"Baseline: {_told(other.value, unit)} in {_games(other.games)} {other.baseline}. Against it: "
                f"{_games(other.asked_games)} with {_told(other.asked_value, unit)}: naively a difference of "
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
        queue_group: the one group of queues that is answered for; None where the question itself says which.
        remark: what else there was, where the queue group was not asked for.
        set_aside: games that are in no answer because something is wrong with them, in words; nothing without any.
    """

    question: str
    metric: str
    unit: str
    groups: tuple[Answer, ...]
    queue_group: str | None = None
    remark: str = ""
    set_aside: str = ""

    def frame(self) -> pl.DataFrame:
        """One row for each group: its columns, `games`, `matches`, the metric, `low`, `high`, the comparison, queue.

        Of several groups `q_value` is the share of false finds among those found up to it (Benjamini and Hochberg).
        """
        from gamestats_assets.lol.statistics.arrays.discovery_rate import q_values

        compared = [answer.comparison for answer in self.groups]
        found = q_values([np.nan if each is None or each.p_value is None else each.p_value for each in compared])
        rows: list[dict[str, Any]] = []
        for answer, other, q in zip(self.groups, compared, found, strict=True):
            rows.append(
                {
                    **answer.group,
                    "games": answer.games,
                    "matches": answer.matches,
                    self.metric: answer.value,
                    "low": answer.low,
                    "high": answer.high,
                    "compared_games": other.asked_games if other else None,
                    "compared": other.asked_value if other else None,
                    "baseline_games": other.games if other else None,
                    "baseline": other.value if other else None,
                    "naive_effect": other.naive_effect if other else None,
                    "effect": other.effect if other else None,
                    "effect_low": other.low if other else None,
                    "effect_high": other.high if other else None,
                    "p_value": other.p_value if other else None,
                    "q_value": None if len(compared) == 1 or np.isnan(q) else float(q),
                    **({"queue_group": self.queue_group} if self.queue_group else {}),
                }
            )
        frame = pl.DataFrame(rows, infer_schema_length=None)
        # What no group has (no comparison was asked for) is no column.
        kept = {*self.groups[0].group} if self.groups else set()
        return frame.select(name for name in frame.columns if name in kept or frame[name].null_count() < frame.height)

    def table(self) -> pl.DataFrame:
        """The same to be read: texts, rates in percent, with as many digits as in `Answer.lines`."""
        frame = self.frame()
        told: dict[str, list[str]] = {}
        for name in frame.columns:
            if name in (self.metric, "low", "high", "compared", "baseline") and name not in self.groups[0].group:
                told[name] = ["" if value is None else _told(value, self.unit) for value in frame[name]]
            elif name in ("naive_effect", "effect", "effect_low", "effect_high"):
                told[name] = ["" if value is None else _difference(value, self.unit) for value in frame[name]]
            elif name in ("p_value", "q_value"):
                told[name] = ["" if value is None else f"{value:.2g}" for value in frame[name]]
        aligned = {name: [each.rjust(max(map(len, texts))) for each in texts] for name, texts in told.items()}
        return frame.with_columns(pl.Series(name, texts) for name, texts in aligned.items())

    def notes(self) -> list[str]:
        """Notes of all groups, each with the groups that it is of."""
        of: dict[str, list[str]] = {}
        for answer in self.groups:
            for note in answer.notes:
                said = re.sub(r"^(Only )?[\d,]+ games?(?: of [\d,]+ match(?:es)?)?( (?:is|are))?", _of_several, note)
                of.setdefault(said, []).append(" ".join(map(_named, answer.group.items())))
        named = {note: ", ".join(groups[:5]) + (" and more" if len(groups) > 5 else "") for note, groups in of.items()}
        return [f"{groups}: {note}" for note, groups in named.items()]


def _named(of: tuple[str, Any]) -> str:
    return f"no {of[0]}" if of[1] is None else str(of[1])


def _of_several(found: re.Match[str]) -> str:
    return f"{'Few' if found[1] else 'Some'} games{' are' if found[2] else ''}"


def _games(count: int, matches: int | None = None) -> str:
    of = "" if matches in (None, count) else f" of {matches:,} match{'' if matches == 1 else 'es'}"
    return f"{count:,} game{'' if count == 1 else 's'}{of}"


def _games_are(count: int) -> str:
    return f"{_games(count)} {'is' if count == 1 else 'are'}"


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
        known = listed.collect()
        try:
            return ids_of_name(pl.concat([known, played.unique().collect()]).unique(), "champion_id", name)
        except UnknownNameError as error:
            if not known.is_empty():
                raise
            raise UnknownNameError(
                f"{error} Only the keys of champions that were played are known: ingest Data Dragon's champion.json "
                "with the matches, or fetch it: gamestats fetch lol"
            ) from None

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

    def bases(self, name: str) -> list[int]:
        """Ids of what turns into an item by itself, such as Manamune of Muramana; none of others.

        Raises:
            UnknownNameError: as of `item`.
        """
        turned = self._items.filter(pl.col("item_id").is_in(self.item(name))).get_column("transformed_from")
        return turned.drop_nulls().unique().sort().to_list()

    @cached_property
    def boots(self) -> list[int]:
        """Ids of all boots."""
        return self._items.filter(pl.col("kind") == "boots").get_column("item_id").to_list()

    @cached_property
    def _items(self) -> pl.DataFrame:
        wanted = ("item_id", "name", "name_ko", "kind", "transformed_from")
        return self._lake.scan(Items).select(wanted).unique().collect()


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

    Queues are not mixed unless the question does it. Where neither `queue` nor `where` nor `by` names the queue, the
    answer is for `USUAL_QUEUE`, or where there are no such games for the group with most of them.

    Args:
        lake: holds `lol.participant_features`.
        champion: name in any language at hand, or key.
        items: completed items, all of them; names in any language at hand, or ids.
        metric: one of `metrics()`, in capitals or not.
        position: TOP, JUNGLE, MIDDLE, BOTTOM or UTILITY.
        patch: such as 13.14.
        queue: group of queues, such as ranked_solo.
        in_order: whether the items must have been completed in the order given.
        where: further conditions, see `conditions.read_condition`. With items they narrow the games that are looked at,
            those of the baseline as well. Without, the parts about items (completed, in_order, core_item) are the
            question, or else what a team took first, and the rest narrows. Where there is neither, the games that do
            not meet the conditions are the baseline, as they are.
        by: columns to group by; `champion` is the champion's key.

    Raises:
        UnknownNameError: when a name is unknown.
        QuestionError: when an item or a column is named twice, or an order asked for of fewer than two items.
        ConditionError: when `where` cannot be read.
        NothingToAskError: when there are no rows.
    """
    aside = games_set_aside(lake)
    if lake.scan(ParticipantFeatures).head(1).collect().is_empty():
        landed = lake.scan(RawMatches).select(pl.col("match_id").n_unique()).collect().item()
        none_counts = f"Of {landed:,} that were brought none counts in statistics." if landed else ""
        why = aside or none_counts
        raise NothingToAskError(f"There are no games to ask about. {why}" if why else _NOTHING_YET)
    names = Names(lake)
    metric, by = metric.lower(), [name.lower() for name in by]
    column = _metric(metric)
    groups = _once([_group(name) for name in by], by, "column to group by")
    slice_, said = _slice(names, champion, position, patch)
    ids = _once([names.item(name) for name in items], items, "item")
    if in_order and len(ids) < 2:
        raise QuestionError(f"An order was asked for, which needs two items or more; found {len(ids)}.")
    known = _values(lake)
    asked = None
    if where is not None:
        if not where.strip():
            raise ConditionError("The condition is empty; say what is to hold, such as kills > 5, or leave it out.")
        most = lake.scan(ParticipantFeatures).select(pl.col("core_items").max()).collect().item()
        asked = read_condition(
            where,
            items=names.item,
            champions=names.champion,
            values=known,
            bases=names.bases,
            most_core_items=most,
        )
    every = pl.lit(value=True)
    treated, narrowed, first, took_first = (every if asked is None else asked.whole), every, None, True
    lacking = "did not have them all yet"
    if ids:
        treated, narrowed = completed(ids, in_order=in_order), treated
        lacking = "had not completed them in this order" if in_order else lacking
    elif asked is not None and asked.momentary is not None:
        treated, narrowed, ids = asked.momentary, asked.rest, [*asked.items]
        first, took_first = asked.first, asked.took_first
        lacking = lacking if asked.is_plain else "did not meet that"
    named = {*groups, *([] if asked is None else asked.whole.meta.root_names())}
    remark = ""
    if queue is not None:
        queue = _queue(queue, known("queue_group"))
    elif not named & {"queue_group", "queue_id"}:
        queue, remark = _usual_queue(lake, slice_)
    if queue is not None:
        slice_ &= pl.col("queue_group") == queue
        said += f" in {queue}"
    ordered = [patch_number(pl.col(name)) if name == "patch" else pl.col(name) for name in groups]
    rows = (
        lake.scan(ParticipantFeatures)
        .filter(slice_)
        .with_columns(
            __treated__=treated,
            __narrowed__=narrowed,
            __metric__=pl.col(column).cast(pl.Float64),
            __boots_at__=completed_at(names.boots) if ids else pl.lit(None, pl.Float64),
            __at__=pl.when(treated).then(pl.max_horizontal(completed_at(each) for each in ids) if ids else None),
        )
        .with_columns(
            __first_at__=pl.col(f"first_{first}_at_s") if first else pl.lit(None, pl.Float64),
            __gold_before__=pl.col(f"team_gold_diff_before_first_{first}") if first else pl.lit(None, pl.Float64),
        )
        .select([*dict.fromkeys([*groups, *_ASKED])])
        .sort(*ordered, "match_id", "participant_id")
        .collect()
    )
    if rows.is_empty():
        said = said.replace(_ALL_CHAMPIONS, "any champion")
        in_queue = pl.lit(value=True) if queue is None else pl.col("queue_group") == queue
        rest = _slice(names, champion, None, patch)[0] & in_queue
        there = _positions(lake, rest) if position is not None else ""
        told = [f"There are no games of {said}.", there or _what_there_is(lake), aside]
        raise NothingToAskError(" ".join(each for each in told if each))
    order = " in this order" if in_order and len(items) > 1 else ""
    what = [f"with {' and '.join(items)} completed{order}"] if items else []
    what += [f"where {where}"] if where else []
    called = {of: name for name, of in METRICS.items()}.get(column, column)
    question = " ".join([f"{called} of {said}", *what, *([f"by {', '.join(by)}"] if by else [])])
    is_rate = question_columns()[column] == pl.Boolean
    unit = "%" if is_rate else ""
    parts = rows.partition_by(groups, as_dict=True, maintain_order=True) if groups else {(): rows}
    if len(parts) > MOST_GROUPS:
        raise UnknownNameError(f"{', '.join(by)} has {len(parts):,} values, more than {MOST_GROUPS}; group by less.")
    compare = None
    later = [name for name in narrowed.meta.root_names() if name not in _KNOWN_BEFORE]
    # Nobody wrote the names of these columns.
    later = [*dict.fromkeys("items" if name.startswith(("completed_", "core_item_")) else name for name in later)]
    if ids:
        compare = functools.partial(_at_equal_state, lacking=lacking, later=later)
    elif first:
        compare = functools.partial(_at_the_first, first=first, took_first=took_first, later=later)
    elif where is not None:
        compare = _as_they_are
    answers = [_answer(dict(zip(by, key, strict=True)), part, column, compare) for key, part in parts.items()]
    kept = tuple(each for each in answers if each.games or not groups)
    return Answers(question, metric, unit, kept, None if "queue_group" in groups else queue, remark, aside)


def games_set_aside(lake: Lake) -> str:
    """Games that answers are not made from because something is wrong with them, in words; nothing without any."""
    return set_aside(lake, RawMatches, ParticipantFeatures).words("game", "games")


def _once(found: list[_T], said: Sequence[str], what: str) -> list[_T]:
    for number, one in enumerate(found):
        if one in found[:number]:
            twice = " and ".join(dict.fromkeys([said[found.index(one)], said[number]]))
            raise QuestionError(f"The same {what} is named twice: {twice}. Name each once.")
    return found


def _queue(text: str, known: Collection[str]) -> str:
    """The group of queues that is meant."""
    if text.strip().isdecimal():
        listed = queues().filter(pl.col("queue_id").cast(pl.String) == text.strip()).get_column("queue_group")
        advice = f" Queue {text} is of the group {listed[0]}: ask for that one." if len(listed) else ""
        raise UnknownNameError(f"Queues are asked for by their group, not by number: {text}.{advice}")
    return value_called("queue_group", text, known)


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


def _slice(names: Names, champion: str | None, position: str | None, patch: str | None) -> tuple[pl.Expr, str]:
    """The games that a question is about, whatever was done in them, and the same in words."""
    conditions = [pl.lit(value=True)]
    said = [champion or _ALL_CHAMPIONS]
    if champion is not None:
        conditions.append(pl.col("champion_id").is_in([*names.champion(champion)]))
    if position is not None:
        conditions.append(pl.col("position") == position_called(position))
        said.append(f"({position_called(position)})")
    if patch is not None:
        conditions.append(pl.col("patch") == patch)
        said.append(f"on patch {patch}")
    return pl.all_horizontal(conditions), " ".join(said)


def _values(lake: Lake) -> Callable[[str], Collection[str]]:
    """Values that a column of texts has."""

    def of(column: str) -> Collection[str]:
        there = lake.scan(ParticipantFeatures).select(pl.col(column).drop_nulls().unique()).collect().to_series()
        # A question about a queue that nobody played is a question all the same.
        return {*there, *(queues().get_column("queue_group") if column == "queue_group" else ())}

    return of


def _usual_queue(lake: Lake, slice_: pl.Expr) -> tuple[str | None, str]:
    """The queue group to answer for, and what there is beside it, in words."""
    counted = lake.scan(ParticipantFeatures).filter(slice_).group_by("queue_group").len().collect()
    games = dict(counted.sort(["len", "queue_group"], descending=[True, False]).iter_rows())
    if not games:
        return None, ""
    chosen = USUAL_QUEUE if USUAL_QUEUE in games else next(iter(games))
    others = ", ".join(f"{name} ({_games(count)})" for name, count in games.items() if name != chosen)
    return chosen, f"Only {chosen} is looked at; --queue asks for another: {others}." if others else ""


def _what_there_is(lake: Lake) -> str:
    rows = (
        lake.scan(ParticipantFeatures)
        .select(
            patches=pl.col("patch").unique().implode(),
            queues=pl.col("queue_group").unique().sort().str.join(", "),
        )
        .collect()
    )
    patches = ", ".join(in_order_of_patches(rows["patches"][0]))
    return f"There are patches {patches} and queues {rows['queues'][0]}." if rows.height else ""


def _positions(lake: Lake, slice_: pl.Expr) -> str:
    """The positions in which there are games, in words; nothing where there are none."""
    found = lake.scan(ParticipantFeatures).filter(slice_).drop_nulls("position").group_by("position").len().collect()
    told = [f"{name} ({_games(count)})" for name, count in found.sort("len", "position", descending=True).iter_rows()]
    return f"There are games of {', '.join(told)}." if told else ""


# --------------------------------------------------------------------------- answers


def _answer(group: Mapping[str, Any], rows: pl.DataFrame, metric: str, compare: _Compare | None) -> Answer:
    from gamestats_assets.lol.statistics.arrays.intervals import mean_interval, wilson

    is_rate = question_columns()[metric] == pl.Boolean
    known = rows.drop_nulls(["__treated__", "__narrowed__"])
    notes: list[str] = []
    if unknown := rows.height - known.height:
        notes.append(f"{_games_are(unknown)} left out: without a timeline, or as what is asked about did not happen.")
    met = known.filter(pl.col("__treated__") & pl.col("__narrowed__"))
    asked = met.drop_nulls("__metric__")
    if nulls := met.height - asked.height:
        notes.append(f"{_games_are(nulls)} left out: {metric} is not known of them.")
    if not asked.height:
        none = f"None of {_games(known.height)} meets the conditions." if known.height else "No game can be told of."
        return Answer(group, 0, 0, None, None, None, None, (none, *notes))
    values = asked.get_column("__metric__").to_numpy()
    matches = asked.get_column("match_id").n_unique()
    value: float = float(values.mean())
    if is_rate and (matches == len(values) or value in (0.0, 1.0)):
        # Where all are alike, resamples are too; matches of several such games tell as much as so many games do.
        rates = wilson([values.sum() * matches / len(values)], [matches])
        low, high = float(rates.low[0]), float(rates.high[0])
    elif len(values) > 1:
        ends = mean_interval(values, asked.get_column("match_id").rle_id().to_numpy())
        low, high = (None, None) if np.isnan(ends.low) else _possible(metric, ends.low, ends.high)
    else:
        low = high = None
    if matches < FEW_MATCHES:
        notes.append(f"Only {_games(asked.height, matches)}: too few to say much.")
    if metric == "won" and _is_half(asked):
        notes.append("Of every match as many winners as losers are counted: it is 50% by construction.")
    comparison = None
    if compare is not None:
        eligible = known.filter("__narrowed__").drop_nulls("__metric__").with_row_index("game")
        comparison, why = compare(eligible.with_columns(treated="__treated__"))
        notes += why
    return Answer(group, asked.height, matches, value, low, high, comparison, tuple(notes))


def _possible(metric: str, low: float, high: float) -> tuple[float, float]:
    """The part of an interval in which means of a metric can lie."""
    if question_columns()[metric] == pl.Boolean:
        return max(low, 0.0), min(high, 1.0)
    least, most = (getattr(ParticipantFeatures.columns()[metric], end, None) for end in ("min", "max"))
    return (low if least is None else max(low, float(least)), high if most is None else min(high, float(most)))


def _is_half(rows: pl.DataFrame) -> bool:
    """Whether half of the players of each match have won."""
    return rows.group_by("match_id").agg(pl.col("__metric__").mean()).get_column("__metric__").eq(0.5).all()


# --------------------------------------------------------------------------- comparisons


def _as_they_are(rows: pl.DataFrame) -> tuple[Comparison | None, list[str]]:
    """Games that meet conditions against those of their cells that do not, or why there is nothing to compare."""
    found, notes = _naive(_both_arms(_by_cell(rows)), f"{_OF_CELL} that do not meet the conditions")
    unadjusted = (
        "The difference is naive, not adjusted for the state of the game. At an equal state are compared: completed "
        "items (completed, in_order, core_item) and what a team took first, with or without further conditions by and."
    )
    return found, notes or [unadjusted]


def _at_the_first(
    rows: pl.DataFrame, *, first: str, took_first: bool, later: Sequence[str]
) -> tuple[Comparison | None, list[str]]:
    """Teams that took something first against those that did not, at an equal gold difference and time before it."""
    words = f"{_OF_CELL} whose team {'did not take' if took_first else 'took'} the first {first}"
    state, unknown = ("__gold_before__", "__first_at__"), "the gold difference at that moment is"
    return _at_state(_by_cell(rows), state, words, unknown, later)


def _at_equal_state(rows: pl.DataFrame, *, lacking: str, later: Sequence[str]) -> tuple[Comparison | None, list[str]]:
    """Games at the moment at which items were completed against those that had come as far, or why there are none."""
    trials, drawn = _trials(rows)
    # Where there are no positions there are no lanes, and nothing that could be unknown of them.
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
    """Both arms as they are, and at an equal state where there are games enough; or why there is nothing to compare.

    Args:
        rows: those whose state is not known are left out and counted, and so are strata with one arm alone.
        state: columns of the state.
        words: what the baseline is.
        unknown: what of the state may not be known, and the verb.
        later: columns that chose the games and may tell what came later.
    """
    from gamestats_assets.lol.statistics.arrays.regressions import Reason, compare_within

    eligible = _both_arms(rows)
    told = _both_arms(eligible.drop_nulls(state))
    without = eligible.filter(pl.any_horizontal(pl.col(*state).is_null())).join(told, on="game", how="anti")
    notes: list[str] = []
    if lost := without.get_column("game").n_unique():
        notes.append(f"{_games_are(lost)} in no comparison: {unknown} not known.")
    alone = rows.filter("treated").join(eligible.filter("treated"), on="game", how="anti").get_column("game").n_unique()
    if alone and eligible.height:
        notes.append(f"{_games_are(alone)} in no comparison: there is no other game of their cell to set them against.")
    naive, why = _naive(told, words)
    if naive is None:
        return None, [*notes, *why]
    found = compare_within(
        told.get_column("treated").to_numpy(),
        told.select(pl.col(name).cast(pl.Float64) for name in state).to_numpy(),
        told.get_column("__metric__").to_numpy(),
        told.get_column("match_id").rank("dense").to_numpy(),
        told.get_column("stratum").rank("dense").to_numpy() - 1,
        fewest_per_coefficient=_FEWEST_PER_COEFFICIENT,
    )
    if isinstance(found, Reason):
        return naive, [*notes, _NOT_COMPARED[found.name]]
    if later:
        chosen = f"{', '.join(later[:3])}{' and more' if len(later) > 3 else ''}"
        notes.append(f"Games of both sides were chosen by {chosen} too, which may tell what came after that moment.")
    return replace(naive, effect=found.effect, low=found.low, high=found.high, p_value=found.p_value), notes


def _both_arms(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the strata in which there are both arms."""
    return rows.filter(pl.col("treated").any().over("stratum") & ~pl.col("treated").all().over("stratum"))


def _naive(rows: pl.DataFrame, words: str) -> tuple[Comparison | None, list[str]]:
    """Both arms as they are, each stratum weighing as much as its treated rows do."""
    arms = {arm: part.get_column("game").n_unique() for (arm,), part in rows.group_by("treated")}
    if not (others := arms.get(False, 0)):
        return None, [f"There are no games {words}: nothing to compare with."]
    matches = rows.filter(~pl.col("treated")).get_column("match_id").n_unique()
    if matches < _FEWEST_COMPARED:
        return None, [f"Only {_games(others, matches)} {words}: too few to compare with."]
    mean = rows.group_by("stratum", maintain_order=True).agg(
        treated=pl.col("treated").sum(),
        value=pl.col("__metric__").filter("treated").mean(),
        base=pl.col("__metric__").filter(~pl.col("treated")).mean(),
    )
    weights = mean.get_column("treated").to_numpy()
    value, base = (float(np.average(mean.get_column(name).to_numpy(), weights=weights)) for name in ("value", "base"))
    return Comparison(arms[True], value, arms[False], base, value - base, None, None, None, None, words), []


def _trials(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Moments at which items were completed, and the same moments of games that had come as far without them.

    Returns:
        `game`, `match_id`, `position`, `__metric__`, `treated`, `stratum` (what is compared within), `at_s`, the gold
        differences last known by then, and `since_s`, how long before that was; and how many games were drawn for each
        moment, 0 where all that were eligible are there.
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
    # How long each game had so many core items: until the next one, the end, or what was asked for.
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
    """Some stages in which games completed the items, each with stages of others that were as far and running then.

    Returns:
        The stages, with `treated`, `moment` (number of the case, from 1) and `moment_s`; and how many were drawn for
        each case, 0 where none had to be.
    """
    parts: list[pl.DataFrame] = []
    # A draw is the same whenever it is made again: by the order of rows.
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
