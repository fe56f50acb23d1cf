"""Sequences, prerequisites and life-cycle stages hold in every session, whatever the rules are."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from gamestats_assets.demo_data.generator.blueprint import blueprint
from gamestats_assets.demo_data.generator.generate import Chunk, simulate
from gamestats_assets.demo_data.rules.configuration import (
    Configuration,
    ConfigurationError,
    ConversionTruth,
    ExperimentTruth,
    RetentionTruth,
    SeasonalityTruth,
)
from gamestats_assets.demo_data.rules.model import (
    SEGMENTS,
    Activity,
    EventConstraints,
    EventSequence,
    LifecycleStage,
    Rules,
    SegmentAnalysis,
    Step,
)
from gamestats_assets.demo_data.taxonomies.model import Event, Taxonomy
from gamestats_assets_tests.demo_data.small_shop import QUIET, RULES, TAXONOMY, at, by_user, sessions

Record = dict[str, Any]


def simulated(taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> list[Record]:
    """All records of a run, straight from the simulation."""
    plan = blueprint(taxonomy, rules, configuration)
    lines, _, _ = simulate(plan, Chunk(0, configuration.users))
    ordered = lines.sort("sort_ms", "user", "record")
    return [from_json(line) for line in ordered["line"]]


# --------------------------------------------------------------------------- any rules


@st.composite
def products(draw: st.DrawFn) -> tuple[Taxonomy, Rules]:
    """A taxonomy and sound rules over its events: an opening, an onboarding, sequences, loose events, needs, stages."""
    loose = [f"loose_{n}" for n in range(draw(st.integers(0, 6)))]
    sequences: list[EventSequence] = []
    steps_of: list[str] = []
    for n in range(draw(st.integers(0, 3))):
        steps = []
        for s in range(draw(st.integers(2, 4))):
            names = [f"seq_{n}_{s}_{a}" for a in range(draw(st.integers(1, 2)))]
            steps_of += names
            steps.append(Step(events=names, probability=1 if s == 0 else draw(st.sampled_from([0.3, 0.9, 1.0]))))
        sequences.append(
            EventSequence(name=f"seq_{n}", kind=draw(st.sampled_from(["funnel", "sequence"])), steps=steps)
        )
    onboarding = [f"tour_{s}" for s in range(draw(st.integers(0, 3)))]
    if onboarding:
        steps = [Step(events=[name], probability=1 if s == 0 else 0.8) for s, name in enumerate(onboarding)]
        sequences.append(EventSequence(name="tour", kind="onboarding", steps=steps))
    opening = ["install", "start", "join"]
    names = [*opening, *onboarding, *steps_of, *loose, "end"]
    prerequisites: dict[str, list[str]] = {"join": ["install"]} if draw(st.booleans()) else {}
    gated = [*steps_of, *loose]
    for place, name in enumerate(gated):
        if draw(st.integers(0, 3)) == 0:
            before = [*opening, *onboarding, *(g for g in gated[:place] if g.split("_")[:2] != name.split("_")[:2])]
            prerequisites[name] = draw(st.lists(st.sampled_from(before), min_size=1, max_size=2, unique=True))
    stages = list(LifecycleStage)
    lifecycle = {name: draw(st.sampled_from(stages[2:])) for name in gated if draw(st.integers(0, 4)) == 0}
    stage_events = {"install": stages[0], "start": stages[1], "join": stages[2]}
    if onboarding:
        stage_events |= {onboarding[0]: stages[3], onboarding[-1]: stages[4]}
    once = ["install", "join", *onboarding, *(name for name in loose if draw(st.integers(0, 3)) == 0)]

    def segment() -> SegmentAnalysis:
        return SegmentAnalysis(
            activity=Activity(
                daily_probability=draw(st.sampled_from([0.4, 0.9])),
                sessions_per_day=draw(st.sampled_from([1, 2.5])),
                events_per_session=draw(st.sampled_from([3, 15])),
            ),
            event_sequence=draw(st.lists(st.sampled_from(gated), max_size=4)) if gated else [],
            event_probabilities={name: draw(st.sampled_from([0.2, 0.8, 1.0])) for name in gated},
        )

    rules = Rules(
        event_constraints=EventConstraints(
            session_start=["start"], session_end=["end"], once=once, sequences=sequences,
            prerequisites=prerequisites, lifecycle=lifecycle, stage_events=stage_events,
        ),
        segment_analysis={name: segment() for name in SEGMENTS},
    )  # fmt: skip
    order = draw(st.permutations(names))
    return Taxonomy(name="any", events=tuple(Event(name=name) for name in order)), rules


def goes_on(session: list[Record], run: Configuration) -> bool:
    """Whether a session may go on after the run's last midnight."""
    end = datetime.combine(run.start + timedelta(days=run.days), datetime.min.time())
    return at(session[-1]) > end - timedelta(minutes=30)


