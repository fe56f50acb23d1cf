"""Ranks: names of all of them, both ways, and which one a player has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.rocket_league.reference import ranks
from gamestats_assets.rocket_league.tables import PlayerMatchFeatures
from gamestats_assets_tests.rocket_league.support.building import START, given_ranks, rows, tracked

# As the game shows them, the lowest first.
NAMES = [
    *("Bronze I", "Bronze II", "Bronze III"),
    *("Silver I", "Silver II", "Silver III"),
    *("Gold I", "Gold II", "Gold III"),
    *("Platinum I", "Platinum II", "Platinum III"),
    *("Diamond I", "Diamond II", "Diamond III"),
    *("Champion I", "Champion II", "Champion III"),
    *("Grand Champion I", "Grand Champion II", "Grand Champion III"),
    "Supersonic Legend",
]


def test_every_rank_has_a_name_of_the_game_and_one_of_ballchasing() -> None:
    assert [ranks.rank_name(tier) for tier in range(1, 23)] == NAMES
    written = [name.lower().replace("iii", "3").replace("ii", "2").replace(" i", " 1") for name in NAMES]
    assert [ranks.tier_id(tier) for tier in range(1, 23)] == [name.replace(" ", "-") for name in written]


@pytest.mark.parametrize("tier", range(1, 23))
def test_a_rank_is_read_as_people_write_it(tier: int) -> None:
    ways = [ranks.tier_id(tier), ranks.rank_name(tier), ranks.rank_name(tier).upper(), f" {ranks.tier_id(tier)}\n"]
    ways += [ranks.tier_id(tier).replace("-", " "), ranks.tier_id(tier).replace("-", "_")]
    assert {ranks.parse_rank(way) for way in ways} == {tier}


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("champoin-2", ["champion-2"]),
        ("champion", ["champion-1", "champion-2", "champion-3"]),
        ("champion-4", ["champion-1", "champion-2", "champion-3"]),
        ("grand champion", ["grand-champion-1", "grand-champion-3"]),
        ("unranked", ["bronze-1", "supersonic-legend"]),
        ("", ["bronze-1", "supersonic-legend"]),
        ("supersonic legend 1", ["supersonic-legend"]),
    ],
)
def test_an_unknown_rank_is_refused_with_those_near_it(text: str, near: list[str]) -> None:
    with pytest.raises(GamestatsError) as raised:
        ranks.parse_rank(text)
    assert repr(text) in str(raised.value)
    assert all(each in str(raised.value) for each in near)


@pytest.mark.parametrize("tier", [-1, 0, 23])
def test_numbers_of_no_rank_are_refused(tier: int) -> None:
    for asked in (ranks.tier_id, ranks.rank_name):
        with pytest.raises(ranks.UnknownRankError, match=rf"{tier} is no rank.* 1 \(bronze-1\) to 22"):
            asked(tier)


def test_some_ranks_in_a_row_are_named_by_the_first_and_the_last() -> None:
    assert ranks.rank_range(22, 22) == "players at Supersonic Legend"
    assert ranks.rank_range(12, 14) == "players from Platinum III to Diamond II"


# --------------------------------------------------------------------------- which one a player has


def seen(*matches: tuple[int, int | None], **fixed: Any) -> pl.DataFrame:
    """Matches of one player: hours after `START`, and the rank of each."""
    starts = [START + timedelta(hours=hours) for hours, _ in matches]
    return rows(
        PlayerMatchFeatures,
        *(
            {"match_date": at.date(), "started_at": at, "rank_tier": tier, "player_id": "steam_1"} | fixed
            for at, (_, tier) in zip(starts, matches, strict=True)
        ),
    )


def known(features: pl.DataFrame, *given: tuple[str, str, int, Any]) -> dict[tuple[Any, ...], int]:
    found = ranks.known_tiers(features.lazy(), given_ranks(*given).lazy()).collect()
    assert found.columns == ["is_simulated", "playlist", "player_id", "rank_tier"]
    return {row[:3]: row[3] for row in found.iter_rows()}


def test_a_given_rank_is_of_its_player_and_playlist() -> None:
    features = pl.concat(
        [seen((0, None)), seen((0, None), playlist="ranked-duels"), seen((0, None), player_id="steam_2")]
    )
    given_then = ("steam_1", "ranked-doubles", 16, START)
    assert known(features, given_then) == {(False, "ranked-doubles", "steam_1"): 16}


def test_ranks_of_simulated_matches_are_of_these_alone_and_given_ones_of_both() -> None:
    features = pl.concat([seen((0, 3)), seen((1, 20), is_simulated=True)])
    real, simulated = (False, "ranked-doubles", "steam_1"), (True, "ranked-doubles", "steam_1")
    assert known(features) == {real: 3, simulated: 20}
    later = ("steam_1", "ranked-doubles", 16, START + timedelta(days=1))
    assert known(features, later) == {real: 16, simulated: 16}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 22)), min_size=1, max_size=6),
    st.none() | st.tuples(st.integers(-1, 6), st.integers(1, 22)),
)
def test_the_known_rank_is_that_of_a_plain_reading(
    matches: list[tuple[int, int | None]], entered: tuple[int, int] | None
) -> None:
    ranked = [(hours, number, tier) for number, (hours, tier) in enumerate(matches) if tier]
    expected = max(ranked)[2] if ranked else None
    given_then = []
    if entered is not None:
        hours, tier = entered
        given_then = [("steam_1", "ranked-doubles", tier, START + timedelta(hours=hours))]
        if not ranked or hours > max(ranked)[0]:
            expected = tier
    assert known(seen(*matches), *given_then) == ({(False, "ranked-doubles", "steam_1"): expected} if expected else {})


def test_kept_are_the_matches_of_tracked_players_from_a_day_on() -> None:
    features = pl.concat([seen((0, 1), (24, 2), (48, 3)), seen((48, 4), player_id="steam_2")])
    found = ranks.kept(
        features.lazy(), tracked("steam_1", kept_from=(START + timedelta(days=1)).date()).lazy()
    ).collect()
    assert found.get_column("rank_tier").to_list() == [2, 3]
    assert found.columns == features.columns
