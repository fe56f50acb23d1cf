"""Column lineage of SQL models, and its cache."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gamestats_assets.lakehouse.models.lineage import column_lineage
from gamestats_assets.lakehouse.models.sql import SqlModel, SqlModelError
from gamestats_assets_tests.lakehouse.models.test_sql import KNOWN, TOTALS, Totals


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SqlModel]:
    """Loads a text as the model of Totals, in a data folder of its own."""
    monkeypatch.setenv("GAMESTATS_DATA", str(tmp_path / "data"))
    path = tmp_path / "demo" / "totals.sql"
    path.parent.mkdir()

    def _load(text: str) -> SqlModel:
        path.write_text(text, encoding="utf-8")
        return SqlModel.load(path, Totals, KNOWN, ["since"])

    return _load


def test_lineage_goes_through_ctes_joins_and_aggregates(load: Callable[[str], SqlModel]) -> None:
    assert column_lineage(load(TOTALS)) == {
        "club": [("demo.clubs", "club")],
        "day": [("demo.goals", "day")],
        "goals": [("demo.goals", "goals")],
        "players": [("demo.goals", "player")],
        "best": [("demo.goals", "goals")],
    }


def test_lineage_names_every_origin_and_none_for_constants_or_series(load: Callable[[str], SqlModel]) -> None:
    found = column_lineage(
        load(
            """
            WITH numbers AS (SELECT unnest(generate_series(1, 3)) AS n)
            SELECT coalesce(c.club, g.player) AS club, g.day, count(*) AS goals, 1 AS players,
                   max(n)::SMALLINT AS best
            FROM demo.goals g LEFT JOIN demo.clubs c USING (player) CROSS JOIN numbers
            GROUP BY ALL
            """
        )
    )
    assert found["club"] == [("demo.clubs", "club"), ("demo.goals", "player")]
    assert found["goals"] == found["players"] == found["best"] == []


def test_lineage_covers_both_sides_of_a_union_and_stars(load: Callable[[str], SqlModel]) -> None:
    model = load(
        "WITH u AS (SELECT player, day FROM demo.goals UNION ALL SELECT club, NULL FROM demo.clubs),"
        " t AS (SELECT * FROM u) SELECT player AS club, day, 1 AS goals, 1 AS players, NULL AS best FROM t"
    )
    assert column_lineage(model)["club"] == [("demo.clubs", "club"), ("demo.goals", "player")]


def test_a_text_that_is_no_such_select_is_refused_with_its_file(load: Callable[[str], SqlModel]) -> None:
    with pytest.raises(SqlModelError, match=r"totals\.sql: cannot be read as DuckDB SQL"):
        column_lineage(load("SELECT player, FROM WHERE"))
    with pytest.raises(SqlModelError, match=r"totals\.sql: does not give club"):
        column_lineage(load("SELECT day, 1 AS goals, 1 AS players, 1 AS best FROM demo.goals"))


def test_lineage_is_kept_for_the_next_process_until_the_text_changes(
    load: Callable[[str], SqlModel], tmp_path: Path
) -> None:
    dagster = tmp_path / "data" / "dagster"
    found = column_lineage(load(TOTALS))
    # Only where Dagster has a folder.
    assert not dagster.exists()
    dagster.mkdir()
    assert column_lineage(load(TOTALS)) == found
    (file,) = dagster.rglob("*.json*")
    file.write_text(file.read_text().replace("demo.clubs", "demo.kept"))
    assert column_lineage(load(TOTALS)) == {**found, "club": [("demo.kept", "club")]}
    assert column_lineage(load(TOTALS.replace("c.club", "g.player AS club")))["club"] == [("demo.goals", "player")]
    file.write_text("no JSON")
    assert column_lineage(load(TOTALS)) == found
