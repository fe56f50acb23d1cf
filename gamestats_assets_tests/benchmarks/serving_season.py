"""A made-up season of any size, published as the pipeline would; and its next publications, one each time."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.tables import PAGE_CATEGORIES

SEASON = "bench"
TEAMS, PLAYERS = 16, 4
POINTS = (10, 6, 5, 4, 3, 2, 1, 1)
_FIRST_DAY = date(2026, 9, 5)


def _frame(table: type[Table], rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    columns = {name: [row.get(name) for row in rows] for name in table.column_names()}
    return pl.DataFrame(columns, schema=table.schema())


class MadeUp:
    """A season: divisions play a round a week, of so many matches.

    Args:
        matches: of a round.
    """

    def __init__(self, divisions: int = 3, weeks: int = 8, matches: int = 12) -> None:
        self._chance = random.Random(1)
        self.divisions, self.weeks, self.matches = range(1, divisions + 1), range(1, weeks + 1), range(1, matches + 1)
        self.results: list[dict[str, Any]] = []
        self.played: list[dict[str, Any]] = []
        for week in self.weeks:
            for division in self.divisions:
                for number in self.matches:
                    self._play(division, week, number)

    def _play(self, division: int, week: int, number: int) -> None:
        day = _FIRST_DAY + timedelta(days=7 * week)
        began = datetime(day.year, day.month, day.day, 10, tzinfo=UTC) + timedelta(minutes=35 * number)
        at = {"match_id": f"b{division}-{week}-{number}", "match_date": day, "season": SEASON, "division_id": division}
        at |= {"division": f"Division {division}", "round_id": 100 * division + week, "round_number": week}
        at |= {"round_name": f"Round {week}", "match_number": number, "started_at": began, "counts": True}
        at |= {"ended_at": began + timedelta(minutes=28)}
        places = self._chance.sample(range(1, TEAMS + 1), TEAMS)
        lines = []
        for team, place in zip(range(100 * division + 1, 100 * division + TEAMS + 1), places, strict=True):
            kills = self._chance.randint(0, 9)
            bonus = POINTS[place - 1] if place <= len(POINTS) else 0
            lines.append(
                {**at, "team_id": team, "team_name": f"Team {team}", "placement": place, "players": PLAYERS}
                | {"kills": kills, "damage_dealt": 120.0 * kills, "placement_points": bonus, "kill_points": kills}
                | {"points": bonus + kills}
            )
        winner = next(line for line in lines if line["placement"] == 1)
        self.played.append(
            {**at, "scheduled_match_id": 10_000 * division + 100 * week + number, "validation_status": "confirmed"}
            | {"team_count": TEAMS, "winner_team_id": winner["team_id"], "winner_team_name": winner["team_name"]}
            | {"map_name": "Erangel"}
        )
        self.results += lines

    def publish(self, url: str) -> None:
        """Publish all of it."""
        for table, rows in self._entered().items():
            publish(url, table, None, _frame(table, rows))
        people = [
            {**{name: line[name] for name in ("match_id", "match_date", "season_id", "division_id", "team_name")}}
            | {
                "account_id": f"account.{line['team_id']}.{n}",
                "player_name": f"P{line['team_id']}_{n}",
                "role": "player",
            }
            | {"team_id": line["team_id"], "roster_entry_id": 10 * line["team_id"] + n, "placement": line["placement"]}
            | {"kills": line["kills"] // PLAYERS, "damage_dealt": 100.0, "has_api_stats": True, "has_telemetry": False}
            for line in ({**each, "season_id": 1} for each in self.results)
            for n in range(PLAYERS)
        ]
        for table, rows in (
            (t.TournamentMatches, self.played),
            (t.TournamentTeamResults, self.results),
            (t.TournamentLineups, people),
            (t.MatchSummaries, people),
        ):
            publish(url, table, sorted({row["match_date"] for row in rows}), _frame(table, rows))
        history = [
            line
            for division in self.divisions
            for week in self.weeks
            for number in self.matches
            for line in self._standings(division, week, number)
        ]
        publish(url, t.TournamentTeamStandingsHistory, [SEASON], _frame(t.TournamentTeamStandingsHistory, history))
        self.publish_match(url, 0)

    def publish_match(self, url: str, number: int) -> None:
        """Publish what one more match changes; the first team of every division has so many points more overall."""
        last = self.played[-1]
        day = last["match_date"]
        for table, rows in ((t.TournamentMatches, self.played), (t.TournamentTeamResults, self.results)):
            publish(url, table, [day], _frame(table, [row for row in rows if row["match_date"] == day]))
        teams = []
        for division in self.divisions:
            for line in self._standings(division, self.weeks[-1], self.matches[-1]):
                more = number if line["scope"] == "overall" and line["rank"] == 1 else 0
                teams.append({**line, "points": line["points"] + more, "kill_points": line["kill_points"] + more})
            for week in self.weeks[:-1]:
                teams += self._standings(division, week, self.matches[-1])[TEAMS:]
        players = [
            {**line, "account_id": f"account.{line['team_id']}.{n}", "player_name": f"P{line['team_id']}_{n}"}
            | {"rank": PLAYERS * (line["rank"] - 1) + n + 1, "assists": 0, "damage_dealt": 1000.0, "killsteals": 1}
            | {"average_damage": 100.0, "weapon_damage": [100.0] * 10, "weapon_kills": [1] * 10}
            | {"weapon_categories": [*PAGE_CATEGORIES]}
            for line in teams
            for n in range(PLAYERS)
        ]
        publish(url, t.TournamentPlayerStandings, [SEASON], _frame(t.TournamentPlayerStandings, players))
        publish(url, t.TournamentTeamStandings, [SEASON], _frame(t.TournamentTeamStandings, teams))

    def _standings(self, division: int, week: int, number: int) -> list[dict[str, Any]]:
        """Overall and of the round, after a match: two tables of all teams."""
        ended = next(
            row["ended_at"]
            for row in self.played
            if (row["division_id"], row["round_number"], row["match_number"]) == (division, week, number)
        )
        lines: list[dict[str, Any]] = []
        for scope, of in (("overall", None), (str(100 * division + week), week)):
            rows = []
            for team in range(100 * division + 1, 100 * division + TEAMS + 1):
                matches = self._of_team.get(team, ())
                counted = [row for row in matches if row["ended_at"] <= ended and of in (None, row["round_number"])]
                rows.append(
                    {"season": SEASON, "division_id": division, "division": f"Division {division}", "scope": scope}
                    | {"round_id": of and 100 * division + of, "round_number": of, "round_name": of and f"Round {of}"}
                    | {"team_id": team, "team_name": f"Team {team}", "snapshot": f"match:b{division}-{week}-{number}"}
                    | {
                        name: sum(row[name] for row in counted)
                        for name in ("points", "placement_points", "kill_points")
                    }
                    | {"kills": sum(row["kills"] for row in counted), "matches_played": len(counted)}
                    | {"wins": sum(row["placement"] == 1 for row in counted), "taken_at": ended}
                    | {"average_placement": sum(row["placement"] for row in counted) / len(counted)}
                    | {"recent_placements": [row["placement"] for row in counted[-6:]]}
                )
            rows.sort(key=lambda row: (-row["points"], -row["wins"]))
            lines += [{**row, "rank": rank} for rank, row in enumerate(rows, 1)]
        return lines

    @property
    def _of_team(self) -> dict[int, list[dict[str, Any]]]:
        if not hasattr(self, "_by_team"):
            self._by_team: dict[int, list[dict[str, Any]]] = {}
            for row in self.results:
                self._by_team.setdefault(row["team_id"], []).append(row)
        return self._by_team

    def _entered(self) -> dict[type[Table], list[dict[str, Any]]]:
        rules = {"placement_points": [*POINTS], "kill_points": 1, "player_points_with_placement": True}
        rules |= {"tie_breakers": ["wins", "kills"], "minimum_teams": 8, "slot_window_min": 45, "shard": "steam"}
        season = {"season_id": 1, "season": SEASON, "name": "Benchmark", "time_zone": "Europe/Berlin", **rules}
        teams = sorted({(row["team_id"], row["division_id"]) for row in self.results})
        return {
            t.Seasons: [season],
            t.Divisions: [{"division_id": n, "season_id": 1, "division": f"Division {n}"} for n in self.divisions],
            t.Groups: [],
            t.Rounds: [
                {"round_id": 100 * n + week, "division_id": n, "round_number": week, "round_name": f"Round {week}"}
                | {"first_day": (day := _FIRST_DAY + timedelta(days=7 * week)), "last_day": day}
                | {"status": "active" if week == self.weeks[-1] else "completed"}
                for n in self.divisions
                for week in self.weeks
            ],
            t.ScheduledMatches: [
                {"scheduled_match_id": row["scheduled_match_id"], "round_id": row["round_id"], "is_remake": False}
                | {"match_number": row["match_number"], "scheduled_at": row["started_at"], "status": "completed"}
                for row in self.played
            ],
            t.Teams: [{"team_id": team, "division_id": of, "team_name": f"Team {team}"} for team, of in teams],
            t.RosterEntries: [
                {"roster_entry_id": 10 * team + n, "team_id": team, "account_id": f"account.{team}.{n}"}
                | {"player_name": f"P{team}_{n}", "role": "player", "valid_from": _FIRST_DAY}
                for team, _ in teams
                for n in range(PLAYERS)
            ],
        }
