"""Lists of values that go together."""

from __future__ import annotations

from gamestats_assets.demo_data.analysis.catalogues import changes, pair_of
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType

TIERS = ["Bronze", "Silver", "Gold"]


def number(name: str, alias: str = "") -> Property:
    return Property(name=name, type=PropertyType.NUMBER, alias=alias)


def text(name: str) -> Property:
    return Property(name=name, type=PropertyType.STRING)


def test_a_fee_goes_with_the_type_of_the_same_thing() -> None:
    found = pair_of(number("Locker_Fee"), [2, 5], [(text("lockerSize"), ["small", "large"])])
    assert found is not None
    assert found.mapping == {"small": [2], "large": [5]}


def test_prices_that_rise_with_the_numbers_of_packs_go_with_them() -> None:
    found = pair_of(number("price"), [9, 40, 75], [(text("pack"), ["10 credits", "50 credits", "100 credits"])])
    assert found is not None
    assert found.mapping == {"10 credits": [9], "50 credits": [40], "100 credits": [75]}


def test_lists_of_the_same_length_alone_say_nothing() -> None:
    assert pair_of(number("wait_hours"), [24, 72], [(text("payment_method"), ["card", "cash"])]) is None


def test_a_text_says_which_list_a_number_goes_with() -> None:
    fee = Property(name="prize", type=PropertyType.NUMBER, description="in the order of the tiers")
    found = pair_of(fee, [100, 50], [(text("cash_tier"), ["Gold", "Silver"]), (text("weekday"), ["Mon", "Tue"])])
    assert found is not None
    assert found.depends_on == "cash_tier"
    assert found.mapping == {"Gold": [100], "Silver": [50]}


def test_what_something_becomes_is_never_what_it_was() -> None:
    assert changes(TIERS, TIERS, "Tier_Upgraded") == {"Bronze": ["Silver", "Gold"], "Silver": ["Gold"]}
    assert changes(TIERS, TIERS, "등급 하향") == {"Silver": ["Bronze"], "Gold": ["Bronze", "Silver"]}
    assert changes(TIERS[:2], TIERS[:2], "tier_changed") == {"Bronze": ["Silver"], "Silver": ["Bronze"]}


def test_as_many_rising_numbers_as_products_are_those_of_the_products() -> None:
    products = ["80 gems", "500 gems", "Growth pack", "Season pass"]
    found = pair_of(number("pay_amount"), [1200, 5900, 33000, 65000], [(text("product_name"), products)])
    assert found is not None
    assert found.mapping == {"80 gems": [1200], "500 gems": [5900], "Growth pack": [33000], "Season pass": [65000]}
    falling = pair_of(number("xp_gain"), [10, 40, 20], [(text("quest_type"), ["daily", "weekly", "event"])])
    assert falling is not None
    assert falling.mapping == {"daily": [10], "weekly": [40], "event": [20]}
    assert pair_of(number("wait_hours"), [1, 2, 3, 4], [(text("payment_method"), ["card", "cash", "a", "b"])]) is None
