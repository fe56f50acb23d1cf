"""The kind of each event in a user's life: a sign-up, a purchase, a fight, an advertisement ...

The words of each kind stand in `data/reference/demo_data/analyst_kinds.csv`. Before it come the ways in and out: events
of the system, how users come and leave, what opens and closes a session. Where words are ambiguous, the other events of
the product decide.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from enum import StrEnum

from gamestats_assets.demo_data.analysis.meaning.descriptions import happens_once, is_of_system, says
from gamestats_assets.demo_data.analysis.meaning.reading import (
    GROUPS,
    SIGHTS,
    THINGS,
    Reading,
    concepts,
    named_words,
    word_set,
)
from gamestats_assets.demo_data.reference import rows
from gamestats_assets.demo_data.taxonomies.model import Event, Taxonomy, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import CopyOf

EventKind = StrEnum(
    "EventKind",
    "SYSTEM INSTALL DEVICE REGISTER SESSION_START SESSION_END GOODBYE CRASH ONBOARDING VERIFY SEARCH BROWSE CART "
    "CHECKOUT PAY PAY_FAIL AFTER_SALE SUBSCRIBE MONEY AD EXPOSURE SHARE SOCIAL GROUP ADVANCED GROWTH EARN SPEND GACHA "
    "CREATE REMOVE SETTING SUPPORT BAD CORE OTHER",
)
"""Kinds of events: `SYSTEM` is reported by servers or advertising, `GOODBYE` gives the account up, `MONEY` is a deposit
or a trade, `EXPOSURE` a notification or a banner, `BAD` a bad outcome other than a failed purchase."""


_PEOPLE = frozenset(
    {"account", "user", "app", "mail", "phone", "social", "game", "member", "code", "guest", "customer"}
)
_AD_FIGURES = named_words("ad_figures")
_SERVER = frozenset({"status", "report", "heartbeat", "monitor", "batch", "cron", "restart", "maintenance", "snapshot"})


def kinds_of(taxonomy: Taxonomy, readings: Sequence[Reading], *, is_game: bool) -> dict[str, EventKind]:
    """Returns the kind of every event, by name."""
    onboards = any(reading.says("tutorial") for reading in readings)
    stays = any(reading.says("checkin") for reading in readings) and not any(r.says("cart") for r in readings)
    launches = any(_opens_app(reading) and not reading.says("login") for reading in readings)
    found = {
        reading.name: _kind(reading, event, onboards=onboards, launches=launches)
        for reading, event in zip(readings, taxonomy.events, strict=True)
    }
    for r in readings:
        if stays and r.says("checkin", "checkout"):
            found[r.name] = EventKind.AFTER_SALE if any(o.says("book") for o in readings) else EventKind.OTHER
        if found[r.name] is EventKind.PAY and is_game and _is_soft(r, readings):
            found[r.name] = EventKind.SPEND
    if EventKind.SESSION_END not in found.values():  # users who launch a game, rather than a match, quit it
        launched = any(r.topic == {"game"} and found[r.name] is EventKind.SESSION_START for r in readings)
        quits = [r for r in readings if r.topic == {"game"} and r.phase in ("end", "exit", "abandon", "close")]
        found |= {r.name: EventKind.SESSION_END for r in quits if launched}
    if EventKind.REGISTER not in found.values():  # a deed on an account, or a sign-up by its text
        apart = (EventKind.SYSTEM, EventKind.INSTALL, EventKind.DEVICE, EventKind.SESSION_START, EventKind.SESSION_END)
        able = [r for r in readings if found[r.name] not in apart and not (r.fails or r.looks or r.phase == "exit")]
        opens = ("open", "complete", "confirm", "accept", "done")
        joining = [r for r in able if says(taxonomy.event(r.name), "sign_up")]
        own = [r for r in able if r.things and r.things <= {"account", "user", "member"}]
        joining += [r for r in own if r.action == "enable" or r.phase in opens]
        found |= {r.name: EventKind.REGISTER for r in sorted(joining, key=lambda r: r.index)[:1]}
    return found


def _is_soft(r: Reading, readings: Sequence[Reading]) -> bool:
    """Whether something costs the game's own currency: goods of the game's shop, beside real payments."""
    if r.says("pay", "order"):
        return False
    soft = ("coin", "gold", "gem", "diamond", "token", "point")
    if any(word in name.lower() for name in r.properties for word in soft):
        return True
    real = any(o.says("pay", "order") or (o.says("buy") and not o.things) for o in readings if o is not r and deals(o))
    return real and bool(r.things - {"product", "package", "premium", "season", "deal", "offer", "event"})


def _kind(r: Reading, event: Event, *, onboards: bool, launches: bool) -> EventKind:
    if kind := _system(r, event) or _arrival(r, event):
        return kind
    if _opens_app(r) and not (r.words == ("game", "start") and launches):
        return EventKind.SESSION_START
    if _closes_app(r) and not (r.words == ("game", "end") and launches):
        return EventKind.SESSION_END
    if _onboards(r, onboards=onboards):
        return EventKind.ONBOARDING
    kind = _by_table(r)
    return EventKind.ONBOARDING if kind in _WELCOMING and says(event, "joining") else kind


_WELCOMING = frozenset(
    {
        *(EventKind.CORE, EventKind.OTHER, EventKind.SETTING, EventKind.CREATE, EventKind.EARN, EventKind.BROWSE),
        *(EventKind.SOCIAL, EventKind.GROWTH),
    }
)
"""Kinds of events that introduce a user if they come right after joining."""


# --------------------------------------------------------------------------- the system and the ways in and out


def _system(r: Reading, event: Event) -> EventKind | None:
    names = [name.lower() for name, _ in flattened(event.properties)]
    if any(isinstance(prop.rule, CopyOf) for prop in event.properties):
        return None
    figures = sum(any(figure in name for figure in _AD_FIGURES) for name in names)
    reports = r.says("spend", "campaign", "ad", "media", "facebook", "google", "tiktok", "adjust", "appsflyer", "data")
    of_things = any(name.endswith(("order_id", "item_id", "product_id")) for name in names)
    costs = r.says("spend") and r.says("marketing", "ad", "campaign", "media")
    online = r.says("online") and (r.says("user", "server", "current", "count", "report") or len(r.words) == 1)
    served = r.says("server", "system", "batch", "cron") and _SERVER.intersection(r.words)
    is_system = (figures >= (2 if reports else 3) and not of_things) or costs or online or served or is_of_system(event)
    return EventKind.SYSTEM if is_system else None


def _arrival(r: Reading, event: Event) -> EventKind | None:
    if r.says("crash") or {"app", "fail"} == set(r.words):
        return EventKind.CRASH
    leaves = r.action in ("leave", "delete", "disable") or r.phase in ("close", "end")
    own = r.things <= {"account", "user", "member", "service", "workspace"}
    if r.says("uninstall", "withdrawal") or (leaves and own and ("withdrawal" in r.text or says(event, "final"))):
        return EventKind.GOODBYE
    if r.says("install") and r.topic <= {"app", "game", "client", "install", "first"}:
        return EventKind.INSTALL
    if r.says("device") and r.says("add") and not r.says("connect", "health", "wearable"):
        return EventKind.DEVICE
    created = r.says("create") and r.says("character", "account") and r.things <= _PEOPLE | {"character"}
    joined = r.action in ("join", "create") and r.things <= _PEOPLE and "register" in r.text and not r.says("login")
    signed = r.says("register") and (r.things | (r.topic - {"register"})) - {"verify", "set"} <= _PEOPLE
    once = r.action == "register" and happens_once(event) and not r.says("view", "click")
    return EventKind.REGISTER if created or (joined and not r.says("register")) or signed or once else None


_APP = named_words("app")
"""Words for what is opened when a session begins."""
_OPENING = ("session", "visit", "site visit", "app visit", "launch", "open", "game start", "app active", "app show")
_CLOSING = ("game end", "session timeout", "app hide", "app inactive", "app pause", "app disable")
_WITH_A_LOGIN = named_words("with_a_login")
_WAYS = named_words("ways")


def _is_app(r: Reading) -> bool:
    """Whether an event is about the app itself, rather than something in it."""
    return bool(r.topic) and r.topic <= _APP | _WAYS


def _opens_app(r: Reading) -> bool:
    if r.fails or r.says("view", "click", "share", "ad"):
        return False
    if r.says("login"):
        about = r.things & THINGS - _PEOPLE - _WITH_A_LOGIN
        return r.phase in (None, "success", "complete", "done") and not r.says("attempt") and not about
    if r.action == "connect" and "login" in r.text and r.things <= {"game", "server", "app"}:
        return True
    if " ".join(r.words) in _OPENING or (r.says("foreground") and _is_app(r)):
        return True
    launched = r.topic == {"game"} and r.phase == "launch"
    return launched or (r.phase in ("start", "launch", "open", "enter") and _is_app(r) and not r.says("background"))


def _closes_app(r: Reading) -> bool:
    if r.says("logout") or (r.action == "disconnect" and "logout" in r.text):
        return True
    if " ".join(r.words) in _CLOSING or (r.says("background") and _is_app(r)):
        return True
    leaves = r.phase in ("end", "close", "exit", "abandon", "die") or r.action == "leave"
    return leaves and (_is_app(r) or (r.topic > {"leave"} and r.topic - {"leave"} <= _APP))


def _onboards(r: Reading, *, onboards: bool) -> bool:
    looked_up = ("view", "read", "click", "show", "search", "share", "download")
    if r.says("tutorial"):
        return "guide" not in r.name.lower() or r.action not in looked_up
    if "tutorial" in concepts(r.tag) and r.action not in ("view", "click"):
        return True
    if r.says("profile", "nickname") and (r.action in ("set", "create", "add") or r.phase == "complete"):
        return r.action == "set" or "add" not in r.description  # an added one may be one of several
    return not onboards and r.says("survey") and r.says("complete", "submit") and "tutorial" in r.text


# --------------------------------------------------------------------------- deals


_NO_DEALS = word_set("view search click list share filter sync export download comparison cancel edit")


def deals(r: Reading) -> bool:
    """Whether something is bought, paid, ordered or booked."""
    read = r.says("book") and (r.says("read", "write", "download", "play") or r.phase in ("open", "close", "enter"))
    if read or (r.says("donate") and r.things & GROUPS) or (r.action == "order" and "card" in r.things):
        return False
    dealt = r.says("pay", "buy", "order", "book", "rent", "donate") and not r.things & {"claim"}
    return dealt and r.action not in _NO_DEALS


def after_sale(r: Reading) -> bool:
    """Whether something happens to a bought thing after the purchase."""
    if r.action in ("refund", "return", "ship", "deliver") or r.says("refund"):
        return True
    if r.action in ("track", "exchange"):
        return bool(r.things & {"order", "parcel", "package", "product"})
    if (r.phase == "accept" and r.says("order", "book")) or (r.says("donate") and r.says("driver")):
        return True
    if r.action in ("review", "rate") or r.says("review"):
        return r.action not in ("view", "click", "like", "list", "read") and not r.things & {"app", "chat", "content"}
    return (r.action == "edit" or r.phase == "cancel") and r.says("order", "book", "rent")


# --------------------------------------------------------------------------- by the table


@functools.cache
def _table() -> list[dict[str, frozenset[str] | str]]:
    """Returns the rows of `analyst_kinds.csv`: the first that fits an event gives its kind."""
    return [
        {name: cell if name == "kind" else word_set(cell) for name, cell in row.items()}
        for row in rows("analyst_kinds")
    ]


def _by_table(r: Reading) -> EventKind:
    tests = {
        "deal": deals(r),
        "fails": r.fails,
        "begins": r.place is not None and r.place < 4 and r.phase != "accept",
        "after_sale": after_sale(r),
        "support": bool({"support", "report"} & (r.text | r.description)),
    }
    things = r.things | ({"@group"} if r.things & GROUPS else set()) | ({"@sight"} if r.things & SIGHTS else set())
    by_field = {
        "says": set(r.words),
        "says_too": set(r.words),
        "action": {r.action or "none"},
        "phase": {r.phase, "any"} if r.phase else {"none"},
        "things": things,
    }
    for row in _table():
        fits = all(not row[name] or by_field[name] & set(row[name]) for name in by_field)
        if fits and not set(r.words) & set(row["but"]) and all(tests[test] for test in row["is"]):
            return EventKind(str(row["kind"]))
    return EventKind.OTHER


def of_kind(kinds: Mapping[str, EventKind], *wanted: EventKind) -> list[str]:
    """Returns the names of the events of these kinds, in the order of the sheet."""
    return [name for name, kind in kinds.items() if kind in wanted]
