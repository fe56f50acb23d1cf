"""The analyst, on taxonomies of a few rows each, and the check of rules; expectations are what a person reads there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.analysis.lexicon import concepts
from gamestats_assets.demo_data.generator.generate import generate
from gamestats_assets.demo_data.rules.configuration import Configuration, ProductInfo
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import (
    SEGMENTS,
    Activity,
    CounterRule,
    EventConstraints,
    EventSequence,
    LifecycleStage,
    PropertyConstraint,
    PropertyRelationship,
    Rules,
    SegmentAnalysis,
    Step,
    Update,
    ValueRange,
)
from gamestats_assets.demo_data.rules.soundness import RulesError, problems, require_sound
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy, UpdateMode
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
    ValueRule,
)

GAME = ProductInfo(industry="game")
SHOP = ProductInfo(industry="ecommerce", platform="web")
SAAS = ProductInfo(industry="saas", platform="web")
TYPES = {
    "": PropertyType.STRING,
    "n": PropertyType.NUMBER,
    "b": PropertyType.BOOLEAN,
    "t": PropertyType.TIME,
    "g": PropertyType.OBJECT_GROUP,
}


def prop(text: str, rule: ValueRule | None = None, **more: object) -> Property:
    """`price:n` is a number, `name` a text."""
    name, _, kind = text.partition(":")
    return Property.model_validate({"name": name, "type": TYPES[kind], "rule": rule, **more})


def event(name: str, *properties: str | Property, alias: str = "", description: str = "", tag: str = "") -> Event:
    """An event with its properties."""
    return Event(
        name=name,
        alias=alias,
        description=description,
        tag=tag,
        properties=tuple(p if isinstance(p, Property) else prop(p) for p in properties),
    )


def taxonomy(*events: str | Event, common: tuple = (), users: tuple = ()) -> Taxonomy:
    """A taxonomy of some events."""
    return Taxonomy(
        name="sheet",
        events=tuple(e if isinstance(e, Event) else event(e) for e in events),
        common_properties=tuple(p if isinstance(p, Property) else prop(p) for p in common),
        user_properties=tuple(p if isinstance(p, Property) else prop(p) for p in users),
    )


def sound(sheet: Taxonomy, product: ProductInfo = GAME) -> Rules:
    """The analyst's rules, which never have problems."""
    rules = analyse(sheet, product)
    assert problems(rules, sheet) == []
    return rules


def steps(rules: Rules, one_event: str) -> list[list[str]]:
    """Events of each step of the sequence that an event is in."""
    for sequence in rules.event_constraints.sequences:
        if any(one_event in step.events for step in sequence.steps):
            return [step.events for step in sequence.steps]
    return []


def step_of(rules: Rules, one_event: str) -> Step:
    """The step that an event is in."""
    return next(s for q in rules.event_constraints.sequences for s in q.steps if one_event in s.events)


def needs(rules: Rules, one_event: str) -> list[str]:
    """What must have happened before an event."""
    return rules.event_constraints.prerequisites.get(one_event, [])


# --------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("names", "meaning"),
    [
        (
            ["stage_clear", "ta_stage_clear", "StageCleared", "Stage Cleared", "스테이지 클리어", "ステージクリア"],
            ("stage", "clear"),
        ),
        (["add_to_cart", "addToCart", "Add To Cart", "addtocart", "추가 장바구니"], ("add", "cart")),
        (["sign_up", "Signed Up", "register", "registration", "회원가입", "create_account"], ("register",)),
        (["payment_success", "PaymentSucceeded", "결제 성공", "결제성공", "決済成功"], ("pay", "success")),
        (["log_in", "login", "Logged In", "signin", "로그인"], ("login",)),
        (["앱시작", "app_start", "アプリ開始"], ("app", "start")),
    ],
)
def test_spellings_and_languages_mean_the_same(names: list[str], meaning: tuple[str, ...]) -> None:
    assert {name: concepts(name) for name in names} == dict.fromkeys(names, meaning)


# --------------------------------------------------------------------------- sequences


def test_an_end_comes_after_every_outcome() -> None:
    rules = sound(taxonomy("battle_start", "battle_win", "battle_lose", "battle_end"))
    assert steps(rules, "battle_end") == [["battle_start"], ["battle_win", "battle_lose"], ["battle_end"]]
    assert step_of(rules, "battle_end").follows == []


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (["battle_fail", "battle_win", "battle_start"], [["battle_start"], ["battle_fail", "battle_win"]]),
        (["LevelStart", "LevelComplete", "LevelQuit"], [["LevelStart"], ["LevelComplete", "LevelQuit"]]),
        (
            ["kyc_start", "kyc_submit", "kyc_approved", "kyc_rejected"],
            [["kyc_start"], ["kyc_submit"], ["kyc_approved", "kyc_rejected"]],
        ),
        (["upload_start", "upload_complete", "upload_error"], [["upload_start"], ["upload_complete", "upload_error"]]),
        (
            ["ride_request", "driver_matched", "ride_start", "ride_complete", "ride_cancel"],
            [["ride_request"], ["driver_matched"], ["ride_start"], ["ride_complete", "ride_cancel"]],
        ),
        (["ad_request", "ad_impression", "ad_click"], [["ad_request"], ["ad_impression"], ["ad_click"]]),
        (["push_sent", "push_open"], [["push_sent"], ["push_open"]]),
        (["share", "share_click", "share_install"], [["share"], ["share_click"], ["share_install"]]),
        (["course_view", "course_enroll"], [["course_view"], ["course_enroll"]]),
        (["plan_view", "subscription_start"], [["plan_view"], ["subscription_start"]]),
    ],
)
def test_processes_and_funnels_by_name_in_whatever_order_they_stand(
    events: list[str], expected: list[list[str]]
) -> None:
    rules = sound(taxonomy(*events), ProductInfo(industry="other"))
    assert steps(rules, expected[-1][0]) == expected


