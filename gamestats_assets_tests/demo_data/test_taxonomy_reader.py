"""Taxonomies from workbooks and .csv files: what is read, and every mistake with its place."""

from __future__ import annotations

import csv
import random
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy, UpdateMode, flattened
from gamestats_assets.demo_data.taxonomies.reader import TaxonomyError, check_taxonomy, read_taxonomy
from gamestats_assets.demo_data.taxonomies.sheets import Mistake
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Balance,
    CopyOf,
    Counter,
    Example,
    Rows,
    SharedCounter,
    TrueFirst,
    ValueRule,
)
from gamestats_assets.lakehouse.files.unpacking import ReadLimits
from gamestats_assets_tests.demo_data.written_rules import decimals, each, one_of, some_of, told, whole

NUMBER, STRING, BOOLEAN, TIME = PropertyType.NUMBER, PropertyType.STRING, PropertyType.BOOLEAN, PropertyType.TIME
LIST, OBJECT, GROUP = PropertyType.LIST, PropertyType.OBJECT, PropertyType.OBJECT_GROUP

Cells = Sequence[Sequence[object]]

EVENTS = ("event_name", "event_tag", "description", "properties")
DEFINITIONS = ("name", "type", "description", "constraint", "scope", "update")
PLAN = (
    "이벤트 이름 (필수)",
    "이벤트 별칭",
    "이벤트 설명",
    "이벤트 태그",
    "속성 이름 (필수)",
    "속성 별칭",
    "속성 유형 (필수)",
    "속성 설명",
)
COMMON = ("속성 이름 (필수)", "속성 별칭", "속성 유형 (필수)", "속성 설명")
USERS = ("속성 이름(필수)", "속성 별칭", "속성 유형 (필수)", "업데이트 방식", "속성 설명")


