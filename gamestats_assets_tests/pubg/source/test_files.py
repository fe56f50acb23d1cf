"""What `ingest` takes, leaves and quarantines, on real files and on damaged ones."""

import gzip
import json
import re
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamestats_assets.lakehouse.files.unpacking import ReadLimits
from gamestats_assets.lakehouse.landing.arrivals import SourcePathError, UnrecognisedContentError
from gamestats_assets.lakehouse.landing.zone import Landing, content_hash, decompressed
from gamestats_assets.pubg.source.files import ingest, ingest_payload, mark_expired, recognise, refused

MATCH = "11111111-2222-3333-4444-555555555555"
DEFINITION = {
    "MatchId": f"match.bro.official.pc-2018-30.steam.squad.na.2025.07.12.17.{MATCH}",
    "_D": "2025-07-13T00:00:05Z",
}


def events(*, start: str | None = "2025-07-13T00:00:05.123Z", match_id: str | None = MATCH) -> list[dict]:
    found: list[dict] = []
    if match_id:
        found.append(DEFINITION | {"MatchId": f"match.bro.custom.x.{match_id}", "_T": "LogMatchDefinition"})
    found.append({"accountId": "account.a", "_D": "2025-07-12T23:59:01Z", "_T": "LogPlayerLogin"})
    if start:
        characters = [{"character": {"name": 'a "{[ b', "zone": []}}] * 40
        found.append({"characters": characters, "_D": start, "_T": "LogMatchStart"})
    found += [{"n": n, "_D": "2025-07-13T00:10:00.000Z", "_T": "LogHeal"} for n in range(50)]
    return found


def telemetry(**options: str | None) -> bytes:
    return json.dumps(events(**options), separators=(",", ":")).encode()


def match_object(created_at: str = "2025-07-13T00:20:00Z", duration: object = 1500, match_id: str = MATCH) -> bytes:
    attributes = {"createdAt": created_at, "duration": duration}
    return json.dumps({"data": {"type": "match", "id": match_id, "attributes": attributes}, "included": []}).encode()


def players(name: str = "Someone") -> bytes:
    return json.dumps({"data": [{"type": "player", "id": "account.1", "attributes": {"name": name}}]}).encode()


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


# ---------------------------------------------------------------- the real files