def test_an_alias_tells_what_the_name_does_not() -> None:
    rules = sound(
        taxonomy(
            event("init_order", alias="결제 시도"),
            event("payment", alias="결제 성공"),
            event("payment_fail", alias="결제 실패"),
        )
    )
    assert steps(rules, "payment") == [["init_order"], ["payment", "payment_fail"]]
    unnamed = taxonomy(
        event("evt_01", alias="전투 시작"), event("evt_02", alias="전투 승리"), event("evt_03", alias="전투 패배")
    )
    assert steps(sound(unnamed), "evt_01") == [["evt_01"], ["evt_02", "evt_03"]]


def test_what_lasts_longer_than_a_session_is_no_sequence() -> None:
    rules = sound(taxonomy("guild_join", "guild_leave", "friend_request", "friend_add", "trial_start", "trial_end"))
    assert rules.event_constraints.sequences == []


def test_a_games_own_shop_is_apart_from_real_payments() -> None:
    rules = sound(taxonomy("enter_shop", "shop_buy", "payment_attempt", "payment_success"))
    assert steps(rules, "shop_buy") == [["enter_shop"], ["shop_buy"]]
    assert steps(rules, "payment_success") == [["payment_attempt"], ["payment_success"]]


@pytest.mark.parametrize(
    ("rule", "repeats"),
    [(Counter(start=0, step=1, max=10), 10), (Between(min=1, max=7, integer=True), 7), (None, 5)],
)
def test_a_tutorial_that_counts_its_steps_repeats(rule: ValueRule | None, repeats: int) -> None:
    rules = sound(taxonomy("register", event("guide_complete", prop("guide_step:n", rule))))
    (sequence,) = rules.event_constraints.sequences
    assert (sequence.kind, sequence.steps[0].events, sequence.steps[0].repeats) == (
        "onboarding",
        ["guide_complete"],
        repeats,
    )


def test_a_sign_up_in_several_steps_is_an_onboarding() -> None:
    rules = sound(taxonomy("signup_start", "phone_verify", "signup_complete", "profile_setup", "home_view"), SHOP)
    assert steps(rules, "signup_start") == [["signup_start"], ["phone_verify"], ["signup_complete"], ["profile_setup"]]
    assert rules.event_constraints.sequences[0].kind == "onboarding"


# --------------------------------------------------------------------------- prerequisites


@pytest.mark.parametrize(
    ("earlier", "later", "description"),
    [
        ("card_ordered", "card_activated", "The ordered card was activated"),
        ("card_ordered", "card_painted", "A card that had been ordered is painted"),
        ("club_join", "prize_draw", "A prize is drawn in a club that he or she joined"),
        ("stay_begin", "stay_halve", "The running stay is made shorter"),
        ("ticket_opened", "ticket_coloured", "Somebody colours an open ticket"),
        ("ticket_resolved", "stars_given", "The member gives stars after the ticket was resolved"),
        ("flight_board", "hat_lost", "The passenger loses a hat after boarding the flight"),
        ("checkout_start", "ribbon_tied", "A ribbon is tied around it during the checkout"),
        ("truce_proposed", "truce_signed", "The proposed truce is signed by both"),
        ("view_timetable", "bell_ring", "A bell is rung; requires view_timetable"),
        ("view_timetable", "bell_ring", "A bell. Prerequisites: the nap and view_timetable"),
        ("view_timetable", "bell_ring", "종을 울리면 전송. view_timetable 이후 가능"),
        ("guild_join", "altar_light", "길드에 가입해야 사용 가능"),
        ("guild_join", "altar_light", "소속 길드의 제단에 불을 켰을 때 전송"),
        ("course_enroll", "pen_pick", "수강 신청한 코스의 펜을 고를 때 전송"),
        ("character_create", "prologue_roll", "캐릭터 생성 후 프롤로그가 나올 때 전송"),
        ("deposit", "hat_trade", "모자를 거래하면 전송. 입금 후 가능"),
    ],
)
def test_descriptions_tell_what_has_happened_before(earlier: str, later: str, description: str) -> None:
    rules = sound(taxonomy(event(later, description=description), "nap", earlier), ProductInfo(industry="other"))
    assert earlier in needs(rules, later)


@pytest.mark.parametrize(
    ("other", "name", "description"),
    [
        ("battle_end", "arena_visit", "Sent after the battle has ended"),
        ("battle_end", "arena_visit", "전투 종료 후 전송"),
        ("premium_subscribe", "premium_page_look", "The page that offers the premium subscription is shown"),
        ("order_pay", "order_dream", "Somebody dreams of an order before it is paid"),
    ],
)
def test_descriptions_that_tell_of_the_event_itself_or_of_what_may_come(
    other: str, name: str, description: str
) -> None:
    rules = sound(taxonomy(other, event(name, description=description)), ProductInfo(industry="other"))
    assert other not in needs(rules, name)


def test_balances_and_boards_are_seen_by_those_with_an_account_and_prices_by_all() -> None:
    sheet = taxonomy("sign_up", "balance_view", "pricing_view")
    assert "sign_up" in needs(sound(sheet, ProductInfo(industry="banking")), "balance_view")
    assert "sign_up" not in needs(sound(sheet, ProductInfo(industry="banking")), "pricing_view")
    assert "sign_up" not in needs(sound(sheet, SHOP), "balance_view")


