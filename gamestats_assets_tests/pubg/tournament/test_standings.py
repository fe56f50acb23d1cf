"""Results and standings: a whole season against its plan, and ties, changes and concerns by themselves."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.tournament.standings import (
    tournament_team_results,
    tournament_team_standings,
)
from gamestats_assets.pubg.tournament.tables import PAGE_CATEGORIES
from gamestats_assets_tests.pubg.scenario import MAKERS, derive, rows, run
from gamestats_assets_tests.pubg.tournament.season import (
    MADE,
    SEASON,
    SimulatedSeason,
    round_in,
    round_named,
)
from gamestats_assets_tests.support.frames import Frames

SCOPES = [
    (division, scope) for division in (1, 2) for scope in ("overall", *(str(10 * division + n) for n in (1, 2, 3)))
]


@pytest.fixture(scope="module", params=[1, 2])
def season(request: pytest.FixtureRequest) -> SimulatedSeason:
    return SimulatedSeason(seed=request.param, placement_for_players=request.param == 1)


@pytest.fixture(scope="module")
def made(season: SimulatedSeason) -> Frames:
    return derive(season.frames(), MADE)


def table(frames: Frames, of: type[Table], division: int, scope: str) -> pl.DataFrame:
    return frames[of].filter((pl.col("division_id") == division) & (pl.col("scope") == scope))


# --------------------------------------------------------------------------- a whole season


def test_results_of_teams_are_those_of_the_plan(season: SimulatedSeason, made: Frames) -> None:
    planned = season.results()
    found = {(row["match_id"], row["team_id"]): row for row in made[t.TournamentTeamResults].to_dicts()}
    assert found.keys() == planned.keys()
    truths = {game.match_id: game.truth for game in season.games if game.truth}
    for key, result in planned.items():
        result |= round_named(truths[key[0]].round)
        assert {name: found[key][name] for name in result} == result, key


def test_tournament_matches_name_winner_place_and_whether_they_count(season: SimulatedSeason, made: Frames) -> None:
    found = {row["match_id"]: row for row in made[t.TournamentMatches].to_dicts()}
    planned = {game.match_id: game for game in season.games if game.truth and game.truth.is_tournament}
    assert found.keys() == planned.keys()
    results = season.results()
    for match_id, game in planned.items():
        row, truth = found[match_id], game.truth
        assert truth is not None
        winners = [team for (match, team), result in results.items() if match == match_id and result["placement"] == 1]
        assert row["winner_team_id"] == (winners[0] if winners else None), match_id
        assert row["winner_team_name"] == (f"Team {winners[0]:02}" if winners else None), match_id
        assert (row["counts"], row["round_id"], row["scheduled_match_id"]) == (truth.counts, truth.round, truth.slot)
        message = round_named(truth.round) | season.decided(match_id)
        assert {name: row[name] for name in message} == message, match_id
        assert (row["started_at"], row["ended_at"]) == (game.start, game.end)
    assert found["d1r2m6"]["winner_team_id"] is None
    assert not found["broken"]["counts"]


@pytest.mark.parametrize(("division", "scope"), SCOPES)
def test_team_standings_are_those_of_the_plan(season: SimulatedSeason, made: Frames, division: int, scope: str) -> None:
    found = {row["team_id"]: row for row in table(made, t.TournamentTeamStandings, division, scope).to_dicts()}
    planned = season.table(division, scope)
    assert found.keys() == planned.keys()
    assert len(planned) == 16
    for team, line in planned.items():
        row = found[team]
        assert row.pop("average_placement") == pytest.approx(line.pop("average_placement"))
        assert {name: row[name] for name in line} == line, team
        assert (row["season"], row["division"], row["team_name"]) == (SEASON, f"Div {division}", f"Team {team:02}")
        message = {"round_id": round_in(scope)} | round_named(round_in(scope))
        assert {name: row[name] for name in message} == message


@pytest.mark.parametrize(("division", "latest_day"), [(1, date(2026, 10, 31)), (2, date(2026, 11, 3))])
def test_overall_ranks_change_against_the_table_before_the_latest_day(
    season: SimulatedSeason, made: Frames, division: int, latest_day: date
) -> None:
    dawn = datetime(latest_day.year, latest_day.month, latest_day.day, 5, tzinfo=UTC)
    now, before = season.table(division, "overall"), season.table(division, "overall", until=dawn)
    assert 0 < len(season.counting(division, "overall", dawn)) < len(season.counting(division, "overall"))
    found = dict(table(made, t.TournamentTeamStandings, division, "overall")["team_id", "rank_change"].iter_rows())
    assert found == {team: before[team]["rank"] - now[team]["rank"] for team in now}


@pytest.mark.parametrize(("division", "scope"), SCOPES)
def test_history_has_a_table_after_every_match_and_at_every_change(
    season: SimulatedSeason, made: Frames, division: int, scope: str
) -> None:
    planned = {f"match:{game.match_id}": game.end for game in season.counting(division, scope)}
    for change in season.changes:
        at = change["changed_at"]
        of = (str(change["round_id"]), "overall") if change["round_id"] // 10 == division else ()
        if scope in of and season.counting(division, scope, at):
            planned[f"status:{change['round_status_change_id']}"] = at
    found = table(made, t.TournamentTeamStandingsHistory, division, scope)
    assert dict(found["snapshot", "taken_at"].unique().iter_rows()) == planned
    for snapshot, at in planned.items():
        then = season.table(division, scope, until=at)
        lines = {row["team_id"]: row for row in found.filter(pl.col("snapshot") == snapshot).to_dicts()}
        assert lines.keys() == then.keys(), snapshot
        for team, line in then.items():
            line |= round_named(round_in(scope))
            names = [name for name in line if name != "average_placement"]
            assert {name: lines[team][name] for name in names} == {name: line[name] for name in names}, snapshot


@pytest.mark.parametrize(("division", "scope"), SCOPES)
def test_player_standings_are_those_of_the_plan(
    season: SimulatedSeason, made: Frames, division: int, scope: str
) -> None:
    found = {row["account_id"]: row for row in table(made, t.TournamentPlayerStandings, division, scope).to_dicts()}
    planned = season.player_table(division, scope)
    assert found.keys() == planned.keys()
    for who, line in planned.items():
        row = found[who]
        for name in ("damage_dealt", "weapon_damage"):
            assert row[name] == pytest.approx(line.pop(name)), who
        line |= {"round_id": round_in(scope)} | round_named(round_in(scope))
        assert {name: row[name] for name in line} == line, who
        assert row["average_damage"] == pytest.approx(row["damage_dealt"] / row["matches_played"])
        assert row["team_name"] == f"Team {line['team_id']:02}"


def test_weapons_are_told_in_the_ten_categories_of_the_page(made: Frames) -> None:
    names = made[t.TournamentPlayerStandings]["weapon_categories"].to_list()
    assert all(each == list(PAGE_CATEGORIES) for each in names)
    assert PAGE_CATEGORIES == ("AR", "DMR", "SR", "SMG", "Shotgun", "LMG", "Pistol", "Melee", "Throwable", "Other")


def test_what_needs_a_person_is_told_with_its_reason(made: Frames) -> None:
    found = {(row["match_id"], row["concern"]): row["explanation"] for row in made[t.MatchValidation].to_dicts()}
    assert found.keys() == {
        ("warm-up", "few_teams"),
        ("friendly", "mixed_division"),
        ("second-in-slot", "no_slot"),
        ("d1r3-nearer", "no_slot"),
        ("d1r2m5", "unmatched_players"),
        ("d1r2m6", "unmatched_players"),
        ("d1r2m6", "no_winner"),
    }
    assert "7 teams of Div 1 played, at least 8 were expected" in found["warm-up", "few_teams"]
    assert "found Div 1: 32, Div 2: 32" in found["friendly", "mixed_division"]
    assert "found 1 on none: Guest." in found["d1r2m5", "unmatched_players"]
    assert "found 4 on none: Stranger0, Stranger1, Stranger2, Stranger3." in found["d1r2m6", "unmatched_players"]


@given(order=st.randoms(use_true_random=False), twice=st.booleans())
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tables_depend_neither_on_the_order_of_rows_nor_on_processing_twice(
    made: Frames, order: random.Random, twice: bool
) -> None:
    from_play = (t.MatchFacts, t.MatchSummaries, t.PlayerMatchWeaponDistribution)
    again = {
        of: (pl.concat([frame, frame]) if twice and of in from_play else frame).sample(
            fraction=1, shuffle=True, seed=order.getrandbits(32)
        )
        for of, frame in made.items()
        if of not in MADE
    }
    for of in MADE:
        found = run(MAKERS[of], again)
        # Sums are the same to the last bit, whatever the order.
        assert_frame_equal(found, made[of], check_row_order=False, check_exact=True)
        # What comes after sees these rows in another order, and perhaps twice.
        doubled = pl.concat([found, found]) if twice and of in (t.TournamentTeamResults, t.TournamentLineups) else found
        again[of] = doubled.sample(fraction=1, shuffle=True, seed=order.getrandbits(32))


def test_round_that_was_renamed_or_renumbered_is_shown_as_it_is_now_where_results_still_tell_the_old(
    made: Frames,
) -> None:
    """Standings can be made before the results of the renamed round are made anew."""
    is_first = pl.col("round_id") == 11
    rounds = made[t.Rounds].with_columns(
        round_number=pl.when(is_first).then(9).otherwise("round_number"),
        round_name=pl.when(is_first).then(pl.lit("Opening")).otherwise("round_name"),
    )
    for of in (t.TournamentTeamStandingsHistory, t.TournamentTeamStandings, t.TournamentPlayerStandings):
        found = run(MAKERS[of], {**made, t.Rounds: rounds.cast({"round_number": pl.Int32})})
        message = set(found["scope", "round_number", "round_name"].iter_rows())
        assert message == {
            ("overall", None, None),
            ("11", 9, "Opening"),
            ("12", 2, "Round 2"),
            ("13", 3, "Round 3"),
            ("21", 1, "Round 1"),
            ("22", 2, "Round 2"),
            ("23", 3, "Round 3"),
        }, of.__name__


def test_nothing_played_gives_empty_tables(made: Frames) -> None:
    found = derive({of: frame.clear() for of, frame in made.items() if of not in MADE}, MADE)
    assert all(found[of].is_empty() for of in MADE)


# --------------------------------------------------------------------------- rank by rank

START = datetime(2026, 3, 14, 19, 0, tzinfo=UTC)
USUAL = {"placement_points": [10, 6, 5, 4, 3, 2, 1, 1], "kill_points": 1, "time_zone": "Europe/Berlin"}


Results = Mapping[str, Sequence[tuple[int, int, int] | None]]
"""Per team and match (None: absent) the points in all, the placement (0: unknown) and the kills."""


def _one_season(results: Results, tie_breakers: Sequence[str], *, season: str = "s") -> dict[type[Table], pl.DataFrame]:
    """Frames that team standings are made of, without any history."""
    given_ = [
        {
            "match_id": f"{season}{number}",
            "match_date": START.date(),
            "season": season,
            "division_id": 1,
            "division": "Div 1",
            "round_id": 1,
            "started_at": START + timedelta(hours=number),
            "ended_at": START + timedelta(hours=number, minutes=30),
            "counts": True,
            "team_id": ord(team),
            "team_name": team,
            "placement": result[1] or None,
            "players": 4,
            "kills": result[2],
            "damage_dealt": 0.0,
            "points": result[0],
        }
        for team, of_team in results.items()
        for number, result in enumerate(of_team, start=1)
        if result is not None
    ]
    return {
        t.TournamentTeamResults: rows(t.TournamentTeamResults, *given_),
        t.TournamentTeamStandingsHistory: rows(t.TournamentTeamStandingsHistory),
        t.Seasons: rows(t.Seasons, {"season_id": 1, "season": season, "tie_breakers": list(tie_breakers), **USUAL}),
        t.Groups: rows(t.Groups, {"group_id": 5, "division_id": 1, "group_name": "A"}),
        t.Teams: rows(t.Teams),
        t.Rounds: rows(t.Rounds),
        t.RoundStatusChanges: rows(t.RoundStatusChanges),
    }


def standings(
    results: Results,
    tie_breakers: Sequence[str] = ("wins", "kills", "latest_placement"),
    *,
    teams: Sequence[Mapping[str, Any]] = (),
) -> dict[str, dict[str, Any]]:
    """Overall lines by team."""
    frames = {**_one_season(results, tie_breakers), t.Teams: rows(t.Teams, *teams)}
    found = run(tournament_team_standings, frames).filter(pl.col("scope") == "overall")
    return {row["team_name"]: row for row in found.to_dicts()}


def ranks(results: Results, *tie_breakers: str) -> dict[str, int]:
    return {team: row["rank"] for team, row in standings(results, tie_breakers).items()}


def test_points_come_first() -> None:
    assert ranks({"A": [(9, 1, 9)], "B": [(10, 5, 0)]}, "wins", "kills") == {"A": 2, "B": 1}


# Both have 20 points. A won, B has more kills and came in better last, C is better on average.
TIED = {"A": [(15, 1, 2), (5, 9, 2)], "B": [(10, 8, 9), (10, 6, 3)], "C": [(10, 2, 1), (10, 7, 1)]}


@pytest.mark.parametrize(
    ("tie_breakers", "expected"),
    [
        (["wins", "kills", "latest_placement"], {"A": 1, "B": 2, "C": 3}),
        (["kills", "wins"], {"B": 1, "A": 2, "C": 3}),
        (["latest_placement"], {"B": 1, "C": 2, "A": 3}),
        (["average_placement"], {"C": 1, "A": 2, "B": 3}),
        ([], {"A": 1, "B": 1, "C": 1}),
        (["a rule of tomorrow", "kills"], {"B": 1, "A": 2, "C": 3}),
    ],
)
def test_ties_are_broken_by_the_seasons_rules_in_their_order(tie_breakers: list[str], expected: dict[str, int]) -> None:
    assert ranks(TIED, *tie_breakers) == expected


def test_teams_equal_in_everything_share_a_rank_and_the_next_is_left_out() -> None:
    equal = {"B": [(10, 2, 4), None], "A": [None, (10, 2, 4)], "C": [(3, 4, 0), None], "D": [(12, 1, 2), None]}
    assert ranks(equal, "wins", "kills", "latest_placement") == {"D": 1, "A": 2, "B": 2, "C": 4}


def test_latest_placement_is_of_the_teams_own_last_match_and_the_unknown_is_last() -> None:
    results = {"A": [(5, 3, 0), (5, 4, 0)], "B": [(10, 2, 0), None], "C": [(5, 1, 0), (5, 0, 0)]}
    assert ranks(results, "latest_placement") == {"B": 1, "A": 2, "C": 3}


def test_form_shows_the_last_six_placements_the_oldest_first() -> None:
    line = standings({"A": [(0, place, 0) for place in (9, 8, 7, 6, 5, 4, 3, 2)]})["A"]
    assert (line["recent_placements"], line["matches_played"], line["average_placement"]) == (
        [7, 6, 5, 4, 3, 2],
        8,
        5.5,
    )


def test_unknown_placements_stay_in_the_form_and_out_of_the_mean() -> None:
    line = standings({"A": [(0, 4, 0), (0, 0, 0), (0, 2, 0)]})["A"]
    assert (line["recent_placements"], line["average_placement"], line["matches_played"]) == ([4, None, 2], 3.0, 3)


def test_team_that_was_renamed_or_moved_is_shown_as_it_is_now() -> None:
    present = {"team_id": ord("A"), "division_id": 1, "group_id": 5, "team_name": "Alpha"}
    found = standings({"A": [(1, 1, 0)], "B": [(0, 2, 0)]}, teams=[present])
    assert (found["Alpha"]["group_name"], found["B"]["group_name"]) == ("A", None)


def test_each_season_has_its_own_tables_and_tie_breakers() -> None:
    rules = {"s": ["wins"], "t": ["kills"]}
    frames = [_one_season(TIED, tie_breakers, season=name) for name, tie_breakers in rules.items()]
    both = {of: pl.concat([each[of] for each in frames]) for of in frames[0]}
    found = run(tournament_team_standings, both).filter(pl.col("scope") == "overall")
    leaders = found.filter(pl.col("rank") == 1).select("season", "team_name", "points").sort("season")
    assert leaders.rows() == [("s", "A", 20), ("t", "B", 20)]


def _changes_of_rank(
    rounds: Sequence[Mapping[str, Any]],
    closed: Sequence[tuple[int, str, int]],
    tables: Mapping[int, Mapping[str, Sequence[str]]],
) -> dict[str, int | None]:
    """Changes of rank in round 3, where A is before B.

    Args:
        rounds: rounds with their id, as number too.
        closed: round, status and hour of the changes of status, numbered from 1.
        tables: of each round, per snapshot the teams in their order; the first at hour 1, the next at 2, ...
    """
    frames = _one_season({"A": [(10, 1, 0)], "B": [(5, 2, 0)]}, [])
    results = frames[t.TournamentTeamResults].with_columns(round_id=pl.lit(3, pl.Int64))
    lines = [
        {"season": "s", "division_id": 1, "scope": str(number), "round_id": number, "snapshot": snapshot}
        | {"taken_at": START + timedelta(hours=hour), "team_id": ord(team), "rank": rank, "recent_placements": []}
        for number, snapshots in tables.items()
        for hour, (snapshot, teams) in enumerate(snapshots.items(), start=1)
        for rank, team in enumerate(teams, start=1)
    ]
    usual = {"division_id": 1, "status": "active", "first_day": START.date(), "last_day": START.date()}
    frames |= {
        t.TournamentTeamResults: results,
        t.TournamentTeamStandingsHistory: rows(t.TournamentTeamStandingsHistory, *lines),
        t.Rounds: rows(t.Rounds, *({**usual, "round_number": each["round_id"], **each} for each in rounds)),
        t.RoundStatusChanges: rows(
            t.RoundStatusChanges,
            *(
                {"round_status_change_id": number, "round_id": of, "status": status}
                | {"changed_at": START + timedelta(hours=hour)}
                for number, (of, status, hour) in enumerate(closed, start=1)
            ),
        ),
    }
    found = run(tournament_team_standings, frames).filter(pl.col("scope") == "3")
    return dict(found["team_name", "rank_change"].iter_rows())


ONE_TWO_THREE = [{"round_id": 1}, {"round_id": 2}, {"round_id": 3}]
B_LED = {"match:x": ["C", "A", "B"], "status:1": ["B", "C", "A"], "match:y": ["C", "B", "A"]}


@pytest.mark.parametrize(
    ("rounds", "closed", "tables", "expected"),
    [
        pytest.param(ONE_TWO_THREE, [(2, "completed", 2)], {2: B_LED}, (2, -1), id="as it was closed"),
        pytest.param(ONE_TWO_THREE, [], {2: B_LED}, (2, 0), id="not closed: its last table"),
        pytest.param(
            ONE_TWO_THREE,
            [(2, "completed", 2), (2, "active", 3)],
            {2: B_LED},
            (2, 0),
            id="opened again",
        ),
        pytest.param(ONE_TWO_THREE, [(2, "completed", 0)], {2: {"match:x": "AB"}}, (None, None), id="closed unplayed"),
        pytest.param(ONE_TWO_THREE, [], {1: B_LED}, (None, None), id="not the one before the previous"),
        pytest.param(
            [{"round_id": 1}, {"round_id": 2, "status": "cancelled"}, {"round_id": 3}],
            [],
            {1: B_LED, 2: {"match:x": "AB"}},
            (2, 0),
            id="a cancelled round is passed over",
        ),
        pytest.param(
            [{"round_id": 2, "group_id": 5}, {"round_id": 3}], [], {2: B_LED}, (None, None), id="another group's round"
        ),
        pytest.param(ONE_TWO_THREE, [], {2: {"match:x": ["B"]}}, (None, -1), id="a team that was not in it"),
    ],
)
def test_rank_change_looks_at_the_closing_table_of_the_previous_round(
    rounds: Any, closed: Any, tables: Any, expected: tuple[int | None, int | None]
) -> None:
    found = _changes_of_rank(rounds, closed, tables)
    assert (found["A"], found["B"]) == expected


# --------------------------------------------------------------------------- results, rule by rule


def one_match(
    people: Sequence[Mapping[str, Any]],
    *,
    context: Mapping[str, Any] | None = None,
    match: Mapping[str, Any] | None = None,
    overrides: Sequence[Mapping[str, Any]] = (),
    season: Mapping[str, Any] | None = None,
) -> Frames:
    """Frames of one match: `people` with account, team (None: on no roster) and what they did."""
    of = {"match_id": "m", "match_date": START.date()}
    usual_context = {
        "is_tournament_match": True,
        "validation_status": "confirmed",
        "season_id": 1,
        "season": "s",
        "division_id": 1,
        "division": "Div 1",
        "round_id": 1,
        "scheduled_match_id": 1,
        "unmatched_player_count": sum(each["team"] is None for each in people),
        "team_count": len({each["team"] for each in people} - {None}),
    }
    times = {"started_at": START, "ended_at": START + timedelta(minutes=30), "telemetry_status": "processed"}
    return {
        t.Seasons: rows(
            t.Seasons,
            {"season_id": 1, "season": "s", "tie_breakers": [], "minimum_teams": 8, **USUAL} | dict(season or {}),
        ),
        t.MatchFacts: rows(t.MatchFacts, {**of, **times, **(match or {})}),
        t.MatchTournamentContext: rows(t.MatchTournamentContext, {**of, **usual_context, **(context or {})}),
        t.MatchSummaries: rows(
            t.MatchSummaries,
            *({**of, "player_name": each["account_id"].upper(), **each} | {"team_id": 1} for each in people),
        ),
        t.TournamentLineups: rows(
            t.TournamentLineups,
            *(
                {**of, "account_id": each["account_id"], "team_id": each["team"], "team_name": f"Team {each['team']}"}
                | {"division_id": each.get("division_id", 1)}
                for each in people
                if each["team"] is not None
            ),
        ),
        t.MatchOverrides: rows(t.MatchOverrides, *overrides),
    }


def results_of(*people: Mapping[str, Any], **other: Any) -> dict[int, dict[str, Any]]:
    return {row["team_id"]: row for row in run(tournament_team_results, one_match(people, **other)).to_dicts()}


@pytest.mark.parametrize(
    ("placement", "points"),
    [(1, 10), (2, 6), (3, 5), (4, 4), (5, 3), (6, 2), (7, 1), (8, 1), (9, 0), (16, 0), (None, 0)],
)
def test_placement_points_are_those_of_the_list_and_nothing_behind_its_end(placement: int | None, points: int) -> None:
    row = results_of({"account_id": "a", "team": 1, "placement": placement, "kills": 3})[1]
    assert (row["placement_points"], row["kill_points"], row["points"]) == (points, 3, points + 3)


def test_points_follow_the_rules_of_the_season() -> None:
    season = {"placement_points": [20, 14], "kill_points": 2}
    row = results_of({"account_id": "a", "team": 1, "placement": 2, "kills": 3}, season=season)[1]
    assert (row["placement_points"], row["kill_points"], row["points"]) == (14, 6, 20)


def test_team_has_the_best_placement_and_the_kills_of_all_its_people() -> None:
    row = results_of(
        {"account_id": "a", "team": 1, "placement": 4, "kills": 1, "damage_dealt": 10.5},
        {"account_id": "b", "team": 1, "placement": 3, "kills": 2, "damage_dealt": 20.0},
        {"account_id": "c", "team": 1, "placement": None, "kills": None, "damage_dealt": None},
        {"account_id": "d", "team": None, "placement": 1, "kills": 9},
    )[1]
    assert (row["placement"], row["kills"], row["damage_dealt"], row["players"]) == (3, 3, 30.5, 3)


def test_only_teams_of_the_matchs_division_have_results() -> None:
    found = results_of({"account_id": "a", "team": 1}, {"account_id": "b", "team": 9, "division_id": 2})
    assert found.keys() == {1}


@pytest.mark.parametrize(
    ("context", "counts"),
    [
        ({}, True),
        ({"validation_status": "unscheduled"}, True),
        ({"round_id": None}, False),
        ({"validation_status": "remake_failed"}, False),
        ({"validation_status": "remake_candidate"}, False),
    ],
)
def test_match_counts_with_a_round_unless_it_is_to_be_remade(context: dict[str, Any], counts: bool) -> None:
    assert results_of({"account_id": "a", "team": 1}, context=context)[1]["counts"] is counts


def test_match_that_is_no_tournament_match_has_no_results() -> None:
    assert results_of({"account_id": "a", "team": 1}, context={"is_tournament_match": False}) == {}


def test_match_without_known_end_ends_for_the_history_when_it_began() -> None:
    assert results_of({"account_id": "a", "team": 1}, match={"ended_at": None})[1]["ended_at"] == START


WINNER = {"account_id": "a", "team": 1, "placement": 1, "kills": 0}
SECOND = {"account_id": "b", "team": 2, "placement": 2, "kills": 0}


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"is_overridden": True, "override_reason": "why", "override_admin": "kim"}, (True, "why", "kim")),
        ({}, (False, None, None)),
    ],
)
def test_tournament_match_tells_who_overrode_it_and_why(context: dict[str, Any], message: tuple[Any, ...]) -> None:
    found = derive(one_match([WINNER, SECOND], context=context), [t.TournamentMatches])[t.TournamentMatches]
    assert found["is_overridden", "override_reason", "overridden_by"].rows() == [message]


def test_of_two_teams_in_first_place_the_one_with_more_people_is_named() -> None:
    people = [WINNER, {**SECOND, "placement": 1}, {**SECOND, "account_id": "c", "placement": 1}]
    frames = derive(one_match(people), [t.TournamentMatches])
    assert frames[t.TournamentMatches]["winner_team_name"].to_list() == ["Team 2"]
