"""Encryption of values that must not be readable: e-mail addresses, ids at sign-in providers, signing keys.

There may be several keys: the first encrypts, and all of them decrypt, so that a key can be replaced while everything
runs (`rotate`). GAMESTATS_ENCRYPTION_KEY has the keys; by default they are in a file of the state folder, which is
created with a key when the first is needed. Every process checks the file before it uses a key, so that none needs a
restart.
"""

from __future__ import annotations

import hmac
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.lakehouse.postgres.server import connect, explained
from gamestats_assets.settings import Settings

KEY_FILE = "encryption.key"
"""File in the state folder with one key per line, the newest first."""
_SETTING = "GAMESTATS_ENCRYPTION_KEY"
_BATCH = 500


class EncryptionKeyError(EntryError):
    """A key is invalid, or a value was encrypted with a key that is missing."""


class Keys:
    """The current keys of an installation.

    Args:
        configured: keys separated by commas, the newest first; these are never changed.
        file: file for the keys otherwise; created when the first is needed.
    """

    def __init__(self, configured: SecretStr | None = None, file: Path | None = None) -> None:
        self._configured, self._file = configured, file
        self._read: tuple[tuple[int, int] | None, list[bytes]] = (None, [])

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """The keys for some settings."""
        return cls(settings.encryption_key, settings.state_folder / KEY_FILE)

    @property
    def all(self) -> list[bytes]:
        """The keys, the newest first.

        Raises:
            EncryptionKeyError: if one of them is invalid.
        """
        if self._configured is not None:
            return _parse_keys(self._configured.get_secret_value().split(","), _SETTING)
        if self._file is None:
            raise EncryptionKeyError(f"This is kept encrypted, and {_SETTING} is not set.")
        with suppress(FileNotFoundError):
            return self._in_file(self._file)
        self._write(self._file, [new_key()], is_first=True)
        return self._in_file(self._file)

    def encrypt(self, text: str) -> str:
        """Encrypts a text with the newest key (Fernet: AES-128 in CBC mode with an HMAC)."""
        return _fernet(self.all[:1]).encrypt(text.encode()).decode()

    def decrypt(self, text: str) -> str:
        """Decrypts a text that was encrypted with any of the keys.

        Raises:
            EncryptionKeyError: if it was encrypted with another key.
        """
        from cryptography.fernet import InvalidToken

        try:
            return _fernet(self.all).decrypt(text.encode()).decode()
        except InvalidToken:
            place = _SETTING if self._configured is not None else f"The file {self._file}"
            raise EncryptionKeyError(f"{place} does not have the key that this was encrypted with.") from None

    def hashes(self, *parts: str) -> list[bytes]:
        """HMACs under each key, the newest first, by which an encrypted value can be found."""
        message = "\0".join(parts).encode()
        return [hmac.digest(hmac.digest(key, b"gamestats found by", "sha256"), message, "sha256") for key in self.all]

    def begin_rotation(self) -> None:
        """Adds a new first key to the file. The operator changes keys in the setting."""
        if self._configured is None and self._file is not None:
            self._write(self._file, [new_key(), *self.all])

    def end_rotation(self) -> int:
        """Keeps the newest key and the one before, which may have been used in the meantime; returns the number kept.

        No value may be left that was encrypted with an older key.
        """
        if self._configured is None and self._file is not None:
            self._write(self._file, self.all[:2])
        return len(self.all)

    def _in_file(self, file: Path) -> list[bytes]:
        status = file.stat()
        stamp = status.st_mtime_ns, status.st_ino
        if self._read[0] != stamp:
            self._read = stamp, _parse_keys(file.read_text().splitlines(), str(file))
        return self._read[1]

    def _write(self, file: Path, keys: Sequence[bytes], *, is_first: bool = False) -> None:
        """Replaces the file: readers see the old keys or the new ones."""
        # Temporary files are readable by their owner only.
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "w") as part:
                part.write("".join(f"{key.decode()}\n" for key in keys))
                part.flush()
                os.fsync(part.fileno())
            if is_first:
                # If several processes create it at once, all use the first one's.
                with suppress(FileExistsError):
                    os.link(name, file)
            else:
                os.replace(name, file)
        finally:
            Path(name).unlink(missing_ok=True)