def test_who_browses_needs_no_account_in_a_shop_but_in_a_game() -> None:
    sheet = taxonomy("app_start", "sign_up", "view_product", "add_to_cart")
    assert "sign_up" not in needs(sound(sheet, SHOP), "view_product")
    assert "sign_up" in needs(sound(sheet, SHOP), "add_to_cart")
    assert "sign_up" in needs(sound(sheet, GAME), "view_product")


# --------------------------------------------------------------------------- lives and sessions


def test_sessions_begin_with_the_app_and_end_with_it() -> None:
    rules = sound(taxonomy("role_logout", "role_login", "login", "app_end", "logout", "ta_app_start", "create_role"))
    assert rules.event_constraints.session_start == ["ta_app_start", "login", "role_login"]
    assert rules.event_constraints.session_end == ["role_logout", "logout", "app_end"]


def test_once_in_a_life() -> None:
    sheet = taxonomy(
        "app_install",
        "new_device",
        "register",
        "create_role",
        "first_purchase",
        "purchase",
        "kyc_approved",
        "trial_start",
        event("welcome_gift", description="Sent only once"),
        "level_up",
        "login",
        "uninstall",
    )
    assert sound(sheet).event_constraints.once == [
        "app_install",
        "new_device",
        "register",
        "create_role",
        "first_purchase",
        "kyc_approved",
        "trial_start",
        "welcome_gift",
        "uninstall",
    ]


def test_stages_of_a_life() -> None:
    rules = sound(
        taxonomy(
            "install",
            "app_start",
            "register",
            "tutorial_start",
            "tutorial_complete",
            "stage_clear",
            "arena_match",
            "guild_join",
        )
    ).event_constraints
    assert rules.stage_events == {
        "install": LifecycleStage.INSTALLED,
        "app_start": LifecycleStage.FIRST_SESSION,
        "register": LifecycleStage.REGISTERED,
        "tutorial_start": LifecycleStage.ONBOARDING_STARTED,
        "tutorial_complete": LifecycleStage.ONBOARDING_COMPLETED,
    }
    assert rules.lifecycle["install"] is LifecycleStage.INSTALLED
    assert rules.lifecycle["tutorial_start"] is LifecycleStage.FIRST_SESSION
    assert rules.lifecycle["stage_clear"] is LifecycleStage.ONBOARDING_COMPLETED
    assert rules.lifecycle["guild_join"] is LifecycleStage.ACTIVE
    assert rules.lifecycle["arena_match"] is LifecycleStage.ADVANCED


@pytest.mark.parametrize(
    "name", ["pvp_match", "raid_enter", "guild_war", "API Key Created", "report_export", "admin_setting"]
)
def test_demanding_features_come_late(name: str) -> None:
    assert sound(taxonomy("app_start", "register", name)).event_constraints.lifecycle[name] is LifecycleStage.ADVANCED


def test_reports_are_not_of_users() -> None:
    sheet = taxonomy(
        event("facebook_ad_data", "campaign_name", "impressions:n", "clicks:n", "amount_spent:n"),
        event("cost", "media_source", "campaign", "total_cost:n"),
        event("current_online", "online_user:n", alias="접속자 수"),
        event("rank", "rank_type", description="특정 시간 간격마다 전송"),
        event("ad_revenue", prop("user_id", CopyOf(source="#account_id")), "campaign", "revenue:n", "impressions:n"),
        event("resource_cost", "reason", "amount:n"),
        event("rank_view"),
    )
    rules = sound(sheet)
    assert rules.event_constraints.not_of_users == ["facebook_ad_data", "cost", "current_online", "rank"]
    for segment in rules.segment_analysis.values():
        assert set(segment.event_probabilities) == {"ad_revenue", "resource_cost", "rank_view"}


@pytest.mark.parametrize(
    "description",
    [
        "Sent by the game server every five minutes",
        "Imported from the networks every night",
        "Load of the machines; not caused by any player",
        "The hourly rates of the market feed",
        "It belongs to no member",
        "서버가 5분마다 전송하는 값",
        "유저의 행동이 아니며 주기적으로 전송",
    ],
)
def test_descriptions_tell_what_no_user_does(description: str) -> None:
    sheet = taxonomy("login", event("pulse", description=description), event("wave", description="A player waves"))
    assert sound(sheet).event_constraints.not_of_users == ["pulse"]


# --------------------------------------------------------------------------- values


def constraint(rules: Rules, key: str) -> PropertyConstraint:
    """What holds for a property of an event."""
    constraints = rules.property_constraints
    return constraints.get(key) or constraints.get(key.rpartition("/")[2]) or PropertyConstraint()


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


def test_an_outcome_tells_results_that_fit_it() -> None:
    both = OneOf(values=("승리", "패배"))
    rules = sound(
        taxonomy(
            event("arena", prop("result", both)),
            event("battle_start"),
            event("battle_win", "result"),
            event("battle_fail", "result"),
        )
    )
    assert constraint(rules, "arena/result").values == ["승리", "패배"]
    assert constraint(rules, "battle_win/result").values == ["승리"]
    assert constraint(rules, "battle_fail/result").values == ["패배"]


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
    assert "iOS" in constraint(sound(sheet, ProductInfo(platform="mobile")), "os").values
    assert "Windows" in constraint(sound(sheet, ProductInfo(platform="pc")), "os").values
    assert constraint(sound(sheet, ProductInfo(platform="pc")), "channel") != constraint(sound(sheet, GAME), "channel")


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


@pytest.mark.parametrize(
    "name",
    [
        "level",
        "xp",
        "gold",
        "combat_power",
        "vip_level",
        "total_spent",
        "login_count",
        "stage",
        "playtime",
        "score",
        "price",
    ],
)
def test_what_grows_with_engagement_is_larger_for_the_keenest(name: str) -> None:
    segments = sound(taxonomy("login", users=(f"{name}:n",))).segment_analysis
    new, active, power = (segments[s].property_ranges[name].mean for s in ("new_user", "active_user", "power_user"))
    assert new is not None
    assert active is not None
    assert power is not None
    assert new < active < power


