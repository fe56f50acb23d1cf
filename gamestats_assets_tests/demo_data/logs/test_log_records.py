"""Landed logs to bronze: what becomes of every record, whatever the order in which they come."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gamestats_assets.demo_data import tables as t
from gamestats_assets.demo_data.logs import records as log_records
from gamestats_assets.demo_data.logs.landing import land_logs, landing_game
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets_tests.demo_data.log_scenario import (
    DAY,
    PRODUCT,
    at,
    bronze,
    decoded,
    landed,
    lines,
    log,
    of_records,
    record,
)
from gamestats_assets_tests.support.frames import Frames


def counts(frames: Frames, day: str = "2026-01-10") -> dict[tuple[str, str], dict[str, int]]:
    """Record counts of a day that are not zero, by type and name."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in frames[t.RecordCounts].filter(product_day=f"{day}|{PRODUCT}").iter_rows(named=True):
        figures = {name: value for name, value in row.items() if isinstance(value, int) and value}
        found[row["event_type"], row["event_name"]] = figures
    return found


def properties(frames: Frames) -> list[Any]:
    return [json.loads(text) for text in frames[t.Events].sort("occurred_at")["properties"]]


# --------------------------------------------------------------------------- one record


def test_an_event_has_its_core_columns(tmp_path: Path) -> None:
    named = {
        "os": "iOS", "os_version": "17.2", "app_version": "1.4.0", "country": "대한민국", "country_code": "KR",
        "system_language": "ko", "manufacturer": "Apple", "device_model": "iPhone 15", "network_type": "WIFI",
        "carrier": "SKT",
    }  # fmt: skip
    sent = {f"#{name}": value for name, value in named.items()} | {"#zone_offset": 9}
    sent |= {"b": 1.0, "a": [1, {"x": None}], "name": "김"}
    frames = of_records(tmp_path, record("21:00:00.125", uuid="u-1", ip="1.2.3.4", properties=sent))
    [row] = frames[t.Events].to_dicts()
    assert row.pop("log_file").startswith("20260110-")
    assert row.pop("properties") == json.dumps(sent, ensure_ascii=False, separators=(",", ":"))
    assert row == {
        "product_day": "2026-01-10|shop", "product": "shop", "day": DAY, "occurred_at": at("12:00:00.125"),
        "log_date": DAY, "log_line": 1, "is_late": False, "account_id": "a", "distinct_id": "d", "user_id": "a",
        "event_id": "u-1", "event_type": "track", "event_name": "play", "overwrite_id": None, "first_check_id": None,
        "ip": "1.2.3.4", "zone_offset_h": 9.0, "language": named.pop("system_language"), **named,
    }  # fmt: skip


def test_what_a_record_lacks_is_null(tmp_path: Path) -> None:
    [row] = of_records(tmp_path, record("10:00:00", account_id="", properties={"#os": None, "#app_version": 14}))[
        t.Events
    ].to_dicts()
    assert (row["account_id"], row["user_id"], row["os"], row["app_version"]) == (None, "d", None, "14")
    assert (row["ip"], row["zone_offset_h"]) == (None, None)


def test_a_record_of_a_later_log_is_late(tmp_path: Path) -> None:
    frames, _ = bronze(tmp_path, log(tmp_path, record("10:00:00", day=-2, uuid="late"), record("10:00:00", day=1)))
    late = dict(frames[t.Events].select("event_id", "is_late").iter_rows())
    assert late.pop("late") is True
    assert list(late.values()) == [False]
    assert counts(frames, "2026-01-08") == {("track", "play"): {"records": 1, "kept": 1, "late": 1}}


# --------------------------------------------------------------------------- records that come twice


def test_of_equal_records_that_of_the_earliest_log_stands(tmp_path: Path) -> None:
    same = record("10:00:00", uuid="u", properties={"a": 1, "b": 2})
    other_form = {**same, "properties": {"b": 2, "a": 1}}
    logs = [
        log(tmp_path / str(n), given_, name=f"2026-01-1{3 - n}.log")
        for n, given_ in enumerate((same, other_form, same))
    ]
    frames, _ = bronze(tmp_path, *logs)
    assert frames[t.Events]["log_date"].to_list() == [date(2026, 1, 11)]
    assert counts(frames) == {("track", "play"): {"records": 3, "kept": 1, "duplicates": 2, "late": 1}}


