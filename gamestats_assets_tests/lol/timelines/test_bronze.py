"""Decoding many landed files: choices between files, and quarantine."""

from __future__ import annotations

import functools
import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, content_hash
from gamestats_assets.lakehouse.quality import check_schema, screen
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.source import GAME
from gamestats_assets.lol.timelines.bronze import DECODER, TABLES
from gamestats_assets_tests.lakehouse.landing.decoded import decoded
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


def test_of_several_timelines_the_readable_one_with_most_events_counts(landing: Landing) -> None:
    small, large = _timeline(events=50), _timeline(events=90)
    condemned, broken, stranger = _timeline(events=100, bad=90), b"[" + b" " * 1000, _timeline("NA1_9", 500)
    files = [_land(landing, ID, "timeline", each) for each in (small, condemned, large, broken, stranger)]
    frames, rejections, unreadable = _decoded(landing, files)
    [row] = frames[t.TimelineFiles].to_dicts()
    assert (row["content_hash"], row["status"], row["other_files"]) == (content_hash(large), "processed", 4)
    assert frames[t.TimelineEvents].height == row["events"] == 90
    assert frames[t.TimelineEventCounts].get_column("events").to_list() == [90]
    [(table, result)] = rejections.items()
    assert table is t.TimelineFiles
    assert {each.scope for each in result} == {"file"}
    reasons = dict(each.reason.split(": ", 1) for each in result)
    assert set(reasons) == {files[1].path, files[3].path, files[4].path}
    assert reasons[files[1].path].startswith("90 of 190 events cannot be read, more than 5%: ")
    assert reasons[files[4].path] == f"Expected the timeline of {ID}, found that of NA1_9."
    assert len(result) == 3
    assert unreadable == 0


def test_rows_that_a_timeline_not_used_would_reject_are_not_told(landing: Landing) -> None:
    files = [_land(landing, ID, "timeline", each) for each in (_timeline(events=90, bad=2), _timeline(events=200))]
    frames, rejections, _ = _decoded(landing, files)
    assert rejections == {}
    assert frames[t.TimelineFiles].get_column("other_files").to_list() == [1]


def test_of_several_match_objects_the_one_with_most_participants_counts(landing: Landing) -> None:
    three, five_of_nine, seven = _match(participants=3), _match(participants=9, bad=4), _match(participants=7)
    contents = (three, five_of_nine, b"[]", _match("NA1_9", 10), seven)
    files = [_land(landing, ID, "match", content) for content in contents]
    frames, rejections, unreadable = _decoded(landing, files)
    assert frames[t.RawMatches].select("participants", "other_files").rows() == [(7, 4)]
    assert frames[t.RawParticipants].height == 7
    [(table, result)] = rejections.items()
    assert table is t.RawMatches
    assert {each.scope for each in result} == {"file"}
    by_path = {file.path: each.reason for file in files for each in result if each.reason.startswith(file.path)}
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
    assert {table: len(result) for table, result in rejections.items()} == {t.RawMatches: 3, t.TimelineFiles: 2}