def write_csv(path: Path, rows: Cells, encoding: str = "utf-8", delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def write_folder(path: Path, sheets: Mapping[str, Cells]) -> Path:
    for name, rows in sheets.items():
        write_csv(path / f"{name}.csv", rows)
    return path


def write_workbook(path: Path, sheets: Mapping[str, Cells]) -> Path:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row, cells in enumerate(rows, start=1):
            for column, value in enumerate(cells, start=1):
                if value not in ("", None):
                    cell = sheet.cell(row, column, value)  # pyright: ignore[reportArgumentType]
                    if isinstance(value, str):
                        cell.data_type = "s"  # `=true_first` is a text, no formula
    workbook.save(path)
    return path


def places(mistakes: Sequence[Mistake]) -> list[tuple[str, int, str, str]]:
    return [(mistake.sheet, mistake.row, mistake.column, mistake.letter) for mistake in mistakes]


def mistakes_of(path: Path) -> list[str]:
    """Every mistake, as a person reads it."""
    with pytest.raises(TaxonomyError) as refused:
        read_taxonomy(path)
    report = check_taxonomy(path)
    assert report.taxonomy is None
    assert list(report.mistakes) == refused.value.mistakes
    lines = [str(mistake) for mistake in report.mistakes]
    assert str(refused.value).splitlines()[1:] == [f"- {line}" for line in lines]
    return lines


def listing_plan(tmp_path: Path, *, events: Cells = (), definitions: Cells = ()) -> Path:
    return write_folder(tmp_path / "shop", {"events": [EVENTS, *events], "properties": [DEFINITIONS, *definitions]})


def tracking_plan(tmp_path: Path, *, events: Cells = (), common: Cells = (), users: Cells = ()) -> Path:
    sheets = {"events": [PLAN, *events], "common": [COMMON, *common], "people": [USERS, *users]}
    return write_workbook(tmp_path / "plan.xlsx", sheets)


LOGIN = ("login", "로그인", "로그인 시 전송", "계정")


# --------------------------------------------------------------------------- the two workbooks of real games


BALANCE = Balance(start=5000, source="resource_info.change_num", group_by="resource_info.item_id")
MEDIA = one_of(
    *(
        "Tiktok Ads",
        "applovin_int",
        "Facebook Ads",
        "ironsource_int",
        "chartboosts2s_int",
        "mintegral_int",
        "restricted",
    )
)
ITEMS = Example(text='[{"item_id":"1","item_num":100},{"item_id":"2","item_num":200}]')
ITEMS_IN_LINES = Example(text='[\n{"item_id":"1","item_num":100},{"item_id":"2","item_num":200}\n]')
RANKS = Example(text='[{"id":"1000125","rank":1,"score":12000},{"id":"1000236","rank":2,"score":11005}]')
HEROES = Example(
    text='[\n{"index":"1",hero_id":"1","hero_level":100,"hero_star":4,"hero_quality":"보라+2",'
    '"hero_equipment_list":["칼","도끼"],"hero_power":500},\n'
    '{"index":"2","hero_id":"2","hero_level":200,"hero_star":3,"hero_quality":"보라+1",'
    '"hero_equipment_list":["활"],"hero_power":400}\n]'
)
RESOURCES = Example(
    text='[\n{"item_id":"1001","item_type":"1","change_num":100,"after_num":"540"},\n'
    '{"item_id":"5","item_type":"2","change_num":10,"after_num":"70"}\n]'
)
CURRENCY = some_of("CNY", "USD", "EUR")
PAY = one_of("카카오페이", "네이버페이")

# What every cell of the description columns says, by its row; None is a mere text.
CASUAL_EVENTS: dict[int, ValueRule | None] = {
    4: decimals(60, 7200),
    7: TrueFirst(),
    8: Counter(start=1, step=1),
    9: Counter(start=0, step=1),
    11: Rows(count=10),
    12: Counter(start=0, step=1, max=10),
    13: whole(1, 4),
    14: Counter(start=0, step=1, max=10),
    15: one_of("일상", "주간", "메인", "서브", "패스", "이벤트"),
    16: whole(1, 5),
    18: one_of(6, 15, 38, 78, 158, 318, 648),
    19: one_of(True, False),
    20: one_of("USD", "CNY", "JPY", "KRW"),
    22: some_of("네이버페이", "카카오페이", "신용카드"),
    35: one_of("주문 취소", "주문 시간 초과", "결제 실패"),
    36: one_of("전투 실패", "상점 구매", "속성 강화"),
    37: Rows(count=3),
    38: whole(1, 10),
    39: whole(1, 500),
    40: BALANCE,
    41: one_of("유료", "광고 시청", "전투 성공", "작업 완료"),
    42: Rows(count=3),
    43: whole(1, 10),
    44: whole(1, 700),
    45: BALANCE,
    46: one_of("일상 상점", "이벤트 상점", "여행 상점"),
    47: one_of("스테이지 실패", "배너 추천", "광고 유도", "기타"),
    49: whole(3, 10),
    50: whole(1, 7),
    51: Counter(start=0, step=1, max=100),
    53: Counter(start=1, step=0),
    54: one_of("일반", "도전", "혜택"),
    55: SharedCounter(step=1),
    57: decimals(30, 450),
    58: SharedCounter(step=0),
    60: decimals(30, 450),
    61: one_of("실패", "중도 퇴장"),
    62: SharedCounter(step=0),
    63: one_of("일반", "도전", "혜택"),
    64: whole(1, 4),
    65: one_of("효과 뛰어남", "효과 좋음", "효과 보통", "효과 나쁨", "효과 없음"),
    66: whole(1, 10),
    67: SharedCounter(step=0),
    69: one_of("스크린샷", "링크", "미니 프로그램 푸시"),
    70: one_of("카카오톡", "라인", "트위터", "인스타그램"),
    76: one_of("배너", "팝업", "상점"),
    77: one_of("보상형 비디오", "팝업 광고", "스플래시 광고"),
    78: decimals(0.01, 0.37),
    87: one_of(
        "unknown",
        "6a71e93d-ed51-46f8-b634-9c4dde987cda",
        "bf633f06-f9a0-4e8d-9938-7cbefd1d938d",
        "c64ea03e-f2c6-4328-9305-120f94e56134",
        "bc8872f4-56ae-49a8-a58c-524e265bd264",
        "23f19d9b-52de-4c75-b7dc-6bf25e64e00b",
        "bb626f1e-f47b-43cf-bbe1-7a2cdb3f153e",
        "ee87e360-1c54-4187-8b40-8d94229c36da",
    ),
    88: one_of("admob", "tiktok"),
    89: decimals(0.01, 0.37),
    90: one_of("rewarded_video"),
    91: CopyOf(source="#account_id"),
    92: CopyOf(source="#distinct_id"),
    93: one_of("A", "B"),
    94: Example(text="Tiki BOOM"),
    95: one_of("11d62434d", "11d23e53f"),
    96: one_of("iOS", "android"),
    97: one_of("US"),
    98: one_of("Bidding", "High"),
    99: one_of("Home_Screen"),
    104: one_of("USD"),
    105: decimals(29, 43),
    106: whole(150, 350),
    107: decimals(0.23, 1),
    108: decimals(1.75, 2.33),
    109: decimals(1, 2),
    110: decimals(0.5, 1),
    111: decimals(0.5, 1.5),
    112: whole(15000, 20000),
    113: whole(38, 50),
    114: decimals(0.0007, 0.001),
    115: whole(14000, 15000),
    116: decimals(8, 15),
    117: whole(2, 5),
    118: MEDIA,
    121: decimals(300, 500),
}
CASUAL_COMMON: dict[int, ValueRule | None] = {
    2: decimals(0, 1),
    3: told("level_up", "after_level", "equal"),
    4: told("resource_get", "resource_info.after_num", "equal", "1"),
    5: told("resource_get", "resource_info.after_num", "equal", "2"),
}
CASUAL_USERS: dict[int, ValueRule | None] = {
    2: MEDIA,
    3: one_of(
        "씽킹데이터-안드로이드-Ad ROAS-0522",
        "씽킹데이터-iOS-CPI-0601",
        "씽킹데이터-T1-0529-purchase",
        "씽킹데이터_V1_Amazon_CPI_0621",
        "씽킹데이터_V2_iOS_20230608",
    ),
    4: one_of("씽킹데이터 KR 통합 배포", "씽킹데이터 US 통합 배포", "씽킹데이터 EU 통합 배포", "Default"),
    6: told("stage_clear", "stage", "last"),
    7: told("booklet_levelup", "after_level", "last"),
    8: told("register", "#time", "first"),
    9: told("login", "#time", "last"),
    10: told("payment", "#time", "first"),
    11: told("payment", "#time", "last"),
    12: told("payment", "pay_amount", "sum"),
    13: told("payment", "#time", "cnt"),
    14: told("advertisement_show", "#time", "cnt"),
    15: told("login", "#time", "daycnt"),
    16: told("ta_app_end", "level", "last"),
    17: told("ta_app_end", "tmp_coin", "last"),
    18: told("ta_app_end", "tmp_diamond", "last"),
}
CARD_EVENTS: dict[int, ValueRule | None] = {
    20: RANKS,
    24: None,
    28: CURRENCY,
    31: PAY,
    34: CURRENCY,
    37: PAY,
    38: one_of(True, False),
    41: CURRENCY,
    44: PAY,
    46: some_of("초보자 이벤트"),
    52: ITEMS,
    58: one_of("메인 스토리", "던전"),
    63: HEROES,
    73: ITEMS_IN_LINES,
    80: HEROES,
    95: HEROES,
    105: ITEMS,
    117: HEROES,
    126: ITEMS,
    130: HEROES,
    144: one_of(True, False),
    147: ITEMS_IN_LINES,
    150: HEROES,
    157: HEROES,
    165: some_of("승리", "패배"),
    166: None,
    167: None,
    168: None,
    169: None,
    190: one_of("단일 뽑기", "열 번 연속 뽑기"),
    191: one_of(1, 10),
    192: None,
    193: ITEMS,
    196: RESOURCES,
    202: RESOURCES,
    238: some_of("채팅 금지", "정상", "사기 단어 필터", "부적절 단어 필터", "정치 단어 필터"),
    246: ITEMS_IN_LINES,
    250: some_of("단일 사용 교환 코드", "다회 사용 교환 코드"),
    251: some_of("교환 성공", "이미 사용됨"),
    252: ITEMS_IN_LINES,
}
CARD_USERS: dict[int, ValueRule | None] = {
    2: some_of("앱 스토어", "구글 플레이 스토어"),
    **dict.fromkeys(range(3, 17)),
    22: None,
}
REAL = {
    "casual_game": (CASUAL_EVENTS, CASUAL_COMMON, CASUAL_USERS),
    "card_game": (CARD_EVENTS, {}, CARD_USERS),
}
REAL_SHEETS = ("#이벤트 데이터", "#공통 이벤트 속성", "#유저 데이터")


def real_cells(path: Path, sheet: str) -> list[tuple[int, dict[str, str]]]:
    """A sheet's rows by their headers, read with another library; the number of each row first."""
    rows = list(openpyxl.load_workbook(path)[sheet].iter_rows(values_only=True))
    headers = [str(header).replace("(필수)", "").strip() for header in rows[0]]
    texts = [["" if value is None else str(value) for value in row] for row in rows[1:]]
    return [(number, dict(zip(headers, row, strict=True))) for number, row in enumerate(texts, start=2)]


def real_properties(path: Path, sheet: str) -> list[tuple[int, str, str]]:
    """Row, dotted name with its event's before it, and type of each property."""
    found, event = [], ""
    for number, row in real_cells(path, sheet):
        event = row.get("이벤트 이름") or event
        if row["속성 이름"]:
            kind = {"array": "list", "array(object)": "object_group", "object group": "object_group"}
            type_ = row["속성 유형"].lower()
            found.append((number, f"{event}/{row['속성 이름']}", kind.get(type_, type_)))
    return found


def loaded_properties(taxonomy: Taxonomy, sheet: str) -> list[tuple[str, Property]]:
    if sheet == "#이벤트 데이터":
        events = [(event.name, flattened(event.properties)) for event in taxonomy.events]
    else:
        own = taxonomy.common_properties if sheet == "#공통 이벤트 속성" else taxonomy.user_properties
        events = [("", flattened(own))]
    return [(f"{event}/{name}", found) for event, properties in events for name, found in properties]


@pytest.mark.parametrize(
    ("name", "events", "properties", "common", "users"),
    [("casual_game", 36, 115, 4, 17), ("card_game", 53, 245, 11, 23)],
)
def test_a_real_workbook_loads_completely(
    realdata: Path, name: str, events: int, properties: int, common: int, users: int
) -> None:
    path = realdata / "taxonomies" / f"{name}.xlsx"
    report = check_taxonomy(path)
    taxonomy = read_taxonomy(path)
    assert report.mistakes == ()
    assert report.taxonomy == taxonomy
    assert taxonomy.name == name
    counts = [len(loaded_properties(taxonomy, sheet)) for sheet in REAL_SHEETS]
    assert (len(taxonomy.events), *counts) == (events, properties, common, users)
    rows = real_cells(path, "#이벤트 데이터")
    assert [(event.name, event.alias, event.description) for event in taxonomy.events] == [
        (row["이벤트 이름"], row["이벤트 별칭"], row["이벤트 설명"]) for _, row in rows if row["이벤트 이름"]
    ]
    for sheet in REAL_SHEETS:
        expected = [(key, type_) for _, key, type_ in real_properties(path, sheet)]
        assert [(key, found.type.value) for key, found in loaded_properties(taxonomy, sheet)] == expected


@pytest.mark.parametrize("name", REAL)
def test_every_description_of_a_real_workbook_is_understood(realdata: Path, name: str) -> None:
    path = realdata / "taxonomies" / f"{name}.xlsx"
    taxonomy = read_taxonomy(path)
    for sheet, expected in zip(REAL_SHEETS, REAL[name], strict=True):
        numbers = [number for number, _, _ in real_properties(path, sheet)]
        loaded = [found for _, found in loaded_properties(taxonomy, sheet)]
        described = {
            number: found.rule for number, found in zip(numbers, loaded, strict=True) if found.description.strip()
        }
        texts = {number: row["속성 설명"] for number, row in real_cells(path, sheet) if row["속성 설명"]}
        assert described == expected
        assert {
            number: found.description for number, found in zip(numbers, loaded, strict=True) if number in texts
        } == (texts)
        assert all(found.rule is None for found in loaded if not found.description)


def test_spots_of_the_casual_game(realdata: Path) -> None:
    taxonomy = read_taxonomy(realdata / "taxonomies" / "casual_game.xlsx")
    assert taxonomy.event_names()[:4] == ("ta_app_install", "ta_app_start", "ta_app_end", "new_device")
    assert taxonomy.event_names()[-1] == "cost"
    questionnaire = taxonomy.event("finish_questionnaire")
    assert questionnaire.properties == (
        Property(
            name="questionnaire_detail",
            type=GROUP,
            alias="문항 상세",
            description="10",
            rule=Rows(count=10),
            properties=(
                Property(
                    name="question_id",
                    type=NUMBER,
                    alias="문항 ID",
                    description="0|+1|10",
                    rule=Counter(start=0, step=1, max=10),
                ),
                Property(name="choice", type=NUMBER, alias="옵션", description="{1,4}", rule=whole(1, 4)),
            ),
        ),
    )
    updates = {found.name: found.update for found in taxonomy.user_properties}
    assert updates["register_time"] is UpdateMode.SET_ONCE
    assert updates["total_pay_amount"] is UpdateMode.ADD
    assert updates["progress"] is UpdateMode.SET
    assert taxonomy.common_properties[0] == Property(
        name="rate", type=NUMBER, alias="손실 확률", description="[0,1]", rule=decimals(0, 1)
    )


def test_spots_of_the_card_game(realdata: Path) -> None:
    report = check_taxonomy(realdata / "taxonomies" / "card_game.xlsx")
    assert report.taxonomy
    heroes = dict(flattened(report.taxonomy.event("battle_win").properties))["hero_info"]
    assert [(found.name, found.type) for found in heroes.properties] == [
        ("index", STRING),
        ("hero_id", STRING),
        ("hero_level", NUMBER),
        ("hero_star", NUMBER),
        ("hero_power", NUMBER),
        ("hero_equipment_list", LIST),
    ]
    bag = report.taxonomy.user_properties[-1]
    assert (bag.name, bag.type, bag.update, [found.name for found in bag.properties]) == (
        *("bag_info", GROUP, UpdateMode.SET),
        ["item_id", "item_num"],
    )
    # server_id is a number of current_online, and a text of rank and of every event.
    assert places(report.warnings) == [
        ("#이벤트 데이터", 19, "속성 유형 (필수)", "G"),
        ("#공통 이벤트 속성", 4, "속성 유형 (필수)", "C"),
    ]


# --------------------------------------------------------------------------- formats


def test_properties_are_defined_once_and_listed_by_events(tmp_path: Path) -> None:
    path = listing_plan(
        tmp_path,
        events=[
            ("app_start", "시스템", "앱 시작", ""),
            ("view_item", "상점", "상품 보기", "item_id, Price"),
            ("purchase", "상점", "구매", "price，items"),
            ("refund", "상점", "환불", "items.count"),
            ("gift", "상점", "선물", "items, items.name"),
        ],
        definitions=[
            ("country", "string", "국가", "KR,JP,US", "", ""),
            ("price", "number", "가격", "1-150", "", ""),
            ("item_id", "string", "US", "", "event", ""),
            ("items", "object group", "", "2", "", ""),
            ("items.name", "string", "이름", "", "", ""),
            ("items.count", "number", "", "{1,5}", "", ""),
            ("vip", "number", "등급", ">=0", "event + user", "user_set"),
            ("channel", "string", "", "", "common,user", "user_setOnce"),
            ("visits", "number", "방문", "", "user", "user_add"),
        ],
    )
    price = Property(name="price", type=NUMBER, description="가격", constraint="1-150", rule=whole(1, 150))
    item_id = Property(name="item_id", type=STRING, description="US")
    name = Property(name="name", type=STRING, description="이름")
    count = Property(name="count", type=NUMBER, constraint="{1,5}", rule=whole(1, 5))
    items = Property(name="items", type=GROUP, constraint="2", rule=Rows(count=2), properties=(name, count))
    vip = Property(name="vip", type=NUMBER, description="등급", constraint=">=0", update=UpdateMode.SET)
    country = Property(
        name="country", type=STRING, description="국가", constraint="KR,JP,US", rule=one_of("KR", "JP", "US")
    )
    channel = Property(name="channel", type=STRING, update=UpdateMode.SET_ONCE)
    visits = Property(name="visits", type=NUMBER, description="방문", update=UpdateMode.ADD)
    report = check_taxonomy(path)
    assert report.mistakes == ()
    assert report.taxonomy == Taxonomy(
        name="shop",
        events=(
            Event(name="app_start", tag="시스템", description="앱 시작"),
            Event(name="view_item", tag="상점", description="상품 보기", properties=(item_id, price)),
            Event(name="purchase", tag="상점", description="구매", properties=(price, items)),
            Event(
                name="refund",
                tag="상점",
                description="환불",
                properties=(items.model_copy(update={"properties": (count,)}),),
            ),
            Event(
                name="gift",
                tag="상점",
                description="선물",
                properties=(items.model_copy(update={"properties": (name,)}),),
            ),
        ),
        common_properties=(channel,),
        user_properties=(country, vip, channel, visits),
    )
    assert [str(warning) for warning in report.warnings] == [
        "sheet 'properties', row 8, column 'name' (A): no event lists 'vip', so none has it"
    ]


def test_what_decides_between_labelled_values_is_found_where_the_property_stands(tmp_path: Path) -> None:
    path = listing_plan(
        tmp_path,
        events=[
            ("earn", "", "x", "money, amount, why"),
            ("spend", "", "x", "money, amount, why"),
            ("pay", "", "x", "currency, amount, store"),
        ],
        definitions=[
            ("money", "string", "", "gold, gem"),
            ("currency", "string", "", "USD, KRW, JPY"),
            ("amount", "number", "", "gold: 100, 200; gem: 1, 2; USD: 0.99, 4.99; KRW: 1200, 5900"),
            ("why", "string", "", "earn: quest, hunt; spend: shop"),
            ("store", "string", "", "iOS: apple, web; Android: google"),
        ],
    )
    report = check_taxonomy(path)
    assert report.warnings == ()
    assert report.taxonomy is not None
    rules = {event.name: {p.name: p.rule for p in event.properties} for event in report.taxonomy.events}
    assert rules["earn"]["amount"] == rules["spend"]["amount"] == each("money", gold=(100, 200), gem=(1, 2))
    assert rules["pay"]["amount"] == each("currency", USD=(0.99, 4.99), KRW=(1200, 5900))
    assert (rules["earn"]["why"], rules["spend"]["why"]) == (one_of("quest", "hunt"), one_of("shop"))
    assert rules["pay"]["store"] == each("#os", iOS=("apple", "web"), Android=("google",))


def test_labels_that_nothing_decides_between_are_doubted_where_that_is(tmp_path: Path) -> None:
    path = listing_plan(
        tmp_path,
        events=[("earn", "", "x", "why"), ("lose", "", "x", "why, kind"), ("spend", "", "x", "why")],
        definitions=[("why", "string", "", "earn: quest, hunt; spend: shop"), ("kind", "string", "", "earn, loss")],
    )
    assert [str(warning) for warning in check_taxonomy(path).warnings] == [
        "sheet 'properties', row 2, column 'constraint' (D): the rule lists values for earn, spend: none of them is "
        "'lose', and no property beside 'why' lists two of them among its values; it is read as a mere text"
    ]


def test_definitions_that_no_event_lists_are_of_users(tmp_path: Path) -> None:
    sheets = {
        "events": [("event_name", "description"), ("login", "x")],
        "properties": [("name", "type"), ("vip", "number")],
    }
    report = check_taxonomy(write_folder(tmp_path / "shop", sheets))
    assert report.warnings == ()
    assert report.taxonomy == Taxonomy(
        name="shop",
        events=(Event(name="login", description="x"),),
        user_properties=(Property(name="vip", type=NUMBER),),
    )


def test_an_event_may_list_properties_and_have_rows_of_its_own(tmp_path: Path) -> None:
    sheets = {
        "events": [
            ("event_name", "description", "properties", "property_name", "property_type"),
            ("login", "x", "level, vip", "level", "string"),
        ],
        "properties": [("name", "type"), ("vip", "number"), ("level", "number")],
    }
    (event,) = read_taxonomy(write_folder(tmp_path / "shop", sheets)).events
    assert [(found.name, found.type) for found in event.properties] == [("level", STRING), ("vip", NUMBER)]


def test_one_name_can_be_two_properties_of_events_and_of_users(tmp_path: Path) -> None:
    path = listing_plan(
        tmp_path,
        events=[("level_up", "", "레벨업", "level")],
        definitions=[
            ("level", "number", "", "1-10", "event", ""),
            ("level", "string", "", "", "user", "user_set"),
        ],
    )
    taxonomy = read_taxonomy(path)
    assert taxonomy.event("level_up").properties[0].type is NUMBER
    assert [(found.name, found.type) for found in taxonomy.user_properties] == [("level", STRING)]


def test_sheets_are_known_by_their_headers_in_either_language_and_any_order(tmp_path: Path) -> None:
    english = {
        "b": [
            ("How to read this plan",),
            (),
            ("Property name", "Update method", "Property description (optional)", "Property Type*"),
            ("coins", "user_add", "", "Number"),
        ],
        "a": [
            ("Property name (required)", "Property alias", "Property type (required)", "Value description"),
            ("server", "Server", "STRING", "s1, s2"),
        ],
        "notes": [("Version", "Author"), ("1", "me")],
        "empty": [],
        "c": [
            (
                "Property type",
                "Property\nname",
                "Event tag",
                "Event name (required)",
                "Event description",
                "Event alias",
            ),
            ("", "", "account", "login", "When a player logs in", "Log in"),
            ("bool", "first", "", "", "", ""),
        ],
    }
    report = check_taxonomy(write_workbook(tmp_path / "english.xlsx", english))
    assert report.mistakes == ()
    assert report.warnings == ()
    assert report.taxonomy == Taxonomy(
        name="english",
        events=(
            Event(
                name="login",
                alias="Log in",
                description="When a player logs in",
                tag="account",
                properties=(Property(name="first", type=BOOLEAN),),
            ),
        ),
        common_properties=(
            Property(name="server", type=STRING, alias="Server", constraint="s1, s2", rule=one_of("s1", "s2")),
        ),
        user_properties=(Property(name="coins", type=NUMBER, update=UpdateMode.ADD),),
    )
    korean = {
        "속성": [
            ("속성 이름", "속성 유형", "속성 설명", "제약 조건"),
            ("price", "숫자", "가격", "1~9"),
            ("nick", "문자열", "별명", ""),
        ],
        "이벤트": [("이벤트명", "태그", "설명", "속성 목록"), ("buy", "상점", "구매", "price")],
    }
    taxonomy = read_taxonomy(write_folder(tmp_path / "korean", korean))
    assert taxonomy.events == (
        Event(
            name="buy",
            tag="상점",
            description="구매",
            properties=(Property(name="price", type=NUMBER, description="가격", constraint="1~9", rule=whole(1, 9)),),
        ),
    )
    assert [found.name for found in taxonomy.user_properties] == ["nick"]


@pytest.mark.parametrize(
    ("written", "type_"),
    [
        ("String", STRING),
        ("TEXT", STRING),
        ("Number", NUMBER),
        (" int ", NUMBER),
        ("Boolean", BOOLEAN),
        ("Time", TIME),
        ("date", TIME),
        ("DateTime", TIME),
        ("List", LIST),
        ("array", LIST),
        ("Array (String)", LIST),
        ("array<string>", LIST),
        ("Object", OBJECT),
        ("JSON", OBJECT),
        ("Object Group", GROUP),
        ("object_group", GROUP),
        ("array(object)", GROUP),
        ("ARRAY( OBJECT )", GROUP),
    ],
)
def test_types_have_many_spellings(tmp_path: Path, written: str, type_: PropertyType) -> None:
    path = tracking_plan(tmp_path, events=[(*LOGIN, "p", "", written)])
    assert read_taxonomy(path).events[0].properties[0].type is type_


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        ("user_set", UpdateMode.SET),
        ("USER_SETONCE", UpdateMode.SET_ONCE),
        ("user_set_once", UpdateMode.SET_ONCE),
        ("setOnce", UpdateMode.SET_ONCE),
        ("user_add", UpdateMode.ADD),
        ("", None),
    ],
)
def test_update_modes_have_many_spellings(tmp_path: Path, written: str, mode: UpdateMode | None) -> None:
    path = tracking_plan(tmp_path, events=[LOGIN], users=[("p", "", "number", written)])
    assert read_taxonomy(path).user_properties[0].update is mode