def test_a_record_that_a_later_log_corrects_says_what_the_latest_says(tmp_path: Path) -> None:
    days = [record("10:00:00", uuid="u", properties={"amount": amount}) for amount in (1, 100, 1, 7, 100)]
    names = [f"2026-01-1{n}.log" for n in (0, 1, 2, 2, 3)]
    logs = [log(tmp_path / str(n), given_, name=names[n]) for n, given_ in enumerate(days)]
    for order in (logs, logs[::-1]):
        frames, _ = bronze(tmp_path, *order)
        assert properties(frames) == [{"amount": 100}]
        # The first log that says so.
        assert frames[t.Events]["log_date"].to_list() == [date(2026, 1, 11)]
        assert counts(frames) == {
            ("track", "play"): {"records": 5, "kept": 1, "duplicates": 4, "differing": 3, "late": 1}
        }


def test_equal_lines_without_a_uuid_are_one_record_wherever_they_stand(tmp_path: Path) -> None:
    same = record("10:00:00")
    logs = [log(tmp_path / "a", same, same), log(tmp_path / "b", same, same, same), log(tmp_path / "c", same)]
    frames, _ = bronze(tmp_path, *logs)
    assert frames[t.Events].height == 1
    assert counts(frames) == {("track", "play"): {"records": 6, "kept": 1, "duplicates": 5}}


def test_equal_broken_lines_are_in_quarantine_once(tmp_path: Path) -> None:
    broken = [b'{"n": %d' % n for n in range(9)]
    logs = [log(tmp_path / "a", *broken[:6], broken[0]), log(tmp_path / "b", *broken)]
    frames, rejections = bronze(tmp_path, *logs)
    assert sorted(str(r.content) for r in rejections) == sorted(line.decode() for line in broken)
    assert counts(frames) == {(t.INVALID, ""): {"records": 16, "quarantined": 9, "duplicates": 7}}


def test_a_record_with_times_on_two_days_stands_on_the_earlier(tmp_path: Path) -> None:
    days = [[record("10:00:00", uuid="u", day=n), record("11:00:00", uuid=f"v{n}", day=n)] for n in range(3)]
    sent = [log(tmp_path / str(n), *given_, name=f"2026-01-1{n}.log") for n, given_ in enumerate(days)]
    sent_back = [log(tmp_path / str(-n), *given_, name=f"2026-01-1{3 - n}.log") for n, given_ in enumerate(days)]
    for name, logs in (("sent", sent), ("sent_back", sent_back)):
        frames, _ = bronze(tmp_path / name, *logs)
        assert frames[t.Events].select("day", "event_id").sort("day", "event_id").rows() == [
            (DAY, "u"),
            *((DAY + timedelta(days=n), f"v{n}") for n in range(3)),
        ]
        for day in ("2026-01-11", "2026-01-12"):
            figures = counts(frames, day)["track", "play"]
            assert (figures["records"], figures["kept"], figures["duplicates"], figures["differing"]) == (2, 1, 1, 1)
        assert frames[t.PropertyTypes].height == 0


def test_copies_that_are_further_apart_than_a_day_stand_on_both(tmp_path: Path) -> None:
    frames = of_records(tmp_path, record("10:00:00", uuid="u"), record("10:00:00", uuid="u", day=2))
    assert sorted(frames[t.Events]["product_day"]) == ["2026-01-10|shop", "2026-01-12|shop"]


def test_what_is_in_quarantine_the_day_before_keeps_nothing_away(tmp_path: Path) -> None:
    broken = record("10:00:00", name="no name", uuid="u")
    elsewhere = Landing(tmp_path / "landing")
    land_logs([log(tmp_path, broken, record("10:00:00", uuid="u", day=1))], PRODUCT, elsewhere)
    # A piece of a day whose line is of another one, and a damaged piece.
    for content in (lines(record("10:00:00", uuid="u", day=5)), b"\x1f\x8b"):
        elsewhere.put(landing_game(PRODUCT), DAY, f"20260110-{len(content)}", "log", content, content)
    frames, _ = decoded(elsewhere, landed(elsewhere))
    assert frames[t.Events].select("product_day", "event_id").rows() == [("2026-01-11|shop", "u")]
    assert counts(frames)[t.INVALID, ""]["quarantined"] == 2


# --------------------------------------------------------------------------- records that change others


def quest(time: str, type: str, id: str = "q", **properties: Any) -> dict[str, Any]:
    return record(time, type=type, name="quest", event_id=id, uuid=f"{id}-{time}", properties=properties)


