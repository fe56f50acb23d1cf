"""The item state machine: undos, recipes, transformations, what is set aside, and what is held at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol.matches.item_events import item_events
from gamestats_assets.lol.tables import ItemEvents, Items, Matches, TimelineEvents
from gamestats_assets_tests.lol.scenario import kept, rows

BOOTS, SWORD, DIRK, AXE, BLADE = 1, 2, 3, 4, 5
POTION, ELIXIR, WARD, LENS, EYE = 6, 7, 8, 9, 10
TEAR, MURAMANA, COIN, MEDAL, CREST = 11, 12, 13, 14, 15
MASTERWORK, GIVEN_WATCH, WATCH, PET, PRISM = 16, 17, 18, 19, 20
LISTED: dict[int, dict[str, Any]] = {
    BOOTS: {"kind": "component"},
    SWORD: {"kind": "component"},
    DIRK: {"kind": "component"},
    AXE: {"kind": "core"},
    BLADE: {"kind": "core"},
    POTION: {"kind": "consumable", "goes_by_itself": True},
    ELIXIR: {"kind": "consumable", "goes_by_itself": True},
    WARD: {"kind": "trinket", "gold_total": 0},
    LENS: {"kind": "trinket", "gold_total": 0},
    EYE: {"kind": "trinket", "gold_total": 0, "goes_by_itself": True},
    TEAR: {"kind": "core"},
    MURAMANA: {"kind": "core", "transformed_from": TEAR},
    COIN: {"kind": "starter"},
    MEDAL: {"kind": "quest", "transformed_from": COIN},
    CREST: {"kind": "quest", "transformed_from": MEDAL},
    MASTERWORK: {"kind": "core", "upgraded_from": AXE},
    GIVEN_WATCH: {"kind": "component", "gold_total": 0, "goes_by_itself": True},
    WATCH: {"kind": "component", "transformed_from": GIVEN_WATCH},
    PET: {"kind": "starter", "goes_by_itself": True},
    PRISM: {"kind": "other", "goes_by_itself": True},
}
VERSION = "13.14.1"
Event = dict[str, Any]


def buy(item: int, at: int, *components: int) -> list[Event]:
    """A purchase, with what it destroys just before it."""
    return [*(gone(each, at) for each in components), {"event_type": "ITEM_PURCHASED", "item_id": item, "at": at}]


def sell(item: int, at: int) -> Event:
    return {"event_type": "ITEM_SOLD", "item_id": item, "at": at}


def gone(item: int, at: int) -> Event:
    return {"event_type": "ITEM_DESTROYED", "item_id": item, "at": at}


def undo(at: int, before: int = 0, after: int = 0) -> Event:
    return {"event_type": "ITEM_UNDO", "before_id": before, "after_id": after, "at": at}


def listing(listed: dict[int, dict[str, Any]] = LISTED) -> pl.DataFrame:
    usual = {"version": VERSION, "patch": "13.14", "gold_total": 400}
    return rows(Items, *({**usual, "item_id": item, "name": str(item), **facts} for item, facts in listed.items()))


def machine(
    *participants: Iterable[Event | list[Event]], matches: int = 1, listed: dict[int, dict[str, Any]] = LISTED
) -> pl.DataFrame:
    """Item events of one match for each run of participants; a number in brackets after the match's id tells it."""
    of_match: list[pl.DataFrame] = []
    share = len(participants) // matches
    for match in range(matches):
        events = [
            {**event, "participant_id": number, "timestamp_ms": event["at"], "match_id": f"NA1_{match + 1}"}
            for number, result in enumerate(participants[match * share : (match + 1) * share], 1)
            for each in result
            for event in (each if isinstance(each, list) else [each])
        ]
        # As in a timeline: participants among each other by time.
        events.sort(key=lambda event: event["at"])
        of_match.append(rows(TimelineEvents, *events))
    played = rows(
        Matches, *({"match_id": f"NA1_{match + 1}", "data_dragon_version": VERSION} for match in range(matches))
    )
    result = (pl.concat(of_match), played, listing(listed))
    return kept(ItemEvents, item_events(*(each.lazy() for each in result)))  # pyright: ignore[reportArgumentType]


