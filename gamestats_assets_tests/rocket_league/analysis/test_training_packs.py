"""The catalogue of training packs, and its search against a plain reading of the file."""

from __future__ import annotations

import csv
import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.rocket_league.analysis.training_packs import (
    CATEGORIES,
    DIFFICULTY_OF_RANK,
    SKILLS,
    PackSearchError,
    find_packs,
    training_packs,
)
from gamestats_assets.settings import shipped

BANDS = {"low": range(1, 4), "middle": range(4, 7), "high": range(7, 11)}


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


def test_codes_are_four_hexadecimal_groups_and_stand_once() -> None:
    listed = [line["code"] for line in LINES]
    assert [code for code in listed if not re.fullmatch(r"[0-9A-F]{4}(-[0-9A-F]{4}){3}", code)] == []
    assert sorted(set(listed)) == sorted(listed)
    # Codes are as good as random; a made-up one tends to repeat a group or to count upwards.
    for code in listed:
        groups = code.split("-")
        assert len(set(groups)) == 4
        assert "0123" not in code.replace("-", "")
        assert "ABCD" not in code.replace("-", "")


def test_categories_and_difficulties_are_the_stated_ones() -> None:
    assert {line["category"] for line in LINES} == set(CATEGORIES)
    assert {line["difficulty"] for line in LINES} == set(range(1, 11))
    assert list(DIFFICULTY_OF_RANK.values()) == sorted(set(DIFFICULTY_OF_RANK.values()))


@pytest.mark.parametrize("skill", SKILLS)
@pytest.mark.parametrize("band", BANDS)
def test_every_skill_has_packs_for_beginners_and_for_the_best(skill: str, band: str) -> None:
    found = [line for line in LINES if line["category"] == skill and line["difficulty"] in BANDS[band]]
    assert len(found) >= 3


def test_tags_are_lower_case_words_that_stand_once() -> None:
    for line in LINES:
        assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", tag) for tag in line["tags"]), line
        assert len(set(line["tags"])) == len(line["tags"]), line


def test_text_looks_into_names_descriptions_creators_tags_and_codes() -> None:
    packs = training_packs()
    in_name = find_packs(packs, text="uncomfortable SAVES")
    assert codes(in_name) == ["5CB2-6D82-1B54-47B7"]
    assert "F43A-8231-0B8F-B9FA" in codes(find_packs(packs, text="under control at once"))
    assert set(codes(find_packs(packs, text="kevpert"))) == {
        line["code"] for line in LINES if "kevpert" in f"{line['name']} {line['creator']}".lower()
    }
    assert "A503-264C-A7EB-D282" in codes(find_packs(packs, text="speedflip"))
    assert codes(find_packs(packs, text="a503-264c")) == ["A503-264C-A7EB-D282"]
    # A pack without a creator or without tags is still found.
    assert "78E7-FDBF-61FB-4EF3" in codes(find_packs(packs, text="catch & control"))
    assert "F22D-2A16-68BA-C6C7" in codes(find_packs(packs, text="redirect ryuu"))


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
    words=st.lists(st.sampled_from(WORDS), max_size=2),
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
            and all(word in held for word in words)
        ):
            plain.append(line["code"])
    found = find_packs(training_packs(), category=category, difficulty=difficulty, tags=tags, text=" ".join(words))
    assert codes(found) == plain


def test_what_nothing_meets_is_an_empty_list_with_the_same_columns() -> None:
    packs = training_packs()
    for nothing in (
        find_packs(packs, tags=["no such tag"]),
        find_packs(packs, text="zzzz"),
        find_packs(packs, category="kickoffs", difficulty=(10, 10)),
        find_packs(packs.clear(), category="saves", text="corner", tags=["clears"], difficulty=(1, 10)),
    ):
        assert nothing.is_empty()
        assert nothing.schema == packs.schema


def test_a_misspelt_category_gets_the_nearest_one_and_the_list() -> None:
    with pytest.raises(PackSearchError) as error:
        find_packs(training_packs(), category="Arials")
    message = str(error.value)
    assert "'Arials'" in message
    assert "Did you mean aerials?" in message
    assert all(category in message for category in CATEGORIES)
    assert isinstance(error.value, GamestatsError)
    with pytest.raises(PackSearchError, match="There are: aerials, saves") as far:
        find_packs(training_packs(), category="qqqq")
    assert "Did you mean" not in str(far.value)


def test_a_difficulty_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(PackSearchError, match="found 7 and 3: write the lower one first, such as 3 and 7"):
        find_packs(training_packs(), difficulty=(7, 3))