def broken(rules: Rules, of_user: list[Record], run: Configuration) -> list[str]:
    """What a plain reading finds wrong with one user's life, who signed up within the run."""
    constraints = rules.event_constraints
    followers = rules.followers()
    finished = (
        LifecycleStage.ONBOARDING_COMPLETED.rank
        if LifecycleStage.ONBOARDING_COMPLETED in constraints.stage_events.values()
        else LifecycleStage.REGISTERED.rank
    )
    wrong: list[str] = []
    happened: Counter[str] = Counter()
    stage = 0
    signed_up = at(of_user[0]).date()
    for session in sessions(of_user):
        within: set[str] = set()
        for record in session:
            name = record["#event_name"]
            age = (at(record).date() - signed_up).days
            risen = stage
            if stage >= finished:
                risen = max(stage, 6 if age >= 7 else 5 if age >= 2 else 0)
            wrong += [f"{name} before {b}" for b in constraints.prerequisites.get(name, ()) if not happened[b]]
            if name in followers and not followers[name] & within:
                wrong.append(f"{name} without any of {followers[name]} in its session")
            if name in constraints.once and happened[name]:
                wrong.append(f"{name} twice")
            if risen < constraints.lifecycle.get(name, LifecycleStage.INSTALLED).rank:
                wrong.append(f"{name} in stage {risen}")
            happened[name] += 1
            within.add(name)
            stage = max(stage, constraints.stage_events[name].rank if name in constraints.stage_events else 0)
        ends = session[-1]["#event_name"] == "end" or goes_on(session, run)
        if session[0]["#event_name"] not in ("start", *constraints.once) or not ends:
            wrong.append(f"a session from {session[0]['#event_name']} to {session[-1]['#event_name']}")
    return wrong


# What fails is told as it is: to look for a smaller product would take minutes.
@settings(max_examples=8, suppress_health_check=list(HealthCheck), phases=(Phase.reuse, Phase.generate))
@given(products(), st.integers(0, 2**32))
def test_rules_hold_in_every_session_of_every_user(product: tuple[Taxonomy, Rules], seed: int) -> None:
    taxonomy, rules = product
    configuration = Configuration(users=20, days=9, seed=seed, segments={"new_user": 0.8, "power_user": 0.2})
    for of_user in by_user(simulated(taxonomy, rules, configuration)).values():
        if of_user[0]["#event_name"] == "install":
            assert broken(rules, of_user, configuration) == []
        else:
            counted = Counter(record.get("#event_name") for record in of_user)
            assert not [name for name in rules.event_constraints.once if counted[name]]
            for session in sessions(of_user):
                names = [record["#event_name"] for record in session]
                for place, name in enumerate(names):
                    before = rules.followers().get(name)
                    assert before is None or before & set(names[:place])


