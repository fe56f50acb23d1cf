"""The simulated logs say what the truth says: read here with nothing but the files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.simulators.l2m.logs import KEY_ITEMS, TABLES, Format, Plan, simulate
from gamestats_assets.simulators.l2m.truth import Truth

PLAN = Plan(accounts=900, days=5, together=200)


@dataclass(frozen=True)
class Simulated:
    folder: Path
    truth: Truth

    def logs(self, table: str, ds: date | None = None) -> pl.DataFrame:
        """Rows of a log with their day, of one day or of all."""
        frames = [
            pl.read_parquet(path, hive_partitioning=False).with_columns(ds=date.fromisoformat(path.parent.name))
            for path in sorted(self.folder.glob(f"{ds or '*'}/{table}-*.parquet"))
        ]
        return pl.concat([pl.DataFrame(frame) for frame in frames])


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    folder = tmp_path_factory.mktemp("l2m")
    return Simulated(folder, simulate(PLAN, folder))


def test_the_same_plan_gives_the_same_bytes_and_another_seed_others(simulated: Simulated, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    truth = simulate(PLAN, again)
    simulate(Plan(accounts=900, days=1, together=200, seed=8), other)
    files = {path.relative_to(again): path.read_bytes() for path in again.rglob("*.parquet")}
    assert files == {
        path.relative_to(simulated.folder): path.read_bytes() for path in simulated.folder.rglob("*.parquet")
    }
    assert_frame_equal(truth.lifetime_usd, simulated.truth.lifetime_usd)
    assert all(path.read_bytes() != files.get(path.relative_to(other)) for path in other.rglob("*.parquet"))


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_every_format_says_the_same(tmp_path: Path, format: Format) -> None:
    plan = Plan(accounts=150, days=1, farms=1)
    simulate(plan, tmp_path / "parquet")
    simulate(plan, tmp_path / format, format)
    for table in TABLES:
        expected = pl.read_parquet(tmp_path / f"parquet/2026-03-01/{table}-000.parquet")
        path = tmp_path / f"{format}/2026-03-01/{table}-000.{format}"
        found = pl.read_csv(path, infer_schema=False) if format == "csv" else pl.read_ndjson(path)
        texts = expected.with_columns(
            pl.col(pl.Decimal).cast(pl.String), pl.col(pl.Datetime).dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
        )
        assert_frame_equal(found.cast(pl.String), texts.cast(pl.String))


def test_balances_follow_from_gains_and_spendings_and_stay_positive(simulated: Simulated) -> None:
    moved = pl.concat(
        [
            simulated.logs(table).with_columns(delta=sign * pl.col("amount"))
            for table, sign in (("increase_money", 1), ("decrease_money", -1))
        ]
    ).sort("user_id", "money_type", "time")
    assert not moved.select("user_id", "money_type", "time").is_duplicated().any()
    before = (pl.col("balance_after") - pl.col("delta")).alias("before")
    chain = moved.select("user_id", "money_type", "balance_after", before).with_columns(
        last=pl.col("balance_after").shift().over("user_id", "money_type")
    )
    assert chain.filter(pl.col("last").is_not_null() & (pl.col("last") != pl.col("before"))).is_empty()
    assert chain.get_column("before").min() >= 0  # type: ignore[operator]
    assert chain.get_column("balance_after").min() >= 0  # type: ignore[operator]
    last = moved.group_by("user_id", "money_type").agg(found=pl.col("balance_after").last())
    logged = last.join(simulated.truth.balances, on=["user_id", "money_type"], how="left")
    assert logged.filter(pl.col("found") != pl.col("balance")).is_empty()
    assert (moved.get_column("time").dt.date() == moved.get_column("ds")).all()


def test_farms_and_cafes_share_addresses_and_nobody_else_in_such_numbers(simulated: Simulated) -> None:
    farming = simulated.truth.farmers
    in_farms = set(farming.filter(pl.col("signal") == "shared_ip").get_column("user_id"))
    seen = pl.concat([simulated.logs(table).select("ds", "ip", "user_id") for table in ("login", "logout")]).unique()
    shared = seen.group_by("ds", "ip").agg(pl.col("user_id"), accounts=pl.len()).filter(pl.col("accounts") >= 10)
    cafes = pl.any_horizontal(pl.col("ip").str.starts_with(prefix) for prefix in simulated.truth.whitelist)
    found = shared.filter(~cafes)
    assert {user for users in found.get_column("user_id") for user in users} == in_farms
    assert shared.filter(cafes).get_column("accounts").min() >= 20  # type: ignore[operator]
    assert not in_farms & {user for users in shared.filter(cafes).get_column("user_id") for user in users}
    near = seen.group_by("ds", "ip").len().get_column("len")
    assert ((near >= 5) & (near <= 9)).any()  # those that come near are there


def test_farmers_at_the_first_level_gain_items_and_stay_there_and_newcomers_do_not(simulated: Simulated) -> None:
    stays = set(simulated.truth.farmers.filter(pl.col("signal") == "level_one").get_column("user_id"))
    levels = pl.concat([f.select("user_id", "level") for t in TABLES if "level" in (f := simulated.logs(t)).columns])
    highest = dict(levels.group_by("user_id").agg(pl.col("level").max()).iter_rows())
    gained = simulated.logs("increase_item")
    assert {highest[user] for user in stays} == {1}
    for ds in {day.ds for day in simulated.truth.days}:
        logged_in = set(simulated.logs("login", ds).get_column("user_id")) & stays
        assert logged_in <= set(gained.filter(pl.col("ds") == ds).get_column("user_id"))
    assert len(stays) == PLAN.level_one
    assert {user for user, level in highest.items() if level == 1} - stays  # who can be mistaken for one
    items = gained.get_column("item_id").unique()
    assert len(items.filter(items.is_in(KEY_ITEMS))) == 51 < len(items)


def test_too_few_accounts_for_what_is_planted_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 129 accounts for what is planted, found 100"):
        Plan(accounts=100)