def test_every_number_has_a_range_in_every_segment() -> None:
    sheet = taxonomy(
        event("a", "x:n", prop("bag:g", properties=(prop("n:n"),))),
        event("b", prop("x:n", Between(min=1, max=3, integer=True))),
        common=("y:n",),
        users=("z:n",),
    )
    rules = sound(sheet)
    for name in ("x", "bag.n", "y", "z"):
        assert name in rules.value_ranges
        assert all(name in segment.property_ranges for segment in rules.segment_analysis.values())


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


# --------------------------------------------------------------------------- formulas


def reckon(rules: Rules, key: str, values: dict[str, float], share: float = 0.5) -> float:
    """What a formula gives."""
    relationships = rules.property_relationships
    found = relationships.get(key) or relationships[key.rpartition("/")[2]]
    assert found.formula is not None
    assert set(found.depends_on) == parse_formula(found.formula).names
    return float(parse_formula(found.formula).evaluate(values, lambda _: np.array(share)))


@pytest.mark.parametrize(
    ("numbers", "name", "values", "result"),
    [
        ("price quantity total_price", "total_price", {"price": 12, "quantity": 3}, 36),
        (
            "unit_price qty discount_amount total_amount",
            "total_amount",
            {"unit_price": 10, "qty": 3, "discount_amount": 5},
            25,
        ),
        ("price quantity discount_amount total", "total", {"price": 1, "quantity": 3, "discount_amount": 5}, 0),
        (
            "subtotal shipping_fee tax total_amount",
            "total_amount",
            {"subtotal": 100, "shipping_fee": 7, "tax": 10},
            117,
        ),
        ("price_per_night nights total_price", "total_price", {"price_per_night": 80, "nights": 4}, 320),
        ("original_price discount_rate final_price", "final_price", {"original_price": 200, "discount_rate": 15}, 170),
        ("height weight bmi", "bmi", {"height": 175, "weight": 70}, 22.9),
        ("duration_minutes calories_burned", "calories_burned", {"duration_minutes": 30}, 260),
        ("amount fee", "fee", {"amount": 2500}, 25),
        ("correct_count question_count accuracy", "accuracy", {"correct_count": 15, "question_count": 20}, 75),
        ("level level_before", "level_before", {"level": 8}, 7),
        ("old_level new_level", "old_level", {"new_level": 8}, 7),
        ("coin_before get_coin coin_after", "coin_after", {"coin_before": 100, "get_coin": 30}, 130),
        (
            "token_before token_consume_amount token_after",
            "token_after",
            {"token_before": 100, "token_consume_amount": 30},
            70,
        ),
        ("kills deaths assists kda", "kda", {"kills": 6, "deaths": 2, "assists": 4}, 5),
    ],
)
def test_numbers_that_follow_from_others(numbers: str, name: str, values: dict[str, float], result: float) -> None:
    sheet = taxonomy(event("tell", *(f"{number}:n" for number in numbers.split())))
    assert reckon(sound(sheet, ProductInfo(industry="health")), f"tell/{name}", values) == pytest.approx(
        result, abs=0.05
    )


def test_values_that_the_sheet_lists_follow_no_formula() -> None:
    sheet = taxonomy(event("buy", "price:n", "quantity:n", prop("total_price:n", OneOf(values=(5, 10)))))
    assert "total_price" not in sound(sheet).property_relationships


def test_ranges_reach_as_far_as_formulas_do() -> None:
    limits = {"price": Between(min=2, max=10, integer=True), "quantity": Between(min=1, max=4, integer=True)}
    sheet = taxonomy(event("buy", *(prop(f"{name}:n", rule) for name, rule in limits.items()), "total_price:n"))
    rules = sound(sheet, SHOP)
    assert (rules.value_ranges["total_price"].min, rules.value_ranges["total_price"].max) == (2, 40)
    bounded = taxonomy(
        event(
            "buy",
            *(prop(f"{n}:n", r) for n, r in limits.items()),
            prop("total_price:n", Between(min=5, max=30, integer=True)),
        )
    )
    found = sound(bounded, SHOP).value_ranges["total_price"]
    assert (found.min, found.max) == (5, 30)


# --------------------------------------------------------------------------- updates


@pytest.mark.parametrize(
    ("rule", "update"),
    [
        (FromEvent(event="payment", property="#time", aggregate="cnt"), Update(type="increment", value=1)),
        (FromEvent(event="payment", property="amount", aggregate="sum"), Update(type="increment", value="{{amount}}")),
        (
            FromEvent(event="payment", property="#time", aggregate="daycnt"),
            Update(type="increment", value=1, once_per_day=True),
        ),
        (FromEvent(event="payment", property="amount", aggregate="last"), Update(type="set", value="{{amount}}")),
        (FromEvent(event="payment", property="amount", aggregate="equal"), Update(type="set", value="{{amount}}")),
        (FromEvent(event="payment", property="amount", aggregate="first"), Update(type="set_once", value="{{amount}}")),
        (
            FromEvent(event="payment", property="bag.n", aggregate="equal", where_key="2"),
            Update(type="set", value="{{bag[2].n}}"),
        ),
    ],
)
def test_updates_that_the_sheet_asks_for(rule: FromEvent, update: Update) -> None:
    bag = prop("bag:g", properties=(prop("id:n"), prop("n:n")))
    rules = sound(taxonomy(event("payment", "amount:n", bag), users=(prop("told:n", rule),)))
    assert rules.update_patterns == {"payment": {"told": update}}


