"""What events do to users, on sheets of a few rows; the updates expected are those that a person reads there."""

from __future__ import annotations

import re
import tomllib

import pytest

from gamestats_assets.demo_data.analysis.analyst import analysed
from gamestats_assets.demo_data.analysis.states import currency, nouns, singulars
from gamestats_assets.demo_data.rules.model import Rules, Update
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy, UpdateMode
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.demo_data.taxonomies.value_rules import Between, OneOf
from gamestats_assets.settings import shipped
from gamestats_assets_tests.demo_data.analysis import analyst_sheets as sheets
from gamestats_assets_tests.demo_data.analysis.analyst_sheets import TYPES, formula, sound, taxonomy

ADD, SET = UpdateMode.ADD, UpdateMode.SET
TIME = "{{#time}}"


def prop(text: str, update: UpdateMode | None = None) -> Property:
    """`price:n|alias|description|A, B` is a number with an alias, a description and a list of values."""
    name, alias, description, values = (part.strip() for part in (*text.split("|"), "", "", "")[:4])
    name, _, kind = name.partition(":")
    rule = OneOf(values=tuple(value.strip() for value in values.split(","))) if values else None
    return Property(name=name, type=TYPES[kind], alias=alias, description=description, rule=rule, update=update)


def event(name: str, *properties: str, **texts: str) -> Event:
    """An event with its properties."""
    return sheets.event(name, *map(prop, properties), **texts)


def rules_of(*events: Event, users: tuple[Property, ...], common: tuple[str, ...] = (), industry: str = "") -> Rules:
    """The analyst's rules for a sheet, which never have problems."""
    return sound(taxonomy(*events, users=users, common=tuple(map(prop, common))), industry)


def changes(rules: Rules, name: str) -> dict[str, tuple[str, object]]:
    """By event, how a property of users changes."""
    return {e: (of[name].type, of[name].value) for e, of in rules.update_patterns.items() if name in of}


# --------------------------------------------------------------------------- whole products

