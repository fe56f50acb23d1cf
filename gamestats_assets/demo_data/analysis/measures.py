"""What the numbers of a product measure, and where they lie for each segment of users.

A number's name and alias tell what it measures: a level, a price, a heart rate. What measures the same lies in the
same range, unless the sheet sets limits, which always hold. Numbers that grow with engagement are larger for those
who are there more often.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gamestats_assets.demo_data.analysis.event_kinds import EventKind
from gamestats_assets.demo_data.analysis.event_words import Lexicon, own_name, word_set
from gamestats_assets.demo_data.analysis.value_texts import MONEY, limits_in, rule_in_words, unit_of
from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.rules.model import SEGMENTS, ValueRange
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy, UpdateMode, flattened
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Balance,
    Between,
    Counter,
    FromEvent,
    OneOf,
    OneOfEach,
    ValueRule,
    ValueRuleError,
    parse_value_rule,
)

USABLE_NAME = re.compile(
    r"(?!(?:and|or|not|if|min|max|random|round|floor|ceil|abs|sqrt|log|exp|clamp)$)#?[A-Za-z_][A-Za-z0-9_]*"
)
"""Names that can stand in a formula as they are."""
_PIECES = re.compile(r"[a-z]+|\d+")


@functools.lru_cache(maxsize=4096)
def ordered_pieces(name: str) -> tuple[str, ...]:
    """Words of a name in order, whatever its style: `maxAge`, `Max_Age`, `max_age`."""
    return tuple(_PIECES.findall(own_name(name)))


@functools.lru_cache(maxsize=4096)
def pieces(name: str) -> frozenset[str]:
    """Words of a name."""
    return frozenset(ordered_pieces(name))


def texts_of(prop: Property) -> str:
    """What the sheet says about a property besides its name, in small letters."""
    return f"{prop.alias} {prop.description}".lower()


def label_of(prop: Property) -> str:
    """What a property is called besides its name: its alias, or a description of a few words."""
    return prop.alias or (prop.description if len(prop.description) <= 24 else "")


Growth = Literal["none", "mild", "steps", "wealth", "total", "rank"]
"""How a number goes with engagement: not, a little, in small steps (levels), by orders of magnitude (coins), from
nothing (what is counted since the sign-up), or downwards (a place in a ranking)."""

_WORDS = """
level: level lv lvl 레벨 レベル
vip: vip
xp: xp exp experience 경험치 経験値
gold: gold coin coins 골드 코인 ゴールド コイン
diamond: diamond diamonds gem gems ruby crystal jewel 다이아몬드 다이아 젬 루비 ダイヤ
energy: energy stamina mana 에너지 스태미나 행동력 スタミナ
point: point points mileage 포인트 마일리지 ポイント
currency: currency token cash 재화 화폐 자원
power: power attack atk defense defence def hp health_points damage dmg strength might 전투력 공격력 방어력 체력
power: 데미지 戦闘力 攻撃力
price: price fare toll bill 가격 단가 요금 운임 価格 値段 運賃
amount: amount amt 금액 金額
cost: cost costs spend spent spending expense consume consumed 비용 소모 소비 費用
fee: fee fees commission surcharge 수수료 手数料
tax: tax vat 세금 税
tip: tip
revenue: revenue income sales gmv ltv arpu proceeds 수익 매출 収益 売上
total: total sum subtotal grand cumulative accumulated accum lifetime 누적 총액 합계 총 累計 合計
balance: balance 잔액 잔고 残高
salary: salary wage 급여 연봉 給与
discount: discount 할인 割引
pay: pay payment paid 결제 決済
quantity: quantity qty 수량 개수 数量 個数
count: count cnt num number times frequency 횟수 건수 회수 인원수 回数 件数
people: people guests guest adults adult children child passengers seats seat members member users user 인원 人数
days: days day nights night 일수 日数
streak: streak consecutive 연속 連続
duration: duration playtime elapsed length runtime watch dwell 소요시간 소요 시간 時間
time: time
seconds: seconds second secs sec
minutes: minutes minute mins min
hours: hours hour hrs
ms: ms millis milliseconds latency ping
rate: rate ratio probability prob chance share 확률 비율 률 率
percent: percent pct percentage 퍼센트
ctr: ctr cvr roas
score: score scores 점수 スコア 得点
rating: rating stars satisfaction csat 평점 별점 만족도 評価 星評価 満足度
star: star grade 등급 별 ランク
rank: rank ranking position_rank 랭킹 순위 順位
age: age 나이 연령 年齢
year: year 연도
birth: birth 출생 생년
month: month
stage: stage floor wave chapter round episode 스테이지 챕터 층 ステージ
progress: progress completion 진행도 진행률 進捗
step: step 단계 ステップ
steps: steps 걸음 걸음수 歩数
weight: weight 체중 몸무게 体重
height: height 키 신장 身長
bmi: bmi
fat: fat 체지방
heart: heart pulse bpm 심박 심박수 心拍
blood: blood systolic diastolic 혈압 血圧
systolic: systolic
diastolic: diastolic
glucose: glucose sugar 혈당 血糖
temperature: temperature temp 체온 온도 体温
oxygen: spo2 oxygen
calorie: calorie calories kcal 칼로리 カロリー
distance: distance km kilometers miles 거리 距離
sleep: sleep 수면 睡眠
water: water ml 물 水分
mood: mood stress pain fatigue 기분 스트레스 気分
pace: pace
speed: speed 속도
latitude: latitude lat 위도
longitude: longitude lng lon 경도
size: size bytes byte kb mb filesize 용량
index: index page slot order_no position offset row 번호 順番
id: id uid no
code: code
version: version build
interest: interest apr apy 이자 금리 金利
loan: loan principal credit debt 대출 ローン
capital: deposit withdrawal transfer investment 입금 출금 송금
first: first 최초
before: before previous prev old
after: after
bonus: bonus reward gain gained earn earned get obtained 보상 획득 報酬
change: change delta diff 변화
heartbeat: online ccu
impressions: impressions impression reach clicks click views view plays 노출 클릭
result: results result
win: win wins
mrr: mrr arr
nps: nps
budget: budget 예산
"""
_LEXICON = Lexicon(_WORDS)
_GAME_MONEY = frozenset({"gold", "diamond", "energy", "point", "currency"})


@dataclass(frozen=True)
class Measure:
    """Where a number lies.

    Attributes:
        name: what it measures.
        typical: mean for an active user.
        growth: how it goes with engagement.
        given: whether the sheet sets the limits.
    """

    name: str
    low: float
    high: float
    typical: float
    growth: Growth = "none"
    integer: bool = True
    given: bool = False


# By name: lowest, highest, typical, growth, whole numbers.
_DEFAULTS: dict[str, tuple[float, float, float, Growth, bool]] = {
    "vip": (0, 15, 3, "steps", True),
    "level": (1, 100, 28, "steps", True),
    "xp": (0, 500_000, 9_000, "wealth", True),
    "gold": (0, 1_000_000, 20_000, "wealth", True),
    "diamond": (0, 50_000, 1_200, "wealth", True),
    "energy": (0, 120, 60, "mild", True),
    "point": (0, 100_000, 3_000, "wealth", True),
    "currency": (0, 1_000_000, 20_000, "wealth", True),
    "game_amount": (10, 5_000, 600, "mild", True),
    "holding": (0, 100_000, 6_000, "mild", True),
    "power": (100, 500_000, 12_000, "wealth", True),
    "stage": (1, 200, 50, "steps", True),
    "quantity": (1, 10, 2, "mild", True),
    "people": (1, 8, 2, "none", True),
    "users": (50, 20_000, 3_000, "none", True),
    "seats": (1, 500, 25, "mild", True),
    "nights": (1, 14, 3, "none", True),
    "times": (1, 20, 3, "mild", True),
    "results": (0, 200, 40, "none", True),
    "impressions": (100, 50_000, 8_000, "none", True),
    "total_count": (0, 500, 45, "total", True),
    "days": (0, 365, 40, "total", True),
    "streak": (0, 60, 6, "total", True),
    "seconds": (5, 1_800, 180, "mild", True),
    "session_seconds": (60, 7_200, 900, "mild", True),
    "content_seconds": (30, 5_400, 720, "mild", True),
    "minutes": (1, 180, 28, "mild", True),
    "hours": (0.1, 12, 1.5, "mild", False),
    "latency": (20, 3_000, 180, "none", True),
    "ratio": (0, 1, 0.4, "mild", False),
    "percent": (0, 100, 45, "mild", True),
    "discount_percent": (0, 50, 12, "none", True),
    "interest": (1, 20, 5.5, "none", False),
    "nps": (0, 10, 7.5, "mild", True),
    "rating": (1, 5, 4.1, "mild", True),
    "star": (1, 6, 3, "mild", True),
    "game_score": (0, 100_000, 14_000, "wealth", True),
    "score": (0, 100, 74, "mild", True),
    "rank": (1, 1_000, 380, "rank", True),
    "age": (14, 75, 33, "none", True),
    "birth_year": (1950, 2012, 1991, "none", True),
    "years": (0, 40, 9, "none", True),
    "year": (2020, 2026, 2025, "none", True),
    "month": (1, 12, 6, "none", True),
    "hour": (0, 23, 14, "none", True),
    "step": (1, 10, 4, "none", True),
    "steps": (0, 30_000, 7_000, "mild", True),
    "salary": (12_000, 250_000, 48_000, "none", True),
    "weight": (40, 130, 68, "none", False),
    "height": (145, 200, 169, "none", False),
    "bmi": (14, 45, 23.6, "none", False),
    "fat": (6, 45, 23, "none", False),
    "heart_rate": (48, 190, 96, "none", True),
    "systolic": (90, 180, 122, "none", True),
    "diastolic": (55, 110, 78, "none", True),
    "glucose": (65, 220, 104, "none", True),
    "body_temperature": (35.5, 39.5, 36.6, "none", False),
    "oxygen": (90, 100, 97, "none", True),
    "calories": (20, 1_200, 280, "mild", True),
    "distance": (0.1, 42, 5, "mild", False),
    "sleep": (3, 11, 7, "none", False),
    "water": (100, 2_000, 350, "none", True),
    "mood": (1, 5, 3.5, "none", True),
    "pace": (3.5, 10, 6.2, "none", False),
    "speed": (1, 120, 24, "none", False),
    "latitude": (-45, 60, 36, "none", False),
    "longitude": (-120, 145, 60, "none", False),
    "size": (1, 50_000, 2_400, "none", True),
    "mass": (0.1, 60, 4, "none", False),
    "grams": (20, 5_000, 450, "none", True),
    "centimetres": (5, 200, 40, "none", True),
    "metres": (10, 5_000, 600, "none", True),
    "characters": (1, 500, 60, "none", True),
    "index": (1, 50, 6, "none", True),
    "id": (1, 100, 40, "none", True),
    "unique_id": (1, 999_999_999, 500_000_000, "none", True),
    "own_id": (1, 60, 25, "none", True),
    "code": (1, 20, 8, "none", True),
    "version": (100, 180, 150, "none", True),
    "online": (50, 20_000, 3_000, "none", True),
    "other": (1, 100, 40, "mild", True),
}

# Of an industry: the cheapest, the dearest and a typical price, and whether prices have cents.
_PRICES: dict[str, tuple[float, float, float]] = {
    "game": (0.99, 99.99, 12),
    "ecommerce": (3, 600, 48),
    "saas": (9, 900, 62),
    "finance": (5, 20_000, 420),
    "travel": (30, 2_500, 240),
    "food": (5, 120, 24),
    "education": (9, 500, 79),
    "media": (2, 60, 12),
    "health": (4, 200, 19),
    "social": (1, 60, 10),
    "mobility": (3, 120, 17),
}
_ANY_PRICE = (1, 500, 40)

_INDUSTRIES = """
game: game games gaming rpg casual mmorpg puzzle fps moba strategy idle card esports 게임 ゲーム
ecommerce: ecommerce commerce shopping shop retail fashion beauty marketplace grocery mall 이커머스 커머스 쇼핑 쇼핑몰
ecommerce: EC 通販
saas: saas b2b productivity collaboration crm software developer enterprise business 협업 업무 ソフトウェア
finance: finance fintech bank banking insurance investment crypto payment payments wallet trading lending 금융 핀테크
finance: 은행 보험 증권 金融
travel: travel tourism hotel airline accommodation hospitality booking 여행 숙박 호텔 항공 旅行
food: food delivery restaurant foodtech 음식 배달 フード
education: education edtech learning school course language elearning 교육 학습 教育
media: media streaming video music ott entertainment news content podcast webtoon book publishing 미디어 스트리밍
media: 콘텐츠 음악 メディア
health: health fitness healthcare medical wellness sports workout sleep diet 헬스 건강 피트니스 의료 ヘルス 健康
social: social community sns dating messenger 소셜 커뮤니티 ソーシャル
mobility: mobility ride taxi transport logistics 모빌리티 택시 교통
"""
_INDUSTRY_LEXICON = Lexicon(_INDUSTRIES)


def industry_of(product: ProductInfo) -> str:
    """The industry as one of a few words; `other` where it is none of them."""
    return _industry(product.industry)


@functools.lru_cache(maxsize=256)
def _industry(written: str) -> str:
    text = written.lower().replace("-", "").replace("_", " ")
    words = [*_INDUSTRY_LEXICON.words(text), *_INDUSTRY_LEXICON.words(text.replace(" ", ""))]
    return next((word for word in words if word in _INDUSTRY_LEXICON.concepts), "other")


@dataclass(frozen=True)
class Place:
    """A property where it stands.

    Attributes:
        event: name of its event; empty of common properties, `user` of those of users.
        name: its dotted name.
        prop: the property.
        kind: of the event.
    """

    event: str
    name: str
    prop: Property
    kind: EventKind = EventKind.OTHER

    @property
    def key(self) -> str:
        """Name in rules for this event alone."""
        return f"{self.event}/{self.name}" if self.of_event else self.name

    @property
    def parent(self) -> str:
        """Name of the object that it is a part of; empty where it is a part of none."""
        return self.name.rpartition(".")[0]

    @property
    def of_event(self) -> bool:
        """Whether it is an event's own property."""
        return self.event not in ("", "user")


