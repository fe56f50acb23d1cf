"""No damaged file ends what is done with the others, or goes uncounted; `benchmarks/fuzz.py` tries many more."""

from __future__ import annotations

from random import Random

import pytest

from gamestats_assets_tests.support.fuzzing import READERS


@pytest.mark.parametrize("name", READERS)
def test_damaged_documents_are_all_accounted_for(name: str) -> None:
    reader = READERS[name]
    if not reader.documents():
        pytest.skip("there are no real files")
    outcomes = reader.taken(reader.damaged(Random(name), max(20, reader.sample // 4)))
    assert outcomes["set aside"] < outcomes.total(), "so many are refused that little is tried"