PRODUCTS = {
    "pet sitting": """
        owner_signup: email | | Owner account made
        pet_added: pet_id, species | | Owner adds a pet
        pet_removed: pet_id
        stay_requested: stay_id, nights:n, price_eur:n
        stay_declined: stay_id
        stay_paid: stay_id, price_eur:n, service_fee_eur:n, total_eur:n
        stay_cancelled: stay_id, refund_eur:n
        stay_started: stay_id
        stay_finished: stay_id, nights:n
        sitter_rated: stay_id, stars:n
        insurance_bought: insurance_eur:n
        insurance_expired:
        newsletter_on:
        newsletter_off:
        account_locked:
        account_unlocked:
        credit_granted: credit_eur:n
        credit_spent: credit_eur:n
        ---
        pets_registered:n||now = pet_added +1, pet_removed -1
        stays_done:n = stay_finished +1
        nights_total:n||nights of finished stays = stay_finished +nights
        spent_eur:n||total_eur of stays and insurance_eur = stay_paid +total_eur, insurance_bought +insurance_eur
        is_insured:b||insurance runs = insurance_bought yes, insurance_expired no
        gets_newsletter:b||newsletter_on / newsletter_off = newsletter_on yes, newsletter_off no
        is_locked:b = account_locked yes, account_unlocked no
        credit:n||credit left = credit_granted +credit_eur, credit_spent -credit_eur
        ratings_given:n = sitter_rated +1
        cancellations:n||stays called off by the owner = stay_cancelled +1
    """,
    "library": """
        member_join: | 회원가입 완료
        card_issue: | 회원증 발급
        card_lost: | 회원증 분실 신고
        loan_start: loan_id | 대출
        loan_extend: loan_id | 대출 연장
        loan_return: loan_id | 반납
        book_reserve: book_id | 도서 예약
        book_reserve_cancel: book_id | 예약 취소
        fine_pay: fine_won:n | 연체료 납부
        ebook_buy: price_won:n | 전자책 구매
        point_charge: charge_point:n | 포인트 충전
        point_use: use_point:n | 포인트 사용
        room_ban: | 열람실 이용 정지
        room_ban_lift: | 열람실 이용 정지 해제
        ---
        loan_cnt:n|현재 대출 권수|대출 시 +1, 반납 시 -1 = loan_start +1, loan_return -1
        total_loan_cnt:n|누적 대출 횟수 = loan_start +1
        has_card:b|회원증 보유 여부|card_issue 시 true, card_lost 시 false = card_issue yes, card_lost no
        total_won:n|누적 결제 금액|연체료 납부와 전자책 구매 합계 = fine_pay +fine_won, ebook_buy +price_won
        point:n|보유 포인트|충전하면 늘고 사용하면 줄어듦 = point_charge +charge_point, point_use -use_point
        is_banned:b|열람실 정지 여부 = room_ban yes, room_ban_lift no
        reserve_cnt:n|예약 중인 도서 수 = book_reserve +1, book_reserve_cancel -1
    """,
    "cooking school": """
        lesson_yoyaku: yoyaku_id, lesson_yen:n | レッスン予約
        lesson_yoyaku_kaijo: yoyaku_id | 予約取消
        lesson_sanka: yoyaku_id | レッスン参加
        lesson_kesseki: yoyaku_id | レッスン欠席
        recipe_hozon: recipe_id | レシピ保存
        recipe_hozon_kaijo: recipe_id | レシピ保存解除
        ticket_kounyuu: ticket_suu:n, ticket_yen:n | チケット購入
        ticket_shiyou: ticket_suu:n | チケット使用
        premium_kanyuu: premium_yen:n | プレミアム加入
        riyou_teishi: | 利用停止
        riyou_saikai: | 利用再開
        ---
        yoyaku_suu:n|予約中のレッスン数|lesson_yoyakuで+1、lesson_sankaで-1 = lesson_yoyaku +1, lesson_sanka -1
        sanka_kaisuu:n|参加回数 = lesson_sanka +1
        kesseki_kaisuu:n|欠席した回数 = lesson_kesseki +1
        ticket_zan:n|チケット残数|購入で増え使用で減る = ticket_kounyuu +ticket_suu, ticket_shiyou -ticket_suu
        ruikei_yen:n|累計支払額|ticket_yenとpremium_yenの合計 = ticket_kounyuu +ticket_yen, premium_kanyuu +premium_yen
        hozon_suu:n|保存中のレシピ数 = recipe_hozon +1, recipe_hozon_kaijo -1
        is_teishi:b|利用停止中 = riyou_teishi yes, riyou_saikai no
    """,
}
"""Events with properties, alias and description; then what is known of users, and what changes it."""
_CHANGES = {"+": "increment", "-": "decrement"}


def read_change(text: str) -> tuple[str, tuple[str, object]]:
    """`stay_paid +total_eur` adds a number of an event, `+1` counts it, `yes` and `no` set what is true."""
    event_name, change = text.split()
    if change in ("yes", "no"):
        return event_name, ("set", change == "yes")
    return event_name, (_CHANGES[change[0]], 1 if change[1:] == "1" else f"{{{{{change[1:]}}}}}")


@pytest.mark.parametrize("name", PRODUCTS)
def test_what_is_known_of_users_changes_as_a_person_reads_it(name: str) -> None:
    events, states = ([line.strip() for line in part.strip().splitlines()] for part in PRODUCTS[name].split("---"))
    sheet: list[Event] = []
    for line in events:
        told, alias, description = (part.strip() for part in (*line.split("|"), "", "")[:3])
        event_name, _, properties = told.partition(":")
        of_event = [text.strip() for text in properties.split(",") if text.strip()]
        sheet.append(event(event_name, *of_event, alias=alias, description=description))
    expected = {text.partition(":")[0]: changed for text, _, changed in (line.rpartition(" = ") for line in states)}
    held = ("now", "left", "중인", "현재", "보유", "中", "残")
    users = [line.rpartition(" = ")[0] for line in states]
    rules = rules_of(
        *sheet, users=tuple(prop(u, SET if ":b" in u or any(h in u for h in held) else ADD) for u in users)
    )
    read = {state: changes(rules, state) for state in expected}
    assert read == {state: dict(map(read_change, told.split(", "))) for state, told in expected.items()}


