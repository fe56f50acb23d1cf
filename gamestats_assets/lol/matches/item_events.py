"""What participants did with items, and what they held: a state machine over a timeline's item events.

It reads the timeline and what items are, nothing else. How the timeline tells it:

- What a purchase is built upon is destroyed just before it, at the same millisecond. A purchase with itself among what
  it destroys is used at once, as elixirs are.
- An undo takes back the last purchase or sale that was not taken back yet, and with a purchase what it destroyed. Some
  undos (of a free trinket, of boots of the third tier) name no item before, or none at all.
- What turns into another item by itself is only told as destroyed. It turns where the item it began as was bought, or
  is one that nobody buys.
- What is neither used up nor eaten nor turns into anything is not lost when it is destroyed by itself: the items of
  Viego when he takes another's body (all at once, and later all of the other's), and a trinket while the Eye of the
  Herald lies in its slot. It is set aside, and so is what is destroyed together with it. One completed item that is
  destroyed alone, of a participant who loses nothing else so, has been through an ally's forge.
- What is destroyed or sold without having been bought was given: by a rune, a champion, the map.

All participants are gone through at once, as columns in the order of participant and event: an undo finds what it takes
back as a closing bracket finds the opening one, by depth, and what is held of an item is its purchases less its losses,
never less than nothing.
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
    """One row for each purchase, sale, destruction and undo of a participant, with how long what it brought was held.

    Where no list of items is at hand, nothing is known to turn into anything, and what is destroyed is lost.
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
    """Rows in parts of whole matches, so that memory is bounded."""
    numbers = events["match_number"].to_numpy()
    starts = np.unique(np.searchsorted(numbers, numbers[::_AT_ONCE])).tolist() or [0]
    for start, end in pairwise([*starts, events.height]):
        yield events[start:end]


