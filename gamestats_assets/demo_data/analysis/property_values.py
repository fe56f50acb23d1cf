"""What the values of properties keep to: the rules of the sheet, what goes with a country, identifiers, usual choices.

Where the sheet leaves a property's values empty, they are those of the property of the same name elsewhere; a later
step of a sequence repeats what an earlier one told.
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections.abc import Mapping, Sequence

from gamestats_assets.demo_data import locales, names
from gamestats_assets.demo_data.analysis.catalogues import Catalogues, falling, invented
from gamestats_assets.demo_data.analysis.cities import cities_of, city_named, degrees_in
from gamestats_assets.demo_data.analysis.event_kinds import EventKind
from gamestats_assets.demo_data.analysis.event_order import EventOrder
from gamestats_assets.demo_data.analysis.event_words import FAILURES, SUCCESSES, Reading, concepts, own_name, word_set
from gamestats_assets.demo_data.analysis.measures import (
    OWNED,
    UNIQUE,
    Place,
    industry_of,
    measure,
    measure_words,
    places,
    rule_of,
)
from gamestats_assets.demo_data.analysis.pairs import amount_in, changes, one_change, pair_of
from gamestats_assets.demo_data.analysis.recalled_values import Recalls, pieces_of
from gamestats_assets.demo_data.rules.model import (
    CounterRule,
    EventConstraints,
    EventSequence,
    PropertyConstraint,
    ValueRange,
)
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, UpdateMode
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Balance,
    Between,
    CopyOf,
    Counter,
    Example,
    FromEvent,
    OneOf,
    OneOfEach,
    Rows,
    Scalar,
    SharedCounter,
    TrueFirst,
    ValueRule,
)

Kind = EventKind
_NOTHING = PropertyConstraint()
_ANY_NUMBER = ValueRange(min=1, max=999_999_999, mean=500_000_000, spread=250_000_000)
"""Of ids of which each one is new."""

_COUNTRY_NAMES = {
    "KR": "korea 대한민국 한국 韓国 kor", "JP": "japan 일본 日本 jpn", "US": "usa 미국 アメリカ 米国 america",
    "CN": "china 중국 中国 chn", "TW": "taiwan 대만 台湾", "GB": "uk 영국 イギリス england", "DE": "독일 ドイツ deu",
    "FR": "프랑스 フランス fra", "VN": "베트남 ベトナム", "TH": "태국 タイ", "ID": "인도네시아", "IN": "인도 インド",
    "BR": "브라질 ブラジル", "CA": "캐나다 カナダ", "AU": "호주 オーストラリア", "SG": "싱가포르", "HK": "홍콩 香港",
}  # fmt: skip

# Usual values by what a text's name ends in; weights after a colon where some are more frequent.
_CHOICES = {
    name: choices
    for of_names, choices in {
        "gender": "female:49 male:49 other:2",
        "sex": "female male",
        "plan plan_type": "free:60 basic:22 pro:14 enterprise:4",
        "subscription_plan": "basic:50 pro:38 enterprise:12",
        "subscription_status": "none:70 trial:8 active:18 cancelled:4",
        "billing_cycle billing_period": "monthly:72 yearly:28",
        "membership membership_tier membership_level tier": "bronze:60 silver:25 gold:12 vip:3",
        "network_type": "WIFI:58 5G:22 4G:20",
        "payment_method payment_type": "credit_card:46 mobile_wallet:31 bank_transfer:15 gift_card:8",
        "media_source": "organic:46 google_ads:22 facebook_ads:18 tiktok_ads:14",
        "utm_source": "organic:40 google:28 facebook:18 newsletter:14",
        "utm_medium": "organic:40 cpc:34 social:16 email:10",
        "acquisition_channel traffic_source": "organic:46 paid_search:22 social:18 referral:14",
        "referrer": "direct:40 search:32 social:18 partner:10",
        "register_type": "email:38 google:30 apple:20 guest:12",
        "signup_method sign_up_method method": "email:44 google:34 apple:22",
        "login_method": "email:40 google:34 apple:20 sso:6",
        "login_type": "email:40 google:34 apple:20 guest:6",
        "difficulty": "easy:40 normal:40 hard:20",
        "device_type": "phone:78 tablet:14 desktop:8",
        "environment": "production",
        "role user_role": "member:72 manager:20 admin:8",
        "class class_type character_class": "warrior mage archer priest",
        "workout_type exercise_type": "running:30 strength:26 yoga:18 cycling:16 swimming:10",
        "meal_type": "breakfast:28 lunch:32 dinner:30 snack:10",
        "shipping_method delivery_type": "standard:70 express:22 pickup:8",
        "order_status": "placed:20 paid:30 shipped:30 delivered:20",
        "sort_by": "relevance:50 price:30 newest:20",
        "ad_type": "rewarded_video:55 interstitial:30 banner:15",
        "ad_network": "admob:50 unity:28 applovin:22",
        "quality video_quality": "1080p:46 720p:36 480p:18",
    }.items()
    for name in of_names.split()
}
_REASONS = {
    Kind.PAY_FAIL: "card_declined:40 insufficient_funds:26 cancelled_by_user:22 timeout:12",
    Kind.AFTER_SALE: "changed_mind:40 defective:24 late_delivery:20 wrong_item:16",
    Kind.SUBSCRIBE: "too_expensive:38 not_using:34 missing_feature:18 other:10",
    Kind.GOODBYE: "not_using:46 too_many_messages:28 privacy:16 other:10",
    Kind.BAD: "time_over:36 defeated:44 gave_up:20",
}
_WHY = {
    "report": word_set("report block unmatch complain"),
    "leave": word_set("withdrawal leave delete uninstall unsubscribe churn exit goodbye disable"),
    "reject": word_set("reject deny decline hold"),
    "cancel": word_set("cancel refund return exchange"),
    "fail": word_set("fail error timeout abandon crash die"),
}
_REASONS_WHY = {
    "report": {
        "en_US": "spam|fake_profile|harassment|inappropriate_content|scam",
        "ko_KR": "스팸|허위 정보|욕설|부적절한 내용|사기",
        "ja_JP": "スパム|虚偽の情報|嫌がらせ|不適切な内容|詐欺",
    },
    "leave": {
        "en_US": "not_using|privacy|too_many_messages|found_alternative",
        "ko_KR": "이용 안 함|개인정보 우려|알림이 많음|다른 서비스 이용",
        "ja_JP": "利用しない|プライバシー|通知が多い|他のサービスを利用",
    },
    "reject": {
        "en_US": "incomplete|not_eligible|duplicate|against_policy",
        "ko_KR": "정보 부족|자격 미달|중복|정책 위반",
        "ja_JP": "情報不足|対象外|重複|規約違反",
    },
    "cancel": {
        "en_US": "changed_mind|too_slow|by_mistake|found_alternative",
        "ko_KR": "단순 변심|너무 느림|실수|다른 곳 이용",
        "ja_JP": "気が変わった|時間がかかる|誤操作|他を利用",
    },
    "fail": {
        "en_US": "timeout|network_error|invalid_input|cancelled_by_user",
        "ko_KR": "시간 초과|네트워크 오류|입력 오류|사용자 취소",
        "ja_JP": "タイムアウト|通信エラー|入力ミス|ユーザーキャンセル",
    },
    "other": {
        "en_US": "user_request|system|policy|other",
        "ko_KR": "사용자 요청|시스템|정책|기타",
        "ja_JP": "ユーザー都合|システム|規約|その他",
    },
}
_CHANNELS = {
    "mobile": "app_store:46 google_play:46 galaxy_store:8",
    "web": "organic:46 paid_search:24 social:18 referral:12",
    "pc": "steam:60 launcher:30 epic:10",
    "console": "playstation_store:48 nintendo_eshop:30 xbox_store:22",
}
_SYSTEMS = {
    "mobile": "Android:58 iOS:42",
    "web": "Windows:54 macOS:22 Android:14 iOS:10",
    "pc": "Windows:91 macOS:6 Linux:3",
    "console": "PlayStation 5|Nintendo Switch|Xbox Series X",
}
_GOOD_WORDS = SUCCESSES | {"accept"}
_SELF_IDS = re.compile(
    r"#?(user|account|player|member|customer|role|character|login|app_user|u|open)?_?(id|uid|account|no)"
)
_OTHERS = word_set(
    "target friend rival opponent sender receiver recipient host inviter invitee referrer partner enemy seller driver"
)
_AT_WORK = word_set(
    "driver courier seller partner host merchant agent doctor teacher instructor creator author streamer"
)
_PERSONS = _AT_WORK | word_set("user profile member player")
_DEVICE_IDS = word_set(
    "device_id deviceid distinct_id idfa idfv gaid adid vendor_id advertising_vendor_id guest_id visitor_id"
)
_SYSTEM_NAMES = frozenset({"os", "os_type", "os_name", "device_os", "platform_os"})
_OF_THE_MOMENT = word_set(
    "wifi online offline foreground background charging landscape connected muted network login first auto roaming"
)
_ENUMERATED = word_set(
    """
    type category kind mode grade style genre source reason position placement location option label format
    section screen theme topic field group variant button tab menu area origin entrance way level_name intensity
    """
)
_NO_PART_OF_A_NAME = word_set("id uuid guid no number tmp current now final before after last first")
_OF_FAKER = frozenset({"product_name", "item_name", "guild_name", "brand", "title"})
_NAMED = word_set("name title subject skin banner pack package bundle list")


def property_constraints(
    order: EventOrder, events: EventConstraints, prices: Mapping[str, tuple[float, float]]
) -> tuple[dict[str, PropertyConstraint], dict[str, ValueRange]]:
    """Constraints by property, and the ranges of the numbers in identifiers.

    Args:
        events: tells when events may happen.
        prices: by property, between what prices lie.
    """
    maker = _Maker(order, prices)
    told = {place: maker.as_many(place, maker.constraint(place)) for place in maker.everywhere}
    by_name: dict[str, list[Place]] = {}
    for place in maker.everywhere:
        by_name.setdefault(place.name, []).append(place)
    found: dict[str, PropertyConstraint] = {}
    for name, where in by_name.items():
        plain = _usual([told[place] for place in where], [place.of_event for place in where])
        own = {*maker.catalogues.ids, *maker.paired}
        if plain.depends_on in own and not maker.catalogues.holds_everywhere(name, plain.depends_on):
            plain = next((told[place] for place in where if told[place].depends_on is None), _NOTHING)
        if plain != _NOTHING:
            found[name] = plain
        for place in where:
            if place.of_event and told[place] != plain:
                found[place.key] = told[place]
    _repeat_in_sequences(found, order, events.sequences)
    recalls = Recalls(order, events.prerequisites, found)
    for key, told_by in recalls.found().items():
        base = found.get(key, found.get(key.partition("/")[2], _NOTHING))
        told = {"recalls": told_by, "once_each": recalls.is_told_once(key)}
        found[key] = base.model_copy(update=told | ({"per_user": True} if recalls.is_within(key) else {}))
    maker.number_ranges |= {name: _ANY_NUMBER for name in recalls.made if name in maker.number_ranges}
    return found, maker.number_ranges


def _usual(constraints: Sequence[PropertyConstraint], of_event: Sequence[bool]) -> PropertyConstraint:
    """That of the common properties and of users, else the most frequent one that says something."""
    for constraint, own in zip(constraints, of_event, strict=True):
        if not own and constraint != _NOTHING:
            return constraint
    if not all(of_event):
        return _NOTHING
    tally = Tally(constraint.model_dump_json() for constraint in constraints if constraint != _NOTHING)
    if not tally:
        return _NOTHING
    most = max(tally.values())
    first = next(c for c in constraints if tally[c.model_dump_json()] == most)
    # A count or a balance belongs to its own event, unless all events show the same one.
    if first.counter is not None and len({c.model_dump_json() for c in constraints}) > 1:
        rest = [c for c in constraints if c.counter is None and c != _NOTHING]
        return rest[0] if rest else _NOTHING
    return first


class _Maker:
    """Makes the constraint of each property where it stands."""

    def __init__(self, order: EventOrder, prices: Mapping[str, tuple[float, float]]) -> None:
        self.order, self.taxonomy, self.product = order, order.taxonomy, order.product
        self.everywhere = list(dict.fromkeys(places(order.taxonomy, order.kinds)))
        self.number_ranges: dict[str, ValueRange] = {}
        self.paired: set[str] = set()
        self.rules = {place: rule_of(place.prop) for place in self.everywhere}
        self._defined: dict[str, list[Place]] = {}
        for place in self.everywhere:
            if self.rules[place] is not None:
                self._defined.setdefault(place.name, []).append(place)
        countries = [
            place for place in self.everywhere if own_name(place.name) in ("country", "country_code", "nation")
        ]
        texts = all(place.prop.type is PropertyType.STRING for place in countries)
        self._countries = countries if texts else []
        kept = (PropertyType.STRING, PropertyType.NUMBER, PropertyType.BOOLEAN)
        self._once = {
            place.name: place
            for place in self.everywhere
            if place.event == "user" and place.prop.update is UpdateMode.SET_ONCE and place.prop.type in kept
        }
        self.catalogues = Catalogues(order.taxonomy, self.everywhere, order.product, prices, is_game=order.is_game)

    def definition(self, place: Place) -> tuple[ValueRule | None, bool]:
        """What the sheet says here, or of the property of the same name elsewhere; whether it is said here."""
        own = self.rules[place]
        if own is not None and not isinstance(own, Example):
            return own, True
        others = [other for other in self._defined.get(place.name, []) if other.prop.type is place.prop.type]
        others = [other for other in others if not isinstance(self.rules[other], Example | FromEvent)]
        if own is not None or not others:
            return own, True
        before = [other for other in others if self._row(other) <= self._row(place)]
        return self.rules[before[-1] if before else others[0]], False

    def _row(self, place: Place) -> int:
        return self.order.readings[place.event].index if place.of_event else -1

    # ----------------------------------------------------------------- by the sheet

    def constraint(self, place: Place) -> PropertyConstraint:
        """What the values keep to here."""
        own_group = bool(set(pieces_of(place.name)) & OWNED)
        if (entry := self.catalogues.constraint(place, per_user=own_group)) is not None:
            return entry
        rule, own = self.definition(place)
        if (paired := self._paired(place, rule)) is not None:
            self.paired |= {paired.depends_on} if paired.depends_on else set()
            return paired
        given = self._of_rule(place, rule, own=own) if rule is not None else None
        if given is not None:
            return self._kept(place, given)
        return self._kept(place, self._by_name(place))

    def as_many(self, place: Place, told: PropertyConstraint) -> PropertyConstraint:
        """Of a list whose description names a number of the event, that it has as many texts."""
        if place.prop.type is not PropertyType.LIST or not place.of_event or "." in place.name:
            return told
        said = set(re.findall(r"\w+", place.prop.description, re.ASCII))
        numbers = [p for p in self.everywhere if p.event == place.event and p.prop.type is PropertyType.NUMBER]
        own = [piece.rstrip("s") for piece in pieces_of(place.name)]
        named = [p.name for p in numbers if p.name in said or pieces_of(p.name) == [*own, "count"]]
        return told.model_copy(update={"rows_by": named[0], "rows": None}) if len(named) == 1 else told

    def _kept(self, place: Place, told: PropertyConstraint) -> PropertyConstraint:
        """What users have once for all: an event that tells it tells what is known of the user."""
        once = self._once.get(place.name)
        if once is None or once.prop.type is not place.prop.type or told.copy_of or told.counter or told.first_only:
            return told
        rules = [rule for rule in (self.rules[once], self.rules[place]) if rule is not None]
        if any(isinstance(rule, FromEvent | Counter | Balance | SharedCounter) for rule in rules) or len(rules) == 2:
            return told if len(rules) < 2 or rules[0] != rules[1] else told.model_copy(update={"per_user": True})
        return told.model_copy(update={"per_user": True})

    def _by_name(self, place: Place) -> PropertyConstraint:
        match place.prop.type:
            case PropertyType.BOOLEAN:
                return self._boolean(place)
            case PropertyType.STRING:
                return self._text(place)
            case PropertyType.NUMBER:
                return self._number(place)
            case PropertyType.LIST:
                return self._list(place)
            case PropertyType.OBJECT_GROUP:
                return PropertyConstraint(rows=_example_rows(place.prop) or 3)
            case _:
                return _NOTHING

    def _paired(self, place: Place, rule: ValueRule | None) -> PropertyConstraint | None:
        """What goes with another property of the event: the price with the product, the new plan with the old one."""
        if not place.of_event or "." in place.name or isinstance(rule, Counter | SharedCounter | Balance | CopyOf):
            return None
        beside = {other: self._texts(other) for other in self._beside(place) if other != place}
        texts = {other.prop: values for other, values in beside.items() if values}
        if place.prop.type is PropertyType.STRING:
            return self._changed(place, texts)
        if place.prop.type is not PropertyType.NUMBER:
            return None
        if isinstance(rule, OneOf):
            listed = [(other.prop, self._listed(other)) for other in beside]
            return pair_of(place.prop, rule.values, listed)
        if rule is None:
            found = (amount_in(place.prop, prop, values) for prop, values in texts.items())
        else:
            return None
        return next((constraint for constraint in found if constraint), None)

    def _changed(self, place: Place, texts: Mapping[Property, list[str]]) -> PropertyConstraint | None:
        """What something was before, or what it has become, where both are lists."""
        own = self._texts(place)
        event = self.taxonomy.event(place.event)
        said = f"{event.name} {event.alias} {event.description}"
        for other, values in texts.items():
            if own and one_change(place.prop, other):
                kept: list[Scalar] = list(changes(own, values, said))
                return PropertyConstraint(values=kept) if kept else None
            if own and one_change(other, place.prop):
                mapping = changes(values, own, said)
                return PropertyConstraint(depends_on=other.name, mapping=mapping, values=list(own)) if mapping else None
        return None

    def _beside(self, place: Place) -> list[Place]:
        return [other for other in self.everywhere if other.event == place.event and "." not in other.name]

    def _listed(self, place: Place) -> list[Scalar]:
        rule, _ = self.definition(place)
        return list(rule.values) if isinstance(rule, OneOf) else []

    def _texts(self, place: Place) -> list[str]:
        """The values that the sheet lists of a text, here or elsewhere."""
        rule, _ = self.definition(place)
        listed = isinstance(rule, OneOf) and place.prop.type is PropertyType.STRING
        return [str(value) for value in rule.values] if listed and isinstance(rule, OneOf) else []

    def _of_rule(self, place: Place, rule: ValueRule, *, own: bool) -> PropertyConstraint | None:
        match rule:
            case OneOf():
                return self._choice(place, rule)
            case OneOfEach() if rule.on:
                self.paired.add(rule.on)
                mapping: dict[str, list[Scalar]] = {label: list(values) for label, values in rule.values}
                return PropertyConstraint(depends_on=rule.on, mapping=mapping, values=list(rule.all_values))
            case Counter():
                return PropertyConstraint(counter=self._counter(place, rule, own=own))
            case SharedCounter():
                return PropertyConstraint(counter=self._shared(place, rule.step if own else 0))
            case Balance():
                return PropertyConstraint(counter=self._balance(place, rule))
            case TrueFirst():
                return PropertyConstraint(first_only=True)
            case CopyOf():
                return PropertyConstraint(copy_of=rule.source)
            case Rows():
                return PropertyConstraint(rows=rule.count)
            case Example() if place.prop.type is PropertyType.STRING and 0 < len(rule.text) <= 60:
                single = "\n" not in rule.text and not re.search(r"[\[\]{}]", rule.text)
                return PropertyConstraint(values=[rule.text.strip()]) if single else None
            case Between() if place.prop.type is PropertyType.NUMBER:
                return self._number(place) if not own else _NOTHING
            case _:
                return None

    def _choice(self, place: Place, rule: OneOf) -> PropertyConstraint:
        values: list[Scalar] = list(dict.fromkeys(rule.values))
        if place.prop.type is PropertyType.BOOLEAN:
            if _tells_first(place.prop):
                return PropertyConstraint(first_only=True, values=values)
            plain = self._boolean(place)
            return PropertyConstraint(
                values=values, weights=plain.weights if len(values) == 2 else [], per_user=plain.per_user
            )
        if coded := self._coded(place, values):
            return coded
        if place.prop.type is PropertyType.LIST:
            return PropertyConstraint(values=values, rows=min(3, len(values)))
        last = own_name(place.name)
        if depends := self._by_country(place, last, values):
            return depends
        if system := self._system(place, last, values):
            return system
        values = self._outcome_values(place, values)
        return PropertyConstraint(values=values, per_user=_of_person(place, last))

    def _system(self, place: Place, last: str, values: list[Scalar]) -> PropertyConstraint | None:
        """The operating system, as the record itself tells it."""
        if last not in _SYSTEM_NAMES or place.prop.type is not PropertyType.STRING:
            return None
        ours = [name.partition(":")[0] for name in re.split(r"[| ]", _SYSTEMS[self.product.platform])]
        theirs = {str(value).lower(): value for value in values}
        if not values or set(ours) <= set(map(str, values)):
            return PropertyConstraint(copy_of="#os") if self.product.platform in ("mobile", "web") else None
        if not {name.lower() for name in ours} <= theirs.keys():
            return None
        mapping = {name: [theirs[name.lower()]] for name in ours}
        return PropertyConstraint(depends_on="#os", mapping=mapping, values=values, per_user=True)

    def _outcome_values(self, place: Place, values: list[Scalar]) -> list[Scalar]:
        """Of results, those that an event with an outcome can have."""
        reading = self.order.readings.get(place.event)
        if reading is None or not (reading.succeeds or reading.fails):
            return values
        wanted, other = (_GOOD_WORDS, FAILURES) if reading.succeeds else (FAILURES, _GOOD_WORDS)
        told = {value: frozenset(concepts(str(value))) for value in values}
        if not any(words & wanted for words in told.values()) or not any(words & other for words in told.values()):
            return values
        return [value for value in values if told[value] & wanted]

    def _coded(self, place: Place, values: list[Scalar]) -> PropertyConstraint | None:
        """`single draw=1, ten draws=10` beside a property whose values are `single draw`, `ten draws`."""
        pairs = dict(
            (label.strip(), code)
            for label, code in re.findall(r"([^,，、=:：/\n]+?)\s*[=:：]\s*(\w+)", place.prop.description)
            if any(str(value) == code for value in values)
        )
        if len(pairs) < 2 or not place.of_event:
            return None
        by_code = {str(value): value for value in values}
        for other in self.taxonomy.event(place.event).properties:
            rule = rule_of(other)
            if isinstance(rule, OneOf) and set(map(str, rule.values)) == set(pairs):
                mapping = {label: [by_code[code]] for label, code in pairs.items()}
                return PropertyConstraint(depends_on=other.name, mapping=mapping, values=values)
        return None

    def _counter(self, place: Place, rule: Counter, *, own: bool) -> CounterRule:
        shares = any(isinstance(self.rules[o], SharedCounter) for o in self._defined.get(place.name, []))
        shared = place.name if shares or not own else None
        has = {other.name for other in self.everywhere if other.event == place.event}
        group = rule.group_by if own and rule.group_by in has - {place.name} else None
        return CounterRule(start=rule.start, step=rule.step if own else 0, max=rule.max, shared=shared, group_by=group)

    def _shared(self, place: Place, step: float) -> CounterRule:
        starter = next((r for o in self._defined[place.name] if isinstance(r := self.rules[o], Counter)), None)
        return CounterRule(
            start=starter.start if starter else 0, step=step, max=starter.max if starter else None, shared=place.name
        )

    def _balance(self, place: Place, rule: Balance) -> CounterRule | None:
        """A balance, if the event has what moves it."""
        if not place.of_event:
            return None
        has = {other.name: self.rules[other] for other in self.everywhere if other.event == place.event}
        if (
            rule.source not in has
            or isinstance(has[rule.source], Balance)
            or place.name in (rule.source, rule.group_by)
        ):
            return None
        parent = place.parent
        if parent and rule.source.rpartition(".")[0] != parent:
            return None  # what moves a balance within an object stands there too
        grouped = rule.group_by in has and (not parent or str(rule.group_by).rpartition(".")[0] == parent)
        reading = self.order.readings[place.event]
        spends = place.kind is Kind.SPEND or reading.says("spend", "use", "sell") or "cost" in rule.source.lower()
        return CounterRule(
            start=rule.start,
            source=rule.source,
            sign=-1 if spends and place.kind is not Kind.EARN else 1,
            shared=place.name,
            group_by=rule.group_by if grouped else None,
        )

    # ----------------------------------------------------------------- by the name

    def _boolean(self, place: Place) -> PropertyConstraint:
        if _tells_first(place.prop):
            return PropertyConstraint(first_only=place.event != "user", per_user=place.event == "user")
        words = {*concepts(place.prop.name), *concepts(place.prop.alias)}
        share = 0.3
        if words & _GOOD_WORDS:
            share = 0.7
        elif words & {"bot", "ai", "test", "crash", "block"}:
            share = 0.1
        elif words & {"push", "notification", "permission", "auto", "wifi", "online"}:
            share = 0.6
        return PropertyConstraint(
            values=[True, False],
            weights=[share, round(1 - share, 2)],
            per_user=not place.of_event and not (place.event == "" and set(pieces_of(place.name)) & _OF_THE_MOMENT),
        )

    def _number(self, place: Place) -> PropertyConstraint:
        if rest := self._rest(place):
            return PropertyConstraint(counter=rest)
        if degrees := self._degrees(place):
            return degrees
        said = {piece for part in place.name.split(".") for piece in pieces_of(part)}
        own_id = measure_words(place.prop)[-1:] == ["id"] and said & OWNED
        of_user = any(other.name == place.name and not other.of_event for other in self.everywhere)
        born = of_user and "birth" in measure_words(place.prop)
        return PropertyConstraint(per_user=True) if own_id or born else _NOTHING

    def _degrees(self, place: Place) -> PropertyConstraint | None:
        """Latitude and longitude in the user's city, or in the largest one of the country."""
        which = {"latitude", "longitude"} & set(measure_words(place.prop))
        if "." in place.name or len(which) != 1 or self.rules[place] is not None or not place.of_event:
            return None
        latitude = which == {"latitude"}
        of_country = {code: of[0] for code in locales.countries() if (of := cities_of(code))}
        for city in dict.fromkeys(p.name for p in self.everywhere if own_name(p.name) in ("city", "home_city")):
            on = [p for p in self.everywhere if p.name == city and p.event in ("", place.event)]
            told = self.constraint(on[0]) if on else _NOTHING
            where = {
                str(v): city_named(str(v)) for v in (*told.values, *(v for of in told.mapping.values() for v in of))
            }
            mapping = {name: degrees_in(found, latitude=latitude) for name, found in where.items() if found}
            if mapping and len(mapping) == len(where):
                return PropertyConstraint(depends_on=city, mapping=mapping)
        mapping = {code: degrees_in(found, latitude=latitude) for code, found in of_country.items()}
        return PropertyConstraint(depends_on="#country_code", mapping=mapping)

    def _rest(self, place: Place) -> CounterRule | None:
        """What is left of a thing after some of it was added or taken: `bag.after_num` beside `bag.change_num`."""
        pieces = set(pieces_of(place.name))
        if not place.parent or not place.of_event or not pieces & {"after", "remain", "remaining", "left", "balance"}:
            return None
        if self.rules[place] is not None:
            return None
        beside = [p for p in self.everywhere if (p.event, p.parent) == (place.event, place.parent)]
        moved = [
            p.name
            for p in beside
            if p.prop.type is PropertyType.NUMBER and set(pieces_of(p.name)) & {"change", "delta", "amount"}
        ]
        thing = next((p.name for p in beside if pieces_of(p.name)[-1:] == ["id"]), None)
        if not moved or place.name in moved or any(pieces_of(p.name)[:1] == ["before"] for p in beside):
            return None
        start = 10 * round(measure(place, self.product).typical / 100)
        return self._balance(place, Balance(start=start, source=moved[0], group_by=thing))

    def _list(self, place: Place) -> PropertyConstraint:
        base = re.sub(r"_?(list|ids|array)$", "", own_name(place.name)).rstrip("s") or "item"
        if names.pattern_of(place.name, PropertyType.LIST) is not None:
            return PropertyConstraint(rows=3, faker=names.pattern_of(place.name, PropertyType.LIST))
        return PropertyConstraint(rows=3, template=self._template(place, base, ValueRange(min=1, max=30, mean=10)))

    def _text(self, place: Place) -> PropertyConstraint:
        last = own_name(place.name)
        if found := self._by_country(place, last, []):
            return found
        if found := self._identifier(place, last):
            return found
        if found := self._outcome(place, last):
            return found
        person = _of_person(place, last)
        if "carrier" in last and _ships(place):
            return PropertyConstraint(values=["DHL", "UPS", "FedEx", "CJ Logistics"])
        if choices := self._usual_choices(place, last):
            values, weights = _weighted(choices)
            return PropertyConstraint(values=values, weights=weights, per_user=person)
        pattern = names.pattern_of(last, PropertyType.STRING)
        if re.fullmatch(r"\w*(?:ed|en|sent|made|held|paid)_by|(?:assigned|given|handed|sold)_to", last):
            pattern = "name"
        if last in ("country", "country_code", "nation"):
            return PropertyConstraint(per_user=True)
        if pattern in names.INVENTED and pattern not in _OF_FAKER:
            told = invented(pattern, self.catalogues.locale, 20)
            return PropertyConstraint(values=told, weights=falling(len(told)), per_user=person)
        if pattern is not None:
            return PropertyConstraint(faker=pattern, per_user=person or pattern == "build")
        pieces = pieces_of(last)
        if pieces and (pieces[-1] in _ENUMERATED or pieces[-1] in _NAMED):
            few = 5 if pieces[-1] in _ENUMERATED else 20
            return PropertyConstraint(
                template=self._template(place, last, ValueRange(min=1, max=few, mean=1 + few / 3)), per_user=person
            )
        return PropertyConstraint(per_user=person) if person else _NOTHING

    def _template(self, place: Place, base: str, wanted: ValueRange) -> str:
        """A text with a number, whose range is noted."""
        self.number_ranges.setdefault(place.name, wanted)
        return f"{base.lstrip('#')}_{{n}}"

    def _is_added(self, place: Place) -> bool:
        """Whether an event adds what an id names, so that a device is one of several and not the user's phone."""
        carriers = [r for r in self.order.readings.values() if place.prop.name in r.properties]
        adds = [r for r in carriers if r.action in ("add", "connect", "register") and not r.fails]
        return place.of_event and len(carriers) > 2 and any(r.succeeds or r.place is None for r in adds)

    def _identifier(self, place: Place, last: str) -> PropertyConstraint | None:
        pieces = pieces_of(last)
        if last in _DEVICE_IDS and not self._is_added(place):
            return PropertyConstraint(copy_of="#distinct_id")
        if _SELF_IDS.fullmatch(last) and "." not in place.name and last not in ("id", "no", "_id"):
            return PropertyConstraint(copy_of="#account_id")
        ends = pieces and (pieces[-1] in ("id", "uuid", "guid", "uid", "no", "number", "key", "code", "token", "sku"))
        if not ends or names.pattern_of(last, PropertyType.STRING) in word_set(
            "phone zip_code country_code coupon_code"
        ):
            return None
        base = "_".join(piece for piece in pieces if piece not in _NO_PART_OF_A_NAME) or "id"
        whose = set(pieces) if base != "id" else {*pieces, *re.split(r"[._]", place.name.lower())}
        if whose & (_OTHERS | _PERSONS | ({"rank"} if base == "id" else set())):
            role = next((word for word in reversed(pieces) if word in _AT_WORK), None)
            who = role or ("player" if self.order.is_game or whose & {"player"} else "user")
            return PropertyConstraint(template=self._template(place, who, ValueRange(min=1, max=5000, mean=2000)))
        if set(pieces) & UNIQUE:
            return PropertyConstraint(template=self._template(place, base, _ANY_NUMBER))
        if set(pieces) & OWNED:
            return PropertyConstraint(
                template=self._template(place, base, ValueRange(min=1, max=60, mean=25)), per_user=True
            )
        many = 200 if set(pieces) & {"product", "content", "article", "video", "song", "track", "course", "sku"} else 50
        return PropertyConstraint(template=self._template(place, base, ValueRange(min=1, max=many, mean=many * 0.36)))

    def _outcome(self, place: Place, last: str) -> PropertyConstraint | None:
        """Results and reasons."""
        pieces = pieces_of(last)
        reading = self.order.readings.get(place.event)
        if reading is None or not pieces:
            return None
        if pieces[-1] in ("result", "outcome") or last in ("status", "return"):
            good, bad = _outcome_words(reading)
            if reading.succeeds or reading.fails:
                return PropertyConstraint(values=[good if reading.succeeds else bad])
            return PropertyConstraint(values=[good, bad], weights=[0.7, 0.3]) if last != "status" else None
        choices = _REASONS.get(place.kind) if place.kind is not Kind.SUBSCRIBE or reading.fails else None
        if (place.kind is Kind.BAD and not self.order.is_game) or reading.says("book"):
            choices = None
        if pieces[-1] != "reason":
            return None
        if choices and self.catalogues.locale == "en_US":
            values, weights = _weighted(choices)
            return PropertyConstraint(values=values, weights=weights)
        said = {*reading.words, *concepts(" ".join(pieces[:-1]))}
        why = next((what for what, words in _WHY.items() if said & words), "other")
        return PropertyConstraint(values=list(_REASONS_WHY[why][self.catalogues.locale].split("|")))

    def _usual_choices(self, place: Place, last: str) -> str | None:
        if last in ("platform", "os", "os_name", "device_os"):
            return _SYSTEMS[self.product.platform]
        if last in ("channel", "install_channel", "store", "app_store"):
            return _CHANNELS[self.product.platform]
        if last in ("plan", "plan_name") and industry_of(self.product) == "media":
            return "free:64 standard:24 premium:12"
        if last == "device_type" and place.of_event and self.order.readings[place.event].says("connect", "sync"):
            return "smartwatch:60 fitness_band:28 smart_scale:12"
        if last == "method" and place.kind not in (Kind.REGISTER, Kind.SESSION_START):
            return _CHOICES["payment_method"] if place.kind in (Kind.PAY, Kind.CHECKOUT, Kind.PAY_FAIL) else None
        if last in ("class", "role", "quality") and industry_of(self.product) in ("education",):
            return None
        return _CHOICES.get(last)

    # ----------------------------------------------------------------- by country

    def _by_country(self, place: Place, last: str, given: list[Scalar]) -> PropertyConstraint | None:
        """Carrier, currency, language and city go with the country."""
        pieces = pieces_of(last)
        what = next((w for w in ("carrier", "currency", "language", "city") if w in (last, *pieces[-1:])), None)
        if last in ("telecom", "mobile_carrier", "network_operator", "#carrier"):
            what = "carrier"
        if last in ("currency_type", "currency_code", "pay_currency"):
            what = "currency"
        if what is None or "." in place.name or (what == "carrier" and _ships(place)):
            return None
        if what in ("currency", "city") and len(given) > 1:
            return self._mapped(what, place, given)
        if what in ("currency", "language", "city") and (not self._countries or given):
            if what == "currency" and not given and place.prop.type is PropertyType.STRING:
                values, weights = _weighted("USD:34 KRW:30 JPY:22 EUR:14")
                return PropertyConstraint(values=values, weights=weights, per_user=True)
            return None
        if what == "currency" and self.order.is_game and set(pieces) & {"soft", "item"}:
            return None
        return self._mapped(what, place, given)

    def _country_beside(self, place: Place) -> Place | None:
        """The country that stands wherever a property does."""
        events = {other.event for other in self.everywhere if other.name == place.name}
        for on in self._countries:
            told = {other.event for other in self._countries if other.name == on.name}
            if "user" in told or (events <= {"", *self.order.readings} and ("" in told or events <= told)):
                return on
        return None

    def _mapped(self, what: str, place: Place, given: Sequence[Scalar]) -> PropertyConstraint | None:
        on = self._country_beside(place)
        by_code = {code: _of_country(what, code) for code in locales.countries()}
        if given:  # of each country those that the sheet lists
            if what == "city":
                where = {v: found.country for v in given if (found := city_named(str(v)))}
                by_code = {code: [v for v in given if where.get(v) == code] for code in by_code}
            else:
                by_code = {code: [v for v in given if _is_among(v, known)] for code, known in by_code.items()}
            known_of = len({v for values in by_code.values() for v in values})
            if (on is None and what == "carrier") or known_of < len(given) / 2:
                return None
        by_code = {code: values for code, values in by_code.items() if values}
        if on is None:
            return PropertyConstraint(depends_on="#country_code", mapping=by_code, per_user=True)
        several = [self.constraint(other).values for other in self._countries if other.name == on.name]
        listed = [str(value) for values in several for value in values]
        if not listed:
            return PropertyConstraint(depends_on=on.name, mapping=by_code, per_user=True)
        rest = [v for v in given if not any(v in by_code.get(_code(value), ()) for value in listed)] or list(given)
        mapping = {value: by_code.get(_code(value)) or rest or by_code["US"] for value in listed}
        return PropertyConstraint(depends_on=on.name, mapping=mapping, per_user=True)


