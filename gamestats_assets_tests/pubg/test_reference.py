"""The shipped catalogues: complete against the official dictionaries, and kind to what they lack."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.pubg import reference
from gamestats_assets.simulators.pubg.world import MAPS


def dictionary(realdata: Path, name: str) -> Any:
    return json.loads((realdata / "pubg" / "dictionaries" / f"{name}.json").read_text())


def category(*weapon_ids: str | None) -> list[str]:
    return (
        pl.DataFrame({"id": weapon_ids}, schema={"id": pl.String})
        .select(reference.weapon_category(pl.col("id")))["id"]
        .to_list()
    )


def test_every_official_causer_has_a_category(realdata: Path) -> None:
    official = dictionary(realdata, "telemetry__damageCauserName")
    assert len(official) == 209
    catalogue = dict(reference.weapons().select("weapon_id", "weapon_name").iter_rows())
    assert official.keys() <= catalogue.keys()
    assert {key: catalogue[key] for key in official} == official


def test_categories_are_the_thirteen_and_ids_stand_once() -> None:
    weapons = reference.weapons()
    assert set(weapons["category"]) == set(reference.CATEGORIES)
    assert len(reference.CATEGORIES) == 13
    assert weapons["weapon_id"].is_unique().all()
    assert weapons.null_count().row(0) == (0, 0, 0)


@pytest.mark.parametrize(
    ("weapon_id", "expected"),
    [
        ("WeapHK416_C", "AR"),
        ("WeapM416_C", "AR"),
        ("WeapFNFal_C", "DMR"),
        ("WeapVSS_C", "DMR"),
        ("WeapKar98k_C", "SR"),
        ("WeapBizonPP19_C", "SMG"),
        ("WeapSawnoff_C", "Shotgun"),
        ("WeapMG3_C", "LMG"),
        ("Weapvz61Skorpion_C", "Pistol"),
        ("PlayerFemale_A_C", "Melee"),
        ("WeapPanProjectile_C", "Melee"),
        ("ProjGrenade_C", "Throwable"),
        ("BP_MolotovFireDebuff_C", "Throwable"),
        ("Bluezonebomb_EffectActor_C", "Throwable"),
        ("WeapCrossbow_1_C", "Special"),
        ("PanzerFaust100M_Projectile_C", "Special"),
        ("BP_Motorbike_04_C", "Vehicle"),
        ("WeapTurret_KillTruck_Main_C", "Vehicle"),
        ("TslGameMode_LandmarkBP_C", "Environment"),
        ("RedZoneBomb_C", "Environment"),
        ("UltAIPawn_Base_Male_C", "Environment"),
        ("None", "Other"),
    ],
)
def test_category_of(weapon_id: str, expected: str) -> None:
    assert category(weapon_id) == [expected]


def test_unknown_and_missing_weapons_are_other() -> None:
    assert category("WeapRailgun_C", None, "") == ["Other", "Other", "Other"]
    names = pl.DataFrame({"id": ["WeapFNFal_C", "WeapRailgun_C"]}).select(reference.weapon_name(pl.col("id")))["id"]
    assert names.to_list() == ["SLR", None]


def test_every_official_map_and_every_simulated_one_is_known(realdata: Path) -> None:
    known = dict(reference.maps().select("map_id", "map_name").iter_rows())
    assert dictionary(realdata, "telemetry__mapName").keys() <= known.keys()
    assert MAPS.keys() <= known.keys()
    sizes = dict(reference.maps().select("map_id", "size_cm").iter_rows())
    assert (sizes["Baltic_Main"], sizes["Savage_Main"], sizes["Heaven_Main"]) == (816_000, 408_000, 102_000)
    named = pl.DataFrame({"id": ["Baltic_Main", "Moon_Main", None]}).select(reference.map_name(pl.col("id")))["id"]
    assert named.to_list() == ["Erangel", "Moon_Main", None]


def test_throwables_exist_in_the_item_dictionary(realdata: Path) -> None:
    items = dictionary(realdata, "telemetry__item__itemId")
    table = dict(reference.throwables().select("item_id", "item_name").iter_rows())
    assert {key: items[key] for key in table} == table


def test_tactical_throwables_and_playthings() -> None:
    thrown = pl.DataFrame(
        {
            "id": [
                "Item_Weapon_Grenade_C",
                "Item_Weapon_SmokeBomb_C",
                "Item_Weapon_DecoyGrenade_C",
                "Item_Weapon_Snowball_C",
                "Item_Weapon_Apple_C",
                "Item_Weapon_GoldenApple_C",
                "Item_Weapon_TearGas_C",
                None,
            ]
        }
    ).select(tactical=reference.is_tactical(pl.col("id")), smoke=reference.is_smoke(pl.col("id")))
    assert thrown["tactical"].to_list() == [True, True, True, False, False, False, True, True]
    assert thrown["smoke"].to_list() == [False, True, False, False, False, False, False, False]


def test_real_event_types_are_known(realdata: Path) -> None:
    known = set(reference.event_types()["event_type"])
    for path in (realdata / "pubg" / "telemetry_shapes").glob("*.json"):
        assert {event["_T"] for event in json.loads(path.read_text())} <= known


def test_a_spike_trap_is_no_tactical_throwable() -> None:
    trap = pl.DataFrame({"id": ["Item_Weapon_SpikeTrap_C"]}).select(reference.is_tactical(pl.col("id")))["id"]
    assert trap.to_list() == [False]
