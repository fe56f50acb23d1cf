"""What `ingest` takes and quarantines of Rocket League's files, and under which match and day it lands."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.lakehouse.landing.arrivals import UnrecognisedContentError
from gamestats_assets.lakehouse.landing.zone import Landing, decompressed
from gamestats_assets.rocket_league.source import (
    BALLCHASING,
    REPLAY,
    date_of,
    ingest,
    ingest_payload,
    is_whole,
    match_id_of,
    recognise,
    refused,
    started_at_of,
)
from gamestats_assets_tests.rocket_league.support.ballchasing_server import details
from gamestats_assets_tests.rocket_league.support.files import REPLAYS, header_of, landed
from gamestats_assets_tests.rocket_league.support.real_files import COME_AND_GO, DUEL, LAN, PAIRS, TOURNAMENT, replay


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """An empty landing zone."""
    return Landing(tmp_path / "landing")


def content_of(**more: Any) -> bytes:
    """A small document of ballchasing's."""
    return json.dumps(details(1) | more).encode()


# --- The real files -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPLAYS)
def test_a_real_replay_is_recognised_with_its_match_and_start(realdata: Path, name: str) -> None:
    content = (realdata / "rocket_league" / name).read_bytes()
    header = header_of(content)
    found = recognise(content)
    assert (found.kind, found.suffix) == (REPLAY, "replay")
    # By the server, where the header does not tell it; that of the LAN has neither.
    of_server = {COME_AND_GO: "1743A03611E7E514FB16FB8C82A3D4C9", TOURNAMENT: "EF3126B611EB03719065F5B42ADC5625"}
    assert found.match_id == header.get("MatchGUID", of_server.get(name.removesuffix(".replay"), header["Id"]))
    assert found.start_is_exact == ("MatchStartEpoch" in header)
    assert found.started_at is not None
    if found.start_is_exact:
        assert found.started_at.timestamp() == header["MatchStartEpoch"]
        # The date is when it was saved, at the end, by a clock of whatever place.
        saved = datetime.strptime(header["Date"], "%Y-%m-%d %H-%M-%S").replace(tzinfo=UTC)
        assert abs(saved - found.started_at) < timedelta(hours=15)
    else:
        assert found.started_at.strftime("%Y-%m-%d-%H-%M") == header["Date"].replace(":", "-").replace(" ", "-")[:16]


@pytest.mark.parametrize("name", PAIRS)
def test_a_real_replay_and_its_json_are_of_one_match(realdata: Path, name: str) -> None:
    folder = realdata / "rocket_league"
    of_replay = recognise(replay(realdata, name))
    recognised = recognise((folder / f"{name}.ballchasing.json").read_bytes())
    assert (recognised.kind, recognised.suffix, recognised.match_id) == (BALLCHASING, "json", of_replay.match_id)
    assert not recognised.start_is_exact
    assert of_replay.started_at is not None
    assert recognised.started_at is not None
    # Ballchasing tells when it was saved.
    assert timedelta(minutes=5) < recognised.started_at - of_replay.started_at < timedelta(minutes=8)


def test_the_real_folder_is_ingested_once_with_malformed_files_quarantined(realdata: Path, landing: Landing) -> None:
    # One of every kind of replay's header is enough; the others are recognised above.
    folder = realdata / "rocket_league"
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith("replay-format")]
    report = ingest(paths, landing)
    assert {kind: count for (kind, _), count in report.totals.items()} == {REPLAY: 3, BALLCHASING: 2, "unreadable": 2}
    assert (report.taken, report.quarantined) == (5, 2)
    assert report.days == ("2026-03-10", "2026-04-28")
    assert len(report.matches) == 3
    for file in landed(landing):
        assert file.path.endswith(".replay" if file.kind == REPLAY else ".json")
        assert any(path.read_bytes() == landing.read(file) for path in paths)
        assert is_whole(file, landing)
    reasons = {each.reason.partition(" (")[0]: each.reason for each in refused(landing)}
    assert "attribute unknown" in reasons["malformed_fuzz-large-object-id.replay"]
    assert "crc check failed" in reasons["malformed_fuzz-slice-index.replay"]
    assert {each.rule for each in refused(landing)} == {"file_recognised"}
    again = ingest(paths, landing)
    assert (again.taken, again.known, again.quarantined) == (0, 5, 2)


