"""What a careful person names from a taxonomy's sheet alone, for nine industries and two real tracking plans.

`EXPECTED` reads as a specification. Each line is about what the rules mean, not how they say it: `after` holds
however many steps lie between, `needs` holds through other prerequisites, and so on.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.rules.model import (
    LifecycleStage,
    PropertyConstraint,
    Rules,
    SegmentAnalysis,
    Update,
    ValueRange,
    named_events,
)
from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
from gamestats_assets.demo_data.taxonomies.value_rules import Scalar

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "taxonomies"
UNSEEN = Path(__file__).resolve().parent / "taxonomies"

PRODUCTS = {
    "game": ProductInfo(industry="game", platform="mobile", name="Lands of Aria"),
    "ecommerce": ProductInfo(industry="ecommerce", platform="mobile", name="Corner Shop"),
    "saas": ProductInfo(industry="saas", platform="web", name="Taskboard"),
    "health": ProductInfo(industry="health", platform="mobile", name="Steady"),
    "video_streaming": ProductInfo(industry="video", platform="mobile", name="Reel"),
    "food_delivery": ProductInfo(industry="food delivery", platform="mobile", name="Hot Bag"),
    "banking": ProductInfo(industry="fintech", platform="mobile", name="Pocket Bank"),
    "education": ProductInfo(industry="education", platform="mobile", name="Daily Lesson"),
    "travel": ProductInfo(industry="travel", platform="mobile", name="Window Seat"),
    "casual_game": ProductInfo(industry="game", platform="mobile", name="Casual game"),
    "card_game": ProductInfo(industry="game", platform="mobile", name="Card game"),
}
REAL = ("casual_game", "card_game")
OURS = tuple(name for name in PRODUCTS if name not in REAL)


@cache
def rules_of(name: str, realdata: Path | None = None) -> Rules:
    """What the analyst makes of a taxonomy."""
    if realdata is not None:
        path = realdata / "taxonomies" / f"{name}.xlsx"
    else:
        path = next(folder / name for folder in (SHIPPED, UNSEEN) if (folder / name).is_dir())
    return analyse(read_taxonomy(path), PRODUCTS[name])


# --------------------------------------------------------------------------- what rules mean: events


def _follows(rules: Rules, event: str, before: Iterable[str], seen: frozenset[str] = frozenset()) -> bool:
    """Whether `event` happens only after one of `before`, in every session that has it."""
    if event in seen:
        return False
    starts = rules.event_constraints.session_start
    wanted = set(before)
    earlier = starts[: starts.index(event)] if event in starts else starts
    if wanted & set(earlier):
        return True
    direct = rules.followers().get(event, set())
    return bool(direct) and all(d in wanted or _follows(rules, d, wanted, seen | {event}) for d in direct)


def _requires(rules: Rules, event: str, before: Iterable[str], seen: frozenset[str] = frozenset()) -> bool:
    """Whether one of `before` has happened to every user whom `event` happens to."""
    if event in seen:
        return False
    wanted, seen = set(before), seen | {event}
    asked = rules.event_constraints.prerequisites.get(event, [])
    if any(a in wanted or _requires(rules, a, wanted, seen) for a in asked) or _follows(rules, event, wanted):
        return True
    direct = rules.followers().get(event, set())
    return bool(direct) and all(d in wanted or _requires(rules, d, wanted, seen) for d in direct)


def _happens_once(rules: Rules, event: str) -> bool:
    constraints = rules.event_constraints
    kinds = {s.kind for s in constraints.sequences if any(event in step.events for step in s.steps)}
    return event in constraints.once or kinds == {"onboarding"}


def _earliest_rank(rules: Rules, event: str) -> int:
    """Rank of the stage that a user has reached at least when `event` happens."""
    constraints = rules.event_constraints
    ranks = [stage.rank for found, stage in constraints.stage_events.items() if _requires(rules, event, {found})]
    return max([0, *ranks, constraints.lifecycle.get(event, LifecycleStage.INSTALLED).rank])


def _likelihood(rules: Rules, segment: str, event: str) -> float:
    """Of the event in a session; of one without a figure of its own, that of what leads to it."""
    analysis = rules.segment_analysis[segment]
    if event in analysis.event_probabilities:
        return analysis.event_probabilities[event]
    leading = [before for before in rules.event_constraints.sequences for step in before.steps if event in step.events]
    heads = {head for sequence in leading for head in sequence.steps[0].events}
    return max((analysis.event_probabilities.get(head, 0) for head in heads), default=0)


# --------------------------------------------------------------------------- what rules mean: properties


def _bare(key: str) -> str:
    return key.rpartition("/")[2]


def _entries(table: dict, key: str) -> Iterator:
    """What holds for `event/property`; for a bare name, what holds anywhere, the general before the particular."""
    if "/" in key:
        found = [name for name in (key, _bare(key)) if name in table][:1]
    else:
        found = sorted((name for name in table if _bare(name) == key), key=lambda name: name != key)
    for name in found:
        yield table[name]


def _deciding(constraint: PropertyConstraint) -> str:
    """The field of a constraint that decides."""
    order = ("same_as_before", "copy_of", "first_only", "counter", "depends_on", "values", "rows", "per_user")
    return next((name for name in (*order, "template", "faker") if getattr(constraint, name)), "")


def _values(rules: Rules, key: str) -> set[Scalar]:
    for constraint in _entries(rules.property_constraints, key):
        found = {*constraint.values, *(value for allowed in constraint.mapping.values() for value in allowed)}
        if found:
            return found
    return set()


def _mapping(rules: Rules, prop: str, on: str) -> dict[str, list[Scalar]]:
    found = (c.mapping for c in _entries(rules.property_constraints, prop) if _bare(c.depends_on or "") == on)
    return next(found, {})


def _rests_on(rules: Rules, key: str) -> set[str]:
    """Names of the properties that the values of one follow from."""
    found: list[str | None] = []
    for constraint in _entries(rules.property_constraints, key):
        found += [constraint.copy_of, constraint.depends_on, constraint.counter and constraint.counter.source]
    for relationship in _entries(rules.property_relationships, key):
        found += relationship.depends_on
        found += re.findall(r"[#A-Za-z_][\w.#]*", relationship.formula or "")
    return {_bare(name) for name in found if name}


def _update(rules: Rules, event: str, prop: str) -> Update | None:
    return rules.update_patterns.get(event, {}).get(prop)


def _segment_range(rules: Rules, segment: str, prop: str) -> ValueRange | None:
    own = next(_entries(rules.segment_analysis[segment].property_ranges, prop), None)
    return own or next(_entries(rules.value_ranges, prop), None)


def _mean(found: ValueRange) -> float:
    return (found.min + found.max) / 2 if found.mean is None else found.mean


def _falls(figures: Iterable[float]) -> bool:
    """Whether each figure is below the one before."""
    row = list(figures)
    return all(high > low for high, low in pairwise(row))


# --------------------------------------------------------------------------- the words of the specification


@dataclass(frozen=True)
class Expectation:
    """Something that a person says about a product.

    Attributes:
        about: names of the events and properties that it is about.
    """

    says: str
    about: tuple[str, ...]
    holds: Callable[[Rules], bool]


LEADERS = ("power_user", "active_user", "new_user")


def starts_session(event: str) -> Expectation:
    return Expectation(
        f"every session begins with {event}", (event,), lambda r: event in r.event_constraints.session_start
    )


def ends_session(event: str) -> Expectation:
    return Expectation(f"every session ends with {event}", (event,), lambda r: event in r.event_constraints.session_end)


def once(*events: str) -> Expectation:
    says = f"{', '.join(events)}: once in a user's life"
    return Expectation(says, events, lambda r: all(_happens_once(r, event) for event in events))


def again(*events: str) -> Expectation:
    says = f"{', '.join(events)}: as often as one likes"
    return Expectation(says, events, lambda r: not any(_happens_once(r, event) for event in events))


def path(*events: str) -> Expectation:
    """Within a session each event happens only after the one named before it."""
    pairs = list(pairwise(events))
    return Expectation(" -> ".join(events), events, lambda r: all(_follows(r, b, {a}) for a, b in pairs))


def either(*events: str) -> Expectation:
    """One step, of which exactly one event happens."""

    def holds(rules: Rules) -> bool:
        steps = [step for sequence in rules.event_constraints.sequences for step in sequence.steps]
        return any(set(events) <= set(step.events) for step in steps)

    return Expectation(f"either {' or '.join(events)}", events, holds)


def repeated(event: str) -> Expectation:
    def holds(rules: Rules) -> bool:
        steps = [step for sequence in rules.event_constraints.sequences for step in sequence.steps]
        return any(event in step.events and step.repeats > 1 for step in steps)

    return Expectation(f"{event} happens several times in a row", (event,), holds)


def needs(event: str, *before: str) -> Expectation:
    """One of `before` has happened to the user, in this session or earlier."""
    says = f"{event} needs {' or '.join(before)}"
    return Expectation(says, (event, *before), lambda r: _requires(r, event, before))


def does_not_need(event: str, before: str) -> Expectation:
    says = f"{event} does not need {before}"
    return Expectation(says, (event, before), lambda r: not _requires(r, event, {before}))


def moves_to(event: str, stage: LifecycleStage) -> Expectation:
    says = f"{event} makes a user {stage}"
    return Expectation(says, (event,), lambda r: r.event_constraints.stage_events.get(event) == stage)


def not_before(event: str, stage: LifecycleStage) -> Expectation:
    says = f"{event} only when {stage}, or later"
    return Expectation(says, (event,), lambda r: _earliest_rank(r, event) >= stage.rank)


def not_of_users(*events: str) -> Expectation:
    says = f"{', '.join(events)}: reported without a user's doing"
    return Expectation(says, events, lambda r: set(events) <= set(r.event_constraints.not_of_users))


def of_users(*events: str) -> Expectation:
    says = f"{', '.join(events)}: a user's doing"
    return Expectation(says, events, lambda r: not set(events) & set(r.event_constraints.not_of_users))


def between(key: str, low: float, high: float, *, whole: bool | None = None) -> Expectation:
    """Bounds as in the sheet; where it leaves open whether only whole numbers occur, so do we."""

    def holds(rules: Rules) -> bool:
        found = next(_entries(rules.value_ranges, key), None)
        if found is None or (found.min, found.max) != (low, high):
            return False
        return whole is None or found.integer == whole

    return Expectation(f"{key} lies between {low:g} and {high:g}", (_bare(key),), holds)


def one_of(key: str, *values: Scalar) -> Expectation:
    says = f"{key} is one of {', '.join(map(str, values))}"
    return Expectation(says, (_bare(key),), lambda r: _values(r, key) == set(values))


def includes(key: str, *values: Scalar) -> Expectation:
    says = f"{key} is {', '.join(map(str, values))} or another"
    return Expectation(says, (_bare(key),), lambda r: set(values) <= _values(r, key))


def free_text(key: str) -> Expectation:
    return Expectation(f"{key} is free text", (_bare(key),), lambda r: not _values(r, key))


def currency_code(key: str) -> Expectation:
    def holds(rules: Rules) -> bool:
        constraint = next(_entries(rules.property_constraints, key), PropertyConstraint())
        codes = _values(rules, key)
        written = bool(codes) and all(re.fullmatch("[A-Z]{3}", str(code)) for code in codes)
        return written or "currency" in (constraint.faker or "")

    return Expectation(f"{key} is an ISO 4217 code", (_bare(key),), holds)


def true_at_first(key: str) -> Expectation:
    def holds(rules: Rules) -> bool:
        return any(_deciding(c) == "first_only" for c in _entries(rules.property_constraints, key))

    return Expectation(f"{key} is true the first time alone", (_bare(key),), holds)


def counts(key: str, start: float, step: float, to: float | None = None) -> Expectation:
    def holds(rules: Rules) -> bool:
        counters = [c.counter for c in _entries(rules.property_constraints, key) if c.counter and not c.counter.source]
        return any((c.start, c.step, c.max) == (start, step, to) for c in counters)

    return Expectation(f"{key} counts from {start:g} by {step:g}", (_bare(key),), holds)


def one_count(shows: str, moves: str, shows_too: str) -> Expectation:
    """Three properties that tell one count, which the second moves by one."""

    def holds(rules: Rules) -> bool:
        found = [next(_entries(rules.property_constraints, key), None) for key in (shows, moves, shows_too)]
        counters = [c.counter for c in found if c and c.counter]
        names = {c.shared for c in counters}
        return [c.step for c in counters] == [0, 1, 0] and len(names) == 1 and None not in names

    return Expectation(f"{shows}, {moves}, {shows_too} tell one count", (_bare(shows),), holds)


def balance(key: str, source: str, *, spent: bool, group_by: str | None = None) -> Expectation:
    """What is left after `source` has been added, or spent."""

    def holds(rules: Rules) -> bool:
        found = [c.counter for c in _entries(rules.property_constraints, key) if c.counter]
        return any(
            _bare(c.source or "") == source
            and c.sign == (-1 if spent else 1)
            and (group_by is None or _bare(c.group_by or "") == group_by)
            for c in found
        )

    return Expectation(f"{key} {'falls' if spent else 'grows'} by {source}", (_bare(key), source), holds)


def carries(prop: str, *events: str) -> Expectation:
    """Each event repeats the value of the step before."""

    def holds(rules: Rules) -> bool:
        found = [next(_entries(rules.property_constraints, f"{event}/{prop}"), None) for event in events]
        return all(c is not None and _deciding(c) == "same_as_before" for c in found)

    return Expectation(f"{', '.join(events)}: {prop} as in the step before", (prop, *events), holds)


def follows_from(prop: str, *others: str) -> Expectation:
    says = f"{prop} follows from {' and '.join(others)}"
    return Expectation(says, (_bare(prop), *others), lambda r: set(others) <= _rests_on(r, prop))


def tied(prop: str, other: str) -> Expectation:
    """One of the two is calculated from the other."""

    def holds(rules: Rules) -> bool:
        return _bare(other) in _rests_on(rules, prop) or _bare(prop) in _rests_on(rules, other)

    return Expectation(f"{prop} and {other} belong together", (_bare(prop), _bare(other)), holds)


def carriers_by_country(carrier: str, country: str, **some: str) -> Expectation:
    """Each country has carriers of its own; `some` are among them."""

    def holds(rules: Rules) -> bool:
        mapping = _mapping(rules, carrier, country)
        own = [set(mapping.get(code, [])) for code in some]
        apart = len(set().union(*own)) == sum(map(len, own))
        return apart and all(name in mapping.get(code, []) for code, name in some.items())

    return Expectation(f"{carrier} by {country}", (carrier, country), holds)


def updates(event: str, prop: str, how: str, value: Scalar, *, once_a_day: bool = False) -> Expectation:
    def holds(rules: Rules) -> bool:
        found = _update(rules, event, prop)
        if found is None or (found.type, found.once_per_day) != (how, once_a_day):
            return False
        return found.value == value or str(found.value).replace(" ", "") == value

    return Expectation(f"{event}: {prop} {how} {value}", (event, prop), holds)


def remembers(event: str, prop: str, source: str) -> Expectation:
    """A property tells what the event told last: by an update, or by a count that both show."""

    def holds(rules: Rules) -> bool:
        found = _update(rules, event, prop)
        if found is not None:
            return found.type == "set" and str(found.value).replace(" ", "") == f"{{{{{source}}}}}"
        shown = [c.counter for c in _entries(rules.property_constraints, prop) if c.counter and c.counter.step == 0]
        told = [c.counter for c in _entries(rules.property_constraints, f"{event}/{source}") if c.counter]
        return any(a.shared is not None and a.shared == b.shared for a in shown for b in told)

    return Expectation(f"{prop} is the last {source} of {event}", (event, prop, source), holds)


def likelier(event: str) -> Expectation:
    says = f"{event} is likelier the more engaged the segment"
    return Expectation(says, (event,), lambda r: _falls(_likelihood(r, segment, event) for segment in LEADERS))


def more(prop: str) -> Expectation:
    def holds(rules: Rules) -> bool:
        ranges = [_segment_range(rules, segment, prop) for segment in LEADERS]
        return all(ranges) and _falls(_mean(found) for found in ranges if found)

    return Expectation(f"{prop} is higher the more engaged the segment", (prop,), holds)


# --------------------------------------------------------------------------- the specification

REGISTERED, STARTED, COMPLETED = (
    LifecycleStage.REGISTERED,
    LifecycleStage.ONBOARDING_STARTED,
    LifecycleStage.ONBOARDING_COMPLETED,
)

EXPECTED: dict[str, tuple[Expectation, ...]] = {
    "game": (
        starts_session("app_start"),
        ends_session("app_end"),
        once("app_install", "sign_up", "character_create"),
        once("tutorial_start", "tutorial_complete"),
        again("login", "payment_complete", "gacha_draw"),
        path("tutorial_start", "tutorial_step", "tutorial_complete"),
        repeated("tutorial_step"),
        needs("character_create", "sign_up"),
        needs("tutorial_start", "character_create"),
        moves_to("sign_up", REGISTERED),
        moves_to("tutorial_start", STARTED),
        moves_to("tutorial_complete", COMPLETED),
        path("stage_enter", "stage_clear"),
        path("stage_enter", "stage_fail"),
        either("stage_clear", "stage_fail"),
        needs("stage_sweep", "stage_clear"),
        path("pvp_match_start", "pvp_win"),
        either("pvp_win", "pvp_lose"),
        needs("pvp_match_start", "tutorial_complete"),
        not_before("pvp_match_start", COMPLETED),
        path("raid_enter", "raid_clear"),
        either("raid_clear", "raid_fail"),
        needs("raid_enter", "guild_join"),
        needs("guild_donate", "guild_join"),
        needs("guild_leave", "guild_join"),
        path("gacha_open", "gacha_draw"),
        path("shop_open", "shop_buy"),
        path("payment_request", "payment_complete"),
        either("payment_complete", "payment_fail"),
        path("ad_request", "ad_show", "ad_reward"),
        not_of_users("ccu_report"),
        of_users("payment_complete", "daily_reward_claim", "ad_show"),
        between("level", 1, 150, whole=True),
        between("session_seconds", 60, 7200),
        between("ad_revenue", 0.002, 0.09, whole=False),
        one_of("pay_amount", 1200, 5900, 12000, 33000, 65000, 119000),
        one_of("country", "KR", "JP", "US", "DE", "BR"),
        one_of("currency", "KRW"),
        carriers_by_country("carrier", "country", KR="SKT", JP="SoftBank", US="Verizon"),
        follows_from("combat_power", "level"),
        true_at_first("is_first_payment"),
        true_at_first("is_first_login"),
        counts("after_level", 1, 1, 150),
        counts("tutorial_step_no", 0, 1, 8),
        carries("stage_id", "stage_clear", "stage_fail"),
        carries("order_id", "payment_complete", "payment_fail"),
        carries("pay_amount", "payment_complete"),
        balance("item_get/item_info.after_count", "item_info.change_count", spent=False, group_by="item_info.item_id"),
        balance("item_use/item_info.after_count", "item_info.change_count", spent=True, group_by="item_info.item_id"),
        remembers("level_up", "level", "after_level"),
        updates("stage_clear", "gold", "increment", "{{gained_gold}}"),
        updates("stage_clear", "exp", "increment", "{{gained_exp}}"),
        updates("shop_buy", "gold", "decrement", "{{price_gold}}"),
        updates("guild_donate", "gold", "decrement", "{{donated_gold}}"),
        updates("gacha_draw", "diamond", "decrement", "{{cost_diamond}}"),
        updates("payment_complete", "diamond", "increment", "{{gained_diamond}}"),
        updates("payment_complete", "total_pay_amount", "increment", "{{pay_amount}}"),
        updates("payment_complete", "first_payment_time", "set_once", "{{#time}}"),
        updates("login", "total_login_days", "increment", 1, once_a_day=True),
        updates("pvp_win", "total_pvp_wins", "increment", 1),
        updates("guild_join", "guild_id", "set", "{{guild_id}}"),
        more("level"),
        more("combat_power"),
        likelier("payment_complete"),
        likelier("pvp_match_start"),
    ),
    "ecommerce": (
        starts_session("open_app"),
        ends_session("close_app"),
        once("register"),
        again("log_in", "purchase", "write_review"),
        moves_to("register", REGISTERED),
        path("view_product", "add_to_cart", "begin_checkout", "purchase"),
        path("begin_checkout", "enter_shipping_address", "choose_payment_method", "purchase"),
        path("begin_checkout", "payment_declined"),
        either("purchase", "payment_declined"),
        path("view_promotion", "click_promotion"),
        path("search_product", "click_search_result"),
        needs("apply_coupon", "begin_checkout"),
        needs("remove_from_cart", "add_to_cart"),
        needs("remove_from_wishlist", "add_to_wishlist"),
        needs("write_review", "purchase"),
        needs("confirm_delivery", "purchase"),
        needs("request_refund", "purchase"),
        needs("complete_refund", "request_refund"),
        needs("log_in", "register"),
        does_not_need("view_product", "purchase"),
        does_not_need("search_product", "add_to_cart"),
        not_of_users("report_ad_spend"),
        of_users("purchase", "view_promotion", "click_promotion"),
        between("rating", 1, 5, whole=True),
        between("discount_rate", 0.05, 0.3, whole=False),
        between("cart_items.quantity", 1, 5, whole=True),
        one_of("refund_reason", "Wrong size", "Damaged", "Not as described", "Arrived too late", "Changed mind"),
        one_of("shipping_method", "Standard", "Express", "Same day", "Pick-up point"),
        includes("keyword", "sneakers", "sunscreen"),
        carriers_by_country("carrier", "country", KR="LG U+", JP="au", US="AT&T", DE="Telekom", BR="Claro"),
        true_at_first("is_first_purchase"),
        carries("product_id", "add_to_cart"),
        carries("payment_method", "purchase"),
        carries("promotion_id", "click_promotion"),
        updates("purchase", "total_spent", "increment", "{{order_value}}"),
        updates("purchase", "total_orders", "increment", 1),
        updates("purchase", "first_purchase_time", "set_once", "{{#time}}"),
        updates("purchase", "last_purchase_time", "set", "{{#time}}"),
        updates("purchase", "favorite_payment_method", "set", "{{payment_method}}"),
        updates("complete_refund", "total_refunded", "increment", "{{refund_amount}}"),
        updates("write_review", "total_reviews", "increment", 1),
        updates("subscribe_newsletter", "is_newsletter_subscriber", "set", True),
        updates("open_app", "last_visit_time", "set", "{{#time}}"),
        more("loyalty_points"),
        likelier("purchase"),
    ),
    "saas": (
        starts_session("session_started"),
        ends_session("session_ended"),
        once("account_created", "email_verified", "onboarding_completed"),
        once("trial_started"),
        again("task_created", "report_exported", "project_created"),
        moves_to("account_created", REGISTERED),
        moves_to("onboarding_completed", COMPLETED),
        needs("email_verified", "account_created"),
        needs("workspace_created", "account_created"),
        needs("project_created", "workspace_created"),
        needs("project_archived", "project_created"),
        needs("task_created", "project_created"),
        needs("task_assigned", "task_created"),
        needs("task_completed", "task_created"),
        needs("task_commented", "task_created"),
        needs("invitation_sent", "workspace_created"),
        needs("integration_disconnected", "integration_connected"),
        path("report_generated", "report_exported"),
        path("pricing_page_viewed", "checkout_started", "subscription_started"),
        either("subscription_started", "card_declined"),
        needs("trial_expired", "trial_started"),
        needs("subscription_upgraded", "subscription_started"),
        needs("subscription_downgraded", "subscription_started"),
        needs("subscription_cancelled", "subscription_started"),
        needs("ticket_resolved", "ticket_opened"),
        needs("support_rated", "ticket_resolved"),
        does_not_need("task_created", "subscription_started"),
        does_not_need("session_started", "task_created"),
        not_of_users("service_status_reported"),
        of_users("subscription_started", "ticket_opened"),
        one_of("plan", "Free", "Starter", "Business", "Enterprise"),
        one_of("dashboard_range", "Today", "Last 7 days", "Last 30 days", "This quarter"),
        one_of("export_format", "CSV", "XLSX", "PDF", "PPTX"),
        between("satisfaction_score", 1, 10, whole=True),
        between("seats", 1, 250, whole=True),
        between("spent_hours", 0.5, 60, whole=False),
        carries("seats", "subscription_started", "card_declined"),
        carries("report_type", "report_exported"),
        updates("task_completed", "total_tasks_completed", "increment", 1),
        updates("report_exported", "total_reports_exported", "increment", 1),
        updates("subscription_started", "total_paid_amount", "increment", "{{paid_amount}}"),
        updates("subscription_started", "plan", "set", "{{plan}}"),
        updates("subscription_upgraded", "plan", "set", "{{plan}}"),
        updates("subscription_started", "monthly_recurring_fee", "set", "{{monthly_fee}}"),
        updates("account_created", "account_created_time", "set_once", "{{#time}}"),
        updates("subscription_started", "first_payment_time", "set_once", "{{#time}}"),
        updates("email_verified", "is_email_verified", "set", True),
        more("health_score"),
        likelier("report_exported"),
        likelier("subscription_started"),
    ),
    "health": (
        starts_session("open_app"),
        ends_session("close_app"),
        once("install_app", "create_account", "complete_profile", "start_free_trial"),
        again("log_meal", "finish_workout", "log_weight"),
        moves_to("create_account", REGISTERED),
        path("start_workout", "finish_workout"),
        path("start_workout", "abandon_workout"),
        either("finish_workout", "abandon_workout"),
        path("start_workout", "pause_workout", "resume_workout"),
        needs("share_result", "finish_workout"),
        needs("stop_sleep_tracking", "start_sleep_tracking"),
        needs("sync_wearable", "connect_wearable"),
        needs("reach_goal", "set_goal"),
        needs("complete_program_day", "enroll_program"),
        needs("finish_program", "enroll_program"),
        needs("complete_challenge", "join_challenge"),
        needs("attend_coach_session", "book_coach"),
        needs("rate_coach", "attend_coach_session"),
        needs("renew_subscription", "subscribe"),
        needs("cancel_subscription", "subscribe"),
        path("view_paywall", "subscribe"),
        needs("complete_profile", "create_account"),
        does_not_need("start_workout", "subscribe"),
        of_users("finish_workout", "sync_wearable", "subscribe"),
        between("workout_minutes", 5, 120, whole=True),
        between("sleep_hours", 3.5, 10.5, whole=False),
        between("resting_heart_rate", 45, 95, whole=True),
        between("weight_kg", 42, 135),
        one_of("meal_type", "Breakfast", "Lunch", "Dinner", "Snack"),
        one_of("coach_minutes", 20, 30, 45, 60),
        includes("meal_foods.food_name", "Rice", "Bread"),
        carriers_by_country("carrier", "country", KR="KT", JP="SoftBank", US="Verizon"),
        follows_from("calories_burned", "workout_minutes"),
        follows_from("bmi", "weight_kg", "height_cm"),
        tied("max_heart_rate", "average_heart_rate"),
        true_at_first("is_first_workout"),
        counts("program_day", 0, 1, 60),
        carries("workout_type", "finish_workout", "abandon_workout"),
        updates("log_weight", "current_weight_kg", "set", "{{weight_kg}}"),
        updates("finish_workout", "total_workouts", "increment", 1),
        updates("finish_workout", "total_workout_minutes", "increment", "{{workout_minutes}}"),
        updates("finish_workout", "total_calories_burned", "increment", "{{calories_burned}}"),
        updates("finish_workout", "first_workout_time", "set_once", "{{#time}}"),
        updates("finish_workout", "last_workout_time", "set", "{{#time}}"),
        updates("subscribe", "subscription_plan", "set", "{{subscription_plan}}"),
        updates("subscribe", "total_subscription_amount", "increment", "{{subscription_price}}"),
        updates("renew_subscription", "total_subscription_amount", "increment", "{{subscription_price}}"),
        updates("earn_badge", "total_badges", "increment", 1),
        updates("subscribe", "is_premium", "set", True),
        updates("cancel_subscription", "is_premium", "set", False),
        updates("open_app", "total_active_days", "increment", 1, once_a_day=True),
        likelier("finish_workout"),
        likelier("subscribe"),
    ),
    "video_streaming": (
        starts_session("appOpened"),
        ends_session("appClosed"),
        once("accountRegistered"),
        again("signedIn", "playbackStarted", "profileCreated"),
        moves_to("accountRegistered", REGISTERED),
        needs("profileCreated", "accountRegistered"),
        path("playbackStarted", "playbackCompleted"),
        path("playbackStarted", "playbackAbandoned"),
        either("playbackCompleted", "playbackAbandoned"),
        path("playbackStarted", "playbackPaused", "playbackResumed"),
        path("adBreakStarted", "adBreakCompleted"),
        path("searchPerformed", "searchResultClicked"),
        path("titleDetailViewed", "trailerPlayed"),
        path("downloadRequested", "downloadCompleted"),
        either("downloadCompleted", "downloadFailed"),
        path("planPageViewed", "subscriptionPurchased"),
        needs("subscriptionCancelled", "subscriptionPurchased"),
        needs("watchlistRemoved", "watchlistAdded"),
        needs("titleRated", "playbackStarted"),
        needs("adBreakStarted", "playbackStarted"),
        does_not_need("homeViewed", "playbackStarted"),
        not_of_users("concurrentStreamsReported"),
        of_users("adBreakStarted", "playbackStarted"),
        one_of("plan", "Basic", "Standard", "Premium"),
        one_of("contentType", "film", "episode"),
        one_of("monthlyPrice", 5.99, 10.99, 15.99),
        between("sessionMinutes", 1, 240),
        between("adRevenue", 0.01, 0.4, whole=False),
        carriers_by_country("carrier", "country", KR="SKT", JP="SoftBank", US="T-Mobile"),
        true_at_first("isFirstPlayback"),
        carries("titleId", "playbackCompleted", "playbackAbandoned"),
        carries("videoQuality", "downloadCompleted"),
        updates("playbackCompleted", "totalWatchedMinutes", "increment", "{{watchedMinutes}}"),
        updates("playbackCompleted", "totalCompletedTitles", "increment", 1),
        updates("playbackStarted", "favoriteGenre", "set", "{{genre}}"),
        updates("subscriptionPurchased", "firstSubscribedAt", "set_once", "{{#time}}"),
        updates("subscriptionPurchased", "plan", "set", "{{plan}}"),
        likelier("playbackStarted"),
        likelier("subscriptionPurchased"),
    ),
    "food_delivery": (
        starts_session("evt_app_open"),
        ends_session("evt_app_close"),
        once("evt_signup_complete"),
        again("evt_address_add", "evt_order_submit", "evt_order_review"),
        moves_to("evt_signup_complete", REGISTERED),
        path("evt_restaurant_list_view", "evt_restaurant_view", "evt_menu_item_view", "evt_cart_item_add"),
        path("evt_cart_item_add", "evt_checkout_view", "evt_order_submit"),
        path("evt_order_submit", "evt_order_accept"),
        either("evt_order_accept", "evt_order_reject"),
        path("evt_order_submit", "evt_courier_assign", "evt_courier_pickup", "evt_order_deliver"),
        needs("evt_courier_assign", "evt_order_accept"),
        needs("evt_cart_item_remove", "evt_cart_item_add"),
        needs("evt_coupon_apply", "evt_checkout_view"),
        needs("evt_order_cancel", "evt_order_submit"),
        needs("evt_order_review", "evt_order_deliver"),
        needs("evt_courier_tip", "evt_order_deliver"),
        needs("evt_refund_request", "evt_order_submit"),
        needs("evt_refund_complete", "evt_refund_request"),
        needs("evt_favorite_remove", "evt_favorite_add"),
        does_not_need("evt_restaurant_view", "evt_order_submit"),
        does_not_need("evt_order_submit", "evt_order_cancel"),
        not_of_users("evt_courier_online_count", "evt_marketing_cost"),
        of_users("evt_order_submit", "evt_order_deliver"),
        one_of("delivery_fee", 0, 1000, 2000, 3000, 4000),
        one_of("cuisine", "korean", "chinese", "japanese", "chicken", "pizza", "burger", "dessert"),
        between("order_amount", 9000, 150000, whole=True),
        between("distance_km", 0.2, 8.5, whole=False),
        between("order_items.qty", 1, 4, whole=True),
        carriers_by_country("carrier", "country", KR="KT", JP="docomo"),
        true_at_first("is_first_order"),
        carries("order_no", "evt_order_accept", "evt_courier_assign", "evt_order_deliver"),
        carries("restaurant_id", "evt_menu_item_view", "evt_cart_item_add"),
        carries("courier_id", "evt_courier_pickup", "evt_order_deliver"),
        updates("evt_order_submit", "total_order_amount", "increment", "{{order_amount}}"),
        updates("evt_order_submit", "total_order_count", "increment", 1),
        updates("evt_order_submit", "first_order_time", "set_once", "{{#time}}"),
        updates("evt_courier_tip", "total_tip_amount", "increment", "{{tip_amount}}"),
        updates("evt_refund_complete", "total_refund_amount", "increment", "{{refund_amount}}"),
        likelier("evt_order_submit"),
    ),
    "banking": (
        starts_session("App_Launched"),
        ends_session("App_Closed"),
        once("Account_Opened"),
        again("Login_Succeeded", "Transfer_Completed", "Card_Payment_Made"),
        needs("Identity_Document_Uploaded", "Account_Application_Started"),
        path("Identity_Document_Uploaded", "Identity_Verified"),
        either("Identity_Verified", "Identity_Rejected"),
        needs("Account_Opened", "Identity_Verified"),
        does_not_need("Account_Opened", "Identity_Rejected"),
        path("Transfer_Started", "Recipient_Selected", "Transfer_Confirmed", "Transfer_Completed"),
        path("Transfer_Confirmed", "Transfer_Failed"),
        either("Transfer_Completed", "Transfer_Failed"),
        needs("Card_Activated", "Card_Ordered"),
        needs("Card_Payment_Made", "Card_Activated"),
        needs("Card_Blocked", "Card_Activated"),
        needs("Loan_Approved", "Loan_Application_Submitted"),
        either("Loan_Approved", "Loan_Declined"),
        needs("Loan_Repaid", "Loan_Approved"),
        needs("Savings_Goal_Reached", "Savings_Goal_Created"),
        does_not_need("Balance_Viewed", "Transfer_Completed"),
        not_of_users("Exchange_Rate_Published"),
        of_users("Deposit_Received", "Card_Payment_Made"),
        one_of("Loan_Months", 6, 12, 24, 36, 60),
        one_of("Document_Type", "ID card", "Passport", "Driving licence"),
        between("Credit_Score", 300, 850, whole=True),
        between("Interest_Rate", 2.5, 14.9, whole=False),
        true_at_first("Is_First_Transfer"),
        carries("Transfer_Amount", "Transfer_Completed", "Transfer_Failed"),
        carries("Document_Type", "Identity_Verified"),
        updates("Deposit_Received", "Balance", "increment", "{{Deposit_Amount}}"),
        updates("Transfer_Completed", "Balance", "decrement", "{{Transfer_Amount}}"),
        updates("Card_Payment_Made", "Balance", "decrement", "{{Payment_Amount}}"),
        updates("Transfer_Completed", "Total_Transfer_Amount", "increment", "{{Transfer_Amount}}"),
        updates("Card_Payment_Made", "Total_Card_Payments", "increment", "{{Payment_Amount}}"),
        updates("Account_Opened", "Account_Opened_Time", "set_once", "{{#time}}"),
        updates("Transfer_Completed", "First_Transfer_Time", "set_once", "{{#time}}"),
        likelier("Transfer_Completed"),
    ),
    "education": (
        starts_session("ta_app_start"),
        ends_session("ta_app_end"),
        once("ta_app_install", "register"),
        again("login", "lesson_complete", "payment_success"),
        moves_to("register", REGISTERED),
        path("level_test_start", "level_test_complete"),
        path("lesson_start", "lesson_complete"),
        path("lesson_start", "lesson_quit"),
        either("lesson_complete", "lesson_quit"),
        path("quiz_start", "quiz_pass"),
        either("quiz_pass", "quiz_fail"),
        path("course_view", "course_enroll"),
        path("payment_try", "payment_success"),
        either("payment_success", "payment_fail"),
        needs("refund_complete", "payment_success"),
        needs("certificate_issue", "course_enroll"),
        needs("lesson_start", "course_enroll"),
        does_not_need("course_view", "lesson_complete"),
        not_of_users("ad_cost"),
        of_users("payment_success", "attendance_check", "question_post"),
        between("ta_app_end/#duration", 60, 5400),
        between("lesson_complete/#duration", 180, 2400),
        between("lesson_quit/#duration", 10, 1200),
        between("quiz_pass/quiz_score", 60, 100, whole=True),
        between("quiz_fail/quiz_score", 0, 59, whole=True),
        one_of("study_grade", "입문", "초급", "중급", "고급"),
        one_of("payment_try/pay_amount", 9900, 29000, 59000, 99000),
        includes("question_type", "문법", "발음", "어휘"),
        true_at_first("is_first_login"),
        counts("attendance_days", 0, 1),
        one_count("lesson_start/lesson_no", "lesson_complete/lesson_no", "lesson_quit/lesson_no"),
        carries("order_id", "payment_success", "payment_fail"),
        carries("pay_amount", "payment_success"),
        carries("course_id", "course_enroll"),
        remembers("level_test_complete", "tmp_grade", "study_grade"),
        updates("payment_success", "total_pay_amount", "increment", "{{pay_amount}}"),
        updates("payment_success", "first_pay_time", "set_once", "{{#time}}"),
        updates("lesson_complete", "total_lesson_count", "increment", 1),
        updates("lesson_complete", "total_study_days", "increment", 1, once_a_day=True),
        updates("point_get", "point", "increment", "{{point_amount}}"),
        updates("point_use", "point", "decrement", "{{point_amount}}"),
        likelier("lesson_complete"),
        likelier("payment_success"),
    ),
    "travel": (
        starts_session("OpenApp"),
        ends_session("CloseApp"),
        once("SignUp"),
        again("LogIn", "CompleteBooking", "SearchFlights"),
        moves_to("SignUp", REGISTERED),
        path("SearchFlights", "ViewFlight", "SelectFlight", "EnterPassengerDetails", "StartPayment", "CompleteBooking"),
        path("StartPayment", "FailPayment"),
        either("CompleteBooking", "FailPayment"),
        path("SearchFlights", "FilterFlights"),
        needs("SelectSeat", "SelectFlight"),
        needs("AddBaggage", "SelectFlight"),
        needs("LogIn", "SignUp"),
        needs("CancelBooking", "CompleteBooking"),
        needs("ReceiveRefund", "CancelBooking"),
        needs("CheckIn", "CompleteBooking"),
        needs("BoardFlight", "CheckIn"),
        needs("ReviewTrip", "BoardFlight"),
        needs("RemoveSavedDestination", "SaveDestination"),
        needs("OpenFareAlert", "SetFareAlert"),
        does_not_need("CompleteBooking", "CancelBooking"),
        does_not_need("ReadTravelGuide", "SearchFlights"),
        not_of_users("ImportFares"),
        of_users("CompleteBooking", "BoardFlight"),
        between("Passengers", 1, 9, whole=True),
        between("Fare", 35, 2900),
        one_of("CabinClass", "Economy", "PremiumEconomy", "Business", "First"),
        one_of("BaggageKilograms", 5, 10, 15, 23, 32),
        free_text("ReviewText"),
        carriers_by_country("Carrier", "Country", KR="SKT", JP="SoftBank", US="Verizon"),
        true_at_first("IsFirstBooking"),
        carries("Fare", "SelectFlight"),
        carries("Destination", "ViewFlight", "SelectFlight"),
        carries("PaymentMethod", "CompleteBooking", "FailPayment"),
        updates("SignUp", "SignUpTime", "set_once", "{{#time}}"),
        updates("CompleteBooking", "TotalBookings", "increment", 1),
        updates("CompleteBooking", "TotalFarePaid", "increment", "{{TotalFare}}"),
        updates("ReceiveRefund", "TotalRefundAmount", "increment", "{{RefundAmount}}"),
        updates("ReachMemberTier", "MemberTier", "set", "{{NewTier}}"),
        likelier("CompleteBooking"),
    ),
    "casual_game": (
        starts_session("ta_app_start"),
        ends_session("ta_app_end"),
        once("ta_app_install", "new_device", "register"),
        again("login", "payment", "level_up"),
        moves_to("register", REGISTERED),
        path("init_order", "payment"),
        path("init_order", "payment_fail"),
        either("payment", "payment_fail"),
        path("enter_stage", "stage_clear"),
        path("enter_stage", "stage_choice"),
        either("stage_clear", "stage_fail"),
        path("enter_shop", "shop_buy"),
        path("advertisement_request", "advertisement_show", "advertisment_click"),
        path("share", "share_click", "share_install"),
        path("enter_questionnaire", "finish_questionnaire"),
        does_not_need("enter_shop", "payment"),
        does_not_need("share", "enter_stage"),
        not_of_users("facebook_ad_level_data_by_country", "cost"),
        of_users("payment", "advertisement_show", "ironsource_ad_revenue_impression_level"),
        between("ta_app_end/#duration", 60, 7200),
        between("stage_clear/#duration", 30, 450),
        between("advertisement_request/ad_income", 0.01, 0.37, whole=False),
        between("stage_choice/cost_action_point", 1, 4, whole=True),
        between("amount_spent_usd", 29, 43),
        one_of("init_order/pay_amount", 6, 15, 38, 78, 158, 318, 648),
        one_of("payment_fail/fail_reason", "주문 취소", "주문 시간 초과", "결제 실패"),
        one_of("stage_fail/description", "실패", "중도 퇴장"),
        includes("init_order/payment_type", "네이버페이", "카카오페이", "신용카드"),
        true_at_first("is_first_login"),
        counts("level_up/after_level", 1, 1),
        counts("booklet_levelup/after_level", 0, 1, 100),
        counts("guide_step", 0, 1, 10),
        one_count("enter_stage/stage", "stage_clear/stage", "stage_fail/stage"),
        balance(
            "resource_get/resource_info.after_num",
            "resource_info.change_num",
            spent=False,
            group_by="resource_info.item_id",
        ),
        balance(
            "resource_cost/resource_info.after_num",
            "resource_info.change_num",
            spent=True,
            group_by="resource_info.item_id",
        ),
        follows_from("ironsource_ad_revenue_impression_level/user_id", "#account_id"),
        carries("order_id", "payment", "payment_fail"),
        carries("pay_amount", "payment", "payment_fail"),
        carries("shop_id", "shop_buy"),
        carries("share_channel", "share_click", "share_install"),
        carries("ad_id", "advertisement_show", "advertisment_click"),
        remembers("level_up", "level", "after_level"),
        updates("payment", "total_pay_amount", "increment", "{{pay_amount}}"),
        updates("payment", "total_pay_times", "increment", 1),
        updates("payment", "first_pay_time", "set_once", "{{#time}}"),
        updates("payment", "last_pay_time", "set", "{{#time}}"),
        updates("register", "register_time", "set_once", "{{#time}}"),
        updates("login", "total_login_day", "increment", 1, once_a_day=True),
        updates("advertisement_show", "total_ad_times", "increment", 1),
        updates("stage_clear", "progress", "set", "{{stage}}"),
        updates("booklet_levelup", "booklet_level", "set", "{{after_level}}"),
        updates("ta_app_end", "coin", "set", "{{tmp_coin}}"),
        likelier("payment"),
        more("level"),
    ),
    "card_game": (
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
        path("tower_challenge_start", "tower_battle_end", "tower_challenge_end"),
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
        follows_from("item_get/resource_info.after_num", "resource_info.change_num"),
        follows_from("item_consume/resource_info.after_num", "resource_info.change_num"),
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
    ),
}


def _said_about(rules: Rules, names: tuple[str, ...]) -> str:
    """Everything that rules say about some names, for the reader of a failure."""
    events = rules.event_constraints
    lines = [
        f"sequence {s.name}: {' -> '.join('|'.join(step.events) for step in s.steps)} ({s.kind})"
        for s in events.sequences
        if any(set(names) & set(step.events) for step in s.steps)
    ]
    lines += [f"{n} needs {', '.join(events.prerequisites[n])}" for n in names if n in events.prerequisites]
    for place in ("session_start", "session_end", "once", "not_of_users"):
        lines += [f"{n} is in {place}" for n in names if n in getattr(events, place)]
    for place in ("lifecycle", "stage_events"):
        lines += [f"{place}: {n} {getattr(events, place)[n]}" for n in names if n in getattr(events, place)]
    for table in (rules.property_constraints, rules.property_relationships, rules.value_ranges):
        lines += [f"{k}: {v.model_dump(exclude_defaults=True)}" for k, v in table.items() if _bare(k) in names]
    for event, changes in rules.update_patterns.items():
        lines += [f"{event} changes {prop}: {how.type} {how.value}" for prop, how in changes.items() if prop in names]
    for segment, analysis in rules.segment_analysis.items():
        told = {name: chance for name, chance in analysis.event_probabilities.items() if name in names}
        lines += [f"{segment}: {told}"] if told else []
    return "\n".join(lines) or "nothing"


CASES = [
    pytest.param(name, expectation, id=f"{name}: {expectation.says}")
    for name, expectations in EXPECTED.items()
    for expectation in expectations
]


@pytest.fixture
def rules(taxonomy_name: str, request: pytest.FixtureRequest) -> Rules:
    """The analyst's rules of a taxonomy."""
    return rules_of(taxonomy_name, request.getfixturevalue("realdata") if taxonomy_name in REAL else None)


