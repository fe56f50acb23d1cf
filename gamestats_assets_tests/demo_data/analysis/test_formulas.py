"""Formulas, changes, orders and times that the analyst reads in a record; expected by hand from the sheet."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse, contradictions
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.rules.formulas import parse_formula
from gamestats_assets.demo_data.rules.model import PropertyConstraint, Rules, Update
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.demo_data.taxonomies.value_rules import Between, OneOf
from gamestats_assets_tests.demo_data.analysis.analyst_sheets import event, formula, range_of, sound, taxonomy

HOUR, DAY = 3600, 86_400


def number(name: str, description: str = "", alias: str = "", **more: object) -> Property:
    """A number as the sheet has it."""
    return Property.model_validate({"name": name, "type": "number", "description": description, "alias": alias, **more})


def time(name: str, description: str = "", alias: str = "") -> Property:
    """A time as the sheet has it."""
    return Property(name=name, type=PropertyType.TIME, description=description, alias=alias)


def rules_of(*events: Event, users: tuple = (), common: tuple = (), industry: str = "ecommerce") -> Rules:
    """The analyst's rules, which have no problems."""
    return sound(taxonomy(*events, users=users, common=common), industry)


def doubts(sheet: Taxonomy) -> list[str]:
    """What the sheet writes and the analyst does not follow."""
    return contradictions(sheet, analyse(sheet, ProductInfo()))


def reckon(rules: Rules, key: str, share: float = 0.5, **values: float) -> float:
    """What a formula gives, its random numbers being a share of the way."""
    text = formula(rules, key)
    assert text is not None
    return float(parse_formula(text).evaluate(values, lambda _: np.array(share)))


def when(rules: Rules, key: str) -> tuple[float, float]:
    """How many seconds after its event a time is, at least and at most."""
    found = range_of(rules, key)
    return found.min, found.max


# --------------------------------------------------------------------------- written formulas


@pytest.mark.parametrize(
    ("written", "names", "result"),
    [
        ("Base rate + fuel surcharge + insurance fee", ("Base_Rate", "Fuel_Surcharge", "Insurance_Fee"), 60),
        ("baseRate × fuelSurcharge", ("baseRate", "fuelSurcharge"), 200),
        ("seats * price_per_seat", ("seats", "price_per_seat"), 200),
        ("list_price minus coupon_value", ("list_price", "coupon_value"), -10),
        ("the sum of net amount, city tax and service charge", ("netAmount", "cityTax", "serviceCharge"), 60),
        ("difference between gross weight and tare weight", ("gross_weight", "tare_weight"), -10),
        ("average of clean_score and staff_score", ("clean_score", "staff_score"), 15),
        ("(base_fare + time_fare) * surge - voucher", ("base_fare", "time_fare", "surge", "voucher"), 860),
        ("annual premium / 12", ("annualPremium",), 10 / 12),
        ("5 % of the nightly rate", ("nightlyRate",), 0.5),
        ("0.10 EUR for each of the idle_minutes", ("idle_minutes",), 1),
        ("tip_rate % of the bill_sum", ("bill_sum", "tip_rate"), 2),
        ("Summe aus netto und porto", ("netto", "porto"), 30),
        ("3.5 % of amount_due + 0.25", ("amount_due",), 0.6),
        ("max(list_price - coupon, 0)", ("list_price", "coupon"), 0),
        ("preis mal menge abzüglich rabatt", ("preis", "menge", "rabatt"), 170),
    ],
)
def test_formulas_in_english(written: str, names: tuple[str, ...], result: float) -> None:
    rules = rules_of(event("tell", *map(number, names), number("outcome", written)))
    values = {name: 10.0 * (place + 1) for place, name in enumerate(names)}
    assert reckon(rules, "tell/outcome", **values) == pytest.approx(result, abs=0.01)


