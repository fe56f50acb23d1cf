"""A season from what people enter and what lands to published tables, over a lake and PostgreSQL.

Expected values are those of the plan in `season`, which are worked out in plain Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString
from uuid import uuid4

import pytest

from gamestats_assets.lakehouse.entries.ops import entering
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import CHECKS
from gamestats_assets.pubg.players.tables import TRACKED_PLAYER
from gamestats_assets.pubg.source.files import ingest
from gamestats_assets_tests.pubg.house import House
from gamestats_assets_tests.pubg.tournament.landed import EVENINGS, LandedSeason
from gamestats_assets_tests.pubg.tournament.planned import Truth
from gamestats_assets_tests.pubg.tournament.season import (
    SEASON,
    account,
    local,
    round_in,
    round_named,
    round_of,
    slot_of,
)
from gamestats_assets_tests.serving.simulated import enter
from gamestats_assets_tests.support.postgres_fixture import database

BY_SEASON = (t.TournamentTeamStandings, t.TournamentTeamStandingsHistory, t.TournamentPlayerStandings)
# What is made of who played and what was entered, by match.
PLACED: tuple[type[Table], ...] = (
    t.TournamentLineups,
    t.MatchTournamentContext,
    t.TournamentTeamResults,
    t.TournamentMatches,
    t.MatchValidation,
    t.Matches,
)
SCOPES = [
    (division, scope) for division in (1, 2) for scope in ("overall", *(str(10 * division + n) for n in (1, 2, 3)))
]
# The first is moved away from its match, the others are moved to theirs.
MOVED_SLOTS = [slot_of(2, 1, 4), slot_of(2, 2, 5), slot_of(2, 2, 6)]
Tables = Mapping[type[Table], list[dict[str, Any]]]


class SeasonHouse(House):
    """A house of a season."""

    def land(self, files: Iterable[bytes]) -> None:
        """Land files from a folder."""
        folder = self.folder / "incoming" / uuid4().hex
        folder.mkdir(parents=True)
        for number, content in enumerate(files):
            (folder / f"{number}.json").write_bytes(content)
        assert ingest([folder], self.stores.landing).quarantined == 0

    def follow(self) -> set[str]:
        """Make what follows from what was entered and landed; the tables of which something was made."""
        return {table for table, _ in self.game.run(self.stores)}

    def change(self, *statements: tuple[LiteralString, list[Any]]) -> tuple[set[str], dict[str, set[str]]]:
        """Change what was entered; the tables made of it, and the matches that get other rows, by table."""
        before = {table: self._rows_by_match(table) for table in PLACED}
        with entering(self.stores.postgres_url, "kim") as conn:
            for statement, values in statements:
                conn.execute(statement, values)
        made = self.follow()
        now = {table: self._rows_by_match(table) for table in PLACED}
        return made, {
            table.spec.name: {
                match for match in {*now[table], *before[table]} if now[table].get(match) != before[table].get(match)
            }
            for table in PLACED
        }

    def _rows_by_match(self, table: type[Table]) -> dict[str, str]:
        partitions = self.stores.lake.ledger(table).partitions.values()
        return {match: rows for found in partitions for match, rows in found.rows_of.items()}

    def tables(self) -> Tables:
        """What was made of the season."""
        return {table: self.rows(table).to_dicts() for table in (*PLACED[2:], *BY_SEASON)}


@dataclass(frozen=True)
class State:
    """A plan and what was made of it."""

    plan: LandedSeason
    tables: Tables


@dataclass(frozen=True)
class Changed:
    """The season after what people changed afterwards."""

    state: State
    made_of_schedule: set[str]
    by_schedule: dict[str, set[str]]
    by_roster_and_override: dict[str, set[str]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str) -> Iterator[SeasonHouse]:
    with database(postgres_url, ops_template) as url:
        yield SeasonHouse(tmp_path_factory.mktemp("season"), url)


@pytest.fixture(scope="module")
def entered(house: SeasonHouse) -> State:
    """Everything entered, landed and made."""
    plan = LandedSeason(moved=False)
    enter(house.url, plan.entered())
    house.land(plan.files().values())
    house.follow()
    return State(plan, house.tables())


@pytest.fixture(scope="module")
def changed(house: SeasonHouse, entered: State) -> Changed:
    """Moved slots, then a roster entry taken back and a match struck out."""
    plan = LandedSeason(moved=True)
    plan.slots[slot_of(2, 1, 4)]["scheduled_at"] += timedelta(minutes=50)
    plan.game("d2r1m4").truth = Truth("unscheduled", 2, round_of(2, 1))
    for person in plan.game("d1r2m3").people:
        if person.account == account(5, 4):
            person.team = None
    plan.game("second-in-slot").truth = Truth("not_tournament", 1, is_tournament=False, overridden=True)

    move = "UPDATE ops.scheduled_matches SET scheduled_at = %s WHERE scheduled_match_id = %s"
    moves: list[tuple[LiteralString, list[Any]]]
    moves = [(move, [plan.slots[slot]["scheduled_at"], slot]) for slot in MOVED_SLOTS]
    made, by_schedule = house.change(*moves)
    _, by_roster_and_override = house.change(
        ("DELETE FROM ops.roster_entries WHERE player_name = %s", ["T05_Substitute"]),
        (
            "INSERT INTO ops.match_overrides (match_id, is_tournament_match, reason, admin) VALUES (%s, false, %s, %s)",
            ["second-in-slot", "played for a bet", "kim"],
        ),
    )
    return Changed(State(plan, house.tables()), made, by_schedule, by_roster_and_override)


@pytest.fixture(params=["entered", "changed"])
def state(request: pytest.FixtureRequest) -> State:
    found = request.getfixturevalue(request.param)
    return found.state if isinstance(found, Changed) else found


# --------------------------------------------------------------------------- what is published


def test_every_match_has_its_status_round_and_slot(state: State) -> None:
    found = {row["match_id"]: row for row in state.tables[t.Matches]}
    assert found.keys() == {game.match_id for game in state.plan.games}
    for game in state.plan.games:
        row, truth = found[game.match_id], game.truth
        assert (row["started_at"], row["ended_at"], row["players"], row["bots"]) == (
            game.start,
            game.end,
            len(game.people),
            game.bots,
        )
        if truth is not None:
            expected = {
                "is_tournament_match": truth.is_tournament,
                "validation_status": truth.status,
                "season": SEASON,
                "division": f"Div {truth.division}" if truth.division else None,
                "round_id": truth.round,
                "scheduled_match_id": truth.slot,
                "match_number": truth.slot % 10 if truth.slot else None,
                "team_count": len({person.team for person in game.people if person.team is not None}),
                "unmatched_player_count": sum(person.team is None for person in game.people),
                "is_overridden": truth.overridden,
            }
            assert {name: row[name] for name in expected} == expected, game.match_id


def test_team_standings_are_those_of_the_plan(state: State) -> None:
    found = {(row["division_id"], row["scope"], row["team_id"]): row for row in state.tables[t.TournamentTeamStandings]}
    assert {key[:2] for key in found} == set(SCOPES)
    for division, scope in SCOPES:
        planned = state.plan.table(division, scope)
        assert len(planned) == 16
        earlier = before(state.plan, division, scope)
        for team, line in planned.items():
            expected = line | {
                "average_placement": pytest.approx(line["average_placement"]),
                "season": SEASON,
                "round_id": round_in(scope),
                **round_named(round_in(scope)),
                "rank_change": earlier[team]["rank"] - line["rank"] if team in earlier else None,
            }
            row = found[division, scope, team]
            assert {name: row[name] for name in expected} == expected, (scope, team)


def before(plan: LandedSeason, division: int, scope: str) -> Mapping[int, Mapping[str, Any]]:
    """The table of the round before; overall that before the latest evening."""
    if scope == "overall":
        # Division 2 has played its last match on the day after the last evening.
        day = EVENINGS[2] if division == 1 else EVENINGS[2] + timedelta(days=1)
        return plan.table(division, scope, until=local(day, 5, 0))
    return {} if scope.endswith("1") else plan.table(division, str(int(scope) - 1))


def test_every_check_of_a_sound_season_is_evaluated_and_passes(house: SeasonHouse, entered: State) -> None:
    assert house.game.quarantined(house.stores) == {}
    checked = house.game.checked
    assert [name for name, passed in checked.items() if not passed] == []
    of_players = {check.name for check in CHECKS if check.table.spec.partitioned_by == TRACKED_PLAYER}
    assert {check.name for check in CHECKS} - of_players <= checked.keys()


# --------------------------------------------------------------------------- changes


def test_what_is_entered_is_taken_and_then_what_it_can_change_is_made(changed: Changed) -> None:
    entered, *_ = t.SNAPSHOTS  # the step of all that is entered is named by the first
    assert changed.made_of_schedule == {table.spec.name for table in (entered, *PLACED, *BY_SEASON)}


def test_changes_replace_the_matches_that_they_concern_and_no_others(changed: Changed) -> None:
    three = {"d2r1m4", "d2r2m5", "d2r2m6"}
    assert changed.by_schedule == {table.spec.name: three for table in PLACED} | {"tournament_lineups": set()}
    both = {"d1r2m3", "second-in-slot"}
    assert changed.by_roster_and_override == {table.spec.name: both for table in PLACED} | {
        "tournament_lineups": {"d1r2m3"},
        # Who played for a team says nothing of its match.
        "tournament_matches": {"second-in-slot"},
    }
