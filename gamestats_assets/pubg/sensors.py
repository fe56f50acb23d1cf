"""What starts PUBG work: files that landed, and matches that the API lists for players."""

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl
from pydantic import SecretStr

from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.assets import Days
from gamestats_assets.orchestration.entered import entered_sensor
from gamestats_assets.orchestration.landed import landed_sensor
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.pubg import discovery, players, tables
from gamestats_assets.pubg.api import PubgApi, PubgApiError
from gamestats_assets.pubg.discovery import Asked, Finder, Plan
from gamestats_assets.pubg.limit import SharedLimiter
from gamestats_assets.pubg.tables.players import TRACKED_PLAYER

ARCHIVE_JOB = "archive_pubg_matches"
# A tick must end: what cannot be asked for within this is asked for by a later one.
_PATIENCE_S = 20.0
_DETAILS_EVERY_S = 10


def new_pubg_matches() -> dg.SensorDefinition:
    """Requests the bronze tables of every day that gained files; the rest follows by its conditions."""
    return landed_sensor(
        "new_pubg_matches",
        [table for table in tables.ALL if table.spec.made_by == "raw"],
        description="Watches the landing zone and requests the days that gained match or telemetry files.",
        tags=_tags_of_matches,
    )


def _tags_of_matches(stores: Stores, match_ids: Collection[str]) -> dict[str, str]:
    migrate(stores.postgres_url)
    return _tags(discovery.priority_of(stores.postgres_url, match_ids))


def _tags(priority: str) -> dict[str, str]:
    return {"dagster/priority": str(discovery.RUN_PRIORITY[priority]), "gamestats/priority": priority}


class ArchiveConfig(dg.Config):
    """Which matches a run archives."""

    shard: str
    match_ids: list[str]


@dg.op(
    required_resource_keys={"stores"},
    pool="pubg_archive",
    retry_policy=dg.RetryPolicy(max_retries=1, delay=30),
    description="Fetches match objects and telemetry into the landing zone; settles them in ops.matches_discovered.",
)
def archive_matches(context: dg.OpExecutionContext, config: ArchiveConfig) -> None:
    """Archive the configured matches."""
    stores: Stores = context.resources.stores
    migrate(stores.postgres_url)
    with PubgApi(None, stores.landing, base_url=stores.settings.pubg_api_url, shard=config.shard) as api:
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
        leave=lambda plan: 0,
        description="While matches are scheduled, asks the API every minute for the matches of some members of each "
        "playing team, and has new custom and competitive ones archived at high priority.",
    )


def tournament_entries() -> dg.SensorDefinition:
    """Takes snapshots of what people entered, and places the matches anew that it concerns."""

    def days(stores: Stores) -> Days:
        landed = stores.landing.days("pubg")
        rounds = stores.lake.scan(tables.Rounds).select(pl.col("first_day").min(), pl.col("last_day").max()).collect()
        first, last = rounds.row(0)
        if first is None:
            return None
        # A day more on each side: rounds are days of a time zone. Overrides may stand on any match of a round.
        span = (str(first - timedelta(days=1)), str(last + timedelta(days=1)))
        within = [day for day in landed if span[0] <= day <= span[1]]
        return (within[0], within[-1]) if within else None

    return entered_sensor(
        "tournament_entries",
        tables.SNAPSHOTS,
        [
            tables.TournamentLineups,
            tables.MatchTournamentContext,
            tables.TournamentTeamResults,
            tables.TournamentMatches,
            tables.MatchValidation,
            tables.Matches,
        ],
        days,
        description="Takes snapshots when seasons, teams, rosters, schedule or overrides changed, and places the "
        "matches of the rounds anew; only those whose place changed are replaced.",
    )


