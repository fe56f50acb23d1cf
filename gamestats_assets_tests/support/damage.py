"""Documents with something in them damaged: one thing that a test chooses, or what chance does, the same for a seed."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Place = tuple[Any, ...]
"""Keys and numbers that lead to a value."""
DROP = "drop"
"""Damage that takes a value out."""


def places(value: Any, path: Place = ()) -> list[Place]:
    """Where in a document a value stands, each before what is within it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, part in inner for place in ((*path, key), *places(part, (*path, key)))]


def damaged(document: Any, place: Place, garbage: Any) -> Any:
    """A copy of a document with something else at a place, or nothing."""
    document = copy.deepcopy(document)
    *parents, last = place
    holder = document
    for step in parents:
        holder = holder[step]
    if garbage == DROP:
        del holder[last]
    else:
        holder[last] = garbage
    return document


# --------------------------------------------------------------------------- by chance

_RAW = "raw:"
"""Begins a text that is written without its quotes: JSON that `json.dumps` would not write."""
_ODD: Sequence[Any] = (
    *(None, True, False, "", " ", [], {}, [None], [[]], {"": None}, [{}]),
    *(f"{_RAW}1e400", f"{_RAW}-1e999", f"{_RAW}NaN", f"{_RAW}Infinity", f"{_RAW}01", f"{_RAW}1.", f"{_RAW}-", _RAW),
    *(f'{_RAW}"\\ud800"', f'{_RAW}"\\udc00\\ud800"', f'{_RAW}"\\u0000"', f'{_RAW}"\\x"', f'{_RAW}"tab\there"'),
    *(f"{_RAW}{'9' * 5_000}", f"{_RAW}{'[' * 600}{']' * 600}", f"{_RAW}{'[' * 100_000}", f'{_RAW}{{"a":1,"a":2}}'),
)
_NUMBERS: Sequence[Any] = (
    *(0, -1, 1, 7, 0.1, -0.0, 1e-320, 1e308, -1e308, 2.0, 2.5, 127, 128, 255, 256, -32769, 32767, 32768, 65536),
    *(2**31 - 1, 2**31, -(2**31) - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**40, 10**400),
    *(9_214_646_400_000, 9_214_646_400_001, 253_402_300_799_999, -62_135_596_800_000, 10**18, 86_400, 3e9),
)
_TIMES: Sequence[str] = (
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
    *("2026-02-30T00:00:00Z", "2026-03-14T25:00:00Z", "2026-03-14", "20260314T100000Z", "2026-03-14T23:59:60Z"),
    *("2026-03-14 20:00:00", "9999-12-31 23:59:59.999", "0001-01-01 00:00:00", "2262-04-12T00:00:00Z", "T"),
    *("2026-01-01T00:00:00.1234567+00:00", "1969-12-31T23:59:59Z", "2026-03-14T20:00:00+99:99"),
)
_TEXTS: Sequence[str] = (
    *("0", "-1", "NaN", "null", "\0", "a\0b", "\u202e", "x" * 5_000, "ж" * 2_100, "é", "e\u0301", "\U0001f600"),
    *("../../etc/passwd", 'a,b\n"c"', "=1+1", "%s%n{0}", "1e5", "true", "9" * 400, "1,000", "#time", "a.b", "١٢٣"),
)
_KEYS = ("", "\0", "#", "a.b", "x" * 300, "1", "type", "id", "_T", "é", "raw:x")


class Mutable:
    """A document of JSON to be damaged by chance, as often in the one field of its head as in one of its many rows."""

    def __init__(self, document: Any) -> None:
        self._document = document
        kinds: dict[Place, list[Place]] = {}
        for place in places(document):
            kinds.setdefault(tuple("" if isinstance(step, int) else step for step in place), []).append(place)
        self._kinds = list(kinds.values())

    def mutated(self, random: Random, *given: tuple[Place, Any]) -> bytes:
        """A copy with one to four things in it other than they were; rarely not whole, or no JSON.

        Args:
            given: values put at places before.
        """
        document = self._document
        for place, value in given:
            document = _at(document, place, lambda holder, last, value=value: _put(holder, last, value))
        for _ in range(random.choice((1, 1, 1, 2, 4)) if self._kinds else 0):
            place = random.choice(random.choice(self._kinds))
            document = _at(document, place, lambda holder, last: _changed(holder, last, random))
        content = _written(document if self._kinds else _other(document, random))
        return mutated_bytes(content, random) if random.random() < 0.1 else content