def _fates(items: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
    """By version and item, what its destruction means.

    Columns: `is_lasting`, it is not lost by itself; `is_trinket`; `becomes`, what it turns into by itself; `forged`,
    what an ally's forge makes of it, both null where it could be several; `began_as`, what must have been bought for
    it to be there and turn, 0 where nobody buys it.
    """
    of = ["data_dragon_version", "item_id"]
    listed = standing_items(items, versions)

    def made_of(column: str, name: str) -> pl.LazyFrame:
        made = listed.drop_nulls(column).group_by("data_dragon_version", pl.col(column).alias("made_of"))
        of_one = made.agg(pl.len(), pl.col("item_id").first().alias(name)).filter(pl.col("len") == 1)
        return of_one.select("data_dragon_version", name, item_id="made_of")

    parents = listed.select(*of, parent="transformed_from")
    # Support items turn twice.
    origins = parents.join(
        parents.rename({"item_id": "parent", "parent": "grandparent"}), on=["data_dragon_version", "parent"], how="left"
    ).select(*of, began_as=pl.coalesce("grandparent", "parent", "item_id"))
    gold = listed.select("data_dragon_version", began_as="item_id", began_gold="gold_total")
    return (
        listed.select(*of, is_trinket=pl.col("kind") == "trinket", is_lasting=~pl.col("goes_by_itself"))
        .join(made_of("transformed_from", "becomes"), on=of, how="left")
        .join(made_of("upgraded_from", "forged"), on=of, how="left")
        .join(origins, on=of)
        .join(gold, on=["data_dragon_version", "began_as"], how="left")
        .with_columns(began_as=pl.when(pl.col("began_gold") > 0).then("began_as").otherwise(0))
        .drop("began_gold")
    )


class _Machine:
    """Item events of many participants, in the order of participant and event, and what is found out about them."""

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
        """The columns of `ItemEvents`."""
        builds = self._builds()
        of_undo = self._taken_back()
        undoes = self.rows[of_undo >= 0]
        taken_back_at = np.full(self.rows.size, _NEVER)
        taken_back_at[of_undo[undoes]] = self.at[undoes]
        is_undone = taken_back_at != _NEVER
        is_component = builds >= 0
        is_undone[is_component] = is_undone[builds[is_component]]
        # What is destroyed for a purchase of its own kind is that purchase, used at once.
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
        """Of what is destroyed just before a purchase, at the same millisecond, the row of the purchase; else -1."""
        others = np.append(np.flatnonzero(self.action != _DESTROY), self.rows.size)
        following = others[np.searchsorted(others, self.rows)]
        there = np.minimum(following, self.rows.size - 1)
        found = (
            (self.action == _DESTROY)
            & (following < self.rows.size)
            & (self.action[there] == _BUY)
            & (self.who[there] == self.who)
            & (self.at[there] == self.at)
        )
        return np.where(found, there, -1)

    def _taken_back(self) -> _Numbers:
        """Of undos the row of the purchase or sale that each takes back; -1 where there is none, and of other events.

        An undo that names another item than the one it would take back is of an event that is not there. It takes back
        nothing, and the others are found without it.
        """
        found = np.full(self.rows.size, -1)
        undoes = np.zeros(self.who[-1] + 1 if self.who.size else 0, dtype=bool)
        undoes[self.who[self.action == _UNDO]] = True
        asked = self.rows[(self.action != _DESTROY) & undoes[self.who]]
        while asked.size:
            closes = self.action[asked] == _UNDO
            depth = np.cumsum(np.where(closes, -1, 1))
            # An opening and its closing bracket are on the same level, with none of it between them.
            level = depth + closes
            order = np.lexsort((level, self.who[asked]))
            row, who, level, closes = asked[order], self.who[asked][order], level[order], closes[order]
            pairs = np.flatnonzero((who[1:] == who[:-1]) & (level[1:] == level[:-1]) & closes[1:] & ~closes[:-1])
            undo, undone = row[pairs + 1], row[pairs]
            is_wrong = ~self._can_be(undo, undone)
            if not is_wrong.any():
                found[undo] = undone
                break
            # What comes after the first wrong one of a participant may be wrong because of it.
            wrong = np.sort(undo[is_wrong])
            _, first = np.unique(self.who[wrong], return_index=True)
            asked = asked[~np.isin(asked, wrong[first])]
        return found

    def _can_be(self, undo: _Numbers, undone: _Numbers) -> _Flags:
        before, after, item = self.before[undo], self.after[undo], self.item[undone]
        names_none_before = (before == 0) & ((after == 0) | (after == item))
        return names_none_before | ((self.action[undone] == _BUY) & (before == item))

    def _alone(self, builds: _Numbers, is_bought: _Flags) -> tuple[_Numbers, _Flags]:
        """What was destroyed for no purchase: the item it turned into, or 0, and whether it was set aside."""
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
        """Whether the participants of rows bought items before them, without taking it back."""
        bought = self.rows[is_bought & np.isin(self.item, items)]
        codes, first = np.unique(_code(self.who[bought], self.item[bought]), return_index=True)
        if not codes.size:
            return np.zeros(rows.size, dtype=bool)
        asked = _code(self.who[rows], items)
        place = np.minimum(np.searchsorted(codes, asked), codes.size - 1)
        return (codes[place] == asked) & (bought[first][place] < rows)

    def _until(self, is_gain: _Flags, is_loss: _Flags, brought: _Numbers) -> _Numbers:
        """When what each row brought left, in milliseconds; `_NEVER` where it did not, or the row brought nothing.

        Of several alike the one that came first leaves first.
        """
        gains, losses = self.rows[is_gain], self.rows[is_loss]
        row = np.concatenate([gains, losses])
        code = np.concatenate([_code(self.who[gains], brought[gains]), _code(self.who[losses], self.item[losses])])
        order = np.lexsort((row, code))
        row, code, gained = row[order], code[order], order < gains.size
        until = np.full(self.rows.size, _NEVER)
        if not row.size:
            return until
        of = _numbered(code, code)
        first = np.flatnonzero(np.diff(of, prepend=-1))
        balance = np.cumsum(np.where(gained, 1, -1))
        balance -= (balance[first] - np.where(gained[first], 1, -1))[of]
        # The lowest balance until then, by participant and item: each stands far below the one before it.
        apart = of * (row.size + 1)
        lowest = np.minimum(np.minimum.accumulate(balance - apart) + apart, 0)
        # Who loses what is not held was given it.
        was_lowest = np.append(0, lowest[:-1])
        was_lowest[first] = 0
        leaves = ~gained & (lowest == was_lowest)
        departures = row[leaves]
        left = np.bincount(of[leaves], minlength=of[-1] + 1)
        number = _within(of[gained], first.size)
        departs = number < left[of[gained]]
        departure = (np.cumsum(left) - left)[of[gained]] + number
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
    """A number for each run of equal pairs, from 0."""
    if not first.size:
        return np.zeros(0, dtype=np.int64)
    return np.append(0, np.cumsum((first[1:] != first[:-1]) | (second[1:] != second[:-1])))


def _within(groups: _Numbers, count: int) -> _Numbers:
    """The place of each element within its group, from 0; the groups are in order."""
    sizes = np.bincount(groups, minlength=count)
    return np.arange(groups.size) - (np.cumsum(sizes) - sizes)[groups]


def _code(who: _Numbers, items: _Numbers) -> _Numbers:
    """One number for a participant and an item."""
    return who << 32 | items