def places(taxonomy: Taxonomy, kinds: Mapping[str, EventKind]) -> Iterator[Place]:
    """Every property wherever it stands, nested ones included."""
    for event in taxonomy.events:
        for name, prop in flattened(event.properties):
            yield Place(event.name, name, prop, kinds[event.name])
    for name, prop in flattened(taxonomy.common_properties):
        yield Place("", name, prop)
    for name, prop in flattened(taxonomy.user_properties):
        yield Place("user", name, prop)


def by_parent(found: Iterable[Place]) -> dict[tuple[str, str], list[Place]]:
    """Properties that stand together, by event and object."""
    together: dict[tuple[str, str], list[Place]] = {}
    for place in found:
        together.setdefault((place.event, place.parent), []).append(place)
    return together


def rule_of(prop: Property) -> ValueRule | None:
    """What the sheet says about the values, in its description or its constraint."""
    if prop.rule is not None or not prop.constraint.strip():
        bare = prop.rule is None and prop.type is PropertyType.STRING and _BARE_VALUES.fullmatch(prop.description)
        if bare:
            return OneOf(values=tuple(re.split(r"\s*[,/]\s*", prop.description.strip())))
        if prop.rule is None or isinstance(prop.rule, OneOf):
            return rule_in_words(prop) or prop.rule
        return prop.rule
    try:
        rule = parse_value_rule(prop.constraint, prop.type) or _bound(prop.constraint, prop.type)
    except ValueRuleError:
        rule = None
    return rule or rule_in_words(prop)


