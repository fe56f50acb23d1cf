"""The tournament API against a season that is worked out by hand, over real HTTP and PostgreSQL."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from gamestats_assets_tests.serving.season import CUP_TEAMS, TEAMS, account

ROOT = "/api/v1/tournaments"
OF = {"season": "fall", "division": "division 1"}
GAMMA = "<script>Gamma"


def get(client: httpx.Client, path: str, **parameters: Any) -> Any:
    """An answer that is given."""
    answer = client.get(ROOT + path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_team_leaderboard_has_its_fields_and_context(client: httpx.Client) -> None:
    answer = get(client, "/leaderboard/teams", **OF)
    assert answer["data"] == {
        "teams": [
            {
                "rank": rank,
                "rank_change": change,
                "team_id": team,
                "team_name": TEAMS[team],
                "group": None,
                "total_points": points,
                "total_kills": kills,
                "wwcd": 1,
                "matches_played": 3,
                "avg_placement": average,
                "recent_placements": placements,
            }
            for rank, change, team, points, kills, average, placements in (
                (1, 2, 3, 32, 11, 2.0, [3, 2, 1]),
                (2, -1, 2, 29, 7, 1.7, [2, 1, 2]),
                (3, -1, 1, 24, 4, 2.3, [1, 3, 3]),
            )
        ],
        "total_count": 3,
    }
    metadata = answer["metadata"]
    assert metadata.pop("timestamp").endswith("Z")
    assert metadata == {
        "season_id": 7,
        "season": "fall",
        "season_name": "Fall 2026",
        "division": "Division 1",
        "group": None,
        "round": None,
        "round_name": None,
        "round_status": None,
        "match": None,
        "match_id": None,
        "filtered_by": "division",
        "data_as_of": "2026-10-10T18:30:00Z",
        "page": 1,
        "page_size": 20,
    }


def test_ranks_of_a_round_are_compared_with_those_before_its_last_match(client: httpx.Client) -> None:
    def ranks(number: int) -> dict[str, tuple[int, int | None]]:
        teams = get(client, "/leaderboard/teams", **OF, round=number)["data"]["teams"]
        return {line["team_name"]: (line["rank"], line["rank_change"]) for line in teams}

    assert ranks(1) == {"Beta": (1, 1), "Alpha": (2, -1), GAMMA: (3, 0)}
    assert ranks(2) == {GAMMA: (1, None), "Alpha": (2, None), "Beta": (2, None)}


def test_a_season_is_found_by_its_number_as_by_its_name(client: httpx.Client) -> None:
    by_number = get(client, "/leaderboard/teams", season_id=7, division="Division 1", round=1)
    assert by_number["metadata"]["filtered_by"] == "round"
    assert by_number["metadata"]["round_status"] == "completed"
    assert by_number["data"] == get(client, "/leaderboard/teams", **OF, round=1)["data"]


def test_a_leaderboard_is_sorted_and_paged_and_ranks_stay_official(client: httpx.Client) -> None:
    lines = get(client, "/leaderboard/teams", **OF, sort="total_kills", order="asc")["data"]["teams"]
    assert [(line["total_kills"], line["rank"]) for line in lines] == [(4, 3), (7, 2), (11, 1)]
    second = get(client, "/leaderboard/teams", **OF, page=2, page_size=2)
    assert ([line["rank"] for line in second["data"]["teams"]], second["data"]["total_count"]) == ([3], 3)
    assert get(client, "/leaderboard/teams", **OF, page=9)["data"] == {"teams": [], "total_count": 3}


def test_players_have_their_weapons_when_these_are_asked_for(client: httpx.Client) -> None:
    [first, *_] = get(client, "/leaderboard/players", **OF)["data"]["players"]
    assert first == {
        "rank": 1,
        "account_id": f"account.{3:032x}",
        "player_name": "P3",
        "team_id": 3,
        "team_name": GAMMA,
        "total_points": 32,
        "total_kills": 11,
        "total_damage": 1100.4,
        "avg_damage": 12.3,
        "killsteals": 1,
        "matches_played": 3,
    }
    [armed, *_] = get(client, "/leaderboard/players", **OF, include_weapons=True)["data"]["players"]
    weapons = armed["weapon_distribution"]
    assert [*weapons] == ["AR", "DMR", "SR", "SMG", "Shotgun", "LMG", "Pistol", "Melee", "Throwable", "Other"]
    assert (weapons["AR"], weapons["Other"]) == ({"damage": 1.2, "kills": 11}, {"damage": 0.0, "kills": 0})


def test_matches_come_newest_first_with_the_result_of_each_team(client: httpx.Client) -> None:
    answer = get(client, "/matches/recent", **OF, page_size=2)
    assert [match["match_id"] for match in answer["data"]["matches"]] == ["m-3", "m-2"]
    assert answer["data"]["total_count"] == 3
    newest = answer["data"]["matches"][0]
    assert (newest["started_at"], newest["winner_team_name"]) == ("2026-10-10T18:00:00Z", GAMMA)
    results = [(line["team_id"], line["placement"], line["kills"], line["points"]) for line in newest["results"]]
    assert results == [(3, 1, 9, 19), (2, 2, 0, 6), (1, 3, 1, 6)]
    assert get(client, "/matches/M-3")["data"].items() >= newest.items()
    assert [match["match_id"] for match in get(client, "/matches/recent", **OF, round=1)["data"]["matches"]] == [
        "m-2",
        "m-1",
    ]


def test_seasons_divisions_rounds_and_schedule_are_listed(client: httpx.Client) -> None:
    [season] = get(client, "/seasons")["data"]["seasons"]
    assert (season["season_id"], season["placement_points"], season["kill_points"]) == (7, [10, 6, 5], 1)
    divisions = get(client, "/divisions", season="FALL")["data"]["divisions"]
    assert [(line["division"], line["groups"]) for line in divisions] == [
        ("Division 1", []),
        ("Division 2", ["A"]),
        ("Cup", ["North", "South"]),
    ]
    rounds = get(client, "/rounds", **OF)["data"]["rounds"]
    assert [(line["round"], line["status"], line["matches_scheduled"], line["matches_played"]) for line in rounds] == [
        (1, "completed", 2, 2),
        (2, "active", 0, 1),
    ]
    slots = get(client, "/schedule", **OF, round=1)["data"]["matches"]
    assert [(line["match_number"], line["actual_match_id"], line["map_name"]) for line in slots] == [
        (1, "m-1", "Erangel"),
        (2, "m-2", None),
    ]
    assert slots[0]["scheduled_datetime"] == "2026-10-03T18:00:00Z"
    assert get(client, "/schedule", season="fall", division="Division 2")["data"] == {"matches": []}
    empty = get(client, "/leaderboard/teams", season="fall", division="Division 2", group="a")
    assert (empty["data"], empty["metadata"]["group"]) == ({"teams": [], "total_count": 0}, "A")


CUP = {"season": "fall", "division": "Cup"}
NORTHERN, FORMULA, KOREAN, EVIL, DELTA = CUP_TEAMS.values()


def ranks_of(client: httpx.Client, **parameters: Any) -> dict[str, tuple[int, int | None]]:
    """Rank and its change by the name of the team."""
    teams = get(client, "/leaderboard/teams", **CUP, **parameters)["data"]["teams"]
    return {line["team_name"]: (line["rank"], line["rank_change"]) for line in teams}


def test_ranks_are_compared_with_the_previous_round_of_all_groups(client: httpx.Client) -> None:
    """After round 1: Northern 12 and Formula 12 (one win), Korean 10, Evil and Delta 8; after round 2: 18, 23, 23 (two
    wins), 19, 8."""
    assert ranks_of(client) == {KOREAN: (1, 2), FORMULA: (2, 0), EVIL: (3, 1), NORTHERN: (4, -3), DELTA: (5, -1)}


def test_a_group_has_its_own_ranks(client: httpx.Client) -> None:
    assert ranks_of(client, group="north") == {FORMULA: (1, 1), NORTHERN: (2, -1)}
    assert ranks_of(client, group="South") == {KOREAN: (1, 0), EVIL: (2, 0), DELTA: (3, -1)}
    assert ranks_of(client, group="South", round=1) == {KOREAN: (1, None), EVIL: (2, None), DELTA: (2, None)}
    metadata = get(client, "/leaderboard/teams", **CUP, group="north")["metadata"]
    assert (metadata["group"], metadata["filtered_by"]) == ("North", "group")
    players = get(client, "/leaderboard/players", **CUP, group="north")["data"]["players"]
    assert [(line["player_name"], line["rank"]) for line in players] == [("P32", 1), ("P31", 2)]


def test_of_two_matches_at_once_the_last_is_what_ended_later(client: httpx.Client) -> None:
    """Before it: Korean 13, Northern 6; with it Formula and Evil 11, of whom one won."""
    assert ranks_of(client, round=2) == {KOREAN: (1, 0), FORMULA: (2, None), EVIL: (3, None), NORTHERN: (4, -2)}


def test_a_leaderboard_of_one_match_ranks_by_its_points(client: httpx.Client) -> None:
    answer = get(client, "/leaderboard/teams", **CUP, round=2, match=2)
    assert [
        (
            line["rank"],
            line["rank_change"],
            line["team_name"],
            line["total_points"],
            line["wwcd"],
            line["avg_placement"],
        )
        for line in answer["data"]["teams"]
    ] == [(1, None, FORMULA, 11, 1, 1.0), (2, None, EVIL, 11, 0, 2.0)]
    metadata = answer["metadata"]
    assert (metadata["filtered_by"], metadata["match"], metadata["match_id"]) == ("match", 2, "c-2")
    assert metadata["data_as_of"] == "2026-10-10T16:30:00Z"
    assert get(client, "/leaderboard/teams", **CUP, round=2, match_id="C-2")["data"] == answer["data"]
    of_group = get(client, "/leaderboard/teams", **CUP, round=2, match=2, group="South")["data"]["teams"]
    assert [(line["rank"], line["team_name"], line["group"]) for line in of_group] == [(1, EVIL, "South")]
    players = get(client, "/leaderboard/players", **OF, round=1, match=1, include_weapons=True)["data"]["players"]
    # Placement points of the team count for its players in this season.
    assert [(line["player_name"], line["total_points"], line["total_damage"]) for line in players] == [
        ("P1", 13, 300.1),
        ("P2", 7, 100.0),
        ("P3", 5, 0.0),
    ]
    weapons = players[0]["weapon_distribution"]
    assert [*weapons] == ["AR", "DMR", "SR", "SMG", "Shotgun", "LMG", "Pistol", "Melee", "Throwable", "Other"]
    assert {name: done for name, done in weapons.items() if done["kills"]} == {
        "AR": {"damage": 200.1, "kills": 2},
        "Other": {"damage": 50.0, "kills": 1},
    }


def test_a_match_that_is_to_be_remade_is_listed_and_counts_nowhere(client: httpx.Client) -> None:
    matches = get(client, "/matches", **CUP, round=2)["data"]["matches"]
    assert [(match["match_id"], match["counts"], match["is_remake"]) for match in matches] == [
        ("c-broken", False, False),
        ("c-1", True, True),
        ("c-2", True, False),
    ]
    assert get(client, "/leaderboard/points", **CUP, round=2)["data"]["matches"][0]["match_id"] == "c-1"
    [northern] = [line for line in get(client, "/leaderboard/teams", **CUP)["data"]["teams"] if line["team_id"] == 31]
    assert (northern["matches_played"], northern["total_kills"]) == (2, 2)


def test_a_season_is_asked_for_as_a_whole(client: httpx.Client) -> None:
    answer = get(client, "/matches/recent", season="fall", page_size=100)
    assert (answer["data"]["total_count"], answer["metadata"]["filtered_by"]) == (8, "season")
    assert len(get(client, "/schedule", season_id=7)["data"]["matches"]) == 6
    rounds = get(client, "/rounds", season="fall")["data"]["rounds"]
    assert [(line["division"], line["round"], line["group"]) for line in rounds] == [
        ("Division 1", 1, None),
        ("Division 1", 2, None),
        ("Cup", 1, "North"),
        ("Cup", 1, "South"),
        ("Cup", 2, None),
    ]
    # A group plays its own rounds and those of its division.
    of_group = get(client, "/rounds", **CUP, group="South")["data"]["rounds"]
    assert [(line["round"], line["group"], line["starts_at"]) for line in of_group] == [
        (1, "South", "2026-10-03T16:00:00Z"),
        (2, None, "2026-10-10T16:00:00Z"),
    ]


def test_a_match_tells_all_that_happened_in_it(client: httpx.Client) -> None:
    match = get(client, "/matches/m-1")["data"]
    assert [(line["player_name"], line["team_name"], line["kills"]) for line in match["players"]] == [
        ("P1", "Alpha", 3),
        ("P2", "Beta", 1),
        ("P3", GAMMA, 0),
    ]
    assert [
        (kill["killer_name"], kill["killer_team_name"], kill["victim_team_name"], kill["weapon_category"])
        for kill in match["kills"]
    ] == [("P2", "Beta", "Alpha", "SR"), ("P1", "Alpha", GAMMA, "AR"), ("P1", "Alpha", "Beta", "Vehicle")]
    assert (match["kills"][0]["distance_m"], match["kills"][0]["elapsed_time_s"]) == (300.1, 60.0)
    assert [(line["weapon_category"], line["damage"], line["kills"]) for line in match["weapons"]] == [
        ("AR", 200.1, 2),
        ("SR", 100.0, 1),
        ("Vehicle", 50.0, 1),
    ]
    [fight] = match["fights"]
    assert (fight["teams"], fight["other_teams"], fight["winner_team_name"]) == (["Alpha", "Beta"], 1, "Alpha")
    assert (match["has_telemetry"], get(client, "/matches/m-2")["data"]["has_telemetry"]) == (True, False)


def test_a_team_has_its_roster_standings_and_results(client: httpx.Client) -> None:
    team = get(client, "/teams/33")["data"]
    about = {name: team[name] for name in ("team_name", "season", "division", "group")}
    assert about == {"team_name": KOREAN, "season": "fall", "division": "Cup", "group": "South"}
    assert [(line["player_name"], line["valid_from"]) for line in team["roster"]] == [("P33", "2026-09-01")]
    assert [(line["round"], line["rank"], line["total_points"]) for line in team["standings"]] == [
        (None, 1, 23),
        (1, 1, 10),
        (2, 1, 13),
    ]
    assert [(line["match_id"], line["placement"], line["points"]) for line in team["results"]] == [
        ("c-1", 1, 13),
        ("c-south", 1, 10),
    ]


def test_a_player_has_teams_standings_results_and_weapons(client: httpx.Client) -> None:
    player = get(client, f"/players/{account(1)}")["data"]
    assert (player["player_name"], [line["team_name"] for line in player["teams"]]) == ("P1", ["Alpha"])
    assert [(line["round"], line["total_points"]) for line in player["standings"]] == [(None, 24), (1, 18), (2, 6)]
    assert [(line["match_id"], line["team_name"], line["kills"], line["map_name"]) for line in player["results"]] == [
        ("m-3", "Alpha", 1, None),
        ("m-2", "Alpha", 0, None),
        ("m-1", "Alpha", 3, "Erangel"),
    ]
    assert [(line["weapon_category"], line["kills"]) for line in player["weapons"]] == [("AR", 2), ("Vehicle", 1)]


def test_two_teams_are_put_beside_each_other(client: httpx.Client) -> None:
    pair = get(client, "/head-to-head", team=1, other=2)["data"]
    sides = [
        (side["team_name"], side["ahead"], side["points"], side["kills"], side["kills_of_other"])
        for side in (pair["team"], pair["other"])
    ]
    assert sides == [("Alpha", 1, 24, 4, 1), ("Beta", 2, 29, 7, 1)]
    assert [(match["match_id"], match["placement"], match["other_placement"]) for match in pair["matches"]] == [
        ("m-3", 3, 2),
        ("m-2", 3, 1),
        ("m-1", 1, 2),
    ]
    assert get(client, "/head-to-head", team=1, other=31)["data"]["matches"] == []


def test_points_are_told_match_by_match(client: httpx.Client) -> None:
    data = get(client, "/leaderboard/points", **CUP)["data"]
    assert [match["match_id"] for match in data["matches"]] == ["c-north", "c-south", "c-1", "c-2"]
    lines = {line["team_name"]: (line["points"], line["running"]) for line in data["teams"]}
    assert lines[KOREAN] == ([None, 10, 13, None], [0, 10, 23, 23])
    assert lines[NORTHERN] == ([12, None, 6, None], [12, 12, 18, 18])
    [first, *_] = get(client, "/leaderboard/points", **OF, round=1)["data"]["teams"]
    assert (first["team_name"], first["points"], first["total_points"]) == ("Beta", [7, 16], 23)


def test_teams_and_players_are_found_by_part_of_their_name(client: httpx.Client) -> None:
    def found(q: str, **parameters: Any) -> list[tuple[str, str]]:
        return [(line["kind"], line["name"]) for line in get(client, "/search", q=q, **parameters)["data"]["found"]]

    assert found("ALPH") == [("team", "Alpha")]
    assert found("p3") == [("player", f"P{number}") for number in (3, 31, 32, 33, 34, 35)]
    assert found("한국") == [("team", KOREAN)]
    # Those that begin with it come before those that have it somewhere.
    assert found("a", limit=2) == [("team", "Alpha"), ("team", GAMMA)]
    assert found("%") == found("_") == found("\\") == found("alpha", season="spring") == []


@pytest.mark.parametrize(
    ("path", "parameters", "status", "message"),
    [
        ("/leaderboard/teams", {**OF, "rounds": 1}, 422, "There is no parameter 'rounds'; did you mean round?"),
        ("/seasons", {"x": 1}, 422, "There is no parameter 'x'; there is none."),
        ("/leaderboard/teams", {"division": "Division 1"}, 422, "give either season or season_id"),
        ("/leaderboard/teams", {"season": "fall"}, 422, "division: is missing."),
        ("/leaderboard/teams", {**OF, "page_size": 101}, 422, "page_size: input should be less than or equal to 100."),
        ("/leaderboard/teams", {**OF, "page": "1.0"}, 422, "page: should be a whole number, written in digits."),
        ("/leaderboard/teams", {**OF, "round": 2**63}, 422, "round: input should be less than or equal to 2147483647."),
        ("/leaderboard/teams", {**OF, "page": ["1", "2"]}, 422, "page: is given more than once; give it once."),
        ("/leaderboard/players", {**OF, "include_weapons": "yes"}, 422, "include_weapons: should be true or false."),
        ("/leaderboard/teams", {**OF, "match": 1}, 422, "match belongs to a round; give round, too"),
        ("/leaderboard/players", {**OF, "match_id": "m-1"}, 422, "match_id belongs to a round; give round, too"),
        ("/leaderboard/teams", {**OF, "round": 1, "match": 1, "match_id": "m-1"}, 422, "either match or match_id"),
        ("/leaderboard/teams", {**OF, "round": 1, "match": 3}, 404, "No match 3 counts in Round 1; there is 1, 2."),
        ("/leaderboard/teams", {**OF, "round": 1, "match_id": "m-3"}, 404, "counts in Round 1; there is m-1, m-2."),
        ("/leaderboard/teams", {"season": "fall", "division": "Cup", "round": 1}, 422, "add group: North, South."),
        ("/matches/recent", {"season": "fall", "round": 1}, 422, "round belongs to a division; give division, too"),
        ("/teams/99", {}, 404, "There is no team numbered 99."),
        ("/teams/alpha", {}, 422, "team_id: should be a whole number, written in digits."),
        ("/players/nobody", {}, 404, "No player with the account 'nobody' is on a roster or played in a tournament."),
        ("/head-to-head", {"team": 1, "other": 1}, 422, "give two teams; these are the same"),
        ("/head-to-head", {"team": 1, "other": 99}, 404, "There is no team numbered 99."),
        ("/search", {}, 422, "q: is missing."),
        ("/leaderboard/teams", {**OF, "sort": "luck"}, 422, "sort: input should be 'rank'"),
        ("/leaderboard/teams", {**OF, "season": "fal"}, 404, "There is no season 'fal'; did you mean fall?"),
        ("/leaderboard/teams", {**OF, "division": "D"}, 404, "there is Division 1, Division 2, Cup."),
        ("/leaderboard/teams", {**OF, "round": 9}, 404, "There is no round 9 in Division 1; there is 1, 2."),
        ("/leaderboard/teams", {**OF, "group": "B"}, 404, "There is no group 'B'; there is none yet."),
        ("/divisions", {"season_id": 99}, 404, "There is no season numbered 99."),
        ("/matches/none", {}, 404, "There is no tournament match 'none'."),
        ("/nothing", {}, 404, "Not Found"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_says_why(
    client: httpx.Client, path: str, parameters: dict[str, Any], status: int, message: str
) -> None:
    answer = client.get(ROOT + path, params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert message in problem["detail"]
    assert problem["status"] == status
    assert problem["instance"] == ROOT + path
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_a_name_that_is_code_elsewhere_is_a_text_here(client: httpx.Client, season_url: str) -> None:
    for name in ("'; DROP TABLE pubg.seasons; --", "x" * 200, "\u202eabc", "%s", "<script>"):
        answer = client.get(f"{ROOT}/leaderboard/teams", params={**OF, "division": name})
        assert (answer.status_code, len(answer.text) < 1000) == (404, True)
    for name in ("x" * 10_000, "null\0", ""):
        answer = client.get(f"{ROOT}/leaderboard/teams", params={**OF, "division": name})
        assert (answer.status_code, len(answer.text) < 1000) == (422, True)
    with psycopg.connect(season_url) as conn:
        assert conn.execute("SELECT count(*) FROM pubg.seasons").fetchone() == (1,)