def test_an_event_spans_rows_and_nests_two_levels(tmp_path: Path) -> None:
    path = tracking_plan(
        tmp_path,
        events=[
            LOGIN,
            ("", "", "", "", "Bag", "", "object", ""),
            (),
            ("", "", "", "", "bag.items", "", "object group", "3"),
            ("", "", "", "", "bag.Items.id", "", "number", "{1,9}"),
            ("logout", "", "끝", "", "#duration", "", "number", ""),
        ],
    )
    login, logout = read_taxonomy(path).events
    deepest = Property(name="id", type=NUMBER, description="{1,9}", rule=whole(1, 9))
    items = Property(name="items", type=GROUP, description="3", rule=Rows(count=3), properties=(deepest,))
    assert login.properties == (Property(name="Bag", type=OBJECT, properties=(items,)),)
    assert [found.name for found in logout.properties] == ["#duration"]


def test_event_cells_may_be_repeated_in_every_row_of_the_event(tmp_path: Path) -> None:
    rows = [(*LOGIN, "a", "", "number"), (*LOGIN, "b", "", "string"), ("login", "", "", "", "c", "", "time")]
    (event,) = read_taxonomy(tracking_plan(tmp_path, events=rows)).events
    assert [found.name for found in event.properties] == ["a", "b", "c"]


