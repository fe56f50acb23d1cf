"""States of users over time: counts, balances and properties that events change, for many users at once.

Rows are by user and then in time, so what a state is at a row is what the last change of the same user left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from gamestats_assets.demo_data.generator.columns import Array


def running_count(group: Array, moves: Array, start: Array, most: float | None) -> tuple[Array, Array]:
    """A count per group, before and after each move; it never falls below zero, and stops at `most`.

    Args:
        group: whose count each row moves; a group's rows stand in time order.
        start: of each row, where its group's count begins.
    """
    frame = pl.DataFrame({"group": group, "move": moves, "start": start})
    total = pl.col("start") + pl.col("move").cum_sum().over("group")
    after = frame.select(_never_negative(total, "group")).to_series().to_numpy()
    if most is not None:
        after = np.minimum(after, np.maximum(most, start))
    before = (
        pl.DataFrame({"group": group, "after": after, "start": start})
        .select(pl.col("after").shift(1).over("group").fill_null(pl.col("start")))
        .to_series()
        .to_numpy()
    )
    return before, after


def _never_negative(total: pl.Expr, group: str) -> pl.Expr:
    """A running total that is held at zero: what would have gone below is not taken."""
    return total - total.cum_min().over(group).clip(upper_bound=0)


class Gathering:
    """Things that users gather and lay down again, such as those in a cart: the latest one goes first.

    Args:
        user: of every row of the chunk.
        adds, takes, ends: rows that add a thing, take the latest one away, and after which none is left.
    """

    def __init__(self, user: Array, adds: Array, takes: Array, ends: Array) -> None:
        rows = np.concatenate([adds, takes, ends])
        move = np.repeat([1.0, -1.0, 0.0], [adds.size, takes.size, ends.size])
        order = np.argsort(rows, kind="stable")
        self._user, self._rows, self._move = user, rows[order], move[order]
        new = np.ones(rows.size, bool)
        new[1:] = user[self._rows[1:]] != user[self._rows[:-1]]
        group = np.cumsum(new | (self._move == 0))
        before, after = running_count(group, self._move, np.zeros(rows.size), None)
        self._before, self._after = before.astype(np.int64), after.astype(np.int64)

    def idle(self) -> Array:
        """Rows that would take something away where nothing is."""
        return self._rows[(self._move < 0) & (self._before == 0)]

    def there(self, rows: Array, *, before: bool = False) -> tuple[Array, Array]:
        """What is there after some rows, or before them: places among the rows, and rows that added, oldest first."""
        at = np.searchsorted(self._rows, rows, side="left" if before else "right") - 1
        known = at >= 0
        known[known] = self._user[self._rows[at[known]]] == self._user[rows[known]]
        count = np.zeros(rows.size, np.int64)
        count[known] = self._after[at[known]]
        which = np.repeat(np.arange(rows.size), count)
        depth = np.arange(which.size) - np.repeat(np.cumsum(count) - count, count) + 1
        return which, self._added(at[which], depth)

    def taken(self, rows: Array) -> Array:
        """By row that takes something away, the row that had added it; -1 where nothing was."""
        at = np.searchsorted(self._rows, rows)
        depth = self._before[at]
        return np.where(depth > 0, self._added(at, depth), -1)

    def _added(self, at: Array, depth: Array) -> Array:
        """The latest row, up to a place, that added the first thing, the second, ..."""
        found = np.empty(at.size, np.int64)
        for level in np.unique(depth):
            own = depth == level
            adds = np.where((self._move > 0) & (self._after == level), np.arange(self._rows.size), 0)
            found[own] = self._rows[np.maximum.accumulate(adds)[at[own]]] if adds.size else 0
        return found


_NOTHING = ('""', "[]", "null")


@dataclass(frozen=True, slots=True)
class State:
    """One state: what it was before and after each change.

    Attributes:
        user: of every row of the chunk.
        rows: rows that change it, in order.
        was, becomes: numbers before and after; NaN of texts.
        texts: JSON after each change, of what is no number.
        initial: by user, the number before the first change.
        initial_texts: by user, JSON before the first change, of what is no number.
    """

    user: Array
    rows: Array
    was: Array
    becomes: Array
    texts: pl.Series | None
    initial: Array
    decimals: int
    initial_texts: pl.Series | None = None

    def after(self, rows: Array) -> Array:
        """The number after each of some rows, its own change included."""
        return self._at(rows, "right")

    def before(self, rows: Array) -> Array:
        """The number before each of some rows."""
        return self._at(rows, "left")

    def _last_change(self, rows: Array, side: str) -> tuple[Array, Array]:
        place = np.searchsorted(self.rows, rows, side=side) - 1  # type: ignore[call-overload]
        known = place >= 0
        known[known] = self.user[self.rows[place[known]]] == self.user[rows[known]]
        return place, known

    def _at(self, rows: Array, side: str) -> Array:
        place, known = self._last_change(rows, side)
        values = self.initial[self.user[rows]].copy()
        values[known] = self.becomes[place[known]]
        return values

    def known_texts(self) -> pl.Series:
        """By user, JSON before the first change; null where nothing was known then."""
        assert self.initial_texts is not None
        return self.initial_texts.set(self.initial_texts.is_in(list(_NOTHING)), None)

    def texts_after(self, rows: Array) -> pl.Series:
        """JSON after each of some rows."""
        assert self.texts is not None
        assert self.initial_texts is not None
        place, known = self._last_change(rows, "right")
        pool = pl.concat([self.texts, self.initial_texts])
        return pool.gather(np.where(known, place, self.texts.len() + self.user[rows]).astype(np.uint32))


def running_state(
    *,
    user: Array,
    rows: Array,
    kinds: Array,
    values: Array | None,
    texts: pl.Series | None,
    negative: bool,
    initial: Array,
    decimals: int,
    most: float | None = None,
    initial_texts: pl.Series | None = None,
) -> State:
    """A state from its changes.

    Args:
        user: of every row of the chunk.
        rows: rows that change it, in order.
        kinds: `increment`, `decrement`, `set` or `set_once` for each.
        values: numbers; None of texts.
        negative: whether it may fall below zero.
        initial: by user.
        most: where what is only ever added to stops.
        initial_texts: by user, of what is no number.
    """
    once = kinds == "set_once"
    if once.any():
        first = np.ones(rows.size, bool)
        first[1:] = user[rows[1:]] != user[rows[:-1]]
        if initial_texts is not None:
            first &= initial_texts.is_in(list(_NOTHING)).to_numpy()[user[rows]]
        kept = ~once | first
        rows, kinds = rows[kept], kinds[kept]
        values = values[kept] if values is not None else None
        texts = texts.filter(pl.Series(kept)) if texts is not None else None
    if values is None:
        unknown = np.full(rows.size, np.nan)
        found = texts if texts is not None else pl.Series([], dtype=pl.String)
        return State(user, rows, unknown, unknown, found, initial, 0, initial_texts)
    whose = user[rows]
    sets = (kinds == "set") | (kinds == "set_once")
    new_user = np.ones(rows.size, bool)
    new_user[1:] = whose[1:] != whose[:-1]
    # Between two settings a state is a running total of what was added since the first of them.
    stretch = np.cumsum(sets | new_user)
    begins = np.where(sets, values, np.where(new_user, initial[whose], 0.0))
    base = pl.Series(begins)
    moves = np.where(sets, 0.0, np.where(kinds == "decrement", -values, values))
    frame = pl.DataFrame({"stretch": stretch, "base": base, "move": moves})
    total = pl.col("base").first().over("stretch") + pl.col("move").cum_sum().over("stretch")
    becomes = frame.select(total if negative else _never_negative(total, "stretch")).to_series().to_numpy()
    becomes = np.round(becomes if most is None else np.minimum(becomes, most), decimals)
    was = np.empty(rows.size)
    was[1:] = becomes[:-1]
    was[new_user] = initial[whose[new_user]]
    return State(user, rows, was, becomes, None, initial, decimals)
