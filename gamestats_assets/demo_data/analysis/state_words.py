"""What the sheet says about numbers, texts and events that change what is known of a user: words compared by meaning.

A property of a user and a number of an event mean the same when they name the same thing in the same unit, whatever
the style of their names: `lifetime_tips` and `tip_amount`, `totalSpentUsd` and `amountPaid`, `wallet_balance` and the
`balance_after` of `wallet_topped_up`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from gamestats_assets.demo_data.analysis.event_words import Reading, concepts, word_set
from gamestats_assets.demo_data.analysis.measures import rule_of
from gamestats_assets.demo_data.rules.model import Scalar
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import Counter, OneOf, SharedCounter

STATE = word_set("tmp current cur now present my user the latest last recent")
TALLY = word_set(
    "total sum accumulated accum cumulative cum lifetime overall count cnt num number times amount amt all"
)
AFTER = word_set("after new next left remaining remain now current balance result resulting")
BEFORE = word_set("before previous prev old from prior")
SPENT = word_set("use used spend spent cost consume consumed consumption price pay paid fee donated donate deducted")
EARNED = word_set(
    "get got gain gained earn earned reward rewarded receive received obtain obtained bonus granted charged charge "
    "recharged added topup win won buy bought purchased save saved "
    "collect collected"
)
MONEY = word_set(
    "pay paid payment purchase purchased buy bought spend spent spending revenue ltv money sale sales price cost value "
    "charge charged bill billed billing gross net final settled income order fare fee"
)
CURRENCIES = {
    "usd": r"usd|dollars?|\$|달러|ドル",
    "eur": r"eur|euros?|€|유로|ユーロ",
    "gbp": r"gbp|pounds? sterling|£",
    "krw": r"krw|(?:korean|in) won|₩|원화?",
    "jpy": r"jpy|yen|¥|円",
    "cny": r"cny|rmb|yuan|元|위안",
}
"""How texts name a currency."""
_UNITS = word_set(
    "day month week hour minute min second sec ms year pct percent rate ratio id no index level rank age km cm kg "
    "distance duration score rating version code hours"
)
"""Words of what is no amount."""
_SINGULAR = re.compile(r"(?<=[^siu])s$")


@functools.lru_cache(maxsize=8192)
def pieces(name: str) -> frozenset[str]:
    """Words of a name in small letters, in the singular; those of another script are left out.

    >>> sorted(pieces("bag.lifetimeTips"))
    ['lifetime', 'tip']
    """
    last = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.rpartition(".")[2]).lower()
    return frozenset(singular(word) for word in re.findall(r"[a-z]+", last))


def singular(word: str) -> str:
    """An English word without the ending of the plural."""
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return _SINGULAR.sub("", word) if len(word) > 3 else word


@functools.lru_cache(maxsize=8192)
def meaning(*texts: str) -> frozenset[str]:
    """What texts speak of: their words in the singular, and the concepts of them."""
    found = {concept for text in texts for concept in concepts(text)}
    return frozenset(found | {word for text in texts for part in text.split() for word in pieces(part)})


def nouns(name: str) -> frozenset[str]:
    """What a name is of, without how it is counted or shown."""
    return pieces(name) - STATE - TALLY


_SO_FAR = re.compile(r"\bso far\b|\bin total\b|\bto date\b|\bever\b|누적|累計|累積|これまで|통산|通算", re.IGNORECASE)
_TOTALS = word_set("total sum accumulated accum cumulative lifetime overall")
_COUNTS = word_set("count cnt times num number")
_COUNTED = re.compile(
    r"\bnumber of\b|\bhow (?:many|often)\b|횟수|건수|회수|\s수$|回数|件数|(?<=[^\W\d_秒分間])数$", re.IGNORECASE
)
_SUMMED = re.compile(r"\b(?:sum|amounts?|value|money)\b|금액|金額|額$", re.IGNORECASE)
_HELD = re.compile(
    r"\b(?:owned|held|holds?|balance|remaining|left|current(?:ly)?|now|in stock|in the wallet)\b"
    r"|보유|잔액|잔여|남은|현재|所持|保有|残高|残り|現在",
    re.IGNORECASE,
)


def texts_of(prop: Property) -> str:
    """Alias and description together."""
    return f"{prop.alias} {prop.description}".strip()


def accumulates(prop: Property) -> bool:
    """Whether a number only ever grows: a total, a count since the sign-up."""
    return bool(pieces(prop.name) & _TOTALS or _SO_FAR.search(texts_of(prop)))


def counts(prop: Property) -> bool:
    """Whether the sheet says in words that a number tells how many or how often."""
    return bool(pieces(prop.name) & _COUNTS or _COUNTED.search(prop.alias) or _COUNTED.search(prop.description))


def sums(prop: Property) -> bool:
    """Whether the sheet says in words that a number is a sum of amounts."""
    named = pieces(prop.name) & word_set("amount amt sum value spent spend revenue")
    return bool(named or _SUMMED.search(texts_of(prop)) or currency(prop)) and not pieces(prop.name) & _COUNTS


def is_held(prop: Property) -> bool:
    """Whether the sheet says that a property is what a user has at present."""
    return bool(_HELD.search(texts_of(prop)) or pieces(prop.name) & word_set("balance tmp current cur now remaining"))


@functools.lru_cache(maxsize=4096)
def _currencies(text: str) -> frozenset[str]:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).replace("_", " ").lower()
    ends = r"(?![a-z가-힣\u4e00-\u9fff\u3040-\u30ff])"
    return frozenset(name for name, said in CURRENCIES.items() if re.search(rf"(?<![a-z가-힣])(?:{said}){ends}", words))


def currency(prop: Property) -> frozenset[str]:
    """Currencies that a property's name and texts name."""
    return _currencies(f"{prop.name} {texts_of(prop)}")


