"""What is measured from logs, against logs and numbers written by hand, and against a plain reading of random ones."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.demo_data.findings.measure import MeasureError, measure
from gamestats_assets.demo_data.findings.measured import Distribution, Moments, Violations
from gamestats_assets.demo_data.rules.configuration import (
    Configuration,
    ConversionTruth,
    ExperimentTruth,
    SeasonalityTruth,
    Truth,
)
from gamestats_assets.demo_data.rules.model import EventConstraints, EventSequence, Rules, Step
from gamestats_assets.demo_data.taxonomies.model import Event, Taxonomy
from gamestats_assets_tests.demo_data.findings.planted_logs import RULES, START, TAXONOMY, record, write, write_by_day

TRUTHS: list[Truth] = [
    ConversionTruth(from_event="look", to_event="cart", rate=0.5),
    ExperimentTruth(name="till", from_event="cart", to_event="pay", rate_a=0.3, lift=0.2),
    SeasonalityTruth(weekday=[1, 1, 1, 1, 1, 2, 2]),
]
CONFIGURATION = Configuration(users=10, days=4, start=START, truths=TRUTHS)


def small_log() -> list[dict[str, Any]]:
    """Three people and the system.

    Ann joins on the 1st and is back on the 2nd and the 4th. Ben was there before: one session crosses midnight. Cem
    joins on the 2nd, is back on the 3rd, and talks without ever having paid.
    """
    a, b = {"ab_test": "till:A"}, {"ab_test": "till:B"}
    return [
        record("ann", "2026-01-01 10:00:00", "join", **a),
        record("ann", "2026-01-01 10:01:00", "look", colour="red", price=10, **a),
        record("ann", "2026-01-01 10:02:00", "look", colour="blue", price=30, **a),
        record("ann", "2026-01-01 10:03:30", "cart", items=[{"count": 1}, {"count": 4}], **a),
        record("ann", "2026-01-01 10:33:29", "pay", price=30, is_gift=True, **a),
        # Half an hour later: another session. A conversion does not reach from one session into the next.
        record("ann", "2026-01-01 11:03:29", "cart", **a),
        record("ann", "2026-01-02 09:00:00", "talk", **a),
        record("ann", "2026-01-04 09:00:00", "look", price=20, **a),
        record("ben", "2026-01-01 23:50:00", "look", **b),
        record("ben", "2026-01-02 00:05:00", "cart", **b),
        record("ben", "2026-01-02 00:06:40", "pay", is_gift=False, **b),
        record("ben", "2026-01-04 20:00:00", "talk", **b),
        record("cem", "2026-01-02 08:00:00", "join", **b),
        record("cem", "2026-01-02 08:00:10", "look", **b),
        record("cem", "2026-01-02 08:00:20", "cart", **b),
        record("cem", "2026-01-03 08:00:00", "talk", **b),
        record("cem", "2026-01-03 08:00:01", "join", **b),
        record("system-talk", "2026-01-03 23:00:00", "talk"),
    ]


@pytest.fixture
def small(tmp_path: Path) -> Any:
    write_by_day(tmp_path, small_log())
    return measure(tmp_path, TAXONOMY, RULES, CONFIGURATION)


def test_records_users_and_days_are_counted(small: Any) -> None:
    assert small.records_by_type == {"track": 18}
    assert small.records_by_event == {"look": 5, "cart": 4, "talk": 4, "join": 3, "pay": 2}
    assert small.users == 3
    assert small.users_by_country == {"KR": 3}
    assert small.users_by_os == {"iOS": 3}
    assert small.variants == {"till:A": 1, "till:B": 2}
    assert small.active_users == [2, 3, 1, 2]
    assert small.active_user_days == 8
    assert small.active_before == [1, 1, 0, 1]
    assert small.first_seen_before == [1, 0, 0, 0]
    assert small.sign_ups == [1, 1, 0, 0]


def test_sessions_end_with_half_an_hour_and_go_on_over_midnight(small: Any) -> None:
    # ann: 10:00:00-10:33:29, 11:03:29, the 2nd, the 4th; ben: 23:50-00:06:40, the 4th; cem: 20 s and 1 s.
    assert {s: int(n) for s, n in enumerate(small.session_s.counts) if n} == {0: 4, 1: 1, 20: 1, 1000: 1, 2009: 1}
    assert {s: int(n) for s, n in enumerate(small.session_events.counts) if n} == {1: 4, 2: 1, 3: 2, 5: 1}
    assert small.sessions_by_user.counts.tolist() == [0, 0, 2, 0, 1]
    assert small.session_s.n == 8
    assert small.session_s.mean == (1 + 20 + 1000 + 2009) / 8
    assert [small.session_s.quantile(q) for q in (0.5, 0.51, 1.0)] == [0, 1, 2009]
    assert math.isnan(Distribution(np.zeros(1, int)).quantile(0.5))


def test_a_conversion_belongs_to_the_last_attempt_before_it(small: Any) -> None:
    found = {key: (c.attempts, c.converted) for key, c in small.conversions.items()}
    # Four carts: ann's second one is alone in its session, cem's leads to nothing.
    assert found == {
        ("look", "cart", ""): (5, 3),
        ("cart", "pay", ""): (4, 2),
        ("cart", "pay", "till:A"): (2, 1),
        ("cart", "pay", "till:B"): (2, 1),
    }


def test_who_was_there_before_is_paired_by_day(small: Any) -> None:
    assert small.together.tolist() == [[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]]


def test_numbers_and_choices_are_those_of_the_taxonomy(small: Any) -> None:
    price = small.numbers["look/price"]
    assert (price.n, price.mean, price.min, price.max) == (3, 20, 10, 30)
    assert price.sd == pytest.approx(math.sqrt(200 / 3))
    count = small.numbers["cart/items.count"]
    assert (count.n, count.mean, count.sd) == (2, 2.5, 1.5)
    assert small.numbers["pay/price"].n == 1
    assert small.choices == {"look/colour": {"red": 1, "blue": 1}, "pay/is_gift": {"true": 1, "false": 1}}


def test_events_out_of_order_are_counted(small: Any) -> None:
    # ann's second session has a cart without a look.
    assert small.order == {"cart": Violations(4, 1), "pay": Violations(2, 0)}
    # Of those whose whole life is seen, cem talks without having paid; ben's payment may lie before the run.
    assert small.prerequisites == {"talk": Violations(2, 1)}
    assert small.once == {"join": Violations(3, 1)}


def test_attempts_of_one_user_that_are_alike_have_a_design_effect(tmp_path: Path) -> None:
    """Ten users look ten times each; five always put it into the cart, five never."""
    records = [
        record(f"user-{user}", f"2026-01-01 10:{2 * n + step:02}:00", name)
        for user in range(10)
        for n in range(10)
        for step, name in enumerate(["look", "cart"] if user < 5 else ["look"])
    ]
    write_by_day(tmp_path, records)
    found = measure(tmp_path, TAXONOMY, RULES, CONFIGURATION).conversions["look", "cart", ""]
    assert (found.attempts, found.converted) == (100, 50)
    # The rate's variance: 10 users, each 5 away from 5 of 10: 10 * 25 * 10 / 9 / 100^2, to 0.5 * 0.5 / 100.
    assert found.design_effect == pytest.approx((2500 / 9 / 100**2) / (0.25 / 100))


def test_a_repeated_step_is_followed_as_often_as_it_may_come(tmp_path: Path) -> None:
    taxonomy = Taxonomy(name="tour", events=(Event(name="tour"), Event(name="done")))
    steps = [Step(events=["tour"], repeats=3, probability=0.9), Step(events=["done"])]
    constraints = EventConstraints(sequences=[EventSequence(name="tour", kind="onboarding", steps=steps)])
    rules = Rules(segment_analysis=RULES.segment_analysis, event_constraints=constraints)
    minutes = {"ann": ["tour", "tour", "tour", "done"], "ben": ["tour", "tour", "done"], "cem": ["done", "tour"]}
    records = [
        record(user, f"2026-01-01 10:{minute:02}:00", name)
        for user, names in minutes.items()
        for minute, name in enumerate(names)
    ]
    write_by_day(tmp_path, records)
    (funnel,) = measure(tmp_path, taxonomy, rules, CONFIGURATION).funnels
    assert funnel.reached == (3, 2, 1, 1)
    assert funnel.step_numbers == (0, 0, 0, 1)
    assert funnel.tried == (3, 3, 2, 1)


def test_a_step_is_tried_only_after_an_event_that_it_follows(tmp_path: Path) -> None:
    """Of four orders two are paid and two cancelled; a receipt follows payments alone."""
    names = ("order", "pay", "cancel", "receipt")
    taxonomy = Taxonomy(name="shop", events=tuple(Event(name=name) for name in names))
    steps = [
        Step(events=["order"]),
        Step(events=["pay", "cancel"]),
        Step(events=["receipt"], follows=["pay"], probability=0.5),
    ]
    constraints = EventConstraints(sequences=[EventSequence(name="order", steps=steps)])
    rules = Rules(segment_analysis=RULES.segment_analysis, event_constraints=constraints)
    days = {"ann": ["order", "pay", "receipt"], "ben": ["order", "cancel"], "cem": ["order", "pay"]}
    days["dan"] = ["order", "cancel", "receipt"]
    records = [
        record(user, f"2026-01-01 10:{minute:02}:00", name)
        for user, done in days.items()
        for minute, name in enumerate(done)
    ]
    write_by_day(tmp_path, records)
    (funnel,) = measure(tmp_path, taxonomy, rules, CONFIGURATION).funnels
    assert funnel.tried == (4, 4, 2)
    assert funnel.reached == (4, 4, 1)


# --------------------------------------------------------------------------- dirt


def test_every_kind_of_dirt_is_reported(tmp_path: Path) -> None:
    first = record("ann", "2026-01-01 10:00:00", "look", price=1, colour="red")
    late = record("ann", "2026-01-01 12:00:00", "cart")
    write(
        tmp_path,
        1,
        [
            first,
            record("ann", "2026-01-01 10:30:00", "look", price=None),
            record("ann", "2026-01-01 10:10:00", "look", price="7"),
            first,
            record("ann", "2026-01-01 11:00:00", "look", price="8", surprise=1),
            record("ann", "2026-01-01 11:00:00", "look", surprise=1),
            record("ann", "2026-01-01 11:00:00", "nonsense", surprise=1),
            '{"#distinct_id": "ann", "#type": "tra',
            '["no", "record"]',
            json.dumps({**first, "#time": "yesterday", "#uuid": "other"}),
            "",
            record("ann", "2025-12-31 23:59:59", "look"),
        ],
    )
    # A late record is not out of order besides; one that came early, by a clock that is ahead, is neither.
    write(
        tmp_path, 3, [record("ann", "2026-01-03 09:00:00", "join"), late, record("ann", "2026-01-04 00:00:00", "talk")]
    )
    write(tmp_path, 5, [record("ann", "2026-01-01 13:00:00", "look"), record("ann", "2026-01-01 10:00:00", "look")])
    found = measure(tmp_path, TAXONOMY, RULES, CONFIGURATION)
    dirt = found.dirt
    assert (dirt.late, dirt.too_late, dirt.duplicates, dirt.out_of_order) == (1, 2, 1, 1)
    assert (dirt.nulls, dirt.drifted, dirt.undeclared_properties, dirt.off_schema) == (1, 2, 2, 3)
    assert (dirt.unknown_events, dirt.unreadable, dirt.outside) == (1, 3, 1)
    # Twelve different events, and three that nobody can read; of 13 of declared kinds, 11 are of kinds with properties.
    assert dirt.events == 15
    assert dirt.lost_share == 4 / 15
    assert dirt.with_properties == round(15 * 11 / 13)
    assert found.active_users == [1, 0, 1, 1]
    # Values are counted as they stand in the files: the copy, and the one without a time.
    assert found.numbers["look/price"] == Moments(3, 1, 0, 1, 1)
    assert found.records_by_event["look"] == 10


def test_a_record_that_nothing_overtook_would_not_be_seen_out_of_order(tmp_path: Path) -> None:
    """Half an hour to the next record is seen in half of the cases, two hours or none after it never."""
    write_by_day(tmp_path, [record("ann", f"2026-01-01 {at}:00", "look") for at in ("10:00", "10:30", "12:30")])
    assert measure(tmp_path, TAXONOMY, RULES, CONFIGURATION).dirt.visible_order == pytest.approx(0.5 / 3)


def test_divided_and_compressed_files_say_the_same(tmp_path: Path) -> None:
    write_by_day(tmp_path, small_log())
    plain = measure(tmp_path, TAXONOMY, RULES, CONFIGURATION)
    other = tmp_path / "other"
    other.mkdir()
    for path in tmp_path.glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        for part, chosen in enumerate((lines[:1], lines[1:])):
            (other / f"{path.stem}.{part:03}.jsonl.gz").write_bytes(gzip.compress(b"".join(chosen)))
    found = measure(other, TAXONOMY, RULES, CONFIGURATION)
    for name in ("records_by_event", "active_users", "retained", "conversions", "numbers", "order", "dirt"):
        assert getattr(found, name) == getattr(plain, name), name


def test_a_users_local_time_is_taken_to_utc(tmp_path: Path) -> None:
    write(tmp_path, 1, [record("ann", "2026-01-02 01:30:00", "look", **{"#zone_offset": 9})])
    found = measure(tmp_path, TAXONOMY, RULES, CONFIGURATION)
    assert found.active_users == [1, 0, 0, 0]
    assert found.events_by_hour[16] == 1


def test_what_user_records_set_is_measured_and_is_no_activity(tmp_path: Path) -> None:
    recorded = {**record("ann", "2026-01-01 10:00:00", ""), "#type": "user_set", "properties": {"age": 30}}
    added = {**record("ann", "2026-01-01 10:00:00", ""), "#type": "user_add", "properties": {"age": 1}}
    for found in (recorded, added):
        del found["#event_name"]
    write(tmp_path, 1, [recorded, added])
    found = measure(tmp_path, TAXONOMY, RULES, CONFIGURATION)
    assert found.records_by_type == {"user_set": 1, "user_add": 1}
    assert found.numbers == {"user/age": Moments(1, 30, 0, 30, 30)}
    assert (found.users, found.active_user_days, found.dirt.events) == (0, 0, 0)


def test_a_folder_without_logs_is_reported(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(MeasureError, match=r"expected files such as logs_20260101\.jsonl, found none"):
        measure(tmp_path, TAXONOMY, RULES, CONFIGURATION)


# --------------------------------------------------------------------------- a plain reading

NAMES = ("join", "look", "cart", "pay", "talk")


@st.composite
def logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events of a few users within four days, often half an hour apart, often at midnight."""
    minutes = st.one_of(st.integers(0, 4 * 1440 - 1), st.integers(1440 - 40, 1440 + 40), st.integers(600, 700))
    rows = draw(st.lists(st.tuples(st.sampled_from("abc"), minutes, st.sampled_from(NAMES)), min_size=1, max_size=40))
    start = datetime.combine(START, datetime.min.time())
    return [record(u, f"{start + timedelta(minutes=m):%Y-%m-%d %H:%M:%S}", name) for u, m, name in sorted(rows)]


