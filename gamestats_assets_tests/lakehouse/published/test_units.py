"""Publication of some units of a partition: replacement, notification, refusal."""

from __future__ import annotations

from datetime import date

import dataframely as dy
import polars as pl
import pytest

from gamestats_assets.lakehouse.published.publication import (
    OvertakenError,
    Within,
    everything_published,
    publish,
    units_published,
)
from gamestats_assets.lakehouse.published.tables import PublicationError
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.support.published import read_published

DAY, NEXT = date(2026, 3, 14), date(2026, 3, 15)
KEY, OTHER = DAY.isoformat(), NEXT.isoformat()


class Scores(
    Table,
    key="demo/scores",
    layer="gold",
    partitioned_by="day",
    replaced_by="match_id",
    published=True,
    reconciled=("points",),
    guarded_by=("player_id",),
):
    """Points of a player in a match."""

    match_id = dy.String(primary_key=True, description="Match.")
    player_id = dy.String(primary_key=True, description="Player.")
    day = dy.Date(description="UTC day.")
    points = dy.Int64(description="Points.")


def scores(day: date, **matches: dict[str, int]) -> pl.DataFrame:
    rows = [(match, player, day, points) for match, of in matches.items() for player, points in of.items()]
    return pl.DataFrame(rows, schema=Scores.schema(), orient="row")


def stored(url: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for match_id, player, _, points in read_published(url, Scores).sort(Scores.primary_key()).rows():
        found.setdefault(match_id, {})[player] = points
    return found


@pytest.fixture
def url(fresh_database: str) -> str:
    """A database in which two days are published, each with a match or two."""
    publish(
        fresh_database,
        Scores,
        [DAY, NEXT],
        pl.concat([scores(DAY, a={"ann": 1, "bob": 2}, b={"ann": 3}), scores(NEXT, c={"bob": 9})]),
        content_hash={DAY: "first", NEXT: "other"},
        units={DAY: {"a": "a1", "b": "b1"}, NEXT: {"c": "c1"}},
    )
    return fresh_database


def test_units_are_replaced_added_and_removed_and_all_else_stays(url: str) -> None:
    done = publish(
        url,
        Scores,
        [DAY],
        scores(DAY, b={"cem": 5, "dan": 6}, d={"ann": 7}),
        within=Within(["b", "d", "gone"], "first"),
        content_hash={DAY: "second"},
        units={DAY: {"a": "a1", "b": "b2", "d": "d1"}},
    )
    assert (done.rows_deleted, done.rows_inserted) == (1, 3)
    assert stored(url) == {"a": {"ann": 1, "bob": 2}, "b": {"cem": 5, "dan": 6}, "c": {"bob": 9}, "d": {"ann": 7}}
    publish(url, Scores, [DAY], scores(DAY), within=Within(["a"], "second"), content_hash={DAY: "third"})
    assert "a" not in stored(url)
    # All rows of a partition are counted, not those alone that were replaced.
    assert everything_published(url, [Scores], counted=True) == {Scores: {KEY: "third", OTHER: "other"}}


def test_what_is_published_of_each_unit_is_told_where_it_is_known(url: str) -> None:
    assert units_published(url, Scores, [KEY, "2026-01-01"]) == {KEY: ("first", {"a": "a1", "b": "b1"})}
    publish(url, Scores, [DAY], scores(DAY, a={"ann": 1}), content_hash={DAY: "unnamed units"})
    publish(url, Scores, [NEXT], scores(NEXT, c={"bob": 9}))
    assert units_published(url, Scores, [KEY, OTHER]) == {}
    assert everything_published(url, [Scores], counted=True, keys=[KEY]) == {Scores: {KEY: "unnamed units"}}


@pytest.mark.parametrize("before", ["another", None])
def test_what_somebody_else_published_meanwhile_is_not_mixed_with(url: str, before: str | None) -> None:
    publish(url, Scores, [DAY], scores(DAY, b={"zoe": 1}), content_hash={DAY: before} if before else None)
    with pytest.raises(OvertakenError, match="publish it whole"):
        publish(url, Scores, [DAY], scores(DAY, a={"ann": 4}), within=Within(["a"], "first"))
    assert stored(url) == {"b": {"zoe": 1}, "c": {"bob": 9}}


def test_rows_of_units_that_are_not_to_be_replaced_are_refused(url: str) -> None:
    with pytest.raises(PublicationError, match="have match_id b, which"):
        publish(url, Scores, [DAY], scores(DAY, a={"ann": 4}, b={"ann": 4}), within=Within(["a"], "first"))
    assert stored(url)["b"] == {"ann": 3}
