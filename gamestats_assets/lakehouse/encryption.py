"""What nobody may read without a key: e-mail addresses, ids at sign-in providers, keys that sign.

There may be several keys: the first encrypts, and all of them decrypt, so that a key can be replaced while everything
runs (`rotate`). They are those of GAMESTATS_ENCRYPTION_KEY or, where that is not set, stand in a file of the state
folder, which is made with a key in it when the first is needed. Every process looks into the file before it uses a
key, so that none need be started again.
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

from gamestats_assets.lakehouse.entry_fields import EntryError
from gamestats_assets.lakehouse.postgres import connect, explained
from gamestats_assets.settings import Settings

KEY_FILE = "encryption.key"
"""In the state folder: a key a line, the newest first."""
_SETTING = "GAMESTATS_ENCRYPTION_KEY"
_BATCH = 500


class EncryptionKeyError(EntryError):
    """A key is none, or something was encrypted with another one than there are."""


class Keys:
    """The keys of an installation, as they are at any moment.

    Args:
        given: keys with commas between them, the newest first; they stay as they are.
        file: where they stand otherwise; made when the first is needed.
    """

    def __init__(self, given: SecretStr | None = None, file: Path | None = None) -> None:
        self._given, self._file = given, file
        self._read: tuple[tuple[int, int] | None, list[bytes]] = (None, [])

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """The keys that settings name."""
        return cls(settings.encryption_key, settings.state_folder / KEY_FILE)

    @property
    def all(self) -> list[bytes]:
        """The keys, the newest first.

        Raises:
            EncryptionKeyError: when one of them is none.
        """
        if self._given is not None:
            return _checked(self._given.get_secret_value().split(","), _SETTING)
        if self._file is None:
            raise EncryptionKeyError(f"This is kept encrypted, and {_SETTING} is not set.")
        with suppress(FileNotFoundError):
            return self._in_file(self._file)
        self._put(self._file, [new_key()], is_first=True)
        return self._in_file(self._file)

    def encrypt(self, text: str) -> str:
        """A text that only the newest key makes readable again (Fernet: AES-128 in CBC mode with an HMAC)."""
        return _fernet(self.all[:1]).encrypt(text.encode()).decode()

    def decrypt(self, text: str) -> str:
        """What was encrypted with any of the keys.

        Raises:
            EncryptionKeyError: when it was with another one.
        """
        from cryptography.fernet import InvalidToken

        try:
            return _fernet(self.all).decrypt(text.encode()).decode()
        except InvalidToken:
            place = _SETTING if self._given is not None else f"The file {self._file}"
            raise EncryptionKeyError(f"{place} does not have the key that this was encrypted with.") from None

    def hashes(self, *parts: str) -> list[bytes]:
        """By what something encrypted is found again: an HMAC under each key, that of the newest first."""
        told = "\0".join(parts).encode()
        return [hmac.digest(hmac.digest(key, b"gamestats found by", "sha256"), told, "sha256") for key in self.all]

    def begin_rotation(self) -> None:
        """Put a new key before the others in the file; keys of the setting are the operator's to change."""
        if self._given is None and self._file is not None:
            self._put(self._file, [new_key(), *self.all])

    def end_rotation(self) -> int:
        """Keep the newest key and the one before, which something may have been written with meanwhile; how many stay.

        Nothing may be left that was encrypted with an older one.
        """
        if self._given is None and self._file is not None:
            self._put(self._file, self.all[:2])
        return len(self.all)

    def _in_file(self, file: Path) -> list[bytes]:
        status = file.stat()
        stamp = status.st_mtime_ns, status.st_ino
        if self._read[0] != stamp:
            self._read = stamp, _checked(file.read_text().splitlines(), str(file))
        return self._read[1]

    def _put(self, file: Path, keys: Sequence[bytes], *, is_first: bool = False) -> None:
        """Write all keys at once: whoever reads has the old ones or the new ones."""
        # For its owner alone, as temporary files are.
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "w") as part:
                part.write("".join(f"{key.decode()}\n" for key in keys))
                part.flush()
                os.fsync(part.fileno())
            if is_first:
                # Of several processes that make it at once, all take the one that was there first.
                with suppress(FileExistsError):
                    os.link(name, file)
            else:
                os.replace(name, file)
        finally:
            Path(name).unlink(missing_ok=True)


