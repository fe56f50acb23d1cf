"""Decoding many landed files: choices between files, and quarantine."""

from __future__ import annotations

import functools
import gzip
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, content_hash
from gamestats_assets.lakehouse.quality import check_schema, screen
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.source import GAME, SOURCE
from gamestats_assets.lol.timelines.bronze import DECODER, TABLES
from gamestats_assets_tests.lakehouse.landing.decoded import Collected, decoded, landed_last
from gamestats_assets_tests.lol import real_pairs
from gamestats_assets_tests.lol.files import match_object

DAY = date(2023, 7, 14)
ID = "NA1_47101"
_decoded = functools.partial(decoded, DECODER)


def _timeline(match_id: str = ID, events: int = 3, *, bad: int = 0, kind: str = "ITEM_PURCHASED") -> bytes:
    good = [{"itemId": 1055, "participantId": 1, "timestamp": at, "type": kind} for at in range(events)]
    listed = [*good, *({"itemId": "x", "participantId": 1, "timestamp": 1, "type": "ITEM_SOLD"} for _ in range(bad))]
    states = {str(number): {"participantId": number, "totalGold": 500} for number in (1, 2)}
    frames = [{"timestamp": 0, "events": listed, "participantFrames": states}]
    document = {"metadata": {"matchId": match_id}, "info": {"frameInterval": 60_000, "frames": frames}}
    return json.dumps(document).encode()


def _match(match_id: str = ID, participants: int = 2, *, bad: int = 0, version: str = "13.14.1") -> bytes:
    keys = ("championId", "kills", "deaths", "assists", "goldEarned", "totalDamageDealtToChampions")
    listed = [
        {"participantId": number, "teamId": 100, "win": True, **{key: "x" if number <= bad else 1 for key in keys}}
        for number in range(1, participants + 1)
    ]
    return match_object(match_id, version=version, queueId=420, participants=listed)


def _land(
    landing: Landing, unit: str, kind: str, content: bytes, payload: bytes | None = None, day: date = DAY
) -> LandedFile:
    return landing.put(GAME, day, unit, kind, content if payload is None else payload, content)[0]


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """An empty landing zone."""
    return Landing(tmp_path / "landing")


def _sorted(collected: Collected) -> tuple[Any, ...]:
    frames, rejections, unreadable = collected
    told = {table: Counter(map(repr, entries)) for table, entries in rejections.items()}
    return {table: frames[table].rows() for table in TABLES}, told, unreadable


def _mixture(landing: Landing) -> list[LandedFile]:
    """Matches of two days with everything that can be the matter with them."""
    files: list[LandedFile] = []
    for number in range(12):
        unit = f"NA1_{100 + number}"
        day = date(2023, 7, 14 + number % 2)
        kind = "NEW_KIND" if number % 4 == 3 else "ITEM_PURCHASED"
        files.append(_land(landing, unit, "match", _match(unit, number + 1, bad=number % 3), day=day))
        content = _timeline(unit, 60 + number, bad=number % 3, kind=kind)
        files.append(_land(landing, unit, "timeline", content, gzip.compress(content), day=day))
    files.append(_land(landing, "NA1_103", "timeline", _timeline("NA1_103", 90)))
    files.append(_land(landing, "NA1_104", "timeline", b'{"metadata"'))
    files.append(_land(landing, "NA1_105", "match", _match("NA1_105", 40)))
    files.append(_land(landing, "NA1_106", "timeline", _timeline("NA1_999")))
    files.append(_land(landing, "NA1_112", "timeline", b"not json"))
    files.append(_land(landing, "NA1_113", "match", b"{}"))
    files.append(_land(landing, "NA1_114", "timeline_gone", b'{"match_id": "NA1_114"}'))
    files.append(_land(landing, "NA1_115", "timeline", _timeline("NA1_115", 10, bad=9)))
    return files


def test_nothing_landed_gives_declared_empty_frames(landing: Landing) -> None:
    frames, rejections, unreadable = _decoded(landing, [])
    assert set(frames) == set(TABLES) == {table for table in t.ALL if table.spec.made_by == "raw"}
    for table, frame in frames.items():
        assert frame.is_empty()
        check_schema(table, frame.schema)
    assert (rejections, unreadable) == ({}, 0)


def test_frames_are_as_declared_and_carry_the_day_of_their_match(landing: Landing) -> None:
    files = _mixture(landing)
    frames, _, unreadable = _decoded(landing, files)
    days = {file.unit_id: date.fromisoformat(file.day) for file in files}
    for table, frame in frames.items():
        check_schema(table, frame.schema)
        assert screen(table, frame).rejections == [], table.spec.name
        assert all(days[unit] == day for unit, day in frame.select("match_id", "match_date").unique().iter_rows())
    assert {day.day for day in days.values()} == {14, 15}
    assert unreadable == 3


