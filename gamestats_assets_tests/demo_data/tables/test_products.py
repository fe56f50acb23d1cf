"""What is read off a product's taxonomy and rules when it is entered: its payments."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gamestats_assets.demo_data.products.meaning import meaning_of
from gamestats_assets.demo_data.rules.model import Rules, Update
from gamestats_assets.demo_data.taxonomies.model import Event, Property, Taxonomy
from gamestats_assets_tests.demo_data.small_shop import RULES, TAXONOMY, number, text


def taxonomy(*events: Event, users: tuple[Property, ...] = ()) -> Taxonomy:
    return Taxonomy(name="t", events=(Event(name="start"), *events), common_properties=(), user_properties=users)


def adding(**states: Mapping[str, str]) -> Rules:
    """Rules by which events add properties of theirs to what is known of users."""
    patterns = {
        event: {state: Update(type="increment", value=f"{{{{{amount}}}}}") for state, amount in of.items()}
        for event, of in states.items()
    }
    return RULES.model_copy(update={"update_patterns": patterns})


def payment(given: Taxonomy, rules: Rules) -> tuple[str | None, str | None, str | None]:
    found = meaning_of(given, rules)
    return found.get("payment_event"), found.get("amount_property"), found.get("currency_property")


def test_the_payment_is_what_adds_to_a_total_of_the_user() -> None:
    assert payment(TAXONOMY, RULES) == ("buy", "total", None)


@pytest.mark.parametrize(
    "state", ["total_paid", "TotalFarePaid", "lifetimeRevenue", "order_amount_total", "totalPayJpy"]
)
def test_a_total_is_known_by_the_words_of_its_name_whatever_its_style(state: str) -> None:
    given = taxonomy(Event(name="deal", properties=(number("worth"), text("currencyType"))))
    assert payment(given, adding(deal={state: "worth"})) == ("deal", "worth", "currencyType")


def test_what_is_paid_out_or_used_up_is_no_payment() -> None:
    given = taxonomy(
        Event(name="claim_settled", properties=(number("Settled_Value"),)),
        Event(name="skin_buy", properties=(number("cost_gem"),)),
        users=(number("gem"),),
    )
    assert payment(given, adding(claim_settled={"Payout_Total": "Settled_Value"})) == (None, None, None)


def test_of_several_that_add_to_a_total_the_first_of_the_sheet_counts() -> None:
    given = taxonomy(
        Event(name="plan_bought", properties=(number("paid"),)), Event(name="gift_bought", properties=(number("sum"),))
    )
    rules = adding(gift_bought={"total_spent": "sum"}, plan_bought={"total_spent": "paid"})
    assert payment(given, rules) == ("plan_bought", "paid", None)


@pytest.mark.parametrize(
    ("event", "amount"), [("buy", "pay_amount"), ("purchaseCompleted", "amountPaid"), ("Invoice_Paid", "Gross_Amount")]
)
def test_without_a_total_names_tell_the_payment_and_its_amount(event: str, amount: str) -> None:
    given = taxonomy(
        Event(name="shop_view", properties=(number("price"),)),
        Event(name=event, properties=(number("count"), number(amount), text("Currency"))),
    )
    assert payment(given, adding()) == (event, amount, "Currency")


def test_a_payment_that_tells_no_amount_is_none() -> None:
    given = taxonomy(Event(name="buy", properties=(number("item_count"), text("item_id"))))
    assert payment(given, adding()) == (None, None, None)
