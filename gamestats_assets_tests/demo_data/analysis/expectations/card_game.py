"""A real card game's tracking plan."""

from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets_tests.demo_data.analysis.expectations.language import (
    REGISTERED,
    again,
    carries,
    currency_code,
    does_not_need,
    either,
    ends_session,
    follows_from,
    includes,
    likelier,
    more,
    moves_to,
    needs,
    not_of_users,
    of_users,
    once,
    one_of,
    path,
    starts_session,
    tied,
    updates,
)

PRODUCT = ProductInfo(industry="game", platform="mobile", name="Card game")

EXPECTED = (
    starts_session("ta_app_start"),
    ends_session("ta_app_end"),
    once("ta_app_install", "new_device", "register"),
    again("login", "draw_card", "ta_app_crash", "battle_start"),
    moves_to("register", REGISTERED),
    needs("create_role", "register"),
    needs("role_login", "create_role"),
    path("role_login", "role_logout"),
    path("init_order", "payment"),
    either("payment", "payment_fail"),
    path("battle_start", "battle_win"),
    path("battle_start", "battle_fail"),
    either("battle_win", "battle_fail"),
    needs("guild_game", "guild_join", "guild_create"),
    needs("guild_leave", "guild_join", "guild_create"),
    needs("dissolve_guild", "guild_create"),
    needs("delete_friend", "add_friend"),
    does_not_need("draw_card", "payment"),
    does_not_need("battle_start", "tower_challenge_start"),
    not_of_users("current_online", "rank"),
    of_users("payment", "guild_join", "chat", "draw_card"),
    one_of("draw_card/draw_num", 1, 10),
    one_of("draw_card/draw_type", "단일 뽑기", "열 번 연속 뽑기"),
    one_of("battle_start/battle_type", "메인 스토리", "던전"),
    includes("attend_arena/result", "승리", "패배"),
    includes("hold_up", "정상"),
    currency_code("init_order/currency_type"),
    carries("order_id", "payment", "payment_fail"),
    carries("pay_amount", "payment", "payment_fail"),
    carries("battle_id", "battle_win", "battle_fail"),
    tied("level_up/level_before", "level_up/level"),
    updates("payment", "total_pay_amount", "increment", "{{pay_amount}}"),
    updates("payment", "first_pay_time", "set_once", "{{#time}}"),
    updates("register", "register_time", "set_once", "{{#time}}"),
    updates("level_up", "current_level", "set", "{{level}}"),
    updates("guild_join", "guild_id", "set", "{{guild_id}}"),
    updates("create_role", "is_roll", "set_once", "{{is_roll}}"),
    likelier("payment"),
    likelier("draw_card"),
    more("tmp_level"),
    more("tmp_power"),
)

NOT_YET = (
    path("tower_challenge_start", "tower_battle_end", "tower_challenge_end"),
    # What is left in a list of objects is no balance unless the sheet says so.
    follows_from("item_get/resource_info.after_num", "resource_info.change_num"),
    # Likewise.
    follows_from("item_consume/resource_info.after_num", "resource_info.change_num"),
)
"""What a person says, and the analyst does not."""
