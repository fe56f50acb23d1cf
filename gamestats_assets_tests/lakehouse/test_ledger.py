"""The ledger: what is left to do, and that dying at the worst moment changes no result."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.ledger import Ledger, Work, combined_hash, follows_ids, ledger_of, merged
from gamestats_assets_tests.lakehouse.declared import MARCH_1, Clubs, Fans, Goals, Sales, goals, stored
from gamestats_assets_tests.lakehouse.processes import at_once, die, killed

DAY, NEXT_DAY = "2026-03-01", "2026-03-02"
Units = Mapping[str, Mapping[str, str]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(tmp_path)


@pytest.fixture
def ledger(lake: Lake) -> Ledger:
    """The empty ledger of the step that makes goals."""
    return Ledger(lake, "demo", "goals")


def pending(work: Work) -> dict[str, set[str]]:
    """Ids to process per partition, without their hashes."""
    return {key: set(units) for key, units in work.pending.items() if units}


def do(ledger: Ledger, inputs: Units, *, code_version: str = "1") -> Work:
    """Look for work and enter it as done."""
    work = ledger.work(inputs, code_version=code_version)
    ledger.record(work.pending, work.vanished)
    return work


# --- What is left to do ----------------------------------------------------------------------


def test_everything_is_new_at_first_and_nothing_afterwards(ledger: Ledger) -> None:
    inputs = {DAY: {"m1": "a", "m2": "b"}, NEXT_DAY: {"m3": "c"}}
    work = do(ledger, inputs)
    assert pending(work) == {DAY: {"m1", "m2"}, NEXT_DAY: {"m3"}}
    assert (work.count, work.total, work.is_empty) == (3, 3, False)
    again = ledger.work(inputs, code_version="1")
    assert (again.count, again.total, again.is_empty) == (0, 3, True)


def test_only_new_ids_are_left(ledger: Ledger) -> None:
    do(ledger, {DAY: {"m1": "a"}})
    assert pending(do(ledger, {DAY: {"m1": "a", "m2": "b"}})) == {DAY: {"m2"}}


def test_a_corrected_content_is_done_again(ledger: Ledger) -> None:
    do(ledger, {DAY: {"m1": "a", "m2": "b"}})
    assert pending(do(ledger, {DAY: {"m1": "corrected", "m2": "b"}})) == {DAY: {"m1"}}
    assert ledger.work({DAY: {"m1": "corrected", "m2": "b"}}, code_version="1").is_empty
    assert pending(ledger.work({DAY: {"m1": "a", "m2": "b"}}, code_version="1")) == {DAY: {"m1"}}


def test_another_version_of_the_code_does_everything_again(ledger: Ledger) -> None:
    inputs = {DAY: {"m1": "a", "m2": "b"}}
    do(ledger, inputs)
    assert pending(do(ledger, inputs, code_version="2")) == {DAY: {"m1", "m2"}}
    assert ledger.work(inputs, code_version="2").is_empty


def test_everything_can_be_asked_for(ledger: Ledger) -> None:
    inputs = {DAY: {"m1": "a", "m2": "b"}}
    do(ledger, inputs)
    assert pending(ledger.work(inputs, code_version="1", everything=True)) == {DAY: {"m1", "m2"}}


def test_vanished_ids_are_told_once(ledger: Ledger) -> None:
    do(ledger, {DAY: {"m1": "a", "m2": "b"}, NEXT_DAY: {"m3": "c"}})
    work = do(ledger, {DAY: {"m2": "b"}, NEXT_DAY: {}})
    assert work.vanished == {DAY: ["m1"], NEXT_DAY: ["m3"]}
    assert (work.count, work.is_empty) == (0, False)
    assert do(ledger, {DAY: {"m2": "b"}, NEXT_DAY: {}}).is_empty
    assert pending(ledger.work({DAY: {"m1": "a", "m2": "b"}}, code_version="1")) == {DAY: {"m1"}}


def test_an_id_that_gave_no_rows_is_not_done_twice(lake: Lake, ledger: Ledger) -> None:
    work = ledger.work({DAY: {"m1": "a"}}, code_version="1")
    lake.replace(Goals, Goals.create_empty(), partitions=[MARCH_1], ids=["m1"])
    ledger.record(work.pending)
    assert ledger.work({DAY: {"m1": "a"}}, code_version="1").is_empty


def test_partitions_not_asked_about_are_left_alone(ledger: Ledger) -> None:
    do(ledger, {DAY: {"m1": "a"}, NEXT_DAY: {"m2": "b"}})
    assert do(ledger, {DAY: {"m1": "a"}}).is_empty
    assert set(ledger.entries()) == {DAY, NEXT_DAY}
    assert set(ledger.entries([NEXT_DAY, "2026-03-03"])) == {NEXT_DAY, "2026-03-03"}
    assert ledger.entries(["2026-03-03"]) == {"2026-03-03": {}}


def test_steps_keep_ledgers_of_their_own(lake: Lake, ledger: Ledger) -> None:
    do(ledger, {DAY: {"m1": "a"}})
    assert pending(Ledger(lake, "demo", "totals").work({DAY: {"m1": "a"}}, code_version="1")) == {DAY: {"m1"}}
    assert ledger_of("demo", "goals") is ledger.table
    assert ledger.table.spec.key == "demo_ledger/goals"


def test_a_forgotten_ledger_does_everything_again(ledger: Ledger) -> None:
    ledger.forget()
    do(ledger, {DAY: {"m1": "a"}})
    ledger.forget()
    assert ledger.entries() == {}
    assert pending(do(ledger, {DAY: {"m1": "a"}})) == {DAY: {"m1"}}


def test_recording_nothing_writes_nothing(lake: Lake, ledger: Ledger) -> None:
    ledger.record({})
    ledger.record({DAY: {}}, {DAY: []})
    assert lake.state(ledger.table) is None


def test_done_and_vanished_ids_are_entered_in_one_commit(lake: Lake, ledger: Ledger) -> None:
    do(ledger, {DAY: {"m1": "a"}})
    before = lake.state(ledger.table)
    do(ledger, {DAY: {"m2": "b"}})
    after = lake.state(ledger.table)
    assert before is not None
    assert after is not None
    assert after.version == before.version + 1
    assert set(ledger.entries()[DAY]) == {"m2"}


# --- Batches and hashes ----------------------------------------------------------------------


@given(
    st.dictionaries(
        st.sampled_from([DAY, NEXT_DAY]), st.dictionaries(st.text("abc", min_size=1, max_size=3), st.just("h"))
    ),
    st.integers(1, 5),
)
def test_batches_hold_every_id_once_and_are_no_larger_than_asked(units: Units, size: int) -> None:
    work = Work(units, {}, 0)
    batches = list(work.batches(size))
    sizes = [sum(len(of_key) for of_key in batch.values()) for batch in batches]
    assert sum(sizes) == work.count
    assert all(1 <= number <= size for number in sizes)
    assert sizes[:-1] == [size] * (len(sizes) - 1)
    flat = [(key, unit) for batch in batches for key, of_key in batch.items() for unit in of_key]
    assert flat == sorted((key, unit) for key, of_key in units.items() for unit in of_key)


def test_a_hash_of_several_does_not_depend_on_their_order_but_on_each() -> None:
    assert combined_hash(["a", "b"]) == combined_hash(["b", "a"])
    assert len({combined_hash(parts) for parts in (["a"], ["a", "b"], ["a", "c"], ["ab"], ["a", "a"])}) == 5


def test_a_table_follows_ids_when_its_sources_ledgers_tell_all_there_is_to_know() -> None:
    assert follows_ids(Goals, [Goals, Fans, Clubs]), "of a match one source is enough"
    assert not follows_ids(Goals, [Fans, Clubs])
    assert not follows_ids(Fans, [Fans])
    assert follows_ids(Sales, [Sales])
    assert not follows_ids(Sales, [Sales, Clubs]), "a product's day is one id: it would hide a change of clubs"
    assert not follows_ids(Sales, [])


def test_merged_ledgers_change_when_any_of_them_does() -> None:
    matches, goals_of = {DAY: {"m1": "a", "m2": "b"}}, {DAY: {"m1": "c"}}
    both = merged([("matches", matches), ("goals", goals_of)])
    assert both == merged([("goals", goals_of), ("matches", matches)])
    assert set(both[DAY]) == {"m1", "m2"}
    changed = merged([("matches", matches), ("goals", {DAY: {"m1": "corrected"}})])
    assert changed[DAY]["m1"] != both[DAY]["m1"]
    assert changed[DAY]["m2"] == both[DAY]["m2"]
    assert merged([("a", {DAY: {"m": "x"}}), ("b", {DAY: {"m": "y"}})]) != merged(
        [("a", {DAY: {"m": "y"}}), ("b", {DAY: {"m": "x"}})]
    )


# --- Sudden death and races ------------------------------------------------------------------

INPUTS = {DAY: {f"m{number}": f"hash {number}" for number in range(6)}}


def run_step(root: str, inputs: Units, *, die_in_batch: int | None = None) -> None:
    """A step that scores each match by the length of its hash, two matches in a batch."""
    lake = Lake(root)
    ledger = Ledger(lake, "demo", "goals")
    work = ledger.work(inputs, code_version="1")
    gone = [unit for units in work.vanished.values() for unit in units]
    if gone:
        lake.replace(Goals, Goals.create_empty(), partitions=[MARCH_1], ids=gone)
        ledger.record({}, work.vanished)
    for number, batch in enumerate(work.batches(2)):
        frame = pl.concat([goals(MARCH_1, unit, scored=len(inputs[DAY][unit])) for unit in batch[DAY]])
        lake.replace(Goals, frame, partitions=[MARCH_1], ids=list(batch[DAY]))
        if number == die_in_batch:
            die()
        ledger.record(batch)


def run_and_die(root: str, inputs: Units, batch: int) -> None:
    run_step(root, inputs, die_in_batch=batch)


@pytest.mark.parametrize("batch", [0, 1, 2])
def test_a_step_killed_between_its_rows_and_its_entry_gives_the_same_when_run_again(tmp_path: Path, batch: int) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    corrected = {DAY: {**INPUTS[DAY], "m0": "corrected", "m3": "corrected too", "m9": "new"}}
    del corrected[DAY]["m5"]
    run_step(str(undisturbed), corrected)

    assert killed(run_and_die, str(disturbed), INPUTS, batch, after=60)
    lake = Lake(disturbed)
    ledger = Ledger(lake, "demo", "goals")
    assert stored(lake, Goals).get_column("match_id").n_unique() == 2 * (batch + 1)
    assert ledger.work(INPUTS, code_version="1").count == len(INPUTS[DAY]) - 2 * batch
    run_step(str(disturbed), INPUTS)
    run_step(str(disturbed), corrected)

    assert_frame_equal(stored(lake, Goals), stored(Lake(undisturbed), Goals))
    assert ledger.entries() == Ledger(Lake(undisturbed), "demo", "goals").entries()
    assert ledger.work(corrected, code_version="1").is_empty


def run_own(root: str, day: str, units: Mapping[str, str]) -> None:
    ledger = Ledger(Lake(root), "demo", "goals")
    for unit, digest in units.items():
        ledger.record({day: {unit: digest}})


def test_runs_that_enter_their_ids_at_once_lose_none(tmp_path: Path, lake: Lake, ledger: Ledger) -> None:
    shares = [(DAY, {"m1": "a", "m2": "b"}), (DAY, {"m3": "c", "m4": "d"}), (NEXT_DAY, {"m5": "e"})]
    at_once(run_own, [(str(tmp_path), *share) for share in shares])
    assert ledger.entries() == {DAY: {"m1": "a", "m2": "b", "m3": "c", "m4": "d"}, NEXT_DAY: {"m5": "e"}}


def test_an_id_of_several_partitions_is_entered_in_each_by_itself(tmp_path: Path) -> None:
    ledger = Ledger(Lake(tmp_path), "game", "step")
    ledger.record({"p": {"a": "1", "b": "1"}, "q": {"a": "1"}})
    ledger.record({"p": {"c": "2"}, "q": {"b": "2"}})
    assert ledger.entries() == {"p": {"a": "1", "b": "1", "c": "2"}, "q": {"a": "1", "b": "2"}}
    ledger.record({"p": {"b": "3"}}, {"q": ["a"]})
    assert ledger.entries() == {"p": {"a": "1", "b": "3", "c": "2"}, "q": {"b": "2"}}