_BARE_VALUES = re.compile(r"\s*[a-z][\w-]*(?:\s*[,/]\s*[a-z][\w-]*)+\s*", re.ASCII)
"""A description that is nothing but values in small letters: `film, episode`."""


def _bound(constraint: str, type: PropertyType) -> ValueRule | None:
    """A lone bound such as `>= 0`; the other one is far away."""
    text = constraint.strip().replace(" ", "").lower().replace("≥", ">=").replace("≤", "<=")
    for sign in (">=", "<=", ">", "<", "min", "max"):
        if type is PropertyType.NUMBER and text.startswith(sign):
            try:
                bound = float(text.removeprefix(sign).strip(":="))
            except ValueError:
                return None
            integer = bound.is_integer() and "." not in text
            step = (1 if integer else 0.01) if sign in (">", "<") else 0
            if sign in (">=", ">", "min"):
                return Between(min=bound + step, max=max(bound + 1000, bound * 100), integer=integer)
            return Between(min=min(0, bound - step), max=bound - step, integer=integer)
    return None


def measure_words(prop: Property) -> list[str]:
    """What the words of a property's name mean as parts of measures."""
    return list(_words(prop.name))


@functools.lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_LEXICON.words(text))


def _alias_words(prop: Property) -> list[str]:
    return list(_words(prop.alias))


