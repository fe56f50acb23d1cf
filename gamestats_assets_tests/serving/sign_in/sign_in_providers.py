"""Providers to sign in with, for tests: they speak their protocols over HTTP, and do wrong on request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

Claims = dict[str, Any]
Answer = tuple[int, str, str]
"""Status, content type or `Location`, and body."""


class _Provider:
    """Answers at an address of its own.

    Attributes:
        answer: gives the answer to method, path, parameters and headers.
    """

    def __init__(self) -> None:
        self.is_down = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Answer, until it is left."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                self._give(provider.answer("GET", address.path, dict(parse_qsl(address.query)), dict(self.headers)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                sent = dict(parse_qsl(body, keep_blank_values=True))
                self._give(provider.answer("POST", self.path, sent, dict(self.headers)))

            def _give(self, answer: Answer) -> None:
                status, kind, body = (500, "text/plain", "") if provider.is_down else answer
                self.send_response(status)
                self.send_header("Location" if status == 302 else "Content-Type", kind)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, method: str, path: str, sent: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        raise NotImplementedError


# --- OpenID Connect ------------------------------------------------------------------------------


class Issuer(_Provider):
    """A provider of OpenID Connect.

    Attributes:
        claims: what ID tokens say besides; None leaves a claim out.
        sign: makes an ID token of its claims; by default with the newest key.
        about: what it says of itself besides.
        back: parameters with which the browser comes back besides; None leaves one out.
        keys: those that it publishes; the last one signs.
        asked: what the browser was sent with at last.
        codes: those for which tokens were asked.
    """

    SECRET, CLIENT_ID = "a secret: with + and %", "gamestats"

    def __init__(self, kind: Callable[[], Any] = lambda: new_key("RSA")) -> None:
        super().__init__()
        self.keys = [kind()]
        self.asked: Mapping[str, str] = {}
        self.codes: list[str] = []
        self._codes: dict[str, Mapping[str, str]] = {}
        self.behave()

    def behave(self) -> None:
        """Do nothing wrong any more."""
        self.claims: Claims = {}
        self.about: dict[str, Any] = {}
        self.back: dict[str, str | None] = {}
        self.sign: Callable[[Claims], str] = self.signed
        self.is_down = False

    def settings(self, name: str) -> dict[str, str]:
        """How gamestats is told of it."""
        return {"name": name, "title": name.title(), "issuer": self.address, "client_id": self.CLIENT_ID}

    def signed(self, claims: Claims, key: Any = None, **header: str) -> str:
        """An ID token."""
        key = key or self.keys[-1]
        head = {"alg": algorithm(key), "kid": key.kid, **header}
        return jwt.encode(head, claims, key, algorithms=[head["alg"]])

    def answer(self, method: str, path: str, sent: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        if path == "/.well-known/openid-configuration":
            paths = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
            about: Claims = {"issuer": self.address} | {name: self.address + path for name, path in paths.items()}
            about["authorization_response_iss_parameter_supported"] = True
            return _json({**about, **self.about})
        if path == "/keys":
            return _json({"keys": [key.as_dict(private=False) for key in self.keys]})
        if path == "/authorize":
            self.asked, code = sent, secrets.token_urlsafe()
            self._codes[code] = sent
            back = {"code": code, "state": sent["state"], "iss": self.address, **self.back}
            return 302, f"{sent['redirect_uri']}?{urlencode({n: v for n, v in back.items() if v is not None})}", ""
        return self._tokens(sent, headers)

    def _tokens(self, sent: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        self.codes.append(sent["code"])
        begun = self._codes.pop(sent["code"], {})
        name, _, secret = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest()).decode()
        good = (
            (unquote(name), unquote(secret)) == (self.CLIENT_ID, self.SECRET)
            and begun.get("redirect_uri") == sent["redirect_uri"]
            and begun.get("code_challenge") == challenge.rstrip("=")
        )
        if not good:
            return 400, "application/json", json.dumps({"error": "invalid_grant"})
        now = int(time.time())
        claims = {"iss": self.address, "aud": self.CLIENT_ID, "sub": "1001", "iat": now, "exp": now + 300}
        claims |= {"nonce": begun["nonce"], "preferred_username": "Kim", **self.claims}
        token = self.sign({name: value for name, value in claims.items() if value is not None})
        return _json({"access_token": "x", "token_type": "Bearer", "id_token": token})


def new_key(kind: str) -> Any:
    """A key to sign with: RSA, EC or OKP."""
    kid: Any = {"kid": secrets.token_hex(4)}
    if kind == "RSA":
        return RSAKey.generate_key(2048, kid)
    return ECKey.generate_key("P-256", kid) if kind == "EC" else OKPKey.generate_key("Ed25519", kid)


def algorithm(key: Any) -> str:
    """By which it signs."""
    return {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[key.key_type]


def plain(part: Mapping[str, Any]) -> str:
    """A part of a token that nobody signed."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def with_secret(claims: Claims, secret: bytes, kid: str) -> str:
    """A token signed by HS256, as whoever knows the secret can."""
    said = f"{plain({'alg': 'HS256', 'kid': kid})}.{plain(claims)}"
    signature = base64.urlsafe_b64encode(hmac.digest(secret, said.encode(), "sha256")).decode().rstrip("=")
    return f"{said}.{signature}"


def _json(value: Any) -> Answer:
    return 200, "application/json", json.dumps(value)


# --- OpenID 2.0 ----------------------------------------------------------------------------------


class SteamLike(_Provider):
    """A provider of OpenID 2.0 as Steam is one.

    Attributes:
        says: fields of its assertions besides, before they are signed.
        forgets: whether it vouches for an assertion more than once.
        checked: how often it was asked whether an assertion is its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self._secret, self._vouched = secrets.token_bytes(), set[str]()
        self.checked = 0
        self.behave()

    def behave(self) -> None:
        """Do nothing wrong any more."""
        self.says: dict[str, str] = {}
        self.forgets = self.is_down = False

    @property
    def issuer(self) -> str:
        """As gamestats is told of it."""
        return f"{self.address}/openid"

    def answer(self, method: str, path: str, sent: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        asked = {name.removeprefix("openid."): value for name, value in sent.items()}
        if asked["mode"] == "check_authentication":
            return self._check(asked)
        account = f"{self.issuer}/id/76561197960287930"
        nonce = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}{secrets.token_urlsafe(6)}"
        says = {"ns": asked["ns"], "mode": "id_res", "op_endpoint": f"{self.issuer}/login", "claimed_id": account}
        says |= {"identity": account, "return_to": asked["return_to"], "response_nonce": nonce, "assoc_handle": "1"}
        says |= {"signed": "signed,op_endpoint,claimed_id,identity,return_to,response_nonce,assoc_handle", **self.says}
        says["sig"] = self._signature(says)
        query = urlencode({f"openid.{name}": value for name, value in says.items()})
        return 302, f"{asked['return_to']}&{query}", ""

    def _check(self, said: Mapping[str, str]) -> Answer:
        self.checked += 1
        good = hmac.compare_digest(said["sig"], self._signature(said))
        good = good and (self.forgets or said["response_nonce"] not in self._vouched)
        self._vouched.add(said["response_nonce"])
        verdict = f"ns:http://specs.openid.net/auth/2.0\nis_valid:{'true' if good else 'false'}\n"
        return 200, "text/plain", verdict

    def _signature(self, says: Mapping[str, str]) -> str:
        signed = "".join(f"{name}:{says[name]}\n" for name in says["signed"].split(","))
        return base64.b64encode(hmac.digest(self._secret, signed.encode(), "sha1")).decode()
