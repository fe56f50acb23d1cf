"""A run as a whole: which bytes it writes where, and what it leaves behind when it cannot."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.generator import generate as generating
from gamestats_assets.demo_data.generator.generate import GenerationError, generate
from gamestats_assets.demo_data.logs.wire_check import check_files
from gamestats_assets.demo_data.rules.configuration import Configuration, CustomSegment, Dirt, ProductInfo
from gamestats_assets.demo_data.rules.model import Activity, PropertyRelationship, Rules
from gamestats_assets.demo_data.rules.soundness import RulesError
from gamestats_assets.demo_data.taxonomies.model import Event, Taxonomy
from gamestats_assets_tests.demo_data.small_shop import QUIET, RULES, TAXONOMY, at, by_user, number, records

SMALL = Configuration(users=60, days=3, seed=11)


def _bytes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run's files."""
    folder = tmp_path_factory.mktemp("small")
    generate(TAXONOMY, RULES, SMALL, folder)
    return folder


@pytest.mark.parametrize(("processes", "window"), [(1, 97), (2, 120_000)])
def test_neither_chunks_nor_windows_nor_processes_change_the_bytes(
    processes: int, window: int, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generating, "_CHUNK_EVENTS", 400)
    monkeypatch.setattr(generating, "_WINDOW_ROWS", window)
    generate(TAXONOMY, RULES, SMALL, tmp_path, processes=processes)
    assert _bytes(tmp_path) == _bytes(small)


def test_a_users_records_are_the_same_when_other_users_are_added(small: Path, tmp_path: Path) -> None:
    generate(TAXONOMY, RULES, SMALL.model_copy(update={"users": 120}), tmp_path)
    few, many = by_user(records(small)), by_user(records(tmp_path))
    assert set(few) < set(many)
    assert all(many[user] == of_user for user, of_user in few.items())


def test_another_seed_gives_other_users(small: Path, tmp_path: Path) -> None:
    generate(TAXONOMY, RULES, SMALL.model_copy(update={"seed": 12}), tmp_path)
    people = [
        {user for user in by_user(records(folder)) if not user.startswith("system-")} for folder in (small, tmp_path)
    ]
    assert people[0].isdisjoint(people[1])


def test_every_file_holds_its_day_in_the_order_of_time(small: Path) -> None:
    paths = sorted(small.glob("logs_*.jsonl"))
    assert [path.name for path in paths] == [f"logs_202601{day:02}.jsonl" for day in (1, 2, 3)]
    for path in paths:
        found = [json.loads(line) for line in path.read_text().splitlines()]
        assert {at(record).strftime("%Y%m%d") for record in found} == {path.stem[-8:]}
        assert [at(record) for record in found] == sorted(at(record) for record in found)


def test_the_independent_validator_finds_nothing_wrong(small: Path) -> None:
    report = check_files(sorted(small.glob("logs_*.jsonl")), taxonomy=TAXONOMY)
    assert report.is_clean, "\n".join(report.lines_of_text())
    assert report.lines == len(records(small)) > 3000


def test_the_manifest_tells_what_the_files_hold(small: Path) -> None:
    written = json.loads((small / "manifest.json").read_text())
    assert {file["name"]: file["sha256"] for file in written["files"]} == {
        name: digest for name, digest in _bytes(small).items() if name != "manifest.json"
    }
    assert written["records"] == len(records(small)) == sum(file["records"] for file in written["files"])
    assert sum(written["users"].values()) == SMALL.users


def test_the_tally_counts_what_was_written(tmp_path: Path) -> None:
    tally = generate(TAXONOMY, RULES, SMALL, tmp_path).tally
    counted = tally.group_by("type", "name").agg(pl.col("records").sum())
    found = Counter((record["#type"], record.get("#event_name", "")) for record in records(tmp_path))
    assert {(type_, name): n for type_, name, n in counted.iter_rows()} == dict(found)


