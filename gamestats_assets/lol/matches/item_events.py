"""Item actions of participants and the items they held: a state machine over a timeline's item events.

Its only inputs are the timeline and the items' properties. Timelines record item actions as follows:

- The components of a purchase are destroyed just before it, at the same millisecond. A purchase that destroys its own
  item is used at once, like elixirs.
- An undo reverts the latest purchase or sale that is not yet undone, together with the destroyed components. Some undos
  (of a free trinket, of tier 3 boots) name no previous item, or no item at all.
- An item that transforms is only recorded as destroyed. It transforms if its original item was bought or cannot be
  bought.
- An item that is neither consumed nor transforms is not lost if it is destroyed without a purchase: the items of Viego
  when he takes another body (all at once, and later all of the other champion's), and a trinket while the Eye of the
  Herald lies in its slot. It is set aside, and so is everything destroyed together with it. Exception: a single
  completed item that is destroyed alone, of a participant without other such losses, was upgraded by an ally's forge.
- An item that is destroyed or sold without a purchase was given by a rune, a champion or the map.

All participants are processed at once, as columns ordered by participant and event. Undos are matched like closing
brackets with opening ones, by depth. The number held of an item is its purchases minus its losses, never below zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.lol.matches.game_state import in_seconds
from gamestats_assets.lol.matches.tables import ITEM_ACTIONS, ItemEvents, Matches
from gamestats_assets.lol.reference.items import standing_items
from gamestats_assets.lol.reference.tables import Items
from gamestats_assets.lol.timelines.tables import TimelineEvents

_TYPES = ("ITEM_PURCHASED", "ITEM_SOLD", "ITEM_DESTROYED", "ITEM_UNDO")
_BUY, _SELL, _DESTROY, _UNDO = range(4)
_TRANSFORM, _SET_ASIDE = (ITEM_ACTIONS.index(action) for action in ("transformed", "set_aside"))
_NEVER = -1
_AT_ONCE = 200_000

_Numbers = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]


def item_events(
    events: dy.LazyFrame[TimelineEvents], matches: dy.LazyFrame[Matches], items: dy.LazyFrame[Items]
) -> dy.LazyFrame[ItemEvents]:
    """Returns one row per purchase, sale, destruction and undo of a participant, with the time until which its item was
    held.

    Without a list of items no transformation is known, and every destroyed item counts as lost.
    """
    versions = matches.select("match_id", "data_dragon_version").with_row_index("match_number")
    rows = (
        events.filter(pl.col("event_type").is_in(_TYPES) & (pl.col("participant_id") >= 1))
        .select(
            "match_id",
            "match_date",
            "event_index",
            "participant_id",
            "timestamp_ms",
            "event_type",
            *(pl.col(name).fill_null(0).clip(0) for name in ("item_id", "before_id", "after_id")),
        )
        .join(versions, on="match_id")
        .join(_fates(items, versions), on=["data_dragon_version", "item_id"], how="left")
        .sort("match_number", "participant_id", "event_index")
        .collect()
    )
    with ThreadPoolExecutor() as pool:
        made = pool.map(lambda part: ItemEvents.cast(_Machine(part).result()), _parts(rows))
        return ItemEvents.cast(pl.concat(made).lazy())


def _parts(events: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yields the rows in parts of whole matches, which bounds memory."""
    numbers = events["match_number"].to_numpy()
    starts = np.unique(np.searchsorted(numbers, numbers[::_AT_ONCE])).tolist() or [0]
    for start, end in pairwise([*starts, events.height]):
        yield events[start:end]


