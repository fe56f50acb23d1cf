"""Completed items in their order, with the gold at that moment; and what participants held at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol.matches.item_builds import final_items, item_builds
from gamestats_assets.lol.tables import (
    FinalItems,
    ItemBuilds,
    ItemEvents,
    Items,
    Matches,
    RawParticipants,
)
from gamestats_assets_tests.lol.pipeline import real_tables
from gamestats_assets_tests.lol.scenario import gold_frames, kept, rows, ten

SWORD, AXE, BLADE, BOOTS, SHOES = 1, 2, 3, 4, 5
TEAR, MURAMANA, MASTERWORK = 6, 7, 8
POTION, WARD, LENS, EFFIGY, SNACK = 2003, 3340, 3364, 3330, 2052
VERSION = "13.14.1"
LISTED: dict[int, dict[str, Any]] = {
    SWORD: {"kind": "component"},
    AXE: {"kind": "core"},
    BLADE: {"kind": "core"},
    BOOTS: {"kind": "boots"},
    SHOES: {"kind": "boots"},
    TEAR: {"kind": "core"},
    MURAMANA: {"kind": "core", "transformed_from": TEAR},
    MASTERWORK: {"kind": "core", "upgraded_from": AXE},
    POTION: {"kind": "consumable"},
    SNACK: {"kind": "consumable"},
    WARD: {"kind": "trinket"},
    LENS: {"kind": "trinket"},
    EFFIGY: {"kind": "trinket", "required_champion": "FiddleSticks"},
}


def bought(item: int, at_s: float, **more: Any) -> dict[str, Any]:
    return {"action": "purchased", "item_id": item, "at_s": at_s, "participant_id": 1, **more}


def turned(item: int, at_s: float, base: int) -> dict[str, Any]:
    return bought(item, at_s, action="transformed", other_item_id=base)


def listing(version: str = VERSION) -> pl.DataFrame:
    usual = {"version": version, "patch": version.rpartition(".")[0]}
    return rows(Items, *({**usual, "item_id": item, "name": str(item), **facts} for item, facts in LISTED.items()))


def built(*events: dict[str, Any], frames: pl.DataFrame | None = None, items: pl.DataFrame | None = None) -> list[Any]:
    """Rows of `ItemBuilds` in the order of completion."""
    result = item_builds(
        rows(ItemEvents, *events).lazy(),  # pyright: ignore[reportArgumentType]
        rows(Matches, {"data_dragon_version": VERSION}).lazy(),  # pyright: ignore[reportArgumentType]
        ten().lazy(),  # pyright: ignore[reportArgumentType]
        (listing() if items is None else items).lazy(),  # pyright: ignore[reportArgumentType]
        (gold_frames((0, 500, 500)) if frames is None else frames).lazy(),  # pyright: ignore[reportArgumentType]
    )
    return kept(ItemBuilds, result).sort("participant_id", "completion").rows(named=True)


# --------------------------------------------------------------------------- builds


def test_core_items_and_boots_are_numbered_in_their_order() -> None:
    found = built(bought(SWORD, 5.0), bought(BLADE, 10.0), bought(BOOTS, 20.0), bought(AXE, 30.0))
    assert [(each["item_id"], each["kind"], each["completion"], each["core_order"]) for each in found] == [
        (BLADE, "core", 1, 1),
        (BOOTS, "boots", 2, None),
        (AXE, "core", 3, 2),
    ]
    assert [each["completed_at_s"] for each in found] == [10.0, 20.0, 30.0]


def test_of_a_double_completion_the_first_counts() -> None:
    found = built(bought(AXE, 10.0, held_until_s=15.0), bought(BLADE, 20.0), bought(AXE, 30.0))
    assert [(each["item_id"], each["completed_at_s"], each["left_at_s"]) for each in found] == [
        (AXE, 10.0, None),
        (BLADE, 20.0, None),
    ]


def test_an_item_left_when_the_last_one_of_it_did() -> None:
    found = built(bought(AXE, 10.0, held_until_s=15.0), bought(AXE, 30.0, held_until_s=40.0))
    assert [(each["completed_at_s"], each["left_at_s"]) for each in found] == [(10.0, 40.0)]


def test_what_an_item_turned_into_has_its_number() -> None:
    before, after = (bought(TEAR, 10.0, held_until_s=30.0), bought(AXE, 20.0)), bought(BLADE, 40.0)
    found = built(*before, turned(MURAMANA, 30.0, TEAR), after)
    assert [(each["item_id"], each["completion"], each["core_order"], each["transformed_from"]) for each in found] == [
        (TEAR, 1, 1, None),
        (AXE, 2, 2, None),
        (MURAMANA, 3, 1, TEAR),
        (BLADE, 4, 3, None),
    ]
    assert [each["is_transformation"] for each in found] == [False, False, True, False]
    assert found[0]["left_at_s"] == 30.0


@pytest.mark.parametrize("masterwork", [bought(MASTERWORK, 20.0), turned(MASTERWORK, 20.0, AXE)])
def test_a_masterwork_is_what_its_item_turned_into(masterwork: dict[str, Any]) -> None:
    found = built(bought(AXE, 10.0, held_until_s=20.0), masterwork)
    assert [(each["item_id"], each["core_order"], each["transformed_from"]) for each in found] == [
        (AXE, 1, None),
        (MASTERWORK, 1, AXE),
    ]


def test_gold_is_that_between_two_frames() -> None:
    frames = gold_frames((0, 500, 500), (60_000, 700, 600))
    (of_blue,) = built(bought(AXE, 30.0), frames=frames)
    assert (of_blue["team_gold_diff"], of_blue["lane_gold_diff"]) == (250.0, 50.0)
    (of_red,) = built(bought(AXE, 15.0, participant_id=7), frames=frames)
    assert (of_red["team_gold_diff"], of_red["lane_gold_diff"]) == (-125.0, -25.0)
    (after_the_end,) = built(bought(AXE, 61.0), frames=frames)
    assert (after_the_end["team_gold_diff"], after_the_end["lane_gold_diff"]) == (None, None)


def test_an_item_that_the_version_does_not_list_is_known_from_another() -> None:
    items = pl.concat([listing().filter(pl.col("item_id") != AXE), listing("13.15.1")])
    found = built(bought(AXE, 10.0), bought(BLADE, 20.0), items=items)
    assert [(each["item_id"], each["items_version"]) for each in found] == [(AXE, "13.15.1"), (BLADE, VERSION)]


# --------------------------------------------------------------------------- the end


def ended(
    events: list[dict[str, Any]], recorded: list[int], map_id: int = 11, champion_name: str = "Jax"
) -> dict[str, Any]:
    """The row of `FinalItems` of the one participant."""
    slots = {f"item{slot}": item for slot, item in enumerate([*recorded, 0, 0, 0, 0, 0, 0][:7])}
    player = {"participant_id": 1, "champion_name": champion_name, **slots}
    result = final_items(
        rows(ItemEvents, *events).lazy(),  # pyright: ignore[reportArgumentType]
        rows(RawParticipants, player).lazy(),  # pyright: ignore[reportArgumentType]
        rows(Matches, {"data_dragon_version": VERSION, "map_id": map_id}).lazy(),  # pyright: ignore[reportArgumentType]
        listing().lazy(),  # pyright: ignore[reportArgumentType]
    )
    return kept(FinalItems, result).row(0, named=True)


def used(item: int, at_s: float = 1.0, action: str = "destroyed") -> dict[str, Any]:
    return bought(item, at_s, action=action)


@pytest.mark.parametrize(
    ("events", "recorded", "map_id", "champion_name"),
    [
        pytest.param([], [WARD], 11, "Jax", id="the free ward"),
        pytest.param([bought(LENS, 1.0), bought(AXE, 2.0)], [AXE, LENS], 11, "Jax", id="a trinket bought"),
        pytest.param([used(WARD, action="set_aside")], [WARD], 11, "Jax", id="a ward that came back"),
        pytest.param([bought(POTION, 1.0), bought(POTION, 2.0)], [POTION, WARD], 11, "Jax", id="potions share a slot"),
        pytest.param([bought(AXE, 1.0), bought(AXE, 2.0)], [AXE, AXE, WARD], 11, "Jax", id="items do not"),
        pytest.param([used(SNACK)], [SNACK], 12, "Jax", id="a snack left"),
        pytest.param([used(SNACK), used(SNACK)], [], 12, "Jax", id="no snack left"),
        pytest.param([], [3348], 30, "Jax", id="the Arena's sweeper"),
        pytest.param([], [], 21, "Jax", id="a map that gives nothing"),
        pytest.param([], [EFFIGY], 11, "FiddleSticks", id="the champion's own trinket"),
        pytest.param([bought(AXE, 1.0, held_until_s=5.0)], [WARD], 11, "Jax", id="sold"),
        pytest.param([bought(AXE, 1.0, is_undone=True)], [WARD], 11, "Jax", id="taken back"),
        pytest.param([turned(MURAMANA, 1.0, TEAR)], [WARD, MURAMANA], 11, "Jax", id="turned"),
    ],
)
def test_what_is_held_is_what_is_recorded(
    events: list[dict[str, Any]], recorded: list[int], map_id: int, champion_name: str
) -> None:
    found = ended(events, recorded, map_id, champion_name)
    assert found["computed_item_ids"] == found["recorded_item_ids"] == sorted(recorded)
    assert (found["agrees"], found["reason"]) == (True, None)


@pytest.mark.parametrize(
    ("events", "recorded", "champion_name", "reason"),
    [
        pytest.param([], [SWORD, WARD], "Jax", "was not bought", id="given"),
        pytest.param([bought(AXE, 1.0)], [MASTERWORK, WARD], "Jax", "An ally's forge", id="forged"),
        pytest.param([bought(AXE, 1.0)], [BLADE, WARD], "Viego", "items together with their bodies", id="Viego"),
        pytest.param([bought(AXE, 1.0)], [BLADE, WARD], "Jax", "does not show why", id="exchanged"),
        pytest.param([bought(AXE, 1.0)], [WARD], "Jax", "does not show why", id="gone"),
        pytest.param([bought(AXE, 1.0)], [AXE, AXE, WARD], "Jax", "does not show why", id="doubled"),
        pytest.param([bought(AXE, 1.0, held_until_s=2.0)], [AXE, WARD], "Jax", "does not show why", id="back again"),
    ],
)
def test_what_differs_has_a_reason(
    events: list[dict[str, Any]], recorded: list[int], champion_name: str, reason: str
) -> None:
    found = ended(events, recorded, champion_name=champion_name)
    assert not found["agrees"]
    assert reason in found["reason"]


# --------------------------------------------------------------------------- real matches


def test_at_least_97_in_100_on_the_rift_end_with_what_is_recorded(realdata: Path) -> None:
    real = real_tables(realdata)
    ends = real[FinalItems].join(real[Matches].select("match_id", on_rift=pl.col("map_id") == 11), on="match_id")
    rift, others = ends.filter("on_rift"), ends.filter(~pl.col("on_rift"))
    assert rift.height == 320
    assert rift.get_column("agrees").sum() / rift.height >= 0.97
    assert set(rift.filter(~pl.col("agrees")).get_column("reason")) == {
        "It was not bought; a rune, the champion or the mode gave it."
    }
    assert others.get_column("agrees").sum() / others.height >= 0.95
