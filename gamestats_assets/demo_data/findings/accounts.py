"""Which accounts share an address, and of which a property stays at a value while they do an event, by the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gamestats_assets.demo_data.configuration import SharedAddressTruth, StandstillTruth, Truth

_ELSEWHERE = ""
_DID, _LEFT = 1, 2


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


class Accounts:
    """Follows accounts through their records, in any order.

    Args:
        truths: those of the configuration; of kinds other than those two nothing is followed.

    Attributes:
        address_of: by account, the address of all its records; empty where there are several. Nothing unless a truth
            is of addresses.
        standstills: by number of a truth, accounts that did its event, and those of them whose property was never
            anything else.
    """

    def __init__(self, truths: Sequence[Truth]) -> None:
        self.address_of: dict[str, str] = {}
        self._has_addresses = any(isinstance(truth, SharedAddressTruth) for truth in truths)
        self._still = [(n, truth) for n, truth in enumerate(truths) if isinstance(truth, StandstillTruth)]
        self._values = {number: label(truth.value) for number, truth in self._still}
        self._seen: dict[int, dict[str, int]] = {number: {} for number, _ in self._still}
        self.is_needed = self._has_addresses or bool(self._still)

    def take(self, account: str, address: str | None, event: str, properties: Mapping[str, Any]) -> None:
        """Take up a record, but none of `user_add`, which tells by how much something changed.

        Args:
            event: its name; empty of what is told of users.
        """
        if self._has_addresses and address is not None and self.address_of.setdefault(account, address) != address:
            self.address_of[account] = _ELSEWHERE
        for number, truth in self._still:
            value = properties.get(truth.property)
            found = _LEFT if value is not None and label(value) != self._values[number] else 0
            if event == truth.event:
                found |= _DID
            if found:
                seen = self._seen[number]
                seen[account] = seen.get(account, 0) | found

    @property
    def standstills(self) -> dict[int, tuple[frozenset[str], frozenset[str]]]:
        """By number of a truth, accounts that did its event, and those of them whose property never left the value."""
        return {
            number: (
                frozenset(account for account, found in seen.items() if found & _DID),
                frozenset(account for account, found in seen.items() if found == _DID),
            )
            for number, seen in self._seen.items()
        }


def sharing(address_of: Mapping[str, str], fewest: int) -> dict[str, frozenset[str]]:
    """Accounts by the address that so many of them have, at least, and none other."""
    count = Counter(address_of.values())
    found: dict[str, set[str]] = {a: set() for a, n in count.items() if n >= fewest and a != _ELSEWHERE}
    for account, address in address_of.items():
        if address in found:
            found[address].add(account)
    return {address: frozenset(accounts) for address, accounts in found.items()}
