"""Rounds and the slots of their schedules."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import polars as pl
import psycopg

from gamestats_assets.lakehouse.entries import local_times, ops
from gamestats_assets.lakehouse.entries.declared import (
    UTC_ZONE,
    Entry,
    ExistsAlreadyError,
    Thing,
    UnknownNameError,
    capitalised,
)
from gamestats_assets.lakehouse.entries.fields import DAY, PROSE, YES_NO, EntryError, Field, Kind, choice, whole_number
from gamestats_assets.lakehouse.entries.local_times import LocalTimeError
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.pubg import reference
from gamestats_assets.pubg.players.entered.people import MATCH, Matches
from gamestats_assets.pubg.tournament.context import DAY_BEGINS, day_of
from gamestats_assets.pubg.tournament.entered.teams import (
    DIVISION,
    GROUP,
    OF_DIVISION,
    OF_SEASON,
    ZONE,
    group_of,
    in_order,
    period,
    zone_of,
    zone_of_season,
)
from gamestats_assets.pubg.tournament.tables import ROUND_STATUSES, SLOT_STATUSES

OF_ROUND = Field("round", "Number of the round.", whole_number(1, noun="number of a round or match"))
OF_MATCH = Field("match", "Number of the match in its round.", whole_number(1, noun="number of a round or match"))
GROUP_OF_ROUND = Field("group", "Group, if the round belongs to one.", verbs=("add", "change", "remove"))
NEW_NUMBER = Field(
    "new_number",
    "The new number.",
    whole_number(1, noun="number of a round or match"),
    verbs=["change"],
    option="number",
    stored="",
)
_PLACED_ANEW = "Matches already assigned there are assigned again."


def _statuses(words: Sequence[str]) -> Field:
    return Field("status", f"{', '.join(words[:-1])} or {words[-1]}.", choice(*words), default=words[0])


class Round(Thing):
    """A round of a division or one of its groups: a range of days, each until 5 in the morning, whose matches count for
    it."""

    kind = "round"
    table = "rounds"
    key = "round_id"
    command = ("tournament", "round")
    query = """
        SELECT r.*, d.division, d.season_id, s.season, s.time_zone, g.group_name,
               CASE WHEN r.group_id IS NOT NULL THEN ', group ' || g.group_name
                    WHEN EXISTS (SELECT FROM ops.groups o WHERE o.division_id = r.division_id) THEN ', all groups'
                    ELSE '' END AS of_group,
               (SELECT count(*) FROM ops.scheduled_matches m WHERE m.round_id = r.round_id) AS matches
        FROM ops.rounds r JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
            LEFT JOIN ops.groups g USING (group_id)
    """
    within = DIVISION
    refers_to = (GROUP,)
    names = (OF_SEASON, OF_DIVISION, OF_ROUND)
    beside = (GROUP_OF_ROUND,)
    column = "round_number"
    placed_by = ("division_id", "group_id")
    called = "round {round_number} of {division}{of_group}"
    lacking = "There is no round {wanted} in {division}{in_group}; {there}"
    fields = (
        _statuses(ROUND_STATUSES),
        Field("first_day", "First day.", DAY, required=["add"], option="first"),
        Field("last_day", "Last day.", DAY, option="last", default="the first"),
        Field("name", "Display name.", stored="round_name", default="Round ROUND"),
        NEW_NUMBER,
    )
    listed = (
        *("season", "division", "group_name AS group", "round_number AS round", "round_name AS name"),
        *("first_day", "last_day", "status", "matches"),
    )
    order = ("season_id", "division_id", "round_number", "group_id NULLS FIRST")

    def short(self, row: Row) -> str:
        """See `Thing.short`."""
        return f"{row['round_number']}{row['of_group'].replace(',', ' of')}"

    def siblings(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, list[Row]]:
        """See `Thing.siblings`: rounds of the group, or those of the whole division."""
        division = DIVISION.find(conn, **names)
        division |= group_of(conn, division, names.get("group"))
        place = {name: division[name] for name in self.placed_by}
        in_group = "" if division["group_id"] is None else f", group {division['group_name']}"
        return {**division, "in_group": in_group}, self.rows(conn, **place)

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """See `Thing.missing`."""
        of, number = self.siblings(conn, names)[0], names["round"]
        found = self.rows(conn, division_id=of["division_id"], round_number=number)
        if names.get("group") is None and found:
            groups = ", ".join(row["group_name"] for row in found)
            message = f"Round {number} of {of['division']} is one of groups ({groups}); choose one with --group"
            raise UnknownNameError(f"{message}, in a file with the column group.", "group")
        return super().missing(conn, names)

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`. PostgreSQL records every status with its time."""
        values, row = self.stored(entry.given), entry.row
        if entry.is_new:
            first = values["first_day"]
            name = f"Round {row['round_number']}"
            values = {"last_day": first, "round_name": name, "status": ROUND_STATUSES[0], **values}
        elif (number := entry.given.get("new_number")) is not None:
            values["round_number"] = number
            _refuse_taken(self, entry)
            if row["round_name"] == f"Round {row['round_number']}" and "round_name" not in values:
                values["round_name"] = f"Round {number}"
        would_be = entry.would_be(values)
        in_order(would_be["first_day"], would_be["last_day"], ("first_day", "last_day"))
        if entry.is_new or {"first_day", "last_day"} & entry.given.keys():
            entry.notes += self._shared_days(entry.conn, would_be)
            if outside := [] if entry.is_new else _outside(entry.conn, would_be):
                message = f"Now outside its days: match {', '.join(outside)}."
                entry.notes.append(f"{message} Change their times too, unless they are postponed.")
        if not entry.is_new and row["group_id"] is None:
            others = self.rows(entry.conn, division_id=row["division_id"], round_number=row["round_number"])
            if names := [other["group_name"] for other in others if other["group_id"] is not None]:
                has = "has a round" if len(names) == 1 else "have rounds"
                message = f"Group {', '.join(names)} {has} {row['round_number']} too, which --group selects."
                entry.notes.append(message)
        return values

    def _shared_days(self, conn: psycopg.Connection, row: Row) -> list[str]:
        """Returns a note for every round that the same teams play on some of the days."""
        if row["status"] == "cancelled":
            return []
        return [
            f"It shares days with {other['round_name']} ({period(other['first_day'], other['last_day'])}): on these "
            "days only the schedule can assign matches to the rounds."
            for other in self.rows(conn, division_id=row["division_id"])
            if other["round_id"] != row.get("round_id")
            and other["status"] != "cancelled"
            and (other["group_id"] == row["group_id"] or None in (other["group_id"], row["group_id"]))
            and other["first_day"] <= row["last_day"]
            and row["first_day"] <= other["last_day"]
        ]

    def leave(self, entry: Entry) -> None:
        """See `Thing.leave`."""
        if entry.row["first_day"] <= datetime.now(UTC).date():
            entry.notes.append(_PLACED_ANEW)


