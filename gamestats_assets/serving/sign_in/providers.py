"""Who vouches for people: what all sign-in providers have in common."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from gamestats_assets.lakehouse.errors import GamestatsError

LONGEST_S = 10.0
"""Seconds that a provider may take for an answer."""


class SignInError(GamestatsError):
    """Nobody is signed in: the provider did not vouch, or its answer is none that can be trusted.

    Attributes:
        reason: for whoever runs gamestats, where it is more than what the person is told.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class ProviderDownError(SignInError):
    """The provider does not answer as it should."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is remembered of a sign-in until the browser comes back.

    Attributes:
        state: by which it is found again.
        nonce: what an identity must say that is given for it.
        verifier: of PKCE: what only who began it knows.
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
        issuer: who vouches; with `subject` it names the account for ever.
        name: that a new user may have.
        once: what must not be taken twice, of providers whose answers say so.
    """

    issuer: str
    subject: str
    name: str = ""
    once: str | None = None


class Provider(Protocol):
    """By which accounts people may sign in.

    Attributes:
        name: in addresses.
        title: for people.
        issuer: who vouches.
        platform: of games whose accounts these are, if they are.
    """

    name: str
    title: str
    issuer: str
    platform: str | None

    def address(self, attempt: Attempt, callback: str, home: str) -> str:
        """Where the browser is sent.

        Args:
            callback: where it is to come back.
            home: scheme, host and port of ours.

        Raises:
            ProviderDownError: when that cannot be found out.
        """
        ...

    def vouched(self, attempt: Attempt, callback: str, returned: Mapping[str, str]) -> Identity:
        """For which account the provider vouches.

        Args:
            returned: the parameters with which the browser came back.

        Raises:
            SignInError: when it does not, or what is told cannot be trusted.
        """
        ...


def client() -> httpx.Client:
    """What asks providers: it follows nobody elsewhere, and does not wait long."""
    return httpx.Client(timeout=LONGEST_S, follow_redirects=False)