def test_a_description_that_repeats_the_name_is_no_value(tmp_path: Path) -> None:
    rows = [(*LOGIN, "country", "Nation", "string", "Nation"), ("", "", "", "", "Os", "", "string", "os")]
    (event,) = read_taxonomy(tracking_plan(tmp_path, events=rows)).events
    assert [(found.description, found.rule) for found in event.properties] == [("Nation", None), ("os", None)]


def test_numbers_and_truths_of_a_workbook_are_read_as_they_are_shown(tmp_path: Path) -> None:
    events = [(*LOGIN, "a", 2026, "number", 0.5), ("", "", "", "", "b", "", "boolean", True)]
    (event,) = read_taxonomy(tracking_plan(tmp_path, events=events)).events
    assert [(found.alias, found.description, found.rule) for found in event.properties] == [
        ("2026", "0.5", one_of(0.5)),
        ("", "true", one_of(True)),
    ]


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [("utf-8", ","), ("utf-8-sig", ","), ("cp949", ","), ("utf-16", "\t"), ("utf-8", ";")],
)
def test_one_csv_is_read_in_the_encodings_that_spreadsheets_write(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    rows = [PLAN, (*LOGIN, "kind", "종류", "string", "일상,\n주간"), ("", "", "", "", "n", "", "number", "1|+1")]
    taxonomy = read_taxonomy(write_csv(tmp_path / "게임.csv", rows, encoding, delimiter))
    assert taxonomy == Taxonomy(
        name="게임",
        events=(
            Event(
                name="login",
                alias="로그인",
                description="로그인 시 전송",
                tag="계정",
                properties=(
                    Property(
                        name="kind",
                        type=STRING,
                        alias="종류",
                        description="일상,\n주간",
                        rule=one_of("일상", "주간"),
                    ),
                    Property(name="n", type=NUMBER, description="1|+1", rule=Counter(start=1, step=1)),
                ),
            ),
        ),
    )


def test_a_folder_gives_its_name_whatever_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path / "my.game", {"events": [EVENTS, ("login", "", "x", "")], ".hidden": [("x",)]})
    (folder / "readme.txt").write_text("no sheet")
    monkeypatch.chdir(folder)
    assert read_taxonomy(Path(".")).name == "my.game"


