"""When assets run by themselves: named conditions, and the sensor that evaluates them."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from gamestats_assets.orchestration.requests import FOLLOWING_PRIORITY

# As `eager`, but for every day and not only the latest one: matches arrive for old days too.
# Level-triggered on success only: a failed partition waits for new input or for a person.
ON_CHECKED_INPUTS = (
    dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window())
    & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("when checked inputs change")

# For a table that reads more than its own partition: most of what it could read need not be there.
ON_ANY_INPUT = (
    dg.AutomationCondition.eager()
    .without(dg.AutomationCondition.in_latest_time_window())
    .without(~dg.AutomationCondition.any_deps_missing())
    & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("when any checked input changes")

_NEVER = dg.AutomationCondition.initial_evaluation() & ~dg.AutomationCondition.initial_evaluation()
# For checks that run in the step of their table. Without any condition among an asset's checks, Dagster
# (1.13) requests those of the step alone and leaves out the checks across tables, so that whatever
# waits for blocking checks would wait for ever; with one, it adds all that have none.
WITH_ITS_ASSET = _NEVER.with_label("with its table, never by itself")


def on_inputs_of_pairs(
    wide: Sequence[dg.AssetKey], some_of: Sequence[dg.AssetKey], unasked: dg.AssetSelection | None = None
) -> dg.AutomationCondition:
    """As the conditions above, for a table by day and name, or one made from such tables.

    Most days of a name hold nothing: that a name is new requests none of them, and neither does an input that is of
    all days, unless there is something of that day.

    Args:
        wide: inputs of which more than one partition is read; of the others the one must be there.
        some_of: those of them of which something must be there.
        unasked: inputs whose change requests nothing.
    """
    missing = dg.AutomationCondition.any_deps_missing()
    condition = (
        dg.AutomationCondition.eager()
        .without(dg.AutomationCondition.in_latest_time_window())
        .replace(dg.AutomationCondition.newly_missing(), _NEVER)
    )
    if wide:
        condition = condition.without(~missing) & ~missing.ignore(dg.AssetSelection.assets(*wide))
    if some_of:
        there = dg.AutomationCondition.any_deps_match(~dg.AutomationCondition.missing())
        condition &= there.allow(dg.AssetSelection.assets(*some_of))
    condition &= dg.AutomationCondition.all_deps_blocking_checks_passed()
    condition = condition.ignore(unasked) if unasked is not None else condition
    return condition.with_label("when any checked input changes" if wide else "when checked inputs change")


def automation_sensor(name: str, target: dg.AssetSelection) -> dg.AutomationConditionSensorDefinition:
    """The sensor that requests what the conditions of `target` ask for."""
    return dg.AutomationConditionSensorDefinition(
        name,
        target=target,
        default_status=dg.DefaultSensorStatus.RUNNING,
        # Each layer of tables takes a tick, for its checks must have passed before the next is asked for.
        minimum_interval_seconds=10,
        run_tags={"dagster/priority": FOLLOWING_PRIORITY},
        description="Requests every table whose inputs changed and passed their blocking checks.",
    )
