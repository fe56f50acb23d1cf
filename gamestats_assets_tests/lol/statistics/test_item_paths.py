"""Frequent paths of core items, against every subsequence of every game."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.statistics.item_paths import item_path_sequences
from gamestats_assets_tests.lol.gold import (
    CELL,
    cell_of,
    frames,
    make,
    wilson,
)
from gamestats_assets_tests.lol.scenario import rows

SUPPORT, FEWEST, LONGEST, ITEMS = 0.05, 10, 4, 6
Path = tuple[int, ...]
Row = dict[str, Any]


def brute(games: Sequence[Row]) -> dict[Path, Row]:
    """Every frequent path of the games of one cell."""
    lists = [(tuple(game["core_item_ids"][:ITEMS]), game["won"]) for game in games if (game["core_items"] or 0) >= 2]
    having: Counter[Path] = Counter()
    wins: Counter[Path] = Counter()
    expected: dict[Path, float] = defaultdict(float)
    rates = [statistics.fmean(won for items, won in lists if len(items) >= reached)
             for reached in range(max((len(items) for items, _ in lists), default=-1) + 1)]  # fmt: skip
    for items, won in lists:
        # Of each path of a game once.
        for path in {path for size in range(2, LONGEST + 1) for path in itertools.combinations(items, size)}:
            having[path] += 1
            wins[path] += won
            expected[path] += rates[items.index(path[-1]) + 1]
    eligible = {size: sum(len(items) >= size for items, _ in lists) for size in range(2, LONGEST + 1)}
    share = {item: sum(item in items for items, _ in lists) / len(lists) for items, _ in lists for item in items}
    frequent = {
        path: {
            "games": count,
            "wins": wins[path],
            "support": count / eligible[len(path)],
            # Of games with as many items as this one had when it had the path.
            "baseline_win_rate": expected[path] / count,
            "lift": count / len(lists) / (math.prod(share[item] for item in path) / math.factorial(len(path))),
        }
        for path, count in having.items()
        if count >= FEWEST and count / eligible[len(path)] >= SUPPORT
    }
    for path, row in frequent.items():
        row["is_closed"] = not any(
            other["games"] == row["games"] and len(longer) > len(path) and is_within(path, longer)
            for longer, other in frequent.items()
        )
    return frequent


def is_within(path: Path, longer: Path) -> bool:
    """Whether the items stand in the longer path in their order."""
    remaining = iter(longer)
    return all(item in remaining for item in path)


def assert_is_brute(made: pl.DataFrame, games: Sequence[Row]) -> None:
    """Every cell has the paths that trying all of them gives, with their figures."""
    by_cell: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for game in games:
        by_cell[cell_of(game)].append(game)
    result: dict[tuple[Any, ...], dict[Path, Row]] = defaultdict(dict)
    for row in made.to_dicts():
        result[tuple(row[name] for name in CELL)][tuple(row["item_ids"])] = row
    for cell, own in by_cell.items():
        expected, found = brute(own), result.pop(cell, {})
        assert found.keys() == expected.keys(), cell
        for path, row in found.items():
            for name, value in expected[path].items():
                assert row[name] == pytest.approx(value, rel=1e-9), (cell, path, name)
            assert row["path"] == ">".join(map(str, path))
            assert row["length"] == len(path)
            assert row["win_rate"] == pytest.approx(row["wins"] / row["games"])
            assert (row["win_rate_low"], row["win_rate_high"]) == pytest.approx(wilson(row["wins"], row["games"]))
    assert not result


# --------------------------------------------------------------------------- simulated matches


@pytest.fixture(scope="module")
def paths() -> pl.DataFrame:
    return make(item_path_sequences, frames())


def test_paths_are_all_that_are_frequent(paths: pl.DataFrame) -> None:
    assert paths.height > 500
    assert set(paths.get_column("length").unique()) >= {2, 3}
    some = pl.col("champion_id") % 3 == 0
    assert_is_brute(paths.filter(some), frames()[t.ParticipantFeatures].filter(some).to_dicts())


def test_paths_are_named_in_both_languages(paths: pl.DataFrame) -> None:
    items = {(row["patch"], row["item_id"]): row for row in frames()[t.Items].to_dicts()}
    for row in paths.to_dicts():
        parts = [items[row["patch"], item] for item in row["item_ids"]]
        assert row["path_name"] == " > ".join(part["name"] for part in parts)
        assert row["path_name_ko"] == " > ".join(part["name_ko"] for part in parts)


# --------------------------------------------------------------------------- by hand


def of_games(*games: Sequence[int], position: str | None = "TOP") -> tuple[pl.DataFrame, list[Row]]:
    """Paths of games of one champion, won in turn; and the games."""
    features = rows(
        t.ParticipantFeatures,
        *(
            {
                "match_id": f"NA1_{number}",
                "participant_id": 1,
                "champion_id": 1,
                "position": position,
                "won": number % 2 == 0,
                "core_items": len(items),
                "core_item_ids": list(items),
            }
            for number, items in enumerate(games, 1)
        ),
    )
    known = {
        t.ParticipantFeatures: features,
        t.Patches: rows(t.Patches, {"patch": "13.14"}),
        t.Items: rows(t.Items),
        t.Champions: rows(t.Champions),
    }
    return make(item_path_sequences, known), features.to_dicts()


def test_a_long_path_is_found_where_the_shorter_ones_within_it_are_rare() -> None:
    # Few games have three items: of these the path is a tenth, while its pairs are one in a hundred of all.
    games = [[1, 2, 3]] * 20 + [[40 + number % 30, 80 + number // 30, 7] for number in range(180)]
    games += [[100 + number % 40, 200 + number // 40] for number in range(1800)]
    made, result = of_games(*games)
    assert "1>2>3" in made.get_column("path")
    assert "1>2" not in made.get_column("path")
    assert_is_brute(made, result)


def test_a_path_of_few_games_is_not_frequent() -> None:
    made, _ = of_games(*[[1, 2]] * 10, *[[3, 4]] * 9)
    assert made.get_column("path").to_list() == ["1>2"]
    made, _ = of_games(*[[1, 2]] * 10, *[[3, 4]] * 191)
    assert made.get_column("path").to_list() == ["3>4"]


def test_items_between_do_not_matter_and_order_does() -> None:
    made, _ = of_games(*[[1, 9, 2]] * 10, *[[2, 1]] * 12)
    assert dict(made.select("path", "games").iter_rows()) == {
        "1>2": 10, "1>9": 10, "9>2": 10, "1>9>2": 10, "2>1": 12,
    }  # fmt: skip


def test_a_path_that_only_comes_within_a_longer_one_is_not_closed() -> None:
    made, _ = of_games(*[[1, 2, 3]] * 10, *[[2, 3]] * 5)
    assert dict(made.select("path", "is_closed").iter_rows()) == {
        "1>2": False, "1>3": False, "2>3": True, "1>2>3": True,
    }  # fmt: skip


def test_items_that_come_by_chance_in_any_order_have_a_lift_of_one() -> None:
    made, _ = of_games(*[*itertools.permutations((1, 2, 3))] * 10)
    lifts = dict(made.select("path", "lift").iter_rows())
    assert len(lifts) == 12
    assert list(lifts.values()) == pytest.approx([1.0] * 12)