def _fates(items: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the meaning of an item's destruction, by version and item.

    Columns: `is_lasting`, whether it is never lost without a purchase; `is_trinket`; `becomes`, the item it transforms
    into; `forged`, its upgrade by an ally's forge, both null if ambiguous; `began_as`, the item that must have been
    bought before it can transform, 0 if that one cannot be bought.
    """
    item_key = ["data_dragon_version", "item_id"]
    listed = standing_items(items, versions)

    def made_of(column: str, name: str) -> pl.LazyFrame:
        made = listed.drop_nulls(column).group_by("data_dragon_version", pl.col(column).alias("made_of"))
        of_one = made.agg(pl.len(), pl.col("item_id").first().alias(name)).filter(pl.col("len") == 1)
        return of_one.select("data_dragon_version", name, item_id="made_of")

    parents = listed.select(*item_key, parent="transformed_from")
    # Support items transform twice.
    origins = parents.join(
        parents.rename({"item_id": "parent", "parent": "grandparent"}), on=["data_dragon_version", "parent"], how="left"
    ).select(*item_key, began_as=pl.coalesce("grandparent", "parent", "item_id"))
    gold = listed.select("data_dragon_version", began_as="item_id", began_gold="gold_total")
    return (
        listed.select(*item_key, is_trinket=pl.col("kind") == "trinket", is_lasting=~pl.col("goes_by_itself"))
        .join(made_of("transformed_from", "becomes"), on=item_key, how="left")
        .join(made_of("upgraded_from", "forged"), on=item_key, how="left")
        .join(origins, on=item_key)
        .join(gold, on=["data_dragon_version", "began_as"], how="left")
        .with_columns(began_as=pl.when(pl.col("began_gold") > 0).then("began_as").otherwise(0))
        .drop("began_gold")
    )


class _Machine:
    """Item events of many participants, ordered by participant and event, and the results about them."""

    def __init__(self, events: pl.DataFrame) -> None:
        self.events = events
        self.action = events["event_type"].replace_strict(_TYPES, range(4), return_dtype=pl.Int64).to_numpy()
        self.item, self.at, self.before, self.after = (
            events[name].cast(pl.Int64).to_numpy() for name in ("item_id", "timestamp_ms", "before_id", "after_id")
        )
        self.becomes, self.began_as, self.forged = (
            events[name].fill_null(0).cast(pl.Int64).to_numpy() for name in ("becomes", "began_as", "forged")
        )
        self.is_trinket, self.is_lasting = (
            events[name].fill_null(False).to_numpy() for name in ("is_trinket", "is_lasting")
        )
        self.who = _numbered(events["match_number"].to_numpy(), events["participant_id"].to_numpy())
        self.rows = np.arange(events.height)

    def result(self) -> pl.DataFrame:
        """Returns the columns of `ItemEvents`."""
        builds = self._builds()
        of_undo = self._taken_back()
        undoes = self.rows[of_undo >= 0]
        taken_back_at = np.full(self.rows.size, _NEVER)
        taken_back_at[of_undo[undoes]] = self.at[undoes]
        is_undone = taken_back_at != _NEVER
        is_component = builds >= 0
        is_undone[is_component] = is_undone[builds[is_component]]
        # A purchase that destroys an item of its own kind is itself used at once.
        is_itself = is_component & (self.item[builds] == self.item)
        is_used = np.zeros(self.rows.size, dtype=bool)
        is_used[builds[is_itself]] = True
        is_bought = (self.action == _BUY) & ~is_undone & ~is_used & (self.item > 0)
        into, is_aside = self._alone(builds, is_bought)
        is_gain = is_bought | (into > 0)
        is_loss = ((self.action == _SELL) | (self.action == _DESTROY)) & ~is_undone & ~is_itself & ~is_aside
        brought = np.where(into > 0, into, self.item)
        until = self._until(is_gain, is_loss, brought)
        until[taken_back_at != _NEVER] = taken_back_at[taken_back_at != _NEVER]
        until[self.action == _SELL] = _NEVER
        until[is_used & ~is_undone] = self.at[is_used & ~is_undone]
        return self._columns(into, is_aside, of_undo, is_undone, until)

    def _builds(self) -> _Numbers:
        """Returns for each item destroyed just before a purchase, at the same millisecond, the row of the purchase;
        else -1."""
        others = np.append(np.flatnonzero(self.action != _DESTROY), self.rows.size)
        following = others[np.searchsorted(others, self.rows)]
        following_rows = np.minimum(following, self.rows.size - 1)
        found = (
            (self.action == _DESTROY)
            & (following < self.rows.size)
            & (self.action[following_rows] == _BUY)
            & (self.who[following_rows] == self.who)
            & (self.at[following_rows] == self.at)
        )
        return np.where(found, following_rows, -1)

    def _taken_back(self) -> _Numbers:
        """Returns for each undo the row of the purchase or sale that it reverts; -1 without one and for other events.

        An undo that names another item than the matching event belongs to an event missing from the timeline. It
        reverts nothing, and the other undos are matched without it.
        """
        found = np.full(self.rows.size, -1)
        undoes = np.zeros(self.who[-1] + 1 if self.who.size else 0, dtype=bool)
        undoes[self.who[self.action == _UNDO]] = True
        asked = self.rows[(self.action != _DESTROY) & undoes[self.who]]
        while asked.size:
            closes = self.action[asked] == _UNDO
            depth = np.cumsum(np.where(closes, -1, 1))
            # A matching pair of brackets is on the same level, with no other bracket of that level between them.
            level = depth + closes
            order = np.lexsort((level, self.who[asked]))
            row, who, level, closes = asked[order], self.who[asked][order], level[order], closes[order]
            pairs = np.flatnonzero((who[1:] == who[:-1]) & (level[1:] == level[:-1]) & closes[1:] & ~closes[:-1])
            undo, undone = row[pairs + 1], row[pairs]
            is_wrong = ~self._can_be(undo, undone)
            if not is_wrong.any():
                found[undo] = undone
                break
            # A mismatch may cause all later mismatches of the same participant, so only the first one is dropped.
            wrong = np.sort(undo[is_wrong])
            _, first = np.unique(self.who[wrong], return_index=True)
            asked = asked[~np.isin(asked, wrong[first])]
        return found

    def _can_be(self, undo: _Numbers, undone: _Numbers) -> _Flags:
        before, after, item = self.before[undo], self.after[undo], self.item[undone]
        names_none_before = (before == 0) & ((after == 0) | (after == item))
        return names_none_before | ((self.action[undone] == _BUY) & (before == item))

    def _alone(self, builds: _Numbers, is_bought: _Flags) -> tuple[_Numbers, _Flags]:
        """Returns for items destroyed without a purchase the item they turned into, or 0, and whether they were set
        aside."""
        alone = self.rows[(self.action == _DESTROY) & (builds < 0)]
        into, is_aside = np.zeros(self.rows.size, dtype=np.int64), np.zeros(self.rows.size, dtype=bool)
        if not alone.size:
            return into, is_aside
        who, at = self.who[alone], self.at[alone]
        together = _numbered(who, at)
        lasts = self.is_lasting[alone] & ~self.is_trinket[alone] & (self.becomes[alone] == 0)
        lasting = np.bincount(together, weights=lasts)[together]
        can_be_forged = lasts & (lasting == 1) & (self.forged[alone] > 0)
        can_be_forged &= self._was_bought(alone, self.item[alone], is_bought)
        loses_more = np.bincount(who, weights=lasts & ~can_be_forged)[who] > 0
        is_forged = can_be_forged & ~loses_more
        is_storm = np.bincount(together, weights=lasts & ~is_forged)[together] > 0
        origin = self.began_as[alone]
        turns = ~is_storm & (self.becomes[alone] > 0) & ((origin == 0) | self._was_bought(alone, origin, is_bought))
        into[alone[turns]] = self.becomes[alone[turns]]
        into[alone[is_forged]] = self.forged[alone[is_forged]]
        is_aside[alone] = is_storm | (self.is_trinket[alone] & self.is_lasting[alone])
        return into, is_aside

    def _was_bought(self, rows: _Numbers, items: _Numbers, is_bought: _Flags) -> _Flags:
        """Returns whether the participants of rows had bought the items before, without undoing it."""
        bought = self.rows[is_bought & np.isin(self.item, items)]
        codes, first = np.unique(_code(self.who[bought], self.item[bought]), return_index=True)
        if not codes.size:
            return np.zeros(rows.size, dtype=bool)
        asked = _code(self.who[rows], items)
        place = np.minimum(np.searchsorted(codes, asked), codes.size - 1)
        return (codes[place] == asked) & (bought[first][place] < rows)

    def _until(self, is_gain: _Flags, is_loss: _Flags, brought: _Numbers) -> _Numbers:
        """Returns when the item gained by each row left, in milliseconds; `_NEVER` if it stayed or the row gained
        nothing.

        Of several copies the first gained leaves first.
        """
        gains, losses = self.rows[is_gain], self.rows[is_loss]
        row = np.concatenate([gains, losses])
        code = np.concatenate([_code(self.who[gains], brought[gains]), _code(self.who[losses], self.item[losses])])
        order = np.lexsort((row, code))
        row, code, gained = row[order], code[order], order < gains.size
        until = np.full(self.rows.size, _NEVER)
        if not row.size:
            return until
        item_of_row = _numbered(code, code)
        first = np.flatnonzero(np.diff(item_of_row, prepend=-1))
        balance = np.cumsum(np.where(gained, 1, -1))
        balance -= (balance[first] - np.where(gained[first], 1, -1))[item_of_row]
        # Running minimum of the balance by participant and item: offsets keep each group far below the previous one.
        apart = item_of_row * (row.size + 1)
        lowest = np.minimum(np.minimum.accumulate(balance - apart) + apart, 0)
        # A loss that reaches a new minimum is of an item that was given, not bought.
        was_lowest = np.append(0, lowest[:-1])
        was_lowest[first] = 0
        leaves = ~gained & (lowest == was_lowest)
        departures = row[leaves]
        left = np.bincount(item_of_row[leaves], minlength=item_of_row[-1] + 1)
        number = _within(item_of_row[gained], first.size)
        departs = number < left[item_of_row[gained]]
        departure = (np.cumsum(left) - left)[item_of_row[gained]] + number
        until[row[gained][departs]] = self.at[departures[departure[departs]]]
        return until

    def _columns(
        self, into: _Numbers, is_aside: _Flags, of_undo: _Numbers, is_undone: _Flags, until: _Numbers
    ) -> pl.DataFrame:
        takes_back = of_undo >= 0
        of_purchase = takes_back & (self.action[of_undo] == _BUY)
        named = np.where(self.before > 0, self.before, self.after)
        item = np.where(takes_back, self.item[of_undo], np.where(self.action == _UNDO, named, self.item))
        item = np.where(into > 0, into, item)
        came_back = np.where(of_purchase, np.where(self.after == item, 0, self.after), item)
        other = np.where(into > 0, self.item, np.where(takes_back, came_back, 0))
        action = np.where(into > 0, _TRANSFORM, np.where(is_aside, _SET_ASIDE, self.action))
        return self.events.with_columns(
            at_s=in_seconds("timestamp_ms"),
            action=pl.Series(ITEM_ACTIONS).gather(pl.Series(action)),
            item_id=pl.Series(item),
            other_item_id=pl.Series(other),
            is_undone=pl.Series(is_undone),
            held_until_s=pl.Series(until),
        ).with_columns(
            other_item_id=pl.when(pl.col("other_item_id") > 0).then("other_item_id"),
            held_until_s=pl.when(pl.col("held_until_s") != _NEVER).then(in_seconds("held_until_s")),
        )


def _numbered(first: _Numbers, second: _Numbers) -> _Numbers:
    """Returns a number for each run of equal pairs, from 0."""
    if not first.size:
        return np.zeros(0, dtype=np.int64)
    return np.append(0, np.cumsum((first[1:] != first[:-1]) | (second[1:] != second[:-1])))


def _within(groups: _Numbers, count: int) -> _Numbers:
    """Returns the position of each element within its group, from 0; the groups are in order."""
    sizes = np.bincount(groups, minlength=count)
    return np.arange(groups.size) - (np.cumsum(sizes) - sizes)[groups]


def _code(who: _Numbers, items: _Numbers) -> _Numbers:
    """Returns one number for a participant and an item."""
    return who << 32 | items
