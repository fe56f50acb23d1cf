"""The commands around the MMO: logs are simulated and delivered, and addresses whitelisted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.cli.lake.overview import overview
from gamestats_assets.l2m.tables import (
    Active,
    ActivityRhythms,
    Countries,
    CumulativeRevenue,
    EtlLogin,
    EtlRecharge,
    FarmersSnapshot,
    IpWhitelist,
    Recharge,
    SharedAddresses,
    StdActive,
    UserProfile,
    VipTiers,
)
from gamestats_assets.lakehouse.entries.ops import entered_rows
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.l2m.logs import TABLES, Plan, simulate
from gamestats_assets_tests.cli.runner import Admin, Gamestats
from gamestats_assets_tests.l2m.lake import SmallLake
from gamestats_assets_tests.l2m.log_day import DAY, csv_bytes, put, read_day, rows

SMALL = ("--accounts", "150", "--days", "2")
OF_FARMERS = (StdActive, ActivityRhythms, SharedAddresses, FarmersSnapshot)
"""Tables up to the farmers."""
OF_ACTIVE = (*OF_FARMERS, VipTiers, Countries, Recharge, CumulativeRevenue, UserProfile, Active)
"""Tables up to those that are active."""


def landed(gamestats: Gamestats) -> Landing:
    return Landing(gamestats.folder / "landing")


# --------------------------------------------------------------------------- simulate


def test_a_simulated_week_is_delivered_by_the_command_that_is_named(gamestats: Gamestats) -> None:
    done = gamestats("l2m", "simulate", "a week", *SMALL, "--start", "2026-02-27", "--format", "csv")
    assert done.exit_code == 0, done.output
    folder = Path("a week")
    assert sorted(path.name for path in folder.iterdir()) == ["2026-02-27", "2026-02-28"]
    files = {path.name for path in (folder / "2026-02-28").iterdir()}
    assert files == {"exchange_rates.csv", *(f"{log}-000.csv" for log in TABLES)}
    truth = simulate(Plan(accounts=150, days=2, start=datetime(2026, 2, 27, tzinfo=UTC).date()), Path("again"))
    total = sum(sum(day.rows.values()) for day in truth.days)
    assert f"{total:,} rows of 150 accounts, 2026-02-27 to 2026-02-28: a week" in done.stdout
    assert "20 accounts that stay at the first level" in done.stdout
    assert "Next: gamestats ingest l2m 'a week'" in done.stdout
    taken = gamestats("ingest", "l2m", "a week")
    assert taken.exit_code == 0, taken.output
    assert "16 files, 16 daily logs: 16 delivered, 0 known, 0 refused." in taken.stdout
    assert "2026-02-27 to 2026-02-28 gained logs. Next: gamestats materialize" in taken.stdout
    found = read_day(landed(gamestats), truth.days[1].ds)
    assert {log: found.of(log).height for log in TABLES} == truth.days[1].rows
    assert found.of("exchange_rates").height == 7
    assert not any(found.rejections.values())
    for arguments, output in (
        (("a week", *SMALL), "a week is there and not empty; give a new folder"),
        (("few", "--accounts", "20"), "at least 129 accounts"),
    ):
        refused = gamestats("l2m", "simulate", *arguments)
        assert refused.exit_code == 2
        assert output in " ".join(refused.output.replace("│", " ").split())
    assert not Path("few").exists()


def test_farmers_that_were_planted_are_found_by_their_signals(gamestats: Gamestats, tmp_path: Path) -> None:
    planted = tmp_path / "planted.csv"
    done = gamestats("l2m", "simulate", "logs", *SMALL, "--farmers", str(planted))
    assert str(planted) in done.stdout.replace("\n", "")
    lake = SmallLake(gamestats.folder)
    days = sorted(path.name for path in Path("logs").iterdir())
    lake.take(Path("logs"), days)
    lake.make(days, OF_FARMERS)
    output = json.loads(gamestats("l2m", "farmers", "--known", str(planted), "--format", "json").stdout)
    by_signal = {row["signal"]: row for row in output}
    assert [*by_signal] == ["shared_ip", "level_one", "self_similar", "any"]
    counts = dict(pl.read_csv(planted).group_by("signal").len().iter_rows())
    assert {signal: by_signal[signal]["known"] for signal in counts} == counts
    # Nobody has whitelisted the cafe yet.
    assert (by_signal["shared_ip"]["recall"], by_signal["level_one"]["recall"]) == (1, 1)
    assert by_signal["shared_ip"]["precision"] < 1
    # A list without signals: who of them is found by which.
    (tmp_path / "banned.csv").write_text("user_id\n" + pl.read_csv(planted)["user_id"][0] + "\nwho\n")
    output = json.loads(gamestats("l2m", "farmers", "--known", str(tmp_path / "banned.csv"), "--format", "json").stdout)
    assert {(row["known"], row["found"]) for row in output if row["signal"] in ("shared_ip", "any")} == {(2, 1)}
    (tmp_path / "other.csv").write_text("account\n7\n")
    refused = gamestats("l2m", "farmers", "--known", str(tmp_path / "other.csv"))
    assert refused.exit_code == 2
    assert "has no column user_id; its columns: account" in " ".join(refused.output.replace("│", "").split())


# --------------------------------------------------------------------------- ingest


def test_a_table_is_fresh_only_with_the_day_before(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path)
    put(tmp_path / "logs", "login.csv", csv_bytes(rows("login", 3)))
    lake.take(tmp_path / "logs", [str(DAY)])
    lake.make([str(DAY)], OF_ACTIVE)
    stores = Stores(Settings(data=str(tmp_path)))

    def found(days_later: int, hour: int, minute: int) -> list[str]:
        at = datetime.combine(DAY + timedelta(days=days_later), time(hour, minute), UTC)
        # Nothing was paid: a table without rows is there all the same.
        return [table.freshness for table in overview(stores, [EtlLogin, EtlRecharge, Active, UserProfile], at).tables]

    assert found(1, 1, 59) == ["fresh", "fresh", "fresh", "fresh"]
    assert found(1, 12, 0) == ["fresh", "fresh", "fresh", "fresh"]
    assert found(2, 1, 59) == ["fresh", "fresh", "fresh", "fresh"]
    lake.extract(str(DAY))
    lake.make([str(DAY)], OF_ACTIVE, everything=True)
    assert found(2, 2, 1) == ["stale", "stale", "fresh", "fresh"]
    assert found(2, 4, 1) == ["stale", "stale", "stale", "stale"]


def test_deliveries_are_told_one_by_one_and_counted(gamestats: Gamestats, tmp_path: Path) -> None:
    for log in ("login", "logout"):
        put(tmp_path / "drop", f"{log}.csv", csv_bytes(rows("login", 3)))
    put(tmp_path / "drop", "notes.txt", b"x")
    first = gamestats("ingest", "l2m", str(tmp_path / "drop"))
    assert first.exit_code == 0, first.output
    assert "delivered login of 2026-03-01: delivery 1, 1 file" in first.stdout
    assert "1 file passed over, for they are links out of the folder, or their names are no logs" in " ".join(
        first.stdout.split()
    )
    assert "notes.txt" in first.stdout
    put(tmp_path / "drop", "logout.csv", csv_bytes(rows("login", 4)))
    again = gamestats("ingest", "l2m", str(tmp_path / "drop"))
    assert "known     login of 2026-03-01: delivery 1, 1 file" in again.stdout
    assert "delivered logout of 2026-03-01: delivery 2, 1 file" in again.stdout
    assert "2 files, 2 daily logs: 1 delivered, 1 known, 0 refused." in again.stdout
    found = read_day(landed(gamestats))
    assert (found.of("login").height, found.of("logout").height) == (3, 4)
    third = gamestats("ingest", "l2m", str(tmp_path / "drop"))
    assert "0 delivered, 2 known" in third.stdout
    assert "materialize" not in third.stdout


def test_log_day_and_column_names_may_be_said_outright(gamestats: Gamestats, tmp_path: Path) -> None:
    export, columns = tmp_path / "export.csv", tmp_path / "columns.json"
    export.write_bytes(csv_bytes(rows("increase_item", 2)).replace(b"user_id", b"uid").replace(b"count", b"number"))
    columns.write_text(json.dumps({"*": {"user_id": "uid"}, "item_gain": {"count": "number"}}))
    said = ("--day", "2026-03-01", "--log", "item_gain", "--columns", str(columns))
    done = gamestats("ingest", "l2m", str(export), *said)
    assert "delivered increase_item of 2026-03-01" in done.stdout, done.output
    assert read_day(landed(gamestats)).column("increase_item", "user_id") == ["u0", "u1"]
    more = tmp_path / "more.csv"
    more.write_bytes(
        csv_bytes(rows("increase_item", user_id="u7")).replace(b"user_id", b"uid").replace(b"count", b"number")
    )
    added = gamestats("ingest", "l2m", str(more), "--day", "2026-03-01", "--log", "increase_item", "--add")
    assert added.exit_code == 0, added.output
    assert read_day(landed(gamestats)).column("increase_item", "user_id") == ["u0", "u1", "u7"]


@pytest.mark.parametrize(
    ("arguments", "output", "code"),
    [
        (("nowhere",), "nowhere does not exist.", 1),
        ((".",), "has no file that ends in .parquet", 1),
        (("x.csv",), "Give --day", 1),
        (("x.csv", "--day", "2026-03-01"), "give --log. Logs: login, logout, recharge", 1),
        (("x.csv", "--day", "1.3.2026"), "does not match the format", 2),
        (("x.csv", "--day", "2026-03-01", "--log", "logins"), "There is no log 'logins'", 1),
    ],
)
def test_what_cannot_be_delivered_is_explained(
    gamestats: Gamestats, arguments: tuple[str, ...], output: str, code: int
) -> None:
    Path("x.csv" if arguments[0] == "x.csv" else "notes.txt").write_bytes(b"user_id\n")
    if output == "Give --day":
        Path("x.csv").rename("login.csv")
        arguments = ("login.csv",)
    refused = gamestats("ingest", "l2m", *arguments)
    assert refused.exit_code == code
    assert output in " ".join(refused.output.replace("│", " ").split())


def test_it_fails_when_something_was_refused(gamestats: Gamestats, tmp_path: Path) -> None:
    bad = put(tmp_path / "drop", "login.parquet", b"no Parquet")
    refused = gamestats("ingest", "l2m", str(bad))
    assert refused.exit_code == 1
    assert f"refused   {bad}: expected a Parquet file" in refused.stdout
    assert "1 file, 1 daily log: 0 delivered, 0 known, 1 refused." in refused.stdout
    put(tmp_path / "drop", "logout.csv", csv_bytes(rows("login")))
    output = gamestats("ingest", "l2m", str(tmp_path / "drop"))
    assert (output.exit_code, "1 delivered, 0 known, 1 refused." in output.stdout) == (1, True)
    bad.unlink()
    put(tmp_path / "drop", "logout.csv", csv_bytes(rows("login", 2)))
    again = gamestats("ingest", "l2m", str(tmp_path / "drop"))
    assert again.exit_code == 0
    assert f"{DAY} keeps what was delivered before of login." in again.stdout


def test_days_that_are_no_partitions_are_told(gamestats: Gamestats, tmp_path: Path) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    for day in ("2014-05-01", "2026-03-01", tomorrow):
        path = tmp_path / "drop" / day / "login.csv"
        path.parent.mkdir(parents=True)
        path.write_bytes(csv_bytes(rows("login")))
    output = gamestats("ingest", "l2m", str(tmp_path / "drop")).stdout
    assert "\n2026-03-01 gained logs. Next: gamestats materialize\n" in output
    assert "2014-05-01: before 2019-11-27, with which the tables begin" in output
    assert f"{tomorrow}: still to come: what landed is kept, and processed when its day is there." in output


# --------------------------------------------------------------------------- whitelist


def test_addresses_are_whitelisted_listed_changed_and_taken_off(admin: Admin) -> None:
    output = admin.does("l2m", "whitelist", "add", "103.7.0.", "--note", "a cafe")
    assert output == "created   whitelisted addresses 103.7.0.\n"
    admin.does("l2m", "whitelist", "add", "2001:DB8:1:")
    listed = admin.lists("l2m", "whitelist", "list")
    assert [(row["ip_prefix"], row["note"]) for row in listed] == [("103.7.0.", "a cafe"), ("2001:db8:1:", None)]
    assert all(row["created_by"] and row["created_at"] for row in listed)
    assert "unchanged" in admin.does("l2m", "whitelist", "add", "103.7.0.")
    assert "note a cafe -> another" in admin.does("l2m", "whitelist", "add", "103.7.0.", "--note", "another")
    rows_of_table = pl.DataFrame(
        [("103.7.0.", "another"), ("2001:db8:1:", None)], schema=IpWhitelist.schema(), orient="row"
    )
    assert entered_rows(SecretStr(admin.url), IpWhitelist).equals(rows_of_table)
    assert "removed   whitelisted addresses 2001:db8:1:" in admin.does("l2m", "whitelist", "remove", "2001:db8:1:")
    output = admin.fails("l2m", "whitelist", "remove", "103.7.0")
    assert "There is no whitelist entry '103.7.0'; did you mean 103.7.0.?" in output
    admin.does("l2m", "whitelist", "remove", "103.7.0.")
    assert admin.lists("l2m", "whitelist", "list") == []
    assert "There is no whitelist entry '103.7.0.'; there is none yet." in admin.fails(
        "l2m", "whitelist", "remove", "103.7.0."
    )


# What is refused, by the message.
REFUSED = {
    "expected the beginning of an IPv4 or IPv6 address, such as 103.7.0. or 2001:db8:1:":
        ["", "cafe", "256.1.", "103.07.", "103..7", "103.7.0.5:80", "12345:1:", "2001:db8::1::", "%", "fe80::1%eth0"],
    "is the beginning of too many addresses: expected at least two whole numbers": ["103.7", "2001:db8", "::ffff:103."],
    "The network 103.7.0.9/16 is written '103.7.'.": ["103.7.0.9/16"],
    "if necessary with several entries.": ["103.7.0.0/20"],
    "Write '103.7.0.' for all of them.": ["103.7.0.*"],
}  # fmt: skip


def test_what_is_no_beginning_of_few_addresses_is_refused_with_advice(admin: Admin) -> None:
    for message, prefixes in REFUSED.items():
        for prefix in prefixes:
            assert message in admin.fails("l2m", "whitelist", "add", "--", prefix), prefix
    assert admin.lists("l2m", "whitelist", "list") == []


# What is said of an entry, of which none stands for nothing.
SAID = [
    ("103.7.30", None),
    ("103.7.0.255", None),
    ("2001:db8:85a3", None),
    ("103.7.0", "103.7.0 does not end with a point, so addresses that go on with a digit count as well: 103.7.01... "
                "For the addresses of 103.7.0. alone, write it with its last point."),
    ("103.7.4.5", "103.7.4.51..."),
    ("2001:db8:1", "2001:db8:11... For the addresses of 2001:db8:1: alone, write it with its last colon."),
    ("103.7.", "103.7.0, 103.7.0.255, 103.7.30, 103.7.4.5 are among them."),
    ("103.7.5.", "103.7. already whitelists them."),
]  # fmt: skip


def test_an_entry_that_whitelists_more_than_was_meant_says_so(admin: Admin) -> None:
    for prefix, output in SAID:
        result = admin("l2m", "whitelist", "add", prefix)
        assert result.exit_code == 0, result.output
        assert (output in result.stderr) if output else not result.stderr, prefix
