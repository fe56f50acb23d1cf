"""The tournament API against a season that is worked out by hand, over real HTTP and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from gamestats_assets_tests.postgres_fixture import database
from gamestats_assets_tests.serving.season import TEAMS, publish_season
from gamestats_assets_tests.serving.served import served

ROOT = "/api/v1/tournaments"
OF = {"season": "fall", "division": "division 1"}
GAMMA = "<script>Gamma"


@pytest.fixture(scope="module")
def url(postgres_url: str) -> Iterator[str]:
    """A database in which the season is published."""
    with database(postgres_url) as made:
        publish_season(made)
        yield made


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with served(url) as client:
        yield client


def get(client: httpx.Client, path: str, **parameters: Any) -> Any:
    """An answer that is given."""
    answer = client.get(ROOT + path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_team_leaderboard_has_the_fields_of_the_document_and_says_its_context(client: httpx.Client) -> None:
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
    told = answer["metadata"]
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "season_id": 7,
        "season": "fall",
        "season_name": "Fall 2026",
        "division": "Division 1",
        "group": None,
        "round": None,
        "round_name": None,
        "round_status": None,
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
    assert ranks(2) == {GAMMA: (1, None), "Alpha": (2, None), "Beta": (3, None)}


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
    assert get(client, "/matches/M-3")["data"] == newest
    assert [match["match_id"] for match in get(client, "/matches/recent", **OF, round=1)["data"]["matches"]] == [
        "m-2",
        "m-1",
    ]


def test_seasons_divisions_rounds_and_schedule_are_listed(client: httpx.Client) -> None:
    [season] = get(client, "/seasons")["data"]["seasons"]
    assert (season["season_id"], season["placement_points"], season["kill_points"]) == (7, [10, 6, 5], 1)
    divisions = get(client, "/divisions", season="FALL")["data"]["divisions"]
    assert [(line["division"], line["groups"]) for line in divisions] == [("Division 1", []), ("Division 2", ["A"])]
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


@pytest.mark.parametrize(
    ("path", "parameters", "status", "told"),
    [
        ("/leaderboard/teams", {**OF, "rounds": 1}, 422, "There is no parameter 'rounds'; did you mean round?"),
        ("/seasons", {"x": 1}, 422, "There is no parameter 'x'; there is none."),
        ("/leaderboard/teams", {"division": "Division 1"}, 422, "give the season by season or by season_id"),
        ("/leaderboard/teams", {"season": "fall"}, 422, "division: field required."),
        ("/leaderboard/teams", {**OF, "page_size": 101}, 422, "page_size: input should be less than or equal to 100."),
        ("/leaderboard/teams", {**OF, "sort": "luck"}, 422, "sort: input should be 'rank'"),
        ("/leaderboard/teams", {**OF, "season": "fal"}, 404, "There is no season 'fal'; did you mean fall?"),
        ("/leaderboard/teams", {**OF, "division": "D"}, 404, "there is Division 1, Division 2."),
        ("/leaderboard/teams", {**OF, "round": 9}, 404, "There is no round 9 in Division 1; there is 1, 2."),
        ("/leaderboard/teams", {**OF, "group": "B"}, 404, "There is no group 'B'; there is none yet."),
        ("/divisions", {"season_id": 99}, 404, "There is no season numbered 99."),
        ("/matches/none", {}, 404, "There is no tournament match 'none'."),
        ("/nothing", {}, 404, "Not Found"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_says_why(
    client: httpx.Client, path: str, parameters: dict[str, Any], status: int, told: str
) -> None:
    answer = client.get(ROOT + path, params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert told in problem["detail"]
    assert problem["status"] == status
    assert problem["instance"] == ROOT + path
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_a_name_that_is_code_elsewhere_is_a_text_here(client: httpx.Client, url: str) -> None:
    for name in ("'; DROP TABLE pubg.seasons; --", "x" * 10_000, "\u202eabc", "%s", "<script>"):
        answer = client.get(f"{ROOT}/leaderboard/teams", params={**OF, "division": name})
        assert (answer.status_code, len(answer.text) < 1000) == (404, True)
    with psycopg.connect(url) as conn:
        assert conn.execute("SELECT count(*) FROM pubg.seasons").fetchone() == (1,)


def test_the_api_describes_itself(client: httpx.Client) -> None:
    told = client.get("/api/v1/openapi.json").json()
    routes = {path: methods["get"] for path, methods in told["paths"].items()}
    assert {path.removeprefix(ROOT) for path in routes} == {
        "/leaderboard/teams",
        "/leaderboard/players",
        "/matches/recent",
        "/matches/{match_id}",
        "/seasons",
        "/divisions",
        "/rounds",
        "/schedule",
    }
    assert all(route["summary"] and route["responses"]["200"]["content"] for route in routes.values())
