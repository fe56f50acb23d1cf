"""States of users over time: counts, balances and properties that events change, for many users at once.

Rows are by user and then in time, so the state at a row is what the user's last change left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from gamestats_assets.demo_data.generator.columns import Array, numbers, rounded


def begins(*keys: Array) -> Array:
    """Returns whether each row is the first with its keys; equal keys are adjacent."""
    first = np.ones(keys[0].size, bool)
    if first.size:
        first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return first


def places(*keys: Array) -> Array:
    """Returns the place of each row among those with its keys; equal keys are adjacent."""
    rows = np.arange(keys[0].size)
    return rows - np.maximum.accumulate(np.where(begins(*keys), rows, 0))


def running_count(group: Array, moves: Array, start: Array, most: float | None) -> tuple[Array, Array]:
    """Returns a count per group, before and after each move; it never falls below zero, and stops at `most`.

    Args:
        group: group whose count each row moves; a group's rows are in order of time.
        start: first count of each row's group.
    """
    frame = pl.DataFrame({"group": group, "move": moves, "start": start}, nan_to_null=True)
    total = pl.col("start") + pl.col("move").cum_sum().over("group")
    after = _never_negative(total, "group")
    if most is not None:
        after = pl.min_horizontal(after, pl.max_horizontal(pl.lit(most), "start"))
    found = frame.with_columns(after=after).with_columns(
        before=pl.col("after").shift(1).over("group").fill_null(pl.col("start"))
    )
    return found["before"].to_numpy(), found["after"].to_numpy()


def _never_negative(total: pl.Expr, group: str) -> pl.Expr:
    """Returns a running total held at zero: what would go below is not taken."""
    return total - total.cum_min().over(group).clip(upper_bound=0)


class Gathering:
    """Things that users gather and remove again, such as those in a cart: the latest goes first.

    Args:
        user: user of every row of the chunk.
        adds, takes, ends: rows that add a thing, that remove the latest one, and after which none is left.
    """

    def __init__(self, user: Array, adds: Array, takes: Array, ends: Array) -> None:
        rows = np.concatenate([adds, takes, ends])
        move = np.repeat([1.0, -1.0, 0.0], [adds.size, takes.size, ends.size])
        order = np.argsort(rows, kind="stable")
        self._user, self._rows, self._move = user, rows[order], move[order]
        group = np.cumsum(begins(user[self._rows]) | (self._move == 0))
        before, after = running_count(group, self._move, np.zeros(rows.size), None)
        self._before, self._after = before.astype(np.int64), after.astype(np.int64)

    def idle(self) -> Array:
        """Returns rows that would remove a thing when there is none."""
        return self._rows[(self._move < 0) & (self._before == 0)]

    def there(self, rows: Array, *, before: bool = False) -> tuple[Array, Array]:
        """Returns the things present after or before rows: places among the rows, and the adding rows, oldest first."""
        at, known = latest(self._user, self._rows, rows, before=before)
        count = np.zeros(rows.size, np.int64)
        count[known] = self._after[at[known]]
        which = np.repeat(np.arange(rows.size), count)
        return which, self._added(at[which], places(which) + 1)

    def taken(self, rows: Array) -> Array:
        """Returns for each removing row the row that added the thing; -1 if there was none."""
        at = np.searchsorted(self._rows, rows)
        depth = self._before[at]
        return np.where(depth > 0, self._added(at, depth), -1)

    def _added(self, at: Array, depth: Array) -> Array:
        """Returns the latest row, up to a place, that added the first thing, the second, ..."""
        found = np.empty(at.size, np.int64)
        for level in np.unique(depth):
            own = depth == level
            adds = np.where((self._move > 0) & (self._after == level), np.arange(self._rows.size), 0)
            found[own] = self._rows[np.maximum.accumulate(adds)[at[own]]] if adds.size else 0
        return found


def latest(user: Array, made: Array, rows: Array, *, before: bool) -> tuple[Array, Array]:
    """Returns for each row the latest of some ordered rows, up to or before it: its place, and whether it exists.

    Args:
        user: user of every row of the chunk; only rows of the same user count.
    """
    at = np.searchsorted(made, rows, side="left" if before else "right") - 1
    known = at >= 0
    known[known] = user[made[at[known]]] == user[rows[known]]
    return at, known


@dataclass(frozen=True, slots=True)
class State:
    """One state, with its value after each change.

    Attributes:
        user: user of every row of the chunk.
        rows: rows that change it, in order.
        values: after each change.
        initial: by user, the value before the first change; null if unknown.
    """

    user: Array
    rows: Array
    values: pl.Series
    initial: pl.Series

    def at(self, rows: Array, *, before: bool = False) -> pl.Series:
        """Returns the state after each of these rows, including their own changes, or before them."""
        place, known = latest(self.user, self.rows, rows, before=before)
        pool = pl.concat([self.values, self.initial])
        return pool.gather(np.where(known, place, self.values.len() + self.user[rows]).astype(np.uint32))


def running_state(
    user: Array,
    rows: Array,
    kinds: Array,
    values: pl.Series,
    initial: pl.Series,
    *,
    negative: bool = False,
    decimals: int = 0,
    most: float | None = None,
) -> State:
    """Returns a state from its changes.

    Args:
        user: user of every row of the chunk.
        rows: rows that change it, in order.
        kinds: kind of each change: `increment`, `decrement`, `set` or `set_once`; only numbers are added to.
        initial: first value, by user.
        negative: whether it may fall below zero.
        most: limit of increments.
    """
    numeric = values.dtype.is_numeric()
    once = kinds == "set_once"
    if once.any():
        first = begins(user[rows])
        if not numeric:
            first &= initial.is_null().to_numpy()[user[rows]]
        kept = ~once | first
        rows, kinds, values = rows[kept], kinds[kept], values.filter(pl.Series(kept))
    if not numeric:
        return State(user, rows, values, initial)
    moves, start = numbers(values), numbers(initial)
    sets = (kinds == "set") | (kinds == "set_once")
    new_user = begins(user[rows])
    # Between two settings a state is a running total since the first of them.
    frame = pl.DataFrame(
        {
            "stretch": np.cumsum(sets | new_user),
            "base": np.where(sets, moves, np.where(new_user, start[user[rows]], 0.0)),
            "move": np.where(sets, 0.0, np.where(kinds == "decrement", -moves, moves)),
        }
    )
    total = pl.col("base").first().over("stretch") + pl.col("move").cum_sum().over("stretch")
    becomes = frame.select(total if negative else _never_negative(total, "stretch")).to_series().to_numpy()
    becomes = becomes if most is None else np.minimum(becomes, most)
    return State(user, rows, *(rounded(np.nan_to_num(found), decimals) for found in (becomes, start)))
