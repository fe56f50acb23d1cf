"""Data Dragon: landed documents against what plain Python reads in them, versions, and fetching over real HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.lol.reference.data_dragon import (
    Documents,
    DocumentsFetched,
    VersionChoice,
    fetch_patches,
    landed_versions,
    patches_of,
    read_documents,
)
from gamestats_assets.lol.source import ingest, ingest_payload
from gamestats_assets.lol.tables import DataDragonChampions, DataDragonItems
from gamestats_assets_tests.lol.files import champion, champions, item, items, match_object
from gamestats_assets_tests.lol.riot.api_server import RiotServer
from gamestats_assets_tests.pubg.api_server import Answer


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def land(landing: Landing, **documents: bytes) -> Documents:
    """Land documents by file name, `en_US__2` being a second one, and read all."""
    for name, content in documents.items():
        assert ingest_payload(content, f"{name.partition('__')[0]}.json", landing).status == "taken"
    return read_documents(landing)


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dicts()


# ---------------------------------------------------------------- the real documents


@pytest.fixture(scope="module")
def real(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Documents]:
    landing = Landing(tmp_path_factory.mktemp("real") / "landing")
    ingest([realdata / "lol" / "datadragon"], landing)
    return realdata / "lol" / "datadragon", read_documents(landing)


def test_every_real_item_is_read_as_it_stands_there(real: tuple[Path, Documents]) -> None:
    folder, documents = real
    expected: dict[tuple[str, str, int], dict[str, Any]] = {}
    for path in folder.glob("*_item.json.gz"):
        version, first, second, _ = path.name.split("_")
        for key, entry in json.loads(gzip.decompress(path.read_bytes()))["data"].items():
            if key.isdigit():
                expected[version, f"{first}_{second}", int(key)] = {
                    "patch": version.rpartition(".")[0],
                    "name": entry["name"],
                    "plaintext": entry["plaintext"],
                    "gold_total": entry["gold"]["total"],
                    "gold_base": entry["gold"]["base"],
                    "gold_sell": entry["gold"]["sell"],
                    "purchasable": entry["gold"]["purchasable"],
                    "in_store": entry.get("inStore", True),
                    "from_ids": [int(component) for component in entry.get("from", [])],
                    "into_ids": [int(product) for product in entry.get("into", [])],
                    "tags": entry["tags"],
                    "depth": entry.get("depth"),
                    "special_recipe": entry.get("specialRecipe"),
                    "required_champion": entry.get("requiredChampion"),
                    "required_ally": entry.get("requiredAlly"),
                    "consumed": entry.get("consumed", False),
                    "map_ids": sorted(int(number) for number, is_on in entry["maps"].items() if is_on),
                }
    found = {(row.pop("version"), row.pop("language"), row.pop("item_id")): row for row in rows(documents.items)}
    assert len(expected) > 3000
    assert found == expected
    assert documents.items.schema == DataDragonItems.schema()
    assert screen(DataDragonItems, documents.items).rejections == []


# ---------------------------------------------------------------- entries


def test_what_an_entry_does_not_tell_has_its_default(landing: Landing) -> None:
    bare = {"name": "Boots", "gold": {"base": 300, "total": 300, "sell": 210, "purchasable": True}}
    (row,) = rows(land(landing, en_US=items(i1001=bare)).items)
    assert row == {
        "version": "13.14.1", "patch": "13.14", "language": "en_US", "item_id": 1001, "name": "Boots",
        "plaintext": None, "gold_total": 300, "gold_base": 300, "gold_sell": 210, "purchasable": True,
        "in_store": True, "from_ids": [], "into_ids": [], "tags": [], "depth": None, "special_recipe": None,
        "required_champion": None, "required_ally": None, "consumed": False, "map_ids": [],
    }  # fmt: skip


BROKEN: dict[str, Any] = {
    "no object": 7,
    "no name": {"gold": item()["gold"]},
    "no gold": {"name": "x"},
    "gold that is none": item(gold={"base": "much"}),
    "components that are none": item() | {"from": ["TalentReaperItem"]},
    "a map that is none": item(maps={"Rift": True}),
    "more gold than there is": item(gold={"base": 2**40, "total": 1, "sell": 1, "purchasable": True}),
}


@pytest.mark.parametrize("why", BROKEN)
def test_an_entry_that_cannot_be_read_is_rejected_and_the_others_stand(landing: Landing, why: str) -> None:
    documents = land(landing, en_US=items(i1=item("one"), i2=BROKEN[why], i3=item("three")))
    assert documents.items.get_column("item_id").to_list() == [1, 3]
    (rejection,) = documents.rejections[DataDragonItems]
    assert (rejection.scope, rejection.rejected_rows) == ("row", 1)
    assert "item '2'" in rejection.reason
    assert json.loads(rejection.content or "") == BROKEN[why]


def test_champions_tell_their_highest_ranks_where_spells_are_listed(landing: Landing) -> None:
    documents = land(
        landing,
        en_US=champions(champion("Udyr", 77, ranks=(6, 6, 6, 6)), champion("MonkeyKing", 62, "Wukong", (5, 5, 5, 3))),
        ko_KR=champions(champion("Udyr", 77, "우디르")),
        ko_KR__2=champions({"id": "NoKey", "name": "x"}),
    )
    result = [
        (row["language"], row["champion_key"], row["name"], row["max_ranks"]) for row in rows(documents.champions)
    ]
    assert result == [
        ("en_US", "MonkeyKing", "Wukong", [5, 5, 5, 3]),
        ("en_US", "Udyr", "Udyr", [6, 6, 6, 6]),
        ("ko_KR", "Udyr", "우디르", None),
    ]
    (rejection,) = documents.rejections[DataDragonChampions]
    assert "champion 'NoKey'" in rejection.reason


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_documents_of_a_version_the_one_with_ranks_and_most_entries_counts(
    landing: Landing, turned: bool
) -> None:
    contents = {
        "en_US": champions(champion("Annie", 1, "plain"), champion("Olaf", 2, "plain")),
        "en_US__2": champions(champion("Annie", 1, "full", (5, 5, 5, 3))),
        "en_US__3": items(i1=item("of the larger"), i2=item("of the larger"), i5=item("of the larger")),
        "en_US__4": items(i1=item("of the smaller"), i3=item("of the smaller"), i4={}),
    }
    documents = land(landing, **dict(reversed(contents.items()) if turned else contents))
    assert [(row["champion_id"], row["name"]) for row in rows(documents.champions)] == [(1, "full"), (2, "plain")]
    assert [(row["item_id"], row["name"]) for row in rows(documents.items)] == [
        (1, "of the larger"), (2, "of the larger"), (3, "of the smaller"), (5, "of the larger"),
    ]  # fmt: skip
    assert read_documents(landing).items.equals(documents.items)


# ---------------------------------------------------------------- versions


def test_patches_of_matches_are_read_from_their_objects(landing: Landing) -> None:
    for number, version in enumerate(["13.9.1.2", "13.14.522.7601", "13.14.1.1", "", "unknown"]):
        ingest_payload(match_object(f"NA1_{number}", version=version), "m", landing)
    assert patches_of(landing, [f"NA1_{number}" for number in range(7)]) == ["13.9", "13.14"]
    assert patches_of(landing, ["NA1_0"]) == ["13.9"]


# ---------------------------------------------------------------- fetching


@pytest.fixture
def server() -> Iterator[RiotServer]:
    with RiotServer() as running:
        versions = ["14.1.1", "13.14.1", "13.13.2", "13.13.1", "13.9.1", "lolpatch_7.20", "0.151.2"]
        running.files["/api/versions.json"] = json.dumps(versions).encode()
        for version in versions[:5]:
            for language, name in (("en_US", "Boots"), ("ko_KR", "장화")):
                place = f"/cdn/{version}/data/{language}"
                running.files[f"{place}/item.json"] = items(version, i1001=item(f"{name} {version}"))
                running.files[f"{place}/championFull.json"] = champions(
                    champion("Annie", 1, name, (5, 5, 5, 3)), version=version
                )
        yield running


def fetch(landing: Landing, server: RiotServer, *patches: str, **options: Any) -> DocumentsFetched:
    return fetch_patches(landing, patches, base_url=server.url, sleep=lambda seconds: None, **options)


def test_what_stands_for_patches_lands_in_both_languages_as_it_was_sent(server: RiotServer, landing: Landing) -> None:
    done = fetch(landing, server, "13.14", "13.10", "13.13")
    assert (done.fetched, done.known, done.failures) == (12, 0, [])
    assert done.stands_for == {
        "13.10": VersionChoice("13.9.1", "earlier"),
        "13.13": VersionChoice("13.13.2", "exact"),
        "13.14": VersionChoice("13.14.1", "exact"),
    }
    documents = read_documents(landing)
    assert set(documents.items.select("version", "language", "name").iter_rows()) == {
        (version, language, f"{name} {version}")
        for version in ("13.9.1", "13.13.2", "13.14.1")
        for language, name in (("en_US", "Boots"), ("ko_KR", "장화"))
    }
    assert set(documents.champions.get_column("max_ranks").to_list()[0]) == {5, 3}
    assert documents.champions.height == 6
    (file,) = [f for f in landing.files("lol", "items_ko_kr") if b"13.14.1" in gzip.decompress(landing.read(f))]
    assert gzip.decompress(landing.read(file)) == server.files["/cdn/13.14.1/data/ko_KR/item.json"]
    assert all("x-riot-token" not in request.headers for request in server.requests)


def test_what_has_landed_is_not_fetched_again(server: RiotServer, landing: Landing) -> None:
    fetch(landing, server, "13.14")
    server.requests.clear()
    again = fetch(landing, server, "13.14")
    assert (again.fetched, again.known, server.requests) == (0, 4, [])
    more = fetch(landing, server, "13.14", "13.13", languages=["en_US"])
    assert (more.fetched, more.known) == (2, 2)
    assert [request.path for request in server.requests] == [
        "/api/versions.json", "/cdn/13.13.2/data/en_US/item.json", "/cdn/13.13.2/data/en_US/championFull.json",
    ]  # fmt: skip


def test_champions_without_ranks_leave_the_full_document_wanted(server: RiotServer, landing: Landing) -> None:
    land(landing, en_US=champions(champion("Annie", 1)), en_US__2=items("13.14.1"))
    assert landed_versions(landing, "champions", "en_US") == set()
    assert landed_versions(landing, "items", "en_US") == {"13.14.1"}
    assert (fetch(landing, server, "13.14", languages=["en_US"]).fetched) == 1
    assert landed_versions(landing, "champions", "en_US") == {"13.14.1"}
    assert read_documents(landing).champions.get_column("max_ranks").to_list() == [[5, 5, 5, 3]]


@pytest.mark.parametrize("body", [b"<html>", b"", items("13.13.1"), champions(), b'{"type": "item"}', items()[:-9]])
def test_what_is_not_the_document_does_not_land(server: RiotServer, landing: Landing, body: bytes) -> None:
    server.answer("/cdn/13.14.1/data/en_US/item.json", Answer(body=body))
    done = fetch(landing, server, "13.14", languages=["en_US"], attempts=2)
    assert (done.fetched, len(done.failures)) == (1, 1)
    assert "13.14.1" in done.failures[0]
    assert landing.undated_kinds("lol") == ["champions_en_us"]


@pytest.mark.parametrize("answer", [Answer(500), Answer(body=b"{}"), Answer(404), Answer(silent=True)])
def test_without_the_list_of_versions_nothing_is_fetched(server: RiotServer, landing: Landing, answer: Answer) -> None:
    server.answer("/api/versions.json", answer)
    done = fetch(landing, server, "13.14", attempts=2)
    assert (done.fetched, len(done.failures)) == (0, 1)
    assert "list of versions" in done.failures[0]
    assert {request.path for request in server.requests} == {"/api/versions.json"}
