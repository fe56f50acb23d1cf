"""`gamestats fetch`: fetches raw files from the APIs of games into the landing zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamestats_assets.cli.commands import day_option
from gamestats_assets.cli.lake.ingest import tells_of_it
from gamestats_assets.cli.terminal import CarefulGroup, counted, days_named, err, say, status

if TYPE_CHECKING:
    from gamestats_assets.apis.limits import Limits
    from gamestats_assets.lakehouse.landing.arrivals import FetchReport
    from gamestats_assets.lakehouse.landing.zone import Landing
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.settings import Settings

fetch_app = typer.Typer(
    cls=CarefulGroup, no_args_is_help=True, help="Fetch raw files from a game's API into the landing zone."
)
fetch_app.callback()(tells_of_it)


@fetch_app.command("pubg")
def fetch_pubg(
    player: Annotated[
        list[str],
        typer.Option("--player", metavar="NAME", help="In-game name, with its capitals; can be given several times."),
    ],
    more: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="More names, after --player.")] = None,
    shard: Annotated[str, typer.Option(help="Platform of the players.")] = "steam",
    base_url: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Fetch the matches of the last 14 days of players: match objects and telemetry.

    What has landed already is not fetched again, and the API's limit is kept. Needs
    PUBG_API_KEY; ingesting files works without it.

    Examples:

        gamestats fetch pubg --player Shroud
        gamestats fetch pubg --player Shroud --player chocoTaco --shard steam
    """
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.pubg.source.api import BASE_URL, PubgApi

    names = [*player, *(more or [])]
    if unusable := [name for name in names if not name.strip() or "," in name]:
        raise typer.BadParameter(f"{unusable[0]!r} cannot be a name: it is empty or has a comma.")
    stores = Stores()
    with (
        PubgApi(stores.settings.pubg_api_key, stores.landing, base_url=base_url or BASE_URL, shard=shard) as api,
        status(f"Fetching the matches of {', '.join(names)}"),
    ):
        report = api.fetch_player_matches(names)
    _print_fetch(report, unknown="capitals matter")
    if report.count("failed") or report.failures or not report.players:
        raise typer.Exit(1)


def _print_fetch(report: FetchReport[Any], *, unknown: str) -> None:
    """What became of the matches of players that were asked for.

    Args:
        unknown: what to mind of a player the API does not know.
    """
    troubles = [match.line() for match in report.matches if match.status == "failed"]
    troubles += [f"failed      {failure}" for failure in report.failures]
    troubles += [f"unknown     player {name}; {unknown}" for name in report.unknown_players]
    for line in troubles:
        say(line, "yellow", console=err())
    found = [f"{report.count(status):,} {status}" for status in ("fetched", "known", "expired", "failed")]
    matches = counted(len(report.matches), "match", "matches")
    say(f"{counted(len(report.players), 'player')}, {matches}: {', '.join(found)}.", "bold")
    if report.days:
        say(f"{days_named(report.days)} gained files. Next: gamestats materialize")


@fetch_app.command("lol")
def fetch_lol(
    player: Annotated[
        list[str] | None,
        typer.Option(
            "--player", metavar="NAME#TAG", help="Riot id; can be given several times. Without any, the seeded players."
        ),
    ] = None,
    platform: Annotated[
        str | None, typer.Option(help="Where they play, such as euw1, kr or na1; RIOT_PLATFORM by default.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Matches of each player, the newest ones.")] = 20,
    queue: Annotated[int | None, typer.Option(metavar="ID", help="One queue, such as 420 for ranked solo.")] = None,
    since: Annotated[datetime | None, day_option("Matches since that UTC day, at most COUNT.")] = None,
    data_dragon: Annotated[
        bool, typer.Option("--data-dragon/--no-data-dragon", help="Lists of items and champions of their patches, too.")
    ] = True,
) -> None:
    """Fetch the newest matches of players: match objects, timelines, and what Data Dragon lists for their patches.

    What has landed already is not fetched again, and the API's limits are kept. Without --player, the matches are
    fetched that are new of the seeded players (gamestats lol seed add). Needs RIOT_API_KEY; ingesting files, and
    gamestats fetch data-dragon, work without it.

    Examples:

        gamestats fetch lol --player "Hide on bush#KR1" --platform kr
        gamestats fetch lol --player "Hide on bush#KR1" --platform kr --count 200 --queue 420
        gamestats fetch lol
    """
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.lol.reference.data_dragon import patches_of
    from gamestats_assets.lol.riot.api import RiotApi

    stores = Stores()
    settings = stores.settings
    platform = platform or settings.riot_platform
    if player and platform is None:
        raise typer.BadParameter("Say where they play: --platform kr, or set RIOT_PLATFORM.")
    if not player and (queue is not None or since is not None):
        raise typer.BadParameter("--queue and --since go with --player; of seeded players every new match is fetched.")
    whom = ", ".join(player) if player else "seeded players"
    with (
        RiotApi(
            settings.riot_api_key, stores.landing, base_url=settings.riot_api_url, limits=_shared_limits(stores)
        ) as api,
        status(f"Fetching the matches of {whom}"),
    ):
        if player and platform is not None:
            from_day = since.replace(tzinfo=UTC) if since else None
            report = api.fetch_player_matches(player, platform, since=from_day, count=count, queue=queue)
        else:
            from gamestats_assets.lakehouse.entries.ops import migrate
            from gamestats_assets.lol.riot.discovery import find_and_fetch

            migrate(stores.postgres_url)
            report = find_and_fetch(stores.postgres_url, api, now=datetime.now(UTC))
            if not (report.players or report.unknown_players or report.failures):
                say('Nobody is a seeded player. Enter some: gamestats lol seed add "NAME#TAG" --platform kr', "yellow")
    _print_fetch(report, unknown="see the tag after the #")
    is_whole = True
    if data_dragon and report.matches:
        patches = patches_of(stores.landing, [match.match_id for match in report.matches])
        is_whole = _fetch_documents(stores.landing, settings, patches)
    if report.count("failed") or report.failures or report.unknown_players or not is_whole:
        raise typer.Exit(1)