@pytest.mark.parametrize(("taxonomy_name", "expected"), CASES)
def test_the_analyst_names_what_a_person_would(rules: Rules, taxonomy_name: str, expected: Expectation) -> None:
    assert expected.holds(rules), (
        f"{taxonomy_name}: {expected.says}. The rules say:\n{_said_about(rules, expected.about)}"
    )


@pytest.mark.parametrize("taxonomy_name", PRODUCTS)
class TestEveryTaxonomy:
    """What holds whatever the product."""

    def test_engaged_users_come_more_often(self, rules: Rules) -> None:
        def daily(segment: str) -> float:
            return rules.segment_analysis[segment].activity.daily_probability

        assert daily("power_user") > daily("active_user") > daily("churning_user")
        assert daily("active_user") > daily("churned_user")

    def test_power_users_do_more_on_an_active_day(self, rules: Rules) -> None:
        def a_day(analysis: SegmentAnalysis) -> float:
            return analysis.activity.sessions_per_day * analysis.activity.events_per_session

        segments = rules.segment_analysis
        assert a_day(segments["power_user"]) > a_day(segments["active_user"]) > a_day(segments["churning_user"])

    def test_churning_users_fade_or_leave(self, rules: Rules) -> None:
        churning = rules.segment_analysis["churning_user"].activity
        active = rules.segment_analysis["active_user"].activity

        assert (churning.decay_per_day, churning.churn_per_day) > (0, 0)
        assert churning.decay_per_day >= active.decay_per_day
        assert churning.churn_per_day >= active.churn_per_day

    def test_segments_stay_within_what_the_sheet_allows(self, rules: Rules) -> None:
        outside = [
            (segment, prop)
            for segment, analysis in rules.segment_analysis.items()
            for prop, own in analysis.property_ranges.items()
            if (allowed := rules.value_ranges.get(prop) or rules.value_ranges.get(_bare(prop)))
            and (own.min < allowed.min or own.max > allowed.max)
        ]

        assert not outside

    def test_rules_name_only_events_of_the_sheet(
        self, rules: Rules, taxonomy_name: str, request: pytest.FixtureRequest
    ) -> None:
        listed = _listed_events(taxonomy_name, request)

        assert {event for event, _ in named_events(rules)} <= listed

    def test_reports_of_the_system_stand_apart(self, rules: Rules) -> None:
        constraints = rules.event_constraints
        stepped = {event for sequence in constraints.sequences for step in sequence.steps for event in step.events}

        assert not set(constraints.not_of_users) & {*stepped, *constraints.session_start, *constraints.session_end}