# --------------------------------------------------------------------------- what users have


def test_an_event_leaves_the_balance_that_it_found_and_what_it_changed() -> None:
    rules = rules_of(
        event("payment_charged", "method_type|||card, paypal", "charged_amount:n"),
        event("wallet_topped_up", "topup_amount:n", "balance_before:n", "balance_after:n"),
        users=(prop("wallet_balance:n|Wallet balance", SET),),
        common=("wallet_balance:n|Wallet balance",),
    )
    assert changes(rules, "wallet_balance") == {"wallet_topped_up": ("increment", "{{topup_amount}}")}
    assert formula(rules, "wallet_topped_up/balance_before") == "wallet_balance"
    assert formula(rules, "wallet_topped_up/balance_after") == "wallet_balance + topup_amount"


# --------------------------------------------------------------------------- tiers, flags, statuses


def test_a_tier_is_what_was_bought_and_in_the_end_the_entry_of_who_bought_nothing() -> None:
    rules = rules_of(
        event("planSelected", "planTier|||Gold, Platinum"),
        event("purchaseCompleted", "planTier|||Gold, Platinum", "amountPaid:n"),
        event("purchaseFailed", "planTier|||Gold, Platinum"),
        event("subscriptionCancelled", "planTier|||Gold, Platinum"),
        users=(prop("subscriptionTier||Current tier|Free, Gold, Platinum", SET),),
        common=("subscriptionTier||Current tier|Free, Gold, Platinum",),
    )
    assert changes(rules, "subscriptionTier") == {
        "purchaseCompleted": ("set", "{{planTier}}"),
        "subscriptionCancelled": ("set", "Free"),
    }


@pytest.mark.parametrize(
    ("begins", "ends", "flag"),
    [
        ("pass_subscribed", "pass_cancelled", "has_pass"),
        ("membershipStarted", "membershipExpired", "isMember"),
        ("Two_Factor_Enabled", "Two_Factor_Disabled", "Two_Factor_On"),
        ("fanclub_join", "fanclub_leave", "is_fanclub"),
    ],
)
def test_a_flag_is_true_from_its_beginning_to_its_end(begins: str, ends: str, flag: str) -> None:
    rules = rules_of(event("app_open"), event(begins), event(ends), users=(prop(f"{flag}:b", SET),))
    assert changes(rules, flag) == {begins: ("set", True), ends: ("set", False)}


# --------------------------------------------------------------------------- words


def test_names_of_every_style_have_the_same_words() -> None:
    assert (
        singulars("totalSpentUsd")
        == singulars("Total_Spent_USD")
        == singulars("total_spent_usd")
        == {"total", "spent", "usd"}
    )
    assert nouns("lifetime_tips") == nouns("tipAmount") == {"tip"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("amount:n||Dollars paid", {"usd"}),
        ("price:n|価格（円）", {"jpy"}),
        ("price:n|결제 금액(원)", {"krw"}),
        ("cnt:n|회원 수", set()),
        ("reason:n|원인", set()),
        ("wins:n||Battles won", set()),
        ("feeEur:n", {"eur"}),
    ],
)
def test_currencies_that_a_property_names(text: str, found: set[str]) -> None:
    assert currency(prop(text)) == found


