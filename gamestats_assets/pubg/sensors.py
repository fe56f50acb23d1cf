"""What starts PUBG work: files that landed, and matches that the API lists for players."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl
from psycopg import OperationalError
from pydantic import SecretStr

from gamestats_assets.apis.limits import SharedLimits
from gamestats_assets.lakehouse.entries.ops import entered_rows, migrate
from gamestats_assets.lakehouse.postgres.server import PostgresUnavailableError
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.runs.sensor import ASKED_TAG, PartitionGroup
from gamestats_assets.pubg import tables
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.players import players
from gamestats_assets.pubg.players.backfill import DETAILS, MATCHES_TAG, note_progress
from gamestats_assets.pubg.players.tables import TRACKED_PLAYER, Backfills
from gamestats_assets.pubg.source import discovery
from gamestats_assets.pubg.source.api import (
    PubgApi,
    RateLimitedError,
    UnauthorisedError,
    UnavailableError,
    UnreadableAnswerError,
    limit_in_force,
)
from gamestats_assets.pubg.source.discovery import Asked, Finder, Plan

ARCHIVE_JOB = "archive_pubg_matches"
# Dagster gives a tick up after 60 s: what is not asked for by then is asked for by a later one.
_PATIENCE_S = 20.0
_ASKING_S = 40.0
# A tick that is later than this makes no claims: nobody might hear of them.
_CLAIMING_S = 50.0
_TIMEOUT_S = 10.0
# What one group of players met the others would meet as well.
_BEFALLS_ALL = (RateLimitedError, UnavailableError, UnauthorisedError, PostgresUnavailableError, OperationalError)
_CLAIM_TAG = "gamestats/claim"
_RAW = tables.RawMatches


def by_priority(snapshot: Snapshot, kind: str, keys: Sequence[str]) -> Iterator[PartitionGroup]:
    """Days with matches that play now come first; a tracked player's history waits for everything else.

    Who played is refreshed together with those who stand beside; whose history is taken up, in a run of the own.
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
    """What comes before a look at what is behind of tracked players.

    Accounts are entered of whom only the name was known, it is noted how far backfills are, and the runs of those
    that were cancelled end.
    """
    end_cancelled(stores, instance)
    note_progress(stores)
    if seen := players.accounts_seen(stores.lake):
        migrate(stores.postgres_url)
        discovery.learn_accounts(stores.postgres_url, seen)


def end_cancelled(stores: Stores, instance: dg.DagsterInstance) -> int:
    """End the runs of backfills that were cancelled, queued or going; how many were."""
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


class ArchiveConfig(dg.Config):
    """Which matches a run archives."""

    shard: str
    match_ids: list[str]


@dg.op(
    required_resource_keys={"stores"},
    retry_policy=dg.RetryPolicy(max_retries=1, delay=30),
    description="Fetches match objects and telemetry into the landing zone; settles them in ops.matches_discovered.",
)
def archive_matches(context: dg.OpExecutionContext, config: ArchiveConfig) -> None:
    """Archive the configured matches."""
    stores: Stores = context.resources.stores
    migrate(stores.postgres_url)
    with (
        stores.alone("pubg_archive", context.log.info),
        PubgApi(None, stores.landing, base_url=stores.settings.pubg_api_url, shard=config.shard) as api,
    ):
        fetched = discovery.archive(stores.postgres_url, api, config.match_ids)
    for match in fetched:
        context.log.info(match.line())
    context.add_output_metadata(
        {status: sum(match.status == status for match in fetched) for status in sorted({m.status for m in fetched})}
    )


@dg.job(name=ARCHIVE_JOB, description="Archives discovered PUBG matches: the API forgets them after 14 days.")
def archive_pubg_matches() -> None:
    """The job of one op."""
    archive_matches()


def tracked_player_matches() -> dg.SensorDefinition:
    """Looks for matches of all tracked players, every ten minutes, at normal priority."""
    return _discovery_sensor(
        "tracked_player_matches",
        "tracked_players",
        whom=lambda url, now, plan, turn: discovery.tracked_players(url),
        every_s=lambda plan: plan.tracked_every_s,
        leave=lambda plan: plan.reserved,
        description="Asks the API for the matches of every tracked player, every ten minutes, and has new ones "
        "archived at normal priority. It leaves the tournament's share of the API's limit free.",
    )


def tournament_matches_found() -> dg.SensorDefinition:
    """Looks for matches of the teams that play now, every minute, at high priority."""
    return _discovery_sensor(
        "tournament_matches_found",
        "tournament",
        whom=lambda url, now, plan, turn: discovery.members_to_ask(discovery.playing(url, now), plan.members, turn),
        every_s=lambda plan: plan.tournament_every_s,
        # One call a minute is the tracked players'.
        leave=lambda plan: 1,
        description="While matches are scheduled, asks the API every minute for the matches of some members of each "
        "playing team, and has new custom and competitive ones archived at high priority.",
    )


