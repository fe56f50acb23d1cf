"""What kind of thing each event is in a user's life: a sign-up, a purchase, a fight, an advertisement ...

Which words make which kind stands in `data/reference/demo_data/analyst_kinds.csv`. Before it, the ways in and out are
read: what the system reports, how users come and leave, what opens and closes a session; and where words are ambiguous,
the other events of the same product tell.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from enum import StrEnum

from gamestats_assets.demo_data.analysis.descriptions import is_of_system, says, told_once
from gamestats_assets.demo_data.analysis.lexicon import GROUPS, SIGHTS, THINGS, concepts, named_words, word_set
from gamestats_assets.demo_data.analysis.reading import Reading
from gamestats_assets.demo_data.reference import rows
from gamestats_assets.demo_data.taxonomies.model import Event, Taxonomy, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import CopyOf


class EventKind(StrEnum):
    """Kinds of events."""

    SYSTEM = "system"
    """Reported by servers or advertising, by no user."""
    INSTALL = "install"
    DEVICE = "device"
    REGISTER = "register"
    SESSION_START = "session_start"
    SESSION_END = "session_end"
    GOODBYE = "goodbye"
    """The account is given up, or the app removed."""
    CRASH = "crash"
    ONBOARDING = "onboarding"
    VERIFY = "verify"
    SEARCH = "search"
    BROWSE = "browse"
    CART = "cart"
    CHECKOUT = "checkout"
    PAY = "pay"
    PAY_FAIL = "pay_fail"
    AFTER_SALE = "after_sale"
    SUBSCRIBE = "subscribe"
    MONEY = "money"
    """Deposits, transfers, trades."""
    AD = "ad"
    EXPOSURE = "exposure"
    """Notifications, banners and mails."""
    SHARE = "share"
    SOCIAL = "social"
    GROUP = "group"
    ADVANCED = "advanced"
    GROWTH = "growth"
    EARN = "earn"
    SPEND = "spend"
    GACHA = "gacha"
    CREATE = "create"
    REMOVE = "remove"
    SETTING = "setting"
    SUPPORT = "support"
    BAD = "bad"
    """An outcome that is none of a purchase, and not a good one."""
    CORE = "core"
    OTHER = "other"


_PEOPLE = frozenset(
    {"account", "user", "app", "mail", "phone", "social", "game", "member", "code", "guest", "customer"}
)
_AD_FIGURES = named_words("ad_figures")
_SERVER = frozenset({"status", "report", "heartbeat", "monitor", "batch", "cron", "restart", "maintenance", "snapshot"})


def kinds_of(taxonomy: Taxonomy, readings: Sequence[Reading], *, is_game: bool) -> dict[str, EventKind]:
    """The kind of every event, by name."""
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
        if found[r.name] is EventKind.PAY and is_game and _soft(r, readings):
            found[r.name] = EventKind.SPEND
    if EventKind.SESSION_END not in found.values():  # who launches a game, and not a match, quits it
        launched = any(r.topic == {"game"} and found[r.name] is EventKind.SESSION_START for r in readings)
        quits = [r for r in readings if r.topic == {"game"} and r.phase in ("end", "exit", "abandon", "close")]
        found |= {r.name: EventKind.SESSION_END for r in quits if launched}
    if EventKind.REGISTER not in found.values():
        joining = [r for r, event in zip(readings, taxonomy.events, strict=True) if _joins(r, event, found[r.name])]
        found |= {r.name: EventKind.REGISTER for r in joining[:1]}
    return found


_IN_AND_OUT = (EventKind.SYSTEM, EventKind.INSTALL, EventKind.DEVICE, EventKind.SESSION_START, EventKind.SESSION_END)


def _joins(r: Reading, event: Event, kind: EventKind) -> bool:
    """Whether an event brings users their account, by its text or as a thing done with an account."""
    if kind in _IN_AND_OUT or r.fails or r.looks or r.phase in ("enter", "exit"):
        return False
    opens = r.action == "enable" or r.phase in ("open", "complete", "confirm", "accept", "done")
    return says(event, "sign_up") or (opens and bool(r.things) and r.things <= {"account", "user", "member"})


def _soft(r: Reading, readings: Sequence[Reading]) -> bool:
    """Whether something costs the game's own money: beside real payments, what a shop of the game sells."""
    if r.says("pay", "order"):
        return False
    if any(
        word in name.lower() for name in r.properties for word in ("coin", "gold", "gem", "diamond", "token", "point")
    ):
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
"""Kinds of what introduces a user where it comes right after joining."""


