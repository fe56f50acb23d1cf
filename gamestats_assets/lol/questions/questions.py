"""Questions with several conditions: the mean of a metric, its interval, and the comparison with an eligible baseline.

    ask(lake, champion="Ezreal", items=["Trinity Force", "Muramana"], metric="dpm")

Games are compared within a cell: the same champion, position, patch and queue group. Cells with games of one side only
are ignored. Games that completed items are compared with **games that had come as far**:

- If the last item needed is a core item: at the completion of as many core items, games in which the items had just
  been completed are compared with games that did not have all of them yet.
- If it is the first boots: likewise at the completion of the first boots, with as many core items.
- If it is a transformation: at the moment of its completion, each such game is compared with games that were still
  running, with as many core items, without having completed all of the items yet.

All comparisons are at equal gold differences and time. `completed`, `in_order` and `core_item` in a condition name
items as well; other conditions joined by and narrow the games of both sides. Without items, teams that took an
objective first (`team_first_dragon`) are compared with teams that did not, at the gold difference just before it and
its time. Other conditions have no such moment, so their difference stays naive, and the answer says so.

Both differences describe the requested games: each cell is weighted by its requested games. As in a sequence of trials,
a game can be in the baseline at one moment and among the requested games later (later events never decide who is
compared), so errors are clustered by match.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.delta.set_aside import set_aside
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lol.matches.tables import ParticipantFeatures
from gamestats_assets.lol.questions.answers import Answer, Answers, count_games, games_are
from gamestats_assets.lol.questions.comparisons import ASKED, Compare, as_they_are, at_equal_state, at_the_first
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
from gamestats_assets.lol.questions.names import Names
from gamestats_assets.lol.reference.csv_files import queues
from gamestats_assets.lol.reference.items import UnknownNameError
from gamestats_assets.lol.reference.versions import patch_number
from gamestats_assets.lol.timelines.tables import RawMatches

FEW_MATCHES = 30
"""Number of matches below which an answer adds a note."""
MOST_GROUPS = 200
METRICS: Mapping[str, str] = {"win_rate": "won", "deaths_per_game": "deaths", "kills_per_game": "kills"}
"""Aliases of metrics."""
USUAL_QUEUE = "ranked_solo"
"""Queue group of answers if none is requested and it has games."""
_KNOWN_BEFORE = frozenset(
    """
    match_id match_date participant_id puuid riot_id team_id subteam_id champion_id champion_key position
    opponent_participant_id keystone_id summoner1_id summoner2_id patch queue_id queue_group platform_id has_timeline
    held_out
    """.split()  # noqa: SIM905
)
"""Columns that are known when a game begins, or do not depend on its course."""
_NOTHING_YET = (
    "There are no games to ask about yet. Add match and timeline files and build the tables: gamestats ingest lol "
    "PATH, then gamestats materialize"
)
_T = TypeVar("_T")
_ALL_CHAMPIONS = "all champions"


class NothingToAskError(GamestatsError):
    """There are no rows to query, because nothing was materialised."""


class QuestionError(GamestatsError):
    """A question contains a duplicate or an unusable part."""


def metrics() -> dict[str, str]:
    """Returns each metric with its description."""
    descriptions = ParticipantFeatures.descriptions()
    numeric = {
        name: descriptions[name]
        for name, dtype in question_columns().items()
        if (dtype.is_numeric() or dtype == pl.Boolean) and not name.endswith("_id")
    }
    return {**numeric, **{other: descriptions[name] for other, name in METRICS.items()}}


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
    """Returns the mean of a metric over the games that meet every condition, with its interval and the eligible
    baseline.

    Queues are not mixed unless the question does so. If neither `queue` nor `where` nor `by` names the queue, the
    answer is for `USUAL_QUEUE`, or without such games for the group with most of them.

    Args:
        lake: lake with `lol.participant_features`.
        champion: key, or name in any available language.
        items: completed items, all required; ids, or names in any available language.
        metric: one of `metrics()`, in any case.
        position: TOP, JUNGLE, MIDDLE, BOTTOM or UTILITY.
        patch: such as 13.14.
        queue: group of queues, such as ranked_solo.
        in_order: whether the items must have been completed in the order given.
        where: further conditions, see `conditions.read_condition`. With `items` they narrow all games, including the
            baseline. Without, the parts about items (completed, in_order, core_item), or else about a first objective,
            are the question, and the others narrow the games. Without either, the games that do not meet the conditions
            are the baseline, as they are.
        by: columns to group by; `champion` is the champion's key.

    Raises:
        UnknownNameError: if a name is unknown.
        QuestionError: if an item or a column is named twice, or an order is requested for fewer than two items.
        ConditionError: if `where` cannot be read.
        NothingToAskError: if there are no rows.
    """
    aside = games_set_aside(lake)
    if lake.scan(ParticipantFeatures).head(1).collect().is_empty():
        landed = lake.scan(RawMatches).select(pl.col("match_id").n_unique()).collect().item()
        none_counts = f"None of the {landed:,} landed matches counts in statistics." if landed else ""
        why = aside or none_counts
        raise NothingToAskError(f"There are no games to ask about. {why}" if why else _NOTHING_YET)
    names = Names(lake)
    metric, by = metric.lower(), [name.lower() for name in by]
    column = _metric(metric)
    groups = _once([_group(name) for name in by], by, "column to group by")
    slice_, games = _slice(names, champion, position, patch)
    ids = _once([names.item(name) for name in items], items, "item")
    if in_order and len(ids) < 2:
        raise QuestionError(f"An order needs two items or more; found {len(ids)}.")
    asked = None
    if where is not None:
        if not where.strip():
            raise ConditionError("The condition is empty; enter one, such as kills > 5, or leave it out.")
        asked = read_condition(where, names)
    every = pl.lit(value=True)
    treated, narrowed, first, took_first = (every if asked is None else asked.whole), every, None, True
    lacking = "did not have all of them yet"
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
        queue = _queue(queue, names.values("queue_group"))
    elif not named & {"queue_group", "queue_id"}:
        queue, remark = _usual_queue(lake, slice_)
    if queue is not None:
        slice_ &= pl.col("queue_group") == queue
        games += f" in {queue}"
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
        .select([*dict.fromkeys([*groups, *ASKED])])
        .sort(*ordered, "match_id", "participant_id")
        .collect()
    )
    if rows.is_empty():
        games = games.replace(_ALL_CHAMPIONS, "any champion")
        in_queue = pl.lit(value=True) if queue is None else pl.col("queue_group") == queue
        rest = _slice(names, champion, None, patch)[0] & in_queue
        positions = _positions(lake, rest) if position is not None else ""
        reasons = [f"There are no games of {games}.", positions or _what_there_is(lake), aside]
        raise NothingToAskError(" ".join(each for each in reasons if each))
    order = " in this order" if in_order and len(items) > 1 else ""
    further_words = [f"with {' and '.join(items)} completed{order}"] if items else []
    further_words += [f"where {where}"] if where else []
    called = {of: name for name, of in METRICS.items()}.get(column, column)
    question = " ".join([f"{called} of {games}", *further_words, *([f"by {', '.join(by)}"] if by else [])])
    is_rate = question_columns()[column] == pl.Boolean
    unit = "%" if is_rate else ""
    parts = rows.partition_by(groups, as_dict=True, maintain_order=True) if groups else {(): rows}
    if len(parts) > MOST_GROUPS:
        raise UnknownNameError(f"{', '.join(by)} has {len(parts):,} values, more than {MOST_GROUPS}; group by less.")
    compare = None
    later = [name for name in narrowed.meta.root_names() if name not in _KNOWN_BEFORE]
    # Users do not know the generated columns of completed items, so notes call them items.
    later = [*dict.fromkeys("items" if name.startswith(("completed_", "core_item_")) else name for name in later)]
    if ids:
        compare = functools.partial(at_equal_state, lacking=lacking, later=later)
    elif first:
        compare = functools.partial(at_the_first, first=first, took_first=took_first, later=later)
    elif where is not None:
        compare = as_they_are
    answers = [_answer(dict(zip(by, key, strict=True)), part, column, compare) for key, part in parts.items()]
    kept = tuple(each for each in answers if each.games or not groups)
    return Answers(question, metric, unit, kept, None if "queue_group" in groups else queue, remark, aside)


def games_set_aside(lake: Lake) -> str:
    """Returns games left out of answers because of errors, in words; empty without any."""
    return set_aside(lake, RawMatches, ParticipantFeatures).words("game", "games")


def _once(found: list[_T], texts: Sequence[str], what: str) -> list[_T]:
    for number, one in enumerate(found):
        if one in found[:number]:
            twice = " and ".join(dict.fromkeys([texts[found.index(one)], texts[number]]))
            raise QuestionError(f"The same {what} is named twice: {twice}. Name each once.")
    return found


def _queue(text: str, known: Collection[str]) -> str:
    """Returns the requested group of queues."""
    if text.strip().isdecimal():
        listed = queues().filter(pl.col("queue_id").cast(pl.String) == text.strip()).collect().get_column("queue_group")
        advice = f" Queue {text} is in the group {listed[0]}: use that one." if len(listed) else ""
        raise UnknownNameError(f"Queues are named by their group, not by number: {text}.{advice}")
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
    """Returns the games that a question is about, before conditions on their course, and the same in words."""
    conditions = [pl.lit(value=True)]
    words = [champion or _ALL_CHAMPIONS]
    if champion is not None:
        conditions.append(pl.col("champion_id").is_in([*names.champion(champion)]))
    if position is not None:
        conditions.append(pl.col("position") == position_called(position))
        words.append(f"({position_called(position)})")
    if patch is not None:
        conditions.append(pl.col("patch") == patch)
        words.append(f"on patch {patch}")
    return pl.all_horizontal(conditions), " ".join(words)


def _usual_queue(lake: Lake, slice_: pl.Expr) -> tuple[str | None, str]:
    """Returns the queue group to answer for, and the other queue groups with games, in words."""
    counted = lake.scan(ParticipantFeatures).filter(slice_).group_by("queue_group").len().collect()
    games = dict(counted.sort(["len", "queue_group"], descending=[True, False]).iter_rows())
    if not games:
        return None, ""
    chosen = USUAL_QUEUE if USUAL_QUEUE in games else next(iter(games))
    others = ", ".join(f"{name} ({count_games(count)})" for name, count in games.items() if name != chosen)
    return chosen, f"Only {chosen} is used; --queue selects another: {others}." if others else ""


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
    """Returns the positions with games, in words; empty without any."""
    found = lake.scan(ParticipantFeatures).filter(slice_).drop_nulls("position").group_by("position").len().collect()
    positions = [
        f"{name} ({count_games(count)})" for name, count in found.sort("len", "position", descending=True).iter_rows()
    ]
    return f"There are games of {', '.join(positions)}." if positions else ""


# --------------------------------------------------------------------------- answers


def _answer(group: Mapping[str, Any], rows: pl.DataFrame, metric: str, compare: Compare | None) -> Answer:
    from gamestats_assets.lol.statistics.arrays.intervals import mean_interval, wilson

    is_rate = question_columns()[metric] == pl.Boolean
    known = rows.drop_nulls(["__treated__", "__narrowed__"])
    notes: list[str] = []
    if unknown := rows.height - known.height:
        notes.append(f"{games_are(unknown)} left out: they have no timeline, or the event in question did not happen.")
    met = known.filter(pl.col("__treated__") & pl.col("__narrowed__"))
    asked = met.drop_nulls("__metric__")
    if nulls := met.height - asked.height:
        notes.append(f"{games_are(nulls)} left out: {metric} is unknown.")
    if not asked.height:
        none = (
            f"None of {count_games(known.height)} meets the conditions."
            if known.height
            else "No game can be evaluated."
        )
        return Answer(group, 0, 0, None, None, None, None, (none, *notes))
    values = asked.get_column("__metric__").to_numpy()
    matches = asked.get_column("match_id").n_unique()
    value: float = float(values.mean())
    if is_rate and (matches == len(values) or value in (0.0, 1.0)):
        # If all values are equal, so are all resamples, and each match counts as one game.
        rates = wilson([values.sum() * matches / len(values)], [matches])
        low, high = float(rates.low[0]), float(rates.high[0])
    elif len(values) > 1:
        ends = mean_interval(values, asked.get_column("match_id").rle_id().to_numpy())
        low, high = (None, None) if np.isnan(ends.low) else _possible(metric, ends.low, ends.high)
    else:
        low = high = None
    if matches < FEW_MATCHES:
        notes.append(f"Only {count_games(asked.height, matches)}: too few for reliable values.")
    if metric == "won" and _is_half(asked):
        notes.append("Every match contributes as many winners as losers, so this is 50% by construction.")
    comparison = None
    if compare is not None:
        eligible = known.filter("__narrowed__").drop_nulls("__metric__").with_row_index("game")
        comparison, why = compare(eligible.with_columns(treated="__treated__"))
        notes += why
    return Answer(group, asked.height, matches, value, low, high, comparison, tuple(notes))


def _possible(metric: str, low: float, high: float) -> tuple[float, float]:
    """Returns the part of an interval that means of a metric can reach."""
    if question_columns()[metric] == pl.Boolean:
        return max(low, 0.0), min(high, 1.0)
    least, most = (getattr(ParticipantFeatures.columns()[metric], end, None) for end in ("min", "max"))
    return (low if least is None else max(low, float(least)), high if most is None else min(high, float(most)))


def _is_half(rows: pl.DataFrame) -> bool:
    """Whether half of the players of each match won."""
    return rows.group_by("match_id").agg(pl.col("__metric__").mean()).get_column("__metric__").eq(0.5).all()
