"""Deliveries: which log and day a file is of, what replaces what, and that nothing counts before it is all there."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gamestats_assets.l2m.logs.deliveries import DELIVERY, FILE, DeliveredFile, Delivery, in_force
from gamestats_assets.l2m.source import LogPathError, Outcome, deliver, delivered_logs
from gamestats_assets.l2m.tables import LogCounts
from gamestats_assets.lakehouse.landing.zone import Landing, content_hash
from gamestats_assets_tests.l2m.log_day import (
    DAY,
    csv_bytes,
    delivered,
    put,
    put_parquet,
    read_day,
    read_files,
    rows,
)

if TYPE_CHECKING:
    pass

ON = DAY.isoformat()


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def logins(folder: Path, name: str, *users: str) -> Path:
    """A CSV file of logins of these accounts."""
    return put(folder, name, csv_bytes([row for user in users for row in rows("login", user_id=user)]))


def users(landing: Landing) -> list[str]:
    """Who logged in, as the day has it."""
    return read_day(landing).column("login", "user_id")


def only(outcomes: Sequence[Outcome]) -> Outcome:
    [outcome] = outcomes
    return outcome


# --------------------------------------------------------------------------- which log, which day


@pytest.mark.parametrize(
    ("path", "log", "day"),
    [
        ("2026-03-02/login-000.csv", "login", "2026-03-02"),
        ("2026-03-02/LOGOUT.csv", "logout", "2026-03-02"),
        ("ds=2026-03-02/etl_increase_item.part-7.csv", "increase_item", "2026-03-02"),
        ("login/20260302/part-0.csv", "login", "2026-03-02"),
        ("login/dt=20260302/hour=03/part-0.csv", "login", "2026-03-02"),
        ("2026-03-01/login_20260302.csv", "login", "2026-03-02"),
        ("recharge/2026-03-02/active_login.csv", "login", "2026-03-02"),
        ("2026-03-02/exchange_rates.csv", "exchange_rates", "2026-03-02"),
        ("2026-03-02/l2m.item-gain.csv", "increase_item", "2026-03-02"),
        ("2026-03-02/2026-99-99/login.csv", "login", "2026-03-02"),
    ],
)
def test_names_of_files_and_folders_tell_log_and_day(tmp_path: Path, path: str, log: str, day: str) -> None:
    file = tmp_path / "drop" / path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x\n")
    for given in (file, tmp_path / "drop"):
        found = only(delivered(tmp_path / str(given.is_file()), [given]))
        assert (found.status, found.log, found.day) == ("delivered", log, day)


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("nowhere", {}, "nowhere does not exist"),
        ("2026-03-01/x.csv", {}, "neither its name nor a folder names its log"),
        ("2026-03-01/logins.csv", {}, "neither its name nor a folder names its log"),
        ("2026-03-01/login-logout.csv", {}, "names more than one log: login, logout. Give --log."),
        ("login.csv", {}, "neither its name nor a folder names the day (YYYY-MM-DD). Give --day."),
        ("login-2026-02-30.csv", {}, "neither its name nor a folder names the day"),
        ("login-12026-03-011.csv", {}, "neither its name nor a folder names the day"),
        ("2026-03-01/login.xlsx", {}, "expected a file that ends in .parquet, .csv, .csv.gz, .jsonl"),
        ("2026-03-01/login.csv", {"log": "logins"}, "There is no log 'logins'. Logs: login, logout"),
    ],
)
def test_what_tells_no_log_or_day_is_refused_before_anything_lands(
    tmp_path: Path, landing: Landing, path: str, options: dict[str, Any], message: str
) -> None:
    sound = logins(tmp_path / "sound", "login.csv", "u1")
    file = tmp_path / "drop" / path
    if path != "nowhere":
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x\n")
    with pytest.raises(LogPathError) as refused:
        deliver([sound, file], landing, **options)
    assert message in str(refused.value)
    assert landing.days("l2m") == []


def test_a_folder_without_logs_is_refused(tmp_path: Path, landing: Landing) -> None:
    put(tmp_path, "notes.txt", b"x")
    with pytest.raises(LogPathError, match=r"has no file that ends in \.parquet"):
        deliver([tmp_path], landing)


# --------------------------------------------------------------------------- what replaces what


def test_a_day_that_is_delivered_again_replaces_what_was_delivered_before(tmp_path: Path, landing: Landing) -> None:
    first = [logins(tmp_path / "1", f"login-{n}.csv", f"u{n}") for n in range(2)]
    assert only(deliver(first, landing).outcomes).line() == "delivered login of 2026-03-01: delivery 1, 2 files"
    deliver([put(tmp_path / "1", "logout.csv", csv_bytes(rows("login", user_id="u5")))], landing)
    again = only(deliver([logins(tmp_path / "2", "login.csv", "u7", "u8")], landing).outcomes)
    assert again.line() == "delivered login of 2026-03-01: delivery 2, 1 file"
    assert users(landing) == ["u7", "u8"]
    # Other logs of the day stay, and so do all files.
    assert read_day(landing).column("logout", "user_id") == ["u5"]
    assert sum(file.kind == FILE for file in landing.files("l2m", ON)) == 4


def test_an_identical_delivery_changes_nothing_whatever_its_files_are_called(tmp_path: Path, landing: Landing) -> None:
    deliver([logins(tmp_path / "1", "login-0.csv", "u1"), logins(tmp_path / "1", "login-1.csv", "u2")], landing)
    before = landing.files("l2m", ON)
    again = [logins(tmp_path / "2", "login-a.csv", "u2"), logins(tmp_path / "2", "login-b.csv.gz", "u1")]
    assert only(deliver(again, landing).outcomes).line() == "known     login of 2026-03-01: delivery 1, 2 files"
    assert landing.files("l2m", ON) == before
    assert users(landing) == ["u1", "u2"]


def test_files_that_are_added_are_read_by_the_mapping_of_those_before(tmp_path: Path, landing: Landing) -> None:
    def named(number: int, called: str) -> Path:
        given = [{called if name == "user_id" else name: value for name, value in row.items()}
                 for row in rows("login", user_id="x")]  # fmt: skip
        given[0][called] = f"u{number}"
        return put(tmp_path / str(number), f"login-{number}.csv", csv_bytes(given))

    deliver([named(1, "uid")], landing, columns={"login": {"user_id": "uid"}})
    deliver([named(2, "uid")], landing, add=True)
    assert users(landing) == ["u1", "u2"]
    other = only(deliver([named(3, "who")], landing, add=True, columns={"login": {"user_id": "who"}}).outcomes)
    assert other.status == "refused"
    assert "with other column names" in other.reason
    assert users(landing) == ["u1", "u2"]


def test_the_same_files_with_another_mapping_are_another_delivery(tmp_path: Path, landing: Landing) -> None:
    file = put(tmp_path / "1", "login.csv", csv_bytes(rows("login")).replace(b"user_id", b"uid"))
    deliver([file], landing)
    assert users(landing) == []
    assert only(deliver([file], landing, columns={"login": {"user_id": "uid"}}).outcomes).number == 2
    assert users(landing) == ["u0"]
    assert only(deliver([file], landing, columns={"login": {"user_id": "uid"}}).outcomes).status == "known"


def race(landing: Landing, *found: Sequence[str], number: int = 1) -> list[bytes]:
    """Documents of deliveries that were made at the same moment, each of a file per account, landed."""
    documents: list[bytes] = []
    for accounts in found:
        files: list[DeliveredFile] = []
        for account in accounts:
            content = csv_bytes(rows("login", user_id=account))
            landing.put("l2m", DAY, ON, FILE, content, content)
            files.append(DeliveredFile(content_hash(content), f"{account}.csv", "csv"))
        documents.append(Delivery("login", ON, number, tuple(files)).to_json())
    return documents


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_deliveries_of_one_number_the_same_one_counts_whatever_the_order(
    landing: Landing, order: Sequence[int]
) -> None:
    documents = race(landing, ["u1"], ["u2", "u3"], ["u4"])
    for number in order:
        landing.put("l2m", DAY, ON, DELIVERY, documents[number], documents[number])
    winner = max(documents, key=content_hash)
    files = landing.files("l2m", ON)
    random.Random(str(order)).shuffle(files)
    assert in_force(landing, files)[0]["login"].to_json() == winner
    assert read_files(landing, files).column("login", "user_id") == [
        file["name"].removesuffix(".csv") for file in json.loads(winner)["files"]
    ]


# --------------------------------------------------------------------------- what goes wrong


def test_a_delivery_whose_file_never_landed_says_so_and_the_others_load(tmp_path: Path, landing: Landing) -> None:
    deliver([put(tmp_path / "1", "logout.csv", csv_bytes(rows("login")))], landing)
    content = csv_bytes(rows("login"))
    landing.put("l2m", DAY, ON, FILE, content, content)
    files = (DeliveredFile("0" * 32, "gone.csv", "csv"), DeliveredFile(content_hash(content), "login.csv", "csv"))
    document = Delivery("login", ON, 3, files).to_json()
    landing.put("l2m", DAY, ON, DELIVERY, document, document)
    found = read_day(landing)
    assert (found.of("login").height, found.of("logout").height) == (1, 1)
    [rejection] = found.rejected("login")
    assert (rejection.unit_id, rejection.scope, rejection.rule) == ("gone.csv", "file", "missing_file")
    assert "Delivery 3 of the login log of 2026-03-01" in rejection.reason
    assert found.counts["login"]["files"] == 1


def test_a_file_that_is_gone_lands_again_with_the_same_delivery(tmp_path: Path, landing: Landing) -> None:
    deliver([logins(tmp_path / "1", "login.csv", "u1")], landing)
    [file] = [file for file in landing.files("l2m", ON) if file.kind == FILE]
    Path(landing.root, file.path).unlink()
    assert users(landing) == []
    again = only(deliver([logins(tmp_path / "1", "login.csv", "u1")], landing).outcomes)
    assert again.line() == "delivered login of 2026-03-01: delivery 1, 1 file"
    assert users(landing) == ["u1"]


@pytest.mark.parametrize(
    "document",
    [
        b"{cut",
        b"null",
        b"[" * 100_000,
        b'{"log": "logins", "day": "2026-03-01", "number": 9, "files": [], "columns": {}}',
        b'{"log": "login", "day": "2026-03-01", "number": 0, "files": [], "columns": {}}',
        b'{"log": "login", "day": "2026-03-01", "number": 9, "columns": {},'
        b' "files": [{"hash": "0", "name": "x", "format": "xml"}]}',
    ],
)
def test_a_corrupt_document_is_told_and_the_delivery_before_it_counts(
    tmp_path: Path, landing: Landing, document: bytes
) -> None:
    deliver([logins(tmp_path / "1", "login.csv", "u1")], landing)
    landing.put("l2m", DAY, ON, DELIVERY, document, document)
    found = read_day(landing)
    assert found.column("login", "user_id") == ["u1"]
    [rejection] = found.rejections[LogCounts]
    assert (rejection.scope, rejection.rule) == ("file", "unreadable_delivery")
    assert content_hash(document) in rejection.unit_id
    # And another delivery goes on from there.
    deliver([logins(tmp_path / "2", "login.csv", "u2")], landing)
    assert users(landing) == ["u2"]


def damaged(path: Path, how: str) -> Path:
    content = bytearray(path.read_bytes())
    if how == "end cut off":
        content = content[:-100]
    elif how == "pages overwritten":
        at = len(content) * 2 // 3
        content[at : at + 400] = bytes(400)
    elif how == "no Parquet":
        content = bytearray(b"user_id,server_id\n")
    elif how == "empty":
        content = bytearray()
    path.write_bytes(content)
    return path


def test_a_corrupt_parquet_file_is_rejected_and_everything_else_loads(tmp_path: Path, landing: Landing) -> None:
    number = 40_000
    columns: dict[str, Any] = {name: [value] * number for name, value in rows("login")[0].items()}
    columns["user_id"] = [f"u{n * 7919 % number}" for n in range(number)]
    damaged(put_parquet(tmp_path / "drop", "login-0.parquet", columns), "pages overwritten")
    logins(tmp_path / "drop", "login-1.csv", "after")
    put(tmp_path / "drop", "logout.csv", csv_bytes(rows("login", 2)))
    deliver([tmp_path / "drop"], landing)
    found = read_day(landing)
    assert found.of("logout").height == 2
    assert found.column("login", "user_id")[-1] == "after"
    [rejection] = found.rejected("login")
    assert (rejection.unit_id, rejection.scope, rejection.rule) == (
        "2026-03-01/login-0.parquet",
        "file",
        "unreadable_file",
    )
    assert rejection.reason.startswith("It cannot be read to its end: ")
    assert rejection.rejected_rows + found.of("login").height == number + 1
    assert rejection.rejected_rows > 0
    assert found.counts["login"]["files"] == 2


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("login-1.parquet", "no Parquet", "expected a Parquet file, which begins with PAR1"),
        ("login-1.parquet", "empty", "expected a Parquet file, which begins with PAR1"),
        ("login-1.csv.gz", "end cut off", "The gzip stream ends early"),
        ("login-1.csv", "gzipped twice", "it is gzipped twice"),
        ("login-1.parquet", "end of Parquet cut off", "an incomplete Parquet file"),
        ("login-1.parquet", "gzipped", "a Parquet file that is gzipped; unpack it"),
    ],
)
def test_a_log_with_a_broken_file_is_refused_as_a_whole(
    tmp_path: Path, landing: Landing, name: str, how: str, message: str
) -> None:
    deliver([logins(tmp_path / "before", "login.csv", "u1")], landing)
    before = landing.files("l2m", ON)
    path = put(tmp_path / "drop", name, csv_bytes(rows("login", 200)))
    if how == "gzipped twice":
        path.write_bytes(gzip.compress(gzip.compress(path.read_bytes())))
    elif how == "end of Parquet cut off":
        damaged(put_parquet(tmp_path / "drop", name, {"a": [*range(1000)]}), "end cut off")
    elif how == "gzipped":
        put_parquet(tmp_path / "drop", name, {"a": [1]})
        path.write_bytes(gzip.compress(path.read_bytes()))
    else:
        damaged(path, how)
    logins(tmp_path / "drop", "login-0.csv", "u2")
    put(tmp_path / "drop", "logout.csv", csv_bytes(rows("login")))
    report = deliver([tmp_path / "drop"], landing)
    [refused] = [outcome for outcome in report.outcomes if outcome.status == "refused"]
    assert (refused.log, refused.day, refused.files) == ("login", ON, 2)
    assert str(path) in refused.reason
    assert message in refused.reason
    assert refused.reason.endswith(
        "Repair it, or leave it out: the day is not made until the log is delivered. "
        "Nothing of the login log of 2026-03-01 was delivered."
    )
    # What was there stays, and the other logs load.
    assert report.count("delivered") == 1
    assert users(landing) == ["u1"]
    assert [file for file in landing.files("l2m", ON) if file in before] == before
    # And the day is stopped, however often it is refused, until the log comes.
    assert delivered_logs(landing, DAY) == {"logout"}
    [rejection] = read_day(landing).rejected("login")
    assert (rejection.scope, rejection.rule) == ("file", "refused_delivery")
    assert message in rejection.reason
    landed = landing.files("l2m", ON)
    deliver([tmp_path / "drop"], landing)
    assert landing.files("l2m", ON) == landed
    [again] = deliver([logins(tmp_path / "before", "login.csv", "u1")], landing).outcomes
    assert (again.status, again.number) == ("delivered", 3)
    assert not read_day(landing).rejected("login")
    assert delivered_logs(landing, DAY) == {"login", "logout"}


def test_truncated_records_are_refused_and_other_files_land(tmp_path: Path, landing: Landing) -> None:
    record = {"#type": "track", "#time": "2026-03-01 12:00:00", "#event_name": "login", "#account_id": "u"}
    # Such as do not repeat, so that what is left of them is long enough to be known for records.
    chance = random.Random(3)
    lines = [json.dumps({**record, "properties": {"x": chance.random()}}) for _ in range(3000)]
    path = put(tmp_path / "drop", "records.jsonl.gz", "\n".join(lines).encode())
    path.write_bytes(path.read_bytes()[:-2000])
    logins(tmp_path / "drop", "login.csv", "u1")
    report = deliver([tmp_path / "drop"], landing)
    assert [outcome.status for outcome in report.outcomes] == ["delivered", "refused"]
    assert str(path) in report.outcomes[1].reason
    assert users(landing) == ["u1"]
