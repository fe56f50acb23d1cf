"""`/admin/tournaments`: the schedule editor, the validation of matches, decisions, and tracked players."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import psycopg
from fastapi import APIRouter, Depends, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from gamestats_assets.lakehouse.entries.declared import UTC_ZONE
from gamestats_assets.lakehouse.entries.fields import DAY, Field, whole_number
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.pubg import reference
from gamestats_assets.pubg.players.entered.tracked import BACKFILL_DAYS
from gamestats_assets.pubg.serving import admin_lists, editables
from gamestats_assets.pubg.serving.editables import DIVISIONS, OVERRIDES, PLAYERS, ROUNDS, SLOTS, TEAMS
from gamestats_assets.pubg.tournament.entered import ROUND, SLOT
from gamestats_assets.pubg.tournament.entered.teams import zone_of_season
from gamestats_assets.pubg.tournament.tables import VALIDATION_STATUSES
from gamestats_assets.serving.editing import forms as edit_forms
from gamestats_assets.serving.editing.editor import Edit, Editor
from gamestats_assets.serving.editing.pages import (
    Back,
    Form,
    Submitted,
    act,
    edit_pages,
    outcome,
    page,
    redirect,
    wanted,
)
from gamestats_assets.serving.middleware.principal import Person, requires
from gamestats_assets.serving.middleware.problems import ProblemError

BASE = "/admin/tournaments"
SECTIONS = ((BASE, "Tournaments"), (f"{BASE}/matches", "Matches"), (f"{BASE}/tracking", "Players"))
router = APIRouter(prefix=BASE, include_in_schema=False)
Admin = Annotated[Person, Depends(requires("tournament_admin", somewhere=True))]
_AROUND = timedelta(hours=36)
_MISSED = timedelta(hours=1)
"""Time after which a slot without a known match is reported."""
_STATUS = {
    "confirmed": ("good", "✓", "Matched to a slot."),
    "unscheduled": ("warning", "⚠", "Valid, but without a slot."),
    "remake_candidate": ("warning", "↻", "Fewer teams than the season expects."),
    "remake_failed": ("", "‖", "The failed match of a remake."),
    "mixed_division": ("error", "✕", "People of several divisions."),
    "not_tournament": ("", "–", "Not a tournament match."),
}
"""Colour, sign and meaning of each validation status."""
_COPY = (
    Field("round", "Number of the new round.", whole_number(1), required=["add"]),
    Field("first_day", "Its first day.", DAY, required=["add"]),
)


@router.get("")
def home(request: Request, person: Admin) -> Response:
    """Shows everything to administer: seasons with their divisions and rounds, and the number of open problems."""
    with request.state.writing() as conn:
        rounds = Editor(ROUNDS, conn, person).rows()
        attention = admin_lists.matches(conn, person, admin_lists.MatchesAsked(needs_attention=True, page_size=1))[1]
    called = {PLAYERS.path: "Tracked players", OVERRIDES.path: "Decisions on matches"}
    things = [(each.path, called.get(each.path) or edit_forms.label_of(each.path)) for each in editables.ALL]
    divisions: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rounds, key=lambda row: -row["season_id"]):
        divisions.setdefault((row["season"], row["division"]), []).append(row)
    values = {"divisions": divisions, "things": things, "attention": attention, "base": BASE, "title": "Tournaments"}
    return page(request, person, "pubg/admin_home.html", values)


# --- the schedule editor -------------------------------------------------------------------------


def _schedule(
    request: Request, person: Person, round_id: int, form: Submitted | None = None, **others: Any
) -> Response:
    shown, status = outcome(**others)
    with request.state.writing() as conn:
        of_round = Editor(ROUNDS, conn, person).row(round_id)
        slots = Editor(SLOTS, conn, person).rows(round_id=round_id)
        played = admin_lists.played_in(conn, round_id)
        rounds = Editor(ROUNDS, conn, person).rows(division_id=of_round["division_id"])
        candidates = _candidates(conn, person, of_round)
    zone = zone_of_season(of_round)
    values = {
        "round": of_round,
        "rounds": rounds,
        "slots": [_beside(row, played.get(row[SLOT.key]), zone) for row in slots],
        "candidates": candidates,
        "maps": reference.maps()["map_name"].unique().sort().to_list(),
        "zone": zone.key,
        "statuses": next(each.kind.options for each in SLOT.fields if each.name == "status"),
        "round_statuses": ROUND.fields[0].kind.options,
        "path": f"{BASE}/rounds/{round_id}/schedule",
        "base": BASE,
        "next": _next_slot(of_round, slots, zone),
        # Submitted values stay in their form.
        "sent": {
            "verb": wanted(form) if form else "",
            "slot": _number(form.get("slot")) if form else 0,
            "form": _texts(form or {}),
        },
        "title": f"{of_round['round_name']} schedule · {of_round['division']}{of_round['of_group']}",
    }
    return page(request, person, "pubg/admin_schedule.html", {**values, **shown}, status=status)


def _beside(row: Row, match: Row | None, zone: ZoneInfo) -> dict[str, Any]:
    """Returns a slot together with its match."""
    at, started = row["scheduled_at"].astimezone(zone), None
    differs: list[str] = []
    if match and match["started_at"]:
        started = match["started_at"].astimezone(zone)
        if minutes := round((started - at).total_seconds() / 60):
            differs.append(f"{abs(minutes)} min {'late' if minutes > 0 else 'early'}")
        if row["map_name"] not in (None, match["map_name"]):
            differs.append("different map")
    waited = datetime.now(UTC) - row["scheduled_at"]
    return {
        "row": row,
        "at": edit_forms.text(at, zone),
        "played": match,
        "started": started and f"{started:{'%H:%M' if started.date() == at.date() else '%Y-%m-%d %H:%M'}}",
        "differs": differs,
        "is_missed": match is None and row["status"] != "cancelled" and waited > _MISSED,
        "values": edit_forms.texts(SLOTS, SLOTS.changed_by, row),
    }


def _candidates(conn: psycopg.Connection, person: Person, of_round: Row) -> list[tuple[str, str]]:
    """Returns matches on a round's days without a slot, as pairs of an id and a text."""
    days = {"date_from": of_round["first_day"], "date_to": of_round["last_day"] + timedelta(days=1)}
    asked = admin_lists.MatchesAsked(season=of_round["season"], division=of_round["division"], page_size=100, **days)
    found = [row for row in admin_lists.matches(conn, person, asked)[0] if row["scheduled_match_id"] is None]
    return [
        (row["match_id"], f"{_local(row)}, {row['map_name'] or 'unknown map'}, {row['team_count']} teams")
        for row in found
    ]