@fetch_app.command("rocket-league")
def fetch_rocket_league(
    files: Annotated[
        bool | None,
        typer.Option("--files/--no-files", help="The replays themselves, too; GAMESTATS_BALLCHASING_FILES by default."),
    ] = None,
) -> None:
    """Fetch the replays of tracked players that ballchasing has and that did not land yet.

    A player's first look takes up the history, as far back as was asked for. The limits of the account are kept, which
    are 1,000 replays an hour without a subscription. Needs BALLCHASING_API_KEY; ingesting files works without it.

    Examples:

        gamestats rocket-league track steam:76561190000000001 --consent --days 90
        gamestats fetch rocket-league
    """
    from gamestats_assets.apis.limits import SharedLimits
    from gamestats_assets.lakehouse.entries.ops import migrate
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.rocket_league.ballchasing.api import PATIENCE_S, BallchasingApi
    from gamestats_assets.rocket_league.ballchasing.discovery import find_and_fetch

    stores = Stores()
    settings, url = stores.settings, stores.postgres_url
    migrate(url)
    with (
        BallchasingApi(
            settings.ballchasing_api_key,
            stores.landing,
            base_url=settings.ballchasing_api_url,
            limits=SharedLimits(url, caller="fetch", patience=PATIENCE_S),
        ) as api,
        status("Fetching the replays of tracked players"),
    ):
        wanted = settings.ballchasing_files if files is None else files
        report = find_and_fetch(url, api, now=datetime.now(UTC), files=wanted)
    if not (report.players or report.unknown_players or report.failures):
        say("Nobody is tracked. Track players with: gamestats rocket-league track steam:76561198...", "yellow")
    _print_fetch(report, unknown="see the platform before the :")
    if report.count("failed") or report.failures:
        raise typer.Exit(1)


def _shared_limits(stores: Stores) -> Limits | None:
    """Limits shared with other processes, if PostgreSQL runs; a fetch does not start it only for that."""
    from gamestats_assets.lakehouse.postgres.embedded import is_available

    if not is_available(stores.settings):
        return None
    from gamestats_assets.apis.limits import SharedLimits
    from gamestats_assets.lakehouse.entries.ops import migrate
    from gamestats_assets.lol.riot.api import PATIENCE_S

    migrate(stores.postgres_url)
    return SharedLimits(stores.postgres_url, caller="fetch", patience=PATIENCE_S)


@fetch_app.command("data-dragon")
def fetch_data_dragon(
    patch: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATCH]...", help="Patches such as 13.14; without any, those of the matches in the lake."
        ),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option(
            "--language",
            metavar="LANGUAGE",
            help="Such as de_DE; can be given several times. en_US and ko_KR by default.",
        ),
    ] = None,
) -> None:
    """Fetch the items and champions that Data Dragon lists for patches of League of Legends. Needs no key.

    What has landed already is not fetched again. Of a patch that Data Dragon does not list, the nearest one before it.

    Examples:

        gamestats fetch data-dragon
        gamestats fetch data-dragon 13.14 13.15 --language en_US
    """
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.lol.reference.data_dragon import LANGUAGES, is_language, is_patch, patch_of
    from gamestats_assets.lol.tables import RawMatches

    if wrong := next((text for text in patch or () if not is_patch(text)), None):
        raise typer.BadParameter(f"{wrong!r} is no patch. Write its two numbers, such as 13.14.")
    if wrong := next((text for text in language or () if not is_language(text)), None):
        raise typer.BadParameter(f"{wrong!r} is no language. Write it with these capitals: en_US.")
    stores = Stores()
    if not patch:
        versions = stores.lake.scan(RawMatches).select("game_version").unique().collect().get_column("game_version")
        patch = sorted({found for version in versions if is_patch(found := patch_of(version))})
        if not patch:
            say("There are no matches in the lake whose patches could be fetched. Name some, such as 13.14.", "yellow")
            return
    if not _fetch_documents(stores.landing, stores.settings, patch, language or LANGUAGES):
        raise typer.Exit(1)


def _fetch_documents(
    landing: Landing, settings: Settings, patches: Sequence[str], languages: Sequence[str] | None = None
) -> bool:
    """Fetch what Data Dragon lists for patches, and say what became of it; whether all of it is there."""
    from gamestats_assets.lol.reference.data_dragon import LANGUAGES, fetch_patches

    with status("Fetching Data Dragon"):
        fetched = fetch_patches(landing, patches, languages or LANGUAGES, base_url=settings.data_dragon_url)
    for failure in fetched.failures:
        say(f"failed      {failure}", "yellow", console=err())
    for patch, choice in fetched.stands_for.items():
        if choice.version_is != "exact":
            say(f"Data Dragon does not list patch {patch}: {choice.version} ({choice.version_is}) stands for it.")
    figures = f"{fetched.fetched:,} fetched, {fetched.known:,} known, {len(fetched.failures):,} failed"
    say(f"Data Dragon, {counted(len(patches), 'patch', 'patches')}: {figures}.", "bold")
    if fetched.fetched:
        say("Lists of items and champions came. Next: gamestats materialize")
    return not fetched.failures