# --------------------------------------------------------------------------- the sheets themselves, read plainly

WIRE_NAME = re.compile(r"[#a-zA-Z][a-zA-Z0-9_]{0,49}")
TYPES = {"number", "string", "boolean", "time", "list", "object", "object_group"}
FROM_EVENT = re.compile(r"(\w+)\|([\w#.]+)\|(first|last|sum|cnt|daycnt|equal)")
TWO_SHEETS = tuple(name for name in OURS if name != "education")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _folder(name: str) -> Path:
    return next(folder / name for folder in (SHIPPED, UNSEEN) if (folder / name).is_dir())


def _split(cell: str) -> list[str]:
    return [name.strip() for name in cell.split(",") if name.strip()]


def _listed_events(name: str, request: pytest.FixtureRequest) -> set[str]:
    """Names of the events of a sheet, read without the project's reader."""
    if name in REAL:
        import python_calamine

        path = request.getfixturevalue("realdata") / "taxonomies" / f"{name}.xlsx"
        sheet = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_name("#이벤트 데이터").to_python()
        return {str(row[0]) for row in sheet[1:] if row[0]}
    if name == "education":
        return {row["이벤트 이름 (필수)"] for row in _rows(_folder(name) / "#이벤트 데이터.csv")} - {""}
    return {row["event_name"] for row in _rows(_folder(name) / "events.csv")}


