"""What a person says of the taxonomy `webtoon`."""

from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets_tests.demo_data.analysis.expectations.language import (
    REGISTERED,
    any_of,
    between,
    counts,
    daily,
    does_not_need,
    either,
    ends_session,
    equation,
    final,
    goes_with,
    later,
    likelier,
    moves_to,
    needs,
    not_above,
    not_of_users,
    once,
    path,
    rarer_than,
    recalls,
    remembers,
    starts_session,
    tied,
    told_by,
    true_at_first,
    updates,
    within,
)

PRODUCT = ProductInfo(industry="webtoon", platform="mobile", name="Scroll")

EXPECTED = (
    starts_session("app_open"),
    ends_session("app_close"),
    once("app_first_open", "join", "genre_select"),
    daily("attendance"),
    final("leave"),
    moves_to("join", REGISTERED),
    needs("genre_select", "join"),
    needs("login", "join"),
    path("title_view", "title_subscribe"),
    needs("title_unsubscribe", "title_subscribe"),
    path("episode_view", "episode_complete"),
    path("episode_view", "episode_exit"),
    either("episode_complete", "episode_exit"),
    needs("comment_write", "episode_view"),
    path("charge_page_view", "charge_try", "charge_success"),
    either("charge_success", "charge_fail"),
    needs("charge_refund", "charge_success"),
    needs("push_click", "push_receive"),
    needs("episode_buy", "join"),
    does_not_need("episode_view", "episode_buy"),
    does_not_need("search", "title_view"),
    not_of_users("ccu"),
    recalls("title_id", "title_view", "title_subscribe", "title_unsubscribe"),
    recalls("title_id", "episode_view", "episode_complete", "episode_exit", "comment_write"),
    recalls("episode_no", "episode_view", "episode_complete", "episode_exit", "comment_write"),
    recalls("total_cut", "episode_view", "episode_complete", "episode_exit"),
    recalls("order_id", "charge_try", "charge_success", "charge_fail", "charge_refund"),
    recalls("price", "charge_try", "charge_success", "charge_fail"),
    recalls("push_id", "push_receive", "push_click"),
    equation("charge_success", "cookie_after", "cookie_before + charge_cookie + bonus_cookie"),
    equation("episode_exit", "scroll_rate", "read_cut / total_cut * 100", rounding=0.5),
    not_above("episode_exit", "read_cut", "total_cut"),
    later("episode_rent", "rent_end_time", "rent_start_time"),
    equation(
        "episode_rent", "rent_end_time", "rent_start_time + 72 * 3600", times=("rent_start_time", "rent_end_time")
    ),
    goes_with(
        "price", "product_name", {"쿠키 10개": 1200, "쿠키 49개": 5900, "쿠키 100개": 12000, "쿠키 300개": 36000}
    ),
    goes_with(
        "charge_cookie", "product_name", {"쿠키 10개": 10, "쿠키 49개": 49, "쿠키 100개": 100, "쿠키 300개": 300}
    ),
    between("stay_time", 30, 5400),
    between("episode_complete/read_time", 60, 900),
    within("star", 1, 10),
    within("scroll_rate", 0, 100),
    counts("attend_day", 0, 1),
    true_at_first("is_first_charge"),
    tied("tmp_cookie", "cookie"),
    updates("join", "join_time", "set_once", "{{#time}}"),
    updates("login", "last_login_time", "set", "{{#time}}"),
    updates("charge_success", "first_charge_time", "set_once", "{{#time}}"),
    updates("charge_success", "total_charge_price", "increment", "{{price}}"),
    updates("charge_success", "total_charge_cnt", "increment", 1),
    updates("episode_complete", "total_read_cnt", "increment", 1),
    updates("episode_buy", "total_use_cookie", "increment", "{{use_cookie}}"),
    updates("episode_rent", "total_use_cookie", "increment", "{{use_cookie}}"),
    any_of(
        remembers("charge_success", "cookie", "cookie_after"),
        updates("charge_success", "cookie", "increment", "{{charge_cookie}}+{{bonus_cookie}}"),
    ),
    any_of(
        remembers("episode_buy", "cookie", "cookie_after"),
        updates("episode_buy", "cookie", "decrement", "{{use_cookie}}"),
    ),
    rarer_than("charge_refund", "charge_success"),
    rarer_than("leave", "login"),
    likelier("charge_success"),
)

NOT_YET = (
    equation("episode_buy", "use_cookie", "episode_cnt * cookie_price"),
    equation("episode_complete", "read_cut", "total_cut"),
    told_by("charge_refund/refund_price", "charge_success/price", "charge_try/price"),
    # An opinion names no event.
    needs("star_rate", "episode_view"),
)
"""What a person says, and the analyst does not."""
