"""Declarations of tables: what they define and why they are refused."""

import types
from datetime import date
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from gamestats_assets.lakehouse.table import (
    OBJECT,
    PartitionKeyError,
    Table,
    TableDeclarationError,
    partition_key_of,
)
from gamestats_assets_tests.lakehouse.declared import Clubs, Fans, Goals, Sales


def declare(key: str = "demo/things", *, doc: str | None = "Things.", columns: dict, **keywords: object) -> type[Table]:
    """A table class made from its parts."""
    body = {"__module__": __name__, **columns, **({"__doc__": doc} if doc else {})}
    return types.new_class(
        "Things", (Table,), {"key": key, "layer": "silver", **keywords}, lambda namespace: namespace.update(body)
    )


def an_id() -> dy.String:
    return dy.String(primary_key=True, description="Id.")


def a_time(**more: Any) -> dy.Datetime:
    return dy.Datetime(time_unit="us", time_zone="UTC", description="Time.", **more)


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


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        pytest.param({"key": "Demo/things"}, "key 'Demo/things' is not of the form game/table", id="key-in-capitals"),
        pytest.param({"key": "things"}, "key 'things' is not of the form game/table", id="key-without-game"),
        pytest.param({"key": "demo/things/more"}, "is not of the form game/table", id="key-too-long"),
        pytest.param({"doc": None}, "it has no docstring", id="no-docstring"),
        pytest.param({"partitioned_by": "day"}, "names column 'day', which does not exist", id="unknown-partition"),
        pytest.param({"replaced_by": "match"}, "names column 'match', which does not exist", id="unknown-ids"),
        pytest.param({"reconciled": ("sum",)}, "names column 'sum', which does not exist", id="unknown-sum"),
        pytest.param({"indexes": (("id", "x"),)}, "names column 'x', which does not exist", id="unknown-index"),
        pytest.param({"columns": {"a": dy.Int8(description="A.")}}, "no column is a primary key", id="no-key"),
        pytest.param({"columns": {"id": dy.String(primary_key=True)}}, "column 'id' has no description", id="no-text"),
        pytest.param(
            {"columns": {"id": an_id(), "n": dy.UInt8(description="N.")}},
            "column 'n' is UInt8; use a signed integer",
            id="unsigned",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "n": dy.List(dy.UInt8(), description="N.")}},
            "column 'n' is List(UInt8); use a signed integer",
            id="list-of-unsigned",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "e": dy.Enum(["a"], description="E.")}}, "column 'e' is Enum", id="enum"
        ),
        pytest.param(
            {"columns": {"id": an_id(), "d": dy.Duration(description="D.")}}, "column 'd' is Duration", id="duration"
        ),
        pytest.param(
            {"columns": {"id": an_id(), "b": dy.Binary(description="B.")}},
            "column 'b' is Binary; a Binary, and nothing else, has metadata=OBJECT",
            id="binary-without-objects",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "s": dy.String(metadata={**OBJECT}, description="S.")}},
            "column 's' is String; a Binary, and nothing else, has metadata=OBJECT",
            id="objects-of-texts",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "t": dy.Datetime(description="T.")}},
            "use dy.Datetime(time_unit='us', time_zone='UTC')",
            id="time-without-zone",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "t": dy.Datetime(time_unit="ns", time_zone="UTC", description="T.")}},
            "use dy.Datetime(time_unit='us', time_zone='UTC')",
            id="nanoseconds",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "day": dy.Date(nullable=True, description="Day.")}, "partitioned_by": "day"},
            "column 'day' says what a write replaces, so it cannot be nullable",
            id="nullable-partition",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "m": dy.String(nullable=True, description="M.")}, "replaced_by": "m"},
            "column 'm' says what a write replaces, so it cannot be nullable",
            id="nullable-ids",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "n": dy.Int32(description="N.")}, "partitioned_by": "n"},
            "partition column 'n' must be a Date or a String",
            id="partition-by-number",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "product_day": dy.String(description="P.")}, "partitioned_by": "product_day"},
            "its partitions are a day and a product, so it must have a String column 'product'",
            id="pair-without-its-name",
        ),
        pytest.param(
            {
                "columns": {"id": an_id(), "app": dy.String(description="A."), "app_day": dy.String(description="P.")},
                "partitioned_by": "app_day",
            },
            "'app' must come after 'day' by alphabet",
            id="pair-that-dagster-writes-the-other-way-round",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "day": dy.String(description="D.")}, "partitioned_by": "day"},
            "partition column 'day' is a String; days are a Date",
            id="day-as-text",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "n": dy.Int32(description="N.")}, "replaced_by": "n"},
            "column 'n' holds the ids that writes replace, so it must be a String",
            id="ids-as-numbers",
        ),
        pytest.param(
            {"months_of": "at", "published": True}, "names column 'at', which does not exist", id="unknown-months"
        ),
        pytest.param(
            {
                "columns": {"day": dy.Date(primary_key=True, description="Day.")},
                "months_of": "day",
                "published": True,
            },
            "column 'day' says a row's month, so it must be a non-nullable Datetime",
            id="months-of-days",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "at": a_time(nullable=True)}, "months_of": "at", "published": True},
            "column 'at' says a row's month, so it must be a non-nullable Datetime",
            id="months-of-nullable",
        ),
        pytest.param(
            {"columns": {"id": an_id(), "at": a_time()}, "months_of": "at", "published": True},
            "column 'at' says a row's month, so it must be part of the primary key",
            id="months-outside-the-key",
        ),
        pytest.param(
            {"columns": {"at": a_time(primary_key=True)}, "months_of": "at"},
            "months_of='at' is for PostgreSQL, so the table must be published",
            id="months-of-an-unpublished-table",
        ),
    ],
)
def test_a_wrong_declaration_is_refused_with_the_reason(parts: dict, said: str) -> None:
    with pytest.raises(TableDeclarationError) as refused:
        declare(**{"columns": {"id": an_id()}, **parts})
    assert "Table Things cannot be declared" in str(refused.value)
    assert said in str(refused.value)


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