def _of_country(what: str, code: str) -> list[Scalar]:
    country = locales.countries()[code]
    match what:
        case "carrier":
            return [name for name, _ in country.carriers]
        case "currency":
            return [country.currency]
        case "language":
            return [country.language]
        case _:
            return [city.name for city in cities_of(code)[:4]]


def _is_among(value: Scalar, known: Sequence[Scalar]) -> bool:
    """Whether a name is one of some, with or without a word more: `docomo` is `NTT DOCOMO`."""
    words = set(str(value).lower().split())
    return any(words <= (of := set(str(name).lower().split())) or of <= words for name in known)


def _code(country: str) -> str:
    """ISO code of a country as people write it."""
    text = country.strip().lower()
    for code, known in locales.countries().items():
        if text in (code.lower(), known.name.lower(), *_COUNTRY_NAMES.get(code, "").split()):
            return code
    return ""


def _ships(place: Place) -> bool:
    """Whether a carrier is one of parcels."""
    return place.kind is Kind.AFTER_SALE


def _of_person(place: Place, last: str) -> bool:
    """Whether a text is the same for a user all life long."""
    keep = {"gender", "sex", "nickname", "nick_name", "channel", "os", "platform", "country", "birth", "email", "phone"}
    keep |= {"language", "user_name", "account_name", "character_name", "player_name", "server_name", "guild_name"}
    keep |= {"media_source", "acquisition_channel", "class", "class_type", "character_class", "device_model", "region"}
    keep |= {"name", "city", "company"} if not place.of_event else set()
    if last.endswith(("source", "channel", "campaign")) and {"install", "acquisition", "attribution"} & set(
        pieces_of(last)
    ):
        return True
    home = last.startswith("home_") and last.removeprefix("home_") in keep
    return (last in keep or home) and place.kind is not Kind.SYSTEM