def _discovery_sensor(
    name: str,
    finder: Finder,
    *,
    whom: Callable[[SecretStr, datetime, Plan, int], list[Asked]],
    every_s: Callable[[Plan], int],
    leave: Callable[[Plan], int],
    description: str,
) -> dg.SensorDefinition:
    """A sensor that asks for players' matches in rounds, registers what is new, and requests runs that archive it.

    The cursor holds, for each shard, how far its round has come. What is registered and not yet
    with a run is found in the register, so a tick that dies after registering loses nothing, and
    matches get their runs whatever happens to the asking.
    """

    @dg.sensor(
        name=name,
        job_name=ARCHIVE_JOB,
        minimum_interval_seconds=discovery.TICK_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        began = time.monotonic()
        rounds: dict[str, Any] = json.loads(context.cursor) if context.cursor else {}
        settings, url = stores.settings, stores.postgres_url
        migrate(url)
        now = datetime.now(UTC)
        limit = limit_in_force(url, settings.pubg_requests_per_minute)
        plan = discovery.current_plan(url, now, limit=limit)
        limits = SharedLimits(url, caller=finder, leave=leave(plan), patience=_PATIENCE_S, deadline=began + _ASKING_S)

        def groups_of(shard: str, turn: int) -> list[list[Asked]]:
            return discovery.batches([player for player in whom(url, now, plan, turn) if player.shard == shard])

        counts: Counter[str] = Counter()
        troubles: list[str] = []

        def find(api: PubgApi, shard: str, group: list[Asked]) -> None:
            found = discovery.ask(api, group)
            counts["new"] += len(discovery.register(url, shard, discovery.listed(found), finder))
            counts["asked"] += len(group)
            discovery.learn_accounts(url, {(shard, player.name): player.account_id for player in found})

        def go_on(shard: str) -> None:
            told = discovery.Round(**rounds.get(shard, {}))
            told = told.begun(len(groups_of(shard, told.turn)), now, every_s(plan))
            rounds[shard] = told.as_cursor()
            with PubgApi(
                settings.pubg_api_key, stores.landing, base_url=settings.pubg_api_url, shard=shard, limits=limits,
                requests=limit, timeout=_TIMEOUT_S, deadline=began + _ASKING_S, attempts=1,
            ) as api:  # fmt: skip
                for group in told.due(groups_of(shard, told.turn), every_s(plan)):
                    if time.monotonic() >= began + _ASKING_S:
                        return
                    try:
                        find(api, shard, group)
                    except Exception as error:
                        # Whatever else it is, it is of this group, and the others are asked for.
                        if isinstance(error, _BEFALLS_ALL) and not isinstance(error, UnreadableAnswerError):
                            if isinstance(error, UnavailableError):
                                rounds[shard] = told.delayed().as_cursor()
                            raise
                        troubles.append(_named(group, error))
                    told = told.advanced()
                    rounds[shard] = told.as_cursor()

        wanted = whom(url, now, plan, 0) if settings.pubg_api_key else []
        try:
            for shard in sorted({player.shard for player in wanted}):
                go_on(shard)
        except Exception as error:  # noqa: BLE001 (matches that are registered get their runs all the same)
            troubles.append(str(error))
        for trouble in troubles:
            context.log.warning(trouble)
        requests: list[dg.RunRequest] = []
        if time.monotonic() < began + _CLAIMING_S:
            discovery.renew(url, lambda claims: _runs_of(context.instance, claims))
            requests = [_request(claim) for claim in discovery.claim(url, finder)]
        said = " ".join(
            [f"Asked for {counts['asked']} of {len(wanted)} players: {counts['new']} new matches.", *troubles]
        )
        if settings.pubg_api_key is None:
            said = "PUBG_API_KEY is not set, so no player can be asked for; files can still be ingested."
        context.log.info(said)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else said,
            cursor=json.dumps(rounds, sort_keys=True),
        )

    return sensor


def _named(group: Sequence[Asked], error: Exception) -> str:
    return f"For {', '.join(player.player_name for player in group)}: {error}"


def _runs_of(instance: dg.DagsterInstance, claims: Sequence[str]) -> dict[str, bool]:
    # Of the claims that have runs, whether one of these is queued or going.
    has: dict[str, bool] = {}
    for run in instance.get_runs(dg.RunsFilter(tags={_CLAIM_TAG: [*claims]})):
        name = run.tags[_CLAIM_TAG]
        has[name] = has.get(name, False) or not run.is_finished
    return has


def _request(claim: discovery.Claim) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{claim.shard} {claim.attempt} {claim.claim}",
        run_config={"ops": {"archive_matches": {"config": {"shard": claim.shard, "match_ids": list(claim.match_ids)}}}},
        tags={**_tags(claim.priority), _CLAIM_TAG: claim.claim, MATCHES_TAG: str(len(claim.match_ids))},
    )