def test_what_events_do_to_users_by_name() -> None:
    sheet = taxonomy(
        "register",
        "login",
        event("level_up", "new_level:n"),
        event("stage_start", "stage_id"),
        event("stage_clear", "reward_gold:n"),
        event("item_buy", "cost_gold:n"),
        event("purchase", "price:n", "product_id"),
        event("purchase_failed", "price:n"),
        event("subscribe", "plan"),
        "subscription_cancel",
        event("guild_join", "guild_id"),
        "guild_leave",
        users=(
            "register_time:t",
            "last_login_time:t",
            "login_count:n",
            "level:n",
            "gold:n",
            "total_spent:n",
            "purchase_count:n",
            "first_purchase_time:t",
            "plan",
            "guild_id",
            "is_subscriber:b",
            prop("total_login_days:n", update=UpdateMode.ADD),
        ),
    )
    updates = sound(sheet).update_patterns
    assert updates["register"]["register_time"] == Update(type="set_once", value="{{#time}}")
    assert updates["login"]["last_login_time"] == Update(type="set", value="{{#time}}")
    assert updates["login"]["login_count"] == Update(type="increment", value=1)
    assert updates["login"]["total_login_days"] == Update(type="increment", value=1, once_per_day=True)
    assert updates["level_up"]["level"] == Update(type="set", value="{{new_level}}")
    assert updates["stage_clear"]["gold"] == Update(type="increment", value="{{reward_gold}}")
    assert updates["item_buy"]["gold"] == Update(type="decrement", value="{{cost_gold}}")
    assert updates["purchase"]["total_spent"] == Update(type="increment", value="{{price}}")
    assert updates["purchase"]["purchase_count"] == Update(type="increment", value=1)
    assert updates["purchase"]["first_purchase_time"] == Update(type="set_once", value="{{#time}}")
    assert "purchase_failed" not in updates
    assert updates["subscribe"]["plan"] == Update(type="set", value="{{plan}}")
    assert updates["subscribe"]["is_subscriber"] == Update(type="set", value=True)
    assert updates["subscription_cancel"]["is_subscriber"] == Update(type="set", value=False)
    assert updates["guild_join"]["guild_id"] == Update(type="set", value="{{guild_id}}")
    assert updates["guild_leave"]["guild_id"] == Update(type="set", value="")


# --------------------------------------------------------------------------- segments

PLAY = taxonomy("app_start", "register", "stage_start", "stage_clear", "stage_fail", "pvp_match", "purchase", "app_end")


def test_work_is_done_on_weekdays_in_office_hours_and_games_are_played_in_the_evening() -> None:
    work = sound(PLAY, SAAS).segment_analysis["active_user"].activity
    play = sound(PLAY, GAME).segment_analysis["active_user"].activity
    assert min(work.weekday_weights[:5]) > 2 * max(work.weekday_weights[5:])
    assert min(play.weekday_weights[5:]) > max(play.weekday_weights[:4])
    assert 9 <= work.hour_weights.index(max(work.hour_weights)) <= 17
    assert 19 <= play.hour_weights.index(max(play.hour_weights)) <= 23


def test_every_event_of_users_has_a_probability_in_every_segment() -> None:
    for segment in sound(PLAY).segment_analysis.values():
        assert set(segment.event_probabilities) == set(PLAY.event_names())


def test_what_new_and_keen_users_do() -> None:
    segments = sound(PLAY).segment_analysis
    new, active, power = (segments[s].event_probabilities for s in ("new_user", "active_user", "power_user"))
    assert new["purchase"] < active["purchase"] < power["purchase"]
    assert new["pvp_match"] < active["pvp_match"] < power["pvp_match"]
    assert segments["active_user"].event_sequence == ["stage_start", "stage_clear"]


@pytest.mark.parametrize(
    ("spelling", "industry"),
    [
        ("E-commerce", "ecommerce"),
        ("shopping mall", "ecommerce"),
        ("쇼핑", "ecommerce"),
        ("B2B SaaS", "saas"),
        ("health_fitness", "health"),
        ("mobile game", "game"),
        ("fintech", "banking"),
    ],
)
def test_industries_as_people_write_them(spelling: str, industry: str) -> None:
    assert analyse(PLAY, ProductInfo(industry=spelling)) == analyse(PLAY, ProductInfo(industry=industry))


def test_a_product_of_an_unheard_of_industry_is_taken_for_what_its_events_speak_of() -> None:
    lessons = taxonomy("course_view", "lesson_start", "lesson_complete", "quiz_start", "quiz_submit")
    assert analyse(lessons, ProductInfo(industry="violin")) == analyse(lessons, ProductInfo(industry="education"))
    assert analyse(lessons, ProductInfo(industry="saas")) != analyse(lessons, ProductInfo(industry="education"))


# --------------------------------------------------------------------------- the whole


def test_the_same_sheet_always_gives_the_same_rules_and_doubts() -> None:
    assert analyse(PLAY, GAME) == analyse(PLAY, GAME)
    code = (
        "import hashlib, sys\n"
        "from gamestats_assets.demo_data.analysis.analyst import analysed\n"
        "from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy\n"
        "from gamestats_assets_tests.demo_data.expectations import PRODUCTS\n"
        "from gamestats_assets_tests.demo_data.sheets import FOLDERS\n"
        "from gamestats_assets_tests.demo_data.test_analyst import SHOP, analyse, event, taxonomy\n"
        "paid = event('purchase', 'order_id', 'price:n', 'count:n', 'total:n')\n"
        "sheet = taxonomy('register', 'search', 'view_item', 'add_to_cart', paid, 'refund', 'guild_join', 'guild_war',"
        " 'pvp_start', 'pvp_win', 'pvp_lose', users=('total_spent:n', 'level:n', 'xp:n'))\n"
        "rules, doubts = analysed(read_taxonomy(FOLDERS['gacha']), PRODUCTS['gacha'])\n"
        "told = analyse(sheet, SHOP).model_dump_json() + rules.model_dump_json() + repr(doubts)\n"
        "print(hashlib.sha256(told.encode()).hexdigest())"
    )
    root = Path(__file__).resolve().parents[2]
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
    assert len(answers.pop().strip()) == hashlib.sha256().digest_size * 2