# --------------------------------------------------------------------------- the system and the ways in and out


def _system(r: Reading, event: Event) -> EventKind | None:
    names = [name.lower() for name, _ in flattened(event.properties)]
    if any(isinstance(prop.rule, CopyOf) for prop in event.properties):
        return None
    figures = sum(any(figure in name for figure in _AD_FIGURES) for name in names)
    if figures >= 2 and not any(name.endswith(("order_id", "item_id", "product_id")) for name in names):
        if r.says("spend", "campaign", "ad", "media", "facebook", "google", "tiktok", "adjust", "appsflyer", "data"):
            return EventKind.SYSTEM
        if figures >= 3:
            return EventKind.SYSTEM
    if r.says("spend") and r.says("marketing", "ad", "campaign", "media"):
        return EventKind.SYSTEM
    by_itself = is_of_system(event)
    ccu = r.says("online") and (r.says("user", "server", "current", "count", "report") or len(r.words) == 1)
    ranks = r.says("rank") and r.action is None and r.says("server", "snapshot", "settle")
    if by_itself or ccu or ranks:
        return EventKind.SYSTEM
    if r.says("server", "system", "batch", "cron") and _SERVER.intersection(r.words):
        return EventKind.SYSTEM
    return None


def _arrival(r: Reading, event: Event) -> EventKind | None:
    if r.says("crash") or {"app", "fail"} == set(r.words) or r.words in (("fail",), ("app", "exception")):
        return EventKind.CRASH
    leaves = r.action in ("leave", "delete", "disable") or r.phase in ("close", "end")
    own = r.things <= {"account", "user", "member", "service", "workspace"}
    if r.says("uninstall", "withdrawal") or (leaves and own and ("withdrawal" in r.text or says(event, "final"))):
        return EventKind.GOODBYE
    if r.says("install") and r.topic <= {"app", "game", "client", "install", "first"}:
        return EventKind.INSTALL
    if r.says("device") and r.says("add") and not r.says("connect", "health", "wearable"):
        return EventKind.DEVICE
    if _registers(r) or (r.action == "register" and told_once(event) and not r.says("view", "click")):
        return EventKind.REGISTER
    return None


def _registers(r: Reading) -> bool:
    if r.says("register"):
        return (r.things | (r.topic - {"register"})) - {"verify", "set"} <= _PEOPLE
    if r.says("create") and r.says("character", "account") and r.things <= {"character", "account", "user", "game"}:
        return True
    return r.action in ("join", "create") and r.things <= _PEOPLE and "register" in r.text and "login" not in r.words


_APP = named_words("app")
"""What is opened where a session begins."""
_WITH_A_LOGIN = named_words("with_a_login")
_WAYS = named_words("ways")


def _is_app(r: Reading) -> bool:
    """Whether an event is about the app itself, and not about a thing in it."""
    return bool(r.topic) and r.topic <= _APP | _WAYS


def _opens_app(r: Reading) -> bool:
    if r.fails or r.says("view", "click", "share", "ad"):
        return False
    if r.says("login"):
        about = r.things & THINGS - _PEOPLE - _WITH_A_LOGIN
        return r.phase in (None, "success", "complete", "done") and not r.says("attempt") and not about
    if r.action == "connect" and "login" in r.text and r.things <= {"game", "server", "app"}:
        return True
    if r.words in (
        ("session",),
        ("visit",),
        ("site", "visit"),
        ("app", "visit"),
        ("launch",),
        ("open",),
        ("game", "start"),
    ):
        return True
    if r.says("foreground") or r.words in (("app", "active"), ("app", "show"), ("app", "resume"), ("app", "enable")):
        return _is_app(r)
    return r.phase in ("start", "launch", "open", "enter") and (
        (_is_app(r) and not r.says("background")) or (r.topic == {"game"} and r.phase == "launch")
    )


