"""The sensor that requests everything that is behind in each game, upstream tables first.

A tick that finds nothing new is cheap: the cursor is a hash of the heads of the Delta logs, the numbers of
`ops.changes` and the times of the landing zone's folders. While it stays the same and nothing waits, the sensor reads
nothing else. A tick that finds nothing then waits for a while, and examines games at once if PostgreSQL reports an
entry or a landed file, or if a run that it requested ends.

The sensor requests one kind of partitions after another: days come before tables made from all days, together with
everything downstream of the same kind. The tick after these runs finds what they have put behind. Snapshots of entered
data are taken in the tick itself.

A group of partitions is requested again, after growing waits, if its run failed (see `run_requests`), and never while a
run for the same partitions is on its way.

An error in one game does not hold up the others: it goes to the tick's log, and the tick fails only if it requests
nothing for other games.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from gamestats_assets.lakehouse.delta.ledger import WHOLE, combined_hash
from gamestats_assets.lakehouse.entries.jobs import is_at_work
from gamestats_assets.lakehouse.entries.ops import Changes, migrate, versions
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.partitions import has_days
from gamestats_assets.orchestration.run_requests import (
    FOLLOWING_PRIORITY,
    REQUESTED_BY_TAG,
    UNFINISHED,
    due_attempt,
    has_ended,
    partitions_of_run,
    partitions_tags,
    request,
    run_groups,
)
from gamestats_assets.orchestration.runs.behind import Behind, Stage, behind_of, partition_kind
from gamestats_assets.orchestration.runs.instance import run_job_here

KIND_TAG = "gamestats/kind"
"""Tag with the kind of a run's partitions, such as `day` or `season`."""
ASKED_TAG = "gamestats/asked_for"
"""Tag with the number of a person's request. A new request is carried out whatever the result of earlier ones."""
SENSOR = "behind"
EVERY_S = 20
WAITS_S = 15.0
"""Seconds that a tick with nothing to do waits for a change; with Dagster's pause after it, less than `EVERY_S`."""
_RUNS_LOOKED_AT_EVERY_S = 0.5
# Pause between the daemon's rounds over its sensors.
_DAGSTERS_PAUSE_S = 5
# Time until a game is examined again if something is behind and must wait.
_LOOK_AGAIN_S = 60
# Longest time for which the sensor leaves a game to busy workers, since they do not make everything.
_LEFT_TO_WORKERS_S = 300
# Dagster gives a tick up after 60 s; the next tick looks at the remaining games.
_PATIENCE_S = 20.0
# Most runs of a game requested in one tick; the next tick finds the rest.
_REQUESTS_PER_TICK = 25

PartitionGroup = tuple[Sequence[str], Mapping[str, str]]
"""Partitions that are requested together, and the tags of their runs."""
Divide = Callable[[Snapshot, str, Sequence[str]], Iterable[PartitionGroup]]
"""Divides partitions that are behind into groups, for example by priority."""


@dataclass(frozen=True)
class WatchedGame:
    """A game that the sensor watches, with the rules of its requests.

    Attributes:
        game: the game.
        divide: divides the partitions of a kind into groups with tags, such as their priority.
        rests_s: by kind of partitions, least seconds between two requests. Inputs of patches, for example, grow all the
            time.
        before: called before a changed game is examined.
    """

    game: Game
    divide: Divide = lambda snapshot, kind, keys: [(keys, {})]
    rests_s: Mapping[str, float] = field(default_factory=dict)
    before: Callable[[Stores, dg.DagsterInstance], None] = lambda stores, instance: None