def test_a_replay_is_landed_before_the_json_of_its_match_whatever_their_names(
    realdata: Path, landing: Landing, tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    # The header's date is the computer's; and the JSON's, a day later, comes first by its name.
    (inbox / "b.replay").write_bytes(replay(realdata, LAN))
    document = details(1, date="2016-08-08T11:27:00Z", match_guid="C83E4E724DDA240B624949ABFB5BB964")
    (inbox / "a.json").write_bytes(json.dumps(document).encode())
    report = ingest([inbox], landing)
    assert [outcome.day for outcome in report.outcomes] == ["2016-08-07", "2016-08-07"]


def test_gzipped_files_are_what_they_hold(realdata: Path, landing: Landing) -> None:
    content = replay(realdata, DUEL)
    outcome = ingest_payload(gzip.compress(gzip.compress(content, 1), 1), "x.gz", landing)
    assert outcome.status == "taken"
    assert ingest_payload(content, "x.replay", landing).status == "known"
    [file] = landed(landing)
    assert file.path.endswith(".replay.gz")
    assert decompressed(landing.read(file)) == content
    assert is_whole(file, landing)


# --- Ids and times --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match_guid", "replay_id", "expected"),
    [
        ("a" * 32, "B" * 32, "A" * 32),
        (None, "b" * 32, "B" * 32),
        ("0" * 32, "B" * 32, "B" * 32),
        ("A" * 31, "B" * 33, None),
        ("G" * 32, None, None),
        (5, ["B" * 32], None),
        ("0" * 32, "0" * 32, None),
    ],
)
def test_a_match_is_called_by_its_own_id_or_that_of_the_replay(
    match_guid: Any, replay_id: Any, expected: str | None
) -> None:
    assert match_id_of(match_guid, replay_id) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"MatchStartEpoch": "1773168576"}, (datetime(2026, 3, 10, 18, 49, 36, tzinfo=UTC), True)),
        (
            {"MatchStartEpoch": "0", "Date": "2026-03-10 18-55-49"},
            (datetime(2026, 3, 10, 18, 55, 49, tzinfo=UTC), False),
        ),
        ({"Date": "2016-08-07:11-27"}, (datetime(2016, 8, 7, 11, 27, tzinfo=UTC), False)),
        ({"MatchStartEpoch": "9" * 30, "Date": "2016-08-07:11-27"}, (datetime(2016, 8, 7, 11, 27, tzinfo=UTC), False)),
        ({"MatchStartEpoch": [1], "Date": "2016-08-07:11-27"}, (datetime(2016, 8, 7, 11, 27, tzinfo=UTC), False)),
        # Before the game came out clocks were wrong.
        ({"MatchStartEpoch": "1000000000", "Date": "1970-01-01 00-00-00"}, None),
        ({"Date": "2026-02-30 18-55-49"}, None),
        ({"Date": "yesterday"}, None),
        ({"Date": None}, None),
        ({}, None),
    ],
)
def test_a_match_began_by_the_servers_clock_or_else_by_the_computers(
    header: dict[str, Any], expected: tuple[datetime, bool] | None
) -> None:
    assert started_at_of(header) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-10T18:55:49Z", datetime(2026, 3, 10, 18, 55, 49, tzinfo=UTC)),
        ("2026-03-10T23:30:00-02:00", datetime(2026, 3, 11, 1, 30, tzinfo=UTC)),
        ("2026-03-10T18:55:49", datetime(2026, 3, 10, 18, 55, 49, tzinfo=UTC)),
        ("2015-07-06T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:00:00-14:00", None),
        ("", None),
        (None, None),
        ("soon", None),
    ],
)
def test_ballchasings_dates_are_times_in_utc(text: str | None, expected: datetime | None) -> None:
    assert date_of(text) == expected


# --- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty"),
        (b" \r\n\t", "The file is empty"),
        (b"\xef\xbb\xbf", "The file is empty"),
        (b"none of it", "Neither a replay nor whole JSON"),
        (content_of()[:-5], "Neither a replay nor whole JSON"),
        (b"[" * 100_000, "Expected ballchasing's JSON"),
        (b"[1]", "Expected ballchasing's JSON"),
        (b"3", "Expected ballchasing's JSON"),
        (b"{}", "Expected teams blue and orange"),
        (content_of(date=5), "Expected ballchasing's JSON"),
        (content_of(status="pending"), "The replay is pending at ballchasing"),
        (content_of(status="failed"), "The replay is failed at ballchasing"),
        (content_of(match_guid=None, rocket_league_id=None), "Expected rocket_league_id or match_guid"),
        (content_of(date=None), "Expected a date such as 2026-03-10T18:55:49Z, found None"),
        (content_of(date="1999-01-01T00:00:00Z"), "found '1999-01-01T00:00:00Z'"),
    ],
)
def test_what_is_none_of_the_games_files_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnrecognisedContentError, match=reason):
        recognise(content)


def test_a_document_of_a_match_without_the_servers_id_is_of_its_replay() -> None:
    found = recognise(b"\xef\xbb\xbf" + content_of(match_guid=None, status=None))
    assert found.match_id == f"{1:032X}"


@pytest.mark.parametrize("length", [10, 20, 40, 64, 100, 3000, 5580, 5600, 100_000])
def test_a_cut_replay_is_refused(realdata: Path, length: int) -> None:
    message = "it is cut short" if length >= 40 else "Neither a replay nor whole JSON"
    with pytest.raises(UnrecognisedContentError, match=message):
        recognise(replay(realdata, DUEL)[:length])


def test_a_header_without_an_id_or_a_time_is_refused(realdata: Path) -> None:
    content = replay(realdata, DUEL)
    without_time = content.replace(b"MatchStartEpoch\0", b"MatchStartEpocH\0", 1).replace(b"Date\0", b"DatE\0", 1)
    with pytest.raises(UnrecognisedContentError, match="no usable time: MatchStartEpoch is None, Date is None"):
        recognise(without_time)
    # Where the header does not tell the match the server does; of a LAN there was none.
    assert recognise(content.replace(b"MatchGUID\0", b"MatchGuiD\0", 1)).match_id == recognise(content).match_id
    lan = replay(realdata, LAN)
    with pytest.raises(UnrecognisedContentError, match="no Id of 32 hexadecimal digits"):
        recognise(lan.replace(b"\x03\0\0\0Id\0", b"\x03\0\0\0iD\0", 1))


@given(content=st.binary(max_size=200), begins=st.booleans())
def test_any_bytes_are_recognised_or_refused(content: bytes, begins: bool) -> None:
    whole = (b"\0" * 20 + b"TAGame.Replay_Soccar_TA\0") * begins + content
    with pytest.raises(UnrecognisedContentError):
        recognise(whole)
