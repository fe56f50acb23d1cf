"""How often things happen, in products of many kinds: what a person expects who has read the sheet.

Expected are shares of sessions, counted in what 300 users do in five days by the analyst's rules.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from functools import cache

import numpy as np
import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.analysis.habits import activity
from gamestats_assets.demo_data.analysis.meaning.measures import industry_of
from gamestats_assets.demo_data.generator import behaviour
from gamestats_assets.demo_data.generator.blueprint import blueprint
from gamestats_assets.demo_data.generator.random_streams import Streams
from gamestats_assets.demo_data.generator.users import make_users
from gamestats_assets.demo_data.rules.configuration import Configuration, ProductInfo
from gamestats_assets.demo_data.rules.model import SEGMENTS, Rules
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets_tests.demo_data.analysis.analyst_sheets import event, taxonomy

SHEETS = {
    "cleaning": """
        app_opened | app | App comes to the foreground |
        app_closed | app | App goes to the background | seconds:n
        signed_up | account | Account created. Once per customer | channel
        cleaner_profile_viewed | search | Profile of a cleaner opened | cleaner_id
        booking_requested | booking | Customer asks a cleaner for a date | booking_id, cleaner_id, hours:n
        booking_confirmed | booking | The cleaner accepts the requested booking | booking_id
        booking_cancelled | booking | Customer cancels a booking | booking_id, reason
        cleaning_started | booking | Cleaner is at the door | booking_id
        cleaning_finished | booking | Cleaner has left | booking_id, minutes:n
        cleaner_rated | after | Customer rates the cleaner after the cleaning | booking_id, stars:n
        cleaner_tipped | after | Customer tips the cleaner | booking_id, amount:n
        damage_claimed | after | Customer claims a damage done during the cleaning | booking_id, claim_id
        damage_settled | after | The claimed damage has been paid | claim_id, amount:n
        address_changed | account | | city
        account_closed | account | Customer deletes the account for good | reason
    """,
    "telemedicine": """
        app_start | 공통 | 앱 실행 시 전송 |
        app_end | 공통 | 앱 종료 시 전송 | stay_sec:n
        join | 회원 | 회원가입 완료 시 전송 (계정당 1회) | join_type
        doctor_list_view | 탐색 | 의사 목록 화면 진입 시 전송 | department
        doctor_view | 탐색 | 의사 상세 화면 진입 시 전송 | doctor_no
        consult_request | 진료 | 진료를 신청하면 전송 | consult_id, doctor_no
        consult_start | 진료 | 화상 진료가 시작되면 전송 | consult_id
        consult_end | 진료 | 화상 진료가 종료되면 전송 | consult_id, minute:n
        consult_cancel | 진료 | 신청한 진료를 취소하면 전송 | consult_id, reason
        review_write | 후기 | 진료 후기를 작성하면 전송 | consult_id, score:n
        doctor_report | 후기 | 불친절 등으로 의사를 신고하면 전송 | consult_id, reason
        pay_refund | 결제 | 진료비를 환불하면 전송 | consult_id, price:n
        push_click | 푸시 | 푸시 클릭 시 전송 | push_type
        api_error | 시스템 | API 오류 발생 시 전송 | code:n
    """,
    "auction": """
        AppLaunch | アプリ | アプリ起動時 |
        AppClose | アプリ | アプリ終了時 | PlayTime:n
        Register | 会員 | 会員登録完了時（1回のみ） | Method
        ItemSearch | 探す | 商品を検索した時 | Keyword
        ItemView | 探す | 商品詳細画面を開いた時 | ItemId
        FavoriteAdd | 探す | お気に入りに追加した時 | ItemId
        BidPlace | 入札 | 入札した時 | ItemId, Amount:n
        MonthlySummaryView | その他 | 毎月のまとめ画面を開いた時 | Month:n
        ReceiveRating | 取引 | 受取後に出品者を評価した時 | TradeId, Stars:n
        TroubleReport | 取引 | 出品者を通報した時 | TradeId, Reason
        PushSettingChange | 設定 | 通知設定を変更した時 | IsOn:b
        Withdrawal | 会員 | 退会した時 | Reason
    """,
    "farm": """
        app_start | 공통 | 앱 실행 |
        app_end | 공통 | 앱 종료 | sec:n
        account_create | 계정 | 계정 생성 완료. 계정당 1회 | channel
        stage_start | 농장 | 스테이지 시작 | stage_no:n
        stage_clear | 농장 | 스테이지 클리어 | stage_no:n
        stage_fail | 농장 | 스테이지 실패 | stage_no:n
        item_get | 아이템 | 아이템 획득 | item_name
        item_use | 아이템 | 아이템 사용 | item_name
        guild_join | 길드 | 길드 가입 | guild_name
        guild_donate | 길드 | 길드에 기부 | guild_name, gold:n
        purchase | 결제 | 결제 완료 | order_no, price:n
        purchase_refund | 결제 | 결제 환불 | order_no, price:n
        user_report | 신고 | 다른 유저를 신고 | reason
        client_error | 시스템 | 클라이언트 오류 | code:n
    """,
}
INDUSTRIES = {"cleaning": "other", "telemedicine": "health", "auction": "other", "farm": "game"}


@cache
def sheet(name: str) -> Taxonomy:
    """The taxonomy of a text whose lines are name, tag, description and properties of an event."""
    rows = ([cell.strip() for cell in line.split("|")] for line in SHEETS[name].strip().splitlines())
    return taxonomy(
        *(
            event(name, *filter(None, properties.split(", ")), tag=tag, description=text)
            for name, tag, text, properties in rows
        )
    )


@cache
def rules_of(name: str) -> Rules:
    """What the analyst makes of it."""
    return analyse(sheet(name), ProductInfo(industry=INDUSTRIES[name], name=name))


@cache
def counted(name: str) -> tuple[dict[str, float], dict[str, int]]:
    """By event, the share of sessions that have it, and how often it happened."""
    plan = blueprint(sheet(name), rules_of(name), Configuration(users=300, days=5, start=date(2026, 1, 5), seed=7))
    streams = Streams(7)
    users = make_users(plan, streams, 0, 300)
    sessions = behaviour.sessions_of(plan, streams, users, behaviour.active_days(plan, streams, users))
    found = behaviour.happenings(plan, streams, users, sessions)
    having = Counter(event for _, event in set(zip(found.session.tolist(), found.event.tolist(), strict=True)))
    often = np.bincount(found.event, minlength=len(plan.event_names))
    return (
        {event: having[number] / sessions.user.size for number, event in enumerate(plan.event_names)},
        {event: int(often[number]) for number, event in enumerate(plan.event_names)},
    )


def share(name: str, event: str) -> float:
    """Of sessions."""
    return counted(name)[0][event]


def ratio(name: str, later: str, earlier: str) -> float:
    """How often something happens for each time that something else does."""
    often = counted(name)[1]
    return often[later] / often[earlier]


@pytest.mark.parametrize("name", SHEETS)
def test_rules_are_sound(name: str) -> None:
    assert problems(rules_of(name), sheet(name)) == []


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("cleaning", "booking_requested"),
        ("telemedicine", "consult_request"),
        ("auction", "ItemView"),
        ("farm", "stage_start"),
    ],
)
def test_the_core_is_in_a_good_part_of_the_sessions(name: str, event: str) -> None:
    assert share(name, event) > 0.3


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("cleaning", "damage_claimed"),
        ("cleaning", "damage_settled"),
        ("cleaning", "address_changed"),
        ("cleaning", "account_closed"),
        ("telemedicine", "doctor_report"),
        ("telemedicine", "pay_refund"),
        ("telemedicine", "api_error"),
        ("auction", "TroubleReport"),
        ("auction", "MonthlySummaryView"),
        ("auction", "PushSettingChange"),
        ("auction", "Withdrawal"),
        ("farm", "purchase_refund"),
        ("farm", "client_error"),
        ("farm", "user_report"),
    ],
)
def test_what_nobody_wishes_for_or_does_but_rarely_is_in_few_sessions(name: str, event: str) -> None:
    assert share(name, event) < 0.06


@pytest.mark.parametrize(
    ("name", "later", "earlier", "least", "most"),
    [
        ("cleaning", "cleaning_finished", "cleaning_started", 0.7, 1.0),
        ("cleaning", "booking_cancelled", "booking_requested", 0.01, 0.2),
        ("telemedicine", "consult_end", "consult_start", 0.7, 1.0),
        ("telemedicine", "review_write", "consult_end", 0.03, 0.4),
        ("telemedicine", "consult_cancel", "consult_request", 0.01, 0.25),
        ("farm", "guild_donate", "guild_join", 1.0, 100.0),
    ],
)
def test_what_follows_is_as_frequent_as_what_it_follows_allows(
    name: str, later: str, earlier: str, least: float, most: float
) -> None:
    assert least <= ratio(name, later, earlier) <= most


_REGRETS = re.compile("cancel|claim|damage|report|refund|error|fail|block|dispute|remove|lost")


@pytest.mark.parametrize("name", SHEETS)
def test_a_typical_session_has_no_complaint_and_nothing_that_happens_once(name: str) -> None:
    constraints = rules_of(name).event_constraints
    onboarding = {e for s in constraints.sequences if s.kind == "onboarding" for step in s.steps for e in step.events}
    for segment in SEGMENTS:
        typical = rules_of(name).segment_analysis[segment].event_sequence
        assert typical
        assert not [event for event in typical if _REGRETS.search(event.lower())]
        assert not ({*typical} - onboarding) & {*constraints.once, *constraints.daily, *constraints.final}


def test_work_is_done_in_office_hours_and_games_are_played_in_the_evening() -> None:
    work, play = (activity("active_user", ProductInfo(industry=industry)) for industry in ("saas", "game"))
    assert min(work.weekday_weights[:5]) > 2 * max(work.weekday_weights[5:])
    assert min(play.weekday_weights[5:]) > max(play.weekday_weights[:4])
    assert 9 <= work.hour_weights.index(max(work.hour_weights)) <= 17
    assert 19 <= play.hour_weights.index(max(play.hour_weights)) <= 23


@pytest.mark.parametrize(
    ("spelling", "industry"),
    [("E-commerce", "ecommerce"), ("쇼핑", "ecommerce"), ("B2B SaaS", "saas"), ("fintech", "banking")],
)
def test_industries_as_people_write_them(spelling: str, industry: str) -> None:
    assert industry_of(ProductInfo(industry=spelling)) == industry_of(ProductInfo(industry=industry))


def test_a_product_of_an_unheard_of_industry_is_taken_for_what_its_events_speak_of() -> None:
    lessons = taxonomy("course_view", "lesson_start", "lesson_complete", "quiz_start", "quiz_submit")
    assert analyse(lessons, ProductInfo(industry="violin")) == analyse(lessons, ProductInfo(industry="education"))
    assert analyse(lessons, ProductInfo(industry="saas")) != analyse(lessons, ProductInfo(industry="education"))
