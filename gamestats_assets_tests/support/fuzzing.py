"""Every reader of raw files, with documents to mutate and a way to take many of them at once.

What is taken must be accounted for: each file ends as rows, is counted as not wanted, or is set aside with a reason,
and none ends what is done with the others.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import openpyxl
import polars as pl

from gamestats_assets.demo_data.logs.landing import land_logs
from gamestats_assets.demo_data.logs.records import DECODER as LOGS
from gamestats_assets.demo_data.tables import Events, RecordCounts
from gamestats_assets.demo_data.taxonomies.reader import check_taxonomy
from gamestats_assets.l2m.logs.decoding import decode_days
from gamestats_assets.l2m.source import LogPathError, deliver
from gamestats_assets.l2m.tables import ETL, RATES, ExchangeRates, LogCounts
from gamestats_assets.lakehouse.landing.arrivals import Source
from gamestats_assets.lakehouse.landing.decoding import Decoder, decode_batches
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import tables as lol_tables
from gamestats_assets.lol.reference.data_dragon import read_documents
from gamestats_assets.lol.source import SOURCE as LOL
from gamestats_assets.lol.timelines import bronze as lol_bronze
from gamestats_assets.pubg import tables as pubg_tables
from gamestats_assets.pubg.source.files import SOURCE as PUBG
from gamestats_assets.pubg.telemetry import bronze as pubg_bronze
from gamestats_assets.rocket_league import tables as rocket_league_tables
from gamestats_assets.rocket_league.replays import bronze as rocket_league_bronze
from gamestats_assets.rocket_league.source import SOURCE as ROCKET_LEAGUE
from gamestats_assets.simulators.lol.files import documents as lol_documents
from gamestats_assets.simulators.lol.seasons import season, simulate
from gamestats_assets.simulators.pubg.matches import simulate_match
from gamestats_assets.simulators.rocket_league.seasons import simulate_season, write_season
from gamestats_assets_tests.demo_data import log_scenario, sheets
from gamestats_assets_tests.l2m import log_day
from gamestats_assets_tests.lakehouse.landing.decoded import decoded
from gamestats_assets_tests.lol import files as lol_files
from gamestats_assets_tests.rocket_league.support.files import real_folder
from gamestats_assets_tests.rocket_league.support.real_files import DUEL
from gamestats_assets_tests.support.damage import Mutable, mutated_bytes, mutated_lines

Outcomes = Counter[str]
"""What became of documents: `rows`, `set aside` (with a reason), or otherwise counted."""


@dataclass(frozen=True)
class Reader:
    """A reader of raw files.

    Attributes:
        documents: sound ones, small.
        mutate: one of them, damaged by chance; the number makes it one of its own.
        take: take files, which stand in a folder; what became of each.
        ending: of their names.
        sample: so many documents take about a second; tests take a quarter of them.
    """

    documents: Callable[[], Sequence[Any]]
    mutate: Callable[[Any, Random, int], bytes]
    take: Callable[[Path, Path], Outcomes]
    ending: str = ".json"
    sample: int = 300

    def damaged(self, random: Random, number: int) -> list[bytes]:
        """Some damaged documents."""
        documents = self.documents()
        return [self.mutate(random.choice(documents), random, place) for place in range(number)]

    def taken(self, contents: Sequence[bytes]) -> Outcomes:
        """Take documents, each as a file of its own in one folder.

        Raises:
            Exception: whatever a reader raises; an AssertionError where a document is not accounted for.
        """
        with tempfile.TemporaryDirectory() as folder:
            inbox = Path(folder, "2026-03-01", "login")
            inbox.mkdir(parents=True)
            for place, content in enumerate(contents):
                # The name tells what it is of where the content may not.
                (inbox / f"login-{_id(place)}{self.ending}").write_bytes(content)
            outcomes = self.take(inbox, Path(folder, "landing"))
        assert outcomes.total() == len(contents), f"{outcomes.total()} of {len(contents)} documents are accounted for."
        return outcomes


def _id(number: int) -> str:
    return f"{number:08x}-2222-3333-4444-555555555555"


def _screened(frames: Mapping[type[Table], pl.DataFrame]) -> dict[type[Table], pl.DataFrame]:
    """The rows that keep their tables' rules, as a lake and PostgreSQL can hold them."""
    good: dict[type[Table], pl.DataFrame] = {}
    for table, frame in frames.items():
        screened = screen(table, frame)
        assert screened.rows.height + screened.rejected_rows == frame.height, table.spec.key
        good[table] = screened.rows
        screened.rows.write_parquet(io.BytesIO())
        texts = screened.rows.select(pl.col(pl.String))
        if texts.width:
            has_nul = pl.any_horizontal(pl.all().str.contains("\0", literal=True).fill_null(False))
            assert texts.filter(has_nul).is_empty(), f"{table.spec.key} has a text with U+0000; PostgreSQL refuses it."
    return good


