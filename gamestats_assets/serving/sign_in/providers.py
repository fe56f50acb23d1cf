"""What all sign-in providers have in common."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from gamestats_assets.lakehouse.errors import GamestatsError

LONGEST_S = 10.0
"""Seconds within which a provider must answer."""


class SignInError(GamestatsError):
    """The sign-in failed: the provider did not vouch, or its answer cannot be trusted.

    Attributes:
        reason: details for the operator, beyond the message for the person.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class ProviderDownError(SignInError):
    """The provider does not answer properly."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in that waits for the browser to come back.

    Attributes:
        state: identifies it.
        nonce: the resulting identity must repeat it.
        verifier: the secret of PKCE.
    """

    state: str
    nonce: str
    verifier: str

    @classmethod
    def begin(cls) -> Attempt:
        """Another one."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))


@dataclass(frozen=True, slots=True)
class Identity:
    """An account that a provider vouches for.

    Attributes:
        issuer: the provider; together with `subject` it identifies the account for ever.
        name: suggested name of a new user.
        once: a nonce that must not be accepted twice, if the provider sends one.
    """

    issuer: str
    subject: str
    name: str = ""
    once: str | None = None


class Provider(Protocol):
    """A provider whose accounts people may sign in with.

    Attributes:
        name: its name in addresses.
        title: its name for people.
        issuer: its id in identities.
        platform: the platform of games whose accounts these are, if any.
    """

    name: str
    title: str
    issuer: str
    platform: str | None

    def address(self, attempt: Attempt, callback: str, home: str) -> str:
        """Returns the address to which the browser is sent.

        Args:
            callback: our address to come back to.
            home: our scheme, host and port.

        Raises:
            ProviderDownError: if the provider does not answer.
        """
        ...

    def vouched(self, attempt: Attempt, callback: str, returned: Mapping[str, str]) -> Identity:
        """Returns the account that the provider vouches for.

        Args:
            returned: the parameters with which the browser came back.

        Raises:
            SignInError: if the provider does not vouch, or its answer cannot be trusted.
        """
        ...


def client() -> httpx.Client:
    """Returns a client for providers, with short timeouts and no redirects."""
    return httpx.Client(timeout=LONGEST_S, follow_redirects=False)
