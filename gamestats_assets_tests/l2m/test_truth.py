"""What was planted in the simulated logs comes out of the tables, to the last decimal."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.l2m import tables as t
from gamestats_assets.l2m.players.farmers import SIGNALS, by_signal
from gamestats_assets.simulators.l2m.logs import Plan
from gamestats_assets.simulators.l2m.truth import Truth
from gamestats_assets_tests.l2m.lake import SmallLake, simulated

PLAN = Plan(accounts=700, days=8, servers=4, guilds=12, actions=8.0)
CAFE = "103.7.0."
EXACT = pl.Decimal(20, 6)
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallLake, Truth, Path]:
    """Eight days of logs with a cafe that is whitelisted, all tables made."""
    folder = tmp_path_factory.mktemp("truth")
    truth = simulated(PLAN, folder / "logs")
    lake = SmallLake(folder)
    cafe = pl.DataFrame([(CAFE, "a cafe")], schema=t.IpWhitelist.schema(), orient="row")
    lake.lake.replace(t.IpWhitelist, cafe)
    days = [day.ds.isoformat() for day in truth.days]
    lake.take(folder / "logs", days)
    lake.make(days)
    return lake, truth, folder / "logs"


Made = tuple[SmallLake, Truth, Path]


def test_active_accounts_and_their_levels_are_those_that_played(made: Made) -> None:
    lake, truth, _ = made
    for day in truth.days:
        found = lake.rows(t.StdActive).filter(pl.col("ds") == day.ds)
        assert_frame_equal(
            found.select("user_id", "server_id", pl.col("level").cast(pl.Int64)).sort("user_id"), day.active
        )
        active = lake.rows(t.Active).filter(pl.col("ds") == day.ds)
        assert active.get_column("user_id").to_list() == found.get_column("user_id").to_list()


def test_key_figures_of_every_server_are_the_planted_ones(made: Made) -> None:
    lake, truth, _ = made
    for day in truth.days:
        for table, by in ((t.ServerPerformance, "server_id"), (t.KpiDaily, "member")):
            rows = lake.rows(table).filter(pl.col("ds") == day.ds)
            if table is t.KpiDaily:
                rows = rows.filter(pl.col("dimension") == "server")
            found = rows.select(pl.col(by).alias("server_id"), *day.kpis.columns[1:]).sort("server_id")
            expected = day.kpis.with_columns(pl.col("dau", "nru", "pu", "npu", "nnpu").cast(pl.Int64))
            assert_frame_equal(found.filter(pl.col("dau") > 0), expected)
    assert sum(int(day.kpis.get_column("npu").sum()) for day in truth.days) > 20
    assert sum(int(day.kpis.get_column("nnpu").sum()) for day in truth.days) > 3


def test_ratios_are_those_of_the_figures_beside_them(made: Made) -> None:
    lake, _, _ = made
    for row in lake.rows(t.KpiDaily).iter_rows(named=True):
        usd, dau, pu = row["revenue_usd"], row["dau"], row["pu"]
        assert row["arpu_usd"] is None if not dau else abs(row["arpu_usd"] - usd / dau) <= Decimal("0.000001")
        assert row["arppu_usd"] is None if not pu else abs(row["arppu_usd"] - usd / pu) <= Decimal("0.000001")
        assert row["paying_rate"] == (pu / dau if dau else None)
        assert row["stickiness"] == dau / row["mau"]


def test_weekly_and_monthly_users_are_those_of_the_days_before(made: Made) -> None:
    lake, truth, _ = made
    by_day = {day.ds: set(day.active.get_column("user_id")) for day in truth.days}
    kpis = lake.rows(t.KpiDaily).filter(pl.col("dimension") == "all")
    for row in kpis.iter_rows(named=True):
        for column, days in (("wau", 7), ("mau", 30)):
            seen = [users for ds, users in by_day.items() if row["ds"] - timedelta(days=days) < ds <= row["ds"]]
            assert row[column] == len(set().union(*seen)), (row["ds"], column)
    assert (kpis.get_column("mau") > kpis.get_column("wau")).any()


def test_lifetime_revenue_and_tiers_are_what_was_paid(made: Made) -> None:
    lake, truth, _ = made
    profiles = lake.rows(t.UserProfile)
    payers = profiles.filter(pl.col("total_rev_usd") > 0).select("user_id", "total_rev_usd").sort("user_id")
    assert_frame_equal(payers, truth.lifetime_usd.rename({"lifetime_usd": "total_rev_usd"}).sort("user_id"))
    counts: dict[str, int] = {}
    paid = dict(truth.lifetime_usd.iter_rows())
    for user in profiles.get_column("user_id"):
        counts[tier_of(paid.get(user, Decimal(0)))] = counts.get(tier_of(paid.get(user, Decimal(0))), 0) + 1
    assert dict(profiles.group_by("vip").len().iter_rows()) == counts
    assert len(counts) >= 4
    last = lake.rows(t.CumulativeRevenue).filter(pl.col("ds") == truth.days[-1].ds)
    assert dict(last.select("user_id", "total_rev_usd").iter_rows()) == paid
    assert {tier_of(usd): vip for usd, vip in last.select("total_rev_usd", "vip").iter_rows()} == {
        tier: tier for tier in counts if tier != "Free"
    }


def tier_of(usd: Decimal) -> str:
    """The VIP tier, as the document has it."""
    if usd == 0:
        return "Free"
    bounds = (("A", 40), ("B", 200), ("C", 400), ("D", 2000), ("E", 4000), ("F", 20000))
    return next((tier for tier, below in bounds if usd < below), "G")


def test_farmers_are_found_by_each_signal(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    lake, truth, logs = made
    planted = {
        signal: set(truth.farmers.filter(pl.col("signal") == signal).get_column("user_id")) for signal in SIGNALS
    }
    snapshot = lake.rows(t.FarmersSnapshot)
    now = snapshot.filter(pl.col("valid_to").is_null())
    flagged = {
        signal: set(now.filter(pl.col("reasons").str.contains(signal)).get_column("user_id")) for signal in SIGNALS
    }
    last = max(day.ds for day in truth.days)
    found = {row["signal"]: row for row in by_signal(snapshot, last, truth.farmers).iter_rows(named=True)}
    with capsys.disabled():
        for signal, row in found.items():
            sys.stdout.write(f"\nfarmers by {signal}: precision {row['precision']:.3f}, recall {row['recall']:.3f}")
    assert flagged["shared_ip"] == planted["shared_ip"] == planted["self_similar"] == flagged["self_similar"]
    for signal in SIGNALS:
        hits = len(flagged[signal] & planted[signal])
        assert found[signal] == {
            "signal": signal,
            "flagged": len(flagged[signal]),
            "known": len(planted[signal]),
            "found": hits,
            "precision": hits / len(flagged[signal]),
            "recall": hits / len(planted[signal]),
        }
    assert found["any"]["recall"] == 1
    ever = snapshot.filter(pl.col("reasons").str.contains("level_one")).get_column("user_id").n_unique()
    assert by_signal(snapshot).row(1, named=True) == {"signal": "level_one", "flagged": ever}
    assert by_signal(snapshot, truth.days[0].ds - timedelta(days=1)).get_column("flagged").to_list() == [0, 0, 0, 0]
    # People who are new, or play little, are at the first level as well; the rule cannot tell them apart.
    read = {
        log: pl.concat([pl.read_parquet(path) for path in sorted(logs.glob(f"*/{log}-*.parquet"))]) for log in t.LOGS
    }
    levels = pl.concat([rows.select("user_id", "level") for log, rows in read.items() if log != "recharge"])
    highest = levels.group_by("user_id").agg(pl.col("level").max())
    at_one = set(highest.filter(pl.col("level") == 1).get_column("user_id"))
    assert flagged["level_one"] == at_one & set(read["increase_item"].get_column("user_id"))
    assert planted["level_one"] <= flagged["level_one"]
    assert len(planted["level_one"]) > len(flagged["level_one"]) / 10


def test_a_cafe_is_flagged_unless_it_is_whitelisted(made: Made, tmp_path: Path) -> None:
    lake, truth, logs = made
    ds = truth.days[0].ds.isoformat()
    cafe = {
        user
        for path in (logs / ds).glob("log*.parquet")
        for user, ip in pl.read_parquet(path).select("user_id", "ip").iter_rows()
        if ip.startswith(CAFE)
    }
    assert len(cafe) >= 30
    sharing = pl.col("reasons").str.contains("shared_ip")
    assert not set(lake.rows(t.FarmersSnapshot).filter(sharing).get_column("user_id")) & cafe
    other = SmallLake(tmp_path)
    other.take(logs, [ds])
    other.make([ds], [t.StdActive, t.SharedAddresses, t.ActivityRhythms, t.FarmersSnapshot])
    rows = other.rows(t.FarmersSnapshot).filter(sharing)
    assert cafe <= set(rows.get_column("user_id"))


def test_farmers_are_of_their_type_on_each_day_and_their_figures_add_up(made: Made) -> None:
    lake, truth, _ = made
    paid_by = dict(lake.rows(t.Recharge).group_by("user_id").agg(pl.col("ds").min()).iter_rows())
    snapshot = lake.rows(t.FarmersSnapshot)
    for day in truth.days:
        on = snapshot.filter(
            (pl.col("valid_from") <= day.ds) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day.ds))
        )
        farming = set(on.get_column("user_id"))
        rows = lake.rows(t.Active).filter(pl.col("ds") == day.ds)
        for user, kind in rows.select("user_id", "farmer_type").iter_rows():
            ever_paid = paid_by.get(user, date.max) <= day.ds
            expected = "Normal" if user not in farming else "PU farmer" if ever_paid else "Non-PU farmer"
            assert kind == expected
        added = lake.rows(t.FarmersPerformance).filter(pl.col("ds") == day.ds)
        assert added.get_column("dau").sum() == rows.height
        assert added.get_column("revenue_usd").sum() == day.kpis.get_column("revenue_usd").sum()


def test_guild_changes_are_the_planted_ones(made: Made) -> None:
    lake, truth, _ = made
    by = ["user_id", "ds"]
    # Of several on a day the last one counts.
    expected = truth.guild_changes.unique(subset=by, keep="last", maintain_order=True).sort(by)
    found = lake.rows(t.GuildInfo).select("user_id", pl.col("valid_from").alias("ds"), "guild_id").sort(by)
    assert_frame_equal(found, expected)
    now = lake.rows(t.GuildInfo).filter(pl.col("valid_to").is_null()).select("user_id", "guild_id").sort("user_id")
    assert_frame_equal(now, truth.guilds.sort("user_id"))
    assert found.height > now.height + 20


def test_closing_balances_are_what_the_accounts_have(made: Made) -> None:
    lake, truth, _ = made
    balances = lake.rows(t.MoneyBalances).sort("ds")
    last = balances.group_by("user_id", "money_type").agg(pl.col("closing_balance").last().alias("found"))
    joined = last.join(truth.balances, on=["user_id", "money_type"], how="left")
    assert joined.height > 500
    assert joined.filter(pl.col("found") != pl.col("balance")).is_empty()


def test_the_economy_is_what_the_logs_of_a_day_add_up_to(made: Made) -> None:
    lake, truth, logs = made
    ds = truth.days[2].ds
    rows = lake.rows(t.EconomyBalance).filter(pl.col("ds") == ds)
    raw = {
        log: pl.concat([pl.read_parquet(path) for path in sorted((logs / ds.isoformat()).glob(f"{log}-*.parquet"))])
        for log in ("increase_item", "decrease_item", "increase_money", "decrease_money")
    }
    for kind, column, amount in (("item", "item_id", "count"), ("money", "money_type", "amount")):
        gains, spends = raw[f"increase_{kind}"], raw[f"decrease_{kind}"]
        for row in rows.filter(pl.col("kind") == kind).iter_rows(named=True):
            by_account = (
                gains.filter(pl.col(column) == row["id"])
                .group_by("user_id")
                .agg(pl.col(amount).sum())
                .get_column(amount)
            )
            source = int(by_account.sum())
            sink = int(spends.filter(pl.col(column) == row["id"]).get_column(amount).sum())
            assert (row["source"], row["sink"], row["net"]) == (source, sink, source - sink)
            assert row["gaining_accounts"] == len(by_account)
            top = by_account.sort(descending=True).head(-(-len(by_account) // 100)).sum()
            assert row["top_1_percent_share"] == (pytest.approx(top / source) if source else None)
    assert rows.filter(pl.col("kind") == "item").height == 51
    assert set(rows.filter(pl.col("kind") == "money").get_column("id")) == {"902", "912", "101"}


def test_item_and_money_flows_have_key_items_and_diamonds_only_with_country_and_tier(made: Made) -> None:
    lake, truth, logs = made
    ds = truth.days[1].ds
    raw = pl.concat([pl.read_parquet(path) for path in sorted((logs / ds.isoformat()).glob("increase_item-*.parquet"))])
    key = raw.filter(pl.col("item_id").cast(pl.Int64).is_between(1001, 1051))
    found = lake.rows(t.ItemGain).filter(pl.col("ds") == ds)
    by = ["user_id", "item_id", "reason_id"]
    expected = key.group_by(by).agg(pl.col("count").sum().alias("item_count")).sort(by)
    assert_frame_equal(found.select(*by, "item_count").sort(by), expected)
    diamonds = lake.rows(t.MoneyGain)
    assert set(diamonds.get_column("money_type")) == {"902", "912"}
    profile = dict(lake.rows(t.UserProfile).select("user_id", "country").iter_rows())
    assert set(profile.values()) == {"TH", "VN", "ID", "PH", "SG", "MY", "Other"}
    known = found.filter(pl.col("country") != "Other")
    assert all(profile[user] == country for user, country in known.select("user_id", "country").iter_rows())


def test_retention_counts_who_came_back_on_that_very_day(made: Made) -> None:
    lake, truth, _ = made
    by_day = {day.ds: set(day.active.get_column("user_id")) for day in truth.days}
    first: dict[str, date] = {}
    for ds, users in by_day.items():
        for user in users:
            first.setdefault(user, ds)
    rows = lake.rows(t.Retention).filter(pl.col("dimension") == "all")
    expected = []
    for ds, users in by_day.items():
        for number in (1, 3, 7, 14, 30):
            cohort = {user for user, on in first.items() if on == ds - timedelta(days=number)}
            if cohort:
                expected.append((ds, number, len(cohort), len(cohort & users)))
    found = rows.select("ds", "day_number", "cohort_users", "retained_users").sort("ds", "day_number").rows()
    assert found == sorted(expected)
    servers = lake.rows(t.Retention).filter(pl.col("dimension") == "server")
    assert servers.group_by("ds", "day_number").agg(pl.col("cohort_users").sum()).sort("ds", "day_number").rows() == [
        row[:3] for row in sorted(expected)
    ]


def test_lifetime_value_is_what_each_cohort_has_paid_until_then(made: Made) -> None:
    lake, _, _ = made
    recharge = lake.rows(t.Recharge)
    first = dict(lake.rows(t.UserProfile).select("user_id", "first_active_ds").iter_rows())
    for row in lake.rows(t.Ltv).filter(pl.col("dimension") == "all").iter_rows(named=True):
        cohort = {user for user, on in first.items() if on == row["cohort_ds"]}
        paid = recharge.filter((pl.col("ds") <= row["ds"]) & pl.col("user_id").is_in(list(cohort)))
        usd = sum(paid.get_column("daily_rev_usd").to_list(), Decimal(0))
        assert (row["cohort_users"], row["revenue_usd"]) == (len(cohort), usd)
        assert row["day_number"] == (row["ds"] - row["cohort_ds"]).days
        assert abs(row["ltv_usd"] - usd / len(cohort)) <= Decimal("0.000001")