@pytest.mark.parametrize("name", TWO_SHEETS)
class TestSheets:
    """The files of two sheets say nothing that they do not declare."""

    def test_names_can_be_sent_and_are_told_apart(self, name: str) -> None:
        events = [row["event_name"] for row in _rows(_folder(name) / "events.csv")]
        properties = [row["name"] for row in _rows(_folder(name) / "properties.csv")]

        assert [n for n in events if not WIRE_NAME.fullmatch(n)] == []
        assert [n for n in properties if not all(WIRE_NAME.fullmatch(part) for part in n.split("."))] == []
        assert len({n.lower() for n in events}) == len(events)
        assert len({n.lower() for n in properties}) == len(properties)

    def test_every_property_of_an_event_is_declared_for_events(self, name: str) -> None:
        scopes = {row["name"]: row["scope"].split("+") for row in _rows(_folder(name) / "properties.csv")}
        listed = [p for row in _rows(_folder(name) / "events.csv") for p in _split(row["properties"])]

        assert [p for p in listed if "event" not in scopes.get(p, [])] == []
        assert {p for p, scope in scopes.items() if "event" in scope and "." not in p} == set(listed), "none unused"

    def test_an_event_does_not_list_a_property_twice(self, name: str) -> None:
        cells = [_split(row["properties"]) for row in _rows(_folder(name) / "events.csv")]

        assert [cell for cell in cells if len(set(cell)) != len(cell)] == []

    def test_types_scopes_and_updates_are_known(self, name: str) -> None:
        for row in _rows(_folder(name) / "properties.csv"):
            scope = set(row["scope"].split("+"))

            assert row["type"] in TYPES, row
            assert scope, row
            assert scope <= {"event", "common", "user"}, row
            assert ("user" in scope) == (row["update"] in {"user_set", "user_setOnce", "user_add"}), row
            assert row["update"] in {"", "user_set", "user_setOnce"} or row["type"] == "number", row

    def test_nested_properties_stand_under_an_object(self, name: str) -> None:
        types = {row["name"]: row["type"] for row in _rows(_folder(name) / "properties.csv")}
        parents = {p.rpartition(".")[0] for p in types if "." in p}

        assert {p for p, kind in types.items() if kind in {"object", "object_group"}} == parents

    def test_rules_that_name_an_event_name_one_that_has_the_property(self, name: str) -> None:
        has = {row["event_name"]: {"#time", *_split(row["properties"])} for row in _rows(_folder(name) / "events.csv")}
        cells = [c for row in _rows(_folder(name) / "properties.csv") for c in (row["constraint"], row["description"])]
        named = [found.groups()[:2] for found in map(FROM_EVENT.fullmatch, cells) if found]

        assert [(event, prop) for event, prop in named if prop not in has.get(event, set())] == []
        assert named, "the sheet has such rules"

    def test_a_taxonomy_is_large_enough_to_show(self, name: str) -> None:
        rows = _rows(_folder(name) / "events.csv")

        assert 15 <= len(rows) <= 40
        assert all(row["description"].strip() and row["event_tag"].strip() for row in rows)


