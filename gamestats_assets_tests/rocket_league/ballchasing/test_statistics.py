"""Ballchasing's JSON: everything it says of a match and its players, and what it says wrongly."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.rocket_league.ballchasing.statistics import UnreadableBallchasingError, decode
from gamestats_assets.rocket_league.tables import RawPlayerStats, RawReplays
from gamestats_assets_tests.rocket_league.support.ballchasing_server import details
from gamestats_assets_tests.rocket_league.support.real_files import PAIRS

DAY, LANDED = date(2026, 3, 10), datetime(2026, 3, 11, tzinfo=UTC)
SHARES = ("percent_", "avg_speed_percentage", "avg_powerslide_duration", "shooting_percentage")
"""What follows from other statistics: hundredths of them, or one divided by another."""
# Keys that tell nothing of the match or of how it was played, or the same as another one does.
LEFT_OUT = (
    "link", "uploader.", "status", "visibility", "date_has_timezone", "playlist_name", "map_name", "server.",
    "min_rank.id", "min_rank.name", "min_rank.division", "max_rank.id", "max_rank.name", "max_rank.division",
    "match_guid", "color", "stats.", "mvp", "rank.id", "rank.name",
)  # fmt: skip


def document(**more: Any) -> dict[str, Any]:
    """A small document of ballchasing's."""
    return details(1) | more