_WORDS_TEXT = """
app start end install register login tutorial step stage battle win fail clear cancel purchase order payment cart
add view product search shop buy item get use equip guild join leave create delete level up pvp raid friend request
subscribe trial renew refund review video play pause complete course lesson quiz kyc submit approve transfer
deposit share click push sent open first resume filter result accept reject deliver enroll page screen ticket card
1 2 결제 시작
"""
_WORDS = st.sampled_from(_WORDS_TEXT.split())
_PROPERTIES_TEXT = """
price quantity total_amount discount_rate order_id item_id level level_before xp gold reward_gold cost_amount
duration stage is_first result fail_reason country carrier guild_id user_name email power bmi weight height change
after before step
"""
_PROPERTIES = st.sampled_from(_PROPERTIES_TEXT.split())
_RULES = st.sampled_from(
    [
        None,
        None,
        None,
        Between(min=0, max=5, integer=True),
        Between(min=0.5, max=2.25, integer=False),
        OneOf(values=(1, 2)),
        Counter(start=1, step=1, max=9),
        SharedCounter(step=1),
        Balance(start=5, source="change", group_by=None),
        FromEvent(event="login", property="#time", aggregate="cnt"),
    ]
)


@st.composite
def _some_properties(draw: st.DrawFn) -> tuple[Property, ...]:
    names = draw(st.lists(_PROPERTIES, unique=True, max_size=5))
    made = []
    for name in names:
        type_ = draw(
            st.sampled_from([PropertyType.NUMBER, PropertyType.NUMBER, PropertyType.STRING, PropertyType.BOOLEAN])
        )
        rule = draw(_RULES) if type_ is PropertyType.NUMBER else None
        made.append(Property(name=name, type=type_, rule=rule))
    return tuple(made)


_DONE = st.sampled_from(
    ["ordered", "started", "opened", "accepted", "cancelled", "created", "joined", "paid", "sent", "running", "paused"]
)
_THINGS = st.sampled_from(
    ["order", "card", "ticket", "stage", "battle", "guild", "course", "payment", "product", "page"]
)


@st.composite
def _descriptions(draw: st.DrawFn) -> str:
    done, later, thing, other = draw(_DONE), draw(_DONE), draw(_THINGS), draw(_THINGS)
    return draw(
        st.sampled_from(
            [
                *("", "", "", f"The {done} {thing} is {later}", f"A {thing} that was {done} is {later}"),
                *(f"The {other} is {later} after the {thing} was {done}", f"The {thing} on the screen is {done}"),
                *(f"A {thing} is {done} at the {other} page", "Sent by the server every minute", "최초 1회"),
                *("결제한 주문을 취소했을 때 전송", "길드에 가입해야 입장 가능", "스테이지 시작 후 전투가 열릴 때"),
            ]
        )
    )


@st.composite
def _sheets(draw: st.DrawFn) -> Taxonomy:
    names = draw(
        st.lists(
            st.lists(_WORDS, min_size=1, max_size=3, unique=True).map("_".join), min_size=1, max_size=25, unique=True
        )
    )
    return Taxonomy(
        name="random",
        events=tuple(
            Event(name=name, description=draw(_descriptions()), properties=draw(_some_properties())) for name in names
        ),
        common_properties=draw(_some_properties()),
        user_properties=draw(_some_properties()),
    )


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(_sheets(), st.sampled_from(["game", "ecommerce", "saas", "education", "gardening"]))
def test_any_sheet_gives_sound_rules_whose_orders_agree(sheet: Taxonomy, industry: str) -> None:
    rules = analyse(sheet, ProductInfo(industry=industry))
    assert problems(rules, sheet) == []
    assert Rules.model_validate_json(rules.model_dump_json()) == rules
    constraints = rules.event_constraints
    for sequence in constraints.sequences:
        place = {name: number for number, step in enumerate(sequence.steps) for name in step.events}
        for name in place:
            waiting, seen = [name], set[str]()
            while waiting:
                for before in constraints.prerequisites.get(waiting.pop(), []):
                    if before not in seen:
                        seen.add(before)
                        waiting.append(before)
            assert all(place[before] < place[name] for before in seen if before in place)
    heads = {name for sequence in constraints.sequences for name in sequence.steps[0].events}
    rest = [name for s in constraints.sequences for name in {n for step in s.steps[1:] for n in step.events}]
    assert len(rest) == len(set(rest))
    assert not heads & set(rest)
    placed = {*heads, *rest}
    assert not placed & {*constraints.session_start, *constraints.session_end, *constraints.not_of_users}


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(_sheets(), st.lists(st.sampled_from(["order_id", "room_id", "stage_id"]), unique=True, min_size=1), st.randoms())
def test_any_sheet_whose_events_share_ids_can_be_generated(sheet: Taxonomy, ids: list[str], random: Random) -> None:
    carried = tuple(Property(name=name, type=PropertyType.STRING) for name in ids)
    events = tuple(
        event_.model_copy(update={"properties": (*event_.properties, *random.sample(carried, random.randint(0, 1)))})
        for event_ in sheet.events
    )
    carrying = sheet.model_copy(update={"events": events})
    few = Configuration(start=date(2026, 1, 1), days=2, users=15, seed=7)
    with TemporaryDirectory() as folder:
        generate(carrying, analyse(carrying, ProductInfo()), few, Path(folder) / "logs", processes=1)