# --------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("events", "common", "users", "expected"),
    [
        (
            [("1login", "", "x")],
            [],
            [],
            "sheet 'events', row 2, column '이벤트 이름 (필수)' (A): "
            "expected a name of at most 50 Latin letters, digits "
            "and _, a letter or # first, found '1login'; rename it",
        ),
        (
            [("a" * 51, "", "x")],
            [],
            [],
            f"sheet 'events', row 2, column '이벤트 이름 (필수)' (A): "
            f"expected a name of at most 50 Latin letters, digits "
            f"and _, a letter or # first, found '{'a' * 51}'; rename it",
        ),
        (
            [LOGIN, ("", "", "", "", "bag", "", "object"), ("", "", "", "", "bag.이름", "", "string")],
            [],
            [],
            "sheet 'events', row 4, column '속성 이름 (필수)' (E): expected a name of at most 50 Latin letters, digits "
            "and _, a letter or # first, found 'bag.이름'; rename it",
        ),
        (
            [LOGIN, ("buy", "", "x"), ("Login", "", "y")],
            [],
            [],
            "sheet 'events', row 4, column '이벤트 이름 (필수)' (A): expected each event once, found 'Login' again "
            "(it is 'login' in sheet 'events', row 2); remove or rename one",
        ),
        (
            [(*LOGIN, "level", "", "number"), ("", "", "", "", "LEVEL", "", "number")],
            [],
            [],
            "sheet 'events', row 3, column '속성 이름 (필수)' (E): expected each property once, found 'LEVEL' again "
            "(it is 'level' in sheet 'events', row 2); remove or rename one",
        ),
        (
            [LOGIN],
            [("a", "", "number"), ("b", "", "number"), ("a", "", "string")],
            [],
            "sheet 'common', row 4, column '속성 이름 (필수)' (A): expected each property once, found 'a' again "
            "(it is 'a' in sheet 'common', row 2); remove or rename one",
        ),
        (
            [(*LOGIN, "level", "", "nubmer")],
            [],
            [],
            "sheet 'events', row 2, column '속성 유형 (필수)' (G): "
            "expected a type (number, string, boolean, time, list, "
            "object, object group), found 'nubmer'; was 'number' meant?",
        ),
        (
            [(*LOGIN, "level", "", "")],
            [],
            [],
            "sheet 'events', row 2, column '속성 유형 (필수)' (G): "
            "expected a type (number, string, boolean, time, list, "
            "object, object group), found nothing; write one of these",
        ),
        (
            [(*LOGIN, "bag.id", "", "number")],
            [],
            [],
            "sheet 'events', row 2, column '속성 이름 (필수)' (E): "
            "expected a property 'bag' that holds 'bag.id', found "
            "none; add it",
        ),
        (
            [LOGIN],
            [],
            [("bag", "", "list", "user_set"), ("bag.id", "", "number")],
            "sheet 'people', row 3, column '속성 이름(필수)' (A): expected 'bag' (row 2) to be an object or an object "
            "group, for it holds 'bag.id'; found the type list; change it",
        ),
        (
            [LOGIN],
            [],
            [("coins", "", "number", "user_sum")],
            "sheet 'people', row 2, column '업데이트 방식' (D): expected user_set, user_setOnce, user_add, found "
            "'user_sum'; write one of these",
        ),
        (
            [LOGIN],
            [],
            [("nick", "", "string", "user_add")],
            "sheet 'people', row 2, column '업데이트 방식' (D): expected a number to add to, found the type string; "
            "change the type or write user_set",
        ),
        (
            [LOGIN, ("", "", "", "", "", "레벨", "number")],
            [],
            [],
            "sheet 'events', row 3, column '속성 이름 (필수)' (E): "
            "expected the property's name, found nothing; write it",
        ),
        (
            [LOGIN, ("", "구매", "", "", "price", "", "number")],
            [],
            [],
            "sheet 'events', row 3, column '이벤트 이름 (필수)' (A): "
            "expected the event's name, found nothing; write it",
        ),
        (
            [("", "", "", "", "price", "", "number"), LOGIN],
            [],
            [],
            "sheet 'events', row 2, column '이벤트 이름 (필수)' (A): "
            "expected an event's name above its first property, "
            "found nothing; write it",
        ),
        (
            [(*LOGIN, "seconds", "", "number", "[7200,60]")],
            [],
            [],
            "sheet 'events', row 2, column '속성 설명' (H): expected the smaller bound first, found '[7200,60]'; "
            "exchange the two",
        ),
        (
            [LOGIN],
            [],
            [("coins", "", "number", "user_set", "level_up|level|max")],
            "sheet 'people', row 2, column '속성 설명' (E): expected event|property|aggregate with one of first, last, "
            "sum, cnt, daycnt, equal, such as level_up|level|last, found 'level_up|level|max'; correct it; values to "
            "choose from are separated by commas",
        ),
    ],
)
def test_a_mistake_in_a_tracking_plan_names_its_cell(
    tmp_path: Path, events: Cells, common: Cells, users: Cells, expected: str
) -> None:
    assert mistakes_of(tracking_plan(tmp_path, events=events, common=common, users=users)) == [expected]


