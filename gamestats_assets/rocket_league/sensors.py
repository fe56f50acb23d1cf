"""Looks for replays of tracked players at ballchasing, and starts runs that fetch them."""

from datetime import UTC, datetime

import dagster as dg

from gamestats_assets.apis.limits import SharedLimits
from gamestats_assets.apis.register import PollResult
from gamestats_assets.lakehouse.entries.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.runs.polling import TIMEOUT_S, polling_sensor
from gamestats_assets.rocket_league.ballchasing import discovery
from gamestats_assets.rocket_league.ballchasing.api import PATIENCE_S, BallchasingApi
from gamestats_assets.settings import Settings

PLAYERS_SENSOR, ARCHIVE_JOB = "tracked_player_replays", "archive_rocket_league_replays"


class ArchiveReplays(dg.Config):
    """Which replays a run fetches."""

    ballchasing_ids: list[str]


@dg.op(
    required_resource_keys={"stores"},
    retry_policy=dg.RetryPolicy(max_retries=1, delay=30),
    description="Fetches ballchasing's statistics of replays into the landing zone, with the replay files if set, and "
    "enters the outcomes in ops.rl_replays_found.",
)
def fetch_rocket_league_replays(context: dg.OpExecutionContext, config: ArchiveReplays) -> None:
    """Fetch the configured replays."""
    stores: Stores = context.resources.stores
    settings, url = stores.settings, stores.postgres_url
    migrate(url)
    limits = SharedLimits(url, caller="archive", patience=PATIENCE_S)
    with (
        stores.alone("rocket_league_archive", context.log.info),
        BallchasingApi(
            settings.ballchasing_api_key, stores.landing, base_url=settings.ballchasing_api_url, limits=limits
        ) as api,
    ):
        fetched = discovery.archive(url, api, config.ballchasing_ids, files=settings.ballchasing_files)
    for replay in fetched:
        context.log.info(replay.line())
    context.add_output_metadata(
        {status: sum(each.status == status for each in fetched) for status in sorted({each.status for each in fetched})}
    )


@dg.job(name=ARCHIVE_JOB, description="Fetches replays of tracked Rocket League players into the landing zone.")
def archive_rocket_league_replays() -> None:
    """Runs the one op."""
    fetch_rocket_league_replays()


def tracked_player_replays() -> dg.SensorDefinition:
    """Returns the sensor that looks for replays of all tracked players every ten minutes and requests their runs."""
    return polling_sensor(
        PLAYERS_SENSOR,
        ARCHIVE_JOB,
        found_noun="replays",
        game="rocket league",
        unavailable_reason=_missing,
        poll=_look,
        pending=discovery.pending,
        run_config=lambda ids: {"ops": {"fetch_rocket_league_replays": {"config": {"ballchasing_ids": ids}}}},
        description="Asks ballchasing for the replays of every tracked player, every ten minutes, and requests runs "
        "that fetch new ones; a player's first look includes the history. "
        "Enter players with: gamestats rocket-league track",
    )


def _missing(settings: Settings) -> str | None:
    if settings.ballchasing_api_key is not None:
        return None
    return (
        "BALLCHASING_API_KEY is not set, so ballchasing cannot be asked for players. Ingesting replays and "
        "ballchasing's JSON, and all tables made from them, work without it."
    )


def _look(stores: Stores, limits: SharedLimits, deadline: float) -> PollResult[str]:
    settings = stores.settings
    with BallchasingApi(
        settings.ballchasing_api_key, stores.landing, base_url=settings.ballchasing_api_url, limits=limits,
        timeout=TIMEOUT_S, deadline=deadline, attempts=1,
    ) as api:  # fmt: skip
        return discovery.find(stores.postgres_url, api, now=datetime.now(UTC), deadline=deadline)