def held(events: pl.DataFrame, match_id: str = "NA1_1", participant_id: int = 1) -> list[int]:
    """Items held at the end, as the rows say."""
    at_end = events.filter(
        (pl.col("match_id") == match_id)
        & (pl.col("participant_id") == participant_id)
        & pl.col("action").is_in(["purchased", "transformed"])
        & ~pl.col("is_undone")
        & pl.col("held_until_s").is_null()
    )
    return sorted(at_end.get_column("item_id"))


def actions(events: pl.DataFrame) -> list[tuple[str, int]]:
    return list(events.select("action", "item_id").iter_rows())


# --------------------------------------------------------------------------- what is held in the end

THREE_BUILT = [buy(SWORD, 10), buy(DIRK, 20, SWORD), buy(AXE, 30, DIRK), undo(40, before=AXE), buy(POTION, 50),
               undo(60, before=POTION), undo(70, before=DIRK)]  # fmt: skip
VIEGO = [gone(AXE, 50), gone(POTION, 50), gone(BLADE, 60), gone(TEAR, 60), gone(COIN, 60)]
HELD: dict[str, tuple[list[Event | list[Event]], list[int]]] = {
    "a purchase takes its components": ([buy(SWORD, 10), buy(BOOTS, 20), buy(DIRK, 30, SWORD)], [BOOTS, DIRK]),
    "an undone purchase gives them back": (
        [buy(SWORD, 10), buy(SWORD, 11), buy(DIRK, 30, SWORD, SWORD), undo(40, before=DIRK)], [SWORD, SWORD],
    ),
    "also those that a rune gave": ([buy(DIRK, 30, BOOTS), undo(40, before=DIRK), buy(AXE, 50, BOOTS)], [AXE]),
    "an undone sale never was": ([buy(SWORD, 1), sell(SWORD, 2), undo(3, after=SWORD), buy(DIRK, 4, SWORD)], [DIRK]),
    "undos take back from the last on": (THREE_BUILT, [SWORD]),
    "to the first": ([*THREE_BUILT, undo(80, before=SWORD)], []),
    "a purchase after an undo stands": ([buy(SWORD, 10), undo(20, before=SWORD), buy(SWORD, 30)], [SWORD]),
    "the undo of a free trinket": ([buy(BOOTS, 10), buy(WARD, 20), undo(30, after=WARD), undo(40, before=BOOTS)], []),
    "the undo of an exchange": ([buy(WARD, 10), buy(LENS, 20, WARD), undo(30, before=LENS, after=WARD)], [WARD]),
    "an undo that names nothing": ([buy(BOOTS, 10), buy(DIRK, 20, BOOTS), undo(30)], [BOOTS]),
    # The second undo names a purchase that is not the last; the third takes back the potion.
    "an undo of what is not told": (
        [buy(SWORD, 10), undo(20, before=BOOTS), buy(POTION, 25), undo(30, before=SWORD), undo(31)], [SWORD],
    ),
    "undos beside a wrong one": (
        [buy(SWORD, 10), buy(DIRK, 11), undo(20, before=BOOTS), undo(30, before=DIRK), undo(40, before=SWORD)], [],
    ),
    "undos of nothing": ([undo(10, before=SWORD), undo(20), buy(SWORD, 30)], [SWORD]),
    "an elixir is used at once": ([buy(ELIXIR, 10, ELIXIR), buy(SWORD, 20)], [SWORD]),
    "what was given is not owed": ([gone(POTION, 5), sell(BOOTS, 6), buy(POTION, 10), buy(BOOTS, 11)], [BOOTS, POTION]),
    "Muramana comes of its base": ([buy(TEAR, 10), gone(TEAR, 50)], [MURAMANA]),
    "not of another's base": ([gone(TEAR, 50)], []),
    "not of one that was taken back": ([buy(TEAR, 10), undo(20, before=TEAR), gone(TEAR, 50)], []),
    "not of a component": ([buy(TEAR, 10), buy(AXE, 50, TEAR)], [AXE]),
    "two items turn, each by itself": (
        [buy(AXE, 10), buy(TEAR, 11), gone(AXE, 20), gone(TEAR, 30)], [MURAMANA, MASTERWORK],
    ),
    "support items turn twice": ([buy(COIN, 10), gone(COIN, 20), gone(MEDAL, 30)], [CREST]),
    "what nobody buys turns": ([gone(GIVEN_WATCH, 10)], [WATCH]),
    "an ally's forge turns one item": ([buy(AXE, 10), buy(SWORD, 11), gone(AXE, 20)], [SWORD, MASTERWORK]),
    "or tells of a purchase": ([buy(AXE, 10), buy(MASTERWORK, 20, AXE)], [MASTERWORK]),
    "Viego's items come back": ([buy(AXE, 10), buy(POTION, 20), VIEGO, gone(AXE, 70), gone(POTION, 70)], [AXE, POTION]),
    "a trinket comes back from under the Eye": ([buy(LENS, 10), gone(LENS, 20), gone(EYE, 30)], [LENS]),
    "the jungle's starter is eaten": ([buy(PET, 10), gone(PET, 20)], []),
}  # fmt: skip