@pytest.mark.parametrize(
    ("events", "definitions", "expected"),
    [
        (
            [("buy", "", "x", "price, amount")],
            [("price", "number")],
            "sheet 'events', row 2, column 'properties' (D): expected properties that a property sheet defines, found "
            "'amount'; define or remove it",
        ),
        (
            [("buy", "", "x", "price, Price")],
            [("price", "number")],
            "sheet 'events', row 2, column 'properties' (D): "
            "expected each property once, found 'Price' again; remove it",
        ),
        (
            [("buy", "", "x", "coins")],
            [("coins", "number", "", "", "user")],
            "sheet 'events', row 2, column 'properties' (D): expected a property of events, found 'coins', whose scope "
            "is user; add event to its scope",
        ),
        (
            [("buy", "", "x", "price")],
            [("price", "number", "", "", "evnt")],
            "sheet 'properties', row 2, column 'scope' (E): expected event, common, user or several of them, found "
            "'evnt'; write one of these",
        ),
        (
            [("buy", "", "x", "price")],
            [("price", "number"), ("Price", "number")],
            "sheet 'properties', row 3, column 'name' (A): expected each property once, found 'Price' again (it is "
            "'price' in sheet 'properties', row 2); remove or rename one",
        ),
        (
            [("buy", "", "x", "")],
            [("price", "number", "", "{1,x}", "event+common+user")],
            "sheet 'properties', row 2, column 'constraint' (D): expected a range such as [0.5,10], or {1,4} of whole "
            "numbers, found '{1,x}'; complete it",
        ),
        (
            [("buy", "", "x", "bag")],
            [("bag", "string"), ("bag.id", "number")],
            "sheet 'properties', row 3, column 'name' (A): expected 'bag' (row 2) to be an object or an object group, "
            "for it holds 'bag.id'; found the type string; change it",
        ),
        (
            [("buy", "", "x", "")],
            [("nick", "", "nickname", "")],
            "sheet 'properties', row 2, column 'type' (B): expected a type (number, string, boolean, time, list, "
            "object, object group), found nothing; write one of these",
        ),
    ],
)
def test_a_mistake_in_lists_and_definitions_names_its_cell(
    tmp_path: Path, events: Cells, definitions: Cells, expected: str
) -> None:
    assert mistakes_of(listing_plan(tmp_path, events=events, definitions=definitions)) == [expected]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_sheets(tmp_path: Path) -> None:
    path = tracking_plan(
        tmp_path,
        events=[
            ("", "", "", "", "early", "", "number"),
            (*LOGIN, "a b", "", "nmber", "[2,1]"),
            ("", "", "", "", "a.c", "", "number", "[2,1]"),
            ("LOGIN", "", "x"),
        ],
        common=[("x", "", "")],
        users=[("y", "", "text", "user_add"), ("", "", "text")],
    )
    assert places(check_taxonomy(path).mistakes) == [
        ("events", 2, "이벤트 이름 (필수)", "A"),
        ("events", 3, "속성 이름 (필수)", "E"),
        ("events", 3, "속성 유형 (필수)", "G"),
        ("events", 4, "속성 이름 (필수)", "E"),
        ("events", 4, "속성 설명", "H"),
        ("events", 5, "이벤트 이름 (필수)", "A"),
        ("common", 2, "속성 유형 (필수)", "C"),
        ("people", 2, "업데이트 방식", "D"),
        ("people", 3, "속성 이름(필수)", "A"),
    ]
    assert len(mistakes_of(path)) == 9


def test_a_header_without_a_column_that_is_needed_is_one_mistake(tmp_path: Path) -> None:
    rows = [("event_name", "event_description", "property_name"), ("login", "x", "level"), ("", "", "exp")]
    assert mistakes_of(write_csv(tmp_path / "plan.csv", rows)) == [
        "sheet 'plan', row 1, column 'type': expected a column for each property's type, found none; add it"
    ]
    rows = [("event_name", "event_description", "property_type"), ("login", "x", "number")]
    assert mistakes_of(write_csv(tmp_path / "plan.csv", rows)) == [
        "sheet 'plan', row 1, column 'property name': expected a column for each property's name, found none; add it"
    ]


def many(count: int, prefix: str) -> list[str]:
    return [f"{prefix}{number}" for number in range(1, count + 1)]


def test_as_many_as_thinkingdata_takes_and_not_one_more(tmp_path: Path) -> None:
    events = [(name, "", "x") for name in many(500, "e")]
    properties = [(*[""] * 4, name, "", "number") for name in many(990, "p")]
    # Ten common ones make a thousand; one of the events' again, and what an object holds, count for nothing.
    common = [(name, "", "number") for name in many(10, "c")] + [("p1", "", "number")]
    bag = [("u1", "", "object", ""), *((f"u1.{name}", "", "number") for name in many(100, "n"))]
    users = [*bag, *((f"u{number}", "", "number") for number in range(2, 501))]
    assert check_taxonomy(tracking_plan(tmp_path, events=[*events, *properties], common=common, users=users)).taxonomy

    events.append(("e501", "", "x"))
    common.append(("c11", "", "number"))
    users += [("u1.n101", "", "number"), ("u501", "", "number")]
    path = tracking_plan(tmp_path, events=[*events, *properties], common=common, users=users)
    assert mistakes_of(path) == [
        "sheet 'events', row 502, column '이벤트 이름 (필수)' (A): expected at most 500 kinds of events, found 501; "
        "'e501' is the first too many: remove some",
        "sheet 'common', row 13, column '속성 이름 (필수)' (A): "
        "expected at most 1,000 properties of events, found 1,001; "
        "'c11' is the first too many: remove some",
        "sheet 'people', row 602, column '속성 이름(필수)' (A): expected at most 100 properties in one object, found "
        "more; 'u1.n101' is the next: remove some",
        "sheet 'people', row 603, column '속성 이름(필수)' (A): expected at most 500 properties of users, found 501; "
        "'u501' is the first too many: remove some",
    ]