@pytest.mark.parametrize("stage", ["registered", "active", "advanced"])
def test_what_opens_a_session_waits_for_its_stage_of_life(stage: str) -> None:
    taxonomy = Taxonomy(name="any", events=tuple(Event(name=name) for name in ("install", "greet", "join", "walk")))
    segment = SegmentAnalysis(activity=Activity(daily_probability=0.9, events_per_session=3))
    rules = Rules(
        event_constraints=EventConstraints(
            session_start=["install", "greet", "join"], once=["install", "join"],
            lifecycle={"greet": LifecycleStage(stage)}, stage_events={"join": LifecycleStage.REGISTERED},
        ),
        segment_analysis=dict.fromkeys(SEGMENTS, segment),
    )  # fmt: skip
    run = Configuration(users=60, days=10, segments={"new_user": 1.0})
    first: list[int] = []
    for life in by_user(simulated(taxonomy, rules, run)).values():
        if life[0]["#event_name"] == "install":
            greeted = next((at(record) for record in life if record.get("#event_name") == "greet"), None)
            if greeted is not None:
                first.append((greeted.date() - at(life[0]).date()).days)
    assert min(first) == {"registered": 0, "active": 2, "advanced": 7}[stage]


# --------------------------------------------------------------------------- the small shop


SHOP_RUN = Configuration(users=200, days=10, seed=5)


@pytest.fixture(scope="module")
def shop() -> dict[str, list[Record]]:
    """Ten days of the small shop, by user."""
    return by_user(simulated(TAXONOMY, RULES, SHOP_RUN))


def tracked(of_user: list[Record]) -> list[Record]:
    """A user's events."""
    return [record for record in of_user if record["#type"] == "track"]


def test_a_new_user_begins_with_the_opening_and_then_the_onboarding(shop: dict[str, list[Record]]) -> None:
    new = [tracked(of_user) for of_user in shop.values() if tracked(of_user)[0]["#event_name"] == "install"]
    assert len(new) > 20
    for of_user in new:
        assert [record["#event_name"] for record in of_user[:3]] == ["install", "start", "sign_up"]
        steps = [record["properties"]["tour_step"] for record in of_user if record["#event_name"] == "tour"]
        assert steps == list(range(1, len(steps) + 1))
        assert ["#account_id" in record for record in of_user[:4]] == [False, False, True, True]


def test_sessions_of_a_user_never_overlap_and_some_go_on_past_midnight(shop: dict[str, list[Record]]) -> None:
    every = [session for of_user in shop.values() for session in sessions(of_user)]
    for session in every:
        names = [record["#event_name"] for record in session]
        assert names.count("start") == 1
        assert names.count("end") == 1 or (goes_on(session, SHOP_RUN) and "end" not in names)
    assert 0 < sum(at(session[0]).date() != at(session[-1]).date() for session in every) < 0.05 * len(every)


def test_where_the_shares_of_days_are_planted_sessions_stay_within_a_day() -> None:
    planted = SHOP_RUN.model_copy(update={"truths": [RetentionTruth(curve={1: 0.5})]})
    for of_user in by_user(simulated(TAXONOMY, RULES, planted)).values():
        for session in sessions(of_user):
            assert at(session[0]).date() == at(session[-1]).date()
            assert session[-1]["#event_name"] == "end"


def test_the_end_of_a_session_tells_how_long_it_was(shop: dict[str, list[Record]]) -> None:
    for of_user in shop.values():
        for session in sessions(of_user):
            if goes_on(session, SHOP_RUN):
                continue
            lasted = (at(session[-1]) - at(session[0])).total_seconds()
            assert abs(session[-1]["properties"]["#duration"] - lasted) <= 0.5


def test_what_an_order_says_is_the_same_in_every_step(shop: dict[str, list[Record]]) -> None:
    pairs = 0
    for of_user in map(tracked, shop.values()):
        for before, record in pairwise(of_user):
            if (before["#event_name"], record["#event_name"]) in {("view", "cart"), ("cart", "buy")}:
                pairs += 1
                for name in ("item_id", "price", *(("count",) if before["#event_name"] == "cart" else ())):
                    assert record["properties"][name] == before["properties"][name]
    assert pairs > 150