def test_every_pattern_says_what_its_example_says() -> None:
    facts = tomllib.loads(shipped("data", "reference", "demo_data", "analyst_updates.toml").read_text(encoding="utf-8"))
    assert [e["says"] for e in facts["pattern"] if not re.search(e["says"], e["example"], re.IGNORECASE)] == []


@pytest.mark.parametrize(
    ("description", "found"),
    [
        (
            "true from member_join on, false when member_ban",
            {"member_join": ("set", True), "member_ban": ("set", False)},
        ),
        ("member_joinでtrue、member_banでfalse", {"member_join": ("set", True), "member_ban": ("set", False)}),
        ("member_join 시 true, member_ban 시 false", {"member_join": ("set", True), "member_ban": ("set", False)}),
    ],
)
def test_a_text_says_which_events_make_a_flag_true_and_false(
    description: str, found: dict[str, tuple[str, bool]]
) -> None:
    rules = rules_of(event("member_join"), event("member_ban"), users=(prop(f"is_x:b||{description}", SET),))
    assert changes(rules, "is_x") == found


@pytest.mark.parametrize(
    "description",
    [
        "+1 ticket_open, -1 ticket_shut",
        "up with ticket_open, down with ticket_shut",
        "one more with ticket_open; one less with ticket_shut",
        "ticket_openで+1、ticket_shutで-1",
        "ticket_open 시 +1, ticket_shut 시 -1",
    ],
)
def test_a_text_says_what_goes_up_and_down(description: str) -> None:
    rules = rules_of(event("ticket_open"), event("ticket_shut"), users=(prop(f"tickets:n||{description}", SET),))
    assert changes(rules, "tickets") == {"ticket_open": ("increment", 1), "ticket_shut": ("decrement", 1)}


@pytest.mark.parametrize(
    "description",
    [
        "sum of paid_eur of bill_paid less back_eur of refund_done",
        "paid_eur of every bill_paid minus back_eur of refund_done",
        "bill_paidのpaid_eurの合計、refund_doneのback_eurで減る",
    ],
)
def test_a_text_says_what_is_added_and_what_is_taken(description: str) -> None:
    rules = rules_of(
        event("bill_paid", "paid_eur:n", "fee_eur:n"),
        event("refund_done", "back_eur:n"),
        users=(prop(f"net_eur:n||{description}", SET),),
    )
    assert changes(rules, "net_eur") == {
        "bill_paid": ("increment", "{{paid_eur}}"),
        "refund_done": ("decrement", "{{back_eur}}"),
    }


def test_what_is_unsure_is_listed_with_the_next_best_reading() -> None:
    sheet = Taxonomy(
        name="sheet",
        events=(event("shift_posted"), event("offer_posted"), event("clock_out")),
        user_properties=(prop("posted_count:n", ADD), prop("clock_out_count:n||+1 with clock_out", ADD)),
    )
    (doubt,) = analysed(sheet, ProductInfo())[1]
    assert (doubt.reading, doubt.instead) == ("shift_posted changes posted_count", "offer_posted does")
    assert 0.4 < doubt.confidence < 0.6


# --------------------------------------------------------------------------- levels


def test_a_level_of_which_no_event_tells_rises_by_playing() -> None:
    level = Property(name="level", type=PropertyType.NUMBER, update=SET, rule=Between(min=1, max=60, integer=True))
    rules = rules_of(event("login"), event("hunt"), event("logout"), users=(level,), industry="game")
    assert rules.update_patterns == {"logout": {"level": Update(type="increment", value=1, once_per_day=True)}}
    without_end = rules_of(event("login"), event("hunt"), users=(level,), industry="game")
    assert list(without_end.update_patterns) == ["login"]
    told = rules_of(event("login"), event("level_up", "level:n"), users=(level,), industry="game")
    assert list(told.update_patterns) == ["level_up"]
    shop = rules_of(event("login"), event("buy"), event("logout"), users=(level,), industry="ecommerce")
    assert shop.update_patterns == {}