def mutated_lines(content: bytes, random: Random) -> bytes:
    """Lines with one to four of them other than they were: of JSON as documents, else with other fields."""
    lines = content.split(b"\n")
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(lines))
        line = lines[at]
        how = random.randrange(8)
        if how == 0:
            lines[at : at + 1] = random.choice(([], [line, line], [b"", line], [line, lines[0]], [b"\xff\xfe", line]))
        elif line.lstrip().startswith((b"{", b"[")):
            try:
                lines[at] = Mutable(json.loads(line)).mutated(random).replace(b"\n", b" ")
            except (ValueError, RecursionError):  # one that was damaged before
                lines[at] = mutated_bytes(line, random)
        else:
            fields = line.split(b",")
            place = random.randrange(len(fields))
            text = fields[place].decode("utf-8", "replace")
            other = _written(_other(float(text) if text.isdecimal() else text, random))
            bare, again = other.strip(b'"'), random.choice(fields)
            changed = (other, bare, bare, b'"', b"", again, mutated_bytes(other, random))
            fields[place : place + 1] = random.choice(([], [fields[place]] * 2, [random.choice(changed)]))
            lines[at] = b",".join(fields)
    content = b"\n".join(lines)
    return mutated_bytes(content, random) if random.random() < 0.1 else content


def mutated_bytes(content: bytes, random: Random, *, within: tuple[int, int] | None = None) -> bytes:
    """Bytes with one to four places other than they were: flipped bits, extreme numbers, parts gone, doubled or moved.

    Args:
        within: where, as the first byte and the one after the last; anywhere without it.
    """
    found = bytearray(content)
    low, high = within or (0, len(content))
    for _ in range(random.choice((1, 1, 2, 4))):
        if not found:
            break
        at = min(random.randrange(low, max(low + 1, high)), len(found) - 1)
        size = random.choice((1, 4, 16, 200, 5_000))
        how = random.randrange(8)
        if how <= 1:
            found[at] ^= 1 << random.randrange(8)
        elif how == 2:
            found[at] = random.choice((0, 0xFF, 0x7F, 0x80, 0x22, 0x7B, 0x5D))
        elif how == 3:
            number = struct.pack("<q", random.choice((0, -1, 1, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, 10_000_000)))
            found[at : at + 4] = number[:4]
        elif how == 4:
            del found[at : at + size]
        elif how == 5:
            found[at:at] = found[at : at + size]
        elif how == 6:
            found[at:at] = random.randbytes(min(size, 200))
        else:
            del found[at:]
    return bytes(found)


def _at(value: Any, place: Place, change: Callable[[Any, Any], Any]) -> Any:
    """A copy of a value with the holder of a place changed; what stays is shared. The value where there is no such."""
    step, *rest = place
    is_there = step in value if isinstance(value, dict) else isinstance(value, list) and step in range(len(value))
    if not is_there:
        return value
    return change(value, step) if not rest else _put(value, step, _at(value[step], tuple(rest), change))


def _put(holder: Any, step: Any, value: Any) -> Any:
    if isinstance(holder, dict):
        return {**holder, step: value}
    return [*holder[:step], value, *holder[step + 1 :]]


def _changed(holder: Any, step: Any, random: Random) -> Any:
    """A list or an object with something else at a place; gone, doubled, moved, or called otherwise."""
    how = random.randrange(10)
    if how > 3:
        return _put(holder, step, _other(holder[step], random))
    if isinstance(holder, list):
        gone = holder[:step] + holder[step + 1 :]
        return (gone, [*holder, holder[step]], random.sample(holder, len(holder)), [*gone, _other(None, random)])[how]
    if how == 0:
        return {name: part for name, part in holder.items() if name != step}
    if how == 1:
        return {**holder, random.choice(_KEYS): _other(None, random)}
    if how == 2:
        called = random.choice((step.upper(), step.lower(), step + "s"))
        return {(called if name == step else name): part for name, part in holder.items()}
    return {**holder, step: holder[random.choice(list(holder))]}


def _other(value: Any, random: Random) -> Any:
    """Something else than a value: mostly of its own kind, for others are soon refused."""
    if random.random() < 0.4:
        return random.choice(random.choice((_ODD, _NUMBERS, _TIMES, _TEXTS)))
    if isinstance(value, int | float):
        near = (value - 1, value + 1, -value, value * 1000, value // 7)
        return random.choice((*near, random.choice(_NUMBERS), random.choice(_NUMBERS)))
    if isinstance(value, str) and value[:4].isdigit() and value[4:5] == "-":
        return random.choice(_TIMES)
    if isinstance(value, str):
        return random.choice((value.upper(), value[:-1], value + value, random.choice(_TEXTS), random.choice(_TEXTS)))
    return random.choice(_ODD)


def _written(document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    while (at := text.find(f'"{_RAW}')) >= 0:
        _, end = json.JSONDecoder().raw_decode(text, at)
        text = text[:at] + json.loads(text[at:end]).removeprefix(_RAW) + text[end:]
    return text.encode("utf-8", "surrogatepass")