def same_currency(one: Property, other: Property) -> bool:
    """Whether two amounts may be added up: their currencies, where both name any, are the same."""
    first, second = currency(one), currency(other)
    return not first or not second or bool(first & second)


def is_amount(prop: Property, wanted: frozenset[str] = frozenset()) -> bool:
    """Whether a number may be added up: no id, share, duration or standing, unless `wanted` asks for that."""
    said = pieces(prop.name)
    odd = (_UNITS | BEFORE | AFTER | word_set("unit per list original discount tax vat max limit")) - wanted
    running = isinstance(rule_of(prop), Counter | SharedCounter) or _SO_FAR.search(texts_of(prop))
    return prop.type is PropertyType.NUMBER and not said & odd and not running and not _EACH.search(texts_of(prop))


_EACH = re.compile(r"\b(?:per|each|of one|a piece)\b|\S당(?:\s|$)|단가|あたり|単価", re.IGNORECASE)


def tells_after(prop: Property) -> bool:
    """Whether a number is what is left or reached after the event."""
    if pieces(prop.name) & BEFORE:
        return False
    return bool(
        pieces(prop.name) & AFTER
        or re.search(r"\bafter\b|\bleft\b|\bremaining\b|\S후\b|후\s|후\S*$|後|残り|남은|잔여", texts_of(prop))
    )


def direction(prop: Property) -> int:
    """1 where a number's name or alias says that it is earned, -1 where it says that it is spent, else 0."""
    said = pieces(prop.name)
    alias = frozenset(concepts(prop.alias)) | pieces(prop.alias)
    for words, heard in ((said, said), (alias, alias)):
        down = words & SPENT or re.search(r"소모|사용|소비|차감|지출|消費|使用", prop.alias if heard is alias else "")
        up = words & EARNED or re.search(
            r"획득|지급|충전|보상|적립|獲得|付与|報酬|受取", prop.alias if heard is alias else ""
        )
        if bool(down) != bool(up):
            return -1 if down else 1
    return 0


_GOES = re.compile(
    r"\b(?:spends?|spent|uses?|used|costs?|consum\w+|pays? with|redeem\w*)\b|소모|사용|소비|차감|消費|使用|使って",
    re.IGNORECASE,
)
_COMES = re.compile(
    r"\b(?:earn\w*|gains?|gained|receiv\w*|credited|rewarded|granted|topped)\b|획득|지급|적립|충전|獲得|付与|受け取",
    re.IGNORECASE,
)