def test_the_tracking_plan_declares_what_its_rules_name() -> None:
    rows = _rows(UNSEEN / "education" / "#이벤트 데이터.csv")
    has: dict[str, set[str]] = {}
    event = ""
    for row in rows:
        event = row["이벤트 이름 (필수)"] or event
        has.setdefault(event, {"#time"}).add(row["속성 이름 (필수)"])
    state = [row["속성 설명"] for row in _rows(UNSEEN / "education" / "#유저 데이터.csv")]
    shared = [row["속성 설명"] for row in _rows(UNSEEN / "education" / "#공통 이벤트 속성.csv")]
    named = [found.groups()[:2] for found in map(FROM_EVENT.fullmatch, [*state, *shared]) if found]

    assert len(named) == 10
    assert [(e, p) for e, p in named if p not in has.get(e, set())] == []
    assert len([row for row in rows if row["이벤트 이름 (필수)"]]) == len(has), "no event stands twice"


def test_every_taxonomy_of_ours_has_its_expectations() -> None:
    folders = {path.name for folder in (SHIPPED, UNSEEN) for path in folder.iterdir() if path.is_dir()}

    assert folders == set(OURS)
    assert set(EXPECTED) == set(PRODUCTS)


# --------------------------------------------------------------------------- the words themselves


