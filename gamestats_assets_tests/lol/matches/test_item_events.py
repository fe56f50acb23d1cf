"""The item state machine: undos, recipes, transformations, what is set aside, and what is held at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.lol.matches.item_events import item_events
from gamestats_assets.lol.tables import ItemEvents, Items, Matches, TimelineEvents
from gamestats_assets_tests.lol.listed import happened, reference, versioned_matches
from gamestats_assets_tests.lol.real_pairs import bronze, documents
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
            for number, told in enumerate(participants[match * share : (match + 1) * share], 1)
            for each in told
            for event in (each if isinstance(each, list) else [each])
        ]
        # As in a timeline: participants among each other by time.
        events.sort(key=lambda event: event["at"])
        of_match.append(rows(TimelineEvents, *events))
    played = rows(
        Matches, *({"match_id": f"NA1_{match + 1}", "data_dragon_version": VERSION} for match in range(matches))
    )
    told = (pl.concat(of_match), played, listing(listed))
    return kept(ItemEvents, item_events(*(each.lazy() for each in told)))  # pyright: ignore[reportArgumentType]


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


# --------------------------------------------------------------------------- purchases, sales, undos


def test_a_purchase_takes_its_components() -> None:
    events = machine([buy(SWORD, 10), buy(BOOTS, 20), buy(DIRK, 30, SWORD), buy(POTION, 30)])
    assert held(events) == [BOOTS, DIRK, POTION]
    bought = events.filter(pl.col("item_id") == SWORD).row(0, named=True)
    assert (bought["action"], bought["at_s"], bought["held_until_s"]) == ("purchased", 0.01, 0.03)


def test_an_undone_purchase_gives_its_components_back() -> None:
    events = machine([buy(SWORD, 10), buy(SWORD, 11), buy(DIRK, 30, SWORD, SWORD), undo(40, before=DIRK)])
    assert held(events) == [SWORD, SWORD]
    assert events.get_column("is_undone").to_list() == [False, False, True, True, True, False]
    taken_back = events.row(-1, named=True)
    assert (taken_back["action"], taken_back["item_id"], taken_back["other_item_id"]) == ("undone", DIRK, None)
    undone = events.filter((pl.col("action") == "purchased") & pl.col("is_undone")).row(0, named=True)
    assert undone["held_until_s"] == 0.04


def test_components_given_by_a_rune_come_back_as_well() -> None:
    events = machine([buy(DIRK, 30, BOOTS), undo(40, before=DIRK), buy(AXE, 50, BOOTS)])
    assert held(events) == [AXE]


def test_an_undone_sale_never_was() -> None:
    events = machine([buy(SWORD, 10), sell(SWORD, 20), undo(30, after=SWORD), buy(DIRK, 40, SWORD)])
    assert held(events) == [DIRK]
    assert events.filter(pl.col("action") == "undone").row(0, named=True)["other_item_id"] == SWORD
    assert events.filter(pl.col("action") == "sold").get_column("held_until_s").to_list() == [None]
    assert events.filter(pl.col("item_id") == SWORD).row(0, named=True)["held_until_s"] == 0.04


def test_undos_take_back_from_the_last_on() -> None:
    told = [
        buy(SWORD, 10),
        buy(DIRK, 20, SWORD),
        buy(AXE, 30, DIRK),
        undo(40, before=AXE),
        buy(POTION, 50),
        undo(60, before=POTION),
        undo(70, before=DIRK),
    ]
    assert held(machine(told)) == [SWORD]
    assert held(machine([*told, undo(80, before=SWORD)])) == []


def test_the_same_purchase_again_after_an_undo_stands() -> None:
    events = machine([buy(SWORD, 10), undo(20, before=SWORD), buy(SWORD, 30)])
    assert held(events) == [SWORD]
    assert events.filter(pl.col("action") == "purchased").get_column("is_undone").to_list() == [True, False]


def test_the_undo_of_a_free_trinket_names_it_as_what_is_there_after() -> None:
    events = machine([buy(BOOTS, 10), buy(WARD, 20), undo(30, after=WARD), undo(40, before=BOOTS)])
    assert held(events) == []


def test_the_undo_of_a_trinkets_exchange_gives_the_first_one_back() -> None:
    events = machine([buy(WARD, 10), buy(LENS, 20, WARD), undo(30, before=LENS, after=WARD)])
    assert held(events) == [WARD]
    assert events.row(-1, named=True)["other_item_id"] == WARD


def test_an_undo_that_names_nothing_takes_back_the_last_purchase() -> None:
    events = machine([buy(BOOTS, 10), buy(DIRK, 20, BOOTS), undo(30)])
    assert held(events) == [BOOTS]
    assert actions(events)[-1] == ("undone", DIRK)


def test_an_undo_of_what_the_timeline_does_not_tell_takes_back_nothing() -> None:
    events = machine([buy(SWORD, 10), undo(20, before=BOOTS), buy(POTION, 25), undo(30, before=SWORD), undo(31)])
    # The second undo names a purchase that is not the last; the third takes back the potion.
    assert held(events) == [SWORD]
    assert actions(events)[1] == ("undone", BOOTS)
    told = [buy(SWORD, 10), buy(DIRK, 11), undo(20, before=BOOTS), undo(30, before=DIRK), undo(40, before=SWORD)]
    assert held(machine(told)) == []
    alone = machine([undo(10, before=SWORD), undo(20), buy(SWORD, 30)])
    assert held(alone) == [SWORD]
    assert actions(alone) == [("undone", SWORD), ("undone", 0), ("purchased", SWORD)]


def test_an_elixir_is_used_at_once() -> None:
    events = machine([buy(ELIXIR, 10, ELIXIR), buy(SWORD, 20)])
    assert held(events) == [SWORD]
    assert events.filter(pl.col("action") == "purchased").row(0, named=True)["held_until_s"] == 0.01


def test_potions_are_used_one_by_one() -> None:
    events = machine([buy(POTION, 10), buy(POTION, 10), gone(POTION, 20), buy(POTION, 30), gone(POTION, 40)])
    assert held(events) == [POTION]
    bought = events.filter(pl.col("action") == "purchased")
    assert bought.get_column("held_until_s").to_list() == [0.02, 0.04, None]


def test_what_was_given_is_not_owed_when_it_goes() -> None:
    events = machine([gone(POTION, 5), sell(BOOTS, 6), buy(POTION, 10), buy(BOOTS, 11)])
    assert held(events) == [BOOTS, POTION]


def test_a_second_one_of_an_item_is_told_apart() -> None:
    events = machine([buy(AXE, 10), buy(AXE, 20), sell(AXE, 30)])
    assert held(events) == [AXE]
    assert events.filter(pl.col("action") == "purchased").get_column("held_until_s").to_list() == [0.03, None]


def test_participants_and_matches_do_not_touch_each_other() -> None:
    one = [buy(SWORD, 10), buy(DIRK, 20, SWORD)]
    other = [buy(BOOTS, 10), undo(20, before=BOOTS)]
    events = machine(one, other, other, one, matches=2)
    assert [held(events, f"NA1_{match}", number) for match in (1, 2) for number in (1, 2)] == [[DIRK], [], [], [DIRK]]


def test_what_one_destroys_is_no_component_of_what_the_next_buys_at_that_time() -> None:
    events = machine([buy(POTION, 10), gone(POTION, 20)], [buy(AXE, 20), undo(30, before=AXE)])
    assert [held(events, participant_id=number) for number in (1, 2)] == [[], []]


def test_events_of_nobody_and_of_other_kinds_are_no_item_events() -> None:
    told = rows(
        TimelineEvents,
        {"event_type": "ITEM_PURCHASED", "item_id": SWORD, "participant_id": 0, "timestamp_ms": 1},
        {"event_type": "WARD_PLACED", "participant_id": 1, "timestamp_ms": 1},
        {"event_type": "ITEM_PURCHASED", "item_id": SWORD, "participant_id": None, "timestamp_ms": 1},
    )
    played = rows(Matches, {"data_dragon_version": VERSION})
    frames = (told.lazy(), played.lazy(), listing().lazy())
    assert kept(ItemEvents, item_events(*frames)).is_empty()  # pyright: ignore[reportArgumentType]


# --------------------------------------------------------------------------- what turns into something else


def test_muramana_comes_when_its_base_is_destroyed_alone() -> None:
    events = machine([buy(TEAR, 10), gone(TEAR, 50)])
    assert held(events) == [MURAMANA]
    turned = events.row(-1, named=True)
    assert (turned["action"], turned["item_id"], turned["other_item_id"]) == ("transformed", MURAMANA, TEAR)
    assert events.row(0, named=True)["held_until_s"] == 0.05


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([gone(TEAR, 50)], id="of another's"),
        pytest.param([buy(TEAR, 10), undo(20, before=TEAR), gone(TEAR, 50)], id="taken back"),
        pytest.param([buy(TEAR, 10), buy(AXE, 50, TEAR)], id="a component"),
        pytest.param([buy(TEAR, 10), sell(TEAR, 50)], id="sold"),
    ],
)
def test_muramana_does_not_come_otherwise(told: list[Event | list[Event]]) -> None:
    assert "transformed" not in machine(told).get_column("action")


def test_support_items_turn_twice() -> None:
    events = machine([buy(COIN, 10), gone(COIN, 20), gone(MEDAL, 30)])
    assert held(events) == [CREST]
    assert actions(events) == [("purchased", COIN), ("transformed", MEDAL), ("transformed", CREST)]


def test_what_nobody_buys_turns_without_a_purchase() -> None:
    assert held(machine([gone(GIVEN_WATCH, 10)])) == [WATCH]


def test_what_could_turn_into_several_turns_into_none() -> None:
    listed = LISTED | {each: {"kind": "core", "transformed_from": PRISM} for each in (AXE, BLADE)}
    assert held(machine([buy(PRISM, 10), gone(PRISM, 20)], listed=listed)) == []


def test_an_allys_forge_turns_one_item_alone() -> None:
    assert held(machine([buy(AXE, 10), buy(SWORD, 11), gone(AXE, 20)])) == [SWORD, MASTERWORK]
    assert held(machine([buy(AXE, 10), buy(MASTERWORK, 20, AXE)])) == [MASTERWORK]


# --------------------------------------------------------------------------- what is set aside


def test_viegos_items_come_back_from_another_body() -> None:
    own, others = [gone(AXE, 50), gone(POTION, 50)], [gone(BLADE, 60), gone(TEAR, 60), gone(COIN, 60)]
    events = machine([buy(AXE, 10), buy(POTION, 20), own, others, [gone(AXE, 70), gone(POTION, 70)]])
    assert held(events) == [AXE, POTION]
    assert set(events.filter(pl.col("at_s") >= 0.05).get_column("action")) == {"set_aside"}


def test_a_trinket_comes_back_from_under_the_eye_of_the_herald() -> None:
    events = machine([buy(LENS, 10), gone(LENS, 20), gone(EYE, 30)])
    assert held(events) == [LENS]
    assert actions(events) == [("purchased", LENS), ("set_aside", LENS), ("destroyed", EYE)]


def test_the_jungles_starter_is_eaten() -> None:
    assert held(machine([buy(PET, 10), gone(PET, 20)])) == []


def test_without_a_list_of_items_what_is_destroyed_is_lost() -> None:
    events = machine([buy(AXE, 10), buy(SWORD, 11), gone(AXE, 20), buy(DIRK, 30, SWORD)], listed={99: {"kind": "core"}})
    assert held(events) == [DIRK]


# --------------------------------------------------------------------------- a shop that knows the truth

RECIPES = {DIRK: [SWORD, SWORD], AXE: [DIRK, BOOTS], BLADE: [AXE, SWORD], TEAR: [BOOTS]}
IN_SHOP = (BOOTS, SWORD, DIRK, AXE, BLADE, POTION, ELIXIR, TEAR, COIN, PET)


class Shop:
    """One participant with the inventory that the game would show, and the events that the timeline would tell."""

    def __init__(self) -> None:
        self.inventory: Counter[int] = Counter()
        self.events: list[Event] = []
        self.truths: list[Counter[int]] = []
        self.shopped: list[tuple[str, int, list[int]]] = []
        self.now = 0

    def tell(self, *events: Event) -> None:
        self.events += events
        # Between the destruction of components and the purchase there is nothing to see.
        self.truths += [self.inventory.copy()] * len(events)

    def consume(self, item: int) -> list[int]:
        """Take components of an item, or of those that are missing their components in turn."""
        taken: list[int] = []
        for component in RECIPES.get(item, []):
            if self.inventory[component]:
                self.inventory[component] -= 1
                taken.append(component)
            else:
                taken += self.consume(component)
        return taken

    def act(self, what: int, which: int) -> None:
        held = sorted(self.inventory.elements())
        if what <= 3:
            self.now += which % 2
            item = IN_SHOP[which % len(IN_SHOP)]
            self.buy(item)
        elif what == 4 and held:
            self.now += 1
            item = held[which % len(held)]
            self.inventory[item] -= 1
            self.shopped.append(("sold", item, []))
            self.tell(sell(item, self.now))
        elif what <= 6 and self.shopped:
            self.now += 1
            self.undo()
        elif held:
            self.now += 1
            self.use(held[which % len(held)])
            self.now += 1

    def buy(self, item: int) -> None:
        if item == ELIXIR:
            # Nothing can be taken back once it is drunk.
            self.shopped.clear()
            self.tell(*buy(ELIXIR, self.now, ELIXIR))
            return
        taken = self.consume(item)
        self.inventory[item] += 1
        self.shopped.append(("bought", item, taken))
        self.tell(*buy(item, self.now, *taken))

    def undo(self) -> None:
        action, item, taken = self.shopped.pop()
        if action == "sold":
            self.inventory[item] += 1
            self.tell(undo(self.now, after=item))
            return
        self.inventory[item] -= 1
        self.inventory.update(taken)
        self.tell(undo(self.now, before=item if self.now % 5 else 0))

    def use(self, item: int) -> None:
        becomes = {TEAR: MURAMANA, COIN: MEDAL, MEDAL: CREST}.get(item)
        if item not in (POTION, PET) and becomes is None:
            return
        self.shopped.clear()
        self.inventory[item] -= 1
        if becomes is not None:
            self.inventory[becomes] += 1
        self.tell(gone(item, self.now))


@settings(max_examples=60)
@given(st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), max_size=40), min_size=1, max_size=3))
def test_what_is_held_is_what_the_shop_knows_after_every_event(players: list[list[tuple[int, int]]]) -> None:
    shops = []
    for acts in players:
        shop = Shop()
        for what, which in acts:
            shop.act(what, which)
        shops.append(shop)
    # Each beginning of what a participant did is a match of its own; components alone are not yet a purchase.
    beginnings = [
        (shop, length)
        for shop in shops
        for length in range(1, len(shop.events) + 1)
        if length == len(shop.events) or not _is_amid_a_purchase(shop.events, length)
    ]
    if not beginnings:
        return
    events = machine(*(shop.events[:length] for shop, length in beginnings), matches=len(beginnings))
    found = {
        match_id: sorted(items)
        for match_id, items in events.filter(
            pl.col("action").is_in(["purchased", "transformed"])
            & ~pl.col("is_undone")
            & pl.col("held_until_s").is_null()
        )
        .group_by("match_id")
        .agg("item_id")
        .iter_rows()
    }
    for number, (shop, length) in enumerate(beginnings, 1):
        truth = sorted(shop.truths[length - 1].elements())
        assert found.get(f"NA1_{number}", []) == truth, shop.events[:length]


def _is_amid_a_purchase(events: Sequence[Event], length: int) -> bool:
    last, following = events[length - 1], events[length]
    return (
        last["event_type"] == "ITEM_DESTROYED"
        and following["event_type"] != "ITEM_UNDO"
        and last["at"] == following["at"]
    )


# --------------------------------------------------------------------------- real matches

TURNS = {3003: 3040, 3004: 3042, 3119: 3121, 223003: 223040, 223004: 223042, 2420: 2421, 2423: 2424, 2419: 2423}
TURNS |= {3850: 3851, 3851: 3853, 3854: 3855, 3855: 3857, 3858: 3859, 3859: 3860, 3862: 3863, 3863: 3864}
TRINKETS = {3330, 3340, 3348, 3363, 3364}


def _plainly(events: list[dict[str, Any]], is_viego: bool) -> Counter[int]:
    """Inventory at the end: one event after the other, with the inventory itself put back by an undo."""
    inventory: Counter[int] = Counter()
    shopped: list[tuple[dict[str, Any], list[int]]] = []
    for place, event in enumerate(events):
        kind, item = event["type"], event.get("itemId", 0)
        if kind == "ITEM_PURCHASED":
            taken: list[int] = []
            for earlier in reversed(events[:place]):
                if earlier["type"] != "ITEM_DESTROYED" or earlier["timestamp"] != event["timestamp"]:
                    break
                taken.append(earlier["itemId"])
            if item in taken:
                continue
            inventory[item] += 1
            shopped.append((event, taken))
        elif kind == "ITEM_SOLD":
            # A biscuit of a rune is sold as well.
            shopped.append((event, [item] if inventory[item] else []))
            inventory[item] -= inventory[item] > 0
        elif kind == "ITEM_UNDO":
            action, taken = shopped.pop()
            inventory.update(taken)
            inventory[action["itemId"]] -= action["type"] == "ITEM_PURCHASED"
        elif _is_lost(events, place, is_viego):
            inventory[item] -= inventory[item] > 0
        elif item in TURNS and not is_viego:
            inventory[item] -= inventory[item] > 0
            inventory[TURNS[item]] += 1
    return +inventory


def _is_lost(events: list[dict[str, Any]], place: int, is_viego: bool) -> bool:
    event = events[place]
    for later in events[place + 1 :]:
        if later["timestamp"] != event["timestamp"]:
            break
        if later["type"] == "ITEM_PURCHASED":
            return True
    if event["itemId"] in TRINKETS or event["itemId"] in TURNS:
        return False
    together = [each["itemId"] for each in events if each["timestamp"] == event["timestamp"]]
    # Potions, wards and pets alone are used up; together with more they are put by.
    return not is_viego or all(each in {2003, 2010, 2055, 1035, 1039, 1101, 1102, 1103, 3513} for each in together)


def test_real_participants_end_with_what_a_plain_machine_gives(realdata: Path) -> None:
    rows_of = happened(realdata).partition_by("match_id", "participant_id", as_dict=True)
    compared = 0
    for match_id, pair in documents(realdata).items():
        by_participant: dict[int, list[dict[str, Any]]] = {}
        for event in pair.events:
            if event["type"].startswith("ITEM_"):
                by_participant.setdefault(event["participantId"], []).append(event)
        for player in pair.match["participants"]:
            number, name = player["participantId"], player["championName"]
            # Somebody's items were exchanged in each round of an Arena, and an Ornn's was forged.
            if (match_id, number) in {("NA1_4732269793", 2), ("NA1_4582781428", 6)}:
                continue
            expected = _plainly(by_participant.get(number, []), name == "Viego")
            events = rows_of.get((match_id, number))
            found = Counter(held(events, match_id, number)) if events is not None else Counter()
            assert found == expected, (match_id, number, name)
            compared += 1
    assert compared == 390


def test_every_real_item_event_is_a_row(realdata: Path) -> None:
    told = {
        (match_id, index): event["type"]
        for match_id, pair in documents(realdata).items()
        for index, event in enumerate(pair.events)
        if event["type"].startswith("ITEM_")
    }
    names = {"purchased": "ITEM_PURCHASED", "sold": "ITEM_SOLD", "undone": "ITEM_UNDO"}
    found = {
        (match_id, index): names.get(action, "ITEM_DESTROYED")
        for match_id, index, action in happened(realdata).select("match_id", "event_index", "action").iter_rows()
    }
    assert found == told


def test_going_through_few_matches_at_once_gives_the_same(realdata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = (bronze(realdata)[TimelineEvents], versioned_matches(realdata), reference(realdata))
    monkeypatch.setattr("gamestats_assets.lol.matches.item_events._AT_ONCE", 700)
    made = item_events(*(each.lazy() for each in told))  # pyright: ignore[reportArgumentType]
    assert kept(ItemEvents, made).equals(happened(realdata))


def test_every_real_undo_takes_something_back(realdata: Path) -> None:
    events = happened(realdata)
    undone = events.filter(pl.col("is_undone") & pl.col("action").is_in(["purchased", "sold"]))
    assert undone.height == events.filter(pl.col("action") == "undone").height > 200


def test_who_takes_nothing_back_never_holds_more_than_six_items(realdata: Path) -> None:
    events = happened(realdata).join(versioned_matches(realdata).select("match_id", "map_id"), on="match_id")
    undoing = events.filter(pl.col("action") == "undone").select("match_id", "participant_id").unique()
    # Consumables share slots, and trinkets have their own.
    not_in_slots = [*TRINKETS, 2003, 2010, 2052, 2055]
    acquired = events.join(undoing, on=["match_id", "participant_id"], how="anti").filter(
        pl.col("action").is_in(["purchased", "transformed"]) & ~pl.col("item_id").is_in(not_in_slots)
    )
    changes = pl.concat(
        [
            acquired.select("match_id", "participant_id", "at_s", change=1),
            acquired.drop_nulls("held_until_s").select("match_id", "participant_id", at_s="held_until_s", change=-1),
        ]
    ).sort("match_id", "participant_id", "at_s", "change")
    most = changes.with_columns(pl.col("change").cum_sum().over("match_id", "participant_id")).get_column("change")
    assert changes.height > 3000
    assert most.max() == 6
