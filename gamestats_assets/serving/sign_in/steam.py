"""Sign-in by OpenID 2.0, as Steam has it: the browser brings an assertion, and Steam confirms that it made it.

The checks are those of section 11 of OpenID Authentication 2.0. The endpoint is known, so there is no discovery.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx

from gamestats_assets.serving.sign_in.providers import Attempt, Identity, ProviderDownError, SignInError, client

STEAM = "https://steamcommunity.com/openid"
_NAMESPACE = "http://specs.openid.net/auth/2.0"
_ANY = "http://specs.openid.net/auth/2.0/identifier_select"
_SIGNED = {"op_endpoint", "claimed_id", "identity", "return_to", "response_nonce", "assoc_handle"}
_NONCE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)[\x21-\x7e]{0,200}")
_NONCE_AGE = timedelta(minutes=5)


class Steam:
    """Steam, or another provider whose accounts are `<issuer>/id/<number>`."""

    def __init__(self, name: str, title: str, issuer: str, platform: str | None = None) -> None:
        self.name, self.title, self.issuer = name, title, issuer.rstrip("/")
        self.platform = platform or ("steam" if self.issuer == STEAM else None)
        self._endpoint = f"{self.issuer}/login"
        self._account = re.compile(re.escape(f"{self.issuer}/id/") + r"([0-9]{1,20})")

    def address(self, attempt: Attempt, callback: str, home: str) -> str:
        """See `Provider`."""
        asked = {"ns": _NAMESPACE, "mode": "checkid_setup", "identity": _ANY, "claimed_id": _ANY}
        asked |= {"return_to": _return_to(attempt, callback), "realm": f"{home}/"}
        return f"{self._endpoint}?{urlencode({f'openid.{name}': value for name, value in asked.items()})}"

    def vouched(self, attempt: Attempt, callback: str, returned: Mapping[str, str]) -> Identity:
        """See `Provider`."""
        said = {name.removeprefix("openid."): value for name, value in returned.items() if name.startswith("openid.")}
        if said.get("mode") == "cancel":
            raise SignInError("The sign-in was cancelled.")
        account = self._account.fullmatch(said.get("claimed_id", ""))
        nonce = _NONCE.fullmatch(said.get("response_nonce", ""))
        expected = {"ns": _NAMESPACE, "mode": "id_res", "op_endpoint": self._endpoint}
        expected |= {"return_to": _return_to(attempt, callback), "identity": said.get("claimed_id", "")}
        wrong = [name for name, value in expected.items() if said.get(name) != value]
        wrong += ["signed"] if not set(said.get("signed", "").split(",")) >= _SIGNED else []
        wrong += ["claimed_id"] if account is None else []
        wrong += ["response_nonce"] if nonce is None or not _is_now(nonce[1]) else []
        if wrong or account is None:
            raise SignInError(f"The answer of {self.title} cannot be trusted: {', '.join(wrong)} is wrong.")
        if not self._is_its_own(said):
            raise SignInError(f"{self.title} did not confirm the answer. Sign in again.")
        return Identity(self.issuer, account[1], once=said["response_nonce"])

    def _is_its_own(self, said: Mapping[str, str]) -> bool:
        asked = {f"openid.{name}": value for name, value in said.items()} | {"openid.mode": "check_authentication"}
        try:
            with client() as http:
                answer = http.post(self._endpoint, data=asked)
            if answer.is_server_error:
                answer.raise_for_status()
        except httpx.HTTPError as error:
            message = f"{self.title} does not answer as it should. Sign in again in a moment."
            raise ProviderDownError(message, type(error).__name__) from None
        parts = (line.partition(":") for line in answer.text[:2000].splitlines())
        lines = {name: value for name, _, value in parts}
        return answer.status_code == 200 and lines.get("ns") == _NAMESPACE and lines.get("is_valid") == "true"


def _return_to(attempt: Attempt, callback: str) -> str:
    return f"{callback}?{urlencode({'state': attempt.state})}"


def _is_now(moment: str) -> bool:
    try:
        return abs(datetime.now(UTC) - datetime.fromisoformat(moment)) < _NONCE_AGE
    except ValueError:
        return False
