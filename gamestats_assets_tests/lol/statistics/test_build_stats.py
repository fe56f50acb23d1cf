"""Item builds and skill orders, counted again game by game."""

from __future__ import annotations

import functools
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.statistics.build_stats import item_build_stats, skill_order_stats
from gamestats_assets_tests.lol.gold import (
    CELL,
    cell_of,
    frames,
    make,
    wilson,
)
from gamestats_assets_tests.lol.scenario import rows

FEWEST = 5
Row = dict[str, Any]
Key = tuple[Any, ...]


def games() -> list[Row]:
    return frames()[t.ParticipantFeatures].to_dicts()


def keyed(made: pl.DataFrame, *key: str) -> dict[Key, Row]:
    """Rows by their key; each stands once."""
    found = {tuple(row[name] for name in key): row for row in made.to_dicts()}
    assert len(found) == made.height
    return found


# --------------------------------------------------------------------------- outcomes


def assert_interval_of_mean(low: float, high: float, values: list[float]) -> None:
    """At the ends Hall's cubic of Student's t has the values that t has at 2.5% and 97.5%."""
    n = len(values)
    mean, error = statistics.fmean(values), float(np.std(values, ddof=1)) / math.sqrt(n)
    slope = skewness(np.array(values)) / math.sqrt(n)
    ends = [
        x + slope * x * x / 3 + slope * slope * x**3 / 27 + slope / 6
        for x in ((mean - low) / error, (mean - high) / error)
    ]
    far = student(n - 1)
    assert ends == pytest.approx([far, -far], rel=1e-6)


def skewness(values: np.ndarray) -> float:
    """The adjusted one of Fisher and Pearson, G1; of two values it is none."""
    n, away = len(values), values - values.mean()
    if n < 3:
        return 0.0
    return float((away**3).mean() / (away**2).mean() ** 1.5) * math.sqrt(n * (n - 1)) / (n - 2)


@functools.cache
def student(freedom: int) -> float:
    return float(stats.t.ppf(0.975, freedom))


