"""Flows: what users set out to do, as tables for the simulation.

A flow is a sequence of the rules, or a single event outside sequences. Planted conversions are worked into the
probabilities of its steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gamestats_assets.demo_data.generator.columns import Array
from gamestats_assets.demo_data.rules.configuration import (
    Configuration,
    ConfigurationError,
    ConversionTruth,
    ExperimentTruth,
)
from gamestats_assets.demo_data.rules.model import EventConstraints, LifecycleStage, Step
from gamestats_assets.demo_data.taxonomies.model import Taxonomy

_USUAL_AFTER_S = 20.0
_Pair = ConversionTruth | ExperimentTruth


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow: each step's events, weights, probability and delay."""

    name: str
    kind: str
    steps: tuple[Step, ...]

    @property
    def heads(self) -> list[str]:
        """Events that begin it."""
        return self.steps[0].events

    def span(self, truth: _Pair) -> tuple[int, int] | None:
        """Returns the steps of both events of a truth, if one leads to the other."""
        begins, ends = (
            [number for number, step in enumerate(self.steps) if event in step.events]
            for event in (truth.from_event, truth.to_event)
        )
        return (begins[0], ends[0]) if begins and ends and begins[0] < ends[0] else None


@dataclass(frozen=True, slots=True)
class FlowTables:
    """Every flow, padded to the longest: axes are flow, step, alternative.

    Attributes:
        events: event number; -1 for none.
        weights: relative weight of the alternatives.
        probability: variant, flow, step: probability of the step once the previous one has happened.
        after_s: flow, step: mean seconds since the previous step.
        needs: flow, step, alternative, door: what must have happened to a user.
        stages: flow, step, alternative: earliest stage.
        follows: flow, step, event: whether the step may come after an event.
        together: flow: number of steps that must be fully open for the flow to begin, because of a planted truth; other
            flows need one alternative of the first step.
    """

    events: Array
    weights: Array
    probability: Array
    after_s: Array
    needs: Array
    stages: Array
    follows: Array
    together: Array


def flows_of(
    taxonomy: Taxonomy, constraints: EventConstraints, fixed: set[str], configuration: Configuration
) -> tuple[Flow, ...]:
    """Returns the rules' sequences without events at fixed places, and every other event as a flow of its own.

    Raises:
        ConfigurationError: when no sequence leads from one event of a planted conversion to the other.
    """
    sequences = [Flow(each.name, each.kind, _expanded(each.steps, fixed)) for each in constraints.sequences]
    found = [flow for flow in sequences if flow.steps]
    in_flows = {event for flow in found for step in flow.steps for event in step.events}
    in_flows |= {*fixed, *constraints.not_of_users}
    found += [Flow(name, "sequence", (Step(events=[name]),)) for name in taxonomy.event_names() if name not in in_flows]
    for truth in _pairs(configuration):
        found = _without_strays(found, truth)
    return tuple(found)


def _expanded(steps: Sequence[Step], fixed: set[str]) -> tuple[Step, ...]:
    """Returns steps with repeats written out, without steps whose events all have fixed places."""
    found: list[Step] = []
    for step in steps:
        weights = step.weights or [1.0] * len(step.events)
        kept = {event: weight for event, weight in zip(step.events, weights, strict=True) if event not in fixed}
        if not kept:
            continue
        single = Step(
            events=list(kept),
            weights=list(kept.values()) if sum(kept.values()) else [],
            probability=step.probability if found else 1,
            after_s=step.after_s,
            follows=[event for event in step.follows if event not in fixed] if found else [],
        )
        again = single.model_copy(update={"probability": step.probability, "follows": []})
        found += [single, *[again] * (step.repeats - 1)]
    return tuple(found)


