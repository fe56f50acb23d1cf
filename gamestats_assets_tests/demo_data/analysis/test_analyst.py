"""What the analyst reads of events, on sheets of a few rows; expectations are what a person reads there."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.analysis.meaning.reading import concepts
from gamestats_assets.demo_data.generator.generate import generate
from gamestats_assets.demo_data.rules.configuration import Configuration, ProductInfo
from gamestats_assets.demo_data.rules.model import EventConstraints, LifecycleStage, Rules
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Balance,
    Between,
    CopyOf,
    Counter,
    FromEvent,
    OneOf,
    SharedCounter,
    ValueRule,
)
from gamestats_assets_tests.demo_data.analysis.analyst_sheets import (
    digest,
    event,
    happened_before,
    prop,
    sound,
    taxonomy,
)


def rules_of(rows: str, industry: str = "other") -> Rules:
    """The rules of a sheet, one event on each line."""
    return sound(taxonomy(*rows.strip().splitlines()), industry)


def constraints(rows: str, industry: str = "other") -> EventConstraints:
    """What they say of events."""
    return rules_of(rows, industry).event_constraints


def steps(rules: Rules) -> list[list[list[str]]]:
    """Events of each step of each sequence."""
    return [[step.events for step in sequence.steps] for sequence in rules.event_constraints.sequences]


def name_of(row: str) -> str:
    """The name that a row begins with."""
    return row.split()[0]


@pytest.mark.parametrize(
    ("names", "meaning"),
    [
        (["stage_clear", "ta_stage_clear", "StageCleared", "Stage Cleared", "스테이지 클리어"], ("stage", "clear")),
        (["add_to_cart", "addToCart", "Add To Cart", "addtocart", "추가 장바구니"], ("add", "cart")),
        (["sign_up", "Signed Up", "register", "registration", "회원가입", "create_account"], ("register",)),
        (["payment_success", "PaymentSucceeded", "결제 성공", "결제성공", "決済成功"], ("pay", "success")),
        (["toukou_kanryou"], ("post", "complete")),
    ],
)
def test_spellings_and_languages_mean_the_same(names: list[str], meaning: tuple[str, ...]) -> None:
    assert {name: concepts(name) for name in names} == dict.fromkeys(names, meaning)


# --------------------------------------------------------------------------- sequences


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("battle_start, battle_win, battle_lose, battle_end", "battle_start > battle_win battle_lose > battle_end"),
        ("battle_fail, battle_win, battle_start", "battle_start > battle_fail battle_win"),
        ("kyc_start, kyc_submit, kyc_approved, kyc_rejected", "kyc_start > kyc_submit > kyc_approved kyc_rejected"),
        ("ad_request, ad_impression, ad_click", "ad_request > ad_impression > ad_click"),
        ("share, share_click, share_install", "share > share_click > share_install"),
        ("course_view, course_enroll", "course_view > course_enroll"),
        ("pay | 결제 시도, paid | 결제 성공, unpaid | 결제 실패", "pay > paid unpaid"),
        ("signup_start, phone_verify, signup_complete", "signup_start > phone_verify > signup_complete"),
        ("guild_join, guild_leave, friend_request, friend_add, trial_start, trial_end", ""),
    ],
)
def test_a_process_is_a_sequence_in_whatever_order_its_rows_stand(rows: str, expected: str) -> None:
    lines = [[step.split() for step in line.split(" > ")] for line in expected.splitlines()]
    assert steps(rules_of("\n".join(rows.split(", ")))) == lines


def test_a_games_own_shop_is_apart_from_real_payments() -> None:
    rules = rules_of("enter_shop\nshop_buy\npayment_attempt\npayment_success", "game")
    assert steps(rules) == [[["enter_shop"], ["shop_buy"]], [["payment_attempt"], ["payment_success"]]]


@pytest.mark.parametrize(
    ("rule", "repeats"),
    [(Counter(start=0, step=1, max=10), 10), (Between(min=1, max=7, integer=True), 7), (None, 5)],
)
def test_a_tutorial_that_counts_its_steps_repeats(rule: ValueRule | None, repeats: int) -> None:
    rules = sound(taxonomy("register", event("guide_complete", prop("guide_step:n", rule))), "game")
    (sequence,) = rules.event_constraints.sequences
    step = sequence.steps[0]
    assert (sequence.kind, step.events, step.repeats) == ("onboarding", ["guide_complete"], repeats)


# --------------------------------------------------------------------------- prerequisites


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("card_ordered", "card_activated | | | The ordered card was activated"),
        ("club_join", "prize_draw | | | A prize is drawn in a club that he or she joined"),
        ("stay_begin", "stay_halve | | | The running stay is made shorter"),
        ("ticket_resolved", "stars_given | | | The member gives stars after the ticket was resolved"),
        ("checkout_start", "ribbon_tied | | | A ribbon is tied around it during the checkout"),
        ("view_timetable", "bell_ring | | | A bell. Prerequisites: the nap and view_timetable"),
        ("guild_join", "altar_light | | | 길드에 가입해야 사용 가능"),
        ("visit_complete | 방문 완료", "contract_sign | 계약 | | 방문 완료 후에만 체결 가능"),
        ("classReserve | クラス予約", "classReview | 評価 | | 予約したクラスを評価した時"),
        ("photo_uploaded", "identity_verified | | | Selfie check passed; needs a photo"),
        ("permit_issued | | Cars", "car_left_alone | | Cars | Permit holder parks the car"),
        ("boostActivated", "boostEnded"),
        ("charge_started | | | | charge_id", "charge_interrupted | | | | charge_id"),
        ("ride_requested | | | | ride_id", "no_driver_found | | | | ride_id"),
    ],
)
def test_what_must_have_happened_before(earlier: str, later: str) -> None:
    assert name_of(earlier) in happened_before(rules_of(f"{earlier}\nnap\n{later}"), name_of(later))


@pytest.mark.parametrize(
    ("other", "row"),
    [
        ("battle_end", "arena_visit | | | Sent after the battle has ended"),
        ("battle_end", "arena_visit | | | 전투 종료 후 전송"),
        ("premium_subscribe", "premium_page_look | | | The page that offers the premium subscription is shown"),
        ("order_pay", "order_dream | | | Somebody dreams of an order before it is paid"),
        ("friend_request | | | | friend_id", "friend_accept | | | 받은 친구 신청을 수락 | friend_id"),
    ],
)
def test_what_need_not_have_happened(other: str, row: str) -> None:
    assert name_of(other) not in happened_before(rules_of(f"{other}\n{row}"), name_of(row))


@pytest.mark.parametrize(
    ("row", "industry", "needs_account"),
    [
        ("balance_view", "banking", True),
        ("pricing_view", "banking", False),
        ("view_product", "ecommerce", False),
        ("add_to_cart", "ecommerce", True),
        ("view_product", "game", True),
    ],
)
def test_what_needs_an_account_is_up_to_the_industry(row: str, industry: str, *, needs_account: bool) -> None:
    rules = rules_of(f"app_start\nsign_up\n{row}", industry)
    assert ("sign_up" in happened_before(rules, row)) is needs_account


# --------------------------------------------------------------------------- sessions and lives


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("appForegrounded", "appBackgrounded"),
        ("Session_Started", "Session_Ended"),
        ("site_entered", "site_left"),
        ("a1 | 앱 실행", "a2 | 앱 종료"),
        ("a1 | アプリ起動", "a2 | アプリ終了"),
        ("Game_Launch", "Game_Quit"),
        ("Portal_Opened", "Portal_Closed"),
    ],
)
def test_sessions_begin_and_end_in_any_wording(first: str, last: str) -> None:
    found = constraints(f"{first}\nitem_view\nitem_buy\n{last}")
    assert (found.session_start, found.session_end) == ([name_of(first)], [name_of(last)])


def test_sessions_begin_with_the_app_and_end_with_it_and_not_with_things_in_it() -> None:
    found = constraints("role_logout\nrole_login\nlogin\napp_end\nlogout\nta_app_start\ncreate_role", "game")
    assert found.session_start == ["ta_app_start", "login", "role_login"]
    assert found.session_end == ["role_logout", "logout", "app_end"]
    within = constraints("chat_opened\nchest_open\nprofile_closed\nscene_activated")
    assert (within.session_start, within.session_end) == ([], [])


@pytest.mark.parametrize(
    "row",
    [
        "rider_registered | | | Name and e-mail saved. Fires once per rider",
        "join | 회원가입 | | 회원가입 완료 시 전송 (계정당 1회)",
        "memberRegist | 会員登録 | | 会員登録が完了した時",
    ],
)
def test_a_sign_up_is_told_by_what_it_means(row: str) -> None:
    rules = rules_of(f"{row}\nfile_create\nfile_delete")
    assert rules.event_constraints.stage_events[name_of(row)] is LifecycleStage.REGISTERED
    assert name_of(row) in rules.event_constraints.once
    assert name_of(row) in happened_before(rules, "file_create")


@pytest.mark.parametrize("row", ["property_register | | | | property_id", "premium_activated | | | Paid plan begins"])
def test_what_is_registered_may_be_a_thing(row: str) -> None:
    found = constraints(f"user_signup\n{row}")
    assert found.stage_events["user_signup"] is LifecycleStage.REGISTERED
    assert name_of(row) not in {*found.stage_events, *found.once}


@pytest.mark.parametrize(
    ("row", "is_final"),
    [
        ("account_deleted | | | User deletes the account for good", True),
        ("leave | 회원탈퇴 | | 회원탈퇴 완료 시 전송", True),
        ("memberWithdraw | 退会 | | 退会手続きが完了した時", True),
        ("app_uninstall", True),
        ("guild_leave | 길드 탈퇴 | | 길드를 탈퇴 | guild_id", False),
        ("withdrawal_completed | | | Coins sent | withdrawal_id amount:n", False),
        ("account_deletion_requested | | | Deletion asked for, can be taken back", False),
        ("subscription_cancelled", False),
    ],
)
def test_nothing_follows_a_goodbye(row: str, *, is_final: bool) -> None:
    assert constraints(f"user_signup\nitem_view\n{row}").final == [name_of(row)] * is_final


@pytest.mark.parametrize(
    ("text", "often"),
    [
        ("Once per user", "once"),
        ("The first time a customer looks at the map", "once"),
        ("계정당 1회 전송", "once"),
        ("1アカウント1回", "once"),
        ("Sent once per session", ""),
        ("Sent once per track when it begins | track_id", ""),
        ("Once the map is shown, a goal is picked", ""),
        ("매주 1회 열람", ""),
        ("1日1回", "daily"),
        ("Can be claimed once a day", "daily"),
        ("하루 한 번 받을 수 있음", "daily"),
        ("その日の最初に受け取る", "daily"),
    ],
)
def test_texts_tell_how_often_something_happens(text: str, often: str) -> None:
    found = constraints(f"user_signup\ngoal_pick | | | {text}\nmap_view")
    assert ("goal_pick" in found.once, "goal_pick" in found.daily) == (often == "once", often == "daily")


@pytest.mark.parametrize(
    ("name", "is_daily"),
    [("daily_login", True), ("daily_checkin", True), ("daily_mix_opened", False), ("lesson_attend", False)],
)
def test_names_tell_what_happens_once_a_day(name: str, *, is_daily: bool) -> None:
    assert constraints(f"user_signup\n{name}\nmap_view", "game").daily == [name] * is_daily


def test_what_comes_right_after_joining_belongs_to_the_first_session() -> None:
    rows = "app_open\nuser_signup\ntaste | | | Artists picked just after signing up\nmap_view"
    first = [s for s in constraints(rows).sequences if s.kind == "onboarding"]
    assert [step.events for sequence in first for step in sequence.steps] == [["taste"]]


def test_stages_of_a_life() -> None:
    names = "install app_start register tutorial_start tutorial_complete stage_clear arena_match guild_join"
    found = constraints("\n".join(names.split()), "game")
    assert found.stage_events == {
        "install": LifecycleStage.INSTALLED,
        "app_start": LifecycleStage.FIRST_SESSION,
        "register": LifecycleStage.REGISTERED,
        "tutorial_start": LifecycleStage.ONBOARDING_STARTED,
        "tutorial_complete": LifecycleStage.ONBOARDING_COMPLETED,
    }
    assert found.lifecycle["tutorial_start"] is LifecycleStage.FIRST_SESSION
    assert found.lifecycle["stage_clear"] is LifecycleStage.ONBOARDING_COMPLETED
    assert found.lifecycle["guild_join"] is LifecycleStage.ACTIVE
    assert found.lifecycle["arena_match"] is LifecycleStage.ADVANCED
    assert {"install", "register"} <= {*found.once}


def test_reports_are_not_of_users() -> None:
    sheet = taxonomy(
        event("facebook_ad_data", "campaign_name", "impressions:n", "clicks:n", "amount_spent:n"),
        event("current_online", "online_user:n", alias="접속자 수"),
        event("pulse", description="Sent by the game server every five minutes"),
        event("batch", description="유저의 행동이 아니며 주기적으로 전송"),
        event("ad_revenue", prop("user_id", CopyOf(source="#account_id")), "campaign", "revenue:n", "impressions:n"),
        event("wave", description="A player waves"),
    )
    rules = sound(sheet, "game")
    assert rules.event_constraints.not_of_users == ["facebook_ad_data", "current_online", "pulse", "batch"]
    for segment in rules.segment_analysis.values():
        assert set(segment.event_probabilities) == {"ad_revenue", "wave"}


# --------------------------------------------------------------------------- any sheet


def test_the_same_sheet_always_gives_the_same_rules_and_doubts() -> None:
    code = "from gamestats_assets_tests.demo_data.analysis.analyst_sheets import digest; print(digest())"
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"},
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert elsewhere.stdout.strip() == digest()


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


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
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


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
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