# --------------------------------------------------------------------------- matches


def _take_matches(
    inbox: Path,
    root: Path,
    source: Source,
    decoders: Mapping[Decoder, Mapping[str, type[Table]]],
    counted: Mapping[type[Table], type[Table]],
) -> Outcomes:
    """Ingest files and decode what has landed.

    Args:
        decoders: by decoder, for each kind of file the table in which its match has a row.
        counted: for a table of files with their `events`, the one that counts these.
    """
    landing = Landing(root)
    outcomes: Outcomes = Counter()
    report = source.ingest([inbox], landing)
    for outcome in report.outcomes:
        assert (outcome.status in ("quarantined", "refused")) == bool(outcome.reason)
    for decoder, tables in decoders.items():
        files = [file for day in landing.days(source.game) for file in landing.files(source.game, day)]
        frames, rejections, _ = decoded(decoder, landing, files)
        rows = _screened(frames)
        rejected = {rejection.unit_id for entries in rejections.values() for rejection in entries if rejection.reason}
        for kind, table in tables.items():
            has_row = {*frames[table].get_column("match_id")}
            for file in files:
                assert file.kind != kind or file.unit_id in has_row | rejected, f"Nothing is known of {file.path}."
        for table, counts in counted.items():
            sums = rows[counts].group_by("match_id").agg(counted=pl.col("events").sum())
            both = rows[table].filter(pl.col("status") == "processed").join(sums, on="match_id", how="left")
            assert both.filter(pl.col("counted").fill_null(0) != pl.col("events")).is_empty(), table.spec.key
    for outcome in report.outcomes:
        outcomes["set aside" if outcome.reason else "landed"] += 1
    return outcomes


@functools.cache
def _pubg() -> tuple[Mutable, Mutable]:
    match = simulate_match(11, datetime(2026, 3, 1, 12, tzinfo=UTC), players=16)
    kept: Counter[str] = Counter()
    events: list[dict[str, Any]] = []
    for event in json.loads(match.telemetry_json):
        kept[event["_T"]] += 1
        if kept[event["_T"]] <= 2:
            events.append(event)
    return Mutable(json.loads(match.match_json)), Mutable(events)


def _pubg_match(document: Mutable, random: Random, number: int) -> bytes:
    return document.mutated(random, (("data", "id"), _id(number)))


def _take_pubg(inbox: Path, root: Path) -> Outcomes:
    tables = {"match": pubg_tables.RawMatches, "telemetry": pubg_tables.TelemetryFiles}
    counted = {pubg_tables.TelemetryFiles: pubg_tables.TelemetryEventCounts}
    return _take_matches(inbox, root, PUBG, {pubg_bronze.DECODER: tables}, counted)


@functools.cache
def _lol() -> tuple[Mutable, Mutable]:
    story = simulate(season(matches=1, first_day=date(2026, 3, 1), days=1, seed=3))
    _, match, timeline = next(iter(lol_documents(story)))
    frames = timeline["info"]["frames"]
    short = [{**frame, "events": frame["events"][:12]} for frame in (*frames[:2], frames[-1])]
    match, timeline = json.loads(json.dumps(match)), {**timeline, "info": {**timeline["info"], "frames": short}}
    return Mutable(match), Mutable(json.loads(json.dumps(timeline)))


def _lol_document(document: Mutable, random: Random, number: int) -> bytes:
    return document.mutated(random, (("metadata", "matchId"), f"NA1_{4_000_000_000 + number}"))


def _take_lol(inbox: Path, root: Path) -> Outcomes:
    tables = {"match": lol_tables.RawMatches, "timeline": lol_tables.TimelineFiles}
    counted = {lol_tables.TimelineFiles: lol_tables.TimelineEventCounts}
    return _take_matches(inbox, root, LOL, {lol_bronze.DECODER: tables}, counted)


@functools.cache
def _data_dragon() -> list[Mutable]:
    return [Mutable(json.loads(content)) for content in (lol_files.items(), lol_files.champions())]


