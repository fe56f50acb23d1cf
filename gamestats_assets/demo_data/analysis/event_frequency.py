"""How often an event happens, as its texts tell: once in a life, once a day, right after joining.

A text may limit an event to one a session or one an order, which is neither.
"""

from __future__ import annotations

import re
import unicodedata

from gamestats_assets.demo_data.analysis.event_words import Reading, word_set
from gamestats_assets.demo_data.taxonomies.model import Event, flattened

PEOPLE = word_set(
    """
    user account customer member player person people everyone guest patient student participant applicant client
    tenant company organisation organization workspace business merchant host agent friend device install installation
    life lifetime character profile
    """
)
"""Words for whom a product has users of, and for what there is one of for each of them."""
_NO_PEOPLE = word_set(
    """
    order offer letter chapter banner folder number quarter server transfer voucher tender tier trigger container
    counter error sensor door floor color colour tour hour paper poster reminder sticker filter booster
    """
)
_AGENT = r"\w{2,}(?:er|or|ee|ist)"
_ONCE_PER = re.compile(
    r"\bonce (?:per|for (?:each|every)|an?|each|every|in an?|by (?:each|every)) (?:\w+ )?"
    rf"({'|'.join(sorted(PEOPLE))}|{_AGENT})s?\b"
)

_PER_NAMED = re.compile(r"\bonce (?:per|for (?:each|every)|an?|each|every) (\w{4,})")
_COMING = re.compile("regist|sign|join|activat|enrol")

_DAY = re.compile(
    r"(?<!than )\bonce (?:an?|per|each|every|in an?|on an?) (?:\w+ )?day|\bonce daily|\bone (?:an?|per|each|every) day"
    r"|\b(?:one|1) ?(?:time|x) (?:an?|per|each|every) day"
    r"|\bfirst (?:\w+ ){0,3}of (?:the|an?|each|every|that) (?:\w+ )?day"
    r"|\bdaily (?:log-?in|sign-?in|check-?in|attendance|stamp)\b"
    r"|(?:1일|하루|매일|일일|당일|1일간)에?\s*(?:최대\s*)?(?:1회|1번|한\s?번|한\s?차례)|(?<![\d월])일\s?1회"
    r"|(?:1일|하루|매일|당일|그날|오늘)(?:의|에)?\s*(?:최초|처음|첫)(?:로|으로)?(?:\s*1회)?"
    r"|(?:1日|一日|毎日|日ごと)に?(?:1回|一回|1度|一度)(?:だけ|のみ|まで)?"
    r"|(?:1日|一日|その日|当日|本日|毎日)の?(?:最初|初回|一番初め|はじめ)の?|1日初回"
)
"""Texts that allow one a day."""
_OF_LESS = re.compile(
    r"\bonce (?:per|an?|each|every|for (?:each|every)|in an?) \w+|\bfirst time (?:in|of|on|this|today|each|every|per)\b"
    r"|\S+당\s*(?:최초\s*)?(?:1회|1번|한\s?번)|\S+마다|(?:세션|주|월)\s*(?:최초|1회)"
    r"|[^\s、。]+(?:ごと|毎)に|[^\s、。]*につき(?:1|一)(?:回|度)|(?:セッション|週|月)(?:に|の)?(?:最初|初回|1回|一回)の?"
)
"""Texts that speak of once in something else: a session, a week, an order."""