def _segment(daily: float, pay: float, level: float) -> dict[str, object]:
    return {
        "activity": {"daily_probability": daily},
        "event_probabilities": {"look": pay},
        "property_ranges": {"level": {"min": 1, "max": 9, "mean": level}},
    }


BY_HAND = Rules.model_validate(
    {
        "event_constraints": {
            "session_start": ["open"],
            "session_end": ["close"],
            "once": ["join"],
            "sequences": [
                {
                    "name": "pay",
                    "kind": "funnel",
                    "steps": [
                        {"events": ["look"]},
                        {"events": ["order"], "probability": 0.5, "repeats": 3},
                        {"events": ["paid", "failed"], "probability": 0.5},
                    ],
                },
                {"name": "free", "steps": [{"events": ["chat"]}, {"events": ["answer"]}]},
                {"name": "free too", "steps": [{"events": ["answer"]}, {"events": ["thank"]}]},
            ],
            "prerequisites": {"refund": ["paid"], "complain": ["refund"]},
            "lifecycle": {"raid": "advanced"},
            "stage_events": {"join": "registered"},
            "not_of_users": ["advert"],
        },
        "property_constraints": {
            "grade": {"values": ["A", "B"]},
            "order/kind": {"values": [1, 2]},
            "paid/kind": {"values": [1, 2], "same_as_before": True},
            "failed/kind": {"values": [1, 2]},
            "is_first": {"first_only": True},
            "step": {"counter": {"start": 0, "step": 1, "max": 5}},
            "left": {"counter": {"source": "bag.count", "sign": -1, "group_by": "bag.item"}},
            "network": {"depends_on": "land", "mapping": {"KR": ["KT"], "JP": ["au"]}},
            "user": {"copy_of": "#account_id"},
        },
        "property_relationships": {"xp": {"depends_on": ["level"], "formula": "level * 100 + random(0-50)"}},
        "value_ranges": {
            "time": {"min": 1, "max": 9},
            "close/time": {"min": 2.5, "max": 9, "integer": False},
            "level": {"min": 1, "max": 9},
        },
        "segment_analysis": {
            "new_user": _segment(0.3, 0.1, 2),
            "active_user": _segment(0.5, 0.2, 4),
            "power_user": _segment(0.8, 0.3, 8),
            "churning_user": _segment(0.2, 0.1, 3),
            "churned_user": _segment(0.1, 0.1, 3),
            "returning_user": _segment(0.3, 0.1, 3),
        },
        "update_patterns": {
            "paid": {
                "total": {"type": "increment", "value": "{{ amount }}"},
                "plan": {"type": "set", "value": "{{x}}"},
            },
            "open": {"days": {"type": "increment", "value": 1, "once_per_day": True}},
        },
    }
)