@pytest.mark.parametrize(("workers", "part"), [(1, 1), (1, 5), (1, 1000), (2, 3)])
def test_workers_and_sizes_of_parts_change_nothing(landing: Landing, workers: int, part: int) -> None:
    files = _mixture(landing)
    expected = _sorted(_decoded(landing, files))
    assert _sorted(_decoded(landing, files, workers=workers, part=part)) == expected
    assert len(expected[0][t.TimelineEvents]) > 700


def test_the_order_of_arrival_changes_nothing(landing: Landing) -> None:
    files = _mixture(landing)
    expected = _sorted(_decoded(landing, files))
    for seed in range(4):
        shuffled = [*files, files[0]]
        Random(seed).shuffle(shuffled)
        assert _sorted(_decoded(landing, shuffled, part=seed + 2)) == expected


@pytest.mark.parametrize("times", [0, 1, 2])
def test_files_are_read_plain_and_gzipped_once_or_twice(landing: Landing, times: int) -> None:
    timeline, match = _timeline(), _match()
    files: list[LandedFile] = []
    for kind, content in (("timeline", timeline), ("match", match)):
        payload = content
        for _ in range(times):
            payload = gzip.compress(payload)
        files.append(_land(landing, ID, kind, content, payload))
    frames, rejections, unreadable = _decoded(landing, files)
    assert (rejections, unreadable) == ({}, 0)
    assert frames[t.TimelineFiles].row(0, named=True) == {
        "match_id": ID, "match_date": DAY, "status": "processed", "reason": None,
        "content_hash": content_hash(timeline), "other_files": 0, "size_bytes": len(timeline),
        "frame_interval_ms": 60_000, "frames": 1, "events": 3, "last_timestamp_ms": 0,
    }  # fmt: skip
    [row] = frames[t.RawMatches].to_dicts()
    assert (row["content_hash"], row["other_files"], row["participants"]) == (content_hash(match), 0, 2)
    assert row["started_at"] == datetime(2023, 7, 14, 23, 50, tzinfo=UTC)


def test_of_several_timelines_the_readable_one_with_most_events_counts(landing: Landing) -> None:
    small, large = _timeline(events=50), _timeline(events=90)
    condemned, broken, stranger = _timeline(events=100, bad=90), b"[" + b" " * 1000, _timeline("NA1_9", 500)
    files = [_land(landing, ID, "timeline", each) for each in (small, condemned, large, broken, stranger)]
    frames, rejections, unreadable = _decoded(landing, files)
    [row] = frames[t.TimelineFiles].to_dicts()
    assert (row["content_hash"], row["status"], row["other_files"]) == (content_hash(large), "processed", 4)
    assert frames[t.TimelineEvents].height == row["events"] == 90
    assert frames[t.TimelineEventCounts].get_column("events").to_list() == [90]
    [(table, told)] = rejections.items()
    assert table is t.TimelineFiles
    assert {each.scope for each in told} == {"file"}
    reasons = dict(each.reason.split(": ", 1) for each in told)
    assert set(reasons) == {files[1].path, files[3].path, files[4].path}
    assert reasons[files[1].path].startswith("90 of 190 events cannot be read, more than 5%: ")
    assert reasons[files[4].path] == f"Expected the timeline of {ID}, found that of NA1_9."
    assert len(told) == 3
    assert unreadable == 0


def test_rows_that_a_timeline_not_used_would_reject_are_not_told(landing: Landing) -> None:
    files = [_land(landing, ID, "timeline", each) for each in (_timeline(events=90, bad=2), _timeline(events=200))]
    frames, rejections, _ = _decoded(landing, files)
    assert rejections == {}
    assert frames[t.TimelineFiles].get_column("other_files").to_list() == [1]


def test_of_equal_contents_the_last_to_land_counts(landing: Landing) -> None:
    contents = [_timeline().replace(b"1055", item) for item in (b"1054", b"1056", b"1083")]
    matches = [_match(version=f"13.{minor}.1") for minor in (1, 2, 3)]
    for kind, table, of_kind in (("timeline", t.TimelineFiles, contents), ("match", t.RawMatches, matches)):
        files = [_land(landing, ID, kind, content) for content in of_kind]
        for newest, content in zip(files, of_kind, strict=True):
            landed_last(landing, newest)
            frames = _decoded(landing, files)[0]
            assert frames[table].get_column("content_hash").to_list() == [content_hash(content)]


def test_of_several_match_objects_the_one_with_most_participants_counts(landing: Landing) -> None:
    three, five_of_nine, seven = _match(participants=3), _match(participants=9, bad=4), _match(participants=7)
    contents = (three, five_of_nine, b"[]", _match("NA1_9", 10), seven)
    files = [_land(landing, ID, "match", content) for content in contents]
    frames, rejections, unreadable = _decoded(landing, files)
    assert frames[t.RawMatches].select("participants", "other_files").rows() == [(7, 4)]
    assert frames[t.RawParticipants].height == 7
    [(table, told)] = rejections.items()
    assert table is t.RawMatches
    assert {each.scope for each in told} == {"file"}
    by_path = {file.path: each.reason for file in files for each in told if each.reason.startswith(file.path)}
    assert set(by_path) == {files[2].path, files[3].path}
    assert f"Expected match {ID}, found NA1_9." in by_path[files[3].path]
    assert unreadable == 0


