"""Declarations of tables: what they define and why they are refused."""

import types
from datetime import date
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from gamestats_assets.lakehouse.table import OBJECT, PartitionKeyError, Table, TableDeclarationError, partition_key_of
from gamestats_assets_tests.lakehouse.declared import Clubs, Fans, Goals, Sales


def declare(key: str = "demo/things", *, doc: str | None = "Things.", columns: dict, **keywords: object) -> type[Table]:
    """A table class made from its parts."""
    body = {"__module__": __name__, **columns, **({"__doc__": doc} if doc else {})}
    return types.new_class(
        "Things", (Table,), {"key": key, "layer": "silver", **keywords}, lambda namespace: namespace.update(body)
    )


def an_id() -> dy.String:
    return dy.String(primary_key=True, description="Id.")


def test_a_declaration_tells_its_parts() -> None:
    assert (Goals.spec.game, Goals.spec.name, Goals.spec.dotted) == ("demo", "goals", "demo.goals")
    assert Goals.primary_key() == ["match_id", "player", "day"]
    assert Goals.description() == "Goals of one player in one match."
    assert Goals.descriptions()["minute"] == "Minute of the first goal."
    assert list(Goals.schema().items()) == [
        ("match_id", pl.String()),
        ("player", pl.String()),
        ("day", pl.Date()),
        ("goals", pl.Int16()),
        ("minute", pl.Float64()),
    ]


def test_a_class_without_a_key_lends_its_columns() -> None:
    class Timed(Table):
        at = dy.Datetime(time_unit="us", time_zone="UTC", description="Time.")

    class Shots(Timed, key="demo/shots", layer="bronze"):
        """Shots."""

        shot = an_id()

    assert set(Shots.column_names()) == {"at", "shot"}
    assert not hasattr(Timed, "spec")


def text(**more: Any) -> dy.String:
    return dy.String(**{"description": "Text.", **more})


NUMBER, TIME = {"description": "N."}, {"description": "T."}


@pytest.mark.parametrize(
    ("keywords", "columns", "problem"),
    [
        ({"key": "Demo/things"}, {}, "key 'Demo/things' is not of the form game/table"),
        ({"key": "things"}, {}, "key 'things' is not of the form game/table"),
        ({"key": "demo/things/more"}, {}, "is not of the form game/table"),
        ({"doc": None}, {}, "it has no docstring"),
        ({"partitioned_by": "day"}, {}, "names column 'day', which does not exist"),
        ({"replaced_by": "match"}, {}, "names column 'match', which does not exist"),
        ({"reconciled": ("sum",)}, {}, "names column 'sum', which does not exist"),
        ({"indexes": (("id", "x"),)}, {}, "names column 'x', which does not exist"),
        ({"months_of": "at", "published": True}, {}, "names column 'at', which does not exist"),
        ({}, {"id": text()}, "no column is a primary key"),
        ({}, {"id": dy.String(primary_key=True)}, "column 'id' has no description"),
        ({}, {"n": dy.UInt8(**NUMBER)}, "column 'n' is UInt8; use a signed integer"),
        ({}, {"n": dy.List(dy.UInt8(), **NUMBER)}, "column 'n' is List(UInt8); use a signed integer"),
        ({}, {"n": dy.Enum(["a"], **NUMBER)}, "column 'n' is Enum"),
        ({}, {"n": dy.Duration(**NUMBER)}, "column 'n' is Duration"),
        ({}, {"n": dy.Binary(**NUMBER)}, "column 'n' is Binary; a Binary, and nothing else, has metadata=OBJECT"),
        ({}, {"n": text(metadata={**OBJECT})}, "column 'n' is String; a Binary, and nothing else, has metadata=OBJECT"),
        ({}, {"t": dy.Datetime(**TIME)}, "use dy.Datetime(time_unit='us', time_zone='UTC')"),
        ({}, {"t": dy.Datetime(time_unit="ns", time_zone="UTC", **TIME)}, "use dy.Datetime(time_unit='us'"),
        ({"partitioned_by": "d"}, {"d": dy.Date(nullable=True, **TIME)}, "column 'd' says what a write replaces, so"),
        ({"replaced_by": "m"}, {"m": text(nullable=True)}, "column 'm' says what a write replaces, so it cannot be"),
        ({"partitioned_by": "n"}, {"n": dy.Int32(**NUMBER)}, "partition column 'n' must be a Date or a String"),
        ({"partitioned_by": "shop_day"}, {"shop_day": text()}, "it must have a String column 'shop'"),
        ({"partitioned_by": "app_day"}, {"app_day": text(), "app": text()}, "'app' must come after 'day' by alphabet"),
        ({"replaced_by": "n"}, {"n": dy.Int32(**NUMBER)}, "column 'n' holds the ids that writes replace"),
    ],
)
def test_a_wrong_declaration_is_refused_with_the_reason(
    keywords: dict[str, Any], columns: dict[str, dy.Column], problem: str
) -> None:
    with pytest.raises(TableDeclarationError) as refused:
        declare(columns={"id": an_id(), **columns}, **keywords)
    assert "Table Things cannot be declared" in str(refused.value)
    assert problem in str(refused.value)


def test_a_partition_key_is_read_as_the_partition_columns_type() -> None:
    assert Goals.partition_value("2026-03-14") == date(2026, 3, 14)
    assert Fans.partition_value("red's / 50%") == "red's / 50%"
    assert Clubs.partition_value("anything") == "anything"
    assert partition_key_of(date(2026, 3, 14)) == "2026-03-14"
    assert partition_key_of("red") == "red"


@pytest.mark.parametrize(
    "key", ["", "14.3.2026", "20260314", "2026-W11-6", "2026-02-30", "2026-3-14", "２０２６-03-14"]
)
def test_a_key_that_is_no_day_is_refused(key: str) -> None:
    with pytest.raises(PartitionKeyError, match="is not a day; write it as YYYY-MM-DD"):
        Goals.partition_value(key)


@pytest.mark.parametrize("key", ["", "__HIVE_DEFAULT_PARTITION__"])
def test_a_key_that_delta_would_read_back_as_null_is_refused(key: str) -> None:
    with pytest.raises(PartitionKeyError, match="would be read back as null"):
        Fans.partition_value(key)


def test_the_key_of_a_day_and_a_product_is_its_value() -> None:
    assert Sales.pair_dimension() == "product"
    assert Sales.partition_value("2026-03-14|it's / 50%") == "2026-03-14|it's / 50%"
    assert partition_key_of("2026-03-14|shop") == "2026-03-14|shop"
    assert [table.pair_dimension() for table in (Goals, Fans, Clubs)] == [None, None, None]


@pytest.mark.parametrize(
    "key", ["", "shop", "2026-03-14", "2026-03-14|", "|shop", "2026-02-30|shop", "20260314|shop", "2026-03-14|a|b"]
)
def test_a_key_that_is_no_day_and_product_is_refused(key: str) -> None:
    with pytest.raises(PartitionKeyError, match="is not a day and a product; write it as"):
        Sales.partition_value(key)