def measure(place: Place, product: ProductInfo) -> Measure:
    """What a number measures, and where it lies by the sheet's limits or by what is usual."""
    industry = industry_of(product)
    found = _named(place, measure_words(place.prop), industry)
    if found.name == "other":
        found = _named(place, [*measure_words(place.prop), *_alias_words(place.prop)], industry)
    if _counted_since_sign_up(place) and found.growth in ("none", "mild", "steps", "wealth"):
        found = replace(found, growth="total", low=0, high=max(found.high * 20, 200), typical=found.typical * 5)
    if found.name in ("other", "ratio") and _CURRENCY.search(f"{place.prop.alias} {place.prop.description}"):
        found = _money("price", industry)
    limited = _limited(found, rule_of(place.prop))
    if not limited.given:
        limited = _bounded(limited, place.prop)
    # Within a list of objects a count numbers them, whoever the user is.
    return (
        replace(limited, growth="none") if "." in place.name and isinstance(rule_of(place.prop), Counter) else limited
    )


def _counted_since_sign_up(place: Place) -> bool:
    if place.event != "user":
        return False
    rule = place.prop.rule
    if isinstance(rule, FromEvent):
        return rule.aggregate in ("sum", "cnt", "daycnt")
    words = {*measure_words(place.prop), *_alias_words(place.prop)}
    return place.prop.update is UpdateMode.ADD or bool({"total", "count", "streak"} & words)


_UNITS = word_set(
    "minutes seconds hours days weeks months years points calories steps coins gems gold sales earnings savings fees "
    "kilograms grams costs tips cents status progress minus plus miles meters metres bytes stars levels"
)


def counts_things(name: str) -> bool:
    """Whether a name says how many there are of something: `total_orders`, `TotalBookings`, `total_tasks_completed`."""
    words = re.findall(r"[a-z]+", own_name(name))
    plural = [word for word in words if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))]
    money = {"amount", "value", "spent", "paid", "revenue", "price", "cost", "fee", "refund", "sum"}
    return bool(plural) and not set(plural) & _UNITS and not set(words) & money