def _take_data_dragon(inbox: Path, root: Path) -> Outcomes:
    landing = Landing(root)
    renamed = inbox.rename(inbox.with_name("en_US"))
    report = LOL.ingest([renamed], landing)
    read = read_documents(landing)
    _screened({lol_tables.DataDragonItems: read.items, lol_tables.DataDragonChampions: read.champions})
    assert all(rejection.reason for entries in read.rejections.values() for rejection in entries)
    return Counter("set aside" if outcome.reason else "landed" for outcome in report.outcomes)


@functools.cache
def _ballchasing() -> list[Mutable]:
    simulated = simulate_season(seed=5, players=12, matches=2, first_day=date(2026, 3, 1), days=1)
    with tempfile.TemporaryDirectory() as folder:
        return [Mutable(json.loads(path.read_bytes())) for path in write_season(Path(folder), simulated)]


def _ballchasing_document(document: Mutable, random: Random, number: int) -> bytes:
    own = f"{number + 1:032X}"
    return document.mutated(random, (("match_guid",), own), (("rocket_league_id",), own))


def _take_rocket_league(inbox: Path, root: Path) -> Outcomes:
    raw = {"replay": rocket_league_tables.RawReplays, "ballchasing": rocket_league_tables.RawReplays}
    decoders: dict[Decoder, dict[str, type[Table]]] = {
        rocket_league_bronze.RAW_DECODER: raw,
        rocket_league_bronze.EVENTS_DECODER: {"replay": rocket_league_tables.ReplayFigures},
    }
    return _take_matches(inbox, root, ROCKET_LEAGUE, decoders, {})


@functools.cache
def _replays() -> list[bytes]:
    path = real_folder() / "rocket_league" / f"{DUEL}.replay"
    return [path.read_bytes()] if path.exists() else []


def _replay(content: bytes, random: Random, number: int) -> bytes:
    # A header is a hundredth of a replay, and most of what a reader decides by.
    within = random.choice(((0, 4_000), (4_000, len(content) * 9 // 10), (len(content) * 9 // 10, len(content))))
    return mutated_bytes(content, random, within=within)


# --------------------------------------------------------------------------- logs


def _l2m_lines(form: Callable[[Sequence[Mapping[str, Any]]], bytes]) -> list[bytes]:
    return [form(log_day.rows("login", 6))]


def _l2m_parquet() -> list[bytes]:
    part = io.BytesIO()
    pl.DataFrame(log_day.rows("login", 6)).write_parquet(part)
    return [part.getvalue()]


def _take_l2m(inbox: Path, root: Path) -> Outcomes:
    outcomes: Outcomes = Counter()
    sound = inbox / "sound"
    sound.mkdir()
    # Half of a delivery would count as all of it: what is refused alone would be with the others, and these too.
    for number, file in enumerate([path for path in sorted(inbox.iterdir()) if path.is_file()]):
        try:
            delivered = deliver([file], Landing(root / str(number)), day=log_day.DAY).outcomes
        except LogPathError:
            outcomes["set aside"] += 1
            continue
        assert all((outcome.status == "refused") == bool(outcome.reason) for outcome in delivered)
        if any(not outcome.reason for outcome in delivered):
            file.rename(sound / file.name)
        outcomes["set aside" if all(outcome.reason for outcome in delivered) else "landed"] += 1
    landing = Landing(root / "all")
    if any(sound.iterdir()):
        deliver([sound], landing, day=log_day.DAY)
    for day in landing.days("l2m"):
        for found in decode_days(landing, [landing.files("l2m", day)], 1):
            rows = {t: pl.concat([pl.DataFrame(schema=t.schema()), *pieces]) for t, pieces in found.frames.items()}
            _screened(rows)
            counts = {row["log"]: row for row in rows[LogCounts].iter_rows(named=True)}
            for log, table in {**ETL, RATES: ExchangeRates}.items():
                rejected = sum(rejection.rejected_rows for rejection in found.rejections[table])
                count = counts.get(log, Counter())
                assert count["rows_read"] == rows[table].height + rejected + count["duplicates"], log
    return outcomes


def _log() -> list[bytes]:
    names = ("login", "recharge", "increase_item", "shop")
    properties = {
        "level": 3,
        "amount": "4.99",
        "currency": "USD",
        "server_id": "S1",
        "#zone_offset": 7,
        "items": [{"a": 1}],
    }
    records = [
        log_scenario.record("10:00:00", name=name, day=50, uuid=f"u{n}", properties=properties)
        for n, name in enumerate(names)
    ]
    users = [log_scenario.record("10:00:00", type="user_set", day=50, properties={"vip": 1})]
    return [log_scenario.lines(*records, *users)]


def _take_demo_data(inbox: Path, root: Path) -> Outcomes:
    landing = Landing(root)
    report = land_logs([inbox], log_scenario.PRODUCT, landing)
    lines = pieces = 0
    files = log_scenario.landed(landing)
    for day in sorted({file.day for file in files}):
        of_day = [file for file in files if file.day == day]
        lines += sum(len(landing.content(file).split(b"\n")) - 1 for file in of_day)
        with contextlib.closing(decode_batches(LOGS, landing, [of_day], workers=1)) as results:
            found = next(results)
            frames = {table: frame.collect() for table, frame in found.frames.items()}
        rows = _screened(frames)
        pieces += rows[RecordCounts].get_column("records").sum()
        assert all(rejection.reason for rejection in found.rejections.get(Events, []))
    assert pieces == lines, f"{pieces} of {lines} lines are counted."
    return Counter("set aside" if outcome.reason else "landed" for outcome in report.outcomes)


# --------------------------------------------------------------------------- taxonomies


@functools.cache
def _csv_sheets() -> list[bytes]:
    sound: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        for path in (path for of in sheets.FOLDERS.values() for path in sorted(of.glob("*.csv"))):
            part = Path(folder, path.name)
            part.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:12]))
            if check_taxonomy(part).taxonomy is not None:
                sound.append(part.read_bytes())
    return sound


