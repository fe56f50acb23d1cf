"""What opens and closes a session, what happens once, daily or last, and what must have happened before."""

from __future__ import annotations

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.rules.model import EventConstraints, LifecycleStage, Rules
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo

_TYPES = {"n": PropertyType.NUMBER, "t": PropertyType.TIME}


def _event(row: str) -> Event:
    """`name | alias | tag | description | price:n order_id`; whatever is left out is empty."""
    name, alias, tag, description, names = [*(cell.strip() for cell in row.split("|")), *[""] * 4][:5]
    properties = []
    for text in names.split():
        prop, _, kind = text.partition(":")
        properties.append(Property(name=prop, type=_TYPES.get(kind, PropertyType.STRING)))
    return Event(name=name, alias=alias, tag=tag, description=description, properties=tuple(properties))


def _rules(sheet: str, industry: str = "other") -> Rules:
    """The analyst's rules for a sheet, which never have problems."""
    taxonomy = Taxonomy(name="sheet", events=tuple(map(_event, sheet.strip().splitlines())))
    rules = analyse(taxonomy, ProductInfo(industry=industry))
    assert problems(rules, taxonomy) == []
    return rules


def _constraints(sheet: str, industry: str = "other") -> EventConstraints:
    return _rules(sheet, industry).event_constraints


