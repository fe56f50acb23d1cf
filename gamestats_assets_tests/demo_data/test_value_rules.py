"""What the small rules of a description cell mean, and which texts are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Balance,
    Between,
    CopyOf,
    Counter,
    Example,
    FromEvent,
    OneOf,
    Rows,
    SharedCounter,
    TrueFirst,
    ValueRuleError,
    parse_value_rule,
)
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets_tests.demo_data.written_rules import decimals, each, one_of, some_of, told, whole

NUMBER, STRING, BOOLEAN, TIME = PropertyType.NUMBER, PropertyType.STRING, PropertyType.BOOLEAN, PropertyType.TIME
LIST, OBJECT, GROUP = PropertyType.LIST, PropertyType.OBJECT, PropertyType.OBJECT_GROUP


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[60,7200]", decimals(60, 7200)),
        ("[ 0.01 , 0.37 ]", decimals(0.01, 0.37)),
        ("[-5,5]", decimals(-5, 5)),
        ("［1，2］", decimals(1, 2)),
        ("[29,43]=value", decimals(29, 43)),
        ("{1,4}", whole(1, 4)),
        ("{1，4}", whole(1, 4)),
        ("{5,5}", whole(5, 5)),
        ("[1;15]", decimals(1, 15)),
        ("[30~240]", decimals(30, 240)),
        ("{1..20}", whole(1, 20)),
        ("[-5--1]", decimals(-5, -1)),
        ("{150,350}=value", whole(150, 350)),
        ("1-150", whole(1, 150)),
        ("1 ~ 150", whole(1, 150)),
        ("1–150", whole(1, 150)),
        ("0..9", whole(0, 9)),
        ("0.5-2", decimals(0.5, 2)),
        ("-10--5", whole(-10, -5)),
    ],
)
def test_two_bounds_are_a_range_of_a_number(text: str, rule: Between) -> None:
    assert parse_value_rule(text, NUMBER) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("1|+1", Counter(start=1, step=1)),
        ("0|+1|10", Counter(start=0, step=1, max=10)),
        ("1|+1 group by hero_id|240", Counter(start=1, step=1, max=240, group_by="hero_id")),
        (" 0 | +2.5 | 10 ", Counter(start=0, step=2.5, max=10)),
        ("1|+0", Counter(start=1, step=0)),
        ("10|-1|0", Counter(start=10, step=-1, max=0)),
        ("++1", SharedCounter(step=1)),
        ("+0", SharedCounter(step=0)),
        ("+3", SharedCounter(step=3)),
        ("100|+price", Balance(start=100, source="price")),
        (
            "5000|+info.num group by info.item_id",
            Balance(start=5000, source="info.num", group_by="info.item_id"),
        ),
    ],
)
def test_counts_and_balances(text: str, rule: object) -> None:
    assert parse_value_rule(text, NUMBER) == rule


@pytest.mark.parametrize(
    ("text", "type_", "rule"),
    [
        ("level_up|after_level|last", NUMBER, told("level_up", "after_level", "last")),
        ("login | #time | DayCnt", NUMBER, told("login", "#time", "daycnt")),
        ("register|#time|first", TIME, told("register", "#time", "first")),
        ("buy|item.name|last", STRING, told("buy", "item.name", "last")),
        ("get|2>>info.after_num|equal", NUMBER, told("get", "info.after_num", "equal", "2")),
        ("get|gold coin >> info.after_num|sum", NUMBER, told("get", "info.after_num", "sum", "gold coin")),
    ],
)
def test_what_an_event_tells(text: str, type_: PropertyType, rule: FromEvent) -> None:
    assert parse_value_rule(text, type_) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("=account_id", CopyOf(source="#account_id")),
        (" =account_id my", CopyOf(source="#account_id")),
        (" =#distinct_id", CopyOf(source="#distinct_id")),
        ("＝#account_id", CopyOf(source="#account_id")),
    ],
)
def test_an_id_is_copied(text: str, rule: CopyOf) -> None:
    assert parse_value_rule(text, STRING) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("=true_first", TrueFirst()),
        ("= True_First", TrueFirst()),
        ("Y/N", one_of(True, False)),
        ("false, true", one_of(False, True)),
        ("예/아니오", one_of(True, False)),
        ("0/1", one_of(False, True)),
        ("true", one_of(True)),
    ],
)
def test_true_and_false(text: str, rule: object) -> None:
    assert parse_value_rule(text, BOOLEAN) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("6,15,38", one_of(6, 15, 38)),
        ("0.5 / 1", one_of(0.5, 1)),
        ("7", one_of(7)),
        ("-1, 0, 1", one_of(-1, 0, 1)),
        ("10, 50 등", some_of(10, 50)),
        ("단일 뽑기=1, 열 번 연속 뽑기=10", one_of(1, 10)),
        ("1: 승리, 2: 패배", one_of(1, 2)),
        ("free=0, paid=1", one_of(0, 1)),
    ],
)
def test_numbers_to_choose_from(text: str, rule: OneOf) -> None:
    assert parse_value_rule(text, NUMBER) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("KR,JP,US", one_of("KR", "JP", "US")),
        ("일상, 주간, 메인", one_of("일상", "주간", "메인")),
        ("11d62434d，11d23e53f", one_of("11d62434d", "11d23e53f")),
        ("검、창", one_of("검", "창")),
        ("카카오페이/네이버페이", one_of("카카오페이", "네이버페이")),
        ("단일 뽑기/열 번 연속 뽑기", one_of("단일 뽑기", "열 번 연속 뽑기")),
        ("TCP/IP, UDP", one_of("TCP/IP", "UDP")),
        ("배너(하단, 상단), 팝업", one_of("배너(하단, 상단)", "팝업")),
        ("win,\nlose", one_of("win", "lose")),
        ("a,,b,a,", one_of("a", "b")),
        ("red, green, or blue", one_of("red", "green", "blue")),
        ("KR, JP, US.", one_of("KR", "JP", "US")),
        ("Today, Last 7 days, This quarter", one_of("Today", "Last 7 days", "This quarter")),
        ("Wrong size, Not as described", one_of("Wrong size", "Not as described")),
        ("가을 이벤트, 마을 축제", one_of("가을 이벤트", "마을 축제")),
        ("1등, 2등", one_of("1등", "2등")),
        ("승리, 패배 등", some_of("승리", "패배")),
        ("카드, 현금, 등", some_of("카드", "현금")),
        ("card, cash, etc.", some_of("card", "cash")),
        ("card, cash, ...", some_of("card", "cash")),
        ("초보자 이벤트 등", some_of("초보자 이벤트")),
        ("채팅 금지, 정상 등, 실제 상황에 따라 기록", some_of("채팅 금지", "정상")),
        ("A=일반, B=VIP", one_of("A", "B")),
        ("승리=1, 패배=2", one_of("1", "2")),
        ("US", one_of("US")),
        ("rewarded_video", one_of("rewarded_video")),
        ("v1.2.3", one_of("v1.2.3")),
        ("Y/N", one_of("Y", "N")),
    ],
)
def test_texts_to_choose_from(text: str, rule: OneOf) -> None:
    assert parse_value_rule(text, STRING) == rule


@pytest.mark.parametrize(
    ("text", "type_", "rule"),
    [
        ("USD: 0.99, 4.99; KRW: 1200, 5900", NUMBER, each(USD=(0.99, 4.99), KRW=(1200, 5900))),
        ("USD = 1 / 5 ; KRW = 1200", NUMBER, each(USD=(1, 5), KRW=(1200,))),
        ("buy: 1, 2\nsell: 3\n", NUMBER, each(buy=(1, 2), sell=(3,))),
        ("iOS: apple; Android: google, one", STRING, each(iOS=("apple",), Android=("google", "one"))),
        ("iOS：apple；Android：google、one", STRING, each(iOS=("apple",), Android=("google", "one"))),
        ("검: 강철, 청동; 활: 나무", STRING, each(검=("강철", "청동"), 활=("나무",))),
        ("win: 1; lose: 2", NUMBER, None),
        ("USD: 0.99, 4.99", NUMBER, None),
        ("USD: 0.99, few; KRW: 1200, 5900", NUMBER, None),
        ("USD: 0.99, 1.99; and more", NUMBER, None),
        ("Sent on: start, stop; else: when it is closed, after that", STRING, None),
        ("a: 1, 2; b: 3", BOOLEAN, None),
    ],
)
def test_values_by_labels(text: str, type_: PropertyType, rule: object) -> None:
    assert parse_value_rule(text, type_) == rule


def test_a_list_has_texts_to_choose_from_but_no_single_word() -> None:
    assert parse_value_rule("칼, 도끼", LIST) == one_of("칼", "도끼")
    assert parse_value_rule("sword", LIST) is None


@pytest.mark.parametrize("type_", [LIST, GROUP])
def test_a_number_in_the_cell_of_a_list_says_how_many(type_: PropertyType) -> None:
    assert parse_value_rule("10", type_) == Rows(count=10)
    assert parse_value_rule("500", type_) == Rows(count=500)


@pytest.mark.parametrize(
    ("text", "type_", "rule"),
    [
        ("예: Tiki BOOM", STRING, Example(text="Tiki BOOM")),
        ("예) 홍길동", STRING, Example(text="홍길동")),
        ("e.g. Tiki", STRING, Example(text="Tiki")),
        ("Example: Seoul, Korea", STRING, Example(text="Seoul, Korea")),
        ("예: 100", NUMBER, Example(text="100")),
        ("예: 1, 2 등", NUMBER, Example(text="1, 2 등")),
        ("예: 2026-01-01", TIME, Example(text="2026-01-01")),
        ("이름 (예: 홍길동)", STRING, Example(text="홍길동")),
        ('값 예시:\n"bag":\n[{"id":1},{"id":2}]', GROUP, Example(text='[{"id":1},{"id":2}]')),
        ('값 예시：\n"bag"：\n[\n{id":1}\n]', GROUP, Example(text='[\n{id":1}\n]')),
        ('{"id": 1}', OBJECT, Example(text='{"id": 1}')),
        ('"bag": [{"id": 1}]', GROUP, Example(text='[{"id": 1}]')),
        ('["칼","도끼"]', LIST, Example(text='["칼","도끼"]')),
        ("[1,2]", LIST, Example(text="[1,2]")),
        ("예: 카드, 현금 등", STRING, some_of("카드", "현금")),
        ("통화는 표준(예: CNY, USD, EUR 등)을 준수해야 합니다.", STRING, some_of("CNY", "USD", "EUR")),
        ("Item bought (e.g. sword, shield)", STRING, some_of("sword", "shield")),
    ],
)
def test_examples(text: str, type_: PropertyType, rule: object) -> None:
    assert parse_value_rule(text, type_) == rule


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("", STRING),
        (" \n", NUMBER),
        ("예: ", STRING),
        ("전투 후 상대 랭킹", NUMBER),
        ("이벤트 발생 시 플레이어의 레벨", NUMBER),
        ("뽑기로 획득한 카드 리스트", LIST),
        ("등록 시 기록", STRING),
        ("로그인/로그아웃 시 설정", STRING),
        ("성공/실패 여부", STRING),
        ("유저가 아이템을 구매, 판매할 때 전송", STRING),
        ("길드 이름, 없으면 빈 값", STRING),
        ("레벨, 골드 등의 정보", STRING),
        ("이유: 상점 구매, 강화", STRING),
        ("국가", STRING),
        ("Name of the player, in English", STRING),
        ("Duration, in seconds", STRING),
        ("Country code, ISO 3166", STRING),
        ("Nickname, optional", STRING),
        ("Name, as shown to others", STRING),
        ("Sent at every start, also after a crash.", STRING),
        ("hello world", STRING),
        ("the text that a player has written into the chat, a line each", STRING),
        ("https://example.com/a/b", STRING),
        ("/home/shop", STRING),
        ("N/A", STRING),
        ("null", STRING),
        ("등급 (A, B, C)", STRING),
        ("[A, B]", STRING),
        ("[통화] 원", STRING),
        (">=0", NUMBER),
        (">=0", STRING),
        ("2-12", STRING),
        ("+82", STRING),
        ("= 10", NUMBER),
        ("{item_id}", NUMBER),
        ("[단위: 초, 분]", NUMBER),
        ("1,000", NUMBER),
        ("010-1234", NUMBER),
        ("2026-01-01", NUMBER),
        ("100%", NUMBER),
        ("승리, 패배", NUMBER),
        ("first purchase or not", BOOLEAN),
        ("아마도/아니오", BOOLEAN),
        ("A, B", GROUP),
        ("1.5", GROUP),
        ("a, b", TIME),
        ("2026-01-01", TIME),
    ],
)
def test_a_mere_text_is_no_rule(text: str, type_: PropertyType) -> None:
    assert parse_value_rule(text, type_) is None


@pytest.mark.parametrize(
    ("text", "type_", "message"),
    [
        ("[7200,60]", NUMBER, r"expected the smaller bound first, found '\[7200,60\]'; exchange the two"),
        ("150-1", NUMBER, "expected the smaller bound first"),
        ("{1,x}", NUMBER, r"expected a range such as \[0.5,10\], or \{1,4\} of whole numbers, found '\{1,x\}'"),
        ("[60,7200", NUMBER, "expected a range"),
        ("60,7200]", NUMBER, "expected a range"),
        ("[1,4}", NUMBER, "expected a range"),
        ("[5]", NUMBER, "expected a range"),
        ("[1,2,3]", NUMBER, "expected a range"),
        ("[60;]", NUMBER, "expected a range"),
        ("[1,2]=mean", NUMBER, "expected a range"),
        ("{0.5,2}", NUMBER, "expected whole numbers between { and }"),
        ("0|+|10", NUMBER, r"expected a count such as 1\|\+1"),
        ("1|2|3", NUMBER, "expected a count"),
        ("0|+1|ten", NUMBER, "expected a count"),
        ("0|+1|5|6", NUMBER, "expected a count"),
        ("x|+1", NUMBER, "expected a count"),
        ("5|-gold", NUMBER, "expected a count"),
        ("5|+gold by id", NUMBER, "expected a count"),
        ("1|+1|0", NUMBER, "expected a last value that the steps lead to"),
        ("++x", NUMBER, r"expected a step such as \+\+1"),
        ("level_up|level|max", NUMBER, "one of first, last, sum, cnt, daycnt, equal"),
        ("login|cnt", NUMBER, r"expected event\|property\|aggregate"),
        ("get|>>info.num|last", NUMBER, r"expected event\|property\|aggregate"),
        ("=true_once", BOOLEAN, "expected =true_first, =account_id or =distinct_id"),
        ("=true_first", STRING, "=true_first is for the type boolean"),
        ("=account_id", NUMBER, "an id is for the type string"),
        ("[1,10]", STRING, "a range is for the type number"),
        ("{1,3}", GROUP, "expected a rule for the type object group, .*a range is for the type number"),
        ("1|+1", BOOLEAN, "a count is for the type number"),
        ("++1", STRING, "a count is for the type number"),
        ("login|#time|cnt", TIME, "cnt is for the type number"),
        ("10", OBJECT, "how many there are is for the type list or object group"),
        ("0", GROUP, "expected a number from 1 to 500, found '0'"),
        ("501", LIST, "expected a number from 1 to 500, found '501'"),
    ],
)
def test_half_a_rule_is_refused(text: str, type_: PropertyType, message: str) -> None:
    with pytest.raises(ValueRuleError, match=message) as refused:
        parse_value_rule(text, type_)
    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, GamestatsError)


RULE_LIKE = st.text(st.sampled_from("[]{}|+-=,/~>.#:()'\" 0159xyab등예시값\n"), max_size=25)


@given(st.one_of(st.text(max_size=60), RULE_LIKE), st.sampled_from(PropertyType))
def test_any_text_is_a_rule_a_text_or_refused(text: str, type_: PropertyType) -> None:
    try:
        rule = parse_value_rule(text, type_)
    except ValueRuleError:
        return
    if isinstance(rule, OneOf):
        assert rule.values
        assert all(value != "" for value in rule.values)
    if isinstance(rule, Between):
        assert rule.min <= rule.max
    if rule is not None:
        assert parse_value_rule(f"  {text}\n", type_) == rule


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**9), st.sampled_from(["{%d,%d}", "{ %d，%d }=value", "%d~%d"]))
def test_every_range_of_whole_numbers_is_understood(low: int, width: int, form: str) -> None:
    assert parse_value_rule(form % (low, low + width), NUMBER) == whole(low, low + width)


WORDS = (
    "일상",
    "주간 퀘스트",
    "검",
    "가을 마을",
    "Tiktok Ads",
    "gold",
    "iOS",
    "미니 프로그램 푸시",
    "a-1_b",
    "기타",
    "3성",
    "LG U+",
)


@given(
    st.lists(st.sampled_from(WORDS), min_size=2, max_size=8, unique=True),
    st.sampled_from([",", ", ", "，", "、", " / "]),
    st.sampled_from(["", " 등", ", etc.", "..."]),
)
def test_values_between_separators_are_a_choice(words: list[str], separator: str, ending: str) -> None:
    rule = OneOf(values=tuple(words), open_ended=bool(ending))
    assert parse_value_rule(separator.join(words) + ending.replace(", ", separator), STRING) == rule


@pytest.mark.parametrize("text", ["iOS|Android", "standard|first|business", "M | F | X", "a|b|c|d"])
def test_single_words_between_bars_are_values_to_choose_from(text: str) -> None:
    assert parse_value_rule(text, STRING) == one_of(*(part.strip() for part in text.split("|")))


@pytest.mark.parametrize("text", ["level_up|after_level|lst", "level_up|after_level|frist"])
def test_a_slip_of_an_aggregate_is_no_value_to_choose_from(text: str) -> None:
    with pytest.raises(ValueRuleError, match=r"expected event\|property\|aggregate"):
        parse_value_rule(text, STRING)
