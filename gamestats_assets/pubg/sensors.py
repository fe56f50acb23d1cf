"""Sensors of PUBG: staleness after landed files, and matches that the API lists for players."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg
import polars as pl

from gamestats_assets.apis.limits import SharedLimits
from gamestats_assets.apis.register import PollResult
from gamestats_assets.lakehouse.entries.ops import entered_rows, migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.runs.polling import TIMEOUT_S, polling_sensor
from gamestats_assets.orchestration.runs.sensor import ASKED_TAG, PartitionGroup
from gamestats_assets.pubg import tables
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.players import players
from gamestats_assets.pubg.players.backfill import DETAILS, MATCHES_TAG, note_progress
from gamestats_assets.pubg.players.tables import TRACKED_PLAYER, Backfills
from gamestats_assets.pubg.source import discovery
from gamestats_assets.pubg.source.api import Player, PubgApi, limit_in_force
from gamestats_assets.pubg.source.discovery import Finder, Plan

ARCHIVE_JOB = "archive_pubg_matches"
_NO_KEY = "PUBG_API_KEY is not set, so matches of players cannot be fetched; files can still be ingested."
_RAW = tables.RawMatches


def by_priority(snapshot: Snapshot, kind: str, keys: Sequence[str]) -> Iterator[PartitionGroup]:
    """Yields days with currently played matches first; a tracked player's history comes after everything else.

    Players who played are refreshed together with those in the same matches; backfills get runs of their own.
    """
    url = snapshot.stores.postgres_url
    if kind == "day":
        step = game().graph.steps[_RAW]
        migrate(url)
        of_priority: dict[str, list[str]] = {}
        for key in keys:
            held = snapshot.ledger(_RAW)[key].units or {}
            landed = step.unit_inputs(snapshot, key)[0] if key in step.behind(snapshot) else {}
            new = {unit for unit, made_from in landed.items() if held.get(unit, ("",))[0] != made_from}
            of_priority.setdefault(discovery.priority_of(url, new) if new else "", []).append(key)
        for priority, some in of_priority.items():
            yield some, _tags(priority) if priority else {}
    elif kind == TRACKED_PLAYER:
        lacking = players.history_wanted(snapshot.lake, keys)
        played = [key for key in keys if not lacking.get(key, (0, False))[1]]
        matches = sum(lacking[key][0] for key in played if key in lacking)
        if played:
            yield played, {**_tags("normal"), MATCHES_TAG: str(matches)}
        asked = players.backfills_asked(snapshot.lake)
        for key in (key for key in keys if key not in played):
            yield [key], {**_tags("low"), MATCHES_TAG: str(lacking[key][0]), ASKED_TAG: asked.get(key, "")}
    else:
        yield keys, {}


def look_at_players(stores: Stores, instance: dg.DagsterInstance) -> None:
    """Prepares a check for stale tracked players.

    Enters accounts of players known only by name, records the progress of backfills, and ends the runs of cancelled
    ones.
    """
    end_cancelled(stores, instance)
    note_progress(stores)
    if seen := players.accounts_seen(stores.lake):
        migrate(stores.postgres_url)
        discovery.learn_accounts(stores.postgres_url, seen)


def end_cancelled(stores: Stores, instance: dg.DagsterInstance) -> int:
    """Ends queued and active runs of cancelled backfills; returns their number."""
    tags = {"gamestats/priority": "low", **DETAILS}
    going = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    runs = instance.get_runs(dg.RunsFilter(tags=tags, statuses=going))
    if not runs:
        return 0
    backfills = entered_rows(stores.postgres_url, Backfills)
    wanted = {str(number) for number in backfills.filter(pl.col("cancelled_at").is_null())["backfill_id"]}
    ended = 0
    for run in runs:
        asked = set(filter(None, run.tags.get(ASKED_TAG, "").split(", ")))
        if asked and not asked & wanted:
            ended += bool(instance.run_coordinator.cancel_run(run.run_id))
    return ended


def _tags(priority: str) -> dict[str, str]:
    return {"dagster/priority": str(discovery.RUN_PRIORITY[priority]), "gamestats/priority": priority}


class ArchiveMatches(dg.Config):
    """Matches that a run archives."""

    match_ids: list[str]


@dg.op(
    required_resource_keys={"stores"},
    retry_policy=dg.RetryPolicy(max_retries=1, delay=30),
    description="Fetches match objects and telemetry into the landing zone, and records the result of each match in "
    "ops.matches_discovered.",
)
def archive_matches(context: dg.OpExecutionContext, config: ArchiveMatches) -> None:
    """Archives the configured matches."""
    stores: Stores = context.resources.stores
    migrate(stores.postgres_url)

    def client(shard: str) -> PubgApi:
        return PubgApi(None, stores.landing, base_url=stores.settings.pubg_api_url, shard=shard)

    fetched = discovery.archive(stores.postgres_url, client, config.match_ids)
    for match in fetched:
        context.log.info(match.line())
    context.add_output_metadata(
        {status: sum(match.status == status for match in fetched) for status in sorted({m.status for m in fetched})}
    )


@dg.job(name=ARCHIVE_JOB, description="Archives discovered PUBG matches, which the API removes after 14 days.")
def archive_pubg_matches() -> None:
    """Job with a single op."""
    archive_matches()


def tracked_player_matches() -> dg.SensorDefinition:
    """Looks for matches of all tracked players every ten minutes, at normal priority."""
    return _sensor(
        "tracked_player_matches",
        "tracked_players",
        leave=lambda plan: plan.reserved,
        description="Asks the API for the matches of every tracked player every ten minutes, and archives new ones at "
        "normal priority. It leaves the tournament's share of the API's limit free.",
    )


def tournament_matches_found() -> dg.SensorDefinition:
    """Looks for matches of the currently playing teams every minute, at high priority."""
    return _sensor(
        "tournament_matches_found",
        "tournament",
        # One call per minute is reserved for tracked players.
        leave=lambda plan: 1,
        description="While matches are scheduled, asks the API every minute for the matches of some members of each "
        "playing team, and archives new custom and competitive ones at high priority.",
    )


def _sensor(name: str, finder: Finder, *, leave: Callable[[Plan], int], description: str) -> dg.SensorDefinition:
    def poll(stores: Stores, limits: SharedLimits, deadline: float) -> PollResult[Player]:
        settings, url, now = stores.settings, stores.postgres_url, datetime.now(UTC)
        limit = limit_in_force(url, settings.pubg_requests_per_minute)
        plan = discovery.current_plan(url, now, limit=limit)

        def client(shard: str) -> PubgApi:
            return PubgApi(
                settings.pubg_api_key, stores.landing, base_url=settings.pubg_api_url, shard=shard, requests=limit,
                limits=limits.leaving(leave(plan)), timeout=TIMEOUT_S, deadline=deadline, attempts=1,
            )  # fmt: skip

        return discovery.find(url, finder, client, plan=plan, now=now, deadline=deadline)

    priority = discovery.PRIORITY[finder]
    return polling_sensor(
        name,
        ARCHIVE_JOB,
        found_noun="matches",
        game="pubg",
        unavailable_reason=lambda settings: None if settings.pubg_api_key else _NO_KEY,
        poll=poll,
        pending=lambda url, most: discovery.MATCHES.pending(url, most, priority=priority),
        run_config=lambda ids: {"ops": {"archive_matches": {"config": {"match_ids": ids}}}},
        description=description,
        fetching_needs_key=False,
        tags=_tags(priority),
    )