HOLDS_BY_HAND = (
    starts_session("open"),
    ends_session("close"),
    once("join"),
    again("order"),
    repeated("order"),
    path("look", "order", "paid"),
    path("look", "failed"),
    path("open", "chat"),
    either("paid", "failed"),
    needs("refund", "look"),
    needs("complain", "paid"),
    needs("refund", "chat", "paid"),
    does_not_need("look", "order"),
    moves_to("join", REGISTERED),
    not_before("raid", COMPLETED),
    not_of_users("advert"),
    of_users("paid"),
    between("close/time", 2.5, 9, whole=False),
    between("open/time", 1, 9),
    one_of("grade", "A", "B"),
    one_of("kind", 1, 2),
    includes("network", "KT"),
    free_text("name"),
    true_at_first("is_first"),
    counts("step", 0, 1, 5),
    balance("pay/left", "bag.count", spent=True, group_by="bag.item"),
    carries("kind", "paid"),
    follows_from("user", "#account_id"),
    follows_from("xp", "level"),
    tied("level", "xp"),
    carriers_by_country("network", "land", KR="KT", JP="au"),
    updates("paid", "total", "increment", "{{amount}}"),
    updates("open", "days", "increment", 1, once_a_day=True),
    remembers("paid", "plan", "x"),
    likelier("paid"),
    more("level"),
)