def test_every_real_match_object_is_recognised_with_its_own_id(realdata: Path) -> None:
    files = [path for path in (realdata / "pubg" / "matches").rglob("*") if path.is_file()]
    assert len(files) >= 62
    for path in files:
        content = decompressed(path.read_bytes())
        found = recognise(content)
        document = json.loads(content)["data"]
        created = datetime.strptime(document["attributes"]["createdAt"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert (found.kind, found.match_id, found.start_is_exact) == ("match", document["id"], False)
        assert found.started_at is not None
        # The telemetry of every one was uploaded a whole duration after createdAt: it is the start.
        uploads = [r["attributes"]["createdAt"] for r in json.loads(content)["included"] if r["type"] == "asset"]
        since_created = (datetime.fromisoformat(uploads[0]) - created).total_seconds()
        assert since_created > document["attributes"]["duration"] - 300
        assert found.started_at == created


def test_a_match_object_stored_at_the_end_started_one_duration_before() -> None:
    document = json.loads(match_object("2025-07-12T18:00:00Z", 1800))
    upload = {"type": "asset", "id": "a", "attributes": {"name": "telemetry", "createdAt": "2025-07-12T18:01:55Z"}}
    for included in ([], [upload]):
        content = json.dumps({**document, "included": included}).encode()
        assert recognise(content).started_at == datetime(2025, 7, 12, 17, 30, tzinfo=UTC)


def test_the_real_telemetry_tells_its_match_and_exact_start(realdata: Path) -> None:
    (path,) = (realdata / "pubg" / "telemetry").glob("*.json.gz")
    found = recognise(decompressed(path.read_bytes()))
    assert found.kind == "telemetry"
    assert found.match_id == "c2fb5093-866c-4d6d-96bf-7abf755094af"
    assert found.started_at == datetime(2025, 7, 12, 17, 11, 33, 984000, tzinfo=UTC)
    assert found.start_is_exact


def test_the_real_folder_is_ingested_with_the_dictionaries_quarantined(realdata: Path, landing: Landing) -> None:
    folder = realdata / "pubg"
    report = ingest([folder], landing)
    arrived = [path for path in folder.rglob("*") if path.is_file()]
    strangers = [path for path in arrived if "dictionaries" in path.parts or "bluezone" in path.name]
    assert report.files == len(arrived) == report.taken + report.known + report.quarantined
    assert {o.name for o in report.outcomes if o.status == "quarantined"} == {str(path) for path in strangers}
    assert report.count("taken", "match") == len(list((folder / "matches").rglob("*.json*")))
    assert report.count("taken", "telemetry") == 3
    assert report.count("taken", "players") == 2
    assert "2018-04-27" in report.days
    assert len(refused(landing)) == len({content_hash(path.read_bytes()) for path in strangers})


# ---------------------------------------------------------------- recognising


@pytest.mark.parametrize("dressed", [b"\xef\xbb\xbf%s", b"\n\t %s \r\n", b"\xef\xbb\xbf\n%s\n"])
@pytest.mark.parametrize("content", [telemetry(), match_object(), players()])
def test_byte_order_mark_and_white_space_do_not_matter(dressed: bytes, content: bytes) -> None:
    assert recognise(dressed % content) == recognise(content)


@pytest.mark.parametrize(
    ("written", "microsecond"),
    [
        ("2025-07-13T00:00:05.123Z", 123000),
        ("2025-07-13T00:00:05.1234567+00:00", 123456),
        ("2025-07-13T02:00:05+02:00", 0),
    ],
)
def test_times_are_read_in_every_form_the_api_writes(written: str, microsecond: int) -> None:
    assert recognise(telemetry(start=written)).started_at == datetime(2025, 7, 13, 0, 0, 5, microsecond, tzinfo=UTC)


def test_without_a_match_start_the_definition_estimates_the_start() -> None:
    found = recognise(telemetry(start=None))
    assert found.started_at == datetime(2025, 7, 13, 0, 0, 5, tzinfo=UTC)
    assert not found.start_is_exact


def test_without_start_and_definition_the_name_and_the_earliest_event_serve() -> None:
    found = recognise(telemetry(start=None, match_id=None), name=f"{MATCH.upper()}.json.gz")
    assert found.match_id == MATCH
    assert found.started_at == datetime(2025, 7, 12, 23, 59, 1, tzinfo=UTC)
    assert not found.start_is_exact


@pytest.mark.parametrize("name", ["{}.json", "telemetry-{}.json.gz", "{}-squad.json", "{}.telemetry.0a1b2c.json"])
def test_a_match_id_is_found_anywhere_in_a_name(name: str) -> None:
    assert recognise(telemetry(match_id=None), name=name.format(MATCH)).match_id == MATCH


def test_the_match_id_inside_wins_over_the_file_name() -> None:
    assert recognise(telemetry(), name="99999999-2222-3333-4444-555555555555.json").match_id == MATCH


@pytest.mark.parametrize("name", ["", "telemetry.json", f"{MATCH}-telemetry.json"])
def test_a_telemetry_without_any_match_id_is_refused_and_asset_names_do_not_count(name: str) -> None:
    with pytest.raises(UnrecognisedContentError, match="no match id"):
        recognise(telemetry(match_id=None), name=name)


def test_a_player_named_like_an_event_does_not_confuse() -> None:
    joker = [{"name": "LogMatchStart", "_D": "2025-01-01T00:00:00Z", "_T": "LogPlayerCreate"}]
    assert recognise(json.dumps(joker + events()).encode()) == recognise(telemetry())


def test_a_time_before_the_game_existed_is_no_time() -> None:
    found = recognise(telemetry(start="0001-01-01T00:00:00Z"))
    assert found.started_at == datetime(2025, 7, 13, 0, 0, 5, tzinfo=UTC)
    assert not found.start_is_exact


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   ",
        b"\x00\x01\x02",
        b"PK\x03\x04rest of an archive",
        b"[]",
        b"[1, 2]",
        b'[{"a": 1}]',
        b"{}",
        b'{"data": []}',
        b'{"data": null}',
        b'{"data": {"type": "season", "id": "x"}}',
        b'{"data": [{"type": "player", "id": "a"}, {"type": "match", "id": "b"}]}',
        b'{"data": [{"type": "match", "id": "b"}]}',
        b'{"a":' * 50_000,
        b"[" * 50_000,
        b'[{"_T":"LogMatchDefinition","a":' * 20_000,
        match_object(match_id="../../etc/passwd"),
        match_object(match_id=""),
        match_object(duration=None),
        match_object(duration=-5),
        match_object(duration=1e300),
        match_object(duration=True),
        match_object(created_at="yesterday"),
        match_object(created_at="0001-01-01T00:00:00Z"),
        telemetry()[:-1],
        telemetry()[: len(telemetry()) // 2],
    ],
)
def test_other_content_is_refused_with_a_reason(content: bytes) -> None:
    with pytest.raises(UnrecognisedContentError) as refusal:
        recognise(content)
    assert 10 < len(str(refusal.value)) < 400


def test_a_telemetry_cut_after_an_inner_array_is_seen_as_cut() -> None:
    whole = telemetry()
    cut = whole[: whole.index(b"}}]") + 3]
    assert cut.endswith(b"}]")
    with pytest.raises(UnrecognisedContentError, match="truncated"):
        recognise(cut)


# ---------------------------------------------------------------- ingesting


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("turned", [False, True])
def test_a_match_stands_on_the_day_its_telemetry_started_whatever_the_order(
    inbox: Path, landing: Landing, names: tuple[str, str], turned: bool
) -> None:
    # The match object's estimate is 23:55 of the day before.
    (inbox / names[0]).write_bytes(match_object())
    (inbox / names[1]).write_bytes(telemetry())
    paths = [inbox / "a", inbox / "b"]
    report = ingest(reversed(paths) if turned else paths, landing)
    assert report.days == ("2025-07-13",)
    assert {file.kind for file in landing.files("pubg", "2025-07-13")} == {"match", "telemetry"}


def test_a_match_object_alone_stands_on_its_estimated_day_and_keeps_it(inbox: Path, landing: Landing) -> None:
    (inbox / "m").write_bytes(match_object())
    assert ingest([inbox], landing).days == ("2025-07-12",)
    (inbox / "t").write_bytes(telemetry())
    assert ingest([inbox], landing).days == ("2025-07-12",)
    assert landing.days("pubg") == ["2025-07-12"]


def test_the_landing_zone_is_not_ingested_into_itself(tmp_path: Path, inbox: Path, landing: Landing) -> None:
    (inbox / "t").write_bytes(telemetry())
    assert ingest([tmp_path], landing).files == 1
    assert ingest([tmp_path], landing).files == 1
    with pytest.raises(SourcePathError, match="inside the landing zone"):
        ingest([Path(landing.root) / "pubg"], landing)


def test_a_missing_path_is_told_before_anything_lands(inbox: Path, landing: Landing) -> None:
    (inbox / "t").write_bytes(telemetry())
    with pytest.raises(SourcePathError, match="no such file"):
        ingest([inbox, inbox / "absent"], landing)
    assert not Path(landing.root).exists()


def test_a_file_too_large_is_reported_and_left(inbox: Path, tmp_path: Path) -> None:
    (inbox / "t").write_bytes(telemetry().ljust(1_000_001))
    (outcome,) = ingest([inbox], Landing(tmp_path / "small", limits=ReadLimits(megabytes=1))).outcomes
    assert outcome.status == "quarantined"
    assert outcome.landed_path is None
    assert "1,000,001 bytes; up to 1 MB are read (GAMESTATS_LARGEST_FILE_MB)" in outcome.reason


@pytest.mark.parametrize(
    "created_at", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_match_of_a_time_that_cannot_be_is_quarantined_and_the_others_are_taken(
    created_at: str, inbox: Path, landing: Landing
) -> None:
    bad = json.loads(match_object(created_at))
    bad["included"] = [{"type": "asset", "id": "a", "attributes": {"createdAt": "2025-07-13T00:20:00Z"}}]
    (inbox / "bad").write_text(json.dumps(bad))
    (inbox / "good").write_bytes(match_object())
    report = ingest([inbox], landing)
    assert [outcome.status for outcome in report.outcomes] == ["quarantined", "taken"]
    assert "no usable createdAt" in report.outcomes[0].reason


# ---------------------------------------------------------------- the unreadable


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (gzip.compress(telemetry())[:-20], "ends early"),
        (b"\x1f\x8b\x08" + b"\xff" * 100, "damaged|ends early"),
        (b"<html>", "Expected JSON"),
        (b"", "empty"),
        (telemetry(match_id=None), "no match id"),
        (b'{"data": {"type": "season", "id": "1"}}', "season"),
    ],
)
def test_what_nobody_can_read_is_kept_with_its_reason(landing: Landing, payload: bytes, reason: str) -> None:
    outcome = ingest_payload(payload, "folder/name.json", landing)
    assert outcome.status == "quarantined"
    (file,) = refused(landing)
    assert re.search(reason, outcome.reason)
    assert file.reason == f"name.json ({len(payload)} bytes, {outcome.landed_path}): {outcome.reason}"
    assert file.unit_id == content_hash(payload)
    assert outcome.landed_path is not None
    assert (Path(landing.root) / outcome.landed_path).read_bytes() == payload


