"""The sensor of each game: it requests what is behind, in the order in which tables are made from each other.

A look that finds nothing new is cheap (see `freshness`): the cursor holds the heads of the Delta logs, the numbers of
`ops.changes` and the times of the landing zone's folders, and while these are the same, and nothing waits, nothing else
is read. What is behind is requested kind by kind of partitions, days before what is made of all days, with everything
of that kind that follows; a later look finds what has become behind by that.

A range of partitions is asked for again when its run failed, with growing waits (`requests`), and never while a run
for the same partitions is on its way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from gamestats_assets.lakehouse.ledger import WHOLE, combined_hash
from gamestats_assets.lakehouse.ops import migrate, versions
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.behind import Behind, Stage, behind_of, kind_of
from gamestats_assets.orchestration.freshness import Look
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.partitions import has_days
from gamestats_assets.orchestration.requests import (
    FOLLOWING_PRIORITY,
    REQUESTED_BY_TAG,
    UNFINISHED,
    due_attempt,
    has_ended,
    lots_of,
    partitions_of_run,
    partitions_tags,
    request,
)

KIND_TAG = "gamestats/kind"
"""Of a run: what its partitions are, such as `day` or `season`."""
ASKED_TAG = "gamestats/asked_for"
"""Of a run: what somebody asked for by its number. Asked for anew it is made, whatever became of it before."""
EVERY_S = 20
# How soon to look again at what is behind and must wait.
_LOOK_AGAIN_S = 60
# Runs requested in one tick; the rest is found by the next.
_REQUESTS_PER_TICK = 25

Lot = tuple[Sequence[str], Mapping[str, str]]
"""Partitions that are asked for together, and the tags of their runs."""
Lots = Callable[[Look, str, Sequence[str]], Iterable[Lot]]
"""Divides the partitions of a kind that are behind: by priority, for example."""


def sensor_name(game: str) -> str:
    """Name of a game's sensor."""
    return f"{game}_behind"


def behind_sensor(
    game: Game,
    *,
    lots: Lots = lambda look, kind, keys: [(keys, {})],
    rests_s: Mapping[str, float] | None = None,
    before: Callable[[Stores], None] = lambda stores: None,
) -> dg.SensorDefinition:
    """The sensor of a game.

    Args:
        lots: divides what is behind, and says how urgent it is.
        rests_s: by kind of partitions, seconds after which it is asked for again at the earliest: what patches are made
            of grows all the time.
        before: done before each look at something new.
    """

    @dg.sensor(
        name=sensor_name(game.name),
        # Of the assets themselves, as commands make them: what jobs there are the daemon reads anew each minute.
        asset_selection=[key for node in game.nodes for key in node.keys],
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests every table that is not as its inputs would make it now: because files landed, somebody "
        "entered something, another table has other rows, or the code is another.",
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        state: dict[str, Any] = json.loads(context.cursor) if context.cursor else {}
        heads = _heads(game, stores)
        if state.get("heads") == heads and state.get("again_at", float("inf")) > time.time():
            return dg.SensorResult(skip_reason="Nothing has changed.", cursor=context.cursor)
        before(stores)
        look = Look(stores, game.graph)
        found = behind_of(game, look)
        found.add_names(context.instance)
        rested = {
            kind: at
            for kind, at in state.get("asked_at", {}).items()
            if time.time() - at < (rests_s or {}).get(kind, 0)
        }
        requests = _requests(context.instance, game, look, found, lots, rested)
        asked = {request.tags[KIND_TAG] for request in requests}
        state = {"heads": heads, "asked_at": {**rested, **dict.fromkeys(sorted(asked), time.time())}}
        if not found.is_empty:
            state["again_at"] = time.time() + (EVERY_S if requests else _LOOK_AGAIN_S)
        return dg.SensorResult(
            run_requests=requests,
            cursor=json.dumps(state, sort_keys=True),
            skip_reason=None if requests else found.why_nothing(),
        )

    return sensor


def _heads(game: Game, stores: Stores) -> str:
    """Another text whenever something may have become behind."""
    url, landing = stores.postgres_url, stores.landing
    entered = versions(url)
    if not entered:
        migrate(url)
    places = [game.name, *(f"{game.name}/{area}" for area in landing.areas(game.name))]
    folders = (f"{place}/{day} {landing.changed_at(place, day)}" for place in places for day in landing.days(place))
    undated = (f"{game.name}/{kind} {landing.changed_at(game.name, kind)}" for kind in landing.undated_kinds(game.name))
    tables = (f"{table.spec.key} {stores.lake.version(table)}" for table in game.tables)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return combined_hash(
        [*tables, *folders, *undated, *(f"{name} {number}" for name, number in entered.items()), today]
    )


def _requests(
    instance: dg.DagsterInstance, game: Game, look: Look, found: Behind, lots: Lots, rested: Collection[str]
) -> list[dg.RunRequest]:
    """Runs for the first kind of partitions of which something can be asked for."""
    name = sensor_name(game.name)
    going = instance.get_runs(dg.RunsFilter(tags={REQUESTED_BY_TAG: name}, statuses=UNFINISHED))
    requests: list[dg.RunRequest] = []
    for stage in found.stages():
        kind = kind_of(stage.partitions)
        if kind in rested:
            continue
        of_kind = [run for run in going if run.tags.get(KIND_TAG) == kind]
        busy = {key for run in of_kind for key in partitions_of_run(run) or [WHOLE]}
        keys = [key for key in stage.keys if key not in busy]
        for some, tags in lots(look, kind, keys) if keys else ():
            tagged = {"dagster/priority": FOLLOWING_PRIORITY, REQUESTED_BY_TAG: name, KIND_TAG: kind, **tags}
            for part, reason in _parts(instance, game, stage, some, tags.get(ASKED_TAG, "")):
                attempt = due_attempt(instance, reason)
                if attempt is not None and len(requests) < _REQUESTS_PER_TICK:
                    requests.append(
                        request(
                            reason,
                            attempt,
                            tags={**tagged, **partitions_tags(part)},
                            partition_key=part[0] or None,
                            asset_selection=[*stage.assets],
                        )
                    )
        if requests or of_kind:
            # What comes later waits for these.
            return requests
    return requests


def _parts(
    instance: dg.DagsterInstance, game: Game, stage: Stage, keys: Sequence[str], asked_for: str
) -> list[tuple[Sequence[str], str]]:
    """Partitions of a run each, and the reason to make them; names whose run ended without them are made one by one.

    What is wrong with one player must not hold up the others.
    """

    def reason_of(part: Sequence[str]) -> str:
        return f"{game.name} {kind_of(stage.partitions)} {stage.work(part)} {asked_for}".rstrip()

    parts: list[Sequence[str]] = []
    for part in lots_of(keys):
        is_by_name = stage.partitions is not None and not has_days(stage.partitions)
        alone = is_by_name and len(part) > 1 and has_ended(instance, reason_of(part))
        parts += [[key] for key in part] if alone else [part]
    return [(part, reason_of(part)) for part in parts]
