"""What values the analyst gives to properties, on sheets of a few rows; expectations are what a person reads there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gamestats_assets.demo_data.analysis.meaning.measures import language_of, limits_in, values_in
from gamestats_assets.demo_data.rules.model import SEGMENTS, CounterRule, Rules
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, UpdateMode
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Balance,
    Between,
    CopyOf,
    Counter,
    Example,
    OneOf,
    OneOfEach,
    Rows,
    TrueFirst,
)
from gamestats_assets_tests.demo_data.analysis.analyst_sheets import constraint, event, prop, range_of, sound, taxonomy

Row = tuple[str, str, Sequence[str]]
"""Name, description and properties of an event."""


def rules_of(
    industry: str, rows: Sequence[Row], common: Sequence[str] = (), users: Sequence[str] = (), platform: str = "mobile"
) -> Rules:
    """Sound rules for a sheet."""
    events = (event(name, *properties, description=text) for name, text, properties in rows)
    told = tuple(prop(text, update=UpdateMode.SET_ONCE) for text in users)
    return sound(taxonomy(*events, common=tuple(common), users=told), industry, platform)


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


def test_later_events_of_a_life_recall_the_id_of_what_the_user_made() -> None:
    rules = rules_of("hr", HIRE)
    assert "applicationSubmitted" in sources(rules, "interviewScheduled/applicationId")
    assert "applicationSubmitted" in sources(rules, "offerMade/applicationId")
    assert sources(rules, "interviewCompleted/interviewId") == {"interviewScheduled"}
    assert sources(rules, "offerAccepted/offerId") == {"offerMade"}
    assert sources(rules, "offerDeclined/offerId") == {"offerMade"}
    for first in ("applicationSubmitted/applicationId", "interviewScheduled/interviewId", "offerMade/offerId"):
        assert not constraint(rules, first).recalls


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
    events = (
        event(name, prop(on, OneOf(values=values)), prop("amount:n", rule))
        for name, (on, values, rule) in kinds.items()
    )
    rules = sound(taxonomy(*events), "game")
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
    found = range_of(sound(taxonomy(event("load", prop("crates:n", constraint=written))), "logistics"), "load/crates")
    assert least is None or found.min == least
    assert most is None or found.max == most


# --------------------------------------------------------------------------- by the rules of the sheet, and by names


def test_rules_of_the_sheet_become_constraints() -> None:
    sheet = taxonomy(
        event(
            "login",
            prop("is_first_login:b", TrueFirst()),
            prop("task_type", OneOf(values=("daily", "weekly"))),
            prop("user", CopyOf(source="#account_id")),
            prop("tries:n", Counter(start=0, step=1, max=10)),
            prop("app_name", Example(text="Tiki BOOM")),
            prop("answers:g", Rows(count=7), properties=(prop("answer:n"),)),
        )
    )
    rules = sound(sheet)
    assert constraint(rules, "login/is_first_login").first_only
    assert constraint(rules, "login/task_type").values == ["daily", "weekly"]
    assert constraint(rules, "login/user").copy_of == "#account_id"
    assert constraint(rules, "login/tries").counter == CounterRule(start=0, step=1, max=10)
    assert constraint(rules, "login/app_name").values == ["Tiki BOOM"]
    assert constraint(rules, "login/answers").rows == 7


def test_a_balance_rises_where_something_is_got_and_falls_where_it_is_spent() -> None:
    bag = prop(
        "bag:g",
        properties=(
            prop("item_id:n"),
            prop("change:n"),
            prop("after:n", Balance(start=5000, source="bag.change", group_by="bag.item_id")),
        ),
    )
    rules = sound(taxonomy(event("resource_get", bag), event("resource_cost", bag)))
    for name, sign in (("resource_get", 1), ("resource_cost", -1)):
        assert constraint(rules, f"{name}/bag.after").counter == CounterRule(
            start=5000, source="bag.change", sign=1 if sign > 0 else -1, group_by="bag.item_id", shared="bag.after"
        )


def test_values_left_empty_are_those_of_the_same_name_elsewhere_and_repeat_within_a_sequence() -> None:
    sheet = taxonomy(
        event(
            "init_order", "order_id", prop("pay_type", OneOf(values=("card", "cash"))), prop("is_first:b", TrueFirst())
        ),
        event("payment", "order_id", "pay_type", "is_first:b", "duration:n"),
        event("refund", "pay_type"),
    )
    rules = sound(sheet)
    assert constraint(rules, "payment/pay_type").values == ["card", "cash"]
    assert constraint(rules, "payment/pay_type").same_as_before
    assert constraint(rules, "payment/order_id").same_as_before
    assert not constraint(rules, "init_order/order_id").same_as_before
    assert not constraint(rules, "payment/is_first").same_as_before
    assert not constraint(rules, "payment/duration").same_as_before
    assert constraint(rules, "refund/pay_type").values == ["card", "cash"]
    assert not constraint(rules, "refund/pay_type").same_as_before


def test_carriers_currencies_languages_and_cities_go_with_the_country() -> None:
    rules = sound(taxonomy("login", common=("country", "carrier", "currency", "language", "city")))
    carriers = constraint(rules, "carrier")
    assert carriers.depends_on == "country"
    assert len(carriers.mapping) >= 12
    assert "SKT" in carriers.mapping["KR"]
    assert "SoftBank" in carriers.mapping["JP"]
    assert constraint(rules, "currency").mapping["JP"] == ["JPY"]
    assert constraint(rules, "language").mapping["KR"] == ["ko"]
    assert "Seoul" in constraint(rules, "city").mapping["KR"]


def test_identifiers() -> None:
    rules = sound(
        taxonomy(
            event("order_create", "order_id", "item_id", "user_id", "device_id", "friend_id", "guild_id"),
            common=("server_id",),
        )
    )
    assert constraint(rules, "order_id").template == "order_{n}"
    assert rules.value_ranges["order_id"].max >= 1e6
    assert constraint(rules, "item_id").template == "item_{n}"
    assert rules.value_ranges["item_id"].max <= 1000
    assert constraint(rules, "user_id").copy_of == "#account_id"
    assert constraint(rules, "device_id").copy_of == "#distinct_id"
    assert constraint(rules, "friend_id").copy_of is None
    assert constraint(rules, "guild_id").per_user
    assert constraint(rules, "server_id").per_user


def test_flags() -> None:
    rules = sound(
        taxonomy(event("battle_end", prop("is_success:b"), prop("is_bot:b"), prop("flag:b", alias="최초 여부")))
    )
    success, bot = constraint(rules, "is_success"), constraint(rules, "is_bot")
    assert dict(zip(success.values, success.weights, strict=True))[True] > 0.5
    assert dict(zip(bot.values, bot.weights, strict=True))[True] < 0.2
    assert constraint(rules, "flag").first_only


def test_channels_and_systems_are_those_of_the_platform() -> None:
    sheet = taxonomy("login", common=("os", "channel"))
    assert "iOS" in constraint(sound(sheet, platform="mobile"), "os").values
    assert "Windows" in constraint(sound(sheet, platform="pc"), "os").values
    assert constraint(sound(sheet, platform="pc"), "channel") != constraint(sound(sheet), "channel")


# --------------------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [
        (prop("rate:n", Between(min=0.25, max=0.75, integer=False)), 0.25, 0.75),
        (prop("level:n", constraint="1-150"), 1, 150),
        (prop("level:n", constraint="10~20"), 10, 20),
        (prop("price:n", OneOf(values=(6, 15, 648))), 6, 648),
        (prop("step:n", Counter(start=0, step=1, max=10)), 0, 10),
    ],
)
def test_limits_of_the_sheet_hold_in_every_segment(given: Property, low: float, high: float) -> None:
    rules = sound(taxonomy(event("play", given)))
    name = given.name
    assert (rules.value_ranges[name].min, rules.value_ranges[name].max) == (low, high)
    for segment in SEGMENTS:
        found = rules.segment_analysis[segment].property_ranges[name]
        assert low <= found.min <= found.max <= high


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("rating:n", 1, 5),
        ("age:n", 10, 100),
        ("heart_rate:n", 30, 220),
        ("click_rate:n", 0, 1),
        ("progress_percent:n", 0, 100),
        ("level:n", 1, 1000),
        ("duration_minutes:n", 0, 1440),
        ("height:n", 100, 250),
        ("sleep_hours:n", 0, 24),
        ("month:n", 1, 12),
    ],
)
def test_numbers_lie_where_their_names_say(name: str, low: float, high: float) -> None:
    found = sound(taxonomy(event("tell", name))).value_ranges[name.removesuffix(":n")]
    assert low <= found.min < found.max <= high


@pytest.mark.parametrize("name", ["level", "xp", "gold", "vip_level", "total_spent", "login_count", "score", "price"])
def test_what_grows_with_engagement_is_larger_for_the_keenest(name: str) -> None:
    segments = sound(taxonomy("login", users=(f"{name}:n",))).segment_analysis
    new, active, power = (segments[s].property_ranges[name].mean for s in ("new_user", "active_user", "power_user"))
    assert new is not None
    assert active is not None
    assert power is not None
    assert new < active < power


def test_the_same_name_with_other_limits_has_its_own_range() -> None:
    short, long = Between(min=30, max=450, integer=False), Between(min=60, max=7200, integer=False)
    rules = sound(
        taxonomy(
            event("stage_clear", prop("#duration:n", short)),
            event("stage_fail", prop("#duration:n", short)),
            event("app_end", prop("#duration:n", long)),
        )
    )
    assert (rules.value_ranges["#duration"].min, rules.value_ranges["#duration"].max) == (30, 450)
    assert (rules.value_ranges["app_end/#duration"].min, rules.value_ranges["app_end/#duration"].max) == (60, 7200)
