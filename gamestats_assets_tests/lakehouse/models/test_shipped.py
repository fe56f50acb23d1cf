"""Every shipped SQL model, without data: that it is of its table, and what it says could run on Spark."""

from __future__ import annotations

import pytest

from gamestats_assets.lakehouse.models.lineage import column_lineage
from gamestats_assets.lakehouse.models.spark import spark_sql
from gamestats_assets.settings import shipped
from gamestats_assets_tests.lakehouse.models.spark_objections import objections
from gamestats_assets_tests.support.frames import KNOWN, model, run_without_rows


@pytest.mark.parametrize("name", sorted(f"{path.parent.name}.{path.stem}" for path in shipped("sql").glob("*/*.sql")))
def test_a_model_says_what_it_is_fits_its_table_and_can_be_written_for_spark(name: str) -> None:
    wanted = model(KNOWN[name])
    assert wanted.text.startswith("-- ")
    run_without_rows(wanted)
    assert spark_sql(wanted)
    assert objections(wanted.text) == []
    assert set(column_lineage(wanted)) == set(wanted.table.columns())


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("median(goals)", "rank with row_number"),
        ("quantile_cont(goals, 0.5)", "rank with row_number"),
        ("current_date", "bind a $parameter"),
        ("random()", "bind a $parameter"),
        ("any_value(goals)", "use min or max"),
        ("arg_max(goals, scored_at)", "(time, row_number)"),
        ("arg_min(goals, (scored_at, player))", "FILTER"),
        ("list(goals)", "list_sort"),
        ("string_agg(player, ',')", "ORDER BY"),
        ("player LIKE pattern", "ESCAPE"),
        (r"player ILIKE 'a\_'", "ESCAPE"),
        ("regexp_replace(player, 'a', 'b')", "add 'g'"),
        ("round(goals / 3, 2)", "CAST it AS DECIMAL"),
    ],
)
def test_what_means_something_else_on_spark_is_told_with_what_to_say_instead(said: str, advice: str) -> None:
    (objection,) = objections(f"SELECT {said}")
    assert advice in objection


def test_what_means_the_same_on_spark_is_not_objected_to() -> None:
    said = """
        SELECT round(goals / 3), round(CAST(prize AS DECIMAL(12, 4)), 2), string_agg(player, ',' ORDER BY player),
        list_sort(list(player)), player LIKE 'a%', player LIKE pattern ESCAPE '!',
        regexp_replace(player, 'a', 'b', 'g'), arg_max(goals, (scored_at, player)) FILTER (WHERE goals IS NOT NULL)
    """
    assert objections(said) == []
