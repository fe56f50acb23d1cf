"""The sensor that requests what is behind of each game, in the order in which tables are made from each other.

A look that finds nothing new is cheap (see `freshness`): the cursor holds the heads of the Delta logs, the numbers of
`ops.changes` and the times of the landing zone's folders, and while these are the same, and nothing waits, nothing else
is read. A tick that finds nothing waits for a while: PostgreSQL tells it when somebody entered something or files
landed, and it sees when a run ends that it asked for; then it looks again at once.

What is behind is requested kind by kind of partitions, days before what is made of all days, with everything of that
kind that follows; the look after their end finds what has become behind by that. Snapshots of what people entered
are made by the tick itself.

A range of partitions is asked for again when its run failed, with growing waits (`requests`), and never while a run
for the same partitions is on its way.

What is wrong with one game holds up no other: its error stands in the tick's log, and the tick has failed unless it
requests something of others.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from gamestats_assets.lakehouse.jobs import is_at_work
from gamestats_assets.lakehouse.ledger import WHOLE, combined_hash
from gamestats_assets.lakehouse.ops import Changes, migrate, versions
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.behind import Behind, Stage, behind_of, kind_of
from gamestats_assets.orchestration.freshness import Look
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.instance import run_job_here
from gamestats_assets.orchestration.metadata import asset_key, publication_key
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
SENSOR = "behind"
EVERY_S = 20
WAITS_S = 15.0
"""How long a tick with nothing to do waits for a change: with Dagster's pause after it, less than `EVERY_S`."""
_RUNS_LOOKED_AT_EVERY_S = 0.5
# Between two rounds of the daemon over its sensors.
_DAGSTERS_PAUSE_S = 5
# How soon to look again at what is behind and must wait.
_LOOK_AGAIN_S = 60
# While workers are at a game all the time, what they do not make is made after so long all the same.
_LEFT_TO_WORKERS_S = 300
# Dagster gives a tick up after 60 s: games whose turn has not come by then are looked at by the next.
_PATIENCE_S = 20.0
# Runs of a game requested in one tick; the rest is found by the next.
_REQUESTS_PER_TICK = 25

Lot = tuple[Sequence[str], Mapping[str, str]]
"""Partitions that are asked for together, and the tags of their runs."""
Lots = Callable[[Look, str, Sequence[str]], Iterable[Lot]]
"""Divides the partitions of a kind that are behind: by priority, for example."""


@dataclass(frozen=True)
class Watched:
    """A game that the sensor looks at, and how what is behind of it is asked for.

    Attributes:
        game: the game.
        lots: divides what is behind, and says how urgent it is.
        rests_s: by kind of partitions, seconds after which it is asked for again at the earliest: what patches are made
            of grows all the time.
        before: done before each look at something new.
    """

    game: Game
    lots: Lots = lambda look, kind, keys: [(keys, {})]
    rests_s: Mapping[str, float] = field(default_factory=dict)
    before: Callable[[Stores, dg.DagsterInstance], None] = lambda stores, instance: None