def test_a_payload_of_another_match_than_asked_for_is_quarantined(landing: Landing) -> None:
    other = "99999999-2222-3333-4444-555555555555"
    assert ingest_payload(telemetry(), "t", landing, match_id=MATCH.upper()).status == "taken"
    outcome = ingest_payload(telemetry(match_id=other), "t", landing, match_id=MATCH)
    assert outcome.status == "quarantined"
    assert other in outcome.reason


def test_an_expired_telemetry_is_marked_once_on_the_day_of_its_match(landing: Landing) -> None:
    ingest_payload(match_object(), "m", landing)
    assert mark_expired(landing, MATCH, date(2030, 1, 1))
    assert not mark_expired(landing, MATCH, date(2031, 1, 1))
    (marker,) = [file for file in landing.files("pubg", "2025-07-12") if file.kind == "expired"]
    assert json.loads(landing.read(marker)) == {"match_id": MATCH, "status": 403}


# ---------------------------------------------------------------- nothing is lost, whatever arrives

_SEEDS = [
    telemetry(),
    telemetry(start=None),
    match_object(),
    players(),
    json.dumps(events(), indent=2).encode(),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(_SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 30))] = draw(st.binary(max_size=10))
    payload = bytes(content)
    for _ in range(draw(st.integers(0, 3))):
        payload = gzip.compress(payload, 1, mtime=0)
    if draw(st.booleans()):
        payload = payload[: draw(st.integers(0, len(payload)))]
    return payload + draw(st.sampled_from([b"", b"\n", b"\x1f\x8b", b"junk"]))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(mutated(), st.binary(max_size=60)), min_size=1, max_size=5))
