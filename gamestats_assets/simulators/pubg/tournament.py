"""A simulated tournament in progress: two divisions, two rounds of six slots, the second one being played.

    tournament = simulate_tournament(folder, first_day=date(2026, 3, 14), seed=7)
    tournament.divisions, tournament.slots      # what organisers enter
    tournament.matches                          # played matches, with what they must count for

Round 1 is over. Its third match in the first division broke off and was played again, and after the last one the same
teams played for fun, as an admin decided. Half of round 2 is played, and one match of it had too few teams: only a
person can decide whether it was a warm-up.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from gamestats_assets.simulators.pubg.matches import MatchTruth, mapped, write_match
from gamestats_assets.simulators.pubg.world import make_person, stable_number

MAPS = (("Baltic_Main", "Erangel"), ("Desert_Main", "Miramar"), ("Tiger_Main", "Taego"), ("Neon_Main", "Rondo"),
        ("Baltic_Main", "Erangel"), ("Desert_Main", "Miramar"))  # fmt: skip
"""Map of each slot of a round, in telemetry and in a schedule."""
ROUNDS, SLOTS = 2, 6
"""Rounds of each division, and slots of each round."""
SHORT_OF_TEAMS = 3
"""Number of teams in the match with too few."""
_FIRST_HOUR, _APART_MIN = 18, 60
_TEAM = 4
_NAMES = ("Amber", "Basalt", "Cobalt", "Drift", "Ember", "Fjord", "Granite", "Harbor", "Iron", "Juniper", "Krill",
          "Lumen", "Moss", "Nimbus", "Onyx", "Pike")  # fmt: skip


@dataclass(frozen=True)
class TeamPlan:
    """A team: its number among all squads of the population, and its roster by account and name."""

    name: str
    squad: int
    players: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DivisionPlan:
    """A division; with a group, all of its teams are in that group."""

    name: str
    group: str | None
    teams: tuple[TeamPlan, ...]


@dataclass(frozen=True)
class SlotPlan:
    """A slot of the schedule; `failed` names the match that broke off in it."""

    division: str
    round_number: int
    match_number: int
    at: datetime
    map_name: str
    failed: str | None = None


@dataclass(frozen=True)
class TournamentMatch:
    """A played match, with what it must count for.

    Attributes:
        truth: its contents.
        division: division of its teams.
        status: its status in the tournament, after decisions of admins.
        round_number: round that it must count for; None for none.
        match_number: slot that it must have; None for none.
    """

    truth: MatchTruth
    division: str
    status: str
    round_number: int | None
    match_number: int | None


@dataclass(frozen=True)
class Tournament:
    """What organisers enter of a tournament, and the truth of its matches."""

    time_zone: str
    days: tuple[date, ...]
    divisions: tuple[DivisionPlan, ...]
    slots: tuple[SlotPlan, ...]
    matches: tuple[TournamentMatch, ...]

    def by_status(self, status: str) -> list[TournamentMatch]:
        """Returns the matches of one status."""
        return [match for match in self.matches if match.status == status]


@dataclass(frozen=True)
class _Game:
    seed: int
    at: datetime
    map_id: str
    squads: tuple[int, ...]
    division: str
    status: str
    round_number: int | None = None
    match_number: int | None = None


def simulate_tournament(
    folder: Path,
    *,
    first_day: date,
    seed: int,
    teams: int = 6,
    played: int = 3,
    time_zone: str = "Europe/Berlin",
    processes: int = 1,
) -> Tournament:
    """Writes the matches of a tournament into a folder, as `simulate_day` does, and returns their truth.

    Args:
        folder: created if missing.
        first_day: day of round 1; round 2 is on the next.
        seed: decides everything random.
        teams: teams of each division, of four players.
        played: slots of round 2 that are over.
        time_zone: time zone of the schedule.
        processes: number of worker processes; does not affect the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    days = tuple(first_day + timedelta(days=number) for number in range(ROUNDS))
    divisions = tuple(
        DivisionPlan(f"Division {number + 1}", (None, "Group A")[number],
                     tuple(_team(number * teams + each) for each in range(teams)))
        for number in range(2)
    )  # fmt: skip
    games = _games(divisions, days, ZoneInfo(time_zone), seed, played)
    write = functools.partial(_write, folder)
    truths = mapped(write, games, processes)
    matches = tuple(
        TournamentMatch(truth, game.division, game.status, game.round_number, game.match_number)
        for game, truth in zip(games, truths, strict=True)
    )
    failed = {each.division: each.truth.match_id for each in matches if each.status == "remake_failed"}
    slots = tuple(
        SlotPlan(division.name, round_ + 1, slot + 1, _at(day, ZoneInfo(time_zone), slot), MAPS[slot][1],
                 failed.get(division.name) if (round_, slot) == (0, 2) else None)
        for division in divisions
        for round_, day in enumerate(days)
        for slot in range(SLOTS)
    )  # fmt: skip
    return Tournament(time_zone, days, divisions, slots, matches)


def _team(squad: int) -> TeamPlan:
    people = [make_person(squad * _TEAM + seat) for seat in range(_TEAM)]
    return TeamPlan(f"Team {_NAMES[squad]}", squad, tuple((account, name) for account, name, _, _ in people))


def _at(day: date, zone: ZoneInfo, slot: int) -> datetime:
    begin = datetime(day.year, day.month, day.day, _FIRST_HOUR, tzinfo=zone).astimezone(UTC)
    return begin + timedelta(minutes=_APART_MIN * slot)


def _games(
    divisions: tuple[DivisionPlan, ...], days: tuple[date, ...], zone: ZoneInfo, seed: int, played: int
) -> list[_Game]:
    games: list[_Game] = []

    def add(division: DivisionPlan, at: datetime, slot: int, status: str, **counts: int) -> None:
        squads = tuple(team.squad for team in division.teams)
        if status == "remake_candidate":
            squads = squads[:SHORT_OF_TEAMS]
        number = stable_number("tournament", seed, len(games))
        games.append(_Game(number, at, MAPS[slot][0], squads, division.name, status, **counts))

    for division in divisions:
        for round_, day in enumerate(days):
            for slot in range(SLOTS if round_ == 0 else played):
                at = _at(day, zone, slot) + timedelta(minutes=2)
                if (division, round_, slot) == (divisions[0], 0, 2):
                    add(division, at, slot, "remake_failed", round_number=1)
                    at += timedelta(minutes=26)
                add(division, at, slot, "confirmed", round_number=round_ + 1, match_number=slot + 1)
    late = _at(days[0], zone, SLOTS) + timedelta(minutes=30)
    add(divisions[0], late, 0, "not_tournament")
    add(divisions[0], _at(days[1], zone, 0) - timedelta(minutes=35), 0, "remake_candidate")
    return games


def _write(folder: Path, game: _Game) -> MatchTruth:
    return write_match(
        folder,
        game.seed,
        game.at,
        map_name=game.map_id,
        game_mode="squad-fpp",
        match_type="custom",
        players=_TEAM * len(game.squads),
        squads=game.squads,
    )