def test_gzip_division_and_parquet_hold_the_same_records(small: Path, tmp_path: Path) -> None:
    wanted = SMALL.model_copy(update={"gzip": True, "file_megabytes": 0.2, "parquet": True})
    made = generate(TAXONOMY, RULES, wanted, tmp_path)
    lines_of_all = sum(path.read_bytes().count(b"\n") for path in small.glob("*.jsonl"))
    assert made.records == generating.read_manifest(tmp_path)["records"] == lines_of_all
    for day in ("20260101", "20260102", "20260103"):
        plain = (small / f"logs_{day}.jsonl").read_bytes()
        parts = sorted(tmp_path.glob(f"logs_{day}.*.jsonl.gz"))
        contents = [gzip.decompress(part.read_bytes()) for part in parts]
        assert len(parts) > 2
        assert b"".join(contents) == plain
        assert all(len(content) <= 200_000 for content in contents)
        rows = pl.read_parquet(tmp_path / f"logs_{day}.parquet")
        lines = [json.loads(line) for line in plain.splitlines()]
        assert rows["uuid"].to_list() == [line["#uuid"] for line in lines]
        assert [json.loads(row) for row in rows["properties"]] == [line["properties"] for line in lines]
    again = tmp_path / "again"
    generate(TAXONOMY, RULES, wanted, again)
    assert {n: d for n, d in _bytes(again).items()} == {
        n: hashlib.sha256((tmp_path / n).read_bytes()).hexdigest() for n in _bytes(again)
    }


def test_a_folder_with_another_runs_logs_is_refused_and_replaced_on_demand(tmp_path: Path) -> None:
    generate(TAXONOMY, RULES, SMALL, tmp_path)
    before = _bytes(tmp_path)
    other = SMALL.model_copy(update={"days": 2, "seed": 3})
    with pytest.raises(GenerationError, match=r"already has logs of another run \(3 files.*--overwrite"):
        generate(TAXONOMY, RULES, other, tmp_path)
    assert _bytes(tmp_path) == before
    generate(TAXONOMY, RULES, SMALL, tmp_path)
    assert _bytes(tmp_path) == before
    generate(TAXONOMY, RULES, other, tmp_path, overwrite=True)
    assert sorted(_bytes(tmp_path)) == ["logs_20260101.jsonl", "logs_20260102.jsonl", "manifest.json"]


_RUN = """
import sys
from pathlib import Path
from gamestats_assets.demo_data.generator.generate import generate
from gamestats_assets.demo_data.rules.configuration import Configuration
from gamestats_assets_tests.demo_data.small_shop import RULES, TAXONOMY
if __name__ == "__main__":
    generate(TAXONOMY, RULES, Configuration(users=3000, days=3), Path(sys.argv[1]), processes=1)
"""