@functools.cache
def _workbooks() -> list[bytes]:
    found: list[bytes] = []
    for content in _csv_sheets()[:6]:
        book = openpyxl.Workbook()
        for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))):
            book.active.append(row)
        part = io.BytesIO()
        book.save(part)
        found.append(part.getvalue())
    return found


def _workbook(content: bytes, random: Random, number: int) -> bytes:
    """A workbook with one part of its archive other than it was, or some of its bytes."""
    if random.random() < 0.2:
        return mutated_bytes(content, random)
    part = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as target:
        names = source.namelist()
        chosen = random.choice([name for name in names if "sheet" in name] if random.random() < 0.7 else names)
        for name in names:
            held = source.read(name)
            target.writestr(name, mutated_bytes(held, random) if name == chosen else held)
    return part.getvalue()


def _take_taxonomies(inbox: Path, root: Path) -> Outcomes:
    outcomes: Outcomes = Counter()
    for file in sorted(inbox.iterdir()):
        report = check_taxonomy(file)
        assert (report.taxonomy is None) == bool(report.mistakes)
        outcomes["set aside" if report.mistakes else "rows"] += 1
    return outcomes


def _document(document: Mutable, random: Random, number: int) -> bytes:
    return document.mutated(random)


def _bytes(content: bytes, random: Random, number: int) -> bytes:
    return mutated_bytes(content, random)


def _each_line(content: bytes, random: Random, number: int) -> bytes:
    return mutated_lines(content, random)


READERS: Mapping[str, Reader] = {
    "pubg match objects": Reader(lambda: [_pubg()[0]], _pubg_match, _take_pubg),
    "pubg telemetry": Reader(lambda: [_pubg()[1]], _document, _take_pubg, sample=150),
    "lol match objects": Reader(lambda: [_lol()[0]], _lol_document, _take_lol),
    "lol timelines": Reader(lambda: [_lol()[1]], _lol_document, _take_lol),
    "data dragon": Reader(_data_dragon, _document, _take_data_dragon),
    "ballchasing": Reader(_ballchasing, _ballchasing_document, _take_rocket_league),
    "replays": Reader(_replays, _replay, _take_rocket_league, ".replay", sample=20),
    "l2m csv": Reader(lambda: _l2m_lines(log_day.csv_bytes), _each_line, _take_l2m, ".csv", sample=60),
    "l2m json lines": Reader(lambda: _l2m_lines(log_day.json_bytes), _each_line, _take_l2m, ".jsonl", sample=60),
    "l2m parquet": Reader(_l2m_parquet, _bytes, _take_l2m, ".parquet", sample=60),
    "l2m thinkingdata": Reader(_log, _each_line, _take_l2m, ".log", sample=60),
    "demo_data logs": Reader(_log, _each_line, _take_demo_data, ".jsonl"),
    "taxonomy sheets": Reader(_csv_sheets, _each_line, _take_taxonomies, ".csv"),
    "taxonomy workbooks": Reader(_workbooks, _workbook, _take_taxonomies, ".xlsx", sample=200),
}
"""By what they read."""
