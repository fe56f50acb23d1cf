"""Which events a person would put after each other, read from sheets of several industries, styles and languages.

Each sheet is a few rows of `tag | name | description | properties`; what is expected was written before it was read.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.analysis.event_words import pieces
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


def test_events_with_one_id_follow_each_other_as_the_sheet_lists_them() -> None:
    rules = read(RIDES, "mobility")
    assert path(rules, "rideRequested", "driverMatched", "driverArrived", "rideStarted", "rideCompleted")
    assert path(rules, "rideCompleted", "paymentCharged", "tipGiven")
    assert step(rules, "tipGiven").events == ["tipGiven", "rideRated"]


def test_what_shares_properties_with_a_beginning_leads_to_it() -> None:
    assert path(read(RIDES, "mobility"), "priceShown", "rideRequested")


def test_failures_and_cancellations_stand_where_rows_and_descriptions_say() -> None:
    rules = read(RIDES, "mobility")
    assert step(rules, "noDriverFound").events == ["driverMatched", "noDriverFound"]
    assert step(rules, "rideCancelledByRider").events == ["driverArrived", "rideCancelledByRider"]
    assert step(rules, "driverArrived").follows == ["driverMatched"]
    assert step(rules, "rideStarted").follows == ["driverArrived"]
    assert step(rules, "paymentDeclined").events == ["paymentCharged", "paymentDeclined"]
    assert step(rules, "tipGiven").follows == ["paymentCharged"]


def test_failures_are_rarer_than_what_they_are_instead_of() -> None:
    for name in ("noDriverFound", "rideCancelledByRider", "paymentDeclined"):
        assert dict(zip(step(read(RIDES), name).events, step(read(RIDES), name).weights, strict=True))[name] <= 0.1


def test_what_may_happen_at_any_time_of_a_life_is_no_stage_of_it() -> None:
    assert alone(read(RIDES, "mobility"), "sosPressed")


def test_phases_tell_the_order_of_a_sheet_that_is_sorted_by_name() -> None:
    rules = read(
        """
        trip | trip_cancelled | Passenger cancels before the driver arrives | trip_id
        trip | trip_completed | | trip_id, trip_minutes:n
        trip | trip_requested | | trip_id
        trip | trip_started | | trip_id
        trip | driver_arrived | | trip_id
        trip | driver_assigned | | trip_id, eta_minutes:n
        trip | fare_charged | | trip_id, fare:n
        """
    )
    assert path(
        rules, "trip_requested", "driver_assigned", "driver_arrived", "trip_started", "trip_completed", "fare_charged"
    )
    assert step(rules, "trip_cancelled").events == ["driver_arrived", "trip_cancelled"]


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


def test_one_thing_becomes_another() -> None:
    rules = read(
        """
        Visit | Doctor_List_Viewed | |
        Visit | Doctor_Profile_Viewed | | Doctor_Id
        Call | Consultation_Requested | | Consultation_Id, Doctor_Id
        Call | Consultation_Accepted | | Consultation_Id, Wait_Minutes:n
        Call | Consultation_Declined | | Consultation_Id
        Call | Consultation_Cancelled | Patient cancels before the call | Consultation_Id
        Call | Video_Call_Started | | Consultation_Id
        Call | Video_Call_Ended | | Consultation_Id, Call_Minutes:n
        Call | Prescription_Issued | | Consultation_Id, Prescription_Id
        Pharmacy | Prescription_Filled | | Prescription_Id
        """,
        "health",
    )
    assert path(rules, "Doctor_List_Viewed", "Doctor_Profile_Viewed", "Consultation_Requested", "Consultation_Accepted")
    assert path(rules, "Consultation_Accepted", "Video_Call_Started", "Video_Call_Ended", "Prescription_Issued")
    assert step(rules, "Consultation_Cancelled").events == ["Video_Call_Started", "Consultation_Cancelled"]
    assert alone(rules, "Prescription_Filled")


# --------------------------------------------------------------------------- what takes days


def test_of_what_takes_days_only_the_beginning_is_a_sequence() -> None:
    rules = read(
        """
        Shipping | Quote_Requested | | Quote_Id, Weight:n
        Shipping | Quote_Received | | Quote_Id, Rate:n
        Shipping | Quote_Accepted | | Quote_Id, Carrier
        Shipping | Quote_Expired | | Quote_Id
        Shipping | Shipment_Created | From the accepted quote | Shipment_Id, Quote_Id
        Shipping | Label_Printed | | Shipment_Id
        Tracking | Shipment_In_Transit | | Shipment_Id
        Tracking | Shipment_Delivered | | Shipment_Id, Transit_Hours:n
        Tracking | Delivery_Failed | | Shipment_Id
        Shipping | Shipment_Cancelled | Before the transit | Shipment_Id
        Billing | Invoice_Issued | | Invoice_No, Amount:n
        Billing | Invoice_Paid | | Invoice_No, Days_To_Pay:n
        """
    )
    assert path(rules, "Quote_Requested", "Quote_Received", "Quote_Accepted", "Shipment_Created", "Label_Printed")
    assert step(rules, "Quote_Expired").events == ["Quote_Accepted", "Quote_Expired"]
    assert alone(rules, "Shipment_In_Transit", "Shipment_Delivered", "Delivery_Failed", "Shipment_Cancelled")
    assert alone(rules, "Invoice_Issued", "Invoice_Paid")


def test_a_claim_is_not_decided_in_the_session_that_files_it() -> None:
    rules = read(
        """
        Claims | Claim_Started | | Claim_Id
        Claims | Photos_Uploaded | | Claim_Id, Photo_Count:n
        Claims | Claim_Submitted | | Claim_Id
        Claims | Claim_Withdrawn | Customer withdraws the claim | Claim_Id
        Handling | Adjuster_Assigned | | Claim_Id, Days_Since_Submission:n
        Handling | Claim_Approved | | Claim_Id
        Handling | Claim_Denied | | Claim_Id
        """
    )
    assert path(rules, "Claim_Started", "Photos_Uploaded", "Claim_Submitted")
    assert alone(rules, "Claim_Withdrawn", "Adjuster_Assigned", "Claim_Approved", "Claim_Denied")


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


def test_one_of_several_things_is_done_with_what_is_looked_at() -> None:
    choice = step(read(CARDS, "social"), "swipedLeft")
    assert choice.events == ["swipedLeft", "swipedRight", "superLikeSent"]
    assert choice.weights == sorted(choice.weights, reverse=True)
    assert path(read(CARDS, "social"), "cardViewed", "swipedLeft")


def test_what_undoes_a_choice_is_none() -> None:
    assert alone(read(CARDS, "social"), "swipeRewound", "matchUnmatched")


def test_what_comes_of_a_choice_follows_those_that_it_speaks_of() -> None:
    rules = read(CARDS, "social")
    assert step(rules, "matchCreated").follows == ["swipedRight", "superLikeSent"]
    assert path(rules, "swipedRight", "matchCreated", "chatOpened")
    assert path(rules, "chatOpened", "messageSent")


def test_a_purchase_begins_where_its_properties_are_chosen() -> None:
    rules = read(CARDS, "social")
    assert path(rules, "paywallShown", "planSelected", "purchaseStarted", "purchaseCompleted")
    assert step(rules, "purchaseFailed").events == ["purchaseCompleted", "purchaseFailed"]
    assert alone(rules, "boostBought")


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


def test_a_page_is_read_to_the_end_or_left() -> None:
    rules = read(READING, "media")
    assert path(rules, "title_view", "episode_view", "episode_complete", "comment_write")
    assert step(rules, "episode_exit").events == ["episode_complete", "episode_exit"]
    assert step(rules, "comment_write").follows == ["episode_complete"]


def test_searches_lead_to_the_coarser_thing_first() -> None:
    assert path(read(READING, "media"), "search", "title_view", "episode_view")


def test_to_rent_and_to_buy_are_alternatives() -> None:
    rules = read(READING, "media")
    assert step(rules, "episode_rent").events == ["episode_rent", "episode_buy"]
    assert path(rules, "title_view", "episode_buy")


def test_two_ids_are_two_things() -> None:
    rules = read(
        """
        quest | QuestStart | | quest_id
        quest | QuestClear | | quest_id
        quest | QuestFail | | quest_id
        quest | QuestRetire | クエストを途中でリタイアした時 | quest_id
        mission | MissionClear | | mission_id
        """,
        "game",
    )
    assert step(rules, "QuestRetire").events == ["QuestClear", "QuestFail", "QuestRetire"]
    assert alone(rules, "MissionClear")


def test_what_is_activated_ends() -> None:
    rules = read("boost | boostActivated | | boostMinutes:n\nboost | boostEnded | | viewsGained:n")
    assert path(rules, "boostActivated", "boostEnded")


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