@pytest.mark.parametrize("own", ["total_amount:n", "price:n"])
def test_a_common_property_is_never_changed_by_what_is_told_under_its_own_name(own: str) -> None:
    sheet = taxonomy(event("start", own), common=("total_amount:n",))
    assert analyse(sheet, ProductInfo()).update_patterns == {}


# --------------------------------------------------------------------------- what is wrong with rules

SHEET = taxonomy(
    "app_start",
    "battle_start",
    "battle_win",
    "server_report",
    event("purchase", "price:n", prop("quantity:n", Between(min=1, max=5, integer=True)), "method"),
    common=("country", "carrier"),
    users=("level:n", "xp:n", "power:n"),
)


def made(**parts: object) -> Rules:
    """Rules with nothing but what is given."""
    segment = SegmentAnalysis(activity=Activity(daily_probability=0.5))
    return Rules.model_validate({"segment_analysis": dict.fromkeys(SEGMENTS, segment), **parts})


def only_problem(rules: Rules, sheet: Taxonomy = SHEET) -> str:
    """The one problem."""
    (found,) = problems(rules, sheet)
    return found


def test_a_step_cannot_recall_what_a_later_one_repeats_of_it() -> None:
    rooms = taxonomy(event("view", "room_id"), event("book", "room_id"))
    rules = made(
        property_constraints={"view/room_id": {"recalls": ["book"]}, "book/room_id": {"same_as_before": True}},
        event_constraints={
            "sequences": [{"name": "stay", "kind": "funnel", "steps": [{"events": ["view"]}, {"events": ["book"]}]}]
        },
    )
    assert only_problem(rules, rooms) == (
        "These values need each other, so none of them can be made: book/room_id -> view/room_id -> book/room_id"
    )


def in_order(*names: str, probability: float = 1) -> EventSequence:
    """A sequence of single steps."""
    return EventSequence(name="fight", steps=[Step(events=[name], probability=probability) for name in names])


def test_unknown_events_are_named_with_the_nearest_one() -> None:
    found = only_problem(made(event_constraints=EventConstraints(once=["batle_start"])))
    assert "batle_start" in found
    assert "did you mean 'battle_start'" in found
    assert "event_constraints.once" in found


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("value_ranges", "pric", ValueRange(min=0, max=1)),
        ("value_ranges", "purchase/pric", ValueRange(min=0, max=1)),
        ("property_constraints", "pric", PropertyConstraint(values=[1])),
        ("property_relationships", "pric", PropertyRelationship()),
    ],
)
def test_unknown_properties_are_named_with_the_nearest_one(part: str, key: str, value: object) -> None:
    found = only_problem(made(**{part: {key: value}}))
    assert part in found
    assert "did you mean 'price'" in found


def test_prerequisites_in_a_circle_are_named_along_it() -> None:
    circle = {"battle_start": ["battle_win"], "battle_win": ["purchase"], "purchase": ["battle_start"]}
    found = only_problem(made(event_constraints=EventConstraints(prerequisites=circle)))
    assert "battle_start -> battle_win -> purchase -> battle_start" in found


def test_an_event_that_waits_for_itself() -> None:
    found = only_problem(made(event_constraints=EventConstraints(prerequisites={"purchase": ["purchase"]})))
    assert "purchase -> purchase" in found


def test_prerequisites_that_no_user_can_meet() -> None:
    rules = made(
        event_constraints=EventConstraints(
            prerequisites={"purchase": ["server_report"]}, not_of_users=["server_report"]
        )
    )
    found = only_problem(rules)
    assert "purchase" in found
    assert "'server_report' is in not_of_users" in found


def test_prerequisites_later_in_the_same_sequence() -> None:
    rules = made(
        event_constraints=EventConstraints(
            sequences=[in_order("battle_start", "battle_win")], prerequisites={"battle_start": ["battle_win"]}
        )
    )
    assert any(
        "'battle_win' is after 'battle_start' in the sequence 'fight'" in found for found in problems(rules, SHEET)
    )


def test_prerequisites_among_the_alternatives_of_one_step() -> None:
    step = Step(events=["battle_win", "purchase"])
    rules = made(
        event_constraints=EventConstraints(
            sequences=[EventSequence(name="fight", steps=[Step(events=["battle_start"]), step])],
            prerequisites={"purchase": ["battle_win"]},
        )
    )
    assert "in the same step as 'purchase'" in only_problem(rules)


def test_prerequisites_in_a_stage_that_nothing_leads_to() -> None:
    rules = made(
        event_constraints=EventConstraints(
            prerequisites={"purchase": ["battle_win"]},
            lifecycle={"battle_win": LifecycleStage.ONBOARDING_COMPLETED},
            stage_events={"battle_win": LifecycleStage.ONBOARDING_COMPLETED},
        )
    )
    found = problems(rules, SHEET)
    assert any(
        "it needs 'battle_win', which waits for the stage 'onboarding_completed'" in problem for problem in found
    )
    assert any("lifecycle.battle_win" in problem and "never reached" in problem for problem in found)


def test_a_first_step_that_is_left_to_chance() -> None:
    rules = made(event_constraints=EventConstraints(sequences=[in_order("battle_start", probability=0.5)]))
    assert "its first step has probability 0.5; it must be 1" in only_problem(rules)