def _closes_app(r: Reading) -> bool:
    if r.says("logout") or (r.action == "disconnect" and "logout" in r.text):
        return True
    if r.words in (
        ("game", "end"),
        ("session", "timeout"),
        ("app", "hide"),
        ("app", "inactive"),
        ("app", "pause"),
        ("app", "disable"),
    ):
        return True
    if r.says("background"):
        return _is_app(r)
    return (r.phase in ("end", "close", "exit", "abandon", "die") or r.action == "leave") and (
        _is_app(r) or (r.topic > {"leave"} and r.topic - {"leave"} <= _APP)
    )


def _onboards(r: Reading, *, onboards: bool) -> bool:
    if r.says("tutorial"):
        is_guide = "guide" in r.name.lower() and not any(w in r.name.lower() for w in ("tutorial", "onboard"))
        return not (is_guide and r.action in ("view", "read", "click", "show", "search", "share", "download"))
    if "tutorial" in concepts(r.tag) and r.action not in ("view", "click"):
        return True
    if r.says("profile", "nickname") and (r.action in ("set", "create", "add") or r.phase == "complete"):
        return r.action == "set" or "add" not in r.description  # one that is added may be one of several
    if r.words[:1] == ("welcome",):
        return True
    return onboards is False and r.says("survey") and r.says("complete", "submit") and "tutorial" in r.text


# --------------------------------------------------------------------------- deals


def deals(r: Reading) -> bool:
    """Whether something is bought, paid, ordered or booked."""
    if r.says("book") and (r.says("read", "write", "download", "play") or r.phase in ("open", "close", "enter")):
        return False  # a book that is read
    if (r.says("donate") and r.things & GROUPS) or (r.action == "order" and "card" in r.things):
        return False
    return r.says("pay", "buy", "order", "book", "rent", "donate") and not r.things & {"claim"} and r.action not in (
        "view", "search", "click", "list", "share", "filter", "sync", "export", "download", "comparison", "cancel",
        "edit",
    )  # fmt: skip


def after_sale(r: Reading) -> bool:
    """Whether something happens to what was bought, after that."""
    if r.action in ("refund", "return", "ship", "deliver") or r.says("refund"):
        return True
    if r.action == "track" and not r.things - {"order", "parcel", "package", "item", "product"}:
        return True
    if (r.phase == "accept" and r.says("order", "book")) or (r.says("donate") and r.says("driver")):
        return True
    if r.action == "exchange" and (r.things & {"product", "item", "order"} or "order" in r.topic):
        return not r.says("code", "currency", "item")
    if r.action in ("review", "rate") or r.says("review"):
        return r.action not in ("view", "click", "like", "list", "read") and not r.things & {"app", "chat", "content"}
    if r.action == "edit":
        return r.says("order", "book", "buy", "rent")
    return r.phase == "cancel" and r.says("order", "book", "rent")


# --------------------------------------------------------------------------- by the table


@functools.cache
def _table() -> list[dict[str, frozenset[str] | str]]:
    """Rows of `analyst_kinds.csv`: the first that fits an event gives its kind."""
    return [
        {name: cell if name == "kind" else word_set(cell) for name, cell in row.items()}
        for row in rows("analyst_kinds")
    ]


def _by_table(r: Reading) -> EventKind:
    deal = deals(r)
    begins = r.place is not None and r.place < 4 and r.phase != "accept"
    told = {
        "deal": deal,
        "fails": r.fails,
        "begins": begins,
        "after_sale": after_sale(r),
        "support": bool({"support", "report"} & (r.text | r.description)),
    }
    things = r.things | ({"@group"} if r.things & GROUPS else set()) | ({"@sight"} if r.things & SIGHTS else set())
    said = {
        "says": set(r.words),
        "says_too": set(r.words),
        "action": {r.action or "none"},
        "phase": {r.phase, "any"} if r.phase else {"none"},
        "things": things,
    }
    for row in _table():
        fits = all(not row[name] or said[name] & set(row[name]) for name in said)
        if fits and not set(r.words) & set(row["but"]) and all(told[test] for test in row["is"]):
            return EventKind(str(row["kind"]))
    return EventKind.OTHER


def of_kind(kinds: Mapping[str, EventKind], *wanted: EventKind) -> list[str]:
    """Names of the events of some kinds, in the order of the sheet."""
    return [name for name, kind in kinds.items() if kind in wanted]