_EVER = re.compile(
    r"\bonce in (?:an?|the|his|her|their|every) (?:\w+(?:'s)? )?life|\bonly once\b|\bexactly once\b|\bjust once\b"
    r"|\b(?:fire[sd]?|sent|happens|occurs|logged|recorded|triggered|reported|collected|counted) once"
    r"(?=\s*(?:[.,;:()]|$))"
    r"|\(once\)|[;,.] once(?=\s*(?:[.;)]|$))|\bcan have one only\b|\bfirst time only\b|\bone[- ]time event\b"
    r"|(?:최초|단|딱|오직|평생|생애)\s*(?:1회|1번|한\s?번)|(?:1회|1번|한\s?번)만|1인\s*1회"
    r"|(?:一度|1度|1回|一回)(?:だけ|のみ|きり|限り)|初回のみ|最初の1回"
)
_EVER_FOR = re.compile(
    r"(?:계정|유저|사용자|회원|이용자|고객|플레이어|캐릭터|기기|단말|인|명)\s?당\s*(?:최초\s*)?(?:1회|1번|한\s?번)"
    r"|(?:アカウント|ユーザー?|会員|お客様|顧客|プレイヤー|端末|人)(?:につき|に対して|ごとに|毎に|に|、)?\s?(?:1|一)(?:回|度)"
)
_FIRST = re.compile(
    r"\bthe (?:very )?first time\b|\bfor the first time\b"
    r"|최초(?!\s*(?:또는|이후|설정))|처음(?:으로|\s)|初回(?!以降)|初めて|はじめて"
)
"""Texts of first times, which are first times of a life unless they are of one thing among many."""

_JOINING = re.compile(
    r"\b(?:right|immediately|directly|just|straight) (?:after|following) (?:the |a |an )?(?:\w+ )?"
    r"(?:sign(?:ing)?[- ]?up|registration|registering|joining|account (?:was |is )?creat(?:ion|ed))"
    r"|(?:가입|회원\s?등록|계정\s?생성)\s*(?:완료\s*)?(?:직후|후\s*(?:바로|곧바로|즉시))"
    r"|(?:登録|入会|(?:アカウント|ユーザー|会員)作成)(?:完了)?(?:の?直後|後すぐ|してすぐ)"
)


def _texts(event: Event) -> str:
    """Description and alias in lower case, full-width digits as plain ones."""
    return " ".join(unicodedata.normalize("NFKC", f"{event.description} ; {event.alias}").lower().split())


def told_once(event: Event) -> bool:
    """Whether a text says that an event happens once to everybody: `once per rider`, `계정당 1회`, `一度だけ`."""
    text = _DAY.sub(" ", _texts(event))
    per = {match[1] for match in _ONCE_PER.finditer(text)} - _NO_PEOPLE - _things(event)
    if per or _EVER_FOR.search(text):
        return True
    named = {match[1] for match in _PER_NAMED.finditer(text) if match[1] in event.name.lower()} - _things(event)
    if named and _COMING.search(event.name.lower()):
        return True
    text = _OF_LESS.sub(" ", text)
    return bool(_EVER.search(text) or (_FIRST.search(text) and not one_of_many(event)))


_USERS = word_set("user account customer member player person")


def _things(event: Event) -> set[str]:
    """What an event carries the id of: a registration once per device is one of many where it tells which device."""
    return {re.sub(r"_?id$", "", prop.name.lower()) for prop in event.properties} - _USERS


def one_of_many(event: Event) -> bool:
    """Whether an event names one of many things, each of which has a first time."""
    return any(
        re.search(r"(?:[a-z]I|(?:^|_)[iI])[dD]s?$", name) and not _OF_NO_KIND.match(name.lower())
        for name, _ in flattened(event.properties)
    )


_OF_NO_KIND = re.compile("order|pay|purchase|trans|product|item|user|account|device|session|visitor|install")
"""Ids of deals, which have a first one of a life, and of people."""


def told_daily(event: Event, reading: Reading) -> bool:
    """Whether an event happens once on a day at most: `1日1回`, `daily_login`, a check of attendance."""
    if _DAY.search(_texts(event)):
        return True
    if one_of_many(event) or reading.fails or reading.action in ("view", "click", "show", "list"):
        return False
    present = reading.says("checkin", "attend")
    named = reading.says("daily") and (present or reading.says("login", "reward"))
    counted = {"reward", "daily", "consecutive"} & {*reading.text, *reading.description}
    return named or (present and bool(counted) and not reading.things - {"check", "daily", "reward", "app", "event"})


def told_on_joining(event: Event) -> bool:
    """Whether a text says that an event comes right after the sign-up."""
    return bool(_JOINING.search(_texts(event)))
