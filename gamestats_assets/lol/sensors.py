"""Sensors of League of Legends besides staleness: matches that the API lists for seeded players."""

from datetime import UTC, datetime

import dagster as dg

from gamestats_assets.apis.limits import SharedLimits
from gamestats_assets.apis.register import PollResult
from gamestats_assets.lakehouse.entries.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lol.reference.data_dragon import fetch_patches, patches_of
from gamestats_assets.lol.riot import discovery
from gamestats_assets.lol.riot.api import PATIENCE_S, Account, RiotApi
from gamestats_assets.orchestration.runs.polling import TIMEOUT_S, polling_sensor
from gamestats_assets.settings import Settings

PLAYERS_SENSOR, ARCHIVE_JOB = "seeded_player_matches", "archive_lol_matches"


class ArchiveLolMatches(dg.Config):
    """Matches that a run fetches."""

    match_ids: list[str]


@dg.op(
    required_resource_keys={"stores"},
    retry_policy=dg.RetryPolicy(max_retries=1, delay=30),
    description="Fetches match objects, timelines and Data Dragon's lists for their patches into the landing zone, "
    "and records the result of each match in ops.lol_matches_found.",
)
def fetch_lol_matches(context: dg.OpExecutionContext, config: ArchiveLolMatches) -> None:
    """Fetches the configured matches."""
    stores: Stores = context.resources.stores
    settings, url = stores.settings, stores.postgres_url
    migrate(url)
    limits = SharedLimits(url, caller="archive", patience=PATIENCE_S)
    with (
        stores.alone("lol_archive", context.log.info),
        RiotApi(settings.riot_api_key, stores.landing, base_url=settings.riot_api_url, limits=limits) as api,
    ):
        fetched = discovery.archive(url, api, config.match_ids)
    for match in fetched:
        context.log.info(match.line())
    patches = patches_of(stores.landing, [match.match_id for match in fetched])
    documents = fetch_patches(stores.landing, patches, base_url=settings.data_dragon_url)
    for failure in documents.failures:
        context.log.warning(failure)
    context.add_output_metadata(
        {status: sum(match.status == status for match in fetched) for status in sorted({m.status for m in fetched})}
        | {"data_dragon_documents": documents.fetched}
    )


@dg.job(name=ARCHIVE_JOB, description="Fetches League of Legends matches of seeded players into the landing zone.")
def archive_lol_matches() -> None:
    """Job with a single op."""
    fetch_lol_matches()


def seeded_player_matches() -> dg.SensorDefinition:
    """Looks for matches of all seeded players every ten minutes and requests runs that fetch new ones."""
    return polling_sensor(
        PLAYERS_SENSOR,
        ARCHIVE_JOB,
        found_noun="matches",
        game="lol",
        unavailable_reason=_missing,
        poll=_look,
        pending=discovery.pending,
        run_config=lambda ids: {"ops": {"fetch_lol_matches": {"config": {"match_ids": ids}}}},
        description="Asks the Riot API for the matches of every seeded player every ten minutes and fetches new ones. "
        "Add players with: gamestats lol seed add",
    )


def _missing(settings: Settings) -> str | None:
    if settings.riot_api_key is not None:
        return None
    return (
        "RIOT_API_KEY is not set, so matches of seeded players cannot be fetched. Ingesting match and timeline files, "
        "fetching Data Dragon, and all tables work without it."
    )


def _look(stores: Stores, limits: SharedLimits, deadline: float) -> PollResult[Account]:
    settings = stores.settings
    with RiotApi(
        settings.riot_api_key, stores.landing, base_url=settings.riot_api_url, limits=limits,
        timeout=TIMEOUT_S, deadline=deadline, attempts=1,
    ) as api:  # fmt: skip
        return discovery.find(stores.postgres_url, api, now=datetime.now(UTC), deadline=deadline)
