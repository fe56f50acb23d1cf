"""The view of a product's events: each declared property typed, whatever the records hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.demo_data import tables as t
from gamestats_assets.demo_data.products.event_views import declared_columns, replace_view
from gamestats_assets.lakehouse.postgres.server import query
from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets_tests.demo_data.log_scenario import PRODUCT, rows


def declared(*given: tuple[str, str, str]) -> pl.DataFrame:
    """Rows of a taxonomy of scope, property and type, in the order of the sheet."""
    return rows(
        t.DemoTaxonomy,
        *(
            {"scope": scope, "event_name": "e", "property": name, "property_type": kind, "position": position}
            for position, (scope, name, kind) in enumerate(given)
        ),
    )


def shown(url: str, kind: str, values: Sequence[Any]) -> list[Any]:
    """The values in the view's column of a property that was declared so."""
    events = rows(
        t.Events,
        *(
            {"event_id": f"{place:02d}", "event_type": "track", "properties": json.dumps({"value": value})}
            for place, value in enumerate(values)
        ),
    )
    publish(SecretStr(url), t.Events, events["product_day"].unique().to_list(), events)
    replace_view(SecretStr(url), PRODUCT, declared(("event", "value", kind)))
    found = query(SecretStr(url), "select value from demo_data.events_shop order by event_id")
    return found["value"].to_list()


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (
            "time",
            ["2026-02-28 10:00:00", "2024-02-29 23:59:59.125", "2026-02-30 10:00:00", "2026-04-31 10:00:00",
             "2026-13-01 10:00:00", "0000-01-01 10:00:00", "2026-01-01 25:00:00", "2026-01-01 10:00:00." + "1" * 99,
             "now", 5, None],
            [datetime(2026, 2, 28, 10), datetime(2024, 2, 29, 23, 59, 59, 125_000), *[None] * 9],
        ),
        (
            "number",
            [1.5, "3.5", "-2e3", "1e999", "1e-999", "9" * 400, "0." + "0" * 400 + "1", "NaN", "x", True, None, 5e-324],
            [1.5, 3.5, -2000.0, *[None] * 8, 5e-324],
        ),
        ("boolean", [True, "false", "maybe", 1], [True, False, None, None]),
        ("string", ["x", 7, 1.5, True, ["a"]], ["x", "7", "1.5", "true", '["a"]']),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_null_and_never_an_error(
    kind: str, values: list[Any], expected: list[Any], fresh_database: str
) -> None:
    assert shown(fresh_database, kind, values) == expected


def test_a_common_property_has_its_own_type_whatever_an_event_says() -> None:
    taxonomy = declared(
        ("event", "Server_id", "number"), ("event", "level", "number"), ("common", "server_id", "string")
    )
    assert declared_columns(taxonomy) == [("Server_id", "Server_id", "string"), ("level", "level", "number")]


def test_events_that_disagree_on_a_type_have_a_text_column() -> None:
    taxonomy = declared(("event", "code", "number"), ("event", "code", "string"), ("event", "day", "time"))
    assert [kind for _, _, kind in declared_columns(taxonomy)] == ["string", "time"]