def _named(place: Place, words: list[str], industry: str) -> Measure:
    said = set(words)
    rule = rule_of(place.prop)
    told = isinstance(rule, FromEvent) and rule.aggregate in ("cnt", "daycnt")
    if place.event == "user" and (told or ("total" in said and rule is None and counts_things(place.prop.name))):
        low, high, typical, growth, integer = _DEFAULTS["total_count"]
        return Measure("total_count", low, high, typical, growth, integer)
    if "hours" in said and "sleep" in place.event.lower():
        said.add("sleep")
    of_work = "xp" in said and "years" in place.name.lower()
    name = "years" if of_work else _thing(words, is_game=industry == "game") or _health(said)
    name = name or (head_word(words) in _PRICES_AND_SUCH and _sized(place, said, industry)) or _technical(place, words)
    name = name or _quantity(place, words, is_game=industry == "game") or _sized(place, said, industry)
    unit = unit_of(place.prop, measure_words(place.prop))
    if head_word(words) == "charge":
        name = "price"
    name = _by_unit(name, unit, said, industry)
    if name in ("price", "part", "wealth"):
        return _money(name, industry, unit)
    low, high, typical, growth, integer = _DEFAULTS[name or "other"]
    return Measure(name or "other", low, high, typical, growth, integer)


_PRICES_AND_SUCH = word_set("price fee tax tip revenue salary budget charge")
_AFTER_THE_HEAD = word_set("usd eur gbp krw jpy inr won yen before after current now today left remaining")


def head_word(words: Sequence[str]) -> str:
    """Of the words of a name the one that it is about: `price` of `price_per_km_eur`, `fare` of `time_fare`."""
    cut = next((n for n, word in enumerate(words) if n and word in ("per", "of", "for", "by", "in")), len(words))
    kept = [word for word in words[:cut] if word not in _AFTER_THE_HEAD] or list(words[:cut])
    return kept[-1] if kept else ""


_OF_THINGS = word_set("pay free bonus total")
_OF_PAYMENTS = word_set("due net gross payable charge")


def _thing(words: Sequence[str], *, is_game: bool) -> str | None:
    """`paid_stone`, `bonus_cookie`, `total_tickets`: how many there are of something, and no money."""
    head = head_word(words)
    known = head in _LEXICON.concepts or head.isdigit() or len(head) < 3
    if known or len(words) < 2 or words[0] not in _OF_THINGS or head != words[-1]:
        return None
    if head.endswith("ed") or head in _OF_PAYMENTS or set(words) & {"price", "amount", "cost"}:
        return None
    return "game_amount" if is_game else "quantity"


_OF_UNITS = {
    "ms": "latency",
    "seconds": "seconds",
    "minutes": "minutes",
    "hours": "hours",
    "km": "distance",
    "metres": "metres",
    "cm": "centimetres",
    "kg": "mass",
    "grams": "grams",
    "characters": "characters",
    "count": "quantity",
}
_UNSURE = frozenset({None, "other", "ratio", "quantity", "times", "interest", "index"})
"""What a name says least about: there the unit decides."""


def _by_unit(name: str | None, unit: str | None, said: set[str], industry: str) -> str | None:
    """What is measured, once the unit is known too."""
    if name in ("height", "weight") and industry != "health" and (unit in ("cm", "kg") or said & {"gross", "net"}):
        return "centimetres" if name == "height" else "mass"
    if name not in _UNSURE or unit is None:
        return name
    if unit in MONEY:
        return "price"
    if unit == "percent":
        return "percent" if name in (None, "other", "ratio") else name
    if unit == "share":
        return "ratio"
    return _OF_UNITS.get(unit, name) if name in (None, "other") or unit != "count" else name


def _bounded(found: Measure, prop: Property) -> Measure:
    """The measure with the one bound that a text names: `at most 120`, `18+`, `5回まで`."""
    ends = [limits_in(text) for text in (prop.description, prop.alias) if text]
    low = next((low for low, _ in ends if low is not None), found.low)
    high = next((high for _, high in ends if high is not None), found.high)
    if (low, high) == (found.low, found.high) or low >= high:
        return found
    typical = found.typical if low <= found.typical <= high else low + (high - low) * 0.4
    return replace(found, low=low, high=high, typical=typical, given=True)


def _health(said: set[str]) -> str | None:
    if "heart" in said or said >= {"pulse"}:
        return "heart_rate"
    if "sleep" in said and not said & {"score", "count", "quantity"}:
        return "minutes" if "minutes" in said else "sleep"
    for name in (
        "systolic",
        "diastolic",
        "glucose",
        "bmi",
        "fat",
        "oxygen",
        "steps",
        "weight",
        "height",
        "mood",
        "pace",
    ):
        if name in said and not said & {"id", "rate_limit"}:
            return name
    if "blood" in said:
        return "systolic"
    if "calorie" in said:
        return "calories"
    if "temperature" in said:
        return "body_temperature"
    return "water" if "water" in said and not said & {"count", "times"} else None


_YEARS = re.compile(r"[(（][년年][)）]|\b(?:years? of|in years|how many years)\b|경력|경과|年数|経歴")
"""Texts of how many years something has lasted, rather than which year it was."""


def _technical(place: Place, words: list[str]) -> str | None:
    said = set(words)
    last = words[-1] if words else ""
    if last == "id":
        return _identifier(place.prop.name)
    for name in ("latitude", "longitude", "version", "nps", "age", "size", "distance", "speed", "interest"):
        if name in said and not (name == "version" and "count" in said) and not (name == "age" and "days" in said):
            return name
    if "birth" in said:
        return "birth_year"
    if "heartbeat" in said:
        return "online"
    if last == "year" and _YEARS.search(f"{place.prop.alias} {place.prop.description}"):
        return "years"
    if last in ("year", "month", "index", "code"):
        return last
    return None


