"""When assets run by themselves: named conditions, and the sensor that evaluates them."""

from __future__ import annotations

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

# For checks that run in the step of their table. Without any condition among an asset's checks, Dagster
# (1.13) requests those of the step alone and leaves out the checks across tables, so that whatever
# waits for blocking checks would wait for ever; with one, it adds all that have none.
WITH_ITS_ASSET = (
    dg.AutomationCondition.initial_evaluation() & ~dg.AutomationCondition.initial_evaluation()
).with_label("with its table, never by itself")


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