def _before(rules: Rules, event: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Everything that has happened to each user whom an event happens to."""
    if event in seen:
        return set()
    seen |= {event}
    found: set[str] = set()
    for before in rules.event_constraints.prerequisites.get(event, []):
        found |= {before} | _before(rules, before, seen)
    ways = [{one} | _before(rules, one, seen) for one in rules.followers().get(event, ())]
    return found | (set.intersection(*ways) if ways else set())


# --------------------------------------------------------------------------- sessions


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("app_foreground", "app_background"),
        ("appForegrounded", "appBackgrounded"),
        ("appOpened", "appClosed"),
        ("App_Launched", "App_Terminated"),
        ("Session_Started", "Session_Ended"),
        ("session_begin", "session_timeout"),
        ("site_entered", "site_left"),
        ("a1 | 앱 실행", "a2 | 앱 종료"),
        ("a1 | 게임 접속", "a2 | 접속 종료"),
        ("game_connect | 게임 접속", "game_disconnect | 접속 종료"),
        ("a1 | アプリ起動", "a2 | アプリ終了"),
        ("app_show | フォアグラウンド移行", "app_suspend | バックグラウンド移行"),
        ("Game_Launch | ゲーム起動", "Game_Quit | ゲーム終了"),
        ("Portal_Opened", "Portal_Closed"),
        ("appActivate", "appDeactivate"),
    ],
)
def test_sessions_begin_and_end_in_any_wording(first: str, last: str) -> None:
    found = _constraints(f"{first}\nitem_view\nitem_buy\n{last}")
    assert (found.session_start, found.session_end) == ([first.split()[0]], [last.split()[0]])


def test_what_is_opened_within_a_product_is_no_session() -> None:
    found = _constraints(
        """
        chat_opened
        chest_open
        account_survey |  |  | Shown after the login
        profile_closed
        scene_activated
        """
    )
    assert (found.session_start, found.session_end) == ([], [])


# --------------------------------------------------------------------------- sign-ups and goodbyes


@pytest.mark.parametrize(
    "row",
    [
        "rider_registered |  |  | Name and e-mail saved. Fires once per rider",
        "candidate_registered |  |  | A candidate made a profile (once per candidate)",
        "join | 회원가입 |  | 회원가입 완료 시 전송 (계정당 1회)",
        "memberRegist | 会員登録 |  | 会員登録が完了した時",
        "Account_Activated |  |  | E-mail confirmed, account usable. Once per user",
        "profile_start |  |  | The visitor signed up with a phone number",
    ],
)
def test_a_sign_up_is_told_by_what_it_means(row: str) -> None:
    name = row.split()[0]
    rules = _rules(f"{row}\nfile_create\nfile_delete")
    assert rules.event_constraints.stage_events[name] is LifecycleStage.REGISTERED
    assert name in rules.event_constraints.once
    assert name in _before(rules, "file_create")


@pytest.mark.parametrize(
    "row",
    [
        "property_register | 매물 등록 |  | 중개사가 매물을 등록 | property_id",
        "deviceRegistered |  |  | A lamp is paired, once per device | deviceId",
        "premium_activated |  |  | Paid plan begins | plan",
    ],
)
def test_what_is_registered_may_be_a_thing(row: str) -> None:
    found = _constraints(f"user_signup\n{row}")
    assert found.stage_events["user_signup"] is LifecycleStage.REGISTERED
    assert row.split()[0] not in {*found.stage_events, *found.once}


@pytest.mark.parametrize(
    "row",
    [
        "account_deleted |  |  | User deletes the account for good",
        "leave | 회원탈퇴 |  | 회원탈퇴 완료 시 전송",
        "memberWithdraw | 退会 |  | 退会手続きが完了した時",
        "account_closed |  |  | Closed for good",
        "app_uninstall",
    ],
)
def test_nothing_follows_a_goodbye(row: str) -> None:
    assert _constraints(f"user_signup\nitem_view\n{row}").final == [row.split()[0]]


@pytest.mark.parametrize(
    "row",
    [
        "guild_leave | 길드 탈퇴 |  | 길드를 탈퇴 | guild_id",
        "room_left |  |  | Player leaves the room | room_id",
        "withdrawal_completed |  |  | Coins sent | withdrawal_id amount:n",
        "Employee_Terminated |  |  | Employee leaves the company | Employee_Id",
        "account_deletion_requested |  |  | Deletion asked for, can be taken back",
        "subscription_cancelled",
    ],
)
def test_who_leaves_something_else_stays(row: str) -> None:
    assert _constraints(f"user_signup\nitem_view\n{row}").final == []


# --------------------------------------------------------------------------- once, daily


@pytest.mark.parametrize(
    "row",
    [
        "goal_pick |  |  | Once per user",
        "goal_pick |  |  | Happens once for every bidder",
        "goal_pick |  |  | The first time a customer looks at the map",
        "goal_pick |  |  | Fired once, when the map is shown",
        "goal_pick |  |  | 계정당 1회 전송",
        "goal_pick |  |  | 최초 1회만 기록",
        "goal_pick |  |  | 1アカウント1回",
        "goal_pick |  |  | 初めて地図を見た時",
        "goal_pick |  |  | 一度だけ送信",
    ],
)
def test_texts_tell_what_happens_once(row: str) -> None:
    assert "goal_pick" in _constraints(f"user_signup\n{row}\nmap_view").once


@pytest.mark.parametrize(
    "row",
    [
        "goal_pick |  |  | Sent once per session",
        "goal_pick |  |  | Sent once per track when it begins | track_id",
        "goal_pick |  |  | Once the map is shown, a goal is picked",
        "goal_pick |  |  | Once a month",
        "goal_pick |  |  | 세션당 1회 노출",
        "goal_pick |  |  | 던전을 최초 클리어하면 전송 | dungeon_id",
        "goal_pick |  |  | 매주 1회 열람",
        "goal_pick |  |  | 週に1回送信",
        "goal_pick |  |  | 1日1回",
    ],
)
def test_once_in_something_else_is_not_once_in_a_life(row: str) -> None:
    assert "goal_pick" not in _constraints(f"user_signup\n{row}\nmap_view").once


@pytest.mark.parametrize(
    "row",
    [
        "genre_select | 선호 장르 선택 |  | 가입 직후 선호 장르를 선택하면 전송",
        "goalSelect | 目標選択 |  | 会員登録直後に目標を選択した時",
        "tasteChosen |  |  | Artists picked just after signing up",
        "cv_uploaded |  |  | Resume uploaded right after registration",
    ],
)
def test_what_comes_right_after_joining_belongs_to_the_first_session(row: str) -> None:
    name = row.split()[0]
    rules = _rules(f"app_open\nuser_signup\n{row}\nmap_view\napp_close")
    first = [s for s in rules.event_constraints.sequences if s.kind == "onboarding"]
    assert [step.events for sequence in first for step in sequence.steps] == [[name]]
    assert "user_signup" in _before(rules, name)


@pytest.mark.parametrize(
    "row",
    [
        "attendance | 출석체크 |  | 1일 1회 출석체크 시 전송",
        "stamp_get |  |  | 하루 한 번 받을 수 있음",
        "Login | ログイン |  | 1日の最初のログイン時に送信",
        "Bonus_Receive | ボーナス受取 |  | その日の最初に受け取る",
        "briefing_shown |  |  | First opening of the day",
        "walk_reward |  |  | Can be claimed once a day",
        "daily_login",
        "daily_checkin",
        "guild_donate | 길드 기부 |  | 하루 1회 소속 길드에 기부 | guild_id gold:n",
    ],
)
def test_daily_limits_are_read(row: str) -> None:
    assert _constraints(f"user_signup\n{row}\nmap_view", "game").daily == [row.split()[0]]


@pytest.mark.parametrize(
    "row",
    [
        "daily_mission_clear | デイリーミッション達成 |  |  | mission_id",
        "daily_mix_opened |  |  | A mix that changes every day is opened",
        "lesson_attend |  |  | Student comes to a lesson | lesson_id",
        "spend_report |  |  | Daily cost, imported from the networks every night | campaign clicks:n impressions:n",
    ],
)
def test_what_is_called_daily_may_happen_often(row: str) -> None:
    assert _constraints(f"user_signup\n{row}\nmap_view").daily == []


# --------------------------------------------------------------------------- prerequisites


def test_what_a_catalogue_holds_is_there_before_users_come() -> None:
    rules = _rules(
        """
        join | 회원가입
        title_view | 작품 상세 조회 |  |  | title_id title_name
        title_subscribe | 관심작품 등록 |  |  | title_id
        comment_write | 댓글 작성 |  |  | title_id
        share | 공유 |  |  | title_id
        """,
        "webtoon",
    )
    assert "title_subscribe" not in _before(rules, "comment_write") | _before(rules, "share")


@pytest.mark.parametrize(
    ("opened", "ended"),
    [
        ("boostActivated", "boostEnded"),
        ("lockerOpen", "lockerClose"),
        ("charge_started |  |  |  | charge_id", "charge_interrupted |  |  |  | charge_id"),
        ("quest_start |  |  |  | quest_id", "quest_retire | リタイア |  |  | quest_id"),
        ("ride_requested |  |  |  | ride_id", "no_driver_found |  |  |  | ride_id"),
        ("coupon_issued", "coupon_expired"),
    ],
)
def test_what_ends_has_begun(opened: str, ended: str) -> None:
    rules = _rules(f"{opened}\n{ended}")
    assert opened.split()[0] in _before(rules, ended.split()[0])


@pytest.mark.parametrize(
    "row", ["届いた申請を承認した時", "Accepts a request from another player", "받은 친구 신청을 수락"]
)
def test_who_accepts_what_was_received_need_not_have_asked(row: str) -> None:
    rules = _rules(f"friend_request |  |  |  | friend_id\nfriend_accept |  |  | {row} | friend_id", "game")
    assert _before(rules, "friend_accept") == set()


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("photo_uploaded", "identity_verified |  |  | Selfie check passed; needs a photo"),
        ("visit_complete | 방문 완료", "contract_sign | 계약 |  | 방문 완료 후에만 체결 가능"),
        ("appointment_end | 진료 종료", "prescription_issue | 처방전 발급 |  | 진료 종료 후 발급되면 기록"),
        ("classReserve | クラス予約", "classReview | 評価 |  | 予約したクラスを評価した時"),
        ("stageFail | ステージ失敗", "continueUse | コンティニュー |  | 失敗後にコンティニューした時"),
        ("deposit_paid", "bid_placed |  |  | Only after the deposit was paid"),
        ("gate_exit | 출차", "fee_pay | 주차비 결제 |  | 출차 후 주차비를 결제"),
        ("visit_attended", "prescription_written |  |  | Medicine prescribed after the visit"),
        ("code_verified", "name_saved |  |  | Name saved after verification"),
    ],
)
def test_texts_tell_what_is_needed(earlier: str, later: str) -> None:
    rules = _rules(f"{earlier}\nmap_view\n{later}")
    assert earlier.split()[0] in _before(rules, later.split()[0])


# --------------------------------------------------------------------------- what descriptions name in passing


@pytest.mark.parametrize(
    ("earlier", "description"),
    [
        ("permit_issued", "Permit holder parks the car"),
        ("permit_issued", "Holder of a permit parks the car"),
        ("garage_created", "Car is assigned to the garage"),
        ("race_won", "Winner takes a place"),
    ],
)
def test_who_has_something_was_given_it(earlier: str, description: str) -> None:
    rules = _rules(f"{earlier} |  | Cars\nother_thing |  | Cars\ncar_left_alone |  | Cars | {description}")

    assert earlier in _before(rules, "car_left_alone")
