"""The tables that the analyst reads: each clause matches its example, and each word has one meaning."""

from __future__ import annotations

import csv
import re
import tomllib

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.analysis.meaning.kinds import EventKind
from gamestats_assets.demo_data.taxonomies.model import Event, Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.settings import shipped

_FOLDER = shipped("data", "reference", "demo_data")
CLAUSES = tomllib.loads((_FOLDER / "analyst_clauses.toml").read_text(encoding="utf-8"))["clause"]


def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: f"{clause['role']}: {clause['example']}")
def test_a_clause_is_found_in_its_example(clause: dict[str, str]) -> None:
    assert re.search(clause["pattern"], clause["example"].lower(), re.IGNORECASE)


def test_a_word_means_one_concept() -> None:
    told = [(word, row["concept"]) for row in _rows("analyst_words.csv") for word in row["words"].split()]
    assert len(told) == len(dict(told))


def test_kinds_are_those_that_there_are_and_the_last_row_takes_everything() -> None:
    rows = _rows("analyst_kinds.csv")
    assert {row["kind"] for row in rows} <= set(EventKind)
    assert not any(rows[-1][name] for name in ("says", "says_too", "action", "phase", "things", "but", "is"))


@pytest.mark.parametrize(
    "row", [*_rows("analyst_earlier.csv"), *_rows("analyst_usual.csv")], ids=lambda row: row["example"]
)
def test_what_is_done_needs_what_is_done_before(row: dict[str, str]) -> None:
    later, _, before = row["example"].partition(" after ")
    names = [before.replace(" ", "_").replace("-", "_"), later.replace("-", "_")]
    rules = analyse(
        Taxonomy(name="sheet", events=tuple(Event(name=name) for name in names)), ProductInfo(industry="other")
    )
    steps = [[event for step in s.steps for event in step.events] for s in rules.event_constraints.sequences]
    assert names in steps or names[0] in rules.event_constraints.prerequisites.get(names[1], [])