UNIQUE = word_set(
    """
    order transaction payment pay receipt invoice booking reservation session request log trace message post
    comment transfer claim battle match ticket room shipment delivery refund trip ride uuid quote case return
    appointment contract application loan policy bid auction call chat conversation
    """
)
"""Things of which each one is new."""
OWNED = word_set("server guild clan team workspace org organization organisation company channel zone region crew")
"""What a user belongs to, one at a time."""


def _identifier(name: str) -> str:
    words = set(own_name(name).split("_"))
    return "unique_id" if words & UNIQUE else "own_id" if words & OWNED else "id"


def _quantity(place: Place, words: list[str], *, is_game: bool) -> str | None:
    said = set(words)
    if "ms" in said:
        return "latency"
    if said & {"duration", "seconds", "minutes", "hours"} or ("time" in said and not said & _NO_TIME):
        return _duration(place, said)
    if "discount" in said and said & {"rate", "percent"}:
        return "discount_percent"
    if "percent" in said or ("progress" in said and "rate" in said):
        return "percent"
    if said & {"rate", "ctr"}:
        return "ratio"
    if "rating" in said:  # what goes up and down in a game is no number of stars
        moves = said & {"before", "after", "gain", "loss", "average"} or not place.of_event
        return "game_score" if is_game and moves and not said & {"app", "store", "review"} else "rating"
    if "vip" in said:
        return "vip"
    if "level" in said and not said & {"count", "id"}:
        return "level"
    for name in ("streak", "rank"):
        if name in said:
            return name
    return None


def _duration(place: Place, said: set[str]) -> str:
    if "minutes" in said:
        return "minutes"
    if "hours" in said:
        return "hours"
    if place.kind is EventKind.SESSION_END:
        return "session_seconds"
    words = f"{place.event} {place.name}".lower()
    long = any(
        word in words for word in ("video", "watch", "lesson", "course", "workout", "music", "listen", "sleep", "class")
    )
    return "content_seconds" if long else "seconds"


_NO_TIME = word_set("count total rate price amount cost fee")
_CURRENCY = re.compile(r"\b(?:EUR|USD|GBP|KRW|JPY|CNY|dollars?|euros?|yen)\b|[(（](?:원|円|달러|ドル)[)）]|[€$£￥₩]")

_REAL_MONEY = frozenset(
    {
        *(EventKind.PAY, EventKind.PAY_FAIL, EventKind.CHECKOUT, EventKind.CART, EventKind.AFTER_SALE, EventKind.MONEY),
        *(EventKind.SUBSCRIBE, EventKind.AD, EventKind.SYSTEM, EventKind.BROWSE, EventKind.SHARE),
    }
)


def _sized(place: Place, said: set[str], industry: str) -> str | None:
    """Amounts, counts and what people have."""
    moved = said & {"cost", "bonus", "change", "price", "amount"}
    is_game = industry == "game"
    if "score" in said:
        return "game_score" if is_game else "score"
    if said & _GAME_MONEY:
        if place.of_event and said & {"before", "after"} and "energy" not in said:
            return "holding"
        if place.of_event and moved:
            return "game_amount"
        return next(name for name in ("gold", "diamond", "energy", "point", "currency") if name in said)
    if said & {"xp", "power"}:
        return "game_amount" if place.of_event and moved and "xp" in said else "xp" if "xp" in said else "power"
    raw = set(re.split(r"[._]", place.name.lower()))
    if is_game and "paid" in raw and len(raw) > 1 and not raw & {"amount", "price", "money", "total", "count"}:
        return "game_amount"  # stones that were paid for
    if said & {"fee", "tax", "tip"} or ("discount" in said and not said & {"count"}):
        return "part"
    if "salary" in said:
        return "salary"
    if said & {"balance", "loan", "capital"}:
        return "wealth"
    soft = is_game and place.of_event and place.kind not in _REAL_MONEY
    if said & {"before", "after"} and (soft or said & {"change"}):
        return "holding"
    if said & {"price", "amount", "revenue", "budget", "mrr"} or (
        said & {"cost", "pay"} and not said & {"count", "quantity"}
    ):
        return "game_amount" if soft else "price"
    if said & {"stage", "progress"} and not said & {"count", "times"}:
        return "stage" if "stage" in said or is_game else "percent"
    if "star" in said:
        return "star" if is_game else "rating"
    if "step" in said:
        return "step"
    if "change" in said:
        return "game_amount" if is_game else "quantity"
    return _counts(place, said, is_game=is_game)