def decoded(found: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Rows of a document."""
    match_id = f"{1 + 2**64:032X}"
    return decode(json.dumps(found).encode(), match_id, DAY, "1", LANDED)


def keeps_the_rules(row: dict[str, Any], players: list[dict[str, Any]]) -> bool:
    """Whether rows fit into their tables."""
    frames = ((RawReplays, [row]), (RawPlayerStats, players))
    screened = [screen(table, pl.DataFrame(rows, schema=table.schema())) for table, rows in frames]
    return not any(each.rejections for each in screened)


def leaves(found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a document that is no object, with its path."""
    for key, value in found.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


# --- Real ones ------------------------------------------------------------------------------------


@pytest.fixture(params=PAIRS)
def real(request: pytest.FixtureRequest, realdata: Path) -> dict[str, Any]:
    """Each real document in turn."""
    return json.loads((realdata / "rocket_league" / f"{request.param}.ballchasing.json").read_text())


def _rows(real: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return decode(json.dumps(real).encode(), real["match_guid"], DAY, "1", LANDED)


def test_every_statistic_of_a_real_document_is_taken_or_follows_from_others(real: dict[str, Any]) -> None:
    row, players = _rows(real)
    assert row["uncounted_keys"] == 0
    rows = {each["player_name"]: each for each in players}
    found = [*real["blue"]["players"], *real["orange"]["players"]]
    assert len(rows) == len(found)
    for player in found:
        own = rows[player["name"]]
        values = [value for value in own.values() if isinstance(value, (int, float)) and not isinstance(value, bool)]
        taken = 0
        for group, stats in player["stats"].items():
            for key, value in stats.items():
                if not key.startswith(SHARES) and not isinstance(value, bool):
                    assert value in values, (group, key)
                    taken += 1
        assert taken >= 55
        # Each by name, some of every group.
        stats = player["stats"]
        assert own["boost_stolen_small"] == stats["boost"]["amount_stolen_small"]
        assert own["time_boost_speed_s"] == stats["movement"]["time_boost_speed"]
        assert own["powerslides"] == stats["movement"]["count_powerslide"]
        assert own["time_in_front_of_ball_s"] == stats["positioning"]["time_infront_ball"]
        assert own["demos_taken"] == stats["demo"]["taken"]
        assert own["is_mvp"] is stats["core"]["mvp"] is bool(player.get("mvp"))
        assert own["rank_tier"] == player["rank"]["tier"]
        assert (own["start_time_s"], own["end_time_s"]) == (player["start_time"], player["end_time"])
        assert own["goals_against_while_last_defender"] == stats["positioning"].get(
            "goals_against_while_last_defender", 0
        )


def test_every_key_about_a_real_match_is_taken_or_known_to_be_left_out(real: dict[str, Any]) -> None:
    row, players = _rows(real)
    matches, first = dict(leaves(real)), real["blue"]["players"][0]
    for team in ("blue", "orange"):
        matches.pop(f"{team}.players")
    rank = {"min_rank.tier": row["min_rank_tier"], "max_rank.tier": row["max_rank_tier"]}
    teams = {f"{color}.stats.core.goals": row[f"{color}_score"] for color in ("blue", "orange")}
    own = {
        "id": row["ballchasing_id"], "rocket_league_id": row["replay_id"], "title": row["title"],
        "map_code": row["map_code"], "match_type": row["match_type"], "team_size": row["team_size"],
        "playlist_id": row["playlist"], "duration": row["duration_s"], "overtime": row["went_to_overtime"],
        "season": row["season"], "season_type": row["season_type"], "date": row["started_at"],
        "created": row["uploaded_at"], "recorder": row["recorder"], **rank, **teams,
    }  # fmt: skip
    for path, value in matches.items():
        if path in own:
            expected = datetime.fromisoformat(value) if path in ("date", "created") else value
            assert own[path] == (str(expected).lower() if path == "map_code" else expected), path
        elif "stats.ball." in path:
            color = path.split(".")[0]
            column = {"possession_time": "team_possession_s", "time_in_side": "team_ball_in_own_half_s"}[
                path.split(".")[-1]
            ]
            assert {each[column] for each in players if each["team"] == color} == {value}
        else:
            # Sums over a team's players.
            assert path.startswith(LEFT_OUT) or ".stats." in path or path.endswith((".color", ".name")), path
    of_player = dict(leaves({key: value for key, value in first.items() if key != "stats"}))
    (row,) = (each for each in players if each["player_name"] == first["name"])
    names = {
        "id.platform": None, "id.id": None, "name": "player_name", "start_time": "start_time_s",
        "end_time": "end_time_s", "rank.tier": "rank_tier", "rank.division": "rank_division", "mvp": "is_mvp",
    }  # fmt: skip
    for path, value in of_player.items():
        if path in names:
            assert names[path] is None or row[names[path]] == value
        elif not path.startswith(LEFT_OUT):
            assert row[path.replace(".", "_")] == value, path
    assert row["player_id"] == f"{first['id']['platform']}_{first['id']['id']}".lower()


# --- By hand --------------------------------------------------------------------------------------


def test_optional_keys_may_be_missing() -> None:
    row, players = decoded(document())
    found = ("recorder", "season", "min_rank_tier", "went_to_overtime", "blue_score", "title", "team_size", "map_code")
    assert [row[name] for name in found] == [None] * len(found)
    assert [(each["player_id"], each["team"]) for each in players] == [
        ("steam_76561198000000001", "blue"), (f"epic_{'b' * 32}", "orange"),
    ]  # fmt: skip
    ann = players[0]
    assert "is_mvp" not in ann
    assert ann["rank_tier"] is None
    assert keeps_the_rules(row, players)


def test_what_ballchasing_leaves_out_because_it_is_no_or_nought_is_that() -> None:
    found = document()
    found["blue"]["players"][0]["stats"] = {"core": {"goals": 1, "goals_against": 2}, "positioning": {}}
    found["orange"]["players"][0]["stats"] = {
        "core": {"goals": 2},
        "positioning": {"goals_against_while_last_defender": 1},
    }
    _, (ann, bob) = decoded(found)
    assert (ann["is_mvp"], ann["goals_against_while_last_defender"]) == (False, 0)
    # Without the goals against it is not known that there were some.
    assert (bob["is_mvp"], bob["goals_against_while_last_defender"]) == (False, 1)


def test_values_that_no_column_could_take_are_counted_and_null() -> None:
    found = document()
    first, second = found["blue"]["players"][0], found["orange"]["players"][0]
    first["stats"] = {"core": {"goals": "many"}}
    first["rank"] = {"id": "mythic-1", "tier": 40, "division": 9}
    second["rank"] = {"id": "unranked", "tier": 0, "division": None}
    row, players = decoded(found)
    assert row["uncounted_keys"] == 3
    by_name = {player["player_name"]: player for player in players}
    assert [by_name[first["name"]][name] for name in ("goals", "rank_tier", "rank_division")] == [None] * 3
    assert by_name[second["name"]]["rank_tier"] == 0
    assert keeps_the_rules(row, players)


def test_statistics_that_nobody_knows_are_counted_once_each() -> None:
    found = document()
    for color in ("blue", "orange"):
        found[color]["players"][0]["stats"] = {
            "core": {"goals": 1, "flip_resets": 3}, "aerials": {"count": 2, "percent_air": 1.0},
            "demo": {"percent_x": 2},
        }  # fmt: skip
    found["blue"]["players"][0]["stats"]["core"]["wall_hits"] = 1
    row, players = decoded(found)
    # flip_resets and wall_hits of core, count of aerials.
    assert row["uncounted_keys"] == 3
    assert keeps_the_rules(row, players)


def test_of_a_player_who_is_listed_twice_the_longer_stay_counts() -> None:
    found = document()
    ann = found["blue"]["players"][0]
    for stays in ([(0, 100), (120, 340)], [(120, 340), (0, 100)]):
        listed = [ann | {"start_time": start, "end_time": end, "name": f"from {start}"} for start, end in stays]
        found["blue"]["players"] = listed
        _, players = decoded(found)
        assert [each["player_name"] for each in players] == ["from 120", "Bob"]


def test_who_has_no_account_is_a_guest_of_this_match() -> None:
    found = document()
    found["blue"]["players"] = [{"name": "Armstrong"}, {"name": "B", "id": {"platform": "", "id": ""}}, {}]
    row, players = decoded(found)
    assert [each["player_id"].split("_")[0] for each in players] == ["guest"] * 3 + ["epic"]
    assert players[0]["player_name"] == "Armstrong"
    assert len({each["player_id"] for each in players}) == 4
    assert keeps_the_rules(row, players)


def _at(found: dict[str, Any], path: str) -> tuple[Any, Any]:
    """What holds the value of a path, and its key there."""
    *above, key = path.split(".")
    holder: Any = found
    for each in above:
        holder = holder[int(each)] if isinstance(holder, list) else holder.setdefault(each, {})
    return holder, key


WRONG: list[tuple[str, Callable[[dict[str, Any], list[dict[str, Any]]], Any]]] = [
    ("duration", lambda row, players: row["duration_s"]),
    ("overtime", lambda row, players: row["went_to_overtime"]),
    ("season", lambda row, players: row["season"]),
    ("title", lambda row, players: row["title"]),
    ("created", lambda row, players: row["uploaded_at"]),
    ("min_rank", lambda row, players: row["min_rank_tier"]),
    ("blue.stats.core.goals", lambda row, players: row["blue_score"]),
    ("blue.players.0.rank.tier", lambda row, players: players[0]["rank_tier"]),
    ("blue.players.0.stats.core.goals", lambda row, players: players[0].get("goals")),
    ("blue.players.0.stats.boost", lambda row, players: players[0].get("avg_boost")),
    ("blue.players.0.camera.fov", lambda row, players: players[0]["camera_fov"]),
]


@pytest.mark.parametrize(("path", "taken"), WRONG)
@pytest.mark.parametrize("bad", [[1], {"a": 1}, "", 10**12, 10**400, float("nan"), float("inf"), -float("inf")])
def test_values_of_another_kind_or_beyond_every_match_are_unknown(
    path: str, taken: Callable[[dict[str, Any], list[dict[str, Any]]], Any], bad: Any
) -> None:
    found = document()
    holder, key = _at(found, path)
    holder[key] = bad
    row, players = decoded(found)
    assert taken(row, players) is None
    assert keeps_the_rules(row, players)


@pytest.mark.parametrize("players", [None, 3, "Ann", {"a": 1}, [None, 3, "Ann"], []])
def test_a_team_of_nobody_leaves_the_other_one(players: Any) -> None:
    found = document()
    found["blue"]["players"] = players
    row, (bob,) = decoded(found)
    assert bob["player_name"] == "Bob"
    assert keeps_the_rules(row, [bob])


def test_halves_of_characters_are_replaced() -> None:
    found = document(title="\ud800 fine")
    found["blue"]["players"][0]["name"] = "Ann\udfff"
    row, players = decoded(found)
    assert (row["title"], players[0]["player_name"]) == ("? fine", "Ann?")
    assert keeps_the_rules(row, players)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "The JSON is damaged"),
        (b"[" * 100_000, "The JSON is damaged"),
        (b"[]", "found none"),
        (b"{}", "found none"),
        (json.dumps(details(2)).encode(), f"found {2 + 2**64:032X}"),
        (json.dumps(document(date="yesterday")).encode(), "found 'yesterday'"),
        (json.dumps(document(date=5)).encode(), "found 5"),
        (json.dumps(document(date="0001-01-01T00:00:00+14:00")).encode(), "Expected a date such as"),
    ],
)
def test_what_is_no_document_of_the_match_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableBallchasingError, match=reason):
        decode(content, f"{1 + 2**64:032X}", DAY, "1", LANDED)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 10**6), _VALUES), min_size=1, max_size=5))