def _next_slot(of_round: Row, slots: Sequence[Row], zone: ZoneInfo) -> dict[str, Any]:
    """Returns the likely number and start of a round's next match."""
    number = max((row["match_number"] for row in slots), default=0) + 1
    times = sorted(row["scheduled_at"] for row in slots)
    if not times:
        return {"match": number, "scheduled_at": f"{of_round['first_day']} 18:00"}
    apart = times[-1] - times[-2] if len(times) > 1 else timedelta(hours=1)
    return {"match": number, "scheduled_at": edit_forms.text(times[-1] + apart, zone)}


@router.get("/rounds/{round_id:int}/schedule")
def schedule(request: Request, person: Admin, round_id: int) -> Response:
    """Shows the schedule of a round with the matches played."""
    return _schedule(request, person, round_id)


@router.post("/rounds/{round_id:int}/schedule")
def act_on_schedule(request: Request, person: Admin, round_id: int, form: Form) -> Response:
    """Adds a slot, copies the round, changes its status; delays a slot, links or unlinks its match, or marks it as
    remade."""
    path = f"{BASE}/rounds/{round_id}/schedule"

    def work(conn: psycopg.Connection) -> Sequence[Edit]:
        number, version = _number(form.get("slot")), str(form.get("version", ""))
        reason, match_id = _text(form, "reason"), _text(form, "match_id")
        of_round = Editor(ROUNDS, conn, person).row(round_id)
        match wanted(form):
            case "add":
                names = {"season": of_round["season"], "division": of_round["division"]}
                texts = {**_texts(form), **names, "round": str(of_round["round_number"])}
                texts |= {"group": of_round["group_name"]} if of_round["group_name"] else {}
                given = edit_forms.given((*SLOTS.named_by, *SLOTS.added_with), texts, {})
                return [Editor(SLOTS, conn, person).add(**_needed(given, "match", "scheduled_at"))]
            case "copy":
                given = _needed(edit_forms.given(_COPY, _texts(form), {}), "round", "first_day")
                return editables.copy_round(conn, person, round_id, given["round"], given["first_day"])
            case "status":
                return [Editor(ROUNDS, conn, person).change(round_id, version, status=_text(form, "status"))]
            case "delay":
                return editables.delay(conn, person, number, version, _minutes(form), following="following" in form)
            case "link":
                return [_link(conn, person, number, match_id, reason)]
            case "unlink":
                return [editables.unlink(conn, person, number, reason)]
            case "remake":
                if not reason:
                    raise _missing("reason", "Enter the reason for the remake.")
                return [editables.remake(conn, person, number, version, reason, match_id or None)]
        raise ProblemError(422, "The form contains no known action.")

    effects = OVERRIDES.effects
    return act(
        request, effects, form, work, path, lambda **others: _schedule(request, person, round_id, form, **others)
    )