@pytest.mark.parametrize(
    ("written", "first", "second", "result"),
    [
        ("有償石＋無償石", "有償石", "無償石", 50),
        ("単価×枚数", "単価", "枚数", 600),
        ("単価から割引額を引いた金額", "単価", "割引額", 10),
        ("基本点とボーナス点の合計", "基本点", "ボーナス点", 50),
        ("申請額から手数料を引いた額", "申請額", "振込手数料", 10),
        ("진료비 + 약제비", "진료비", "약제비", 50),
        ("총액에서 할인액을 뺀 금액", "총액", "할인액", 10),
        ("단가와 수량의 곱", "단가", "수량", 600),
        ("합산 금액 = 유료 다이아와 무료 다이아의 합", "유료 다이아", "무료 다이아", 50),
    ],
)
def test_formulas_by_the_aliases_of_numbers(written: str, first: str, second: str, result: float) -> None:
    rules = rules_of(event("tell", number("aaa", alias=first), number("bbb", alias=second), number("outcome", written)))
    assert reckon(rules, "tell/outcome", aaa=30, bbb=20) == pytest.approx(result)


@pytest.mark.parametrize("most", [2.25, 90, 3000])
def test_a_number_follows_no_formula_whose_results_the_sheet_does_not_allow(most: float) -> None:
    power = number("power").model_copy(update={"rule": Between(min=0.5, max=most, integer=False)})
    rules = rules_of(event("start", power), common=(number("level"),))
    assert (formula(rules, "start/power") is not None) == (most == 3000)
    assert (rules.value_ranges["power"].min, rules.value_ranges["power"].max) == (
        (120 if most == 3000 else 0.5),
        most,
    )


@pytest.mark.parametrize(
    ("name", "alias", "written", "result"),
    [
        ("worked_mins", "", "clock out minus clock in, in minutes, less breaks", 50),
        ("delay_min", "", "minutes between clock_in_at and clock_out_at", 60),
        ("sung_sec", "", "歌った秒数（clock_out_at - clock_in_at）", 3600),
        ("work_hours", "근무 시간(시간)", "퇴근 - 출근", 1),
    ],
)
def test_how_long_something_took_is_told_in_its_own_unit(name: str, alias: str, written: str, result: float) -> None:
    clock = time("clock_in_at", alias="출근"), time("clock_out_at", alias="퇴근")
    rules = rules_of(event("clock_out", *clock, number("break_mins"), number(name, written, alias)))
    values = {"clock_in_at": -3600.0, "clock_out_at": 0.0, "break_mins": 10.0}
    used = parse_formula(formula(rules, f"clock_out/{name}") or "").names
    assert reckon(rules, f"clock_out/{name}", **{n: values[n] for n in used}) == pytest.approx(result)


def test_percentages_are_hundredths() -> None:
    rate = Between(min=5, max=25, integer=True)
    rules = rules_of(
        event(
            "invoice", number("Net_Amount", "EUR"), number("Vat_Rate", "Percent", rule=rate),
            number("Vat_Amount", "Net_Amount * Vat_Rate / 100"), number("Gross_Amount", "Net plus VAT"),
            number("interest_part", "net amount times vat rate"), number("after_all", "Net amount minus discountPct"),
            number("discountPct", rule=rate),
        )
    )  # fmt: skip
    assert reckon(rules, "invoice/Vat_Amount", Net_Amount=200, Vat_Rate=20) == 40
    assert reckon(rules, "invoice/Gross_Amount", Net_Amount=200, Vat_Amount=40) == 240
    assert reckon(rules, "invoice/interest_part", Net_Amount=200, Vat_Rate=20) == pytest.approx(40, abs=1)
    assert reckon(rules, "invoice/after_all", Net_Amount=200, discountPct=10) == pytest.approx(180, abs=1)


@pytest.mark.parametrize(
    "written", ["E-mail of the user", "Price plus shipping", "win/lose", "Number of items - optional", "Plan + add-ons"]
)
def test_what_is_not_all_there_is_no_formula(written: str) -> None:
    rules = rules_of(event("tell", number("price"), number("amount_of_items"), number("outcome", written)))
    assert formula(rules, "tell/outcome") is None


@pytest.mark.parametrize(
    "known",
    [*facts("equations")["words"], *facts("equations")["orders"], *facts("value_texts")["lists"]],
    ids=lambda known: known["example"],
)
def test_each_pattern_of_the_reference_data_reads_its_example(known: dict[str, str]) -> None:
    words = f" {known['example']} " if known.get("signs", "").startswith(" ") else known["example"]
    assert re.search(known["says"], words, re.IGNORECASE)


