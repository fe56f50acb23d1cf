"""Decisions of admins on matches, which take precedence over derived values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import polars as pl
import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.declared import Entry, Thing
from gamestats_assets.lakehouse.entries.fields import PROSE, TEXT, YES_NO, EntryError, Field, choice
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.pubg.players.entered.people import MATCH, Matches
from gamestats_assets.pubg.tournament.entered.schedule import GROUP_OF_ROUND, OF_MATCH, OF_ROUND, ROUND, SLOT
from gamestats_assets.pubg.tournament.tables import VALIDATION_STATUSES

_PLACE = ("season", "division", "round", "match", "group")
_DECIDING = ("is_tournament_match", "round_id", "scheduled_match_id", "validation_status")


class Override(Thing):
    """An admin's decision on a match; missing and removed values stay derived.

    The match may be in the future. A round is named by its season, division and number; with a match of it, the match
    takes that slot.
    """

    kind = "override"
    table = "match_overrides"
    key = "match_id"
    command = ("tournament", "override")
    query = """
        SELECT o.*, s.season, s.season_id, d.division, d.division_id, g.group_name, r.round_number, m.match_number
        FROM ops.match_overrides o LEFT JOIN ops.scheduled_matches m USING (scheduled_match_id)
            LEFT JOIN ops.rounds r ON r.round_id = coalesce(o.round_id, m.round_id)
            LEFT JOIN ops.divisions d USING (division_id) LEFT JOIN ops.seasons s USING (season_id)
            LEFT JOIN ops.groups g ON g.group_id = r.group_id
    """
    refers_to = (ROUND, SLOT)
    names = (Field("match_id", "Id of the match.", MATCH),)
    column = "match_id"
    called = "override of match {match_id}"
    lacking = "Match {wanted} has no override."
    fields = (
        Field("reason", "Why.", PROSE, required=["add", "change"]),
        Field("admin", "Author of the decision.", TEXT, default="the user of this machine"),
        Field(
            "is_tournament_match",
            "Whether it is a tournament match.",
            YES_NO,
            lacks=True,
            option="tournament/--no-tournament",
        ),
        Field("season", "Season of its round; none to leave its round.", lacks=True, stored=""),
        Field("division", "Division of its round.", lacks=True, stored=""),
        Field("round", "Round it counts for.", OF_ROUND.kind, lacks=True, stored=""),
        Field("match", "Slot it takes in the round.", OF_MATCH.kind, lacks=True, stored=""),
        Field("group", GROUP_OF_ROUND.help, lacks=True, stored=""),
        Field(
            "validation_status",
            f"{', '.join(VALIDATION_STATUSES[:-1])} or {VALIDATION_STATUSES[-1]}.",
            choice(*VALIDATION_STATUSES),
            lacks=True,
            column="status",
            option="status",
        ),
        Field("notes", "Further remarks.", PROSE, lacks=True),
    )
    listed = (
        *("match_id", "is_tournament_match", "season", "division", "group_name AS group", "round_number AS round"),
        *("match_number AS match", "validation_status AS status", "reason", "notes", "admin"),
        "updated_at AS decided_at",
    )
    order = ("updated_at DESC", "match_id")
    default_context: ClassVar[Matches] = Matches()

    def alike(self, rows: Sequence[Row], names: Mapping[str, Any]) -> list[Row]:
        """See `Thing.alike`."""
        # Exact spelling first: an id with capitals may exist besides a lower-case one, entered before ids were lowered.
        written = names["match_id"].strip()
        exact = [row for row in rows if row["match_id"] == written]
        return exact or [row for row in rows if row["match_id"] == written.lower()]

    def short(self, row: Row) -> str:
        """See `Thing.short`."""
        return f"of match {row['match_id']}"

    def list(self, conn: psycopg.Connection, *of: Any, context: Any = None, **where: Any) -> pl.DataFrame:
        """Lists overrides with their round and slot, newest first; `note` marks those without a landed match."""
        frame, context = super().list(conn, *of, **where), context or self.default_context
        notes = [None if context.has_landed(match_id) else "no such match has landed" for match_id in frame["match_id"]]
        return frame.with_columns(pl.Series("note", notes, dtype=pl.String))

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        values = {"admin": ops.person(entry.conn), **self.stored(entry.given)}
        if named := {name: entry.given[name] for name in _PLACE if name in entry.given}:
            values |= self._place(entry.conn, named)
        decided = {name: entry.would_be(values).get(name) for name in _DECIDING}
        if all(value is None for value in decided.values()):
            raise EntryError(
                "The decision is empty: give whether it is a tournament match, its round or slot, or its status. To "
                "revoke an override, remove it."
            )
        if decided["is_tournament_match"] is False and decided["round_id"] is not None:
            raise EntryError("A match that is not a tournament match has no round and no slot.", "is_tournament_match")
        if entry.is_new and not entry.context.has_landed(entry.row["match_id"]):
            entry.notes.append(f"No match {entry.row['match_id']} has landed; the override applies once it has.")
        return values

    def _place(self, conn: psycopg.Connection, named: Mapping[str, Any]) -> dict[str, Any]:
        if all(value is None for value in named.values()):
            return {"round_id": None, "scheduled_match_id": None}
        if lacking := [name for name in ("season", "division", "round") if named.get(name) is None]:
            raise EntryError("A round needs --season, --division and --round together.", lacking[0])
        round_id = ROUND.find(conn, **named)["round_id"]
        slot = None if named.get("match") is None else SLOT.find(conn, **named)[SLOT.key]
        return {"round_id": round_id, "scheduled_match_id": slot}


OVERRIDE = Override()
