"""The catalogue of training packs, and its search against a plain reading of the file."""

from __future__ import annotations

import csv
import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.rocket_league.analysis.training_packs import (
    CATEGORIES,
    DIFFICULTY_OF_RANK,
    SKILLS,
    PackSearchError,
    find_packs,
    training_packs,
)
from gamestats_assets.settings import shipped


def written() -> list[dict[str, Any]]:
    """The file's lines, read without the code under test."""
    with shipped("data", "reference", "rocket_league", "training_packs.csv").open(encoding="utf-8", newline="") as file:
        lines: list[dict[str, Any]] = list(csv.DictReader(file))
    for line in lines:
        line["difficulty"] = int(line["difficulty"])
        line["creator"] = line["creator"] or None
        line["tags"] = [tag for tag in line["tags"].split(";") if tag]
    return lines


LINES = written()


def codes(packs: pl.DataFrame) -> list[str]:
    return packs["code"].to_list()


def test_the_catalogue_is_the_file() -> None:
    packs = training_packs()
    assert packs.to_dicts() == LINES
    assert packs.schema["difficulty"] == pl.Int32
    assert packs.schema["tags"] == pl.List(pl.String)
    assert packs.select(pl.exclude("creator").null_count()).row(0) == (0,) * (packs.width - 1)
    assert any(not line["tags"] for line in LINES), "a pack without tags shows that none is read as an empty list"
    assert any(line["creator"] is None for line in LINES)


def test_lines_are_packs_with_codes_of_their_own_for_every_skill_and_difficulty() -> None:
    listed = [line["code"] for line in LINES]
    assert [code for code in listed if not re.fullmatch(r"[0-9A-F]{4}(-[0-9A-F]{4}){3}", code)] == []
    assert sorted(set(listed)) == sorted(listed)
    assert {line["category"] for line in LINES} == set(CATEGORIES)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", tag) for line in LINES for tag in line["tags"])
    assert list(DIFFICULTY_OF_RANK.values()) == sorted(set(DIFFICULTY_OF_RANK.values()))
    for skill in SKILLS:
        for band in (range(1, 4), range(4, 7), range(7, 11)):
            assert sum(line["category"] == skill and line["difficulty"] in band for line in LINES) >= 3, (skill, band)


def test_upper_case_and_blanks_do_not_matter() -> None:
    packs = training_packs()
    assert find_packs(packs, category=" Wall Play ").equals(find_packs(packs, category="wall_play"))
    assert find_packs(packs, category="WALL-PLAY").height > 0
    assert find_packs(packs, tags=["Shadow Defence"]).equals(find_packs(packs, tags=["shadow_defence"]))
    shouted = packs.with_columns(pl.col("tags").list.eval(pl.element().str.to_uppercase()))
    assert codes(find_packs(shouted, tags=["ceiling"])) == codes(find_packs(packs, tags=["ceiling"]))


WORDS = sorted(
    {word for line in LINES for word in re.findall(r"[a-z]+", f"{line['name']} {line['description']}".lower())}
)
TAGS = sorted({tag for line in LINES for tag in line["tags"]})


@given(
    category=st.none() | st.sampled_from(CATEGORIES),
    bounds=st.none() | st.tuples(st.integers(1, 10), st.integers(1, 10)),
    tags=st.lists(st.sampled_from(TAGS), max_size=2),
    words=st.lists(st.sampled_from([*WORDS, "zzzz", "kevpert", "A503-264C"]), max_size=2),
)
def test_conditions_together_select_what_a_plain_reading_selects(
    category: str | None, bounds: tuple[int, int] | None, tags: list[str], words: list[str]
) -> None:
    difficulty = (min(bounds), max(bounds)) if bounds else None
    plain: list[str] = []
    for line in LINES:
        held = " ".join([line["code"], line["name"], line["description"], line["creator"] or "", *line["tags"]]).lower()
        if (
            category in (None, line["category"])
            and (difficulty is None or difficulty[0] <= line["difficulty"] <= difficulty[1])
            and all(tag in line["tags"] for tag in tags)
            and all(word.lower() in held for word in words)
        ):
            plain.append(line["code"])
    found = find_packs(training_packs(), category=category, difficulty=difficulty, tags=tags, text=" ".join(words))
    assert codes(found) == plain
    assert found.schema == training_packs().schema


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"category": "Arials"}, "'Arials'.*Did you mean aerials?.*wall_play"),
        ({"category": "qqqq"}, "'qqqq'.*There are: aerials, saves"),
        ({"difficulty": (7, 3)}, "found 7 and 3: write the lower one first, such as 3 and 7"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_what_can(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(PackSearchError, match=message):
        find_packs(training_packs(), **asked)