def test_an_overwrite_takes_the_events_place(tmp_path: Path) -> None:
    frames = of_records(
        tmp_path,
        quest("10:00:00", "track_update", a=1, b=2),
        quest("10:01:00", "track_overwrite", c=3),
        quest("10:02:00", "track_update", d=4),
    )
    assert properties(frames) == [{"c": 3, "d": 4}]
    [row] = frames[t.Events].to_dicts()
    assert (row["event_id"], row["event_type"], row["occurred_at"]) == (
        "q-10:01:00",
        "track_overwrite",
        at("10:01:00"),
    )
    assert counts(frames) == {
        ("track_update", "quest"): {"records": 2, "merged": 2},
        ("track_overwrite", "quest"): {"records": 1, "kept": 1},
    }


def test_of_first_records_the_earliest_counts(tmp_path: Path) -> None:
    def first(time: str, device: str, name: str = "install", **more: Any) -> dict[str, Any]:
        return record(time, type="track_first", name=name, first_check_id=device, properties={"at": time}, **more)

    frames = of_records(
        tmp_path,
        first("10:02:00", "x"),
        first("10:01:00", "x", account_id="b"),
        first("10:03:00", "y"),
        first("10:04:00", "x", name="launch"),
    )
    assert properties(frames) == [{"at": "10:01:00"}, {"at": "10:03:00"}, {"at": "10:04:00"}]
    assert counts(frames) == {
        ("track_first", "install"): {"records": 3, "kept": 2, "not_first": 1},
        ("track_first", "launch"): {"records": 1, "kept": 1},
    }


# --------------------------------------------------------------------------- quarantine


def test_lines_that_break_a_rule_are_quarantined_and_counted(tmp_path: Path) -> None:
    bad = record("10:00:00", name="two words")
    frames, rejections = bronze(tmp_path, log(tmp_path, record("10:00:00"), bad, b"{cut", b"", record("11:00:00")))
    assert [(r.unit_id, r.scope, r.rule, r.rejected_rows) for r in rejections] == [
        ("shop", "row", "event_name", 1),
        ("shop", "row", "json", 1),
    ]
    assert rejections[1].content == "{cut"
    assert "line 3: expected a JSON object" in rejections[1].reason
    assert json.loads(rejections[0].content or "") == bad
    assert counts(frames) == {
        ("track", "play"): {"records": 2, "kept": 2},
        (t.INVALID, ""): {"records": 2, "quarantined": 2},
    }
    assert frames[t.LogFiles].select("lines", "status").rows() == [(4, "processed")]


def test_very_many_broken_lines_are_reported_by_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_records, "_MOST_REJECTIONS", 3)
    frames, rejections = bronze(
        tmp_path, log(tmp_path, record("10:00:00"), *(b"x" * (9000 + n) for n in range(5)), b"[]")
    )
    assert Counter((r.rule, r.rejected_rows) for r in rejections) == {
        ("json", 1): 3,
        ("json", 2): 1,
        ("record_shape", 1): 1,
    }
    assert max(len(r.content or "") for r in rejections) == 4000
    assert counts(frames)[t.INVALID, ""] == {"records": 6, "quarantined": 6}


