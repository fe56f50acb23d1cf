"""What `ingest` takes, leaves and quarantines of League of Legends files, real ones and damaged ones."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.lakehouse.landing.arrivals import UnrecognisedContentError
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lol.source import (
    document_kind,
    document_of,
    ingest,
    ingest_payload,
    mark_timeline_gone,
    recognise,
    refused,
)
from gamestats_assets_tests.lol.files import BEGAN, BEGAN_MS, champions, items, match_object, timeline

MATCH_ID = "NA1_47101"
DAY = "2023-07-14"


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


# ---------------------------------------------------------------- the real files


def test_the_real_folder_is_ingested_and_only_the_queues_are_not_taken(realdata: Path, landing: Landing) -> None:
    folder = realdata / "lol"
    arrived = [path for path in folder.rglob("*") if path.is_file()]
    report = ingest([folder], landing)
    assert report.files == len(arrived) == report.taken + report.quarantined
    assert [Path(o.name).name for o in report.outcomes if o.status == "quarantined"] == ["queues.json.gz"]
    documents: dict[str, int] = {}
    for path in (folder / "datadragon").iterdir():
        if path.name != "queues.json.gz":
            version, language, region, rest = path.name.split("_")
            kind = f"{rest.partition('.')[0]}s_{language}_{region.lower()}"
            documents[kind] = documents.get(kind, 0) + 1
            assert json.loads(gzip.decompress(path.read_bytes()))["version"] == version
    expected = {"match": 40, "timeline": 40, **documents}
    assert {kind: report.count("taken", kind) for kind, _ in report.totals if kind != "unreadable"} == expected
    assert {kind: len(landing.files("lol", kind)) for kind in landing.undated_kinds("lol") if "unread" not in kind} == (
        documents
    )
    again = ingest([folder], landing)
    assert (again.taken, again.known, again.quarantined) == (0, len(arrived) - 1, 1)
    assert (again.matches, again.days) == ((), ())


# ---------------------------------------------------------------- matches and timelines


def test_the_start_is_the_game_s_and_else_the_lobby_s() -> None:
    assert recognise(match_object()).started_at == BEGAN
    before = recognise(match_object(gameStartTimestamp=None)).started_at
    assert before == datetime(2023, 7, 14, 23, 49, tzinfo=UTC)
    assert recognise(match_object(gameStartTimestamp=0)).started_at == before


def test_a_game_that_never_began_is_of_the_day_of_its_end() -> None:
    ended = int(datetime(2022, 5, 22, 12, tzinfo=UTC).timestamp() * 1000)
    never = {"gameCreation": 0, "gameStartTimestamp": 0, "gameDuration": 0, "participants": []}
    assert recognise(match_object(**never, gameEndTimestamp=ended)).started_at == datetime(2022, 5, 22, 12, tzinfo=UTC)


def test_a_timeline_tells_its_start_by_its_earliest_clock() -> None:
    document = json.loads(timeline())
    later = {"type": "GAME_END", "timestamp": 60_000, "realTimestamp": BEGAN_MS + 61_500}
    document["info"]["frames"].append({"events": [later, {"type": "NEW_KIND", "timestamp": 5}]})
    document["info"]["frames"].append({"events": None})
    assert recognise(json.dumps(document).encode()).started_at == BEGAN


def test_a_timeline_without_a_clock_and_without_its_match_says_what_it_needs(inbox: Path, landing: Landing) -> None:
    (inbox / "a.json").write_bytes(timeline(began_ms=None))
    (outcome,) = ingest([inbox], landing).outcomes
    assert outcome.status == "quarantined"
    assert "Ingest its match object with it" in outcome.reason
    (inbox / "b.json").write_bytes(match_object())
    report = ingest([inbox], landing)
    assert (report.taken, report.quarantined) == (2, 0)
    assert sorted(file.kind for file in landing.files("lol", DAY)) == ["match", "timeline"]


def test_a_cut_timeline_is_filed_with_its_match_by_its_name_or_its_folder(inbox: Path, landing: Landing) -> None:
    (inbox / "timelines").mkdir()
    (inbox / f"{MATCH_ID}.json").write_bytes(match_object())
    (inbox / f"{MATCH_ID}-timeline.json").write_bytes(timeline()[:-5])
    (inbox / "timelines" / f"{MATCH_ID}.json").write_bytes(timeline()[:-9])
    report = ingest([inbox], landing)
    assert (report.taken, report.quarantined) == (1, 2)
    assert sorted(file.kind for file in landing.files("lol", DAY)) == ["match", "timeline", "timeline"]
    assert refused(landing) == []


@pytest.mark.parametrize("name", [f"timelines of 2023/matches/{MATCH_ID}.json", "timelines/47101.json"])
def test_a_cut_file_that_is_no_timeline_by_its_name_is_filed_with_no_match(
    inbox: Path, landing: Landing, name: str
) -> None:
    (inbox / name).parent.mkdir(parents=True)
    (inbox / name).write_bytes(match_object()[:-9])
    ingest_payload(match_object(), "m", landing)
    assert ingest([inbox], landing).quarantined == 1
    assert [file.kind for file in landing.files("lol", DAY)] == ["match"]
    assert len(refused(landing)) == 1


def test_a_timeline_that_is_gone_is_marked_once_on_the_day_of_its_match(landing: Landing) -> None:
    ingest_payload(match_object(), "m", landing)
    assert mark_timeline_gone(landing, MATCH_ID, date(2020, 1, 1))
    assert not mark_timeline_gone(landing, MATCH_ID, date(2021, 1, 1))
    assert {kind: len(files) for kind, files in landing.held("lol", [MATCH_ID, "NA1_0"])[MATCH_ID].items()} == {
        "match": 1,
        "timeline_gone": 1,
    }
    assert landing.held("lol", ["NA1_0", "../x"]) == {"NA1_0": {}, "../x": {}}


# ---------------------------------------------------------------- Data Dragon


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("13.14.1_ko_KR_item.json.gz", "ko_KR"),
        ("/data/cdn/13.14.1/data/ko_KR/item.json", "ko_KR"),
        ("item-es-MX.json", "es_MX"),
        ("en_US/copies/item_ko_KR.json", "ko_KR"),
        ("en_US/ko_KR/item.json", "ko_KR"),
        ("https://example.org/cdn/13.14.1/data/zh_CN/item.json", "zh_CN"),
    ],
)
def test_the_language_is_what_the_name_tells_and_else_the_nearest_folder(path: str, language: str) -> None:
    assert recognise(items(), path).kind == f"items_{language.lower()}"
    assert recognise(champions(), path).kind == f"champions_{language.lower()}"


@pytest.mark.parametrize(
    "path", ["", "item.json", "en_us/item.json", "item_KR.json", "token_USA/item.json", "ko/KR.json"]
)
def test_a_document_whose_language_nothing_tells_is_refused_with_how_to_name_it(path: str) -> None:
    with pytest.raises(UnrecognisedContentError) as refusal:
        recognise(items("13.14.1"), path)
    assert "item document of version 13.14.1 does not contain its language" in str(refusal.value)
    assert "13.14.1_en_US_item.json, or ko_KR/item.json" in str(refusal.value)


@given(
    st.sampled_from(["items", "champions"]),
    st.from_regex(r"[a-z]{2}_[A-Z]{2}", fullmatch=True),
)
def test_the_landed_kind_tells_document_and_language(document: str, language: str) -> None:
    assert document_of(document_kind(document, language)) == (document, language)  # type: ignore[arg-type]


# ---------------------------------------------------------------- other files


OTHERS = {
    "versions.json": b'["13.14.1", "13.13.1"]',
    "queues.json": b'[{"queueId": 420, "map": "Summoner\'s Rift"}]',
    "languages.json": b'["en_US", "ko_KR"]',
    "summoner.json": b'{"type": "summoner", "version": "13.14.1", "data": {"SummonerFlash": {}}}',
    "realm.json": b'{"n": {"item": "13.14.1"}, "v": "13.14.1", "l": "en_US", "type": 7}',
    "manifest.js": b"module.exports = {}",
    "Annie.png": b"\x89PNG\r\n\x1a\n\x00",
    "empty": b"",
    "blank": b" \n",
    "list": b"[]",
    "object": b"{}",
    "deep": b'{"a":' * 50_000,
    "deeper": b"[" * 50_000,
    "half": match_object()[:60],
    "gz": gzip.compress(match_object())[:-9],
    "no id": b'{"metadata": {}, "info": {}}',
    "strange id": match_object("../../etc/passwd"),
    "long id": match_object("NA1_" + "1" * 30),
    "no start": match_object(gameStartTimestamp=None, gameCreation=None),
    "before the game": match_object(gameStartTimestamp=1, gameCreation=1),
    "after all": match_object(gameStartTimestamp=10**15, gameCreation=10**15),
    "no duration": match_object(gameDuration=None),
    "neither": b'{"metadata": {"matchId": "NA1_47101"}, "info": {"gameId": 1}}',
    "old version": items("lolpatch_3.7"),
    "no version": b'{"type": "item", "data": {}}',
    "data that is none": b'{"type": "item", "version": "13.14.1", "data": []}',
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_content_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(UnrecognisedContentError) as refusal:
        recognise(OTHERS[name] if name != "gz" else b"x", f"en_US/{name}")
    assert 10 < len(str(refusal.value)) < 500
