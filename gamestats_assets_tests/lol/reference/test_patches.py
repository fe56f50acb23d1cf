"""Patches: what matches tell of them, which lists stand for them, and when their content is another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.reference.names import champion_names, item_names, named_champions, named_items
from gamestats_assets.lol.reference.patches import FeaturesTaken, ObjectivesTaken, patches
from gamestats_assets_tests.lol import real_pairs
from gamestats_assets_tests.lol.gold import assert_order_does_not_matter, frames, make, taken
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


def test_patches_are_numbered_as_numbers() -> None:
    made = of_matches(*({"patch": patch} for patch in ("9.24", "13.9", "13.10", "13.1", "14.1")))
    assert {patch: row["patch_number"] for patch, row in made.items()} == {
        "9.24": 9024, "13.1": 13001, "13.9": 13009, "13.10": 13010, "14.1": 14001,
    }  # fmt: skip


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

    def ledger(told: Mapping[str, str]) -> pl.DataFrame:
        schema = {"partition_key": pl.String, "unit_id": pl.String, "rows_hash": pl.String}
        return pl.DataFrame([("2026-03-14", *pair) for pair in told.items()], schema=schema, orient="row")

    matches = rows(
        t.Matches, *({"match_id": f"NA1_{number}", "patch": f"13.{13 + number // 2}"} for number in range(4))
    )
    told = {f"NA1_{number}": f"hash {number}" for number in range(4)} | dict(digests or {})
    taken = {FeaturesTaken: ledger(told), ObjectivesTaken: ledger(objectives or {})}
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


def test_content_is_the_same_where_only_matches_that_are_no_patchs_are_made() -> None:
    assert changed_patches(digests={"NA1_999": "of no match"}) == set()


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


def test_content_is_told_where_no_wide_row_was_made_yet() -> None:
    matches = rows(t.Matches, {})
    nothing = taken(matches).clear()
    known = {t.Matches: matches, FeaturesTaken: nothing, ObjectivesTaken: nothing}
    known |= {t.Items: ITEMS, t.Champions: CHAMPIONS}
    [row] = make(patches, known).to_dicts()
    assert row["content_hash"]
    assert row["content_hash"] != make(patches, known | {FeaturesTaken: taken(matches)})["content_hash"][0]


def test_order_of_rows_does_not_matter() -> None:
    assert_order_does_not_matter(patches, frames())


def test_no_matches_have_no_patches() -> None:
    empty = {table: frame.clear() for table, frame in frames().items()}
    assert make(patches, empty).is_empty()
    assert make(patches, {**frames(), t.Matches: empty[t.Matches]}).is_empty()


def test_real_patches_are_the_first_two_numbers_of_the_versions(realdata: Path) -> None:
    silver = real_pairs.silver(realdata)
    ledgers = {FeaturesTaken: taken(silver[t.Matches]), ObjectivesTaken: taken(silver[t.Objectives])}
    known = {**silver, **ledgers, t.Items: rows(t.Items), t.Champions: rows(t.Champions)}
    made = make(patches, known)
    told = {".".join(pair.match["gameVersion"].split(".")[:2]) for pair in real_pairs.documents(realdata).values()}
    assert set(made.get_column("patch")) == told
    assert made.get_column("matches_played").sum() == silver[t.Matches].height
    assert made.get_column("content_hash").n_unique() == made.height


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