def test_a_record_in_another_days_piece_is_quarantined(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    content = lines(record("10:00:00"), record("10:00:00", day=1))
    landing.put(landing_game(PRODUCT), DAY, "20260110-0", "log", content, content)
    frames, found = decoded(landing, landed(landing))
    assert [r.rule for r in found.rejections[t.Events]] == ["day"]
    assert frames[t.Events].height == 1


def test_a_damaged_piece_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    game = landing_game(PRODUCT)
    good, bad = lines(record("10:00:00")), gzip.compress(lines(record("11:00:00")))[:-9]
    landing.put(game, DAY, "20260110-0", "log", good, good)
    landing.put(game, DAY, "20260110-1", "log", bad, bad)
    frames, found = decoded(landing, landed(landing))
    [rejection] = found.rejections[t.Events]
    assert (rejection.scope, rejection.rule, rejection.rejected_rows) == ("file", "unreadable_file", 0)
    assert "20260110-1" in rejection.reason
    assert frames[t.LogFiles].sort("log_file")["status"].to_list() == ["processed", "unreadable"]
    assert (frames[t.Events].height, found.unreadable) == (1, 0)


def test_unknown_root_keys_stop_nothing(tmp_path: Path) -> None:
    frames = of_records(tmp_path, record("10:00:00", app_id="x"), record("11:00:00"))
    assert counts(frames) == {("track", "play"): {"records": 2, "kept": 2, "unknown_root_keys": 1}}


# --------------------------------------------------------------------------- types


def test_types_of_properties_are_counted(tmp_path: Path) -> None:
    frames = of_records(
        tmp_path,
        record("12:00:00", uuid="u", properties={"price": 1, "items": [{"id": 1}], "tags": []}),
        record("12:00:00", uuid="u", properties={"tags": [], "price": 1, "items": [{"id": 1}]}),
        record("11:00:00", properties={"price": 2.5, "items": ["a"], "tags": None}),
        record("13:00:00", properties={"price": "3"}),
        record("14:00:00", name="end", properties={"price": True, "box": {}}),
        record("15:00:00", type="user_set", properties={"price": 1}),
    )
    columns = ("event_name", "property", "json_type", "records", "first_at")
    assert sorted(frames[t.PropertyTypes].select(columns).rows()) == [
        ("", "price", "number", 1, at("15:00:00")),
        ("end", "box", "object", 1, at("14:00:00")),
        ("end", "price", "boolean", 1, at("14:00:00")),
        ("play", "items", "list", 1, at("11:00:00")),
        ("play", "items", "object_group", 1, at("12:00:00")),
        ("play", "price", "number", 2, at("11:00:00")),
        ("play", "price", "string", 1, at("13:00:00")),
        ("play", "tags", "empty_list", 1, at("12:00:00")),
        ("play", "tags", "null", 1, at("11:00:00")),
    ]


# --------------------------------------------------------------------------- many days


# --------------------------------------------------------------------------- whatever the order

Made = tuple[str, int, str, int]
MADE = st.lists(
    st.tuples(
        st.sampled_from(["track", "track_first", "track_update", "track_overwrite", "user_set", "user_add"]),
        st.integers(0, 200_000),
        st.sampled_from(["x", "y"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda made: made[1],
)


def as_record(made: Made) -> dict[str, Any]:
    type_, second, name, value = made
    clock = f"{second % 86_400 // 3600:02d}:{second % 3600 // 60:02d}:{second % 60:02d}"
    ids = {"track_first": "first_check_id", "track_update": "event_id", "track_overwrite": "event_id"}
    more = {ids[type_]: str(value)} if type_ in ids else {}
    values = {"n": value, name: second}
    return record(clock, type=type_, name=name, day=second // 86_400, uuid=str(second), properties=values, **more)


def by_hand(records: Sequence[Mapping[str, Any]]) -> tuple[dict[tuple[str, str], dict[str, Any]], int]:
    """Events of one day each by id and day, and user operations, by a plain reading."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    changed: dict[tuple[str, str, str], tuple[str, str]] = {}
    operations = 0
    for given_ in sorted(records, key=lambda given_: given_["#time"]):
        type_, day, own = given_["#type"], given_["#time"][:10], (given_["#uuid"], given_["#time"][:10])
        key = (
            day,
            given_.get("#event_name", ""),
            given_.get("#event_id", "") or "1st" + given_.get("#first_check_id", ""),
        )
        if type_.startswith("user"):
            operations += 1
        elif type_ == "track":
            found[own] = given_["properties"]
        elif key not in changed:
            changed[key], found[own] = own, given_["properties"]
        elif type_ == "track_update":
            found[changed[key]] = found[changed[key]] | given_["properties"]
        elif type_ == "track_overwrite":
            del found[changed[key]]
            changed[key], found[own] = own, given_["properties"]
    return found, operations


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
@given(made=MADE, seed=st.integers(0, 99))
def test_neither_order_nor_doubled_logs_change_what_is_read(
    made: list[Made], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    records = [as_record(one) for one in made]
    straight, _ = bronze(folder / "straight", log(folder / "straight", *records))
    found = {(row["event_id"], str(row["day"])): json.loads(row["properties"]) for row in straight[t.Events].to_dicts()}
    assert (found, straight[t.UserOperations].height) == by_hand(records)

    shuffled = random.Random(seed)
    shuffled.shuffle(records)
    half = len(records) // 2
    parts = [records[:half], records[half:], records, records[: half + 1]]
    logs = [log(folder / str(n), *part) for n, part in enumerate(parts) if part]
    shuffled.shuffle(logs)
    mixed, _ = bronze(folder / "mixed", *logs)
    where = ("log_file", "log_line")
    for table in (t.Events, t.UserOperations):
        key = table.primary_key()
        assert_frame_equal(straight[table].drop(where).sort(key), mixed[table].drop(where).sort(key))
    assert_frame_equal(straight[t.PropertyTypes], mixed[t.PropertyTypes], check_row_order=False)
    same = ("kept", "merged", "not_first")
    kinds = ("product_day", "event_type", "event_name")
    assert_frame_equal(
        straight[t.RecordCounts].select(*kinds, *same),
        mixed[t.RecordCounts].select(*kinds, *same),
        check_row_order=False,
    )