def _tells_first(prop: Property) -> bool:
    """Whether a flag tells that something happens for the first time; `first` in a name, 최초 or 첫 in an alias."""
    return "first" in pieces_of(prop.name) or bool(re.search(r"최초|첫|初回|first", prop.alias.lower()))


def _weighted(choices: str) -> tuple[list[Scalar], list[float]]:
    parts = choices.split("|") if "|" in choices else choices.split()
    values = [part.partition(":")[0] for part in parts]
    weights = [float(part.partition(":")[2] or 1) for part in parts]
    return list(values), weights if len(set(weights)) > 1 else []


def _outcome_words(reading: Reading) -> tuple[str, str]:
    fights = reading.says("battle", "game_match", "pvp", "raid", "war", "boss", "tournament")
    return ("win", "lose") if fights else ("success", "fail")


def _example_rows(prop: Property) -> int | None:
    """Objects in the sample that the sheet gives."""
    count = prop.description.count("{")
    return min(count, 5) if count else None


# --------------------------------------------------------------------------- within a sequence

_OWN_TO_EACH_STEP = ("duration", "result", "outcome", "reason", "status", "elapsed", "playtime", "clear_time", "step")


def _repeat_in_sequences(
    found: dict[str, PropertyConstraint], order: EventOrder, sequences: Sequence[EventSequence]
) -> None:
    """A later step has what an earlier one on the way to it had: the order's id, its amount, who fights."""
    for sequence in sequences:
        before: dict[str, dict[str, tuple[Property, ValueRule | None]]] = {}
        chosen: set[str] = set()
        for step in sequence.steps:
            told = {name: said for event in reversed(step.follows or [*before]) for name, said in before[event].items()}
            before = {}
            for name in step.events:
                own = order.taxonomy.event(name).properties
                for prop in own:
                    earlier = told.get(prop.name)
                    fixed = prop.type is not PropertyType.TIME or prop.name in chosen
                    if earlier and fixed and _repeats(prop, earlier, found, name):
                        key = f"{name}/{prop.name}"
                        base = found.get(key, found.get(prop.name, _NOTHING))
                        found[key] = base.model_copy(update={"same_as_before": True})
                before[name] = {prop.name: (prop, rule_of(prop)) for prop in own} | told
            for name in step.events:
                if order.readings[name].phase == "choose":
                    chosen |= {
                        prop.name for prop in order.taxonomy.event(name).properties
                    }  # the time of an appointment


def _repeats(
    prop: Property,
    earlier: tuple[Property, ValueRule | None],
    found: dict[str, PropertyConstraint],
    event: str,
) -> bool:
    constraint = found.get(f"{event}/{prop.name}", found.get(prop.name, _NOTHING))
    if constraint.copy_of or constraint.first_only or constraint.counter:
        return False
    if any(word in prop.name.lower() for word in _OWN_TO_EACH_STEP) or prop.type is not earlier[0].type:
        return False
    if any(f"{prop.name}.{child.name}" in found and _counts(found, event, prop, child) for child in prop.properties):
        return False
    rule = rule_of(prop)
    return rule is None or rule == earlier[1]


def _counts(found: dict[str, PropertyConstraint], event: str, group: Property, child: Property) -> bool:
    name = f"{group.name}.{child.name}"
    return (found.get(f"{event}/{name}") or found[name]).counter is not None