def test_a_purse_is_never_negative_and_adds_up(shop: dict[str, list[Record]]) -> None:
    spent = 0
    for of_user in map(tracked, shop.values()):
        purse = 100
        for record in of_user:
            if record["#event_name"] in ("earn", "spend"):
                sign = 1 if record["#event_name"] == "earn" else -1
                purse += sign * record["properties"]["coins"]
                assert record["properties"]["coins_after"] == purse >= 0
                spent += sign < 0
    assert spent > 150


def test_the_state_that_user_records_leave_is_what_the_events_say(shop: dict[str, list[Record]]) -> None:
    for of_user in shop.values():
        state: dict[str, Any] = {}
        for record in of_user:
            for name, value in record["properties"].items() if record["#type"] != "track" else ():
                match record["#type"]:
                    case "user_set":
                        assert state.get(name) != value, "only what changed is told"
                        state[name] = value
                    case "user_setOnce":
                        state.setdefault(name, value)
                    case "user_add":
                        assert value != 0
                        state[name] = state.get(name, 0) + value
        events = tracked(of_user)
        bought = [r for r in events if r["#event_name"] == "buy"]
        if events[0]["#event_name"] != "install":
            continue
        account = [r for r in events if "#account_id" in r]
        assert state.get("purchases", 0) == len(bought)
        assert abs(state.get("spent", 0) - sum(r["properties"]["total"] for r in bought)) < 0.01
        assert state.get("first_purchase") == (bought[0]["#time"] if bought else None)
        assert state["days"] == len({at(r).date() for r in events if r["#event_name"] == "start"})
        purse = [r["properties"]["coins_after"] for r in events if r["#event_name"] in ("earn", "spend")]
        if purse:
            assert state["coins"] == purse[-1]
        assert state["level"] == events[-1]["properties"]["level"]
        assert len({r["properties"]["shop"] for r in account}) == 1


def test_people_play_in_the_evening_of_where_they_live() -> None:
    evening = [0.0] * 20 + [1.0] + [0.0] * 3
    activity = Activity(daily_probability=0.9, sessions_per_day=1, hour_weights=evening)
    analysis = {name: SegmentAnalysis(activity=activity) for name in SEGMENTS}
    rules = RULES.model_copy(update={"segment_analysis": analysis})
    configuration = Configuration(users=60, days=4, countries={"KR": 1, "US": 1, "DE": 1})
    hours = defaultdict(Counter)
    for record in simulated(TAXONOMY, rules, configuration):
        if record.get("#event_name") == "start":
            hours[record["properties"]["#country_code"]][at(record).hour] += 1
    # In January: Seoul is nine hours ahead of UTC, Berlin one, and the United States five to ten behind.
    for country, expected in (("KR", {11, 10, 12}), ("DE", {19, 18, 20})):
        assert set(hours[country]) <= expected
        assert hours[country][min(expected) + 1] > 0.6 * sum(hours[country].values())
    assert set(hours["US"]) <= {0, 1, 2, 3, 4, 5, 6, 7, 23}


# --------------------------------------------------------------------------- planted truths


