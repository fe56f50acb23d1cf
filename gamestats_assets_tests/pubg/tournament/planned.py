"""Matches as planned, and their results and tables in plain Python, which shares nothing with the code under test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

PLACEMENT_POINTS = [10, 6, 5, 4, 3, 2, 1, 1]
PAGE = ["AR", "DMR", "SR", "SMG", "Shotgun", "LMG", "Pistol", "Melee", "Throwable", "Other"]


@dataclass
class Person:
    """One person in one match; `team` is the tournament team played for, None for who is on no roster."""

    account: str
    name: str
    team: int | None
    side: int
    placement: int | None
    kills: int | None
    assists: int | None
    damage: float | None
    killsteals: int | None
    weapons: dict[str, tuple[float, int]] = field(default_factory=dict)


@dataclass
class Truth:
    """What the context of a match must say."""

    status: str
    division: int | None = None
    round: int | None = None
    slot: int | None = None
    offset_min: float | None = None
    is_tournament: bool = True
    overridden: bool = False

    @property
    def counts(self) -> bool:
        return self.is_tournament and self.round is not None and self.status in ("confirmed", "unscheduled")


@dataclass
class Game:
    """A match as planned; without truth, it must not appear at all."""

    match_id: str
    start: datetime
    minutes: float
    map: int
    people: list[Person]
    truth: Truth | None
    match_type: str | None = "custom"
    bots: int = 0

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes)


def division_of(team: int) -> int:
    return 1 if team <= 16 else 2


@dataclass
class Planned:
    """Planned matches of two divisions, and what follows from them."""

    games: list[Game] = field(default_factory=list)
    placement_for_players: bool = True

    def contexts(self) -> dict[str, Truth]:
        """What each match counts for."""
        return {game.match_id: game.truth for game in self.games if game.truth}

    def results(self) -> dict[tuple[str, int], dict[str, Any]]:
        """Placement, players, kills and points of each team in each tournament match, by match and team."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for game in self.games:
            if game.truth is None or not game.truth.is_tournament:
                continue
            by_team: dict[int, list[Person]] = defaultdict(list)
            for person in game.people:
                if person.team is not None and division_of(person.team) == game.truth.division:
                    by_team[person.team].append(person)
            for team, people in by_team.items():
                places = [person.placement for person in people if person.placement is not None]
                place = min(places) if places else None
                kills = sum(person.kills or 0 for person in people)
                bonus = points_of(place)
                found[game.match_id, team] = {
                    "placement": place,
                    "players": len(people),
                    "kills": kills,
                    "placement_points": bonus,
                    "points": bonus + kills,
                }
        return found

    def counting(self, division: int, scope: str, until: datetime | None = None) -> list[Game]:
        """MatchFacts that count for a table, in order of time."""
        return sorted(
            (
                game
                for game in self.games
                if game.truth
                and game.truth.counts
                and game.truth.division == division
                and scope in ("overall", str(game.truth.round))
                and (until is None or game.end <= until)
            ),
            key=lambda game: (game.start, game.match_id),
        )

    def table(self, division: int, scope: str, until: datetime | None = None) -> dict[int, dict[str, Any]]:
        """A standings table by team; `until` leaves out what had not ended by then."""
        results, lines = self.results(), dict[int, dict[str, Any]]()
        for game in self.counting(division, scope, until):
            for team in {team for match, team in results if match == game.match_id}:
                result = results[game.match_id, team]
                line = lines.setdefault(
                    team, {"points": 0, "kills": 0, "wins": 0, "matches_played": 0, "placements": []}
                )
                line["points"] += result["points"]
                line["kills"] += result["kills"]
                line["wins"] += result["placement"] == 1
                line["matches_played"] += 1
                line["placements"].append(result["placement"])
        for line in lines.values():
            line["recent_placements"] = line["placements"][-6:]
            known = [place for place in line["placements"] if place is not None]
            line["average_placement"] = sum(known) / len(known) if known else None
        order = {team: _merits(line) for team, line in lines.items()}
        for team, line in lines.items():
            line["rank"] = 1 + sum(other > order[team] for other in order.values())
            del line["placements"]
        return lines

    def player_table(self, division: int, scope: str) -> dict[str, dict[str, Any]]:
        """A table of players by account."""
        results, lines = self.results(), dict[str, dict[str, Any]]()
        for game in self.counting(division, scope):
            for person in game.people:
                if person.team is None or division_of(person.team) != division:
                    continue
                team = results[game.match_id, person.team]
                line = lines.setdefault(
                    person.account,
                    {"points": 0, "kills": 0, "assists": 0, "killsteals": 0, "damage_dealt": 0.0, "wins": 0}
                    | {"matches_played": 0, "weapon_damage": [0.0] * 10, "weapon_kills": [0] * 10},
                )
                kills = person.kills or 0
                line["points"] += kills + (team["placement_points"] if self.placement_for_players else 0)
                line["kills"] += kills
                line["assists"] += person.assists or 0
                line["killsteals"] += person.killsteals or 0
                line["damage_dealt"] += person.damage or 0.0
                line["wins"] += team["placement"] == 1
                line["matches_played"] += 1
                line["team_id"], line["player_name"] = person.team, person.name
                for category, (damage, number) in person.weapons.items():
                    place = PAGE.index(category if category in PAGE else "Other")
                    line["weapon_damage"][place] += damage
                    line["weapon_kills"][place] += number
        for line in lines.values():
            line["rank"] = 1 + sum(_player_merits(other) > _player_merits(line) for other in lines.values())
        return lines


def points_of(placement: int | None) -> int:
    return PLACEMENT_POINTS[placement - 1] if placement is not None and placement <= len(PLACEMENT_POINTS) else 0


def _merits(line: Mapping[str, Any]) -> tuple[float, ...]:
    last = line["placements"][-1]
    return (line["points"], line["wins"], line["kills"], -last if last is not None else float("-inf"))


def _player_merits(line: Mapping[str, Any]) -> tuple[float, ...]:
    return (line["points"], line["kills"], round(line["damage_dealt"], 6))
