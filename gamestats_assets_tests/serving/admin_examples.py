"""Examples of what admins and signed-in people ask: one of each operation, on the simulated season, in this order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from gamestats_assets.pubg.players.entered.tracked import BACKFILL_DAYS

T = "/admin/tournaments"
_BACK = 3650
"""Days for which is looked what is known of a player."""
_NOW = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+\S*")
"""A time with parts of seconds, which is one at which something was done; what is entered has none."""
_OF_NOW = ("created_at", "last_seen_at", "expires_at", "requested_at", "cancelled_at", "changed_at", "decided_at", "at")
_VERSION = "9f8e3c0b6d2a41578f0c9e7b5a3d1f24"
_SETTLED = {
    "version": _VERSION,
    "access_token": "eyJhbGciOiJFZERTQSJ9...",
    "refresh_token": "b5M0d2...",
    "csrf_token": "6f1d0c...",
    "token": "aBk3Wf...",
    "address": "https://stats.example.org/invitation?token=aBk3Wf...",
}
PUBLISHED_AT = "2026-10-10T18:31:00Z"


@dataclass(frozen=True)
class Act:
    """A request.

    Attributes:
        path: as it is described.
        key: of the names in its braces.
        version_of: the path of the row whose version it names; empty for one that needs none.
    """

    method: str
    path: str
    key: str | int = ""
    body: Any = None
    query: Mapping[str, Any] | None = None
    version_of: str = ""

    @property
    def asked(self) -> str:
        """The path with the key."""
        return re.sub(r"\{.*?\}", str(self.key), self.path)


def _verbs(thing: str, key: str | int, new: dict[str, Any] | None, change: dict[str, Any]) -> Iterator[Act]:
    """What can be done with each of the things that are entered."""
    one = f"{T}/{thing}/{{key}}"
    row = f"{T}/{thing}/{key}"
    tried = {"dry_run": "true"}
    yield Act("GET", f"{T}/{thing}", query={"page_size": 2})
    yield Act("GET", one, key)
    yield Act("PATCH", one, key, change, version_of=row)
    yield Act("GET", f"{one}/history", key)
    yield Act("POST", f"{one}/undo", key, query=tried, version_of=row)
    if new is not None:
        yield Act("POST", f"{T}/{thing}", body=new, query=tried)


_DIVISION = {"season": "fall-2026", "division": "Div 1"}
_SLOT = {"match": 9, "scheduled_at": "2026-10-18 03:30", "map_name": "Rondo"}
_FILE = "division,round,match,scheduled_at,map\nDiv 1,1,1,2026-10-17 22:00,Erangel\n"
_ROSTER = "division,team,player,role\nDiv 1,Team 01,T01_Player9,substitute\n"
_OVERRIDE = f"{T}/matches/{{match_id}}/override"
_LINK = f"{T}/schedule/{{slot_id}}/link"
_BACKFILL = f"{T}/players/{{player_id}}/backfill"
ACTS: tuple[Act, ...] = (
    *_verbs("seasons", 1, {"season": "spring-2027", "time_zone": "Europe/Berlin"}, {"name": "Fall of 2026"}),
    *_verbs("divisions", 1, {**_DIVISION, "division": "Div 9"}, {"name": "Division 1"}),
    Act("PATCH", f"{T}/divisions/{{key}}", 1, {"name": "Div 1"}, version_of=f"{T}/divisions/1"),
    Act("POST", f"{T}/groups", body={**_DIVISION, "group": "North"}),
    *_verbs("groups", 1001, None, {"name": "South"}),
    Act("DELETE", f"{T}/groups/{{key}}", 1001, query={"dry_run": "true"}, version_of=f"{T}/groups/1001"),
    Act("POST", f"{T}/divisions", body={**_DIVISION, "division": "Div 9"}),
    Act("DELETE", f"{T}/divisions/{{key}}", 1002, version_of=f"{T}/divisions/1002"),
    Act("POST", f"{T}/seasons", body={"season": "spring-2027", "time_zone": "Europe/Berlin"}),
    Act("DELETE", f"{T}/seasons/{{key}}", 1002, version_of=f"{T}/seasons/1002"),
    Act("POST", f"{T}/teams", body={**_DIVISION, "team": "Newcomers", "tag": "NEW"}),
    *_verbs("teams", 1001, None, {"tag": "NWC"}),
    Act("DELETE", f"{T}/teams/{{key}}", 1001, version_of=f"{T}/teams/1001"),
    Act("POST", f"{T}/rosters/import", body=_ROSTER, query={"season": "fall-2026", "valid_from": "2026-10-01"}),
    *_verbs("rosters", 1001, None, {"role": "stand_in"}),
    Act("DELETE", f"{T}/rosters/{{key}}", 1001, version_of=f"{T}/rosters/1001"),
    Act(
        "POST",
        f"{T}/rosters",
        body={**_DIVISION, "team": "Team 01", "player": "T01_Player8", "valid_from": "2026-10-01"},
    ),
    Act("POST", f"{T}/rounds", body={**_DIVISION, "round": 9, "first_day": "2026-12-05"}),
    *_verbs("rounds", 1001, None, {"status": "active"}),
    Act("DELETE", f"{T}/rounds/{{key}}", 1001, version_of=f"{T}/rounds/1001"),
    Act("POST", f"{T}/schedule", body={**_DIVISION, "round": 1, **_SLOT}),
    Act("GET", f"{T}/rounds/{{round_id}}/schedule", 11),
    Act("POST", f"{T}/rounds/{{round_id}}/schedule", 11, {**_SLOT, "match": 10}, {"dry_run": "true"}),
    Act("POST", f"{T}/rounds/{{round_id}}/copy", 12, {"round": 7, "first_day": "2026-11-21"}, {"dry_run": "true"}),
    *_verbs("schedule", 1001, None, {"map_name": "Taego"}),
    Act("POST", f"{T}/schedule/import", body=_FILE, query={"season": "fall-2026", "dry_run": "true"}),
    Act("POST", f"{T}/schedule/{{slot_id}}/delay", 1001, {"minutes": 10}, version_of=f"{T}/schedule/1001"),
    Act("DELETE", f"{T}/schedule/{{key}}", 1001, version_of=f"{T}/schedule/1001"),
    Act("DELETE", _LINK, 114, query={"dry_run": "true"}),
    Act("POST", _LINK, 114, {"match_id": "WARM-UP", "reason": "it was no warm-up"}, {"dry_run": "true"}),
    Act(
        "POST",
        f"{T}/schedule/{{slot_id}}/remake",
        114,
        {"reason": "server crash"},
        {"dry_run": "true"},
        f"{T}/schedule/114",
    ),
    Act("GET", f"{T}/matches", query={"needs_attention": "true", "page_size": 2}),
    Act("PUT", _OVERRIDE, "d2r1m1", {"is_tournament_match": False, "reason": "a scrim"}),
    Act("GET", _OVERRIDE, "d2r1m1"),
    *_verbs("overrides", "d2r1m1", None, {"reason": "a scrim, by mail"}),
    Act("DELETE", _OVERRIDE, "d2r1m1", version_of=f"{T}/overrides/d2r1m1"),
    Act("POST", f"{T}/overrides", body={"match_id": "d2r1m1", "is_tournament_match": False, "reason": "a scrim"}),
    Act("DELETE", f"{T}/overrides/{{key}}", "d2r1m1", version_of=f"{T}/overrides/d2r1m1"),
    Act("GET", f"{T}/players/preview", query={"name": "T05_Player1", "days": _BACK}),
    Act("POST", f"{T}/players", body={"player": "T05_Player1"}),
    *_verbs("players", 1, None, {"backfill_days": 60}),
    Act("POST", f"{T}/players/import", body="player\nT05_Player2\n", query={"dry_run": "true"}),
    Act("POST", _BACKFILL, 1, {"from_day": "2026-10-01", "to_day": "2026-10-31"}),
    Act("GET", _BACKFILL, 1),
    Act("GET", f"{T}/backfills", query={"state": "unfinished"}),
    Act("DELETE", _BACKFILL, 1),
    Act("DELETE", f"{T}/players/{{player_id}}", 1, version_of=f"{T}/players/1"),
    Act("POST", "/admin/users", body={"name": "kim"}),
    Act("PUT", "/admin/users/{user_id}/roles", 2, {"role": "premium"}),
    Act("DELETE", "/admin/users/{user_id}/roles", 2, query={"role": "premium"}),
    Act("GET", "/admin/users"),
    Act("GET", "/admin/audit", query={"about": "user 2"}),
    Act("POST", "/users/players", body={"player": "xbox:70cf8d6afd010900"}),
    Act("GET", "/users/players"),
    Act("PUT", "/admin/players", body={"user_id": 1, "player": "xbox_70cf8d6afd010900", "state": "linked"}),
    Act("GET", "/admin/players"),
    Act("DELETE", "/users/players/{player}", "xbox_70cf8d6afd010900"),
    Act("POST", "/users/invitations", body={"game": "rocket_league"}),
    Act("GET", "/users/invitations"),
    Act("DELETE", "/users/invitations/{invitation_id}", 1),
    Act("GET", "/auth/me"),
    Act("GET", "/auth/sessions"),
    Act("POST", "/auth/token", body={"name": "script of kim"}),
    Act("PATCH", "/auth/me", body={"name": "ann"}),
)


def acts_done(admin: httpx.Client, acts: Sequence[Act] = ACTS) -> dict[str, dict[str, Any]]:
    """What is asked and answered of each operation, by method and path; the last time that it was."""
    found: dict[str, dict[str, Any]] = {}
    for act in acts:
        headers = {"Content-Type": "text/csv"} if isinstance(act.body, str) else {}
        if act.version_of:
            headers["If-Match"] = admin.get(f"/api/v1{act.version_of}").headers["etag"]
        sent: dict[str, Any] = (
            {"content": act.body} if isinstance(act.body, str) else {"json": act.body} if act.body else {}
        )
        answer = admin.request(act.method, f"/api/v1{act.asked}", headers=headers, params=act.query, **sent)
        assert answer.status_code in (200, 201, 204), f"{act.method} {act.asked}: {answer.text}"
        if answer.status_code != 204:
            request = {"request": act.body} if act.body else {}
            found[f"{act.method} /api/v1{act.path}"] = {**request, "answer": _settled(answer.json())}
    return found


def _days() -> dict[str, str]:
    """Days that are counted from today, as they would have been then."""
    today, then = datetime.now(UTC).date(), date(2026, 10, 10)
    return {f"{today - timedelta(days=back)}": f"{then - timedelta(days=back)}" for back in (0, BACKFILL_DAYS, _BACK)}


def _settled(value: Any, name: str = "") -> Any:
    """What is the same whenever it is done; of all effects the first two."""
    if isinstance(value, dict):
        return {key: _settled(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_settled(each, name) for each in (value[:2] if name == "effects" else value)]
    if name in _SETTLED and isinstance(value, str):
        return _SETTLED[name]
    if isinstance(value, str) and value in (days := _days()):
        return days[value]
    if isinstance(value, str) and (name in _OF_NOW or _NOW.fullmatch(value)):
        return PUBLISHED_AT
    return value
