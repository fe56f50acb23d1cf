"""Log files on their way to the landing zone: every line in one piece, of its own day, as it was received."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gamestats_assets.cli import app
from gamestats_assets.demo_data.logs import landing as log_landing
from gamestats_assets.demo_data.logs.landing import (
    LogIngestReport,
    LogPathError,
    ProductNameError,
    land_logs,
)
from gamestats_assets.lakehouse.files.unpacking import ReadLimits
from gamestats_assets.lakehouse.landing.zone import Landing, content_hash, decompressed
from gamestats_assets_tests.demo_data.log_scenario import DAY, PRODUCT, landed, lines, log, record

Pieces = dict[tuple[str, str], list[bytes]]


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def pieces(landing: Landing, product: str = PRODUCT) -> Pieces:
    """Lines of each piece, by the piece's day and the log's."""
    found: Pieces = {}
    for file in landed(landing, product):
        content = decompressed(landing.read(file))
        log_day, _, digest = file.unit_id.partition("-")
        assert file.kind == "log"
        assert digest == content_hash(content)[:24]
        assert content.endswith(b"\n")
        found.setdefault((file.day, log_day), []).extend(content.split(b"\n")[:-1])
    return found


def encoded(given: Mapping[str, Any]) -> bytes:
    return json.dumps(given, ensure_ascii=False).encode()


def only(report: LogIngestReport) -> tuple[str, int, int]:
    [outcome] = report.outcomes
    return outcome.status, outcome.lines, outcome.undated_lines


# --------------------------------------------------------------------------- days


def test_lines_land_on_the_day_on_which_they_happened(tmp_path: Path, landing: Landing) -> None:
    today, late = record("10:00:00"), record("23:59:59", day=-2)
    zoned = record("03:00:00", properties={"#zone_offset": 9})
    report = land_logs([log(tmp_path, today, late, zoned)], PRODUCT, landing)
    assert only(report) == ("taken", 3, 0)
    assert pieces(landing) == {
        ("2026-01-10", "20260110"): [encoded(today)],
        ("2026-01-08", "20260110"): [encoded(late)],
        ("2026-01-09", "20260110"): [encoded(zoned)],
    }
    assert report.days == ("2026-01-08", "2026-01-09", "2026-01-10")


@pytest.mark.parametrize(
    ("name", "log_day"),
    [
        ("logs_20260112.jsonl", "20260112"),
        ("shop-2026-01-12.part3.log", "20260112"),
        ("2026-01-12_000.json", "20260112"),
        ("events.jsonl", "20260110"),
        ("20261399.jsonl", "20260110"),
        ("1234567890.jsonl", "20260110"),
        ("2026-0112.jsonl", "20260110"),
    ],
)
def test_the_name_tells_the_day_of_the_log_or_else_most_lines(
    name: str, log_day: str, tmp_path: Path, landing: Landing
) -> None:
    records = [record("10:00:00", uuid="1"), record("11:00:00", uuid="2"), record("10:00:00", day=-1)]
    land_logs([log(tmp_path, *records, name=name)], PRODUCT, landing)
    assert {found for _, found in pieces(landing)} == {log_day}


# --------------------------------------------------------------------------- forms


def test_millions_of_empty_lines_are_passed_over_and_too_many_bytes_are_refused(tmp_path: Path) -> None:
    line = encoded(record("10:00:00"))
    file = tmp_path / "x.jsonl.gz"
    file.write_bytes(gzip.compress(line + b"\n" * 20_000_000 + line, 9))
    landing = Landing(tmp_path / "landing", limits=ReadLimits(megabytes=1, seconds=5))
    (outcome,) = land_logs([file], PRODUCT, landing).outcomes
    assert (outcome.status, outcome.reason.split(",")[0]) == ("refused", "The file unpacks to more than 1 MB")
    assert only(land_logs([file], PRODUCT, Landing(landing.root, limits=ReadLimits(seconds=5)))) == ("taken", 2, 0)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("chunk", [16, 1 << 20])
def test_a_json_array_is_its_elements(
    indent: int | None, chunk: int, tmp_path: Path, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_landing, "_CHUNK", chunk)
    records = [record("10:00:00", uuid=str(n), properties={"name": '[김, "철\\n수"]', "n": n}) for n in range(30)]
    file = tmp_path / "x.json"
    file.write_bytes(json.dumps(records, indent=indent, ensure_ascii=False).encode())
    assert only(land_logs([file], PRODUCT, landing)) == ("taken", 30, 0)
    [found] = pieces(landing).values()
    assert [json.loads(line) for line in found] == records


@pytest.mark.parametrize("chunk", [16, 1 << 20])
def test_from_where_an_array_is_damaged_its_lines_follow(
    chunk: int, tmp_path: Path, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_landing, "_CHUNK", chunk)
    good = encoded(record("10:00:00"))
    file = tmp_path / "x.json"
    file.write_bytes(b"[" + good + b",\n" + good + b',\n{"cut": "\xea\xb9\n' + good + b"\n" + b"the end")
    assert only(land_logs([file], PRODUCT, landing)) == ("taken", 5, 2)
    [found] = pieces(landing).values()
    assert found == [good, good, b'{"cut": "\xea\xb9', good, b"the end"]


# --------------------------------------------------------------------------- pieces


def test_large_days_land_in_several_pieces(tmp_path: Path, landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_landing, "PIECE_BYTES", 1000)
    records = [record("10:00:00", uuid=f"{n:03d}", day=n % 2) for n in range(40)]
    report = land_logs([log(tmp_path, *records)], PRODUCT, landing)
    sizes = [len(decompressed(landing.read(file))) for file in landed(landing)]
    assert max(sizes) <= 1000
    assert len(sizes) == len(report.outcomes[0].pieces) >= 8
    assert Counter(line for found in pieces(landing).values() for line in found) == Counter(map(encoded, records))


def test_memory_is_bounded_when_a_log_has_many_days(
    tmp_path: Path, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_landing, "HELD_BYTES", 2000)
    records = [record("10:00:00", uuid=f"{n:03d}", day=-(n % 25)) for n in range(100)]
    report = land_logs([log(tmp_path, *records)], PRODUCT, landing)
    assert Counter(line for found in pieces(landing).values() for line in found) == Counter(map(encoded, records))
    again = land_logs([log(tmp_path, *records)], PRODUCT, landing)
    assert (report.count("taken"), again.count("known"), again.days) == (1, 1, ())


def test_the_same_log_is_known_and_a_longer_one_brings_what_is_new(tmp_path: Path, landing: Landing) -> None:
    first = [record("10:00:00", uuid="1"), record("10:00:00", uuid="2", day=-1)]
    assert only(land_logs([log(tmp_path / "a", *first)], PRODUCT, landing))[0] == "taken"
    assert only(land_logs([log(tmp_path / "b", *first)], PRODUCT, landing))[0] == "known"
    report = land_logs([log(tmp_path / "c", *first, record("11:00:00", uuid="3"))], PRODUCT, landing)
    assert only(report) == ("taken", 3, 0)
    assert report.days == ("2026-01-10",)


# --------------------------------------------------------------------------- folders


def test_logs_of_folders_are_taken_and_other_files_reported(tmp_path: Path, landing: Landing) -> None:
    log(tmp_path / "in", record("10:00:00", uuid="1"), name="a.jsonl")
    log(tmp_path / "in" / "deep", record("10:00:00", uuid="2"), name="b.LOG")
    for name in ("users.parquet", "README.md"):
        log(tmp_path / "in", b"no log", name=name)
    log(tmp_path / "in", record("10:00:00"), name=".hidden.jsonl")
    done: list[tuple[int, int]] = []
    explicit = log(tmp_path / "other", record("10:00:00", uuid="3"), name="export.txt")
    report = land_logs([tmp_path / "in", explicit, explicit], PRODUCT, landing, lambda *now: done.append(now))
    assert (report.files, report.lines, report.count("taken")) == (3, 3, 3)
    assert sorted(path.name for path in report.passed_over) == [".hidden.jsonl", "README.md", "users.parquet"]
    assert done == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("name", "content", "is_taken"),
    [
        ("log.2026-01-10", b"{cut", True),
        ("log.2026-01-10_0", b"{cut", True),
        ("shop.2026-01-10.log", b"", True),
        ("shop.log.2026-01-10-15_3", b"", True),
        ("part-00000", lines(record("10:00:00")), True),
        ("part-00001", b"\xef\xbb\xbf\n[\n" + lines(record("10:00:00")), True),
        ("part-00002", gzip.compress(lines(record("10:00:00")), mtime=0), True),
        ("part-00003", gzip.compress(lines(record("10:00:00")), mtime=0)[:4], True),
        ("part-00004", gzip.compress(b"text", mtime=0), False),
        ("catalog.2026", b"text", False),
        ("settings.ini", b"[section]", False),
        ("empty", b"", False),
    ],
)
def test_a_file_of_a_folder_is_a_log_by_its_name_or_its_beginning(
    name: str, content: bytes, is_taken: bool, tmp_path: Path, landing: Landing
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_bytes(content)
    report = land_logs([folder], PRODUCT, landing)
    assert (report.files, len(report.passed_over)) == ((1, 0) if is_taken else (0, 1))
    checked = CliRunner().invoke(app, ["logs", "check", str(folder)]).output
    assert ("There are no logs" not in checked) == is_taken


def test_the_report_tells_the_lines_of_each_day(tmp_path: Path, landing: Landing) -> None:
    first = log(tmp_path / "1", record("10:00:00"), record("10:00:00", day=-2), b"cut")
    second = log(tmp_path / "2", record("10:00:00", uuid="u"))
    report = land_logs([first, second], PRODUCT, landing)
    assert report.lines_by_day == {DAY - timedelta(days=2): 1, DAY: 3}


def test_the_landing_zone_itself_is_left_out(tmp_path: Path, landing: Landing) -> None:
    log(tmp_path, record("10:00:00"))
    land_logs([tmp_path], PRODUCT, landing)
    assert land_logs([tmp_path], PRODUCT, landing).files == 1
    with pytest.raises(LogPathError, match="landing zone"):
        land_logs([tmp_path / "landing"], PRODUCT, landing)


def test_a_path_that_does_not_exist_is_named(tmp_path: Path, landing: Landing) -> None:
    with pytest.raises(LogPathError, match=r"nowhere\.jsonl"):
        land_logs([tmp_path / "nowhere.jsonl"], PRODUCT, landing)


@pytest.mark.parametrize("name", ["", "Shop", "a/b", "../x", "a|b", "1shop", "x" * 51])
def test_a_name_that_cannot_be_a_products_is_refused(name: str, tmp_path: Path, landing: Landing) -> None:
    with pytest.raises(ProductNameError, match="product"):
        land_logs([log(tmp_path, record("10:00:00"))], name, landing)


# --------------------------------------------------------------------------- refused


def test_a_damaged_gzip_is_refused_whole(tmp_path: Path, landing: Landing) -> None:
    whole = gzip.compress(lines(*(record("10:00:00", uuid=str(n)) for n in range(2000))))
    (tmp_path / "cut-2026-01-10.gz").write_bytes(whole[:-500])
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    (tmp_path / "damaged-2026-01-10.gz").write_bytes(bytes(damaged))
    report = land_logs([tmp_path], PRODUCT, landing)
    assert [outcome.status for outcome in report.outcomes] == ["refused", "refused"]
    assert all("gzip" in outcome.reason for outcome in report.outcomes)
    assert landed(landing) == []
    assert (report.lines, report.count("refused")) == (0, 2)
    assert "refused" in report.outcomes[0].line()


@pytest.mark.parametrize("content", [b"", b"\n\n", b"hello\nworld\n", b"{}\n", b"[]"])
def test_a_file_that_tells_no_day_is_refused(content: bytes, tmp_path: Path, landing: Landing) -> None:
    file = tmp_path / "notes.log"
    file.write_bytes(content)
    [outcome] = land_logs([file], PRODUCT, landing).outcomes
    assert (outcome.status, outcome.log_day, outcome.lines) == ("refused", None, 0)
    assert "2026-01-01" in outcome.reason
    assert landed(landing) == []


def test_a_named_day_is_enough(tmp_path: Path, landing: Landing) -> None:
    report = land_logs([log(tmp_path, b"hello")], PRODUCT, landing)
    assert only(report) == ("taken", 1, 1)
    assert "1 of them without a usable time" in report.outcomes[0].line()


# --------------------------------------------------------------------------- all of it

LINES = st.one_of(
    st.tuples(st.integers(-6, 6), st.integers(0, 86_399)).map(
        lambda when: encoded(record(str(timedelta(seconds=when[1])).zfill(8), day=when[0], uuid=str(when)))
    ),
    st.text('ab{}"[', min_size=1, max_size=8).map(str.encode),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(found=st.lists(LINES, min_size=1, max_size=25, unique=True), size=st.integers(200, 3000), zipped=st.booleans())
def test_every_line_is_in_exactly_one_piece(
    found: list[bytes], size: int, zipped: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    landing = Landing(folder / "landing")
    content = lines(*found)
    file = folder / f"{DAY}.log"
    file.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_landing, "PIECE_BYTES", size)
        report = land_logs([file], PRODUCT, landing)
        again = land_logs([file], PRODUCT, landing)
    in_pieces = Counter(line for piece in pieces(landing).values() for line in piece)
    if not content.startswith(b"["):
        assert in_pieces == Counter(found)
    assert report.lines == in_pieces.total()
    assert (again.count("known"), again.days) == (1, ())
    for day, _ in pieces(landing):
        assert abs((DAY - type(DAY).fromisoformat(day)).days) <= 6