def behind_sensor(games: Sequence[WatchedGame], waits_s: float = 0) -> dg.SensorDefinition:
    """The sensor of these games: one for all, since a tick costs Dagster more than a snapshot that finds nothing new.

    Args:
        games: the games to watch.
        waits_s: seconds that a tick with nothing to do waits for a change.
    """

    @dg.sensor(
        name=SENSOR,
        # Assets rather than jobs, because the daemon reloads all jobs every minute.
        asset_selection=[key for each in games for node in each.game.nodes for key in node.keys],
        minimum_interval_seconds=max(1, round(EVERY_S - waits_s - _DAGSTERS_PAUSE_S)) if waits_s else EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests every table that its inputs would now make differently, because files landed, a person "
        "entered something, rows of another table changed, or the code changed.",
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        states: dict[str, Any] = json.loads(context.cursor) if context.cursor else {}
        with Changes(stores.postgres_url) as changes:
            requests, messages = _examine_all(context, stores, games, states)
            if not requests and waits_s and _something_changes(context.instance, games, changes, waits_s):
                requests, messages = _examine_all(context, stores, games, states)
        return dg.SensorResult(
            run_requests=requests,
            cursor=json.dumps(states, sort_keys=True),
            skip_reason=None if requests else " ".join(messages) or "Nothing has changed.",
        )

    return sensor


def _something_changes(
    instance: dg.DagsterInstance, games: Sequence[WatchedGame], changes: Changes, seconds: float
) -> bool:
    """Waits for a change or for the end of a requested run, and returns whether one came in time."""
    names = [requested_by(each.game) for each in games]

    def running() -> set[str]:
        return {
            run.run_id for run in instance.get_runs(dg.RunsFilter(tags={REQUESTED_BY_TAG: names}, statuses=UNFINISHED))
        }

    before, until = running(), time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if changes.came_within(min(left, _RUNS_LOOKED_AT_EVERY_S) if before else left) or before - running():
            return True
    return False


def _examine_all(
    context: dg.SensorEvaluationContext, stores: Stores, games: Sequence[WatchedGame], states: dict[str, Any]
) -> tuple[list[dg.RunRequest], list[str]]:
    """Returns the runs to request, and messages on games where something changed. Updates `states`.

    Raises:
        Exception: the error of a game, if nothing is requested for others.
    """
    deadline = time.monotonic() + _PATIENCE_S
    requests: list[dg.RunRequest] = []
    messages: list[str] = []
    failed: list[Exception] = []
    # Games that the last tick had no time for come first.
    for each in sorted(games, key=lambda each: states.get(each.game.name, {}).get("looked_at", 0)):
        name = each.game.name
        try:
            heads, state = _heads(each.game, stores), states.get(name, {})
            if state.get("heads") == heads and state.get("again_at", float("inf")) > time.time():
                continue
            if _is_left_to_workers(stores, name, state):
                states[name] = {"left_since": time.time(), **state}
                messages.append(f"{name}: a worker is at it.")
                continue
            states[name], new_requests, why = _examine_game(context, stores, each, heads, state)
        except Exception as error:  # noqa: BLE001 (one game must not hold up the others)
            context.log.warning(f"{name} cannot be looked at: {error}")
            failed.append(error)
            continue
        requests += new_requests
        messages.append(f"{name}: {why}")
        if time.monotonic() > deadline:
            break
    if failed and not requests:
        # A failing tick can request nothing, and loses its cursor.
        raise failed[0]
    return requests, messages


def _is_left_to_workers(stores: Stores, name: str, state: Mapping[str, Any]) -> bool:
    """Whether a worker is updating a game, so that runs would repeat its work. True for a while only."""
    return time.time() - state.get("left_since", time.time()) < _LEFT_TO_WORKERS_S and is_at_work(
        stores.postgres_url, name
    )


def requested_by(game: Game) -> str:
    """The sensor's name in the tags of the runs that it requests for a game."""
    return f"{game.name}_{SENSOR}"


def _examine_game(
    context: dg.SensorEvaluationContext, stores: Stores, watched_game: WatchedGame, heads: str, state: Mapping[str, Any]
) -> tuple[dict[str, Any], list[dg.RunRequest], str]:
    """Returns a game's state for the cursor, the runs to request, and an explanation if there are none."""
    instance = context.instance
    watched_game.before(stores, instance)
    snapshot = Snapshot(stores, watched_game.game.graph)
    behind = behind_of(watched_game.game, snapshot)
    behind.add_names(instance)
    now = time.time()
    resting = {
        kind: at for kind, at in state.get("asked_at", {}).items() if now - at < watched_game.rests_s.get(kind, 0)
    }
    requests = _requests(instance, watched_game, snapshot, behind, resting)
    if _made_here(context, watched_game.game, requests):
        return _examine_game(context, stores, watched_game, heads, state)
    asked_at = {request.tags[KIND_TAG]: now for request in requests}
    seen = {"heads": heads, "looked_at": now, "asked_at": {**resting, **asked_at}}
    if not behind.is_empty:
        seen["again_at"] = now + (EVERY_S if requests else _LOOK_AGAIN_S)
    return seen, requests, behind.why_nothing()


def _made_here(context: dg.SensorEvaluationContext, game: Game, requests: Sequence[dg.RunRequest]) -> bool:
    """Takes snapshots of entered data at once, if nothing else is to be requested; returns whether it did.

    Copying these few rows takes less time than starting a process for it.
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
    """A hash that changes whenever something may have become behind."""
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
    instance: dg.DagsterInstance,
    watched_game: WatchedGame,
    snapshot: Snapshot,
    behind: Behind,
    resting: Collection[str],
) -> list[dg.RunRequest]:
    """Runs for the first kind of partitions for which something can be requested."""
    name = requested_by(watched_game.game)
    running = instance.get_runs(dg.RunsFilter(tags={REQUESTED_BY_TAG: name}, statuses=UNFINISHED))
    requests: list[dg.RunRequest] = []
    for stage in behind.stages():
        kind = partition_kind(stage.partitions)
        if kind in resting:
            continue
        runs_of_kind = [run for run in running if run.tags.get(KIND_TAG) == kind]
        busy = {key for run in runs_of_kind for key in partitions_of_run(run) or [WHOLE]}
        keys = [key for key in stage.keys if key not in busy]
        for group, tags in watched_game.divide(snapshot, kind, keys) if keys else ():
            tagged = {"dagster/priority": FOLLOWING_PRIORITY, REQUESTED_BY_TAG: name, KIND_TAG: kind, **tags}
            for part, reason in _runs_of_stage(instance, watched_game.game, stage, group, tags.get(ASKED_TAG, "")):
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
        if requests or runs_of_kind:
            # Later stages wait for these.
            return requests
    return requests


def _runs_of_stage(
    instance: dg.DagsterInstance, game: Game, stage: Stage, keys: Sequence[str], asked_for: str
) -> list[tuple[Sequence[str], str]]:
    """Divides partitions into runs and gives the reason of each.

    If a run of names has ended without making them, each name gets its own run: an error in one player must not hold
    up the others.
    """

    def reason_of(part: Sequence[str]) -> str:
        return f"{game.name} {partition_kind(stage.partitions)} {stage.work(part)} {asked_for}".rstrip()

    parts: list[Sequence[str]] = []
    for part in run_groups(keys):
        is_by_name = stage.partitions is not None and not has_days(stage.partitions)
        alone = is_by_name and len(part) > 1 and has_ended(instance, reason_of(part))
        parts += [[key] for key in part] if alone else [part]
    return [(part, reason_of(part)) for part in parts]
