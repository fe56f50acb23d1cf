"""Patches: what matches tell of them, which lists stand for them, and when their content is another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.reference.names import champion_names, item_names, named_champions, named_items
from gamestats_assets.lol.reference.patches import FeaturesTaken, ObjectivesTaken, patches
from gamestats_assets_tests.lol.gold import frames, make, taken
from gamestats_assets_tests.lol.scenario import rows

Row = dict[str, Any]


def of_matches(*given: Mapping[str, Any], **tables: pl.DataFrame) -> dict[str, Row]:
    """Patches of some matches, by patch."""
    numbered = ({"match_id": f"NA1_{number}", "duration_s": 1800.0} | dict(row) for number, row in enumerate(given))
    matches = rows(t.Matches, *numbered)
    known: dict[Any, pl.DataFrame] = {
        t.Matches: matches,
        FeaturesTaken: taken(matches),
        ObjectivesTaken: taken(matches).clear(),
        t.Items: rows(t.Items),
        t.Champions: rows(t.Champions),
    }
    made = make(patches, known | {getattr(t, name): frame for name, frame in tables.items()})
    return {row["patch"]: row for row in made.to_dicts()}


# --------------------------------------------------------------------------- what matches tell


def test_patches_are_those_of_matches_with_their_days() -> None:
    by_patch: dict[str, list[Row]] = defaultdict(list)
    for match in frames()[t.Matches].to_dicts():
        by_patch[match["patch"]].append(match)
    made = {row["patch"]: row for row in make(patches, frames()).to_dicts()}
    assert made.keys() == by_patch.keys() == {"13.13", "13.14"}
    for patch, own in by_patch.items():
        row = made[patch]
        assert row["matches_played"] == len(own)
        assert row["matches_in_statistics"] == sum(match["in_statistics"] for match in own)
        assert row["first_day"] == min(match["match_date"] for match in own)
        assert row["last_day"] == max(match["match_date"] for match in own)
        assert (row["data_dragon_version"], row["version_is"]) == (f"{patch}.1", "exact")
    assert made["13.13"]["last_day"] <= made["13.14"]["first_day"]


def test_a_patch_has_matches_that_do_not_count() -> None:
    made = of_matches({"in_statistics": False, "match_date": date(2026, 3, 1)}, {"match_date": date(2026, 3, 9)})
    row = made["13.14"]
    assert (row["matches_played"], row["matches_in_statistics"]) == (2, 1)
    assert (row["first_day"], row["last_day"]) == (date(2026, 3, 1), date(2026, 3, 9))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([("13.15.1", "later"), ("13.12.1", "earlier")], ("13.12.1", "earlier")),
        ([("13.12.1", "earlier"), ("13.9.1", "earlier"), ("13.13.1", "earlier")], ("13.13.1", "earlier")),
        ([("13.13.1", "earlier"), ("13.14.1", "exact")], ("13.14.1", "exact")),
        ([("13.14.1", "exact"), ("13.14.10", "exact"), ("13.14.2", "exact")], ("13.14.10", "exact")),
        ([("14.1.1", "later"), ("13.20.1", "later")], ("13.20.1", "later")),
        ([(None, "none"), ("13.20.1", "later")], ("13.20.1", "later")),
        ([(None, "none")], (None, "none")),
    ],
)
def test_the_nearest_list_that_matches_were_made_with_stands(
    found: list[tuple[str | None, str]], expected: tuple[str | None, str]
) -> None:
    for order in (found, found[::-1]):
        row = of_matches(*({"data_dragon_version": version, "version_is": kind} for version, kind in order))["13.14"]
        assert (row["data_dragon_version"], row["version_is"]) == expected


# --------------------------------------------------------------------------- content

ITEMS = rows(
    t.Items,
    {"version": "13.13.1", "patch": "13.13", "item_id": 3078, "name": "Trinity Force"},
    {"version": "13.14.1", "patch": "13.14", "item_id": 3078, "name": "Trinity Force", "name_ko": "삼위일체"},
)
CHAMPIONS = rows(t.Champions, {"version": "13.13.1", "patch": "13.13", "champion_id": 1, "name": "Annie"})


def hashes(
    digests: Mapping[str, str] | None = None,
    objectives: Mapping[str, str] | None = None,
    items: pl.DataFrame = ITEMS,
    champions: pl.DataFrame = CHAMPIONS,
) -> dict[str, str]:
    """Content hashes of two patches with two matches each."""

    def ledger(result: Mapping[str, str]) -> pl.DataFrame:
        schema = {"partition_key": pl.String, "unit_id": pl.String, "rows_hash": pl.String}
        return pl.DataFrame([("2026-03-14", *pair) for pair in result.items()], schema=schema, orient="row")

    matches = rows(
        t.Matches, *({"match_id": f"NA1_{number}", "patch": f"13.{13 + number // 2}"} for number in range(4))
    )
    result = {f"NA1_{number}": f"hash {number}" for number in range(4)} | dict(digests or {})
    taken = {FeaturesTaken: ledger(result), ObjectivesTaken: ledger(objectives or {})}
    known = {t.Matches: matches, **taken, t.Items: items, t.Champions: champions}
    return dict(make(patches, known).select("patch", "content_hash").iter_rows())


def changed_patches(**given: Any) -> set[str]:
    """Patches whose content is another with what is given."""
    before, after = hashes(), hashes(**given)
    return {patch for patch in before if before[patch] != after[patch]}


def test_content_is_another_when_a_match_is_made_of_something_else() -> None:
    assert changed_patches(digests={"NA1_0": "another"}) == {"13.13"}
    assert changed_patches(digests={"NA1_3": "another"}) == {"13.14"}
    assert changed_patches(digests={"NA1_0": "hash 1", "NA1_1": "hash 0"}) == {"13.13"}


def test_content_is_another_when_an_objective_is() -> None:
    assert changed_patches(objectives={"NA1_0": "later"}) == {"13.13"}


def test_content_is_another_when_something_is_called_otherwise() -> None:
    of_later = pl.col("version") == "13.14.1"
    renamed = ITEMS.with_columns(name_ko=pl.when(of_later).then(pl.lit("다른")).otherwise("name_ko"))
    assert changed_patches(items=renamed) == {"13.14"}
    # One list of champions stands for both.
    assert changed_patches(champions=CHAMPIONS.with_columns(name=pl.lit("Anne"))) == {"13.13", "13.14"}
    assert changed_patches(champions=CHAMPIONS.with_columns(name_ko=pl.lit("애니"))) == {"13.13", "13.14"}


def test_content_is_the_same_when_nothing_that_is_read_changes() -> None:
    assert changed_patches(items=ITEMS.with_columns(gold_total=pl.lit(3333, pl.Int32))) == set()
    assert changed_patches(items=ITEMS.reverse()) == set()


# --------------------------------------------------------------------------- names

LISTED = rows(
    t.Items,
    {"version": "13.14.1", "patch": "13.14", "item_id": 1, "name": "One", "name_ko": "하나"},
    {"version": "13.14.1", "patch": "13.14", "item_id": 2, "name": "Two"},
)


def test_items_of_a_list_are_named_in_turn() -> None:
    names = item_names(rows(t.Patches, {"patch": "13.15"}).lazy(), LISTED.lazy())
    paths = pl.DataFrame({"patch": ["13.15", "13.15", "12.1"], "ids": [[2, 1], [1, 7], [1]]})
    made = named_items(paths, "ids", names)
    assert made.get_column("names").to_list() == [["Two", "One"], ["One", "item 7"], ["item 1"]]
    assert made.get_column("names_ko").to_list() == [["Two", "하나"], ["하나", "item 7"], ["item 1"]]


def test_champions_have_their_names_and_all_together_none() -> None:
    ezreal = {"champion_id": 81, "name": "Ezreal", "name_ko": "이즈리얼"}
    listed = rows(t.Champions, {"version": "13.16.1", "patch": "13.16"} | ezreal)
    names = champion_names(rows(t.Patches, {"patch": "13.15"}).lazy(), listed.lazy())
    asked = pl.DataFrame({"patch": "13.15", "champion_id": [81, 0, 5]}, schema_overrides={"champion_id": pl.Int32})
    made = named_champions(asked, names)
    assert made.select("champion_name", "champion_name_ko").rows() == [
        ("Ezreal", "이즈리얼"), (None, None), ("champion 5", None),
    ]  # fmt: skip
