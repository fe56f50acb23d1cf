"""Decoding many landed files: choices between files, and quarantine."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, content_hash
from gamestats_assets.lakehouse.quality import check_schema
from gamestats_assets.pubg import tables
from gamestats_assets.pubg.telemetry.bronze import DECODER, TABLES
from gamestats_assets_tests.lakehouse.landing.decoded import decoded, landed_last

DAY = date(2026, 3, 1)


def _telemetry(match: str, positions: int = 3, *, bad: int = 0) -> bytes:
    person = {"accountId": f"account.{match}", "name": match, "teamId": 1, "location": {"x": 1, "y": 2, "z": 3}}
    events: list[dict[str, Any]] = [
        {"_D": "2026-03-01T18:00:00.000Z", "_T": "LogMatchStart", "mapName": "Baltic_Main", "characters": [person]},
        *(
            {"_D": f"2026-03-01T18:00:{number % 60:02d}.000Z", "_T": "LogPlayerPosition", "character": person}
            for number in range(positions)
        ),
        *({"_D": "never", "_T": "LogPlayerPosition", "character": person} for _ in range(bad)),
        {"_D": "2026-03-01T18:30:00.000Z", "_T": "LogMatchEnd", "characters": [person]},
        {"_D": "2026-03-01T18:30:01.000Z", "_T": "LogNew"},
    ]
    return json.dumps(events, separators=(",", ":")).encode()


def _match(match: str, participants: int = 2, *, mode: str = "squad") -> bytes:
    document = {
        "data": {"type": "match", "id": match, "attributes": {"createdAt": "2026-03-01T18:00:00Z", "gameMode": mode}},
        "included": [
            {
                "type": "participant",
                "id": f"p{number}",
                "attributes": {"stats": {"playerId": f"account.{number}", "name": "n"}},
            }
            for number in range(participants)
        ],
    }
    return json.dumps(document).encode()


def _land(
    landing: Landing, unit: str, kind: str, content: bytes, payload: bytes | None = None, day: date = DAY
) -> LandedFile:
    return landing.put("pubg", day, unit, kind, content if payload is None else payload, content)[0]


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


_decoded = functools.partial(decoded, DECODER)


def _file_row(landing: Landing, files: Sequence[LandedFile]) -> dict[str, Any]:
    return _decoded(landing, files)[0][tables.TelemetryFiles].row(0, named=True)


def _mixture(landing: Landing) -> list[LandedFile]:
    """Matches of two days with everything that can be the matter with them."""
    files: list[LandedFile] = []
    for number in range(12):
        match = f"m{number:02d}"
        day = date(2026, 3, 1 + number % 2)
        files.append(_land(landing, match, "match", _match(match, number), day=day))
        files.append(_land(landing, match, "telemetry", _telemetry(match, 200 + number, bad=number % 3), day=day))
    files.append(_land(landing, "m03", "telemetry", _telemetry("m03", 900)))
    files.append(_land(landing, "m04", "telemetry", b"[{"))
    files.append(_land(landing, "m05", "match", _match("m05", 40)))
    files.append(_land(landing, "m12", "telemetry", b"not json"))
    files.append(_land(landing, "m13", "match", b"{}"))
    files.append(_land(landing, "m14", "expired", b'{"match_id": "m14"}'))
    files.append(_land(landing, "m15", "telemetry", _telemetry("m15", 10, bad=9)))
    return files


def test_nothing_landed_gives_declared_empty_frames(landing: Landing) -> None:
    frames, rejections, unreadable = _decoded(landing, [])
    assert set(frames) == set(TABLES) == {table for table in tables.ALL if table.spec.made_by == "raw"}
    for table, frame in frames.items():
        assert frame.is_empty()
        check_schema(table, frame.schema)
    assert (rejections, unreadable) == ({}, 0)


def test_frames_are_as_declared_and_carry_the_day_of_their_match(landing: Landing) -> None:
    files = _mixture(landing)
    frames, _, _ = _decoded(landing, files)
    days = {file.unit_id: date.fromisoformat(file.day) for file in files}
    for table, frame in frames.items():
        check_schema(table, frame.schema)
        table.validate(frame)
        assert all(days[match] == day for match, day in frame.select("match_id", "match_date").unique().iter_rows())
    assert {day.day for day in days.values()} == {1, 2}


@pytest.mark.parametrize("times", [0, 1, 2])
def test_telemetry_is_read_plain_and_gzipped_once_or_twice(landing: Landing, times: int) -> None:
    content = payload = _telemetry("m", 5)
    for _ in range(times):
        payload = gzip.compress(payload)
    file = _land(landing, "m", "telemetry", content, payload)
    row = _file_row(landing, [file])
    assert row == {
        "match_id": "m", "match_date": DAY, "status": "processed", "reason": None,
        "content_hash": content_hash(content),
        "other_files": 0, "size_bytes": len(content), "events": 8,
        "started_at": datetime(2026, 3, 1, 18, tzinfo=UTC), "ended_at": datetime(2026, 3, 1, 18, 30, tzinfo=UTC),
        "map_id": "Baltic_Main", "is_custom_match": None, "team_size": None, "camera_view": None, "weather_id": None,
        "definition_id": None,
    }  # fmt: skip


def test_of_several_contents_the_readable_one_with_most_events_counts(landing: Landing) -> None:
    small, large = _telemetry("m", 500), _telemetry("m", 900)
    condemned, broken = _telemetry("m", 1000, bad=900), b"[" + b" " * 100_000
    files = [_land(landing, "m", "telemetry", content) for content in (small, condemned, large, broken)]
    frames, rejections, unreadable = _decoded(landing, files)
    [row] = frames[tables.TelemetryFiles].to_dicts()
    assert (row["content_hash"], row["status"], row["other_files"]) == (content_hash(large), "processed", 3)
    assert frames[tables.TelemetryPositions].height == 900
    assert frames[tables.TelemetryEventCounts].get_column("events").sum() == row["events"] == 903
    assert [rejection.scope for rejection in rejections[tables.TelemetryFiles]] == ["file", "file"]
    assert unreadable == 0


def test_of_equal_contents_the_last_to_land_counts(landing: Landing) -> None:
    contents = [
        _telemetry("m", 5).replace(b"Baltic_Main", name) for name in (b"Desert_Main", b"Tiger_Main", b"Neon_Main")
    ]
    matches = [_match("m", 3, mode=mode) for mode in ("solo", "duo", "squad")]
    for kind, table, of_kind in (
        ("telemetry", tables.TelemetryFiles, contents),
        ("match", tables.RawMatches, matches),
    ):
        files = [_land(landing, "m", kind, content) for content in of_kind]
        for newest, content in zip(files, of_kind, strict=True):
            landed_last(landing, newest)
            frames = _decoded(landing, files)[0]
            assert frames[table].get_column("content_hash").to_list() == [content_hash(content)]


def test_of_several_match_objects_the_one_with_most_participants_counts(landing: Landing) -> None:
    files = [
        _land(landing, "m", "match", content) for content in (_match("m", 3), _match("m", 7), b"[]", _match("m", 5))
    ]
    frames, rejections, unreadable = _decoded(landing, files)
    assert frames[tables.RawMatches].get_column("participants").to_list() == [7]
    assert frames[tables.RawParticipants].height == 7
    [rejection] = rejections[tables.RawMatches]
    assert rejection.scope == "file"
    assert files[2].path in rejection.reason
    assert unreadable == 0


@pytest.mark.parametrize(
    "payload",
    [b"", b"no json", b'{"errors": []}', b"[{", gzip.compress(_telemetry("m", 50), mtime=0)[:-20], b"\x1f\x8bgarbage"],
    ids=["empty", "text", "object", "cut", "cut gzip", "damaged gzip"],
)
def test_an_unreadable_telemetry_file_is_told_and_stops_nothing(landing: Landing, payload: bytes) -> None:
    bad = _land(landing, "bad", "telemetry", payload)
    good = _land(landing, "good", "telemetry", _telemetry("good"))
    frames, rejections, unreadable = _decoded(landing, [bad, good])
    rows = {row["match_id"]: row for row in frames[tables.TelemetryFiles].to_dicts()}
    assert (rows["bad"]["status"], rows["bad"]["events"]) == ("unreadable", 0)
    assert rows["bad"]["reason"]
    assert rows["good"]["status"] == "processed"
    [rejection] = rejections[tables.TelemetryFiles]
    assert (rejection.unit_id, rejection.scope) == ("bad", "file")
    assert bad.path in rejection.reason
    assert unreadable == 1
    assert set(frames[tables.TelemetryPositions].get_column("match_id")) == {"good"}


def test_telemetry_with_too_many_bad_events_is_unreadable_but_counted(landing: Landing) -> None:
    frames, rejections, unreadable = _decoded(landing, [_land(landing, "m", "telemetry", _telemetry("m", 10, bad=9))])
    [row] = frames[tables.TelemetryFiles].to_dicts()
    assert (row["status"], row["events"], row["started_at"]) == ("unreadable", 22, None)
    assert row["reason"].startswith("9 of 22 events could not be read")
    assert frames[tables.TelemetryPositions].is_empty()
    counts = frames[tables.TelemetryEventCounts]
    assert counts.get_column("events").sum() == 22
    assert counts.get_column("quarantined").sum() == rejections[tables.TelemetryFiles][0].rejected_rows == 21
    assert unreadable == 1


def test_an_expired_telemetry_has_a_row_unless_some_landed_after_all(landing: Landing) -> None:
    marker = _land(landing, "gone", "expired", b'{"match_id": "gone"}')
    late = [
        _land(landing, "late", "expired", b'{"match_id": "late"}'),
        _land(landing, "late", "telemetry", _telemetry("late")),
    ]
    frames, rejections, unreadable = _decoded(landing, [marker, *late])
    rows = {row["match_id"]: row for row in frames[tables.TelemetryFiles].to_dicts()}
    assert (rows["gone"]["status"], rows["gone"]["content_hash"]) == ("expired", marker.content_hash)
    assert rows["late"]["status"] == "processed"
    assert (rejections, unreadable) == ({}, 0)


def test_a_match_object_of_another_match_is_refused(landing: Landing) -> None:
    frames, rejections, unreadable = _decoded(landing, [_land(landing, "m", "match", _match("other"))])
    assert frames[tables.RawMatches].is_empty()
    assert "Expected match m, found other" in rejections[tables.RawMatches][0].reason
    assert unreadable == 1


def test_a_match_counts_as_unreadable_only_when_nothing_of_it_could_be_read(landing: Landing) -> None:
    files = [
        _land(landing, "half", "match", _match("half")),
        _land(landing, "half", "telemetry", b"x"),
        _land(landing, "none", "match", b"x"),
        _land(landing, "none", "telemetry", b"y"),
        _land(landing, "stale", "match", b"z"),
        _land(landing, "stale", "expired", b"{}"),
    ]
    assert _decoded(landing, files)[2] == 2
