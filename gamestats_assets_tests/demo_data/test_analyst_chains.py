"""Which events a person would put after each other, read from sheets of several industries, styles and languages.

Each sheet is a few rows of `tag | name | description | properties`; what is expected was written before it was read.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.analysis.lexicon import pieces
from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.rules.model import Rules, Step
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy

TYPES = {"": PropertyType.STRING, "n": PropertyType.NUMBER}


def read(rows: str, industry: str = "other") -> Rules:
    """The analyst's rules for a sheet; they have no problems."""
    events: list[Event] = []
    for row in rows.strip().splitlines():
        tag, name, description, listed = (cell.strip() for cell in row.split("|"))
        cells = [cell.strip().partition(":") for cell in listed.split(",") if cell.strip()]
        own = tuple(Property(name=known, type=TYPES[kind]) for known, _, kind in cells)
        events.append(Event(name=name, tag=tag, description=description, properties=own))
    sheet = Taxonomy(name="sheet", events=tuple(events))
    rules = analyse(sheet, ProductInfo(industry=industry))
    assert problems(rules, sheet) == []
    return rules


def path(rules: Rules, *events: str) -> bool:
    """Whether a sequence takes these events in this order, with nothing between them."""
    for sequence in rules.event_constraints.sequences:
        place = {event: number for number, step in enumerate(sequence.steps) for event in step.events}
        if set(events) <= set(place):
            return all(place[b] == place[a] + 1 for a, b in pairwise(events))
    return False


def step(rules: Rules, event: str) -> Step:
    """The last step that an event is in."""
    return [s for q in rules.event_constraints.sequences for s in q.steps if event in s.events][-1]


def alone(rules: Rules, *events: str) -> bool:
    """Whether events are in no sequence."""
    return not {e for q in rules.event_constraints.sequences for s in q.steps for e in s.events} & set(events)


# --------------------------------------------------------------------------- the life of one thing

RIDES = """
book | whereTo | Rider types where to go | searchText
book | priceShown | Prices to the destination are shown | rideType, estFare:n
trip | rideRequested | Rider confirms the pickup | rideId, rideType, estFare:n
trip | driverMatched | | rideId, driverId, waitSec:n
trip | noDriverFound | Nobody took the request | rideId, waitSec:n
trip | rideCancelledByRider | Before the arrival | rideId, cancelReason
trip | driverArrived | | rideId, driverId
trip | rideStarted | | rideId, driverId
trip | rideCompleted | | rideId, driverId, durationMin:n
money | paymentCharged | Fare of the completed ride charged | rideId, amount:n
money | paymentDeclined | | rideId, declineCode
money | tipGiven | | rideId, tipAmount:n
after | rideRated | | rideId, stars:n
help | sosPressed | During a ride | rideId
"""


def test_what_may_happen_at_any_time_of_a_life_is_no_stage_of_it() -> None:
    assert alone(read(RIDES, "mobility"), "sosPressed")


def test_the_life_of_an_order_goes_on_where_the_way_to_it_ends() -> None:
    rules = read(
        """
        browse | menu_view | | restaurant_id
        cart | cart_add | | menu_id, price:n
        cart | checkout_view | Checkout with the dishes of the cart | cart_amount:n
        order | order_submit | Placed at the checkout | order_no, amount:n
        order | order_accept | Restaurant accepts | order_no, cooking_min:n
        order | order_reject | | order_no
        way | courier_pickup | | order_no
        way | order_deliver | | order_no, delivery_min:n
        refund | refund_request | | order_no
        """,
        "food",
    )
    assert path(rules, "cart_add", "checkout_view", "order_submit", "order_accept", "courier_pickup", "order_deliver")
    assert alone(rules, "refund_request")


def test_an_attempt_comes_before_its_success() -> None:
    rules = read(
        """
        결제 | 충전_화면_조회 | | 유입_화면
        결제 | 충전_시도 | 결제 버튼 클릭 시 전송 | 주문_id, 금액:n
        결제 | 충전_성공 | | 주문_id, 금액:n
        결제 | 충전_실패 | | 주문_id, 실패_코드
        결제 | 충전_환불 | 충전 완료된 주문을 환불하면 전송 | 주문_id
        """
    )
    assert path(rules, "충전_화면_조회", "충전_시도", "충전_성공")
    assert step(rules, "충전_실패").events == ["충전_성공", "충전_실패"]
    assert alone(rules, "충전_환불")