def flows(event: Event, reading: Reading) -> int:
    """1 where an event brings something in, -1 where it takes something away, 0 where neither is said."""
    comes = reading.says("get", "receive", "deposit", "recharge", "claim", "reward", "disburse", "refund", "add")
    goes = reading.says("use", "spend", "withdraw", "transfer", "repay", "invest", "draw", "donate")
    if comes != goes:
        return 1 if comes else -1
    text = f"{event.alias} {event.description}"
    comes, goes = bool(_COMES.search(text)), bool(_GOES.search(text))
    return 0 if comes == goes else 1 if comes else -1


def settled(reading: Reading, readings: Sequence[Reading]) -> bool:
    """Whether an event tells that something has been done, rather than begun, looked at or failed.

    What starts and has no outcome of its own is done by that: a membership that has started.
    """
    seen = reading.action in ("view", "list", "search", "click", "show", "filter")
    looks = seen and (reading.place is None or reading.place < 5)
    begun = reading.place is not None and reading.place < 4 and reading.phase != "accept" and reading.step is None
    if begun and reading.phase in ("start", "open", "enter", "launch"):
        begun = any(
            other.topic == reading.topic and (other.succeeds or other.phase in ("end", "result", "fail", "reject"))
            for other in readings
        )
    return not (reading.fails or looks or begun)


_NEGATIVES = word_set(
    """
    leave left delete dissolve archive disconnect disable unfollow unlike unbookmark unequip uninstall withdraw revoke
    suspend terminate deactivate lapse
    """
)
ENDINGS = word_set("cancel timeout end close")
"""Phases that say that something is over."""


def undoes(later: Reading, earlier: Reading) -> bool:
    """Whether an event takes back what another one has done: `title_unsubscribe` after `title_subscribe`."""
    if later.name == earlier.name:
        return False
    one, other = pieces(earlier.name), pieces(later.name)
    gone, come = one - other, other - one
    if len(gone) == len(come) == 1 and _negates(next(iter(come)), next(iter(gone))):
        return True
    shared = bool(one & other) and (earlier.things <= later.things or later.things <= earlier.things)
    return shared and takes_away(later) and not takes_away(earlier)


def takes_away(reading: Reading) -> bool:
    """Whether an event says that something is given up: left, removed, terminated."""
    words = pieces(reading.name)
    bare = {*words, *(word.removesuffix("d") for word in words), *(word.removesuffix("ed") for word in words)}
    return reading.action in _NEGATIVES or bool(bare & _NEGATIVES)


def _negates(word: str, positive: str) -> bool:
    return any(word == f"{prefix}{positive}" for prefix in ("un", "de", "dis"))


def ends(later: Reading, thing: frozenset[str]) -> bool:
    """Whether an event says that something of a user is over: a pass is cancelled, a subscription expired."""
    about = pieces(later.name) | frozenset(later.words)
    return bool(about & thing) and (later.phase in ENDINGS or takes_away(later))


# --------------------------------------------------------------------------- lists of values


def listed(prop: Property) -> tuple[str, ...]:
    """The texts that the sheet allows a property, as they are spelled; none where it leaves them open."""
    rule = rule_of(prop)
    return tuple(str(value) for value in rule.values) if isinstance(rule, OneOf) else ()


_NOTHING = re.compile(
    r"free|none|no|basic|guest|default|normal|inactive|unverified|일반|없음|무료|기본|미\S*|なし|無し|無料|通常|一般|基本",
    re.IGNORECASE,
)


def entry_by_default(prop: Property, reached: frozenset[str]) -> Scalar | None:
    """Of a list of values the one of users to whom nothing has happened: none that an event leads to."""
    left = [value for value in listed(prop) if value not in reached]
    named = next((value for value in left if _NOTHING.fullmatch(value.strip())), None)
    if named is not None:
        return named
    return left[0] if left and left[0] == listed(prop)[0] else None