@functools.cache
def rank(n: int) -> int | None:
    """The last place of ordered values, from 0, below which the median of so many lies with 2.5% or less."""
    result = [place for place in range(n // 2) if stats.binom.cdf(place, n, 0.5) <= 0.025]
    return result[-1] if result else None


def ranks(values: list[float]) -> tuple[float | None, float | None]:
    """The narrowest two of the values that hold the median with 95% or more, as far from either end."""
    ordered, place = sorted(values), rank(len(values))
    return (None, None) if place is None else (ordered[place], ordered[-1 - place])


def assert_outcomes(row: Row, own: list[Row]) -> None:
    """The figures of a row are those of its games."""
    wins = sum(game["won"] for game in own)
    assert (row["games"], row["wins"]) == (len(own), wins)
    assert row["win_rate"] == pytest.approx(wins / len(own))
    assert (row["win_rate_low"], row["win_rate_high"]) == pytest.approx(wilson(wins, len(own)), abs=1e-12)
    kdas = [game["kda"] for game in own if game["kda"] is not None]
    assert row["kda"] == pytest.approx(statistics.median(kdas))
    assert (row["kda_low"], row["kda_high"]) == pytest.approx(ranks(kdas))
    for name in ("dpm", "gold_at_15"):
        known = [game[name] for game in own if game[name] is not None]
        result = (row[name], row[f"{name}_low"], row[f"{name}_high"])
        if not known:
            assert result == (None, None, None)
        elif len(known) == 1:
            assert result == (pytest.approx(known[0]), None, None)
        else:
            assert result[0] == pytest.approx(statistics.fmean(known))
            assert_interval_of_mean(result[1], result[2], known)


def supported(of: dict[Key, list[Row]]) -> dict[Key, list[Row]]:
    return {key: own for key, own in of.items() if len(own) >= FEWEST}


# --------------------------------------------------------------------------- item builds


@pytest.fixture(scope="module")
def builds() -> pl.DataFrame:
    return make(item_build_stats, frames())


def test_every_build_is_counted_with_its_figures(builds: pl.DataFrame) -> None:
    by_build: dict[Key, list[Row]] = defaultdict(list)
    by_length: dict[Key, list[Row]] = defaultdict(list)
    for game in games():
        for length in range(1, min(3, len(game["core_item_ids"] or ())) + 1):
            path = tuple(game["core_item_ids"][:length])
            by_build[*cell_of(game), ">".join(map(str, path))].append(game)
            by_length[*cell_of(game), length].append(game)
    expected = supported(by_build)
    made = keyed(builds, *CELL, "build")
    assert made.keys() == expected.keys()
    assert {key[1] for key in made} == {"ranked_solo", "aram"}
    assert {key[2] for key in made if key[1] == "aram"} == {"ALL"}
    for key, row in made.items():
        own, length = expected[key], row["items"]
        items = [int(item) for item in row["build"].split(">")]
        assert length == len(items)
        assert [row[f"item{slot}_id"] for slot in (1, 2, 3)] == [*items, None, None][:3]
        eligible = by_length[*key[:4], length]
        assert row["pick_share"] == pytest.approx(len(own) / len(eligible))
        assert row["baseline_win_rate"] == pytest.approx(statistics.fmean(game["won"] for game in eligible))
        assert row["completed_at_s"] == pytest.approx(
            statistics.median(game["core_items_at_s"][length - 1] for game in own)
        )
        assert row["team_gold_diff"] == pytest.approx(
            statistics.fmean(game["core_items_team_gold_diff"][length - 1] for game in own), rel=1e-6, abs=1e-6
        )
        assert_outcomes(row, own)


def test_builds_are_named_in_both_languages(builds: pl.DataFrame) -> None:
    items = {(row["patch"], row["item_id"]): row for row in frames()[t.Items].to_dicts()}
    champions = {(row["patch"], row["champion_id"]): row for row in frames()[t.Champions].to_dicts()}
    for row in builds.to_dicts():
        parts = [items[row["patch"], int(item)] for item in row["build"].split(">")]
        assert row["build_name"] == " > ".join(part["name"] for part in parts)
        assert row["build_name_ko"] == " > ".join(part["name_ko"] for part in parts)
        champion = champions[row["patch"], row["champion_id"]]
        assert (row["champion_name"], row["champion_name_ko"]) == (champion["name"], champion["name_ko"])


def wide(*given: Row, **every: Any) -> pl.DataFrame:
    """Wide rows of a match each, won in turn."""
    return rows(
        t.ParticipantFeatures,
        *(
            {
                "match_id": f"NA1_{number}",
                "participant_id": 1,
                "champion_id": 1,
                "position": "TOP",
                "won": number % 2 == 0,
                "kda": float(number),
                "dpm": 100.0 * number,
            }
            | every
            | with_items(row)
            for number, row in enumerate(given, 1)
        ),
    )


def with_items(row: Row) -> Row:
    """A row with all that a list of core items brings."""
    if "core_item_ids" not in row:
        return row
    count = len(row["core_item_ids"])
    return {
        "core_items": count,
        "core_items_at_s": [600.0 * (slot + 1) for slot in range(count)],
        "core_items_team_gold_diff": [None] * count,
        "core_items_lane_gold_diff": [None] * count,
    } | row


def by_hand(function: Callable[..., Any], features: pl.DataFrame, **tables: Any) -> pl.DataFrame:
    """Statistics of wide rows, with names given or none."""
    known: dict[Any, pl.DataFrame] = {
        t.ParticipantFeatures: features,
        t.Patches: rows(t.Patches, {"patch": "13.14"}),
        t.Items: rows(t.Items),
        t.Champions: rows(t.Champions),
    }
    return make(function, known | {getattr(t, name): frame for name, frame in tables.items()})


def test_a_build_of_four_games_has_no_row() -> None:
    features = wide(*({"core_item_ids": [3078]} for _ in range(5)), *({"core_item_ids": [3004]} for _ in range(4)))
    [row] = by_hand(item_build_stats, features).to_dicts()
    assert (row["build"], row["games"], row["wins"], row["pick_share"]) == ("3078", 5, 2, 5 / 9)
    assert row["baseline_win_rate"] == 4 / 9


def test_the_order_of_items_makes_the_build() -> None:
    features = wide(*({"core_item_ids": path} for path in [[1, 2, 3, 4]] * 5 + [[2, 1, 3]] * 6))
    made = by_hand(item_build_stats, features)
    assert dict(made.select("build", "games").iter_rows()) == {
        "1": 5, "1>2": 5, "1>2>3": 5, "2": 6, "2>1": 6, "2>1>3": 6,
    }  # fmt: skip


def test_unknown_gold_and_unknown_names_leave_gaps_and_numbers() -> None:
    [row] = by_hand(item_build_stats, wide(*({"core_item_ids": [9999]} for _ in range(5)))).to_dicts()
    assert (row["build_name"], row["build_name_ko"]) == ("item 9999", "item 9999")
    assert (row["champion_name"], row["champion_name_ko"]) == ("champion 1", None)
    assert (row["gold_at_15"], row["gold_at_15_low"], row["gold_at_15_high"]) == (None, None, None)
    assert row["team_gold_diff"] is None
    assert row["dpm"] == 300.0


def test_names_are_of_the_nearest_version_and_english_where_korean_is_missing() -> None:
    items = rows(
        t.Items,
        {"version": "13.9.1", "patch": "13.9", "item_id": 3078, "name": "Old", "name_ko": "옛"},
        {"version": "13.13.1", "patch": "13.13", "item_id": 3078, "name": "Near"},
        {"version": "13.15.1", "patch": "13.15", "item_id": 3078, "name": "Late", "name_ko": "늦은"},
    )
    features = wide(*({"core_item_ids": [3078]} for _ in range(5)))
    [row] = by_hand(item_build_stats, features, Items=items).to_dicts()
    assert (row["build_name"], row["build_name_ko"]) == ("Near", "Near")


def test_who_has_no_position_where_others_have_one_is_in_no_cell() -> None:
    of_lane = [{"core_item_ids": [3078], "skill_first_levels": "QWEQQR"}] * 6
    of_nobody = [{**of_lane[0], "position": None}] * 6
    features = wide(*of_lane, *of_nobody)
    for function in (item_build_stats, skill_order_stats):
        made = by_hand(function, features)
        assert dict(made.select("position", "games").iter_rows()) == {"TOP": 6}
        alone = by_hand(function, wide(*of_nobody, queue_group="aram"))
        assert dict(alone.select("position", "games").iter_rows()) == {"ALL": 6}


# --------------------------------------------------------------------------- skill orders


@pytest.fixture(scope="module")
def orders() -> pl.DataFrame:
    return make(skill_order_stats, frames())


def skills_counted(game: Row) -> dict[str, set[str]]:
    """What a game counts for, of each kind."""
    levels = game["skill_first_levels"]
    if levels is None:
        return {}
    return {
        "max_order": {game["skill_max_order"]} if game["skill_order_is_complete"] else set(),
        "first_levels": {levels} if len(levels) == 6 else set(),
        # Seven of them end with the ninth level.
        "trigram": set(game["skill_trigrams"]) if len(game["skill_trigrams"]) == 7 else set(),
    }


def test_every_order_is_counted_with_its_figures(orders: pl.DataFrame) -> None:
    by_order: dict[Key, list[Row]] = defaultdict(list)
    eligible: dict[Key, list[bool]] = defaultdict(list)
    for game in games():
        for kind, result in skills_counted(game).items():
            if result:
                eligible[*cell_of(game), kind].append(game["won"])
            for skills in result:
                by_order[*cell_of(game), kind, skills].append(game)
    expected = supported(by_order)
    made = keyed(orders, *CELL, "kind", "skills")
    assert made.keys() == expected.keys()
    assert {key[4] for key in made} == {"max_order", "first_levels", "trigram"}
    for key, row in made.items():
        of_kind = eligible[key[:5]]
        assert row["pick_share"] == pytest.approx(len(expected[key]) / len(of_kind))
        assert row["baseline_win_rate"] == pytest.approx(statistics.fmean(of_kind))
        assert_outcomes(row, expected[key])


def test_three_levels_that_come_twice_count_once_for_a_game() -> None:
    nine = ["QWE", "WEQ", "EQW", "QWE", "WEQ", "EQW", "QWE"]
    made = by_hand(skill_order_stats, wide(*[skilled("QWEQWE", nine)] * 5))
    assert dict(made.filter(pl.col("kind") == "trigram").select("skills", "games").iter_rows()) == {
        "QWE": 5, "WEQ": 5, "EQW": 5,
    }  # fmt: skip


def skilled(levels: str, trigrams: Iterable[str] = (), *, complete: bool = False) -> Row:
    return {
        "skill_first_levels": levels,
        "skill_trigrams": list(trigrams),
        "skill_max_order": "QWE",
        "skill_order_is_complete": complete,
    }
