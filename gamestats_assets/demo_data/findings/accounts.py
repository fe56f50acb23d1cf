"""Accounts in which truths are planted, and those that share an address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ELSEWHERE = ""
"""In place of the address of an account that has several."""


def label(value: Any) -> str:
    """How a value is called among a property's choices, whatever its type in JSON: `true`, `3`, `lamp`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


@dataclass(frozen=True, slots=True)
class KnownAccounts:
    """Accounts of which the generator says that a truth is planted in them together.

    Attributes:
        truth: its number among the configuration's.
        accounts: by distinct id.
    """

    truth: int
    accounts: frozenset[str]


def known_accounts(manifest: Mapping[str, Any]) -> list[KnownAccounts]:
    """What a run's manifest says of the accounts in which truths are planted."""
    return [
        KnownAccounts(group["truth"], frozenset(account["distinct_id"] for account in group["accounts"]))
        for group in manifest.get("known", ())
    ]


def sharing(address_of: Mapping[str, str], fewest: int) -> dict[str, frozenset[str]]:
    """Accounts by the address that so many of them have, at least, and none other."""
    count = Counter(address_of.values())
    found: dict[str, set[str]] = {a: set() for a, n in count.items() if n >= fewest and a != ELSEWHERE}
    for account, address in address_of.items():
        if address in found:
            found[address].add(account)
    return {address: frozenset(accounts) for address, accounts in found.items()}