def _counts(place: Place, said: set[str], *, is_game: bool) -> str | None:
    if "days" in said:
        return "days" if place.event == "user" or "count" in said else "nights"
    if "people" in said:
        return "seats" if "seat" in place.name.lower() or "member" in place.name.lower() else "people"
    if "result" in said:
        return "results"
    if "impressions" in said:
        return "impressions"
    if "quantity" in said:
        return "quantity"
    if "total" in said and "count" not in said and (not is_game or place.kind in _REAL_MONEY):
        return "price" if not counts_things(place.prop.name) else "quantity"
    if said & {"count", "total", "win"}:
        return "total_count" if place.event == "user" else "quantity"
    return None


# Of a currency's unit, how many buy what one dollar buys, to a round figure; there are no cents in daily life.
_SMALL_MONEY = {"KRW": 1_200, "JPY": 130, "VND": 25_000, "IDR": 15_000, "INR": 80}


def _money(name: str, industry: str, unit: str | None = None) -> Measure:
    low, high, typical = _PRICES.get(industry, _ANY_PRICE)
    if times := _SMALL_MONEY.get(unit or ""):
        plain = _money(name, industry)
        low, high, typical = (float(round(end * times, -2)) for end in (plain.low, plain.high, plain.typical))
        return replace(plain, low=low, high=high, typical=typical, integer=True)
    if name == "part":
        return Measure(name, 0, round(high / 5, 2), round(typical / 12, 2), "none", integer=False)
    if name == "wealth":
        return Measure(name, 0, high * 100, typical * 30, "wealth", integer=False)
    return Measure(name, low, high, typical, "mild", integer=False)


def _limited(found: Measure, rule: ValueRule | None) -> Measure:
    """The measure within the sheet's limits."""
    if isinstance(rule, Between):
        whole = rule.min.is_integer() and rule.max.is_integer() and rule.max - rule.min >= 5
        low, high, integer = rule.min, rule.max, rule.integer or (whole and found.integer and found.name != "other")
    elif isinstance(rule, OneOf | OneOfEach):
        listed = rule.values if isinstance(rule, OneOf) else rule.all_values
        numbers = [float(v) for v in listed if isinstance(v, int | float) and not isinstance(v, bool)]
        if not numbers:
            return found
        low, high, integer = min(numbers), max(numbers), all(n.is_integer() for n in numbers)
        return replace(
            found, low=low, high=high, integer=integer, growth="none", typical=sum(numbers) / len(numbers), given=True
        )
    elif isinstance(rule, Counter):
        integer = rule.start.is_integer() and rule.step.is_integer()
        low = rule.start
        high = rule.max if rule.max is not None else low + max(found.high - found.low, 50) * max(abs(rule.step), 1)
        low, high = min(low, high), max(low, high)
        found = replace(found, growth="steps" if found.growth == "steps" else "total")
    elif isinstance(rule, Balance):
        low, high, integer = 0.0, max(rule.start * 20, 10_000), True
        found = replace(found, name="holding", growth="mild", low=0, high=high, typical=max(rule.start, high / 10))
    else:
        return found
    width = high - low
    at = (found.typical - found.low) / (found.high - found.low) if found.high > found.low else 0.4
    fits = low <= found.typical <= low + width * 0.6 and found.high >= high / 10 and found.name != "other"
    typical = found.typical if fits else low + width * min(max(at, 0.35), 0.6)
    return replace(found, low=low, high=high, integer=integer, typical=min(max(typical, low), high), given=True)


# --------------------------------------------------------------------------- by segment

# Of the width of the range, where a segment begins and ends; its mean is in the middle, or nearer to the beginning.
_STEPS: dict[str, tuple[float, float]] = {
    "new_user": (0, 0.03), "active_user": (0.13, 0.4), "power_user": (0.66, 1), "churning_user": (0.08, 0.33),
    "churned_user": (0.04, 0.24), "returning_user": (0.1, 0.36),
}  # fmt: skip
_WEALTH: dict[str, tuple[float, float]] = {
    "new_user": (0, 0.0005), "active_user": (0.005, 0.05), "power_user": (0.08, 0.5), "churning_user": (0.003, 0.03),
    "churned_user": (0.001, 0.02), "returning_user": (0.004, 0.04),
}  # fmt: skip
_TOTAL: dict[str, tuple[float, float]] = {
    "new_user": (0, 0.01), "active_user": (0.03, 0.22), "power_user": (0.3, 1), "churning_user": (0.02, 0.14),
    "churned_user": (0.01, 0.08), "returning_user": (0.02, 0.16),
}  # fmt: skip
_MILD = {
    "new_user": 0.72, "active_user": 1.0, "power_user": 1.32, "churning_user": 0.84, "churned_user": 0.78,
    "returning_user": 0.92,
}  # fmt: skip
"""Of the typical value, the mean of a segment."""


def overall(found: Measure) -> ValueRange:
    """Where a number lies, whoever the user is."""
    return ValueRange(min=found.low, max=found.high, mean=_rounded(found.typical, found), integer=found.integer)


def by_segment(found: Measure) -> dict[str, ValueRange]:
    """Where a number lies, by segment."""
    return {segment: _of_segment(found, segment) for segment in SEGMENTS}


