"""Sign-in by OpenID Connect: authorization code with PKCE, and an ID token that the issuer signed.

The issuer names its endpoints (`/.well-known/openid-configuration`). The checks are those of section
3.1.3.7 of OpenID Connect Core, RFC 9207 against a mix-up of issuers, and RFC 9700.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from joserfc import jwk, jwt
from joserfc.errors import JoseError
from pydantic import SecretStr

from gamestats_assets.serving.sign_in.providers import Attempt, Identity, ProviderDownError, SignInError, client
from gamestats_assets.settings import SignInProvider

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Algorithms with which only the issuer can sign: neither `none` nor any with a shared key."""
_KNOWN_FOR_S = 600.0
_CLOCKS_DIFFER_S = 60


class OpenIdConnect:
    """An OpenID Connect provider with its settings."""

    def __init__(self, asked: SignInProvider, secret: SecretStr | None) -> None:
        self.name, self.title, self.issuer = asked.name, asked.title or asked.name, asked.issuer
        self.platform = asked.platform
        self._client_id, self._scope, self._secret = asked.client_id or "", asked.scope, secret
        self._found: tuple[float, dict[str, Any]] | None = None

    def address(self, attempt: Attempt, callback: str, home: str) -> str:
        """See `Provider`."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).decode().rstrip("=")
        asked = {"response_type": "code", "client_id": self._client_id, "scope": self._scope, "redirect_uri": callback}
        asked |= {"state": attempt.state, "nonce": attempt.nonce}
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        endpoint = self._about()["authorization_endpoint"]
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def vouched(self, attempt: Attempt, callback: str, returned: Mapping[str, str]) -> Identity:
        """See `Provider`."""
        about = self._about()
        says_iss = about.get("authorization_response_iss_parameter_supported") is True
        if returned.get("iss", self.issuer if not says_iss else None) != self.issuer:
            raise SignInError(f"The answer is not from {self.title}, with which the sign-in began. Sign in again.")
        if "error" in returned:
            cancelled = returned["error"] in ("access_denied", "login_required", "consent_required")
            raise SignInError(
                "The sign-in was cancelled." if cancelled else f"{self.title} refused the sign-in. Sign in again."
            )
        if not returned.get("code"):
            raise SignInError(f"The answer of {self.title} has no code. Sign in again.")
        claims = self._claims(self._id_token(about, attempt, callback, returned["code"]), attempt, about)
        name = next((claims[each] for each in ("preferred_username", "nickname", "name") if claims.get(each)), "")
        return Identity(self.issuer, claims["sub"], name if isinstance(name, str) else "")

    # ------------------------------------------------------------ what the issuer says

    def _about(self) -> dict[str, Any]:
        if self._found is None or time.monotonic() - self._found[0] > _KNOWN_FOR_S:
            about = self._asked("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            endpoints = [about.get(f"{each}") for each in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
            if about.get("issuer") != self.issuer or not all(map(self._is_safe, endpoints)):
                message = f"{self.title} does not answer as it should. Sign in again in a moment."
                raise ProviderDownError(message, f"{self.issuer} names another issuer, or unsafe endpoints")
            self._found = time.monotonic(), about
        return self._found[1]

    def _is_safe(self, address: Any) -> bool:
        """Whether an address is safe from eavesdroppers: only an issuer on this machine may do without HTTPS."""
        schemes = ("https",) if self.issuer.startswith("https:") else ("https", "http")
        return isinstance(address, str) and urlsplit(address).scheme in schemes and bool(urlsplit(address).netloc)

    def _asked(self, method: str, address: str, **given: Any) -> dict[str, Any]:
        try:
            with client() as http:
                answer = http.request(method, address, headers={"Accept": "application/json"}, **given)
                if answer.is_server_error:
                    answer.raise_for_status()
                found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            message = f"{self.title} does not answer as it should. Sign in again in a moment."
            raise ProviderDownError(message, type(error).__name__) from None
        if answer.status_code != 200 or not isinstance(found, dict):
            why = str(found.get("error", ""))[:40] if isinstance(found, dict) else ""
            reason = f"status {answer.status_code} {why}"
            raise SignInError(f"{self.title} refused the sign-in. Sign in again.", reason)
        return found

    def _id_token(self, about: Mapping[str, Any], attempt: Attempt, callback: str, code: str) -> str:
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback}
        asked |= {"client_id": self._client_id, "code_verifier": attempt.verifier}
        auth = None
        if self._secret is not None:
            secret = self._secret.get_secret_value()
            if "client_secret_basic" in (about.get("token_endpoint_auth_methods_supported") or "client_secret_basic"):
                auth = (quote(self._client_id, safe=""), quote(secret, safe=""))
            else:
                asked["client_secret"] = secret
        given = self._asked("POST", about["token_endpoint"], data=asked, auth=auth)
        if not isinstance(given.get("id_token"), str):
            raise SignInError(f"{self.title} did not say who signed in.")
        return given["id_token"]

    def _claims(self, token: str, attempt: Attempt, about: Mapping[str, Any]) -> dict[str, Any]:
        try:
            # Fetched for each sign-in, which is rare, so that a revoked key is never used.
            keys = _keys(self._asked("GET", about["jwks_uri"]))
            claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                leeway=_CLOCKS_DIFFER_S,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self._client_id},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": attempt.nonce},
                sub={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            message = f"The ID token of {self.title} cannot be trusted. Sign in again."
            raise SignInError(message, type(error).__name__) from None
        is_for_several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if is_for_several else self._client_id) != self._client_id:
            raise SignInError(f"The ID token of {self.title} is for another application.")
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise SignInError(f"The ID token of {self.title} does not say who signed in.")
        return claims


def _keys(found: Mapping[str, Any]) -> jwk.KeySet:
    """Returns the keys that may have signed, without those of unknown kinds."""
    keys: list[Any] = []
    for each in found.get("keys", ()):
        if each.get("kty") in ("RSA", "EC", "OKP") and each.get("use", "sig") == "sig":
            with suppress(JoseError, ValueError, KeyError):
                keys.append(jwk.import_key(each))
    return jwk.KeySet(keys)