def test_every_file_is_taken_known_or_quarantined_and_can_be_found_again(payloads: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        inbox = Path(folder, "inbox")
        inbox.mkdir()
        for number, payload in enumerate(payloads):
            (inbox / str(number)).write_bytes(payload)
        landing = Landing(Path(folder, "landing"))
        report = ingest([inbox], landing)
        assert report.files == len(payloads) == report.taken + report.known + report.quarantined
        landed = {content_hash(path.read_bytes()) for path in Path(landing.root).rglob("*.*") if path.is_file()}
        for outcome, payload in zip(report.outcomes, payloads, strict=True):
            assert outcome.landed_path is not None
            kept = (Path(landing.root) / outcome.landed_path).read_bytes()
            if outcome.status == "quarantined":
                assert kept == payload
                assert outcome.reason
            else:
                assert decompressed(kept) == decompressed(payload)
        assert {file.unit_id for file in refused(landing)} <= landed
        again = ingest([inbox], landing)
        assert (again.taken, again.known) == (0, report.taken + report.known)
        assert again.quarantined == report.quarantined


def test_a_cut_telemetry_whose_name_tells_the_match_is_filed_with_it_and_stays_quarantined(
    tmp_path: Path, landing: Landing
) -> None:
    inbox = tmp_path / "cut"
    inbox.mkdir()
    (inbox / f"{MATCH}.telemetry.json.gz").write_bytes(gzip.compress(telemetry())[:-20])
    (inbox / "z.json").write_bytes(match_object())
    report = ingest([inbox], landing)
    assert (report.taken, report.quarantined) == (1, 1)
    day = landing.day_of("pubg", MATCH)
    assert day is not None
    assert [file.kind for file in landing.files("pubg", day)] == ["match", "telemetry"]
    assert refused(landing) == []


def test_what_was_asked_for_and_came_cut_is_not_filed_with_its_match(landing: Landing) -> None:
    ingest_payload(match_object(), "m", landing, match_id=MATCH)
    cut = gzip.compress(telemetry())[:-20]
    outcome = ingest_payload(cut, f"{MATCH}.telemetry.json", landing, match_id=MATCH)
    assert (outcome.status, outcome.day) == ("quarantined", None)
    day = landing.day_of("pubg", MATCH)
    assert day is not None
    assert [file.kind for file in landing.files("pubg", day)] == ["match"]
    assert [file.unit_id for file in refused(landing)] == [content_hash(cut)]