def tables_of(
    flows: Sequence[Flow],
    constraints: EventConstraints,
    configuration: Configuration,
    index: Mapping[str, int],
    doors: Mapping[str, int],
) -> FlowTables:
    """Returns the tables of flows.

    Args:
        index: number of each event.
        doors: number of each event that others need.

    Raises:
        ConfigurationError: when a truth cannot be planted.
    """
    steps = max((len(flow.steps) for flow in flows), default=1)
    width = max((len(step.events) for flow in flows for step in flow.steps), default=1)
    count = max(len(flows), 1)
    tables = FlowTables(
        events=np.full((count, steps, width), -1, np.int64),
        weights=np.zeros((count, steps, width)),
        probability=np.zeros((2, count, steps)),
        after_s=np.full((count, steps), _USUAL_AFTER_S),
        needs=np.zeros((count, steps, width, len(doors)), bool),
        stages=np.zeros((count, steps, width), np.int64),
        follows=np.ones((count, steps, len(index)), bool),
        together=np.zeros(count, np.int64),
    )
    for f, flow in enumerate(flows):
        given: set[str] = set()
        for s, step in enumerate(flow.steps):
            tables.probability[:, f, s] = step.probability
            tables.after_s[f, s] = step.after_s
            if step.follows:
                tables.follows[f, s] = np.isin(np.arange(len(index)), [index[name] for name in step.follows])
            given |= set(step.follows) if len(step.follows) == 1 else set()
            for a, name in enumerate(step.events):
                tables.events[f, s, a] = index[name]
                tables.weights[f, s, a] = step.weights[a] if step.weights else 1.0
                tables.stages[f, s, a] = constraints.lifecycle.get(name, LifecycleStage.INSTALLED).rank
                # Doors that an earlier step of the flow surely opens are not required.
                needed = [doors[before] for before in constraints.prerequisites.get(name, ()) if before not in given]
                tables.needs[f, s, a, needed] = True
            given |= set(step.events) if len(step.events) == 1 else set()
        _plant_all(flow, _pairs(configuration), tables.probability[:, f], tables.together[f : f + 1])
    return tables


# --------------------------------------------------------------------------- planted conversions


def _pairs(configuration: Configuration) -> list[_Pair]:
    return [truth for truth in configuration.truths if isinstance(truth, ConversionTruth | ExperimentTruth)]


def _impossible(truth: _Pair, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The planted {truth.kind} from {truth.from_event} to {truth.to_event} is impossible: {why}"
    )


def _without_strays(flows: Sequence[Flow], truth: _Pair) -> list[Flow]:
    """Returns flows in which the first event of a truth leads to the second, and no other step has either of them."""
    if not any(flow.span(truth) for flow in flows):
        raise _impossible(
            truth,
            f"no sequence of the rules has {truth.to_event} after {truth.from_event}. "
            "Name two events of one sequence, or put one into the rules.",
        )
    planted = {truth.from_event, truth.to_event}
    kept: list[Flow] = []
    for flow in flows:
        stray = next((n for n, step in enumerate(flow.steps) if planted & set(step.events)), len(flow.steps))
        kept.append(flow if flow.span(truth) else replace(flow, steps=flow.steps[:stray]))
    return [flow for flow in kept if flow.steps]


def _plant_all(flow: Flow, truths: Sequence[_Pair], probability: Array, together: Array) -> None:
    """Plants every truth that fits into a flow, in steps of its own."""
    planted: set[int] = set()
    for truth in truths:
        span = flow.span(truth)
        if span is None:
            continue
        own = set(range(span[0] + 1, span[1] + 1))
        if own & planted:
            raise ConfigurationError(
                f"The planted {truth.kind} from {truth.from_event} to {truth.to_event} shares steps of the "
                f"sequence {flow.name!r} with another planted truth. Plant them in steps of their own."
            )
        planted |= own
        _plant(truth, flow, span, probability)
        together[:] = np.maximum(together, span[1] + 1)


def _plant(truth: _Pair, flow: Flow, span: tuple[int, int], probability: Array) -> None:
    """Makes the steps between a truth's two events lead to the second at exactly the planted rate."""
    begin, end = span
    if any(sum(name in step.events for step in flow.steps) > 1 for name in (truth.from_event, truth.to_event)):
        raise _impossible(
            truth,
            f"in the sequence {flow.name!r} one of them is in several steps. Plant it between events that are "
            "in one step each.",
        )
    share = _share_that_can_reach(truth, flow, span)
    rates = (truth.rate_a, truth.rate_b) if isinstance(truth, ExperimentTruth) else (truth.rate, truth.rate)
    for variant, rate in enumerate(rates):
        if rate > share:
            raise _impossible(
                truth,
                f"in the sequence {flow.name!r} at most {share:.0%} can reach it, because its steps have other "
                "outcomes.",
            )
        steps = probability[variant, begin + 1 : end + 1]
        product, wanted = float(np.prod(steps)), min(rate / share, 1.0) if rate else 0.0
        if 0 < product < 1 and wanted > 0:
            steps **= math.log(wanted) / math.log(product)
        else:
            steps[:] = 1
            steps[-1] = wanted


def _share_that_can_reach(truth: _Pair, flow: Flow, span: tuple[int, int]) -> float:
    """Returns the share of those at the first event who reach the second if all go on."""
    at = {truth.from_event: 1.0}
    for step in flow.steps[span[0] + 1 : span[1] + 1]:
        going = sum(share for event, share in at.items() if not step.follows or event in step.follows)
        weights = step.weights or [1.0] * len(step.events)
        at = {event: going * weight / sum(weights) for event, weight in zip(step.events, weights, strict=True)}
    return at[truth.to_event]
