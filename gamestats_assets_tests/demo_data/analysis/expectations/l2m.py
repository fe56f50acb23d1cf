"""What a person says of the taxonomy `l2m`."""

from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets_tests.demo_data.analysis.expectations.language import (
    again,
    balance,
    between,
    does_not_need,
    each_of,
    ends_session,
    follows_from,
    goes_with,
    kept,
    likelier,
    more,
    of_users,
    one_of,
    rarer_than,
    starts_session,
    updates,
)

PRODUCT = ProductInfo(industry="game", platform="mobile", name="Realm of Clans")

EXPECTED = (
    starts_session("login"),
    ends_session("logout"),
    again("increase_item", "decrease_item", "increase_money", "decrease_money", "recharge"),
    of_users("increase_item", "increase_money", "recharge"),
    does_not_need("decrease_money", "recharge"),
    does_not_need("decrease_item", "recharge"),
    kept("server_id"),
    kept("country"),
    kept("guild_id"),
    updates("logout", "level", "increment", 1, once_a_day=True),
    between("level", 1, 90, whole=True),
    one_of("item_id", *range(1001, 1052), *range(2001, 2061)),
    one_of("increase_item/reason_id", "11", "12", "13", "14", "15"),
    one_of("decrease_item/reason_id", "21", "22", "23", "24"),
    one_of("increase_money/reason_id", "31", "32", "33"),
    one_of("decrease_money/reason_id", "41", "42", "43", "44"),
    one_of("money_type", "101", "902", "912"),
    balance("increase_money/balance_after", "amount", spent=False, group_by="money_type"),
    balance("decrease_money/balance_after", "amount", spent=True, group_by="money_type"),
    goes_with("currency", "country", {"VN": "VND", "TH": "THB", "SG": "SGD", "US": "USD"}),
    each_of("recharge/amount", "currency", {"THB": (35, 169, 349, 699, 1790, 3500), "USD": (0.99, 4.99, 9.99)}),
    each_of("increase_money/amount", "money_type", {"101": (50, 3000), "912": (1, 3, 5, 10, 30)}),
    each_of("decrease_money/amount", "money_type", {"902": (5, 300)}),
    each_of("pmc", "#os", {"iOS": ("app_store", "web_shop"), "Android": ("google_play", "one_store")}),
    follows_from("increase_money/guild_name", "guild_id"),
    follows_from("decrease_money/guild_name", "guild_id"),
    rarer_than("recharge", "increase_item"),
    more("level"),
)
NOT_YET = (likelier("recharge"),)
"""What a person says, and the analyst does not."""
