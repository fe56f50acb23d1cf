"""Effects of an edit on the standings before it is saved: the game's own functions over the published data.

Lineups, contexts and standings are computed as for tables (see `tournament.context` and `tournament.standings`), from
the data entered in the transaction and the published matches and results.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, LiteralString

import polars as pl
import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.lakehouse.postgres.server import has_table
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.context import CANDIDATE_TYPES, match_tournament_context, tournament_lineups
from gamestats_assets.pubg.tournament.standings import team_tables, tournament_team_results

_ENTERED: tuple[type[Table], ...] = (
    *(t.Seasons, t.Divisions, t.Groups, t.Teams, t.RosterEntries, t.Rounds, t.ScheduledMatches, t.MatchOverrides),
)
_DEEDS = ("match_id", "match_date", "account_id", "player_name", "team_id", "placement", "kills", "assists")
_DEEDS += ("killsteals", "damage_dealt")
_LINE = ("rank", "points", "matches_played")
_AROUND = timedelta(days=2)

Line = tuple[int, str, str, int, str]
"""Division, its name, the table's name, team, its name."""
State = Mapping[Line, tuple[int, ...]]
"""Rank, points and matches played of each line."""


class Standings:
    """The tables of the divisions that an edit affects."""

    def concerns(self, conn: psycopg.Connection, rows: Sequence[Row]) -> Collection[int]:
        """Returns the divisions of rows, and those that their matches counted for."""
        found = {row["division_id"] for row in rows if row.get("division_id") is not None}
        seasons = [row["season_id"] for row in rows if "season_id" in row and "division_id" not in row]
        matches = [row["match_id"] for row in rows if "match_id" in row]
        found |= {row["division_id"] for row in ops.rows(conn, _OF_SEASONS, [seasons])}
        if matches and has_table(conn, "pubg", "matches"):
            found |= {row["division_id"] for row in ops.rows(conn, _OF_MATCHES, [matches])}
        return found

    def state(self, conn: psycopg.Connection, concerned: Collection[int]) -> State:
        """Returns the lines of the divisions' tables, from the currently entered data."""
        if not concerned or not all(has_table(conn, "pubg", name) for name in ("matches", "match_summaries")):
            return {}
        entered = {table: _frame(conn, "ops", table, table.column_names()) for table in _ENTERED}
        first, last = _days(entered, concerned)
        overridden = entered[t.MatchOverrides].get_column("match_id").to_list()
        candidates = [first, last, [*CANDIDATE_TYPES], overridden]
        matches = _frame(conn, "pubg", t.Matches, t.MatchFacts.column_names(), _CANDIDATES, candidates)
        ids, days = matches.get_column("match_id").to_list(), matches.get_column("match_date").unique().to_list()
        summaries = _frame(conn, "pubg", t.MatchSummaries, _DEEDS, _OF_THESE, [ids, days])
        seasons, divisions, groups, teams, rosters, rounds, slots, overrides = (
            entered[table].lazy() for table in _ENTERED
        )
        facts, deeds = matches.lazy(), summaries.lazy()
        known: Any = (facts, deeds, seasons, divisions)
        # Computed separately: planning all of them as one query takes much longer.
        lineups = _made(tournament_lineups(*known, teams, rosters, rounds, slots, overrides))  # type: ignore[arg-type]
        context = _made(
            match_tournament_context(*known, groups, teams, rosters, rounds, slots, overrides)  # type: ignore[arg-type]
        )
        results = _made(tournament_team_results(context, facts, lineups, deeds, seasons))  # type: ignore[arg-type]
        tables = (
            team_tables(results, seasons, groups, teams, rounds)
            .filter(pl.col("division_id").is_in([*concerned]))
            .with_columns(table=pl.coalesce("round_name", pl.lit("all rounds")))
            .select("division_id", "division", "table", "team_id", "team_name", *_LINE)
            .collect()
        )
        return {row[:5]: row[5:] for row in tables.iter_rows()}

    def difference(self, before: State, after: State) -> list[dict[str, Any]]:
        """Returns the lines that differ: `division`, `table`, `team_id`, `team`, and before and after of rank, points
        and matches played; null if the team is not in the table."""
        lines = []
        # Overall first, then each table by its future rank.
        for line in sorted({*before, *after}, key=lambda line: (line[1], line[2], after.get(line, (10**6,)), line)):
            was, becomes = before.get(line), after.get(line)
            if was == becomes:
                continue
            change: dict[str, Any] = {"division": line[1], "table": line[2], "team_id": line[3], "team": line[4]}
            for place, name in enumerate(_LINE):
                change[f"{name}_before"] = None if was is None else was[place]
                change[f"{name}_after"] = None if becomes is None else becomes[place]
            lines.append(change)
        return lines


_OF_SEASONS = "SELECT division_id FROM ops.divisions WHERE season_id = ANY(%s)"
_OF_MATCHES = """
    SELECT DISTINCT d.division_id FROM pubg.matches m JOIN ops.seasons s USING (season)
        JOIN ops.divisions d ON d.season_id = s.season_id AND d.division = m.division
    WHERE m.match_id = ANY(%s)
"""
_CANDIDATES = """
    WHERE (match_date BETWEEN %s AND %s AND (lower(match_type) = ANY(%s) OR match_type IS NULL)) OR match_id = ANY(%s)
"""
_OF_THESE = "WHERE match_id = ANY(%s) AND match_date = ANY(%s)"


def _made(frame: Any) -> Any:
    return frame.collect().lazy()


def _days(entered: Mapping[type[Table], pl.DataFrame], divisions: Collection[int]) -> tuple[date, date]:
    """Returns the days of every match that can count for the divisions, except those assigned by hand."""
    rounds = entered[t.Rounds].filter(pl.col("division_id").is_in([*divisions]))
    slots = entered[t.ScheduledMatches].join(rounds, on="round_id", how="semi")
    days = [
        *rounds.get_column("first_day"),
        *rounds.get_column("last_day"),
        *slots.get_column("scheduled_at").dt.date(),
    ]
    return (min(days) - _AROUND, max(days) + _AROUND) if days else (date.max, date.min)


def _frame(
    conn: psycopg.Connection,
    schema: str,
    table: type[Table],
    columns: Sequence[str],
    where: LiteralString = "",
    values: Sequence[Any] = (),
) -> pl.DataFrame:
    """Returns columns of a table in PostgreSQL."""
    query = sql.SQL("SELECT {} FROM {} {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(schema, table.spec.name), sql.SQL(where)
    )
    with conn.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(query, values).fetchall()
    types = table.schema()
    return pl.DataFrame(rows, schema={name: types[name] for name in columns}, orient="row")