@pytest.mark.parametrize(
    ("numbers", "name", "values", "result"),
    [
        ("price quantity total_price", "total_price", {"price": 12, "quantity": 3}, 36),
        (
            "unit_price qty discount_amount total_amount",
            "total_amount",
            {"unit_price": 10, "qty": 3, "discount_amount": 5},
            25,
        ),
        ("price quantity discount_amount total", "total", {"price": 1, "quantity": 3, "discount_amount": 5}, 0),
        (
            "subtotal shipping_fee tax total_amount",
            "total_amount",
            {"subtotal": 100, "shipping_fee": 7, "tax": 10},
            117,
        ),
        ("price_per_night nights total_price", "total_price", {"price_per_night": 80, "nights": 4}, 320),
        ("original_price discount_rate final_price", "final_price", {"original_price": 200, "discount_rate": 15}, 170),
        ("height weight bmi", "bmi", {"height": 175, "weight": 70}, 22.9),
        ("duration_minutes calories_burned", "calories_burned", {"duration_minutes": 30}, 260),
        ("amount fee", "fee", {"amount": 2500}, 25),
        ("correct_count question_count accuracy", "accuracy", {"correct_count": 15, "question_count": 20}, 75),
        ("level level_before", "level_before", {"level": 8}, 7),
        ("old_level new_level", "old_level", {"new_level": 8}, 7),
        ("coin_before get_coin coin_after", "coin_after", {"coin_before": 100, "get_coin": 30}, 130),
        (
            "token_before token_consume_amount token_after",
            "token_after",
            {"token_before": 100, "token_consume_amount": 30},
            70,
        ),
        ("kills deaths assists kda", "kda", {"kills": 6, "deaths": 2, "assists": 4}, 5),
    ],
)
def test_numbers_that_follow_from_others(numbers: str, name: str, values: dict[str, float], result: float) -> None:
    rules = rules_of(event("tell", *map(number, numbers.split())), industry="health")
    assert reckon(rules, f"tell/{name}", **values) == pytest.approx(result, abs=0.05)


def test_values_that_the_sheet_lists_follow_no_formula() -> None:
    listed = number("total_price", rule=OneOf(values=(5, 10)))
    assert (
        "total_price" not in rules_of(event("buy", number("price"), number("quantity"), listed)).property_relationships
    )


@pytest.mark.parametrize(("limits", "low", "high"), [(None, 2, 40), (Between(min=5, max=30, integer=True), 5, 30)])
def test_ranges_reach_as_far_as_formulas_do_and_no_further_than_the_sheet(
    limits: Between | None, low: float, high: float
) -> None:
    price, quantity = Between(min=2, max=10, integer=True), Between(min=1, max=4, integer=True)
    numbers = number("price", rule=price), number("quantity", rule=quantity), number("total_price", rule=limits)
    found = range_of(rules_of(event("buy", *numbers)), "buy/total_price")
    assert (found.min, found.max) == (low, high)


# --------------------------------------------------------------------------- before and after


def test_what_is_spent_is_taken_from_the_state_and_what_is_given_is_added_with_its_bonus() -> None:
    rules = rules_of(
        event("buy", number("use_cookie", alias="사용 쿠키"), number("cookie_after", alias="사용 후 쿠키")),
        event(
            "charge", number("cookie_before"), number("charge_cookie"), number("bonus_cookie"), number("cookie_after")
        ),
        users=(number("cookie", alias="보유 쿠키"),),
    )
    assert reckon(rules, "buy/cookie_after", cookie=10, use_cookie=3) == 7
    assert reckon(rules, "charge/cookie_before", cookie=10) == 10
    assert reckon(rules, "charge/cookie_after", cookie=10, charge_cookie=5, bonus_cookie=2) == 17
    assert rules.update_patterns["buy"]["cookie"] == Update(type="decrement", value="{{use_cookie}}")
    assert rules.update_patterns["charge"]["cookie"].type == "increment"