def test_a_purchase_is_cancelled_instead_of_completed() -> None:
    rules = read(
        """
        課金 | ShopView | ショップを開いた時 | tab
        課金 | PurchaseRequest | 購入ボタンを押した時 | order_id, price:n
        課金 | PurchaseComplete | 購入が完了した時 | order_id, price:n
        課金 | PurchaseCancel | 購入がキャンセルまたは失敗した時 | order_id, reason
        """,
        "game",
    )
    assert path(rules, "ShopView", "PurchaseRequest", "PurchaseComplete")
    assert step(rules, "PurchaseCancel").events == ["PurchaseComplete", "PurchaseCancel"]


# --------------------------------------------------------------------------- what takes days


def test_what_is_made_and_then_lies_there_has_no_stages() -> None:
    rules = read(
        """
        task | task_created | | task_id
        task | task_opened | | task_id
        task | task_assigned | | task_id
        task | task_closed | | task_id, minutes_open:n
        """,
        "saas",
    )
    assert not path(rules, "task_created", "task_assigned")


# --------------------------------------------------------------------------- loops and alternatives

CARDS = """
deck | cardViewed | A profile is shown in the deck | cardUserId
deck | swipedLeft | User passes on the card | cardUserId
deck | swipedRight | User likes the card | cardUserId
deck | superLikeSent | User sends a Super Like | cardUserId
deck | swipeRewound | Last swipe undone (subscribers only) | cardUserId
match | matchCreated | Both users liked each other | matchId, cardUserId
match | matchUnmatched | User dissolves a match | matchId
chat | chatOpened | | matchId
chat | messageSent | Message sent in an open chat | matchId
money | paywallShown | Paywall appears | trigger
money | planSelected | User taps a plan on the paywall | planTier, priceUsd:n
money | purchaseStarted | Store sheet opened for the selected plan | orderId, planTier, priceUsd:n
money | purchaseCompleted | | orderId, planTier
money | purchaseFailed | Payment failed or was cancelled | orderId
money | boostBought | Boosts bought as a pack | unitPrice:n
"""


READING = """
browse | home_view | | tab
browse | search | | keyword
browse | title_view | | title_id
browse | title_subscribe | | title_id
read | episode_view | | title_id, episode_no:n
read | episode_complete | | title_id, episode_no:n, read_time:n
read | episode_exit | Left before the end | title_id, episode_no:n, read_time:n
talk | comment_write | | title_id, episode_no:n
deal | episode_rent | | title_id, episode_no:n, use_coin:n
deal | episode_buy | | title_id, episode_no:n, use_coin:n
"""


def test_goods_with_an_id_have_no_life() -> None:
    rules = read(
        """
        shop | item_view | | item_id
        shop | item_like | | item_id
        deal | purchase_start | | deal_id, item_id
        deal | payment_complete | | deal_id
        deal | payment_fail | | deal_id
        deal | goods_shipped | | deal_id, ship_days:n
        """,
        "ecommerce",
    )
    assert path(rules, "item_view", "purchase_start", "payment_complete")
    assert step(rules, "payment_fail").events == ["payment_complete", "payment_fail"]
    assert alone(rules, "goods_shipped")


@pytest.mark.parametrize(
    ("name", "words"),
    [("rideId", ["ride", "id"]), ("Shipment_Id", ["shipment", "id"]), ("주문_id", ["주문", "id"]), ("x", ["x"])],
)
def test_names_of_any_style_have_the_same_words(name: str, words: list[str]) -> None:
    assert pieces(name) == words


def test_descriptions_that_call_the_event_before_by_its_name_make_a_funnel_up_to_the_last_deal() -> None:
    rules = analyse(
        Taxonomy(
            name="sheet",
            events=(
                Event(name="app_open"),
                Event(name="view_film", description="The page of a film"),
                Event(name="pick_evening", description="Picks an evening; requires view_film"),
                Event(name="pick_seats", description="Seats picked. Prerequisite: pick_evening"),
                Event(name="pay", description="Pays for the seats; only possible after pick_seats"),
                Event(name="check_in", description="Checks in with the code after pay"),
            ),
        ),
        ProductInfo(),
    )
    steps = [[e for step in sequence.steps for e in step.events] for sequence in rules.event_constraints.sequences]
    assert ["view_film", "pick_evening", "pick_seats", "pay"] in steps
    assert "pay" in rules.event_constraints.prerequisites["check_in"]