@pytest.mark.parametrize(("message", "expected"), HELD.values(), ids=HELD)
def test_what_is_held_at_the_end(message: list[Event | list[Event]], expected: list[int]) -> None:
    assert held(machine(message)) == expected


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (LISTED | {each: {"kind": "core", "transformed_from": PRISM} for each in (AXE, BLADE)}, [DIRK]),
        ({99: {"kind": "core"}}, [DIRK]),
    ],
    ids=["what could turn into several turns into none", "without a list what is destroyed is lost"],
)
def test_what_the_list_of_items_does_not_tell(listed: dict[int, dict[str, Any]], expected: list[int]) -> None:
    result = [buy(PRISM, 10), buy(SWORD, 11), gone(PRISM, 20), buy(DIRK, 30, SWORD)]
    assert held(machine(result, listed=listed)) == expected


def test_rows_tell_what_was_done_until_when_it_was_held_and_whether_it_was_undone() -> None:
    undone = machine([buy(SWORD, 10), buy(DIRK, 30, SWORD), undo(40, before=DIRK), sell(SWORD, 50)])
    columns = ("action", "item_id", "other_item_id", "is_undone", "held_until_s")
    assert undone.select(columns).rows() == [
        ("purchased", SWORD, None, False, 0.05),
        ("destroyed", SWORD, None, True, None),
        ("purchased", DIRK, None, True, 0.04),
        ("undone", DIRK, None, False, None),
        ("sold", SWORD, None, False, None),
    ]
    sale = machine([buy(SWORD, 10), sell(SWORD, 20), undo(30, after=SWORD)])
    assert sale.select(columns).row(-1) == ("undone", SWORD, SWORD, False, None)
    turned = machine([buy(TEAR, 10), gone(TEAR, 50), buy(ELIXIR, 60, ELIXIR)])
    assert turned.select(columns).rows()[:2] == [
        ("purchased", TEAR, None, False, 0.05), ("transformed", MURAMANA, TEAR, False, None),
    ]  # fmt: skip
    assert turned.row(-1, named=True)["held_until_s"] == 0.06
    of_several = machine([buy(AXE, 10), buy(AXE, 20), sell(AXE, 30), gone(BLADE, 40), gone(POTION, 40)])
    assert of_several.select(columns).rows()[:2] == [
        ("purchased", AXE, None, False, 0.03), ("purchased", AXE, None, False, None),
    ]  # fmt: skip
    assert of_several.get_column("action").to_list()[-2:] == ["set_aside", "set_aside"]


def test_participants_and_matches_do_not_touch_each_other() -> None:
    one = [buy(SWORD, 10), buy(DIRK, 20, SWORD)]
    other = [buy(BOOTS, 10), undo(20, before=BOOTS)]
    events = machine(one, other, other, one, matches=2)
    assert [held(events, f"NA1_{match}", number) for match in (1, 2) for number in (1, 2)] == [[DIRK], [], [], [DIRK]]
    events = machine([buy(POTION, 10), gone(POTION, 20)], [buy(AXE, 20), undo(30, before=AXE)])
    assert [held(events, participant_id=number) for number in (1, 2)] == [[], []]


def test_events_of_nobody_and_of_other_kinds_are_no_item_events() -> None:
    result = rows(
        TimelineEvents,
        {"event_type": "ITEM_PURCHASED", "item_id": SWORD, "participant_id": 0, "timestamp_ms": 1},
        {"event_type": "WARD_PLACED", "participant_id": 1, "timestamp_ms": 1},
        {"event_type": "ITEM_PURCHASED", "item_id": SWORD, "participant_id": None, "timestamp_ms": 1},
    )
    played = rows(Matches, {"data_dragon_version": VERSION})
    frames = (result.lazy(), played.lazy(), listing().lazy())
    assert kept(ItemEvents, item_events(*frames)).is_empty()  # pyright: ignore[reportArgumentType]