def test_a_full_disk_is_reported_and_leaves_no_file(tmp_path: Path) -> None:
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, most))
    try:
        with pytest.raises(GenerationError, match=r"is full.*make room"):
            generate(TAXONOMY, RULES, SMALL, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_killed_run_leaves_no_half_file_and_the_next_one_heals_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = subprocess.Popen([sys.executable, "-c", _RUN, str(out)], start_new_session=True)
    deadline = time.monotonic() + 60
    while not any(out.glob(".spool-*/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    left = [path.name for path in out.iterdir() if not path.name.startswith(".")]
    assert left == []
    assert any(out.glob(".spool-*"))
    generate(TAXONOMY, RULES, SMALL, out)
    assert sorted(path.name for path in out.iterdir()) == [
        *(f"logs_2026010{day}.jsonl" for day in (1, 2, 3)),
        "manifest.json",
    ]


def test_values_that_need_each_other_are_reported_before_anything_is_written(tmp_path: Path) -> None:
    loop = {
        "price": PropertyRelationship(formula="total / 2"),
        "buy/total": PropertyRelationship(formula="price * count"),
    }
    rules = RULES.model_copy(update={"property_relationships": loop})
    with pytest.raises(RulesError, match=r"(?s)price.* -> .*total.* -> .*price|total.* -> .*price.* -> .*total"):
        generate(TAXONOMY, rules, SMALL, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_custom_segment_of_weekend_users_plays_on_weekends(tmp_path: Path) -> None:
    weekend = Activity(daily_probability=0.8, weekday_weights=[0, 0, 0, 0, 0, 1, 1])
    configuration = Configuration(
        users=60,
        days=14,
        segments={"weekend_warriors": 1.0},
        custom_segments={"weekend_warriors": CustomSegment(like="active_user", activity=weekend)},
    )
    result = generate(TAXONOMY, RULES, configuration, tmp_path)
    days = Counter(at(r).weekday() for r in records(tmp_path) if r.get("#event_name") == "start")
    assert days.keys() == {5, 6}
    assert dict(result.users.iter_rows()) == {"weekend_warriors": 60}


def test_every_kind_of_dirt_comes_at_its_rate(tmp_path: Path) -> None:
    rates = {
        "late": 0.05, "duplicate": 0.04, "out_of_order": 0.03, "null": 0.02, "schema_drift": 0.03,
        "unknown_event": 0.02, "truncated": 0.01,
    }  # fmt: skip
    generate(TAXONOMY, RULES, SMALL.model_copy(update={"users": 400, "dirt": Dirt(**rates)}), tmp_path)
    clean = tmp_path / "clean"
    generate(TAXONOMY, RULES, SMALL.model_copy(update={"users": 400}), clean)
    total = sum(record["#type"] == "track" for record in records(clean))
    found: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for path in sorted(tmp_path.glob("logs_*.jsonl")):
        latest = None
        for line in path.read_text().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                found["truncated"] += 1
                continue
            if record["#type"] != "track":
                continue
            seen[record["#uuid"]] += 1
            is_late = at(record).strftime("%Y%m%d") < path.stem[-8:]
            found["late"] += is_late
            found["duplicate"] += seen[record["#uuid"]] > 1
            found["null"] += None in record["properties"].values()
            found["unknown_event"] += record["#event_name"] not in TAXONOMY.event_names()
            found["schema_drift"] += "undeclared_property" in record["properties"] or any(
                isinstance(record["properties"].get(name), str)
                for name in ("level", "price", "count", "total", "coins")
            )
            if not is_late and latest is not None and at(record) < latest and seen[record["#uuid"]] == 1:
                found["out_of_order"] += 1
            if not is_late and (latest is None or at(record) > latest):
                latest = at(record) if at(record) - (latest or at(record)) < timedelta(hours=3) else latest
    for name, rate in rates.items():
        error = 5 * (rate * (1 - rate) / total) ** 0.5
        if name == "out_of_order":
            assert found[name] > 0
        elif name == "schema_drift":
            # A drifting number may be a common one or the event's own; all of them are texts then.
            assert 0.6 * rate < found[name] / total < rate + error
        else:
            assert abs(found[name] / total - rate) < error, name


def test_rules_of_another_taxonomy_are_refused_by_name(tmp_path: Path) -> None:
    other = Rules.model_validate({**RULES.model_dump(), "event_constraints": {"once": ["nope"]}})
    with pytest.raises(RulesError, match="nope"):
        generate(TAXONOMY, other, SMALL, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_users_update_the_app_and_change_addresses_but_keep_their_device(tmp_path: Path) -> None:
    run = Configuration(users=60, days=60, seed=2, segments={"power_user": 1.0})
    generate(TAXONOMY, QUIET, run, tmp_path)
    versions: set[str] = set()
    addresses: list[int] = []
    for of_user in by_user(records(tmp_path)).values():
        tracked = [record for record in of_user if record["#type"] == "track"]
        written = [record["properties"]["#app_version"] for record in tracked]
        assert written == sorted(written, key=lambda version: [int(part) for part in version.split(".")])
        assert len({record["properties"]["#device_model"] for record in tracked}) == 1
        at_home = {r["#ip"] for r in tracked if r["properties"]["#network_type"] == "WIFI"}
        assert len(at_home) <= 1
        addresses.append(len({record["#ip"] for record in tracked}))
        versions.add(written[0])
        versions.add(written[-1])
    assert len(versions) >= 4
    assert sorted(addresses)[len(addresses) // 2] > 3


@pytest.mark.parametrize("year", [2026, 2034])
def test_years_of_birth_follow_from_the_year_of_the_run(tmp_path: Path, year: int) -> None:
    born = Event(name="profile", properties=(number("birth_year"),))
    taxonomy = Taxonomy(name="born", events=(Event(name="app_open"), born), user_properties=(number("birth_year"),))
    rules = analyse(taxonomy, ProductInfo(industry="social"))
    generate(taxonomy, rules, Configuration(users=50, days=3, start=date(year, 5, 1)), tmp_path)
    written = [r["properties"]["birth_year"] for r in records(tmp_path) if "birth_year" in r["properties"]]
    assert min(written) >= year - 60
    assert year - 20 <= max(written) <= year - 14
