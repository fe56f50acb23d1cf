"""A season from what people enter and what lands to published tables: through Dagster, a lake and PostgreSQL.

Expected values are those of the plan in `season`, which are worked out in plain Python. What PostgreSQL numbers by
itself is compared by what it stands for.
"""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from gamestats_assets.lakehouse.entries.ops import entering
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.runs.sensor import KIND_TAG, SENSOR
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import CHECKS
from gamestats_assets.pubg.players.tables import TRACKED_PLAYER
from gamestats_assets.pubg.source.files import ingest, mark_expired
from gamestats_assets.pubg.tournament.entered import DIVISION, OVERRIDE, ROSTER_ENTRY, ROUND
from gamestats_assets.pubg.tournament.entered import SEASON as OF_TOURNAMENT
from gamestats_assets.pubg.tournament.entered.files import ROSTER_FILE, SCHEDULE_FILE
from gamestats_assets_tests.pubg.tournament.season import (
    EVENINGS,
    MAPS,
    PAGE,
    SEASON,
    ZONE,
    Game,
    LandedSeason,
    Truth,
    account,
    division_of,
    local,
    round_in,
    round_named,
    round_of,
    slot_of,
)
from gamestats_assets_tests.support.instances import copy_of
from gamestats_assets_tests.support.operations import BySensors, names
from gamestats_assets_tests.support.postgres_fixture import database

PUBLISHED: tuple[type[Table], ...] = (
    t.Matches,
    t.TournamentMatches,
    t.TournamentTeamResults,
    t.MatchValidation,
    t.TournamentTeamStandings,
    t.TournamentTeamStandingsHistory,
    t.TournamentPlayerStandings,
)
BY_SEASON = PUBLISHED[-3:]
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
ADMIN = "kim"
BET = "played for a bet"
# Everything here hangs on one season that is made once.
pytestmark = pytest.mark.xdist_group("test_season.py")

Rows = list[dict[str, Any]]
Tables = dict[type[Table], Rows]


