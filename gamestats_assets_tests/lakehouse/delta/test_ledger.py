"""The ledger in Delta's own log: a table's content and inputs, always consistent with its rows."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.lakehouse.delta.lake import Commit, Lake, Made
from gamestats_assets.lakehouse.delta.ledger import NO_ROWS, Note, RowsHash, ledger_of, row_fingerprints
from gamestats_assets_tests.lakehouse.declared import MARCH_1, MARCH_2, Goals, goals

DAY, NEXT_DAY = "2026-03-01", "2026-03-02"


def play(lake: Lake, day: date, made_from: Mapping[str, str], *, scored: int = 1) -> Commit:
    """Replace matches of a day, each made from something."""
    frame = goals(day, *made_from, scored=scored)
    return lake.replace(Goals, frame, partitions=[day], ids=[*made_from], made=Made({str(day): dict(made_from)}))


def made_from(lake: Lake) -> dict[str, dict[str, str]]:
    """By partition and unit, what it was made from."""
    held = lake.ledger(Goals).partitions
    return {key: {unit: made for unit, (made, _) in (found.units or {}).items()} for key, found in held.items()}


# --- What a commit tells ---------------------------------------------------------------------


def test_other_inputs_with_the_same_rows_write_nothing(lake: Lake) -> None:
    first = play(lake, MARCH_1, {"m1": "a"})
    content = lake.ledger(Goals)[DAY].content
    again = play(lake, MARCH_1, {"m1": "corrected"})
    assert (again.version, again.written) == (first.version + 1, 0)
    assert made_from(lake) == {DAY: {"m1": "corrected"}}
    assert lake.ledger(Goals)[DAY].content == content
    play(lake, MARCH_1, {"m1": "corrected"}, scored=2)
    assert lake.ledger(Goals)[DAY].content != content


def test_a_unit_that_gave_no_rows_was_made_all_the_same(lake: Lake) -> None:
    made = Made({DAY: {"m1": "a"}})
    for _ in range(2):
        commit = lake.replace(Goals, Goals.create_empty(), partitions=[MARCH_1], ids=["m1"], made=made)
        assert commit.version == 1
    assert lake.ledger(Goals)[DAY].units == {"m1": ("a", NO_ROWS)}


def test_units_that_are_gone_leave_the_ledger(lake: Lake) -> None:
    play(lake, MARCH_1, {"m1": "a", "m2": "b"})
    lake.replace(Goals, Goals.create_empty(), partitions=[MARCH_1], ids=["m1"])
    assert made_from(lake) == {DAY: {"m2": "b"}}
    lake.replace(Goals, Goals.create_empty(), partitions=[MARCH_1])
    assert lake.ledger(Goals).partitions == {}


def test_a_unit_that_is_set_aside_says_by_which_check_until_it_is_mended(lake: Lake) -> None:
    made = Made({DAY: {"m1": "a", "m2": "b"}}, {DAY: {"m2": "goals_are_few"}})
    lake.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1], ids=["m1", "m2"], made=made)
    assert lake.ledger(Goals)[DAY].set_aside == {"m2": "goals_are_few"}
    play(lake, MARCH_1, {"m2": "corrected"})
    assert lake.ledger(Goals)[DAY].set_aside == {}


# --- What a note tells -----------------------------------------------------------------------


def test_a_partition_is_done_by_a_note_and_undone_by_the_next_rows(lake: Lake) -> None:
    play(lake, MARCH_1, {"m1": "a"})
    assert (lake.ledger(Goals)[DAY].made_from, lake.ledger(Goals)[DAY].failed) == ("", None)
    note = Note(made_from={DAY: "all"}, failed={DAY: {"goals_are_few": "2 rows break it."}})
    lake.note(Goals, note)
    version = lake.version(Goals)
    lake.note(Goals, note)
    assert lake.version(Goals) == version, "what stands there already is not entered again"
    found = Lake(lake.root).ledger(Goals)[DAY]
    assert (found.made_from, found.failed) == ("all", {"goals_are_few": "2 rows break it."})
    play(lake, MARCH_1, {"m1": "corrected"}, scored=2)
    assert (lake.ledger(Goals)[DAY].made_from, lake.ledger(Goals)[DAY].failed) == ("", None)


def test_a_note_changes_no_row_and_no_file(lake: Lake) -> None:
    play(lake, MARCH_1, {"m1": "a"})
    before = lake.state(Goals)
    lake.note(Goals, Note(made_from={DAY: "all"}))
    after = lake.state(Goals)
    assert before is not None
    assert after is not None
    assert (after.files, after.rows, after.version) == (before.files, before.rows, before.version + 1)


# --- Rows of somebody else, and older commits ------------------------------------------------


def test_rows_of_foreign_commits_are_unknown_until_made_again(anywhere: Lake) -> None:
    play(anywhere, MARCH_1, {"m1": "a"})
    play(anywhere, MARCH_2, {"m2": "b"})
    known = anywhere.ledger(Goals)[NEXT_DAY]
    write_deltalake(
        anywhere.uri(Goals), goals(MARCH_1, "mx"), mode="append", storage_options=anywhere.storage_options or None
    )
    found = anywhere.ledger(Goals)
    assert (found[DAY].units, found[DAY].made_from, found[DAY].failed) == (None, "", None)
    assert found[DAY].content
    assert found[NEXT_DAY] == known
    anywhere.replace(Goals, goals(MARCH_1, "m1"), partitions=[MARCH_1], made=Made({DAY: {"m1": "a"}}))
    assert made_from(anywhere)[DAY] == {"m1": "a"}
    assert anywhere.scan(Goals).select("match_id").collect().to_series().unique().sort().to_list() == ["m1", "m2"]


@pytest.mark.parametrize("tidy", [Lake.compact, Lake.forget_history])
def test_maintenance_keeps_what_is_known(lake: Lake, tidy: Callable[[Lake, type[Goals]], object]) -> None:
    play(lake, MARCH_1, {"m1": "a", "m2": "b"})
    lake.note(Goals, Note(made_from={DAY: "all"}, failed={DAY: {}}))
    before = lake.ledger(Goals).partitions[DAY]
    content = before.content
    tidy(lake, Goals)
    found = Lake(lake.root).ledger(Goals)[DAY]
    assert (found.units, found.made_from, found.failed) == (before.units, "all", {})
    assert found.content == content


def test_where_older_commits_are_gone_without_a_summary_nothing_is_known(lake: Lake) -> None:
    play(lake, MARCH_1, {"m1": "a"})
    delta = lake.open(Goals)
    assert delta is not None
    delta.create_checkpoint()
    for entry in Path(lake.uri(Goals), "_delta_log").glob("*[0-9].json"):
        if int(entry.stem) == 0:
            entry.unlink()
    found = Lake(lake.root).ledger(Goals)
    assert found[DAY].units == {"m1": ("a", lake.ledger(Goals)[DAY].rows_of["m1"])}
    play(lake, MARCH_2, {"m2": "b"})
    Path(lake.uri(Goals), "_delta_log", f"{1:020}.json").unlink()
    found = Lake(lake.root).ledger(Goals)
    assert found[DAY].units is None
    assert found[NEXT_DAY].units == {"m2": ("b", lake.ledger(Goals)[NEXT_DAY].rows_of["m2"])}


def test_a_table_that_was_made_anew_has_a_ledger_of_its_own(lake: Lake) -> None:
    play(lake, MARCH_1, {"m1": "a"})
    lake.rebuild(Goals)
    assert lake.ledger(Goals).partitions == {}
    play(lake, MARCH_2, {"m2": "b"})
    assert made_from(lake) == {NEXT_DAY: {"m2": "b"}}


def test_the_ledger_can_be_read_as_a_table(lake: Lake) -> None:
    play(lake, MARCH_1, {"m1": "a"})
    play(lake, MARCH_2, {"m2": "b"})
    taken = ledger_of(Goals)
    assert taken is ledger_of(Goals)
    assert taken.spec.key == "demo_ledger/goals"
    rows = lake.scan(taken).collect().sort("unit_id")
    assert rows.select("partition_key", "unit_id", "input_hash").rows() == [(DAY, "m1", "a"), (NEXT_DAY, "m2", "b")]
    assert lake.scan(taken, [NEXT_DAY]).collect().get_column("unit_id").to_list() == ["m2"]
    assert lake.version(taken) == lake.version(Goals)
    assert not Path(lake.root, "demo_ledger").exists(), "nothing of it is stored apart"


# --- Fingerprints ----------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=8))
def test_rows_have_one_fingerprint_whatever_their_order_and_pieces(rows: list[tuple[str, int]]) -> None:
    frame = goals(MARCH_1, *(f"{unit}{number}" for unit, number in dict.fromkeys(rows)))
    shuffled = frame.sample(fraction=1, shuffle=True, seed=len(rows))
    assert row_fingerprints(Goals, frame) == row_fingerprints(Goals, shuffled)
    hashed = RowsHash()
    for start in range(0, frame.height, 3):
        hashed.add(shuffled.slice(start, 3))
    whole = RowsHash()
    whole.add(frame)
    assert hashed.fingerprint() == whole.fingerprint()
    if frame.height:
        other = frame.with_columns(pl.lit(2, pl.Int16).alias("goals"))
        assert row_fingerprints(Goals, other) != row_fingerprints(Goals, frame)


# --- Sudden death and races ------------------------------------------------------------------