def test_limits_of_the_sheet_hold_whatever_formulas_need() -> None:
    kind = Property(name="change_type", type=PropertyType.STRING, rule=OneOf(values=("earn", "spend")))
    limits = Between(min=1, max=500, integer=True)
    rules = rules_of(
        event("GoldChange", kind, number("gold_before", rule=limits), number("change_num", rule=limits),
              number("gold_after", rule=limits)),
        event("SpendGem", number("gem_before", rule=limits), number("spend_gem", rule=limits), number("gem_after")),
        event("task_completed", number("progress_pct", rule=Between(min=0, max=90, integer=True))),
        industry="game",
    )  # fmt: skip
    assert rules.value_ranges["gem_before"].max == 500
    assert rules.value_ranges["progress_pct"].max == 90


# --------------------------------------------------------------------------- orders


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_limits_that_are_written_or_named(share: float) -> None:
    ages = Between(min=18, max=70, integer=True)
    rules = rules_of(
        event("prefer", number("minAge", rule=ages), number("maxAge", "Oldest age, not below minAge", rule=ages)),
        event("quote", number("Lowest_Rate", "Cheapest rate in EUR"), number("Highest_Rate", "Dearest rate in EUR")),
        event("claim", number("claim_amount", "EUR"), number("paid_out", "EUR, at most the claim amount")),
        event("read", number("read_cut"), number("total_cut"), number("read_rate", "%")),
        event("join", number("members_after"), number("members_max")),
        event("check", number("cdr_count"), number("cdr_wrong", "those of cdr_count that do not match")),
        event("charge", number("soc_start", "% at the start"), number("soc_end", "% at the end")),
        event("lend", number("copies_total"), number("copies_available")),
        event("pay_cash", number("net"), number("bill", "net * 1.2"), number("cash"), number("back", "cash - bill")),
        event("ride_finished", number("batt_start", "%"), number("batt_end", "%")),
        event("class_held", number("booked_cnt"), number("absent_cnt")),
        event("sell", number("stock"), number("sold", "cannot be more than stock")),
        event("lower", number("old_price", alias="変更前価格"), number("new_price", "必ず変更前より安い")),
    )
    assert reckon(rules, "join/members_after", share, members_max=20) <= 20
    assert reckon(rules, "check/cdr_wrong", share, cdr_count=100) < 100
    assert 100 >= reckon(rules, "charge/soc_end", share, soc_start=30) >= 30
    assert reckon(rules, "sell/sold", share, stock=40) <= 40
    assert reckon(rules, "ride_finished/batt_end", share, batt_start=60) <= 60
    assert reckon(rules, "class_held/absent_cnt", share, booked_cnt=12) <= 12
    assert reckon(rules, "lend/copies_available", share, copies_total=7) <= 7
    assert reckon(rules, "pay_cash/cash", share, bill=30) >= 30
    assert reckon(rules, "lower/new_price", share, old_price=900) <= 900
    assert reckon(rules, "prefer/maxAge", share, minAge=40) >= 40
    assert reckon(rules, "quote/Highest_Rate", share, Lowest_Rate=9.5) > 9.5
    assert reckon(rules, "claim/paid_out", share, claim_amount=100) <= 100
    assert reckon(rules, "read/read_cut", share, total_cut=60) <= 60
    assert reckon(rules, "read/read_rate", share, read_cut=30, total_cut=60) == 50


# --------------------------------------------------------------------------- times


def test_deadlines_come_after_and_births_decades_before() -> None:
    rules = rules_of(
        event("invoice_issued", time("Due_Date"), number("amount")),
        event("order_placed", time("promised_delivery_date")),
        event("visit_booked", time("next_visit", alias="次回予定日")),
        event("profile_set", time("birthday", alias="생년월일"), time("last_login_at")),
    )
    for key in ("invoice_issued/Due_Date", "order_placed/promised_delivery_date", "visit_booked/next_visit"):
        assert when(rules, key)[0] > 0
    oldest, youngest = when(rules, "profile_set/birthday")
    assert oldest > -100 * 365 * DAY
    assert youngest < -10 * 365 * DAY
    assert when(rules, "profile_set/last_login_at")[1] < 0