def tracked_player_details() -> dg.SensorDefinition:
    """Requests the tables of tracked players whose matches or history they do not hold yet."""
    by_player = [table for table in tables.ALL if table.spec.partitioned_by == TRACKED_PLAYER]
    target = [
        *(asset_key(table) for table in by_player),
        *(publication_key(table) for table in by_player if table.spec.published),
    ]

    @dg.sensor(
        name="tracked_player_details",
        target=dg.AssetSelection.assets(*target),
        minimum_interval_seconds=_DETAILS_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the detail of tracked players: of one who played in a new match, at normal priority, and "
        "of one whose history is to be taken up, at low priority. Nobody else's is touched.",
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        migrate(stores.postgres_url)
        versions = combined_hash(
            f"{table.spec.key} {stores.lake.version(table)}" for table in (*players.SOURCES, *players.LEDGERS)
        )
        if versions == context.cursor:
            return dg.SensorResult(skip_reason="Nothing changed that tracked players' tables are made from.")
        seen = players.accounts_seen(stores.lake)
        learnt = discovery.learn_accounts(stores.postgres_url, seen) if seen else 0
        behind = players.players_behind(stores.lake)
        known = set(context.instance.get_dynamic_partitions(TRACKED_PLAYER))
        requests = [
            dg.RunRequest(
                run_key=f"{account} {state.digest}",
                partition_key=account,
                asset_selection=target,
                tags={
                    **_tags("low" if state.is_history else "normal"),
                    "gamestats/requested_by": "tracked_player_details",
                    "gamestats/matches": str(len(state.match_ids)),
                },
            )
            for account, state in behind.items()
            if account in known
        ]
        context.log.info(f"{len(behind)} tracked players are behind; the account of {learnt} was learnt.")
        # A player whose partition is not there yet is looked at again.
        return dg.SensorResult(
            run_requests=requests,
            cursor=versions if behind.keys() <= known else None,
            skip_reason=None if requests else "Every tracked player's tables hold what they are to hold.",
        )

    return sensor


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
    with a run is found in the register, so a tick that dies after registering loses nothing.
    """

    @dg.sensor(
        name=name,
        job_name=ARCHIVE_JOB,
        minimum_interval_seconds=discovery.TICK_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        rounds: dict[str, Any] = json.loads(context.cursor) if context.cursor else {}
        settings, url = stores.settings, stores.postgres_url
        migrate(url)
        now = datetime.now(UTC)
        plan = discovery.current_plan(url, now, limit=settings.pubg_requests_per_minute)
        limiter = SharedLimiter(
            url, "pubg", leave=leave(plan), patience=_PATIENCE_S, requests=settings.pubg_requests_per_minute
        )
        asked, new, trouble = 0, 0, ""

        def groups_of(shard: str, turn: int) -> list[list[Asked]]:
            return discovery.batches([player for player in whom(url, now, plan, turn) if player.shard == shard])

        wanted = whom(url, now, plan, 0) if settings.pubg_api_key else []
        for shard in sorted({player.shard for player in wanted}):
            told = discovery.Round(**rounds.get(shard, {}))
            told = told.begun(len(groups_of(shard, told.turn)), now, every_s(plan))
            groups = groups_of(shard, told.turn)
            with PubgApi(
                settings.pubg_api_key, stores.landing, base_url=settings.pubg_api_url, shard=shard, limiter=limiter,
                attempts=2,
            ) as api:  # fmt: skip
                for group in told.due(groups, every_s(plan)):
                    try:
                        players_now = discovery.ask(api, group)
                        discovery.learn_accounts(url, {(shard, p.name): p.account_id for p in players_now})
                        listed = [match_id for player in players_now for match_id in player.match_ids]
                        new += len(discovery.register(url, shard, listed, finder))
                    except PubgApiError as error:
                        trouble = str(error)
                        break
                    asked += len(group)
                    told = told.advanced()
            rounds[shard] = told.as_cursor()
        requests = [_request(claim) for claim in discovery.claim(url, finder)]
        said = f"Asked for {asked} of {len(wanted)} players: {new} new matches. {trouble}".strip()
        if settings.pubg_api_key is None:
            said = "PUBG_API_KEY is not set, so no player can be asked for; files can still be ingested."
        context.log.info(said)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else said,
            cursor=json.dumps(rounds, sort_keys=True),
        )

    return sensor


def _request(claim: discovery.Claim) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{claim.shard} {claim.attempt} {combined_hash(claim.match_ids)} {claim.claimed_until}",
        run_config={"ops": {"archive_matches": {"config": {"shard": claim.shard, "match_ids": list(claim.match_ids)}}}},
        tags={**_tags(claim.priority), "gamestats/matches": str(len(claim.match_ids))},
    )
