"""Arriving files: forgotten players, links that must not be followed, and unusual names."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gamestats_assets.lakehouse.landing.arrivals import Recognised, Source, UnrecognisedContentError
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.traces import paths_under

START = datetime(2026, 3, 1, 20, tzinfo=UTC)


def recognise(content: bytes, name: str) -> Recognised:
    """Texts such as `m1 ann`: a match and who played."""
    match_id, _, who = content.decode().partition(" ")
    if not who:
        raise UnrecognisedContentError("nobody played")
    return Recognised("match", match_id, START, True)


def mask(
    content: bytes, found: Recognised, day: date, players: Collection[str], landing: Landing
) -> tuple[LandedFile, bool] | None:
    """The others who played; nothing where nobody else did."""
    others = [name for name in content.decode().split()[1:] if name not in players]
    masked = " ".join([str(found.match_id), *others]).encode()
    return landing.put("demo", day, str(found.match_id), "masked", masked, masked) if others else None


SOURCE = Source(
    "demo", recognise, forgotten=lambda content, found, landing: ["ann"] if b"ann" in content else [], mask=mask
)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """An empty landing zone."""
    return Landing(tmp_path / "landing")


def test_of_a_file_that_names_somebody_forgotten_the_others_land(landing: Landing, tmp_path: Path) -> None:
    for name, content in (("a", "m1 ann cid"), ("b", "m2 bob"), ("c", "m3"), ("d", "m4 ann")):
        (tmp_path / name).write_text(content)
    report = SOURCE.ingest([tmp_path / name for name in "abcd"], landing)
    assert report.totals == {
        ("masked", "taken"): 1, ("match", "taken"): 1, ("unreadable", "quarantined"): 1, ("match", "refused"): 1,
    }  # fmt: skip
    assert (report.matches, report.days) == (("m1", "m2"), ("2026-03-01",))
    first, *_, last = report.outcomes
    assert "forgotten on request and stands masked" in first.line()
    assert last.line().startswith("refused     match m4 ")
    assert "nothing of the file can be kept" in last.reason
    landed = [landing.content(file) for file in landing.files("demo", "2026-03-01")]
    assert landed == [b"m1 cid", b"m2 bob"]
    assert not any("m4" in path for path in paths_under(landing.root))
    assert SOURCE.ingest([tmp_path / "a"], landing).totals == {("masked", "known"): 1}


@pytest.mark.parametrize("asked_for", ["m1", "m9", None])
def test_payloads_that_name_forgotten_players_land_masked(landing: Landing, asked_for: str | None) -> None:
    outcome = SOURCE.ingest_payload(b"m1 ann cid", "m1", landing, match_id=asked_for)
    assert (outcome.status, outcome.kind, outcome.match_id) == ("taken", "masked", "m1")
    outcome = SOURCE.ingest_payload(b"m1 ann", "m1", landing, match_id=asked_for)
    assert (outcome.status, outcome.landed_path) == ("refused", None)
    assert [landing.content(file) for file in landing.files("demo", "2026-03-01")] == [b"m1 cid"]
    assert landing.undated_kinds("demo") == []


def test_links_out_of_a_folder_are_refused_unless_given_directly(landing: Landing, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "elsewhere").write_text("m2 bob")
    (inbox / "link").symlink_to(tmp_path / "elsewhere")

    report = SOURCE.ingest([inbox], landing)
    assert (report.files, report.totals) == (1, {("link", "refused"): 1})
    assert report.outcomes[0].line().startswith(f"refused     link  {inbox / 'link'}: It leads out of the folder")
    assert paths_under(landing.root) == []

    assert SOURCE.ingest([inbox / "link"], landing).matches == ("m2",)


def test_a_match_dated_in_the_future_is_quarantined(landing: Landing, tmp_path: Path) -> None:
    start = {"now": datetime.now(UTC) + timedelta(days=3)}
    source = Source("demo", lambda content, name: Recognised("match", "m1", start["now"], True))
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    wrong.write_text("wrong")
    right.write_text("right")
    report = source.ingest([wrong], landing)
    assert (report.quarantined, report.outcomes[0].reason) == (
        1,
        f"The match of match m1 is dated {start['now'].date()}, which is in the future.",
    )
    start["now"] = datetime.now(UTC)
    assert source.ingest([right], landing).days == (str(datetime.now(UTC).date()),)


def test_what_nobody_can_read_is_explained_whatever_its_name(landing: Landing, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[2J\n.json"))
    path.write_text("m3")

    (outcome,) = SOURCE.ingest([path], landing).outcomes

    assert outcome.line().endswith("/\ufffd␛[2J␊.json: nobody played")
    assert "\ufffd␛[2J␊.json" in SOURCE.refused(landing)[0].reason