@pytest.mark.parametrize(
    ("description", "seconds"),
    [("+72 h", 72 * HOUR), ("30 days later", 30 * DAY), ("72시간 후", 72 * HOUR), ("30日後", 30 * DAY)],
)
def test_texts_tell_how_much_later(description: str, seconds: float) -> None:
    rules = rules_of(
        event("rent", time("rent_start"), time("rent_end", description)), event("pass", time("x", description))
    )
    assert reckon(rules, "rent/rent_end", rent_start=-1) == seconds - 1
    assert when(rules, "pass/x") == (seconds, seconds)


def test_durations_lie_between_start_and_end() -> None:
    rules = rules_of(
        event("ride_completed", time("start_time"), time("end_time"), number("duration_min")),
        event("room_booked", time("check_in_date"), time("check_out_date"), number("nights")),
        event("call_scheduled", time("Window_Start"), time("Window_End")),
        event("order_delivered", time("shipped_at"), time("delivered_at"), number("transit_hours")),
    )
    assert reckon(rules, "ride_completed/start_time", end_time=-2, duration_min=10) == -602
    assert when(rules, "ride_completed/end_time")[1] == 0
    assert when(rules, "room_booked/check_in_date")[0] > 0
    assert reckon(rules, "room_booked/check_out_date", check_in_date=100, nights=2) == 100 + 2 * DAY
    assert reckon(rules, "call_scheduled/Window_End", share=0.0, Window_Start=5000) > 5000
    assert reckon(rules, "order_delivered/shipped_at", delivered_at=0, transit_hours=5) == -5 * HOUR


def test_what_happened_before_stands_in_its_order() -> None:
    rules = rules_of(event("order_delivered", time("ordered_at"), time("shipped_at"), time("delivered_at")))
    assert when(rules, "order_delivered/delivered_at")[1] == 0
    assert reckon(rules, "order_delivered/shipped_at", delivered_at=0) < 0
    assert reckon(rules, "order_delivered/ordered_at", shipped_at=-100) < -100


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("qty * prise", True),
        ("= undefined * 2", True),
        ("= qty * * 2", True),
        ("= total * 2", True),
        ("qty * price", False),
        ("The total of the order", False),
        ("Price - what one piece costs", False),
    ],
)
def test_what_looks_like_a_formula_and_is_none_is_told(text: str, is_told: bool) -> None:
    sheet = taxonomy(event("buy", number("qty"), number("price"), number("total", text)))
    assert [line.startswith(f"buy/total: {text!r} looks like a formula") for line in doubts(sheet)] == [True] * is_told


def test_written_formulas_that_need_each_other_are_told_and_one_of_them_is_left_out() -> None:
    price, fee = number("price", "= total - fee"), number("fee")
    circle = event("pay", price, fee, number("total", "= price + fee"))
    (told_of_it,) = doubts(taxonomy(circle))
    assert told_of_it.startswith("pay/total = price + fee needs its own result")
    assert formula(rules_of(circle), "pay/price") == "total - fee"
    assert doubts(taxonomy(event("pay", number("price"), fee, circle.properties[2]))) == []


def test_a_written_formula_whose_results_the_sheet_rules_out_is_told_and_left_out() -> None:
    def order(most: float) -> Event:
        few = Between(min=1, max=5, integer=True)
        total = number("total", "= qty * price", rule=Between(min=0 if most < 1000 else 900, max=most, integer=True))
        return event("buy", number("qty", rule=few), number("price", rule=few), total)

    (told_of_it,) = doubts(taxonomy(order(1000)))
    assert told_of_it.startswith("buy/total = qty * price gives nothing within the limits of total")
    assert doubts(taxonomy(order(25))) == []
    assert formula(rules_of(order(1000)), "buy/total") is None


def test_results_lie_alike_where_what_they_follow_from_does_not_stand_beside() -> None:
    total = number("total", "= price * pieces")
    price, pieces = (number(n, rule=Between(min=10, max=90, integer=True)) for n in ("price", "pieces"))
    rules = rules_of(event("pay_start", total), event("pay_end", price, pieces, total))
    elsewhere = rules.value_ranges.get("pay_start/total") or rules.value_ranges["total"]
    assert (elsewhere.min, elsewhere.max) == (100, 8100)
    assert formula(rules, "pay_start/total") is None or "pay_start/total" not in rules.property_relationships
    assert not rules.property_constraints.get("pay_end/total", PropertyConstraint()).recalls
