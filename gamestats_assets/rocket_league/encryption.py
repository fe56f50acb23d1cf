"""What nobody may read without a key: e-mail addresses of players."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from gamestats_assets.lakehouse.entry_fields import EntryError


class EncryptionKeyError(EntryError):
    """The key that e-mail addresses are encrypted with is missing, none, or another than they were encrypted with."""


def encrypted(text: str, key: SecretStr | None) -> str:
    """A text that only the key makes readable again (Fernet: AES-128 in CBC mode with an HMAC).

    Raises:
        EncryptionKeyError: without a key.
    """
    return _fernet(key).encrypt(text.encode()).decode()


def decrypted(text: str, key: SecretStr | None) -> str:
    """What was encrypted.

    Raises:
        EncryptionKeyError: without a key, or with another one.
    """
    from cryptography.fernet import InvalidToken

    try:
        return _fernet(key).decrypt(text.encode()).decode()
    except InvalidToken:
        raise EncryptionKeyError(
            "GAMESTATS_ENCRYPTION_KEY is not the key that the e-mail address was encrypted with."
        ) from None


def _fernet(key: SecretStr | None) -> Any:
    from cryptography.fernet import Fernet

    if key is None:
        raise EncryptionKeyError(
            "An e-mail address is kept encrypted, and GAMESTATS_ENCRYPTION_KEY is not set. Make a key with: "
            'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"',
            "email",
        )
    try:
        return Fernet(key.get_secret_value())
    except ValueError:
        raise EncryptionKeyError(
            "GAMESTATS_ENCRYPTION_KEY is no key: 32 bytes in URL-safe base64 are one.", "email"
        ) from None
