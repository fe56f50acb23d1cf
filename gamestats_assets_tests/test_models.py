"""Every shipped SQL model, without data: what it says, reads and gives, and that it could run on Spark."""

from __future__ import annotations

import pytest

from gamestats_assets.lakehouse.model_text import objections
from gamestats_assets.lakehouse.sql import check_types
from gamestats_assets.settings import shipped
from gamestats_assets_tests.frames import KNOWN, model


@pytest.mark.parametrize("name", sorted(f"{path.parent.name}.{path.stem}" for path in shipped("sql").glob("*/*.sql")))
def test_a_model_says_what_it_is_fits_its_table_and_means_the_same_on_spark(name: str) -> None:
    wanted = model(KNOWN[name])
    check_types(wanted)
    assert objections(wanted) == []
    assert wanted.description
    assert set(wanted.column_lineage) == set(wanted.table.columns())