def new_key() -> bytes:
    """A key that was never used."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key()


def _checked(lines: Sequence[str], place: str) -> list[bytes]:
    keys = [line.strip().encode() for line in lines if line.strip()]
    try:
        _fernet(keys)
    except ValueError:
        keys = []
    if not keys:
        raise EncryptionKeyError(f"{place} has no key, or what is none: 32 bytes in URL-safe base64 are one.")
    return keys


def _fernet(keys: Sequence[bytes]) -> Any:
    # Loaded when the first is needed: most processes need none.
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])


# --- what is encrypted ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column whose values are encrypted.

    Attributes:
        schema: of its table.
        key: the table's primary key, one column.
        column: the encrypted one.
        plain: the column that had the values before they were encrypted; itself where a text may be either.
        hashed: the column by which a value is found, where it is looked for.
        within: the column that is hashed before the value.
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
"""All of them in PostgreSQL."""


def is_plain(text: str) -> bool:
    """Whether a text of a column that may be either is not encrypted: a JSON object is not, and every token is."""
    return text.startswith("{")


def seal(url: SecretStr, keys: Keys, *, anew: bool = False) -> int:
    """Encrypt with the newest key what is not encrypted yet; how many values it were.

    Others may read and write meanwhile: it goes in small transactions.

    Args:
        anew: whether to encrypt again what is with an older key.

    Raises:
        EncryptionKeyError: when something was encrypted with a key that is not there; what came before is done.
    """
    with connect(url) as conn, explained("encrypting"):
        batches = ((of, batch) for of in SEALED if anew or of.plain for batch in _batches(conn, of, anew=anew))
        return sum(_seal_batch(conn, keys, of, batch) for of, batch in batches)


def rotate(url: SecretStr, keys: Keys) -> tuple[int, int]:
    """Put a new key in the place of the one there is, and encrypt all with it; how many values, and how many keys stay.

    What runs goes on meanwhile. Given again after an interruption it finishes the work, with another new key.
    """
    keys.begin_rotation()
    sealed = seal(url, keys, anew=True)
    return sealed, keys.end_rotation()


def _batches(conn: psycopg.Connection, of: Sealed, *, anew: bool) -> Iterator[list[Any]]:
    """Keys of rows that have a value, some at a time; what is added later is encrypted with the newest key already."""
    has = sql.Identifier(of.column if anew else of.plain or of.column)
    with_plain = sql.SQL(" OR {} IS NOT NULL").format(sql.Identifier(of.plain)) if of.plain else sql.SQL("")
    query = sql.SQL("SELECT {} FROM {} WHERE {} IS NOT NULL{} ORDER BY 1").format(
        sql.Identifier(of.key), sql.Identifier(of.schema, of.table), has, with_plain
    )
    found = [row[0] for row in conn.execute(query).fetchall()]
    yield from (found[start : start + _BATCH] for start in range(0, len(found), _BATCH))


def _seal_batch(conn: psycopg.Connection, keys: Keys, of: Sealed, batch: Sequence[Any]) -> int:
    table = sql.Identifier(of.schema, of.table)
    query = sql.SQL("SELECT * FROM {} WHERE {} = ANY (%s) ORDER BY {} FOR UPDATE").format(
        table, sql.Identifier(of.key), sql.Identifier(of.key)
    )
    sealed = 0
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(query, [batch]).fetchall():
            if (values := _sealed(keys, of, row)) is None:
                continue
            pairs = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values)
            written = sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(table, pairs, sql.Identifier(of.key))
            conn.execute(written, [*values.values(), row[of.key]])
            sealed += 1
    return sealed


def _sealed(keys: Keys, of: Sealed, row: dict[str, Any]) -> dict[str, Any] | None:
    """The columns of a row as they are to be; None where they are so."""
    from cryptography.fernet import InvalidToken

    plain, token = row[of.plain] if of.plain else None, row[of.column]
    if of.plain == of.column and plain is not None and not is_plain(plain):
        plain = None
    if plain is None:
        if token is None:
            return None
        with suppress(InvalidToken):
            _fernet(keys.all[:1]).decrypt(token.encode())
            return None
    text = plain if plain is not None else keys.decrypt(token)
    values: dict[str, Any] = {of.plain: None} if of.plain and of.plain != of.column else {}
    values[of.column] = keys.encrypt(text)
    if of.hashed and of.within:
        values[of.hashed] = keys.hashes(row[of.within], text)[0]
    return values
