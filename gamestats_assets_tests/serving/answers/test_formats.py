"""An answer as CSV and as a calendar: what is in it, which form is given, and names that would be code elsewhere."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import httpx
import icalendar
import pytest

from gamestats_assets.serving.answers.formats import Event, calendar_of, csv_of, negotiated
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets_tests.serving.season import CUP_TEAMS

ROOT = "/api/v1/tournaments"
CUP = f"{ROOT}/leaderboard/teams?season=fall&division=Cup"
SCHEDULE = f"{ROOT}/schedule?season=fall&division=Cup&round=2"
# Markup, formulas, what writes from right to left, what ends lines, and a very long one.
NASTY = [
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1+2",
    "@SUM(A1)",
    "\tx",
    "\u202eevil\u202c",
    'a,b;c\\d"e',
    "two\r\nlines\nBEGIN:VEVENT",
    "한국 팀",
    "\x00\x07\x1b[31m",
    "x" * 10_000,
    "🙂" * 500,
]


def rows_of(content: bytes) -> list[list[str]]:
    """The rows of CSV, as a spreadsheet reads them."""
    return [*csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))]


def test_a_table_is_had_as_csv_with_the_same_values(client: httpx.Client) -> None:
    answer = client.get(CUP, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="leaderboard-teams_fall_cup.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    header, *rows = rows_of(answer.content)
    teams = client.get(CUP).json()["data"]["teams"]
    assert header == [*teams[0]]
    assert len(rows) == len(teams) == 5
    for row, team in zip(rows, teams, strict=True):
        expected = {name: "" if value is None else str(value) for name, value in team.items()}
        expected["recent_placements"] = expected["recent_placements"].replace(" ", "")
        if team["team_id"] == 32:
            expected["team_name"] = "'" + CUP_TEAMS[32]
        assert dict(zip(header, row, strict=True)) == expected


def test_an_ending_of_the_path_chooses_the_form_too(client: httpx.Client) -> None:
    by_accept = client.get(f"{ROOT}/schedule?season=fall", headers={"Accept": "text/calendar"})
    by_path = client.get(f"{ROOT}/schedule.ics?season=fall", headers={"Accept": "text/html"})
    assert by_path.content == by_accept.content
    assert client.get(f"{ROOT}/matches/m-1.csv").headers["content-type"].startswith("text/csv")
    assert client.get(f"{ROOT}/seasons.ics").status_code == 404


def test_nested_values_have_columns_and_an_empty_list_has_its_header(client: httpx.Client) -> None:
    of = f"{ROOT}/leaderboard/players.csv?season=fall&include_weapons=true&division="
    header, first, *_ = rows_of(client.get(f"{of}Division+1").content)
    assert header[-20:-18] == ["weapon_distribution.AR.damage", "weapon_distribution.AR.kills"]
    assert first[header.index("weapon_distribution.AR.kills")] == "11"
    [header] = rows_of(client.get(f"{of}Division+2").content)
    assert header[:3] == ["rank", "account_id", "player_name"]


def test_forms_have_etags_of_their_own_and_caches_are_told(client: httpx.Client) -> None:
    as_json = client.get(CUP)
    as_csv = client.get(CUP, headers={"Accept": "text/csv"})
    assert as_json.headers["etag"] != as_csv.headers["etag"]
    assert "Accept," in as_json.headers["vary"]
    assert "Accept," in as_csv.headers["vary"]
    again = client.get(CUP, headers={"Accept": "text/csv", "If-None-Match": as_csv.headers["etag"]})
    assert again.status_code == 304
    assert client.get(CUP, headers={"If-None-Match": as_csv.headers["etag"]}).status_code == 200


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("text/csv", "text/csv"),
        ("TEXT/CSV;q=1.0", "text/csv"),
        ("text/*", "text/csv"),
        ("application/json;q=0.2, text/csv;q=0.9", "text/csv"),
        ("text/csv;q=0, */*", "application/json"),
        ("text/csv;header=present;q=0.5, application/json;q=0.4", "text/csv"),
        ("nonsense", "application/json"),
        ("image/png", None),
        ("application/json;q=0, text/csv;q=0", None),
    ],
)
def test_the_form_that_is_accepted_is_given(accept: str, given: str | None) -> None:
    offered = ("application/json", "text/csv")
    if given is None:
        with pytest.raises(ProblemError, match="accept one of them") as refused:
            negotiated(accept, offered)
        assert refused.value.status == 406
    else:
        assert negotiated(accept, offered) == given


def test_what_cannot_be_had_is_refused(client: httpx.Client) -> None:
    answer = client.get(CUP, headers={"Accept": "text/calendar"})
    assert (answer.status_code, answer.json()["code"]) == (406, "no_such_format")
    assert answer.json()["detail"] == "This comes as application/json, text/csv; accept one of them."


def test_a_schedule_is_a_calendar_that_stays_the_same(client: httpx.Client) -> None:
    answer = client.get(SCHEDULE, headers={"Accept": "text/calendar"})
    assert answer.content == client.get(SCHEDULE, headers={"Accept": "text/calendar"}).content
    calendar = icalendar.Calendar.from_ical(answer.content)
    assert str(calendar["X-WR-CALNAME"]) == "Fall 2026 · Cup · Round 2"
    again, second = calendar.walk("VEVENT")
    assert again.errors == second.errors == []
    assert (str(again["UID"]), str(second["UID"])) == (
        "pubg-scheduled-match-331@gamestats",
        "pubg-scheduled-match-332@gamestats",
    )
    assert again.decoded("DTSTART") == datetime(2026, 10, 10, 16, tzinfo=UTC)
    assert again.decoded("DTEND") > again.decoded("DTSTART")
    assert str(again["SUMMARY"]) == "Cup, Round 2, match 1"
    assert str(again["DESCRIPTION"]) == "Played again: server; crash.\nPlayed as match c-1."
    published = datetime.fromisoformat(client.get(SCHEDULE).json()["metadata"]["timestamp"])
    assert again.decoded("DTSTAMP") == published.replace(microsecond=0)
    assert 0 < int(again["SEQUENCE"]) < 2**31


def test_names_that_would_be_code_elsewhere_are_texts_in_a_spreadsheet() -> None:
    made: dict[str, Any] = {"data": {"teams": [{"team_name": name, "points": -1, "names": [name]} for name in NASTY]}}
    header, *rows = rows_of(csv_of("teams", [], "x").encode(made))
    assert header == ["team_name", "points", "names"]
    assert len(rows) == len(NASTY)
    for name, (shown, points, listed) in zip(NASTY, rows, strict=True):
        assert shown in (name, "'" + name)
        assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))
        # A figure is a figure.
        assert (points, listed[0]) == ("-1", "[")


def test_names_that_would_be_code_elsewhere_are_texts_in_a_calendar() -> None:
    at = datetime(2026, 10, 3, 18, tzinfo=UTC)
    events = [Event(f"{n}@x", at, at, at, n, name, name, name) for n, name in enumerate(NASTY)]
    content = calendar_of(lambda made: (NASTY[1], events), "x").encode({})
    lines = content.split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) <= 75 and b"\n" not in line and line.decode() for line in lines)
    found = icalendar.Calendar.from_ical(content).walk("VEVENT")
    assert len(found) == len(NASTY)
    for name, event in zip(NASTY, found, strict=True):
        plain = name.replace("\r\n", "\n")
        expected = "".join(each for each in plain if each >= " " or each == "\n")
        assert str(event["SUMMARY"]) == str(event["LOCATION"]) == expected