def place_of(slot: int) -> dict[str, Any]:
    """Where a slot of the plan stands: 123 is match 3 of round 2 of division 1."""
    return {"season": SEASON, "division": f"Div {slot // 100}", "round": slot // 10 % 10, "match": slot % 10}


# --------------------------------------------------------------------------- what people enter


def written(moment: datetime) -> str:
    """A time as it stands in a schedule, by the clocks of the season."""
    return moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")


def as_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def roster_rows(plan: LandedSeason) -> Rows:
    return [
        {
            "division": f"Div {1 if each['team_id'] <= 16 else 2}",
            "team": f"Team {each['team_id']:02}",
            "player": each["player_name"],
            "account_id": each["account_id"],
            "role": each["role"],
            "valid_from": each["valid_from"],
            "valid_until": each.get("valid_until"),
        }
        for each in plan.rosters()
    ]


def schedule_rows(plan: LandedSeason, slots: Iterable[int]) -> Rows:
    return [
        {
            **{name: place_of(number)[name] for name in ("division", "round", "match")},
            "scheduled_at": written(plan.slots[number]["scheduled_at"]),
            "map": plan.slots[number]["map_name"],
            "status": plan.slots[number]["status"],
            "original_match_id": plan.slots[number].get("original_match_id"),
            "remake_reason": plan.slots[number].get("remake_reason"),
        }
        for number in slots
    ]


def enter(conn: psycopg.Connection, plan: LandedSeason, folder: Path) -> None:
    """Everything that admins enter before, during and after the season."""
    OF_TOURNAMENT.add(conn, SEASON, name="Fall 2026", time_zone=ZONE.key, slot_window_min=30)
    for division in (1, 2):
        DIVISION.add(conn, SEASON, f"Div {division}")
    ROSTER_FILE.take(conn, season=SEASON, file=as_csv(folder / "rosters.csv", roster_rows(plan)))
    postponed = slot_of(2, 3, 6)
    for division in (1, 2):
        for number, day in enumerate(EVENINGS, 1):
            # Division 1 plays past midnight, which is still its evening.
            ROUND.add(conn, SEASON, f"Div {division}", number, first_day=day)
            for status in ("active", "completed"):
                ROUND.change(conn, SEASON, f"Div {division}", number, status=status)
    for change in plan.changes:
        number, division = change["round_id"] % 10, f"Div {change['round_id'] // 10}"
        row = ROUND.find(conn, SEASON, division, number)
        # All of it is entered at once here; the season had it at these times.
        conn.execute(
            "UPDATE ops.round_status_changes SET changed_at = %s WHERE round_id = %s AND status = %s",
            [change["changed_at"], row["round_id"], change["status"]],
        )
    slots = [number for number in plan.slots if number != postponed]
    SCHEDULE_FILE.take(conn, season=SEASON, file=as_csv(folder / "schedule.csv", schedule_rows(plan, slots)))
    # The round is still on its own day when the postponed match is played.
    ROUND.change(conn, SEASON, "Div 2", 3, last_day=EVENINGS[2] + timedelta(days=1))
    SCHEDULE_FILE.take(conn, season=SEASON, file=as_csv(folder / "postponed.csv", schedule_rows(plan, [postponed])))
    ROUND.change(conn, SEASON, "Div 2", 3, last_day=EVENINGS[2])
    for override in plan.overrides:
        fields: dict[str, Any] = {}
        if "is_tournament_match" in override:
            fields["is_tournament_match"] = override["is_tournament_match"]
        if "scheduled_match_id" in override:
            fields |= place_of(override["scheduled_match_id"])
        OVERRIDE.add(conn, override["match_id"], reason=override["reason"], admin=override["admin"], **fields)


# --------------------------------------------------------------------------- a lake, PostgreSQL and Dagster


class House(BySensors):
    """A lake, a database and a Dagster instance.

    Attributes:
        checked: names of all checks that were evaluated, each with whether it always passed.
    """

    game = "pubg"

    def __init__(self, folder: Path, url: str, instance: dg.DagsterInstance) -> None:
        super().__init__(folder, url, instance)
        self.folder, self.url = folder, url
        self.checked: dict[str, bool] = {}

    def enter(self, write: Callable[[psycopg.Connection], object]) -> None:
        """Enter something in one transaction, as the command line does."""
        with entering(self.stores.postgres_url, ADMIN) as conn:
            write(conn)

    def land(self, files: Iterable[bytes]) -> None:
        """Land files from a folder."""
        folder = self.folder / "incoming" / uuid4().hex
        folder.mkdir(parents=True)
        for number, content in enumerate(files):
            (folder / f"{number}.json").write_bytes(content)
        assert ingest([folder], self.stores.landing).quarantined == 0

    def tries(self, request: dg.RunRequest, job_name: str | None = None) -> dg.ExecuteInProcessResult:
        """A run as it was requested; what its checks say is kept."""
        result = super().tries(request, job_name)
        for each in result.get_asset_check_evaluations():
            self.checked[each.check_name] = each.passed and self.checked.get(each.check_name, True)
        return result

    def follow(self) -> list[dg.RunRequest]:
        """Let the sensor do everything that follows from what was entered and landed; what it asked for."""
        asked: list[dg.RunRequest] = []
        self.an_hour_passes()
        while requests := self.tick(SENSOR):
            for each in requests:
                self.run(each)
            asked += requests
            self.an_hour_passes()
        return asked

    def rows(self) -> dict[type[Table], dict[str, str]]:
        """Of every table that a changed entry can change, a fingerprint of each match's rows."""
        ledgers = {table: self.stores.lake.ledger(table).partitions.values() for table in PLACED}
        return {
            table: {match: rows for found in partitions for match, rows in found.rows_of.items()}
            for table, partitions in ledgers.items()
        }

    def replaced(self, since: Mapping[type[Table], Mapping[str, str]]) -> dict[str, set[str]]:
        """Matches whose rows are others by now, by table."""
        return {
            table.spec.name: {match for match in {*now, *since[table]} if now.get(match) != since[table].get(match)}
            for table, now in self.rows().items()
        }

    def published(self) -> Tables:
        """The published tables, with the numbers that PostgreSQL gave."""
        with psycopg.connect(self.url) as conn, conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute("SET timezone = 'UTC'")
            return {
                table: cursor.execute(
                    sql.SQL("SELECT * FROM {}").format(sql.Identifier(table.spec.game, table.spec.name))
                ).fetchall()
                for table in PUBLISHED
            }

    def planned(self) -> Tables:
        """The published tables, with the numbers of the plan."""
        with psycopg.connect(self.url) as conn:
            teams = {
                number: int(name[-2:]) for number, name in conn.execute("SELECT team_id, team_name FROM ops.teams")
            }
            divisions = {
                number: int(name[-1])
                for number, name in conn.execute("SELECT division_id, division FROM ops.divisions")
            }
            rounds = {
                number: round_of(divisions[division], of_division)
                for number, division, of_division in conn.execute(
                    "SELECT round_id, division_id, round_number FROM ops.rounds"
                )
            }
            slots = {
                number: slot_of(rounds[round_] // 10, rounds[round_] % 10, match)
                for number, round_, match in conn.execute(
                    "SELECT scheduled_match_id, round_id, match_number FROM ops.scheduled_matches"
                )
            }
            changes = {
                f"status:{number}": f"{rounds[round_]} {status}"
                for number, round_, status in conn.execute(
                    "SELECT round_status_change_id, round_id, status FROM ops.round_status_changes"
                )
            }
        meant: dict[str, Mapping[Any, Any]] = {
            "team_id": teams,
            "winner_team_id": teams,
            "division_id": divisions,
            "round_id": rounds,
            "scheduled_match_id": slots,
            "scope": {"overall": "overall"} | {str(number): str(round_) for number, round_ in rounds.items()},
            "snapshot": changes,
        }

        def of_plan(name: str, value: Any) -> Any:
            is_numbered = name in meant and value is not None and not str(value).startswith("match:")
            return meant[name][value] if is_numbered else value

        return {
            table: [{name: of_plan(name, value) for name, value in row.items()} for row in rows]
            for table, rows in self.published().items()
        }


# --------------------------------------------------------------------------- the season as entered, and as changed


@dataclass(frozen=True)
class State:
    """A plan and what was published of it."""

    plan: LandedSeason
    tables: Tables

    def rows(self, table: type[Table], **only: Any) -> Rows:
        """Published rows with these values."""
        return [row for row in self.tables[table] if all(row[name] == value for name, value in only.items())]

    def row(self, table: type[Table], **only: Any) -> dict[str, Any]:
        """The one published row with these values."""
        [row] = self.rows(table, **only)
        return row


@dataclass(frozen=True)
class Entered:
    """The season as it was entered first; what it is changed to goes to `house`, and `copy` stays behind."""

    house: House
    copy: House
    state: State
    without_telemetry: dict[str, Any]


@dataclass(frozen=True)
class Changed:
    """The season after what people changed afterwards."""

    state: State
    asked: list[dg.RunRequest]
    by_schedule: dict[str, set[str]]
    by_roster_and_override: dict[str, set[str]]


@pytest.fixture(scope="module")
def entered(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Entered]:
    """Everything entered and landed, one match and a telemetry later than the rest, made and published."""
    plan = LandedSeason(moved=False)
    with database(postgres_url) as url, dg.DagsterInstance.ephemeral() as instance:
        house = House(tmp_path_factory.mktemp("season"), url, instance)
        house.enter(lambda conn: enter(conn, plan, house.folder))
        mark_expired(house.stores.landing, plan.expired, plan.game(plan.expired).start.date())
        files = dict(plan.files())
        match_object, telemetry = files.pop(plan.told)
        later = files.pop("d1r2m5")
        house.land([match_object, *(content for of_match in files.values() for content in of_match)])
        house.follow()
        without_telemetry = State(plan, house.planned()).row(t.Matches, match_id=plan.told)
        house.land([telemetry, *later])
        house.follow()
        copied = tmp_path_factory.mktemp("copy")
        shutil.copytree(house.folder, copied, dirs_exist_ok=True)
        with database(postgres_url, url) as copied_url, copy_of(house.instance) as copied_instance:
            copy = House(copied, copied_url, copied_instance)
            yield Entered(house, copy, State(plan, house.planned()), without_telemetry)


@pytest.fixture(scope="module")
def changed(entered: Entered) -> Changed:
    """Moved slots, then a roster entry taken back and a match struck out; each followed by the sensor alone."""
    house, plan = entered.house, as_changed()
    since = house.rows()
    house.enter(
        lambda conn: SCHEDULE_FILE.take(
            conn, season=SEASON, file=as_csv(house.folder / "moved.csv", schedule_rows(plan, MOVED_SLOTS))
        )
    )
    asked = house.follow()
    by_schedule = house.replaced(since)
    since = house.rows()
    house.enter(change_roster_and_override)
    house.follow()
    return Changed(State(plan, house.planned()), asked, by_schedule, house.replaced(since))


def change_roster_and_override(conn: psycopg.Connection) -> None:
    ROSTER_ENTRY.remove(conn, SEASON, "Team 05", "T05_Substitute")
    OVERRIDE.add(conn, "second-in-slot", reason=BET, admin=ADMIN, is_tournament_match=False)


def as_changed() -> LandedSeason:
    """The plan with everything that is changed after it was entered."""
    plan = LandedSeason(moved=True)
    plan.slots[slot_of(2, 1, 4)]["scheduled_at"] += timedelta(minutes=50)
    plan.game("d2r1m4").truth = Truth("unscheduled", 2, round_of(2, 1))
    for person in plan.game("d1r2m3").people:
        if person.account == account(5, 4):
            person.team = None
    plan.game("second-in-slot").truth = Truth("not_tournament", 1, is_tournament=False, overridden=True)
    return plan


@pytest.fixture(params=["entered", "changed"])
def state(request: pytest.FixtureRequest) -> State:
    return request.getfixturevalue(request.param).state


def with_truth(plan: LandedSeason) -> dict[str, tuple[Game, Truth]]:
    """Matches that somebody of a roster played, with what they count for."""
    return {game.match_id: (game, game.truth) for game in plan.games if game.truth}


def decided(plan: LandedSeason, match_id: str, truth: Truth) -> dict[str, Any]:
    """How the override of a match is told; one was entered after the plan was made."""
    if match_id == "second-in-slot" and truth.overridden:
        return {"is_overridden": True, "override_reason": BET, "overridden_by": ADMIN}
    assert plan.decided(match_id)["is_overridden"] == truth.overridden
    return plan.decided(match_id)


# --------------------------------------------------------------------------- matches


def test_every_match_has_its_status_round_and_slot(state: State) -> None:
    found = {row["match_id"]: row for row in state.tables[t.Matches]}
    assert found.keys() == {game.match_id for game in state.plan.games}
    for match_id, (game, truth) in with_truth(state.plan).items():
        row = found[match_id]
        teams = {person.team for person in game.people if person.team is not None}
        expected = {
            "is_tournament_match": truth.is_tournament,
            "validation_status": truth.status,
            "season": SEASON,
            "division": f"Div {truth.division}" if truth.division else None,
            "group_name": None,
            "round_id": truth.round,
            "scheduled_match_id": truth.slot,
            "match_number": truth.slot % 10 if truth.slot else None,
            "team_count": len(teams),
            "unmatched_player_count": sum(person.team is None for person in game.people),
            **decided(state.plan, match_id, truth),
            "started_at": game.start,
            "ended_at": game.end,
            "map_name": MAPS[game.map][1],
            "players": len(game.people),
            "bots": game.bots,
            "match_type": game.match_type,
        }
        assert {name: row[name] for name in expected} == expected, match_id


def test_public_play_leaves_no_trace_of_the_tournament(state: State) -> None:
    row = state.row(t.Matches, match_id="normal")
    counts_for = ("validation_status", "season", "division", "round_id", "scheduled_match_id", "team_count")
    assert [row[name] for name in counts_for] == [None] * len(counts_for)
    assert (row["is_tournament_match"], row["is_overridden"]) == (False, False)
    assert (row["override_reason"], row["overridden_by"]) == (None, None)


def test_tournament_matches_are_placed_and_name_their_winner(state: State) -> None:
    found = {row["match_id"]: row for row in state.tables[t.TournamentMatches]}
    planned = {key: value for key, value in with_truth(state.plan).items() if value[1].is_tournament}
    assert found.keys() == planned.keys()
    results = state.plan.results()
    for match_id, (game, truth) in planned.items():
        winners = [team for (match, team), each in results.items() if match == match_id and each["placement"] == 1]
        [winner] = winners or [None]
        expected = {
            "season": SEASON,
            "division_id": truth.division,
            "division": f"Div {truth.division}",
            "round_id": truth.round,
            **round_named(truth.round),
            "scheduled_match_id": truth.slot,
            "match_number": truth.slot % 10 if truth.slot else None,
            "validation_status": truth.status,
            **decided(state.plan, match_id, truth),
            "counts": truth.counts,
            "started_at": game.start,
            "ended_at": game.end,
            "winner_team_id": winner,
            "winner_team_name": f"Team {winner:02}" if winner else None,
        }
        row = found[match_id]
        assert {name: row[name] for name in expected} == expected, match_id


def test_what_is_played_after_midnight_counts_for_the_evening_before(state: State) -> None:
    for match_id, day, hour in (("d1r1m4", 24, 0), ("d1r1m6", 24, 1), (state.plan.told, 25, 0), ("d1r2m6", 25, 2)):
        row = state.row(t.TournamentMatches, match_id=match_id)
        at = row["started_at"].astimezone(ZONE)
        assert (at.day, at.hour) == (day, hour)
        assert EVENINGS[row["round_id"] % 10 - 1].day == day - 1
        assert row["counts"]


def test_a_match_is_placed_by_the_start_that_its_telemetry_tells(state: State) -> None:
    told = state.plan.game(state.plan.told)
    row = state.row(t.Matches, match_id=state.plan.told)
    assert (row["start_source"], row["telemetry_status"], row["started_at"]) == ("telemetry", "processed", told.start)
    assert row["scheduled_match_id"] == slot_of(1, 2, 4)
    others = {each["start_source"] for each in state.tables[t.Matches] if each["match_id"] != state.plan.told}
    assert others == {"api"}


# --------------------------------------------------------------------------- results and standings


def test_every_team_has_its_result(state: State) -> None:
    found = {(row["match_id"], row["team_id"]): row for row in state.tables[t.TournamentTeamResults]}
    planned = state.plan.results()
    assert found.keys() == planned.keys()
    truths = with_truth(state.plan)
    for (match_id, team), result in planned.items():
        game, truth = truths[match_id]
        expected = {
            **result,
            "season": SEASON,
            "division_id": truth.division,
            "round_id": truth.round,
            **round_named(truth.round),
            "counts": truth.counts,
            "kill_points": result["kills"],
            "team_name": f"Team {team:02}",
            "started_at": game.start,
        }
        row = found[match_id, team]
        assert {name: row[name] for name in expected} == expected, (match_id, team)
        damage = sum(person.damage or 0 for person in game.people if person.team == team)
        assert row["damage_dealt"] == pytest.approx(damage, abs=1e-4)


def test_team_standings_are_those_of_the_plan(state: State) -> None:
    assert {(row["division_id"], row["scope"]) for row in state.tables[t.TournamentTeamStandings]} == set(SCOPES)
    for division, scope in SCOPES:
        rows = state.rows(t.TournamentTeamStandings, division_id=division, scope=scope)
        found = {row["team_id"]: row for row in rows}
        planned = state.plan.table(division, scope)
        assert found.keys() == planned.keys() == {team for team in range(1, 33) if division_of(team) == division}
        for team, line in planned.items():
            row = found[team]
            expected = line | {
                "average_placement": pytest.approx(line["average_placement"]),
                "season": SEASON,
                "division": f"Div {division}",
                "round_id": round_in(scope),
                **round_named(round_in(scope)),
                "team_name": f"Team {team:02}",
                "rank_change": earlier_rank(state.plan, division, scope, team, line["rank"]),
            }
            assert {name: row[name] for name in expected} == expected, (scope, team)


def earlier_rank(plan: LandedSeason, division: int, scope: str, team: int, rank: int) -> int | None:
    """Ranks gained since the closing table of the round before; overall since before the latest evening."""
    if scope == "overall":
        # Division 2 has played its last match on the day after the last evening.
        day = EVENINGS[2] if division == 1 else EVENINGS[2] + timedelta(days=1)
        before = plan.table(division, scope, until=local(day, 5, 0))
    elif scope.endswith("1"):
        return None
    else:
        previous = int(scope) - 1
        closed = next(
            each["changed_at"] for each in plan.changes if (each["round_id"], each["status"]) == (previous, "completed")
        )
        before = plan.table(division, str(previous), until=closed)
    return before[team]["rank"] - rank if team in before else None


def test_ranks_change_at_all(state: State) -> None:
    changes = {row["rank_change"] for row in state.tables[t.TournamentTeamStandings]}
    assert {None, 0} < changes
    assert min(each for each in changes if each is not None) < 0


def test_history_has_one_table_per_match_that_counts_and_per_change_of_its_round(state: State) -> None:
    for division, scope in SCOPES:
        counting = state.plan.counting(division, scope)
        planned = {f"match:{game.match_id}": game.end for game in counting}
        for change in state.plan.changes:
            at, number = change["changed_at"], change["round_id"]
            is_in = number // 10 == division and scope in (str(number), "overall")
            if is_in and any(game.end <= at for game in counting):
                planned[f"{number} {change['status']}"] = at
        lines: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        taken: dict[str, set[datetime]] = defaultdict(set)
        for row in state.rows(t.TournamentTeamStandingsHistory, division_id=division, scope=scope):
            assert row["team_id"] not in lines[row["snapshot"]]
            lines[row["snapshot"]][row["team_id"]] = row
            taken[row["snapshot"]].add(row["taken_at"])
        assert taken == {name: {at} for name, at in planned.items()}, scope
        for snapshot, at in planned.items():
            then = state.plan.table(division, scope, until=at)
            assert lines[snapshot].keys() == then.keys(), snapshot
            for team, line in then.items():
                expected = line | round_named(round_in(scope))
                expected["average_placement"] = pytest.approx(line["average_placement"])
                assert {name: lines[snapshot][team][name] for name in expected} == expected, (snapshot, team)


def test_player_standings_are_those_of_the_plan(state: State) -> None:
    assert {(row["division_id"], row["scope"]) for row in state.tables[t.TournamentPlayerStandings]} == set(SCOPES)
    for division, scope in SCOPES:
        rows = state.rows(t.TournamentPlayerStandings, division_id=division, scope=scope)
        found = {row["account_id"]: row for row in rows}
        planned = state.plan.player_table(division, scope)
        assert found.keys() == planned.keys()
        for who, line in planned.items():
            row = found[who]
            assert row["weapon_categories"] == PAGE
            expected = line | {
                "damage_dealt": pytest.approx(line["damage_dealt"], abs=1e-4),
                "weapon_damage": pytest.approx(line["weapon_damage"], abs=1e-4),
                "average_damage": pytest.approx(line["damage_dealt"] / line["matches_played"], abs=1e-4),
                "team_name": f"Team {line['team_id']:02}",
                **round_named(round_in(scope)),
            }
            assert {name: row[name] for name in expected} == expected, (scope, who)


def test_kills_and_killsteals_by_weapon_come_from_the_one_telemetry(state: State) -> None:
    rows = state.rows(t.TournamentPlayerStandings, scope="overall")
    people = state.plan.game(state.plan.told).people
    assert sum(row["killsteals"] for row in rows) == sum(person.killsteals or 0 for person in people) > 0
    assert sum(sum(row["weapon_kills"]) for row in rows) == sum(person.kills or 0 for person in people) > 40


def test_who_was_missing_or_left_early_has_the_matches_and_the_placements_of_the_team(state: State) -> None:
    def matches(who: str, scope: str) -> int:
        return state.row(t.TournamentPlayerStandings, account_id=who, scope=scope)["matches_played"]

    stayed, went = account(6, 0), account(6, 1)
    assert (matches(stayed, "11"), matches(went, "11")) == (6, 5)
    assert matches(stayed, "13") == matches(went, "13")
    match_id, _ = state.plan.left_early
    row = state.row(t.TournamentTeamResults, match_id=match_id, team_id=6)
    [placement] = {person.placement for person in state.plan.game(match_id).people if person.team == 6}
    assert (row["players"], row["placement"]) == (4, placement)


def test_a_stand_in_scores_for_the_team_stood_in_for_and_then_for_the_own(state: State) -> None:
    rows = state.rows(t.TournamentPlayerStandings, account_id=account(17, 0))
    assert {(row["division_id"], row["scope"]): row["team_name"] for row in rows} == {
        (1, "11"): "Team 01",
        (1, "overall"): "Team 01",
        (2, "22"): "Team 17",
        (2, "23"): "Team 17",
        (2, "overall"): "Team 17",
    }


# --------------------------------------------------------------------------- what needs a person


def test_what_needs_a_person_is_told(state: State) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for row in state.tables[t.MatchValidation]:
        found[row["match_id"]].add(row["concern"])
    assert found == concerns(state.plan)


def concerns(plan: LandedSeason) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    results = plan.results()
    of_status = {"unscheduled": "no_slot", "remake_candidate": "few_teams", "mixed_division": "mixed_division"}
    for match_id, (game, truth) in with_truth(plan).items():
        if truth.status in of_status and not truth.overridden:
            found[match_id].add(of_status[truth.status])
        if not truth.counts:
            continue
        if any(person.team is None for person in game.people):
            found[match_id].add("unmatched_players")
        if not any(match == match_id and each["placement"] == 1 for (match, _), each in results.items()):
            found[match_id].add("no_winner")
        if match_id == plan.expired:
            found[match_id].add("no_telemetry")
    return found


def test_concerns_name_whom_they_are_about(entered: Entered) -> None:
    def told(match_id: str, concern: str) -> str:
        return entered.state.row(t.MatchValidation, match_id=match_id, concern=concern)["explanation"]

    assert "found 1 on none: Guest." in told("d1r2m5", "unmatched_players")
    assert "Stranger0, Stranger1, Stranger2, Stranger3" in told("d1r2m6", "unmatched_players")
    assert told("warm-up", "few_teams").startswith("7 teams of Div 1 played, at least 8 were expected")
    assert "Div 1: 32, Div 2: 32" in told("friendly", "mixed_division")


# --------------------------------------------------------------------------- checks


def test_every_check_of_a_sound_season_is_evaluated_and_passes(changed: Changed, entered: Entered) -> None:
    checked = entered.house.checked
    assert [name for name, passed in checked.items() if not passed] == []
    of_players = {check.name for check in CHECKS if check.table.spec.partitioned_by == TRACKED_PLAYER}
    assert {check.name for check in CHECKS} - of_players <= checked.keys()


# --------------------------------------------------------------------------- changes


def test_what_is_entered_is_taken_and_then_what_it_can_change_is_made(entered: Entered, changed: Changed) -> None:
    assert [request.tags[KIND_TAG] for request in changed.asked] == ["day", "season"], "snapshots need no run"
    days, season = map(names, changed.asked)
    assert not {table.spec.dotted for table in t.SNAPSHOTS} & days
    assert {table.spec.dotted for table in PLACED} - {"pubg.tournament_lineups"} <= days
    assert not {"pubg.raw_matches", "pubg.match_summaries"} & days
    assert {table.spec.dotted for table in BY_SEASON} <= season


def test_moved_slots_replace_the_matches_that_they_concern_and_no_others(changed: Changed) -> None:
    three = {"d2r1m4", "d2r2m5", "d2r2m6"}
    assert changed.by_schedule == {table.spec.name: three for table in PLACED} | {"tournament_lineups": set()}


def test_a_changed_roster_and_a_new_override_replace_their_matches_and_no_others(changed: Changed) -> None:
    both = {"d1r2m3", "second-in-slot"}
    assert changed.by_roster_and_override == {table.spec.name: both for table in PLACED} | {
        "tournament_lineups": {"d1r2m3"},
        # Who played for a team says nothing of its match.
        "tournament_matches": {"second-in-slot"},
    }


def test_changes_reach_the_published_tables(entered: Entered, changed: Changed) -> None:
    """Nothing but the sensor has published since; what it must be, the other tests tell."""

    def place(state: State, match_id: str) -> tuple[str, int | None]:
        row = state.row(t.Matches, match_id=match_id)
        return row["validation_status"], row["scheduled_match_id"]

    assert [place(entered.state, each) for each in ("d2r2m5", "second-in-slot")] == [("unscheduled", None)] * 2
    assert place(entered.state, "d2r1m4") == ("confirmed", slot_of(2, 1, 4))
    assert place(changed.state, "d2r1m4") == ("unscheduled", None)
    assert place(changed.state, "d2r2m5") == ("confirmed", slot_of(2, 2, 5))
    assert place(changed.state, "second-in-slot") == ("not_tournament", None)
    for table in PUBLISHED:
        assert entered.state.tables[table] != changed.state.tables[table], table.__name__


# --------------------------------------------------------------------------- matches that land later


def test_by_its_match_object_alone_a_match_is_nearer_to_the_next_slot(entered: Entered) -> None:
    """Its start is 40 minutes late there, and the match of that slot has not landed; telemetry corrects it."""
    row = entered.without_telemetry
    assert (row["start_source"], row["scheduled_match_id"]) == ("api", slot_of(1, 2, 5))


def test_a_nearer_match_that_lands_later_takes_the_slot_of_one_after_midnight(entered: Entered) -> None:
    """The days around the one that a match landed in are looked at."""
    house, plan = entered.copy, entered.state.plan
    last = plan.game("d1r2m6")
    assert last.start.astimezone(UTC).date() == EVENINGS[1] + timedelta(days=1)
    start = last.start - timedelta(minutes=16)
    assert start.astimezone(UTC).date() == EVENINGS[1]

    def of_the_slot() -> dict[str, tuple[str, int | None]]:
        rows = house.planned()[t.Matches]
        return {
            row["match_id"]: (row["validation_status"], row["scheduled_match_id"])
            for row in rows
            if row["match_id"] in ("d1r2m6", "nearer")
        }

    slot = slot_of(1, 2, 6)
    assert of_the_slot() == {"d1r2m6": ("confirmed", slot)}
    house.land([plan.match_object(replace(last, match_id="nearer", start=start, minutes=5.0))])
    house.follow()
    assert of_the_slot() == {"d1r2m6": ("unscheduled", None), "nearer": ("confirmed", slot)}