@pytest.mark.parametrize(
    "payload",
    [b"", b"no json", b"{}", _timeline("NA1_1")[:-9], gzip.compress(_timeline("NA1_1", 50))[:-20], b"\x1f\x8bgarbage",
     _timeline("NA1_2"), b"[" * 100_000],
    ids=["empty", "text", "object", "cut", "cut gzip", "damaged gzip", "of another match", "endless"],
)  # fmt: skip
def test_an_unreadable_timeline_is_told_and_stops_nothing(landing: Landing, payload: bytes) -> None:
    bad = _land(landing, "NA1_1", "timeline", payload)
    good = _land(landing, "NA1_3", "timeline", _timeline("NA1_3"))
    frames, rejections, unreadable = _decoded(landing, [bad, good])
    rows = {row["match_id"]: row for row in frames[t.TimelineFiles].to_dicts()}
    assert (rows["NA1_1"]["status"], rows["NA1_1"]["events"]) == ("unreadable", 0)
    assert rows["NA1_1"]["reason"]
    assert rows["NA1_3"]["status"] == "processed"
    assert frames[t.TimelineEvents].get_column("match_id").unique().to_list() == ["NA1_3"]
    [rejection] = rejections[t.TimelineFiles]
    assert (rejection.unit_id, rejection.scope) == ("NA1_1", "file")
    assert rejection.reason.startswith(f"{bad.path}: ")
    assert unreadable == 1


def test_a_timeline_with_too_many_bad_events_leaves_its_counts_alone(landing: Landing) -> None:
    frames, rejections, unreadable = _decoded(landing, [_land(landing, ID, "timeline", _timeline(events=90, bad=5))])
    [row] = frames[t.TimelineFiles].to_dicts()
    assert (row["status"], row["frames"], row["events"]) == ("unreadable", 1, 95)
    assert row["reason"].startswith("5 of 95 events cannot be read, more than 5%: ")
    assert frames[t.TimelineEvents].is_empty()
    assert frames[t.TimelineFrames].is_empty()
    counts = frames[t.TimelineEventCounts].select("event_type", "events", "quarantined").rows()
    assert counts == [("ITEM_PURCHASED", 90, 90), ("ITEM_SOLD", 5, 5)]
    [rejection] = rejections[t.TimelineFiles]
    assert (rejection.scope, rejection.rejected_rows) == ("file", 95)
    assert rejection.reason.endswith(f".json: {row['reason']}")
    assert unreadable == 1


def test_a_match_counts_as_unreadable_only_when_nothing_of_it_can_be_read(landing: Landing) -> None:
    files = [
        _land(landing, "NA1_1", "match", _match("NA1_1")),
        _land(landing, "NA1_1", "timeline", b"x"),
        _land(landing, "NA1_2", "match", b"x"),
        _land(landing, "NA1_2", "timeline", b"y"),
        _land(landing, "NA1_3", "match", b"z"),
        _land(landing, "NA1_3", "timeline_gone", b"{}"),
        _land(landing, "NA1_4", "match", b"w"),
        _land(landing, "NA1_4", "timeline", _timeline("NA1_4")),
    ]
    frames, rejections, unreadable = _decoded(landing, files)
    assert unreadable == 2
    assert frames[t.RawMatches].get_column("match_id").to_list() == ["NA1_1"]
    assert frames[t.TimelineEvents].get_column("match_id").unique().to_list() == ["NA1_4"]
    assert {table: len(told) for table, told in rejections.items()} == {t.RawMatches: 3, t.TimelineFiles: 2}


def test_documents_of_data_dragon_are_passed_over(landing: Landing) -> None:
    assert set(DECODER.kinds) == {"match", "timeline"}
    frames, rejections, unreadable = _decoded(landing, [_land(landing, "items", "items_en_us", b"{}")])
    assert all(frame.is_empty() for frame in frames.values())
    assert (rejections, unreadable) == ({}, 0)


def test_real_pairs_land_whole_whatever_the_parts(landing: Landing, realdata: Path) -> None:
    folder = realdata / "lol"
    SOURCE.ingest([folder / "matches", folder / "timelines"], landing)
    files = [file for day in landing.days(GAME) for file in landing.files(GAME, day)]
    frames, rejections, unreadable = _decoded(landing, files, workers=2, part=7)
    assert (rejections, unreadable) == ({}, 0)
    whole = real_pairs.bronze(realdata)
    for table in TABLES:
        assert frames[table].select(table.column_names()).equals(whole[table]), table.spec.name
    pairs = real_pairs.documents(realdata)
    told = dict(frames[t.TimelineEvents].group_by("match_id").len().iter_rows())
    assert told == {match_id: len(pair.events) for match_id, pair in pairs.items()}
    people = dict(frames[t.RawParticipants].group_by("match_id").len().iter_rows())
    assert people == {match_id: len(pair.match["participants"]) for match_id, pair in pairs.items()}
