"""One evening of a small season, for the rules of what a match counts for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.context import (
    match_tournament_context,
    tournament_lineups,
)
from gamestats_assets_tests.pubg.scenario import rows, run
from gamestats_assets_tests.support.frames import Frames

EVENING = datetime(2026, 3, 14, 19, 0, tzinfo=UTC)
"""20:00 in Berlin."""
PLAYER = {"role": "player", "valid_from": date(2026, 1, 1)}
USUAL: dict[type[Table], list[dict[str, Any]]] = {
    t.Seasons: [
        {
            "season_id": 1,
            "season": "spring",
            "shard": "steam",
            "time_zone": "Europe/Berlin",
            "placement_points": [10],
            "kill_points": 1,
            "tie_breakers": ["wins"],
            "minimum_teams": 3,
            "slot_window_min": 30,
        }
    ],
    t.Divisions: [{"division_id": n, "season_id": 1, "division": f"Div {n}"} for n in (1, 2)],
    t.Groups: [{"group_id": n, "division_id": 1, "group_name": "AB"[n - 1]} for n in (1, 2)],
    # Teams 1 to 4 are of division 1, teams 5 to 8 of division 2.
    t.Teams: [{"team_id": n, "division_id": 1 + (n > 4), "team_name": f"Team {n}"} for n in range(1, 9)],
    t.RosterEntries: [
        {"roster_entry_id": n, "team_id": n, "account_id": f"account.{n}", "player_name": f"P{n}", **PLAYER}
        for n in range(1, 9)
    ],
    t.Rounds: [
        {
            "round_id": 1,
            "division_id": 1,
            "round_number": 1,
            "first_day": EVENING.date(),
            "last_day": EVENING.date(),
            "status": "active",
        }
    ],
    t.ScheduledMatches: [
        {"scheduled_match_id": 1, "round_id": 1, "match_number": 1, "scheduled_at": EVENING, "status": "scheduled"}
    ],
    t.MatchOverrides: [],
}
SLOT = USUAL[t.ScheduledMatches][0]
ROUND = USUAL[t.Rounds][0]


def slot(number: int, minutes: float, **other: Any) -> dict[str, Any]:
    """A slot some minutes after the evening began."""
    at = EVENING + timedelta(minutes=minutes)
    return {**SLOT, "scheduled_match_id": number, "match_number": number, "scheduled_at": at, **other}


def override(match_id: str = "m", **values: Any) -> dict[str, Any]:
    return {"match_id": match_id, "reason": "why", "admin": "kim", **values}


def entry(number: int, team: int, who: str, **other: Any) -> dict[str, Any]:
    return {
        "roster_entry_id": number,
        "team_id": team,
        "account_id": f"account.{who}",
        "player_name": f"P{who}",
        **PLAYER,
        **other,
    }


def placed(
    *matches: Mapping[str, Any], entered: Mapping[type[Table], Sequence[Mapping[str, Any]]] | None = None
) -> dict[str, dict[str, Any]]:
    """Contexts by match.

    A match is given by `minutes` after the evening began (or `at`), and `of_teams` or `people` as account: side.
    """
    found = run(match_tournament_context, _played(matches, entered or {}))
    return {row["match_id"]: row for row in found.to_dicts()}


def lined_up(*matches: Mapping[str, Any], entered: Mapping[type[Table], Sequence[Mapping[str, Any]]]) -> dict[str, int]:
    """Teams by account."""
    found = run(tournament_lineups, _played(matches, entered))
    return dict(found["account_id", "team_id"].iter_rows())


def _played(matches: Sequence[Mapping[str, Any]], entered: Mapping[type[Table], Sequence[Mapping[str, Any]]]) -> Frames:
    all_matches: list[dict[str, Any]] = []
    summaries: list[dict[str, Any]] = []
    for match in matches or ({},):
        at = match.get("at", EVENING + timedelta(minutes=match.get("minutes", 0)))
        of = {"match_id": match.get("match_id", "m"), "match_date": at.date()}
        usual = {"map_id": "Baltic_Main", "map_name": "Erangel", "match_type": "custom", "shard_id": "steam"}
        all_matches.append({**usual, **match, **of, "started_at": at})
        people = match.get("people", {str(n): n for n in match.get("of_teams", range(1, 5))})
        summaries += [
            {**of, "account_id": f"account.{who}", "player_name": f"P{who}", "team_id": side}
            for who, side in people.items()
        ]
    given_ = {**USUAL, **entered}
    return {
        t.MatchFacts: rows(t.MatchFacts, *all_matches),
        t.MatchSummaries: rows(t.MatchSummaries, *summaries),
        **{table: rows(table, *given_[table]) for table in USUAL},
    }


def status(*matches: Mapping[str, Any], **entered: Any) -> str:
    return placed(*matches, **entered)["m"]["validation_status"]