def _of_segment(found: Measure, segment: str) -> ValueRange:
    width = found.high - found.low
    if found.growth == "none" or width <= 0:
        return overall(found)
    if found.growth == "mild":
        return _mild(found, _MILD[segment])
    if found.growth == "rank":
        return _mild(found, 1 / _MILD[segment] ** 3)
    table = {"steps": _STEPS, "wealth": _WEALTH, "total": _TOTAL}[found.growth]
    if found.growth == "wealth" and width * _WEALTH["active_user"][0] < (1 if found.integer else 0.01):
        table = _STEPS  # too narrow for orders of magnitude
    start, stop = table[segment]
    low, high = found.low + width * start, found.low + width * stop
    if found.growth == "steps" and segment == "new_user":
        high = max(high, min(found.low + 4, found.low + width * 0.1)) if found.integer else high
    if found.integer:
        low, high = float(round(low)), float(max(round(high), round(low)))
    mean = low + (high - low) * (0.35 if table is not _STEPS else 0.5)
    return ValueRange(
        min=_rounded(low, found), max=_rounded(high, found), mean=_rounded(mean, found), integer=found.integer
    )


def _mild(found: Measure, factor: float) -> ValueRange:
    """The whole range, the mean moved; far from the bounds by a factor, near them by as much as there is room."""
    above, below = found.high - found.typical, found.typical - found.low
    moved = found.typical + (min(above, below) or max(above, below) / 4) * (factor - 1) * 0.9
    mean = min(max(moved, found.low), found.high)
    return ValueRange(min=found.low, max=found.high, mean=_rounded(mean, found), integer=found.integer)


def _rounded(value: float, found: Measure) -> float:
    """Short enough to read, and within the bounds."""
    width = found.high - found.low
    digits = 2 if width >= 1 else 6
    return min(max(round(value, digits), found.low), found.high)


_ONE_FOR_ALL = frozenset({"age"})
"""What has the same limits throughout a sheet: who is 18 on one page is not 14 on the next."""


def completed(found: Mapping[Place, Measure]) -> dict[Place, Measure]:
    """The measures, some of them with what the sheet says of others: limits of ages, and what a stock is made of."""
    limits = {told.name: told for told in reversed(list(found.values())) if told.given and told.name in _ONE_FOR_ALL}
    amounts: dict[str, float] = {}
    for place, told in found.items():
        words = measure_words(place.prop)
        if place.of_event and len(words) > 1 and not _MOMENTS & set(words) and (told.given or told.name != "other"):
            amounts[words[-1]] = max(amounts.get(words[-1], 0), told.high)
    return {place: _completed(place, told, limits, amounts) for place, told in found.items()}


_MOMENTS = word_set("before after tmp current now")


def _completed(place: Place, told: Measure, limits: Mapping[str, Measure], amounts: Mapping[str, float]) -> Measure:
    if told.given:
        return told
    if told.name in limits:
        of = limits[told.name]
        return replace(told, low=of.low, high=of.high, typical=of.typical, integer=told.integer and of.integer)
    rest = [word for word in measure_words(place.prop) if word not in _MOMENTS]
    if told.name == "other" and len(rest) == 1 and rest[0] in amounts and rest[0] not in _LEXICON.concepts:
        top = amounts[rest[0]]
        growth: Growth = "mild" if place.of_event else "wealth"
        return replace(told, name="holding", low=0, high=top * 20, typical=top, growth=growth)
    return told


TIME_UNITS: tuple[tuple[str, float], ...] = (
    (r"ms|millis(?:econds?)?", 0.001), (r"s|secs?|seconds?|초|秒", 1), (r"mins?|minutes?|분|分", 60),
    (r"h|hrs?|hours?|시간|時間", 3600), (r"d|days?|nights?|일|日間?|박|泊", 86_400), (r"weeks?|주|週間?", 7 * 86_400),
    (r"months?|개월|달|[かヶケ]月|カ月", 30 * 86_400), (r"years?|년|年間?", 365 * 86_400),
)  # fmt: skip


def seconds_in(place: Place) -> float | None:
    """Seconds in the unit of a duration; None of what is none."""
    found = ordered_pieces(place.name)
    units = {word: factor for unit, factor in TIME_UNITS for word in found if re.fullmatch(unit, word)}
    if units and not pieces(place.name) & {"price", "fare", "fee", "count", "cnt", "rate", "id"}:
        return units[[word for word in found if word in units][-1]]
    if not pieces(place.name) & {"duration", "time", "period", "length", "hours", "elapsed"}:
        return None
    said = re.search(r"\(\s*(\w+)\s*\)|\bin (\w+)|^(\w+)|(초|분|시간|秒|分|時間)$", texts_of(place.prop).strip())
    words = [word for word in (said.groups() if said else ()) if word]
    return next((factor for unit, factor in TIME_UNITS for word in words if re.fullmatch(unit, word)), None)


def number_places(everywhere: Iterable[Place]) -> list[Place]:
    """Those that hold numbers."""
    return [place for place in everywhere if place.prop.type is PropertyType.NUMBER]