def conversions(found: list[Record], first: str, second: str) -> dict[str, tuple[int, int]]:
    """By variant: how many `first`, and how many followed by `second` in the session before the next `first`."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for of_user in by_user(found).values():
        for session in sessions(of_user):
            waiting = False
            for record in session:
                variant = record["properties"].get("ab_test", "")
                if record["#event_name"] == first:
                    counts[variant][0] += 1
                    waiting = True
                elif record["#event_name"] == second and waiting:
                    counts[variant][1] += 1
                    waiting = False
    return {variant: (n, k) for variant, (n, k) in counts.items()}


def near(found: int, n: int, rate: float) -> bool:
    """Whether a share is within four and a half standard errors of a rate."""
    return abs(found / n - rate) < 4.5 * math.sqrt(rate * (1 - rate) / n)


@pytest.mark.parametrize(
    ("pair", "rate"),
    [(("view", "cart"), 0.05), (("view", "buy"), 0.37), (("cart", "buy"), 0.37)],
)
def test_a_planted_conversion_is_in_the_data(rate: float, pair: tuple[str, str]) -> None:
    truth = ConversionTruth(from_event=pair[0], to_event=pair[1], rate=rate)
    found = simulated(TAXONOMY, RULES, Configuration(users=160, days=7, truths=[truth]))
    ((n, k),) = conversions(found, *pair).values()
    assert n > 160
    assert near(k, n, rate)


@pytest.mark.parametrize(("pair", "rate"), [(("cart", "earn"), 0.15), (("view", "spend"), 0.2)])
def test_a_conversion_can_be_planted_across_alternatives_and_steps_that_follow_one_of_them(
    rate: float, pair: tuple[str, str]
) -> None:
    """Of views nine tenths can become a cart, of carts four fifths bought, of purchases all but a quarter spent."""
    steps = [
        Step(events=["view"]),
        Step(events=["cart"], probability=0.9),
        Step(events=["buy", "cancel"], weights=[0.8, 0.2], probability=0.6),
        Step(events=["earn", "spend"], weights=[0.25, 0.75], follows=["buy"], probability=0.7),
    ]
    flow = EventSequence(name="purchase", kind="funnel", steps=steps)
    constraints = RULES.event_constraints.model_copy(update={"sequences": [flow], "prerequisites": {}})
    rules = RULES.model_copy(update={"event_constraints": constraints})
    truth = ConversionTruth(from_event=pair[0], to_event=pair[1], rate=rate)
    found = simulated(TAXONOMY, rules, Configuration(users=250, days=7, truths=[truth]))
    ((n, k),) = conversions(found, *pair).values()
    assert n > 80
    assert near(k, n, rate)
    beyond = ConversionTruth(from_event="cart", to_event="spend", rate=0.7)
    with pytest.raises(ConfigurationError, match="at most 60% can reach it"):
        blueprint(TAXONOMY, rules, Configuration(truths=[beyond]))


def test_a_planted_experiment_is_in_the_data() -> None:
    truth = ExperimentTruth(name="green_button", from_event="view", to_event="buy", rate_a=0.2, lift=0.3)
    found = simulated(TAXONOMY, RULES, Configuration(users=400, days=7, truths=[truth]))
    by_variant = conversions(found, "view", "buy")
    assert set(by_variant) == {"green_button:A", "green_button:B"}
    (n_a, k_a), (n_b, k_b) = (by_variant[f"green_button:{variant}"] for variant in "AB")
    assert near(k_a, n_a, 0.2)
    assert near(k_b, n_b, 0.26)
    users = Counter(u[0]["properties"].get("ab_test") for u in by_user(found).values())
    assert near(users["green_button:A"], users["green_button:A"] + users["green_button:B"], 0.5)


def test_a_planted_retention_is_in_the_data() -> None:
    truth = RetentionTruth(curve={1: 0.45, 3: 0.3, 7: 0.19})
    configuration = Configuration(
        users=1500, days=15, truths=[truth], segments={"new_user": 1.0}, sign_up_share_in_run=1.0
    )
    found = by_user(simulated(TAXONOMY, QUIET, configuration))
    for day, share in ((1, 0.45), (2, 0.348), (3, 0.3), (5, 0.228), (7, 0.19), (9, 0.166)):
        signed_up = [u for u in found.values() if (at(u[0]).date() - configuration.start).days + day < 15]
        back = [u for u in signed_up if any((at(r).date() - at(u[0]).date()).days == day for r in u)]
        assert near(len(back), len(signed_up), share), day


@pytest.mark.parametrize(
    ("curve", "shares"),
    [
        # Halved whenever the day doubles, so 0.5 / n; then 0.125 * (n / 4) ** -2.
        ({1: 0.5, 4: 0.125, 8: 0.03125}, {0: 1, 1: 0.5, 2: 0.25, 3: 1 / 6, 4: 0.125, 8: 0.03125, 16: 1 / 128}),
        # From day 0, or with a single day: 1 / (n + 1).
        ({3: 0.25}, {0: 1, 1: 0.5, 2: 1 / 3, 3: 0.25, 7: 0.125}),
        ({1: 0.2, 4: 0.4}, {2: 0.2 * 2**0.5, 4: 0.4, 5: 0.4, 30: 0.4}),
        ({1: 0.4, 4: 0}, {1: 0.4, 2: 0.2, 4: 0, 9: 0}),
        ({1: 0, 4: 0.4}, {1: 0, 2: 0.2, 4: 0.4, 9: 0.4}),
        ({1: 0, 4: 0}, {1: 0, 2: 0, 9: 0}),
        ({1: 1}, {1: 1, 9: 1}),
    ],
    ids=["falls", "single", "rises", "to_zero", "from_zero", "zero", "everybody"],
)
def test_retention_between_and_beyond_the_planted_days_is_a_power_law(
    curve: dict[int, float], shares: dict[int, float]
) -> None:
    truth = RetentionTruth(curve=curve)
    assert {day: truth.share(day) for day in shares} == pytest.approx(shares)
    assert all(truth.share(day) == share for day, share in curve.items())


def test_a_planted_season_is_in_the_data() -> None:
    truth = SeasonalityTruth(weekday=[1, 1, 1, 1, 1.2, 2, 2])
    configuration = Configuration(users=1200, days=21, truths=[truth], segments={"active_user": 1.0})
    active = Counter()
    for of_user in by_user(simulated(TAXONOMY, QUIET, configuration)).values():
        for day in {at(record).date() for record in of_user}:
            active[day.weekday()] += 1
    levels = np.array([active[day] for day in range(7)]) / active[0]
    assert np.allclose(levels, [1, 1, 1, 1, 1.2, 2, 2], rtol=0.12)


def test_an_impossible_truth_is_reported() -> None:
    for truth, why in (
        (ConversionTruth(from_event="buy", to_event="view", rate=0.5), "no sequence of the rules has view after buy"),
        (ConversionTruth(from_event="view", to_event="cancel", rate=0.5), "at most 20% can reach it"),
        (ConversionTruth(from_event="earn", to_event="spend", rate=0.5), "no sequence"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            blueprint(TAXONOMY, RULES, Configuration(truths=[truth]))


def test_retention_and_sessions_are_shaped_like_those_of_a_real_game(realdata: Path) -> None:
    real = pl.read_csv(realdata / "mmo" / "cookie_cats.csv.gz")
    share = {1: real["retention_1"].mean(), 7: real["retention_7"].mean()}
    truth = RetentionTruth(curve={1: share[1], 7: share[7]})
    configuration = Configuration(
        users=900, days=12, truths=[truth], segments={"new_user": 1.0}, sign_up_share_in_run=1.0, seed=1
    )
    busy = SegmentAnalysis(
        activity=Activity(daily_probability=0.5, events_per_session=6), event_probabilities={"view": 1.0}
    )
    rules = QUIET.model_copy(update={"segment_analysis": dict.fromkeys(SEGMENTS, busy)})
    found = by_user(simulated(TAXONOMY, rules, configuration))
    for days in (1, 7):
        signed_up = [u for u in found.values() if (at(u[0]).date() - configuration.start).days + days < 12]
        back = [u for u in signed_up if any((at(r).date() - at(u[0]).date()).days == days for r in u)]
        # The interval of the real game's own share, for as many players as were simulated.
        assert near(len(back), len(signed_up), share[days])
    rounds = real["sum_gamerounds"].filter(real["sum_gamerounds"] < 10_000)
    views = pl.Series([sum(r.get("#event_name") == "view" for r in u) for u in found.values()])
    for series in (rounds, views):
        # Play is very unequal: the busiest tenth plays half of it all or nearly so, the median a fraction of the mean.
        top = series.sort(descending=True).head(series.len() // 10).sum() / series.sum()
        assert 0.3 < top < 0.65
        assert 0.15 < series.median() / series.mean() < 0.75