def _link(conn: psycopg.Connection, person: Person, number: int, match_id: str, reason: str) -> Edit:
    if not match_id:
        raise _missing("match_id", "Give the id of the match.")
    found = Editor(OVERRIDES, conn, person).rows(match_id=match_id.lower())
    if found:
        message = (
            f"Match {match_id} already has a decision by {found[0]['admin']} ({found[0]['reason']}). Change that one."
        )
        raise ProblemError(409, message)
    return editables.link(conn, person, number, match_id, "", reason)


def _minutes(form: Submitted) -> int:
    written = _text(form, "minutes")
    if not written.removeprefix("-").isdigit() or not 0 < abs(int(written)) <= 10_080:
        raise _missing("minutes", f"{written[:20]!r} is not a number of minutes, such as 20, or -20 for earlier.")
    return int(written)


# --- matches -------------------------------------------------------------------------------------


def _matches(request: Request, person: Person, **others: Any) -> Response:
    shown, status = outcome(**others)
    given = {name: value for name, value in request.query_params.items() if value}
    errors: dict[str, str] = {}
    try:
        asked = admin_lists.MatchesAsked(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        errors = {str(each["loc"][-1]): each["msg"] for each in error.errors()}
        asked = admin_lists.MatchesAsked()
    with request.state.writing() as conn:
        found, total = admin_lists.matches(conn, person, asked)
        counts = admin_lists.counts(conn, person)
        places = Editor(DIVISIONS, conn, person).rows()
        attention = admin_lists.matches(conn, person, admin_lists.MatchesAsked(needs_attention=True, page_size=1))[1]
        overrides = {row["match_id"]: row for row in Editor(OVERRIDES, conn, person).rows()}
    values = {
        "asked": {**asked.model_dump(), **given},
        "matches": found,
        "total": total,
        "size": asked.page_size,
        "page_number": asked.page,
        "counts": counts,
        "statuses": VALIDATION_STATUSES,
        "attention": attention,
        "seasons": edit_forms.choices([*dict.fromkeys(row["season"] for row in reversed(places))], "All"),
        "divisions": edit_forms.choices([*dict.fromkeys(row["division"] for row in places)], "All"),
        "marks": _STATUS,
        "local": _local,
        "overrides": overrides,
        "base": BASE,
        "title": "Validation of matches",
    }
    merged = {**values, **shown, "errors": {**shown["errors"], **errors}}
    return page(request, person, "pubg/admin_matches.html", merged, status=422 if errors else status)


@router.get("/matches")
def matches(request: Request, person: Admin) -> Response:
    """Shows matches by status, with open problems and quick actions."""
    return _matches(request, person)


@router.get("/matches/{match_id}")
def match_page(request: Request, person: Admin, match_id: str) -> Response:
    """Shows one match, the decision on it, and the possible ones."""
    return _match(request, person, match_id.lower())


def _match(request: Request, person: Person, match_id: str, form: Submitted | None = None, **others: Any) -> Response:
    shown, status = outcome(**others)
    with request.state.writing() as conn:
        found = next(iter(admin_lists.matches(conn, person, admin_lists.MatchesAsked(), match_id)[0]), None)
        editor = Editor(OVERRIDES, conn, person)
        row = next(iter(editor.rows(match_id=match_id)), None)
        entries = editor.history(match_id)
        near = found["started_at"] if found else datetime.now(UTC)
        places = _places(conn, person, near, row)
        history = [
            {"number": each["entry_history_id"], "at": each["changed_at"], "by": each["changed_by"]}
            | {"changes": editor.changes_of(each, UTC_ZONE)}
            for each in entries
        ]
    now = {
        "is_tournament_match": edit_forms.text(row and row["is_tournament_match"], UTC_ZONE),
        "place": _place_now(row),
        "validation_status": (row and row["validation_status"]) or "",
        "reason": (row and row["reason"]) or "",
        "notes": (row and row["notes"]) or "",
    }
    if found is None and row is None and not entries:
        status = 404 if status == 200 else status
    values = {
        "match": found,
        "match_id": match_id,
        "row": row,
        "history": history,
        "places": places,
        "slots": [(value.removeprefix("slot "), text) for value, text in places if value.startswith("slot ")],
        "values": {**now, **_texts(form)} if form and wanted(form) == "save" else now,
        "remade": _texts(form) if form and wanted(form) == "remake" else {},
        "statuses": edit_forms.choices(VALIDATION_STATUSES, "Automatic"),
        "marks": _STATUS,
        "local": _local,
        "path": f"{BASE}/matches/{quote(match_id, safe='')}",
        "base": BASE,
        "title": f"Match {match_id}",
    }
    return page(request, person, "pubg/admin_match.html", {**values, **shown}, status=status)


def _local(match: Row) -> str:
    """Returns the start of a match in its season's time zone."""
    zone = UTC_ZONE if match["time_zone"] is None else zone_of_season(match)
    return f"{edit_forms.text(match['started_at'], zone)} {zone.key}"


def _place_now(row: Row | None) -> str:
    if row is None or row["round_id"] is None:
        return ""
    return f"slot {row['scheduled_match_id']}" if row["scheduled_match_id"] else f"round {row['round_id']}"


def _places(conn: psycopg.Connection, person: Person, near: datetime, now: Row | None) -> list[tuple[str, str]]:
    """Returns the slots and rounds near a time that a match can get, and those of its decision, as pairs of a value and
    a text."""
    now = now or {}
    slots = [
        row
        for row in Editor(SLOTS, conn, person).rows()
        if abs(row["scheduled_at"] - near) <= _AROUND or row[SLOT.key] == now.get(SLOT.key)
    ]
    rounds = [
        row
        for row in Editor(ROUNDS, conn, person).rows()
        if row["first_day"] - _AROUND <= near.date() <= row["last_day"] + _AROUND
        or row[ROUND.key] == now.get(ROUND.key)
    ]
    shown = []
    for row in slots:
        at = edit_forms.text(row["scheduled_at"], zone_of_season(row))
        text = f"{row['season']}, {row['division']}, {SLOT.describe(row)}: {at}, {row['map_name'] or 'any map'}"
        shown.append((f"slot {row[SLOT.key]}", text))
    shown += [(f"round {row['round_id']}", f"{row['season']}, {ROUND.describe(row)}, without a slot") for row in rounds]
    return shown


@router.post("/matches/{match_id}")
def act_on_match(
    request: Request,
    person: Admin,
    match_id: str,
    form: Form,
    back: Back = "",
) -> Response:
    """Decides on a match, revokes or undoes the decision, or records that it failed and was played again."""
    match_id, version = match_id.lower(), str(form.get("version", ""))

    def work(conn: psycopg.Connection) -> Sequence[Edit]:
        editor, verb = Editor(OVERRIDES, conn, person), wanted(form)
        if verb == "remove":
            return [editor.remove(match_id, version)]
        if verb.startswith("undo"):
            return [editor.undo(match_id, version, _number(verb.removeprefix("undo").strip()))]
        reason = _text(form, "reason")
        if not reason:
            raise _missing("reason", "Enter a reason; it is kept with your name.")
        if verb == "remake":
            number = _number(form.get("slot"))
            slot = Editor(SLOTS, conn, person).hold(number)
            new = _text(form, "new_match_id") or None
            return [editables.remake(conn, person, number, slot["version"], reason, new, match_id)]
        decided = _text(form, "is_tournament_match")
        given: dict[str, Any] = {
            "reason": reason,
            "notes": _text(form, "notes") or None,
            "is_tournament_match": {"yes": True, "no": False}.get(decided),
            "validation_status": _text(form, "validation_status") or None,
        }
        kind, _, number = _text(form, "place").partition(" ")
        if kind:
            ids = (_number(number), None) if kind == "round" else (None, _number(number))
            given |= editables.place_of(conn, *ids)
        return [editables.decide(conn, person, match_id, version, **{k: v for k, v in given.items() if v is not None})]

    then = back if back.startswith(f"{BASE}/matches") else f"{BASE}/matches/{quote(match_id, safe='')}"
    again: Callable[..., Response] = lambda **others: _match(request, person, match_id, form, **others)  # noqa: E731
    return act(request, OVERRIDES.effects, form, work, then, again)


# --- tracked players -----------------------------------------------------------------------------


def _tracking(
    request: Request, person: Person, form: Mapping[str, Any], *, is_sent: bool = False, **others: Any
) -> Response:
    shown, status = outcome(**others)
    name, days = _text(form, "player"), _days(form)
    with request.state.writing() as conn:
        seen = admin_lists.preview(conn, name, days) if name else None
        players = Editor(PLAYERS, conn, person).rows()
        backfills = admin_lists.backfills(conn, [row["tracked_player_id"] for row in players])
        teams = Editor(TEAMS, conn, person).rows()
    newest: dict[int, Row] = {}
    for each in backfills:
        newest.setdefault(each["tracked_player_id"], each)
    values = {
        "seen": seen,
        "form": {"player": "", "team_id": "", **form},
        "is_first": not is_sent,
        "days": days,
        "players": [(row, newest.get(row["tracked_player_id"])) for row in players],
        "unfinished": sum(each["state"] not in (*_FINISHED, "inactive") for each in backfills),
        # Admins of single divisions can only track players on rosters there.
        "is_everywhere": person.places("tournament_admin").everywhere,
        "teams": [(str(row["team_id"]), f"{row['season']}, {row['division']}: {row['team_name']}") for row in teams],
        "left": _left,
        "base": BASE,
        "path": f"{BASE}/tracking",
        "title": "Tracked players",
    }
    return page(request, person, "pubg/admin_tracking.html", {**values, **shown}, status=status)


_FINISHED = ("completed", "cancelled")


@router.get("/tracking/backfills")
def backfills_page(
    request: Request, person: Admin, player: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None
) -> Response:
    """Shows the queue of backfills with their progress, of one tracked player or of all; active ones come first."""
    with request.state.writing() as conn:
        editor = Editor(PLAYERS, conn, person)
        players = {row["tracked_player_id"]: row for row in ([editor.row(player)] if player else editor.rows())}
        found = admin_lists.backfills(conn, players)
        detail = admin_lists.backfill_detail(conn, players[player]) if player else None
    found.sort(key=lambda each: each["state"] in _FINISHED)
    values = {
        "player": players[player] if player else None,
        "players": players,
        "backfills": found,
        "detail": detail,
        "finished": _FINISHED,
        "live": any(each["state"] not in (*_FINISHED, "inactive") for each in found),
        "left": _left,
        "base": BASE,
        "path": f"{BASE}/tracking",
        "title": f"Backfills of {players[player]['player_name']}" if player else "Backfills",
    }
    return page(request, person, "pubg/admin_backfills.html", values)


@router.get("/tracking")
def tracking(request: Request, person: Admin) -> Response:
    """Shows tracked players with their backfills; with `player`, known facts about a player before adding them."""
    return _tracking(request, person, dict(request.query_params))


@router.post("/tracking")
def act_on_tracking(request: Request, person: Admin, form: Form, back: Back = "") -> Response:
    """Adds or removes a player, starts or cancels backfills."""
    chosen = [_number(name.removeprefix("chosen-")) for name in form if name.startswith("chosen-")]

    def work(conn: psycopg.Connection) -> Sequence[Edit]:
        number, version, verb = _number(form.get("number")), str(form.get("version", "")), wanted(form)
        if verb == "add":
            if not _text(form, "player"):
                raise _missing("player", "Enter the player's in-game name or account id.")
            team = _number(form.get("team_id"))
            known = {"backfill_days": _days(form), "auto_backfill": "auto_backfill" in form}
            return editables.track(conn, person, player=_text(form, "player"), team_id=team or None, **known)
        if verb == "backfill":
            if not chosen:
                raise _missing("chosen", "Choose at least one player.")
            for each in chosen:
                row = Editor(PLAYERS, conn, person).hold(each)
                admin_lists.start(conn, person, row, admin_lists.NewBackfill(days=max(1, _days(form))))
            return []
        row = Editor(PLAYERS, conn, person).hold(number)
        if verb == "untrack":
            return [editables.untrack(conn, person, number, version)]
        if verb == "activate":
            return [Editor(PLAYERS, conn, person).change(number, version, is_active=True)]
        if verb == "cancel":
            if not admin_lists.cancel(conn, person, row):
                raise ProblemError(409, f"{row['player_name']} has no active backfill.")
            return []
        raise ProblemError(422, "The form contains no known action.")

    path = back if back.startswith(f"{BASE}/tracking") else f"{BASE}/tracking"
    again: Callable[..., Response] = lambda **others: _tracking(request, person, form, is_sent=True, **others)  # noqa: E731
    answer = act(request, None, form, work, path, again)
    acts = {
        "backfill": f"{len(chosen)} {'backfill is' if len(chosen) == 1 else 'backfills are'} requested.",
        "cancel": "The backfills are cancelled; backfilled matches are kept.",
    }
    if answer.status_code == 303 and (shown := acts.get(wanted(form))):
        return redirect(request, path, [shown])
    return answer


def _left(seconds: int | None) -> str:
    """Returns a remaining time in words."""
    if seconds is None:
        return ""
    return f"~{seconds} s" if seconds < 90 else f"~{-(-seconds // 60)} minutes"


def _days(form: Mapping[str, Any]) -> int:
    written = _text(form, "days") or str(BACKFILL_DAYS)
    if not written.isascii() or not written.isdigit() or int(written) > 3650:
        return BACKFILL_DAYS
    return int(written)


# --- forms ----------------------------------------------------------------------------------------


def _texts(form: Submitted) -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _text(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _number(value: Any) -> int:
    """Returns an id in a form; 0 stands for none."""
    text = value if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _missing(name: str, message: str) -> ProblemError:
    return ProblemError(422, message, errors=[{"name": name, "message": message}])


def _needed(given: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        if given.get(name) is None:
            raise _missing(name, f"{edit_forms.label_of(name)} is missing.")
    return given


# Fixed pages come before those with keys.
for _of in editables.ALL:
    router.include_router(edit_pages(_of, BASE))
