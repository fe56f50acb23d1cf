"""What starts Rocket League work: files that landed, what people enter, and replays that ballchasing lists."""

from datetime import UTC, datetime

import dagster as dg

from gamestats_assets.lakehouse.finds import Found
from gamestats_assets.lakehouse.limits import SharedLimits
from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.entered import entered_sensor
from gamestats_assets.orchestration.finding import TIMEOUT_S, finding_sensor
from gamestats_assets.orchestration.landed import landed_sensor
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.partitions import DAYS, partitions_of
from gamestats_assets.orchestration.settling import settling_sensor
from gamestats_assets.rocket_league import discovery, tables
from gamestats_assets.rocket_league.assets import landed, settled
from gamestats_assets.rocket_league.ballchasing import PATIENCE_S, BallchasingApi
from gamestats_assets.settings import Settings

REPLAYS_LANDED, ENTERED = "new_rocket_league_replays", "rocket_league_entries"
PLAYERS_SENSOR, ARCHIVE_JOB = "tracked_player_replays", "archive_rocket_league_replays"
_PLAYERS_EVERY_S = 60


def replays_landed() -> dg.SensorDefinition:
    """Requests every day that gained files, from its bronze tables to PostgreSQL."""
    return landed_sensor(
        REPLAYS_LANDED,
        [*landed("raw"), *landed("raw_events")],
        followers=_of_days(),
        description="Watches the landing zone and requests the days that gained replays or ballchasing's statistics: "
        "all tables of the day, to PostgreSQL. Cohorts, models and players follow.",
    )


def _of_days() -> list[dg.AssetKey]:
    """Every table by day that is made from landed ones, and what is published of them."""
    made = [table for table in tables.ALL if partitions_of(table) == DAYS and not table.spec.made_by]
    return [*map(asset_key, made), *(publication_key(table) for table in made if table.spec.published)]


def entries() -> dg.SensorDefinition:
    """Takes up players, ranks and training sessions that people entered."""
    return entered_sensor(
        ENTERED,
        tables.SNAPSHOTS,
        [],
        lambda stores: {},
        behind_of=tables.MatchFacts,
        description="Takes up tracked players, their ranks and training sessions when somebody entered some.",
    )


def players_behind() -> dg.SensorDefinition:
    """Makes cohorts, models and tracked players' tables again where what they are made from is another."""
    return settling_sensor(
        "rocket_league_players_behind",
        settled(),
        [publication_key(each.table) for each in settled() if each.table.spec.published],
        after=[REPLAYS_LANDED],
        names_rest_s=_PLAYERS_EVERY_S,
        description="Requests cohorts and models of ranks, and the tables of every tracked player whose matches, "
        "cohort, rank or training are not what they were made from.",
    )


def every_night() -> dg.ScheduleDefinition:
    """Keeps matches of players no longer than they want them kept."""
    return dg.ScheduleDefinition(
        name="rocket_league_retention",
        target=dg.AssetSelection.assets(asset_key(tables.Retention)),
        cron_schedule="30 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night: what is older than a player wants matches kept is taken out.",
    )


class ArchiveReplays(dg.Config):
    """Which replays a run fetches."""

    ballchasing_ids: list[str]


@dg.op(
    required_resource_keys={"stores"},
    pool="rocket_league_archive",
    retry_policy=dg.RetryPolicy(max_retries=1, delay=30),
    description="Fetches ballchasing's statistics of replays into the landing zone, with the replays themselves where "
    "that is set, and enters in ops.rl_replays_found what became of them.",
)
def fetch_rocket_league_replays(context: dg.OpExecutionContext, config: ArchiveReplays) -> None:
    """Fetch the configured replays."""
    stores: Stores = context.resources.stores
    settings, url = stores.settings, stores.postgres_url
    migrate(url)
    limits = SharedLimits(url, caller="archive", patience=PATIENCE_S)
    with BallchasingApi(
        settings.ballchasing_api_key, stores.landing, base_url=settings.ballchasing_api_url, limits=limits
    ) as api:
        fetched = discovery.archive(url, api, config.ballchasing_ids, files=settings.ballchasing_files)
    for replay in fetched:
        context.log.info(replay.line())
    context.add_output_metadata(
        {status: sum(each.status == status for each in fetched) for status in sorted({each.status for each in fetched})}
    )


@dg.job(name=ARCHIVE_JOB, description="Fetches replays of tracked Rocket League players into the landing zone.")
def archive_rocket_league_replays() -> None:
    """The job of one op."""
    fetch_rocket_league_replays()


def tracked_player_replays() -> dg.SensorDefinition:
    """Looks for replays of all tracked players, every ten minutes, and requests runs that fetch new ones."""
    return finding_sensor(
        PLAYERS_SENSOR,
        ARCHIVE_JOB,
        what="replays",
        of="rocket league",
        missing=_missing,
        look=_look,
        wanted=discovery.wanted,
        run_config=lambda ids: {"ops": {"fetch_rocket_league_replays": {"config": {"ballchasing_ids": ids}}}},
        description="Asks ballchasing for the replays of every tracked player, every ten minutes, and has new ones "
        "fetched; a player's first look takes up the history. Enter players with: gamestats rocket-league track",
    )


def _missing(settings: Settings) -> str | None:
    if settings.ballchasing_api_key is not None:
        return None
    return (
        "BALLCHASING_API_KEY is not set, so no player can be asked for. Ingesting replays and ballchasing's JSON, and "
        "everything that is made from them, work without it."
    )


def _look(stores: Stores, *, limits: SharedLimits, deadline: float) -> Found[str]:
    settings = stores.settings
    with BallchasingApi(
        settings.ballchasing_api_key, stores.landing, base_url=settings.ballchasing_api_url, limits=limits,
        timeout=TIMEOUT_S, deadline=deadline, attempts=1,
    ) as api:  # fmt: skip
        return discovery.find(stores.postgres_url, api, now=datetime.now(UTC), deadline=deadline)