def _refuse_taken(thing: Thing, entry: Entry) -> None:
    """Refuses a number that another row of the same place has."""
    row, number = entry.row, entry.given["new_number"]
    place = {name: row[name] for name in thing.placed_by}
    if any(other[thing.key] != row[thing.key] for other in thing.rows(entry.conn, **place, **{thing.column: number})):
        text = capitalised(thing.describe({**row, thing.column: number}))
        raise ExistsAlreadyError(f"{text} already exists; give it another number first, or remove it.", "new_number")


def _outside(conn: psycopg.Connection, round_row: Row) -> list[str]:
    """Returns the numbers of the round's slots outside its days."""
    slots = ops.select(conn, "scheduled_matches", {"round_id": round_row["round_id"]})
    if not slots:
        return []
    zone = zone_of_season(round_row)
    return [
        str(slot["match_number"])
        for slot in slots
        if not round_row["first_day"] <= day_of(slot["scheduled_at"], zone) <= round_row["last_day"]
    ]


ROUND = Round()


# --------------------------------------------------------------------------- the schedule


def map_named(written: str) -> tuple[str | None, tuple[str, ...]]:
    """Returns the map's name in words, and a note; None for `any`.

    Ids such as Baltic_Main are accepted. An unknown map is accepted as entered, because new maps appear, unless it
    resembles a known one.

    Raises:
        EntryError: if it is nearly the name of a known map.
    """
    written = written.strip()
    if written.lower() in ("", "any"):
        return None, ()
    known = reference.maps()
    names = dict(zip(known["map_id"].str.to_lowercase(), known["map_name"], strict=True))
    names |= {name.lower(): name for name in known["map_name"]}
    if written.lower() in names:
        return names[written.lower()], ()
    near = difflib.get_close_matches(written.lower(), names, n=1, cutoff=0.75)
    if near:
        raise EntryError(f"There is no map {written!r}; did you mean {names[near[0]]}?", "map")
    return written, (f"{written} is not a known map; a match fits the slot only if its map has exactly this name.",)


