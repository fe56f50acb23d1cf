"""Encryption keys: where they are stored, and how they are replaced while everything runs."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.encryption import KEY_FILE, EncryptionKeyError, Keys, new_key, rotate, seal
from gamestats_assets.lakehouse.entries.ops import entering, migrate, rows
from gamestats_assets.serving.accounts import users
from gamestats_assets.settings import Settings


@pytest.fixture
def url(ops_database: str) -> SecretStr:
    migrate(SecretStr(ops_database))
    return SecretStr(ops_database)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(file=tmp_path / KEY_FILE)


def test_a_key_is_made_once_for_all_processes_and_for_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / KEY_FILE
    with ThreadPoolExecutor(8) as pool:
        tokens = [*pool.map(lambda _: Keys(file=file).encrypt("kim@example.org"), range(8))]
    [line] = file.read_text().splitlines()
    assert {Fernet(line).decrypt(token).decode() for token in tokens} == {"kim@example.org"}
    assert (file.stat().st_mode & 0o777, [*tmp_path.iterdir()]) == (0o600, [file])


def test_the_setting_counts_and_may_have_several_keys_the_newest_first(tmp_path: Path) -> None:
    old, new = (new_key().decode() for _ in range(2))
    before = Keys(SecretStr(old)).encrypt("kim")
    keys = Keys.of(Settings(data=str(tmp_path), encryption_key=SecretStr(f"{new},{old}")))
    assert keys.decrypt(before) == "kim"
    assert Fernet(new).decrypt(keys.encrypt("kim")) == b"kim"
    assert not (tmp_path / KEY_FILE).exists()
    assert Keys(SecretStr(old)).hashes("steam", "1") == keys.hashes("steam", "1")[1:]
    assert keys.hashes("a", "bc") != keys.hashes("ab", "c")
    with pytest.raises(EncryptionKeyError, match="GAMESTATS_ENCRYPTION_KEY does not have the key"):
        Keys(SecretStr(new)).decrypt(before)
    for none in ("", ",", "secret", f"{new},secret"):
        with pytest.raises(EncryptionKeyError, match="a key is 32 bytes") as error:
            Keys(SecretStr(none)).encrypt("kim")
        assert "secret" not in str(error.value)


def test_what_was_kept_in_plain_is_encrypted(url: SecretStr, keys: Keys) -> None:
    with entering(url, "tests") as conn:
        user_id = users.add_user(conn, "tests", "kim")["user_id"]
        conn.execute(
            "INSERT INTO accounts.identities (user_id, issuer, subject) VALUES (%s, 'https://steam', '7656')", [user_id]
        )
        conn.execute("INSERT INTO accounts.signing_keys (key_id, private_key) VALUES ('a', '{\"d\": \"x\"}')")
        assert users.user_of_identity(conn, keys, "https://steam", "7656", "") == user_id, "found in plain, too"
    assert (seal(url, keys), seal(url, keys)) == (2, 0)
    with entering(url, "tests") as conn:
        assert users.user_of_identity(conn, keys, "https://steam", "7656", "") == user_id
        assert [each["subject"] for each in users.identities_of(conn, keys, user_id)] == ["7656"]
        [kept] = rows(conn, "SELECT private_key FROM accounts.signing_keys")
        assert json.loads(keys.decrypt(kept["private_key"])) == {"d": "x"}
        index_entries = [str(row) for row in rows(conn, "SELECT i::text FROM accounts.identities i")]
    assert not [line for line in index_entries if "7656" in line]


def test_people_are_found_before_during_and_after_a_rotation(url: SecretStr, keys: Keys, tmp_path: Path) -> None:
    """Others sign in all the time, in a process that was there before; nobody gets a second account."""
    running = Keys(file=tmp_path / KEY_FILE)
    count = 1200

    def sign_in(conn: psycopg.Connection, number: int) -> int:
        with conn.transaction():
            return users.user_of_identity(conn, running, "https://steam", f"765611980{number:08}", f"player {number}")

    with psycopg.connect(url.get_secret_value()) as conn:
        before = [sign_in(conn, number) for number in range(count)]
        conn.execute("INSERT INTO ops.rl_players (player_id, username, account, wanted_since, email_encrypted) "
                     "VALUES ('steam_1', 'Ann', '1', now(), %s)", [running.encrypt("ann@example.org")])  # fmt: skip
    first = keys.all
    is_over, signed_in = threading.Event(), dict[int, int]()

    def others() -> None:
        number = 0
        with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
            while not is_over.is_set():
                signed_in[number % (count + 60)] = sign_in(conn, number % (count + 60))
                number += 47

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(others)]
        try:
            sealed, kept = rotate(url, keys)
        finally:
            is_over.set()
        for future in futures:
            future.result()
    assert (sealed, kept, keys.all[1:]) == (count + 1, 2, first)
    assert len(signed_in) > 20
    with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
        after = [sign_in(conn, number) for number in range(count)]
    assert after == before, "everybody is who they were"
    assert all(found == before[number] for number, found in signed_in.items() if number < count)
    assert rotate(url, keys)[1] == 2
    assert first[0] not in keys.all, "the first key is dropped"
    with psycopg.connect(url.get_secret_value()) as conn:
        assert [sign_in(conn, number) for number in (0, count - 1)] == [before[0], before[-1]]
        [email] = rows(conn, "SELECT email_encrypted FROM ops.rl_players")
        assert Fernet(keys.all[0]).decrypt(email["email_encrypted"]) == b"ann@example.org"
        [double] = rows(conn, "SELECT count(*) AS n, count(DISTINCT user_id) AS people FROM accounts.identities")
        assert double["n"] == double["people"]


def test_a_lost_key_is_told_and_nothing_is_lost(url: SecretStr, keys: Keys, tmp_path: Path) -> None:
    with entering(url, "tests") as conn:
        user_id = users.user_of_identity(conn, keys, "https://steam", "7656", "kim")
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(EncryptionKeyError, match=r"encryption\.key does not have the key"):
        rotate(url, keys)
    with entering(url, "tests") as conn:
        [kept] = users.identities_of(conn, keys, user_id)
        assert kept["subject"] == "not readable any more"
