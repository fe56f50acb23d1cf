"""Matches and participants: the replay tells, ballchasing fills the gaps, and what neither tells is null."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.matches.facts import match_facts, participants
from gamestats_assets_tests.rocket_league.support.scenario import (
    ANN,
    BEA,
    MATCH,
    OTHER_MATCH,
    START,
    XAN,
    YVE,
    event,
    events,
    made,
    rows,
)

REPLAY: dict[str, Any] = {
    "source": "replay", "started_at": START, "start_is_exact": True, "landed_at": START + timedelta(days=2),
    "replay_id": "B" * 32, "map_code": "stadium_p", "playlist": "ranked-doubles", "team_size": 2, "duration_s": 340.5,
    "went_to_overtime": False, "blue_score": 4, "orange_score": 1, "frames": 3000, "season": 21,
    "season_type": "free2play",
}  # fmt: skip
JSON: dict[str, Any] = {
    "source": "ballchasing", "started_at": START + timedelta(minutes=6), "landed_at": START + timedelta(days=1),
    "replay_id": "C" * 32, "ballchasing_id": "0b1c", "map_code": "street_p", "playlist": "ranked-duels",
    "team_size": 1, "duration_s": 341.0, "went_to_overtime": True, "blue_score": 3, "orange_score": 0, "season": 21,
    "season_type": "free2play",
}  # fmt: skip


def facts(*given: dict[str, Any]) -> dict[str, Any]:
    (row,) = made(match_facts, rows(t.RawReplays, given)).to_dicts()
    return row


def test_the_replay_counts_and_ballchasing_fills_the_gaps() -> None:
    both = facts(JSON, REPLAY | {"map_code": None, "season_type": None})
    assert both == {
        "match_id": MATCH,
        "match_date": START.date(),
        "is_simulated": False,
        "has_frames": True,
        "has_ballchasing": True,
        "replay_id": "B" * 32,
        "ballchasing_id": "0b1c",
        "landed_at": START + timedelta(days=1),
        "started_at": START,
        "map_code": "street_p",
        "playlist": "ranked-doubles",
        "is_ranked": True,
        "is_soccar": True,
        "team_size": 2,
        "season": "f21",
        "duration_s": 340.5,
        "went_to_overtime": False,
        "blue_score": 4,
        "orange_score": 1,
    }
    alone = facts(JSON | {"is_simulated": True})
    assert (alone["has_frames"], alone["has_ballchasing"], alone["is_simulated"]) == (False, True, True)
    assert (alone["playlist"], alone["started_at"]) == ("ranked-duels", START + timedelta(minutes=6))
    assert facts(REPLAY | {"frames": 0})["has_frames"] is False
    assert facts(REPLAY | {"season": 5, "season_type": "legacy"})["season"] == "5"


def test_which_source_tells_when_a_match_started() -> None:
    inexact = REPLAY | {"start_is_exact": False}
    assert facts(inexact, JSON)["started_at"] == START
    assert facts(inexact, JSON | {"start_is_exact": True})["started_at"] == JSON["started_at"]


def test_ballchasing_names_a_playlist_of_unknown_number() -> None:
    assert facts(REPLAY | {"playlist": "playlist-99"}, JSON)["playlist"] == "ranked-duels"
    assert facts(REPLAY | {"playlist": "playlist-99"})["playlist"] == "playlist-99"
    assert facts(REPLAY | {"playlist": None})["playlist"] == "unknown"


@pytest.mark.parametrize(
    ("playlist", "map_code", "is_ranked", "is_soccar"),
    [
        ("ranked-standard", "stadium_p", True, True),
        ("tournament", "farm_p", True, True),
        ("unranked-doubles", None, False, True),
        ("ranked-hoops", "hoopsstadium_p", True, False),
        ("dropshot", "shattershot_p", False, False),
        ("ranked-snowday", "stadium_winter_p", True, False),
        ("private", "stadium_p", False, True),
        ("private", "hoopsstadium_p", False, False),
        ("private", "shattershot_p", False, False),
    ],
)
def test_what_is_ranked_and_what_is_soccar(
    playlist: str, map_code: str | None, is_ranked: bool, is_soccar: bool
) -> None:
    found = facts(REPLAY | {"playlist": playlist, "map_code": map_code})
    assert (found["is_ranked"], found["is_soccar"]) == (is_ranked, is_soccar)


_VALUES = {"map_code": ("a", "b"), "team_size": (1, 2), "blue_score": (0, 3), "duration_s": (1.0, 2.0)}


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([MATCH, OTHER_MATCH]),
            st.sampled_from(["replay", "ballchasing"]),
            st.fixed_dictionaries({name: st.none() | st.sampled_from(of) for name, of in _VALUES.items()}),
        ),
        unique_by=lambda row: row[:2],
        min_size=1,
    )
)
def test_every_match_is_one_row_of_the_first_that_tells(told: list[tuple[str, str, dict[str, Any]]]) -> None:
    raw = rows(t.RawReplays, ({"match_id": match, "source": source, **values} for match, source, values in told))
    found = {row["match_id"]: row for row in made(match_facts, raw).to_dicts()}
    assert found.keys() == {match for match, _, _ in told}
    for match, row in found.items():
        by_source = {source: values for of, source, values in told if of == match}
        for name in _VALUES:
            known = [by_source[source][name] for source in ("replay", "ballchasing") if source in by_source]
            assert row[name] == next((value for value in known if value is not None), None), name


# ---------------------------------------------------------------------------------------------- participants

BOARD = {"score": 300, "goals": 1, "assists": 0, "saves": 2, "shots": 3, "shots_against": 4, "goals_against": 1}


def players(*given: dict[str, Any], **tables: pl.DataFrame) -> dict[str, dict[str, Any]]:
    stats = rows(t.RawPlayerStats, ({"player_name": "Somebody"} | row for row in given))
    found = made(participants, stats, *tables.values())
    assert found.height == len({row["player_id"] for row in given})
    return {row["player_id"]: row for row in found.to_dicts()}


def score(blue: int | None, orange: int | None) -> pl.DataFrame:
    return rows(t.MatchFacts, [{"blue_score": blue, "orange_score": orange}])


@pytest.mark.parametrize(
    ("blue", "orange", "results"),
    [(3, 1, ("win", "loss")), (0, 1, ("loss", "win")), (2, 2, ("draw", "draw")), (None, None, (None, None))],
)
def test_results_are_by_the_score(blue: int | None, orange: int | None, results: tuple[str | None, str | None]) -> None:
    found = players({"player_id": ANN}, {"player_id": XAN}, facts=score(blue, orange))
    assert (found[ANN]["result"], found[XAN]["result"]) == results


def test_the_scoreboard_is_the_replay_s_and_ranks_are_ballchasing_s() -> None:
    theirs = {"source": "ballchasing", "player_id": ANN, "player_name": "Ann of then"} | BOARD
    found = players(
        {"player_id": ANN, "player_name": "Ann"} | BOARD | {"goals": 2, "assists": None},
        theirs | {"rank_tier": 16, "rank_division": 3, "assists": 5, "demos_inflicted": 7, "demos_taken": 8},
        theirs | {"player_id": XAN, "rank_tier": 0, "rank_division": 1},
    )
    ann = found[ANN]
    assert (ann["player_name"], ann["goals"], ann["assists"], ann["shots"]) == ("Ann", 2, 5, 3)
    assert (ann["rank_tier"], ann["rank_division"], ann["demos_inflicted"], ann["demos_taken"]) == (16, 3, 7, 8)
    assert (found[XAN]["rank_tier"], found[XAN]["rank_division"]) == (None, None), "unranked is no rank"


def test_demolitions_and_shots_of_opponents_are_counted_in_the_replay() -> None:
    happened = events(
        event("demolition", 10, ANN, other_player_id=XAN),
        event("demolition", 20, ANN, other_player_id=YVE),
        event("demolition", 30, None, other_player_id=ANN),
        event("shot", 40, ANN),
        event("shot", 41, BEA),
        event("shot", 42, XAN),
    )
    theirs = {"demos_inflicted": 9, "demos_taken": 9, "shots_against": 9}
    found = players(
        *({"player_id": who} | theirs for who in (ANN, XAN, YVE)),
        # Who left is not on the scoreboard: nothing of the kind is known.
        {"player_id": BEA, "shots_against": None},
        happened=happened,
    )
    counted = {who: (row["demos_inflicted"], row["demos_taken"], row["shots_against"]) for who, row in found.items()}
    assert counted == {ANN: (2, 1, 1), XAN: (0, 1, 2), YVE: (0, 1, 2), BEA: (0, 0, None)}
    # Of another match there are no events.
    other = players({"player_id": ANN, "match_id": OTHER_MATCH} | theirs, happened=happened)
    assert [other[ANN][name] for name in theirs] == [9, 9, 9]


def test_guests_and_forgotten_players_have_no_account() -> None:
    found = players(*({"player_id": who} for who in (ANN, "guest_0a1b", "forgotten_1")))
    assert {who: row["has_account"] for who, row in found.items()} == {
        ANN: True,
        "guest_0a1b": False,
        "forgotten_1": False,
    }
