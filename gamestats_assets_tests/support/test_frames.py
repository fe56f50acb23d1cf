"""What counts as a difference between two frames."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from gamestats_assets_tests.support.frames import differences

KEY = ["player", "day"]
ROWS = pl.DataFrame(
    {
        "player": ["a", "a", None],
        "day": [1, 2, 1],
        "score": [0.1, float("nan"), None],
        "price": [Decimal("1.10"), None, Decimal("0.00")],
        "at": [datetime(2026, 1, 1, microsecond=1, tzinfo=UTC), None, None],
        "tags": [["x", None], [], None],
    }
)


def test_the_same_rows_in_another_order_do_not_differ() -> None:
    assert differences(ROWS, ROWS.reverse(), KEY).is_empty()
    nearly = ROWS.with_columns(pl.col("score") * (1 + 1e-10))
    assert differences(ROWS, nearly, KEY).is_empty()
    assert differences(ROWS.clear(), ROWS.clear(), KEY).is_empty()


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        ("score", 0, 0.1 * (1 + 1e-8)),
        ("score", 0, None),
        ("score", 0, float("inf")),
        ("score", 1, None),
        ("score", 1, 0.1),
        ("score", 2, 0.0),
        ("price", 0, Decimal("1.11")),
        ("price", 1, Decimal("0.00")),
        ("at", 0, datetime(2026, 1, 1, microsecond=2, tzinfo=UTC)),
        ("tags", 0, ["x", "y"]),
        ("tags", 1, None),
        ("tags", 2, []),
    ],
)
def test_another_value_is_told_with_its_key_and_column(column: str, row: int, value: object) -> None:
    values = ROWS[column].to_list()
    values[row] = value
    other = ROWS.with_columns(pl.Series(column, values, ROWS.schema[column]))
    key = (ROWS["player"][row], ROWS["day"][row])
    assert differences(ROWS, other, KEY).select(*KEY, "column").rows() == [(*key, column)]
    assert differences(other, ROWS, KEY).select(*KEY, "column").rows() == [(*key, column)]


def test_rows_that_one_side_lacks_or_has_twice_are_told() -> None:
    told = differences(ROWS, ROWS.head(2).vstack(ROWS.head(1)), KEY).sort("player", nulls_last=True)
    assert told.select("player", "day", "column", "left", "right").rows() == [
        ("a", 1, "(rows)", "1", "2"),
        (None, 1, "(rows)", "1", "0"),
    ]
    assert differences(ROWS.vstack(ROWS), ROWS.vstack(ROWS), KEY).height == 3


def test_frames_of_other_types_are_not_compared() -> None:
    with pytest.raises(ValueError, match="one schema"):
        differences(ROWS, ROWS.with_columns(pl.col("day").cast(pl.Int8)), KEY)
    with pytest.raises(ValueError, match="one schema"):
        differences(ROWS, ROWS.drop("tags"), KEY)
