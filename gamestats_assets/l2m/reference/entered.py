"""The whitelist of addresses that many honest players share, as users enter it: beginnings of addresses, as text.

An address is whitelisted when its text begins with an entry, so the end of an entry matters: `103.7.1.` is a network,
while `103.7.1` also includes those from 103.7.10 to 103.7.199.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from gamestats_assets.l2m.reference.tables import IpWhitelist
from gamestats_assets.lakehouse.entries.declared import Entry, Thing
from gamestats_assets.lakehouse.entries.fields import PROSE, EntryError, Field, Kind

_LEAST_WHOLE_PARTS = 2
"""Least whole numbers of an entry, of four (IPv4) or eight (IPv6): one would whitelist providers or a continent."""
_EXPECTED = "expected the beginning of an IPv4 or IPv6 address, such as 103.7.0. or 2001:db8:1:"


# --------------------------------------------------------------------------- beginnings of addresses


def checked_prefix(text: str, column: str = "ip_prefix") -> str:
    """Returns an entry as it is stored: in small letters, as logs write addresses.

    Raises:
        EntryError: when no address begins like this, or too many do.

    >>> checked_prefix(" 103.7.0. ")
    '103.7.0.'
    """
    prefix = text.strip().lower()
    # An IPv4 address may be the end of an IPv6 one (::ffff:103.7.0.5).
    before, _, last = prefix.rpartition(":")
    is_mapped = bool(before) and "." in last
    if not (_begins_ipv4(last) if is_mapped or ":" not in prefix else _begins_ipv6(prefix)) or (
        is_mapped and not _is_ipv6(f"{before}:0.0.0.0")
    ):
        raise EntryError(f"{_EXPECTED}; found {text.strip()!r}.{_as_network(prefix)}", column)
    if ":" in prefix and not is_mapped:
        whole_number = sum(bool(group) for group in prefix.split(":")[:-1]) + ("::" in prefix)
    else:
        whole_number = last.count(".")
    if whole_number < _LEAST_WHOLE_PARTS:
        raise EntryError(
            f"{prefix!r} is the beginning of too many addresses: expected at least two whole numbers, each "
            "with its point or colon, such as 103.7. or 2001:db8:. No player with one is taken for a farmer.",
            column,
        )
    return prefix


def _begins_ipv4(text: str) -> bool:
    *whole_number, last = text.split(".")
    numbers = [*whole_number, *([last] if last else [])]
    return (
        bool(whole_number or last)
        and len(whole_number) <= 3
        and all(re.fullmatch(r"0|[1-9][0-9]{0,2}", number) and int(number) <= 255 for number in numbers)
    )


def _begins_ipv6(text: str) -> bool:
    return any(_is_ipv6(text + rest) for rest in ("", "0", ":", "::", "0::", ":0"))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def _as_network(text: str) -> str:
    """Returns advice on how to write a network or a star."""
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return f" Write {text.removesuffix('*')!r} for all of them." if re.fullmatch(r"[0-9.]+\*", text) else ""
    if "/" not in text or network.prefixlen % 8 or not network.prefixlen:
        return " Write a network as the beginning of its addresses, if necessary with several entries."
    numbers = str(network.network_address).split(".")[: network.prefixlen // 8]
    return f" The network {text} is written {'.'.join(numbers) + '.' * (len(numbers) < 4)!r}."


def _where_it_ends(prefix: str) -> list[str]:
    """Returns a warning about addresses that an entry whitelists probably by mistake."""
    last = re.split(r"[.:]", prefix)[-1]
    is_ipv4 = "." in prefix
    if not last or (int(last) > 25 if is_ipv4 else len(last) == 4):
        return []
    point, named = (".", "point") if is_ipv4 else (":", "colon")
    message = f"{prefix} does not end with a {named}, so addresses that go on with a digit count as well: {prefix}1..."
    is_all = prefix.count(".") == 3 if is_ipv4 else _is_ipv6(prefix)
    return [
        message if is_all else f"{message} For the addresses of {prefix}{point} alone, write it with its last {named}."
    ]


# --------------------------------------------------------------------------- entries


class WhitelistEntry(Thing):
    """Beginning of addresses that many honest players share: these make no account a farmer."""

    kind = "whitelist entry"
    table = IpWhitelist.spec.name
    key = column = "ip_prefix"
    called = "whitelisted addresses {ip_prefix}"
    command = ("l2m", "whitelist")
    query = "SELECT * FROM ops.ip_whitelist"
    names = (
        Field(
            "ip_prefix",
            "Beginning of the addresses, such as 103.7.0. with its last point.",
            Kind(str, str, checked_prefix, "PREFIX"),
        ),
    )
    fields = (Field("note", "Owner of the addresses.", PROSE),)
    listed = ("ip_prefix", "note", "created_by", "created_at")
    order = ("ip_prefix",)

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        if entry.is_new:
            prefix, known = entry.row["ip_prefix"], [row["ip_prefix"] for row in self.rows(entry.conn)]
            entry.notes += _where_it_ends(prefix)
            entry.notes += [f"{other} already whitelists them." for other in known if prefix.startswith(other)]
            if inside := [other for other in known if other.startswith(prefix)]:
                entry.notes.append(f"{', '.join(inside)} {'is' if len(inside) == 1 else 'are'} among them.")
        return self.stored(entry.given)


WHITELIST_ENTRY = WhitelistEntry()
