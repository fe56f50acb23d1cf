"""A small season, written down by hand and published: two divisions, two rounds, three matches of three teams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.published import publish
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.tables import (
    TournamentMatches,
    TournamentPlayerStandings,
    TournamentTeamResults,
    TournamentTeamStandings,
    TournamentTeamStandingsHistory,
)
from gamestats_assets.pubg.tables.ops import Divisions, Groups, Rounds, ScheduledMatches, Seasons
from gamestats_assets.pubg.tables.tournament import PAGE_CATEGORIES

DAYS = (date(2026, 10, 3), date(2026, 10, 10))
TEAMS = {1: "Alpha", 2: "Beta", 3: "<script>Gamma"}
# Placement and kills of teams 1, 2 and 3, by match; points are 10, 6 and 5, and 1 a kill.
PLAYED: Mapping[str, tuple[int, datetime, Sequence[tuple[int, int]]]] = {
    "m-1": (11, datetime(2026, 10, 3, 18, tzinfo=UTC), [(1, 3), (2, 1), (3, 0)]),
    "m-2": (11, datetime(2026, 10, 3, 19, tzinfo=UTC), [(3, 0), (1, 6), (2, 2)]),
    "m-3": (12, datetime(2026, 10, 10, 18, tzinfo=UTC), [(3, 1), (2, 0), (1, 9)]),
}
POINTS = (10, 6, 5)


def frame(table: type[Table], rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of a table; what they do not say is null."""
    return pl.DataFrame([{name: row.get(name) for name in table.column_names()} for row in rows], schema=table.schema())


def standings(matches: Sequence[str]) -> list[dict[str, Any]]:
    """Points of the teams after some matches, added up here, the best first."""
    lines = []
    for position, (team, name) in enumerate(TEAMS.items()):
        played = [PLAYED[match][2][position] for match in matches]
        lines.append(
            {
                "team_id": team,
                "team_name": name,
                "points": sum(POINTS[placement - 1] + kills for placement, kills in played),
                "placement_points": sum(POINTS[placement - 1] for placement, _ in played),
                "kill_points": sum(kills for _, kills in played),
                "kills": sum(kills for _, kills in played),
                "wins": sum(placement == 1 for placement, _ in played),
                "matches_played": len(played),
                "average_placement": sum(placement for placement, _ in played) / len(played),
                "recent_placements": [placement for placement, _ in played],
            }
        )
    ordered = sorted(lines, key=lambda line: -line["points"])
    return [{**line, "rank": rank} for rank, line in enumerate(ordered, 1)]


SCOPES: Mapping[str, tuple[int | None, Sequence[str]]] = {
    "overall": (None, ["m-1", "m-2", "m-3"]),
    "11": (11, ["m-1", "m-2"]),
    "12": (12, ["m-3"]),
}


def publish_season(url: str) -> None:
    """Publish all of it."""
    rules = {"placement_points": [*POINTS], "kill_points": 1, "player_points_with_placement": True}
    rules |= {"tie_breakers": ["wins"], "minimum_teams": 2, "slot_window_min": 45, "shard": "steam"}
    place = {"season": "fall", "division_id": 1, "division": "Division 1"}
    rounds = {11: ("Round 1", 1, DAYS[0], "completed"), 12: ("Round 2", 2, DAYS[1], "active")}

    def whole(table: type[Table], *rows: Mapping[str, Any]) -> None:
        publish(url, table, None, frame(table, rows))

    whole(Seasons, {"season_id": 7, "season": "fall", "name": "Fall 2026", "time_zone": "Europe/Berlin", **rules})
    whole(
        Divisions,
        {"division_id": 1, "season_id": 7, "division": "Division 1"},
        {"division_id": 2, "season_id": 7, "division": "Division 2"},
    )
    whole(Groups, {"group_id": 5, "division_id": 2, "group_name": "A"})
    whole(
        Rounds,
        *(
            {"round_id": key, "division_id": 1, "round_number": number, "round_name": name}
            | {"first_day": day, "last_day": day, "status": status}
            for key, (name, number, day, status) in rounds.items()
        ),
    )
    whole(
        ScheduledMatches,
        *(
            {"scheduled_match_id": 100 + number, "round_id": 11, "match_number": number}
            | {"scheduled_at": datetime(2026, 10, 3, 17 + number, tzinfo=UTC), "status": "completed"}
            | {"is_remake": False, "map_name": "Erangel" if number == 1 else None}
            for number in (1, 2)
        ),
    )
    matches, results = [], []
    for match, (key, began, lines) in PLAYED.items():
        name, number, day, _ = rounds[key]
        at = {"match_id": match, "match_date": day, "round_id": key, "round_number": number, "round_name": name}
        at |= {"started_at": began, "ended_at": began.replace(minute=30), "counts": True, **place}
        slot = {"m-1": 101, "m-2": 102}.get(match)
        winner = next(team for team, (placement, _) in zip(TEAMS, lines, strict=True) if placement == 1)
        matches.append(
            {**at, "scheduled_match_id": slot, "match_number": slot and slot - 100, "validation_status": "confirmed"}
            | {"team_count": 3, "winner_team_id": winner, "winner_team_name": TEAMS[winner]}
        )
        for (team, team_name), (placement, kills) in zip(TEAMS.items(), lines, strict=True):
            points = {"placement_points": POINTS[placement - 1], "kill_points": kills}
            results.append(
                {**at, "team_id": team, "team_name": team_name, "placement": placement, "kills": kills, "players": 4}
                | {"damage_dealt": 100.0 * kills, **points, "points": sum(points.values())}
            )
    publish(url, TournamentMatches, [*DAYS], frame(TournamentMatches, matches))
    publish(url, TournamentTeamResults, [*DAYS], frame(TournamentTeamResults, results))
    publish_standings(url)


def publish_standings(url: str, *, more_points: int = 0) -> None:
    """Publish the standings; with more points the first team has so many more overall."""
    teams, history, players = [], [], []
    for scope, (key, of_scope) in SCOPES.items():
        at = {"season": "fall", "division_id": 1, "division": "Division 1", "scope": scope, "round_id": key}
        for line in standings(of_scope):
            more = more_points if scope == "overall" and line["rank"] == 1 else 0
            points = {"points": line["points"] + more, "placement_points": line["placement_points"] + more}
            teams.append({**at, **line, **points})
            players.append(
                {**at, "account_id": f"account.{line['team_id']:032x}", "player_name": f"P{line['team_id']}"}
                | {"team_id": line["team_id"], "team_name": line["team_name"], "rank": line["rank"]}
                | {"points": line["points"], "kills": line["kills"], "assists": 0, "killsteals": 1, "wins": 0}
                | {"damage_dealt": 100.04 * line["kills"], "average_damage": 12.345, "matches_played": len(of_scope)}
                | {"weapon_damage": [1.25, *[0.0] * 9], "weapon_kills": [line["kills"], *[0] * 9]}
                | {"weapon_categories": [*PAGE_CATEGORIES]}
            )
        for number, match in enumerate(of_scope, 1):
            ended = PLAYED[match][1].replace(minute=30)
            history += [
                {**at, **line, "snapshot": f"match:{match}", "taken_at": ended} for line in standings(of_scope[:number])
            ]
    publish(url, TournamentTeamStandings, ["fall"], frame(TournamentTeamStandings, teams))
    publish(url, TournamentTeamStandingsHistory, ["fall"], frame(TournamentTeamStandingsHistory, history))
    publish(url, TournamentPlayerStandings, ["fall"], frame(TournamentPlayerStandings, players))
