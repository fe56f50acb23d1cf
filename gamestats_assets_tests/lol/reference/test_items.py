"""Items and champions: names over versions and languages, what items turn from, and what players call completed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol.reference.items import UnknownNameError, champions, ids_of_name, items, standing_items
from gamestats_assets.lol.tables import Champions, DataDragonChampions, DataDragonItems, Items
from gamestats_assets_tests.lol.pipeline import real_tables
from gamestats_assets_tests.lol.scenario import kept, rows

USUAL: dict[str, Any] = {"version": "13.14.1", "patch": "13.14", "language": "en_US"}
USUAL |= {"item_id": 1, "name": "Sword", "purchasable": True}


def made(*given: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    """Items of listed rows, by version and number."""
    frame = kept(Items, items(rows(DataDragonItems, *(USUAL | each for each in given)).lazy()))  # pyright: ignore[reportArgumentType]
    return {(row["version"], row["item_id"]): row for row in frame.iter_rows(named=True)}


def of_version(version: str, **facts: Any) -> dict[str, Any]:
    return {"version": version, "patch": version.rpartition(".")[0], **facts}


def kinds(*given: dict[str, Any]) -> dict[int, str]:
    return {item: row["kind"] for (_, item), row in made(*given).items()}


# --------------------------------------------------------------------------- names


def test_a_version_has_its_own_names() -> None:
    found = made(
        of_version("13.9.1", name="Old"),
        of_version("13.10.1", name="New"),
        of_version("13.10.1", name="새", language="ko_KR"),
    )
    assert [found[each, 1]["name"] for each in ("13.9.1", "13.10.1")] == ["Old", "New"]
    assert found["13.10.1", 1]["name_ko"] == "새"


def test_a_version_in_korean_alone_has_english_names_of_the_nearest_earlier_version() -> None:
    found = made(
        of_version("13.2.1", name="Older"),
        of_version("13.9.1", name="Old"),
        of_version("13.10.1", name="새", language="ko_KR"),
        of_version("13.11.1", name="Later"),
    )
    assert found["13.10.1", 1]["name"] == "Old"
    assert found["13.2.1", 1]["name_ko"] == "새"


def test_a_name_in_any_language_is_better_than_none() -> None:
    found = made(of_version("13.10.1", name="剑", language="zh_CN"), of_version("13.11.1", name="", item_id=2))
    assert (found["13.10.1", 1]["name"], found["13.10.1", 1]["name_ko"]) == ("剑", None)
    assert found["13.11.1", 2]["name"] == "item 2"


def test_a_number_given_to_another_item_does_not_keep_the_name() -> None:
    found = made(
        of_version("13.1.1", name="Stopwatch"),
        of_version("14.1.1", name="팔목 보호대", language="ko_KR", from_ids=[2, 3]),
        of_version("15.1.1", name="Armguard", from_ids=[3, 2]),
    )
    assert found["14.1.1", 1]["name"] == "Armguard"
    assert found["13.1.1", 1]["name_ko"] is None


def test_a_changed_recipe_keeps_the_name() -> None:
    found = made(
        of_version("13.1.1", name="Staff", from_ids=[2, 3]),
        of_version("14.1.1", name="지팡이", language="ko_KR", from_ids=[2, 4]),
    )
    assert found["14.1.1", 1]["name"] == "Staff"


def test_names_have_no_markup() -> None:
    marked = {"name": "<rarity>Fire at Will</rarity><br><gold>500 Serpents</gold>"}
    found = made(marked, {"item_id": 2, "name": "Axe<br>"})
    assert [found["13.14.1", item]["name"] for item in (1, 2)] == ["Fire at Will 500 Serpents", "Axe"]


# --------------------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        pytest.param({"gold_total": 2200, "from_ids": [7]}, "core", id="completed"),
        pytest.param({"gold_total": 2199, "from_ids": [7]}, "other", id="too cheap"),
        pytest.param({"gold_total": 2200, "from_ids": [7], "into_ids": [5]}, "component", id="built upon"),
        pytest.param({"gold_total": 3000, "from_ids": [7], "tags": ["Consumable"]}, "core", id="tagged wrongly"),
        pytest.param({"gold_total": 1100, "from_ids": [1001], "tags": ["Boots"]}, "boots", id="boots"),
        pytest.param({"gold_total": 1850, "from_ids": [8]}, "boots", id="boots without the tag"),
        pytest.param({"gold_total": 1000, "tags": ["Boots"]}, "boots", id="boots of the Arena"),
        pytest.param({"gold_total": 300, "tags": ["Boots"], "into_ids": [5]}, "component", id="plain boots"),
        pytest.param({"gold_total": 2000, "tags": ["Boots"], "into_ids": [5]}, "boots", id="boots with a third tier"),
        pytest.param({"gold_total": 450, "tags": ["Lane"]}, "starter", id="Doran's"),
        pytest.param({"gold_total": 450, "tags": ["Jungle"]}, "starter", id="the jungle's"),
        pytest.param({"gold_total": 350, "tags": ["Lane"], "into_ids": [5]}, "component", id="a seal"),
        pytest.param({"gold_total": 400, "tags": ["GoldPer", "Lane"]}, "starter", id="a support's"),
        pytest.param(
            {"gold_total": 400, "tags": ["GoldPer", "Lane"], "special_recipe": 6}, "quest", id="a support's, grown"
        ),
        pytest.param({"gold_total": 0, "tags": ["Trinket"]}, "trinket", id="a trinket"),
        pytest.param({"gold_total": 50, "tags": ["Consumable", "Lane"], "consumed": True}, "consumable", id="a potion"),
        pytest.param({"gold_total": 0, "special_recipe": 6}, "other", id="a placeholder"),
    ],
)
def test_kinds_follow_from_what_is_listed(facts: dict[str, Any], kind: str) -> None:
    others = [{"item_id": item, "gold_total": gold} for item, gold in ((5, 3000), (6, 400), (7, 400))]
    boots = {"item_id": 8, "gold_total": 1100, "tags": ["Boots"]}
    assert kinds(facts, *others, boots)[1] == kind


def test_what_an_allys_forge_makes_of_it_leaves_an_item_completed() -> None:
    forged = {"item_id": 7001, "gold_total": 3100, "gold_base": 0, "purchasable": False, "from_ids": [1]}
    found = made({"gold_total": 3100, "into_ids": [7001]}, forged)
    assert found["13.14.1", 1]["kind"] == found["13.14.1", 7001]["kind"] == "core"
    assert (found["13.14.1", 7001]["upgraded_from"], found["13.14.1", 7001]["transformed_from"]) == (1, None)


def test_what_it_turns_into_by_itself_leaves_an_item_completed() -> None:
    turned = {"item_id": 2, "gold_total": 2250, "purchasable": False, "special_recipe": 1}
    found = made({"gold_total": 2250, "from_ids": [7], "into_ids": [2]}, turned)
    assert found["13.14.1", 1]["kind"] == found["13.14.1", 2]["kind"] == "core"
    assert (found["13.14.1", 2]["transformed_from"], found["13.14.1", 1]["transformed_from"]) == (1, None)


def test_an_item_of_a_modes_own_list_turns_from_that_list() -> None:
    own = {"gold_total": 2500, "purchasable": False, "special_recipe": 3004}
    found = made({"item_id": 3004}, {"item_id": 223004}, own | {"item_id": 3042}, own | {"item_id": 223042})
    assert [found["13.14.1", item]["transformed_from"] for item in (3042, 223042)] == [3004, 223004]
    alone = made({"item_id": 3004}, own | {"item_id": 223042})
    assert alone["13.14.1", 223042]["transformed_from"] == 3004


def test_a_token_for_one_of_several_items_is_no_item_of_its_own() -> None:
    token = {"item_id": 220007, "gold_total": 4000}
    chosen = {"gold_total": 1000, "special_recipe": 220007}
    found = made(token, chosen | {"item_id": 443054}, chosen | {"item_id": 443055})
    assert [found["13.14.1", item]["kind"] for item in (220007, 443054, 443055)] == ["other", "core", "core"]
    assert found["13.14.1", 220007]["goes_by_itself"]


def test_stopwatches_and_armguards_break_although_nothing_says_so() -> None:
    found = made({"item_id": 2420, "gold_total": 1600}, {"item_id": 2421, "gold_total": 1600})
    assert found["13.14.1", 2421]["transformed_from"] == 2420
    assert made({"item_id": 2421})["13.14.1", 2421]["transformed_from"] is None


# --------------------------------------------------------------------------- what is at hand


PLAYERS_CALL_COMPLETED = {
    "11.23.1": "Trinity Force|Kraken Slayer|Muramana|Seraph's Embrace|Fimbulwinter|Guardian Angel|Abyssal Mask",
    "12.21.1": "Trinity Force|Kraken Slayer|Wyrmfallen Sacrifice|Luden's Tempest|Goredrinker|Muramana|Ardent Censer",
    "13.15.1": "Heartsteel|Rod of Ages|Jak'Sho, The Protean|Leviathan|Infinity Edge|Statikk Shiv|Imperial Mandate",
    "13.24.1": "Heartsteel|Eclipse|Duskblade of Draktharr|Radiant Virtue|Echoes of Helia|Zeke's Convergence",
    "14.10.1": "Kaenic Rookern|Stormsurge|Profane Hydra|Terminus|Sundered Sky|Dawncore|Unending Despair|Muramana",
    "15.4.1": "Blackfire Torch|Overlord's Bloodmail|Yun Tal Wildarrows|Cryptbloom|Ardent Censer|Seraph's Embrace",
    "16.4.1": "Blackfire Torch|Trinity Force|Rabadon's Deathcap|Liandry's Torment|Bloodletter's Curse|Fimbulwinter",
}
NOBODY_CALLS_COMPLETED = (
    "Boots|Plated Steelcaps|Swiftmarch|Gunmetal Greaves|Tear of the Goddess|Sheen|Lost Chapter|Mejai's Soulstealer|"
    "Doran's Blade|Cull|World Atlas|Celestial Opposition|Bloodsong|Shard of True Ice|Oracle Lens|Elixir of Wrath|"
    "Control Ward|Prismatic Item|Legendary Mage Item|Stopwatch|Needlessly Large Rod|B. F. Sword|Noonquiver"
)


@pytest.mark.parametrize("version", list(PLAYERS_CALL_COMPLETED))
def test_completed_items_are_those_that_players_call_so(realdata: Path, version: str) -> None:
    # Modes with lists of their own sell what is a component elsewhere.
    found = real_tables(realdata)[Items].filter((pl.col("version") == version) & (pl.col("item_id") < 10_000))
    core = set(found.filter(pl.col("kind") == "core").get_column("name"))
    assert set(PLAYERS_CALL_COMPLETED[version].split("|")) <= core
    assert not core & set(NOBODY_CALLS_COMPLETED.split("|"))


# --------------------------------------------------------------------------- names that people write


def test_names_are_found_however_they_are_written() -> None:
    reference = rows(
        Items,
        {"item_id": 3040, "name": "Seraph's Embrace", "name_ko": "대천사의 포옹"},
        {"item_id": 223040, "name": "Seraph's Embrace"},
        {"item_id": 3042, "name": "Muramana", "name_ko": "무라마나"},
    )
    typographic = "Seraph\N{RIGHT SINGLE QUOTATION MARK}s Embrace"
    for written in ("seraphs embrace", "SERAPH'S EMBRACE ", typographic, "대천사의포옹"):
        assert 3040 in ids_of_name(reference, "item_id", written)
    assert ids_of_name(reference, "item_id", "seraphs embrace") == [3040, 223040]
    with pytest.raises(UnknownNameError, match=r"name of an item.*'Muramanna'\. Did you mean Muramana\?"):
        ids_of_name(reference, "item_id", "Muramanna")
    with pytest.raises(UnknownNameError, match=r"found 'xyz'\.$"):
        ids_of_name(reference, "item_id", "xyz")


# --------------------------------------------------------------------------- champions


def test_champions_have_names_and_ranks_of_the_nearest_version() -> None:
    usual = {"champion_id": 62, "champion_key": "MonkeyKing", "language": "en_US"}
    result = rows(
        DataDragonChampions,
        {**usual, "version": "13.9.1", "patch": "13.9", "name": "Wukong", "max_ranks": [5, 5, 5, 3]},
        {**usual, "version": "13.10.1", "patch": "13.10", "name": "오공", "language": "ko_KR", "max_ranks": None},
        {**usual, "version": "13.11.1", "patch": "13.11", "name": "Wukong", "max_ranks": [6, 5, 5, 3]},
    )
    found = kept(Champions, champions(result.lazy())).sort("patch")  # pyright: ignore[reportArgumentType]
    ranks = dict(found.select("version", "max_ranks").iter_rows())
    assert ranks == {"13.9.1": [5, 5, 5, 3], "13.10.1": [5, 5, 5, 3], "13.11.1": [6, 5, 5, 3]}
    assert set(found.get_column("name")) == {"Wukong"}
    assert set(found.get_column("name_ko")) == {"오공"}


# --------------------------------------------------------------------------- versions that stand for others


def test_an_item_that_a_version_does_not_list_is_looked_up_in_the_nearest_that_does() -> None:
    reference = rows(
        Items,
        *(
            {"version": version, "patch": "1.1", "item_id": item, "name": f"{item} of {version}"}
            for version, items_of in (("13.2.1", (1, 2)), ("13.9.1", (1,)), ("13.10.1", (1, 3)), ("14.1.1", (3,)))
            for item in items_of
        ),
    )
    asked = pl.DataFrame({"data_dragon_version": ["13.9.1", "14.1.1", None]}, schema={"data_dragon_version": pl.String})
    found = standing_items(reference.lazy(), asked.lazy()).select("data_dragon_version", "item_id", "version").collect()
    assert sorted(found.iter_rows()) == [
        ("13.9.1", 1, "13.9.1"),
        ("13.9.1", 2, "13.2.1"),
        ("13.9.1", 3, "13.10.1"),
        ("14.1.1", 1, "13.10.1"),
        ("14.1.1", 2, "13.2.1"),
        ("14.1.1", 3, "14.1.1"),
    ]
