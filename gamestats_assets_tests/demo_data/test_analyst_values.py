"""What values the analyst gives to properties, on sheets of a few rows; expectations are what a person reads there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.analysis.measures import language_of, limits_in, values_in
from gamestats_assets.demo_data.rules.model import PropertyConstraint, Rules, ValueRange
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy, UpdateMode
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.demo_data.taxonomies.value_rules import OneOf, OneOfEach, parse_value_rule

TYPES = {
    "": PropertyType.STRING,
    "n": PropertyType.NUMBER,
    "b": PropertyType.BOOLEAN,
    "t": PropertyType.TIME,
    "l": PropertyType.LIST,
}
Row = tuple[str, str, Sequence[str]]
"""Name, description and properties of an event."""


def prop(text: str, update: UpdateMode | None = None) -> Property:
    """`price:n|price in EUR` is a number with a description, `name` a text without one."""
    head, _, description = text.partition("|")
    name, _, kind = head.partition(":")
    return Property(
        name=name,
        type=TYPES[kind],
        description=description,
        rule=parse_value_rule(description, TYPES[kind]),
        update=update,
    )


def rules_of(
    industry: str, rows: Sequence[Row], common: Sequence[str] = (), users: Sequence[str] = (), platform: str = "mobile"
) -> Rules:
    """Sound rules for a sheet."""
    taxonomy = Taxonomy(
        name="sheet",
        events=tuple(Event(name=n, description=d, properties=tuple(map(prop, p))) for n, d, p in rows),
        common_properties=tuple(map(prop, common)),
        user_properties=tuple(prop(p, UpdateMode.SET_ONCE) for p in users),
    )
    rules = analyse(taxonomy, ProductInfo.model_validate({"industry": industry, "platform": platform}))
    assert problems(rules, taxonomy) == []
    return rules


def constraint(rules: Rules, key: str) -> PropertyConstraint:
    """What holds for a property of an event."""
    told = rules.property_constraints
    return told.get(key) or told.get(key.rpartition("/")[2]) or PropertyConstraint()


def range_of(rules: Rules, key: str) -> ValueRange:
    """Where a number of an event lies."""
    return rules.value_ranges.get(key) or rules.value_ranges[key.rpartition("/")[2]]


def sources(rules: Rules, key: str) -> set[str]:
    """The events that a property is from, back to those that draw it."""
    event, _, name = key.partition("/")
    found: set[str] = set()
    waiting = [event]
    while waiting:
        recalled = constraint(rules, f"{waiting.pop()}/{name}").recalls
        waiting += [e for e in recalled if e not in found]
        found |= set(recalled)
    return found


# --------------------------------------------------------------------------- what later events repeat

HIRE = [
    ("jobPosted", "Employer publishes a job", ["jobId", "jobTitle", "salaryMonthly:n|EUR per month"]),
    ("jobViewed", "Candidate opens a job", ["jobId"]),
    ("applicationSubmitted", "Candidate applies for a job", ["applicationId", "jobId", "channel|web, app, referral"]),
    ("applicationRejected", "", ["applicationId", "rejectReason"]),
    ("interviewScheduled", "", ["interviewId", "applicationId", "interviewType|phone, video, onsite"]),
    ("interviewCompleted", "", ["interviewId", "interviewType", "score:n|1 to 5"]),
    ("offerMade", "", ["offerId", "applicationId", "offeredSalary:n|EUR per month"]),
    ("offerAccepted", "", ["offerId", "offeredSalary:n|EUR per month"]),
    ("offerDeclined", "", ["offerId", "declineReason"]),
]
REPAIR = [
    ("app_open", "", []),
    ("repair_request", "수리를 접수하면 전송", ["repair_no", "device_type|세탁기 / 냉장고 / 에어컨", "symptom"]),
    ("repair_assign", "기사 배정 시 전송", ["repair_no", "engineer_id", "wait_min:n|대기 시간(분)"]),
    ("repair_visit", "기사 방문 시 전송", ["repair_no", "engineer_id"]),
    ("repair_complete", "수리 완료 시 전송", ["repair_no", "engineer_id", "repair_fee:n|수리비(원)"]),
    ("repair_rate", "수리 만족도 평가 시 전송", ["repair_no", "score:n|1점에서 5점"]),
    ("product_view", "", ["product_id", "product_name"]),
    ("product_like", "", ["product_id", "product_name"]),
]


def test_later_events_of_a_life_recall_the_id_of_what_the_user_made() -> None:
    rules = rules_of("hr", HIRE)
    assert "applicationSubmitted" in sources(rules, "interviewScheduled/applicationId")
    assert "applicationSubmitted" in sources(rules, "offerMade/applicationId")
    assert sources(rules, "interviewCompleted/interviewId") == {"interviewScheduled"}
    assert sources(rules, "offerAccepted/offerId") == {"offerMade"}
    assert sources(rules, "offerDeclined/offerId") == {"offerMade"}
    for first in ("applicationSubmitted/applicationId", "interviewScheduled/interviewId", "offerMade/offerId"):
        assert not constraint(rules, first).recalls


def test_things_of_a_catalogue_are_not_recalled() -> None:
    rows = [
        ("song_play", "", ["song_id", "song_name"]),
        ("song_like", "", ["song_id"]),
    ]
    rules = rules_of("music", rows)
    assert not any(told.recalls for told in rules.property_constraints.values())


# --------------------------------------------------------------------------- catalogues


def test_an_id_has_one_name_and_one_genre_in_the_language_of_the_sheet() -> None:
    rows = [
        ("work_open", "作品を開いた時", ["work_id:n|{1,900}", "work_title", "genre|恋愛、冒険、推理"]),
        ("work_favorite", "お気に入りに登録した時", ["work_id:n|{1,900}", "work_title"]),
    ]
    rules = rules_of("media", rows)
    ids = constraint(rules, "work_open/work_id").values
    title, genre = constraint(rules, "work_open/work_title"), constraint(rules, "work_open/genre")
    assert all(isinstance(v, int) and 1 <= v <= 900 for v in ids)
    assert len(ids) >= 12
    assert title.depends_on == genre.depends_on == "work_id"
    assert {len(told) for told in (*title.mapping.values(), *genre.mapping.values())} == {1}
    assert len({told[0] for told in title.mapping.values()}) == len(ids)
    assert constraint(rules, "work_favorite/work_title").mapping == title.mapping
    assert {told[0] for told in genre.mapping.values()} == {"恋愛", "冒険", "推理"}
    assert language_of([str(told[0]) for told in title.mapping.values()]) == "ja"


def test_a_product_of_a_game_has_one_price() -> None:
    rows = [("iap_click", "", ["product_id", "product_name", "price:n|0.99, 4.99, 9.99"])]
    rules = rules_of("game", rows)
    price = constraint(rules, "iap_click/price")
    assert price.depends_on == "product_id"
    assert {told[0] for told in price.mapping.values()} == {0.99, 4.99, 9.99}


def test_an_attribute_hangs_on_the_id_only_where_that_stands_beside_it() -> None:
    rows = [
        ("event_join", "", ["activity_id", "activity_name", "activity_type|race, quiz"]),
        ("event_list", "", ["activity_type"]),
    ]
    rules = rules_of("game", rows)
    assert constraint(rules, "event_join/activity_type").depends_on == "activity_id"
    assert constraint(rules, "event_list/activity_type").values == ["race", "quiz"]


# --------------------------------------------------------------------------- texts


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("one of paid, free or trial", ("paid", "free", "trial")),
        ("Plan (free / pro / team)", ("free", "pro", "team")),
        ("등급 (일반 / 실버 / 골드)", ("일반", "실버", "골드")),
        ("일반, 골드, VIP 중 하나", ("일반", "골드", "VIP")),
        ("単発、10連のいずれか", ("単発", "10連")),
        ("種別（初級、中級、上級）", ("初級", "中級", "上級")),
        ("월·화·수", ("월", "화", "수")),
        ("Free | Gold | Platinum | Max", ("Free", "Gold", "Platinum", "Max")),
        ("Kind of seat: Window, Middle, Aisle", ("Window", "Middle", "Aisle")),
        ("either monthly or yearly", ("monthly", "yearly")),
    ],
)
def test_values_that_a_text_lists_in_words(text: str, values: tuple[str, ...]) -> None:
    found = values_in(Property(name="x", type=PropertyType.STRING), text)
    assert found is not None
    assert found.values == values


@pytest.mark.parametrize(
    "text",
    [
        "The plan, as it was before the change", "Fare (incl. tax, tip)", "Name and e-mail", "Typed text",
        "Sent when the user taps; see docs", "E-mail confirmed, account usable", "Net plus VAT",
        "Origin: where the user came from",
    ],
)  # fmt: skip
def test_texts_that_list_no_values(text: str) -> None:
    assert values_in(Property(name="x", type=PropertyType.STRING), text) is None


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("CSAT 1 to 5", (1, 5)), ("between 1 and 12", (1, 12)), ("0〜100", (0, 100)), ("1부터 5까지", (1, 5)),
        ("1から5まで", (1, 5)), ("at most 120", (None, 120)), ("최대 5개", (None, 5)), ("18+", (18, None)),
        ("120以下", (None, 120)),
        ("체류 시간, [30;240]", (30, 240)), ("[1;15] くらい", (1, 15)), ("(1..20)", (1, 20)),
        ("0.5 to 72", (0.5, 72)), ("zwischen 1 und 10", (1, 10)), ("höchstens 20", (None, 20)),
        ("2024-01-05", (None, None)), ("10:00-12:00", (None, None)),
        ("sent 3 times", (None, None)),
    ],
)  # fmt: skip
def test_limits_that_a_text_names(text: str, limits: tuple[float | None, float | None]) -> None:
    assert limits_in(text) == limits


# --------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("written", "least", "most", "whole"),
    [
        ("csat:n|CSAT 1 to 5", 1, 5, True),
        ("read_rate:n|진행률(%)", 0, 100, True),
        ("used_share:n|Used part, as a fraction", 0, 1, False),
        ("lowest_rate:n|Cheapest rate in EUR", 1, 500, False),
        ("ticket_price:n|결제 금액(원)", 1_000, 1_000_000, True),
        ("stars:n", 1, 5, True),
        ("time_fare:n|Fare for the time", 1, 500, False),
        ("cut_count:n|[40,120]", 40, 120, True),
        ("attempts:n|at most 5", 0, 5, True),
        ("shelf_height_cm:n", 1, 300, True),
        ("birth_year:n|18+ only", 1900, 2008, True),
        ("right_answers:n|out of 10", 0, 10, True),
        ("days_overdue:n|0 if on time, else 1 to 60", 0, 60, True),
    ],
)
def test_where_a_number_lies(written: str, least: float, most: float, *, whole: bool) -> None:
    rules = rules_of("other", [("thing_done", "", [written])])
    found = range_of(rules, f"thing_done/{written.partition(':')[0]}")
    assert least <= found.min
    assert found.max <= most
    assert found.integer == whole


def test_a_sum_reaches_as_far_as_the_prices_that_labels_tell() -> None:
    packs = "pack|Small (4.99 EUR), Large (1999 EUR)"
    rules = rules_of("other", [("pack_bought", "", [packs, "price:n|EUR", "qty:n|1-3", "total:n|price * qty"])])
    for name, most in (("price", 1999), ("total", 3 * 1999)):
        found = range_of(rules, f"pack_bought/{name}")
        assert (found.min, found.max) == pytest.approx((4.99, most))


# --------------------------------------------------------------------------- places, people, constants

TAXI = [
    ("trip_request", "", ["trip_id", "pickup_lat:n", "pickup_lng:n", "dropoff_lat:n", "dropoff_lng:n"]),
    ("trip_pay", "", ["trip_id", "driver_id", "currency|USD, KRW"]),
]
WHERE = ["city|Seoul, Busan, Boston", "country|KR, US"]


def test_a_city_and_a_currency_go_with_the_country() -> None:
    rules = rules_of("mobility", TAXI, common=WHERE)
    assert constraint(rules, "city").mapping == {"KR": ["Seoul", "Busan"], "US": ["Boston"]}
    assert constraint(rules, "trip_pay/currency").mapping == {"KR": ["KRW"], "US": ["USD"]}


def test_constants_of_a_user_do_not_change() -> None:
    rows = [("first_open", "", ["install_source|organic, paid", "gender|f, m", "birth_year:n"])]
    common = ["is_adult:b|Y/N", "is_wifi:b|Y/N", "os_type|Android/iOS", "os_name|android, ios"]
    rules = rules_of("media", rows, common=common, users=["gender|f, m", "birth_year:n"])
    assert constraint(rules, "is_adult").per_user
    assert not constraint(rules, "is_wifi").per_user
    assert constraint(rules, "os_type").copy_of == "#os"
    assert constraint(rules, "os_name").mapping == {"Android": ["android"], "iOS": ["ios"]}
    assert constraint(rules, "first_open/install_source").per_user
    assert constraint(rules, "first_open/gender").per_user
    assert constraint(rules, "first_open/birth_year").per_user


def test_invented_names_and_reasons_are_in_the_language_of_the_sheet() -> None:
    rows = [("raid_attack", "ボスを攻撃した時", ["boss_name"]), ("user_report", "通報した時", ["report_reason"])]
    rules = rules_of("game", rows)
    for key in ("raid_attack/boss_name", "user_report/report_reason"):
        values = [str(value) for value in constraint(rules, key).values]
        assert len(values) > 3
        assert not any(value.isascii() for value in values)


# --------------------------------------------------------------------------- values by labels


def test_labelled_values_go_with_the_property_that_decides() -> None:
    by_currency = OneOfEach(on="currency", values=(("USD", (0.99, 4.99)), ("KRW", (1200, 5900))))
    by_money = OneOfEach(on="money", values=(("gold", (100, 200)), ("gem", (1, 2))))
    kinds = {"pay": ("currency", ("USD", "KRW"), by_currency), "earn_reward": ("money", ("gold", "gem"), by_money)}
    events = [
        Event(
            name=name,
            properties=(
                Property(name=on, type=PropertyType.STRING, rule=OneOf(values=values)),
                Property(name="amount", type=PropertyType.NUMBER, rule=rule),
            ),
        )
        for name, (on, values, rule) in kinds.items()
    ]
    taxonomy = Taxonomy(name="sheet", events=tuple(events))
    rules = analyse(taxonomy, ProductInfo(industry="game"))
    assert problems(rules, taxonomy) == []
    paid, earned = constraint(rules, "pay/amount"), constraint(rules, "earn_reward/amount")
    assert (paid.depends_on, paid.mapping) == ("currency", {"USD": [0.99, 4.99], "KRW": [1200, 5900]})
    assert (earned.depends_on, earned.mapping) == ("money", {"gold": [100, 200], "gem": [1, 2]})
    assert (range_of(rules, "pay/amount").min, range_of(rules, "pay/amount").max) == (0.99, 5900)


DELIVERY: list[Row] = [
    ("app_start", "opened", []),
    ("route_start", "a route is begun", ["city|Seoul, Busan", "latitude:n", "longitude:n"]),
    (
        "route_finish",
        "a route is finished",
        ["route_minutes:n", "parcel_ids:l|as many as parcel_count", "parcel_count:n|1-9"],
    ),
    ("app_end", "closed", ["duration:n"]),
]


def test_numbers_follow_from_the_clock_the_city_and_the_number_beside() -> None:
    rules = rules_of("logistics", DELIVERY)
    assert (constraint(rules, "route_finish/route_minutes").elapsed, constraint(rules, "app_end/duration").elapsed) == (
        "flow",
        "session",
    )
    assert (constraint(rules, "route_finish/route_minutes").unit_s, constraint(rules, "app_end/duration").unit_s) == (
        60,
        1,
    )
    assert constraint(rules, "route_finish/parcel_ids").rows_by == "parcel_count"
    latitude = constraint(rules, "route_start/latitude")
    assert latitude.depends_on == "city"
    # Seoul lies at 37.6 degrees, Busan at 35.2.
    assert {city: round(float(found[0])) for city, found in latitude.mapping.items()} == {"Seoul": 38, "Busan": 35}


@pytest.mark.parametrize(
    ("written", "least", "most"), [(">= 3", 3, None), ("> 3", 4, None), ("<= 40", None, 40), ("< 40", None, 39)]
)
def test_one_bound_alone_holds(written: str, least: float | None, most: float | None) -> None:
    bounded = Property(name="crates", type=PropertyType.NUMBER, constraint=written)
    taxonomy = Taxonomy(name="sheet", events=(Event(name="load", properties=(bounded,)),))
    found = range_of(analyse(taxonomy, ProductInfo(industry="logistics")), "load/crates")
    assert least is None or found.min == least
    assert most is None or found.max == most
