"""The whitelist of addresses that many honest players share, as people enter it: beginnings of addresses, as text.

An address is whitelisted when its text begins with an entry, so where an entry ends matters: `103.7.1.` is a network,
and `103.7.1` is those of 103.7.10 to 103.7.199, too.
"""

from __future__ import annotations

import difflib
import ipaddress
import re

import polars as pl
import psycopg

from gamestats_assets.l2m.tables import IpWhitelist
from gamestats_assets.lakehouse import ops
from gamestats_assets.lakehouse.entries import Entered, EntryError, UnknownNameError

_TABLE = IpWhitelist.spec.name
_LEAST_WHOLE_PARTS = 2
"""Of four numbers (IPv4) or eight (IPv6): one alone would whitelist providers, or a continent."""
_EXPECTED = "expected the beginning of an IPv4 or IPv6 address, such as 103.7.0. or 2001:db8:1:"


def add_prefix(conn: psycopg.Connection, prefix: str, note: str | None = None) -> Entered:
    """Whitelist the addresses that begin so; of an entry that is there only the note is changed.

    Raises:
        EntryError: when no address begins so, or too many do.
    """
    prefix = checked_prefix(prefix)
    what = f"whitelisted addresses {prefix}"
    known = {row["ip_prefix"]: row["note"] for row in ops.select(conn, _TABLE, {})}
    if prefix in known:
        if note is None or known[prefix] == note:
            return Entered("whitelist entry", what, "unchanged")
        ops.update(conn, _TABLE, {"ip_prefix": prefix}, {"note": note})
        return Entered("whitelist entry", what, "changed", (f"note {known[prefix]} -> {note}",))
    ops.insert(conn, _TABLE, {"ip_prefix": prefix, "note": note})
    notes = [f"They are whitelisted by {other} already." for other in known if prefix.startswith(other)]
    if inside := [other for other in known if other.startswith(prefix)]:
        notes.append(f"{', '.join(sorted(inside))} {'is' if len(inside) == 1 else 'are'} among them.")
    return Entered("whitelist entry", what, "created", notes=(*_where_it_ends(prefix), *notes))


def remove_prefix(conn: psycopg.Connection, prefix: str) -> Entered:
    """Take an entry off the whitelist.

    Raises:
        UnknownNameError: when there is none.
    """
    prefix = prefix.strip().lower()
    if not ops.delete(conn, _TABLE, {"ip_prefix": prefix}):
        known = [row["ip_prefix"] for row in ops.select(conn, _TABLE, {})]
        near = difflib.get_close_matches(prefix, known, n=3) or known[:3]
        advice = f"Entries: {', '.join(near)}" if near else "The whitelist is empty."
        raise UnknownNameError(f"{prefix!r} is not on the whitelist. {advice}", "ip_prefix")
    return Entered("whitelist entry", f"whitelisted addresses {prefix}", "removed")


def list_prefixes(conn: psycopg.Connection) -> pl.DataFrame:
    """The whitelist: ip_prefix, note, created_by, created_at."""
    columns = {"ip_prefix": pl.String, "note": pl.String, "created_by": pl.String}
    schema = {**columns, "created_at": pl.Datetime("us", "UTC")}
    found = ops.select(conn, _TABLE, {})
    return pl.DataFrame([{name: row[name] for name in schema} for row in found], schema=schema)


# --------------------------------------------------------------------------- what an address begins with


def checked_prefix(text: str) -> str:
    """An entry as it is stored: in small letters, as logs write addresses.

    Raises:
        EntryError: when no address begins so, or too many do.

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
        raise EntryError(f"{_EXPECTED}; found {text.strip()!r}.{_as_network(prefix)}", "ip_prefix")
    if ":" in prefix and not is_mapped:
        whole = sum(bool(group) for group in prefix.split(":")[:-1]) + ("::" in prefix)
    else:
        whole = last.count(".")
    if whole < _LEAST_WHOLE_PARTS:
        raise EntryError(
            f"{prefix!r} is the beginning of too many addresses: expected two whole numbers of them at least, each "
            "with its point or colon, such as 103.7. or 2001:db8:. Nobody who plays from there is taken for a farmer.",
            "ip_prefix",
        )
    return prefix


def _begins_ipv4(text: str) -> bool:
    *whole, last = text.split(".")
    numbers = [*whole, *([last] if last else [])]
    return (
        bool(whole or last)
        and len(whole) <= 3
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
    """What to write instead of a network, or of a star."""
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return f" Write {text.removesuffix('*')!r} for all of them." if re.fullmatch(r"[0-9.]+\*", text) else ""
    if "/" not in text or network.prefixlen % 8 or not network.prefixlen:
        return " A network is written as what the texts of its addresses begin with, with several entries if need be."
    numbers = str(network.network_address).split(".")[: network.prefixlen // 8]
    return f" The network {text} is written {'.'.join(numbers) + '.' * (len(numbers) < 4)!r}."


def _where_it_ends(prefix: str) -> list[str]:
    """What an entry whitelists that was hardly meant."""
    last = re.split(r"[.:]", prefix)[-1]
    is_ipv4 = "." in prefix
    if not last or (int(last) > 25 if is_ipv4 else len(last) == 4):
        return []
    point, named = (".", "point") if is_ipv4 else (":", "colon")
    told = f"{prefix} does not end with a {named}, so what goes on with a digit is whitelisted as well: {prefix}1..."
    is_all = prefix.count(".") == 3 if is_ipv4 else _is_ipv6(prefix)
    return [told if is_all else f"{told} For the addresses of {prefix}{point} alone, write it with its last {named}."]