def test_whatever_stands_anywhere_in_a_document_rows_are_made_or_it_is_refused(changes: list[tuple[int, Any]]) -> None:
    found = document(title="x", season=3, overtime=False, min_rank={"tier": 3}, recorder="Ann")
    found["blue"]["stats"] = {"core": {"goals": 1}, "ball": {"possession_time": 3.5}}
    found["blue"]["players"][0] |= {
        "rank": {"tier": 5, "division": 1}, "camera": {"fov": 110}, "start_time": 0, "end_time": 5.5, "car_id": 4,
        "stats": {"core": {"goals": 1, "mvp": True}, "boost": {"bpm": 300}, "positioning": {"time_most_back": 3.2}},
    }  # fmt: skip
    changed = copy.deepcopy(found)
    for number, value in changes:
        places = [*_places(changed)]
        if places:
            holder, key = places[number % len(places)]
            holder[key] = value
    try:
        row, players = decoded(changed)
    except UnreadableBallchasingError:
        return
    for table, rows in ((RawReplays, [row]), (RawPlayerStats, players)):
        screen(table, pl.DataFrame(rows, schema=table.schema()))
    assert len({each["player_id"] for each in players}) == len(players)


def _places(found: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in found.items() if isinstance(found, dict) else enumerate(found):
        yield found, key
        if isinstance(value, (dict, list)):
            yield from _places(value)
