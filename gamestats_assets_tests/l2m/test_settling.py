"""Days in any order, any number of times, with corrections of old days: once settled, the lake is always the same."""

from __future__ import annotations

import random
import shutil
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.l2m import tables as t
from gamestats_assets.l2m.assets import settled
from gamestats_assets.l2m.simulate import Plan
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.settled import ALWAYS, remade
from gamestats_assets.orchestration.settling import Due, days_behind
from gamestats_assets_tests.l2m.lake import SmallLake, simulated

PLAN = Plan(accounts=160, days=3, farms=1, level_one=6, servers=3, guilds=6, actions=6.0)
DAYS = [str(PLAN.start + timedelta(days=number)) for number in range(PLAN.days)]
CORRECTED = {DAYS[1]: "recharge", DAYS[0]: "increase_item"}
"""Days that are delivered again with less than before, and the log of which half the rows are gone."""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each day the first delivery (`first`), which lacks nothing or half a log, and the right one (`right`)."""
    folder = tmp_path_factory.mktemp("deliveries")
    simulated(PLAN, folder / "right")
    shutil.copytree(folder / "right", folder / "first")
    for ds, log in CORRECTED.items():
        path = folder / "first" / ds / f"{log}-000.parquet"
        rows = pl.read_parquet(path)
        rows.gather_every(2).write_parquet(path)
    return folder


@pytest.fixture(scope="module")
def in_order_lake(deliveries: Path, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """A lake in which each right day was made once, one after another."""
    lake = SmallLake(tmp_path_factory.mktemp("in_order"))
    for ds in DAYS:
        lake.take(deliveries / "right", [ds])
        lake.make([ds])
    assert lake.settle() == 0
    return lake


@pytest.fixture(scope="module")
def in_order(in_order_lake: SmallLake) -> dict[str, pl.DataFrame]:
    """What every table holds there."""
    return in_order_lake.contents()


@pytest.fixture
def settled_lake(deliveries: Path, in_order_lake: SmallLake, tmp_path: Path) -> SmallLake:
    """A copy of the lake of the right days."""
    return in_order_lake.copy(tmp_path / "lake")


@pytest.mark.parametrize("seed", range(2))
def test_random_orders_repeats_and_corrections_end_in_the_same_lake(
    deliveries: Path, in_order: dict[str, pl.DataFrame], tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    lake = SmallLake(tmp_path)
    steps = [("first", ds) for ds in DAYS] + [("right", ds) for ds in CORRECTED] + [("again", chance.choice(DAYS))]
    chance.shuffle(steps)
    # A right delivery must come after the one that it corrects.
    for ds in CORRECTED:
        one, other = steps.index(("first", ds)), steps.index(("right", ds))
        if other < one:
            steps[one], steps[other] = steps[other], steps[one]
    known: set[str] = set()
    for what, ds in steps:
        if what != "again":
            lake.deliver(deliveries / what / ds, ds)
            known.add(ds)
        if ds in known:
            lake.extract(ds)
            # Some runs make a few tables only, and some a few days at once: a person may ask for anything.
            some = chance.sample([each.table for each in settled()], 12) if chance.random() < 0.4 else None
            also = chance.sample(sorted(known), 1) if chance.random() < 0.3 else []
            lake.make(sorted({ds, *also}), some, everything=what == "again")
        if chance.random() < 0.3:
            lake.settle()
    lake.settle()
    found = lake.contents()
    assert found.keys() == in_order.keys()
    for name, expected in in_order.items():
        assert_frame_equal(found[name], expected)
    assert sum(frame.height for frame in found.values()) > 2_000


@pytest.mark.parametrize("table", [t.Recharge, t.UserProfile])
def test_what_was_cut_off_is_made_again_even_when_its_correction_was_taken_back(
    deliveries: Path, settled_lake: SmallLake, in_order: dict[str, pl.DataFrame], table: type[Table]
) -> None:
    lake, before = settled_lake, in_order
    lake.take(deliveries / "first", [DAYS[1]])
    lake.make([DAYS[1]], [t.Recharge, t.StdActive] if table is t.UserProfile else [])
    (cut,) = (each for each in settled() if each.table is table)
    making = remade(cut, lake.lake, [DAYS[1]])
    lake.lake.replace(table, next(making).rows, partitions=[date.fromisoformat(DAYS[1])] if cut.has_days else None)
    # Rows are committed, and the ledger does not know it yet.
    making.close()
    assert not lake.rows(table).equals(before[table.spec.dotted])
    lake.take(deliveries / "right", [DAYS[1]])
    lake.settle()
    found = lake.contents()
    for name in before.keys() - {t.LogCounts.spec.dotted}:
        assert_frame_equal(found[name], before[name])
    assert days_behind(lake.lake, settled()) == Due({}, {}, "")


def test_a_corrected_day_leaves_later_days_of_what_looks_back_behind_and_nothing_else(
    deliveries: Path, settled_lake: SmallLake
) -> None:
    lake = settled_lake
    assert days_behind(lake.lake, settled()) == Due({}, {}, "")
    lake.take(deliveries / "first", [DAYS[1]])
    assert {*days_behind(lake.lake, settled()).days} == {DAYS[1]}
    lake.make([DAYS[1]])
    # Payments of the second day are in what everybody had paid on all days after it.
    assert {*days_behind(lake.lake, settled()).days} == {*DAYS[2:]}
    behind = {each.table for each in settled() if each.has_days and each.behind(lake.lake)}
    assert {t.CumulativeRevenue, t.Active, t.KpiDaily} <= behind
    assert not behind & {t.StdActive, t.Recharge, t.MoneyBalances, t.ServerPerformance, t.ItemGain}
    lake.settle()
    before = lake.hashes()
    lake.make(DAYS, everything=True)
    assert lake.hashes() == before


def test_a_day_that_was_made_again_with_the_same_rows_concerns_no_other(
    deliveries: Path, settled_lake: SmallLake, tmp_path: Path
) -> None:
    lake = settled_lake
    # Another file with the same rows: a new delivery, of which nothing new follows.
    shutil.copytree(deliveries / "right" / DAYS[0], tmp_path / "rewritten")
    path = tmp_path / "rewritten" / "increase_item-000.parquet"
    pl.read_parquet(path).write_parquet(path, compression="lz4")
    lake.deliver(tmp_path / "rewritten", DAYS[0])
    lake.extract(DAYS[0])
    days = days_behind(lake.lake, settled()).days
    assert [*days] == [DAYS[0]]
    lake.make([DAYS[0]])
    assert days_behind(lake.lake, settled()) == Due({}, {}, "")


def test_a_day_that_is_no_more_is_taken_out_of_every_table(
    deliveries: Path, settled_lake: SmallLake, tmp_path: Path
) -> None:
    from gamestats_assets.lakehouse.ledger import Ledger

    lake = settled_lake
    gone = DAYS[1]
    for table in t.LANDED_TABLES:
        lake.lake.replace(table, pl.DataFrame(schema=table.schema()), partitions=[date.fromisoformat(gone)])
    Ledger(lake.lake, "l2m", "logs").record({}, {gone: [gone]})
    lake.settle()
    for table in (*t.SILVER, *t.GOLD):
        if "ds" in table.columns():
            held = lake.rows(table).get_column("ds").cast(pl.String).unique().to_list()
            assert gone not in held, table
            assert table is t.Retention or DAYS[2] in held, table
    without = SmallLake(tmp_path / "without")
    without.take(deliveries / "right", (DAYS[0], DAYS[2]))
    without.settle()
    for table in (*t.SILVER, *t.GOLD):
        assert_frame_equal(lake.rows(table), without.rows(table))


def test_whitelisting_an_address_concerns_every_day_on_which_it_mattered(settled_lake: SmallLake) -> None:
    lake = settled_lake
    lake.lake.replace(
        t.IpWhitelist, pl.DataFrame([("103.7.0.", "a cafe")], schema=t.IpWhitelist.schema(), orient="row")
    )
    due = days_behind(lake.lake, settled())
    assert not due.days
    assert due.alone
    lake.make([])
    assert {*days_behind(lake.lake, settled()).days} == {*DAYS[:3]}
    lake.settle()
    assert days_behind(lake.lake, settled()) == Due({}, {}, "")
    behind = next(each for each in settled() if each.table is t.FarmersSnapshot).behind(lake.lake)
    assert ALWAYS not in behind
