"""Access tokens of programs: JWTs of 15 minutes, signed with a key that changes every 30 days.

A token names only its session. What the user may do is looked up, and ends with the session.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import psycopg
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import OKPKey

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.encryption import Keys, is_plain
from gamestats_assets.serving.database import Connection

ACCESS_S = 15 * 60
_ALGORITHM, _TYPE = "Ed25519", "at+jwt"
_KEY_DAYS = 30
_KNOWN_FOR_S = 60.0


class InvalidTokenError(Exception):
    """The access token is invalid; the message tells its sender why."""


def access_token(conn: psycopg.Connection, keys: Keys, issuer: str, user_id: int, session_id: int) -> str:
    """Returns an access token of a program's session.

    Args:
        keys: decrypt the signing key.
        issuer: our address, which issues and accepts the token.
    """
    key, now = _signing_key(conn, keys), int(time.time())
    claims = {"iss": issuer, "aud": issuer, "sub": str(user_id), "sid": session_id}
    claims |= {"iat": now, "exp": now + ACCESS_S, "jti": uuid.uuid4().hex}
    return jwt.encode({"alg": _ALGORITHM, "typ": _TYPE, "kid": key.kid}, claims, key, algorithms=[_ALGORITHM])


def _signing_key(conn: psycopg.Connection, keys: Keys) -> OKPKey:
    newest = (
        "SELECT private_key FROM accounts.signing_keys WHERE created_at > now() - make_interval(days => %s) "
        "ORDER BY created_at DESC LIMIT 1"
    )
    found = ops.rows(conn, newest, [_KEY_DAYS])
    if not found:
        # If many sign at once, one makes the key.
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('gamestats signing key', 0))")
        found = ops.rows(conn, newest, [_KEY_DAYS])
    if found:
        return _imported(keys, found[0]["private_key"])
    key = OKPKey.generate_key("Ed25519", {"kid": uuid.uuid4().hex})
    added = "INSERT INTO accounts.signing_keys (key_id, private_key) VALUES (%s, %s)"
    conn.execute(added, [key.kid, keys.encrypt(json.dumps(key.as_dict(private=True)))])
    # Tokens signed with an old key have expired by then.
    over = "DELETE FROM accounts.signing_keys WHERE created_at < now() - make_interval(days => %s)"
    conn.execute(over, [_KEY_DAYS + 1])
    return key


def _imported(keys: Keys, kept: str) -> OKPKey:
    return OKPKey.import_key(json.loads(kept if is_plain(kept) else keys.decrypt(kept)))


class Tokens:
    """Verifies access tokens with the keys in PostgreSQL."""

    def __init__(self, issuer: str, keys: Keys) -> None:
        self._keys, self._encrypted_by = dict[str, OKPKey](), keys
        self._asked_at = -_KNOWN_FOR_S
        self._claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": issuer},
            exp={"essential": True},
            sid={"essential": True},
            jti={"essential": True},
        )

    async def session_of(self, conn: Connection, token: str) -> int:
        """Returns the session of a token, even if the session is over.

        Raises:
            InvalidTokenError: if the token is not ours or has expired.
        """
        if time.monotonic() - self._asked_at > _KNOWN_FOR_S:
            await self._reload(conn)
        try:
            kid = str(jws.extract_compact(token.encode()).headers().get("kid"))
            # An unknown key may be new.
            if kid not in self._keys:
                await self._reload(conn)
            read = jwt.decode(token, self._keys[kid], algorithms=[_ALGORITHM])
            if read.header.get("typ") != _TYPE:
                raise InvalidTokenError("This is no access token.")
            self._claims.validate(read.claims)
            return int(read.claims["sid"])
        except ExpiredTokenError:
            message = "The access token is older than 15 minutes. Get another one with the refresh token."
        except (JoseError, ValueError, TypeError, KeyError):
            message = "The access token is not valid here."
        raise InvalidTokenError(message)

    async def _reload(self, conn: Connection) -> None:
        rows: list[Any] = await (await conn.execute("SELECT key_id, private_key FROM accounts.signing_keys")).fetchall()
        self._keys = {row["key_id"]: _imported(self._encrypted_by, row["private_key"]) for row in rows}
        self._asked_at = time.monotonic()