def new_key() -> bytes:
    """Generates a key."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key()


def _parse_keys(lines: Sequence[str], place: str) -> list[bytes]:
    keys = [line.strip().encode() for line in lines if line.strip()]
    try:
        _fernet(keys)
    except ValueError:
        keys = []
    if not keys:
        raise EncryptionKeyError(f"{place} has no valid key; a key is 32 bytes in URL-safe base64.")
    return keys


def _fernet(keys: Sequence[bytes]) -> Any:
    # Imported here, since most processes need no key.
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])


# --- encrypted columns ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column whose values are encrypted.

    Attributes:
        schema: schema of the table.
        table: name of the table.
        key: primary key of the table, a single column.
        column: the encrypted column.
        plain: the column with values that are not yet encrypted; the same column if its texts may be either.
        hashed: the column with the hash by which values are found, if they are searched for.
        within: the column that is hashed together with the value.
    """

    schema: str
    table: str
    key: str
    column: str
    plain: str | None = None
    hashed: str | None = None
    within: str | None = None


SEALED = (
    Sealed("accounts", "identities", "identity_id", "subject_encrypted", "subject", "subject_hash", "issuer"),
    Sealed("accounts", "signing_keys", "key_id", "private_key", "private_key"),
    Sealed("ops", "rl_players", "player_id", "email_encrypted"),
    Sealed("ops", "rl_objections", "objection_id", "contact_encrypted"),
)
"""All encrypted columns in PostgreSQL."""


def is_plain(text: str) -> bool:
    """Whether a text is not encrypted, in a column of JSON objects and tokens."""
    return text.startswith("{")


def seal(url: SecretStr, keys: Keys, *, reencrypt: bool = False) -> int:
    """Encrypts values that are not yet encrypted with the newest key; returns their number.

    It uses small transactions, so that others can read and write at the same time.

    Args:
        url: PostgreSQL.
        keys: the keys.
        reencrypt: also encrypts values again that have an older key.

    Raises:
        EncryptionKeyError: if a value was encrypted with a missing key; all values before it are done.
    """
    with connect(url) as conn, explained("encrypting"):
        batches = (
            (spec, batch)
            for spec in SEALED
            if reencrypt or spec.plain
            for batch in _batches(conn, spec, reencrypt=reencrypt)
        )
        return sum(_seal_batch(conn, keys, spec, batch) for spec, batch in batches)


def rotate(url: SecretStr, keys: Keys) -> tuple[int, int]:
    """Adds a new key and encrypts everything with it; returns the numbers of values and of keys kept.

    Other processes continue at the same time. After an interruption, another call finishes the work with yet another
    key.
    """
    keys.begin_rotation()
    sealed = seal(url, keys, reencrypt=True)
    return sealed, keys.end_rotation()


def _batches(conn: psycopg.Connection, spec: Sealed, *, reencrypt: bool) -> Iterator[list[Any]]:
    """Primary keys of rows with a value, in batches. Rows added later already use the newest key."""
    has = sql.Identifier(spec.column if reencrypt else spec.plain or spec.column)
    with_plain = sql.SQL(" OR {} IS NOT NULL").format(sql.Identifier(spec.plain)) if spec.plain else sql.SQL("")
    query = sql.SQL("SELECT {} FROM {} WHERE {} IS NOT NULL{} ORDER BY 1").format(
        sql.Identifier(spec.key), sql.Identifier(spec.schema, spec.table), has, with_plain
    )
    row_keys = [row[0] for row in conn.execute(query).fetchall()]
    yield from (row_keys[start : start + _BATCH] for start in range(0, len(row_keys), _BATCH))


def _seal_batch(conn: psycopg.Connection, keys: Keys, spec: Sealed, batch: Sequence[Any]) -> int:
    table = sql.Identifier(spec.schema, spec.table)
    query = sql.SQL("SELECT * FROM {} WHERE {} = ANY (%s) ORDER BY {} FOR UPDATE").format(
        table, sql.Identifier(spec.key), sql.Identifier(spec.key)
    )
    sealed = 0
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(query, [batch]).fetchall():
            if (values := _sealed(keys, spec, row)) is None:
                continue
            pairs = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values)
            written = sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(table, pairs, sql.Identifier(spec.key))
            conn.execute(written, [*values.values(), row[spec.key]])
            sealed += 1
    return sealed


def _sealed(keys: Keys, spec: Sealed, row: dict[str, Any]) -> dict[str, Any] | None:
    """The new values of a row's columns; None if they need no change."""
    from cryptography.fernet import InvalidToken

    plain, token = row[spec.plain] if spec.plain else None, row[spec.column]
    if spec.plain == spec.column and plain is not None and not is_plain(plain):
        plain = None
    if plain is None:
        if token is None:
            return None
        with suppress(InvalidToken):
            _fernet(keys.all[:1]).decrypt(token.encode())
            return None
    text = plain if plain is not None else keys.decrypt(token)
    values: dict[str, Any] = {spec.plain: None} if spec.plain and spec.plain != spec.column else {}
    values[spec.column] = keys.encrypt(text)
    if spec.hashed and spec.within:
        values[spec.hashed] = keys.hashes(row[spec.within], text)[0]
    return values
