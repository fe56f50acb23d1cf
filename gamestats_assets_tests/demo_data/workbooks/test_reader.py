"""Taxonomies from workbooks and .csv files: what is read, and every mistake with its place."""

from __future__ import annotations

import csv
import functools
import time
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pydantic import TypeAdapter

from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy, UpdateMode, flattened
from gamestats_assets.demo_data.taxonomies.reader import TaxonomyError, check_taxonomy, read_taxonomy
from gamestats_assets.demo_data.taxonomies.sheets import Mistake
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Counter,
    Rows,
    ValueRule,
)
from gamestats_assets.lakehouse.files.unpacking import ReadLimits
from gamestats_assets_tests.demo_data.rules.written_rules import each, one_of, whole
from gamestats_assets_tests.demo_data.sheets import FOLDERS

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


CASES = Path(__file__).parent
LOGIN = ("login", "로그인", "로그인 시 전송", "계정")


# --------------------------------------------------------------------------- the two workbooks of real games


REAL_SHEETS = ("#이벤트 데이터", "#공통 이벤트 속성", "#유저 데이터")


opened = functools.cache(openpyxl.load_workbook)


def real_cells(path: Path, sheet: str) -> list[tuple[int, dict[str, str]]]:
    """A sheet's rows by their headers, read with another library; the number of each row first."""
    rows = list(opened(path)[sheet].iter_rows(values_only=True))
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


@pytest.mark.parametrize("name", ["casual_game", "card_game"])
def test_every_description_of_a_real_workbook_is_understood(realdata: Path, name: str) -> None:
    path = realdata / "taxonomies" / f"{name}.xlsx"
    taxonomy = read_taxonomy(path)
    with CASES.joinpath("real_rules.csv").open(encoding="utf-8", newline="") as file:
        # What each cell of the description columns says, by its row; nothing where it is a mere text.
        rules = [row for row in csv.DictReader(file) if row["workbook"] == name]
    for sheet in REAL_SHEETS:
        expected = {
            int(row["row"]): TypeAdapter(ValueRule).validate_json(row["rule"]) if row["rule"] else None
            for row in rules
            if row["sheet"] == sheet
        }
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
        "sheet 'properties', row 8, column 'name' (A): no event lists 'vip', so no event has it"
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
        "'lose', and no property beside 'why' lists two of them among its values; it is read as plain text"
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


# --------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize("case", tomllib.loads(CASES.joinpath("mistakes.toml").read_text("utf-8"))["case"])
def test_a_mistake_or_a_doubt_names_its_cell(tmp_path: Path, case: dict[str, Any]) -> None:
    expected = {name: case.pop(name) for name in ("mistake", "warning") if name in case}
    path = listing_plan(tmp_path, **case) if "definitions" in case else tracking_plan(tmp_path, **case)
    if "mistake" in expected:
        assert mistakes_of(path) == [expected["mistake"]]
    else:
        report = check_taxonomy(path)
        assert report.taxonomy
        assert [str(warning) for warning in report.warnings] == [expected["warning"]]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_sheets(tmp_path: Path) -> None:
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
        "sheet 'events', row 1, column 'owner' (E): this column is unknown, or occurs twice; it is not read",
        "sheet 'events', row 2, column 'properties' (D): "
        "'shop' is a common property, which every event has; listing it is "
        "unnecessary",
        "sheet 'properties', row 2, column 'update' (F): 'price' is not a property of users; this is ignored",
        "sheet 'words', row 1, column 'type': this column is missing; the sheet is skipped",
    ]


def test_a_users_sheet_that_says_nothing_about_updates_is_doubted(tmp_path: Path) -> None:
    sheets = {"events": [PLAN, LOGIN], "User data": [COMMON, ("vip", "", "number")]}
    report = check_taxonomy(write_workbook(tmp_path / "plan.xlsx", sheets))
    assert report.taxonomy
    assert [found.name for found in report.taxonomy.common_properties] == ["vip"]
    assert [str(warning) for warning in report.warnings] == [
        "sheet 'User data', row 1, column 'update': "
        "this column is missing; the sheet is read as common properties of "
        "events, not of users"
    ]


# --------------------------------------------------------------------------- what is written is read


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


@pytest.mark.parametrize("separator", ["/", "; "])
@pytest.mark.parametrize("column", ["properties", "constraint"])
def test_a_cell_of_very_many_parts_is_read_at_once(tmp_path: Path, column: str, separator: str) -> None:
    names = [f"p{number}" for number in range(8_000)]
    cells = {"properties": "p1", "constraint": "", column: separator.join(names)}
    write_csv(tmp_path / "events.csv", [EVENTS, ("login", "", "Signs in.", cells["properties"])])
    write_csv(
        tmp_path / "properties.csv",
        [DEFINITIONS[:4], *((name, "string", "", cells["constraint"] if name == "p1" else "") for name in names)],
    )
    begun = time.process_time()
    check_taxonomy(tmp_path)
    assert time.process_time() - begun < 4


@pytest.mark.parametrize("name", ["ecommerce", "game", "health", "l2m", "saas"])
def test_a_shipped_taxonomy_has_neither_mistakes_nor_doubts(name: str) -> None:
    report = check_taxonomy(FOLDERS[name])
    assert (report.mistakes, report.warnings) == ((), ())
