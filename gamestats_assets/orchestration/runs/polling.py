"""Sensors that poll an API for new matches of players and request runs that fetch them."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import SecretStr

from gamestats_assets.apis.http import UnauthorisedError
from gamestats_assets.apis.limits import SharedLimits
from gamestats_assets.apis.register import PendingMatch, PollResult
from gamestats_assets.lakehouse.delta.ledger import combined_hash
from gamestats_assets.lakehouse.entries.ops import migrate
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.run_requests import REQUESTED_BY_TAG, UNFINISHED, due_attempt, request
from gamestats_assets.settings import Settings

TICK_S = 60
"""Seconds between two ticks."""
TIMEOUT_S = 10.0
"""Seconds that an API's answer may take; a tick has more players to poll."""
# Dagster gives a tick up after 60 s; a later tick polls the remaining players.
_PATIENCE_S, _ASKING_S = 20.0, 40.0
_MOST_OF_A_RUN = 200


def polling_sensor(
    name: str,
    job_name: str,
    *,
    found_noun: str,
    game: str,
    unavailable_reason: Callable[[Settings], str | None],
    poll: Callable[[Stores, SharedLimits, float], PollResult[Any]],
    pending: Callable[[SecretStr, int], Sequence[PendingMatch]],
    run_config: Callable[[list[str]], Mapping[str, Any]],
    description: str,
    fetching_needs_key: bool = True,
    tags: Mapping[str, str] | None = None,
) -> dg.SensorDefinition:
    """A sensor that polls once a minute and requests one run at a time, which fetches the found matches.

    Args:
        name: of the sensor.
        job_name: job that fetches.
        found_noun: noun for the found things, such as "matches".
        game: the game, as the reason of a run names it.
        unavailable_reason: why the settings do not allow polling, such as a missing key; None if they do.
        poll: polls the API for the players who are due, until a time of `time.monotonic`, and registers what is new.
        pending: returns at most a number of registered matches that are due to be fetched, those found first in front.
        run_config: of a run that fetches these ids.
        description: of the sensor.
        fetching_needs_key: whether registered matches cannot be fetched either if the key is missing or refused.
        tags: of runs.
    """

    @dg.sensor(
        name=name,
        job_name=job_name,
        minimum_interval_seconds=TICK_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        deadline = time.monotonic() + _ASKING_S
        reason = unavailable_reason(stores.settings)
        if reason and fetching_needs_key:
            return dg.SensorResult(skip_reason=reason)
        url = stores.postgres_url
        migrate(url)
        limits = SharedLimits(url, caller=name, patience=_PATIENCE_S, deadline=deadline)
        try:
            if reason:
                raise UnauthorisedError(reason)
            found = poll(stores, limits, deadline)
        except GamestatsError as error:
            if isinstance(error, UnauthorisedError) and fetching_needs_key:
                return dg.SensorResult(skip_reason=str(error))
            # Matches that are already registered get their run all the same.
            context.log.warning(str(error))
            messages = [str(error)]
        else:
            messages = [f"Asked for {len(found.asked)} of {found.due} players: {len(found.new)} new {found_noun}."]
            messages += [f"There is no player {unknown}." for unknown in found.unknown_names] + found.errors
            context.log.info(" ".join(messages))
        request = _request(context.instance, pending(url, _MOST_OF_A_RUN))
        return dg.SensorResult(
            run_requests=[request] if request else [], skip_reason=None if request else " ".join(messages)
        )

    def _request(instance: dg.DagsterInstance, pending: Sequence[PendingMatch]) -> dg.RunRequest | None:
        """The run that fetches pending matches; None without any, or while another run is on its way."""
        running = dg.RunsFilter(tags={REQUESTED_BY_TAG: name}, statuses=UNFINISHED)
        if not pending or instance.get_runs_count(running):
            return None
        reason = (
            f"{game} {found_noun} {combined_hash(f'{each.match_id} {each.next_at.isoformat()}' for each in pending)}"
        )
        attempt = due_attempt(instance, reason)
        if attempt is None:
            return None
        config = run_config([each.match_id for each in pending])
        return request(reason, attempt, run_config=config, tags={REQUESTED_BY_TAG: name, **(tags or {})})

    return sensor