FAILS_BY_HAND = (
    starts_session("look"),
    ends_session("open"),
    once("order"),
    again("join"),
    repeated("paid"),
    path("order", "look"),
    path("paid", "failed"),
    path("chat", "thank"),  # an answer may come without a chat, as it begins a sequence of its own
    path("paid", "refund"),
    either("order", "paid"),
    needs("look", "order"),
    needs("refund", "failed"),
    does_not_need("complain", "order"),
    moves_to("look", REGISTERED),
    not_before("look", REGISTERED),
    not_of_users("paid"),
    of_users("advert"),
    between("close/time", 1, 9),
    between("level", 1, 9, whole=False),
    one_of("grade", "A"),
    includes("grade", "C"),
    free_text("grade"),
    true_at_first("grade"),
    currency_code("grade"),
    counts("step", 1, 1, 5),
    counts("left", 0, 1),
    one_count("step", "left", "step"),
    balance("left", "bag.count", spent=False),
    carries("kind", "failed"),
    follows_from("level", "xp"),
    tied("grade", "xp"),
    carriers_by_country("network", "land", KR="au", JP="au"),
    updates("paid", "total", "decrement", "{{amount}}"),
    updates("open", "days", "increment", 1),
    remembers("paid", "total", "amount"),
    likelier("chat"),
    more("time"),
)


@pytest.mark.parametrize("expected", HOLDS_BY_HAND, ids=lambda expected: expected.says)
def test_rules_written_by_hand_say_it(expected: Expectation) -> None:
    assert expected.holds(BY_HAND)


@pytest.mark.parametrize("expected", FAILS_BY_HAND, ids=lambda expected: expected.says)
def test_rules_written_by_hand_do_not_say_it(expected: Expectation) -> None:
    assert not expected.holds(BY_HAND)
