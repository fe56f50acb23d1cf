"""Sensors that look for what an API lists of players, and request runs that fetch what stands in the register."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import SecretStr

from gamestats_assets.apis.finds import Found, Wanted
from gamestats_assets.apis.http import UnauthorisedError
from gamestats_assets.apis.limits import SharedLimits
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.requests import REQUESTED_BY_TAG, UNFINISHED, due_attempt, request
from gamestats_assets.settings import Settings

TICK_S = 60
"""Seconds between two ticks."""
TIMEOUT_S = 10.0
"""Seconds that an API's answer may take, for the tick has others to ask for."""
# Dagster gives a tick up after 60 s: who is not asked for by then is asked for by a later one.
_PATIENCE_S, _ASKING_S = 20.0, 40.0
_MOST_OF_A_RUN = 200


def finding_sensor(
    name: str,
    job_name: str,
    *,
    what: str,
    of: str,
    missing: Callable[[Settings], str | None],
    look: Callable[[Stores, SharedLimits, float], Found[Any]],
    wanted: Callable[[SecretStr, int], Sequence[Wanted]],
    run_config: Callable[[list[str]], Mapping[str, Any]],
    description: str,
) -> dg.SensorDefinition:
    """A sensor that looks once a minute, and requests one run at a time that fetches what is wanted.

    Args:
        name: of the sensor.
        job_name: job that fetches.
        what: is found, such as matches.
        of: the game, as the reason of a run names it.
        missing: why nobody can be asked for as things are set, such as without a key; None when somebody can.
        look: asks the API for players whose turn it is, until a time of `time.monotonic`, and enters what is new.
        wanted: so many of those that stand in the register and are to be fetched now, those found first at the front.
        run_config: of a run that fetches these ids.
        description: of the sensor.
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
        if reason := missing(stores.settings):
            return dg.SensorResult(skip_reason=reason)
        url = stores.postgres_url
        migrate(url)
        limits = SharedLimits(url, caller=name, patience=_PATIENCE_S, deadline=deadline)
        try:
            found = look(stores, limits, deadline)
        except UnauthorisedError as error:
            return dg.SensorResult(skip_reason=str(error))
        except GamestatsError as error:
            # What is in the register gets its run all the same.
            context.log.warning(str(error))
            said = [str(error)]
        else:
            said = [f"Asked for {len(found.asked)} of {found.due} players: {len(found.new)} new {what}."]
            said += [f"Nobody is called {unknown}." for unknown in found.unknown] + found.troubles
            context.log.info(" ".join(said))
        request = _request(context.instance, wanted(url, _MOST_OF_A_RUN))
        return dg.SensorResult(
            run_requests=[request] if request else [], skip_reason=None if request else " ".join(said)
        )

    def _request(instance: dg.DagsterInstance, wanted: Sequence[Wanted]) -> dg.RunRequest | None:
        """The run that fetches what is wanted; None while there is nothing to do, or one is on its way."""
        going = dg.RunsFilter(tags={REQUESTED_BY_TAG: name}, statuses=UNFINISHED)
        if not wanted or instance.get_runs_count(going):
            return None
        reason = f"{of} {what} {combined_hash(f'{each.match_id} {each.next_at.isoformat()}' for each in wanted)}"
        attempt = due_attempt(instance, reason)
        if attempt is None:
            return None
        config = run_config([each.match_id for each in wanted])
        return request(reason, attempt, run_config=config, tags={REQUESTED_BY_TAG: name})

    return sensor