def test_steps_that_follow_what_is_not_before_them() -> None:
    later = Step(events=["battle_win"], follows=["purchase"])
    sequence = EventSequence(name="fight", steps=[Step(events=["battle_start"]), later])
    assert "follows 'purchase', which is not in the step before" in only_problem(
        made(event_constraints=EventConstraints(sequences=[sequence]))
    )


def test_steps_that_no_user_takes_or_that_stand_at_a_fixed_place() -> None:
    sequence = in_order("battle_start", "server_report", "app_start")
    rules = made(
        event_constraints=EventConstraints(
            sequences=[sequence], session_start=["app_start"], not_of_users=["server_report"]
        )
    )
    first, second = problems(rules, SHEET)
    assert "'server_report' is in not_of_users" in first
    assert "'app_start' is in session_start too" in second


def test_values_that_need_each_other_are_named_along_the_circle() -> None:
    rules = made(
        property_relationships={
            "xp": PropertyRelationship(depends_on=["level"], formula="level * 100"),
            "level": PropertyRelationship(depends_on=["xp"], formula="xp / 100"),
        }
    )
    assert "level -> xp -> level" in only_problem(rules)


def test_circles_through_copies_mappings_and_updates() -> None:
    copies = {"level": PropertyConstraint(copy_of="xp"), "xp": PropertyConstraint(copy_of="level")}
    assert "level -> xp -> level" in only_problem(made(property_constraints=copies))
    mixed = made(
        property_constraints={
            "country": PropertyConstraint(depends_on="carrier", mapping={"SKT": ["KR"]}),
            "carrier": PropertyConstraint(copy_of="country"),
        }
    )
    assert "carrier -> country -> carrier" in only_problem(mixed)
    fed = made(
        property_relationships={"purchase/price": PropertyRelationship(depends_on=["level"], formula="level * 2")},
        update_patterns={"purchase": {"level": Update(type="set", value="{{price}}")}},
    )
    assert "level -> purchase/price -> level" in only_problem(fed)


def test_ranges_beyond_the_sheet() -> None:
    wide = ValueRange(min=0, max=9)
    assert "0 to 9 is beyond 1 to 5" in only_problem(made(value_ranges={"quantity": wide}))
    segment = SegmentAnalysis(activity=Activity(daily_probability=0.5), property_ranges={"purchase/quantity": wide})
    rules = Rules(segment_analysis={**made().segment_analysis, "new_user": segment})
    assert "segment_analysis.new_user.property_ranges.purchase/quantity: 0 to 9 is beyond 1 to 5" in only_problem(rules)
    assert problems(made(value_ranges={"quantity": ValueRange(min=1, max=5)}), SHEET) == []


def test_mappings_on_values_that_never_occur() -> None:
    country = prop("country", OneOf(values=("KR", "JP")))
    sheet = taxonomy("play", common=(country, "carrier"))
    mapping: dict[str, list[bool | int | float | str]] = {"KR": ["SKT"], "FR": ["Orange"]}
    found = only_problem(
        made(property_constraints={"carrier": PropertyConstraint(depends_on="country", mapping=mapping)}), sheet
    )
    assert "country is never 'FR'" in found


def test_references_of_constraints_to_what_is_not_there() -> None:
    assert "no property 'cuntry'; did you mean 'country'" in only_problem(
        made(property_constraints={"carrier": PropertyConstraint(depends_on="cuntry", mapping={"KR": ["SKT"]})})
    )
    assert "no property 'levl'" in only_problem(made(property_constraints={"xp": PropertyConstraint(copy_of="levl")}))
    counter = CounterRule(source="prise")
    assert "counter.source" in only_problem(
        made(property_constraints={"purchase/price": PropertyConstraint(counter=counter)})
    )
    assert problems(made(property_constraints={"xp": PropertyConstraint(copy_of="#account_id")}), SHEET) == []


def test_formulas_that_cannot_be_read_or_use_what_is_not_there() -> None:
    broken = only_problem(made(property_relationships={"xp": PropertyRelationship(formula="level *")}))
    assert "property_relationships.xp.formula" in broken
    foreign = only_problem(made(property_relationships={"xp": PropertyRelationship(formula="price * 2")}))
    assert "users have no property 'price'" in foreign


def test_updates_of_what_is_no_state_and_references_to_what_events_do_not_have() -> None:
    unknown = only_problem(made(update_patterns={"purchase": {"levle": Update(type="increment")}}))
    assert "no user property or common property 'levle'; did you mean 'level'" in unknown
    missing = only_problem(made(update_patterns={"battle_win": {"level": Update(type="set", value="{{price}}")}}))
    assert "'battle_win' has no property 'price' for {{price}}" in missing
    level = event("level_set", "level:n"), event("level_add", "level:n")
    by_own_name = {
        event_.name: {"level": Update(type=how, value="{{level}}")}
        for event_, how in zip(level, ("set", "increment"), strict=True)
    }
    itself = only_problem(made(update_patterns=by_own_name), taxonomy(*level, common=("level:n",)))
    assert "update_patterns.level_add.level" in itself
    good = {
        "purchase": {
            "level": Update(type="increment", value="{{price}} * 2"),
            "xp": Update(type="set", value="{{#time}}"),
        }
    }
    assert problems(made(update_patterns=good), SHEET) == []


def test_all_problems_are_raised_together() -> None:
    rules = made(
        event_constraints=EventConstraints(once=["nope", "nada"]), value_ranges={"quantity": ValueRange(min=0, max=9)}
    )
    with pytest.raises(RulesError) as caught:
        require_sound(rules, SHEET)
    assert len(caught.value.problems) == 3
    for word in ("nope", "nada", "quantity", "3 problems", "'sheet'"):
        assert word in str(caught.value)
