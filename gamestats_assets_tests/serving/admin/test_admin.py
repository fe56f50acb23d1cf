"""The admin API: what people enter for tournaments over HTTP, by several admins at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from gamestats_assets.pubg.tournament.tables import TournamentTeamStandings
from gamestats_assets_tests.pubg.tournament.season import SimulatedSeason, Truth
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.simulated import Admin, as_entered, enter_and_publish, publish_all, sign_in
from gamestats_assets_tests.support.postgres_fixture import database


@dataclass(frozen=True)
class Office:
    """The season being served, and two who edit it."""

    url: str
    site: httpx.Client
    ann: Admin
    bob: Admin


@pytest.fixture(scope="module")
def office(postgres_url: str, ops_template: str) -> Iterator[Office]:
    with database(postgres_url, ops_template) as url:
        enter_and_publish(url, SimulatedSeason())
        with served(url) as site:
            yield Office(
                url, site, sign_in(site, url, "ann", "tournament_admin"), sign_in(site, url, "bob", "tournament_admin")
            )


def row(admin: Admin, path: str) -> tuple[dict[str, Any], str]:
    """A row and its version."""
    answer = admin.ask("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"], answer.headers["etag"].strip('"')


def done(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """What an edit says that went well."""
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["data"]


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """What a refusal says."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


def test_a_round_is_made_with_its_schedule_moved_and_taken_back(office: Office) -> None:
    ann = office.ann
    # Round 2 is in the night in which the clocks go back; its copy is a week later, at the same local times.
    copied = done(ann.ask("POST", "/rounds/12/copy", json={"round": 7, "first_day": "2026-11-21"}), 201)
    assert [edit["outcome"] for edit in copied["edits"]] == ["created"] * 7
    [seventh] = [
        each
        for each in ann.ask("GET", "/rounds", params={"division": "div 1"}).json()["data"]["rounds"]
        if each["round"] == 7
    ]
    assert (seventh["first_day"], seventh["last_day"], seventh["status"]) == ("2026-11-21", "2026-11-21", "scheduled")
    path = f"/rounds/{seventh['round_id']}"

    def times() -> list[str]:
        slots = ann.ask("GET", f"{path}/schedule").json()["data"]["schedule"]
        return [slot["scheduled_at"][11:16] for slot in slots]

    # 22:00 in Berlin is 21:00 in winter, 20:00 in summer.
    assert times()[:3] == ["21:00", "21:45", "22:30"]
    slots = ann.ask("GET", f"{path}/schedule").json()["data"]["schedule"]
    second = f"/schedule/{slots[1]['scheduled_match_id']}"
    moved = done(ann.ask("POST", f"{second}/delay", row(ann, second)[1], json={"minutes": 20}))
    assert moved["edits"][0]["changes"] == ["scheduled_at 2026-11-21 22:45+01:00 -> 2026-11-21 23:05+01:00"]
    # Those after midnight are of another day of the calendar.
    assert times()[:3] == ["21:00", "22:05", "22:50"]

    added = done(
        ann.ask("POST", f"{path}/schedule", json={"match": 9, "scheduled_at": "2026-11-22 03:00", "map_name": "any"}),
        201,
    )
    assert added["row"]["map"] is None
    wrong = refused(ann.ask("POST", f"{path}/schedule", json={"match": 9, "scheduled_at": "2026-11-22 03:00"}), 409)
    assert wrong["errors"][0]["name"] == "match"
    assert "exists already" in wrong["detail"]
    outside = {"match": 10, "scheduled_at": "2026-11-25 03:00"}
    wrong = refused(ann.ask("POST", f"{path}/schedule", json=outside), 422)
    assert wrong["errors"][0]["name"] == "scheduled_at"
    assert "is outside Round 7, which is on 2026-11-21" in wrong["detail"]
    wrong = refused(ann.ask("POST", f"{path}/schedule", json={"match": 10, "when": "2026-11-25 03:00"}), 422)
    assert {"when", "scheduled_at"} <= {each["name"] for each in wrong["errors"]}

    _, version = row(ann, path)
    assert done(ann.ask("PATCH", path, version, json={"status": "active"}))["changes"] == ["status scheduled -> active"]
    needed = refused(ann.ask("DELETE", path, row(ann, path)[1]), 409)
    assert "while something refers to it" in needed["detail"]
    for slot in ann.ask("GET", f"{path}/schedule").json()["data"]["schedule"]:
        done(ann.ask("DELETE", f"/schedule/{slot['scheduled_match_id']}", slot["version"]))
    assert done(ann.ask("DELETE", path, row(ann, path)[1]))["row"] is None
    gone = refused(ann.ask("PATCH", path, version, json={"status": "completed"}), 412)
    assert gone["detail"].startswith("ann removed it at ")


