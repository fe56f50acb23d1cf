"""Quality before the commit: which rows pass, which are quarantined, and that all are counted."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
from dataframely.random import Generator
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse import quality
from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.quality import (
    PieceScreening,
    Rejection,
    SchemaMismatchError,
    breaking_rows,
    quarantine_of,
    screen,
    table_inputs,
)
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.lakehouse.declared import (
    MARCH_1,
    MARCH_2,
    QUARANTINE,
    Clubs,
    Goals,
    clubs,
    goal_rows,
    goals,
    stored,
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(tmp_path)


def match_with(broken: int, of: int, match: str = "m1") -> pl.DataFrame:
    """A match of so many rows, of which some have less than no goals."""
    return goal_rows([(match, f"p{n}", MARCH_1, -1 if n < broken else 1, None) for n in range(of)])


# --- The tolerance within one unit -----------------------------------------------------------


def test_rows_that_break_a_rule_are_rejected_alone_up_to_the_tolerance() -> None:
    screened = screen(Goals, match_with(broken=2, of=8))
    assert screened.rows.height == 6
    assert [rejection.scope for rejection in screened.rejections] == ["row", "row"]
    first = screened.rejections[0]
    assert (first.unit_id, first.rule, first.rejected_rows) == ("m1", "goals|min", 1)
    assert first.reason == "goals = -1 breaks min (0)."
    assert json.loads(first.content or "") == {
        "match_id": "m1",
        "player": "p0",
        "day": "2026-03-01",
        "goals": -1,
        "minute": None,
    }


def test_above_the_tolerance_the_whole_unit_is_rejected_with_examples() -> None:
    frame = pl.concat([match_with(broken=7, of=9), goals(MARCH_1, "m2")])
    screened = screen(Goals, frame)
    assert screened.rows.get_column("match_id").unique().to_list() == ["m2"]
    (rejection,) = screened.rejections
    assert (rejection.unit_id, rejection.scope, rejection.rule) == ("m1", "unit", "goals|min")
    assert rejection.rejected_rows == 9
    assert "7 of 9 rows broke a rule, more than 25.0%" in rejection.reason
    assert "goals|min 7x" in rejection.reason
    examples = json.loads(rejection.content or "")
    assert [example["player"] for example in examples] == ["p0", "p1", "p2", "p3", "p4"]


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        pytest.param(("m1", None, MARCH_1, 1, None), "player|nullability", id="key-missing"),
        pytest.param(("m1", "p0", MARCH_1, 1, None), "primary_key", id="key-doubled"),
    ],
)
def test_a_missing_or_doubled_key_rejects_the_whole_unit_and_no_other(
    damage: tuple[str, str, date, int, float], rule: str
) -> None:
    frame = pl.concat([goals(MARCH_1, "m1", players=200), goals(MARCH_1, "m2"), goal_rows([damage])])
    screened = screen(Goals, frame)
    assert_frame_equal(screened.rows, goals(MARCH_1, "m2"))
    (rejection,) = screened.rejections
    assert (rejection.unit_id, rejection.scope, rejection.rule) == ("m1", "unit", rule)
    assert rejection.rejected_rows == 201
    assert f"a key is null or doubled ({rule})" in rejection.reason


def test_a_row_that_breaks_two_rules_is_one_rejection_that_names_both() -> None:
    frame = pl.concat([goals(MARCH_1, "m1", players=9), goal_rows([("m1", "p9", MARCH_1, -1, -2.0)])])
    (rejection,) = screen(Goals, frame).rejections
    assert rejection.rule == "goals|min, minute|min"
    assert rejection.reason == "goals = -1 breaks min (0); minute = -2.0 breaks min (0)."
    assert rejection.rejected_rows == 1


def test_rows_without_an_id_are_a_unit_of_their_own() -> None:
    frame = pl.concat([goals(MARCH_1, "m1"), goal_rows([(None, "p0", MARCH_1, 1, None)])])
    screened = screen(Goals, frame)
    assert_frame_equal(screened.rows, goals(MARCH_1, "m1"))
    assert [(r.unit_id, r.rejected_rows) for r in screened.rejections] == [("(none)", 1)]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (goals(MARCH_1, "m1").drop("goals"), "column goals is missing"),
        (goals(MARCH_1, "m1").with_columns(extra=1), "column extra is not declared"),
        (goals(MARCH_1, "m1").cast({"goals": pl.Int64}), "column goals is Int64, declared Int16"),
    ],
)
def test_a_frame_of_other_columns_is_a_fault_of_the_program(frame: pl.DataFrame, said: str) -> None:
    with pytest.raises(SchemaMismatchError, match=said):
        screen(Goals, frame)


# --- Nothing is lost without a count ---------------------------------------------------------

DAMAGES = st.sampled_from(
    ["none", "none", "none", "too few", "too many", "no player", "no goals", "no match", "doubled"]
)


@st.composite
def damaged_frames(draw: st.DrawFn) -> pl.DataFrame:
    """Valid rows of a few matches, some of them damaged in one way or another."""
    matches = draw(st.lists(st.sampled_from(["m1", "m2", "m3"]), min_size=1, max_size=24))
    generator = Generator(seed=draw(st.integers(0, 2**32 - 1)))
    frame = Goals.sample(overrides={"match_id": matches}, generator=generator)
    rows: list[dict[str, object]] = []
    for row in frame.iter_rows(named=True):
        damage = draw(DAMAGES)
        change: dict[str, dict[str, object]] = {
            "too few": {"goals": -3},
            "too many": {"goals": 21},
            "no player": {"player": None},
            "no goals": {"goals": None},
            "no match": {"match_id": None},
        }
        rows += [row, row] if damage == "doubled" else [row | change.get(damage, {})]
    return pl.DataFrame(rows, schema=Goals.schema())


def passes(rows: list[dict[str, object]]) -> tuple[list[dict[str, object]], int]:
    """The rule of tolerance in plain Python: rows of one match that pass, and how many are rejected."""
    keys = Counter((row["match_id"], row["player"], row["day"]) for row in rows)
    if any(None in key or count > 1 for key, count in keys.items()):
        return [], len(rows)
    good = [row for row in rows if isinstance(row["goals"], int) and 0 <= row["goals"] <= 20]
    broken = len(rows) - len(good)
    return ([], len(rows)) if broken * 4 > len(rows) else (good, broken)


@settings(max_examples=60)
@given(damaged_frames())
def test_rows_in_are_rows_out_plus_rejected_rows(frame: pl.DataFrame) -> None:
    screened = screen(Goals, frame)
    assert screened.rows.height + screened.rejected_rows == frame.height
    assert screened.rows.is_empty() or Goals.is_valid(screened.rows)
    expected: list[dict[str, object]] = []
    for match in ("m1", "m2", "m3", None):
        rows = [row for row in frame.iter_rows(named=True) if row["match_id"] == match]
        good, rejected = passes(rows)
        expected += good
        unit = match or "(none)"
        assert sum(r.rejected_rows for r in screened.rejections if r.unit_id == unit) == rejected
    assert_frame_equal(screened.rows, pl.DataFrame(expected, schema=Goals.schema()), check_row_order=False)
    assert Counter(r.scope for r in screened.rejections if r.scope == "unit").total() <= 4


# --- Rows that come in pieces ----------------------------------------------------------------


class Shots(Table, key="demo/shots", layer="bronze", partitioned_by="day"):
    """Shots of a day, numbered."""

    day = dy.Date(primary_key=True, description="UTC day.")
    number = dy.Int64(primary_key=True, description="Number of the shot.")
    speed = dy.Int32(min=0, description="Speed in km/h.")


def shots(numbers: Sequence[int], *slow: int, day: date = MARCH_1) -> pl.DataFrame:
    """Shots of these numbers, some of them slower than can be."""
    rows = [(day, number, -1 if number in slow else 90) for number in numbers]
    return pl.DataFrame(rows, schema=Shots.schema(), orient="row")


def in_pieces(
    table: type[Table], *pieces: pl.DataFrame, before: Sequence[Rejection] = ()
) -> tuple[bool, pl.DataFrame, list[Rejection]]:
    """Whether pieces are accepted, their good rows, and what is rejected."""
    screening = PieceScreening(table)
    good = [screening.rows(piece) for piece in pieces]
    accepted, rejections = screening.verdict(before)
    return accepted, pl.concat([pl.DataFrame(schema=table.schema()), *good]), rejections


@pytest.mark.parametrize(("unread", "of", "passes"), [(1, 99, True), (2, 99, False), (1, 98, False)])
def test_rows_that_could_not_be_read_count_for_the_tolerance(unread: int, of: int, passes: bool) -> None:
    before = [Rejection("f", "row", "unreadable", "?", unread), Rejection("g", "file", "lost", "?", 1000)]
    accepted, good, rejections = in_pieces(Shots, shots(range(of)), before=before)
    assert accepted == passes
    assert good.height == of
    assert sum(each.rejected_rows for each in rejections) == (0 if passes else of)


@pytest.mark.parametrize(
    ("pieces", "doubled"),
    [
        # Ascending, with and without gaps, in any order of the pieces.
        ([[0, 1, 2], [3, 4]], False),
        ([[3, 4], [0, 1, 2]], False),
        ([[0, 1, 2], [2, 3]], True),
        ([[0, 1, 2], [0, 1, 2]], True),
        ([[0, 1, 2, 7, 8, 9], [3, 4, 5, 6]], False),
        ([[0, 1, 2, 7, 8, 9], [3, 4, 5, 7]], True),
        ([[0, 1, 2, 7, 8, 9], [10, 11], [5, 6]], False),
        # Not ascending, or with more gaps than numbers; and some of the pieces one and some the other.
        ([[4, 0], [3, 1]], False),
        ([[4, 0], [3, 4]], True),
        ([[0, 100, 200], [50, 150]], False),
        ([[0, 100, 200], [50, 200]], True),
        ([[0, 1], [9, 5], [2, 3]], False),
        ([[0, 1], [9, 1], [2, 3]], True),
        ([[5], [4], [5]], True),
        ([[5], [4], [6]], False),
        ([[1, 1]], True),
        ([[0, 1, 2], [], [3]], False),
    ],
)
def test_a_key_that_is_doubled_across_pieces_rejects_them_all(pieces: list[list[int]], doubled: bool) -> None:
    accepted, _, rejections = in_pieces(Shots, *map(shots, pieces))
    assert accepted == (not doubled)
    assert [each.rule for each in rejections] == (["primary_key"] if doubled else [])


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=6), st.booleans())
def test_keys_are_doubled_as_counting_them_tells(pieces: list[list[int]], ascending: bool) -> None:
    given_pieces = [sorted({*piece}) if ascending else piece for piece in pieces]
    counts = Counter(number for piece in given_pieces for number in piece)
    assert in_pieces(Shots, *map(shots, given_pieces))[0] == (max([0, *counts.values()]) <= 1)


def test_rejected_rows_of_pieces_are_listed_up_to_a_limit_then_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "_MAX_LISTED_ROWS", 3)
    pieces = [shots(range(start, start + 1000), start, start + 1) for start in (0, 1000, 2000)]
    accepted, good, rejections = in_pieces(Shots, *pieces)
    assert accepted
    assert [each.rejected_rows for each in rejections] == [1, 1, 1, 3]
    assert good.height + sum(each.rejected_rows for each in rejections) == 3000
    assert "3 more rows broke a rule" in rejections[-1].reason


@pytest.mark.parametrize("sizes", [[1] * 9, [4, 5], [9], [0, 9, 0]])
@pytest.mark.parametrize("broken", [0, 2, 7])
def test_pieces_are_divided_as_one_frame_is(sizes: list[int], broken: int) -> None:
    whole = match_with(broken, 9)
    pieces = [whole.slice(sum(sizes[:n]), size) for n, size in enumerate(sizes)]
    accepted, good, rejections = in_pieces(Goals, *pieces)
    expected = screen(Goals, whole)
    assert accepted == (not broken or not expected.rows.is_empty())
    assert_frame_equal(good.clear() if not accepted else good, expected.rows)
    assert [(each.scope, each.rule, each.rejected_rows, each.content) for each in rejections] == [
        (each.scope, each.rule, each.rejected_rows, each.content) for each in expected.rejections
    ]


# --- The quarantine in the lake --------------------------------------------------------------


def entries(lake: Lake) -> list[tuple[str, str, int, str, int]]:
    """What the quarantine holds: destination, unit, entry, scope, rejected rows."""
    frame = stored(lake, QUARANTINE)
    return frame.select("destination", "unit_id", "entry", "scope", "rejected_rows").sort(pl.all()).rows()


def test_a_write_commits_what_passes_and_quarantines_the_rest(lake: Lake) -> None:
    frame = pl.concat([match_with(1, 8, "m1"), match_with(8, 8, "m2"), goals(MARCH_1, "m3")])
    commit = lake.replace(Goals, frame, partitions=[MARCH_1])
    assert (commit.rows, commit.rejected_rows) == (9, 9)
    assert stored(lake, Goals).height == 9
    assert entries(lake) == [("goals@2026-03-01", "m1", 0, "row", 1), ("goals@2026-03-01", "m2", 0, "unit", 8)]
    assert quarantine_of("demo") is QUARANTINE


def test_rewriting_is_idempotent_and_corrected_rows_leave_the_quarantine(lake: Lake) -> None:
    for _ in range(2):
        lake.replace(Goals, match_with(2, 8), partitions=[MARCH_1], ids=["m1"])
        assert [entry[2] for entry in entries(lake)] == [0, 1]
    lake.replace(Goals, match_with(0, 8), partitions=[MARCH_1], ids=["m1"])
    assert entries(lake) == []
    assert stored(lake, Goals).height == 8


def test_a_write_leaves_the_entries_of_other_ids_partitions_and_tables(lake: Lake) -> None:
    lake.replace(Clubs, clubs(red=""))
    lake.replace(Goals, match_with(8, 8, "m1"), partitions=[MARCH_1], ids=["m1"])
    lake.replace(Goals, match_with(8, 8, "m2"), partitions=[MARCH_1], ids=["m2"])
    lake.replace(Goals, match_with(8, 8, "m1").with_columns(day=pl.lit(MARCH_2)), partitions=[MARCH_2], ids=["m1"])
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1], ids=["m1"])
    assert [entry[:2] for entry in entries(lake)] == [
        ("clubs@all", "(all)"),
        ("goals@2026-03-01", "m2"),
        ("goals@2026-03-02", "m1"),
    ]


def test_a_unit_in_several_partitions_is_quarantined_under_the_first(lake: Lake) -> None:
    frame = pl.concat(
        [match_with(8, 8, f"m{n}").with_columns(day=pl.lit(day)) for n in range(20) for day in (MARCH_2, MARCH_1)]
    )
    for order in (frame, frame.reverse()):
        lake.replace(Goals, order, partitions=[MARCH_1, MARCH_2])
        assert {entry[0] for entry in entries(lake)} == {"goals@2026-03-01"}
        assert sum(entry[4] for entry in entries(lake)) == frame.height


def test_what_was_rejected_before_there_was_a_row_is_kept_too(lake: Lake) -> None:
    unread = Rejection("m9", "file", "readable", "The file ends early.", 0)
    commit = lake.replace(Goals, match_with(1, 8), partitions=[MARCH_1], ids=["m1", "m9"], rejections=iter([unread]))
    assert commit.rejections[0] == unread
    assert [entry[1:4] for entry in entries(lake)] == [("m1", 0, "row"), ("m9", 0, "file")]


# --- Checks across tables --------------------------------------------------------------------


def test_a_check_is_declared_by_the_function_that_finds_what_breaks_it() -> None:
    @breaking_rows(of=Goals)
    def no_match_has_a_hundred_goals(goals: dy.LazyFrame[Goals], clubs: dy.LazyFrame[Clubs]) -> pl.LazyFrame:
        """A hundred goals in a match are a fault."""
        return goals.group_by("day", "match_id").agg(pl.col("goals").sum()).filter(pl.col("goals") >= 100)

    check = no_match_has_a_hundred_goals
    assert (check.name, check.table, check.blocking) == ("no_match_has_a_hundred_goals", Goals, True)
    assert check.description == "A hundred goals in a match are a fault."
    assert dict(check.inputs) == {"goals": Goals, "clubs": Clubs}
    many = goals(MARCH_1, "m1", players=10, scored=10).lazy()
    assert check.rows(many, clubs().lazy()).collect().height == 1


def no_goals(goals: dy.LazyFrame[Goals]) -> pl.LazyFrame:
    """There are no goals."""
    return goals


def test_a_check_blames_its_table_s_units_by_default() -> None:
    assert Goals.spec.replaced_by == "match_id"
    usual = breaking_rows(of=Goals)(no_goals)
    assert (usual.unit, usual.most_units) == ("match_id", 0.05)
    assert breaking_rows(of=Goals, most_units=0.2)(no_goals).most_units == 0.2
    assert breaking_rows(of=Goals, local=False)(no_goals).unit is None
    assert breaking_rows(of=Goals, days_around=1)(no_goals).unit is None


@pytest.mark.parametrize("share", [-0.01, 1.01])
def test_most_units_that_are_no_share_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match="a share from 0 to 1"):
        breaking_rows(of=Goals, most_units=share)


def test_an_input_that_names_no_table_is_refused() -> None:
    def unclear(goals: pl.LazyFrame) -> pl.LazyFrame:
        return goals

    with pytest.raises(TypeError, match=r"argument 'goals' must be annotated dy.LazyFrame\[SomeTable\]"):
        table_inputs(unclear)