def moment_of(written: str, zone: ZoneInfo) -> datetime:
    """Returns the moment of an entered time; see `local_times.instant`.

    Raises:
        EntryError: if the time is skipped, ambiguous or invalid.
    """
    try:
        return local_times.instant(written, zone)
    except LocalTimeError as error:
        raise EntryError(str(error), "scheduled_at") from None


def _any_map(text: str, column: str) -> str | None:
    return None if map_named(text) == (None, ()) else text.strip()


def _zone_or_utc(name: str) -> ZoneInfo:
    try:
        return zone_of(name)
    except EntryError:
        return UTC_ZONE


_REMAKE = ("original_match_id", "remake_reason")


class Slot(Thing):
    """A slot of a round's schedule: the planned start and map of a match."""

    kind = "slot"
    noun = "match"
    table = "scheduled_matches"
    key = "scheduled_match_id"
    command = ("tournament", "schedule")
    query = """
        SELECT m.*, r.round_number, r.round_name, r.first_day, r.last_day, r.group_id, d.division, d.division_id,
               d.season_id, s.season, s.time_zone, g.group_name,
               CASE WHEN r.group_id IS NOT NULL THEN ', group ' || g.group_name
                    WHEN EXISTS (SELECT FROM ops.groups o WHERE o.division_id = r.division_id) THEN ', all groups'
                    ELSE '' END AS of_group
        FROM ops.scheduled_matches m JOIN ops.rounds r USING (round_id)
            JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
            LEFT JOIN ops.groups g USING (group_id)
    """
    within = ROUND
    names = (OF_SEASON, OF_DIVISION, OF_ROUND, OF_MATCH)
    column = "match_number"
    placed_by = ("round_id",)
    called = "match {match_number} of {round_name}{of_group}"
    lacking = "There is no match {wanted} in {round_name}; {there}"
    beside = (
        GROUP_OF_ROUND,
        Field("time_zone", "Time zone of the time; the season's by default.", ZONE),
    )
    fields = (
        Field(
            "scheduled_at",
            'Start, as "2026-10-03 18:00" in the time zone, or with its own offset.',
            Kind(str, str, metavar="TIME"),
            required=["add"],
            option="at",
            positional=True,
        ),
        Field(
            "postponed",
            "Accepts a time outside the round's days; the match still counts for the round.",
            YES_NO,
            verbs=["change"],
            stored="",
        ),
        Field(
            "map_name",
            "Map name, such as Erangel, or by id; any for any.",
            Kind(str, str, _any_map),
            lacks=True,
            column="map",
            option="map",
        ),
        _statuses(SLOT_STATUSES),
        Field(
            "original_match_id",
            "For a remake: the match that failed.",
            Kind(str, str, MATCH.check, "MATCH_ID"),
            lacks=True,
            option="remake-of",
        ),
        Field("remake_reason", "For a remake: the reason for it.", PROSE, lacks=True),
        NEW_NUMBER,
    )
    listed = (
        *("season", "division", "group_name AS group", "round_number AS round", "match_number AS match"),
        *("scheduled_at", "time_zone", "map_name AS map", "status", "is_remake", *_REMAKE),
    )
    order = ("season_id", "scheduled_at", "division_id", "match_number")
    default_context: ClassVar[Matches] = Matches()

    def detail(self, row: Row) -> str:
        """See `Thing.detail`."""
        return f", {local_times.format_local(row['scheduled_at'], zone_of_season(row))}"

    def zone(self, row: Row) -> ZoneInfo:
        """See `Thing.zone`."""
        return zone_of_season(row)

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`.

        A time outside the round's days is refused, unless the slot already has it or the match is postponed, in which
        case it still counts for the round.
        """
        values, row = self.stored(entry.given), entry.row
        if not entry.is_new and (number := entry.given.get("new_number")) is not None:
            values["match_number"] = number
            _refuse_taken(self, entry)
        if entry.given.get("postponed") and "scheduled_at" not in values:
            raise EntryError("The postponed match needs a time. Give the new one with --at.", "scheduled_at")
        if "scheduled_at" in values:
            of_season = zone_of_season(row)
            named = entry.names.get("time_zone")
            zone = zone_of(named) if named is not None else of_season
            values["scheduled_at"] = moment_of(values["scheduled_at"], zone)
            self._settle_day(entry, values["scheduled_at"], of_season)
        if "map_name" in values:
            values["map_name"], text = map_named(values["map_name"] or "any")
            entry.notes += text
        if {*_REMAKE} & values.keys():
            values |= self._remake(entry, values)
        return values

    def _settle_day(self, entry: Entry, moment: datetime, zone: ZoneInfo) -> None:
        row, day = entry.row, day_of(moment, zone)
        if row["first_day"] <= day <= row["last_day"] or row.get("scheduled_at") == moment:
            return
        if entry.given.get("postponed"):
            entry.notes.append(f"It counts for {row['round_name']}, although {day} is not one of its days.")
            return
        hour = (datetime.min + DAY_BEGINS).strftime("%H:%M")
        night = (
            f": before {hour} it still counts as the evening of {day}" if day != moment.astimezone(zone).date() else ""
        )
        advice = "change the time, or the round's days first"
        if not entry.is_new:
            advice = (
                "change the time, or the round's days; or, if the match is postponed and still counts for this round: "
                "gamestats tournament schedule change ... --postponed"
            )
        raise EntryError(
            f"{local_times.format_local(moment, zone)} is outside {row['round_name']}, "
            f"which is {period(row['first_day'], row['last_day'])}{night}; {advice}.",
            "scheduled_at",
        )

    def _remake(self, entry: Entry, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the columns of a remake, from given and existing values."""
        would_be = entry.would_be(values)
        merged = {name: would_be.get(name) for name in _REMAKE}
        original = merged["original_match_id"]
        if original is not None and merged["remake_reason"] is None:
            raise EntryError(
                f"Give the reason for the remake of match {original}: with --remake-reason, in a file in the column "
                "remake_reason.",
                "remake_reason",
            )
        if original not in (None, entry.row.get("original_match_id")) and not entry.context.has_landed(original):
            message = f"No match {original} has landed; if the id is correct, the match counts as failed once it lands."
            entry.notes.append(message)
        return {**merged, "is_remake": any(value is not None for value in merged.values())}

    def noticed(self, conn: psycopg.Connection, row: Row, given: Mapping[str, Any]) -> Sequence[str]:
        """See `Thing.noticed`: reports other slots of the round at the same time."""
        if not {"scheduled_at", "status"} & given.keys():
            return ()
        slots: defaultdict[datetime, list[int]] = defaultdict(list)
        for slot in ops.select(conn, self.table, {"round_id": row["round_id"]}):
            if slot["status"] != "cancelled":
                slots[slot["scheduled_at"]].append(slot["match_number"])
        zone = zone_of_season(row)
        return [
            f"Matches {', '.join(map(str, sorted(numbers)))} of {row['round_name']}{row['of_group']} are at the same "
            f"time, {local_times.format_local(moment, zone)}: only their maps distinguish them."
            for moment, numbers in sorted(slots.items())
            if len(numbers) > 1 and row["match_number"] in numbers
        ]

    def list(self, conn: psycopg.Connection, *of: Any, context: Any = None, **where: Any) -> pl.DataFrame:
        """Lists the schedule in order of time; `scheduled_at` is in the season's time zone.

        UTC is used if the season has an invalid time zone.
        """
        frame = super().list(conn, *of, **where)
        local = [
            local_times.format_local(moment, _zone_or_utc(zone))
            for moment, zone in frame.select("scheduled_at", "time_zone").iter_rows()
        ]
        return frame.with_columns(pl.Series("scheduled_at", local, dtype=pl.String))

    def leave(self, entry: Entry) -> None:
        """See `Thing.leave`."""
        if entry.row["scheduled_at"] <= datetime.now(UTC):
            entry.notes.append(_PLACED_ANEW)


SLOT = Slot()
