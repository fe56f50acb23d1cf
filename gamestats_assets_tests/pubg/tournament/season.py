"""A simulated season with everything that goes wrong in one, and the truth about it.

The truth of a match is written down as it is planned here; `planned` derives results and tables from it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets_tests.pubg.scenario import rows
from gamestats_assets_tests.pubg.tournament.planned import (
    PLACEMENT_POINTS,
    Game,
    Person,
    Planned,
    Truth,
    division_of,
)

ZONE = ZoneInfo("Europe/Berlin")
"""Summer time ends at 03:00 on 2026-10-25, in the night of a round."""
SEASON = "fall-2026"
# id, name; the schedule writes them in several ways.
MAPS = [
    ("Baltic_Main", "Erangel"),
    ("Desert_Main", "Miramar"),
    ("Tiger_Main", "Taego"),
    ("DihorOtok_Main", "Vikendi"),
    ("Kiki_Main", "Deston"),
    ("Neon_Main", "Rondo"),
]
IN_THE_SCHEDULE = ["Erangel", "miramar", "tiger_main", "Vikendi", None, "RONDO"]
CATEGORIES = ["AR", "DMR", "SR", "SMG", "Throwable", "Vehicle", "Special", "Environment", "Other"]

MADE: tuple[type[Table], ...] = (
    t.TournamentLineups,
    t.MatchTournamentContext,
    t.TournamentTeamResults,
    t.TournamentMatches,
    t.TournamentTeamStandingsHistory,
    t.TournamentTeamStandings,
    t.TournamentPlayerStandings,
    t.MatchValidation,
)


def local(day: date, hour: int, minute: int, *, fold: int = 0) -> datetime:
    """A time by the clock of the season, in UTC; hours from 24 on are of the next day."""
    clock = datetime(day.year, day.month, day.day, tzinfo=ZONE, fold=fold).replace(tzinfo=None)
    return (clock + timedelta(hours=hour, minutes=minute)).replace(tzinfo=ZONE, fold=fold).astimezone(UTC)


def account(team: int, number: int) -> str:
    return f"account.{team:016x}{number:016x}"


def round_of(division: int, number: int) -> int:
    return 10 * division + number


def round_named(round_: int | None) -> dict[str, Any]:
    """Number and name of a round of the plan, as tables tell them; of none, nulls."""
    number = round_ % 10 if round_ else None
    return {"round_number": number, "round_name": f"Round {number}" if number else None}


def round_in(scope: str) -> int | None:
    """The round of the plan that a standings table is of; None of the overall one."""
    return None if scope == "overall" else int(scope)


def slot_of(division: int, round_number: int, number: int) -> int:
    return 100 * division + 10 * round_number + number


@dataclass
class SimulatedSeason(Planned):
    """Frames of the season and the matches they were made of.

    Args:
        seed: of placements, kills and damage; what goes wrong is the same in every season.
        moved: whether the schedule has been changed after the evening that ran late.
    """

    seed: int = 1
    moved: bool = True
    slots: dict[int, dict[str, Any]] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    overrides: list[dict[str, Any]] = field(default_factory=list)

    DAYS = {
        1: [date(2026, 10, 17), date(2026, 10, 24), date(2026, 10, 31)],
        2: [date(2026, 10, 18), date(2026, 10, 25), date(2026, 11, 1)],
    }
    # Division 1 plays from 22:00 past midnight, division 2 from 19:00.
    FIRST_HOUR = {1: 22, 2: 19}

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        for division in (1, 2):
            for number in (1, 2, 3):
                self._schedule(division, number)
        self._first_evening()
        self._night_of_the_clock_change()
        self._last_night()
        self._second_division()
        self._public_play()

    # ----------------------------------------------------------------- what is planned

    def _schedule(self, division: int, number: int) -> None:
        day = self.DAYS[division][number - 1]
        for match in range(1, 7):
            slot = slot_of(division, number, match)
            self.slots[slot] = {
                "scheduled_match_id": slot,
                "round_id": round_of(division, number),
                "match_number": match,
                "scheduled_at": local(day, self.FIRST_HOUR[division], 45 * (match - 1)),
                "map_name": IN_THE_SCHEDULE[match - 1],
                "status": "completed" if match < 3 else "scheduled",
                "is_remake": False,
            }
        first, last = self.slots[slot_of(division, number, 1)], self.slots[slot_of(division, number, 6)]
        for status, at in (
            ("scheduled", first["scheduled_at"] - timedelta(days=5)),
            ("active", first["scheduled_at"] - timedelta(minutes=40)),
            ("completed", last["scheduled_at"] + timedelta(hours=5)),
        ):
            self.changes.append(
                {
                    "round_status_change_id": len(self.changes) + 1,
                    "round_id": round_of(division, number),
                    "status": status,
                    "changed_at": at,
                }
            )

    def _played(
        self,
        division: int,
        number: int,
        match: int,
        *,
        late_min: float = 1,
        teams: Iterable[int] | None = None,
        **other: Any,
    ) -> Game:
        """The match of a slot, as it should be."""
        slot = slot_of(division, number, match)
        truth = Truth("confirmed", division, round_of(division, number), slot, late_min)
        start = self.slots[slot]["scheduled_at"] + timedelta(minutes=late_min)
        return self._game(f"d{division}r{number}m{match}", start, match - 1, division, truth, teams=teams, **other)

    def _game(
        self,
        match_id: str,
        start: datetime,
        map_: int,
        division: int,
        truth: Truth | None,
        *,
        teams: Iterable[int] | None = None,
        minutes: float = 28,
        skip_placement: int | None = None,
        **other: Any,
    ) -> Game:
        first = 1 if division == 1 else 17
        sides = list(teams or range(first, first + 16))
        self._random.shuffle(sides)
        places = [place for place in range(1, len(sides) + 2) if place != skip_placement][: len(sides)]
        people = [
            self._person(account(team, n), f"T{team:02}_Player{n}", team, side, place)
            for side, (team, place) in enumerate(zip(sides, places, strict=True), start=1)
            for n in range(4)
        ]
        game = Game(match_id, start, minutes, map_, people, truth, **other)
        self.games.append(game)
        return game

    def _person(self, account_: str, name: str, team: int | None, side: int, place: int | None) -> Person:
        chance = self._random
        weapons = {
            category: (round(chance.uniform(0, 150), 3), chance.choice([0, 0, 0, 1, 1, 2]))
            for category in chance.sample(CATEGORIES, chance.randint(0, 3))
        }
        kills = sum(each[1] for each in weapons.values())
        damage = sum(each[0] for each in weapons.values())
        return Person(account_, name, team, side, place, kills, chance.randint(0, 3), damage, min(kills, 1), weapons)

    def _first_evening(self) -> None:
        day = self.DAYS[1][0]
        # Seven teams warm up on the map of the first slot, 20 minutes before it.
        self._game("warm-up", local(day, 21, 40), 0, 1, Truth("remake_candidate", 1), teams=range(1, 8), minutes=12)
        evening = [self._played(1, 1, 1, late_min=2), self._played(1, 1, 2)]
        # Somebody loses the connection before anything is known of them.
        gone = next(p for p in evening[1].people if p.account == account(3, 2))
        gone.placement = gone.kills = gone.assists = gone.damage = gone.killsteals = None
        gone.weapons = {}
        # The third match breaks off and is played again.
        slot = slot_of(1, 1, 3)
        broken = Truth("remake_failed", 1, round_of(1, 1))
        at = self.slots[slot]["scheduled_at"]
        evening.append(self._game("broken", at + timedelta(minutes=1), 2, 1, broken, minutes=6))
        self.slots[slot] |= {"is_remake": True, "original_match_id": "broken", "remake_reason": "server crash"}
        evening.append(self._played(1, 1, 3, late_min=11))
        evening.append(self._played(1, 1, 4, late_min=20))
        evening.append(self._played(1, 1, 5, late_min=5))
        # Team 9 has gone to bed.
        evening.append(self._played(1, 1, 6, teams=[team for team in range(1, 17) if team != 9]))
        # A player of division 2 stands in for team 1 on this day.
        for game in evening:
            for person in game.people:
                if person.account == account(1, 3):
                    person.account, person.name = account(17, 0), "T17_Player0"
        # Afterwards they play for fun, 35 minutes after the last slot; an admin says so.
        self._game(
            "for-fun",
            local(day, 26, 20),
            5,
            1,
            Truth("not_tournament", 1, is_tournament=False, overridden=True),
        )
        self._override("for-fun", is_tournament_match=False)

    def _night_of_the_clock_change(self) -> None:
        day = self.DAYS[1][1]
        # Half of each division in one friendly match.
        self._game(
            "friendly",
            local(day, 19, 0),
            0,
            1,
            Truth("mixed_division", is_tournament=False),
            teams=[*range(1, 9), *range(17, 25)],
        )
        # Bots take the third place of the first match.
        self._played(1, 2, 1, bots=8, skip_placement=3)
        # Two matches in one slot: the nearer one has it, the other counts without.
        self._played(1, 2, 2, minutes=8)
        at = self.slots[slot_of(1, 2, 2)]["scheduled_at"]
        self._game(
            "second-in-slot",
            at + timedelta(minutes=13),
            1,
            1,
            Truth("unscheduled", 1, round_of(1, 2)),
            teams=range(1, 13),
            minutes=20,
        )
        substituted = self._played(1, 2, 3)
        for person in substituted.people:
            if person.account == account(5, 0):
                person.account, person.name = account(5, 4), "T05_Substitute"
        self._played(1, 2, 4, late_min=-3)
        # A guest plays for team 4.
        guest = next(p for p in self._played(1, 2, 5).people if p.account == account(4, 1))
        guest.account, guest.name, guest.team = account(90, 0), "Guest", None
        # A team of strangers wins the last one, which starts 50 minutes before the clocks change.
        last = self._played(1, 2, 6, late_min=25)
        for person in last.people:
            person.placement = (person.placement or 0) + 1
        last.people += [self._person(account(91, n), f"Stranger{n}", None, 17, 1) for n in range(4)]
        # The round is closed while its last match is still being played.
        closing = next(
            change for change in self.changes if change["round_id"] == 12 and change["status"] == "completed"
        )
        closing["changed_at"] = last.start + timedelta(minutes=5)

    def _last_night(self) -> None:
        for match, late in ((1, 1), (2, -1), (3, 0)):
            self._played(1, 3, match, late_min=late, match_type=["competitive", None, "Custom"][match - 1])
        # Two candidates for the fourth slot: an admin gives it to the one that is further off.
        slot = slot_of(1, 3, 4)
        nearer = Truth("unscheduled", 1, round_of(1, 3))
        at = self.slots[slot]["scheduled_at"]
        self._game("d1r3-nearer", at + timedelta(minutes=1), 3, 1, nearer, minutes=9)
        self._played(1, 3, 4, late_min=25).truth.overridden = True  # pyright: ignore[reportOptionalMemberAccess]
        self._override("d1r3m4", scheduled_match_id=slot)
        self._played(1, 3, 5)
        self._played(1, 3, 6, late_min=3)

    def _second_division(self) -> None:
        for match in range(1, 7):
            game = self._played(2, 1, match)
            for person in game.people:
                if person.account == account(20, 2) and match > 3:
                    person.name = "NewName"
        # The second evening runs late: the last two slots are moved after it.
        for match in range(1, 5):
            self._played(2, 2, match)
        for match in (5, 6):
            slot = self.slots[slot_of(2, 2, match)]
            planned = slot["scheduled_at"]
            slot["scheduled_at"] = planned + timedelta(minutes=50)
            game = self._played(2, 2, match, late_min=2)
            if not self.moved:
                slot["scheduled_at"] = planned
                game.truth = Truth("unscheduled", 2, round_of(2, 2))
        # Somebody of division 1 plays for team 25 without being on its roster; an admin vouches for the match.
        self._played(2, 3, 1)
        vouched = self._played(2, 3, 2)
        for person in vouched.people:
            if person.account == account(25, 3):
                person.account, person.name, person.team = account(2, 0), "T02_Player0", 2
        self._override("d2r3m2", scheduled_match_id=slot_of(2, 3, 2))
        vouched.truth.overridden = True  # pyright: ignore[reportOptionalMemberAccess]
        for match in (3, 4, 5):
            self._played(2, 3, match)
        # The last match is postponed to a day outside the round.
        self.slots[slot_of(2, 3, 6)]["scheduled_at"] = local(date(2026, 11, 3), 19, 0)
        self._played(2, 3, 6)

    def _public_play(self) -> None:
        """Team 2 plays against strangers: ranked, which leaves a trace, and normal, which does not."""
        for match_id, kind, truth in (
            ("ranked", "competitive", Truth("not_tournament", 1, is_tournament=False)),
            ("normal", "official", None),
        ):
            game = self._game(match_id, local(date(2026, 10, 20), 18, 0), 0, 1, truth, teams=[2], match_type=kind)
            game.people += [self._person(account(100 + n, 0), f"Public{n}", None, 2 + n // 4, 2) for n in range(40)]

    def _override(self, match_id: str, **values: Any) -> None:
        self.overrides.append({"match_id": match_id, "reason": f"about {match_id}", "admin": "kim", **values})

    # ----------------------------------------------------------------- frames

    def frames(self) -> dict[type[Table], pl.DataFrame]:
        """What the pipeline would have: matches, summaries and weapons, and snapshots of what people entered."""
        return {
            t.MatchFacts: rows(t.MatchFacts, *map(self._match, self.games)),
            t.MatchSummaries: rows(t.MatchSummaries, *(self._summary(g, p) for g in self.games for p in g.people)),
            t.PlayerMatchWeaponDistribution: rows(
                t.PlayerMatchWeaponDistribution,
                *(
                    {**_of(game), "account_id": person.account, "player_name": person.name}
                    | {"weapon_category": category, "total_damage": damage, "total_kills": kills}
                    for game in self.games
                    for person in game.people
                    for category, (damage, kills) in person.weapons.items()
                ),
            ),
            **self.entered(),
        }

    def _match(self, game: Game) -> dict[str, Any]:
        return {
            **_of(game),
            "started_at": game.start,
            "start_source": "telemetry",
            "ended_at": game.end,
            "map_id": MAPS[game.map][0],
            "map_name": MAPS[game.map][1],
            "match_type": game.match_type,
            "players": len(game.people),
            "bots": game.bots,
            "shard_id": "steam",
            "telemetry_status": "processed",
        }

    def _summary(self, game: Game, person: Person) -> dict[str, Any]:
        return {
            **_of(game),
            "account_id": person.account,
            "player_name": person.name,
            "team_id": person.side,
            "placement": person.placement,
            "kills": person.kills,
            "assists": person.assists,
            "damage_dealt": person.damage,
            "killsteals": person.killsteals,
        }

    def entered(self) -> dict[type[Table], pl.DataFrame]:
        """What people entered."""
        season = {
            "season_id": 1,
            "season": SEASON,
            "name": "Fall 2026",
            "shard": "steam",
            "time_zone": ZONE.key,
            "placement_points": PLACEMENT_POINTS,
            "kill_points": 1,
            "player_points_with_placement": self.placement_for_players,
            "tie_breakers": ["wins", "kills", "latest_placement"],
            "minimum_teams": 8,
            "slot_window_min": 30,
        }
        rounds = [
            {
                "round_id": round_of(division, number),
                "division_id": division,
                "round_number": number,
                "round_name": f"Round {number}",
                "first_day": self.DAYS[division][number - 1],
                "last_day": self.DAYS[division][number - 1],
                "status": "completed",
            }
            for division in (1, 2)
            for number in (1, 2, 3)
        ]
        teams = [{"team_id": n, "division_id": division_of(n), "team_name": f"Team {n:02}"} for n in range(1, 33)]
        return {
            t.Seasons: rows(t.Seasons, season),
            t.Divisions: rows(
                t.Divisions, *({"division_id": n, "season_id": 1, "division": f"Div {n}"} for n in (1, 2))
            ),
            t.Groups: rows(t.Groups),
            t.Teams: rows(t.Teams, *teams),
            t.RosterEntries: rows(t.RosterEntries, *self._rosters()),
            t.Rounds: rows(t.Rounds, *rounds),
            t.RoundStatusChanges: rows(t.RoundStatusChanges, *self.changes),
            t.ScheduledMatches: rows(t.ScheduledMatches, *self.slots.values()),
            t.MatchOverrides: rows(t.MatchOverrides, *self.overrides),
        }

    def _rosters(self) -> list[dict[str, Any]]:
        entries = [
            {"team_id": team, "account_id": account(team, n), "player_name": f"T{team:02}_Player{n}", "role": "player"}
            for team in range(1, 33)
            for n in range(4)
        ]
        # Nobody knows the account of one player yet, and the name was written in small letters.
        nameless = next(each for each in entries if each["account_id"] == account(7, 1))
        nameless |= {"account_id": None, "player_name": "t07_player1"}
        entries.append(
            {"team_id": 5, "account_id": account(5, 4), "player_name": "T05_Substitute", "role": "substitute"}
        )
        day = self.DAYS[1][0]
        entries.append(
            {"team_id": 1, "account_id": account(17, 0), "player_name": "T17_Player0", "role": "stand_in"}
            | {"valid_from": day, "valid_until": day}
        )
        return [
            {"roster_entry_id": n, "valid_from": date(2026, 9, 1), **entry} for n, entry in enumerate(entries, start=1)
        ]

    def decided(self, match_id: str) -> dict[str, Any]:
        """How tables tell the override of a match."""
        by_hand = next((each for each in self.overrides if each["match_id"] == match_id), None)
        return {
            "is_overridden": by_hand is not None,
            "override_reason": by_hand["reason"] if by_hand else None,
            "overridden_by": by_hand["admin"] if by_hand else None,
        }


def _of(game: Game) -> dict[str, Any]:
    return {"match_id": game.match_id, "match_date": game.start.date()}
