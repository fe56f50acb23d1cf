"""A small season, written down by hand and published.

Division 1 has two rounds and three matches of three teams. The Cup has two groups that play a round of their own and
then one together, in two matches at the same time. Division 2 has played nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.tables import (
    Circles,
    KillPositions,
    Landings,
    MatchSummaries,
    PlayerCirclePositions,
    PlayerMatchWeaponDistribution,
    TeamFights,
    TournamentLineups,
    TournamentMatches,
    TournamentPlayerStandings,
    TournamentTeamResults,
    TournamentTeamStandings,
    TournamentTeamStandingsHistory,
)
from gamestats_assets.pubg.tournament.tables import (
    PAGE_CATEGORIES,
    Divisions,
    Groups,
    RosterEntries,
    Rounds,
    ScheduledMatches,
    Seasons,
    Teams,
)

DAYS = (date(2026, 10, 3), date(2026, 10, 10))
TEAMS = {1: "Alpha", 2: "Beta", 3: "<script>Gamma"}
CUP_TEAMS = {31: "Northern Lights", 32: "=cmd|' /C calc'!A0", 33: "한국 팀", 34: "\u202eEvil", 35: "Delta"}
DIVISIONS = {1: "Division 1", 2: "Division 2", 3: "Cup"}
GROUPS = {5: (2, "A"), 6: (3, "North"), 7: (3, "South")}
GROUP_OF_TEAM = {31: 6, 32: 6, 33: 7, 34: 7, 35: 7}
# Division, number, group, day, status.
ROUNDS = {
    11: (1, 1, None, DAYS[0], "completed"),
    12: (1, 2, None, DAYS[1], "active"),
    31: (3, 1, 6, DAYS[0], "completed"),
    32: (3, 1, 7, DAYS[0], "completed"),
    33: (3, 2, None, DAYS[1], "completed"),
}
POINTS = (10, 6, 5)
"""Of a placement; a kill gives 1."""


@dataclass(frozen=True)
class Played:
    """A match: placement and kills of each team."""

    round: int
    began: datetime
    ended: datetime
    teams: Mapping[int, tuple[int, int]]
    slot: int | None = None
    counts: bool = True


def _at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 10, day, hour, minute, tzinfo=UTC)


PLAYED: Mapping[str, Played] = {
    "m-1": Played(11, _at(3, 18), _at(3, 18, 30), {1: (1, 3), 2: (2, 1), 3: (3, 0)}, 101),
    "m-2": Played(11, _at(3, 19), _at(3, 19, 30), {1: (3, 0), 2: (1, 6), 3: (2, 2)}, 102),
    "m-3": Played(12, _at(10, 18), _at(10, 18, 30), {1: (3, 1), 2: (2, 0), 3: (1, 9)}),
    "c-north": Played(31, _at(3, 16), _at(3, 16, 30), {31: (1, 2), 32: (2, 6)}, 311),
    "c-south": Played(32, _at(3, 16), _at(3, 16, 25), {33: (1, 0), 34: (2, 2), 35: (3, 3)}, 321),
    # At the same time.
    "c-1": Played(33, _at(10, 16), _at(10, 16, 25), {31: (2, 0), 33: (1, 3)}, 331),
    "c-2": Played(33, _at(10, 16), _at(10, 16, 30), {32: (1, 1), 34: (2, 5)}, 332),
    "c-broken": Played(33, _at(10, 15), _at(10, 15, 5), {31: (1, 9), 32: (2, 0)}, counts=False),
}
SCOPES: Mapping[tuple[int, str], Sequence[str]] = {
    (1, "overall"): ["m-1", "m-2", "m-3"],
    (1, "11"): ["m-1", "m-2"],
    (1, "12"): ["m-3"],
    (3, "overall"): ["c-south", "c-north", "c-1", "c-2"],
    (3, "31"): ["c-north"],
    (3, "32"): ["c-south"],
    (3, "33"): ["c-1", "c-2"],
}
"""By division and scope, the matches that count, by when they ended."""


def account(team: int) -> str:
    """The one player of a team."""
    return f"account.{team:032x}"


def frame(table: type[Table], rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of a table; what they do not say is null."""
    return pl.DataFrame([{name: row.get(name) for name in table.column_names()} for row in rows], schema=table.schema())


