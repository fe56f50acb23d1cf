"""Accounts with planted truths, and accounts that share an address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ELSEWHERE = ""
"""Stands for the address of an account with several."""


def label(value: Any) -> str:
    """Returns the name of a value among a property's choices, whatever its JSON type: `true`, `3`, `lamp`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


@dataclass(frozen=True, slots=True)
class KnownAccounts:
    """Accounts in which the generator planted one truth together.

    Attributes:
        truth: number of the truth in the configuration.
        accounts: their distinct ids.
    """

    truth: int
    accounts: frozenset[str]


def known_accounts(manifest: Mapping[str, Any]) -> list[KnownAccounts]:
    """Returns the accounts with planted truths in a run's manifest."""
    return [
        KnownAccounts(group["truth"], frozenset(account["distinct_id"] for account in group["accounts"]))
        for group in manifest.get("known", ())
    ]


def sharing(address_of: Mapping[str, str], fewest: int) -> dict[str, frozenset[str]]:
    """Returns accounts by their only address, for addresses with at least so many accounts."""
    count = Counter(address_of.values())
    found: dict[str, set[str]] = {a: set() for a, n in count.items() if n >= fewest and a != ELSEWHERE}
    for account, address in address_of.items():
        if address in found:
            found[address].add(account)
    return {address: frozenset(accounts) for address, accounts in found.items()}