def behind_sensor(games: Sequence[Watched], waits_s: float = 0) -> dg.SensorDefinition:
    """The sensor of these games. One for all of them: a tick takes Dagster longer than a look at nothing new.

    Args:
        waits_s: how long a tick that finds nothing to do waits for a change.
    """

    @dg.sensor(
        name=SENSOR,
        # Of the assets themselves, as commands make them: what jobs there are the daemon reads anew each minute.
        asset_selection=[key for each in games for node in each.game.nodes for key in node.keys],
        minimum_interval_seconds=max(1, round(EVERY_S - waits_s - _DAGSTERS_PAUSE_S)) if waits_s else EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests every table that is not as its inputs would make it now: because files landed, somebody "
        "entered something, another table has other rows, or the code is another.",
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        states: dict[str, Any] = json.loads(context.cursor) if context.cursor else {}
        with Changes(stores.postgres_url) as changes:
            requests, said = _look_at_all(context, stores, games, states)
            if not requests and waits_s and _something_changes(context.instance, games, changes, waits_s):
                requests, said = _look_at_all(context, stores, games, states)
        return dg.SensorResult(
            run_requests=requests,
            cursor=json.dumps(states, sort_keys=True),
            skip_reason=None if requests else " ".join(said) or "Nothing has changed.",
        )

    return sensor


def _something_changes(
    instance: dg.DagsterInstance, games: Sequence[Watched], changes: Changes, seconds: float
) -> bool:
    """Wait for a change, or for the end of a run that was asked for; whether there was one in time."""
    names = [requested_by(each.game) for each in games]

    def going() -> set[str]:
        return {
            run.run_id for run in instance.get_runs(dg.RunsFilter(tags={REQUESTED_BY_TAG: names}, statuses=UNFINISHED))
        }

    before, until = going(), time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if changes.came_within(min(left, _RUNS_LOOKED_AT_EVERY_S) if before else left) or before - going():
            return True
    return False


def _look_at_all(
    context: dg.SensorEvaluationContext, stores: Stores, games: Sequence[Watched], states: dict[str, Any]
) -> tuple[list[dg.RunRequest], list[str]]:
    """Runs to request, and what is to be said of games where something changed; what was seen goes to the states.

    Raises:
        Exception: what is wrong with one game, where nothing is requested of others.
    """
    deadline = time.monotonic() + _PATIENCE_S
    requests: list[dg.RunRequest] = []
    said: list[str] = []
    failed: list[Exception] = []
    # What there was no time for comes first.
    for each in sorted(games, key=lambda each: states.get(each.game.name, {}).get("looked_at", 0)):
        name = each.game.name
        try:
            heads, state = _heads(each.game, stores), states.get(name, {})
            if state.get("heads") == heads and state.get("again_at", float("inf")) > time.time():
                continue
            if _is_left_to_workers(stores, name, state):
                states[name] = {"left_since": time.time(), **state}
                said.append(f"{name}: a worker is at it.")
                continue
            states[name], asked, why = _look(context, stores, each, heads, state)
        except Exception as error:  # noqa: BLE001 (the others are looked at all the same)
            context.log.warning(f"{name} cannot be looked at: {error}")
            failed.append(error)
            continue
        requests += asked
        said.append(f"{name}: {why}")
        if time.monotonic() > deadline:
            break
    if failed and not requests:
        # A tick that fails requests nothing, and forgets what was seen.
        raise failed[0]
    return requests, said


def _is_left_to_workers(stores: Stores, name: str, state: Mapping[str, Any]) -> bool:
    """Whether a worker makes what is behind of a game just now: it would be made twice. Not for ever: there is more."""
    return time.time() - state.get("left_since", time.time()) < _LEFT_TO_WORKERS_S and is_at_work(
        stores.postgres_url, name
    )


def requested_by(game: Game) -> str:
    """Names the sensor in the tags of the runs that it asks for of a game."""
    return f"{game.name}_{SENSOR}"


def _look(
    context: dg.SensorEvaluationContext, stores: Stores, watched: Watched, heads: str, state: Mapping[str, Any]
) -> tuple[dict[str, Any], list[dg.RunRequest], str]:
    """What to remember of a look at a game, the runs to request, and why it is no more."""
    instance = context.instance
    watched.before(stores, instance)
    look = Look(stores, watched.game.graph)
    found = behind_of(watched.game, look)
    found.add_names(instance)
    now = time.time()
    rested = {kind: at for kind, at in state.get("asked_at", {}).items() if now - at < watched.rests_s.get(kind, 0)}
    requests = _requests(instance, watched, look, found, rested)
    if _made_here(context, watched.game, requests):
        return _look(context, stores, watched, heads, state)
    asked = {request.tags[KIND_TAG]: now for request in requests}
    seen = {"heads": heads, "looked_at": now, "asked_at": {**rested, **asked}}
    if not found.is_empty:
        seen["again_at"] = now + (EVERY_S if requests else _LOOK_AGAIN_S)
    return seen, requests, found.why_nothing()


def _made_here(context: dg.SensorEvaluationContext, game: Game, requests: Sequence[dg.RunRequest]) -> bool:
    """Take up what people entered at once, if that is all there is to request: whether it was done.

    It is a copy of some rows, which a process of its own needs less time for than for its start.
    """
    snapshots = {key for table in game.snapshots for key in (asset_key(table), publication_key(table))}
    if not requests or any(request.partition_key or not snapshots.issuperset(_keys(request)) for request in requests):
        return False
    job = context.repository_def.get_implicit_global_asset_job_def() if context.repository_def else None
    return job is not None and all(
        run_job_here(job, context.instance, _keys(request), tags=request.tags, log_level="CRITICAL").success
        for request in requests
    )


def _keys(request: dg.RunRequest) -> list[dg.AssetKey]:
    return [*(request.asset_selection or ())]


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
    instance: dg.DagsterInstance, watched: Watched, look: Look, found: Behind, rested: Collection[str]
) -> list[dg.RunRequest]:
    """Runs for the first kind of partitions of which something can be asked for."""
    name = requested_by(watched.game)
    going = instance.get_runs(dg.RunsFilter(tags={REQUESTED_BY_TAG: name}, statuses=UNFINISHED))
    requests: list[dg.RunRequest] = []
    for stage in found.stages():
        kind = kind_of(stage.partitions)
        if kind in rested:
            continue
        of_kind = [run for run in going if run.tags.get(KIND_TAG) == kind]
        busy = {key for run in of_kind for key in partitions_of_run(run) or [WHOLE]}
        keys = [key for key in stage.keys if key not in busy]
        for some, tags in watched.lots(look, kind, keys) if keys else ():
            tagged = {"dagster/priority": FOLLOWING_PRIORITY, REQUESTED_BY_TAG: name, KIND_TAG: kind, **tags}
            for part, reason in _parts(instance, watched.game, stage, some, tags.get(ASKED_TAG, "")):
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