def test_messages_call_what_is_missing_as_the_api_does(office: Office) -> None:
    row_, version = row(office.ann, "/schedule/114")
    assert row_["match"] == 4
    answer = office.ann.ask("PATCH", "/schedule/114", json={"postponed": True}, version=version)
    assert refused(answer, 422)["detail"] == "The postponed match needs a time. Give the new one with scheduled_at."


def test_what_is_wrong_with_a_body_is_told_by_its_fields(office: Office) -> None:
    def refusal(**given: Any) -> str:
        return refused(office.ann.ask("POST", "/seasons", **given), 422)["detail"]

    assert "There is no field 'nam'; did you mean name?" in refusal(json={"season": "x", "nam": "X"})
    no_json = office.ann.http.post(
        "/api/v1/admin/tournaments/seasons", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert refused(no_json, 422)["detail"] == "body: should be JSON."
    assert refusal(json=[]) == "body: should be a JSON object."
    for page in ("/tournaments?season=%00", "/tournaments?group=%00", "/admin/tournaments/matches?division=%00"):
        assert office.ann.http.get(page).status_code == 422


def test_a_file_is_taken_whole_or_its_mistakes_are_told_by_row(office: Office) -> None:
    headers = {"content-type": "text/csv"}
    asked = {"season": "fall-2026"}
    heading = "division,round,match,scheduled_at,map\n"
    bad = heading + "Div 1,1,1,2026-10-17 25:00,Erangel\nDiv 9,1,2,2026-10-17 23:00,Erangl\n"
    answer = office.ann.ask("POST", "/schedule/import", params=asked, content=bad.encode())
    assert [(each["row"], each["name"]) for each in refused(answer, 422)["errors"]] == [
        (2, "scheduled_at"),
        (3, "division"),
        (3, "map"),
    ]
    good = heading + "Div 1,1,1,2026-10-17 22:05,Erangel\n"
    send: Any = {"params": {**asked, "dry_run": "true"}, "content": good.encode()}
    tried = done(office.ann.ask("POST", "/schedule/import", **send))
    assert tried["counts"] == ["1 slot changed"]
    assert row(office.ann, "/schedule/111")[0]["scheduled_at"] == "2026-10-17T20:00:00Z"
    assert office.ann.http.post("/api/v1/admin/tournaments/schedule/import", headers=headers).status_code == 422


def test_of_two_admins_the_second_overwrites_nothing(office: Office) -> None:
    ann, bob, path = office.ann, office.bob, "/schedule/224"
    _, seen = row(ann, path)
    assert row(bob, path)[1] == seen
    done(ann.ask("PATCH", path, seen, json={"map_name": "Deston", "status": "cancelled"}))
    problem = refused(bob.ask("PATCH", path, seen, json={"map_name": "Rondo"}), 412)
    assert "ann changed it (" in problem["detail"]
    assert {"map_name Vikendi -> Deston", "status scheduled -> cancelled"} <= {
        *problem["detail"].split("): ")[1].removesuffix(". Nothing was overwritten.").split("; ")
    }
    assert row(bob, path)[0]["map"] == "Deston"
    assert refused(bob.ask("PATCH", path, json={"map_name": "Rondo"}), 428)["code"] == "version_needed"

    # As it was first, with other changes on the way, it is the version that bob saw.
    done(ann.ask("PATCH", path, row(ann, path)[1], json={"map_name": "Vikendi", "status": "scheduled"}))
    assert row(ann, path)[1] == seen

    # In the same moment one of them changes it, and the other is told; so with what both add.
    def at_once(*asks: Any) -> list[int]:
        with ThreadPoolExecutor(2) as pool:
            return sorted(answer.status_code for answer in pool.map(lambda ask: ask(), asks))

    def both(method: str, path: str, version: str | None, **bodies: Any) -> list[int]:
        return at_once(
            lambda: ann.ask(method, path, version, json=bodies["ann"]),
            lambda: bob.ask(method, path, version, json=bodies["bob"]),
        )

    for number in range(5):
        seen = row(ann, path)[1]
        maps = {"ann": {"map_name": f"Ann {number}"}, "bob": {"map_name": f"Bob {number}"}}
        assert both("PATCH", path, seen, **maps) == [200, 412]
    done(ann.ask("PATCH", path, row(ann, path)[1], json={"map_name": "Vikendi"}))
    team = {"season": "fall-2026", "division": "Div 2", "team": "Newcomers"}
    assert both("POST", "/teams", None, ann=team, bob=team) == [201, 409]


def test_what_a_decision_does_is_told_before_and_is_what_is_published_then(office: Office) -> None:
    plan = SimulatedSeason()
    frames, scopes = plan.frames(), ("overall", "11")
    before = {scope: plan.table(1, scope) for scope in scopes}
    game = next(each for each in plan.games if each.match_id == "d1r1m2")
    game.truth = Truth("not_tournament", 1, is_tournament=False, overridden=True)
    after = {scope: plan.table(1, scope) for scope in scopes}
    path, decision = "/matches/d1r1m2/override", {"is_tournament_match": False, "reason": "practice"}
    tried = done(office.ann.ask("PUT", path, json=decision, params={"dry_run": "true"}))
    assert office.ann.ask("GET", path).status_code == 404, "a dry run keeps nothing"
    columns = ("rank", "points", "matches_played")
    effects = {
        (line["table"], line["team_id"]): tuple(
            line[f"{name}_{when}"] for when in ("before", "after") for name in columns
        )
        for line in tried["effects"]
    }
    expected = {
        ("Round 1" if scope == "11" else "all rounds", team): tuple(
            tables[scope][team][name] for tables in (before, after) for name in columns
        )
        for scope in scopes
        for team in before[scope]
        if any(before[scope][team][name] != after[scope][team][name] for name in columns)
    }
    assert effects == expected
    assert len(effects) > 20

    done(office.ann.ask("PUT", path, json=decision))
    published = publish_all(office.url, as_entered(office.url, frames))[TournamentTeamStandings]
    for scope in scopes:
        lines = published.filter(division_id=1, scope=scope).select("team_id", *columns).rows()
        assert {team: line for team, *line in lines} == {
            team: [line[name] for name in columns] for team, line in after[scope].items()
        }
    # Taking it back would make the first tables again.
    _, version = row(office.ann, path)
    undone = done(office.ann.ask("POST", "/overrides/d1r1m2/undo", version, params={"dry_run": "true"}))
    back = {(line["table"], line["team_id"]): line["points_after"] for line in undone["effects"]}
    assert back == {line: values[1] for line, values in expected.items()}
    done(office.ann.ask("DELETE", path, version))
    publish_all(office.url, as_entered(office.url, frames))


def test_every_decision_stands_in_a_history_and_can_be_undone(office: Office) -> None:
    ann, bob, path = office.ann, office.bob, "/matches/d2r1m1/override"
    first = done(ann.ask("PUT", path, json={"round_id": 21, "reason": "delayed", "notes": "asked by mail"}))["row"]
    assert (first["division"], first["round"], first["match"], first["admin"]) == ("Div 2", 1, None, "ann")
    problem = refused(bob.ask("PUT", path, json={"is_tournament_match": False, "reason": "fun"}), 412)
    assert "ann added it in the meantime" in problem["detail"]
    second = done(bob.ask("PUT", path, row(bob, path)[1], json={"is_tournament_match": False, "reason": "fun"}))["row"]
    # What a decision does not say is as it is derived, whatever was decided before.
    assert (second["round"], second["notes"], second["reason"], second["admin"]) == (None, None, "fun", "bob")
    undone = done(ann.ask("POST", "/overrides/d2r1m1/undo", second["version"]))
    assert undone["row"] == {**first, "decided_at": undone["row"]["decided_at"]}
    assert "reason fun -> delayed" in undone["changes"]
    changes = ann.ask("GET", "/overrides/d2r1m1/history").json()["data"]["changes"]
    assert [(each["changed_by"], (each["after"] or {}).get("reason")) for each in changes] == [
        ("ann", "delayed"),
        ("bob", "fun"),
        ("ann", "delayed"),
    ]
    # Back to before all of them, and from there to what bob had decided.
    asked = {"entry_history_id": changes[-1]["entry_history_id"]}
    assert done(ann.ask("POST", "/overrides/d2r1m1/undo", undone["row"]["version"], params=asked))["row"] is None
    again = done(ann.ask("POST", "/overrides/d2r1m1/undo", params={"entry_history_id": changes[0]["entry_history_id"]}))
    assert again["row"]["reason"] == "fun"
    done(ann.ask("DELETE", path, again["row"]["version"]))
    with psycopg.connect(office.url) as conn:
        log = conn.execute("SELECT act, what FROM accounts.audit_log WHERE what LIKE '%d2r1m1' ORDER BY at").fetchall()
    acts = ["add", "change", "undo", "undo", "undo", "remove"]
    assert log == [(f"override.{act}", "override of match d2r1m1") for act in acts]


def test_a_match_is_linked_unlinked_and_remade(office: Office) -> None:
    ann = office.ann

    def played(slot: int) -> dict[str, Any]:
        slots = ann.ask("GET", "/rounds/11/schedule").json()["data"]["schedule"]
        return next(each["played"] for each in slots if each["scheduled_match_id"] == slot)

    assert played(114)["match_id"] == "d1r1m4"
    # It has the match by its time: the match is told to have no slot, and counts for its round all the same.
    unlinked = done(ann.ask("DELETE", "/schedule/114/link"))
    assert (unlinked["row"]["match_id"], unlinked["row"]["status"]) == ("d1r1m4", "unscheduled")
    done(ann.ask("POST", "/schedule/114/link", json={"match_id": "WARM-UP", "reason": "it was no warm-up"}))
    assert played(114) == {
        "scheduled_match_id": 114,
        "match_id": "warm-up",
        "by_hand": True,
        "started_at": None,
        "map_name": None,
        "validation_status": None,
    }
    taken = refused(ann.ask("POST", "/schedule/114/link", json={"match_id": "d1r1m5"}), 409)
    assert "is assigned to match warm-up by ann. Unlink that one first." in taken["detail"]
    # The second try is the match that counts; the first is kept and counts no more.
    _, version = row(ann, "/schedule/114")
    remade = {"reason": "server crash", "new_match_id": "d1r1m5"}
    slot = done(ann.ask("POST", "/schedule/114/remake", version, json=remade))["row"]
    assert (slot["is_remake"], slot["original_match_id"], slot["remake_reason"]) == (True, "warm-up", "server crash")
    assert played(114)["match_id"] == "d1r1m5"
    assert ann.ask("GET", "/matches/warm-up/override").status_code == 404
    for match in ("d1r1m5", "d1r1m4"):
        done(ann.ask("DELETE", f"/matches/{match}/override", row(ann, f"/matches/{match}/override")[1]))
    done(ann.ask("POST", "/schedule/114/undo", slot["version"]))


def test_matches_are_told_by_what_they_need(office: Office) -> None:
    def asked(**values: Any) -> dict[str, dict[str, Any]]:
        answer = office.ann.ask("GET", "/matches", params={"page_size": 100, **values})
        found = answer.json()["data"]
        assert found["total_count"] == len(found["matches"])
        return {each["match_id"]: each for each in found["matches"]}

    truths = SimulatedSeason().contexts()
    assert {match: each["validation_status"] for match, each in asked().items()} == {
        match: truth.status for match, truth in truths.items()
    }
    of_round = asked(division="div 2", round=1, season="fall-2026")
    assert {*of_round} == {match for match, truth in truths.items() if truth.round == 21}
    few = asked(validation_status="remake_candidate")
    assert {*few} == {match for match, truth in truths.items() if truth.status == "remake_candidate"}
    assert [each["concern"] for each in few["warm-up"]["concerns"]] == ["few_teams"]
    moment = office.ann.ask("GET", "/matches", params={"date_from": "0"})
    assert refused(moment, 422)["detail"] == "date_from: should be a day, such as 2026-10-03."
    evening = asked(date_from="2026-10-17", date_to="2026-10-17")
    assert "d1r1m1" in evening
    assert "d1r2m1" not in evening
    assert (
        refused(office.ann.ask("GET", "/matches", params={"status": "confirmed"}), 422)["errors"][0]["name"] == "status"
    )


def test_a_player_is_tracked_with_history_and_no_more(office: Office) -> None:
    ann = office.ann
    seen = done(ann.ask("GET", "/players/preview", params={"name": "T05_Player1", "days": 3000}))
    plan = SimulatedSeason()
    matches = [game for game in plan.games if any(person.name == "T05_Player1" for person in game.people)]
    assert (seen["matches_found"], seen["telemetry_available"]) == (len(matches), len(matches))
    assert done(ann.ask("GET", "/players/preview", params={"name": "t05_player1"}))["did_you_mean"] == "T05_Player1"
    given = {"player": "T05_Player1", "team_id": 6, "valid_from": "2027-01-01", "auto_backfill": False}
    taken = refused(ann.ask("POST", "/players", json=given), 422)
    assert "T05_Player1 is on the roster of Team 05 already" in taken["detail"]
    assert ann.ask("GET", "/players").json()["data"]["players"] == [], "neither half of it is kept"
    tracked = done(ann.ask("POST", "/players", json={"player": "T05_Player1"}), 201)["edits"][0]["row"]
    assert (tracked["account_id"], tracked["backfill_days"]) == (seen["account_id"], 180)
    assert (
        refused(ann.ask("POST", "/players", json={"player": seen["account_id"]}), 409)["errors"][0]["name"] == "player"
    )
    path = f"/players/{tracked['tracked_player_id']}"
    [first] = done(ann.ask("GET", f"{path}/backfill"))["backfills"]
    assert (first["state"], first["percent"], first["requested_by"]) == ("queued", 0, "ann")
    asked = done(ann.ask("POST", f"{path}/backfill", json={"from_day": "2026-10-01", "to_day": "2026-10-31"}), 201)
    assert asked["from_day"] == "2026-10-01"
    wrong = refused(ann.ask("POST", f"{path}/backfill", json={"from_day": "2026-10-02", "to_day": "2026-10-01"}), 422)
    assert wrong["errors"][0]["name"] == "to_day"
    # As the daemon notes it: 45 of 81 are taken, 9 of them in the last 45 s.
    with psycopg.connect(office.url) as conn:
        conn.execute(
            "INSERT INTO ops.backfill_progress (tracked_player_id, taken, to_take, pending, expired, unreadable,"
            " measured_at, began_at, began_taken) VALUES (%s, 45, 36, 0, 6, 0, now(), now() - interval '45 s', 36)",
            [tracked["tracked_player_id"]],
        )
    going = done(ann.ask("GET", "/backfills", params={"state": "unfinished"}))["backfills"][0]
    figures = ("matches_done", "matches_total", "percent", "seconds_left", "expired", "state")
    assert [going[name] for name in figures] == [45, 81, 55, 180, 6, "running"]
    assert done(ann.ask("DELETE", f"{path}/backfill")) == {"cancelled": 2}
    assert refused(ann.ask("DELETE", f"{path}/backfill"), 409)
    assert {each["state"] for each in done(ann.ask("GET", f"{path}/backfill"))["backfills"]} == {"cancelled"}
    untracked = done(ann.ask("DELETE", path, row(ann, path)[1]))
    assert untracked["changes"] == ["is_active yes -> no"], "what was taken up stays"


def test_an_admin_of_one_division_edits_nothing_else(office: Office) -> None:
    dora = sign_in(office.site, office.url, "dora", "tournament_admin", division_id=2)
    of_season = sign_in(office.site, office.url, "sam", "tournament_admin", season_id=1)
    team = {"season": "fall-2026", "division": "Div 1", "team": "Elsewhere"}
    assert "does not extend to Div 1" in refused(dora.ask("POST", "/teams", json=team), 403)["detail"]
    made = done(dora.ask("POST", "/teams", json=team | {"division": "Div 2", "team": "Own"}), 201)["row"]
    assert done(of_season.ask("DELETE", f"/teams/{made['team_id']}", made["version"]))["outcome"] == "removed"
    for path, change in (
        ("/seasons/1", {"kill_points": 2}),
        ("/rounds/11", {"status": "active"}),
        ("/schedule/111", {"map_name": "Rondo"}),
    ):
        refused(dora.ask("PATCH", path, row(office.ann, path)[1], json=change), 403)
        for seen in (path, f"{path}/history"):
            refused(dora.ask("GET", seen), 403)
    # A match of another division is not hers to take, nor to throw out.
    fun, own = {"is_tournament_match": False, "reason": "fun"}, {"round_id": 21, "reason": "ours"}
    refused(dora.ask("PUT", "/matches/d1r1m1/override", json=fun), 403)
    refused(dora.ask("PUT", "/matches/d1r1m1/override", json=own), 403)
    refused(dora.ask("POST", "/players", json={"player": "T05_Player2"}), 403)
    # Lists tell what is hers.
    for path, column in (
        ("teams", "division"),
        ("rounds", "division"),
        ("schedule", "division"),
        ("matches", "division"),
    ):
        listed, all_of_them = (who.ask("GET", f"/{path}").json()["data"] for who in (dora, office.ann))
        assert {each[column] for each in listed[path]} == {"Div 2"}
        assert 0 < listed["total_count"] < all_of_them["total_count"]
    assert {each["division"] for each in of_season.ask("GET", "/rounds").json()["data"]["rounds"]} > {"Div 2"}
    # Somebody of another division's roster is not hers to track; of her own teams', or new on one of them, is.
    for given in ({"player": "T18_Player2"}, {"player": "Newcomer", "team_id": 18}):
        done(dora.ask("POST", "/players", json=given), 201)
    listed = dora.ask("GET", "/players").json()["data"]["players"]
    assert {each["player"] for each in listed} == {"T18_Player2", "Newcomer"}
    # What she removed she may bring back; what others removed is not hers to see.
    taken, kept = row(dora, "/schedule/211"), row(office.ann, "/schedule/116")
    for admin, (slot, version) in ((dora, taken), (office.ann, kept)):
        done(admin.ask("DELETE", f"/schedule/{slot['scheduled_match_id']}", version))
    refused(dora.ask("GET", "/schedule/116/history"), 403)
    refused(dora.ask("POST", "/schedule/116/undo"), 403)
    done(dora.ask("POST", "/schedule/211/undo"))
    done(office.ann.ask("POST", "/schedule/116/undo"))
    decided = done(dora.ask("PUT", "/matches/d2r1m2/override", json=fun))["row"]
    done(dora.ask("DELETE", "/matches/d2r1m2/override", decided["version"]))
    rows = "division,round,match,scheduled_at\n{},1,1,{}\n"
    own_row, other_row = rows.format("Div 2", "2026-10-18 19:00"), rows.format("Div 1", "2026-10-17 22:01")
    asked: Any = {"params": {"season": "fall-2026"}}
    done(dora.ask("POST", "/schedule/import", content=own_row.encode(), **asked))
    refused(dora.ask("POST", "/schedule/import", content=other_row.encode(), **asked), 403)
    assert row(office.ann, "/schedule/111")[0]["scheduled_at"] == "2026-10-17T20:00:00Z"
