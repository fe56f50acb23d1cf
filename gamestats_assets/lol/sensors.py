"""What starts League of Legends work: files that landed, and matches that the API lists for seeded players."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from gamestats_assets.lakehouse.finds import Found
from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.limits import SharedLimits
from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lol import discovery, tables
from gamestats_assets.lol.api import PATIENCE_S, Account, RiotApi
from gamestats_assets.lol.assets import DOCUMENTS, settled
from gamestats_assets.lol.data_dragon import fetch_patches, patches_of
from gamestats_assets.lol.matches import matches
from gamestats_assets.orchestration.finding import TICK_S, TIMEOUT_S, finding_sensor
from gamestats_assets.orchestration.instance import ranges_behind
from gamestats_assets.orchestration.joint import made_jointly
from gamestats_assets.orchestration.landed import landed_sensor
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.partitions import DAYS, partitions_of
from gamestats_assets.orchestration.requests import (
    FOLLOWING_PRIORITY,
    REQUESTED_BY_TAG,
    due_attempt,
    is_on_its_way,
    range_tags,
    request,
)
from gamestats_assets.orchestration.settling import settling_sensor
from gamestats_assets.settings import Settings

MATCHES_LANDED, PLAYERS_SENSOR, ARCHIVE_JOB = "new_lol_matches", "seeded_player_matches", "archive_lol_matches"
LISTS_LANDED = "new_lol_lists"
_LISTS_EVERY_S = 30
_PATCHES_EVERY_S = 3600


def new_lol_matches() -> dg.SensorDefinition:
    """Requests every day that gained files, from its bronze tables to PostgreSQL."""
    raw = [table for table in tables.ALL if table.spec.made_by == "raw"]
    return landed_sensor(
        MATCHES_LANDED,
        raw,
        followers=_of_days(),
        description="Watches the landing zone and requests the days that gained match or timeline files: all tables of "
        "the day, to PostgreSQL. Statistics by patch follow.",
    )


def _of_days() -> list[dg.AssetKey]:
    """Every table by day that is made from landed ones, and what is published of them."""
    made = [table for table in tables.ALL if partitions_of(table) == DAYS and table.spec.made_by != "raw"]
    return [*map(asset_key, made), *(publication_key(table) for table in made if table.spec.published)]


def lists_landed() -> dg.SensorDefinition:
    """Takes up lists of items and champions that landed, and makes again the matches that they stand for."""
    # With what is made of them alone, so that a day that comes after them finds its list.
    documents = [asset_key(table) for table in (*DOCUMENTS.tables, tables.Queues, tables.Items, tables.Champions)]
    days = _of_days()
    reading, making = f"{LISTS_LANDED}_read", f"{LISTS_LANDED}_made"
    jobs = {reading: documents, making: days}

    @dg.sensor(
        name=LISTS_LANDED,
        jobs=[dg.define_asset_job(job, dg.AssetSelection.assets(*assets)) for job, assets in jobs.items()],
        minimum_interval_seconds=_LISTS_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reads Data Dragon's lists when one has landed, and requests the days with matches of patches that "
        "another list stands for from then on; no other match is made again.",
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        told: dict[str, Any] = json.loads(context.cursor) if context.cursor else {}
        instance, lake = context.instance, stores.lake
        requests: list[dg.RunRequest] = []

        def ask(reason: str, job: str, assets: Sequence[dg.AssetKey], span: tuple[str, str] | None = None) -> None:
            if (attempt := due_attempt(instance, reason)) is not None:
                tags = {"dagster/priority": FOLLOWING_PRIORITY, REQUESTED_BY_TAG: LISTS_LANDED}
                tags |= range_tags(*span) if span else {}
                requests.append(request(reason, attempt, assets, tags=tags, job_name=job))

        if landed := DOCUMENTS.behind(stores):
            ask(f"lol lists {landed}", reading, documents)
        held = combined_hash(f"{table.spec.key} {lake.version(table)}" for table in (tables.Items, tables.Queues))
        is_due = told.get("held") != held or told.get("again_at", float("inf")) <= time.time()
        if is_due and not any(is_on_its_way(instance, name) for name in (LISTS_LANDED, MATCHES_LANDED)):
            behind = made_jointly(lake, matches)[1]
            for first, last, work in ranges_behind(DAYS, behind, instance):
                ask(f"lol lists {first} {last} {work}", making, days, (first, last))
            told = {"held": held}
            if behind:
                told["again_at"] = time.time() + TICK_S
        return dg.SensorResult(
            run_requests=requests,
            cursor=json.dumps(told, sort_keys=True),
            skip_reason=None if requests else "Every list is read, and every match made with that of its patch.",
        )

    return sensor


def patches_behind() -> dg.SensorDefinition:
    """Makes statistics of the patches that gained matches, an hour apart at least."""
    return settling_sensor(
        "lol_patches_behind",
        settled(),
        [publication_key(each.table) for each in settled() if each.table.spec.published],
        after=[MATCHES_LANDED, LISTS_LANDED],
        names_rest_s=_PATCHES_EVERY_S,
        description="Requests the statistics of every patch whose matches are not those that they were made from, once "
        "an hour at most, for matches come all the time.",
    )


class ArchiveLolMatches(dg.Config):
    """Which matches a run fetches."""

    match_ids: list[str]


@dg.op(
    required_resource_keys={"stores"},
    pool="lol_archive",
    retry_policy=dg.RetryPolicy(max_retries=1, delay=30),
    description="Fetches match objects, timelines and Data Dragon's lists for their patches into the landing zone, and "
    "enters in ops.lol_matches_found what became of the matches.",
)
def fetch_lol_matches(context: dg.OpExecutionContext, config: ArchiveLolMatches) -> None:
    """Fetch the configured matches."""
    stores: Stores = context.resources.stores
    settings, url = stores.settings, stores.postgres_url
    migrate(url)
    limits = SharedLimits(url, caller="archive", patience=PATIENCE_S)
    with RiotApi(settings.riot_api_key, stores.landing, base_url=settings.riot_api_url, limits=limits) as api:
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
    """The job of one op."""
    fetch_lol_matches()


def seeded_player_matches() -> dg.SensorDefinition:
    """Looks for matches of all seeded players, every ten minutes, and requests runs that fetch new ones."""
    return finding_sensor(
        PLAYERS_SENSOR,
        ARCHIVE_JOB,
        what="matches",
        of="lol",
        missing=_missing,
        look=_look,
        wanted=discovery.wanted,
        run_config=lambda ids: {"ops": {"fetch_lol_matches": {"config": {"match_ids": ids}}}},
        description="Asks the Riot API for the matches of every seeded player, every ten minutes, and has new ones "
        "fetched. Enter players with: gamestats lol seed add",
    )


def _missing(settings: Settings) -> str | None:
    if settings.riot_api_key is not None:
        return None
    return (
        "RIOT_API_KEY is not set, so no player can be asked for. Ingesting match and timeline files, fetching Data "
        "Dragon, and everything that is made from them work without it."
    )


def _look(stores: Stores, *, limits: SharedLimits, deadline: float) -> Found[Account]:
    settings = stores.settings
    with RiotApi(
        settings.riot_api_key, stores.landing, base_url=settings.riot_api_url, limits=limits,
        timeout=TIMEOUT_S, deadline=deadline, attempts=1,
    ) as api:  # fmt: skip
        return discovery.find(stores.postgres_url, api, now=datetime.now(UTC), deadline=deadline)