def standings(matches: Sequence[str]) -> list[dict[str, Any]]:
    """Points of the teams after some matches, added up here, the best first; wins decide, then equals share a rank."""
    lines = []
    for team, name in {**TEAMS, **CUP_TEAMS}.items():
        played = [PLAYED[match].teams[team] for match in matches if team in PLAYED[match].teams]
        if not played:
            continue
        lines.append(
            {
                "team_id": team,
                "team_name": name,
                "group_name": GROUPS[GROUP_OF_TEAM[team]][1] if team in GROUP_OF_TEAM else None,
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

    def size(line: Mapping[str, Any]) -> tuple[int, int]:
        return line["points"], line["wins"]

    ranked = [{**line, "rank": 1 + sum(size(other) > size(line) for other in lines)} for line in lines]
    return sorted(ranked, key=lambda line: line["rank"])


def publish_season(url: str) -> None:
    """Publish all of it."""
    _publish_entered(url)
    matches, results, lineups, summaries = [], [], [], []
    for match, played in PLAYED.items():
        division, number, group, day, _ = ROUNDS[played.round]
        at = {"match_id": match, "match_date": day, "season": "fall", "division_id": division}
        at |= {"division": DIVISIONS[division], "group_name": GROUPS[group][1] if group else None}
        at |= {"round_id": played.round, "round_number": number, "round_name": f"Round {number}"}
        at |= {"started_at": played.began, "ended_at": played.ended, "counts": played.counts}
        at |= {"match_number": played.slot and played.slot % 10}
        names = {**TEAMS, **CUP_TEAMS}
        winner = next(team for team, (placement, _) in played.teams.items() if placement == 1)
        matches.append(
            {**at, "scheduled_match_id": played.slot, "team_count": len(played.teams), "winner_team_id": winner}
            | {"validation_status": "confirmed" if played.counts else "remake_failed"}
            | {"winner_team_name": names[winner], "map_name": "Erangel" if match == "m-1" else None}
        )
        for side, (team, (placement, kills)) in enumerate(played.teams.items(), 1):
            points = {"placement_points": POINTS[placement - 1], "kill_points": kills}
            results.append(
                {**at, "team_id": team, "team_name": names[team], "placement": placement, "kills": kills, "players": 1}
                | {"damage_dealt": 100.0 * kills, **points, "points": sum(points.values())}
            )
            person = {"match_id": match, "match_date": day, "account_id": account(team), "player_name": f"P{team}"}
            lineups.append(
                {**person, "season_id": 7, "division_id": division, "team_id": team, "team_name": names[team]}
                | {"roster_entry_id": team, "role": "player"}
            )
            summaries.append(
                {**person, "team_id": side, "has_api_stats": True, "has_telemetry": match == "m-1", "kills": kills}
                | {"placement": placement, "damage_dealt": 100.04 * kills, "assists": 0, "dbnos": kills}
                | {"killsteals": 1}
            )
    for table, rows in (
        (TournamentMatches, matches),
        (TournamentTeamResults, results),
        (TournamentLineups, lineups),
        (MatchSummaries, summaries),
        *_TELEMETRY.items(),
    ):
        publish(url, table, sorted({row["match_date"] for row in rows}), frame(table, rows))
    # Of the players, the one of team 1 is tracked.
    tracked = [
        {**_M1, "event_index": 20 + number, "occurred_at": _at(3, 18, 2 + number), "tracked_player": account(1)}
        | {"account_id": account(1), "player_name": "P1", "elapsed_time_s": 120.0 + 60 * number}
        | {"x_m": 1000.04 + 500 * number, "y_m": 2000.0, "blue_x_m": 4080.0, "blue_y_m": 4080.0}
        | {"blue_radius_m": 5820.0, "distance_from_blue_center_m": 3700.0, "distance_from_blue_edge_m": 2120.0}
        | {"is_in_safe_zone": True}
        for number in (1, 0)
    ]
    publish(url, PlayerCirclePositions, [account(1)], frame(PlayerCirclePositions, tracked))
    publish_standings(url)


def _publish_entered(url: str) -> None:
    rules = {"placement_points": [*POINTS], "kill_points": 1, "player_points_with_placement": True}
    rules |= {"tie_breakers": ["wins"], "minimum_teams": 2, "slot_window_min": 45, "shard": "steam"}
    slots = {played.slot: played for played in PLAYED.values() if played.slot}
    teams = {**TEAMS, **CUP_TEAMS}
    for table, rows in {
        Seasons: [{"season_id": 7, "season": "fall", "name": "Fall 2026", "time_zone": "Europe/Berlin", **rules}],
        Divisions: [{"division_id": key, "season_id": 7, "division": name} for key, name in DIVISIONS.items()],
        Groups: [{"group_id": key, "division_id": of, "group_name": name} for key, (of, name) in GROUPS.items()],
        Rounds: [
            {"round_id": key, "division_id": division, "group_id": group, "round_number": number, "status": status}
            | {"round_name": f"Round {number}", "first_day": day, "last_day": day}
            for key, (division, number, group, day, status) in ROUNDS.items()
        ],
        ScheduledMatches: [
            {"scheduled_match_id": slot, "round_id": played.round, "match_number": slot % 10, "status": "completed"}
            | {"scheduled_at": played.began, "map_name": "Erangel" if slot == 101 else None, "is_remake": slot == 331}
            | ({"original_match_id": "c-broken", "remake_reason": "server; crash"} if slot == 331 else {})
            for slot, played in slots.items()
        ],
        Teams: [
            {"team_id": team, "division_id": 1 if team < 10 else 3, "group_id": GROUP_OF_TEAM.get(team)}
            | {"team_name": name, "tag": None}
            for team, name in teams.items()
        ],
        RosterEntries: [
            {"roster_entry_id": team, "team_id": team, "account_id": account(team), "player_name": f"P{team}"}
            | {"role": "player", "valid_from": date(2026, 9, 1)}
            for team in teams
        ],
    }.items():
        publish(url, table, None, frame(table, rows))


_M1 = {"match_id": "m-1", "match_date": DAYS[0]}
_TELEMETRY: Mapping[type[Table], Sequence[Mapping[str, Any]]] = {
    KillPositions: [
        {**_M1, "event_index": number, "elapsed_time_s": 60.04 * number, "occurred_at": _at(3, 18, number)}
        | {"killer_account_id": account(killer), "killer_name": f"P{killer}"}
        | {"victim_account_id": account(victim), "victim_name": f"P{victim}", "victim_is_bot": False}
        | {"weapon_category": weapon, "distance_m": distance, "is_suicide": False, "is_team_kill": False}
        for number, (killer, victim, weapon, distance) in enumerate(
            [(2, 1, "SR", 300.06), (1, 3, "AR", 40.0), (1, 2, "Vehicle", None)], 1
        )
    ],
    PlayerMatchWeaponDistribution: [
        {**_M1, "account_id": account(team), "player_name": f"P{team}", "weapon_category": weapon}
        | {"total_damage": damage, "total_kills": kills, "knock_downs": kills}
        for team, weapon, damage, kills in [(1, "AR", 200.06, 2), (1, "Vehicle", 50.0, 1), (2, "SR", 100.0, 1)]
    ],
    Circles: [
        {**_M1, "event_index": 10 + number, "occurred_at": _at(3, 18, 2), "phase": 1.0 + number}
        | {"elapsed_time_s": 120.0 * (1 + number), "alive_teams": 3 - number, "alive_players": 3 - number}
        | {"blue_x_m": 4080.0, "blue_y_m": 4080.0, "blue_radius_m": 5820.0 - 2000 * number}
        | {"white_x_m": 3000.04, "white_y_m": 4000.0, "white_radius_m": 2000.0}
        for number in (0, 1)
    ],
    Landings: [
        {**_M1, "account_id": account(team), "landing_number": 1, "player_name": f"P{team}", "landed_at": _at(3, 18, 1)}
        | {"elapsed_time_s": 60.0 + team, "x_m": 1000.04 * team, "y_m": 2000.0}
        for team in (1, 2, 3)
    ],
    TeamFights: [
        {**_M1, "fight_number": 1, "started_at": _at(3, 18, 2), "ended_at": _at(3, 18, 3), "elapsed_time_s": 120.0}
        | {"duration_s": 60.0, "team_ids": [1, 2, 9], "teams": 3, "first_team_ids": [1, 2], "is_third_party": True}
        | {"participants": 2, "casualties": 2, "knocks": 1, "kills": 2, "damage": 210.55, "damage_to_bots": 0.0}
        | {"rule": "two_casualties", "winner_team_id": 1}
    ],
}


def publish_standings(url: str, *, more_points: int = 0) -> None:
    """Publish the standings; with more points the first team of Division 1 has so many more overall."""
    teams, history, players = [], [], []
    for (division, scope), of_scope in SCOPES.items():
        key = None if scope == "overall" else int(scope)
        at = {"season": "fall", "division_id": division, "division": DIVISIONS[division], "scope": scope}
        at |= {"round_id": key, "round_number": key and ROUNDS[key][1], "round_name": key and f"Round {ROUNDS[key][1]}"}
        for line in standings(of_scope):
            more = more_points if (division, scope, line["rank"]) == (1, "overall", 1) else 0
            points = {"points": line["points"] + more, "placement_points": line["placement_points"] + more}
            teams.append({**at, **line, **points})
            players.append(
                {**at, "account_id": account(line["team_id"]), "player_name": f"P{line['team_id']}"}
                | {"team_id": line["team_id"], "team_name": line["team_name"], "rank": line["rank"]}
                | {"group_name": line["group_name"]}
                | {"points": line["points"], "kills": line["kills"], "assists": 0, "killsteals": 1, "wins": 0}
                | {"damage_dealt": 100.04 * line["kills"], "average_damage": 12.345}
                | {"matches_played": line["matches_played"], "weapon_categories": [*PAGE_CATEGORIES]}
                | {"weapon_damage": [1.25, *[0.0] * 9], "weapon_kills": [line["kills"], *[0] * 9]}
            )
        for number, match in enumerate(of_scope, 1):
            ended = PLAYED[match].ended
            history += [
                {**at, **line, "snapshot": f"match:{match}", "taken_at": ended} for line in standings(of_scope[:number])
            ]
        # As when its status was changed, half an hour later.
        closed = PLAYED[of_scope[-1]].ended + timedelta(minutes=30)
        history += [{**at, **line, "snapshot": f"status:{scope}", "taken_at": closed} for line in standings(of_scope)]
    publish(url, TournamentTeamStandings, ["fall"], frame(TournamentTeamStandings, teams))
    publish(url, TournamentTeamStandingsHistory, ["fall"], frame(TournamentTeamStandingsHistory, history))
    publish(url, TournamentPlayerStandings, ["fall"], frame(TournamentPlayerStandings, players))
