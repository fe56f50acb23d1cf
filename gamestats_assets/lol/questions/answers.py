"""The answer to a question: values with their intervals, also in words and as a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl


@dataclass(frozen=True, slots=True)
class Comparison:
    """The requested games against their eligible baseline, in cells that contain both.

    Attributes:
        asked_games: number of requested games in those cells.
        asked_value: the metric's mean (or rate) in them.
        games: number of games of the baseline.
        value: the metric's mean in them, with each cell weighted by its requested games.
        naive_effect: `asked_value` minus `value`.
        effect: difference at an equal state of the game, with the same weights; None if no state is known or there are
            too few games.
        low: lower end of its interval.
        high: upper end.
        p_value: of the adjusted difference.
        baseline: the baseline in words.
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


_COMPARISON_COLUMNS: Mapping[str, str] = {
    "compared_games": "asked_games",
    "compared": "asked_value",
    "baseline_games": "games",
    "baseline": "value",
    "naive_effect": "naive_effect",
    "effect": "effect",
    "effect_low": "low",
    "effect_high": "high",
    "p_value": "p_value",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer for one group, or for all games without groups.

    Attributes:
        group: column to value.
        games: games of a player that meet the conditions.
        matches: matches of these.
        value: mean of the metric, or the rate of a boolean one.
        low: lower end of the 95% interval: Wilson's for a rate, a bootstrap over matches for a mean.
        high: upper end.
        comparison: comparison with the eligible baseline; None without a baseline or with too few games.
        notes: remarks for readers, such as few games or a missing baseline.
    """

    group: Mapping[str, Any]
    games: int
    matches: int
    value: float | None
    low: float | None
    high: float | None
    comparison: Comparison | None
    notes: tuple[str, ...] = ()

    def lines(self, unit: str) -> list[str]:
        """Returns the answer in words.

        Args:
            unit: "%" for a rate.
        """
        if self.value is None:
            return []
        mean = "" if unit == "%" else "Mean "
        between = _between(self.low, self.high, unit)
        sentences = [f"{mean}{_number(self.value, unit)}{between}, {count_games(self.games, self.matches)}."]
        if (other := self.comparison) is not None:
            sentences.append(
                f"Baseline: {_number(other.value, unit)} in {count_games(other.games)} {other.baseline}. Against it: "
                f"{count_games(other.asked_games)} with {_number(other.asked_value, unit)}: naively a difference of "
                f"{_difference(other.naive_effect, unit)}."
            )
            if other.effect is not None and other.p_value is not None:
                sentences.append(
                    f"At an equal state of the game: {_difference(other.effect, unit)}"
                    f"{_between(other.low, other.high, unit, _difference)}, p = {other.p_value:.2g}."
                )
        return sentences


@dataclass(frozen=True, slots=True)
class Answers:
    """The question in words, and the answer of each group.

    Attributes:
        unit: "%" if the metric is a rate, else empty.
        queue_group: the only group of queues in the answer; None if the question itself selects queues.
        remark: other queue groups with games, if the question did not select any.
        set_aside: games left out of all answers because of errors, in words; empty without any.
    """

    question: str
    metric: str
    unit: str
    groups: tuple[Answer, ...]
    queue_group: str | None = None
    remark: str = ""
    set_aside: str = ""

    def frame(self) -> pl.DataFrame:
        """Returns one row per group: its columns, `games`, `matches`, the metric, `low`, `high`, the comparison, queue.

        With several groups, `q_value` is the share of false finds among those up to it (Benjamini and Hochberg).
        """
        from gamestats_assets.lol.statistics.arrays.discovery_rate import q_values

        compared = [answer.comparison for answer in self.groups]
        q = q_values([np.nan if each is None or each.p_value is None else each.p_value for each in compared])
        rows: list[dict[str, Any]] = []
        for answer, other, of_group in zip(self.groups, compared, q, strict=True):
            row = {**answer.group, "games": answer.games, "matches": answer.matches, self.metric: answer.value}
            row |= {"low": answer.low, "high": answer.high}
            row |= {name: getattr(other, field, None) for name, field in _COMPARISON_COLUMNS.items()}
            row["q_value"] = None if len(compared) == 1 or np.isnan(of_group) else float(of_group)
            rows.append(row | ({"queue_group": self.queue_group} if self.queue_group else {}))
        frame = pl.DataFrame(rows, infer_schema_length=None)
        # Columns without any value (no comparison was requested) are left out.
        kept = {*self.groups[0].group} if self.groups else set()
        return frame.select(name for name in frame.columns if name in kept or frame[name].null_count() < frame.height)

    def table(self) -> pl.DataFrame:
        """Returns the same for readers: texts, rates in percent, with as many digits as in `Answer.lines`."""
        frame = self.frame()
        in_unit = dict.fromkeys((self.metric, "low", "high", "compared", "baseline"), _number)
        in_unit |= dict.fromkeys(("naive_effect", "effect", "effect_low", "effect_high"), _difference)
        in_unit |= dict.fromkeys(("p_value", "q_value"), lambda value, _: f"{value:.2g}")
        columns: list[pl.Series] = []
        for name in set(frame.columns) & set(in_unit) - set(self.groups[0].group if self.groups else ()):
            texts = ["" if value is None else in_unit[name](value, self.unit) for value in frame[name]]
            columns.append(pl.Series(name, [each.rjust(max(map(len, texts))) for each in texts]))
        return frame.with_columns(columns)

    def notes(self) -> list[str]:
        """Returns the notes of all groups, each with the groups it applies to."""
        of: dict[str, list[str]] = {}
        for answer in self.groups:
            for note in answer.notes:
                summary = re.sub(r"^(Only )?[\d,]+ games?(?: of [\d,]+ match(?:es)?)?( (?:is|are))?", _of_several, note)
                of.setdefault(summary, []).append(" ".join(map(_named, answer.group.items())))
        named = {note: ", ".join(groups[:5]) + (" and more" if len(groups) > 5 else "") for note, groups in of.items()}
        return [f"{groups}: {note}" for note, groups in named.items()]


def _named(of: tuple[str, Any]) -> str:
    return f"no {of[0]}" if of[1] is None else str(of[1])


def _of_several(found: re.Match[str]) -> str:
    return f"{'Few' if found[1] else 'Some'} games{' are' if found[2] else ''}"


def count_games(count: int, matches: int | None = None) -> str:
    matches_words = "" if matches in (None, count) else f" of {matches:,} match{'' if matches == 1 else 'es'}"
    return f"{count:,} game{'' if count == 1 else 's'}{matches_words}"


def games_are(count: int) -> str:
    return f"{count_games(count)} {'is' if count == 1 else 'are'}"


def _number(value: float, unit: str) -> str:
    return f"{100 * value:.1f}%" if unit == "%" else f"{value:,.2f}" if abs(value) < 100 else f"{value:,.1f}"


def _difference(value: float, unit: str) -> str:
    return f"{100 * value:+.1f} points" if unit == "%" else f"{value:+,.2f}" if abs(value) < 100 else f"{value:+,.1f}"


def _between(low: float | None, high: float | None, unit: str, write: Callable[[float, str], str] = _number) -> str:
    return "" if low is None or high is None else f" (95% interval {write(low, unit)} to {write(high, unit)})"
