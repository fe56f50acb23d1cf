"""What the clauses of a description say of the event itself: how often it happens, who causes it, whether it is kept.

The clauses stand in `data/reference/demo_data/analyst_clauses.toml`, each as a pattern with a role.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping

from gamestats_assets.demo_data.analysis.lexicon import named_words, pieces, word_set
from gamestats_assets.demo_data.analysis.reading import Reading
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.taxonomies.model import Event, flattened


@functools.cache
def clauses() -> Mapping[str, list[re.Pattern[str]]]:
    """Patterns of clauses by role."""
    found: dict[str, list[re.Pattern[str]]] = {}
    for clause in facts("analyst_clauses")["clause"]:
        found.setdefault(clause["role"], []).append(re.compile(clause["pattern"], re.IGNORECASE))
    return found


def text_of(event: Event) -> str:
    """Description and alias in small letters, full-width characters as plain ones."""
    told = unicodedata.normalize("NFKC", f"{event.description} ; {event.alias}").lower()
    return " ".join(told.split())


def says(event: Event, role: str) -> bool:
    """Whether a description has a clause of a role: `optional`, `system`, `repeated`, ..."""
    return any(pattern.search(text_of(event)) for pattern in clauses()[role])


def _without(text: str, role: str) -> str:
    for pattern in clauses()[role]:
        text = pattern.sub(" ", text)
    return text


# --------------------------------------------------------------------------- how often

PEOPLE = named_words("people")
"""Words for whom a product has users of, and for what there is one of for each of them."""
_USERS = word_set("user account customer member player person")
_NO_PEOPLE = named_words("no_people")
_PER = re.compile(
    r"\b(?:once|one \w+) (?:per|for (?:each|every)|an?|each|every|in an?|by (?:each|every)) (?:\w+ )?(\w+)"
)
_COMING = re.compile("regist|sign|join|activat|enrol")
_ID_NAME = re.compile(r"(?:[a-z]I|(?:^|_)[iI])[dD]s?$")
_OF_NO_KIND = re.compile("order|pay|purchase|trans|product|item|user|account|device|session|visitor|install")
"""Ids of deals, which have a first one of a life, and of people."""


def one_of_many(event: Event) -> bool:
    """Whether an event names one of many things, each of which has a first time."""
    names = [name for name, _ in flattened(event.properties)]
    return any(_ID_NAME.search(name) and not _OF_NO_KIND.match(name.lower()) for name in names)


def told_once(event: Event) -> bool:
    """Whether a text says that an event happens once to everybody: `once per rider`, `계정당 1회`, `一度だけ`."""
    text = _without(text_of(event), "daily")
    own = {re.sub(r"_?id$", "", prop.name.lower()) for prop in event.properties} - _USERS
    for match in _PER.finditer(text):
        who = match[1] if match[1] in PEOPLE else match[1].removesuffix("s")
        if who in _NO_PEOPLE | own:
            continue
        comes = who in event.name.lower() and bool(_COMING.search(event.name.lower()))
        if who in PEOPLE or re.search(r"(?:er|or|ee|ist)$", who) or comes:
            return True
    once = clauses()["once"]
    if once[-1].search(text):
        return True
    text = _without(text, "seldom")
    return any(p.search(text) for p in once) or (
        any(p.search(text) for p in clauses()["first"]) and not one_of_many(event)
    )


def told_daily(event: Event, reading: Reading) -> bool:
    """Whether an event happens once on a day at most: `1日1回`, `daily_login`, a check of attendance."""
    if says(event, "daily"):
        return True
    if one_of_many(event) or reading.fails or reading.action in ("view", "click", "show", "list"):
        return False
    present = reading.says("checkin", "attend")
    named = reading.says("daily") and (present or reading.says("login", "reward"))
    counted = {"reward", "daily", "consecutive"} & {*reading.text, *reading.description}
    return named or (present and bool(counted) and not reading.things - {"check", "daily", "reward", "app", "event"})


_LEGACY_NAME = re.compile(r"(?:[_ ]old|[_ ]?v1|[_ ]legacy|[_ ]deprecated)$", re.IGNORECASE)


_MACHINES = named_words("machines")
_AGAIN = re.compile(
    r"\b(?:every|each) (?:\w+ )?(?:second|minute|min|hour|night|day|week|month)|hourly|nightly|monthly|weekly"
    r"|매일|매주|매월|\d+분마다"
    r"|毎時|毎日|毎週|ごとに|\bbatch\b|(?:batch|cron|scoring) job|server to server|バッチ|배치"
)


def is_of_system(event: Event) -> bool:
    """Whether a server, a batch or a schedule reports an event, and no user causes it."""
    if says(event, "system"):
        return True
    told = [
        bool(_MACHINES & {event.tag.lower(), *pieces(event.tag)}),
        bool(_MACHINES & {*pieces(event.name)}),
        bool(_AGAIN.search(text_of(event))),
    ]
    return sum(told) >= 2


def is_legacy(event: Event) -> bool:
    """Whether an event is of an older version, and has been replaced."""
    return bool(_LEGACY_NAME.search(event.name)) or event.tag.lower() == "legacy" or says(event, "legacy")
