"""The landing zone: each content as received, written once, despite races and crashes."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gamestats_assets.lakehouse.landing.zone import (
    ChangedMeanwhileError,
    LandedFile,
    Landing,
    UnreadableContentError,
    content_hash,
    decompressed,
    file_hash,
)
from gamestats_assets_tests.lakehouse.declared import MARCH_1, MARCH_2
from gamestats_assets_tests.lakehouse.processes import at_once

if TYPE_CHECKING:
    from gamestats_assets_tests.support.s3_fixture import S3

CONTENT = b'{"match": "m1"}' * 100
GZIPPED = gzip.compress(CONTENT, mtime=0)


@pytest.fixture(params=["folder", "s3"])
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> Landing:
    """An empty landing zone, in a folder and in an object store."""
    if request.param == "folder":
        return Landing(tmp_path / "landing")
    s3: S3 = request.getfixturevalue("s3")
    return Landing(s3.empty(), s3.storage_options)


# --- Reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(CONTENT, id="plain"),
        pytest.param(GZIPPED, id="gzip"),
        pytest.param(gzip.compress(GZIPPED), id="double-gzip"),
        pytest.param(gzip.compress(CONTENT[:50]) + gzip.compress(CONTENT[50:]), id="two-members"),
        pytest.param(GZIPPED + b"\0" * 512, id="padded"),
    ],
)
def test_every_form_of_a_content_reads_the_same(payload: bytes) -> None:
    assert decompressed(payload) == CONTENT


def test_a_cut_stream_is_never_taken_for_a_whole_one() -> None:
    for length in range(2, len(GZIPPED)):
        with pytest.raises(UnreadableContentError, match="ends early"):
            decompressed(GZIPPED[:length])


@pytest.mark.parametrize("content", [b"\x1f\x8b\x07rest", b"\x1f\x8b\x00\x00", b"\x1f"])
def test_bytes_that_only_begin_like_gzip_are_a_content(tmp_path: Path, content: bytes) -> None:
    assert decompressed(content) == content
    assert decompressed(gzip.compress(content)) == content
    landing = Landing(tmp_path / "landing")
    file, _ = landing.put("game", MARCH_1, "m1", "match", content, content, "replay")
    assert file.path.endswith(".replay")
    (tmp_path / "file").write_bytes(content)
    assert file_hash(tmp_path / "file") == content_hash(content)


@pytest.mark.parametrize("rest", [b"x", b"\x1f", b"\0\0x"])
def test_bytes_after_a_stream_are_not_dropped_unseen(rest: bytes) -> None:
    with pytest.raises(UnreadableContentError, match="followed by bytes that are no gzip"):
        decompressed(GZIPPED + rest)


# --- Landing ---------------------------------------------------------------------------------


def test_a_payload_lands_as_received_and_is_found_by_its_path(landing: Landing) -> None:
    file, is_new = landing.put("demo", MARCH_1, "m1", "telemetry", GZIPPED, CONTENT)
    assert is_new
    digest = content_hash(CONTENT)
    assert file == LandedFile(
        "demo", "2026-03-01", "m1", "telemetry", digest, f"demo/2026-03-01/m1.telemetry.{digest}.json.gz"
    )
    assert landing.read(file) == GZIPPED
    assert landing.files("demo", "2026-03-01") == [file]
    assert landing.days("demo") == ["2026-03-01"]


@pytest.mark.parametrize(
    ("payload", "ending"),
    [pytest.param(CONTENT, ".replay", id="plain"), pytest.param(GZIPPED, ".replay.gz", id="gzip")],
)
def test_a_payload_lands_with_the_ending_of_its_kind(landing: Landing, payload: bytes, ending: str) -> None:
    file, is_new = landing.put("game", MARCH_1, "m1", "replay", payload, CONTENT, "replay")
    assert is_new
    assert file.path == f"game/{file.day}/m1.replay.{content_hash(CONTENT)}{ending}"
    assert landing.files("game", file.day) == [file]
    assert landing.read(file) == payload
    # It is known whatever it ends in.
    for other, suffix in ((CONTENT, "json"), (GZIPPED, "replay"), (CONTENT, "replay")):
        assert landing.put("game", MARCH_2, "m1", "replay", other, CONTENT, suffix) == (file, False)


def test_a_file_tells_when_it_landed(landing: Landing) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    file, _ = landing.put("game", MARCH_1, "m1", "match", CONTENT, CONTENT)
    first = landing.landed_at(file)
    assert before < first < datetime.now(UTC) + timedelta(seconds=2)
    assert first.tzinfo is UTC
    # Landing it again changes nothing.
    landing.put("game", MARCH_2, "m1", "match", GZIPPED, CONTENT)
    assert landing.landed_at(file) == first


def test_corrected_content_lands_on_the_day_claimed_first(landing: Landing) -> None:
    first, _ = landing.put("demo", MARCH_1, "m1", "match", CONTENT, CONTENT)
    corrected, is_new = landing.put("demo", MARCH_2, "m1", "match", b"{}", b"{}")
    assert is_new
    assert corrected.day == "2026-03-01"
    assert landing.files("demo", "2026-03-01") == sorted([first, corrected])
    assert landing.days("demo") == ["2026-03-01"]
    assert landing.read(first) == CONTENT


def test_a_day_is_claimed_once(landing: Landing) -> None:
    assert landing.day_of("demo", "m1") is None
    assert landing.claim_day("demo", "m1", MARCH_2) == "2026-03-02"
    assert landing.claim_day("demo", "m1", MARCH_1) == "2026-03-02"
    assert landing.day_of("demo", "m1") == "2026-03-02"
    assert landing.claim_day("other", "m1", MARCH_1) == "2026-03-01"


def test_undated_payloads_stand_under_their_kind(landing: Landing) -> None:
    players, is_new = landing.put_undated("demo", "players", b"[]", b"[]")
    broken, _ = landing.put_undated("demo", "unreadable", GZIPPED[:20], GZIPPED[:20])
    assert is_new
    assert landing.put_undated("demo", "players", b"[]", b"[]") == (players, False)
    assert landing.files("demo", "players") == [players]
    assert landing.files("demo", "unreadable") == [broken]
    assert broken.path.endswith(".bin")
    assert landing.read(broken) == GZIPPED[:20]
    assert landing.days("demo") == []


def test_areas_of_a_game_keep_their_files_apart(landing: Landing) -> None:
    landing.put("demo", MARCH_1, "m1", "match", b"1", b"1")
    shop, is_new = landing.put("demo/shop", MARCH_2, "m1", "match", b"1", b"1")
    landing.put("demo/qu-iz_2", MARCH_1, "m1", "match", b"1", b"1")
    landing.put_undated("demo", "players", b"[]", b"[]")
    landing.put_undated("demo/shop", "lists", b"[]", b"[]")
    landing.put_undated("demo/empty", "lists", b"[]", b"[]")
    assert is_new
    assert (shop.game, shop.area, shop.day) == ("demo/shop", "shop", "2026-03-02")
    assert shop.path.startswith("demo/shop/2026-03-02/m1.match.")
    assert landing.areas("demo") == ["qu-iz_2", "shop"]
    assert landing.days("demo") == ["2026-03-01"]
    assert landing.days("demo/shop") == ["2026-03-02"]
    assert landing.files("demo/shop", "2026-03-02") == [shop]
    assert [file.area for file in landing.files("demo", "2026-03-01")] == [""]
    assert landing.read(shop) == b"1"
    assert landing.day_of("demo/shop", "m1") == "2026-03-02"
    assert landing.areas("other") == []


def test_files_come_in_a_fixed_order_and_days_too(landing: Landing) -> None:
    for unit, day in (("m3", MARCH_2), ("m1", MARCH_1), ("m2", MARCH_2)):
        landing.put("demo", day, unit, "match", unit.encode(), unit.encode())
    assert landing.days("demo") == ["2026-03-01", "2026-03-02"]
    assert [file.unit_id for file in landing.files("demo", "2026-03-02")] == ["m2", "m3"]


# --- Files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(CONTENT, id="plain"),
        pytest.param(GZIPPED, id="gzip"),
        pytest.param(gzip.compress(CONTENT[:50]) + gzip.compress(CONTENT[50:]), id="two-members"),
        pytest.param(GZIPPED + b"\0" * 512, id="padded"),
    ],
)
def test_a_file_is_named_by_its_content_plain_or_gzipped(tmp_path: Path, payload: bytes) -> None:
    (tmp_path / "file").write_bytes(payload)
    assert file_hash(tmp_path / "file") == content_hash(CONTENT)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "csv.gz", "jsonl", "jsonl.gz", "json", "json.gz", "bin"])
def test_a_file_lands_as_it_is_with_the_ending_that_tells_what_it_is(
    landing: Landing, tmp_path: Path, suffix: str
) -> None:
    payload = GZIPPED if suffix.endswith(".gz") else CONTENT
    (tmp_path / "file").write_bytes(payload)
    file, is_new = landing.put_file("demo", MARCH_1, "m1", "log", tmp_path / "file", suffix)
    assert is_new
    assert file.path == f"demo/2026-03-01/m1.log.{content_hash(CONTENT)}.{suffix}"
    assert landing.files("demo", "2026-03-01") == [file]
    assert landing.read(file) == payload
    assert landing.put_file("demo", MARCH_1, "m1", "log", tmp_path / "file", suffix) == (file, False)


def test_a_landed_file_is_on_disk_as_long_as_it_is_asked_for(landing: Landing, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    file, _ = landing.put_file("demo", MARCH_1, "m1", "log", tmp_path / "file", "parquet")
    with landing.on_disk(file) as path:
        assert path.read_bytes() == content
        assert path.name.endswith(".parquet")
    # A copy goes; a file of the landing zone stays.
    assert path.exists() == ("://" not in landing.root)
    assert landing.read(file) == content


@pytest.mark.parametrize("payload", [CONTENT + b"more", GZIPPED + GZIPPED, GZIPPED[:-4]])
def test_a_file_that_changes_while_landing_never_gets_a_wrong_name(
    landing: Landing, tmp_path: Path, payload: bytes
) -> None:
    (tmp_path / "file").write_bytes(payload)
    with pytest.raises(ChangedMeanwhileError, match=r"file changed while it was read; give it again"):
        landing.put_file("demo", MARCH_1, "m1", "log", tmp_path / "file", "bin", content_hash(CONTENT))
    assert landing.files("demo", "2026-03-01") == []
    (tmp_path / "file").write_bytes(CONTENT)
    _, is_new = landing.put_file("demo", MARCH_1, "m1", "log", tmp_path / "file", "bin", content_hash(CONTENT))
    assert is_new


# --- Names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("game", "unit", "kind"),
    [
        ("demo", "../../evil", "match"),
        ("demo", "a.b", "match"),
        ("demo", "", "match"),
        ("..", "m1", "match"),
        ("demo", "m1", "../match"),
        ("demo", "m1", "Match2"),
        ("demo", "m1", ""),
        ("demo/../other", "m1", "match"),
        ("demo/", "m1", "match"),
        ("demo/shop/eu", "m1", "match"),
        ("demo/_days", "m1", "match"),
        ("demo/2026-03-01", "m1", "match"),
    ],
)
def test_names_that_would_leave_the_zone_or_hide_in_it_are_refused(
    tmp_path: Path, game: str, unit: str, kind: str
) -> None:
    landing = Landing(tmp_path / "in" / "landing")
    with pytest.raises(ValueError, match="cannot be"):
        landing.put(game, MARCH_1, unit, kind, CONTENT, CONTENT)
    assert list(tmp_path.rglob("*")) == []


def test_content_that_landed_in_both_forms_at_once_is_listed_once(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    file, _ = landing.put("demo", MARCH_1, "m1", "match", GZIPPED, CONTENT)
    # What two processes leave that both looked before either wrote.
    (tmp_path / file.path).with_suffix("").write_bytes(CONTENT)
    (listed,) = landing.files("demo", "2026-03-01")
    assert decompressed(landing.read(listed)) == CONTENT


def test_bytes_are_on_the_disk_before_they_have_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, link = os.fsync, os.link
    monkeypatch.setattr(os, "fsync", lambda descriptor: (steps.append("fsync"), fsync(descriptor))[1])
    monkeypatch.setattr(os, "link", lambda source, target: (steps.append("name"), link(source, target))[1])
    Landing(tmp_path).put_undated("demo", "players", CONTENT, CONTENT)
    # The bytes, the name, then the folder of the file and those above that were just made.
    assert steps == ["fsync", "name", "fsync", "fsync", "fsync"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        Landing(tmp_path).put_undated("demo", "players", CONTENT, CONTENT)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# --- Races and sudden death ------------------------------------------------------------------


def claim_days(root: str, options: Mapping[str, str], units: list[str], day: date) -> list[str]:
    landing = Landing(root, options)
    return [landing.claim_day("demo", unit, day) for unit in units]


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Mapping[str, str]]:
    """Root and options of a landing zone for several processes."""
    if request.param == "folder":
        return str(tmp_path), {}
    s3: S3 = request.getfixturevalue("s3")
    return s3.empty(), s3.storage_options


def test_processes_that_claim_different_days_at_once_agree_on_one(place: tuple[str, Mapping[str, str]]) -> None:
    units = [f"m{n}" for n in range(20)]
    days = [date(2026, 3, 1 + n) for n in range(4)]
    answers = at_once(claim_days, [(*place, units, day) for day in days])
    for claimed in zip(*answers, strict=True):
        assert len(set(claimed)) == 1
        assert claimed[0] in [day.isoformat() for day in days]


# --- Removing --------------------------------------------------------------------------------


def test_a_removed_file_is_gone_in_every_form_and_the_others_stay(landing: Landing) -> None:
    file, _ = landing.put("demo", MARCH_1, "m1", "match", CONTENT, CONTENT)
    # As when two processes land the same content, one plain and one gzipped.
    landing._store.create(f"{file.path}.gz", GZIPPED)
    other, _ = landing.put("demo", MARCH_1, "m1", "telemetry", CONTENT, CONTENT)
    landing.remove(file)
    assert landing.files("demo", MARCH_1.isoformat()) == [other]
    landing.remove(file)
    assert landing.files("demo", MARCH_1.isoformat()) == [other]
    # Its day stays claimed, and it can land again.
    assert landing.put("demo", MARCH_2, "m1", "match", GZIPPED, CONTENT)[0].day == MARCH_1.isoformat()