def test_what_is_no_taxonomy_is_said_so(tmp_path: Path) -> None:
    missing, empty, other = tmp_path / "no.xlsx", tmp_path / "empty", tmp_path / "plan.pdf"
    empty.mkdir()
    other.write_text("x")
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(b"PK nothing")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xff\x00")
    notes = write_workbook(tmp_path / "notes.xlsx", {"Notes": [("Version",)], "Ids": [("Id", "Event id")]})
    assert mistakes_of(missing) == [f"expected a file or a folder, found nothing at {missing}; correct the path"]
    assert mistakes_of(empty) == [f"expected .csv files in the folder {empty}, found none; add one for each sheet"]
    assert mistakes_of(other) == ["expected .xlsx, .csv or a folder of .csv, found 'plan.pdf'; save it as one of these"]
    assert mistakes_of(notes) == [
        "expected events, in a sheet with a column 'event_name', found none in: Notes, Ids; add it"
    ]
    (line,) = mistakes_of(broken)
    assert line.startswith("sheet 'broken': expected an Excel workbook, found what cannot be read as one (")
    (line,) = mistakes_of(binary)
    assert line.startswith("sheet 'binary': expected a .csv file in UTF-8, found what cannot be read (")


# --------------------------------------------------------------------------- doubts


@pytest.mark.parametrize(
    ("events", "common", "users", "expected"),
    [
        (
            [("login", "로그인", " ")],
            [],
            [],
            "sheet 'events', row 2, column '이벤트 설명' (C): 'login' has no description; its name alone tells when it "
            "is sent",
        ),
        (
            [
                (*LOGIN, "id", "", "number"),
                ("buy", "", "x", "", "id", "", "array(object)"),
                (*[""] * 4, "id.a", "", "time"),
            ],
            [],
            [],
            "sheet 'events', row 3, column '속성 유형 (필수)' (G): "
            "the type is object group here and number elsewhere (it "
            "is 'id' in sheet 'events', row 2); the one that is sent first stays, and other values are refused",
        ),
        (
            [(*LOGIN, "id", "", "number")],
            [("ID", "", "number")],
            [],
            "sheet 'common', row 2, column '속성 이름 (필수)' (A): 'ID' is the same property as another (it is 'id' in "
            "sheet 'events', row 2), for capitals do not count",
        ),
        (
            [LOGIN],
            [],
            [("n", "", "number", "", "logon|#time|cnt")],
            "sheet 'people', row 2, column '속성 설명' (E): the rule names the event 'logon', which does not exist",
        ),
        (
            [(*LOGIN, "kind", "", "string")],
            [("level", "", "number", "login|#duration|last")],
            [("a", "", "number", "", "login|level|last"), ("b", "", "string", "", "Login|kin|last")],
            "sheet 'people', row 3, column '속성 설명' (E): "
            "the rule names 'kin', which the event 'Login' does not have",
        ),
        (
            [(*LOGIN, "kind", "", "string")],
            [],
            [("a", "", "number", "", "login|kind|last"), ("b", "", "number", "", "login|kind|cnt")],
            "sheet 'people', row 2, column '속성 설명' (E): the rule names 'kind' of the event 'login', whose type is "
            "string, not number",
        ),
        (
            [(*LOGIN, "stage", "", "number", "++1")],
            [],
            [],
            "sheet 'events', row 2, column '속성 설명' (H): "
            "no event starts the count of 'stage'; one needs a rule such "
            "as 1|+1",
        ),
        (
            [(*LOGIN, "coins", "", "number", "9|+price group by level")],
            [("level", "", "number")],
            [],
            "sheet 'events', row 2, column '속성 설명' (H): "
            "the rule names 'price', which the event 'login' does not have",
        ),
        (
            [(*LOGIN, "bag", "", "object", "")],
            [],
            [],
            "sheet 'events', row 2, column '속성 이름 (필수)' (E): nothing is said about what 'bag' holds; add rows "
            "bag.<name>",
        ),
        (
            [(*LOGIN, "level", "", "number", date(2026, 1, 12))],
            [],
            [],
            "sheet 'events', row 2, column '속성 설명' (H): "
            "the cell holds a date (2026-01-12); if a range such as 1-12 "
            "was meant, write it as text",
        ),
    ],
)
def test_what_looks_doubtful_is_a_warning(
    tmp_path: Path, events: Cells, common: Cells, users: Cells, expected: str
) -> None:
    report = check_taxonomy(tracking_plan(tmp_path, events=events, common=common, users=users))
    assert report.mistakes == ()
    assert report.taxonomy
    assert [str(warning) for warning in report.warnings] == [expected]


def test_doubts_about_lists_and_definitions(tmp_path: Path) -> None:
    path = write_folder(
        tmp_path / "shop",
        {
            "events": [(*EVENTS, "owner"), ("buy", "", "x", "price, shop", "me")],
            "properties": [
                DEFINITIONS,
                ("price", "number", "", "", "", "user_set"),
                ("shop", "string", "", "", "common", ""),
            ],
            "words": [("name", "description"), ("price", "what it costs")],
        },
    )
    report = check_taxonomy(path)
    assert report.taxonomy
    assert [found.name for found in report.taxonomy.events[0].properties] == ["price"]
    assert [str(warning) for warning in report.warnings] == [
        "sheet 'events', row 1, column 'owner' (E): "
        "no column of this name is known, or it is there twice; it is not read",
        "sheet 'events', row 2, column 'properties' (D): "
        "'shop' is a common property, which every event has; it need not "
        "be listed",
        "sheet 'properties', row 2, column 'update' (F): 'price' is no property of users; this is not used",
        "sheet 'words', row 1, column 'type': no such column was found; the sheet is passed over",
    ]


def test_a_users_sheet_that_says_nothing_about_updates_is_doubted(tmp_path: Path) -> None:
    sheets = {"events": [PLAN, LOGIN], "User data": [COMMON, ("vip", "", "number")]}
    report = check_taxonomy(write_workbook(tmp_path / "plan.xlsx", sheets))
    assert report.taxonomy
    assert [found.name for found in report.taxonomy.common_properties] == ["vip"]
    assert [str(warning) for warning in report.warnings] == [
        "sheet 'User data', row 1, column 'update': "
        "no such column was found; the sheet is read as common properties of "
        "events, not of users"
    ]


# --------------------------------------------------------------------------- what is written is read

SAID: dict[PropertyType, list[tuple[str, ValueRule | None]]] = {
    NUMBER: [("", None), ("[60,7200]", decimals(60, 7200)), ("7", one_of(7)), ("전투 후 내 점수", None)],
    STRING: [("", None), ("승리, 패배 등", some_of("승리", "패배")), (" =#distinct_id", CopyOf(source="#distinct_id"))],
    BOOLEAN: [("", None), ("=true_first", TrueFirst()), ("Y/N", one_of(True, False))],
    TIME: [("", None), ("첫 결제 시 전송", None), ("예: 2026-01-01", Example(text="2026-01-01"))],
    LIST: [("", None), ("뽑기로 획득한\n카드 리스트", None)],
    OBJECT: [("", None), ('{"a": 1}', Example(text='{"a": 1}'))],
    GROUP: [("", None), ("3", Rows(count=3))],
}
NAMES = st.from_regex(r"[#a-zA-Z][a-zA-Z0-9_]{0,49}", fullmatch=True)
PART_NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,9}", fullmatch=True)
TEXTS = st.text(st.sampled_from('가나 Ab1,"|;.=\n'), max_size=12).filter(lambda text: text == "" or text.strip())
ALIASES = st.text(st.sampled_from("가나다 "), max_size=6).map(str.strip)


