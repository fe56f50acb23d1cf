"""A season from what people enter and what lands to published tables: through Dagster, a lake and PostgreSQL.

Expected values are those of the plan in `season`, which are worked out in plain Python. What PostgreSQL numbers by
itself is compared by what it stands for.
"""

from __future__ import annotations

import csv
import random
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
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
from pydantic import SecretStr

from gamestats_assets.cli.session import Session
from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.ops import entering
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.instance import ranges, run_here
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.partitions import DAYS
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg import tournament_checks
from gamestats_assets.pubg import tournament_entry as entry
from gamestats_assets.pubg.sensors import tournament_entries
from gamestats_assets.pubg.source import ingest, mark_expired
from gamestats_assets.pubg.tournament_entry import Place
from gamestats_assets.pubg.tournament_import import import_rosters, import_schedule
from gamestats_assets.settings import Settings
from gamestats_assets_tests.instances import copy_of
from gamestats_assets_tests.postgres_fixture import database
from gamestats_assets_tests.pubg.season import (
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


def place_of(slot: int) -> Place:
    """Where a slot of the plan stands: 123 is match 3 of round 2 of division 1."""
    return Place(SEASON, f"Div {slot // 100}", slot // 10 % 10, slot % 10)


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
            "division": place_of(number).division,
            "round": place_of(number).round_number,
            "match": place_of(number).match_number,
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
    entry.create_season(conn, SEASON, name="Fall 2026", time_zone=ZONE.key, slot_window_min=30)
    for division in (1, 2):
        entry.create_division(conn, SEASON, f"Div {division}")
    import_rosters(conn, SEASON, as_csv(folder / "rosters.csv", roster_rows(plan)))
    postponed = slot_of(2, 3, 6)
    for division in (1, 2):
        for number, day in enumerate(EVENINGS, 1):
            # Division 1 plays past midnight, which is still its evening.
            entry.create_round(conn, SEASON, f"Div {division}", number, first_day=day)
            for status in ("active", "completed"):
                entry.change_round(conn, SEASON, f"Div {division}", number, status=status)
    for change in plan.changes:
        number, division = change["round_id"] % 10, f"Div {change['round_id'] // 10}"
        row = entry.find_round(conn, entry.find_division(conn, SEASON, division), number)
        # All of it is entered at once here; the season had it at these times.
        conn.execute(
            "UPDATE ops.round_status_changes SET changed_at = %s WHERE round_id = %s AND status = %s",
            [change["changed_at"], row["round_id"], change["status"]],
        )
    slots = [number for number in plan.slots if number != postponed]
    import_schedule(conn, SEASON, as_csv(folder / "schedule.csv", schedule_rows(plan, slots)))
    # The round is still on its own day when the postponed match is played.
    entry.change_round(conn, SEASON, "Div 2", 3, last_day=EVENINGS[2] + timedelta(days=1))
    import_schedule(conn, SEASON, as_csv(folder / "postponed.csv", schedule_rows(plan, [postponed])))
    entry.change_round(conn, SEASON, "Div 2", 3, last_day=EVENINGS[2])
    for override in plan.overrides:
        fields: entry.OverrideFields = {}
        if "is_tournament_match" in override:
            fields["is_tournament_match"] = override["is_tournament_match"]
        if "scheduled_match_id" in override:
            fields["place"] = place_of(override["scheduled_match_id"])
        entry.create_override(conn, override["match_id"], reason=override["reason"], admin=override["admin"], **fields)


# --------------------------------------------------------------------------- a lake, PostgreSQL and Dagster


@dataclass(frozen=True)
class Checked:
    """One result of a check."""

    table: str
    name: str
    blocking: bool
    passed: bool


class House:
    """A lake, a database and a Dagster instance."""

    def __init__(
        self, folder: Path, url: str, instance: dg.DagsterInstance, published: Sequence[type[Table]] = PUBLISHED
    ) -> None:
        self.folder, self.url, self.instance = folder, url, instance
        self.stores = Stores(Settings(data=str(folder / "data"), postgres_url=SecretStr(url), workers=1))
        self.definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(self.stores)})
        self.graph = self.definitions.resolve_asset_graph()
        self.checked: list[Checked] = []
        self.tables = tuple(published)
        made = dg.AssetSelection.assets(*map(asset_key, published)).upstream().required_multi_asset_neighbors()
        self.selection = dg.AssetSelection.assets(*made.resolve(self.graph), *map(publication_key, published))
        self._entries: str | None = None
        self._conditions: Any = None

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

    def run(
        self,
        selection: dg.AssetSelection,
        span: tuple[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """One run, which succeeds with its blocking checks."""
        result = run_here(self.definitions, self.instance, selection, partitions=span, tags=tags, log_level="CRITICAL")
        assert result.success, [event.step_key for event in result.all_events if event.is_step_failure]
        self.checked += [
            Checked(each.asset_key.path[-1], each.check_name, bool(each.blocking), each.passed)
            for each in result.get_asset_check_evaluations()
        ]

    def make(self) -> None:
        """Make everything of all landed days, then of the season."""
        days = self.stores.landing.days("pubg")
        keys = self.selection.resolve(self.graph)
        by_day = {key for key in keys if self.graph.get(key).partitions_def == DAYS}
        by_season = {key for key in keys if self.graph.get(key).partitions_def is not None} - by_day
        self.run(dg.AssetSelection.assets(*by_day), (days[0], days[-1]))
        if by_season:
            self.run(dg.AssetSelection.assets(*by_season), (SEASON, SEASON))

    def entries(self) -> list[set[str]]:
        """Tick the sensor of what people enter, and run what it requests; the assets of each request."""
        context = dg.build_sensor_context(self.instance, cursor=self._entries, resources={"stores": self.stores})
        result = tournament_entries()(context)
        assert isinstance(result, dg.SensorResult)
        self._entries = result.cursor
        for request in result.run_requests or []:
            first, last = (request.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
            selection = dg.AssetSelection.assets(*(request.asset_selection or []))
            tags = {name: value for name, value in request.tags.items() if not name.startswith("dagster/")}
            self.run(selection, (first, last) if first and last else None, tags)
        return [{key.path[-1] for key in request.asset_selection or []} for request in result.run_requests or []]

    def automation(self) -> dict[dg.AssetKey, set[str]]:
        """Evaluate the tables' conditions as the daemon does, and run what they request: partitions by asset."""
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, asset_selection=self.selection, cursor=self._conditions
        )
        self._conditions = result.cursor
        requested: dict[dg.AssetKey, set[str]] = {}
        for key in self.graph.toposorted_asset_keys:
            if partitions := {each for each in result.get_requested_partitions(key) if each is not None}:
                requested[key] = partitions
        waiting = dict(requested)
        while waiting:
            # Assets of the same partitions are one run, as far as nothing they are made of is still waiting.
            partitions, together = next(iter(waiting.values())), list[dg.AssetKey]()
            for key in [key for key, of_key in waiting.items() if of_key == partitions]:
                if not (self.graph.get(key).parent_keys & waiting.keys()) - {*together}:
                    together.append(key)
            for span in ranges(self.graph.get(together[0]).partitions_def, partitions, self.instance):
                self.run(dg.AssetSelection.assets(*together), span)
            waiting = {key: of_key for key, of_key in waiting.items() if key not in together}
        return requested

    def follow(self) -> list[list[set[str]]]:
        """Let the sensors do everything that follows from what was entered; what their ticks asked for."""
        asked: list[list[set[str]]] = []
        while found := self.entries():
            asked.append(found)
        while self.automation():
            pass
        return asked

    def versions(self) -> dict[type[Table], int]:
        """The Delta version of every table that a changed entry can change."""
        found = {table: self.stores.lake.version(table) for table in (*PLACED, *BY_SEASON)}
        assert None not in found.values()
        return {table: version for table, version in found.items() if version is not None}

    def replaced(self, since: Mapping[type[Table], int]) -> dict[str, set[str]]:
        """Matches whose rows were written anew, by table, as the Delta log tells it."""
        found: dict[str, set[str]] = {}
        for table in PLACED:
            delta = self.stores.lake.open(table)
            assert delta is not None
            ids: set[str] = set()
            for commit in delta.history():
                if commit["version"] > since[table]:
                    _, named = commit["operationParameters"]["predicate"].split("match_id", 1)
                    ids |= set(re.findall(r"'([^']+)'", named))
            found[table.spec.name] = ids
        return found

    def published(self) -> Tables:
        """The published tables, with the numbers that PostgreSQL gave."""
        with psycopg.connect(self.url) as conn, conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute("SET timezone = 'UTC'")
            return {
                table: cursor.execute(
                    sql.SQL("SELECT * FROM {}").format(sql.Identifier(table.spec.game, table.spec.name))
                ).fetchall()
                for table in self.tables
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
    asked: list[list[set[str]]]
    versions: dict[type[Table], int]
    versions_after_doing_it_again: dict[type[Table], int]


@dataclass(frozen=True)
class Changed:
    """The season after what people changed afterwards."""

    state: State
    raw: Tables
    asked: list[list[set[str]]]
    by_schedule: dict[str, set[str]]
    by_roster_and_override: dict[str, set[str]]


@pytest.fixture(scope="module")
def instances() -> Iterator[list[dg.DagsterInstance]]:
    with ExitStack() as stack:
        yield [stack.enter_context(dg.DagsterInstance.ephemeral()) for _ in range(2)]


@pytest.fixture(scope="module")
def entered(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, instances: list[dg.DagsterInstance]
) -> Iterator[Entered]:
    """Everything entered and landed, taken by the sensor, made and published."""
    plan = LandedSeason(moved=False)
    with database(postgres_url) as url:
        house = House(tmp_path_factory.mktemp("season"), url, instances[0])
        house.enter(lambda conn: enter(conn, plan, house.folder))
        asked = [house.entries()]
        mark_expired(house.stores.landing, plan.expired, plan.game(plan.expired).start.date())
        house.land(content for files in plan.files().values() for content in files)
        house.make()
        versions = house.versions()
        asked.append(house.entries())
        copied = tmp_path_factory.mktemp("copy")
        shutil.copytree(house.folder, copied, dirs_exist_ok=True)
        with database(postgres_url, url) as copied_url, copy_of(house.instance) as instance:
            copy = House(copied, copied_url, instance, [t.Matches])
            days = house.stores.landing.days("pubg")
            house.run(dg.AssetSelection.assets(*map(asset_key, PLACED)), (days[0], days[-1]))
            again = house.versions()
            house.automation()
            yield Entered(house, copy, State(plan, house.planned()), asked, versions, again)


@pytest.fixture(scope="module")
def changed(entered: Entered) -> Changed:
    """Moved slots, then a roster entry taken back and a match struck out; each followed by the sensors alone."""
    house, plan = entered.house, as_changed()
    since = house.versions()
    house.enter(
        lambda conn: import_schedule(conn, SEASON, as_csv(house.folder / "moved.csv", schedule_rows(plan, MOVED_SLOTS)))
    )
    asked = house.follow()
    by_schedule = house.replaced(since)
    since = house.versions()
    house.enter(change_roster_and_override)
    house.follow()
    return Changed(State(plan, house.planned()), house.published(), asked, by_schedule, house.replaced(since))


def change_roster_and_override(conn: psycopg.Connection) -> None:
    entry.remove_roster_entry(conn, SEASON, "Team 05", "T05_Substitute")
    entry.create_override(conn, "second-in-slot", reason=BET, admin=ADMIN, is_tournament_match=False)


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


def test_every_blocking_check_of_a_sound_season_passes_and_no_other_warns(changed: Changed, entered: Entered) -> None:
    checked = entered.house.checked
    assert [each for each in checked if not each.passed] == []
    ran = {each.name for each in checked if each.blocking}
    assert {check.name for check in tournament_checks.ALL if check.blocking} <= ran
    assert {"players_are_the_rows_of_a_match", "summaries_are_of_those_who_took_part", "distribution_adds_up"} <= ran
    assert {check.name for check in tournament_checks.ALL} <= {each.name for each in checked}


# --------------------------------------------------------------------------- changes


def test_what_is_entered_is_taken_and_then_the_days_on_which_it_changes_something(
    entered: Entered, changed: Changed
) -> None:
    snapshots = {table.spec.name for table in t.SNAPSHOTS}
    assert entered.asked == [[snapshots], []], "all days were made after it was entered"
    assert changed.asked == [[snapshots], [{table.spec.name for table in PLACED}]]


def test_placing_everything_again_writes_nothing(entered: Entered) -> None:
    assert entered.versions_after_doing_it_again == entered.versions


def test_moved_slots_replace_the_matches_that_they_concern_and_no_others(changed: Changed) -> None:
    three = {"d2r1m4", "d2r2m5", "d2r2m6"}
    assert changed.by_schedule == {table.spec.name: three for table in PLACED} | {"tournament_lineups": set()}


def test_a_changed_roster_and_a_new_override_replace_their_matches_and_no_others(changed: Changed) -> None:
    both = {"d1r2m3", "second-in-slot"}
    assert changed.by_roster_and_override == {table.spec.name: both for table in PLACED} | {
        "tournament_lineups": {"d1r2m3"}
    }


def test_changes_reach_the_published_tables(entered: Entered, changed: Changed) -> None:
    """Nothing but sensors and conditions has published since; what it must be, the other tests tell."""

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


def test_a_nearer_match_that_lands_later_takes_the_slot_of_one_after_midnight(entered: Entered) -> None:
    """Both ways to bring tables up to date look at the days around the one that a match landed in."""
    house, plan = entered.copy, entered.state.plan
    last = plan.game("d1r2m6")
    assert last.start.astimezone(UTC).date() == EVENINGS[1] + timedelta(days=1)

    def like_the_last(match_id: str, minutes_before: int) -> bytes:
        start = last.start - timedelta(minutes=minutes_before)
        assert start.astimezone(UTC).date() == EVENINGS[1]
        return plan.match_object(replace(last, match_id=match_id, start=start, minutes=5.0))

    def of_the_slot() -> dict[str, tuple[str, int | None]]:
        rows = house.planned()[t.Matches]
        return {
            row["match_id"]: (row["validation_status"], row["scheduled_match_id"])
            for row in rows
            if row["match_id"] in ("d1r2m6", "nearer", "nearest")
        }

    slot, taken = slot_of(1, 2, 6), ("unscheduled", None)
    assert of_the_slot() == {"d1r2m6": ("confirmed", slot)}
    house.land([like_the_last("nearer", 16)])
    session = Session(house.definitions, house.instance, house.stores)
    assert all(outcome.success for outcome in session.follow(house.selection))
    assert of_the_slot() == {"d1r2m6": taken, "nearer": ("confirmed", slot)}
    assert session.follow(house.selection) == []
    house.land([like_the_last("nearest", 21)])
    house.automation()
    raw = dg.AssetSelection.assets(*(asset_key(table) for table in t.ALL if table.spec.made_by == "raw"))
    house.run(raw, (f"{EVENINGS[1]}", f"{EVENINGS[1]}"))
    while house.automation():
        pass
    assert of_the_slot() == {"d1r2m6": taken, "nearer": taken, "nearest": ("confirmed", slot)}


# --------------------------------------------------------------------------- another order


def test_another_order_of_landing_gives_the_same_published_tables(
    tmp_path: Path, postgres_url: str, instances: list[dg.DagsterInstance], changed: Changed
) -> None:
    plan, order = changed.state.plan, random.Random(11)
    files = dict(plan.files())
    match_object, telemetry = files.pop(plan.told)
    # The last evening first, of the others what was second to come; the telemetry and the rest much later.
    early = {match_id for match_id in files if plan.game(match_id).start >= local(EVENINGS[2], 12, 0)}
    early |= {"second-in-slot", "d1r2m6", "d1r1m3", "ranked", "d2r1m6"}
    with database(postgres_url) as url:
        house = House(tmp_path, url, instances[1])
        house.enter(lambda conn: enter(conn, plan, house.folder))
        house.enter(change_roster_and_override)
        house.entries()
        house.land([match_object])
        for match_id in order.sample(sorted(early), len(early)):
            house.land(files[match_id])
        house.make()
        # By its match object alone the match began 40 minutes later, near the next slot, whose match is not there yet.
        row = State(plan, house.planned()).row(t.Matches, match_id=plan.told)
        assert (row["start_source"], row["scheduled_match_id"]) == ("api", slot_of(1, 2, 5))
        rest = sorted(files.keys() - early)
        for match_id in order.sample(rest, len(rest)):
            house.land(files[match_id])
        mark_expired(house.stores.landing, plan.expired, plan.game(plan.expired).start.date())
        house.land([telemetry])
        house.make()
        found = house.published()
        assert [each for each in house.checked if not each.passed] == []
    for table in PUBLISHED:
        keys = table.primary_key()
        mine, theirs = (
            sorted(rows[table], key=lambda row: [str(row[key]) for key in keys]) for rows in (found, changed.raw)
        )
        assert mine == theirs, table.__name__
