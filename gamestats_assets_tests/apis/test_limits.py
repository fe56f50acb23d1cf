"""Rate limits of APIs, of one process and of several: learnt from answers, never exceeded."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gamestats_assets.apis.http import RateLimitedError
from gamestats_assets.apis.limits import InProcessLimits, Limits, SharedLimits, Window, parse_windows, windows_in_force
from gamestats_assets.lakehouse.entries import ops
from gamestats_assets_tests.support.clocks import FakeTime

FAR = 600.0


@pytest.fixture
def timer() -> FakeTime:
    return FakeTime()


@pytest.fixture
def url(ops_database: str) -> SecretStr:
    return SecretStr(ops_database)


@pytest.fixture(params=["one process", "all processes"])
def impatient(request: pytest.FixtureRequest) -> Callable[[], Limits]:
    """Makes limits that raise instead of waiting; those of all processes share what they know."""
    if request.param == "one process":
        one = InProcessLimits(patience=0)
        return lambda: one
    url = SecretStr(request.getfixturevalue("ops_database"))
    return lambda: SharedLimits(url, patience=0)


def taken(limits: Limits, limiters: dict[str, list[Window]], tries: int = 30) -> int:
    """How many requests go through until one would have to wait."""
    for number in range(tries):
        try:
            limits.acquire(limiters)
        except RateLimitedError:
            return number
    return tries


# ---------------------------------------------------------------- what headers say


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("20:1,100:120", [(20, 1.0), (100, 120.0)]),
        ("100:120, 20:1", [(20, 1.0), (100, 120.0)]),
        ("5:0.2", [(5, 0.2)]),
        ("", []),
        ("soon", []),
        ("20:1,nonsense,0:5,5:0", [(20, 1.0)]),
        ("-1:5,1e3:4,٣:1", []),
    ],
)
def test_windows_are_read_from_headers(text: str, windows: list[tuple[int, float]]) -> None:
    assert [(window.requests, window.seconds) for window in parse_windows(text)] == windows


# ---------------------------------------------------------------- both kinds alike


def test_every_window_of_every_limiter_is_kept(impatient: Callable[[], Limits]) -> None:
    key, method = [Window(7, FAR), Window(50, 2 * FAR)], [Window(4, FAR)]
    assert taken(impatient(), {"key": key, "method": method}) == 4
    assert taken(impatient(), {"key": key, "other method": method}) == 3
    assert taken(impatient(), {"other key": key}) == 7


def test_reported_limits_replace_the_defaults(impatient: Callable[[], Limits]) -> None:
    impatient().learn({"key": [Window(3, FAR), Window(9, 2 * FAR)]})
    impatient().learn({"key": []})
    assert taken(impatient(), {"key": [Window(20, 1.0)]}) == 3


def test_a_block_holds_for_its_limiter_alone(impatient: Callable[[], Limits]) -> None:
    impatient().block("key", 30)
    impatient().block("key", 5)
    with pytest.raises(RateLimitedError, match="used up") as error:
        impatient().acquire({"key": []})
    assert 29 < (error.value.retry_after or 0) <= 30
    impatient().acquire({"another": []})


@pytest.mark.parametrize(("used", "left"), [(1, 9), (7, 3), (10, 0), (12, 0), (None, 9)])
def test_reported_requests_of_others_are_counted(impatient: Callable[[], Limits], used: int | None, left: int) -> None:
    at = impatient().acquire({"key": [Window(10, FAR)]})
    impatient().learn({"key": [Window(10, FAR, used)]}, at)
    impatient().learn({"key": [Window(10, FAR, used)]}, at)  # a second answer tells of the same ones
    assert taken(impatient(), {"key": []}) == left


def test_others_are_counted_in_the_window_that_reports_them(impatient: Callable[[], Limits]) -> None:
    at = impatient().acquire({"key": [Window(100, FAR)]})
    impatient().learn({"key": [Window(5, 60, 1), Window(30, FAR, 28)]}, at)
    assert taken(impatient(), {"key": []}) == 2, "28 and these are 30; the short window has room for four"


# ---------------------------------------------------------------- one process


@given(
    windows=st.lists(st.tuples(st.integers(1, 5), st.sampled_from([1.0, 2.5, 10.0, 60.0])), min_size=1, max_size=3),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=40),
)
def test_no_window_ever_holds_more_than_it_allows(windows: list[tuple[int, float]], pauses: list[float]) -> None:
    timer = FakeTime()
    limits = InProcessLimits(clock=timer.clock, sleep=timer.sleep)
    sent = []
    for pause in pauses:
        timer.now += pause
        sent.append(limits.acquire({"key": [Window(*window) for window in windows]}))
    assert sent == sorted(sent)
    for requests, seconds in windows:
        for first, beyond in zip(sent, sent[requests:], strict=False):
            assert beyond - first >= seconds - 1e-5


@given(pauses=st.lists(st.floats(0, 3), min_size=5, max_size=40))
def test_no_wait_is_longer_than_necessary(pauses: list[float]) -> None:
    timer = FakeTime()
    limits = InProcessLimits(clock=timer.clock, sleep=timer.sleep)
    sent: list[float] = []
    for pause in pauses:
        timer.now += pause
        wished = timer.now
        sent.append(limits.acquire({"key": [Window(3, 2.0)]}))
        earliest = max([wished, *([sent[-4] + 2.0] if len(sent) > 3 else [])])
        assert sent[-1] == pytest.approx(earliest, abs=1e-5)


def test_waiting_longer_than_patience_is_refused_at_once(timer: FakeTime) -> None:
    limits = InProcessLimits(patience=90, clock=timer.clock, sleep=timer.sleep)
    limits.block("key", 60)
    limits.acquire({"key": []})
    limits.block("key", 91)
    with pytest.raises(RateLimitedError):
        limits.acquire({"key": []})
    assert timer.slept == [60]


# ---------------------------------------------------------------- all processes


def test_processes_that_need_the_same_limits_in_any_order_share_them(url: SecretStr) -> None:
    window = [Window(12, FAR)]
    orders = itertools.cycle([{"a": window, "b": window}, {"b": window, "a": window}])

    def take(limiters: dict[str, list[Window]]) -> int:
        return taken(SharedLimits(url, patience=0), limiters)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, itertools.islice(orders, 8))) == 12


def test_a_caller_leaves_requests_of_every_window_to_others(url: SecretStr) -> None:
    window = [Window(5, FAR), Window(9, 2 * FAR)]
    assert taken(SharedLimits(url, caller="modest", leave=3, patience=0), {"key": window}) == 2
    assert taken(SharedLimits(url, caller="other", patience=0), {"key": window}) == 3


def test_a_deadline_ends_the_waiting(url: SecretStr) -> None:
    slept: list[float] = []
    limits = SharedLimits(url, deadline=time.monotonic() + 20, sleep=slept.append)
    limits.block("key", 30)
    with pytest.raises(RateLimitedError):
        limits.acquire({"key": []})
    assert slept == []


def test_old_calls_are_forgotten_and_those_that_count_are_kept(url: SecretStr) -> None:
    limits = SharedLimits(url, patience=0)
    for _ in range(3):
        limits.acquire({"key": [Window(100, 10.0)]})
    _execute(url, "UPDATE ops.api_calls SET called_at = called_at - interval '60 s'")
    limits.acquire({"key": [Window(100, 10.0)]})
    assert _execute(url, "SELECT count(*) FROM ops.api_calls") == [(1,)]


def test_calls_of_a_limiter_of_unknown_windows_are_forgotten_after_a_day(url: SecretStr) -> None:
    limits = SharedLimits(url, patience=0)
    for _ in range(2):
        limits.acquire({"method": []})
        _execute(url, "UPDATE ops.api_calls SET called_at = called_at - interval '13 hours'")
    limits.acquire({"method": []})
    assert _execute(url, "SELECT count(*) FROM ops.api_calls") == [(2,)]


def test_limits_learnt_by_an_older_version_can_be_replaced(url: SecretStr) -> None:
    ops.downgrade(url, "0005")
    _execute(url, "INSERT INTO ops.api_limits (limiter, requests) VALUES ('pubg', 17), ('unknown', NULL)")
    ops.migrate(url)
    assert windows_in_force(url, "pubg") == [Window(17, 60.0)]
    assert windows_in_force(url, "unknown") == windows_in_force(url, "never heard of") == []
    SharedLimits(url).learn({"riot": [Window(20, 1.1), Window(100, 120.1)]})
    assert windows_in_force(url, "riot") == [Window(20, 1.1), Window(100, 120.1)]
    ops.downgrade(url, "0005")
    found = _execute(url, "SELECT limiter, requests FROM ops.api_limits ORDER BY limiter")
    assert found == [("pubg", 17), ("riot", None), ("unknown", None)]


def _execute(url: SecretStr, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
        cursor = conn.execute(statement)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []
