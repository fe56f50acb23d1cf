"""What starts League of Legends work: files that landed, and matches that the API lists for seeded players."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.http import UnauthorisedError
from gamestats_assets.lakehouse.ledger import combined_hash
from gamestats_assets.lakehouse.limits import SharedLimits
from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lol import discovery, tables
from gamestats_assets.lol.api import PATIENCE_S, RiotApi
from gamestats_assets.lol.assets import DOCUMENTS, settled
from gamestats_assets.lol.data_dragon import fetch_patches, patches_of
from gamestats_assets.lol.discovery import Wanted
from gamestats_assets.lol.matches import matches
from gamestats_assets.orchestration.instance import ranges_behind
from gamestats_assets.orchestration.joint import made_jointly
from gamestats_assets.orchestration.landed import landed_sensor
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.partitions import DAYS, partitions_of
from gamestats_assets.orchestration.requests import (
    FOLLOWING_PRIORITY,
    REASON_TAG,
    REQUESTED_BY_TAG,
    due_attempt,
    is_on_its_way,
    range_tags,
    request,
)
from gamestats_assets.orchestration.settling import settling_sensor

MATCHES_LANDED, PLAYERS_SENSOR, ARCHIVE_JOB = "new_lol_matches", "seeded_player_matches", "archive_lol_matches"
_TICK_S = 60
# Dagster gives a tick up after 60 s: who is not asked for by then is asked for by a later one.
_PATIENCE_S = 20.0
_ASKING_S = 40.0
_TIMEOUT_S = 10.0
_MATCHES_A_RUN = 200
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
                told["again_at"] = time.time() + _TICK_S
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

    @dg.sensor(
        name=PLAYERS_SENSOR,
        job_name=ARCHIVE_JOB,
        minimum_interval_seconds=_TICK_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks the Riot API for the matches of every seeded player, every ten minutes, and has new ones "
        "fetched. Enter players with: gamestats lol seed add",
    )
    def sensor(context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]) -> dg.SensorResult:
        deadline = time.monotonic() + _ASKING_S
        settings, url = stores.settings, stores.postgres_url
        if settings.riot_api_key is None:
            return dg.SensorResult(
                skip_reason="RIOT_API_KEY is not set, so no player can be asked for. Ingesting match and timeline "
                "files, fetching Data Dragon, and everything that is made from them work without it."
            )
        migrate(url)
        limits = SharedLimits(url, caller=PLAYERS_SENSOR, patience=_PATIENCE_S, deadline=deadline)
        try:
            with RiotApi(
                settings.riot_api_key, stores.landing, base_url=settings.riot_api_url, limits=limits,
                timeout=_TIMEOUT_S, deadline=deadline, attempts=1,
            ) as api:  # fmt: skip
                found = discovery.find(url, api, now=datetime.now(UTC), deadline=deadline)
        except UnauthorisedError as error:
            return dg.SensorResult(skip_reason=str(error))
        except GamestatsError as error:
            # What is in the register gets its run all the same.
            context.log.warning(str(error))
            said = [str(error)]
        else:
            said = [f"Asked for {len(found.asked)} of {found.due} players: {len(found.new)} new matches."]
            said += [f"Nobody is called {riot_id}." for riot_id in found.unknown] + found.troubles
            context.log.info(" ".join(said))
        request = _request(context.instance, discovery.wanted(url, most=_MATCHES_A_RUN))
        return dg.SensorResult(
            run_requests=[request] if request else [], skip_reason=None if request else " ".join(said)
        )

    return sensor


def _request(instance: dg.DagsterInstance, wanted: Sequence[Wanted]) -> dg.RunRequest | None:
    """The run that fetches what is wanted, one at a time; None while there is nothing to do, or one is on its way."""
    if not wanted or is_on_its_way(instance, PLAYERS_SENSOR):
        return None
    reason = f"lol matches {combined_hash(f'{match.match_id} {match.next_at.isoformat()}' for match in wanted)}"
    attempt = due_attempt(instance, reason)
    if attempt is None:
        return None
    return dg.RunRequest(
        run_key=f"{reason} {attempt}",
        run_config={"ops": {"fetch_lol_matches": {"config": {"match_ids": [match.match_id for match in wanted]}}}},
        tags={REASON_TAG: reason, REQUESTED_BY_TAG: PLAYERS_SENSOR},
    )