def named(names: st.SearchStrategy[str], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(names, max_size=most, unique_by=str.lower)


@st.composite
def properties(draw: st.DrawFn, *, depth: int = 2, said_in: str = "description") -> tuple[Property, ...]:
    found = []
    for name in draw(named(NAMES if depth == 2 else PART_NAMES, 4)):
        type_ = draw(st.sampled_from(list(PropertyType) if depth else [NUMBER, STRING, LIST]))
        text, rule = draw(st.sampled_from(SAID[type_]))
        held = draw(properties(depth=depth - 1, said_in=said_in)) if type_ in (OBJECT, GROUP) else ()
        alias = draw(ALIASES)
        found.append(
            Property(name=name, type=type_, alias=alias, rule=rule, properties=held).model_copy(update={said_in: text})
        )
    return tuple(found)


@st.composite
def plans(draw: st.DrawFn) -> Taxonomy:
    events = tuple(
        Event(
            name=name,
            alias=draw(ALIASES),
            description=draw(TEXTS),
            tag=draw(ALIASES),
            properties=draw(properties()),
        )
        for name in draw(named(NAMES, 4).filter(bool))
    )
    users = []
    for found in draw(properties()):
        modes = [None, UpdateMode.SET, UpdateMode.SET_ONCE, *([UpdateMode.ADD] if found.type is NUMBER else [])]
        users.append(found.model_copy(update={"update": draw(st.sampled_from(modes))}))
    return Taxonomy(name="plan", events=events, common_properties=draw(properties()), user_properties=tuple(users))


def plan_sheets(taxonomy: Taxonomy) -> dict[str, Cells]:
    def cells(found: Property, name: str) -> tuple[str, str, str, str]:
        return name, found.alias, found.type.replace("_", " ").upper(), found.description

    events: list[Sequence[object]] = [PLAN]
    for event in taxonomy.events:
        own = [event.name, event.alias, event.description, event.tag]
        rows = [cells(found, name) for name, found in flattened(event.properties)] or [("", "", "", "")]
        events += [[*(own if row is rows[0] else [""] * 4), *row] for row in rows]
    common = [cells(found, name) for name, found in flattened(taxonomy.common_properties)]
    users = [
        (*(shown := cells(found, name))[:3], found.update or "", shown[3])
        for name, found in flattened(taxonomy.user_properties)
    ]
    return {
        "이벤트": events,
        "ids": [("게임 유형", "속성 이름")],
        "common": [COMMON, *common],
        "people": [USERS, *users],
    }


def write(folder: Path, sheets: Mapping[str, Cells], name: str) -> tuple[Path, Path]:
    return write_folder(folder / name, sheets), write_workbook(folder / f"{name}.xlsx", sheets)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(plans(), st.randoms(use_true_random=False))
def test_any_tracking_plan_that_is_written_is_read_back(taxonomy: Taxonomy, order: random.Random) -> None:
    sheets = list(plan_sheets(taxonomy).items())
    order.shuffle(sheets)
    with tempfile.TemporaryDirectory() as folder:
        for path in write(Path(folder), dict(sheets), "plan"):
            assert read_taxonomy(path) == taxonomy


@st.composite
def listings(draw: st.DrawFn) -> tuple[Taxonomy, dict[str, Cells]]:
    """A taxonomy, and the two sheets in which properties are defined once."""
    defined = draw(properties(said_in="constraint"))
    said = {
        found.name: draw(st.sampled_from(["", "event", "common", "user", "event,user", "Common + User"]))
        for found in defined
    }
    listable = [found for found in defined if not said[found.name] or "event" in said[found.name]]
    events = tuple(
        Event(
            name=name,
            description=draw(TEXTS),
            tag=draw(ALIASES),
            properties=tuple(draw(st.permutations(listable))[: draw(st.integers(0, 4))]),
        )
        for name in draw(named(NAMES, 4).filter(bool))
    )
    listed = {found.name for event in events for found in event.properties}

    def of(scope: str) -> tuple[Property, ...]:
        silent = {name: "event" if name in listed else "user" for name in said}
        return tuple(found for found in defined if scope in (said[found.name] or silent[found.name]).lower())

    rows = [
        (name, found.type, found.description, found.constraint, said.get(name, ""), "", found.alias)
        for name, found in flattened(defined)
    ]
    lists = [
        (event.name, event.tag, event.description, ", ".join(found.name for found in event.properties))
        for event in events
    ]
    taxonomy = Taxonomy(name="lists", events=events, common_properties=of("common"), user_properties=of("user"))
    return taxonomy, {"properties": [(*DEFINITIONS, "alias"), *rows], "events": [EVENTS, *lists]}


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(listings())
def test_any_lists_and_definitions_that_are_written_are_read_back(written: tuple[Taxonomy, dict[str, Cells]]) -> None:
    taxonomy, sheets = written
    with tempfile.TemporaryDirectory() as folder:
        for path in write(Path(folder), sheets, "lists"):
            assert read_taxonomy(path) == taxonomy


@pytest.mark.parametrize("cells", [("XFD1048576",), ("A1", "XFD1048576")], ids=["one cell", "two cells"])
def test_a_workbook_with_a_value_in_its_last_cell_is_a_mistake(tmp_path: Path, cells: tuple[str, ...]) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for cell in cells:
        sheet[cell] = "event_name"
    book.save(tmp_path / "plan.xlsx")
    (mistake, *_) = check_taxonomy(tmp_path / "plan.xlsx").mistakes
    assert "up to row 1,048,576 and column XFD, 17,179,869,184 in all; up to 2,000,000 are read" in mistake.message


def test_a_workbook_that_unpacks_without_end_is_a_mistake(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "plan.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", bytes(3_000_000))
    (mistake, *_) = check_taxonomy(tmp_path / "plan.xlsx", ReadLimits(megabytes=1)).mistakes
    assert "unpacks to more than 1 MB" in mistake.message


@pytest.mark.parametrize("separator", [",", "/", "; ", "."])
@pytest.mark.parametrize("column", ["properties", "constraint"])
def test_a_cell_of_very_many_parts_is_read_at_once(tmp_path: Path, column: str, separator: str) -> None:
    names = [f"p{number}" for number in range(16_000)]
    cells = {"properties": "p1", "constraint": "", column: separator.join(names)}
    write_csv(tmp_path / "events.csv", [EVENTS, ("login", "", "Signs in.", cells["properties"])])
    write_csv(
        tmp_path / "properties.csv",
        [DEFINITIONS[:4], *((name, "string", "", cells["constraint"] if name == "p1" else "") for name in names)],
    )
    begun = time.process_time()
    check_taxonomy(tmp_path)
    assert time.process_time() - begun < 5


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.one_of(st.sampled_from([*PLAN, *DEFINITIONS, "a.b", "number"]), TEXTS), max_size=9), max_size=6
    )
)
def test_any_sheet_gives_a_taxonomy_or_mistakes(tmp_path: Path, rows: list[list[str]]) -> None:
    report = check_taxonomy(write_csv(tmp_path / "any.csv", rows))
    assert (report.taxonomy is None) == bool(report.mistakes)
    for mistake in report.mistakes + report.warnings:
        assert mistake.sheet in ("", "any")
        assert 0 <= mistake.row <= len(rows)