@settings(max_examples=8, deadline=None)
@given(logs())
def test_a_plain_reading_finds_the_same(records: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        write_by_day(Path(folder), records)
        found = measure(Path(folder), TAXONOMY, RULES, CONFIGURATION)
    lives: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for one in records:
        at = datetime.fromisoformat(one["#time"])
        lives[one["#distinct_id"]].append((at, one["#event_name"]))
    days = {user: sorted({(at.date() - START).days for at, _ in life}) for user, life in lives.items()}
    new = {
        user for user, life in lives.items() if "join" in {name for at, name in life if at.date() == life[0][0].date()}
    }
    assert found.active_users == [sum(day in d for d in days.values()) for day in range(4)]
    assert found.sign_ups == [sum(days[user][0] == day for user in new) for day in range(4)]
    for n in range(4):
        able = [user for user in new if days[user][0] + n < 4]
        assert found.retained[n] == (len(able), sum(days[user][0] + n in days[user] for user in able))
        seen = [user for user in days if days[user][0] + n < 4]
        assert found.seen_again[n] == (len(seen), sum(days[user][0] + n in days[user] for user in seen))
    hours = Counter(at.hour for life in lives.values() for at, _ in life)
    assert found.events_by_hour == [hours[hour] for hour in range(24)]
    sessions = [session for life in lives.values() for session in _sessions(life)]
    assert found.session_s.n == len(sessions)
    assert found.session_s.mean * len(sessions) == pytest.approx(
        sum((s[-1][0] - s[0][0]).total_seconds() for s in sessions)
    )
    names = [[name for _, name in session] for session in sessions]
    tried = {
        ("look", "cart", ""): _converted(names, "look", "cart"),
        ("cart", "pay", ""): _converted(names, "cart", "pay"),
    }
    assert {key: (c.attempts, c.converted) for key, c in found.conversions.items() if not key[2]} == tried
    assert found.funnels[0].reached == _reached(names)
    for name, before in (("cart", "look"), ("pay", "cart")):
        broken = [before not in s[:place] for s in names for place, one in enumerate(s) if one == name]
        assert found.order[name] == Violations(len(broken), sum(broken))
    early = [
        "pay" not in [name for _, name in lives[user][:place]]
        for user in new
        for place, (_, name) in enumerate(lives[user])
        if name == "talk"
    ]
    assert found.prerequisites["talk"] == Violations(len(early), sum(early))
    joins = [sum(name == "join" for _, name in life) for life in lives.values()]
    assert found.once["join"] == Violations(sum(joins), sum(n - 1 for n in joins if n))


def _sessions(life: list[tuple[datetime, str]]) -> list[list[tuple[datetime, str]]]:
    found = [[life[0]]]
    for one in life[1:]:
        if one[0] - found[-1][-1][0] >= timedelta(minutes=30):
            found.append([])
        found[-1].append(one)
    return found


def _converted(sessions: list[list[str]], begin: str, end: str) -> tuple[int, int]:
    attempts = converted = 0
    for names in sessions:
        for place, name in enumerate(names):
            if name == begin:
                rest = names[place + 1 :]
                until = rest.index(begin) if begin in rest else len(rest)
                attempts += 1
                converted += end in rest[:until]
    return attempts, converted


def _reached(sessions: list[list[str]]) -> tuple[int, ...]:
    reached = [0, 0, 0]
    for names in sessions:
        step = 0
        for name in names:
            if name == "look":
                reached[0] += 1
                step = 1
            elif step and step < 3 and name == ("look", "cart", "pay")[step]:
                reached[step] += 1
                step += 1
    return tuple(reached)
